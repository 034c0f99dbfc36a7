"""The requests in a log, by their route: how many, how they ended, how long they took."""

import heapq
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import timedelta

from applog.reading.formats import parse_time
from applog.reading.log import RotatedLog
from applog.reading.measures import Durations, Window, index_of_duration
from applog.reading.pages import Position
from applog.reading.query import Query
from applog.reading.record import parse
from applog.reading.request_lines import Name, Row, take_apart
from applog.reading.scan import BlocksBackwards

ROUTES = 500  # that are kept when there are twice as many; the rarest are then counted together
ORDERS = "count", "p50", "p95", "p99", "slowest", "errors"
PERCENTILES = 50, 95, 99  # of the durations
SLOW = 1000.0  # ms; a longer duration deserves attention
MINUTE = timedelta(minutes=1)
MINUTES = 100_000  # that are remembered


class RequestGroup:
    """The requests of one method and route.

    Attributes:
        method, route: what they have in common; without a method, requests of several. A path begins with "/", and so
            does a route; "" stands for paths that have no route.
        is_route: whether `route` is the resolver's.
        statuses: how many there are of each status.
        durations: how long they took.
        bars: how many there are in each part of the window.
        slowest, slowest_time, slowest_id: the longest duration in ms, its time, and the id of its request.

    """

    def __init__(self, parts: int, method: str = "", route: str = "", *, is_route: bool = False) -> None:
        self.method, self.route, self.is_route = method, route, is_route
        self.statuses: Counter[str] = Counter()
        self.durations = Durations()
        self.bars = [0] * parts
        self.slowest, self.slowest_time, self.slowest_id = 0.0, "", ""

    @property
    def count(self) -> int:
        """How many requests there are."""
        return self.statuses.total()

    def number(self, first: str) -> int:
        """Return how many requests have a status that begins with `first`."""
        return sum(number for status, number in self.statuses.items() if status.startswith(first))

    def share(self, first: str) -> float:
        """Return the share of the requests whose status begins with `first`, from 0 to 1."""
        return self.number(first) / max(1, self.count)

    @property
    def percentiles(self) -> list[float]:
        """The durations in ms that PERCENTILES of the requests did not exceed."""
        return [self.durations.quantile(share / 100) for share in PERCENTILES]

    def measure(self, order: str) -> float:
        """Return the number that one of ORDERS goes by."""
        if order[0] == "p":
            return self.durations.quantile(int(order[1:]) / 100)
        return {"count": float(self.count), "slowest": self.slowest, "errors": float(self.number("5"))}[order]

    def update(self, other: "RequestGroup") -> None:
        """Count what another group has counted."""
        self.statuses.update(other.statuses)
        self.durations.update(other.durations.counts)
        self.bars = [one + two for one, two in zip(self.bars, other.bars, strict=True)]
        if other.slowest > self.slowest:
            self.slowest, self.slowest_time, self.slowest_id = other.slowest, other.slowest_time, other.slowest_id


class Requests:
    """The groups of the requests that are added, newest first.

    Attributes:
        window: the time that is asked for.
        groups: by method, route and whether it is one, never more than 2 * ROUTES.
        others: the requests of routes that are not kept.
        parts: all requests, by the parts of the window.
        position: up to where the logs have been read.
        exhausted: whether that is all of them.

    """

    def __init__(self, window: Window, position: Position | None = None) -> None:
        self.window, self.position = window, Position(position or {})
        self.groups: dict[Name, RequestGroup] = {}
        self.others = RequestGroup(window.parts)
        self.parts = [RequestGroup(0) for _ in range(window.parts)]
        self.exhausted = False
        self._minutes: dict[bytes, tuple[int, bool]] = {}

    @property
    def all(self) -> RequestGroup:
        """All requests together."""
        return self.together(self.groups.values())

    def together(self, groups: Iterable[RequestGroup]) -> RequestGroup:
        """Return some of the groups, and the requests of routes that are not kept, as one."""
        group = RequestGroup(self.window.parts)
        for one in (*groups, self.others):
            group.update(one)
        return group

    def read(self, logs: Sequence[RotatedLog], seconds: float) -> None:
        """Add the requests before `position`, for so many seconds, and at least one block of the file."""
        deadline = time.monotonic() + seconds
        query = Query(since=self.window.begin, until=self.window.end)
        for log in logs:
            with closing(log.open_files(self.position.get(log.name), query)) as files:
                for file, low, high in files:
                    if file:
                        for begin, block in BlocksBackwards(file, low, high):
                            self._add(block)
                            self.position[log.name] = file.cursor(begin)
                            if time.monotonic() > deadline:
                                return
                    elif time.monotonic() > deadline:  # it is being unpacked
                        return
        self.exhausted = True

    def _add(self, block: bytes) -> None:
        if len(self._minutes) > MINUTES:
            self._minutes.clear()
        for name, rows in take_apart(block).items():
            if inside := self._inside(rows):
                if name not in self.groups:
                    self.groups[name] = RequestGroup(self.window.parts, name[0], name[1], is_route=name[2])
                self._count(self.groups[name], inside)
        if len(self.groups) > 2 * ROUTES:
            kept = heapq.nlargest(ROUTES, self.groups.items(), key=lambda item: item[1].count)
            for name in self.groups.keys() - {name for name, _ in kept}:
                self.others.update(self.groups[name])
            self.groups = dict(kept)

    def _inside(self, rows: list[Row]) -> list[Row]:
        """Return the rows within the window."""
        minutes = {row[0][:16] + row[0][23:29] for row in rows}
        for minute in minutes - self._minutes.keys():
            self._minutes[minute] = self._place(minute)
        if all(self._minutes[minute][1] for minute in minutes):
            return rows
        return [
            row
            for row in rows
            if self._minutes[row[0][:16] + row[0][23:29]][1]
            or ((when := parse(row[3]).time) and self.window.begin <= when < self.window.end)
        ]

    def _place(self, minute: bytes) -> tuple[int, bool]:
        """Return the part of the window that a minute begins in, and whether all of the minute is in the window."""
        when = parse_time(minute.decode("ascii", "replace"))
        if when is None or not self.window.begin - MINUTE < when < self.window.end:
            return 0, False
        part = self.window.part(max(when, self.window.begin)) or 0
        return part, self.window.begin <= when and when + MINUTE <= self.window.end

    def _count(self, group: RequestGroup, rows: list[Row]) -> None:
        heads, statuses, durations, lines = zip(*rows, strict=True)
        minutes = [head[:16] + head[23:29] for head in heads]  # with the time zone
        part_of = {minute: self._minutes[minute][0] for minute in set(minutes)}
        index_of = {duration: index_of_duration(duration) for duration in set(durations)}
        parts, indexes = [part_of[minute] for minute in minutes], [index_of[duration] for duration in durations]
        group.durations.update(Counter(indexes))
        for (part, status), number in Counter(zip(parts, statuses, strict=True)).items():
            group.bars[part] += number
            group.statuses[status.decode()] += number
            self.parts[part].statuses[status.decode()] += number
        for (part, index), number in Counter(zip(parts, indexes, strict=True)).items():
            self.parts[part].durations.update({index: number})
        slowest = max(index_of, key=float)
        if float(slowest) > group.slowest:
            record = parse(lines[durations.index(slowest)])
            group.slowest, group.slowest_id = float(slowest), record.request_id
            group.slowest_time = record.time.isoformat() if record.time else ""

    def ordered(self, order: str) -> list[RequestGroup]:
        """Return the groups in one of ORDERS, the greatest first."""
        return sorted(self.groups.values(), key=lambda group: (group.measure(order), group.count), reverse=True)
