"""Searches by time in logs whose times are not in order: right, whatever the clock was, and whatever the format."""

import gzip
import json
import random
from datetime import timedelta

import pytest
from reader_support import Query, RotatedLog, as_json, at, count_records, numbers, read_all, text, write

WAYS = pytest.mark.parametrize("forwards", [False, True], ids=["backwards", "forwards"])
RECORDS, LENGTH = 9000, 900  # of a file of 8 MB, which is looked at in several parts
WRONG = {3000: -7200, 3001: -7200, 4500: 4 * 3600, 4501: -30, 6000: -6 * 86400, 7777: 86400 * 40}

FORMATS = {
    "text": "{0}T{1}.000+00:00 INFO shop.orders [r{2}] {3}",
    "JSON": '{{"timestamp": "{0}T{1}.000Z", "level": "INFO", "request_id": "r{2}", "message": "{3}"}}',
    "JSON of others": '{{"event": "{3}", "level": "info", "request_id": "r{2}", "timestamp": "{0}T{1}Z"}}',
    "JSON with the time last": '{{"message": "{3}", "request_id": "r{2}", "time": "{0}T{1}+00:00"}}',
    "JSON with seconds": '{{"level": "INFO", "request_id": "r{2}", "ts": {4}, "msg": "{3}"}}',
    "two zones": "{0}T{1}.000+00:00 INFO shop.orders [r{2}] {3}",
}


def written(name, number, seconds):
    """Return the record with this number, made at so many seconds, in a format."""
    moment = at(seconds)
    if name == "two zones" and number % 2:
        moment += timedelta(hours=5, minutes=30)
    parts = f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}", number, "x" * (LENGTH + number % 7), at(seconds).timestamp()
    line = FORMATS[name].format(*parts)
    return (line.replace("+00:00", "+05:30") if name == "two zones" and number % 2 else line) + "\n"


@pytest.fixture(scope="module", params=FORMATS)
def wrong(request, tmp_path_factory):
    """Return a log of one record a second, of which a few were made while the clock was wrong, and the seconds."""
    path = tmp_path_factory.mktemp("wrong") / "django.log"
    seconds = [number + WRONG.get(number, 0) for number in range(RECORDS)]
    write(path, "".join(written(request.param, number, when) for number, when in enumerate(seconds)))
    return RotatedLog(path), seconds


@WAYS
@pytest.mark.parametrize(
    ("since", "until"),
    [(None, -100), (-7200, 0), (-4200, -4199), (8000, 8100), (8900, None), (18000, 19000), (10**6, None)],
)
def test_a_clock_that_was_wrong_for_a_few_records_hides_none(wrong, since, until, forwards):
    """They are in a part of the file that halving does not look at, and nobody would miss what is not shown."""
    log, seconds = wrong
    low, high = -(10**9) if since is None else since, 10**9 if until is None else until
    query = Query(since=at(since) if since is not None else None, until=at(until) if until is not None else None)
    found = numbers(read_all([log], query, forwards=forwards))
    wanted = [number for number, when in enumerate(seconds) if low <= when < high]
    assert found == (wanted if forwards else wanted[::-1])
    assert wanted
    counted = count_records([log], timedelta(days=1), query=query).levels.values()
    assert sum(levels.total() for levels in counted) == len(wanted)


DENSE = {
    "text": "{0:%Y-%m-%dT%H:%M:%S}.{1:03}+00:00 INFO shop.orders [r{2}] {3}\n",
    "JSON": '{{"timestamp": "{0:%Y-%m-%dT%H:%M:%S}.{1:03}Z", "level": "INFO", "request_id": "r{2}", "event": "{3}"}}\n',
    "no offset": "{0:%Y-%m-%d %H:%M:%S},{1:03} INFO shop.orders [r{2}] {3}\n",
}
SHORT_WRONG = {1: -40, 4_000: 3, 4_001: -3, 9_000: 61, 12_000: -3600, 17_500: -9}  # seconds


