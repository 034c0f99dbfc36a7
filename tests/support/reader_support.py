"""What the tests of the reader share: the reader of the template, and records as the project writes them."""

import importlib
import json
from datetime import UTC, datetime, timedelta

import storm

storm.load_handlers()
record, query, log, pages, counts = (
    importlib.import_module(f"applog.reading.{name}") for name in ("record", "query", "log", "pages", "counts")
)
Cursor, parse = record.Cursor, record.parse
Query, RotatedLog, Position = query.Query, log.RotatedLog, pages.Position
read_older, read_newer = pages.read_older, pages.read_newer
count_records = counts.count_records

BEGIN = datetime(2026, 11, 24, 5, tzinfo=UTC)


def at(number):
    """Return the time of the record with this number: one a second."""
    return BEGIN + timedelta(seconds=number)


def text(number, message="hello", level="INFO", logger="shop.orders", lines=0):
    """Return a record in the text format, with so many continuation lines."""
    time = at(number).isoformat(timespec="milliseconds")
    return f"{time} {level} {logger} [r{number}] {message}\n" + "".join(
        f"    line {i} of {number}\n" for i in range(lines)
    )


def as_json(number, message="hello", level="INFO", logger="shop.orders", **fields):
    """Return a record in the JSON format."""
    time = at(number).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    named = {"timestamp": time, "level": level, "logger": logger, "message": message, "request_id": f"r{number}"}
    return json.dumps(named | fields) + "\n"


def write(path, content):
    """Write a file, and its folder where that is missing."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def append(path, content):
    """Append to a file as a handler does."""
    with path.open("ab") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def read_all(logs, query=None, *, count=37, seconds=60, forwards=False):
    """Page through whole logs, by positions written as text, and return the records in the order of reading."""
    position, records = None, []
    query = query or Query()
    while True:
        if forwards:
            page = read_newer(logs, position or Position(), count=count, query=query, seconds=seconds)
            records += reversed(page.records)
            position = page.newer
        else:
            page = read_older(logs, position, count=count, query=query, seconds=seconds)
            records += page.records
            position = page.older
        position = Position.parse(str(position))
        if page.exhausted:
            return records


def numbers(records):
    """Return the numbers of records that `text` or `as_json` made."""
    return [int(record.request_id[1:]) for record in records]
