"""Errors sent to Sentry, by its protocol: https://develop.sentry.dev/sdk/data-model/envelopes/."""

import gzip
import json
import os
import subprocess
import threading
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from servers import PRODUCTION, Server, fetch, free_port, wait_for

SECRET = "x7Kq9-secret"  # noqa: S105
VIEW = '''"""A page that fails."""

import logging

from django.db import connection
from django.http import HttpRequest


def broken(request: HttpRequest) -> None:
    """Fail, with secrets at hand."""
    password = request.POST["password"]
    logging.getLogger("shop").info("password=%s", password)
    logging.getLogger("shop").error("Authorization: Bearer %s", password)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT '{password}', %s", [password])
    raise ValueError(f"cannot sign in with password={password}")
'''
HIDDEN = """import runpy, sys
sys.modules["sentry_sdk"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
        self.server.envelopes.append((self.path, self.headers["X-Sentry-Auth"], body.decode()))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Print nothing."""


@contextmanager
def receiver():
    """Start a server on a free port, and yield a DSN for it and the list of the envelopes that it has got."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        server.envelopes = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://public@127.0.0.1:{server.server_address[1]}/7", server.envelopes
        finally:
            server.shutdown()


@pytest.mark.parametrize("django_version", ["5.2", "6.1"])
def test_an_error_arrives_once_and_without_secrets(bake, environment, django_version):
    """What the log keeps to itself must not leave the machine by another way."""
    project, python = bake(django_version=django_version), environment(django_version)
    (project / "pages" / "broken.py").write_text(VIEW, encoding="utf-8")
    urls = project / "config" / "urls.py"
    urls.write_text(
        urls.read_text(encoding="utf-8")
        + "\nfrom django.views.decorators.csrf import csrf_exempt\nfrom pages.broken import broken\n"
        "urlpatterns.insert(0, path('broken/', csrf_exempt(broken)))\n",
        encoding="utf-8",
    )
    with receiver() as (dsn, envelopes):
        env = {"SENTRY_DSN": dsn, "SENTRY_ENVIRONMENT": "test", "DEBUG": "true"}
        server = Server([python, "manage.py", "runserver", "--noreload", "127.0.0.1:8000"], project, env).wait()
        try:
            request = urllib.request.Request(  # noqa: S310  our own server
                f"{server.address}/broken/?token={SECRET}",
                data=urllib.parse.urlencode({"password": SECRET, "note": SECRET}).encode(),
                headers={"Authorization": f"Bearer {SECRET}", "Cookie": f"sessionid={SECRET}", "X-Api-Key": SECRET},
            )
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(request, timeout=30)  # noqa: S310
            wait_for(lambda: len(envelopes) > 1)
            assert fetch(f"{server.address}/", Host="evil.example.com")[0] == 400
        finally:
            server.terminate()
    events = []
    for path, auth, body in envelopes:
        assert path == "/api/7/envelope/"
        assert "sentry_key=public" in auth
        assert SECRET not in body
        _, header, payload = body.splitlines()[:3]
        assert json.loads(header)["type"] == "event"
        events.append(json.loads(payload))
    [logged, event] = events
    assert logged["logentry"]["message"] == "Authorization: ********"
    [error] = event["exception"]["values"]
    assert error["type"] == "ValueError"
    frame = error["stacktrace"]["frames"][-1]
    assert (frame["function"], "vars" in frame) == ("broken", False)
    log = (project / "logs" / "django.log").read_text(encoding="utf-8")
    assert f"[{event['tags']['request_id']}]" in log
    assert (event["environment"], event["request"]["method"]) == ("test", "POST")
    assert not event["request"].get("data")
    assert "cookies" not in event["request"]
    crumbs = event["breadcrumbs"]["values"]
    assert [crumb["message"] for crumb in crumbs if crumb["category"] == "query"][-1] == "SELECT ?, %s"


def test_without_a_dsn_nothing_is_imported_and_a_wrong_one_is_named(bake, environment):
    """An owner who does not use it pays nothing, and one who mistypes it is told."""
    project, python = bake(), environment("5.2")
    code = "import sys; sys.exit('sentry_sdk' in sys.modules)"

    def start(program, dsn):
        env = {**os.environ, **PRODUCTION, "SENTRY_DSN": dsn}
        command = [*program, "manage.py", "shell", "-c", code]
        return subprocess.run(command, cwd=project, env=env, capture_output=True, encoding="utf-8", check=False)

    assert start([python], "").returncode == 0
    wrong = start([python], "example.com")
    assert wrong.returncode != 0
    assert wrong.stderr.splitlines()[-1].startswith('Environment variable "SENTRY_DSN" must be like https://')
    hidden = project / "hidden.py"
    hidden.write_text(HIDDEN, encoding="utf-8")
    missing = start([python, hidden], f"http://public@127.0.0.1:{free_port()}/7")
    assert missing.returncode != 0
    assert 'is not installed; run "uv sync --group sentry"' in missing.stderr.splitlines()[-1]
