"""What is written to a terminal: text that cannot control it, bars, and a sign of life while something takes long."""

import time
from datetime import datetime
from typing import TextIO

from django.core.management.base import OutputWrapper
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from applog.formatters import escape
from applog.records import Record

PATIENCE_SECONDS = 1.0
REFRESH_SECONDS = 0.1
BAR_WIDTH = 24


def printable(text: str) -> str:
    """Return `text` with all escaped that does not print, or would change the order of a line, and without tabs."""
    return escape(text.expandtabs(4))


def show_size(number: int) -> str:
    """Return a number of bytes for people."""
    return filesizeformat(number).replace("\xa0", " ")


def show_cut(record: Record) -> str:
    """Return what is said of a record that is not shown to its end, "" for all others."""
    return f"The record has {show_size(record.size)}; this is its beginning." if record.truncated else ""


def show_time(moment: datetime) -> str:
    """Return a time for people, in the project's time zone."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


def can_show(stream: TextIO | OutputWrapper, text: str) -> bool:
    """Tell whether the encoding of `stream` has the characters of `text`."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def bar(share: float, width: int = BAR_WIDTH, *, ascii_only: bool = False) -> str:
    """Return a bar of `width` characters of which a share from 0 to 1 is full."""
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    done = round(min(1.0, max(0.0, share)) * width)
    return full * done + empty * (width - done)


class Progress:
    """A line on `stream`, if that is a terminal, for what takes longer than PATIENCE_SECONDS. Use it with `with`."""

    def __init__(self, stream: TextIO | OutputWrapper, label: str) -> None:
        self._stream, self._label = stream, label
        self._next = time.monotonic() + PATIENCE_SECONDS
        self._shown = False

    def __enter__(self) -> "Progress":
        return self

    def update(self, share: float) -> None:
        """Show that a share from 0 to 1 is done."""
        if self._stream.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_SECONDS
            drawn = bar(share, ascii_only=not can_show(self._stream, "█░"))
            self._write(f"\r{self._label} {drawn} {share:4.0%}")
            self._shown = True

    def clear(self) -> None:
        """Remove the line, until the next update."""
        if self._shown:
            self._write("\r" + " " * (len(self._label) + BAR_WIDTH + 6) + "\r")
            self._shown = False

    def __exit__(self, *_: object) -> None:
        """Remove the line."""
        self.clear()

    def _write(self, text: str) -> None:
        # Not by OutputWrapper.write, which colours what goes to stderr.
        stream = getattr(self._stream, "_out", self._stream)
        stream.write(text)
        stream.flush()
