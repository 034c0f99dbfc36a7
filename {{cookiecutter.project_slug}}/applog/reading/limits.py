"""Between which times the records of a block of bytes were made, without parsing each of them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from applog.reading.formats import parse_time
from applog.reading.log_file import HEADER_BYTES
from applog.reading.record import parse

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
FIXED = {DAY: 0, HOUR: 0, MINUTE: len(":00"), SECOND: len(":00:00")}  # bytes behind the hour that are the same
LOOKS = 32  # at the beginning of a record, in a block
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_LEVEL = rb"(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)"
_ISO, _RUNSERVER = rb"\d{4}-\d\d-\d\d[T ]", rb"\d\d/[A-Z][a-z]{2}/\d{4} "
# Where a record has its time: what is before it, the day, the hour, the rest of it, and the zone.
_TIME = re.compile(
    rb'(?:\{ ?(?:[^\n]*?, ?)??)?((?:"(?:@?timestamp|asctime|time|ts)": ?"|%s |\[)?)'
    rb"(%s|%s)(\d\d)(:\d\d:\d\d(?:[.,]\d{1,9})?)((?:Z| ?[+-]\d\d:?\d\d)?(?=[^\d+-]))" % (_LEVEL, _ISO, _RUNSERVER)
)
_FLAT = re.compile(rb"\{[^\n{\[]*?")
_NULS = re.compile(rb"\x00*")  # of a crash, before a record
_WITHOUT_TIME = rb"%s:(?:[\w.]+:| )" % _LEVEL  # the beginning of a record of logging.basicConfig or uvicorn

Limits = tuple[datetime, datetime] | None  # no record is earlier than the first, or later than the second


def time_in(line: bytes) -> datetime | None:
    """Return the time of a record, of which the beginning may be enough, or None."""
    return parse(line[:HEADER_BYTES]).time or (parse(line).time if line[:1] == b"{" else None)


def limits_of(block: bytes, size: int, unit: timedelta, start: re.Pattern[bytes]) -> Limits:
    """Return between which times the records are that begin in the first `size` bytes of a block; None without times.

    `start` matches the newline before a record. The times are exact to the `unit`, SECOND, MINUTE or HOUR. What begins
    as a record that was looked at before, of the same one, is passed over. If that are too many, hours become days, or
    the records may be of any time.
    """
    first, last = EVER[::-1]
    place, looked_at = 0, 0
    beginnings = [b" ", _WITHOUT_TIME]
    search = _search(beginnings)
    while found := search(block, place, size):
        place = found.end()
        if not start.match(block, found.start()):
            following = start.search(block, place)
            place = following.start() if following else size
            continue
        looked_at += 1
        if looked_at > LOOKS:
            if unit != HOUR:
                return EVER
            unit, looked_at, beginnings = DAY, 0, [b" ", _WITHOUT_TIME]
        header = place + len(_NULS.match(block, place)[0])  # type: ignore[index]
        line = block[header : header + HEADER_BYTES]
        if not (made := time_in(line)) and line[:1] in {b"{", b""}:  # JSON may have the time anywhere
            newline = block.find(b"\n", header)
            if newline < 0:
                return EVER
            line = block[header:newline]
            made = parse(line).time
        if made:
            beginning, begin, end = _beginning(line, made, unit)
            first, last = min(first, begin), max(last, end)
            if beginning:
                beginnings.append(beginning)
                search = _search(beginnings)
    return (first, last) if first <= last else None


def _beginning(line: bytes, made: datetime, unit: timedelta) -> tuple[bytes, datetime, datetime]:
    """Return how the records in the format of a line begin that are of its `unit`, and from when to when that is.

    Nothing stands for a line in which the time is not found without parsing it.
    """
    if not (parts := _TIME.match(line)):
        return b"", made, made
    key, day, hour, rest, zone = parts.groups()
    if parse_time((day + hour + rest + zone).decode()) != made:
        return b"", made, made
    before = line[: parts.start(1)]
    if before.strip(b"{ "):  # other keys, of which none may have an object with a time of its own
        if not _FLAT.fullmatch(before):
            return b"", made, made
        pattern = _FLAT.pattern
    else:
        pattern = re.escape(before)
    hours = rb"\d\d" if unit == DAY else re.escape(hour)
    end = re.escape(zone) or rb"(?![\d.,Z+-]| [+-]\d)"
    fixed, free = rest[: FIXED[unit]], rest[FIXED[unit] :]
    pattern += re.escape(key + day) + hours + fixed + re.sub(rb"\d", rb"\\d", re.escape(free)) + end
    begin = made - timedelta(
        hours=made.hour if unit == DAY else 0,
        minutes=made.minute if unit >= HOUR else 0,
        seconds=made.second if unit >= MINUTE else 0,
        microseconds=made.microsecond,
    )
    # Without an offset, clocks may have been set back or forward within it.
    change = timedelta() if zone or unit < HOUR else HOUR
    try:
        return pattern, begin - change, begin + unit + change
    except OverflowError:  # the first or the last hours that a datetime can have
        return b"", made, made


def _search(beginnings: list[bytes]) -> Callable[[bytes, int, int], re.Match[bytes] | None]:
    """Return the search for a line that begins with none of these."""
    return re.compile(rb"\n(?!%s)" % b"|".join(beginnings)).search
