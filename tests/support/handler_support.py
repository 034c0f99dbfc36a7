"""What the tests of the handlers share."""

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import storm

HERE = Path(__file__).resolve().parent
KINDS = pytest.mark.parametrize("kind", ["Size", "Time"])
CLASSES = pytest.mark.parametrize("cls", ["SharedRotatingFileHandler", "SharedTimedRotatingFileHandler"])
DAY = 86400
BEGIN = 20_000 * DAY + 100  # 2024-10-04
BY_TIME = {"when": "midnight", "utc": True}
# Children that inherit the handler (gunicorn --preload), where there is fork.
FORKS = pytest.mark.parametrize(
    "fork", [0, pytest.param(4, marks=pytest.mark.skipif(sys.platform == "win32", reason="fork is of POSIX"))]
)
# Each storm has a small size, for every change, and a full one, which `-m storm` runs.
SIZES = pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.storm)], ids=["small", "full"])
handlers = storm.load_handlers()
compression = importlib.import_module("applog.rotation.compression")
ProcessLock = importlib.import_module("applog.rotation.process_lock").ProcessLock
RotatedLog = importlib.import_module("applog.reading.log").RotatedLog


def record(created=None, message="hello"):
    """Return a record made at `created`, by default now."""
    values = {"msg": message, "levelno": logging.INFO, "levelname": "INFO"}
    if created is not None:
        values["created"] = created
    return logging.makeLogRecord(values)


def write(handler, numbers, created=BEGIN):
    """Write a line of 100 bytes for each number."""
    for number in numbers:
        handler.handle(record(created, f"n{number}n ".ljust(99, "x")))


def options_of(cls, **options):
    """Return options of a class of CLASSES; one by time begins a file at midnight in UTC."""
    return {**(BY_TIME if "Timed" in cls else {}), **options}


def own_files(log):
    """Return the log and its rotated files, without the lock file."""
    return sorted(path for path in log.parent.iterdir() if path.name.startswith(log.name))


def text_of(log):
    """Return what stands in the log and its rotated files."""
    return "".join(path.read_text(encoding="utf-8") for path in own_files(log))


def unpacked_text(log):
    """Return what stands in the log and its rotated files, compressed ones, too, as the reader puts them in order."""
    return "".join(storm.read_unpacked(file.path) for file in RotatedLog(log).files())


def assert_each_once(log, numbers):
    """Assert that each `n<number>n` stands once in the log and its rotated files."""
    text = text_of(log)
    assert {number: text.count(f"n{number}n") for number in numbers} == dict.fromkeys(numbers, 1)


def whole_lines(log):
    """Return the lines of the log, and assert that each is whole."""
    text = log.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert all(line.endswith(" end") for line in text.splitlines())
    return text.splitlines()


def command(scene, *arguments, python=None):
    """Return the command that plays a scene of handler_scenes.py in a Python of its own."""
    python = python or [sys.executable, *storm.STRICT]
    return [*python, str(HERE / "handler_scenes.py"), scene.__name__, *map(str, arguments)]


def play(scene, *arguments, python=None):
    """Play a scene of handler_scenes.py, assert that it ends well, and return what it wrote to stderr."""
    done = subprocess.run(
        command(scene, *arguments, python=python), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def needs_root(reason):
    """Skip where the tests do not run as root."""
    if os.geteuid():
        pytest.skip(reason)
