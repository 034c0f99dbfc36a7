"""A lock between processes."""

import errno
import io
import math
import os
import re
import stat
import sys
import tempfile
import time
import weakref
from collections import deque
from contextlib import suppress

from applog.rotation.os_files import FOLDER_MODE, NO_LINK, WINDOWS
from applog.rotation.own_file import OwnFile

GIVE_UP_SECONDS = 10.0  # after a timeout, the lock is not waited for during this time
SHORTEST_PAUSE, LONGEST_PAUSE = 0.00005, 0.001  # seconds; a rotation takes about a millisecond
LOCKED_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EDEADLK, 0}  # errno; Wine reports 0
NOTE_BYTES = 99

if sys.platform == "win32":
    import msvcrt

    def _lock(file: io.FileIO, mode: int = msvcrt.LK_NBLCK) -> None:
        file.seek(1 << 30)  # beyond the content, because others cannot read a locked byte
        msvcrt.locking(file.fileno(), mode, 1)

    def _unlock(file: io.FileIO) -> None:
        _lock(file, msvcrt.LK_UNLCK)

    def _share(_file: io.FileIO, _path: str, _log: str) -> None:
        pass

    def _open(path: str, _log: str) -> int:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_BINARY | os.O_NOINHERIT, 0o666)

else:
    import fcntl

    from applog.rotation.os_files import open_descriptor

    def _lock(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: io.FileIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    def _mode(log: os.stat_result) -> int:
        writers = log.st_mode & 0o222 | stat.S_IWUSR
        return writers | writers << 1

    def _share(file: io.FileIO, path: str, log: str) -> None:
        # Whoever may write the log, as a group that was given it, must be able to rotate it; others need no lock.
        # Not as root, and no file of another name: somebody else may have put it there, to get its rights.
        if not os.geteuid():
            return
        with suppress(OSError):
            like, status = os.stat(log), os.lstat(path)
            mode = _mode(like)
            if (status.st_mode & 0o777, status.st_gid) == (mode, like.st_gid):
                return
            file.seek(0)
            is_lock = status.st_nlink == 1 and re.fullmatch(rb"[\d ]*", file.read(NOTE_BYTES + 1) or b"")
            if is_lock and os.path.samestat(status, os.fstat(file.fileno())):
                os.fchown(file.fileno(), -1, like.st_gid)
                os.fchmod(file.fileno(), mode)

    def _open(path: str, log: str) -> int:
        like = None
        with suppress(OSError):
            status = os.stat(log)
            like = os.stat_result((_mode(status), *status[1:10]))
        return open_descriptor(path, os.O_RDWR | NO_LINK, like)


def find_lock_problem(folder: str | os.PathLike[str]) -> OSError | None:
    """Return the error that prevents locking files in `folder`, which exists; None if there is none."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            _lock(file)
            _unlock(file)
    except OSError as error:
        return error
    return None


class ProcessLock:
    """A lock between processes for the file at `path`, with a short note for the next process that takes it.

    Lock and note are in a hidden file beside it, which is made when the lock is first taken, and then stays. On Unix
    it gets the group of the file at `log`, by default at `path`, and is for those who may write that one.

    Attributes:
        held: whether this object has the lock.
        busy: whether this process is rotating the file; set by the owner, and cleared in a forked child.
        retry_at: when a rotation that failed may be tried again, by `time.monotonic`; set by the owner.
        waiting: time and text of what the owner could not write while it was busy. A forked child has neither.

    """

    def __init__(self, path: str, log: str = "") -> None:
        self.held = self.busy = False
        self.retry_at = self._hopeless_until = -math.inf
        folder, name = os.path.split(path)
        self.waiting: deque[tuple[float, bytes]] = deque()
        self._log, self._path = log or path, os.path.join(folder, f".{name}.lock")
        self._file: OwnFile | None = None
        _locks.add(self)

    def acquire(self, seconds: float) -> None:
        """Take the lock, waiting up to `seconds`. It is not reentrant.

        Raises OSError. It is a TimeoutError when another process keeps the lock, perhaps because it was stopped. For
        GIVE_UP_SECONDS after that it is raised without a wait, so that one stopped process does not stop all others.
        """
        deadline, pause = time.monotonic() + seconds, SHORTEST_PAUSE
        while not self.take():
            if time.monotonic() > deadline:
                self._hopeless_until = deadline + GIVE_UP_SECONDS
            if time.monotonic() < self._hopeless_until:
                raise TimeoutError(errno.ETIMEDOUT, f"another process holds {self._path}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def take(self) -> bool:
        """Take the lock if it is free, and tell whether it is held now. Raises OSError."""
        if self._file is None or not self._file.is_own():
            self.close()
            os.makedirs(os.path.dirname(self._path), FOLDER_MODE, exist_ok=True)
            self._file = OwnFile(_open(self._path, self._log), "a+b")
        self.held = True  # beforehand, so that after an interrupt right behind `_lock` the lock is released
        try:
            _lock(self._file)
        except OSError as error:
            self.held = False
            if error.errno in LOCKED_BY_ANOTHER:
                return False
            raise
        # The folder may have been moved, but on Windows: only a lock on the file that is at the path now counts.
        if not (WINDOWS or self._file.status_at(self._path)):
            self.close()
            return False
        _share(self._file, self._path, self._log)
        return True

    def release(self) -> None:
        """Release the lock, if it is held. Its file stays open for the next time."""
        if self.held and self._file:
            try:
                _unlock(self._file)
            except OSError:
                self.close()
            self.held = False  # afterwards, so that after an interrupt before `_unlock` it can be released again

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
        return self._file.read(NOTE_BYTES)

    def write_note(self, note: bytes) -> None:
        """Replace the note, of up to NOTE_BYTES bytes. Call it only while the lock is held."""
        if self._file:
            self._file.truncate(0)
            self._file.write(note)

    def clear_note(self) -> None:
        """Remove the note, if there is one: the file is another one now."""
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | NO_LINK | getattr(os, "O_NONBLOCK", 0))
            try:
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)


_locks: weakref.WeakSet[ProcessLock] = weakref.WeakSet()


def _close_inherited() -> None:
    """Close the locks that a forked child inherits: it would hold them for longer than its parent does."""
    for lock in list(_locks):
        lock.busy, lock.retry_at = False, -math.inf
        lock.waiting.clear()
        lock.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_inherited)
