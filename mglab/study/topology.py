"""What stands where: the lab's network, balancer, group and instances, read back from the account alone.

Nothing is taken from what the notebooks meant to make: every part is described by its service now, and a part that is
not there (yet, or any more) is left out. The balancer's nodes are the network interfaces that AWS made for it, one in
each zone (aws-facts 1.1). ``topology_plot`` draws it; ``in_words`` says it, for whoever cannot see the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mglab.errors import CheckFailed
from mglab.session import Lab
from mglab.steps import balancing, network, scaling
from mglab.steps.ensure import having

Part = TypeVar("Part")


@dataclass(frozen=True)
class Node:
    """The balancer's presence in one zone."""

    zone: str
    public_address: str
    private_address: str


@dataclass(frozen=True)
class Machine:
    """An instance of the group, or a target: what EC2, the group and the balancer say of it."""

    name: str
    instance_id: str
    zone: str
    private_address: str
    public_address: str
    state: str
    lifecycle: str
    health: str
    """Empty when it is not registered with the target group."""


@dataclass(frozen=True)
class Topology:
    """Everything that is there; None and empty for what is not."""

    vpc: network.Vpc | None = None
    subnets: tuple[network.Subnet, ...] = ()
    gateway: network.Gateway | None = None
    table: network.RouteTable | None = None
    routes: tuple[network.Route, ...] = ()
    associated: tuple[str, ...] = ()
    """Names of the subnets that are explicitly the route table's."""
    load_balancer: balancing.LoadBalancer | None = None
    listener: balancing.Listener | None = None
    target_group: balancing.TargetGroup | None = None
    nodes: tuple[Node, ...] = ()
    group: scaling.Group | None = None
    machines: tuple[Machine, ...] = ()

    def machines_in(self, zone: str) -> tuple[Machine, ...]:
        """Give the instances of one zone."""
        return tuple(it for it in self.machines if it.zone == zone)

    def node_in(self, zone: str) -> Node | None:
        """Give the balancer's node of one zone."""
        return next((it for it in self.nodes if it.zone == zone), None)


NETWORK_CALL = "ec2:DescribeVpcs, DescribeSubnets, DescribeInternetGateways, DescribeRouteTables"
CALL = f"{NETWORK_CALL}, DescribeInstances, elasticloadbalancing:Describe*, autoscaling:DescribeAutoScalingGroups"


def read(lab: Lab) -> Topology:
    """Read everything that is there from the account (step 84)."""
    load_balancer = _if_there(lambda: balancing.load_balancer(lab))
    return replace(
        read_network(lab),
        load_balancer=load_balancer,
        listener=_if_there(lambda: balancing.listener(lab)) if load_balancer else None,
        target_group=_if_there(lambda: balancing.target_group(lab)),
        nodes=tuple(_nodes(lab, load_balancer)) if load_balancer else (),
        group=_if_there(lambda: scaling.group(lab)),
        machines=tuple(_machines(lab)),
    )


def read_network(lab: Lab) -> Topology:
    """Read the network alone: the VPC, its subnets, and the way to the internet (step 18)."""
    vpc = _if_there(lambda: network.vpc(lab))
    table = _if_there(lambda: network.main_route_table(lab, vpc)) if vpc else None
    return Topology(
        vpc=vpc,
        subnets=tuple(_if_there(lambda: network.subnets(lab)) or ()),
        gateway=_if_there(lambda: network.internet_gateway(lab)),
        table=table,
        routes=tuple(network.routes(lab, table)) if table else (),
        associated=tuple(it.name for it in network.associations(lab, table)) if table else (),
    )


def _if_there(look: Callable[[], Part]) -> Part | None:
    try:
        return look()
    except CheckFailed:  # what an earlier step should have left is not there: that is a state too
        return None


def _nodes(lab: Lab, load_balancer: balancing.LoadBalancer) -> list[Node]:
    """Read the nodes from their network interfaces, whose description names the balancer."""
    described = having("description", f"ELB {load_balancer.arn.split(':loadbalancer/')[-1]}")
    cards = lab.ec2.describe_network_interfaces(Filters=described)["NetworkInterfaces"]
    found = [
        Node(it["AvailabilityZone"], (it.get("Association") or {}).get("PublicIp", ""), it["PrivateIpAddress"])
        for it in cards
    ]
    return sorted(found, key=lambda it: it.zone)


