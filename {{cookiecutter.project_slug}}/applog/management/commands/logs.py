"""Look at the project's logs: `manage.py logs --help`."""

import errno
import json
import os
import re
import sys
import time
from argparse import RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from shutil import get_terminal_size
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.core.management.color import no_style
from django.utils import timezone

from applog.follow import POLL_SECONDS, Follower
from applog.moments import MOMENTS, now, parse_age, parse_moment
from applog.project_logs import ProjectLog, project_logs
from applog.reader import Position, count_bytes_before, count_records, find_time, read_newer, read_older
from applog.records import Record
from applog.search import ALL, LEVELS, Filter, SlowPatternError
from applog.terminal import Progress, bar, can_show, printable, show_cut, show_size, show_time

ACTIONS = "show", "list", "stats", "clear"
LINES = 50  # records shown when nothing says how many
REMEMBERED = 1000  # records that a follower has shown
MOST_LINES = 100_000  # that fit into memory
PIECE = 2000  # records read at a time
SLICE_SECONDS = 0.2
STATS_HOURS = 24
MESSAGES = 10
MESSAGE_KINDS = 20_000  # that are told apart at a time
INTERRUPTED = 130  # the status of a program that Ctrl-C has ended

HELP = """Look at the project's log files, rotated ones included.

  logs                        the last records of all logs, newest last
  logs security -n 100        of one log
  logs --level ERROR --since 2h --grep timeout
  logs --request ID           all that one request has logged
  logs --follow               and go on with what is added
  logs list                   the files: size, first and last record, next rotation
  logs stats                  records by hour and level, and the most frequent messages
  logs clear --older-than 30d rotated files whose last record is older; removed with --delete only
"""


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Leaves the lines of the description as they are."""


class Command(BaseCommand):
    """Look at the project's logs."""

    help = HELP
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Keep the lines of the help as they are."""
        return super().create_parser(prog_name, subcommand, formatter_class=HelpFormatter, epilog=MOMENTS, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        names = ", ".join(project_logs())
        parser.add_argument(
            "what", nargs="*", help=f"{', '.join(ACTIONS)} (by default show), and the logs to take: {names} (all)"
        )
        parser.add_argument("-n", "--lines", type=int, help=f"records, by default {LINES}, or all since --since")
        parser.add_argument("-f", "--follow", action="store_true", help="go on with what is added, until Ctrl-C")
        parser.add_argument("-l", "--level", type=str.upper, default="", help="this level and above")
        parser.add_argument("-g", "--grep", metavar="TEXT", default="", help="text in the record, in either case")
        parser.add_argument("-e", "--regex", metavar="PATTERN", default="", help="a regular expression, for one line")
        parser.add_argument("--logger", metavar="NAME", default="", help="this logger and those below it")
        parser.add_argument("-r", "--request", metavar="ID", default="", help="the id of one request")
        parser.add_argument("--since", metavar="TIME", type=parse_moment, help="from this time on")
        parser.add_argument("--until", metavar="TIME", type=parse_moment, help="before this time")
        parser.add_argument("--json", action="store_true", help="one JSON object for each record")
        parser.add_argument("--older-than", metavar="AGE", help="clear: the age of a file's last record, such as 30d")
        parser.add_argument("--delete", action="store_true", help="clear: remove the files, after a question")
        parser.add_argument("--no-input", action="store_true", help="clear: do not ask")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do what was asked for; an end of the output or Ctrl-C is no error."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a console may have few characters
                stream.reconfigure(errors="backslashreplace")
        if os.environ.get("NO_COLOR") and not options["force_color"]:
            self.style = no_style()
        self.options = options
        what = list(options["what"])
        action = what.pop(0) if what and what[0] in ACTIONS else "show"
        self.logs = self._choose(what)
        try:
            {"show": self.show, "list": self.list_files, "stats": self.stats, "clear": self.clear}[action]()
            self.stdout.flush()
        except KeyboardInterrupt:
            self.stdout.write()
            sys.exit(INTERRUPTED)
        except SlowPatternError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            # EINVAL is what Windows says to a pipe that nobody reads.
            if error.errno not in {errno.EPIPE, errno.EINVAL} or error.filename:
                raise CommandError(str(error)) from error
            # What is left in the buffer would raise once more when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _choose(self, names: list[str]) -> list[ProjectLog]:
        logs = project_logs()
        for name in names:
            if name not in logs:
                known = ", ".join((*ACTIONS, *logs))
                raise CommandError(f'There is no log "{printable(name)}"; type one of {known}.')
        if not logs:
            raise CommandError('LOGGING has no handler "file" with a "filename", so there are no logs to look at.')
        return [log for name, log in logs.items() if name in names or not names]

    def _filter(self, **defaults: Any) -> Filter:
        given = self.options
        try:
            return Filter(
                level=given["level"],
                text=given["grep"],
                pattern=given["regex"],
                logger=given["logger"],
                request_id=given["request"],
                since=given["since"] or defaults.get("since"),
                until=given["until"],
            )
        except ValueError as error:
            raise CommandError(printable(str(error))) from error

    # Records

    def show(self) -> None:
        """Print records, newest last."""
        self.printed = False
        matching, count, follow = self._filter(), self.options["lines"], self.options["follow"]
        if count is not None and not 0 <= count <= MOST_LINES:
            raise CommandError(f"--lines is a number from 0 to {MOST_LINES}; all records have --since.")
        if follow and matching.until:
            raise CommandError("--follow has no end, so leave --until out.")
        followers = [Follower(log, matching) for log in self.logs] if follow else []
        if count is None and not follow and (matching.since or matching.until or matching.request_id):
            self._show_all(matching)
        else:
            most = count if count is not None else MOST_LINES if matching.since else LINES
            start = Position({follower.log.name: follower.place for follower in followers if follower.place})
            self._show_last(matching, most, start if follow else None)
        if not self.printed and not follow and count != 0:
            # Not to stdout, which a program may read.
            self.stderr.write("No records yet." if matching == ALL else "No record has what is asked for.", str)
        shown: dict[str, str] = {}  # the log of what was shown last, as a record may stand in both
        while follow:
            new = [record for follower in followers for record in follower.read_new()]
            for record in sorted(new, key=lambda record: record.time or datetime.max.replace(tzinfo=UTC)):
                if shown.setdefault(record.raw, record.log) == record.log:
                    self._print(record)
            shown = dict(list(shown.items())[-REMEMBERED:])
            self.stdout.flush()
            time.sleep(POLL_SECONDS)

    def _show_last(self, matching: Filter, count: int, position: Position | None) -> None:
        """Print the last records before `position`."""
        records: list[Record] = []
        for page in self._read_back("Searching", matching, count, position):
            records += page
        for record in reversed(records):
            self._print(record)

    def _read_back(
        self, label: str, matching: Filter, count: int, position: Position | None = None
    ) -> Iterator[list[Record]]:
        """Yield up to `count` records before `position`, newest first, in pieces."""
        total, exhausted = count_bytes_before(self.logs, position), False
        with Progress(self.stderr, label) as progress:
            while count > 0 and not exhausted:
                most = min(count, PIECE)
                page = read_older(self.logs, position, count=most, matching=matching, seconds=SLICE_SECONDS)
                yield page.records
                count, position, exhausted = count - len(page.records), page.older, page.exhausted
                progress.update(1 - count_bytes_before(self.logs, position) / max(1, total))

    def _show_all(self, matching: Filter) -> None:
        """Print all records, however many, as they are found."""
        position = find_time(self.logs, matching.since - timedelta(minutes=1)) if matching.since else Position()
        total = count_bytes_before(self.logs)
        exhausted = False
        with Progress(self.stderr, "Searching") as progress:
            while not exhausted:
                page = read_newer(self.logs, position, count=PIECE, matching=matching, seconds=SLICE_SECONDS)
                position, exhausted = page.newer, page.exhausted
                if page.records:
                    progress.clear()
                for record in reversed(page.records):
                    self._print(record)
                progress.update(count_bytes_before(self.logs, position) / max(1, total))

    def _print(self, record: Record) -> None:
        self.printed = True
        if self.options["json"]:
            self.stdout.write(as_json(record))
            return
        paint = self._painter(record.level)
        parts = []
        if record.time:
            parts.append(timezone.localtime(record.time).isoformat(timespec="milliseconds"))
        if record.level:
            parts.append(paint(printable(record.level)))
        if record.logger:
            parts += [self.style.MIGRATE_LABEL(printable(record.logger)), f"[{printable(record.request_id or '-')}]"]
        self.stdout.write(" ".join((*parts, printable(record.message))))
        for line in record.lines:
            self.stdout.write(("    " if record.level and not line.startswith(" ") else "") + printable(line))
        if cut := show_cut(record):
            self.stdout.write(self.style.NOTICE(f"    [{cut}]"))

    def _painter(self, level: str) -> Callable[[str], str]:
        style = self.style
        styles = {
            "CRITICAL": style.ERROR,
            "ERROR": style.ERROR,
            "WARNING": style.WARNING,
            "INFO": style.SUCCESS,
            "DEBUG": style.HTTP_NOT_MODIFIED,
        }
        return styles.get(level, str)

    # Files

    def list_files(self) -> None:
        """Print the files of each log."""
        total, number = 0, 0
        for log in self.logs:
            self.stdout.write(self.style.MIGRATE_HEADING(log.name) + f"  {self._rotation(log)}")
            found = log.files()
            width = max((len(file.path.name) for file in found), default=0)
            for file in found:
                first, last = log.limits(file)
                times = f"{show_time(first)} - {show_time(last)}" if first and last else "no record with a time"
                line = f"  {file.path.name:<{width}}  {show_size(file.size):>9}  {times}"
                if log.max_bytes and file is found[-1]:
                    share = file.size / log.max_bytes
                    line += f"  {self._bar(share, 12)} {share:.0%} of {show_size(log.max_bytes)}"
                self.stdout.write(line)
            if not found:
                self.stdout.write("  no file yet")
            total, number = total + sum(file.size for file in found), number + len(found)
        self.stdout.write(f"{number} files take {show_size(total)} on disk.")

    def _rotation(self, log: ProjectLog) -> str:
        kept = f"{len(log.rotated_files())} of {log.backup_count} old files"
        if log.max_bytes:
            return f"rotates at {show_size(log.max_bytes)}; {kept}"
        if moment := log.next_rotation:
            when = show_time(moment) if moment > now() else "with the next record"
            return f"rotates next {when}; {kept}"
        return "rotated by another program, if at all"

    def _bar(self, share: float, width: int) -> str:
        return bar(share, width, ascii_only=not can_show(self.stdout, "█░"))

    # Statistics

    def stats(self) -> None:
        """Print how many records there are by hour and level, and the most frequent messages."""
        matching = self._filter(since=now() - timedelta(hours=STATS_HOURS))
        levels: dict[datetime, Counter[str]] = {}
        position, total = Position(), count_bytes_before(self.logs)
        with Progress(self.stderr, "Counting") as progress:
            complete = False
            while not complete:
                counts = count_records(
                    self.logs,
                    timedelta(hours=1),
                    position,
                    matching=matching,
                    zone=timezone.get_current_timezone(),
                    seconds=SLICE_SECONDS,
                )
                for begin, numbers in counts.levels.items():
                    levels.setdefault(begin, Counter()).update(numbers)
                position, complete = counts.older, counts.complete
                progress.update(1 - count_bytes_before(self.logs, position) / max(1, total))
        self._draw(levels)
        self._print_messages(matching)

    def _draw(self, levels: dict[datetime, Counter[str]]) -> None:
        if not levels:
            self.stdout.write("No records.")
            return
        known = [level for level in reversed(LEVELS) if any(level in numbers for numbers in levels.values())]
        known += sorted({level for numbers in levels.values() for level in numbers} - set(LEVELS))
        columns = [max(len(level), 7) for level in known]
        room = max(10, min(get_terminal_size().columns, 120) - 18 - sum(column + 1 for column in columns))
        most = max(numbers.total() for numbers in levels.values())
        head = " ".join(f"{printable(level):>{column}}" for level, column in zip(known, columns, strict=True))
        self.stdout.write(f"{'':16} {head}")
        block = "█" if can_show(self.stdout, "█") else "#"
        for begin in sorted(levels):
            numbers = levels[begin]
            cells = " ".join(f"{numbers[level]:>{column}}" for level, column in zip(known, columns, strict=True))
            drawn = "".join(
                self._painter(level)(block * width) for level, width in split_bar(numbers, known, most, room)
            )
            self.stdout.write(f"{begin:%Y-%m-%d %H:%M} {cells} {drawn}")
        sums = sum(levels.values(), Counter())
        cells = " ".join(f"{sums[level]:>{column}}" for level, column in zip(known, columns, strict=True))
        self.stdout.write(self.style.HTTP_INFO(f"{'all':<16} {cells}"))

    def _print_messages(self, matching: Filter) -> None:
        messages: Counter[tuple[str, str]] = Counter()
        for records in self._read_back("Reading messages", matching, sys.maxsize):
            messages.update((record.level, kind_of(record.message)) for record in records)
            if len(messages) > MESSAGE_KINDS:
                messages = Counter(dict(messages.most_common(MESSAGE_KINDS // 2)))
        if messages:
            self.stdout.write("\nMost frequent (# stands for what differs)")
        for (level, message), number in messages.most_common(MESSAGES):
            room = max(20, get_terminal_size().columns - 20)
            text = printable(message)
            text = text if len(text) <= room else f"{text[: room - 3]}..."
            self.stdout.write(f"{number:>8} {self._painter(level)(f'{printable(level):<8}')} {text}")

    # Removal

    def clear(self) -> None:
        """Remove rotated files whose last record is older than an age, or say which ones."""
        if not self.options["older_than"]:
            raise CommandError("Type how old the files have to be, for example --older-than 30d.")
        age = parse_age(self.options["older_than"])
        if age is None:
            raise CommandError("--older-than is a number and s, m, h, d or w, for example 30d.")
        limit = now() - age
        old = [(log, file) for log in self.logs for file in log.rotated_files() if log.last_change(file) < limit]
        for log, file in old:
            change = show_time(log.last_change(file))
            self.stdout.write(f"  {file.path.name}  {show_size(file.size):>9}  last record {change}")
        if not old:
            self.stdout.write("No rotated file is that old.")
            return
        size = show_size(sum(file.size for _, file in old))
        if not self.options["delete"]:
            self.stdout.write(f"{len(old)} files with {size} would be removed; add --delete to remove them.")
            return
        if not self.options["no_input"]:
            self.stdout.write(f'Remove {len(old)} files with {size}? Type "yes": ', ending="")
            self.stdout.flush()
            if sys.stdin.readline().strip() != "yes":
                raise CommandError("Nothing was removed.")
        kept = [error for log in self.logs for error in log.remove([file for other, file in old if other is log])]
        self.stdout.write(f"{len(old) - len(kept)} files were removed.")
        if kept:
            raise CommandError("\n".join(str(error) for error in kept))


def as_json(record: Record) -> str:
    """Return a record as one line of ASCII, in which nothing controls a terminal."""
    fields = {
        "log": record.log,
        "timestamp": record.time.isoformat(timespec="milliseconds") if record.time else None,
        "level": record.level,
        "logger": record.logger,
        "message": record.message,
        "request_id": record.request_id,
        "lines": record.lines,
        **({"truncated_from_bytes": record.size} if record.truncated else {}),
    }
    return json.dumps({**record.fields, **fields}, default=str).replace("\x7f", "\\u007f")


def kind_of(message: str) -> str:
    """Return a message without what differs between messages of its kind: numbers and ids."""
    return re.sub(r"\b(0x)?[0-9a-f]*\d[0-9a-f]*\b|\d+", "#", message[:500], flags=re.IGNORECASE)


def split_bar(numbers: Counter[str], levels: list[str], most: int, room: int) -> Iterator[tuple[str, int]]:
    """Divide a bar among levels, so that none that occurs disappears."""
    for level in levels:
        if numbers[level]:
            yield level, max(1, round(numbers[level] / most * room))
