"""Records as rows of the log's page. Their text is escaped, so that it cannot hide or reorder anything."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent

from django.utils import timezone

from applog.reading.pages import Position
from applog.reading.query import LEVELS
from applog.reading.record import Record
from applog.text import isolate, printable, show_cut

MESSAGE_CHARACTERS = 500  # shown of a message; a longer one is shown whole when the row is opened


def shown(text: str) -> str:
    """Return `text` as the page shows it."""
    return isolate(printable(text))


@dataclass
class Row:
    """A record, and a function that returns the query string of filters."""

    record: Record
    link: Callable[..., str]

    @property
    def day(self) -> str:
        """The record's day, in the project's time zone."""
        return f"{timezone.localtime(self.record.time):%Y-%m-%d}" if self.record.time else ""

    @property
    def clock(self) -> str:
        """Its time of day."""
        time = self.record.time
        return timezone.localtime(time).time().isoformat(timespec="milliseconds") if time else "no time"

    @property
    def kind(self) -> str:
        """The level as a CSS class."""
        return self.record.level.lower() if self.record.level in LEVELS else "other"

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
        text = printable(self.record.message)
        return isolate(text if len(text) <= MESSAGE_CHARACTERS else f"{text[:MESSAGE_CHARACTERS]}…")

    @property
    def whole_message(self) -> str:
        """The whole message if it is longer than `message`, otherwise ""."""
        text = printable(self.record.message)
        return isolate(text) if len(text) > MESSAGE_CHARACTERS else ""

    @property
    def lines(self) -> str:
        """The lines below the first, usually a traceback."""
        return dedent("\n".join(shown(line) for line in self.record.lines))

    @property
    def cut(self) -> str:
        """The notice for a record that is not shown in full, "" for all others."""
        return show_cut(self.record.size) if self.record.truncated else ""

    @property
    def summary(self) -> str:
        """The title of what the row opens: a traceback's last line; "" if there is nothing to open."""
        last = next((line.strip() for line in reversed(self.record.lines) if line.strip()), "")
        count = len(self.record.lines)
        if last:
            return f"{isolate(printable(last)[:MESSAGE_CHARACTERS])} ({count} line{'s' * (count != 1)})"
        return "Details" if self.whole_message or self.fields or self.cut else ""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The further fields of a JSON record."""
        return [
            (shown(name), shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
            for name, value in self.record.fields.items()
            if name != "exception.stacktrace"
        ]

    @property
    def own_link(self) -> str:
        """The query string for this record and the ones before it."""
        cursor = self.record.cursor
        end = cursor._replace(offset=cursor.offset + self.record.size)
        return self.link(log=self.record.log, before=str(Position({self.record.log: end})))

    @property
    def logger_link(self) -> str:
        """The query string for the records of the logger."""
        return self.link(log=self.record.log, logger=self.record.logger)

    @property
    def request_link(self) -> str:
        """The query string for all records of the request, in all logs."""
        return self.link(log="all", request=self.record.request_id)
