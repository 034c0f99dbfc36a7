"""LOG_QUEUE: a thread writes the files, and nothing is lost when the process ends, forks or is terminated."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import queue_scenes as scenes
from conftest import WINDOWS_PYTHON, python_for, windows
from handler_support import assert_each_once, text_of
from storm import STRICT

unix = pytest.mark.skipif(sys.platform == "win32", reason="fork and signals are of POSIX")


def play(scene, log, python=None, status=0):
    """Play a scene in a Python of its own, and return what it wrote to stdout and to stderr."""
    python = python or [sys.executable]
    done = subprocess.run(
        [*python, *STRICT, Path(scenes.__file__), scene.__name__, log],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(params=["5.2", "6.1"])
def python(request):
    """Return the Python of these tests, and the newer one that Django 6.1 needs."""
    found = python_for(request.param)
    if found is None:
        pytest.skip("there is no newer Python")
    return [found]


def test_what_is_queued_is_written_at_the_exit(log, python):
    """Without this, the last records of each process, which say why it ended, are lost."""
    assert play(scenes.write_and_end, log, python) == ("", "")
    assert_each_once(log, range(scenes.RECORDS + 1))


@windows
def test_what_is_queued_is_written_at_the_exit_on_windows(log):
    """The same, where files are written under a lock."""
    assert play(scenes.write_and_end, log, [WINDOWS_PYTHON]) == ("", "")
    assert_each_once(log, range(scenes.RECORDS + 1))


@unix
def test_what_is_queued_is_written_on_sigterm(log, python):
    """Without this, each `systemctl stop` costs records of a program that handles no signals."""
    for scene in (scenes.write_and_be_terminated, scenes.write_and_be_terminated_twice):
        log = log.with_name(f"{scene.__name__}.log")
        assert play(scene, log, python, -signal.SIGTERM) == ("", "")
        assert_each_once(log, range(scenes.RECORDS))


def test_a_server_that_brings_its_own_queue(log, python):
    """Without this, `gunicorn -k gevent --preload` hangs at its first request: a thread stops all greenlets."""
    assert play(scenes.patch_and_write, log, python) == ("", "")
    assert_each_once(log, range(scenes.RECORDS))


def test_a_disk_that_is_late_costs_nothing(log, python):
    """Without this, a fork while the disk stalls loses what is logged from then on."""
    _, errors = play(scenes.write_on_while_the_disk_is_late, log, python)
    assert "the disk has not taken them" in errors
    assert_each_once(log, range(2 * scenes.RECORDS))


def test_a_record_is_what_it_was_when_it_was_made(log, python):
    """Without this, records carry the request id of another request, or none, and values of later."""
    play(scenes.write_everything, log, python)
    lines = text_of(log).splitlines()
    assert lines[:5] == [
        "INFO [3f2c] request ['before'] 100%",
        "INFO [3f2c] request unimportant",
        "WARNING [3f2c] request sign-in failed",
        "INFO [3f2c] request alone",
        "ERROR [3f2c] request failed",
    ]
    assert lines[-2:] == ["ZeroDivisionError: division by zero", "INFO [3f2c] request last words"]
    assert text_of(log.with_name("security.log")) == "WARNING [3f2c] request sign-in failed\n"


def test_what_exits_in_the_thread_does_not_end_it(log):
    """Without this, everything from there on is lost, and nobody is told."""
    play(scenes.write_behind_a_rotator_that_exits, log)
    counts = [text_of(log).count(f"n{number}n") for number in range(2000)]
    assert counts.count(1) >= 1999
    assert max(counts) == 1


def test_what_a_namer_logs_does_not_stop_the_process(log):
    """Without this, a fork or an exit in the middle of a rotation waits for ten seconds, and reports losses."""
    took, errors = play(scenes.flush_behind_a_namer_that_logs, log)
    assert (float(took) < 8, errors) == (True, "")
    assert "named" in text_of(log)
    assert_each_once(log, range(200))


@unix
def test_forked_children_write_too(log, python):
    """Without this, workers of gunicorn --preload and of multiprocessing log nothing, or hang at a fork."""
    assert play(scenes.fork, log, python) == ("", "")
    assert_each_once(log, range(170))


def test_a_dead_disk_does_not_stop_the_site(log):
    """Without this, memory grows until the process is killed, or each request waits for the disk."""
    took, errors = play(scenes.fill, log)
    assert 1 <= float(took) < 2
    [report] = errors.splitlines()
    assert "record lost (1 lost so far): the queue is full, 10 records wait for the disk" in report
    assert_each_once(log, [*range(11), *range(111, 121)])
    assert "n11n" not in text_of(log)
