"""The log's page, and the new records of its live mode. applog.page.admin checks the permission first."""

import logging
import time
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from applog import security
from applog.conf import ProjectLog, used_handlers
from applog.page import histogram
from applog.page.fields import in_chosen_zone, in_zone
from applog.page.filters import chips, groups, legend
from applog.page.forms import LogForm
from applog.page.marks import Marker
from applog.page.places import BUSY, answer_form, busy, place
from applog.page.rows import Row
from applog.reading.pages import Page, Position, read_late, read_newer, read_older
from applog.reading.search import SlowPatternError
from applog.text import SLOW_PATTERN, now, show_number, show_share, show_size, show_time

RECORDS, PAGE_CHARACTERS = 100, 1 << 20  # on a page
FILES = 100  # of a log, that are named on a page
READ_SECONDS = 1.0
NEWS_RECORDS, NEWS_CHARACTERS = 200, 1 << 19
NEWS_SECONDS = 0.5
NEWS_SALT = "applog.news"
NEWS_AGE = 86400  # seconds, of a token
NEWS_LOGGED_SECONDS = 3600  # after which live mode is recorded again
CHART_SECONDS = 5  # after which live mode counts again


@require_safe
@in_chosen_zone
def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the records that the URL asks for, with the filters, the files and the histogram."""
    form = LogForm(request.GET)
    context |= {"form": form, "title": _("Logs"), "tab": "records", "groups": groups(form)}
    # What Django's template for lists of rows needs; the last one avoids an inline style, which CSP forbids.
    context |= {"cl": SimpleNamespace(opts=context["opts"], has_filters=False), "actions_on_top": True}
    context |= {
        "files": lambda: [describe_log(log) for log in form.logs.values()],  # the template calls it
        "is_written": any("filename" in options for options in used_handlers().values()),
    }
    if form.is_valid():
        context["chips"] = list(chips(form))

    def look() -> tuple[Page, int | None, histogram.Histogram]:
        found = *read(form), count(form)
        # After reading, so that no search finds its own record.
        security.record(logging.INFO, "sensitive_read", f"log page, {form.description}", request)
        return found

    return answer_form(request, "applog/log.html", context, form, look, lambda found: describe(request, form, *found))


def describe(
    request: HttpRequest, form: LogForm, found: Page, index: int | None, counted: histogram.Histogram
) -> dict[str, Any]:
    """Return what the template needs of what was read."""
    rows, html, hits = make_rows(form, found, index)
    words = ngettext("%(hits)s hit on this page", "%(hits)s hits on this page", hits) % {"hits": hits}
    return {
        "rows": rows,
        "rows_html": html,
        "hits": words if hits else "",
        "zone": describe_zone(),
        "has_untimed": not all(record.time for record in found.records),
        **chart(form, counted),
        **links(request, form, found),
    }


def read(form: LogForm) -> tuple[Page, int | None]:
    """Return the page of records that a valid form asks for, and which of them is asked for with its neighbours."""
    options: dict[str, Any] = {"count": RECORDS, "query": form.query, "seconds": READ_SECONDS, "size": PAGE_CHARACTERS}
    data = form.cleaned_data
    if data["after"]:
        return read_newer(form.chosen, data["after"], **options), None
    if not data["around"]:
        return read_older(form.chosen, data["before"], **options), None
    options |= {"count": RECORDS // 2, "seconds": READ_SECONDS / 2, "size": PAGE_CHARACTERS // 2}
    newer = read_newer(form.chosen, data["around"], **options)
    older = read_older(form.chosen, data["around"], **options)
    both = Page(
        newer.records + older.records, older.older, newer.newer, newer.complete and older.complete, older.exhausted
    )
    return both, len(newer.records)


def count(form: LogForm) -> histogram.Histogram:
    """Return the histogram of the matching records. Each bar has a link to its records."""
    query = form.query
    found = histogram.count(form.chosen, query)
    for bar in found.bars:
        # By the moment: times of one zone are compared by the clock on the wall, which may have been set back.
        begin = max(filter(None, (bar.begin, query.since)), key=datetime.timestamp)
        end = min(filter(None, (bar.end, query.until)), key=datetime.timestamp)
        bar.link = form.link(since=begin.isoformat(), until=end.isoformat())
    if found.reached:
        found.link = form.link(until=found.reached.isoformat())
    return found


def chart(form: LogForm, counted: histogram.Histogram) -> dict[str, Any]:
    """Return what the chart's template needs."""
    number = sum(bar.levels.total() for bar in counted.bars)
    words = ngettext("%(number)s record", "%(number)s records", number) % {"number": show_number(number)}
    total = words if counted.complete else _("more than %s") % words
    return {
        "form": form,
        "histogram": counted,
        "legend": legend(form, counted),
        "total": total if number else "",
        "reached": show_time(counted.reached) if counted.reached else "",
    }


def make_rows(form: LogForm, found: Page, index: int | None = None) -> tuple[list[Row], str, int]:
    """Return the rows of a page, as HTML too, and how many hits are marked in them.

    Their links do not keep the filters of the page, but the time zone.
    """
    zone = form.values.get("zone", "")
    link = LogForm(QueryDict(urlencode({"zone": zone}) if zone else "")).link
    query = form.query
    marker = Marker(query.text, query.pattern)
    rows = [Row(record, link, marker, number == index) for number, record in enumerate(found.records)]
    last = ""
    for row in rows:
        if row.day and row.day != last:
            row.heading = last = row.day
    return rows, render_to_string("applog/log_rows.html", {"rows": rows}), marker.hits


