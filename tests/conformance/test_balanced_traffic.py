"""Which target a client meets, over real connections: zones, health, idle flows, endings (aws-facts 0, 1.3, 1.4, 1.7).

The servers answer one line and close; a connection lasts for as long as its line is not finished.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conformance.balancing_ground import (
    Ground,
    health,
    launched,
    prepared,
    register,
    resolved,
    states,
    until_active,
)
from tests.local.cloud_under_test import Cloud, ask, eventually

ZONES = ("us-east-1a", "us-east-1b")


@dataclass(frozen=True)
class Site:
    """Two servers, one in each zone, behind an active load balancer whose checks pass."""

    cloud: Cloud
    ground: Ground
    balancer: str
    name: str
    group: str
    listener: str
    servers: tuple[str, str]
    private: tuple[str, str]
    nodes: tuple[str, str]

    def answerers(self, node: str, count: int = 8) -> set[str]:
        """Say who answered so many connections to a node: private addresses, or what came instead."""
        return {ask(node).rpartition("(")[2].removesuffix(")") for _ in range(count)}

    def become(self, node: str, who: set[str]) -> None:
        """Wait until these, and no others, answer at a node."""
        eventually(lambda: self.answerers(node) == who, lambda: f"{who} at {node}, not {self.answerers(node)}")

    def set(self, **values: str) -> None:
        """Change attributes of the target group; two underscores stand for a dot."""
        asked = [{"Key": key.replace("__", "."), "Value": value} for key, value in values.items()]
        self.ground.elbv2.modify_target_group_attributes(TargetGroupArn=self.group, Attributes=asked)

    @contextlib.contextmanager
    def checked_at(self, port: str) -> Iterator[None]:
        """Send the health checks to another port while the block lasts."""
        self.ground.elbv2.modify_target_group(TargetGroupArn=self.group, HealthCheckPort=port)
        try:
            yield
        finally:
            self.ground.elbv2.modify_target_group(TargetGroupArn=self.group, HealthCheckPort="traffic-port")
            eventually(lambda: states(self.ground, self.group) == ["healthy", "healthy"])


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Site:
    ground = prepared(cloud)
    made, group = ground.balancer("traffic"), ground.target_group("traffic")
    listener = ground.listener(made["LoadBalancerArn"], group)
    one, two = launched(ground, *ground.subnets)
    register(ground, group, one["InstanceId"], two["InstanceId"])
    until_active(ground, made["LoadBalancerArn"])
    eventually(lambda: states(ground, group) == ["healthy", "healthy"])
    nodes = [it["Association"]["PublicIp"] for it in ground.interfaces(made["LoadBalancerArn"])]
    return Site(
        cloud, ground, made["LoadBalancerArn"], made["DNSName"], group, listener,
        (one["InstanceId"], two["InstanceId"]), (one["PrivateIpAddress"], two["PrivateIpAddress"]),
        (nodes[0], nodes[1]),
    )  # fmt: skip


@pytest.mark.fact("0/zone-decides", "1.3/own-zone", "1.3/cross-zone")
def test_the_zone_of_the_address_decides_until_zones_are_crossed(site: Site) -> None:
    one, two = site.private
    site.become(site.nodes[0], {one})
    site.become(site.nodes[1], {two})
    site.set(load_balancing__cross_zone__enabled="true")
    for node in site.nodes:
        eventually(lambda node=node: site.answerers(node, 16) == {one, two})
    site.set(load_balancing__cross_zone__enabled="use_load_balancer_configuration")
    site.become(site.nodes[0], {one})
    key = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    site.ground.elbv2.modify_load_balancer_attributes(LoadBalancerArn=site.balancer, Attributes=key)
    eventually(lambda: site.answerers(site.nodes[0], 16) == {one, two})
    site.set(load_balancing__cross_zone__enabled="false")
    site.become(site.nodes[0], {one})
    site.set(load_balancing__cross_zone__enabled="use_load_balancer_configuration")
    key = [{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}]
    site.ground.elbv2.modify_load_balancer_attributes(LoadBalancerArn=site.balancer, Attributes=key)


@pytest.mark.fact("0/fail-open", "1.4/all-unhealthy")
def test_with_every_target_unhealthy_every_zone_answers(site: Site) -> None:
    """Nobody serves on port 5009 and the security group does not admit it: the lab's own mistake with its 5001."""
    with site.checked_at("5009"):
        eventually(lambda: states(site.ground, site.group) == ["unhealthy", "unhealthy"])
        eventually(lambda: len(resolved(site.cloud, site.name)) == 2)
        for node, address in zip(site.nodes, site.private, strict=True):
            assert site.answerers(node) == {address}


