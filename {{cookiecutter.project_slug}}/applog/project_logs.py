"""The project's own logs, as `settings.LOGGING` names them, and how they rotate."""

import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from applog import files
from applog.periods import Periods
from applog.reader import Log, LogFile

LOCK_SECONDS = 10
NOT_FOR_THE_CLASS = {"class", "formatter", "level", "filters", "filename"}


class ProjectLog(Log):
    """A log that a handler of `settings.LOGGING` writes; `options` are the handler's."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options["filename"])
        self.options = options

    @property
    def max_bytes(self) -> int | None:
        """The size at which the file is rotated, in bytes, or None if it is not rotated by size."""
        return self.options.get("maxBytes") or None

    @property
    def backup_count(self) -> int | None:
        """How many rotated files are kept, or None if this project does not limit them."""
        return self.options.get("backupCount") or None

    @property
    def next_rotation(self) -> datetime | None:
        """When the file is due, or None if it is not rotated by time.

        It is rotated by the first record after that, so that the time may have passed.
        """
        if not {"when", "class"} <= self.options.keys():
            return None
        parameters = {key: value for key, value in self.options.items() if key not in NOT_FOR_THE_CLASS}
        # The constructor opens nothing, thanks to `delay`.
        handler = import_string(self.options["class"])(self.path, **{**parameters, "delay": True})
        handler.close()
        try:
            modified = self.path.stat().st_mtime
        except OSError:
            modified = time.time()
        return Periods.of(handler).end(modified)

    def rotated_files(self) -> list[LogFile]:
        """Return the files that are not written any more, oldest first."""
        return [file for file in self.files() if file.path.name != self.path.name]

    def last_change(self, file: LogFile) -> datetime:
        """Return when the last record of a file was made or the file was last written, whichever is later."""
        return max(filter(None, (self.limits(file)[1], file.modified)))

    def remove(self, old: list[LogFile]) -> list[OSError]:
        """Remove rotated files that still are what they were, and return the errors of those that cannot be.

        Raises OSError when another process keeps the lock under which files are renamed.
        """
        errors = []
        lock = files.ProcessLock(str(self.path))
        lock.acquire(LOCK_SECONDS)  # names pass from one file to the next while another process rotates
        try:
            wanted = {file.identity for file in old}
            for file in self.rotated_files():
                if file.identity in wanted:
                    try:
                        files.free_name(str(file.path))
                    except OSError as error:
                        errors.append(error)
        finally:
            lock.close()
        return errors


def project_logs() -> dict[str, ProjectLog]:
    """Return the logs that handlers of LOGGING write, by name: "django", "security" and those that the owner adds."""
    logs: dict[str, ProjectLog] = {}
    for options in settings.LOGGING.get("handlers", {}).values():
        if "filename" in options:
            log = ProjectLog(options)
            logs.setdefault(log.name, log)
    return logs
