"""Which records go where."""

import logging

from applog.context import current_request, security_event


class SecurityFilter(logging.Filter):
    """Lets pass what concerns security."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` belongs into the security log."""
        return security_event(record) is not None


class ServerFilter(logging.Filter):
    """Keeps back what the development server says of a request whose end the middleware has logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` says something new."""
        return current_request.get() is None or not hasattr(record, "status_code")
