"""Any answers: refused with one sentence and nothing left, or a project whose files parse and whose check passes."""

import contextlib
import io
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path

import pytest
from conftest import CHOICES, PARSERS, ROOT
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import template_answers

# Half of what `uv run pytest` tries: the test runs once for each version of Django. `--hypothesis-profile=thorough`
# tries thousands.
EXAMPLES = 30
settings.register_profile("default", max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("thorough", settings.get_profile("default"), max_examples=EXAMPLES * 20)
settings.load_profile("default")

ANY = st.text(st.characters(), max_size=60)  # surrogates and control characters too
PLAIN = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=60)
FREE = st.one_of(PLAIN, PLAIN, PLAIN, ANY)
SLUGS = st.one_of(
    st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,60}", fullmatch=True),
    st.sampled_from([*sorted(template_answers.OWN_NAMES), "con", "LPT1", "class", "django", "../up", "a/b", "."]),
    ANY,
)
ZONES = st.one_of(st.sampled_from(sorted(template_answers.time_zones())), ANY)
ANSWERS = st.fixed_dictionaries(
    {"description": FREE, "author_name": FREE},
    optional={
        "project_name": FREE,
        "project_slug": SLUGS,
        "author_email": st.one_of(st.emails(), ANY),
        "time_zone": ZONES,
        **{key: st.sampled_from(values) for key, values in CHOICES.items() if key != "django_version"},
    },
)

# Starting Django is most of what a check costs: where there is fork, one process starts it for all.
CHECK = """
import os, sys
import django.core.management, environs, dj_database_url, django.contrib.admin.sites, whitenoise.middleware
for folder in map(str.strip, sys.stdin):
    child = os.fork()
    if not child:
        os.dup2(2, 1)
        os.chdir(folder)
        sys.path.insert(0, folder)
        sys.argv = ["manage.py", "check"]
        import runpy
        runpy.run_path("manage.py", run_name="__main__")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(params=CHOICES["django_version"])
def check(request, environment):
    """Return the Django version, and a function that returns the exit status of `manage.py check` in a folder."""
    python = environment(request.param)
    if os.name == "nt":
        command = [python, "manage.py", "check"]
        yield request.param, lambda folder: subprocess.run(command, cwd=folder, check=False).returncode
        return
    server = subprocess.Popen(
        [python, "-W", "ignore::DeprecationWarning", "-c", CHECK],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
    )  # fmt: skip

    def ask(folder):
        server.stdin.write(f"{folder}\n")
        server.stdin.flush()
        return int(server.stdout.readline())

    yield request.param, ask
    server.stdin.close()
    server.stdout.close()
    server.wait(60)


def literal(text):
    """Return the Jinja expression of a text: cookiecutter renders what it does not ask for."""
    return "{{ " + ascii(text) + " }}"


def generate(folder, answers):
    """Generate, and return what went to stderr, or None when the answers were accepted."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            cookiecutter(
                str(ROOT), no_input=True, output_dir=folder,
                extra_context={key: text if key in CHOICES else literal(text) for key, text in answers.items()},
            )  # fmt: skip
    except FailedHookException:
        return errors.getvalue()
    return None


@given(answers=ANSWERS)
def test_any_answers_are_refused_or_give_a_project(check, answers):
    """Whoever types what nobody thought of must not get half a project, or one that does not start."""
    version, check_folder = check
    with tempfile.TemporaryDirectory() as folder:
        refusal = generate(folder, answers | {"django_version": version})
        if refusal is not None:
            event("refused")
            assert refusal.endswith((".\n", "!\n"))
            assert len(refusal.splitlines()) == 1
            assert list(Path(folder).iterdir()) == []
            return
        event("generated")
        [project] = Path(folder).iterdir()
        for path in project.rglob("*"):
            if path.suffix in PARSERS:
                PARSERS[path.suffix](path.read_text(encoding="utf-8"))
        metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert metadata["description"] == answers["description"]
        assert metadata["authors"][0]["name"] == answers["author_name"]
        assert check_folder(project) == 0
