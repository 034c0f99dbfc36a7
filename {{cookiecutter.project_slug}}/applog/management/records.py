"""`manage.py logs`: printing records, and what else it needs of a terminal: colours, bars, progress."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.utils import timezone

from applog.conf import ProjectLog
from applog.reading.follow import POLL_SECONDS, Follower
from applog.reading.pages import Position, count_bytes_before, read_newer, read_older
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import Record
from applog.text import printable, show_cut

INDENT = "    "
LINES = 50  # records shown unless an option says how many
MOST_LINES = 100_000  # that fit into memory
PIECE = 2000  # records read at a time
SLICE_SECONDS = 0.2  # between two updates of the progress
REMEMBERED = 1000  # records that were followed
PATIENCE_SECONDS = 1.0  # before the progress is shown
REFRESH_SECONDS = 0.1
BAR_WIDTH = 24  # characters


def show(command: BaseCommand, logs: list[ProjectLog], query: Query, options: dict[str, Any]) -> None:
    """Print records, newest last.

    Raises CommandError for options that do not go together, SlowPatternError, and OSError.
    """
    count, follow, as_json = options["lines"], options["follow"], options["json"]
    if count is not None and not 0 <= count <= MOST_LINES:
        raise CommandError(f"--lines is a number from 0 to {MOST_LINES}; all records have --since.")
    if follow and query.until:
        raise CommandError("--follow has no end, so leave --until out.")
    followers = [Follower(log, query) for log in logs] if follow else []
    if count is None and not follow and (query.since or query.until or query.request_id):
        records = read_all(command, logs, query)
    else:
        most = count if count is not None else MOST_LINES if query.since else LINES
        start = Position({follower.log.name: follower.cursor for follower in followers if follower.cursor})
        records = read_last(command, logs, query, most, start if follow else None)
    printed = False
    for record in records:
        print_record(command, record, as_json=as_json)
        printed = True
    if not printed and not follow and count != 0:
        # Not to stdout, which a program may read.
        command.stderr.write("No records yet." if query == EVERY_RECORD else "No record has what is asked for.", str)
    if followers:
        follow_logs(command, followers, as_json=as_json)


def follow_logs(command: BaseCommand, followers: list[Follower], *, as_json: bool) -> None:
    """Print records that are added, without an end."""
    shown: dict[str, str] = {}  # the log of each record that was printed last, as a record may be in two logs
    while True:
        new = [record for follower in followers for record in follower.read_new()]
        for record in sorted(new, key=lambda record: record.time or datetime.max.replace(tzinfo=UTC)):
            # Without a time, equal ones need not be the same.
            if not record.time or shown.setdefault(record.raw, record.log) == record.log:
                print_record(command, record, as_json=as_json)
        shown = dict(list(shown.items())[-REMEMBERED:])
        command.stdout.flush()
        time.sleep(POLL_SECONDS)


def read_last(
    command: BaseCommand, logs: list[ProjectLog], query: Query, count: int, position: Position | None
) -> Iterator[Record]:
    """Yield the last `count` records before `position`, by default the end."""
    pieces = list(read_back(command, "Searching", logs, query, count, position))
    for records in reversed(pieces):
        yield from reversed(records)


def read_back(  # noqa: PLR0913, PLR0917  what to read, and what to say meanwhile
    command: BaseCommand,
    label: str,
    logs: list[ProjectLog],
    query: Query,
    count: int,
    position: Position | None = None,
) -> Iterator[list[Record]]:
    """Yield up to `count` records before `position`, by default the end, newest first, in pieces."""
    total, exhausted = count_bytes_before(logs, position), False
    with Progress(command.stderr, label) as progress:
        while count > 0 and not exhausted:
            page = read_older(logs, position, count=min(count, PIECE), query=query, seconds=SLICE_SECONDS)
            yield page.records
            count, position, exhausted = count - len(page.records), page.older, page.exhausted
            progress.update(1 - count_bytes_before(logs, position) / max(1, total))


def read_all(command: BaseCommand, logs: list[ProjectLog], query: Query) -> Iterator[Record]:
    """Yield all records, however many, as they are found."""
    position, total, exhausted = Position(), count_bytes_before(logs), False
    with Progress(command.stderr, "Searching") as progress:
        while not exhausted:
            page = read_newer(logs, position, count=PIECE, query=query, seconds=SLICE_SECONDS)
            position, exhausted = page.newer, page.exhausted
            if page.records:
                progress.clear()
            yield from reversed(page.records)
            progress.update(count_bytes_before(logs, position) / max(1, total))


def print_record(command: BaseCommand, record: Record, *, as_json: bool) -> None:
    """Print a record, as lines for people or as a line of JSON."""
    if as_json:
        command.stdout.write(to_json(record))
        return
    style = command.style
    parts = []
    if record.time:
        parts.append(timezone.localtime(record.time).isoformat(timespec="milliseconds"))
    if record.level:
        parts.append(painter(command, record.level)(printable(record.level)))
    if record.logger:
        parts += [style.MIGRATE_LABEL(printable(record.logger)), f"[{printable(record.request_id or '-')}]"]
    command.stdout.write(" ".join((*parts, printable(record.message))))
    # The text format indents these lines itself.
    indent = INDENT if record.level and not all(line.startswith(INDENT) for line in record.lines) else ""
    for line in record.lines:
        command.stdout.write(indent + printable(line))
    if record.truncated:
        command.stdout.write(style.NOTICE(f"    [{show_cut(record.size)}]"))


def to_json(record: Record) -> str:
    """Return a record as one line of ASCII, in which nothing controls a terminal."""
    fields = {
        "log": record.log,
        "timestamp": record.time.isoformat(timespec="milliseconds") if record.time else None,
        "level": record.level,
        "logger": record.logger,
        "message": record.message,
        "request_id": record.request_id,
        "lines": record.lines,
        **({"truncated_from_bytes": record.size} if record.truncated else {}),
    }
    # As the formatter names them, so that no field is lost.
    own = fields.keys() | {"truncated_from_bytes"}
    more = {f"extra.{name}" if name in own else name: value for name, value in record.fields.items()}
    return json_line({**more, **fields})


def json_line(fields: dict[str, Any]) -> str:
    """Return a line of ASCII, in which nothing controls a terminal."""
    return json.dumps(fields, default=str).replace("\x7f", "\\u007f")


def painter(command: BaseCommand, level: str) -> Callable[[str], str]:
    """Return a function that gives a text the colour of a level."""
    style = command.style
    styles = {
        "CRITICAL": style.ERROR,
        "ERROR": style.ERROR,
        "WARNING": style.WARNING,
        "INFO": style.SUCCESS,
        "DEBUG": style.HTTP_NOT_MODIFIED,
    }
    return styles.get(level, str)


def can_show(stream: TextIO | OutputWrapper, text: str) -> bool:
    """Tell whether the encoding of `stream` has the characters of `text`."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def block(stream: TextIO | OutputWrapper) -> str:
    """Return the character of bars, one that `stream` can encode."""
    return "█" if can_show(stream, "█") else "#"


