"""Handlers for LOGGING: rotating files that several processes write at once.

How that works is explained in applog.rotation.shared_handler, also which parameters of the base class are ignored.
"""

import errno
import itertools
import logging
import math
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from typing import Any

from applog.rotation import os_files
from applog.rotation.compression import PACKED
from applog.rotation.own_file import OwnFile, try_to_write
from applog.rotation.periods import Periods, check_suffix, date_of, find_dates
from applog.rotation.retention import LOCK_SECONDS, Rotated, find_surplus
from applog.rotation.shared_handler import SharedFileHandler
from applog.rotation.watched_handler import WatchedFileHandler

__all__ = ["SharedRotatingFileHandler", "SharedTimedRotatingFileHandler", "WatchedFileHandler"]

LATE_LOOKS = 8  # at the sizes of all files, while a late one grows; more would keep the lock for too long
ONE_NAME = "The namer gives two files one name"
NUMBER = re.compile(r"\.([1-9]\d{0,5})(?!\d)", re.ASCII)


@lru_cache(4096)
def find_numbers(name: str) -> tuple[tuple[int, int], ...]:
    """Return the periods, which are negative numbers, that a file's name may stand for, each with 0."""
    return tuple((-int(number), 0) for number in NUMBER.findall(name))


class SharedRotatingFileHandler(SharedFileHandler, RotatingFileHandler):
    """`RotatingFileHandler` for several processes, with the same parameters, and `totalBytes` and `compress`.

    A file exceeds `maxBytes` (bytes) only by what several processes write at the same moment. If `backupCount` is 0, or
    both limits are, the file is never rotated. Files with the numbers that follow `backupCount` are taken for older
    ones, and removed, up to the first number that is missing.
    """

    def _reopen(self, like: os.stat_result | None = None) -> None:
        super()._reopen(like)
        self._process_lock.clear_note()  # of the timed handler, if it was one; this file is another one

    def _limit(self) -> int:
        return super()._limit() if self.backupCount > 0 else 0

    def _path(self, period: int, _number: int = 0) -> str:
        return self._named(f"{self.baseFilename}.{-period}")  # so that the oldest has the smallest period

    def _find(self, name: str) -> Iterable[tuple[int, int]]:
        return find_numbers(name)

    def _rotated(self) -> list[Rotated]:
        if self._has_namer():
            return sorted(self._probe())
        found = super()._rotated()
        numbers = {-file.period for file in found}
        # Beyond backupCount, as it may have been greater, up to a gap: what is behind it is somebody else's.
        gap = next(number for number in itertools.count(self.backupCount + 1) if number not in numbers)
        return [file for file in found if -file.period < gap]

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802  the standard library's name
        """Tell whether the file is full, or would be with `record`."""
        return self._limit() > 0 and super().shouldRollover(record)

    def _probe(self) -> Iterator[Rotated]:
        """Yield the rotated files that the namer has named, as the standard library finds them."""
        last = ""
        for number in itertools.count(1):
            path = self._path(-number)
            found = [Rotated(-number, 0, name) for name in (path, path + PACKED) if os.path.isfile(name)]
            if path == last or (number > self.backupCount and not found):
                break
            yield from found
            last = path

    def _rename(self, files: list[Rotated]) -> list[Rotated]:
        # Renumber up to the first gap. A process that is killed meanwhile leaves a gap for the next rotation.
        numbers = {-file.period for file in files}
        gap = next(number for number in itertools.count(1) if number not in numbers)
        paths = {-number: self._path(-number) for number in range(1, gap + 1)}
        if self.backupCount > 1 and len(set(paths.values())) < len(paths):
            raise FileExistsError(errno.EEXIST, ONE_NAME, paths[-1])
        renamed = [file for file in files if file.period - 1 not in paths]  # the oldest ones, behind a gap
        for file in files[len(renamed) :]:
            path = paths[file.period - 1] + (PACKED if file.path != paths[file.period] else "")
            if path != file.path:
                os_files.rename(file.path, path)
            if path != paths[-1]:  # the only name that there is, whose file is replaced
                renamed.append(Rotated(file.period - 1, 0, path))
        self.rotate(self.baseFilename, paths[-1])
        return [*renamed, Rotated(-1, 0, paths[-1])]

    def _surplus(self, files: list[Rotated]) -> list[str]:
        # Without backupCount there is a rotation by hand only, and one file is kept.
        return super()._surplus(files) if self.backupCount > 0 else [file.path for file in files[:-1]]


