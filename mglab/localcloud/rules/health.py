"""What state a target is in, from what the balancer's nodes saw of it.

Every node of a network load balancer probes every registered target, from its own private address, and the
nodes' opinions make one state (aws-facts 1.5, 1.6). A target's walk:

    register -> initial/Elb.RegistrationInProgress    the nodes learn of it; nothing is probed yet
             -> initial/Elb.InitialHealthChecking     probes run, nobody has judged
             -> healthy <-> unhealthy                 by thresholds of outcomes in a row, per node
                healthy -> unhealthy.draining -> unhealthy    where the group lets connections to it go on for a while
    deregister -> draining -> gone                    after the deregistration delay
    unused                                            no listener uses its group, zone not enabled, stopped

Consensus is not documented further than its name; ours: a target is healthy when every node that has judged
says so, and unhealthy as soon as one node that has judged says so. A node that has not judged has no vote.
Passive checks: real connections that fail make a node take a healthy target for unhealthy before its own check does;
it is healthy again by checks alone (``doubted``). How many, AWS does not say, nor what counts more where the check asks
another port than the clients: here the check does. Left out: HTTP checks.
Times are lab seconds; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

State = Literal["initial", "healthy", "unhealthy", "unhealthy.draining", "draining", "unused"]
Opinion = Literal["healthy", "unhealthy"]
InstanceState = Literal["pending", "running", "shutting-down", "terminated", "stopping", "stopped"]

KEPT_TRANSITIONS = 200


@dataclass(frozen=True)
class TargetHealth:
    """State, reason and description as DescribeTargetHealth gives them (aws-facts 1.6)."""

    state: State
    reason: str | None = None
    description: str | None = None


REGISTERING = TargetHealth("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
FIRST_CHECKS = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
HEALTHY = TargetHealth("healthy")
UNHEALTHY = TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
UNHEALTHY_DRAINING = TargetHealth("unhealthy.draining")
DRAINING = TargetHealth("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_REGISTERED = TargetHealth("unused", "Target.NotRegistered", "Target is not registered to the target group")
GROUP_NOT_IN_USE = TargetHealth(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
ZONE_NOT_ENABLED = TargetHealth(
    "unused",
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
STOPPED = TargetHealth("unused", "Target.InvalidState", "Target is in the stopped state")


@dataclass(frozen=True)
class Thresholds:
    """How many outcomes in a row change a node's opinion (defaults: aws-facts 1.5)."""

    healthy: int = 5
    unhealthy: int = 2
    initial_passes: int = 1
    """Passes that take a target out of ``initial``: documented both as one and as ``healthy``."""
    unhealthy_draining_s: float = 0.0
    """How long an unhealthy target keeps its connections, where they are not ended at once."""


@dataclass(frozen=True)
class Streak:
    """The run of like outcomes that one node is in."""

    passed: bool
    count: int


@dataclass(frozen=True)
class Transition:
    """A change of state, and when."""

    at: float
    health: TargetHealth


@dataclass(frozen=True)
class Target:
    """One registration's walk so far."""

    registration_s: float
    """How long the nodes take to learn of it."""
    health: TargetHealth
    history: tuple[Transition, ...] = ()
    probed_from: float | None = None
    """When its first probe may be made; None while it is unused."""
    opinions: Mapping[str, Opinion] = field(default_factory=dict)
    """Zone of the node -> what that node has judged."""
    leaves_at: float | None = None
    """When its draining ends; None unless it drains."""


@dataclass(frozen=True)
class Surroundings:
    """What a target's state depends on besides its own past."""

    unused: TargetHealth | None
    """Why it can get no traffic at all, if so."""
    balancer_active_at: float
    """When its load balancer is (or will be) provisioned."""
    zones: frozenset[str]
    """Zones whose nodes probe it."""
    streaks: Mapping[str, Streak] = field(default_factory=dict)


def register(now: float, registration_s: float) -> Target:
    """Start a target's walk."""
    return Target(registration_s, REGISTERING, (Transition(now, REGISTERING),))


def unused_because(state: InstanceState, *, in_use: bool, zone_enabled: bool) -> TargetHealth | None:
    """Say why a target can get no traffic, or None when it can (aws-facts 1.6)."""
    if not in_use:
        return GROUP_NOT_IN_USE
    if not zone_enabled:
        return ZONE_NOT_ENABLED
    return STOPPED if state == "stopped" else None


