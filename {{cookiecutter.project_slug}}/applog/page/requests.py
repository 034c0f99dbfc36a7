"""The page of requests, by their route. applog.page.admin checks the permission first."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from applog.page.answers import READ_SECONDS, ROWS, AnswerForm, Spark, answer
from applog.page.fields import in_chosen_zone, write_fields
from applog.page.histogram import stack
from applog.page.rows import shown
from applog.reading.pages import Position
from applog.reading.query import PATTERN_CHARACTERS, Query
from applog.reading.request_lines import ID, LOGGER, PATH_CHARACTERS, SEGMENTS
from applog.reading.requests import ORDERS, PERCENTILES, SLOW, RequestGroup, Requests
from applog.text import encodable, show_minute, show_ms, show_number, show_share


@dataclass
class RouteRow:
    """The requests of a route, or of a part of the time, as the page shows them."""

    group: RequestGroup
    form: "RequestsForm"
    spark: Spark | None = None
    label: str = ""
    link: str = ""

    @property
    def method(self) -> str:
        """The method."""
        return shown(self.group.method)

    @property
    def name(self) -> str:
        """The route."""
        return shown(self.group.route) or _("no such page")

    @property
    def numbers(self) -> list[tuple[str, str, str]]:
        """The cells of the row: the column's heading, a CSS class, and the number."""
        group = self.group
        failed = "log-error" if group.number("5") else ""
        times = zip(PERCENTILES, group.percentiles, strict=True)
        return [
            (_("Requests"), "", show_number(group.count)),
            ("4xx", "", show_share(group.share("4"), 1)),
            ("5xx", failed, show_share(group.share("5"), 1)),
            *((f"p{share}", "log-warning" if time > SLOW else "", show_ms(time)) for share, time in times),
        ]

    @property
    def slowest(self) -> str:
        """The longest duration."""
        return show_ms(self.group.slowest)

    @property
    def slowest_link(self) -> str:
        """The address of the records of the slowest request, or ""."""
        request = self.group.slowest_id
        return self.form.record_link(log="all", request=request) if request else ""

    @property
    def records_link(self) -> str:
        """The address of the records, or "" if no filter finds them."""
        group = self.group
        if not group.route or len(group.route) == PATH_CHARACTERS or encodable(group.route) != group.route:
            return ""
        if group.is_route:
            fields = [("http.route", group.route), ("http.request.method", group.method)]
            return self.form.records_link(logger=LOGGER, field=write_fields(fields))
        path = re.escape(group.route).replace(r"\#", ID)
        if group.route.split("/")[SEGMENTS:] == ["..."]:  # which stands for what follows
            path = path.removesuffix(r"\.\.\.") + r"\S*"
        # Where the log says routes, a path without one that was not found is "no such page".
        pattern = (
            rf'[ "]{re.escape(group.method)} {path} (?!404 .*"http\.request\.method")(\d|given)(?!.*"http\.route")'
        )
        fits = len(pattern) <= PATTERN_CHARACTERS
        return self.form.records_link(logger=LOGGER, kind="pattern", text=pattern) if fits else ""


@dataclass
class TimeBar:
    """The requests of a part of the time as a bar: `index` of `bars`; the highest one has `most` requests."""

    row: RouteRow
    index: int
    bars: int
    most: int

    @property
    def label(self) -> str:
        """The bar in words."""
        group = self.row.group
        counts = {"number": group.count, "refused": group.number("4"), "failed": group.number("5")}
        values = {name: show_number(number) for name, number in counts.items()}
        return f"{self.row.label}: " + _("%(number)s requests, %(refused)s 4xx, %(failed)s 5xx") % values

    @property
    def x(self) -> str:
        """Its left edge. Coordinates are strings, because some languages write numbers with a comma."""
        return f"{self.index * 1000 / self.bars:.2f}"

    @property
    def width(self) -> str:
        """Its width."""
        return f"{850 / self.bars:.2f}"

    @property
    def parts(self) -> list[tuple[str, str, str]]:
        """The CSS class, y and height of each of its rectangles, from the bottom up."""
        group = self.row.group
        refused, failed = group.number("4"), group.number("5")
        numbers = [("error", failed), ("warning", refused), ("info", group.count - refused - failed)]
        return stack([(name, number) for name, number in numbers if number], self.most, len(numbers))


class RequestsForm(AnswerForm):
    """The filters of the page: a time."""

    name, orders = "requests", ORDERS
    default_since = "24h"
    spans = (
        ("1h", gettext_lazy("1 hour")),
        ("24h", gettext_lazy("24 hours")),
        ("7d", gettext_lazy("7 days")),
        ("30d", gettext_lazy("30 days")),
    )
    left_out = (*AnswerForm.left_out, "level", "text", "kind", "request", "logger", "field", "own")

    @property
    def more_fields(self) -> list[Any]:
        """The fields to type into."""
        return [self[name] for name in ("since", "until") if name in self.fields]

    @cached_property
    def query(self) -> Query:
        """The query of the filters. Raises ValueError if it cannot be used."""
        return Query(since=self.begin, until=self.cleaned_data["until"])

    def start(self, position: Position | None) -> Requests:
        """Return where counting begins."""
        return Requests(self.window, position)

    def count(self, found: Requests) -> None:
        """Count for as long as a page may."""
        found.read(self.chosen, READ_SECONDS)

    def describe(self, found: Requests) -> dict[str, Any]:
        """Return what the page shows of what was counted."""
        groups, window = found.ordered(self.order), found.window
        rest = found.together(groups[ROWS:])
        starts = [window.begin, *window.starts[1:], window.end]
        times = [
            RouteRow(
                part, self, label=show_minute(begin), link=self.link(since=begin.isoformat(), until=end.isoformat())
            )
            for begin, end, part in zip(starts, starts[1:], found.parts, strict=False)
        ]
        most = max(part.count for part in found.parts)
        labels = {
            "count": _("Requests"),
            "errors": "5xx",
            "p50": "p50",
            "p95": "p95",
            "p99": "p99",
            "slowest": _("Slowest"),
        }
        return {
            "rows": [RouteRow(group, self, Spark(window, group.bars)) for group in groups[:ROWS]],
            "rest": RouteRow(rest, self, Spark(window, rest.bars)) if rest.count else None,
            "all": RouteRow(found.all, self),
            "bars": [TimeBar(row, index, len(times), most) for index, row in enumerate(times)] if most else [],
            "axis": [times[0].label, times[len(times) // 2].label, times[-1].label],
            "most": show_number(most),
            "times": [row for row in times if row.group.count],
            "headings": self.headings(labels),
            "span": Spark(window, []).span,
        }


@require_safe
@in_chosen_zone
def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the requests of the time that the URL asks for."""
    return answer(request, context, RequestsForm(request.GET))
