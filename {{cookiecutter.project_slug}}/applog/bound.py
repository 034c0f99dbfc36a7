"""Fields that all records of a request, a task or a block have."""

import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self

from applog.redaction import plain
from applog.text import escape, shorten

MOST_FIELDS, MOST_CHARACTERS = 50, 16_000  # as JSON has them; of more, the last ones are kept
VALUE_CHARACTERS = 4000  # of a list or a dictionary, which then is a text
TEXT_CHARACTERS = 1000  # of all fields together, behind a message
_BARE = re.compile(r"[\w.:/@+-]+")


@dataclass(frozen=True)
class Bound:
    """Fields as JSON has them, without secrets, and as they stand behind a message."""

    values: dict[str, Any]
    text: str


_bound: ContextVar[Bound | None] = ContextVar("bound", default=None)


class bind:  # noqa: N801  a function that may be used with `with`
    """Add fields to every record from here on: `bind(order_id=7)`, or `bind({"order.id": 7})` for other names.

    Until the request ends, or the task, whose records other ones do not see; with `with`, until the block ends. Fields
    that are bound further in come on top. In JSON they stand by their names; a record's own `extra` of the same name
    wins. In text they follow the message. Secrets are replaced, and long values shortened, as in `extra`.
    """

    def __init__(self, fields: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self._outer = _bound.get()
        given = plain({**(fields or {}), **more})
        values = _last_of({**(self._outer.values if self._outer else {}), **given})
        text = " ".join(f"{name}={_show(value)}" for name, value in values.items())
        _bound.set(Bound(values, shorten(escape(text), TEXT_CHARACTERS)) if values else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _bound.set(self._outer)


def _last_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return the last fields that are within the limits, so that a stranger's values do not fill each record."""
    kept: dict[str, Any] = {}
    room = MOST_CHARACTERS
    for name in reversed(values):
        written, value = json.dumps(values[name]), values[name]
        if isinstance(value, (dict, list)) and len(written) > VALUE_CHARACTERS:
            value = shorten(written, VALUE_CHARACTERS)
            written = json.dumps(value)
        room -= len(json.dumps(name)) + len(written)
        if room < 0 or len(kept) == MOST_FIELDS:
            break
        kept[name] = value
    return dict(reversed(kept.items()))


def _show(value: Any) -> str:
    return value if isinstance(value, str) and _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def bound_fields() -> Bound | None:
    """Return the fields that are bound at present."""
    return _bound.get()


def forget_fields() -> None:
    """End all fields that are bound."""
    _bound.set(None)
