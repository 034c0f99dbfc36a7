"""The command `manage.py logs`, which shows the project's logs."""

import errno
import os
import re
import sys
from argparse import Action, ArgumentError, ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter, no_translations
from django.core.management.color import no_style
from django.utils import translation

from applog.commands import INTERRUPTED
from applog.conf import ProjectLog, project_folder, project_logs
from applog.fingerprint import ID_PATTERN
from applog.management.answers import ERRORS_DAYS, REQUESTS_HOURS, print_errors, print_requests
from applog.management.files import clear, list_files
from applog.management.records import LINES, show
from applog.management.statistics import STATS_HOURS, print_statistics
from applog.reading import errors, requests
from applog.reading.query import Query
from applog.reading.search import SlowPatternError
from applog.text import SLOW_PATTERN, TIME_FORMATS, now, parse_time, printable

ACTIONS = "show", "list", "stats", "errors", "requests", "clear"
# Which of them an option is for.
OPTIONS = {
    ("level", "grep", "exclude", "regex", "logger", "request", "field", "error"): ("show", "stats", "errors"),
    ("since", "until"): ("show", "stats", "errors", "requests"),
    ("lines", "json"): ("show", "errors", "requests"),
    ("sort",): ("errors", "requests"),
    ("follow",): ("show",),
    ("older_than", "delete", "no_input"): ("clear",),
}

