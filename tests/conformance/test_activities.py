"""The activity history in AWS's own words, as a group lives (aws-facts 2.3, 2.4).

One group goes through it all: made, grown, killed from outside, declared sick, terminated, detached, attached, shrunk
and deleted. Times are the cloud's own, to the second as Causes tell them.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.scaling_ground import IMAGE, ZONES, Ground, lay, refusal
from tests.local.cloud_under_test import Cloud, eventually

T = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
DIFFERENCE = "in response to a difference between desired and actual capacity"


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return lay(cloud)


@pytest.fixture(scope="module")
def group(ground: Ground) -> str:
    """A group of two, both in service; it is not rebalanced, so that nobody moves but who is told to."""
    ground.create("lived", MinSize=2, MaxSize=4, HealthCheckGracePeriod=0)
    ground.client.suspend_processes(AutoScalingGroupName="lived", ScalingProcesses=["AZRebalance"])
    ground.in_service("lived", 2)
    return "lived"


def stamps(cause: str) -> list[datetime]:
    return [datetime.strptime(each, "%Y-%m-%dT%H:%M:%S%z") for each in re.findall(T, cause)]


def latest(ground: Ground, words: str) -> dict[str, Any]:
    """Give the newest activity whose description begins so."""
    found = [each for each in ground.activities("lived") if each["Description"].startswith(words)]
    return found[0] if found else {}


def ended(ground: Ground, words: str) -> dict[str, Any]:
    """Give it when it is over."""
    return eventually(lambda: (it := latest(ground, words)).get("EndTime") and it, words)


@pytest.mark.fact(
    "2.2/states", "2.2/in-service-at-once", "2.2/status-codes", "2.2/progress", "2.3/create", "2.3/details",
    "2.5/placement",
)  # fmt: skip
def test_a_new_group_launches_one_instance_in_each_zone(ground: Ground, group: str) -> None:
    launches = [each for each in ground.activities(group) if each["Description"].startswith("Launching")]
    assert len(launches) == 2
    made_at = ground.group(group)["CreatedTime"]
    assert all(each["StartTime"] > made_at for each in launches), "a group is empty at first"
    for each in launches:
        assert re.fullmatch(r"Launching a new EC2 instance: i-[0-9a-f]{17}", each["Description"])
        assert re.fullmatch(
            rf"At {T} a user request created an AutoScalingGroup changing the desired capacity from 0 to 2\.  At {T} "
            rf"an instance was started {DIFFERENCE}, increasing the capacity from 0 to 2\.", each["Cause"],
        )  # fmt: skip
        asked, started = stamps(each["Cause"])
        assert started - asked >= timedelta(seconds=1), "it takes a while to decide"
        assert (each["StatusCode"], each["Progress"]) == ("Successful", 100)
        assert each["EndTime"] - each["StartTime"] >= timedelta(seconds=5)
        details = json.loads(each["Details"])
        assert list(details) == ["Subnet ID", "Availability Zone"]
        assert details["Subnet ID"] == ground.subnets[ZONES.index(details["Availability Zone"])]
    zones = [each["AvailabilityZone"] for each in ground.group(group)["Instances"]]
    assert sorted(zones) == [*ZONES]
    (member, _) = ground.client.describe_auto_scaling_instances()["AutoScalingInstances"]
    assert (member["LifecycleState"], member["HealthStatus"]) == ("InService", "HEALTHY")
    assert member["LaunchTemplate"]["Version"] == "1" and member["AutoScalingGroupName"] == group


def test_a_member_carries_the_groups_name_and_its_templates(ground: Ground, group: str) -> None:
    member = ground.members(group)[0]["InstanceId"]
    described = ground.cloud.client("ec2").describe_instances(InstanceIds=[member])
    tags = {each["Key"]: each["Value"] for each in described["Reservations"][0]["Instances"][0]["Tags"]}
    assert tags["aws:autoscaling:groupName"] == group
    assert tags["aws:ec2launchtemplate:id"] == ground.template_id and tags["aws:ec2launchtemplate:version"] == "1"


@pytest.mark.fact("0/9", "2.3/outside", "2.3/replacement", "2.5/not-running")
def test_a_member_terminated_outside_is_noticed_and_replaced_a_second_later(ground: Ground, group: str) -> None:
    before, victim = ground.in_service(group, 2), ground.members(group)[0]["InstanceId"]
    ground.cloud.client("ec2").terminate_instances(InstanceIds=[victim])
    ending = ended(ground, f"Terminating EC2 instance: {victim}")
    assert re.fullmatch(
        rf"At {T} an instance was taken out of service in response to an EC2 health check indicating it has been "
        r"terminated or stopped\.", ending["Cause"],
    )  # fmt: skip
    newcomer = next(iter(set(ground.in_service(group, 2)) - {*before}))
    starting = latest(ground, f"Launching a new EC2 instance: {newcomer}")
    assert re.fullmatch(
        rf"At {T} an instance was launched in response to an unhealthy instance needing to be replaced\.",
        starting["Cause"],
    )  # fmt: skip
    assert starting["StartTime"] > ending["StartTime"]


@pytest.mark.fact("2.3/set-health")
def test_a_member_declared_unhealthy_is_replaced(ground: Ground, group: str) -> None:
    client, (victim, _) = ground.client, ground.in_service(group, 2)
    client.update_auto_scaling_group(AutoScalingGroupName=group, HealthCheckGracePeriod=86400)
    client.set_instance_health(InstanceId=victim, HealthStatus="Unhealthy")
    assert all(each["HealthStatus"] == "Healthy" for each in ground.group(group)["Instances"]), "the grace period holds"
    client.set_instance_health(InstanceId=victim, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    ending = eventually(lambda: latest(ground, f"Terminating EC2 instance: {victim}"))
    assert re.fullmatch(
        rf"At {T} an instance was taken out of service in response to a user health-check\.", ending["Cause"]
    )
    client.update_auto_scaling_group(AutoScalingGroupName=group, HealthCheckGracePeriod=0)
    assert refusal(client.set_instance_health, InstanceId=victim, HealthStatus="Poorly")[0] == "ValidationError"
    ground.in_service(group, 2)


@pytest.mark.fact("2.3/set-desired", "2.3/terminate-in-group")
def test_a_member_is_terminated_by_hand_with_and_without_a_smaller_capacity(ground: Ground, group: str) -> None:
    client = ground.client
    ground.in_service(group, 2)
    client.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=3)
    ground.in_service(group, 3)
    assert re.fullmatch(
        rf"At {T} a user request explicitly set group desired capacity changing the desired capacity from 2 to 3\.  "
        rf"At {T} an instance was started {DIFFERENCE}, increasing the capacity from 2 to 3\.",
        latest(ground, "Launching")["Cause"],
    )  # fmt: skip
    (first, second, _) = ground.in_service(group, 3)
    terminate = client.terminate_instance_in_auto_scaling_group
    activity = terminate(InstanceId=first, ShouldDecrementDesiredCapacity=True)["Activity"]
    assert re.fullmatch(
        rf"At {T} instance {first} was taken out of service in response to a user request, shrinking the capacity from "
        r"3 to 2\.", activity["Cause"],
    )  # fmt: skip
    assert (activity["Description"], activity["Progress"]) == (f"Terminating EC2 instance: {first}", 50)
    assert ground.group(group)["DesiredCapacity"] == 2
    ended(ground, f"Terminating EC2 instance: {first}")
    assert refusal(terminate, InstanceId=second, ShouldDecrementDesiredCapacity=True) == (
        "ValidationError",
        "Currently, desiredSize equals minSize (2). Terminating instance without replacement will violate group's min "
        "size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
    )
    activity = terminate(InstanceId=second, ShouldDecrementDesiredCapacity=False)["Activity"]
    assert re.fullmatch(rf"At {T} instance {second} was taken out of service in response to a user request\.",
                        activity["Cause"])  # fmt: skip
    assert second not in ground.in_service(group, 2)


@pytest.mark.fact("2.2/detach")
def test_a_member_is_detached_attached_and_stands_by(ground: Ground, group: str) -> None:
    client, (first, _) = ground.client, ground.in_service(group, 2)
    asked: dict[str, Any] = {"AutoScalingGroupName": group, "InstanceIds": [first]}
    code, message = refusal(client.detach_instances, **asked, ShouldDecrementDesiredCapacity=True)
    assert (code, message) == (
        "ValidationError",
        f"AutoScalingGroup {group} has min-size=2, max-size=4, and desired-size=2. To detach 1 instance, please update "
        "the AutoScalingGroup sizes appropriately.",
    )
    client.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=1)
    (activity,) = client.detach_instances(**asked, ShouldDecrementDesiredCapacity=True)["Activities"]
    assert activity["Description"] == f"Detaching EC2 instance: {first}"
    assert re.fullmatch(rf"At {T} instance {first} was detached in response to a user request, shrinking the capacity "
                        r"from 2 to 1\.", activity["Cause"])  # fmt: skip
    ended(ground, f"Detaching EC2 instance: {first}")
    described = ground.cloud.client("ec2").describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]
    assert described["State"]["Name"] == "running"
    assert refusal(client.detach_instances, **asked, ShouldDecrementDesiredCapacity=True) == (
        "ValidationError", f"The instance {first} is not part of Auto Scaling group {group}."
    )
    client.attach_instances(**asked)
    assert first in ground.in_service(group, 2) and ground.group(group)["DesiredCapacity"] == 2
    attached = ended(ground, f"Attaching an existing EC2 instance: {first}")
    assert re.fullmatch(
        rf"At {T} an instance was added in response to user request\. Keeping the capacity at the new 2\.",
        attached["Cause"],
    )
    assert refusal(client.attach_instances, **asked) == (
        "ValidationError", f"The Instance: {first} is already part of AutoScalingGroup:{group}"
    )
    client.enter_standby(**asked, ShouldDecrementDesiredCapacity=True)
    eventually(lambda: ground.members(group, "Standby"))
    client.exit_standby(**asked)
    assert first in ground.in_service(group, 2) and ground.group(group)["DesiredCapacity"] == 2


@pytest.mark.fact("2.3/update", "2.3/scale-in")
def test_an_update_grows_and_shrinks_the_group(ground: Ground, group: str) -> None:
    client = ground.client
    client.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=3, MaxSize=3)
    ground.in_service(group, 3)
    assert re.fullmatch(
        rf"At {T} a user request update of AutoScalingGroup constraints to min: 3, max: 3, desired: 3 changing the "
        rf"desired capacity from 2 to 3\.  At {T} an instance was started {DIFFERENCE}, increasing the capacity from 2 "
        r"to 3\.", latest(ground, "Launching")["Cause"],
    )  # fmt: skip
    keep = ground.members(group)[0]["InstanceId"]
    client.set_instance_protection(AutoScalingGroupName=group, InstanceIds=[keep], ProtectedFromScaleIn=True)
    client.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=1, DesiredCapacity=1)
    assert ground.in_service(group, 1) == [keep]
    ending = latest(ground, "Terminating")
    found = re.fullmatch(
        rf"At {T} a user request update of AutoScalingGroup constraints to min: 1, max: 3, desired: 1 changing the "
        rf"desired capacity from 3 to 1\.  At {T} an instance was taken out of service {DIFFERENCE}, shrinking the "
        rf"capacity from 3 to 1\.((?:  At {T} instance i-[0-9a-f]+ was selected for termination\.)+)", ending["Cause"],
    )  # fmt: skip
    assert found is not None, ending["Cause"]


@pytest.mark.fact("2.1/history")
def test_the_history_is_paged_newest_first_and_outlives_its_group(ground: Ground, group: str, aws: Aws) -> None:
    client = ground.client
    ground.delete(group)
    assert client.describe_scaling_activities(AutoScalingGroupName=group)["Activities"] == []
    kept = ground.activities(group, IncludeDeletedGroups=True)
    assert all(each["AutoScalingGroupState"] == "Deleted" for each in kept)
    starts = [each["StartTime"] for each in kept]
    assert starts == sorted(starts, reverse=True)
    pages = client.get_paginator("describe_scaling_activities").paginate(
        AutoScalingGroupName=group, IncludeDeletedGroups=True, PaginationConfig={"PageSize": 3}
    )
    assert [each for page in pages for each in page["Activities"]] == kept
    wanted = [kept[2]["ActivityId"]]
    assert ground.activities(group, IncludeDeletedGroups=True, ActivityIds=wanted) == [kept[2]]
    filters = [{"Name": "Status", "Values": ["Failed"]}]
    assert ground.activities(group, IncludeDeletedGroups=True, Filters=filters) == []
    since = [{"Name": "StartTimeLowerBound", "Values": [kept[0]["StartTime"].isoformat()]}]
    assert ground.activities(group, IncludeDeletedGroups=True, Filters=since)[0] == kept[0]
    assert refusal(client.describe_scaling_activities, Filters=[{"Name": "Mood", "Values": ["good"]}])[0] == (
        "ValidationError"
    )
    told = aws("autoscaling", "describe-scaling-activities", "--include-deleted-groups", "--max-items", "1")
    told = told["Activities"]
    assert told[0]["Cause"] == kept[0]["Cause"] and told[0]["AutoScalingGroupName"] == group


@pytest.mark.fact("2.3/failed-launch", "2.3/messages")
def test_a_launch_that_fails_says_why(ground: Ground) -> None:
    """What the template names is deleted after the group was made; nothing of it is checked before the next launch."""
    ec2, elbv2, client = (ground.cloud.client(name) for name in ("ec2", "elbv2", "autoscaling"))
    key = ec2.create_key_pair(KeyName="lost")["KeyName"]
    group_id = ec2.create_security_group(GroupName="lost", Description="of a test", VpcId=ground.vpc_id)["GroupId"]
    arn = elbv2.create_target_group(Name="lost", Protocol="TCP", Port=80, VpcId=ground.vpc_id)["TargetGroups"][0][
        "TargetGroupArn"
    ]
    data = {"ImageId": IMAGE, "InstanceType": "t2.micro"}
    templates = {"key": {"KeyName": key}, "group": {"SecurityGroupIds": [group_id]}, "target": {}}
    for name, more in templates.items():
        ec2.create_launch_template(LaunchTemplateName=f"lost-{name}", LaunchTemplateData={**data, **more})
        ground.create(f"lost-{name}", MaxSize=1, LaunchTemplate={"LaunchTemplateName": f"lost-{name}"},
                      TargetGroupARNs=[arn] if name == "target" else [])  # fmt: skip
    ec2.delete_key_pair(KeyName=key)
    ec2.delete_security_group(GroupId=group_id)
    elbv2.delete_target_group(TargetGroupArn=arn)
    messages = {
        "key": "The key pair 'lost' does not exist.",
        "group": f"The security group '{group_id}' does not exist.",
        "target": "One or more target groups not found. Validating load balancer configuration failed.",
    }
    for name, message in messages.items():
        client.set_desired_capacity(AutoScalingGroupName=f"lost-{name}", DesiredCapacity=1)
        failed = eventually(lambda name=name: ground.activities(f"lost-{name}"))[-1]
        assert failed["StatusCode"] == "Failed" and failed["Progress"] == 100
        assert failed["StatusMessage"] == f"{message} Launching EC2 instance failed."
        assert failed["Description"] == f"Launching a new EC2 instance.  Status Reason: {failed['StatusMessage']}"
        assert "a user request explicitly set group desired capacity" in failed["Cause"]
        assert ground.group(f"lost-{name}")["Instances"] == []
        ground.delete(f"lost-{name}")
