"""A log file that several processes write at once, and rotate, on every system.

The standard library's handlers rename a file that other processes still write to. On Unix that loses records, on
Windows it fails. This handler works as follows:

- A record is one `write` of a whole line to a file opened for appending, which the system does not divide. No lock is
  needed: when another process renames the file at the same time, the line still goes into that file.
- A file is due for rotation when its period is over or its room is used. Every LOOK_SECONDS the handler looks whether
  it is, and whether the path still leads to it. A look opens a window (`_since`, `_until`, `_room`) in which the file
  cannot become due, or exceeds maxBytes by a small part only.
- A process that finds the file due takes a lock and looks again. Then it rotates the file, or opens the new one when
  another process has rotated meanwhile.
- On Windows appending processes may overwrite each other, and a `rotator` needs a file that nobody writes. In these two
  cases every record is written under the lock.
- No error is raised. Records go into a file that can be written, and rotation is tried again later.
"""

import errno
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from applog.rotation import os_files
from applog.rotation.complaints import Complaints, line_encoding
from applog.rotation.process_lock import ProcessLock
from applog.rotation.retention import LOOK_SECONDS, UNLIMITED_BYTES, Retention

LOCK_SECONDS = 3  # a busy disk or a virus scanner stops a process for longer than one


class SharedFileHandler(Retention):
    """The base class of handlers whose file several processes write: writing, looking, rotating.

    Subclasses implement what Retention leaves open. `mode` and `delay` are ignored: the file is always opened for
    appending, by the first record. `encoding=None` is the locale's encoding; utf-8-sig is utf-8, as each line is one.
    `errors` is "backslashreplace" unless given. Lines end with `terminator` on each system. With `compress`, rotated
    files become gzip files, see applog.rotation.compression; not with a `rotator`.

    `namer` and `rotator` work as in logging.handlers.BaseRotatingHandler, under the lock, and may log themselves, and
    `rotate` may be overridden. With a `rotator`, late records go into the current file. Records call no other public
    method of rotation, so that overriding one has no effect on them.

    The constructor raises LookupError or ValueError for an encoding that there is not, or that no line can be in.

    Keep to 30 instance attributes (the base class has 21): above that, CPython looks each one up in a slower way.
    """

    encoding: str
    errors: str
    _closed: bool

    def __init__(self, filename: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(filename, *args, **kwargs)
        self.mode, self.delay, self.stream = "a", True, None
        self._process_lock, self._complaints = ProcessLock(self.baseFilename), Complaints(self)
        self.encoding = line_encoding(self.encoding)
        # As in logging.basicConfig, so that a character that the encoding lacks does not cost the record.
        self.errors = self.errors or "backslashreplace"
        self._close_window()

    def _open(self) -> Any:
        """Open nothing in the constructor, whatever `delay` says."""

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit `record` if the filters let it pass."""
        if self.filters or type(self).filter is not logging.Filterer.filter:  # calling it takes time
            passed: Any = self.filter(record)
            if not passed:
                return passed
            record = passed if isinstance(passed, logging.LogRecord) else record  # another one, since Python 3.12
        with self.lock:
            self.emit(record)
        return record

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, after rotating the file if it is due. Errors are reported on stderr, not raised."""
        try:
            data = (self.format(record) + self.terminator).encode(self.encoding, self.errors)
        except RecursionError:  # as logging.StreamHandler
            raise
        except Exception:  # noqa: BLE001  whatever a formatter or an argument's __str__ raises
            self.handleError(record)
            return
        # What a signal's handler logs behind this line may rotate the file, and so close this one.
        length, stream = len(data), self.stream
        self._room = room = self._room - length
        try:
            in_window = self._since <= record.created < self._until
            if in_window and (room >= 0 or self._has_room(length)):
                done = stream.write(data)
                if done != length:
                    os_files.take_back(stream, done)
            else:
                stream = None  # it may be another one then
                self._look_and_write(record.created, data)
        except Exception as error:  # noqa: BLE001  a log must never stop the application
            self._close_window()
            self._write_again(record.created, data, error, stream)

    def _write_again(self, created: float, data: bytes, error: Exception, stream: Any) -> None:
        """Open the file again if it was closed behind our back, as by a daemon."""
        if stream and (stream.closed or getattr(error, "errno", None) in {errno.EBADF, errno.ESTALE}):
            self._close_files()
            try:
                self._look_and_write(created, data)
            except Exception as reason:  # noqa: BLE001
                error = reason
            else:
                return
        self._complaints.lost(error)

    def _look_and_write(self, created: float, data: bytes) -> None:
        if self._process_lock.busy:  # a namer, a rotator or a signal handler logs
            self._put_meanwhile(created, data)
            return
        try:
            self._look_and_put(created, data)
        finally:
            self._put_waiting()

    def _look_and_put(self, created: float, data: bytes) -> None:
        with self._busy():
            self._close_window()  # for what is logged meanwhile
            exclusive = os_files.WINDOWS or self._has_rotator()
            try:
                self._look(created, len(data), exclusive=exclusive)
                self._has_room(0)
                self._open_window(created, *self._find_limits(created))
            except Exception as error:  # noqa: BLE001  also whatever a namer or a rotator raises
                self._room = UNLIMITED_BYTES
                self._open_window(created)
                self._complaints.delayed(error)
            if exclusive or self._closed or not (self.stream and os_files.hold(self.stream.fileno())):
                self._close_window()
            self._put(created, data)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        try:
            self._process_lock.busy = True
            yield
        finally:
            try:
                self._end_look()
            finally:  # a signal's handler may have raised in the middle of it
                self._end_look()

    def _look(self, created: float, length: int, *, exclusive: bool) -> None:
        """Open the file at the path, and rotate it if it is due. With `exclusive`, take the lock in any case."""
        status = self._status()
        if not self._can_rotate(status):
            if status is None:
                self._reopen()
            return
        if exclusive or status is None or self._is_due(status, created, length):
            try:
                self._process_lock.acquire(60 if self._has_rotator() else LOCK_SECONDS)
            except OSError:
                if not self.stream or self._status():
                    raise
                # Without the lock, too: another process has rotated or removed the file.
                self._reopen(os.fstat(self.stream.fileno()) if self.stream.is_own() else None)
                return
            if self._status() is None:
                self._reopen()
            if self._is_due(os.fstat(self.stream.fileno()), created, length):
                self._roll(created)

    def _end_look(self) -> None:
        if self._process_lock.busy:
            self._process_lock.release()
            self._process_lock.busy = False
        if self._closed:  # a record after logging.shutdown, while the interpreter exits
            self._close_files()
        elif self._compressor:
            self._compressor.resume()

    def _put(self, _created: float, data: bytes) -> None:
        if not self.stream:
            self._reopen()
        os_files.write_whole(self.stream, data)

    def _put_meanwhile(self, created: float, data: bytes) -> None:
        """Write what is logged while the handler looks, or let it wait until it has."""
        if self._must_wait(created):
            self._process_lock.waiting.append((created, data))
        else:
            self._put(created, data)

    def _put_waiting(self) -> None:
        while self._process_lock.waiting:
            created, data = self._process_lock.waiting.popleft()
            if self._has_rotator():  # what it says must not be the reason to call it again
                self._process_lock.retry_at = time.monotonic() + LOOK_SECONDS
            try:
                self._look_and_put(created, data)
            except Exception as error:  # noqa: BLE001
                self._complaints.lost(error)

    def _must_wait(self, _created: float) -> bool:
        return self._has_rotator()  # which moves the file at that moment

    def _status(self) -> os.stat_result | None:
        """Return the `os.stat` of the path, or None when it does not lead to the open file."""
        return self.stream.status_at(self.baseFilename) if self.stream else None

    def _reopen(self, like: os.stat_result | None = None) -> None:
        file = os_files.open_log(self.baseFilename, like)
        # The old file stays open until then: if opening fails, records still go into it.
        old, self.stream = self.stream, file
        if old:
            old.close()
            self._complaints.succeeded()
        if self._compressor and not self._has_rotator():
            self._compressor.wake()

    def doRollover(self) -> None:  # noqa: N802
        """Rotate now, whether the file is due or not, unless it is being rotated. Raises OSError if that fails."""
        with self.lock:
            if self._process_lock.busy:
                return
            with self._busy():
                self._process_lock.acquire(60)
                self._process_lock.retry_at = -math.inf
                self._reopen()
                self._roll(time.time())
            self._put_waiting()

    def _close_files(self) -> None:
        stream, self.stream = self.stream, None
        self._close_window()
        with suppress(AttributeError, OSError):
            stream.close()
        self._process_lock.close()

    def close(self) -> None:
        """Close the files. A later record opens them again, so that it is not lost."""
        if self._compressor:
            self._compressor.close()
        with self.lock:
            self._close_files()
            super().close()
