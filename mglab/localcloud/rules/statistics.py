"""Samples of a metric, and the statistics of them that CloudWatch gives.

CloudWatch keeps, per metric and minute, how many values came, their sum, least and greatest; a percentile
also wants the values themselves, and is not there for a sample that stands for several different ones.
Statistics are taken over periods that start at the request's start, rounded down to the minute (aws-facts
4.4); a period without a sample has no statistic at all, not a zero.

Left out: trimmed means and the other extended statistics beyond percentiles, and the coarser roll-ups that
AWS keeps after fifteen days.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

MINUTE_S = 60
SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)\Z")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value that was published, or a set of them summed up. ``at`` is lab epoch seconds."""

    at: float
    sample_count: float
    total: float
    minimum: float
    maximum: float
    unit: str
    visible_at: float
    """When readers first see it: metrics are published late (aws-facts 4.4)."""
    covers_s: float = MINUTE_S
    """The time that it stands for, beginning at ``at``: five minutes with basic monitoring (aws-facts 4.3)."""

    @property
    def last_minute(self) -> float:
        """Give the start of the last minute that it stands for."""
        return self.at + self.covers_s - MINUTE_S


@dataclass(frozen=True, slots=True)
class Bucket:
    """A period and the samples that fell into it; never empty."""

    at: float
    samples: tuple[Sample, ...]


def single(at: float, value: float, unit: str, visible_at: float, covers_s: float = MINUTE_S) -> Sample:
    """Make the sample of one published value."""
    return Sample(at, 1.0, value, value, value, unit, visible_at, covers_s)


def is_statistic(name: str) -> bool:
    """Say whether the name is a statistic that can be asked for."""
    return name in SIMPLE or _PERCENTILE.match(name) is not None


def statistic(samples: Sequence[Sample], name: str) -> float | None:
    """Give one statistic of the samples; None when there is none (no samples, no percentile)."""
    if not samples:
        return None
    count = sum(s.sample_count for s in samples)
    match name:
        case "SampleCount":
            return count
        case "Sum":
            return math.fsum(s.total for s in samples)
        case "Average":
            return math.fsum(s.total for s in samples) / count
        case "Minimum":
            return min(s.minimum for s in samples)
        case "Maximum":
            return max(s.maximum for s in samples)
    return _percentile(samples, float(name.removeprefix("p")))


def _percentile(samples: Sequence[Sample], percent: float) -> float | None:
    """Find the value below which so many percent lie, between the two nearest ones."""
    if any(s.minimum != s.maximum for s in samples):
        return None
    ordered = sorted(samples, key=lambda s: s.minimum)
    rank = percent / 100 * (sum(s.sample_count for s in ordered) - 1)
    low, high = _ranked(ordered, math.floor(rank)), _ranked(ordered, math.ceil(rank))
    return low + (high - low) * (rank - math.floor(rank))


def _ranked(ordered: Sequence[Sample], rank: int) -> float:
    seen = 0.0
    for sample in ordered:
        seen += sample.sample_count
        if rank < seen:
            return sample.minimum
    return ordered[-1].minimum


def aligned(at: float, period_s: float = MINUTE_S) -> float:
    """Round a moment down to the start of its minute (or period)."""
    return at // period_s * period_s


def between(samples: Sequence[Sample], start: float, end: float, now: float, unit: str | None = None) -> list[Sample]:
    """Pick the samples of [start, end) that are published by now; ``samples`` is in order of time."""
    first = bisect_left(samples, start, key=lambda s: s.at)
    last = bisect_left(samples, end, key=lambda s: s.at)
    return [s for s in samples[first:last] if s.visible_at <= now and unit in (None, s.unit)]


def buckets(samples: Sequence[Sample], start: float, period_s: float) -> list[Bucket]:
    """Sort samples into periods that begin at ``start``, oldest first."""
    periods: dict[float, list[Sample]] = {}
    for sample in samples:
        periods.setdefault(start + aligned(sample.at - start, period_s), []).append(sample)
    return [Bucket(at, tuple(periods[at])) for at in sorted(periods)]


def cpu_utilization(previous_ns: int, current_ns: int, wall_seconds: float, share: float) -> float:
    """Give the percentage of its share of a host core that a process tree used, at most 100.

    The two counters are CPU time in nanoseconds, ``wall_seconds`` lie between them, and ``share`` is how much of
    one core the instance may call its own.
    """
    if wall_seconds <= 0 or share <= 0:
        return 0.0
    used_seconds = max(0, current_ns - previous_ns) / 1e9
    return min(100.0, 100.0 * used_seconds / (wall_seconds * share))
