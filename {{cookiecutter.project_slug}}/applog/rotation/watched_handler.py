"""A handler for files that another program rotates."""

import io
import logging
import logging.handlers
import os
from typing import Any

from applog.rotation import os_files
from applog.rotation.complaints import Complaining, Complaints, line_encoding
from applog.rotation.own_file import write_whole
from applog.rotation.process_lock import ProcessLock


class WatchedFileHandler(Complaining, logging.handlers.WatchedFileHandler):
    """`logging.handlers.WatchedFileHandler`, for files that another program, such as logrotate, renames.

    A record is one `write` of a whole line, so that several processes may write a file. What cannot be opened or
    written is reported on stderr now and then; without `delay`, the constructor opens the file and raises OSError.
    `mode` is ignored: the file is opened for appending. LookupError or ValueError is raised for an encoding that there
    is not, or that no line can be in.
    """

    stream: Any
    encoding: str
    errors: str

    def __init__(
        self,
        filename: str | os.PathLike[str],
        mode: str = "a",
        encoding: str | None = None,
        delay: bool = False,
        errors: str | None = None,
    ) -> None:
        encoding = line_encoding(io.text_encoding(encoding))
        # One that is put there later is to choose where the server writes.
        self._flags = 0 if os.path.islink(filename) else os_files.NO_LINK
        super().__init__(filename, mode, encoding, delay, errors or "backslashreplace")
        self._complaints = Complaints(self)

    def _open(self) -> Any:
        file = os_files.open_to_append(self.baseFilename, flags=self._flags)
        ProcessLock(self.baseFilename).clear_note()  # of the handler of LOG_FILES=rotate; this file is another one
        return file

    def reopenIfNeeded(self) -> None:  # noqa: N802  the standard library's name
        """Open the file again if another one is at the path, or a daemon has closed this one. Raises OSError."""
        stream = self.stream  # what a signal's handler logs behind this line may open another one
        if not stream or not stream.status_at(self.baseFilename):
            if stream:
                self.stream = None  # flushing a closed one is an error, if no other can be opened
                stream.close()
            self.stream = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record` into the file that is at the path now."""
        try:
            data = (self.format(record) + self.terminator).encode(self.encoding, self.errors)
            self._write(data)
        except RecursionError:  # as logging.StreamHandler
            raise
        except Exception:  # noqa: BLE001  a log must never stop the application
            self.handleError(record)

    def _write(self, data: bytes) -> None:
        self.reopenIfNeeded()
        stream = self.stream
        try:
            write_whole(stream, data)
        except (OSError, ValueError):
            if not stream.closed:  # by what a signal's handler has logged since
                raise
            self._write(data)
