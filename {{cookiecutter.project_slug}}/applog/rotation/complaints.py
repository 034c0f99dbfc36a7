"""What a handler writes to stderr when it cannot write its file."""

import logging
import sys
import time
from contextlib import suppress

REPORT_SECONDS = 60.0
HELD_BY_ANOTHER = (5, 32, 183)  # Windows: ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_ALREADY_EXISTS


class Complaints:
    """Writes what is wrong with `handler` to stderr, each kind of trouble at most once in REPORT_SECONDS.

    As in the standard library, nothing is written if `logging.raiseExceptions` is False.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._lost = 0
        self._next: dict[str, float] = {}

    def lost(self, error: Exception, count: int = 1) -> None:
        """Report that `count` records were lost because of `error`."""
        self._lost += count
        self._report("record lost", error)

    def delayed(self, error: Exception) -> None:
        """Report that the file could not be rotated yet because of `error`."""
        if getattr(error, "winerror", None) in HELD_BY_ANOTHER:
            # An editor or a virus scanner has the file open, usually for a moment: say nothing at first.
            self._next.setdefault("rotation delayed", time.monotonic() + REPORT_SECONDS)
        self._report("rotation delayed", error)

    def succeeded(self) -> None:
        """Forget that a rotation was delayed: this process or another one has rotated."""
        self._next.pop("rotation delayed", None)

    def _report(self, outcome: str, error: Exception) -> None:
        now = time.monotonic()
        if now < self._next.get(outcome, now) or not logging.raiseExceptions or not sys.stderr:
            return
        self._next[outcome] = now + REPORT_SECONDS
        with suppress(OSError, ValueError):
            lost = f"{self._lost} lost so far"
            sys.stderr.write(f"{self._handler!r}: {outcome} ({lost}): {error}\n")
