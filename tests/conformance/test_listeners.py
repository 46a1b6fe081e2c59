"""Listeners, their rules and attributes, the tags of every kind of resource, and the quotas (aws-facts 1.1, 3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.balancing_ground import NO_GROUP, Ground, prepared, refusal, shown
from tests.local.cloud_under_test import Cloud


@dataclass(frozen=True)
class Front:
    """A load balancer, its target group and its listener on port 5000."""

    balancer: str
    group: str
    listener: str

    @property
    def rule(self) -> str:
        """How the ARN of the listener's default rule begins."""
        return self.listener.replace(":listener/", ":listener-rule/") + "/"


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return prepared(cloud)


@pytest.fixture(scope="module")
def front(ground: Ground) -> Front:
    balancer, group = ground.balancer("front")["LoadBalancerArn"], ground.target_group("front")
    return Front(balancer, group, ground.listener(balancer, group))


def forward(group: str) -> dict[str, Any]:
    """Give the default action as it is read back."""
    return {
        "Type": "forward",
        "TargetGroupArn": group,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group}]},
    }


def opening(front: Front, **other: Any) -> dict[str, Any]:
    action = {"Type": "forward", "TargetGroupArn": front.group}
    whole = {"LoadBalancerArn": front.balancer, "Protocol": "TCP", "Port": 6000, "DefaultActions": [action], **other}
    return {name: value for name, value in whole.items() if value is not None}


def test_a_listener_is_read_back(ground: Ground, front: Front) -> None:
    expected = {
        "ListenerArn": front.listener, "LoadBalancerArn": front.balancer, "Port": 5000, "Protocol": "TCP",
        "DefaultActions": [forward(front.group)],
    }  # fmt: skip
    for asked in ({"LoadBalancerArn": front.balancer}, {"ListenerArns": [front.listener]}):
        assert ground.elbv2.describe_listeners(**asked)["Listeners"] == [expected]
    begins = front.balancer.replace(":loadbalancer/", ":listener/") + "/"
    assert front.listener.startswith(begins) and len(front.listener.removeprefix(begins)) == 16


def test_its_one_rule_is_the_default_one(ground: Ground, front: Front) -> None:
    (rule,) = ground.elbv2.describe_rules(ListenerArn=front.listener)["Rules"]
    arn = rule["RuleArn"]
    assert rule == {
        "RuleArn": arn, "Priority": "default", "Conditions": [], "Actions": [forward(front.group)], "IsDefault": True,
    }  # fmt: skip
    assert arn.startswith(front.rule) and len(arn.removeprefix(front.rule)) == 16
    assert ground.elbv2.describe_rules(RuleArns=[arn])["Rules"] == [rule]
    assert refusal(ground.elbv2.delete_rule, RuleArn=arn) == (
        "OperationNotPermitted", f"Default rule '{arn}' cannot be deleted",
    )  # fmt: skip
    actions = [{"Type": "forward", "TargetGroupArn": front.group}]
    assert refusal(ground.elbv2.modify_rule, RuleArn=arn, Actions=actions)[0] == "OperationNotPermitted"
    asked = {"ListenerArn": front.listener, "Priority": 1, "Conditions": [], "Actions": actions}
    assert refusal(ground.elbv2.create_rule, **asked)[0] == "UnsupportedProtocol"
    assert ground.elbv2.describe_listener_certificates(ListenerArn=front.listener)["Certificates"] == []


@pytest.mark.fact("1.1/idempotence")
def test_the_same_again_gives_the_one_that_is_there(ground: Ground, front: Front) -> None:
    assert ground.listener(front.balancer, front.group) == front.listener


@pytest.mark.fact("3.7/33")
def test_a_port_has_one_listener(ground: Ground, front: Front) -> None:
    other = ground.target_group("second")
    taken = ("DuplicateListener", f"A listener already exists on this port for this load balancer '{front.balancer}'")
    assert refusal(ground.listener, balancer=front.balancer, target_group=other) == taken
    beside = ground.listener(front.balancer, other, 5002)
    assert refusal(ground.elbv2.modify_listener, ListenerArn=beside, Port=5000) == taken
    ground.elbv2.delete_listener(ListenerArn=beside)


