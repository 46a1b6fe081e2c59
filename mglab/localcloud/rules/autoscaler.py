"""What should an Auto Scaling group do now?

``decide`` looks at a group's settings and members and answers with launches and terminations; it changes
nothing. AWS's rules (aws-facts 2.5): a launch goes to the enabled zone with the fewest members, to another
one after a failure there; scale-in takes from the zone with the most, then by the termination policies; an
unhealthy member is terminated first and replaced a second later, without waiting for its drain; zones that
are out of balance are mended by launching first and terminating afterwards.

Target tracking (aws-facts 2.6) is the other half: which capacity brings a metric back to its target.
When things happen is the service's affair: it says what is due by now.

Left out: warm pools, lifecycle hooks, instance refresh, mixed instances and weights, scheduled actions.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Lifecycle = Literal["Pending", "InService", "Terminating", "Detaching"]
Failure = Literal["ec2", "elb", "user", "status"]
"""Who found a member unhealthy: EC2's state, a target group, a SetInstanceHealth call, EC2's status checks."""
LaunchReason = Literal["difference", "replacement", "rebalance"]
TerminateReason = Literal["unhealthy", "difference", "rebalance"]

RETRY_S = (30.0, 600.0)
"""After a failed launch: the first pause, doubled each time, and the longest (our reading)."""
ELB_REPLACED_AT_ONCE = 0.1
"""Share of a group whose target-health failures are replaced at a time, at least one (aws-facts 2.5)."""
SCALE_IN_AT_ONCE = 0.1
"""Target tracking takes out at most this share at a time, at least one: four idle members went to three
(aws-facts 2.4, #71546275926; 2.6 "conservative")."""
BILLING_HOUR_S = 3600.0

IMPAIRED_S = 180.0
"""How long failed status checks may mend themselves before the member is replaced: "a few minutes" (aws-facts 2.5)."""
FAILED_ZONE_S = 600.0
"""How long a zone where a launch failed is left alone when zones are brought back into balance (our reading)."""
NOT_RUNNING = ("shutting-down", "terminated", "stopping", "stopped")
"""EC2 states that make a member unhealthy at once, grace period or not (aws-facts 2.5)."""


@dataclass(frozen=True)
class Subnet:
    """Where a group may launch."""

    subnet_id: str
    zone: str


@dataclass(frozen=True)
class Member:
    """An instance of the group, as far as a decision looks at it."""

    instance_id: str
    zone: str
    lifecycle: Lifecycle = "InService"
    failure: Failure | None = None
    launched_at: float = 0.0
    template_version: int = 1
    protected: bool = False


@dataclass(frozen=True)
class Situation:
    """A group at one moment, and what is due in it."""

    desired: int
    subnets: tuple[Subnet, ...]
    members: tuple[Member, ...] = ()
    suspended: frozenset[str] = frozenset()
    termination_policies: tuple[str, ...] = ("Default",)
    capacity_changed: bool = False
    """Somebody asked for another capacity and it is not reached yet."""
    capacity_due: bool = True
    """The time to act on a difference of capacity has come."""
    replacements_owed: int = 0
    """Unhealthy members gone whose replacement is not launched yet."""
    replacements_due: int = 0
    launch_allowed: bool = True
    """No failed launch is being waited out."""
    failed_zones: frozenset[str] = frozenset()
    targets_ever_healthy: bool = True
    """Target health replaces nobody before one target of the group has been healthy (aws-facts 2.2)."""


@dataclass(frozen=True)
class Launch:
    """Start one instance in this subnet."""

    subnet: Subnet
    reason: LaunchReason


@dataclass(frozen=True)
class Terminate:
    """Take this member out."""

    instance_id: str
    reason: TerminateReason


Decision = Launch | Terminate


def decide(situation: Situation, now: float, chance: random.Random) -> tuple[Decision, ...]:
    """Say what the group does at this moment; most of the time nothing."""
    unhealthy = _unhealthy(situation)
    if unhealthy:
        return tuple(Terminate(member.instance_id, "unhealthy") for member in unhealthy)
    if situation.replacements_due and _may_launch(situation):
        return _launches(situation, situation.replacements_due, "replacement", chance)
    if not situation.capacity_due:
        return ()
    difference = situation.desired - len(active(situation.members)) - situation.replacements_owed
    if difference > 0:
        return _launches(situation, difference, "difference", chance) if _may_launch(situation) else ()
    if difference < 0:
        return _surplus(situation, -difference, now, chance)
    return _rebalance(situation, chance)


def active(members: Sequence[Member]) -> list[Member]:
    """Give the members that count as capacity: all that are not on their way out."""
    return [member for member in members if member.lifecycle in ("Pending", "InService")]


def _may_launch(situation: Situation) -> bool:
    return situation.launch_allowed and "Launch" not in situation.suspended


def _unhealthy(situation: Situation) -> list[Member]:
    """Find whom to replace now; target-health failures only a few at a time."""
    if {"ReplaceUnhealthy", "Terminate"} & situation.suspended:
        return []
    failed = [member for member in active(situation.members) if member.failure is not None]
    by_targets = [member for member in failed if member.failure == "elb"] if situation.targets_ever_healthy else []
    pending = sum(member.lifecycle == "Pending" for member in situation.members)
    at_once = max(1, int(situation.desired * ELB_REPLACED_AT_ONCE))
    allowed = max(0, at_once - pending - situation.replacements_owed)
    return [member for member in failed if member.failure != "elb"] + by_targets[:allowed]


def _launches(situation: Situation, count: int, reason: LaunchReason, chance: random.Random) -> tuple[Launch, ...]:
    zones = [member.zone for member in active(situation.members)]
    launches = []
    for _ in range(count):
        subnet = choose_subnet(situation.subnets, zones, situation.failed_zones, chance)
        zones.append(subnet.zone)
        launches.append(Launch(subnet, reason))
    return tuple(launches)


def choose_subnet(
    subnets: Sequence[Subnet], occupied: Sequence[str], failed_zones: Collection[str], chance: random.Random
) -> Subnet:
    """Choose a random subnet of the enabled zone with the fewest members; another zone after a failure."""
    zones = sorted({subnet.zone for subnet in subnets})
    usable = [zone for zone in zones if zone not in failed_zones] or zones
    fewest = min(occupied.count(zone) for zone in usable)
    zone = chance.choice([zone for zone in usable if occupied.count(zone) == fewest])
    return chance.choice([subnet for subnet in subnets if subnet.zone == zone])


def _surplus(situation: Situation, count: int, now: float, chance: random.Random) -> tuple[Terminate, ...]:
    """Take members out: at once when asked for, after a rebalance only when the new one is in service."""
    if "Terminate" in situation.suspended:
        return ()
    members = active(situation.members)
    if not situation.capacity_changed and any(member.lifecycle == "Pending" for member in members):
        return ()
    reason: TerminateReason = "difference" if situation.capacity_changed else "rebalance"
    zones = {subnet.zone for subnet in situation.subnets}
    chosen: list[Terminate] = []
    for _ in range(count):
        victim = choose_victim(members, situation.termination_policies, zones, now, chance)
        if victim is None:
            break
        members.remove(victim)
        chosen.append(Terminate(victim.instance_id, reason))
    return tuple(chosen)


def choose_victim(
    members: Sequence[Member], policies: Sequence[str], zones: Collection[str], now: float, chance: random.Random
) -> Member | None:
    """Choose whom scale-in takes: the fullest zone, then the policies, then chance. None: all are protected."""
    open_to_it = [member for member in members if not member.protected]
    candidates = [m for m in open_to_it if m.lifecycle == "InService"] or open_to_it
    if not candidates:
        return None
    candidates = [m for m in candidates if m.zone not in zones] or _fullest_zones(candidates, members)
    for policy in policies:
        for narrow in _POLICIES[policy]:
            candidates = narrow(candidates, now)
    return chance.choice(candidates)


def _fullest_zones(candidates: Sequence[Member], members: Sequence[Member]) -> list[Member]:
    held = {m.zone: sum(other.zone == m.zone for other in members) for m in candidates}
    return [m for m in candidates if held[m.zone] == max(held.values())]


Narrowing = Callable[[Sequence[Member], float], list[Member]]


def _least(key: Callable[[Member, float], float]) -> Narrowing:
    def narrow(members: Sequence[Member], now: float) -> list[Member]:
        best = min(key(member, now) for member in members)
        return [member for member in members if key(member, now) == best]

    return narrow


_oldest_template = _least(lambda member, _: member.template_version)
_next_hour = _least(lambda member, now: BILLING_HOUR_S - (now - member.launched_at) % BILLING_HOUR_S)
_POLICIES: dict[str, tuple[Narrowing, ...]] = {
    "AllocationStrategy": (),
    "ClosestToNextInstanceHour": (_next_hour,),
    "Default": (_oldest_template, _next_hour),
    "NewestInstance": (_least(lambda member, _: -member.launched_at),),
    "OldestInstance": (_least(lambda member, _: member.launched_at),),
    "OldestLaunchConfiguration": (_oldest_template,),
    "OldestLaunchTemplate": (_oldest_template,),
}
TERMINATION_POLICIES = tuple(_POLICIES)


def _rebalance(situation: Situation, chance: random.Random) -> tuple[Launch, ...]:
    """Launch one instance in a zone that lacks it; the surplus is taken out of the fullest one afterwards."""
    members = active(situation.members)
    settled = all(member.lifecycle == "InService" for member in members) and not situation.replacements_owed
    if not settled or "AZRebalance" in situation.suspended or not _may_launch(situation):
        return ()
    if "Terminate" in situation.suspended or situation.failed_zones:
        return ()
    zones = {subnet.zone for subnet in situation.subnets}
    counts = [sum(member.zone == zone for member in members) for zone in zones]
    stranded = any(member.zone not in zones for member in members)
    if not stranded and max(counts) - min(counts) < 2:
        return ()
    return _launches(situation, 1, "rebalance", chance)


def retry_after(failures: int) -> float:
    """Say how long to wait after so many failed launches in a row."""
    first_s, longest_s = RETRY_S
    return float(min(longest_s, first_s * 2 ** (failures - 1)))


@dataclass(frozen=True)
class Load:
    """What target tracking looks at when one of its alarms speaks."""

    metric: float
    target: float
    warmed: int
    """Members in service whose warm-up is over: the metric is theirs."""
    warming: int
    """Members that are starting or warming up."""
    desired: int
    minimum: int
    maximum: int


def scale_out(load: Load) -> int:
    """Give the capacity that brings the metric down to its target, rounded up (aws-facts 2.6).

    What is warming up counts as already added, so one breach is answered once.
    """
    wanted = math.ceil(load.warmed * load.metric / load.target - 1e-9)
    return max(load.desired, min(load.maximum, wanted))


def scale_in(load: Load) -> int:
    """Give the capacity after a careful step down: rounded down, little at a time, not while warming up."""
    if load.warming:
        return load.desired
    too_many = math.floor(load.warmed * (1 - load.metric / load.target) + 1e-9)
    at_once = max(1, int(load.warmed * SCALE_IN_AT_ONCE))
    return min(load.desired, max(load.minimum, load.desired - min(too_many, at_once)))
