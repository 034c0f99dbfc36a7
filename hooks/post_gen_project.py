"""Finish the project: put its name into deploy/, prove that logs/ can be written, write .env, say what to do next."""

import json
import os
import shlex
import sys
from pathlib import Path

# JSON in a raw string: no answer can end it, as each quotation mark in one stands behind a backslash.
ANSWERS = r"""
{{ cookiecutter | tojson }}
"""
DEPLOYMENT = "fail2ban.conf", "logrotate.conf", "windows-service.xml"
# A folder's name cannot depend on an answer, as a file's can.
OPTIONAL_FOLDERS = (
    ".github/workflows", ".github", "templates/allauth/elements", "templates/allauth/layouts", "templates/allauth",
)  # fmt: skip
UNIX = ("linux", "darwin", "freebsd", "openbsd", "netbsd", "sunos", "aix", "cygwin", "android")


def remove_empty_folders():
    """Remove the folders whose files were not chosen; one that holds something else stays."""
    for folder in map(Path, OPTIONAL_FOLDERS):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def name_deployment(name):
    """Write the project's name into the files that are copied as they are, where it is called my-project.

    A second time this changes nothing: no project's name has a hyphen, or, in small letters, a capital one.

    Raises:
        OSError: a file cannot be read or written.

    """
    # The id of a Windows service is letters and digits alone.
    names = {b"my-project": name.encode(), b"MyProject": name.replace("_", "").encode()}
    for path in (Path("deploy", file) for file in DEPLOYMENT):
        text = copied = path.read_bytes()
        for old, new in names.items():
            text = text.replace(old, new)
        if text != copied:
            path.write_bytes(text)


def make_logs_folder():
    """Create logs/ and prove, by writing a file, that it can be written.

    Raises:
        OSError: it cannot be created or written.

    """
    probe = Path("logs", ".probe")
    probe.parent.mkdir(0o750, exist_ok=True)
    probe.write_bytes(b"x")
    probe.unlink()


def rotation(platform):
    """Say how the log files rotate on the system that ``sys.platform`` names."""
    if platform.startswith("win"):
        return "Windows: log files rotate by size, at 10 MiB, and 10 old ones are kept."
    if platform.startswith(UNIX):
        return f"{platform}: log files rotate at midnight, and 90 days are kept."
    return (
        f"Warning: {platform} is a system that this template does not know; log files will rotate at midnight there, "
        "as on Unix. Please try it before you rely on it."
    )


def environment(database, name):
    """Return the text of .env for a developer's machine.

    os.urandom is what the module secrets calls; that one would take a thirtieth of the time of generating.
    """
    lines = [
        "# The settings of this machine. .env.example explains them; this file is never committed.",
        f"SECRET_KEY={os.urandom(32).hex()}",
        "DEBUG=true",
    ]
    if database == "postgresql":
        password = os.urandom(16).hex()
        lines += [
            f"POSTGRES_PASSWORD={password}",
            f"DATABASE_URL=postgresql://{name}:{password}@localhost:5432/{name}",
        ]
    return "\n".join(lines) + "\n"


def write_for_owner(path, text):
    """Write a file that only its owner can read; one that exists already, with a key in use, is left alone.

    Raises:
        OSError: the file cannot be written.

    """
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return
    path.write_text(text, encoding="utf-8", newline="\n")
    if sys.platform == "win32":
        restrict_to_user(path)


def restrict_to_user(path):
    """Leave a file on Windows, where its mode says nothing of who may read it, to its user alone."""
    import subprocess  # noqa: PLC0415  no other system needs it

    try:
        user = "{USERDOMAIN}\\{USERNAME}".format_map(os.environ)
        subprocess.run(["icacls", path, "/inheritance:r", "/grant:r", f"{user}:F"], capture_output=True, check=True)
    except (KeyError, OSError, subprocess.CalledProcessError) as error:
        print(f"Warning: other users of this computer may be able to read {path} ({error}).", file=sys.stderr)


def as_typed(project, shell_folder):
    """Return the project's folder as one types it in a shell; that one may be in the folder above it."""
    if sys.platform == "win32":
        return f'"{project.as_posix()}"'  # so in cmd, PowerShell and Git Bash
    beside = shell_folder and Path(shell_folder).resolve() == project.parent
    return shlex.quote(project.name if beside else str(project))


def is_comparison(answers, project):
    """Tell whether cruft generates only to compare two versions: it writes into a temporary folder and removes it."""
    if "_commit" not in answers:
        return False
    import tempfile  # noqa: PLC0415  cookiecutter does not need it

    return Path(tempfile.gettempdir()).resolve() in project.parents


def main():
    """Finish the project in the current folder."""
    # A legacy code page cannot print every path: better a readable escape than a traceback.
    sys.stdout.reconfigure(errors="backslashreplace")
    answers = json.loads(ANSWERS)
    # For what must be in small letters: a user of Linux, a database, an index, a name in compose.yaml.
    name = answers["project_slug"].lower()
    remove_empty_folders()
    try:
        name_deployment(name)
        make_logs_folder()
        write_for_owner(Path(".env"), environment(answers["database"], name))
    except OSError as error:
        sys.exit(f"The project cannot be finished ({error}); make the folder writable and generate it again.")
    project = Path.cwd()
    if is_comparison(answers, project):
        return
    print(rotation(sys.platform))
    if answers["database"] == "postgresql":
        print("PostgreSQL is expected where DATABASE_URL in .env says.")
    print(f"{answers['project_slug']} is ready. Next, with uv (pip install uv):")
    # A hook is started in the project's folder; where the shell is stands in PWD.
    print(f"  cd {as_typed(project, os.environ.get('PWD'))}")
    for command in ("migrate", "createsuperuser", "runserver"):
        print(f"  uv run manage.py {command}")


if __name__ == "__main__":
    main()
