"""What an infrastructure tool does to load balancing: create, read back, change, read back, destroy to nothing.

The requests are those that such a tool sends for a load balancer, a target group, a listener and an attachment, with
everything told that it tells (attributes with their defaults too); reading is all that it reads. A field that is not
what was asked for or AWS's default would be drift, and so would a second reading that differs from the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.balancing_ground import (
    BALANCER_ATTRIBUTES,
    GROUP_ATTRIBUTES,
    Ground,
    health,
    launched,
    prepared,
    refusal,
    shown,
    until_active,
)
from tests.local.cloud_under_test import Cloud, eventually

HEALTH_CHECK = {
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckPort": "traffic-port",
    "HealthCheckProtocol": "TCP",
    "HealthyThresholdCount": 3,
    "UnhealthyThresholdCount": 3,
}


@dataclass(frozen=True)
class Stack:
    """What the tool keeps in its state: three ARNs and an instance."""

    balancer: str
    group: str
    listener: str
    instance: str


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return prepared(cloud)


def listed(attributes: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in attributes.items()]


def tagged(**tags: str) -> list[dict[str, str]]:
    return listed(tags)


def applied(ground: Ground, instance: str) -> Stack:
    """Create everything as the tool does."""
    elbv2 = ground.elbv2
    balancer = ground.balancer("tool", IpAddressType="ipv4", Tags=tagged(Name="tool"))["LoadBalancerArn"]
    until_active(ground, balancer)
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=listed(BALANCER_ATTRIBUTES))
    group = ground.target_group("tool", TargetType="instance", **HEALTH_CHECK, Tags=tagged(Name="tool"))
    elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=listed(GROUP_ATTRIBUTES))
    action = {"Type": "forward", "TargetGroupArn": group}
    asked = {"LoadBalancerArn": balancer, "Port": 5000, "Protocol": "TCP", "Tags": tagged(Name="tool")}
    listener = elbv2.create_listener(**asked, DefaultActions=[action])["Listeners"][0]["ListenerArn"]
    attributes = {"tcp.idle_timeout.seconds": "350"}
    elbv2.modify_listener_attributes(ListenerArn=listener, Attributes=listed(attributes))
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance, "Port": 5000}])
    return Stack(balancer, group, listener, instance)


def read(ground: Ground, stack: Stack) -> dict[str, Any]:
    """Read everything as the tool does, without what only time changes."""
    elbv2 = ground.elbv2
    (balancer,) = elbv2.describe_load_balancers(LoadBalancerArns=[stack.balancer])["LoadBalancers"]
    (group,) = elbv2.describe_target_groups(TargetGroupArns=[stack.group])["TargetGroups"]
    (listener,) = elbv2.describe_listeners(ListenerArns=[stack.listener])["Listeners"]
    (target,) = health(ground, stack.group, {"Id": stack.instance, "Port": 5000})
    arns = [stack.balancer, stack.group, stack.listener]
    tags = elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]
    return {
        "balancer": {name: it for name, it in balancer.items() if name not in ("CreatedTime", "DNSName")},
        "balancer attributes": shown(elbv2.describe_load_balancer_attributes(LoadBalancerArn=stack.balancer)),
        "capacity": elbv2.describe_capacity_reservation(LoadBalancerArn=stack.balancer)["CapacityReservationState"],
        "group": group,
        "group attributes": shown(elbv2.describe_target_group_attributes(TargetGroupArn=stack.group)),
        "listener": listener,
        "listener attributes": shown(elbv2.describe_listener_attributes(ListenerArn=stack.listener)),
        "target": target["Target"],
        "tags": [{it["Key"]: it["Value"] for it in found["Tags"]} for found in tags],
    }


def expected(ground: Ground, stack: Stack) -> dict[str, Any]:
    """Give what was asked for, or AWS's default where nothing was."""
    zones = zip(("us-east-1a", "us-east-1b"), ground.subnets, strict=True)
    return {
        "balancer": {
            "LoadBalancerArn": stack.balancer,
            "CanonicalHostedZoneId": "Z26RNL4JYFTOTI",
            "LoadBalancerName": "tool",
            "Scheme": "internet-facing",
            "VpcId": ground.vpc,
            "State": {"Code": "active"},
            "Type": "network",
            "AvailabilityZones": [
                {"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []} for zone, subnet in zones
            ],
            "IpAddressType": "ipv4",
        },
        "balancer attributes": BALANCER_ATTRIBUTES,
        "capacity": [],
        "group": {
            "TargetGroupArn": stack.group,
            "TargetGroupName": "tool",
            "Protocol": "TCP",
            "Port": 5000,
            "VpcId": ground.vpc,
            **HEALTH_CHECK,
            "HealthCheckTimeoutSeconds": 10,
            "LoadBalancerArns": [stack.balancer],
            "TargetType": "instance",
            "IpAddressType": "ipv4",
        },
        "group attributes": GROUP_ATTRIBUTES,
        "listener": {
            "ListenerArn": stack.listener,
            "LoadBalancerArn": stack.balancer,
            "Port": 5000,
            "Protocol": "TCP",
            "DefaultActions": [
                {
                    "Type": "forward",
                    "TargetGroupArn": stack.group,
                    "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": stack.group}]},
                }
            ],
        },
        "listener attributes": {"tcp.idle_timeout.seconds": "350"},
        "target": {"Id": stack.instance, "Port": 5000},
        "tags": [{"Name": "tool"}] * 3,
    }


