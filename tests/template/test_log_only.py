"""The log alone, brought into a Django project that exists already."""

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib

import pytest
from conftest import CHOICES, ROOT, copy_template, run

SPLIT = {"__init__.py": "", "local.py": "from shop.settings.base import *\n"}


def bring(folder, *arguments):
    """Bring the log, as its user does, and return what is said."""
    return run(sys.executable, "-m", "cookiecutter", *arguments, ROOT, "--directory", "log", cwd=folder)


def lines_to_add(said):
    """Return the lines of Python that the user is told to add."""
    return textwrap.dedent("\n".join(re.findall(r"^ {7}.*$|^$", said, re.MULTILINE))).strip()


@pytest.fixture(params=CHOICES["django_version"])
def python(request, environment):
    """Return a Python with a version of Django."""
    return environment(request.param)


@pytest.fixture
def started(tmp_path, python):
    """Make a project by startproject."""
    folder = tmp_path / "mine"
    folder.mkdir()
    run(python, "-m", "django", "startproject", "shop", folder, cwd=tmp_path)
    return folder


def split_settings(folder):
    """Make a folder of the one settings file, as many projects do, and return the file that holds most."""
    whole = folder / "shop" / "settings.py"
    text = whole.read_text(encoding="utf-8").replace(".parent.parent", ".parent.parent.parent")
    whole.unlink()
    (folder / "shop" / "settings").mkdir()
    for name, content in {**SPLIT, "base.py": text}.items():
        (folder / "shop" / "settings" / name).write_text(content, encoding="utf-8")
    manage = folder / "manage.py"
    manage.write_text(manage.read_text(encoding="utf-8").replace("shop.settings", "shop.settings.local"), "utf-8")
    return folder / "shop" / "settings" / "base.py"


@pytest.mark.parametrize("layout", ["one file", "split settings"])
def test_a_project_gets_the_log(started, python, layout):
    """Who has a project already wants its log to rotate too, without copying by hand."""
    settings = split_settings(started) if layout == "split settings" else started / "shop" / "settings.py"
    added = lines_to_add(bring(started))
    with settings.open("a", encoding="utf-8") as file:
        file.write(f"\n{added}\n")
    code = """
import logging
logging.getLogger("shop").info("hello")
logging.getLogger("django.security.csrf").warning("beware")
from django.conf import settings
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
assert Client().get("/nowhere").headers["X-Request-ID"]
"""
    env = {"LOG_LEVEL": "INFO"}
    run(python, "-W", "error", "manage.py", "check", "--fail-level", "WARNING", cwd=started, env=env)
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=started, env=env)
    run(python, "manage.py", "shell", "-c", code, cwd=started, env=env)
    text = {name: (started / "logs" / f"{name}.log").read_text(encoding="utf-8") for name in ("django", "security")}
    assert text["django"].count("hello") == text["django"].count("beware") == text["security"].count("beware") == 1
    assert text["django"].count("Not Found: /nowhere") == 1
    assert "hello" not in text["security"]


SLOW = """
import logging, time
from django.conf import settings
from django.db import connection
from django.test import Client
settings.ALLOWED_HOSTS = ["testserver"]
trace = "4bf92f3577b34da6a3ce929d0e0e4736"
Client().get("/health/", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
Client().get("/static/none")
Client().get("/nowhere")
with connection.cursor() as cursor:
    connection.connection.create_function("nap", 1, time.sleep)
    cursor.execute("SELECT nap(0.2)")
"""


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_slow_quiet_and_traced_is_in_a_project_s_own_log_too(started, python, kept):
    """The log alone is the whole log; settings of an older version, which lack its names, must go on working."""
    added = lines_to_add(bring(started))
    with (started / "shop" / "settings.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{added}\n" + ("" if kept else "del LOG_QUIET_PATHS, LOG_SLOW_QUERY_MS, LOG_SLOW_REQUEST_MS\n"))
    env = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json", "LOG_SLOW_QUERY_MS": "150"}
    run(python, "-W", "error", "manage.py", "check", cwd=started, env=env)
    run(python, "manage.py", "shell", "-c", SLOW, cwd=started, env=env)
    records = [json.loads(line) for line in (started / "logs" / "django.log").read_text("utf-8").splitlines()]
    ends = {record["url.path"]: record for record in records if record["logger"] == "applog.request"}
    assert {path: record["level"] for path, record in ends.items()} == {
        "/health/": "DEBUG",
        "/static/none": "DEBUG",
        "/nowhere": "INFO",
    }
    assert ends["/health/"]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert "trace_id" not in ends["/nowhere"]
    slow = [record["db.query.text"] for record in records if record["logger"] == "applog.queries"]
    assert ("SELECT nap(?)" in slow) is kept


