"""The application's registration with Django."""

from django.apps import AppConfig
from django.core.checks import register
from django.core.signals import request_finished, request_started

from applog import checks
from applog.context import forget_request


class ApplogConfig(AppConfig):
    """The project's log."""

    name = "applog"
    verbose_name = "Log"

    def ready(self) -> None:
        """Register the system checks, and listen to what Django tells of requests and users."""
        from applog.security import connect  # noqa: PLC0415  it needs the models

        for check in (checks.check_log_files, checks.check_handlers, checks.check_levels, checks.check_security_log):
            register(check)
        connect()
        request_started.connect(forget_request)
        request_finished.connect(forget_request)
