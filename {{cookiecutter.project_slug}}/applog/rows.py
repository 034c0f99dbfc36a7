"""Records as rows of the log's page: text that cannot hide or reorder anything, and links."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent

from django.utils import timezone

from applog.reader import Position
from applog.records import Record
from applog.search import LEVELS
from applog.terminal import printable, show_cut

MESSAGE_CHARACTERS = 500  # of a message in the table; the whole of a longer one is folded


@dataclass
class Row:
    """A record, and the function that makes a query of filters."""

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
        """The name of the level's colour."""
        return self.record.level.lower() if self.record.level in LEVELS else "other"

    @property
    def level(self) -> str:
        """The level."""
        return printable(self.record.level)

    @property
    def logger(self) -> str:
        """The logger."""
        return printable(self.record.logger)

    @property
    def request_id(self) -> str:
        """The request's id."""
        return printable(self.record.request_id)

    @property
    def message(self) -> str:
        """The message, or its beginning."""
        text = printable(self.record.message)
        return text if len(text) <= MESSAGE_CHARACTERS else f"{text[:MESSAGE_CHARACTERS]}…"

    @property
    def whole_message(self) -> str:
        """The message, if it is longer than what `message` shows."""
        text = printable(self.record.message)
        return text if len(text) > MESSAGE_CHARACTERS else ""

    @property
    def lines(self) -> str:
        """The lines below the first one, mostly a traceback."""
        return dedent("\n".join(printable(line) for line in self.record.lines))

    @property
    def cut(self) -> str:
        """What is said of a record that is not shown to its end."""
        return show_cut(self.record)

    @property
    def summary(self) -> str:
        """What the folded part is about: a traceback's last line."""
        last = next((line.strip() for line in reversed(self.record.lines) if line.strip()), "")
        count = len(self.record.lines)
        if last:
            return f"{printable(last)[:MESSAGE_CHARACTERS]} ({count} line{'s' * (count != 1)})"
        return "Details" if self.whole_message or self.fields or self.cut else ""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The further fields of a JSON record."""
        return [
            (printable(name), printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
            for name, value in self.record.fields.items()
            if name != "exception.stacktrace"
        ]

    @property
    def own_link(self) -> str:
        """The query for this record and what came before it."""
        cursor = self.record.cursor
        end = cursor._replace(offset=cursor.offset + self.record.size)
        return self.link(log=self.record.log, before=str(Position({self.record.log: end})))

    @property
    def logger_link(self) -> str:
        """The query for the records of the logger."""
        return self.link(log=self.record.log, logger=self.record.logger)

    @property
    def request_link(self) -> str:
        """The query for all records of the request, whichever log they are in."""
        return self.link(log="all", request=self.record.request_id)
