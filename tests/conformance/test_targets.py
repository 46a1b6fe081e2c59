"""Targets: every state with its reason and its words, who is listed, who is refused (aws-facts 1.5, 1.6, 3.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.balancing_ground import (
    Ground,
    health,
    instance_state,
    lab_now,
    launched,
    prepared,
    refusal,
    register,
    states,
    until_active,
)
from tests.local.cloud_under_test import Cloud, eventually

REGISTERING = {
    "State": "initial",
    "Reason": "Elb.RegistrationInProgress",
    "Description": "Target registration is in progress",
}
FIRST_CHECKS = {
    "State": "initial",
    "Reason": "Elb.InitialHealthChecking",
    "Description": "Initial health checks in progress",
}
HEALTHY = {"State": "healthy"}
UNHEALTHY = {"State": "unhealthy", "Reason": "Target.FailedHealthChecks", "Description": "Health checks failed"}
DRAINING = {
    "State": "draining",
    "Reason": "Target.DeregistrationInProgress",
    "Description": "Target deregistration is in progress",
}
NOT_REGISTERED = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": "Target is not registered to the target group",
}
NOT_IN_USE = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target group is not configured to receive traffic from the load balancer",
}
ZONE_NOT_ENABLED = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target is in an Availability Zone that is not enabled for the load balancer",
}
STOPPED = {
    "State": "unused",
    "Reason": "Target.InvalidState",
    "Description": "Target is in the stopped state",
}
REGISTRATION_S = (60, 120)
DRAINING_S = 300
TERMINATED_DRAINING_S = 600


@dataclass(frozen=True)
class Site:
    """An active load balancer with a listener, and two running servers."""

    cloud: Cloud
    ground: Ground
    balancer: str
    group: str
    servers: tuple[str, str]

    def of(self, *targets: dict[str, Any], group: str = "") -> list[dict[str, Any]]:
        """Give the TargetHealth of each."""
        return [it["TargetHealth"] for it in health(self.ground, group or self.group, *targets)]

    def becomes(self, target: dict[str, Any], wanted: dict[str, str], group: str = "") -> None:
        """Wait for a target's health to be exactly this."""
        eventually(lambda: self.of(target, group=group) == [wanted], lambda: str(self.of(target, group=group)))


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Site:
    ground = prepared(cloud)
    balancer, group = ground.balancer("targets")["LoadBalancerArn"], ground.target_group("targets")
    ground.listener(balancer, group)
    one, two = launched(ground, *ground.subnets)
    until_active(ground, balancer)
    return Site(cloud, ground, balancer, group, (one["InstanceId"], two["InstanceId"]))


@pytest.fixture(scope="module")
def walk(site: Site) -> list[tuple[float, float, dict[str, Any]]]:
    """Register both; what the first one's health was at every look, and when: (before, after, health)."""
    assert site.of() == []
    register(site.ground, site.group, *site.servers)
    began, looks = lab_now(site.cloud), []

    def is_healthy() -> bool:
        before = lab_now(site.cloud) - began
        (found,) = site.of({"Id": site.servers[0]})
        looks.append((before, lab_now(site.cloud) - began, found))
        return bool(found == HEALTHY)

    eventually(is_healthy)
    return looks


# -- a target's walk -------------------------------------------------------------------------------------------


@pytest.mark.fact("1.6/registering", "1.6/healthy", "1.6/no-targets", "1.5/first-healthy", "1.6/by-id")
def test_from_registration_to_healthy(walk: list[tuple[float, float, dict[str, Any]]]) -> None:
    seen = [found for _, _, found in walk]
    assert seen[0] == REGISTERING and seen[-1] == HEALTHY
    order = [REGISTERING, FIRST_CHECKS, HEALTHY]
    assert [order.index(found) for found in seen] == sorted(order.index(found) for found in seen)


@pytest.mark.fact("0/initial", "1.5/registration-delay")
def test_nothing_is_probed_for_the_first_minute_and_a_half(walk: list[tuple[float, float, dict[str, Any]]]) -> None:
    registering = [before for before, _, found in walk if found == REGISTERING]
    probed = [after for _, after, found in walk if found != REGISTERING]
    assert registering[-1] <= REGISTRATION_S[1]
    assert probed[0] >= REGISTRATION_S[0] - 1, "the clock was read after the call"


