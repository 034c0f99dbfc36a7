"""Compare what formatting a record costs: the template's formatters, logging.Formatter with Django's verbose fields.

    uv run --group bench [--with picologging] benchmarks/formatters.py [--rounds 15] [--records 5000]

The rounds are interleaved, so that a busy moment of the machine hits all alike; the fastest of each counts. The verbose
fields are those of https://docs.djangoproject.com/en/stable/topics/logging/: level, time, module, process, thread and
message; the text formatter is measured with them too, and picologging's own formatter, of its own records, where it is
installed; it has no wheels for Python 3.13.
"""

import argparse
import importlib.util
import logging
import os
import platform
import sys
import time
from pathlib import Path

from django.conf import settings

sys.dont_write_bytecode = True  # it would be copied into each project
sys.path.append(str(Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"))

from applog.formatters import JsonFormatter, TextFormatter  # noqa: E402  after the path

VERBOSE = "{levelname} {asctime} {module} {process:d} {thread:d} {message}"
BASELINE = "logging.Formatter, verbose"
# name: (the formatter, the module whose records it formats)
FORMATTERS = {
    BASELINE: (logging.Formatter(VERBOSE, style="{"), logging),
    "applog TextFormatter, verbose": (TextFormatter(VERBOSE), logging),
    "applog TextFormatter": (TextFormatter(), logging),
    "applog JsonFormatter": (JsonFormatter(), logging),
}
if importlib.util.find_spec("picologging"):
    picologging = importlib.import_module("picologging")
    PERCENT = "%(levelname)s %(asctime)s %(module)s %(process)d %(thread)d %(message)s"  # its faster style
    FORMATTERS["picologging.Formatter, verbose"] = picologging.Formatter(PERCENT), picologging


def make_record(module, number):
    """Return a new record, as a formatter leaves its traces in one."""
    return module.LogRecord("shop.orders", logging.INFO, "orders.py", 17, "order %s of %s", (number, "alice"), None)


def measure(rounds, number):
    """Return the least microseconds that each formatter takes for a record."""
    best = {}
    for _ in range(rounds):
        for name, (formatter, module) in FORMATTERS.items():
            records = [make_record(module, number) for number in range(number)]
            begin = time.perf_counter()
            for record in records:
                formatter.format(record)
            taken = (time.perf_counter() - begin) / number * 1e6
            best[name] = min(taken, best.get(name, taken))
    return best


def main():
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--records", type=int, default=5000, help="in each round")
    options = parser.parse_args()
    settings.configure(SERVICE_NAME="shop")
    best = measure(options.rounds, options.records)
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores\n")
    print("| formatter | us a record | x verbose |\n| --- | --- | --- |")
    for name, taken in best.items():
        print(f"| {name} | {taken:.2f} | {taken / best[BASELINE]:.2f} |")


if __name__ == "__main__":
    main()
