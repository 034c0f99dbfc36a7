"""Following a log: nothing missed, nothing twice, across both kinds of rotation, by several writers."""

import gzip
import importlib
import os
import time
from pathlib import Path

import pytest
from reader_support import Query, RotatedLog, append, numbers, read_older, text, write
from storm import SECONDS_SUFFIX, Storm

follow = importlib.import_module("applog.reading.follow")


def new(follower, calls=2):
    """Return what some calls find: the last record is shown by the call after the one that saw it."""
    return [record for _ in range(calls) for record in follower.read_new()]


def test_only_what_is_added_is_shown_and_only_whole_records(log):
    """Half a record, and its rest later, would be two that nobody understands."""
    write(log, text(0) + text(1)[:20])
    follower = follow.Follower(RotatedLog(log))
    assert new(follower) == []
    append(log, text(1)[20:])
    assert numbers(new(follower)) == [1]
    append(log, text(2, lines=2))
    first = list(follower.read_new())
    append(log, "    line 2 of 2\n" + text(3))
    records = first + new(follower)
    assert numbers(records) == [2, 3]
    assert len(records[0].lines) == 3
    append(log, "    late\n")
    [late] = new(follower)
    assert (late.message, late.time) == ("    late", None)
    assert new(follower) == []


LEFT_OUT = {"without": ("noise",)}, {"level": "-INFO"}, {"logger": "-shop"}, {"level": "ERROR"}, {"text": "X"}


@pytest.mark.parametrize("filters", LEFT_OUT)
def test_what_comes_late_belongs_to_its_record(log, filters):
    """Who leaves something out is not to be shown the rest of it, and who asks for something gets all of it."""
    write(log, "")
    follower = follow.Follower(RotatedLog(log), Query(**filters))
    for first in (text(0, "noise"), text(1, "X", "ERROR", "blog")):
        append(log, first)
        new(follower)
        append(log, "    late\n")
        assert [record.message for record in new(follower)] == (["    late"] if "X" in first else [])


def test_filters_apply(log):
    """Who follows the errors is not to be shown the rest."""
    follower = follow.Follower(RotatedLog(log), Query(level="ERROR", text="wanted"))
    write(log, text(0, "wanted", "ERROR") + text(1, "wanted") + text(2, "other", "ERROR") + text(3, "wanted", "ERROR"))
    assert numbers(new(follower)) == [0, 3]


def test_what_is_written_late_to_a_rotated_file_is_shown(log):
    """A process that was overtaken by the rotation still writes where it meant to."""
    write(log, text(0))
    follower = follow.Follower(RotatedLog(log))
    append(log, text(1))
    log.rename(f"{log}.1")
    write(log, text(2))
    assert numbers(new(follower)) == [1, 2]
    append(Path(f"{log}.1"), text(3))
    append(log, text(4))
    assert numbers(new(follower)) == [3, 4]


def test_a_file_that_was_compressed_is_not_shown_again_but_its_unseen_end_is(log):
    """A rotator that compresses at once leaves the last records in the compressed file only."""
    write(log, text(0) + text(1))
    follower = follow.Follower(RotatedLog(log))
    append(log, text(2))
    packed = log.with_name("django.log.1.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    write(log, text(3))
    assert numbers(new(follower)) == [2, 3]
    packed.rename(log.with_name("django.log.2.gz"))
    assert new(follower) == []


def test_a_file_that_is_copied_and_emptied_is_followed(log):
    """Copytruncate of logrotate keeps the file and loses its content."""
    write(log, text(0) + text(1))
    follower = follow.Follower(RotatedLog(log))
    append(log, text(2))
    log.with_name("django.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    append(log, text(3))
    assert numbers(new(follower)) == [2, 3]
    os.truncate(log, 0)
    append(log, text(4) + text(5) + text(6))
    assert numbers(new(follower)) == [4, 5, 6]


def test_a_log_that_does_not_exist_yet_is_followed(log):
    """The command may be started before the server."""
    follower = follow.Follower(RotatedLog(log))
    assert new(follower) == []
    write(log, text(0))
    assert numbers(new(follower)) == [0]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs a list of the open files")
def test_no_file_is_open_between_two_calls(log):
    """On Windows an open file could not be rotated by whoever does it otherwise than this project."""
    write(log, text(0))
    follower = follow.Follower(RotatedLog(log))
    append(log, text(1))
    new(follower)
    page = read_older([RotatedLog(log)], count=1)
    assert len(page.records) == 1
    targets = {os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()}
    assert not [target for target in targets if target.startswith(str(log.parent))]


ROTATIONS = {
    "Size": {"options": {"maxBytes": 60_000, "backupCount": 900}, "records": 4000},
    "Time": {"options": {"when": "S", "backupCount": 900}, "seconds": 5, "pause": 0.0005},
}


@pytest.mark.parametrize("kind", ROTATIONS)
def test_each_record_of_a_storm_is_followed_once(log, kind):
    """Four processes write and rotate; whoever watches sees each record, and none twice."""
    storm = Storm(kind, log, **ROTATIONS[kind])
    follower = follow.Follower(RotatedLog(log))
    storm.start(4)
    seen = []
    while any(process.poll() is None for process in storm.processes):
        seen += [record.raw for record in follower.read_new()]
        time.sleep(0.02)
    storm.wait()
    seen += [record.raw for record in new(follower, 3)]
    storm.assert_intact(SECONDS_SUFFIX if kind == "Time" else None)
    written = [line.removesuffix("\n") for _, line, _ in storm.lines()]
    assert len(storm.files()) > 4
    assert sorted(seen) == sorted(written)
