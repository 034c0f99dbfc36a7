"""Requests in a block of a log, by their route, or by their path if the log does not say the route.

The records of applog.middleware are taken apart as bytes, line by line, so that this is fast; those that another
formatter has written are parsed.
"""

import json
import re
from datetime import UTC
from functools import lru_cache

from applog.fingerprint import split_context
from applog.reading.record import RECORD_BYTES, parse

LOGGER = "applog.request"
PARTS_OF_JSON = 6
PATH_CHARACTERS, SEGMENTS, SEGMENT_CHARACTERS = 200, 12, 40

_MESSAGE = re.compile(r"(\S{1,20}) (\S+) (\d{3}|given up) in (\d{1,12}(?:\.\d{1,3})?) ms")
# What follows the milliseconds of the time, up to the logger; statuses; durations.
_TAIL = re.compile(rb"(?:Z|[+-]\d\d:\d\d)(?: [^\s\[]+)?")
_STATUS, _DURATION = re.compile(rb"\d{3}"), re.compile(rb"\d{1,12}(?:\.\d{1,3})?")
_IS_ID = re.compile(r"^(?!v\d\d?$).*\d")
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_IN_TEXT, _NAME = f" {LOGGER} [".encode(), LOGGER.encode()
_IN_JSON = f'logger": "{LOGGER}'.encode()
_ROUTE = b'"http.route": "'

# What a record begins with, up to its logger; the status; the duration in ms; and the record's line.
Row = tuple[bytes, bytes, bytes, bytes]
Name = tuple[str, str, bool]  # the method, the route or folded path, and whether it is a route


def take_apart(block: bytes) -> dict[Name, list[Row]]:  # noqa: PLR0912  calls would take longer than the rest
    """Return the requests whose records are whole lines of a block, but for the first line.

    A line such as this is split, which is fast, any other one is parsed:
    2026-02-09T14:03:12.417+01:00 INFO applog.request [8c1e] from 192.0.2.7: GET /admin/ 200 in 12.3 ms
    """
    rows: dict[bytes, list[Row]] = {}
    others: list[bytes] = []
    for line in block.split(b"\n")[1:]:
        head, _, rest = line.partition(_IN_TEXT)
        if rest:
            words = rest.rsplit(b" ", 6)
            route = b""
        elif _NAME not in line[:100]:
            continue
        elif len(parts := line.split(b'", "', 5)) == PARTS_OF_JSON and parts[2] == _IN_JSON:
            head, words = parts[0][15:], [b"", *parts[3][11:].split(b" ")]
            _, _, route = parts[5].partition(_ROUTE)
        else:
            words = []
        if len(words) == 7 and words[4] == b"in":  # noqa: PLR2004
            _, method, path, status, _, duration, _ = words
            if route:
                key = method + b"\n" + route.partition(b'"')[0]
            elif status == b"404" and head[-1:] == b"Z":  # JSON; the resolver knew no such path
                key = method + b" "
            elif b"/v" in path:
                kept = path.find(b"/v") + 4  # /v1 and /v2 differ
                key = method + b" " + path[:kept] + path[kept:].translate(_DIGITS)
            else:
                key = method + b" " + path.translate(_DIGITS)
            row = head, status, duration, line
            if key in rows:
                rows[key].append(row)
            else:
                rows[key] = [row]
        else:
            others.append(line)
    merged: dict[Name, list[Row]] = {}
    for key, found in rows.items():
        method, separator, place = key.partition(b"\n" if b"\n" in key else b" ")
        if not (method.isalpha() and b"\\" not in place and _are_usual(found)):
            others += [row[3] for row in found]
            continue
        is_route = separator == b"\n"
        name = method.decode(), _route(place) if is_route else fold(place), is_route
        merged.setdefault(name, []).extend(found)
    for parsed in map(_parse, others):
        if parsed:
            merged.setdefault(parsed[0], []).append(parsed[1])
    return merged


def _are_usual(rows: list[Row]) -> bool:
    """Tell whether the parts of all rows are what they should be, so that nothing else was taken for them."""
    heads, statuses, durations, _ = zip(*rows, strict=True)
    return (
        all(map(_TAIL.fullmatch, {head[23:] for head in heads}))
        and all(map(_STATUS.fullmatch, set(statuses)))
        and all(map(_DURATION.fullmatch, set(durations)))
    )


def _parse(line: bytes) -> tuple[Name, Row] | None:
    """Return a request whose record is in any known format, or None if it is none."""
    line = line[:RECORD_BYTES]
    record = parse(line)
    found = _MESSAGE.match(split_context(LOGGER, record.message).message)
    if not (record.logger == LOGGER and record.time and found):
        return None
    method, path, status, duration = found.groups()
    head = f"{record.time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z".encode()
    given = record.fields.get("http.route")
    route = given[:PATH_CHARACTERS] if isinstance(given, str) else ""
    is_unknown = status == "404" and "http.request.method" in record.fields
    name = method, route or ("" if is_unknown else fold(path.encode())), bool(route)
    return name, (head, status.encode(), duration.encode(), line)


@lru_cache(maxsize=8192)
def _route(data: bytes) -> str:
    """Return the route that JSON has as `data`."""
    return str(json.loads(b'"%s"' % data))[:PATH_CHARACTERS]


@lru_cache(maxsize=8192)
def fold(path: bytes) -> str:
    """Return a path with # in place of each part that has a digit, but for v1 and the like, or is long."""
    parts = path[:PATH_CHARACTERS].decode("ascii", "replace").split("/")
    folded = ["#" if _IS_ID.search(part) or len(part) > SEGMENT_CHARACTERS else part for part in parts[:SEGMENTS]]
    return "/".join(folded + ["..."] * (len(parts) > SEGMENTS))
