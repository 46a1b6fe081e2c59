"""Made, read back, changed, read back, destroyed: each thing of the network, every field of it.

These are the calls of an infrastructure-as-code tool. What it reads must be what it asked for, or AWS's default, to the
last field, or it sees a drift after each apply; and when it has destroyed everything nothing may be left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.networks import ACCOUNT, ANYWHERE, Id, a_subnet, a_vpc, named, tagged, the_main_table
from tests.local.cloud_under_test import Cloud, eventually

Document = dict[str, Any]
EMPTY: Document = {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
EVERYTHING_OUT: Document = {**EMPTY, "IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}
ARN = f"arn:aws:ec2:us-east-1:{ACCOUNT}"


@dataclass(frozen=True)
class Ground:
    """What is there before: a VPC with a subnet."""

    ec2: Any
    vpc: str
    subnet: str


class Cycle:
    """One kind of thing. ``born`` is all that a list shows of a new one; ``becomes`` what a change makes different."""

    def make(self, on: Ground) -> str:
        raise NotImplementedError

    def find(self, on: Ground, its_id: str) -> list[Document]:
        raise NotImplementedError

    def born(self, on: Ground, its_id: str) -> Document:
        raise NotImplementedError

    def change(self, on: Ground, its_id: str) -> Document:
        """Change it; give the fields that should read otherwise from now on."""
        raise NotImplementedError

    def end(self, on: Ground, its_id: str) -> None:
        raise NotImplementedError


class OfAVpc(Cycle):
    def make(self, on: Ground) -> str:
        asked = {"CidrBlock": "10.20.0.0/16", "InstanceTenancy": "default"}
        return str(on.ec2.create_vpc(**asked, TagSpecifications=tagged("vpc", Name="main"))["Vpc"]["VpcId"])

    def find(self, on: Ground, its_id: str) -> list[Document]:
        return list(on.ec2.describe_vpcs(Filters=named("vpc-id", its_id))["Vpcs"])

    def born(self, on: Ground, its_id: str) -> Document:
        block = {"CidrBlock": "10.20.0.0/16", "CidrBlockState": {"State": "associated"}}
        return {
            "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
            "CidrBlock": "10.20.0.0/16",
            "CidrBlockAssociationSet": [{"AssociationId": Id("vpc-cidr-assoc"), **block}],
            "DhcpOptionsId": Id("dopt"),
            "InstanceTenancy": "default",
            "IsDefault": False,
            "OwnerId": ACCOUNT,
            "State": "available",
            "Tags": [{"Key": "Name", "Value": "main"}],
            "VpcId": its_id,
        }

    def change(self, on: Ground, its_id: str) -> Document:
        names = ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics")

        def attributes() -> list[bool]:
            answers = [on.ec2.describe_vpc_attribute(VpcId=its_id, Attribute=name) for name in names]
            return [it[name[0].upper() + name[1:]]["Value"] for it, name in zip(answers, names, strict=True)]

        seen = [attributes()]
        on.ec2.modify_vpc_attribute(VpcId=its_id, EnableDnsHostnames={"Value": True})
        on.ec2.modify_vpc_attribute(VpcId=its_id, EnableNetworkAddressUsageMetrics={"Value": True})
        seen.append(attributes())
        assert seen == [[False, True, False], [True, True, True]]
        on.ec2.create_tags(Resources=[its_id], Tags=[{"Key": "Name", "Value": "renamed"}])
        return {"Tags": [{"Key": "Name", "Value": "renamed"}]}

    def end(self, on: Ground, its_id: str) -> None:
        on.ec2.delete_vpc(VpcId=its_id)
        for call, answer in (
            ("describe_route_tables", "RouteTables"),
            ("describe_security_groups", "SecurityGroups"),
            ("describe_network_acls", "NetworkAcls"),
        ):
            assert getattr(on.ec2, call)(Filters=named("vpc-id", its_id))[answer] == []


class OfASubnet(Cycle):
    def make(self, on: Ground) -> str:
        asked = {"VpcId": on.vpc, "CidrBlock": "192.168.1.0/25", "AvailabilityZone": "us-east-1b"}
        return str(on.ec2.create_subnet(**asked, TagSpecifications=tagged("subnet", Name="b"))["Subnet"]["SubnetId"])

    def find(self, on: Ground, its_id: str) -> list[Document]:
        return list(on.ec2.describe_subnets(Filters=named("subnet-id", its_id))["Subnets"])

    def born(self, on: Ground, its_id: str) -> Document:
        return {
            "AssignIpv6AddressOnCreation": False,
            "AvailabilityZone": "us-east-1b",
            "AvailabilityZoneId": "use1-az4",
            "AvailableIpAddressCount": 123,
            "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
            "CidrBlock": "192.168.1.0/25",
            "DefaultForAz": False,
            "EnableDns64": False,
            "Ipv6CidrBlockAssociationSet": [],
            "Ipv6Native": False,
            "MapCustomerOwnedIpOnLaunch": False,
            "MapPublicIpOnLaunch": False,
            "OwnerId": ACCOUNT,
            "PrivateDnsNameOptionsOnLaunch": {
                "EnableResourceNameDnsAAAARecord": False,
                "EnableResourceNameDnsARecord": False,
                "HostnameType": "ip-name",
            },
            "State": "available",
            "SubnetArn": f"{ARN}:subnet/{its_id}",
            "SubnetId": its_id,
            "Tags": [{"Key": "Name", "Value": "b"}],
            "VpcId": on.vpc,
        }

    def change(self, on: Ground, its_id: str) -> Document:
        on.ec2.modify_subnet_attribute(SubnetId=its_id, MapPublicIpOnLaunch={"Value": True})
        on.ec2.modify_subnet_attribute(SubnetId=its_id, AssignIpv6AddressOnCreation={"Value": False})
        on.ec2.delete_tags(Resources=[its_id], Tags=[{"Key": "Name", "Value": "b"}])
        on.ec2.create_tags(Resources=[its_id], Tags=[{"Key": "tier", "Value": "public"}])
        return {"MapPublicIpOnLaunch": True, "Tags": [{"Key": "tier", "Value": "public"}]}

    def end(self, on: Ground, its_id: str) -> None:
        on.ec2.delete_subnet(SubnetId=its_id)


class OfAGateway(Cycle):
    def make(self, on: Ground) -> str:
        made = on.ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", Name="out"))
        return str(made["InternetGateway"]["InternetGatewayId"])

    def find(self, on: Ground, its_id: str) -> list[Document]:
        filters = named("internet-gateway-id", its_id)
        return list(on.ec2.describe_internet_gateways(Filters=filters)["InternetGateways"])

    def born(self, on: Ground, its_id: str) -> Document:
        return {
            "Attachments": [],
            "InternetGatewayId": its_id,
            "OwnerId": ACCOUNT,
            "Tags": [{"Key": "Name", "Value": "out"}],
        }

    def change(self, on: Ground, its_id: str) -> Document:
        on.ec2.attach_internet_gateway(InternetGatewayId=its_id, VpcId=on.vpc)
        return {"Attachments": [{"State": "available", "VpcId": on.vpc}]}

    def end(self, on: Ground, its_id: str) -> None:
        on.ec2.detach_internet_gateway(InternetGatewayId=its_id, VpcId=on.vpc)
        on.ec2.delete_internet_gateway(InternetGatewayId=its_id)


class OfARouteTable(Cycle):
    """With a route and an association, which a tool makes as things of their own."""

    LOCAL = {"DestinationCidrBlock": "192.168.0.0/23", "GatewayId": "local", "Origin": "CreateRouteTable"}

    def make(self, on: Ground) -> str:
        made = on.ec2.create_route_table(VpcId=on.vpc, TagSpecifications=tagged("route-table", Name="public"))
        return str(made["RouteTable"]["RouteTableId"])

    def find(self, on: Ground, its_id: str) -> list[Document]:
        return list(on.ec2.describe_route_tables(Filters=named("route-table-id", its_id))["RouteTables"])

    def born(self, on: Ground, its_id: str) -> Document:
        return {
            "Associations": [],
            "OwnerId": ACCOUNT,
            "PropagatingVgws": [],
            "RouteTableId": its_id,
            "Routes": [{**self.LOCAL, "State": "active"}],
            "Tags": [{"Key": "Name", "Value": "public"}],
            "VpcId": on.vpc,
        }

    def change(self, on: Ground, its_id: str) -> Document:
        gateway = on.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        on.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=on.vpc)
        on.ec2.create_route(RouteTableId=its_id, DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
        association = on.ec2.associate_route_table(RouteTableId=its_id, SubnetId=on.subnet)["AssociationId"]
        made = {"RouteTableAssociationId": association, "RouteTableId": its_id, "SubnetId": on.subnet}
        out = {"DestinationCidrBlock": ANYWHERE, "GatewayId": gateway, "Origin": "CreateRoute", "State": "active"}
        return {
            "Associations": [{**made, "AssociationState": {"State": "associated"}, "Main": False}],
            "Routes": [{**self.LOCAL, "State": "active"}, out],
        }

    def end(self, on: Ground, its_id: str) -> None:
        table = self.find(on, its_id)[0]
        gateway = table["Routes"][1]["GatewayId"]
        on.ec2.disassociate_route_table(AssociationId=table["Associations"][0]["RouteTableAssociationId"])
        on.ec2.delete_route(RouteTableId=its_id, DestinationCidrBlock=ANYWHERE)
        on.ec2.delete_route_table(RouteTableId=its_id)
        on.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=on.vpc)
        on.ec2.delete_internet_gateway(InternetGatewayId=gateway)


class OfASecurityGroup(Cycle):
    """A tool takes the default way out away and gives its own; each rule is a thing of its own."""

    def make(self, on: Ground) -> str:
        asked = {"GroupName": "web", "Description": "made by a tool", "VpcId": on.vpc}
        return str(
            on.ec2.create_security_group(**asked, TagSpecifications=tagged("security-group", Name="w"))["GroupId"]
        )

    def find(self, on: Ground, its_id: str) -> list[Document]:
        return list(on.ec2.describe_security_groups(Filters=named("group-id", its_id))["SecurityGroups"])

    def born(self, on: Ground, its_id: str) -> Document:
        return {
            "Description": "made by a tool",
            "GroupId": its_id,
            "GroupName": "web",
            "IpPermissions": [],
            "IpPermissionsEgress": [EVERYTHING_OUT],
            "OwnerId": ACCOUNT,
            "SecurityGroupArn": f"{ARN}:security-group/{its_id}",
            "Tags": [{"Key": "Name", "Value": "w"}],
            "VpcId": on.vpc,
        }

    def change(self, on: Ground, its_id: str) -> Document:
        on.ec2.revoke_security_group_egress(GroupId=its_id, IpPermissions=[EVERYTHING_OUT])
        web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": ANYWHERE}]}
        out = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": its_id}]}
        on.ec2.authorize_security_group_ingress(GroupId=its_id, IpPermissions=[web])
        on.ec2.authorize_security_group_egress(GroupId=its_id, IpPermissions=[out])
        pair = {"GroupId": its_id, "UserId": ACCOUNT}
        return {
            "IpPermissions": [{**EMPTY, **web}],
            "IpPermissionsEgress": [{**EMPTY, **out, "UserIdGroupPairs": [pair]}],
        }

    def end(self, on: Ground, its_id: str) -> None:
        on.ec2.delete_security_group(GroupId=its_id)
        assert on.ec2.describe_security_group_rules(Filters=named("group-id", its_id))["SecurityGroupRules"] == []


class OfAnInterface(Cycle):
    def make(self, on: Ground) -> str:
        asked = {"SubnetId": on.subnet, "Description": "a spare one", "PrivateIpAddress": "192.168.0.10"}
        made = on.ec2.create_network_interface(**asked, TagSpecifications=tagged("network-interface", Name="spare"))
        assert made["NetworkInterface"]["Status"] == "pending"
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def find(self, on: Ground, its_id: str) -> list[Document]:
        filters = named("network-interface-id", its_id)
        return list(on.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])

    def born(self, on: Ground, its_id: str) -> Document:
        filters = [*named("vpc-id", on.vpc), *named("group-name", "default")]
        default = on.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
        found = self.find(on, its_id)[0]
        assert found["MacAddress"].count(":") == 5
        return {
            "AvailabilityZone": "us-east-1a",
            "AvailabilityZoneId": "use1-az2",
            "Description": "a spare one",
            "Groups": [{"GroupId": default, "GroupName": "default"}],
            "InterfaceType": "interface",
            "Ipv6Addresses": [],
            "MacAddress": found["MacAddress"],
            "NetworkInterfaceId": its_id,
            "OwnerId": ACCOUNT,
            "PrivateIpAddress": "192.168.0.10",
            "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "192.168.0.10"}],
            "RequesterManaged": False,
            "SourceDestCheck": True,
            "Status": "available",
            "SubnetId": on.subnet,
            "TagSet": [{"Key": "Name", "Value": "spare"}],
            "VpcId": on.vpc,
        }

    def change(self, on: Ground, its_id: str) -> Document:
        group = on.ec2.create_security_group(GroupName="spare", Description="-", VpcId=on.vpc)["GroupId"]
        on.ec2.modify_network_interface_attribute(NetworkInterfaceId=its_id, Groups=[group])
        on.ec2.modify_network_interface_attribute(NetworkInterfaceId=its_id, SourceDestCheck={"Value": False})
        on.ec2.modify_network_interface_attribute(NetworkInterfaceId=its_id, Description={"Value": "still spare"})
        return {
            "Description": "still spare",
            "Groups": [{"GroupId": group, "GroupName": "spare"}],
            "SourceDestCheck": False,
        }

    def end(self, on: Ground, its_id: str) -> None:
        group = self.find(on, its_id)[0]["Groups"][0]["GroupId"]
        on.ec2.delete_network_interface(NetworkInterfaceId=its_id)
        on.ec2.delete_security_group(GroupId=group)


class OfAnElasticAddress(Cycle):
    def make(self, on: Ground) -> str:
        made = on.ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", Name="fixed"))
        return str(made["AllocationId"])

    def find(self, on: Ground, its_id: str) -> list[Document]:
        return list(on.ec2.describe_addresses(Filters=named("allocation-id", its_id))["Addresses"])

    def born(self, on: Ground, its_id: str) -> Document:
        return {
            "AllocationId": its_id,
            "Domain": "vpc",
            "NetworkBorderGroup": "us-east-1",
            "PublicIp": on.ec2.describe_addresses_attribute(AllocationIds=[its_id])["Addresses"][0]["PublicIp"],
            "PublicIpv4Pool": "amazon",
            "Tags": [{"Key": "Name", "Value": "fixed"}],
        }

    def change(self, on: Ground, its_id: str) -> Document:
        gateway = on.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        on.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=on.vpc)
        made = on.ec2.create_network_interface(SubnetId=on.subnet)["NetworkInterface"]
        interface = made["NetworkInterfaceId"]
        associated = on.ec2.associate_address(AllocationId=its_id, NetworkInterfaceId=interface)
        public = self.find(on, its_id)[0]["PublicIp"]
        shown = on.ec2.describe_network_interfaces(Filters=named("association.public-ip", public))["NetworkInterfaces"]
        assert [it["Association"] for it in shown] == [
            {
                "AllocationId": its_id,
                "AssociationId": associated["AssociationId"],
                "IpOwnerId": ACCOUNT,
                "PublicDnsName": "",
                "PublicIp": public,
            }
        ]
        return {
            "AssociationId": associated["AssociationId"],
            "NetworkInterfaceId": interface,
            "NetworkInterfaceOwnerId": ACCOUNT,
            "PrivateIpAddress": made["PrivateIpAddress"],
        }

    def end(self, on: Ground, its_id: str) -> None:
        address = self.find(on, its_id)[0]
        on.ec2.disassociate_address(AssociationId=address["AssociationId"])
        on.ec2.release_address(AllocationId=its_id)
        on.ec2.delete_network_interface(NetworkInterfaceId=address["NetworkInterfaceId"])
        gateways = on.ec2.describe_internet_gateways(Filters=named("attachment.vpc-id", on.vpc))["InternetGateways"]
        on.ec2.detach_internet_gateway(InternetGatewayId=gateways[0]["InternetGatewayId"], VpcId=on.vpc)
        on.ec2.delete_internet_gateway(InternetGatewayId=gateways[0]["InternetGatewayId"])


CYCLES: tuple[Cycle, ...] = (
    OfAVpc(),
    OfASubnet(),
    OfAGateway(),
    OfARouteTable(),
    OfASecurityGroup(),
    OfAnInterface(),
    OfAnElasticAddress(),
)

LISTS = (
    "describe_vpcs",
    "describe_internet_gateways",
    "describe_route_tables",
    "describe_security_groups",
    "describe_security_group_rules",
    "describe_network_acls",
    "describe_network_interfaces",
    "describe_addresses",
    "describe_tags",
)


def everything(ec2: Any) -> dict[str, Document]:
    """Read all that an account's network shows."""
    answers = {name: getattr(ec2, name)() for name in LISTS}
    return {name: {**answer, "ResponseMetadata": None} for name, answer in answers.items()}


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Iterator[Ground]:
    ec2 = cloud.client("ec2")
    with a_vpc(ec2) as vpc_id:
        subnet = a_subnet(ec2, vpc_id)
        eventually(lambda: ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["State"] == "available")
        yield Ground(ec2, vpc_id, subnet)


