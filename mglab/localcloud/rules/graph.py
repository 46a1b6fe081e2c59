"""How a graph is laid out before anything is drawn: ends and numbers of its axes, its lines cut and stacked.

What CloudWatch's console does, as far as it can be seen: a few round numbers up the side, round hours of the
time zone along the foot, a line that breaks where a period has no point, the unit of the metrics as the axis's
name. AWS documents none of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mglab.localcloud.rules.widget import Axis, Line

MINUTE, HOUR, DAY = 60, 3600, 86_400
TIME_STEPS_S = (
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)), *(n * HOUR for n in (1, 2, 3, 6, 12)), *(n * DAY for n in (1, 2, 7)),
)  # fmt: skip
LABEL_EVERY_PX = 70
FROM_ZERO_BELOW = 0.6
"""An axis begins at zero unless its least value is more than this share of the greatest."""

FINEST, GREATEST = 1e-9, 1e100
"""How near each other, for their size, an axis's ends may be; and how far from zero."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """A line of the graph with its data, oldest first, and their unit."""

    line: Line
    points: tuple[Point, ...]
    unit: str = ""

    @property
    def latest(self) -> float | None:
        """Give the newest value; what views without a time axis show."""
        return self.points[-1][1] if self.points else None


@dataclass(frozen=True)
class Scale:
    """A y axis: its ends and where its grid lines and numbers stand."""

    low: float
    high: float
    ticks: tuple[float, ...]


def scale(values: Sequence[float], axis: Axis, most: int = 4) -> Scale:
    """Choose the ends of an axis, from the values and the bounds asked for, and about ``most`` round steps between."""
    values = [_sane(value) for value in values]
    low = min(values, default=0.0) if axis.minimum is None else _sane(axis.minimum)
    high = max(values, default=1.0) if axis.maximum is None else _sane(axis.maximum)
    if axis.minimum is None and low > 0 and (low < FROM_ZERO_BELOW * high or low == high):
        low = 0.0
    size = max(abs(low), abs(high))
    if high - low <= size * FINEST:
        low, high = _widened(low, high, axis, size * FINEST * 1000 or 1.0)
    step = _round_step((high - low) / most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [float(f"{n * step:.10g}") for n in range(first, last + 1)]
    low = ticks[0] if axis.minimum is None else low
    high = ticks[-1] if axis.maximum is None else high
    return Scale(low, high, tuple(tick for tick in ticks if low <= tick <= high))


def _widened(low: float, high: float, axis: Axis, least: float) -> tuple[float, float]:
    """Part two ends that are one, or the wrong way round; an end that was asked for stays."""
    least = max(least, 1.0) if low == high or axis.minimum is not None or axis.maximum is not None else least
    return (low, low + least) if axis.maximum is None else (high - least, high)


def _sane(value: float) -> float:
    """Keep a value within what can be divided and told apart."""
    return 0.0 if abs(value) < 1 / GREATEST else max(-GREATEST, min(GREATEST, value))


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= least * (1 - 1e-9))


def number(value: float) -> str:
    """Write a number of an axis: 0, 0.25, 150, 1.2k, 3M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.6g}{letter}"
    return f"{value:.6g}"


def time_ticks(start: float, end: float, offset_s: int, width: float) -> list[tuple[float, str]]:
    """Give the moments that the time axis names, in the time zone's round hours, with their words."""
    fits = max(1, int(width // LABEL_EVERY_PX))
    step = next((s for s in TIME_STEPS_S if (end - start) / s <= fits), None)
    step = step or math.ceil((end - start) / fits / (7 * DAY)) * 7 * DAY
    first = math.ceil((start + offset_s) / step)
    local = [n * step for n in range(first, int((end + offset_s) // step) + 1)]
    return [(at - offset_s, _time_word(at, step)) for at in local]


def _time_word(local: float, step: int) -> str:
    moment = datetime.fromtimestamp(local, UTC)
    midnight = moment.hour == moment.minute == 0
    return f"{moment:%m/%d}" if step >= DAY or (midnight and step >= 3 * HOUR) else f"{moment:%H:%M}"


def unbroken(points: Sequence[Point], period_s: int) -> Iterator[list[Point]]:
    """Cut a line where a period has no point."""
    piece: list[Point] = []
    for at, value in points:
        if piece and at - piece[-1][0] > period_s:
            yield piece
            piece = []
        piece.append((at, value))
    if piece:
        yield piece


def stacked(series: Sequence[Series]) -> list[Series]:
    """Put each line on top of those before it, moment by moment."""
    floor: dict[float, float] = {}
    done = []
    for one in series:
        for at, value in one.points:
            floor[at] = floor.get(at, 0.0) + value
        done.append(Series(one.line, tuple((at, floor[at]) for at, _ in one.points), one.unit))
    return done


def axis_words(axis: Axis, units: Sequence[str]) -> str:
    """Name a y axis: what was asked for, else the unit of its lines."""
    if axis.label or not axis.show_units:
        return axis.label
    known = sorted({"No unit" if unit in ("", "None") else unit for unit in units})
    return "Various units" if len(known) > 1 else "".join(known)
