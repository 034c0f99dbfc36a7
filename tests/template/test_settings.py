"""The settings, imported as on each system."""

import json
import os
import subprocess

import pytest
from conftest import run
from servers import PRODUCTION

CODE = """
import json, sys
import django.core.exceptions, environs, dj_database_url  # before the system seems to be another one
sys.platform = sys.argv[1]
from config import settings
handlers = settings.LOGGING["handlers"]
assert not any(name.partition(".")[0] == "applog" for name in sys.modules)
print(json.dumps({"is_windows": settings.IS_WINDOWS, **{
    name: {key: str(value) for key, value in handlers[name].items()} for name in ("file", "security_file")
}}))
"""


@pytest.fixture
def settings_on(bake, environment):
    """Return a function that imports a project's settings as on another system and returns its log handlers."""
    project = bake()

    def load(platform, **variables):
        found = json.loads(run(environment("5.2"), "-c", CODE, platform, cwd=project, env=variables))
        for name, file in (("file", "django.log"), ("security_file", "security.log")):
            assert found[name].pop("filename") == str(project / "logs" / file)
            assert found[name].pop("encoding") == "utf-8"
            found[name] = {
                key: found[name][key] for key in found[name] if key not in {"formatter", "delay", "filters", "level"}
            }
        assert found["file"] == found["security_file"]
        return found

    return load


def test_windows_rotates_by_size(settings_on):
    """Rotation at midnight by the standard library prints errors on Windows all day."""
    by_size = {"class": "applog.handlers.SharedRotatingFileHandler", "maxBytes": "10485760", "backupCount": "10"}
    assert settings_on("win32") == {"is_windows": True, "file": by_size, "security_file": by_size}


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_unix_rotates_at_midnight(settings_on, platform):
    """Ninety days are promised, and each day has its own file."""
    at_midnight = {"class": "applog.handlers.SharedTimedRotatingFileHandler", "when": "midnight", "backupCount": "90"}
    assert settings_on(platform) == {"is_windows": False, "file": at_midnight, "security_file": at_midnight}


def test_limits_come_from_the_environment(settings_on):
    """A small disk needs other limits than a large one."""
    windows = settings_on("win32", LOG_MAX_BYTES="1000", LOG_BACKUP_COUNT="3")["file"]
    assert (windows["maxBytes"], windows["backupCount"]) == ("1000", "3")
    assert settings_on("linux", LOG_BACKUP_DAYS="7")["file"]["backupCount"] == "7"
    assert settings_on("linux", LOG_FILES="watch")["file"] == {"class": "applog.handlers.WatchedFileHandler"}


def test_windows_refuses_another_program_s_rotation(settings_on):
    """There the other program could not rename a single file, and nobody would know."""
    with pytest.raises(AssertionError, match=r'"LOG_FILES" .*must be one of rotate, off, as no other program'):
        settings_on("win32", LOG_FILES="watch")


@pytest.fixture(scope="module")
def refusal(cookies_session, environment):
    """Return a function that starts a project with a bad variable and returns the sentence that stops it."""
    project = cookies_session.bake().project_path
    (project / ".env").unlink()
    python = environment("5.2")

    def start(**variables):
        given = {**os.environ, **PRODUCTION, "PYTHONUTF8": "1", **variables}
        done = subprocess.run(
            [python, "manage.py", "check"], cwd=project, capture_output=True, encoding="utf-8", check=False,
            env={key: value for key, value in given.items() if value is not None},
        )  # fmt: skip
        assert done.returncode == 1
        [sentence] = done.stderr.splitlines()
        return sentence

    return start


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALLOWED_HOSTS", None),
        ("ALLOWED_HOSTS", " , "),
        ("DATABASE_URL", "nonsense"),
        ("DEBUG", "perhaps"),
        ("LOG_FILES", "sometimes"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_BACKUP_DAYS", "0"),
        ("LOG_MAX_BYTES", "10 MB"),
        ("LOG_QUEUE", "perhaps"),
        ("SECRET_KEY", None),
        ("SECRET_KEY", ""),
        ("SECURE_HSTS_SECONDS", "-1"),
    ],
)
def test_a_bad_variable_stops_the_start_with_a_sentence(refusal, variable, value):
    """A traceback of thirty lines hides what a word in .env would mend."""
    sentence = refusal(**{variable: value})
    assert sentence.startswith(f'Environment variable "{variable}" ')
    assert sentence.endswith(". The file .env.example explains each variable.")


def test_an_env_file_that_cannot_be_read_stops_the_start_with_a_sentence(bake, environment):
    """PowerShell 5 writes UTF-16 where it is not told otherwise."""
    project = bake()
    (project / ".env").write_text("DEBUG=true", encoding="utf-16")
    done = subprocess.run(
        [environment("5.2"), "manage.py", "check"], cwd=project, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert ".env" in sentence


def test_manage_obeys_its_settings_option(bake, environment):
    """A command for other settings must not run with the usual ones."""
    code = "from django.conf import settings; print(settings.SETTINGS_MODULE)"
    printed = run(environment("5.2"), "manage.py", "shell", "--settings=tests.settings", "-c", code, cwd=bake())
    assert "tests.settings" in printed


def test_what_a_variable_switches_on_it_switches_off(bake, environment):
    """HSTS that cannot be taken back locks an intranet out, and a trailing comma is no origin."""
    code = "from django.conf import settings as s; print(s.SECURE_HSTS_SECONDS, s.CSRF_TRUSTED_ORIGINS)"
    env = PRODUCTION | {"SECURE_HSTS_SECONDS": "0", "CSRF_TRUSTED_ORIGINS": "https://a.example, "}
    printed = run(environment("5.2"), "manage.py", "shell", "--no-imports", "-c", code, cwd=bake(), env=env)
    assert printed.strip() == "0 ['https://a.example']"
    run(environment("5.2"), "manage.py", "check", cwd=bake(), env=env)
