"""A few places for reading the log in each process, so that its page cannot keep the site from answering.

Who finds no place is told so at once.
"""

import queue
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response

PLACES = 2
RETRY_SECONDS = 3
BUSY = "Others are reading the log right now. Try again in a few seconds."

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


def busy(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return `response` as one that asks to come again, since there is no place for reading the log."""
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    # As Django logs other responses, but not as an error of the server, which would be mailed to ADMINS.
    log_response("%s: %s", "The log page is busy", request.path, response=response, request=request, level="warning")
    return response
