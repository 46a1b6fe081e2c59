"""What CloudWatch remembers: the samples of each metric, the alarms and what happened to them, the dashboards.

A metric is its namespace, its name and its exact set of dimensions: another combination is another metric,
and one that nobody published has no data (aws-facts 4.1). The state holds values only, so that it can be
saved and restored whole.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mglab.localcloud.kept import Kept, passing
from mglab.localcloud.rules.alarms import Point, Rule, State
from mglab.localcloud.rules.statistics import Sample, rolled_up

HISTORY_S = 14 * 86400.0
"""How long DescribeAlarmHistory reaches back (aws-facts 4.4, its source's page on alarms)."""

Params = dict[str, Any]
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, order=True)
class MetricKey:
    """Which metric: the dimensions are sorted, so that their order in a request does not matter."""

    namespace: str
    name: str
    dimensions: Dimensions = ()

    def as_member(self) -> Params:
        """Give it as AWS's ``Metric`` structure."""
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimension_list(self.dimensions)}


def metric_key(namespace: str, name: str, dimensions: Mapping[str, str]) -> MetricKey:
    """Name a metric by a mapping of dimensions."""
    return MetricKey(namespace, name, tuple(sorted(dimensions.items())))


def requested_key(params: Params) -> MetricKey:
    """Name the metric that a request's Namespace, MetricName and Dimensions point to."""
    dimensions = {item["Name"]: item["Value"] for item in params.get("Dimensions", ())}
    return metric_key(params["Namespace"], params["MetricName"], dimensions)


def dimension_list(dimensions: Dimensions) -> list[Params]:
    """Give dimensions as AWS lists them."""
    return [{"Name": name, "Value": value} for name, value in dimensions]


@dataclass(kw_only=True)
class AnyAlarm:
    """What every kind of alarm has, and the state that it is in."""

    name: str
    arn: str
    settings: Params
    """The request's own members that are only given back."""
    actions: dict[State, tuple[str, ...]]
    actions_enabled: bool
    configured_at: float
    state: State = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str | None = None
    state_updated_at: float = 0.0
    transitioned_at: float = 0.0


@dataclass(kw_only=True)
class Alarm(AnyAlarm):
    """A metric alarm: on one metric (``key``), or on metric math over several (``metrics``)."""

    rule: Rule
    key: MetricKey | None = None
    metrics: tuple[Params, ...] = ()
    points: tuple[Point, ...] = ()
    """The points that the last evaluation rested on, oldest first."""


@dataclass(kw_only=True)
class CompositeAlarm(AnyAlarm):
    """An alarm on other alarms."""

    text: str
    """Its AlarmRule, as given."""
    why: str = "created"
    """What its next evaluation follows: its being created or updated; empty when that is told already."""


@dataclass(frozen=True)
class Dashboard:
    """A dashboard's document, as it was given."""

    name: str
    body: str
    modified_at: float


@dataclass(frozen=True)
class HistoryItem:
    """One line of DescribeAlarmHistory."""

    at: float
    alarm_name: str
    kind: str
    summary: str
    data: str
    alarm_type: str = "MetricAlarm"


@dataclass
class CloudWatchState(Kept):
    """Everything that is remembered."""

    series: dict[MetricKey, list[Sample]] = passing(dict)
    """Kept in a log of their own (``pointlog``)."""
    unsaved: list[tuple[MetricKey, Sample]] = passing(list)
    """The points that are not in that log yet."""
    alarms: dict[str, Alarm] = field(default_factory=dict)
    composites: dict[str, CompositeAlarm] = field(default_factory=dict)
    dashboards: dict[str, Dashboard] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    """ARN of an alarm to its tags."""
    history: list[HistoryItem] = field(default_factory=list)
    evaluated_minute: int = passing(int)
    """The last lab minute in which the alarms looked at their metrics."""
    evaluated_slot: int = passing(int)
    """The last ten seconds in which the high-resolution alarms did."""

    def add(self, key: MetricKey, samples: Iterable[Sample]) -> None:
        """Store samples in order of time."""
        kept = self.series.setdefault(key, [])
        for sample in samples:
            insort(kept, sample, key=lambda s: s.at)
            self.unsaved.append((key, sample))

    def points(self) -> list[tuple[MetricKey, Sample]]:
        """Give every sample there is."""
        return [(key, sample) for key, samples in self.series.items() for sample in samples]

    def forget(self, now: float) -> None:
        """Roll up what grows old, and drop what AWS would no longer answer (aws-facts 4.4, retention)."""
        for key, samples in list(self.series.items()):
            kept = rolled_up(samples, now)
            if kept:
                self.series[key] = kept
            else:
                del self.series[key]
        if self.history and self.history[0].at < now - HISTORY_S:
            self.history = [item for item in self.history if item.at >= now - HISTORY_S]
