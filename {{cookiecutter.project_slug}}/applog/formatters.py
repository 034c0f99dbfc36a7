"""Formatters: a record as a line of text, or as a JSON object. Nothing that is logged can forge a record."""

import copy
import datetime
import decimal
import ipaddress
import logging
import math
import pathlib
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from pythonjsonlogger.json import JsonFormatter as BaseJsonFormatter

from applog.context import request_attributes, stamp
from applog.redaction import SCALARS, name_of, redact
from applog.security import security_event
from applog.text import escape

TEXT_FORMAT = "{asctime} {levelname} {name} [{request_id}] {message}"
INDENT = "    "  # of the lines that follow a record's first one

# A format of at least two attributes, without conversions, indexes and nested fields.
PLAIN_FORMAT = re.compile(r"[^{}]*(\{[a-z_]+[:}][^{}]*\}?[^{}]*){2,}", re.IGNORECASE)
NAME = re.compile(r"\{([a-z_]+)", re.IGNORECASE)

_OF_REQUESTS = frozenset({"applog.", "django."})  # beginnings of the names of loggers whose records have a request
_MAX_INT = 2**63
# Objects whose text is their value.
_TEXTUAL = (
    decimal.Decimal, uuid.UUID, pathlib.PurePath, datetime.timedelta, Promise, BaseException,
    ipaddress.IPv4Address, ipaddress.IPv6Address,
)  # fmt: skip
_NOT_EXTRA = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime", "message", "request", "request_id", "server_time", "span_id", "taskName", "trace_id",
}  # fmt: skip


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message, without the secrets in mappings among its arguments.

    If the arguments do not match the format, they are appended; the standard library would drop the record.
    """
    message, arguments = record.msg, record.args
    if type(message) is not str:
        message = str(redact(message))
    if not arguments:
        return message
    for argument in (arguments,) if isinstance(arguments, Mapping) else arguments:
        if type(argument) not in SCALARS:
            arguments = redact(arguments)
            break
    try:
        return message % arguments
    except Exception as error:  # noqa: BLE001  whatever an argument's own methods raise
        return f"{message} {plain(arguments)} ({name_of(type(error))})"


def plain(value: Any) -> Any:
    """Return `value` without secrets, as JSON has it for any parser: no NaN, lone surrogate, or large integer.

    Of an object whose text is not its value only the class is named, as its repr may contain anything.
    """
    return redact(value, _convert)


def _convert(value: Any) -> Any:  # noqa: PLR0911  a type each
    if type(value) is str and value.isascii():  # most values
        return value
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        case int():
            return int(value) if -_MAX_INT <= value < _MAX_INT else hex(value)
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case bytes() | bytearray():
            return value.decode("utf-8", "backslashreplace")
        case datetime.date() | datetime.time():
            return value.isoformat()
    return plain(str(value)) if isinstance(value, _TEXTUAL) else name_of(type(value))


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Return the attributes of a record's request and exception, and what was given as `extra`, without secrets.

    The dictionary is flat; its values are what JSON can have, dictionaries and lists in `extra` included. The request's
    and the exception's attributes have their names in https://opentelemetry.io/docs/specs/semconv/.
    """
    found: dict[str, Any] = {}
    extra = {key: value for key, value in vars(record).items() if key not in _NOT_EXTRA}
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        found |= request_attributes(request)
        if "status_code" in extra:
            found["http.response.status_code"] = extra.pop("status_code")
    if isinstance(record.msg, Mapping):
        found |= record.msg
    found |= extra
    if event := security_event(record):
        found["event"] = event
    if record.exc_info and record.exc_info[0]:
        found["exception.type"] = name_of(record.exc_info[0])
        found["exception.message"] = record.exc_info[1]
        found["exception.stacktrace"] = traceback_of(record)
    if record.stack_info:
        found["code.stacktrace"] = record.stack_info
    return dict(plain(found))


def traceback_of(record: logging.LogRecord) -> str:
    """Return the traceback of a record's exception, with each exception's text in one line, or ""."""
    if not record.exc_text and record.exc_info:
        text = logging.Formatter().formatException(record.exc_info)
        error, seen = record.exc_info[1], set[int]()
        while error and id(error) not in seen:
            seen.add(id(error))
            with suppress(Exception):  # of its __str__
                if "\n" in (said := str(error)):
                    text = text.replace(f": {said}", f": {said}".replace("\n", "\\n"))
            error = error.__cause__ or error.__context__
        record.exc_text = text
    return record.exc_text or ""


def in_context(record: logging.LogRecord, message: str) -> str:
    """Return `message` with the security event in front, if it is one, and the request's origin at the end."""
    if event := security_event(record):
        message = f"{event}: {message}"
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        known = request_attributes(request)
        by = f" by user {known['user.id']}" if "user.id" in known else ""
        message += f" (from {known['client.address']}{by})"
    return message


class TextFormatter(logging.Formatter):
    """Formats a record as one line. A traceback is written below it, indented.

    Nothing that is logged can begin a line, hide one or move a terminal's cursor. `fmt` is a format as in
    logging.Formatter with style="{". `asctime` is ISO 8601 in milliseconds, with the offset. Raises ValueError for a
    format without attributes.
    """

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
        record.message = in_context(record, message) if record.name[:7] in _OF_REQUESTS else message
        record.asctime = self.formatTime(record)
        if " " in record.name or " " in record.levelname:
            record = copy.copy(record)
            record.name, record.levelname = (text.replace(" ", r"\x20") for text in (record.name, record.levelname))
        line = self.format_line(record)
        if record.exc_info or record.exc_text or record.stack_info:
            below = f"{traceback_of(record)}\n{record.stack_info or ''}".strip("\n").split("\n")
            line = "\n".join([line, *(INDENT + escape(part) for part in below)])
        return line

    def format_line(self, record: logging.LogRecord) -> str:
        """Return the first line of a record that has its `message` and `asctime`."""
        line = self._fill(*self._get(record)) if self._get else self._fill(**vars(record))
        return line if line.isprintable() else escape(line)


class JsonFormatter(BaseJsonFormatter):
    """Formats a record as a JSON object, in one line of ASCII that any parser of JSON accepts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001  its arguments do not fit, for which the base class is not prepared
            record = copy.copy(record)
            record.msg, record.args = message_of(record), None
            return super().format(record)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, _: dict[str, Any]) -> None:
        """Fill the object."""
        stamp(record)
        utc = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        log_data |= {
            "timestamp": f"{utc}.{int(record.msecs):03}Z",
            "level": plain(record.levelname),
            "logger": plain(record.name),
            "message": "" if isinstance(record.msg, Mapping) else plain(message_of(record)),
            "request_id": vars(record)["request_id"],
            "service.name": settings.SERVICE_NAME,
            "process.pid": record.process,
        }
        log_data |= dict(plain({key: vars(record)[key] for key in ("trace_id", "span_id") if key in vars(record)}))
        log_data |= {f"extra.{key}" if key in log_data else key: item for key, item in attributes(record).items()}
