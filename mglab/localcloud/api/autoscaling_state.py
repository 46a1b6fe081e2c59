"""What Auto Scaling remembers: groups, their members, policies and activities; and the parts it works with.

``Cloud`` is what every ``autoscaling_*`` module is handed. Its ``state`` holds values only, so that it can be
saved and restored whole; the other fields are the cloud's other parts. Times are lab epoch seconds.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mglab.localcloud.api.autoscaling_parts import Hook, HookWait, Owed, Refresh, ScheduledAction
from mglab.localcloud.api.cloudwatch import CloudWatch
from mglab.localcloud.api.compute import Compute
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.rules import refresh as refreshes
from mglab.localcloud.rules.autoscaler import ACTIVE, Failure, Lifecycle, Subnet

Params = dict[str, Any]

PROCESSES = (
    "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh",
    "ReplaceUnhealthy", "ScheduledActions",
)


class Elbv2(Protocol):
    """Load balancing as seen by a group."""

    def register(self, arn: str, instance_id: str, now: float) -> None:
        """Register a running instance; raises ApiError as RegisterTargets would."""

    def deregister(self, arn: str, instance_id: str, now: float) -> None:
        """Begin to drain a target."""

    def target_state(self, arn: str, instance_id: str) -> str | None:
        """Give initial, healthy, unhealthy or draining; None when it is no target."""

    def target_group_exists(self, arn: str) -> bool:
        """Say whether the target group is there."""

    def deregistration_delay_s(self, arn: str) -> float:
        """Give how long its targets drain."""


@dataclass
class Activity:
    """One line of the activity history."""

    activity_id: str
    group_name: str
    group_arn: str
    description: str
    cause: str
    started_at: float
    details: str
    status: str
    progress: int
    status_message: str | None = None
    ended_at: float | None = None


@dataclass
class Member:
    """An instance of a group."""

    instance_id: str
    zone: str
    instance_type: str
    launched_at: float
    template_version: int | None
    """None: attached, not launched by the group."""
    lifecycle: Lifecycle = "Pending"
    protected: bool = False
    failure: Failure | None = None
    notice_at: float | None = None
    """When the group will notice that something is wrong with it."""
    in_service_at: float | None = None
    activity_id: str | None = None
    """The activity under way: its launch, its end."""
    target_groups: set[str] = field(default_factory=set)
    """Where the group registered it. A dead instance's target may be gone; its drain is waited out all the same."""
    drained_at: float | None = None
    """When its connections have drained; None before its targets are deregistered."""
    waits: list[HookWait] = field(default_factory=list)
    """Its lifecycle actions at the transition that it is in."""
    template: tuple[str, str] | None = None
    """(id, name) of the launch template it was launched from."""


@dataclass
class Attachment:
    """A target group of a group."""

    arn: str
    state: Literal["Adding", "Added", "InService", "Removing"] = "Adding"


@dataclass(frozen=True)
class Change:
    """Somebody asked for another capacity: the first sentence of the causes that follow."""

    sentence: str
    alarm: Params | None = None


@dataclass
class Policy:
    """A scaling policy; one of target tracking has two alarms of its own, the others are named by a user's."""

    name: str
    arn: str
    kind: Literal["SimpleScaling", "StepScaling", "TargetTrackingScaling"]
    settings: Params
    """The request's members that belong to this kind, with AWS's defaults, as they are described."""
    enabled: bool = True
    high_alarm: tuple[str, str] | None = None
    """(name, ARN)"""
    low_alarm: tuple[str, str] | None = None

    @property
    def warmup_s(self) -> int | None:
        """Give the policy's own warm-up."""
        found: int | None = self.settings.get("EstimatedInstanceWarmup")
        return found


@dataclass
class Tag:
    """A group's tag."""

    value: str
    propagate: bool


