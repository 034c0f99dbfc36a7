"""What the owner of a new project does first: an app, its tests, the one command for all checks."""

import os
import re
import subprocess
import sys

import pytest
from conftest import CHOICES, python_in, run
from markdown_blocks import code_blocks
from servers import fetch

ROUTES = 'from django.urls import path\n\nfrom blog import views\n\nurlpatterns = [path("", views.index)]\n'
VIEWS = """from django.http import HttpResponse
from django.shortcuts import render


def index(request):
    return HttpResponse("Hello, world.")
"""
MODELS = """from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=200)
    picture = models.FileField(upload_to="pictures")

    def __str__(self):
        return self.title
"""
TESTS = """import logging

from django.core.files.base import ContentFile
from django.test import TestCase

from blog.models import Post


class BlogTests(TestCase):
    def test_pages(self):
        logging.getLogger("blog").error("from a test")
        self.assertEqual(self.client.get("/blog/").status_code, 200)
        self.assertEqual(self.client.get("/admin/login/").status_code, 200)

    def test_upload(self):
        with self.assertRaises(ValueError):
            int("x")
        Post.objects.create(title="x", picture=ContentFile(b"x", "a.txt"))
"""
FAILING = """from django.test import SimpleTestCase


class T(SimpleTestCase):
    def test(self):
        self.fail("seen")
"""


def change(path, old, new):
    """Replace a text of a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def uv_run(project, *words):
    """Run a command by uv as the project's user does, which installs what it needs first."""
    return run("uv", "run", *words, cwd=project, env={"VIRTUAL_ENV": ""})


@pytest.fixture(params=CHOICES["django_version"])
def started(request, bake, environment):
    """Return a project with an app of the owner's, and the Python to run it."""
    python = environment(request.param)
    project = bake(django_version=request.param)
    run(python, "manage.py", "startapp", "blog", cwd=project)
    change(project / "config" / "settings.py", '    "users",\n', '    "users",\n    "blog",\n')
    return project, python


def test_a_new_app_passes_the_project_s_own_rules(started):
    """Who follows Django's tutorial must not be told off by the project's linter at the first push."""
    project, python = started
    run(python, "-m", "ruff", "check", cwd=project)
    run(python, "-m", "ruff", "format", "--check", cwd=project)
    urls = project / "config" / "urls.py"
    change(urls, 'path("admin/"', 'path("blog/", include("blog.urls")),\n    path("admin/"')
    for name, text in {"urls": ROUTES, "views": VIEWS, "models": MODELS, "tests": TESTS}.items():
        (project / "blog" / f"{name}.py").write_text(text, encoding="utf-8")
    run(python, "manage.py", "makemigrations", "blog", cwd=project)
    for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "."]):
        run(python, "-m", *tool, cwd=project)


