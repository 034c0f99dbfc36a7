"""Requests in a block of a log, by their route, or by their path if the log does not say the route.

One regular expression takes all records of applog.middleware apart, so that this is fast; what another formatter has
written is parsed.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC
from functools import lru_cache
from typing import NamedTuple

from applog.fingerprint import split_context
from applog.reading.record import RECORD_BYTES, parse

LOGGER = "applog.request"
PATH_CHARACTERS, SEGMENTS, SEGMENT_CHARACTERS = 200, 12, 40

# Possessive, as a line that does not match must not take long. The call is the method and the escaped path.
_CALL = rb"([A-Z]{1,20}+ [^ \n\"\\]++) (\d{3}) in (\d{1,12}+(?:\.\d{1,3}+)?+) ms"
_TIME = rb"(.{16})(.{7})(Z|[+-]\d\d:\d\d)"  # the minute, what follows it, and the time zone
# 2026-02-09T14:03:12.417+01:00 INFO applog.request [8c1e] from 192.0.2.7 by user 5: GET /admin/ 200 in 12.3 ms
_IN_TEXT = re.compile(
    # Most ids have 32 characters, which need not be looked at one by one.
    rb"\n%s(?: [A-Z]++)?+ applog\.request \[(.{32}|[^]\n]*+)] (?:from (?:[^ \n]++ by user )?+[^ \n]++ )?+%s"
    rb"(?:, X-Request-ID [^ \n]++)?+(?=\n|\Z)" % (_TIME, _CALL)
)
_IN_JSON = re.compile(
    rb'\n\{"timestamp": "%s", "level": "[A-Z]++", "logger": "applog\.request", "message": "%s'
    rb'(?:, X-Request-ID [^ "\n]++)?+", "request_id": "([^"\\\n]*+)",'
    rb"([^\n]*+)" % (_TIME, _CALL)
)
_MESSAGE = re.compile(r"(\S{1,20}) (\S+) (\d{3}|given up) in (\d{1,12}(?:\.\d{1,3})?) ms")
_NAME = LOGGER.encode()
# A part of a path that has a digit, but for v1 and the like.
_ID = re.compile(rb"/(?!v\d\d?(?:/|$))[^/\n\d]*+\d[^/\n]*+", re.MULTILINE)


class Rows(NamedTuple):
    """Requests, by column.

    Attributes:
        minutes, seconds, zones: the parts of their times, such as 2026-02-09T14:03, :12.417 and +01:00.
        ids: of the requests.
        keys: what `name_of` knows the name of.
        statuses: their statuses.
        durations: in ms.

    """

    minutes: list[bytes]
    seconds: list[bytes]
    zones: list[bytes]
    ids: list[bytes]
    keys: list[bytes]
    statuses: list[bytes]
    durations: list[bytes]


def take_apart(block: bytes) -> Iterator[Rows]:
    """Yield the requests whose records are whole lines of a block, but for the first line."""
    # Splitting makes one list, where finding all would make a tuple for each.
    rest, *columns = _split(_IN_TEXT, block)
    if columns[0]:
        minutes, seconds, zones, ids, calls, statuses, durations = columns
        yield Rows(minutes, seconds, zones, ids, _without_ids(calls), statuses, durations)
    if _NAME not in (left := b"".join(rest)):
        return
    rest, *columns = _split(_IN_JSON, left)
    if columns[0]:
        minutes, seconds, zones, calls, statuses, durations, ids, fields = columns
        keys = list(map(_key, _without_ids(calls), fields, statuses))
        yield Rows(minutes, seconds, zones, ids, keys, statuses, durations)
    others = filter(None, (_parse(line) for line in b"".join(rest).split(b"\n")[1:] if _NAME in line[:100]))
    if rows := list(zip(*others, strict=True)):
        yield Rows(*map(list, rows))


def _split(pattern: re.Pattern[bytes], block: bytes) -> list[list[bytes]]:
    """Return what a pattern does not match, and its groups, by column."""
    pieces, step = pattern.split(block), pattern.groups + 1
    return [pieces[column::step] for column in range(step)]


def _without_ids(calls: list[bytes]) -> list[bytes]:
    return _ID.sub(b"/#", b"\n".join(calls)).split(b"\n")


def _key(call: bytes, fields: bytes, status: bytes) -> bytes:
    method, _, path = call.partition(b" ")
    _, has_route, rest = fields.partition(b'"http.route": "')
    if has_route:
        return method + b"\n" + rest.partition(b'", "')[0]
    return method + b" " if status == b"404" else method + b" " + path  # the resolver knew no such path


def _parse(line: bytes) -> tuple[bytes, ...] | None:
    """Return the row of a request whose record is in any known format, or None if it is none."""
    record = parse(line[:RECORD_BYTES])
    found = _MESSAGE.match(split_context(LOGGER, record.message).message)
    if not (record.logger == LOGGER and record.time and found):
        return None
    method, path, status, duration = found.groups()
    when = f"{record.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{record.time.microsecond // 1000:03}"
    given = record.fields.get("http.route")
    if isinstance(given, str) and given:
        key = f"{method}\n{json.dumps(given[:PATH_CHARACTERS])[1:-1]}"
    elif status == "404" and "http.request.method" in record.fields:
        key = f"{method} "
    else:
        key = f"{method} " + _ID.sub(b"/#", path.encode("ascii", "replace")).decode()
    row = when[:16], when[16:], "Z", record.request_id, key, status, duration
    return tuple(part.encode("utf-8", "replace") for part in row)


@lru_cache(maxsize=8192)
def name_of(key: bytes) -> tuple[str, str, bool]:
    """Return the method of a key of Rows, the route or the path without ids, and whether it is a route."""
    method, _, place = key.decode("utf-8", "backslashreplace").partition("\n" if b"\n" in key else " ")
    return (method, _route(place), True) if b"\n" in key else (method, shorten(place), False)


def _route(text: str) -> str:
    """Return the route that JSON has as `text`, without the quotation marks."""
    try:
        return str(json.loads(f'"{text}"'))[:PATH_CHARACTERS]
    except ValueError:
        return text[:PATH_CHARACTERS]


def shorten(path: str) -> str:
    """Return a path with # in place of each long part, and without what follows SEGMENTS of them."""
    parts = path[:PATH_CHARACTERS].split("/")
    short = ["#" if len(part) > SEGMENT_CHARACTERS else part for part in parts[:SEGMENTS]]
    return "/".join(short + ["..."] * (len(parts) > SEGMENTS))
