"""What cookiecutter's Jinja learns from this template: refuse bad answers early, write good ones safely.

cookiecutter makes the project's folder before it runs ``hooks/pre_gen_project.py``, and prints a traceback when that
refuses. A slug such as ``a/b``, or ``con`` on Windows, would leave a folder behind or fail before; so the hook's rules
are asked already behind the slug and behind the time zone.
"""

from __future__ import annotations

import html
import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cookiecutter.exceptions import FailedHookException
from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment


@cache
def rules():
    """Import the hook, whose rules are asked here too."""
    path = Path(__file__).parent / "hooks" / "pre_gen_project.py"
    spec = importlib.util.spec_from_file_location("pre_gen_project", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def usable_slug(slug: str) -> str:
    """Return ``slug``, changed as little as it takes to be accepted, as the default for ``project_slug``."""
    if not slug:
        return "my_project"
    candidates = (slug, f"{slug}_project", f"project_{slug}")
    return next((name for name in candidates if not rules().slug_problem("project slug", name)), "my_project")


def refuse_bad_answers(answers: Mapping[str, object]) -> str:
    """Return ``"yes"`` when every answer can be used.

    Raises:
        FailedHookException: an answer cannot be used; stderr has the sentence that says what to type instead.

    """
    if problem := rules().first_problem(answers):
        print(problem, file=sys.stderr)
        message = "Nothing was generated."
        raise FailedHookException(message)
    return "yes"


def toml(text: str) -> str:
    """Escape ``text`` for a TOML basic string, https://toml.io/en/v1.0.0#string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def markdown(text: str) -> str:
    """Escape ``text`` so that Markdown shows it as it is, https://spec.commonmark.org/0.31.2/#backslash-escapes."""
    return re.sub(r"([\\`*_\[\]<>&#|~!])", r"\\\1", text)


def django_html(text: str) -> str:
    """Escape ``text`` for HTML in a Django template, whose own tags begin with a brace."""
    return html.escape(text).replace("{", "&#123;").replace("}", "&#125;")


class TemplateAnswers(Extension):
    """Adds the filters of this module to the environment in which the template is rendered."""

    def __init__(self, environment: Environment) -> None:
        """Add them, as Jinja asks of an extension."""
        super().__init__(environment)
        for function in (usable_slug, refuse_bad_answers, toml, markdown, django_html):
            environment.filters[function.__name__] = function
        # A program that renders two versions of this template, as cruft does for an update, must import each one's own.
        sys.modules.pop(__name__, None)
