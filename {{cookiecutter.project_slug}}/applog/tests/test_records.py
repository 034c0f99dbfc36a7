"""A record's way: from the request through the formatters, as text and as JSON."""

import asyncio
import json
import logging
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from io import StringIO
from types import SimpleNamespace
from typing import Any, NamedTuple

import django
import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from django.views.decorators.debug import sensitive_variables

from applog import bind, secret_names, secret_text
from applog.flood import FloodFilter
from applog.formatters import JsonFormatter, TextFormatter
from applog.secret_names import own_words

logger = logging.getLogger("shop")
PATTERN = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d) (?P<level>\S+) (?P<logger>\S+) "
    r"\[(?P<request_id>[^\]\s]+)\] (?P<message>.*)"
)
FORGED = "x\n2026-01-01T00:00:00.000+00:00 INFO shop [-] forged\r\x1b[31m\x1b[2K\u2028\u2029\x85\u202e\x00\x7f"
ESCAPED = r"x\n2026-01-01T00:00:00.000+00:00 INFO shop [-] forged\r\x1b[31m\x1b[2K\u2028\u2029\x85\u202e\x00\x7f"


def outcome(_: HttpRequest, what: str) -> HttpResponse:
    """Answer in the way that the address asks for."""
    logger.info("in the view")
    if what == "broken":
        raise ZeroDivisionError(FORGED)
    if what == "denied":
        raise PermissionDenied
    if what == "missing":
        raise Http404
    if what == "bound":
        bind(order_id=7, duration_ms="none")
        return HttpResponse()
    return HttpResponse(status=int(what))


async def slow(_: HttpRequest, name: str) -> HttpResponse:
    """Log, let others go first, and log again."""
    for _step in range(3):
        logger.info("async %s", name)
        await asyncio.sleep(0.01)
    return HttpResponse("ok")


def broken_parts() -> Iterator[bytes]:
    """Fail half-way."""
    yield b"x"
    raise ZeroDivisionError("half-way")  # noqa: EM101


async def broken_parts_async() -> AsyncIterator[bytes]:
    """Fail half-way."""
    for part in broken_parts():
        yield part


urlpatterns = [
    path("stream", lambda _: StreamingHttpResponse(broken_parts())),
    path("async-stream", lambda _: StreamingHttpResponse(broken_parts_async())),
    path("async/<name>", slow),
    path("<what>", outcome),
]


class Log(StringIO):
    """What was logged."""

    def lines(self) -> list[str]:
        """Return the lines so far."""
        return self.getvalue().split("\n")[:-1]

    def records(self) -> list[dict[str, Any]]:
        """Return the records of a log in JSON so far."""
        return [json.loads(line, parse_constant=pytest.fail) for line in self.lines()]


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    """Log everything as text, or as the formatter that the test asks for."""
    log = Log(newline="\n")
    handler = logging.StreamHandler(log)
    handler.setFormatter(getattr(request, "param", TextFormatter)())
    logging.getLogger().addHandler(handler)
    with override_settings(ROOT_URLCONF=__name__):
        yield log
    logging.getLogger().removeHandler(handler)


as_json = pytest.mark.parametrize("log", [JsonFormatter], indirect=True)


@pytest.fixture
def visitor() -> Client:
    """Return a client that gets an answer where a view fails."""
    return Client(raise_request_exception=False)


def test_fields_in_text_are_those_that_are_bound(log: Log) -> None:
    """Whoever reads the text log must know where a field has gone."""
    with bind(order_id=7):
        logger.info("paid", extra={"given": "by extra"})
    assert log.getvalue().endswith("paid order_id=7\n")


@pytest.mark.parametrize("what", ["200", "404", "500", "missing", "denied", "broken"])
def test_each_record_of_a_request_has_its_id(log: Log, visitor: Client, what: str, settings: Any) -> None:
    """Without it nobody finds out which of a hundred requests has failed; Django logs errors after the middleware."""
    settings.TRUSTED_PROXY_COUNT = 1
    response = visitor.get(f"/{what}?token=hidden", headers={"X-Request-ID": "from.the-proxy_1"})
    logger.info("after it")
    *served, after = [match for match in map(PATTERN.fullmatch, log.lines()) if match]
    assert response.headers["X-Request-ID"] == "from.the-proxy_1"
    assert {match["request_id"] for match in served} == {"from.the-proxy_1"}
    assert after["request_id"] == "-"
    [end] = [match["message"] for match in served if match["logger"] == "applog.request"]
    assert re.fullmatch(rf"from 127\.0\.0\.1: GET /{what} {response.status_code} in \d+\.\d ms", end)
    assert any(match["logger"] == "django.request" for match in served) == (response.status_code >= 400)
    assert "hidden" not in log.getvalue()


