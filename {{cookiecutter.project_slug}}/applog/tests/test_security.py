"""What the security log is told, and what the system checks say of the log."""

import copy
import errno
import logging
import re
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.signals import user_login_failed
from django.core.checks import run_checks
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import transaction
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.utils import translation

from applog import flood
from applog.checks import check_handlers
from applog.context import current_request
from applog.filters import SecurityFilter
from applog.fingerprint import REFUSALS
from applog.formatters import JsonFormatter, TextFormatter
from applog.security import describe, security_event, system_user

Events = Callable[[], list[str]]
PASSWORD = "correct horse 1"  # noqa: S105  nobody's

urlpatterns = [path("admin/", AdminSite().urls)]  # with Django's own sign-in, whichever the project has


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Events:
    """Return a function that lists the security events since it was last called."""

    def take() -> list[str]:
        found = [
            f"{getattr(record, 'event', '')}: {record.getMessage()}"
            for record in caplog.records
            if record.name == "applog.security"
        ]
        caplog.clear()
        return found

    return take


@pytest.mark.django_db
def test_a_request_of_another_library_is_the_one_that_is_served(
    caplog: pytest.LogCaptureFixture, rf: RequestFactory
) -> None:
    """REST framework passes its own: without the client, no limit would hold, and fail2ban would see nobody."""
    request = rf.get("/api/")
    token = current_request.set(request)
    try:
        user_login_failed.send(None, credentials={"username": "ann"}, request=SimpleNamespace(user=None))
    finally:
        current_request.reset(token)
    [record] = [record for record in caplog.records if record.name == "applog.security"]
    assert record.__dict__["request"] is request
    assert " authn_login_fail from 127.0.0.1: user 'ann'" in TextFormatter().format(record)


@pytest.fixture
def ann(db: None) -> Any:
    """Return a user."""
    return get_user_model().objects.create_user("ann", password=PASSWORD)


@override_settings(ROOT_URLCONF=__name__)
def test_sign_ins_and_sign_outs_are_recorded(ann: Any, events: Events, client: Client) -> None:
    """Who guesses passwords, and whose they found, is the first question after a break-in."""
    login = {"username": "ann", "password": "wrong horse 2", "next": "/admin/"}
    client.post("/admin/login/", login)
    assert events() == ["authn_login_fail: user 'ann'"]
    get_user_model().objects.filter(pk=ann.pk).update(is_staff=True)
    client.post("/admin/login/", login | {"password": PASSWORD})
    assert events()[0] == f"authn_login_success: user {ann.pk} 'ann'"
    client.post("/admin/logout/")
    assert events() == [f"session_expired: logout, user {ann.pk} 'ann'"]


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
def test_a_long_name_is_cut(events: Events, client: Client) -> None:
    """Who signs in with a megabyte of text must not fill the disk."""
    client.post("/admin/login/", {"username": "x" * 100_000, "password": PASSWORD})
    client.login(username="y" * 100_000, password=PASSWORD)
    assert all(len(event) < 300 for event in events())


@pytest.mark.django_db(transaction=True)
def test_many_permissions_are_counted(events: Events) -> None:
    """A group with all permissions would make a record of many thousand characters."""
    group = Group.objects.create(name="editors")
    group.permissions.set(Permission.objects.order_by("pk")[:13])
    [event] = events()
    assert len(re.findall(r"permission \d+ '\w+'", event)) == 10
    assert " and 3 more" in event


