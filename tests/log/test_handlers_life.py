"""Fork, threads, exit, subprocesses: nothing hangs, nothing leaks."""

import gc
import importlib
import itertools
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import handler_scenes as scenes
import pytest
from handler_support import (
    BEGIN,
    CLASSES,
    DAY,
    KINDS,
    SIZES,
    assert_each_once,
    command,
    handlers,
    needs_root,
    options_of,
    own_files,
    play,
    record,
    text_of,
    whole_lines,
    write,
)
from servers import wait_for
from storm import SECONDS_SUFFIX, Storm

SUPPORT = Path(scenes.__file__).parent
own_file = importlib.import_module("applog.rotation.own_file")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and signals are of POSIX")


@KINDS
def test_fork_in_the_middle_of_rotations(log, kind):
    """Without this, a worker that is forked at the wrong moment hangs at its first record."""
    assert play(scenes.fork_while_rotating, log, kind) == ""
    assert_each_once(log, range(1000, 1060))


@KINDS
def test_a_child_that_may_not_open_the_file_goes_on_with_it(log, kind):
    """Without this, a server's workers lose their records, which are started as root and give up its rights."""
    needs_root("only root can become another user")
    [complaint] = play(scenes.fork_and_shut_the_folder, log, kind).splitlines()
    assert "rotation delayed (0 lost so far)" in complaint
    assert_each_once(log, range(10))


@KINDS
def test_a_child_does_not_move_the_end_of_what_its_parent_has_written(log, kind):
    """Without this, a process whose record met a full disk cuts the one that its child has written since."""
    assert "record lost (1 lost so far)" in play(scenes.fork_and_fill_quota, log, kind)
    assert log.read_text(encoding="utf-8").endswith(f"n1n {'x' * 50} end\n")


@SIZES
@KINDS
def test_signals_in_the_middle_of_anything(log, kind, full):
    """Without this, a signal's handler that logs waits for itself, or a process that was stopped costs records."""
    seconds = 20 if full else 4
    options = {"maxBytes": 16_000, "backupCount": 9000} | ({"when": "s"} if kind == "Time" else {})
    storm = Storm(kind, log, options=options, seconds=seconds + 2, pause=0.0002, threads=2, signals=True)
    storm.start(4)
    storm.disturb(seconds)
    storm.wait()
    of_signals = [key for key in storm.acknowledged() if key[1] == 2]
    assert len(of_signals) > 100
    storm.assert_intact(SECONDS_SUFFIX if kind == "Time" else None)


