"""Pages of records from one or several logs, merged by time, and numbers of records by time and level.

    log = RotatedLog("logs/django.log")
    page = read_older([log], count=100, query=Query(level="ERROR"), seconds=1)
    page.records  # newest first
    read_older([log], page.older, ...)  # the next page, or more of this one if it is not `complete`

Like applog.reading.log, these functions skip files that vanish or cannot be opened.
"""

import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Self

from applog.reading.log import RotatedLog
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import NO_FILE, Cursor, Record, parse_time
from applog.reading.scan import BlocksBackwards

_COUNTED = rb"\n(?:\x00*)(\d{4}-\d\d-\d\d[T ]\d\d:\d\d%s[.,]\d{3}(\S*) (\S+)"
_COUNTED_JSON = rb'\n\{"timestamp": ?"(\d{4}-\d\d-\d\dT\d\d:\d\d%s[.,]\d{3}([^"\s]*)", ?"level": ?"([^"\n]*)"'
COUNT_BY_MINUTE = [re.compile(pattern % rb"):\d\d") for pattern in (_COUNTED, _COUNTED_JSON)]
COUNT_BY_SECOND = [re.compile(pattern % rb":\d\d)") for pattern in (_COUNTED, _COUNTED_JSON)]


class Position(dict[str, Cursor]):
    """A cursor for each log, by its name. Without one, `read_older` begins at the end, `read_newer` at the start."""

    def __str__(self) -> str:
        """Return the position as text for a URL."""
        return "~".join(f"{name}:{cursor}" for name, cursor in self.items())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the position that `str` made `text` of. Raises ValueError for any other text."""
        parts = (part.partition(":") for part in text.split("~") if text)
        return cls((name, Cursor.parse(cursor)) for name, _, cursor in parts)


@dataclass(frozen=True)
class Page:
    """What was found, and where to continue.

    Attributes:
        records: the records, newest first.
        older, newer: the positions from which `read_older` and `read_newer` continue.
        complete: False if the time ran out before there were `count` records. Continue in the same direction.
        exhausted: True if there are no more records in that direction.

    """

    records: list[Record]
    older: Position
    newer: Position
    complete: bool
    exhausted: bool


def find_end(logs: Iterable[RotatedLog]) -> Position:
    """Return the position at the end of the logs."""
    position = Position()
    for log in logs:
        position[log.name] = NO_FILE  # without a file, all records are still to come
        for file in reversed(log.files()):
            with suppress(OSError), closing(log.open(file)) as opened:
                position[log.name] = opened.cursor(opened.end())
                break
    return position


def find_time(logs: Iterable[RotatedLog], when: datetime) -> Position:
    """Return the position before the first records made at `when` (aware) or later."""
    places = {log.name: log.find_time(when) for log in logs}
    return Position({name: place for name, place in places.items() if place})


def count_bytes_before(logs: Iterable[RotatedLog], position: Position | None = None) -> int:
    """Return how many bytes, as on the disk, are before `position` in the logs, by default before the end."""
    total = 0
    for log in logs:
        files, cursor = log.files(), position.get(log.name) if position else None
        index = log.find_file(files, cursor) if cursor else len(files)
        if index is not None:
            total += sum(file.size for file in files[:index])
            total += min(cursor.offset, files[index].size) if cursor else 0
    return total


def read_older(
    logs: Sequence[RotatedLog],
    position: Position | None = None,
    *,
    count: int,
    query: Query = EVERY_RECORD,
    seconds: float = 60.0,
) -> Page:
    """Return the last matching records before `position`, of all logs together, in the order of their times.

    A record that is in several logs is returned once.

    Args:
        logs: the logs.
        position: where to begin, by default at the end.
        count: how many records to return at most, 0 or more.
        query: what the records must have.
        seconds: how long to search, 0 or more. At least one block is searched.

    Raises SlowPatternError.

    """
    newer = find_end(logs) if position is None else position
    records, older, complete, exhausted = _read(logs, newer, count, query, seconds, forwards=False)
    return Page(records, older, newer, complete, exhausted)


def read_newer(
    logs: Sequence[RotatedLog], position: Position, *, count: int, query: Query = EVERY_RECORD, seconds: float = 60.0
) -> Page:
    """Return the first matching records after `position`, newest first. The arguments are those of `read_older`."""
    records, newer, complete, exhausted = _read(logs, position, count, query, seconds, forwards=True)
    return Page(records[::-1], position, newer, complete, exhausted)


def _read(  # noqa: PLR0913  what its two callers take
    logs: Sequence[RotatedLog], position: Position, count: int, query: Query, seconds: float, *, forwards: bool
) -> tuple[list[Record], Position, bool, bool]:
    """Merge the logs by time until there are `count` records or the time is over."""
    deadline = time.monotonic() + seconds
    reached, in_time = Position(position), True
    records: list[Record] = []
    streams = {log.name: log.scan(position.get(log.name), query, forwards=forwards) for log in logs}
    sign = 1 if forwards else -1
    last = dict.fromkeys(streams, -float("inf"))
    heads: dict[str, tuple[Record, Cursor]] = {}
    try:
        while len(records) < count and streams and in_time:
            for name in [name for name in streams if name not in heads]:
                for record, place in streams[name]:
                    if record:
                        heads[name] = record, place
                        # A record without a time stays next to the one read before it.
                        last[name] = sign * record.time.timestamp() if record.time else last[name]
                        break
                    reached[name] = place
                    if time.monotonic() > deadline:
                        in_time = False
                        break
                else:
                    del streams[name]
            if heads and in_time:
                # Of records with the same time, the first log's comes first. It has the records that other logs repeat.
                name = min((name for name in streams if name in heads), key=lambda name: last[name])
                record = heads[name][0]
                for other in [other for other, (head, _) in heads.items() if head.raw == record.raw]:
                    reached[other] = heads.pop(other)[1]
                records.append(record)
                in_time = time.monotonic() <= deadline
    finally:
        for stream in streams.values():
            stream.close()
    full = len(records) == count
    return records, reached, in_time or full, not streams and not heads


@dataclass
class Counts:
    """Numbers of records.

    Attributes:
        levels: for each bucket, by its start, the number of records of each level.
        older: the position from which to continue.
        complete: False if the time ran out.

    """

    levels: dict[datetime, Counter[str]]
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
        with closing(_count(log, counts.older.get(log.name), query, step)) as blocks:
            for found, place in blocks:
                for (when, level), number in found.items():
                    counts.levels.setdefault(_bucket(when, step, zone), Counter())[level] += number
                counts.older[log.name] = place
                if time.monotonic() > deadline:
                    counts.complete = False
                    return counts
    return counts


def _bucket(when: datetime, step: timedelta, zone: tzinfo | None) -> datetime:
    when = when.astimezone(zone)
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    wall = timedelta(hours=when.hour, minutes=when.minute, seconds=when.second)
    return midnight + wall // step * step


def _count(
    log: RotatedLog, cursor: Cursor | None, query: Query, step: timedelta
) -> Generator[tuple[Counter[tuple[datetime, str]], Cursor]]:
    """Count the matching records backwards from `cursor`, by level and minute, or second for a shorter `step`.

    Yields the counts of each block with the cursor at which to continue.
    """
    if query.needs_records:
        for record, place in log.scan(cursor, query):
            yield Counter([(record.time, record.level)] if record and record.time else ()), place
        return
    patterns = COUNT_BY_SECOND if step < timedelta(minutes=1) else COUNT_BY_MINUTE
    for file, low, high in log.open_files(cursor, query, disorder=timedelta()):
        for begin, block in BlocksBackwards(file, low, high):
            counts: Counter[tuple[datetime, str]] = Counter()
            for key, number in Counter(found for pattern in patterns for found in pattern.findall(block)).items():
                moment, offset, level = (part.decode("utf-8", "backslashreplace") for part in key)
                made = parse_time(moment + offset)
                if made and (not query.levels or level in query.levels):
                    counts[made, level] += number
            yield counts, file.cursor(begin)
