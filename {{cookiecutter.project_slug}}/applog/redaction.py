"""Keeps secrets out of the log: values whose key says that they are secret, in containers of any kind."""

import dataclasses
import datetime
import decimal
import ipaddress
import math
import operator
import pathlib
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping, Set
from enum import Enum
from itertools import pairwise
from typing import Any

from django.utils.functional import Promise

from applog.secret_names import REDACTED, is_secret
from applog.secret_text import redact_text
from applog.text import encodable, shorten

OMITTED = "..."
MAX_DEPTH = 12
FIELD_CHARACTERS = 4000
_MAX_INT = 2**63
# Objects whose text is their value.
_TEXTUAL = (
    decimal.Decimal, uuid.UUID, pathlib.PurePath, datetime.timedelta, Promise, BaseException,
    ipaddress.IPv4Address, ipaddress.IPv6Address,
)  # fmt: skip

NUMBERS = frozenset({int, float, bool, type(None)})
SCALARS = NUMBERS | {str}
TEXT = (str, bytes, bytearray, memoryview)
# Kinds of containers. Not every Sequence: looking at a page of a paginator would query the database.
ALL = (Mapping, list, tuple, Set, deque)
NAMES_QUERY = {"query_string", "querystring", "http.query", "url.query"}
NAMES_URL = {"referer", "http_referer", "referrer", "raw_uri", "request_uri", "http_x_original_url", "x_original_url"}


def redact(value: Any, convert: Callable[[Any], Any] | None = None, parents: tuple[int, ...] = ()) -> Any:
    """Return `value` with REDACTED in place of each secret, however deep it is in mappings, sequences and sets.

    A key is also the first item of each pair in a container of pairs, such as the headers of an ASGI scope; the "name"
    or "key" beside a "value"; and an option such as --password before the next item. Query strings, and those of
    referrers, are left out.

    Containers that contain themselves, or are nested deeper than MAX_DEPTH, are replaced by OMITTED. A container whose
    own methods fail is replaced by the name of its class.

    Args:
        value: any object.
        convert: called for each value that is not a container. With it, all mappings become dicts with keys of type
            str, as do named tuples and dataclasses, and other sequences and sets become lists. Without it, a container
            without secrets is returned as it is.
        parents: the ids of the containers that `value` is in.

    """
    try:
        if type(value) is not dict:  # which most containers are
            if type(value) in SCALARS or isinstance(value, TEXT):
                return value if convert is None else convert(value)
            if convert and (fields := _fields(value)) is not None:
                value = fields
            if not isinstance(value, ALL):
                return value if convert is None else convert(value)
        if id(value) in parents or len(parents) > MAX_DEPTH:
            return OMITTED
        parents = (*parents, id(value))
        if isinstance(value, Mapping):
            return _redact_mapping(value, convert, parents)
        return _redact_items(value, convert, parents)
    except Exception:  # noqa: BLE001  whatever the object's own methods raise
        return name_of(type(value))


def _fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of a named tuple or a dataclass, None for all else."""
    if isinstance(value, tuple):
        return value._asdict() if hasattr(value, "_asdict") else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.repr}
    return None


def _redact_mapping(value: Mapping[Any, Any], convert: Callable[[Any], Any] | None, parents: tuple[int, ...]) -> Any:
    old = dict(value.items())
    new = {}
    for key, item in old.items():
        if type(key) is str and type(item) in NUMBERS:  # most of them
            new[key] = REDACTED if is_secret(key, item) else convert(item) if convert else item
        else:
            new[key] = _redact_value(key, item, convert, parents)
    if "value" in old and is_secret(old.get("name", old.get("key")), old["value"]):
        new["value"] = REDACTED
    if convert:
        return {
            convert(key) if type(key) is str else str(redact(key, convert, parents)): item for key, item in new.items()
        }
    return value if all(new[key] is item for key, item in old.items()) else new


def _redact_value(key: Any, value: Any, convert: Callable[[Any], Any] | None, parents: tuple[int, ...]) -> Any:
    """Return the value of a key."""
    if type(key) is not str:
        if isinstance(key, tuple):
            return REDACTED if any(is_secret(part, value) for part in key) else redact(value, convert, parents)
        key = key.value if isinstance(key, Enum) else key.decode("latin-1") if isinstance(key, bytes) else key
    if is_secret(key, value):
        return REDACTED
    if isinstance(value, (str, bytes)) and isinstance(key, str) and value:
        name = key.lower().replace("-", "_")
        if name in NAMES_QUERY:
            return OMITTED
        if name in NAMES_URL:
            text = value if isinstance(value, str) else value.decode("latin-1")
            value = text if "?" not in text else f"{text.partition('?')[0]}?{OMITTED}"
    return redact(value, convert, parents)


def _redact_items(value: Collection[Any], convert: Callable[[Any], Any] | None, parents: tuple[int, ...]) -> Any:
    old = list(value)
    new = [_redact_pair(item, convert, parents) if _is_pair(item) else redact(item, convert, parents) for item in old]
    for i, (option, item) in enumerate(pairwise(old), 1):
        if isinstance(option, str) and option[:2] == "--" and "=" not in option and is_secret(option[2:], item):
            new[i] = REDACTED
    if convert:
        return new
    if all(map(operator.is_, new, old)):
        return value
    return tuple(new) if isinstance(value, tuple) else new


def _is_pair(item: Any) -> bool:
    """Tell whether an item of a container is a name and what it names."""
    return type(item) in {tuple, list} and len(item) == 2 and isinstance(item[0], (str, bytes))  # noqa: PLR2004


def _redact_pair(pair: Any, convert: Callable[[Any], Any] | None, parents: tuple[int, ...]) -> Any:
    key, item = pair
    new = _redact_value(key, item, convert, parents)
    if convert:
        return [redact(key, convert), new]
    return pair if new is item else type(pair)((key, new))


def name_of(cls: type) -> str:
    """Return the full name of a class, without the module of a built-in one."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def plain(value: Any) -> Any:
    """Return `value` without secrets, as JSON has it for any parser: no NaN, lone surrogate, or large integer.

    Other objects are replaced by the name of their class, as their repr may contain anything.
    """
    return _convert(value) if type(value) in SCALARS else redact(value, _convert)


def _convert(value: Any) -> Any:  # noqa: PLR0911  a type each
    kind = type(value)  # for most values, in a third of the time
    if kind is str and value.isascii() and len(value) <= FIELD_CHARACTERS:
        return redact_text(value)
    if kind in {int, float} and abs(value) < _MAX_INT:  # which no NaN is
        return value
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return encodable(shorten(redact_text(value), FIELD_CHARACTERS))
        case int():
            return int(value) if -_MAX_INT <= value < _MAX_INT else shorten(hex(value), FIELD_CHARACTERS)
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case memoryview():
            return f"memoryview, {value.nbytes:,} bytes"
        case bytes() | bytearray():
            return shorten(redact_text(value.decode("utf-8", "backslashreplace")), FIELD_CHARACTERS)
        case datetime.date() | datetime.time():
            return value.isoformat()
    return plain(str(value)) if isinstance(value, _TEXTUAL) else name_of(type(value))
