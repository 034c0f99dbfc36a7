"""A few places for reading the log in each process, so that its page cannot keep the site from answering.

Who finds no place is told so at once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response

PLACES = 2
RETRY_SECONDS = 3
BUSY = "Others are reading the log right now. Try again in a few seconds."

places = threading.BoundedSemaphore(PLACES)


@contextmanager
def place() -> Iterator[bool]:
    """Take a place for the block, and yield whether there was one."""
    taken = places.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            places.release()


def busy(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return `response` as one that asks to come again, since there is no place for reading the log."""
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    # As Django logs other responses, but not as an error of the server, which would be mailed to ADMINS.
    log_response("%s: %s", "The log page is busy", request.path, response=response, request=request, level="warning")
    return response
