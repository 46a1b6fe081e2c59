"""CPUUtilization: what the instances' process trees really burned.

AWS publishes AWS/EC2 CPUUtilization per instance; with basic monitoring one point covers five minutes
(aws-facts 4.3), with detailed monitoring one. Here a lab minute at rate 60 is one wall second, so the figure is the
CPU time of the instance's whole process tree over that wall time, times its share of a host core
(``knobs.core_share``), at most 100. The time is measured, not assumed: on a busy host a tick may come late, and a
point then covers what really passed.

An instance that began to run within the window, or was rebooted in it, has no point for it: part of a window would
count as idle, and a boot's real work, which no clock makes faster, as load.
One that warmed up in it counts for itself alone, so that a boot does not look like load of its group; that of a group
is the average over the others (aws-facts 2.6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.kept import Kept, passing
from mglab.localcloud.rules.statistics import cpu_utilization
from mglab.localcloud.seam import Observed

BASIC_MINUTES = 5
GROUP_DIMENSION = "AutoScalingGroupName"

Datum = tuple[str, str, dict[str, str], float, str]


@dataclass
class Processor(Kept):
    """Remembers each running instance's CPU counter at the last point, its boots, and when that was (wall seconds)."""

    core_share: float
    burned_ns: dict[str, int] = passing(dict)
    boots: dict[str, int] = passing(dict)
    measured_at: float = passing(float)

    def points(
        self, observed: Observed, instances: Iterable[InstanceView], wall_time: float, warming: Collection[str] = ()
    ) -> list[Datum]:
        """Give the points of the window that ends now: one for each of an instance's sets of dimensions."""
        views = {instance.instance_id: instance for instance in instances}
        return data_of(self.percents(observed, views.values(), wall_time), views, warming)

    def percents(self, observed: Observed, instances: Iterable[InstanceView], wall_time: float) -> dict[str, float]:
        """Give the utilization, in the window that ends now, of each instance that ran through it."""
        running = {instance.instance_id for instance in instances if instance.state == "running"}
        machines = [it for it in observed.machines if it.instance_id in running]
        through = [it for it in machines if self.boots.get(it.instance_id) == it.boots]
        before, wall_seconds = self.burned_ns, wall_time - self.measured_at
        self.burned_ns = {it.instance_id: it.cpu_ns for it in machines}
        self.boots, self.measured_at = {it.instance_id: it.boots for it in machines}, wall_time
        return {
            it.instance_id: cpu_utilization(before[it.instance_id], it.cpu_ns, wall_seconds, self.core_share)
            for it in through
        }


def data_of(
    percents: Mapping[str, float], instances: Mapping[str, InstanceView], warming: Collection[str] = ()
) -> list[Datum]:
    """Give CPUUtilization under every set of dimensions that AWS has it under; ``warming``: who counts alone."""
    return [
        ("AWS/EC2", "CPUUtilization", dimensions, percent, "Percent")
        for instance_id, percent in percents.items()
        for dimensions in dimension_sets(instances[instance_id])
        if instance_id not in warming or GROUP_DIMENSION not in dimensions
    ]


def window_ended(before_minute: int, minute: int) -> bool:
    """Say whether a five-minute window ended between two lab minutes, however many lie between them."""
    return before_minute // BASIC_MINUTES != minute // BASIC_MINUTES


def dimension_sets(instance: InstanceView) -> Iterator[dict[str, str]]:
    """Give the sets of dimensions that an instance's metrics are published under (aws-facts 4.3)."""
    yield {"InstanceId": instance.instance_id}
    if group := instance.tags.get("aws:autoscaling:groupName"):
        yield {GROUP_DIMENSION: group}
    if instance.detailed_monitoring:
        yield {"ImageId": instance.image_id}
        yield {"InstanceType": instance.instance_type}
