"""Who reads the samples: points of a metric, a metric as a time series, and the metrics that a SEARCH finds.

GetMetricStatistics, GetMetricData, pictures and alarms all read through here, so they agree. A metric that came in
several units and is asked for without one is read in the first of them, by name; GetMetricData says so (recorded by
others). What is not kept any longer at the age that is asked for has no points (aws-facts 4.4, retention).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from mglab.localcloud.api.cloudwatch_state import CloudWatchState, MetricKey, Params, requested_key
from mglab.localcloud.rules import labels, search
from mglab.localcloud.rules.expression import ExpressionError
from mglab.localcloud.rules.series import TimeSeries
from mglab.localcloud.rules.statistics import (
    Sample,
    between,
    buckets,
    is_kept,
    is_statistic,
    rounded_start,
    statistic,
)

LISTED_S = 14 * 86400.0
"""ListMetrics and SEARCH drop a metric that was silent for two weeks (aws-facts 4.4)."""
MOST_FOUND = 500


@dataclass(frozen=True)
class Stat:
    """Which statistic of which metric, over which periods."""

    key: MetricKey
    name: str
    period_s: int
    unit: str | None = None


def requested_stat(member: Params) -> Stat:
    """Read a request's ``MetricStat``."""
    return Stat(requested_key(member["Metric"]), member["Stat"], member["Period"], member.get("Unit"))


@dataclass(frozen=True)
class Reader:
    """Reads the state as of now; ``region`` and ``account`` are for labels."""

    state: CloudWatchState
    now: Callable[[], float]
    region: str = ""
    account: str = ""

    def samples(self, stat: Stat, start: float, end: float) -> list[Sample]:
        """Give a metric's samples of [start, end) that are published and still kept for such periods."""
        if not is_kept(start, stat.period_s, self.now()):
            return []
        return between(self.state.series.get(stat.key, []), start, end, self.now(), stat.unit)

    def points(
        self, stat: Stat, start: float, end: float, names: Sequence[str]
    ) -> Iterator[tuple[float, dict[str, float], str]]:
        """Give (time, statistics, unit) of every period and unit that has any of the statistics, oldest first."""
        first = rounded_start(start, stat.period_s, self.now())
        found = self.samples(stat, first, end)
        by_unit = {unit: [s for s in found if s.unit == unit] for unit in _units(found)}
        rows = [(unit, bucket) for unit, mine in by_unit.items() for bucket in buckets(mine, first, stat.period_s)]
        for unit, bucket in sorted(rows, key=lambda row: row[1].at):
            values = {name: statistic(bucket.samples, name) for name in names}
            there = {name: value for name, value in values.items() if value is not None}
            if there:
                yield bucket.at, there, unit

    def units(self, stat: Stat, start: float, end: float) -> list[str]:
        """Name the units that a metric's samples of a range have."""
        return _units(self.samples(stat, rounded_start(start, stat.period_s, self.now()), end))

    def series(self, stat: Stat, start: float, end: float) -> TimeSeries:
        """Give a statistic of a metric as a time series, in one unit."""
        units = self.units(stat, start, end)
        if stat.unit is None and len(units) > 1:
            stat = replace(stat, unit=units[0])
        points = {at: values[stat.name] for at, values, _ in self.points(stat, start, end, [stat.name])}
        unit = units[0] if points else ""
        return TimeSeries(points, stat.period_s, stat.key.name, unit=unit, properties=self._properties(stat))

    def _properties(self, stat: Stat) -> dict[str, str]:
        return {
            "AccountId": self.account, "Region": self.region, "Namespace": stat.key.namespace,
            "MetricName": stat.key.name, "Stat": stat.name, "Period": str(stat.period_s),
            **{f"Dim.{name}": value for name, value in stat.key.dimensions},
        }  # fmt: skip

    def live(self, within_s: float = LISTED_S) -> list[MetricKey]:
        """Name the metrics that had a sample within so many seconds, in order."""
        since = self.now() - within_s
        return sorted(key for key, samples in self.state.series.items() if self._last_visible(samples) >= since)

    def _last_visible(self, samples: Sequence[Sample]) -> float:
        now = self.now()
        return next((sample.at for sample in reversed(samples) if sample.visible_at <= now), float("-inf"))

    def search(self, query: str, name: str, period_s: int, start: float, end: float) -> list[TimeSeries]:
        """Give the series that a SEARCH finds, each labelled by what tells it from the others."""
        if not is_statistic(name):
            raise ExpressionError(f"SEARCH does not know the statistic '{name}'")
        if period_s <= 0:
            raise ExpressionError("SEARCH takes a period in seconds")
        try:
            found = search.parse(query)
        except search.SearchError as wrong:
            raise ExpressionError(str(wrong)) from None
        keys = [key for key in self.live() if found(_candidate(key))][:MOST_FOUND]
        words = labels.facets([(key.namespace, key.name, *(value for _, value in key.dimensions)) for key in keys])
        stats = [Stat(key, name, period_s) for key in keys]
        return [
            replace(self.series(stat, start, end), label=word, id="") for stat, word in zip(stats, words, strict=True)
        ]


def _candidate(key: MetricKey) -> search.Candidate:
    return search.Candidate(key.namespace, key.name, dict(key.dimensions))


def _units(samples: Sequence[Sample]) -> list[str]:
    return sorted({sample.unit for sample in samples})
