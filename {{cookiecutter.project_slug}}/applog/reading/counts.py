"""Numbers of records, by time and level.

Like applog.reading.log, counting skips files that vanish or cannot be opened.
"""

import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from applog.reading.formats import HEADER, parse_record, parse_time
from applog.reading.log import RotatedLog
from applog.reading.pages import Position
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import Cursor, Record
from applog.reading.scan import BlocksBackwards, find_any

_ZONE = rb"[.,]\d{3,9}(Z|[+-]\d\d:\d\d)?"
_COUNTED = rb"\n(?:\x00*)(\d{4}-\d\d-\d\d[T ]\d\d:\d\d%s" + _ZONE + rb" ([^\s|\[-]\S*)"
_COUNTED_JSON = rb'\n\{"timestamp": ?"(\d{4}-\d\d-\d\dT\d\d:\d\d%s' + _ZONE + rb'", ?"level": ?"([^"\n]*)"'
_BOTH = (_COUNTED, _COUNTED_JSON)
# What begins a record of another format.
_OTHERS = re.compile(rb"(?!%s|%s)\n(?=%s)" % (*(pattern % rb"):\d\d" for pattern in _BOTH), HEADER))
COUNT_BY_MINUTE = [re.compile(pattern % rb"):\d\d") for pattern in _BOTH]
COUNT_BY_SECOND = [re.compile(pattern % rb":\d\d)") for pattern in _BOTH]


@dataclass
class Counts:
    """Numbers of records.

    Attributes:
        levels: for each bucket, by its start in UTC, the number of records of each level.
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
                if place:
                    counts.older[log.name] = place
                if time.monotonic() > deadline:
                    counts.complete = False
                    return counts
    return counts


def _bucket(when: datetime, step: timedelta, zone: tzinfo | None) -> datetime:
    """Return the start of the bucket that `when` is in, in UTC, where no hour comes twice."""
    when = when.astimezone(zone)
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    wall = timedelta(hours=when.hour, minutes=when.minute, seconds=when.second)
    fold = when.fold if step <= timedelta(hours=1) else 0
    return (midnight + wall // step * step).replace(fold=fold).astimezone(UTC)


def _count(
    log: RotatedLog, cursor: Cursor | None, query: Query, step: timedelta
) -> Generator[tuple[Counter[tuple[datetime, str]], Cursor | None]]:
    """Count the matching records backwards from `cursor`, by level and minute, or second for a shorter `step`.

    Yields the counts of each block with the cursor at which to continue.
    """
    if query.needs_records:
        for record, place in log.scan(cursor, query):
            yield Counter([(record.time, record.level)] if record and record.time else ()), place
        return
    unit = timedelta(seconds=1) if step < timedelta(minutes=1) else timedelta(minutes=1)
    patterns = COUNT_BY_SECOND if step < timedelta(minutes=1) else COUNT_BY_MINUTE
    for file, low, high in log.open_files(cursor, query, disorder=timedelta()):
        if file is None:
            yield Counter(), cursor
            continue
        taken_back: set[tuple[int, int]] = set()
        for begin, block in BlocksBackwards(file, low, high):
            counts: Counter[tuple[datetime, str]] = Counter()
            found = [key for pattern in patterns for key in pattern.findall(block)]
            for key, number in Counter(found).items():
                moment, offset, level = (part.decode("utf-8", "backslashreplace") for part in key)
                made = parse_time(moment + offset)
                if made and _is_counted(made, level, query, unit):
                    counts[made, level] += number
            for made, level in _others(block, found):
                if _is_counted(made, level, query, timedelta()):
                    counts[made, level] += 1
            spans = find_any(file, begin, block, query.unwanted) - taken_back
            counts.subtract(_left_out([file.read_record(*span) for span in spans], query, unit))
            taken_back.update(span for span in spans if span[0] < begin)  # the next block has its beginning
            cursor = file.cursor(begin)
            yield counts, cursor
        edge = file.cursor(min(low, high))
        if edge != cursor:  # after a file of another time
            cursor = edge
            yield Counter(), cursor


def _is_counted(made: datetime, level: str, query: Query, unit: timedelta) -> bool:
    """Tell whether records of a level, made within `unit` from `made` on, are asked for, at least in part."""
    is_level = query.has_level(level)
    is_late = query.since is None or made + unit > query.since or made >= query.since
    return is_level and is_late and (query.until is None or made < query.until)


def _left_out(records: Iterable[Record], query: Query, unit: timedelta) -> Iterator[tuple[datetime, str]]:
    """Yield the time and level of each record that was counted by these, but has what must not be there."""
    for record in records:
        if record.time and query.leaves_out(record):
            made = record.time.replace(microsecond=0)
            made = made.replace(second=0) if unit > timedelta(seconds=1) else made
            if _is_counted(made, record.level, query, unit):
                yield record.time, record.level


def _others(block: bytes, found: list[tuple[bytes, ...]]) -> Iterator[tuple[datetime, str]]:
    """Yield the time and level of each record of a block that is in another format than those `found`."""
    # Most files have none, which a count of the lines tells in little time.
    if block.count(b"\n") - block.endswith(b"\n") == len(found) + block.count(b"\n "):
        return
    for start in _OTHERS.finditer(block):
        line = block[start.end() : block.find(b"\n", start.end())]
        fields = parse_record(line.decode("utf-8", "backslashreplace"))
        if made := fields.get("time"):
            yield made, fields.get("level", "")
