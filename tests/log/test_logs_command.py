"""`manage.py logs` of a generated project, as its users run it: in a terminal, in a pipe, and on Windows."""

import itertools
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from conftest import run, windows
from reader_support import write
from servers import stop, wait_for

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

EVIL = "\x1b[31m\x1b]0;owned\x07\x00\x9b2J\u202e\r\x7f evil"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
NOW = datetime.now(UTC)
unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty module")


def text(age, message, level="INFO", request_id="-", lines=""):
    """Return a record that is `age` seconds old."""
    time = (NOW - timedelta(seconds=age)).isoformat(timespec="milliseconds")
    return f"{time} {level} shop.orders [{request_id}] {message}\n{lines}"


@pytest.fixture(scope="module")
def baked(cookies_session):
    """Return a generated project for the tests of this file."""
    return cookies_session.bake().project_path


@pytest.fixture
def project(baked):
    """Return a generated project with some records in its logs."""
    project = baked
    shutil.rmtree(project / "logs")
    logs = project / "logs"
    trace = "    Traceback (most recent call last):\n    ZeroDivisionError: division by zero\n"
    write(logs / "django.log.2026-01-02", text(40 * 86400, "long ago"))
    write(
        logs / "django.log",
        text(7200, "two hours ago", "WARNING")
        + text(60, "grüße 名前", request_id="abc")
        + text(40, EVIL, "ERROR", lines=trace + f"    {EVIL}\n"),
    )
    event = {"level": "WARNING", "logger": "applog.security", "message": f"Sign-in failed {EVIL}", "request_id": "abc"}
    stamp = (NOW - timedelta(seconds=50)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    write(logs / "security.log", json.dumps({"timestamp": stamp, **event, "event": "authn_login_fail"}) + "\n")
    os.utime(logs / "django.log.2026-01-02", (0, NOW.timestamp() - 40 * 86400))
    return project


@pytest.fixture
def logs(project, environment):
    """Return a function that runs the command with its output in a pipe."""

    def command(*arguments, **options):
        python = environment("5.2")
        return subprocess.run(
            [python, "-W", "error", project / "manage.py", "logs", *arguments],
            capture_output=True, check=False, timeout=60, env={**os.environ, "PYTHONUTF8": "1"}, cwd=project.parent,
            **{"encoding": "utf-8", **options},
        )  # fmt: skip

    return command


class Terminal:
    """A program in a terminal of 60 columns, and what it has written there."""

    def __init__(self, *command, cwd):
        """Start the program."""
        self.screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "DJANGO_COLORS"}}
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd, start_new_session=True,
            env={**environment, "TERM": "xterm", "PYTHONUTF8": "1"},
        )  # fmt: skip
        os.close(terminal)
        self.output = b""

    def read(self, seconds=0.1):
        """Return what was written so far."""
        while select.select([self.screen], [], [], seconds)[0]:
            try:
                piece = os.read(self.screen, 65536)
            except OSError:  # what Linux says at the end
                break
            if not piece:
                break
            self.output += piece
        return self.output.decode()

    def wait(self):
        """Wait for the end, a minute at most, and return the output."""
        until = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < until, self.output
            self.read()
        return self.read()

    def close(self):
        """End the program if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        os.close(self.screen)


@pytest.fixture
def terminal(project, environment):
    """Return a function that starts the command in a terminal."""
    opened = []

    def start(*arguments, program="manage.py"):
        python = environment("5.2")
        opened.append(Terminal(python, "-W", "error", project / program, "logs", *arguments, cwd=project))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def assert_harmless(output):
    """Assert that nothing but colours and ends of lines controls the terminal."""
    rest = COLOURS.sub("", output).replace("\r\n", "\n")
    assert [character for character in rest if not character.isprintable() and character != "\n"] == []


def test_the_records_of_all_logs_are_printed_plain_newest_last(logs):
    """What is piped into another program must be text, in the order of time."""
    done = logs()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("    ")] == lines[-3:]
    heads = [line for line in lines if not line.startswith("    ")]
    assert [word for line in heads for word in ("ago", "grüße", "Sign-in", "evil") if word in line][:4] == [
        "ago", "ago", "grüße", "Sign-in",
    ]  # fmt: skip
    assert re.fullmatch(r"\S{29} INFO shop.orders \[abc\] grüße 名前", heads[2])
    assert "\\x1b[31m\\x1b]0;owned\\x07\\x00\\x9b2J\\u202e\\r\\x7f evil" in done.stdout
    assert_harmless(done.stdout)


def test_json_has_one_object_a_line(logs):
    """A program that reads the log needs every field of every record."""
    done = logs("--json", "security", "django")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 5
    assert records[3]["event"] == "authn_login_fail"
    assert records[3]["message"] == f"Sign-in failed {EVIL}"
    assert records[4]["lines"][1] == "    ZeroDivisionError: division by zero"
    assert done.stdout.isascii()
    assert_harmless(done.stdout)


FILTERS = {
    "-n 2": 2,
    "-n 0": 0,
    "security": 1,
    "--level warning": 3,
    "--grep GRÜßE": 1,
    "--regex ^.+Zero.*zero$": 1,
    "--request abc": 2,
    "--logger applog": 1,
    "--since 3h": 4,
    "--since 3h --until 1h": 1,
    "--since 2020-01-01 -n 1": 1,
    "--since 999999w": 5,
    "--since 99999999999w": 5,
    "--level ERROR --grep grüße": 0,
}
COUNT = """
import io, json, sys
from django.core.management import call_command
for arguments in json.loads(sys.argv[1]):
    call_command("logs", "--json", *arguments.split(), stdout=(output := io.StringIO()))
    print(len(output.getvalue().splitlines()))
