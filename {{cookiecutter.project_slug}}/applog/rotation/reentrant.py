"""Records of several threads at once, without the handler's lock where nothing relies on it."""

import logging
from typing import Any

NONE: Any = object()  # in the place of a formatter
FORMAT = logging.Handler.format  # others' code may replace it


class Reentrant(logging.Handler):
    """A handler whose `emit` threads call at the same time.

    Its lock is held for a subclass that has its own `emit`, and is to be held for a formatter that is not the handler's
    `_reentrant` one: one whose class is not logging.Formatter, and does not say itself `reentrant = True`.
    """

    _reentrant: Any = NONE
    _is_changed = False  # whether a subclass has its own `emit`

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit `record` if the filters let it pass."""
        passed: Any = self.filter(record)
        if not passed:
            return passed
        if isinstance(passed, logging.LogRecord):  # another one, since Python 3.12
            record = passed
        if self._is_changed:
            with self.lock:  # type: ignore[union-attr]
                self.emit(record)
        else:
            self.emit(record)
        return record

    def _look_at_formatter(self) -> None:
        """Find out whether the formatter that there is now needs the lock."""
        formatter = self.formatter  # once, as another thread may set it
        kind = type(formatter)
        is_reentrant = kind is logging.Formatter or vars(kind).get("reentrant") is True
        is_used = getattr(self.format, "__func__", None) is FORMAT
        self._reentrant = formatter if is_reentrant and is_used else NONE
