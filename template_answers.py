"""What cookiecutter's Jinja learns from this template: refuse bad answers early, write good ones safely.

cookiecutter makes the project's folder before it runs ``hooks/pre_gen_project.py``: a slug such as ``a/b``, or ``con``
on Windows, would leave a folder behind or fail before. So cookiecutter.json asks the rules right behind the slug and
behind the time zone; the hook asks them once more, for answers that are replayed.
"""

from __future__ import annotations

import html
import keyword
import re
import sys
import unicodedata
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from cookiecutter.exceptions import FailedHookException
from jinja2.ext import Extension

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

SLUG_MAX_LENGTH = 50
EMAIL_MAX_LENGTH = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions
WINDOWS_DEVICES = {
    "con", "prn", "aux", "nul",
    *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)),
}  # fmt: skip
OWN_NAMES = {
    "applog", "config", "deploy", "logs", "manage", "static", "staticfiles", "templates", "tests", "users",
}  # fmt: skip
# A project that is named like one of its own requirements, or of theirs, would have to install itself.
REQUIREMENTS = {
    "asgiref", "ast_serialize", "certifi", "charset_normalizer", "colorama", "dj_database_url", "django",
    "django_csp", "django_stubs", "django_stubs_ext", "environs", "googleapis_common_protos",
    "gunicorn", "h11", "h2", "hpack", "hypercorn", "hyperframe", "idna", "iniconfig", "librt", "marshmallow", "mypy",
    "mypy_extensions", "opentelemetry", "opentelemetry_api", "opentelemetry_exporter_http_transport",
    "opentelemetry_exporter_otlp_common", "opentelemetry_exporter_otlp_proto_common",
    "opentelemetry_exporter_otlp_proto_http", "opentelemetry_proto", "opentelemetry_sdk",
    "opentelemetry_semantic_conventions", "packaging", "pathspec", "pluggy", "priority", "protobuf", "psycopg",
    "psycopg_binary", "pygments", "pytest", "pytest_django", "python_dotenv", "python_json_logger",
    "pythonjsonlogger", "regex", "requests", "ruff", "sqlparse", "types_pyyaml", "types_regex", "typing_extensions",
    "tzdata", "urllib3", "whitenoise", "wsproto",
}  # fmt: skip
# sys.stdlib_module_names leaves the package of Python's own tests out.
STANDARD_LIBRARY = {"test", *(module.lower() for module in sys.stdlib_module_names)}
KEYWORDS = {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist)}
# Names that the time zone database of one machine has and that of the next has not.
LOCAL_ZONES = {"Factory", "localtime"}
# Embeddings, overrides and isolates make text read otherwise than it is stored: https://trojansource.codes
BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def control_character_problem(question, answer):
    """Refuse a character that ends a line, moves the cursor or hides text."""
    for character in answer:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI_CONTROLS:
            return (
                f"The {question} contains the control character U+{ord(character):04X}; "
                "type it again without that character."
            )
    return None


def name_problem(question, name):
    """Refuse a project or an author without a name."""
    return None if name.strip() else f"The {question} is empty; type at least one letter."


def slug_problem(_, slug):
    """Refuse a slug that cannot be a folder, a package and a database on every system."""
    instead = 'type one of letters, digits and underscores that begins with a letter, for example "my_project".'
    name = slug.lower()
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?", slug):
        return f'The project slug "{slug}" is no identifier that every system takes; {instead}'
    if len(slug) > SLUG_MAX_LENGTH:
        return f"The project slug has {len(slug)} characters; type one of at most {SLUG_MAX_LENGTH}."
    reasons = {
        "is a Python keyword": name in KEYWORDS,
        "is a name that Windows keeps for a device": name in WINDOWS_DEVICES,
        "is a folder or module of the project itself": name in OWN_NAMES,
        "is the name of a package that the project installs": name in REQUIREMENTS,
        "is a module of Python's standard library": name in STANDARD_LIBRARY,
    }
    for reason, applies in reasons.items():
        if applies:
            return f'The project slug "{slug}" {reason}; type another name, for example "{name.strip("_")}_project".'
    return None


