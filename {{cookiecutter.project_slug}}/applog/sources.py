"""One file of a log, found record by record in blocks, from any place in it and in either direction."""

import errno
import os
import re
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import IO, Any, Self

from applog.files import open_to_read
from applog.records import HEADER, Cursor, parse
from applog.search import Search

FIRST_BLOCK, BLOCK = 1 << 16, 1 << 20  # bytes: the answer may lie near; if not, read on in large pieces
OVERLAP = 4096  # bytes in which a match is found though a line is longer than a block
WINDOW = 4096  # bytes in which the start of a record is looked for first
HEADER_BYTES = 256  # more than what begins a record takes
HEAD_BYTES = 64
WRITE_SECONDS = 1.0  # half a line that is older was left by a process that died
GZIP = zlib.MAX_WBITS + 16  # zlib's way of saying it
PACKED_BYTES = 1 << 14  # become 16 MiB at most

START = re.compile(rb"\n(?=%s)" % HEADER)
LINE = re.compile(rb"\n(?=[\s\S])")


def unpack(packed: IO[bytes] | FileIO) -> Iterator[bytes]:
    """Yield the content of a gzip file in pieces, up to where it is cut off or broken."""
    machine = zlib.decompressobj(GZIP)
    with suppress(zlib.error):
        while piece := packed.read(PACKED_BYTES):
            while piece:
                if content := machine.decompress(piece):
                    yield content
                piece = machine.unused_data
                if machine.eof:  # another member may follow, RFC 1952, section 2.2
                    machine = zlib.decompressobj(GZIP)


def check_identity(status: os.stat_result, identity: tuple[int, int]) -> None:
    """Make sure that a file is the one of this device and inode. Raises FileNotFoundError if it is another one."""
    if (status.st_dev, status.st_ino) != identity:
        raise FileNotFoundError(errno.ENOENT, "The file was moved")


def read_head(path: Path, identity: tuple[int, int]) -> bytes:
    """Return the first HEAD_BYTES bytes of a file, unpacked, or what there is of them.

    Raises OSError: FileNotFoundError also when another file than that of `identity` is at the path by now.
    """
    with open_to_read(os.fspath(path)) as file:
        check_identity(os.fstat(file.fileno()), identity)
        return next(unpack(file), b"")[:HEAD_BYTES] if path.suffix == ".gz" else file.read(HEAD_BYTES) or b""


def checksum(head: bytes) -> int:
    """Return what a cursor keeps of a file's first bytes: 0 while there are too few of them."""
    return zlib.crc32(head) if len(head) == HEAD_BYTES else 0


