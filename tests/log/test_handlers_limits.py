"""A file is rotated when its period is over or its room is used, and all files together have a limit."""

import os
import re
import time

import pytest
from handler_support import BEGIN, BY_TIME, CLASSES, DAY, RotatedLog, handlers, options_of, own_files, record, text_of

ROTATES = {"maxBytes": 150, "backupCount": 3}  # with each second line of 100 bytes


def write(handler, numbers, day=0):
    """Write a line of 100 bytes for each number, at a day after BEGIN."""
    for number in numbers:
        handler.emit(record(BEGIN + day * DAY, f"n{number:03}n".ljust(99, "x")))


def names(log):
    """Return what follows the log's name in the names of its files."""
    return [path.name.removeprefix(log.name) for path in own_files(log)]


def test_a_day_may_rotate_more_than_once(log, make):
    """Without this, one flooded day fills the disk."""
    handler = make("SharedTimedRotatingFileHandler", log, maxBytes=250, **BY_TIME)
    write(handler, range(7))
    write(handler, range(7, 10), day=1)
    write(handler, [10], day=2)
    first = ["", ".2024-10-04", ".2024-10-04.1", ".2024-10-04.2", ".2024-10-04.3"]
    assert names(log) == [*first, ".2024-10-05", ".2024-10-05.1"]
    # As the reader puts them in order.
    text = "".join(file.path.read_text() for file in RotatedLog(log).files())
    assert [int(line.split("n")[1]) for line in text.splitlines()] == list(range(11))


def test_the_next_file_of_a_day_comes_after_the_others_though_the_first_are_gone(log, make):
    """Without this, the newest records of a day stand before older ones."""
    handler = make("SharedTimedRotatingFileHandler", log, maxBytes=150, totalBytes=500, **BY_TIME)
    write(handler, range(9))
    assert names(log) == ["", ".2024-10-04.5", ".2024-10-04.6", ".2024-10-04.7"]
    log.with_name("django.log.2024-10-04.7").rename(log.with_name("django.log.2024-10-04.7.gz"))
    write(handler, [9])
    assert names(log)[-2:] == [".2024-10-04.7.gz", ".2024-10-04.8"]


@pytest.mark.parametrize("limits", [{"totalBytes": 1000}, {"totalBytes": 300, "maxBytes": 900}, {"totalBytes": 1}])
@pytest.mark.parametrize("name", ["SharedTimedRotatingFileHandler", "SharedRotatingFileHandler"])
def test_a_ceiling_holds_without_a_limit_of_a_file_and_however_low(log, make, name, limits):
    """Without this, whoever gives only totalBytes has no limit at all."""
    options = BY_TIME if "Timed" in name else {"backupCount": 50}
    handler = make(name, log, **options, **limits)
    write(handler, range(60))
    assert sum(path.stat().st_size for path in own_files(log)) <= max(150, limits["totalBytes"])


def test_a_late_record_does_not_begin_a_file(log, make):
    """Without this, a file of today's is named after yesterday if it begins with a record that came late."""
    handler = make("SharedTimedRotatingFileHandler", log, when="midnight", utc=True, maxBytes=240)
    day = 20_000 * 86400
    for number, created in enumerate([day, day + 86400, day + 86401, day + 1, day + 2, day + 86402]):
        handler.handle(record(created, f"n{number}n {'x' * 90}"))
    assert [path.name for path in own_files(log)] == [
        "django.log", "django.log.2024-10-04", "django.log.2024-10-04.1", "django.log.2024-10-05",
    ]  # fmt: skip
    files = [path.read_text() for path in own_files(log)]
    assert [[number for number in range(6) if f"n{number}n" in text] for text in files] == [[5], [0, 3], [4], [1, 2]]


def test_backup_count_counts_days(log, make):
    """Without this, a flood of one afternoon removes the 89 days before it."""
    handler = make("SharedTimedRotatingFileHandler", log, maxBytes=150, backupCount=2, **BY_TIME)
    for day in range(4):
        write(handler, range(3), day=day)
    days = [".2024-10-05", ".2024-10-05.1", ".2024-10-05.2", ".2024-10-06", ".2024-10-06.1", ".2024-10-06.2"]
    assert names(log) == ["", *days, ".2024-10-07", ".2024-10-07.1"]


