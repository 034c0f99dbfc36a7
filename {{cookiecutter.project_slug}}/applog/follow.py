"""Follow a log while it grows and rotates."""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from applog.reader import Log, LogFile
from applog.records import Cursor, Record
from applog.search import ALL, Filter
from applog.sources import HEAD_BYTES

POLL_SECONDS = 0.2
REMEMBERED = 1000  # files that are not there any more


@dataclass
class _Seen:
    """How far a file was read. `size` is the file's when it was looked at; `held` says that something was left."""

    head: bytes
    offset: int
    size: int
    held: bool = False


class Follower:
    """Follow a log across rotations, from its end on: each record once, and none is missed.

    Between two calls of `read_new` no file is open. What a process still writes to a file that another one has rotated
    is found there. The last record is shown when its line is whole and nothing was added to it since the call before.
    """

    def __init__(self, log: Log, matching: Filter = ALL) -> None:
        self.log, self.matching = log, matching
        self.place: Cursor | None = None  # from where on the current file's records are new
        self._seen: dict[tuple[int, int], _Seen] = {}
        files = log.files()
        for file in files:
            with suppress(OSError):
                seen = _Seen(log.read_head(file), file.size, file.size)
                if file is files[-1] and not file.compressed:
                    with closing(log.open(file)) as source:
                        seen = _Seen(source.head, source.whole_end(), source.size, held=True)
                        self.place = source.cursor(seen.offset)
                self._seen[file.identity] = seen

    def read_new(self) -> Iterator[Record]:
        """Yield the records that were added since the last call. Call it about each POLL_SECONDS."""
        files = self.log.files()
        sizes = {file.identity: file.size for file in files}
        for file in files:
            with suppress(OSError):  # gone meanwhile
                yield from self._read_file(file, sizes, is_current=file is files[-1])
        # A file that was compressed is known by what is known of the one that it was: forget late.
        for key in [key for key in self._seen if key not in sizes][:-REMEMBERED]:
            del self._seen[key]

    def _read_file(self, file: LogFile, sizes: dict[tuple[int, int], int], *, is_current: bool) -> Iterator[Record]:
        key = file.identity
        seen = self._seen.get(key)
        if seen and seen.size == file.size and not seen.held:
            return
        with closing(self.log.open(file)) as source:
            if file.compressed and len(source.head) < HEAD_BYTES:
                return  # not written yet
            if seen and not source.head.startswith(seen.head):
                seen = None  # another file with the same inode, or the same emptied and written again
            if not seen:
                seen = self._find_original(source.head, sizes, compressed=file.compressed)
            offset = seen.offset if seen else 0
            if offset > source.size and not file.compressed:
                offset = 0  # emptied
            size = file.size if file.compressed else source.size
            unchanged = bool(seen and self._seen.get(key) is seen and seen.size == size)
            end = source.size if unchanged and not is_current else source.whole_end()
            if is_current and end > offset and not unchanged:
                end = source.start_of(end - 1)  # more of it may come
            end = max(offset, end)
            self._seen[key] = _Seen(source.head, end, size, held=end < source.size)
            yield from self.log.read_records(source, offset, end, self.matching)

    def _find_original(self, head: bytes, sizes: dict[tuple[int, int], int], *, compressed: bool) -> _Seen | None:
        """Return what is known of the file of which one that begins with `head` is a copy."""
        if len(head) == HEAD_BYTES:
            for key, seen in self._seen.items():
                # While it is still there, only compression makes a copy.
                if seen.head == head and (compressed or sizes.get(key, 0) < seen.offset):
                    return seen
        return None
