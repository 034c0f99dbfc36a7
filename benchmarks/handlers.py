"""Compare rotating log handlers: speed, delay of a single record, and what gets lost.

    uv run --group bench benchmarks/handlers.py [--rounds 30] [--records 2000] [--output FOLDER]

Speed: one process, then four at once, write 120-byte lines to a `logging.FileHandler` and to the handler in turn, some
thousand at a time; the median of the ratios of such pairs is shown, because a busy moment of the machine hits both.
The limits are a project's, 256 MiB and midnight; what a rotation takes is shown beside it. Safety: four processes write
through at least 200 rotations by size, or for some seconds through one a second, and the lines are counted. Writes
handlers.md and handlers.svg. Without concurrent-log-handler and loguru their rows are left out.
"""

import argparse
import array
import datetime as dt
import importlib.util
import itertools
import json
import logging
import logging.handlers
import operator
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"
LINE_BYTES = 120
SUFFIX = "%Y-%m-%d_%H-%M-%S"
STAMP = re.compile(r"(\d{10}\.\d{6}) (\d+)-(\d+) x*")
BASELINE, RAW = "logging.FileHandler", "os.write"
LIMIT, CEILING = 1 << 28, 1 << 32  # bytes of a file, and of all together, as in a project
TAIL = 0.99  # of the delays above it, none is left out
TOLERANCE = 0.1  # seconds


def applog(name):
    """Return a handler class of the template, leaving nothing there that would be copied into each project."""
    sys.dont_write_bytecode = True
    sys.path.append(str(PROJECT))
    return getattr(importlib.import_module("applog.handlers"), name)


def concurrent(name):
    """Return a handler class of concurrent-log-handler."""
    return getattr(importlib.import_module("concurrent_log_handler"), name)


def size(limit):
    """Return the options of rotation by size."""
    return {"maxBytes": limit, "backupCount": 2000, "encoding": "utf-8"}


def timed(when):
    """Return the options of rotation by time."""
    return {"when": when, "backupCount": 2000, "encoding": "utf-8"}


# name: (how it rotates, what makes the handler of a path, a limit in bytes, and the unit of time)
CONTENDERS = {
    RAW: (None, None),
    BASELINE: (None, lambda path, *_: logging.FileHandler(path, encoding="utf-8")),
    "logging WatchedFileHandler": (
        None,
        lambda path, *_: logging.handlers.WatchedFileHandler(path, encoding="utf-8"),
    ),
    "applog SharedRotatingFileHandler": (
        "size",
        lambda path, limit, _: applog("SharedRotatingFileHandler")(path, totalBytes=CEILING, **size(limit)),
    ),
    "logging RotatingFileHandler": (
        "size",
        lambda path, limit, _: logging.handlers.RotatingFileHandler(path, **size(limit)),
    ),
    "concurrent-log-handler, size": (
        "size",
        lambda path, limit, _: concurrent("ConcurrentRotatingFileHandler")(path, **size(limit)),
    ),
    "loguru, size": ("size", "loguru"),
    "applog SharedTimedRotatingFileHandler": (
        "time",
        lambda path, limit, when: applog("SharedTimedRotatingFileHandler")(
            path, maxBytes=limit, totalBytes=CEILING, **timed(when)
        ),
    ),
    "logging TimedRotatingFileHandler": (
        "time",
        lambda path, _, when: logging.handlers.TimedRotatingFileHandler(path, **timed(when)),
    ),
    "concurrent-log-handler, time": (
        "time",
        lambda path, _, when: concurrent("ConcurrentTimedRotatingFileHandler")(path, **timed(when)),
    ),
    "loguru, time": ("time", "loguru"),
}
ROTATING = ("SharedRotatingFileHandler", "SharedTimedRotatingFileHandler")
MODULES = {"concurrent": "concurrent_log_handler", "loguru": "loguru"}


def filler(writer):
    """Return what makes a line LINE_BYTES long."""
    return "x" * (LINE_BYTES - len(f"1700000000.000000 {writer}-100000 \n"))


