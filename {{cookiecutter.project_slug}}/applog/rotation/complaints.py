"""What prevents a handler from writing its file, and how it says so on stderr."""

import codecs
import errno
import locale
import logging
import math
import os
import stat
import sys
import tempfile
import time
import weakref
from contextlib import suppress

from applog.rotation.os_files import FOLDER_MODE, open_to_append

REPORT_SECONDS = 60.0
SHARING_VIOLATION = 32  # a Windows error code: another program has the file open
HELD_BY_ANOTHER = (
    5,
    SHARING_VIOLATION,
    183,
)  # Windows: ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_ALREADY_EXISTS


class Complaints:
    """Writes what is wrong with `handler` to stderr, each kind of trouble at most once in REPORT_SECONDS.

    As in the standard library, nothing is written if `logging.raiseExceptions` is False.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = weakref.ref(handler)  # no circle: one that is dropped closes its files at once
        self._lost, self._lost_at = 0, -math.inf
        self._next: dict[str, float] = {}

    def lost(self, error: Exception, count: int = 1) -> None:
        """Report that `count` records were lost because of `error`."""
        self._lost, self._lost_at = self._lost + count, time.monotonic()
        self._report("record lost", error)

    @property
    def is_losing(self) -> bool:
        """Tell whether a record was lost in the last REPORT_SECONDS."""
        return time.monotonic() - self._lost_at < REPORT_SECONDS

    def delayed(self, error: Exception) -> None:
        """Report that the file could not be rotated yet because of `error`."""
        if getattr(error, "winerror", None) in HELD_BY_ANOTHER:
            # An editor or a virus scanner has the file open, usually for a moment: say nothing at first.
            self._next.setdefault("rotation delayed", time.monotonic() + REPORT_SECONDS)
        self._report("rotation delayed", error)

    def unsent(self, error: Exception) -> None:
        """Report that a mail about an error could not be sent because of `error`."""
        self._report("mail not sent", error)

    def succeeded(self) -> None:
        """Forget that a rotation was delayed: this process or another one has rotated."""
        self._next.pop("rotation delayed", None)

    def _report(self, outcome: str, error: Exception) -> None:
        now = time.monotonic()
        if now < self._next.get(outcome, now) or not logging.raiseExceptions or not sys.stderr:
            return
        self._next[outcome] = now + REPORT_SECONDS
        with suppress(Exception):  # whatever stands in the place of stderr, or somebody's error has
            lost = f"{self._lost} lost so far"
            sys.stderr.write(f"{self._handler()!r}: {outcome} ({lost}): {error}\n")


class Complaining(logging.Handler):
    """Reports an OSError, such as of a full disk, now and then; other errors as the standard library does."""

    _complaints: Complaints

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        """Report that `record` was lost because of the exception that is being handled."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._complaints.lost(error)
        else:
            super().handleError(record)


def line_encoding(name: str | None) -> str:
    """Return an encoding for lines, by default the locale's. Raises LookupError, or ValueError for UTF-16 and -32."""
    name = name if name and name != "locale" else locale.getencoding()
    "".encode(name)  # unlike codecs.lookup, it refuses what makes no bytes of text, as rot13
    if (known := codecs.lookup(name).name) in {"utf-16", "utf-32"}:
        message = f"The encoding {name} puts a byte order mark before each line. Use utf-8 or {known}-le."
        raise ValueError(message)
    return "utf-8" if known == "utf-8-sig" else name  # for the same reason


def find_problem(folder: str | os.PathLike[str], *names: str) -> OSError | None:
    """Return the error that prevents writing in `folder`, or appending to files called `names`; None if there is none.

    The folder is made if it is missing; files are not.
    """
    try:
        os.makedirs(folder, FOLDER_MODE, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        for name in (*names, *(f".{name}.lock" for name in names)):
            if os.path.lexists(path := os.path.join(folder, name)):
                # A link may lead to any file that this user, perhaps root, may write; a pipe would wait for its reader.
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    raise OSError(errno.EINVAL, "It is a link, a pipe or a device; remove it", path)  # noqa: TRY301
                open_to_append(path).close()
    except OSError as error:
        # Another program has the file open. It will close it, and the handlers try again.
        return None if getattr(error, "winerror", None) == SHARING_VIOLATION else error
    return None
