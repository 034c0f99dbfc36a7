"""When the records of a block of bytes were made, and of which level they are, without parsing each of them."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from applog.reading.formats import HEADER, normal_level, parse_record, parse_time
from applog.reading.log_file import HEADER_BYTES
from applog.reading.measures import bucket
from applog.reading.query import Query
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

_MINUTE, _FRACTION, _ZONE = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", rb"[.,]\d{3,9}", rb"Z|[+-]\d\d:\d\d|"


def _patterns(time: bytes, zone: bytes = _ZONE) -> list[re.Pattern[bytes]]:
    """Return patterns of the beginnings of records of this log, with their time, which has a group, zone, and level."""
    # Without a zone, the level has to look like one, see HEADER. A line that ends behind it was cut off.
    level = rb"(?= [A-Z])" if zone in {_ZONE, b""} else b""
    text = rb"\n(?:\x00*)%s(%s%s) ([^\s|\[-]\S*) +(?=\S)" % (time, zone, level)
    json = rb'\n\{"timestamp": ?"%s(%s)", ?"level": ?"([^"\n]*)"' % (time, zone)
    return [re.compile(text), re.compile(json)]


BY_MINUTE = _patterns(rb"(%s):\d\d%s" % (_MINUTE, _FRACTION))
BY_SECOND = _patterns(rb"(%s:\d\d)%s" % (_MINUTE, _FRACTION))
# What begins a record of another format.
_OTHERS = re.compile(rb"(?!%s|%s)\n(?=%s)" % (*(pattern.pattern for pattern in BY_MINUTE), HEADER))

Key = tuple[bytes, bytes, bytes]  # of a group of records: a minute or a second, the zone, the level
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


def levels_in(block: bytes, query: Query, step: timedelta, zone: tzinfo | None) -> Iterator[tuple[datetime, str, int]]:
    """Yield times and levels of the records that begin in a block, with how many there are of them.

    A time stands for its second, its minute or its hour, where all of that is in one bucket of `step` in a time zone.
    Where the time that is asked for begins or ends, records come with their own times.
    """
    found = [key for pattern in (BY_SECOND if step < MINUTE else BY_MINUTE) for key in pattern.findall(block)]
    groups = Counter(found) if step < HOUR else _by_hour(Counter(found), query, step, zone)
    yield from _times(groups, block, query, SECOND if step < MINUTE else MINUTE)
    yield from _others(block, found)


def _by_hour(minutes: Mapping[Key, int], query: Query, step: timedelta, zone: tzinfo | None) -> Counter[Key]:
    """Return groups of a minute, in whose place there is one of an hour where that is possible.

    A log with few records has as many minutes as records, and each group takes as long as hundreds of records.
    """
    groups: Counter[Key] = Counter()
    whole: dict[tuple[bytes, bytes], bool] = {}
    for key, number in minutes.items():
        moment, offset, level = key
        hour = moment[: len("2026-11-24T05")], offset
        if hour not in whole:
            begin = parse_time((hour[0] + b":00" + offset).decode("ascii", "replace"))
            whole[hour] = bool(begin and _is_whole(begin, begin + HOUR, query, step, zone))
        groups[(hour[0] + b":00", offset, level) if whole[hour] else key] += number
    return groups


def _is_whole(begin: datetime, end: datetime, query: Query, step: timedelta, zone: tzinfo | None) -> bool:
    """Tell whether an hour is in one bucket, and the time that is asked for neither begins nor ends in it."""
    is_cut = any(edge and begin < edge < end for edge in (query.since, query.until))
    return not is_cut and bucket(begin, step, zone) == bucket(end - SECOND, step, zone)


def _times(
    groups: Mapping[Key, int], block: bytes, query: Query, unit: timedelta
) -> Iterator[tuple[datetime, str, int]]:
    """Yield time, level and number of groups of records of a block, of a minute or a second, which is `unit`."""
    partly = set()
    for key, number in groups.items():
        moment, offset, level = (part.decode("utf-8", "backslashreplace") for part in key)
        if made := parse_time(moment + offset):
            if any(end and timedelta() < end - made < unit for end in (query.since, query.until)):
                partly.add(key[:2])
            else:
                yield made, normal_level(level), number
    rest = (rb":\d\d" if unit > SECOND else b"") + _FRACTION
    for pattern in (pattern for key in partly for pattern in _patterns(b"(%s%s)" % (key[0], rest), re.escape(key[1]))):
        yield from _times(Counter(pattern.findall(block)), block, query, timedelta())


def _others(block: bytes, found: list[tuple[bytes, ...]]) -> Iterator[tuple[datetime, str, int]]:
    """Yield time and level of each record of a block that is in another format than those `found`, and that it is 1."""
    # Most files have none, which a count of the lines tells in little time.
    if block.count(b"\n") - block.endswith(b"\n") == len(found) + block.count(b"\n "):
        return
    for start in _OTHERS.finditer(block):
        line = block[start.end() : block.find(b"\n", start.end())]
        fields = parse_record(line.decode("utf-8", "backslashreplace"))
        if made := fields.get("time"):
            yield made, fields.get("level", ""), 1
