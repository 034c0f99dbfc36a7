"""Records of SQL that takes longer than LOG_SLOW_QUERY_MS: the statement, how long, and which code has asked for it.

Values stay out: the parameters are not looked at, and what a statement has in their place is replaced by "?", as
https://opentelemetry.io/docs/specs/semconv/db/database-spans/#sanitization-of-dbquerytext asks for. The names of the
attributes are from there, and from https://opentelemetry.io/docs/specs/semconv/registry/attributes/code/.
"""

import asyncio
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from applog.conf import project_folder
from applog.context import current_request
from applog.fingerprint import is_own
from applog.redaction import name_of

logger = logging.getLogger(__name__)

STATEMENT_CHARACTERS = 2000  # of a statement in a record
READ_CHARACTERS = 20_000  # of one that are looked at

# Django's names of systems (`connection.vendor`) where the conventions have others.
SYSTEMS = {"oracle": "oracle.db", "microsoft": "microsoft.sql_server"}
_COMMENT = r"--[^\n]*|/\*[\s\S]*?(?:\*/|\Z)"
_NUMBER = r"(?<![\w$])(?:0[xX][0-9a-fA-F]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
# A literal that does not end where it seems to would turn names into values and values into names: what is not closed
# hides all that follows.
_STANDARD = re.compile(
    rf"(?P<comment>{_COMMENT})"
    r'|(?P<name>"[^"]*"|`[^`]*`)'
    # Oracle's q'[...]'
    r"|(?P<value>\b[nN]?[qQ]'(?:\[[\s\S]*?(?:\]'|\Z)|\([\s\S]*?(?:\)'|\Z)|\{[\s\S]*?(?:\}'|\Z)|<[\s\S]*?(?:>'|\Z)"
    r"|(?P<mark>[^\s\[({<'])[\s\S]*?(?:(?P=mark)'|\Z))"
    r"|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|\Z)|(?:\b[bBnNxX]|\b[uU]&)?'(?:[^']|'')*(?:'|\Z)"
    rf"|\$(?P<tag>(?:[^\W\d]\w*)?)\$[\s\S]*?(?:\$(?P=tag)\$|\Z)|[\"`][\s\S]*|{_NUMBER})"
)
# Quotation marks hold values here. A quote behind a backslash may end a literal or not, by sql_mode.
_MYSQL = re.compile(
    rf"(?P<comment>{_COMMENT}|\#[^\n]*)"
    r"|(?P<name>`[^`]*`)"
    r"|(?P<value>'(?:[^'\\]|\\[^']|'')*'(?!')|\"(?:[^\"\\]|\\[^\"]|\"\")*\"(?!\")"
    rf"|['\"`][\s\S]*|{_NUMBER})"
)
_LIST = re.compile(r"\b(IN) ?\( ?(%s|\?)(?: ?, ?(?:%s|\?))+ ?\)", re.IGNORECASE)
_ROWS = re.compile(r"(\((?:%s|\?|, )*\))(?:, ?\1)+")  # of an INSERT

_is_recording: ContextVar[bool] = ContextVar("_is_recording", default=False)


def watch() -> None:
    """Watch every connection to a database, those of other threads, and those that are opened later."""
    connection_created.connect(_install)
    for connection in connections.all(initialized_only=True):
        _install(connection=connection)


