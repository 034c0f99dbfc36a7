"""What the log says of a request: how loud, how slow, with which SQL, of which trace. The README names it all."""

import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from applog.attributes import attributes
from applog.checks import check_quiet_paths
from applog.context import parse_trace
from applog.formatters import JsonFormatter
from applog.queries import STATEMENT_CHARACTERS, without_values
from applog.tests.conftest import Manage

Record = dict[str, Any]
Served = Callable[..., list[Record]]

SHOP = """
import asyncio
import logging
import threading
import time

import applog
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import Error, connection, connections
from django.db.backends.signals import connection_created
from django.db.models.expressions import RawSQL
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path

logger = logging.getLogger("shop")


def nap(seconds):
    time.sleep(seconds)
    return 0


def teach(connection, **_):
    connection.connection.create_function("nap", 1, nap)


connection_created.connect(teach)


def prepare():
    call_command("migrate", verbosity=0)
    user = get_user_model()
    user.objects.bulk_create([user(**{user.USERNAME_FIELD: "hidden"})])


def query(alias="default"):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT nap(0.2) /* hidden */ WHERE 'hidden' <> %s AND 99887766 <> %s", ["s3cret", 5544])


def in_a_thread(target, *arguments):
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    thread.join()


def fail():
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nap(0.2), json('{hidden') WHERE %s = 'hidden'", ["hidden"])
    except Error:
        logger.info("failed")


def users():
    user = get_user_model()
    return user.objects.filter(**{user.USERNAME_FIELD: "hidden"}, pk__gt=RawSQL("nap(0.2)", []))


async def slow(request):
    await users().acount()
    return HttpResponse()


def asks(request):
    query()
    return HttpResponse(request.user.get_username())


def naps(request, level=""):
    if level:
        request.log_level = getattr(logging, level)
    time.sleep(0.2)
    return HttpResponse()


def broken(request):
    raise ZeroDivisionError


def says(request):
    logger.info("%s", applog.outgoing_headers())
    return HttpResponse()


urlpatterns = [
    path("asks/", asks),
    path("slow/", slow),
    path("naps/", naps),
    path("naps/<level>/", naps),
    path("says/", says),
    path("static/broken", broken),
    path("", include("config.urls")),
]


def get(*paths, **headers):
    for each in paths:
        Client(raise_request_exception=False).get(each, headers=headers)


async def get_side_by_side():
    await asyncio.gather(*(AsyncClient().get("/slow/") for _ in range(2)))
"""


@pytest.fixture
def served(project: Path, manage: Manage) -> Served:
    """Return a function that runs code with a shop in the project, and returns the records in its log file."""
    (project / "logged_shop.py").write_text(SHOP, encoding="utf-8")
    with (project / "config" / "settings.py").open("a", encoding="utf-8") as file:
        file.write('ROOT_URLCONF = "logged_shop"\nDATABASES["other"] = {**DATABASES["default"], "NAME": ":memory:"}\n')
        file.write("AXES_ENABLED = False\n")
    (project / "staticfiles" / "a.css").write_text("p {}", encoding="utf-8")

    def serve(code: str, **variables: str) -> list[Record]:
        result = manage("shell", "-c", f"import logged_shop as shop\n{code}", LOG_FORMAT="json", **variables)
        assert result.returncode == 0, result.stderr
        assert "Logging error" not in result.stderr
        return [json.loads(line) for line in (project / "logs/django.log").read_text("utf-8").splitlines()]

    return serve


def ends(records: list[Record]) -> dict[str, str]:
    """Return the levels of the records of requests' ends, by the paths."""
    return {record["url.path"]: record["level"] for record in records if record["logger"] == "applog.request"}


