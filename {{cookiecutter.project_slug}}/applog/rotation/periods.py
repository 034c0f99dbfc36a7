"""The periods of time, such as days, that a log is divided into, in local time."""

import calendar
import math
import os
import re
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from logging.handlers import TimedRotatingFileHandler
from typing import Self

MONDAY_1970 = -3 * 86400  # 1970 began on a Thursday
YEAR = 366 * 86400
# The first day of 2026, which is in week 0, and one with two digits of each month, whose names may have any letters.
EXAMPLES = 1_767_225_600, *(1_769_000_000 + month * 30 * 86400 for month in range(12))


class Periods:
    """Periods of `length` seconds, counted from `offset` seconds after 1970 began.

    A period is known by its start in local time, as a number of seconds for `time.gmtime`; the rotated file is named
    after it. So a day on which the clocks change lasts 23 or 25 hours, and an hour that comes twice is one period.
    With `utc`, UTC takes the place of local time.

    `current` is for the period of the file that is open, once it is known.
    """

    current: int | None = None

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


# What stands for a directive of strftime in a file's name: two digits, if nothing else is said.
DIRECTIVES = {"%Y": r"\d{4}", "%G": r"\d{4}", "%j": r"\d{3}", "%f": r"\d{6}", "%u": r"\d", "%w": r"\d", "%%": "%"}
DIRECTIVES |= {"%e": r"[ \d]\d"} | dict.fromkeys(("%a", "%A", "%b", "%B", "%p", "%Z"), r"(?u:[^\W\d_]+)")
COMPOSED = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y", "%h": "%b"}  # not for strptime


@cache
def _parser(suffix: str) -> tuple[re.Pattern[str], str]:
    """Return a pattern that finds a date in a file's name, and a format for strptime of what it finds and " 1"."""
    for directive, parts in COMPOSED.items():
        suffix = suffix.replace(directive, parts)
    pattern = re.sub("%[-#]?.|[^%]+", lambda part: _pattern(part[0]), suffix)
    suffix = re.sub("%[-#]", "%", suffix).replace("%e", "%d")
    # A week alone is no date; a day of it is one.
    day = "%u" if re.search("%[GUVW]", suffix) and not re.search("%[aAuw]", suffix) else "1"
    return re.compile(rf"(?=({pattern})(?:\.(\d{{1,6}}))?)", re.ASCII), f"{suffix} {day}"


def _pattern(part: str) -> str:
    if not part.startswith("%"):
        return re.escape(part)
    # "%-d" and, on Windows, "%#d" are numbers without leading zeros.
    return r"\d{1,4}" if len(part) > len("%d") else DIRECTIVES.get(part, r"\d\d")


def check_suffix(suffix: str) -> None:
    """Raise ValueError for a format of dates, for `time.strftime`, that a file's name cannot have, or does not tell.

    Files whose year nobody knows would be removed in a wrong order, or never.
    """
    forbidden = '/\\<>:"|?*' if sys.platform == "win32" else "/"
    for begin in EXAMPLES:
        try:
            name = date_of(begin, suffix)
            dates = [date for date, _ in find_dates(name, suffix) if abs(date - begin) <= YEAR]
            found = bool(os.fsencode(name)) and name in [date_of(date, suffix) for date in dates]
        except (OSError, ValueError, re.error):
            found = False
        if not found or not set(forbidden).isdisjoint(name):
            message = (
                f"The suffix {suffix!r} is no date, with its year, that can stand in a file's name and be read there "
                "again. Use one such as %Y-%m-%d or %Y-%m-%d_%H-%M-%S."
            )
            raise ValueError(message)


@lru_cache(1 << 15)
def date_of(begin: int, suffix: str) -> str:
    """Return what is written for the start of a period, in seconds for `time.gmtime`, in the format `suffix`."""
    return time.strftime(suffix, time.gmtime(begin))


@lru_cache(1 << 15)
def find_dates(name: str, suffix: str) -> tuple[tuple[int, int], ...]:
    """Return each start of a period that is written in a file's name in the format `suffix` (for `time.strftime`).

    The start is in seconds for `time.gmtime`. With it comes the number behind it, as in "2026-02-09.1", or 0. A date
    with a number behind it comes twice, as the number may belong to something else.
    """
    pattern, form = _parser(suffix)
    dates = []
    for found in pattern.finditer(name):
        for day in "167" if form.endswith("%u") else "1":  # Monday, or what of it is in the year, as in week 0
            with suppress(ValueError):  # digits that are no date
                begin = calendar.timegm(time.strptime(f"{found[1]} {day}", form))
                dates += [(begin, number) for number in {int(found[2] or 0), 0}]
    return tuple(dates)
