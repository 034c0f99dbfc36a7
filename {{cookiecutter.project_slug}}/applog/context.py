"""The current request: its id, and whom it came from."""

import ipaddress
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path
from django.utils.functional import LazyObject, empty

from applog.bound import bound_fields, forget_fields

NO_REQUEST = "-"
# As proxies write it: 192.0.2.7, 192.0.2.7:1234, 2001:db8::1, [2001:db8::1]:443.
ADDRESS = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)")
REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Version, trace-id, parent-id and flags; versions to come may have more.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACESTATE = re.compile(r"[\t -~]{1,512}")
_SAMPLED = 1

# Asked for several times in a request. A path may be as long as the server allows: few are kept.
escape_path = lru_cache(64)(escape_uri_path)

# Set until the response is closed, as Django logs the statuses 403, 404 and 500 after the middleware has returned.
current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)

# Of the request that has queued the current task.
inherited_request_id: ContextVar[str] = ContextVar("inherited_request_id", default=NO_REQUEST)


class TraceContext(NamedTuple):
    """A trace that a request belongs to, as its caller says."""

    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16, of the caller's span
    flags: str  # two; the last bit says that the caller records the trace
    state: str = ""  # the header tracestate

    @property
    def traceparent(self) -> str:
        """The header, of version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def parse_trace(meta: Mapping[str, Any]) -> TraceContext | None:
    """Return the trace of a request with these variables (request.META), None if its header is missing or not valid.

    The rules are those of https://www.w3.org/TR/trace-context/: ids of zeros, capitals and the version ff are refused,
    anything behind the flags, too, but in a later version, of whose flags only the first one is known.
    """
    found = _TRACEPARENT.fullmatch(meta.get("HTTP_TRACEPARENT", "").strip(" \t"))
    if not found or (found[1] == "00" and found[5]):
        return None
    flags = found[4] if found[1] == "00" else f"{int(found[4], 16) & _SAMPLED:02x}"
    state = meta.get("HTTP_TRACESTATE", "")
    return TraceContext(found[2], found[3], flags, state if _TRACESTATE.fullmatch(state) else "")


def forget_request(**_: object) -> None:
    """End the current request: a receiver of Django's request_started and request_finished."""
    current_request.set(None)
    forget_fields()


def stamp(record: logging.LogRecord) -> None:
    """Set `request_id` on a record that has no valid one, its bound fields, and the ids of its trace.

    The formatters call this. A handler that hands records to another thread before they are formatted must call it,
    too.
    """
    parts = vars(record)
    # OpenTelemetry is optional: look only if somebody has imported it.
    if "opentelemetry.trace" in sys.modules and "trace_id" not in parts and (active := active_span()):
        record.trace_id, record.span_id, record.trace_flags = active[:3]
    given = parts.get("request_id")
    if given is None or not (isinstance(given, str) and REQUEST_ID_PATTERN.fullmatch(given)):
        request = parts.get("request") or current_request.get()
        if request is None:
            record.request_id = inherited_request_id.get()
        else:
            record.request_id = getattr(request, "request_id", NO_REQUEST)
            if (trace := getattr(request, "trace_context", None)) and "trace_id" not in parts:
                record.trace_id, record.span_id, record.trace_flags = trace[:3]
    if bound := bound_fields():
        parts.setdefault("bound_fields", bound)  # those of when it was made, if it is formatted later


def current_request_id() -> str:
    """Return the id of the current request, or of the one that has queued the current task; NO_REQUEST without one."""
    return str(getattr(current_request.get(), "request_id", inherited_request_id.get()))


def active_span() -> TraceContext | None:
    """Return the current span of OpenTelemetry's SDK, None without one."""
    trace = sys.modules.get("opentelemetry.trace")
    span = trace.get_current_span().get_span_context() if trace else None
    if not (span and span.is_valid):
        return None
    state = getattr(span, "trace_state", None)
    return TraceContext(
        f"{span.trace_id:032x}",
        f"{span.span_id:016x}",
        f"{getattr(span, 'trace_flags', 0):02x}",
        state.to_header() if state else "",
    )


def outgoing_headers() -> dict[str, str]:
    """Return the headers that tell another service of yours which request and which trace a call belongs to.

    `httpx.get(url, headers=applog.outgoing_headers())`, and in the same way with requests. In a request that is its
    X-Request-ID, and the traceparent and tracestate that it came with; in a span of OpenTelemetry's these are the
    span's. The request's are passed on as they came, with the caller's span as the parent: nothing here records spans,
    and a parent that nobody has recorded would break the trace in two. For a service that collects no traces,
    https://www.w3.org/TR/trace-context/#mutating-the-traceparent-field has the same.
    """
    request, request_id = current_request.get(), current_request_id()
    headers = {} if request_id == NO_REQUEST else {"X-Request-ID": request_id}
    if trace := active_span() or getattr(request, "trace_context", None):
        headers["traceparent"] = trace.traceparent
        if trace.state:
            headers["tracestate"] = trace.state
    return headers


def client_address(request: HttpRequest) -> str:
    """Return the address that the request came from, or "-" if the server does not know it.

    Anybody can send X-Forwarded-For: only the entries that the last TRUSTED_PROXY_COUNT proxies have added can be
    trusted, as in https://werkzeug.palletsprojects.com/en/stable/middleware/proxy_fix/.
    """
    peer = request.META.get("REMOTE_ADDR") or "-"
    if not (forwarded := request.META.get("HTTP_X_FORWARDED_FOR")):
        return str(peer)
    hops, proxies = forwarded.split(","), settings.TRUSTED_PROXY_COUNT
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
        "url.path": escape_path(request.path),
        "client.address": client_address(request),
    }
    if match := request.resolver_match:
        route = "/" + match.route.removeprefix("^")
        if request.path != request.path_info:  # with what the site is mounted at, as the path has it
            route = escape_path(request.path.removesuffix(request.path_info)) + route
        attributes["http.route"] = route
    if user := request_user(request):
        attributes["user.id"] = str(user.pk)
    if given := getattr(request, "client_request_id", ""):
        attributes["http.request.header.x-request-id"] = [given]
    return attributes
