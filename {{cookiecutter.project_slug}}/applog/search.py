"""Which records of a log to show.

Levels, loggers, ids and texts are looked for as bytes in whole blocks of a file, as fast as a disk reads them. What a
person types as a regular expression is in the syntax of `regex` (https://github.com/mrabarnett/mrab-regex), whose
searches have a time limit, so that no expression can stop a server. It is tried on the lines that hold the longest
piece of text that each match has to contain, if there is one.
"""

import json
import logging
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

import regex

from applog.records import Record

LEVELS = "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"
PATTERN_CHARACTERS = 500  # of a regular expression
PATTERN_SECONDS = 0.25  # that a regular expression may take for one block or one record
BLOCK_BYTES = 1 << 20
PATTERN_BLOCK_BYTES = 1 << 16  # where each line is tried


class Search(Protocol):
    """Finds the records of a block in which to look closer."""

    exact: bool  # what it finds need not be looked at again

    def find(self, block: bytes, place: int) -> int:
        """Return the index of a byte in the first record from `place` on that may be wanted, or -1.

        Raises SlowPatternError when a regular expression takes longer than PATTERN_SECONDS.
        """

    def is_in(self, data: bytes) -> bool:
        """Tell whether a record, or a part of one, has what is wanted."""


class SlowPatternError(ValueError):
    """A regular expression took longer than PATTERN_SECONDS."""

    def __init__(self) -> None:
        super().__init__("This regular expression takes too long. Write it with fewer repetitions, or search for text.")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a record must have to be shown; what is left empty does not matter.

    level: the name of a level: this one and those above. Names that `logging.addLevelName` knows count too.
    text: stands anywhere in the record, its traceback included, in upper or lower case.
    pattern: a regular expression in the syntax of `regex` that matches within one line of the record.
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
    def block_bytes(self) -> int:
        """How much may be searched in one piece."""
        return PATTERN_BLOCK_BYTES if self.pattern and not self._pattern.required else BLOCK_BYTES

    @cached_property
    def levels(self) -> frozenset[str]:
        """The names of the levels that pass, or none when all do."""
        numbers = logging.getLevelNamesMapping()
        lowest = numbers.get(self.level, 0)
        return frozenset(name for name, number in numbers.items() if number >= lowest) if self.level else frozenset()

    @cached_property
    def searches(self) -> tuple[Search, ...]:
        """Searches of which each finds something in the bytes of every record that passes."""
        found: list[Search] = []
        if self.levels:
            found.append(Pieces(*(form for name in sorted(self.levels) for form in (f" {name} ", f'"{name}"'))))
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
    def _text(self) -> "Text":
        return Text(self.text)

    @cached_property
    def _pattern(self) -> "Pattern":
        return Pattern(self.pattern)

    @property
    def needs_records(self) -> bool:
        """Tell whether more than a record's time and level has to be looked at."""
        return bool(self.text or self.pattern or self.logger or self.request_id)

    def matches(self, record: Record) -> bool:
        """Tell whether a record passes in which each of `searches` has found something.

        Of a record longer than RECORD_BYTES only the part that is shown counts, unless a text or a pattern is all that
        is asked for. Raises SlowPatternError.
        """
        return (
            (not self.levels or record.level in self.levels)
            and (not self.logger or f"{record.logger}.".startswith(f"{self.logger}."))
            and (not self.request_id or record.request_id == self.request_id)
            and (not self.since or bool(record.time and record.time >= self.since))
            and (not self.until or bool(record.time and record.time < self.until))
            and ((len(self.searches) == 1 and self.searches[0].exact) or self._has_text(record))
        )

    def _has_text(self, record: Record) -> bool:
        data = record.raw.encode()
        return (not self.text or self._text.is_in(data)) and (not self.pattern or self._pattern.is_in(data))


class Pieces:
    """Finds the first one of several pieces of text."""

    exact = False

    def __init__(self, *pieces: str) -> None:
        self._pieces = tuple(piece.encode() for piece in pieces)
        self._block = b""
        self._next: dict[bytes, int] = {}

    def find(self, block: bytes, place: int) -> int:
        """Return where the first of the pieces stands from `place` on, or -1."""
        if block is not self._block:
            self._block, self._next = block, {}
        for piece in self._pieces:
            # A rare piece is not looked for again behind each of the frequent ones.
            known = self._next.get(piece, 0)
            if 0 <= known < place or piece not in self._next:
                self._next[piece] = block.find(piece, place)
        return min((found for found in self._next.values() if found >= 0), default=-1)

    def is_in(self, data: bytes) -> bool:
        """Tell whether one of the pieces stands in `data`."""
        return any(piece in data for piece in self._pieces)


