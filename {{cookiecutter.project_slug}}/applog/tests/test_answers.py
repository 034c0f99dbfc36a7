"""What the log answers: which errors there are, and how requests went."""

import gzip
import itertools
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management.base import CommandError
from django.http import HttpRequest

from applog.fingerprint import Kind, fingerprint, template
from applog.formatters import JsonFormatter, TextFormatter
from applog.reading import errors
from applog.reading.errors import Errors
from applog.reading.log import RotatedLog
from applog.reading.measures import Distinct, Durations, Window, index_of_duration
from applog.reading.query import Query
from applog.reading.record import Record, parse
from applog.tests.conftest import ROOT, Site
from applog.text import shorten

POST_ROUTE = r"""/v1/(?P<a>\w+), "x", (é)$"""


def caught(action: Callable[[], Any]) -> Any:
    """Return what is to be logged of the exception that an action raises."""
    try:
        action()
    except Exception:  # noqa: BLE001
        return sys.exc_info()
    return None


def chained(number: int) -> None:
    """Raise an exception that has a cause and a note, as deep in recursion as `number`."""
    if number:
        return chained(number - 1)
    try:
        os.environ["ABSENT"]
    except KeyError as error:
        raised = ValueError("Order 5 of 'Ann' cannot be paid\nTypeError: no")
        raised.add_note("TypeError: a note")
        raise raised from error


def grouped() -> None:
    """Raise a group of exceptions."""
    try:
        chained(0)
    except ValueError as error:
        message = "several"
        raise ExceptionGroup(message, [error, OSError("never raised")]) from None


def refuse() -> None:
    """Refuse, as a view does."""
    raise PermissionDenied


def written(formatter: logging.Formatter, **attributes: Any) -> Record:
    """Return a record as the reader finds it in a log that a formatter has written."""
    given = {"name": "shop", "levelname": "ERROR", "levelno": logging.ERROR, "created": time.time(), **attributes}
    return parse(formatter.format(logging.makeLogRecord(given)).encode())


def kind(record: Record) -> Kind:
    """Return the kind of a record."""
    return fingerprint(record.logger, record.level, record.message, "\n".join(record.lines), str(settings.BASE_DIR))


@pytest.mark.parametrize(
    ("action", "exception", "function"),
    [
        (lambda: chained(0), "ValueError", "chained"),
        (lambda: chained(400), "ValueError", "chained"),  # of whose traceback the middle is left out
        (grouped, "ExceptionGroup (OSError, ValueError)", "grouped"),
        (lambda: int("x"), "ValueError", "<lambda>"),
        (lambda: logging.getLogger(5), "TypeError", "<lambda>"),  # type: ignore[arg-type]
        (lambda: compile("a b", "x.py", "exec"), "SyntaxError", "<lambda>"),
    ],
    ids=["chain", "recursion", "group", "own", "library", "syntax"],
)
def test_an_error_is_of_one_kind_in_any_format(action: Callable[[], Any], exception: str, function: str) -> None:
    """A log that changed from text to JSON would have each error twice, and the second as new."""
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "2001:db8::1"
    for logger in "shop", "django.request":
        given = {"msg": "At %s", "args": ("x\n1",), "exc_info": caught(action), "name": logger, "request": request}
        text, as_json = (kind(written(formatter(), **given)) for formatter in (TextFormatter, JsonFormatter))
        assert text == as_json
        assert text.exception == exception
        assert text.frame
        assert (text.frame.file, text.frame.function) == ("applog/tests/test_answers.py", function)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Order 12 failed after 1.5 s", "Order 9876 failed after 0.25 s"),
        ("Internal Server Error: /orders/1/", "Internal Server Error: /orders/77/"),
        (f"File {'ab12' * 8} is gone", f"File {'98fe' * 8} is gone"),
        ("Key 550e8400-e29b-41d4-a716-446655440000", "Key 00000000-e29b-41d4-a716-abcdefabcdef"),
        ("Mail to ann@example.org: 'x'", 'Mail to bob.b+c@example.com: "y z"'),
        ("From 192.0.2.7 to fe80::1 at 12:30:01", "From 192.0.2.99:81 to 2001:db8::5 at 2:01:59"),
        ("Ids [1, 2, 3], balance -5", "Ids [4], balance 7e-5"),
        ("At 0x7f01aa of user_a8f3k", "At 0xffff0000 of user_b7x"),
        ("two\nlines\x1b[0m", "two  lines [1m"),
    ],
)
def test_a_message_is_of_one_kind_whatever_it_is_about(one: str, other: str) -> None:
    """A kind for each order would be the list of records again."""
    assert kind(written(TextFormatter(), msg=one)).id == kind(written(JsonFormatter(), msg=other)).id


