"""Lists of the network: ids, filters, pages, dry runs; and the tags on everything (aws-facts 3.7 row 27)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config

from tests.conformance.aws_cli import Aws
from tests.conformance.networks import (
    Id,
    a_subnet,
    a_vpc,
    an_attached_gateway,
    named,
    refused,
    tagged,
    the_default_group,
    the_main_table,
)
from tests.local.cloud_under_test import Cloud

UNKNOWN = "0123456789abcdef0"

LISTS = {
    "describe_vpcs": ("VpcIds", "Vpcs"),
    "describe_subnets": ("SubnetIds", "Subnets"),
    "describe_internet_gateways": ("InternetGatewayIds", "InternetGateways"),
    "describe_route_tables": ("RouteTableIds", "RouteTables"),
    "describe_security_groups": ("GroupIds", "SecurityGroups"),
    "describe_security_group_rules": ("SecurityGroupRuleIds", "SecurityGroupRules"),
    "describe_network_acls": ("NetworkAclIds", "NetworkAcls"),
    "describe_network_interfaces": ("NetworkInterfaceIds", "NetworkInterfaces"),
    "describe_dhcp_options": ("DhcpOptionsIds", "DhcpOptions"),
}
"""Call -> the ids that it takes, the list that it gives."""

IDS = (
    ("describe_vpcs", "VpcIds", "vpc", "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
    ("describe_subnets", "SubnetIds", "subnet", "InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist"),
    ("describe_internet_gateways", "InternetGatewayIds", "igw", "InvalidInternetGatewayID.NotFound",
     "The internetGateway ID '{}' does not exist"),
    ("describe_route_tables", "RouteTableIds", "rtb", "InvalidRouteTableID.NotFound",
     "The routeTable ID '{}' does not exist"),
    ("describe_security_groups", "GroupIds", "sg", "InvalidGroup.NotFound", "The security group '{}' does not exist"),
    ("describe_security_group_rules", "SecurityGroupRuleIds", "sgr", "InvalidSecurityGroupRuleId.NotFound",
     "The security group rule ID '{}' does not exist"),
    ("describe_network_acls", "NetworkAclIds", "acl", "InvalidNetworkAclID.NotFound",
     "The networkAcl ID '{}' does not exist"),
    ("describe_network_interfaces", "NetworkInterfaceIds", "eni", "InvalidNetworkInterfaceID.NotFound",
     "The networkInterface ID '{}' does not exist"),
)  # fmt: skip
MALFORMED = {
    "igw": "InvalidInternetGatewayId.Malformed",
    "rtb": "InvalidRouteTableId.Malformed",
    "sg": "InvalidGroupId.Malformed",
    "sgr": "InvalidSecurityGroupRuleId.Malformed",
    "acl": "InvalidNetworkAclId.Malformed",
    "eni": "InvalidNetworkInterfaceId.Malformed",
}
"""Where a text that cannot be an id is told from one that names nothing."""


@pytest.fixture(scope="module")
def ec2(cloud: Cloud) -> Any:
    return cloud.client("ec2")


@pytest.fixture(scope="module")
def unchecked(cloud: Cloud) -> Any:
    """A client that sends what boto3 itself would refuse."""
    return cloud.client("ec2", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))


@pytest.fixture(scope="module")
def vpc(ec2: Any) -> Iterator[str]:
    with a_vpc(ec2) as vpc_id:
        yield vpc_id


# -- ids -------------------------------------------------------------------------------------------------------


@pytest.mark.fact("3.7/27-network")
@pytest.mark.fact("3.7/18")
@pytest.mark.parametrize("call, ids, prefix, code, message", IDS, ids=[it[0] for it in IDS])
def test_an_id_that_names_nothing(ec2: Any, call: str, ids: str, prefix: str, code: str, message: str) -> None:
    unknown = f"{prefix}-{UNKNOWN}"
    assert refused(getattr(ec2, call), **{ids: [unknown]}) == (code, message.format(unknown))
    nonsense = refused(getattr(ec2, call), **{ids: ["not-an-id"]})
    if prefix in MALFORMED:
        assert nonsense == (MALFORMED[prefix], f'Invalid id: "not-an-id" (expecting "{prefix}-...")')
    else:
        assert nonsense == (code, message.format("not-an-id"))


@pytest.mark.fact("3.7/27-network")
def test_every_action_looks_its_ids_up(ec2: Any, vpc: str) -> None:
    subnet, table, gateway = f"subnet-{UNKNOWN}", f"rtb-{UNKNOWN}", f"igw-{UNKNOWN}"
    no_vpc = ("InvalidVpcID.NotFound", f"The vpc ID 'vpc-{UNKNOWN}' does not exist")
    for call, more in (
        ("create_subnet", {"CidrBlock": "10.0.0.0/24"}),
        ("create_route_table", {}),
        ("create_security_group", {"GroupName": "g", "Description": "g"}),
        ("describe_vpc_attribute", {"Attribute": "enableDnsSupport"}),
        ("delete_vpc", {}),
    ):
        assert refused(getattr(ec2, call), VpcId=f"vpc-{UNKNOWN}", **more) == no_vpc
    no_subnet = ("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")
    assert refused(ec2.delete_subnet, SubnetId=subnet) == no_subnet
    assert refused(ec2.create_network_interface, SubnetId=subnet) == no_subnet
    main = the_main_table(ec2, vpc)["RouteTableId"]
    assert refused(ec2.associate_route_table, RouteTableId=main, SubnetId=subnet) == no_subnet
    no_gateway = ("InvalidInternetGatewayID.NotFound", f"The internetGateway ID '{gateway}' does not exist")
    assert refused(ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc) == no_gateway
    assert refused(ec2.delete_internet_gateway, InternetGatewayId=gateway) == no_gateway
    no_table = ("InvalidRouteTableID.NotFound", f"The routeTable ID '{table}' does not exist")
    assert refused(ec2.delete_route_table, RouteTableId=table) == no_table
    assert refused(ec2.delete_route, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0") == no_table
    mine = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    assert refused(ec2.attach_internet_gateway, InternetGatewayId=mine, VpcId="nonsense") == (
        "InvalidVpcId.Malformed",
        'Invalid id: "nonsense" (expecting "vpc-...")',
    )
    ec2.delete_internet_gateway(InternetGatewayId=mine)


# -- filters, pages, dry runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", LISTS)
def test_an_unknown_filter_is_refused(ec2: Any, call: str) -> None:
    assert refused(getattr(ec2, call), Filters=named("colour", "green")) == (
        "InvalidParameterValue",
        "The filter 'colour' is invalid",
    )
    too_many = [f"10.{number}.0.0/16" for number in range(201)]
    assert refused(getattr(ec2, call), Filters=named("tag:Name", *too_many))[0] == "FilterLimitExceeded"


@pytest.mark.parametrize("call", LISTS)
def test_a_page_has_5_to_1000_and_goes_without_ids(unchecked: Any, ec2: Any, call: str) -> None:
    ids, answer = LISTS[call]
    assert refused(getattr(unchecked, call), MaxResults=4) == (
        "InvalidParameterValue",
        "Value ( 4 ) for parameter MaxResults is invalid. Expecting a value greater than or equal to 5.",
    )
    assert refused(getattr(unchecked, call), MaxResults=1001) == (
        "InvalidParameterValue",
        "Value ( 1001 ) for parameter MaxResults is invalid. Expecting a value smaller than or equal to 1000.",
    )
    assert refused(getattr(ec2, call), MaxResults=5, **{ids: ["x"]}) == (
        "InvalidParameterCombination",
        f"The parameter {ids} cannot be used with the parameter MaxResults",
    )
    assert answer in getattr(ec2, call)(MaxResults=5)
    assert refused(getattr(ec2, call), DryRun=True) == (
        "DryRunOperation",
        "Request would have succeeded, but DryRun flag is set.",
    )


def test_pages_together_are_the_whole(ec2: Any) -> None:
    whole = {it["SubnetId"] for it in ec2.describe_subnets()["Subnets"]}
    pages = list(ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))
    assert len(pages) == 2 and len(pages[0]["Subnets"]) == 5
    assert {it["SubnetId"] for page in pages for it in page["Subnets"]} == whole
    assert refused(ec2.describe_subnets, NextToken="nonsense")[0] == "InvalidNextToken"


def test_subnets_are_found_by_what_they_show(ec2: Any, vpc: str) -> None:
    subnet = a_subnet(ec2, vpc, zone="us-east-1b")
    for name, value in (
        ("availability-zone", "us-east-1b"),
        ("availabilityZone", "us-east-1b"),
        ("availability-zone-id", "use1-az4"),
        ("available-ip-address-count", "251"),
        ("cidr-block", "192.168.0.0/24"),
        ("cidr", "192.168.0.0/24"),
        ("default-for-az", "false"),
        ("map-public-ip-on-launch", "false"),
        ("owner-id", "000000000000"),
        ("subnet-arn", f"arn:aws:ec2:us-east-1:000000000000:subnet/{subnet}"),
        ("subnet-id", f"{subnet[:12]}*"),
    ):
        filters = [*named("vpc-id", vpc), *named(name, value, "neither")]
        assert [it["SubnetId"] for it in ec2.describe_subnets(Filters=filters)["Subnets"]] == [subnet], name
    ec2.delete_subnet(SubnetId=subnet)


def test_a_dry_run_is_checked_and_changes_nothing(ec2: Any, vpc: str) -> None:
    subnet, gateway = a_subnet(ec2, vpc), an_attached_gateway(ec2, vpc)
    group = the_default_group(ec2, vpc)["GroupId"]
    rule = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    for call, params in (
        ("create_vpc", {"CidrBlock": "10.0.0.0/16"}),
        ("create_subnet", {"VpcId": vpc, "CidrBlock": "192.168.1.0/24"}),
        ("delete_subnet", {"SubnetId": subnet}),
        ("create_internet_gateway", {}),
        ("detach_internet_gateway", {"InternetGatewayId": gateway, "VpcId": vpc}),
        ("create_route_table", {"VpcId": vpc}),
        ("create_security_group", {"VpcId": vpc, "GroupName": "g", "Description": "g"}),
        ("authorize_security_group_ingress", {"GroupId": group, "IpPermissions": rule}),
        ("create_network_interface", {"SubnetId": subnet}),
        ("allocate_address", {}),
        ("create_tags", {"Resources": [vpc], "Tags": [{"Key": "a", "Value": "b"}]}),
    ):
        assert refused(getattr(ec2, call), DryRun=True, **params)[0] == "DryRunOperation", call
    assert refused(ec2.delete_vpc, VpcId=vpc, DryRun=True)[0] == "DependencyViolation"
    of_vpc = named("vpc-id", vpc)
    assert [it["SubnetId"] for it in ec2.describe_subnets(Filters=of_vpc)["Subnets"]] == [subnet]
    assert len(ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]) == 1
    assert ec2.describe_network_interfaces(Filters=of_vpc)["NetworkInterfaces"] == []
    assert "Tags" not in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=subnet)


# -- tags ------------------------------------------------------------------------------------------------------


def test_tags_are_put_on_changed_and_taken_off(ec2: Any, vpc: str) -> None:
    def tags() -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in ec2.describe_tags(Filters=named("resource-id", vpc))["Tags"]}

    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "lab"}, {"Key": "empty", "Value": ""}])
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "the lab"}, {"Key": "step", "Value": "1"}])
    assert tags() == {"Name": "the lab", "empty": "", "step": "1"}
    one = ec2.describe_tags(Filters=[*named("resource-id", vpc), *named("key", "step")])["Tags"]
    assert one == [{"Key": "step", "ResourceId": vpc, "ResourceType": "vpc", "Value": "1"}]
    by_tag = ec2.describe_tags(Filters=[*named("resource-type", "vpc"), *named("tag:Name", "the*")])["Tags"]
    assert [it["ResourceId"] for it in by_tag] == [vpc]
    for name, value in (("tag:Name", "the lab"), ("tag-key", "step")):
        assert [it["VpcId"] for it in ec2.describe_vpcs(Filters=named(name, value))["Vpcs"]] == [vpc]
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "another"}])  # that value is not there
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "step"}, {"Key": "empty", "Value": ""}])
    assert tags() == {"Name": "the lab"}
    ec2.delete_tags(Resources=[vpc])
    assert tags() == {}


BAD_TAGS = (
    ([{"Key": "aws:name", "Value": "x"}],
     "Value ( aws:name ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"),
    ([{"Key": "k" * 129, "Value": "x"}], "Tag key exceeds the maximum length of 128 characters"),
    ([{"Key": "k", "Value": "v" * 257}], "Tag value exceeds the maximum length of 256 characters"),
    ([{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}], "Duplicate tag key 'k' specified."),
)  # fmt: skip


@pytest.mark.parametrize("tags, message", BAD_TAGS, ids=range(len(BAD_TAGS)))
def test_a_tag_that_cannot_be(ec2: Any, vpc: str, tags: list[dict[str, str]], message: str) -> None:
    assert refused(ec2.create_tags, Resources=[vpc], Tags=tags) == ("InvalidParameterValue", message)


def test_a_thing_has_50_tags(ec2: Any, vpc: str) -> None:
    fifty = [{"Key": f"k{number}", "Value": "v"} for number in range(50)]
    ec2.create_tags(Resources=[vpc], Tags=fifty)
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "k0", "Value": "another"}])
    assert refused(ec2.create_tags, Resources=[vpc], Tags=[{"Key": "one more", "Value": "v"}]) == (
        "TagLimitExceeded",
        "The maximum number of Tags for a resource has been reached.",
    )
    ec2.delete_tags(Resources=[vpc], Tags=fifty[:25])
    assert len(ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]) == 26
    ec2.delete_tags(Resources=[vpc])


def test_only_what_there_is_can_be_tagged(ec2: Any) -> None:
    tag = [{"Key": "k", "Value": "v"}]
    for resource, code in (
        (f"vpc-{UNKNOWN}", "InvalidVpcID.NotFound"),
        (f"subnet-{UNKNOWN}", "InvalidSubnetID.NotFound"),
        (f"igw-{UNKNOWN}", "InvalidInternetGatewayID.NotFound"),
        (f"rtb-{UNKNOWN}", "InvalidRouteTableID.NotFound"),
        (f"sg-{UNKNOWN}", "InvalidGroup.NotFound"),
        (f"eni-{UNKNOWN}", "InvalidNetworkInterfaceID.NotFound"),
        (f"i-{UNKNOWN}", "InvalidInstanceID.NotFound"),
        ("nonsense", "InvalidID"),
    ):
        assert refused(ec2.create_tags, Resources=[resource], Tags=tag)[0] == code
        assert refused(ec2.delete_tags, Resources=[resource], Tags=tag)[0] == code


def test_what_is_made_may_be_tagged_as_what_it_is(ec2: Any, vpc: str) -> None:
    made = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table", Name="public"))["RouteTable"]
    assert made["Tags"] == [{"Key": "Name", "Value": "public"}]
    assert refused(ec2.create_route_table, VpcId=vpc, TagSpecifications=tagged("subnet", Name="public")) == (
        "InvalidParameterValue",
        "'subnet' is not a valid taggable resource type for this operation.",
    )
    reserved = [{"ResourceType": "route-table", "Tags": [{"Key": "aws:x", "Value": "y"}]}]
    assert refused(ec2.create_route_table, VpcId=vpc, TagSpecifications=reserved) == (
        "InvalidParameterValue",
        "Tag keys starting with 'aws:' are reserved for internal use",
    )
    ec2.delete_route_table(RouteTableId=made["RouteTableId"])
    assert ec2.describe_tags(Filters=named("resource-id", made["RouteTableId"]))["Tags"] == []


# -- what an account has ---------------------------------------------------------------------------------------


def test_every_vpc_has_the_accounts_dhcp_options(ec2: Any, vpc: str) -> None:
    options = ec2.describe_dhcp_options()["DhcpOptions"]
    assert [(it["DhcpOptionsId"], it["Tags"]) for it in options] == [(Id("dopt"), [])]
    configured = {it["Key"]: [v["Value"] for v in it["Values"]] for it in options[0]["DhcpConfigurations"]}
    assert configured == {"domain-name": ["ec2.internal"], "domain-name-servers": ["AmazonProvidedDNS"]}
    assert {it["DhcpOptionsId"] for it in ec2.describe_vpcs()["Vpcs"]} == {options[0]["DhcpOptionsId"]}


NONE = {
    "describe_nat_gateways": ("NatGatewayIds", "NatGateways"),
    "describe_vpc_endpoints": ("VpcEndpointIds", "VpcEndpoints"),
    "describe_vpc_peering_connections": ("VpcPeeringConnectionIds", "VpcPeeringConnections"),
    "describe_egress_only_internet_gateways": ("EgressOnlyInternetGatewayIds", "EgressOnlyInternetGateways"),
    "describe_vpn_gateways": ("VpnGatewayIds", "VpnGateways"),
    "describe_vpn_connections": ("VpnConnectionIds", "VpnConnections"),
    "describe_flow_logs": ("FlowLogIds", "FlowLogs"),
    "describe_transit_gateway_vpc_attachments": ("TransitGatewayAttachmentIds", "TransitGatewayVpcAttachments"),
}


@pytest.mark.parametrize("call", NONE)
def test_what_the_account_has_none_of_is_an_empty_list(ec2: Any, call: str) -> None:
    ids, answer = NONE[call]
    assert getattr(ec2, call)()[answer] == []
    assert "NotFound" in refused(getattr(ec2, call), **{ids: [f"x-{UNKNOWN}"]})[0]


def test_what_is_left_out_says_so(ec2: Any) -> None:
    code, message = refused(ec2.create_nat_gateway, SubnetId=f"subnet-{UNKNOWN}")
    assert (code, message) == ("InvalidAction", "The local cloud does not answer CreateNatGateway of ec2.")


@pytest.mark.fact("3.7/27-network")
def test_the_aws_cli_pages_by_itself(aws: Aws) -> None:
    shown = aws("ec2", "describe-subnets", "--page-size", "5", "--query", "Subnets[].SubnetId")
    assert len(shown) == 6 and shown[0] == Id("subnet")
    assert aws.refused("ec2", "describe-vpcs", "--vpc-ids", f"vpc-{UNKNOWN}").endswith(
        "An error occurred (InvalidVpcID.NotFound) when calling the DescribeVpcs operation: "
        f"The vpc ID 'vpc-{UNKNOWN}' does not exist"
    )
