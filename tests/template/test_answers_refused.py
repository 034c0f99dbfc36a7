"""A bad answer gets one sentence that says what to type instead, and leaves nothing behind."""

import json
import os
import subprocess
import sys
import tomllib

import pytest
from conftest import CHOICES, ROOT, run
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter

import template_answers

NO_IDENTIFIER = (
    "is not a name that every system takes; type one of letters, digits and underscores that begins with a letter, "
    'for example "my_project".'
)


def another(slug, reason):
    """Return the sentence for a slug that is taken."""
    name = slug.lower()
    instead = f"project_{name}" if name.startswith("pg_") else f"{name}_project"
    return f'The project slug "{slug}" {reason}; type another name, for example "{instead}".'


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
            "pages",
        ),
        "is a name that PostgreSQL keeps for itself": ("pg_shop", "PG_Shop", "public", "postgres", "template1"),
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
        ({"author_email": email}, f'"{email}" is not an e-mail address; type one such as you@example.com.')
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


PRINTING = '"; import pathlib; pathlib.Path("../../ran").touch(); "'
DAMAGES = {
    "a slug that leads elsewhere": ({"project_slug": "a/b"}, f'The project slug "a/b" {NO_IDENTIFIER}'),
    "a slug that is a keyword": ({"project_slug": "class"}, another("class", "is a Python keyword")),
    "a slug that is a number": (
        {"project_slug": 2048},
        "The project slug is 2048, which is not text; put it into quotes.",
    ),
    "a name that is a list": (
        {"project_name": ["Shop"]},
        'The project name is ["Shop"], which is not text; put it into quotes.',
    ),
    "a line break": ({"description": "a\nb"}, control("description", "000A")),
    "a choice that does not exist": (
        {"project_license": "../../cookiecutter"},
        '"../../cookiecutter" is not a choice for the project license; type one of '
        + ", ".join(f'"{choice}"' for choice in CHOICES["project_license"])
        + ".",
    ),
    "a choice that is code": (
        {"database": PRINTING},
        f'{json.dumps(PRINTING)} is not a choice for the database; type one of "sqlite", "postgresql".',
    ),
    "a choice that is a number": (
        {"django_version": 5.2},
        '5.2 is not a choice for the django version; type one of "5.2", "6.1".',
    ),
    "a choice that is a list": (
        {"containers": ["no", "yes"]},
        '["no", "yes"] is not a choice for the containers; type one of "no", "yes".',
    ),
    "a choice that is nothing": (
        {"ci": None},
        'null is not a choice for the ci; type one of "github", "gitlab", "none".',
    ),
    "a question that does not exist": (
        {"license": "MIT"},
        '"license" is not a question of this template; remove it from the answers.',
    ),
    "a claim that all was looked at": (
        {"__names_accepted": "yes", "__answers_accepted": "yes", "project_slug": "a/b"},
        f'The project slug "a/b" {NO_IDENTIFIER}',
    ),
}


def replayed(tmp_path, answers, **options):
    """Generate by replaying answers and return the process, and the folder to generate into."""
    replay = tmp_path / "replay.json"
    replay.write_text(json.dumps({"cookiecutter": answers}), encoding="utf-8")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "cookiecutter", "--replay-file", replay, "--output-dir", out, ROOT]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, **options), out


@pytest.fixture(scope="module")
def good_answers(cookies_session):
    """Return what cookiecutter keeps for a replay."""
    return dict(cookies_session.bake().context)


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES.values(), ids=DAMAGES)
def test_replayed_answers_meet_the_same_rules(tmp_path, good_answers, damage, sentence):
    """A file of answers comes from anywhere, and cookiecutter looks at nothing in it."""
    done, out = replayed(tmp_path, good_answers | damage)
    assert done.returncode == 1
    assert done.stderr == f"{sentence}\n"
    assert done.stdout.splitlines() == ["Nothing was generated."]
    assert not out.exists()


