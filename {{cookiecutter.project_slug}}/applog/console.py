"""The console."""

import logging
import os
import sys
from typing import TextIO

from django.core.management.color import color_style, supports_color

from applog.formatters import TextFormatter


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, warnings and errors in Django's colours where that is a terminal that shows them.

    NO_COLOR (https://no-color.org) and DJANGO_COLORS=nocolor switch them off.
    """

    def __init__(self) -> None:
        super().__init__()
        self._style = None
        if sys.stderr and sys.stderr.isatty() and supports_color() and not os.environ.get("NO_COLOR"):
            self._style = color_style()

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines, with the level coloured."""
        text = super().format(record)
        if self._style and record.levelno >= logging.WARNING and isinstance(self.formatter, TextFormatter):
            colour = self._style.WARNING if record.levelno < logging.ERROR else self._style.ERROR
            text = text.replace(f" {record.levelname} ", f" {colour(record.levelname)} ", 1)
        return text
