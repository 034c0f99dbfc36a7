"""Whatever lies in a log is shown as what it is, in bounded memory."""

import gzip
import importlib
import os
import random
import sys
import threading
import time
import tracemalloc
from contextlib import suppress
from datetime import timedelta
from itertools import product

import pytest
import regex
from reader_support import (
    Query,
    RotatedLog,
    as_json,
    at,
    count_records,
    numbers,
    parse,
    read_all,
    read_newer,
    read_older,
    text,
    write,
)

log_file = importlib.import_module("applog.reading.log_file")
SlowPatternError = importlib.import_module("applog.reading.search").SlowPatternError
MIB = 1 << 20


def messages(path, query=None, **options):
    """Return the messages of a log, oldest first."""
    return [record.message for record in reversed(read_all([RotatedLog(path)], query, **options))]


def test_an_empty_a_missing_and_a_vanished_log_have_no_records(log):
    """The first look at a new project must not be an error."""
    logs = [RotatedLog(log)]
    assert read_older(logs, count=5).records == []
    write(log, "")
    assert read_older(logs, count=5).records == []
    assert read_newer(logs, read_older(logs, count=5).newer, count=5).records == []
    write(log, text(0))
    page = read_older(logs, count=5)
    log.unlink()
    assert read_older(logs, page.older, count=5).records == []
    assert read_newer(logs, page.newer, count=5).records == []
    assert count_records(logs, at(60) - at(0)).levels == {}


FORMATS = {
    "microseconds": ("2026-11-24T05:00:00.123456+00:00 ERROR shop [-] X", "shop", 123456),
    "no fraction": ("2026-11-24T05:00:00+00:00 ERROR shop [-] X", "shop", 0),
    "verbose": ("ERROR 2026-11-24 05:00:00,123 views 12 140 X", "views", 123000),
    "basicConfig": ("ERROR:shop:X", "shop", None),
    "gunicorn": ("[2026-11-24 05:00:00 +0000] [12] [ERROR] X", "", 0),
    "runserver": ('[24/Nov/2026 05:00:00] "GET / HTTP/1.1" 500 X', "", 0),
    "uvicorn": ("ERROR:    X", "", None),
    "Flask": ("[2026-11-24 05:00:00,123] ERROR in shop: X", "shop", 123000),
    "level in brackets": ("2026-11-24 05:00:00,123 [ERROR] shop.orders: X", "shop.orders", 123000),
    "level and nothing else in brackets": ("2026-11-24 05:00:00,123 [ERROR] X", "", 123000),
    "colons": ("2026-11-24 05:00:00,123:ERROR:shop:X", "shop", 123000),
    "dashes": ("2026-11-24 05:00:00,123 - shop - ERROR - X", "shop", 123000),
    "loguru": ("2026-11-24 05:00:00.123 | ERROR    | shop:f:12 - X", "shop", 123000),
    "Celery": ("[2026-11-24 05:00:00,123: ERROR/MainProcess] X", "", 123000),
    "structlog": ("2026-11-24T05:00:00.123456Z [error    ] X", "", 123456),
    "JSON": ('{"level": "ERROR", "message": "X", "timestamp": "2026-11-24T05:00:00Z", "logger": "shop"}', "shop", 0),
    "python-json-logger": ('{"asctime": "2026-11-24 05:00:00,123", "levelname": "ERROR", "message": "X"}', "", 123000),
    "own key first": ('{"order": 7, "timestamp": "2026-11-24T05:00:00Z", "level": "ERROR", "message": "X"}', "", 0),
    "epoch": ('{"ts": 1795496400.5, "levelname": "ERROR", "msg": "X"}', "", 500000),
    "epoch in ms": ('{"pid": 7, "time": 1795496400123, "level": "error", "msg": "X"}', "", 123000),
    "structlog JSON": ('{"event": "X", "level": "error", "timestamp": "2026-11-24T05:00:00Z"}', "", 0),
}


