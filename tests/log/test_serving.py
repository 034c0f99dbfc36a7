"""Production: the documented commands, with several workers, under load."""

import http.client
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from conftest import run, windows
from servers import PRODUCTION, Server, fetch, stop, wait_for, wait_for_reload

unix = pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
REQUESTS = 10_000  # at least
SECONDS = 5  # at least, so that files rotate on a fast machine too
CLIENTS = 8
LOCAL = PRODUCTION | {"SECURE_SSL_REDIRECT": "false", "ALLOWED_HOSTS": "127.0.0.1"}

URLS = """
# A page that logs one record, which belongs in both files.

import logging

from django.contrib.auth import get_user_model
from django.http import HttpResponse


def load(_, number):
    logging.getLogger("django.security.load").warning("n%dn end", number)
    return HttpResponse(get_user_model().objects.count())


urlpatterns.append(path("load/<int:number>", load))
"""
TINY = """
# The project's settings, with log files that rotate often.

from config.settings import *

for name in ("file", "security_file"):
    kept = {key: value for key, value in LOGGING["handlers"][name].items() if key not in rotation}
    LOGGING["handlers"][name] = kept | HANDLER
"""
BY_SIZE = {"class": "applog.handlers.SharedRotatingFileHandler", "maxBytes": 5_000, "backupCount": 5000}
BY_TIME = {"class": "applog.handlers.SharedTimedRotatingFileHandler", "when": "s", "backupCount": 5000}


def add_load(project, handler=None):
    """Add the page to a project, and settings with `handler` for both files."""
    with (project / "config" / "urls.py").open("a", encoding="utf-8") as urls:
        urls.write(URLS)
    if handler:
        settings = f"HANDLER = {handler}\n{TINY}"
        (project / "config" / "tiny.py").write_text(settings, encoding="utf-8")