@pytest.mark.parametrize("given", ["", "-", ".", "a b", "x" * 129, "forged]", "<script>", "é"])
def test_an_id_that_is_not_well_formed_is_replaced(log: Log, visitor: Client, given: str) -> None:
    """A stranger's header must not forge a record, and no request may go without an id."""
    with override_settings(TRUSTED_PROXY_COUNT=1):
        response = visitor.get("/200", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])
    assert f"[{response.headers['X-Request-ID']}] from 127.0.0.1: GET /200 200" in log.getvalue()


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
def test_an_id_that_a_client_chose_is_kept_beside_the_request_s_own(log: Log, visitor: Client) -> None:
    """Without a proxy anybody could give their requests the id of somebody else's."""
    first, second = (visitor.get("/200", headers={"X-Request-ID": "theirs"}) for _ in range(2))
    assert len({first.headers["X-Request-ID"], second.headers["X-Request-ID"], "theirs"}) == 3
    assert log.getvalue().count("theirs") >= 2
    assert "[theirs]" not in log.getvalue()
    assert '"request_id": "theirs"' not in log.getvalue()


async def serve_side_by_side() -> None:
    """Have ten requests served at once."""
    names = [f"n{number}" for number in range(10)]
    await asyncio.gather(*(AsyncClient().get(f"/async/{name}", headers={"X-Request-ID": name}) for name in names))


def test_requests_side_by_side_keep_their_ids(log: Log) -> None:
    """Async views take turns in one thread: an id kept in the wrong place would go to the neighbour."""
    with override_settings(TRUSTED_PROXY_COUNT=1):
        asyncio.run(serve_side_by_side())
    steps = re.findall(r"\[(\w+)\] async (\w+)$", log.getvalue(), re.MULTILINE)
    assert len(steps) == 30
    assert all(request_id == name for request_id, name in steps)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "6.6.6.6", "127.0.0.1"),
        (1, "6.6.6.6, 2001:db8::1", "2001:db8::1"),
        (2, "6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4"),
        (2, "6.6.6.6", "127.0.0.1"),
        (1, "1.2.3.4", "1.2.3.4"),
        (1, "1.2.3.4:5678", "1.2.3.4"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "::ffff:1.2.3.4", "1.2.3.4"),
        (1, "6.6.6.6, x (from 1.1.1.1", "127.0.0.1"),
        (1, "fe80::1%x) forged", "127.0.0.1"),
    ],
)
def test_a_client_s_address_is_believed_as_far_as_configured(
    log: Log, visitor: Client, proxies: int, forwarded: str, address: str
) -> None:
    """Whoever attacks could otherwise choose the address that is blamed."""
    with override_settings(TRUSTED_PROXY_COUNT=proxies):
        visitor.get("/200", headers={"X-Forwarded-For": forwarded})
    assert f"] from {address}: GET" in log.lines()[-1]


def test_nothing_a_stranger_sends_looks_like_who_sent_it(log: Log) -> None:
    """A filter that bans addresses would ban whom the attacker names."""
    stranger = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for forged in ("] from 6.6.6.6 by user 1: x", "(from 6.6.6.6 by user 1)"):
        for headers in ({}, {"Origin": f"https://x {forged}"}, {"Referer": f"https://x/{forged}?token=hidden"}):
            stranger.post(f"/200/{forged}", headers=headers, secure="Referer" in headers)
            stranger.post("/200", headers=headers, secure="Referer" in headers)
    lines = log.lines()
    assert len(lines) > 12
    front = re.compile(r"\S+ \S+ \S+ \[[0-9a-f]{32}\] (authz_fail )?from 127\.0\.0\.1: ")
    assert [line for line in lines if not front.match(line)] == []
    assert "hidden" not in log.getvalue()
    assert "/200/] from" not in log.getvalue()


def test_nothing_that_is_logged_forges_a_line(log: Log) -> None:
    """Whoever reads the log must be able to believe that each line was written by the project."""
    logging.addLevelName(25, "TWO WORDS")
    logger.log(25, "%s", FORGED, extra={"request_id": FORGED})
    logging.getLogger(f"a {FORGED}").info("hello")
    first, second = map(PATTERN.fullmatch, log.lines())
    assert first
    assert first.group("level", "request_id", "message") == (r"TWO\x20WORDS", "-", ESCAPED)
    assert second
    assert second["logger"] == rf"a {ESCAPED}".replace(" ", r"\x20")


def fail(text: str = FORGED) -> None:
    """Raise an error that another one caused."""
    try:
        dict[int, int]().pop(1)
    except KeyError as error:
        raise ValueError(text) from error


