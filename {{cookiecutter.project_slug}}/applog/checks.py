"""System checks of the log, https://docs.djangoproject.com/en/stable/topics/checks/."""

import tempfile
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it


def check_log_files(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W001) when the log files are on and cannot be written."""
    if settings.LOG_FILES == "off":
        return []
    try:
        with tempfile.TemporaryFile(dir=settings.LOGS_DIR):
            pass
        for path in (settings.LOGS_DIR / "django.log", settings.LOGS_DIR / "security.log"):
            # One that does not exist yet is left to the process that logs, and to its user.
            if path.exists():
                path.open("ab").close()
    except OSError as error:
        return [
            Warning(
                f"Log files cannot be written in {settings.LOGS_DIR}: {error}. Records go to the console.",
                hint="Give the folder and its files to the user of this process, or set LOG_FILES=off.",
                id="applog.W001",
            ),
        ]
    return []
