"""What can be typed into the form of the log's page: searches, times, fields, time zones, positions."""

import logging
import re
import shlex
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from applog.reading.pages import Position
from applog.text import parse_time, without_isolates

LEFT_OUT = re.compile(r'(?<!\S)-(?:"([^"]+)"|(?!")(\S+))')  # a word, or words in quotes, of a search

View = Callable[[HttpRequest, dict[str, Any]], HttpResponse]
Words = tuple[str, tuple[str, ...]]


def find_zone(name: str | None) -> ZoneInfo | None:
    """Return the time zone of a name, or None."""
    # Names as the database has them only: they are parts of paths.
    if name and re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", name):
        with suppress(ValueError, LookupError, OSError):
            return ZoneInfo(name)
    return None


def in_zone(name: str | None) -> AbstractContextManager[Any]:
    """Show and read times in the time zone of a name, if there is one, instead of the project's."""
    zone = find_zone(name)
    return timezone.override(zone) if zone else nullcontext()


def in_chosen_zone(view: View) -> View:
    """Wrap a page of the log: its times are in the zone that the URL names, and its own request is DEBUG.

    That somebody reads the log is recorded by itself.
    """

    @wraps(view)
    def show(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        request.log_level = logging.DEBUG  # type: ignore[attr-defined]
        with in_zone(request.GET.get("zone")):
            response = view(request, context)
            return response.render() if isinstance(response, TemplateResponse) else response

    return show


def read_words(text: str) -> Words:
    """Return the text to search for, and the texts to leave out: a word after "-", or several in quotes.

    "\\-" stands for a "-" that is searched for.
    """
    without = tuple(found[1] or found[2] for found in LEFT_OUT.finditer(text))
    if without:
        text = re.sub(r"\s+", " ", LEFT_OUT.sub("", text)).strip()
    return re.sub(r"(?<!\S)\\-", "-", text), without


def write_words(text: str, without: Iterable[str]) -> str:
    """Return what has to be typed to search for `text`, and to leave out the texts `without`."""
    words = [re.sub(r"(?<!\S)-", r"\-", text), *(f'-"{word}"' if " " in word else f"-{word}" for word in without)]
    return " ".join(filter(None, words))


def write_fields(pairs: Iterable[tuple[str, str]]) -> str:
    """Return what has to be typed to find records with these names and values of fields."""
    return shlex.join("=".join(pair) for pair in pairs)


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


class FieldsField(forms.CharField):
    """Fields of JSON records, as a shell's words: http.route=/orders "shop.note=two words"."""

    def clean(self, value: Any) -> Any:
        """Return the pairs of names and values."""
        try:
            pairs = [word.partition("=") for word in shlex.split(super().clean(value))]
        except ValueError:  # a quotation that does not end
            pairs = [("", "", "")]
        if not all(name and equals for name, equals, _value in pairs):
            raise ValidationError(_('Write name=value, or "name=two words".'))
        return tuple((name, value) for name, _equals, value in pairs)


class ZoneField(forms.CharField):
    """A time zone's name, such as Europe/Berlin."""

    def clean(self, value: Any) -> Any:
        """Return the time zone, or None if the field is empty."""
        text = super().clean(value)
        zone = find_zone(text)
        if text and not zone:
            raise ValidationError(_("There is no time zone of this name."))
        return zone


class PositionField(forms.CharField):
    """A position in the logs, as the links of the page have it."""

    def clean(self, value: Any) -> Any:
        """Return the position, or None if the field is empty."""
        try:
            position = Position.parse(super().clean(value))
        except ValueError:
            message = _("This is not a position in the logs; follow the links of the page.")
            raise ValidationError(message) from None
        return position or None
