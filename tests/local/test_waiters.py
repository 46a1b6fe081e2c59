"""Every waiter that botocore has for the lab's resources runs against the local cloud and does what it is for.

A waiter that is satisfied by the first answer proves nothing, so each is shown to have seen a state that is not
final first. All run at once on one cloud while a small lab is put up and taken away; ``COURSE`` says what each was
after and what it must have seen. VPCs and subnets are pending for two lab seconds only: they get a slower cloud.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import jmespath
import pytest
from botocore.exceptions import WaiterError

from tests.local.cloud_under_test import Cloud, eventually, started

RATE, SLOW_RATE = 15.0, 2.0
DELAY_S = 0.1
MOST_LOOKS = 900

COURSE = {
    "ec2": {
        "image_available": ("pending", "available"),
        "image_exists": ("False", "True"),
        "instance_exists": ("False", "True"),
        "instance_running": ("pending", "running"),
        "instance_status_ok": ("initializing", "ok"),
        "instance_stopped": ("stopping", "stopped"),
        "instance_terminated": ("shutting-down", "terminated"),
        "internet_gateway_exists": ("False", "True"),
        "key_pair_exists": ("InvalidKeyPair.NotFound", "True"),
        "network_interface_available": ("in-use", "available"),
        "security_group_exists": ("InvalidGroup.NotFound", "True"),
        "snapshot_completed": ("pending", "completed"),
        "subnet_available": ("pending", "available"),
        "system_status_ok": ("initializing", "ok"),
        "volume_deleted": ("in-use", "InvalidVolume.NotFound"),
        "volume_in_use": ("", "in-use"),
        "vpc_available": ("pending", "available"),
    },
    "elbv2": {
        "load_balancer_available": ("provisioning", "active"),
        "load_balancer_exists": ("LoadBalancerNotFound", "200"),
        "load_balancers_deleted": ("active", "LoadBalancerNotFound"),
        "target_deregistered": ("draining", "unused"),
        "target_in_service": ("initial", "healthy"),
    },
    "cloudwatch": {"alarm_exists": ("False", "True")},
}
"""Waiter -> (a state on the way, the state that satisfies it); a refusal is named by its code."""

ELSEWHERE = {
    "vpc_exists": "any answer satisfies it: it can only be shown to go on where there is no such VPC",
    "volume_available": "the lab's volumes are root volumes, which go with their instances",
    "image_usage_report_available": "not of the lab",
    "security_group_vpc_association_associated": "not of the lab",
    "security_group_vpc_association_disassociated": "not of the lab",
    "snapshot_imported": "not of the lab",
    "vpc_peering_connection_deleted": "not of the lab",
    "vpc_peering_connection_exists": "not of the lab",
    "alarm_mute_rule_exists": "not of the lab",
}
"""Waiters whose names begin like those of the lab's resources, and why they are not in the table."""

RESOURCES = {
    "ec2": (
        *("instance_", "system_status_", "image_", "snapshot_", "volume_", "vpc_", "subnet_", "internet_gateway_"),
        *("security_group_", "key_pair_", "network_interface_", "launch_template_", "route_"),
    ),
    "elbv2": ("",),
    "autoscaling": ("",),
    "cloudwatch": ("alarm_",),
}
"""Service -> how the names of waiters for the lab's resources begin."""


# -- a waiter that is watched ------------------------------------------------------------------------------------


class Watched(threading.Thread):
    """A waiter at work in a thread of its own; keeps what it saw and what it made of it."""

    def __init__(self, client: Any, name: str, request: dict[str, Any]) -> None:
        super().__init__(name=name, daemon=True)
        self.seen: list[str] = []
        self.verdicts: list[str] = []
        self.error: Exception | None = None
        self._waiter, self._request = client.get_waiter(name), request
        client.meta.events.register("after-call", self._saw)
        self.start()

    def run(self) -> None:
        try:
            self._waiter.wait(**self._request, WaiterConfig={"Delay": DELAY_S, "MaxAttempts": MOST_LOOKS})
        except WaiterError as error:
            self.error = error

    def begun(self) -> Watched:
        """Wait until it has looked once."""
        eventually(lambda: self.verdicts)
        return self

    def done(self) -> Watched:
        """Wait until it is satisfied."""
        self.join(MOST_LOOKS * DELAY_S)
        assert not self.is_alive() and self.error is None, f"{self.name}: {self.error}; it saw {self.seen}"
        return self

    def _saw(self, parsed: dict[str, Any], **_: Any) -> None:
        acceptors = self._waiter.config.acceptors
        seen = what_is_in(parsed, [it.argument for it in acceptors if it.argument])
        if self.seen[-1:] != [seen]:
            self.seen.append(seen)
        self.verdicts.append(next((it.state for it in acceptors if it.matcher_func(parsed)), "retry"))