def links(request: HttpRequest, form: LogForm, found: Page) -> dict[str, Any]:
    """Return the links to the records before and after a page, to its download, and to itself."""
    data = form.cleaned_data
    older, newer = (form.link(before=str(found.older)), form.link(after=str(found.newer)))
    moments = {name: data[name].isoformat() for name in ("since", "until") if data[name]}
    is_newest = not (data["before"] or data["after"] or data["around"])
    can_live = is_newest and not data["until"]
    return {
        "older": older if data["after"] or not found.exhausted else "",
        "newer": newer if data["before"] or data["around"] or (data["after"] and not found.exhausted) else "",
        "newest": "" if is_newest else form.link(),
        "keep_looking": "" if found.complete else newer if data["after"] else older,
        "download": f"download/{form.link(live='')}",
        "permalink": form.link(**moments, before=str(found.newer)),
        "live": form.link(live="" if data["live"] else "1") if can_live else "",
        "token": sign(request, form.link(), found.newer, Position(), time.time(), time.time(), 0)
        if can_live and data["live"]
        else "",
        "show_reads": form.link(own="1") if form.leaves_out_reads else "",
        "no_zone": form.link(zone="") if data["zone"] else "",
    }


def describe_zone() -> str:
    """Return the current time zone's name and offset."""
    offset = f"{now():%z}"
    return f"{timezone.get_current_timezone()}, UTC{offset[:3]}:{offset[3:5]}"


def describe_log(log: ProjectLog) -> dict[str, Any]:
    """Return what the page says about a log's files."""
    files = log.files()[::-1]
    rest = files[FILES:]
    older = {"number": show_number(len(rest)), "size": show_size(sum(file.size for file in rest))}
    current = next((file.size for file in files if file.path == log.path), 0)
    due = []
    if moment := log.next_rotation:
        due.append(show_time(moment) if moment > now() else _("with the next record"))
    if log.max_bytes:
        reached = {"size": show_size(log.max_bytes), "share": show_share(current / log.max_bytes)}
        due.append(_("at %(size)s, %(share)s reached") % reached)
    return {
        "name": log.path.name,
        "files": [(file.name, show_size(file.size), show_time(file.modified)) for file in files[:FILES]],
        "older": _("%(number)s older files with %(size)s") % older if rest else "",
        "size": show_size(sum(file.size for file in files)),
        "rotation": _(" or ").join(due) or _("by another program, if at all"),
        "kept": f"{log.kept}, {_('compressed')}" if log.options.get("compress") else log.kept,
    }


def sign(request: HttpRequest, filters_of_page: str, position: Position, late: Position, *state: float) -> str:
    """Return a token for live mode: user, filters, position, that in the rotated file before it, and its state.

    That is when reading was last logged, when records were last counted, and how many have come since.
    """
    values = [str(request.user.pk), filters_of_page, str(position), str(late), *state]
    return signing.dumps(values, salt=NEWS_SALT)


@require_safe
def news(request: HttpRequest) -> HttpResponseBase:
    """Send the records that were added since the token was made, the next token, and now and then a new chart.

    These requests, one each second, are not logged. Opening the page is recorded, and again each hour.
    """
    try:
        user, filters_of_page, position, rotated, logged, counted, uncounted = signing.loads(
            request.GET.get("token", ""), salt=NEWS_SALT, max_age=NEWS_AGE
        )
    except (signing.BadSignature, ValueError):
        user, filters_of_page, position, rotated, logged, counted, uncounted = "", "", "", "", 0.0, 0.0, 0
    filters = QueryDict(filters_of_page[1:])
    with in_zone(filters.get("zone")):
        form = LogForm(filters)
        if user != str(request.user.pk) or request.GET.keys() != {"token"} or not form.is_valid():
            return HttpResponse(_("Load the page again."), status=400, content_type="text/plain")
        options: dict[str, Any] = {"count": NEWS_RECORDS, "query": form.query, "seconds": NEWS_SECONDS / 2}
        drawn = ""
        with place() as free:
            if not free:
                return busy(request, HttpResponse(BUSY, content_type="text/plain"))
            try:
                more, late = read_late(form.chosen, Position.parse(rotated), **options)
                found = read_newer(form.chosen, Position.parse(position), size=NEWS_CHARACTERS, **options)
                found = replace(found, records=found.records + more)
                uncounted += len(found.records)
                if uncounted and time.time() - counted > CHART_SECONDS:
                    drawn = render_to_string("applog/log_chart.html", chart(form, count(form)))
                    counted, uncounted = time.time(), 0
            except SlowPatternError:
                return HttpResponse(SLOW_PATTERN, status=400, content_type="text/plain")
        if time.time() - logged > NEWS_LOGGED_SECONDS:
            logged = time.time()
            security.record(logging.INFO, "sensitive_read", f"log page, live, {form.description}", request)
        request.log_level = logging.NOTSET  # type: ignore[attr-defined]
        rows, html, _hits = make_rows(form, found)
        late = Position({**late, **found.left})
        token = sign(request, filters_of_page, found.newer, late, logged, counted, uncounted)
        return JsonResponse(
            {"count": len(rows), "rows": html, "chart": drawn, "token": token, "more": not found.exhausted}
        )
