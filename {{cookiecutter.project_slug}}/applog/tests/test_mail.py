"""ADMINS are told of errors, once for each kind."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import django
import pytest
from django.core.mail.backends.base import BaseEmailBackend

from applog.mail import HOUR, MAILS, ErrorMailHandler

logger = logging.getLogger("shop.mails")


@pytest.fixture
def handler(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ErrorMailHandler]:
    """Return a handler that mails what the logger is given."""
    settings.ADMINS = [("Ann", "ann@example.com")] if django.VERSION < (6,) else ["ann@example.com"]
    settings.LOG_FILES = "rotate"
    handler = ErrorMailHandler(tmp_path)
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    handler.close()


def test_one_mail_tells_of_a_thousand_errors(
    handler: ErrorMailHandler, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mailbox that is full of one error hides the next one, and nobody reads either."""
    for number in range(1000):
        logger.error("order %s failed, password=hidden", number, extra={"request_id": "r1"})
    logger.error("something else")
    first, second = mailoutbox
    assert first.to == ["ann@example.com"]
    assert "ERROR order # failed" in first.subject
    assert "An error:" in first.body
    assert "order 0 failed" in first.body
    assert "--request r1" in first.body
    assert "hidden" not in first.body + first.subject
    assert "something else" in second.body
    later = time.time() + HOUR + 1
    monkeypatch.setattr("applog.mail.time.time", lambda: later)
    logger.error("order 1000 failed, password=hidden")
    assert "1000 errors of this kind since the last mail" in mailoutbox[2].body
    assert len(mailoutbox) == 3


def test_exceptions_are_told_apart_by_where_they_come_from(handler: ErrorMailHandler, mailoutbox: list[Any]) -> None:
    """Two errors with the same words may be two faults."""

    def pay(amount: int) -> None:
        raise ValueError(amount)

    def ship(amount: int) -> None:
        raise ValueError(amount)

    for number in range(3):
        for fail in (pay, ship):
            try:
                fail(number)
            except ValueError:
                logger.exception("failed")
    assert len(mailoutbox) == 2
    assert ["in pay" in mail.body for mail in mailoutbox] == [True, False]


def test_no_subject_has_a_second_header(handler: ErrorMailHandler, mailoutbox: list[Any]) -> None:
    """What a stranger sends may be in an error, and must not become an address that gets it."""
    logger.error("x\nBcc: eve@example.com\r\n%s", "y" * 10_000)
    [mail] = mailoutbox
    assert "\n" not in mail.subject
    assert len(mail.subject) < 300
    assert mail.recipients() == ["ann@example.com"]


def test_processes_share_what_was_told(handler: ErrorMailHandler, mailoutbox: list[Any], tmp_path: Path) -> None:
    """Sixteen workers would send sixteen mails of each error."""
    logger.error("broken")
    other = ErrorMailHandler(tmp_path)
    record = logging.makeLogRecord({"name": logger.name, "levelname": "ERROR", "levelno": 40, "msg": "broken"})
    other.handle(record)
    other.close()
    assert len(mailoutbox) == 1
    (tmp_path / ".mails.json").write_text("[1, 2", encoding="utf-8")  # somebody's, or half of one
    logger.error("broken again")
    assert len(mailoutbox) == 2


def test_many_kinds_are_few_mails(
    handler: ErrorMailHandler, mailoutbox: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attack with a new error in each request must not fill the mailbox, nor the disk."""
    monkeypatch.setattr("applog.mail.KINDS", 50)
    for number in range(100):
        logger.error("failed: %s", chr(97 + number // 10) + chr(97 + number % 10))
    assert len(mailoutbox) == MAILS
    assert len(json.loads((tmp_path / ".mails.json").read_text(encoding="utf-8"))) == 50


def test_strangers_do_not_choose_who_gets_mail(handler: ErrorMailHandler, mailoutbox: list[Any]) -> None:
    """A scanner's wrong host names would use up the mails of the hour, and the error that matters would get none."""
    refused = logging.getLogger("django.security.DisallowedHost")
    refused.addHandler(handler)
    for number in range(2 * MAILS):
        refused.error("Invalid HTTP_HOST header: '%s'.", chr(97 + number % 26) * 400)
    refused.removeHandler(handler)
    assert mailoutbox == []
    logger.error("broken")
    assert len(mailoutbox) == 1


class Server(BaseEmailBackend):
    """A mail server that fails, hangs or works."""

    state = "works"
    sent: ClassVar[list[str]] = []

    def send_messages(self, messages: Sequence[Any]) -> int:
        """Take the mails, as the state says."""
        if self.state == "fails":
            raise OSError(self.state)
        while self.state == "hangs":
            time.sleep(0.01)
        self.sent.extend(message.subject for message in messages)
        return len(messages)


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    """Return the mail server, for which a thread waits."""
    name = f"{__name__}.Server"
    if hasattr(settings, "MAILERS"):
        settings.MAILERS = {"default": {"BACKEND": name}}
    else:
        settings.EMAIL_BACKEND = name
    monkeypatch.setattr(Server, "sent", [])
    yield Server
    Server.state = "works"


def wait_for_mails(number: int) -> None:
    """Wait until the server has taken so many, but not for ever."""
    end = time.monotonic() + 10
    while len(Server.sent) < number and time.monotonic() < end:
        time.sleep(0.05)


def test_an_error_while_the_server_fails_is_told_later(
    handler: ErrorMailHandler, server: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error that comes once, in that very minute, may be the one that matters."""
    monkeypatch.setattr("applog.mail.PAUSE_SECONDS", 0.2)
    server.state = "fails"
    logger.error("alpha")
    logger.error("beta")
    handler.flush()
    server.state = "works"
    wait_for_mails(2)
    assert sorted(subject[-5:] for subject in server.sent) == [" beta", "alpha"]


def test_a_process_waits_once_for_a_server_that_hangs(
    handler: ErrorMailHandler, server: type[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """logging.shutdown flushes a handler, and then closes it."""
    monkeypatch.setattr("applog.mail.EXIT_SECONDS", 1.0)
    server.state = "hangs"
    logger.error("alpha")
    begin = time.monotonic()
    handler.flush()
    handler.close()
    assert 1 <= time.monotonic() - begin < 2
    server.state = "works"
    wait_for_mails(1)


def test_no_mail_is_left_behind(handler: ErrorMailHandler, server: type[Server]) -> None:
    """A process that ends sends what it has, however the threads take turns."""
    for number in range(MAILS):
        logger.error("error %s", chr(97 + number // 26) + chr(97 + number % 26))
        if number % 3:
            handler.flush()
            assert len(server.sent) == number + 1


def test_without_admins_nothing_is_done(handler: ErrorMailHandler, settings: Any, tmp_path: Path) -> None:
    """Most projects begin without a mail server."""
    settings.ADMINS = []
    logger.error("broken")
    assert list(tmp_path.iterdir()) == []