def test_nothing_that_is_logged_is_invisible(log: Log) -> None:
    """What cannot be seen, or covers other lines, hides what somebody has done; a letter's own accents stay."""
    hidden = "\u3164\u115f\u2800\u034f\ufe0f\U000e0100" + "a" + "\u0301" * 300
    logger.info("é e\u0301 %s", hidden)
    [line] = log.lines()
    assert not set(hidden[:6]) & set(line)
    assert line.count("\u0301") == 1
    assert r"\u3164\u115f\u2800\u034f\ufe0f\U000e0100a\u0301\u0301" in line


def test_a_traceback_is_kept_and_told_from_records(log: Log) -> None:
    """Without the traceback nobody finds the error, and its text may come from a stranger."""
    try:
        fail()
    except ValueError:
        logger.exception("failed", stack_info=True)
    first, *below = log.lines()
    assert PATTERN.fullmatch(first)
    assert all(line.startswith("    ") and line.isprintable() for line in below)
    assert f"    ValueError: {ESCAPED}" in below
    assert "    KeyError: 1" in below
    assert "    Stack (most recent call last):" in below


def test_an_error_that_says_nothing_but_a_line_end_keeps_its_traceback(log: Log) -> None:
    """All of it in one line is hard to read."""
    try:
        fail("\n")
    except ValueError:
        logger.exception("failed")
    assert log.lines()[1] == "    Traceback (most recent call last):"


CYCLE: dict[str, Any] = {}
CYCLE["again"] = CYCLE


class Thing:
    """An object whose repr says too much."""

    def __repr__(self) -> str:
        return "hidden"


class Nowhere(tzinfo):
    """A time zone that does not know where it is."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        """Fail."""
        raise LookupError

    dst = utcoffset

    def tzname(self, _: datetime | None) -> str:
        """Fail."""
        raise LookupError


@as_json
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\xff\x00", "\\xff\x00"),
        (float("nan"), "nan"),
        ([float("-inf")], ["-inf"]),
        (CYCLE, {"again": "..."}),
        ("\ud800", "\\ud800"),
        (10**100, hex(10**100)),
        ({(1, 2): {"inner": None}}, {"[1, 2]": {"inner": None}}),
        (Thing(), f"{__name__}.Thing"),
        (Decimal("1.10"), "1.10"),
        (time(12, tzinfo=Nowhere()), "datetime.time"),
        ("é" * 1_000_000, "é" * 4000 + "... (996,000 characters more)"),
    ],
    ids=["bytes", "nan", "inf", "cycle", "surrogate", "huge", "keys", "object", "decimal", "time", "megabyte"],
)
def test_whatever_is_logged_is_json(log: Log, value: object, expected: object) -> None:
    """A line that does not parse is one that no collector takes, and often stops it."""
    logger.info("value", extra={"value": value, "level": "mine"})
    [record] = log.records()
    assert record["value"] == expected
    assert (record["level"], record["extra.level"]) == ("INFO", "mine")
    assert log.getvalue().isascii()


@as_json
@pytest.mark.parametrize("value", [float("nan"), Thing(), {"password": "hidden"}, CYCLE])
def test_trace_ids_are_whatever_a_library_puts_there(log: Log, value: object) -> None:
    """They come as extra fields too, and must neither break the line nor tell a secret."""
    logger.info("traced", extra={"trace_id": value, "span_id": value})
    assert len(log.records()) == 1
    assert "hidden" not in log.getvalue()


class MoodyError(Exception):
    """An exception that says something else each time."""

    said = 0

    def __str__(self) -> str:
        """Return the text, longer by a line each time."""
        self.said += 1
        return "\nRuntimeError: forged" * self.said


def errors() -> Iterator[Exception]:
    """Yield exceptions that hold a stranger's lines in each place that there is."""
    forged = "x\nRuntimeError: forged"
    yield ValueError(forged)
    yield MoodyError()
    noted = ValueError("x")
    noted.add_note(forged)
    yield noted
    yield ExceptionGroup(forged, [ValueError(forged), noted])
    yield SyntaxError(forged, (forged, 1, 1, forged))
    caused = ValueError("x")
    caused.__cause__ = KeyError(forged)
    yield caused


@pytest.mark.parametrize("error", list(errors()), ids=["text", "changing", "note", "group", "syntax", "cause"])
@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
def test_no_exception_draws_lines_of_its_own(log: Log, error: Exception) -> None:
    """Who reads a traceback believes each of its lines."""
    try:
        raise error  # noqa: TRY301
    except Exception:
        logger.exception("failed")
    text = log.getvalue()
    lines = json.loads(text)["exception.stacktrace"].split("\n") if text.startswith("{") else text.split("\n")
    assert any("forged" in line for line in lines)
    assert not any(line.strip(" |+-").startswith("RuntimeError") for line in lines)