@pytest.mark.fact("1.4/zone-leaves", "1.3/own-zone", "1.7/deregister-stops")
def test_a_zone_without_a_target_leaves_dns_and_its_node_answers_nobody(site: Site) -> None:
    targets = [{"Id": site.servers[1]}]
    site.ground.elbv2.deregister_targets(TargetGroupArn=site.group, Targets=targets)
    eventually(lambda: [address for address, _ in resolved(site.cloud, site.name)] == [site.nodes[0]])
    eventually(lambda: ask(site.nodes[1], timeout_s=0.5) == "timed out")
    assert site.answerers(site.nodes[0]) == {site.private[0]}
    assert resolved(site.cloud, f"{ZONES[1]}.{site.name}") == [(site.nodes[1], 60)], "the zone's own name stays"
    eventually(lambda: len(health(site.ground, site.group)) == 1)
    register(site.ground, site.group, site.servers[1])
    eventually(lambda: states(site.ground, site.group) == ["healthy", "healthy"])
    eventually(lambda: len(resolved(site.cloud, site.name)) == 2)


@contextlib.contextmanager
def half_a_line(node: str) -> Iterator[socket.socket]:
    """Connect to a node and send the first half of a question."""
    with socket.create_connection((node, 5000), 10) as wire:
        wire.sendall(b"20")
        yield wire


def is_reset(wire: socket.socket) -> bool:
    """Send one more character and say whether an RST is the answer; a server's word would be one too many."""
    wire.settimeout(0.2)
    try:
        wire.sendall(b"0")
        said = wire.recv(100)
    except TimeoutError:
        return False
    except (ConnectionResetError, BrokenPipeError):
        return True
    raise AssertionError(f"the server said {said!r} before the connection was ended")


@pytest.fixture
def back(site: Site) -> Iterator[None]:
    """Register the first server again afterwards, in a group with the default delay."""
    yield
    site.set(deregistration_delay__timeout_seconds="300", deregistration_delay__connection_termination__enabled="false")
    register(site.ground, site.group, site.servers[0])
    eventually(lambda: states(site.ground, site.group) == ["healthy", "healthy"])
    site.become(site.nodes[0], {site.private[0]})


@pytest.mark.usefixtures("back")
@pytest.mark.fact("1.7/deregister", "1.3/per-connection")
def test_a_connection_stays_on_its_target_through_the_draining_and_after(site: Site) -> None:
    site.set(deregistration_delay__timeout_seconds="60")
    with half_a_line(site.nodes[0]) as wire:
        site.ground.elbv2.deregister_targets(TargetGroupArn=site.group, Targets=[{"Id": site.servers[0]}])
        wire.sendall(b"0")
        eventually(lambda: states(site.ground, site.group) == ["healthy"])
        wire.sendall(b"4\n")
        assert site.private[0] in wire.makefile().readline(), "a flow that is not idle may go on after the delay"


@pytest.mark.usefixtures("back")
@pytest.mark.fact("1.7/deregister")
def test_a_connection_ends_with_the_delay_when_the_group_says_so(site: Site) -> None:
    site.set(deregistration_delay__timeout_seconds="60", deregistration_delay__connection_termination__enabled="true")
    with half_a_line(site.nodes[0]) as wire:
        site.ground.elbv2.deregister_targets(TargetGroupArn=site.group, Targets=[{"Id": site.servers[0]}])
        eventually(lambda: states(site.ground, site.group) == ["healthy"])
        eventually(lambda: is_reset(wire))


@pytest.mark.fact("1.3/idle", "1.1/idle-timeout", "1.3/no-flow")
def test_an_idle_connection_is_forgotten_and_its_next_packet_reset(site: Site) -> None:
    key, modify = "tcp.idle_timeout.seconds", site.ground.elbv2.modify_listener_attributes
    modify(ListenerArn=site.listener, Attributes=[{"Key": key, "Value": "60"}])

    def forgotten() -> bool:
        with half_a_line(site.nodes[0]) as wire:
            site.cloud.lab_seconds(240)
            return is_reset(wire)

    eventually(forgotten)  # what was changed takes a moment to arrive
    modify(ListenerArn=site.listener, Attributes=[{"Key": key, "Value": "350"}])


@pytest.mark.fact("1.3/no-listener")
def test_a_port_without_a_listener_is_silent(site: Site) -> None:
    assert [ask(node, 22, timeout_s=0.5) for node in site.nodes] == ["timed out", "timed out"]


@pytest.mark.fact("1.4/empty-group")
def test_an_empty_group_keeps_every_zone_in_dns(site: Site) -> None:
    made, group = site.ground.balancer("empty"), site.ground.target_group("empty")
    site.ground.listener(made["LoadBalancerArn"], group)
    until_active(site.ground, made["LoadBalancerArn"])
    eventually(lambda: len(resolved(site.cloud, made["DNSName"])) == 2)
    site.ground.elbv2.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


@pytest.mark.fact("1.7/deleted")
def test_deleting_the_balancer_cuts_and_takes_the_name(site: Site) -> None:
    """The last: it takes the balancer away."""
    with half_a_line(site.nodes[0]) as wire:
        site.ground.elbv2.delete_load_balancer(LoadBalancerArn=site.balancer)
        eventually(lambda: is_reset(wire))
    eventually(lambda: resolved(site.cloud, site.name) == [])
