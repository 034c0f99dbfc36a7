"""Measure what reading a large log takes.

    uv run benchmarks/reader.py [--gigabytes 1] [--rounds 7] [--folder FOLDER]

Writes a log of that size, in which each 500th record is an error with a traceback, and removes it again. Pages are
timed in milliseconds; searches that find nothing, and so read everything, in MB/s and as a ratio to reading the file in
blocks of the same size and doing nothing with them. Each figure is a median; what a page takes at first, before the
process remembers where which times are in the file, stands beside it.
"""

import argparse
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"
sys.dont_write_bytecode = True
sys.path.append(str(PROJECT))

from applog.reading.counts import count_records  # noqa: E402
from applog.reading.errors import Errors  # noqa: E402
from applog.reading.log import RotatedLog  # noqa: E402
from applog.reading.measures import Window  # noqa: E402
from applog.reading.pages import read_older  # noqa: E402
from applog.reading.query import Query  # noqa: E402
from applog.reading.requests import Requests  # noqa: E402

MIB = 1 << 20
EACH_WARNING, EACH_ERROR = 50, 500
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PEAK = "print(open('/proc/self/status').read())"


def make_requests():
    """Return about a MiB of the ends of requests, as `make_minute` does."""
    records, size = [], 0
    while size < MIB:
        number = len(records)
        path = f"/orders/{number}/" if number % 3 else "/"
        records.append(
            f"2026-01-01T00:00:{number * 8 / 1000 % 60:06.3f}+00:00 INFO applog.request [{number:032x}] from 192.0.2.7 "
            f"by user {number % 99}: GET {path} {200 if number % 50 else 404} in {number % 977 / 10} ms\n"
        )
        size += len(records[-1])
    return "".join(records).encode()


def make_minute():
    """Return about a MiB of records of one minute, the first one of BEGIN."""
    records, size, number = [], 0, 0
    while size < MIB:
        level = "INFO" if number % EACH_WARNING else "WARNING" if number % EACH_ERROR else "ERROR"
        second = f"{number * 8 / 1000 % 60:06.3f}"
        record = (
            f"2026-01-01T00:00:{second}+00:00 {level} shop.orders [{number:032x}] "
            f"Order {number} of customer {number * 7919 % 100003} was paid by card and will be sent tomorrow\n"
        )
        if level == "ERROR":
            record += "    Traceback (most recent call last):\n" + 12 * "      File 'orders.py', line 1, in pay\n"
        records.append(record)
        size += len(record)
        number += 1
    return "".join(records).encode()


def write_log(path, size, block):
    """Write a log of `size` bytes, a minute for each block."""
    minute = 0
    with path.open("wb") as file:
        while file.tell() < size:
            now = BEGIN + timedelta(minutes=minute)
            file.write(block.replace(b"2026-01-01T00:00", f"{now:%Y-%m-%dT%H:%M}".encode()))
            minute += 1
    return minute


def read_blocks(path):
    """Read a file in blocks."""
    with path.open("rb", buffering=0) as file:
        while file.read(MIB):
            pass


def seconds(action, rounds):
    """Return the median of how long an action takes, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_memory():
    """Return the most memory that this process has used, and what an interpreter uses that does nothing, in MB."""
    kilobytes = re.compile(r"VmHWM:\s+(\d+)")
    own = Path("/proc/self/status").read_text(encoding="ascii")
    bare = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, check=True, text=True).stdout
    return tuple(int(kilobytes.search(status)[1]) / 1000 for status in (own, bare))


def measure(path, minutes, rounds):
    """Print the table."""
    logs, size = [RotatedLog(path)], path.stat().st_size
    first = read_older(logs, count=100)
    middle = BEGIN + timedelta(minutes=minutes // 2)
    pages = {
        "the last 100 records": lambda: read_older(logs, count=100),
        "the 100 before them": lambda: read_older(logs, first.older, count=100),
        "100 in the middle": lambda: read_older(logs, count=100, query=Query(until=middle)),
        "the last 100 errors": lambda: read_older(logs, count=100, query=Query(level="ERROR")),
        "100 errors in the middle": lambda: read_older(logs, count=100, query=Query(until=middle, level="ERROR")),
        "an hour's last 100 records": lambda: read_older(
            logs, count=100, query=Query(since=middle - timedelta(hours=1), until=middle)
        ),
    }
    scans = {
        "text": Query(text="nobody wrote this"),
        "text that begins like many": Query(text="Order 12 of nobody"),
        "regular expression": Query(pattern=r"Order \d+ of nobody"),
        "level": Query(level="CRITICAL"),
        "request id": Query(request_id="f" * 32),
    }
    print(f"| page, of {size / 1e9:.1f} GB | ms | at first |\n| --- | --- | --- |")
    for name, action in pages.items():
        start = time.perf_counter()
        assert len(action().records) == 100, name  # noqa: PLR2004, S101
        first_seconds = time.perf_counter() - start
        print(f"| {name} | {seconds(action, rounds) * 1000:.1f} | {first_seconds * 1000:.0f} |", flush=True)
    reference = seconds(lambda: read_blocks(path), min(3, rounds))
    print("\n| everything read | MB/s | x reading |\n| --- | --- | --- |")
    print(f"| reading alone | {size / 1e6 / reference:.0f} | 1.00 |", flush=True)
    for name, query in scans.items():
        taken = seconds(lambda query=query: read_older(logs, count=1, query=query, seconds=1e9), min(3, rounds))
        print(f"| searching: {name} | {size / 1e6 / taken:.0f} | {reference / taken:.2f} |", flush=True)
    taken = seconds(lambda: count_records(logs, timedelta(hours=1), seconds=1e9), 1)
    print(f"| counting by level and hour | {size / 1e6 / taken:.0f} | {reference / taken:.2f} |")
    window = Window.of(BEGIN, BEGIN + timedelta(minutes=minutes), UTC)
    taken = seconds(lambda: Errors(window, "/").read(logs, Query(errors=True, since=BEGIN), 1e9), 1)
    print(f"| errors by kind | {size / 1e6 / taken:.0f} | {reference / taken:.2f} |")
    path.unlink()
    write_log(path, size, make_requests())
    taken = seconds(lambda: Requests(window).read(logs, 1e9), 1)
    print(f"| requests by route, of a log of nothing else | {size / 1e6 / taken:.0f} | {reference / taken:.2f} |")
    if sys.platform == "linux":
        peak, bare = peak_memory()
        print(f"\nMemory at most: {peak:.0f} MB; an interpreter that does nothing takes {bare:.0f} MB.")


def main():
    """Write the log, measure, remove it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1, help="size of the log, default 1")
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each page, default 7")
    parser.add_argument("--folder", type=Path, help="where to write the log, default the system's temporary folder")
    options = parser.parse_args()
    size = int(options.gigabytes * 1e9)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if shutil.disk_usage(folder).free < size * 1.2:
            sys.exit(f"{folder} has no room for {options.gigabytes} GB; name another by --folder, or a smaller size.")
        path = Path(folder) / "django.log"
        minutes = write_log(path, size, make_minute())
        print(f"Python {platform.python_version()}, {platform.system()}\n")
        measure(path, minutes, options.rounds)


if __name__ == "__main__":
    main()