def _machines(lab: Lab) -> list[Machine]:
    """Join what the group and the target group say of each instance, by its id."""
    members = {it.instance_id: it for it in scaling.instances(lab)}
    targets = {it.instance_id: it for it in _if_there(lambda: balancing.target_health(lab)) or ()}
    found = [_machine(members.get(one), targets.get(one)) for one in {**members, **targets}]
    return sorted(found, key=lambda it: (it.zone, it.instance_id))


def _machine(member: scaling.Member | None, target: balancing.TargetHealth | None) -> Machine:
    known = member or target
    assert known is not None
    return Machine(
        name=known.name,
        instance_id=known.instance_id,
        zone=known.zone,
        private_address=known.private_address,
        public_address=known.public_address,
        state=member.state if member else "",
        lifecycle=member.lifecycle if member else "",
        health=target.state if target else "",
    )


# -- in words ----------------------------------------------------------------------------------------------


def in_words(there: Topology) -> str:
    """Say everything that the picture shows, part by part."""
    if there.vpc is None:
        return "There is no VPC."
    parts = [_vpc_in_words(there), *(_zone_in_words(there, subnet) for subnet in there.subnets)]
    parts[1:1] = [*_balancing_in_words(there), *_group_in_words(there)]
    return " ".join(parts)


def _vpc_in_words(there: Topology) -> str:
    vpc, gateway = there.vpc, there.gateway
    assert vpc is not None
    said = [f"VPC {vpc.name} ({vpc.vpc_id}) with {vpc.cidr}."]
    if gateway:
        joined = "joins it to the internet" if gateway.vpc_id == vpc.vpc_id else "is detached from it"
        said.append(f"Internet gateway {gateway.name} ({gateway.gateway_id}) {joined}.")
    if there.table:
        routes = ", ".join(f"{it.destination} to {it.target}" for it in there.routes)
        follow = f"; explicitly associated: {', '.join(there.associated)}" if there.associated else ""
        said.append(f"Route table {there.table.table_id}: {routes}{follow}.")
    return " ".join(said)


def _balancing_in_words(there: Topology) -> list[str]:
    said = []
    if balancer := there.load_balancer:
        said.append(f"Network load balancer {balancer.name}, {balancer.state}, {balancer.dns_name}.")
    if there.listener or there.target_group:
        said.append(f"{forwarding(there)}.")
    return said


def forwarding(there: Topology) -> str:
    """Say which port is forwarded to which target group, and how that is checked."""
    group = there.target_group
    to = f"target group {group.name} ({group.protocol_port}, health check {group.health_check})" if group else ""
    if there.listener is None:
        return f"{to[:1].upper()}{to[1:]}, used by no listener"
    return f"Listener {there.listener.protocol_port} forwards to {to or 'no target group'}"


def _group_in_words(there: Topology) -> list[str]:
    return [f"Auto Scaling group {there.group.name}: {sizes(there.group)}."] if there.group else []


def sizes(group: scaling.Group) -> str:
    """Say a group's sizes."""
    return f"minimum {group.minimum}, desired {group.desired}, maximum {group.maximum}"


def _zone_in_words(there: Topology, subnet: network.Subnet) -> str:
    said = [f"Zone {subnet.zone}: subnet {subnet.name} ({subnet.subnet_id}), {subnet.cidr}"]
    if node := there.node_in(subnet.zone):
        said.append(f"load balancer node {node.public_address or 'without public address'}")
    machines = there.machines_in(subnet.zone)
    said += [_machine_in_words(it) for it in machines]
    return "; ".join(said) + ("." if machines or not there.group else "; no instance.")


def _machine_in_words(machine: Machine) -> str:
    addresses = f"{machine.private_address or 'no private address'}, {machine.public_address or 'no public address'}"
    return f"instance {machine.name} ({machine.instance_id}) at {addresses}, {', '.join(verdicts(machine))}"


def verdicts(machine: Machine) -> Sequence[str]:
    """Say what EC2, the group and the balancer call an instance."""
    said = (("EC2", machine.state), ("group", machine.lifecycle), ("target", machine.health or "not registered"))
    return [f"{who} {word}" for who, word in said if word]