@as_json
def test_names_of_the_log_cannot_be_imitated(log: Log, rf: RequestFactory) -> None:
    """A rule that looks for `event` must not fire for a body that somebody has sent."""
    names = ("event", "client.address", "user.id", "url.path", "http.response.status_code", "exception.type")
    forged = dict.fromkeys(names, "forged")
    logger.info(forged)
    logger.info("hello", extra={**forged, "request": rf.get("/real")})
    for record in log.records():
        assert {name: value for name, value in record.items() if value == "forged"} == {
            f"extra.{name}": "forged" for name in names
        }
    assert log.records()[1]["url.path"] == "/real"


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
def test_nothing_is_longer_than_some_kilobytes(log: Log) -> None:
    """Records of a megabyte fill a disk within the hour, and whoever wrote them is a stranger."""
    many = [str(number) * 100 for number in range(20_000)]
    logger.info("x" * 1_000_000, extra={"field": "y" * 1_000_000, "many": many})
    try:
        raise KeyError("z" * 1_000_000)  # noqa: TRY301
    except KeyError:
        logger.exception("\x80" * 1_000_000)
    assert all(len(line) < 200_000 for line in log.lines())
    assert "x... (996,000 characters more)" in log.getvalue()
    assert "characters are left out]" in log.getvalue()


def test_a_message_that_cannot_be_written_costs_no_record() -> None:
    """The standard library would print its arguments on stderr, secrets among them."""
    record = logging.makeLogRecord({"name": "shop", "msg": UnprintableError(), "args": ({"password": "hidden"}, 1)})
    line = TextFormatter("{message} {name}").format(record)
    assert "UnprintableError (ZeroDivisionError)" in line
    assert "hidden" not in line


class UnprintableError(MoodyError):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        """Fail."""
        raise ZeroDivisionError


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
def test_what_is_nested_deeply_is_cut(log: Log) -> None:
    """A tree that a stranger has sent must not stop the log, nor hide a password at its end."""
    tree: dict[str, Any] = {"password": "hidden"}
    for _ in range(200):
        tree = {"branch": [tree]}
    logger.info("tree %s", tree, extra={"tree": tree})
    assert "..." in log.getvalue()
    assert log.getvalue().count("branch") < 40
    assert "hidden" not in log.getvalue()


