"""What the data plane should do for the load balancers: nodes, their listeners and candidates, probes, names.

Who may be chosen is ``rules/routing``; whether the chosen one can be reached is ``rules/reach``, asked from two
different places: with client IP preservation (the default) a flow arrives at the instance from the *client's*
address, a health check from the *node's private* address (aws-facts 1.3). That is why a security group that
admits the service port from anywhere and not the health port makes every target unhealthy and still serves
(aws-facts 0.1). A node is in DNS and takes flows only once its balancer is provisioned; until then, and for a
port without a listener, packets are dropped and a client times out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mglab.localcloud.api import elbv2_attributes as attributes
from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.api.elbv2_state import (
    Listener,
    LoadBalancer,
    Place,
    Registration,
    State,
    TargetGroup,
    TargetKey,
    balancer_of,
    groups_of,
    listeners_of,
)
from mglab.localcloud.api.elbv2_targets import instance_of
from mglab.localcloud.rules import health, reach, routing
from mglab.localcloud.seam import Candidate, Node, NodeListener, Probe, Verdict

INTERNET_CLIENT = "203.0.113.1"
"""Stands for any client on the internet (an address for documentation, RFC 5737)."""
ROUTABLE = ("healthy", "unhealthy", "unhealthy.draining")
"""States of targets that get traffic if need be: in fail-open, unhealthy ones too."""


def publish(state: State, now: float) -> None:
    """Move DNS on: zones come and go with the health of their targets (aws-facts 1.4)."""
    cut_off = state.compute.network().cut_off_zones if state.load_balancers else frozenset()
    for balancer in state.load_balancers.values():
        if not balancer.active(now):
            continue
        groups = [members_of(state, group, balancer) for group in groups_of(state, balancer)]
        standing = tuple(zone for zone in balancer.places if zone not in cut_off) or tuple(balancer.places)
        wanted = routing.zones_in_dns(groups, standing)
        before = {zone: leaves_at for zone, leaves_at in balancer.dns.items() if zone in balancer.places}
        balancer.dns = routing.published(before, wanted, now, state.knobs.dns_removal_lag_s)


def names(state: State, now: float) -> dict[str, tuple[str, ...]]:
    """Give what every balancer's name, and its name in each zone, resolves to."""
    found: dict[str, tuple[str, ...]] = {}
    for balancer in state.load_balancers.values():
        if not balancer.active(now):
            continue
        name, places = balancer.dns_name.lower(), balancer.places
        found[name] = tuple(_address(places[zone]) for zone in places if zone in balancer.dns)
        found.update({f"{zone}.{name}": (_address(place),) for zone, place in places.items()})
    return found


def nodes(state: State, now: float, wall_seconds: Callable[[float], float]) -> tuple[Node, ...]:
    """Give every node with what its listeners may do."""
    network = state.compute.network()
    return tuple(
        _node(state, network, balancer, place, now, wall_seconds)
        for balancer in state.load_balancers.values()
        for place in balancer.places.values()
    )


def probes(
    state: State, wall_seconds: Callable[[float], float], wall_time_of: Callable[[float], float]
) -> tuple[Probe, ...]:
    """Give every health check: each node of a balancer checks each target that it knows or will know."""
    network = state.compute.network()
    return tuple(
        Probe(
            target_group_arn=group.arn,
            target_id=key[0],
            target_port=key[1],
            zone=place.zone,
            address=instance.loopback_address,
            port=(port := group.probed_port(key[1])),
            source_address=place.interface.loopback_address,
            interval_s=wall_seconds(group.interval_s),
            timeout_s=wall_seconds(group.timeout_s),
            starts_at=wall_time_of(starts_at),
            verdict=_verdict(network, instance, port, place.interface.private_address, balancer),
            load_balancer=balancer.dimension,
        )
        for group, balancer in _groups_in_use(state)
        for key, instance, starts_at in _probed(state, group)
        for place in balancer.places.values()
        if place.zone not in network.cut_off_zones
    )


def members_of(state: State, group: TargetGroup, balancer: LoadBalancer) -> routing.GroupMembers:
    """Give a target group as routing sees it."""
    setting = attributes.CROSS_ZONE
    return routing.GroupMembers(
        members=tuple(
            _member(key, registration, instance)
            for key, registration in group.targets.items()
            if (instance := instance_of(state, key)) is not None
        ),
        cross_zone=routing.crosses_zones(group.attributes[setting], balancer.attributes[setting]),
        routing_minimum=attributes.minimum(group.attributes, attributes.ROUTING_MINIMUM),
        dns_minimum=attributes.minimum(group.attributes, attributes.DNS_MINIMUM),
    )


def _member(key: TargetKey, registration: Registration, instance: InstanceView) -> routing.Member:
    said = registration.target.health
    routable = said.state in ROUTABLE or said == health.FIRST_CHECKS
    return routing.Member(key[0], key[1], instance.zone, said.state, routable)


