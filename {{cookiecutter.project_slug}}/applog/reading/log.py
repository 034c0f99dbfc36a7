"""A log: one file that grows, and its rotated files, read as one stream of records.

Files are read in blocks from where the answer is likely to be, so that their size does not matter. A compressed file
has to be unpacked once from its beginning, in steps. A generator closes its file when it is exhausted or closed. On
Windows, open files can be renamed nevertheless. A file that vanishes while it is read is skipped from there on, and so
is one that cannot be opened.
"""

import os
import re
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from applog.reading.log_file import OpenLogFile, checksum, read_head
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import Cursor, Record
from applog.reading.scan import first_time, last_time, scan_backwards, scan_forwards, seek

LISTINGS = 5  # of a folder, until two are the same
BEYOND = 1 << 62  # an offset behind the end of any file
DISORDER = timedelta(seconds=10)  # records may be this much out of the order of their times

# What rotation appends to the name: .1, .2026-11-24, .2026-11-24_13-00, -20261124 (logrotate's dateext), with .gz.
ROTATED = re.compile(
    r"(?:\.(?P<number>\d{1,6})"
    r"|[.-](?P<date>\d{4}-\d\d-\d\d(?:_\d\d(?:-\d\d){0,2})?|\d{8}(?:-\d{1,10})?)(?:\.(?P<count>\d{1,6}))?)(?:\.gz)?",
    re.ASCII,
)


@dataclass(frozen=True)
class LogFile:
    """A file of a log as it was when the folder was listed.

    Attributes:
        path: its path.
        size: its size on the disk, in bytes.
        modified: the aware time at which it was last written.
        identity: its device and inode.

    """

    path: Path
    size: int
    modified: datetime
    identity: tuple[int, int]

    @property
    def compressed(self) -> bool:
        """Tell whether it is compressed, by gzip."""
        return self.path.suffix == ".gz"


def _rotation(suffix: str) -> tuple[str, Any]:
    """Return the kind of rotated file that `suffix` denotes, "" for none, and a key that sorts files of this kind."""
    if not suffix:
        return "current", ()
    if not (found := ROTATED.fullmatch(suffix)):
        return "", ()
    if found["number"]:
        return "number", -int(found["number"])
    return "date", (re.sub(r"\D", "", found["date"]), int(found["count"] or 0))