class Source:
    """A file, open to be read, whose size is what it was when it was opened. Offsets are in bytes.

    Where no known record begins in its first and last part, each line is taken for a record. The constructor raises
    OSError as `read_head` does.
    """

    def __init__(self, path: str | os.PathLike[str], identity: tuple[int, int] | None = None) -> None:
        self._file: IO[bytes] | Any = open_to_read(os.fspath(path))
        try:
            status = os.fstat(self._file.fileno())
            if identity:
                check_identity(status, identity)
            self.identity, self.size, self._modified = (status.st_dev, status.st_ino), status.st_size, status.st_mtime
            if Path(path).suffix == ".gz":
                self._unpack()
            self.head = self.read(0, HEAD_BYTES)
            self._checksum = checksum(self.head)
            self.start = START if self._has_records() else LINE
        except BaseException:
            self.close()
            raise

    def _has_records(self) -> bool:
        return any(
            START.search(self.read_lines(begin, min(self.size, end)))
            for begin, end in ((0, WINDOW), (0, FIRST_BLOCK), (max(0, self.size - FIRST_BLOCK), self.size))
        )

    def _unpack(self) -> None:
        packed, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        with packed:
            self._file.writelines(unpack(packed))
        self.size = self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, begin: int, end: int) -> bytes:
        """Return the bytes from `begin` to `end`, fewer where the file is shorter by now."""
        self._file.seek(begin)
        return self._file.read(max(0, end - begin)) or b""

    def cursor(self, offset: int) -> Cursor:
        """Return the cursor of an offset."""
        return Cursor(*self.identity, self._checksum, offset)

    def read_lines(self, begin: int, end: int) -> bytes:
        """Return the bytes from `begin` to `end` with the one before, which tells whether a line begins."""
        return self.read(begin - 1, end) if begin else b"\n" + self.read(0, end)

    def start_of(self, offset: int) -> int:
        """Return where the record begins that the byte at `offset` belongs to."""
        high, window = offset + 1, WINDOW
        while high > 0:
            low = max(0, high - window)
            block = self.read_lines(low, min(self.size, high + HEADER_BYTES))
            # The newline at i of the block stands before the byte at low + i.
            starts = [low + found.start() for found in self.start.finditer(block)]
            if known := [start for start in starts if start < high]:
                return known[-1]
            high, window = low, min(window * 4, BLOCK)
        return 0

    def end_of(self, offset: int) -> int:
        """Return where the record ends that the byte at `offset` belongs to, and the next one begins."""
        low, window = offset + 1, WINDOW
        while low < self.size:
            block = self.read_lines(low, min(self.size, low + window + HEADER_BYTES))
            found = self.start.search(block)
            if found and found.start() < window:
                return low + found.start()
            low, window = low + window, min(window * 4, BLOCK)
        return self.size

    def end(self) -> int:
        """Return the end of the file, or of what is known to be whole while half a line was written just now.

        A system may let others see a record that crosses a page of memory before all of it is there. What it belongs to
        cannot be told while its own beginning is not whole: then the record before it lies behind this end, too.
        """
        is_whole = self.read_lines(self.size, self.size) == b"\n"
        is_old = abs(time.time() - self._modified) > WRITE_SECONDS
        return self.size if is_whole or is_old else self.start_of(self.size - 1)

    def whole_end(self) -> int:
        """Return the end of the file, or of its last whole line."""
        low = self.size
        while low > 0:
            low, high = max(0, low - WINDOW), low
            newline = self.read(low, high).rfind(b"\n")
            if newline >= 0:
                return low + newline + 1
        return 0

    def blocks_backwards(self, low: int, high: int, largest: int = BLOCK) -> "BlocksBackwards":
        """Yield the part of the file from `low` to `high` in blocks of whole lines, last one first.

        Each comes as its start and its bytes with the one before.
        """
        return BlocksBackwards(self, low, high, largest)

    def scan_backwards(
        self, low: int, high: int, searches: Sequence[Any] = (), largest: int = BLOCK
    ) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each record with something before `high`, last one first.

        With `searches`, of those in which each of these finds something (applog.search.Search), and perhaps of some
        others, in blocks of `largest` bytes at most. After each block yields twice the place down to which it has come.
        """
        blocks, last = self.blocks_backwards(low, high, largest), self.size + 1
        for begin, block in blocks:
            for start, end in reversed(list(self._find(begin, block, searches))):
                if start < last:
                    last = start
                    yield start, end
            blocks.edge = min(begin, last)
            yield blocks.edge, blocks.edge

    def scan_forwards(
        self, low: int, high: int, searches: Sequence[Any] = (), largest: int = BLOCK
    ) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each record with something from `low` to `high`, as `scan_backwards` does.

        After each block yields twice the place up to which it has come.
        """
        edge, size, last = low, min(FIRST_BLOCK, largest), 0
        high = min(high, self.size)
        while edge < high:
            end = min(high, edge + size)
            block = self.read_lines(edge, end)
            following = end
            if end < high:
                newline = block.rfind(b"\n", 1)
                if newline > 0:
                    following = edge + newline
                    block = block[: newline + 1]
                else:  # a line longer than the block
                    following = max(edge + 1, end - OVERLAP)
            for start, stop in self._find(edge, block, searches, last):
                last = stop
                yield start, stop
            edge, size = max(following, last), min(size * 2, largest)
            yield edge, edge

    def _find(self, begin: int, block: bytes, searches: Sequence[Any], done: int = 0) -> Iterator[tuple[int, int]]:
        """Yield the records of a block, which is the byte before `begin` and what follows, in which to look closer."""
        # Lines before the first record of the file, or the rest of one that was half there, count where all is wanted.
        is_part_wanted = not searches and (not begin or block[:1] != b"\n")
        place, searches = max(1, done - begin + 1), searches or (self.start,)
        first = _hit(self.start, block, place)
        if first != place:  # a part of a record: what is missing in it may stand in the other part
            part = block if first < 0 else block[:first]
            hit = 1 if is_part_wanted else max(_hit(search, part, place) for search in searches)
            if 0 < hit < len(part):
                start, end = self._span(begin, block, hit)
                yield start, end
                place = end - begin + 1
            else:
                place = len(part)
        while place < len(block):
            hits = [_hit(search, block, place) for search in searches]
            if min(hits) < 0:
                return
            start, end = self._span(begin, block, max(hits))
            # Whichever record has them all, it is none before the last hit's.
            if start - begin + 1 <= min(hits):
                yield start, end
                place = end - begin + 1
            else:
                place = start - begin + 1

    def _span(self, begin: int, block: bytes, hit: int) -> tuple[int, int]:
        """Return where the record begins and ends that a byte of a block belongs to."""
        newline = block.rfind(b"\n", 0, hit)
        is_header = newline >= 0 and self.start.match(block, newline)
        start = begin + newline if is_header else self.start_of(begin + hit - 1)
        following = self.start.search(block, hit)
        return start, begin + following.start() if following else self.end_of(begin + len(block) - 2)

    def _times(self, begin: int, high: int) -> Iterator[tuple[int, datetime]]:
        """Yield start and time of the records that start from `begin` on and before `high`, where they have a time."""
        for start, end in self.scan_forwards(begin, high, (self.start,)):
            if start != end and begin <= start < high:
                when = parse(self.read(start, min(end, start + HEADER_BYTES))).time
                if when:
                    yield start, when

    @property
    def first_time(self) -> datetime | None:
        """The time of the first record that has one."""
        return next((when for _, when in self._times(0, min(self.size, BLOCK))), None)

    @property
    def last_time(self) -> datetime | None:
        """The time of the last record that has one."""
        for start, end in self.scan_backwards(max(0, self.size - BLOCK), self.size, (self.start,)):
            if start != end and (when := parse(self.read(start, min(end, start + HEADER_BYTES))).time):
                return when
        return None

    def is_before(self, when: datetime) -> bool:
        """Tell whether the first record was made before `when`."""
        first = self.first_time
        return bool(first and first < when)

    def is_behind(self, when: datetime) -> bool:
        """Tell whether the last record was made after `when`."""
        last = self.last_time
        return bool(last and last > when)

    def seek(self, when: datetime) -> int:
        """Return where the first record begins that was made at `when` or later, by halving; the size if none was."""
        low, high = 0, self.size
        while high - low > WINDOW:
            middle = (low + high) // 2
            found = next(self._times(middle, high), None)
            if found and found[1] < when:
                low = max(found[0], low + 1)
            else:
                high = middle
        low = self.start_of(low) if low < self.size else low
        return next((start for start, made in self._times(low, self.size) if made >= when), self.size)