"""


def test_filters(project, environment):
    """Each option narrows the records down as its help says."""
    script = project / "count.py"
    script.write_text("import django\ndjango.setup()\n" + COUNT, encoding="utf-8")
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings"}
    printed = run(environment("5.2"), script, json.dumps(list(FILTERS)), cwd=project, env=settings)
    assert dict(zip(FILTERS, map(int, printed.split()), strict=True)) == FILTERS


def test_a_search_that_finds_nothing_says_so(logs):
    """Silence leaves open whether the search was mistyped; a program that reads the output is not disturbed."""
    done = logs("--grep", "nobody wrote this", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No record has what is asked for.\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["../../etc/passwd"], "no log"),
        (["--level", "LOUD"], "'LOUD' is not a level"),
        (["--regex", "("], "missing \\)"),
        (["--since", "then"], "is not a time"),
        (["-n", "-1"], "number from 0"),
        (["-f", "--until", "1h"], "leave --until out"),
        (["clear"], "--older-than 30d"),
        (["clear", "--older-than", "month"], "number and"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistyped_command_gets_a_sentence(logs, arguments, reason):
    """A traceback does not say what to type instead."""
    done = logs(*arguments)
    assert done.returncode in {1, 2}
    assert re.search(reason, done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_logs_that_do_not_exist_have_no_records(project, logs):
    """The command is tried first in a new project."""
    for path in (project / "logs").iterdir():
        path.unlink()
    empty = logs()
    assert (empty.stdout, empty.stderr) == ("", "No records yet.\n")
    assert "no file yet" in logs("list").stdout
    assert "No records" in logs("stats").stdout


def test_the_size_is_that_at_which_the_file_rotates(logs, monkeypatch):
    """A file takes at most half of what all files may: who halves that must not read the former limit."""
    monkeypatch.setenv("LOG_TOTAL_BYTES", "20000")
    assert re.search(r"rotates .*at 9\.8.KB", logs("list").stdout)


@unix
def test_colours_in_a_terminal_and_nothing_else_that_controls_it(terminal):
    """Whoever can write into a log must not be able to write on the administrator's screen."""
    for arguments in ([], ["list"], ["stats"], ["--json"], ["--request", "abc"]):
        output = terminal(*arguments).wait()
        assert_harmless(output)
        assert bool(COLOURS.search(output)) == (arguments != ["--json"])
    assert not COLOURS.search(terminal("--no-color").wait())