@pytest.mark.django_db(transaction=True)
def test_changes_of_what_users_may_do_are_recorded(events: Events) -> None:
    """An attacker gives an account more rights and takes them back; the log keeps it."""
    user = get_user_model().objects.create_user("ann", password=PASSWORD)
    [created] = events()
    assert created.startswith(f"user_created: user {user.pk} 'ann', is_active is now True, is_staff is now False")
    assert created.endswith(" on this machine")

    user.set_password(f"{PASSWORD}2")
    user.save()
    for _ in range(2):  # removed once; another unusable one is no event
        user.set_unusable_password()
        user.save(update_fields=["password"])
    user.is_superuser = True
    user.save()
    user.save()
    group = Group.objects.create(name="editors")
    permission = Permission.objects.get(codename="add_group")
    user.groups.add(group)
    group.user_set.remove(user)
    group.permissions.add(permission)
    user.user_permissions.add(permission)
    user.user_permissions.clear()
    who, what, that = (f"{item._meta.model_name} {item.pk}" for item in (user, group, permission))
    group.delete()
    user.delete()
    assert [event.partition(", by ")[0] for event in events()] == [
        f"authn_password_change: {who} 'ann'",
        f"authn_password_change: {who} 'ann', password removed",
        f"authz_change: {who} 'ann', is_superuser is now True",
        f"authz_change: {who} 'ann' gets {what} 'editors'",
        f"authz_change: {what} 'editors' loses {who} 'ann'",
        f"authz_change: {what} 'editors' gets {that} 'add_group'",
        f"authz_change: {who} 'ann' gets {that} 'add_group'",
        f"authz_change: {who} 'ann' loses {that} 'add_group'",
        f"authz_change: {what} 'editors' deleted",
        f"user_deleted: {who} 'ann'",
    ]


@pytest.mark.django_db
def test_the_security_log_speaks_one_language(ann: Any) -> None:
    """It is searched by its words, and a visitor's language must not change them."""
    for language in ("en", "de", "ja"):
        with translation.override(language):
            assert describe(ann) == f"user {ann.pk} 'ann'"
            assert describe(Group(pk=1, name="staff")) == "group 1 'staff'"


@pytest.mark.django_db(transaction=True)
def test_what_was_not_committed_is_not_recorded(events: Events) -> None:
    """A log that tells of users who never were is not believed any more."""
    with transaction.atomic():
        get_user_model().objects.create_user("ann")
        transaction.set_rollback(True)
    assert events() == []


@pytest.mark.django_db(transaction=True)
def test_a_log_that_fails_does_not_undo_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is locked out of the admin must not be so because of a filter in LOGGING."""
    monkeypatch.setattr(logging.getLogger("applog.security"), "filters", [lambda _: 1 / 0])
    assert get_user_model().objects.create_user("ann").pk


@pytest.mark.django_db(transaction=True)
@override_settings(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("PBKDF2", "MD5")])
def test_a_password_that_is_only_hashed_anew_was_not_changed(events: Events, client: Client) -> None:
    """Django does so at sign-in after a change of the hasher: thousands of events would hide the one that matters."""
    user = get_user_model().objects.create_user("ann", password=PASSWORD)
    user.password = make_password(PASSWORD, hasher="md5")
    user.save()
    events()
    assert client.login(username="ann", password=PASSWORD)
    user.refresh_from_db()
    assert user.password.startswith("pbkdf2")
    assert [event.partition(":")[0] for event in events()] == ["authn_login_success"]


@pytest.mark.django_db(transaction=True)
def test_a_password_that_is_set_by_its_hash_was_changed(events: Events) -> None:
    """Whoever can run code here may choose that way to take over an account."""
    get_user_model().objects.create_user("ann", password=PASSWORD)
    user = get_user_model().objects.get_by_natural_key("ann")
    user.password = make_password(f"{PASSWORD}2")
    events()
    user.save(update_fields=["password"])
    assert [event.partition(":")[0] for event in events()] == ["authn_password_change"]


def refuse(address: str, number: int) -> None:
    """Log as Django does for a request that it refuses."""
    request = RequestFactory().get("/", REMOTE_ADDR=address)
    for _ in range(number):
        logging.getLogger("django.security.DisallowedHost").error("bad host", extra={"request": request})


def test_refusals_are_counted_beyond_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four connections of a stranger would fill a disk, and push every sign-in out of the security log."""
    monkeypatch.setattr(flood, "limit", flood.RefusalLimit())
    now = [1000.0]
    monkeypatch.setattr("applog.flood.time.monotonic", lambda: now[0])
    streams = StringIO(), StringIO()
    handlers = [logging.StreamHandler(stream) for stream in streams]
    for handler in handlers:
        handler.setFormatter(TextFormatter())
        handler.addFilter(flood.FloodFilter())
        logging.getLogger().addHandler(handler)
    try:
        refuse("192.0.2.1", 500)
        for number in range(300):
            refuse(f"192.0.2.{number % 250 + 2}", 1)
        for _ in range(100):
            logging.getLogger("shop").error("an error of the site")
        logging.getLogger("applog.security").info("signed in", extra={"event": "authn_login_success"})
        now[0] += 61
        logging.getLogger("shop").info("later")
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
    text, other = (stream.getvalue() for stream in streams)
    assert text == other
    assert text.count("an error of the site") == 100
    assert text.count("signed in") == text.count("later") == 1
    assert text.count("from 192.0.2.1: bad host") == flood.SINGLY
    assert text.count("bad host") == flood.SINGLY_ALTOGETHER
    assert "excess_rate_limit_exceeded: input_validation_fail: 470 more from 192.0.2.1 within 60 s" in text
    counted = sum(map(int, re.findall(r"(\d+) more from", text)))
    assert counted + flood.SINGLY_ALTOGETHER == 800
    assert text.count("excess_rate") == flood.NAMED + 1


