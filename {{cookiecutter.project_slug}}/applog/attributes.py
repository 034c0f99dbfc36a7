"""What a record has beside its message: attributes of its request and its exception, and fields."""

import logging
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from applog.context import request_attributes
from applog.fingerprint import REFUSALS
from applog.redaction import name_of, plain
from applog.secret_text import redact_text
from applog.security import security_event
from applog.text import encodable
from applog.tracebacks import format_error, shorten_middle

REFUSAL_CHARACTERS = 500  # of what a stranger has written into a refusal
OF_REQUESTS = frozenset({"applog.", "django."})  # beginnings of the names of loggers whose records have a request
# What the record of a request's end has, and how it is named.
OF_END = {"status_code": "http.response.status_code", "duration_ms": "duration_ms"}
# What a record has that was not given as `extra`.
NOT_EXTRA = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime", "bound_fields", "is_counted", "message", "on_console", "request", "request_id", "safe_traceback",
    "server_time", "span_id", "taskName", "trace_flags", "trace_id",
}  # fmt: skip
# Names that only the log itself gives, so that nobody can imitate them by what is logged.
_OWN_NAMES = frozenset({"event", "code.stacktrace", "trace_flags", "trace_id", "span_id", "request_id"})
_OWN_NAMESPACES = ("client.", "exception.", "http.", "process.", "service.", "url.", "user.")


def attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Return the attributes of a record's request and exception, and what was given as `extra`, without secrets.

    The dictionary is flat; its values are what JSON can have, dictionaries and lists in `extra` included. The request's
    and the exception's attributes have their names in https://opentelemetry.io/docs/specs/semconv/.
    """
    parts = vars(record)
    is_text = type(record.msg) is str
    has_more = record.exc_info or record.exc_text or record.stack_info or "request" in parts or "bound_fields" in parts
    if is_text and not has_more and parts.keys() <= NOT_EXTRA and record.name[:7] not in OF_REQUESTS:  # most records
        return {}
    given = {key: parts[key] for key in parts if key not in NOT_EXTRA}
    event = security_event(record)
    if event and record.name == "applog.security":
        del given["event"]
    found: dict[str, Any] = {"event": plain(event)} if event else {}
    request = parts.get("request")
    if isinstance(request, HttpRequest):
        for key, value in request_attributes(request).items():
            # Refusals must not fill a file.
            found[key] = plain(value[:REFUSAL_CHARACTERS] if isinstance(value, str) and event in REFUSALS else value)
        found |= {key: plain(given.pop(name)) for name, key in OF_END.items() if name in given}
    if record.exc_info and record.exc_info[0]:
        found["exception.type"] = plain(name_of(record.exc_info[0]))
        found["exception.message"] = "" if event in REFUSALS else plain(record.exc_info[1])  # the record's message
    if not is_text and isinstance(record.msg, Mapping):
        given = {**record.msg, **given}
    if bound := parts.get("bound_fields"):
        for key, value in bound.values.items():
            found.setdefault(f"extra.{key}" if _is_own_name(key) else key, value)
    if given:
        found |= {f"extra.{key}" if _is_own_name(key) else key: value for key, value in plain(given).items()}
    if text := traceback_of(record):
        found["exception.stacktrace"] = encodable(text)
    if record.stack_info:
        found["code.stacktrace"] = encodable(shorten_middle(record.stack_info))
    return found


def _is_own_name(key: str) -> bool:
    return key in _OWN_NAMES or key.startswith(_OWN_NAMESPACES)


def traceback_of(record: logging.LogRecord) -> str:
    """Return the traceback of a record, or "" if it has none, or is about a refusal."""
    if not (record.exc_info or record.exc_text) or security_event(record) in REFUSALS:
        return ""
    if not (record.exc_info and record.exc_info[1]):
        return redact_text(record.exc_text or "")
    # Not `exc_text`: another formatter may have put a text with secrets there.
    if not hasattr(record, "safe_traceback"):
        record.safe_traceback = format_error(record.exc_info[1])
    return str(vars(record)["safe_traceback"])
