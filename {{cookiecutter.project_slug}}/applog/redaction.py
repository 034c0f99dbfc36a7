"""Keeps secrets out of the log: values whose key says that they are secret.

The words are those of Django's SafeExceptionReporterFilter.hidden_settings, and of similar lists such as
https://docs.sentry.io/platforms/python/data-management/sensitive-data/.
"""

import datetime
import decimal
import ipaddress
import math
import operator
import pathlib
import re
import uuid
from collections.abc import Callable, Mapping, Sequence, Set
from enum import Enum
from functools import lru_cache
from typing import Any

from django.utils.functional import Promise

from applog.text import encodable, shorten

REDACTED = "********"
OMITTED = "..."
MAX_DEPTH = 12
CACHED_CHARACTERS = 100
FIELD_CHARACTERS = 4000
_MAX_INT = 2**63
# Objects whose text is their value.
_TEXTUAL = (
    decimal.Decimal, uuid.UUID, pathlib.PurePath, datetime.timedelta, Promise, BaseException,
    ipaddress.IPv4Address, ipaddress.IPv6Address,
)  # fmt: skip

SCALARS = frozenset({str, int, float, bool, type(None)})
TEXT = (str, bytes, bytearray)
SOME, ALL = (Mapping, list, tuple), (Mapping, Sequence, Set)  # kinds of containers

# Parts of a key that always denote a secret, and words that do so only as a whole: an author is not a secret.
_PART = re.compile(
    r"passw|passphrase|passcode|secret|token|cookie|authorization|credential|csrf|jwt"
    r"|(api|private|access|encryption|account|ssh)key|sess(ion)?_?id"
)
_WORD = re.compile(r"(?<![a-z])(pass|pwd|auth|bearer|[th]?otp|pin|sid|session|signature|keys?)(?![a-z])")
_HARMLESS = re.compile(
    r"(primary|foreign|public|sort|cache|idempotency|partition|routing|object|storage|s3|natural|lookup|search|group)_?keys?"
    r"|secretar|tokeni[sz]|cookie_?(banner|consent|notice|policy)|csrf_?(ok|valid|exempt)"
)
# A number is a secret only if the key ends like this: max_tokens=512 and session_count=3 are not.
_NUMBER = re.compile(r"(passw(or)?d|passphrase|passcode|pass|pwd|pin|[th]?otp|secret|token|sid|sess(ion)?_?id|key)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def _names_secret(key: str, *, is_number: bool) -> bool:
    words = _HARMLESS.sub("", _CAMEL.sub("_", key).lower().replace("-", "_"))
    return bool((_PART.search(words) or _WORD.search(words)) and (not is_number or _NUMBER.search(words)))


def is_secret(key: object, value: object) -> bool:
    """Tell whether `key` names a password, token, key, cookie, session or authorization, and `value` may be one."""
    if value is None or isinstance(value, bool):  # has_password=True
        return False
    if not isinstance(key, (str, bytes)):
        return False
    key = key if isinstance(key, str) else key.decode("latin-1")
    # The cache is bounded in bytes, too: strangers choose keys.
    look = _names_secret if len(key) <= CACHED_CHARACTERS else _names_secret.__wrapped__
    return look(key, is_number=isinstance(value, (int, float)))


def redact(value: Any, convert: Callable[[Any], Any] | None = None, parents: tuple[int, ...] = ()) -> Any:
    """Return `value` with REDACTED in place of each secret, however deep it is in mappings, lists and tuples.

    Containers that contain themselves, or are nested deeper than MAX_DEPTH, are replaced by OMITTED. A container whose
    own methods fail is replaced by the name of its class.

    Args:
        value: any object.
        convert: called for each value that is not a container. With it, all mappings become dicts with keys of type
            str, and other sequences and sets become lists. Without it, a container without secrets is returned as it
            is.
        parents: the ids of the containers that `value` is in.

    """
    try:
        if type(value) in SCALARS or isinstance(value, TEXT) or not isinstance(value, SOME if convert is None else ALL):
            return value if convert is None else convert(value)
        if id(value) in parents or len(parents) > MAX_DEPTH:
            return OMITTED
        return _redact_items(value, convert, (*parents, id(value)))
    except Exception:  # noqa: BLE001  whatever the object's own methods raise
        return name_of(type(value))


def _redact_items(value: Any, convert: Callable[[Any], Any] | None, parents: tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        old = dict(value.items())
        if convert:
            return {
                convert(key) if type(key) is str else str(redact(key, convert, parents)): REDACTED
                if is_secret(key, item)
                else redact(item, convert, parents)
                for key, item in old.items()
            }
        new = {key: REDACTED if is_secret(key, item) else redact(item, convert, parents) for key, item in old.items()}
        return value if all(new[key] is item for key, item in old.items()) else new
    items = [redact(item, convert, parents) for item in value]
    if convert:
        return items
    if all(map(operator.is_, items, value)):
        return value
    return items if isinstance(value, list) else tuple(items)


def name_of(cls: type) -> str:
    """Return the full name of a class, without the module of a built-in one."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def plain(value: Any) -> Any:
    """Return `value` without secrets, as JSON has it for any parser: no NaN, lone surrogate, or large integer.

    Other objects are replaced by the name of their class, as their repr may contain anything.
    """
    return redact(value, _convert)


def _convert(value: Any) -> Any:  # noqa: PLR0911  a type each
    if type(value) is str and value.isascii() and len(value) <= FIELD_CHARACTERS:  # most values
        return value
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return encodable(shorten(value, FIELD_CHARACTERS))
        case int():
            return int(value) if -_MAX_INT <= value < _MAX_INT else shorten(hex(value), FIELD_CHARACTERS)
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case bytes() | bytearray():
            return shorten(value.decode("utf-8", "backslashreplace"), FIELD_CHARACTERS)
        case datetime.date() | datetime.time():
            return value.isoformat()
    return plain(str(value)) if isinstance(value, _TEXTUAL) else name_of(type(value))
