"""The reader and `manage.py logs` find what the project has logged."""

import gzip
import json
import logging
from pathlib import Path

import pytest

from applog.follow import Follower
from applog.handlers import SharedRotatingFileHandler
from applog.reader import Log, read_newer, read_older
from applog.search import Filter
from applog.tests.conftest import Manage
from applog.tests.test_logging import log


def test_the_command_shows_what_the_project_logged(project: Path, manage: Manage) -> None:
    """A log that cannot be looked at is of no use."""
    assert manage(*log("shop", "error", "grüße")).returncode == 0
    for arguments in (("logs",), ("logs", "django", "--level", "ERROR", "--grep", "GRÜ", "--since", "1h")):
        shown = manage(*arguments)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.count("grüße") == 1
    [record] = map(json.loads, manage("logs", "--json").stdout.splitlines())
    assert (record["level"], record["logger"], record["message"]) == ("ERROR", "shop", "grüße")
    assert "django.log" in manage("logs", "list").stdout
    assert "grüße" in manage("logs", "stats").stdout
    (project / "logs" / "django.log").rename(project / "logs" / "django.log.1")
    assert "No rotated file is that old" in manage("logs", "clear", "--older-than", "1h", "--delete").stdout
    assert (project / "logs" / "django.log.1").exists()


def test_pages_and_following_go_across_rotation(tmp_path: Path) -> None:
    """A record that falls between two files is the one that was looked for."""
    path = tmp_path / "logs" / "django.log"
    handler = SharedRotatingFileHandler(path, maxBytes=2000, backupCount=90, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    follower, followed = Follower(Log(path)), []
    for number in range(200):
        level = logging.ERROR if number % 10 == 0 else logging.INFO
        fields = {"msg": f"n{number}", "name": "shop", "levelno": level, "levelname": logging.getLevelName(level)}
        handler.handle(logging.makeLogRecord(fields))
        if number % 7 == 0:
            followed += [record.message for record in follower.read_new()]
    handler.close()
    followed += [record.message for _ in range(2) for record in follower.read_new()]
    assert followed == [f"n{number}" for number in range(200)]

    oldest = Log(path).files()[0].path
    oldest.with_name(f"{oldest.name}.gz").write_bytes(gzip.compress(oldest.read_bytes()))
    oldest.unlink()
    page = read_older([Log(path)], count=30)
    records = page.records
    while not page.exhausted:
        page = read_older([Log(path)], page.older, count=30)
        records += page.records
    assert [record.message for record in records] == [f"n{number}" for number in range(199, -1, -1)]
    errors = read_older([Log(path)], count=5, matching=Filter(level="ERROR"))
    assert [record.message for record in errors.records] == ["n190", "n180", "n170", "n160", "n150"]
    assert read_newer([Log(path)], errors.newer, count=5).records == []


@pytest.mark.parametrize("pattern", ["(", "x" * 600])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    """A search that finds nothing because it was mistyped looks like a clean log."""
    with pytest.raises(ValueError, match="regular expression"):
        Filter(pattern=pattern)


def test_a_pattern_that_takes_too_long_ends(manage: Manage) -> None:
    """Whoever may search the log must not be able to stop the site."""
    assert manage(*log("shop", "error", "a" * 50 + "!")).returncode == 0
    shown = manage("logs", "--regex", "(a|aa)+$")
    assert shown.returncode == 1
    assert shown.stderr.startswith("CommandError: This regular expression takes too long.")
