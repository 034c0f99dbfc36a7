"""Which rotated files of a log there are, and which of them have to go."""

import logging
import math
import os
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from logging.handlers import BaseRotatingHandler
from typing import Any, NamedTuple

from applog.rotation.compression import PACKED, Compressor
from applog.rotation.os_files import WINDOWS, discard, free_name, rename, resolve
from applog.rotation.own_file import LOOK_SECONDS
from applog.rotation.process_lock import ProcessLock

LOCK_SECONDS = 3  # a busy disk or a virus scanner stops a process for longer than one


class Rotated(NamedTuple):
    """A rotated file: the one that is `number` in time among the files of a period. Their order is that of time."""

    period: int
    number: int
    path: str


def list_rotated(
    log: str, find: Callable[[str], Iterable[tuple[int, int]]], path_of: Callable[[int, int], str]
) -> list[Rotated]:
    """Return the rotated files of `log`, oldest first.

    `find` yields periods and numbers that a file's name may stand for; it is one of the log's if `path_of` gives its
    path, or that and PACKED. Raises OSError if the folder cannot be read.
    """
    found = []
    with os.scandir(os.path.dirname(log)) as entries:
        for entry in entries:
            for period, number in find(entry.name):
                path, own = entry.path, path_of(period, number)
                if path in (own, own + PACKED) and _is_file(entry):
                    found.append(Rotated(period, number, path))
                    break
    return sorted(found)


def find_surplus(files: list[Rotated], periods: int, size: int, uncounted: Iterable[int] = ()) -> list[str]:
    """Return the paths of the files to remove, oldest first.

    Those are the files of all but the newest `periods` periods and of those `uncounted`, and the oldest of the others
    until the rest takes at most `size` bytes. 0, or less, means no limit.
    """
    kept = {*sorted({file.period for file in files}.difference(uncounted))[-max(0, periods) :], *uncounted}
    surplus = [file.path for file in files if file.period not in kept]
    if size:
        rest = [file.path for file in files if file.period in kept]
        sizes = [_size(path) for path in rest]
        total = sum(sizes)
        for path, taken in zip(rest, sizes, strict=True):
            if total <= size:
                break
            surplus.append(path)
            total -= taken
    return surplus