class SharedTimedRotatingFileHandler(SharedFileHandler, TimedRotatingFileHandler):
    """`TimedRotatingFileHandler` for several processes, with the same parameters, and three more.

    A record goes into the file of the period in which it was made, in local time or, with `utc`, in UTC. A period is
    `interval` times `when` long, counted from 1970-01-01. `D` begins at midnight, `MIDNIGHT` and `W0` to `W6` begin at
    `atTime` (by default midnight), hours at the full hour.

    Within a period the file is rotated at `maxBytes` (bytes), too; 0 means no limit. `app.log.2026-02-09` is the first
    file of a day, then come `app.log.2026-02-09.1`, `.2` and so on. `backupCount` counts earlier periods that have
    files, not files as in the standard library; if it is 0, all are kept. For the rest see the base class.

    The period of the current file is noted in the lock's file. Where the note is missing, or of another file, the
    modification time decides, which can be wrong: a record made before midnight may be written after it.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str],
        *args: Any,
        maxBytes: int = 0,  # noqa: N803  RotatingFileHandler's name
        **kwargs: Any,
    ) -> None:
        super().__init__(filename, *args, **kwargs)
        self.maxBytes = maxBytes
        self._periods = Periods.of(self)

    @property
    def suffix(self) -> str:
        """The format of the date in a rotated file's name. Raises ValueError for one that cannot be read back."""
        return self._suffix

    @suffix.setter
    def suffix(self, suffix: str) -> None:
        check_suffix(suffix)
        self._suffix = suffix

    def _path(self, period: int, number: int = 0) -> str:
        name = date_of(period, self.suffix)
        return self._named(f"{self.baseFilename}.{name}{f'.{number}' if number else ''}")

    def _find(self, name: str) -> Iterable[tuple[int, int]]:
        return find_dates(name, self.suffix)

    def _find_limits(self, created: float) -> tuple[float, float]:
        return (math.inf, -math.inf) if self._is_late(created) else self._periods.find_limits(created)

    def _is_due(self, status: os.stat_result, created: float, length: int) -> bool:
        period, current = self._periods.find(created), self._periods.current
        if self._process_lock.held and status.st_size and current != period:
            current = self._look_up_period(status)
        if current is None:
            return True
        if period < current:  # a late record, which goes into another file, however full this one is
            # Later than now, with a second for clocks that are set: the clock was wrong when the file was begun.
            return self._periods.find(time.time() + 1) < current
        return period > current or super()._is_due(status, created, length)

    def _is_late(self, created: float) -> bool:
        """Tell whether the file of the record's period is rotated already: the clock was set back, or a thread slow."""
        if self._periods.current is None or self._has_rotator():  # what it has made cannot be appended to
            return False
        return self._periods.find(created) < self._periods.current

    def _look_up_period(self, status: os.stat_result) -> int:
        """Return the file's period, which is another one if it was emptied, and begun anew by another process."""
        period, *inode = self._process_lock.read_note().split() or [b""]
        if period.isdigit() and inode == [b"%d" % status.st_ino]:
            # When `when` was another, so is the start.
            return self._set_period(self._periods.begin(int(period)), status)
        known = self._periods.current
        return self._set_period(self._periods.find(status.st_mtime) if known is None else known, status)

    def _set_period(self, period: int, status: os.stat_result) -> int:
        self._periods.current = period
        self._process_lock.write_note(b"%d %d" % (period, status.st_ino))
        return period

    def _reopen(self, like: os.stat_result | None = None) -> None:
        self._periods.current = None
        super()._reopen(like)

    def _begin(self, created: float) -> None:
        self._set_period(self._periods.find(created), os.fstat(self.stream.fileno()))

    def _rename(self, files: list[Rotated]) -> None:
        period = self._periods.current
        if period is None:
            period = self._look_up_period(os.stat(self.baseFilename))
        self.rotate(self.baseFilename, self._next_path(period, self._of_period(period, files)))

    def _surplus(self, files: list[Rotated], coming: int = 0) -> list[str]:
        today = [] if self._periods.current is None else self._of_period(self._periods.current, files)
        return find_surplus(files, self.backupCount, self._room_for_old(coming), {file.period for file in today})

    def _of_period(self, period: int, files: list[Rotated]) -> list[Rotated]:
        """Return those of the rotated files that are of a period. Their names say it; a name may leave out the hour."""
        paths = {number: self._path(period, number) for number in {file.number for file in files}}
        return [file for file in files if paths[file.number] in (file.path, file.path.removesuffix(PACKED))]

    def _next_path(self, period: int, files: list[Rotated]) -> str:
        """Return the path of the file that comes after the others of its period. Raises OSError if there is none."""
        number = files[-1].number + 1 if files else 0
        path = self._path(period, number)
        while os.path.lexists(path):
            number, last = number + 1, path
            path = self._path(period, number)
            if path == last:
                raise FileExistsError(errno.EEXIST, ONE_NAME, path)
        return path

    def _must_wait(self, created: float) -> bool:
        with suppress(Exception):  # of a time that no clock has: what becomes of it is for a look
            # A new period may have begun while the handler waits for the lock.
            return super()._must_wait(created) or self._periods.current != self._periods.find(created)
        return True

    def _put(self, created: float, data: bytes) -> None:
        late: OwnFile | None = None
        with suppress(Exception):  # of a time that no clock has, or a namer: the record goes into the current file
            if self._is_late(created):
                late = self._open_late(self._periods.find(created), len(data))
        if not (late and try_to_write(late, data)):
            super()._put(created, data)

    def _open_late(self, period: int, length: int) -> OwnFile:
        """Open the last file of an earlier period, or one after it, if it is full, a link, compressed or just being."""
        if not self._process_lock.held:  # so that no other process takes the name
            self._process_lock.acquire(LOCK_SECONDS)
        rotated = self._rotated()
        files = self._of_period(period, rotated)
        last = files[-1] if files else None
        if last and (last.path.endswith(PACKED) or os.path.islink(last.path)):  # a link may lead anywhere
            last = None
        if last and not super()._is_due(status := os.stat(last.path), period, length):
            share = -(-self._limit() // LATE_LOOKS)
            if share and status.st_size // share != (status.st_size + length) // share:
                others = [file for file in rotated if file != last]
                os_files.discard(self.baseFilename, self._surplus(others, status.st_size + length + share))
            with suppress(OSError):  # on Windows, while it is being compressed
                return os_files.open_to_append(last.path)
        path = self._next_path(period, files)
        os_files.discard(self.baseFilename, self._surplus(rotated, length))
        return os_files.open_to_append(path, self._status())
