"""The application's configuration."""

import logging

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import register
from django.core.signals import request_finished, request_started
from django.utils.translation import gettext_lazy as _

from applog import checks, tasks
from applog.context import forget_request

logger = logging.getLogger(__name__)


class ApplogConfig(AppConfig):
    """The log of the project."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "applog"
    verbose_name = _("Logging")

    def ready(self) -> None:
        """Register the system checks, warn of files that cannot be written, and connect the signals' receivers."""
        for check in (
            checks.check_log_files,
            checks.check_handlers,
            checks.check_levels,
            checks.check_quiet_paths,
            checks.check_proxy,
            checks.check_security_log,
        ):
            register(check)
        for problem in checks.check_log_files():
            logger.warning("%s", problem.msg)  # servers do not run the checks
        if apps.is_installed("django.contrib.auth"):
            from applog.security import connect  # noqa: PLC0415  it needs the app

            connect()
        if apps.is_installed("axes"):
            from axes.signals import user_locked_out  # noqa: PLC0415

            from applog.security import locked_out  # noqa: PLC0415

            user_locked_out.connect(locked_out)
        tasks.connect()
        if getattr(settings, "LOG_SLOW_QUERY_MS", 0):
            from applog.queries import watch  # noqa: PLC0415  nothing of it where it is off

            watch()
        request_started.connect(forget_request)
        request_finished.connect(forget_request)