def make_log(name, path, limit, when, writer):
    """Return a function that logs the line of a number."""
    rotates, make = CONTENDERS[name]
    padding = filler(writer)
    if name == RAW:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        line = f"{time.time():.6f} {writer}-100000 {padding}\n".encode()
        return lambda _number: os.write(descriptor, line)
    if make == "loguru":
        from loguru import logger  # noqa: PLC0415 - only the workers that need it

        logger.remove()
        rotation = limit if rotates == "size" else "1 second" if when == "S" else "1 day"
        logger.add(path, format="{message}", rotation=rotation)
        return lambda number: logger.info(f"{time.time():.6f} {writer}-{number} {padding}")  # noqa: G004  loguru's own way
    handler = make(path, limit, when)
    handler.setFormatter(logging.Formatter("%(created).6f %(message)s"))
    logger = logging.getLogger(f"benchmark {name} {path}")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return lambda number: logger.info("%d-%d %s", writer, number, padding)


def work(job):
    """Be one writer: each line of the input names the log that gets the next records; print when they were written."""
    when = "S" if job["seconds"] else "midnight"
    logs = [
        make_log(name, job["path"] + str(number), job["limit"], when, job["writer"])
        for number, name in enumerate(job["names"])
    ]
    for log in logs:
        log(job["records"])  # so that what is measured is the steady state: some handlers open their file only now
    print("ready", flush=True)
    delays, number = array.array("q"), 0
    for line in sys.stdin:
        log, measured = logs[int(line)], array.array("q")
        begin = time.monotonic()
        number = slow(log, job["seconds"]) if job["seconds"] else fast(log, job["records"], measured)
        print(begin, time.monotonic(), flush=True)
        if int(line) == len(logs) - 1:
            delays += measured
    ranked = sorted(delays)
    logging.shutdown()
    sample = ranked[:: max(1, len(ranked) // 2000)]
    tail = ranked[-max(1, len(ranked) // 100) :]
    print(json.dumps({"n": number, "sample": sample, "tail": tail}))


def slow(log, seconds):
    """Log for some seconds, some thousand records in each; return how many."""
    until, number = time.time() + seconds, 0
    while time.time() < until:
        log(number)
        number += 1
        time.sleep(0.0002)
    return number


def fast(log, records, delays):
    """Log that many records, and note how long each one took, in nanoseconds; return how many."""
    clock = time.perf_counter_ns
    for number in range(records):
        start = clock()
        log(number)
        delays.append(clock() - start)
    return records


def run(folder, processes, turns, **job):
    """Let `processes` writers log at once, to the log of each turn; return how long each took, and their results."""
    job = {"path": str(folder / "bench.log"), "limit": LIMIT, "seconds": 0, **job}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    writers = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps({**job, "writer": writer})], text=True, **pipes
        )
        for writer in range(processes)
    ]
    for writer in writers:
        if writer.stdout.readline() != "ready\n":
            sys.exit(f"{job['names']}: {writer.communicate()[1]}")
    took = []
    for turn in turns:
        for writer in writers:
            writer.stdin.write(f"{turn}\n")
            writer.stdin.flush()
        times = [[float(word) for word in writer.stdout.readline().split()] for writer in writers]
        took.append(max(end for _, end in times) - min(begin for begin, _ in times))
    results = []
    for writer in writers:
        output, errors = writer.communicate()
        results.append({**json.loads(output), "tracebacks": errors.count("Traceback")})
    return took, results


def quantile(results, share):
    """Return the delay in microseconds that `share` of all records did not exceed."""
    if share <= TAIL:
        sample = sorted(itertools.chain.from_iterable(result["sample"] for result in results))
        return sample[int(len(sample) * share)] / 1000
    tail = sorted(itertools.chain.from_iterable(result["tail"] for result in results))
    total = len(tail) * 100
    return tail[min(len(tail) - 1, int(len(tail) - total * (1 - share)))] / 1000


def count(folder, rotates, results):
    """Return how many records were lost, and how many are in another second's file."""
    seen, misfiled = Counter(), 0
    for path in folder.iterdir():
        if path.name.startswith((".", "_")) or path.suffix == ".lock":
            continue
        suffix = path.name.removeprefix("bench.log0").removeprefix(".")
        period = None
        if rotates == "time" and re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", suffix):
            period = time.mktime(time.strptime(suffix, SUFFIX))
        for line in path.read_text("utf-8", "replace").splitlines():
            match = STAMP.fullmatch(line)
            if match:
                seen[match[2], match[3]] += 1
                if period is not None:
                    misfiled += not -TOLERANCE <= float(match[1]) - period < 1 + TOLERANCE
    written = {(str(i), str(n)) for i, result in enumerate(results) for n in range(result["n"])}
    return len(written - seen.keys()), misfiled


def progress(text):
    """Show what is being measured."""
    print(f"\r{text:<76}", end="", file=sys.stderr, flush=True)


def measure_speed(names, rounds, records):
    """Return {(name, processes): {"ratio": x FileHandler, "rate": records a second, "p50": microseconds, ...}}.

    In each round the same processes write to a `logging.FileHandler` and to the handler, one after the other, and the
    ratio is taken of these two: what else the machine does in that moment hits both.
    """
    figures = {}
    for name, processes in itertools.product(names, (1, 4)):
        progress(f"speed: {processes} processes, {name}")
        with tempfile.TemporaryDirectory() as folder:
            turns = [0, 1, 1, 0] * -(-rounds // 2)
            took, results = run(Path(folder), processes, turns, names=[BASELINE, name], records=records)
        pairs = [sorted(zip(turns[i : i + 2], took[i : i + 2], strict=True)) for i in range(0, len(turns), 2)]
        figures[name, processes] = {
            "ratio": statistics.median(base / own for (_, base), (_, own) in pairs),
            "rate": processes * records / statistics.median(own for _, (_, own) in pairs),
            **{label: quantile(results, share) for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))},
        }
    return figures