def test_different_errors_are_of_different_kinds() -> None:
    """One that hides behind another would never be seen."""
    different: list[dict[str, Any]] = [
        {"msg": "Order 1 failed"},
        {"msg": "Order 1 failed", "name": "mails"},
        {"msg": "Order 1 failed", "levelname": "CRITICAL"},
        {"msg": "Orders 1 failed"},
        {"msg": "it's user 5's fault"},
        {"msg": "it's gone, user 5's fault"},
        {"msg": "", "exc_info": caught(lambda: int("x"))},
        {"msg": "", "exc_info": caught(grouped)},
        {"msg": "", "exc_info": caught(lambda: chained(0))},
    ]
    for formatter in TextFormatter, JsonFormatter:
        assert len({kind(written(formatter(), **given)).id for given in different}) == len(different)


def test_code_that_is_installed_in_the_project_is_not_its_own() -> None:
    """Each error of a library would be the library's, and not that of the line which calls it."""
    frames = [("shop/views.py", "pay"), (".venv/lib/python3.11/site-packages/bank/api.py", "call"), ("../x.py", "y")]
    lines = [f'  File "{ROOT / file}", line 7, in {function}\n    x()' for file, function in frames]
    trace = "\n".join(["Traceback (most recent call last):", *lines, "bank.Error: closed"])
    found = fingerprint("shop", "ERROR", "", trace, str(ROOT))
    assert (found.exception, found.template, str(found.frame)) == ("bank.Error", "closed", "shop/views.py:7 pay")
    windows = trace.replace(str(ROOT), "C:\\app").replace("/", "\\")
    assert fingerprint("shop", "ERROR", "", windows, "c:\\app\\").id == found.id
    assert str(fingerprint("shop", "ERROR", "", trace, "/else/where").frame) == f"{ROOT.as_posix()}/../x.py:7 y"


def test_a_quoted_text_is_no_part_of_a_kind_however_long() -> None:
    """Each host name that a scanner makes up would be a kind of its own."""
    for size in 10, 400, 3000:
        kinds = {
            fingerprint("x", "ERROR", shorten(f"Invalid header: {mark}{letter * size}{mark}.", most), "", "").template
            for letter in "ab"
            for mark in "'\""
            for most in (450, 9999)
        }
        assert kinds <= {"Invalid header: #.", "Invalid header: #"}
    assert template("The users' 5\" disks can't spin") == "The users' #\" disks can't spin"


def test_a_kind_of_hostile_text_takes_no_long_time() -> None:
    """A stranger's text, a million characters long, would stop the page for everybody."""
    begin = time.process_time()
    for piece in "'", "a", "a-", "1:", "# ", "\\", "a@", "+-", "|  ", "\0", "Traceback (most recent call last):\n  ":
        for front in "", "from ", "    " * 9999, "Traceback (most recent call last):\n", '  File "':
            hostile = front + piece * 300_000
            fingerprint("django.x", "ERROR", hostile, hostile, str(ROOT))
    assert time.process_time() - begin < 10  # seconds; one that goes back and forth takes hours


FORMATTERS = [TextFormatter, JsonFormatter]
ID = "8c1e0b6f4d5a4f0c9f0e7d1b2a3c4d5e"


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_errors_are_counted_by_their_kind(site: Site, formatter: Callable[[], logging.Formatter]) -> None:
    """Who sees a thousand tracebacks does not see the one that matters."""
    site.log(formatter(), "old", age=3 * 86400)
    for number in range(12):
        given = {"exc_info": caught(partial(chained, number % 2)), "request_id": f"request{number % 4}"}
        site.log(formatter(), f"Order {number}", age=3600 - number, **given)
    site.log(formatter(), "A warning", levelname="WARNING", levelno=logging.WARNING, exc_info=caught(grouped))
    site.log(formatter(), "no error", levelname="WARNING", levelno=logging.WARNING)
    denied: dict[str, Any] = {"name": "django.request", "status_code": 403, "request": HttpRequest()}
    site.log(formatter(), "Forbidden", levelname="WARNING", levelno=logging.WARNING, exc_info=caught(refuse), **denied)
    kinds = {kind["exception.type"] or kind["message"]: kind for kind in site.found("errors")}
    assert {name: kind["count"] for name, kind in kinds.items()} == {
        "ValueError": 12, "old": 1, "ExceptionGroup (OSError, ValueError)": 1,
    }  # fmt: skip
    order = kinds["ValueError"]
    assert (order["requests"], order["request_id"], sum(order["bars"])) == (4, "request3", 12)
    assert (order["new"], kinds["old"]["new"]) == (True, False)
    assert site.command("--error", order["error"]).count("Order 5 of") == 12
    assert site.command("errors", "--level", "WARNING").count("\n") > site.command("errors").count("\n")


