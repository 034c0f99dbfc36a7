"""CPython's own tests pass with these handlers, but for the differences that their docstrings tell."""

import json
import subprocess
import sys
from pathlib import Path

import cpython_handlers
import pytest
from conftest import python_for

# Which of CPython's tests fail, and why. Not every version has each of them.
DIFFERENCES = {
    "test_path_objects": "the constructor opens nothing",
    "test_pathlike_objects": "the constructor opens nothing",
    "test_max_bytes": "the constructor opens nothing",
    "test_should_rollover": "backupCount is 0 there, which means no rotation here",
    "test_rollover_at_midnight": "the lock's file says which period the file is of, not its time",
    "test_rollover_at_weekday": "the lock's file says which period the file is of, not its time",
}


@pytest.mark.skipif(sys.platform == "win32", reason="CPython's tests remove files that our handlers have open")
@pytest.mark.parametrize("version", ["5.2", "6.1"])
@pytest.mark.parametrize("full", [[], pytest.param(["full"], marks=pytest.mark.storm)], ids=["most", "full"])
def test_cpython_s_tests_pass(version, full):
    """Without this, what people know of the standard library's handlers is not true of these."""
    python = python_for(version)
    if (
        not python
        or subprocess.run([python, "-c", "import test.test_logging"], capture_output=True, check=False).returncode
    ):
        pytest.skip("there is no Python with its own tests")
    done = subprocess.run(
        [python, Path(cpython_handlers.__file__), *full], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["run"] > 90
    assert {name: trace for name, trace in found["failed"].items() if name not in DIFFERENCES} == {}
