"""The errors in logs, by their kind: how often, since when, in how many requests and of how many users."""

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from applog.fingerprint import Kind, error_line, fingerprint, split_context
from applog.reading.log import RotatedLog
from applog.reading.measures import Distinct, Window
from applog.reading.pages import Position, read_older
from applog.reading.query import Query
from applog.reading.record import Cursor, Record

KINDS = 500  # that are kept when there are twice as many; the rarest are then counted together
RECORDS, CHARACTERS = 2000, 1 << 22  # read at a time
SAMPLE_CHARACTERS = 500  # of a message
SLICE_SECONDS = 0.1
ORDERS = "last", "first", "count", "requests", "users"
NEW = timedelta(days=1)  # since when an error is new


@dataclass(slots=True)
class ErrorGroup:
    """The records of one kind.

    Attributes:
        kind: the kind.
        level, logger, message: of the last record, the message without its context, and not all of it if it is long.
        said: what the kind says: that message, or of an exception, the template of its text. Where that has no words,
            as of a KeyError, it is the text of the last one.
        log, cursor, size: where the last record is, and how many bytes it has.
        bars: how many there are in each part of the window.
        request_id: of the last record with one, or "".
        first, last: the aware times of the first and the last record; None without records that have a time.
        count: how many records there are.
        requests, users: the different ones.

    """

    kind: Kind
    level: str
    logger: str
    message: str
    said: str
    log: str
    cursor: Cursor
    size: int
    bars: list[int]
    request_id: str = ""
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0
    requests: Distinct = field(default_factory=Distinct)
    users: Distinct = field(default_factory=Distinct)

    def is_new(self, since: datetime | None) -> bool:
        """Tell whether the first record is from `since` on; of None nothing is known."""
        return bool(since and self.first and self.first >= since)


class Errors:
    """The groups of the errors that are added, newest first.

    Attributes:
        window: the time that is asked for.
        groups: by the id of their kind, never more than 2 * KINDS.
        others: how many records are of kinds that are not kept.
        position: up to where the logs have been read; None before the beginning.
        exhausted: whether that is all of them.

    """

    def __init__(self, window: Window, project: str, position: Position | None = None) -> None:
        self.window, self.position = window, position
        self.groups: dict[str, ErrorGroup] = {}
        self.others = 0
        self.exhausted = False
        self._project = project

    def read(self, logs: Sequence[RotatedLog], query: Query, seconds: float) -> None:
        """Add the matching records before `position`, for so many seconds. Raises SlowPatternError."""
        deadline = time.monotonic() + seconds
        while not self.exhausted:
            left = max(0.0, deadline - time.monotonic())
            page = read_older(logs, self.position, count=RECORDS, query=query, seconds=left, size=CHARACTERS)
            for record in page.records:
                self.add(record)
            self.position, self.exhausted = page.older, page.exhausted
            if not left:
                return

    def add(self, record: Record) -> None:
        """Count a record."""
        message, user = record.message, str(record.fields.get("user.id", ""))
        traceback = "\n".join(record.lines)
        kind = fingerprint(record.logger, record.level, message, traceback, self._project)
        if not (group := self.groups.get(kind.id)):
            said = sample = split_context(record.logger, message).message[:SAMPLE_CHARACTERS]
            if kind.exception:
                has_words = any(map(str.isalnum, kind.template))
                said = kind.template if has_words else error_line(traceback).partition(": ")[2][:SAMPLE_CHARACTERS]
            group = ErrorGroup(
                kind,
                record.level,
                record.logger[:SAMPLE_CHARACTERS],
                sample,
                said,
                record.log,
                record.cursor,
                record.size,
                [0] * self.window.parts,
            )
            self.groups[kind.id] = group
        user = user or split_context(record.logger, message).user
        group.count += 1
        if record.time:
            group.last = max(group.last or record.time, record.time)
            group.first = min(group.first or record.time, record.time)
            if (part := self.window.part(record.time)) is not None:
                group.bars[part] += 1
        if record.request_id:
            group.request_id = group.request_id or record.request_id
            group.requests.add(record.request_id)
        if user:
            group.users.add(user)
        if len(self.groups) > 2 * KINDS:
            self._drop_the_rarest()

    def _drop_the_rarest(self) -> None:
        kept = heapq.nlargest(KINDS, self.groups.values(), key=lambda group: group.count)
        self.others += sum(group.count for group in self.groups.values()) - sum(group.count for group in kept)
        self.groups = {group.kind.id: group for group in kept}

    def ordered(self, order: str) -> list[ErrorGroup]:
        """Return the groups in one of ORDERS, the greatest first."""
        keys = {
            "last": lambda group: group.last.timestamp() if group.last else 0.0,
            "first": lambda group: group.first.timestamp() if group.first else 0.0,
            "count": lambda group: group.count,
            "requests": lambda group: group.requests.number,
            "users": lambda group: group.users.number,
        }
        return sorted(self.groups.values(), key=keys[order], reverse=True)

    def new_since(self, logs: Sequence[RotatedLog], now: datetime) -> datetime | None:
        """Return the time since which an error is new, or None if nothing from before it has been read."""
        since = now - NEW
        begin = reached(logs, self.position) if not self.exhausted else max(self.window.begin, first_time(logs) or now)
        # A window of just NEW, which ended when it was asked for, has nothing older.
        return since if begin and min(now, self.window.end) - begin > NEW + timedelta(minutes=1) else None


def first_time(logs: Sequence[RotatedLog]) -> datetime | None:
    """Return the time of the first record of the logs that has one, or None."""
    files = [(log, file) for log in logs for file in [file for file in log.files() if file.size][:1]]
    return min(filter(None, (log.find_times(file)[0] for log, file in files)), default=None)


def reached(logs: Sequence[RotatedLog], position: Position | None) -> datetime | None:
    """Return the time of the record before `position`, or None if it is not found quickly."""
    cursors = [(log, position[log.name]) for log in logs if position and log.name in position]
    return max(filter(None, (log.find_time_before(cursor) for log, cursor in cursors)), default=None)
