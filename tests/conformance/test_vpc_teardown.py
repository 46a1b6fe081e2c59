"""A whole network goes in one order, and out of it nothing goes (aws-facts 3.5, 3.6, 3.7 rows 10-15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.conftest import RATES
from tests.conformance.networks import (
    ANYWHERE,
    a_subnet,
    a_vpc,
    an_attached_gateway,
    named,
    refused,
    the_default_group,
    the_main_table,
)
from tests.local.cloud_under_test import Cloud, eventually, started

LINGER_S = 900
"""Longer than AWS's couple of minutes, in lab seconds, so that a busy host's test is still in time to look."""


@pytest.fixture(scope="module", params=RATES, ids=lambda rate: f"rate{rate:g}")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    knob = ("--knob", f"interface_linger_s={LINGER_S}")
    with started(f"teardown-{request.param:g}", request.param, *knob) as running:
        yield running


@pytest.fixture(scope="module")
def ec2(cloud: Cloud) -> Any:
    return cloud.client("ec2")


@dataclass
class Lab:
    """What the lab leaves at its end."""

    cloud: Cloud
    ec2: Any
    vpc: str
    subnets: list[str]
    gateway: str
    group: str
    table: str

    def __post_init__(self) -> None:
        self.balancing, self.scaling = self.cloud.client("elbv2"), self.cloud.client("autoscaling")

    def interfaces(self, *more: dict[str, Any]) -> list[dict[str, Any]]:
        filters = [*named("vpc-id", self.vpc), *more]
        return list(self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])

    def free(self) -> list[int]:
        """Count the free addresses of each subnet."""
        subnets = self.ec2.describe_subnets(SubnetIds=self.subnets)["Subnets"]
        counted = {it["SubnetId"]: it["AvailableIpAddressCount"] for it in subnets}
        return [counted[subnet] for subnet in self.subnets]

    def held(self) -> dict[str, str]:
        """Try every deletion of the network; give the words of those that are refused for what depends on it."""
        calls = {
            "group": (self.ec2.delete_security_group, {"GroupId": self.group}),
            "detach": (self.ec2.detach_internet_gateway, {"InternetGatewayId": self.gateway, "VpcId": self.vpc}),
            "gateway": (self.ec2.delete_internet_gateway, {"InternetGatewayId": self.gateway}),
            "subnet a": (self.ec2.delete_subnet, {"SubnetId": self.subnets[0]}),
            "subnet b": (self.ec2.delete_subnet, {"SubnetId": self.subnets[1]}),
            "table": (self.ec2.delete_route_table, {"RouteTableId": self.table}),
            "vpc": (self.ec2.delete_vpc, {"VpcId": self.vpc}),
        }
        answers = {what: refused(call, DryRun=True, **params) for what, (call, params) in calls.items()}
        return {what: message for what, (code, message) in answers.items() if code == "DependencyViolation"}


def put_up(cloud: Cloud, ec2: Any) -> Lab:
    """Make network, template, balancer and a group of one instance, as the lab's sheet does."""
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/23")["Vpc"]["VpcId"]
    subnets = [a_subnet(ec2, vpc, f"192.168.{number}.0/24", f"us-east-1{zone}") for number, zone in enumerate("ab")]
    gateway, table = an_attached_gateway(ec2, vpc), ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(GroupName="MGSG", Description="-", VpcId=vpc)["GroupId"]
    lab = Lab(cloud, ec2, vpc, subnets, gateway, group, table)
    put_up_balancer(lab)
    put_up_group(lab)
    return lab


def put_up_balancer(lab: Lab) -> None:
    made = lab.balancing.create_target_group(Name="MGTG", Protocol="TCP", Port=5000, VpcId=lab.vpc)
    target_group = made["TargetGroups"][0]["TargetGroupArn"]
    balancer = lab.balancing.create_load_balancer(Name="MGLB", Type="network", Subnets=lab.subnets)
    forward = [{"Type": "forward", "TargetGroupArn": target_group}]
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    lab.balancing.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=5000, DefaultActions=forward)


def put_up_group(lab: Lab) -> None:
    image = lab.ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    interface = {"DeviceIndex": 0, "AssociatePublicIpAddress": True, "Groups": [lab.group]}
    data = {"ImageId": image, "InstanceType": "t2.micro", "NetworkInterfaces": [interface]}
    lab.ec2.create_launch_template(LaunchTemplateName="MGLT", LaunchTemplateData=data)
    lab.scaling.create_auto_scaling_group(
        AutoScalingGroupName="MGASG",
        LaunchTemplate={"LaunchTemplateName": "MGLT", "Version": "$Latest"},
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=lab.subnets[0],
    )
    eventually(lambda: lab.interfaces(*named("group-id", lab.group), *named("association.public-ip", "*")))