class Retention(BaseRotatingHandler):
    """The part of a rotating handler that knows when its file is due, and which rotated files are kept.

    All files of the log together take at most `totalBytes` (bytes): the oldest rotated ones are removed, and the
    current one is due at half of it, if not before at `maxBytes`; what a file is just being compressed into is not
    counted. 0 means no limit. `backupCount` counts periods. Where numbers make the rotated files' names, each of them
    is a period.
    """

    maxBytes: int  # noqa: N815  the names of the standard library
    backupCount: int  # noqa: N815
    stream: Any  # an OwnFile, or None while nothing is open
    lock: Any
    _process_lock: ProcessLock
    _compressor: Compressor | None = None

    def __init__(
        self,
        filename: str | os.PathLike[str],
        *args: Any,
        totalBytes: int = 0,  # noqa: N803
        compress: bool = False,
        **kwargs: Any,
    ) -> None:
        # Not the real path: the standard library calls os.stat for it, and fails if it is renamed at that moment.
        super().__init__(os.devnull, *args, **kwargs)
        self.baseFilename, self.totalBytes = resolve(filename), totalBytes
        if compress:
            self._compressor = Compressor(self.baseFilename, self._paths)

    def _limit(self) -> int:
        """Return the size in bytes at which the file is rotated, or 0."""
        half = max(1, self.totalBytes // 2) if self.totalBytes > 0 else 0
        return min((limit for limit in (self.maxBytes, half) if limit > 0), default=0)

    def _is_due(self, status: os.stat_result, _created: float, length: int) -> bool:
        """Tell whether the file must be rotated before a record of `length` bytes."""
        return 0 < self._limit() <= status.st_size + length and status.st_size > 0

    def _status(self) -> os.stat_result | None:
        """Return the `os.stat` of the path, or None when it does not lead to the open file."""
        return self.stream.status_at(self.baseFilename) if self.stream else None

    def _can_rotate(self, status: os.stat_result | None) -> bool:
        """Tell whether there is an ordinary file, or none yet: a pipe or a device is not rotated, and needs no lock."""
        if status:
            return stat.S_ISREG(status.st_mode)
        return os.path.isfile(self.baseFilename) or not os.path.exists(self.baseFilename)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802  the standard library's name
        """Tell whether the file is full or from an earlier period than `record`."""
        with self.lock, suppress(OSError):
            if self._process_lock.busy or not os.path.isfile(self.baseFilename):
                return False
            try:
                with suppress(OSError):
                    self._process_lock.take()
                return self._is_due(os.stat(self.baseFilename), record.created, len(self.format(record)) + 1)
            finally:
                self._process_lock.release()
        return False

    def _find_limits(self, _created: float) -> tuple[float, float]:
        """Return the times between which a file holds records, if it holds one made at `created`."""
        return -math.inf, math.inf

    def rotate(self, source: str, dest: str) -> None:
        """Rename `source` to `dest`, or call the `rotator`. Raises OSError, or what the rotator raises."""
        if not callable(self.rotator):
            return rename(source, dest)
        size, is_new = os.path.getsize(source), not os.path.lexists(dest)
        try:
            return super().rotate(source, dest)
        except BaseException:
            with suppress(OSError):
                if is_new and os.path.getsize(source) == size:  # a part of it, and each further try leaves one more
                    free_name(dest)
            raise

    def _has_rotator(self) -> bool:
        """Tell whether others' code moves the file, which nobody may write meanwhile."""
        return callable(self.rotator) or type(self).rotate is not Retention.rotate

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
                self._reopen()
                return
            if self._status() is None:
                self._reopen()
            if self._is_due(os.fstat(self.stream.fileno()), created, length):
                self._roll(created)

    def _roll(self, created: float) -> None:
        """Rename the file, open the next one, and remove the oldest ones. The caller holds the lock."""
        # gh-116263: an empty file is not renamed. bpo-45401: nor are /dev/stdout and the like.
        path, files, is_new = self.baseFilename, None, False
        if os.path.isfile(path) and os.path.getsize(path) and time.monotonic() >= self._process_lock.retry_at:
            self._process_lock.retry_at = time.monotonic() + LOOK_SECONDS
            if WINDOWS:
                rename(path, path)  # which fails, before a backup is touched, while another program has it open
            status = os.stat(path)
            files = self._rename(self._rotated())
            self._reopen(status)
            self._process_lock.retry_at, is_new = -math.inf, True
        if is_new or not os.fstat(self.stream.fileno()).st_size:
            self._begin(created)
            discard(path, self._surplus(self._rotated() if files is None else files))

    def _reopen(self, like: os.stat_result | None = None) -> None:
        """Open the file at the path, which gets mode and owner of `like`, or of the last one, if it is a new one."""
        raise NotImplementedError

    def _rename(self, files: list[Rotated]) -> list[Rotated] | None:
        """Rename the file, which is not empty and can be renamed. The caller holds the lock.

        `files` are the rotated files before that. Returns those after it, or None where they have to be listed anew.
        """
        raise NotImplementedError

    def _path(self, period: int, number: int = 0) -> str:
        """Return the path of the rotated file that is `number` in its period."""
        raise NotImplementedError

    def _find(self, name: str) -> Iterable[tuple[int, int]]:
        """Return the periods and numbers that a file's name may stand for."""
        raise NotImplementedError

    def _named(self, name: str) -> str:
        """Return what the namer makes of the path of a rotated file."""
        return os.path.normpath(self.rotation_filename(name)) if self._has_namer() else name

    def _has_namer(self) -> bool:
        """Tell whether others' code names the rotated files."""
        return callable(self.namer) or type(self).rotation_filename is not BaseRotatingHandler.rotation_filename

    def _begin(self, created: float) -> None:
        """Note that the file, which is empty, begins with a record made at `created`. The caller holds the lock."""

    def _rotated(self) -> list[Rotated]:
        return list_rotated(self.baseFilename, self._find, self._path)

    def _paths(self) -> list[str]:
        return [file.path for file in self._rotated()]

    def getFilesToDelete(self) -> list[str]:  # noqa: N802
        """Return the paths of the rotated files beyond `backupCount` and `totalBytes`, oldest first."""
        return self._surplus(self._rotated())

    def _surplus(self, files: list[Rotated]) -> list[str]:
        return find_surplus(files, self.backupCount, self._room_for_old())

    def _room_for_old(self, coming: int = 0) -> int:
        """Return the bytes that the rotated files may take, so that the current one can grow; 0 for no limit.

        `coming` are the bytes that one of them grows by.
        """
        return max(1, self.totalBytes - self._limit() - coming) if self.totalBytes > 0 else 0


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a circle, or into a folder that is closed to us
        return False


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