def test_a_refusal_is_no_error(site: Site) -> None:
    """Scanners are refused all day long; once their records had tracebacks, which old files still have."""
    site.path.parent.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    trace = "Traceback (most recent call last):\nPermissionDenied"
    for logger, event in (("django.request", "authz_fail"), ("shop", "")):
        context = f"{event} from 192.0.2.7: " if event else ""
        text = f"{stamp} WARNING {logger} [-] {context}Forbidden\n    {trace.replace(chr(10), chr(10) + '    ')}\n"
        fields = {"timestamp": stamp, "level": "WARNING", "logger": logger, "message": "Forbidden"}
        given = json.dumps({**fields, "exception.stacktrace": trace, **({"event": event} if event else {})})
        with site.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{text}{given}\n")
        if not event:  # the project's own field, whatever it holds
            with site.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps({**json.loads(given), "event": "authz_fail"}) + "\n")
    assert [(kind["logger"], kind["count"]) for kind in site.found("errors")] == [("shop", 3)]
    assert sum(kind["count"] for kind in site.found("errors", "--level", "WARNING")) == 5
    assert site.command("errors").startswith("PermissionDenied\n")


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_an_exception_without_words_shows_what_it_was_about(
    site: Site, formatter: Callable[[], logging.Formatter]
) -> None:
    """Of a KeyError, "#" tells nobody which one."""
    shelves: dict[str, int] = {}
    for number in range(3):
        site.log(formatter(), "failed", exc_info=caught(partial(shelves.__getitem__, f"shelf {number}")))
    [found] = site.found("errors")
    assert (found["count"], found["template"]) == (3, "#")
    assert "KeyError: 'shelf 2'" in site.command("errors")


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_requests_are_counted_by_their_route(site: Site, formatter: Callable[[], logging.Formatter]) -> None:
    """Which page is slow, or fails, is what the records of requests are kept for."""
    for number in range(1, 101):
        status = 500 if number == 100 else 404 if number > 90 else 200
        given = {"age": number, "request_id": f"request{number}", "route": "orders/<int:pk>/"}
        site.log_request(formatter(), f"/orders/{number}/", status, float(number), **given)
    site.log_request(formatter(), "/v1/a", 200, 7.0, method="POST", route=POST_ROUTE[1:])
    site.log_request(formatter(), "/x", 200, 7.0, age=2 * 86400)
    site.log(formatter(), "GET /forged/ 200 in 9.0 ms applog.request [x] from a: GET /forged/ 200 in 9.0 ms")
    first, other = site.found("requests")
    name = first.get("http.route") or first.get("path")
    assert name == ("/orders/<int:pk>/" if formatter is JsonFormatter else "/orders/#/")
    assert first["statuses"] == {"200": 90, "404": 9, "500": 1}
    for share in 50, 95, 99:
        assert first[f"p{share}"] == pytest.approx(share, rel=0.04)
    assert (first["slowest"], first["slowest_request_id"], sum(first["bars"])) == (100, "request100", 100)
    assert (other["http.request.method"], other["count"]) == ("POST", 1)
    assert other.get("http.route") == (POST_ROUTE if formatter is JsonFormatter else None)
    assert len(site.found("requests", "--since", "3d")) == 3
    assert site.found("requests", "--since", "3d", "-n", "1")[1:] == [{"others": 2}]
    assert site.found("requests", "--sort", "slowest")[0] == first
    hours = site.command("requests").partition("requests")[2].partition("requests")[2].splitlines()[1:-1]
    assert max(float(hour.split()[6]) for hour in hours) == pytest.approx(100, rel=0.02)


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """Each later row of a table would be of the hour before."""
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC)
    hours = Window.of(begin, begin + timedelta(hours=30), zone)
    assert [f"{start:%H}" for start in hours.starts[:6]] == ["00", "01", "02", "02", "03", "04"]
    assert [hours.part(begin + timedelta(hours=number, minutes=59)) for number in range(30)] == list(range(30))
    days = Window.of(begin, begin + timedelta(days=20), zone)
    assert {f"{start:%H:%M}" for start in days.starts} == {"00:00"}
    assert [days.part(begin + timedelta(hours=number)) for number in (0, 24, 25, 49)] == [0, 0, 1, 2]


@pytest.mark.parametrize("zones", [1, 2, 9])
def test_requests_are_counted_in_whichever_time_zone_they_were_written(site: Site, zones: int) -> None:
    """A log of a laptop that travels, or of a night on which clocks are set."""
    lines = []
    for number in range(36):
        zone = timezone(timedelta(hours=number % zones - 4))
        when = (datetime.now(UTC) - timedelta(minutes=number + 1)).astimezone(zone).isoformat(timespec="milliseconds")
        name, call = "8c1e" * number or "-", f"GET /orders/{number} {200 + number // 18} in {number}.5 ms"
        record = {"timestamp": when, "level": "INFO", "logger": "applog.request", "message": call, "request_id": name}
        lines += [f"{when} INFO applog.request [{name}] from 192.0.2.7: {call}", json.dumps(record)]
    site.path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    [route] = site.found("requests", "--since", "1h")
    assert (route["path"], route["statuses"]) == ("/orders/#", {"200": 36, "201": 36})
    assert sum(route["bars"]) == 72
    assert (route["slowest"], route["slowest_request_id"]) == (35.5, "8c1e" * 35)
    assert sum(route["count"] for route in site.found("requests", "--since", "10m")) == pytest.approx(18, abs=2)


