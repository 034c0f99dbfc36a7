"""The landing page, to be replaced by your own, and the health endpoint."""

import logging
import platform
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from applog.conf import ProjectLog, used_handlers

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def health(_: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers a query, and 503 when it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        logger.warning("The database does not answer: %s", error)
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show that the site works, where its logs are and how they rotate."""
    context = {
        "database": connection.display_name,
        "debug": settings.DEBUG,
        "django_version": django.get_version(),
        "logs": log_files(),
        "python_version": platform.python_version(),
        "rotation": rotation_sentence(),
        "time_zone": settings.TIME_ZONE,
    }
    return render(request, "pages/home.html", context)


HOLDS = {"file": "every record from {level} up{others}", "security_file": "what concerns security, once more"}


def _handlers() -> dict[str, dict[str, Any]]:
    """Return the handlers of files that are in use, by name."""
    return {name: options for name, options in used_handlers().items() if "filename" in options}


def _holds(handler: str) -> str:
    """Say which records a handler writes."""
    loggers = settings.LOGGING.get("loggers", {}).items()
    writers = [name for name, options in loggers if handler in options.get("handlers", [])]
    others = ", of some loggers from another level" if settings.LOG_LEVELS else ""
    return HOLDS.get(handler, f"records of {', '.join(writers)}").format(level=settings.LOG_LEVEL, others=others)


def log_files() -> list[dict[str, str]]:
    """List the log files in use, each with its name, what it holds and its size, empty before the first record."""
    files = []
    for name, handler in _handlers().items():
        path = Path(handler["filename"])
        files.append(
            {
                "name": path.as_posix().removeprefix(f"{settings.BASE_DIR.as_posix()}/"),
                "holds": _holds(name),
                "size": filesizeformat(path.stat().st_size) if path.exists() else "",
            }
        )
    return files


def rotation_sentence() -> str:
    """Say in one sentence when the log files rotate and how many are kept."""
    handler = _handlers().get("file")
    if handler is None:
        return "Log files are off: records go to the console."
    if not (limit := ProjectLog(handler).max_bytes):
        return "By another program, such as logrotate."
    size, total = filesizeformat(limit), filesizeformat(handler["totalBytes"])
    if "when" in handler:
        return f"At midnight ({settings.TIME_ZONE}) or {size}, {handler['backupCount']} days and {total} are kept."
    return f"At {size}, {handler['backupCount']} old files are kept."
