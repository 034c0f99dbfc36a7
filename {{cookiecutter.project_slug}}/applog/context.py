"""Which request is being served here, and who sent it."""

import ipaddress
import logging
import re
import sys
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path
from django.utils.functional import LazyObject, empty

NO_REQUEST = "-"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")

# From the middleware's start until the response is closed: Django logs 403, 404 and 500 after the middleware returned.
current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


def forget_request(**_: object) -> None:
    """End the current request: a receiver of Django's request_started and request_finished."""
    current_request.set(None)


def stamp(record: logging.LogRecord) -> None:
    """Note the id of the current request, and of the active trace, on a record that has none yet.

    The formatters call it; what hands records to another thread without them has to call it before.
    """
    given = getattr(record, "request_id", None)
    if given is None or not (isinstance(given, str) and WELL_FORMED.fullmatch(given)):
        request = getattr(record, "request", None) or current_request.get()
        record.request_id = getattr(request, "request_id", NO_REQUEST)
        # OpenTelemetry is optional, and nothing is asked where nobody has imported it.
        if trace := sys.modules.get("opentelemetry.trace"):
            span = trace.get_current_span().get_span_context()
            if span.is_valid:
                record.trace_id, record.span_id = f"{span.trace_id:032x}", f"{span.span_id:016x}"


def client_address(request: HttpRequest) -> str:
    """Return the address that the request came from, "-" when the server does not know it.

    Anybody can send X-Forwarded-For: only the entries that the TRUSTED_PROXY_COUNT last proxies have added are true. So
    do https://werkzeug.palletsprojects.com/en/stable/middleware/proxy_fix/ and others.
    """
    peer = request.META.get("REMOTE_ADDR") or "-"
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    proxies = settings.TRUSTED_PROXY_COUNT
    if 0 < proxies <= len(hops) and "%" not in hops[-proxies]:
        try:
            return str(ipaddress.ip_address(hops[-proxies].strip()))
        except ValueError:
            pass
    return str(peer)


def request_user(request: HttpRequest | None) -> Any:
    """Return the user whom the request was found to be from; None while nobody has asked, as a log queries nothing."""
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject) and vars(user).get("_wrapped") is empty:
        user = getattr(request, "_acached_user", None)  # request.auser() was asked
    return user if getattr(user, "pk", None) is not None else None


def request_attributes(request: HttpRequest) -> dict[str, Any]:
    """Return what is known of a request, by OpenTelemetry's names, https://opentelemetry.io/docs/specs/semconv/http/."""
    attributes = {
        "http.request.method": request.method,
        "url.path": escape_uri_path(request.path),
        "client.address": client_address(request),
    }
    if user := request_user(request):
        attributes["user.id"] = str(user.pk)
    return attributes
