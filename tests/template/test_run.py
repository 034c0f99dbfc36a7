"""The generated project, run as its user runs it."""

import os
import re
import subprocess

import pytest
from conftest import CHOICES, name_of, pairwise, run
from servers import PRODUCTION, fetch, wait_for


@pytest.mark.parametrize("answers", pairwise(), ids=name_of)
def test_each_pair_of_answers_runs(bake, environment, request, serve, answers):
    """What renders need not run: here it is checked, migrated, tested by its own tests, and served."""
    python = environment(answers["django_version"])
    project = bake(**answers)
    env = {}
    if answers["database"] == "postgresql":
        database = "baked_" + re.sub(r"\W", "_", name_of(answers)).lower()
        env["DATABASE_URL"] = request.getfixturevalue("postgresql").create(database)
    manage = [python, "-W", "error", project / "manage.py"]

    run(*manage, "check", "--deploy", "--fail-level", "WARNING", cwd=project.parent, env=env | PRODUCTION)
    run(*manage, "makemigrations", "--check", cwd=project.parent, env=env)
    run(*manage, "migrate", "--verbosity", "0", cwd=project.parent, env=env)
    run(python, "-m", "pytest", cwd=project, env=env | {"PYTHONDEVMODE": "1"})

    address, console = serve(python, project, env)
    sign_in = {"admin": "/admin/login/", "allauth": "/accounts/login/"}[answers["accounts"]]
    pages = {path: fetch(address + path) for path in ("/", sign_in, "/static/site.css", "/no-such-page")}
    assert {path: status for path, (status, _) in pages.items()} == {
        "/": 200, sign_in: 200, "/static/site.css": 200, "/no-such-page": 404,
    }  # fmt: skip
    assert "logs/django.log" in pages["/"][1]
    assert {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[answers["database"]] in pages["/"][1]
    for log in (console, project / "logs" / "django.log"):
        # Django logs an error after the middleware has logged the request.
        wait_for(lambda log=log: "Not Found: /no-such-page" in log.read_text(encoding="utf-8"))
        text = log.read_text(encoding="utf-8")
        assert text.count(f"GET {sign_in} 200 in ") == 1
        assert text.count("GET /no-such-page 404 in ") == 1
        assert "HTTP/1.1" not in text
        assert text.count("Not Found: /no-such-page") == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("django_version", "database", "accounts"), [("5.2", "sqlite", "admin"), ("6.1", "postgresql", "allauth")]
)
def test_the_log_s_own_tests_pass(bake, environment, request, django_version, database, accounts):
    """The check of a new project runs them all; one that fails there is the first thing its owner sees."""
    python = environment(django_version)
    project = bake(django_version=django_version, database=database, accounts=accounts)
    settings = project / "config" / "settings.py"
    for name in ("shop", "orders"):  # what an owner's first app is called, also in the README
        run(python, "manage.py", "startapp", name, cwd=project)
        settings.write_text(f'{settings.read_text("utf-8")}\nINSTALLED_APPS.append("{name}")\n', "utf-8")
    env = {}
    if database == "postgresql":
        env["DATABASE_URL"] = request.getfixturevalue("postgresql").create("tests_of_the_log")
    else:  # in the language that the log's page has, too
        settings.write_text(f'{settings.read_text("utf-8")}\nLANGUAGE_CODE = "de"\n', "utf-8")
    run(python, "-m", "pytest", "applog", cwd=project, env=env)


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
@pytest.mark.parametrize("collected", [True, False])
@pytest.mark.parametrize("django_version", ["5.2", "6.1"])
def test_production_serves_pages_and_records_errors_once(bake, environment, serve, django_version, collected):
    """Even a deployment that forgot collectstatic must show its error pages, and lose no record."""
    project = bake(django_version=django_version)
    urls = project / "config" / "urls.py"
    broken = "\n\ndef broken(_):\n    raise ZeroDivisionError\n\n\nurlpatterns.append(path('broken', broken))\n"
    urls.write_text(urls.read_text(encoding="utf-8") + broken, encoding="utf-8")
    env = PRODUCTION | {"SECURE_SSL_REDIRECT": "false", "ALLOWED_HOSTS": "127.0.0.1"}
    if collected:
        run(environment(django_version), "manage.py", "collectstatic", "--no-input", cwd=project, env=env)
    address, console = serve(environment(django_version), project, env, "gunicorn")

    pages = {path: fetch(address + path) for path in ("/", "/no-such-page", "/broken")}
    assert {path: status for path, (status, _) in pages.items()} == {"/": 200, "/no-such-page": 404, "/broken": 500}
    assert all("site.css" in page for _, page in pages.values())
    assert "Python" not in pages["/"][1]
    assert fetch(f"{address}/static/site.css")[0] == (200 if collected else 404)
    assert fetch(f"{address}/", Host="evil.example")[0] == 400
    for log in (console, project / "logs" / "django.log"):
        text = log.read_text(encoding="utf-8")
        assert text.count("Internal Server Error: /broken") == 1
        assert text.count("\n    ZeroDivisionError") == 1
        assert text.count("Not Found: /no-such-page") == 1
    text = (project / "logs" / "security.log").read_text(encoding="utf-8")
    assert text.count("Invalid HTTP_HOST header: 'evil.example'. You may need") == 1  # without a traceback


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
def test_a_server_that_lacks_a_variable_ends_with_a_sentence(bake, environment):
    """A service manager that restarts it for ever, or fifty lines of traceback, would hide the reason."""
    project = bake()
    (project / ".env").unlink()
    done = subprocess.run(
        [environment("5.2"), "-m", "gunicorn", "config.wsgi", "--chdir", project, "--bind", "127.0.0.1:0"],
        capture_output=True, encoding="utf-8", check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert 'Environment variable "SECRET_KEY" not set. ' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("accounts", CHOICES["accounts"])
@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_types_are_right(bake, environment, django_version, accounts):
    """A project that begins with red type errors never gets to green."""
    project = bake(django_version=django_version, accounts=accounts)
    run(environment(django_version), "-m", "mypy", ".", cwd=project)


def test_a_page_runs_as_its_language_does(bake, environment):
    """Arabic from left to right puts each full stop at the wrong end, and so does English the other way."""
    code = (
        "from django.template.loader import render_to_string; from django.utils.translation import override\n"
        "for name in ('base.html', 'error.html', 'pages/home.html'):\n"
        "    with override('ar'): print(render_to_string(name).partition('<html')[2].partition('>')[0])"
    )
    printed = run(environment("5.2"), "manage.py", "shell", "-v", "0", "-c", code, cwd=bake(), env={"LOG_FILES": "off"})
    english = ' lang="en" dir="ltr"'
    assert printed.splitlines()[-3:] == [' lang="ar" dir="rtl"', english, english]


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ALLOWED_HOSTS"])
def test_production_refuses_to_start_without(bake, environment, missing):
    """A server with a guessable key, or for any host name, must not come up at all."""
    project = bake()
    (project / ".env").unlink()
    variables = {key: value for key, value in {**os.environ, **PRODUCTION}.items() if key != missing}
    done = subprocess.run(
        [environment("5.2"), project / "manage.py", "check"],
        env=variables, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith(f'Environment variable "{missing}" not set')


def test_a_host_name_that_is_not_ours_is_recorded(bake, environment, serve):
    """Probes for other hosts are what the security log is for."""
    project = bake()
    address, console = serve(environment("5.2"), project, {"ALLOWED_HOSTS": "127.0.0.1"})
    assert fetch(f"{address}/", Host="evil.example")[0] == 400
    for log in (console, project / "logs" / "django.log", project / "logs" / "security.log"):
        text = log.read_text(encoding="utf-8")
        assert text.count("input_validation_fail from 127.0.0.1: Invalid HTTP_HOST header: 'evil.example'") == 1, text