@pytest.mark.usefixtures("walk")
@pytest.mark.fact("1.6/entry", "1.6/override")
def test_an_entry_has_every_member_that_aws_gives(site: Site, aws: Aws) -> None:
    eventually(lambda: states(site.ground, site.group) == ["healthy", "healthy"])
    expected = [
        {
            "Target": {"Id": each, "Port": 5000},
            "HealthCheckPort": "5000",
            "TargetHealth": HEALTHY,
            "AdministrativeOverride": {
                "State": "no_override",
                "Reason": "AdministrativeOverride.NoOverride",
                "Description": "No override is currently active on target",
            },
        }
        for each in site.servers
    ]
    assert health(site.ground, site.group) == expected
    assert aws("elbv2", "describe-target-health", "--target-group-arn", site.group)["TargetHealthDescriptions"] == (
        expected
    )


@pytest.mark.usefixtures("walk")
@pytest.mark.fact("1.6/unhealthy", "1.6/initial-checks", "1.5/fail")
def test_one_instance_may_be_two_targets_and_one_of_them_unhealthy(site: Site) -> None:
    """Nobody serves on port 5005, so its checks fail, and they go to the port that the target has."""
    instance, port = site.servers[1], 5005
    elbv2 = site.ground.elbv2
    register(site.ground, site.group, instance)  # registered already: nothing changes
    elbv2.register_targets(TargetGroupArn=site.group, Targets=[{"Id": instance, "Port": port}])
    target, seen = {"Id": instance, "Port": port}, []
    eventually(lambda: seen.append(site.of(target)[0]) or seen[-1] == UNHEALTHY)
    order = [REGISTERING, FIRST_CHECKS, UNHEALTHY]
    assert [order.index(found) for found in seen] == sorted(order.index(found) for found in seen)
    entries = health(site.ground, site.group, {"Id": instance})
    assert [(it["Target"]["Port"], it["HealthCheckPort"], it["TargetHealth"]["State"]) for it in entries] == [
        (5000, "5000", "healthy"), (port, "5005", "unhealthy"),
    ]  # fmt: skip
    elbv2.modify_target_group(TargetGroupArn=site.group, HealthCheckPort="5000")
    assert {it["HealthCheckPort"] for it in health(site.ground, site.group)} == {"5000"}
    site.becomes(target, HEALTHY)
    elbv2.modify_target_group(TargetGroupArn=site.group, HealthCheckPort="traffic-port")
    elbv2.deregister_targets(TargetGroupArn=site.group, Targets=[target])


@pytest.mark.usefixtures("walk")
@pytest.mark.fact("1.6/draining", "1.6/not-registered", "0/vanish", "1.6/walk-deregistered")
def test_a_deregistered_target_drains_and_vanishes(site: Site) -> None:
    target, elbv2 = {"Id": site.servers[1], "Port": 5000}, site.ground.elbv2
    began = lab_now(site.cloud)
    for _ in range(2):  # one that is not registered any more is no error
        elbv2.deregister_targets(TargetGroupArn=site.group, Targets=[target])
    (first,) = site.of(target)
    assert first == DRAINING or lab_now(site.cloud) - began > DRAINING_S
    eventually(lambda: target not in [it["Target"] for it in health(site.ground, site.group)])
    assert lab_now(site.cloud) - began >= DRAINING_S
    (entry,) = health(site.ground, site.group, target)
    assert entry == {"Target": target, "HealthCheckPort": "5000", "TargetHealth": NOT_REGISTERED}
    assert site.of({"Id": "i-0123456789abcdef0"}) == [NOT_REGISTERED]
    waiter = elbv2.get_waiter("target_deregistered")
    waiter.wait(TargetGroupArn=site.group, Targets=[target], WaiterConfig={"Delay": 1, "MaxAttempts": 1})


# -- targets that get no traffic -------------------------------------------------------------------------------


@pytest.mark.fact("1.6/not-in-use")
def test_without_a_listener_a_group_is_not_in_use(site: Site) -> None:
    group = site.ground.target_group("unused")
    register(site.ground, group, *site.servers)
    assert site.of(group=group) == [NOT_IN_USE, NOT_IN_USE]
    listener = site.ground.listener(site.balancer, group, 5100)
    eventually(lambda: site.of(group=group)[0] in (REGISTERING, FIRST_CHECKS, HEALTHY))
    site.ground.elbv2.delete_listener(ListenerArn=listener)
    eventually(lambda: site.of(group=group) == [NOT_IN_USE, NOT_IN_USE])
    site.ground.elbv2.delete_target_group(TargetGroupArn=group)


