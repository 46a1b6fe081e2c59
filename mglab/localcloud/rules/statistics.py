"""Samples of a metric, and the statistics of them that CloudWatch gives.

CloudWatch keeps, per metric and minute, how many values came, their sum, least and greatest; the statistics of
``rules/extended`` also want the values themselves. Statistics are taken over periods that start at the request's
start, rounded down to the minute, or to five, or to the hour, by its age (aws-facts 4.4); a period without a sample
has no statistic at all, not a zero.

What grows old grows coarse: points of less than a minute are kept three hours, of a minute fifteen days, of five
minutes 63 days, of an hour 455 days (aws-facts 4.4). A point that several were rolled up into has no percentiles.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from mglab.localcloud.rules import extended

MINUTE_S = 60
HOUR_S, DAY_S = 3600.0, 86400.0
SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
HIGH_RESOLUTION_S = (1, 5, 10, 20, 30)
"""Periods of less than a minute that may be asked for."""
KEPT_S = ((3 * HOUR_S, 1), (15 * DAY_S, MINUTE_S), (63 * DAY_S, 5 * MINUTE_S), (455 * DAY_S, 60 * MINUTE_S))
"""Up to which age points of which length are kept (aws-facts 4.4)."""


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
        return self.at + max(0.0, self.covers_s - MINUTE_S)


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
    return name in SIMPLE or extended.read(name) is not None


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
    return _extended(samples, name)


def _extended(samples: Sequence[Sample], name: str) -> float | None:
    """Give a statistic of the values themselves, where all of them are known and none is negative."""
    wanted = extended.read(name)
    if wanted is None or any(s.minimum != s.maximum or s.minimum < 0 for s in samples):
        return None
    return extended.of(sorted((s.minimum, s.sample_count) for s in samples), wanted)


def aligned(at: float, period_s: float = MINUTE_S) -> float:
    """Round a moment down to the start of its minute (or period)."""
    return at // period_s * period_s


def rounded_start(start: float, period_s: float, now: float) -> float:
    """Round a request's start down as its age demands: to the minute, to five, or to the hour (aws-facts 4.4)."""
    age = now - start
    if period_s < MINUTE_S and age <= KEPT_S[0][0]:
        return aligned(start, period_s)
    return aligned(start, next((length for kept, length in KEPT_S[1:] if age <= kept), KEPT_S[-1][1]))


def is_kept(start: float, period_s: float, now: float) -> bool:
    """Say whether points of this period are kept for as long as the request reaches back."""
    age = now - start
    return period_s % next((length for kept, length in KEPT_S if age <= kept), KEPT_S[-1][1]) == 0


def rolled_up(samples: Sequence[Sample], now: float) -> list[Sample]:
    """Give a metric's samples, in order of time, as they are kept at their age; the oldest are forgotten.

    Only what has lately come of age is looked at: a metric may have tens of thousands of samples.
    """
    kept = list(samples[bisect_left(samples, now - KEPT_S[-1][0], key=_begins) :])
    for (age, _), (_, length) in zip(KEPT_S, KEPT_S[1:], strict=False):
        end = begin = bisect_left(kept, aligned(now - age, length), key=_begins)
        while begin and kept[begin - 1].covers_s < length:
            begin -= 1
        kept[begin:end] = _coarser(kept[begin:end], length)
    return kept


def _begins(sample: Sample) -> float:
    return sample.at


def _coarser(samples: Sequence[Sample], length: float) -> list[Sample]:
    """Sum samples up into one for each period and unit."""
    periods: dict[tuple[float, str], list[Sample]] = {}
    for sample in samples:
        periods.setdefault((aligned(sample.at, length), sample.unit), []).append(sample)
    return [
        Sample(
            at, sum(s.sample_count for s in group), math.fsum(s.total for s in group), min(s.minimum for s in group),
            max(s.maximum for s in group), unit, max(s.visible_at for s in group), length,
        )
        for (at, unit), group in periods.items()
    ]  # fmt: skip


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
