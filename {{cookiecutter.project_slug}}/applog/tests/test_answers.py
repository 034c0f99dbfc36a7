"""What the log answers: which errors there are, and how requests went."""

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest

from applog.fingerprint import Kind, fingerprint
from applog.formatters import JsonFormatter, TextFormatter
from applog.reading.record import Record, parse
from applog.tests.conftest import ROOT


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


def test_a_kind_of_hostile_text_takes_no_long_time() -> None:
    """A stranger's text, a million characters long, would stop the page for everybody."""
    begin = time.process_time()
    for piece in "'", "a", "a-", "1:", "# ", "\\", "a@", "+-", "|  ", "\0", "Traceback (most recent call last):\n  ":
        for front in "", "from ", "    " * 9999, "Traceback (most recent call last):\n", '  File "':
            hostile = front + piece * 300_000
            fingerprint("django.x", "ERROR", hostile, hostile, str(ROOT))
    assert time.process_time() - begin < 10  # seconds; one that goes back and forth takes hours
