"""What the tests of the reader share: the reader of the template, and records as the project writes them."""

import importlib
import json
from datetime import UTC, datetime, timedelta

import storm

storm.load_handlers()
reader = importlib.import_module("applog.reader")
Filter = importlib.import_module("applog.search").Filter
parse = importlib.import_module("applog.records").parse
Cursor = importlib.import_module("applog.records").Cursor

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


def read_all(logs, matching=None, *, count=37, seconds=60, forwards=False):
    """Page through whole logs, by positions written as text, and return the records in the order of reading."""
    position, records = None, []
    matching = matching or Filter()
    while True:
        if forwards:
            page = reader.read_newer(
                logs, position or reader.Position(), count=count, matching=matching, seconds=seconds
            )
            records += reversed(page.records)
            position = page.newer
        else:
            page = reader.read_older(logs, position, count=count, matching=matching, seconds=seconds)
            records += page.records
            position = page.older
        position = reader.Position.parse(str(position))
        if page.exhausted:
            return records


def numbers(records):
    """Return the numbers of records that `text` or `as_json` made."""
    return [int(record.request_id[1:]) for record in records]
