"""Writer processes for the handler tests, and the count of what they wrote.

Run as a script, this module is one writer: `storm.py '{"handler": "Size", "path": ..., ...}'`. It needs the standard
library only, so that any Python on any system can run it.
"""

import gzip
import importlib
import itertools
import json
import logging
import logging.handlers
import mmap
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "{{cookiecutter.project_slug}}"
NAMES = {
    "Size": "SharedRotatingFileHandler",
    "Time": "SharedTimedRotatingFileHandler",
    "Watched": "WatchedFileHandler",
}
LINE = re.compile(r"(\d+\.\d{6}) (\d+)-(\d+)-(\d+) x* end")
FAULTS = ("lost", "duplicated", "torn", "misfiled")
SECONDS_SUFFIX = "%Y-%m-%d_%H-%M-%S"
ACKNOWLEDGED_BYTES = 8
STRICT = ("-X", "dev", "-W", "error")  # options of Python
STOPPED = 0.02  # the share of the signals that stop a process


def load_handlers():
    """Import applog.handlers of the template, and leave nothing there that would be copied into each project."""
    sys.dont_write_bytecode = True
    if str(PROJECT) not in sys.path:
        sys.path.append(str(PROJECT))
    return importlib.import_module("applog.handlers")


def read_unpacked(path):
    """Return the text of a file, also of a compressed one."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


def make_handler(job):
    """Make the handler that a job describes: one of ours, or the standard library's of that name."""
    kind = job["handler"]
    if job.get("options", {}).get("compress"):
        load_handlers()
        sys.modules["applog.rotation.compression"].FIRST_PAUSE = 0.1  # so that it is seen within a test's seconds
    make = getattr(load_handlers(), NAMES[kind]) if kind in NAMES else getattr(logging.handlers, kind)
    handler = make(job["path"], **job.get("options", {}))
    handler.setFormatter(logging.Formatter(job.get("format", "%(created).6f %(message)s")))
    return handler


def numbered_lines(logger, job, writer, thread):
    """Log a line each time a value is asked for, and note in `acks` how many calls have returned."""
    acks = None
    if job.get("acks"):
        with Path(job["acks"]).open("r+b") as file:
            acks = mmap.mmap(file.fileno(), 0)
        slot = (writer * job["slots"] + thread) * ACKNOWLEDGED_BYTES
    filler = "x" * job.get("filler", 60)
    for number in itertools.count(1):
        logger.info("%d-%d-%d %s end", writer, thread, number - 1, filler)
        if acks:
            acks[slot : slot + ACKNOWLEDGED_BYTES] = number.to_bytes(ACKNOWLEDGED_BYTES, "little")
        yield number


def write(logger, job, writer, thread):
    """Log `records` lines, or for `seconds`."""
    lines = numbered_lines(logger, job, writer, thread)
    until = time.time() + job["seconds"] if "seconds" in job else None
    pause = job.get("pause", 0)
    number = 0
    while (time.time() < until) if until else (number < job["records"]):
        number = next(lines)
        if pause:
            time.sleep(pause)


def write_with_threads(logger, job, writer):
    """Let each thread of a writer write, and the handler of a signal, in the middle of the main thread's lines."""
    count = job.get("threads", 1)
    if job.get("signals"):
        lines = numbered_lines(logger, job, writer, count)

        def log_line(*_):
            if not lines.gi_running:
                next(lines)

        signal.signal(signal.SIGUSR1, log_line)
    threads = [threading.Thread(target=write, args=(logger, job, writer, number)) for number in range(1, count)]
    for thread in threads:
        thread.start()
    write(logger, job, writer, 0)
    for thread in threads:
        thread.join()


def main(job):
    """Be one writer, or a parent that has logged and whose forked children write, as with gunicorn --preload."""
    logger = logging.getLogger("storm")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(make_handler(job))
    if not job.get("fork"):
        write_with_threads(logger, job, job["writer"])
        return
    logger.info("999-0-0 x end")
    children = []
    for writer in range(job["writer"], job["writer"] + job["fork"]):
        child = os.fork()
        if not child:
            write_with_threads(logger, job, writer)
            logging.shutdown()
            os._exit(0)
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


