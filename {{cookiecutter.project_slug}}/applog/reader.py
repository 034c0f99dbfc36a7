"""Read a log and its rotated files as one stream of records, from either end or from any place in it.

    log = Log("logs/django.log")
    page = read_older([log], count=100, matching=Filter(level="ERROR"), seconds=1)
    page.records  # newest first
    read_older([log], page.older, ...)  # the next page, or on with the search when `not page.complete`

Files are read in blocks, from where the answer is likely to be, so that the size of a log does not matter; one that is
compressed has to be unpacked, into a temporary file. No file stays open longer than a function runs, and on Windows an
open one can be renamed all the same. A file that vanishes meanwhile ends where it vanished.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

from applog.records import NOWHERE, RECORD_BYTES, Cursor, Record, parse, parse_time
from applog.search import ALL, Filter
from applog.sources import Source, checksum, read_head

LISTINGS = 5
DISORDER = timedelta(seconds=10)  # by so much records may stand in another order than they were made in

_COUNTED = rb"\n(?:\x00*)(\d{4}-\d\d-\d\d[T ]\d\d:\d\d%s[.,]\d{3}(\S*) (\S+)"
_COUNTED_JSON = rb'\n\{"timestamp": ?"(\d{4}-\d\d-\d\dT\d\d:\d\d%s[.,]\d{3}([^"\s]*)", ?"level": ?"([^"\n]*)"'
COUNT_BY_MINUTE = [re.compile(pattern % rb"):\d\d") for pattern in (_COUNTED, _COUNTED_JSON)]
COUNT_BY_SECOND = [re.compile(pattern % rb":\d\d)") for pattern in (_COUNTED, _COUNTED_JSON)]

# What rotation puts behind the name: .1, .2026-11-24, .2026-11-24_13-00, -20261124 (logrotate's dateext), with .gz.
ROTATED = re.compile(
    r"(?:\.(?P<number>\d{1,6})"
    r"|[.-](?P<date>\d{4}-\d\d-\d\d(?:_\d\d(?:-\d\d){0,2})?|\d{8}(?:-\d{1,10})?)(?:\.(?P<count>\d{1,6}))?)(?:\.gz)?",
    re.ASCII,
)


@dataclass(frozen=True)
class LogFile:
    """A file of a log as it was found.

    `size` is in bytes (of the compressed file, if it is one), `modified` aware, `identity` its device and inode.
    """

    path: Path
    size: int
    modified: datetime
    identity: tuple[int, int]

    @property
    def compressed(self) -> bool:
        """Tell whether it is compressed."""
        return self.path.suffix == ".gz"


def _rotation(suffix: str) -> tuple[str, Any]:
    """Return what the part of a file's name behind the log's makes it, "" for nothing, and its place among those."""
    if not suffix:
        return "current", ()
    if not (found := ROTATED.fullmatch(suffix)):
        return "", ()
    if found["number"]:
        return "number", -int(found["number"])
    return "date", (re.sub(r"\D", "", found["date"]), int(found["count"] or 0))


class Log:
    """A log: the file at `path`, which need not exist, and its rotated files.

    `name` is what records and positions call it, by default the file's name without its suffix.
    """

    def __init__(self, path: str | os.PathLike[str], name: str = "") -> None:
        self.path = Path(path)
        self.name = name or self.path.stem

    def files(self) -> list[LogFile]:
        """Return the files that exist, oldest first, the current one last."""
        found = self._list()
        for _ in range(LISTINGS):
            # A folder that is listed while others rename may show a file twice, or not at all.
            before, found = found, self._list()
            if [(file.path, file.identity) for file in before] == [(file.path, file.identity) for file in found]:
                break
        return found

    def _list(self) -> list[LogFile]:
        found: list[tuple[str, Any, LogFile]] = []
        with suppress(OSError), os.scandir(self.path.parent) as entries:
            for entry in entries:
                if not entry.name.startswith(self.path.name):
                    continue
                kind, order = _rotation(entry.name.removeprefix(self.path.name))
                # A link may lead anywhere. The entry's own status is old on Windows, and lacks the identity.
                with suppress(OSError):
                    if kind and not entry.is_symlink() and entry.is_file():
                        path = Path(entry.path)
                        status = path.stat()
                        modified = datetime.fromtimestamp(status.st_mtime, UTC)
                        file = LogFile(path, status.st_size, modified, (status.st_dev, status.st_ino))
                        found.append((kind, order, file))
        # Where rotation was changed both kinds are there: the one that was written last is the newer one.
        last = {kind: max(file.modified for other, _, file in found if other == kind) for kind, _, _ in found}
        found.sort(key=lambda item: (item[0] == "current", last[item[0]], item[0], item[1]))
        return [file for _, _, file in found]

    def scan(
        self, cursor: Cursor | None = None, matching: Filter = ALL, *, forwards: bool = False
    ) -> Generator[tuple[Record | None, Cursor]]:
        """Read from `cursor` on, by default backwards and from the end, or forwards and from the beginning.

        Yields each matching record with the place at which to go on after it. Between records, at least once in a
        block, yields None with the place reached: leave then if it takes too long.
        """
        for source, low, high in self._sources(cursor, matching, forwards=forwards):
            scan = source.scan_forwards if forwards else source.scan_backwards
            for start, end in scan(low, high, matching.searches, matching.block_bytes):
                if start == end:
                    yield None, source.cursor(start)
                else:
                    record = self.read_record(source, start, end)
                    place = source.cursor(end) if forwards else record.cursor
                    yield (record if matching.matches(record) else None), place

    def count(
        self, cursor: Cursor | None = None, matching: Filter = ALL, *, by_second: bool = False
    ) -> Generator[tuple[Counter[tuple[datetime, str]], Cursor]]:
        """Count the matching records backwards from `cursor`, by default from the end, by minute or second and level.

        Yields what it found in each block with the place at which to go on.
        """
        if matching.needs_records:
            for record, place in self.scan(cursor, matching):
                yield Counter([(record.time, record.level)] if record and record.time else ()), place
            return
        patterns = COUNT_BY_SECOND if by_second else COUNT_BY_MINUTE
        for source, low, high in self._sources(cursor, matching, disorder=timedelta()):
            for begin, block in source.blocks_backwards(low, high):
                counts: Counter[tuple[datetime, str]] = Counter()
                for key, number in Counter(found for pattern in patterns for found in pattern.findall(block)).items():
                    moment, offset, level = (part.decode("utf-8", "backslashreplace") for part in key)
                    made = parse_time(moment + offset)
                    if made and (not matching.levels or level in matching.levels):
                        counts[made, level] += number
                yield counts, source.cursor(begin)

    def _sources(
        self, cursor: Cursor | None, matching: Filter, *, forwards: bool = False, disorder: timedelta = DISORDER
    ) -> Iterator[tuple[Source, int, int]]:
        """Open one file after another, with the offsets between which matching records may be."""
        files = self.files()
        index, offset = (0 if forwards else len(files) - 1), None
        if cursor:
            found = self.find_file(files, cursor)
            if found is None:  # its file was deleted, as the oldest
                index = 0 if forwards else -1
            else:
                index, offset = found, cursor.offset
        for file in files[index:] if forwards else reversed(files[: index + 1]):
            with suppress(OSError), closing(self.open(file)) as source:
                low = source.seek(matching.since - disorder) if matching.since else 0
                high = source.seek(matching.until + disorder) if matching.until else source.size
                if file is files[-1] and (forwards or offset is None):
                    high = min(high, source.end())
                if offset is not None:
                    low, high = (max(low, offset), high) if forwards else (low, min(high, offset))
                yield source, low, high
                if not forwards and matching.since and source.is_before(matching.since - DISORDER):
                    return
                if forwards and matching.until and source.is_behind(matching.until + DISORDER):
                    return
            offset = None

    def read_record(self, source: Source, start: int, end: int) -> Record:
        """Return the record between two offsets."""
        data = source.read(start, min(end, start + RECORD_BYTES))
        return parse(data, log=self.name, cursor=source.cursor(start), size=end - start)

    def read_records(self, source: Source, low: int, high: int, matching: Filter = ALL) -> Iterator[Record]:
        """Yield the matching records between two offsets; lines there that continue an earlier one count as one."""
        if low < high and source.start_of(low) != low:
            record = self.read_record(source, low, min(source.end_of(low), high))
            if all(search.is_in(record.raw.encode()) for search in matching.searches):
                yield record
        for start, end in source.scan_forwards(low, high, matching.searches, matching.block_bytes):
            if low <= start < end:
                record = self.read_record(source, start, end)
                if matching.matches(record):
                    yield record

    def open(self, file: LogFile) -> Source:
        """Open `file`, whatever it is called by now. Raises OSError when it is gone."""
        for path in self._paths(file):
            with suppress(FileNotFoundError):
                return Source(path, file.identity)
        raise FileNotFoundError(file.path)

    def read_head(self, file: LogFile) -> bytes:
        """Return the first HEAD_BYTES bytes of `file`, unpacked, as `open` would. Raises OSError when it is gone."""
        for path in self._paths(file):
            with suppress(FileNotFoundError):
                return read_head(path, file.identity)
        raise FileNotFoundError(file.path)

    def _paths(self, file: LogFile) -> Iterator[Path]:
        """Yield the path at which `file` was found, and then where it has been moved to meanwhile."""
        yield file.path
        for other in self.files():
            if other.identity == file.identity:
                yield other.path

    def find_file(self, files: list[LogFile], cursor: Cursor) -> int | None:
        """Return the index of the cursor's file, or of the one that it was compressed or copied to."""
        for i, file in enumerate(files):
            if file.identity == cursor.identity:
                with suppress(OSError):
                    head = checksum(self.read_head(file))
                    if head == cursor.head or 0 in {head, cursor.head}:
                        return i
        for i, file in enumerate(files if cursor.head else ()):
            with suppress(OSError):
                if checksum(read_head(file.path, file.identity)) == cursor.head:
                    return i
        return None

    def limits(self, file: LogFile) -> tuple[datetime | None, datetime | None]:
        """Return the times of the first and the last record of `file` that have one."""
        with suppress(OSError), closing(self.open(file)) as source:
            return source.first_time, source.last_time
        return None, None

    def find_time(self, when: datetime) -> Cursor | None:
        """Return the place before the first record made at `when` or later, by halving; None while there is no file."""
        place = None
        for file in reversed(self.files()):
            with suppress(OSError), closing(self.open(file)) as source:
                offset = source.seek(when)
                if place is None or offset < source.size:
                    place = source.cursor(offset)
                if offset:
                    break
        return place


