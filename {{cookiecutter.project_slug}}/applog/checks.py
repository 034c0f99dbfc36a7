"""System checks of the log: https://docs.djangoproject.com/en/stable/topics/checks/."""

import logging
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from logging.handlers import BaseRotatingHandler, SysLogHandler, TimedRotatingFileHandler, WatchedFileHandler
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's name for it
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from applog.conf import chain_of, root_logger, used_handlers, with_targets
from applog.middleware import quiet_paths
from applog.rotation.process_lock import find_lock_problem
from applog.rotation.shared_handler import SharedFileHandler
from applog.security import LOGGERS
from applog.setup import problem_of, with_files

DAILY = {"D", "MIDNIGHT", *(f"W{day}" for day in range(7))}
HALF_A_YEAR = timedelta(days=182)  # from summer time to winter time


def check_log_files(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W001) of files that are switched on and cannot be written."""
    if settings.LOG_FILES == "off":
        return []
    options = [options for options in settings.LOGGING.get("handlers", {}).values() if "filename" in options]
    problems = {
        Path(handler["filename"]).absolute().parent: problem
        for handler in reversed(options)
        if (problem := problem_of(handler))
    }
    return [
        Warning(
            f"Log files cannot be written in {folder}: {problem}. Records go to the console.",
            hint="Give the folder and its files to the user of this process, or set LOG_FILES=off.",
            id="applog.W001",
        )
        for folder, problem in problems.items()
    ]


def check_handlers(**_: Any) -> list[CheckMessage]:
    """Warn of handlers whose files would be served, lose records or never rotate (applog.W002 to W004, W007, W009)."""
    found: list[CheckMessage] = []
    for name, options in used_handlers().items():
        try:
            cls = import_string(str(options.get("class", "logging.NullHandler")))
        except ImportError:  # logging refuses it, too
            continue
        for check in (_served, _for_one_process, _for_unix, _other_midnight, _without_locks):
            if problem := check(cls, options):
                text, hint, number = problem
                found.append(Warning(f"The log handler {name!r} {text}.", hint=hint, id=f"applog.W{number:03}"))
    return found


def check_levels(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W005) when everything is logged in production."""
    level = root_logger().get("level", "WARNING")  # a name or a number
    if settings.DEBUG or logging.getLevelNamesMapping().get(level, level) not in range(logging.DEBUG + 1):
        return []
    return [
        Warning(
            "The root logger's level is DEBUG in production: other people's data and much noise go into the log.",
            hint="Set LOG_LEVEL=INFO, or give a level to the one logger whose records you need.",
            id="applog.W005",
        ),
    ]


def check_quiet_paths(**_: Any) -> list[CheckMessage]:
    """Refuse (applog.E001) a LOG_QUIET_PATHS that the middleware refuses, before a server does."""
    try:
        quiet_paths()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="applog.E001")]
    return []


def check_proxy(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W008) when all clients have the address of the proxy."""
    if settings.DEBUG or not settings.SECURE_PROXY_SSL_HEADER or settings.TRUSTED_PROXY_COUNT:
        return []
    return [
        Warning(
            "The site is behind a proxy, whose address the log and the limits take for that of every client.",
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies that append to X-Forwarded-For, usually 1.",
            id="applog.W008",
        ),
    ]


def check_security_log(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W006) of security events that do not reach the security log."""
    if "security_file" not in settings.LOGGING.get("handlers", {}) or not with_files():
        return []
    return [
        Warning(
            f"Records of {name} do not reach the security log.",
            hint=f'Give the logger "{name}" the handler "security_file" in LOGGING.',
            id="applog.W006",
        )
        for name in LOGGERS
        if not _reaches(name, "security_file")
    ]


def _reaches(logger_name: str, handler: str) -> bool:
    """Tell whether records of a logger reach a handler, perhaps by way of another one."""
    handlers = settings.LOGGING.get("handlers", {})
    return any(handler in with_targets(options.get("handlers", []), handlers) for options in chain_of(logger_name))


Problem = tuple[str, str, int] | None


def _served(_: type, options: dict[str, Any]) -> Problem:
    public = (settings.STATIC_ROOT, settings.MEDIA_ROOT, *getattr(settings, "STATICFILES_DIRS", ()))
    folder = Path(options.get("filename", os.devnull)).resolve().parent
    for root in (Path(root[1] if isinstance(root, (list, tuple)) else root).resolve() for root in public if root):
        if folder.is_relative_to(root):
            hint = "Move the log files (LOGS_DIR) out of STATIC_ROOT, MEDIA_ROOT and STATICFILES_DIRS."
            return f"writes into {root}, from where files are served to anybody", hint, 2
    return None


def _for_one_process(cls: type, _: dict[str, Any]) -> Problem:
    if issubclass(cls, BaseRotatingHandler) and not issubclass(cls, SharedFileHandler):
        hint = "Use SharedRotatingFileHandler or SharedTimedRotatingFileHandler of applog.handlers; they take the same."
        return "loses records when several processes write its file, as runserver and any server does", hint, 3
    return None


def _for_unix(cls: type, options: dict[str, Any]) -> Problem:
    socket = issubclass(cls, SysLogHandler) and isinstance(options.get("address"), str)
    if sys.platform == "win32" and (issubclass(cls, WatchedFileHandler) or socket):
        return "works on Unix only", "Use applog.handlers.SharedRotatingFileHandler on Windows.", 4
    return None


def _other_midnight(cls: type, options: dict[str, Any]) -> Problem:
    if not issubclass(cls, TimedRotatingFileHandler) or str(options.get("when", "h")).upper() not in DAILY:
        return None
    for moment in (datetime.now(UTC), datetime.now(UTC) + HALF_A_YEAR):
        offset = 0 if options.get("utc") else time.localtime(moment.timestamp()).tm_gmtoff
        if timedelta(seconds=offset) != moment.astimezone(ZoneInfo(settings.TIME_ZONE)).utcoffset():
            hint = "Leave utc out, or set TIME_ZONE to UTC. On Windows set the system's time zone, or rotate by size."
            return f"rotates at midnight in another time zone than TIME_ZONE, {settings.TIME_ZONE}", hint, 7
    return None


def _without_locks(cls: type, options: dict[str, Any]) -> Problem:
    folder = Path(options.get("filename", os.devnull)).absolute().parent
    if issubclass(cls, SharedFileHandler) and (problem := find_lock_problem(folder)):
        hint = (
            "Move the log files (LOGS_DIR) to a local disk, or set LOG_FILES=watch for another program to rotate them."
        )
        return f"cannot rotate its file: files cannot be locked in {folder} ({problem})", hint, 9
    return None
