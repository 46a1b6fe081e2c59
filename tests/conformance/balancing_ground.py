"""What the tests of load balancing stand on: a network, the cloud's own time and names, refusals as clients see them.

Everything is made with plain boto3 calls, as somebody would who knows AWS and nothing of this project.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.cloud_under_test import Cloud, ask, eventually

ACCOUNT_PREFIX = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
NO_BALANCER = f"{ACCOUNT_PREFIX}loadbalancer/net/never/0123456789abcdef"
NO_GROUP = f"{ACCOUNT_PREFIX}targetgroup/never/0123456789abcdef"
NO_LISTENER = f"{ACCOUNT_PREFIX}listener/net/never/0123456789abcdef/0123456789abcdef"
NO_RULE = f"{ACCOUNT_PREFIX}listener-rule/net/never/0123456789abcdef/0123456789abcdef/0123456789abcdef"
BALANCER_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "load_balancing.cross_zone.enabled": "false",
    "ipv6.deny_all_igw_traffic": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "zonal_shift.config.enabled": "false",
    "secondary_ips.auto_assigned.per_subnet": "0",
}
"""What a load balancer has when nobody asked for anything else (aws-facts 1.1)."""
GROUP_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "deregistration_delay.connection_termination.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}
"""The same of a TCP target group of instances (aws-facts 1.8)."""


@dataclass(frozen=True)
class Ground:
    """A VPC with an internet gateway and a public subnet in each of two zones."""

    ec2: Any
    elbv2: Any
    vpc: str
    subnets: tuple[str, str]
    gateway: str
    group: str
    """A security group that lets everybody in at 5000."""

    def balancer(self, name: str, **more: Any) -> dict[str, Any]:
        """Make an internet-facing network load balancer over both subnets, unless told otherwise."""
        asked = {"Name": name, "Type": "network", "Subnets": list(self.subnets), **more}
        return self.elbv2.create_load_balancer(**{key: it for key, it in asked.items() if it})["LoadBalancers"][0]

    def target_group(self, name: str, **more: Any) -> str:
        """Make a target group for TCP 5000; give its ARN."""
        asked = {"Name": name, "Protocol": "TCP", "Port": 5000, "VpcId": self.vpc, **more}
        return str(self.elbv2.create_target_group(**asked)["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, balancer: str, target_group: str, port: int = 5000) -> str:
        """Open a port; give the listener's ARN."""
        forward = [{"Type": "forward", "TargetGroupArn": target_group}]
        asked = {"LoadBalancerArn": balancer, "Protocol": "TCP", "Port": port, "DefaultActions": forward}
        return str(self.elbv2.create_listener(**asked)["Listeners"][0]["ListenerArn"])

    def interfaces(self, balancer: str) -> list[dict[str, Any]]:
        """List the interfaces of a load balancer's nodes, by the description that AWS gives them."""
        described = [{"Name": "description", "Values": [f"ELB {balancer.split('loadbalancer/')[1]}"]}]
        found = self.ec2.describe_network_interfaces(Filters=described)["NetworkInterfaces"]
        return sorted(found, key=lambda it: it["AvailabilityZone"])


def prepared(cloud: Cloud, block: str = "10.20.0.0/16") -> Ground:
    """Make the network."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    first = block.removesuffix(".0.0/16")
    one, two = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"{first}.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(("us-east-1a", "us-east-1b"))
    )
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    group = ec2.create_security_group(GroupName="servers", Description="-", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=5000, ToPort=5000, CidrIp="0.0.0.0/0"
    )
    return Ground(ec2, cloud.client("elbv2"), vpc, (one, two), gateway, group)


def refusal(call: Callable[..., Any], **asked: Any) -> tuple[str, str]:
    """Make a call that must be refused with HTTP 400; give code and message."""
    with pytest.raises(ClientError) as refused:
        call(**asked)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer["Error"]["Code"], answer["Error"]["Message"]


def shown(attributes: dict[str, Any]) -> dict[str, str]:
    """Read an answer's Attributes as a dictionary."""
    return {it["Key"]: it["Value"] for it in attributes["Attributes"]}


def lab_now(cloud: Cloud) -> float:
    """Read the cloud's own clock: epoch seconds."""
    return float(cloud.state["lab_epoch"] + (time.time() - cloud.state["wall_epoch"]) * cloud.rate)


def resolved(cloud: Cloud, name: str) -> list[tuple[str, int]]:
    """Ask the cloud's resolver for a name: (address, seconds to live) of each record."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(cloud.state["resolver"])
        wire.sendall(f"A {name}\n".encode())
        lines = wire.makefile().read().splitlines()
    return [(address, int(ttl)) for address, ttl in map(str.split, lines)]


def state_of(ground: Ground, balancer: str) -> str:
    """Say a load balancer's state."""
    (found,) = ground.elbv2.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]
    return str(found["State"]["Code"])


def until_active(ground: Ground, *balancers: str) -> None:
    """Wait for load balancers to be provisioned."""
    for arn in balancers:
        eventually(lambda arn=arn: state_of(ground, arn) == "active")


# -- servers behind a balancer ---------------------------------------------------------------------------------


def launched(ground: Ground, *subnets: str) -> list[dict[str, Any]]:
    """Start an instance of the user's own image in each subnet, and wait until it serves on port 5000."""
    (image,) = ground.ec2.describe_images(Owners=["self"])["Images"]
    ids = []
    for subnet in subnets:
        interface = {
            "DeviceIndex": 0, "SubnetId": subnet, "Groups": [ground.group], "AssociatePublicIpAddress": True,
        }  # fmt: skip
        asked = {"ImageId": image["ImageId"], "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}
        ids.append(ground.ec2.run_instances(**asked, NetworkInterfaces=[interface])["Instances"][0]["InstanceId"])
    eventually(lambda: all(instance_state(ground, it) == "running" for it in ids))
    running = [described_instance(ground, it) for it in ids]
    for instance in running:  # a boot takes time of this machine's, which no clock makes faster
        eventually(lambda instance=instance: ask(instance["PublicIpAddress"]).startswith("In "))
    return running


def described_instance(ground: Ground, instance_id: str) -> dict[str, Any]:
    """Describe one instance."""
    (reservation,) = ground.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    return dict(reservation["Instances"][0])


def instance_state(ground: Ground, instance_id: str) -> str:
    """Say an instance's state."""
    return str(described_instance(ground, instance_id)["State"]["Name"])


def health(ground: Ground, target_group: str, *targets: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe targets' health: of those asked for, else of all that are listed."""
    asked = {"Targets": list(targets)} if targets else {}
    found = ground.elbv2.describe_target_health(TargetGroupArn=target_group, **asked)["TargetHealthDescriptions"]
    return list(found)


def states(ground: Ground, target_group: str) -> list[str]:
    """List the states of a group's targets."""
    return [it["TargetHealth"]["State"] for it in health(ground, target_group)]


def register(ground: Ground, target_group: str, *instance_ids: str) -> None:
    """Register instances with a target group, on its port."""
    targets = [{"Id": it} for it in instance_ids]
    ground.elbv2.register_targets(TargetGroupArn=target_group, Targets=targets)
