"""The requests in a log, by their route: how many, how they ended, how long they took."""

import heapq
import operator
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import compress

from applog.reading.formats import parse_time
from applog.reading.log import RotatedLog
from applog.reading.measures import Durations, Window, index_of_duration
from applog.reading.pages import Position
from applog.reading.query import Query
from applog.reading.request_lines import Rows, name_of, take_apart
from applog.reading.scan import BlocksBackwards

ROUTES = 500  # that are kept when there are twice as many; the rarest are then counted together
ORDERS = "count", "p50", "p95", "p99", "slowest", "errors"
PERCENTILES = 50, 95, 99  # of the durations
SLOW = 1000.0  # ms; a longer duration deserves attention
MINUTE = timedelta(minutes=1)
MINUTES = 100_000  # that are remembered
CELLS = 50_000  # different ones that are counted before they are moved to the groups
OUTSIDE, PARTLY = -1, -2  # of the window, in place of one of its parts
LEAST = -10_000  # less than the index of any duration


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
        return [self.percentile(share) for share in PERCENTILES]

    def percentile(self, share: int) -> float:
        """Return the duration in ms that `share` percent of the requests did not exceed, which is no exact number."""
        found = self.durations.quantile(share / 100)
        return min(found, self.slowest or found)

    def measure(self, order: str) -> float:
        """Return the number that one of ORDERS goes by."""
        if order[0] == "p":
            return self.percentile(int(order[1:]))
        return {"count": float(self.count), "slowest": self.slowest, "errors": float(self.number("5"))}[order]

    def update(self, other: "RequestGroup") -> None:
        """Count what another group has counted."""
        self.statuses.update(other.statuses)
        self.durations.update(other.durations.counts)
        self.bars = [one + two for one, two in zip(self.bars, other.bars, strict=True)]
        if other.slowest > self.slowest:
            self.slowest, self.slowest_time, self.slowest_id = other.slowest, other.slowest_time, other.slowest_id


class Places(dict[bytes, int]):
    """The part of a window that each minute of a time zone is in; or OUTSIDE, or PARTLY."""

    def __init__(self, window: Window, zone: bytes) -> None:
        super().__init__()
        self.window, self.zone = window, zone

    def __missing__(self, minute: bytes) -> int:
        window, when = self.window, parse_time((minute + self.zone).decode("ascii", "replace"))
        if when is None or not window.begin - MINUTE < when < window.end:
            place = OUTSIDE
        elif when < window.begin or when + MINUTE > window.end:
            place = PARTLY
        else:
            place = window.part(when) or 0
        self[minute] = place
        return place


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
        self.groups: dict[tuple[str, str, bool], RequestGroup] = {}
        self.others = RequestGroup(window.parts)
        self.parts = [RequestGroup(0) for _ in range(window.parts)]
        self.exhausted = False
        # How many requests there are of each part of the window, key and index of the duration.
        self._cells: Counter[tuple[int, bytes, int]] = Counter()
        self._longest: defaultdict[bytes, int] = defaultdict(lambda: LEAST)  # the index of the slowest of each key
        self._places: dict[bytes, Places] = {}

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
        self.exhausted = self._read(logs, time.monotonic() + seconds)
        self._settle()
        slowest = max(group.slowest for group in (*self.groups.values(), self.others))
        for part in self.parts:  # within 2 %
            part.slowest = min(part.durations.quantile(1), slowest)

    def _read(self, logs: Sequence[RotatedLog], deadline: float) -> bool:
        query = Query(since=self.window.begin, until=self.window.end)
        for log in logs:
            with closing(log.open_files(self.position.get(log.name), query)) as files:
                for file, low, high in files:
                    if file:
                        for begin, block in BlocksBackwards(file, low, high):
                            self._add(block)
                            self.position[log.name] = file.cursor(begin)
                            if time.monotonic() > deadline:
                                return False
                        # Also after a part that has nothing, so that it is passed over once.
                        edge = file.cursor(min(low, high))
                        if edge == self.position.get(log.name):
                            continue
                        self.position[log.name] = edge
                    if time.monotonic() > deadline:
                        return False
        return True

    def _add(self, block: bytes) -> None:
        for rows in take_apart(block):
            known = self._places.setdefault(rows.zone, Places(self.window, rows.zone))
            places = list(map(known.__getitem__, rows.minutes))
            self._count(*(rows, places) if min(places) >= 0 else self._inside(rows, places))
        if len(self._cells) > CELLS:
            self._settle()

    def _inside(self, rows: Rows, places: list[int]) -> tuple[Rows, list[int]]:
        """Return the rows within the window, and the part of it that each is in."""
        for number, place in enumerate(places):
            if place == PARTLY:
                when = parse_time(rows.time(number))
                part = self.window.part(when) if when else None
                places[number] = OUTSIDE if part is None else part
        kept = [place >= 0 for place in places]
        zone, *columns = rows
        inside = Rows(zone, *(list(compress(column, kept)) for column in columns))
        return inside, [place for place in places if place >= 0]

    def _count(self, rows: Rows, places: list[int]) -> None:
        indexes = list(map(index_of_duration, rows.durations))
        self._cells.update(zip(places, rows.keys, indexes, strict=True))
        # Those that may be the slowest so far; there are few, and finding them takes no statement for each row.
        longest = map(self._longest.__getitem__, rows.keys)
        for number in compress(range(len(indexes)), map(operator.ge, indexes, longest)):
            self._longest[rows.keys[number]] = indexes[number]
            self._keep_slowest(rows, number)

    def _keep_slowest(self, rows: Rows, number: int) -> None:
        """Keep the request of a row if none of its name took longer."""
        group, duration = self._group(rows.keys[number]), float(rows.durations[number])
        if duration > group.slowest:
            group.slowest, group.slowest_time, group.slowest_id = duration, rows.time(number), rows.request_id(number)

    def _group(self, key: bytes) -> RequestGroup:
        name, _ = name_of(key)
        if name not in self.groups:
            self.groups[name] = RequestGroup(self.window.parts, name[0], name[1], is_route=name[2])
        return self.groups[name]

    def _settle(self) -> None:
        """Move what was counted to the groups, of which the most frequent are kept."""
        for (place, key, index), number in self._cells.items():
            group, (_, status) = self._group(key), name_of(key)
            group.bars[place] += number
            for one in group, self.parts[place]:
                one.statuses[status] += number
                one.durations.counts[index] += number
        self._cells.clear()
        self._longest.clear()
        if sum(map(len, self._places.values())) > MINUTES:
            self._places.clear()
        if len(self.groups) > 2 * ROUTES:
            kept = heapq.nlargest(ROUTES, self.groups.items(), key=lambda item: item[1].count)
            for rare in self.groups.keys() - {name for name, _ in kept}:
                self.others.update(self.groups[rare])
            self.groups = dict(kept)

    def ordered(self, order: str) -> list[RequestGroup]:
        """Return the groups in one of ORDERS, the greatest first."""
        return sorted(self.groups.values(), key=lambda group: (group.measure(order), group.count), reverse=True)
