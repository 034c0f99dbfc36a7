"""The reader's pages: every record once and in order, from either end, whatever the budget of time."""

import gzip
import os
import random
from datetime import UTC, timedelta

import pytest
from reader_support import (
    BEGIN,
    Cursor,
    Position,
    Query,
    RotatedLog,
    as_json,
    at,
    count_records,
    numbers,
    read_all,
    read_newer,
    read_older,
    text,
    write,
)

WAYS = pytest.mark.parametrize("forwards", [False, True], ids=["backwards", "forwards"])
BUDGETS = pytest.mark.parametrize("seconds", [60, 0], ids=["at once", "a block at a time"])


def mixed(count):
    """Return records of both formats, short, long, with and without tracebacks."""
    chance = random.Random(5)
    records = []
    for number in range(count):
        message = chance.choice(["hello", "grüße", "x" * 3000, "x" * (200_000 if number % 97 == 0 else 1)])
        level = chance.choice(["DEBUG", "INFO", "INFO", "INFO", "WARNING", "ERROR"])
        if chance.random() < 0.3:
            records.append(as_json(number, message, level))
        else:
            records.append(text(number, message, level, lines=chance.choice([0, 0, 5])))
    return records


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Return a log of 600 records in three files, of which one is compressed, and its records."""
    path = tmp_path_factory.mktemp("big") / "django.log"
    records = mixed(600)
    write(path.with_name("django.log.2.gz"), gzip.compress("".join(records[:200]).encode()))
    write(path.with_name("django.log.1"), "".join(records[200:400]))
    write(path, "".join(records[400:]))
    return RotatedLog(path), records


FILTERS = {
    "everything": (Query(), lambda _: True),
    "level": (Query(level="WARNING"), lambda record: "WARNING" in record or "ERROR" in record),
    "text": (Query(text="GRÜSSE".replace("SS", "ß")), lambda record: "grüße" in record or "gr\\u00fc" in record),
    "traceback": (Query(text="LINE 3 of"), lambda record: "line 3 of" in record),
    "pattern": (Query(pattern="^ +line [34] of 1[0-9]*$"), lambda record: "line 3 of 1" in record),
    "pattern and level": (
        Query(pattern="x{400}", level="ERROR"),
        lambda record: "x" * 400 in record and "ERROR" in record,
    ),
    "pattern and text": (
        Query(pattern="line 4", text="of 99"),
        lambda record: "line 4" in record and "of 99" in record,
    ),
    "logger": (Query(logger="shop"), lambda _: True),
    "another logger": (Query(logger="sho"), lambda _: False),
    "request": (Query(request_id="r77"), lambda record: "[r77]" in record or '"r77"' in record),
}


@WAYS
@BUDGETS
@pytest.mark.parametrize("name", FILTERS)
def test_pages_show_each_query_record_once(big, name, forwards, seconds):
    """A record that falls between two pages is the one that was looked for."""
    log, records = big
    query, expected = FILTERS[name]
    found = read_all([log], query, seconds=seconds, forwards=forwards)
    wanted = [number for number, record in enumerate(records) if expected(record)]
    assert numbers(found) == (wanted if forwards else wanted[::-1])
    for record in found:
        assert (at(numbers([record])[0]), "shop.orders") == (record.time, record.logger)


@WAYS
def test_a_range_of_time_is_found_by_halving(big, forwards):
    """Who looks for last night must not wait until all of today was read."""
    log, _ = big
    query = Query(since=at(150), until=at(450))
    found = numbers(read_all([log], query, forwards=forwards))
    assert sorted(found) == list(range(150, 450))
    beside = [Query(since=at(312)), Query(until=at(312))]
    assert numbers(read_newer([log], {}, count=2, query=beside[0]).records) == [313, 312]
    assert numbers(read_older([log], count=2, query=beside[1]).records) == [311, 310]
    assert read_newer([log], {}, count=2, query=Query(since=at(5000))).records == []
    assert read_older([log], count=5, query=Query(until=BEGIN)).records == []


def test_several_logs_are_one_by_time(log):
    """A sign-in in one file and the error it led to in the other belong side by side."""
    security = log.with_name("security.log")
    write(log, "".join(text(number) for number in range(0, 200, 2)))
    write(security, "".join(as_json(number) for number in range(1, 200, 2)))
    logs = [RotatedLog(log), RotatedLog(security)]
    found = read_all(logs, count=7)
    assert numbers(found) == list(range(199, -1, -1))
    assert {record.log for record in found} == {"django", "security"}
    assert numbers(read_all(logs, count=7, forwards=True)) == list(range(200))


@WAYS
@BUDGETS
def test_a_record_that_stands_in_two_logs_is_shown_once(log, forwards, seconds):
    """Each sign-in stands in both files; whoever counts what they see would count it twice."""
    security = log.with_name("security.log")
    lines = [text(number // 3, f"message {number}") for number in range(300)]  # three in the same millisecond
    write(log, "".join(lines))
    write(security, "".join(lines[::4]))
    logs = [RotatedLog(log), RotatedLog(security)]
    found = read_all(logs, count=7, forwards=forwards, seconds=seconds)
    expected = [f"message {number}" for number in range(300)]
    assert [record.message for record in found] == (expected if forwards else expected[::-1])


@WAYS
def test_equal_lines_without_a_time_are_each_shown(log, forwards):
    """Nothing tells whether two programs that both try again did so at once."""
    other = log.with_name("other.log")
    write(log, "WARNING:shop:retrying\n" * 2)
    write(other, "WARNING:shop:retrying\n" * 3)
    found = read_all([RotatedLog(log), RotatedLog(other)], count=2, forwards=forwards)
    assert sorted(record.log for record in found) == ["django", "django", "other", "other", "other"]


@WAYS
@pytest.mark.parametrize("count", [1, 3, 100])
def test_records_that_two_logs_have_in_another_order_are_shown_once(log, forwards, count):
    """Two processes at once write one record into the first log first, and the other into the second."""
    lines = [text(number) for number in range(40)]
    swapped = [line for first, second in zip(lines[::2], lines[1::2], strict=True) for line in (second, first)]
    write(log, "".join(lines))
    security = log.with_name("security.log")
    write(security, "".join(swapped))
    found = read_all([RotatedLog(log), RotatedLog(security)], count=count, forwards=forwards)
    assert sorted(numbers(found)) == list(range(40))


def test_a_page_stays_where_it_is_while_the_log_grows_and_rotates(log):
    """Reload a page and see the same records, even though `.1` is `.2.gz` by now."""
    write(log, "".join(text(number) for number in range(100)))
    logs = [RotatedLog(log)]
    page = read_older(logs, count=10)
    second = numbers(read_older(logs, page.older, count=10).records)
    assert second == list(range(89, 79, -1))
    with log.open("a", encoding="utf-8") as file:
        file.write(text(100))
    log.rename(f"{log}.1")
    write(log, text(101))
    assert numbers(read_older(logs, page.older, count=10).records) == second
    assert numbers(read_newer(logs, page.newer, count=10).records) == [101, 100]
    packed = log.with_name("django.log.2.gz")
    packed.write_bytes(gzip.compress(log.with_name("django.log.1").read_bytes()))
    log.with_name("django.log.1").unlink()
    assert numbers(read_older(logs, page.older, count=10).records) == second
    packed.unlink()
    assert read_older(logs, page.older, count=10).records == []
    assert numbers(read_newer(logs, page.newer, count=10).records) == [101]


def test_files_stand_in_the_order_in_which_they_were_written(log):
    """Records of March between those of May make a log worthless."""
    names = [
        "django.log.10", "django.log.2.gz", "django.log.1",
        "django.log.2026-11-22", "django.log.2026-11-22.1.gz", "django.log.2026-11-22.2", "django.log.2026-11-23",
        "django.log",
    ]  # fmt: skip
    for name in [*names, ".django.log.lock", "django.log.1.123.deleted", "django.logs", "django.log.bak", "x.log"]:
        write(log.with_name(name), text(0))
    log.with_name("django.log.3").mkdir()
    for name in names[:3]:
        path = log.with_name(name)
        os.utime(path, (1, 1))
    assert [file.path.name for file in RotatedLog(log).files()] == names


@pytest.mark.parametrize("position", ["nonsense", "django:1.2.3", "django:1.2.3.-4", "django:" + "f" * 999, "a~b", ":"])
def test_a_position_that_is_none_is_refused(position):
    """An address is typed by anyone."""
    with pytest.raises(ValueError, match="not a position"):
        Position.parse(position)


def test_a_position_behind_the_end_is_the_end(log):
    """Huge numbers in an address find what there is, or nothing."""
    write(log, text(0))
    real = read_older([RotatedLog(log)], count=1).newer["django"]
    beyond = Position(django=real._replace(offset=1 << 100))
    assert numbers(read_older([RotatedLog(log)], beyond, count=5).records) == [0]
    assert read_newer([RotatedLog(log)], beyond, count=5).records == []
    assert read_older([RotatedLog(log)], Position(django=Cursor(0, 0, 0, 5)), count=5).records == []


@pytest.mark.parametrize("query", [Query(), Query(level="ERROR"), Query(text="line 3")], ids=repr)
def test_a_histogram_counts_what_the_pages_show(big, query):
    """A bar that is too short hides the night in which it happened."""
    log, _ = big
    records = read_all([log], query)
    position, counted, complete = None, {}, False
    while not complete:
        counts = count_records([log], timedelta(minutes=5), position, query=query, zone=UTC, seconds=0)
        position, complete = counts.older, counts.complete
        for begin, levels in counts.levels.items():
            for level, number in levels.items():
                counted[begin, level] = counted.get((begin, level), 0) + number
    wanted = {}
    for record in records:
        key = record.time.replace(minute=record.time.minute // 5 * 5, second=0, microsecond=0), record.level
        wanted[key] = wanted.get(key, 0) + 1
    assert counted == wanted


def test_a_position_may_be_in_a_log_of_any_name(tmp_path):
    """What divides the parts of a position may be in a name, too."""
    for number, name in enumerate(("a~b", "50%25")):
        write(tmp_path / f"{name}.log", text(number, "hello"))
    logs = [RotatedLog(path) for path in sorted(tmp_path.iterdir())]
    newer = read_older(logs, count=1)
    older = read_older(logs, Position.parse(str(newer.older)), count=5)
    assert [len(page.records) for page in (newer, older)] == [1, 1]
