"""AWS/EC2 but for CPUUtilization: what instances sent and received, whether they fail their checks, CPU credits.

What AWS publishes, and how often (aws-facts 4.3 and EC2's list of instance metrics):

* NetworkIn, NetworkOut: five-minute points with basic monitoring, one-minute points with detailed;
* NetworkPacketsIn, NetworkPacketsOut: five-minute points, whatever the monitoring;
* StatusCheckFailed, _Instance, _System: one-minute points, free;
* CPUCreditUsage, CPUCreditBalance: five-minute points, of the burstable types alone.

Each is there by InstanceId and, aggregated, by AutoScalingGroupName; by ImageId and InstanceType only of
instances with detailed monitoring. An instance that began within a window has no point for it.

Traffic is what the data plane's relay and health checks carried to an instance and from it, headers included. What
instances say to each other or to the world goes past the data plane and is not counted. A check fails here for two
reasons only: the instance should run, did run, and its machine in the data plane has not for a minute; or its zone is
cut off, and then the system's check fails as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.kept import Kept, passing
from mglab.localcloud.processor import BASIC_MINUTES, Datum, dimension_sets
from mglab.localcloud.rules import credits
from mglab.localcloud.seam import Observed, TrafficReport

NAMESPACE = "AWS/EC2"
BYTES = {"NetworkIn": "bytes_in", "NetworkOut": "bytes_out"}
PACKETS = {"NetworkPacketsIn": "packets_in", "NetworkPacketsOut": "packets_out"}

CHECKS = ("StatusCheckFailed", "StatusCheckFailed_Instance", "StatusCheckFailed_System")


@dataclass
class InstanceMetrics(Kept):
    """Remembers each running instance's traffic at the last points, and its credits."""

    at_minute: dict[str, TrafficReport] = passing(dict)
    at_window: dict[str, TrafficReport] = passing(dict)
    accounts: dict[str, credits.Account] = field(default_factory=dict)
    been_on: set[str] = passing(set)
    down: set[str] = passing(set)
    """Whose machine was off at the last minute though it had run."""

    def minute(self, observed: Observed, instances: Iterable[InstanceView]) -> list[Datum]:
        """Give the points of the minute that ends now."""
        running = _running(instances)
        now = _traffic(observed, running)
        before, self.at_minute = self.at_minute, now
        detailed = [key for key in now if running[key].detailed_monitoring and key in before]
        return [
            *(datum for key in detailed for datum in _passed(before[key], now[key], BYTES, "Bytes", running[key])),
            *self._checks(observed, running),
        ]

    def window(self, observed: Observed, instances: Iterable[InstanceView], cpu: Mapping[str, float]) -> list[Datum]:
        """Give the points of the five minutes that end now; ``cpu`` is each instance's CPUUtilization in them."""
        running = _running(instances)
        now = _traffic(observed, running)
        before, self.at_window = self.at_window, now
        whole = [key for key in now if key in before]
        basic = [key for key in whole if not running[key].detailed_monitoring]
        return [
            *(datum for key in basic for datum in _passed(before[key], now[key], BYTES, "Bytes", running[key])),
            *(datum for key in whole for datum in _passed(before[key], now[key], PACKETS, "Count", running[key])),
            *self._credits(running, cpu),
        ]

    def _checks(self, observed: Observed, running: dict[str, InstanceView]) -> Iterator[Datum]:
        on = {machine.instance_id for machine in observed.machines if machine.power == "on"}
        self.been_on = (self.been_on | on) & running.keys()
        down = {key for key, it in running.items() if it.serving and key in self.been_on and key not in on}
        failed, self.down = down & self.down, down
        for key, instance in running.items():
            for metric in CHECKS:
                fails = instance.impaired_since is not None or (key in failed and metric != "StatusCheckFailed_System")
                for dimensions in dimension_sets(instance):
                    yield NAMESPACE, metric, dimensions, float(fails), "Count"

    def _credits(self, running: dict[str, InstanceView], cpu: Mapping[str, float]) -> Iterator[Datum]:
        kinds = {key: kind for key, it in running.items() if (kind := credits.TYPES.get(it.instance_type))}
        self.accounts = {key: self.accounts.get(key) or credits.opened(kind) for key, kind in kinds.items()}
        for key in kinds.keys() & cpu.keys():
            usage = credits.used(kinds[key], cpu[key], BASIC_MINUTES)
            self.accounts[key] = credits.after(self.accounts[key], kinds[key], usage, BASIC_MINUTES)
            for dimensions in dimension_sets(running[key]):
                yield NAMESPACE, "CPUCreditUsage", dimensions, usage, "Count"
                yield NAMESPACE, "CPUCreditBalance", dimensions, self.accounts[key].balance, "Count"


def _running(instances: Iterable[InstanceView]) -> dict[str, InstanceView]:
    return {instance.instance_id: instance for instance in instances if instance.state == "running"}


def _traffic(observed: Observed, running: Mapping[str, InstanceView]) -> dict[str, TrafficReport]:
    """Give what every running instance has exchanged so far, nothing included."""
    known = {report.instance_id: report for report in observed.traffic}
    return {key: known.get(key) or TrafficReport(key) for key in running}


def _passed(
    before: TrafficReport, now: TrafficReport, metrics: Mapping[str, str], unit: str, instance: InstanceView
) -> Iterator[Datum]:
    for metric, counter in metrics.items():
        came = max(0, getattr(now, counter) - getattr(before, counter))
        for dimensions in dimension_sets(instance):
            yield NAMESPACE, metric, dimensions, float(came), unit
