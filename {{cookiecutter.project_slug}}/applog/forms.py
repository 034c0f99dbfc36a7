"""What the address of the log's page asks for."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from applog.context import WELL_FORMED
from applog.moments import parse_moment
from applog.project_logs import ProjectLog, project_logs
from applog.reader import Position
from applog.search import LEVELS, PATTERN_CHARACTERS, Filter
from applog.terminal import printable

FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # with room for any offset
POSITION_CHARACTERS = 1000
PLACES = {"before", "after"}


class MomentField(forms.CharField):
    """A time: absolute, or an age such as 2h."""

    def clean(self, value: Any) -> Any:
        """Return the aware time, or None."""
        if not (text := super().clean(value)):
            return None
        try:
            moment = parse_moment(text)
        except ArgumentTypeError as error:
            raise ValidationError(str(error)) from None
        if not FIRST <= moment < LAST:
            message = "Choose a time between 1970 and 9000."
            raise ValidationError(message)
        return moment


class PositionField(forms.CharField):
    """A place in the logs, as this page writes it into its links."""

    def clean(self, value: Any) -> Any:
        """Return the position, or None."""
        try:
            position = Position.parse(super().clean(value))
        except ValueError:
            message = "This is no place in the logs; follow the links of the page."
            raise ValidationError(message) from None
        return position or None


class LogForm(forms.Form):
    """The filters, and the place in the logs. Nothing in it names a file: logs are chosen by name from LOGGING."""

    log = forms.ChoiceField(required=False)
    level = forms.ChoiceField(required=False, choices=[("", ""), *((level, level) for level in LEVELS)])
    text = forms.CharField(required=False, strip=False, max_length=PATTERN_CHARACTERS)
    kind = forms.ChoiceField(
        required=False,
        choices=[("", "Text"), ("pattern", "Regular expression")],
        widget=forms.Select({"aria-label": "What is searched for"}),
    )
    request = forms.RegexField(
        rf"^{WELL_FORMED.pattern}\Z",
        label="Request id",
        required=False,
        error_messages={"invalid": "A request id consists of 1 to 128 letters, digits, dots, hyphens and underscores."},
    )
    logger = forms.RegexField(r"^\S+\Z", required=False, max_length=200, error_messages={"invalid": "Type one name."})
    since = MomentField(label="From", required=False, max_length=40)
    until = MomentField(label="To", required=False, max_length=40)
    before = PositionField(required=False, max_length=POSITION_CHARACTERS)
    after = PositionField(required=False, max_length=POSITION_CHARACTERS)
    live = forms.ChoiceField(required=False, choices=[("", ""), ("1", "")])

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.logs = project_logs()
        self.first = next(iter(self.logs), "")
        self.fields["log"].choices = [(name, name) for name in (*self.logs, "all")]  # type: ignore[attr-defined]
        for name in ("request", "logger", "since", "until"):
            # They stand beside the records, outside of the form.
            self.fields[name].widget.attrs |= {"form": "changelist-search", "autocomplete": "off"}
        for name in ("since", "until"):
            self.fields[name].widget.attrs["placeholder"] = "2h or 2026-11-24 05:30"

    def clean(self) -> dict[str, Any]:
        """Refuse what the fields cannot know of: other parameters, and filters that the reader refuses."""
        data: QueryDict = self.data  # type: ignore[assignment]
        for name, values in data.lists():
            if name not in self.fields or len(values) > 1:
                message = "The address holds a parameter that this page does not know, or one twice."
                raise ValidationError(message)
        if self.errors:
            return self.cleaned_data
        places = [self.cleaned_data[name] for name in PLACES if self.cleaned_data[name]]
        if len(places) > 1 or any(place.keys() - {log.name for log in self.chosen} for place in places):
            message = "This place in the logs does not fit the other filters."
            raise ValidationError(message)
        try:
            self.matching  # noqa: B018  built now, to be refused now
        except ValueError as error:
            raise ValidationError(printable(str(error))) from None
        return self.cleaned_data

    @cached_property
    def chosen(self) -> list[ProjectLog]:
        """The logs to read."""
        name = self.cleaned_data["log"] or self.first
        return [log for log in self.logs.values() if name in {log.name, "all"}]

    @cached_property
    def matching(self) -> Filter:
        """The filter for the reader. Raises ValueError when it cannot be used."""
        data = self.cleaned_data
        return Filter(
            level=data["level"],
            logger=data["logger"],
            request_id=data["request"],
            since=data["since"],
            until=data["until"],
            **{data["kind"] or "text": data["text"]},
        )

    @property
    def sentence(self) -> str:
        """What is wrong, in one sentence."""
        for name, errors in self.errors.get_json_data().items():
            label = "" if name == "__all__" else f"{self[name].label}: "
            return f"{label}{errors[0]['message']}"
        return ""

    @property
    def values(self) -> dict[str, str]:
        """What was given, without what is empty or the default."""
        given = {name: value for name, value in self.data.items() if value and name in self.fields}
        if given.get("log") == self.first:
            del given["log"]
        return given

    def link(self, **changes: str) -> str:
        """Return the query for other values; a place holds for the same filters only, and live mode has no place."""
        left_out = {*PLACES, "live"} if changes.keys() & PLACES else PLACES
        values = {name: value for name, value in self.values.items() if name not in left_out} | changes
        if values.get("log") == self.first:
            del values["log"]
        return "?" + urlencode({name: value for name, value in values.items() if value})

    @property
    def description(self) -> str:
        """What is asked for, in words for the security log."""
        names = " and ".join(log.name for log in self.chosen)
        return ", ".join([names, *(f"{name}={value!r}" for name, value in self.values.items() if name != "log")])