@CLASSES
@pytest.mark.parametrize("total", [1000, 2550])
def test_all_files_together_have_a_limit(log, make, cls, total):
    """Without this, a small disk fills although the limits were chosen for it."""
    options = BY_TIME if "Timed" in cls else {"backupCount": 90}
    handler = make(cls, log, maxBytes=450, totalBytes=total, **options)
    sizes = []
    for number in range(100):
        write(handler, [number], day=number // 30)
        sizes.append(sum(path.stat().st_size for path in own_files(log)))
    assert max(sizes) <= total
    assert sizes[-1] >= total - 900
    assert "n099n" in log.read_text()


def test_the_current_file_stays_whatever_the_limit(log, make):
    """Without this, a limit that is too small costs the last records."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=5000, backupCount=3, totalBytes=10)
    write(handler, range(3))
    assert names(log) == [""]
    assert "n002n" in log.read_text()


def test_a_lowered_backup_count_holds_after_the_next_rotation(log, make):
    """Without this, the advice for a full disk removes nothing."""
    write(make("SharedRotatingFileHandler", log, maxBytes=150, backupCount=10), range(15))
    log.with_name("django.log.20").write_text("somebody's")
    assert len(names(log)) == 12
    write(make("SharedRotatingFileHandler", log, maxBytes=150, backupCount=3), range(2))
    assert names(log) == ["", ".1", ".2", ".20", ".3"]


def test_a_clock_that_was_ahead_once(log, make):
    """Without this, no file is rotated or removed until the date that the clock has shown."""
    handler = make("SharedTimedRotatingFileHandler", log, backupCount=3, **BY_TIME)
    now = time.time()
    for day in (0, 3650, *range(1, 10)):
        handler.close()
        handler.emit(record(now + day * DAY, f"day {day}"))
    assert len(own_files(log)) == 4
    assert "day 9" in log.read_text()


def test_late_records_have_the_same_limits(log, make):
    """Without this, a flood of records that were made yesterday fills the disk."""
    handler = make("SharedTimedRotatingFileHandler", log, maxBytes=450, totalBytes=2000, **BY_TIME)
    sizes = []
    for number in range(120):
        write(handler, [number], day=number % 40 == 0 or number < 40)  # most of them are of the day before
        sizes.append([path.stat().st_size for path in own_files(log)])
    assert max(map(max, sizes)) <= 450
    assert max(map(sum, sizes)) <= 2000
    assert min(map(sum, sizes[20:])) >= 2000 - 2 * 450
    assert "n119n" in text_of(log)


@pytest.mark.parametrize(
    "suffix", ["%Y-%m-%d.log", "%Y%m%d", "%d-%b-%Y", "%Y-%j", "%A %F", "%G-W%V-%u", "%H %B %d, %y", "%e. %m. %Y"]
)
def test_files_are_found_again_by_any_suffix(log, make, suffix):
    """Without this, files are kept for ever whose names somebody has made more readable."""
    handler = make("SharedTimedRotatingFileHandler", log, backupCount=3, **BY_TIME)
    handler.suffix = suffix
    for day in range(9):
        write(handler, [day], day)
    assert len(own_files(log)) == 4


@pytest.mark.parametrize("suffix", ["%G-W%V", "%Y-W%W", "%U.%Y"])
def test_weeks_by_their_number(log, make, suffix):
    """Without this, the weekly files of a project that numbers weeks are kept for ever."""
    handler = make("SharedTimedRotatingFileHandler", log, backupCount=3, when="W6", utc=True)
    handler.suffix = suffix
    for week in range(20):  # week 0 of 2025, too
        write(handler, [week], 7 * week)
        assert len(own_files(log)) <= 4


@pytest.mark.parametrize("suffix", ["", "old", "%H", "%m-%d", "%a", "%s", "%c", "%Y/%m/%d", "%D", "%F_%d", "%F\ud800"])
def test_a_suffix_that_no_file_is_found_by_is_refused(log, make, suffix):
    """Without this, files are never removed, or a year's first ones before the year's last, or nothing is rotated."""
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME)
    with pytest.raises(ValueError, match=re.escape(f"{suffix!r} is no date, with its year")):
        handler.suffix = suffix


def test_a_note_of_another_file_is_not_believed(log, make):
    """Without this, after a month of LOG_FILES=watch today's records get the date of a month ago."""
    now = time.time()
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME)
    handler.emit(record(now - 30 * DAY, "before"))
    handler.close()
    watched = make("WatchedFileHandler", log)
    log.rename(log.with_name("moved"))
    watched.emit(record(now, "meanwhile"))
    watched.close()
    handler.emit(record(now, "today"))
    assert names(log) == [""]
    assert len(log.read_text().splitlines()) == 2


def test_should_rollover_before_the_first_record(log, make):
    """Without this, code that asks is told that a full file has room, or that today's is yesterday's."""
    log.parent.mkdir()
    log.write_text("x" * 100)
    assert make("SharedRotatingFileHandler", log, maxBytes=50, backupCount=1).shouldRollover(record())
    timed = make("SharedTimedRotatingFileHandler", log, **BY_TIME)
    assert not timed.shouldRollover(record())
    assert timed.shouldRollover(record(time.time() + 2 * DAY))