def test_signals_while_another_program_renames_the_file(log):
    """Without this, what a signal's handler logs closes the file that the interrupted record is for."""
    done = subprocess.run(command(scenes.write_while_renamed, log, 4), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    of_main, of_signals = map(int, done.stdout.split())
    assert min(of_main, of_signals) > 100
    counts = Counter(re.findall("n([0-9]+)n", text_of(log)))
    assert counts == Counter(dict.fromkeys(map(str, [*range(of_main), *range(10**9, 10**9 + of_signals)]), 1))


class Interrupt:
    """Calls `action` once, before the `number`th line that handlers execute."""

    def __init__(self, number, action):
        """Prepare the interruption."""
        self.number, self.action, self.lines = number, action, 0

    def __call__(self, frame, event, _argument):
        """Be the function of `sys.settrace`."""
        if "applog" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.number:
                self.action()
        return self


def log_interrupted(handler, log, number):
    """Log a record, and another one before the `number`th line of the handler; return the number of lines."""
    numbers = itertools.count()

    def log_one():
        handler.handle(record(message=f"n{next(numbers)}n {'x' * 50}"))

    def make_due():
        if hasattr(handler, "reopenIfNeeded"):
            with suppress(FileNotFoundError):
                log.rename(f"{log}.{time.time_ns()}")
        else:
            handler._close_window()  # noqa: SLF001  as if half a second had passed

    log_one()
    make_due()
    interrupt = Interrupt(number, lambda: (make_due(), log_one()))
    sys.settrace(interrupt)
    try:
        log_one()
    finally:
        sys.settrace(None)
    handler.close()
    log_one()
    assert_each_once(log, range(next(numbers)))
    return interrupt.lines


@pytest.mark.parametrize("cls", ["WatchedFileHandler", "SharedRotatingFileHandler", "SharedTimedRotatingFileHandler"])
def test_what_is_logged_between_any_two_lines_of_the_handler(tmp_path, make, capfd, cls):
    """Without this, a signal's handler that logs, and so rotates, closes the file that is just being used."""
    options = {"Watched": {}, "SharedRotating": {"maxBytes": 90}, "SharedTimedRotating": {"when": "s", "maxBytes": 90}}
    for number in itertools.count(1):
        log = tmp_path / f"{number}" / "django.log"
        handler = make(cls, log, **options[cls.removesuffix("FileHandler")])
        if log_interrupted(handler, log, number) < number:
            break
    assert number > 30
    assert capfd.readouterr().err == ""


@KINDS
def test_an_exception_of_a_signal_in_the_middle_of_anything(log, kind):
    """Without this, Ctrl+C at the wrong moment leaves the lock taken, or a process that rotates no more."""
    done = subprocess.run(command(scenes.write_interrupted, log, kind, 4), capture_output=True, text=True, check=True)
    tried, *written = json.loads(done.stdout)
    counts = Counter(re.findall("n([0-9]+)n", text_of(log)))
    assert {number: counts[str(number)] for number in written} == dict.fromkeys(written, 1)
    assert max(counts.values()) == 1
    assert tried - len(written) > 50  # were interrupted
    assert len(own_files(log)) > 3
    assert log.stat().st_size < 100  # the last one alone


@KINDS
def test_records_at_the_exit_of_the_interpreter(log, kind):
    """Without this, the last words of a process are lost, or come with a traceback."""
    assert play(scenes.write_last_words, log, kind) == ""
    assert len(whole_lines(log)) == 4


@KINDS
@pytest.mark.skipif(not scenes.DESCRIPTORS.exists(), reason="counts descriptors in /proc")
def test_no_descriptor_leaks_or_is_inherited(log, kind):
    """Without this, a process that runs for weeks dies of too many open files."""
    play(scenes.count_descriptors, log, kind)


def test_a_stopped_process_does_not_stop_the_others(log):
    """Without this, a process in a debugger freezes the whole site at midnight."""
    with subprocess.Popen(
        command(scenes.keep_lock, log, "Size"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:  # fmt: skip
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        try:
            said = play(scenes.just_write, log, "Size", 500)
        finally:
            holder.kill()
        took = time.monotonic() - begin
    assert len(said.splitlines()) == 1
    assert took < 10
    assert len(whole_lines(log)) == 500


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_namer_that_logs(log, make, by_hand):
    """Without this, a custom namer with a log call recurses until the stack ends, or gives back the lock too early."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=200, backupCount=50)
    was_held = []

    def name_and_log(name):
        handler._close_window()  # noqa: SLF001  as on Windows
        handler.handle(record(message=f"naming {'x' * 200}"))
        was_held.append(handler._process_lock.held)  # noqa: SLF001
        return name

    handler.namer = name_and_log
    for number in range(20):
        handler.handle(record(message=f"n{number}n {'x' * 50}"))
        if by_hand:
            handler.doRollover()
    assert_each_once(log, range(20))
    assert was_held
    assert all(was_held)


@KINDS
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_record_is_one_system_call(log, kind, tmp_path):
    """Without this, the log costs the time that it was made to save."""
    trace = tmp_path / "trace"
    options = {"maxBytes": 10 << 20, "totalBytes": 1 << 30, "backupCount": 5}
    options |= {"when": "midnight"} if kind == "Time" else {}
    storm = Storm(kind, log, ["strace", "-f", "-o", str(trace), sys.executable], options=options, records=5000)
    storm.start()
    storm.wait()
    calls = [line.split(None, 1)[1] for line in trace.read_text().splitlines()]
    is_record = [call.startswith("write(") and ("0-0-" in call) for call in calls]
    first, last = is_record.index(True), len(calls) - is_record[::-1].index(True)
    during = calls[first:last]
    others = [call for call in during if not call.startswith(("write(", "getpid("))]  # logging asks for the process id
    assert sum(is_record) == sum(call.startswith("write(") for call in during) == 5000
    assert len(others) < 200, others  # a look each half second, or each 256th of maxBytes


@CLASSES
def test_a_recursion_without_an_end_does_not_end_the_log(log, cls):
    """Without this, a record at the deepest call leaves a handler that writes or rotates no more."""
    code = (
        f"from handler_support import handlers; import logging, sys, time; logging.raiseExceptions = False\n"
        f"handler = handlers.{cls}({str(log)!r}, maxBytes=300, backupCount=0 if 'Timed' in {cls!r} else 900)\n"
        "logger = logging.Logger('deep'); logger.addHandler(handler)\n"
        "def fall(room):\n"
        "    if room: return fall(room - 1)\n"
        "    logger.error('deep')\n"
        "def depth(frame): return 1 + depth(frame.f_back) if frame else 0\n"
        "for margin in range(1, 60):\n"
        "    handler._close_window()\n"
        "    try: fall(sys.getrecursionlimit() - depth(sys._getframe()) - margin)\n"
        "    except RecursionError: pass\n"
        "    logger.error('n%dn %s', margin, 'x' * 90)\n"
        "time.sleep(0.6)  # a rotation that failed is tried again\n"
        "for number in range(60, 90): logger.error('n%dn %s', number, 'x' * 90)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=SUPPORT, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert_each_once(log, range(1, 90))
    assert len(own_files(log)) >= 10


@pytest.mark.parametrize("raised", [Exception, TimeoutError])
def test_a_late_record_is_written_once_when_a_signal_raises(log, make, monkeypatch, raised):
    """Without this, a time limit that ends behind the writing of a late record has it written again."""
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    write(handler, [0], BEGIN)
    write(handler, [1], BEGIN + DAY)
    whole = own_file.write_whole

    def write_and_raise(file, data):
        whole(file, data)
        raise raised

    with monkeypatch.context() as patch:
        patch.setattr(own_file, "write_whole", write_and_raise)
        patch.setattr(logging, "raiseExceptions", False)
        write(handler, [2], BEGIN + 1)
    assert_each_once(log, range(3))
    assert "n2n" not in log.read_text()


@CLASSES
@pytest.mark.parametrize("compress", [False, True])
def test_a_handler_that_is_dropped_closes_its_files(tmp_path, cls, compress):
    """Without this, descriptors and threads stay until the garbage collector comes."""
    gc.collect()
    gc.disable()
    try:
        before = threading.active_count()
        for number in range(20):
            log = tmp_path / f"{number}" / "django.log"
            handler = getattr(handlers, cls)(log, maxBytes=150, backupCount=5, compress=compress)
            write(handler, range(3), time.time())
            descriptor = handler.stream.fileno()
            del handler
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
        wait_for(lambda: threading.active_count() <= before)
    finally:
        gc.enable()


@CLASSES
def test_threads_that_wait_for_a_look_do_not_look_again(log, make, monkeypatch, cls):
    """Without this, each thread ends what the one before has just found out, and none writes without the lock."""
    handler, looks, created = make(cls, log, **options_of(cls)), [], time.time()
    look = handler._look  # noqa: SLF001

    def look_slowly(*args, **options):
        looks.append(args)
        time.sleep(0.2)
        return look(*args, **options)

    write(handler, [0], created)
    monkeypatch.setattr(handler, "_look", look_slowly)
    handler._close_window()  # noqa: SLF001  as if half a second had passed
    threads = [threading.Thread(target=write, args=(handler, [number], created)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looks) == 1
    assert_each_once(log, range(9))


def test_a_signal_between_two_records_that_wait(log, make, capfd):
    """Without this, what a signal's handler logs in that moment takes the record that is about to be taken."""
    handler, counts = make("SharedTimedRotatingFileHandler", log, when="s", utc=True), itertools.count(1)
    write(handler, [0], BEGIN)
    begin, armed = handler._begin, [True]  # noqa: SLF001

    def log_meanwhile(created):
        if armed:
            write(handler, [100 + next(counts)], BEGIN + 3)  # of another second: it has to wait
        begin(created)

    handler._begin = log_meanwhile  # noqa: SLF001

    def trace(frame, event, _argument):
        if event == "line" and frame.f_code.co_name == "_put_waiting" and handler._process_lock.waiting and armed:  # noqa: SLF001
            armed.clear()
            write(handler, [200], BEGIN + 4)
        return trace

    sys.settrace(trace)
    try:
        write(handler, [1], BEGIN + 2)
    finally:
        sys.settrace(None)
    assert_each_once(log, [0, 1, 101, 200])
    assert capfd.readouterr().err == ""