@unix
def test_tables_are_as_wide_as_the_terminal(terminal, project):
    """A bar that wraps is no bar."""
    (project / "logs" / "django.log").write_text(
        "".join(text(i * 60, f"{i} " * 40) for i in range(500, 0, -1)), "utf-8"
    )
    output = COLOURS.sub("", terminal("stats").wait())
    assert "█" in output
    assert max(len(line) for line in output.replace("\r", "").split("\n")) <= 60


@unix
def test_a_narrow_terminal_has_each_level(terminal, project):
    """Columns that a terminal breaks in two are no table."""
    levels = ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTICE", "TRACE", "VERY_VERBOSE_INDEED_AND_LONG"]
    numbers = {level: number for number, level in enumerate(levels, 11)}
    records = [text(60, "x", level) for level in levels for _ in range(numbers[level])]
    (project / "logs" / "django.log").write_text("".join(records), "utf-8")
    output = COLOURS.sub("", terminal("stats", "django").wait()).replace("\r", "")
    lines = output.partition("\nMost frequent")[0].splitlines()
    assert max(map(len, lines)) <= 60
    sums = [number for line in lines if line.startswith("all ") for number in line.split()[1:]]
    assert sums == [str(number) for number in numbers.values()]


IMPATIENT = """
import runpy
import sys

sys.path.insert(0, ".")
from applog.management import records

records.PATIENCE_SECONDS = 0.1  # no machine is that fast
runpy.run_path("manage.py", run_name="__main__")
"""


@unix
def test_a_bar_shows_what_takes_long(terminal, project):
    """Without a sign of life one presses Ctrl-C."""
    (project / "impatient.py").write_text(IMPATIENT, encoding="utf-8")
    with (project / "logs" / "django.log").open("w", encoding="utf-8") as file:
        for number in range(120_000):
            file.write(text(80_000 - number / 2, f"order {number}"))
    output = terminal("stats", program="impatient.py").wait()
    assert re.search(r"\rCounting [█░]+ +\d+%", output)
    assert "order #" in output
    assert output.count("\r ") >= 1


