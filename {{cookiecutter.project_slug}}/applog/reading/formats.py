"""The formats of records that are read: this log's own, and what other formatters write.

- 2026-11-24T05:37:47.123+01:00 INFO shop [3f2c] message: here; with any fraction or zone, with or without an id
- 2026-11-24 05:37:47,123 - shop - INFO - message: in the standard library's documentation
- INFO 2026-11-24 05:37:47,123 views 12 140 message: "verbose" in Django's documentation
- INFO:shop:message: logging.basicConfig
- [2026-11-24 05:37:47 +0000] [12] [INFO] message: gunicorn
- [24/Nov/2026 05:37:47] "GET / HTTP/1.1" 200 5: runserver
- INFO:     message: uvicorn
- [2026-11-24 05:37:47,123] INFO in shop: message: Flask
- [2026-11-24 05:37:47,123: INFO/MainProcess] message: Celery
- 2026-11-24 05:37:47,123 [INFO] shop: message, and 2026-11-24 05:37:47,123:INFO:shop:message: others
- 2026-11-24 05:37:47.123456 | INFO     | shop:f:1 - message: loguru
- 2026-11-24T05:37:47Z [info     ] message: structlog
- a JSON object with the keys of this log, python-json-logger, structlog, ECS or Google Cloud, in any order
"""

import json
import logging
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any

_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_ZONE = r"(?:Z| ?[+-]\d\d:?\d\d)"
_LEVEL = r"(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)"
# With as many spaces as uvicorn has: a message may have such words, too.
_UVICORN = r"(?:DEBUG: {4}|INFO: {5}|WARNING: {2}|ERROR: {4}|CRITICAL: )(?! )"
_DAY = r"\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d"
_JSON_NAMES = {
    "time": ("timestamp", "asctime", "@timestamp", "time", "ts"),
    "level": ("level", "levelname", "log.level", "severity"),
    "logger": ("logger", "name", "log.logger"),
    "message": ("message", "msg", "event"),
    "request_id": ("request_id",),
}
# What the names of a JSON record's fields stand for; a time is compared, not found.
OWN_FIELDS = {name: field for field, names in _JSON_NAMES.items() if field != "time" for name in names}
_NAMED = [name for names in _JSON_NAMES.values() for name in names]
_TRACES = "exception.stacktrace", "exc_info", "exception", "error.stack_trace"
_KEYS = "|".join(map(re.escape, _NAMED))
_LOGGER = r"[\w.-]+"

# What begins a record. A crash, and logrotate's copytruncate, leave NULs before it; Notepad a byte order mark.
HEADER = (
    r"(?:\x00|\xef\xbb\xbf)*"
    rf"(?:{_TIME}(?:{_ZONE}? [A-Z]|{_ZONE} [^\s]| - | \||{_ZONE}? \[(?:[a-z]|{_LEVEL}\])|:{_LEVEL}:)"
    rf"|{_LEVEL}(?: {_TIME} |:{_LOGGER}:)|{_UVICORN}"
    rf"|\[(?:{_TIME} [+-]\d{{4}}\] \[\d|{_TIME}(?:\] {_LEVEL} in |: {_LEVEL}/)|{_DAY}\])"
    rf'|\{{ ?"(?:(?:{_KEYS}|pathname|lineno|process|thread|module|filename|taskName|service)[".]'
    # Or any other key, in an object that has a time and a message.
    r'|(?=[^\n]{0,4000}?"(?:@?timestamp|asctime|time|ts)": ?["\d])(?=[^\n]{0,4000}?"(?:message|msg|event)": ?")))'
).encode("latin-1")
_HEADER = re.compile(HEADER.decode("latin-1").replace("\xef\xbb\xbf", "\ufeff"))

