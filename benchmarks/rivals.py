"""Measure what other ways to begin a Django project give by default: the README's table "Beside others".

Each is generated in its newest version, with the answers that it has by itself, and then run. A cell is what was
measured just now; one that cannot be fetched is named on stderr and has no column.

    uv run benchmarks/rivals.py [NAME ...]
"""

import argparse
import datetime as dt
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GITHUB = "https://github.com"
# What a server in production is given; a project that reads these variables by other names is not helped by them.
PRODUCTION = {"DEBUG": "False", "SECRET_KEY": secrets.token_urlsafe(50), "ALLOWED_HOSTS": "localhost"}
# The newest Django needs it; and no variables that would name an environment, or a database.
VARIABLES = {"PYTHONUTF8": "1", "UV_PYTHON": ">=3.12"}
INHERITED = {key: os.environ[key] for key in os.environ.keys() - {"VIRTUAL_ENV", "DATABASE_URL"}} | VARIABLES
QUIET = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
PROCESSES, RECORDS, ROTATED_AT = 4, 2_000, 20_000
SETTINGS = """
from {} import *
DEBUG, ALLOWED_HOSTS = False, ["localhost"]
"""
LOGGED = """
import logging
from django.test import Client
logging.getLogger("shop").info("own record")
Client().get("/no-such-page", secure=True, headers={"host": "localhost"})
"""
STORM = """
import logging, sys
for number in range(RECORDS):
    logging.getLogger("shop").warning("n%s-%sn", sys.argv[1], number)
"""


class Rival:
    """A way to begin a project.

    Args:
        name: what the table calls it.
        generate: the command that generates it, into the current folder; `{clone}` is the folder of `repository`.
        repository: its owner and name on GitHub, or "" where a package of PyPI generates it.
        package: that package.
        runner: the command that runs Python with what the project needs.

    """

    def __init__(self, name, generate, repository="", package="", runner=("uv", "run", "--quiet")):
        """Keep them."""
        self.name, self.generate, self.repository = name, generate, repository
        self.package, self.runner = package, runner

    def fetch(self, folder):
        """Get the newest version, and return what it is: a package's version, or the date of a repository's commit."""
        if self.repository:
            clone = folder / "clone"
            call("git", "clone", "--quiet", "--depth", "1", f"{GITHUB}/{self.repository}", clone, cwd=folder)
            self.generate = [str(clone) if word == "{clone}" else word for word in self.generate]
            return call("git", "log", "-1", "--format=%cs", cwd=clone).strip()
        if not self.package:
            return call("git", "log", "-1", "--format=%cs", cwd=ROOT).strip()
        code = f"import importlib.metadata as m; print(m.version({self.package!r}))"
        return call("uvx", "--refresh", "--quiet", "--from", self.package, "python", "-c", code, cwd=folder).strip()


COOKIECUTTER = ["uvx", "--quiet", "--with", "jinja2-git", "cookiecutter", "--no-input"]
RIVALS = [
    Rival("this template", [*COOKIECUTTER, str(ROOT)]),
    Rival(
        "startproject",
        ["uvx", "--quiet", "--from", "django", "django-admin", "startproject", "mysite"],
        package="django",
        runner=("uv", "run", "--quiet", "--no-project", "--with", "django"),
    ),
    Rival("django-new", ["uvx", "--quiet", "django-new", "mysite", "mysite"], package="django-new"),
    Rival(
        "dj-beat-drop",
        ["uvx", "--quiet", "--from", "dj-beat-drop", "beatdrop", "new", "mysite", "--overwrite"],
        package="dj-beat-drop",
    ),
    Rival("cookiecutter-django", [*COOKIECUTTER, "{clone}"], repository="cookiecutter/cookiecutter-django"),
    Rival("wemake-django-template", [*COOKIECUTTER, "{clone}"], repository="wemake-services/wemake-django-template"),
]


def call(*command, cwd, env=None):
    """Run a command without a terminal, and return what it printed on stdout."""
    done = attempt(*command, cwd=cwd, env=env)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


def attempt(*command, cwd, env=None):
    """Run a command without a terminal."""
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=INHERITED | (env or {}),
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False, timeout=900,
    )  # fmt: skip


def generated(rival, folder):
    """Generate a project and return its folder."""
    place = folder / "project"
    place.mkdir()
    call(*rival.generate, cwd=place)
    return next(path.parent for path in place.rglob("manage.py"))


def settings_of(project):
    """Say of how many files and lines the settings are."""
    files = [path for path in project.rglob("*.py") if "settings" in str(path.relative_to(project))]
    files = [path for path in files if "tests" not in path.parts and path.stat().st_size]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    return f"{len(files)} file{'s' if len(files) > 1 else ''}, {lines} lines"


def questions_of(rival):
    """Return how many questions cookiecutter asks; the others were run without an answer."""
    template = Path(rival.generate[-1]) / "cookiecutter.json"
    if not template.exists():
        return "0"
    return str(sum(not key.startswith("_") for key in json.loads(template.read_text(encoding="utf-8"))))