def _node(
    state: State,
    network: reach.Network,
    balancer: LoadBalancer,
    place: Place,
    now: float,
    wall_seconds: Callable[[float], float],
) -> Node:
    heard = [
        listener
        for listener in listeners_of(state, balancer)
        if place.zone not in network.cut_off_zones
        and balancer.active(now)
        and _client_reaches(network, balancer, place, listener.port)
    ]
    ports = {listener.port for listener in heard}
    promised = reach.promised_ports(network, tuple(each.port for each in listeners_of(state, balancer)))
    return Node(
        load_balancer=balancer.dimension,
        zone=place.zone,
        address=_address(place),
        loopback_address=place.interface.loopback_address,
        listeners=tuple(_listener(state, network, balancer, place, listener, wall_seconds) for listener in heard),
        dropped_ports=tuple(port for port in promised if port not in ports),
    )


def _listener(
    state: State,
    network: reach.Network,
    balancer: LoadBalancer,
    place: Place,
    listener: Listener,
    wall_seconds: Callable[[float], float],
) -> NodeListener:
    group = state.target_groups[listener.target_group_arn]
    choice = routing.choose(members_of(state, group, balancer), place.zone, balancer.places)
    source = _flow_source(group, balancer, place)
    return NodeListener(
        port=listener.port,
        target_group_arn=group.arn,
        candidates=tuple(_candidate(state, network, balancer, member, source) for member in choice.members),
        fail_open=choice.fail_open,
        hash_key=balancer.hash_key,
        idle_timeout_s=wall_seconds(float(listener.attributes[attributes.IDLE_TIMEOUT])),
        cut_off=(*group.ended, *(() if choice.fail_open else _unhealthy(group))),
        sticky=group.attributes[attributes.STICKY] == "true",
    )


def _unhealthy(group: TargetGroup) -> tuple[TargetKey, ...]:
    """Name the targets whose connections end because they are unhealthy (aws-facts 1.7)."""
    keeps = group.attributes[attributes.UNHEALTHY_ENDS] == "false"
    if keeps and group.attributes[attributes.UNHEALTHY_DRAINING] == "0":
        return ()
    return tuple(key for key, one in group.targets.items() if one.target.health.state == "unhealthy")


def _candidate(
    state: State, network: reach.Network, balancer: LoadBalancer, member: routing.Member, source: str
) -> Candidate:
    instance = instance_of(state, (member.target_id, member.port))
    assert instance is not None  # members_of leaves out the others
    verdict = _verdict(network, instance, member.port, source, balancer)
    return Candidate(member.target_id, instance.loopback_address, member.port, verdict)


def _client_reaches(network: reach.Network, balancer: LoadBalancer, place: Place, port: int) -> bool:
    """Ask whether a client's packets get to the node at all: the route, then the balancer's own groups."""
    node = reach.Target(balancer.vpc_id, place.subnet_id, balancer.security_group_ids, place.interface.public_address)
    if balancer.scheme == "internet-facing" and not reach.internet_route(network, node).allowed:
        return False
    return not node.security_group_ids or reach.admitted(network, node, port, _client(balancer, place)).allowed


def _flow_source(group: TargetGroup, balancer: LoadBalancer, place: Place) -> str:
    """Give the address that the instance sees a flow come from."""
    preserved = group.attributes[attributes.PRESERVE_CLIENT_IP] == "true"
    return _client(balancer, place) if preserved else place.interface.private_address


def _client(balancer: LoadBalancer, place: Place) -> str:
    """Clients of an internal balancer sit in the VPC: the node's own address stands for theirs."""
    return INTERNET_CLIENT if balancer.scheme == "internet-facing" else place.interface.private_address


def _verdict(network: reach.Network, instance: InstanceView, port: int, source: str, balancer: LoadBalancer) -> Verdict:
    target = reach.Target(instance.vpc_id, instance.subnet_id, instance.security_group_ids, instance.public_address)
    passes = reach.from_inside(network, target, port, source, balancer.security_group_ids).allowed
    return "open" if instance.serving and passes else "dropped"


def _groups_in_use(state: State) -> Iterator[tuple[TargetGroup, LoadBalancer]]:
    for group in state.target_groups.values():
        if (balancer := balancer_of(state, group)) is not None:
            yield group, balancer


def _probed(state: State, group: TargetGroup) -> Iterator[tuple[TargetKey, InstanceView, float]]:
    """Give the targets that are or will be probed, and from when (lab time)."""
    for key, registration in group.targets.items():
        instance, target = instance_of(state, key), registration.target
        if instance is not None and target.probed_from is not None and target.leaves_at is None:
            yield key, instance, target.probed_from


def _address(place: Place) -> str:
    return place.interface.public_address or place.interface.loopback_address
