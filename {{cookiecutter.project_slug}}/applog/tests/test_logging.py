"""The log, as the running project writes it."""

import os
import time
from pathlib import Path

import pytest

from applog.tests.conftest import Manage

DAY = 24 * 60 * 60  # seconds


def log(logger: str, level: str, message: str) -> tuple[str, ...]:
    """Return the arguments of manage.py that make the running project log one record."""
    return "shell", "-c", f"import logging; logging.getLogger({logger!r}).{level}({message!r})"


LOGGERS = ("shop.orders", "django.request", "django.server", "django.security.csrf", "applog.security")


@pytest.mark.parametrize("debug", ["true", "false"])
def test_a_record_arrives_once_everywhere(project: Path, manage: Manage, debug: str) -> None:
    """A record lost, or printed twice, makes every other one doubtful."""
    code = f"for name in {LOGGERS}: logging.getLogger(name).info('grüße, %s.', name, extra={{'event': 'test'}})"
    result = manage("shell", "-c", f"import logging\n{code}", DEBUG=debug)
    assert result.returncode == 0, result.stderr
    written = {name: (project / "logs" / name).read_text(encoding="utf-8") for name in ("django.log", "security.log")}
    for name in LOGGERS:
        message = f"grüße, {name}."
        assert result.stderr.count(message) == 1
        assert written["django.log"].count(message) == 1
        assert written["security.log"].count(message) == (name in {"django.security.csrf", "applog.security"})


def test_the_log_rotates(project: Path, manage: Manage) -> None:
    """Without rotation the disk fills; without the old file its records are gone."""
    current = project / "logs/django.log"
    current.parent.mkdir()
    current.write_text("first\n", encoding="utf-8")
    before = time.time() - 2 * DAY  # one may have 25 hours
    os.utime(current, (before, before))
    result = manage(*log("shop", "info", "second"), LOG_MAX_BYTES="40")
    assert "Traceback" not in result.stderr
    [rotated] = current.parent.glob("django.log.*")
    assert "second" in current.read_text(encoding="utf-8")
    assert "first" in rotated.read_text(encoding="utf-8")


def test_log_files_can_be_off(project: Path, manage: Manage) -> None:
    """In a container the platform collects the console; files would only fill the layer."""
    result = manage(*log("shop", "info", "hello"), LOG_FILES="off")
    assert "hello" in result.stderr
    assert not (project / "logs").exists()


def test_security_events_are_on_the_console_where_there_are_no_files(project: Path, manage: Manage) -> None:
    """Who tried what is recorded whatever LOG_LEVEL is."""
    code = "logging.getLogger('applog.security').%s('sign-in of %s', extra={'event': 'authn_login_fail'})"
    script = "import logging;" + ";".join(code % (level, level) for level in ("info", "error"))
    result = manage("shell", "-c", script, LOG_FILES="off", LOG_LEVEL="ERROR")
    assert result.stderr.count("sign-in of info") == result.stderr.count("sign-in of error") == 1


def test_the_project_starts_without_its_log_folder(project: Path, manage: Manage) -> None:
    """A log that cannot be written must not take the site down, but must not go unnoticed either."""
    (project / "logs").write_text("not a folder", encoding="utf-8")
    result = manage(*log("shop", "info", "hello"))
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("hello") == 1
    assert result.stderr.count("Log files cannot be written in ") == 1
    check = manage("check")
    assert check.returncode == 0
    assert "applog.W001" in check.stderr


def test_a_record_that_waits_in_the_queue_is_written(project: Path, manage: Manage) -> None:
    """With LOG_QUEUE a process that ends at once must still leave its records."""
    result = manage(*log("django.security", "info", "hello"), LOG_QUEUE="true")
    assert result.stderr.count("hello") == 1
    for name in ("django.log", "security.log"):
        assert (project / "logs" / name).read_text(encoding="utf-8").count("hello") == 1


def test_a_logger_has_the_level_that_the_environment_gives_it(project: Path, manage: Manage) -> None:
    """Whoever looks for one error does not want everybody's DEBUG."""
    code = (
        "for name in ('shop.cart', 'shop', 'shop.noise.x', 'other'):\n"
        "    for level in (10, 20, 30): logging.getLogger(name).log(level, f'{name} {level}')"
    )
    result = manage("shell", "-c", f"import logging\n{code}", LOG_LEVELS="shop = DEBUG,shop.noise=WARNING")
    assert result.returncode == 0, result.stderr
    text = (project / "logs" / "django.log").read_text(encoding="utf-8")
    expected = ["shop.cart 10", "shop.cart 20", "shop.cart 30", "shop 10", "shop 20", "shop 30", "shop.noise.x 30"]
    found = [line.partition("[-] ")[2] for line in text.splitlines() if "[-]" in line]
    assert found == [*expected, "other 20", "other 30"]
    for line in found:
        assert result.stderr.count(f"[-] {line}\n") == 1
