"""Compare a production server that writes its log files with the same server without, and with another handler.

    uv run benchmarks/serving.py [--rounds 21] [--seconds 1]

Generates a project, adds a page that renders a template and whose requests are logged, starts gunicorn with the command
of the systemd unit (4 processes of 4 threads) once for each row, with the console thrown away. wrk, which Debian and
Homebrew have, loads one server at a time; the rounds are short, and go to and fro, so that a busy moment of the machine
hits all alike; a ratio is the median of each round's, and "no log files, again" tells how far to trust it. Files rotate
at 1 MiB, or each second. Not on Windows.
"""

import argparse
import os
import platform
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZE = {"maxBytes": 1 << 20, "backupCount": 2000}
TIME = {"when": "s", "backupCount": 2000}
BASELINE = "no log files"
# name: (environment, class, options of the handler)
CONTENDERS = {
    BASELINE: ({"LOG_FILES": "off"}, None, {}),
    "no log files, again": ({"LOG_FILES": "off"}, None, {}),
    "applog, size": ({}, "applog.handlers.SharedRotatingFileHandler", SIZE),
    "concurrent-log-handler, size": ({}, "concurrent_log_handler.ConcurrentRotatingFileHandler", SIZE),
    "applog, time": ({}, "applog.handlers.SharedTimedRotatingFileHandler", TIME),
    "concurrent-log-handler, time": ({}, "concurrent_log_handler.ConcurrentTimedRotatingFileHandler", TIME),
    "applog, time, LOG_QUEUE": ({"LOG_QUEUE": "true"}, "applog.handlers.SharedTimedRotatingFileHandler", TIME),
}
PAGE = """

from django.shortcuts import render


def page(request):
    return render(request, "base.html")


urlpatterns.append(path("page", page))
"""
SETTINGS = """from config.settings import *

for name in ("file", "security_file"):
    kept = {key: value for key, value in LOGGING["handlers"][name].items() if key not in rotation}
    LOGGING["handlers"][name] = kept | HANDLER
"""


def make_project(folder):
    """Generate a project with an environment of its own, and return its folder."""
    generate = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "--output-dir", str(folder)]
    subprocess.run(generate, check=True, stdout=subprocess.DEVNULL)
    project = folder / "my_project"
    with (project / "config" / "urls.py").open("a", encoding="utf-8") as urls:
        urls.write(PAGE)
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    for command in ("sync --all-groups", "pip install concurrent-log-handler"):
        subprocess.run(["uv", *command.split(), "--quiet"], cwd=project, env=environment, check=True)
    return project


def start(original, number, variables, handler=None, options=None):
    """Start a server in a copy of the project, with environment variables, and return it and its address."""
    project = original.with_name(f"project{number}")
    shutil.copytree(original, project, ignore=shutil.ignore_patterns(".venv"))
    python = original / ".venv" / "bin" / "python"
    module = "settings"
    if handler:
        module = "measured"
        text = f"HANDLER = { ({'class': handler, **(options or {})}) }\n{SETTINGS}"
        (project / "config" / "measured.py").write_text(text, encoding="utf-8")
    unit = (project / "deploy" / "gunicorn.service").read_text(encoding="utf-8")
    address = f"127.0.0.1:{8900 + number}"
    arguments = shlex.split(
        re.search(r"^ExecStart=\S+ (.*)$", unit, re.MULTILINE)[1].replace("127.0.0.1:8000", address)
    )
    environment = {
        **os.environ, **variables, "DJANGO_SETTINGS_MODULE": f"config.{module}", "DEBUG": "false",
        "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "false",
    }  # fmt: skip
    server = subprocess.Popen(
        [python, "-m", "gunicorn", *arguments], cwd=project, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://{address}/page"
    for _ in range(100):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return server, url
    return sys.exit(f"the server does not start with {variables} and {handler}")


def load(url, seconds):
    """Return the requests per second that a server answers, and how many it does not answer well."""
    done = subprocess.run(
        ["wrk", "--threads", "1", "--connections", "16", "--duration", f"{seconds}s", url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]), int(errors[1]) if errors else 0


def main():
    """Measure all rows and print them as a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seconds", type=int, default=1, help="of each row in each round")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; install it (apt install wrk, brew install wrk) and start again.")
    with tempfile.TemporaryDirectory() as name:
        original = make_project(Path(name))
        servers = {}
        try:
            for number, contender in enumerate(CONTENDERS):
                servers[contender] = start(original, number, *CONTENDERS[contender])
            found = {contender: [] for contender in CONTENDERS}
            for number in range(options.rounds):
                for contender in list(CONTENDERS)[:: -1 if number % 2 else 1]:
                    found[contender].append(load(servers[contender][1], options.seconds))
        finally:
            for server, _ in servers.values():
                server.send_signal(signal.SIGTERM)
                server.wait()
    machine = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"
    print(f"{machine}; medians of {options.rounds} rounds of {options.seconds} s.\n")
    print("| log files | requests per second | x no log files | errors |\n| --- | --- | --- | --- |")
    for contender, rounds in found.items():
        rate = statistics.median(rate for rate, _ in rounds)
        ratio = statistics.median(rate / base for (rate, _), (base, _) in zip(rounds, found[BASELINE], strict=True))
        print(f"| {contender} | {rate:,.0f} | {ratio:.2f} | {sum(errors for _, errors in rounds)} |")


if __name__ == "__main__":
    main()
