"""Others may write, or only read, the folder of the logs, or raise at any moment: the handlers do as they should."""

import gzip
import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path

import pytest
from handler_support import (
    BEGIN,
    BY_TIME,
    CLASSES,
    DAY,
    assert_each_once,
    compression,
    options_of,
    own_files,
    record,
    write,
)
from servers import wait_for

if sys.platform == "win32":
    pytest.skip("links, pipes and signals are those of POSIX", allow_module_level=True)

import fcntl

TRIES = 3000  # of an exception, each at another moment


@pytest.fixture
def other(tmp_path):
    """Return a file that is none of the log's."""
    path = tmp_path / "other"
    path.write_text("SECRET_KEY=abc\n", encoding="utf-8")
    return path


@CLASSES
def test_no_link_makes_a_file_a_part_of_the_log(log, make, monkeypatch, other, cls):
    """Without this, who may write the folder reads the server's files on the page."""
    monkeypatch.setattr(compression, "FIRST_PAUSE", 0.02)
    log.parent.mkdir()
    rotated = log.with_name("django.log.2024-01-01" if "Timed" in cls else "django.log.7")
    rotated.symlink_to(other)
    write(make(cls, log, **options_of(cls, maxBytes=250, backupCount=20, compress=True)), range(6))
    wait_for(lambda: len(list(log.parent.glob("django.log*.gz"))) > 1)
    assert rotated.is_symlink()
    packed = [path for path in own_files(log) if path.suffix == ".gz"]
    assert not any(b"SECRET" in gzip.decompress(path.read_bytes()) for path in packed)


@CLASSES
def test_nothing_is_compressed_into_what_a_link_leads_to(log, make, monkeypatch, other, cls):
    """Without this, who may write the folder has the server write into its own files."""
    monkeypatch.setattr(compression, "FIRST_PAUSE", 0.02)
    log.parent.mkdir()
    temporary, remove = log.with_name(".django.log.gz"), os.remove

    def make_link_again(path):
        remove(path)
        if str(path) == str(temporary):
            temporary.symlink_to(other)

    monkeypatch.setattr(os, "remove", make_link_again)
    temporary.symlink_to(other)
    write(make(cls, log, **options_of(cls, maxBytes=250, backupCount=20, compress=True)), range(6))
    time.sleep(0.5)
    assert other.read_text() == "SECRET_KEY=abc\n"


@CLASSES
def test_who_may_read_the_log_cannot_lock_it(log, make, cls):
    """Without this, a reader of the logs ends rotation, and each process waits for seconds."""
    handler = make(cls, log, **options_of(cls, maxBytes=250, backupCount=20))
    write(handler, range(6))
    assert stat.S_IMODE(log.with_name(".django.log.lock").stat().st_mode) & 0o077 == 0


@CLASSES
def test_a_log_that_was_made_read_only_can_be_opened_again(log, make, cls):
    """Without this, its mode is handed on to each new file, and nobody can open those."""
    handler = make(cls, log, **options_of(cls, maxBytes=250, backupCount=20))
    write(handler, range(1))
    log.chmod(0o440)
    write(handler, range(1, 6))
    assert len(own_files(log)) > 2
    assert stat.S_IMODE(log.stat().st_mode) == 0o640


