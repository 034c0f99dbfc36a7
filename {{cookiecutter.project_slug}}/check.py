"""All checks of the project, the ones that CI runs: uv run check.py.

Exits with 1 when one of them fails, after all have run.
"""

import os
import secrets
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# What `check --deploy` looks at is production, whatever .env says of this machine.
PRODUCTION = {
    "ALLOWED_HOSTS": "example.com",
    "DEBUG": "false",
    "LOG_FILES": "off",
    "SECRET_KEY": secrets.token_urlsafe(50),
}
PYTHON = sys.executable
CHECKS: list[tuple[str, list[str], dict[str, str]]] = [
    ("Format", [PYTHON, "-m", "ruff", "format", "--check"], {}),
    ("Lint", [PYTHON, "-m", "ruff", "check"], {}),
    ("Types", [PYTHON, "-m", "mypy", "."], {}),
    ("Deployment", [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
    ("Migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"], PRODUCTION),
    ("Tests", [PYTHON, "-m", "pytest"], {}),
    ("Tests of the log", [PYTHON, "-m", "pytest", "applog"], {}),
]
ADVISORIES = "https://api.osv.dev/v1/query"  # where uv audit asks


def passes(title: str, command: list[str], variables: dict[str, str]) -> bool:
    """Run one check, show what it prints, and tell whether it passes."""
    print(f"\n== {title}", flush=True)
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode == 0  # noqa: S603


def audit() -> bool:
    """Look for known vulnerabilities of what uv.lock names; without uv or the network, say that this was skipped."""
    if not shutil.which("uv"):
        print("\n== Audit\nSkipped: uv is not installed.", flush=True)
        return True
    try:
        with urllib.request.urlopen(ADVISORIES, timeout=10):
            pass
    except urllib.error.HTTPError:
        pass  # It is there; what it says to an empty question does not matter.
    except OSError as error:
        print(f"\n== Audit\nSkipped: {ADVISORIES} cannot be reached ({error}).", flush=True)
        return True
    return passes("Audit", ["uv", "audit", "--preview-features", "audit-command"], {})


def main() -> int:
    """Run them all, and return the exit status."""
    failed = [title for title, command, variables in CHECKS if not passes(title, command, variables)]
    if not audit():
        failed.append("Audit")
    print(f"\nFailed: {', '.join(failed)}." if failed else "\nAll checks passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