@unix
def test_head_may_close_the_pipe(project, environment):
    """A traceback behind the ten lines that were asked for looks like a fault."""
    (project / "logs" / "django.log").write_text("".join(text(i, "x" * 200) for i in range(5000, 0, -1)), "utf-8")
    for arguments in ("-n 5000", "--since 1w", "--json --since 1w"):
        command = f'"{environment("5.2")}" -X dev manage.py logs {arguments} | head -n 1; exit ${{PIPESTATUS[0]}}'
        done = subprocess.run(["bash", "-c", command], cwd=project, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 1


@unix
def test_a_log_is_followed_across_its_rotation_until_ctrl_c(terminal, project):
    """The error happens just when nobody sees it, if the file is another one by then."""
    log = project / "logs" / "django.log"
    following = terminal("-f", "-n", "1")
    wait_for(lambda: "evil" in following.read())
    for number in range(3):
        with log.open("a", encoding="utf-8") as file:
            file.write(text(0, f"before {number}"))
        log.rename(log.with_name(f"django.log.2026-02-0{number + 1}"))
        write(log, text(0, f"behind {number}"))
        wait_for(lambda number=number: f"behind {number}" in following.read())
    os.killpg(following.process.pid, signal.SIGINT)
    output = following.wait()
    assert following.process.returncode == 130
    assert "KeyboardInterrupt" not in output
    for word in [f"{when} {number}" for number in range(3) for when in ("before", "behind")]:
        assert output.count(word) == 1


def test_list_names_every_file_with_its_size_and_times(logs):
    """Without it one opens file after file to find the night of the failure."""
    output = logs("list").stdout
    assert re.search(r"django.log.2026-01-02 +\d+ bytes +\d{4}-\d\d-\d\d [0-9:]{8} - ", output)
    kept = (
        "at 10.0 MB; old files: 1; kept: 10 old files"
        if os.name == "nt"
        else "or at 256.0 MB; old files: 1; kept: 90 days"
    )
    assert f"{kept} and at most 4.0 GB in all" in " ".join(output.split())  # in a narrow terminal, it is wrapped
    assert re.search(r"3 files take \d+ bytes|3 files take [\d.]+ KB", output)


def test_clear_removes_old_rotated_files_only_and_only_when_told(project, logs):
    """A command that removes too much is worse than none."""
    folder = project / "logs"
    foreign = [folder / name for name in ("django.log.bak", "other.log.1", "django.log.1.orig", "django.logs.1")]
    for path in foreign:
        write(path, text(90 * 86400, "foreign"))
    write(folder / "django.log.2026-06-01.gz", b"broken")
    before = sorted(folder.iterdir())
    assert "with --delete" in logs("clear", "--older-than", "30d").stdout
    refused = logs("clear", "--older-than", "30d", "--delete", input="no\n")
    assert (refused.returncode, sorted(folder.iterdir())) == (1, before)
    assert logs("clear", "--older-than", "30d", "--delete", input="").returncode == 1
    assert sorted(folder.iterdir()) == before
    done = logs("clear", "--older-than", "30d", "--delete", input="yes\n")
    assert "1 file was removed" in done.stdout
    left = {path.name for path in folder.iterdir() if path.name[0] != "."}
    assert left == {path.name for path in before} - {"django.log.2026-01-02"}


@pytest.mark.parametrize("encoding", ["cp437", "cp1252"])
def test_a_console_with_a_legacy_code_page_shows_what_it_can(project, environment, encoding):
    """A UnicodeEncodeError would hide the record that has the customer's name in it."""
    for arguments in ([], ["list"], ["stats"], ["--json"]):
        command = [environment("5.2"), project / "manage.py", "logs", *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == 0, done.stderr
        done.stdout.decode(encoding)


@windows
def test_the_command_works_on_windows(project, windows_python):
    """There it replaces Get-Content and Get-ChildItem, and a log that it holds could not rotate."""
    manage = [windows_python, "manage.py"]
    console = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp437"}
    assert_harmless(run(*manage, "logs", cwd=project, env=console, errors="replace"))
    commands = [["list"], ["stats"], ["--json"], ["clear", "--older-than", "30d", "--delete", "--no-input"]]
    code = f"from django.core.management import call_command as call; [call('logs', *each) for each in {commands}]"
    assert_harmless(run(*manage, "shell", "-v", "0", "-c", code, cwd=project, env=console, errors="replace"))
    assert not (project / "logs" / "django.log.2026-01-02").exists()
    followed = project.parent / "followed.txt"
    with followed.open("w", encoding="utf-8") as file:
        following = subprocess.Popen(
            [str(part) for part in (*manage, "logs", "-f", "-n", "0")],
            cwd=project, stdout=file, stderr=file, env={**os.environ, "PYTHONUTF8": "1"}, start_new_session=True,
        )  # fmt: skip
    try:
        code = (
            "import logging, time\n"
            "for i in range(300):\n"
            "    logging.getLogger('shop').warning('n%dn %s', i, 'x' * 100)\n"
            "    time.sleep(0.01)\n"
        )
        for number in itertools.count():
            write(project / "logs" / "django.log", text(0, f"ready {number}"))
            time.sleep(3)  # for two looks, which may take long under Wine
            if "ready" in followed.read_text(encoding="utf-8"):
                break
            assert number < 40
        run(*manage, "shell", "-c", code, cwd=project, env={"LOG_MAX_BYTES": "5000", "LOG_BACKUP_COUNT": "90"})
        wait_for(lambda: "n299n" in followed.read_text(encoding="utf-8"))
    finally:
        stop(following)
    shown = followed.read_text(encoding="utf-8")
    assert {number: shown.count(f"n{number}n") for number in range(300)} == dict.fromkeys(range(300), 1)
    assert len(list((project / "logs").glob("django.log.*"))) > 5
