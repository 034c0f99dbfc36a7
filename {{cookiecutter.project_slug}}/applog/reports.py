"""What a log handler says when it cannot write: a line on stderr now and then."""

import logging
import sys
import time
from contextlib import suppress

REPORT_SECONDS = 60.0
HELD = (5, 32, 183)  # Windows: ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_ALREADY_EXISTS


class Reports:
    """Reports of `handler`, at most one in REPORT_SECONDS for each kind of trouble.

    As in the standard library, `logging.raiseExceptions = False` silences them.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._lost = 0
        self._next: dict[str, float] = {}

    def lost(self, error: Exception, count: int = 1) -> None:
        """Report that a record, or `count` of them, were lost because of `error`."""
        self._lost += count
        self._report("record lost", error)

    def delayed(self, error: Exception) -> None:
        """Report that the file could not be rotated yet because of `error`."""
        if getattr(error, "winerror", None) in HELD:
            # An editor or a virus scanner holds the file, mostly for a moment: no word before long.
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
