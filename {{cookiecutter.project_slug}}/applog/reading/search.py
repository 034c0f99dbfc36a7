"""Searches in the bytes of a log.

Levels, loggers, ids and texts are searched for as bytes in large blocks of a file. A regular expression that somebody
typed is in the syntax of `regex` (https://github.com/mrabarnett/mrab-regex), whose searches have a time limit, so that
no expression can stop a server. It is tried only on lines that contain the longest text that every match must contain,
if there is such a text.
"""

import json
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

import regex

PATTERN_SECONDS = 0.25  # for a regular expression in one block or one record


class Search(Protocol):
    """Finds the records of a block that may match."""

    exact: bool  # whether a hit is a match, so that the record need not be searched again

    def find(self, block: bytes, place: int) -> int:
        """Return the index of a byte in the first record at or after `place` that may match, or -1.

        Raises SlowPatternError when a regular expression takes longer than PATTERN_SECONDS.
        """

    def is_in(self, data: bytes) -> bool:
        """Tell whether `data`, a record or a part of one, has a hit. Raises SlowPatternError."""


class SlowPatternError(ValueError):
    """A regular expression took longer than PATTERN_SECONDS."""


class WrongSearchError(ValueError):
    """A search cannot be used. `sentence` says so to people; `value` is what %s stands for in it, if it is there."""

    def __init__(self, sentence: str, value: str = "") -> None:
        self.sentence, self.value = sentence, value
        super().__init__(sentence.replace("%s", value))


def gettext_noop(sentence: str) -> str:
    """Return a sentence, which is found by its name here for the page to translate it."""
    return sentence


class Pieces:
    """Finds the first of several texts and expressions.

    Expressions ignore the case of ASCII letters, and begin with a text: each is sought by itself, which is quick then.
    """

    exact = False

    def __init__(self, *texts: str, expressions: Iterable[str] = ()) -> None:
        pieces = [regex.compile(regex.escape(text.encode())) for text in dict.fromkeys(texts)]
        pieces += [regex.compile(text.encode(), regex.IGNORECASE) for text in dict.fromkeys(expressions)]
        self._searches = [piece.search for piece in pieces]
        self._block = b""
        self._next: list[int] = []

    def find(self, block: bytes, place: int) -> int:
        """Return where the first of them begins, at or after `place`, or -1."""
        if block is not self._block:
            self._block, self._next = block, [-1] * len(self._searches)
        for number, search in enumerate(self._searches):
            # A rare text is not searched for again after each hit of a frequent one.
            if self._next[number] < place:
                found = search(block, place)
                self._next[number] = found.start() if found else len(block)
        first = min(self._next, default=len(block))
        return first if first < len(block) else -1

    def is_in(self, data: bytes) -> bool:
        """Tell whether `data` has one of them."""
        return any(search(data) for search in self._searches)


class Text:
    """Finds a text, which must not be empty, as it is or as JSON escapes it. Case is ignored."""

    def __init__(self, text: str) -> None:
        self._expression = regex.compile("".join(map(_character, text)).encode(), regex.IGNORECASE)
        # Characters that JSON does not escape.
        self.exact = bool(re.fullmatch(r"[ !#-\[\]-~]+", text))
        # Otherwise search first for one character that is probably rare.
        special = next((character for character in text if not character.isascii()), text[0])
        self._first = self._expression if self.exact else regex.compile(_character(special).encode(), regex.IGNORECASE)

    def find(self, block: bytes, place: int) -> int:
        """Return where the text, or one character of it, is found at or after `place`, or -1."""
        found = self._first.search(block, place)
        return found.start() if found else -1

    def is_in(self, data: bytes) -> bool:
        """Tell whether `data` contains the text."""
        return bool(self._expression.search(data))


class Pattern:
    """Finds a line that a regular expression matches. Raises WrongSearchError if it cannot be compiled."""

    exact = True

    def __init__(self, pattern: str) -> None:
        try:
            self._expression = regex.compile(pattern, regex.VERSION0)
        except (regex.error, RecursionError, OverflowError, MemoryError, ValueError) as error:
            sentence = gettext_noop("This regular expression cannot be used: %s.")
            raise WrongSearchError(sentence, str(error) or "it is too large") from None
        self.required = required_text(pattern).encode()

    def find(self, block: bytes, place: int) -> int:
        """Return a place in the first matching line at or after `place`, or -1."""
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
        """Tell whether the expression matches a line of `data`."""
        deadline = time.monotonic() + PATTERN_SECONDS
        return any(self._matches(line, deadline) for line in data.split(b"\n"))

    def _matches(self, line: bytes, deadline: float) -> bool:
        """Tell whether the expression matches a line. Other threads can run meanwhile."""
        text = line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
        with suppress(TimeoutError):
            if (seconds := deadline - time.monotonic()) > 0:
                return bool(self._expression.search(text, concurrent=True, timeout=seconds))
        raise SlowPatternError


def required_text(pattern: str) -> str:
    """Return the longest text that every match of a regular expression contains, or "" if none is found.

    Groups, character sets and repetitions are not analysed.
    """
    # With alternatives or flags any text may be optional; other escapes than these may change what follows.
    if re.search(r"\||\(\?|\[:|\\[^\WbBdDsSwW]", pattern):
        return ""
    pieces, depth = [""], 0
    for part in re.findall(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]?|\{[^}]*\}?|.", pattern, re.DOTALL):
        depth += (part == "(") - (part == ")")
        if part in {"?", "*"} or part[0] == "{":  # the character before it may be missing
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
    """Return an expression for the forms of a character, for a search that ignores case."""
    forms = {form.lower() for form in _forms(character)} if character.isascii() else _forms(character)
    # If no character has several forms, `regex` searches for the whole text at once, ten times as fast.
    return regex.escape(character) if len(forms) == 1 else f"(?:{'|'.join(map(regex.escape, sorted(forms)))})"
