"""The settings, imported as on each system."""

import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import run
from servers import PRODUCTION

CODE = """
import json, sys
import asgiref.sync, django.http  # as config does, on this system
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


REST = {"totalBytes": "4294967296", "compress": "False"}


def test_windows_rotates_by_size(settings_on):
    """Rotation at midnight by the standard library prints errors on Windows all day."""
    by_size = {
        "class": "applog.handlers.SharedRotatingFileHandler",
        "maxBytes": "10485760",
        "backupCount": "10",
        **REST,
    }
    assert settings_on("win32") == {"is_windows": True, "file": by_size, "security_file": by_size}


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_unix_rotates_at_midnight(settings_on, platform):
    """Ninety days are promised, and each day has its own file."""
    at_midnight = {"class": "applog.handlers.SharedTimedRotatingFileHandler", "when": "midnight", "backupCount": "90"}
    at_midnight |= {"maxBytes": "268435456", **REST}
    assert settings_on(platform) == {"is_windows": False, "file": at_midnight, "security_file": at_midnight}


def test_limits_come_from_the_environment(settings_on):
    """A small disk needs other limits than a large one."""
    windows = settings_on("win32", LOG_MAX_BYTES="1000", LOG_BACKUP_COUNT="3")["file"]
    assert (windows["maxBytes"], windows["backupCount"]) == ("1000", "3")
    linux = settings_on("linux", LOG_BACKUP_DAYS="7", LOG_MAX_BYTES="9", LOG_TOTAL_BYTES="99", LOG_COMPRESS="on")[
        "file"
    ]
    found = [linux[name] for name in ("backupCount", "maxBytes", "totalBytes", "compress")]
    assert found == ["7", "9", "99", "True"]
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
        ("ALLOWED_HOSTS", "https://www.example.com"),
        ("ALLOWED_HOSTS", "example.com, example.com:8000"),
        ("DATABASE_URL", "nonsense"),
        ("DEBUG", "perhaps"),
        ("LOG_FILES", "sometimes"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_LEVELS", "shop"),
        ("LOG_LEVELS", "shop=LOUD"),
        ("LOG_LEVELS", "=DEBUG"),
        ("LOG_LEVELS", "root=DEBUG"),
        ("LOG_LEVELS", "shop.=DEBUG"),
        ("LOG_LEVELS", "a shop=DEBUG"),
        ("LOG_BACKUP_DAYS", "0"),
        ("LOG_MAX_BYTES", "10 MB"),
        ("LOG_TOTAL_BYTES", "0"),
        ("LOG_COMPRESS", "perhaps"),
        ("LOG_QUEUE", "perhaps"),
        ("LOG_QUIET_PATHS", "health/"),
        ("LOG_QUIET_PATHS", "/health/, static/"),
        ("LOG_SLOW_QUERY_MS", "-1"),
        ("LOG_SLOW_REQUEST_MS", "1 s"),
        ("SECURE_PROXY_SSL_HEADER", "X-Forwarded-Proto,https"),
        ("SECURE_PROXY_SSL_HEADER", "HTTP_X_FORWARDED_PROTO"),
        ("SECRET_KEY", None),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "k" * 49),
        ("SECURE_HSTS_SECONDS", "-1"),
    ],
)
def test_a_bad_variable_stops_the_start_with_a_sentence(refusal, variable, value):
    """A traceback of thirty lines hides what a word in .env would mend."""
    sentence = refusal(**{variable: value})
    assert sentence.startswith(f'Environment variable "{variable}" ')
    assert sentence.endswith(". The file .env.example explains each variable.")


def test_two_kinds_of_tls_stop_the_start_with_a_sentence(refusal):
    """The first mail would fail, perhaps that of an error."""
    sentence = refusal(EMAIL_USE_SSL="true", EMAIL_USE_TLS="true")
    assert sentence.startswith('Environment variable "EMAIL_USE_SSL" invalid: must be off, or EMAIL_USE_TLS. ')


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


DUMP = """
import json
from config import settings
print(json.dumps({name: repr(value) for name, value in vars(settings).items() if name.isupper()}))
"""
DJANGO = "from django.conf import global_settings; print(*filter(str.isupper, dir(global_settings)))"
OWN = {
    "BASE_DIR", "CONTENT_SECURITY_POLICY", "IS_WINDOWS", "LEVELS", "LOGS_DIR", "LOG_FILES", "LOG_FORMAT",
    "LOG_LEVEL", "LOG_LEVELS", "LOG_QUEUE", "LOG_QUIET_PATHS", "LOG_REDACT", "LOG_SLOW_QUERY_MS", "LOG_SLOW_REQUEST_MS",
    "PERMISSIONS_POLICY", "ROOT_URLCONF", "SERVICE_NAME", "TRUSTED_PROXY_COUNT",
}  # fmt: skip


@pytest.fixture
def load(bake, environment):
    """Return a function that imports the settings, and returns each by its name, as `repr` shows it."""
    project = bake()

    def load_settings(env_file=None, **variables):
        if env_file is not None:
            (project / ".env").write_text(env_file, encoding="utf-8")
        return json.loads(run(environment("5.2"), "-c", DUMP, cwd=project, env=variables))

    return load_settings


def test_a_plain_intranet_can_be_served(load):
    """HSTS and cookies that need HTTPS cannot be taken back by a site that has none."""
    off = {
        "SECURE_SSL_REDIRECT": "false",
        "SECURE_HSTS_SECONDS": "0",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": "false",
        "SESSION_COOKIE_SECURE": "false",
        "CSRF_COOKIE_SECURE": "false",
    }
    on, switched_off = load(**PRODUCTION), load(**PRODUCTION, **off)
    assert {name: on[name] for name in off} == dict.fromkeys(off, "True") | {"SECURE_HSTS_SECONDS": "3600"}
    assert {name: switched_off[name] for name in off} == dict.fromkeys(off, "False") | {"SECURE_HSTS_SECONDS": "0"}


def test_a_domain_is_put_on_the_browsers_lists_only_by_choice(load):
    """It takes months to come off them, https://hstspreload.org."""
    assert load(**PRODUCTION)["SECURE_HSTS_PRELOAD"] == "False"
    assert load(**PRODUCTION, SECURE_HSTS_PRELOAD="true")["SECURE_HSTS_PRELOAD"] == "True"


