"""Pages of a log that grows at this moment: nothing is missing between two of them, or stands on both."""

import importlib
import os

import pytest
from reader_support import (
    Position,
    Query,
    RotatedLog,
    append,
    at,
    count_records,
    numbers,
    pages,
    read_all,
    read_newer,
    read_older,
    text,
    write,
)
from storm import Storm

log_file = importlib.import_module("applog.reading.log_file")


def test_a_page_of_a_log_that_grows_goes_on_behind_its_last_record(log):
    """Live mode adds what came after the page: nothing may be missing between the two, or stand on both."""
    header = "%(asctime)s %(levelname)s %(name)s %(message)s"
    storm = Storm("Size", log, options={"maxBytes": 0}, format=header, seconds=3, pause=0.0005)
    logs = [RotatedLog(log)]
    storm.start(4)
    shown = []
    while any(process.poll() is None for process in storm.processes):
        shown.append(read_older(logs, count=20))
    storm.wait()
    for page in shown:
        news = read_newer(logs, page.newer, count=20)
        seen = {}
        for record in reversed([*news.records, *page.records]):
            writer, _, number = record.message.partition(" ")[0].split("-")
            seen.setdefault(writer, []).append(int(number))
        for numbers_of_one in seen.values():
            assert numbers_of_one == list(range(numbers_of_one[0], numbers_of_one[0] + len(numbers_of_one)))
    assert {len(page.records) for page in shown} >= {20}


def test_a_log_that_does_not_exist_yet_is_new_as_a_whole(log):
    """Somebody looks at a new project's page, and then at what its first request has logged."""
    logs = [RotatedLog(log)]
    page = read_older(logs, count=5)
    write(log, text(0) + text(1))
    assert numbers(read_newer(logs, page.newer, count=5).records) == [1, 0]
    assert read_older(logs, page.older, count=5).records == []


def test_a_file_is_found_that_is_renamed_after_the_look_into_its_folder(log):
    """At midnight whoever looks at the page would see the whole log come in as news."""
    write(log, "".join(map(text, range(3))))
    found = RotatedLog(log)
    files, cursor = found.files(), read_older([found], count=1).newer["django"]
    log.rename(f"{log}.1")
    write(log, "".join(map(text, range(3, 6))))
    assert found.find_file(files, cursor) == 0


def test_a_record_that_is_being_written_is_not_shown_yet(log, monkeypatch):
    """A page that shows half of it shows it again, whole, with what came next."""
    monkeypatch.setattr(log_file, "WRITE_SECONDS", 60)
    logs = [RotatedLog(log)]
    record = text(1, "x" * 99, lines=3)
    # Up to the end of a line it cannot be told from a whole record.
    for shown in [shown for shown in range(1, len(record)) if record[shown - 1] != "\n"]:
        write(log, text(0) + record[:shown])
        page = read_older(logs, count=5)
        news = read_newer(logs, page.newer, count=5)
        write(log, text(0) + record)
        found = [*read_newer(logs, news.newer, count=5).records, *news.records, *page.records]
        assert "\n".join(found.raw for found in reversed(found)) + "\n" == text(0) + record


@pytest.mark.parametrize("cut", [8, 40, 50])
def test_half_a_line_that_a_dead_process_left_is_shown_with_what_is_added_to_it(log, cut):
    """The next process writes on in that line, and its first record must not be lost with it."""
    write(log, text(0) + text(1)[:cut])
    os.utime(log, (0, 0))
    logs = [RotatedLog(log)]
    page = read_older(logs, count=5)
    assert read_newer(logs, page.newer, count=5).records == []
    append(log, text(2) + text(3))
    assert [record.raw + "\n" for record in read_newer(logs, page.newer, count=5).records] == [
        text(3), (text(1)[:cut] + text(2)) if cut > 30 else (text(0) + text(1)[:cut] + text(2)),
    ]  # fmt: skip


@pytest.mark.parametrize("shown", range(3, 60, 8))
def test_no_record_is_lost_when_the_next_one_is_half_there_at_the_second_look(log, shown, monkeypatch):
    """A page looks where the log ends, and then reads; meanwhile the log grows by half a record."""
    monkeypatch.setattr(log_file, "WRITE_SECONDS", 60)
    write(log, text(0) + text(1))
    logs = [RotatedLog(log)]
    look = pages.find_end

    def look_and_grow(logs):
        end = look(logs)
        append(log, text(2)[:shown])
        return end

    monkeypatch.setattr(pages, "find_end", look_and_grow)
    page = read_older(logs, count=5)
    append(log, text(2)[shown:])
    news = read_newer(logs, page.newer, count=5)
    assert numbers([*news.records, *page.records]) == [2, 1, 0]


def test_half_a_line_that_a_rotation_cut_off_is_shown(log, monkeypatch):
    """Nothing comes behind it any more: whoever waits for its end leaves it out."""
    monkeypatch.setattr(log_file, "WRITE_SECONDS", 60)
    write(log.with_name("django.log.1"), text(0) + text(1) + text(2)[:-4])
    write(log, text(3))
    logs = [RotatedLog(log)]
    assert numbers(read_all(logs)) == [3, 2, 1, 0]
    assert numbers(read_all(logs, forwards=True)) == [0, 1, 2, 3]


@pytest.mark.parametrize("until", [None, at(3600)])
def test_a_histogram_does_not_count_what_the_page_does_not_show_yet(log, monkeypatch, until):
    """A bar that is higher than what its link leads to looks like a loss."""
    monkeypatch.setattr(log_file, "WRITE_SECONDS", 60)
    write(log, text(0) + text(1)[:-4])
    logs, query = [RotatedLog(log)], Query(until=until)
    counts = count_records(logs, at(60) - at(0), query=query)
    assert sum(level.total() for level in counts.levels.values()) == 1
    assert numbers(read_older(logs, count=5, query=query).records) == [0]
    assert numbers(read_newer(logs, Position(), count=5, query=query).records) == [0]
