"""Numbers of records, by time and level.

Like applog.reading.log, counting skips files that vanish or cannot be opened.
"""

import time
from collections import Counter
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

from applog.reading.folder import LogFile
from applog.reading.limits import EVER, HOUR, MINUTE, SECOND, levels_in
from applog.reading.log import RotatedLog
from applog.reading.measures import bucket
from applog.reading.pages import Position
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import Cursor, Record
from applog.reading.scan import BlocksBackwards, find_any

KEPT, BUCKETS = 5000, 8  # rotated files whose numbers are remembered, if they are in so few buckets

Levels = dict[datetime, Counter[str]]  # by the start of a bucket in UTC, how many records there are of each level


@dataclass
class Counts:
    """Numbers of records.

    Attributes:
        levels: the numbers.
        older: the position from which to continue.
        complete: False if the time ran out.

    """

    levels: Levels
    older: Position
    complete: bool


def count_records(  # noqa: PLR0913  named arguments
    logs: Sequence[RotatedLog],
    step: timedelta,
    position: Position | None = None,
    *,
    query: Query = EVERY_RECORD,
    zone: tzinfo | None = None,
    seconds: float = 60.0,
) -> Counts:
    """Count the matching records by time and level. Records without a time are not counted.

    Args:
        logs: the logs. A record that is in several of them is counted in each.
        step: the length of a bucket, from a second to a day. Buckets are counted from midnight on, so that it should
            divide a day.
        position: where to begin, backwards, by default at the end.
        query: what the records must have.
        zone: the time zone of the buckets, by default the local one.
        seconds: how long to count, 0 or more. At least one block is counted.

    Raises SlowPatternError.

    """
    deadline = time.monotonic() + seconds
    counts = Counts({}, Position(position or {}), complete=True)
    for log in logs:
        known = _Known(query, step, zone)
        with closing(_count(log, counts.older.get(log.name), query, step, zone, known)) as blocks:
            for found, place in blocks:
                add_levels(counts.levels, found)
                if place:
                    counts.older[log.name] = place
                if time.monotonic() > deadline:
                    counts.complete = False
                    return counts
        add_levels(counts.levels, known.take())
    return counts


@dataclass
class Found:
    """What was counted, from `reached` on all of it. If the time ran out, `complete` is False.

    `stopped` is the time of the record before those that were looked at, and `older` the position there.
    """

    levels: Levels
    older: Position
    reached: datetime | None = None
    stopped: datetime | None = None
    complete: bool = True


def count_from(  # noqa: PLR0913, PLR0917  what is counted, for how long, and from where
    begin: datetime | None,
    step: timedelta,
    logs: Sequence[RotatedLog],
    query: Query,
    zone: tzinfo,
    seconds: float,
    position: Position | None = None,
) -> Found:
    """Count the records of each log from `begin` on, or all, up to a position, by default the end."""
    query = replace(query, since=begin)
    found, now = Found({}, Position(position or {})), datetime.now(zone)
    for log in logs:
        counts = count_records([log], step, position, query=query, zone=zone, seconds=seconds / len(logs))
        found.older |= {name: cursor for name, cursor in counts.older.items() if name == log.name}
        add_levels(found.levels, counts.levels)
        if not counts.complete:
            found.complete = False
            stopped = log.find_time_before(counts.older[log.name]) if log.name in counts.older else None
            found.stopped = max(filter(None, (found.stopped, stopped)), default=None)
            # Of the bar in which counting stopped only a part is counted: the oldest, but for clocks that were wrong.
            times = sorted(time for time in counts.levels if time <= now)
            whole = [time for time in times if stopped and time > stopped]
            # Without any, there are none up to where it stopped.
            empty = bucket(stopped, step, zone) + step if stopped else EVER[1]
            reached = next(iter(whole or reversed(times[:2])), empty)
            found.reached = max(filter(None, (found.reached, reached)))
    return found


def add_levels(levels: Levels, more: Levels) -> None:
    """Add the numbers of `more` to `levels`."""
    for when, found in more.items():
        levels.setdefault(when, Counter()).update(found)


