"""Records of the commands of manage.py: how each ended, and how long it took."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError

from applog.text import shorten

# They wait for somebody, or change nothing.
QUIET = frozenset({
    "check", "dbshell", "diffsettings", "findstatic", "help", "logs", "runserver", "runserver_plus", "shell",
    "shell_plus", "showmigrations", "sqlmigrate", "test", "testserver", "version",
})  # fmt: skip
REASON_CHARACTERS = 500
INTERRUPTED = 130  # the exit status of a program that Ctrl+C has ended

logger = logging.getLogger("applog.command")


@contextmanager
def command_log(arguments: Sequence[str]) -> Iterator[None]:
    """Log the end of the command that runs in this block, but of settings.LOG_QUIET_COMMANDS only a crash.

    INFO is the level of one that ends with the status 0, WARNING with another, ERROR, with a traceback, of an exception
    that nobody has caught. The console, which has the command's own output, does not get the record.

    Args:
        arguments: those of the program, the first of which is its own name (sys.argv).

    """
    begin = time.perf_counter()
    status = 0
    error: BaseException | None = None
    try:
        yield
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        error = exit_.__context__ if isinstance(exit_.__context__, CommandError) else None
        raise
    except BaseException as caught:
        status, error = INTERRUPTED if isinstance(caught, KeyboardInterrupt) else 1, caught
        raise
    finally:
        # Before that nothing is set up, and settings that cannot be used are told of on the console.
        if apps.ready and arguments[1:] and not arguments[1].startswith("-"):
            _log(arguments[1], status, error, round((time.perf_counter() - begin) * 1000, 1))


def _log(name: str, status: int, error: BaseException | None, duration: float) -> None:
    is_crash = not (error is None or isinstance(error, CommandError | KeyboardInterrupt))
    if name in getattr(settings, "LOG_QUIET_COMMANDS", QUIET) and not is_crash:
        return
    from applog.setup import with_files  # noqa: PLC0415  it needs the settings

    level = logging.ERROR if is_crash else logging.WARNING if status else logging.INFO
    why = f": {shorten(str(error), REASON_CHARACTERS)}" if isinstance(error, CommandError) else ""
    more = {"command.name": name, "exit_code": status, "duration_ms": duration, "on_console": with_files()}
    message = "%s ended with %s in %s ms%s"
    logger.log(level, message, name, status, duration, why, exc_info=error if is_crash else None, extra=more)
