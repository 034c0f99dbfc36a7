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

# Possessive, as a line that does not match must not take long. The call is the method, the escaped path, the status.
_CALL = rb"([A-Z]{1,20}+ [^ \n\"\\]++ \d{3}) in (\d{1,12}+(?:\.\d{1,3}+)?+) ms"
_TIME = rb"(.{16})(.{7})"  # the minute, and what follows it
_IN_JSON = re.compile(
    rb'\n\{"timestamp": "%sZ", "level": "[A-Z]++", "logger": "applog\.request", "message": "%s'
    rb'(?:, X-Request-ID [^ "\n]++)?+"(, "request_id": "[^"\\\n]*+",[^\n]*+)' % (_TIME, _CALL)
)
_ANY_ZONE = rb"(?P<zone>Z|[+-]\d\d:\d\d)"
_ZONES = 4  # that are expected in a block; records of more are parsed one by one
_REQUEST_ID = re.compile(rb' \[(.{32}|[^]\n]*+)] |"request_id": "([^"\\\n]*+)"')
_MESSAGE = re.compile(r"(\S{1,20}) (\S+) (\d{3}|given up) in (\d{1,12}(?:\.\d{1,3})?) ms")
_NAME = LOGGER.encode()
# A part of a path that has a digit, but for v1 and the like.
_ID = re.compile(rb"/(?!v\d\d?(?:[/ ]|$))[^/\n \d]*+\d[^/\n ]*+", re.MULTILINE)
# What # stands for in a path of `name_of`.
ID = rf"(?!v\d\d?[/ ])(?:[^/ ]*\d[^/ ]*|[^/ ]{{{SEGMENT_CHARACTERS + 1},}})"
_KEY = re.compile(rb"([^ \n]*)([ \n])(.*) (\d{3}|given up)", re.DOTALL)


@lru_cache(maxsize=16)
def _in_text(zone: bytes) -> re.Pattern[bytes]:
    """Return the pattern of requests in text whose times end with the pattern `zone`.

    2026-02-09T14:03:12.417+01:00 INFO applog.request [8c1e] from 192.0.2.7 by user 5: GET /admin/ 200 in 12.3 ms
    """
    return re.compile(
        # Few groups, as each one takes time. Most ids have 32 characters, which need not be looked at one by one.
        rb"\n(.{16})(.{7}%s(?: [A-Z]++)?+ applog\.request \[(?:.{32}|[^]\n]*+)] "
        rb"(?:from (?:[^ \n]++ by user )?+[^ \n]++ )?+)%s(?:, X-Request-ID [^ \n]++)?+(?=\n|\Z)" % (zone, _CALL)
    )


class Rows(NamedTuple):
    """Requests in one time zone, by column.

    Attributes:
        zone: the end of their times, such as +01:00.
        minutes, seconds: the other parts of them, such as 2026-02-09T14:03 and :12.417, which more may follow.
        ids: texts that have the id as it stands in a record.
        keys: what `name_of` knows the name and the status of.
        durations: in ms.

    """

    zone: bytes
    minutes: list[bytes]
    seconds: list[bytes]
    ids: list[bytes]
    keys: list[bytes]
    durations: list[bytes]

    def time(self, number: int) -> str:
        """Return the time of a row."""
        return (self.minutes[number] + self.seconds[number][:7] + self.zone).decode("ascii", "replace")

    def request_id(self, number: int) -> str:
        """Return the id of a row's request, "" without one."""
        found = _REQUEST_ID.search(self.ids[number])
        name = (found[1] or found[2] or b"") if found else b""
        return "" if name == b"-" else name.decode("utf-8", "backslashreplace")


def take_apart(block: bytes) -> Iterator[Rows]:
    """Yield the requests whose records are whole lines of a block, but for the first line."""
    for _ in range(_ZONES):
        found = _in_text(_ANY_ZONE).search(block) if _NAME in block else None
        if not found:
            break
        rest, minutes, heads, calls, durations = _split(_in_text(re.escape(found["zone"])), block)
        yield Rows(found["zone"], minutes, heads, heads, _without_ids(calls), durations)
        block = b"".join(rest)
    if _NAME not in block:
        return
    rest, minutes, seconds, calls, durations, ends = _split(_IN_JSON, block)
    if minutes:
        yield Rows(b"Z", minutes, seconds, ends, list(map(_key, _without_ids(calls), ends)), durations)
    others = filter(None, (_parse(line) for line in b"".join(rest).split(b"\n")[1:] if _NAME in line))
    if rows := list(zip(*others, strict=True)):
        yield Rows(b"Z", *map(list, rows))


def _split(pattern: re.Pattern[bytes], block: bytes) -> list[list[bytes]]:
    """Return what a pattern does not match, and its groups, by column."""
    # Splitting makes one list, where finding all would make a tuple for each.
    pieces, step = pattern.split(block), pattern.groups + 1
    return [pieces[column::step] for column in range(step)]


def _without_ids(calls: list[bytes]) -> list[bytes]:
    return _ID.sub(b"/#", b"\n".join(calls)).split(b"\n")


def _key(call: bytes, fields: bytes) -> bytes:
    _, has_route, rest = fields.partition(b'"http.route": "')
    method, status = call.partition(b" ")[0], call[-4:]
    if has_route:
        route, has_more, _ = rest.partition(b'", "')
        return method + b"\n" + (route if has_more else route.rpartition(b'"')[0]) + status
    return method + b" " + status if status == b" 404" else call  # the resolver knew no such path


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
    row = when[:16], when[16:], f" [{record.request_id}] ", f"{key} {status}", duration
    return tuple(part.encode("utf-8", "replace") for part in row)


@lru_cache(maxsize=8192)
def name_of(key: bytes) -> tuple[tuple[str, str, bool], str]:
    """Return the name of a key of Rows, and the status.

    The name is the method, the route or the path without ids, and whether it is a route.
    """
    parts = _KEY.fullmatch(key)
    method, sign, place, status = (part.decode("utf-8", "backslashreplace") for part in parts.groups())  # type: ignore[union-attr]
    return (method, _route(place) if sign == "\n" else shorten(place), sign == "\n"), status


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
