"""Refuse an answer that cannot work, with one sentence that says what to type instead."""

import json
import keyword
import re
import sys
import unicodedata
from pathlib import Path

ANSWERS = r"""
{{ cookiecutter | tojson }}
"""

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
# A project that is named like one of its own requirements would have to install itself.
REQUIREMENTS = {
    "dj_database_url", "django", "django_csp", "django_stubs", "environs", "gunicorn", "mypy", "psycopg", "pytest",
    "pytest_django", "ruff", "tzdata", "whitenoise",
}  # fmt: skip
# sys.stdlib_module_names leaves the package of Python's own tests out.
STANDARD_LIBRARY = {"test", *(module.lower() for module in sys.stdlib_module_names)}
KEYWORDS = {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist)}
# Names that the time zone database of one machine has and that of the next has not.
LOCAL_ZONES = {"Factory", "localtime"}
# Embeddings, overrides and isolates make text read otherwise than it is stored: https://trojansource.codes
BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def control_character_problem(answers):
    """Refuse a character that ends a line, moves the cursor or hides text."""
    for question, answer in answers.items():
        for character in answer:
            if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI_CONTROLS:
                return (
                    f"The {question} contains the control character U+{ord(character):04X}; "
                    "type it again without that character."
                )
    return None


def name_problem(answers):
    """Refuse a project or an author without a name."""
    for question in ("project name", "author name"):
        if not answers[question].strip():
            return f"The {question} is empty; type at least one letter."
    return None


def slug_problem(slug):
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


def email_problem(answers):
    """Refuse all but a plain address: no display name, no quotes, a domain with a dot."""
    email = answers["author email"]
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
    return set(Path(tzdata.__file__).with_name("zones").read_text(encoding="utf-8").split()) - LOCAL_ZONES


def time_zone_problem(answers):
    """Refuse a time zone that the IANA database does not have in exactly this spelling, as file systems differ."""
    zone = answers["time zone"]
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


def first_problem(context):
    """Return what is wrong with the first bad answer, as one sentence, or None.

    Args:
        context: cookiecutter's dictionary of answers; keys that begin with an underscore are not answers.

    """
    answers = {key.replace("_", " "): str(answer) for key, answer in context.items() if not key.startswith("_")}
    return (
        control_character_problem(answers)
        or name_problem(answers)
        or slug_problem(answers["project slug"])
        or email_problem(answers)
        or time_zone_problem(answers)
    )


if __name__ == "__main__":
    sys.exit(first_problem(json.loads(ANSWERS)))
