"""The middleware that gives each request an id and logs its end."""

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import FileResponse, HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.decorators import sync_and_async_middleware

from applog import security
from applog.context import REQUEST_ID_PATTERN, current_request, escape_path, parse_trace, request_user

logger = logging.getLogger("applog.request")

HEALTH_PAGE = "/health/"
FAILED = 500  # statuses from here on


@sync_and_async_middleware
def request_log(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give each request an id, return it as X-Request-ID, and log the request's end. It must be first in MIDDLEWARE.

    With TRUSTED_PROXY_COUNT the id is the request's X-Request-ID, if that has 1 to 128 letters, digits, dots, hyphens
    and underscores, the first of which is a letter or digit. Without a proxy it comes from the client, who may choose
    one that is in use; then it is logged beside the request's own id. Views read the id as `request.request_id`. They
    may set `request.log_level`, the level (int) of the record of the request's end; NOTSET means no record. Otherwise
    it is DEBUG below LOG_QUIET_PATHS, and else INFO. It is INFO at least if the status is 5xx or there is none, and
    WARNING at least if the request took more than LOG_SLOW_REQUEST_MS.

    Raises ImproperlyConfigured if LOG_QUIET_PATHS is not a list of paths.
    """
    levels = Levels()
    if iscoroutinefunction(get_response):

        async def serve_async(request: HttpRequest) -> HttpResponseBase:
            begin = _begin(request)
            response: HttpResponseBase | None = None
            try:
                response = await get_response(request)
            finally:
                _end(request, response, begin, levels)
            return response

        return serve_async

    def serve(request: HttpRequest) -> HttpResponseBase:
        begin = _begin(request)
        response: HttpResponseBase | None = None
        try:
            response = get_response(request)
        finally:
            _end(request, response, begin, levels)
        return response

    return serve


class Levels:
    """The levels of the records of requests' ends, as the settings have them when the server starts."""

    def __init__(self) -> None:
        paths = quiet_paths()
        self._folders = tuple(path for path in paths if path.endswith("/") and path != "/")
        self._pages = frozenset(paths)
        self._slow_ms = getattr(settings, "LOG_SLOW_REQUEST_MS", 0)

    def level_of(self, request: HttpRequest, status: int | None, duration: float) -> int:
        """Return the level of a request that took `duration` ms and has a status, None if it was given up."""
        level: int | None = getattr(request, "log_level", None)
        if level is None:
            path = request.path_info
            level = logging.DEBUG if path in self._pages or path.startswith(self._folders) else logging.INFO
        if level == logging.NOTSET:
            return level
        if self._slow_ms and duration > self._slow_ms:
            return max(level, logging.WARNING)
        return max(level, logging.INFO) if status is None or status >= FAILED else level


def quiet_paths() -> list[str]:
    """Return the paths, below the site's root, of which nobody wants to read: LOG_QUIET_PATHS.

    One that ends in "/" stands for all below it, but for "/" itself. None stands for the health page and STATIC_URL.
    Raises ImproperlyConfigured for anything but a list of paths.
    """
    paths = getattr(settings, "LOG_QUIET_PATHS", None)
    if paths is None:
        # As WhiteNoise finds it: the address may name the host of a cache, and begins with what the site is mounted at.
        path = urlsplit(settings.STATIC_URL or "").path
        static = "/" + path.removeprefix(get_script_prefix()).lstrip("/")
        return [HEALTH_PAGE] if static == "/" else [HEALTH_PAGE, static]
    if not isinstance(paths, (list, tuple)) or not all(isinstance(path, str) and path[:1] == "/" for path in paths):
        message = f'LOG_QUIET_PATHS must be a list of paths that begin with "/", such as ["/health/"], not {paths!r}.'
        raise ImproperlyConfigured(message)
    return list(paths)


def _begin(request: HttpRequest) -> float:
    given = request.META.get("HTTP_X_REQUEST_ID", "")  # request.headers would convert all of them
    given = given if REQUEST_ID_PATTERN.fullmatch(given) else ""
    is_trusted = given and settings.TRUSTED_PROXY_COUNT > 0
    request.request_id = given if is_trusted else secrets.token_hex(16)  # type: ignore[attr-defined]
    request.client_request_id = "" if is_trusted else given  # type: ignore[attr-defined]
    if "HTTP_TRACEPARENT" in request.META:
        request.trace_context = parse_trace(request.META)  # type: ignore[attr-defined]
    current_request.set(request)
    return time.perf_counter()


def _end(request: HttpRequest, response: HttpResponseBase | None, begin: float, levels: Levels) -> None:
    """Log the end of a request. One without a response was given up, for example because the client has gone."""
    duration = round((time.perf_counter() - begin) * 1000, 1)
    extra: dict[str, Any] = {"request": request, "duration_ms": duration}
    if response is not None:
        response.headers["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        extra["status_code"] = response.status_code
        if _is_sent_to_sign_in(request, response):
            refusal = "may not be opened by this user" if request_user(request) else "needs a sign-in"
            security.record(logging.WARNING, "authz_fail", f"{escape_path(request.path)} {refusal}", request)
        # Servers send a file by a faster way than in parts.
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            _watch(request, response)
    level = levels.level_of(request, extra.get("status_code"), duration)
    if logger.isEnabledFor(level):
        given = request.client_request_id  # type: ignore[attr-defined]
        args = (
            request.method,
            escape_path(request.path),
            extra.get("status_code", "given up"),
            duration,
            f", X-Request-ID {given}" if given else "",
        )
        # As logger.log, which would look for the place that is known.
        name, file, line = PLACE
        message = "%s %s %s in %s ms%s"
        logger.handle(logger.makeRecord(logger.name, level, file, line, message, args, None, name, extra))


PLACE = _end.__code__.co_name, _end.__code__.co_filename, _end.__code__.co_firstlineno


def _watch(request: HttpRequest, response: StreamingHttpResponse) -> None:
    """Log an error while a response is streamed: its status is sent and logged before that."""

    def fail(error: Exception) -> None:
        path = escape_path(request.path)
        extra = {"request": request}
        logging.getLogger("django.request").error("Streaming broke off: %s", path, exc_info=error, extra=extra)

    def stream(parts: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from parts
        except Exception as error:
            fail(error)
            raise

    async def stream_async(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for part in parts:
                yield part
        except Exception as error:
            fail(error)
            raise

    content: Any = response.streaming_content
    response.streaming_content = stream_async(content) if response.is_async else stream(content)


def _is_sent_to_sign_in(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether a response redirects to the page of `login_required`, or to the admin's, to come back afterwards.

    One of them may lead to the other, which refuses nothing more.
    """
    if not isinstance(response, HttpResponseRedirect):
        return False
    target = urlsplit(response.url)
    pages = []
    for find, name in ((resolve_url, settings.LOGIN_URL), (reverse, "admin:login")):
        with suppress(NoReverseMatch):
            pages.append(urlsplit(find(name)).path)
    return target.path in pages and request.path not in pages and "next" in parse_qs(target.query)
