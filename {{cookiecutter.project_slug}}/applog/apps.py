"""The application's registration with Django."""

from django.apps import AppConfig
from django.core.checks import register

from applog.checks import check_log_files


class ApplogConfig(AppConfig):
    """The project's log."""

    name = "applog"
    verbose_name = "Log"

    def ready(self) -> None:
        """Register the system checks."""
        register(check_log_files)
