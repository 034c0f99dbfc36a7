"""What cookiecutter's Jinja learns from this template: refuse bad answers early, write good ones safely.

cookiecutter makes the project's folder before it runs the first hook: a slug such as ``a/b``, or ``con`` on Windows,
would leave a folder behind or fail before. So the rules are asked whenever cookiecutter renders the default
of a question or the name of a file. The first name is the folder's, and so replayed answers meet the rules as well.

`__rules` in cookiecutter.json calls `load`. `_extensions` there would do so too, but only where this folder is on
Python's path, which neither cookiecutter 1 nor pytest-cookies sees to when it asks the questions.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import sys
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from cookiecutter import __version__
from cookiecutter.exceptions import FailedHookException, UnknownExtension
from jinja2 import pass_context
from jinja2.ext import Extension
from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment
    from jinja2.runtime import Context

OLDEST_COOKIECUTTER = "2.2.3"
HERE = Path(__file__).parent
PROJECT = HERE / "{{cookiecutter.project_slug}}"
QUESTIONS = json.loads((HERE / "cookiecutter.json").read_text(encoding="utf-8"))

ROOM = 4 << 20  # bytes, more than twice what a project takes
SLUG_MAX_LENGTH = 50
EMAIL_MAX_LENGTH = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions
WINDOWS_DEVICES = {
    "con", "prn", "aux", "nul",
    *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)),
}  # fmt: skip
OWN_NAMES = {
    "applog", "check", "config", "deploy", "logs", "manage", "pages", "static", "staticfiles", "templates", "tests",
    "users",
}  # fmt: skip
# Databases and a role that each server has, and what CREATE ROLE refuses, beside names that begin with pg_:
# https://www.postgresql.org/docs/current/sql-createrole.html
POSTGRESQL_NAMES = {"postgres", "public", "template0", "template1"}
# A project that is named like one of its own requirements, of theirs, or of those of a recipe, which come last, would
# have to install itself.
REQUIREMENTS = {
    "allauth", "asgiref", "ast_serialize", "axes", "certifi", "cffi", "charset_normalizer", "colorama", "cryptography",
    "dj_database_url", "django", "django_allauth", "django_axes", "django_csp", "django_permissions_policy",
    "django_stubs", "django_stubs_ext", "environs", "fido2",
    "googleapis_common_protos", "gunicorn", "h11", "h2", "hpack", "hypercorn", "hyperframe", "idna", "iniconfig",
    "librt", "marshmallow", "mypy", "mypy_extensions", "opentelemetry", "opentelemetry_api",
    "opentelemetry_exporter_http_transport", "opentelemetry_exporter_otlp_common",
    "opentelemetry_exporter_otlp_proto_common", "opentelemetry_exporter_otlp_proto_http", "opentelemetry_proto",
    "opentelemetry_sdk", "opentelemetry_semantic_conventions", "packaging", "pathspec", "pluggy", "priority",
    "protobuf", "psycopg", "psycopg_binary", "pycparser", "pygments", "pytest", "pytest_django", "python_dotenv",
    "qrcode", "regex", "requests", "ruff", "sentry_sdk", "sqlparse", "types_pyyaml", "types_regex",
    "typing_extensions", "tzdata", "urllib3", "whitenoise", "wsproto",
    "celery", "channels", "django_anymail", "django_debug_toolbar", "django_htmx", "django_ninja", "django_storages",
    "django_tasks_db", "djangorestframework", "redis",
}  # fmt: skip
# sys.stdlib_module_names leaves the package of Python's own tests out.
STANDARD_LIBRARY = {"test", *(module.lower() for module in sys.stdlib_module_names)}
KEYWORDS = {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist)}
# Names that the time zone database of one machine has and that of the next has not.
LOCAL_ZONES = {"Factory", "localtime"}
# Embeddings, overrides and isolates make text read otherwise than it is stored: https://trojansource.codes
BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def text_problem(question, answer):
    """Refuse what is not text, and a character that ends a line, moves the cursor or hides text."""
    if not isinstance(answer, str):
        return f"The {question} is {shown(answer)}, which is not text; put it into quotes."
    for character in answer:
        category = unicodedata.category(character)
        if category == "Cs":
            return f"The {question} contains a byte that is not UTF-8; type it again where the locale is a UTF-8 one."
        if category in {"Cc", "Zl", "Zp"} or character in BIDI_CONTROLS:
            return (
                f"The {question} contains the control character U+{ord(character):04X}; "
                "type it again without that character."
            )
    return None


def choice_problem(question, answer, choices):
    """Refuse what is not one of the choices; cookiecutter itself does not look at replayed ones."""
    if answer in choices:
        return None
    return f"{shown(answer)} is not a choice for the {question}; type one of {', '.join(map(shown, choices))}."


def shown(answer):
    """Return an answer of any type on one line."""
    return json.dumps(answer, default=str)


def name_problem(question, name):
    """Refuse a project or an author without a name."""
    return None if name.strip() else f"The {question} is empty; type at least one letter."


def slug_problem(_, slug):
    """Refuse a slug that cannot be a folder, a package and a database on every system."""
    instead = 'type one of letters, digits and underscores that begins with a letter, for example "my_project".'
    name = slug.lower()
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?", slug):
        return f'The project slug "{slug}" is not a name that every system takes; {instead}'
    if len(slug) > SLUG_MAX_LENGTH:
        return f"The project slug has {len(slug)} characters; type one of at most {SLUG_MAX_LENGTH}."
    reasons = {
        "is a Python keyword": name in KEYWORDS,
        "is a name that Windows keeps for a device": name in WINDOWS_DEVICES,
        "is a folder or module of the project itself": name in OWN_NAMES,
        "is a name that PostgreSQL keeps for itself": name in POSTGRESQL_NAMES or name.startswith("pg_"),
        "is the name of a package that the project installs": name in REQUIREMENTS,
        "is a module of Python's standard library": name in STANDARD_LIBRARY,
    }
    for reason, applies in reasons.items():
        if applies:
            instead = f"project_{name}" if name.startswith("pg_") else f"{name}_project"
            return f'The project slug "{slug}" {reason}; type another name, for example "{instead}".'
    return None


def email_problem(_, email):
    """Refuse all but a plain address: no display name, no quotes, a domain with a dot."""
    local = r"[^\s@\"'(),:;<>\[\]\\.]+(\.[^\s@\"'(),:;<>\[\]\\.]+)*"
    label = r"[^\W_]([\w-]*[^\W_])?"
    if len(email) > EMAIL_MAX_LENGTH or not re.fullmatch(rf"{local}@({label}\.)+{label}", email):
        return f'"{email[:EMAIL_MAX_LENGTH]}" is not an e-mail address; type one such as you@example.com.'
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
        if key not in QUESTIONS:
            return f"{shown(key)} is not a question of this template; remove it from the answers."
        if isinstance(QUESTIONS[key], list):
            problem = choice_problem(question, answer, QUESTIONS[key])
        else:
            problem = text_problem(question, answer) or (key in PROBLEMS and PROBLEMS[key](question, answer))
        if problem:
            return problem
    return None


def usable_slug(slug: str) -> str:
    """Return ``slug``, changed as little as it takes to be accepted, as the default for ``project_slug``."""
    if not slug:
        return "my_project"
    candidates = (slug, f"{slug}_project", f"project_{slug}")
    return next((name for name in candidates if not slug_problem("project slug", name)), "my_project")


def refuse_bad_answers(answers: Mapping[str, object]) -> None:
    """Do nothing when every answer can be used.

    Raises:
        FailedHookException: an answer cannot be used; stderr has the sentence that says what to type instead.

    """
    if problem := first_problem(answers):
        print(problem, file=sys.stderr)
        message = "Nothing was generated."
        raise FailedHookException(message)


def refuse_full_disk(output: Path) -> None:
    """Do nothing when a project has room in a folder, which need not exist yet.

    Raises:
        FailedHookException: cookiecutter would leave there what still fits; stderr has the sentence that says so.

    """
    folder = next(path for path in (output, *output.parents) if path.is_dir())
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        print(
            f"The project cannot be written here ({error}); make room for {ROOM >> 20} MiB and generate it again.",
            file=sys.stderr,
        )
        message = "Nothing was generated."
        raise FailedHookException(message) from error


def copied_files() -> list[str]:
    """Return what `_copy_without_render` should be: all but `_rendered`, and but what has a condition in its name.

    A pattern stands for each folder from which all is copied. It must not match folders in that one: cookiecutter would
    remove what the user has in them before it copies them.
    """
    files = [
        os.path.relpath(os.path.join(folder, name), PROJECT).replace(os.sep, "/")  # noqa: PTH118  a tenth of the time
        for folder, _, names in os.walk(PROJECT)
        for name in names
    ]
    rendered = {file for file in files if "{%" in file or file in QUESTIONS["_rendered"]}
    patterns: Counter[str] = Counter()
    for file in sorted(set(files) - rendered):
        folder, _, name = file.rpartition("/")
        whole = folder and "." in name and not any(other.startswith(f"{folder}/") for other in rendered)
        patterns[f"{folder}/*.*" if whole else file] += 1
    # cookiecutter tries one after the other.
    return [pattern for pattern, _ in patterns.most_common()]


def toml(text: str) -> str:
    """Escape ``text`` for a TOML basic string, https://toml.io/en/v1.0.0#string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def markdown(text: str) -> str:
    """Escape ``text`` so that Markdown shows it as it is, https://spec.commonmark.org/0.31.2/#backslash-escapes.

    It has to stand alone in its line: what would begin a list, a rule or a heading there is escaped too.
    """
    text = re.sub(r"([\\`*_\[\]<>&#|~!])", r"\\\1", text)
    text = re.sub(r"^(\s*)([-+=:]|\d+(?=[.)]))", escaped_start, text)
    return re.sub(r"^\s+|\s+$", lambda spaces: "".join(f"&#{ord(space)};" for space in spaces[0]), text)


