"""A file of a log, open for reading: its bytes, and where its records begin and end."""

import errno
import os
import re
import time
import zlib
from datetime import datetime
from typing import Any

from applog.reading.formats import HEADER
from applog.reading.packed import PackedFile, unpack
from applog.reading.record import RECORD_BYTES, Cursor, Record, parse, time_of
from applog.rotation.os_files import open_to_read

FIRST_BLOCK, BLOCK = 1 << 16, 1 << 20  # bytes: what is wanted may be near; if it is not, read in large blocks
WINDOW = 4096  # bytes in which the start of a record is searched for first
HEADER_BYTES = 256  # more than the beginning of a record takes
REACH = 1 << 21  # bytes; more than a block, in which no record ends for that
HEAD_BYTES = 64
WRITE_SECONDS = 1.0  # an incomplete line that is older was left by a process that died

START = re.compile(rb"\n(?=%s)" % HEADER)
LINE = re.compile(rb"\n(?=[\s\S])")


def check_identity(status: os.stat_result, identity: tuple[int, int]) -> None:
    """Raise FileNotFoundError if a file is not the one with this device and inode."""
    if (status.st_dev, status.st_ino) != identity:
        raise FileNotFoundError(errno.ENOENT, "The file was moved")


def read_head(path: str, identity: tuple[int, int], size: int = HEAD_BYTES) -> bytes:
    """Return the first `size` bytes of a file, unpacked, or fewer if it is shorter.

    Raises OSError; it is FileNotFoundError, too, when the file at `path` is not the one with this device and inode.
    """
    with open_to_read(path) as file:
        check_identity(os.fstat(file.fileno()), identity)
        if not path.endswith(".gz"):
            return file.read(size) or b""
        head = b""
        for content, _ in unpack(file, most=size):
            head += content
            if len(head) >= size:
                break
        return head[:size]


def first_time_in(head: bytes) -> datetime | None:
    """Return the time of the first record in the first bytes of a file that has one, or None."""
    head = b"\n" + head
    times = (time_of(head[start.end() : start.end() + HEADER_BYTES]) for start in START.finditer(head))
    return next(filter(None, times), None)


def checksum(head: bytes) -> int:
    """Return the checksum of a file's first HEAD_BYTES bytes for a cursor, 0 if there are fewer."""
    return zlib.crc32(head) if len(head) == HEAD_BYTES else 0


class OpenLogFile:
    """A file of the log called `log`. Offsets, of a compressed file's content, are in bytes.

    Nothing can be read before `advance` has returned True. `size` is the size at the time of opening. If no record in a
    known format is found near the beginning and the end, each line is a record; otherwise only one that begins REACH
    bytes or more behind the last beginning of a record. The constructor raises OSError as `read_head` does.
    """

    head: bytes
    start: re.Pattern[bytes]

    def __init__(self, path: str | os.PathLike[str], identity: tuple[int, int] | None = None, *, log: str = "") -> None:
        self.log = log
        self._file: Any = open_to_read(os.fspath(path))
        try:
            status = os.fstat(self._file.fileno())
            if identity:
                check_identity(status, identity)
            self.identity, self.size, self._modified = (status.st_dev, status.st_ino), status.st_size, status.st_mtime
            self.compressed = os.fspath(path).endswith(".gz")
            if self.compressed:
                self._file = PackedFile(self._file)
        except BaseException:
            self.close()
            raise

    def advance(self) -> bool:
        """Prepare reading, which takes many steps for a large compressed file. Returns whether that is done."""
        if isinstance(self._file, PackedFile):
            if not self._file.advance():
                return False
            self.size = self._file.size
        self.head = self.read(0, HEAD_BYTES)
        self._checksum = checksum(self.head)
        self.start = START if self._has_records() else LINE
        return True

    def _has_records(self) -> bool:
        return any(
            START.search(self.read_lines(begin, min(self.size, end)))
            for begin, end in ((0, WINDOW), (0, FIRST_BLOCK), (max(0, self.size - FIRST_BLOCK), self.size))
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, begin: int, end: int) -> bytes:
        """Return the bytes from `begin` to `end`, fewer if the file has become shorter."""
        self._file.seek(begin)
        return self._file.read(max(0, end - begin)) or b""

    def cursor(self, offset: int) -> Cursor:
        """Return the cursor of an offset."""
        return Cursor(*self.identity, self._checksum, offset)

    def read_record(self, start: int, end: int) -> Record:
        """Return the record between two offsets."""
        data = self.read(start, min(end, start + RECORD_BYTES))
        return parse(data, log=self.log, cursor=self.cursor(start), size=end - start)

    def read_lines(self, begin: int, end: int) -> bytes:
        """Return the bytes from `begin` to `end` and the byte before them, a newline if a line begins at `begin`."""
        return self.read(begin - 1, end) if begin else b"\n" + self.read(0, end)

    def start_of(self, offset: int) -> int:
        """Return the offset at which the record begins that the byte at `offset` belongs to."""
        return self._find_start(offset)[0]

    def span_of(self, offset: int) -> tuple[int, int]:
        """Return the offsets at which the record begins and ends that the byte at `offset` belongs to."""
        start, reach = self._find_start(offset)
        return start, self.end_of(offset, reach)

    def _find_start(self, offset: int) -> tuple[int, int]:
        """Return where a record begins, and from where on lines do not belong to it."""
        line, high, window = -1, offset + 1, WINDOW
        while True:
            low = max(0, high - window)
            block = self.read_lines(low, min(self.size, high + HEADER_BYTES))
            # The newline at the index i of the block is before the byte at the offset low + i.
            starts = [low + found.start() for found in self.start.finditer(block) if low + found.start() < high]
            if line < 0 and (newline := block.rfind(b"\n", 0, high - low)) >= 0:
                line = low + newline
            if starts or low == 0 or low <= line - REACH:
                break
            high, window = low, min(window * 4, BLOCK)
        start = starts[-1] if starts else 0
        return (start, start + REACH) if line < start + REACH else (line, line)

    def end_of(self, offset: int, reach: int) -> int:
        """Return the offset at which the record ends that the byte at `offset` belongs to.

        Lines that begin at the offset `reach` or behind it do not belong to it.
        """
        low, window = offset + 1, WINDOW
        while low < self.size:
            block = self.read_lines(low, min(self.size, low + window + HEADER_BYTES))
            found = self.start.search(block)
            ends = found.start() if found else -1, block.find(b"\n", max(0, reach - low))
            end = min((end for end in ends if end >= 0), default=window)
            if end < window:
                return low + end
            low, window = low + window, min(window * 4, BLOCK)
        return self.size

    def end(self) -> int:
        """Return the size, or a smaller offset if the last line is incomplete and was written just now.

        Other processes may see a part of a record while it is written. Until its first line is complete, it may be
        taken for a part of the record before it; that record is then beyond the returned offset, too.
        """
        is_whole = self.read_lines(self.size, self.size) == b"\n"
        is_old = abs(time.time() - self._modified) > WRITE_SECONDS
        return self.size if is_whole or is_old else self.start_of(self.size - 1)

    def whole_end(self) -> int:
        """Return the offset at which the last complete line ends."""
        low = self.size
        while low > 0:
            low, high = max(0, low - WINDOW), low
            newline = self.read(low, high).rfind(b"\n")
            if newline >= 0:
                return low + newline + 1
        return 0
