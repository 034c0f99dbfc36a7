"""Which records go where, and which of them concern security."""

import logging

from applog.context import current_request

DENIED = (401, 403)


def security_event(record: logging.LogRecord) -> str | None:
    """Return the name of the event that a record for the security log is about, and None of any other record.

    The names are those of https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html.
    """
    if record.name == "applog.security":
        return getattr(record, "event", None)
    if record.name.startswith(("django.security", "django.request")):
        if getattr(record, "status_code", None) in DENIED:
            return "authz_fail"
        if record.name.startswith("django.security"):
            return "input_validation_fail"
    return None


class SecurityFilter(logging.Filter):
    """Lets pass what concerns security."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` belongs in the security log."""
        return security_event(record) is not None


class ServerFilter(logging.Filter):
    """Keeps back what the development server says of a request whose end the middleware has logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` says something new."""
        return current_request.get() is None or not hasattr(record, "status_code")
