"""The console."""

import logging
import os
import sys
from io import TextIOWrapper
from typing import TextIO

from django.conf import settings
from django.core.management.color import color_style, supports_color

from applog.formatters import TextFormatter

# One of them is loaded where a server starts, before logging is set up for it; by manage.py for runserver alone.
ENTRY_POINTS = {"django.core.asgi", "django.core.wsgi"}


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, warnings and errors in Django's colours where that is a terminal that shows them.

    A server without log files, such as one in a read-only container, writes to stdout, where its platform looks for the
    log (https://12factor.net/logs). Commands do not: some print their data there.

    NO_COLOR (https://no-color.org) and DJANGO_COLORS=nocolor switch the colours off.
    """

    def __init__(self) -> None:
        super().__init__()
        is_server = not ENTRY_POINTS.isdisjoint(sys.modules)
        if is_server and not settings.WITH_FILES and isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does: a legacy code page has not every letter
            self.setStream(sys.stdout)
        self._style = None
        if self.stream and self.stream.isatty() and supports_color() and not os.environ.get("NO_COLOR"):
            self._style = color_style()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines, with the level coloured."""
        text = super().format(record)
        if self._style and record.levelno >= logging.WARNING and isinstance(self.formatter, TextFormatter):
            colour = self._style.WARNING if record.levelno < logging.ERROR else self._style.ERROR
            text = text.replace(f" {record.levelname} ", f" {colour(record.levelname)} ", 1)
        return text
