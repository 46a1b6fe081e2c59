"""Statistics that look at the values themselves: percentiles, trimmed and winsorized means, percentile ranks.

Their names are a small language (CloudWatch's "statistics definitions"): ``p99.9``, ``tm90`` (the mean without the
highest tenth), ``TM(10%:90%)``, ``TC(80:500)``, ``PR(:300)``, ``IQM``. A bound in per cent cuts the sorted values by
their number, a bare one by their size, the lower exclusive and the upper inclusive.

They are there only where every value is known (a statistic set of several different ones has none) and none is
negative. A cut that falls within a value takes its share of it: AWS does not say how it rounds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

Weighted = Sequence[tuple[float, float]]
"""Values and how often each came, in the order of the values."""

_NUMBER = r"\d+(?:\.\d{0,10})?"
_SHORT = re.compile(r"(p|tm|tc|ts|wm)((?:\d{1,2}(?:\.\d{0,10})?)|100)\Z")
_RANGE = re.compile(rf"(PR|TM|TC|TS|WM)\(({_NUMBER})?(%?):({_NUMBER})?(%?)\)\Z")


@dataclass(frozen=True)
class Extended:
    """A statistic's name, read. A bound that is None is open."""

    kind: str
    low: float | None
    high: float | None
    percent: bool


def read(name: str) -> Extended | None:
    """Read a statistic's name; None when it is no extended statistic."""
    if name == "IQM":
        return Extended("TM", 25.0, 75.0, True)
    if found := _SHORT.match(name):
        return Extended(found[1].upper(), None, float(found[2]), True)
    found = _RANGE.match(name)
    if found is None or not (found[2] or found[4]):
        return None
    signs = {found[sign] for bound, sign in ((2, 3), (4, 5)) if found[bound]}
    if len(signs) > 1 or (found[1] == "PR" and "%" in signs):
        return None
    low, high = (float(found[place]) if found[place] else None for place in (2, 4))
    if "%" in signs and any(bound is not None and bound > 100 for bound in (low, high)):
        return None
    return Extended(found[1], low, high, "%" in signs)


def of(values: Weighted, wanted: Extended) -> float | None:
    """Give the statistic of values that are sorted; None where nothing is left of them."""
    count = math.fsum(weight for _, weight in values)
    if wanted.kind == "P":
        return percentile(values, wanted.high or 0.0)
    if wanted.kind == "WM":
        return _winsorized_mean(values, wanted, count)
    kept = _by_rank(values, wanted, count) if wanted.percent else _by_size(values, wanted)
    left = math.fsum(weight for _, weight in kept)
    total = math.fsum(value * weight for value, weight in kept)
    match wanted.kind:
        case "TC":
            return left
        case "TS":
            return total
        case "PR":
            return 100 * left / count
    return total / left if left else None


def percentile(values: Weighted, percent: float) -> float:
    """Find the value below which so many per cent lie, between the two nearest ones."""
    rank = percent / 100 * (math.fsum(weight for _, weight in values) - 1)
    low, high = _ranked(values, math.floor(rank)), _ranked(values, math.ceil(rank))
    return low + (high - low) * (rank - math.floor(rank))


def _ranked(values: Weighted, rank: int) -> float:
    seen = 0.0
    for value, weight in values:
        seen += weight
        if rank < seen:
            return value
    return values[-1][0]


def _by_rank(values: Weighted, wanted: Extended, count: float) -> list[tuple[float, float]]:
    first = (wanted.low or 0.0) / 100 * count
    last = (100.0 if wanted.high is None else wanted.high) / 100 * count
    kept, position = [], 0.0
    for value, weight in values:
        share = min(position + weight, last) - max(position, first)
        position += weight
        if share > 0:
            kept.append((value, share))
    return kept


def _by_size(values: Weighted, wanted: Extended) -> list[tuple[float, float]]:
    low = -math.inf if wanted.low is None else wanted.low
    high = math.inf if wanted.high is None else wanted.high
    return [(value, weight) for value, weight in values if low < value <= high]


def _winsorized_mean(values: Weighted, wanted: Extended, count: float) -> float:
    low, high = wanted.low, wanted.high
    if wanted.percent:
        low = None if low is None else percentile(values, low)
        high = None if high is None else percentile(values, high)
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return math.fsum(min(max(value, low), high) * weight for value, weight in values) / count
