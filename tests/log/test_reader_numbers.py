"""What is counted, what is found and what is parsed agree on one number, whatever wrote the records."""

import importlib
import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from reader_support import BEGIN, Query, RotatedLog, at, count_records, read_all, write

bucket = importlib.import_module("applog.reading.measures").bucket

LEVELS = "debug", "INFO", "Info", "WARN", "warning", "Warning", "ERROR", "error", "Error", "FATAL", "critical", "Fatal"
LOGGERS = "shop", "shop.my-app", "other", "größe"
FORMATS = {
    "text": "{iso} {level} {logger} [-] m{number}",
    "text without a zone": "{plain} {upper} {logger} m{number}",
    "json": '{{"timestamp": "{iso}", "level": "{level}", "logger": {escaped}, "message": "m{number}"}}',
    "json in another order": '{{"message": "m{number}", "logger": "{logger}", "level": "{level}", "time": "{iso}"}}',
    "dashes": "{plain} - {logger} - {upper} - m{number}",
    "verbose": "{upper} {plain} {logger} 1 2 m{number}",
    "brackets": "{plain} [{upper}] {logger}: m{number}",
    "colons": "{plain}:{upper}:{logger}:m{number}",
    "Flask": "[{plain}] {upper} in {word}: m{number}",
    "loguru": "{plain} | {upper:8} | {logger}:f:1 - m{number}",
    "basicConfig": "{upper}:{logger}:m{number}",
}
QUERIES = [
    Query(level=level, logger=logger, without=without)
    for level in ("", "WARNING", "ERROR", "=ERROR", "=CRITICAL,WARNING", "-INFO")
    for logger in ("", "shop", "-shop", "größe", "-größe,-other")
    for without in ((), ("m1",))
]


def lines(form):
    """Return a line of this format for each level and logger, a second apart."""
    for number, (level, logger) in enumerate(product(LEVELS, LOGGERS)):
        values = {"level": level, "upper": level.upper(), "logger": logger, "escaped": json.dumps(logger)}
        times = {"iso": at(number).isoformat(timespec="milliseconds"), "plain": f"{at(number):%Y-%m-%d %H:%M:%S},123"}
        yield form.format(**values, **times, number=number, word=logger.replace(".", "_").replace("-", "_"))


def counted(log, query, step=timedelta(hours=1)):
    """Return how many records of each level are counted."""
    levels = {}
    for found in count_records([log], step, query=query).levels.values():
        for level, number in found.items():
            levels[level] = levels.get(level, 0) + number
    return {level: number for level, number in levels.items() if number}


