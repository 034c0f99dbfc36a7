"""What several tests share: the template's choices, a bake, an environment to run it in, a PostgreSQL server."""

import ast
import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import storm
import yaml
from filelock import FileLock
from servers import Server, free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
CHOICES = {key: value for key, value in QUESTIONS.items() if isinstance(value, list) and not key.startswith("_")}
# Nothing else depends on the licence: with each combination of the others, one after the other.
LICENCES = itertools.cycle(CHOICES["project_license"])
OTHERS = itertools.product(*(values for key, values in CHOICES.items() if key != "project_license"))
RENDERED = [dict(zip(CHOICES, (*values, next(LICENCES)), strict=True)) for values in OTHERS]
OLDEST_PYTHON = {"5.2": (3, 11), "6.1": (3, 12)}
PARSERS = {".toml": tomllib.loads, ".yaml": yaml.safe_load, ".yml": yaml.safe_load, ".py": ast.parse}
WINDOWS_PYTHON = os.environ.get("WINDOWS_PYTHON") or (sys.executable if os.name == "nt" else None)
windows = pytest.mark.skipif(not WINDOWS_PYTHON, reason="WINDOWS_PYTHON does not name a Python for Windows")


def pairwise():
    """Choose combinations, the richest first, until each pair of answers but the licence stands in one of them."""

    def pairs(combination):
        return {pair for pair in itertools.combinations(combination.items(), 2) if "project_license" not in dict(pair)}

    missing = set().union(*map(pairs, RENDERED))
    chosen = []
    while missing:
        chosen.append(max(RENDERED, key=lambda combination: len(missing & pairs(combination))))
        missing -= pairs(chosen[-1])
    return chosen


def name_of(combination):
    """Name a combination in a test's id."""
    return "-".join(combination.values())


