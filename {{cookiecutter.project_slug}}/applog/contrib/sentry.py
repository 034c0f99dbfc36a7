"""Sends errors to Sentry, or to what speaks its protocol: GlitchTip, Bugsink.

This module is imported only if SENTRY_DSN is set. What leaves the machine has no more secrets than the log has: neither
bodies of requests nor cookies nor query strings nor variables, and all else as `applog.redaction.plain` leaves it.
https://docs.sentry.io/platforms/python/integrations/django/
"""

import logging
from typing import Any

from django.db import connection
from environs import EnvError

from applog.context import NO_REQUEST, current_request, request_user, stamp
from applog.fingerprint import REFUSALS
from applog.formatters import message_of
from applog.queries import without_values
from applog.redaction import plain
from applog.security import security_event

try:
    import sentry_sdk
    from sentry_sdk.utils import BadDsn
except ImportError as error:
    message = 'sentry-sdk, which "SENTRY_DSN" asks for, is not installed; run "uv sync --group sentry"'
    raise EnvError(message) from error

TAGS = "request_id", "trace_id", "span_id"


def start(dsn: str) -> None:
    """Send unhandled exceptions, and records of the level ERROR and above, to a project's address.

    The SDK reads SENTRY_ENVIRONMENT and SENTRY_RELEASE by itself, and sends from its own thread.

    Args:
        dsn: the address, as the project's settings in Sentry show it.

    Raises EnvError for an address that cannot be used.

    """
    if sentry_sdk.is_initialized():  # Django's runserver sets logging up twice
        return
    try:
        # Sessions and reports of the SDK about itself are known to Sentry alone.
        sentry_sdk.init(
            dsn,
            before_send=scrub,
            before_breadcrumb=scrub_breadcrumb,
            include_local_variables=False,
            max_request_body_size="never",
            auto_session_tracking=False,
            send_client_reports=False,
        )
    except BadDsn as error:
        message = f'Environment variable "SENTRY_DSN" must be like https://key@example.com/1 ({error})'
        raise EnvError(message) from error


def scrub_breadcrumb(crumb: Any, _: dict[str, Any]) -> Any:
    """Return a note of what came before an event, of a statement of SQL without the values in it."""
    if crumb.get("category") == "query":
        crumb["message"] = without_values(str(crumb.get("message", "")), connection.vendor)
    return crumb


def scrub(event: Any, hint: dict[str, Any]) -> Any:
    """Return an event without secrets, with the ids of its request, trace and user, and the fields that are bound.

    Returns None, so that nothing is sent, for what Django refuses: strangers can cause any number of such records.
    """
    if record := hint.get("log_record"):
        if security_event(record) in REFUSALS:
            return None
        event["logentry"] = {"message": message_of(record)}  # not the arguments, of which nothing says what they are
    else:
        record = logging.makeLogRecord({})
    stamp(record)
    if bound := vars(record).get("bound_fields"):
        event["extra"] = {**(event.get("extra") or {}), **bound.values}
    tags = {name: value for name in TAGS if (value := vars(record).get(name, NO_REQUEST)) != NO_REQUEST}
    if user := request_user(getattr(record, "request", None) or current_request.get()):
        event["user"] = {"id": str(user.pk)}
    scrubbed: dict[str, Any] = plain(event)
    scrubbed["tags"] = {**(scrubbed.get("tags") or {}), **tags}
    return scrubbed
