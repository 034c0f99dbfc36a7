"""One record of a log file, whichever of the known formats it was written in."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self

RECORD_BYTES = 64 * 1024 + 1  # with its newline; a longer record is shown up to here

# What begins a record. NULs before it are what a crash or copytruncate leaves; the rest of the line is `parse`'s.
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
    """A place in a log: the bytes before `offset` lie before it, those from `offset` on behind it.

    `device` and `inode` name the file whatever it is called by now. `head`, a checksum of the file's first bytes (0
    while it has too few), tells it from a later file with the same inode, and finds it again when it was compressed.
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
        """Return the cursor as text that may stand in an address: hexadecimal numbers with dots between."""
        return ".".join(f"{number:x}" for number in self)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `text` stands for. Raises ValueError when it is none."""
        if not re.fullmatch(r"[0-9a-f]{1,32}(\.[0-9a-f]{1,32}){3}", text, re.ASCII):
            message = "This is no place in a log."
            raise ValueError(message)
        return cls(*(int(number, 16) for number in text.split(".")))


@dataclass(slots=True, kw_only=True)
class Record:
    """A record as it stands in the file.

    What could not be read is empty: `time` is None, and `level`, `logger` and `request_id` are "" for a line that no
    known format explains; its text is the `message`. Bytes that are no UTF-8 stand as `\\xff`. Control characters are
    left as they are: escape them for a terminal or a page.
    """

    log: str  # the log's name
    cursor: Cursor  # where the record begins
    size: int  # bytes in the file, which may be more than `raw` shows
    raw: str  # the text in the file, without the last line's end, cut off at RECORD_BYTES
    time: datetime | None = None  # aware
    level: str = ""
    logger: str = ""
    request_id: str = ""  # without one, "" (and not "-")
    message: str = ""
    lines: tuple[str, ...] = ()  # continuation lines, mostly a traceback
    fields: dict[str, Any] = field(default_factory=dict)  # of a JSON record, the fields that are not named above

    @property
    def truncated(self) -> bool:
        """Tell whether only the first RECORD_BYTES of the record are shown."""
        return self.size > RECORD_BYTES


NOWHERE = Cursor(0, 0, 0, 0)  # no file's


def parse(data: bytes, *, log: str = "", cursor: Cursor = NOWHERE, size: int | None = None) -> Record:
    """Return the record that `data` is; never raises.

    `data` may be cut off; `size` is then the number of bytes in the file.
    """
    text = data.decode("utf-8", "backslashreplace").rstrip("\r\n")
    found = _parse_json(text) if text.startswith('{"', len(text) - len(text.lstrip("\0"))) else _parse_text(text)
    return Record(log=log, cursor=cursor, size=len(data) if size is None else size, raw=text, **found)


def parse_time(text: str) -> datetime | None:
    """Return the aware time that `text` (ISO 8601; without an offset, local) stands for, or None."""
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
        "lines": (*trace.splitlines(), *lines),
        "fields": fields,
    }


def _plain(value: Any) -> str:
    """Return a JSON value as text that can be encoded: half of a surrogate pair cannot."""
    return ("" if value is None else str(value)).encode("utf-8", "backslashreplace").decode()
