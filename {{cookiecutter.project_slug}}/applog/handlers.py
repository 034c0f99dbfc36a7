"""Handlers for LOGGING: rotating files that several processes write at once.

How that works is explained in applog.rotation.shared_handler, also which parameters of the base class are ignored.
"""

import itertools
import logging.handlers
import os
import sys
import time
from contextlib import suppress
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from typing import Any

from applog.rotation import os_files
from applog.rotation.complaints import Complaints
from applog.rotation.periods import Periods, find_dates
from applog.rotation.shared_handler import SharedFileHandler

LOOKS_PER_FILE = 256  # with it, four processes exceed maxBytes by less than 2 %


class SharedRotatingFileHandler(SharedFileHandler, RotatingFileHandler):
    """`RotatingFileHandler` for several processes, with the same parameters.

    A file exceeds `maxBytes` (bytes) only by what several processes write at the same moment. If `maxBytes` or
    `backupCount` is 0, the file is never rotated.
    """

    def _is_due(self, status: os.stat_result, _created: float, length: int) -> bool:
        limited = self.maxBytes > 0 and self.backupCount > 0 and status.st_size > 0
        return limited and status.st_size + length >= self.maxBytes

    def _open_window(self, created: float) -> None:
        super()._open_window(created)
        if self.maxBytes > 0 and self.backupCount > 0:
            self._has_room(0)

    def _has_room(self, length: int) -> bool:
        free = self.maxBytes - length - self.stream.seek(0, os.SEEK_END)
        share = self.maxBytes // LOOKS_PER_FILE
        self._room = max(share, free // 64)  # 64 processes may all write as much
        return bool(free > share)

    def _rename(self) -> None:
        # Renumber up to the first gap. A process that is killed meanwhile leaves a gap for the next rotation.
        names: list[str] = []
        for number in range(1, max(1, self.backupCount) + 1):
            names.append(self.rotation_filename(f"{self.baseFilename}.{number}"))
            if not os.path.lexists(names[-1]):
                break
        else:
            os_files.free_name(names[-1])
        for i in range(len(names) - 1, 0, -1):
            os_files.rename(names[i - 1], names[i])
        self.rotate(self.baseFilename, names[0])


class SharedTimedRotatingFileHandler(SharedFileHandler, TimedRotatingFileHandler):
    """`TimedRotatingFileHandler` for several processes, with the same parameters.

    A record goes into the file of the period in which it was made, in local time or, with `utc`, in UTC. A period is
    `interval` times `when` long, counted from 1970-01-01. `D` begins at midnight, `MIDNIGHT` and `W0` to `W6` begin at
    `atTime` (by default midnight), hours at the full hour. If `backupCount` is 0, all rotated files are kept.

    The period of the current file is noted in the lock's file. Where the note is missing, the modification time
    decides, which can be wrong: a record made before midnight may be written after it.
    """

    def __init__(self, filename: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(filename, *args, **kwargs)
        self._periods = Periods.of(self)
        self._period: int | None = None  # the open file's, once it was looked up

    def _path(self, period: int, number: str = "") -> str:
        name = time.strftime(self.suffix, time.gmtime(period))
        return self.rotation_filename(f"{self.baseFilename}.{name}{number}")

    def _open_window(self, created: float) -> None:
        super()._open_window(created)
        begin, end = self._periods.find_limits(created)
        self._since, self._until = max(self._since, begin), min(self._until, end)
        if self._is_late(created):
            self._close_window()

    def _is_due(self, status: os.stat_result, created: float, _length: int) -> bool:
        if self._period is None and status.st_size and self._process_lock.held:
            self._look_up_period(status)
        return self._period is None or self._periods.find(created) > self._period

    def _is_late(self, created: float) -> bool:
        """Tell whether the file of the record's period is rotated already: the clock was set back, or a thread slow."""
        if self._period is None or callable(self.rotator):  # a compressed file cannot be appended to
            return False
        return self._periods.find(created) < self._period

    def _look_up_period(self, status: os.stat_result) -> int:
        note = self._process_lock.read_note()
        period = int(note) if note.isdigit() else self._periods.find(status.st_mtime)
        return self._set_period(self._periods.begin(period))  # when `when` was another, so is the start

    def _set_period(self, period: int) -> int:
        self._process_lock.write_note(b"%d" % period)
        self._period = period
        return period

    def _reopen(self) -> None:
        self._period = None
        super()._reopen()

    def _roll(self, created: float) -> None:
        super()._roll(created)
        if not os.fstat(self.stream.fileno()).st_size:
            self._set_period(self._periods.find(created))
            for path in self.getFilesToDelete():
                with suppress(OSError):
                    os.remove(path)

    def _rename(self) -> None:
        period = self._look_up_period(os.stat(self.baseFilename)) if self._period is None else self._period
        # After a rotation by hand, or by another log, the name exists: append a number.
        paths = (self._path(period, f".{n}" if n else "") for n in itertools.count())
        self.rotate(self.baseFilename, next(path for path in paths if not os.path.lexists(path)))

    def getFilesToDelete(self) -> list[str]:  # noqa: N802
        """Return the paths of the rotated files beyond `backupCount`, oldest first."""
        folder, own = os.path.dirname(self.baseFilename), set()
        for name in os.listdir(folder) if self.backupCount > 0 else ():
            path = os.path.join(folder, name)
            for period, number in find_dates(name, self.suffix):
                if self._path(period, number) == path and os.path.isfile(path):
                    own.add((period, int(number[1:] or 0), path))
        return [path for *_, path in sorted(own)][: max(0, len(own) - self.backupCount)]

    def _put(self, created: float, data: bytes) -> None:
        if self._is_late(created):
            with suppress(OSError), os_files.open_to_append(self._path(self._periods.find(created))) as file:
                os_files.write_whole(file, data)
                return
        super()._put(created, data)


class WatchedFileHandler(logging.handlers.WatchedFileHandler):
    """`logging.handlers.WatchedFileHandler`, for files that another program, such as logrotate, renames.

    If the file cannot be opened or written, that is reported on stderr now and then, and never raised.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._complaints = Complaints(self)

    def _open(self) -> Any:
        os_files.open_to_append(self.baseFilename).close()  # which makes it with the mode of logs
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record` into the file that is at the path now."""
        try:
            super().emit(record)
        except OSError as error:
            self._complaints.lost(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        """Report an OSError, such as of a full disk, now and then; other errors as the standard library does."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._complaints.lost(error)
        else:
            super().handleError(record)