@as_json
def test_an_active_trace_is_named(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace leads from a slow request to its records only if they have its ids."""
    context = SimpleNamespace(is_valid=True, trace_id=0xABC, span_id=0xDEF)
    span = SimpleNamespace(get_span_context=lambda: context)
    # Stands in for OpenTelemetry, which need not be installed.
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", SimpleNamespace(get_current_span=lambda: span))
    logger.info("traced")
    context.is_valid = False
    logger.info("not traced")
    traced, other = log.records()
    assert (traced["trace_id"], traced["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert "trace_id" not in other


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_arguments_that_do_not_fit_cost_no_record_and_no_secret(formatter: type[logging.Formatter]) -> None:
    """A mistake in a call for the log shows up on the day when the record is needed."""
    record = logger.makeRecord("shop", logging.INFO, "", 0, "%d items", ({"password": "s3cret"},), None)
    line = formatter().format(record)
    assert "%d items" in line
    assert "s3cret" not in line


@as_json
def test_json_has_the_names_that_collectors_know(log: Log, visitor: Client) -> None:
    """Dashboards and alerts are built on names."""
    with override_settings(TRUSTED_PROXY_COUNT=1):
        visitor.get("/broken?token=hidden", headers={"X-Request-ID": "one"})
    record = next(record for record in log.records() if record["logger"] == "django.request")
    assert list(record)[:5] == ["timestamp", "level", "logger", "message", "request_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])
    assert record["exception.stacktrace"].startswith("Traceback (most recent call last):\n")
    assert record["exception.message"] == FORGED
    known = {"request_id", "http.request.method", "url.path", "http.response.status_code", "client.address"}
    assert {key: record[key] for key in known | {"exception.type"}} == {
        "request_id": "one",
        "http.request.method": "GET",
        "url.path": "/broken",
        "http.response.status_code": 500,
        "client.address": "127.0.0.1",
        "exception.type": "ZeroDivisionError",
    }
    assert isinstance(record["process.pid"], int)
    assert record["service.name"]
    assert "request" not in record
    assert "hidden" not in log.getvalue()


CARD = "4111 1111"
SECRETS = {
    "password": "s3cret",
    "apiKey": "s3cret",
    "X-Auth-Token": "s3cret",
    "nested": [{"HTTP_COOKIE": "s3cret", "sessionid": ["s3cret"], "Authorization": b"s3cret"}],
}


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
def test_secrets_stay_out(log: Log) -> None:
    """A log is read by more people than may know a password."""
    logger.info("%s", SECRETS)
    logger.info("%(password)s of %(author)s", {**SECRETS, "author": "Ann"})
    logger.info("%s and %s", 1, [SECRETS])
    logger.info(SECRETS)
    logger.info("extra", extra=SECRETS | {"queue": deque([SECRETS]), "author": "Ann", "has_password": True})
    text = log.getvalue()
    assert "s3cret" not in text
    assert text.count("********") >= 5
    assert "of Ann" in text


class Key(Enum):
    """A key of a mapping."""

    SECRET = "password"  # noqa: S105  the name of one


class Account(NamedTuple):
    name: str
    password: str


@dataclass
class Login:
    """Somebody's."""

    name: str
    password: str


@dataclass
class Repr:
    """Somebody's, too."""

    name: str
    digits: str = field(repr=False)


HIDDEN = "s3cret-Value"
CONTAINERS = [
    deque([{"password": HIDDEN}]), {"password": HIDDEN}.items(), {Key.SECRET: HIDDEN}, {("user", "password"): HIDDEN},
    Login("ann", HIDDEN), Account("ann", HIDDEN), [Account("ann", HIDDEN)], SimpleNamespace(password=HIDDEN),
    [("Authorization", f"Basic {HIDDEN}"), ("Accept", "*")], {"headers": [(b"x-key", HIDDEN.encode()), (b"a", b"b")]},
    [["cookie", HIDDEN]], ["mysql", "--password", HIDDEN], {"name": "password", "value": HIDDEN},
    {"HTTP_REFERER": f"https://x/?code={HIDDEN}"}, {"Referer": f"https://x/?{HIDDEN}"}, {"QUERY_STRING": f"a={HIDDEN}"},
    {"query_string": f"a={HIDDEN}".encode()}, {"http.query": f"a={HIDDEN}"}, {"DATABASE_URL": f"postgres://ann:{HIDDEN}@db/x"},
    [["X-Api-Key", HIDDEN], None], {"meta": {"RAW_URI": f"/cb/?code={HIDDEN}"}}, Repr("ann", HIDDEN),
    {"certificate": HIDDEN, "cvv": HIDDEN, "ssn": HIDDEN, "salt": HIDDEN, "authn": HIDDEN, "api": HIDDEN},
    ValueError({"password": HIDDEN}), {"a": f"token={HIDDEN}"}, {"body": f'{{"password": "{HIDDEN}"}}'.encode()},
]  # fmt: skip


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
@pytest.mark.parametrize("value", CONTAINERS, ids=repr)
def test_secrets_stay_out_of_every_container(log: Log, value: Any) -> None:
    """Whoever logs a list of headers, or a dataclass, does not think of what is in it."""
    logger.info("got %s", value)
    logger.info("got %r and %s", value, 1)
    logger.info("given", extra={"given": value, "all": [value, (value,)]})
    assert HIDDEN not in log.getvalue()


TEXTS = [
    "postgresql://app:§@db:5432/x", "postgis://app:a@b/§@h/x", "redis://:§@h", "redis://:12345/§@h",
    "smtp://ann@example.com:§@mail.host:25", "postgres://app@srv:§'x@srv.example.com/x",
    "Authorization: Bearer §", "authorization: Basic §", "Authorization: ApiKey §", "Proxy-Authorization: Negotiate §",
    "Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=§", "Cookie: theme=x; remember_me=§", "X-Api-Key: §",
    "['-H', 'Authorization: ApiKey §', 'x']",
    '{"password": "§", "a": 1}', '{"password":  "§"}', "{'a': \"{'password': '§'}\"}", '{\\"password\\": \\"§\\"}',
    "{'password': {'a': {'b': 'c'}, 'd': '§'}}", "'passwords': ['§', '§']", "{'token': UUID('§')}",
    "user=a&password=§", "user[password]=§", "d['password'] = '§'", "DB_PASSWORD=§", "DB_PASSWORD: §", "api_key: §",
    "--password=§", "mysql --password §", "['mysql', '--password', '§']", "['--password=§']", '--password "right §"',
    "['mysql', '--password', 'a,§']", "Login(name='ann', password='§')", "Login(password=b'§')", "Login(key='§')",
    "creds=Login(a='§')", "GET /x/?a=1&token=§", "/x?key=§", 'token: "§"', "api_key = §",
    "-----BEGIN PRIVATE KEY-----\n§\n-----END PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\n§",
]  # fmt: skip


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
@pytest.mark.parametrize("text", TEXTS)
def test_secrets_stay_out_of_text(log: Log, text: str) -> None:
    """Errors of databases and of commands quote what they were given."""
    text = text.replace("§", HIDDEN)
    logger.info(text)
    logger.info("got %s", text, extra={"given": text})
    error = RuntimeError(text)
    error.add_note(text)
    logger.error("failed", exc_info=error)
    assert HIDDEN not in log.getvalue()
    assert "********" in log.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "sort key=name", "order=17 total=3", "max_tokens=512", "Invalid token: it has expired", "has_password=True",
        "password=None", "secretary=ann", "https://host:8000/@ann", "10:30:00", "sorted(rows, key=len)",
        "token_type=bearer", "pass-through: enabled", "key-value: store", "docker://nginx:1.25@sha256:abc",
        "http://[::1]:8000/x@y", "=x and the password ", "if token == 'x'", "encryption=on", "-" * 3000,
    ],
)  # fmt: skip
def test_text_that_only_sounds_like_a_secret_is_kept(log: Log, text: str) -> None:
    """A log full of asterisks is not read."""
    logger.info(text)
    assert log.getvalue().endswith(f"] {text}\n")


