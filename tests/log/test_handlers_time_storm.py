"""Several processes write one log that rotates every second."""

import pytest
from handler_support import FORKS, SIZES
from storm import SECONDS_SUFFIX, Storm

OPTIONS = {"when": "s", "backupCount": 400}


@SIZES
@pytest.mark.parametrize("threads", [1, 3])
@FORKS
def test_no_record_is_lost_or_misfiled_when_processes_rotate_by_time(log, fork, threads, full):
    """Without this, what happened at midnight is missing, or stands in the wrong day's file."""
    seconds = 9 if full else 4
    storm = Storm("Time", log, options=OPTIONS, seconds=seconds, threads=threads, pause=0.00005, fork=fork)
    storm.start(4)
    storm.wait()
    # How many there are in that time is the machine's business.
    assert storm.assert_intact(SECONDS_SUFFIX) > len(storm.files()) > 2


@SIZES
def test_no_record_is_lost_or_misfiled_when_writers_are_killed(log, full):
    """Without this, a killed worker at midnight costs the others' records."""
    kills = 15 if full else 6
    storm = Storm("Time", log, options=OPTIONS, seconds=2 + kills * 0.4, pause=0.0002)
    storm.kill_and_replace(kills)
    storm.wait()
    storm.assert_intact(SECONDS_SUFFIX)
