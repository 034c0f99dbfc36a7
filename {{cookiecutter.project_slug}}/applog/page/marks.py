"""Marking what was searched for."""

import time
from contextlib import suppress

import regex
from django.utils.html import format_html, format_html_join

from applog.text import isolate, printable

MARK_SECONDS = 0.25  # for a page; what is not marked then stays as it is


class Marker:
    """Marks the hits of a text, in either case, or of a regular expression, in what a page shows of its records.

    `hits` is how many have been marked.
    """

    def __init__(self, text: str = "", pattern: str = "") -> None:
        text = regex.escape(printable(text), special_only=True)
        self._expression = regex.compile(pattern or text, 0 if pattern else regex.IGNORECASE)
        self._is_needed = bool(pattern or text)
        self._seconds = MARK_SECONDS
        self.hits = 0

    def mark(self, text: str, *, is_counted: bool = True) -> str:
        """Return a line of the page as HTML, in which nothing can hide or reorder anything."""
        text = printable(text)
        spans = self._find(text) if self._is_needed else []
        self.hits += len(spans) if is_counted else 0
        edges = [0, *(edge for span in spans for edge in span)]
        between = zip(edges[::2], edges[1::2], edges[2::2], strict=False)
        marked = format_html_join(
            "",
            "{}<mark>{}</mark>",
            ((isolate(text[end:begin]), isolate(text[begin:stop])) for end, begin, stop in between),
        )
        return format_html("{}{}", marked, isolate(text[edges[-1] :]))

    def _find(self, text: str) -> list[tuple[int, int]]:
        started = time.monotonic()
        spans: list[tuple[int, int]] = []
        with suppress(TimeoutError):
            if self._seconds > 0:
                found = self._expression.finditer(text, timeout=self._seconds, concurrent=True)
                spans.extend(match.span() for match in found if match[0])
        self._seconds -= time.monotonic() - started
        return spans