@CLASSES
def test_a_file_that_somebody_has_locked_is_not_compressed_while_it_is_written(log, make, monkeypatch, cls):
    """Without this, records that come slowly go into a file that is compressed and removed."""
    monkeypatch.setattr(compression, "FIRST_PAUSE", 0.02)
    log.parent.mkdir()
    log.write_text("old\n")
    options = options_of(cls, backupCount=20, compress=True, **({} if "Timed" in cls else {"maxBytes": 1 << 20}))
    slow, quick = make(cls, log, **options), make(cls, log, **options)
    with log.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        now = time.time()
        write(slow, range(10), now)
    write(slow, range(10, 11), now)
    quick.doRollover()
    time.sleep(0.3)
    write(slow, range(11, 20), now)
    time.sleep(0.3)
    for handler in (slow, quick):
        handler.close()
    text = "".join(
        (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
        for path in own_files(log)
    )
    assert [number for number in range(20) if text.count(f"n{number}n") != 1] == []


@pytest.mark.parametrize("cls", ["SharedRotatingFileHandler", "SharedTimedRotatingFileHandler", "WatchedFileHandler"])
@pytest.mark.parametrize("name", ["django.log", ".django.log.lock"])
def test_nobody_waits_for_the_reader_of_a_pipe(log, make, cls, name):
    """Without this, who may make a pipe in the folder stops the server."""
    handler = make(cls, log, **({} if "Watched" in cls else options_of(cls, maxBytes=250, backupCount=9)))
    write(handler, range(1))
    pipe = log.with_name(name)
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    if "Watched" not in cls:
        handler._close_window()  # noqa: SLF001  as if half a second had passed
    elif name != log.name:
        log.rename(f"{log}.1")
    thread = threading.Thread(target=write, args=(handler, range(1, 4)), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


@CLASSES
def test_an_exception_of_a_signal_keeps_no_lock(log, make, cls):
    """Without this, Celery's soft time limit, or Ctrl+C that is caught, stops each thread that logs, for good."""

    class Stop(BaseException):
        """What no handler catches."""

    def stop(*_):
        raise Stop

    handler = make(cls, log, **options_of(cls, backupCount=0))
    line, before = record(), signal.signal(signal.SIGALRM, stop)
    try:
        for number in range(TRIES):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + number % 40 * 1e-6)
                for _ in range(2000):
                    handler.handle(line)
            except Stop:
                pass
    finally:
        signal.signal(signal.SIGALRM, before)
    thread = threading.Thread(target=handler.handle, args=(record(message="n1n"),), daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert "n1n" in log.read_text()


def test_a_file_that_was_emptied_is_of_the_day_that_another_process_says(log, make):
    """Without this, a clock that was ahead once files the records of today under a day to come."""
    first, second = (make("SharedTimedRotatingFileHandler", log, **BY_TIME) for _ in range(2))
    for number, handler in enumerate((first, second)):
        write(handler, [number], time.time() + 400 * DAY)
    os.truncate(log, 0)
    write(second, range(2, 3), time.time())
    write(first, range(3, 4), time.time())
    assert own_files(log) == [log]
    assert_each_once(log, range(2, 4))


@CLASSES
def test_a_filter_of_a_subclass_is_asked(log, make, cls):
    """Without this, what the project's own class refuses is written."""
    own = type("Own", (type(make(cls, log)),), {"filter": lambda _self, line: "secret" not in line.getMessage()})
    handler = own(log, **options_of(cls))
    for message in ("secret n0n", "n1n"):
        handler.handle(record(BEGIN, message))
    handler.close()
    assert "secret" not in log.read_text()
    assert_each_once(log, [1])


def test_days_by_size_do_not_leave_the_day_before_them(log, make):
    """Without this, all of them go into the file of the last day by time, and are removed as too old."""
    now = time.time()
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME)
    write(handler, range(1), now - 10 * DAY)
    handler.close()
    os.utime(log, (now - 10 * DAY,) * 2)
    handler = make("SharedRotatingFileHandler", log, maxBytes=1 << 20, backupCount=5)
    write(handler, range(1, 2), now - 1 * DAY)
    handler.close()
    os.utime(log, (now - 1 * DAY,) * 2)
    write(make("SharedTimedRotatingFileHandler", log, **BY_TIME), range(2, 3), now)
    day = time.strftime("%Y-%m-%d", time.gmtime(now - DAY))
    assert [path.name for path in own_files(log)] == ["django.log", f"django.log.{day}"]


@CLASSES
def test_a_pipe_in_the_log_s_place_that_is_not_read(log, make, capfd, cls):
    """Without this, who may write the folder stops each process that logs as soon as the pipe is full."""
    handler = make(cls, log, **options_of(cls, maxBytes=1 << 20, backupCount=9))
    write(handler, range(1))
    log.rename(f"{log}.old")
    os.mkfifo(log)
    held = os.open(log, os.O_RDWR)
    handler._close_window()  # noqa: SLF001  as if half a second had passed
    thread = threading.Thread(target=write, args=(handler, range(1, 2000)), daemon=True)
    thread.start()
    thread.join(20)
    os.close(held)
    assert not thread.is_alive()
    log.unlink()
    assert_each_once(log, range(2000))
    assert "rotation delayed" in capfd.readouterr().err


@CLASSES
def test_nothing_is_compressed_into_a_file_of_another_account(log, make, monkeypatch, cls):
    """Without this, who may write the folder, but not read the log, reads what is compressed."""
    monkeypatch.setattr(compression, "FIRST_PAUSE", 0.02)
    log.parent.mkdir()
    temporary, remove, kept = log.with_name(".django.log.gz"), os.remove, []

    def make_file_again(path):
        remove(path)
        if str(path) == str(temporary):
            kept.append(temporary.open("w+b"))

    monkeypatch.setattr(os, "remove", make_file_again)
    temporary.touch()
    write(make(cls, log, **options_of(cls, maxBytes=250, backupCount=20, compress=True)), range(6))
    wait_for(lambda: len(kept) > 1)
    for file in kept:
        with file:
            assert file.read() == b""


@CLASSES
def test_a_rotated_file_becomes_a_pipe_before_it_is_compressed(log, make, monkeypatch, cls):
    """Without this, the thread waits for the pipe's writer, and with it each fork, and all other processes' files."""
    monkeypatch.setattr(compression, "FIRST_PAUSE", 0.02)
    handler = make(cls, log, **options_of(cls, maxBytes=250, backupCount=20, compress=True))
    opened, open_quiet = [], compression.os_files.open_quiet

    def open_late(path):
        if not opened:
            Path(path).rename(f"{path}-away")
            os.mkfifo(path)
        opened.append(path)
        return open_quiet(path)

    monkeypatch.setattr(compression.os_files, "open_quiet", open_late)
    write(handler, range(6))
    wait_for(lambda: any(path.suffix == ".gz" for path in own_files(log)))
    assert opened


@pytest.mark.parametrize("cls", ["WatchedFileHandler", "SharedRotatingFileHandler", "SharedTimedRotatingFileHandler"])
def test_a_link_in_the_place_of_the_running_log(log, make, other, capfd, cls):
    """Without this, who may write in the folder chooses any file for the server, perhaps as root, to write into."""
    handler = make(cls, log, **({} if cls.startswith("Watched") else options_of(cls)))
    write(handler, [0], time.time())
    log.rename(log.with_name("elsewhere"))
    log.symlink_to(other)
    before, rotates = other.read_text(), hasattr(handler, "_close_window")
    if rotates:
        handler._close_window()  # noqa: SLF001  as if half a second had passed
    write(handler, [1], time.time())
    assert other.read_text() == before
    assert str(log) in capfd.readouterr().err
    log.unlink()
    if rotates:
        handler._close_window()  # noqa: SLF001
    write(handler, [2], time.time())
    if rotates:
        assert [f"n{number}n" in log.with_name("elsewhere").read_text() for number in range(2)] == [True, True]
    assert "n2n" in log.read_text()
