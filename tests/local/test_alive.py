"""It is alive: what happens to the cloud's processes is what its clients and its API see, and the other way round.

One cloud with the whole lab on it; each test disturbs something and leaves two healthy targets behind.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest

from mglab.session import Lab
from mglab.steps import balancing, images, monitoring, network, scaling, security, templates
from mglab.study.client import ask, responder_of
from tests.local.cloud_under_test import Cloud, eventually, lab_on, put_up_service, started, stopped

RATE = 240.0
PATIENCE_S = 90.0
HANGS_S = 1.5
"""How long a client of a stopped relay waits before it gives up."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with started("alive", RATE) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def service(cloud: Cloud) -> Iterator[Lab]:
    with lab_on(cloud, "alive") as lab:
        put_up_service(lab)
        yield lab


@pytest.fixture
def lab(service: Lab) -> Lab:
    """The whole lab, with two healthy targets that answer, one in each zone."""
    heal(service)
    return service


def heal(lab: Lab, count: int = 2) -> None:
    """Wait until the group is whole: so many in service, as many targets, all of them healthy."""
    eventually(lambda: is_whole(lab, count), lambda: picture(lab), PATIENCE_S)


def is_whole(lab: Lab, count: int) -> bool:
    members, targets = scaling.instances(lab), balancing.target_health(lab)
    return (
        [it.lifecycle for it in members] == ["InService"] * count
        and {it.instance_id for it in targets if it.state == "healthy"} == {it.instance_id for it in members}
        and {it.private_address for it in members} >= answering(lab, 1) != set()
    )


def picture(lab: Lab) -> str:
    """Say how the group and the balancer see the instances."""
    members = [(it.instance_id, it.zone, it.lifecycle, it.state) for it in scaling.instances(lab)]
    return f"{members}; {state_of_targets(lab)}"


def state_of_targets(lab: Lab) -> dict[str, str]:
    return {it.instance_id: it.state for it in balancing.target_health(lab)}


def through_the_balancer(lab: Lab, times: int) -> list[str]:
    """Ask so often by the balancer's name, each of its addresses in turn; give the replies."""
    name = balancing.load_balancer(lab).dns_name
    nodes = lab.resolve(name)
    assert nodes, f"{name} does not resolve"
    return [ask(lab, nodes[turn % len(nodes)]).reply for turn in range(times)]


def answering(lab: Lab, times: int = 4) -> set[str]:
    """Tell who answers through the balancer, by private address."""
    return {who for reply in through_the_balancer(lab, times) if (who := responder_of(reply))}


# -- the relay and the API are two things ----------------------------------------------------------------------


def test_a_stopped_relay_hangs_its_clients_and_not_the_api(cloud: Cloud, lab: Lab) -> None:
    node = lab.resolve(balancing.load_balancer(lab).dns_name)[0]
    assert ask(lab, node).answered
    with stopped(cloud.data_plane):
        assert ask(lab, node, timeout_s=HANGS_S).failure == "timed out"
        assert len(network.subnets(lab)) == len(balancing.target_health(lab)) == 2
    eventually(lambda: ask(lab, node).answered)


def test_a_stopped_api_stops_no_flow(cloud: Cloud, lab: Lab) -> None:
    name = balancing.load_balancer(lab).dns_name
    with stopped(cloud.supervisor):
        assert all(ask(lab, name).answered for _ in range(10))
    assert len(balancing.target_health(lab)) == 2


# -- who is ill, for whom ------------------------------------------------------------------------------------


def test_without_its_health_check_a_target_is_unhealthy_and_ec2_content(cloud: Cloud, lab: Lab) -> None:
    ill, well = scaling.instances(lab)
    os.kill(cloud.process_in(ill.instance_id, "HealthCheck.py"), signal.SIGKILL)
    eventually(lambda: state_of_targets(lab) == {ill.instance_id: "unhealthy", well.instance_id: "healthy"})
    assert status_of(lab, ill.instance_id) == ("running", "ok", "ok")

    cloud.lab_seconds(180)  # three times what a group takes to notice a member that EC2 calls not running
    assert [(it.instance_id, it.lifecycle, it.health) for it in scaling.instances(lab)] == [
        (it.instance_id, "InService", "Healthy") for it in (ill, well)
    ]
    assert answering(lab) == {well.private_address}
    assert ask(lab, ill.public_address).answered, "the server itself was never ill"

    lab.ec2.reboot_instances(InstanceIds=[ill.instance_id])
    eventually(lambda: set(state_of_targets(lab).values()) == {"healthy"}, bound_s=PATIENCE_S)
    assert {it.instance_id for it in scaling.instances(lab)} == {ill.instance_id, well.instance_id}


def status_of(lab: Lab, instance_id: str) -> tuple[str, str, str]:
    (found,) = lab.ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
    return found["InstanceState"]["Name"], found["InstanceStatus"]["Status"], found["SystemStatus"]["Status"]


# -- what dies is replaced -------------------------------------------------------------------------------------


def replaced(lab: Lab, *instance_ids: str, count: int = 2) -> list[scaling.Member]:
    """Terminate members through EC2 and wait until the group is whole again; give the new ones."""
    before = {it.instance_id for it in scaling.instances(lab)}
    lab.ec2.terminate_instances(InstanceIds=list(instance_ids))
    eventually(lambda: not {it.instance_id for it in scaling.instances(lab)} & set(instance_ids), bound_s=PATIENCE_S)
    heal(lab, count)
    return [it for it in scaling.instances(lab) if it.instance_id not in before]