def what_is_in(parsed: dict[str, Any], paths: list[str]) -> str:
    """Say what a waiter looks at in an answer: states, a truth, a refusal's code, or just the status."""
    if "Error" in parsed:
        return str(parsed["Error"]["Code"])
    if not paths:
        return str(parsed["ResponseMetadata"]["HTTPStatusCode"])
    found = jmespath.search(paths[0], parsed)
    return " ".join(sorted(set(found))) if isinstance(found, list) else str(found)


Watch = Callable[..., Watched]


def watch_on(cloud: Cloud, watched: dict[str, Watched]) -> Watch:
    """Give a function that starts a waiter with a client of its own and remembers it."""

    def watch(service: str, name: str, **request: Any) -> Watched:
        watched[name] = Watched(cloud.client(service), name, request)
        return watched[name]

    return watch


# -- the small lab that they wait for -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ground:
    """What the default VPC and the account have to offer."""

    vpc_id: str
    subnet_ids: list[str]
    image_id: str


@pytest.fixture(scope="module")
def watched() -> Iterator[dict[str, Watched]]:
    found: dict[str, Watched] = {}
    with started("waiters", RATE) as cloud:
        run_course(cloud, watch_on(cloud, found))
        with started("slowly", SLOW_RATE) as slow:
            make_networks(slow, watch_on(slow, found))
        yield found


def run_course(cloud: Cloud, watch: Watch) -> None:
    """Put up a small lab and take it away again, each waiter beginning before what it waits for."""
    ec2, elbv2 = cloud.client("ec2"), cloud.client("elbv2")
    wait_for_names(watch)
    group_id = make_names(cloud)
    ground = ground_of(ec2)
    first, second = launch(ec2, ground, group_id), launch(ec2, ground, group_id)
    wait_for_instances(watch, first)
    balancer, target_group = make_balancer(elbv2, ground)
    watch_on(cloud, {})("ec2", "instance_running", InstanceIds=[first, second]).done()

    wait_for_image(ec2, watch, first)
    ec2.stop_instances(InstanceIds=[second])
    watch("ec2", "instance_stopped", InstanceIds=[second])
    elbv2.register_targets(TargetGroupArn=target_group, Targets=[{"Id": first}])
    watch("elbv2", "target_in_service", TargetGroupArn=target_group).done()

    elbv2.deregister_targets(TargetGroupArn=target_group, Targets=[{"Id": first}])
    watch("elbv2", "target_deregistered", TargetGroupArn=target_group, Targets=[{"Id": first}]).done()
    watch("elbv2", "load_balancers_deleted", LoadBalancerArns=[balancer]).begun()
    elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    wait_for_the_end(ec2, watch, first)


def wait_for_names(watch: Watch) -> None:
    """Begin to wait for what has a name before it exists."""
    tagged = [{"Name": "tag:Name", "Values": ["awaited"]}]
    for waiter in (
        watch("ec2", "key_pair_exists", KeyNames=["awaited"]),
        watch("ec2", "security_group_exists", GroupNames=["awaited"]),
        watch("ec2", "internet_gateway_exists", Filters=tagged),
        watch("ec2", "image_exists", Filters=[{"Name": "name", "Values": ["awaited"]}]),
        watch("ec2", "instance_exists", Filters=tagged),
        watch("ec2", "volume_in_use", Filters=tagged),
        watch("elbv2", "load_balancer_exists", Names=["awaited"]),
        watch("elbv2", "load_balancer_available", Names=["awaited"]),
        watch("cloudwatch", "alarm_exists", AlarmNames=["awaited"]),
    ):
        waiter.begun()


