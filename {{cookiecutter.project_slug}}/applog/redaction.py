"""Secrets that stay out of the log: values whose key says that they are one."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

REDACTED = "********"
MAX_DEPTH = 12  # deeper values, and those that contain themselves, are left out
OMITTED = "..."

# Parts of a key that say it whatever stands beside them, and words that say it only as a whole: an author is none.
_PART = re.compile(
    r"passw|passphrase|passcode|secret|token|cookie|authorization|credential|csrf|jwt"
    r"|(api|private|access|encryption|account|ssh)key|sess(ion)?_?id"
)
_WORD = re.compile(r"(?<![a-z])(pass|pwd|auth|bearer|[th]?otp|pin|sid|session|signature|keys?)(?![a-z])")
_HARMLESS = re.compile(r"(primary|foreign|public|sort|cache)_?keys?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def _names_secret(key: str) -> bool:
    words = _CAMEL.sub("_", key).lower().replace("-", "_")
    return bool(_PART.search(words) or _WORD.search(_HARMLESS.sub("", words)))


def is_secret(key: object, value: object) -> bool:
    """Tell whether `key` names a password, token, key, cookie, session id or authorization, and `value` may be one."""
    if value is None or isinstance(value, bool):  # has_password=True
        return False
    return isinstance(key, (str, bytes)) and _names_secret(key if isinstance(key, str) else key.decode("latin-1"))


def redact(value: Any, parents: tuple[int, ...] = ()) -> Any:
    """Return `value` with REDACTED for each secret in its mappings; `value` itself where there is none."""
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if id(value) in parents or len(parents) > MAX_DEPTH:
        return OMITTED
    parents = (*parents, id(value))
    if isinstance(value, Mapping):
        old = dict(value.items())
        new = {key: REDACTED if is_secret(key, item) else redact(item, parents) for key, item in old.items()}
        return new if any(new[key] is not item for key, item in old.items()) else value
    items = [redact(item, parents) for item in value]
    if all(new is item for new, item in zip(items, value, strict=True)):
        return value
    return items if isinstance(value, list) else tuple(items)
