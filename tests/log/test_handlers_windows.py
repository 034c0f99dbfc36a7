"""The handlers on a Windows Python: the running one, or the one that WINDOWS_PYTHON names.

Under Wine a file's sharing rules hold among Windows processes only, so that whoever holds a file here is a process of
that Python too.
"""

import json
import subprocess
import time

import handler_scenes as scenes
import pytest
from conftest import WINDOWS_PYTHON, windows
from handler_support import KINDS, SIZES, command, own_files, play
from servers import Server, fetch, stop, wait_for, wait_for_reload
from storm import SECONDS_SUFFIX, Storm

pytestmark = windows
PYTHON = [WINDOWS_PYTHON, "-X", "dev"]


def start(scene, *arguments):
    """Start a scene, and return when it has said that it holds what it is to hold."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command(scene, *arguments, python=PYTHON), text=True, **pipes)
    said = process.stdout.readline().strip()
    assert said == "held", process.communicate()[1]
    return process


def start_when_it_exists(scene, path, *arguments):
    """Start a scene with a file whose name may be missing for a moment, while others rename."""
    for _ in range(50):
        wait_for(path.exists)
        try:
            return start(scene, path, *arguments)
        except AssertionError:
            continue
    return pytest.fail(f"{path} could not be opened")


@SIZES
@KINDS
def test_four_processes_rotate_while_a_fifth_holds_the_file_idle(log, kind, full):
    """Without this, a shell that was left open stops the rotation on Windows for everybody."""
    if kind == "Size":
        options = {"maxBytes": 4000, "backupCount": 900}
        storm = Storm(kind, log, PYTHON, options=options, records=1250 if full else 400)
    else:
        options = {"when": "s", "maxBytes": 30_000, "totalBytes": 1 << 30, "backupCount": 900, "compress": full}
        storm = Storm(kind, log, PYTHON, options=options, seconds=8 if full else 5)
    idle = start(scenes.hold_idle, json.dumps(storm.job))
    storm.start(4)
    storm.wait()
    _, errors = idle.communicate("go\n", timeout=60)
    assert errors == ""
    records = storm.assert_intact(SECONDS_SUFFIX if kind == "Time" else None)
    rotations = len(storm.files()) - 1
    print(f"{records} records, {rotations} rotations")
    at_least = {("Size", True): 100, ("Size", False): 30, ("Time", True): 6, ("Time", False): 4}
    assert rotations >= at_least[kind, full]


@KINDS
def test_an_idle_process_that_has_a_deleted_backup_open(log, kind):
    """Without this, a shell that was left open for 90 days puts an error on the console each midnight."""
    options = {"maxBytes": 2000} if kind == "Size" else {"when": "s"}
    storm = Storm(kind, log, PYTHON, options={**options, "backupCount": 1}, seconds=5, pause=0.01)
    idle = start(scenes.hold_idle, json.dumps(storm.job))
    storm.start(2)
    storm.wait()
    _, errors = idle.communicate("go\n", timeout=60)
    found = storm.count()
    assert errors + found["stderr"] == ""
    assert found["torn"] == []
    assert len(own_files(log)) <= 3


@pytest.mark.parametrize("held", [pytest.param("django.log", marks=pytest.mark.storm), "django.log.1"])
def test_a_foreign_program_holds_a_file_for_some_seconds(log, held):
    """Without this, an editor that shows the log costs records, or fills the console."""
    options = {"maxBytes": 2000, "backupCount": 5}
    storm = Storm("Size", log, PYTHON, options=options, seconds=14, pause=0.01)
    storm.start(2)
    wait_for(log.with_name("django.log.1").exists)
    holder = start_when_it_exists(scenes.hold, log.with_name(held), "r", 3)
    peak = 0
    while holder.poll() is None:
        peak = max(peak, size_of(log))
        time.sleep(0.05)
    output, _ = holder.communicate(timeout=60)
    time.sleep(max(0, float(output.split()[-1]) + 2 - time.time()))
    after = size_of(log)
    storm.wait()
    found = storm.count()
    print(f"up to {peak} bytes while held, {after} two seconds after")
    assert len(found["stderr"].splitlines()) <= 1
    assert "Traceback" not in found["stderr"]
    assert found["torn"] == found["duplicated"] == []
    assert len(storm.files()) <= 6
    assert peak > options["maxBytes"]  # it was held indeed
    assert after <= options["maxBytes"]
    # The oldest files were deleted on purpose: what is left of each writer has no gap.
    seen = [tuple(map(int, match.groups()[1:])) for _, _, match in storm.lines()]
    for writer in range(2):
        numbers = sorted(number for by, _, number in seen if by == writer)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))


def size_of(log):
    """Return the size of a file that others may rename at this moment."""
    while True:
        try:
            return log.stat().st_size
        except FileNotFoundError:
            time.sleep(0.01)


@pytest.mark.parametrize("pause", [pytest.param(0.01, marks=pytest.mark.storm), 0])
def test_readers_that_open_read_and_close(log, pause):
    """Without this, somebody who follows the log makes the project lose records, or stops its rotation."""
    options = {"maxBytes": 4000, "backupCount": 900}
    storm = Storm("Size", log, PYTHON, options=options, seconds=6, pause=0.002)
    readers = [start(scenes.read_in_a_loop, log, 8, pause) for _ in range(2 if pause else 1)]
    storm.start(2)
    storm.wait()
    reads = [int(reader.communicate(timeout=60)[0]) for reader in readers]
    records = storm.assert_intact()
    print(f"{records} records, {len(storm.files()) - 1} rotations, {reads} reads")
    assert min(reads) > 10
    assert len(storm.files()) > 2


def test_the_constructor_and_the_exit(log):
    """Without this, each command of manage.py ends with a traceback on Windows."""
    assert play(scenes.log_and_exit, log, python=PYTHON) == ""


TINY = '''
"""The project's settings, with both handlers at tiny limits."""

