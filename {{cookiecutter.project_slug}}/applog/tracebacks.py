"""Tracebacks as text. Nothing that an exception says can begin a line of its own, and none is longer than some KB."""

import traceback
from collections.abc import Iterator
from typing import Any

from applog.redaction import name_of
from applog.secret_text import redact_text
from applog.text import escape

TRACEBACK_CHARACTERS = 16_000


def format_error(error: BaseException) -> str:
    """Return the traceback of an exception, with its causes, its context and the members of a group.

    The text of each exception, each of its notes, and each part of a syntax error is escaped, and so is one line;
    secrets in it are replaced. Of a long traceback the middle is left out. Values of variables are not shown.
    """
    report = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    for part in _parts(report):
        part._str = escape(redact_text(getattr(part, "_str", "")))  # type: ignore[attr-defined]  # the text, made once
        if notes := getattr(part, "__notes__", None):
            notes = notes if isinstance(notes, list) else [repr(notes)]
            part.__notes__ = [escape(redact_text(text_of(note))) for note in notes]
        for name in ("msg", "text", "filename"):  # of a syntax error
            if isinstance(said := getattr(part, name, None), str):
                setattr(part, name, escape(said.rstrip("\n")))
    return shorten_middle("".join(report.format()).rstrip("\n"))


def text_of(value: Any) -> str:
    """Return `str(value)`, or the name of its class and of the exception that its own method raises."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001
        return f"{name_of(type(value))} ({name_of(type(error))})"


def _parts(report: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """Yield a report and those of its causes, its context and its group."""
    waiting, seen = [report], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            members = getattr(part, "exceptions", None) or ()  # since Python 3.11
            waiting += [other for other in (part.__cause__, part.__context__, *members) if other]


def shorten_middle(text: str) -> str:
    """Return a text of TRACEBACK_CHARACTERS at most, of which whole lines in the middle are left out."""
    if len(text) <= TRACEBACK_CHARACTERS:
        return text
    head, tail = text[: TRACEBACK_CHARACTERS // 4], text[-TRACEBACK_CHARACTERS * 3 // 4 :]
    head, tail = head[: head.rfind("\n") + 1], tail[tail.find("\n") :]
    return f"{head}[{len(text) - len(head) - len(tail):,} characters are left out]{tail}"
