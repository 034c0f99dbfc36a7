"""What kind of error a record is about, from the text that any log of it has.

Errors of one kind have the same exception, raised in the same function of the project, with a text that differs in
numbers, ids and quoted values only. The way is that of https://docs.sentry.io/concepts/data-management/event-grouping/.
Everything here takes a time in proportion to the text, whatever it is, and looks at its beginning only.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

MESSAGE_CHARACTERS = 2000  # of a message that are looked at
TEMPLATE_CHARACTERS = 200  # of a template
TRACEBACK_CHARACTERS = 1 << 16  # that are looked at
ID_BYTES = 6  # so that a million kinds have two of one id with a chance of 0.2 %
ID_PATTERN = r"[0-9a-f]{6,12}"  # an id, or its beginning
MEMBERS = 3  # of a group of exceptions that are named

_IS_CUT = r"(?<=characters more\))\Z"  # as applog.text.shorten writes: the quotation mark may be missing
_QUOTED = rf"(?<!\w)[bru]?'[^']*+(?:'(?!\w)|{_IS_CUT})" rf'|"[^"]*+(?:"|{_IS_CUT})'
_MAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[\w.-]{1,255}"
_UUID = r"(?<![^\W_])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![^\W_])"
_ADDRESS = r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f.]{0,15}(?![\w:])"  # of IPv6; or a time
_LONG_WORD = r"(?<![\w-])(?=[\w-]{0,60}\d)[\w-]{20,}"  # that has a digit
_NUMBER = r"(?<![^\W_])[^\W_]*\d[^\W_]*"  # a word with a digit
_VALUE = re.compile("|".join((_QUOTED, _MAIL, _UUID, _ADDRESS, _LONG_WORD, _NUMBER)), re.IGNORECASE)
_VALUES = re.compile(r"(?<![^\s(=\[])[+-]?#(?:(?:[.,:;+-]|, | [+-]?)#)*")  # lists, times, decimals, signs
_ESCAPED = re.compile(r"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")  # as the text format writes
_SPACES = re.compile(r"\s+")

# What the text format writes before the messages of these loggers: a security event, and whom the request came from.
_CONTEXT = re.compile(
    r"(?:(?P<event>(?:authn|authz|excess|input|sensitive|session|user)_[a-z_]+)(?: (?=from )|: ))?"
    r"(?:from (?P<address>[\w.:%-]{1,64})(?: by user (?P<user>\w{1,64}|'[^']{0,150}'|\"[^\"]{0,150}\"))?: )?"
)
# Security events that strangers can cause. They are nothing of the site's that has failed.
REFUSALS = frozenset(
    {"authn_login_fail", "authn_login_lock", "authz_fail", "excess_rate_limit_exceeded", "input_validation_fail"}
)
_LOGGERS_WITH_CONTEXT = "applog.", "django."

TRACEBACK = "Traceback (most recent call last):"
_HEADER = re.compile(rf"([ |+]{{0,200}})(?:Exception Group )?{re.escape(TRACEBACK)}")
_FRAME = re.compile(r'  File "([^"]{1,400})", line (\d{1,9})(?:, in (\S{1,200}))?')
_ERROR = re.compile(r"([^\W\d][\w.<>]{0,200})(?:: (.*)|$)")
_RAISED_NOWHERE = re.compile(r"([ ]*)(?:\w+\.)*\w*(?:Error|Exception|Exit|Group|Interrupt|Timeout|Warning)(?:: |$)")
_MEMBER, _END_OF_MEMBERS = re.compile(r" *(?:\+-)?(?=\+-{10,} [\d.]+ -{10,})"), re.compile(r" *\+-{20,}$")
_FOREIGN = re.compile(r"(?:^|/)(?:\.\.|(?:site|dist)-packages|\.?venv|\.tox|\.nox|node_modules)/")
_LIBRARY = re.compile(r".*(?:(?:site|dist)-packages|/lib/python[\d.]+t?|/Lib)/")


class Frame(NamedTuple):
    """A line of a traceback: the file, its path from the project's or a library's folder on; the line; the function."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}".rstrip()


class Context(NamedTuple):
    """What the text format writes before a message, "" for what is missing, and the message itself."""

    event: str
    address: str
    user: str
    message: str


class Kind(NamedTuple):
    """The kind of a record.

    Attributes:
        id: 12 hexadecimal digits, the same for all records of this kind, on any machine.
        exception: the type of the exception, with its module, "" without one. Of a group, with its members' types.
        template: the text of the exception, or else the message, with # in place of what differs.
        frame: where the exception came from: the innermost frame of the project's own code, or else of any. Its line is
            no part of the kind, as it changes with the code above it.

    """

    id: str
    exception: str
    template: str
    frame: Frame | None


class _Error(NamedTuple):
    """An exception of a traceback. Only the name and the text are "" when they are cut off."""

    name: str
    text: str
    frames: list[tuple[str, str, str]]
    member: int  # of a group, from 1 on; 0 for one that is in none