def test_looking_for_secrets_changes_nothing(log: Log) -> None:
    """A page of a paginator would query the database, and a buffer of a file would take seconds."""

    class Rows(Sequence[int]):
        def __len__(self) -> int:  # noqa: PLE0303
            pytest.fail("counted")

        def __getitem__(self, _: Any) -> Any:
            pytest.fail("read")

        def __repr__(self) -> str:
            return "rows"

    logger.info("%s %s", Rows(), 1, extra={"given": Rows(), "buffer": memoryview(bytes(5_000_000))})
    assert "rows 1" in log.getvalue()


def test_what_another_formatter_has_made_of_an_exception_is_not_used(log: Log) -> None:
    """It has the secrets that ours leaves out."""
    error = ValueError(f"password={HIDDEN}")
    values = {"name": "shop", "msg": "failed", "exc_info": (ValueError, error, None)}
    record = logging.makeLogRecord(values)
    assert HIDDEN in logging.Formatter().format(record)
    handed_on = logging.makeLogRecord(vars(record) | {"exc_info": None})  # as by a QueueHandler
    for formatter in (TextFormatter(), JsonFormatter()):
        for each in (record, handed_on):
            line = formatter.format(each)
            assert HIDDEN not in line
            assert "ValueError" in line


def test_a_note_that_fails_costs_no_record(log: Log) -> None:
    """The record is what is left of the error."""

    class Failing:
        def __str__(self) -> str:
            raise RuntimeError

    error = ValueError("x")
    error.__notes__ = [Failing()]  # type: ignore[list-item]
    logger.error("failed", exc_info=error)
    assert "ValueError: x" in log.getvalue()


def test_an_owner_adds_words_of_secrets(log: Log, settings: Any) -> None:
    """Only the owner knows what is secret in their trade; editing the list would conflict with each update."""
    settings.LOG_REDACT = ["badgeNumber", "bank code", "key"]
    caches = (own_words, secret_names._names_secret, secret_text._secret_at_end)
    for cached in caches:
        cached.cache_clear()
    try:
        logger.info("%s badge_number=%s", {"staff_badge_number": HIDDEN, "bank_code": HIDDEN}, HIDDEN)
        logger.info("key=%s", HIDDEN)
    finally:
        for cached in caches:
            cached.cache_clear()
    assert HIDDEN not in log.getvalue()


def test_a_stream_that_breaks_is_logged(log: Log, visitor: Client) -> None:
    """Its status was sent and logged before, and is 200."""

    async def read() -> None:
        async for _ in await AsyncClient().get("/async-stream"):  # type: ignore[attr-defined]
            pass

    with pytest.raises(ZeroDivisionError):
        visitor.get("/stream").getvalue()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(read())
    for address in ("/stream", "/async-stream"):
        assert re.search(
            rf"ERROR django.request \[\w+\] from 127.0.0.1: Streaming broke off: {address}$",
            log.getvalue(),
            re.MULTILINE,
        )
    assert log.getvalue().count("    ZeroDivisionError: half-way") == 2


