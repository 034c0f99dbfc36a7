"""The settings, imported as on each system."""

import json

import pytest
from conftest import run

CODE = """
import json, sys
import django.core.exceptions, environs, dj_database_url, applog.files  # before the system seems to be another one
sys.platform = sys.argv[1]
from config import settings
handlers = settings.LOGGING["handlers"]
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
