"""A process of a generated project that logs, for test_otlp.py: `otlp_process.py '{"name": "p0", "records": 5}'`.

It logs `p0-0-0`, `p0-0-1` ..., and lives on for `linger` seconds; with `forks`, each of so many forked children does so
instead, after the parent has logged `p0-parent`. With `exit_seconds` it takes that long, if it must, to send what is
left at its end. Run it in the project's folder.
"""

import atexit
import json
import os
import sys
import time

done = []


def say(seconds):
    """Print a number in one piece, as forked processes print into the same pipe."""
    sys.stdout.write(f"{seconds:.3f}\n")
    sys.stdout.flush()


# Called in the reverse order: logging, imported below, has come to its end by then.
atexit.register(lambda: done and say(time.perf_counter() - done[0]))

import logging  # noqa: E402

import django  # noqa: E402

sys.path.insert(0, ".")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"


def log_records(name, job):
    """Log, and print how long the slowest call took, and at last how long the log took to end, in seconds."""
    logger = logging.getLogger("shop.orders")
    slowest = 0.0
    for number in range(job["records"]):
        begin = time.perf_counter()
        logger.info("%s-%d", name, number)
        slowest = max(slowest, time.perf_counter() - begin)
        if number % 500 == 499:
            time.sleep(0.2)  # the queue holds 2,048, and other processes share the machine
    time.sleep(job.get("linger", 0))
    say(slowest)
    done.append(time.perf_counter())


def main(job):
    """Be one process, or a parent and its children, which end as a server's workers do."""
    django.setup()
    if "exit_seconds" in job:
        from applog.contrib import otlp  # noqa: PLC0415  where it is imported is what other tests are about

        otlp.EXIT_SECONDS = job["exit_seconds"]
    if "forks" not in job:
        log_records(f"{job['name']}-0", job)
        return
    logging.getLogger("shop.orders").info("%s-parent", job["name"])
    children = []
    for number in range(job["forks"]):
        child = os.fork()
        if not child:
            log_records(f"{job['name']}-{number}", job)
            return
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