def test_probes_and_static_files_are_quiet(served: Served) -> None:
    """A probe each second, and ten files with each page, would hide the requests that somebody looks for."""
    code = "shop.get('/health/', '/static/a.css', '/static/none', '/static/broken', '/', '/healthy/')"
    records = served(code, LOG_LEVEL="DEBUG")
    quiet = dict.fromkeys(("/health/", "/static/a.css", "/static/none"), "DEBUG")
    assert ends(records) == {**quiet, "/static/broken": "INFO", "/": "INFO", "/healthy/": "INFO"}
    failures = {record["url.path"]: record["level"] for record in records if record["logger"] == "django.request"}
    assert failures == {"/static/none": "WARNING", "/static/broken": "ERROR", "/healthy/": "WARNING"}


def test_a_probe_that_fails_is_not_quiet(served: Served) -> None:
    """That the site is ill is what the probe is for."""
    records = served("shop.get('/health/')", DATABASE_URL="sqlite:////no/such/folder/db.sqlite3")
    assert ends(records) == {"/health/": "INFO"}


def test_quiet_follows_the_owner(served: Served, project: Path) -> None:
    """A list that has to be kept in step with another setting is soon wrong."""
    settings = project / "config" / "settings.py"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'{text}STATIC_URL = "https://cdn.example.com/assets/"\n', encoding="utf-8")
    code = "shop.get('/assets/none', '/static/none', '/')"
    assert ends(served(code)) == {"/static/none": "INFO", "/": "INFO"}
    settings.write_text(f'{text}STATIC_URL = "/"\n', encoding="utf-8")
    (project / "logs" / "django.log").unlink()
    assert "/" in ends(served(code))


def test_an_owner_chooses_what_is_quiet(served: Served) -> None:
    """Each load balancer asks for another page, often for the first one."""
    code = "shop.get('/', '/says/', '/naps/', '/health/')"
    assert ends(served(code, LOG_QUIET_PATHS="/, /says/,/nap")) == {"/naps/": "INFO", "/health/": "INFO"}


@pytest.mark.parametrize("paths", ["/health/", ["health/"], [7], {"/health/": 1}])
def test_quiet_paths_that_make_no_sense_are_refused(settings: Any, paths: Any) -> None:
    """Of a text each letter would be a path, the slash among them, and no request would be logged."""
    settings.LOG_QUIET_PATHS = paths
    with pytest.raises(ImproperlyConfigured, match="LOG_QUIET_PATHS must be a list of paths that begin with"):
        Client().get("/")
    [problem] = check_quiet_paths()
    assert problem.id == "applog.E001"
    settings.LOG_QUIET_PATHS = []
    assert check_quiet_paths() == []


def test_a_slow_request_is_a_warning(served: Served) -> None:
    """Who looks for what is slow does not read a million durations; a view that wants no record gets none."""
    code = "shop.get('/says/'); shop.get('/naps/', '/naps/DEBUG/', '/naps/ERROR/', '/naps/NOTSET/')"
    found = ends(served(code, LOG_SLOW_REQUEST_MS="150", LOG_QUIET_PATHS="/naps/"))
    assert found.pop("/says/") in {"INFO", "WARNING"}  # the first request of a process loads the URLs
    assert found == {"/naps/": "WARNING", "/naps/DEBUG/": "WARNING", "/naps/ERROR/": "ERROR"}


def queries(records: list[Record]) -> list[Record]:
    """Return the records of SQL that naps; on a busy machine others may be slow as well."""
    return [record for record in records if record["logger"] == "applog.queries" and "nap(" in record["message"]]


WAYS = """
shop.prepare()
shop.query()
shop.query("other")
shop.in_a_thread(shop.query)
shop.fail()
shop.get("/asks/", "/slow/")
shop.asyncio.run(shop.get_side_by_side())
shop.connection.close()
shop.query()
with shop.connection.execute_wrapper(lambda execute, *arguments: execute(*arguments)):
    shop.in_a_thread(shop.query)
    shop.connection.close()
    shop.query()
shop.query()
"""


