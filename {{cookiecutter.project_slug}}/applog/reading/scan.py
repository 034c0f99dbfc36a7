"""Finding the records of one file, block by block, forwards or backwards."""

import re
from collections.abc import Iterator, Sequence
from typing import Self

from applog.reading.log_file import BLOCK, FIRST_BLOCK, LINE, REACH, OpenLogFile
from applog.reading.search import Search

OVERLAP = 4096  # bytes of two blocks, so that a match is found across them when a line is longer than a block

# The offsets at which a record begins and ends. Where both are equal there is no record: all on this side of the offset
# has been searched, so that a caller can stop here and go on later.
Span = tuple[int, int]
AnySearch = Search | re.Pattern[bytes]


def scan_backwards(
    file: OpenLogFile, low: int, high: int, searches: Sequence[AnySearch] = (), largest: int = BLOCK
) -> Iterator[Span]:
    """Yield the spans of the records of which a part is between `low` and `high`, last record first.

    With `searches`, only records with a hit of each of them are yielded, and perhaps some others; with `file.start`
    among them, only those that begin in a known format. The file is read in blocks of `largest` bytes at most; after
    each, an empty span is yielded, as described at Span.
    """
    blocks, last = BlocksBackwards(file, low, high, largest), file.size + 1
    for begin, block in blocks:
        for start, end in reversed(list(_find(file, begin, block, searches))):
            if start < last:
                last = start
                yield start, end
        blocks.edge = min(begin, last)
        yield blocks.edge, blocks.edge


def scan_forwards(
    file: OpenLogFile, low: int, high: int, searches: Sequence[AnySearch] = (), largest: int = BLOCK
) -> Iterator[Span]:
    """Yield the spans of the records of which a part is between `low` and `high`, first record first.

    Otherwise it works as `scan_backwards`.
    """
    edge, size, last = low, min(FIRST_BLOCK, largest), 0
    high = min(high, file.size)
    while edge < high:
        end = min(high, edge + size)
        block = file.read_lines(edge, end)
        following = end
        if end < high:
            newline = block.rfind(b"\n", 1)
            if newline > 0:
                following = edge + newline
                block = block[: newline + 1]
            else:  # a line longer than the block
                following = max(edge + 1, end - OVERLAP)
        for start, stop in _find(file, edge, block, searches, last):
            last = stop
            yield start, stop
        edge, size = max(following, last), min(size * 2, largest)
        yield edge, edge


def find_any(file: OpenLogFile, begin: int, block: bytes, searches: Sequence[Search]) -> set[Span]:
    """Return the spans of the records of a block that begin in a known format, and have a hit of one of `searches`.

    The block's second byte is at the offset `begin`. A record may begin before the block, and end behind it.
    """
    return {span for search in searches for span in _find(file, begin, block, (search, file.start))}


def _find(file: OpenLogFile, begin: int, block: bytes, searches: Sequence[AnySearch], done: int = 0) -> Iterator[Span]:
    """Yield the spans of the records of a block that may match. The block's second byte is at the offset `begin`."""
    place = max(1, done - begin + 1)
    first = _hit(file.start, block, place)
    if first != place:
        edge = len(block) if first < 0 else first
        yield from _find_before(file, begin, block[:edge], searches, place)
        place = edge
    searches = searches or (file.start,)
    while place < len(block):
        hits = [_hit(search, block, place) for search in searches]
        if min(hits) < 0:
            return
        start, end = _span(file, begin, block, max(hits))
        # No record before the last hit's can have them all.
        if start - begin + 1 <= min(hits):
            yield start, end
            place = end - begin + 1
        else:
            place = start - begin + 1


def _find_before(
    file: OpenLogFile, begin: int, part: bytes, searches: Sequence[AnySearch], place: int
) -> Iterator[Span]:
    """Yield the spans of the records that may match in a part of a block in which no record begins as such.

    That is the rest of a record, which may have the other hits elsewhere, and lines that are too far behind one.
    """
    others = [search for search in searches if search is not file.start]
    if place >= len(part) or (searches and max((_hit(search, part, place) for search in others), default=-1) < 0):
        return
    start, end = file.span_of(begin + place - 1)
    rest = part[: end - begin + 1]
    # Without searches, the rest of a record whose beginning was read before is none.
    is_new = start == begin + place - 1 or part[:1] != b"\n"
    if max(_hit(search, rest, place) for search in others) >= 0 if searches else is_new:
        yield start, end
    place = len(rest)
    while place < len(part) and file.start not in searches:
        hits = [_hit(search, part, place) for search in searches or (LINE,)]
        if min(hits) < 0:
            return
        line, newline = part.rfind(b"\n", 0, max(hits)) + 1, part.find(b"\n", max(hits))
        following = newline + 1 if newline >= 0 else file.end_of(begin + len(part) - 2, 0) - begin + 1
        if line <= min(hits):
            yield begin + line - 1, begin + following - 1
        place = following if line <= min(hits) else line


def _span(file: OpenLogFile, begin: int, block: bytes, hit: int) -> Span:
    """Return the span of the record, of which the beginning is in a block, that the byte at the index `hit` is in."""
    newline = block.rfind(b"\n", 0, hit)
    is_header = newline >= 0 and file.start.match(block, newline)
    start = begin + newline if is_header else file.start_of(begin + hit - 1)
    following = file.start.search(block, hit)
    end = begin + following.start() if following else file.end_of(begin + len(block) - 2, start + REACH)
    return start, end


def _hit(search: AnySearch, block: bytes, place: int) -> int:
    """Return the index of a byte in the first record at or after `place` with a hit of `search`, or -1."""
    if isinstance(search, re.Pattern):  # START or LINE, which match the newline before a record
        found = search.search(block, place - 1)
        return found.start() + 1 if found else -1
    return search.find(block, place)


class BlocksBackwards:
    """Iterates over blocks of whole lines between `low` and `high`, last block first.

    Each item is the offset of the block's second byte, and the block. `edge` is where the next block ends; the caller
    may lower it.
    """

    def __init__(self, file: OpenLogFile, low: int, high: int, largest: int = BLOCK) -> None:
        self._file, self._low, self.edge = file, low, min(high, file.size)
        self._size, self._largest, self._is_whole_line = min(FIRST_BLOCK, largest), largest, True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[int, bytes]:
        file, edge = self._file, self.edge
        if edge <= self._low:
            raise StopIteration
        begin = max(self._low, edge - self._size)
        block = file.read_lines(begin, edge if self._is_whole_line else min(file.size, edge + OVERLAP))
        if begin > self._low:
            newline = block.find(b"\n", 0, edge - begin)
            self._is_whole_line = newline >= 0
            if self._is_whole_line:
                begin, block = begin + newline, block[newline:]
        self._size, self.edge = min(self._size * 2, self._largest), begin
        return begin, block