def _count(  # noqa: PLR0913, PLR0917  what its caller has
    log: RotatedLog, cursor: Cursor | None, query: Query, step: timedelta, zone: tzinfo | None, known: "_Known"
) -> Generator[tuple[Levels, Cursor | None]]:
    """Yield the numbers of each block, backwards from `cursor`, with the cursor at which to continue.

    They include those of `known` files before it; those of the last such files are left in it.
    """
    if query.needs_records:
        for record, place in log.scan(cursor, query):
            made = record.time if record else None
            yield {bucket(made, step, zone): Counter([record.level])} if record and made else {}, place
        return
    last = None
    taken_back: set[tuple[int, int]] = set()
    for file, low, high in log.open_files(cursor, query, skips=known.has):
        if file is None:
            yield {}, cursor
            continue
        if file is not last:
            last, taken_back = file, set()
        whole: Levels = {}
        for begin, block in BlocksBackwards(file, low, high):
            counts: Counter[tuple[datetime, str]] = Counter()
            for made, level, number in levels_in(block, query, step, zone):
                if _is_counted(made, level, query):
                    counts[made, level] += number
                known.reach(made)
            spans = find_any(file, begin, block, query.unwanted) - taken_back
            counts.subtract(_left_out([file.read_record(*span) for span in spans], query))
            taken_back.update(span for span in spans if span[0] < begin)  # the next block has its beginning
            levels: Levels = {}
            for (made, level), number in counts.items():
                levels.setdefault(bucket(made, step, zone), Counter())[level] += number
            add_levels(whole, levels)
            add_levels(levels, known.take())
            cursor = file.cursor(begin)
            yield levels, cursor
        if (low, high) == (0, file.size):
            known.keep(whole)
        edge = file.cursor(min(low, high))
        if edge != cursor:  # after a file of another time
            cursor = edge
            yield known.take(), cursor


class _Known:
    """What was counted of rotated files, which do not change, if all of their records were of the time asked for."""

    _kept: ClassVar[dict[Hashable, tuple[datetime, datetime, Levels]]] = {}

    def __init__(self, query: Query, step: timedelta, zone: tzinfo | None) -> None:
        self.unit = next(unit for unit in (HOUR, MINUTE, SECOND) if unit <= step)  # of counting
        self._since, self._until = query.since or EVER[0], query.until or EVER[1]
        self._counted = step, zone, replace(query, since=None, until=None)
        self._key: Hashable = None
        self._found: Levels = {}
        self._first, self._last = EVER[::-1]

    def has(self, file: LogFile) -> bool:
        """Take the numbers of a rotated file, and tell whether they are known."""
        self._key = file.identity, file.size, file.modified, *self._counted
        self._first, self._last = EVER[::-1]
        kept = self._kept.get(self._key)
        if not kept or not self._has_all(*kept[:2]):
            return False
        add_levels(self._found, kept[2])
        return True

    def take(self) -> Levels:
        """Return the numbers that were taken, and forget them."""
        found, self._found = self._found, {}
        return found

    def reach(self, made: datetime) -> None:
        """Note when a record of the file was made, to the unit of counting."""
        self._first, self._last = min(self._first, made), max(self._last, made)

    def _has_all(self, first: datetime, last: datetime) -> bool:
        """Tell whether the time asked for has all that was made from `first` on to the end of the unit of `last`."""
        return self._since <= first and (last < first or self._until - last >= self.unit)

    def keep(self, levels: Levels) -> None:
        """Keep the numbers of the file, unless it is the current one, or some of its records are not counted."""
        if self._key and len(levels) <= BUCKETS and self._has_all(self._first, self._last):
            if len(self._kept) > KEPT:
                self._kept.clear()
            self._kept[self._key] = self._first, self._last, levels
        self._key = None


def _is_counted(made: datetime, level: str, query: Query) -> bool:
    """Tell whether records of a level, made at that time, are asked for."""
    is_late = query.since is None or made >= query.since
    return query.has_level(level) and is_late and (query.until is None or made < query.until)


def _left_out(records: Iterable[Record], query: Query) -> Iterator[tuple[datetime, str]]:
    """Yield the time and level of each record that was counted, but has what must not be there."""
    for record in records:
        if record.time and query.leaves_out(record) and _is_counted(record.time, record.level, query):
            yield record.time, record.level
