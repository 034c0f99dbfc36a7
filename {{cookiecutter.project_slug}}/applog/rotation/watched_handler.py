"""A handler for files that another program rotates."""

import io
import logging
import logging.handlers
import sys
from contextlib import suppress
from typing import Any

from applog.rotation import os_files
from applog.rotation.complaints import Complaints
from applog.rotation.process_lock import ProcessLock


class WatchedFileHandler(logging.handlers.WatchedFileHandler):
    """`logging.handlers.WatchedFileHandler`, for files that another program, such as logrotate, renames.

    If the file cannot be opened or written, that is reported on stderr now and then, and never raised.
    """

    stream: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._complaints = Complaints(self)

    def _open(self) -> Any:
        file = os_files.open_to_append(self.baseFilename)
        ProcessLock(self.baseFilename).clear_note()  # of the handler of LOG_FILES=rotate; this file is another one
        return io.TextIOWrapper(io.BufferedWriter(file), self.encoding, self.errors)

    def reopenIfNeeded(self) -> None:  # noqa: N802  the standard library's name
        """Open the file again if another one is at the path, or a daemon has closed this one."""
        if self.stream and not self.stream.buffer.raw.is_own():
            stream, self.stream = self.stream, None
            with suppress(OSError):
                stream.close()
            self.stream = self._open()
            self._statstream()
        super().reopenIfNeeded()

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record` into the file that is at the path now."""
        try:
            super().emit(record)
        except OSError as error:
            self._complaints.lost(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        """Report an OSError, such as of a full disk, now and then; other errors as the standard library does."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._complaints.lost(error)
        else:
            super().handleError(record)
