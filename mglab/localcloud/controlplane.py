"""One cloud's control plane, put together: the services, the one lock, and the tick that acts.

Requests record intent; ``tick`` is the only place where something happens (design: one reconciler). A tick
reads what the data plane saw, lets every service take its decisions, and says what the data plane should
be doing from now on. It never sleeps and never touches a socket.

Once a lab minute, as on AWS, each service's metrics are recorded and the alarms look at them. Minutes that no
tick fell into (a fast clock on a busy host) have no point of their own: what they counted is in the next one.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mglab.clock import Clock
from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api import learner_lab
from mglab.localcloud.api.app import find_handler
from mglab.localcloud.api.autoscaling import AutoScaling
from mglab.localcloud.api.cloudwatch import CloudWatch
from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.api.doorman import Doorman
from mglab.localcloud.api.ec2 import Ec2, Setting
from mglab.localcloud.api.elbv2 import Elbv2
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.iam import Iam
from mglab.localcloud.api.moto_room import ACCOUNT, REGION
from mglab.localcloud.api.sts import Sts
from mglab.localcloud.instance_metrics import InstanceMetrics
from mglab.localcloud.kept import Kept, passing
from mglab.localcloud.knobs import Knobs
from mglab.localcloud.processor import BASIC_MINUTES, Datum, Processor, data_of, window_ended
from mglab.localcloud.rules.reach import SSH_PORT
from mglab.localcloud.seam import Desired, Observed

BASE_IMAGE_ID = "ami-0a2023c1d2e3f4051"
"""Stands for Amazon Linux 2023."""
PROJECT2_IMAGE_ID = "ami-0b2d4f6a8c0e1a3c5"
"""Stands for the image that the user made in Project 2."""
MINUTE_S = 60
BOOT_FLOOR_WALL_S = 4.0
"""No warm-up is shorter than this on the wall: what boots are real processes, which no clock makes faster."""


@dataclass
class ControlPlane(Kept):
    """Everything one cloud knows. Whoever reads or changes it holds ``lock``."""

    clock: Clock
    ec2: Ec2
    elbv2: Elbv2
    autoscaling: AutoScaling
    cloudwatch: CloudWatch
    processor: Processor
    minute_processor: Processor
    """As ``processor``, for one-minute points."""
    knobs: Knobs
    instance_metrics: InstanceMetrics = field(default_factory=InstanceMetrics)
    lock: threading.RLock = passing(threading.RLock)
    last_minute: int = passing(int)
    booted: frozenset[str] = frozenset()
    """The instances that have had a file tree: one of these without it has lost its disk."""

    def services(self, access_key_id: str) -> Mapping[str, object]:
        """Give the services that are ours, by botocore's name for each."""
        return {
            "ec2": self.ec2,
            "elbv2": self.elbv2,
            "autoscaling": self.autoscaling,
            "cloudwatch": self.cloudwatch,
            "sts": Sts(ACCOUNT, access_key_id, self.conditions),
            "iam": Iam(ACCOUNT, self.conditions),
        }

    def conditions(self) -> Conditions:
        """Give the conditions under which the account is used at present."""
        return self.ec2.conditions

    def doorman(self, seed: int) -> Doorman:
        """Make the doorman who minds them."""
        return Doorman(self.conditions, self.clock.time, random.Random(f"door {seed}"), ACCOUNT, REGION)

    def use_knobs(self, knobs: Knobs) -> None:
        """Let the model's knobs be these from now on; those of CloudWatch and of CPU points are for life."""
        self.knobs = knobs
        for part in (self.ec2, self.elbv2, self.autoscaling):
            part.use_knobs(knobs)


def create(
    clock: Clock, plan: AddressPlan, directory: Path, seed: int, knobs: Knobs, ssh_port: int = SSH_PORT
) -> ControlPlane:
    """Make an account with a default VPC, two images and nothing else in it."""
    chance = random.Random(seed)
    ec2 = Ec2(clock.time, plan, chance, directory, BASE_IMAGE_ID, PROJECT2_IMAGE_ID, knobs, ssh_port)
    cloudwatch = CloudWatch(clock.time, ACCOUNT, REGION, publication_delay_s=knobs.publication_delay_s)
    elbv2 = Elbv2(ec2, clock.time, ACCOUNT, REGION, chance, knobs=knobs)
    autoscaling = AutoScaling(ec2, elbv2, cloudwatch, clock.time, ACCOUNT, REGION, chance, knobs=knobs)
    minute = int(clock.time()) // MINUTE_S
    by_window, by_minute = Processor(knobs.core_share), Processor(knobs.core_share)
    return ControlPlane(clock, ec2, elbv2, autoscaling, cloudwatch, by_window, by_minute, knobs, last_minute=minute)


