"""A few places for reading the log in each process, so that its page cannot keep the site from answering.

Who finds no place is told so at once.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.log import log_response
from django.utils.translation import gettext_lazy

from applog.page.forms import LogForm
from applog.reading.search import SlowPatternError
from applog.text import SLOW_PATTERN

PLACES = 2
RETRY_SECONDS = 3
BUSY = gettext_lazy("Others are reading the log right now. Try again in a few seconds.")

# A queue whose `put` may be called by the garbage collector while this thread is in another `put` or `get`.
_free: queue.SimpleQueue[None] = queue.SimpleQueue()
for _ in range(PLACES):
    _free.put(None)


def take() -> bool:
    """Take a place, and tell whether there was one. Whoever has taken it must give it back."""
    try:
        _free.get_nowait()
    except queue.Empty:
        return False
    return True


def give_back() -> None:
    """Give a place back."""
    _free.put(None)


@contextmanager
def place() -> Iterator[bool]:
    """Take a place for the block, and yield whether there was one."""
    taken = take()
    try:
        yield taken
    finally:
        if taken:
            give_back()


def answer_form(  # noqa: PLR0913, PLR0917  a page, and what is done for it
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    form: LogForm,
    read: Callable[[], Any],
    describe: Callable[[Any], dict[str, Any]] = dict,
) -> HttpResponse:
    """Return the page that a form asks for.

    Args:
        request: the request.
        template: the page's template.
        context: what the template needs in any case.
        form: the form. A wrong one is answered with 400, one that has sent its empty fields with its address.
        read: reads the log, in a place. It may raise SlowPatternError.
        describe: returns, of what `read` has returned, what the template needs.

    """
    if form.is_valid() and "" in request.GET.values():
        return HttpResponseRedirect(f"?{urlencode(form.values)}")
    if not form.is_valid():
        return TemplateResponse(request, template, context, status=400)
    with place() as free:
        if not free:
            form.add_error(None, BUSY)
            return busy(request, TemplateResponse(request, template, context))
        try:
            found = read()
        except SlowPatternError:
            form.add_error(None, SLOW_PATTERN)
            return TemplateResponse(request, template, context | {"is_given_up": True}, status=400)
    return TemplateResponse(request, template, context | describe(found))


def busy(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return `response` as one that asks to come again, since there is no place for reading the log."""
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    # As Django logs other responses, but not as an error of the server, which would be mailed to ADMINS.
    log_response("%s: %s", "The log page is busy", request.path, response=response, request=request, level="warning")
    return response
