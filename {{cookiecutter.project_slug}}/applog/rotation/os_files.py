"""Opening, renaming, removing and locking a file that other processes use, on each system."""

import errno
import glob
import io
import math
import os
import stat
import sys
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

WINDOWS = sys.platform == "win32"
RENAME_SECONDS = 0.02  # how long a rename is retried on Windows
SHARING_VIOLATION = 32  # a Windows error code: another program has the file open
FILE_MODE, FOLDER_MODE = 0o640, 0o750  # Unix: logs are not for every user of the machine; the umask may take away more
GIVE_UP_SECONDS = 10.0  # after a timeout, the lock is not waited for during this time
SHORTEST_PAUSE, LONGEST_PAUSE = 0.00005, 0.001  # seconds; a rotation takes about a millisecond
LOCKED_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EDEADLK, 0}  # errno; Wine reports 0

if sys.platform == "win32":
    import _winapi
    import msvcrt

    def _lock(file: io.FileIO, mode: int = msvcrt.LK_NBLCK) -> None:
        file.seek(1 << 30)  # beyond the content, because others cannot read a locked byte
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

    _read_opener = None

    def _append_opener(path: str, flags: int) -> int:
        return os.open(path, flags, FILE_MODE)

    def _lock(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def open_to_append(path: str) -> io.FileIO:
    """Open the file at `path` for appending, unbuffered. The file and its folder are made if they are missing.

    On Windows, too, it can be renamed while it is open. Raises OSError.
    """
    os.makedirs(os.path.dirname(path), FOLDER_MODE, exist_ok=True)
    return io.FileIO(path, "ab", opener=_append_opener)


def find_problem(folder: str | os.PathLike[str], *names: str) -> OSError | None:
    """Return the error that prevents writing in `folder`, or appending to files called `names`; None if there is none.

    The folder is made if it is missing; files are not.
    """
    try:
        os.makedirs(folder, FOLDER_MODE, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        for name in (*names, *(f".{name}.lock" for name in names)):
            if os.path.lexists(path := os.path.join(folder, name)):
                # A link may lead to any file that this user, perhaps root, may write; a pipe would wait for its reader.
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    raise OSError(errno.EINVAL, "It is a link, a pipe or a device; remove it", path)  # noqa: TRY301
                open_to_append(path).close()
    except OSError as error:
        # Another program has the file open. It will close it, and the handlers try again.
        return None if getattr(error, "winerror", None) == SHARING_VIOLATION else error
    return None


def open_to_read(path: str) -> io.FileIO:
    """Open the file at `path` for reading, unbuffered. Others may rename and delete it meanwhile. Raises OSError."""
    return io.FileIO(path, "rb", opener=_read_opener)


def write_whole(file: io.FileIO, data: bytes) -> None:
    """Append `data` with one system call. Raises OSError when the disk has no room for all of it."""
    done = file.write(data)
    if done != len(data):
        take_back(file, done)


def take_back(file: io.FileIO, done: int | None) -> NoReturn:
    """Remove the `done` bytes of a line that the disk had no room for, and raise OSError.

    Otherwise the next record would continue the incomplete line.
    """
    with suppress(OSError):
        end = file.tell()
        if done and end == os.fstat(file.fileno()).st_size:
            file.truncate(end - done)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def rename(source: str, target: str) -> None:
    """Rename a file; a file called `target` is replaced. Raises OSError.

    On Windows that fails while another program has the file open. Programs that read a log close it soon, so the rename
    is tried again for RENAME_SECONDS.
    """
    until = time.monotonic() + RENAME_SECONDS
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
    """Raise OSError if the file at `path` cannot be renamed, because another program has it open."""
    if WINDOWS:  # where renaming a file to itself fails then
        rename(path, path)


def free_name(path: str) -> None:
    """Remove the file at `path`, so that its name is free at once. Raises OSError."""
    if not WINDOWS:
        os.remove(path)
        return
    # A removed file keeps its name until every process has closed it, so rename it first.
    rename(path, f"{path}.{time.time_ns()}.deleted")
    for leftover in Path(path).parent.glob(f"{glob.escape(os.path.basename(path))}.*.deleted"):
        with suppress(OSError):
            leftover.unlink()


class ProcessLock:
    """A lock between processes for the file at `path`, with a short note for the next process that takes it.

    Lock and note are in a hidden file beside it, which is made when the lock is first taken, and then stays.

    Attributes:
        held: whether this object has the lock.
        busy: whether this process is rotating the file; set by the owner, and cleared in a forked child.

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

        Raises OSError. It is a TimeoutError when another process keeps the lock, perhaps because it was stopped. For
        GIVE_UP_SECONDS after that it is raised without a wait, so that one stopped process does not stop all others.
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
            os.makedirs(os.path.dirname(self._path), FOLDER_MODE, exist_ok=True)
            self._file = io.FileIO(self._path, "a+b", opener=None if WINDOWS else _append_opener)
        try:
            _lock(self._file)
        except OSError as error:
            if error.errno in LOCKED_BY_ANOTHER:
                return False
            raise
        # The folder may have been moved: only a lock on the file that is at the path now counts.
        with suppress(OSError):
            self.held = os.path.samestat(os.stat(self._path), os.fstat(self._file.fileno()))
        if not self.held:
            self.close()
        return self.held

    def release(self) -> None:
        """Release the lock, if it is held. Its file stays open for the next time."""
        if self.held and self._file:
            self.held = False
            _unlock(self._file)

    def close(self) -> None:
        """Close the lock's file, which also releases the lock."""
        file, self._file, self.held = self._file, None, False
        if file:
            file.close()

    def read_note(self) -> bytes:
        """Return the note, or b"". Call it only while the lock is held."""
        if not self._file:
            return b""
        self._file.seek(0)
        return self._file.read(99)

    def write_note(self, note: bytes) -> None:
        """Replace the note, of up to 99 bytes. Call it only while the lock is held."""
        if self._file:
            self._file.truncate(0)
            self._file.write(note)


_locks: weakref.WeakSet[ProcessLock] = weakref.WeakSet()


def _close_inherited() -> None:
    """Close the locks that a forked child inherits: it would hold them for longer than its parent does."""
    for lock in _locks:
        lock.busy = False
        lock.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_inherited)