def escaped_start(found: re.Match[str]) -> str:
    """Escape what would begin a block in Markdown; of the number of a list, what follows it."""
    spaces, start = found.groups()
    return f"{spaces}{start}\\" if start.isdigit() else f"{spaces}\\{start}"


def django_html(text: str) -> str:
    """Escape ``text`` for HTML in a Django template, whose own tags begin with a brace."""
    return str(escape(text)).replace("{", "&#123;").replace("}", "&#125;")


class Checked:
    """A template that is rendered only with answers that can be used."""

    def __init__(self, template, accept):
        """Keep a template, or text in which there is nothing to render, and what looks at the answers."""
        self.template = template
        self.accept = accept

    def render(self, **context: object) -> str:
        """Render it, as cookiecutter asks."""
        self.accept(context.get("cookiecutter", {}))
        return self.template if isinstance(self.template, str) else self.template.render(**context)


@pass_context
def load(context: Context) -> str:
    """Add the rules to the environment of the questions, and to the next one, in which files are rendered.

    Returns:
        its own call: cruft keeps what is returned, and renders it at the next update.

    Raises:
        UnknownExtension: this cookiecutter is too old; it prints the message and ends with status 1.

    """
    numbers = [tuple(map(int, re.findall(r"\d+", version)[:3])) for version in (__version__, OLDEST_COOKIECUTTER)]
    if numbers[0] < numbers[1]:
        message = (
            f"This template needs cookiecutter {OLDEST_COOKIECUTTER} or later, and this is {__version__}; "
            "run the newest by uvx cookiecutter."
        )
        raise UnknownExtension(message)
    TemplateAnswers(context.environment)
    context["cookiecutter"]["_extensions"] = [f"{__name__}.{TemplateAnswers.__name__}"]
    return QUESTIONS["__rules"]