_FORMATS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rf"(?P<time>{_TIME}{_ZONE}?) (?P<level>[^\s\[|-]\S*) +(?P<logger>\S+)"
        r"(?: \[(?P<request_id>[^\]\s]+)\])? ?(?P<message>.*)",
        rf"(?P<time>{_TIME}{_ZONE}?) - (?P<logger>\S+) - (?P<level>[A-Z]+) - (?P<message>.*)",
        rf"(?P<level>{_LEVEL}) (?P<time>{_TIME}) (?P<logger>\S+) (?:\d+ \d+ )?(?P<message>.*)",
        rf"(?P<level>{_LEVEL}):(?P<logger>{_LOGGER}):(?P<message>.*)",
        rf"\[(?P<time>{_TIME} [+-]\d{{4}})\] \[\d+\] \[(?P<level>[A-Z]+)\] (?P<message>.*)",
        rf"\[(?P<time>{_DAY})\] (?P<message>.*)",
        rf"(?P<time>{_TIME}) \| (?P<level>\w+) *\| (?P<logger>[^\s:]+)\S* - (?P<message>.*)",
        rf"(?P<time>{_TIME}{_ZONE}?) \[(?P<level>[a-z]+) *\] (?P<message>.*)",
        rf"(?P<time>{_TIME}{_ZONE}?) \[(?P<level>[A-Z]+)\] (?:(?P<logger>{_LOGGER}): )?(?P<message>.*)",
        rf"(?P<time>{_TIME}):(?P<level>[A-Z]+):(?P<logger>{_LOGGER}):(?P<message>.*)",
        rf"\[(?P<time>{_TIME})\] (?P<level>[A-Z]+) in (?P<logger>\w+): (?P<message>.*)",
        rf"\[(?P<time>{_TIME}): (?P<level>[A-Z]+)/\S+?\] (?P<message>.*)",
        rf"(?=(?P<level>{_LEVEL})){_UVICORN}(?P<message>.*)",
    )
]
_BETWEEN = re.compile(r"[\s,:]*")  # two values of a JSON object
_EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?")
_STATUS = re.compile(r'" ([1-5])\d\d ')  # of a request, in runserver's record
_OF_STATUS = {"INFO": r"\] ", "WARNING": '" 4', "ERROR": '" 5'}  # what a status of such a level stands behind
SAME_LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL"}
NAMELESS, SPACE = "Level", r"\x20"  # how `logging` calls a level without a name, and a space of a level in text
_SPACES, _BEHIND_LEVEL = r"(?: |\\x20)", r'[ "\]:/|]'


def parse_time(text: str) -> datetime | None:
    """Return the aware time of `text`, or None if it is not a time.

    That is ISO 8601 (local time if it has no offset), seconds or milliseconds since 1970, or a time of runserver's.
    """
    try:
        if _EPOCH.fullmatch(text):
            return datetime.fromtimestamp(float(text[:10] + "." + text[10:].replace(".", "")), UTC)
        if text[2:3] == "/":
            return datetime.strptime(text, "%d/%b/%Y %H:%M:%S").astimezone()
        time = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
        time = time if time.tzinfo else time.astimezone()
    except (ValueError, OverflowError, OSError):
        return None
    return time if MINYEAR < time.year < MAXYEAR else None  # with room for any time zone


def parse_record(text: str) -> dict[str, Any]:
    """Return the fields of `applog.reading.record.Record` that `text` has."""
    start = text.lstrip("\0\ufeff")
    return _parse_json(start) if start.startswith("{") else _parse_text(text)


def level_forms(name: str) -> list[str]:
    """Return expressions, in either case, for how the level `name` is written in a record, in one of the formats.

    They may match in others' messages, too.
    """
    names = [name, *(other for other, same in SAME_LEVELS.items() if same == name)]
    # Of bytes, a search ignores the case of ASCII letters only.
    names += [] if name.isascii() else [name.lower(), name.upper()]
    names += [json.dumps(other)[1:-1] for other in names]
    forms = [re.escape(word).replace(r"\ ", _SPACES) + _BEHIND_LEVEL for word in dict.fromkeys(names)]
    return [*forms, _OF_STATUS[name]] if name in _OF_STATUS else forms


def level_forms_from(number: int) -> list[str]:
    """Return expressions as `level_forms` does, for levels from this number on."""
    # In either case, the one for those without a name would begin at the key of each JSON record.
    names = sorted(name for name, own in logging.getLevelNamesMapping().items() if own >= number)
    return [*(form for name in names for form in level_forms(name)), rf"(?-i:{NAMELESS}{_SPACES})\d"]


def level_number(name: str) -> int:
    """Return the number of a level, -1 for none that is known. One without a name has its number in it."""
    found = re.fullmatch(rf"{NAMELESS} (\d{{1,9}})", name)
    return int(found[1]) if found else logging.getLevelNamesMapping().get(name, -1)


