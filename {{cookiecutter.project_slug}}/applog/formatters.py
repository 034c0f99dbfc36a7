"""Formatters: a record as a line of text, or as a JSON object. Nothing that is logged can forge a record."""

import copy
import json
import logging
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from applog.attributes import NOT_EXTRA, OF_REQUESTS, REFUSAL_CHARACTERS, attributes, traceback_of
from applog.context import escape_path, request_attributes, stamp
from applog.fingerprint import REFUSALS
from applog.redaction import SCALARS, name_of, plain, redact
from applog.secret_text import redact_text
from applog.security import security_event
from applog.text import encodable, escape, is_plain, shorten
from applog.tracebacks import shorten_middle, text_of

TEXT_FORMAT = "{asctime} {levelname} {name} [{request_id}] {message}"
INDENT = "    "  # of the lines that follow a record's first one
MESSAGE_CHARACTERS = 4000
RECORD_CHARACTERS = 64 * 1024  # of a JSON record; a longer one is written without what was given as `extra`

# A format of at least two attributes, without conversions, indexes and nested fields.
PLAIN_FORMAT = re.compile(r"[^{}]*(\{[a-z_]+[:}][^{}]*\}?[^{}]*){2,}", re.IGNORECASE)
_QUERY = re.compile(r"(://[^\s?]+)\?\S+")
NAME = re.compile(r"\{([a-z_]+)", re.IGNORECASE)

# What every JSON record has first, and what is kept of one that is too long.
OF_TRACE = ("trace_id", "span_id", "trace_flags")
FIRST = frozenset({"timestamp", "level", "logger", "message", "service.name", "process.pid", *OF_TRACE})
_KEPT = frozenset({"duration_ms", "event", "status_code"})


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message, without secrets in it, or in containers among its arguments.

    If the arguments do not match the format, they are appended; the standard library would drop the record. In Django's
    records of a request the path is escaped as in a URL, and a referrer is without its query string.
    """
    message = redact_text(_fill(record))
    if record.name[:7] == "django." and isinstance(request := getattr(record, "request", None), HttpRequest):
        message = message.replace(request.path, escape_path(request.path))
        if record.name == "django.security.csrf":
            message = _QUERY.sub(r"\1?...", message)
    return message


def _fill(record: logging.LogRecord) -> str:
    message, arguments = record.msg, record.args
    if type(message) is not str:
        message = text_of(redact(message))
    if not arguments:
        return message
    if type(arguments) is not tuple or not SCALARS.issuperset(map(type, arguments)):
        arguments = redact(arguments)
    try:
        return message % arguments
    except Exception as error:  # noqa: BLE001  whatever an argument's own methods raise
        return f"{message} {plain(arguments)} ({name_of(type(error))})"


def longest_message(record: logging.LogRecord, message: str) -> int:
    """Return how many characters of the record's message are written. Of a refusal, few bytes in any encoding."""
    if security_event(record) not in REFUSALS:
        return MESSAGE_CHARACTERS
    return REFUSAL_CHARACTERS if message.isascii() else REFUSAL_CHARACTERS // 4


def in_context(record: logging.LogRecord, message: str) -> str:
    """Return `message` behind the security event, if it is one, and whom the request came from.

    They stand in front, where nothing that a stranger chooses, such as a path, can imitate them.
    """
    known = [security_event(record) or ""]
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        found = request_attributes(request)
        known.append(f"from {found['client.address']}")
        if user := found.get("user.id"):
            known.append(f"by user {user if user.isalnum() else repr(user)}")
    front = " ".join(filter(None, known))
    return f"{front}: {message}" if front else message