def measure_safety(names, records, seconds):
    """Return {name: (lost, written, misfiled, tracebacks)} of runs with many rotations."""
    found = {}
    for name in names:
        rotates = CONTENDERS[name][0]
        if rotates is None:
            continue
        progress(f"safety: {name}")
        limit = 4 * records * LINE_BYTES // 240
        with tempfile.TemporaryDirectory() as folder:
            limits = {"limit": limit, "seconds": seconds if rotates == "time" else 0}
            _, results = run(Path(folder), 4, [0], names=[name], records=records, **limits)
            lost, misfiled = count(Path(folder), rotates, results)
        written = sum(result["n"] for result in results)
        found[name] = lost, written, misfiled, sum(result["tracebacks"] for result in results)
    return found


def stall(name, count):
    """Return how long one rotation takes in milliseconds, at the median, where there are `count` rotated files."""
    options = {"maxBytes": 1 << 20, "totalBytes": CEILING, "backupCount": count}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.log"
        if "Timed" in name:
            options |= {"when": "midnight", "utc": True}
            begin = dt.datetime.now(dt.UTC) - dt.timedelta(days=count + 60)
            suffixes = [f"{begin + dt.timedelta(days=number):%Y-%m-%d}" for number in range(count)]
        else:
            suffixes = range(1, count + 1)
        for suffix in suffixes:
            path.with_name(f"{path.name}.{suffix}").write_text("x", encoding="utf-8")
        handler = applog(name)(path, **options)
        times = []
        for number in range(50):
            made = time.time() - (50 - number) * 86400
            handler.handle(logging.makeLogRecord({"msg": "x" * 500, "created": made}))
            begin = time.perf_counter()
            handler.doRollover()
            times.append((time.perf_counter() - begin) * 1000)
        handler.close()
    return statistics.median(times)


def rotations():
    """Return the sentence about how long rotations take."""
    took = {name: " / ".join(f"{stall(name, count):.1f}" for count in (90, 1000)) for name in ROTATING}
    times = ", ".join(f"{values} ms ({name})" for name, values in took.items())
    return f"One rotation where there are 90 / 1,000 old files, at the median: {times}."