def started(rival, project):
    """Migrate and serve with nothing but what was generated, and return what the first page answers."""
    done = attempt(*rival.runner, "manage.py", "migrate", cwd=project)
    if done.returncode:
        return f"no: {last_line(done.stderr)}"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [*rival.runner, "python", "manage.py", "runserver", "--noreload", str(port)]
    server = subprocess.Popen(command, cwd=project, env=INHERITED, start_new_session=True, **QUIET)
    try:
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
                    return f"yes, {response.status}"
            except urllib.error.HTTPError as error:
                with error:
                    return f"yes, {error.code}"
            except OSError:
                time.sleep(0.2)
        return "no answer in 20 s"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def deployment(rival, project):
    """Return what `check --deploy` says of production."""
    done = attempt(*rival.runner, "manage.py", "check", "--deploy", cwd=project, env=PRODUCTION)
    found = re.findall(r"^\?: \(|^\w+[\w.]*: \(", done.stderr, re.MULTILINE)
    if "no issues" in done.stdout + done.stderr:
        return "clean"
    if not found:
        return f"fails: {last_line(done.stderr)}"
    return f"{len(found)} finding{'s' if len(found) > 1 else ''}"


def last_line(text):
    """Return the last line of a program's complaint, short."""
    return (text.strip().splitlines() or ["?"])[-1][:80].replace("|", "/")


def python(rival, project, code, *arguments):
    """Return the command that runs code with the project's settings, and DEBUG off, whatever they read."""
    text = (project / "manage.py").read_text(encoding="utf-8")
    settings = re.search(r"""["']DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""", text)[1]
    (project / "measured.py").write_text(SETTINGS.format(settings), encoding="utf-8")
    start = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'measured'; import django; django.setup()"
    return [*rival.runner, "python", "-c", f"{start}\n{code}", *arguments]


def records(rival, project):
    """Return where an INFO record of the project's own, and Django's of a missing page, are in production."""
    before = log_files(project)
    done = attempt(*python(rival, project, LOGGED), cwd=project, env=PRODUCTION)
    if done.returncode:
        return [f"fails: {last_line(done.stderr)}"] * 2
    files = "".join(path.read_text(encoding="utf-8")[before.get(path, 0) :] for path in log_files(project))
    cells = []
    for text in ("own record", "Not Found: /no-such-page"):
        places = {"console": (done.stdout + done.stderr).count(text), "file": files.count(text)}
        cells.append(", ".join(f"{place} {count} times" for place, count in places.items() if count) or "dropped")
    return [cell.replace(" 1 times", "") for cell in cells]


def log_files(project):
    """Return the project's log files, rotated ones too, with their sizes in characters."""
    files = [path for path in project.rglob("*.log*") if path.is_file() and not {".venv", ".git"} & set(path.parts)]
    files = [path for path in files if not path.name.startswith(".")]
    return {path: len(path.read_text(encoding="utf-8")) for path in files}


def rotation(rival, project):
    """Let several processes log at once while files rotate, and return how many records are in the files."""
    if not log_files(project):
        return "no log file"
    env = PRODUCTION | {"LOG_MAX_BYTES": str(ROTATED_AT), "LOG_BACKUP_COUNT": "10000"}
    code = STORM.replace("RECORDS", str(RECORDS))
    processes = [
        subprocess.Popen(python(rival, project, code, str(number)), cwd=project, env=INHERITED | env, **QUIET)
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.wait()
    files = log_files(project)
    found = {record for path in files for record in re.findall(r"\bn\d-\d+n\b", path.read_text(encoding="utf-8"))}
    return f"{len(found):,} of {PROCESSES * RECORDS:,}, {len(files) - 1} rotations"


def windows_in_ci(project):
    """Tell whether the generated project's own CI has a job on Windows."""
    files = [*project.glob(".github/workflows/*.y*ml"), *project.glob(".gitlab-ci.yml")]
    if not files:
        return "no CI"
    return "yes" if any("windows-" in path.read_text(encoding="utf-8") for path in files) else "no"


def measured(rival, folder):
    """Return the cells of a rival's column, by row."""
    version = rival.fetch(folder)
    project = generated(rival, folder)
    ignored = {".git", ".venv", "__pycache__"}
    files = [path for path in project.rglob("*") if path.is_file() and not ignored & set(path.parts)]
    column = {
        "version, or date of the last commit": version,
        "questions": questions_of(rival),
        "files, without `.env`": str(sum(path.name != ".env" for path in files)),
        "settings": settings_of(project),
        "CI with Windows": windows_in_ci(project),
        "`migrate`, `runserver`, first page": started(rival, project),
        "`check --deploy`": deployment(rival, project),
    }
    own, djangos = records(rival, project)
    return column | {
        "own `INFO` record": own,
        "Django's record of a missing page": djangos,
        f"{PROCESSES} processes, records in the files": rotation(rival, project),
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [rival.name for rival in RIVALS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; without names, all of them")
    chosen = parser.parse_args().names or names
    if unknown := set(chosen).difference(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose of {', '.join(names)}")
    columns = {}
    for rival in RIVALS:
        if rival.name not in chosen:
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                columns[rival.name] = measured(rival, Path(folder))
            except (subprocess.CalledProcessError, StopIteration) as error:
                print(f"{rival.name}: not measured: {last_line(getattr(error, 'stderr', '') or '')}", file=sys.stderr)
    if not columns:
        sys.exit("nothing could be measured")
    print(f"Measured on {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}.\n")
    print("|", *(f"| {name}" for name in columns), "|")
    print("| --- " * (len(columns) + 1) + "|")
    for row in next(iter(columns.values())):
        print("|", " | ".join([row, *(column[row] for column in columns.values())]), "|")


if __name__ == "__main__":
    main()
