"""The files of a log: the one that grows, and what rotation has made of it."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LISTINGS = 5  # of a folder, until two are the same

# What rotation appends to the name: .1, .2026-11-24, .2026-11-24_13-00, -20261124 (logrotate's dateext), with .gz.
ROTATED = re.compile(
    r"(?:\.(?P<number>\d{1,6})"
    r"|[.-](?P<date>\d{4}-\d\d-\d\d(?:_\d\d(?:-\d\d){0,2})?|\d{8}(?:-\d{1,10})?)(?:\.(?P<count>\d{1,6}))?)(?:\.gz)?",
    re.ASCII,
)


@dataclass(frozen=True)
class LogFile:
    """A file of a log as it was when the folder was listed.

    Attributes:
        path: its path.
        size: its size on the disk, in bytes.
        modified: the aware time at which it was last written.
        identity: its device and inode.

    """

    path: Path
    size: int
    modified: datetime
    identity: tuple[int, int]

    @property
    def compressed(self) -> bool:
        """Tell whether it is compressed, by gzip."""
        return self.path.suffix == ".gz"


def _rotation(suffix: str) -> tuple[str, Any]:
    """Return the kind of rotated file that `suffix` denotes, "" for none, and a key that sorts files of this kind."""
    if not suffix:
        return "current", ()
    if not (found := ROTATED.fullmatch(suffix)):
        return "", ()
    if found["number"]:
        return "number", -int(found["number"])
    return "date", (re.sub(r"\D", "", found["date"]), int(found["count"] or 0))


def list_files(path: Path) -> list[LogFile]:
    """Return the files of the log at `path` that exist, oldest first, the current one last.

    A folder that cannot be read has none.
    """
    found = _list(path)
    for _ in range(LISTINGS):
        # While files are renamed, a listing of their folder may have a file twice, or not at all.
        before, found = found, _list(path)
        if [(file.path, file.identity) for file in before] == [(file.path, file.identity) for file in found]:
            break
    return found


def _list(log: Path) -> list[LogFile]:
    found: list[tuple[str, Any, LogFile]] = []
    with suppress(OSError), os.scandir(log.parent) as entries:
        for entry in entries:
            if not entry.name.startswith(log.name):
                continue
            kind, order = _rotation(entry.name.removeprefix(log.name))
            # A link may lead anywhere. On Windows the status that scandir has is old, and without the identity.
            with suppress(OSError):
                if kind and not entry.is_symlink() and entry.is_file():
                    path = Path(entry.path)
                    status = path.stat()
                    modified = datetime.fromtimestamp(status.st_mtime, UTC)
                    file = LogFile(path, status.st_size, modified, (status.st_dev, status.st_ino))
                    found.append((kind, order, file))
    # After a change of rotation there are files of both kinds: the kind that was written last is the newer one.
    last: dict[str, datetime] = {}
    for kind, _, file in found:
        last[kind] = max(file.modified, last.get(kind, file.modified))
    found.sort(key=lambda item: (item[0] == "current", last[item[0]], item[0], item[1]))
    return [file for _, _, file in found]