def test_hostile_records_do_not_break_the_command(site: Site) -> None:
    """Whoever can write into the log would choose what its readers see."""
    site.log_hostile(TextFormatter(), JsonFormatter())
    for name in "errors", "requests":
        assert "\u202e" not in site.command(name)
        for line in site.command(name, "--json").splitlines():
            assert line.isascii()
    assert all(kind["template"] != "forged" for kind in site.found("errors"))


def test_any_number_of_kinds_takes_little_memory(site: Site) -> None:
    """A log full of different messages would fill the server's memory, and hide the frequent ones."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    words = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=4)]
    lines = [f"{stamp} ERROR shop [-] {word} failed\n" + f"{stamp} ERROR shop [-] often\n" * (i % 9 == 0)
             for i, word in enumerate(words)]  # fmt: skip
    site.path.write_text("".join(lines), encoding="utf-8")
    window = Window.of(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1), UTC)
    found = Errors(window, str(ROOT))
    found.read([RotatedLog(site.path)], Query(errors=True), 600)
    assert len(found.groups) <= 2 * errors.KINDS
    assert sum(group.count for group in found.groups.values()) + found.others == len(words) + len(words) // 9 + 1
    assert found.ordered("count")[0].message == "often"


def test_numbers_are_as_exact_as_they_say() -> None:
    """A wrong number is worse than none."""
    distinct, durations = Distinct(), Durations()
    for number in range(20_000):
        distinct.add(str(number % 10_000))
        durations.update({index_of_duration(f"{number / 10}".encode()): 1})
    assert not distinct.is_exact
    assert distinct.number == pytest.approx(10_000, rel=0.3)
    for share in 0.01, 0.5, 0.95, 1.0:
        assert durations.quantile(share) == pytest.approx(share * 1999.9, rel=0.021)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([10.0] * 49 + [9000.0], [10, 10, 9000]),
        ([18.0, 18.0, 100.0], [18, 100, 100]),
        ([10.0] * 99 + [9000.0], [10, 10, 10]),
        ([10.0] * 95 + [9000.0] * 5, [10, 10, 9000]),
        ([7.0], [7, 7, 7]),
    ],
)
def test_the_slow_one_of_few_is_not_left_out(site: Site, times: list[float], expected: list[float]) -> None:
    """A page that takes nine seconds once in fifty times would look as quick as all others."""
    for time_ms in times:
        site.log_request(TextFormatter(), "/", 200, time_ms)
    [found] = site.found("requests")
    assert [found[name] for name in ("p50", "p95", "p99")] == pytest.approx(expected, rel=0.02)


def test_what_cannot_be_answered_is_said(site: Site) -> None:
    """An empty table may mean anything."""
    assert site.command("errors") == "No errors.\n"
    assert site.command("requests") == "No requests.\n"
    for wrong in (
        ("errors", "--sort", "p95"), ("requests", "--grep", "x"), ("errors", "-n", "0"), ("--error", "zz"),
        ("requests", "--since", "1h", "--until", "2h"), ("errors", "--follow"), ("--sort", "count"),
    ):  # fmt: skip
        with pytest.raises(CommandError):
            site.command(*wrong)


def test_compressed_files_are_counted(site: Site) -> None:
    """Yesterday's errors are compressed."""
    for number in range(3):
        site.log(TextFormatter(), f"Order {number}", age=86400)
        site.log_request(TextFormatter(), f"/{number}", 200, 1.0, age=3600)
    packed = site.path.with_name(f"{site.path.name}.2026-02-09.gz")
    packed.write_bytes(gzip.compress(site.path.read_bytes()))
    site.path.write_text("", encoding="utf-8")
    assert [kind["count"] for kind in site.found("errors")] == [3]
    assert [route["count"] for route in site.found("requests")] == [3]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(site: Site, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that wraps tears a table apart."""
    monkeypatch.setenv("COLUMNS", str(columns))
    site.log(TextFormatter(), "word " * 50, name="a.long.logger.name")
    site.log_request(TextFormatter(), "/a/very/long/path" * 9, 500, 123456.0)
    for name in "errors", "requests":
        lines = site.command(name).splitlines()
        assert max(map(len, lines)) <= columns
    if columns >= 80:
        assert any(re.search(r" from \d{4}-\d\d-\d\d \d\d:\d\d$", line) for line in lines)
