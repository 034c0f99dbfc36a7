"""Refuse an answer that cannot work, with one sentence that says what to type instead."""

import json
import keyword
import os
import re
import sys
import unicodedata

ANSWERS = r"""
{{ cookiecutter | tojson }}
"""

SLUG_MAX_LENGTH = 50
ROOM = 512 * 1024  # bytes, more than twice what a project takes
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
    "asgiref", "ast_serialize", "colorama", "dj_database_url", "django", "django_csp", "django_stubs",
    "django_stubs_ext", "environs", "gunicorn", "iniconfig", "librt", "marshmallow", "mypy", "mypy_extensions",
    "packaging", "pathspec", "pluggy",
    "psycopg", "psycopg_binary", "pygments", "pytest", "pytest_django", "python_dotenv", "python_json_logger", "pythonjsonlogger", "ruff", "sqlparse",
    "types_pyyaml", "typing_extensions", "tzdata", "whitenoise",
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


def time_zones():
    """Return the names of the IANA database, from the package tzdata, which cookiecutter installs, or the system."""
    try:
        import tzdata  # noqa: PLC0415  not everywhere
    except ImportError:
        from zoneinfo import available_timezones  # noqa: PLC0415

        return available_timezones() - LOCAL_ZONES
    with open(os.path.join(os.path.dirname(tzdata.__file__), "zones"), encoding="utf-8") as file:
        return set(file.read().split()) - LOCAL_ZONES


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


def room_problem():
    """Refuse a disk on which the project has no room: cookiecutter would leave there what still fits."""
    try:
        with open(".probe", "wb") as file:
            file.write(bytes(ROOM))
        os.remove(".probe")
    except OSError as error:
        return f"The project cannot be written here ({error}); make room for {ROOM // 1024} KiB and generate it again."
    return None


if __name__ == "__main__":
    sys.exit(first_problem(json.loads(ANSWERS)) or room_problem())
