"""A Learner Lab's rules: what is denied, what is too much, how a session ends."""

from __future__ import annotations

import pytest

from mglab.localcloud.rules import academy
from mglab.localcloud.rules.academy import Session

RUNNING = Session(1000.0)


@pytest.mark.parametrize(
    ("service", "operation", "denied"),
    [
        ("ec2", "RunInstances", False), ("ec2", "RequestSpotInstances", True), ("elbv2", "CreateLoadBalancer", False),
        ("iam", "GetRole", False), ("iam", "ListRoles", False), ("iam", "CreateServiceLinkedRole", False),
        ("iam", "CreateRole", True), ("iam", "CreateUser", True), ("sts", "GetCallerIdentity", False),
    ],
)  # fmt: skip
def test_what_a_learner_lab_denies(service: str, operation: str, denied: bool) -> None:
    assert academy.is_denied(service, operation, RUNNING, ()) is denied


@pytest.mark.parametrize("standing", ["ended", "closed"])
def test_all_but_sts_is_denied_when_a_session_is_over(standing: academy.Standing) -> None:
    over = Session(1000.0, standing)
    assert academy.is_denied("ec2", "DescribeVpcs", over, ()) and academy.is_denied("iam", "GetRole", over, ())
    assert not academy.is_denied("sts", "GetCallerIdentity", over, ("sts:*",))


def test_policies_are_patterns_over_actions_in_any_case() -> None:
    patterns = ("ec2:createvpc", "elasticloadbalancing:Describe*")
    assert academy.is_denied("ec2", "CreateVpc", None, patterns)
    assert academy.is_denied("elbv2", "DescribeTargetGroups", None, patterns)
    assert not academy.is_denied("elbv2", "CreateTargetGroup", None, patterns)
    assert not academy.is_denied("ec2", "DescribeVpcs", None, patterns)


def test_outside_of_a_learner_lab_nothing_is_denied() -> None:
    assert not academy.is_denied("iam", "CreateRole", None, ())


@pytest.mark.parametrize(
    ("params", "may"),
    [
        ({}, True), ({"InstanceType": "t3.large"}, True), ({"InstanceType": "t3.xlarge"}, False),
        ({"InstanceType": "m5.24xlarge"}, False), ({"InstanceMarketOptions": {"MarketType": "spot"}}, False),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": 100, "VolumeType": "gp2"}}]}, True),
        ({"BlockDeviceMappings": [{"Ebs": {"VolumeSize": 101}}]}, False),
        ({"BlockDeviceMappings": [{"NoDevice": ""}, {"Ebs": {"VolumeType": "io2"}}]}, False),
    ],
)  # fmt: skip
def test_what_may_be_launched(params: dict[str, object], may: bool) -> None:
    assert academy.may_run(params, "t2.micro") is may


def test_vcpus_are_counted_together() -> None:
    assert academy.too_many_vcpus(2, 30, 32) is None and academy.too_many_vcpus(1000, 0, 0) is None
    refusal = academy.too_many_vcpus(3, 30, 32)
    assert refusal is not None and refusal.code == "VcpuLimitExceeded" and "limit of 32 allows" in refusal.message


def test_a_session_ends_once_and_a_closed_account_stays_closed() -> None:
    assert academy.moved_on(RUNNING, 999.9, 9) == RUNNING
    ended = academy.moved_on(RUNNING, 1000.0, 9)
    assert ended.standing == "ended" and academy.moved_on(ended, 5000.0, 0) == ended
    closed = academy.moved_on(ended, 5000.0, 20)
    assert closed.standing == "closed" and academy.moved_on(closed, 6000.0, 0) == closed


def test_the_youngest_are_too_many() -> None:
    launched = {f"i-{number}": float(number) for number in range(11)}
    assert academy.excess(launched) == ["i-9", "i-10"]
    assert academy.excess({"i-0": 0.0}) == []


def test_a_denial_names_what_would_have_been_touched() -> None:
    refusal = academy.denial("autoscaling", "CreateAutoScalingGroup", {}, "123", "us-east-1", arn="me")
    assert (refusal.code, refusal.status) == ("AccessDenied", 403)
    assert refusal.message == (
        "User: me is not authorized to perform: autoscaling:CreateAutoScalingGroup on resource: "
        "arn:aws:autoscaling:us-east-1:123:* with an explicit deny in an identity-based policy"
    )
