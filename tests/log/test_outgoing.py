"""A trace through two services: what the README says of httpx and requests is followed, line by line."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import ROOT, run
from servers import PRODUCTION, InBackground, Server, fetch, stop

README = ROOT / "{{cookiecutter.project_slug}}" / "applog" / "README.md"
LINES = re.findall(r"^(?:httpx|requests)\..*$", README.read_text(encoding="utf-8"), re.MULTILINE)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

VIEW = """

import os

import applog
import httpx
import requests
from django.http import HttpResponse


def calls(request):
    url = os.environ["OTHER_SERVICE"]
{lines}
    return HttpResponse("called")


urlpatterns.append(path("calls/", calls))
"""


class OtherService(InBackground, ThreadingHTTPServer):
    """A service that remembers the headers of each request."""

    def __init__(self):
        """Listen."""
        self.received = []
        super().__init__(Answer)


class Answer(BaseHTTPRequestHandler):
    """What OtherService answers."""

    def do_GET(self):
        """Remember."""
        self.server.received.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def other_service():
    """Start the service that is called."""
    service = OtherService()
    yield service
    service.close()


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_a_trace_goes_on_to_the_next_service(bake, other_service, server):
    """One line that does not work, and each trace ends in this service."""
    assert len(LINES) == 2
    project = bake()
    urls = project / "config" / "urls.py"
    view = VIEW.format(lines="\n".join(f"    {line}" for line in LINES))
    urls.write_text(urls.read_text(encoding="utf-8") + view, encoding="utf-8")
    command = ["uv", "run", "--quiet", "--no-dev", "--with", "httpx", "--with", "requests", "--with", "hypercorn"]
    command += ["hypercorn", "--bind", "127.0.0.1:8000", f"config.{server}:application"]
    env = {**PRODUCTION, "LOG_FORMAT": "json", "OTHER_SERVICE": f"http://127.0.0.1:{other_service.port}/"}
    env |= {"SECURE_SSL_REDIRECT": "false", "ALLOWED_HOSTS": "127.0.0.1", "TRUSTED_PROXY_COUNT": "1", "VIRTUAL_ENV": ""}
    run("uv", "sync", "--quiet", "--no-dev", cwd=project, env={"VIRTUAL_ENV": ""})
    started = Server(command, project, env)
    try:
        started.wait()
        given = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1", "X_Request_ID": "first"}
        assert fetch(f"{started.address}/calls/", **given) == (200, "called")
        assert fetch(f"{started.address}/calls/", X_Request_ID="second") == (200, "called")
    finally:
        stop(started.process)
    passed_on = [
        {name: headers.get(name) for name in ("x-request-id", "traceparent", "tracestate")}
        for headers in other_service.received
    ]
    traced = {"x-request-id": "first", "traceparent": given["traceparent"], "tracestate": "vendor=1"}
    assert passed_on == [traced] * 2 + [{"x-request-id": "second", "traceparent": None, "tracestate": None}] * 2
    records = map(json.loads, (project / "logs" / "django.log").read_text("utf-8").splitlines())
    found = {record["request_id"]: (record.get("trace_id"), record.get("span_id")) for record in records}
    assert found["first"] == (TRACE, SPAN)
    assert found["second"] == (None, None)