def table(names, figures, safety):
    """Return the results as a table in Markdown."""
    lines = [
        "| handler | x FileHandler, 1 / 4 processes | x os.write | p50, us | p99 | p99.9 | lost | misfiled | errors |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in names:
        own, raw = ([figures[each, n]["ratio"] for n in (1, 4)] for each in (name, RAW))
        ratios = [f"{one:.2f} / {four:.2f}" for one, four in (own, map(operator.truediv, own, raw))]
        delays = [" / ".join(f"{figures[name, n][label]:.1f}" for n in (1, 4)) for label in ("p50", "p99", "p99.9")]
        if name in safety:
            lost, written, misfiled, tracebacks = safety[name]
            timed = CONTENDERS[name][0] == "time"
            faults = [f"{lost:,} of {written:,}", f"{misfiled:,}" if timed else "-", tracebacks]
        else:
            faults = ["-", "-", "-"]
        lines.append("| " + " | ".join(map(str, [name, *ratios, *delays, *faults])) + " |")
    return "\n".join(lines)


def plot(names, figures, safety):
    """Return an SVG: a bar for each handler's speed with four processes, and what it lost."""
    ratios = {name: figures[name, 4]["ratio"] for name in names if name != RAW}
    base = figures[BASELINE, 4]["rate"]
    scale = 260 / max(ratios.values())
    rows = []
    for number, (name, ratio) in enumerate(ratios.items()):
        y = 44 + number * 26
        lost, _, misfiled, _ = safety.get(name, (0, 0, 0, 0))
        colour = "#c0392b" if lost or misfiled else "#2e7d32" if "applog" in name else "#78909c"
        note = f"{ratio:.2f} x"
        if name in safety:
            note += f", {lost:,} lost" + (f", {misfiled:,} misfiled" if misfiled else "")
        rows.append(
            f'<text x="268" y="{y + 14}" text-anchor="end">{name}</text>'
            f'<rect x="276" y="{y}" width="{ratio * scale:.0f}" height="19" fill="{colour}"/>'
            f'<text x="{282 + ratio * scale:.0f}" y="{y + 14}">{note}</text>'
        )
    height = 58 + len(ratios) * 26
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}" role="img" '
        'font-family="sans-serif" font-size="13"><title>Rotating log handlers compared</title>'
        f'<rect width="800" height="{height}" fill="#fff"/>'
        '<text x="14" y="24" font-size="15">Four processes: records per second, compared with '
        f"logging.FileHandler ({base:,.0f}/s)</text>{''.join(rows)}</svg>\n"
    )


def installed(name):
    """Tell whether the module that a handler needs is there."""
    module = next((MODULES[word] for word in MODULES if name.startswith(word)), None)
    return module is None or importlib.util.find_spec(module) is not None


def main():
    """Be a worker, or measure all handlers and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--records", type=int, default=2_000, help="lines of each process in a round")
    parser.add_argument("--seconds", type=float, default=6, help="of the safety runs by time")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", default="", help="handlers whose name contains this, and the base")
    parser.add_argument("--rotations", action="store_true", help="only how long a rotation takes")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(json.loads(options.worker))
        return
    if options.rotations:
        print(rotations())
        return
    names = [name for name in CONTENDERS if installed(name) and (options.only in name or name in (BASELINE, RAW))]
    begin = time.monotonic()
    safety = measure_safety(names, 10_000, options.seconds)
    figures = measure_speed(names, options.rounds, options.records)
    progress("")
    print(file=sys.stderr)
    machine = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"
    text = (
        f"{machine}; medians of {options.rounds} rounds, {options.records:,} lines of {LINE_BYTES} "
        f"bytes for each process.\n\n{table(names, figures, safety)}\n\n{rotations()}\n"
    )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "handlers.md").write_text(text, encoding="utf-8")
    svg = plot(names, figures, safety)
    (options.output / "handlers.svg").write_text(svg, encoding="utf-8")
    print(text)
    print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
