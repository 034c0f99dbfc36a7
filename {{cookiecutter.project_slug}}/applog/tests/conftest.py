"""What several tests share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_OURS = ("DATABASE_URL", "LOG_", "OTEL_")
Manage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the project without .env and logs, so that a test may start it and spoil its files."""
    copy = tmp_path / "project"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "db.sqlite3*", "logs", "node_modules", "staticfiles")
    shutil.copytree(ROOT, copy, ignore=left_out)
    (copy / "staticfiles").mkdir()
    return copy


@pytest.fixture
def manage(project: Path) -> Manage:
    """Return a function that runs manage.py of the copy, in a process of its own as its users do."""

    def run(*arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        variables = {
            # The developer's settings of the log, collector and database are not the tests'.
            **{name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)},
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONDEVMODE": "1",
            "PYTHONUTF8": "1",
            "PYTHONWARNINGS": "error",
            **environment,
        }
        return subprocess.run(
            [sys.executable, str(project / "manage.py"), *arguments],
            env={name: value for name, value in variables.items() if value is not None},
            cwd=project.parent,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run
