"""What LOGGING says: the handlers in use, the logs that they write, and how those rotate."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from applog.reading.folder import LogFile
from applog.reading.log import RotatedLog
from applog.rotation.os_files import free_name
from applog.rotation.periods import Periods
from applog.rotation.process_lock import ProcessLock
from applog.setup import in_effect
from applog.text import now, show_size

LOCK_SECONDS = 10
NOT_FOR_THE_CLASS = {"class", "formatter", "level", "filters", "filename", "."}


def project_folder() -> str:
    """Return the path of the folder with the project's own code: BASE_DIR, or else the one that applog/ is in."""
    return str(getattr(settings, "BASE_DIR", None) or Path(__file__).resolve().parent.parent)


def used_handlers() -> dict[str, dict[str, Any]]:
    """Return the options of each handler that a logger, or another handler, hands records to, by the handler's name.

    If its file is not written, because LOG_FILES is off or it cannot be, the options are those of what replaces it.
    """
    config = in_effect(settings.LOGGING)
    loggers = [config.get("root", {}), *config.get("loggers", {}).values()]
    named = [name for logger in loggers for name in logger.get("handlers", ())]
    return {name: config["handlers"][name] for name in with_targets(named, config["handlers"])}


def with_targets(names: list[str], handlers: dict[str, Any]) -> dict[str, None]:
    """Return the names of handlers, each once, and of those that they hand records to, as a queue does."""
    found: dict[str, None] = {}
    for name in names:
        found |= {name: None, **with_targets(handlers[name].get("handlers", []), handlers)}
    return found


def chain_of(name: str) -> Iterator[dict[str, Any]]:
    """Yield the options that LOGGING has for the logger `name` and for those above it that its records reach."""
    loggers = settings.LOGGING.get("loggers", {})
    while name:
        options = loggers.get(name, {})
        yield options
        if not options.get("propagate", True):
            return
        name = name.rpartition(".")[0]
    yield root_logger()


def root_logger() -> dict[str, Any]:
    """Return the options of the root logger, which LOGGING may have under "root" or in "loggers" under ""."""
    options: dict[str, Any] = settings.LOGGING.get("root", settings.LOGGING.get("loggers", {}).get("", {}))
    return options


class ProjectLog(RotatedLog):
    """The log of a handler in LOGGING, whose options are `options`."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options["filename"])
        self.options = options

    @property
    def max_bytes(self) -> int | None:
        """The size at which the file is rotated, in bytes, or None if it is not rotated by size."""
        limits = self.options.get("maxBytes", 0), self.options.get("totalBytes", 0) // 2
        return min((limit for limit in limits if limit > 0), default=None)

    @property
    def kept(self) -> str:
        """What is kept of the log, in words."""
        unit = _("%s old files") if "when" not in self.options else _("%s days") if self.is_daily else _("%s periods")
        count, total = self.options.get("backupCount"), self.options.get("totalBytes")
        limits = [unit % count] if count else []
        limits += [_("%s in all") % show_size(total)] if total else []
        return _(" and at most ").join(limits) or _("everything")

    @property
    def is_daily(self) -> bool:
        """Whether the file is rotated by time, and each day."""
        every = str(self.options.get("when", "")).upper(), self.options.get("interval", 1)
        return every in {("MIDNIGHT", 1), ("D", 1)}

    @property
    def next_rotation(self) -> datetime | None:
        """When the file is due for rotation, or None if it is not rotated by time.

        The first record after that rotates the file, so the time may be past.
        """
        if not {"when", "class"} <= self.options.keys():
            return None
        parameters = {key: value for key, value in self.options.items() if key not in NOT_FOR_THE_CLASS}
        # With `delay` the constructor opens no file.
        handler = import_string(self.options["class"])(self.path, **{**parameters, "delay": True})
        handler.close()
        try:
            modified = self.path.stat().st_mtime
        except OSError:
            modified = now().timestamp()
        return Periods.of(handler).end(modified)

    def rotated_files(self) -> list[LogFile]:
        """Return all files but the current one, oldest first."""
        return [file for file in self.files() if file.name != self.path.name]

    def last_change(self, file: LogFile) -> datetime:
        """Return the time of a file's last record or of its modification, whichever is later."""
        _, last = self.find_times(file)
        return max(filter(None, (last, file.modified)))

    def remove(self, old: list[LogFile]) -> tuple[list[LogFile], list[OSError]]:
        """Remove rotated files, even if they have been renamed.

        Returns those that were removed, and the errors of those that cannot be removed.

        Raises TimeoutError when another process does not release the lock of rotation within LOCK_SECONDS.
        """
        removed, errors = [], []
        lock = ProcessLock(str(self.path))
        lock.acquire(LOCK_SECONDS)  # while another process rotates, files change their names
        try:
            wanted = {file.identity for file in old}
            for file in self.rotated_files():
                if file.identity in wanted:
                    try:
                        free_name(str(file.path))
                    except OSError as error:
                        errors.append(error)
                    else:
                        removed.append(file)
        finally:
            lock.close()
        return removed, errors


def project_logs() -> dict[str, ProjectLog]:
    """Return the log of each handler in LOGGING that has a "filename", by its name: the file's name without its suffix.

    Logs that are not written at present are included.
    """
    logs: dict[str, ProjectLog] = {}
    for options in settings.LOGGING.get("handlers", {}).values():
        if "filename" in options:
            log = ProjectLog(options)
            logs.setdefault(log.name, log)
    return logs
