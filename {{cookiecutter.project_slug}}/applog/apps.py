"""The application's registration with Django."""

import logging

from django.apps import AppConfig
from django.core.checks import register

from applog.checks import check_log_files

logger = logging.getLogger(__name__)


class ApplogConfig(AppConfig):
    """The project's log."""

    name = "applog"
    verbose_name = "Log"

    def ready(self) -> None:
        """Register the system checks, and log what they find, as servers do not run them."""
        register(check_log_files)
        for problem in check_log_files():
            logger.warning("%s", problem.msg)
