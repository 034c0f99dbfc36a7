"""Where secrets stand in text: passwords in URLs, bearer tokens, PEM blocks, and values behind the name of a secret."""

import re
from functools import lru_cache

from applog.secret_names import CACHED_CHARACTERS, REDACTED, is_secret, own_words

LONGEST = 20_000  # characters of a text that are looked at; more than is ever written

_QUOTED = r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?"
_URL_USER = r"://(?:[^\s:/?#\[\"'<>]{1,200}:(?!\d{1,5}(?:[/?#]|$))|:)"  # what looks like a port is no password
_IN_URL = re.compile(rf"({_URL_USER})[^\s\"<>]{{1,1000}}@(?!sha256:)")
_BEARER = re.compile(r"\b(Bearer)\s+[\w.~+/=-]{4,}", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,50})-----[\s\S]*?(?:-----END \1-----|\Z)")
_OPTION = re.compile(rf"((?<![\w-])--(?P<name>\w[\w-]{{0,99}})(?:[\"'],)?\s+)(?P<value>{_QUOTED}|(?!-)[^\s,\]]+)")
# What stands before a sign, read backwards: name=, "name":, [name]=, ['name'] =, Name-Of-Header:
_NAME = re.compile(r"(?P<end>[\]>\"'\\]{0,4})(?P<name>[\w.-]{1,100})(?P<begin>[?&]?)")
_SIGN = re.compile(r"(?<![=!<>])=(?!=)|:")
_QUOTE = re.compile(_QUOTED)
_QUOTES = frozenset({'"', "'"})
_HEADER = re.compile(r"(?:[Xx]|[A-Z]\w*)-.+|.+-(?:key|token|password|signature)")  # names that are no prose
_WHOLE_LINE = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_LINE = re.compile(r"\s*[^\n\"']*")
_NO_SECRETS = frozenset({"none", "null", "true", "false"})
# In prose these are words like others, "key=name" for example.
_PROSE = frozenset({"api", "auth", "cert", "certs", "key", "keys", "pass", "session", "sig", "signature", "salt"})


def redact_text(text: str) -> str:
    """Return `text` with REDACTED in place of what its own words call secret.

    These are passwords in URLs, bearer tokens, PEM blocks, and values behind a secret's name: `password=...`,
    `"password": "..."`, `api_key: ...`, `X-Api-Key: ...`, `--password ...`. Behind a single word without quotes, as in
    `token: expired`, a colon is no sign of a value. Only the first LONGEST characters are looked at.
    """
    if len(text) > LONGEST:
        head = redact_text(text[:LONGEST])
        # If a secret has ended the head, what follows is the rest of it.
        return head if len(head) < LONGEST // 2 else head + text[LONGEST:]
    has_colon = ":" in text
    if "--" in text:
        text = _PEM.sub(rf"-----BEGIN \1----- {REDACTED}", text)
        text = _OPTION.sub(_redact_option, text)
    if "earer " in text or "EARER " in text:
        text = _BEARER.sub(rf"\1 {REDACTED}", text)
    if has_colon and "://" in text and "@" in text:
        text = _IN_URL.sub(rf"\1{REDACTED}@", text)
    return _redact_values(text) if has_colon or "=" in text else text


def _redact_option(found: re.Match[str]) -> str:
    return _hide(found[1], found["value"]) if is_secret(found["name"], "") else found[0]


def _hide(before: str, value: str) -> str:
    """Return what stands before a secret, and REDACTED, between quotes if the secret is."""
    quote = value[-1] if value[:1] in _QUOTES and value[0] == value[-1] else ""
    return f"{before}{quote}{REDACTED}{quote}"


def _redact_values(text: str) -> str:
    parts, done = [], 0
    for sign in _SIGN.finditer(text):
        place = sign.start()
        # Templates of messages repeat, and so do the words before their signs.
        end = place - 1 if place and text[place - 1] == " " else place
        begin = text.rfind(" ", 0, end) + 1
        follows = text[place + 1 : place + 2] in _QUOTES or text[place + 2 : place + 3] in _QUOTES
        name = _secret_at_end(text[max(begin, end - CACHED_CHARACTERS) : end], text[place] == ":", follows)
        if not name or place < done:
            continue
        first = place + 1
        while text[first : first + 1] in {" ", "\t"}:
            first += 1
        last = _LINE.match(text, first).end() if _is_line(name, text, place) else _end_of_value(text, first)  # type: ignore[union-attr]
        value = text[first:last]
        if value and value.lower() not in _NO_SECRETS and is_secret(name, 0 if _is_number(value) else value):
            parts.append(_hide(text[done:first], value))
            done = last
    return "".join([*parts, text[done:]]) if parts else text


def _is_line(name: str, text: str, place: int) -> bool:
    return text[place] == ":" and name.lower() in _WHOLE_LINE and text[place - 1 : place] not in _QUOTES


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _end_of_value(text: str, place: int) -> int:
    """Return where the value ends that begins at `place`: a quoted text, brackets with all in them, or a word."""
    depth = 0
    while place < len(text):
        character = text[place]
        if character in _QUOTES or (character == "\\" and text[place + 1 : place + 2] in _QUOTES):
            if character == "\\":
                end = text.find(text[place : place + 2], place + 2)
                place = end + 2 if end >= 0 else len(text)
            else:
                place = _QUOTE.match(text, place).end()  # type: ignore[union-attr]
            if not depth:
                return place
            continue
        if character in ")]}":
            if depth <= 1:
                return place + depth
            depth -= 1
        elif character in "([{":
            depth += 1
        elif not depth and character in " \t\r\n,;&<>":
            return place
        place += 1
    return place


@lru_cache(maxsize=4096)
def _secret_at_end(text: str, is_colon: bool, is_quote_next: bool) -> str:
    """Return the secret's name that `text` ends with, if a value may follow behind that sign."""
    found = _NAME.match(text[::-1])
    if not found:
        return ""
    name = found["name"][::-1].strip("-")
    is_quoted = is_quote_next or not _QUOTES.isdisjoint(found["end"])
    is_name = is_quoted or "_" in name or bool(_HEADER.fullmatch(name)) or name.lower() in _WHOLE_LINE
    own = own_words()
    is_prose = name.lower() in _PROSE and not (is_quoted or found["begin"] or (own and own.search(name.lower())))
    return name if (is_name or not is_colon) and not is_prose and is_secret(name, "") else ""
