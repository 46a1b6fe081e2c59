"""Instance refreshes and target groups of a group, as clients see them move (aws-facts 2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.scaling_ground import IMAGE, Ground, lay, refusal
from tests.local.cloud_under_test import Cloud, eventually


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return lay(cloud)


@pytest.fixture(scope="module")
def group(ground: Ground) -> str:
    """A group of two, both in service."""
    ground.create("rolled", MinSize=2)
    ground.in_service("rolled", 2)
    return "rolled"


def refresh(ground: Ground, refresh_id: str) -> dict[str, Any]:
    (found,) = ground.client.describe_instance_refreshes(
        AutoScalingGroupName="rolled", InstanceRefreshIds=[refresh_id]
    )["InstanceRefreshes"]
    return dict(found)


def test_a_refresh_rolls_the_group_to_the_newest_template(ground: Ground, group: str, aws: Aws) -> None:
    client, before = ground.client, ground.in_service(group, 2)
    ground.cloud.client("ec2").create_launch_template_version(
        LaunchTemplateId=ground.template_id, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.micro"}
    )
    wanted = {"MinHealthyPercentage": 50, "InstanceWarmup": 300, "SkipMatching": True}
    held = {"AutoScalingGroupName": group, "ScalingProcesses": ["InstanceRefresh"]}
    client.suspend_processes(**held)
    begun = client.start_instance_refresh(AutoScalingGroupName=group, Preferences=wanted)["InstanceRefreshId"]
    shown = refresh(ground, begun)
    assert (shown["Status"], shown["PercentageComplete"], shown["InstancesToUpdate"]) == ("Pending", 0, 2)
    assert shown["Preferences"] == {
        "MinHealthyPercentage": 50, "InstanceWarmup": 300, "SkipMatching": True, "AutoRollback": False,
        "ScaleInProtectedInstances": "Wait", "StandbyInstances": "Wait",
    }  # fmt: skip
    assert refusal(client.start_instance_refresh, AutoScalingGroupName=group)[0] == "InstanceRefreshInProgress"
    client.resume_processes(**held)
    eventually(lambda: refresh(ground, begun)["Status"] == "Successful")
    shown = refresh(ground, begun)
    assert (shown["PercentageComplete"], shown["InstancesToUpdate"]) == (100, 0)
    assert shown["EndTime"] > shown["StartTime"]
    assert not set(ground.in_service(group, 2)) & {*before}
    assert {each["LaunchTemplate"]["Version"] for each in ground.members(group)} == {"2"}
    assert {each["InstanceType"] for each in ground.members(group)} == {"t3.micro"}
    told = aws("autoscaling", "describe-instance-refreshes", "--auto-scaling-group-name", group)["InstanceRefreshes"]
    assert [each["InstanceRefreshId"] for each in told] == [begun]


def test_a_refresh_is_cancelled(ground: Ground, group: str) -> None:
    client = ground.client
    ground.in_service(group, 2)
    warm_up = {"InstanceWarmup": 600}
    begun = client.start_instance_refresh(AutoScalingGroupName=group, Preferences=warm_up)["InstanceRefreshId"]
    assert client.cancel_instance_refresh(AutoScalingGroupName=group)["InstanceRefreshId"] == begun
    eventually(lambda: refresh(ground, begun)["Status"] == "Cancelled")
    assert refusal(client.cancel_instance_refresh, AutoScalingGroupName=group)[0] == "ActiveInstanceRefreshNotFound"
    ground.in_service(group, 2)


@pytest.mark.fact("2.2/attachment-states", "2.2/drain-first", "2.2/status-codes", "0/5")
def test_a_target_group_is_attached_drained_and_detached(ground: Ground, group: str) -> None:
    client, elbv2 = ground.client, ground.cloud.client("elbv2")
    arn = elbv2.create_target_group(Name="rolled", Protocol="TCP", Port=80, VpcId=ground.vpc_id)["TargetGroups"][0][
        "TargetGroupArn"
    ]
    delay(elbv2, arn, 900)
    client.attach_load_balancer_target_groups(AutoScalingGroupName=group, TargetGroupARNs=[arn])
    eventually(lambda: len(elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]) == 2)

    def states() -> list[tuple[str, str]]:
        found = client.describe_load_balancer_target_groups(AutoScalingGroupName=group)["LoadBalancerTargetGroups"]
        return [(each["LoadBalancerTargetGroupARN"], each["State"]) for each in found]

    eventually(lambda: states() == [(arn, "Added")])
    sources = client.describe_traffic_sources(AutoScalingGroupName=group)["TrafficSources"]
    assert [(each["Identifier"], each["Type"], each["State"]) for each in sources] == [(arn, "elbv2", "Added")]
    shown = ground.group(group)
    assert shown["TargetGroupARNs"] == [arn]
    assert shown["TrafficSources"] == [{"Identifier": arn, "Type": "elbv2"}]

    victim = ground.in_service(group, 2)[0]
    client.terminate_instance_in_auto_scaling_group(InstanceId=victim, ShouldDecrementDesiredCapacity=False)
    draining = eventually(lambda: _draining(ground, group))
    assert draining["Description"] == f"Terminating EC2 instance: {victim} - Waiting For ELB Connection Draining."
    assert draining["Progress"] == 50
    described = ground.cloud.client("ec2").describe_instances(InstanceIds=[victim])["Reservations"][0]["Instances"][0]
    assert described["State"]["Name"] == "running", "deregistered and drained first, terminated afterwards"
    ground.in_service(group, 2)
    done = eventually(lambda: _over(ground, group, victim))
    assert (done["EndTime"] - done["StartTime"]).total_seconds() >= 900
    assert done["Description"] == f"Terminating EC2 instance: {victim}"

    delay(elbv2, arn, 0)
    client.detach_traffic_sources(AutoScalingGroupName=group, TrafficSources=[{"Identifier": arn}])
    assert ground.group(group)["TargetGroupARNs"] == []
    eventually(lambda: states() == [])
    assert refusal(client.detach_load_balancer_target_groups, AutoScalingGroupName=group, TargetGroupARNs=[arn])[1] == (
        "Trying to remove Target Groups that are not part of the group"
    )
    ground.delete(group)
    elbv2.delete_target_group(TargetGroupArn=arn)


def delay(elbv2: Any, arn: str, seconds: int) -> None:
    """Set how long targets drain: long enough to look meanwhile."""
    attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}
    elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[attribute])


def _draining(ground: Ground, group: str) -> dict[str, Any] | None:
    found = [each for each in ground.activities(group) if each["StatusCode"] == "WaitingForELBConnectionDraining"]
    return found[0] if found else None


def _over(ground: Ground, group: str, victim: str) -> dict[str, Any] | None:
    wanted = f"Terminating EC2 instance: {victim}"
    found = [each for each in ground.activities(group) if each["Description"] == wanted and "EndTime" in each]
    return found[0] if found else None