class Position(dict[str, Cursor]):
    """A place in each of several logs, by name. One that is missing is at its end, or to `read_newer` at its start."""

    def __str__(self) -> str:
        """Return the position as text that may stand in an address."""
        return "~".join(f"{name}:{cursor}" for name, cursor in self.items())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the position that `text` stands for. Raises ValueError when it is none."""
        parts = (part.partition(":") for part in text.split("~") if text)
        return cls((name, Cursor.parse(cursor)) for name, _, cursor in parts)


@dataclass(frozen=True)
class Page:
    """What a search found, newest first, and where to go on.

    older, newer: the positions for `read_older` and `read_newer` on both sides of it.
    complete: False when the time ran out: there may be more between, so go on in the same direction.
    exhausted: True when there is nothing more in that direction.
    """

    records: list[Record]
    older: Position
    newer: Position
    complete: bool
    exhausted: bool


def find_end(logs: Iterable[Log]) -> Position:
    """Return the position at the end of logs."""
    position = Position()
    for log in logs:
        position[log.name] = NOWHERE  # without a file, all that comes lies behind
        for file in reversed(log.files()):
            with suppress(OSError), closing(Source(file.path)) as source:
                position[log.name] = source.cursor(source.end())
                break
    return position


def find_time(logs: Iterable[Log], when: datetime) -> Position:
    """Return the position before the first records made at `when`, an aware time, or later."""
    places = {log.name: log.find_time(when) for log in logs}
    return Position({name: place for name, place in places.items() if place})


def count_bytes_before(logs: Iterable[Log], position: Position | None = None) -> int:
    """Return how many bytes `read_older` could still read; of compressed files, those on the disk."""
    total = 0
    for log in logs:
        files, cursor = log.files(), position.get(log.name) if position else None
        index = log.find_file(files, cursor) if cursor else len(files)
        if index is not None:
            total += sum(file.size for file in files[:index])
            total += min(cursor.offset, files[index].size) if cursor else 0
    return total


def read_older(
    logs: Sequence[Log], position: Position | None = None, *, count: int, matching: Filter = ALL, seconds: float = 60.0
) -> Page:
    """Return the last `count` matching records before `position`, by default the end; of all logs by time, each once.

    After `seconds` it returns what it has; it always gets on by a block.
    """
    newer = find_end(logs) if position is None else position
    records, older, complete, exhausted = _read(logs, newer, count, matching, seconds, forwards=False)
    return Page(records, older, newer, complete, exhausted)


def read_newer(
    logs: Sequence[Log], position: Position, *, count: int, matching: Filter = ALL, seconds: float = 60.0
) -> Page:
    """Return the first `count` matching records behind `position`, newest first, as `read_older` does."""
    records, newer, complete, exhausted = _read(logs, position, count, matching, seconds, forwards=True)
    return Page(records[::-1], position, newer, complete, exhausted)


def _read(  # noqa: PLR0913  what its two callers take
    logs: Sequence[Log], position: Position, count: int, matching: Filter, seconds: float, *, forwards: bool
) -> tuple[list[Record], Position, bool, bool]:
    """Merge logs by time until there are `count` records or the time is over; one in several logs counts once."""
    deadline = time.monotonic() + seconds
    reached, in_time = Position(position), True
    records: list[Record] = []
    streams = {log.name: log.scan(position.get(log.name), matching, forwards=forwards) for log in logs}
    sign = 1 if forwards else -1
    last = dict.fromkeys(streams, -float("inf"))
    heads: dict[str, tuple[Record, Cursor]] = {}
    try:
        while len(records) < count and streams and in_time:
            for name in [name for name in streams if name not in heads]:
                for record, place in streams[name]:
                    if record:
                        heads[name] = record, place
                        # Without a time it stays beside the one that was read before it.
                        last[name] = sign * record.time.timestamp() if record.time else last[name]
                        break
                    reached[name] = place
                    if time.monotonic() > deadline:
                        in_time = False
                        break
                else:
                    del streams[name]
            if heads and in_time:
                # Of what was made at the same time the first log's comes first, which has what stands in others too.
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
    """How many records there are, by start of the time bucket and level.

    complete: False when the time ran out; `older` is where to go on.
    """

    levels: dict[datetime, Counter[str]]
    older: Position
    complete: bool


def count_records(  # noqa: PLR0913  named arguments
    logs: Sequence[Log],
    step: timedelta,
    position: Position | None = None,
    *,
    matching: Filter = ALL,
    zone: tzinfo | None = None,
    seconds: float = 60.0,
) -> Counts:
    """Count the matching records before `position`, by default the end, per bucket of `step` (a second to a day).

    Buckets begin at midnight in `zone`, by default the local one. What has no time is not counted.
    """
    deadline = time.monotonic() + seconds
    counts = Counts({}, Position(position or {}), complete=True)
    for log in logs:
        scan = log.count(counts.older.get(log.name), matching, by_second=step < timedelta(minutes=1))
        with closing(scan):
            for found, place in scan:
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
