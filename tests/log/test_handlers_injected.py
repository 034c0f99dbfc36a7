"""Each call of the system that the handlers make fails once, and then for good: nothing is raised or lost."""

import errno
import itertools
import logging
import os
import sys
from contextlib import contextmanager, suppress

import pytest
from handler_support import KINDS, SIZES, assert_each_once, handlers, own_files, record, unpacked_text

if sys.platform == "win32":
    pytest.skip("the calls are those of POSIX", allow_module_level=True)

import fcntl

ERRORS = [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EINTR, errno.ENOLCK, errno.EBUSY]
CALLS = [
    *((os, name) for name in ("open", "close", "stat", "fstat", "lstat", "replace", "remove", "scandir", "makedirs")),
    *((os, name) for name in ("fchmod", "fchown")),
    (fcntl, "flock"),
    (fcntl, "fcntl"),
    *((handlers.os_files.OwnFile, name) for name in ("read", "seek", "truncate")),
]
OF_COMPRESSION = [*CALLS, (os, "fsync"), (os, "utime"), (handlers.os_files.OwnFile, "write")]
OPTIONS = {
    "Size": ("SharedRotatingFileHandler", {"maxBytes": 100, "backupCount": 90, "totalBytes": 1 << 20}),
    "Time": ("SharedTimedRotatingFileHandler", {"when": "s", "maxBytes": 100, "totalBytes": 1 << 20}),
}
CLOSE = os.close
RECORDS = range(100, 112)
FIRST = (1, 8)  # where a lasting trouble begins; without fstat, each time costs a second of waiting


class Fault:
    """Makes the `number`th call of a function fail while a record is written; with `for_good`, the later ones, too."""

    def __init__(self, owner, name, number, error, *, for_good):
        """Prepare the fault."""
        self.owner, self.name, self.call = owner, name, getattr(owner, name)
        self.number, self.error, self.for_good, self.count = number, error, for_good, 0

    def __call__(self, *args, **kwargs):
        """Fail, or do what the function does."""
        self.count += 1
        if self.count == self.number or (self.for_good and self.count > self.number):
            if self.call is CLOSE:  # which frees the descriptor even if it fails, see close(2)
                self.call(*args)
            raise OSError(self.error, os.strerror(self.error))
        return self.call(*args, **kwargs)

    @contextmanager
    def in_place(self, monkeypatch):
        """Take the place of the function, or of the method, to which the object is handed, unlike to `self`."""
        is_method = isinstance(self.owner, type)
        with monkeypatch.context() as patch:
            patch.setattr(self.owner, self.name, (lambda *args: self(*args)) if is_method else self.__call__)  # noqa: PLW0108
            yield


def write(handler):
    """Write the records."""
    for number in RECORDS:
        handler.emit(record(1_700_000_000 + number / 4, f"n{number}n {'x' * 40}"))
        handler._close_window()  # noqa: SLF001  as if half a second had passed


@SIZES
@KINDS
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize(("owner", "name"), CALLS, ids=[name for _, name in CALLS])
def test_a_call_that_fails_costs_no_record(tmp_path, monkeypatch, kind, owner, name, for_good, full):
    """Without this, a moment without descriptors, locks or room costs records, or stops the application."""
    monkeypatch.setattr(logging, "raiseExceptions", False)  # what is said on stderr is tested elsewhere
    cls, options = OPTIONS[kind]
    errors = itertools.cycle(ERRORS)
    for number in FIRST if for_good else itertools.count(1):
        for error in ERRORS if full else [next(errors)]:
            log = tmp_path / f"{number}-{error}" / "django.log"
            handler = getattr(handlers, cls)(log, **options)
            handler.emit(record(1_700_000_000, "first"))  # afterwards there is a file to write
            fault = Fault(owner, name, number, error, for_good=for_good)
            with fault.in_place(monkeypatch):
                write(handler)
            handler.close()
            assert_each_once(log, RECORDS)
        if fault.count < number:
            return


@SIZES
@KINDS
@pytest.mark.parametrize(("owner", "name"), OF_COMPRESSION, ids=[name for _, name in OF_COMPRESSION])
def test_a_call_that_fails_while_a_file_is_compressed(tmp_path, monkeypatch, kind, owner, name, full):
    """Without this, a moment of trouble leaves half a file, or takes the original before its copy is complete."""
    cls, options = OPTIONS[kind]
    errors = itertools.cycle(ERRORS)
    for number in itertools.count(1):
        for error in ERRORS if full else [next(errors)]:
            log = tmp_path / f"{number}-{error}" / "django.log"
            handler = getattr(handlers, cls)(log, **options)
            write(handler)
            handler.close()
            fault = Fault(owner, name, number, error, for_good=False)
            handler, other = (getattr(handlers, cls)(log, **options, compress=True) for _ in range(2))
            with fault.in_place(monkeypatch), suppress(OSError):  # as its thread does
                handler._compressor._compress()  # noqa: SLF001
            other._compressor._compress()  # noqa: SLF001  the next thread's try
            text = unpacked_text(log)
            assert {n: text.count(f"n{n}n") for n in RECORDS} == dict.fromkeys(RECORDS, 1)
            assert not log.with_name(".django.log.gz").exists()
            assert {path.suffix for path in own_files(log)[1:]} == {".gz"}
        if fault.count < number:
            return


@KINDS
@pytest.mark.parametrize("error", ERRORS)
def test_a_write_that_fails_costs_that_record_at_most(tmp_path, monkeypatch, kind, error):
    """Without this, one error of a disk ends the log."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    cls, options = OPTIONS[kind]
    file = handlers.os_files.OwnFile
    for number in range(1, 13):
        log = tmp_path / str(number) / "django.log"
        handler = getattr(handlers, cls)(log, **options)
        fault = Fault(file, "write", number, error, for_good=False)
        with fault.in_place(monkeypatch):
            write(handler)
        handler.close()
        text = "".join(path.read_text() for path in log.parent.glob("django.log*"))
        assert sum(text.count(f"n{number}n") for number in RECORDS) >= len(RECORDS) - 1
        assert all(text.count(f"n{number}n") <= 1 for number in RECORDS)