def test_what_is_brought_is_the_template_s_own(started, bake):
    """Two copies of the handlers would soon be two different ones."""
    bring(started)
    source = ROOT / "{{cookiecutter.project_slug}}" / "applog"
    for path in source.rglob("*"):
        if path.is_file() and not {"__pycache__", "tests"} & set(path.relative_to(source).parts):
            assert (started / "applog" / path.relative_to(source)).read_bytes() == path.read_bytes()
    settings = (started / "applog" / "settings.py").read_text(encoding="utf-8")
    assert "cookiecutter" not in settings
    wanted = tomllib.loads((bake() / "pyproject.toml").read_text(encoding="utf-8"))
    steps = (started / "applog" / "INSTALL.md").read_text(encoding="utf-8")
    assert all(
        requirement in steps for group in ("otlp", "sentry") for requirement in wanted["dependency-groups"][group]
    )
    assert 'default="mine"' in settings
    subprocess.run(["ruff", "check", "--isolated", "--select", "E,F,W", "--line-length", "120", "applog"],
                   cwd=started, check=True)  # fmt: skip


def test_a_relative_path_of_the_template_will_do(started):
    """Who tries a clone of the template types ../template."""
    run(sys.executable, "-m", "cookiecutter", os.path.relpath(ROOT, started), "--directory", "log", cwd=started)
    assert (started / "applog" / "handlers.py").exists()


def test_a_newer_version_replaces_the_older(started):
    """A fix of the handlers has to reach those who took only the log."""
    bring(started)
    handlers = started / "applog" / "handlers.py"
    newest = handlers.read_bytes()
    handlers.write_text("old", encoding="utf-8")
    bring(started, "--overwrite-if-exists")
    assert handlers.read_bytes() == newest


def test_what_a_newer_version_dropped_is_removed_and_nothing_else(tmp_path, started):
    """An old module would still be imported, and a user's own must never be lost."""
    older = tmp_path / "older"
    copy_template(older)
    applog = older / "{{cookiecutter.project_slug}}" / "applog"
    (applog / "old").mkdir()
    for name in ("dropped.py", "old/dropped.py"):
        (applog / name).write_text('"""Dropped in the next version."""\n', encoding="utf-8")
    run(sys.executable, "-m", "cookiecutter", older, "--directory", "log", cwd=started)
    assert (started / "applog" / "dropped.py").exists()
    ours = [started / "applog" / "ours.py", started / "applog" / "old" / "ours.py", started / "ours.py"]
    for path in ours:
        path.write_text('"""Ours."""\n', encoding="utf-8")
    with (started / "applog" / ".brought.txt").open("a", encoding="utf-8") as file:
        file.write("../ours.py\n")
    bring(started, "--overwrite-if-exists")
    assert not list((started / "applog").rglob("dropped.py"))
    assert [path for path in ours if not path.exists()] == []


def test_a_project_without_django_s_authentication_gets_the_log(started, python):
    """A service that only answers programs has no users."""
    settings = started / "shop" / "settings.py"
    lines = settings.read_text(encoding="utf-8").splitlines()
    words = ("admin", "auth.middleware", "contrib.auth", "messages", "sessions")
    kept = [line for line in lines if not any(word in line for word in words)]
    added = lines_to_add(bring(started))
    settings.write_text("\n".join([*kept, added, ""]), encoding="utf-8")
    (started / "shop" / "urls.py").write_text("urlpatterns = []\n", encoding="utf-8")
    run(python, "-W", "error", "manage.py", "check", cwd=started)
    code = 'import logging; logging.getLogger("django.security.csrf").warning("beware")'
    run(python, "manage.py", "shell", "-c", code, cwd=started)
    assert "beware" in (started / "logs" / "security.log").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folders")
@pytest.mark.parametrize(
    "name",
    ['my"shop', "a\\b", r"C:\new", "trailing\\", "a\nb", "{{ x }}", "{% if %}", '"""', "'", "é🚀", "\udcff"],
    ids=ascii,
)
def test_a_folder_may_be_called_anything(tmp_path, name):
    """What a folder is called must not become code."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "manage.py").touch()
    bring(folder)
    settings = ast.parse((folder / "applog" / "settings.py").read_text(encoding="utf-8"))
    [service] = [
        node.keywords[0].value.value
        for node in ast.walk(settings)
        if isinstance(node, ast.Call) and getattr(next(iter(node.args), None), "value", "") == "OTEL_SERVICE_NAME"
    ]
    assert service == name.replace("\udcff", "?")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folders")
def test_the_template_may_lie_anywhere(tmp_path, started):
    """Whoever clones a template chooses the folder."""
    template = tmp_path / 'my "templates" \\'
    copy_template(template)
    run(sys.executable, "-m", "cookiecutter", template, "--directory", "log", cwd=started)
    assert (started / "applog" / "handlers.py").exists()


def test_a_folder_without_a_project_is_refused(tmp_path):
    """Somebody in the wrong folder would get files that nothing uses."""
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", ROOT, "--directory", "log"],
        cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("There is no manage.py here; go to ")
    assert done.stdout == "Nothing was generated.\n"
    assert list(tmp_path.iterdir()) == []
