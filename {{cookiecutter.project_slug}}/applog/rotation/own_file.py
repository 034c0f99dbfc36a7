"""The open file of a log: writing to it, closing it, and what may be written without a look at it."""

import errno
import math
import os
import stat
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from typing import Any, NoReturn, Self

LOOK_SECONDS = 0.5  # the longest time until a moved file is noticed
LOOKS_PER_FILE = 256  # with it, four processes exceed maxBytes by less than 2 %
UNLIMITED_BYTES = 1 << 29  # of room, until the next look


class OwnFile(FileIO):
    """The open file of a descriptor, which a daemon may close, to open another file under its number.

    That one is not closed by `close`. On Unix, `os_files.raise_number` keeps the numbers apart to begin with.
    """

    _is_held = False

    def __init__(self, descriptor: int, mode: str = "ab") -> None:
        try:
            super().__init__(descriptor, mode, closefd=False)
        except OSError:  # such as of a folder
            os.close(descriptor)
            raise
        self._descriptor, self._is_held = descriptor, True
        self._status: os.stat_result | None = None
        with suppress(OSError):  # on FAT drives, Python 3.12.0 does not tell
            self._status = os.fstat(descriptor)
        self.at_path = self._status  # when it was last there
        self.is_ordinary = not self._status or stat.S_ISREG(self._status.st_mode)  # no pipe, terminal or device

    def is_own(self) -> bool:
        """Tell whether the descriptor still is that of this file, as far as the system tells."""
        return not self.closed and self._has_descriptor()

    def _has_descriptor(self) -> bool:
        try:
            status = os.fstat(self._descriptor)
        except OSError as error:
            return error.errno != errno.EBADF
        # Wine does not know the device of a file that was renamed.
        known = self._status
        return known is None or (status.st_ino == known.st_ino and status.st_dev in {known.st_dev, 0})

    def status_at(self, path: str) -> os.stat_result | None:
        """Return the `os.stat` of `path`, or None when it does not lead to this file."""
        with suppress(OSError, ValueError):  # ValueError: it is closed
            status = os.stat(path)
            # Some file systems of Windows number no files: then it may be another one.
            if status.st_ino and os.path.samestat(status, os.fstat(self.fileno())):
                self.at_path = status
                return status
        return None

    def close_if_lost(self) -> None:
        """Forget a descriptor that somebody has closed, before another file of this path gets its number."""
        if not self.is_own():
            self.close()

    def close(self) -> None:
        """Close the file, if it is still open."""
        is_held, self._is_held = self._is_held, False  # once: what a signal's handler logs may close it, too
        if is_held:
            self._close()

    def close_in_child(self) -> None:
        """Close the file in a forked child, also where a thread of its parent was about to do so."""
        self._is_held = False
        self._close()

    def hand_over(self) -> Self:
        """Return another object of the file, which in a forked child no thread of its parent can keep open."""
        descriptor, self._descriptor, self._is_held = self._descriptor, -1, False
        super().close()
        return type(self)(descriptor)

    def _close(self) -> None:
        is_own = self._has_descriptor()
        super().close()
        if is_own:
            with suppress(OSError):  # what was written is with the system already
                os.close(self._descriptor)


@dataclass(slots=True)
class Window:
    """The times between which a record must be made to be written to `stream`, and the bytes that may be."""

    since: float = math.inf
    until: float = -math.inf
    stream: Any = None
    room: int = UNLIMITED_BYTES

    @classmethod
    def around(cls, created: float, stream: Any, begin: float = -math.inf, end: float = math.inf) -> Self:
        """Return a window around the time of a record, for a file that holds records from `begin` to `end`."""
        return cls(max(created - LOOK_SECONDS, begin), min(created + LOOK_SECONDS, end), stream)

    def has_room(self, limit: int, length: int) -> bool:
        """Tell whether a file of at most `limit` bytes has room for `length` more, without os.stat, and note how much.

        `limit` may be 0 for none. Raises OSError.
        """
        if not limit or not self.stream.seekable():  # such as a pipe
            self.room = UNLIMITED_BYTES
            return True
        share = limit // LOOKS_PER_FILE
        free = limit - length - self.stream.seek(0, os.SEEK_END)
        self.room = max(share, free // 64)  # 64 processes may all write as much
        return bool(free > share)


CLOSED = Window()


def write_whole(file: FileIO, data: bytes) -> None:
    """Append `data` with one system call. Raises OSError when the disk has no room for all of it."""
    done = file.write(data)
    if done != len(data):
        write_rest(file, data, done)


def try_to_write(file: OwnFile, data: bytes) -> bool:
    """Append `data`, close the file, and tell whether the system did so. Raises what a signal's handler raises."""
    close_at_fork(file)
    try:
        with file:
            write_whole(file, data)
    except OSError as error:
        if error.errno is None:  # not the system's, and all may be written
            raise
        return False
    return True


def write_rest(file: FileIO, data: bytes, done: int | None) -> None:
    """Write what comes after `done` bytes, where a signal has interrupted the writing to a pipe.

    Raises OSError for a file, as its disk is full.
    """
    while done and not file.seekable() and (more := file.write(data[done:])):
        done += more
        if done == len(data):
            return
    take_back(file, done)


def take_back(file: FileIO, done: int | None) -> NoReturn:
    """Remove the `done` bytes of a line that the disk had no room for, and raise OSError.

    Otherwise the next record would continue the incomplete line.
    """
    with suppress(OSError):
        end = file.tell()
        if done and end == os.fstat(file.fileno()).st_size:
            file.truncate(end - done)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# Threads write without a lock. To close a file while one is about to write to it is not safe, as its number may become
# that of a database. So the last one closes it, by letting go of it. In a forked child the parent's threads never do.
_shared: weakref.WeakSet[OwnFile] = weakref.WeakSet()
_users: weakref.WeakSet[Any] = weakref.WeakSet()


def close_at_fork(file: OwnFile) -> None:
    """Have a forked child close `file`, which a thread of this process uses."""
    _shared.add(file)


def take_over_at_fork(user: Any) -> None:
    """Have a forked child first call `user.take_over()`, for a file that it goes on with."""
    _users.add(user)


def _inherit() -> None:
    inherited = list(_shared)  # beforehand: what is taken over becomes one of them
    for user in list(_users):
        with suppress(Exception):  # what was not taken over is closed, and opened again
            user.take_over()
    for file in inherited:
        with suppress(OSError):
            file.close_in_child()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_inherit)
