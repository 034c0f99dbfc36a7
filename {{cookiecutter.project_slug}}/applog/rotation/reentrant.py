"""Records of several threads at once, without the handler's lock where nothing relies on it."""

import logging
from typing import Any

NONE: Any = object()  # in the place of a formatter
HOOKS = {"emit", "filter", "format", "formatter"}


def standard(method: Any) -> Any:
    """Return a method of the standard library, or NONE if others' code has replaced it before this module's import."""
    return method if getattr(method, "__globals__", None) is vars(logging) else NONE


FORMAT, FILTER = standard(logging.Handler.format), standard(logging.Handler.filter)


class Reentrant(logging.Handler):
    """A handler whose `emit` threads call at the same time, if it has the attribute `reentrant` with the value True.

    The lock is held for any other `emit`, as for that of a subclass, and is to be held for a formatter that is not the
    handler's `_reentrant` one: one whose class is not logging.Formatter, and does not say itself `reentrant = True`.
    """

    _reentrant: Any = NONE
    _is_plain = False  # whether `emit` is reentrant, and `filter` asks `filters` only

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, which may be a method for this handler alone."""
        super().__setattr__(name, value)
        if name in HOOKS:
            self._is_plain, self._reentrant = False, NONE  # until the next look

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit `record` if the filters let it pass."""
        if self._is_plain and type(self).filter is FILTER and not self.filters:
            self.emit(record)
            return record
        passed: Any = self.filter(record)
        if not passed:
            return passed
        if isinstance(passed, logging.LogRecord):  # another one, since Python 3.12
            record = passed
        if is_reentrant(self.emit):
            self.emit(record)
        else:
            with self.lock:  # type: ignore[union-attr]
                self.emit(record)
        return record

    def _look_at_hooks(self) -> None:
        """Find out what needs the lock: a class may have got another method, too."""
        formatter = self.formatter  # once, as another thread may set it
        kind = type(formatter)
        is_known = kind is logging.Formatter or vars(kind).get("reentrant") is True
        self._reentrant = formatter if is_known and getattr(self.format, "__func__", None) is FORMAT else NONE
        self._is_plain = is_reentrant(self.emit) and getattr(self.filter, "__func__", None) is FILTER


def is_reentrant(method: Any) -> bool:
    """Tell whether a method says that threads may call it at the same time."""
    return getattr(method, "reentrant", None) is True and not hasattr(method, "__wrapped__")  # which inherits it
