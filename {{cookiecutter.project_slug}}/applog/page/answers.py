"""What the pages of errors and of requests share: their form, what is kept between two of them, and small charts."""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from applog import security
from applog.page.filters import Choice
from applog.page.forms import LogForm
from applog.page.places import answer_form
from applog.reading.errors import Errors, reached
from applog.reading.measures import Window
from applog.reading.pages import Position
from applog.reading.requests import Requests
from applog.text import now, parse_time, show_minute, show_number, show_share

READ_SECONDS = 1.0
ROWS = 100  # on a page
KEPT, KEPT_SECONDS = 4, 600.0  # pages whose numbers wait for more, in each process
HEIGHT = 20  # of a small chart
Found = Errors | Requests

_kept: OrderedDict[str, tuple[float, str, Found]] = OrderedDict()
_lock = threading.Lock()


class AnswerForm(LogForm):
    """A page: its filters, the order of its rows, what the pages before it have counted, and how it counts."""

    name = ""
    orders: tuple[str, ...] = ()
    default_since = ""  # an age
    spans: tuple[tuple[str, Any], ...] = ()
    left_out: tuple[str, ...] = ("error", "after", "around", "live")
    shared: tuple[str, ...] = ("log", "until", "zone")  # filters that the records of a row have, too

    sort = forms.CharField(required=False, max_length=20)
    kept = forms.CharField(required=False, max_length=50)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        for name in self.left_out:
            del self.fields[name]
        self.fields["sort"] = forms.ChoiceField(required=False, choices=[(name, name) for name in self.orders])
        self.order = self.orders[0]

    def clean(self) -> dict[str, Any]:
        """Refuse what LogForm refuses, and a time that ends before it begins."""
        data = super().clean()
        if not self.errors:
            self.order = data["sort"] or self.order
            try:
                self.window  # noqa: B018  made here, so that a bad one is refused here
            except ValueError:
                raise forms.ValidationError(gettext_lazy("The time has to begin before it ends.")) from None
        return data

    @cached_property
    def window(self) -> Window:
        """The time that is looked at. Raises ValueError."""
        until: datetime = self.cleaned_data["until"] or now()
        return Window.of(self.begin, until, timezone.get_current_timezone())

    @cached_property
    def begin(self) -> datetime:
        """Where it begins."""
        given: datetime | None = self.cleaned_data["since"]
        return given or parse_time(self.default_since)

    def start(self, position: Position | None) -> Found:
        """Return where counting begins."""
        raise NotImplementedError

    def count(self, found: Any) -> None:
        """Count for as long as a page may. Raises SlowPatternError."""
        raise NotImplementedError

    def describe(self, found: Any) -> dict[str, Any]:
        """Return what the page shows of what was counted."""
        raise NotImplementedError

    def link(self, **changes: str) -> str:
        """Return the query string with other values, and without the position."""
        return super().link(**{"kept": "", **changes})

    def records_link(self, **values: str) -> str:
        """Return the address of records, by the same filters unless `values` say something else."""
        same = {name: self.values.get(name, "") for name in self.shared}
        same["since"] = self.values.get("since", "") or self.default_since
        return "../?" + urlencode({name: value for name, value in {**same, **values}.items() if value})

    def record_link(self, **values: str) -> str:
        """Return the address of records of any time, in the same time zone."""
        zone = self.values.get("zone", "")
        return self.records_link(**{**dict.fromkeys(self.shared, ""), "since": "", "zone": zone, **values})

    @property
    def groups(self) -> list[tuple[str, list[Choice]]]:
        """The groups of filters, each of which is one click."""
        given = self.values.get("since", "") or self.default_since
        until = self.values.get("until", "")
        times = [
            Choice(label, self.link(since=value, until=""), value == given and not until) for value, label in self.spans
        ]
        chosen = self.values.get("log", "")
        logs = [Choice(name, self.link(log=name), name == (chosen or self.first)) for name in self.logs]
        return [(_("Log"), logs), (_("Time"), times)]

    def headings(self, labels: dict[str, str]) -> dict[str, "Heading"]:
        """Return the headings of columns that the rows can be put in the order of, by the names of the orders."""
        return {name: Heading(label, self.link(sort=name), name == self.order) for name, label in labels.items()}