@pytest.mark.parametrize("cycle", CYCLES, ids=lambda it: type(it).__name__)
def test_made_read_changed_read_destroyed(ground: Ground, cycle: Cycle) -> None:
    before = everything(ground.ec2)
    its_id = cycle.make(ground)
    eventually(lambda: cycle.find(ground, its_id)[0].get("State") != "pending")
    born = cycle.born(ground, its_id)
    assert cycle.find(ground, its_id) == [born]
    changed = {**born, **cycle.change(ground, its_id)}
    assert changed != born
    assert cycle.find(ground, its_id) == [changed]
    cycle.end(ground, its_id)
    assert cycle.find(ground, its_id) == []
    assert everything(ground.ec2) == before


def test_a_tool_finds_a_vpcs_own_parts(ground: Ground) -> None:
    """What comes with a VPC is found by the filters that a tool uses, once each."""
    of_vpc = named("vpc-id", ground.vpc)
    assert the_main_table(ground.ec2, ground.vpc)["VpcId"] == ground.vpc
    acls = ground.ec2.describe_network_acls(Filters=[*of_vpc, *named("default", "true")])["NetworkAcls"]
    groups = ground.ec2.describe_security_groups(Filters=[*of_vpc, *named("group-name", "default")])["SecurityGroups"]
    assert (len(acls), len(groups)) == (1, 1)
    assert [it["SubnetId"] for it in acls[0]["Associations"]] == [ground.subnet]