def _install(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Watch a connection: a receiver of connection_created, which also comes when one is opened again."""
    if not any(isinstance(wrapper, partial) and wrapper.func is _measure for wrapper in connection.execute_wrappers):
        # Not at the end: a connection may be opened within `with connection.execute_wrapper(...)`, which takes the last
        # one away.
        connection.execute_wrappers.insert(0, partial(_measure, settings.LOG_SLOW_QUERY_MS))


def _measure(  # noqa: PLR0913, PLR0917  Django's
    limit: int, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Execute a statement, also one that fails, and record it if it takes more than `limit` ms."""
    begin = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        duration = (time.perf_counter() - begin) * 1000
        if duration > limit and not _is_recording.get():
            token = _is_recording.set(True)  # a handler may write records into a database
            try:
                _record(context["connection"], sql, duration)
            finally:
                _is_recording.reset(token)


def _record(connection: BaseDatabaseWrapper, sql: Any, duration: float) -> None:
    statement = without_values(sql, connection.vendor) if isinstance(sql, str) else name_of(type(sql))
    extra: dict[str, Any] = {
        "db.query.text": statement,
        "db.system.name": _system(connection),
        "alias": connection.alias,  # as in the records of django.db.backends
        "duration_ms": round(duration, 1),
    }
    if name := connection.settings_dict.get("NAME"):
        extra["db.namespace"] = str(name)
    if request := current_request.get():
        extra["request"] = request
    place = ""
    if frame := asking_frame():
        file, line, function = _file_of(frame), frame.f_lineno, frame.f_code.co_qualname
        extra |= {"code.file.path": file, "code.line.number": line}
        extra["code.function.name"] = f"{frame.f_globals.get('__name__', '')}.{function}"
        shown = file.replace("\\", "/").removeprefix(project_folder().replace("\\", "/").rstrip("/") + "/")
        place = f" from {shown}:{line} {function}"
    logger.warning("SQL took %s ms in %s%s: %s", extra["duration_ms"], connection.alias, place, statement, extra=extra)


def _system(connection: BaseDatabaseWrapper) -> str:
    # Asked for its version, a connection would query the database.
    if connection.vendor == "mysql" and "mysql_server_data" in vars(connection):
        return "mariadb" if connection.mysql_is_mariadb else "mysql"  # type: ignore[attr-defined]
    return SYSTEMS.get(connection.vendor, connection.vendor)


def without_values(sql: str, vendor: str) -> str:
    """Return the beginning of a statement, in one line, with "?" in place of values.

    Values are strings and numbers. Comments are left out; of the placeholders of an IN one is kept, of the rows of an
    INSERT the first. What stands in double quotes is a name, but in MySQL and MariaDB a value.

    Args:
        sql: the statement, with placeholders.
        vendor: the database's kind, as Django calls it: `connection.vendor`.

    """
    pattern = _MYSQL if vendor == "mysql" else _STANDARD
    text = pattern.sub(_without_value, sql[:READ_CHARACTERS])
    text = _ROWS.sub(r"\1", _LIST.sub(r"\1 (\2)", " ".join(text.split())))
    if len(sql) <= READ_CHARACTERS and len(text) <= STATEMENT_CHARACTERS:
        return text
    return f"{text[:STATEMENT_CHARACTERS]}... ({len(sql):,} characters in all)"


def _without_value(found: re.Match[str]) -> str:
    if found["comment"]:
        return " "
    return found["name"] or "?"


def asking_frame() -> FrameType | None:
    """Return the innermost frame of the project's own code, which has asked for what is done at present.

    The log's own frames do not count. Where code that is awaited has asked, in a thread of asgiref's, that is the frame
    that awaits. None if there is none, as for a session that Django's middleware loads.
    """
    project, own = project_folder(), __name__.partition(".")[0]
    for frame in _frames():
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] != own and is_own(_file_of(frame), project):
            return frame
    return None


def _file_of(frame: FrameType) -> str:
    """Return the path of a frame's file without links, as BASE_DIR is, or a name such as <string>."""
    path = Path(frame.f_code.co_filename)
    return str(path.resolve()) if path.is_absolute() else str(path)


def _frames() -> Iterator[FrameType]:
    """Yield the frames from the present one outwards, those of the awaiting coroutines in between."""
    frame: FrameType | None = sys._getframe(1)
    while frame:
        yield frame
        if frame.f_code.co_name == "thread_handler" and frame.f_globals.get("__name__") == "asgiref.sync":
            yield from reversed(_awaiting(frame.f_locals))
        frame = frame.f_back


def _awaiting(local: dict[str, Any]) -> list[FrameType]:
    """Return the frames, outermost first, of the task that waits for a thread with these variables of asgiref's.

    Nothing names that task; it is the one with a frame that has the same list.
    """
    loop, shared = local.get("loop"), local.get("task_context")
    for task in asyncio.all_tasks(loop) if isinstance(loop, asyncio.AbstractEventLoop) else ():
        frames: list[FrameType] = []
        coroutine: Any = task.get_coro()
        while coroutine is not None:
            if frame := getattr(coroutine, "cr_frame", None):
                frames.append(frame)
                if shared is not None and frame.f_locals.get("task_context") is shared:
                    return frames
            coroutine = getattr(coroutine, "cr_await", None)
    return []
