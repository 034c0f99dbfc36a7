"""What their owner hangs into the handlers, and calls or sets by hand: nothing is lost, and it works as he expects."""

import errno
import logging
import logging.config
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial, wraps
from pathlib import Path

import handler_scenes as scenes
import pytest
from handler_support import (
    BEGIN,
    BY_TIME,
    CLASSES,
    DAY,
    ProcessLock,
    assert_each_once,
    command,
    options_of,
    own_files,
    record,
    text_of,
    write,
)
from storm import PROJECT

LIMITS = {"maxBytes": 250, "backupCount": 50}  # a file takes two lines of 100 bytes
posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes in the file system, fork and signals are of POSIX")


def copy_and_remove(source, dest):
    """Be a rotator as many are."""
    shutil.copy(source, dest)
    Path(source).unlink()


@pytest.mark.parametrize("name", ["old/app.log.{}", "app_{}.log", "app-{}.log", "app.log.00{}"])
@pytest.mark.parametrize("kind", [str, Path])
def test_files_are_kept_under_whatever_names(tmp_path, make, capfd, name, kind):
    """Without this, a namer whose names say no number as ours do ends rotation, and the disk fills."""
    (tmp_path / "old").mkdir()
    handler = make("SharedRotatingFileHandler", tmp_path / "app.log", maxBytes=250, backupCount=3)
    handler.namer = lambda default: kind(tmp_path / name.format(default.rpartition(".")[2]))
    write(handler, range(20))
    rotated = [tmp_path / name.format(number) for number in (1, 2, 3)]
    assert [path.read_text().count("\n") for path in rotated] == [2, 2, 2]
    assert len([path for path in tmp_path.rglob("app*") if path.is_file()]) == 4
    assert "n17n" in rotated[0].read_text()
    assert capfd.readouterr().err == ""


@CLASSES
@pytest.mark.parametrize("number", ["1", "77"])
def test_a_name_that_nobody_can_follow(log, make, cls, number, capfd):
    """Without this, a link in a circle, which anybody who may write the folder can make, ends rotation for good."""
    log.parent.mkdir()
    link = log.with_name(f"django.log.2024-10-0{number[0]}" if "Timed" in cls else f"django.log.{number}")
    link.symlink_to(link)
    write(make(cls, log, **options_of(cls, **LIMITS)), range(20))
    assert len(own_files(log)) >= 10
    assert log.stat().st_size <= 250
    assert capfd.readouterr().err == ""


def test_a_namer_that_fails_costs_no_late_record(log, make):
    """Without this, a mistake in a namer loses what it only could not name."""
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME)
    write(handler, [0], BEGIN)
    write(handler, [1], BEGIN + DAY)
    handler.namer = lambda _: {}["name"]
    write(handler, [2], BEGIN)
    assert_each_once(log, range(3))


