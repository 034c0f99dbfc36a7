"""Text that people read and type: characters that can be shown, sizes, times, ages."""

import re
from datetime import UTC, datetime, timedelta

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
TIME_FORMATS = gettext_lazy('Times: 90s, 30m, 2h, 3d or 1w ago, 05:30 (today), 2026-11-24, "2026-11-24 05:30".')
SLOW_PATTERN = gettext_lazy(
    "This regular expression takes too long. Write it with fewer repetitions, or search for text."
)
SECOND = 1000.0  # ms
LONGEST = timedelta(days=1_000_000)
EARLIEST, LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # with room for any time zone

_UNUSUAL = re.compile(r"[^ -~]+")
# Python takes these for printable. Nothing is seen of them:
# https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point, and a blank of Braille. A long run of combining
# marks covers the lines above and below.
_HIDDEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
    "|[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{5,}"
)

_LETTERS = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]+"
_RIGHT_TO_LEFT = re.compile(rf"{_LETTERS}(?:[ ]{_LETTERS})*")


def escape(text: str) -> str:
    """Return `text` with all that is not printable escaped as Python does: line ends, control codes, bidi marks."""
    return _UNUSUAL.sub(_escape_unusual, text)


def _escape_unusual(match: re.Match[str]) -> str:
    text = repr(match[0])[1:-1]
    return text if text.isascii() else _HIDDEN.sub(lambda hidden: hidden[0].encode("unicode_escape").decode(), text)


def isolate(text: str) -> str:
    """Return `text` with each run of right-to-left letters isolated, so that what follows it keeps its place.

    See https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates.
    """
    return text if text.isascii() else _RIGHT_TO_LEFT.sub("\u2068\\g<0>\u2069", text)


def without_isolates(text: str) -> str:
    """Return `text` as it was before `isolate`."""
    return re.sub("[\u2068\u2069]", "", text)


def is_plain(text: str) -> bool:
    """Tell, in little time, whether `text` is printable ASCII, in which there is nothing to escape."""
    return text.isascii() and text.isprintable()


def printable(text: str) -> str:
    """Return `text` escaped, with spaces in place of tabs."""
    return escape(text.expandtabs(4))


def shorten(text: str, most: int) -> str:
    """Return a text of `most` characters at most, followed by how many are left out, if any are."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most:,} characters more)"


def cut(text: str, most: int) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= most else f"{text[: max(0, most - 3)]}..."


def encodable(text: str) -> str:
    """Return `text` with half surrogate pairs escaped, which UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode()


def show_size(number: int) -> str:
    """Return a number of bytes with a unit."""
    return filesizeformat(number).replace("\xa0", " ")


def show_cut(size: int) -> str:
    """Return the notice for a record of `size` bytes of which only the beginning is shown."""
    return _("The record has %s; this is its beginning.") % show_size(size)


def show_number(number: float, decimals: int = 0) -> str:
    """Return a number with its thousands apart, as the current language writes it."""
    number = round(number, decimals)  # Django would cut it off
    # Without a language, as in the command, Django would not group them.
    return number_format(number, decimals, force_grouping=True) if get_language() else f"{number:,.{decimals}f}"


def show_time(moment: datetime) -> str:
    """Return an aware time as text, in the current time zone."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


def show_minute(moment: datetime | None) -> str:
    """Return an aware time to the minute, in the current time zone, "" for None."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" if moment else ""


def show_share(share: float, decimals: int = 0) -> str:
    """Return a share from 0 to 1 in percent."""
    return f"{show_number(share * 100, decimals)}%"


def show_ms(milliseconds: float) -> str:
    """Return a duration in ms, as precise as it is read: from a second on without tenths."""
    return show_number(milliseconds, 1 if milliseconds < SECOND else 0)


def now() -> datetime:
    """Return the current time, aware whatever USE_TZ is, in the current time zone."""
    return datetime.now(timezone.get_current_timezone())


def parse_age(text: str) -> timedelta | None:
    """Return the time span of `text`, a number and s, m, h, d or w, or LONGEST; None if it is something else."""
    found = re.fullmatch(r"(\d{1,12})([smhdw])", text, re.ASCII)
    unit = timedelta(**{UNITS[found[2]]: 1}) if found else LONGEST
    return min(int(found[1]), LONGEST // unit) * unit if found else None


def parse_time(text: str) -> datetime:
    """Return the aware time of `text`: an age, or a time, which is in the current time zone unless it has an offset.

    Raises ValueError, with a sentence for people, when it is something else.
    """
    current, typed = now(), text
    if (age := parse_age(text)) is not None:
        return current - min(age, current - EARLIEST)
    try:
        if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text, re.ASCII):
            text = f"{current:%Y-%m-%d} {text}"
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else timezone.make_aware(moment)
    except (ValueError, OverflowError):
        message = " ".join((_("%s is not a time.") % ascii(typed), str(TIME_FORMATS)))
        raise ValueError(message) from None
    if not EARLIEST <= moment < LATEST:
        message = _("Choose a time between 1971 and 9000.")
        raise ValueError(message)
    return moment