@pytest.mark.fact("1.6/zone-not-enabled", "1.1/set-subnets")
def test_a_zone_without_a_node(site: Site) -> None:
    ground, (one, two) = site.ground, site.ground.subnets
    balancer = ground.balancer("half", Subnets=[one])["LoadBalancerArn"]
    group = ground.target_group("half")
    ground.listener(balancer, group)
    register(ground, group, *site.servers)
    by_id = [{"Id": it} for it in site.servers]
    assert site.of(by_id[1], group=group) == [ZONE_NOT_ENABLED]
    assert site.of(by_id[0], group=group)[0]["State"] in ("initial", "healthy")
    ground.elbv2.set_subnets(LoadBalancerArn=balancer, Subnets=[one, two])
    eventually(lambda: site.of(by_id[1], group=group)[0]["State"] in ("initial", "healthy"))
    ground.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    ground.elbv2.delete_target_group(TargetGroupArn=group)


@pytest.fixture(scope="module")
def doomed(site: Site) -> str:
    (made,) = launched(site.ground, site.ground.subnets[0])
    return str(made["InstanceId"])


@pytest.mark.fact("1.6/stopped", "1.6/walk-stopped", "3.7/37")
def test_a_stopped_instance(site: Site, doomed: str) -> None:
    ground = site.ground
    register(ground, site.group, doomed)
    ground.ec2.stop_instances(InstanceIds=[doomed])
    site.becomes({"Id": doomed}, STOPPED)
    assert doomed in {it["Target"]["Id"] for it in health(ground, site.group)}
    other = ground.target_group("running-only")
    assert refusal(ground.elbv2.register_targets, TargetGroupArn=other, Targets=[{"Id": doomed}]) == (
        "InvalidTarget",
        f"The following targets are not in a running state and cannot be registered: '{doomed}'",
    )
    assert health(ground, other) == []


@pytest.mark.fact("1.6/walk-terminated", "0/vanish", "1.6/draining")
def test_a_terminated_instance_vanishes_and_is_draining_by_id(site: Site, doomed: str) -> None:
    ground = site.ground
    ground.ec2.start_instances(InstanceIds=[doomed])
    site.becomes({"Id": doomed}, HEALTHY)
    began = lab_now(site.cloud)
    ground.ec2.terminate_instances(InstanceIds=[doomed])
    eventually(lambda: instance_state(ground, doomed) == "terminated")
    eventually(lambda: doomed not in {it["Target"]["Id"] for it in health(ground, site.group)})
    (by_id,) = site.of({"Id": doomed})
    assert by_id == DRAINING or lab_now(site.cloud) - began > TERMINATED_DRAINING_S
    site.becomes({"Id": doomed}, NOT_REGISTERED)
    assert lab_now(site.cloud) - began >= TERMINATED_DRAINING_S


# -- who is refused --------------------------------------------------------------------------------------------


@pytest.mark.fact("3.7/38")
def test_an_instance_of_another_vpc(site: Site) -> None:
    ground = site.ground
    (subnet, *_) = ground.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    (image,) = ground.ec2.describe_images(Owners=["self"])["Images"]
    asked = {"ImageId": image["ImageId"], "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}
    made = ground.ec2.run_instances(**asked, SubnetId=subnet["SubnetId"])["Instances"][0]["InstanceId"]
    eventually(lambda: instance_state(ground, made) == "running")
    assert refusal(ground.elbv2.register_targets, TargetGroupArn=site.group, Targets=[{"Id": made}]) == (
        "InvalidTarget", f"The following targets are not in the target group VPC '{ground.vpc}': '{made}'",
    )  # fmt: skip
    ground.ec2.terminate_instances(InstanceIds=[made])


@pytest.mark.parametrize(
    "target, code, message",
    [
        ({"Id": "10.20.0.10"}, "ValidationError", "Instance ID '10.20.0.10' is not valid"),
        ({"Id": "i-0123456789abcdef0"}, "InvalidTarget", "'i-0123456789abcdef0'"),
        ({"Id": "i-0123456789abcdef0", "Port": 65536}, "ValidationError",
         "Value '65536' at 'targets.1.member.port' failed to satisfy constraint: Member must have value less than or "
         "equal to 65535"),
    ],
)  # fmt: skip
def test_what_is_no_target(site: Site, target: dict[str, Any], code: str, message: str) -> None:
    said = refusal(site.ground.elbv2.register_targets, TargetGroupArn=site.group, Targets=[target])
    assert said[0] == code and said[1].endswith(message)
