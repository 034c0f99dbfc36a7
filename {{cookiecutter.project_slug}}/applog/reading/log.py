"""A log: one file that grows, and its rotated files, read as one stream of records.

Files are read in blocks from where the answer is likely to be, so that their size does not matter. A compressed file
has to be unpacked once from its beginning, in steps. A generator closes its file when it is exhausted or closed. On
Windows, open files can be renamed nevertheless. A file that vanishes while it is read is skipped from there on, and so
is one that cannot be opened.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path

from applog.reading.folder import Listing, LogFile
from applog.reading.log_file import BLOCK, HEAD_BYTES, WINDOW, OpenLogFile, checksum, first_time_in, read_head
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import NO_FILE, Cursor, Record
from applog.reading.scan import AnySearch, scan_backwards, scan_forwards
from applog.reading.times import last_time, parts_between

SET_BACK = timedelta(days=1)  # a clock by no more, for a file to be looked into
KNOWN = 10_000  # files whose first and last time are remembered
BEYOND = 1 << 62  # an offset behind the end of any file

Times = tuple[datetime | None, datetime | None]  # of the first and the last record

_times: dict[tuple[tuple[int, int], int, datetime], Times] = {}


class RotatedLog:
    """The log file at `path`, which need not exist, and its rotated files.

    `name` is the log's name in records and positions, by default the file's name without its suffix. For an object that
    is used for a moment only, set `lists_once`: its folder is listed again only if a file has moved.
    """

    def __init__(self, path: str | os.PathLike[str], name: str = "") -> None:
        self.path = Path(path)
        self.name = name or self.path.stem
        self._listing = Listing(self.path)
        self.lists_once = False

    def files(self) -> list[LogFile]:
        """Return the files that exist, oldest first, the current one last. A folder that cannot be read has none."""
        return self._listing.files(again=not self.lists_once)

    def scan(
        self, cursor: Cursor | None = None, query: Query = EVERY_RECORD, *, forwards: bool = False
    ) -> Generator[tuple[Record | None, Cursor | None]]:
        """Read from `cursor`: backwards, by default from the end, or forwards, by default from the beginning.

        Yields each matching record with the cursor at which to continue after it. Between records, at least once in a
        block, None is yielded with the cursor reached, so that a caller can stop. While the first file is still being
        unpacked, that is the given cursor. Raises SlowPatternError.
        """
        scan = scan_forwards if forwards else scan_backwards
        last = NO_FILE
        for file, low, high in self.open_files(cursor, query, forwards=forwards):
            if file is None:
                yield None, cursor
                continue
            searches: list[AnySearch] = [*query.searches, *([] if query.takes_lines else [file.start])]
            for start, end in scan(file, low, high, searches, query.block_bytes):
                if start == end:
                    cursor = file.cursor(start)
                    yield None, cursor
                elif file.cursor(start) != last:  # a long one that reaches into two parts of the file
                    record = file.read_record(start, end)
                    last = record.cursor
                    cursor = file.cursor(end) if forwards else record.cursor
                    yield (record if query.matches(record) else None), cursor
            # Also after a file of another time, so that a caller that stops between many of them goes on from there.
            edge = file.cursor(max(low, high) if forwards else min(low, high))
            if edge != cursor:
                cursor = edge
                yield None, cursor

    def open_files(
        self,
        cursor: Cursor | None,
        query: Query,
        *,
        forwards: bool = False,
        skips: Callable[[LogFile], bool] = lambda _: False,
    ) -> Generator[tuple[OpenLogFile | None, int, int]]:
        """Yield each file, open, with offsets between which matching records may be, in the order of `scan`.

        A file may come several times, also with equal offsets, up to which there is nothing. While a file is being
        unpacked, None is yielded in its place. A rotated file that is at least a day before or after the time that is
        asked for, by its first and its last record, is passed over, and so is one that `skips` tells of.
        """
        files = self.files()
        index, offset = (0 if forwards else len(files) - 1), None
        if cursor:
            found = self.find_file(files, cursor)
            if found is None:  # its file was deleted, so it was the oldest
                index = 0 if forwards else -1
            else:
                index, offset = found, cursor.offset
        for number in range(index, len(files)) if forwards else range(index, -1, -1):
            file = files[number]
            is_rotated = offset is None and file is not files[-1]
            if is_rotated and (self._is_outside(file, files[number + 1], query) or skips(file)):
                continue
            with suppress(OSError), closing(self._open(file)) as opened:
                while not opened.advance():
                    yield None, 0, 0
                low, high = 0, opened.size
                if file is files[-1] and (forwards or offset is None):
                    high = opened.end()
                if offset is not None:
                    low, high = (max(low, offset), high) if forwards else (low, min(high, offset))
                for part in parts_between(opened, low, high, query.since, query.until, forwards=forwards):
                    yield opened, *part
            offset = None

    def _is_outside(self, file: LogFile, following: LogFile, query: Query) -> bool:
        """Tell, by its first and last record, whether a file is at least SET_BACK before or after what is asked for.

        The beginning of the file that follows tells, too, of a clock that was set: it need not be unpacked as a whole.
        """
        if query.since and file.modified < query.since - SET_BACK:
            return True
        if not (query.since or query.until):
            return False
        first, last = self.find_times(file)
        then = self.find_times(following)[0] or (None if file.compressed else last)
        if not (first and last and then):
            return False
        times = first, last, then
        is_before = query.since and max(times) < query.since - SET_BACK
        return bool(is_before or (query.until and min(times) > query.until + SET_BACK))

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

    def read_head(self, file: LogFile, size: int = HEAD_BYTES) -> bytes:
        """Return the first `size` bytes of `file`, unpacked. Raises OSError if it is gone."""
        for path in self._paths(file):
            with suppress(FileNotFoundError):
                return read_head(path, file.identity, size)
        raise FileNotFoundError(file.path)

    def _paths(self, file: LogFile) -> Iterator[str]:
        """Yield the path of `file`, and the path that it may have been renamed to."""
        yield file.address
        for other in self._listing.files():
            if other.identity == file.identity:
                yield other.address

    def find_file(self, files: list[LogFile], cursor: Cursor) -> int | None:
        """Return the index of the cursor's file, or of its compressed or other copy; None if it is gone."""
        for i, file in enumerate(files):
            if file.identity == cursor.identity:
                with suppress(OSError):
                    head = checksum(self.read_head(file))
                    if cursor.head in {head, 0}:
                        return i
        for i, file in enumerate(files if cursor.head else ()):
            with suppress(OSError):
                if checksum(read_head(file.address, file.identity)) == cursor.head:
                    return i
        return None

    def find_times(self, file: LogFile) -> Times:
        """Return the times of the first and the last record of `file`, None where none with a time is near its end.

        A compressed file would have to be unpacked for the last one; instead it is when the content was written last.
        """
        key = file.identity, file.size, file.modified
        if key not in _times:
            if len(_times) > KNOWN:
                _times.clear()
            try:
                _times[key] = self._read_times(file)
            except OSError:
                return None, file.modified if file.compressed else None
        return _times[key]

    def find_time_before(self, cursor: Cursor) -> datetime | None:
        """Return the time of the record before `cursor`, None where none with a time is near it."""
        files = self.files()
        index = None if cursor == NO_FILE else self.find_file(files, cursor)
        if index is None:
            return None
        with suppress(OSError), closing(self.open(files[index])) as opened:
            if made := last_time(opened, cursor.offset):
                return made
        return self.find_times(files[index - 1])[1] if index else None

    def _read_times(self, file: LogFile) -> Times:
        if file.compressed:
            heads = (self.read_head(file, size) for size in (WINDOW, BLOCK))
            return next(filter(None, map(first_time_in, heads)), None), file.modified
        with closing(self.open(file)) as opened:
            heads = (opened.read(0, size) for size in (WINDOW, BLOCK))
            return next(filter(None, map(first_time_in, heads)), None), last_time(opened)
