"""CPUUtilization: what the instances' process trees really burned.

AWS publishes AWS/EC2 CPUUtilization per instance; with basic monitoring one point covers five minutes
(aws-facts 4.3). Here a lab minute at rate 60 is one wall second, so the figure is the CPU time of the
instance's whole process tree over that wall time, times its share of a host core (``knobs.core_share``), at
most 100. The time is measured, not assumed: on a busy host a tick may come late, and a point then covers what
really passed.

An instance that began to run within the window has no point for it: part of a window would count as idle.
One that warmed up in it counts for itself alone, so that a boot does not look like load of its group; that of a group
is the average over the others (aws-facts 2.6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.rules.statistics import cpu_utilization
from mglab.localcloud.seam import Observed

BASIC_MINUTES = 5

Datum = tuple[str, str, dict[str, str], float, str]


@dataclass
class Processor:
    """Remembers each running instance's CPU counter at the last point, and when that was (wall seconds)."""

    core_share: float
    burned_ns: dict[str, int] = field(default_factory=dict)
    measured_at: float = 0.0

    def points(
        self, observed: Observed, instances: Iterable[InstanceView], wall_time: float, warming: Collection[str] = ()
    ) -> list[Datum]:
        """Give the points of the window that ends now: one an instance, one more for its group."""
        running = {instance.instance_id: instance for instance in instances if instance.state == "running"}
        counters = {it.instance_id: it.cpu_ns for it in observed.machines if it.instance_id in running}
        before, wall_seconds = self.burned_ns, wall_time - self.measured_at
        self.burned_ns, self.measured_at = counters, wall_time
        return [
            ("AWS/EC2", "CPUUtilization", dimensions, percent, "Percent")
            for instance_id in counters
            if instance_id in before
            for percent in (cpu_utilization(before[instance_id], counters[instance_id], wall_seconds, self.core_share),)
            for dimensions in _dimensions(running[instance_id], counts=instance_id not in warming)
        ]


def window_ended(before_minute: int, minute: int) -> bool:
    """Say whether a five-minute window ended between two lab minutes, however many lie between them."""
    return before_minute // BASIC_MINUTES != minute // BASIC_MINUTES


def _dimensions(instance: InstanceView, *, counts: bool) -> Iterator[dict[str, str]]:
    yield {"InstanceId": instance.instance_id}
    if counts and (group := instance.tags.get("aws:autoscaling:groupName")):
        yield {"AutoScalingGroupName": group}
