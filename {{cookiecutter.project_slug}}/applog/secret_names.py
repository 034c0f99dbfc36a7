"""Which names denote secrets.

The words are those of Django's SafeExceptionReporterFilter.hidden_settings, of the filter that Rails gives a new
project, and of https://docs.sentry.io/platforms/python/data-management/sensitive-data/; LOG_REDACT in the settings adds
more.
"""

import re
from functools import cache, lru_cache

from django.conf import settings

REDACTED = "********"
CACHED_CHARACTERS = 100
NAME_CHARACTERS = 1000  # of a name in which a word is looked for

# Parts of a name that always denote a secret, and words that do so only as a whole: an author is not a secret.
_PART = re.compile(
    r"passw|passphrase|passcode|userpass|secret|token|cookie|authorization|credential|[cx]srf|jwt|oauth|encrypted"
    r"|crypt(?![a-z])|certificate|connection_?string|(card|account)_?number|credit_?card|saml_?response|security_?answer"
    r"|(api|private|access|encryption|signing|account|ssh|storage)key|sess(ion)?_?id"
    r"|(pin|mfa|[th]?otp|one_?time|verification|recovery|backup)_?codes?"
    r"|kennwort|contrase[nñ]a|senha|mot_?de_?passe|парол"
)
_WORD = re.compile(
    r"(?<![a-z])(pass|pwd|pw|auth[nz]?|bearer|[th]?otp|pin|sid|session|signature|sig|hmac|salt|dsn|pgp|fernet|creds?"
    r"|certs?|pem|ssn|cv[cv]|ccv|iban|keys?)(?![a-z])|^api$"
)
_HARMLESS = re.compile(
    r"(?<![a-z])(primary|foreign|public|sort|cache|idempotency|partition|object|s3|natural|lookup|search|group)_?keys?"
    r"|secretar|tokeni[sz]|cookie_?(banner|consent|notice|policy)|csrf_?(ok|valid|exempt)|(max|min)_tokens"
    r"|(token|auth|cookie|session|password|key|secret)_(name|type|method|version|hasher|changed_at|expires?(_\w+)?)$"
)
# A number is a secret only if the name ends like this: prompt_tokens=512 and session_count=3 are not.
_NUMBER = re.compile(
    r"(passw(or)?d|passphrase|passcode|pass|pwd|pin|[th]?otp|code|secret|token|sid|sess(ion)?(_?id)?|cookie|key|ssn"
    r"|cv[cv]|ccv|number|card)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@cache
def own_words() -> re.Pattern[str] | None:
    """Return the pattern of the words in LOG_REDACT, or None if there are none."""
    words = [re.escape(_normal(word)) for word in getattr(settings, "LOG_REDACT", ()) if word]
    return re.compile("|".join(words)) if words else None


def _normal(name: str) -> str:
    return _CAMEL.sub("_", name).lower().replace("-", "_").replace(" ", "_")


@lru_cache(maxsize=4096)
def _names_secret(name: str, *, is_number: bool) -> bool:
    words = _normal(name)
    if (own := own_words()) and own.search(words):
        return True
    words = _HARMLESS.sub("", words)
    return bool((_PART.search(words) or _WORD.search(words)) and (not is_number or _NUMBER.search(words)))


def is_secret(key: object, value: object) -> bool:
    """Tell whether `key` names a password, token, key, cookie, session or authorization, and `value` may be one."""
    if value is None or isinstance(value, bool):  # has_password=True
        return False
    if isinstance(key, bytes):
        key = key.decode("latin-1")
    if not isinstance(key, str):
        return False
    # Strangers choose keys: the cache is bounded in bytes, too, and so is the time.
    look = _names_secret if len(key) <= CACHED_CHARACTERS else _names_secret.__wrapped__
    return look(key[:NAME_CHARACTERS], is_number=isinstance(value, (int, float)))