def test_port_and_target_group_change(ground: Ground, front: Front) -> None:
    other = ground.target_group("other")
    arn = ground.listener(front.balancer, front.group, 5003)
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": other}]}}]
    (answer,) = ground.elbv2.modify_listener(ListenerArn=arn, Port=5004, DefaultActions=actions)["Listeners"]
    assert answer == {
        "ListenerArn": arn, "LoadBalancerArn": front.balancer, "Port": 5004, "Protocol": "TCP",
        "DefaultActions": [forward(other)],
    }  # fmt: skip
    assert ground.elbv2.describe_listeners(ListenerArns=[arn])["Listeners"] == [answer]
    ground.elbv2.delete_listener(ListenerArn=arn)
    assert refusal(ground.elbv2.describe_rules, ListenerArn=arn)[0] == "ListenerNotFound"


@pytest.mark.fact("1.1/idle-timeout")
def test_the_idle_timeout_is_an_attribute(ground: Ground, front: Front) -> None:
    key, elbv2 = "tcp.idle_timeout.seconds", ground.elbv2
    assert shown(elbv2.describe_listener_attributes(ListenerArn=front.listener)) == {key: "350"}
    for seconds in ("60", "6000", "350"):
        asked = [{"Key": key, "Value": seconds}]
        assert shown(elbv2.modify_listener_attributes(ListenerArn=front.listener, Attributes=asked)) == {key: seconds}
        assert shown(elbv2.describe_listener_attributes(ListenerArn=front.listener)) == {key: seconds}
    for seconds in ("59", "6001", "soon"):
        asked = [{"Key": key, "Value": seconds}]
        assert refusal(elbv2.modify_listener_attributes, ListenerArn=front.listener, Attributes=asked) == (
            "ValidationError", f"'{key}' value '{seconds}' must be between '60-6000' inclusive",
        )  # fmt: skip


# -- what cannot be --------------------------------------------------------------------------------------------

ACTION = {"Type": "forward", "TargetGroupArn": NO_GROUP}
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"Protocol": "HTTP"}, "ValidationError", "Listener protocol 'HTTP' must be one of 'TCP, TLS, UDP, TCP_UDP'"),
    ({"Protocol": "HTTPS"}, "ValidationError", "Listener protocol 'HTTPS' must be one of 'TCP, TLS, UDP, TCP_UDP'"),
    ({"Port": None}, "ValidationError", "A listener port must be specified"),
    ({"Port": 65536}, "ValidationError",
     "1 validation error detected: Value '65536' at 'port' failed to satisfy constraint: Member must have value less "
     "than or equal to 65535"),
    ({"DefaultActions": [ACTION]}, "TargetGroupNotFound", f"Target groups '{NO_GROUP}' not found"),
    ({"DefaultActions": [{"Type": "fixed-response"}]}, "InvalidLoadBalancerAction",
     "The action type 'fixed-response' is not valid with network load balancer"),
    ({"DefaultActions": [ACTION, ACTION]}, "ValidationError", "Exactly one default action must be specified"),
]  # fmt: skip


@pytest.mark.fact("3.7/39", "3.7/35")
@pytest.mark.parametrize(("other", "code", "message"), WRONG)
def test_a_listener_that_cannot_be(
    ground: Ground, front: Front, other: dict[str, Any], code: str, message: str
) -> None:
    assert refusal(ground.elbv2.create_listener, **opening(front, **other)) == (code, message)


@pytest.mark.fact("3.7/39")
@pytest.mark.parametrize("protocol", ["TLS", "UDP", "TCP_UDP"])
def test_other_protocols_of_a_network_balancer_are_not_here(ground: Ground, front: Front, protocol: str) -> None:
    code, message = refusal(ground.elbv2.create_listener, **opening(front, Protocol=protocol))
    assert code == "UnsupportedProtocol" and protocol in message


