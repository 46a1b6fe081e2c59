"""CloudWatch: datapoints, statistics and alarms.

The parts of the cloud hand in what they measured with ``record``; the operations give it back as AWS does
(``cloudwatch_metrics``), and once a lab minute ``tick`` lets every alarm look at its metric
(``cloudwatch_alarms``). The decisions are pure: ``rules/statistics`` and ``rules/alarms``.

AWS's own metrics are published late (aws-facts 4.4 and 7: 60-180 s): a point is seen only some time after
the end of the time that it covers, by readers and by alarms alike; an alarm's range therefore ends where
the newest point can be, not at this moment. Points of the user's own (PutMetricData) are seen at once.

GetMetricWidgetImage, dashboards, composite alarms and anomaly detection are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mglab.localcloud.api.cloudwatch_alarms import AlarmPage, OnAlarm
from mglab.localcloud.api.cloudwatch_metrics import MetricPage
from mglab.localcloud.api.cloudwatch_state import CloudWatchState, MetricKey, metric_key
from mglab.localcloud.rules.statistics import MINUTE_S, aligned, cpu_utilization, single

__all__ = ["CloudWatch", "cpu_utilization"]

FORGET_EVERY_MINUTES = 60


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
        self.metrics = MetricPage(self.state, now)
        self.alarms = AlarmPage(self.state, now, f"arn:aws:cloudwatch:{region}:{account}:alarm:")
        self.pages = (self.metrics, self.alarms)

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
        """Evaluate the alarms, once in each lab minute."""
        minute = int(now // MINUTE_S)
        if minute == self.state.evaluated_minute:
            return
        self.state.evaluated_minute = minute
        self.alarms.evaluate(now, lambda key: aligned(now - self._delay_s(key)))
        if minute % FORGET_EVERY_MINUTES == 0:
            self.state.forget(now)

    def _delay_s(self, key: MetricKey) -> float:
        return self.publication_delay_s if key.namespace.startswith("AWS/") else 0.0
