"""The download of the log's page. applog.page.admin checks the permission first.

A download keeps a place until it is closed, and is ended when its client does not read it: otherwise it would keep a
thread, too.
"""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from applog import security
from applog.page.fields import in_zone
from applog.page.forms import LogForm
from applog.page.places import BUSY, busy, give_back, take
from applog.reading.pages import Position, read_newer
from applog.reading.record import Record
from applog.reading.search import SlowPatternError
from applog.text import SLOW_PATTERN, now, show_cut

logger = logging.getLogger(__name__)

DOWNLOAD_RECORDS, DOWNLOAD_CHARACTERS = 1000, 1 << 18  # at a time
PIECE_SECONDS = 1.0
DOWNLOAD_SECONDS = 20.0  # gunicorn kills a worker that is busy for 30
UNREAD_SECONDS = 30.0  # until a piece must have been read


class DownloadForm(LogForm):
    """The filters of a download, and where it goes on: it is no page, so that it has no position among records."""

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        for name in ("before", "around", "live"):
            del self.fields[name]


@require_safe
def download(request: HttpRequest) -> HttpResponseBase:
    """Send all matching records, oldest first, as they are in the files; of huge ones the beginning."""
    request.log_level = logging.DEBUG  # type: ignore[attr-defined]  # reading is recorded by itself
    with in_zone(request.GET.get("zone")):
        form = DownloadForm(request.GET)
        is_valid = form.is_valid()
    if not is_valid:
        return HttpResponse("\n".join(form.sentences), status=400, content_type="text/plain")
    kind = AsyncDownload if isinstance(request, ASGIRequest) else BlockingDownload
    if (pieces := kind.take(request, stream(request, form))) is None:
        return busy(request, HttpResponse(BUSY, content_type="text/plain"))
    security.record(logging.INFO, "sensitive_read", f"log download, {form.description}", request)
    name = "-".join(log.name for log in form.chosen)
    return StreamingHttpResponse(
        pieces,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}-{now():%Y%m%d-%H%M%S}.log"'},
    )


def stream(request: HttpRequest, form: LogForm) -> Iterator[bytes]:
    """Yield the records in pieces, until there are no more or DOWNLOAD_SECONDS are over."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    options: dict[str, Any] = {
        "count": DOWNLOAD_RECORDS,
        "query": form.query,
        "seconds": PIECE_SECONDS,
        "size": DOWNLOAD_CHARACTERS,
    }
    position, exhausted = form.cleaned_data["after"] or Position(), False
    while not exhausted:
        try:
            found = read_newer(form.chosen, position, **options)
        except SlowPatternError:
            yield f"[{SLOW_PATTERN}]\n".encode()
            return
        position, exhausted = found.newer, found.exhausted
        yield "".join(map(as_text, reversed(found.records))).encode()
        if not exhausted and time.monotonic() > deadline:
            there = request.build_absolute_uri(request.path + form.link(after=str(position)))
            yield f"[Not complete: this takes longer than {DOWNLOAD_SECONDS:.0f} s. Go on at {there}]\n".encode()
            return


def as_text(record: Record) -> str:
    """Return a record as it is in the file, and a further line if it is not shown whole."""
    return f"{record.raw}\n[{show_cut(record.size)}]\n" if record.truncated else f"{record.raw}\n"


class Download:
    """The pieces of a download, for a response, which closes it. `take` returns None if there is no place."""

    def __init__(self, request: HttpRequest, pieces: Iterator[bytes]) -> None:
        self._request, self._pieces = request, pieces
        self._lock, self._closed = threading.Lock(), False
        self._watch: threading.Timer | asyncio.TimerHandle | None = None

    @classmethod
    def take(cls, request: HttpRequest, pieces: Iterator[bytes]) -> Self | None:
        """Return the download, which has a place from now on, or None."""
        return cls(request, pieces) if take() else None

    def close(self) -> None:
        """Give the place back."""
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed:
            give_back()
            self._stop_watching()

    __del__ = close  # a response that a middleware has replaced is not closed

    def _stop_watching(self) -> None:
        if self._watch:
            self._watch.cancel()
            self._watch = None

    def _next(self) -> bytes | None:
        return None if self._closed else next(self._pieces, None)

    def _give_up(self) -> None:
        logger.warning("A log download was ended: nothing of it was read for %.0f s", UNREAD_SECONDS)
        self.close()


class BlockingDownload(Download):
    """A download by WSGI: a thread waits while the client does not read."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Return the next piece."""
        self._stop_watching()
        if (piece := self._next()) is None:
            raise StopIteration
        self._watch = threading.Timer(UNREAD_SECONDS, self._give_up)
        self._watch.daemon = True
        self._watch.start()
        return piece

    def _give_up(self) -> None:
        super()._give_up()
        # gunicorn's threads are few; it names the socket. runserver has a thread for each connection.
        if connection := self._request.META.get("gunicorn.socket"):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class AsyncDownload(Download):
    """A download by ASGI: a task waits while the client does not read."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece, which is read without blocking the event loop."""
        self._stop_watching()
        if (piece := await sync_to_async(self._next)()) is None:
            raise StopAsyncIteration
        self._watch = asyncio.get_running_loop().call_later(UNREAD_SECONDS, self._end, asyncio.current_task())
        return piece

    def _end(self, task: asyncio.Task[Any] | None) -> None:
        self._give_up()
        if task:
            task.cancel()