def bar(stream: TextIO | OutputWrapper, share: float, width: int = BAR_WIDTH) -> str:
    """Return a bar of `width` characters for a share from 0 to 1, in characters that `stream` can encode."""
    full, empty = ("█", "░") if can_show(stream, "█░") else ("#", ".")
    done = round(min(1.0, max(0.0, share)) * width)
    return full * done + empty * (width - done)


class Progress:
    """A line on `stream`, if it is a terminal, while something takes longer than PATIENCE_SECONDS; for `with`."""

    def __init__(self, stream: TextIO | OutputWrapper, label: str) -> None:
        self._stream, self._label = stream, label
        self._next = time.monotonic() + PATIENCE_SECONDS
        self._shown = False

    def __enter__(self) -> "Progress":
        return self

    def update(self, share: float) -> None:
        """Show that a share from 0 to 1 is done."""
        if self._stream.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_SECONDS
            self._write(f"\r{self._label} {bar(self._stream, share)} {share:4.0%}")
            self._shown = True

    def clear(self) -> None:
        """Remove the line until the next update."""
        if self._shown:
            self._write("\r" + " " * (len(self._label) + BAR_WIDTH + 6) + "\r")
            self._shown = False

    def __exit__(self, *_: object) -> None:
        """Remove the line."""
        self.clear()

    def _write(self, text: str) -> None:
        # Not with OutputWrapper.write, which colours what goes to stderr.
        stream = getattr(self._stream, "_out", self._stream)
        stream.write(text)
        stream.flush()
