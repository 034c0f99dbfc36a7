"""Compressed files: read at any offset, in steps, and without a copy on the disk."""

import gzip
import importlib
import random
import tempfile
import tracemalloc

import pytest
from reader_support import Query, RotatedLog, read_newer, read_older, text

packed = importlib.import_module("applog.reading.packed")
MEGABYTE = 1 << 20


def opened(path):
    """Return a compressed file, ready to be read."""
    file = packed.PackedFile(path.open("rb"))
    while not file.advance():
        pass
    return file


def test_any_part_of_a_compressed_file_can_be_read(tmp_path):
    """A page begins anywhere in a file, and so does what it searches for."""
    chance = random.Random(1)
    content = b"".join(text(i, f"{chance.random()} " * (i % 9)).encode() for i in range(100_000))
    assert len(content) > 2 * packed.SEGMENT
    middle = len(content) // 3
    path = tmp_path / "django.log.1.gz"
    path.write_bytes(gzip.compress(content[:middle], 1) + gzip.compress(b"") + gzip.compress(content[middle:], 1))
    file = opened(path)
    assert file.size == len(content)
    edges = [0, 1, packed.SEGMENT - 1, packed.SEGMENT, middle, len(content) - 1]
    for begin in edges + [chance.randrange(len(content)) for _ in range(12)]:
        for size in (0, 1, 5000, MEGABYTE):
            file.seek(begin)
            assert file.read(size) == content[begin : begin + size]
    file.close()


@pytest.mark.parametrize("damage", [b"", b"garbage"])
def test_what_is_intact_of_a_broken_file_is_read(tmp_path, damage):
    """The rest of a crash is where the reason of the crash may stand."""
    content = b"".join(text(i).encode() for i in range(200_000))
    path = tmp_path / "django.log.1.gz"
    whole = gzip.compress(content, 1)
    path.write_bytes(whole[: len(whole) // 2] + damage)
    file = opened(path)
    assert MEGABYTE < file.size < len(content)
    assert content.startswith(file.read(file.size)[:-100])
    file.close()


@pytest.fixture
def huge(tmp_path, monkeypatch):
    """Return a log whose rotated file is 100 MB, and half a megabyte when it is compressed."""
    line = text(1, "x" * 990).encode()
    with gzip.open(tmp_path / "django.log.1.gz", "wb", 1) as file:
        file.write(text(0, "the first").encode())
        for _ in range(100):
            file.write(line * 1000)
    (tmp_path / "django.log").write_text(text(2, "the last"), encoding="utf-8")
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: pytest.fail("a temporary file"))
    return RotatedLog(tmp_path / "django.log")


@pytest.mark.parametrize("forwards", [True, False])
def test_a_page_does_not_wait_until_a_file_is_unpacked(huge, forwards):
    """One page would take the time of gigabytes, and so would the next."""
    packed._indexes.clear()  # noqa: SLF001  as in a new process
    options = {"count": 1, "seconds": 0.01, "query": Query(text="the last" if forwards else "the first")}
    page = read_newer([huge], {}, **options) if forwards else read_older([huge], **options)
    steps = 1
    while not page.records:
        assert not page.exhausted
        assert not page.complete
        page = read_newer([huge], page.newer, **options) if forwards else read_older([huge], page.older, **options)
        steps += 1
    assert steps > 3
    assert [record.message for record in page.records] == ["the last" if forwards else "the first"]


def test_little_of_a_compressed_file_is_in_memory(huge):
    """A file of gigabytes may be a few megabytes on the disk, and anybody can fill a log with the same line."""
    packed._indexes.clear()  # noqa: SLF001
    tracemalloc.start()
    try:
        assert read_older([huge], count=1, query=Query(text="the first")).records
        assert tracemalloc.get_traced_memory()[1] < 40 * MEGABYTE
    finally:
        tracemalloc.stop()
