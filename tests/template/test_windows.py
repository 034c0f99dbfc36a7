"""The template and its project under a Python for Windows: the system's own, or the one in WINDOWS_PYTHON."""

import subprocess

import pytest
from conftest import CHOICES, ROOT, WINDOWS_PYTHON, run, windows

pytestmark = windows


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
    [*_, cd, migrate, _, runserver] = printed.splitlines()
    assert cd.startswith('  cd "')
    assert cd.endswith('/my_project"')
    assert [migrate, runserver] == ["  uv run manage.py migrate", "  uv run manage.py runserver"]
    text = (folder / "my_project" / "config" / "settings.py").read_bytes()
    assert b'TIME_ZONE = "Europe/Berlin"' in text
    assert b"\r" not in text


@pytest.mark.long
@pytest.mark.parametrize("accounts", CHOICES["accounts"])
def test_a_generated_project_passes_its_own_tests(bake, windows_python, accounts):
    """The promise of this template is a project that works on Windows."""
    loads = subprocess.run([windows_python, "-c", "import cryptography.exceptions"], capture_output=True, check=False)
    if accounts == "allauth" and loads.returncode:
        pytest.skip("this Python for Windows lacks cryptography, or, under Wine, python3.dll and what else it needs")
    project = bake(accounts=accounts)
    run(windows_python, "manage.py", "check", cwd=project)
    run(windows_python, "manage.py", "migrate", "--verbosity", "0", cwd=project)
    run(windows_python, "-m", "pytest", "-p", "no:cacheprovider", cwd=project)
