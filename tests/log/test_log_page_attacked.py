"""The log's page on a running server, asked for what lies outside of the log."""

import itertools
import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from conftest import CHOICES
from page_support import PAGE, Session, prepare, record, write
from servers import PRODUCTION, fetch, free_port, is_open, wait_for

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
        assert b"Nothing was searched" not in body
        assert time.monotonic() - started < 10
    status, body = session.get(PAGE)
    assert status == 200
    assert b"fine" in body


def memory_of(process):
    """Return the largest resident memory of a server's workers, in bytes."""
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    pages = [int(Path(f"/proc/{worker}/statm").read_text(encoding="ascii").split()[1]) for worker in workers]
    return max(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc to measure the memory by")
def test_readers_of_the_log_leave_the_site_its_threads(bake, environment):
    """One user who may read the log could stop the site: by searches, or by downloads that are not read."""
    project, python = bake(), environment("5.2")
    file = project / "applog" / "page" / "download.py"
    text = file.read_text(encoding="utf-8")
    assert "UNREAD_SECONDS = 30.0" in text
    file.write_text(text.replace("UNREAD_SECONDS = 30.0", "UNREAD_SECONDS = 4.0"), encoding="utf-8")
    prepare(project, python)
    write(project, "django.log", *(record("x" * 60_000) for _ in range(1500)))  # 90 MB
    port = free_port()
    options = [f"--bind=127.0.0.1:{port}", "--workers=2", "--threads=4", "--no-control-socket"]
    env = os.environ | PRODUCTION | {"ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "false"}
    env |= {"SESSION_COOKIE_SECURE": "false", "CSRF_COOKIE_SECURE": "false", "DEBUG": "true"}
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        server = subprocess.Popen([python, "-m", "gunicorn", "config.wsgi", *options], cwd=project, env=env, **output)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        wait_for(lambda: is_open(port))
        session = Session(address)
        session.get(PAGE)
        before = memory_of(server)
        for _ in range(20):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(session.request(f"{PAGE}download/"))
        time.sleep(1)
        with ThreadPoolExecutor(50) as pool:
            searches = [pool.submit(session.get, f"{PAGE}?text=nothing{number}") for number in range(100)]
            for _ in range(10):
                assert fetch(f"{address}/health/")[0] == 200
            statuses = [search.result()[0] for search in searches]
        assert set(statuses) <= {200, 503}
        assert 503 in statuses
        log = project / "logs" / "django.log"
        wait_for(lambda: "A log download was ended" in log.read_text(encoding="utf-8"), seconds=20)
        wait_for(lambda: session.get(f"{PAGE}?text=nothing")[0] == 200, seconds=20)
        assert memory_of(server) - before < 100_000_000