def found(log, query):
    """Return how many records of each level are found."""
    levels = {}
    for record in read_all([log], query):
        levels[record.level] = levels.get(record.level, 0) + 1
    return levels


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_filters_find_and_count_what_is_parsed(tmp_path, form):
    """Without this, the legend says ERROR 5 above four rows, and the link of a logger leads to nothing."""
    write(tmp_path / "app.log", "\n".join(lines(form)) + "\n")
    log = RotatedLog(tmp_path / "app.log")
    records = read_all([log])
    assert {record.level for record in records} == {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    for query in QUERIES:
        expected = {}
        for record in records:
            if query.matches(record):
                expected[record.level] = expected.get(record.level, 0) + 1
        assert found(log, query) == expected, query
        if records[0].time:
            assert counted(log, query) == counted(log, query, timedelta(seconds=1)) == expected, query


@pytest.mark.parametrize("name", ["exception.stacktrace", "exc_info", "exception", "error.stack_trace"])
def test_a_traceback_in_json_is_one(tmp_path, name):
    """Without this, errors of structlog and ECS are kinds of their own for each message, and show no traceback."""
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1'
    values = {"timestamp": at(0).isoformat(), "level": "error", "event": "failed", name: trace}
    write(tmp_path / "app.log", json.dumps(values) + "\n")
    [record] = read_all([RotatedLog(tmp_path / "app.log")])
    assert record.lines[-1] == "KeyError: 1"


def test_a_number_that_no_json_has_is_a_text(tmp_path):
    """Without this, what the command prints for programs is refused by them."""
    write(tmp_path / "app.log", '{"time": "2026-11-24T05:00:00Z", "message": "m", "a": NaN, "b": 1e999, "c": 1.5}\n')
    [record] = read_all([RotatedLog(tmp_path / "app.log")])
    assert record.fields == {"a": "NaN", "b": "1e999", "c": 1.5}


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_each_logger_is_parsed(tmp_path, form):
    """Without this, a dash in a name makes its records a part of the record before."""
    write(tmp_path / "app.log", "\n".join(lines(form)) + "\n")
    names = {record.logger for record in read_all([RotatedLog(tmp_path / "app.log")])}
    assert names == {"shop", "shop_my_app", "other", "größe"} if "word" in form else set(LOGGERS)


@pytest.mark.parametrize(
    "line", ["2026-11-24 05:00:09,123 lower words", "2026-11-24T05:00:09,123 (x", "2026-11-24T05:00:09.123+00:00 INFO"]
)
def test_a_line_that_only_begins_with_a_time(tmp_path, line):
    """Without this, a line of a traceback, or one that a crash has cut off, is counted and not found."""
    text = "2026-11-24T05:00:00.000+00:00 INFO shop [-] m\n"
    write(tmp_path / "app.log", f"{text}{line}\n{text}")
    log = RotatedLog(tmp_path / "app.log")
    assert counted(log, Query()) == {level: number for level, number in found(log, Query()).items() if level}


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Antarctica/Troll"])
@pytest.mark.parametrize("change", ["2026-03-29T00:20", "2026-10-25T00:20", "2026-04-04T14:20", "2026-10-03T14:20"])
def test_each_record_is_counted_in_its_bucket(tmp_path, name, change):
    """What is counted by the hour at once must not be in two bars, nor be counted where only a part is asked for."""
    zone, begin = ZoneInfo(name), datetime.fromisoformat(f"{change}+00:00")
    written = [UTC, zone, timezone(timedelta(hours=5, minutes=30))]
    times = [begin + timedelta(minutes=7 * number) for number in range(400)]
    form = "{} INFO shop [-] x\n"
    lines = [
        form.format(made.astimezone(written[i % 3]).isoformat(timespec="milliseconds")) for i, made in enumerate(times)
    ]
    write(tmp_path / "django.log", "".join(lines))
    logs = [RotatedLog(tmp_path / "django.log")]
    for hours, (since, until) in product((1 / 60, 0.5, 1, 2, 3, 6, 12, 24), ((None, None), (times[5], times[390]))):
        step = timedelta(hours=hours)
        expected = Counter(bucket(made, step, zone) for made in times if not since or since <= made < until)
        assert all(bucket(made, step, zone) <= made for made in times)
        found = count_records(logs, step, query=Query(since=since, until=until), zone=zone).levels
        assert {start: levels.total() for start, levels in found.items()} == expected


def test_a_quiet_site_is_counted_as_fast_as_a_busy_one(tmp_path):
    """Of 30 days with a record each minute the chart would show a part only."""
    taken = []
    for minutes in (1 / 60, 1):
        times = (BEGIN + timedelta(minutes=minutes * number) for number in range(20_000))
        lines = (f"{made.isoformat(timespec='milliseconds')} INFO shop [{'a' * 32}] x\n" for made in times)
        write(tmp_path / "django.log", "".join(lines))
        begun = time.process_time()
        for _ in range(3):
            count_records([RotatedLog(tmp_path / "django.log")], timedelta(days=1))
        taken.append(time.process_time() - begun)
    assert taken[1] < 6 * taken[0]


def test_the_hour_that_comes_twice_is_counted_once(tmp_path):
    """Without this, records of both times of a minute in which the time begins are counted with each of them."""
    times = ["02:13:10.000+02:00", "02:13:20.000+02:00", "02:13:15.000+01:00", "02:13:45.000+01:00"]
    write(tmp_path / "app.log", "".join(f"2026-10-25T{time} INFO shop [-] m\n" for time in times))
    log = RotatedLog(tmp_path / "app.log")
    since = at(0).fromisoformat("2026-10-25T02:13:15+02:00")
    assert counted(log, Query(since=since)) == found(log, Query(since=since)) == {"INFO": 3}
