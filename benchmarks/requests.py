"""Measure what logging adds to a request: the template's, and django-structlog's.

    uv run --group bench benchmarks/requests.py [--rounds 9] [--requests 2000]

Each contender is a process with Django's WSGI handler and a view that logs one record; beside it, the request's end is
logged (by django-structlog its beginning, too), into one file. Requests are called without a server, and the processes
take turns, so that a busy moment of the machine hits all alike; the fastest round of each counts. django-structlog is
set up as its documentation shows, for JSON.
"""

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True  # it would be copied into each project
HERE = Path(__file__).resolve()
PROJECT = HERE.parents[1] / "{{cookiecutter.project_slug}}"
BASELINE = "no logging"
CONTENDERS = (BASELINE, "applog, text", "applog, JSON", "django-structlog, JSON")


def applog_settings(folder, formatter):
    """Return the settings of the template's log, as far as they matter here."""
    formatters = {"text": {"()": "applog.formatters.TextFormatter"}, "json": {"()": "applog.formatters.JsonFormatter"}}
    file = {"class": "applog.handlers.SharedTimedRotatingFileHandler", "when": "midnight", "formatter": formatter}
    return {
        "MIDDLEWARE": ["applog.middleware.request_log"],
        "LOGGING_CONFIG": "applog.setup.configure",
        "LOGGING": {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": formatters,
            "handlers": {"file": {**file, "filename": Path(folder, "django.log"), "encoding": "utf-8"}},
            "root": {"handlers": ["file"], "level": "INFO"},
        },
        "LOG_FILES": "rotate",
        "LOG_REDACT": [],
        "SERVICE_NAME": "shop",
        "TRUSTED_PROXY_COUNT": 0,
    }


def structlog_settings(folder):
    """Return the settings of django-structlog, from its documentation."""
    import structlog  # noqa: PLC0415  the group has it

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = {"()": structlog.stdlib.ProcessorFormatter, "processor": structlog.processors.JSONRenderer()}
    return {
        "INSTALLED_APPS": ["django_structlog"],
        "MIDDLEWARE": ["django_structlog.middlewares.RequestMiddleware"],
        "LOGGING": {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": formatter},
            "handlers": {
                "file": {"class": "logging.FileHandler", "filename": Path(folder, "django.log"), "formatter": "json"}
            },
            "root": {"handlers": ["file"], "level": "INFO"},
        },
    }


def serve(contender, number):
    """Serve requests, a round for each line on stdin, and print how long a request of it takes, in microseconds."""
    from django.conf import settings  # noqa: PLC0415
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415
    from django.http import HttpResponse  # noqa: PLC0415
    from django.test import RequestFactory  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415

    sys.path.append(str(PROJECT))
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"LOGGING": {"version": 1, "root": {"level": "CRITICAL"}, "loggers": {"shop": {"level": "CRITICAL"}}}}
        own = {"applog, text": "text", "applog, JSON": "json"}
        more = applog_settings(folder, own[contender]) if contender in own else quiet
        more = structlog_settings(folder) if contender.startswith("django-structlog") else more
        settings.configure(
            ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x" * 50, DEFAULT_CHARSET="utf-8", **more
        )
        import django  # noqa: PLC0415

        django.setup()
        if contender.startswith("django-structlog"):
            import structlog  # noqa: PLC0415

            logger = structlog.get_logger("shop")
        else:
            logger = logging.getLogger("shop")

        def view(_):
            logger.info("order %s of %s", 17, "alice")
            return HttpResponse("ok")

        globals()["urlpatterns"] = [path("order/", view)]
        handler, environ = WSGIHandler(), RequestFactory()._base_environ(PATH_INFO="/order/")  # noqa: SLF001
        for _ in sys.stdin:
            begin = time.perf_counter()
            for _ in range(number):
                handler(dict(environ), lambda *_: None).close()
            print(json.dumps((time.perf_counter() - begin) / number * 1e6), flush=True)
        logging.shutdown()


def main():
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=2000, help="in each round")
    parser.add_argument("--serve", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.requests)
        return
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, HERE, f"--requests={options.requests}", "--serve"]
    servers = {name: subprocess.Popen([*command, name], **pipes) for name in CONTENDERS}
    best = {}
    for _ in range(options.rounds):
        for name, server in servers.items():
            server.stdin.write("go\n")
            server.stdin.flush()
            best[name] = min(float(server.stdout.readline()), best.get(name, float("inf")))
    for server in servers.values():
        server.communicate()
    added = {name: taken - best[BASELINE] for name, taken in best.items()}
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores\n")
    print("| request with | us | us above none | x django-structlog |\n| --- | --- | --- | --- |")
    for name, taken in best.items():
        print(f"| {name} | {taken:.0f} | {added[name]:.0f} | {added[name] / added[CONTENDERS[-1]]:.2f} |")


if __name__ == "__main__":
    main()
