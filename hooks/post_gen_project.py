"""Finish the project: put its name into deploy/, prove that logs/ can be written, write .env, say what to do next.

Starting Python is most of what a hook costs, so this one imports little, and late: no pathlib, no json.
"""

import os
import sys

DATABASE = "{{ cookiecutter.database }}"
PROJECT_SLUG = "{{ cookiecutter.project_slug }}"
# For what must be in small letters: a user of Linux, a database, an index, a name in compose.yaml.
DEPLOYED_NAME = PROJECT_SLUG.lower()
DEPLOYMENT = (
    "logrotate.conf",
    "windows-service.xml",
    "log-shipping/amazon-cloudwatch-agent.json",
    "log-shipping/datadog.yaml",
    "log-shipping/filebeat.yml",
    "log-shipping/fluent-bit.yaml",
    "log-shipping/fluentd.conf",
    "log-shipping/otelcol-azure-monitor.yaml",
    "log-shipping/rsyslog-elasticsearch.conf",
    "log-shipping/splunk-inputs.conf",
    "log-shipping/syslog-ng-graylog.conf",
)
# What needs no quotes in a shell, as in shlex.quote, whose import takes as long as all the rest.
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
# A folder's name cannot depend on an answer, as a file's can.
OPTIONAL_FOLDERS = (".github/workflows", ".github")
UNIX = ("linux", "darwin", "freebsd", "openbsd", "netbsd", "sunos", "aix", "cygwin", "android")


def remove_empty_folders():
    """Remove the folders whose files were not chosen; one that holds something else stays."""
    for folder in OPTIONAL_FOLDERS:
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def name_deployment():
    """Write the project's name into the files that are copied as they are, where it is called my-project.

    A second time this changes nothing: no project's name has a hyphen, or, in small letters, a capital one.

    Raises:
        OSError: a file cannot be read or written.

    """
    # The id of a Windows service is letters and digits alone.
    names = {b"my-project": DEPLOYED_NAME.encode(), b"MyProject": DEPLOYED_NAME.replace("_", "").encode()}
    for name in DEPLOYMENT:
        path = os.path.join("deploy", name)
        with open(path, "rb") as file:
            text = copied = file.read()
        for old, new in names.items():
            text = text.replace(old, new)
        if text != copied:
            with open(path, "wb") as file:
                file.write(text)


def make_logs_folder():
    """Create logs/ and prove, by writing a file, that it can be written.

    Raises:
        OSError: it cannot be created or written.

    """
    os.makedirs("logs", exist_ok=True)
    probe = os.path.join("logs", ".probe")
    with open(probe, "wb") as file:
        file.write(b"x")
    os.remove(probe)


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


def fresh_secret(size):
    """Return what ``secrets.token_hex(size)`` does, which is this line; its import would double the time of this hook.

    https://github.com/python/cpython/blob/3.13/Lib/secrets.py and random.py: SystemRandom asks os.urandom.
    """
    return os.urandom(size).hex()


def environment():
    """Return the text of .env for a developer's machine."""
    lines = [
        "# The settings of this machine. .env.example explains them; this file is never committed.",
        f"SECRET_KEY={fresh_secret(32)}",
        "DEBUG=true",
    ]
    if DATABASE == "postgresql":
        password = fresh_secret(16)
        lines += [
            f"POSTGRES_PASSWORD={password}",
            f"DATABASE_URL=postgresql://{DEPLOYED_NAME}:{password}@localhost:5432/{DEPLOYED_NAME}",
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
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
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


def quoted(project):
    """Return the project's path as the user's shell takes it."""
    if sys.platform == "win32":
        return f'"{project}"'.replace("\\", "/")  # so in cmd, PowerShell and Git Bash
    # A hook is started in the project's folder; the shell's own idea of where it is stands in PWD.
    if os.path.realpath(os.environ.get("PWD", "")) == os.path.dirname(project):
        return os.path.basename(project)
    if PLAIN.issuperset(project):
        return project
    import shlex  # noqa: PLC0415

    return shlex.quote(project)


def main():
    """Finish the project in the current folder."""
    # A legacy code page cannot print every path: better a readable escape than a traceback.
    sys.stdout.reconfigure(errors="backslashreplace")
    project = os.getcwd()
    remove_empty_folders()
    try:
        name_deployment()
        make_logs_folder()
        write_for_owner(".env", environment())
    except OSError as error:
        sys.exit(f"The project cannot be finished ({error}); make the folder writable and generate it again.")
    print(rotation(sys.platform))
    if DATABASE == "postgresql":
        print("PostgreSQL is expected where DATABASE_URL in .env says.")
    print(f"{PROJECT_SLUG} is ready. Next, with uv (pip install uv):")
    for command in ("migrate", "runserver"):
        print(f"  uv run --directory {quoted(project)} manage.py {command}")


if __name__ == "__main__":
    main()
