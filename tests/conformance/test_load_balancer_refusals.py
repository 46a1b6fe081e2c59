"""What cannot be made of load balancers, and in which words AWS says so (aws-facts 1.1, 3.7 rows 29-31, 35)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.balancing_ground import (
    NO_BALANCER,
    NO_GROUP,
    NO_LISTENER,
    NO_RULE,
    Ground,
    prepared,
    refusal,
)
from tests.local.cloud_under_test import Cloud


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return prepared(cloud)


@pytest.mark.fact("1.1/name-rules")
@pytest.mark.parametrize(
    "name, message",
    [
        ("x" * 33, f"Load balancer name '{'x' * 33}' cannot be longer than '32' characters"),
        ("under_score", "Load balancer name 'under_score' can only contain characters that are alphanumeric characters "
                        "or hyphens(-)"),
        ("-front", "Load balancer name '-front' cannot begin or end with '-'"),
        ("back-", "Load balancer name 'back-' cannot begin or end with '-'"),
        ("internal-x", "Load balancer name 'internal-x' cannot begin with 'internal-'"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be(ground: Ground, name: str, message: str) -> None:
    assert refusal(ground.balancer, name=name) == ("ValidationError", message)


@pytest.mark.fact("1.1/name-rules")
def test_the_longest_name(ground: Ground) -> None:
    name = "A" + "-" * 30 + "9"
    arn = ground.balancer(name)["LoadBalancerArn"]
    assert f"/net/{name}/" in arn
    ground.elbv2.delete_load_balancer(LoadBalancerArn=arn)


@pytest.mark.fact("1.1/default-type")
def test_without_a_type_an_application_balancer_is_meant(ground: Ground) -> None:
    """This cloud has none, and says so: it must not pass for a network one."""
    code, message = refusal(ground.elbv2.create_load_balancer, Name="plain", Subnets=list(ground.subnets))
    assert code == "ValidationError" and "'application'" in message
    assert ground.elbv2.describe_load_balancers()["LoadBalancers"] == []


@pytest.mark.fact("1.1/one-subnet-a-zone", "3.7/29")
def test_two_subnets_of_one_zone(ground: Ground) -> None:
    asked = {"VpcId": ground.vpc, "CidrBlock": "10.20.9.0/24", "AvailabilityZone": "us-east-1a"}
    second = ground.ec2.create_subnet(**asked)["Subnet"]["SubnetId"]
    expected = (
        "InvalidConfigurationRequest",
        "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
    )
    assert refusal(ground.balancer, name="twice", Subnets=[ground.subnets[0], second]) == expected
    ground.ec2.delete_subnet(SubnetId=second)


@pytest.mark.fact("3.7/30")
def test_an_internet_facing_one_needs_a_gateway(ground: Ground) -> None:
    vpc = ground.ec2.create_vpc(CidrBlock="10.31.0.0/16")["Vpc"]["VpcId"]
    subnet = ground.ec2.create_subnet(VpcId=vpc, CidrBlock="10.31.1.0/24")["Subnet"]["SubnetId"]
    assert refusal(ground.balancer, name="cut-off", Subnets=[subnet]) == (
        "InvalidSubnet", f"VPC {vpc} has no internet gateway",
    )  # fmt: skip
    group = ground.ec2.create_security_group(GroupName="far", Description="-", VpcId=vpc)["GroupId"]
    assert refusal(ground.balancer, name="mixed", SecurityGroups=[group]) == (
        "InvalidConfigurationRequest", "One or more security groups are invalid",
    )  # fmt: skip
    for asked in ({"GroupId": group}, {"SubnetId": subnet}, {"VpcId": vpc}):
        (kind,) = asked
        delete = {"GroupId": "delete_security_group", "SubnetId": "delete_subnet", "VpcId": "delete_vpc"}[kind]
        getattr(ground.ec2, delete)(**asked)


@pytest.mark.fact("3.7/31")
def test_subnets_that_are_not_there(ground: Ground) -> None:
    never = "subnet-0123456789abcdef0"
    assert refusal(ground.balancer, name="x", Subnets=[never]) == (
        "SubnetNotFound", f"The subnet ID '{never}' does not exist",
    )  # fmt: skip
    both = " ".join(ground.subnets)
    assert refusal(ground.balancer, name="x", Subnets=[both]) == (
        "InvalidSubnet", f"The subnet ID '{both}' is not valid",
    )  # fmt: skip


@pytest.mark.fact("1.1/free-addresses")
def test_a_subnet_needs_eight_free_addresses(ground: Ground) -> None:
    asked = {"VpcId": ground.vpc, "CidrBlock": "10.20.8.0/28", "AvailabilityZone": "us-east-1c"}
    small = ground.ec2.create_subnet(**asked)["Subnet"]["SubnetId"]
    arns = [ground.balancer(f"small-{number}", Subnets=[small])["LoadBalancerArn"] for number in range(4)]
    code, message = refusal(ground.balancer, name="small-4", Subnets=[small])
    assert code == "InvalidSubnet" and small in message and "at least 8 free IP addresses" in message
    for arn in arns:
        ground.elbv2.delete_load_balancer(LoadBalancerArn=arn)


@pytest.mark.fact("1.1/describe-shape")
@pytest.mark.parametrize(
    "asked, code, message",
    [
        ({"Scheme": "open"}, "ValidationError",
         "1 validation error detected: Value 'open' at 'scheme' failed to satisfy constraint: Member must satisfy enum "
         "value set: [internet-facing, internal]"),
        ({"SecurityGroups": ["sg-0123456789abcdef0"]}, "InvalidSecurityGroup",
         "The security group 'sg-0123456789abcdef0' does not exist"),
        ({"Subnets": None}, "ValidationError", "You must specify either subnets or subnet mappings, and not both"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "DuplicateTagKeys",
         "Tag key was specified more than once: a"),
    ],
)  # fmt: skip
def test_other_settings_that_cannot_be(ground: Ground, asked: dict[str, Any], code: str, message: str) -> None:
    assert refusal(ground.balancer, name="wrong", **asked) == (code, message)


def test_an_elastic_address_that_nobody_allocated(ground: Ground) -> None:
    mapping = {"SubnetId": ground.subnets[0], "AllocationId": "eipalloc-0123456789abcdef0"}
    assert refusal(ground.balancer, name="fixed", Subnets=None, SubnetMappings=[mapping]) == (
        "AllocationIdNotFound", "The allocation IDs 'eipalloc-0123456789abcdef0' do not exist",
    )  # fmt: skip


# -- what is not there, and what never could be ----------------------------------------------------------------

UNKNOWN: list[tuple[str, dict[str, Any], str, str]] = [
    ("describe_load_balancers", {"LoadBalancerArns": [NO_BALANCER]}, "LoadBalancerNotFound",
     "One or more load balancers not found"),
    ("describe_load_balancers", {"Names": ["never", "nor-this"]}, "LoadBalancerNotFound",
     "Load balancers '[never, nor-this]' not found"),
    ("describe_load_balancer_attributes", {"LoadBalancerArn": NO_BALANCER}, "LoadBalancerNotFound",
     f"Load balancer '{NO_BALANCER}' not found"),
    ("describe_listeners", {"LoadBalancerArn": NO_BALANCER}, "LoadBalancerNotFound",
     f"Load balancer '{NO_BALANCER}' not found"),
    ("describe_target_groups", {"TargetGroupArns": [NO_GROUP]}, "TargetGroupNotFound",
     "One or more target groups not found"),
    ("describe_target_groups", {"Names": ["never"]}, "TargetGroupNotFound", "One or more target groups not found"),
    ("describe_target_groups", {"LoadBalancerArn": NO_BALANCER}, "LoadBalancerNotFound",
     f"Load balancer '{NO_BALANCER}' not found"),
    ("describe_target_health", {"TargetGroupArn": NO_GROUP}, "TargetGroupNotFound",
     f"Target groups '{NO_GROUP}' not found"),
    ("modify_target_group", {"TargetGroupArn": NO_GROUP}, "TargetGroupNotFound",
     f"Target groups '{NO_GROUP}' not found"),
    ("describe_target_group_attributes", {"TargetGroupArn": NO_GROUP}, "TargetGroupNotFound",
     f"Target groups '{NO_GROUP}' not found"),
    ("describe_listeners", {"ListenerArns": [NO_LISTENER]}, "ListenerNotFound", "One or more listeners not found"),
    ("modify_listener", {"ListenerArn": NO_LISTENER}, "ListenerNotFound", "One or more listeners not found"),
    ("delete_listener", {"ListenerArn": NO_LISTENER}, "ListenerNotFound", "One or more listeners not found"),
    ("describe_listener_attributes", {"ListenerArn": NO_LISTENER}, "ListenerNotFound",
     "One or more listeners not found"),
    ("describe_rules", {"ListenerArn": NO_LISTENER}, "ListenerNotFound", "One or more listeners not found"),
    ("describe_rules", {"RuleArns": [NO_RULE]}, "RuleNotFound", "One or more rules not found"),
    ("describe_tags", {"ResourceArns": [NO_BALANCER]}, "LoadBalancerNotFound",
     f"Load balancer '{NO_BALANCER}' not found"),
    ("add_tags", {"ResourceArns": [NO_GROUP], "Tags": [{"Key": "a", "Value": "b"}]}, "TargetGroupNotFound",
     f"Target groups '{NO_GROUP}' not found"),
]  # fmt: skip


@pytest.mark.fact("3.7/35")
@pytest.mark.parametrize(("operation", "asked", "code", "message"), UNKNOWN, ids=[f"{it[0]}-{it[2]}" for it in UNKNOWN])
def test_what_is_not_there(ground: Ground, operation: str, asked: dict[str, Any], code: str, message: str) -> None:
    assert refusal(getattr(ground.elbv2, operation), **asked) == (code, message)


MALFORMED = [
    ("describe_load_balancers", "LoadBalancerArns", "'{}' is not a valid load balancer ARN"),
    ("delete_load_balancer", "LoadBalancerArn", "'{}' is not a valid load balancer ARN"),
    ("describe_listeners", "LoadBalancerArn", "'{}' is not a valid load balancer ARN"),
    ("describe_target_groups", "TargetGroupArns", "'{}' is not a valid target group ARN"),
    ("describe_target_health", "TargetGroupArn", "'{}' is not a valid target group ARN"),
    ("delete_target_group", "TargetGroupArn", "'{}' is not a valid target group ARN"),
    ("delete_listener", "ListenerArn", "'{}' is not a valid listener ARN"),
    ("describe_listener_attributes", "ListenerArn", "'{}' is not a valid listener ARN"),
    ("describe_rules", "RuleArns", "'{}' is not a valid listener rule ARN"),
    ("describe_tags", "ResourceArns", "'{}' must be in ARN format"),
]


@pytest.mark.fact("3.7/35-malformed")
@pytest.mark.parametrize(("operation", "member", "message"), MALFORMED)
@pytest.mark.parametrize("arn", ["MGLB", "arn:aws:elasticloadbalancing:us-west-2:000000000000:loadbalancer/net/a/b"])
def test_what_never_could_be(ground: Ground, operation: str, member: str, message: str, arn: str) -> None:
    asked = [arn] if member.endswith("s") else arn
    said = refusal(getattr(ground.elbv2, operation), **{member: asked})
    assert said == ("ValidationError", message.format(arn))


@pytest.mark.parametrize(
    "operation, asked, message",
    [
        ("describe_load_balancers", {"Names": ["a"], "LoadBalancerArns": [NO_BALANCER]},
         "Load balancer names and load balancer ARNs cannot be specified at the same time"),
        ("describe_target_groups", {"Names": ["a"], "TargetGroupArns": [NO_GROUP]},
         "Target group names and target group ARNs cannot be specified at the same time"),
        ("describe_target_groups", {"Names": ["a"], "LoadBalancerArn": NO_BALANCER},
         "Target group names and load balancer ARN cannot be specified at the same time"),
        ("describe_listeners", {"LoadBalancerArn": NO_BALANCER, "ListenerArns": [NO_LISTENER]},
         "Load balancer ARN and listener ARNs cannot be specified at the same time"),
        ("describe_listeners", {}, "You must specify either listener ARNs or a load balancer ARN"),
        ("describe_rules", {}, "You must specify either listener rule ARNs or a listener ARN"),
        ("describe_load_balancers", {"PageSize": 401},
         "1 validation error detected: Value '401' at 'pageSize' failed to satisfy constraint: Member must have value "
         "less than or equal to 400"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_together(ground: Ground, operation: str, asked: dict[str, Any], message: str) -> None:
    assert refusal(getattr(ground.elbv2, operation), **asked) == ("ValidationError", message)


@pytest.mark.fact("3.7/35")
def test_the_aws_cli_is_told_the_same(aws: Aws) -> None:
    said = aws.refused("elbv2", "describe-load-balancers", "--names", "ghost")
    assert said.endswith(
        "An error occurred (LoadBalancerNotFound) when calling the DescribeLoadBalancers operation: "
        "Load balancers '[ghost]' not found"
    )
