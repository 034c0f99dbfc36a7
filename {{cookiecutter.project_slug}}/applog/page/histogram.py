"""The histogram of the log's page: numbers of records by time and level, drawn as bars."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from applog.reading.counts import Levels, count_from
from applog.reading.log import RotatedLog
from applog.reading.measures import bucket
from applog.reading.query import LEVELS, Query
from applog.text import now, show_number

SECONDS = 0.2  # to count
MANY, MANY_SECONDS = 1000, 0.05  # files, of which a page is made in less time; what is counted is not counted again
ROUNDS = 3  # of counting, until bars are short enough for records that are not where the log's first one is
TRIED = 0.2  # of the time, to see how far counting will get
BARS, MOST_BARS = 60, 120
DAY = timedelta(days=1)
STEPS = [
    *(timedelta(seconds=number) for number in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=number) for number in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=number) for number in (1, 2, 3, 6, 12)),
    DAY,
]
OTHER = "other"
WIDTH, HEIGHT = 1000, 100  # of the drawing, which the page stretches
GAP = 0.15  # of a bar's room
LEAST = 2.0  # height, so that one error among a million records is visible


@dataclass
class Bar:
    """The records made from `begin` to `end`: bar number `index` of `bars`. The highest one has `most` records."""

    begin: datetime
    end: datetime
    levels: Counter[str]
    most: int
    index: int
    bars: int
    link: str = ""  # the query string for its records

    @property
    def name(self) -> str:
        """The time at which it begins, as precise as its length needs."""
        length = self.end.replace(tzinfo=None) - self.begin.replace(tzinfo=None)
        pattern = "%Y-%m-%d" if length == DAY else "%Y-%m-%d %H:%M" if length.seconds % 60 == 0 else "%H:%M:%S"
        comes_twice = self.begin.replace(fold=0).utcoffset() != self.begin.replace(fold=1).utcoffset()
        return self.begin.strftime(f"{pattern} %Z" if comes_twice else pattern)

    @property
    def label(self) -> str:
        """The bar as text."""
        counts = ", ".join(f"{show_number(number)} {level}" for level, number in ordered(self.levels))
        return f"{self.name}: " + (counts or _("no records"))

    @property
    def numbers(self) -> dict[str, str]:
        """How many records there are, by level."""
        return {level: show_number(number) for level, number in ordered(self.levels)}

    # Coordinates are strings, because some languages write numbers with a comma.

    @property
    def x(self) -> str:
        """Its left edge, in units of the drawing, from 0 to WIDTH."""
        return f"{(self.index + GAP / 2) * WIDTH / self.bars:.2f}"

    @property
    def width(self) -> str:
        """Its width, in units of the drawing."""
        return f"{(1 - GAP) * WIDTH / self.bars:.2f}"

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """The level, y and height of each of its rectangles, in units of the drawing, from the bottom up."""
        return stack([(level.lower(), number) for level, number in ordered(self.levels)], self.most, len(LEVELS) + 1)


@dataclass
class Histogram:
    """Bars in the order of time.

    If the time to count ran out, `complete` is False, and `reached` is the time from which on all records are counted,
    or there are none; None if it is not known.
    `outside` is how many of these have a time that no bar has, as of a clock that was wrong.
    """

    bars: list[Bar]
    reached: datetime | None = None
    complete: bool = True
    link: str = ""  # the query string for records before `reached`
    outside: int = 0

    @cached_property
    def totals(self) -> dict[str, str]:
        """How many records there are, by level."""
        totals: Counter[str] = Counter()
        for bar in self.bars:
            totals.update(bar.levels)
        return {level: show_number(number) for level, number in ordered(totals)}

    @property
    def outside_number(self) -> str:
        """How many records are `outside`, for people."""
        return ngettext("%(number)s record", "%(number)s records", self.outside) % {"number": show_number(self.outside)}

    @property
    def most(self) -> str:
        """How many records the highest bar has."""
        return show_number(self.bars[0].most)

    @property
    def axis(self) -> list[str]:
        """The labels below the bars."""
        bars = self.bars
        return [bars[0].name, bars[len(bars) // 2].name, bars[-1].name] if len(bars) > 2 else [bars[0].name]  # noqa: PLR2004

    @property
    def table(self) -> list[tuple[Bar, list[str]]]:
        """The bars that have records, with their numbers in the order of `totals`."""
        return [(bar, [bar.numbers.get(level, "") for level in self.totals]) for bar in self.bars if bar.numbers]


def stack(numbers: list[tuple[str, int]], most: int, kinds: int) -> list[tuple[str, str, str]]:
    """Return the rectangles of a bar: a CSS class, y and height of each, from the bottom up, in units of the drawing.

    Args:
        numbers: the classes, and how many records each stands for.
        most: how many records the highest bar has.
        kinds: how many rectangles a bar may have.

    """
    parts, y = [], float(HEIGHT)
    for name, number in numbers:
        height = LEAST + number / most * (HEIGHT - LEAST * kinds)
        y -= height
        parts.append((name, f"{y:.2f}", f"{height:.2f}"))
    return parts


def ordered(levels: Counter[str]) -> list[tuple[str, int]]:
    """Return levels and numbers, the most severe level first; it is at the bottom of a bar."""
    return [(level, levels[level]) for level in (*reversed(LEVELS), OTHER) if levels[level]]


def count(logs: Sequence[RotatedLog], query: Query) -> Histogram:
    """Count the matching records of `logs`, or the newest of them if counting all takes longer than SECONDS."""
    known, end = find_window(logs, query)
    if not end:
        return Histogram([])
    oldest = end - MOST_BARS * DAY
    begin = max(first := known or oldest, oldest)
    step = choose_step(begin, end)
    seconds = SECONDS if sum(len(log.files()) for log in logs) < MANY else MANY_SECONDS
    zone = timezone.get_current_timezone()
    found = count_from(begin if begin > first else query.since, step, logs, query, zone, seconds * TRIED)
    # Where a clock was set back, the last record is not that of the last time.
    latest = max((time for time in found.levels if time <= now()), default=end)
    if not found.complete or latest > end:
        end = max(end, latest)
        # Bars for as far as counting will get, with room for as many again.
        step = choose_step(max(begin, end - (end - found.stopped) / TRIED) if found.stopped else begin, end)
        begin = max(begin, end - MOST_BARS * step)
        since = begin if begin > first else query.since
        before = None if found.levels else found.older  # not from the end again, if there is nothing up to there
        found = count_from(since, step, logs, query, zone, seconds * (1 - TRIED), before)
    if found.complete and not (known and most_are_from(bucket(begin, step, zone), found.levels)):
        for _ in range(ROUNDS):
            begin, previous = find_begin(found.levels, begin), step
            step = choose_step(begin, end)
            if step == previous:
                break
            found = count_from(query.since, step, logs, query, zone, seconds)
        first = begin = max(begin, oldest)
    begin = max(filter(None, (begin, found.reached)))
    bars = make_bars(found.levels, begin, end, step) if found.levels and begin <= end else []
    # What is before `reached` is counted by its link.
    counted = sum(levels.total() for time, levels in found.levels.items() if not found.reached or time >= found.reached)
    outside = max(0, counted - sum(bar.levels.total() for bar in bars))
    reached = begin if first < begin <= end else None
    return Histogram(bars, reached, found.complete and begin == first, outside=outside)


def find_window(logs: Sequence[RotatedLog], query: Query) -> tuple[datetime | None, datetime | None]:
    """Return the times of the first and the last record that may match, in UTC, or None twice.

    A record of the future, made while a clock was wrong, does not move the end. The first time is None where that of
    the log's first record tells nothing, as it is later than the last one's, or than the time asked for.
    """
    times: set[datetime | None] = set()
    for log in logs:
        if files := [file for file in log.files() if file.size]:
            times |= {log.find_times(files[0])[0], log.find_times(files[-1])[1]}
    known = sorted(time for time in times if time)
    if not known:
        return None, None
    # In UTC, because times of one zone are compared by the clock on the wall, which may have been set back.
    begin = max(time.astimezone(UTC) for time in (known[0], query.since) if time)
    last = query.until - timedelta(microseconds=1) if query.until else None  # a record made at `until` does not match
    end = min(time.astimezone(UTC) for time in (known[-1], now(), last) if time)
    if query.since and query.since > end:
        return None, None
    return begin if begin <= end else None, end


def most_are_from(begin: datetime, levels: Levels) -> bool:
    """Tell whether at least half of the records are from `begin` on."""
    return sum(found.total() * (1 if time >= begin else -1) for time, found in levels.items()) >= 0


def find_begin(levels: Levels, default: datetime) -> datetime:
    """Return the time from which on there are 99 of 100 records: a clock may have been far behind for a moment."""
    before, most = 0, sum(found.total() for found in levels.values()) / 100
    for time in sorted(levels):
        before += levels[time].total()
        if before > most:
            return time
    return default


def choose_step(begin: datetime, end: datetime) -> timedelta:
    """Return the smallest of STEPS that needs fewer than BARS bars, or a day."""
    return next((step for step in STEPS if (end - begin) / step < BARS), DAY)


def make_bars(levels: Levels, begin: datetime, end: datetime, step: timedelta) -> list[Bar]:
    """Return the bars from `begin` to `end`."""
    zone = timezone.get_current_timezone()
    times = [bucket(begin, step, zone)]
    while times[-1] <= end:
        following = times[-1] + step
        while bucket(following, step, zone) <= times[-1]:  # the clocks were set back
            following += step / 2
        times.append(bucket(following, step, zone))
    counts = [Counter[str]() for _ in times[1:]]
    for time, found in zip(times, counts, strict=False):
        for level, number in levels.get(time, Counter()).items():
            if number > 0:
                found[level if level in LEVELS else OTHER] += number
    most = max((found.total() for found in counts), default=0)
    local = [timezone.localtime(time) for time in times]
    bars = zip(local, local[1:], counts, strict=False)
    return [Bar(time, until, found, most, index, len(counts)) for index, (time, until, found) in enumerate(bars)]