def test_mail_may_be_sent_by_tls_from_the_beginning(load):
    """Port 465 is what many providers offer alone."""
    assert load(**PRODUCTION)["EMAIL_USE_SSL"] == "False"
    assert load(**PRODUCTION, EMAIL_USE_SSL="true", EMAIL_PORT="465")["EMAIL_USE_SSL"] == "True"


def test_a_trailing_comma_names_nothing(load):
    """A list that was shortened by hand often ends in a comma."""
    found = load(**PRODUCTION | {"CSRF_TRUSTED_ORIGINS": "https://a.example, ", "ALLOWED_HOSTS": "a.example,"})
    assert (found["CSRF_TRUSTED_ORIGINS"], found["ALLOWED_HOSTS"]) == ("['https://a.example']", "['a.example']")


def test_an_empty_variable_is_one_that_is_not_set(bake, load):
    """Compose's ${NAME:-} makes empty ones, and a start that fails for one, or a service without a name, is odd."""
    example = (bake() / ".env.example").read_text(encoding="utf-8")
    names = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    assert len(names) > 30
    missing = {name: "" for name in names if name not in PRODUCTION}
    assert load("", **PRODUCTION, **missing) == load("", **PRODUCTION)
    assert load("".join(f"{name}=\n" for name in missing), **PRODUCTION) == load("", **PRODUCTION)
    assert load("LOG_LEVEL=ERROR", **PRODUCTION, LOG_LEVEL="")["LOG_LEVEL"] == "'ERROR'"


def test_what_the_settings_need_for_themselves_is_no_setting(load, environment, tmp_path):
    """Django takes each name in capitals for a setting, and whoever reads one looks for its documentation."""
    names = {name for name in load() if not name.startswith("AXES_")} - OWN
    assert names <= set(run(environment("5.2"), "-c", DJANGO, cwd=tmp_path).split())


def test_a_collector_may_be_named_in_the_env_file(bake, environment):
    """OpenTelemetry's SDK reads nothing but the process's environment."""
    project = bake()
    with (project / ".env").open("a", encoding="utf-8") as file:
        file.write("OTEL_EXPORTER_OTLP_HEADERS=api-key=1\nOTEL_EXPORTER_OTLP_TIMEOUT=7\n")
    code = """
import os
from config import settings
print(os.environ["OTEL_EXPORTER_OTLP_HEADERS"], os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"])
"""
    printed = run(environment("5.2"), "-c", code, cwd=project, env={"OTEL_EXPORTER_OTLP_TIMEOUT": "3"})
    assert printed.strip() == "api-key=1 3"


def test_the_settings_write_nothing(bake, environment):
    """A tool that only looks at the settings must not make folders, and must not need the log."""
    project = bake()
    shutil.rmtree(project / "logs")
    shutil.rmtree(project / "applog")
    run(environment("5.2"), "-c", "from config import settings", cwd=project)
    assert not (project / "logs").exists()