def test_good_answers_are_replayed(tmp_path, good_answers):
    """Whoever generates each service of a company alike keeps the answers in a file."""
    text = 'quotes " and """ and backslashes \\ \\"'
    done, out = replayed(tmp_path, good_answers | {"description": text, "database": "postgresql", "_rendered": []})
    assert done.returncode == 0, done.stderr
    project = tomllib.loads((out / "my_project" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == text
    assert "DATABASE_URL=postgresql://" in (out / "my_project" / ".env").read_text(encoding="utf-8")


@pytest.mark.parametrize("missing", ["project_name", "project_slug", "time_zone", "ci", "__rules"])
def test_an_answer_that_is_missing_in_a_replay_is_asked_for_or_refused(tmp_path, good_answers, missing):
    """A file that an older version of the template wrote lacks what came later."""
    answers = {key: answer for key, answer in good_answers.items() if key != missing}
    done, out = replayed(tmp_path, answers, input="\n")
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert (out / "my_project" / ".env").exists()
    else:
        assert "Unable to render variable 'project_slug'" in done.stdout
        assert not out.exists()


def test_a_user_s_own_configuration_meets_the_same_rules(tmp_path):
    """What stands in ~/.cookiecutterrc is used without a question."""
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"default_context": {"author_email": "me"}}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", config, "-o", tmp_path / "out", ROOT],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == '"me" is not an e-mail address; type one such as you@example.com.\n'
    assert not (tmp_path / "out").exists()


def test_what_other_templates_ask_costs_nobody_their_name(tmp_path):
    """One bad choice in ~/.cookiecutterrc, and cookiecutter drops what stands below it."""
    config = tmp_path / "config.yaml"
    own = {"license": "GNU GPL v3.0", "author_name": "Jane Doe"}
    config.write_text(json.dumps({"default_context": own}), encoding="utf-8")
    run(sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", config, ROOT, cwd=tmp_path)
    assert "license" not in CHOICES
    assert 'name = "Jane Doe"' in (tmp_path / "my_project" / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="a command line on Windows is Unicode")
def test_a_byte_that_the_locale_cannot_read_gets_its_sentence(tmp_path, capfd):
    """Nobody can type Müller without a control character when there is none in it."""
    sentence = "The author name contains a byte that is not UTF-8; type it again where the locale is a UTF-8 one.\n"
    assert refuse(tmp_path, capfd, {"author_name": "M\udcfcller"}) == sentence


def test_a_cookiecutter_that_is_too_old_is_told_so(tmp_path, tools):
    """What a distribution ships would fail half-way, by an error that names a file of the template."""
    python = tools("cookiecutter==2.1.1", "setuptools<70")
    done = subprocess.run(
        [python, "-m", "cookiecutter", "--no-input", ROOT],
        cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "This template needs cookiecutter 2.2.3 or later, and this is 2.1.1; run the newest by uvx cookiecutter."
    ]
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_cookiecutter_that_is_allowed_works(tmp_path, tools):
    """The version that the sentence names has to be true."""
    python = tools("cookiecutter==2.2.3", "setuptools<70")
    run(python, "-m", "cookiecutter", "--no-input", ROOT, cwd=tmp_path)
    assert (tmp_path / "my_project" / ".env").exists()


def test_cookiecutter_1_is_told_so(tmp_path, tools):
    """Debian 12 and Ubuntu 22.04 have one that does not look into the template's folder for modules."""
    python = tools("cookiecutter==1.7.3", "setuptools<70")
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    # It cannot read the configuration of the other tests.
    environment = {name: value for name, value in os.environ.items() if name != "COOKIECUTTER_CONFIG"}
    done = subprocess.run(
        [python, "-m", "cookiecutter", "--no-input", ROOT],
        cwd=here, env=environment | {"HOME": str(home), "USERPROFILE": str(home)},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "This template needs cookiecutter 2.2.3 or later; run the newest by uvx cookiecutter.\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(here.iterdir()) == []


def test_another_repository_bakes_this_template_with_pytest_cookies(tmp_path, tools):
    """A company's own CI does not know that the template's folder has to be on Python's path, and need not."""
    python = tools("cookiecutter", "pytest-cookies")
    (tmp_path / "test_service.py").write_text(
        f"def test_bake(cookies):\n"
        f"    done = cookies.bake(extra_context={{'project_name': 'Test'}}, template={str(ROOT)!r})\n"
        f"    assert done.exception is None, repr(done.exception)\n"
        f"    assert done.project_path.name == 'test_project'\n"
        f"    refused = cookies.bake(extra_context={{'author_email': 'me'}}, template={str(ROOT)!r})\n"
        f"    assert 'FailedHookException' in repr(refused.exception)\n",
        encoding="utf-8",
    )
    run(python, "-m", "pytest", "-p", "no:cacheprovider", "test_service.py", cwd=tmp_path)


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