def named(*kinds: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": "awaited"}]} for kind in kinds]


def make_names(cloud: Cloud) -> str:
    """Make a key pair, a gateway, an alarm and a security group that admits the service; give the group."""
    ec2 = cloud.client("ec2")
    ec2.create_key_pair(KeyName="awaited")
    ec2.create_internet_gateway(TagSpecifications=named("internet-gateway"))
    group_id: str = ec2.create_security_group(GroupName="awaited", Description="of the test")["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group_id, IpProtocol="tcp", FromPort=5000, ToPort=5000, CidrIp="0.0.0.0/0"
    )
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName="awaited", Namespace="AWS/EC2", MetricName="CPUUtilization", Statistic="Average", Period=60,
        EvaluationPeriods=3, Threshold=50.0, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    return group_id


def ground_of(ec2: Any) -> Ground:
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    chosen = sorted(subnets, key=lambda it: str(it["AvailabilityZone"]))[:2]
    image_id = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    return Ground(chosen[0]["VpcId"], [it["SubnetId"] for it in chosen], image_id)


def launch(ec2: Any, ground: Ground, group_id: str) -> str:
    """Start an instance of the Project 2 image whose interface outlives it."""
    interface = {
        "DeviceIndex": 0,
        "SubnetId": ground.subnet_ids[0],
        "Groups": [group_id],
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": False,
    }
    made = ec2.run_instances(
        ImageId=ground.image_id, InstanceType="t2.micro", MinCount=1, MaxCount=1, NetworkInterfaces=[interface],
        TagSpecifications=named("instance", "volume"),
    )  # fmt: skip
    return str(made["Instances"][0]["InstanceId"])


def wait_for_instances(watch: Watch, instance_id: str) -> None:
    for name in ("instance_running", "instance_status_ok", "system_status_ok"):
        watch("ec2", name, InstanceIds=[instance_id])


def wait_for_image(ec2: Any, watch: Watch, instance_id: str) -> None:
    image_id = ec2.create_image(InstanceId=instance_id, Name="awaited", NoReboot=True)["ImageId"]
    (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    watch("ec2", "image_available", ImageIds=[image_id])
    watch("ec2", "snapshot_completed", SnapshotIds=[image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]])


def make_balancer(elbv2: Any, ground: Ground) -> tuple[str, str]:
    """Make a balancer that forwards the service port; give its ARN and the target group's."""
    balancer: str = elbv2.create_load_balancer(Name="awaited", Type="network", Subnets=ground.subnet_ids)[
        "LoadBalancers"
    ][0]["LoadBalancerArn"]
    target_group: str = elbv2.create_target_group(Name="awaited", Protocol="TCP", Port=5000, VpcId=ground.vpc_id)[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    elbv2.modify_target_group_attributes(
        TargetGroupArn=target_group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    )
    forward = {"Type": "forward", "TargetGroupArn": target_group}
    elbv2.create_listener(LoadBalancerArn=balancer, Protocol="TCP", Port=5000, DefaultActions=[forward])
    return balancer, target_group


def wait_for_the_end(ec2: Any, watch: Watch, instance_id: str) -> None:
    """Terminate an instance; its interface stays, its volume goes."""
    (instance,) = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"]
    interfaces = [it["NetworkInterfaceId"] for it in instance["NetworkInterfaces"]]
    volumes = [it["Ebs"]["VolumeId"] for it in instance["BlockDeviceMappings"]]
    watch("ec2", "network_interface_available", NetworkInterfaceIds=interfaces).begun()
    watch("ec2", "volume_deleted", VolumeIds=volumes).begun()
    ec2.terminate_instances(InstanceIds=[instance_id])
    watch("ec2", "instance_terminated", InstanceIds=[instance_id])


def make_networks(cloud: Cloud, watch: Watch) -> None:
    ec2 = cloud.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="192.168.0.0/23")["Vpc"]["VpcId"]
    watch("ec2", "vpc_available", VpcIds=[vpc_id]).begun()
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="192.168.0.0/24")["Subnet"]["SubnetId"]
    watch("ec2", "subnet_available", SubnetIds=[subnet_id]).done()
    watch("ec2", "vpc_exists", VpcIds=[vpc_id]).done()
    absent = ec2.get_waiter("vpc_exists")
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        absent.wait(VpcIds=["vpc-0123456789abcdef0"], WaiterConfig={"Delay": DELAY_S, "MaxAttempts": 2})


# -- what they saw -----------------------------------------------------------------------------------------------


@pytest.mark.fact("4.5/waiters")
@pytest.mark.parametrize(("service", "name"), [(service, name) for service, them in COURSE.items() for name in them])
@pytest.mark.fact("1.1/waiter")
def test_it_sees_a_state_on_the_way_and_then_the_last(watched: dict[str, Watched], service: str, name: str) -> None:
    waiter = watched[name].done()
    on_the_way, last = COURSE[service][name]
    assert on_the_way in waiter.seen[:-1] and waiter.seen[-1] == last, waiter.seen
    assert set(waiter.verdicts[:-1]) == {"retry"} and waiter.verdicts[-1] == "success"


def test_a_vpc_that_exists_satisfies_at_once(watched: dict[str, Watched]) -> None:
    assert watched["vpc_exists"].done().seen == ["200"]


def test_the_table_has_every_waiter_that_there_is_for_the_labs_resources(watched: dict[str, Watched]) -> None:
    tried = {name for them in COURSE.values() for name in them}
    there_are = {name for service in RESOURCES for name in waiters_of(service)}
    assert tried <= there_are <= tried | set(ELSEWHERE)
    assert set(watched) == tried | {"vpc_exists"}


def waiters_of(service: str) -> list[str]:
    """Name botocore's waiters for the lab's resources of a service."""
    names = boto3.client(service, region_name="us-east-1").waiter_names  # type: ignore[call-overload]
    return [name for name in names if name.startswith(RESOURCES[service])]
