"""A bad answer gets one sentence that says what to type instead, and leaves nothing behind."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT, run
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter

import template_answers

NO_IDENTIFIER = (
    "is no identifier that every system takes; type one of letters, digits and underscores that begins with a letter, "
    'for example "my_project".'
)


def another(slug, reason):
    """Return the sentence for a slug that is taken."""
    return f'The project slug "{slug}" {reason}; type another name, for example "{slug.lower()}_project".'


def control(question, code):
    """Return the sentence for a control character."""
    return f"The {question} contains the control character U+{code}; type it again without that character."


def slug_cases():
    """Give each bad slug with its sentence."""
    for slug in (
        "", " ", ".", "..", "a/b", "/no/evil", "../evil", "a\\b", "C:evil", "my-project", "my project", "1abc", "2048",
        "_private", "dunder_", "möbel", "名前", "a.b", "a$b", "a;b", "~", "-rf", "a|b", "{{ x }}", "İx", "\u212aelvin",
    ):  # fmt: skip
        yield slug, f'The project slug "{slug}" {NO_IDENTIFIER}'
    for reason, slugs in {
        "is a Python keyword": ("class", "import", "None", "lambda", "match", "true"),
        "is a name that Windows keeps for a device": (
            "con",
            "CON",
            "nul",
            "Prn",
            "aux",
            "com1",
            "COM9",
            "lpt9",
            "com0",
        ),
        "is a folder or module of the project itself": (
            "config",
            "applog",
            "users",
            "tests",
            "logs",
            "static",
            "Users",
        ),
        "is the name of a package that the project installs": ("django", "Django", "environs", "whitenoise", "psycopg"),
        "is a module of Python's standard library": ("test", "Test", "site", "logging", "json", "antigravity"),
    }.items():
        for slug in slugs:
            yield slug, another(slug, reason)
    yield "a" * 51, "The project slug has 51 characters; type one of at most 50."
    yield "a" * 300, "The project slug has 300 characters; type one of at most 50."


EMAILS = (
    "", "x", "you@", "@example.com", "you@localhost", "a b@example.com", "you@example..com", "you@-example.com",
    "you@@example.com", "You <you@example.com>", "you@example.com,me@example.com", ".you@example.com",
    '"you"@example.com',
)  # fmt: skip
TIME_ZONES = {
    "": "UTC",
    "Berlin": "Europe/Berlin",
    "europe/berlin": "Europe/Berlin",
    "Europe/Berlim": "Europe/Berlin",
    "New York": "America/New_York",
    "utc": "UTC",
    "localtime": "",
    "../../etc/passwd": "UTC",
    "Mars/Olympus": "",
}
CONTROLS = {
    "project_name": ("a\nb", "000A"),
    "project_slug": ("a\x00b", "0000"),
    "description": ("bell \x07", "0007"),
    "author_name": ("a\u202eb", "202E"),
    "author_email": ("you@exa\tmple.com", "0009"),
    "time_zone": ("UTC\v", "000B"),
}
CASES = [
    *(({"project_slug": slug}, sentence) for slug, sentence in slug_cases()),
    *(
        ({"author_email": email}, f'The e-mail address "{email}" is none; type one such as you@example.com.')
        for email in EMAILS
    ),
    *(({key: text}, control(key.replace("_", " "), code)) for key, (text, code) in CONTROLS.items()),
    *(
        ({"description": text}, control("description", f"{ord(text):04X}"))
        for text in ("\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u2066")
    ),
    ({"project_name": " "}, "The project name is empty; type at least one letter."),
    ({"author_name": ""}, "The author name is empty; type at least one letter."),
]


def refuse(tmp_path, capfd, answers):
    """Generate with these answers, prove that it is refused and nothing written, and return what stderr got."""
    raw = {key: "{% raw %}" + text + "{% endraw %}" for key, text in answers.items()}
    with pytest.raises(FailedHookException):
        cookiecutter(str(ROOT), no_input=True, extra_context=raw, output_dir=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    return capfd.readouterr().err


@pytest.mark.parametrize(("answers", "sentence"), CASES, ids=ascii)
def test_a_bad_answer_gets_its_sentence(tmp_path, capfd, answers, sentence):
    """A user who is only told "invalid" has to guess, and half a project is worse than none."""
    assert refuse(tmp_path, capfd, answers) == f"{sentence}\n"


@pytest.mark.parametrize(("zone", "nearest"), TIME_ZONES.items())
def test_an_unknown_time_zone_gets_the_nearest_names(tmp_path, capfd, zone, nearest):
    """Nobody knows the 600 names by heart."""
    start = f'The time zone "{zone}" is unknown; type a name of the IANA database, perhaps '
    [sentence] = refuse(tmp_path, capfd, {"time_zone": zone}).splitlines()
    assert sentence.startswith(start)
    assert nearest in sentence.removeprefix(start)


def test_the_command_ends_with_status_1_and_no_traceback(tmp_path):
    """A script that generates must notice, and a person must not read through a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", ROOT, "project_slug=class"],
        cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == another("class", "is a Python keyword") + "\n"
    assert done.stdout.splitlines() == ["Nothing was generated."]
    assert list(tmp_path.iterdir()) == []


def test_a_bad_slug_is_refused_before_the_other_questions(tmp_path):
    """Nobody wants to answer eleven questions to hear that the second answer was wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", ROOT],
        input="My Shop\nclass\n", cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == another("class", "is a Python keyword") + "\n"


def test_the_hook_refuses_answers_that_are_replayed(tmp_path, cookies):
    """Replayed answers are not asked again: there the hook is the only one who looks."""
    answers = dict(cookies.bake().context) | {"project_slug": "class"}
    replay = tmp_path / "replay.json"
    replay.write_text(json.dumps({"cookiecutter": answers}), encoding="utf-8")
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--replay-file", replay, "--output-dir", out, ROOT],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == another("class", "is a Python keyword") + "\n"
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Shop", "my_shop"),
        ("Müllers Bücher", "mullers_bucher"),
        ("Calendar", "calendar_project"),
        ("Test", "test_project"),
        ("2048 Game", "project_2048_game"),
        ("🚀", "my_project"),
        ("x" * 200, "x" * 42),
    ],
)
def test_the_default_slug_is_one_that_is_accepted(bake, name, slug):
    """Who takes the defaults must not be refused at the end."""
    assert bake(project_name=name).name == slug


@pytest.mark.parametrize("django_version", ["5.2", "6.1"])
def test_the_names_of_all_requirements_are_refused(environment, django_version):
    """A project that is named like a package it needs, or that one needs, cannot be installed."""
    code = "from importlib.metadata import distributions; print(*(d.name for d in distributions()))"
    slugs = [
        name.replace("-", "_").replace(".", "_")
        for name in run(environment(django_version), "-c", code, cwd=ROOT).split()
    ]
    assert "django" in [slug.lower() for slug in slugs]
    assert [slug for slug in slugs if not template_answers.slug_problem("project slug", slug)] == []
