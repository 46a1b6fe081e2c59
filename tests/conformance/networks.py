"""Ground to test on: a VPC of a test's own, of which nothing is left when the test is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.cloud_under_test import eventually

ACCOUNT = "000000000000"
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class Id:
    """Equal to every id of one kind: its prefix and 8 or 17 hex digits."""

    prefix: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(re.fullmatch(rf"{self.prefix}-[0-9a-f]{{8}}([0-9a-f]{{9}})?", other))


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Make a call that must be refused; give code and message."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def named(name: str, *values: str) -> list[dict[str, Any]]:
    """Give one filter."""
    return [{"Name": name, "Values": list(values)}]


def tagged(kind: str, **tags: str) -> list[dict[str, Any]]:
    """Give the TagSpecifications of one kind of thing."""
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


@contextmanager
def a_vpc(ec2: Any, block: str = "192.168.0.0/23") -> Iterator[str]:
    """Give a VPC that is available; take it down with everything in it."""
    vpc_id = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    try:
        eventually(lambda: ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["State"] == "available")
        yield vpc_id
    finally:
        take_down(ec2, vpc_id)


def a_subnet(ec2: Any, vpc_id: str, block: str = "192.168.0.0/24", zone: str = "us-east-1a") -> str:
    """Make a subnet and give its id."""
    made = ec2.create_subnet(VpcId=vpc_id, CidrBlock=block, AvailabilityZone=zone)
    return str(made["Subnet"]["SubnetId"])


def an_attached_gateway(ec2: Any, vpc_id: str) -> str:
    """Make a gateway, attach it and give its id."""
    gateway_id = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    return str(gateway_id)


def the_main_table(ec2: Any, vpc_id: str) -> dict[str, Any]:
    """Read a VPC's main route table."""
    filters = [*named("vpc-id", vpc_id), *named("association.main", "true")]
    tables = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    assert len(tables) == 1
    found: dict[str, Any] = tables[0]
    return found


def the_default_group(ec2: Any, vpc_id: str) -> dict[str, Any]:
    """Read a VPC's default security group."""
    filters = [*named("vpc-id", vpc_id), *named("group-name", "default")]
    groups = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    assert len(groups) == 1
    found: dict[str, Any] = groups[0]
    return found


def take_down(ec2: Any, vpc_id: str) -> None:
    """Delete a VPC and everything that somebody made in it, in the order that works (aws-facts 3.6)."""
    of_vpc = named("vpc-id", vpc_id)
    for interface in ec2.describe_network_interfaces(Filters=of_vpc)["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    groups = ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]
    for group in groups:
        if group["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    for group in groups:
        if group["GroupName"] != "default":
            ec2.delete_security_group(GroupId=group["GroupId"])
    for gateway in ec2.describe_internet_gateways(Filters=named("attachment.vpc-id", vpc_id))["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc_id)
        ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    for subnet in ec2.describe_subnets(Filters=of_vpc)["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for table in ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]:
        if not any(association["Main"] for association in table["Associations"]):
            ec2.delete_route_table(RouteTableId=table["RouteTableId"])
    ec2.delete_vpc(VpcId=vpc_id)
