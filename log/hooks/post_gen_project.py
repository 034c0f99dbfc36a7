"""Bring the log into a project that exists already, from the template's own project, and say what is left to do."""

import os
import re
import shutil
import sys
from pathlib import Path

DOCSTRING = '"""What the log adds to the settings: put `from applog.settings import *` at the end of yours."""'
# Not BASE_DIR, for example, which may be another folder in a project that was not made from this template.
NAMES = [
    "LOGGING",
    "LOGS_DIR",
    "LOG_FILES",
    "LOG_LEVEL",
    "LOGGING_CONFIG",
    "SERVICE_NAME",
    "TRUSTED_PROXY_COUNT",
    "WITH_FILES",
]


def template():
    """Return the template's project, whose path may be a relative one of the folder where cookiecutter was started."""
    for started in (r"{{ cookiecutter._output_dir }}", os.environ.get("PWD", "")):
        folder = Path(started, r"{{ cookiecutter._repo_dir }}").parent
        if (project := folder / "{% raw %}{{cookiecutter.project_slug}}{% endraw %}").is_dir():
            return project
    sys.exit("The template cannot be found from here; type its full path.")


def log_settings(text, project):
    """Return what the log needs of the template's settings: how they read the environment, and LOGGING."""
    head = text.partition("\n")[2].partition("# Core\n")[0]
    log = "# Logging:" + text.partition("# Logging:")[2]
    answers = {"project_slug": project, "django_version": "stable"}
    names = "".join(f'    "{name}",\n' for name in NAMES)
    text = f"{DOCSTRING}\n{head}{log}\n__all__ = [\n{names}]\n"
    return re.sub(r"\{\{ cookiecutter\.(\w+) \}\}", lambda found: answers[found[1]], text)


def main():
    """Fill the folder, which is the current one."""
    source = template()
    shutil.copytree(source / "applog", ".", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    settings = (source / "config" / "settings.py").read_text(encoding="utf-8")
    variables = (source / ".env.example").read_text(encoding="utf-8").partition("# The log:")
    Path("settings.py").write_text(log_settings(settings, Path.cwd().parent.name), encoding="utf-8", newline="\n")
    Path(".env.example").write_text("".join(variables[1:]), encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(errors="backslashreplace")  # a legacy code page cannot print everything
    print(Path("INSTALL.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
