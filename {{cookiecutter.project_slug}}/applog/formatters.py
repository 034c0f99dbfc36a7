"""A record as a line of text that cannot be forged, or as a JSON object."""

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
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from enum import Enum
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from pythonjsonlogger.json import JsonFormatter as BaseJsonFormatter

from applog.context import request_attributes, stamp
from applog.filters import security_event
from applog.redaction import MAX_DEPTH, OMITTED, REDACTED, is_secret, redact

TEXT_FORMAT = "{asctime} {levelname} {name} [{request_id}] {message}"
INDENT = "    "  # of the lines that follow a record's first one

# Two attributes or more, without conversions and what else `str.format` knows.
PLAIN_FORMAT = re.compile(r"[^{}]*(\{[a-z_]+[:}][^{}]*\}?[^{}]*){2,}", re.IGNORECASE)
NAME = re.compile(r"\{([a-z_]+)", re.IGNORECASE)

_UNUSUAL = re.compile(r"[^ -~]+")
_SCALARS = frozenset({str, int, float, bool, type(None)})
_OF_REQUESTS = frozenset({"applog.", "django."})  # how the names of loggers begin that give records their request
_MAX_INT = 2**63
# Objects whose text is their value. Of any other one only the class is named: its repr may hold anything.
_TEXTUAL = (
    decimal.Decimal, uuid.UUID, pathlib.PurePath, datetime.timedelta, Promise, BaseException,
    ipaddress.IPv4Address, ipaddress.IPv6Address,
)  # fmt: skip
_NOT_EXTRA = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime", "message", "request", "request_id", "server_time", "span_id", "taskName", "trace_id",
}  # fmt: skip


def escape(text: str) -> str:
    """Return `text` with all that is not printable escaped as Python does: line ends, control codes, bidi marks."""
    return _UNUSUAL.sub(lambda match: repr(match[0])[1:-1], text)


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message, in which secrets in mappings among its arguments are replaced.

    Arguments that do not fit stand behind it: the standard library would print them, and lose the record.
    """
    message, arguments = record.msg, record.args
    if type(message) is not str:
        message = str(redact(message))
    if not arguments:
        return message
    for argument in (arguments,) if isinstance(arguments, Mapping) else arguments:
        if type(argument) not in _SCALARS:
            arguments = redact(arguments)
            break
    try:
        return message % arguments
    except Exception as error:  # noqa: BLE001  whatever an argument's own methods raise
        return f"{message} {plain(arguments)} ({name_of(type(error))})"


def plain(value: Any, parents: tuple[int, ...] = ()) -> Any:  # noqa: PLR0911  a type each
    """Return `value`, without secrets, as any parser of JSON takes it: no NaN, cycle, lone surrogate, object's repr."""
    try:  # for each value: contextlib.suppress would be felt
        match value:
            case None | bool():
                return value
            case Enum():
                return plain(value.value, parents)
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
        if isinstance(value, (Mapping, Sequence, Set)):
            return _plain_items(value, parents)
        if isinstance(value, _TEXTUAL):
            return plain(str(value))
    except Exception:  # noqa: BLE001  of an object's own methods
        return name_of(type(value))
    return name_of(type(value))


def _plain_items(value: Any, parents: tuple[int, ...]) -> Any:
    if id(value) in parents or len(parents) > MAX_DEPTH:
        return OMITTED
    parents = (*parents, id(value))
    if isinstance(value, Mapping):
        items = ((key, REDACTED if is_secret(key, item) else item) for key, item in value.items())
        return {str(plain(key, parents)): plain(item, parents) for key, item in items}
    return [plain(item, parents) for item in value]


def name_of(cls: type) -> str:
    """Return the full name of a class, without the module of a built-in one."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record holds beside its message, level and time, flat, by OpenTelemetry's names, without secrets.

    That is: of the request that `record.request` is, its method, path, status, client and user; the exception; and what
    was given as `extra`, by its own names. The values are such as JSON has.
    https://opentelemetry.io/docs/specs/semconv/
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
    """Return the traceback of a record's exception, each exception's text in one line, no variable's value."""
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
    """Return `message` after the security event that it is about, and before whom the record's request came from."""
    if event := security_event(record):
        message = f"{event}: {message}"
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        known = request_attributes(request)
        by = f" by user {known['user.id']}" if "user.id" in known else ""
        message += f" (from {known['client.address']}{by})"
    return message


class TextFormatter(logging.Formatter):
    """Writes a record as one line, and a traceback below it, indented, where there is one.

    Nothing that is logged can begin a line, hide one or move a terminal's cursor. `fmt` names attributes of a record in
    braces, as logging.Formatter has it with style="{"; `asctime` is ISO 8601, in milliseconds, with the offset.
    """

    def __init__(self, fmt: str = TEXT_FORMAT) -> None:
        super().__init__(fmt, style="{")
        # Attributes by position: to fill in a record's whole dictionary takes twice as long.
        self._get = attrgetter(*NAME.findall(fmt)) if PLAIN_FORMAT.fullmatch(fmt) else None
        self._fill = NAME.sub("{", fmt).format if self._get else fmt.format
        self._second = (-1, "", "")  # the last one seen, its text, and its offset

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
        line = self._fill(*self._get(record)) if self._get else self._fill(**vars(record))
        if not line.isprintable():
            line = escape(line)
        if record.exc_info or record.exc_text or record.stack_info:
            below = f"{traceback_of(record)}\n{record.stack_info or ''}".strip("\n").split("\n")
            line = "\n".join([line, *(INDENT + escape(part) for part in below)])
        return line


class JsonFormatter(BaseJsonFormatter):
    """Writes a record as a JSON object in one line of ASCII, which any parser of JSON takes."""

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
