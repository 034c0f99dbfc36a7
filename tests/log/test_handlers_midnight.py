"""Each record lands in the file of its own day, whatever the clocks do.

The handler is given records made at chosen times; which day that is says `zoneinfo`.
"""

import datetime as dt
import itertools
import os
import random
import sys
from zoneinfo import ZoneInfo

import pytest
from handler_support import record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no time.tzset")

CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-10-04"),  # half an hour
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Africa/Cairo", "2026-04-24"),  # there is no midnight
    ("Africa/Cairo", "2026-10-29"),  # 23 o'clock comes twice
    ("America/Havana", "2026-11-01"),  # midnight comes twice
]


def at(text, zone):
    """Return the time that a clock in `zone` shows as `text`."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def local(created, zone):
    """Return what a clock in `zone` shows at `created`."""
    return dt.datetime.fromtimestamp(created, ZoneInfo(zone))


def read(log):
    """Return {suffix of the file, "" for the log itself: [created, ...]}."""
    return {
        path.name[len(log.name) + 1 :]: [float(line.split()[0]) for line in path.read_text().splitlines()]
        for path in log.parent.iterdir()
        if path.name[0] != "."
    }


def assert_filed(log, expected_suffix, written):
    """Assert that each record is in the file that `expected_suffix` names, and none is missing."""
    files = read(log)
    current = files.pop("", [])
    wrong = [(suffix, c) for suffix in files for c in files[suffix] if expected_suffix(c) != suffix]
    assert wrong == []
    assert len({expected_suffix(created) for created in current}) <= 1
    assert sorted(itertools.chain(current, *files.values())) == sorted(round(c, 3) for c in written)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_days_are_right_when_clocks_change(log, make, in_zone, zone, day, restarts):
    """Without this, twice a year an hour of records is looked for in the wrong file."""
    in_zone(zone)
    options = {"when": "midnight", "backupCount": 90}
    begin = at(f"{day}T00:00", zone) - 2 * 86400 + 17
    times = [begin + 487 * step for step in range(710)]
    handler = make("SharedTimedRotatingFileHandler", log, **options)
    for created in times:
        if restarts and random.random() < 0.1:
            handler.close()
            handler = make("SharedTimedRotatingFileHandler", log, **options)
        handler.emit(record(created))
    assert_filed(log, lambda created: f"{local(created, zone):%Y-%m-%d}", times)
    assert len(read(log)) >= 4


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@pytest.mark.parametrize(
    ("when", "step", "name"),
    [
        ("S", 61.25, "%Y-%m-%d_%H-%M-%S"),
        ("M", 33.5, "%Y-%m-%d_%H-%M"),
        ("H", 300.5, "%Y-%m-%d_%H"),
    ],
)
def test_seconds_minutes_and_hours_are_right_when_clocks_change(log, make, in_zone, zone, day, when, step, name):
    """Without this, the hour that comes twice overwrites its own file."""
    in_zone(zone)
    begin = at(f"{day}T00:00", zone) - 7000
    times = [begin + step * number for number in range(int(18000 / step))]
    handler = make("SharedTimedRotatingFileHandler", log, when=when)
    for created in times:
        handler.emit(record(created))
    assert_filed(log, lambda created: f"{local(created, zone):{name}}", times)


def test_seconds_round_midnight_are_exact(log, make, in_zone):
    """Without this, the records of the last moment of a day stand in the next one's file."""
    in_zone("Europe/Berlin")
    midnight = at("2026-06-02T00:00", "Europe/Berlin")
    times = [midnight - 1.5 + number * 0.0007 for number in range(4000)]
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight")
    for created in times:
        handler.emit(record(created))
    assert_filed(log, lambda created: f"{local(created, 'Europe/Berlin'):%Y-%m-%d}", times)


def test_days_without_records(log, make):
    """Without this, Friday's records are called Monday's after a quiet weekend."""
    day = 86400
    times = [at("2026-05-01T12:00", "UTC") + number * day for number in (0, 0.1, 3, 3.1, 10, 45)]
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    for created in times:
        handler.emit(record(created))
    assert_filed(log, lambda created: f"{local(created, 'UTC'):%Y-%m-%d}", times)
    assert set(read(log)) == {"", "2026-05-01", "2026-05-04", "2026-05-11"}


def test_late_records_and_two_processes(log, make):
    """Without this, a record made before midnight and written after it is in the wrong file."""
    midnight = at("2026-05-02T00:00", "UTC")
    options = {"when": "midnight", "utc": True}
    slow = make("SharedTimedRotatingFileHandler", log, **options)
    fast = make("SharedTimedRotatingFileHandler", log, **options)
    plan = [(slow, -60), (fast, -50), (fast, 1), (slow, -0.5), (slow, -0.4), (slow, 2), (fast, -0.25), (fast, 3)]
    for handler, offset in plan:
        handler.emit(record(midnight + offset))
    late = make("SharedTimedRotatingFileHandler", log, **options)
    late.emit(record(midnight - 0.125))
    times = [midnight + offset for _, offset in plan] + [midnight - 0.125]
    assert_filed(log, lambda created: f"{local(created, 'UTC'):%Y-%m-%d}", times)


