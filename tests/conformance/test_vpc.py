"""VPCs, subnets, gateways and routes: what comes with them, what they allow, what is refused (aws-facts 3.5, 3.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.networks import (
    ACCOUNT,
    ANYWHERE,
    Id,
    a_subnet,
    a_vpc,
    an_attached_gateway,
    named,
    refused,
    the_default_group,
    the_main_table,
)
from tests.local.cloud_under_test import Cloud

UNKNOWN = "0123456789abcdef0"
"""Of an id that nothing has."""


@pytest.fixture(scope="module")
def ec2(cloud: Cloud) -> Any:
    return cloud.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> Iterator[str]:
    with a_vpc(ec2) as vpc_id:
        yield vpc_id


# -- what comes with it ----------------------------------------------------------------------------------------


@pytest.mark.fact("3.5/new-vpc")
def test_a_new_vpc_has_a_main_table_a_group_an_acl_and_no_gateway(ec2: Any, vpc: str) -> None:
    made = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]
    assert (made["InstanceTenancy"], made["IsDefault"]) == ("default", False)
    of_vpc = named("vpc-id", vpc)
    assert [it["RouteTableId"] for it in ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]] == [Id("rtb")]
    assert the_main_table(ec2, vpc)["Routes"] == [
        {
            "DestinationCidrBlock": "192.168.0.0/23",
            "GatewayId": "local",
            "Origin": "CreateRouteTable",
            "State": "active",
        }
    ]
    assert [it["GroupName"] for it in ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]] == ["default"]
    acls = ec2.describe_network_acls(Filters=[*of_vpc, *named("default", "true")])["NetworkAcls"]
    entries = [(it["Egress"], it["RuleNumber"], it["RuleAction"], it["CidrBlock"]) for it in acls[0]["Entries"]]
    assert sorted(entries) == [
        *((egress, 100, "allow", ANYWHERE) for egress in (False,)),
        (False, 32767, "deny", ANYWHERE),
        (True, 100, "allow", ANYWHERE),
        (True, 32767, "deny", ANYWHERE),
    ]
    assert ec2.describe_internet_gateways(Filters=named("attachment.vpc-id", vpc))["InternetGateways"] == []


@pytest.mark.fact("3.5/default-group")
def test_a_default_group_admits_its_members_and_lets_everything_out(ec2: Any, vpc: str) -> None:
    group = the_default_group(ec2, vpc)
    everything = {"IpProtocol": "-1", "Ipv6Ranges": [], "PrefixListIds": []}
    members = [{"GroupId": group["GroupId"], "UserId": ACCOUNT}]
    assert group["Description"] == "default VPC security group"
    assert group["IpPermissions"] == [{**everything, "IpRanges": [], "UserIdGroupPairs": members}]
    out = {**everything, "IpRanges": [{"CidrIp": ANYWHERE}], "UserIdGroupPairs": []}
    assert group["IpPermissionsEgress"] == [out]
    assert refused(ec2.delete_security_group, GroupId=group["GroupId"]) == (
        "CannotDelete",
        f'the specified group: "{group["GroupId"]}" name: "default" cannot be deleted by a user',
    )


@pytest.mark.fact("3.5/default-vpc")
def test_the_account_has_a_default_vpc_that_reaches_the_internet(ec2: Any) -> None:
    found = ec2.describe_vpcs(Filters=named("is-default", "true"))["Vpcs"]
    assert [it["CidrBlock"] for it in found] == ["172.31.0.0/16"]
    vpc_id = found[0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=named("vpc-id", vpc_id))["Subnets"]
    zones = [it["ZoneName"] for it in ec2.describe_availability_zones()["AvailabilityZones"]]
    assert sorted(it["AvailabilityZone"] for it in subnets) == zones
    assert all(it["CidrBlock"].endswith("/20") and it["DefaultForAz"] for it in subnets)
    assert all(it["MapPublicIpOnLaunch"] and it["AvailableIpAddressCount"] == 4091 for it in subnets)
    routes = {it["DestinationCidrBlock"]: it["GatewayId"] for it in the_main_table(ec2, vpc_id)["Routes"]}
    assert routes == {"172.31.0.0/16": "local", ANYWHERE: Id("igw")}
    dns = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")
    assert dns["EnableDnsHostnames"] == {"Value": True}


@pytest.mark.fact("3.5/zone-ids")
def test_zones_have_the_ids_of_the_handouts_account(ec2: Any) -> None:
    zones = ec2.describe_availability_zones(ZoneNames=["us-east-1a", "us-east-1b"])["AvailabilityZones"]
    assert [it["ZoneId"] for it in zones] == ["use1-az2", "use1-az4"]
    assert {key: zones[0][key] for key in ("State", "OptInStatus", "RegionName", "ZoneType", "NetworkBorderGroup")} == {
        "State": "available",
        "OptInStatus": "opt-in-not-required",
        "RegionName": "us-east-1",
        "ZoneType": "availability-zone",
        "NetworkBorderGroup": "us-east-1",
    }
    assert ec2.describe_availability_zones(ZoneIds=["use1-az6"])["AvailabilityZones"][0]["ZoneName"] == "us-east-1c"
    assert refused(ec2.describe_availability_zones, ZoneNames=["us-east-1z"]) == (
        "InvalidParameterValue",
        "Invalid availability zone: [us-east-1z]",
    )


@pytest.mark.fact("3.5/t2-micro-zones")
def test_not_every_zone_has_every_type(ec2: Any) -> None:
    offered = ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=named("instance-type", "t2.micro")
    )["InstanceTypeOfferings"]
    zones = {it["Location"] for it in offered}
    assert "us-east-1a" in zones and "us-east-1e" not in zones


# -- blocks and zones ------------------------------------------------------------------------------------------


@pytest.mark.fact("3.5/prefix")
@pytest.mark.fact("3.7/1")
@pytest.mark.fact("3.7/2")
def test_a_vpc_lies_between_16_and_28(ec2: Any) -> None:
    for block in ("10.0.0.0/8", "10.0.0.0/15", "10.0.0.0/29"):
        assert refused(ec2.create_vpc, CidrBlock=block) == ("InvalidVpc.Range", f"The CIDR '{block}' is invalid.")
    for text in ("lab", "10.0.0.0", "10.0.0.300/24", "10.0.0.0/33"):
        assert refused(ec2.create_vpc, CidrBlock=text) == (
            "InvalidParameterValue",
            f"Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        )
    with a_vpc(ec2, "10.3.0.0/28") as smallest:
        subnet = ec2.create_subnet(VpcId=smallest, CidrBlock="10.3.0.0/28")["Subnet"]
        assert subnet["AvailableIpAddressCount"] == 11
    with a_vpc(ec2, "10.4.7.9/16") as largest:  # host bits are dropped
        assert ec2.describe_vpcs(VpcIds=[largest])["Vpcs"][0]["CidrBlock"] == "10.4.0.0/16"


@pytest.mark.fact("3.5/prefix")
@pytest.mark.fact("3.7/3")
@pytest.mark.fact("3.7/4")
@pytest.mark.fact("3.7/5")
def test_a_subnet_lies_in_its_vpc_beside_the_others_in_a_zone_that_there_is(ec2: Any, vpc: str) -> None:
    a_subnet(ec2, vpc)

    def asked(block: str, **more: str) -> tuple[str, str]:
        return refused(ec2.create_subnet, VpcId=vpc, CidrBlock=block, **more)

    for block in ("10.1.0.0/24", "192.168.0.0/16", "192.168.1.0/29"):
        assert asked(block) == ("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    for block in ("192.168.0.0/24", "192.168.0.128/25", "192.168.0.0/23"):
        assert asked(block) == ("InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet")
    assert asked("x")[1] == "Value (x) for parameter cidrBlock is invalid. This is not a valid CIDR block."
    assert asked("192.168.1.0/24", AvailabilityZone="us-east-1z") == (
        "InvalidParameterValue",
        "Value (us-east-1z) for parameter availabilityZone is invalid. Subnets can currently only be created in the "
        "following availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f.",
    )
    by_id = ec2.create_subnet(VpcId=vpc, CidrBlock="192.168.1.7/24", AvailabilityZoneId="use1-az4")["Subnet"]
    assert (by_id["AvailabilityZone"], by_id["CidrBlock"]) == ("us-east-1b", "192.168.1.0/24")


@pytest.mark.fact("3.5/reserved")
def test_five_addresses_of_a_subnet_are_aws_own(ec2: Any, vpc: str) -> None:
    subnet = a_subnet(ec2, vpc)

    def free() -> int:
        return int(ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"])

    assert free() == 251
    for last in (0, 1, 2, 3, 255):
        reserved = f"192.168.0.{last}"
        assert refused(ec2.create_network_interface, SubnetId=subnet, PrivateIpAddress=reserved) == (
            "InvalidParameterValue",
            "Address does not fall within the subnet's address range",
        )
    for last in (4, 254):
        address = f"192.168.0.{last}"
        made = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=address)["NetworkInterface"]
        assert made["PrivateIpAddress"] == address
    assert free() == 249
    assert refused(ec2.create_network_interface, SubnetId=subnet, PrivateIpAddress="192.168.0.4") == (
        "InvalidIPAddress.InUse",
        "Address 192.168.0.4 is in use.",
    )


@pytest.mark.fact("3.5/map-public-ip")
def test_a_subnet_that_somebody_makes_maps_no_public_addresses(ec2: Any, vpc: str) -> None:
    subnet = a_subnet(ec2, vpc)
    maps = [it["MapPublicIpOnLaunch"] for it in ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    maps += [it["MapPublicIpOnLaunch"] for it in ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]]
    assert maps == [False, True]


# -- gateways and routes ---------------------------------------------------------------------------------------


@pytest.mark.fact("3.7/6")
@pytest.mark.fact("3.7/7")
@pytest.mark.fact("3.7/11")
def test_a_vpc_has_one_gateway_and_a_gateway_one_vpc(ec2: Any, vpc: str) -> None:
    gateway = an_attached_gateway(ec2, vpc)
    again = refused(ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    assert again == ("Resource.AlreadyAssociated", f"resource {gateway} is already attached to network {vpc}")
    second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    assert refused(ec2.attach_internet_gateway, InternetGatewayId=second, VpcId=vpc) == (
        "InvalidParameterValue",
        f"Network {vpc} already has an internet gateway attached",
    )
    assert refused(ec2.delete_internet_gateway, InternetGatewayId=gateway) == (
        "DependencyViolation",
        f"The internetGateway '{gateway}' has dependencies and cannot be deleted.",
    )
    assert refused(ec2.detach_internet_gateway, InternetGatewayId=second, VpcId=vpc) == (
        "Gateway.NotAttached",
        f"resource {second} is not attached to network {vpc}",
    )
    ec2.delete_internet_gateway(InternetGatewayId=second)


@pytest.mark.fact("3.7/8")
@pytest.mark.fact("3.7/9")
def test_a_route_leads_to_the_gateway_of_its_own_vpc_once(ec2: Any, vpc: str) -> None:
    table, gateway = the_main_table(ec2, vpc)["RouteTableId"], ec2.create_internet_gateway()["InternetGateway"]
    route = {"RouteTableId": table, "DestinationCidrBlock": ANYWHERE, "GatewayId": gateway["InternetGatewayId"]}
    elsewhere = (
        "InvalidParameterValue",
        f"route table {table} and network gateway {route['GatewayId']} belong to different networks",
    )
    assert refused(ec2.create_route, **route) == elsewhere
    with a_vpc(ec2, "10.5.0.0/24") as other:
        ec2.attach_internet_gateway(InternetGatewayId=route["GatewayId"], VpcId=other)
        assert refused(ec2.create_route, **route) == elsewhere
        ec2.detach_internet_gateway(InternetGatewayId=route["GatewayId"], VpcId=other)
    ec2.attach_internet_gateway(InternetGatewayId=route["GatewayId"], VpcId=vpc)
    assert ec2.create_route(**route)["Return"] is True
    exists = ("RouteAlreadyExists", "The route identified by 0.0.0.0/0 already exists.")
    assert refused(ec2.create_route, **route) == exists
    unknown = f"igw-{UNKNOWN}"
    assert refused(ec2.create_route, **{**route, "GatewayId": unknown}) == (
        "InvalidGatewayID.NotFound",
        f"The gateway ID '{unknown}' does not exist",
    )


def test_routes_are_replaced_and_removed_but_the_local_one_stays(ec2: Any, vpc: str) -> None:
    table, gateway = the_main_table(ec2, vpc)["RouteTableId"], an_attached_gateway(ec2, vpc)
    route = {"RouteTableId": table, "DestinationCidrBlock": "10.7.7.7/16", "GatewayId": gateway}
    assert refused(ec2.replace_route, **route) == (
        "InvalidParameterValue",
        "There is no route defined for '10.7.0.0/16' in the route table. Use CreateRoute instead.",
    )
    ec2.create_route(**route)
    made = {"DestinationCidrBlock": "10.7.0.0/16", "GatewayId": gateway, "Origin": "CreateRoute", "State": "active"}
    assert made in the_main_table(ec2, vpc)["Routes"]
    ec2.replace_route(**route)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.7.0.0/16")
    assert refused(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="10.7.0.0/16") == (
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block 10.7.0.0/16 in route table {table}",
    )
    assert refused(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="192.168.0.0/23") == (
        "InvalidParameterValue",
        f"cannot remove local route 192.168.0.0/23 in route table {table}",
    )


@pytest.mark.fact("3.5/blackhole")
def test_a_route_whose_gateway_is_gone_is_a_black_hole(ec2: Any, vpc: str) -> None:
    table, gateway = the_main_table(ec2, vpc)["RouteTableId"], an_attached_gateway(ec2, vpc)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway)

    def state() -> tuple[str, str]:
        routes = {it["DestinationCidrBlock"]: it for it in the_main_table(ec2, vpc)["Routes"]}
        return routes[ANYWHERE]["State"], routes[ANYWHERE]["GatewayId"]

    seen = [state()]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    seen.append(state())
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    seen.append(state())
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    seen.append(state())
    assert seen == [("active", gateway), ("blackhole", gateway), ("active", gateway), ("blackhole", gateway)]
    holes = ec2.describe_route_tables(Filters=[*named("vpc-id", vpc), *named("route.state", "blackhole")])[
        "RouteTables"
    ]
    assert [it["RouteTableId"] for it in holes] == [table]


@pytest.mark.fact("3.5/main-table")
@pytest.mark.fact("3.7/15")
def test_a_subnet_follows_the_main_table_until_it_is_associated(ec2: Any, vpc: str) -> None:
    subnet, main = a_subnet(ec2, vpc), the_main_table(ec2, vpc)["RouteTableId"]
    by_subnet = named("association.subnet-id", subnet)
    assert ec2.describe_route_tables(Filters=by_subnet)["RouteTables"] == []
    association = ec2.associate_route_table(RouteTableId=main, SubnetId=subnet)
    assert association["AssociationState"] == {"State": "associated"}
    assert (
        ec2.associate_route_table(RouteTableId=main, SubnetId=subnet)["AssociationId"] == association["AssociationId"]
    )
    assert [it["RouteTableId"] for it in ec2.describe_route_tables(Filters=by_subnet)["RouteTables"]] == [main]
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert refused(ec2.associate_route_table, RouteTableId=other, SubnetId=subnet) == (
        "Resource.AlreadyAssociated",
        f"the specified association for route table {other} conflicts with an existing association",
    )
    moved = ec2.replace_route_table_association(AssociationId=association["AssociationId"], RouteTableId=other)
    assert moved["NewAssociationId"] == Id("rtbassoc")
    for table in (main, other):
        assert refused(ec2.delete_route_table, RouteTableId=table) == (
            "DependencyViolation",
            f"The routeTable '{table}' has dependencies and cannot be deleted.",
        )
    ec2.disassociate_route_table(AssociationId=moved["NewAssociationId"])
    assert refused(ec2.disassociate_route_table, AssociationId=moved["NewAssociationId"]) == (
        "InvalidAssociationID.NotFound",
        f"The association ID '{moved['NewAssociationId']}' does not exist",
    )
    ec2.delete_route_table(RouteTableId=other)


@pytest.mark.fact("3.5/main-table")
def test_another_table_may_become_the_main_one(ec2: Any, vpc: str) -> None:
    before = the_main_table(ec2, vpc)
    association = before["Associations"][0]["RouteTableAssociationId"]
    assert refused(ec2.disassociate_route_table, AssociationId=association) == (
        "InvalidParameterValue",
        f"cannot disassociate the main route table association {association}",
    )
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)
    assert the_main_table(ec2, vpc)["RouteTableId"] == other
    ec2.delete_route_table(RouteTableId=before["RouteTableId"])


@pytest.mark.fact("3.5/subnet-association")
def test_a_subnet_takes_its_association_with_it(ec2: Any, vpc: str) -> None:
    subnet, table = a_subnet(ec2, vpc), ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.delete_subnet(SubnetId=subnet)
    assert ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"] == []
    acl = ec2.describe_network_acls(Filters=named("vpc-id", vpc))["NetworkAcls"][0]
    assert acl["Associations"] == []
    ec2.delete_route_table(RouteTableId=table)


# -- names -----------------------------------------------------------------------------------------------------


def test_dns_host_names_are_off_until_they_are_asked_for(ec2: Any, vpc: str) -> None:
    def attribute(name: str) -> bool:
        read = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=name)
        return bool(read[name[0].upper() + name[1:]]["Value"])

    before = {name: attribute(name) for name in ("enableDnsHostnames", "enableDnsSupport")}
    assert before == {"enableDnsHostnames": False, "enableDnsSupport": True}
    subnet = a_subnet(ec2, vpc)
    gateway = an_attached_gateway(ec2, vpc)
    made = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address()
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=made)

    def names() -> tuple[str | None, str]:
        shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[made])["NetworkInterfaces"][0]
        return shown.get("PrivateDnsName"), shown["Association"]["PublicDnsName"]

    assert names() == (None, "")
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert attribute("enableDnsHostnames")
    private = ec2.describe_network_interfaces(NetworkInterfaceIds=[made])["NetworkInterfaces"][0]["PrivateIpAddress"]
    assert names() == (
        f"ip-{private.replace('.', '-')}.ec2.internal",
        f"ec2-{address['PublicIp'].replace('.', '-')}.compute-1.amazonaws.com",
    )
    assert refused(
        ec2.modify_vpc_attribute, VpcId=vpc, EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True}
    ) == (
        "InvalidParameterCombination",
        "Fields for multiple attribute types specified: enableDnsSupport, enableDnsHostnames",
    )
    assert refused(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)[0] == "DependencyViolation"
    assert refused(ec2.release_address, AllocationId=address["AllocationId"]) == (
        "InvalidIPAddress.InUse",
        f"Address {address['PublicIp']} is in use.",
    )
    ec2.delete_network_interface(NetworkInterfaceId=made)
    ec2.release_address(AllocationId=address["AllocationId"])
    assert ec2.describe_addresses()["Addresses"] == []


# -- quotas ----------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.5/quotas")
def test_an_account_has_quotas(ec2: Any) -> None:
    made: list[str] = []
    gateways: list[str] = []
    try:
        while len(ec2.describe_vpcs()["Vpcs"]) < 5:
            made.append(ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"])
        assert refused(ec2.create_vpc, CidrBlock="10.6.0.0/16") == (
            "VpcLimitExceeded",
            "The maximum number of VPCs has been reached.",
        )
        while len(ec2.describe_internet_gateways()["InternetGateways"]) < 5:
            gateways.append(ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
        assert refused(ec2.create_internet_gateway) == (
            "InternetGatewayLimitExceeded",
            "The maximum number of internet gateways has been reached.",
        )
    finally:
        for vpc_id in made:
            ec2.delete_vpc(VpcId=vpc_id)
        for gateway_id in gateways:
            ec2.delete_internet_gateway(InternetGatewayId=gateway_id)


@pytest.mark.fact("3.5/quotas")
def test_an_account_has_five_elastic_addresses(ec2: Any) -> None:
    addresses = [ec2.allocate_address()["AllocationId"] for _ in range(5)]
    assert refused(ec2.allocate_address) == (
        "AddressLimitExceeded",
        "The maximum number of addresses has been reached.",
    )
    for allocation_id in addresses:
        ec2.release_address(AllocationId=allocation_id)
    attributes = {
        it["AttributeName"]: it["AttributeValues"][0]["AttributeValue"]
        for it in ec2.describe_account_attributes()["AccountAttributes"]
    }
    assert (attributes["vpc-max-elastic-ips"], attributes["vpc-max-security-groups-per-interface"]) == ("5", "5")
    assert attributes["default-vpc"] == Id("vpc")


@pytest.mark.fact("3.5/quotas")
def test_a_vpc_has_200_subnets(ec2: Any) -> None:
    with a_vpc(ec2, "10.8.0.0/16") as vpc_id:
        for number in range(200):
            ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.8.{number}.0/28")
        assert refused(ec2.create_subnet, VpcId=vpc_id, CidrBlock="10.8.250.0/28") == (
            "SubnetLimitExceeded",
            "The maximum number of subnets has been reached.",
        )


@pytest.mark.fact("3.5/quotas")
def test_an_interface_has_five_groups(ec2: Any, vpc: str) -> None:
    subnet = a_subnet(ec2, vpc)
    groups = [ec2.create_security_group(GroupName=f"g{n}", Description="-", VpcId=vpc)["GroupId"] for n in range(6)]
    too_many = (
        "SecurityGroupsPerInterfaceLimitExceeded",
        "The maximum number of security groups per interface has been reached.",
    )
    assert refused(ec2.create_network_interface, SubnetId=subnet, Groups=groups) == too_many
    made = ec2.create_network_interface(SubnetId=subnet, Groups=groups[:5])["NetworkInterface"]["NetworkInterfaceId"]
    change = {"NetworkInterfaceId": made, "Groups": groups}
    assert refused(ec2.modify_network_interface_attribute, **change) == too_many
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    launch = {"ImageId": image, "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet}
    assert refused(ec2.run_instances, **launch, SecurityGroupIds=groups) == too_many


# -- through the command line ----------------------------------------------------------------------------------


@pytest.mark.fact("3.7/4")
@pytest.mark.fact("3.7/13")
def test_the_aws_cli_says_the_same(aws: Aws) -> None:
    vpc = aws("ec2", "create-vpc", "--cidr-block", "10.2.0.0/24")["Vpc"]["VpcId"]
    block = ("--vpc-id", vpc, "--cidr-block", "10.2.0.0/25")
    subnet = aws("ec2", "create-subnet", *block)["Subnet"]["SubnetId"]
    assert aws.refused("ec2", "create-subnet", *block).endswith(
        "An error occurred (InvalidSubnet.Conflict) when calling the CreateSubnet operation: The CIDR '10.2.0.0/25' "
        "conflicts with another subnet"
    )
    assert aws.refused("ec2", "delete-vpc", "--vpc-id", vpc).endswith(
        "An error occurred (DependencyViolation) when calling the DeleteVpc operation: The vpc "
        f"'{vpc}' has dependencies and cannot be deleted."
    )
    aws("ec2", "delete-subnet", "--subnet-id", subnet)
    aws("ec2", "delete-vpc", "--vpc-id", vpc)
