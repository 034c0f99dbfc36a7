"""Records as rows of the log's page. Their text is escaped, so that it cannot hide or reorder anything."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from textwrap import dedent

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from applog.context import REQUEST_ID_PATTERN
from applog.fingerprint import error_line
from applog.page.fields import write_fields
from applog.page.marks import Marker
from applog.reading.pages import position_after
from applog.reading.query import LEVELS, field_text
from applog.reading.record import Record
from applog.text import encodable, isolate, printable, show_cut

MESSAGE_CHARACTERS = 500  # shown of a message; a longer one is shown whole when the row is opened
TYPED_CHARACTERS = 200  # of a field, or a logger's name, up to which it links to the records that have it


def shown(text: str) -> str:
    """Return `text` as the page shows it."""
    return isolate(printable(text))


def can_be_typed(text: str) -> bool:
    """Tell whether a form takes `text`, so that a link may have it."""
    return len(text) <= TYPED_CHARACTERS and "\0" not in text and encodable(text) == text


def request_link(link: Callable[..., str], request_id: str) -> str:
    """Return the query string for all records of a request, in all logs, "" where a form does not take its id."""
    return link(log="all", request=request_id) if REQUEST_ID_PATTERN.fullmatch(request_id) else ""


def class_of(level: str) -> str:
    """Return the CSS class of a level, without what all of them begin with."""
    return level.lower() if level in LEVELS else "other"


@dataclass
class Row:
    """A record, a function that returns the query string of filters, and what marks the hits of a search.

    `is_marked` is for the record whose neighbours are asked for, `heading` for the first one of a day.
    """

    record: Record
    link: Callable[..., str]
    marker: Marker
    is_marked: bool = False
    heading: str = ""

    @cached_property
    def day(self) -> str:
        """The record's day, in the current time zone."""
        return f"{timezone.localtime(self.record.time):%Y-%m-%d}" if self.record.time else ""

    @property
    def weekday(self) -> str:
        """Its day of the week."""
        return date_format(timezone.localtime(self.record.time), "l") if self.record.time else ""

    @property
    def clock(self) -> str:
        """Its time of day."""
        time = self.record.time
        return timezone.localtime(time).time().isoformat(timespec="milliseconds") if time else _("no time")

    @property
    def kind(self) -> str:
        """The level as a CSS class."""
        return class_of(self.record.level)

    @property
    def level(self) -> str:
        """The level."""
        return shown(self.record.level)

    @property
    def logger(self) -> str:
        """The logger."""
        return shown(self.record.logger)

    @property
    def request_id(self) -> str:
        """The request's id."""
        return shown(self.record.request_id)

    @property
    def message(self) -> str:
        """The message, or its beginning."""
        text = self.record.message
        return self.marker.mark(text if not self.is_long else f"{text[:MESSAGE_CHARACTERS]}…")

    @property
    def is_long(self) -> bool:
        """Tell whether `message` is only the beginning."""
        return len(self.record.message) > MESSAGE_CHARACTERS

    @property
    def whole_message(self) -> str:
        """The message with its line ends, if it has several lines or is longer than `message`, otherwise ""."""
        text = self.record.message
        return self._mark_lines(text.split("\n"), is_counted=False) if self.is_long or "\n" in text else ""

    @cached_property
    def lines(self) -> str:
        """The lines below the first, usually a traceback."""
        return self._mark_lines(dedent("\n".join(map(printable, self.record.lines))).split("\n"), is_counted=True)

    def _mark_lines(self, lines: list[str], *, is_counted: bool) -> str:
        return format_html_join("\n", "{}", ((self.marker.mark(line, is_counted=is_counted),) for line in lines))

    @property
    def cut(self) -> str:
        """The notice for a record that is not shown in full, "" for all others."""
        return show_cut(self.record.size) if self.record.truncated else ""

    @property
    def summary(self) -> str:
        """What the message does not say: a traceback's exception, or the last line; "" if there are no lines."""
        lines = self.record.lines
        last = error_line("\n".join(lines)) or next((line.strip() for line in reversed(lines) if line.strip()), "")
        return self.marker.mark(last[:MESSAGE_CHARACTERS], is_counted=False) if last else ""

    @property
    def length(self) -> str:
        """How many lines there are below the first."""
        count = len(self.record.lines)
        return ngettext("%(count)s line", "%(count)s lines", count) % {"count": count}

    @property
    def fields(self) -> Iterator[tuple[str, str, str]]:
        """The further fields of a JSON record: name, value, and the query string for records that have it."""
        for name, value in self.record.fields.items():
            if name != "exception.stacktrace":
                text = field_text(value)
                written = write_fields([(name, text)])
                is_linked = can_be_typed(written) and "=" not in name
                link = self.link(log=self.record.log, field=written) if is_linked else ""
                yield shown(name), self.marker.mark(text), link

    @property
    def context_link(self) -> str:
        """The query string for this record and its neighbours."""
        record = self.record
        return self.link(log=record.log, around=str(position_after(record.log, record.cursor, record.size)))

    @property
    def logger_link(self) -> str:
        """The query string for the records of the logger, "" for a name that cannot be typed as that of one."""
        name = self.record.logger
        is_linked = can_be_typed(name) and re.fullmatch(r"[^\s,-][^\s,]*", name)
        return self.link(log=self.record.log, logger=name) if is_linked else ""

    @property
    def request_link(self) -> str:
        """The query string for all records of the request, or ""."""
        return request_link(self.link, self.record.request_id)