def changed(ground: Ground, stack: Stack, wanted: dict[str, Any]) -> dict[str, Any]:
    """Change something of everything as the tool does; give what should be read back then."""
    elbv2 = ground.elbv2
    of_balancer = {"load_balancing.cross_zone.enabled": "true", "deletion_protection.enabled": "true"}
    of_group = {"deregistration_delay.timeout_seconds": "60", "preserve_client_ip.enabled": "false"}
    of_listener = {"tcp.idle_timeout.seconds": "600"}
    checks = {"HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 5, "HealthCheckPort": "5001"}
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=stack.balancer, Attributes=listed(of_balancer))
    elbv2.modify_target_group(TargetGroupArn=stack.group, **checks)
    elbv2.modify_target_group_attributes(TargetGroupArn=stack.group, Attributes=listed(of_group))
    elbv2.modify_listener(ListenerArn=stack.listener, Port=5050)
    elbv2.modify_listener_attributes(ListenerArn=stack.listener, Attributes=listed(of_listener))
    for arn in (stack.balancer, stack.group, stack.listener):
        elbv2.remove_tags(ResourceArns=[arn], TagKeys=["Name"])
        elbv2.add_tags(ResourceArns=[arn], Tags=tagged(Stage="two"))
    return {
        **wanted,
        "balancer attributes": {**wanted["balancer attributes"], **of_balancer},
        "group": {**wanted["group"], **checks},
        "group attributes": {**wanted["group attributes"], **of_group},
        "listener": {**wanted["listener"], "Port": 5050},
        "listener attributes": of_listener,
        "tags": [{"Stage": "two"}] * 3,
    }


def destroyed(ground: Ground, stack: Stack) -> None:
    """Destroy everything as the tool does: the load balancer is done when its interfaces are gone."""
    elbv2 = ground.elbv2
    elbv2.deregister_targets(TargetGroupArn=stack.group, Targets=[{"Id": stack.instance, "Port": 5000}])
    elbv2.delete_listener(ListenerArn=stack.listener)
    elbv2.delete_target_group(TargetGroupArn=stack.group)
    assert refusal(elbv2.delete_load_balancer, LoadBalancerArn=stack.balancer)[0] == "OperationNotPermitted"
    unprotected = {"deletion_protection.enabled": "false"}
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=stack.balancer, Attributes=listed(unprotected))
    elbv2.delete_load_balancer(LoadBalancerArn=stack.balancer)
    eventually(lambda: not waited_for(ground, stack.balancer))


def waited_for(ground: Ground, balancer: str) -> list[dict[str, Any]]:
    """List a load balancer's interfaces by the filters that a tool waits with."""
    filters = {
        "attachment.instance-owner-id": "amazon-aws",
        "attachment.attachment-id": "ela-attach-*",
        "description": f"ELB {balancer.split('loadbalancer/')[1]}",
    }
    asked = [{"Name": name, "Values": [value]} for name, value in filters.items()]
    return list(ground.ec2.describe_network_interfaces(Filters=asked)["NetworkInterfaces"])


def everything(ground: Ground) -> dict[str, list[str]]:
    """Name all that load balancing has in the account, interfaces in the VPC included."""
    elbv2, inside = ground.elbv2, [{"Name": "vpc-id", "Values": [ground.vpc]}]
    return {
        "balancers": [it["LoadBalancerArn"] for it in elbv2.describe_load_balancers()["LoadBalancers"]],
        "groups": [it["TargetGroupArn"] for it in elbv2.describe_target_groups()["TargetGroups"]],
        "interfaces": [
            it["NetworkInterfaceId"]
            for it in ground.ec2.describe_network_interfaces(Filters=inside)["NetworkInterfaces"]
        ],
    }


@pytest.mark.fact("1.1/describe-shape", "1.1/attributes", "1.8/attributes", "1.5/modify", "1.1/interfaces-linger")
def test_a_whole_cycle_reads_what_was_asked_and_leaves_nothing(ground: Ground) -> None:
    (server,) = launched(ground, ground.subnets[0])
    before = everything(ground)
    stack = applied(ground, server["InstanceId"])
    wanted = expected(ground, stack)
    assert read(ground, stack) == wanted
    assert len(waited_for(ground, stack.balancer)) == 2
    wanted = changed(ground, stack, wanted)
    assert read(ground, stack) == wanted
    assert read(ground, stack) == wanted, "and no drift"
    destroyed(ground, stack)
    assert everything(ground) == before
    for call, asked, code in (
        (ground.elbv2.describe_load_balancers, {"LoadBalancerArns": [stack.balancer]}, "LoadBalancerNotFound"),
        (ground.elbv2.describe_target_groups, {"TargetGroupArns": [stack.group]}, "TargetGroupNotFound"),
        (ground.elbv2.describe_listeners, {"ListenerArns": [stack.listener]}, "ListenerNotFound"),
        (ground.elbv2.describe_target_health, {"TargetGroupArn": stack.group}, "TargetGroupNotFound"),
    ):
        assert refusal(call, **asked)[0] == code


def test_the_network_under_it_goes_too(ground: Ground) -> None:
    """The last: once the interfaces are gone nothing holds subnets, gateway and VPC."""
    ec2 = ground.ec2
    inside = [{"Name": "vpc-id", "Values": [ground.vpc]}]
    (reservation,) = ec2.describe_instances(Filters=inside)["Reservations"]
    ec2.terminate_instances(InstanceIds=[it["InstanceId"] for it in reservation["Instances"]])
    eventually(lambda: everything(ground) == {"balancers": [], "groups": [], "interfaces": []})
    ec2.detach_internet_gateway(InternetGatewayId=ground.gateway, VpcId=ground.vpc)
    ec2.delete_internet_gateway(InternetGatewayId=ground.gateway)
    for subnet in ground.subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_security_group(GroupId=ground.group)
    ec2.delete_vpc(VpcId=ground.vpc)
