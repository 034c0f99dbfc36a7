"""The console handler: stderr, or stdout for a server without log files."""

import logging
import os
import sys
from io import TextIOWrapper
from typing import TextIO

from django.core.management.color import color_style, supports_color

from applog.formatters import TextFormatter
from applog.setup import with_files
from applog.text import escape

# A server has imported one of these before logging is set up. Of manage.py's commands, only runserver imports one.
ENTRY_POINTS = {"django.core.asgi", "django.core.wsgi"}
LEVEL = "{levelname}"


class ConsoleFormatter(TextFormatter):
    """Formats as TextFormatter, with the level of warnings and errors in Django's colours.

    The variable DJANGO_COLORS chooses them: https://docs.djangoproject.com/en/stable/ref/django-admin/#syntax-coloring
    """

    def format_line(self, record: logging.LogRecord) -> str:
        """Return the first line of a record that has its `message` and `asctime`."""
        if record.levelno < logging.WARNING or LEVEL not in self.fmt:
            return super().format_line(record)
        colour = color_style().WARNING if record.levelno < logging.ERROR else color_style().ERROR
        before, after = (escape(part.format(**vars(record))) for part in self.fmt.split(LEVEL, 1))
        return f"{before}{colour(escape(record.levelname))}{after}"


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, warnings and errors in Django's colours if that is a terminal that shows them.

    A server without log files, such as one in a read-only container, writes to stdout, where its platform looks for the
    log (https://12factor.net/logs). Commands do not, as some print their data there.

    NO_COLOR (https://no-color.org) and DJANGO_COLORS=nocolor switch the colours off.
    """

    def __init__(self) -> None:
        super().__init__()
        is_server = not ENTRY_POINTS.isdisjoint(sys.modules)
        if is_server and not with_files() and isinstance(sys.stdout, TextIOWrapper):
            # As stderr does, because the code page of a console may lack characters.
            sys.stdout.reconfigure(errors="backslashreplace")
            self.setStream(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, unless another console handler has done so."""
        if not getattr(record, "on_console", False):
            record.on_console = True
            super().emit(record)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  the standard library's name
        """Set the formatter; a TextFormatter is replaced by one with colours."""
        if type(fmt) is TextFormatter and self.stream and self.stream.isatty() and supports_color():
            fmt = fmt if os.environ.get("NO_COLOR") else ConsoleFormatter(fmt.fmt)
        super().setFormatter(fmt)