@pytest.mark.parametrize(("line", "logger", "microsecond"), FORMATS.values(), ids=FORMATS)
def test_what_other_formatters_write_are_records(log, monkeypatch, line, logger, microsecond):
    """They would be taken for lines of the record before: another time, and a level that hides an error."""
    monkeypatch.setenv("TZ", "UTC")
    getattr(time, "tzset", lambda: None)()
    write(log, text(0, "before", lines=1) + f"{line}\n    below\n" * 3 + text(2, "after"))
    found = read_all([RotatedLog(log)])[::-1]
    assert [record.message[-1] for record in found] == ["e", "X", "X", "X", "r"]
    assert {record.lines for record in found[1:4]} == {("    below",)}
    assert {(record.level, record.logger) for record in found[1:4]} == {("ERROR", logger)}
    errors = read_all([RotatedLog(log)], Query(level="ERROR"))
    assert [record.message for record in errors] == [record.message for record in found[1:4]]
    if microsecond is not None and hasattr(time, "tzset"):
        assert {record.time for record in found[1:4]} == {at(0).replace(microsecond=microsecond)}
        [counts] = count_records([RotatedLog(log)], at(60) - at(0)).levels.values()
        assert counts == {"INFO": 2, "ERROR": 3}
    write(log, f"{line}\n" * 3)
    assert [record.level for record in read_all([RotatedLog(log)])] == ["ERROR"] * 3


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("step", [30, 3600])
def test_a_clock_that_is_set_back_hides_no_record(log, step, files):
    """Summer time ends each year, and a search that finds half of the records says nothing of it."""
    chance = random.Random(step + files)
    seconds, lines, moments = 0, [], []
    for number in range(900):
        seconds += chance.choice((0, 1, 10, 40)) - (step if number in {300, 650} else 0)
        moments.append(at(seconds))
        lines.append(text(number).replace(f"{at(number):%H:%M:%S}", f"{at(seconds):%H:%M:%S}"))
        assert parse(lines[-1].encode()).time == at(seconds)
    for i in range(files):
        part = lines[i * len(lines) // files : (i + 1) * len(lines) // files]
        write(log.with_name(f"{log.name}.{files - 1 - i}") if i < files - 1 else log, "".join(part))
    span = int((max(moments) - min(moments)).total_seconds())
    for _ in range(12):
        since = min(moments) + timedelta(seconds=chance.randrange(span))
        until = since + timedelta(seconds=chance.randrange(1, span))
        query = Query(since=since, until=until)
        wanted = sorted(number for number, moment in enumerate(moments) if since <= moment < until)
        assert sorted(numbers(read_older([RotatedLog(log)], count=1000, query=query).records)) == wanted
        page = read_newer([RotatedLog(log)], {}, count=1000, query=query)
        assert sorted(numbers(page.records)) == wanted


def test_a_byte_order_mark_hides_no_record(log):
    """Notepad and PowerShell write one when a file is saved."""
    write(log, "\ufeff" + text(0, level="ERROR") + text(1, level="ERROR"))
    assert numbers(read_all([RotatedLog(log)], Query(level="ERROR"))) == [1, 0]


def test_lines_of_a_file_without_a_known_record_are_shown_as_they_are(log):
    """Another program's file is a log too."""
    write(log, "one\r\n\n    three\nfour")
    os.utime(log, (0, 0))  # nobody goes on writing the last line
    assert messages(log) == ["one", "", "    three", "four"]
    assert messages(log, Query(text="THREE")) == ["    three"]
    assert messages(log, Query(level="INFO")) == []


def test_lines_before_the_first_record_are_one(log):
    """Half a traceback, whose begin was rotated away, still names the error."""
    write(log, "    line\n    ValueError\n" + text(1))
    [first, second] = reversed(read_all([RotatedLog(log)]))
    assert (first.message, first.lines, first.time, first.level) == ("    line", ("    ValueError",), None, "")
    assert second.request_id == "r1"
    assert [record.cursor.offset for record in read_all([RotatedLog(log)], Query(text="valueerror"))] == [0]


def test_broken_bytes_nuls_and_control_characters_are_kept(log):
    """Nothing may be dropped in silence: what looks broken is often what is looked for."""
    write(
        log, b"\0" * 5000 + text(0, "a").encode() + text(1, "x").encode().replace(b"x", b"\xff\x1b[31m\0") + b"\0" * 9
    )
    os.utime(log, (0, 0))
    records = read_all([RotatedLog(log)])
    assert records[0].message == "\\xff\x1b[31m\0"
    assert records[0].lines == ("\0" * 9,)
    assert numbers(records[:1]) == [1]
    assert "\0" * 5000 in "".join(record.raw for record in records)
    write(log, b"\0" * 100 + text(0).encode())
    assert numbers(read_all([RotatedLog(log)])) == [0]


def test_half_a_line_at_the_end_is_shown(log, monkeypatch):
    """It is the last thing that a process said before it died."""
    write(log, text(0) + text(1).rstrip("\n")[:-3])
    monkeypatch.setattr(log_file, "WRITE_SECONDS", 60)
    assert messages(log) == ["hello"]  # more of the other may come
    os.utime(log, (0, 0))
    assert messages(log) == ["hello", "he"]


def test_records_of_the_standard_format_are_read(log):
    """Files from before this project's formatter are still searched."""
    write(
        log,
        "2026-11-24 05:00:00,123 ERROR django.request Internal Server Error: /\nTraceback\n  File\nValueError: [x] y\n",
    )
    [record] = read_all([RotatedLog(log)])
    assert (record.level, record.logger, record.message) == ("ERROR", "django.request", "Internal Server Error: /")
    assert record.lines == ("Traceback", "  File", "ValueError: [x] y")
    assert record.time.astimezone().strftime("%H:%M:%S.%f") == "05:00:00.123000"


def test_a_json_record_keeps_its_other_fields_and_its_traceback():
    """Without them the JSON format would show less than the text."""
    trace = "Traceback (most recent call last):\n  File\nValueError: no"
    record = parse(as_json(3, "no", "ERROR", **{"exception.stacktrace": trace, "process.pid": 7}).encode())
    assert (record.time, record.level, record.logger, record.message) == (at(3), "ERROR", "shop.orders", "no")
    assert (record.request_id, record.lines[-1], record.fields["process.pid"]) == ("r3", "ValueError: no", 7)
    assert parse(as_json(3).replace("r3", "-").encode()).request_id == ""


@pytest.mark.parametrize(
    "line",
    [
        '{"timestamp": "2026-11-24T05:00:00.000Z", "level": "INFO", "logger": "a", "message": "cut',
        '{"timestamp": ' + "[" * 20000,
        '{"timestamp": ' + "9" * 20000 + "}",
        '{"timestamp": null, "level": 5, "logger": ["a"], "message": {"a": "\\ud800"}, "request_id": 1.5}',
        '{"timestamp": "2026-99-99T99:99:99.000Z", "level": "INFO"}',
        "2026-99-99T99:99:99.000+99:99 INFO a [b] c",
        "0001-01-01T00:00:00.000+23:59 INFO a [b] c",
        "0001-01-01 00:00:00,000 INFO a",
        "2026-11-24T05:00:00.000+00:00 INFO",
        "2026-11-24T05:00:00.000+00:00 I",
    ],
)
def test_a_hostile_line_is_still_a_record(log, line):
    """One line that stops the page would hide all the others."""
    write(log, text(0) + line + "\n" + text(2))
    records = read_all([RotatedLog(log)])
    assert len(records) == 3
    assert records[1].raw == line
    records[1].raw.encode()
    records[1].message.encode()
    for query in (Query(since=at(0), until=at(3)), Query(level="INFO"), Query(text="a")):
        read_all([RotatedLog(log)], query)


def test_lines_far_behind_a_record_are_records(log):
    """Else 100 MB of another program's lines were one record, whose end is searched for as long as that takes."""
    lines = [f'{{"a": {number}, "b": "{"x" * 180}"}}\n' for number in range(2 * log_file.REACH // 200)]
    write(log, text(0) + "".join(lines) + "ñeedle\n" + text(1, lines=3))
    logs = [RotatedLog(log)]
    records = read_all(logs, count=9000)
    assert records[::-1] == read_all(logs, count=9000, forwards=True)
    assert log_file.REACH <= records[-1].size < log_file.REACH + 200
    assert sum(record.size for record in records) == log.stat().st_size
    assert [record.raw + "\n" for record in records[2:-1]] == lines[: 1 - len(records) + 1 : -1]
    for word, forwards in product(("NEEDLE", "ÑEEDLE", "eedle"), (True, False)):
        found = read_all(logs, Query(text=word), forwards=forwards)
        assert [record.raw for record in found] == ["ñeedle"][: word != "NEEDLE"]
    for query in (Query(level="INFO"), Query(since=at(0)), Query(logger="shop", text="e")):
        assert numbers(read_all(logs, query)) == [1, 0]
    assert len(read_all(logs, Query(text='"b"'), count=9000)) == len(records) - 2
    assert count_records(logs, timedelta(hours=1), query=Query(without=("x",))).levels == {at(0): {"INFO": 1}}


@pytest.mark.parametrize("newline", [b"\n", b""])
def test_a_line_of_100_megabytes_is_cut_off_in_bounded_memory(log, newline):
    """Somebody logs a whole upload, and the page must still open."""
    write(log, text(0))
    with log.open("ab") as file:
        file.write(text(1, "begin ").rstrip("\n").encode())
        for _ in range(100):
            file.write(b"x" * MIB)
        file.write(b" needle here" + newline)
        if newline:
            file.write(text(2).encode())
    os.utime(log, (0, 0))
    logs = [RotatedLog(log)]
    tracemalloc.start()
    started = time.monotonic()
    records = read_all(logs)
    found = read_all(logs, Query(text="NEEDLE"))
    read_all(logs, Query(text="nothing"), forwards=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * MIB
    assert time.monotonic() - started < 30
    assert numbers(records) == [2, 1, 0] if newline else [1, 0]
    assert numbers(found) == [1]
    assert found[0].truncated
    assert found[0].size > 100 * MIB
    assert len(found[0].raw) < MIB


def test_a_compressed_file_that_is_cut_off_is_read_up_to_there(log):
    """A full disk stops the compression, not the search for why."""
    packed = gzip.compress("".join(text(number, os.urandom(40).hex()) for number in range(2000)).encode())
    write(log.with_name("django.log.1.gz"), packed[: len(packed) // 2])
    write(log.with_name("django.log.2.gz"), b"no gzip at all")
    write(log, text(2000))
    records = read_all([RotatedLog(log)])
    found = numbers(record for record in records if record.request_id)
    assert len(found) >= len(records) - 1  # the one in which the file ends may have lost its number
    assert found[0] == 2000
    assert 500 < len(found) < 1900
    assert found[-1] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="making a link needs a privilege there")
def test_a_link_is_no_file_of_the_log(log):
    """A link in logs/ must not show what lies outside."""
    outside = log.parent.parent / "secret"
    outside.write_text(text(9), encoding="utf-8")
    write(log, text(0))
    log.with_name("django.log.1").symlink_to(outside)
    os.mkfifo(log.with_name("django.log.2"))
    assert numbers(read_all([RotatedLog(log)])) == [0]
    log.unlink()
    log.symlink_to(outside)
    assert read_all([RotatedLog(log)]) == []


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(x+x+)+y", "(.*a){20}Z", "[ab]*a[ab]{400}Z", "(?:a?){100}a{100}Z", "([ab]{1,20}){1,9}Z"],
)
def test_a_regular_expression_that_explodes_ends_in_time(log, pattern):
    """Otherwise anyone who may search can stop the server."""
    write(log, text(0, "ab" * 20000 + "a" * 20000 + "!") * 60)
    started = time.monotonic()
    with suppress(SlowPatternError):
        read_older([RotatedLog(log)], count=5, query=Query(pattern=pattern), seconds=1)
    assert time.monotonic() - started < 10


def test_a_slow_regular_expression_lets_other_threads_work(log):
    """A search that keeps the interpreter to itself stops all requests of its process."""
    write(log, text(0, "a" * 50 + "!") * 60)
    ticks = []
    over = threading.Event()

    def tick():
        while not over.wait(0.005):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        with pytest.raises(SlowPatternError):
            read_older([RotatedLog(log)], count=5, query=Query(pattern="(a|aa)+$"), seconds=1)
    finally:
        over.set()
        ticker.join()
    assert len(ticks) > 5


LINE = 'Order 12 of [nobody] costs 3.50 EUR, see C:\\new and "quotes" {x} grüße a-b'
PATTERNS = [
    r"Order \d+ of", r"costs? 3", r"costX?s", r"Orders* 12", r"3\.50", r"\[nobody\]", r"[^]x] 12", r"[]x[]nobody",
    r"(Ord)er", r"(X)?Order", r"Ord{1}er", r"Orderx{0} 12", r"Orderx{0,3} ", r"^Order", r"a-b$", r"gr.ße", r"GRÜ|Order",
    r"(?i)ORDER", r"(?x) O r d e r", r"[[:alpha:]]+ 12", r"\x4frder", r"\u004frder", r"\N{LATIN CAPITAL LETTER O}rder",
    r"\p{Lu}rder", r"C:\\new", r"\"quotes\"", r"\{x\}", r"Order+ 12", r"Order\s12", r"o?f", r"(?:(?:O)rder)", r"E\x55R",
    r"EU\122", r"\bof\b", r"\AOrder", r"(O)rde(?P<r>r)", r"Orde{e<=1}r", r"x*Order", r"[a-z]{3,5}s 3", r"Order(?# no)",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_regular_expression_finds_what_it_matches(log, pattern):
    """A shortcut for speed that skips a query line makes people look for the fault elsewhere."""
    assert regex.search(pattern, LINE)
    write(log, text(0, "before") + text(1, LINE) + text(2, "behind"))
    page = read_older([RotatedLog(log)], count=5, query=Query(pattern=pattern.lstrip("^").removeprefix(r"\A")))
    assert LINE in [record.message for record in page.records]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"level": "LOUD"}, "'LOUD' is not a level"),
        ({"level": "="}, "'' is not a level"),
        ({"pattern": "("}, "missing \\)"),
        ({"pattern": r"\L<names>"}, "cannot be used"),
        ({"pattern": "a{3,1}"}, "cannot be used"),
        ({"pattern": "a" * 501}, "longer than 500"),
        ({"pattern": "\ud800"}, "has to be text"),
        ({"text": "\udcff"}, "has to be text"),
        ({"since": at(0).replace(tzinfo=None)}, "time zone"),
    ],
)
def test_a_filter_that_cannot_be_used_is_refused_with_a_reason(value, reason):
    """A search that finds nothing because it was mistyped looks like a clean log."""
    with pytest.raises(ValueError, match=reason):
        Query(**value)


@pytest.mark.parametrize(
    "head",
    [
        '{"timestamp": "%s", "level": "error", "event": "',
        '{"asctime": "%s", "levelname": "ERROR", "name": "shop", "message": "',
        '{"message": "x", "log.level": "error", "@timestamp": "%s", "more": "',
    ],
)
def test_a_record_that_is_too_long_has_its_level_and_time(log, head):
    """The chart counts it as an error, and the filter has to find it."""
    write(log, head % at(0).isoformat() + "x" * 70_000 + '"}\n')
    [record] = read_all([RotatedLog(log)], Query(level="ERROR", since=at(-1), until=at(1)))
    assert (record.level, record.time, record.truncated) == ("ERROR", at(0), True)


def test_the_end_of_a_line_is_found_whatever_ends_it(log):
    """A log that was written on Windows has two characters there."""
    write(log, text(0).replace("\n", " end\r\n"))
    assert len(messages(log, Query(pattern="end$"))) == 1