def test_an_app_s_tests_run_and_leave_the_project_alone(started):
    """A test that nobody collects, or that writes into the developer's log and uploads, is worse than none."""
    project, python = started
    urls = project / "config" / "urls.py"
    change(urls, 'path("admin/"', 'path("blog/", include("blog.urls")),\n    path("admin/"')
    for name, text in {"urls": ROUTES, "views": VIEWS, "models": MODELS, "tests": TESTS}.items():
        (project / "blog" / f"{name}.py").write_text(text, encoding="utf-8")
    run(python, "manage.py", "makemigrations", "blog", cwd=project)
    before = {path for path in project.rglob("*") if "__pycache__" not in path.parts}
    # A deployment's own setting must not lead the tests to the real files.
    env = {"DJANGO_SETTINGS_MODULE": "config.settings", "LOG_FILES": "rotate"}
    assert "blog/tests.py .." in run(python, "-m", "pytest", cwd=project, env=env)
    run(python, "-W", "error", "manage.py", "test", cwd=project, env=env)
    made = {path for path in project.rglob("*") if "__pycache__" not in path.parts} - before
    assert {path.relative_to(project).parts[0] for path in made} <= {".pytest_cache"}

    for name in ("tests.py", "test_models.py"):
        (project / "blog" / name).write_text(FAILING, encoding="utf-8")
    for command in (["-m", "pytest"], ["manage.py", "test"]):
        done = subprocess.run([python, *command], cwd=project, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 1
        assert re.search(r"2 failed|failures=2", done.stdout + done.stderr)


@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_the_owner_s_tests_pass_after_the_first_changes(bake, environment, django_version):
    """Language, time zone and landing page are what an owner changes first; tests that fail then get deleted."""
    project = bake(django_version=django_version)
    settings = project / "config" / "settings.py"
    change(settings, 'LANGUAGE_CODE = "en-us"', 'LANGUAGE_CODE = "ar"')
    change(settings, 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Asia/Kathmandu"')
    change(settings, "USE_TZ = True", "USE_TZ = False")
    home = project / "pages" / "templates" / "pages" / "home.html"
    home.write_text("<!doctype html>\n<title>Shop</title>\n", encoding="utf-8")
    (project / "templates" / "base.html").write_text("{% block content %}{% endblock %}\n", encoding="utf-8")
    python = environment(django_version)
    run(python, "-m", "pytest", cwd=project)
    run(python, "manage.py", "test", cwd=project)


def test_uploads_have_a_place_of_their_own(bake, environment, serve, tmp_path):
    """A file that lands wherever the server was started is committed, deployed, or gone."""
    project = bake()
    code = (
        "from django.core.files.storage import default_storage as s; from django.core.files.base import ContentFile;"
        "print(s.url(s.save('pictures/a.txt', ContentFile(b'picture'))))"
    )
    python = environment("5.2")
    url = run(python, project / "manage.py", "shell", "-v", "0", "-c", code, cwd=tmp_path).strip()
    assert (project / "data" / "media" / "pictures" / "a.txt").read_bytes() == b"picture"
    run("git", "init", "--quiet", cwd=project)
    assert run("git", "check-ignore", "data/media/pictures/a.txt", cwd=project)
    address, _ = serve(python, project)
    assert fetch(address + url) == (200, "picture")


@pytest.mark.long
def test_the_commands_of_agents_md_work(bake):
    """Instructions that drift from the project mislead whoever trusts them, and an assistant trusts them."""
    project = bake()
    for tests in (project / "applog" / "tests").glob("test_*.py"):
        if tests.name != "test_logging.py":  # one file shows that the command works; all run elsewhere
            tests.unlink()
    text = (project / "AGENTS.md").read_text(encoding="utf-8")
    assert 40 <= len(text.splitlines()) <= 60
    block = code_blocks(text)[0].text.splitlines()
    assert "uv run check.py" in block
    named = set(re.findall(r"`(uv run [^`]+)`", text)) - {"uv run manage.py runserver"}
    for command in [*block, *sorted(named - set(block))]:
        printed = uv_run(project, *command.removeprefix("uv run ").replace(" ID", " 0123abcd").split())
        if command == "uv run check.py":
            assert "All checks passed." in printed
    for path in re.findall(r"`([\w/]+\.(?:html|md|py|toml)|\w+/)`", text):
        assert (project / path).exists() or path in {"data/", "tests.py"}, path


def test_the_check_command_names_what_fails(bake, environment):
    """A check that goes on after a failure, and fails all the same, saves a round for each of them."""
    project = bake()
    change(project / "pages" / "urls.py", "urlpatterns = [", "x: int = 'y'\nurlpatterns = [")
    (project / "users" / "tests.py").write_text(FAILING, encoding="utf-8")
    change(project / "check.py", '    ("Tests of the log", [PYTHON, "-m", "pytest", "applog"], {}),\n', "")
    env = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [environment("5.2"), "check.py"], cwd=project, env={**os.environ, **env},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "Failed: Format, Types, Tests."
    assert "Skipped: https://api.osv.dev/v1/query cannot be reached (" in done.stdout


def test_a_project_without_a_lock_says_so(bake):
    """What is deployed must be what was tested; a missing lock must not be made up on the server."""
    done = subprocess.run(
        ["uv", "sync", "--locked", "--dry-run"], cwd=bake(), capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode != 0
    assert "uv lock" in done.stderr


def test_pip_installs_a_project_s_requirements(bake, tmp_path):
    """Not everybody has uv, and some hosts know nothing but pip install."""
    project = bake()
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = python_in(tmp_path / "venv")
    run(python, "-m", "pip", "install", "--quiet", project, cwd=tmp_path)
    run(python, project / "manage.py", "check", cwd=tmp_path)
