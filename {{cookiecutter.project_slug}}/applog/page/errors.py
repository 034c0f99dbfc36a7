"""The page of errors, by their kind. applog.page.admin checks the permission first."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from applog.conf import project_folder
from applog.page.answers import READ_SECONDS, ROWS, AnswerForm, Spark, answer
from applog.page.fields import in_chosen_zone
from applog.page.filters import Choice, chips
from applog.page.rows import class_of, request_link, shown
from applog.reading.errors import KINDS, ORDERS, ErrorGroup, Errors
from applog.reading.measures import Distinct
from applog.reading.pages import Position, position_after
from applog.reading.query import Query
from applog.text import now, show_minute, show_number


@dataclass
class ErrorRow:
    """A kind of errors as the page shows it. Its text is escaped, so that it cannot hide or reorder anything."""

    group: ErrorGroup
    form: "ErrorsForm"
    spark: Spark
    is_new: bool

    @property
    def level(self) -> str:
        """The level as a CSS class."""
        return class_of(self.group.level)

    @property
    def exception(self) -> str:
        """The type of the exception; of other errors the level."""
        return shown(self.group.kind.exception or self.group.level or "-")

    @property
    def message(self) -> str:
        """What happened."""
        return shown(self.group.said)

    @property
    def place(self) -> str:
        """Where: the line of the project's code, or the logger."""
        return shown(str(self.group.kind.frame or self.group.logger))

    @property
    def count(self) -> str:
        """How many records there are."""
        return show_number(self.group.count)

    @property
    def requests(self) -> str:
        """How many requests."""
        return self._number(self.group.requests)

    @property
    def users(self) -> str:
        """How many users."""
        return self._number(self.group.users)

    def _number(self, found: Distinct) -> str:
        number = min(found.number, self.group.count)
        return f"{'' if found.is_exact else '≈ '}{show_number(number)}" if number else ""

    @property
    def first(self) -> str:
        """When it was seen first."""
        return show_minute(self.group.first)

    @property
    def last(self) -> str:
        """When it was seen last."""
        return show_minute(self.group.last)

    @property
    def records_link(self) -> str:
        """The address of its records."""
        return self.form.records_link(error=self.group.kind.id)

    @property
    def request_link(self) -> str:
        """The address of all records of its last request, or ""."""
        return request_link(self.form.record_link, self.group.request_id)

    @property
    def context_link(self) -> str:
        """The address of its last record among its neighbours."""
        group = self.group
        end = position_after(group.log, group.cursor, group.size)
        return self.form.record_link(log=group.log, around=str(end)) + "#log-marked"


class ErrorsForm(AnswerForm):
    """The filters of the page."""

    name, orders = "errors", ORDERS
    default_since = "7d"
    shared = (*AnswerForm.shared, "level", "text", "kind", "request", "logger", "field", "own")
    spans = (
        ("24h", gettext_lazy("24 hours")),
        ("7d", gettext_lazy("7 days")),
        ("30d", gettext_lazy("30 days")),
        ("365d", gettext_lazy("1 year")),
    )

    @cached_property
    def query(self) -> Query:
        """The query of the filters. Raises ValueError if it cannot be used."""
        return replace(super().query, errors=not self.cleaned_data["level"], since=self.begin)

    @property
    def groups(self) -> list[tuple[str, list[Choice]]]:
        """The groups of filters, each of which is one click."""
        given = self.values.get("level", "")
        names = {"": _("errors"), "WARNING": _("warnings too"), "CRITICAL": "CRITICAL"}
        levels = [Choice(label, self.link(level=value), value == given) for value, label in names.items()]
        return [*super().groups, (_("Level"), levels)]

    def start(self, position: Position | None) -> Errors:
        """Return where counting begins."""
        return Errors(self.window, project_folder(), position)

    def count(self, found: Errors) -> None:
        """Count for as long as a page may. Raises SlowPatternError."""
        found.read(self.chosen, self.query, READ_SECONDS)

    def describe(self, found: Errors) -> dict[str, Any]:
        """Return what the page shows of what was counted."""
        groups, since = found.ordered(self.order), found.new_since(self.chosen, now())
        labels = {
            "count": _("Records"),
            "requests": _("Requests"),
            "users": _("Users"),
            "first": _("First seen"),
            "last": _("Last seen"),
        }
        rows = [ErrorRow(group, self, Spark(found.window, group.bars), group.is_new(since)) for group in groups[:ROWS]]
        number = sum(group.count for group in groups) + found.others
        return {
            "rows": rows,
            "chips": list(chips(self)),
            "headings": self.headings(labels),
            "total": ngettext("%(number)s record", "%(number)s records", number) % {"number": show_number(number)},
            "of_kinds": ngettext("of one kind", "of %(number)s kinds", len(groups))
            % {"number": show_number(len(groups))},
            "not_shown": show_number(len(groups) - ROWS) if len(groups) > ROWS else "",
            "others": show_number(found.others) if found.others else "",
            "most_kinds": show_number(2 * KINDS),
            "knows_new": since is not None,
        }


@require_safe
@in_chosen_zone
def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the errors that the URL asks for."""
    return answer(request, context, ErrorsForm(request.GET))
