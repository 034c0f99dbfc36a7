"""Finish the project: remove what was not chosen, prove that logs/ can be written, write .env, say what to do next."""

import json
import os
import secrets
import shlex
import sys
from pathlib import Path

ANSWERS = r"""
{{ cookiecutter | tojson }}
"""

CONTAINER_FILES = ("deploy/Dockerfile", "deploy/compose.yaml", ".dockerignore")


def unchosen_files(answers):
    """List the files of this template that the answers leave out."""
    files = []
    if answers["ci"] != "github":
        files.append(".github/workflows/ci.yml")
    if answers["ci"] != "gitlab":
        files.append(".gitlab-ci.yml")
    if answers["containers"] == "no":
        files.extend(CONTAINER_FILES)
    return files


def remove(project, name):
    """Remove a file and the folders that are empty without it; one that holds something else stays."""
    (project / name).unlink(missing_ok=True)
    for folder in list(Path(name).parents)[:-1]:
        try:
            (project / folder).rmdir()
        except OSError:
            return


def make_logs_folder(project):
    """Create logs/ and prove, by writing a file, that it can be written.

    Raises:
        OSError: it cannot be created or written.

    """
    logs = project / "logs"
    logs.mkdir(exist_ok=True)
    probe = logs / ".probe"
    probe.write_bytes(b"x")
    probe.unlink()


def rotation(platform):
    """Say how the log files rotate on the system that ``sys.platform`` names."""
    if platform.startswith("win"):
        return "Windows: log files rotate by size, at 10 MiB, and 10 old ones are kept."
    if platform.startswith(("linux", "darwin", "freebsd", "openbsd", "netbsd", "sunos", "aix", "cygwin", "android")):
        return f"{platform}: log files rotate at midnight, and 90 days are kept."
    return (
        f"Warning: {platform} is a system that this template does not know; log files will rotate at midnight there, "
        "as on Unix. Please try it before you rely on it."
    )


def environment(answers):
    """Return the text of .env for a developer's machine."""
    lines = [
        "# The settings of this machine. .env.example explains them; this file is never committed.",
        f"SECRET_KEY={secrets.token_urlsafe(50)}",
        "DEBUG=true",
    ]
    if answers["database"] == "postgresql":
        slug = answers["project_slug"]
        password = secrets.token_urlsafe(24)
        lines += [
            f"POSTGRES_PASSWORD={password}",
            f"DATABASE_URL=postgresql://{slug}:{password}@localhost:5432/{slug}",
        ]
    return "\n".join(lines) + "\n"


def write_for_owner(path, text):
    """Write a file that only its owner can read; one that exists already, with a key in use, is left alone.

    Raises:
        OSError: the file cannot be written.

    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
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


def next_commands(project):
    """Return the two commands that show the running project, quoted for the system's shells."""
    quoted = f'"{project}"' if sys.platform == "win32" and " " in str(project) else str(project)
    if sys.platform != "win32":
        # The shell's own idea of where it is; a hook is started in the project's folder.
        here = os.environ.get("PWD")
        near = here and os.path.realpath(here) == str(project.parent)
        quoted = shlex.quote(project.name if near else str(project))
    return [f"uv run --directory {quoted} manage.py {command}" for command in ("migrate", "runserver")]


def main():
    """Finish the project in the current folder."""
    # A legacy code page cannot print every path: better a readable escape than a traceback.
    sys.stdout.reconfigure(errors="backslashreplace")
    answers = json.loads(ANSWERS)
    project = Path.cwd()
    try:
        for name in unchosen_files(answers):
            remove(project, name)
        make_logs_folder(project)
        write_for_owner(project / ".env", environment(answers))
    except OSError as error:
        sys.exit(f"The project cannot be finished ({error}); make the folder writable and generate it again.")
    print(rotation(sys.platform))
    if answers["database"] == "postgresql":
        print("PostgreSQL is expected where DATABASE_URL in .env says.")
    print(f"{project.name} is ready. Next, with uv (pip install uv):")
    for command in next_commands(project):
        print(f"  {command}")


if __name__ == "__main__":
    main()