def test_slow_sql_is_found_whoever_asks_for_it(served: Served, project: Path) -> None:
    """A second of SQL that nobody can find is a second on each request; a value of it in the log is a leak."""
    records = queries(served(WAYS, LOG_SLOW_QUERY_MS="150"))
    asked = [(record["code.function.name"], record["alias"], record.get("url.path")) for record in records]
    outside = ("logged_shop.query", "default", None)
    assert asked == [
        outside, ("logged_shop.query", "other", None), outside, ("logged_shop.fail", "default", None),
        ("logged_shop.query", "default", "/asks/"), *[("logged_shop.slow", "default", "/slow/")] * 3, *[outside] * 4,
    ]  # fmt: skip
    lines = SHOP.splitlines()
    for record in records:
        assert record["level"] == "WARNING"
        assert record["duration_ms"] > 150
        assert record["db.system.name"] == "sqlite"
        assert record["code.file.path"] == str(project / "logged_shop.py")
        assert re.search("cursor.execute|await users", lines[record["code.line.number"] - 1])
    statement = "SELECT nap(?) WHERE ? <> %s AND ? <> %s"
    assert {r["db.query.text"] for r in records if r["code.function.name"] == "logged_shop.query"} == {statement}
    assert {r["db.namespace"] for r in records if r["alias"] == "other"} == {":memory:"}
    took, _, text = records[0]["message"].partition(": ")
    assert re.fullmatch(r"SQL took \d+\.\d ms in default from logged_shop.py:\d+ query", took)
    assert text == statement
    assert not re.search("hidden|s3cret|99887766|5544", json.dumps(records))


def test_nothing_watches_the_queries_where_that_is_off(served: Served) -> None:
    """Whoever asks for none of it pays nothing for it."""
    code = (
        "import sys; shop.query()\n"
        "shop.logger.info('%s %s', shop.connection.execute_wrappers, 'applog.queries' in sys.modules)"
    )
    assert [record["message"] for record in served(code)] == ["[] False"]


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_slow_sql_is_found_behind_a_link(served: Served, project: Path, tmp_path: Path) -> None:
    """Many a site is deployed into a folder for each release, and a link says which one is served."""
    (project / "logged_orders").mkdir()
    (project / "logged_orders" / "linked.py").write_text(
        "import logged_shop as shop\n\n\ndef ask():\n    list(shop.users())\n", encoding="utf-8"
    )
    (tmp_path / "current").symlink_to(project / "logged_orders")
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'current')!r}); import linked; shop.prepare(); linked.ask()"
    [record] = queries(served(code, LOG_SLOW_QUERY_MS="150"))
    assert record["code.file.path"] == str(project / "logged_orders" / "linked.py")
    assert "from logged_orders/linked.py:5 ask: " in record["message"]


def test_a_handler_that_writes_into_a_slow_database_ends(served: Served) -> None:
    """Its own SQL would be recorded, by more SQL, until the stack is full."""
    code = (
        "class Rows(shop.logging.Handler):\n    def emit(self, record): shop.query()\n"
        "shop.logging.getLogger('applog.queries').addHandler(Rows())\nshop.query()"
    )
    assert len(queries(served(code, LOG_SLOW_QUERY_MS="150"))) == 1


def test_slow_sql_of_nobody_s_is_recorded_too(served: Served) -> None:
    """A library has its own queries: that they are slow is known, only not a line of ours."""
    code = "shop.connection.cursor().execute('SELECT nap(0.2)')"
    [record] = queries(served(code, LOG_SLOW_QUERY_MS="150"))
    assert not {"code.file.path", "url.path"} & record.keys() or record["code.file.path"].endswith("manage.py")


