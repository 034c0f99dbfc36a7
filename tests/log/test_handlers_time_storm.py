"""Several processes write one log that rotates every second, and whenever a file is full."""

import pytest
from handler_support import FORKS, SIZES
from storm import SECONDS_SUFFIX, Storm

OPTIONS = {"when": "s", "backupCount": 400}
BY_SIZE_TOO = {**OPTIONS, "maxBytes": 50_000, "totalBytes": 1 << 30}


@SIZES
@pytest.mark.parametrize(("threads", "options"), [(1, OPTIONS), (3, BY_SIZE_TOO)], ids=["time", "time and size"])
@FORKS
def test_no_record_is_lost_or_misfiled_when_processes_rotate_by_time(log, fork, threads, options, full):
    """Without this, what happened at midnight is missing, or stands in the wrong day's file."""
    seconds = 9 if full else 4
    storm = Storm("Time", log, options=options, seconds=seconds, threads=threads, pause=0.00005, fork=fork)
    storm.start(4)
    storm.wait()
    # How many there are in that time is the machine's business.
    assert storm.assert_intact(SECONDS_SUFFIX) > len(storm.files()) > 2


@SIZES
def test_no_record_is_lost_or_misfiled_when_writers_are_killed(log, full):
    """Without this, a killed worker at midnight costs the others' records."""
    kills = 15 if full else 6
    storm = Storm("Time", log, options=BY_SIZE_TOO, seconds=2 + kills * 0.4, pause=0.0002)
    storm.kill_and_replace(kills)
    storm.wait()
    storm.assert_intact(SECONDS_SUFFIX)
    assert [path.name for path in storm.files() if path.name.endswith(".2")]  # by size, too


@SIZES
@FORKS
def test_no_record_is_lost_or_misfiled_while_rotated_files_are_compressed(log, fork, full):
    """Without this, a file is compressed while a process still writes it, or a kill leaves half of it."""
    kills = 12 if full else 3
    options = {**BY_SIZE_TOO, "compress": True}
    storm = Storm("Time", log, options=options, seconds=(2 if fork else 2 + kills * 0.4), pause=0.0005, fork=fork)
    if fork:
        storm.start(4)
    else:
        storm.kill_and_replace(kills)
    storm.wait()
    storm.assert_intact(SECONDS_SUFFIX)
    assert len([path for path in storm.files() if path.suffix == ".gz"]) >= 2
    names = [path.name.removesuffix(".gz") for path in storm.files()]
    assert len(names) == len(set(names))
