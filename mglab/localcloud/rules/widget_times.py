"""Times in a MetricWidget document: absolute or relative to now (``-PT3H``), and the time zone of its axis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mglab.localcloud.rules.document import Reader

START = "-PT3H"
LAST_MOMENT = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=\d|T\d)(?:(?P<W>\d{1,9})W)?(?:(?P<D>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<H>\d{1,9})H)?(?:(?P<M>\d{1,9})M)?(?:(?P<S>\d{1,9})S)?)?\Z"
)
_SECONDS = {"W": 604_800, "D": 86_400, "H": 3600, "M": 60, "S": 1}
_TIMEZONE = re.compile(r"([+-])(\d{2})(\d{2})\Z")


def time_range(read: Reader, given: Mapping[str, Any], now: float) -> tuple[float, float]:
    """Read a graph's start and end as lab epoch seconds."""
    end = moment(read, given.get("end", "-PT0H"), "/end", now)
    start = moment(read, given.get("start", START), "/start", now)
    if start is None or end is None:
        return now - 1, now
    if start >= end:
        read.wrong("/start", "Should be before end")
    return start, end


def moment(read: Reader, value: Any, path: str, now: float) -> float | None:
    """Read a time of either kind as lab epoch seconds."""
    at = _instant(value, now) if isinstance(value, str) else None
    if at is not None and 0 <= at <= LAST_MOMENT:
        return at
    read.wrong(path, "Should be a time such as 2018-04-25T12:00:00.000Z or -PT3H")
    return None


def _instant(value: str, now: float) -> float | None:
    if found := _DURATION.match(value):
        seconds = sum(int(found[unit] or 0) * size for unit, size in _SECONDS.items())
        return now + (seconds if found["sign"] == "+" else -seconds)
    try:
        said = datetime.fromisoformat(value)
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def offset(read: Reader, given: Mapping[str, Any]) -> int:
    """Read what a graph's time zone is ahead of UTC, in seconds."""
    value = read.text(given, "timezone", "", "+0000")
    found = _TIMEZONE.match(value)
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        read.wrong("/timezone", "Should be hours and minutes ahead of or behind UTC, such as +0130")
        return 0
    return int(found[1] + "1") * (int(found[2]) * 3600 + int(found[3]) * 60)
