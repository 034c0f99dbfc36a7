"""Somebody else moves, deletes or replaces the log while the project runs."""

import shutil
import sys
import time

import pytest
from handler_support import record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files in place")
KINDS = {
    "SharedRotatingFileHandler": {"maxBytes": 1 << 20, "backupCount": 3},
    "SharedTimedRotatingFileHandler": {"when": "midnight", "backupCount": 3},
}


def move(log):
    """Rename the log."""
    log.rename(log.with_name("moved"))


def delete(log):
    """Delete the log."""
    log.unlink()


def replace(log):
    """Put another file in the log's place."""
    other = log.with_name("other")
    other.write_text("")
    other.replace(log)


def move_folder(log):
    """Rename the log's folder."""
    log.parent.rename(log.parent.with_name("away"))


def delete_folder(log):
    """Delete the log's folder."""
    shutil.rmtree(log.parent)


@pytest.mark.parametrize("act", [move, delete, replace, move_folder, delete_folder])
@pytest.mark.parametrize("kind", KINDS)
def test_writing_goes_on_at_the_right_path_within_a_second(log, make, kind, act, capfd):
    """Without this, an administrator who tidies up ends the log until the next restart."""
    handler = make(kind, log, **KINDS[kind])
    handler.emit(record(message="before"))
    act(log)
    until = time.time() + 1
    while time.time() < until:
        handler.emit(record(message="soon"))
        time.sleep(0.01)
    handler.emit(record(message="after"))
    assert "after" in log.read_text()
    assert capfd.readouterr().err == ""


def test_what_is_written_to_a_moved_log_is_not_lost(log, make):
    """Without this, logrotate costs the records of its last moment."""
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight")
    for number in range(300):
        handler.emit(record(message=f"n{number}n"))
        if number % 75 == 40:
            log.rename(log.with_name(f"moved{number}"))
        time.sleep(0.009)
    text = "".join(path.read_text() for path in log.parent.iterdir() if path.name[0] != ".")
    assert all(text.count(f"n{number}n") == 1 for number in range(300))


def test_a_device_is_never_renamed(make):
    """Without this, a project that logs to /dev/null replaces it by a file when run as root."""
    handler = make("SharedRotatingFileHandler", "/dev/full", maxBytes=10, backupCount=2)
    assert not handler.shouldRollover(record(message="x" * 50))
