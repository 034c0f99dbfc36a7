"""Bring the log into a project that exists already, from the template's own project, and say what is left to do."""

import json
import os
import shutil
import sys
from pathlib import Path

# JSON in a raw string: nothing in a folder's name can end it, as each quotation mark in one stands behind a backslash.
ANSWERS = r"""
{{ cookiecutter | tojson }}
"""
# What was brought, so that an update can remove what a newer version does not have any more.
BROUGHT = Path(".brought.txt")
DOCSTRING = '"""What the log adds to the settings: put `from applog.settings import *` at the end of yours."""'
# Not BASE_DIR, for example, which may be another folder in a project that was not made from this template.
NAMES = [
    "LOGGING",
    "LOGS_DIR",
    "LOG_FILES",
    "LOG_LEVEL",
    "LOG_LEVELS",
    "LOG_QUEUE",
    "LOG_QUIET_PATHS",
    "LOG_REDACT",
    "LOG_SLOW_QUERY_MS",
    "LOG_SLOW_REQUEST_MS",
    "LOGGING_CONFIG",
    "SERVICE_NAME",
    "TRUSTED_PROXY_COUNT",
]


def template(answers):
    """Return the template's project, whose path may be a relative one of the folder where cookiecutter was started."""
    for started in (answers["_output_dir"], os.environ.get("PWD", "")):
        folder = Path(started, answers["_repo_dir"]).parent
        if (project := folder / "{% raw %}{{cookiecutter.project_slug}}{% endraw %}").is_dir():
            return project
    sys.exit("The template cannot be found from here; type its full path.")


def copy_log(source):
    """Copy the log without its tests, remove what an older version brought and this one does not, and note the rest."""
    files = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    # The log's own tests need the template's project.
    files = [file for file in files if "__pycache__" not in file.parts and file.parts[0] != "tests"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, file)
    before = BROUGHT.read_text(encoding="utf-8").splitlines() if BROUGHT.exists() else []
    for file in set(map(Path, before)).difference(files):
        # Somebody may have edited the list.
        if file.is_file() and file.resolve().is_relative_to(Path.cwd()):
            file.unlink()
    BROUGHT.write_text("".join(f"{file.as_posix()}\n" for file in files), encoding="utf-8", newline="\n")


def log_settings(text, project):
    """Return what the log needs of the template's settings: how they read the environment, and LOGGING."""
    head = text.partition("\n")[2].partition("# Core\n")[0]
    log = "# Logging:" + text.partition("# Logging:")[2]
    # What only some answers have does no harm here, such as the level of a logger that nobody uses.
    log = "".join(line for line in log.splitlines(keepends=True) if not line.lstrip().startswith("# % "))
    names = "".join(f'    "{name}",\n' for name in NAMES)
    # A folder's name on Unix may hold bytes that are not UTF-8.
    literal = json.dumps(project.encode(errors="replace").decode(), ensure_ascii=False)
    log = log.replace('"{% raw %}{{ cookiecutter.project_slug }}{% endraw %}"', literal)
    return f"{DOCSTRING}\n{head}{log}\n__all__ = [\n{names}]\n"


def main():
    """Fill the folder, which is the current one."""
    source = template(json.loads(ANSWERS))
    copy_log(source / "applog")
    settings = (source / "config" / "settings.py").read_text(encoding="utf-8")
    variables = (source / ".env.example").read_text(encoding="utf-8").partition("# The log:")
    Path("settings.py").write_text(log_settings(settings, Path.cwd().parent.name), encoding="utf-8", newline="\n")
    Path(".env.example").write_text("".join(variables[1:]), encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(errors="backslashreplace")  # a legacy code page cannot print everything
    print(Path("INSTALL.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
