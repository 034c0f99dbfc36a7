"""System checks of the log, https://docs.djangoproject.com/en/stable/topics/checks/."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from logging.handlers import BaseRotatingHandler, SysLogHandler, TimedRotatingFileHandler, WatchedFileHandler
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's name for it
from django.utils.module_loading import import_string

from applog.files import find_problem
from applog.shared import SharedFileHandler

DAILY = {"D", "MIDNIGHT", *(f"W{day}" for day in range(7))}
HALF_A_YEAR = timedelta(days=182)  # from summer time to winter time


def check_log_files(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W001) when the log files are on and cannot be written."""
    if settings.LOG_FILES == "off":
        return []
    problem = find_problem(settings.LOGS_DIR, "django.log", "security.log")
    if problem is None:
        return []
    return [
        Warning(
            f"Log files cannot be written in {settings.LOGS_DIR}: {problem}. Records go to the console.",
            hint="Give the folder and its files to the user of this process, or set LOG_FILES=off.",
            id="applog.W001",
        ),
    ]


def check_handlers(**_: Any) -> list[CheckMessage]:
    """Warn of a handler in LOGGING whose files would be served, lost or filed wrongly (applog.W002 to W004, W007)."""
    found: list[CheckMessage] = []
    for name, options in used_handlers(settings.LOGGING):
        try:
            cls = import_string(str(options.get("class", "logging.NullHandler")))
        except ImportError:  # which logging itself has refused, or will
            continue
        for check in (_served, _for_one_process, _for_unix, _other_midnight):
            if problem := check(cls, options):
                text, hint, number = problem
                found.append(Warning(f"The log handler {name!r} {text}.", hint=hint, id=f"applog.W{number:03}"))
    return found


def check_levels(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W005) when everything is logged in production."""
    loggers = settings.LOGGING.get("loggers", {})
    level = settings.LOGGING.get("root", loggers.get("", {})).get("level", "WARNING")  # a name, or its number
    if settings.DEBUG or logging.getLevelNamesMapping().get(level, level) not in range(logging.DEBUG + 1):
        return []
    return [
        Warning(
            "The root logger's level is DEBUG in production: other people's data and much noise go into the log.",
            hint="Set LOG_LEVEL=INFO, or give a level to the one logger whose records you need.",
            id="applog.W005",
        ),
    ]


def check_security_log(**_: Any) -> list[CheckMessage]:
    """Warn (applog.W006) when records of django.security do not reach the security log."""
    config, name = settings.LOGGING, "django.security"
    if settings.LOG_FILES == "off" or check_log_files():
        return []
    while name:
        loggers = config.get("loggers", {})
        options = config.get("root", loggers.get("", {})) if name == "root" else loggers.get(name, {})
        if "security_file" in _with_targets(options.get("handlers", []), config.get("handlers", {})):
            return []
        above = name.rpartition(".")[0] or "root"
        name = above if name != "root" and options.get("propagate", True) else ""
    return [
        Warning(
            "Records of django.security do not reach logs/security.log.",
            hint='Give the logger "django.security" the handler "security_file" in LOGGING.',
            id="applog.W006",
        ),
    ]


def used_handlers(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and options of each handler of LOGGING that a logger, or another handler, hands records to."""
    loggers = [config.get("root", {}), *config.get("loggers", {}).values()]
    named = [name for logger in loggers for name in logger.get("handlers", [])]
    for name in _with_targets(named, config.get("handlers", {})):
        yield name, config["handlers"][name]


def _with_targets(names: list[str], handlers: dict[str, Any]) -> dict[str, None]:
    """Return handlers, each once, with those that they hand records to, as a queue does."""
    found: dict[str, None] = {}
    for name in names:
        found |= {name: None, **_with_targets(handlers[name].get("handlers", []), handlers)}
    return found


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
