"""What is measured of many records in little memory: how they spread over time, how many differ, how long they took."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from itertools import count, takewhile
from typing import Self

MOST_PARTS = 32  # of a window
DAY = timedelta(days=1)
STEPS = [
    *(timedelta(minutes=number) for number in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=number) for number in (1, 2, 3, 6, 12)),
    *(timedelta(days=number) for number in (1, 2, 7, 30, 365, 100_000)),
]
ERROR = 0.02  # of a duration, relative
GAMMA = (1 + ERROR) / (1 - ERROR)
SHORTEST, LONGEST = 0.1, 1e9  # ms; what is beyond counts as these
KEPT = 256  # numbers, of Distinct


def bucket(when: datetime, step: timedelta, zone: tzinfo | None) -> datetime:
    """Return the start of the bucket that `when` is in, in UTC, where no hour comes twice."""
    when = when.astimezone(zone)
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    wall = timedelta(hours=when.hour, minutes=when.minute, seconds=when.second)
    fold = when.fold if step <= timedelta(hours=1) else 0
    start = midnight + wall // step * step
    found = start.replace(fold=fold).astimezone(UTC)
    # A start that the clocks have skipped may be later than `when`, unless it has the offset of after the change.
    return found if found <= when else start.replace(fold=1).astimezone(UTC)


@dataclass(frozen=True)
class Window:
    """The time from `begin` to `end`, in MOST_PARTS parts at most.

    Each part is `step` long; the first one begins at `start`, a full hour or the like.
    """

    begin: datetime
    end: datetime
    start: datetime
    step: timedelta

    @classmethod
    def of(cls, begin: datetime, end: datetime, zone: tzinfo) -> Self:
        """Return the window between two aware times, the second of which is later; hours and days are those of `zone`.

        Raises ValueError if it is not.
        """
        if end <= begin:
            message = "The time has to begin before it ends."
            raise ValueError(message)
        local = begin.astimezone(zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        for step in STEPS:
            start = midnight + (local - midnight) // step * step
            if (end - start) / step <= MOST_PARTS:
                break
        return cls(begin, end, start, step)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return len(self.starts)

    @cached_property
    def starts(self) -> list[datetime]:
        """When each part begins. The hour that comes twice, when clocks are set back, has parts twice, too."""
        zone = self.start.tzinfo
        # Days begin at midnight, however many hours they have.
        begin = self.start if self.step % DAY == timedelta(0) else self.start.astimezone(UTC)
        moments = takewhile(lambda moment: moment < self.end, (begin + number * self.step for number in count()))
        return [moment.astimezone(zone) for moment in moments]

    def part(self, when: datetime) -> int | None:
        """Return the index of the part that `when` is in, or None."""
        if not self.begin <= when < self.end:
            return None
        return bisect_right(self.starts, when.astimezone(UTC)) - 1


@lru_cache(maxsize=1 << 14)
def index_of_duration(milliseconds: bytes) -> int:
    """Return the number under which a duration, a decimal number in ms, is counted."""
    return math.ceil(math.log(min(max(float(milliseconds), SHORTEST), LONGEST), GAMMA))


class Durations:
    """How long things took, with a relative error of ERROR, in some hundred numbers at most.

    This is DDSketch, https://arxiv.org/abs/1908.10693.
    """

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def update(self, counts: Mapping[int, int]) -> None:
        """Count so many durations of each `index_of_duration`."""
        self.counts.update(counts)

    def quantile(self, share: float) -> float:
        """Return the least of the durations, in ms, that at least a share from 0 to 1 of them did not exceed.

        Of 1 that is the longest one; of nothing that was counted, 0.
        """
        left = math.ceil(round(share * self.counts.total(), 6))  # nearest rank; 0.07 * 100 is a bit more than 7
        for index in sorted(self.counts):
            left -= self.counts[index]
            if left <= 0:
                return 2 * GAMMA**index / (GAMMA + 1)
        return 0.0


class Distinct:
    """How many different texts there are: exact up to KEPT, then with a standard error of 6 %.

    Only the least KEPT of their hashes are kept, https://doi.org/10.1007/3-540-45726-7_1, which Python salts, so that
    nobody can choose texts that distort the number.
    """

    __slots__ = ("_least", "_limit")

    def __init__(self) -> None:
        self._least: set[int] = set()
        self._limit = 1 << 64

    def add(self, text: str) -> None:
        """Count a text."""
        number = hash(text) & 0xFFFF_FFFF_FFFF_FFFF
        if number < self._limit:
            self._least.add(number)
            if len(self._least) > KEPT:
                self._limit = max(self._least)
                self._least.remove(self._limit)

    @property
    def is_exact(self) -> bool:
        """Whether `number` is exact."""
        return self._limit == 1 << 64

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self._least) if self.is_exact else round(KEPT / self._limit * (1 << 64))
