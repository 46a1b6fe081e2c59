"""Elastic Load Balancing v2: the service, for network load balancers.

On AWS a network load balancer has one node per enabled zone; each node relays TCP connections to targets that
it chooses by a hash over the connection, and probes every target. Here the nodes live in the data plane; this
service keeps what the API was told, decides by ``rules/health`` and ``rules/routing`` who is healthy and who
may be chosen, and says so as ``seam`` values. Nothing in here waits or connects.

One public method per API operation, taking and giving AWS's own members; then what the cloud's other parts
ask. Left out: application and gateway load balancers, certificates, trust stores, target groups other
than TCP to instances. The parts: ``elbv2_state`` (what there is), ``_balancers _groups _listeners _rules _targets
_attributes _tags`` (operations), ``_plane`` (nodes, probes, names), ``_metrics`` (CloudWatch).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from random import Random
from typing import Any

from mglab.localcloud.api import (
    elbv2_attributes,
    elbv2_balancers,
    elbv2_groups,
    elbv2_listeners,
    elbv2_metrics,
    elbv2_plane,
    elbv2_rules,
    elbv2_tags,
    elbv2_targets,
)
from mglab.localcloud.api.compute import Compute
from mglab.localcloud.api.elbv2_state import State, TargetGroup, TargetKey, target_group
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.rules.health import Transition
from mglab.localcloud.seam import Node, Observed, Probe

Members = dict[str, Any]


class Elbv2:
    """Answers Elastic Load Balancing's API and drives the balancers. Every method is called under the one lock."""

    def __init__(
        self,
        compute: Compute,
        now: Callable[[], float],
        account: str,
        region: str,
        random: Random,
        *,
        knobs: Knobs = DEFAULTS,
        secret: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._state = State(compute, now, account, region, random, secret, knobs)

    def use_knobs(self, knobs: Knobs) -> None:
        """Let the model's knobs be these from now on."""
        self._state.knobs = knobs

    # ---- load balancers

    def create_load_balancer(self, params: Members) -> Members:
        """Make a network load balancer (step 53)."""
        return elbv2_balancers.create_load_balancer(self._state, params)

    def describe_load_balancers(self, params: Members) -> Members:
        """Show load balancers."""
        return elbv2_balancers.describe_load_balancers(self._state, params)

    def delete_load_balancer(self, params: Members) -> Members:
        """Delete a load balancer and its listeners."""
        return elbv2_balancers.delete_load_balancer(self._state, params)

    def set_subnets(self, params: Members) -> Members:
        """Replace a load balancer's subnets."""
        return elbv2_balancers.set_subnets(self._state, params)

    def set_security_groups(self, params: Members) -> Members:
        """Replace a load balancer's security groups."""
        return elbv2_balancers.set_security_groups(self._state, params)

    def set_ip_address_type(self, params: Members) -> Members:
        """Set a load balancer's address type."""
        return elbv2_balancers.set_ip_address_type(self._state, params)

    def describe_capacity_reservation(self, params: Members) -> Members:
        """Show a load balancer's reserved capacity."""
        return elbv2_balancers.describe_capacity_reservation(self._state, params)

    def describe_load_balancer_attributes(self, params: Members) -> Members:
        """Show a load balancer's attributes."""
        return elbv2_attributes.describe_load_balancer_attributes(self._state, params)

    def modify_load_balancer_attributes(self, params: Members) -> Members:
        """Change a load balancer's attributes."""
        return elbv2_attributes.modify_load_balancer_attributes(self._state, params)

    # ---- target groups

    def create_target_group(self, params: Members) -> Members:
        """Make a target group (steps 44-48)."""
        return elbv2_groups.create_target_group(self._state, params)

    def describe_target_groups(self, params: Members) -> Members:
        """Show target groups."""
        return elbv2_groups.describe_target_groups(self._state, params)

    def modify_target_group(self, params: Members) -> Members:
        """Change a target group's health check."""
        return elbv2_groups.modify_target_group(self._state, params)

    def delete_target_group(self, params: Members) -> Members:
        """Delete a target group that no listener uses."""
        return elbv2_groups.delete_target_group(self._state, params)

    def describe_target_group_attributes(self, params: Members) -> Members:
        """Show a target group's attributes."""
        return elbv2_attributes.describe_target_group_attributes(self._state, params)

    def modify_target_group_attributes(self, params: Members) -> Members:
        """Change a target group's attributes."""
        return elbv2_attributes.modify_target_group_attributes(self._state, params)

    # ---- listeners

    def create_listener(self, params: Members) -> Members:
        """Open a port of a load balancer to a target group (step 55)."""
        return elbv2_listeners.create_listener(self._state, params)

    def describe_listeners(self, params: Members) -> Members:
        """Show listeners."""
        return elbv2_listeners.describe_listeners(self._state, params)

    def modify_listener(self, params: Members) -> Members:
        """Change a listener's port or target group."""
        return elbv2_listeners.modify_listener(self._state, params)

    def delete_listener(self, params: Members) -> Members:
        """Close a port."""
        return elbv2_listeners.delete_listener(self._state, params)

    def describe_listener_attributes(self, params: Members) -> Members:
        """Show a listener's attributes."""
        return elbv2_attributes.describe_listener_attributes(self._state, params)

    def modify_listener_attributes(self, params: Members) -> Members:
        """Change a listener's attributes."""
        return elbv2_attributes.modify_listener_attributes(self._state, params)

    def describe_listener_certificates(self, params: Members) -> Members:
        """Show a listener's certificates."""
        return elbv2_rules.describe_listener_certificates(self._state, params)

    def describe_rules(self, params: Members) -> Members:
        """Show a listener's rules."""
        return elbv2_rules.describe_rules(self._state, params)

    def create_rule(self, params: Members) -> Members:
        """Refuse a further rule."""
        return elbv2_rules.create_rule(self._state, params)

    def modify_rule(self, params: Members) -> Members:
        """Refuse to change the default rule."""
        return elbv2_rules.modify_rule(self._state, params)

    def delete_rule(self, params: Members) -> Members:
        """Refuse to delete the default rule."""
        return elbv2_rules.delete_rule(self._state, params)

    # ---- targets

    def register_targets(self, params: Members) -> Members:
        """Register running instances with a target group."""
        return elbv2_targets.register_targets(self._state, params)

    def deregister_targets(self, params: Members) -> Members:
        """Begin to deregister targets."""
        return elbv2_targets.deregister_targets(self._state, params)

    def describe_target_health(self, params: Members) -> Members:
        """Show targets' states."""
        return elbv2_targets.describe_target_health(self._state, params)

    # ---- tags and limits

    def add_tags(self, params: Members) -> Members:
        """Set tags on resources."""
        return elbv2_tags.add_tags(self._state, params)

    def remove_tags(self, params: Members) -> Members:
        """Take tags off resources."""
        return elbv2_tags.remove_tags(self._state, params)

    def describe_tags(self, params: Members) -> Members:
        """Show resources' tags."""
        return elbv2_tags.describe_tags(self._state, params)

    def describe_account_limits(self, params: Members) -> Members:
        """Show the quotas."""
        return elbv2_tags.describe_account_limits(self._state, params)

    # ---- for Auto Scaling: targets are whole instances on the group's port

    def target_group_exists(self, arn: str) -> bool:
        """Say whether the target group is there."""
        return arn in self._state.target_groups

    def register(self, arn: str, instance_id: str, now: float) -> None:
        """Register an instance, pending ones too; one that is registered stays as it is."""
        group = target_group(self._state, arn)
        elbv2_targets.register(self._state, group, _key(group, instance_id), now)

    def deregister(self, arn: str, instance_id: str, now: float) -> None:
        """Begin to deregister an instance; one that is not registered is no error."""
        group = target_group(self._state, arn)
        elbv2_targets.deregister(self._state, group, _key(group, instance_id), now)

    def target_state(self, arn: str, instance_id: str) -> str | None:
        """Give a target's state, None when it is not registered or has drained; unhealthy.draining is unhealthy."""
        group = self._state.target_groups.get(arn)
        found = group.targets.get(_key(group, instance_id)) if group else None
        return found.target.health.state.removesuffix(".draining") if found else None

    def transitions(self, arn: str, instance_id: str) -> tuple[Transition, ...]:
        """Give every change of a registered target's state, oldest first."""
        group = target_group(self._state, arn)
        found = group.targets.get(_key(group, instance_id))
        return found.target.history if found else ()

    def deregistration_delay_s(self, arn: str) -> float:
        """Give how long a target of the group drains."""
        attributes = target_group(self._state, arn).attributes
        return float(attributes[elbv2_attributes.DEREGISTRATION_DELAY])

    # ---- for the daemon

    def tick(self, now: float) -> None:
        """Act: move targets and DNS on, delete interfaces that are due."""
        elbv2_targets.move_all(self._state, now)
        elbv2_plane.publish(self._state, now)
        elbv2_balancers.delete_left_interfaces(self._state, now)
        elbv2_metrics.watch_health(self._state)

    def observe(self, observed: Observed, lab_time_of: Callable[[float], float]) -> None:
        """Take in what the data plane saw."""
        elbv2_targets.observe(self._state, observed.probes, lab_time_of)
        elbv2_targets.observe_refusals(self._state, observed.refusals)
        self._state.flows = {report.key: report for report in observed.flows}
        elbv2_metrics.watch_peaks(self._state, self._state.now())

    def host_restarted(self, now: float, *, at_least_s: float) -> None:
        """Begin anew with what the nodes know; no target is probed in the next ``at_least_s``."""
        elbv2_targets.nodes_restarted(self._state, now, at_least_s)

    def nodes(self, wall_seconds: Callable[[float], float]) -> tuple[Node, ...]:
        """Give the nodes that should be there, with who may be chosen behind each listener."""
        return elbv2_plane.nodes(self._state, self._state.now(), wall_seconds)

    def probes(
        self, wall_seconds: Callable[[float], float], wall_time_of: Callable[[float], float]
    ) -> tuple[Probe, ...]:
        """Give the health checks that should be made."""
        return elbv2_plane.probes(self._state, wall_seconds, wall_time_of)

    def names(self) -> dict[str, tuple[str, ...]]:
        """Give what the balancers' DNS names resolve to."""
        return elbv2_plane.names(self._state, self._state.now())

    def balancer_arns(self) -> tuple[str, ...]:
        """Name every load balancer."""
        return tuple(self._state.load_balancers)

    def listener_ports(self) -> tuple[int, ...]:
        """Give every port that some listener has."""
        return tuple(sorted({listener.port for listener in self._state.listeners.values()}))

    def minute(self, now: float) -> list[elbv2_metrics.Datum]:
        """Give CloudWatch the datapoints of the minute that ends now."""
        return elbv2_metrics.minute(self._state, now)


def _key(group: TargetGroup, instance_id: str) -> TargetKey:
    return instance_id, group.port