def test_a_day_of_refusals_leaves_room_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in must be found after hours of an attack, though files that rotate by size keep 100 MiB."""
    now = [1000.0]
    monkeypatch.setattr("applog.flood.time.monotonic", lambda: now[0])
    limit = flood.RefusalLimit()
    # What the worst record of a refusal takes, times four processes, is less than the ten old files of 10 MiB.
    request = RequestFactory().get("/" + "\U0001f600" * 2000, headers={"X-Request-ID": "x" * 128})
    values = {"name": "django.security.DisallowedHost", "msg": "\U0001f600" * 8000, "request": request}
    sizes = [len(made().format(logging.makeLogRecord(values)).encode()) for made in (TextFormatter, JsonFormatter)]
    assert max(sizes) * flood.SINGLY_A_DAY * (len(REFUSALS) + 1) * 4 < 11 * 10 * 1024 * 1024 / 2
    recorded = 0
    for _ in range(60 * 24):
        recorded += sum(not limit.is_over("authz_fail", f"192.0.2.{number % 20}") for number in range(200))
        now[0] += 60
    assert recorded == flood.SINGLY_A_DAY
    assert not limit.is_over("authn_login_fail", "192.0.2.1")
    now[0] += 60
    assert not limit.is_over("authz_fail", "192.0.2.1")


@pytest.mark.parametrize(
    ("error", "logger", "status"),
    [
        (SuspiciousOperation("bad host"), "django.security.DisallowedHost", 400),
        (PermissionDenied(), "django.request", 403),
    ],
)
def test_a_refusal_has_no_traceback(error: Exception, logger: str, status: int) -> None:
    """Nothing of the site's is wrong, and scanners ask all day long."""
    values = {"name": logger, "status_code": status, "msg": "refused " * 1000}
    values["exc_info"] = (type(error), error, None)
    text, line = (formatter().format(logging.makeLogRecord(values)) for formatter in (TextFormatter, JsonFormatter))
    assert "\n" not in text
    assert "exception.stacktrace" not in line
    assert "exception.type" in line
    assert len(text) < 1000
    assert len(line) < 2000


def test_who_made_a_change_is_said_by_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hides behind LOGNAME=alice would have alice blamed."""
    honest = system_user()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "alice")
    assert system_user() == honest != "alice"


SUSPICIONS: list[type[Exception]] = [SuspiciousOperation, *SuspiciousOperation.__subclasses__()]


def record_of(logger: str, status: int | None) -> logging.LogRecord:
    """Return a record as Django makes it."""
    return logging.makeLogRecord({"name": logger, "status_code": status})


@pytest.mark.parametrize(
    ("logger", "status", "event"),
    [
        ("django.request", 401, "authz_fail"),
        ("django.request", 403, "authz_fail"),
        ("django.request", 404, None),
        ("django.request", 500, None),
        ("django.server", 403, None),
        ("django.security.csrf", 403, "authz_fail"),
        ("django.security.SuspiciousSession", None, "input_validation_fail"),
        *((f"django.security.{cls.__name__}", 400, "input_validation_fail") for cls in SUSPICIONS),
        ("shop", 403, None),
    ],
)
def test_the_security_log_takes_what_concerns_security(logger: str, status: int | None, event: str | None) -> None:
    """What is missing there is not looked at; what does not belong there hides it."""
    record = record_of(logger, status)
    assert security_event(record) == event
    assert SecurityFilter().filter(record) is (event is not None)


BY_SIZE = {"class": "applog.handlers.SharedRotatingFileHandler"}


def configured(
    handler: dict[str, Any] | None = None,
    level: str | int = "INFO",
    security: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return LOGGING as where log files are on, with a root handler, a level and a security handler of the test's."""
    config = copy.deepcopy(settings.LOGGING)
    config["handlers"]["mine"] = {"filename": settings.LOGS_DIR / "mine.log"} | (handler or BY_SIZE)
    config["root"] = {"handlers": ["mine"], "level": level}
    config["loggers"]["django.security"] = security or {"handlers": ["security_file"]}
    return config


