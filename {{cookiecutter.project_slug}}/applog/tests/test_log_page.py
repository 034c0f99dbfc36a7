"""The log in the admin."""

import asyncio
import gzip
import json
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from gettext import GNUTranslations
from html import escape, unescape
from http import HTTPStatus
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.urls import reverse

from applog.formatters import JsonFormatter, TextFormatter
from applog.page import download, histogram, places, views
from applog.security import security_event
from applog.tests.conftest import ROOT, Site

NOW = datetime.now(UTC).replace(microsecond=0)
Write = Callable[..., None]

pytestmark = pytest.mark.django_db


@pytest.fixture
def files(settings: Any, tmp_path: Path) -> dict[str, Path]:
    """Return the path of each log by its name; the project's own log files are left alone."""
    handlers = settings.LOGGING["handlers"]
    names = {"django": "file", "security": "security_file"}
    files = {name: tmp_path / f"{name}.log" for name in names}
    moved = {handler: {**handlers[handler], "filename": files[name]} for name, handler in names.items()}
    settings.LOGGING = {**settings.LOGGING, "handlers": {**handlers, **moved}}
    return files


@pytest.fixture
def write(files: dict[str, Path]) -> Write:
    """Return a function that writes a record to the log of a name."""

    def write_record(message: str, *below: str, log: str = "django", age: int = 0, **parts: str) -> None:
        time = (NOW - timedelta(seconds=age)).isoformat(timespec="milliseconds")
        parts = {"level": "INFO", "logger": "shop", "request": "-", **parts}
        line = f"{time} {parts['level']} {parts['logger']} [{parts['request']}] {message}\n"
        with files[log].open("a", encoding="utf-8", newline="\n") as file:
            file.write(line + "".join(f"    {text}\n" for text in below))

    return write_record


