"""The current request: its id, and whom it came from."""

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

from applog.bound import bound_fields, forget_fields

NO_REQUEST = "-"
# As proxies write it: 192.0.2.7, 192.0.2.7:1234, 2001:db8::1, [2001:db8::1]:443.
ADDRESS = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)")
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# Set until the response is closed, as Django logs the statuses 403, 404 and 500 after the middleware has returned.
current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


def forget_request(**_: object) -> None:
    """End the current request: a receiver of Django's request_started and request_finished."""
    current_request.set(None)
    forget_fields()


def stamp(record: logging.LogRecord) -> None:
    """Set `request_id` on a record that has no valid one, its bound fields, and the ids of the trace that is active.

    The formatters call this. A handler that hands records to another thread before they are formatted must call it,
    too.
    """
    given = getattr(record, "request_id", None)
    if given is None or not (isinstance(given, str) and REQUEST_ID_PATTERN.fullmatch(given)):
        request = getattr(record, "request", None) or current_request.get()
        record.request_id = getattr(request, "request_id", NO_REQUEST)
    if bound := bound_fields():
        vars(record).setdefault("bound_fields", bound)  # those of when it was made, if it is formatted later
    # OpenTelemetry is optional: look only if somebody has imported it.
    if (trace := sys.modules.get("opentelemetry.trace")) and not hasattr(record, "trace_id"):
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            record.trace_id, record.span_id = f"{span.trace_id:032x}", f"{span.span_id:016x}"


def client_address(request: HttpRequest) -> str:
    """Return the address that the request came from, or "-" if the server does not know it.

    Anybody can send X-Forwarded-For: only the entries that the last TRUSTED_PROXY_COUNT proxies have added can be
    trusted, as in https://werkzeug.palletsprojects.com/en/stable/middleware/proxy_fix/.
    """
    peer = request.META.get("REMOTE_ADDR") or "-"
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    proxies = settings.TRUSTED_PROXY_COUNT
    found = parse_address(hops[-proxies]) if 0 < proxies <= len(hops) else None
    return str(found or peer)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address in `text`, with or without a port, None if it is something else.

    An IPv4 address that is written as an IPv6 address is an IPv4 address.
    """
    found = ADDRESS.fullmatch(text.strip())
    try:
        address = ipaddress.ip_address(next(filter(None, found.groups()))) if found else None
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_network(request: HttpRequest) -> str | None:
    """Return the address that the request came from, of IPv6 the first address of its /64, which one client may own.

    Returns None if the server does not know it, as behind a Unix socket.
    """
    address = parse_address(client_address(request))
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address) if address else None


def request_user(request: HttpRequest | None) -> Any:
    """Return request.user if it has been evaluated already, otherwise None. This never queries the database."""
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject) and vars(user).get("_wrapped") is empty:
        user = getattr(request, "_acached_user", None)  # set by request.auser()
    return user if getattr(user, "pk", None) is not None else None


def request_attributes(request: HttpRequest) -> dict[str, Any]:
    """Return attributes of a request by their names in https://opentelemetry.io/docs/specs/semconv/http/."""
    attributes: dict[str, Any] = {
        "http.request.method": request.method,
        "url.path": escape_uri_path(request.path),
        "client.address": client_address(request),
    }
    if match := request.resolver_match:
        # With what the site is mounted at, as the path has it.
        root = escape_uri_path(request.path.removesuffix(request.path_info))
        attributes["http.route"] = f"{root}/{match.route.removeprefix('^')}"
    if user := request_user(request):
        attributes["user.id"] = str(user.pk)
    if given := getattr(request, "client_request_id", ""):
        attributes["http.request.header.x-request-id"] = [given]
    return attributes