COUNTS = {
    "max_tokens": 512,
    "tokenizer": "cl100k",
    "secretary": "Ann",
    "s3_key": "img/1.png",
    "sort_key": "price",
    "idempotency_key": "a1",
    "session_count": 3,
    "cookie_banner": "shown",
    "csrf_ok": "yes",
}
NUMBERS = {"pin": 1234, "otp": 123456, "login_token": 123456, "api_key": 987654, "session_id": 42, "tokens": ["s3cret"]}


def test_what_only_sounds_like_a_secret_is_kept(log: Log) -> None:
    """A log that hides how many tokens were paid for, or which file was read, has to be doubted everywhere."""
    logger.info("%s", COUNTS)
    assert "********" not in log.getvalue()
    logger.info("%s", NUMBERS)
    assert log.getvalue().count("********") == len(NUMBERS)


@pytest.mark.parametrize(
    ("fmt", "line"),
    [
        ("{message}", "hello"),
        ("{levelname} {message!r}", "INFO 'hello'"),
        ("{levelname:>8}|{message}", "    INFO|hello"),
        ("{name:{width}}|{message}", "shop   |hello"),
        ("{message:{width}}|", "hello  |"),
        ("{args[0]} {name}", "hello shop"),
    ],
)
def test_a_format_of_the_owner_s_is_filled_in(fmt: str, line: str) -> None:
    """TextFormatter takes what logging.Formatter takes."""
    fields = {"name": "shop", "levelname": "INFO", "msg": "%s", "args": ("hello",), "width": 7}
    assert TextFormatter(fmt).format(logging.makeLogRecord(fields)) == line


def test_a_record_that_carries_its_request_has_that_one_s_id(log: Log, rf: RequestFactory) -> None:
    """A request within one, by the test client for example, ends the current one, and the outer one is logged then."""
    request = rf.get("/")
    request.request_id = "outer"  # type: ignore[attr-defined]
    logger.info("done", extra={"request": request})
    assert "[outer] done" in log.getvalue()


def test_admins_get_a_mail_of_an_error(settings: Any, client: Client, mailoutbox: list[Any]) -> None:
    """Django promises it to whoever sets ADMINS."""
    settings.ADMINS = [("Ann", "ann@example.com")] if django.VERSION < (6,) else ["ann@example.com"]
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False
    assert client.get("/broken").status_code == 500
    [mail] = mailoutbox
    assert mail.to == ["ann@example.com"]


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
def test_variables_stay_out_of_tracebacks(log: Log) -> None:
    """What Django hides from its error reports must not stand in the log instead."""

    @sensitive_variables()
    def pay(card: str) -> None:
        raise RuntimeError(len(card))

    try:
        pay(CARD)
    except RuntimeError:
        logger.exception("failed")
    assert "RuntimeError: 9" in log.getvalue()
    assert CARD not in log.getvalue()


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_only_a_terminal_gets_colours(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, coloured: bool
) -> None:
    """Escape sequences in a file or a pipe are noise."""
    from applog.console import ConsoleHandler  # noqa: PLC0415  after the streams are replaced

    stream = StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("ANSICON", "1")  # what a terminal of Windows may say of itself
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.delenv("DJANGO_COLORS", raising=False)
    handler = ConsoleHandler()
    handler.setFormatter(TextFormatter())
    handler.handle(logging.makeLogRecord({"levelno": logging.ERROR, "levelname": "ERROR", "name": "shop", "msg": "x"}))
    assert ("\x1b[" in stream.getvalue()) is coloured


@pytest.mark.parametrize("log", [TextFormatter, JsonFormatter], indirect=True)
def test_bound_fields_are_on_each_record_of_their_block(log: Log) -> None:
    """The order of which ten modules speak need not be handed to each of them."""
    with bind(order_id=7, password="hidden", note="two\nwords"):  # noqa: S106  which must not be found
        logger.info("in it")
        with bind({"order.id": 8}, order_id=9):
            logger.info("further in", extra={"order_id": 10})
        logger.info("out again")
    logger.info("behind it")
    text = log.getvalue()
    assert "hidden" not in text
    if text.startswith("{"):
        found = [(r.get("order_id"), r.get("order.id"), r.get("note"), r.get("password")) for r in log.records()]
        stars = "********"
        assert found == [
            (7, None, "two\nwords", stars), (10, 8, "two\nwords", stars), (7, None, "two\nwords", stars), (None,) * 4
        ]  # fmt: skip
    else:
        lines = [line.partition("] ")[2] for line in log.lines()]
        common = r'password=******** note="two\nwords"'.replace("********", json.dumps("*" * 8))
        assert lines == [
            f"in it order_id=7 {common}",
            f"further in order_id=9 {common} order.id=8",
            f"out again order_id=7 {common}",
            "behind it",
        ]