class Storm:
    """Writers in processes of their own, and the count of what arrived."""

    def __init__(self, handler, path, python=None, **job):
        """Prepare writers to `path`; what they do is in `job`."""
        self.path = Path(path)
        self.python = python or [sys.executable, *STRICT]
        self.acks = self.path.parent.parent / f"{self.path.name}.acks"
        self.acks.write_bytes(bytes(4096))
        slots = job.get("threads", 1) + bool(job.get("signals"))
        self.job = {"handler": handler, "path": str(path), "acks": str(self.acks), "slots": slots, **job}
        self.processes = []
        self.errors = ""
        self.writers = 0

    def start(self, count=1):
        """Start `count` writers; with `fork` in the job, one parent with that many children instead."""
        fork = self.job.get("fork")
        for writer in range(self.writers, self.writers + (1 if fork else count)):
            command = [*self.python, __file__, json.dumps({**self.job, "writer": writer})]
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
            self.processes.append(subprocess.Popen(command, **pipes))
        self.writers += fork or count

    def kill_and_replace(self, kills):
        """Start four writers, then kill one that still runs and start another, `kills` times."""
        self.start(4)
        time.sleep(1)
        for _ in range(kills):
            time.sleep(0.2)
            random.choice([process for process in self.processes if process.poll() is None]).kill()
            self.start()

    def disturb(self, seconds):
        """Send signals for so many seconds: to log a line, and to stop, and go on before the others cease to wait."""
        while {writer for writer, _, _ in self.acknowledged()} != set(range(self.writers)):
            time.sleep(0.01)
        until = time.time() + seconds
        while time.time() < until:
            process = random.choice(self.processes)
            process.send_signal(signal.SIGUSR1)
            if random.random() < STOPPED:
                process.send_signal(signal.SIGSTOP)
                time.sleep(random.uniform(0, 0.3))
                process.send_signal(signal.SIGCONT)
            time.sleep(random.uniform(0, 0.002))

    def wait(self, timeout=240):
        """Wait until all writers have ended."""
        for process in self.processes:
            _, errors = process.communicate(timeout=timeout)
            self.errors += errors.decode("utf-8", "replace")
        self.processes = []

    def files(self):
        """Return the log and its rotated files, without the lock file."""
        return sorted(path for path in self.path.parent.iterdir() if path.name[0] != ".")

    def lines(self):
        """Yield each line's file, text, and match of LINE if it is whole."""
        for path in self.files():
            for line in read_unpacked(path).splitlines(keepends=True):
                yield path, line, LINE.fullmatch(line.removesuffix("\n")) if line.endswith("\n") else None

    def count(self, period=None, tolerance=0.1):
        """Return how many records arrived, what was lost, duplicated, torn and misfiled, and what went to stderr.

        `period` is the strftime format of the rotated files' suffix, for rotation by time.
        """
        seen = Counter()
        torn, misfiled = [], []
        for path, line, match in self.lines():
            if not match:
                torn.append((path.name, line))
                continue
            seen[tuple(map(int, match.groups()[1:]))] += 1
            if period and path != self.path:
                created = float(match[1])
                near = (created - tolerance, created, created + tolerance)
                # What follows the date is the file's number in its period, and .gz.
                if path.name[len(self.path.name) + 1 :].split(".")[0] not in {
                    time.strftime(period, time.localtime(t)) for t in near
                }:
                    misfiled.append((path.name, line))
        return {
            "records": len(seen),
            "lost": [key for key in self.acknowledged() if key not in seen],
            "duplicated": [key for key, times in seen.items() if times > 1],
            "torn": torn,
            "misfiled": misfiled,
            "stderr": self.errors,
        }

    def acknowledged(self):
        """Yield writer, thread and number of each record whose call has returned."""
        acks, slots = self.acks.read_bytes(), self.job["slots"]
        for slot in range(self.writers * slots):
            at = slot * ACKNOWLEDGED_BYTES
            for number in range(int.from_bytes(acks[at : at + ACKNOWLEDGED_BYTES], "little")):
                yield *divmod(slot, slots), number

    def assert_intact(self, period=None):
        """Assert that nothing is wrong, and return how many records arrived."""
        found = self.count(period)
        assert found["stderr"] == "", found["stderr"][:3000]
        assert {fault: found[fault][:3] for fault in FAULTS} == {fault: [] for fault in FAULTS}
        return found["records"]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
