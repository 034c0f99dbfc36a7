"""The log's page, the new records of its live mode, and the download. applog.page.admin checks the permission first."""

import logging
import time
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.core import signing
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from applog import security
from applog.conf import ProjectLog, used_handlers
from applog.page import histogram
from applog.page.forms import LogForm
from applog.page.rows import Row
from applog.reading.pages import Page, Position, read_newer, read_older
from applog.reading.query import LEVELS
from applog.reading.record import Record
from applog.reading.search import SlowPatternError
from applog.text import now, show_cut, show_size, show_time

RECORDS = 100  # on a page
READ_SECONDS = 1.0
NEWS_RECORDS = 200
NEWS_SECONDS = 0.5
NEWS_SALT = "applog.news"
NEWS_AGE = 86400  # seconds, of a token
NEWS_LOGGED_SECONDS = 3600  # after which live mode is recorded again
DOWNLOAD_RECORDS = 1000  # at a time
DOWNLOAD_SECONDS = 20.0  # gunicorn kills a worker that is busy for 30
SPANS = {"": "Any time", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days"}


@require_safe
def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the records that the URL asks for, with the filters, the files and the histogram."""
    form = LogForm(request.GET)
    valid = form.is_valid()
    if valid and "" in request.GET.values():  # the form has sent its empty fields, too
        return HttpResponseRedirect(f"?{urlencode(form.values)}")
    changelist = {
        "opts": context["opts"],
        "has_filters": True,
        "has_active_filters": bool(request.GET),
        "clear_all_filters_qs": "?",
        "filter_specs": filters(form),
    }
    # What Django's template for lists of rows needs; the last one avoids an inline style, which CSP forbids.
    context |= {"cl": SimpleNamespace(**changelist), "actions_on_top": True, "form": form, "title": "Logs"}
    if valid:
        try:
            found, counted = read(form), count(form)
        except SlowPatternError as error:
            form.add_error(None, str(error))
            valid = False
        # After reading, so that no search finds its own record.
        security.record(logging.INFO, "sensitive_read", f"log page, {form.description}", request)
    if valid:
        context |= {
            "files": [describe_log(log) for log in form.logs.values()],
            "histogram": counted,
            "is_written": any("filename" in options for options in used_handlers().values()),
            "rows": make_rows(found),
            **links(request, form, found),
        }
    return TemplateResponse(request, "applog/log.html", context, status=200 if valid else 400)


def read(form: LogForm) -> Page:
    """Return the page of records that a valid form asks for."""
    options: dict[str, Any] = {"count": RECORDS, "query": form.query, "seconds": READ_SECONDS}
    if after := form.cleaned_data["after"]:
        return read_newer(form.chosen, after, **options)
    return read_older(form.chosen, form.cleaned_data["before"], **options)


def count(form: LogForm) -> histogram.Histogram:
    """Return the histogram of the matching records. Each bar has a link to its records."""
    found = histogram.count(form.chosen, form.query)
    for bar in found.bars:
        bar.link = form.link(since=bar.begin.isoformat(), until=bar.end.isoformat())
    if found.reached:
        found.link = form.link(until=found.reached.isoformat())
    return found


def make_rows(found: Page) -> list[Row]:
    """Return the rows of a page. Their links do not keep the filters of the page."""
    link = LogForm(QueryDict()).link
    return [Row(record, link) for record in found.records]


def links(request: HttpRequest, form: LogForm, found: Page) -> dict[str, Any]:
    """Return the links to the records before and after a page, to its download, and to itself."""
    data = form.cleaned_data
    older, newer = (form.link(before=str(found.older)), form.link(after=str(found.newer)))
    moments = {name: data[name].isoformat() for name in ("since", "until") if data[name]}
    is_newest = not (data["before"] or data["after"])
    can_live = is_newest and not data["until"]
    return {
        "older": older if data["after"] or not found.exhausted else "",
        "newer": newer if data["before"] or (data["after"] and not found.exhausted) else "",
        "newest": "" if is_newest else form.link(),
        "keep_looking": "" if found.complete else newer if data["after"] else older,
        "download": f"download/{form.link(live='')}",
        "permalink": form.link(**moments, before=str(found.newer)),
        "live": form.link(live="" if data["live"] else "1") if can_live else "",
        "token": sign(request, form.link(), found.newer, time.time()) if can_live and data["live"] else "",
    }


def filters(form: LogForm) -> list[SimpleNamespace]:
    """Return the filters beside the records, for the templates of Django's list filters."""

    def choose(title: str, name: str, labels: dict[str, str]) -> SimpleNamespace:
        given = form.values.get(name, "")
        choices = [
            {"selected": value == given, "query_string": form.link(**{name: value}), "display": label}
            for value, label in labels.items()
        ]
        return SimpleNamespace(title=title, template="admin/filter.html", choices=lambda _: choices)

    first, *others = form.logs or [""]
    logs = {"": first, **dict(zip(others, others, strict=True)), "all": "all logs"}
    levels = {"": "All", **{level: f"{level} and above" for level in LEVELS[:-1]}, LEVELS[-1]: LEVELS[-1]}
    fields = SimpleNamespace(title="", template="applog/log_fields.html", choices=lambda _: (), form=form)
    return [choose("log", "log", logs), choose("level", "level", levels), choose("time", "since", SPANS), fields]


def describe_log(log: ProjectLog) -> dict[str, Any]:
    """Return what the page says about a log's files."""
    files = log.files()[::-1]
    current = next((file.size for file in files if file.path == log.path), 0)
    if log.max_bytes:
        rotation = f"at {show_size(log.max_bytes)}, {current / log.max_bytes:.0%} reached"
    elif moment := log.next_rotation:
        rotation = show_time(moment) if moment > now() else "with the next record"
    else:
        rotation = "by another program, if at all"
    return {
        "name": log.path.name,
        "files": [(file.path.name, show_size(file.size), show_time(file.modified)) for file in files],
        "size": show_size(sum(file.size for file in files)),
        "rotation": rotation,
        "kept": log.backup_count,
    }


def sign(request: HttpRequest, filters_of_page: str, position: Position, logged: float) -> str:
    """Return a token for live mode: the user, the filters, the position, and when reading was last logged."""
    return signing.dumps([str(request.user.pk), filters_of_page, str(position), logged], salt=NEWS_SALT)


@require_safe
def news(request: HttpRequest) -> HttpResponseBase:
    """Send the records that were added since the token was made, and the next token.

    These requests, one each second, are not logged. Opening the page is recorded, and again each hour.
    """
    try:
        user, filters_of_page, position, logged = signing.loads(
            request.GET.get("token", ""), salt=NEWS_SALT, max_age=NEWS_AGE
        )
    except signing.BadSignature:
        user, filters_of_page, position, logged = "", "", "", 0.0
    form = LogForm(QueryDict(filters_of_page[1:]))
    if user != str(request.user.pk) or request.GET.keys() != {"token"} or not form.is_valid():
        return HttpResponse("Load the page again.", status=400, content_type="text/plain")
    options: dict[str, Any] = {"count": NEWS_RECORDS, "query": form.query, "seconds": NEWS_SECONDS}
    try:
        found = read_newer(form.chosen, Position.parse(position), **options)
    except SlowPatternError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    if time.time() - logged > NEWS_LOGGED_SECONDS:
        logged = time.time()
        security.record(logging.INFO, "sensitive_read", f"log page, live, {form.description}", request)
    request.log_level = logging.NOTSET  # type: ignore[attr-defined]
    rows = make_rows(found)
    html = render_to_string("applog/log_rows.html", {"rows": rows})
    token = sign(request, filters_of_page, found.newer, logged)
    return JsonResponse({"count": len(rows), "rows": html, "token": token, "more": not found.exhausted})


@require_safe
def download(request: HttpRequest) -> HttpResponseBase:
    """Send all matching records, oldest first, as they are in the files; of huge ones the beginning."""
    form = LogForm(request.GET)
    if not form.is_valid():
        return HttpResponse(form.sentence, status=400, content_type="text/plain")
    security.record(logging.INFO, "sensitive_read", f"log download, {form.description}", request)
    pieces = stream(request, form)
    name = "-".join(log.name for log in form.chosen)
    return StreamingHttpResponse(
        in_threads(pieces) if isinstance(request, ASGIRequest) else pieces,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}-{now():%Y%m%d-%H%M%S}.log"'},
    )


def stream(request: HttpRequest, form: LogForm) -> Iterator[bytes]:
    """Yield the records in pieces, until there are no more or DOWNLOAD_SECONDS are over."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    options: dict[str, Any] = {"count": DOWNLOAD_RECORDS, "query": form.query, "seconds": READ_SECONDS}
    position, exhausted = form.cleaned_data["after"] or Position(), False
    while not exhausted:
        try:
            found = read_newer(form.chosen, position, **options)
        except SlowPatternError as error:
            yield f"[{error}]\n".encode()
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


async def in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces without blocking the event loop."""
    while (piece := await sync_to_async(lambda: next(pieces, None))()) is not None:
        yield piece
