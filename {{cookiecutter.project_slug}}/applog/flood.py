"""Limits how often refusals are recorded, so that strangers cannot fill the disk, or displace other security events.

Refusals are the events in REFUSALS that come from a request. Each process records at most SINGLY refusals of a kind per
source, which is a user who is signed in, or else an address (of IPv6 a /64), and SINGLY_ALTOGETHER of a kind in total,
in each period of PERIOD_SECONDS; and no more than SINGLY_A_DAY of a kind in a day, so that refusals never need all the
room that the security log has. Further refusals are counted, and reported as `excess_rate_limit_exceeded` for the NAMED
sources with the most of them; the rest are combined. Other records are never limited.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections import Counter

from django.http import HttpRequest

from applog.context import client_network, request_user
from applog.fingerprint import REFUSALS
from applog.security import security_event

logger = logging.getLogger("applog.security")

PERIOD_SECONDS = 60.0
SINGLY, SINGLY_ALTOGETHER, SINGLY_A_DAY = 30, 100, 1000
DAY_SECONDS = 86_400.0
SOURCES = 1000  # that are told apart in a period
NAMED = 5  # sources of each kind, in the events at its end
OTHERS = "others"


class RefusalLimit:
    """Counts refusals by kind and source, and tells which ones are too many."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin with nothing counted."""
        self._lock = threading.Lock()
        self._ends = self._day_ends = 0.0
        self._recorded: Counter[tuple[str, str]] = Counter()
        self._today: Counter[str] = Counter()
        self._left_out: Counter[tuple[str, str]] = Counter()

    def is_over(self, kind: str, source: str) -> bool:
        """Count a refusal, and tell whether it must not be recorded by itself."""
        with self._lock:
            now = time.monotonic()
            if now >= self._ends:
                self._recorded.clear()
                self._ends = now + PERIOD_SECONDS
            if now >= self._day_ends:
                self._today.clear()
                self._day_ends = now + DAY_SECONDS
            key, all_of_kind = (kind, source), self._recorded[kind, ""]
            if self._recorded[key] < SINGLY and all_of_kind < SINGLY_ALTOGETHER and self._today[kind] < SINGLY_A_DAY:
                self._recorded.update((key, (kind, "")))
                self._today[kind] += 1
                return False
            self._left_out[key if key in self._left_out or len(self._left_out) < SOURCES else (kind, OTHERS)] += 1
            return True

    def report(self, *, at_once: bool = False) -> None:
        """Record what was left out in a period that is over, or `at_once`."""
        if not self._left_out or (time.monotonic() < self._ends and not at_once):
            return
        with self._lock:
            left_out, self._left_out = self._left_out, Counter()
        for kind in {kind for kind, _ in left_out}:
            counts = Counter({source: number for (other, source), number in left_out.items() if other == kind})
            others = counts.pop(OTHERS, 0)
            named = counts.most_common(NAMED)
            others += counts.total() - sum(number for _, number in named)
            for source, number in [*named, *([(OTHERS, others)] if others else [])]:
                extra = {"event": "excess_rate_limit_exceeded"}
                logger.warning("%s: %s more from %s within %.0f s", kind, number, source, PERIOD_SECONDS, extra=extra)


limit = RefusalLimit()
atexit.register(limit.report, at_once=True)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=limit.start)  # the parent reports what it has counted


class FloodFilter(logging.Filter):
    """Drops refusals that are counted instead. One decision holds for all handlers that a record reaches."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` is to be written."""
        parts = vars(record)
        if "is_counted" not in parts:
            limit.report()
            parts["is_counted"] = self._is_over(record)
        return not parts["is_counted"]

    def _is_over(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if not isinstance(request, HttpRequest) or (event := security_event(record)) not in REFUSALS:
            return False
        user = request_user(request)
        # Forms that fail the CSRF check are many, and must not hide who is denied a page.
        kind = f"{event}, CSRF" if record.name == "django.security.csrf" else str(event)
        return limit.is_over(kind, f"user {user.pk}" if user else client_network(request) or "-")
