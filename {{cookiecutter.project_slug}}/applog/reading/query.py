"""Which records of a log are asked for."""

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from applog.reading.formats import level_forms
from applog.reading.record import Record
from applog.reading.search import Pattern, Pieces, Search, Text

LEVELS = "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"
SECURITY, READ = "applog.security", "sensitive_read"  # the logger and the event of reading the log
PATTERN_CHARACTERS = 500  # of a regular expression
BLOCK_BYTES = 1 << 20
PATTERN_BLOCK_BYTES = 1 << 16  # where a regular expression is tried on each line


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a record must have to be found. Empty values match every record.

    Attributes:
        level: a level's name; records of this level and above. Names given to `logging.addLevelName` are known, too.
        text: a text anywhere in the record, its traceback included; case is ignored.
        pattern: a regular expression in the syntax of `regex`, that matches within one line of the record.
        logger: a logger's name; records of this logger and those below it.
        request_id: the whole id.
        since, until: aware times; a record made at `since` is found, one made at `until` is not. Records without a time
            are not found then.
        leave_out_reads: leave out what the security log has of reading the log, which names what was searched for.

    Raises ValueError, with a sentence for people, when a value cannot be used.

    """

    level: str = ""
    text: str = ""
    pattern: str = ""
    logger: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    leave_out_reads: bool = False

    def __post_init__(self) -> None:
        """Refuse a value that cannot be used."""
        message = ""
        if self.level and self.level not in logging.getLevelNamesMapping():
            message = f"{self.level} is not a level; the levels are DEBUG, INFO, WARNING, ERROR and CRITICAL."
        if len(self.pattern) > PATTERN_CHARACTERS:
            message = f"The regular expression is longer than {PATTERN_CHARACTERS} characters."
        if re.search("[\ud800-\udfff]", self.text + self.pattern + self.logger + self.request_id):
            message = "What you search for has to be text that can be encoded as UTF-8."
        if not all(time.tzinfo for time in (self.since, self.until) if time):
            message = "A time needs a time zone."
        if message:
            raise ValueError(message)
        if self.pattern:
            self._pattern  # noqa: B018  compiled here, so that a bad one is refused here

    @cached_property
    def block_bytes(self) -> int:
        """The largest number of bytes to search at a time."""
        return PATTERN_BLOCK_BYTES if self.pattern and not self._pattern.required else BLOCK_BYTES

    @cached_property
    def levels(self) -> frozenset[str]:
        """The names of the levels that match; empty if all do."""
        numbers = logging.getLevelNamesMapping()
        lowest = numbers.get(self.level, 0)
        return frozenset(name for name, number in numbers.items() if number >= lowest) if self.level else frozenset()

    @cached_property
    def searches(self) -> tuple[Search, ...]:
        """Searches in bytes. Every matching record has a hit of each; a record that has them need not match."""
        found: list[Search] = []
        if self.levels:
            found.append(Pieces(*(form for name in sorted(self.levels) for form in level_forms(name))))
        if self.logger:
            found.append(Pieces(f" {self.logger} ", f" {self.logger}.", f'"{self.logger}"', f'"{self.logger}.'))
        if self.request_id:
            found.append(Pieces(f"[{self.request_id}]", f'"{self.request_id}"'))
        if self.text:
            found.append(self._text)
        if self.pattern:
            found.append(self._pattern)
        return tuple(found)

    @cached_property
    def _text(self) -> Text:
        return Text(self.text)

    @cached_property
    def _pattern(self) -> Pattern:
        return Pattern(self.pattern)

    @property
    def needs_records(self) -> bool:
        """Tell whether more than a record's time and level is asked for."""
        return bool(self.text or self.pattern or self.logger or self.request_id)

    def matches(self, record: Record) -> bool:
        """Tell whether a record matches in which each of `searches` has a hit.

        Only the first RECORD_BYTES bytes of a record are checked, unless a single text or pattern is the only
        condition. Raises SlowPatternError.
        """
        return (
            not (self.leave_out_reads and record.logger == SECURITY and record.message.startswith(READ))
            and (not self.levels or record.level in self.levels)
            and (not self.logger or f"{record.logger}.".startswith(f"{self.logger}."))
            and (not self.request_id or record.request_id == self.request_id)
            and (not self.since or bool(record.time and record.time >= self.since))
            and (not self.until or bool(record.time and record.time < self.until))
            and (self._is_found_by_search or self._has_text(record))
        )

    @cached_property
    def _is_found_by_search(self) -> bool:
        """Whether the one search there is has already looked at the whole record, so that its hit is a match."""
        return len(self.searches) == 1 and self.searches[0].exact

    def _has_text(self, record: Record) -> bool:
        data = record.raw.encode()
        return (not self.text or self._text.is_in(data)) and (not self.pattern or self._pattern.is_in(data))


EVERY_RECORD = Query()
