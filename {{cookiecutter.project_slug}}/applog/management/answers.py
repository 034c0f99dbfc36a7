"""`manage.py logs errors` and `logs requests`: what failed, by kind, and how requests went, by route."""

import shlex
from collections.abc import Callable, Sequence
from shutil import get_terminal_size
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from applog.conf import ProjectLog, project_folder
from applog.management.records import Progress, block, can_show, json_line, painter
from applog.reading.errors import KINDS, ErrorGroup, Errors
from applog.reading.errors import ORDERS as ERROR_ORDERS
from applog.reading.measures import Distinct, Window
from applog.reading.pages import Position, count_bytes_before
from applog.reading.query import Query
from applog.reading.requests import ORDERS as REQUEST_ORDERS
from applog.reading.requests import PERCENTILES, SLOW, RequestGroup, Requests
from applog.text import cut, now, printable, show_minute, show_ms

ERRORS_DAYS, REQUESTS_HOURS = 7, 24  # looked at, unless an option says since when
GROUPS = 20  # printed, unless an option says how many
SLICE_SECONDS = 0.5
WIDE, WIDER = 80, 110  # columns
MUCH = 0.05  # of the requests
WIDTHS = 9, 7, 7, 8, 8, 8, 9  # of the columns


def print_errors(command: BaseCommand, logs: list[ProjectLog], query: Query, options: dict[str, Any]) -> None:
    """Print the kinds of errors in logs. Raises CommandError for options that cannot be used, and SlowPatternError."""
    window = make_window(query)
    order, most = choose(options, ERROR_ORDERS)
    errors = Errors(window, project_folder())
    read(command, logs, errors, lambda: errors.read(logs, query, SLICE_SECONDS))
    groups = errors.ordered(order)
    since = errors.new_since(logs, now())
    left = sum(group.count for group in groups[most:])
    if options["json"]:
        for group in groups[:most]:
            command.stdout.write(json_line(describe_error(group, window, new=group.is_new(since))))
        if others := left + errors.others:
            command.stdout.write(json_line({"others": others}))
        return
    for group in groups[:most]:
        print_error(command, group, typed_filters(options), is_new=group.is_new(since))
    if not groups:
        command.stdout.write("No errors.")
        return
    total = sum(group.count for group in groups) + errors.others
    words = f"{total:,} record{'' if total == 1 else 's'} of {kinds(len(groups))} since {show_minute(window.begin)}."
    command.stdout.write(command.style.HTTP_INFO(words))
    if left:
        command.stdout.write(f"{left:,} of them are of {kinds(len(groups) - most)} not shown; -n shows more.")
    if errors.others:
        command.stdout.write(f"{errors.others:,} are others: of the rarest of more than {2 * KINDS:,} kinds.")


def typed_filters(options: dict[str, Any]) -> str:
    """Return the logs and the filters that were asked for, as they are typed."""
    names = "level", "grep", "exclude", "regex", "logger", "request", "field"
    given = [(name, value) for name in names for value in to_list(options[name])]
    times = [(name, options[name].isoformat(timespec="seconds")) for name in ("since", "until") if options[name]]
    return shlex.join([*options["what"][1:], *(f"--{name}={value}" for name, value in given + times)])


def to_list(value: Any) -> list[Any]:
    """Return the values of an option that may be given several times."""
    return value if isinstance(value, list) else [value] if value else []


def print_error(command: BaseCommand, group: ErrorGroup, filters: str, *, is_new: bool) -> None:
    """Print a kind of errors in four lines, or five on a narrow terminal, which need 60 columns, without filters."""
    columns, style = get_terminal_size().columns, command.style
    title = ": ".join(filter(None, (group.kind.exception, group.said)))
    mark = "new " if is_new else ""
    title = cut(printable(title), columns - len(mark) - 1)
    command.stdout.write(style.WARNING(mark) + painter(command, group.level or "ERROR")(title))
    times = f"{show_minute(group.first)} - {show_minute(group.last)}" if group.first and group.last else "no time"
    bars = sparkline(command, group.bars)
    command.stdout.write(f"{group.count:>9,} {bars}" + (f" {times}" if columns > WIDE else f"\n{'':>9} {times}"))
    told = [told_number(group.requests, group.count, "request"), told_number(group.users, group.count, "user")]
    place = str(group.kind.frame) if group.kind.frame else group.logger
    command.stdout.write(f"{'':>9} {cut(', '.join(filter(None, [*told, printable(place)])), columns - 11)}")
    command.stdout.write(f"{'':>9} logs --error {group.kind.id} {filters}".rstrip())


def print_requests(command: BaseCommand, logs: list[ProjectLog], query: Query, options: dict[str, Any]) -> None:
    """Print how requests went. Raises CommandError for options that cannot be used."""
    window = make_window(query)
    order, most = choose(options, REQUEST_ORDERS)
    requests = Requests(window)
    read(command, logs, requests, lambda: requests.read(logs, SLICE_SECONDS))
    groups = requests.ordered(order)
    if options["json"]:
        for group in groups[:most]:
            command.stdout.write(json_line(describe_route(group, window)))
        if others := requests.together(groups[most:]).count:
            command.stdout.write(json_line({"others": others}))
        return
    everything = requests.all
    if not everything.count:
        command.stdout.write("No requests.")
        return
    print_head(command, "route")
    for group in groups[:most]:
        print_route(command, group, f"{group.method} {group.route or '(no such page)'}")
    rest = requests.together(groups[most:])
    if rest.count:
        print_route(command, rest, "others")
    print_route(command, everything, "all")
    command.stdout.write("\n")
    print_head(command, f"from {show_minute(window.begin)}")
    for start, part in zip(window.starts, requests.parts, strict=True):
        if part.count:
            print_route(command, part, show_minute(start), most=max(part.count for part in requests.parts))
    command.stdout.write("p50, p95, p99: in ms, within 2 %.")