class TemplateAnswers(Extension):
    """Adds this module's filters and rules to the environment in which questions, names and files are rendered."""

    def __init__(self, environment: Environment) -> None:
        """Add them, as Jinja asks of an extension."""
        super().__init__(environment)
        if "cruft" in sys.modules:
            # It renders two versions of the template in one process, and each must import its own module.
            sys.modules.pop(__name__, None)
        self.accepted = None
        for function in (toml, markdown, django_html):
            environment.filters[function.__name__] = function
        environment.globals["usable_slug"] = usable_slug
        compiled = environment.from_string

        def from_string(source, *args, **options):
            # Most file names and choices are plain, and to compile each would take longer than all files together.
            template = compiled(source, *args, **options) if re.search(r"[{#\n]", source) else source
            return Checked(template, self.begin if source == PROJECT.name else self.accept)

        environment.from_string = from_string

    def accept(self, answers: dict[str, object]) -> None:
        """Refuse answers that cannot be used."""
        if answers != self.accepted:
            refuse_bad_answers(answers)
            self.accepted = dict(answers)

    def begin(self, answers: dict[str, object]) -> None:
        """Refuse what cannot work before the project's folder is made, and tell cookiecutter what to copy as it is."""
        self.accept(answers)
        refuse_full_disk(Path(answers.get("_output_dir", ".")).absolute())
        answers["_copy_without_render"] = copied_files()
