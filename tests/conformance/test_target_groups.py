"""Target groups: defaults, ranges, attributes, what they are refused for (aws-facts 1.5, 1.8, 3.7 rows 32, 34, 40)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.config import Config

from tests.conformance.aws_cli import Aws
from tests.conformance.balancing_ground import GROUP_ATTRIBUTES, Ground, prepared, refusal, shown
from tests.local.cloud_under_test import Cloud

DEFAULTS = {
    "Protocol": "TCP",
    "Port": 5000,
    "HealthCheckProtocol": "TCP",
    "HealthCheckPort": "traffic-port",
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 10,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "LoadBalancerArns": [],
    "TargetType": "instance",
    "IpAddressType": "ipv4",
}


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return prepared(cloud)


@pytest.fixture(scope="module")
def arn(ground: Ground) -> str:
    return ground.target_group("plain")


def described(ground: Ground, arn: str) -> dict[str, Any]:
    (found,) = ground.elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert isinstance(found, dict)
    return found


@pytest.mark.fact("1.5/defaults")
def test_defaults_by_api(ground: Ground, arn: str) -> None:
    expected = {**DEFAULTS, "TargetGroupArn": arn, "TargetGroupName": "plain", "VpcId": ground.vpc}
    assert described(ground, arn) == expected
    assert re.fullmatch(r"arn:aws:elasticloadbalancing:us-east-1:\d{12}:targetgroup/plain/[0-9a-f]{16}", arn)


@pytest.mark.fact("1.5/defaults")
def test_the_aws_cli_makes_the_same(aws: Aws, ground: Ground) -> None:
    words = ("--name", "by-cli", "--protocol", "TCP", "--port", "5000", "--vpc-id", ground.vpc)
    (made,) = aws("elbv2", "create-target-group", *words)["TargetGroups"]
    assert {key: made[key] for key in DEFAULTS} == DEFAULTS


@pytest.mark.fact("1.1/idempotence", "3.7/32")
def test_the_same_again_and_another_of_that_name(ground: Ground, arn: str) -> None:
    assert ground.target_group("plain", HealthCheckIntervalSeconds=30) == arn
    for other in ({"Port": 5001}, {"HealthCheckPort": "5001"}, {"HealthyThresholdCount": 3}):
        assert refusal(ground.target_group, name="plain", **other) == (
            "DuplicateTargetGroupName", "A target group with the same name 'plain' exists, but with different settings",
        )  # fmt: skip


@pytest.mark.fact("3.7/40", "1.1/name-rules")
@pytest.mark.parametrize(
    "name, message",
    [
        ("x" * 33, f"Target group name '{'x' * 33}' cannot be longer than '32' characters"),
        ("a_b", "Target group name 'a_b' can only contain characters that are alphanumeric characters or hyphens(-)"),
        ("-a", "Target group name '-a' cannot begin or end with '-'"),
        ("a-", "Target group name 'a-' cannot begin or end with '-'"),
    ],
)
def test_a_name_that_cannot_be(ground: Ground, name: str, message: str) -> None:
    assert refusal(ground.target_group, name=name) == ("ValidationError", message)


@pytest.mark.fact("1.1/name-rules")
def test_a_target_group_may_be_called_internal(ground: Ground) -> None:
    assert "targetgroup/internal-x/" in ground.target_group("internal-x")


# -- the health check ------------------------------------------------------------------------------------------


@pytest.mark.fact("1.5/modify")
def test_the_health_check_changes_at_any_time_and_the_rest_stays(ground: Ground) -> None:
    changing = ground.target_group("changing")
    balancer = ground.balancer("changing")["LoadBalancerArn"]
    ground.listener(balancer, changing)
    asked = {
        "HealthCheckPort": "5001",
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 10,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 10,
    }
    (answer,) = ground.elbv2.modify_target_group(TargetGroupArn=changing, **asked)["TargetGroups"]
    expected = {
        **DEFAULTS, **asked, "TargetGroupArn": changing, "TargetGroupName": "changing", "VpcId": ground.vpc,
        "LoadBalancerArns": [balancer],
    }  # fmt: skip
    assert answer == described(ground, changing) == expected
    asked = {"HealthCheckPort": "traffic-port"}
    (answer,) = ground.elbv2.modify_target_group(TargetGroupArn=changing, **asked)["TargetGroups"]
    assert answer == {**expected, "HealthCheckPort": "traffic-port"}


def out_of_range(value: int, member: str, direction: str, limit: int) -> tuple[dict[str, int], str]:
    place = member[0].lower() + member[1:]
    return {member: value}, (
        f"1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: "
        f"Member must have value {direction} than or equal to {limit}"
    )


RANGES = [
    out_of_range(301, "HealthCheckIntervalSeconds", "less", 300),
    out_of_range(121, "HealthCheckTimeoutSeconds", "less", 120),
    out_of_range(11, "HealthyThresholdCount", "less", 10),
    out_of_range(11, "UnhealthyThresholdCount", "less", 10),
    out_of_range(65536, "Port", "less", 65535),
    out_of_range(4, "HealthCheckIntervalSeconds", "greater", 5),
    out_of_range(1, "HealthCheckTimeoutSeconds", "greater", 2),
    out_of_range(1, "HealthyThresholdCount", "greater", 2),
    out_of_range(1, "UnhealthyThresholdCount", "greater", 2),
]


@pytest.mark.fact("1.5/ranges")
@pytest.mark.parametrize(("asked", "message"), RANGES, ids=lambda it: str(it)[:40])
def test_ranges(cloud: Cloud, ground: Ground, asked: dict[str, int], message: str) -> None:
    """boto3 keeps to lower limits by itself; a client that checks nothing is told as well."""
    unchecked = cloud.client("elbv2", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    whole = {"Name": "ranges", "Protocol": "TCP", "Port": 5000, "VpcId": ground.vpc, **asked}
    assert refusal(unchecked.create_target_group, **whole) == ("ValidationError", message)


@pytest.mark.fact("1.5/ranges")
def test_the_ends_of_the_ranges_are_in_them(ground: Ground) -> None:
    ends = (
        {"HealthCheckIntervalSeconds": 300, "HealthCheckTimeoutSeconds": 120, "HealthyThresholdCount": 10},
        {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "UnhealthyThresholdCount": 10},
    )
    for number, asked in enumerate(ends):
        found = described(ground, ground.target_group(f"end-{number}", **asked))
        assert {key: found[key] for key in asked} == asked


@pytest.mark.fact("1.5/timeout")
def test_the_timeout_may_be_as_long_as_the_interval_and_no_longer(ground: Ground, arn: str) -> None:
    asked = {"HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 15}
    message = "Health check timeout '15' must be smaller than or equal to the interval '10'"
    assert refusal(ground.target_group, name="late", **asked) == ("ValidationError", message)
    assert refusal(ground.elbv2.modify_target_group, TargetGroupArn=arn, HealthCheckIntervalSeconds=5) == (
        "ValidationError", "Health check timeout '10' must be smaller than or equal to the interval '5'",
    )  # fmt: skip


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"Protocol": None}, "A protocol must be specified"),
        ({"Port": None}, "A port must be specified"),
        ({"VpcId": None}, "A VPC ID must be specified"),
        ({"VpcId": "vpc-0123456789abcdef0"}, "The VPC ID 'vpc-0123456789abcdef0' is not found"),
        ({"HealthCheckPort": "http"},
         "Health check port 'http' must be 'traffic-port' or a number between 1 and 65535"),
        ({"Protocol": "FTP"},
         "1 validation error detected: Value 'FTP' at 'protocol' failed to satisfy constraint: Member must satisfy "
         "enum value set: [HTTP, HTTPS, TCP, TLS, UDP, TCP_UDP, GENEVE, QUIC, TCP_QUIC]"),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong(ground: Ground, asked: dict[str, Any], message: str) -> None:
    whole = {"Name": "wrong", "Protocol": "TCP", "Port": 5000, "VpcId": ground.vpc, **asked}
    present = {key: value for key, value in whole.items() if value is not None}
    assert refusal(ground.elbv2.create_target_group, **present) == ("ValidationError", message)


@pytest.mark.parametrize(
    "asked, word",
    [({"TargetType": "ip"}, "'ip'"), ({"Protocol": "HTTP"}, "'HTTP'"), ({"HealthCheckProtocol": "HTTP"}, "'HTTP'")],
)
def test_what_this_cloud_has_not_is_refused_in_words(ground: Ground, asked: dict[str, Any], word: str) -> None:
    code, message = refusal(ground.target_group, name="elsewhere", **asked)
    assert code == "ValidationError" and word in message and "local cloud" in message


# -- attributes ------------------------------------------------------------------------------------------------


@pytest.mark.fact("1.8/attributes")
def test_attributes_have_aws_defaults(ground: Ground, arn: str) -> None:
    assert shown(ground.elbv2.describe_target_group_attributes(TargetGroupArn=arn)) == GROUP_ATTRIBUTES


@pytest.mark.fact("1.8/attributes", "1.4/thresholds", "1.7/deregister")
def test_attributes_change_and_are_read_back(ground: Ground) -> None:
    arn = ground.target_group("attributes")
    changed = {
        "deregistration_delay.timeout_seconds": "3600",
        "deregistration_delay.connection_termination.enabled": "true",
        "stickiness.enabled": "true",
        "preserve_client_ip.enabled": "false",
        "load_balancing.cross_zone.enabled": "true",
        "target_group_health.dns_failover.minimum_healthy_targets.count": "off",
        "target_group_health.dns_failover.minimum_healthy_targets.percentage": "50",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "2",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "100",
        "target_health_state.unhealthy.connection_termination.enabled": "false",
        "target_health_state.unhealthy.draining_interval_seconds": "360000",
    }
    asked = [{"Key": key, "Value": value} for key, value in changed.items()]
    answer = ground.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=asked)
    assert shown(answer) == {**GROUP_ATTRIBUTES, **changed}
    assert shown(ground.elbv2.describe_target_group_attributes(TargetGroupArn=arn)) == {**GROUP_ATTRIBUTES, **changed}


def between(key: str, value: str, limits: str, also: str = "") -> tuple[str, str, str, str]:
    return key, value, "ValidationError", f"'{key}' value '{value}' must be between '{limits}' inclusive{also}"


OR_OFF = " or one of [off]"
WRONG_ATTRIBUTES = [
    between("deregistration_delay.timeout_seconds", "3601", "0-3600"),
    between("deregistration_delay.timeout_seconds", "-1", "0-3600"),
    between("target_health_state.unhealthy.draining_interval_seconds", "360001", "0-360000"),
    between("target_group_health.dns_failover.minimum_healthy_targets.percentage", "101", "1-100", OR_OFF),
    between("target_group_health.dns_failover.minimum_healthy_targets.count", "0", "1-1000", OR_OFF),
    between("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "off", "1-1000"),
    ("preserve_client_ip.enabled", "maybe", "ValidationError",
     "'preserve_client_ip.enabled' value 'maybe' must be one of [true, false]"),
    ("stickiness.type", "lb_cookie", "InvalidConfigurationRequest",
     "Stickiness type 'lb_cookie' is not supported for target groups with the TCP protocol"),
    ("slow_start.duration_seconds", "30", "ValidationError",
     "Target group attribute key 'slow_start.duration_seconds' is not recognized"),
]  # fmt: skip


@pytest.mark.fact("1.8/ranges", "1.5/no-slow-start")
@pytest.mark.parametrize(("key", "value", "code", "message"), WRONG_ATTRIBUTES)
def test_an_attribute_that_cannot_be_changes_nothing(
    ground: Ground, arn: str, key: str, value: str, code: str, message: str
) -> None:
    asked = [{"Key": "stickiness.enabled", "Value": "true"}, {"Key": key, "Value": value}]
    said = refusal(ground.elbv2.modify_target_group_attributes, TargetGroupArn=arn, Attributes=asked)
    assert said == (code, message)
    assert shown(ground.elbv2.describe_target_group_attributes(TargetGroupArn=arn)) == GROUP_ATTRIBUTES


# -- describing and deleting -----------------------------------------------------------------------------------


def test_they_are_found_by_name_by_arn_by_balancer_and_in_pages(ground: Ground, arn: str) -> None:
    elbv2, of_balancer = ground.elbv2, ground.target_group("of-balancer")
    balancer = ground.balancer("found-by")["LoadBalancerArn"]
    ground.listener(balancer, of_balancer)

    def arns(**asked: Any) -> list[str]:
        return [it["TargetGroupArn"] for it in elbv2.describe_target_groups(**asked)["TargetGroups"]]

    everyone = arns()
    assert arns(Names=["of-balancer"]) == arns(LoadBalancerArn=balancer) == [of_balancer]
    assert arns(TargetGroupArns=[of_balancer, arn]) == [arn, of_balancer]
    paged = elbv2.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 1})
    assert [it["TargetGroupArn"] for page in paged for it in page["TargetGroups"]] == everyone
    assert refusal(elbv2.describe_target_groups, Marker="nowhere")[0] == "ValidationError"


@pytest.mark.fact("3.7/34")
def test_one_that_a_listener_uses_is_not_deleted(ground: Ground) -> None:
    used = ground.target_group("used")
    balancer = ground.balancer("user")["LoadBalancerArn"]
    listener = ground.listener(balancer, used)
    assert described(ground, used)["LoadBalancerArns"] == [balancer]
    assert refusal(ground.elbv2.delete_target_group, TargetGroupArn=used) == (
        "ResourceInUse", f"Target group '{used}' is currently in use by a listener or a rule",
    )  # fmt: skip
    ground.elbv2.delete_listener(ListenerArn=listener)
    assert described(ground, used)["LoadBalancerArns"] == []
    for _ in range(2):  # one that is not there is no error
        ground.elbv2.delete_target_group(TargetGroupArn=used)
    assert refusal(ground.elbv2.describe_target_groups, Names=["used"])[0] == "TargetGroupNotFound"
