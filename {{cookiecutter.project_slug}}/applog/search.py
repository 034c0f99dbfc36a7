"""Which records of a log to show.

Regular expressions are RE2's (https://github.com/google/re2/wiki/Syntax): the time that one takes grows with the text
only, so that nobody can stop a server with it, and RE2 searches whole blocks of a file faster than a disk reads them.
Still it may take some 20 ns for each byte and each instruction of the expression, so that both are limited.
"""

import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import re2

from applog.records import TEXT_TIME, Record

LEVELS = "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"
PATTERN_CHARACTERS = 500  # of a regular expression
PATTERN_INSTRUCTIONS = 500  # that RE2 makes of it
EACH_LINE = "(?m)"  # ^ and $ stand for the beginning and end of a line
STEPS = 1 << 22  # instructions times bytes in one piece, about a tenth of a second


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a record must have to be shown; what is left empty does not matter.

    level: the name of a level: this one and those above. Names that `logging.addLevelName` knows count too.
    text: stands anywhere in the record, its traceback included, in upper or lower case.
    pattern: a regular expression in RE2's syntax that matches within one line of the record.
    logger: the name of a logger: this one and those below.
    request_id: the whole id.
    since, until: aware times; a record made at `since` is shown, one made at `until` is not. A line without a time is
        not shown then.

    Raises ValueError with a sentence for people when a value cannot be used.
    """

    level: str = ""
    text: str = ""
    pattern: str = ""
    logger: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be used."""
        message = ""
        if self.level and self.level not in logging.getLevelNamesMapping():
            message = f"{self.level} is no level; the levels are DEBUG, INFO, WARNING, ERROR and CRITICAL."
        if len(self.pattern) > PATTERN_CHARACTERS:
            message = f"The regular expression is longer than {PATTERN_CHARACTERS} characters."
        if re.search("[\ud800-\udfff]", self.text + self.pattern + self.logger + self.request_id):
            message = "What is looked for has to be text that UTF-8 can write."
        if not all(time.tzinfo for time in (self.since, self.until) if time):
            message = "A time needs a time zone."
        if message:
            raise ValueError(message)
        if self.pattern:
            self._pattern  # noqa: B018  compiled now, to be refused now

    @cached_property
    def _pattern(self) -> Any:
        pattern = _compile(f"{EACH_LINE}{self.pattern}")
        if pattern.programsize > PATTERN_INSTRUCTIONS:
            message = "This regular expression is too complicated; write it with fewer repetitions and classes."
            raise ValueError(message)
        return pattern

    @cached_property
    def block_bytes(self) -> int:
        """How much may be searched in one piece."""
        return STEPS // max(4, self._pattern.programsize if self.pattern else 0)

    @cached_property
    def levels(self) -> frozenset[str]:
        """The names of the levels that pass, or none when all do."""
        numbers = logging.getLevelNamesMapping()
        lowest = numbers.get(self.level, 0)
        return frozenset(name for name, number in numbers.items() if number >= lowest) if self.level else frozenset()

    @cached_property
    def searches(self) -> tuple[Any, ...]:
        """Compiled expressions of which each finds something in the bytes of every record that passes."""
        names = "|".join(re2.escape(name) for name in sorted(self.levels))
        json_level = rf'\{{"timestamp": ?"[^"]*", ?"level": ?"(?:{names})"'
        wanted = {
            rf"(?m:^\x00*(?:{TEXT_TIME.decode()}\S* (?:{names}) |{json_level}))": self.levels,
            r' {0}[ .]|"logger": ?"{0}[".]'.format(re2.escape(self.logger)): self.logger,
            r'\[{0}\]|"request_id": ?"{0}"'.format(re2.escape(self.request_id)): self.request_id,
        }
        return (
            *(_compile(pattern) for pattern, is_wanted in wanted.items() if is_wanted),
            *((self._text,) if self.text else ()),
            *((self._pattern,) if self.pattern else ()),
        )

    @cached_property
    def _text(self) -> Any:
        return _compile(f"(?i:{''.join(map(_character, self.text))})")

    @property
    def needs_records(self) -> bool:
        """Tell whether more than a record's time and level has to be looked at."""
        return bool(self.text or self.pattern or self.logger or self.request_id)

    def matches(self, record: Record) -> bool:
        """Tell whether a record passes in which one of `searches` has found something.

        Of a record longer than RECORD_BYTES only the part that is shown counts, unless `text` or `pattern` is all that
        is asked for.
        """
        return (
            (not self.levels or record.level in self.levels)
            and (not self.logger or f"{record.logger}.".startswith(f"{self.logger}."))
            and (not self.request_id or record.request_id == self.request_id)
            and (not self.since or bool(record.time and record.time >= self.since))
            and (not self.until or bool(record.time and record.time < self.until))
            and (len(self.searches) == 1 or self._has_text(record))
        )

    def _has_text(self, record: Record) -> bool:
        data = record.raw.encode()
        return (not self.text or bool(self._text.search(data))) and (
            not self.pattern or bool(self._pattern.search(data))
        )


def _character(character: str) -> str:
    """Return an expression for a character in either case, as it is or as JSON escapes it."""
    cases = {case for case in (character, character.lower(), character.upper()) if len(case) == 1}
    forms = [character, *sorted({json.dumps(case)[1:-1] for case in cases} - cases)]
    escaped = [re2.escape(form) for form in forms]
    return f"(?:{'|'.join(escaped)})" if len(escaped) > 1 else escaped[0]


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_nl = True
    options.never_capture = True
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args else "it is too complicated"
        message = f"This regular expression cannot be used: {reason.replace(EACH_LINE, '', 1)}."
        raise ValueError(message) from None


ALL = Filter()
