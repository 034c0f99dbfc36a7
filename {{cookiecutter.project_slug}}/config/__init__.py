"""The project's settings, URLs and entry points."""

import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from asgiref.sync import iscoroutinefunction
from django import conf
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware
from environs import EnvError


def refuse_to_start(error: EnvError, status: int = 1) -> NoReturn:
    """End the process with the one sentence that says which environment variable stops it."""
    sentence = re.sub(r"\['(.*?)\.?'\]|\.$", r"\1", str(error))
    print(f"{sentence}. The file .env.example explains each variable.", file=sys.stderr)
    sys.exit(status)


encoding: Any = HttpRequest.encoding


def set_encoding(request: HttpRequest, name: str | None) -> None:
    """Set the encoding of a request's text to what a view says, but not to what a client does.

    By some names, such as "hex", Python decodes no text, and by others, such as "utf-7", halves of characters, at which
    pages and databases fail. Browsers send UTF-8.
    """
    if name is None or name is not (request.content_params or {}).get("charset"):
        encoding.fset(request, name)


HttpRequest.encoding = encoding.setter(set_encoding)  # type: ignore[method-assign]


@sync_and_async_middleware
def without_odd_session(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Forget the key of a session that is no text for PostgreSQL, at which each page would fail."""

    def forget(request: HttpRequest) -> HttpRequest:
        name = conf.settings.SESSION_COOKIE_NAME
        if "\0" in request.COOKIES.get(name, ""):
            del request.COOKIES[name]
        return request

    if iscoroutinefunction(get_response):

        async def serve_async(request: HttpRequest) -> Any:
            return await get_response(forget(request))

        return serve_async
    return lambda request: get_response(forget(request))
