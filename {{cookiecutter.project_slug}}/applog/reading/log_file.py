"""A file of a log, open for reading: its bytes, and where its records begin and end."""

import errno
import os
import re
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

from applog.reading.record import HEADER, RECORD_BYTES, Cursor, Record, parse
from applog.rotation.os_files import open_to_read

FIRST_BLOCK, BLOCK = 1 << 16, 1 << 20  # bytes: what is wanted may be near; if it is not, read in large blocks
WINDOW = 4096  # bytes in which the start of a record is searched for first
HEADER_BYTES = 256  # more than the beginning of a record takes
HEAD_BYTES = 64
WRITE_SECONDS = 1.0  # an incomplete line that is older was left by a process that died
GZIP = zlib.MAX_WBITS + 16  # how zlib is asked for the gzip format
PACKED_BYTES = 1 << 14  # read at a time from a compressed file; at most 16 MiB unpacked

START = re.compile(rb"\n(?=%s)" % HEADER)
LINE = re.compile(rb"\n(?=[\s\S])")


def unpack(packed: IO[bytes] | FileIO) -> Iterator[bytes]:
    """Yield the content of a gzip file in pieces, up to the end of what is intact."""
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
    """Raise FileNotFoundError if a file is not the one with this device and inode."""
    if (status.st_dev, status.st_ino) != identity:
        raise FileNotFoundError(errno.ENOENT, "The file was moved")


def read_head(path: Path, identity: tuple[int, int]) -> bytes:
    """Return the first HEAD_BYTES bytes of a file, unpacked, or fewer if it is shorter.

    Raises OSError; it is FileNotFoundError, too, when the file at `path` is not the one with this device and inode.
    """
    with open_to_read(os.fspath(path)) as file:
        check_identity(os.fstat(file.fileno()), identity)
        return next(unpack(file), b"")[:HEAD_BYTES] if path.suffix == ".gz" else file.read(HEAD_BYTES) or b""


def checksum(head: bytes) -> int:
    """Return the checksum of a file's first HEAD_BYTES bytes for a cursor, 0 if there are fewer."""
    return zlib.crc32(head) if len(head) == HEAD_BYTES else 0


class OpenLogFile:
    """A file of the log called `log`, unpacked if it is compressed. Offsets are in bytes.

    `size` is the size at the time of opening. If no record in a known format is found near the beginning and the end,
    each line is a record. The constructor raises OSError as `read_head` does.
    """

    def __init__(self, path: str | os.PathLike[str], identity: tuple[int, int] | None = None, *, log: str = "") -> None:
        self.log = log
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
        high, window = offset + 1, WINDOW
        while high > 0:
            low = max(0, high - window)
            block = self.read_lines(low, min(self.size, high + HEADER_BYTES))
            # The newline at the index i of the block is before the byte at the offset low + i.
            starts = [low + found.start() for found in self.start.finditer(block)]
            if known := [start for start in starts if start < high]:
                return known[-1]
            high, window = low, min(window * 4, BLOCK)
        return 0

    def end_of(self, offset: int) -> int:
        """Return the offset at which the record ends that the byte at `offset` belongs to."""
        low, window = offset + 1, WINDOW
        while low < self.size:
            block = self.read_lines(low, min(self.size, low + window + HEADER_BYTES))
            found = self.start.search(block)
            if found and found.start() < window:
                return low + found.start()
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
