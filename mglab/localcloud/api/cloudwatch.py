"""CloudWatch: datapoints, statistics, metric math, alarms and dashboards.

The parts of the cloud hand in what they measured with ``record``; the operations give it back as AWS does
(``cloudwatch_metrics``), and once a lab minute ``tick`` lets every alarm look at its metric (``cloudwatch_alarms``),
and composite ones at the others (``cloudwatch_composites``). The decisions are pure: ``rules/statistics``,
``rules/metricmath`` and ``rules/alarms``.

AWS's own metrics are published late (aws-facts 4.4 and 7: 60-180 s): a point is seen only some time after
the end of the time that it covers, by readers and by alarms alike; an alarm's range therefore ends where
the newest point can be, not at this moment. Points of the user's own (PutMetricData) are seen at once.

GetMetricWidgetImage draws the same points (``cloudwatch_widgets``). Anomaly detection, Contributor Insights and metric
streams are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mglab.localcloud.api.cloudwatch_alarms import AlarmPage, OnAlarm
from mglab.localcloud.api.cloudwatch_composites import CompositePage
from mglab.localcloud.api.cloudwatch_dashboards import DashboardPage
from mglab.localcloud.api.cloudwatch_data import Reader
from mglab.localcloud.api.cloudwatch_history import HistoryPage
from mglab.localcloud.api.cloudwatch_metrics import MetricPage
from mglab.localcloud.api.cloudwatch_put import PutPage
from mglab.localcloud.api.cloudwatch_state import Alarm, CloudWatchState, metric_key
from mglab.localcloud.api.cloudwatch_tags import AbsentPage, TagPage
from mglab.localcloud.api.cloudwatch_widgets import WidgetPage
from mglab.localcloud.rules.statistics import MINUTE_S, aligned, cpu_utilization, single

__all__ = ["CloudWatch", "cpu_utilization"]

FORGET_EVERY_MINUTES = 60
SLOT_S = 10
"""How often alarms with a period of less than a minute look."""


class CloudWatch:
    """The service: its operations are in ``pages``; ``record`` and ``tick`` are for the cloud itself."""

    def __init__(
        self,
        now: Callable[[], float],
        account: str,
        region: str,
        *,
        publication_delay_s: float,
        state: CloudWatchState | None = None,
    ) -> None:
        self.state = state or CloudWatchState()
        self.publication_delay_s = publication_delay_s
        reader = Reader(self.state, now, region, account)
        self.metrics = MetricPage(reader)
        self.alarms = AlarmPage(reader, f"arn:aws:cloudwatch:{region}:{account}:alarm:")
        self.composites = CompositePage(self.alarms)
        self.widgets = WidgetPage(reader, now, region)
        self.pages = (
            self.metrics, self.alarms, self.composites, self.widgets, PutPage(self.state, now), HistoryPage(self.state),
            DashboardPage(self.state, now, account), TagPage(self.state), AbsentPage(),
        )  # fmt: skip

    def record(
        self,
        namespace: str,
        metric_name: str,
        dimensions: Mapping[str, str],
        value: float,
        unit: str,
        at: float,
        *,
        covers_s: float = MINUTE_S,
    ) -> None:
        """Store one measured value of the ``covers_s`` seconds that begin at ``at``."""
        visible_at = at + covers_s + self.publication_delay_s
        self.state.add(metric_key(namespace, metric_name, dimensions), [single(at, value, unit, visible_at, covers_s)])

    def on_alarm(self, listener: OnAlarm) -> None:
        """Have a part of the cloud told when an alarm's actions are due."""
        self.alarms.listeners.append(listener)

    def tick(self, now: float) -> None:
        """Evaluate the alarms: once in each lab minute, those of a high resolution every ten seconds."""
        slot, minute = int(now // SLOT_S), int(now // MINUTE_S)
        if slot != self.state.evaluated_slot:
            self.state.evaluated_slot = slot
            self.alarms.evaluate(now, lambda alarm: aligned(now - self._delay_s(alarm), SLOT_S), high_resolution=True)
        if minute != self.state.evaluated_minute:
            self.state.evaluated_minute = minute
            self.alarms.evaluate(now, lambda alarm: aligned(now - self._delay_s(alarm)))
            if minute % FORGET_EVERY_MINUTES == 0:
                self.state.forget(now)
        self.composites.evaluate(now)

    def _delay_s(self, alarm: Alarm) -> float:
        keys = [alarm.key.namespace] if alarm.key else [_namespace(query) for query in alarm.metrics]
        return self.publication_delay_s if any(key.startswith("AWS/") for key in keys) else 0.0


def _namespace(query: dict[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"]["Namespace"]) if query.get("MetricStat") else ""
