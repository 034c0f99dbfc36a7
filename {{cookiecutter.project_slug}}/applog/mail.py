"""Tells ADMINS of errors: a mail for each kind of error and hour, with the number of errors since the last one."""

import json
import logging
import os
import queue
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from applog.attributes import traceback_of
from applog.context import NO_REQUEST
from applog.fingerprint import REFUSALS, fingerprint
from applog.formatters import TextFormatter, message_of
from applog.rotation import os_files
from applog.rotation.complaints import Complaints
from applog.rotation.process_lock import ProcessLock
from applog.security import security_event
from applog.text import escape, shorten

HOUR, DAY = 3600.0, 86400.0  # seconds
MAILS = 30  # an hour, of all kinds and processes
KINDS = 1000  # that are remembered
WAITING = 100  # mails that wait to be sent; further errors are not counted until there is room
PAUSE_SECONDS = 60.0  # after the mail server has failed
LOCK_SECONDS = 2.0
EXIT_SECONDS = 5.0  # for what waits when the process ends
SUBJECT_CHARACTERS = 120
# Backends that wait for nobody: tests find the mail at once, and no thread is needed.
IMMEDIATE = ("console", "dummy", "filebased", "locmem")

# By the id of a kind: when it was mailed last (seconds since 1970), and how many errors there were since.
State = dict[str, tuple[float, int]]


class Mail(NamedTuple):
    """An error to be told of."""

    kind: str
    subject: str
    text: str
    made: float  # seconds since 1970


