"""Sets up logging as LOGGING says, as far as this machine allows."""

import logging.config
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from applog.flood import FloodFilter
from applog.rotation.complaints import find_problem

FLOOD = FloodFilter()
find_problem_once = cache(find_problem)  # one answer for the whole process, as runserver sets up logging twice


def configure(config: dict[str, Any]) -> None:
    """Set up logging; `config` is LOGGING. This function is for LOGGING_CONFIG.

    Each handler of the root logger and of the loggers in LOGGING gets a FloodFilter.

    Raises ValueError, TypeError, AttributeError or ImportError as `logging.config.dictConfig` does, and EnvError for a
    variable of OpenTelemetry's or Sentry's that cannot be used.
    """
    logging.config.dictConfig(in_effect(config))
    __import__("applog.contrib").contrib.switch_on(config)  # Without the folder contrib/, delete this line.
    # On handlers, because a logger's filters do not apply to records from the loggers below it.
    for logger in (logging.root, *map(logging.getLogger, config.get("loggers", ()))):
        for handler in logger.handlers:
            handler.addFilter(FLOOD)


def in_effect(config: dict[str, Any]) -> dict[str, Any]:
    """Return LOGGING without files that are not written, because LOG_FILES is off or for a problem.

    Their handlers do nothing, except "security_file", which writes to the console.
    """
    handlers = {
        name: options if is_written(options) else {"class": "logging.NullHandler"}
        for name, options in config.get("handlers", {}).items()
    }
    security = config.get("handlers", {}).get("security_file", {})
    if not is_written(security):
        # Security events are recorded whatever LOG_LEVEL is, so also on the console.
        kept = {name: security[name] for name in ("formatter", "level", "filters") if name in security}
        handlers["security_file"] = {"class": "applog.console.ConsoleHandler", **kept}
    return {**config, "handlers": handlers}


def is_written(options: dict[str, Any]) -> bool:
    """Tell whether a handler with these options, if it has a file, can write it."""
    return "filename" not in options or (settings.LOG_FILES != "off" and problem_of(options) is None)


def problem_of(options: dict[str, Any]) -> OSError | None:
    """Return the error that prevents a handler with a "filename" from writing its file; None if all is well."""
    path = Path(options["filename"])
    return find_problem_once(path.absolute().parent, path.name)


def with_files() -> bool:
    """Tell whether this process writes log files."""
    return any("filename" in options for options in in_effect(settings.LOGGING)["handlers"].values())
