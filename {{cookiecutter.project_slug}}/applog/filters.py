"""Filters for LOGGING."""

import logging
from collections.abc import Mapping

from applog.context import current_request
from applog.security import security_event


class LevelFilter(logging.Filter):
    """Passes records from a level up: the level of the record's logger, or the nearest one above it, in `levels`.

    `levels` are names of levels by names of loggers; `level`, a name or a number, is for all other loggers. Where
    LOGGING gives the loggers these levels, too, a record of `shop` may be DEBUG, while Django's own are INFO.
    """

    def __init__(self, level: str | int, levels: Mapping[str, str]) -> None:
        super().__init__()
        numbers = logging.getLevelNamesMapping()
        self._lowest = level if isinstance(level, int) else numbers[level]
        self._levels = {name: numbers[level] for name, level in levels.items()}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` is severe enough."""
        name = record.name if self._levels else ""
        while name:
            if name in self._levels:
                return record.levelno >= self._levels[name]
            name = name.rpartition(".")[0]
        return record.levelno >= self._lowest


class SecurityFilter(logging.Filter):
    """Passes security events only."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` belongs in the security log."""
        return security_event(record) is not None


class ServerFilter(logging.Filter):
    """Drops the line of runserver about a request: the middleware has logged that request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` is about something other than a request."""
        return current_request.get() is None or not hasattr(record, "status_code")