def email_problem(_, email):
    """Refuse all but a plain address: no display name, no quotes, a domain with a dot."""
    local = r"[^\s@\"'(),:;<>\[\]\\.]+(\.[^\s@\"'(),:;<>\[\]\\.]+)*"
    label = r"[^\W_]([\w-]*[^\W_])?"
    if len(email) > EMAIL_MAX_LENGTH or not re.fullmatch(rf"{local}@({label}\.)+{label}", email):
        return f'The e-mail address "{email[:EMAIL_MAX_LENGTH]}" is none; type one such as you@example.com.'
    return None


@cache
def time_zones():
    """Return the names of the IANA database, from the package tzdata, which cookiecutter installs, or the system."""
    try:
        import tzdata  # noqa: PLC0415  not everywhere
    except ImportError:
        from zoneinfo import available_timezones  # noqa: PLC0415

        return available_timezones() - LOCAL_ZONES
    zones = Path(tzdata.__file__).with_name("zones").read_text(encoding="utf-8")
    return set(zones.split()) - LOCAL_ZONES


def time_zone_problem(_, zone):
    """Refuse a time zone that the IANA database does not have in exactly this spelling, as file systems differ."""
    zones = time_zones()
    if zone in zones:
        return None
    if not zones and re.fullmatch(r"[A-Z][\w+-]*(/[A-Z][\w+-]*)*", zone, re.ASCII):
        return None  # Nothing to compare with; Django looks again when the project starts.
    spellings = {known.rpartition("/")[2].lower(): known for known in zones}
    spellings |= {known.lower(): known for known in zones}
    wanted = zone.strip().lower().replace(" ", "_")
    from difflib import get_close_matches  # noqa: PLC0415  a good answer need not wait for it

    close = get_close_matches(wanted, spellings, cutoff=0.5) or ["utc", "europe/berlin", "america/new_york"]
    nearest = ", ".join(dict.fromkeys(spellings[spelling] for spelling in close))
    return f'The time zone "{zone}" is unknown; type a name of the IANA database, perhaps {nearest}.'


PROBLEMS = {
    "project_name": name_problem,
    "project_slug": slug_problem,
    "author_name": name_problem,
    "author_email": email_problem,
    "time_zone": time_zone_problem,
}


def first_problem(answers):
    """Return what is wrong with the first bad answer, as one sentence, or None.

    Args:
        answers: those given so far, by question; keys that begin with an underscore are cookiecutter's own.

    """
    for key, answer in answers.items():
        question = key.replace("_", " ")
        if key.startswith("_"):
            continue
        if problem := control_character_problem(question, str(answer)):
            return problem
        if key in PROBLEMS and (problem := PROBLEMS[key](question, answer)):
            return problem
    return None


def usable_slug(slug: str) -> str:
    """Return ``slug``, changed as little as it takes to be accepted, as the default for ``project_slug``."""
    if not slug:
        return "my_project"
    candidates = (slug, f"{slug}_project", f"project_{slug}")
    return next((name for name in candidates if not slug_problem("project slug", name)), "my_project")


def refuse_bad_answers(answers: Mapping[str, object]) -> str:
    """Return ``"yes"`` when every answer can be used.

    Raises:
        FailedHookException: an answer cannot be used; stderr has the sentence that says what to type instead.

    """
    if problem := first_problem(answers):
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


def version_of(path):
    """Return where a version of this module was found, and when it was written."""
    return path, Path(path).stat().st_mtime_ns


VERSION = version_of(__file__)


class PlainText(str):
    """What to render where there is nothing to render."""

    __slots__ = ()

    def render(self, **_: object) -> str:
        """Return the text."""
        return self


class TemplateAnswers(Extension):
    """Adds the filters of this module to the environment in which the template is rendered."""

    def __init__(self, environment: Environment) -> None:
        """Add them, as Jinja asks of an extension."""
        super().__init__(environment)
        found = PathFinder.find_spec(__name__)
        if found and version_of(found.origin) != VERSION:
            # cruft, for an update, renders two versions of this template, each of which needs its own filters.
            del sys.modules[__name__]
            import_module(__name__).TemplateAnswers(environment)
            return
        for function in (usable_slug, refuse_bad_answers, toml, markdown, django_html):
            environment.filters[function.__name__] = function
        # Most file names and choices are plain, and to compile each would take longer than all files together.
        compiled = environment.from_string
        environment.from_string = lambda source: compiled(source) if re.search(r"[{#\n]", source) else PlainText(source)