from config.settings import *

LOGGING["handlers"] |= {
    "size": {
        "class": "applog.handlers.SharedRotatingFileHandler",
        "filename": LOGS_DIR / "size.log",
        "maxBytes": 500,
        "backupCount": 900,
        "formatter": "text",
    },
    "time": {
        "class": "applog.handlers.SharedTimedRotatingFileHandler",
        "filename": LOGS_DIR / "time.log",
        "when": "s",
        "formatter": "text",
    },
}
LOGGING["root"]["handlers"] = ["console", "size", "time"]
'''
REQUESTS = range(60)


def serve(python, project):
    """Run 60 requests, with an autoreload in the middle; return what was rotated and lost, and the tracebacks."""
    (project / "config" / "tiny.py").write_text(TINY.lstrip(), encoding="utf-8")
    env = {"DJANGO_SETTINGS_MODULE": "config.tiny", "PYTHONUNBUFFERED": "1"}
    server = Server([python, "manage.py", "runserver", "127.0.0.1:8000"], project, env)
    try:
        for number in REQUESTS:
            if number == len(REQUESTS) // 2:
                wait_for_reload(server, project / "pages" / "views.py")
            wait_for(lambda number=number: fetch(f"{server.address}/n{number}n")[0] == 404)
            time.sleep(0.1)
    finally:
        stop(server.process)
    text = {kind: "".join(map(read, (project / "logs").glob(f"{kind}.log*"))) for kind in ("size", "time")}
    return {
        "rotations": {kind: len(list((project / "logs").glob(f"{kind}.log.*"))) for kind in text},
        "lost": {kind: sum(f"GET /n{number}n 404" not in text[kind] for number in REQUESTS) for kind in text},
        "tracebacks": server.text().count("Traceback"),
    }


def read(path):
    """Return what stands in a file."""
    return path.read_text(encoding="utf-8", errors="replace")


def test_runserver_rotates_without_an_error(bake, windows_python):
    """Without this, the console of each developer on Windows fills with PermissionError."""
    ours = serve(windows_python, bake())
    print(ours)
    assert ours["tracebacks"] == 0
    assert ours["lost"] == {"size": 0, "time": 0}
    assert ours["rotations"]["size"] >= 5
    assert ours["rotations"]["time"] >= 5
