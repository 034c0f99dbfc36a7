"""The reader and `manage.py logs` find what the project has logged."""

import gzip
import json
import logging
import re
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from applog.formatters import JsonFormatter, TextFormatter
from applog.handlers import SharedRotatingFileHandler
from applog.reading.follow import Follower
from applog.reading.log import RotatedLog
from applog.reading.pages import read_newer, read_older
from applog.reading.query import Query
from applog.security import system_user
from applog.tests.conftest import Manage

Logs = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the project's log, which the settings say is in a folder of the test's."""
    handlers = settings.LOGGING["handlers"]
    moved = {**handlers["file"], "filename": tmp_path / "logs" / "django.log"}
    # Not by the fixture of pytest-django: Django 6.1 would set up logging anew with it.
    monkeypatch.setattr(settings, "LOGGING", {**settings.LOGGING, "handlers": {"file": moved}})
    return tmp_path / "logs" / "django.log"


@pytest.fixture
def logs(path: Path) -> Logs:
    """Return a function that runs `manage.py logs` in this process and returns what it prints."""

    def run(*arguments: str) -> str:
        output = StringIO()
        call_command("logs", *arguments, stdout=output, no_color=True)
        return output.getvalue()

    return run


def write(path: Path, message: str) -> None:
    """Log an error as the project does."""
    handler = SharedRotatingFileHandler(path, encoding="utf-8")
    handler.setFormatter(TextFormatter())
    error = {"msg": message, "name": "shop", "levelno": logging.ERROR, "levelname": "ERROR"}
    handler.handle(logging.makeLogRecord(error))
    handler.close()


def test_a_project_without_time_zones_reads_its_log(logs: Logs, path: Path, settings: Any) -> None:
    """USE_TZ = False is what many older projects have, to which the log is brought."""
    settings.USE_TZ = False
    write(path, "hello")
    for arguments in (["--since", "1h"], ["list"], ["stats"]):
        assert re.search("hello|django.log|ERROR", logs(*arguments))


def test_a_log_that_the_owner_adds_is_read(logs: Logs, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third file in LOGGING is one that somebody wants to look at; the root logger may be written as any other."""
    orders = path.with_name("orders.log")
    write(orders, "paid")
    file = settings.LOGGING["handlers"]["file"]
    loggers = {"": {"handlers": ["file"]}, "shop.orders": {"handlers": ["orders_file"]}}
    handlers = {"file": file, "orders_file": {**file, "filename": orders}}
    monkeypatch.setattr(settings, "LOGGING", {"version": 1, "handlers": handlers, "loggers": loggers})
    assert logs("orders").endswith("paid\n")


def test_what_an_option_would_not_change_is_refused(logs: Logs) -> None:
    """Whoever types it believes that it was heeded: clear --since 2h removes more than that."""
    actions = r"(?:[a-z]+, )*(?:[a-z]+ and )?[a-z]+"
    for arguments in (
        ("list", "--json"), ("stats", "--json"), ("list", "--level", "ERROR"), ("stats", "-n", "3"),
        ("list", "-n", "0"), ("clear", "--json"), ("--older-than", "3d"), ("--delete",),
        ("clear", "--older-than", "3d", "--since", "2h"),
    ):  # fmt: skip
        with pytest.raises(CommandError, match=rf"^--[a-z-]+ is for {actions}; leave it out of [a-z]+\.$"):
            logs(*arguments)


@pytest.mark.parametrize("option", ["--grep", "--logger", "--since"])
def test_an_option_that_would_replace_the_one_before_is_refused(logs: Logs, option: str) -> None:
    """Whoever types two of them looks for records that have both."""
    with pytest.raises(CommandError, match=rf"{option}: it can be given once only$"):
        logs(option, "1h", option, "2h")


@pytest.mark.parametrize("option", ["--grep", "--request", "--level", "--error"])
def test_an_empty_option_is_refused(logs: Logs, option: str) -> None:
    """It is that of a shell's variable that is not set, and would show all records."""
    with pytest.raises(CommandError, match=rf"{option}: it is empty; leave it out$"):
        logs(option, "")