class ErrorMailHandler(logging.Handler):
    """Mails records to ADMINS: each kind of error (applog.fingerprint) once an hour, from a thread.

    What was mailed is remembered in a file in `folder`, so that all processes together send one. Without the folder, or
    with LOG_FILES=off, each process counts for itself. The text is that of the text log, without secrets. While the
    mail server fails, that is said on stderr, and tried again each PAUSE_SECONDS. Nothing is raised.

    What Django refuses is not mailed: strangers would choose how many mails there are, and displace those that matter.
    """

    def __init__(self, folder: str | os.PathLike[str] = "") -> None:
        super().__init__()
        self._path = Path(folder, ".mails.json") if folder else None
        self._lock = ProcessLock(str(self._path)) if self._path else None
        self._text, self._complaints = TextFormatter(), Complaints(self)
        self._own: State = {}
        self._begin()
        _handlers.add(self)

    def _begin(self) -> None:
        self._thread: threading.Thread | None = None
        self._queue: queue.SimpleQueue[Mail | threading.Event] = queue.SimpleQueue()
        self._unsent: dict[str, Mail] = {}  # by their kind, while the mail server fails
        self._retry_at = 0.0
        self._has_given_up = False  # at the end of the process

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a mail about `record`, unless it is of the thread that sends them."""
        if not settings.ADMINS or threading.current_thread() is self._thread or security_event(record) in REFUSALS:
            return
        try:
            mail = self._write(record)
            if self._is_immediate():
                self._send(mail)
            elif self._queue.qsize() < WAITING:
                if self._thread is None or not self._thread.is_alive():
                    thread = threading.Thread(target=self._run, args=(self._queue,), name="mails errors", daemon=True)
                    with suppress(RuntimeError):  # the interpreter ends, or there are too many threads
                        thread.start()
                    self._thread = thread
                self._has_given_up = False
                self._queue.put(mail)
        except Exception:  # noqa: BLE001  whatever a record's arguments raise
            self.handleError(record)

    def _write(self, record: logging.LogRecord) -> Mail:
        text, base = self._text.format(record), str(getattr(settings, "BASE_DIR", ""))
        kind = fingerprint(record.name, record.levelname, message_of(record), traceback_of(record), base)
        what = f"{kind.exception}: {kind.template}" if kind.exception else kind.template
        subject = shorten(escape(f"{record.levelname} {what}"), SUBJECT_CHARACTERS)
        request = str(vars(record).get("request_id", NO_REQUEST))
        more = f"\nAll records of the request: manage.py logs --request {request}" if request != NO_REQUEST else ""
        return Mail(kind.id, subject, text + more, record.created)

    @staticmethod
    def _is_immediate() -> bool:
        backends = getattr(settings, "MAILERS", {"default": {}})
        backend = backends.get("default", {}).get("BACKEND") or getattr(settings, "EMAIL_BACKEND", "")
        module = str(backend).rpartition(".")[0]
        return module.rpartition(".")[2] in IMMEDIATE

    def _run(self, waiting: "queue.SimpleQueue[Mail | threading.Event]") -> None:
        while True:
            try:
                item = waiting.get(timeout=PAUSE_SECONDS if self._unsent else None)
            except queue.Empty:
                item = None
            try:
                if isinstance(item, Mail):
                    self._send(item)
                if time.monotonic() >= self._retry_at:
                    again, self._unsent = self._unsent, {}
                    for mail in again.values():
                        self._send(mail, new=0)
            except Exception as error:  # noqa: BLE001  of the folder, or a template of somebody's
                self._complaints.unsent(error)
            if isinstance(item, threading.Event):
                item.set()

    def _send(self, mail: Mail, new: int = 1) -> None:
        """Send a mail if it is the time for it, about so many new errors and those that were counted before."""
        count = self._count(mail, new)
        if not count:
            if time.monotonic() < self._retry_at and len(self._unsent) < MAILS:
                self._unsent.setdefault(mail.kind, mail)
            return
        since = f"{count} errors of this kind since the last mail; the newest:" if count > 1 else "An error:"
        text = f"{since}\n\n{mail.text}\n\nThe next mail of this kind ({mail.kind}) comes in an hour at the earliest.\n"
        from django.core.mail import mail_admins  # noqa: PLC0415  only where it is needed

        try:
            mail_admins(mail.subject, text)
        except Exception as error:  # noqa: BLE001  whatever a backend raises
            self._retry_at = time.monotonic() + PAUSE_SECONDS
            self._put_back(mail, count)
            if len(self._unsent) < MAILS:
                self._unsent[mail.kind] = mail
            self._complaints.unsent(error)

    def _count(self, mail: Mail, new: int) -> int:
        """Count errors. Return how many there are to tell of, 0 if it is not the time for it."""
        state = self._begin_change()
        last, count = state.get(mail.kind, (0.0, 0))
        now, count = time.time(), count + new
        is_quiet = sum(now - mailed < HOUR for mailed, _ in state.values()) < MAILS
        is_due = count > 0 and not 0 <= now - last < HOUR and is_quiet and time.monotonic() >= self._retry_at
        state[mail.kind] = (now, 0) if is_due else (last, count)
        self._end_change({kind: entry for kind, entry in state.items() if entry[1] or now - entry[0] < DAY})
        return count if is_due else 0

    def _put_back(self, mail: Mail, count: int) -> None:
        state = self._begin_change()
        state[mail.kind] = (0.0, count + state.get(mail.kind, (0.0, 0))[1])
        self._end_change(state)

    def _begin_change(self) -> State:
        if not (self._path and self._lock and settings.LOG_FILES != "off"):
            return dict(self._own)
        with suppress(OSError):
            self._lock.acquire(LOCK_SECONDS)
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(kind): (float(mailed), int(count)) for kind, (mailed, count) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):  # not there yet, or somebody else's
            return dict(self._own)

    def _end_change(self, state: State) -> None:
        newest = sorted(state.items(), key=lambda item: item[1][0])[-KINDS:]
        self._own = dict(newest)
        if self._path and self._lock and self._lock.held:
            with suppress(OSError):
                temporary = self._path.with_suffix(".new")
                temporary.touch(os_files.FILE_MODE)
                temporary.write_text(json.dumps(self._own), encoding="utf-8")
                os_files.rename(str(temporary), str(self._path))
            self._lock.release()

    def flush(self) -> None:
        """Wait for what is queued, at most for EXIT_SECONDS, once."""
        is_running = self._thread and self._thread.is_alive() and threading.current_thread() is not self._thread
        if is_running and not self._has_given_up:
            done = threading.Event()
            self._queue.put(done)
            self._has_given_up = not done.wait(EXIT_SECONDS)

    def close(self) -> None:
        """Wait for what is queued, and close the files."""
        self.flush()
        if self._lock:
            self._lock.close()
        super().close()


_handlers: "weakref.WeakSet[ErrorMailHandler]" = weakref.WeakSet()


def _begin_in_child() -> None:
    """A forked child has no thread, and sends nothing of what its parent has queued."""
    for handler in list(_handlers):
        handler._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
