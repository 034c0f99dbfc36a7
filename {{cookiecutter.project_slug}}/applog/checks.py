"""System checks of the log, https://docs.djangoproject.com/en/stable/topics/checks/."""

import tempfile
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it


def check_logs_folder(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W001) when the log files are on and their folder cannot be written."""
    if settings.LOG_FILES == "off":
        return []
    try:
        with tempfile.TemporaryFile(dir=settings.LOGS_DIR):
            return []
    except OSError as error:
        return [
            Warning(
                f"Log files cannot be written in {settings.LOGS_DIR}: {error.strerror}. Records go to the console.",
                hint="Make it a folder that the user of this process may write, or set LOG_FILES=off.",
                id="applog.W001",
            ),
        ]
