"""Files that several processes append to, rename and lock, as each system allows it."""

import errno
import glob
import io
import math
import os
import sys
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

WINDOWS = sys.platform == "win32"
HELD_SECONDS = 0.02
GIVE_UP_SECONDS = 10.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.00005, 0.001  # seconds; a rotation is over in about a millisecond
SHARING_VIOLATION = 32  # of Windows
TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK, 0}  # 0: what Wine says

if sys.platform == "win32":
    import _winapi
    import msvcrt

    def _lock(file: io.FileIO, mode: int = msvcrt.LK_NBLCK) -> None:
        file.seek(1 << 30)  # behind the content, because others cannot read a locked byte
        msvcrt.locking(file.fileno(), mode, 1)

    def _unlock(file: io.FileIO) -> None:
        _lock(file, msvcrt.LK_UNLCK)

    def _open_shared(path: str, access: int, disposition: int, flags: int) -> int:
        # Unlike open(), let others rename and delete the file meanwhile.
        share_all, normal = 0x7, 0x80
        handle = _winapi.CreateFile(path, access, share_all, 0, disposition, normal, 0)
        try:
            return msvcrt.open_osfhandle(handle, flags | os.O_NOINHERIT)
        except OSError:
            _winapi.CloseHandle(handle)
            raise

    def _append_opener(path: str, _flags: int) -> int:
        # With FILE_APPEND_DATA but not FILE_WRITE_DATA, NTFS itself writes at the end (WDK,
        # ZwCreateFile, DesiredAccess).
        access = 0x4 | 0x80 | 0x100000  # FILE_APPEND_DATA, FILE_READ_ATTRIBUTES, SYNCHRONIZE
        open_always = 4
        return _open_shared(path, access, open_always, os.O_APPEND)

    def _read_opener(path: str, _flags: int) -> int:
        open_existing = 3
        return _open_shared(path, _winapi.GENERIC_READ, open_existing, os.O_RDONLY)

else:
    import fcntl

    _append_opener = _read_opener = None

    def _lock(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def open_to_append(path: str) -> io.FileIO:
    """Open the file at `path`, unbuffered, making it and its folder if need be.

    Whoever opened it so may rename it while others have it open. Raises OSError.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return io.FileIO(path, "ab", opener=_append_opener)


def find_problem(folder: str | os.PathLike[str], *names: str) -> OSError | None:
    """Return why files cannot be made in `folder`, or those of these names not be appended to; None if they can.

    The folder is made if need be. A file that does not exist is left to the process that writes it.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for name in (*names, *(f".{name}.lock" for name in names)):
            if os.path.exists(path := os.path.join(folder, name)):
                open_to_append(path).close()
    except OSError as error:
        # What another program has open now it will close; the handlers wait for that.
        return None if getattr(error, "winerror", None) == SHARING_VIOLATION else error
    return None


def open_to_read(path: str) -> io.FileIO:
    """Open the file at `path`, unbuffered, so that others may rename and delete it meanwhile. Raises OSError."""
    return io.FileIO(path, "rb", opener=_read_opener)


def write_whole(file: io.FileIO, data: bytes) -> None:
    """Append `data` with one system call. Raises OSError when not all of it fits."""
    done = file.write(data)
    if done != len(data):
        take_back(file, done)


def take_back(file: io.FileIO, done: int | None) -> NoReturn:
    """Cut off the `done` bytes of a line of which the disk took no more, and raise OSError.

    The next line, of whichever process, then begins as a line.
    """
    with suppress(OSError):
        end = file.tell()
        if done and end == os.fstat(file.fileno()).st_size:
            file.truncate(end - done)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def rename(source: str, target: str) -> None:
    """Rename a file, over `target` if that exists. Raises OSError.

    On Windows that fails while a program has the file open as most do. One that reads the log now and then is done with
    it in a moment, so insist for HELD_SECONDS.
    """
    until = time.monotonic() + HELD_SECONDS
    while True:
        try:
            os.replace(source, target)
        except PermissionError:
            if not WINDOWS or time.monotonic() >= until:
                raise
            time.sleep(0)
        else:
            return


def check_movable(path: str) -> None:
    """Make sure that the file at `path` can be renamed. Raises OSError if somebody holds it."""
    if WINDOWS:  # where renaming a file to itself tells
        rename(path, path)


def free_name(path: str) -> None:
    """Remove the file at `path`, so that its name is free at once. Raises OSError."""
    if not WINDOWS:
        os.remove(path)
        return
    # A removed file keeps its name until no process has it open: take the name away first.
    rename(path, f"{path}.{time.time_ns()}.deleted")
    for leftover in Path(path).parent.glob(f"{glob.escape(os.path.basename(path))}.*.deleted"):
        with suppress(OSError):
            leftover.unlink()


class ProcessLock:
    """A lock between processes for the file at `path`, and a note that they leave for each other.

    Both are in a hidden file beside it, which is made when the lock is first taken, and stays. `held` tells whether
    this object has the lock, and `busy`, which its owner sets, whether this process is at work on the file: a forked
    child is not.
    """

    def __init__(self, path: str) -> None:
        self.held = self.busy = False
        folder, name = os.path.split(path)
        self._path = os.path.join(folder, f".{name}.lock")
        self._file: io.FileIO | None = None
        self._hopeless_until = -math.inf
        _locks.add(self)

    def acquire(self, seconds: float) -> None:
        """Take the lock, waiting up to `seconds`. It is not reentrant.

        Raises OSError: TimeoutError when a process keeps it (has it been stopped?), and without a wait for
        GIVE_UP_SECONDS after that, so that it does not stop all the others.
        """
        deadline, pause = time.monotonic() + seconds, SHORTEST_PAUSE
        while time.monotonic() >= self._hopeless_until:
            if self._try():
                return
            if time.monotonic() > deadline:
                self._hopeless_until = deadline + GIVE_UP_SECONDS
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise TimeoutError(errno.ETIMEDOUT, f"another process holds {self._path}")

    def _try(self) -> bool:
        if self._file is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = io.FileIO(self._path, "a+b")
        try:
            _lock(self._file)
        except OSError as error:
            if error.errno in TAKEN:
                return False
            raise
        # Somebody may have moved the folder: the lock that counts is the one at the path.
        with suppress(OSError):
            self.held = os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno()))
        if not self.held:
            self.close()
        return self.held

    def release(self) -> None:
        """Give the lock back, if it is held. The file stays open for the next time."""
        if self.held and self._file:
            self.held = False
            _unlock(self._file)

    def close(self) -> None:
        """Close the file, and with it give the lock back."""
        file, self._file, self.held = self._file, None, False
        if file:
            file.close()

    def read_note(self) -> bytes:
        """Return the note, empty if there is none. Only the holder of the lock may."""
        if not self._file:
            return b""
        self._file.seek(0)
        return self._file.read(99)

    def write_note(self, note: bytes) -> None:
        """Replace the note. Only the holder of the lock may."""
        if self._file:
            self._file.truncate(0)
            self._file.write(note)


_locks: weakref.WeakSet[ProcessLock] = weakref.WeakSet()


def _let_go() -> None:
    """Close a forked child's share of its parent's locks: it would hold them longer than the parent does."""
    for lock in _locks:
        lock.busy = False
        lock.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)