HELP = """Look at the project's log files, rotated ones included.

  logs                        the last records of all logs, newest last
  logs security -n 100        of one log
  logs --level ERROR --since 2h --grep timeout
  logs --exclude health       without the records that have this text
  logs --request ID           all records of one request
  logs --follow               and the records that are added
  logs list                   the files: size, first and last record, next rotation
  logs stats                  records by hour and level, and the most frequent messages
  logs errors                 what failed in 7 days, by kind: how often, since when, for whom
  logs requests               how requests went in 24 hours, by route: status, durations
  logs clear --older-than 30d rotated files whose last record is older; removed with --delete only
"""


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Leaves the lines of the description as they are."""


def time_argument(text: str) -> datetime:
    """Return the time of an argument. Raises ArgumentTypeError."""
    try:
        with translation.override(None):
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


class StoreOnce(Action):
    """Stores an argument; a second one would silently take the place of the first, and an empty one do nothing."""

    def __call__(self, _parser: ArgumentParser, namespace: Namespace, values: Any, _option: str | None = None) -> None:
        """Store the argument. Raises ArgumentError for a second or an empty one."""
        if getattr(namespace, self.dest) is not self.default:
            raise ArgumentError(self, "it can be given once only")
        if values == "":  # as of a variable that is not set
            raise ArgumentError(self, "it is empty; leave it out")
        setattr(namespace, self.dest, values)


class Command(BaseCommand):
    """Shows the project's logs."""

    help = HELP
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, whose help keeps its lines."""
        with translation.override(None):
            kwargs |= {"formatter_class": HelpFormatter, "epilog": str(TIME_FORMATS)}
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # So that names of logs may come before and after options.
        parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the arguments."""
        parser.register("action", None, StoreOnce)  # of options that name none
        names = ", ".join(project_logs())
        parser.add_argument(
            "what", nargs="*", help=f"{', '.join(ACTIONS)} (by default show), and logs (by default all): {names}"
        )
        parser.add_argument("-n", "--lines", type=int, help=f"records, by default {LINES}, or all since --since")
        parser.add_argument("-f", "--follow", action="store_true", help="and records that are added, until Ctrl+C")
        levels = "this level and above; =INFO,ERROR only these; --level=-INFO all others"
        parser.add_argument("-l", "--level", default="", help=levels)
        parser.add_argument("-g", "--grep", metavar="TEXT", default="", help="text in the record, in either case")
        parser.add_argument("-x", "--exclude", metavar="TEXT", action="append", help="without records with this text")
        parser.add_argument("-e", "--regex", metavar="PATTERN", default="", help="a regular expression, for one line")
        loggers = "these loggers and those below them; --logger=-NAME all others"
        parser.add_argument("--logger", metavar="NAMES", default="", help=loggers)
        parser.add_argument("-r", "--request", metavar="ID", default="", help="the id of one request")
        parser.add_argument("--field", metavar="NAME=VALUE", action="append", help="a field of a JSON record")
        parser.add_argument("--error", metavar="ID", default="", help="a kind of errors, by its id in logs errors")
        parser.add_argument("--since", metavar="TIME", type=time_argument, help="from this time on")
        parser.add_argument("--until", metavar="TIME", type=time_argument, help="before this time")
        orders = (
            f"errors: {', '.join(errors.ORDERS)}; requests: {', '.join(requests.ORDERS)}; each by default the first"
        )
        parser.add_argument("--sort", metavar="BY", default="", help=orders)
        parser.add_argument("--json", action="store_true", help="a JSON object a line: a record, an error, a route")
        parser.add_argument("--older-than", metavar="AGE", help="clear: the age of a file's last record, such as 30d")
        parser.add_argument("--delete", action="store_true", help="clear: remove the files, after a question")
        parser.add_argument("--no-input", action="store_true", help="clear: do not ask")

    @no_translations
    def handle(self, *_: Any, **options: Any) -> None:
        """Do what was asked for. A closed pipe and Ctrl+C are not errors."""
        if not (options.get("stdout") or sys.stdout):
            raise CommandError("Standard output is closed, so that nothing can be shown.")
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # the code page of a console may lack characters
                stream.reconfigure(errors="backslashreplace")
        if os.environ.get("NO_COLOR") and not options["force_color"]:
            self.style = no_style()
        what = list(options["what"])
        action = what.pop(0) if what and what[0] in ACTIONS else "show"
        self.check_options(action, options)
        try:
            self.act(action, self.choose(what, action), options)
            self.stdout.flush()
        except KeyboardInterrupt:
            self.stdout.write()
            sys.exit(INTERRUPTED)
        except SlowPatternError as error:
            raise CommandError(str(SLOW_PATTERN)) from error
        except OSError as error:
            # Windows reports EINVAL for a pipe that nobody reads.
            if error.errno not in {errno.EPIPE, errno.EINVAL} or error.filename:
                raise CommandError(str(error)) from error
            # Otherwise Python raises the error again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def check_options(self, action: str, options: dict[str, Any]) -> None:
        """Refuse options that would do nothing, and a time that ends before it begins. Raises CommandError."""
        if options["since"] and options["until"] and options["since"] >= options["until"]:
            raise CommandError("--since has to be before --until.")
        for names, actions in OPTIONS.items():
            for name in names:
                if (options[name] or (name, options[name]) == ("lines", 0)) and action not in actions:
                    option = f"--{name.replace('_', '-')}"
                    *most, last = actions
                    words = f"{', '.join(most)} and {last}" if most else last
                    raise CommandError(f"{option} is for {words}; leave it out of {action}.")

    def act(self, action: str, logs: list[ProjectLog], options: dict[str, Any]) -> None:
        """Run one of ACTIONS."""
        match action:
            case "show":
                show(self, logs, self.make_query(options), options)
            case "list":
                list_files(self, logs)
            case "stats":
                since = options["since"] or now() - timedelta(hours=STATS_HOURS)
                print_statistics(self, logs, self.make_query({**options, "since": since}))
            case "clear":
                clear(self, logs, options)
            case "errors":
                since = options["since"] or now() - timedelta(days=ERRORS_DAYS)
                print_errors(self, logs, self.make_query({**options, "since": since}), options)
            case "requests":
                since = options["since"] or now() - timedelta(hours=REQUESTS_HOURS)
                print_requests(self, logs, Query(since=since, until=options["until"]), options)

    def choose(self, names: list[str], action: str) -> list[ProjectLog]:
        """Return the logs with these names, or all logs. Raises CommandError."""
        logs = project_logs()
        for name in names:
            if name not in logs:
                known = ", ".join((*ACTIONS, *logs))
                raise CommandError(f'There is no log "{printable(name)}"; type one of {known}.')
        if not logs:
            raise CommandError('LOGGING has no handler with a "filename", so there are no logs to look at.')
        if action in {"errors", "requests"} and not names:  # other logs repeat what the first one has
            return list(logs.values())[:1]
        return [log for name, log in logs.items() if name in names or not names]

    def make_query(self, options: dict[str, Any]) -> Query:
        """Return the query of the options. Raises CommandError."""
        if options["error"] and not re.fullmatch(ID_PATTERN, options["error"]):
            raise CommandError("--error is an id of logs errors, or its first 6 characters or more.")
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
                errors=(options["what"][:1] == ["errors"] or bool(options["error"])) and not options["level"],
                kind=options["error"],
                project=project_folder() if options["error"] else "",
            )
        except ValueError as error:
            raise CommandError(printable(str(error))) from error