def ask(server, numbers):
    """Ask a server for the page of each number by some clients at once, and count the statuses."""
    statuses = Counter()
    numbers = iter(numbers)
    lock = threading.Lock()

    def be_client():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            connection.request("GET", f"/load/{number}")
            with connection.getresponse() as response:
                response.read()
            with lock:
                statuses[response.status] += 1
        connection.close()

    clients = [threading.Thread(target=be_client) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return statuses


def unit_command(project, python):
    """Return the command of the systemd unit, with the programs of the tests' environment."""
    unit = (project / "deploy" / "gunicorn.service").read_text(encoding="utf-8")
    [command] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    program, *arguments = shlex.split(command)
    assert program == "/srv/%p/.venv/bin/gunicorn"
    return [python, "-m", "gunicorn", *arguments]


def service_command(project, python):
    """Return the command of the Windows service, with another Python."""
    service = ET.parse(project / "deploy" / "windows-service.xml").getroot()  # noqa: S314  our own file
    assert service.findtext("executable") == r"%BASE%\..\.venv\Scripts\python.exe"
    return [python, *service.findtext("arguments").split()]


@pytest.fixture
def start():
    """Return a function that starts a production server."""
    servers = []

    def start_server(command, project, env):
        servers.append(Server(command, project, env))
        return servers[-1]

    yield start_server
    for server in servers:
        if server.process.poll() is None:
            stop(server.process)


def numbers_in(paths):
    """Count the numbers of the whole lines in files."""
    found = Counter()
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            found.update(re.findall(r"django\.security\.load .*\bn(\d+)n end$", line))
    return found


def assert_each_request_once(server, project, numbers):
    """Assert that each request is once on the console and once in each log, and return the numbers of rotations."""
    expected = Counter(map(str, numbers))
    logs = {name: list((project / "logs").glob(f"{name}*")) for name in ("django.log", "security.log")}
    assert numbers_in([server.console]) == expected
    for paths in logs.values():
        assert numbers_in(paths) == expected
    return {name: len(paths) - 1 for name, paths in logs.items()}


@unix
@pytest.mark.parametrize(
    ("handler", "queue", "rotations"),
    [
        pytest.param(BY_SIZE, "false", 80, marks=pytest.mark.storm, id="size"),
        pytest.param(BY_TIME, "true", 3, id="queue"),
    ],
)
def test_each_request_is_logged_once_under_load(bake, environment, start, handler, queue, rotations):
    """Without this, requests that four workers served at a busy hour leave no trace, or two."""
    python = environment("5.2")
    project = bake()
    add_load(project, handler)
    env = LOCAL | {"DJANGO_SETTINGS_MODULE": "config.tiny", "LOG_QUEUE": queue}
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
    server = start(unit_command(project, python), project, env).wait()
    end = time.monotonic() + SECONDS
    statuses = ask(server, itertools.takewhile(lambda n: n < REQUESTS or time.monotonic() < end, itertools.count()))
    assert statuses == {200: statuses.total()}
    assert server.terminate() == 0
    rotated = assert_each_request_once(server, project, range(statuses.total()))
    print(rotated)
    assert min(rotated.values()) >= rotations
    assert "Traceback" not in server.text()


@windows
@pytest.mark.long
def test_each_request_is_logged_once_on_windows(bake, windows_python, start):
    """Without this, the service on Windows is one process, or loses what its four write."""
    project = bake()
    add_load(project, BY_SIZE)
    env = LOCAL | {"DJANGO_SETTINGS_MODULE": "config.tiny"}
    run(windows_python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
    server = start(service_command(project, windows_python), project, env).wait()
    wait_for(lambda: server.text().count("Running on") >= 4)
    assert ask(server, range(1000)) == {200: 1000}
    stop(server.process)
    assert min(assert_each_request_once(server, project, range(1000)).values()) >= 10
    assert server.text().count("Running on") == 4
    assert "Traceback" not in server.text()


@unix
def test_the_service_manager_is_told_when_the_server_is_ready(bake, environment, start, tmp_path):
    """Without this, systemd takes a server that runs well for one that hangs, and kills it."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(60)
        project = bake()
        start(unit_command(project, environment("5.2")), project, LOCAL | {"NOTIFY_SOCKET": path})
        assert b"READY=1" in manager.recv(1000)


@unix
def test_the_service_is_not_started_again_without_its_variables(bake, environment, start):
    """Without this, systemd restarts a server for ever that cannot start, and its log fills."""
    project = bake()
    (project / ".env").unlink()
    unit = (project / "deploy" / "gunicorn.service").read_text(encoding="utf-8")
    [status] = re.findall(r"^RestartPreventExitStatus=(\d+)$", unit, re.MULTILINE)
    server = start(unit_command(project, environment("5.2")), project, LOCAL | {"SECRET_KEY": ""})
    assert server.process.wait(60) == int(status)
    assert "Traceback" not in server.text()


@pytest.fixture
def read_only():
    """Return a function that makes a folder read-only, for root too."""
    mounted = []

    def protect(folder):
        if os.geteuid():
            folder.chmod(0o555)
            return
        mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
        if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
            pytest.skip("root may write everywhere, and mounting is not permitted here")
        mounted.append(folder)

    yield protect
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@unix
def test_a_read_only_folder_is_told_once(bake, environment, start, read_only):
    """Without this, a container without a volume for logs/ complains for ever, or does not start."""
    python = environment("5.2")
    project = bake()
    add_load(project)
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=LOCAL)
    shutil.rmtree(project / "logs")
    (project / "logs").mkdir()
    read_only(project / "logs")
    errors = project.parent / "stderr.txt"
    command = ["sh", "-c", 'exec "$@" 2>"$0"', errors, *unit_command(project, python)]
    server = start(command, project, LOCAL).wait()
    assert ask(server, range(200)) == {200: 200}
    assert server.terminate() == 0
    assert server.text().count(f"Log files cannot be written in {project / 'logs'}: ") == 1
    assert numbers_in([server.console]) == Counter(map(str, range(200)))
    assert not re.search(r" (INFO|WARNING|ERROR) |record lost", errors.read_text(encoding="utf-8"))
    dumped = run(python, "manage.py", "dumpdata", "users", cwd=project, env=LOCAL)
    assert json.loads(dumped) == []


@unix
def test_a_database_that_restarts_leaves_no_broken_worker(bake, environment, start, postgresql):
    """Without this, each update of the database needs a restart of the site."""
    python = environment("5.2")
    project = bake(database="postgresql")
    add_load(project)
    env = LOCAL | {"DATABASE_URL": postgresql.create("restarted")}
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
    server = start(unit_command(project, python), project, env).wait()
    asking = True
    statuses = Counter()

    def be_busy():
        statuses.update(ask(server, itertools.takewhile(lambda _: asking, itertools.count())))

    client = threading.Thread(target=be_busy)
    client.start()
    wait_for(lambda: "n100n" in server.text())
    postgresql.restart()
    asking = False
    client.join()
    print(statuses)
    assert statuses[500] > 0  # the restart was noticed indeed
    assert ask(server, range(2000)) == {200: 2000}


def test_the_queue_survives_the_reload_of_runserver(bake, environment, start):
    """Without this, a developer who turns the queue on sees no record after the first change of a file."""
    python = environment("5.2")
    project = bake()
    add_load(project)
    env = LOCAL | {"LOG_QUEUE": "true", "DEBUG": "true"}
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project, env=env)
    server = start([python, "manage.py", "runserver", "127.0.0.1:8000"], project, env).wait()
    for number in range(20):
        if number == 10:
            wait_for_reload(server, project / "pages" / "views.py")
        wait_for(lambda number=number: fetch(f"{server.address}/load/{number}")[0] == 200)
    if os.name == "nt":
        wait_for(lambda: "19" in numbers_in((project / "logs").glob("django.log")))
        stop(server.process)
    else:
        os.killpg(server.process.pid, signal.SIGINT)  # as Ctrl+C does
        server.process.wait(60)
    assert_each_request_once(server, project, range(20))