class TextFormatter(logging.Formatter):
    """Formats a record as one line. A traceback is written below it, indented.

    Nothing that is logged can begin a line, hide one or move a terminal's cursor. `fmt` is a format as in
    logging.Formatter with style="{". `asctime` is ISO 8601 in milliseconds, with the offset. Raises ValueError for a
    format without attributes.
    """

    reentrant = True

    def __init__(self, fmt: str = TEXT_FORMAT) -> None:
        super().__init__(fmt, style="{")
        self.fmt = fmt
        # Format attributes by position: formatting with a record's whole dictionary takes twice as long.
        self._get = attrgetter(*NAME.findall(fmt)) if PLAIN_FORMAT.fullmatch(fmt) else None
        self._fill = NAME.sub("{", fmt).format if self._get else fmt.format
        self._second = (-1, "", "")  # the last second formatted, its text, and its offset

    def formatTime(self, record: logging.LogRecord, _: str | None = None) -> str:  # noqa: N802
        """Return the time of a record."""
        number, text, offset = self._second
        if number != int(record.created):
            number = int(record.created)
            local = time.localtime(number)
            minutes = local.tm_gmtoff // 60
            offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
            text = time.strftime("%Y-%m-%dT%H:%M:%S.", local)
            self._second = number, text, offset
        return f"{text}{int(record.msecs):03}{offset}"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or the lines."""
        stamp(record)
        message = message_of(record)
        if len(message) > REFUSAL_CHARACTERS or not is_plain(message):
            message = shorten(escape(message), longest_message(record, message))
        record.message = in_context(record, message) if record.name[:7] in OF_REQUESTS else message
        if bound := vars(record).get("bound_fields"):
            record.message = f"{record.message} {bound.text}"
        record.asctime = self.formatTime(record)
        if " " in record.name or " " in record.levelname:
            record = copy.copy(record)
            record.name, record.levelname = (text.replace(" ", r"\x20") for text in (record.name, record.levelname))
        line = self.format_line(record)
        if record.exc_info or record.exc_text or record.stack_info:
            below = f"{traceback_of(record)}\n{shorten_middle(record.stack_info or '')}".strip("\n")
            line = "\n".join([line, *(INDENT + escape(part) for part in below.split("\n") if below)])
        return line

    def format_line(self, record: logging.LogRecord) -> str:
        """Return the first line of a record that has its `message` and `asctime`."""
        line = self._fill(*self._get(record)) if self._get else self._fill(**vars(record))
        return line if is_plain(line) else escape(line)


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object, in one line of ASCII that any parser of JSON accepts."""

    reentrant = True

    def __init__(self) -> None:
        super().__init__()
        self._second = (-1, "")  # the last second formatted, and how its records begin
        self._process: tuple[Any, str] = (None, "")  # the id of the last one, and its part of a record

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without what was given as `extra` if that makes it too long."""
        stamp(record)
        has_message = type(record.msg) is str or not isinstance(record.msg, Mapping)
        message = message_of(record) if has_message else ""
        if len(message) > REFUSAL_CHARACTERS or not is_plain(message):
            message = encodable(shorten(message, longest_message(record, message)))
        line = self._write(record, message)
        if len(line) > RECORD_CHARACTERS:
            known = {name: value for name, value in vars(record).items() if name in NOT_EXTRA | _KEPT}
            record = logging.makeLogRecord({**known, "left_out": f"{len(line):,} characters"})
            record.msg = record.msg if has_message else {}
            line = self._write(record, message)
        return line

    def _write(self, record: logging.LogRecord, message: str) -> str:
        # What all records have is put together from parts, which takes a fifth of the time of writing a dictionary.
        number = int(record.created)
        second, begin = self._second  # at once, as another thread may format a record
        if number != second:
            begin = time.strftime('{"timestamp": "%Y-%m-%dT%H:%M:%S.', time.gmtime(number))
            self._second = number, begin
        process, place = self._process
        if record.process != process:
            place = _write_fields({"service.name": settings.SERVICE_NAME, "process.pid": record.process})
            self._process = record.process, place
        parts = vars(record)
        line = (
            f'{begin}{int(record.msecs):03}Z", {_write_origin(record.levelname, record.name)}, "message": '
            f'{_quote(message)}, "request_id": {_quote(parts["request_id"])}, {place}'
        )
        if "trace_id" in parts:
            trace = {name: plain(parts[name]) for name in OF_TRACE if name in parts}
            line += f", {_write_fields(trace)}"
        if more := attributes(record):
            if not FIRST.isdisjoint(more):
                more = {f"extra.{key}" if key in FIRST else key: value for key, value in more.items()}
            line += f", {_write_fields(more)}"
        return line + "}"


_NUMBERS = frozenset({int, float})
_quote = json.encoder.encode_basestring_ascii
_write_json = json.JSONEncoder(allow_nan=False).encode
_write_name = lru_cache(maxsize=1024)(_quote)


def _write_fields(fields: dict[str, Any]) -> str:
    """Return fields, whose values are what `plain` returns, as they stand within a JSON object."""
    # For texts and numbers, the encoder itself takes ten times as long.
    return ", ".join(
        [
            f"{_write_name(name)}: "
            f"{_quote(value) if type(value) is str else repr(value) if type(value) in _NUMBERS else _write_json(value)}"
            for name, value in fields.items()
        ]
    )


@lru_cache(maxsize=1024)
def _write_origin(level: str, logger: str) -> str:
    """Return the part of a record with its level and logger, of which there are few."""
    return _write_fields({"level": plain(level), "logger": plain(logger)})
