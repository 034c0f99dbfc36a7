"""Which names denote secrets, and where secrets stand in text.

The words are those of Django's SafeExceptionReporterFilter.hidden_settings, of the filter that Rails gives a new
project, and of https://docs.sentry.io/platforms/python/data-management/sensitive-data/; LOG_REDACT in the settings adds
more.
"""

import re
from functools import cache, lru_cache

from django.conf import settings

REDACTED = "********"
CACHED_CHARACTERS = 100
NAME_CHARACTERS = 1000  # of a key in which a word is looked for

# Parts of a name that always denote a secret, and words that do so only as a whole: an author is not a secret.
_PART = re.compile(
    r"passw|passphrase|passcode|userpass|secret|token|cookie|authorization|credential|[cx]srf|jwt|oauth|crypt"
    r"|certificate|connection_?string|(card|account)_?number|credit_?card|saml_?response|security_?answer"
    r"|(api|private|access|encryption|signing|account|ssh)key|sess(ion)?_?id"
    r"|(pin|mfa|[th]?otp|one_?time|verification|recovery|backup)_?codes?"
    r"|kennwort|contrase[nñ]a|senha|mot_?de_?passe|парол"
)
_WORD = re.compile(
    r"(?<![a-z])(pass|pwd|pw|auth[nz]?|bearer|[th]?otp|pin|sid|session|signature|sig|hmac|salt|dsn|pgp|fernet|creds?|certs?|pem"
    r"|ssn|cv[cv]|ccv|iban|keys?)(?![a-z])|^api$"
)
_HARMLESS = re.compile(
    r"(primary|foreign|public|sort|cache|idempotency|partition|routing|object|storage|s3|natural|lookup|search|group)_?keys?"
    r"|secretar|tokeni[sz]|cookie_?(banner|consent|notice|policy)|csrf_?(ok|valid|exempt)|cryptocurrenc|(max|min)_tokens"
)
# A number is a secret only if the name ends like this: prompt_tokens=512 and session_count=3 are not.
_NUMBER = re.compile(
    r"(passw(or)?d|passphrase|passcode|pass|pwd|pin|[th]?otp|code|secret|token|sid|sess(ion)?_?id|key|ssn|cv[cv]|ccv|number)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# In prose these are words like others, "key=name" for example.
_PROSE = frozenset({"api", "auth", "cert", "certs", "key", "keys", "pass", "session", "sig", "signature", "salt"})

# scheme://user:password@host; what looks like a port is none
_IN_URL = re.compile(r"(://[^\s:/?#@\"']{0,100}:)(?!\d{1,5}(?:[/?#]|$))[^\s\"'<>]{1,500}@")
_SCHEME = re.compile(r"\b(Bearer)\s+[\w.~+/=-]{4,}", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,50})-----[\s\S]*?(?:-----END \1-----|\Z)")
_OPTION = re.compile(r"(--(?P<name>[\w-]{1,100})(?:[\"'],)?\s+[\"']?)(?!-)[^\s\"',\])]+")
# What stands before the sign in name=value, "name": value and Name-Of-Header: value, read backwards, and the value.
_NAME = re.compile(r"(?P<quote>>?[\"']\\?)?(?P<name>[\w.-]{1,100})(?P<begin>[?&]?)")
_VALUE = re.compile(
    r"\s?(?:\w{1,2}(?=[\"']))?(?:\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|\\[\"'](?:[^\\]|\\(?![\"']))*(?:\\[\"'])?"
    r"|\[[^\]]*\]?|\([^)]*\)?|\{[^}]*\}?|(?:(?:Basic|Bearer|Digest|Token)\s)?[^\s,;&\"'<>)\]}\\]+)",
    re.IGNORECASE,
)
_SIGN = re.compile("[=:]")
_QUOTES = frozenset({'"', "'"})
_HEADERS = frozenset({"authorization", "cookie"})
_NO_SECRETS = frozenset({"none", "null", "true", "false"})


@cache
def own_words() -> re.Pattern[str] | None:
    """Return the pattern of the words in LOG_REDACT, or None if there are none."""
    words = [re.escape(_words(word)) for word in getattr(settings, "LOG_REDACT", ()) if word]
    return re.compile("|".join(words)) if words else None


def _words(name: str) -> str:
    return _CAMEL.sub("_", name).lower().replace("-", "_")


@lru_cache(maxsize=4096)
def _names_secret(name: str, *, is_number: bool) -> bool:
    words = _words(name)
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


def redact_text(text: str) -> str:
    """Return `text` with REDACTED in place of what its own words call secret.

    These are passwords in URLs, bearer tokens, PEM blocks, and values behind a secret's name: `password=...`,
    `"password": "..."`, `X-Api-Key: ...`, `--password ...`. In prose a colon is no sign of a value.
    """
    has_colon, has_dashes = ":" in text, "--" in text
    if has_dashes:
        text = _PEM.sub(rf"-----BEGIN \1----- {REDACTED}", text)
        text = _OPTION.sub(_redact_option, text)
    if "earer " in text or "EARER " in text:
        text = _SCHEME.sub(rf"\1 {REDACTED}", text)
    if has_colon and "://" in text:
        text = _IN_URL.sub(rf"\1{REDACTED}@", text)
    return _redact_values(text) if has_colon or "=" in text else text


def _redact_option(found: re.Match[str]) -> str:
    return f"{found[1]}{REDACTED}" if is_secret(found["name"], "") else found[0]


def _redact_values(text: str) -> str:
    parts, done = [], 0
    for sign in _SIGN.finditer(text):
        place = sign.start()
        # Templates of messages repeat, and so do the words before their signs.
        end = place - 1 if text[place - 1] == " " else place
        begin = text.rfind(" ", 0, end) + 1
        is_bare_colon = (
            text[place] == ":"
            and text[place + 1 : place + 2] not in _QUOTES
            and text[place + 2 : place + 3] not in _QUOTES
        )
        name = _secret_at_end(
            text[begin if end - begin < CACHED_CHARACTERS else end - CACHED_CHARACTERS : end], is_bare_colon
        )
        if not name or place < done or not (value := _VALUE.match(text, place + 1)):
            continue
        given = value[0].strip()
        if given.lower() not in _NO_SECRETS and is_secret(name, 0 if given.replace(".", "", 1).isdigit() else given):
            quote = given[-1] if given[0] == given[-1] and given[0] in _QUOTES and len(given) > 1 else ""
            parts.append(f"{text[done : value.end() - len(given)]}{quote}{REDACTED}{quote}")
            done = value.end()
    return "".join([*parts, text[done:]]) if parts else text


@lru_cache(maxsize=4096)
def _secret_at_end(text: str, is_bare_colon: bool) -> str:
    """Return the secret's name that `text` ends with.

    Before a bare colon, which no quote follows, that is only a header's name, or a quoted one.
    """
    found = _NAME.match(text[::-1])
    if not found:
        return ""
    name = found["name"][::-1]
    bare = name.strip("-")
    if is_bare_colon and not (found["quote"] or "-" in bare or name.lower() in _HEADERS):
        return ""
    if name.lower() in _PROSE and not (found["quote"] or found["begin"]):
        return ""
    return bare if is_secret(bare, "") else ""
