"""Formatters: a record as a line of text, or as a JSON object. Nothing that is logged can forge a record."""

import copy
import logging
import re
import time
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path
from pythonjsonlogger.json import JsonFormatter as BaseJsonFormatter

from applog.context import request_attributes, stamp
from applog.redaction import SCALARS, name_of, plain, redact
from applog.secret_text import redact_text
from applog.security import REFUSALS, security_event
from applog.text import encodable, escape, is_plain, shorten
from applog.tracebacks import format_error, shorten_middle, text_of

TEXT_FORMAT = "{asctime} {levelname} {name} [{request_id}] {message}"
INDENT = "    "  # of the lines that follow a record's first one
MESSAGE_CHARACTERS = 4000
REFUSAL_CHARACTERS = 500  # of the message of a refusal, which a stranger has written
RECORD_CHARACTERS = 64 * 1024  # of a JSON record; a longer one is written without what was given as `extra`

# A format of at least two attributes, without conversions, indexes and nested fields.
PLAIN_FORMAT = re.compile(r"[^{}]*(\{[a-z_]+[:}][^{}]*\}?[^{}]*){2,}", re.IGNORECASE)
_QUERY = re.compile(r"(://[^\s?]+)\?\S+")
NAME = re.compile(r"\{([a-z_]+)", re.IGNORECASE)

_OF_REQUESTS = frozenset({"applog.", "django."})  # beginnings of the names of loggers whose records have a request
_NOT_EXTRA = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime", "is_counted", "message", "on_console", "request", "request_id", "safe_traceback", "server_time",
    "span_id", "taskName", "trace_id",
}  # fmt: skip
# Names that only the log itself gives, so that nobody can imitate them by what is logged.
_OWN_NAMES = frozenset({"event", "code.stacktrace", "trace_id", "span_id", "request_id"})
_KEPT = frozenset({"duration_ms", "event", "status_code"})  # of a record that is too long
_OWN_NAMESPACES = ("client.", "exception.", "http.", "process.", "service.", "url.", "user.")


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message, without secrets in it, or in containers among its arguments.

    If the arguments do not match the format, they are appended; the standard library would drop the record. In Django's
    records of a request the path is escaped as in a URL, and a referrer is without its query string.
    """
    message = redact_text(_fill(record))
    if record.name[:7] == "django." and isinstance(request := getattr(record, "request", None), HttpRequest):
        message = message.replace(request.path, escape_uri_path(request.path))
        if record.name == "django.security.csrf":
            message = _QUERY.sub(r"\1?...", message)
    return message


def _fill(record: logging.LogRecord) -> str:
    message, arguments = record.msg, record.args
    if type(message) is not str:
        message = text_of(redact(message))
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


def longest_message(record: logging.LogRecord, message: str) -> int:
    """Return how many characters of the record's message are written. Of a refusal, few bytes in any encoding."""
    if security_event(record) not in REFUSALS:
        return MESSAGE_CHARACTERS
    return REFUSAL_CHARACTERS if message.isascii() else REFUSAL_CHARACTERS // 4


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Return the attributes of a record's request and exception, and what was given as `extra`, without secrets.

    The dictionary is flat; its values are what JSON can have, dictionaries and lists in `extra` included. The request's
    and the exception's attributes have their names in https://opentelemetry.io/docs/specs/semconv/.
    """
    given = {key: value for key, value in vars(record).items() if key not in _NOT_EXTRA}
    event = security_event(record)
    if event and record.name == "applog.security":
        del given["event"]
    found: dict[str, Any] = {"event": plain(event)} if event else {}
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        most = REFUSAL_CHARACTERS if event in REFUSALS else None  # so that refusals do not fill a file
        known = request_attributes(request)
        found |= {key: plain(value[:most] if isinstance(value, str) else value) for key, value in known.items()}
        if "status_code" in given:
            found["http.response.status_code"] = plain(given.pop("status_code"))
    if record.exc_info and record.exc_info[0]:
        found["exception.type"] = plain(name_of(record.exc_info[0]))
        found["exception.message"] = "" if event in REFUSALS else plain(record.exc_info[1])  # the record's message
    if isinstance(record.msg, Mapping):
        given = {**record.msg, **given}
    found |= {f"extra.{key}" if _is_own_name(key) else key: value for key, value in plain(given).items()}
    if text := traceback_of(record):
        found["exception.stacktrace"] = encodable(text)
    if record.stack_info:
        found["code.stacktrace"] = encodable(shorten_middle(record.stack_info))
    return found


def _is_own_name(key: str) -> bool:
    return key in _OWN_NAMES or key.startswith(_OWN_NAMESPACES)


def traceback_of(record: logging.LogRecord) -> str:
    """Return the traceback of a record, or "" if it has none, or is about a request that Django has refused."""
    if security_event(record) == "input_validation_fail":
        return ""
    if not (record.exc_info and record.exc_info[1]):
        return redact_text(record.exc_text or "")
    # Not `exc_text`: another formatter may have put a text with secrets there.
    if not hasattr(record, "safe_traceback"):
        record.safe_traceback = format_error(record.exc_info[1])
    return str(vars(record)["safe_traceback"])


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
        record.message = in_context(record, message) if record.name[:7] in _OF_REQUESTS else message
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


class JsonFormatter(BaseJsonFormatter):
    """Formats a record as a JSON object, in one line of ASCII that any parser of JSON accepts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without what was given as `extra` if that makes it too long."""
        line = self._format(record)
        if len(line) > RECORD_CHARACTERS:
            known = {name: value for name, value in vars(record).items() if name in _NOT_EXTRA | _KEPT}
            record = logging.makeLogRecord({**known, "left_out": f"{len(line):,} characters"})
            record.msg = {} if isinstance(record.msg, Mapping) else record.msg
            line = self._format(record)
        return line

    def _format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001  the arguments do not match the format
            record = copy.copy(record)
            record.msg, record.args = message_of(record), None
            return super().format(record)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, _: dict[str, Any]) -> None:
        """Fill the object."""
        stamp(record)
        message = "" if isinstance(record.msg, Mapping) else message_of(record)
        utc = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        log_data |= {
            "timestamp": f"{utc}.{int(record.msecs):03}Z",
            "level": plain(record.levelname),
            "logger": plain(record.name),
            "message": encodable(shorten(message, longest_message(record, message))),
            "request_id": vars(record)["request_id"],
            "service.name": settings.SERVICE_NAME,
            "process.pid": record.process,
        }
        log_data |= {key: plain(vars(record)[key]) for key in ("trace_id", "span_id") if key in vars(record)}
        log_data |= {f"extra.{key}" if key in log_data else key: item for key, item in attributes(record).items()}
