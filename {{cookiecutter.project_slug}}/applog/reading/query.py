"""Which records of a log are asked for."""

import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from applog.fingerprint import REFUSALS, TRACEBACK, fingerprint, split_context
from applog.reading.formats import (
    OWN_FIELDS,
    level_forms,
    level_forms_from,
    level_number,
    logger_forms,
    normal_level,
    split_levels,
)
from applog.reading.record import Record
from applog.reading.search import Pattern, Pieces, Search, Text, WrongSearchError, gettext_noop

LEVELS = "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"
SECURITY, READ = "applog.security", "sensitive_read"  # the logger and the event of reading the log
PATTERN_CHARACTERS = 500  # of a regular expression
BLOCK_BYTES = 1 << 20
PATTERN_BLOCK_BYTES = 1 << 16  # where a regular expression is tried on each line


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a record must have to be found. Empty values match every record.

    Attributes:
        level: a level's name; records of this level and above. "=INFO,ERROR" stands for these levels only, "-INFO" for
            all others. Names given to `logging.addLevelName` are known, too.
        text: a text anywhere in the record, its traceback included; case is ignored.
        without: texts of which none may be in the record.
        pattern: a regular expression in the syntax of `regex`, that matches within one line of the record.
        logger: names of loggers, with commas between them; records of these and those below them. With "-" in front of
            a name, its records are left out.
        request_id: the whole id.
        fields: names and values of fields of a JSON record. Values that are no text are written as JSON.
        since, until: aware times; a record made at `since` is found, one made at `until` is not. Records without a time
            are not found then.
        errors: records of the level ERROR and above, and those of any level that have an exception, but for refusals.
        kind: the beginning of the id of a kind of errors, as applog.fingerprint gives it; `project` is needed, too.
        project: the path of the project's folder.
        leave_out_reads: leave out what the security log has of reading the log, which names what was searched for.

    Raises WrongSearchError when a value cannot be used.

    """

    level: str = ""
    text: str = ""
    without: tuple[str, ...] = ()
    pattern: str = ""
    logger: str = ""
    request_id: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    errors: bool = False
    kind: str = ""
    project: str = ""
    leave_out_reads: bool = False

    def __post_init__(self) -> None:
        """Refuse a value that cannot be used."""
        wrong: list[tuple[str, str]] = []
        for typed in split_levels(self.level)[1] if self.level else ():
            if level_number(normal_level(typed)) < 0:
                sentence = gettext_noop("%s is not a level; the levels are DEBUG, INFO, WARNING, ERROR and CRITICAL.")
                wrong.append((sentence, repr(typed)))
        if self.logger and not all(part.removeprefix("-") for part in self.logger.split(",")):
            wrong.append((gettext_noop("A logger's name is missing; write names with commas between them."), ""))
        if len(self.pattern) > PATTERN_CHARACTERS:
            wrong.append((f"The regular expression is longer than {PATTERN_CHARACTERS} characters.", ""))
        if not all(self.without):
            wrong.append(("The text to leave out is empty.", ""))
        texts = (self.text, self.pattern, self.logger, self.request_id, *self.without, *sum(self.fields, ()))
        if re.search("[\ud800-\udfff]", "".join(texts)):
            wrong.append(("What you search for has to be text that can be encoded as UTF-8.", ""))
        if not all(time.tzinfo for time in (self.since, self.until) if time):
            wrong.append(("A time needs a time zone.", ""))
        if wrong:
            raise WrongSearchError(*wrong[-1])
        if self.pattern:
            self._pattern  # noqa: B018  compiled here, so that a bad one is refused here

    @cached_property
    def block_bytes(self) -> int:
        """The largest number of bytes to search at a time."""
        return PATTERN_BLOCK_BYTES if self.pattern and not self._pattern.required else BLOCK_BYTES

    @cached_property
    def _named_levels(self) -> list[str]:
        return [normal_level(name) for name in split_levels(self.level)[1]]

    def has_level(self, level: str) -> bool:
        """Tell whether records of a level are asked for."""
        if self.level[:1] in {"=", "-"}:
            return (level in self._named_levels) == (self.level[0] == "=")
        return not self.level or level_number(level) >= level_number(self._named_levels[0])

    @cached_property
    def _level_forms(self) -> list[str]:
        """Expressions of which each record of the levels asked for has one; none if all match, or all but some."""
        if not self.level or self.level[0] == "-":
            return []
        if self.level[0] == "=":
            return [form for name in sorted(set(self._named_levels)) for form in level_forms(name)]
        return level_forms_from(level_number(self._named_levels[0]))

    @cached_property
    def loggers(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the loggers to find, none for all, and of those to leave out."""
        names = self.logger.split(",") if self.logger else []
        return tuple(name for name in names if name[0] != "-"), tuple(name[1:] for name in names if name[0] == "-")

    @cached_property
    def searches(self) -> tuple[Search, ...]:
        """Searches in bytes. Every matching record has a hit of each; a record that has them need not match."""
        found: list[Search] = []
        if self._level_forms:
            found.append(Pieces(expressions=self._level_forms))
        if self.errors:
            found.append(Pieces(TRACEBACK, expressions=level_forms_from(logging.ERROR)))
        if self.loggers[0]:
            found.append(Pieces(*logger_forms(self.loggers[0])))
        if self.request_id:
            found.append(Pieces(f"[{self.request_id}]", f'"{self.request_id}"'))
        found += [Pieces(json.dumps(name, ensure_ascii=False), json.dumps(name)) for name, _ in self.fields]
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

    @cached_property
    def unwanted(self) -> tuple[Search, ...]:
        """Searches in bytes. Every record that is left out, whatever its time and level, has a hit of one of them."""
        found: list[Search] = list(self._without)
        if self.loggers[1]:
            found.append(Pieces(*logger_forms(self.loggers[1])))
        if self.leave_out_reads:
            found.append(Pieces(READ))
        return tuple(found)

    @cached_property
    def _without(self) -> tuple[Text, ...]:
        return tuple(map(Text, self.without))

    @property
    def takes_lines(self) -> bool:
        """Tell whether a line in no known format may match: it has no time, level, logger, id, field or traceback."""
        needed = self.since, self.until, self.loggers[0], self.request_id, self.fields, self.errors
        return self.has_level("") and not any(needed)

    @property
    def needs_records(self) -> bool:
        """Tell whether something must be found in the records that is neither a time nor a level."""
        found = self.text, self.pattern, self.loggers[0], self.request_id, self.fields, self.errors, self.kind
        return any(found)

    def matches(self, record: Record) -> bool:
        """Tell whether a record matches in which each of `searches` has a hit.

        Only the first RECORD_BYTES bytes of a record are checked, unless a single text or pattern is the only
        condition. Raises SlowPatternError.
        """
        return (
            self.has_level(record.level)
            and (not self.loggers[0] or _is_below(record.logger, self.loggers[0]))
            and (not self.request_id or record.request_id == self.request_id)
            and all(_field_of(record, name) == value for name, value in self.fields)
            and (not self.since or bool(record.time and record.time >= self.since))
            and (not self.until or bool(record.time and record.time < self.until))
            and not (self.unwanted and self.leaves_out(record))
            and (not self.errors or is_error(record))
            and (not self.kind or self._is_of_kind(record))
            and (self._is_found_by_search or self._has_text(record))
        )

    def _is_of_kind(self, record: Record) -> bool:
        trace = "\n".join(record.lines)
        return fingerprint(record.logger, record.level, record.message, trace, self.project).id.startswith(self.kind)

    def leaves_out(self, record: Record) -> bool:
        """Tell whether a record has what must not be there: a logger, a text, or that it is about reading the log."""
        told = record.fields.get("event"), record.message[: len(READ)]  # in text, the event begins the message
        if self.leave_out_reads and record.logger == SECURITY and READ in told:
            return True
        if _is_below(record.logger, self.loggers[1]):
            return True
        data = record.raw.encode() if self.without else b""
        return any(text.is_in(data) for text in self._without)

    @cached_property
    def _is_found_by_search(self) -> bool:
        """Whether the one search there is has already looked at the whole record, so that its hit is a match."""
        return len(self.searches) == 1 and self.searches[0].exact

    def _has_text(self, record: Record) -> bool:
        data = record.raw.encode()
        return (not self.text or self._text.is_in(data)) and (not self.pattern or self._pattern.is_in(data))


def is_error(record: Record) -> bool:
    """Tell whether a record is of the level ERROR or above, or has an exception and is about no refusal."""
    if level_number(record.level) >= logging.ERROR:
        return True
    return any(TRACEBACK in line for line in record.lines) and not _is_refusal(record)


def _is_refusal(record: Record) -> bool:
    if not record.logger.startswith(("applog.", "django.")):  # in others' records the words mean something else
        return False
    event = record.fields.get("event") or split_context(record.logger, record.message).event
    return isinstance(event, str) and event in REFUSALS


def _field_of(record: Record, name: str) -> str | None:
    if name in record.fields:
        return field_text(record.fields[name])
    return getattr(record, OWN_FIELDS[name]) if name in OWN_FIELDS else None


def field_text(value: Any) -> str:
    """Return the value of a record's field as text: what is no text, as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_below(logger: str, names: tuple[str, ...]) -> bool:
    return any(f"{logger}.".startswith(f"{name}.") for name in names)


EVERY_RECORD = Query()