class RotatedLog:
    """The log file at `path`, which need not exist, and its rotated files.

    `name` is the log's name in records and positions, by default the file's name without its suffix.
    """

    def __init__(self, path: str | os.PathLike[str], name: str = "") -> None:
        self.path = Path(path)
        self.name = name or self.path.stem

    def files(self) -> list[LogFile]:
        """Return the files that exist, oldest first, the current one last. A folder that cannot be read has none."""
        found = self._list()
        for _ in range(LISTINGS):
            # While files are renamed, a listing of their folder may have a file twice, or not at all.
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
                # A link may lead anywhere. On Windows the status that scandir has is old, and without the identity.
                with suppress(OSError):
                    if kind and not entry.is_symlink() and entry.is_file():
                        path = Path(entry.path)
                        status = path.stat()
                        modified = datetime.fromtimestamp(status.st_mtime, UTC)
                        file = LogFile(path, status.st_size, modified, (status.st_dev, status.st_ino))
                        found.append((kind, order, file))
        # After a change of rotation there are files of both kinds: the kind that was written last is the newer one.
        last = {kind: max(file.modified for other, _, file in found if other == kind) for kind, _, _ in found}
        found.sort(key=lambda item: (item[0] == "current", last[item[0]], item[0], item[1]))
        return [file for _, _, file in found]

    def scan(
        self, cursor: Cursor | None = None, query: Query = EVERY_RECORD, *, forwards: bool = False
    ) -> Generator[tuple[Record | None, Cursor | None]]:
        """Read from `cursor`: backwards, by default from the end, or forwards, by default from the beginning.

        Yields each matching record with the cursor at which to continue after it. Between records, at least once in a
        block, None is yielded with the cursor reached, so that a caller can stop. While the first file is still being
        unpacked, that is the given cursor. Raises SlowPatternError.
        """
        scan = scan_forwards if forwards else scan_backwards
        for file, low, high in self.open_files(cursor, query, forwards=forwards):
            if file is None:
                yield None, cursor
                continue
            for start, end in scan(file, low, high, query.searches, query.block_bytes):
                if start == end:
                    cursor = file.cursor(start)
                    yield None, cursor
                else:
                    record = file.read_record(start, end)
                    cursor = file.cursor(end) if forwards else record.cursor
                    yield (record if query.matches(record) else None), cursor

    def open_files(
        self, cursor: Cursor | None, query: Query, *, forwards: bool = False, disorder: timedelta = DISORDER
    ) -> Iterator[tuple[OpenLogFile | None, int, int]]:
        """Yield each file, open, with the offsets between which matching records may be, in the order of `scan`.

        While a file is being unpacked, None is yielded in its place. `disorder` is how much records may be out of the
        order of their times.
        """
        files = self.files()
        index, offset = (0 if forwards else len(files) - 1), None
        if cursor:
            found = self.find_file(files, cursor)
            if found is None:  # its file was deleted, so it was the oldest
                index = 0 if forwards else -1
            else:
                index, offset = found, cursor.offset
        for file in files[index:] if forwards else reversed(files[: index + 1]):
            with suppress(OSError), closing(self._open(file)) as opened:
                while not opened.advance():
                    yield None, 0, 0
                low = seek(opened, query.since - disorder) if query.since else 0
                high = seek(opened, query.until + disorder) if query.until else opened.size
                if file is files[-1] and (forwards or offset is None):
                    high = min(high, opened.end())
                if offset is not None:
                    low, high = (max(low, offset), high) if forwards else (low, min(high, offset))
                yield opened, low, high
                # The times are read from the file, so only where they are asked for.
                if forwards and query.until and (last := last_time(opened)) and last > query.until + DISORDER:
                    return
                if not forwards and query.since and (first := first_time(opened)) and first < query.since - DISORDER:
                    return
            offset = None

    def open(self, file: LogFile) -> OpenLogFile:
        """Open `file`, also if it was renamed, and unpack it. Raises OSError if it is gone."""
        opened = self._open(file)
        try:
            while not opened.advance():
                pass
        except BaseException:
            opened.close()
            raise
        return opened

    def _open(self, file: LogFile) -> OpenLogFile:
        for path in self._paths(file):
            with suppress(FileNotFoundError):
                return OpenLogFile(path, file.identity, log=self.name)
        raise FileNotFoundError(file.path)

    def find_end(self, file: LogFile) -> Cursor:
        """Return the cursor at the end of `file`, without unpacking it. Raises OSError if it is gone."""
        if file.compressed:
            return Cursor(*file.identity, checksum(self.read_head(file)), BEYOND)
        with closing(self.open(file)) as opened:
            return opened.cursor(opened.end())

    def read_head(self, file: LogFile) -> bytes:
        """Return the first HEAD_BYTES bytes of `file`, unpacked. Raises OSError if it is gone."""
        for path in self._paths(file):
            with suppress(FileNotFoundError):
                return read_head(path, file.identity)
        raise FileNotFoundError(file.path)

    def _paths(self, file: LogFile) -> Iterator[Path]:
        """Yield the path of `file`, and the path that it may have been renamed to."""
        yield file.path
        for other in self.files():
            if other.identity == file.identity:
                yield other.path

    def find_file(self, files: list[LogFile], cursor: Cursor) -> int | None:
        """Return the index of the cursor's file, or of its compressed or other copy; None if it is gone."""
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
        """Return the times of the first and the last record of `file` that have one; None where there is none."""
        with suppress(OSError), closing(self.open(file)) as opened:
            return first_time(opened), last_time(opened)
        return None, None

    def find_time(self, when: datetime) -> Cursor | None:
        """Return the cursor before the first record made at `when` or later; None if there is no file."""
        cursor = None
        for file in reversed(self.files()):
            with suppress(OSError), closing(self.open(file)) as opened:
                offset = seek(opened, when)
                if cursor is None or offset < opened.size:
                    cursor = opened.cursor(offset)
                if offset:
                    break
        return cursor
