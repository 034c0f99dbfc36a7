"""One record of a log file, parsed from any of the known formats."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self

RECORD_BYTES = 64 * 1024 + 1  # with the newline; of a longer record only so much is read

# What begins a record. A crash, and logrotate's copytruncate, leave NULs before it.
# - 2026-11-24T05:37:47.123+01:00 INFO shop.orders [3f2c] message, or logging's own asctime and a level in capitals
# - {"timestamp": "2026-11-24T04:37:47.123Z", "level": "INFO", ...
TEXT_TIME = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3}"
HEADER = rb"\x00*(?:%s(?:(?:Z|[+-]\d\d:\d\d) [^\s]| [A-Z])|\{\"timestamp\")" % TEXT_TIME

_HEADER = re.compile(HEADER.decode())
_TEXT = re.compile(
    r"(?P<time>\S{23,29}|\S+ \S+) (?P<level>\S+) (?P<logger>\S+)(?: \[(?P<request_id>[^\]\s]+)\])? ?(?P<message>.*)",
    re.DOTALL,
)
# The beginning of a JSON record, for one that is cut off.
_JSON_START = re.compile(
    r'\{"timestamp": ?"(?P<time>[^"]*)"(?:, ?"level": ?"(?P<level>[^"]*)")?(?:, ?"logger": ?"(?P<logger>[^"]*)")?'
)


class Cursor(NamedTuple):
    """A position in a log, between two bytes of one file.

    Attributes:
        device, inode: the file, under whatever name it has now.
        head: a checksum of the file's first HEAD_BYTES bytes; 0 while it is shorter. It tells the file from a later one
            with the same inode, and identifies a compressed copy.
        offset: the number of bytes before the position.

    """

    device: int
    inode: int
    head: int
    offset: int

    @property
    def identity(self) -> tuple[int, int]:
        """The file's device and inode."""
        return self.device, self.inode

    def __str__(self) -> str:
        """Return the cursor as text for a URL: hexadecimal numbers separated by dots."""
        return ".".join(f"{number:x}" for number in self)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `str` made `text` of. Raises ValueError for any other text."""
        if not re.fullmatch(r"[0-9a-f]{1,32}(\.[0-9a-f]{1,32}){3}", text, re.ASCII):
            message = "This is not a position in a log."
            raise ValueError(message)
        return cls(*(int(number, 16) for number in text.split(".")))


@dataclass(slots=True, kw_only=True)
class Record:
    """A record of a log file.

    A line in an unknown format is a record, too: its `message` is the whole line, its `time` is None, and its `level`,
    `logger` and `request_id` are "". Bytes that are not UTF-8 are written as `\\xff`. Control characters are not
    escaped; that is left to what shows the record.
    """

    log: str  # the log's name
    cursor: Cursor  # where the record begins
    size: int  # bytes in the file, which may be more than `raw` shows
    raw: str  # the text in the file, at most RECORD_BYTES of it, without the last line end
    time: datetime | None = None  # aware
    level: str = ""
    logger: str = ""
    request_id: str = ""  # without one, "" (and not "-")
    message: str = ""
    lines: tuple[str, ...] = ()  # the lines below the first, usually a traceback
    fields: dict[str, Any] = field(default_factory=dict)  # further fields of a JSON record

    @property
    def truncated(self) -> bool:
        """Tell whether the record is longer than RECORD_BYTES, so that `raw` is only its beginning."""
        return self.size > RECORD_BYTES


NO_FILE = Cursor(0, 0, 0, 0)  # a position in no file


def parse(data: bytes, *, log: str = "", cursor: Cursor = NO_FILE, size: int | None = None) -> Record:
    """Return the record that `data` holds. Nothing is raised, whatever `data` is.

    If `data` is only the beginning of a record, `size` is the number of bytes in the file.
    """
    text = data.decode("utf-8", "backslashreplace").rstrip("\r\n")
    found = _parse_json(text) if text.startswith('{"', len(text) - len(text.lstrip("\0"))) else _parse_text(text)
    return Record(log=log, cursor=cursor, size=len(data) if size is None else size, raw=text, **found)


def parse_time(text: str) -> datetime | None:
    """Return the aware time of `text` in ISO 8601 (local time if it has no offset), or None if it is not a time."""
    try:
        time = datetime.fromisoformat(text)
        return time if time.tzinfo else time.astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _parse_text(text: str) -> dict[str, Any]:
    first, *lines = text.lstrip("\0").split("\n")
    found = _TEXT.match(first)
    if not found or not _HEADER.match(first):
        first, *lines = text.split("\n")  # with its NULs
        return {"message": first.rstrip("\r"), "lines": tuple(line.rstrip("\r") for line in lines)}
    parts = found.groupdict(default="")
    return {
        "time": parse_time(parts["time"]),
        "level": parts["level"],
        "logger": parts["logger"],
        "request_id": "" if parts["request_id"] == "-" else parts["request_id"],
        "message": parts["message"].rstrip("\r"),
        "lines": tuple(line.rstrip("\r") for line in lines),
    }


def _parse_json(text: str) -> dict[str, Any]:
    first, *lines = text.lstrip("\0").split("\n")
    try:
        fields = json.loads(first)
    except (ValueError, RecursionError):  # cut off, or made to explode
        found = _JSON_START.match(first)
        parts = found.groupdict(default="") if found else {"time": ""}
        return {**parts, "time": parse_time(parts["time"]), "message": first, "lines": tuple(lines)}
    time, level, logger, message, request_id = (
        _plain(fields.pop(name, "")) for name in ("timestamp", "level", "logger", "message", "request_id")
    )
    trace = _plain(fields.get("exception.stacktrace", ""))
    return {
        "time": parse_time(time),
        "level": level,
        "logger": logger,
        "request_id": "" if request_id == "-" else request_id,
        "message": message,
        "lines": (*trace.split("\n"), *lines) if trace else tuple(lines),
        "fields": fields,
    }


def _plain(value: Any) -> str:
    """Return a JSON value as text that can be encoded: half of a surrogate pair cannot."""
    return ("" if value is None else str(value)).encode("utf-8", "backslashreplace").decode()
