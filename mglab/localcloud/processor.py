"""CPUUtilization: what the instances' process trees really burned.

AWS publishes AWS/EC2 CPUUtilization per instance; with basic monitoring one point covers five minutes
(aws-facts 4.3). Here a lab minute at rate 60 is one wall second, so the figure is the CPU time of the
instance's whole process tree over that wall time, times its share of a host core, at most 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.rules.statistics import cpu_utilization
from mglab.localcloud.seam import Observed

BASIC_MINUTES = 5
CORE_SHARE = 1.0
"""How much of a host core an instance's single vCPU stands for: a knob, ours."""

Datum = tuple[str, str, dict[str, str], float, str]


@dataclass
class Processor:
    """Remembers each instance's CPU counter at the last five-minute point."""

    burned_ns: dict[str, int] = field(default_factory=dict)

    def points(self, observed: Observed, instances: Iterable[InstanceView], wall_seconds: float) -> Iterator[Datum]:
        """Give the points of the ``wall_seconds`` since the last call: one an instance, one more for its group."""
        counters = {report.instance_id: report.cpu_ns for report in observed.machines}
        for instance in instances:
            if instance.state != "running" or instance.instance_id not in counters:
                continue
            percent = self._percent(instance.instance_id, counters, wall_seconds)
            for dimensions in _dimensions(instance):
                yield ("AWS/EC2", "CPUUtilization", dimensions, percent, "Percent")
        self.burned_ns = counters

    def _percent(self, instance_id: str, counters: dict[str, int], wall_seconds: float) -> float:
        now = counters[instance_id]
        return cpu_utilization(self.burned_ns.get(instance_id, now), now, wall_seconds, CORE_SHARE)


def _dimensions(instance: InstanceView) -> Iterator[dict[str, str]]:
    yield {"InstanceId": instance.instance_id}
    if group := instance.tags.get("aws:autoscaling:groupName"):
        yield {"AutoScalingGroupName": group}
