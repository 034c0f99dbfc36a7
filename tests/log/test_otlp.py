"""Records sent by OpenTelemetry's protocol, to two collectors that others wrote, and to some that fail."""

import base64
import json
import os
import re
import subprocess
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import ROOT, run
from servers import InBackground, fetch, free_port, is_open, wait_for

PROCESS = Path(__file__).parents[1] / "support" / "otlp_process.py"
# urllib3 leaves the connections of a closed pool to the garbage collector.
STRICT = ["-W", "error", "-W", "ignore::ResourceWarning"]


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a program, to be ended with the test, and waits for its port."""
    started = []

    def start_program(command, port, **environment):
        with (tmp_path / f"{port}.txt").open("w", encoding="utf-8") as output:
            program = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
        started.append(program)
        wait_for(lambda: is_open(port))

    yield start_program
    for program in started:
        program.kill()
        program.wait(60)


@pytest.fixture
def test_agent(tools, start):
    """Start Datadog's test agent, which keeps what it receives, and return its address."""
    python = tools("ddapm-test-agent>=1.69")
    port = free_port()
    command = [python.with_name("ddapm-test-agent"), "--port", str(free_port()), "--otlp-http-port", str(port)]
    start([*command, "--otlp-grpc-port", str(free_port())], port)
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def rotel(tools, start, test_agent):
    """Start rotel, a collector, which passes on to the test agent, and return its address."""
    python = tools("rotel>=0.0.1a15")
    code = "import pathlib, rotel; print(pathlib.Path(rotel.__file__).with_name('rotel-agent'))"
    agent = run(python, "-c", code, cwd=python.parent).strip()
    if subprocess.run([agent, "--help"], capture_output=True, check=False).returncode:
        pytest.skip("rotel needs libpython3.11")
    port = free_port()
    listen = ["--otlp-http-endpoint", f"127.0.0.1:{port}", "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}"]
    pass_on = ["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint", test_agent]
    start([agent, "start", *listen, *pass_on], port)
    return f"http://127.0.0.1:{port}"


class Collector(InBackground, ThreadingHTTPServer):
    """A collector of this test's own, which answers each request with a status after some seconds."""

    def __init__(self, port, status, seconds=0):
        """Listen."""
        self.status, self.seconds, self.requests = status, seconds, 0
        super().__init__(Answer, port)


class Answer(BaseHTTPRequestHandler):
    """What a Collector answers."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Take the records."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        time.sleep(self.server.seconds)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def project(bake, environment):
    """Return a project and the Python that runs it."""
    return bake(), environment("5.2")


def start_process(project, name, records, variables, **job):
    """Start a process of the project that logs; its console goes to a file beside the project."""
    folder, python = project
    command = [python, *STRICT, PROCESS, json.dumps({"name": name, "records": records, **job})]
    with (folder.parent / f"{name}.txt").open("w", encoding="utf-8") as console:
        return subprocess.Popen(
            command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=console
        )


def end_of(process, project, name="p0"):
    """Wait for a process, and return its slowest call and the end of its log, in seconds, and its console."""
    printed = process.communicate(timeout=60)[0].split()
    slowest, end = map(float, printed[:2] or (0, 0))
    console = (project[0].parent / f"{name}.txt").read_text(encoding="utf-8")
    assert process.returncode == 0, console[-2000:]
    assert "Traceback" not in console
    return slowest, end, console.splitlines()


def received(address):
    """Return what the test agent received: pairs of resource and record, attributes as a dict."""

    def flat(attributes):
        return {item["key"]: next(iter(item["value"].values())) for item in attributes}

    return [
        (flat(group["resource"]["attributes"]), {**record, "attributes": flat(record.get("attributes", []))})
        for request in json.loads(fetch(f"{address}/test/session/logs")[1])
        for group in request["resource_logs"]
        for scope in group["scope_logs"]
        for record in scope["log_records"]
    ]


@pytest.mark.parametrize("forked", [False, True])
@pytest.mark.parametrize("collector", ["test_agent", "rotel"])
def test_the_records_of_all_processes_arrive_once(project, test_agent, request, collector, forked):
    """Records of a server's workers that get lost, or arrive twice, make the collector's figures worthless."""
    if forked and not hasattr(os, "fork"):
        pytest.skip("Windows does not fork")
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": request.getfixturevalue(collector)}
    if forked:
        processes = [start_process(project, "p0", 1000, variables, forks=4, exit_seconds=30)]
        names = [f"p0-{number}" for number in range(4)]
    else:
        processes = [start_process(project, f"p{number}", 1000, variables, exit_seconds=30) for number in range(4)]
        names = [f"p{number}-0" for number in range(4)]
    for number, process in enumerate(processes):
        end_of(process, project, f"p{number}")
    expected = Counter(f"{name}-{number}" for name in names for number in range(1000))
    expected.update(["p0-parent"] if forked else [])
    found = Counter()

    def count():
        found.clear()
        found.update(record["body"]["string_value"] for _, record in received(test_agent))
        return found.total() >= expected.total()

    wait_for(count)
    assert found == expected


VIEW = """

