"""Compressed files, read at any offset: in steps, and without an unpacked copy of them on the disk.

A decompressor's state can be copied. A copy is kept for each SEGMENT of the content, so that reading begins at the one
before an offset, as in https://github.com/madler/zlib/blob/develop/examples/zran.c. The states of the files that were
read last are kept in memory, so that what one page could not unpack in its time is gone on with by the next one.
"""

import bisect
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from typing import IO, Any, NamedTuple

GZIP = zlib.MAX_WBITS + 16  # how zlib is asked for the gzip format
PACKED_BYTES = 1 << 14  # read at a time
UNPACKED_BYTES = 1 << 20  # unpacked at a time, at most, whatever a file promises
SEGMENT = 1 << 22  # bytes of the content for which a state is kept; more in a file with more than STATES of them
STATES = 512  # of all files together, of about 50 KB each
SEGMENTS = 2  # of an open file, unpacked in memory


class State(NamedTuple):
    """Where unpacking can begin: an offset in the content, the place in the file, and the decompressor."""

    offset: int
    place: int
    machine: Any


def unpack(
    packed: IO[bytes] | FileIO, state: State | None = None, most: int = UNPACKED_BYTES
) -> Iterator[tuple[bytes, State]]:
    """Yield the content of a gzip file from `state` on, up to the end of what is intact.

    A piece has `most` bytes at most; with it comes the state behind it. The decompressor of a state is used for what
    follows: copy it to keep it.
    """
    offset, place, machine = state or State(0, 0, zlib.decompressobj(GZIP))
    packed.seek(place)
    with suppress(zlib.error):
        while piece := packed.read(PACKED_BYTES):
            place += len(piece)
            while piece:
                content = machine.decompress(piece, most)
                piece = machine.unconsumed_tail
                if machine.eof:  # another member may follow, RFC 1952, section 2.2
                    piece, machine = machine.unused_data, zlib.decompressobj(GZIP)
                offset += len(content)
                yield content, State(offset, place - len(piece), machine)
        while content := machine.decompress(b"", most):
            offset += len(content)
            yield content, State(offset, place, machine)


class Index:
    """The states of a file, found in steps."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        first = State(0, 0, zlib.decompressobj(GZIP))
        self.states, self.reached, self.segment, self.complete = [self._copy(first)], first, SEGMENT, False

    @staticmethod
    def _copy(state: State) -> State:
        return state._replace(machine=state.machine.copy())

    def advance(self, packed: IO[bytes] | FileIO) -> bool:
        """Unpack about SEGMENT bytes more, and tell whether that was the end."""
        with self.lock:
            end = self.reached.offset + SEGMENT
            for _, state in () if self.complete else unpack(packed, self.reached):
                self.reached = state
                if self.reached.offset >= self.states[-1].offset + self.segment:
                    self.states.append(self._copy(self.reached))
                if self.reached.offset >= end:
                    break
            else:
                self.complete = True
            if len(self.states) > STATES:
                self._thin()
            return self.complete

    def _thin(self) -> None:
        self.states, self.segment = self.states[::2], self.segment * 2

    def thin(self) -> None:
        """Keep every second state."""
        with self.lock:
            self._thin()

    def span(self, offset: int) -> tuple[State, int]:
        """Return a copy of the last state at or before `offset`, and where its segment ends."""
        with self.lock:
            i = bisect.bisect_right(self.states, offset, key=lambda state: state.offset) - 1
            end = self.states[i + 1].offset if i + 1 < len(self.states) else self.reached.offset
            return self._copy(self.states[i]), end


_indexes: OrderedDict[tuple[int, ...], Index] = OrderedDict()
_indexes_lock = threading.Lock()


def index_of(status: os.stat_result) -> Index:
    """Return the index of a file with this status. Of very many, the one that was used longest ago is forgotten."""
    key = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    with _indexes_lock:
        index = _indexes.setdefault(key, Index())
        _indexes.move_to_end(key)
        sizes = [len(known.states) for known in _indexes.values()]
        while sum(sizes) > STATES:
            longest = sizes.index(max(sizes))
            if sizes[longest] > len(sizes):
                known = list(_indexes.values())[longest]
                known.thin()
                sizes[longest] = len(known.states)
            else:
                _indexes.popitem(last=False)
                del sizes[0]
    return index


class PackedFile:
    """A gzip file, open for reading, with the methods of a file of its content.

    `advance` must have returned True before anything is read.
    """

    def __init__(self, packed: IO[bytes] | FileIO) -> None:
        self._packed = packed
        self._index = index_of(os.fstat(packed.fileno()))
        self._segments: OrderedDict[int, bytes] = OrderedDict()
        self._offset = 0

    def advance(self) -> bool:
        """Unpack a further part, and tell whether the whole content is known now."""
        return self._index.advance(self._packed)

    @property
    def size(self) -> int:
        """The size of the content, in bytes."""
        return self._index.reached.offset

    def seek(self, offset: int) -> int:
        """Let the next `read` begin at `offset`."""
        self._offset = offset
        return offset

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end."""
        parts, end = [], min(self._offset + size, self.size)
        while self._offset < end:
            begin, content = self._segment(self._offset)
            part = content[self._offset - begin : end - begin]
            if not part:  # the file is not what it was
                break
            parts.append(part)
            self._offset += len(part)
        return b"".join(parts)

    def _segment(self, offset: int) -> tuple[int, bytes]:
        """Return the segment that `offset` is in, and where it begins."""
        state, end = self._index.span(offset)
        begin = state.offset
        if begin not in self._segments:
            parts: list[bytes] = []
            for content, reached in unpack(self._packed, state):
                parts.append(content)
                if reached.offset >= end:
                    break
            self._segments[begin] = b"".join(parts)
            if len(self._segments) > SEGMENTS:
                self._segments.popitem(last=False)
        self._segments.move_to_end(begin)
        return begin, self._segments[begin]

    def close(self) -> None:
        """Close the file."""
        self._packed.close()
