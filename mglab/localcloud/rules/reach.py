"""May A open a connection to B's port, and if not, what stops it?

One rule for the public fronts, the balancer and the health probes. AWS decides in this order for a packet
from the internet: an attached gateway, a route back through it, a public address, then the security groups
of the target's interface. Inside a VPC only the security groups speak. Network ACLs keep their default
(everything allowed, aws-facts 3.5) and are left out.

A packet that may not pass is dropped, never refused: the client times out (aws-facts 1.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

ANYWHERE = "0.0.0.0/0"
SSH_PORT = 22
WIDEST_PROMISED_RANGE = 64
"""Our limit: a wider range of ports ("all traffic") admits, but promises no time-outs of its own."""


@dataclass(frozen=True)
class IngressRule:
    """One inbound permission: ``protocol`` is tcp, udp, icmp or -1 (all); exactly one source is set."""

    protocol: str
    from_port: int
    to_port: int
    cidr: str | None = None
    source_group_id: str | None = None


@dataclass(frozen=True)
class Route:
    """One route: ``gateway_id`` is ``local``, an igw- id, or None for a black hole."""

    destination: str
    gateway_id: str | None


@dataclass(frozen=True)
class Network:
    """Everything the rule reads, keyed by id."""

    ingress: dict[str, tuple[IngressRule, ...]] = field(default_factory=dict)
    """security group id -> rules"""
    routes: dict[str, tuple[Route, ...]] = field(default_factory=dict)
    """subnet id -> routes of the table it uses (its own, else the main one)"""
    attached_gateways: dict[str, str] = field(default_factory=dict)
    """vpc id -> igw id"""
    cut_off_zones: frozenset[str] = frozenset()
    """Zones in an outage: what stands there neither reaches anybody nor is reached."""


@dataclass(frozen=True)
class Target:
    """The interface that is connected to."""

    vpc_id: str
    subnet_id: str
    security_group_ids: tuple[str, ...]
    public_address: str | None = None


@dataclass(frozen=True)
class Verdict:
    """``allowed``, or in words what stops the connection."""

    allowed: bool
    why: str


def from_internet(network: Network, target: Target, port: int, source_address: str) -> Verdict:
    """Decide for a client outside the VPC that uses the target's public address."""
    routed = internet_route(network, target)
    return admitted(network, target, port, source_address) if routed.allowed else routed


def internet_route(network: Network, target: Target) -> Verdict:
    """Decide whether packets from outside reach the target's subnet and answers find their way back."""
    gateway = network.attached_gateways.get(target.vpc_id)
    if target.public_address is None:
        return Verdict(False, "it has no public address")
    if gateway is None:
        return Verdict(False, f"{target.vpc_id} has no internet gateway attached")
    if not any(r.destination == ANYWHERE and r.gateway_id == gateway for r in network.routes.get(target.subnet_id, ())):
        return Verdict(False, f"the route table of {target.subnet_id} has no route to {gateway}")
    return Verdict(True, f"routed through {gateway}")


def from_inside(
    network: Network, target: Target, port: int, source_address: str, source_group_ids: tuple[str, ...] = ()
) -> Verdict:
    """Decide for a sender inside the same VPC (a balancer's node, another instance)."""
    return admitted(network, target, port, source_address, source_group_ids)


def admitted(
    network: Network, target: Target, port: int, source_address: str, source_group_ids: tuple[str, ...] = ()
) -> Verdict:
    """Decide by the security groups of the target's interface alone."""
    for group_id in target.security_group_ids:
        for rule in network.ingress.get(group_id, ()):
            if _covers(rule, port) and _from(rule, source_address, source_group_ids):
                return Verdict(True, f"{group_id} admits TCP {port} from {rule.cidr or rule.source_group_id}")
    groups = ", ".join(target.security_group_ids) or "no security group"
    return Verdict(False, f"{groups}: no inbound rule admits TCP {port} from {source_address}")


def promised_ports(network: Network, listener_ports: tuple[int, ...]) -> tuple[int, ...]:
    """Name the ports whose packets are dropped rather than refused: 22, the listeners', every port a group names."""
    named = {SSH_PORT, *listener_ports}
    for rules in network.ingress.values():
        for rule in rules:
            if rule.protocol == "tcp" and rule.to_port - rule.from_port < WIDEST_PROMISED_RANGE:
                named.update(range(rule.from_port, rule.to_port + 1))
    return tuple(sorted(named))


def _covers(rule: IngressRule, port: int) -> bool:
    return rule.protocol == "-1" or (rule.protocol == "tcp" and rule.from_port <= port <= rule.to_port)


def _from(rule: IngressRule, address: str, group_ids: tuple[str, ...]) -> bool:
    if rule.source_group_id is not None:
        return rule.source_group_id in group_ids
    return rule.cidr is not None and ip_address(address) in ip_network(rule.cidr, strict=False)