def _hit(search: Search | re.Pattern[bytes], block: bytes, place: int) -> int:
    """Return the index of a byte in the first record from `place` on in which `search` finds something, or -1."""
    if isinstance(search, re.Pattern):  # START or LINE, which begin with the newline before the record
        found = search.search(block, place - 1)
        return found.start() + 1 if found else -1
    return search.find(block, place)


class BlocksBackwards:
    """The iterator of `Source.blocks_backwards`. `edge` is where the next block ends; it may be lowered."""

    def __init__(self, source: Source, low: int, high: int, largest: int) -> None:
        self._source, self._low, self.edge = source, low, min(high, source.size)
        self._size, self._largest, self._is_whole_line = min(FIRST_BLOCK, largest), largest, True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[int, bytes]:
        source, edge = self._source, self.edge
        if edge <= self._low:
            raise StopIteration
        begin = max(self._low, edge - self._size)
        block = source.read_lines(begin, edge if self._is_whole_line else min(source.size, edge + OVERLAP))
        if begin > self._low:
            newline = block.find(b"\n", 0, edge - begin)
            self._is_whole_line = newline >= 0
            if self._is_whole_line:
                begin, block = begin + newline, block[newline:]
        self._size, self.edge = min(self._size * 2, self._largest), begin
        return begin, block