def test_a_process_that_starts_after_a_late_write_still_rotates(log, make):
    """Without this, the modification time makes yesterday's file look like today's."""
    midnight = at("2026-05-02T00:00", "UTC")
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    handler.emit(record(midnight - 0.001))
    handler.close()
    os.utime(log, (midnight + 0.002, midnight + 0.002))
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    handler.emit(record(midnight + 60))
    assert read(log) == {"2026-05-01": [midnight - 0.001], "": [midnight + 60]}


def test_a_log_from_before_this_handler_is_dated_by_its_modification_time(log, make):
    """Without this, the first start of the project mixes last week's records with today's."""
    log.parent.mkdir()
    old = at("2026-05-01T12:00", "UTC")
    log.write_text(f"{old} hello\n")
    os.utime(log, (old, old))
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True)
    handler.emit(record(old + 6 * 86400))
    assert read(log) == {"2026-05-01": [old], "": [old + 6 * 86400]}


def test_clock_set_back_by_an_hour(log, make):
    """Without this, a corrected clock overwrites a file or stops the rotation."""
    midnight = at("2026-05-02T00:00", "UTC")
    offsets = [*range(-3000, 1200, 60), *range(-2390, 90000, 70)]
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True, backupCount=9)
    for offset in offsets:
        handler.emit(record(midnight + offset))
    times = [midnight + offset for offset in offsets]
    assert_filed(log, lambda created: f"{local(created, 'UTC'):%Y-%m-%d}", times)
    assert set(read(log)) == {"", "2026-05-01", "2026-05-02"}


def begin_of_week(created, weekday):
    """Return the last `weekday`, 0 for Monday, until `created`."""
    day = local(created, "UTC")
    return day - dt.timedelta(days=(day.weekday() - weekday) % 7)


@pytest.mark.parametrize(("when", "options", "expected"), [
    ("D", {}, lambda c: f"{local(c, 'UTC'):%Y-%m-%d}"),
    ("midnight", {}, lambda c: f"{local(c, 'UTC'):%Y-%m-%d}"),
    ("midnight", {"atTime": dt.time(14, 30)},
     lambda c: f"{local(c - 14.5 * 3600, 'UTC'):%Y-%m-%d}"),
    ("H", {"interval": 6}, lambda c: f"{local(c // 21600 * 21600, 'UTC'):%Y-%m-%d_%H}"),
    ("W6", {}, lambda c: f"{begin_of_week(c, 0):%Y-%m-%d}"),
    ("W0", {}, lambda c: f"{begin_of_week(c, 1):%Y-%m-%d}"),
    ("W2", {"atTime": dt.time(5)},
     lambda c: f"{begin_of_week(c - 5 * 3600, 2):%Y-%m-%d}"),
])  # fmt: skip
def test_when_of_every_kind(log, make, when, options, expected):
    """Without this, a project that changes `when` gets another rotation than the manual says."""
    begin = at("2026-05-01T12:00", "UTC")
    times = [begin + number * 3601.5 for number in range(24 * 30)]
    handler = make("SharedTimedRotatingFileHandler", log, when=when, utc=True, **options)
    for created in times:
        handler.emit(record(created))
    assert_filed(log, expected, times)
    assert len(read(log)) >= 4


def test_90_days_are_kept_and_only_own_files_are_deleted(log, make):
    """Without this, the 91st day fills the disk, or a file that somebody put there is deleted."""
    log.parent.mkdir()
    foreign = ["django.log.2020-01-01.bak", "django.log.notes", "django.log.2020-99-99",
               "django.log.2020-01-01-1", "xdjango.log.2020-01-01", "other.log.2020-01-01"]  # fmt: skip
    for name in foreign:
        (log.parent / name).write_text("mine")
    (log.parent / "django.log.2020-01-02").mkdir()
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", backupCount=90, utc=True)
    begin = at("2026-01-01T12:00", "UTC")
    for day in range(120):
        handler.emit(record(begin + day * 86400))
    names = {path.name for path in log.parent.iterdir()}
    days = [f"django.log.{local(begin + day * 86400, 'UTC'):%Y-%m-%d}" for day in range(29, 119)]
    assert names == {".django.log.lock", log.name, "django.log.2020-01-02", *foreign, *days}


def test_a_namer_keeps_its_names_and_the_limit(log, make):
    """Without this, a project that names files `django.2026-01-01.log` keeps them for ever."""
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", backupCount=3, utc=True)
    handler.namer = lambda name: name.replace(".log", "") + ".log"
    begin = at("2026-01-01T12:00", "UTC")
    for day in range(8):
        handler.emit(record(begin + day * 86400))
    names = sorted(path.name for path in log.parent.iterdir() if path.name[0] != ".")
    assert names == [*(f"django.2026-01-0{day}.log" for day in (5, 6, 7)), "django.log"]


def test_rotation_by_hand_twice_a_day(log, make):
    """Without this, the second doRollover of a day overwrites the first one's file."""
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight")
    for number in range(3):
        handler.emit(record(message=f"n{number}"))
        handler.doRollover()
    texts = sorted(p.read_text().split()[1] for p in log.parent.glob("django.log.*"))
    assert texts == ["n0", "n1", "n2"]