unix = pytest.mark.skipif(os.name == "nt", reason="modes, owners, links and numbered descriptors are of POSIX")


@unix
@CLASSES
@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_mode_stays(log, make, cls, mode):
    """Without this, a log that only its owner may read is everybody's after midnight."""
    log.parent.mkdir()
    log.touch()
    log.chmod(mode)
    write(make(cls, log, **options_of(cls, **ROTATES)), range(5))
    assert {path.stat().st_mode & 0o777 for path in own_files(log)} == {mode}


@unix
@CLASSES
def test_the_mode_stays_when_others_remove_the_file(log, make, cls):
    """Without this, a log that only its owner may read is everybody's after it was moved away by hand."""
    handler = make(cls, log, **options_of(cls, **ROTATES))
    write(handler, [0])
    log.chmod(0o600)
    handler._close_window()  # noqa: SLF001  as if half a second had passed
    write(handler, [1])
    log.rename(log.with_name("elsewhere")).chmod(0o666)  # to hand it on
    handler._close_window()  # noqa: SLF001
    write(handler, [2])
    assert "n002n" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@unix
@CLASSES
def test_what_root_makes_belongs_to_the_server(log, make, cls):
    """Without this, the server cannot write the file that `sudo manage.py` has begun, nor take the lock."""
    if os.geteuid():
        pytest.skip("only root may give files away")
    log.parent.mkdir()
    os.chown(log.parent, 65534, 65534)
    handler = make(cls, log, **options_of(cls, **ROTATES))
    write(handler, range(3))
    os.chown(log, 65533, 65533)
    write(handler, range(3, 5))
    owners = [path.stat().st_uid for path in (log, log.with_name(".django.log.lock"))]
    assert owners == [65533, 65534]


@unix
def test_root_gives_nothing_away_that_it_did_not_make(tmp_path, log, make):
    """Without this, whoever owns the folder becomes the owner of any file of root's by a link."""
    secret = tmp_path / "secret"
    secret.write_text("root's")
    log.parent.mkdir()
    handler = make("SharedRotatingFileHandler", log, **ROTATES)
    os.link(secret, log)
    before = secret.stat()
    write(handler, range(2))
    assert (secret.stat().st_uid, secret.stat().st_mode) == (before.st_uid, before.st_mode)


@unix
@CLASSES
def test_a_lock_that_is_a_link_is_not_used(tmp_path, log, make, cls, capfd):
    """Without this, whoever may write the folder empties a file of another user's by a link."""
    letter = tmp_path / "letter"
    letter.write_text("dear")
    log.parent.mkdir()
    log.with_name(".django.log.lock").symlink_to(letter)
    write(make(cls, log, **options_of(cls, **ROTATES)), range(5))
    assert letter.read_text() == "dear"
    assert len(log.read_text().splitlines()) == 5
    assert "Too many levels of symbolic links" in capfd.readouterr().err


@unix
def test_a_lock_that_is_a_link_is_not_emptied_by_a_watched_log(tmp_path, log, make):
    """Without this, the same link works where logrotate rotates."""
    letter = tmp_path / "letter"
    letter.write_text("dear")
    log.parent.mkdir()
    log.with_name(".django.log.lock").symlink_to(letter)
    make("WatchedFileHandler", log).emit(record())
    assert letter.read_text() == "dear"


def test_a_namer_that_leaves_out_the_number(log, make, capfd):
    """Without this, the next record waits for ever for a name that is free, and so do all processes."""
    handler = make("SharedTimedRotatingFileHandler", log, maxBytes=150, **BY_TIME)
    handler.namer = lambda name: name.partition(".log")[0] + "-old.log"
    write(handler, range(9))
    write(handler, range(9, 12), day=-1)
    lines = "".join(path.read_text() for path in log.parent.glob("*.log")).splitlines()
    assert len(lines) == 12
    assert "The namer gives two files" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["django-old.log", "django.log.001"])