def step(target: Target, around: Surroundings, thresholds: Thresholds, now: float) -> Target:
    """Move a target on to what it is now."""
    if target.leaves_at is not None:
        return target
    if around.unused is not None:
        return _enter(replace(target, probed_from=None, opinions={}), around.unused, now)
    if target.probed_from is None:
        target = replace(target, probed_from=_first_probe(target, around, now))
    if target.probed_from is not None and now < target.probed_from:
        return _enter(target, REGISTERING, now)
    target = replace(target, opinions=_opinions(target.opinions, around, thresholds))
    return _enter(target, _judged(target, thresholds, now), now)


def drain(target: Target, now: float, delay_s: float) -> Target | None:
    """Deregister: the target drains for the delay; one that got no traffic is gone at once (None)."""
    if target.health.state == "unused" or delay_s <= 0:
        return None
    return _enter(replace(target, leaves_at=now + delay_s, opinions={}), DRAINING, now)


def nodes_restarted(target: Target, now: float, first_probe_at: float) -> Target:
    """Forget what the nodes had judged: they begin anew, learn of the target again and probe it from then on."""
    if target.leaves_at is not None or target.health.state == "unused":
        return target
    return _enter(replace(target, probed_from=first_probe_at, opinions={}), REGISTERING, now)


def passively_failed(refused: int, failures: int, *, sticky: bool, asks_clients_port: bool) -> bool:
    """Say whether so many refused connections in a row count as a failed check (aws-facts 1.5)."""
    return refused >= failures and asks_clients_port and not sticky


def doubted(target: Target, zone: str) -> Target:
    """Let a node take a healthy target for unhealthy because clients' connections to it failed (aws-facts 1.5)."""
    if target.opinions.get(zone) != "healthy":
        return target
    return replace(target, opinions={**target.opinions, zone: "unhealthy"})


def gone(target: Target, now: float) -> bool:
    """Say whether a draining target has left."""
    return target.leaves_at is not None and now >= target.leaves_at


def opinion(before: Opinion | None, streak: Streak | None, thresholds: Thresholds) -> Opinion | None:
    """Give one node's judgement after a streak; refused and timed out count alike, one failure each."""
    if streak is None:
        return before
    if not streak.passed:
        return "unhealthy" if streak.count >= thresholds.unhealthy else before
    needed = thresholds.initial_passes if before is None else thresholds.healthy
    return "healthy" if streak.count >= needed else before


def consensus(opinions: Iterable[Opinion]) -> Opinion | None:
    """Make one opinion of the nodes': all of those that have judged must say healthy."""
    judged = set(opinions)
    if not judged:
        return None
    return "unhealthy" if "unhealthy" in judged else "healthy"


def streak_since(passed: bool, streak: int, total: int, baseline: int) -> Streak | None:
    """Count only the outcomes after the first ``baseline`` ones: those before belong to an earlier registration."""
    fresh = total - baseline if total >= baseline else total
    return Streak(passed, min(streak, fresh)) if fresh > 0 else None


_HEALTH_OF: Mapping[Opinion | None, TargetHealth] = {None: FIRST_CHECKS, "healthy": HEALTHY, "unhealthy": UNHEALTHY}


def _judged(target: Target, thresholds: Thresholds, now: float) -> TargetHealth:
    """Give the state that the nodes' opinions make; an unhealthy target may drain first."""
    said = _HEALTH_OF[consensus(target.opinions.values())]
    if said != UNHEALTHY or target.health == UNHEALTHY or thresholds.unhealthy_draining_s <= 0:
        return said
    since = target.history[-1].at if target.health == UNHEALTHY_DRAINING else now
    return UNHEALTHY_DRAINING if now - since < thresholds.unhealthy_draining_s else UNHEALTHY


def _first_probe(target: Target, around: Surroundings, now: float) -> float:
    """Nothing is probed before the nodes exist and know the target; a restarted instance is known already."""
    known_at = now if target.health == STOPPED else now + target.registration_s
    return max(known_at, around.balancer_active_at)


def _opinions(before: Mapping[str, Opinion], around: Surroundings, thresholds: Thresholds) -> dict[str, Opinion]:
    judged = {zone: opinion(before.get(zone), around.streaks.get(zone), thresholds) for zone in sorted(around.zones)}
    return {zone: said for zone, said in judged.items() if said is not None}


def _enter(target: Target, health: TargetHealth, now: float) -> Target:
    if target.health == health:
        return target
    history = (*target.history, Transition(now, health))[-KEPT_TRANSITIONS:]
    return replace(target, health=health, history=history)
