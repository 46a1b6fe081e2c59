"""Targets: register, deregister, describe, and move each along its walk.

The walk itself is ``rules/health``; here it gets its surroundings: what EC2 says of the instance, whether a
listener uses the group, what the nodes' probes reported. Instances are registered by id; through the API they
must run and be in the group's VPC (aws-facts 3.7 rows 37, 38), a group's own may be pending still. A terminated
instance leaves the list by itself; asked for by id it is called draining for a while (aws-facts 0.6, 1.6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.api.elbv2_attributes import (
    DEREGISTRATION_DELAY,
    ENDS_WITH_DELAY,
    STICKY,
    UNHEALTHY_DRAINING,
    UNHEALTHY_ENDS,
)
from mglab.localcloud.api.elbv2_forms import invalid, required
from mglab.localcloud.api.elbv2_state import (
    Registration,
    State,
    TargetGroup,
    TargetKey,
    balancer_of,
    groups_of,
    target_group,
)
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import health
from mglab.localcloud.seam import ProbeReport, RefusalReport

MOST_TARGETS = 1000  # aws-facts 1.1
MOST_TARGETS_IN_ZONE = 500
ENDED_TOLD_S = 3600.0  # our choice: for as long the nodes go on to reset what a departed target still had
REGISTRATION_SPREAD = 1 / 3  # aws-facts 1.5: 90 s ± 30

NO_OVERRIDE = {
    "State": "no_override",
    "Reason": "AdministrativeOverride.NoOverride",
    "Description": "No override is currently active on target",
}


def register_targets(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Register instances that run; one that is registered already stays as it is."""
    group = target_group(state, required(params, "TargetGroupArn"))
    asked = [_key(group, target) for target in required(params, "Targets")]
    _check_instances(state, group, [instance_id for instance_id, _ in asked])
    new = {key for key in asked if not _registered(group, key)}
    if len(group.targets) + len(new) > MOST_TARGETS:
        raise ApiError("TooManyTargets", f"The target group '{group.arn}' cannot have more than {MOST_TARGETS} targets")
    _check_room_in_zones(state, group, new)
    for key in asked:
        register(state, group, key, state.now())
    return {}


