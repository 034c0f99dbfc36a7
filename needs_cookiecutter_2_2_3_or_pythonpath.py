"""The oldest cookiecutter for which this template works.

The module's name is a message. cookiecutter 1 does not put a template on Python's path, nor does pytest-cookies when it
asks the questions of a template in another folder: both then say that they find no module of this name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cookiecutter import __version__
from cookiecutter.exceptions import UnknownExtension
from jinja2.ext import Extension

if TYPE_CHECKING:
    from jinja2 import Environment

OLDEST = (2, 2, 3)


class OldestCookiecutter(Extension):
    """Refuses a cookiecutter that would fail half-way."""

    def __init__(self, environment: Environment) -> None:
        """Compare the versions, before anything is asked.

        Raises:
            UnknownExtension: this cookiecutter is too old; it prints the message and ends with status 1.

        """
        super().__init__(environment)
        if tuple(map(int, re.findall(r"\d+", __version__)[:3])) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            message = (
                f"This template needs cookiecutter {oldest} or later, and this is {__version__}; "
                "run the newest by uvx cookiecutter."
            )
            raise UnknownExtension(message)