def logger_forms(names: Sequence[str]) -> list[str]:
    """Return how the names of these loggers, or of those below them, are written in a record, in one of the formats."""
    forms = [form for name in names for form in (f" {name} ", f" {name}.", f" {name}:", f":{name}:", f":{name}.")]
    quoted = {f'"{form}' for name in names for form in (name, json.dumps(name)[1:-1])}
    return forms + [f"{name}{end}" for name in sorted(quoted) for end in ('"', ".")]


def normal_level(name: str) -> str:
    """Return a level's name as logging has it, of one that is written in another case, or is another name for it."""
    name, known = name.replace(SPACE, " "), logging.getLevelNamesMapping()
    if name not in known:
        upper = name.upper()
        own = next((own for own in known if own.upper() == upper), "")
        name = own or (upper if name.isalpha() else name.capitalize() if level_number(name.capitalize()) >= 0 else name)
    return SAME_LEVELS.get(name, name)


def split_levels(level: str) -> tuple[str, list[str]]:
    """Return the sign of a filter of levels, "=", "-" or "", and the names as they were typed."""
    sign = level[:1] if level[:1] in {"=", "-"} else ""
    return sign, level.lstrip("=-").split(",") if sign else [level]


def normal_levels(level: str) -> str:
    """Return a filter of levels, as `Query` has it, with their names as logging has them."""
    sign, names = split_levels(level)
    return sign + ",".join(map(normal_level, names))


def _parse_text(text: str) -> dict[str, Any]:
    first, *lines = text.lstrip("\0\ufeff").split("\n")
    is_known = _HEADER.match(first) and first[0] != "{"
    found = next(filter(None, (pattern.match(first) for pattern in _FORMATS)), None) if is_known else None
    if not found:
        first, *lines = text.split("\n")  # with its NULs
        return {"message": first.rstrip("\r"), "lines": tuple(line.rstrip("\r") for line in lines)}
    parts = {"level": "", "logger": "", "request_id": "", "time": "", **found.groupdict(default="")}
    level = normal_level(parts["level"])
    if "/" in parts["time"]:
        status = _STATUS.search(first)
        level = {"4": "WARNING", "5": "ERROR"}.get(status[1] if status else "", "INFO")
    return {
        "time": parse_time(parts["time"]),
        "level": level,
        "logger": parts["logger"],
        "request_id": "" if parts["request_id"] == "-" else parts["request_id"],
        "message": parts["message"].rstrip("\r"),
        "lines": tuple(line.rstrip("\r") for line in lines),
    }


def _parse_json(text: str) -> dict[str, Any]:
    first, *lines = text.split("\n")
    try:
        fields = _JSON.decode(first)
    except (ValueError, RecursionError):  # cut off, or made to explode
        fields = {**dict(_whole_fields(first)), "message": first}
    if not isinstance(fields, dict) or not any(name in fields for name in _NAMED):
        return _parse_text(text)
    given = {key: _plain(_take(fields, names)) for key, names in _JSON_NAMES.items()}
    traces = [(name, fields.get(name)) for name in _TRACES]
    # "exception" may be a name as well.
    texts = (text for name, text in traces if isinstance(text, str) and (name != "exception" or "\n" in text))
    trace = _plain(next(texts, ""))
    return {
        **given,
        "time": parse_time(given["time"]),
        "level": normal_level(given["level"]),
        "request_id": "" if given["request_id"] == "-" else given["request_id"],
        "lines": (*trace.split("\n"), *lines) if trace else tuple(lines),
        "fields": fields,
    }


def _whole_fields(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a JSON object up to where it is cut off."""
    place = 1
    with suppress(ValueError, RecursionError):
        while True:
            name, place = _JSON.raw_decode(text, _BETWEEN.match(text, place).end())  # type: ignore[union-attr]
            value, place = _JSON.raw_decode(text, _BETWEEN.match(text, place).end())  # type: ignore[union-attr]
            yield str(name), value


def _number(text: str) -> float | str:
    """Return a JSON number, or the text of one that is too large for a float, which no JSON could write."""
    number = float(text)
    return number if math.isfinite(number) else text


_JSON = json.JSONDecoder(parse_constant=str, parse_float=_number)


def _take(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Return the field with the first of `names` that there is, and remove it from the others."""
    return fields.pop(next((name for name in names if name in fields), ""), "")


def _plain(value: Any) -> str:
    """Return a JSON value as text that can be encoded: half of a surrogate pair cannot."""
    return ("" if value is None else str(value)).encode("utf-8", "backslashreplace").decode()
