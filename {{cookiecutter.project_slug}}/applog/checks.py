"""System checks of the log, https://docs.djangoproject.com/en/stable/topics/checks/."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it


def check_log_files(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W001) when the log files are on and cannot be written."""
    if settings.LOGS_PROBLEM is None:
        return []
    return [
        Warning(
            f"Log files cannot be written in {settings.LOGS_DIR}: {settings.LOGS_PROBLEM}. Records go to the console.",
            hint="Give the folder and its files to the user of this process, or set LOG_FILES=off.",
            id="applog.W001",
        ),
    ]