@dataclass
class Group:
    """An Auto Scaling group: its settings, and what it is at."""

    name: str
    arn: str
    created_at: float
    template_id: str
    template_name: str
    template_version: str
    """Literal, e.g. ``$Latest`` (aws-facts 3.3)."""
    minimum: int
    maximum: int
    desired: int
    subnets: tuple[Subnet, ...]
    health_check_type: str = "EC2"
    grace_s: int = 0
    cooldown_s: int = 300
    warmup_s: int | None = None
    termination_policies: tuple[str, ...] = ("Default",)
    protect_new: bool = False
    tags: dict[str, Tag] = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    suspended: dict[str, str] = field(default_factory=dict)
    """Process to the reason that is shown."""
    enabled_metrics: tuple[str, ...] = ()
    policies: dict[str, Policy] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """Requests for another capacity that is not reached yet."""
    capacity_due_at: float = 0.0
    replacements: list[Owed] = field(default_factory=list)
    """Members that are gone and not replaced yet."""
    failures: int = 0
    retry_at: float = 0.0
    failed_zones: frozenset[str] = frozenset()
    targets_ever_healthy: bool = False
    deleting: bool = False
    by_zones: bool = False
    """Made with AvailabilityZones alone: its subnets are the zones' default ones, and are not shown."""
    kept: Params = field(default_factory=dict)
    """Settings without an effect here (they are about spot instances, or for the eye), given back as they came."""
    hooks: dict[str, Hook] = field(default_factory=dict)
    refreshes: list[Refresh] = field(default_factory=list)
    """Oldest first."""
    scheduled: dict[str, ScheduledAction] = field(default_factory=dict)
    notifications: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Topic to the kinds of events."""
    cooling_s: float | None = None
    """A simple policy's cooldown that begins when its capacity is reached."""
    cooled_at: float = 0.0
    """When the last cooldown is over."""

    @property
    def active(self) -> list[Member]:
        """Give the members that count as capacity."""
        return [member for member in self.members.values() if member.lifecycle in ACTIVE]

    @property
    def refresh(self) -> Refresh | None:
        """Give the instance refresh under way."""
        last = self.refreshes[-1] if self.refreshes else None
        return last if last is not None and last.status in refreshes.ACTIVE else None

    @property
    def wanted(self) -> int:
        """Give the capacity to reach: the desired one, and what a refresh launches beforehand."""
        return self.desired + (self.refresh.surge if self.refresh else 0)

    @property
    def template(self) -> tuple[str, str, str]:
        """Give (id, name, version as written) of what is launched now: a refresh may bring another."""
        refreshing = self.refresh.template if self.refresh else None
        return refreshing or (self.template_id, self.template_name, self.template_version)

    @property
    def zones(self) -> list[str]:
        """Give the enabled zones."""
        return sorted({subnet.zone for subnet in self.subnets})


@dataclass
class AutoScalingState:
    """Everything that is remembered."""

    groups: dict[str, Group] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    """Oldest first."""


@dataclass
class Cloud:
    """The parts that Auto Scaling works with."""

    compute: Compute
    elbv2: Elbv2
    cloudwatch: CloudWatch
    now: Callable[[], float]
    account: str
    region: str
    random: random.Random
    state: AutoScalingState
    knobs: Knobs = DEFAULTS

    def new_uuid(self) -> str:
        """Make an id from the cloud's own randomness."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def find_group(cloud: Cloud, name: str, unknown: str = "AutoScalingGroup name not found - null") -> Group:
    """Find a group that may be changed; refuse in AWS's words (aws-facts 3.7 row 49).

    ``unknown`` is what operations say that have other words for it.
    """
    group = cloud.state.groups.get(name)
    if group is None:
        raise ApiError("ValidationError", unknown)
    if group.deleting:
        raise ApiError("ValidationError", f"AutoScalingGroup {name} is pending delete")
    return group


def find_member(cloud: Cloud, instance_id: str) -> tuple[Group, Member]:
    """Find the group that holds an instance; refuse in AWS's words (aws-facts 3.7 row 49)."""
    for group in cloud.state.groups.values():
        if instance_id in group.members:
            return group, group.members[instance_id]
    raise ApiError(
        "ValidationError", f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
    )
