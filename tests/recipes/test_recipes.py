"""The recipes of docs/recipes/, each followed in a new project: one that rots is red."""

import re
import shutil
import sys
import xml.etree.ElementTree as ET
from itertools import permutations
from pathlib import Path

import pytest
from browser import browsers, complaints
from conftest import CHOICES, ROOT, python_for, run
from follow import Reader, changed, commands, is_for, shows
from markdown_blocks import code_blocks
from selenium.webdriver.common.by import By
from servers import wait_for

FOLDER = ROOT / "docs" / "recipes"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
FOLLOWED = re.compile(r"^\*A test follows this page with Django ([\d., and]+)\.\*$", re.MULTILINE)
DAILY = ("htmx", "5.2")  # is followed in the default run, without the log's own tests; all pages take half an hour
ANSWERS = {"postgresql-backups": {"database": "postgresql"}}
PROGRAMS = {"celery": "redis-server", "postgresql-backups": "pg_dump", "translations": "msgfmt"}
# What a browser opens in the end, to see whether the content security policy lets it be.
BROWSED = {"debug-toolbar": "/", "htmx": "/clock/", "ninja": "/api/docs", "tailwind": "/tailwind/"}
# Pages of which a project has one, and the file that other pages say is to be shared.
ALTERNATIVES = (
    {"background-tasks", "celery"},
    {"ninja", "rest-framework"},
    {"postgresql-backups", "sqlite-backups"},
)
SHARED = "pages/apps.py"
LOG_TESTS = '    ("Tests of the log", [PYTHON, "-m", "pytest", "applog"], {}),\n'


def cases():
    """List each page with each version of Django that it says, once with accounts, once with the log's own tests."""
    found = [pytest.param(*DAILY, "admin", False, id="daily")]
    for name, text in PAGES.items():
        versions = re.findall(r"\d+\.\d+", FOLLOWED.search(text)[1])
        for version, accounts in (*((version, "admin") for version in versions), (versions[0], "allauth")):
            first = (version, accounts) == (versions[0], "admin")
            marked = {"id": f"{name}-{version}-{accounts}", "marks": pytest.mark.storm}
            found.append(pytest.param(name, version, accounts, first, **marked))
    return found


@pytest.mark.parametrize(("name", "django_version", "accounts", "log_tests"), cases())
def test_a_recipe_works(bake, request, tmp_path, name, django_version, accounts, log_tests):
    """Instructions that nobody follows any more cost each reader an afternoon, and their trust in the others."""
    if name in PROGRAMS and not shutil.which(PROGRAMS[name]):
        pytest.skip(f"{PROGRAMS[name]} is not installed here")
    python = python_for(django_version)
    if python is None:
        pytest.skip(f"Django {django_version} needs a newer Python than this one, and uv finds none")
    answers = {"accounts": accounts, **ANSWERS.get(name, {})}
    project = bake(django_version=django_version, **answers)
    env = {"UV_PYTHON": python}
    if answers.get("database") == "postgresql":
        database = f"recipe_{django_version.replace('.', '_')}"
        env["DATABASE_URL"] = request.getfixturevalue("postgresql").create(database)
    if not log_tests:
        check = project / "check.py"
        text = check.read_text(encoding="utf-8")
        assert LOG_TESTS in text
        check.write_text(text.replace(LOG_TESTS, ""), encoding="utf-8")
    with Reader(project, env) as reader:
        reader.run("uv run manage.py migrate")
        reader.follow(PAGES[name], django_version)
        assert reader.run("uv run manage.py logs --level ERROR") == "No record has what is asked for.\n"
        if log_tests and name in BROWSED and shutil.which("chromedriver"):
            with browsers(tmp_path) as open_browser:
                look(open_browser(), f"http://127.0.0.1:{reader.ports['8000']}{BROWSED[name]}")
    with Reader(project, env) as reader:  # nothing of the page runs any more
        reader.run("uv run check.py", ["All checks passed."])


def look(browser, address):
    """Open a page, wait until a click on htmx's button changes it, and find no complaint in the browser's console."""
    browser.get(address)
    if address.endswith(BROWSED["htmx"]):
        before = browser.find_element(By.ID, "clock").text

        def changes():
            browser.find_element(By.CSS_SELECTOR, "button[hx-get]").click()
            return browser.find_element(By.ID, "clock").text != before

        wait_for(changes)
    assert complaints(browser) == []


