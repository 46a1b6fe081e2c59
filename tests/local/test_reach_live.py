"""Security groups, routes and listeners decide who gets through, and a client on this host really feels it.

One cloud with the sheet's network, two instances that serve and prove their life, and a balancer in front of them;
each test opens what it needs and leaves everything closed again. What is dropped times out, what is let through to a
port where nobody listens is refused (aws-facts 1.3).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from mglab.config import servers_folder
from mglab.session import Lab
from mglab.steps import balancing, images, instances, monitoring, network, security, userdata
from tests.local.cloud_under_test import Cloud, ask, eventually, lab_on, put_up_network, started
from tests.local.cloud_under_test import Network as Ground

RATE = 240.0
HANGS_S = 1.0
"""How long a client waits for its connect."""
NAMED_PORT = 8022
"""A port that another security group names: what names a port promises time-outs there (rules/reach)."""
START = '#!/bin/sh\ncd "$(dirname "$0")"\nnohup python3 HealthCheck.py >/dev/null 2>&1 &\n'


@dataclass(frozen=True)
class Site:
    """The cloud, the lab on it, its network, and two instances behind a balancer."""

    cloud: Cloud
    lab: Lab
    ground: Ground
    servers: tuple[instances.Instance, ...]
    target_group: balancing.TargetGroup
    dns_name: str

    @property
    def public_address(self) -> str:
        """Where a client on the internet finds the first instance."""
        return self.servers[0].public_address

    def states(self) -> set[str]:
        """Tell the states of the targets."""
        return {it.state for it in balancing.target_health(self.lab)}

    def nodes(self) -> list[str]:
        """Give the addresses behind the balancer's name."""
        return self.lab.resolve(self.dns_name)

    @contextmanager
    def admitting(self, *ports: int, source: str = security.ANYWHERE) -> Iterator[None]:
        """Let connections to these ports in while the block lasts."""
        for port in ports:
            security.allow(self.lab, self.ground.group, port, source=source)
        try:
            yield
        finally:
            for port in ports:
                security.revoke(self.lab, self.ground.group, port, source=source)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with started("reach", RATE) as cloud, lab_on(cloud, "reach") as lab:
        ground = put_up_network(lab)
        security.allow(lab, security.create_security_group(lab, ground.vpc, name="another"), NAMED_PORT)
        servers = instances.wait_running(lab, *(launched(lab, ground, subnet) for subnet in ground.subnets))
        yield Site(cloud, lab, ground, servers, *balancer_before(lab, ground, servers))


def launched(lab: Lab, ground: Ground, subnet: network.Subnet) -> instances.Instance:
    """Start a server whose user-data starts the health check beside it."""
    files = {
        f"{userdata.HOME}/HealthCheck.py": (servers_folder() / "HealthCheck.py").read_text("utf-8"),
        f"{userdata.HOME}/start.sh": START,
    }
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet.subnet_id,
        "Groups": [ground.group.group_id],
        "AssociatePublicIpAddress": True,
    }
    made = lab.ec2.run_instances(
        ImageId=images.project2_image(lab).image_id, InstanceType="t2.micro", MinCount=1, MaxCount=1,
        UserData=userdata.cloud_config(files, ["sh", f"{userdata.HOME}/start.sh"]), NetworkInterfaces=[interface],
    )  # fmt: skip
    return instances.read(made["Instances"][0])


def balancer_before(
    lab: Lab, ground: Ground, servers: tuple[instances.Instance, ...]
) -> tuple[balancing.TargetGroup, str]:
    target_group = balancing.create_target_group(lab, ground.vpc)
    balancer = balancing.create_load_balancer(lab, ground.subnets)
    balancing.create_listener(lab, balancer, target_group)
    targets = [{"Id": it.instance_id} for it in servers]
    lab.elbv2.register_targets(TargetGroupArn=target_group.arn, Targets=targets)
    balancing.wait_active(lab)
    return target_group, balancer.dns_name


def knock(address: str, port: int) -> str:
    """Connect and say in a word or two how that went."""
    try:
        socket.create_connection((address, port), HANGS_S).close()
    except TimeoutError:
        return "timed out"
    except ConnectionRefusedError:
        return "refused"
    return "connected"


def becomes(address: str, port: int, outcome: str) -> bool:
    """Knock until the outcome comes about; what was opened or closed takes a moment to arrive."""
    return eventually(lambda: knock(address, port) == outcome, lambda: f"{outcome}, not {knock(address, port)}")


# -- straight to an instance -----------------------------------------------------------------------------------


def test_a_group_without_the_service_port_drops_clients_and_with_it_lets_them_in(site: Site) -> None:
    assert knock(site.public_address, 5000) == "timed out"
    with site.admitting(5000):
        assert becomes(site.public_address, 5000, "connected")
        assert ask(site.public_address).endswith(f"({site.servers[0].private_address})")
    assert becomes(site.public_address, 5000, "timed out")