@pytest.mark.parametrize(
    ("vendor", "sql", "shown"),
    [
        ("sqlite", 'SELECT "a 1", b2 FROM t WHERE x = %s LIMIT 21', 'SELECT "a 1", b2 FROM t WHERE x = %s LIMIT ?'),
        ("sqlite", "WHERE x LIKE %s ESCAPE '\\' AND y = 'it''s §'", "WHERE x LIKE %s ESCAPE ? AND y = ?"),
        ("sqlite", "x = -1.5e3 + .5 + 0xFF + X'00§' + t1.c2", "x = -? + ? + ? + ? + t1.c2"),
        ("sqlite", "x = 'open § AND y = %s", "x = ?"),
        ("sqlite", 'x = "open § AND y', "x = ?"),
        ("sqlite", "a /* § ' */ b -- § '\n c", "a b c"),
        ("sqlite", "a /* § ", "a"),
        ("postgresql", r"x = E'it\'s §' AND y = e'§\\' AND z", "x = ? AND y = ? AND z"),
        ("postgresql", "x = $$it's §$$ OR y = $q$ $$ § $q$ OR z = $1 OR w = $$ §", "x = ? OR y = ? OR z = $1 OR w = ?"),
        ("postgresql", """x = U&'§' AND "it's" = N'§' """, """x = ? AND "it's" = ?"""),
        ("postgresql", "x IN (%s, %s,%s) AND y in (1, 2)", "x IN (%s) AND y in (?)"),
        ("postgresql", "VALUES (%s, %s), (%s, %s), (%s, %s) RETURNING id", "VALUES (%s, %s) RETURNING id"),
        ("oracle", "x = q'[it's §]' AND y = Nq'!it's §!' AND z = q'(§", "x = ? AND y = ? AND z = ?"),
        ("mysql", "`it's` = \"§\" # §\n AND y = 'it''s §'", "`it's` = ? AND y = ?"),
        ("mysql", r"x = '§\\' AND y = 'a\nb' AND z", "x = ? AND y = ? AND z"),
        ("mysql", r"x = 'C:\' OR y = '§' OR z", "x = ?"),
        ("mysql", "x = 'it''s' OR y = '§''", "x = ? OR y = ?"),
    ],
)
def test_values_in_a_statement_are_not_shown(vendor: str, sql: str, shown: str) -> None:
    """RawSQL and migrations have them; one mistaken quotation mark would show all values and hide all names."""
    assert without_values(sql.replace("§", "hidden"), vendor) == shown