@pytest.mark.parametrize("accounts", CHOICES["accounts"])
@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_the_changes_of_recipes_fit(bake, django_version, accounts):
    """A change whose place is not there leaves a reader with half a recipe; this is seen without following them."""
    project = bake(django_version=django_version, accounts=accounts)
    for text in PAGES.values():
        follow_texts(project, {}, text, django_version)


@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_two_recipes_fit_one_project(bake, django_version):
    """Who follows a second page finds the lines that it changes, and no file of the first one is lost."""
    project = bake(django_version=django_version)
    for first, second in permutations(PAGES, 2):
        if {first, second} in ALTERNATIVES:
            continue
        files = {}
        follow_texts(project, files, PAGES[first], django_version)
        before = dict(files)
        follow_texts(project, files, PAGES[second], django_version)
        written = {block.title for block in code_blocks(PAGES[second]) if block.language != "diff"}
        assert {name for name in before if name in written} <= {SHARED}, (first, second)


def follow_texts(project, files, text, django_version):
    """Make a page's changes in `files`, texts by name, which begin as the project's are, but for what commands make."""
    for block in code_blocks(text):
        if not (block.title and is_for(block, django_version)):
            continue
        name, path = block.title, project / block.title
        if block.language != "diff":
            files[name] = block.text
        elif name in files or path.exists():
            before = files.get(name) or path.read_text(encoding="utf-8")
            files[name] = changed(before, block.text)
            assert files[name] != before


@pytest.mark.parametrize("name", list(PAGES))
def test_a_recipe_says_what_a_reader_asks(name):
    """When it is the wrong tool, how to see that it works, and what the log shows: else it is only half a recipe."""
    text = PAGES[name]
    assert len(FOLLOWED.findall(text)) == 1
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[0] == "When not to use it"
    assert len(text.splitlines()) <= 170
    console = [entry for block in code_blocks(text) if block.language == "console" for entry in commands(block.text)]
    assert any("manage.py logs" in command and shown for command, shown in console)
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert f"(recipes/{name}.md)" in index


def test_the_services_of_recipes_can_be_read(tmp_path):
    """A unit with a fault is found on the day of the deployment, by whoever has the least time for it."""
    services = {block.title: block.text for text in PAGES.values() for block in code_blocks(text) if block.title}
    units = []
    for title, text in services.items():
        if title.endswith(".xml"):
            assert ET.fromstring(text).findtext("workingdirectory") == r"%BASE%\.."  # noqa: S314  our own
        elif title.endswith((".service", ".timer")):
            assert "DATABASE_URL" not in text, "it would win over the one in .env, which migrate reads"
            unit = tmp_path / Path(title).name
            here = text.replace("/srv/my_project/.venv/bin/python", sys.executable).replace("User=my_project\n", "")
            unit.write_text(here.replace("/srv/my_project", str(tmp_path)), encoding="utf-8")
            units.append(unit)
    assert len(units) >= 3
    if shutil.which("systemd-analyze"):
        assert run("systemd-analyze", "verify", *units, cwd=tmp_path) == ""


def test_a_recipe_that_rots_is_noticed(bake):
    """A follower who finds nothing wrong in anything makes the other tests worthless."""
    with Reader(bake(), {}) as reader:
        for page, message in {
            "```console\n$ uv run --no-project python -c 1/0\n```": "ZeroDivisionError",
            "```console\n$ uv run --no-project python --version\nPython 2.7\n```": "instead of",
            '`manage.py`\n\n```diff title="manage.py"\n-no such line\n```': "do not stand in the file once",
            '```python title="pages/x.py"\n```': "no word says",
            "```sql\nSELECT 1\n```": "nobody can follow",
            "```console keeps-running\n$ uv run --no-project python -c 1\nReady\n```": "has ended",
        }.items():
            with pytest.raises(AssertionError, match=message):
                reader.follow(page, "5.2")


def test_a_change_keeps_its_place():
    """A line that lands somewhere else in the settings works here and not there."""
    text = "a\nb\nc\n"
    assert changed(text, " a\n-b\n+B\n") == "a\nB\nc\n"
    assert changed(text, "+d\n") == "a\nb\nc\nd\n"
    assert changed(text, " b\n+x\n@@\n-c\n") == "a\nb\nx\n"
    assert shows("a 1 b\nother\nc\n", ["a ... b", "c"])
    assert not shows("c\na 1 b\n", ["a ... b", "c"])
