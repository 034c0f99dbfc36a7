"""The command `manage.py logs`, which shows the project's logs."""

import errno
import os
import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from datetime import datetime, timedelta
from shutil import get_terminal_size
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.core.management.color import no_style

from applog.conf import ProjectLog, project_logs
from applog.management.records import LINES, bar, show
from applog.management.statistics import STATS_HOURS, print_statistics
from applog.reading.query import Query
from applog.reading.search import SlowPatternError
from applog.text import TIME_FORMATS, now, parse_age, parse_time, printable, show_size, show_time

ACTIONS = "show", "list", "stats", "clear"
# Which of them an option is for.
OPTIONS = {
    ("level", "grep", "exclude", "regex", "logger", "request", "field", "since", "until"): ("show", "stats"),
    ("lines", "follow", "json"): ("show",),
    ("older_than", "delete", "no_input"): ("clear",),
}
WIDE = 200  # columns, where there is no terminal
INTERRUPTED = 130  # the exit status of a program that Ctrl+C has ended

HELP = """Look at the project's log files, rotated ones included.

  logs                        the last records of all logs, newest last
  logs security -n 100        of one log
  logs --level ERROR --since 2h --grep timeout
  logs --exclude health       without the records that have this text
  logs --request ID           all records of one request
  logs --follow               and the records that are added
  logs list                   the files: size, first and last record, next rotation
  logs stats                  records by hour and level, and the most frequent messages
  logs clear --older-than 30d rotated files whose last record is older; removed with --delete only
"""


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Leaves the lines of the description as they are."""


def time_argument(text: str) -> datetime:
    """Return the time of an argument. Raises ArgumentTypeError."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def split_field(text: str) -> tuple[str, str]:
    """Return the name and value of "name=value". Raises ValueError."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        message = f"--field {text!a} has to be a name and a value, such as --field http.route=/orders."
        raise ValueError(message)
    return name, value


class Command(BaseCommand):
    """Shows the project's logs."""

    help = HELP
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, whose help keeps its lines."""
        parser = super().create_parser(
            prog_name, subcommand, formatter_class=HelpFormatter, epilog=TIME_FORMATS, **kwargs
        )
        # So that names of logs may come before and after options.
        parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the arguments."""
        names = ", ".join(project_logs())
        parser.add_argument(
            "what", nargs="*", help=f"{', '.join(ACTIONS)} (by default show), and names of logs: {names} (all)"
        )
        parser.add_argument("-n", "--lines", type=int, help=f"records, by default {LINES}, or all since --since")
        parser.add_argument("-f", "--follow", action="store_true", help="and records that are added, until Ctrl+C")
        levels = "this level and above; =INFO,ERROR only these; --level=-INFO all others"
        parser.add_argument("-l", "--level", type=str.upper, default="", help=levels)
        parser.add_argument("-g", "--grep", metavar="TEXT", default="", help="text in the record, in either case")
        parser.add_argument("-x", "--exclude", metavar="TEXT", action="append", help="without records with this text")
        parser.add_argument("-e", "--regex", metavar="PATTERN", default="", help="a regular expression, for one line")
        loggers = "these loggers and those below them; --logger=-NAME all others"
        parser.add_argument("--logger", metavar="NAMES", default="", help=loggers)
        parser.add_argument("-r", "--request", metavar="ID", default="", help="the id of one request")
        parser.add_argument("--field", metavar="NAME=VALUE", action="append", help="a field of a JSON record")
        parser.add_argument("--since", metavar="TIME", type=time_argument, help="from this time on")
        parser.add_argument("--until", metavar="TIME", type=time_argument, help="before this time")
        parser.add_argument("--json", action="store_true", help="one JSON object for each record")
        parser.add_argument("--older-than", metavar="AGE", help="clear: the age of a file's last record, such as 30d")
        parser.add_argument("--delete", action="store_true", help="clear: remove the files, after a question")
        parser.add_argument("--no-input", action="store_true", help="clear: do not ask")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do what was asked for. A closed pipe and Ctrl+C are not errors."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # the code page of a console may lack characters
                stream.reconfigure(errors="backslashreplace")
        if os.environ.get("NO_COLOR") and not options["force_color"]:
            self.style = no_style()
        what = list(options["what"])
        action = what.pop(0) if what and what[0] in ACTIONS else "show"
        self.check_options(action, options)
        try:
            self.act(action, self.choose(what), options)
            self.stdout.flush()
        except KeyboardInterrupt:
            self.stdout.write()
            sys.exit(INTERRUPTED)
        except SlowPatternError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            # Windows reports EINVAL for a pipe that nobody reads.
            if error.errno not in {errno.EPIPE, errno.EINVAL} or error.filename:
                raise CommandError(str(error)) from error
            # Otherwise Python raises the error again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def check_options(self, action: str, options: dict[str, Any]) -> None:
        """Refuse options that would do nothing. Raises CommandError."""
        for names, actions in OPTIONS.items():
            for name in names:
                if options[name] and action not in actions:
                    option = f"--{name.replace('_', '-')}"
                    raise CommandError(f"{option} is for {' and '.join(actions)}; leave it out of {action}.")

    def act(self, action: str, logs: list[ProjectLog], options: dict[str, Any]) -> None:
        """Run one of ACTIONS."""
        match action:
            case "show":
                show(self, logs, self.make_query(options), options)
            case "list":
                self.list_files(logs)
            case "stats":
                since = options["since"] or now() - timedelta(hours=STATS_HOURS)
                print_statistics(self, logs, self.make_query({**options, "since": since}))
            case "clear":
                self.clear(logs, options)

    def choose(self, names: list[str]) -> list[ProjectLog]:
        """Return the logs with these names, or all logs. Raises CommandError."""
        logs = project_logs()
        for name in names:
            if name not in logs:
                known = ", ".join((*ACTIONS, *logs))
                raise CommandError(f'There is no log "{printable(name)}"; type one of {known}.')
        if not logs:
            raise CommandError('LOGGING has no handler with a "filename", so there are no logs to look at.')
        return [log for name, log in logs.items() if name in names or not names]

    def make_query(self, options: dict[str, Any]) -> Query:
        """Return the query of the options. Raises CommandError."""
        try:
            return Query(
                level=options["level"],
                text=options["grep"],
                without=tuple(options["exclude"] or ()),
                pattern=options["regex"],
                logger=options["logger"],
                request_id=options["request"],
                fields=tuple(split_field(field) for field in options["field"] or ()),
                since=options["since"],
                until=options["until"],
            )
        except ValueError as error:
            raise CommandError(printable(str(error))) from error

    def list_files(self, logs: list[ProjectLog]) -> None:
        """Print the files of each log: size, first and last record, and when the next rotation is."""
        total, number = 0, 0
        for log in logs:
            self.stdout.write(self.style.MIGRATE_HEADING(log.name) + f"  {describe_rotation(log)}")
            found = log.files()
            width = max((len(file.path.name) for file in found), default=0)
            for file in found:
                first, last = log.first_time(file), log.last_time(file)
                times = f"{show_time(first)} - {show_time(last)}" if first and last else "no record with a time"
                line = f"  {file.path.name:<{width}}  {show_size(file.size):>9}  "
                parts = [times]
                if log.max_bytes and file.path == log.path:
                    share = file.size / log.max_bytes
                    parts.append(f"{bar(self.stdout, share, 12)} {share:.0%} of {show_size(log.max_bytes)}")
                # In a narrow terminal below the name, so that no time is torn apart.
                is_narrow = len(line) + len("  ".join(parts)) > get_terminal_size((WIDE, 24)).columns
                self.stdout.write(line + ("\n      " + "\n      ".join(parts) if is_narrow else "  ".join(parts)))
            if not found:
                self.stdout.write("  no file yet")
            total, number = total + sum(file.size for file in found), number + len(found)
        self.stdout.write(f"{number} files take {show_size(total)} on disk.")

    def clear(self, logs: list[ProjectLog], options: dict[str, Any]) -> None:
        """Remove rotated files whose last record is older than an age; without --delete only print which.

        Raises CommandError when an option is missing or wrong, or files cannot be removed.
        """
        if not options["older_than"]:
            raise CommandError("Type how old the files have to be, for example --older-than 30d.")
        if parse_age(options["older_than"]) is None:
            raise CommandError("--older-than is a number and s, m, h, d or w, for example 30d.")
        limit = parse_time(options["older_than"])
        old = [(log, file) for log in logs for file in log.rotated_files() if log.last_change(file) < limit]
        for log, file in old:
            change = show_time(log.last_change(file))
            self.stdout.write(f"  {file.path.name}  {show_size(file.size):>9}  last record {change}")
        if not old:
            self.stdout.write("No rotated file is that old.")
            return
        size = show_size(sum(file.size for _, file in old))
        if not options["delete"]:
            self.stdout.write(f"{len(old)} files with {size} would be removed; add --delete to remove them.")
            return
        if not options["no_input"]:
            self.stdout.write(f'Remove {len(old)} files with {size}? Type "yes": ', ending="")
            self.stdout.flush()
            if sys.stdin.readline().strip() != "yes":
                raise CommandError("Nothing was removed.")
        kept = [error for log in logs for error in log.remove([file for other, file in old if other is log])]
        self.stdout.write(f"{len(old) - len(kept)} files were removed.")
        if kept:
            raise CommandError("\n".join(str(error) for error in kept))


def describe_rotation(log: ProjectLog) -> str:
    """Return when a log rotates, how many old files it has, and what is kept of them."""
    size = f"at {show_size(log.max_bytes)}" if log.max_bytes else ""
    when = ""
    if moment := log.next_rotation:
        when = show_time(moment) if moment > now() else "with the next record"
    if not (size or when):
        return "rotated by another program, if at all"
    due = f"{when} or {size}" if when and size else when or size
    packed = ", compressed" if log.options.get("compress") else ""
    return f"rotates {due}; old files: {len(log.rotated_files())}; kept: {log.kept}{packed}"
