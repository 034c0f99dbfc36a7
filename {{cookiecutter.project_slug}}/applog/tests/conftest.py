"""What several tests share."""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from html import unescape
from http import HTTPStatus
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.http import HttpRequest
from django.test import Client
from django.urls import ResolverMatch, reverse

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_OURS = ("DATABASE_URL", "LOG_", "OTEL_")
Manage = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy the project without .env and logs, so that a test may start it and spoil its files."""
    copy = tmp_path / "project"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "db.sqlite3*", "logs", "node_modules", "staticfiles")
    shutil.copytree(ROOT, copy, ignore=left_out)
    (copy / "staticfiles").mkdir()
    return copy


@pytest.fixture
def manage(project: Path) -> Manage:
    """Return a function that runs manage.py of the copy, in a process of its own as its users do."""

    def run(*arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        variables = {
            # The developer's settings of the log, collector and database are not the tests'.
            **{name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)},
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONDEVMODE": "1",
            "PYTHONUTF8": "1",
            "PYTHONWARNINGS": "error",
            **environment,
        }
        return subprocess.run(
            [sys.executable, str(project / "manage.py"), *arguments],
            env={name: value for name, value in variables.items() if value is not None},
            cwd=project.parent,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run


class Site:
    """A log of the project in a folder of the test's, and what the command and the pages say of it."""

    def __init__(self, path: Path, client: Client) -> None:
        self.path, self.client = path, client
        path.parent.mkdir(exist_ok=True)

    def log(self, formatter: logging.Formatter, message: str, age: float = 0, **attributes: Any) -> None:
        """Log a record that is so many seconds old, by default an error of the logger "shop"."""
        given = {"name": "shop", "levelname": "ERROR", "levelno": logging.ERROR, "msg": message, **attributes}
        created = time.time() - age
        record = logging.makeLogRecord({**given, "created": created, "msecs": created % 1 * 1000})
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(formatter.format(record) + "\n")

    def log_request(self, formatter: logging.Formatter, path: str, status: int, duration: float, **more: Any) -> None:
        """Log the end of a request as the middleware does."""
        request = HttpRequest()
        request.method, request.path, request.path_info = more.pop("method", "GET"), path, path
        request.META["REMOTE_ADDR"] = "192.0.2.7"
        request.client_request_id = ""  # type: ignore[attr-defined]
        if route := more.pop("route", ""):
            request.resolver_match = ResolverMatch(lambda: None, (), {}, route=route)
        given = {"name": "applog.request", "levelname": "INFO", "levelno": logging.INFO, "request": request, **more}
        extra = {"duration_ms": duration, "status_code": status, **given}
        self.log(formatter, f"{request.method} {path} {status} in {duration} ms", **extra)

    def log_hostile(self, *formatters: logging.Formatter) -> None:
        """Log what strangers and broken programs write."""
        script = "<script>alert(1)</script>\u202e"
        for formatter in formatters:
            self.log(formatter, script, name=script, request_id=script)
            self.log(formatter, "x" * 1_000_000 + "\n2026-01-01T00:00:00.000Z ERROR shop [-] forged")
            fake: dict[str, Any] = {"user.id": script, "http.route": script, "exception.type": "Fake"}
            self.log(formatter, "fields", **fake)
            self.log_request(formatter, f"/{script}", 200, 5.0, route=script, method=script)
            self.log_request(formatter, "/", 200, float("inf"))
        with self.path.open("ab") as file:
            file.write(
                b'{"timestamp": "2026-11-25T00:00:00.000Z", "level": "ERROR", "logger": "applog.request", "message": '
            )
            file.write(b'"GET / 200 in 1.0 ms", "http.route": [[[1]]]}\n' + b"\xff\x00\n" * 9)
            file.write(b"y" * 3_000_000 + b"\n")
            file.write(b"2026-11-25T23:59:59.999+00:00 INFO applog.request [a] from b: GET /a in in in ms\n")

    def command(self, *arguments: str) -> str:
        """Return what the command prints."""
        output = StringIO()
        call_command("logs", *arguments, stdout=output, stderr=StringIO(), no_color=True)
        return output.getvalue()

    def found(self, *arguments: str) -> list[dict[str, Any]]:
        """Return what the command prints for programs."""
        return [json.loads(line) for line in self.command(*arguments, "--json").splitlines()]

    def page(self, name: str, status: int = 200, **query: str) -> str:
        """Return the page "errors", "requests" or "changelist"."""
        response = self.client.get(reverse(f"admin:applog_log_{name}"), query)
        assert response.status_code == status, response.content
        return response.text

    def follow(self, page: str, words: str) -> str:
        """Return the page that the first link leads to that has these words."""
        [address] = re.findall(rf'href="([^"]*)"[^>]*>{words}<', page)[:1]
        response = self.client.get(urljoin(reverse("admin:applog_log_errors"), unescape(address)))
        assert response.status_code == HTTPStatus.OK
        return response.text


@pytest.fixture(autouse=True)
def _english(settings: Any) -> None:
    """Have the log's words in English, whichever language the project has."""
    settings.LANGUAGE_CODE = "en-us"


@pytest.fixture
def site(tmp_path: Path, settings: Any, client: Client, db: None) -> Site:
    """Return a log, with a client that may read it."""
    handlers = settings.LOGGING["handlers"]
    path = tmp_path / "logs" / "django.log"
    names = {"file": path, "security_file": path.with_name("security.log")}
    moved = {name: {**handlers[name], "filename": file} for name, file in names.items()}
    settings.LOGGING = {**settings.LOGGING, "handlers": {**handlers, **moved}}
    from django.contrib.auth.models import Permission  # noqa: PLC0415  it needs the apps

    user = get_user_model().objects.create_user("reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(content_type__app_label="applog", codename="view_log"))
    client.force_login(user)
    return Site(path, client)
