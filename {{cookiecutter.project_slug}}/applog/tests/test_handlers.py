"""The log keeps its promise: several processes write it while it rotates, and nothing is lost."""

import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from applog.handlers import SharedRotatingFileHandler, SharedTimedRotatingFileHandler, WatchedFileHandler
from applog.rotation.complaints import find_problem

PROCESSES = 4
BY_SIZE: dict[str, Any] = {"maxBytes": 4000, "backupCount": 900}
BY_TIME: dict[str, Any] = {"when": "s", "backupCount": 900}
Line = tuple[float, str]


def write(log: Path, options: dict[str, Any], writer: int, records: int, pause: float) -> None:
    """Be one of the processes that write the log."""
    cls = SharedRotatingFileHandler if "maxBytes" in options else SharedTimedRotatingFileHandler
    handler = cls(log, encoding="utf-8", **options)
    handler.setFormatter(logging.Formatter("%(created).9f %(message)s end"))
    for number in range(records):
        handler.handle(logging.makeLogRecord({"msg": f"{writer}-{number}"}))
        time.sleep(pause)
    handler.close()


def write_together(log: Path, options: dict[str, Any], records: int, pause: float) -> dict[str, list[Line]]:
    """Let four processes write, and return the lines of each file, in which each record must stand once."""
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write, args=(log, options, writer, records, pause)) for writer in range(PROCESSES)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * PROCESSES
    files: dict[str, list[Line]] = {}
    for path in log.parent.glob(f"{log.name}*"):
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        files[path.name] = [(float(created), key) for created, key, end in lines if end == "end"]
    seen = Counter(key for lines in files.values() for _, key in lines)
    assert seen == Counter(f"{writer}-{number}" for writer in range(PROCESSES) for number in range(records))
    return files


def test_nothing_is_lost_when_four_processes_rotate_by_size(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without this, requests that were served leave no trace in the log."""
    files = write_together(tmp_path / "logs/django.log", BY_SIZE, 600, 0)
    assert len(files) > 10
    assert capfd.readouterr().err == ""


def test_nothing_is_misfiled_when_four_processes_rotate_by_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without this, what happened at midnight is missing, or stands in the wrong day's file."""
    files = write_together(tmp_path / "logs/django.log", BY_TIME, 250, 0.01)
    assert len(files) >= 3
    for name in files.keys() - {"django.log"}:
        for created, _ in files[name]:
            second = datetime.fromtimestamp(int(created), UTC).astimezone()
            assert name == f"django.log.{second:%Y-%m-%d_%H-%M-%S}"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("cls", [SharedRotatingFileHandler, SharedTimedRotatingFileHandler])
def test_a_handler_opens_nothing_before_it_logs(
    tmp_path: Path, cls: type[SharedRotatingFileHandler | SharedTimedRotatingFileHandler]
) -> None:
    """Without this, every command of manage.py needs a log folder that it may write."""
    cls(tmp_path / "logs/django.log").close()
    assert not (tmp_path / "logs").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights, and no such files")
@pytest.mark.parametrize("cls", [SharedRotatingFileHandler, SharedTimedRotatingFileHandler, WatchedFileHandler])
def test_log_files_are_not_for_everybody(tmp_path: Path, cls: type[logging.FileHandler]) -> None:
    """They hold addresses and user names, which the admin shows to those with a permission only."""
    before = os.umask(0o022)
    try:
        handler = cls(tmp_path / "logs/django.log", delay=True)
        handler.handle(logging.makeLogRecord({"msg": "hello"}))
        handler.close()
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    modes.pop(".django.log.lock", None)
    assert modes == {"logs": "0o750", "django.log": "0o640"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights, and no such files")
def test_what_is_not_a_file_is_no_log(tmp_path: Path) -> None:
    """A link may lead to any file that root may write, and a pipe waits for its reader, for ever."""
    (tmp_path / "link.log").symlink_to(tmp_path / "victim")
    os.mkfifo(tmp_path / "pipe.log")
    for name in ("link.log", "pipe.log"):
        assert "a link, a pipe or a device" in str(find_problem(tmp_path, name))
    assert not (tmp_path / "victim").exists()
