"""Measure how many records the export by OTLP takes before it loses any.

    uv run --group bench benchmarks/otlp.py [--rates 1000 5000] [--seconds 60] [--processes 4]

So many processes log at a steady pace, in sum at each rate, to a receiver that takes all records apart and counts them.
A record that comes while the SDK's queue is full takes the place of the oldest, which is lost for the receiver, though
not for the files. What a call of the logger takes with the export is compared with what it takes without, in the same
process, in turns: the ratio of the medians, with the log file in both. What a request takes is measured by servers of a
generated project, as benchmarks/serving.py starts them: a client sends one request after the other, to each in turns.
"""

import argparse
import gzip
import http.client
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

sys.dont_write_bytecode = True  # it would be copied into each project
PROJECT = Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"
TICKS = 50  # a second, at each of which a process logs its share
PART_SECONDS = 0.5  # with the export, then without, and so on, where calls are timed
CALLS = 2000
ADDRESS = "OTEL_EXPORTER_OTLP_ENDPOINT"
ROUNDS, REQUESTS = 40, 50  # of requests; so many in each turn


def start_receiver():
    """Start a receiver in this process. Returns its port, and a function that returns how many records have come."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest  # noqa: PLC0415

    counts = []

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            parsed = ExportLogsServiceRequest.FromString(body)
            counts.append(sum(len(scope.log_records) for one in parsed.resource_logs for scope in one.scope_logs))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1], lambda: sum(counts)


def set_up(folder):
    """Set up Django and the template's log, as far as they matter here, with a file in `folder` and the export."""
    sys.path[0] = str(PROJECT)  # and not this folder, whose requests.py is another one than the exporter's
    from django.conf import settings  # noqa: PLC0415  the group has it

    file = {
        "class": "applog.handlers.SharedTimedRotatingFileHandler", "when": "midnight", "encoding": "utf-8",
        "filename": Path(folder, f"{os.getpid()}.log"), "formatter": "json",
    }  # fmt: skip
    settings.configure(
        LOG_FILES="rotate", LOG_REDACT=[], SERVICE_NAME="shop", TRUSTED_PROXY_COUNT=0, LOGGING_CONFIG=None
    )
    from applog.setup import configure  # noqa: PLC0415  it needs the path

    configure(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": "applog.formatters.JsonFormatter"}},
            "handlers": {"file": file},
            "root": {"handlers": ["file"], "level": "INFO"},
        }
    )


def log_steadily(rate, seconds):
    """Log so many records a second. Prints how many there were, which is fewer on a machine that is too slow."""
    logger, made = logging.getLogger("shop.orders"), 0
    begin = time.perf_counter()
    while (now := time.perf_counter() - begin) < seconds:
        while made < now * rate:
            logger.info("Order %d of customer %d was paid", made, made % 1000, extra={"order.id": made})
            made += 1
        time.sleep(1 / TICKS)
    print(made)


def compare_calls():
    """Print the ratio of what a call takes with the export to what it takes without."""
    logger = logging.getLogger("shop.orders")
    [export] = [handler for handler in logging.root.handlers if type(handler).__name__ == "OTLPHandler"]
    medians = {True: [], False: []}
    for turn in range(10):
        has_export = turn % 2 == 0
        (logging.root.addHandler if has_export else logging.root.removeHandler)(export)
        delays = []
        for number in range(CALLS):
            begin = time.perf_counter_ns()
            logger.info("Order %d of customer %d was paid", number, number, extra={"order.id": number})
            delays.append(time.perf_counter_ns() - begin)
            time.sleep(PART_SECONDS / CALLS)
        medians[has_export].append(statistics.median(delays))
    logging.root.addHandler(export)
    print(json.dumps({"with": min(medians[True]) / 1000, "without": min(medians[False]) / 1000}))


def compare_requests(folder):
    """Print what a request takes in microseconds, by the median: without the export, with it, and without it again."""
    import serving  # noqa: PLC0415  only here this folder is on the path

    project = serving.make_project(Path(folder))
    servers = []
    try:
        for number, address in enumerate(("", os.environ[ADDRESS], "")):
            servers.append(serving.start(project, number, {"LOG_FORMAT": "json", ADDRESS: address}))
        clients = [http.client.HTTPConnection(urlsplit(url).netloc) for _, url in servers]
        taken = [[] for _ in clients]
        for turn in range(ROUNDS * len(clients)):
            for _ in range(REQUESTS):
                begin = time.perf_counter_ns()
                clients[turn % 3].request("GET", "/page")
                clients[turn % 3].getresponse().read()
                taken[turn % 3].append((time.perf_counter_ns() - begin) / 1000)
    finally:
        for server, _ in servers:
            server.terminate()
            server.wait()
    print(json.dumps([statistics.median(values) for values in taken]))


def start(job, folder, port):
    """Start a worker."""
    env = {**os.environ, ADDRESS: f"http://127.0.0.1:{port}"}
    command = [sys.executable, __file__, "--worker", json.dumps({**job, "folder": folder})]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, encoding="utf-8")


def main():
    """Be a worker, or measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[5000, 10_000, 20_000], help="records a second, in sum")
    parser.add_argument("--seconds", type=float, default=60, help="for each rate")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        job = json.loads(options.worker)
        if job.get("requests"):
            compare_requests(job["folder"])
            return
        set_up(job["folder"])
        if "rate" in job:
            log_steadily(job["rate"], job["seconds"])
        else:
            compare_calls()
        return
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors\n")
    with tempfile.TemporaryDirectory() as folder:
        print(f"| records a second, of {options.processes} processes | logged | received | lost |")
        print("| --- | --- | --- | --- |")
        for rate in options.rates:
            port, received = start_receiver()
            job = {"rate": rate / options.processes, "seconds": options.seconds}
            workers = [start(job, folder, port) for _ in range(options.processes)]
            made = sum(int(worker.communicate()[0]) for worker in workers)
            print(f"| {rate:,} | {made:,} | {received():,} | {made - received():,} |", flush=True)
        port, _ = start_receiver()
        found = json.loads(start({}, folder, port).communicate()[0])
        print(f"\nA call takes {found['with']:.1f} us with the export, {found['without']:.1f} us without it.")
        # In a worker, as the receiver is busy in this process.
        without, with_export, again = json.loads(start({"requests": True}, folder, port).communicate()[0])
        print(f"A request takes {with_export / without:.2f} x with it ({again / without:.2f} x without it, again).")


if __name__ == "__main__":
    main()
