"""Filters for LOGGING."""

import logging

from applog.context import current_request
from applog.security import security_event


class SecurityFilter(logging.Filter):
    """Passes security events only."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` belongs in the security log."""
        return security_event(record) is not None


class ServerFilter(logging.Filter):
    """Drops the line of runserver about a request: the middleware has logged that request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` is about something other than a request."""
        return current_request.get() is None or not hasattr(record, "status_code")