@pytest.fixture
def reader(client: Client) -> Client:
    """Return a client that is signed in as somebody who may read the log, and nothing else."""
    user = get_user_model().objects.create_user("reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(content_type__app_label="applog", codename="view_log"))
    client.force_login(user)
    return client


def show(client: Client, name: str = "changelist", **query: str) -> str:
    """Return the page of a query."""
    response = client.get(reverse(f"admin:applog_log_{name}"), query)
    assert response.status_code == 200, response.content
    return response.text if not response.streaming else response.getvalue().decode()


def messages(page: str) -> list[str]:
    """Return the messages that a page shows."""
    found = re.findall(r'<span class="log-text">(.*?)</span>', page, re.DOTALL)
    return [re.sub("</?mark>", "", message) for message in found]


@pytest.mark.parametrize("name", ["changelist", "news", "download"])
def test_only_who_may_sees_the_log(client: Client, write: Write, name: str) -> None:
    """A log tells of customers and of weak spots: not to everybody who may edit a page of the site."""
    write("secret")
    address = reverse(f"admin:applog_log_{name}")
    anonymous = client.get(address)
    assert (anonymous.status_code, anonymous.headers["Location"].split("?")[0]) == (302, reverse("admin:login"))
    client.force_login(get_user_model().objects.create_user("editor", is_staff=True))
    assert client.get(address).status_code == 403
    assert b"applog" not in client.get(reverse("admin:index")).content
    client.force_login(get_user_model().objects.create_superuser("admin"))
    assert client.get(address).status_code == (400 if name == "news" else 200)


def test_the_admin_lists_the_log_for_reading_only(reader: Client, write: Write) -> None:
    """Who may read the log has to find it, and no button that leads nowhere."""
    write("hello")
    index = reader.get(reverse("admin:index")).text
    assert reverse("admin:applog_log_changelist") in index
    assert "/applog/log/add/" not in index
    assert reader.post(reverse("admin:applog_log_changelist")).status_code == 405


def test_reading_is_recorded(reader: Client, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks at other people's traces leaves one."""
    write("hello")
    with caplog.at_level("INFO", "applog.security"):
        show(reader, text="hel\nlo")
        show(reader, "download", level="INFO")
    records = [(record.getMessage(), vars(record)["event"]) for record in caplog.records if "event" in vars(record)]
    assert records == [
        ("log page, django, text='hel\\nlo'", "sensitive_read"),
        ("log download, django, level='INFO'", "sensitive_read"),
    ]


def test_a_search_does_not_find_itself(reader: Client, write: Write, tmp_path: Path) -> None:
    """Reading is recorded, with what was looked for; no page of a search shows or counts that record."""
    write("hello")
    handler = logging.FileHandler(tmp_path / "django.log", encoding="utf-8")
    handler.setFormatter(TextFormatter())
    logging.getLogger("applog.security").addHandler(handler)
    try:
        page = show(reader, text="needle")
        assert (messages(page), counted(page).total()) == ([], 0)
        assert not messages(show(reader, text="needle"))
    finally:
        logging.getLogger("applog.security").removeHandler(handler)
        handler.close()


def test_filters_leave_what_was_asked_for(reader: Client, write: Write) -> None:
    """A filter that leaves too little hides the error that is looked for."""
    write("old", age=7200)
    write("sold", level="ERROR", logger="shop.orders", request="r1")
    write("signed in", log="security", request="r1")
    assert messages(show(reader)) == ["sold", "old"]
    assert messages(show(reader, since="1h")) == ["sold"]
    assert messages(show(reader, until="1h")) == ["old"]
    assert messages(show(reader, level="WARNING")) == ["sold"]
    assert messages(show(reader, logger="shop.orders")) == ["sold"]
    assert messages(show(reader, text="s.ld$", kind="pattern")) == ["sold"]
    assert messages(show(reader, text="OLD")) == ["sold", "old"]
    assert messages(show(reader, log="security")) == ["signed in"]
    assert sorted(messages(show(reader, log="all", request="r1"))) == ["signed in", "sold"]
    assert "No records." in show(reader, text="nothing has this")


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(reader: Client, write: Write) -> None:
    """Two periods side by side must share no record, and miss none."""
    for age in (20, 10, 0):
        write(f"{age} s", age=age)
    first, last = ((NOW - timedelta(seconds=age)).isoformat() for age in (20, 0))
    assert messages(show(reader, since=first, until=last)) == ["10 s", "20 s"]


def test_a_time_that_ends_before_it_begins_is_refused(reader: Client, write: Write) -> None:
    """No record is in it, so that the log seems to have none."""
    write("old", age=9000)
    response = reader.get(reverse("admin:applog_log_changelist"), {"since": "2h", "until": "3h"})
    assert response.status_code == 400
    assert "The time has to begin before it ends." in response.text


def test_a_record_of_both_logs_is_shown_once(reader: Client, write: Write) -> None:
    """What concerns security stands in both logs; two rows would look like two sign-ins."""
    for log in ("django", "security"):
        write("signed in", log=log)
    assert messages(show(reader, log="all")) == ["signed in"]


def test_pages_follow_each_other(reader: Client, write: Write) -> None:
    """Records between two pages would never be seen."""
    for number in range(250):
        write(f"number {number}", age=250 - number)
    page, seen = show(reader), []
    while True:
        seen += messages(page)
        older = re.search(r'<a href="\?([^"]*)" rel="next">', page)
        if not older:
            break
        page = reader.get(f"{reverse('admin:applog_log_changelist')}?{older[1].replace('&amp;', '&')}").text
    assert seen == [f"number {number}" for number in reversed(range(250))]
    newer = re.search(r'<a href="\?([^"]*)" rel="prev">', page)
    assert newer
    page = reader.get(f"{reverse('admin:applog_log_changelist')}?{newer[1].replace('&amp;', '&')}").text
    assert messages(page) == [f"number {number}" for number in reversed(range(50, 150))]


def test_a_permanent_link_shows_the_same_later(reader: Client, write: Write) -> None:
    """A colleague should see what was meant, and not what came after it."""
    write("before")
    [link] = re.findall(r'<a href="\?([^"]*)" title="The address', show(reader))
    write("after")
    page = reader.get(f"{reverse('admin:applog_log_changelist')}?{link.replace('&amp;', '&')}").text
    assert messages(page) == ["before"]


def test_live_mode_sends_what_is_new(reader: Client, write: Write) -> None:
    """Who watches a deployment must not miss a record, nor see those that were filtered out."""
    write("old", level="ERROR")
    [token] = re.findall('data-token="([^"]+)"', show(reader, live="1", level="ERROR"))
    write("new", level="ERROR")
    write("filtered out")
    news = reader.get(reverse("admin:applog_log_news"), {"token": token}).json()
    assert (messages(news["rows"]), news["count"], news["more"]) == (["new"], 1, False)
    news = reader.get(reverse("admin:applog_log_news"), {"token": news["token"]}).json()
    assert news["count"] == 0
    reader.force_login(get_user_model().objects.create_superuser("admin"))
    assert reader.get(reverse("admin:applog_log_news"), {"token": token}).status_code == 400


def test_live_mode_shows_what_comes_late_into_a_rotated_file(
    reader: Client, write: Write, files: dict[str, Path]
) -> None:
    """A process may have the file open that another has just rotated."""

    path = files["django"]
    write("old", "    at length, as a file is known by its beginning")
    [token] = re.findall('data-token="([^"]+)"', show(reader, live="1"))

    def news() -> list[str]:
        nonlocal token
        found = reader.get(reverse("admin:applog_log_news"), {"token": token}).json()
        token = found["token"]
        return messages(found["rows"])

    write("last")
    rotated = path.with_name(f"{path.name}.1")
    path.rename(rotated)
    write("first of the new file")
    assert news() == ["first of the new file", "last"]
    new = path.read_bytes()
    with rotated.open("ab") as file:
        file.write(new.replace(b"first of the new file", b"late"))
    write("second")
    assert news() == ["second", "late"]
    assert news() == []
    with rotated.open("ab") as file:
        file.write(new.replace(b"first of the new file", b"later"))
    assert news() == ["later"]
    assert news() == []
    length = len(token)
    rotated.with_name(f"{rotated.name}.gz").write_bytes(gzip.compress(rotated.read_bytes()))
    rotated.unlink()
    write("third")
    assert news() == ["third"]
    assert len(token) < length - 20  # the file is not looked for again


@pytest.mark.parametrize("parameters", [{"until": "1h"}, {"before": "django:1.1.1.1"}, {"around": "django:1.1.1.1"}])
def test_live_mode_with_an_end_is_refused(reader: Client, write: Write, parameters: dict[str, str]) -> None:
    """An option that does nothing is a mistake that is not seen. The page's own form and links turn it off."""
    write("hello")
    address = reverse("admin:applog_log_changelist")
    wrong = reader.get(address, {"live": "1", **parameters})
    assert (wrong.status_code, "Live mode shows what is added" in wrong.text) == (400, True)
    sent = reader.get(address, {"live": "1", "text": "", **parameters})
    assert (sent.status_code, sent.headers["Location"]) == (302, f"?{urlencode(parameters)}")
    for link in re.findall(r'href="(\?[^"]*)"', show(reader, live="1")):
        assert reader.get(address + link.replace("&amp;", "&")).status_code == 200, link


@pytest.mark.parametrize("name", ["before", "around", "live"])
def test_a_download_refuses_what_it_would_ignore(reader: Client, write: Write, name: str) -> None:
    """Who asks for the records before a position must not get all of them in silence."""
    write("hello")
    value = "1" if name == "live" else "django:1.1.1.1"
    answer = reader.get(reverse("admin:applog_log_download"), {name: value})
    assert (answer.status_code, answer.text) == (
        400,
        "The address has a parameter that this page does not know, or has one twice.",
    )


def test_live_mode_logs_itself_once(reader: Client, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """A page that looks each second would fill the log that it shows."""
    write("old")
    [token] = re.findall('data-token="([^"]+)"', show(reader, live="1"))
    caplog.clear()
    assert reader.get(reverse("admin:applog_log_news"), {"token": token}).status_code == 200
    assert [record.getMessage() for record in caplog.records] == []


def test_live_mode_is_recorded_again(
    reader: Client, write: Write, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer brings a new token: without this, one visit would be enough to read for years."""
    write("old")
    [token] = re.findall('data-token="([^"]+)"', show(reader, live="1"))
    in_an_hour = time.time() + 3601
    monkeypatch.setattr("applog.page.views.time.time", lambda: in_an_hour)
    caplog.clear()
    for _ in range(2):
        token = reader.get(reverse("admin:applog_log_news"), {"token": token}).json()["token"]
    assert [record.getMessage() for record in caplog.records] == ["log page, live, django, live='1'"]


def test_who_has_to_sign_in_first_is_recorded(client: Client, write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal that is a redirect is one, too. Who is signed in already needs something else."""
    address = reverse("admin:applog_log_changelist")
    assert client.get(address).status_code == 302
    [event] = [record for record in caplog.records if record.name == "applog.security"]
    assert (vars(event)["event"], event.getMessage()) == ("authz_fail", f"{address} needs a sign-in")
    client.force_login(get_user_model().objects.create_user("nobody"))
    caplog.clear()
    client.get(address, follow=True)
    [event] = filter(security_event, caplog.records)
    expected = {f"{address} may not be opened by this user", f"Forbidden (Permission denied): {address}"}
    assert security_event(event) == "authz_fail"
    assert event.getMessage() in expected  # as the project's sign-in has it
    caplog.clear()
    client.get(reverse("admin:login"), {"next": address})
    assert [record for record in caplog.records if record.name == "applog.security"] == []


def test_a_token_of_live_mode_ends(reader: Client, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that was copied must not show the log for years."""
    write("old")
    for hours, status in ((23, 200), (25, 400)):
        with monkeypatch.context() as patch:
            made = time.time() - hours * 3600
            patch.setattr("django.core.signing.time.time", lambda made=made: made)
            [token] = re.findall('data-token="([^"]+)"', show(reader, live="1"))
        assert reader.get(reverse("admin:applog_log_news"), {"token": token}).status_code == status


def test_a_long_message_is_folded(reader: Client, write: Write) -> None:
    """One record of a megabyte must not push all others off the page, nor be lost."""
    write("x" * 20_000)
    page = show(reader)
    [shown] = messages(page)
    assert len(shown) < 1000
    assert re.findall('<pre class="log-whole"[^>]*>(.*?)</pre>', page) == ["x" * 20_000]


def test_the_download_holds_what_the_page_shows(reader: Client, write: Write) -> None:
    """A file for a colleague or a ticket has to be the records as they are, whichever server sends it."""
    write("failed", "Traceback", "ValueError: x", level="ERROR")
    write("fine")
    time = NOW.isoformat(timespec="milliseconds")
    content = f"{time} ERROR shop [-] failed\n    Traceback\n    ValueError: x\n"
    assert show(reader, "download", level="ERROR") == content
    write("x" * 100_000, level="CRITICAL")
    cut = show(reader, "download", level="CRITICAL")
    assert re.search(r"x\n\[The record has 97[.,]7\sKB; this is its beginning\.\]\n$", cut)


def test_a_project_without_time_zones_reads_its_log(reader: Client, write: Write, settings: Any) -> None:
    """USE_TZ = False is what many older projects have, to which the log is brought."""
    settings.USE_TZ = False
    write("old", age=7200)
    write("new")
    assert messages(show(reader)) == ["new", "old"]
    assert messages(show(reader, since="1h")) == ["new"]
    assert "new" in show(reader, "download", since="1h")


def test_a_log_that_the_owner_adds_is_shown(
    reader: Client, write: Write, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A third file in LOGGING is one that somebody wants to look at; the root logger may be written as any other."""
    write("in the log")
    path = tmp_path / "orders.log"
    path.write_text(f"{NOW.isoformat(timespec='milliseconds')} INFO shop [-] paid\n", encoding="utf-8")
    handlers = settings.LOGGING["handlers"]
    config = {
        "version": 1,
        "handlers": {**handlers, "orders_file": {**handlers["file"], "filename": path}},
        "loggers": {"": {"handlers": ["file"]}, "shop.orders": {"handlers": ["orders_file"]}},
    }
    # Not by the fixture alone: Django 6.1 would set up logging anew with it.
    monkeypatch.setattr(django_settings, "LOGGING", config)
    assert messages(show(reader, log="orders")) == ["paid"]
    settings.DEBUG, settings.LOG_FILES = True, "rotate"
    home = reader.get("/").text
    assert "orders.log" in home
    assert "records of shop.orders" in home


def test_an_asgi_server_streams_the_download(write: Write, rf: RequestFactory, async_rf: AsyncRequestFactory) -> None:
    """Under ASGI a download that is made in one go takes the memory of all, and the event loop's time."""
    write("hello")
    address = reverse("admin:applog_log_download")
    response = download.download(async_rf.get(address))
    assert isinstance(response, StreamingHttpResponse)
    assert response.is_async

    async def read() -> bytes:
        return b"".join([piece async for piece in response])

    assert asyncio.run(read()) == download.download(rf.get(address)).getvalue()


def test_who_finds_no_place_is_told_so_at_once(reader: Client, write: Write) -> None:
    """A few readers with slow searches would take all threads of the site."""
    write("hello")
    address = reverse("admin:applog_log_changelist")
    token = re.findall('data-token="([^"]*)"', show(reader, live="1"))[0]
    kept = [reader.get(f"{address}download/") for _ in range(places.PLACES)]
    for path in (address, f"{address}download/", f"{address}news/?token={token}"):
        response = reader.get(path)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert str(places.BUSY) in response.text
    assert all(b"hello" in response.getvalue() for response in kept)  # closed, they would end the test's connection
    assert messages(show(reader)) == ["hello"]


def test_a_download_that_nobody_reads_ends(reader: Client, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep a thread and a place, and a few of them the site."""
    monkeypatch.setattr(download, "UNREAD_SECONDS", 0.1)
    for number in range(2000):
        write("x" * 1000, age=number)
    address = f"{reverse('admin:applog_log_changelist')}download/"
    downloads = [iter(reader.get(address)) for _ in range(places.PLACES)]
    for parts in downloads:
        assert len(next(parts)) < 2 * download.DOWNLOAD_CHARACTERS
    deadline = time.monotonic() + 10
    for _ in downloads:
        while not places.take():
            assert time.monotonic() < deadline
    for _ in downloads:
        places.give_back()
    assert [list(parts) for parts in downloads] == [[]] * places.PLACES


def test_a_page_is_bounded_by_its_size_too(reader: Client, write: Write) -> None:
    """A hundred records of 64 KB are a page of many megabytes, for the server and for the browser."""
    for number in range(60):
        write(f"{number:02}" + "x" * 60_000, age=60 - number)
    page = show(reader)
    assert 10 < len(messages(page)) < 25
    [link] = re.findall(r'<a href="([^"]*)" rel="next">Older', page)
    older = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}").text
    numbers = [int(message[:2]) for message in messages(page) + messages(older)]
    assert numbers == list(range(59, 59 - len(numbers), -1))


def test_letters_from_right_to_left_keep_to_themselves(reader: Client, write: Write) -> None:
    """They would turn round the numbers behind them: 500 - 7 is read as 7 - 500."""
    write("\u05d0\u05d1 \u05d2: 500 - 7")
    assert messages(show(reader)) == ["\u2068\u05d0\u05d1 \u05d2\u2069: 500 - 7"]
    assert len(messages(show(reader, text="\u2068\u05d0\u05d1 \u05d2\u2069: 5"))) == 1  # as copied from the page


def test_nothing_that_was_logged_becomes_part_of_the_page(reader: Client, write: Write) -> None:
    """Everybody can have something logged: an attacker's script must not run with an administrator's rights."""
    attack = "<script>alert(1)</script>\x1b[2J\u202e\x00"
    write(attack, attack, level="<b>", logger="<i>", request="r1")
    page = show(reader)
    assert page.count(r"&lt;script&gt;alert(1)&lt;/script&gt;\x1b[2J\u202e\x00") == 3  # also as the summary
    assert "&lt;b&gt;" in page
    assert "&lt;i&gt;" in page
    own = page.partition("<main")[2].partition("</main>")[0]
    assert not re.search(r"<script|<i>| style=|[\x00\x1b\u202e]", own)


def counted(page: str) -> Counter[str]:
    """Return what the table of the histogram counts, by level."""
    table = page.partition("As a table")[2].partition("</table>")[0]
    levels = re.findall(r'<th scope="col">([A-Z]+)</th>', table)
    rows = [re.findall(r"<td>([\d,]*)</td>", row) for row in table.split("<tr>")[2:]]
    return Counter({level: sum(int(row[i] or 0) for row in rows) for i, level in enumerate(levels)})


@pytest.mark.parametrize("log", ["django", "all"])
def test_a_search_never_finds_what_the_log_has_of_searches(reader: Client, write: Write, log: str) -> None:
    """Each search is recorded, with its words: the second one would find the first, and count it."""
    reads = "sensitive_read from 127.0.0.1 by user 1: log page, django, text=missing"
    for name in ("django", "security"):
        write(reads, log=name, logger="applog.security")
    chosen = {"log": log} if log == "all" else {}
    for kind in ({}, {"kind": "pattern"}):
        page = show(reader, text="missing", **chosen, **kind)
        assert not messages(page)
        assert not counted(page)
    assert messages(show(reader, text="sensitive_read", **chosen)) == [reads]
    assert not messages(show(reader, **chosen))
    assert messages(show(reader, own="1", **chosen)) == [reads]
    assert messages(show(reader, log="security")) == [reads]


def test_the_histogram_counts_compressed_files_too(reader: Client, write: Write, files: dict[str, Path]) -> None:
    """A legend that leaves out five days says nothing of it."""
    for number in range(40):
        write("x", level="ERROR", age=3600 - number)
    path = files["django"]
    path.with_name(f"{path.name}.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert counted(show(reader)) == {"ERROR": 40}
    write("x", level="ERROR", age=10)
    assert counted(show(reader)) == {"ERROR": 41}


def test_a_record_of_the_future_does_not_blank_the_histogram(reader: Client, write: Write) -> None:
    """A clock that was wrong once would hide everything else for years."""
    for number in range(300):
        write("x", age=400 - number)
    write("wrong clock", age=-70 * 365 * 86400)
    for query in ({}, {"since": "1h"}):
        assert counted(show(reader, **query)) == {"INFO": 300}
    assert len(messages(show(reader))) == 100


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ({}, 30),
        ({"since": "2026-10-25 02:30"}, 21),
        ({"since": "2026-10-25T02:25:00+02:00", "until": "2026-10-25T02:15:00+01:00"}, 5),
    ],
)
def test_an_hour_that_comes_twice_has_a_bar_for_each_time(
    reader: Client, files: dict[str, Path], settings: Any, asked: dict[str, str], number: int
) -> None:
    """The link of a bar must lead to the records that it counts."""
    settings.TIME_ZONE = "Europe/Berlin"
    begin = datetime(2026, 10, 24, 23, tzinfo=UTC)
    lines = [
        f"{(begin + timedelta(minutes=10 * number)).isoformat(timespec='milliseconds')} INFO shop [-] {number}\n"
        for number in range(30)
    ]
    files["django"].write_text("".join(lines), encoding="utf-8")
    page = show(reader, **asked)
    assert counted(page).total() == len(messages(page)) == number
    bars = re.findall(r'<a href="([^"]*)" tabindex="-1"><title>([^<]*): ([\d,]+) ', page)
    names = [name for _, name, _ in bars]
    assert len(names) == len(set(names))
    for query, _, label in bars:
        there = reader.get(f"{reverse('admin:applog_log_changelist')}{query.replace('&amp;', '&')}").text
        assert len(messages(there)) == int(label), query


def test_one_error_is_visible_among_many_records(reader: Client, write: Write) -> None:
    """A histogram is looked at for the one red line in it."""
    for _ in range(500):
        write("x", age=10)
    write("x", level="ERROR", age=10)
    [height] = re.findall(r'<rect class="log-error"[^>]* height="([\d.]+)"', show(reader))
    assert float(height) >= 1


@pytest.mark.parametrize("days", [0, 1, 80, 200])
def test_the_histogram_counts_each_record_once(reader: Client, write: Write, days: int) -> None:
    """A bar that is missing is an outage that nobody sees."""
    for number in range(200):
        level = "ERROR" if number % 10 == 0 else "INFO"
        write("x", level=level, age=days * 86400 * (200 - number) // 200)
    page = show(reader)
    if days < 120:
        assert counted(page) == {"ERROR": 20, "INFO": 180}
        assert "There is more" not in page
    else:  # more days than bars
        assert 100 < counted(page).total() < 200
        assert "There is more" in page
    bars = re.findall(r'<a href="([^"]*)" tabindex="-1"><title>.*?: ([\d,]+) ', page)
    for query, _ in bars[:: max(1, len(bars) // 5)]:
        assert messages(reader.get(f"{reverse('admin:applog_log_changelist')}{query.replace('&amp;', '&')}").text)


def test_what_takes_too_long_says_so_and_goes_on(reader: Client, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a log of many gigabytes "No records." would be a lie, and a page that never comes no answer."""
    monkeypatch.setattr(histogram, "SECONDS", -1)
    monkeypatch.setattr(views, "READ_SECONDS", -1)
    write("the first", level="ERROR", age=500)
    for number in range(400):
        write("x" * 1000, age=400 - number)
    page = show(reader, text="the first")
    assert not messages(page)
    assert "none so far" in page
    assert "until=" in re.findall(r'<a href="([^"]*)">Count what is older', page)[0]
    for _ in range(20):
        [link] = re.findall(r'<a href="([^"]*)">Keep looking', page)
        page = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}").text
        if messages(page):
            break
    assert messages(page) == ["the first"]
    page = show(reader)
    assert 0 < counted(page).total() < 401
    [link] = re.findall(r'<a href="([^"]*)">Count what is older', page)
    assert "until=" in link


@pytest.mark.parametrize(
    "query",
    [
        {"file": "/etc/passwd"}, {"log": "../db.sqlite3"}, {"level": "LOUD"}, {"kind": "pattern", "text": "("},
        {"kind": "pattern", "text": "[a"}, {"text": "\0"}, {"request": "a b"},
        {"since": "soon"}, {"until": "0001-01-01T00:00+14:00"}, {"before": "django:1.2.3"}, {"after": "passwd:1.2.3.4"},
        {"before": "django:1.2.3.4", "after": "django:1.2.3.4"}, {"level": ["INFO", "ERROR"]},
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused_with_a_sentence(reader: Client, write: Write, query: dict[str, Any]) -> None:
    """A page that ignores what it was asked for shows something else than its reader believes."""
    write("hello")
    response = reader.get(reverse("admin:applog_log_changelist"), query)
    assert response.status_code == 400
    [sentence] = said(response.text)
    assert sentence.endswith(".")
    assert not messages(response.text)
    assert "Nothing was searched." in response.text
    assert "<b>django.log</b>" in response.text  # its files are there to be looked at
    assert reader.get(reverse("admin:applog_log_download"), query).status_code == 400


def said(page: str) -> list[str]:
    """Return the sentences that a page refuses its address with."""
    [note] = re.findall('<p class="errornote" role="alert">(.*?)</p>', page)
    return re.findall("<bdi>(.*?)</bdi>", note)


@pytest.mark.parametrize("name", ["changelist", "errors"])
def test_all_that_is_wrong_is_said_at_once(reader: Client, write: Write, settings: Any, name: str) -> None:
    """Whoever mends one word of an address, and is told of the next one, gives up."""
    write("hello")
    wrong = {"since": "soon", "kind": "x", "log": "x", "before": "x", "unknown": "x"}
    address = reverse(f"admin:applog_log_{name}")
    sentences = said(reader.get(address, wrong).text)
    labels = [sentence.partition(": ")[0] for sentence in sentences if ": " in sentence]
    assert sorted(labels) == ["From", "Kind of search", "Log", "before"]
    assert len(sentences) == 5
    if name == "changelist":
        assert reader.get(f"{address}download/", wrong).text.count("\n") == 3  # which does not know "before"
    settings.LANGUAGE_CODE = "de"
    assert any(sentence.startswith("Art der Suche: ") for sentence in said(reader.get(address, wrong).text))


def test_a_model_without_a_table_troubles_nobody(tmp_path: Path) -> None:
    """A back-up by dumpdata must not end because the log is no table."""
    call_command("dumpdata", output=str(tmp_path / "dump.json"))
    assert "auth.permission" in (tmp_path / "dump.json").read_text(encoding="utf-8")


def test_what_is_searched_for_is_marked(reader: Client, write: Write) -> None:
    """The eye should find in a long line what the search has found."""
    write("Payment of <b> payments", "payment failed", "a pay\tment", age=1)
    page = show(reader, text="PAYMENT")
    assert "<mark>Payment</mark> of &lt;b&gt; <mark>payment</mark>s" in page
    assert "<mark>payment</mark> failed" in page
    assert "3 hits on this page" in page
    assert "<mark>of &lt;b&gt;</mark>" in show(reader, text="of <b>")
    assert "<mark>t of</mark>" in show(reader, text="t.of", kind="pattern")
    assert "hits" not in show(reader)


def test_what_is_in_the_way_is_left_out(reader: Client, write: Write) -> None:
    """The noise of one loop hides the rest; to name all that is wanted in its place takes too long."""
    write("noise 1", logger="shop.noise")
    write("noise 2", "needle", level="DEBUG")
    write("wanted", level="ERROR", request="r9")
    write("-dash and a two words", level="WARNING")
    found = {
        "-noise": ["-dash and a two words", "wanted"],
        '-noise -"two words"': ["wanted"],
        "-needle noise": ["noise 1"],
        "\\-dash": ["-dash and a two words"],
        "wanted -WANTED": [],
    }
    for text, expected in found.items():
        page = show(reader, text=text)
        assert messages(page) == expected, text
        assert counted(page).total() == len(expected), text
    assert messages(show(reader, logger="-shop.noise"))[-1] == "noise 2"
    assert counted(show(reader, logger="-shop.noise")).total() == 3
    assert messages(show(reader, logger="shop,-shop.noise")) == messages(show(reader, logger="-shop.noise"))
    assert messages(show(reader, level="=INFO,ERROR")) == ["wanted", "noise 1"]
    assert messages(show(reader, level="-INFO,DEBUG")) == ["-dash and a two words", "wanted"]
    assert counted(show(reader, level="-INFO,DEBUG")) == {"ERROR": 1, "WARNING": 1}


def test_each_filter_in_use_can_be_left_out_by_a_click(reader: Client, write: Write) -> None:
    """Who cannot see why there is nothing to see takes the log for empty."""
    write("a wanted record", level="ERROR", request="r1")
    words = 'wanted -noise -"two words"'
    query = {"text": words, "level": "=ERROR", "request": "r1", "logger": "shop,-db", "since": "2026-02-09"}
    page = show(reader, **query)
    assert messages(page) == ["a wanted record"]
    block = re.findall(r'<ul class="log-chips".*?</ul>', page, re.DOTALL)[0]
    chips = dict(re.findall(r'<a href="([^"]*)" title="Without this filter"><bdi>(.*?)</bdi>', block))
    assert len(chips) == 8
    for link, words in chips.items():
        there = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}")
        assert there.status_code == 200, words
        left = re.findall(r"<bdi>(.*?)</bdi> <span", there.text)
        assert sorted(left) == sorted(set(chips.values()) - {words})
        assert messages(there.text) == ["a wanted record"]


def test_the_legend_shows_one_level_or_leaves_it_out(reader: Client, write: Write) -> None:
    """The red part of a bar is clicked on by who wants the errors."""
    for level in ("INFO", "WARNING", "ERROR"):
        write(level.lower(), level=level)
    page = show(reader, level="WARNING")
    legend = re.findall(r'<a (?:class="log-hide" )?href="([^"]*)"[^>]*title="(Only these|Without \w+)">', page)
    shown = [
        messages(reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}").text)
        for link, _ in legend
    ]
    assert shown == [["error"], ["warning"], ["warning"], ["error"]]
    assert "Only these" in show(reader, level="=ERROR")
    assert "Without ERROR" not in show(reader, level="=ERROR")  # which would leave nothing


def test_no_link_of_a_record_is_refused(reader: Client, files: dict[str, Path]) -> None:
    """Other programs' loggers, requests and fields are called as they like."""
    time = NOW.isoformat(timespec="milliseconds")
    odd = [
        {"logger": "my shop", "request_id": "dGVzdA=="},
        {"logger": "a,b", "a=b": "1"},
        {"logger": "-shop", "note": "x\0y"},
        {"logger": "l" * 250, "quoted": "'" * 190},
        {"logger": "fine", "request_id": "fine.1", "fine": "two words"},
    ]
    records = [{"timestamp": time, "level": "ERROR", "message": "m", **fields} for fields in odd]
    files["django"].write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    page = show(reader)
    for words, kind in (("Records of this logger", "logger"), ("All records of this request", "request")):
        [link] = re.findall(rf'<a href="([^"]*)" title="{words}"', page)
        assert f"{kind}=fine" in link
    links = re.findall(r'<a href="([^"]*)" title="Records with this value"', page)
    assert [*filter(lambda link: "fine" in link, links)]
    for link in links:
        there = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}")
        assert (there.status_code, len(messages(there.text))) == (200, 1)


def test_a_record_is_shown_among_its_neighbours(reader: Client, write: Write) -> None:
    """What was logged next says how it ended."""
    for number in range(150):
        write(f"number {number}", level="ERROR" if number == 75 else "INFO", age=150 - number)
    page = show(reader, level="ERROR")
    [link] = re.findall(r'<a href="([^"#]*)#log-marked" title', page)
    page = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}").text
    assert messages(page) == [f"number {number}" for number in reversed(range(26, 126))]
    [marked] = re.findall(r'<tr class="[^"]* log-marked" id="log-marked" aria-current="true">.*?</tr>', page, re.DOTALL)
    assert messages(marked) == ["number 75"]
    for name, first, last in (("prev", 149, 126), ("next", 25, 0)):
        [link] = re.findall(rf'<a href="([^"]*)" rel="{name}">', page)
        there = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}").text
        assert [messages(there)[0], messages(there)[-1]] == [f"number {first}", f"number {last}"]


def test_a_day_is_written_once_above_its_records(reader: Client, write: Write) -> None:
    """A date in each line takes the room of the message."""
    for number in range(4):
        write(f"{number}", age=(3 - number) * 43_200)
    days = re.findall('<tr class="log-day" data-day="([^"]*)"', show(reader))
    assert days == sorted(set(days), reverse=True)
    assert len(days) in {2, 3}


def test_times_are_shown_in_the_zone_that_is_asked_for(reader: Client, files: dict[str, Path], settings: Any) -> None:
    """Who looks from another continent should not have to count on fingers."""
    settings.TIME_ZONE = "Europe/Berlin"
    files["django"].write_text("2026-02-09T23:30:00.000+00:00 INFO shop [-] x\n", encoding="utf-8")
    page = show(reader)
    assert "Europe/Berlin, UTC+0" in page
    assert ('data-day="2026-02-10"' in page, ">00:30:00.000</time>" in page) == (True, True)
    page = show(reader, zone="America/New_York", since="2026-02-09 18:00", until="2026-02-09 19:00")
    assert messages(page) == ["x"]
    assert ('data-day="2026-02-09"' in page, ">18:30:00.000</time>" in page) == (True, True)
    for zone in ("Mars", "../../etc/passwd", "CON", "/etc/localtime"):
        assert reader.get(reverse("admin:applog_log_changelist"), {"zone": zone}).status_code == 400


def test_a_field_of_a_json_record_is_a_filter(reader: Client, files: dict[str, Path]) -> None:
    """The slow route and the one customer are known by a field, not by a word."""
    lines = [
        {"timestamp": NOW.isoformat(), "level": "INFO", "logger": "shop", "message": f"m{number}\nbelow",
         "order": number, "shop.note": "two words" if number % 2 else None}
        for number in range(4)
    ]  # fmt: skip
    files["django"].write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    page = show(reader)
    assert re.findall('<pre class="log-whole"[^>]*>(.*?)</pre>', page, re.DOTALL)[0] == "m3\nbelow"
    links = re.findall('<dd><a href="([^"]*)"', page)
    assert len(links) == 8
    for link in links[:2]:
        there = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}").text
        assert len(messages(there)) in {1, 2}
        assert counted(there).total() == len(messages(there))
    assert messages(show(reader, field='order=1 "shop.note=two words"')) == [r"m1\nbelow"]
    assert messages(show(reader, field="shop.note=null")) == [r"m2\nbelow", r"m0\nbelow"]
    for wrong in ("order", '"', "=1"):
        assert reader.get(reverse("admin:applog_log_changelist"), {"field": wrong}).status_code == 400


def test_a_folded_traceback_says_what_was_raised(reader: Client, write: Write) -> None:
    """The last line of a group is its frame, and that of an exception with a note is the note."""
    start = "Traceback (most recent call last):\n  File 'a.py', line 1, in f"
    group = "  | ExceptionGroup: 3 mails (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | OSError: x"
    note = f"{start}\nValueError: cannot write\nwhile writing a.png"
    for below in (note, f"  + Exception Group {start}\n{group}\n    +-----", "last"):
        write("x\n" + "\n".join(f"    {line}" for line in below.split("\n")), level="ERROR")
    found = re.findall('class="log-last">([^<]*)<', show(reader))
    assert [re.sub(r" *\(\d+ lines?\)", "", text).strip() for text in found] == [
        "last", "ExceptionGroup: 3 mails (1 sub-exception)", "ValueError: cannot write",
    ]  # fmt: skip


def test_live_mode_moves_the_chart(
    reader: Client, write: Write, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Records that come in below a chart of an hour ago are two stories."""
    write("old")
    [token] = re.findall('data-token="([^"]+)"', show(reader, live="1"))
    write("new", level="ERROR")
    news = reader.get(reverse("admin:applog_log_news"), {"token": token}).json()
    assert (news["count"], news["chart"]) == (1, "")
    later = time.time() + 6
    monkeypatch.setattr("applog.page.views.time.time", lambda: later)
    news = reader.get(reverse("admin:applog_log_news"), {"token": news["token"]}).json()
    assert counted(news["chart"]) == {"INFO": 1, "ERROR": 1}
    assert not reader.get(reverse("admin:applog_log_news"), {"token": news["token"]}).json()["chart"]


@pytest.mark.parametrize("name", ["changelist", "errors", "requests"])
def test_each_word_of_the_page_is_translated(
    reader: Client, write: Write, settings: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """German comes with the log; any other language is a file beside it."""
    monkeypatch.setattr(histogram, "SECONDS", 30)  # however slow this machine is, all are counted
    with (ROOT / "applog/locale/de/LC_MESSAGES/django.mo").open("rb") as file:
        words = "".join(f"{text}\n" for text in GNUTranslations(file)._catalog if isinstance(text, str))  # type: ignore[attr-defined]
    sentences = {text for text in words.splitlines() if " " in text and "%" not in text}
    for number in range(2400):
        level = "ERROR" if number % 2 else "INFO"
        write(f"from 192.0.2.7: GET /shop/ 200 in {number}.0 ms", level=level, logger="applog.request", age=number)
    query = {"since": "7d", "zone": "Asia/Tokyo", "text": "shop -other"} if name != "requests" else {}
    english = show(reader, name, **query)
    settings.LANGUAGE_CODE = "de"
    german = show(reader, name, **query)
    seen = {text for text in sentences if f">{text}<" in english or f'"{text}"' in english}
    assert len(seen) > 5
    assert {text for text in seen if f">{text}<" in german or f'"{text}"' in german} == set()
    assert re.search(r">\d\.\d{3}\b", german)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"level": "LOUD"}, "'LOUD' ist keine Stufe; die Stufen sind DEBUG, INFO, WARNING, ERROR und CRITICAL."),
        ({"logger": "shop,"}, "Der Name eines Loggers fehlt; zwischen Namen stehen Kommas."),
        ({"kind": "pattern", "text": "100 %s ("}, "Dieser reguläre Ausdruck ist nicht zu gebrauchen: missing ) at "),
    ],
)
def test_what_a_search_is_refused_for_is_translated(
    reader: Client, write: Write, settings: Any, query: dict[str, str], sentence: str
) -> None:
    """The reader of logs knows no language: its sentences are translated by the page."""
    settings.LANGUAGE_CODE = "de"
    response = reader.get(reverse("admin:applog_log_changelist"), query)
    assert response.status_code == 400
    assert sentence in unescape(response.text)
    for age in (60, 6000):
        write("x", age=age)
    assert ": keine Einträge</title>" in show(reader)


FORMATTERS = [TextFormatter, JsonFormatter]


def fail(shelf: str) -> Any:
    """Return what is to be logged of an exception whose text has no words but one in quotes."""
    shelves: dict[str, int] = {}
    try:
        shelves[shelf]
    except KeyError:
        return sys.exc_info()
    return None


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_errors_are_shown_by_their_kind(site: Site, formatter: Callable[[], logging.Formatter]) -> None:
    """Who sees a thousand tracebacks does not see the one that matters."""
    site.log(formatter(), "old", age=3 * 86400)
    for number in range(12):
        given = {"exc_info": fail(f"shelf {number}"), "request_id": f"request{number % 4}"}
        site.log(formatter(), f"Order {number}", age=3600 - number, **given)
    site.log(formatter(), "A warning", levelname="WARNING", levelno=logging.WARNING, exc_info=fail("other"))
    site.log(formatter(), "no error", levelname="WARNING", levelno=logging.WARNING)
    page = site.page("errors")
    assert page.count('<tr class="log-') == 2
    assert [text.count("new since yesterday") for text in (page, site.page("errors", since="1h"))] == [1, 0]
    shown = re.escape(f"<b>KeyError</b> {escape(repr('other'))}")
    assert site.follow(page, shown).count('class="log-row') == 13
    assert "request3" in site.follow(page, "Last request")
    assert 'id="log-marked"' in site.follow(page, "What came before")


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_requests_are_shown_by_their_route(site: Site, formatter: Callable[[], logging.Formatter]) -> None:
    """Which page is slow, or fails, is what the records of requests are kept for."""
    for number in range(1, 101):
        given = {"age": number, "request_id": f"request{number}", "route": "orders/<int:pk>/"}
        site.log_request(formatter(), f"/orders/{number}/", 500 if number == 100 else 200, float(number), **given)
    site.log(formatter(), "GET /forged/ 200 in 9.0 ms applog.request [x] from a: GET /forged/ 200 in 9.0 ms")
    page = site.page("requests")
    assert "1.0%" in page
    assert "forged" not in page
    assert "request100" in site.follow(page, "100.0")
    name = "/orders/<int:pk>/" if formatter is JsonFormatter else "/orders/#/"
    records = site.follow(page, re.escape(f"<b>GET</b> {escape(name)}").removesuffix("<"))
    assert records.count('class="log-row') == 100


def test_hostile_records_break_no_page(site: Site) -> None:
    """Whoever can write into the log would choose what its readers see."""
    site.log_hostile(TextFormatter(), JsonFormatter())
    for name in "errors", "requests":
        page = site.page(name)
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert 'style="' not in page


def test_an_empty_answer_says_so(site: Site) -> None:
    """An empty table may mean anything."""
    assert "No errors." in site.page("errors")
    assert "No requests." in site.page("requests")


def test_a_page_goes_on_where_the_last_one_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large log only the newest second's worth could ever be seen."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = f"{stamp} ERROR shop [-] failed\n{stamp} INFO applog.request [-] from 192.0.2.7: GET / 200 in 1.0 ms\n"
    monkeypatch.setattr("applog.page.errors.READ_SECONDS", 0)  # one record a page
    monkeypatch.setattr("applog.page.requests.READ_SECONDS", 0)  # one block
    for name, lines in (("errors", 20), ("requests", 3000)):
        site.path.write_text(line * lines, encoding="utf-8")
        page, number = site.page(name), 0
        while "Keep looking" in page:
            [link] = re.findall(r'href="\?([^"]*)">Keep looking', page)
            query = {key: values[0] for key, values in parse_qs(unescape(link)).items()}
            page, number = site.page(name, HTTPStatus.OK, **query), number + 1
        assert number
        assert f">{lines:,}<" in page
    again = site.page("requests", before=query["before"])  # another process answers
    assert "Only what is older" in again
    assert "3,000" not in again


def test_pages_are_for_readers_only(site: Site, client: Client) -> None:
    """Errors tell as much as the records do."""
    for query in (
        {"sort": "x"},
        {"since": "x"},
        {"since": "1h", "until": "2h"},
        {"before": "x"},
        {"path": "/etc/passwd"},
    ):
        for name in "errors", "requests":
            assert 'class="errornote"' in site.page(name, 400, **query)
    for name in "errors", "requests":
        assert client.post(reverse(f"admin:applog_log_{name}")).status_code == HTTPStatus.METHOD_NOT_ALLOWED
        with places.place(), places.place():
            assert site.page(name, 503)
    client.force_login(get_user_model().objects.create_user("other", is_staff=True))
    for name in "errors", "requests":
        assert site.page(name, 403)


@pytest.mark.parametrize("level", ["info", "Warning", "WARN", "FATAL"])
def test_a_level_in_other_letters_leaves_no_page_without_an_answer(reader: Client, write: Write, level: str) -> None:
    """What is left out was counted under another name than it was taken away: the chart divided by nothing."""
    for _ in range(3):
        write("x", level=level)
    assert not messages(show(reader, logger="-shop"))
    assert counted(show(reader)).total() == 3


def test_a_bar_leads_to_what_it_counts_where_the_time_begins(reader: Client, write: Write) -> None:
    """An hour asked for at half past begins in the middle of a bar, whose link began before it."""
    for number in range(370):
        write("x", age=10 * number)
    page = show(reader, since="1h")
    bars = re.findall(r'<a href="([^"]*)" tabindex="-1"><title>[^<]*: ([\d,]+) ', page)
    assert len(bars) > 20
    for query, label in (bars[0], bars[-1]):
        there = reader.get(f"{reverse('admin:applog_log_changelist')}{query.replace('&amp;', '&')}").text
        assert len(messages(there)) == int(label)


def test_no_bar_leads_to_a_time_that_is_over_before_it_begins(reader: Client, write: Write) -> None:
    """Who clicks on a bar sees only its records; a bar that begins where these end would be refused."""
    for number in range(100):
        write("x", age=60 * number)
    address = reverse("admin:applog_log_changelist")
    page = show(reader)
    for _ in range(2):
        bars = re.findall(r'<a href="([^"]*)" tabindex="-1"><title>[^<]*: (\d+|no) ', page)
        answers = [reader.get(address + unescape(query)) for query, _ in bars]
        assert {answer.status_code for answer in answers} == {200}
        assert [str(len(messages(answer.text)) or "no") for answer in answers] == [number for _, number in bars]
        page = answers[len(bars) // 2].text


def test_a_button_of_time_leads_to_the_time_up_to_now(reader: Client, write: Write) -> None:
    """An hour that ends with the bar of yesterday, which was looked at before, would be refused."""
    write("old", age=86400)
    write("new", age=60)
    page = show(reader, since="2d", until="2h")
    assert messages(page) == ["old"]
    buttons = re.findall(r'<a href="([^"]*)"([^>]*)><bdi>(any|1 hour|24 hours|7 days)</bdi>', page)
    address = reverse("admin:applog_log_changelist")
    found = {label: messages(reader.get(address + unescape(query)).text) for query, _, label in buttons}
    assert found == {"any": ["new", "old"], "1 hour": ["new"], "24 hours": ["new"], "7 days": ["new", "old"]}
    for query, chosen in (({}, ["7 days"]), ({"until": "2h"}, [])):
        page = show(reader, since="7d", **query)
        selected = re.findall(r"<a [^>]*aria-current[^>]*><bdi>(any|1 hour|24 hours|7 days)</bdi>", page)
        assert selected == chosen


def test_records_that_the_chart_has_no_bar_for_are_told(reader: Client, write: Write) -> None:
    """A clock that was set back, or wrong once, must not make a number smaller than what is below it."""
    for number in range(20):
        write("x", age=7200 - number)
    write("wrong once", age=3 * 86400)
    write("wrong too", age=-5 * 86400)
    for number in range(5):
        write("set back", age=10800 - number)
    page = show(reader)
    told = re.search(r"Not in the chart: (\d+) records", page)
    assert told
    assert counted(page).total() + int(told[1]) == len(messages(page)) == 27
    assert 2 <= int(told[1]) < 7  # of those that were set back, the first bar may begin with the last one


def test_a_clock_that_was_behind_does_not_make_a_part_the_whole(
    reader: Client, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was counted last is not what is oldest, and a chart from there on would lack most of its records."""
    monkeypatch.setattr(histogram, "SECONDS", 0)  # one block
    for number in range(1200, 0, -1):
        behind = 14 * 86400 if 10 < number < 60 else 0
        write("x" * 500, age=number * 1800 + behind)
    page = show(reader)
    assert "There is more" in page
    [shown] = re.findall(r"<bdi>more than (\d+) records", page)
    begin = re.findall(r'<a href="([^"]*)" tabindex="-1">', page)[0]
    since = parse_qs(unescape(begin)[1:])["since"][0]
    monkeypatch.setattr(histogram, "SECONDS", 60)
    assert counted(show(reader, since=since)).total() == int(shown) > 20


def test_a_clock_that_was_set_back_by_a_year_leaves_a_chart(reader: Client, write: Write) -> None:
    """The last record's time is not the last one, and a year has more days than a chart has bars."""
    for day in range(200):
        write("x", age=(200 - day) * 86400)
    write("set back", age=200 * 86400 - 60)
    page = show(reader)
    assert 100 < counted(page).total() < 130
    assert page.count('tabindex="-1"><title>') <= 122
    assert "There is more" in page


@pytest.mark.parametrize("last", [60, -40000])
@pytest.mark.parametrize("query", [{}, {"until": "10m"}])
def test_a_first_record_made_while_the_clock_was_ahead_leaves_a_chart(
    reader: Client, write: Write, last: int, query: dict[str, str]
) -> None:
    """A chart that begins with it, or none at all, lacks nearly all records."""
    write("ahead", age=-50000 if query or last < 0 else 100)
    for number in range(200, 0, -1):
        write("x", age=number * 60)
    write("last", age=last)
    page = show(reader, **query)
    assert counted(page).total() >= (185 if query else 198)
    assert len(re.findall(r"<th scope=\"row\">", page)) > 30


@pytest.mark.parametrize("hours", [1, 3])
def test_a_zone_whose_clocks_change_by_half_an_hour(
    reader: Client, files: dict[str, Path], settings: Any, hours: int
) -> None:
    """A bar whose begin is counted in another way than the records has none from there on."""
    settings.TIME_ZONE = "Australia/Lord_Howe"
    begin = datetime(2026, 4, 4, 3, tzinfo=UTC)
    times = [begin + timedelta(minutes=10 * hours * number) for number in range(200)]
    lines = [f"{time.isoformat(timespec='milliseconds')} INFO shop [-] x\n" for time in times]
    files["django"].write_text("".join(lines), encoding="utf-8")
    page = show(reader)
    assert counted(page).total() == 200
    for query, label in re.findall(r'<a href="([^"]*)" tabindex="-1"><title>[^<]*: ([\d,]+) ', page):
        there = reader.get(f"{reverse('admin:applog_log_changelist')}{query.replace('&amp;', '&')}").text
        assert len(messages(there)) == counted(there).total() == int(label)


def follow(client: Client, page: str, heading: str) -> list[tuple[int, int]]:
    """Return how many records each row of Errors or Requests counts, and how many its link leads to."""
    row = rf'class="log-what"[^>]*? href="([^"]+)">.*?data-label="{heading}">(?:<b>)?([\d,]+)'
    found = re.findall(row, page, re.DOTALL)
    folder = reverse("admin:applog_log_changelist")
    return [(int(number), len(messages(client.get(folder + unescape(link)[3:]).text))) for link, number in found]


def test_a_kind_of_errors_leads_to_what_was_counted(reader: Client, write: Write) -> None:
    """Warnings, where they are asked for, too, and no refusals, which are none."""
    trace = "Traceback (most recent call last):", '  File "a.py", line 1, in f', "ValueError: no"
    for _ in range(2):
        write("boom", *trace, level="ERROR", age=60)
        write("disk low", level="WARNING", age=60)
        write("authz_fail: no", *trace, level="WARNING", logger="applog.security", age=60)
    assert follow(reader, show(reader, "errors"), "Records") == [(2, 2)]
    assert (2, 2) in follow(reader, show(reader, "errors", level="WARNING"), "Records")


def test_an_error_is_new_only_where_older_records_were_read(reader: Client, write: Write) -> None:
    """Of the last 24 hours alone nobody can tell."""
    for hour in range(60, -1, -1):
        write("boom", level="ERROR", age=3600 * hour + 60)
    for since in ("24h", "48h"):
        assert "log-new" not in show(reader, "errors", since=since)


def test_requests_without_a_route_lead_to_those_alone(reader: Client, files: dict[str, Path]) -> None:
    """A redirect of a path has no route, and what the path leads to has one."""
    lines = []
    for number in range(9):
        route = {"http.route": "/orders/"} if number < 6 else {}
        time = (NOW - timedelta(minutes=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = f"GET /orders/ {200 if route else 301} in 12.3 ms"
        head = {"timestamp": time, "level": "INFO", "logger": "applog.request", "message": message, "request_id": "a"}
        lines.append(json.dumps({**head, "http.request.method": "GET", **route}))
    files["django"].write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert sorted(follow(reader, show(reader, "requests"), "Requests")) == [(3, 3), (6, 6)]


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_a_path_leads_to_the_requests_that_its_row_counts(
    site: Site, formatter: Callable[[], logging.Formatter]
) -> None:
    """A row of one redirect led to a scanner's requests, which are in another row; one of three dots to all paths."""
    for path in ("/orders/17", "/a...", "/about/us", "/about/them", "/a" * 14, "/a" * 20):
        site.log_request(formatter(), path, 301, 1.5)
    for number in range(5):
        site.log_request(formatter(), f"/orders/{number}.php", 404, 1.5)
    rows = follow(site.client, site.page("requests"), "Requests")
    assert all(number == found for number, found in rows)
    assert sorted(number for number, _ in rows) == ([1, 1, 1, 1, 2] if formatter is JsonFormatter else [1, 1, 1, 2, 6])


@pytest.mark.parametrize(
    "line",
    [
        "0001-01-01T00:00:00.000+14:00 ERROR shop [-] x",
        "9999-12-31T23:59:59.999-12:00 ERROR shop [-] x",
        r'{"timestamp": "2026-11-24T05:00:00.000Z", "level": "ERROR", "message": "m", "f\ud800": "\udfff"}',
        r'{"timestamp": "2026-11-24T05:00:00.000Z", "level": "INFO", "logger": "applog.request", "message": '
        r'"GET / 200 in 1.0 ms", "http.route": "/\ud800", "http.request.method": "GET"}',
    ],
)
def test_no_line_is_an_error_of_the_server(reader: Client, files: dict[str, Path], line: str) -> None:
    """Whoever can write one into the log could take the page from its readers."""
    files["django"].write_text(f"{line}\n", encoding="utf-8")
    for name in ("changelist", "errors", "requests"):
        show(reader, name, since="2000-01-01")
    assert len(messages(show(reader))) == 1


def test_reading_is_left_out_of_a_log_of_json_too(reader: Client, files: dict[str, Path]) -> None:
    """There the event is a field, and no part of the message."""
    head = {"timestamp": NOW.isoformat(), "level": "INFO", "logger": "applog.security"}
    lines = [{**head, "message": "log page, text='needle'", "event": "sensitive_read"}, {**head, "message": "needle"}]
    files["django"].write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert messages(show(reader, text="needle")) == ["needle"]


def test_a_copy_that_is_just_being_compressed_doubles_nothing(reader: Client, write: Write, tmp_path: Path) -> None:
    """For as long as it takes, or for ever after a crash, both are there."""
    write("once", age=60)
    path = (tmp_path / "django.log").rename(tmp_path / "django.log.1")
    path.with_name("django.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    write("last")
    page = show(reader)
    assert messages(page) == ["last", "once"]
    assert counted(page).total() == 2


@pytest.mark.parametrize(("level", "number"), [("=WARN", 1), ("=FATAL", 1), ("-WARN", 2), ("WARN", 2)])
def test_another_name_of_a_level_is_that_level(reader: Client, write: Write, level: str, number: int) -> None:
    """A filter that finds nothing says that there is nothing."""
    for name in ("INFO", "WARN", "FATAL"):
        write("x", level=name)
    page = show(reader, level=level)
    assert len(messages(page)) == counted(page).total() == number


@pytest.mark.parametrize("level", ["warning", "Warn", "WARNING"])
def test_a_level_that_was_typed_is_the_chosen_one(reader: Client, write: Write, level: str) -> None:
    """The links of levels say what the page shows."""
    write("x", level="ERROR")
    chosen = re.findall(r'<a href="[^"]*" aria-current="true"><bdi>([^<]+)</bdi>', show(reader, level=level))
    assert "WARNING" in chosen
    assert re.search(r'aria-current="true" title="Only these">ERROR', show(reader, level="=error"))
    refused = reader.get(reverse("admin:applog_log_changelist"), {"level": "lOud"}).text
    assert "&#x27;lOud&#x27; is not a level" in refused


def test_a_chart_without_records_says_how_far_it_looked(reader: Client, write: Write) -> None:
    """There may be some before the days that a chart has room for."""
    write("long ago", age=200 * 86400, level="CRITICAL")
    write("now")
    page = show(reader, level="CRITICAL")
    assert messages(page) == ["long ago"]
    assert counted(page).total() == 0
    assert "none so far" in page
    [link] = re.findall(r'<a href="([^"]*)">Count what is older', page)
    older = reader.get(f"{reverse('admin:applog_log_changelist')}{link.replace('&amp;', '&')}").text
    assert counted(older).total() == 1


def test_pages_go_on_where_a_file_was_copied_and_emptied(reader: Client, write: Write, files: dict[str, Path]) -> None:
    """Otherwise the next page shows the same records once more."""
    for number in range(250):
        write(f"m{number}", age=250 - number)
    older = re.search(r'id="log-older"><a href="([^"]+)"', show(reader))
    files["django"].with_name("django.log.1").write_bytes(files["django"].read_bytes())
    files["django"].write_bytes(b"")
    assert older
    page = reader.get(reverse("admin:applog_log_changelist") + unescape(older[1])).text
    assert messages(page) == [f"m{number}" for number in range(149, 49, -1)]