def test_a_closed_output_is_no_traceback(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell's >&- leaves a program without one."""
    write(path, "x")
    monkeypatch.setattr("sys.stdout", None)
    for action in ("show", "errors", "list"):
        with pytest.raises(CommandError, match="output is closed"):
            call_command("logs", action)


def test_a_kind_of_errors_is_shown_by_the_filters_that_it_was_counted_with(path: Path, logs: Logs) -> None:
    """Else the records are others than the number beside the command."""
    path.parent.mkdir()
    times = [f"{datetime.now(UTC) - timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}.000+00:00" for hours in (40, 20, 2, 1)]
    lines = [f"{made} ERROR shop [-] it 's {number}\n" for number, made in enumerate(times)]
    path.write_text("".join(lines) + f"{times[-1]} ERROR shop [-] it 's 5 noise\n", encoding="utf-8")
    since = str(datetime.now() - timedelta(hours=30))  # noqa: DTZ005  as it is typed
    found = logs("errors", "django", "--since", since, "--until", "90m", "--grep", "it 's", "--exclude", "noise")
    [hint] = re.findall(r"^ +logs (.*)$", found, re.MULTILINE)
    assert logs(*shlex.split(hint)).count("\n") == 2
    assert "        2 " in found


def test_a_field_may_be_one_that_each_record_has(logs: Logs, path: Path) -> None:
    """What --json shows can be asked for."""
    path.parent.mkdir()
    lines = [
        json.dumps({"timestamp": "2026-11-24T05:00:00.000Z", "levelname": level, "logger": "a", "message": level * 2})
        for level in ("INFO", "ERROR")
    ]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    for field in ("levelname=ERROR", "message=ERRORERROR"):
        assert logs("--field", field).endswith("ERROR a [-] ERRORERROR\n")
    assert logs("--field", "logger=a", "--field", "levelname=INFO").count("\n") == 1
    assert not logs("--field", "level=b")


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_a_level_without_a_name_is_as_severe_as_its_number(
    logs: Logs, path: Path, formatter: Callable[[], logging.Formatter]
) -> None:
    """What is logged between ERROR and CRITICAL must not be missing among the errors."""
    path.parent.mkdir()
    with path.open("w", encoding="utf-8") as file:
        for number in (25, 45):
            level = {"levelno": number, "levelname": logging.getLevelName(number)}
            record = {"msg": f"of {number}", "name": "shop", "created": time.time(), **level}
            file.write(formatter().format(logging.makeLogRecord(record)) + "\n")
    assert logs("--level", "ERROR").endswith(" Level 45 shop [-] of 45\n")
    assert "of 25" not in logs("--level", "ERROR")
    assert logs("--level", "DEBUG").count("\n") == logs("--level=-INFO").count("\n") == 2
    assert logs("--level", "=level 45").endswith(" Level 45 shop [-] of 45\n")
    assert "1 record of 1 kind " in logs("errors")
    assert " 1 Level" in logs("stats", "--level", "WARNING")


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_a_level_of_ones_own_is_found_by_its_name_in_any_case(
    logs: Logs, path: Path, formatter: Callable[[], logging.Formatter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search for WARNING and above must not lose the records of logging.addLevelName(35, "Audit")."""
    monkeypatch.setattr(logging, "_levelToName", dict(logging._levelToName))
    monkeypatch.setattr(logging, "_nameToLevel", dict(logging._nameToLevel))
    path.parent.mkdir()
    for number, name in ((35, "Audit"), (36, "Very Loud"), (37, "LÄRM"), (38, "x.(y+)*$")):
        logging.addLevelName(number, name)
        for written in (name, name.lower()):  # as other programs may write it
            record = {"msg": "hello", "name": "shop", "created": time.time(), "levelno": number, "levelname": written}
            with path.open("a", encoding="utf-8") as file:
                file.write(formatter().format(logging.makeLogRecord(record)) + "\n")
    assert logs("--level", "WARNING").count("\n") == 8
    for name in ("Audit", "very loud", "lärm", "X.(Y+)*$"):
        assert logs("--level", f"={name}").count("\n") == 2


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000+14:00", "9999-12-31T23:59:59.999-12:00"])
def test_a_time_that_no_zone_can_show_is_no_traceback(logs: Logs, path: Path, time: str) -> None:
    """Whoever can write one line into the log could take the command from its readers."""
    path.parent.mkdir()
    path.write_text(f"{time} ERROR shop [-] x\n", encoding="utf-8")
    for action in ("show", "list", "stats", "errors", "requests"):
        logs(action)


def test_no_field_is_lost_in_json(logs: Logs, path: Path) -> None:
    """A field that is named as one of the command's own is one of the record's nevertheless."""
    path.parent.mkdir()
    record = {"timestamp": "2026-11-24T05:00:00.000Z", "level": "INFO", "logger": "a", "message": "m"}
    path.write_text(json.dumps(record | {"lines": 12, "log": "audit"}) + "\n", encoding="utf-8")
    found = json.loads(logs("--json"))
    assert (found["extra.lines"], found["extra.log"], found["log"]) == (12, "audit", "django")


def test_the_command_shows_what_the_project_logged(manage: Manage) -> None:
    """A log that cannot be looked at is of no use."""
    code = "import logging; logging.getLogger('shop').error('grüße')"
    assert manage("shell", "-c", code).returncode == 0
    shown = manage("logs", "--grep", "GRÜ")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("grüße") == 1


def test_the_command_shows_records_and_files(path: Path, logs: Logs) -> None:
    """Each of its actions is what somebody needs on a bad day."""
    write(path, "grüße")
    for arguments in ((), ("django", "--level", "ERROR", "--grep", "GRÜ", "--since", "1w")):
        assert logs(*arguments).count("grüße") == 1
    [record] = map(json.loads, logs("--json").splitlines())
    assert (record["level"], record["logger"], record["message"]) == ("ERROR", "shop", "grüße")
    assert "django.log" in logs("list")
    assert "\n1 file takes " in logs("list")
    assert "grüße" in logs("stats")
    path.rename(path.with_name("django.log.1"))
    assert "No rotated file is that old" in logs("clear", "--older-than", "1h", "--delete")
    assert path.with_name("django.log.1").exists()


def test_pages_and_following_go_across_rotation(tmp_path: Path) -> None:
    """A record that falls between two files is the one that was looked for."""
    path = tmp_path / "logs" / "django.log"
    handler = SharedRotatingFileHandler(path, maxBytes=2000, backupCount=90, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    follower, followed = Follower(RotatedLog(path)), []
    for number in range(200):
        level = logging.ERROR if number % 10 == 0 else logging.INFO
        fields = {"msg": f"n{number}", "name": "shop", "levelno": level, "levelname": logging.getLevelName(level)}
        handler.handle(logging.makeLogRecord(fields))
        if number % 7 == 0:
            followed += [record.message for record in follower.read_new()]
    handler.close()
    assert max(file.size for file in RotatedLog(path).files()) < 2000
    followed += [record.message for _ in range(2) for record in follower.read_new()]
    assert followed == [f"n{number}" for number in range(200)]

    oldest = RotatedLog(path).files()[0].path
    oldest.with_name(f"{oldest.name}.gz").write_bytes(gzip.compress(oldest.read_bytes()))
    oldest.unlink()
    page = read_older([RotatedLog(path)], count=30)
    records = page.records
    while not page.exhausted:
        page = read_older([RotatedLog(path)], page.older, count=30)
        records += page.records
    assert [record.message for record in records] == [f"n{number}" for number in range(199, -1, -1)]
    errors = read_older([RotatedLog(path)], count=5, query=Query(level="ERROR"))
    assert [record.message for record in errors.records] == ["n190", "n180", "n170", "n160", "n150"]
    assert read_newer([RotatedLog(path)], errors.newer, count=5).records == []


def test_old_files_are_removed_only_when_that_is_asked_for(path: Path, logs: Logs) -> None:
    """Records that were removed by a look at them are gone for good."""
    write(path, "old")
    old = path.rename(path.with_name("django.log.1"))
    assert "1 file with" in logs("clear", "--older-than", "0s")
    assert old.exists()
    assert "1 file was removed" in logs("clear", "--older-than", "0s", "--delete", "--no-input")
    assert not old.exists()


def test_who_removes_files_leaves_a_trace(manage: Manage, project: Path) -> None:
    """Whoever wants to hide something begins with the security log."""
    folder = project / "logs"
    for name in ("security", "django"):
        write(folder / f"{name}.log", "old")
        (folder / f"{name}.log").rename(folder / f"{name}.log.2026-02-09")
    clear = ("logs", "clear", "security", "--older-than", "0s")
    assert manage(*clear).returncode == 0
    assert not (folder / "security.log").exists()
    result = manage(*clear, "--delete", "--no-input")
    assert result.returncode == 0, result.stderr
    assert manage(*clear, "--delete", "--no-input").returncode == 0  # there is none left
    assert not (folder / "security.log.2026-02-09").exists()
    [record] = (folder / "security.log").read_text(encoding="utf-8").splitlines()
    who = f"by {system_user()!r} on this machine"
    what = rf"sensitive_delete: log security, 1 file with \d+ bytes, last change [\dT:+-]+, {re.escape(who)}"
    assert re.search(rf"WARNING applog\.security \[-\] {what}$", record)


def test_equal_lines_without_a_time_are_each_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing tells whether two programs that both try again did so at once; one record of two logs has one time."""
    handlers = settings.LOGGING["handlers"]
    paths = [path, path.with_name("other.log")]
    both = {file.name: {**handlers["file"], "filename": file} for file in paths}
    monkeypatch.setattr(settings, "LOGGING", {**settings.LOGGING, "handlers": both})
    path.parent.mkdir()
    for file in paths:
        file.write_text("2026-11-24T05:37:47.123+01:00 INFO shop [-] begins\n", encoding="utf-8")
    rounds = iter(range(4))

    def sleep(_: float) -> None:
        if next(rounds) == 0:
            for file in paths:
                with file.open("a", encoding="utf-8") as added:
                    added.write("WARNING:shop:retrying\n2026-11-24T05:37:48.123+01:00 INFO shop [-] once\n")
        elif next(rounds, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr("applog.management.records.time.sleep", sleep)
    output = StringIO()
    with pytest.raises(SystemExit):
        call_command("logs", "--follow", "-n", "0", stdout=output, no_color=True)
    assert (output.getvalue().count("retrying"), output.getvalue().count("once")) == (2, 1)


@pytest.mark.parametrize("pattern", ["(", "x" * 600])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    """A search that finds nothing because it was mistyped looks like a clean log."""
    with pytest.raises(ValueError, match="regular expression"):
        Query(pattern=pattern)


def test_a_pattern_that_takes_too_long_ends(path: Path, logs: Logs) -> None:
    """Whoever may search the log must not be able to stop the site."""
    write(path, "a" * 50 + "!")
    with pytest.raises(CommandError, match="takes too long"):
        logs("--regex", "(a|aa)+$")


def test_what_is_in_the_way_is_left_out(logs: Logs, path: Path) -> None:
    """The noise of one loop hides the rest of a log."""
    path.parent.mkdir(exist_ok=True)
    lines: list[dict[str, Any]] = [
        {"level": "INFO", "logger": "shop.noise", "message": "noise", "order": 7},
        {"level": "ERROR", "logger": "shop", "message": "wanted", "order": 8, "paid": None},
        {"level": "DEBUG", "logger": "shop", "message": "detail", "order": "8"},
    ]
    stamped = [{"timestamp": f"2026-02-09T10:00:0{number}.000+00:00", **line} for number, line in enumerate(lines)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in stamped), encoding="utf-8")

    def found(*arguments: str) -> list[str]:
        return [json.loads(line)["message"] for line in logs("--json", *arguments).splitlines()]

    assert found("--exclude", "NOISE") == ["wanted", "detail"]
    assert found("-x", "noise", "-x", "wan") == ["detail"]
    assert found("--logger=-shop.noise") == ["wanted", "detail"]
    assert found("--logger", "shop,-shop.noise", "--level", "=error,info") == ["wanted"]
    assert found("--level=-ERROR") == ["noise", "detail"]
    assert found("--field", "order=8") == ["wanted", "detail"]
    assert found("--field", "order=8", "--field", "paid=null") == ["wanted"]
    assert found("-n", "1", "django") == ["detail"]
    for wrong in (("--field", "order"), ("--level", "=LOUD"), ("--logger", "a,,b"), ("--exclude", "")):
        with pytest.raises(CommandError, match=r"[.]$"):
            logs(*wrong)


@pytest.mark.parametrize("action", ["show", "stats", "errors", "requests"])
def test_a_time_that_ends_before_it_begins_is_refused(logs: Logs, action: str) -> None:
    """No record is in it, so that the log seems to have none."""
    for until in ("3h", "2026-02-09"):
        with pytest.raises(CommandError, match=r"^--since has to be before --until\.$"):
            logs(action, "--since", "2h", "--until", until)


def test_a_time_that_cannot_be_is_named_as_it_was_typed(logs: Logs) -> None:
    """Whoever reads another time than the one typed looks for the mistake elsewhere."""
    with pytest.raises(CommandError, match="'26:00' is not a time"):
        logs("--since", "26:00")


@pytest.mark.parametrize("columns", ["60", "80"])
def test_lines_fit_into_a_narrow_terminal(
    logs: Logs, path: Path, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one half of a screen a table whose lines are torn apart cannot be read."""
    monkeypatch.setenv("COLUMNS", columns)
    path.parent.mkdir(exist_ok=True)
    levels = "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"
    records = [f"2026-02-09T10:00:00.000+00:00 {level} shop [-] x\n" for level in levels]
    path.write_text("".join(records), encoding="utf-8")
    path.with_name("django.log.2026-02-09.gz").write_bytes(gzip.compress(path.read_bytes()))
    table = logs("stats", "--since", "2026-02-09").partition("Most frequent")[0].splitlines()
    assert max(map(len, [*table, *logs("list").splitlines()])) <= int(columns)