@as_json
def test_bound_fields_end_with_the_request(log: Log, visitor: Client) -> None:
    """The next request of the same thread is somebody else's."""
    visitor.get("/bound")
    visitor.get("/200")
    ends = [record for record in log.records() if "url.path" in record]
    assert [(end["url.path"], end.get("order_id")) for end in ends] == [("/bound", 7), ("/200", None)]
    assert all(isinstance(end["duration_ms"], float) for end in ends)


@as_json
def test_bound_fields_do_not_pretend(log: Log) -> None:
    """What is bound may come from a stranger: it must not look like what the log itself knows, nor fill the disk."""
    with bind({"user.id": "1", "level": "INFO", "big": "x" * 100_000, **{f"f{n}": n for n in range(60)}}):
        logger.warning("x")
    with bind({"user.id": "1", "level": "INFO", "big": "x" * 100_000}):
        logger.warning("x")
    many, few = log.records()
    assert [record["level"] for record in (many, few)] == ["WARNING"] * 2
    assert (few["extra.level"], few["extra.user.id"]) == ("INFO", "1")
    assert len(few["big"]) < 5000
    assert sum(name.startswith("f") for name in many) == 50


@as_json
@pytest.mark.parametrize("given", [{f"f{n}": "v" * 4000 for n in range(50)}, {"items": list(range(100_000))}])
def test_bound_fields_are_short(log: Log, given: dict[str, Any]) -> None:
    """They are on each record of a request: one that carries a megabyte fills a disk in a thousand records."""
    with bind(given), bind(last=1):
        logger.warning("x")
    [record] = log.records()
    assert record["last"] == 1
    assert len(log.getvalue()) < 20_000


@as_json
def test_an_event_that_is_no_text_is_no_event(log: Log) -> None:
    """Nothing that is logged raises in the code that logs it."""
    record = logging.makeLogRecord({"name": "applog.security", "event": {"a": 1}, "msg": "x", "request": HttpRequest()})
    assert FloodFilter().filter(record)
    assert '"extra.event": {"a": 1}' in JsonFormatter().format(record)


@as_json
def test_tasks_of_one_loop_keep_their_fields_apart(log: Log) -> None:
    """Under ASGI a hundred requests take turns in one thread."""

    async def work(number: int) -> None:
        bind(number=number)
        await asyncio.sleep(0.01)
        logger.info("%s", number)

    async def main() -> None:
        await asyncio.gather(*map(work, range(20)))

    asyncio.run(main())
    assert sorted((record["message"], record["number"]) for record in log.records()) == sorted(
        (str(number), number) for number in range(20)
    )


@as_json
def test_json_is_the_same_whichever_way_it_is_written(log: Log) -> None:
    """What most records have is put together from parts: no text may break out of its place."""
    odd = '"', "\\", "\n", "\u2028", "\ud800", "\x00", "\x7f"
    texts = [*odd, "é", "{", "</script>", "x" * 9000, '", "level": "CRITICAL']
    for text in texts:
        named = logging.getLogger(f"shop.{text[:20]}")
        named.warning("%s", text)
        named.warning("%s", text, extra={"own": text})
    records = log.records()
    assert all(line.isascii() and line.isprintable() for line in log.lines())
    assert [record["message"] for record in records[::2]] == [record["message"] for record in records[1::2]]
    assert [record["message"][:20] for record in records[::2]] == [
        text[:20].encode("utf-8", "backslashreplace").decode() for text in texts
    ]
    names = ["timestamp", "level", "logger", "message", "request_id", "service.name", "process.pid"]
    assert [list(record) for record in records] == [names, [*names, "own"]] * len(texts)
    assert {record["level"] for record in records} == {"WARNING"}


def formatted(formatter: logging.Formatter, record: logging.LogRecord, number: int, other: logging.LogRecord) -> str:
    """Format a record, and another one before the formatter's line of that number, as another thread may."""
    lines = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if event == "line" and frame.f_globals["__name__"] == "applog.formatters":
            lines += 1
            if lines == number:
                sys.settrace(None)
                formatter.format(other)
        return trace

    sys.settrace(trace)
    try:
        return formatter.format(record)
    finally:
        sys.settrace(None)


@pytest.mark.parametrize("kind", [TextFormatter, JsonFormatter])
def test_another_record_that_is_formatted_meanwhile_changes_nothing(kind: type[logging.Formatter]) -> None:
    """Threads format their records at once, and one would have the time of another's."""
    record, other = (
        logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": "hello", "created": time, "process": time})
        for time in (1_800_000_000, 1_700_000_000)
    )
    assert {formatted(kind(), record, number, other) for number in range(100)} == {kind().format(record)}
