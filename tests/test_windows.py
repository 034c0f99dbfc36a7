"""The template and its project under a Python for Windows: the system's own, or the one in WINDOWS_PYTHON."""

import os
import sys

import pytest
from conftest import ROOT, run

WINDOWS_PYTHON = os.environ.get("WINDOWS_PYTHON") or (sys.executable if os.name == "nt" else None)
pytestmark = pytest.mark.skipif(not WINDOWS_PYTHON, reason="WINDOWS_PYTHON does not name a Python for Windows")


def test_generation_works_with_a_legacy_code_page_and_a_strange_path(tmp_path):
    """A console that cannot print the user's own folder must not cost the project."""
    folder = tmp_path / "Mein Prüf Ördner 名前"
    folder.mkdir()
    environment = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp437"}
    printed = run(
        WINDOWS_PYTHON, "-m", "cookiecutter", "--no-input", ROOT, "time_zone=Europe/Berlin",
        cwd=folder, env=environment, errors="replace",
    )  # fmt: skip
    assert "Windows: log files rotate by size, at 10 MiB, and 10 old ones are kept." in printed
    [*_, migrate, runserver] = printed.splitlines()
    assert migrate.strip().startswith('uv run --directory "')
    assert migrate.endswith('my_project" manage.py migrate')
    assert runserver.endswith('my_project" manage.py runserver')
    text = (folder / "my_project" / "config" / "settings.py").read_bytes()
    assert b'TIME_ZONE = "Europe/Berlin"' in text
    assert b"\r" not in text


def test_a_generated_project_passes_its_own_tests(bake, environment):
    """The promise of this template is a project that works on Windows."""
    python = environment("5.2") if os.name == "nt" else WINDOWS_PYTHON
    project = bake()
    run(python, "manage.py", "check", cwd=project)
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project)
    run(python, "-m", "pytest", "-p", "no:cacheprovider", cwd=project)
