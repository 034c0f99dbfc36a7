"""A project that follows its template, by cruft, in real repositories."""

import json
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, run

UPDATE = ("update", "--refresh-private-variables", "--skip-apply-ask")


def git(folder, *arguments):
    """Run git as somebody, whoever uses this machine."""
    someone = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com", "-c", "core.autocrlf=false")
    return run("git", *someone, *arguments, cwd=folder)


def commit(folder, message):
    """Commit all that is in a folder."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def change(path, old, new):
    """Replace a text that stands once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), encoding="utf-8", newline="\n")


def cruft(folder, *arguments):
    """Run cruft."""
    return run(sys.executable, "-m", "cruft", *arguments, cwd=folder)


@pytest.fixture
def template(tmp_path):
    """Make a repository of this template."""
    folder = tmp_path / "template"
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    commit(folder, "One version")
    return folder


@pytest.fixture
def in_template(template):
    """Return the folder of the template's project."""
    return template / "{{cookiecutter.project_slug}}"


@pytest.fixture
def project(tmp_path, template):
    """Make a project of the template, as its user does, with work of their own and a log."""
    cruft(tmp_path, "create", template, "--no-input", "--extra-context", json.dumps({"project_name": "Shop"}))
    folder = tmp_path / "shop"
    git(folder, "init", "--quiet")
    commit(folder, "Generated")
    change(folder / "config" / "urls.py", "urlpatterns = [\n", 'urlpatterns = [\n    path("shop/", views.home),\n')
    (folder / "orders.py").write_text('"""Ours."""\n', encoding="utf-8")
    (folder / "logs" / "django.log").write_text("a record\n", encoding="utf-8")
    commit(folder, "Our work")
    return folder


def test_an_update_brings_what_is_new_and_keeps_what_is_ours(template, in_template, project):
    """Without this, each fix of the template has to be copied by hand, or never comes."""
    secret = (project / ".env").read_text(encoding="utf-8")
    change(in_template / "config" / "wsgi.py", "WSGI entry point", "The WSGI entry point")
    change(in_template / "README.md", "## Checks and tests", "## All checks and tests")
    (in_template / "applog" / "new.py").write_text('"""New, {{ and not rendered."""\n', encoding="utf-8")
    (in_template / "config" / "fresh.toml").write_text('[[x]]\n"{{" = 1\n', encoding="utf-8")
    answers = template / "template_answers.py"
    change(answers, "in (toml, markdown,", "in (shout, toml, markdown,")
    change(answers, "def toml(", 'def shout(text):\n    """Say it aloud."""\n    return text.upper()\n\n\ndef toml(')
    change(in_template / "README.md", "# {{ cookiecutter.project_name |", "# {{ cookiecutter.project_name | shout |")
    commit(template, "The next version")

    said = cruft(project, *UPDATE)

    assert "manage.py" not in said  # of a folder that is gone by now
    assert git(project, "diff", "--name-only", "--diff-filter=U") == ""
    assert (project / "README.md").read_text(encoding="utf-8").startswith("# SHOP\n")
    assert "The WSGI entry point" in (project / "config" / "wsgi.py").read_text(encoding="utf-8")
    assert "## All checks and tests" in (project / "README.md").read_text(encoding="utf-8")
    assert "New, {{ and not rendered." in (project / "applog" / "new.py").read_text(encoding="utf-8")
    assert '"{{" = 1' in (project / "config" / "fresh.toml").read_text(encoding="utf-8")
    assert 'path("shop/", views.home)' in (project / "config" / "urls.py").read_text(encoding="utf-8")
    assert (project / "orders.py").exists()
    assert (project / ".env").read_text(encoding="utf-8") == secret
    assert (project / "logs" / "django.log").read_text(encoding="utf-8") == "a record\n"
    commit(project, "Updated")
    cruft(project, *UPDATE)
    assert git(project, "status", "--porcelain") == ""


def test_a_conflict_is_shown_as_one(template, in_template, project):
    """An update that silently prefers one side loses the other's work."""
    settings = project / "config" / "settings.py"
    change(settings, 'LANGUAGE_CODE = "en-us"', 'LANGUAGE_CODE = "de"')
    commit(project, "Our language")
    change(in_template / "config" / "settings.py", 'LANGUAGE_CODE = "en-us"', 'LANGUAGE_CODE = "en-gb"')
    commit(template, "Another language")

    cruft(project, *UPDATE)

    assert git(project, "diff", "--name-only", "--diff-filter=U").split() == ["config/settings.py"]
    text = settings.read_text(encoding="utf-8")
    assert text.index("<<<<<<<") < text.index('LANGUAGE_CODE = "de"') < text.index('LANGUAGE_CODE = "en-gb"')


def test_a_project_made_by_cookiecutter_can_be_linked(tmp_path, template, in_template):
    """Nobody thinks of updates on the first day."""
    run(sys.executable, "-m", "cookiecutter", "--no-input", template, "project_name=Shop", cwd=tmp_path)
    project = tmp_path / "shop"
    git(project, "init", "--quiet")
    answers = json.dumps({"project_name": "Shop"})
    cruft(project, "link", template, "--no-input", "--extra-context", answers)
    commit(project, "Linked")
    change(in_template / "config" / "wsgi.py", "WSGI entry point", "The WSGI entry point")
    commit(template, "The next version")

    cruft(project, *UPDATE)

    assert "The WSGI entry point" in (project / "config" / "wsgi.py").read_text(encoding="utf-8")


def test_an_update_over_changes_that_are_not_committed_is_refused(template, in_template, project):
    """What is in no commit could not be told from what the update brought."""
    (project / "orders.py").write_text('"""Half done."""\n', encoding="utf-8")
    change(in_template / "config" / "wsgi.py", "WSGI entry point", "The WSGI entry point")
    commit(template, "The next version")
    done = subprocess.run(
        [sys.executable, "-m", "cruft", *UPDATE], cwd=project, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 1
    assert "unclean git project" in done.stdout + done.stderr
    assert (project / "orders.py").read_text(encoding="utf-8") == '"""Half done."""\n'