def host_restarted(cloud: ControlPlane, setting: Setting) -> None:
    """Go on with a world that comes back, in another process: as after a restart of every host in it.

    Lab time has gone on while the cloud was away, as it does on a host that sleeps.
    """
    now = cloud.clock.time()
    cloud.last_minute = int(now) // MINUTE_S
    cloud.ec2.host_restarted(now, setting)
    cloud.elbv2.host_restarted(now, at_least_s=BOOT_FLOOR_WALL_S * cloud.clock.rate)


def tick(cloud: ControlPlane, observed: Observed) -> Desired:
    """Let every service act on what was seen; give what should be from now on."""
    now = cloud.clock.time()
    _each_minute(cloud, observed, now)  # first: a minute's points are of that minute, not of what came after it
    _note_booted(cloud, observed)
    learner_lab.tick(cloud.conditions(), cloud.ec2, lambda at: delete_what_runs(cloud, at), now)
    cloud.ec2.observe(observed)
    cloud.elbv2.observe(observed, cloud.clock.lab_time_of)
    cloud.ec2.tick(now)
    cloud.autoscaling.tick(now)
    cloud.elbv2.tick(now)
    return _desired(cloud)


def _note_booted(cloud: ControlPlane, observed: Observed) -> None:
    there = {instance.instance_id for instance in cloud.ec2.instances()}
    booted = cloud.booted.union(it.instance_id for it in observed.machines if it.boots) & there
    if booted != cloud.booted:
        cloud.booted = booted


def _each_minute(cloud: ControlPlane, observed: Observed, now: float) -> None:
    minute = int(now) // MINUTE_S
    if minute == cloud.last_minute:
        return
    before, cloud.last_minute = cloud.last_minute, minute
    ended = float(minute * MINUTE_S)
    for datum in (*cloud.elbv2.minute(now), *cloud.autoscaling.minute(now), *_of_instances(cloud, observed, now)):
        cloud.cloudwatch.record(*datum, ended - MINUTE_S)
    if window_ended(before, minute):
        _each_five_minutes(cloud, observed, now)
    cloud.cloudwatch.tick(now)


def _of_instances(cloud: ControlPlane, observed: Observed, now: float) -> list[Datum]:
    """Give what EC2 publishes each minute: all of it for detailed monitoring, status checks for everybody."""
    instances = cloud.ec2.instances()
    detailed = [instance for instance in instances if instance.detailed_monitoring]
    warming = _warming(cloud, now - MINUTE_S)
    cpu = cloud.minute_processor.points(observed, detailed, cloud.clock.wall_time_of(now), warming)
    return [*cpu, *cloud.instance_metrics.minute(observed, instances)]


def _warming(cloud: ControlPlane, at: float) -> set[str]:
    """Name who warmed up at that moment: a real boot takes wall time, however fast the clock."""
    return cloud.autoscaling.warming(at, at_least_s=BOOT_FLOOR_WALL_S * cloud.clock.rate)


def _each_five_minutes(cloud: ControlPlane, observed: Observed, now: float) -> None:
    covered_s = float(BASIC_MINUTES * MINUTE_S)
    began = now // covered_s * covered_s - covered_s
    instances = {instance.instance_id: instance for instance in cloud.ec2.instances()}
    percents = cloud.processor.percents(observed, instances.values(), cloud.clock.wall_time_of(now))
    basic = {key: percent for key, percent in percents.items() if not instances[key].detailed_monitoring}
    others = cloud.instance_metrics.window(observed, instances.values(), percents)
    for datum in (*data_of(basic, instances, _warming(cloud, began)), *others):
        cloud.cloudwatch.record(*datum, began, covers_s=covered_s)


def delete_what_runs(cloud: ControlPlane, now: float) -> None:
    """Delete what costs money, with the services' own operations: groups, load balancers, instances."""
    for name in list(cloud.autoscaling.state.groups):
        _carry_out(cloud.autoscaling, "DeleteAutoScalingGroup", {"AutoScalingGroupName": name, "ForceDelete": True})
    for arn in cloud.elbv2.balancer_arns():
        _carry_out(cloud.elbv2, "DeleteLoadBalancer", {"LoadBalancerArn": arn})
    for instance in cloud.ec2.instances():
        cloud.ec2.terminate(instance.instance_id, now)


def _carry_out(service: object, operation: str, params: dict[str, Any]) -> None:
    handler = find_handler(service, operation)
    assert handler is not None, operation
    with suppress(ApiError):  # a load balancer that is protected stays
        handler(params)


def _desired(cloud: ControlPlane) -> Desired:
    return Desired(
        machines=cloud.ec2.machines(),
        images=cloud.ec2.images(),
        nodes=cloud.elbv2.nodes(cloud.clock.wall_seconds),
        fronts=cloud.ec2.fronts(cloud.elbv2.listener_ports()),
        probes=cloud.elbv2.probes(cloud.clock.wall_seconds, cloud.clock.wall_time_of),
        names=cloud.ec2.names() | cloud.elbv2.names(),
        private_addresses=cloud.ec2.private_addresses(),
    )
