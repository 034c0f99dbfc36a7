"""The form of the log's page: what its URL asks for."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from applog.conf import ProjectLog, project_folder, project_logs
from applog.context import REQUEST_ID_PATTERN
from applog.fingerprint import ID_PATTERN
from applog.page.fields import FieldsField, PositionField, SearchField, TimeField, Words, ZoneField, read_words
from applog.reading.query import PATTERN_CHARACTERS, READ, Query
from applog.reading.search import WrongSearchError
from applog.text import printable

POSITION_CHARACTERS = 3000
KEPT = {"log", "level", "error", "zone", "own", "live"}
POSITIONS = {"before", "after", "around"}


def without_live(values: dict[str, str]) -> dict[str, str]:
    """Return the values of an address without live mode, where it would do nothing: with a position, or an end."""
    ends = any(values.get(name) for name in (*POSITIONS, "until"))
    return {name: value for name, value in values.items() if name != "live"} if ends else values


class LogForm(forms.Form):
    """The filters, and the position in the logs.

    A log is chosen by its name in `project_logs`. Nothing in the form is used as the path of a file.
    """

    log = forms.ChoiceField(label=_("Log"), required=False)
    level = forms.CharField(label=_("Level"), required=False, max_length=200)
    text = SearchField(label=_("Search"), required=False, strip=False, max_length=PATTERN_CHARACTERS)
    kind = forms.ChoiceField(
        label=_("Kind of search"),
        required=False,
        choices=[("", _("Text")), ("pattern", _("Regular expression"))],
        widget=forms.Select({"aria-label": _("Kind of search")}),
    )
    request = forms.RegexField(
        rf"^{REQUEST_ID_PATTERN.pattern}\Z",
        label=_("Request id"),
        required=False,
        error_messages={"invalid": _("A request id has up to 128 letters, digits, dots, hyphens and underscores.")},
    )
    logger = forms.RegexField(
        r"^\S+\Z",
        label=_("Logger"),
        required=False,
        max_length=200,
        error_messages={"invalid": _("Type names, with commas between them and no blanks.")},
        widget=forms.TextInput({"placeholder": _("shop or -shop.noise")}),
    )
    since = TimeField(label=_("From"), required=False, max_length=40)
    until = TimeField(label=_("To"), required=False, max_length=40)
    field = FieldsField(
        label=_("Fields"),
        required=False,
        max_length=500,
        widget=forms.TextInput({"placeholder": "http.route=/orders"}),
    )
    error = forms.RegexField(
        rf"^{ID_PATTERN}\Z",
        label=_("Error"),
        required=False,
        error_messages={"invalid": _("This is not the id of an error; follow the links of the page.")},
    )
    zone = ZoneField(label=_("Time zone"), required=False, max_length=100)
    own = forms.ChoiceField(required=False, choices=[("", ""), ("1", "")])
    before = PositionField(required=False, max_length=POSITION_CHARACTERS)
    after = PositionField(required=False, max_length=POSITION_CHARACTERS)
    around = PositionField(required=False, max_length=POSITION_CHARACTERS)
    live = forms.ChoiceField(required=False, choices=[("", ""), ("1", "")])

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.logs = project_logs()
        for log in self.logs.values():
            log.lists_once = True  # for one request
        self.first = next(iter(self.logs), "")
        self.fields["log"].choices = [(name, name) for name in (*self.logs, "all")]  # type: ignore[attr-defined]
        for field in self.more_fields:
            field.field.widget.attrs["autocomplete"] = "off"
        for name in ("since", "until"):
            self.fields[name].widget.attrs["placeholder"] = "2h, 2026-11-24 05:30"

    @property
    def more_fields(self) -> list[forms.BoundField]:
        """The fields that are folded away until they are needed."""
        return [self[name] for name in ("logger", "request", "since", "until", "field")]

    @property
    def kept_values(self) -> dict[str, str]:
        """What a new search keeps, though it has no field of its own to type into."""
        return {name: value for name, value in self.values.items() if name in KEPT}

    def clean(self) -> dict[str, Any]:
        """Refuse unknown parameters, a position of another log, and a query that cannot be used."""
        data: QueryDict = self.data  # type: ignore[assignment]
        for name, values in data.lists():
            if name not in self.fields or len(values) > 1:
                message = _("The address has a parameter that this page does not know, or has one twice.")
                raise ValidationError(message)
        if self.errors:
            return self.cleaned_data
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and since >= until:
            raise ValidationError(_("The time has to begin before it ends."))
        positions = [self.cleaned_data[name] for name in POSITIONS if self.cleaned_data.get(name)]
        # The form of the page in live mode, which has empty fields as well, may be sent with an end: live mode is over.
        if self.cleaned_data.get("live") and (until or positions) and "" not in data.values():
            raise ValidationError(_("Live mode shows what is added: leave out the end of the time and the position."))
        if len(positions) > 1 or any(position.keys() - {log.name for log in self.chosen} for position in positions):
            message = _("This position in the logs does not match the other filters.")
            raise ValidationError(message)
        try:
            self.query  # noqa: B018  made here, so that a bad one is refused here
        except WrongSearchError as error:
            sentence = gettext(error.sentence).replace("%s", error.value)
            raise ValidationError(printable(sentence)) from None
        return self.cleaned_data

    @cached_property
    def chosen(self) -> list[ProjectLog]:
        """The logs to read."""
        name = self.cleaned_data["log"] or self.first
        return [log for log in self.logs.values() if name in {log.name, "all"}]

    @cached_property
    def query(self) -> Query:
        """The query of the filters. Raises ValueError if it cannot be used."""
        data = self.cleaned_data
        text, without = self.words
        return Query(
            level=data["level"],
            logger=data["logger"],
            request_id=data["request"],
            since=data["since"],
            until=data["until"],
            fields=data["field"],
            without=without,
            leave_out_reads=self.leaves_out_reads,
            errors=bool(data.get("error")) and not data["level"],
            kind=data.get("error", ""),
            project=project_folder() if data.get("error") else "",
            text="" if data["kind"] else text,
            pattern=text if data["kind"] else "",
        )

    @cached_property
    def words(self) -> Words:
        """The text to search for, and the texts to leave out. A regular expression is taken as it is."""
        text: str = self.cleaned_data["text"]
        return (text, ()) if self.cleaned_data["kind"] else read_words(text)

    @property
    def leaves_out_reads(self) -> bool:
        """Tell whether records about reading the log are left out: they are not what is looked for in other logs."""
        data = self.cleaned_data
        asks = READ in data["text"] or (data["logger"] or "").startswith("applog") or bool(data["request"])
        return not (data["own"] or asks or [log.name for log in self.chosen] == ["security"])

    @property
    def sentences(self) -> list[str]:
        """What is wrong, each in one sentence; what has no label is named as in the address."""
        return [
            message if name == "__all__" else f"{self.fields[name].label or name}: {message}"
            for name, errors in self.errors.items()
            for message in map(str, errors)
        ]

    @property
    def values(self) -> dict[str, str]:
        """The values of the URL that are neither empty nor the default."""
        given = {name: value for name, value in self.data.items() if value and name in self.fields}
        if given.get("log") == self.first:
            del given["log"]
        return without_live(given)

    def link(self, **changes: str) -> str:
        """Return the query string with other values.

        Changing a filter drops the position; with a position, or an end of the time, live mode is off.
        """
        values = {name: value for name, value in self.values.items() if name not in POSITIONS} | changes
        values = without_live(values)
        if values.get("log") == self.first:
            del values["log"]
        return "?" + urlencode({name: value for name, value in values.items() if value})

    @property
    def tab_query(self) -> str:
        """The query string that the log's other pages share with this one."""
        values = {name: value for name, value in self.values.items() if name in {"log", "zone"} and value != "all"}
        return f"?{urlencode(values)}" if values else ""

    @property
    def description(self) -> str:
        """What is asked for, as text for the security log."""
        names = " and ".join(log.name for log in self.chosen)
        return ", ".join([names, *(f"{name}={value!r}" for name, value in self.values.items() if name != "log")])
