"""`manage.py logs list` and `logs clear`: the files of the logs."""

import logging
import sys
import textwrap
from shutil import get_terminal_size
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from applog import security
from applog.conf import ProjectLog
from applog.management.records import bar
from applog.reading.folder import LogFile
from applog.text import now, parse_age, parse_time, show_size, show_time

WIDE = 200  # columns, where there is no terminal


def list_files(command: BaseCommand, logs: list[ProjectLog]) -> None:
    """Print the files of each log: size, first and last record, and when the next rotation is."""
    total, number = 0, 0
    zone = timezone.get_current_timezone()  # asked for once: there may be thousands of files
    for log in logs:
        columns = get_terminal_size((WIDE, 24)).columns
        rotation = f"  {describe_rotation(log)}"
        if len(log.name + rotation) > columns:
            rotation = "".join(f"\n      {line}" for line in textwrap.wrap(rotation.strip(), max(20, columns - 7)))
        command.stdout.write(command.style.MIGRATE_HEADING(log.name) + rotation)
        found = log.files()
        width = max((len(file.name) for file in found), default=0)
        for file in found:
            first, last = log.find_times(file)
            times = "no record with a time"
            if first and last:
                ends = (time.astimezone(zone).replace(tzinfo=None) for time in (first, last))
                times = " - ".join(time.isoformat(" ", "seconds") for time in ends)
            line = f"  {file.name:<{width}}  {show_size(file.size):>9}  "
            parts = [times]
            if log.max_bytes and file.name == log.path.name:
                share = file.size / log.max_bytes
                parts.append(f"{bar(command.stdout, share, 12)} {share:.0%} of {show_size(log.max_bytes)}")
            # In a narrow terminal below the name, so that no time is torn apart.
            is_narrow = len(line) + len("  ".join(parts)) > columns
            command.stdout.write(line + ("\n      " + "\n      ".join(parts) if is_narrow else "  ".join(parts)))
        if not found:
            command.stdout.write("  no file yet")
        total, number = total + sum(file.size for file in found), number + len(found)
    command.stdout.write(f"{count_files(number)} {'takes' if number == 1 else 'take'} {show_size(total)} on disk.")


def clear(command: BaseCommand, logs: list[ProjectLog], options: dict[str, Any]) -> None:
    """Remove rotated files whose last record is older than an age; without --delete only print which.

    Raises CommandError when an option is missing or wrong, or files cannot be removed.
    """
    if not options["older_than"]:
        raise CommandError("Type how old the files have to be, for example --older-than 30d.")
    if parse_age(options["older_than"]) is None:
        raise CommandError("--older-than is a number and s, m, h, d or w, for example 30d.")
    if options["no_input"] and not options["delete"]:
        raise CommandError("--no-input is for clear with --delete; leave it out, or add --delete.")
    limit = parse_time(options["older_than"])
    old = [(log, file) for log in logs for file in log.rotated_files() if log.last_change(file) < limit]
    for log, file in old:
        change = show_time(log.last_change(file))
        command.stdout.write(f"  {file.name}  {show_size(file.size):>9}  last record {change}")
    if not old:
        command.stdout.write("No rotated file is that old.")
        return
    size = show_size(sum(file.size for _, file in old))
    if not options["delete"]:
        command.stdout.write(f"{count_files(len(old))} with {size} would be removed, with --delete.")
        return
    if not options["no_input"]:
        command.stdout.write(f'Remove {count_files(len(old))} with {size}? Type "yes": ', ending="")
        command.stdout.flush()
        if sys.stdin.readline().strip() != "yes":
            raise CommandError("Nothing was removed.")
    number = 0
    kept: list[OSError] = []
    for log in logs:
        removed, errors = remove(log, [file for other, file in old if other is log])
        number += removed
        kept += errors
    command.stdout.write(f"{count_files(number)} {'was' if number == 1 else 'were'} removed.")
    if kept:
        raise CommandError("\n".join(str(error) for error in kept))


def remove(log: ProjectLog, old: list[LogFile]) -> tuple[int, list[OSError]]:
    """Remove files of a log, and record who has. Returns how many were removed, and the errors of the others."""
    changes = {file.identity: log.last_change(file) for file in old}
    removed, errors = log.remove(old)
    if removed:
        size = show_size(sum(file.size for file in removed))
        last = timezone.localtime(max(changes[file.identity] for file in removed)).isoformat(timespec="seconds")
        what = f"log {log.name}, {count_files(len(removed))} with {size}, last change {last}"
        who = f"by {security.system_user()!r} on this machine"
        security.record(logging.WARNING, "sensitive_delete", f"{what}, {who}")
    return len(removed), errors


def count_files(number: int) -> str:
    """Return how many files there are, in words."""
    return f"{number} file{'' if number == 1 else 's'}"


def describe_rotation(log: ProjectLog) -> str:
    """Return when a log rotates, how many old files it has, and what is kept of them."""
    size = f"at {show_size(log.max_bytes)}" if log.max_bytes else ""
    when = ""
    if moment := log.next_rotation:
        when = show_time(moment) if moment > now() else "with the next record"
    if not (size or when):
        return "rotated by another program, if at all"
    due = f"{when} or {size}" if when and size else when or size
    packed = ", compressed" if log.options.get("compress") else ""
    return f"rotates {due}; old files: {len(log.rotated_files())}; kept: {log.kept}{packed}"
