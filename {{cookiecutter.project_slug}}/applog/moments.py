"""Times and ages as people type them."""

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

from django.utils import timezone

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MOMENTS = 'Times: 90s, 30m, 2h, 3d or 1w ago, 05:30 (today), 2026-11-24, "2026-11-24 05:30".'
LONG_AGO = datetime(1971, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Return the time in the current time zone, aware whatever USE_TZ says."""
    return datetime.now(timezone.get_current_timezone())


def parse_age(text: str) -> timedelta | None:
    """Return the time span that `text`, a number and s, m, h, d or w, stands for, or None."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text, re.ASCII)
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None


def parse_moment(text: str) -> datetime:
    """Return the time that `text` stands for, without an offset in the project's time zone.

    Raises ArgumentTypeError with a sentence for people when it is none.
    """
    current = now()
    if (age := parse_age(text)) is not None:
        return current - min(age, current - LONG_AGO)
    try:
        if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text, re.ASCII):
            text = f"{current:%Y-%m-%d} {text}"
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else timezone.make_aware(moment)
    except (ValueError, OverflowError):
        message = f"{text!a} is no time. {MOMENTS}"
        raise ArgumentTypeError(message) from None
