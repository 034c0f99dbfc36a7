"""The files of a log: the one that grows, and what rotation has made of it."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

LISTINGS = 5  # of a folder, until two are the same
NAMES = 10_000  # that are remembered

# What rotation appends to the name: .1, .2026-11-24, .2026-11-24_13-00, -20261124 (logrotate's dateext), with .gz.
ROTATED = re.compile(
    r"(?:\.(?P<number>\d{1,6})"
    r"|[.-](?P<date>\d{4}-\d\d-\d\d(?:_\d\d(?:-\d\d){0,2})?|\d{8}(?:-\d{1,10})?)(?:\.(?P<count>\d{1,6}))?)(?:\.gz)?",
    re.ASCII,
)


@dataclass(unsafe_hash=True)  # not frozen, which takes four times as long to make, as there may be thousands
class LogFile:
    """A file of a log as it was when it was looked at. It does not change.

    Attributes:
        folder: the folder.
        name: its name in the folder.
        size: its size on the disk, in bytes.
        modified: the aware time at which it was last written.
        identity: its device and inode.

    """

    folder: Path
    name: str
    size: int
    modified: datetime
    identity: tuple[int, int]

    @cached_property
    def path(self) -> Path:
        """Its path."""
        return self.folder / self.name

    @property
    def address(self) -> str:
        """Its path as text, which is made in less time: there may be thousands of files."""
        return f"{self.folder}{os.sep}{self.name}"

    @property
    def compressed(self) -> bool:
        """Tell whether it is compressed, by gzip."""
        return self.name.endswith(".gz")


# A file's name, the kind of rotated file that this is, a key that sorts files of this kind, and the inode.
Entry = tuple[str, str, Any, int]


@lru_cache(maxsize=NAMES)
def _rotation(suffix: str) -> tuple[str, Any]:
    """Return the kind of rotated file that `suffix` denotes, "" for none, and a key that sorts files of this kind."""
    if not suffix:
        return "current", ()
    if not (found := ROTATED.fullmatch(suffix)):
        return "", ()
    if found["number"]:
        return "number", -int(found["number"])
    return "date", (found["date"].replace("-", "").replace("_", ""), int(found["count"] or 0))


class Listing:
    """The files of the log at `path`, listed again and again.

    With `fresh`, each file is looked at each time; without, a rotated one only after a change of its folder.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._folder, self._name, self._fresh = path.parent, path.name, fresh
        self._entries: list[Entry] = []
        self._files: list[LogFile] = []

    def files(self, *, again: bool = True) -> list[LogFile]:
        """Return the files that exist, oldest first, the current one last. A folder that cannot be read has none.

        Unless `again`, the folder is listed only once.
        """
        entries = self._list() if again or not self._entries else self._entries
        if self._fresh or entries != self._entries:
            for _ in range(LISTINGS):
                # While files are renamed, a listing of their folder may have a file twice, or not at all.
                before, self._files = entries, self._look_at(entries)
                entries = self._list()
                if before == entries:
                    break
            self._entries = entries
        elif entries and entries[-1][1] == "current":
            with suppress(OSError):
                self._files = [*self._files[:-1], self._look(entries[-1][0])]
        return self._files

    def _list(self) -> list[Entry]:
        """Return what the folder has, the current file last."""
        found: list[Entry] = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(self._name):
                    kind, order = _rotation(entry.name.removeprefix(self._name))
                    # A link may lead anywhere.
                    if kind and not entry.is_symlink() and entry.is_file():
                        found.append((entry.name, kind, order, entry.inode()))
        return sorted(found, key=lambda item: (item[1] == "current", *item[1:3]))

    def _look_at(self, entries: list[Entry]) -> list[LogFile]:
        found: list[tuple[str, LogFile]] = []
        names = {name for name, *_ in entries}
        for name, kind, *_ in entries:
            if name.endswith(".gz") and name.removesuffix(".gz") in names:  # just being written, or left by a crash
                continue
            try:
                found.append((kind, self._look(name)))
            except OSError:  # it is gone
                continue
        # After a change of rotation there are files of both kinds: the kind that was written last is the newer one.
        if len({kind for kind, _ in found} - {"current"}) > 1:
            last: dict[str, datetime] = {}
            for kind, file in found:
                last[kind] = max(file.modified, last.get(kind, file.modified))
            found.sort(key=lambda item: (item[0] == "current", last[item[0]], item[0]))
        return [file for _, file in found]

    def _look(self, name: str) -> LogFile:
        # Not `DirEntry.stat`, which on Windows is old and has no identity.
        status = os.stat(f"{self._folder}{os.sep}{name}")  # noqa: PTH116  paths of thousands of files take long
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return LogFile(self._folder, name, status.st_size, modified, (status.st_dev, status.st_ino))