@pytest.mark.fact("3.5/reserved")
@pytest.mark.fact("3.6/order")
@pytest.mark.fact("3.6/linger")
@pytest.mark.fact("3.7/10")
@pytest.mark.fact("3.7/11")
@pytest.mark.fact("3.7/12")
@pytest.mark.fact("3.7/13")
@pytest.mark.fact("3.7/14")
@pytest.mark.fact("3.7/15")
def test_the_lab_goes_in_one_order(cloud: Cloud, ec2: Any) -> None:
    lab = put_up(cloud, ec2)
    words = "has dependencies and cannot be deleted."
    mapped = (
        f"Network {lab.vpc} has some mapped public address(es). Please unmap those public address(es) before detaching "
        "the gateway."
    )
    subnets = {f"subnet {zone}": f"The subnet '{it}' {words}" for zone, it in zip("ab", lab.subnets, strict=True)}
    always = {
        "gateway": f"The internetGateway '{lab.gateway}' {words}",
        "table": f"The routeTable '{lab.table}' {words}",
        "vpc": f"The vpc '{lab.vpc}' {words}",
    }
    by_instance = {"group": f"resource {lab.group} has a dependent object"}
    assert lab.held() == {**always, **by_instance, "detach": mapped, **subnets}
    assert lab.free() == [249, 250]  # of 251: the instance, and the load balancer in both

    lab.scaling.delete_auto_scaling_group(AutoScalingGroupName="MGASG", ForceDelete=True)
    eventually(lambda: not lab.interfaces(*named("group-id", lab.group)), "the instance's interface to go")
    assert lab.held() == {**always, "detach": mapped, **subnets}  # by the load balancer now

    balancer = lab.balancing.describe_load_balancers(Names=["MGLB"])["LoadBalancers"][0]["LoadBalancerArn"]
    lab.balancing.delete_load_balancer(LoadBalancerArn=balancer)
    kept = lab.interfaces(*named("description", "ELB net/MGLB/*"), *named("requester-managed", "true"))
    assert sorted(it["SubnetId"] for it in kept) == sorted(lab.subnets)
    assert lab.held() == {**always, "detach": mapped, **subnets}
    lab.balancing.delete_target_group(
        TargetGroupArn=lab.balancing.describe_target_groups(Names=["MGTG"])["TargetGroups"][0]["TargetGroupArn"]
    )
    ec2.delete_launch_template(LaunchTemplateName="MGLT")
    eventually(lambda: not lab.interfaces(), "the load balancer's interfaces to go")
    assert lab.held() == always
    assert lab.free() == [251, 251]

    ec2.delete_security_group(GroupId=lab.group)
    ec2.detach_internet_gateway(InternetGatewayId=lab.gateway, VpcId=lab.vpc)
    ec2.delete_internet_gateway(InternetGatewayId=lab.gateway)
    for subnet in lab.subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_route_table(RouteTableId=lab.table)
    ec2.delete_vpc(VpcId=lab.vpc)
    assert ec2.describe_vpcs(Filters=named("vpc-id", lab.vpc))["Vpcs"] == []


@pytest.mark.fact("3.5/vpc-delete")
@pytest.mark.fact("3.7/13")
def test_a_vpc_goes_when_nothing_is_left_that_somebody_made(ec2: Any) -> None:
    with a_vpc(ec2) as vpc:
        in_use = ("DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted.")
        main, default = the_main_table(ec2, vpc)["RouteTableId"], the_default_group(ec2, vpc)["GroupId"]

        subnet = a_subnet(ec2, vpc)
        assert refused(ec2.delete_vpc, VpcId=vpc) == in_use
        ec2.delete_subnet(SubnetId=subnet)

        gateway = an_attached_gateway(ec2, vpc)
        assert refused(ec2.delete_vpc, VpcId=vpc) == in_use
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway)

        group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
        assert refused(ec2.delete_vpc, VpcId=vpc) == in_use
        ec2.delete_security_group(GroupId=group)

        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        assert refused(ec2.delete_vpc, VpcId=vpc) == in_use
        ec2.delete_route_table(RouteTableId=table)

        assert refused(ec2.delete_vpc, VpcId=vpc, DryRun=True)[0] == "DryRunOperation"
    assert ec2.describe_route_tables(Filters=named("route-table-id", main))["RouteTables"] == []
    assert ec2.describe_security_groups(Filters=named("group-id", default))["SecurityGroups"] == []
    assert ec2.describe_network_acls(Filters=named("vpc-id", vpc))["NetworkAcls"] == []