class Text:
    """Finds a text in upper or lower case, as it is or as JSON escapes it."""

    def __init__(self, text: str) -> None:
        self._expression = regex.compile("".join(map(_character, text)).encode(), regex.IGNORECASE)
        # These are the same bytes in text and in JSON, but for their case.
        self.exact = bool(re.fullmatch(r"[ !#-\[\]-~]+", text))
        # Of another text the character is looked for that is likely to be rare.
        special = next((character for character in text if not character.isascii()), text[0])
        self._first = self._expression if self.exact else regex.compile(_character(special).encode(), regex.IGNORECASE)

    def find(self, block: bytes, place: int) -> int:
        """Return where the text, or a character of it, stands from `place` on, or -1."""
        found = self._first.search(block, place)
        return found.start() if found else -1

    def is_in(self, data: bytes) -> bool:
        """Tell whether the text stands in `data`."""
        return bool(self._expression.search(data))


class Pattern:
    """Finds a line in which a regular expression matches."""

    exact = True

    def __init__(self, pattern: str) -> None:
        try:
            self._expression = regex.compile(pattern, regex.VERSION0)
        except (regex.error, RecursionError, OverflowError, MemoryError, ValueError) as error:
            message = f"This regular expression cannot be used: {error or 'it is too large'}."
            raise ValueError(message) from None
        self.required = required_text(pattern).encode()

    def find(self, block: bytes, place: int) -> int:
        """Return a place from `place` on in a line in which the expression matches, or -1."""
        deadline = time.monotonic() + PATTERN_SECONDS
        while place < len(block):
            if self.required and (place := block.find(self.required, place)) < 0:
                break
            begin, end = block.rfind(b"\n", 0, place) + 1, block.find(b"\n", place)
            end = len(block) if end < 0 else end
            if self._matches(block[begin:end], deadline):
                return place
            place = end + 1
        return -1

    def is_in(self, data: bytes) -> bool:
        """Tell whether the expression matches in a line of `data`."""
        deadline = time.monotonic() + PATTERN_SECONDS
        return any(self._matches(line, deadline) for line in data.split(b"\n"))

    def _matches(self, line: bytes, deadline: float) -> bool:
        """Tell whether the expression matches in a line. Other threads go on meanwhile."""
        text = line.decode("utf-8", "backslashreplace")
        with suppress(TimeoutError):
            if (seconds := deadline - time.monotonic()) > 0:
                return bool(self._expression.search(text, concurrent=True, timeout=seconds))
        raise SlowPatternError


def required_text(pattern: str) -> str:
    """Return the longest piece of text that every match of a regular expression contains, or "" if none is evident.

    What stands in parentheses, brackets or braces is not looked at.
    """
    # With alternatives or flags any piece may be optional; other escapes than these may reach over what follows.
    if re.search(r"\||\(\?|\[:|\\[^\WbBdDsSwW]", pattern):
        return ""
    pieces, depth = [""], 0
    for part in re.findall(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]?|\{[^}]*\}?|.", pattern, re.DOTALL):
        depth += (part == "(") - (part == ")")
        if part in {"?", "*"} or part[0] == "{":  # what is before it may be missing
            pieces += [pieces.pop()[:-1], ""]
        elif depth == 0 and re.fullmatch(r"\\[!-/:-@\[-`{-~]|[^.^$+()\[\\]", part) and part.isascii():
            pieces[-1] += part[-1]
        else:
            pieces.append("")
    return max(pieces, key=len)


def _forms(character: str) -> set[str]:
    """Return a character in either case, as it is and as JSON escapes it."""
    cases = {case for case in (character, character.lower(), character.upper()) if len(case) == 1}
    return {form for case in cases for form in (case, json.dumps(case)[1:-1])}


def _character(character: str) -> str:
    """Return an expression for the forms of a character, which upper and lower case are left out of."""
    forms = {form.lower() for form in _forms(character)} if character.isascii() else _forms(character)
    # Where no character has several forms, `regex` looks for the whole text at once, ten times as fast.
    return regex.escape(character) if len(forms) == 1 else f"(?:{'|'.join(map(regex.escape, sorted(forms)))})"


ALL = Filter()
