"""What cookiecutter's Jinja learns from this template: to refuse a folder without a Django project.

A hook would do so too late: the folder applog/ would be there, and cookiecutter prints a traceback when a hook fails.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cookiecutter.exceptions import FailedHookException
from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment


def refuse_other_folders(folder: str) -> None:
    """Do nothing in the folder of a Django project.

    Raises:
        FailedHookException: it is not one; stderr has the sentence that says so.

    """
    if not Path(folder, "manage.py").exists():
        print(
            "There is no manage.py here; go to the folder of your Django project that has it, and try again.",
            file=sys.stderr,
        )
        message = "Nothing was generated."
        raise FailedHookException(message)


def log_folder(project: str) -> str:
    """Return the name of the folder that holds the log in a Django project. Raises FailedHookException elsewhere."""
    refuse_other_folders(project)
    return "applog"


class DjangoProject(Extension):
    """Adds the function that the folder's name calls."""

    def __init__(self, environment: Environment) -> None:
        """Add it, as Jinja asks of an extension."""
        super().__init__(environment)
        environment.globals["log_folder"] = log_folder