import logging

from django.http import HttpResponse
from opentelemetry import trace


def order(request):
    span = trace.NonRecordingSpan(trace.SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=trace.TraceFlags(1)))
    with trace.use_span(span):
        extra = {"order.id": 7, "api_key": "s3cr3t", "items": [1, None, {"price": 2.5}], "request": request}
        try:
            raise ValueError("out of stock")
        except ValueError:
            logging.getLogger("shop.orders").exception("order %s", {"password": "s3cr3t"}, extra=extra)
    return HttpResponse("ordered")


urlpatterns.append(path("order/", order))
"""


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
def test_a_record_says_which_request_it_belongs_to(project, test_agent, start):
    """Whoever finds an error looks for what else happened in that request; nobody looks for a password."""
    folder, python = project
    urls = folder / "config" / "urls.py"
    urls.write_text(urls.read_text(encoding="utf-8") + VIEW, encoding="utf-8")
    port = free_port()
    server = [python, "-m", "gunicorn", "config.wsgi", "--preload", "--workers=2", "--chdir", folder]
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": test_agent,
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_SERVICE_NAME": "shop",
        "TRUSTED_PROXY_COUNT": "1",
    }
    start([*server, f"--bind=127.0.0.1:{port}"], port, **variables)
    for number in range(20):
        assert fetch(f"http://127.0.0.1:{port}/order/", X_Request_ID=f"r{number}") == (200, "ordered")

    def orders():
        return [(resource, record) for resource, record in received(test_agent) if "order {" in str(record["body"])]

    wait_for(lambda: len(orders()) >= 20)
    assert {record["attributes"]["request_id"] for _, record in orders()} == {f"r{number}" for number in range(20)}
    assert {resource["service.name"] for resource, _ in orders()} == {"shop"}
    assert all(int(resource["process.pid"]) for resource, _ in orders())
    _, record = orders()[0]
    assert "s3cr3t" not in json.dumps(received(test_agent))
    assert record["severity_number"] == "SEVERITY_NUMBER_ERROR"
    assert record["body"] == {"string_value": "order {'password': '********'}"}
    assert base64.b64decode(record["trace_id"]).hex() == f"{0xA1:032x}"
    assert base64.b64decode(record["span_id"]).hex() == f"{0xB2:016x}"
    attributes = record["attributes"]
    assert attributes["order.id"] == "7"
    assert attributes["http.request.method"] == "GET"
    assert attributes["url.path"] == "/order/"
    assert attributes["exception.type"] == "ValueError"
    assert attributes["exception.message"] == "out of stock"
    assert attributes["exception.stacktrace"].startswith("Traceback (most recent call last):")


TRACED = """
import time

from django.db import connection
from django.db.backends.signals import connection_created
from django.http import HttpResponse


def teach(connection, **_):
    connection.connection.create_function("nap", 1, lambda seconds: time.sleep(seconds))


connection_created.connect(teach)


