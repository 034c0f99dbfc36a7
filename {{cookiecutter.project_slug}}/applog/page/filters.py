"""The filters of the log's page: what can be chosen, what is chosen, and how to leave it out again."""

from collections.abc import Iterator
from typing import NamedTuple

from django.utils.translation import gettext as _

from applog.page.fields import write_fields, write_words
from applog.page.forms import LogForm
from applog.page.histogram import Histogram
from applog.reading.formats import normal_levels
from applog.reading.query import LEVELS
from applog.text import show_time


class Choice(NamedTuple):
    """A link of a group of filters. `note` follows the label where it is read aloud."""

    label: str
    link: str
    selected: bool
    note: str = ""


class Shown(NamedTuple):
    """A level in the chart: its name, how many records it has, and the links that leave only or all but those."""

    level: str
    number: str
    only: str
    without: str
    selected: bool


def groups(form: LogForm) -> list[tuple[str, list[Choice]]]:
    """Return the groups of filters, each of which is one click."""

    def choose(name: str, values: dict[str, tuple[str, str]]) -> list[Choice]:
        given = normal_levels(form.values.get(name, "")) if name == "level" else form.values.get(name, "")
        return [
            Choice(label, form.link(**{name: value}), value == given, note) for value, (label, note) in values.items()
        ]

    first, *others = form.logs or [""]
    logs = {"": (first, ""), **{name: (name, "") for name in others}, "all": (_("all"), _("logs"))}
    levels = {"": (_("all"), _("levels"))} | {level: (level, _("and above")) for level in LEVELS}
    levels[LEVELS[-1]] = (LEVELS[-1], "")
    spans = {"": _("any"), "1h": _("1 hour"), "24h": _("24 hours"), "7d": _("7 days")}
    given, until = form.values.get("since", ""), form.values.get("until", "")
    # They end now: a time that ended before would be over before they begin.
    times = [
        Choice(label, form.link(since=value, until=""), value == given and not until) for value, label in spans.items()
    ]
    return [(_("Log"), choose("log", logs)), (_("Level"), choose("level", levels)), (_("Time"), times)]


def chips(form: LogForm) -> Iterator[tuple[str, str]]:
    """Yield each filter of a valid form that is in use, in words, with the query string without it."""
    data = form.cleaned_data
    if level := data["level"]:
        yield describe_level(level), form.link(level="")
    text, without = form.words
    if text:
        left = form.link(text=write_words("", without), kind="")
        yield (_("matches %s") if data["kind"] else "“%s”") % text, left
    for word in without:
        rest = [other for other in without if other != word]
        yield _("without “%s”") % word, form.link(text=write_words(text, rest))
    names = data["logger"].split(",") if data["logger"] else []
    for name in names:
        words = _("without logger %s") if name.startswith("-") else _("logger %s")
        rest = [other for other in names if other != name]
        yield words % name.removeprefix("-"), form.link(logger=",".join(rest))
    for pair in data["field"]:
        pairs = [other for other in data["field"] if other != pair]
        yield "=".join(pair), form.link(field=write_fields(pairs))
    if data["request"]:
        yield _("request %s") % data["request"], form.link(request="")
    if data.get("error"):
        yield _("error %s") % data["error"], form.link(error="")
    if data["since"]:
        yield _("from %s") % show_time(data["since"]), form.link(since="")
    if data["until"]:
        yield _("before %s") % show_time(data["until"]), form.link(until="")
    if data["own"]:
        yield _("with the reading of the log"), form.link(own="")


def describe_level(level: str) -> str:
    """Return a filter of levels, as Query has it, in words."""
    names = normal_levels(level).lstrip("=-").replace(",", ", ")
    words = {"=": _("only %s"), "-": _("without %s")}.get(level[0], _("%s and above"))
    return words % names


def legend(form: LogForm, histogram: Histogram) -> list[Shown]:
    """Return the levels of the chart, each with links that show or leave out its records."""
    given = normal_levels(form.values.get("level", ""))
    shown = []
    for level, number in histogram.totals.items():
        if level in LEVELS:
            only, rest = f"={level}", leave_out(given, level)
            without = form.link(level=rest) if rest else ""
            shown.append(Shown(level, number, form.link(level="" if given == only else only), without, given == only))
        else:
            shown.append(Shown(level, number, "", "", selected=False))
    return shown


def leave_out(given: str, level: str) -> str:
    """Return a filter of levels that lets all of `given` pass but `level`, or "" where that would leave none."""
    names = given.lstrip("=-").split(",") if given else []
    if given[:1] in {"", "-"}:
        return f"-{','.join([*names, level])}"
    if given[0] != "=":
        names = list(LEVELS[LEVELS.index(given) :]) if given in LEVELS else []
    rest = [name for name in names if name != level]
    return f"={','.join(rest)}" if rest else ""