def pytest_collection_modifyitems(items):
    """Begin with the tests that are `long`."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_configure():
    """Let Ctrl+C end what the tests start, though a script that starts them by `&` has it ignored, and children too."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory):
    """Keep away the developer's own defaults and replays of cookiecutter; let projects share what mypy remembers."""
    folder = tmp_path_factory.mktemp("config")
    config = folder / "config.yaml"
    config.write_text(
        json.dumps({"cookiecutters_dir": str(folder / "templates"), "replay_dir": str(folder / "replay")}),
        encoding="utf-8",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COOKIECUTTER_CONFIG", str(config))
        patch.setenv("MYPY_CACHE_DIR", str(folder / "mypy"))  # it tells a project's modules by their contents
        yield


@pytest.fixture
def bake(cookies):
    """Return a function that generates a project from answers and returns its folder."""

    def generate(**answers):
        result = cookies.bake(extra_context=answers)
        if result.exception:
            raise result.exception
        return result.project_path

    return generate


def copy_template(folder):
    """Copy this repository, without what tools have left in it."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".venv", ".git", "*_cache", "__pycache__"))


def run(*command, cwd, env=None, **options):
    """Run a command, let the test fail with its output when it fails, and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
        capture_output=True,
        encoding="utf-8",
        check=False,
        **options,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def python_for(django_version):
    """Find a Python that this Django runs on: the one of these tests, or another that uv knows."""
    if sys.version_info[:2] >= OLDEST_PYTHON[django_version]:
        return sys.executable
    wanted = ">={}.{}".format(*OLDEST_PYTHON[django_version])
    found = subprocess.run(
        ["uv", "python", "find", "--no-project", wanted],
        env={key: value for key, value in os.environ.items() if key != "UV_PYTHON"},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None


def python_in(folder):
    """Return the Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id):
    """Return a folder that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def environment(cookies_session, shared_folder):
    """Return a function that gives the Python of an environment with all that any bake for a Django version needs."""

    def make(django_version):
        python = python_for(django_version)
        if python is None:
            pytest.skip(f"Django {django_version} needs a newer Python than this one, and uv finds none")
        folder = shared_folder / f"environment-{django_version}"
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                made = folder.with_suffix(".made")
                for accounts in CHOICES["accounts"]:
                    answers = {"django_version": django_version, "database": "postgresql", "accounts": accounts}
                    project = cookies_session.bake(extra_context=answers).project_path
                    # Bytecode: as pyproject.toml has it for these tests' own environment.
                    options = ["--quiet", "--all-groups", "--inexact", "--compile-bytecode", "--python", python]
                    run("uv", "sync", *options, cwd=project, env={"UV_PROJECT_ENVIRONMENT": str(made)})
                # Renamed only when it is whole; its Python finds its packages from wherever it lies.
                made.rename(folder)
        return python_in(folder)

    return make


@pytest.fixture
def windows_python(environment):
    """Return a Python for Windows that has what a generated project needs."""
    return environment("5.2") if os.name == "nt" else WINDOWS_PYTHON


@pytest.fixture(scope="session")
def tools(shared_folder):
    """Return a function that installs packages from PyPI, once, and gives the Python of their environment."""

    def install(*packages):
        folder = shared_folder / f"tools-{packages[0]}"
        python = python_in(folder)
        with FileLock(f"{folder}.lock"):
            if not (folder / "complete").exists():
                run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, folder, cwd=shared_folder)
                done = subprocess.run(
                    ["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *packages],
                    capture_output=True, encoding="utf-8", check=False,
                )  # fmt: skip
                if done.returncode:
                    pytest.skip(f"{', '.join(packages)} cannot be installed here: {done.stderr.strip()}")
                (folder / "complete").touch()
        return python

    return install


@pytest.fixture(scope="session")
def axe(shared_folder):
    """Return the script of axe, which its makers publish for npm: https://github.com/dequelabs/axe-core."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe comes from npm, which is not installed here")
    folder = shared_folder / "axe"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    with FileLock(f"{folder}.lock"):
        if not script.exists():
            folder.mkdir(exist_ok=True)
            run(npm, "install", "--no-audit", "--no-fund", "axe-core@4.14.1", cwd=folder)
    return script.read_text(encoding="utf-8")


def postgresql_programs():
    """Find the folder of PostgreSQL's server programs, which Debian does not put on the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgresql():
    """Start a PostgreSQL server of this worker's own and return what it takes to reach it."""
    programs = postgresql_programs()
    if programs is None or os.name == "nt":
        pytest.skip("no PostgreSQL server programs are installed here")
    # The server refuses to run as root.
    user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder = Path(name)
        data = folder / "data"
        if user:
            shutil.chown(folder, **user)
        run(programs / "initdb", "-D", data, "-U", "tests", "--auth=trust", "-E", "UTF8", "-N", cwd=folder, **user)
        port = free_port()
        reach = ["-h", "127.0.0.1", "-p", str(port), "-U", "tests"]
        servers = []

        def start():
            with (folder / "server.log").open("a", encoding="utf-8") as log:
                command = [programs / "postgres", "-D", data, "-p", str(port), "-k", "", "-c", "fsync=off"]
                servers.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user))
            ready = [programs / "pg_isready", *reach]
            wait_for(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0)

        def end():
            # A fast shutdown: transactions are rolled back, connections cut.
            servers[-1].send_signal(signal.SIGINT)
            servers[-1].wait(60)

        def create(database):
            run(programs / "createdb", *reach, database, cwd=folder)
            return f"postgresql://tests@127.0.0.1:{port}/{database}"

        def restart():
            end()
            start()

        start()
        try:
            yield SimpleNamespace(create=create, restart=restart)
        finally:
            end()


@contextmanager
def started_servers():
    """Give a function that starts a server and returns its address and what it prints."""
    servers = []

    def start(python, project, env=None, server="runserver"):
        commands = {
            "runserver": [python, project / "manage.py", "runserver", "--noreload", "127.0.0.1:8000"],
            "gunicorn": [python, "-m", "gunicorn", "config.wsgi", "--chdir", project, "--bind", "127.0.0.1:8000"],
        }
        servers.append(Server(commands[server], project, env or {}, cwd=project.parent))
        servers[-1].wait()
        return servers[-1].address, servers[-1].console

    try:
        yield start
    finally:
        for server in servers:
            server.terminate()


@pytest.fixture
def serve():
    """Return a function that starts a server and returns its address and what it prints."""
    with started_servers() as start:
        yield start


@pytest.fixture
def log(tmp_path):
    """Return the path of a log in a folder of its own, which does not exist yet."""
    return tmp_path / "logs" / "django.log"


@pytest.fixture
def in_zone(monkeypatch):
    """Put this process into a time zone, until the test ends."""

    def enter(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield enter
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.fixture
def make():
    """Make handlers that write `created message`, and close them when the test ends."""
    made = []

    def make_handler(name, path, **options):
        handler = getattr(storm.load_handlers(), name)(path, **{"encoding": "utf-8", **options})
        handler.setFormatter(logging.Formatter("%(created).3f %(message)s"))
        made.append(handler)
        return handler

    yield make_handler
    for handler in made:
        handler.close()
