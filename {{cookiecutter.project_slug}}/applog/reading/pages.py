"""Pages of records from one or several logs, merged by time.

    log = RotatedLog("logs/django.log")
    page = read_older([log], count=100, query=Query(level="ERROR"), seconds=1)
    page.records  # newest first
    read_older([log], page.older, ...)  # the next page, or more of this one if it is not `complete`

Like applog.reading.log, these functions skip files that vanish or cannot be opened.
"""

import math
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Self
from urllib.parse import quote, unquote

from applog.reading.log import RotatedLog
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import NO_FILE, Cursor, Record

REMEMBERED = 100  # records, of which another log may have the same
PASSED, PASSED_SHARE = 20, 0.1  # of each log, on the other side of a position; of the time, to read them


class Position(dict[str, Cursor]):
    """A cursor for each log, by its name. Without one, `read_older` begins at the end, `read_newer` at the start."""

    def __str__(self) -> str:
        """Return the position as text for a URL."""
        return "~".join(f"{_quote(name)}:{cursor}" for name, cursor in self.items())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the position that `str` made `text` of. Raises ValueError for any other text."""
        parts = (part.partition(":") for part in text.split("~") if text)
        return cls((unquote(name), Cursor.parse(cursor)) for name, _, cursor in parts)


def _quote(name: str) -> str:
    return quote(name, safe="").replace("~", "%7E")


def position_after(log: str, cursor: Cursor, size: int) -> Position:
    """Return the position behind a record of a log that begins at `cursor` and has `size` bytes."""
    return Position({log: cursor._replace(offset=cursor.offset + size)})


@dataclass(frozen=True)
class Page:
    """What was found, and where to continue.

    Attributes:
        records: the records, newest first.
        older, newer: the positions from which `read_older` and `read_newer` continue.
        complete: False if the time ran out before the page was full. Continue in the same direction.
        exhausted: True if there are no more records in that direction.
        left: where reading has gone on from one file of a log to the next one, the last such position of each log. More
            may be written there, by a process that does not know yet that another has rotated the file.

    """

    records: list[Record]
    older: Position
    newer: Position
    complete: bool
    exhausted: bool
    left: Position = field(default_factory=Position)


def find_end(logs: Iterable[RotatedLog]) -> Position:
    """Return the position at the end of the logs."""
    position = Position()
    for log in logs:
        position[log.name] = NO_FILE  # without a file, all records are still to come
        for file in reversed([file for file in log.files() if file.size]):
            with suppress(OSError):
                position[log.name] = log.find_end(file)
                break
    return position


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


def read_older(  # noqa: PLR0913  named arguments
    logs: Sequence[RotatedLog],
    position: Position | None = None,
    *,
    count: int,
    query: Query = EVERY_RECORD,
    seconds: float = 60.0,
    size: float = math.inf,
) -> Page:
    """Return the last matching records before `position`, of all logs together, in the order of their times.

    A record that is in several logs is returned once. It is the same one if its text is, with its time, though that may
    be written in whole seconds: one record of two handlers is more frequent than two equal ones in one second.

    Args:
        logs: the logs.
        position: where to begin, by default at the end.
        count: how many records to return at most, 0 or more.
        query: what the records must have.
        seconds: how long to search, 0 or more. At least one block is searched.
        size: how many characters the records may have together. The last one may exceed it.

    Raises SlowPatternError.

    """
    newer = find_end(logs) if position is None else position
    records, older, complete, exhausted, left = _read(logs, newer, count, query, seconds, size, forwards=False)
    return Page(records, older, newer, complete, exhausted, left)


def read_newer(  # noqa: PLR0913
    logs: Sequence[RotatedLog],
    position: Position,
    *,
    count: int,
    query: Query = EVERY_RECORD,
    seconds: float = 60.0,
    size: float = math.inf,
) -> Page:
    """Return the first matching records after `position`, newest first. The arguments are those of `read_older`."""
    records, newer, complete, exhausted, left = _read(logs, position, count, query, seconds, size, forwards=True)
    return Page(records[::-1], position, newer, complete, exhausted, left)


def read_late(
    logs: Sequence[RotatedLog], position: Position, *, count: int, query: Query = EVERY_RECORD, seconds: float = 60.0
) -> tuple[list[Record], Position]:
    """Return the matching records behind `position` in the same files, newest first, and the position behind them.

    A log whose file is gone is not in that position. Raises SlowPatternError.
    """
    deadline, reached = time.monotonic() + seconds, Position(position)
    records: list[Record] = []
    shown: dict[str, str] = {}
    for log in logs:
        if not (cursor := position.get(log.name)):
            continue
        if all(file.identity != cursor.identity for file in log.files()):
            # Removed or compressed: nobody writes there, and to look for it in thousands of files takes long.
            del reached[log.name]
            continue
        with closing(log.scan(cursor, query, forwards=True)) as found:
            for record, place in found:
                if not place or place.identity != cursor.identity:  # of the next file, or of a copy
                    break
                reached[log.name] = place
                if record and (not record.time or shown.setdefault(record.raw, log.name) == log.name):
                    records.append(record)
                if len(records) >= count or time.monotonic() > deadline:
                    break
    return records[::-1], reached


def _read(  # noqa: PLR0913, PLR0917  what its two callers take
    logs: Sequence[RotatedLog],
    position: Position,
    count: int,
    query: Query,
    seconds: float,
    size: float,
    *,
    forwards: bool,
) -> tuple[list[Record], Position, bool, bool, Position]:
    """Merge the logs by time until the page is full or the time is over."""
    deadline = time.monotonic() + seconds
    reached, left, in_time = Position(position), Position(), True
    records: list[Record] = []
    streams = {log.name: log.scan(position.get(log.name), query, forwards=forwards) for log in logs}
    sign = 1 if forwards else -1
    last = dict.fromkeys(streams, -float("inf"))
    heads: dict[str, tuple[Record, Cursor | None]] = {}
    # The log of each record that was returned last.
    shown = _passed(logs, position, query, deadline - seconds * (1 - PASSED_SHARE), forwards=not forwards)
    try:
        while len(records) < count and size > 0 and streams and in_time:
            for name in [name for name in streams if name not in heads]:
                for record, place in streams[name]:
                    if record:
                        heads[name] = record, place
                        # A record without a time stays next to the one read before it.
                        last[name] = sign * record.time.timestamp() if record.time else last[name]
                        break
                    _go(reached, left, name, place)
                    if time.monotonic() > deadline:
                        in_time = False
                        break
                else:
                    del streams[name]
            if heads and in_time:
                # Of records with the same time, the first log's comes first. It has the records that other logs repeat.
                name = min((name for name in streams if name in heads), key=lambda name: last[name])
                record = heads[name][0]
                others = [other for other, (head, _) in heads.items() if head.raw == record.raw] if record.time else []
                for other in {name, *others}:
                    _go(reached, left, other, heads.pop(other)[1])
                # Two processes may have written two records into the logs in another order each.
                if not record.time or shown.setdefault(record.raw, name) == name:
                    records.append(record)
                    size -= len(record.raw)
                if len(shown) > REMEMBERED:
                    del shown[next(iter(shown))]
                in_time = time.monotonic() <= deadline
    finally:
        for stream in streams.values():
            stream.close()
    full = len(records) == count or size <= 0
    return records, reached, in_time or full, not streams and not heads, left


def _passed(
    logs: Sequence[RotatedLog], position: Position, query: Query, deadline: float, *, forwards: bool
) -> dict[str, str]:
    """Return the log of each record that is next to a position on the other side, for another log may have it here."""
    passed: dict[str, str] = {}
    for log in logs if len(logs) > 1 else ():
        if cursor := position.get(log.name):
            with closing(log.scan(cursor, query, forwards=forwards)) as found:
                for record, _ in islice(found, PASSED):
                    if record and record.time:
                        passed.setdefault(record.raw, log.name)
                    if time.monotonic() > deadline:
                        break
    return passed


def _go(position: Position, left: Position, name: str, cursor: Cursor | None) -> None:
    """Move on to `cursor`, or stay where no file can be read yet. Note where a file was left."""
    if cursor:
        if (last := position.get(name, NO_FILE)).identity not in {NO_FILE.identity, cursor.identity}:
            left[name] = last
        position[name] = cursor