def test_a_client_whose_connect_waits_gets_in_when_the_port_is_opened(site: Site) -> None:
    """Its SYN is sent again until somebody answers: opening a port helps those who wait already."""
    assert becomes(site.public_address, 5000, "timed out")
    with socket.socket() as waiting:
        waiting.settimeout(30)
        waiting.setblocking(False)
        waiting.connect_ex((site.public_address, 5000))
        waiting.settimeout(30)
        with site.admitting(5000):
            eventually(lambda: is_connected(waiting))
            waiting.sendall(b"1985\n")
            assert b"In 1985" in waiting.recv(200)


def is_connected(wire: socket.socket) -> bool:
    try:
        wire.getpeername()
    except OSError:
        return False
    return True


def test_without_a_route_to_the_gateway_nobody_gets_in(site: Site) -> None:
    table = site.ground.table.table_id
    with site.admitting(5000):
        assert becomes(site.public_address, 5000, "connected")
        site.lab.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=network.INTERNET)
        try:
            assert becomes(site.public_address, 5000, "timed out")
            assert all(becomes(node, 5000, "timed out") for node in site.nodes())
        finally:
            site.lab.ec2.create_route(
                RouteTableId=table, DestinationCidrBlock=network.INTERNET, GatewayId=site.ground.gateway.gateway_id
            )
        assert becomes(site.public_address, 5000, "connected")


def test_an_admitted_port_where_nobody_listens_refuses(site: Site) -> None:
    assert knock(site.public_address, NAMED_PORT) == "timed out"
    with site.admitting(NAMED_PORT):
        assert becomes(site.public_address, NAMED_PORT, "refused")
    assert becomes(site.public_address, NAMED_PORT, "timed out")


def test_the_rule_for_port_22_decides_who_reaches_the_ssh_server(site: Site) -> None:
    """Also where this user may not have port 22, and another port stands for it (``lab.ssh_port``)."""
    assert knock(site.public_address, site.lab.ssh_port) == "timed out"
    with site.admitting(security.SSH_PORT):
        assert becomes(site.public_address, site.lab.ssh_port, "connected")
    assert becomes(site.public_address, site.lab.ssh_port, "timed out")


# -- through the balancer ----------------------------------------------------------------------------------------


@pytest.mark.fact("1.3/no-listener")
def test_a_port_without_a_listener_times_out(site: Site) -> None:
    with site.admitting(NAMED_PORT):
        assert [knock(node, NAMED_PORT) for node in site.nodes()] == ["timed out"] * 2


@pytest.mark.fact("1.3/client-ip-groups")
def test_the_health_port_need_be_open_to_the_vpc_alone(site: Site) -> None:
    with site.admitting(5000), site.admitting(5001, source=site.ground.vpc.cidr):
        eventually(lambda: site.states() == {"healthy"}, lambda: str(site.states()))
        assert knock(site.public_address, 5001) == "timed out", "the internet has no business there"
        assert all("(192.168." in ask(node) for node in site.nodes())


@pytest.mark.fact("0/fail-open", "1.4/all-unhealthy")
def test_with_the_health_port_closed_all_targets_are_unhealthy_and_the_service_answers(site: Site) -> None:
    """The sheet to the letter opens 22 and the service port alone: fail open is why it works (aws-facts 0.1)."""
    with site.admitting(security.SSH_PORT, 5000):
        eventually(lambda: site.states() == {"unhealthy"}, lambda: str(site.states()))
        began = site.lab.clock.now()
        assert len(site.nodes()) == 2, "all zones unhealthy: none leaves DNS"
        answers = {ask(node).rpartition("(")[2] for _ in range(8) for node in site.nodes()}
        assert answers == {f"{it.private_address})" for it in site.servers}
        eventually(lambda: fail_open_flows(site, began) >= 16)


def fail_open_flows(site: Site, since: object) -> float:
    """Read how many flows the balancer placed though no target was healthy."""
    name = monitoring.dimension_of(balancing.load_balancer(site.lab).arn)
    points = site.lab.cloudwatch.get_metric_statistics(
        Namespace=monitoring.NAMESPACE, MetricName="UnhealthyRoutingFlowCount", Period=60, Statistics=["Sum"],
        Dimensions=[{"Name": "LoadBalancer", "Value": name}], StartTime=since,
        EndTime=site.lab.clock.now() + timedelta(minutes=1),
    )["Datapoints"]  # fmt: skip
    return sum(point["Sum"] for point in points)


@pytest.mark.fact("1.3/target-silent", "1.3/client-ip-groups")
def test_with_the_service_port_closed_healthy_targets_answer_nobody(site: Site) -> None:
    with site.admitting(5001):
        eventually(lambda: site.states() == {"healthy"}, lambda: str(site.states()))
        assert all(becomes(node, 5000, "timed out") for node in site.nodes())
