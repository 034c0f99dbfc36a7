"""Measure what a stalling disk costs the thread that logs, with and without LOG_QUEUE.

    uv run benchmarks/log_queue.py [--rounds 3] [--seconds 10]

A process logs up to 1,000 records a second through the template's handler. The disk takes each line at once, or stalls
for 200 ms once a second. The rounds are interleaved; a row has the medians of what one call of `logger.info` took.
"""

import argparse
import io
import json
import logging
import logging.config
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"))
from applog.contrib import queues  # noqa: E402  of the template
from applog.rotation import os_files  # noqa: E402

STALL_SECONDS, EVERY_SECONDS, PAUSE_SECONDS = 0.2, 1.0, 0.001
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1}
CASES = [(stalls, queue) for stalls in (False, True) for queue in (False, True)]


class StallingFile(io.FileIO):
    """A file on a disk that stalls now and then."""

    _next = 0.0

    def write(self, data):
        """Wait if it is time to stall, and write."""
        if time.monotonic() >= self._next:
            time.sleep(STALL_SECONDS)
            self._next = time.monotonic() + EVERY_SECONDS
        return super().write(data)


def work(folder, seconds, *, stalls, queue):
    """Log for some seconds, and print the quantiles in microseconds."""
    if stalls:
        os_files.open_to_append = lambda path: StallingFile(path, "ab")
    handler = {
        "class": "applog.handlers.SharedTimedRotatingFileHandler",
        "filename": str(Path(folder) / "django.log"),
        "when": "midnight",
        "formatter": "text",
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "formatters": {"text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {"file": handler},
            "root": {"handlers": ["file"], "level": "INFO"},
        }
    )
    if queue:
        queues.add_queues([])
    logger, delays = logging.getLogger(), []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begin = time.perf_counter_ns()
        logger.info("GET %s %d", "/orders/", len(delays))
        delays.append(time.perf_counter_ns() - begin)
        time.sleep(PAUSE_SECONDS)
    logging.shutdown()
    written = len((Path(folder) / "django.log").read_text().splitlines())
    delays.sort()
    quantiles = {name: delays[min(len(delays) - 1, int(len(delays) * q))] / 1000 for name, q in QUANTILES.items()}
    print(json.dumps({**quantiles, "lost": len(delays) - written}))


def measure(seconds, case):
    """Let one case work in a process of its own, and return what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        job = json.dumps({"folder": folder, "seconds": seconds, "stalls": case[0], "queue": case[1]})
        done = subprocess.run([sys.executable, __file__, "--worker", job], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main():
    """Be a worker, or measure all cases and print them as a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each case in each round")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(**json.loads(options.worker))
        return
    results = {case: [] for case in CASES}
    for _ in range(options.rounds):
        for case, found in results.items():
            found.append(measure(options.seconds, case))
    print(f"Python {platform.python_version()}, {platform.system()}; medians of {options.rounds} rounds.\n")
    print("| disk | LOG_QUEUE | p50, us | p99 | p99.9 | longest | lost |\n| --- | --- | --- | --- | --- | --- | --- |")
    for (stalls, queue), found in results.items():
        medians = [f"{statistics.median(row[name] for row in found):,.0f}" for name in QUANTILES]
        disk = "stalls for 200 ms once a second" if stalls else "steady"
        lost = sum(row["lost"] for row in found)
        print("|", " | ".join([disk, "true" if queue else "false", *medians, str(lost)]), "|")


if __name__ == "__main__":
    main()
