"""Rotated files are compressed by whichever process finds one, and never while somebody can still write them."""

import gzip
import os
import threading
import time
from contextlib import suppress

import handler_scenes as scenes
import pytest
from conftest import WINDOWS_PYTHON, windows
from handler_support import compression, handlers, own_files, record, unpacked_text
from servers import wait_for
from storm import SECONDS_SUFFIX, Storm

OPTIONS = {
    "SharedRotatingFileHandler": {"maxBytes": 2000, "backupCount": 5},
    "SharedTimedRotatingFileHandler": {"maxBytes": 2000, "when": "midnight", "totalBytes": 100_000},
}
KINDS = pytest.mark.parametrize("cls", OPTIONS)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(compression, "FIRST_PAUSE", 0.02)


def write(handler, numbers):
    """Write a line for each number."""
    for number in numbers:
        handler.emit(record(message=f"n{number}n {'x' * 90}"))


def plain_files(log):
    """Return the rotated files that are not compressed."""
    return [path for path in own_files(log) if path != log and path.suffix != ".gz"]


@KINDS
def test_rotated_files_become_gzip_files_and_go_on_to_be_counted(log, make, cls):
    """Without this, 90 days of a busy site take ten times the disk, or compressed files are never removed."""
    handler = make(cls, log, compress=True, **OPTIONS[cls])
    for begin in range(0, 300, 20):
        write(handler, range(begin, begin + 20))
        wait_for(lambda: not plain_files(log))
    packed = [path for path in own_files(log) if path.suffix == ".gz"]
    assert len(packed) == 5 if "Timed" not in cls else len(packed) > 10
    lines = [int(line.split("n")[1]) for line in unpacked_text(log).splitlines()]
    assert lines == list(range(lines[0], 300))
    assert {path.stat().st_mode & 0o777 for path in packed} == {log.stat().st_mode & 0o777}
    hidden = {path.name for path in log.parent.iterdir() if path.name[0] == "."}
    assert hidden == {".django.log.lock", ".django.log.gz.lock"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in the file system are of POSIX")
def test_a_pipe_in_the_place_of_a_compressed_file(log, make):
    """Without this, the thread waits for the pipe's other end, with the lock of rotation, until the process ends."""
    log.parent.mkdir()
    os.mkfifo(log.with_name("django.log.1.gz"))
    handler = make("SharedRotatingFileHandler", log, compress=True, maxBytes=2000, backupCount=9)
    write(handler, range(25))
    time.sleep(0.5)
    other = make("SharedRotatingFileHandler", log, maxBytes=2000, backupCount=9)
    write(other, range(25, 70))
    assert log.stat().st_size <= 2000


def test_the_only_name_of_a_namer_is_used_again(log, make):
    """Without this, the first file is kept for ever, compressed, and no later one is."""
    handler = make("SharedRotatingFileHandler", log, compress=True, maxBytes=2000, backupCount=1)
    handler.namer = lambda _: f"{log}.old"
    for begin in range(0, 100, 20):
        write(handler, range(begin, begin + 20))
        wait_for(lambda: not plain_files(log))
    old = log.with_name("django.log.old.gz")
    assert own_files(log) == [log, old]
    assert "n79n" in gzip.decompress(old.read_bytes()).decode()


@KINDS
def test_a_file_that_another_process_can_write_is_left_alone(log, make, cls):
    """Without this, what a slow process still writes is lost with the original."""
    slow = make(cls, log, **OPTIONS[cls])
    write(slow, [900])
    handler = make(cls, log, compress=True, **OPTIONS[cls])
    write(handler, range(30))
    time.sleep(0.3)
    assert len(plain_files(log)) == 1
    slow.stream.write(b"n901n\n")
    slow.close()
    handler.doRollover()
    wait_for(lambda: not plain_files(log))
    assert all(unpacked_text(log).count(f"n{number}n") == 1 for number in (*range(30), 900, 901))


def test_a_late_record_of_a_compressed_day(log, make):
    """Without this, a record that comes late is lost, or overwrites the compressed file."""
    handler = make("SharedTimedRotatingFileHandler", log, compress=True, when="midnight", utc=True)
    day = 20_000 * 86400
    handler.emit(record(day, "first"))
    handler.emit(record(day + 86400, "second"))
    wait_for(lambda: not plain_files(log))
    for number in range(3):
        handler.emit(record(day + 2, f"late {number}"))
    names = [path.name for path in own_files(log)]
    assert names == ["django.log", "django.log.2024-10-04.1", "django.log.2024-10-04.gz"]
    assert log.with_name("django.log.2024-10-04.1").read_text().count("late") == 3


@KINDS
def test_what_a_killed_process_left_is_finished(log, make, cls):
    """Without this, a kill in the last moment leaves records twice, or half a file for ever."""
    handler = make(cls, log, **OPTIONS[cls])
    write(handler, range(30))
    [rotated] = plain_files(log)
    packed = rotated.with_name(f"{rotated.name}.gz")
    packed.write_bytes(gzip.compress(rotated.read_bytes()))  # killed before it has removed the original
    log.with_name(".django.log.gz").write_bytes(b"half")
    handler.close()
    handler = make(cls, log, compress=True, **OPTIONS[cls])
    write(handler, range(30, 31))
    wait_for(lambda: not plain_files(log))
    assert unpacked_text(log).count("n0n") == 1
    wait_for(lambda: not log.with_name(".django.log.gz").exists())


@KINDS
def test_somebody_else_s_file_of_that_name_is_kept(log, make, cls):
    """Without this, an archive that somebody has made is overwritten."""
    handler = make(cls, log, compress=True, **OPTIONS[cls])
    write(handler, range(15))
    other = log.with_name("django.log.1.gz" if "Timed" not in cls else time.strftime("django.log.%Y-%m-%d.gz"))
    other.write_bytes(gzip.compress(b"somebody's"))
    write(handler, range(15, 30))
    time.sleep(0.3)
    contents = [gzip.decompress(path.read_bytes()) for path in own_files(log) if path.suffix == ".gz"]
    assert b"somebody's" in contents
    assert all(unpacked_text(log).count(f"n{number}n") == 1 for number in range(30))


@pytest.mark.skipif(not scenes.DESCRIPTORS.exists(), reason="looks for open files in /proc")
def test_a_fork_in_the_middle_of_a_file(log, make, monkeypatch):
    """Without this, the child holds the file of its parent for as long as it lives, or nobody goes on with it."""
    monkeypatch.setattr(compression, "PIECE", 50)
    handler = make("SharedRotatingFileHandler", log, maxBytes=200_000, backupCount=3, compress=True)
    write(handler, range(2500))
    wait_for(log.with_name(".django.log.gz").exists)
    assert not child_leaks(lambda path: path.endswith((".gz", ".1")))
    monkeypatch.setattr(compression, "PIECE", 1 << 18)
    handler._close_window()  # noqa: SLF001  as if half a second had passed
    write(handler, [9999])  # the next look goes on with it
    wait_for(lambda: not plain_files(log), seconds=60)
    assert unpacked_text(log).count("\n") == 2501


def child_leaks(is_leak, act=lambda: None):
    """Fork, and tell whether the child fails at what it does, or has a file open then, of which `is_leak` says so."""
    child = os.fork()
    if not child:
        leaked = True
        try:
            act()
            leaked = any(map(is_leak, map(target_of, scenes.DESCRIPTORS.iterdir())))
        finally:  # whatever happens, the child is no second run of the tests
            os._exit(leaked)
    return os.waitpid(child, 0)[1] != 0


def target_of(descriptor):
    """Return what a descriptor in /proc refers to, if it still does."""
    with suppress(OSError):
        return str(descriptor.readlink())
    return ""


@windows
def test_files_are_compressed_on_windows(log):
    """The same by four processes, where open files cannot be replaced."""
    options = {"when": "s", "maxBytes": 8000, "totalBytes": 1 << 30, "backupCount": 900, "compress": True}
    storm = Storm("Time", log, [WINDOWS_PYTHON, "-X", "dev"], options=options, seconds=4, pause=0.005)
    storm.start(2)
    storm.wait()
    storm.assert_intact(SECONDS_SUFFIX)
    assert len([path for path in storm.files() if path.suffix == ".gz"]) >= 2


def test_a_rotator_of_the_project_s_own_compresses_as_it_likes(log, make):
    """Without this, its files are compressed twice."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=200, backupCount=3, compress=True)
    handler.rotator = handlers.os_files.rename
    write(handler, range(9))
    time.sleep(0.2)
    assert len(plain_files(log)) == 3


@pytest.mark.skipif(not scenes.DESCRIPTORS.exists(), reason="looks for open files in /proc")
def test_a_fork_while_the_disk_takes_its_time(log, make, monkeypatch):
    """Without this, a child has the files of its parent's thread open for all its life, and locks them."""
    monkeypatch.setattr(compression, "LOCK_SECONDS", 0.1)
    is_slow, go, fsync = threading.Event(), threading.Event(), os.fsync

    def sync_slowly(descriptor):
        is_slow.set()
        go.wait(30)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync_slowly)
    write(make("SharedRotatingFileHandler", log, maxBytes=250, backupCount=20, compress=True), range(4))
    assert is_slow.wait(20)
    assert not child_leaks(lambda path: path.endswith((".gz", ".1")))
    go.set()


@pytest.mark.skipif(not scenes.DESCRIPTORS.exists(), reason="looks for open files in /proc")
def test_a_fork_while_a_thread_opens_the_file(log, make, monkeypatch):
    """Without this, the child has that file open, and locked, for all its life."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=200, backupCount=20)
    write(handler, [0])
    is_there, go, hold = threading.Event(), threading.Event(), handlers.os_files.hold

    def hold_slowly(descriptor):
        result = hold(descriptor)
        if threading.current_thread() is thread:
            is_there.set()
            go.wait(30)
        return result

    monkeypatch.setattr(handlers.os_files, "hold", hold_slowly)
    thread = threading.Thread(target=write, args=(handler, range(1, 3)))
    thread.start()
    assert is_there.wait(20)

    def log_and_close():
        handler.handle(record(message="n9n"))
        handler.close()

    assert not child_leaks(lambda path: str(log) in path, log_and_close)
    go.set()
    thread.join(30)
    assert "n9n" in unpacked_text(log)