def test_a_terminated_instance_is_replaced_in_the_zone_that_lacks_it(lab: Lab) -> None:
    lost, kept = scaling.instances(lab)
    (new,) = replaced(lab, lost.instance_id)
    assert (new.zone, new.name, new.health) == (lost.zone, lab.config.group_instance_name, "Healthy")
    eventually(lambda: answering(lab) == {kept.private_address, new.private_address})
    words = [it.description for it in scaling.activities(lab)]
    assert any(lost.instance_id in it for it in words) and any(new.instance_id in it for it in words)


def test_a_terminated_instance_is_replaced_in_the_other_zone_if_balance_asks(lab: Lab) -> None:
    """Three instances in one zone, held there; one of them dies, and its place is taken in the other zone."""
    crowded, empty = network.subnets(lab)
    name = lab.config.group_name
    lab.autoscaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["AZRebalance"])
    lab.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=name, VPCZoneIdentifier=crowded.subnet_id, DesiredCapacity=3
    )
    eventually(lambda: len(scaling.instances(lab)) == 3, bound_s=PATIENCE_S)
    replaced(lab, *(it.instance_id for it in scaling.instances(lab) if it.zone == empty.zone), count=3)
    assert [it.zone for it in scaling.instances(lab)] == [crowded.zone] * 3

    both = f"{crowded.subnet_id},{empty.subnet_id}"
    lab.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, VPCZoneIdentifier=both)
    (new,) = replaced(lab, scaling.instances(lab)[0].instance_id, count=3)
    assert new.zone == empty.zone
    eventually(lambda: new.private_address in answering(lab))

    lab.autoscaling.resume_processes(AutoScalingGroupName=name, ScalingProcesses=["AZRebalance"])
    scaling.set_limits(lab, desired=2)
    heal(lab)
    assert {it.zone for it in scaling.instances(lab)} == {crowded.zone, empty.zone}


def test_a_change_in_an_image_arrives_through_the_balancer(cloud: Cloud, lab: Lab) -> None:
    first, second = scaling.instances(lab)
    server = cloud.tree(first.instance_id) / "home/ec2-user/MusicGuruServer.py"
    server.write_text(server.read_text("utf-8").replace("song was", "tune was"), "utf-8")
    assert all("song was" in it for it in through_the_balancer(lab, 4)), "what runs has read the old text"

    made = lab.ec2.create_image(InstanceId=first.instance_id, Name="tunes")["ImageId"]
    changed = images.wait_image(lab, images.Image("tunes", made, "pending", "", lab.account, ""))
    template = templates.create_launch_template(lab, changed, security.security_group(lab))
    assert template.version == 2

    new = replaced(lab, first.instance_id, second.instance_id)
    assert [it.template_version for it in new] == ["2", "2"]
    replies = through_the_balancer(lab, 8)
    assert all("tune was" in it for it in replies), replies
    assert {responder_of(it) for it in replies} == {it.private_address for it in new}


# -- what flowed is counted ------------------------------------------------------------------------------------


def test_flows_are_counted_as_clients_made_them(lab: Lab) -> None:
    """New flows are counted once each, in the zone whose node they came to; open ones for as long as they are."""
    balancer = balancing.load_balancer(lab)
    zones = [it.zone for it in network.subnets(lab)]
    nodes = {zone: lab.resolve(f"{zone}.{balancer.dns_name}")[0] for zone in zones}
    began = lab.clock.now() + timedelta(minutes=10)  # what was asked until now is in earlier minutes by then
    eventually(lambda: lab.clock.now() > began)
    with ExitStack() as held:
        for zone, count in zip(zones, (3, 4), strict=True):
            for _ in range(count):
                held.enter_context(socket.create_connection((nodes[zone], lab.config.service_port), 5))
        eventually(lambda: flows(lab, "ActiveFlowCount", "Maximum", began) >= 7)
    for zone, count in zip(zones, (11, 6), strict=True):
        assert all(ask(lab, nodes[zone]).answered for _ in range(count))

    def new_flows(zone: str = "") -> float:
        return flows(lab, "NewFlowCount", "Sum", began, zone)

    eventually(lambda: new_flows() >= 24, lambda: f"24 new flows, not {new_flows()}")
    assert (new_flows(), new_flows(zones[0]), new_flows(zones[1])) == (24, 14, 10)
    assert flows(lab, "ActiveFlowCount", "Maximum", began, zones[0]) == 3
    assert flows(lab, "ActiveFlowCount", "Maximum", began, zones[1]) == 4


def flows(lab: Lab, metric: str, statistic: str, since: datetime, zone: str = "") -> float:
    """Read a balancer's metric from a moment on, in all or in a zone: the sum or the greatest of its minutes."""
    dimensions = {"LoadBalancer": monitoring.dimension_of(balancing.load_balancer(lab).arn)}
    if zone:
        dimensions["AvailabilityZone"] = zone
    points = lab.cloudwatch.get_metric_statistics(
        Namespace=monitoring.NAMESPACE, MetricName=metric, Period=60, Statistics=[statistic], StartTime=since,
        EndTime=lab.clock.now() + timedelta(minutes=1),
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
    )["Datapoints"]  # fmt: skip
    values = [float(point[statistic]) for point in points]
    return sum(values) if statistic == "Sum" else max(values, default=0.0)
