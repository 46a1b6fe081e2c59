"""When is a recurring action due next? Five cron fields, read as AWS's scheduled actions are.

Minute, hour, day of month, month, day of week (0 and 7 are Sunday; names are allowed), each ``*``, a number, a range, a
list, or any of these with ``/step``. As in every crontab, two restricted days mean either of them. The fields are
read in a time zone, UTC unless another is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_LONGEST_DAYS = 366 * 8
"""The 29th of February may be so far away."""


@dataclass(frozen=True)
class Recurrence:
    """When: the allowed values of each field."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """Sunday is 0."""
    either_day: bool
    """Both kinds of day are restricted: one of them is enough."""

    def on(self, day: datetime) -> bool:
        """Say whether it is due on this day at all."""
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (by_date or by_weekday if self.either_day else by_date and by_weekday)


def parsed(text: str) -> Recurrence:
    """Read five cron fields; raises ValueError for anything else."""
    fields = text.split()
    if len(fields) != len(_LIMITS):
        raise ValueError(text)
    names: tuple[Sequence[str], ...] = ((), (), (), _MONTHS, _DAYS)
    sets = [_values(field, *limits, name) for field, limits, name in zip(fields, _LIMITS, names, strict=True)]
    weekdays = frozenset(value % 7 for value in sets[4])
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return Recurrence(sets[0], sets[1], sets[2], sets[3], weekdays, either)


def next_after(recurrence: Recurrence, after: float, zone: str = "UTC") -> float | None:
    """Give the first moment later than this one at which it is due; None when there never is one."""
    start = datetime.fromtimestamp(after, ZoneInfo(zone)).replace(second=0, microsecond=0, tzinfo=None)
    midnight = start.replace(hour=0, minute=0)
    for day in (midnight + timedelta(days=ahead) for ahead in range(_LONGEST_DAYS)):
        if not recurrence.on(day):
            continue
        for hour in sorted(recurrence.hours):
            for minute in sorted(recurrence.minutes):
                at = day.replace(hour=hour, minute=minute, tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()
                if at > after:
                    return at
    return None


def _values(field: str, least: int, most: int, names: Sequence[str]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        first, dash, last = body.partition("-")
        if body == "*":
            low, high = least, most
        else:
            low = _number(first, names, least)
            high = _number(last, names, least) if dash else (most if step else low)
        stride = int(step) if step else 1
        if not least <= low <= high <= most or stride < 1:
            raise ValueError(field)
        found.update(range(low, high + 1, stride))
    return frozenset(found)


def _number(text: str, names: Sequence[str], least: int) -> int:
    return names.index(text.lower()) + least if text.lower() in names else int(text)