def fingerprint(logger: str, level: str, message: str, traceback: str, project: str) -> Kind:
    """Return the kind of a record. Nothing is raised, whatever the texts are.

    The log's text format and its JSON format give the same kind.

    Args:
        logger: the logger's name.
        level: the level's name.
        message: the message, with or without the context that the text format writes before it.
        traceback: the lines below the message or the exception's stack trace, "" without one.
        project: the path of the project's folder; what is installed in it is not its own code.

    """
    exception, text, frame = _raised(traceback, project) if traceback else ("", "", None)
    shown = template(text) if exception else template(split_context(logger, message).message)
    place = (frame.file, frame.function) if frame else ("", "")
    parts = (exception, *place, shown) if exception else (logger, level, *place, shown)
    data = "\0".join(parts).encode("utf-8", "backslashreplace")
    return Kind(blake2b(data, digest_size=ID_BYTES).hexdigest(), exception, shown, frame)


@lru_cache(maxsize=1024)
def template(message: str) -> str:
    """Return the beginning of a message with # in place of what differs, so that messages of one kind are equal.

    That is: numbers, words with digits, ids, addresses and quoted texts. What does not print counts as a space.
    """
    text = message if len(message) <= MESSAGE_CHARACTERS else f"{message[:MESSAGE_CHARACTERS]}... (characters more)"
    if "\\" in text:
        text = _ESCAPED.sub(" ", text)
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    text = _VALUES.sub("#", _VALUE.sub("#", text))
    return _SPACES.sub(" ", text).strip()[:TEMPLATE_CHARACTERS]


def split_context(logger: str, message: str) -> Context:
    """Return a message of the text format in parts. Of other loggers' messages all is the message."""
    found = _CONTEXT.match(message) if logger.startswith(_LOGGERS_WITH_CONTEXT) else None
    if not found:
        return Context("", "", "", message)
    parts = found.groupdict(default="")
    return Context(parts["event"], parts["address"], parts["user"].strip("'\""), message[found.end() :])


def error_line(traceback: str) -> str:
    """Return the type and the first line of the text of the exception that a traceback is about, "" without one."""
    found = [error for error in _errors(traceback[:TRACEBACK_CHARACTERS]) if error.name and not error.member]
    return ": ".join(filter(None, found[-1][:2])) if found else ""


def _raised(traceback: str, project: str) -> tuple[str, str, Frame | None]:
    """Return the type, text and frame of the exception that a traceback is about, the last one of a chain."""
    errors = list(_errors(traceback[:TRACEBACK_CHARACTERS]))
    last = max((i for i, error in enumerate(errors) if not error.member), default=-1)
    if last < 0:
        return "", "", None
    chain = [error for error in reversed(errors[: last + 1]) if not error.member]
    members = sorted(set({error.member: error.name for error in errors[last + 1 :] if error.name}.values()))
    name = errors[last].name + (f" ({', '.join(members[:MEMBERS])})" if members else "")
    own = (frame for error in (*chain, *errors) for frame in reversed(error.frames) if is_own(frame[0], project))
    frame = next(own, None) or next((error.frames[-1] for error in chain if error.frames), None)
    return name, errors[last].text, _show(frame, project) if frame else None


def _errors(traceback: str) -> Iterator[_Error]:
    """Yield the exceptions of a traceback in the order of its lines; the members of a group come after it."""
    margin, member, members, is_open = "", 0, 0, False
    frames: list[tuple[str, str, str]] = []
    lines = traceback.split("\n")
    if found := _RAISED_NOWHERE.match(lines[0]):
        margin, is_open = found[1], True
    for line in lines:
        if TRACEBACK in line and (found := _HEADER.match(line)):
            margin, is_open, frames = found[1].replace("+", "|"), True, []
        elif "+-----" in line and (found := _MEMBER.match(line)):
            margin, is_open, frames = " " * found.end() + "| ", True, []
            member = members = members + 1
        elif "+-----" in line and _END_OF_MEMBERS.match(line):
            is_open, member = False, 0
        elif is_open and line.startswith(margin):
            text = line[len(margin) :]
            if text.startswith(" "):
                if text.startswith("  File ") and (found := _FRAME.match(text)):
                    frames.append((found[1], found[2], found[3] or ""))
            elif found := _ERROR.match(text):  # what follows are its notes
                yield _Error(found[1], found[2] or "", frames, member)
                is_open = False
    if is_open and frames:  # cut off
        yield _Error("", "", frames, member)


def is_own(file: str, project: str) -> bool:
    """Tell whether the file of a frame is the project's own, and not installed in its folder."""
    path, folder = file.replace("\\", "/"), project.replace("\\", "/").rstrip("/") + "/"
    is_below = path.startswith(folder) or (folder[1:2] == ":" and path.lower().startswith(folder.lower()))
    return is_below and not _FOREIGN.search(path[len(folder) :])


def _show(frame: tuple[str, str, str], project: str) -> Frame:
    file, line, function = frame
    path = file.replace("\\", "/")
    path = path[len(project.rstrip("/\\")) + 1 :] if is_own(file, project) else _LIBRARY.sub("", path)
    return Frame(path, int(line), function)
