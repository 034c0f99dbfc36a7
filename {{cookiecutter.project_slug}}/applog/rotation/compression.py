"""Compressing rotated files, as gzip, while the processes of the project write on.

- A thread of a process that has opened the new file compresses the rotated ones. It ends when there are none left, or
  when they stay in use; the process that leaves such a file last starts one, too.
- A file is compressed only when no process can write it: each that has it open holds a lock on it, which the system
  releases when the file is closed, or the process dies. On Windows the system knows who has it open for writing.
- The result has a temporary name until it is complete. Then it gets its name, and the original is removed, under the
  lock of rotation, which is needed for nothing else here. What was interrupted is begun again by the next thread.
"""

import os
import sys
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Generator
from contextlib import suppress

from applog.rotation import os_files
from applog.rotation.own_file import close_at_fork, write_whole
from applog.rotation.process_lock import ProcessLock

PACKED = ".gz"  # what a compressed file's name ends with
PIECE = 1 << 18  # bytes; compressing them takes some milliseconds, during which other threads run
FIRST_PAUSE, LAST_PAUSE = 1.0, 64.0  # seconds, doubled each time while a file is in use
AGAIN_PAUSE = 0.05  # after a fork, as there may be another one before long
LOCK_SECONDS = 2.0
LISTINGS = 5  # of the rotated files, until none was renamed meanwhile
GZIP = zlib.MAX_WBITS + 16  # how zlib is asked for the gzip format
TRAILER = 8  # bytes: checksum and size of what is packed, RFC 1952, section 2.3.1


class Compressor:
    """Compresses rotated files of the log at `path`, until the handler is gone whose method `find` lists them.

    It returns their paths, those of compressed ones, too.
    """

    def __init__(self, path: str, find: Callable[[], list[str]]) -> None:
        self._path, self._find = path, weakref.WeakMethod(find)
        folder, name = os.path.split(path)
        self._temporary = os.path.join(folder, f".{name}{PACKED}")
        self._lock = ProcessLock(path + PACKED, path)  # one process compresses
        self._thread: threading.Thread | None = None
        self._pause = FIRST_PAUSE
        self._stop, self._waking = threading.Event(), threading.Lock()
        _compressors.add(self)

    def wake(self) -> None:
        """Look for files to compress soon, in a thread that does not delay the end of the process."""
        if sys.is_finalizing():  # Python 3.11 would wait for ever for the thread
            return
        self._pause = AGAIN_PAUSE if self._stop.is_set() else FIRST_PAUSE
        # Another thread, or what a signal handler has interrupted, may be doing it.
        if not self._waking.acquire(blocking=False):
            return
        try:
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                thread = threading.Thread(target=self._run, name=f"compresses {self._path}", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the interpreter ends, or there are too many threads
            pass
        finally:
            self._waking.release()

    def pause(self) -> None:
        """End the thread, in the middle of a file, too: it must not be there at a fork. That file is begun again."""
        if self._thread and self._thread.is_alive():
            self._stop.set()
            self._thread.join(LOCK_SECONDS)

    def close(self) -> None:
        """End the thread, which the next fork does not start again, and close its lock."""
        self.pause()
        if not (self._thread and self._thread.is_alive()):
            self._stop.clear()
        self._lock.close()

    def resume(self) -> None:
        """Start the thread again that `pause` has ended."""
        if self._stop.is_set():
            self.wake()

    def forget(self) -> None:
        """Start again in a forked child, whose next look at the log is a `resume`."""
        was_paused, self._thread = self._stop.is_set(), None
        self._stop, self._waking = threading.Event(), threading.Lock()
        if was_paused:
            self._stop.set()

    def _run(self) -> None:
        while self._pause <= LAST_PAUSE and not self._stop.wait(self._pause):
            self._pause *= 2
            with suppress(Exception):  # of a folder, a lock or somebody's namer; the next thread tries again
                if self._compress() and not self._plain():
                    return

    def _plain(self) -> list[str]:
        find = self._find()
        return [path for path in find() if not path.endswith(PACKED)] if find else []

    def _compress(self) -> bool:
        """Compress what can be compressed. Return False if another process does, or there is a fork to come."""
        if not self._lock.take():
            return False
        job, begin = self._work(), time.monotonic()
        try:
            for _ in job:
                # Rest for as long as it took, so that the machine is free for half of the time.
                if self._stop.wait(min(1.0, time.monotonic() - begin)):
                    return False
                begin = time.monotonic()
        finally:
            job.close()
            self._lock.release()
        return True

    def _work(self) -> Generator[None]:
        for path in self._plain():
            try:
                with suppress(OSError):  # it is in use, was renamed or removed, or the disk is full
                    yield from self._pack(path)
            finally:
                with suppress(OSError):
                    os.remove(self._temporary)

    def _pack(self, path: str) -> Generator[None]:
        with suppress(FileNotFoundError):
            os.remove(self._temporary)  # of a process that was killed
        with os_files.open_quiet(path) as source:
            close_at_fork(source)
            status = os.fstat(source.fileno())
            machine = zlib.compressobj(wbits=GZIP)
            size = 0
            with os_files.open_new(self._temporary, status) as file:  # not one that another account has made
                close_at_fork(file)
                while piece := source.read(PIECE):
                    size += len(piece)
                    write_whole(file, machine.compress(piece))
                    yield
                write_whole(file, machine.flush())
                os.fsync(file.fileno())
                packed = os.fstat(file.fileno())
            os.utime(self._temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
            lock = ProcessLock(self._path)
            for _ in range(LISTINGS):
                paths = self._plain()  # not under the lock, for which the record of a namer that logs would wait
                lock.acquire(LOCK_SECONDS)  # now no file changes its name
                try:
                    if name := next((path for path in paths if _is_at(path, status)), None):
                        if os.stat(name).st_size == size and _is_at(self._temporary, packed):
                            self._replace(name)
                        break
                finally:
                    lock.close()

    def _replace(self, path: str) -> None:
        packed = path + PACKED
        if not os.path.lexists(packed):
            os_files.rename(self._temporary, packed)
        elif not os.path.isfile(packed) or _trailer(packed) != _trailer(self._temporary):
            return  # somebody else's
        # A process that is killed here leaves both, and the next one comes to this line.
        os_files.free_name(path)


def _is_at(path: str, status: os.stat_result) -> bool:
    with suppress(OSError):
        now = os.stat(path)
        return bool(now.st_ino) and os.path.samestat(now, status)
    return False


def _trailer(path: str) -> bytes:
    with os_files.open_to_read(path) as file:
        file.seek(-TRAILER, os.SEEK_END)
        return file.read(TRAILER) or b""


_compressors: weakref.WeakSet[Compressor] = weakref.WeakSet()


def _pause_all() -> None:
    for compressor in list(_compressors):
        compressor.pause()


def _resume_all() -> None:
    for compressor in list(_compressors):
        compressor.resume()


def _forget_all() -> None:
    for compressor in list(_compressors):
        compressor.forget()


if sys.platform != "win32":
    os.register_at_fork(before=_pause_all, after_in_parent=_resume_all, after_in_child=_forget_all)
