"""The log's page on a running server, asked for what lies outside of the log."""

import itertools
import os
import time
from urllib.parse import quote, urlencode

import pytest
from conftest import CHOICES
from page_support import PAGE, Session, prepare, record, write

SECRET = "the-key-to-everything"  # noqa: S105  what must not be found
REFUSED = {400, 403, 404}

OUTSIDE = [
    "../secret.txt", "../../secret.txt", "../" * 12 + "etc/passwd", "..\\secret.txt", "..\\..\\windows\\win.ini",
    "/etc/passwd", "//etc/passwd", "file:///etc/passwd", "C:\\Windows\\win.ini", "C:/Windows/win.ini",
    "\\\\localhost\\c$\\secret.txt", "//localhost/c$/secret.txt", "\\\\?\\C:\\secret.txt", "\\\\.\\pipe\\x", "CON",
    "NUL", "AUX", "COM1", "LPT1.log", "django.log::$DATA", "....//....//secret.txt", "..;/secret.txt",
    "django.log/../secret.txt", "django.log\0.txt", "link.log", "django.log.2026-01-01",
    ".env", "~root", "$HOME", "%SystemRoot%", "-", "*", "?",
]  # fmt: skip
FIELDS = ["log", "level", "kind", "since", "until", "before", "after", "live"]
HUGE = ["9" * 400, "-1", "1e309", "0x10", "1" * 4000, "NaN", "99999999999999999999d"]
BROKEN = ["[", "(", "*", "\\", "(?P<a>", "a{3,1}", "x" * 501, "(?:" * 3000, "\\L<names>"]
SLOW = [
    "(a+)+$", "(a|a)*b", "(.*.*.*.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "(a{1,1000}){1,1000}", "a{99999}",
    "((a{1,100}){1,100}){1,100}", "(.*){900}", "(\\pL{1,100}){1,100}", "(?R)?a", "(?e)(?:fine and dandy){e<=9}x",
]  # fmt: skip


def hostile_targets():
    """Return targets of requests, each of which asks for something else than the page offers."""
    fields = itertools.cycle(FIELDS)
    for value in OUTSIDE:
        encoded = quote(value, safe="")
        yield PAGE + encoded
        yield f"{PAGE}{quote(encoded)}/"
        yield f"{PAGE}download/{encoded}"
        yield f"{PAGE}download/?{urlencode({'file': value})}"
        yield from (f"{PAGE}?{urlencode({next(fields): value})}" for _ in range(3))
    yield from (PAGE + raw for raw in ("../../../secret.txt", "..%2f..%5c..%2fsecret.txt", "%c0%ae%c0%ae/secret.txt"))
    yield from (f"{PAGE}?{urlencode({field: value})}" for field in FIELDS for value in HUGE)
    yield from (f"{PAGE}?{urlencode({'kind': 'pattern', 'text': pattern})}" for pattern in BROKEN)
    yield from (f"{PAGE}?{field}=a%00b" for field in ("text", "logger", "request", *FIELDS))
    yield from (f"{PAGE}?request={quote(value)}" for value in ("../x", "a/b", "a b", "x" * 129, "[r]", "é"))
    far, place = "django:" + ".".join(["f" * 33] * 4), "django:1.2.3.4"
    yield from (f"{PAGE}?before={value}" for value in (far, "django:1.2.3", "..:1.2.3.4", "a~b", "django:-1.0.0.0"))
    yield from (f"{PAGE}?{query}" for query in (f"before={place}&after={place}", "log=django&log=security"))
    yield from (f"{PAGE}news/?token={token}" for token in ("", "a:b:c", "%00", "x" * 3000, ".eJx:1:2"))
    yield from (f"{PAGE}{rest}" for rest in ("news/", "news/?live=1", "1/change/", "add/", "1/delete/", "1/history/"))


@pytest.mark.parametrize("django_version", CHOICES["django_version"])
def test_no_request_reaches_a_file_outside_of_the_log(bake, environment, serve, django_version):
    """A page for logs that opens the key of the site, or one that a request can stop, is worse than none."""
    project, python = bake(django_version=django_version), environment(django_version)
    prepare(project, python)
    (project / "secret.txt").write_text(f"{record(SECRET)}{SECRET}\n", encoding="utf-8")
    write(project, "django.log", record("a" * 5000 + "!"), record("fine"))
    if os.name != "nt":
        for link in ("django.log.2026-01-01", "django.log.1", "security.log", "link.log"):
            (project / "logs" / link).symlink_to(project / "secret.txt")
    # security.log is a link by now, which the server itself must not write through, either.
    address, _ = serve(python, project, {"LOG_FILES": "off"})
    session = Session(address)

    targets = list(dict.fromkeys(hostile_targets()))
    assert len(targets) >= 150
    wrong = {}
    for target in targets:
        status, body = session.get(target)
        if status not in REFUSED or SECRET.encode() in body:
            wrong[target[:200]] = status
    assert not wrong
    assert {session.send(method, PAGE)[0] for method in ("POST", "PUT", "DELETE", "PATCH")} == {403}

    for query in ("", "?log=security", "?log=all"):
        for page in (PAGE, f"{PAGE}download/"):
            status, body = session.get(page + query)
            assert status == 200
            assert SECRET.encode() not in body
    for pattern in SLOW:  # without a time limit they would run for years
        started = time.monotonic()
        status, body = session.get(f"{PAGE}?{urlencode({'kind': 'pattern', 'text': pattern})}")
        assert status == 200 or (status == 400 and b"regular expression" in body)
        assert time.monotonic() - started < 10
    status, body = session.get(PAGE)
    assert status == 200
    assert b"fine" in body
