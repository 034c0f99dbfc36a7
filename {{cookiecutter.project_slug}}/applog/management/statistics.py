"""`manage.py logs stats`: records by hour and level, and the most frequent messages."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from shutil import get_terminal_size

from django.core.management.base import BaseCommand
from django.utils import timezone

from applog.conf import ProjectLog
from applog.fingerprint import template
from applog.management.records import block, painter, read_back
from applog.reading.counts import Levels
from applog.reading.query import LEVELS, Query
from applog.text import cut, printable

STATS_HOURS = 24  # counted, unless an option says since when
MESSAGES = 10  # printed
TIME, COLUMN, NAME = 16, 7, 20  # characters: of an hour, of a column where there is room, of a level's name at most
LEAST_BAR = 5  # characters; without room for more there are no bars
MESSAGE_KINDS = 20_000  # that are distinguished at a time


def print_statistics(command: BaseCommand, logs: list[ProjectLog], query: Query) -> None:
    """Print how many records there are by hour and level, and the most frequent messages.

    A record that is in several logs is counted once. Raises SlowPatternError.
    """
    levels: Levels = {}
    messages: Counter[tuple[str, str]] = Counter()
    for records in read_back(command, "Counting", logs, query, sys.maxsize):
        for record in records:
            if record.time:
                hour = timezone.localtime(record.time).replace(minute=0, second=0, microsecond=0)
                levels.setdefault(hour.astimezone(UTC), Counter())[record.level] += 1  # an hour may come twice
        messages.update((record.level, template(record.message)) for record in records)
        if len(messages) > MESSAGE_KINDS:
            messages = Counter(dict(messages.most_common(MESSAGE_KINDS // 2)))
    if levels:
        draw(command, levels)
    else:
        command.stdout.write("No records.")
    print_messages(command, messages)


def draw(command: BaseCommand, levels: Levels) -> None:
    """Print a table with a line for each hour and a column for each level, and a bar for each line.

    In a terminal that is too narrow for all of the columns, there are several tables, without bars.
    """
    sums = sum(levels.values(), Counter())
    known = [level for level in reversed(LEVELS) if sums[level]]
    known += sorted(set(sums) - set(LEVELS))
    names = {level: cut(printable(level), NAME) for level in known}
    room = min(get_terminal_size().columns, 120) - TIME
    least = max(COLUMN if sum(max(len(name), COLUMN) + 1 for name in names.values()) <= room else 0, 1)
    columns = {level: max(len(names[level]), len(str(sums[level])), least) for level in known}
    tables: list[list[str]] = [[]]
    for level in known:
        if tables[-1] and sum(columns[other] + 1 for other in (*tables[-1], level)) > room:
            tables.append([])
        tables[-1].append(level)
    room -= sum(column + 1 for column in columns.values()) + 2
    room = room if len(tables) == 1 and room > LEAST_BAR else 0
    most = max(numbers.total() for numbers in levels.values())
    character = block(command.stdout)
    for table in tables:
        head = " ".join(f"{names[level]:>{columns[level]}}" for level in table)
        command.stdout.write(f"{'':{TIME}} {head}")
        for begin in sorted(levels):
            numbers = levels[begin]
            cells = " ".join(f"{numbers[level]:>{columns[level]}}" for level in table)
            drawn = "".join(
                painter(command, level)(character * width) for level, width in split_bar(numbers, known, most, room)
            )
            command.stdout.write(f"{timezone.localtime(begin):%Y-%m-%d %H:%M} {cells} {drawn}".rstrip())
        cells = " ".join(f"{sums[level]:>{columns[level]}}" for level in table)
        command.stdout.write(command.style.HTTP_INFO(f"{'all':<{TIME}} {cells}"))


def split_bar(numbers: Counter[str], levels: list[str], most: int, room: int) -> Iterator[tuple[str, int]]:
    """Yield each level that occurs with its part of a bar, at least one of the `room` characters for `most` records."""
    for level in levels if room else ():
        if numbers[level]:
            yield level, max(1, round(numbers[level] / most * room))


def print_messages(command: BaseCommand, messages: Counter[tuple[str, str]]) -> None:
    """Print the most frequent messages."""
    if messages:
        command.stdout.write("\nMost frequent (# stands for what differs)")
    for (level, message), number in messages.most_common(MESSAGES):
        room = max(20, get_terminal_size().columns - 20)
        text = cut(printable(message), room)
        command.stdout.write(f"{number:>8} {painter(command, level)(f'{printable(level):<8}')} {text}")