def test_a_namer_that_gives_each_number_one_name(log, make, capfd, name):
    """Without this, each rotation takes the place of the one before, though more are to be kept."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=250, backupCount=5)
    handler.namer = lambda _name: str(log.with_name(name))
    write(handler, range(9))
    files = list(log.parent.glob("django*log*"))
    assert len(files) == 2
    assert sum(path.read_text().count("n0") for path in files) == 9
    assert "The namer gives two files one name" in capfd.readouterr().err


def test_a_namer_for_the_one_file_that_is_kept(log, make, capfd):
    """Without this, who keeps one old file may not call it as he likes."""
    handler = make("SharedRotatingFileHandler", log, maxBytes=250, backupCount=1)
    handler.namer = lambda _name: str(log.with_name("django.old"))
    write(handler, range(9))
    assert "n007n" in log.with_name("django.old").read_text()
    assert log.read_text().count("\n") == 1
    assert capfd.readouterr().err == ""


@unix
def test_a_late_record_follows_no_link(log, make, tmp_path):
    """Without this, whoever may make a file in the folder chooses where the server writes."""
    other = tmp_path / "other"
    other.write_text("other\n")
    handler = make("SharedTimedRotatingFileHandler", log, **BY_TIME)
    write(handler, [0], day=1)
    log.with_name("django.log.2024-10-04").symlink_to(other)
    write(handler, [1])
    assert other.read_text() == "other\n"
    assert "n001n" in log.with_name("django.log.2024-10-04.1").read_text()


@unix
@CLASSES
def test_a_log_that_is_a_link(tmp_path, log, make, cls):
    """Without this, the log moves back to the small disk, and the large one fills."""
    large = tmp_path / "large"
    large.mkdir()
    log.parent.mkdir()
    log.symlink_to(large / "django.log")
    write(make(cls, log, **options_of(cls, **ROTATES)), range(6))
    assert log.is_symlink()
    assert len(own_files(large / "django.log")) >= 4


@unix
@CLASSES
def test_another_file_under_the_descriptor_is_left_alone(tmp_path, log, make, cls, monkeypatch):
    """Without this, a daemon's database gets log lines, or is closed."""
    monkeypatch.setattr(handlers.os_files, "DESCRIPTOR", 0)  # as where there may be few descriptors
    handler = make(cls, log, **options_of(cls, **ROTATES))
    write(handler, range(3))
    with (tmp_path / "database").open("w") as database:
        for file in (handler.stream, handler._process_lock._file):  # noqa: SLF001
            os.dup2(database.fileno(), file.fileno())
        numbers = [file.fileno() for file in (handler.stream, handler._process_lock._file)]  # noqa: SLF001
        handler._close_window()  # noqa: SLF001  as if half a second had passed
        write(handler, range(3, 8))
        handler.close()
        assert [os.fstat(number).st_ino for number in numbers] == [os.fstat(database.fileno()).st_ino] * 2
        for number in numbers:
            os.close(number)
    assert (tmp_path / "database").read_text() == ""
    assert "n007n" in log.read_text()


@unix
@pytest.mark.parametrize("is_closed", [False, True])
def test_a_watched_log_leaves_another_file_alone(tmp_path, log, make, is_closed):
    """Without this, what a daemon opens after it has closed everything gets log lines, until logrotate runs."""
    handler = make("WatchedFileHandler", log)
    handler.emit(record(message="n1n"))
    number = handler.stream.fileno()
    with (tmp_path / "database").open("w") as database:
        os.close(number)
        if not is_closed:
            os.dup2(database.fileno(), number)
        handler.emit(record(message="n2n"))
        if not is_closed:
            assert os.fstat(number).st_ino == os.fstat(database.fileno()).st_ino
            os.close(number)
    handler.emit(record(message="n3n \N{SNOWMAN}"))
    handler.stream.close()
    handler.emit(record(message="n4n"))
    handler.close()
    assert (tmp_path / "database").read_text() == ""
    assert [line.split()[1] for line in log.read_text(encoding="utf-8").splitlines()] == ["n1n", "n2n", "n3n", "n4n"]


@unix
@CLASSES
@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "after a look"])
@pytest.mark.parametrize("by", ["daemon", "owner"])
def test_a_descriptor_that_somebody_has_closed_is_replaced(log, make, cls, is_late, by):
    """Without this, no record is written any more; or the old object closes the new descriptor of its number."""
    handler = make(cls, log, **options_of(cls))
    for number in range(0, 6, 2):
        handler.handle(record(message=f"n{number}n"))
        handler.handle(record(message=f"n{number + 1}n"))
        if by == "owner":
            handler.stream.close()
        else:
            os.close(handler.stream.fileno())
        if is_late:
            handler._close_window()  # noqa: SLF001  as if half a second had passed
    handler.handle(record(message="n6n"))
    assert os.fstat(handler.stream.fileno()).st_ino == log.stat().st_ino
    assert [line.split()[1] for line in log.read_text().splitlines()] == [f"n{number}n" for number in range(7)]


@unix
@CLASSES
def test_the_descriptors_are_not_those_that_a_daemon_opens_next(log, make, cls):
    """Without this, what a daemon opens after it has closed everything gets log lines for half a second."""
    handler = make(cls, log, **options_of(cls, **ROTATES))
    write(handler, range(1))
    assert handler.stream.fileno() >= handlers.os_files.DESCRIPTOR
    os.close(handler.stream.fileno())
    write(handler, range(1, 2))
    assert "n001n" in log.read_text()
