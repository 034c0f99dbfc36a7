"""The form of the log's page: what its URL asks for."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from applog.conf import ProjectLog, project_logs
from applog.context import REQUEST_ID_PATTERN
from applog.reading.pages import Position
from applog.reading.query import LEVELS, PATTERN_CHARACTERS, READ, Query
from applog.text import parse_time, printable, without_isolates

POSITION_CHARACTERS = 1000
POSITIONS = {"before", "after"}


class TimeField(forms.CharField):
    """A time, or an age such as 2h."""

    def clean(self, value: Any) -> Any:
        """Return the aware time, or None if the field is empty."""
        if not (text := super().clean(value)):
            return None
        try:
            return parse_time(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class SearchField(forms.CharField):
    """Text to search for, which may have been copied from the page."""

    def to_python(self, value: Any) -> Any:
        """Return the text as it is in the log."""
        return without_isolates(super().to_python(value) or "")


class PositionField(forms.CharField):
    """A position in the logs, as the links of the page have it."""

    def clean(self, value: Any) -> Any:
        """Return the position, or None if the field is empty."""
        try:
            position = Position.parse(super().clean(value))
        except ValueError:
            message = "This is not a position in the logs; follow the links of the page."
            raise ValidationError(message) from None
        return position or None


class LogForm(forms.Form):
    """The filters, and the position in the logs.

    A log is chosen by its name in `project_logs`. Nothing in the form is used as the path of a file.
    """

    log = forms.ChoiceField(required=False)
    level = forms.ChoiceField(required=False, choices=[("", ""), *((level, level) for level in LEVELS)])
    text = SearchField(required=False, strip=False, max_length=PATTERN_CHARACTERS)
    kind = forms.ChoiceField(
        required=False,
        choices=[("", "Text"), ("pattern", "Regular expression")],
        widget=forms.Select({"aria-label": "Kind of search"}),
    )
    request = forms.RegexField(
        rf"^{REQUEST_ID_PATTERN.pattern}\Z",
        label="Request id",
        required=False,
        error_messages={"invalid": "A request id has up to 128 letters, digits, dots, hyphens and underscores."},
    )
    logger = forms.RegexField(r"^\S+\Z", required=False, max_length=200, error_messages={"invalid": "Type one name."})
    since = TimeField(label="From", required=False, max_length=40)
    until = TimeField(label="To", required=False, max_length=40)
    before = PositionField(required=False, max_length=POSITION_CHARACTERS)
    after = PositionField(required=False, max_length=POSITION_CHARACTERS)
    live = forms.ChoiceField(required=False, choices=[("", ""), ("1", "")])

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.logs = project_logs()
        self.first = next(iter(self.logs), "")
        self.fields["log"].choices = [(name, name) for name in (*self.logs, "all")]  # type: ignore[attr-defined]
        for name in ("request", "logger", "since", "until"):
            # These fields are beside the records, outside of the form.
            self.fields[name].widget.attrs |= {"form": "changelist-search", "autocomplete": "off"}
        for name in ("since", "until"):
            self.fields[name].widget.attrs["placeholder"] = "2h or 2026-11-24 05:30"

    def clean(self) -> dict[str, Any]:
        """Refuse unknown parameters, a position of another log, and a query that cannot be used."""
        data: QueryDict = self.data  # type: ignore[assignment]
        for name, values in data.lists():
            if name not in self.fields or len(values) > 1:
                message = "The address has a parameter that this page does not know, or has one twice."
                raise ValidationError(message)
        if self.errors:
            return self.cleaned_data
        positions = [self.cleaned_data[name] for name in POSITIONS if self.cleaned_data[name]]
        if len(positions) > 1 or any(position.keys() - {log.name for log in self.chosen} for position in positions):
            message = "This position in the logs does not match the other filters."
            raise ValidationError(message)
        try:
            self.query  # noqa: B018  made here, so that a bad one is refused here
        except ValueError as error:
            raise ValidationError(printable(str(error))) from None
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
        return Query(
            level=data["level"],
            logger=data["logger"],
            request_id=data["request"],
            since=data["since"],
            until=data["until"],
            leave_out_reads=bool(data["text"]) and READ not in data["text"],
            **{data["kind"] or "text": data["text"]},
        )

    @property
    def sentence(self) -> str:
        """What is wrong, in one sentence; "" if nothing is."""
        for name, errors in self.errors.get_json_data().items():
            label = "" if name == "__all__" else f"{self[name].label}: "
            return f"{label}{errors[0]['message']}"
        return ""

    @property
    def values(self) -> dict[str, str]:
        """The values of the URL that are neither empty nor the default."""
        given = {name: value for name, value in self.data.items() if value and name in self.fields}
        if given.get("log") == self.first:
            del given["log"]
        return given

    def link(self, **changes: str) -> str:
        """Return the query string with other values.

        Changing a filter drops the position; changing the position turns live mode off.
        """
        left_out = {*POSITIONS, "live"} if changes.keys() & POSITIONS else POSITIONS
        values = {name: value for name, value in self.values.items() if name not in left_out} | changes
        if values.get("log") == self.first:
            del values["log"]
        return "?" + urlencode({name: value for name, value in values.items() if value})

    @property
    def description(self) -> str:
        """What is asked for, as text for the security log."""
        names = " and ".join(log.name for log in self.chosen)
        return ", ".join([names, *(f"{name}={value!r}" for name, value in self.values.items() if name != "log")])
