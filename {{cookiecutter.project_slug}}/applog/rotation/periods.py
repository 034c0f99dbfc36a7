"""The periods of time, such as days, that a log is divided into, in local time."""

import calendar
import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import TimedRotatingFileHandler
from typing import Self

MONDAY_1970 = -3 * 86400  # 1970 began on a Thursday


class Periods:
    """Periods of `length` seconds, counted from `offset` seconds after 1970 began.

    A period is known by its start in local time, as a number of seconds for `time.gmtime`; the rotated file is named
    after it. So a day on which the clocks change lasts 23 or 25 hours, and an hour that comes twice is one period.
    With `utc`, UTC takes the place of local time.
    """

    def __init__(self, length: int, offset: int, *, utc: bool) -> None:
        self._length = length
        self._offset = offset
        self._clock = time.gmtime if utc else time.localtime
        self._utc = utc

    @classmethod
    def of(cls, handler: TimedRotatingFileHandler) -> Self:
        """Return the periods of a `TimedRotatingFileHandler`, aligned to full ones.

        `D` begins at midnight as `MIDNIGHT` does. As in the standard library, only `MIDNIGHT` and `W` use `atTime`, and
        `W0` without it ends with Monday's last second.
        """
        offset, at = 0, handler.atTime
        if handler.when.startswith("W"):
            offset = MONDAY_1970 + (handler.dayOfWeek + (at is None)) * 86400
        if at and (handler.when == "MIDNIGHT" or handler.when.startswith("W")):
            offset += (at.hour * 60 + at.minute) * 60 + at.second
        return cls(max(1, int(handler.interval)), offset, utc=handler.utc)

    def begin(self, wall: int) -> int:
        """Return the start of the period that the local time `wall` (seconds for `time.gmtime`) belongs to."""
        return wall - (wall - self._offset) % self._length

    def find(self, created: float) -> int:
        """Return the period of `created` (seconds since the epoch), known by its start."""
        return self.begin(calendar.timegm(self._clock(math.floor(created))))

    def end(self, created: float) -> datetime:
        """Return when the period of `created` ends, as an aware time."""
        wall = datetime.fromtimestamp(self.find(created) + self._length, UTC)
        return wall if self._utc else wall.replace(tzinfo=None).astimezone()

    def find_limits(self, created: float) -> tuple[int, int]:
        """Return times before and after `created`, within a minute, between which the period stays the same."""
        second = math.floor(created)
        wall = calendar.timegm(self._clock(second))
        passed = wall - self.begin(wall)
        minute = second - second % 60  # the clocks change on a full minute
        return max(minute, second - passed), min(minute + 60, second - passed + self._length)


def find_dates(name: str, suffix: str) -> Iterator[tuple[int, str]]:
    """Yield each start of a period that is written in a file's name in the format `suffix` (for `time.strptime`).

    The start is in seconds for `time.gmtime`. With it comes the number behind it, such as ".1", or "". A date with a
    number behind it comes twice, as the number may belong to something else.
    """
    pattern = re.sub("%[A-Za-z]", lambda found: r"\d{4}" if found[0] == "%Y" else r"\d\d", suffix)
    for found in re.finditer(rf"(?=({pattern})(\.\d+)?)", name, re.ASCII):
        with suppress(ValueError):  # digits that are no date
            begin = calendar.timegm(time.strptime(found[1], suffix))
            yield from ((begin, number) for number in {found[2] or "", ""})