@pytest.mark.fact("1.1/quotas")
def test_one_target_group_for_each_action_and_one_balancer_for_each_target_group(ground: Ground, front: Front) -> None:
    other = ground.target_group("one-more")
    both = [{"TargetGroupArn": front.group}, {"TargetGroupArn": other}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": both}}
    assert refusal(ground.elbv2.create_listener, **opening(front, DefaultActions=[action]))[0] == "ValidationError"
    rival = ground.balancer("rival")["LoadBalancerArn"]
    code, message = refusal(ground.listener, balancer=rival, target_group=front.group)
    assert code == "TargetGroupAssociationLimit"
    assert message.startswith("The following target groups cannot be associated with more than one load balancer")
    ground.elbv2.delete_load_balancer(LoadBalancerArn=rival)


def test_a_target_group_of_another_vpc(ground: Ground, front: Front) -> None:
    vpc = ground.ec2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
    far = ground.target_group("far", VpcId=vpc)
    assert refusal(ground.listener, balancer=front.balancer, target_group=far, port=6001) == (
        "InvalidConfigurationRequest",
        f"Target group '{far}' is in a different VPC than load balancer '{front.balancer}'",
    )


# -- tags ------------------------------------------------------------------------------------------------------


def tags_of(ground: Ground, *arns: str) -> dict[str, dict[str, str]]:
    found = ground.elbv2.describe_tags(ResourceArns=list(arns))["TagDescriptions"]
    return {it["ResourceArn"]: {tag["Key"]: tag["Value"] for tag in it["Tags"]} for it in found}


def test_every_kind_of_resource_has_tags(ground: Ground, front: Front) -> None:
    (rule,) = (it["RuleArn"] for it in ground.elbv2.describe_rules(ListenerArn=front.listener)["Rules"])
    for arn in (front.balancer, front.group, front.listener, rule):
        assert tags_of(ground, arn) == {arn: {}}
        ground.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": "team", "Value": "a"}, {"Key": "empty"}])
        ground.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": "team", "Value": "b"}])
        assert tags_of(ground, arn) == {arn: {"team": "b", "empty": ""}}
        ground.elbv2.remove_tags(ResourceArns=[arn], TagKeys=["empty", "never"])
        assert tags_of(ground, arn) == {arn: {"team": "b"}}
        ground.elbv2.remove_tags(ResourceArns=[arn], TagKeys=["team"])
    assert tags_of(ground, front.group, front.balancer) == {front.group: {}, front.balancer: {}}


def test_tags_are_given_at_the_making_and_go_with_the_resource(ground: Ground) -> None:
    tags = [{"Key": "Name", "Value": "tagged"}]
    balancer = ground.balancer("tagged", Tags=tags)["LoadBalancerArn"]
    group = ground.target_group("tagged", Tags=tags)
    asked = {"LoadBalancerArn": balancer, "Protocol": "TCP", "Port": 1, "Tags": tags}
    action = {"Type": "forward", "TargetGroupArn": group}
    (made,) = ground.elbv2.create_listener(**asked, DefaultActions=[action])["Listeners"]
    arns = (balancer, group, made["ListenerArn"])
    assert tags_of(ground, *arns) == {arn: {"Name": "tagged"} for arn in arns}
    ground.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    assert refusal(ground.elbv2.describe_tags, ResourceArns=[balancer])[0] == "LoadBalancerNotFound"
    assert refusal(ground.elbv2.describe_tags, ResourceArns=[made["ListenerArn"]])[0] == "ListenerNotFound"


def test_tags_that_cannot_be(ground: Ground, front: Front) -> None:
    def said(*tags: tuple[str, str]) -> tuple[str, str]:
        asked = [{"Key": key, "Value": value} for key, value in tags]
        return refusal(ground.elbv2.add_tags, ResourceArns=[front.group], Tags=asked)

    assert said(("a", "1"), ("a", "2")) == ("DuplicateTagKeys", "Tag key was specified more than once: a")
    assert said(*((str(number), "") for number in range(51)))[0] == "TooManyTags"
    assert said(("aws:mine", "1"))[0] == "ValidationError"
    assert said(("k" * 129, "")) == (
        "ValidationError",
        f"1 validation error detected: Value '{'k' * 129}' at 'tags.1.member.key' failed to satisfy constraint: "
        "Member must have length less than or equal to 128",
    )
    assert tags_of(ground, front.group) == {front.group: {}}


# -- quotas ----------------------------------------------------------------------------------------------------


@pytest.mark.fact("1.1/quotas")
def test_the_quotas_are_told(aws: Aws) -> None:
    found = {it["Name"]: it["Max"] for it in aws("elbv2", "describe-account-limits")["Limits"]}
    expected = {
        "network-load-balancers": "50",
        "listeners-per-network-load-balancer": "50",
        "target-groups-per-action-on-network-load-balancer": "1",
        "targets-per-availability-zone-per-network-load-balancer": "500",
        "target-groups": "3000",
        "targets-per-target-group": "1000",
    }
    assert {name: found[name] for name in expected} == expected


@pytest.mark.fact("1.1/quotas")
def test_a_balancer_has_fifty_listeners(ground: Ground) -> None:
    balancer, group = ground.balancer("many")["LoadBalancerArn"], ground.target_group("many")
    for port in range(1, 51):
        ground.listener(balancer, group, port)
    assert refusal(ground.listener, balancer=balancer, target_group=group, port=51)[0] == "TooManyListeners"
    pages = ground.elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer, PageSize=20)
    found = [[it["Port"] for it in page["Listeners"]] for page in pages]
    assert found == [list(range(1, 21)), list(range(21, 41)), list(range(41, 51))]
    ground.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
