"""The disk is full, the folder read-only, descriptors are used up: the application goes on."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import handler_scenes as scenes
import pytest
from handler_support import (
    BEGIN,
    BY_TIME,
    DAY,
    KINDS,
    ProcessLock,
    assert_each_once,
    handlers,
    needs_root,
    own_files,
    play,
    record,
    unpacked_text,
    whole_lines,
    write,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the limits are those of POSIX")


@KINDS
def test_a_full_quota_costs_no_record_that_fits(log, kind):
    """Without this, a full disk turns each log line into an exception, or tears it."""
    [error] = play(scenes.fill_quota, log, kind).splitlines()
    assert str(log) in error
    lines = whole_lines(log)
    size = len(lines[0]) + 1
    assert len(lines) in range(5000 // size, 5000 // size + 12)
    assert all(f"n{number}n" in lines[number - 310] for number in range(300, 310))


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk that is soon full."""
    needs_root("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@KINDS
def test_a_full_disk_costs_no_record_that_fits(small_disk, kind):
    """Without this, writing does not resume when the disk has room again."""
    log = small_disk / "logs" / "django.log"
    [error] = play(scenes.fill_disk, log, kind).splitlines()
    assert "No space left on device" in error
    assert str(log) in error
    lines = whole_lines(log)
    assert 15 <= len(lines) < 3010
    assert all("n30" in line for line in lines[-10:])


@KINDS
def test_too_many_open_files(log, kind):
    """Without this, a leak of descriptors elsewhere takes the log with it."""
    errors = play(scenes.use_up_descriptors, log, kind).splitlines()
    assert 1 <= len(errors) <= 2
    assert all("Too many open files" in error and str(log) in error for error in errors)
    assert_each_once(log, range(10, 40))


@pytest.fixture
def forbidden():
    """Return a log in a folder that anybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        log = folder / "logs" / "django.log"
        log.parent.mkdir()
        yield log
        log.parent.chmod(0o755)


@pytest.mark.parametrize("kind", ["Size", "Time", "Watched"])
def test_a_folder_that_cannot_be_written(forbidden, kind):
    """Without this, a deployment with a wrong owner answers each request with an error."""
    forbidden.parent.chmod(0o555)
    errors = play(scenes.write_without_rights, forbidden, kind, 50).splitlines()
    assert 1 <= len(errors) <= 2
    assert all("Permission denied" in error and str(forbidden) in error for error in errors)
    assert not forbidden.exists()


def test_a_log_that_can_be_written_in_a_folder_that_cannot(forbidden):
    """Without this, a folder that only root may change costs the records, not just the rotation."""
    forbidden.write_text("")
    forbidden.chmod(0o666)
    forbidden.parent.chmod(0o555)
    [error] = play(scenes.write_without_rights, forbidden, "Size", 500, 500).splitlines()
    assert "Permission denied" in error
    assert len(whole_lines(forbidden)) == 500


@KINDS
def test_who_was_given_the_log_may_rotate_it(forbidden, kind):
    """Without this, the log of a team is rotated or compressed only by the one who happened to start it."""
    needs_root("only root may become somebody else")
    os.chown(forbidden.parent, 1001, scenes.NOBODY)
    forbidden.parent.chmod(0o770)
    assert play(scenes.write_as, forbidden, kind, 1001, 0, 2) == ""
    forbidden.chmod(0o660)
    assert play(scenes.write_as, forbidden, kind, 1001, 2, 4) == ""
    assert play(scenes.write_as, forbidden, kind, 1002, 4, 40) == ""
    assert play(scenes.write_as, forbidden, kind, 1001, 40, 80) == ""
    assert len(own_files(forbidden)) >= 3
    text = unpacked_text(forbidden)
    assert [text.count(f"n{number}n") for number in range(80)] == [1] * 80
    modes = {path.stat().st_mode & 0o777 for path in forbidden.parent.iterdir()}
    assert modes == {0o660}


@pytest.mark.parametrize("how", ["descriptor", "stream"])
@KINDS
def test_a_file_that_somebody_closed(log, kind, how):
    """Without this, a daemon that closes all descriptors loses the log."""
    play(scenes.lose_descriptor, log, kind, how, python=[sys.executable])
    assert len(whole_lines(log)) == 4


@KINDS
def test_a_character_that_the_encoding_lacks(log, kind):
    """Without this, one emoji in a user's name costs the record."""
    play(scenes.write_ascii, log, kind)
    assert whole_lines(log)[0].endswith("n\\u2192\\udc80 end")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("cls", ["SharedRotatingFileHandler", "SharedTimedRotatingFileHandler", "WatchedFileHandler"])
def test_a_log_in_any_encoding(log, make, cls, encoding):
    """Without this, a mark of the byte order stands before each line, and no line begins with its time."""
    log.parent.mkdir()
    handler = make(cls, log, encoding=encoding)
    for number in range(3):
        handler.handle(record(message=f"{number} für"))
    assert [line[-5:] for line in log.read_text(encoding=encoding).splitlines()] == ["0 für", "1 für", "2 für"]
    assert "\ufeff" not in log.read_bytes().decode(handler.encoding)
    with pytest.raises(LookupError, match="utf-9"):
        make(cls, log, encoding="utf-9")
    with pytest.raises(ValueError, match="Use utf-8 or utf-16-le"):
        make(cls, log, encoding="UTF16")


def test_a_lock_is_had_as_soon_as_it_is_free(log):
    """Without this, records are in a wrong file for ten seconds after a process that was stopped for one goes on."""
    log.parent.mkdir()
    stopped, other = ProcessLock(str(log)), ProcessLock(str(log))
    stopped.acquire(0)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            other.acquire(0)
    stopped.release()
    other.acquire(0)
    assert other.held


def test_a_lock_whose_file_cannot_be_seen_is_not_kept(log, monkeypatch):
    """Without this, a moment without rights leaves the lock taken, and nobody rotates until a restart."""
    unlucky, other = ProcessLock(str(log)), ProcessLock(str(log))
    lock_file, stat = str(log.with_name(f".{log.name}.lock")), os.stat

    def refuse(path, *args, **kwargs):
        if path == lock_file:
            raise PermissionError(13, "Permission denied", path)
        return stat(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        with pytest.raises(TimeoutError):
            unlucky.acquire(0)
    other.acquire(0)
    assert (unlucky.held, other.held) == (False, True)
    unlucky.close()
    other.close()


def test_a_process_without_the_lock_leaves_the_period_alone(log, make):
    """Without this, a worker that starts while another rotates notes a wrong day, for all of them."""
    day = 86400
    first = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    first.emit(record(20_000 * day + 100))
    note = log.with_name(f".{log.name}.lock")
    lock = ProcessLock(str(log))
    lock.acquire(0)
    noted = note.read_bytes()
    lock.write_note(b"")  # as in the middle of write_note
    second = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    second.emit(record(20_000 * day + 200))
    assert second.shouldRollover(record(20_000 * day + 300))  # as far as it can tell
    second.emit(record(20_000 * day + 300))
    assert note.read_bytes() == b""
    lock.write_note(noted)
    lock.close()
    assert own_files(log) == [log]
    assert len(log.read_text().splitlines()) == 3


def test_a_held_rotation_is_reported_after_a_while_only(log, make, monkeypatch, capfd):
    """Without this, the console tells of each moment in which a scanner held the log, hours after the first."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=100, backupCount=3)
    other = make("SharedRotatingFileHandler", log, maxBytes=100, backupCount=3)
    hours = [0]
    monkeypatch.setattr("applog.rotation.complaints.time.monotonic", lambda: hours[0] * 3600)

    def be_held(_source, _target):
        error = PermissionError("held")
        error.winerror = 32
        raise error

    for hours[0] in (1, 5):
        handler.emit(record(message="x" * 90))
        with monkeypatch.context() as patch:
            patch.setattr(handlers.os_files, "rename", be_held)
            handler._process_lock.retry_at = 0  # noqa: SLF001
            handler.emit(record(message="y" * 90))
        other.emit(record(message="z" * 90))
        handler._close_window()  # noqa: SLF001  as if half a second had passed
        handler.emit(record(message="short"))
    assert len(own_files(log)) > 1
    assert capfd.readouterr().err == ""


def test_a_look_that_fails_before_midnight(log, make, monkeypatch, capfd):
    """Without this, half a second of the next day is in the file of the day before."""
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME, maxBytes=250)
    midnight = BEGIN // DAY * DAY + DAY
    write(handler, range(2), midnight - 10)
    with monkeypatch.context() as patch:
        patch.setattr(ProcessLock, "take", fail(errno.ENOLCK))
        write(handler, range(2, 4), midnight - 0.2)
    write(handler, range(4, 6), midnight + 0.1)
    assert_each_once(log, range(6))
    assert all(f"n{number}n" not in log.read_text() for number in range(4))
    assert all(f"n{number}n" in log.read_text() for number in range(4, 6))
    assert "rotation delayed" in capfd.readouterr().err


def test_a_look_that_fails_at_a_late_record(log, make, monkeypatch):
    """Without this, the late records of half a second are in the file of today."""
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME, maxBytes=10_000)
    write(handler, [0], BEGIN)
    write(handler, [1], BEGIN + DAY)
    with monkeypatch.context() as patch:
        patch.setattr(type(handler.stream), "seek", fail(errno.EIO))
        write(handler, [2], BEGIN + 1)
    write(handler, range(3, 5), BEGIN + 1.1)
    assert_each_once(log, range(5))
    assert re.findall(r"n(\d)n", log.read_text()) == ["1"]


def fail(number):
    """Return a function that raises an OSError."""

    def function(*_args):
        raise OSError(number, os.strerror(number))

    return function
