"""The log's page, and the new records of its live mode. applog.page.admin checks the permission first."""

import logging
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from applog import security
from applog.conf import ProjectLog, used_handlers
from applog.page import histogram
from applog.page.forms import LogForm
from applog.page.places import BUSY, busy, place
from applog.page.rows import Row
from applog.reading.pages import Page, Position, read_newer, read_older
from applog.reading.query import LEVELS
from applog.reading.search import SlowPatternError
from applog.text import now, show_size, show_time

RECORDS, PAGE_CHARACTERS = 100, 1 << 20  # on a page
READ_SECONDS = 1.0
NEWS_RECORDS, NEWS_CHARACTERS = 200, 1 << 19
NEWS_SECONDS = 0.5
NEWS_SALT = "applog.news"
NEWS_AGE = 86400  # seconds, of a token
NEWS_LOGGED_SECONDS = 3600  # after which live mode is recorded again
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
    if not valid:
        return TemplateResponse(request, "applog/log.html", context, status=400)
    with place() as free:
        if not free:
            form.add_error(None, BUSY)
            return busy(request, TemplateResponse(request, "applog/log.html", context))
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
    options: dict[str, Any] = {"count": RECORDS, "query": form.query, "seconds": READ_SECONDS, "size": PAGE_CHARACTERS}
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
    due = []
    if moment := log.next_rotation:
        due.append(show_time(moment) if moment > now() else "with the next record")
    if log.max_bytes:
        due.append(f"at {show_size(log.max_bytes)}, {current / log.max_bytes:.0%} reached")
    return {
        "name": log.path.name,
        "files": [(file.path.name, show_size(file.size), show_time(file.modified)) for file in files],
        "size": show_size(sum(file.size for file in files)),
        "rotation": " or ".join(due) or "by another program, if at all",
        "kept": f"{log.kept}, compressed" if log.options.get("compress") else log.kept,
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
    options: dict[str, Any] = {
        "count": NEWS_RECORDS,
        "query": form.query,
        "seconds": NEWS_SECONDS,
        "size": NEWS_CHARACTERS,
    }
    with place() as free:
        if not free:
            return busy(request, HttpResponse(BUSY, content_type="text/plain"))
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
