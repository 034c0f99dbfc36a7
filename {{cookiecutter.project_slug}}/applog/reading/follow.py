"""Following a log while it grows and rotates."""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from applog.reading.folder import Listing, LogFile
from applog.reading.log import RotatedLog
from applog.reading.log_file import HEAD_BYTES, OpenLogFile
from applog.reading.query import EVERY_RECORD, Query
from applog.reading.record import Cursor, Record
from applog.reading.scan import scan_forwards

POLL_SECONDS = 0.2
REMEMBERED = 1000  # deleted files


@dataclass
class _Seen:
    """How far a file was read: up to `offset`, when its size was `size`. `held` is True if unread data remained."""

    head: bytes
    offset: int
    size: int
    held: bool = False


class Follower:
    """Finds each matching record that is added to a log, across rotations, exactly once.

    Records that a process still writes into a file that another process has rotated are found there. The last record is
    found when its line is complete and nothing was added to it since the call before. No file is open between two calls
    of `read_new`.
    """

    def __init__(self, log: RotatedLog, query: Query = EVERY_RECORD) -> None:
        self.log, self.query = log, query
        self.cursor: Cursor | None = None  # where the new records of the current file begin
        self._seen: dict[tuple[int, int], _Seen] = {}
        # Also a rotated file may grow, so that each is looked at.
        self._listing = Listing(log.path, fresh=True)
        files = self._listing.files()
        for file in files:
            with suppress(OSError):
                seen = _Seen(log.read_head(file), file.size, file.size)
                if file is files[-1] and not file.compressed:
                    with closing(log.open(file)) as opened:
                        seen = _Seen(opened.head, opened.whole_end(), opened.size, held=True)
                        self.cursor = opened.cursor(seen.offset)
                self._seen[file.identity] = seen

    def read_new(self) -> Iterator[Record]:
        """Yield the records that were added since the last call.

        Read all of them before the next call, about POLL_SECONDS later. Raises SlowPatternError.
        """
        files = self._listing.files()
        sizes = {file.identity: file.size for file in files}
        for file in files:
            with suppress(OSError):  # gone meanwhile
                yield from self._read_file(file, sizes, is_current=file is files[-1])
        # A compressed file is recognised by what is known of the deleted original, so remember some of those.
        for key in [key for key in self._seen if key not in sizes][:-REMEMBERED]:
            del self._seen[key]

    def _read_file(self, file: LogFile, sizes: dict[tuple[int, int], int], *, is_current: bool) -> Iterator[Record]:
        key = file.identity
        seen = self._seen.get(key)
        if seen and seen.size == file.size and not seen.held:
            return
        with closing(self.log.open(file)) as opened:
            if file.compressed and len(opened.head) < HEAD_BYTES:
                return  # too little of it is written
            if seen and not opened.head.startswith(seen.head):
                seen = None  # another file with the same inode, or the same emptied and written again
            if not seen:
                seen = self._find_original(opened.head, sizes, compressed=file.compressed)
            offset = seen.offset if seen else 0
            if offset > opened.size and not file.compressed:
                offset = 0  # emptied
            size = file.size if file.compressed else opened.size
            unchanged = bool(seen and self._seen.get(key) is seen and seen.size == size)
            end = opened.size if unchanged and not is_current else opened.whole_end()
            if is_current and end > offset and not unchanged:
                end = opened.start_of(end - 1)  # more of it may come
            end = max(offset, end)
            self._seen[key] = _Seen(opened.head, end, size, held=end < opened.size)
            yield from self._read_records(opened, offset, end)

    def _read_records(self, file: OpenLogFile, low: int, high: int) -> Iterator[Record]:
        """Yield the matching records between two offsets; lines that continue an earlier record are one, too."""
        query = self.query
        begin, end = file.span_of(low) if low < high else (low, low)
        if begin < low:
            end = min(end, high)
            whole = file.read_record(begin, end)
            if query.matches(whole) and all(search.is_in(whole.raw.encode()) for search in query.searches):
                yield file.read_record(low, end)
        for start, end in scan_forwards(file, low, high, query.searches, query.block_bytes):
            if low <= start < end:
                record = file.read_record(start, end)
                if query.matches(record):
                    yield record

    def _find_original(self, head: bytes, sizes: dict[tuple[int, int], int], *, compressed: bool) -> _Seen | None:
        """Return what is known of the file that a file with the first bytes `head` is a copy of."""
        if len(head) == HEAD_BYTES:
            for key, seen in self._seen.items():
                # While the original is there, only a compressed file is its copy.
                if seen.head == head and (compressed or sizes.get(key, 0) < seen.offset):
                    return seen
        return None