class Heading(NamedTuple):
    """The heading of a column, and the query string that puts the rows in its order."""

    label: str
    link: str
    selected: bool


@dataclass
class Spark:
    """A small chart of numbers over a window."""

    window: Window
    bars: list[int]

    @property
    def label(self) -> str:
        """The chart in words."""
        most = max(self.bars, default=0)
        if not most:
            return _("none with a time")
        values = {
            "number": show_number(most),
            "time": show_minute(self.window.starts[self.bars.index(most)]),
            "span": self.span,
        }
        return _("at most %(number)s in %(span)s, from %(time)s on") % values

    @property
    def span(self) -> str:
        """The length of a bar."""
        minutes = int(self.window.step.total_seconds()) // 60
        if minutes < 60:  # noqa: PLR2004
            return _("%s min") % minutes
        return _("%s h") % (minutes // 60) if minutes < 1440 else _("%s d") % (minutes // 1440)  # noqa: PLR2004

    @property
    def width(self) -> str:
        """The width of the drawing."""
        return str(4 * len(self.bars))

    @property
    def rects(self) -> list[tuple[str, str, str]]:
        """The x, y and height of each rectangle. Strings, because some languages write numbers with a comma."""
        most = max(self.bars, default=0)
        heights = [1 + round(number / most * (HEIGHT - 1)) if number else 0 for number in self.bars]
        return [(str(4 * i), str(HEIGHT - height), str(height)) for i, height in enumerate(heights) if height]


def keep(owner: str, found: Found) -> str:
    """Keep what was counted for the next page, and return its name."""
    name = secrets.token_urlsafe(12)
    with _lock:
        _kept[name] = time.monotonic(), owner, found
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return name


def take_kept(name: str, owner: str) -> Found | None:
    """Return what was kept under a name for this owner, once and not for long, or None."""
    with _lock:
        kept_at, kept_for, found = _kept.pop(name, (0.0, "", None))
    return found if found and kept_for == owner and time.monotonic() - kept_at < KEPT_SECONDS else None


def owner_of(request: HttpRequest, form: AnswerForm) -> str:
    """Return who looks at what: the user and the filters, but for the order of the rows."""
    return f"{request.user.pk} {request.path} {form.link(sort='')}"


def progress(form: AnswerForm, found: Found, owner: str, *, is_part: bool) -> dict[str, Any]:
    """Return what the page says about how far it got: the time reached, and the link that goes on."""
    begin = show_minute(found.window.begin)
    context: dict[str, Any] = {"begin": begin, "end": show_minute(found.window.end), "is_part": is_part}
    if found.exhausted:
        return context
    position = str(found.position or "")
    moment = reached(form.chosen, found.position)
    left = moment - found.window.begin if moment else timedelta()
    share = 1 - left / (found.window.end - found.window.begin) if moment else 0.0
    context |= {"reached": show_minute(moment), "share": show_share(min(max(share, 0), 1))}
    return context | {
        "keep_looking": form.link(before=position, kept=keep(owner, found), sort=form.values.get("sort", ""))
    }


def answer(request: HttpRequest, context: dict[str, Any], form: AnswerForm) -> HttpResponse:
    """Show what a form asks for."""
    context |= {"form": form, "title": _("Logs"), "tab": form.name, "groups": form.groups}

    def look() -> dict[str, Any]:
        owner, position = owner_of(request, form), form.cleaned_data["before"]
        found = take_kept(form.cleaned_data["kept"], owner) if position else None
        is_part = bool(position and not found)
        found = found or form.start(position)
        form.count(found)
        security.record(logging.INFO, "sensitive_read", f"log page, {form.name}, {form.description}", request)
        return form.describe(found) | progress(form, found, owner, is_part=is_part)

    return answer_form(request, f"applog/{form.name}.html", context, form, look)
