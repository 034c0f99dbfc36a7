"""Secrets that stay out of the log: values whose key says that they are one."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

REDACTED = "********"
MAX_DEPTH = 12  # deeper values, and those that contain themselves, are left out
OMITTED = "..."

# Parts of a key that say it whatever stands beside them, and words that say it only as a whole: an author is no secret.
_PART = re.compile(
    r"passw|passphrase|passcode|secret|token|cookie|authorization|credential|csrf|jwt"
    r"|(api|private|access|encryption|account|ssh)key|sess(ion)?_?id"
)
_WORD = re.compile(r"(?<![a-z])(pass|pwd|auth|bearer|[th]?otp|pin|sid|session|signature|keys?)(?![a-z])")
_HARMLESS = re.compile(
    r"(primary|foreign|public|sort|cache|idempotency|partition|routing|object|storage|s3|natural|lookup|search|group)_?keys?"
    r"|secretar|tokeni[sz]|cookie_?(banner|consent|notice|policy)|csrf_?(ok|valid|exempt)"
)
# A number is a secret only where the key ends so: not 512 max_tokens or a session_count of 3.
_NUMBER = re.compile(r"(passw(or)?d|passphrase|passcode|pass|pwd|pin|[th]?otp|secret|token|sid|sess(ion)?_?id|key)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def _names_secret(key: str, *, is_number: bool) -> bool:
    words = _HARMLESS.sub("", _CAMEL.sub("_", key).lower().replace("-", "_"))
    return bool((_PART.search(words) or _WORD.search(words)) and (not is_number or _NUMBER.search(words)))


def is_secret(key: object, value: object) -> bool:
    """Tell whether `key` names a password, token, key, cookie, session id or authorization, and `value` may be one."""
    if value is None or isinstance(value, bool):  # has_password=True
        return False
    if not isinstance(key, (str, bytes)):
        return False
    return _names_secret(
        key if isinstance(key, str) else key.decode("latin-1"), is_number=isinstance(value, (int, float))
    )


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