def print_head(command: BaseCommand, label: str) -> None:
    """Print the heading of a table of requests."""
    names = "requests", "4xx", "5xx", "p50", "p95", "p99", "slowest"
    line = "".join(f"{name:>{width}}" for name, width in zip(names, WIDTHS, strict=True))
    label = cut(label, get_terminal_size().columns - len(line) - 1)
    command.stdout.write(command.style.HTTP_INFO(f"{line} {label}" if get_terminal_size().columns >= WIDE else line))


def print_route(command: BaseCommand, group: RequestGroup, label: str, most: int = 0) -> None:
    """Print a line of the table of requests; a bar if `most` is the number of requests of the longest one."""
    columns, style = get_terminal_size().columns, command.style
    refused, failed = group.share("4"), group.share("5")
    times = group.percentiles
    cells = [f"{group.count:,}", f"{refused:.1%}", f"{failed:.1%}", *map(show_ms, times), show_ms(group.slowest)]
    padded = [f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)]
    padded[1] = style.WARNING(padded[1]) if refused > MUCH else padded[1]
    padded[2] = style.ERROR(padded[2]) if group.number("5") else padded[2]
    padded[4] = style.WARNING(padded[4]) if times[1] > SLOW else padded[4]
    label = printable(label)
    line, used = "".join(padded), sum(WIDTHS) + 1
    if columns < WIDE:
        command.stdout.write(f"{cut(label, columns - 1)}\n{line}")
        return
    label = cut(label, columns - used - 1)
    room = columns - used - len(label) - 2
    drawn = ""
    if most and room > 0:
        drawn = f" {block(command.stdout) * max(1, round(group.count / most * min(room, 40)))}"
    elif columns >= WIDER and label != "all" and room > len(group.bars):
        drawn = f" {'':{room - len(group.bars) - 1}}{sparkline(command, group.bars)}"
    command.stdout.write(f"{line} {label}{drawn}")


def read(command: BaseCommand, logs: Sequence[ProjectLog], found: Errors | Requests, step: Callable[[], None]) -> None:
    """Read all of the logs, a slice of time at a time."""
    total = count_bytes_before(logs)
    with Progress(command.stderr, "Reading") as progress:
        while not found.exhausted:
            step()
            progress.update(1 - count_bytes_before(logs, found.position or Position()) / max(1, total))


def make_window(query: Query) -> Window:
    """Return the time that a query is about, up to now. Raises CommandError."""
    begin = query.since or now()
    try:
        return Window.of(begin, query.until or now(), timezone.get_current_timezone())
    except ValueError:
        raise CommandError("--since has to be before --until, and before now.") from None


def choose(options: dict[str, Any], orders: tuple[str, ...]) -> tuple[str, int]:
    """Return the order of groups, and how many to print. Raises CommandError."""
    order, most = options["sort"] or orders[0], GROUPS if options["lines"] is None else options["lines"]
    if order not in orders:
        raise CommandError(f"--sort is one of {', '.join(orders)}.")
    if not 1 <= most <= 2 * KINDS:
        raise CommandError(f"--lines is a number from 1 to {2 * KINDS}.")
    return order, most


def describe_error(group: ErrorGroup, window: Window, *, new: bool) -> dict[str, Any]:
    """Return a kind of errors for JSON."""
    frame = group.kind.frame
    return {
        "error": group.kind.id,
        "exception.type": group.kind.exception,
        "template": group.kind.template,
        "message": group.message,
        "level": group.level,
        "logger": group.logger,
        "file": frame.file if frame else None,
        "line": frame.line if frame else None,
        "function": frame.function if frame else None,
        "count": group.count,
        "first": group.first.isoformat() if group.first else None,
        "last": group.last.isoformat() if group.last else None,
        "new": new,
        "requests": group.requests.number,
        "users": group.users.number,
        "request_id": group.request_id,
        **describe_bars(group.bars, window),
    }


def describe_route(group: RequestGroup, window: Window) -> dict[str, Any]:
    """Return the requests of a route for JSON. Durations are in ms."""
    return {
        "http.request.method": group.method,
        "http.route" if group.is_route else "path": group.route,
        "count": group.count,
        "statuses": dict(sorted(group.statuses.items())),
        **{f"p{share}": round(time, 1) for share, time in zip(PERCENTILES, group.percentiles, strict=True)},
        "slowest": group.slowest,
        "slowest_request_id": group.slowest_id,
        "slowest_timestamp": group.slowest_time,
        **describe_bars(group.bars, window),
    }


def describe_bars(bars: list[int], window: Window) -> dict[str, Any]:
    """Return how many there are over time, for JSON."""
    return {"bars": bars, "bars_begin": window.start.isoformat(), "bar_seconds": window.step.total_seconds()}


def sparkline(command: BaseCommand, bars: list[int]) -> str:
    """Return numbers as a line of characters, which `command` can print."""
    marks = "▁▂▃▄▅▆▇█" if can_show(command.stdout, "▁█") else ".:-=+*%#"
    most = max([*bars, 1])
    return "".join(marks[-(-number * (len(marks) - 1) // most)] if number else " " for number in bars)


def told_number(found: Distinct, most: int, word: str) -> str:
    """Return how many there are, `most` at most, in words; "" for none."""
    about, number = "" if found.is_exact else "about ", min(found.number, most)
    return f"{about}{number:,} {word}{'' if number == 1 else 's'}" if number else ""


def kinds(number: int) -> str:
    """Return how many kinds there are, in words."""
    return f"{number:,} kind{'' if number == 1 else 's'}"