def slow(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT nap(0.2) WHERE %s = 's3cr3t'", ["s3cr3t"])
    return HttpResponse("ordered")


urlpatterns.append(path("slow/", slow))
"""
README = ROOT / "{{cookiecutter.project_slug}}" / "applog" / "README.md"


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
def test_a_request_s_own_trace_and_its_slow_sql_reach_the_collector(project, test_agent, start):
    """A collector that puts records beside their trace needs the ids where its protocol has them, not as attributes."""
    folder, python = project
    urls = folder / "config" / "urls.py"
    urls.write_text(urls.read_text(encoding="utf-8") + TRACED, encoding="utf-8")
    port = free_port()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": test_agent,
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "LOG_SLOW_QUERY_MS": "150",
    }
    command = [python, "-m", "gunicorn", "config.wsgi", "--chdir", folder, f"--bind=127.0.0.1:{port}"]
    start(command, port, **variables)
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    assert fetch(f"http://127.0.0.1:{port}/slow/", traceparent=f"00-{trace}-{span}-01") == (200, "ordered")
    assert fetch(f"http://127.0.0.1:{port}/slow/") == (200, "ordered")

    def records():
        found = [record for _, record in received(test_agent) if record["attributes"].get("url.path") == "/slow/"]
        return sorted(found, key=lambda record: int(record["time_unix_nano"]))  # batches come in any order

    wait_for(lambda: len(records()) >= 4)
    traced, end, without, _ = records()
    for record in (traced, end):
        assert base64.b64decode(record["trace_id"]).hex() == trace
        assert base64.b64decode(record["span_id"]).hex() == span
        assert record["flags"] & 1
        assert not {"trace_id", "span_id", "trace_flags"} & record["attributes"].keys()
    assert not without.get("trace_id")
    assert traced["severity_number"] == "SEVERITY_NUMBER_WARN"
    assert traced["attributes"]["db.query.text"] == "SELECT nap(?) WHERE %s = ?"
    assert traced["attributes"]["code.file.path"] == str(urls)
    assert "s3cr3t" not in json.dumps(received(test_agent))
    known = set(re.findall(r"\| attribute `([a-z._-]+)` \|", README.read_text(encoding="utf-8")))
    assert {name for record in records() for name in record["attributes"]} <= known


IN_A_SPAN = """
import logging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("shop").start_as_current_span("order") as span:
    context = span.get_span_context()
    logging.getLogger("shop").info("%032x %016x", context.trace_id, context.span_id)
logging.getLogger("shop").info("outside")
"""


def test_a_record_in_a_file_knows_its_trace(project):
    """From a slow trace one wants to get to its records, and back, without a collector of logs too."""
    folder, python = project
    run(python, "manage.py", "shell", "-c", IN_A_SPAN, cwd=folder, env={"LOG_FORMAT": "json"})
    inside, outside = map(json.loads, (folder / "logs" / "django.log").read_text("utf-8").splitlines())
    assert f"{inside['trace_id']} {inside['span_id']}" == inside["message"]
    assert "trace_id" not in outside


def test_the_collector_gets_what_the_file_gets(project, test_agent):
    """Whoever sets a logger to DEBUG looks for its records where all records are."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": test_agent, "LOG_LEVELS": "shop=DEBUG,shop.orders=WARNING"}
    folder, python = project
    code = """import logging
for name in "shop", "other", "shop.orders":
    for level in 10, 20, 30:
        logging.getLogger(name).log(level, name)"""
    run(python, "manage.py", "shell", "-c", code, cwd=folder, env=variables)
    wait_for(lambda: received(test_agent))
    sent = [record["body"]["string_value"] for _, record in received(test_agent)]
    text = (folder / "logs" / "django.log").read_text("utf-8")
    written = [line.rpartition(" ")[2] for line in text.splitlines()]
    assert sent == written == ["shop"] * 3 + ["other"] * 2 + ["shop.orders"]