@WAYS
@pytest.mark.parametrize("form", DENSE)
def test_a_clock_that_was_wrong_by_seconds_in_a_flood_hides_none(tmp_path, in_zone, form, forwards):
    """A thousand records a second fill many parts of a file in the same minute."""
    in_zone("UTC")
    path, times = tmp_path / "django.log", {}
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number in range(20_000):
            times[number] = number * 1_000 + 1_000_000 * SHORT_WRONG.get(number, 0) + 3_600_000_000
            moment = at(times[number] / 1_000_000)
            file.write(DENSE[form].format(moment, times[number] // 1_000 % 1_000, number, "x" * (300 + number % 7)))
    for begin, end in (3600, 3601), (3601, 3601.5), (3603.999, 3604.002), (3607.25, 3607.5), (3608, 3610), (3500, 3562):
        query = Query(since=at(begin), until=at(end))
        found = numbers(read_all([RotatedLog(path)], query, forwards=forwards))
        wanted = [number for number, time in times.items() if begin * 1_000_000 <= time < end * 1_000_000]
        assert found == (wanted if forwards else wanted[::-1])
        assert wanted


def stamp(number):
    """Return the time of the record with this number as JSON has it."""
    return at(number).strftime("%Y-%m-%dT%H:%M:%S.000Z")


ODD = {
    "behind a long value": lambda n: json.dumps({"msg": "x" * 5000, "timestamp": stamp(n), "request_id": f"r{n}"}),
    "of an unknown kind": lambda n: json.dumps({"id": "x" * 900, "time": stamp(n), "text": "x", "request_id": f"r{n}"}),
    "beside another one": lambda n: as_json(n, "x" * 900, order={"timestamp": stamp(4000)}).rstrip("\n"),
    "behind another one": lambda n: json.dumps({"a": {"time": stamp(4000)}, "time": stamp(n), "msg": "x" * 900}
                                               | {"request_id": f"r{n}"}),
    "behind what a crash left": lambda n: "\0" * 300 + text(n, "x" * 900).rstrip("\n"),
}  # fmt: skip


@WAYS
@pytest.mark.parametrize(
    ("kind", "among"),
    # What nobody knows for a record, among others, is a line of the one before it.
    [
        (kind, among)
        for kind in ODD
        for among in ("its like", "others")
        if (kind, among) != ("of an unknown kind", "others")
    ],
)
def test_a_time_that_is_hard_to_find_hides_no_record(log, kind, among, forwards):
    """A record with a long traceback in JSON is the one that is looked for."""
    line = ODD[kind] if among == "its like" else lambda number: text(number, "x" * 900).rstrip("\n")
    lines = [f"{line(number)}\n" for number in range(4000)]
    odd = {1500: 9000, 3998: 9001, 3999: 9002} if among == "others" else {1500: 9000}
    for place, number in odd.items():
        lines[place] = f"{ODD[kind](number)}\n"
    write(log, "".join(lines))
    for begin, end, wanted in (8000, 9999, [*odd.values()]), (2990, 3000, [*range(2990, 3000)]):
        found = numbers(read_all([RotatedLog(log)], Query(since=at(begin), until=at(end)), forwards=forwards))
        assert found == (wanted if forwards else wanted[::-1])


@WAYS
@pytest.mark.parametrize("before", [1, 8, 30, 120])
def test_a_record_at_the_end_of_what_is_read_is_found(log, before, forwards):
    """Its beginning is in a part that is read, and its time perhaps not, before a long traceback."""
    lines = [text(number, "x" * 900) for number in range(1700)]
    head = "".join(lines).encode()[: 3 << 19].rpartition(b"\n")[0] + b"\n"
    last = head.count(b"\n")
    head = head[:-1] + b"x" * ((3 << 19) - before - len(head)) + b"\n"
    traceback = "".join(f"    line {number} of a traceback\n" for number in range(12_000))
    write(log, head + (text(last) + traceback).encode() + (text(5000, "x" * 900) * 3000).encode())
    query = Query(since=at(last - 5), until=at(last + 5))
    found = numbers(read_all([RotatedLog(log)], query, forwards=forwards))
    assert found == sorted(range(last - 5, last + 1), reverse=not forwards)


@WAYS
def test_searching_a_part_at_a_time_finds_the_same(log, forwards):
    """What has no time for all of it goes on at the place that it has reached."""
    wrong = {100: 223, 225: 3600, 400: 229}
    seconds = [wrong.get(number, number) for number in range(450)]
    lines = [text(when, "x" * 18_000).replace(f"[r{when}]", f"[r{number}]") for number, when in enumerate(seconds)]
    write(log, "".join(lines))
    found = numbers(read_all([RotatedLog(log)], Query(since=at(220), until=at(230)), forwards=forwards, seconds=0))
    assert found == sorted([100, *range(220, 225), *range(226, 230), 400], reverse=not forwards)


@WAYS
def test_a_long_record_between_parts_that_are_read_is_found_once(log, forwards):
    """It begins in one part that is read, and ends in another; what is between them has another time."""
    chance = random.Random(3)
    long = "".join(f"    {chance.random()}\n" for _ in range(150_000))
    others = "".join(text(7200 + number, "x" * 900) for number in range(5000))
    write(log, text(0) + others + text(1, "long") + long + text(2) + others + text(3))
    query = Query(since=at(0), until=at(100))
    found = numbers(read_all([RotatedLog(log)], query, forwards=forwards))
    assert found == ([0, 1, 2, 3] if forwards else [3, 2, 1, 0])


@WAYS
def test_times_that_are_none_hide_no_record(log, forwards):
    """A text at the beginning of a line that looks like a time, or a few of another year, are no way to hide."""
    lines = [text(number, "x" * 900) for number in range(5000)]
    for number in range(1000, 1100):
        lines[number] += f"9999-99-99 99:99:99 INFO shop.orders [r{number}] no time\n"
        lines[number] += text(0, "other").replace("2026", str(1970 + number % 50))
    write(log, "".join(lines))
    found = numbers(read_all([RotatedLog(log)], Query(since=at(1000), until=at(1200)), forwards=forwards))
    assert sorted(found) == list(range(1000, 1200))


def test_counting_rotated_files_again_gives_what_is_in_them_now(log):
    """Their numbers are remembered, as a page over thousands of files has no second to count them again."""

    def count(**limits):
        counts = count_records([RotatedLog(log)], timedelta(hours=1), query=Query(**limits))
        return sum(levels.total() for levels in counts.levels.values())

    rotated = log.with_name("django.log.1")
    write(log, text(5000))
    write(rotated, "".join(map(text, range(600))))
    for _ in range(2):
        assert count() == 601
        assert count(since=at(30), until=at(90)) == 60  # both limits within a minute
        assert count(without=("r59]",)) == 600
        assert count(level="ERROR") == 0
    write(rotated, "".join(map(text, range(500))) + text(500, level="ERROR"))
    assert (count(), count(level="ERROR")) == (502, 1)
    write(log.with_name("django.log.2"), rotated.read_bytes())
    rotated.unlink()
    write(rotated, text(700))
    assert count() == 503


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:30.000+00:00", "9999-12-31 23:59:59,999", "0001-01-01T00:00:00Z"])
def test_the_first_and_last_hours_of_all_break_nothing(log, moment):
    """A log has what a stranger sent, and nothing in it may break a page."""
    record = f"{moment} INFO shop.orders [r7000] x\n"
    write(log.with_name("django.log.1"), record + text(6000))
    write(log, "".join(text(number, "x" * 900) for number in range(5000)) + record + text(5000))
    for forwards in False, True:
        found = numbers(read_all([RotatedLog(log)], Query(since=at(4990), until=at(5001)), forwards=forwards))
        assert sorted(found) == list(range(4990, 5001))
    for _ in range(2):
        counts = count_records([RotatedLog(log)], timedelta(days=1), query=Query(since=at(0), until=at(7000)))
        assert sum(levels.total() for levels in counts.levels.values()) == 5002
        assert (
            sum(levels.total() for levels in count_records([RotatedLog(log)], timedelta(hours=1)).levels.values()) > 0
        )


def test_a_record_made_at_the_very_beginning_is_found(log):
    """The only record of its part of the file, in a format that has to be parsed, is made when the search begins."""
    others = "".join(text(number, "x" * 900) for number in range(5000))
    write(
        log, others + f'{{"ts": {at(9000).timestamp()}, "level": "INFO", "msg": "x", "request_id": "r9000"}}\n' + others
    )
    assert numbers(read_all([RotatedLog(log)], Query(since=at(9000)))) == [9000]


@WAYS
def test_a_stretch_without_a_time_hides_nothing_of_a_compressed_file(log, forwards):
    """A file is halved to find a time; where a long record lies at its middle, no time is near."""
    lines = [f"{at(number).isoformat(timespec='milliseconds')} INFO shop [-] {'z' * 180}\n" for number in range(80_000)]
    lines[40_000] += "  frame\n" * 50_000
    log.parent.mkdir(exist_ok=True)
    log.with_name("django.log.1.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    for since, until in ((None, 60_000), (20_000, None), (20_000, 60_000)):
        query = Query(since=since and at(since), until=until and at(until))
        found = read_all([RotatedLog(log)], query, count=20_000, forwards=forwards)
        assert len(found) == (until or 80_000) - (since or 0)


@WAYS
def test_a_clock_that_was_set_back_hides_nothing_of_a_large_compressed_file(log, forwards):
    """Halving finds one of the places at which a time begins; the others are far away."""
    log.parent.mkdir(exist_ok=True)
    made = [*range(60_000), *range(45_000, 85_000)]
    lines = [f"{at(second).isoformat(timespec='milliseconds')} INFO shop [-] {'z' * 180}\n" for second in made]
    log.with_name("django.log.1.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    for since, until in ((None, 50_000), (46_000, 50_000), (58_000, None)):
        query = Query(since=since and at(since), until=until and at(until))
        wanted = sum((since or 0) <= second < (until or 10**6) for second in made)
        assert len(read_all([RotatedLog(log)], query, count=50_000, forwards=forwards)) == wanted


@WAYS
def test_hours_of_the_day_before_in_the_next_large_compressed_file_are_found(log, forwards):
    """Where the clock was set back in the middle of a file, its first and last record are not its earliest."""
    log.parent.mkdir(exist_ok=True)
    made = [*range(40_000, 70_000), *range(30_000, 75_000)]
    noise = random.Random(1)  # so that the file is large, compressed as well
    lines = [f"{at(second).isoformat()} INFO shop [-] {noise.randbytes(60).hex()}\n" for second in made]
    log.with_name("django.log.1.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    write(log, text(200_000))
    found = read_all([RotatedLog(log)], Query(until=at(35_000)), count=50_000, forwards=forwards)
    assert len(found) == 5000


@WAYS
@pytest.mark.parametrize("current", [range(50, 60), range(0)])
def test_a_clock_that_was_set_back_by_days_hides_nothing_of_a_compressed_file(log, forwards, current):
    """When its last record was made is not known before it is unpacked; when the next file begins, is."""
    log.parent.mkdir(exist_ok=True)
    first, second = range(10 * 86400, 10 * 86400 + 50), range(50)
    content = "".join(text(number) for number in (*first, *second))
    log.with_name("django.log.1.gz").write_bytes(gzip.compress(content.encode()))
    write(log, "".join(text(number) for number in current))
    found = numbers(read_all([RotatedLog(log)], Query(until=at(55)), forwards=forwards))
    assert sorted(found) == [*second, *current[:5]]