@CLASSES
def test_a_rotator_that_fails_behind_half_of_its_work(log, make, cls, capfd):
    """Without this, a rotator that compresses onto a full disk pushes out one good file after the other."""
    handler = make(cls, log, **options_of(cls, maxBytes=250, backupCount=3))
    write(handler, range(7))
    tries = []

    def rotate(source, dest):
        tries.append(dest)
        Path(dest).write_text(Path(source).read_text()[:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    handler.rotator = rotate
    for number in range(7, 13):
        handler._process_lock.retry_at = -math.inf  # noqa: SLF001  as if half a second had passed
        write(handler, [number])
    assert len(tries) > 3
    assert_each_once(log, range(13))
    assert len(own_files(log)) == 4
    assert "No space left" in capfd.readouterr().err

    def empty(source, dest):
        Path(dest).write_text(Path(source).read_text())
        Path(source).write_text("")
        raise OSError(errno.EIO, "not removed")

    handler.rotator = empty
    handler._process_lock.retry_at = -math.inf  # noqa: SLF001
    write(handler, [13])
    assert_each_once(log, range(14))


@CLASSES
def test_a_rotator_that_logs(log, make, cls):
    """Without this, what a rotator says goes into the file that it removes."""
    handler = make(cls, log, **options_of(cls, **LIMITS))
    said = []

    def rotate(source, dest):
        for place in ("before", "behind"):
            said.append(len(said))
            handler.handle(record(BEGIN, f"said {said[-1]}."))
            if place == "before":
                copy_and_remove(source, dest)

    handler.rotator = rotate
    write(handler, range(20))
    assert_each_once(log, range(20))
    text = text_of(log)
    assert said
    assert [number for number in said if text.count(f"said {number}.") != 1] == []


@pytest.mark.parametrize("kind", ["Size", "Time"])
def test_an_overridden_rotate_has_the_file_to_itself(log, kind):
    """Without this, other processes write into a file while a subclass copies it."""
    done = [
        subprocess.Popen(command(scenes.rotate_in_a_subclass, log, kind, first), stderr=subprocess.PIPE, text=True)
        for first in (1000, 2000)
    ]
    assert [process.communicate(timeout=60)[1] for process in done] == ["", ""]
    assert_each_once(log, [*range(1000, 1600), *range(2000, 2600)])


@CLASSES
def test_a_rotation_within_a_rotation(log, make, cls):
    """Without this, a signal's handler that rotates by hand replaces the file that was just rotated."""
    handler = make(cls, log, **options_of(cls, **LIMITS))

    def name(default):
        handler.doRollover()
        return default

    handler.namer = name
    write(handler, range(20))
    assert_each_once(log, range(20))


@CLASSES
def test_whether_it_is_due_may_be_asked_from_another_thread(log, make, cls):
    """Without this, the question gives back the lock in the middle of a rotation, or raises."""
    handler, over, errors = make(cls, log, **options_of(cls, maxBytes=250, backupCount=5000)), threading.Event(), []

    def ask():
        while not over.is_set():
            try:
                handler.shouldRollover(record(BEGIN))
            except OSError as error:
                errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    write(handler, range(400))
    over.set()
    thread.join()
    assert not errors
    assert_each_once(log, range(400))


@pytest.mark.parametrize("created", [1e18, 1.7e15, -1e12, math.inf, -math.inf, math.nan])
@CLASSES
def test_a_time_that_no_clock_has(log, make, cls, created):
    """Without this, a record is lost because somebody has made it from milliseconds."""
    handler = make(cls, log, **options_of(cls, **LIMITS))
    write(handler, [0, 1])
    write(handler, [2], created)
    write(handler, [3])
    assert_each_once(log, range(4))


def test_a_file_that_was_emptied_and_begun_anew_by_another_process(log, make):
    """Without this, the first record of a day goes into the file of the day before."""
    cls, options = "SharedTimedRotatingFileHandler", {"when": "midnight", "utc": True}
    one, two = make(cls, log, **options), make(cls, log, **options)
    for number, handler in enumerate((one, two)):
        write(handler, [number])
    os.truncate(log, 0)
    write(two, [2], BEGIN + DAY)
    write(one, [3], BEGIN + DAY)
    assert [path.name for path in own_files(log)] == [log.name]
    assert_each_once(log, [2, 3])


def test_the_note_of_a_period_ends_with_the_file(log, make):
    """Without this, a file that gets an old one's inode number is taken for that day's."""
    options = {"maxBytes": 250, "backupCount": 2}
    write(make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True), [0])
    write(make("SharedRotatingFileHandler", log, **options), range(1, 9), None)
    lock = ProcessLock(str(log))
    assert lock.take()
    try:
        assert lock.read_note() == b""
    finally:
        lock.close()


@CLASSES
def test_negative_numbers_are_no_limits(log, make, cls):
    """Without this, -1, which is no limit in the standard library, removes all that there is."""
    if "Timed" in cls:
        handler = make(cls, log, backupCount=-1, when="midnight", utc=True)
        for day in range(5):
            write(handler, [day], BEGIN + day * DAY)
        assert len(own_files(log)) == 5
    handler = make(cls, log.with_name("other.log"), **options_of(cls, maxBytes=-1, totalBytes=1000, backupCount=50))
    write(handler, range(40))
    assert sum(path.stat().st_size for path in own_files(log.with_name("other.log"))) <= 1000


@posix
@pytest.mark.parametrize("kind", ["Size", "Time"])
def test_standard_output_as_a_file(kind):
    """Without this, a container whose log is /dev/stdout has none."""
    done = subprocess.run(command(scenes.write_some, "/dev/stdout", kind), capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["n0n", "n1n", "n2n"]
    assert not Path("/dev/.stdout.lock").exists()
    assert done.stderr == ""


@posix
@CLASSES
def test_a_pipe_with_limits(tmp_path, make, cls, capfd):
    """Without this, each look at a pipe complains of a size that it does not have."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    handler = make(cls, pipe, **options_of(cls, **LIMITS))
    write(handler, range(9))
    assert os.read(reader, 1 << 16).count(b"\n") == 9
    assert capfd.readouterr().err == ""
    os.close(reader)


@posix
@pytest.mark.parametrize("compress", [False, True])
def test_last_words_of_an_object_while_the_interpreter_ends(log, compress):
    """Without this, Python 3.11 waits for ever for the thread that would compress."""
    options = ["compress"] if compress else []
    subprocess.run(command(scenes.write_from_a_finalizer, log, *options), check=True, timeout=20)
    assert "n1n" in log.read_text()


@posix
@pytest.mark.parametrize(("size", "files"), [(60, 5), (100_000, 1)])
def test_files_are_compressed_between_forks(log, size, files):
    """Without this, a process that forks each second never compresses anything, or only if each record needs a look."""
    subprocess.run(command(scenes.fork_again_and_again, log, size, 0.4, 12), check=True, timeout=60)
    assert len(list(log.parent.glob("django.log.*.gz"))) >= files


@posix
def test_a_fork_does_not_wake_what_is_closed(log):
    """Without this, a thread works in a folder that the handler has nothing to do with any more."""
    done = subprocess.run(command(scenes.fork_after_close, log), check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout == "MainThread\n"


@CLASSES
def test_a_namer_that_logs_while_a_file_is_compressed(log, make, capfd, cls):
    """Without this, its record waits for the lock that the compressing thread has, and says that it waits."""
    handler = make(cls, log, **options_of(cls, **LIMITS, compress=True))

    def name(default):
        handler.handle(record(BEGIN, "naming"))
        return default

    handler.namer = name
    write(handler, range(8))
    until = time.monotonic() + 20
    while not (packed := list(log.parent.glob("django.log.*.gz"))) and time.monotonic() < until:
        time.sleep(0.1)
    assert packed
    assert capfd.readouterr().err == ""


@posix
def test_a_file_for_late_records_has_the_mode_of_the_log(log, make):
    """Without this, the group that reads the log does not read what came late."""
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    write(handler, [0], BEGIN + DAY)
    log.chmod(0o664)
    write(handler, [1])
    assert (log.parent / "django.log.2024-10-04").stat().st_mode & 0o777 == 0o664


@CLASSES
def test_a_value_error_of_somebody_else_writes_nothing_twice(log, make, cls):
    """Without this, what a signal's handler raises behind the write is taken for a file that was closed."""
    handler = make(cls, log, **options_of(cls, **LIMITS))
    write(handler, [0], time.time())
    written = handler.stream.write

    class Interrupted(type(handler.stream)):
        def write(self, data):
            written(data)
            raise ValueError

    handler.stream.__class__ = Interrupted
    write(handler, [1], time.time())
    assert_each_once(log, [0, 1])


@CLASSES
def test_a_rotator_that_logs_much(log, make, cls, capfd):
    """Without this, what an upload at DEBUG says is more than Python can have calls within calls."""
    handler = make(cls, log, **options_of(cls, **LIMITS))

    def rotate(source, dest):
        for number in range(3000):
            handler.handle(record(BEGIN, f"said {number}."))
        copy_and_remove(source, dest)

    handler.rotator = rotate
    write(handler, range(3))
    text = text_of(log)
    assert [number for number in range(3000) if text.count(f"said {number}.") != 1] == []
    assert_each_once(log, range(3))
    assert capfd.readouterr().err == ""


@posix
@CLASSES
def test_a_child_that_is_forked_by_a_rotator(log, make, cls):
    """Without this, what waits until the file is moved is written by the child, too."""
    handler = make(cls, log, **options_of(cls, **LIMITS))

    def rotate(source, dest):
        copy_and_remove(source, dest)
        handler.handle(record(BEGIN, "said once"))
        if not (child := os.fork()):
            handler._process_lock.close()  # noqa: SLF001  its parent's
            handler.rotator = None
            handler.handle(record(BEGIN, "of the child"))
            os._exit(0)
        os.waitpid(child, 0)
        handler.rotator = None

    handler.rotator = rotate
    write(handler, range(3))
    assert text_of(log).count("said once") == 1


@CLASSES
@pytest.mark.parametrize("own", ["emit", "filter", "format"])
def test_a_subclass_has_the_lock_of_the_handler(log, make, cls, own):
    """Without this, a method that counts, as the standard library lets it, counts wrongly."""
    inherited, held = getattr(logging.Handler, own, None) or getattr(logging.Filterer, own), []

    def look(self, line):
        def try_lock():
            is_free = self.lock.acquire(blocking=False)
            if is_free:
                self.lock.release()
            held.append(not is_free)

        other = threading.Thread(target=try_lock)
        other.start()
        other.join()
        return (super(type(self), self).emit if own == "emit" else partial(inherited, self))(line)

    handler = type("Own", (type(make(cls, log)),), {own: look})(log, **options_of(cls))
    write(handler, range(2))
    handler.close()
    assert held == [own != "filter"] * 2  # nor does the standard library filter under the lock
    assert_each_once(log, range(2))


def test_a_subclass_may_name_the_rotated_files(log, make):
    """Without this, the documented method is not asked."""

    class Own(type(make("SharedRotatingFileHandler", log))):
        def rotation_filename(self, default_name):
            return default_name.replace("django.log.", "old-")

    handler = Own(log, **LIMITS)
    write(handler, range(20))
    handler.close()
    assert len(list(log.parent.glob("old-*"))) == 9


@CLASSES
def test_a_wrong_option_leaves_the_standard_error_output_open(log, make, cls):
    """Without this, logging.shutdown, or the next configuration, closes it with the half-made handler, or fails."""
    options = {"when": "often"} if "Timed" in cls else {"encoding": "rot13"}
    with pytest.raises((ValueError, LookupError)) as kept:
        make(cls, log, **options)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    assert not sys.stderr.closed
    assert kept.value.__traceback__  # in which the handler still is


@CLASSES
def test_a_closed_handler_is_opened_again_by_gunicorn(log, make, cls):
    """Without this, each record after its SIGUSR1 opens and closes the file."""
    handler = make(cls, log, **options_of(cls))
    write(handler, range(1), time.time())
    handler.close()
    handler.stream = handler._open()  # noqa: SLF001  as gunicorn does
    write(handler, range(1, 2), time.time())
    assert handler.stream
    assert_each_once(log, range(2))


def test_a_rotation_by_hand_in_a_new_period(log, make):
    """Without this, a record that a slow thread made before goes into the file of the new one."""
    handler = make("SharedTimedRotatingFileHandler", log, when="S", utc=True, backupCount=9)
    late = time.time()
    write(handler, [0], late)
    time.sleep(1.05 - time.time() % 1)
    handler.doRollover()
    write(handler, [1], late)
    assert log.read_text() == ""
    assert_each_once(log, range(2))


@posix
@pytest.mark.parametrize("cls", ["SharedRotatingFileHandler", "SharedTimedRotatingFileHandler", "WatchedFileHandler"])
def test_a_signal_does_not_cut_a_record_for_a_pipe(tmp_path, make, cls, capfd):
    """Without this, a container's output has half lines, and others are glued to them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received, reader = [], os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)

    def read_slowly():
        while data := os.read(reader, 4096):
            received.append(data)
            time.sleep(0.001)

    handler = make(cls, pipe, **({} if "Watched" in cls else options_of(cls, **LIMITS)))
    handler.handle(record(BEGIN, f"{'x' * 200} end"))  # opens the pipe
    thread = threading.Thread(target=read_slowly)
    thread.start()
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        for number in range(3):
            handler.handle(record(BEGIN, f"n{number}n {'x' * 200_000} end"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    handler.close()
    thread.join(30)
    os.close(reader)
    lines = b"".join(received).splitlines()
    assert [line.endswith(b" end") and len(line) > 200 for line in lines] == [True] * 4
    assert capfd.readouterr().err == ""


@posix
@CLASSES
def test_threads_write_to_a_pipe_one_after_another(tmp_path, make, cls):
    """Without this, the system mixes what they write, where a record is longer than 4 KiB."""
    pipe, numbers = tmp_path / "pipe", range(40)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    handler = make(cls, pipe, **options_of(cls))
    handler.handle(record(message="begin"))

    def log_long(first):
        for number in numbers[first::4]:
            handler.handle(record(message=f"n{number}n {str(number) * 30_000}"))

    threads = [threading.Thread(target=log_long, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    received = b""
    while received.count(b"\n") <= len(numbers):
        received += os.read(reader, 1 << 16)
    for thread in threads:
        thread.join()
    os.close(reader)
    assert sorted(line.split(maxsplit=1)[1] for line in received.decode().splitlines()) == sorted(
        ["begin", *(f"n{number}n {str(number) * 30_000}" for number in numbers)]
    )


@posix
@CLASSES
def test_no_thread_waits_for_another_one_s_disk(log, make, cls):
    """Without this, a write that hangs stops each thread that logs. Its file stays open until it is done."""
    handler, other = (make(cls, log, **options_of(cls, backupCount=9)) for _ in range(2))
    created = time.time()
    write(handler, [0], created)
    go, slow = threading.Event(), threading.Thread(target=write, args=(handler, [1], created))

    class Slow(type(handler.stream)):
        def write(self, data):
            if threading.current_thread() is slow:
                go.wait(30)
            return super().write(data)

    handler.stream.__class__ = Slow
    number = handler.stream.fileno()
    slow.start()
    write(handler, [2], created)
    other.doRollover()
    handler._close_window()  # noqa: SLF001  as if half a second had passed
    write(handler, [3], created)
    assert "n3n" in log.read_text()
    assert os.fstat(number).st_ino != log.stat().st_ino
    go.set()
    slow.join(30)
    assert "n1n" not in log.read_text()
    assert_each_once(log, range(4))


@CLASSES
def test_a_subclass_learns_which_records_were_lost(log, make, cls, capfd):
    """Without this, the documented method for that is not called."""
    lost = []
    own = type("Own", (type(make(cls, log)),), {"handleError": lambda _, line: lost.append(line.getMessage()[:3])})
    handler = own(log, **options_of(cls))
    log.parent.write_text("no folder", encoding="utf-8")
    write(handler, range(2))
    log.parent.unlink()
    write(handler, range(2, 3))
    handler.close()
    assert lost == ["n0n", "n1n"]
    assert_each_once(log, [2])
    assert "record lost" not in capfd.readouterr().err


@posix
@CLASSES
def test_threads_take_turns_while_the_disk_is_full(log, make, cls, capfd):
    """Without this, a part of a line that is taken back is the end of another thread's line."""
    handler, created = make(cls, log, **options_of(cls)), time.time()
    write(handler, [0], created)
    is_half = threading.Event()

    class Full(type(handler.stream)):
        def write(self, data):
            if b"n1n" in data:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if b"n2n" not in data:
                return super().write(data)
            done = super().write(data[:50])
            is_half.set()
            time.sleep(0.5)
            return done

    handler.stream.__class__ = Full
    write(handler, [1], created)
    thread = threading.Thread(target=write, args=(handler, [2], created))
    thread.start()
    assert is_half.wait(20)
    write(handler, [3], created)
    thread.join(20)
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["n0n", "n3n"]
    assert "1 lost so far" in capfd.readouterr().err


class ByLevel(logging.Formatter):
    """Keeps something of a record in itself, as widespread recipes do, which rely on the handler's lock."""

    def format(self, line):
        """Return the line, with the first letter of its level in front."""
        self.first = line.levelname[0]
        text = super().format(line)
        return f"{self.first} {text}"


class Slow:
    """An argument whose text comes from elsewhere, while other threads run."""

    def __str__(self):
        """Return a text after a moment."""
        time.sleep(0.001)
        return "slow"


@CLASSES
@pytest.mark.parametrize("changed", ["class", "method"])
def test_a_formatter_may_rely_on_the_lock(log, make, cls, changed):
    """Without this, threads that log at once mix up what a formatter keeps."""
    handler, formatter = make(cls, log, **options_of(cls)), ByLevel()
    if changed == "class":
        handler.setFormatter(formatter)
    else:
        handler.setFormatter(logging.Formatter())
        handler.format = formatter.format

    def log_often(name):
        for _ in range(100):
            line = record(message="%s %s")
            line.levelname, line.args = name, (name, Slow())
            handler.handle(line)

    handler.handle(record())
    threads = [threading.Thread(target=log_often, args=(name,)) for name in ("DEBUG", "INFO", "ERROR")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = log.read_text().splitlines()[1:]
    assert len(lines) == 300
    assert all(line[0] == line[2] for line in lines)


@CLASSES
def test_an_emit_that_one_handler_was_given_has_the_lock(log, make, cls):
    """Without this, what somebody put in the place of a method is called by several threads at once."""
    handler, busy, seen = make(cls, log, **options_of(cls)), [], []

    def emit(line):
        busy.append(line)
        time.sleep(0.001)
        seen.append(len(busy))
        busy.pop()

    write(handler, [0])
    handler.emit = emit
    threads = [threading.Thread(target=write, args=(handler, range(100))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 300
    del handler.emit
    write(handler, [1])
    assert_each_once(log, range(2))


@CLASSES
def test_a_format_that_one_handler_was_given_counts_at_once(log, make, cls):
    """Without this, what hides a secret is not asked for the half second until the next look at the file."""
    handler = make(cls, log, **options_of(cls))
    handler.setFormatter(logging.Formatter())
    write(handler, [0])
    handler.format = lambda _line: "hidden"
    write(handler, [1])
    assert text_of(log).splitlines()[1] == "hidden"


@CLASSES
def test_a_filter_put_into_the_class_is_asked(log, make, cls, monkeypatch):
    """Without this, what hides a secret for all handlers is not asked until the next look at the file."""
    handler = make(cls, log, **options_of(cls))
    write(handler, [0])
    monkeypatch.setattr(logging.Filterer, "filter", lambda _handler, line: "n1n" not in line.getMessage())
    write(handler, [1, 2])
    assert_each_once(log, [0, 2])


REDACTED = """
import logging, sys
sys.path.insert(0, sys.argv[1])


def hide(_handler, line):
    line.msg = "hidden"
    return True


logging.Filterer.filter = hide
from applog.handlers import SharedRotatingFileHandler

handler = SharedRotatingFileHandler(sys.argv[2], maxBytes=1 << 20, backupCount=1)
for _ in range(2):
    handler.handle(logging.makeLogRecord({"msg": "secret"}))
"""


def test_a_filter_that_was_replaced_before_is_asked(log):
    """Without this, what hides a secret is taken for the standard library's own."""
    subprocess.run([sys.executable, "-B", "-c", REDACTED, PROJECT, log], check=True)
    assert log.read_text() == "hidden\n" * 2


@CLASSES
def test_an_emit_that_is_decorated_has_the_lock(log, make, cls):
    """Without this, a wrapper that is not made for several threads takes over what `emit` says of itself."""
    held, base = [], type(make(cls, log))

    @wraps(base.emit)
    def emit(handler, line):
        held.append(handler.lock._is_owned())  # noqa: SLF001
        base.emit(handler, line)

    handler = type("Own", (base,), {"emit": emit})(log, **options_of(cls))
    write(handler, range(2))
    handler.close()
    assert held == [True] * 2


@CLASSES
def test_a_filter_of_one_handler_is_asked(log, make, cls):
    """Without this, what was put in the place of a method is ignored, and a secret is written."""
    handler = make(cls, log, **options_of(cls))
    write(handler, [0])
    handler.filter = lambda line: "n1n" not in line.getMessage()
    write(handler, [1, 2])
    assert "n1n" not in text_of(log)
    assert_each_once(log, [0, 2])


@CLASSES
def test_what_a_rotator_says_before_it_fails_is_written(log, make, cls):
    """Without this, the reason for a rotation by hand that failed is in no file."""
    handler = make(cls, log, **options_of(cls))
    write(handler, [0])

    def rotate(_source, _dest):
        write(handler, [1])
        raise OSError(errno.EIO, "upload failed")

    handler.rotator = rotate
    with pytest.raises(OSError, match="upload failed"):
        handler.doRollover()
    handler.close()
    assert_each_once(log, range(2))


def test_a_time_that_no_clock_has_while_the_handler_is_busy(log, make):
    """Without this, a namer's record is lost without a word."""
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME)

    def name(default):
        if handler.lock.acquire(blocking=False) and handler._process_lock.busy:  # noqa: SLF001
            handler.handle(record(math.inf, "of a namer"))
        return default

    handler.namer = name
    write(handler, [0])
    write(handler, [1], BEGIN + DAY)
    handler.namer = None
    assert text_of(log).count("of a namer") >= 1
    assert_each_once(log, range(2))
