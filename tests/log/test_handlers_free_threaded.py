"""The handlers on a Python without its global lock: nothing else protects what threads share."""

import os
import shutil
import subprocess

import pytest
from handler_support import FORKS, SIZES
from storm import SECONDS_SUFFIX, STRICT, Storm

PYTHON = os.environ.get("FREE_THREADED_PYTHON") or shutil.which("python3.14t") or shutil.which("python3.13t")
OPTIONS = {
    "Size": {"maxBytes": 16_000, "backupCount": 9000},
    "Time": {"maxBytes": 50_000, "backupCount": 9000, "when": "s"},
}


@pytest.mark.skipif(not PYTHON, reason="there is no free-threaded Python: FREE_THREADED_PYTHON names one")
@SIZES
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", OPTIONS)
@FORKS
def test_no_record_is_lost_or_misfiled_by_threads_that_run_at_once(log, fork, kind, compress, full):
    """Without this, a record is lost where the global lock had kept two threads apart."""
    asked = [PYTHON, "-c", "import sys; print(sys._is_gil_enabled())"]
    assert subprocess.run(asked, capture_output=True, check=True, text=True).stdout == "False\n"
    job = {"options": {**OPTIONS[kind], "compress": compress}, "seconds": 12 if full else 4, "fork": fork}
    storm = Storm(kind, log, [PYTHON, *STRICT], **job, threads=4, pause=0.0001)
    storm.start(4)
    storm.wait()
    assert storm.assert_intact(SECONDS_SUFFIX if kind == "Time" else None) > len(storm.files()) > 4
