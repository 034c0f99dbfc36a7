"""When the records of a file were made, so that a search by time reads no more of it than it must.

Most files are in the order of time, so that halving them finds the beginning of an hour in a few reads. But clocks are
set back, by hand or at the end of summer time, and a wrong one may have been used for a few records only. So what is
outside of the place that was found is looked at, too: for each CELL of the file, between which times its records are,
to the hour, and only near the times that are asked for to the minute and the second.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby, islice

from applog.reading.limits import EVER, HOUR, MINUTE, SECOND, Limits, limits_of, time_in
from applog.reading.log_file import BLOCK, HEADER_BYTES, WINDOW, OpenLogFile
from applog.reading.record import time_of
from applog.reading.scan import Span, scan_forwards

CELL = 1 << 20  # bytes of a file
CELLS = 8  # looked at in a step, in about 10 ms
PIECE = 1 << 15  # bytes, at the ends of what is read; 100 records are as much
DISORDER = timedelta(seconds=10)  # records of several processes may be this much out of order
FILES = 1000  # of which the times are remembered
LINE_BYTES = 1 << 16  # of a line that reaches beyond a part, in which its time is looked for
LAST_BYTES = 1 << 10  # at the end of a file, in which most have a whole record
LOOKS, STRETCH = 1000, 1 << 20  # records and bytes in which a time is looked for
SAMPLE_BYTES = 64  # at the end of a part, by which it is known again

# By the file, for parts between two offsets, to a unit of time.
_known: dict[tuple[tuple[int, int], bytes, int], dict[tuple[int, int, timedelta], tuple[bytes, Limits]]] = {}


def last_time(file: OpenLogFile, before: int | None = None) -> datetime | None:
    """Return the time of the last record near the file's end, or near the offset `before`, that has one."""
    high = file.size if before is None else min(before, file.size)
    for size in (LAST_BYTES, WINDOW, BLOCK):
        block = file.read_lines(max(0, high - size), high)
        end = len(block)
        for start in reversed(list(file.start.finditer(block))[-LOOKS:]):
            line = block[start.end() : end]
            if made := time_of(line[:HEADER_BYTES]) or time_in(line[:LINE_BYTES]):
                return made
            end = start.start()
        if size >= high:
            break
    return None


def _times(file: OpenLogFile, begin: int, high: int) -> Iterator[tuple[int, datetime | None]]:
    """Yield start and time of the records that start between `begin` and `high`."""
    for start, end in scan_forwards(file, begin, high, (file.start,)):
        if start != end and begin <= start < high:
            yield start, _time(file, start, end)


def _time(file: OpenLogFile, start: int, end: int) -> datetime | None:
    return time_in(file.read(start, min(end, start + LINE_BYTES)))


def seek(file: OpenLogFile, when: datetime) -> Span:
    """Return the offsets between which, in a file in the order of time, the first record made at `when` or later is."""
    low, high = 0, file.size
    while high - low > WINDOW:
        middle = (low + high) // 2
        edge = min(high, middle + STRETCH)
        records = _times(file, middle, edge)
        start, made = next((found for found in islice(records, LOOKS) if found[1]), (edge, None))
        if made and made < when:
            low = max(start, low + 1)
        elif made or (edge == high and next(records, None) is None):
            high = middle
        else:  # no time far and wide
            break
    return low, high


def parts_between(  # noqa: PLR0913  two pairs of limits
    file: OpenLogFile, low: int, high: int, since: datetime | None, until: datetime | None, *, forwards: bool
) -> Iterator[Span]:
    """Yield the parts of a file, between the offsets `low` and `high`, in which records may be of the time asked for.

    They come in the order of reading; between them, at least once in CELLS cells, comes a part that is empty, so that a
    caller can stop there.
    """
    if high - low <= CELL or not (since or until):
        yield low, high
        return
    begin = seek(file, since - DISORDER)[0] if since else 0
    end = seek(file, until + DISORDER)[1] if until else file.size
    numbers = range(low // CELL, -(-high // CELL))
    place, skipped = low if forwards else high, 0
    is_near = range(begin // CELL, -(-end // CELL)).__contains__
    wanted = (since or EVER[0], until or EVER[1])
    for is_wanted, cells in groupby(
        numbers if forwards else reversed(numbers),
        lambda number: is_near(number) or _may_have(file, *_cell(file, number), *wanted),
    ):
        for number in cells:
            edge = min(high, (number + 1) * CELL) if forwards else max(low, number * CELL)
            skipped += 1
            if not is_wanted and skipped % CELLS == 0:
                yield edge, edge
        if is_wanted:
            first, last = _without_ends(file, (min(place, edge), max(place, edge)), *wanted)
            yield first, _end_of_line(file, last, high)
            if edge not in {first, last}:
                yield edge, edge
        place = edge


def _end_of_line(file: OpenLogFile, offset: int, most: int) -> int:
    """Return where the line ends that the byte before an offset is in, `most` at most, so that its record is known."""
    for size in (1 << 10, LINE_BYTES):
        block = file.read(max(0, offset - 1), min(most, offset + size))
        if (newline := block.find(b"\n")) >= 0:
            return offset + newline
    return min(most, offset + LINE_BYTES)


def _without_ends(file: OpenLogFile, part: Span, since: datetime, until: datetime) -> Span:
    """Return a part without what is before `since` at its beginning, and at `until` or later at its end."""
    low, high = part
    # Where reading goes on at an offset that it has reached, its end is not the end of a cell.
    first = min(high, low + CELL) if since > EVER[0] and low % CELL == 0 else low
    last = max(low, high - CELL) if until < EVER[1] and (high % CELL == 0 or high == file.size) else high
    while first - low > PIECE:
        middle = (low + first) // 2
        if _may_have(file, low, middle, since, EVER[1]):
            first = middle
        else:
            low = middle
    while high - last > PIECE:
        middle = (last + high) // 2
        if _may_have(file, middle, high, EVER[0], until):
            last = middle
        else:
            high = middle
    return low, max(low, high)


def _overlap(limits: Limits, since: datetime, until: datetime) -> bool:
    return bool(limits and limits[0] < until and since <= limits[1])


def _cell(file: OpenLogFile, number: int) -> Span:
    return number * CELL, min(file.size, (number + 1) * CELL)


def _may_have(file: OpenLogFile, begin: int, end: int, since: datetime, until: datetime) -> bool:
    """Tell whether a record that begins between two offsets may have been made at `since` or later, before `until`."""
    for unit in (HOUR, MINUTE, SECOND):
        limits = _limits(file, begin, end, unit)
        if not _overlap(limits, since, until):
            return False
        if limits == EVER:
            break
    return True


def _limits(file: OpenLogFile, begin: int, end: int, unit: timedelta) -> Limits:
    """Return between which times the records are that begin between two offsets, see `limits_of`."""
    if len(_known) > FILES:
        _known.clear()
    size = file.size if file.compressed else 0
    known, place = _known.setdefault((file.identity, file.head, size), {}), (begin, end, unit)
    # Another one, if the file was emptied and written anew, which is not done to a compressed file.
    sample = b"" if file.compressed else file.read(end - SAMPLE_BYTES, end)
    found = known.get(place)
    if found and found[0] == sample:
        return found[1]
    block = file.read_lines(begin, _end_of_line(file, end, file.size))
    limits = limits_of(block, end - begin + 1, unit, file.start)
    if file.compressed or end % PIECE == 0:  # otherwise the end of a file that may grow
        known[place] = sample, limits
    return limits