@pytest.mark.parametrize("vendor", ["sqlite", "mysql"])
@pytest.mark.parametrize("part", ["x = %s OR ", "'a' ", "(%s, ", "'", '"', "$a$", "/*", "\\'", "1.", "a$1$", "q'["])
def test_a_statement_is_shown_in_part_and_in_little_time(vendor: str, part: str) -> None:
    """A bulk insert has megabytes."""
    text = without_values(part * (5_000_000 // len(part)), vendor)
    assert len(text) < STATEMENT_CHARACTERS + 100
    assert text.endswith(" characters in all)")


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "passed_on"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f" 00-{TRACE}-{SPAN}-00\t", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-03"),
        (f"cc-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", f"00-{TRACE}-{SPAN}-01"),
        (f"cc-{TRACE}-{SPAN}-01.what", None),
        (f"00-{TRACE}-{SPAN}-01-what", None),
        (f"00-{TRACE}-{SPAN}-01-", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-0", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"00-{TRACE[1:]}-{SPAN}-01", None),
        (f"0-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-\u0660\u0661", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_a_trace_is_read_as_its_standard_says(header: str, passed_on: str | None) -> None:
    """An id that others do not accept ends the trace there, without a word."""
    found = parse_trace({"HTTP_TRACEPARENT": header})
    assert (found.traceparent if found else None) == passed_on


def test_records_of_a_request_have_the_trace_that_it_came_with(served: Served) -> None:
    """From the trace of another service one wants to get to the records of this one, and on to the next."""
    given = f"00-{TRACE}-{SPAN}-01"
    headers = {"traceparent": given, "tracestate": "a=1", "X-Request-ID": "theirs"}
    records = served(f"shop.get('/says/', **{headers}); shop.get('/says/')", TRUSTED_PROXY_COUNT="1")
    inside, end, without, _ = records
    for record in (inside, end):
        assert (record["trace_id"], record["span_id"], record["trace_flags"]) == (TRACE, SPAN, "01")
    assert inside["message"] == str({"X-Request-ID": "theirs", "traceparent": given, "tracestate": "a=1"})
    assert "trace_id" not in without
    assert without["message"] == str({"X-Request-ID": without["request_id"]})


def test_outside_of_requests_nothing_is_passed_on(served: Served) -> None:
    """A task of its own belongs to no request; a header `-` would look like one."""
    [record] = served("shop.logger.info('%s', shop.applog.outgoing_headers())")
    assert record["message"] == "{}"


OPEN_TELEMETRY = """
import sys
from types import SimpleNamespace

context = SimpleNamespace(is_valid=True, trace_id=0xABC, span_id=0xDEF, trace_flags=1, trace_state=None)
span = SimpleNamespace(get_span_context=lambda: context)
# Stands in for the SDK, which need not be installed.
sys.modules["opentelemetry.trace"] = SimpleNamespace(get_current_span=lambda: span)
"""


def test_a_span_of_the_sdk_s_wins(served: Served) -> None:
    """It is a part of the same trace, which the tool that shows it has recorded."""
    code = f"{OPEN_TELEMETRY}\nshop.get('/says/', traceparent='00-{TRACE}-{SPAN}-01', tracestate='a=1')"
    record, *_ = served(code)
    assert (record["trace_id"], record["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert f"'traceparent': '00-{0xABC:032x}-{0xDEF:016x}-01'" in record["message"]
    assert "tracestate" not in record["message"]


README = Path(__file__).parents[1] / "README.md"


def table() -> list[list[str]]:
    """Return the rows of the README's table of fields, without those of the owner's own."""
    text = README.read_text(encoding="utf-8").partition("\n## Fields\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows[2:] if row[1].startswith("`")]


def documented() -> set[str]:
    """Return the names of the fields in JSON that the README has."""
    return {row[1].split("`")[1] for row in table()}


EVERYTHING = f"""
from applog import tasks
from applog.commands import command_log
shop.prepare()
visitor = shop.Client(raise_request_exception=False)
visitor.force_login(shop.get_user_model().objects.get())
visitor.get("/asks/", headers={{"traceparent": "00-{TRACE}-{SPAN}-01", "X-Request-ID": "theirs"}})
shop.get("/static/broken")
tasks.begin("7", "shop.pay")
tasks.end("SUCCESSFUL")
with command_log(["manage.py", "migrate"]):
    pass
shop.logger.info("where", stack_info=True)
shop.logger.info("long", extra={{"own": ["x" * 4000] * 20}})
"""


def test_the_readme_names_each_field_and_no_other(served: Served, project: Path) -> None:
    """Whoever writes a query, a dashboard or a parser starts from that table."""
    records = served(EVERYTHING, LOG_SLOW_QUERY_MS="150")
    emitted = {name for record in records for name in record}
    assert emitted == documented()


def test_a_collector_gets_what_the_readme_says() -> None:
    """OTLP has places of its own for some fields; the rest are attributes, of the same names."""
    for _, name, otlp, *_ in table():
        assert not otlp.startswith("attribute") or otlp == f"attribute {name}"
    record = logging.makeLogRecord({"name": "shop", "msg": "x", "trace_id": TRACE, "span_id": SPAN, "own": 1})
    line = json.loads(JsonFormatter().format(record))
    assert (line["trace_id"], line["own"]) == (TRACE, 1)
    assert attributes(record) == {"own": 1}  # the ids are no attributes


def test_each_source_in_the_readme_is_a_link() -> None:
    """Where a name comes from decides what it means."""
    text = README.read_text(encoding="utf-8")
    for row in table():
        for reference in re.findall(r"\]\[(\w+)\]", row[4]):
            assert re.search(rf"^\[{reference}\]: https://\S+$", text, re.MULTILINE)
        assert row[4] == "our own" or "][" in row[4]
        assert row[3]