def test_what_the_export_itself_logs_is_not_exported(project, test_agent):
    """Each batch would make the next one: a site without visitors would send for ever."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": test_agent, "LOG_LEVEL": "DEBUG", "OTEL_BLRP_SCHEDULE_DELAY": "100"}
    _, _, console = end_of(start_process(project, "p0", 2, variables, linger=2), project)
    assert [line[-6:] for line in console] == ["p0-0-0", "p0-0-1"]
    wait_for(lambda: received(test_agent))
    assert [record["body"]["string_value"] for _, record in received(test_agent)] == ["p0-0-0", "p0-0-1"]


@pytest.mark.parametrize(
    ("status", "seconds", "reason"),
    [(None, 0, "Connection refused"), (200, 30, ""), (503, 0, "Service Unavailable"), (401, 0, "401")],
    ids=["dead", "slow", "overloaded", "without the right key"],
)
def test_a_collector_in_trouble_costs_one_warning(project, status, seconds, reason):
    """A site must not wait for its collector, nor fill its console because of it, nor refuse to end."""
    port = free_port()
    collector = Collector(port, status, seconds) if status else None
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "LOG_LEVEL": "DEBUG",
    }
    try:
        slowest, end, console = end_of(start_process(project, "p0", 5000, variables, linger=5), project)
    finally:
        if collector:
            collector.close()
    assert slowest < 1.4  # a call that waits for the collector takes the 3 s of its timeout
    assert end < 3  # with nothing but the timeout it would be one for each batch
    own = [line for line in console if "p0-0-" not in line]
    assert len(own) == 1, own
    assert "WARNING applog.otlp [-] Records do not reach the OpenTelemetry collector" in own[0]
    assert reason in own[0]
    assert len(console) == 5001
    # The warning's own thread may write it to the console before another thread's record, and to the file after it.
    logged = (project[0] / "logs" / "django.log").read_text(encoding="utf-8").splitlines()
    assert logged.count(own[0]) == 1
    assert [line for line in logged if line != own[0]] == [line for line in console if line != own[0]]


def test_a_process_ends_in_time_whatever_its_collector_does(project):
    """Each deployment would wait for a timeout of ten seconds for each batch."""
    port = free_port()
    collector = Collector(port, 200, 30)
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    try:
        _, end, console = end_of(start_process(project, "p0", 1500, variables), project)
    finally:
        collector.close()
    assert end < 3
    [warning] = [line for line in console if "p0-0-" not in line]
    assert warning.endswith("Logging ends, or is set up anew, before they are sent.")


def test_a_collector_that_is_back_is_told_of(project):
    """Who reads of an outage wants to read of its end."""
    port = free_port()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
    }
    # The first batches of 512 fail at once; those of the next two seconds are sent later.
    process = start_process(project, "p0", 5000, variables, linger=3)
    log = project[0] / "logs" / "django.log"
    wait_for(lambda: log.exists() and "WARNING applog.otlp" in log.read_text(encoding="utf-8"))
    collector = Collector(port, 200)
    try:
        own = [line for line in end_of(process, project)[2] if "p0-0-" not in line]
    finally:
        collector.close()
    assert collector.requests >= 1
    assert len(own) == 2, own
    assert "INFO applog.otlp [-] Records reach the OpenTelemetry collector again" in own[1]


def test_nothing_of_it_is_loaded_where_no_collector_is_named(project):
    """Whoever needs none of it must not pay for it."""
    code = "import sys, django; django.setup(); print([m for m in sys.modules if 'opentelemetry' in m or 'otlp' in m])"
    folder, python = project
    for variables in ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_SERVICE_NAME": "shop"}):
        settings = {"DJANGO_SETTINGS_MODULE": "config.settings", **variables}
        assert run(python, "-c", code, cwd=folder, env=settings) == "[]\n"


def test_a_missing_package_is_named_by_the_command_that_installs_it(bake):
    """An ImportError's traceback does not say which of a thousand packages to install."""
    project = bake()
    run("uv", "sync", "--quiet", "--no-default-groups", cwd=project)
    variables = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(
        ["uv", "run", "--no-sync", "manage.py", "check"],
        cwd=project, capture_output=True, encoding="utf-8", check=False,
        env={**variables, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:4318/v1/logs"},
    )  # fmt: skip
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    command = sentence.partition('run "')[2].partition('"')[0]
    assert command == "uv sync --group otlp"
    run(*command.split(), "--quiet", cwd=project)
    run("uv", "run", "manage.py", "check", cwd=project, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(project, name, value):
    """A collector that is never reached because of a typing error is noticed only when its records are needed."""
    folder, python = project
    done = subprocess.run(
        [python, "manage.py", "check"],
        cwd=folder, capture_output=True, encoding="utf-8", check=False,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", name: value},
    )  # fmt: skip
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith(f'Environment variable "{name}" invalid: ')
