"""Network load balancers: what one is, what it is called, where it stands, how it comes and goes (aws-facts 1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.balancing_ground import (
    BALANCER_ATTRIBUTES,
    NO_BALANCER,
    Ground,
    lab_now,
    prepared,
    refusal,
    resolved,
    shown,
    state_of,
    until_active,
)
from tests.local.cloud_under_test import Cloud, eventually

PROVISIONING_S = (120, 240)
LINGER_S = 120


@dataclass(frozen=True)
class Made:
    """A load balancer from its making to its being active."""

    answer: dict[str, Any]
    while_provisioning: list[tuple[float, list[tuple[str, int]]]]
    """(when, what its name gave out) of each look before one that still saw it being provisioned."""
    first_active: float

    @property
    def arn(self) -> str:
        return str(self.answer["LoadBalancerArn"])

    @property
    def name(self) -> str:
        return str(self.answer["DNSName"])


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return prepared(cloud)


@pytest.fixture(scope="module")
def made(cloud: Cloud, ground: Ground) -> Made:
    answer = ground.balancer("front-door", Tags=[{"Key": "Name", "Value": "door"}])
    looks: list[tuple[float, list[tuple[str, int]]]] = []

    def is_active() -> bool:
        look = lab_now(cloud), resolved(cloud, answer["DNSName"])
        if state_of(ground, answer["LoadBalancerArn"]) == "active":
            return True
        looks.append(look)
        return False

    eventually(is_active)
    return Made(answer, looks, lab_now(cloud))


# -- what is read back -----------------------------------------------------------------------------------------


@pytest.mark.fact("1.1/describe-shape", "1.1/no-groups-key", "1.1/hosted-zone", "1.2/none-by-default")
def test_every_member_that_aws_shows_is_shown(ground: Ground, made: Made) -> None:
    (found,) = ground.elbv2.describe_load_balancers(Names=["front-door"])["LoadBalancers"]
    assert found.pop("CreatedTime") == made.answer["CreatedTime"]
    assert found == {
        "LoadBalancerArn": made.arn,
        "DNSName": made.name,
        "CanonicalHostedZoneId": "Z26RNL4JYFTOTI",
        "LoadBalancerName": "front-door",
        "Scheme": "internet-facing",
        "VpcId": ground.vpc,
        "State": {"Code": "active"},
        "Type": "network",
        "AvailabilityZones": [
            {"ZoneName": "us-east-1a", "SubnetId": ground.subnets[0], "LoadBalancerAddresses": []},
            {"ZoneName": "us-east-1b", "SubnetId": ground.subnets[1], "LoadBalancerAddresses": []},
        ],
        "IpAddressType": "ipv4",
    }


@pytest.mark.fact("1.1/dns-name")
def test_arn_and_name_share_their_sixteen_digits(made: Made) -> None:
    digits = re.fullmatch(
        r"arn:aws:elasticloadbalancing:us-east-1:\d{12}:loadbalancer/net/front-door/([0-9a-f]{16})", made.arn
    )
    assert digits and made.name == f"front-door-{digits[1]}.elb.us-east-1.amazonaws.com"


@pytest.mark.fact("1.1/states", "1.1/time-to-active", "1.4/not-while-provisioning")
def test_it_is_provisioning_for_two_to_four_minutes(cloud: Cloud, made: Made) -> None:
    assert made.answer["State"] == {"Code": "provisioning"}
    created = made.answer["CreatedTime"].timestamp()
    for when, names in made.while_provisioning:
        assert names == [], "its name does not resolve before its nodes are there"
        assert when - created <= PROVISIONING_S[1]
    assert made.first_active - created >= PROVISIONING_S[0]
    eventually(lambda: len(resolved(cloud, made.name)) == 2)


@pytest.mark.fact("1.1/nodes", "1.1/fixed-address")
def test_each_zone_has_a_node_with_an_interface_and_a_public_address(ground: Ground, made: Made) -> None:
    interfaces = ground.interfaces(made.arn)
    assert [it["SubnetId"] for it in interfaces] == list(ground.subnets)
    for interface, zone in zip(interfaces, ("us-east-1a", "us-east-1b"), strict=True):
        attachment = interface["Attachment"]
        assert attachment.pop("AttachmentId").startswith("ela-attach-")
        assert attachment == {
            "DeleteOnTermination": False, "DeviceIndex": 1, "InstanceOwnerId": "amazon-aws", "Status": "attached",
        }  # fmt: skip
        told = ("AvailabilityZone", "InterfaceType", "RequesterId", "RequesterManaged", "Status", "Groups", "VpcId")
        assert [interface[it] for it in told] == [
            zone, "network_load_balancer", "amazon-elb", True, "in-use", [], ground.vpc,
        ]  # fmt: skip
        assert interface["Association"]["PublicIp"] and interface["Association"]["IpOwnerId"] == "amazon-elb"
    assert len({it["Association"]["PublicIp"] for it in interfaces}) == 2


@pytest.mark.fact("1.1/zonal-name", "1.4/one-address-a-zone", "1.4/ttl")
def test_the_names_give_out_the_nodes_addresses(cloud: Cloud, ground: Ground, made: Made) -> None:
    addresses = {it["AvailabilityZone"]: it["Association"]["PublicIp"] for it in ground.interfaces(made.arn)}
    eventually(lambda: resolved(cloud, made.name))
    assert sorted(resolved(cloud, made.name)) == sorted((address, 60) for address in addresses.values())
    for zone, address in addresses.items():
        assert resolved(cloud, f"{zone}.{made.name}") == [(address, 60)]
    assert resolved(cloud, f"us-east-1c.{made.name}") == []


@pytest.mark.fact("1.1/attributes", "1.1/client-routing")
def test_attributes_have_aws_defaults_and_change(ground: Ground, made: Made) -> None:
    assert shown(ground.elbv2.describe_load_balancer_attributes(LoadBalancerArn=made.arn)) == BALANCER_ATTRIBUTES
    asked = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    changed = ground.elbv2.modify_load_balancer_attributes(LoadBalancerArn=made.arn, Attributes=asked)
    assert shown(changed) == {**BALANCER_ATTRIBUTES, "load_balancing.cross_zone.enabled": "true"}
    whole = [{"Key": key, "Value": value} for key, value in BALANCER_ATTRIBUTES.items()]
    modify = ground.elbv2.modify_load_balancer_attributes
    assert shown(modify(LoadBalancerArn=made.arn, Attributes=whole)) == BALANCER_ATTRIBUTES
    for key, value, code, message in (
        ("nothing.such", "1", "ValidationError", "Load balancer attribute key 'nothing.such' is not recognized"),
        ("idle_timeout.timeout_seconds", "60", "InvalidConfigurationRequest",
         "Load balancer attribute key 'idle_timeout.timeout_seconds' is not supported on load balancers with type "
         "'network'"),
        ("deletion_protection.enabled", "yes", "ValidationError",
         "'deletion_protection.enabled' value 'yes' must be one of [true, false]"),
        ("access_logs.s3.enabled", "true", "InvalidConfigurationRequest",
         "Access Denied for bucket: . Please check S3bucket permission"),
    ):  # fmt: skip
        said = refusal(modify, LoadBalancerArn=made.arn, Attributes=[{"Key": key, "Value": value}])
        assert said == (code, message)
    assert shown(ground.elbv2.describe_load_balancer_attributes(LoadBalancerArn=made.arn)) == BALANCER_ATTRIBUTES


def test_it_has_the_rest_that_tools_and_the_console_ask_for(ground: Ground, made: Made) -> None:
    reserved = ground.elbv2.describe_capacity_reservation(LoadBalancerArn=made.arn)
    assert reserved["CapacityReservationState"] == []
    kept = ground.elbv2.set_ip_address_type(LoadBalancerArn=made.arn, IpAddressType="ipv4")
    assert kept["IpAddressType"] == "ipv4"
    assert ground.elbv2.describe_listeners(LoadBalancerArn=made.arn)["Listeners"] == []
    assert ground.elbv2.describe_target_groups(LoadBalancerArn=made.arn)["TargetGroups"] == []


@pytest.mark.fact("1.1/describe-shape")
def test_the_aws_cli_reads_the_same(aws: Aws, made: Made) -> None:
    (found,) = aws("elbv2", "describe-load-balancers", "--names", "front-door")["LoadBalancers"]
    assert (found["LoadBalancerArn"], found["Type"], found["State"]) == (made.arn, "network", {"Code": "active"})
    assert "SecurityGroups" not in found


# -- making the same again -------------------------------------------------------------------------------------


@pytest.mark.fact("1.1/idempotence")
def test_the_same_name_and_settings_give_the_one_that_is_there(ground: Ground, made: Made) -> None:
    again = ground.balancer("front-door", Subnets=list(reversed(ground.subnets)))
    assert again["LoadBalancerArn"] == made.arn
    assert len(ground.interfaces(made.arn)) == 2


@pytest.mark.fact("3.7/32", "1.1/idempotence")
def test_the_same_name_with_other_settings_is_refused(ground: Ground, made: Made) -> None:
    for other in ({"Scheme": "internal"}, {"Subnets": [ground.subnets[0]]}, {"SecurityGroups": [ground.group]}):
        assert refusal(ground.balancer, name="front-door", **other) == (
            "DuplicateLoadBalancerName",
            "A load balancer with the same name 'front-door' exists, but with different settings",
        )


# -- one zone, other subnets, security groups ------------------------------------------------------------------


@pytest.mark.fact("1.1/one-zone", "1.1/set-subnets", "1.1/fixed-address")
def test_one_zone_is_enough_and_another_comes_and_goes(ground: Ground) -> None:
    one, two = ground.subnets
    arn = ground.balancer("one-zone", Subnets=None, SubnetMappings=[{"SubnetId": one}])["LoadBalancerArn"]
    (first,) = ground.interfaces(arn)
    answer = ground.elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[one, two])
    assert [it["SubnetId"] for it in answer["AvailabilityZones"]] == [one, two]
    assert answer["IpAddressType"] == "ipv4"
    kept, _ = ground.interfaces(arn)
    assert kept["Association"]["PublicIp"] == first["Association"]["PublicIp"], "a zone's address is for life"
    answer = ground.elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[two])
    assert [it["ZoneName"] for it in answer["AvailabilityZones"]] == ["us-east-1b"]
    (found,) = ground.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert [it["SubnetId"] for it in found["AvailabilityZones"]] == [two]
    ground.elbv2.delete_load_balancer(LoadBalancerArn=arn)


@pytest.mark.fact("1.1/internal")
def test_an_internal_one_needs_no_gateway_and_has_no_public_address(ground: Ground) -> None:
    vpc = ground.ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    subnet = ground.ec2.create_subnet(VpcId=vpc, CidrBlock="10.30.1.0/24")["Subnet"]["SubnetId"]
    made = ground.balancer("inside", Subnets=[subnet], Scheme="internal")
    assert (made["Scheme"], made["VpcId"]) == ("internal", vpc)
    (interface,) = ground.interfaces(made["LoadBalancerArn"])
    assert "Association" not in interface and interface["PrivateIpAddress"].startswith("10.30.1.")
    attributes = ground.elbv2.describe_load_balancer_attributes(LoadBalancerArn=made["LoadBalancerArn"])
    assert shown(attributes)["ipv6.deny_all_igw_traffic"] == "true"
    ground.elbv2.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


@pytest.mark.fact("1.2/at-creation")
def test_security_groups_are_given_at_creation_or_never(ground: Ground, made: Made) -> None:
    other = ground.ec2.create_security_group(GroupName="other", Description="-", VpcId=ground.vpc)["GroupId"]
    guarded = ground.balancer("guarded", SecurityGroups=[ground.group])
    assert guarded["SecurityGroups"] == [ground.group]
    assert guarded["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] == "on"
    arn = guarded["LoadBalancerArn"]
    assert ground.elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[other])["SecurityGroupIds"] == [other]
    (found,) = ground.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert found["SecurityGroups"] == [other]
    assert all([it["GroupId"] for it in each["Groups"]] == [other] for each in ground.interfaces(arn))
    assert refusal(ground.ec2.delete_security_group, GroupId=other) == (
        "DependencyViolation", f"resource {other} has a dependent object",
    )  # fmt: skip
    assert refusal(ground.elbv2.set_security_groups, LoadBalancerArn=made.arn, SecurityGroups=[other]) == (
        "InvalidConfigurationRequest",
        "You cannot set security groups on a Network Load Balancer which was created without any security groups.",
    )
    ground.elbv2.delete_load_balancer(LoadBalancerArn=arn)


# -- deleting --------------------------------------------------------------------------------------------------


@pytest.mark.fact("1.1/delete-succeeds", "1.1/delete-listeners", "1.1/interfaces-linger", "1.7/deleted")
def test_deleting_takes_the_listeners_at_once_and_the_interfaces_minutes_later(cloud: Cloud, ground: Ground) -> None:
    arn = ground.balancer("short-lived")["LoadBalancerArn"]
    group = ground.target_group("short-lived")
    listener = ground.listener(arn, group)
    addresses = [it["Association"]["PublicIp"] for it in ground.interfaces(arn)]
    until_active(ground, arn)
    began = lab_now(cloud)
    for _ in range(2):
        ground.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    ground.elbv2.delete_load_balancer(LoadBalancerArn=NO_BALANCER)
    assert refusal(ground.elbv2.describe_listeners, ListenerArns=[listener])[0] == "ListenerNotFound"
    (left,) = ground.elbv2.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
    assert left["LoadBalancerArns"] == []
    if ground.interfaces(arn):  # a look that came late enough may find them gone
        assert refusal(ground.ec2.delete_subnet, SubnetId=ground.subnets[0])[0] == "DependencyViolation"
        detach = {"InternetGatewayId": ground.gateway, "VpcId": ground.vpc}
        assert refusal(ground.ec2.detach_internet_gateway, **detach) == (
            "DependencyViolation",
            f"Network {ground.vpc} has some mapped public address(es). Please unmap those public address(es) before "
            "detaching the gateway.",
        )
    eventually(lambda: not ground.interfaces(arn))
    assert lab_now(cloud) - began >= LINGER_S
    assert len(set(addresses)) == 2
    ground.elbv2.delete_target_group(TargetGroupArn=group)


@pytest.mark.fact("3.7/36")
def test_a_protected_one_is_not_deleted(ground: Ground, made: Made) -> None:
    key = "deletion_protection.enabled"
    modify = ground.elbv2.modify_load_balancer_attributes
    modify(LoadBalancerArn=made.arn, Attributes=[{"Key": key, "Value": "true"}])
    assert refusal(ground.elbv2.delete_load_balancer, LoadBalancerArn=made.arn) == (
        "OperationNotPermitted",
        f"Load balancer '{made.arn}' cannot be deleted because deletion protection is enabled",
    )
    modify(LoadBalancerArn=made.arn, Attributes=[{"Key": key, "Value": "false"}])
