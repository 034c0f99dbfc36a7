"""A log file that several processes write at once, and rotate, on every system.

The standard library's handlers rename a file that other processes still write to. On Unix that loses records, on
Windows it fails. This handler works as follows:

- A record is one `write` of a whole line to a file opened for appending, which the system does not divide. No lock is
  needed: when another process renames the file at the same time, the line still goes into that file.
- A file is due for rotation when its period is over or its room is used. Every LOOK_SECONDS the handler looks whether
  it is, and whether the path still leads to it. A look opens a window in which the file cannot become due, or exceeds
  maxBytes by a small part only. In the window threads write without the handler's lock.
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
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from applog.rotation import os_files, own_file
from applog.rotation.complaints import Complaining, Complaints, line_encoding
from applog.rotation.own_file import CLOSED, LOOK_SECONDS, Window
from applog.rotation.process_lock import ProcessLock
from applog.rotation.reentrant import Reentrant
from applog.rotation.retention import Retention


class SharedFileHandler(Complaining, Reentrant, Retention):
    """The base class of handlers whose file several processes write: writing, looking, rotating.

    Subclasses implement what Retention leaves open. `mode` and `delay` are ignored: the file is always opened for
    appending, by the first record. `encoding=None` is the locale's encoding; utf-8-sig is utf-8, as each line is one.
    `errors` is "backslashreplace" unless given. Lines end with `terminator` on each system. With `compress`, rotated
    files become gzip files, see applog.rotation.compression; not with a `rotator`.

    `namer` and `rotator` work as in logging.handlers.BaseRotatingHandler, under the lock, and may log themselves, and
    `rotate` may be overridden. With a `rotator`, late records go into the current file. Records call no other public
    method of rotation, so that overriding one has no effect on them.

    Threads write at the same time. The handler's lock is held for an `emit` that is not this class's, and for a
    formatter, unless its class is logging.Formatter, or itself says `reentrant = True`. A process may notice
    LOOK_SECONDS late that its file was removed: all kept files together have to take more than what is written then.
    The constructor raises LookupError or ValueError for an encoding that there is not, or that no line can be in.

    Keep to 30 instance attributes (the timed handler has 29): above that, CPython looks each one up in a slower way.
    """

    encoding: str
    errors: str
    _closed: bool
    _window: Window  # in which threads write without the handler's lock

    def __init__(self, filename: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        # First, as logging.shutdown also closes a handler whose options were wrong; without a stream it has stderr.
        self._process_lock, self._complaints = ProcessLock(os_files.resolve(filename)), Complaints(self)
        try:
            super().__init__(filename, *args, **kwargs)
        finally:
            self.mode, self.delay, self.stream = "a", True, None
        self.encoding = line_encoding(self.encoding)
        # As in logging.basicConfig, so that a character that the encoding lacks does not cost the record.
        self.errors = self.errors or "backslashreplace"
        self._close_window()
        own_file.take_over_at_fork(self)

    def _open(self) -> Any:
        """Open nothing, whatever `delay` says, before a record does. gunicorn opens a closed handler with it."""
        self._closed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, after rotating the file if it is due. Errors are for `handleError`, and not raised."""
        try:
            formatter = self.formatter
            if formatter is self._reentrant:
                text = formatter.format(record)
            else:
                with self.lock:
                    text = self.format(record)
            data = (text + self.terminator).encode(self.encoding, self.errors)
        except RecursionError:  # as logging.StreamHandler
            raise
        except Exception:  # noqa: BLE001  whatever a formatter or an argument's __str__ raises
            self.handleError(record)
            return
        # Others may rotate the file behind this line. It stays open, and the record goes into the file of its time.
        length, window = len(data), self._window
        window.room = room = window.room - length
        try:
            in_window = window.since <= record.created < window.until
            if in_window and (room >= 0 or window.has_room(self._limit(), length)):
                done = window.stream.write(data)
                if done != length:
                    own_file.write_rest(window.stream, data, done)
            else:
                window = CLOSED
                self._look_and_write(record.created, data)
        except Exception as error:  # noqa: BLE001  a log must never stop the application
            with self.lock:
                self._write_again(record, data, error, window.stream or self.stream)

    emit.reentrant = True  # type: ignore[attr-defined]

    def _write_again(self, record: logging.LogRecord, data: bytes, error: Exception, stream: Any) -> None:
        """Open the file again if it was closed behind our back, as by a daemon."""
        self._close_window()
        if not (stream and (stream.closed or getattr(error, "errno", None) in {errno.EBADF, errno.ESTALE})):
            self.handleError(record)
            return
        stream.close_if_lost()
        self._close_files()
        try:
            self._look_and_write(record.created, data)
        except Exception:  # noqa: BLE001
            self.handleError(record)

    def _look_and_write(self, created: float, data: bytes) -> None:
        with self.lock:
            if self._process_lock.busy:  # a namer, a rotator or a signal handler logs
                if self._must_wait(created):
                    self._process_lock.waiting.append((created, data))
                else:
                    self._put(created, data)
                return
            window = self._window
            if window.since <= created < window.until and window.has_room(self._limit(), len(data)):
                own_file.write_whole(window.stream, data)  # another thread has looked meanwhile
                return
            try:
                self._while_busy(self._look_and_put, created, data)
            finally:
                self._put_waiting()

    def _look_and_put(self, created: float, data: bytes) -> None:
        self._close_window()  # for what is logged meanwhile
        self._look_at_hooks()
        exclusive = os_files.WINDOWS or self._has_rotator()
        try:
            self._look(created, len(data), exclusive=exclusive)
        except Exception as error:  # noqa: BLE001  also whatever a namer or a rotator raises
            self._complaints.delayed(error)
        # The system divides what threads write to a pipe, and on a full disk none can take a part of a line back.
        one_by_one = exclusive or self._closed or self._complaints.is_losing
        if not one_by_one and self.stream and self.stream.is_ordinary and os_files.hold(self.stream.fileno()):
            with suppress(Exception):  # of a time that no clock has, or of the disk: then each record looks
                window = Window.around(created, self.stream, *self._find_limits(created))
                window.has_room(self._limit(), 0)
                self._window = window
        self._put(created, data)

    def _while_busy(self, work: Callable[..., None], *args: Any) -> None:
        try:
            self._process_lock.busy = True
            work(*args)
        finally:
            try:
                try:
                    self._end_look()
                finally:  # a signal's handler may have raised in the middle of it
                    self._end_look()
            finally:
                self._process_lock.busy = False  # no call, for which a deep recursion may have left no room

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
        own_file.write_whole(self.stream, data)

    def _close_window(self) -> None:
        self._window = CLOSED

    def _put_waiting(self) -> None:
        with suppress(IndexError):  # there are none left; what a signal's handler logs puts them, too
            while True:
                created, data = self._process_lock.waiting.popleft()
                if self._has_rotator():  # what it says must not be the reason to call it again
                    self._process_lock.retry_at = time.monotonic() + LOOK_SECONDS
                try:
                    self._while_busy(self._look_and_put, created, data)
                except Exception as error:  # noqa: BLE001
                    self._complaints.lost(error)

    def _must_wait(self, _created: float) -> bool:
        return self._has_rotator()  # which moves the file at that moment

    def _reopen(self, like: os.stat_result | None = None) -> None:
        if old := self.stream:
            old.close_if_lost()
        had_file = bool(old and old.is_ordinary)  # since then, nobody puts a link there but to choose where we write
        # The old file stays open until then: if opening fails, records still go into it.
        file = os_files.open_log(self.baseFilename, like or (old.at_path if had_file else None), no_link=had_file)
        if had_file and not file.is_ordinary:
            file.close()  # who may write in the folder could stop all processes by a pipe that is not read
            raise OSError(errno.EINVAL, "it is an ordinary file no more", self.baseFilename)
        if old:
            self._complaints.succeeded()
        self._close_window()
        self.stream = file
        if self._compressor and not self._closed and not self._has_rotator():
            self._compressor.wake()

    def doRollover(self) -> None:  # noqa: N802
        """Rotate now, whether the file is due or not, unless it is being rotated. Raises OSError if that fails."""
        with self.lock:
            if self._process_lock.busy:
                return
            try:
                self._while_busy(self._roll_now)
            finally:
                self._put_waiting()

    def _roll_now(self) -> None:
        self._process_lock.acquire(60)
        self._process_lock.retry_at = -math.inf
        self._reopen()
        self._roll(time.time())

    def take_over(self) -> None:
        """Go on with the file in a forked child of root, which may lose the right to open it. Raises OSError."""
        self._close_window()
        if os.geteuid() == 0 and self.stream and self.stream.is_own():
            self.stream = os_files.separate(self.stream, self.baseFilename)

    def _close_files(self) -> None:
        self.stream = None
        self._close_window()
        self._process_lock.close()

    def close(self) -> None:
        """Close the files. A later record opens them again, so that it is not lost."""
        if self._compressor:
            self._compressor.close()
        with self.lock:
            self._close_files()
            super().close()
