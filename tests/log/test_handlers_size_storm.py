"""Several processes write one log that rotates by size."""

import gzip
from pathlib import Path

import pytest
from handler_support import FORKS, SIZES, handlers, own_files, record
from storm import Storm

MAX_BYTES = 16_000
OPTIONS = {"maxBytes": MAX_BYTES, "backupCount": 900}


@SIZES
@pytest.mark.parametrize("threads", [1, 4])
@FORKS
def test_no_record_is_lost_when_processes_rotate_by_size(log, fork, threads, full):
    """Without this, requests that were served leave no trace in the log."""
    records = 40_000 if full else 12_000
    storm = Storm("Size", log, options=OPTIONS, records=records // 4 // threads, threads=threads, fork=fork)
    storm.start(4)
    storm.wait()
    assert storm.assert_intact() == records + bool(fork)
    names = {path.name for path in log.parent.iterdir()}
    rotations = len(names) - 2
    assert rotations >= records // 200
    numbers = range(1, rotations + 1)
    assert names == {log.name, f".{log.name}.lock", *(f"{log.name}.{n}" for n in numbers)}


@SIZES
def test_no_record_is_lost_when_writers_are_killed(log, full):
    """Without this, a worker that the out-of-memory killer takes tears down the others' log."""
    kills = 15 if full else 6
    storm = Storm("Size", log, options=OPTIONS, seconds=2 + kills * 0.4, pause=0.0002)
    storm.kill_and_replace(kills)
    storm.wait()
    storm.assert_intact()
    numbers = sorted(int(path.suffix[1:]) for path in storm.files() if path != log)
    assert len(numbers) >= 20
    gaps = set(range(1, numbers[-1])) - set(numbers)
    assert len(gaps) <= 1  # of the last one killed, and the next rotation fills it


def test_a_gap_that_a_killed_process_left_is_filled_by_the_next_rotation(log, make):
    """Without this, each killed process would cost a backup or leave a file that nobody removes."""
    log.parent.mkdir()
    for number in (1, 2, 4):
        log.with_name(f"{log.name}.{number}").write_text(str(number))
    handler = make("SharedRotatingFileHandler", log, maxBytes=50, backupCount=5)
    handler.emit(record(message="x" * 40))
    handler.emit(record(message="y" * 40))
    content = {n: log.with_name(f"{log.name}.{n}").read_text()[-1] for n in (2, 3, 4)}
    assert content == {2: "1", 3: "2", 4: "4"}


@SIZES
def test_no_file_exceeds_max_bytes(log, full):
    """Without this, a small disk fills although the limits were chosen for it."""
    limit = 1 << 20
    options = {"maxBytes": limit, "backupCount": 90}
    storm = Storm("Size", log, options=options, records=15_000 if full else 8_000, filler=100)
    storm.start(4)
    storm.wait()
    storm.assert_intact()
    sizes = [path.stat().st_size for path in storm.files()]
    assert len(sizes) >= 3
    assert max(sizes) <= limit * 1.02


def test_the_newest_files_are_kept_and_no_more_than_backup_count(log, make):
    """Without this, the disk fills, or the records that are looked for are gone."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=100, backupCount=3)
    for number in range(20):
        handler.emit(record(message=f"{number:060}"))
    names = [log.name, f"{log.name}.1", f"{log.name}.2", f"{log.name}.3"]
    assert [path.name for path in own_files(log)] == names
    texts = [int((log.parent / name).read_text().split()[1]) for name in names]
    assert texts == [19, 18, 17, 16]


@pytest.mark.parametrize("options", [{"maxBytes": 0, "backupCount": 3}, {"maxBytes": 100}, {}])
def test_zero_means_no_rotation(log, make, options):
    """Without this, a file that was to be kept for ever is cut up or removed."""
    handler = make("SharedRotatingFileHandler", log, **options)
    for _ in range(50):
        handler.emit(record(message="x" * 60))
    assert log.read_text().count("\n") == 50
    assert sorted(p.name for p in log.parent.iterdir()) == [f".{log.name}.lock", log.name]


def test_a_namer_and_a_rotator_work_as_in_the_standard_library(log, make):
    """Without this, compressed backups lose what other processes write while one compresses."""

    def compress(source, target):
        with Path(source).open("rb") as plain, gzip.open(target, "wb") as packed:
            packed.write(plain.read())
        log.unlink()

    handler = make("SharedRotatingFileHandler", log, maxBytes=1000, backupCount=50)
    other = make("SharedRotatingFileHandler", log, maxBytes=1000, backupCount=50)
    for each in (handler, other):
        each.namer = lambda name: f"{name}.gz"
        each.rotator = compress
    for number in range(300):
        (handler, other)[number % 2].emit(record(message=f"n{number}n"))
    packed = sorted(log.parent.glob("*.gz"))
    assert len(packed) >= 5
    text = log.read_text() + b"".join(gzip.decompress(path.read_bytes()) for path in packed).decode()
    assert all(text.count(f"n{number}n") == 1 for number in range(300))


def test_the_constructor_opens_nothing(log, make):
    """Without this, `manage.py help` on a machine with a read-only folder dies in settings."""
    make("SharedRotatingFileHandler", log, delay=False)
    make("SharedTimedRotatingFileHandler", "/proc/none/django.log", delay=False)
    assert not log.parent.exists()
    assert issubclass(handlers.SharedRotatingFileHandler, handlers.RotatingFileHandler)
    assert issubclass(handlers.SharedTimedRotatingFileHandler, handlers.TimedRotatingFileHandler)


def test_rotation_by_hand(log, make):
    """Without this, code that calls doRollover, as the standard library allows, loses the file."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=1000, backupCount=2)
    handler.emit(record(message="first"))
    assert not handler.shouldRollover(record())
    assert handler.shouldRollover(record(message="x" * 1000))
    handler.doRollover()
    handler.emit(record(message="second"))
    assert "first" in log.with_name(f"{log.name}.1").read_text()
    assert "second" in log.read_text()
