"""Time series, and what metric math does to one, to two, or to an array of them.

A series holds the points that there are; a period without one is simply not in it. Between two series a missing
point counts as 0, and what cannot be computed (a division by zero, a logarithm of nothing) is dropped: CloudWatch's
"Using metric math".
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from statistics import fmean, pstdev


@dataclass(frozen=True)
class TimeSeries:
    """Points by time, oldest first. ``id`` is the query's, for a metric; what an expression made has none."""

    points: Mapping[float, float]
    period_s: int
    label: str = ""
    id: str = ""
    unit: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    """What ``${PROP('...')}`` of a label may name."""

    @property
    def values(self) -> list[float]:
        """Give the values, oldest first."""
        return list(self.points.values())


Value = float | TimeSeries | tuple[TimeSeries, ...]


def _power(base: float, exponent: float) -> float:
    try:
        value = base**exponent
    except (OverflowError, ZeroDivisionError):
        return math.nan
    return value if isinstance(value, float | int) else math.nan


def _quotient(upper: float, lower: float) -> float:
    return upper / lower if lower else math.nan


def _truth(compare: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda left, right: float(compare(left, right))


OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _quotient, "^": _power,
    "==": _truth(operator.eq), "!=": _truth(operator.ne), "<=": _truth(operator.le), ">=": _truth(operator.ge),
    "<": _truth(operator.lt), ">": _truth(operator.gt),
    "AND": _truth(lambda left, right: bool(left) and bool(right)),
    "OR": _truth(lambda left, right: bool(left) or bool(right)),
}  # fmt: skip


def made(series: TimeSeries, points: Mapping[float, float], *, same: bool = False) -> TimeSeries:
    """Give a new series on another's terms, in order of time, without what is no number."""
    kept = {at: points[at] for at in sorted(points) if math.isfinite(points[at])}
    return replace(series, points=kept) if same else replace(series, points=kept, id="", unit="")


def combined(name: str, left: Value, right: Value) -> Value:
    """Apply an operator to any two of scalar, series and array (arrays of one length go pair by pair)."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        if len(left) != len(right):
            raise ValueError(f"The arrays on the two sides of '{name}' have different lengths")
        return tuple(_between(name, one, other) for one, other in zip(left, right, strict=True))
    if isinstance(left, tuple):
        return tuple(_between(name, one, right) for one in left)  # type: ignore[arg-type]
    if isinstance(right, tuple):
        return tuple(replace(_between(name, left, one), label=one.label) for one in right)
    if isinstance(left, TimeSeries) or isinstance(right, TimeSeries):
        return _between(name, left, right)
    return OPERATORS[name](left, right)


def _between(name: str, left: float | TimeSeries, right: float | TimeSeries) -> TimeSeries:
    apply = OPERATORS[name]
    if isinstance(left, TimeSeries) and isinstance(right, TimeSeries):
        times = {**left.points, **right.points}
        longer = left if left.period_s >= right.period_s else replace(right, label=left.label)
        return made(longer, {at: apply(left.points.get(at, 0.0), right.points.get(at, 0.0)) for at in times})
    if isinstance(left, TimeSeries):
        return made(left, {at: apply(value, right) for at, value in left.points.items()})  # type: ignore[arg-type]
    assert isinstance(right, TimeSeries)
    return made(right, {at: apply(left, value) for at, value in right.points.items()})


# -- one number of many -----------------------------------------------------------------------------------------

Summing = Callable[[Sequence[float]], float]
SUMMARIES: Mapping[str, Summing] = {
    "SUM": math.fsum, "AVG": fmean, "MIN": min, "MAX": max, "STDDEV": pstdev, "DATAPOINT_COUNT": len,
}  # fmt: skip
MISSING_AS_ZERO = ("SUM", "AVG")


def summary(name: str, series: TimeSeries) -> float:
    """Give one number of a series; an empty one has no sum, as it has no mean."""
    return float(SUMMARIES[name](series.values)) if series.points else (0.0 if name == "DATAPOINT_COUNT" else math.nan)


def across(name: str, array: Sequence[TimeSeries]) -> TimeSeries:
    """Give, moment by moment, one number of all the series of an array; in a mean a missing point counts as 0."""
    times = {at for one in array for at in one.points}
    points = {}
    for at in times:
        there = [one.points[at] for one in array if at in one.points]
        missing = len(array) - len(there) if name in MISSING_AS_ZERO else 0
        points[at] = float(SUMMARIES[name]([*there, *[0.0] * missing]))
    return made(TimeSeries({}, max((one.period_s for one in array), default=60)), points)


# -- one series of another --------------------------------------------------------------------------------------


def mapped(change: Callable[[float], float], series: TimeSeries) -> TimeSeries:
    """Change each value for itself."""
    return made(series, {at: change(value) for at, value in series.points.items()})


def differences(series: TimeSeries, tell: Callable[[float, float], float]) -> TimeSeries:
    """Give ``tell(seconds, difference)`` between each point and the one before it."""
    pairs = list(series.points.items())
    steps = zip(pairs, pairs[1:], strict=False)
    return made(series, {at: tell(at - before, value - old) for (before, old), (at, value) in steps})


def running_sum(series: TimeSeries) -> TimeSeries:
    """Give, for each point, the sum of all up to it."""
    total, points = 0.0, {}
    for at, value in series.points.items():
        total += value
        points[at] = total
    return made(series, points)


def grid(start: float, end: float, period_s: float) -> list[float]:
    """Give the starts of all periods of a range."""
    return [start + n * period_s for n in range(max(0, math.ceil((end - start) / period_s)))]


def filled(series: TimeSeries, times: Sequence[float], filler: float | str | TimeSeries) -> TimeSeries:
    """Put a number, another series' points, the last point (REPEAT) or a line between two (LINEAR) where none is."""
    points, there = dict(series.points), list(series.points)
    for at in times:
        if at not in points:
            value = _filler(series, there, at, filler)
            if value is not None:
                points[at] = value
    return made(series, points)


def _filler(
    series: TimeSeries, there: Sequence[float], at: float, filler: float | str | TimeSeries
) -> float | None:
    if isinstance(filler, TimeSeries):
        return filler.points.get(at)
    if not isinstance(filler, str):
        return filler
    place = bisect_left(there, at)
    if place == 0 or (filler == "LINEAR" and place == len(there)):
        return None
    before = series.points[there[place - 1]]
    if filler == "REPEAT":
        return before
    share = (at - there[place - 1]) / (there[place] - there[place - 1])
    return before + share * (series.points[there[place]] - before)


_CALENDAR: Mapping[str, Callable[[datetime], float]] = {
    "MINUTE": lambda at: at.minute, "HOUR": lambda at: at.hour, "DAY": lambda at: at.isoweekday(),
    "DATE": lambda at: at.day, "MONTH": lambda at: at.month, "YEAR": lambda at: at.year,
    "EPOCH": lambda at: at.timestamp(),
}  # fmt: skip
CALENDAR = tuple(_CALENDAR)


def calendar(name: str, series: TimeSeries, times: Sequence[float]) -> TimeSeries:
    """Give each period's minute, hour, weekday (Monday is 1), day, month, year or seconds since 1970, in UTC."""
    return made(series, {at: float(_CALENDAR[name](datetime.fromtimestamp(at, UTC))) for at in times})