BY_TIME = {"class": "applog.handlers.SharedTimedRotatingFileHandler", "utc": True}
STANDARD = {"class": "logging.handlers.RotatingFileHandler"}
INDIA = "Asia/Kolkata"


@pytest.mark.parametrize(
    ("logging_settings", "changes", "ids"),
    [
        (configured(), {}, []),
        (configured({**BY_SIZE, "filename": settings.BASE_DIR / "manage.py" / "mine.log"}), {}, ["applog.W001"]),
        (configured(), {"STATIC_ROOT": settings.BASE_DIR}, ["applog.W002", "applog.W002"]),
        (configured(), {"MEDIA_ROOT": str(settings.LOGS_DIR)}, ["applog.W002", "applog.W002"]),
        (configured(STANDARD), {}, ["applog.W003"]),
        (configured(level="DEBUG"), {}, ["applog.W005"]),
        (configured(level=logging.DEBUG), {}, ["applog.W005"]),
        (configured(level=logging.INFO), {}, []),
        (configured(level="DEBUG"), {"DEBUG": True}, []),
        (configured(security={"handlers": ["console"]}), {}, ["applog.W006"]),
        (configured({**BY_SIZE, "handlers": ["security_file"]}, security={"level": "INFO"}), {}, []),
        (configured(BY_SIZE | {"handlers": ["security_file"]}, security={"propagate": False}), {}, ["applog.W006"]),
        (configured(BY_TIME | {"when": "midnight"}), {"TIME_ZONE": INDIA}, ["applog.W007"]),
        (configured(BY_TIME | {"when": "midnight"}), {"TIME_ZONE": "UTC"}, []),
        (configured(BY_TIME | {"when": "M"}), {"TIME_ZONE": INDIA}, []),
        (configured(), {"SECURE_PROXY_SSL_HEADER": ("A", "b")}, ["applog.W008"]),
        (configured(), {"SECURE_PROXY_SSL_HEADER": ("A", "b"), "TRUSTED_PROXY_COUNT": 1}, []),
    ],
)
def test_the_checks_say_what_is_wrong_with_the_log(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    logging_settings: dict[str, Any],
    changes: dict[str, Any],
    ids: list[str],
) -> None:
    """A log that is lost, served to strangers or misfiled is noticed when it is needed, and then it is too late."""
    monkeypatch.setattr(settings, "LOGGING", logging_settings)
    with override_settings(**({"LOG_FILES": "rotate", "LOGS_DIR": tmp_path} | changes)):
        found = [message for message in run_checks() if str(message.id).startswith("applog.")]
    assert [message.id for message in found] == ids
    assert all(message.hint for message in found)


def test_a_handler_for_unix_is_noticed_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it keeps the file from being renamed."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(settings, "LOGGING", configured({"class": "logging.handlers.WatchedFileHandler"}))
    monkeypatch.setattr(settings, "LOG_FILES", "rotate")
    assert [message.id for message in check_handlers()] == ["applog.W004"]


def test_a_folder_without_locks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise nobody knows why the log on a network drive never rotates."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("applog.rotation.process_lock._lock", refuse)
    monkeypatch.setattr(settings, "LOGGING", configured(BY_SIZE))
    monkeypatch.setattr(settings, "LOG_FILES", "rotate")
    assert {message.id for message in check_handlers()} == {"applog.W009"}
