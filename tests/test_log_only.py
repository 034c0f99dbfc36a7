"""The log alone, brought into a Django project that exists already."""

import os
import re
import subprocess
import sys
import textwrap
import tomllib

import pytest
from conftest import CHOICES, ROOT, run

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
    assert all(requirement in steps for requirement in wanted["dependency-groups"]["otlp"])
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


def test_a_folder_without_a_project_is_refused(tmp_path):
    """Somebody in the wrong folder would get files that nothing uses."""
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", ROOT, "--directory", "log"],
        cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith("There is no manage.py here; go to ")
    assert list(tmp_path.iterdir()) == []