def deregister_targets(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Begin to deregister targets; one that is not registered is no error."""
    group = target_group(state, required(params, "TargetGroupArn"))
    for target in required(params, "Targets"):
        deregister(state, group, _key(group, target), state.now())
    return {}


def describe_target_health(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show the state of the registered targets, or of those asked for, registered or not."""
    group = target_group(state, required(params, "TargetGroupArn"))
    keys = _asked(group, params["Targets"]) if params.get("Targets") else _listed(state, group)
    return {"TargetHealthDescriptions": [_described(state, group, key) for key in keys]}


def register(state: State, group: TargetGroup, key: TargetKey, now: float) -> None:
    """Put a target at the start of its walk, unless it is on it."""
    if _registered(group, key):
        return
    delay_s = state.knobs.registration_s * (1 + state.random.uniform(-REGISTRATION_SPREAD, REGISTRATION_SPREAD))
    group.departed.pop(key, None)
    group.ended.pop(key, None)
    group.targets[key] = Registration(health.register(now, delay_s))
    _move(state, group, key, now)


def deregister(state: State, group: TargetGroup, key: TargetKey, now: float) -> None:
    """Let a target drain for the group's delay; one that gets no traffic leaves at once."""
    found = group.targets.get(key)
    if found is None or found.target.leaves_at is not None:
        return
    draining = health.drain(found.target, now, float(group.attributes[DEREGISTRATION_DELAY]))
    if draining is None:
        _leave(state, group, key, now)
    else:
        found.target = draining


def move_all(state: State, now: float) -> None:
    """Move every target of every group on to what it is now."""
    cut_off = state.compute.network().cut_off_zones if state.target_groups else frozenset()
    for group in state.target_groups.values():
        for key in list(group.targets):
            _move(state, group, key, now, cut_off)
        group.departed = {key: until for key, until in group.departed.items() if now < until}
        group.ended = {key: until for key, until in group.ended.items() if now < until}


def observe(state: State, reports: tuple[ProbeReport, ...], lab_time_of: Callable[[float], float]) -> None:
    """Note what the nodes' probes say; outcomes from before a target's first probe do not count."""
    for report in reports:
        arn, target_id, port, zone = report.key
        group = state.target_groups.get(arn)
        found = group.targets.get((target_id, port)) if group else None
        if found is None:
            continue
        probed_from = found.target.probed_from
        if probed_from is None or lab_time_of(report.at) < probed_from or found.doubted.pop(zone, False):
            found.baselines[zone] = report.total
            continue
        streak = health.streak_since(report.passed, report.streak, report.total, found.baselines.get(zone, 0))
        if streak is not None:
            found.streaks[zone] = streak


def observe_refusals(state: State, reports: tuple[RefusalReport, ...]) -> None:
    """Let nodes doubt targets that refuse their clients, where the check asks the clients' port (aws-facts 1.5)."""
    for report in reports:
        arn, target_id, port, zone = report.key
        group = state.target_groups.get(arn)
        found = group.targets.get((target_id, port)) if group else None
        if group is None or found is None or found.refused.get(zone) == report.total:
            continue
        found.refused[zone] = report.total
        sticky, asks_clients_port = group.attributes[STICKY] == "true", group.probed_port(port) == port
        if health.passively_failed(
            report.streak, state.knobs.passive_failures, sticky=sticky, asks_clients_port=asks_clients_port
        ):
            found.doubt(zone)


def nodes_restarted(state: State, now: float, at_least_s: float) -> None:
    """Let every node begin anew: what it learns of a target takes as long as at the registration, or longer."""
    for group in state.target_groups.values():
        for found in group.targets.values():
            known_at = now + max(found.target.registration_s, at_least_s)
            found.target = health.nodes_restarted(found.target, now, known_at)


def instance_of(state: State, key: TargetKey) -> InstanceView | None:
    """Give the instance behind a target, unless it is terminated or forgotten by EC2."""
    found = state.compute.instance(key[0])
    return None if found is None or found.state == "terminated" else found


def _move(
    state: State, group: TargetGroup, key: TargetKey, now: float, cut_off: frozenset[str] = frozenset()
) -> None:
    found = group.targets[key]
    instance = instance_of(state, key)
    if instance is None:
        deregister(state, group, key, now)
    elif found.target.leaves_at is None:
        around = _surroundings(state, group, found, instance, cut_off)
        found.target = health.step(found.target, around, _thresholds(state, group), now)
        if found.target.probed_from is None:
            found.forget_probes()
    if health.gone(found.target, now):
        _leave(state, group, key, now)


def _thresholds(state: State, group: TargetGroup) -> health.Thresholds:
    keeps = group.attributes[UNHEALTHY_ENDS] == "false"
    draining_s = float(group.attributes[UNHEALTHY_DRAINING]) if keeps else 0.0
    return health.Thresholds(group.healthy_threshold, group.unhealthy_threshold, state.knobs.initial_passes, draining_s)


def _surroundings(
    state: State, group: TargetGroup, found: Registration, instance: InstanceView, cut_off: frozenset[str]
) -> health.Surroundings:
    balancer = balancer_of(state, group)
    zones = frozenset(balancer.places) if balancer else frozenset()
    return health.Surroundings(
        unused=health.unused_because(instance.state, in_use=balancer is not None, zone_enabled=instance.zone in zones),
        balancer_active_at=balancer.active_at if balancer else 0.0,
        zones=zones - cut_off,
        streaks={zone: streak for zone, streak in found.streaks.items() if zone not in cut_off},
    )


def _leave(state: State, group: TargetGroup, key: TargetKey, now: float) -> None:
    found = group.targets.pop(key)
    if group.attributes[ENDS_WITH_DELAY] == "true":
        group.ended[key] = now + ENDED_TOLD_S
    if instance_of(state, key) is None:
        began = found.target.history[-1].at if found.target.leaves_at is not None else now
        group.departed[key] = began + state.knobs.terminated_draining_s


def _registered(group: TargetGroup, key: TargetKey) -> bool:
    found = group.targets.get(key)
    return found is not None and found.target.leaves_at is None


def _key(group: TargetGroup, target: dict[str, Any]) -> TargetKey:
    if not target["Id"].startswith("i-"):
        raise invalid(f"Instance ID '{target['Id']}' is not valid")
    return target["Id"], target.get("Port", group.port)


def _check_instances(state: State, group: TargetGroup, instance_ids: list[str]) -> None:
    found = {instance_id: state.compute.instance(instance_id) for instance_id in instance_ids}
    _refuse_any([i for i, instance in found.items() if instance is None], "The following instances do not exist: {}")
    there = [instance for instance in found.values() if instance is not None]
    _refuse_any(
        [each.instance_id for each in there if each.state != "running"],
        "The following targets are not in a running state and cannot be registered: {}",
    )
    _refuse_any(
        [each.instance_id for each in there if each.vpc_id != group.vpc_id],
        f"The following targets are not in the target group VPC '{group.vpc_id}': {{}}",
    )


def _check_room_in_zones(state: State, group: TargetGroup, new: set[TargetKey]) -> None:
    """Refuse more targets in one zone than a load balancer may have there."""
    balancer = balancer_of(state, group)
    if balancer is None:
        return
    there = [key for each in groups_of(state, balancer) for key in each.targets if _registered(each, key)]
    zones = Counter(found.zone for key in (*there, *new) if (found := instance_of(state, key)) is not None)
    if any(count > MOST_TARGETS_IN_ZONE for count in zones.values()):
        message = f"Load balancer '{balancer.arn}' cannot have more than {MOST_TARGETS_IN_ZONE} targets in a zone"
        raise ApiError("TooManyTargets", message)


def _refuse_any(instance_ids: list[str], message: str) -> None:
    if instance_ids:
        raise ApiError("InvalidTarget", message.format(", ".join(f"'{instance_id}'" for instance_id in instance_ids)))


def _listed(state: State, group: TargetGroup) -> list[TargetKey]:
    return [key for key in group.targets if instance_of(state, key) is not None]


def _asked(group: TargetGroup, targets: list[dict[str, Any]]) -> Iterator[TargetKey]:
    """Resolve what was asked for: without a port, every port that the instance is registered with."""
    for target in targets:
        key = _key(group, target)
        ports = [] if "Port" in target else [port for found, port in group.targets if found == key[0]]
        yield from [(key[0], port) for port in ports] or [key]


def _described(state: State, group: TargetGroup, key: TargetKey) -> dict[str, Any]:
    found = group.targets.get(key)
    said = found.target.health if found else _absent(state, group, key)
    told = {"State": said.state, "Reason": said.reason, "Description": said.description}
    entry: dict[str, Any] = {
        "Target": {"Id": key[0], "Port": key[1]},
        "HealthCheckPort": str(group.probed_port(key[1])),
        "TargetHealth": {name: value for name, value in told.items() if value is not None},
    }
    return entry | {"AdministrativeOverride": NO_OVERRIDE} if found else entry


def _absent(state: State, group: TargetGroup, key: TargetKey) -> health.TargetHealth:
    return health.DRAINING if state.now() < group.departed.get(key, 0.0) else health.NOT_REGISTERED
