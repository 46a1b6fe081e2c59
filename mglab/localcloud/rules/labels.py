"""Labels of lines: what CloudWatch calls a result that has no label, and the dynamic parts of one that has.

A metric goes by its name, followed by its statistic and its period where these tell it from the other queries
(recorded: ``metric1 Sum 60``). ``${...}`` puts in numbers of the line's own points (CloudWatch's "Using dynamic
labels"). How AWS writes those numbers is not documented: here in up to six digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from statistics import fmean

from mglab.localcloud.rules.series import TimeSeries

_VARIABLE = re.compile(r"\$\{(?:PROP\('([^']*)'\)|([A-Z_]+))\}")

Points = Sequence[tuple[float, float]]
"""Times and values, oldest first."""


def default(metric_name: str, statistic: str, period_s: int, all_queries: Sequence[tuple[str, int]]) -> str:
    """Name a metric among a request's queries, whose statistics and periods are given."""
    told = [metric_name]
    if len({other for other, _ in all_queries}) > 1:
        told.append(statistic)
    if len({other for _, other in all_queries}) > 1:
        told.append(str(period_s))
    return " ".join(told)


def facets(rows: Sequence[tuple[str, ...]], alone: int = 1) -> list[str]:
    """Name each of several by what tells it from the others; one alone by its part at ``alone``."""
    most = max((len(row) for row in rows), default=0)
    padded = [row + ("",) * (most - len(row)) for row in rows]
    told = [place for place, values in enumerate(zip(*padded, strict=True)) if len(set(values)) > 1]
    return [" ".join(row[place] for place in told if row[place]) or row[alone] for row in padded]


def dynamic(label: str, plain: str, series: TimeSeries, now: float, zone: str = "+0000") -> str:
    """Fill in a label's ``${...}``; ``plain`` is what the line would be called without one."""
    points = list(series.points.items())

    def told(found: re.Match[str]) -> str:
        if found[2] == "LABEL":
            return plain
        if found[1] is not None:
            return series.properties.get(found[1], "")
        if found[2] not in _TOLD:
            return found[0]
        return _TOLD[found[2]](points, now, _zone(zone)) if points else "--"

    return _VARIABLE.sub(told, label) if "${" in label else label


def _zone(text: str) -> timezone:
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)", text)
    if found is None:
        return UTC
    minutes = int(found[2]) * 60 + int(found[3])
    return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))


def _number(value: float) -> str:
    return f"{value:.6g}"


def _moment(at: float, zone: timezone) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%dT%H:%M:%SZ" if zone is UTC else "%Y-%m-%dT%H:%M:%S%z")


def _span(seconds: float) -> str:
    parts, left = [], int(abs(seconds))
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{letter}")
    return " ".join(parts) or "0s"


def _lowest(points: Points) -> tuple[float, float]:
    return min(points, key=lambda point: point[1])


def _highest(points: Points) -> tuple[float, float]:
    return max(points, key=lambda point: point[1])


Told = Callable[[Points, float, timezone], str]
_TOLD: Mapping[str, Told] = {
    "AVG": lambda p, now, zone: _number(fmean(value for _, value in p)),
    "SUM": lambda p, now, zone: _number(sum(value for _, value in p)),
    "MIN": lambda p, now, zone: _number(_lowest(p)[1]),
    "MAX": lambda p, now, zone: _number(_highest(p)[1]),
    "FIRST": lambda p, now, zone: _number(p[0][1]),
    "LAST": lambda p, now, zone: _number(p[-1][1]),
    "DATAPOINT_COUNT": lambda p, now, zone: str(len(p)),
    "FIRST_LAST_RANGE": lambda p, now, zone: _number(abs(p[-1][1] - p[0][1])),
    "MIN_MAX_RANGE": lambda p, now, zone: _number(_highest(p)[1] - _lowest(p)[1]),
    "FIRST_LAST_TIME_RANGE": lambda p, now, zone: _span(p[-1][0] - p[0][0]),
    "MIN_MAX_TIME_RANGE": lambda p, now, zone: _span(_highest(p)[0] - _lowest(p)[0]),
    "FIRST_TIME": lambda p, now, zone: _moment(p[0][0], zone),
    "LAST_TIME": lambda p, now, zone: _moment(p[-1][0], zone),
    "MIN_TIME": lambda p, now, zone: _moment(_lowest(p)[0], zone),
    "MAX_TIME": lambda p, now, zone: _moment(_highest(p)[0], zone),
    "FIRST_TIME_RELATIVE": lambda p, now, zone: _span(now - p[0][0]),
    "LAST_TIME_RELATIVE": lambda p, now, zone: _span(now - p[-1][0]),
    "MIN_TIME_RELATIVE": lambda p, now, zone: _span(now - _lowest(p)[0]),
    "MAX_TIME_RELATIVE": lambda p, now, zone: _span(now - _highest(p)[0]),
}
