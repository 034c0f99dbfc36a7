"""The application's registration with Django."""

from django.apps import AppConfig
from django.core.checks import register
from django.core.signals import request_finished, request_started

from applog.checks import check_log_files
from applog.context import forget_request


class ApplogConfig(AppConfig):
    """The project's log."""

    name = "applog"
    verbose_name = "Log"

    def ready(self) -> None:
        """Register the system checks, and listen to what Django tells of requests and users."""
        from applog.security import connect  # noqa: PLC0415  it needs the models

        register(check_log_files)
        connect()
        request_started.connect(forget_request)
        request_finished.connect(forget_request)
