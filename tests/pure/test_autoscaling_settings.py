"""What hangs on a group (target groups, instances, tags, metrics), and what is refused in AWS's words."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest
from botocore import xform_name

from mglab.localcloud.api.autoscaling import AutoScaling
from mglab.localcloud.api.cloudwatch import CloudWatch
from mglab.localcloud.api.faults import ApiError
from tests.pure.autoscaling_cloud import (
    ACCOUNT,
    GROUPS,
    MGTG,
    MODEL,
    OTHER,
    REGION,
    World,
    create,
    kill_one,
    lab_group,
    track,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def running() -> World:
    return lab_group()


@pytest.mark.fact("2.2/attachment-states")
def test_target_groups_are_attached_and_detached(running: World) -> None:
    running("AttachLoadBalancerTargetGroups", AutoScalingGroupName="MGAS", TargetGroupARNs=[OTHER])

    def states() -> dict[str, str]:
        shown = running("DescribeLoadBalancerTargetGroups", AutoScalingGroupName="MGAS")["LoadBalancerTargetGroups"]
        return {each["LoadBalancerTargetGroupARN"]: each["State"] for each in shown}

    assert states() == {MGTG: "InService", OTHER: "Adding"}
    running.go(1)
    assert states()[OTHER] == "Added" and set(running.elbv2.groups[OTHER].values()) == {"initial"}
    running.elbv2.groups[OTHER] = dict.fromkeys(running.elbv2.groups[OTHER], "healthy")
    running.go(1)
    assert states()[OTHER] == "InService"
    running("DetachTrafficSources", AutoScalingGroupName="MGAS", TrafficSources=[{"Identifier": OTHER}])
    running.go(2)
    assert states()[OTHER] == "Removing" and set(running.elbv2.groups[OTHER].values()) == {"draining"}
    assert running.group()["TargetGroupARNs"] == [MGTG]
    running.elbv2.groups[OTHER].clear()
    running.go(1)
    assert states() == {MGTG: "InService"}
    assert running("DescribeTrafficSources", AutoScalingGroupName="MGAS")["TrafficSources"] == [
        {"TrafficSource": MGTG, "Identifier": MGTG, "Type": "elbv2", "State": "InService"}
    ]


def test_instances_are_detached_and_attached(running: World) -> None:
    leaver = running.instances()[0]["InstanceId"]
    (activity,) = running("DetachInstances", AutoScalingGroupName="MGAS", InstanceIds=[leaver],
                          ShouldDecrementDesiredCapacity=False)["Activities"]
    assert activity["Description"] == f"Detaching EC2 instance: {leaver}"
    running.go(400)
    assert running.compute.views[leaver].state == "running" and len(running.instances()) == 2
    running("AttachInstances", AutoScalingGroupName="MGAS", InstanceIds=[leaver])
    running.go(2)
    assert running.group()["DesiredCapacity"] == 3 and len(running.instances("InService")) == 3
    assert running.activities()[0]["Description"] == f"Attaching an existing EC2 instance: {leaver}"


def test_tags_and_filters(running: World) -> None:
    create(running, AutoScalingGroupName="second", Tags=None, TargetGroupARNs=None)
    running("CreateOrUpdateTags", Tags=[{"ResourceId": "second", "ResourceType": "auto-scaling-group", "Key": "run",
                                         "Value": "x", "PropagateAtLaunch": True}])

    def names(*filters: dict[str, Any], **more: Any) -> list[str]:
        groups = running("DescribeAutoScalingGroups", Filters=list(filters), **more)["AutoScalingGroups"]
        return [group["AutoScalingGroupName"] for group in groups]

    assert names({"Name": "tag:run", "Values": ["x"]}) == ["second"]
    assert names({"Name": "tag-key", "Values": ["Name", "run"]}) == ["MGAS", "second"]
    assert names({"Name": "tag-value", "Values": ["nobody"]}) == []
    running("DeleteTags", Tags=[{"ResourceId": "second", "ResourceType": "auto-scaling-group", "Key": "run"}])
    shown = running("DescribeTags", Filters=[{"Name": "auto-scaling-group", "Values": ["second", "MGAS"]}])["Tags"]
    assert [tag["Key"] for tag in shown] == ["Name", "Owner"]
    first = running("DescribeAutoScalingGroups", MaxRecords=1)
    second = running("DescribeAutoScalingGroups", MaxRecords=1, NextToken=first["NextToken"])
    assert second["AutoScalingGroups"][0]["AutoScalingGroupName"] == "second" and "NextToken" not in second


def test_group_metrics_are_recorded_each_minute_once_enabled(running: World) -> None:
    assert running.service.minute(running.at) == []
    running("EnableMetricsCollection", AutoScalingGroupName="MGAS", Granularity="1Minute")
    recorded = {metric: value for _, metric, _, value, _ in running.service.minute(running.at)}
    assert recorded["GroupMinSize"] == 2.0 and recorded["GroupMaxSize"] == 3.0
    assert recorded["GroupInServiceInstances"] == recorded["GroupTotalCapacity"] == 2.0 and len(recorded) == 13
    assert running.service.minute(running.at)[0] == (
        "AWS/AutoScaling", "GroupMinSize", {"AutoScalingGroupName": "MGAS"}, 2.0, "None",
    )
    running("DisableMetricsCollection", AutoScalingGroupName="MGAS", Metrics=["GroupMinSize"])
    assert {"Metric": "GroupMaxSize", "Granularity": "1Minute"} in running.group()["EnabledMetrics"]
    assert {"Metric": "WarmPoolTotalCapacity", "Granularity": "1Minute"} in running.group()["EnabledMetrics"]
    assert len(running.group()["EnabledMetrics"]) == 20


def test_warm_pool_metrics_may_be_enabled_and_have_no_data_without_a_warm_pool(running: World) -> None:
    kinds = [each["Metric"] for each in running("DescribeMetricCollectionTypes")["Metrics"]]
    assert len(kinds) == 21 and "GroupAndWarmPoolDesiredCapacity" in kinds
    running("EnableMetricsCollection", AutoScalingGroupName="MGAS", Granularity="1Minute", Metrics=["WarmPoolMinSize"])
    assert running.group()["EnabledMetrics"] == [{"Metric": "WarmPoolMinSize", "Granularity": "1Minute"}]
    assert running.service.minute(running.at) == []


def test_new_members_can_be_protected_from_scale_in(world: World) -> None:
    create(world, NewInstancesProtectedFromScaleIn=True).go(60)
    world("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=1, DesiredCapacity=1)
    world.go(60)
    assert len(world.instances("InService")) == 2
    spared = world.instances()[1]["InstanceId"]
    world("SetInstanceProtection", AutoScalingGroupName="MGAS", InstanceIds=[spared], ProtectedFromScaleIn=False)
    world.go(1)
    assert [each["InstanceId"] for each in world.instances("Terminating")] == [spared]


def test_what_an_account_may_have(running: World) -> None:
    assert running("DescribeAccountLimits")["NumberOfAutoScalingGroups"] == 1
    assert "Default" in running("DescribeTerminationPolicyTypes")["TerminationPolicyTypes"]
    assert {"Metric": "GroupInServiceInstances"} in running("DescribeMetricCollectionTypes")["Metrics"]
    assert {"ProcessName": "Launch"} in running("DescribeScalingProcessTypes")["Processes"]


@pytest.mark.fact("2.1/history")
def test_activities_come_in_progress_first_and_in_pages(running: World) -> None:
    kill_one(running)
    running.go(90)
    activities = running.activities()
    assert activities[0]["StatusCode"] == "WaitingForELBConnectionDraining"
    assert [a["StartTime"] for a in activities[1:]] == sorted((a["StartTime"] for a in activities[1:]), reverse=True)
    first = running("DescribeScalingActivities", MaxRecords=3)
    rest = running("DescribeScalingActivities", MaxRecords=3, NextToken=first["NextToken"])
    assert first["Activities"] + rest["Activities"] == activities
    assert running.activities(ActivityIds=[activities[2]["ActivityId"]]) == [activities[2]]


BAD_GROUPS = [
    ({"DesiredCapacity": 4}, "ValidationError",
     "Desired capacity:4 must be between the specified min size:2 and max size:3"),
    ({"MinSize": 5}, "ValidationError", "Max bound, 3, must be greater than or equal to min bound, 5"),
    ({"LaunchTemplate": {"LaunchTemplateName": "broken"}}, "ValidationError",
     "You must use a valid fully-formed launch template. The image id '[ami-1]' does not exist"),
    ({"LaunchTemplate": {"Version": "1"}}, "ValidationError",
     "Valid requests must contain either launchTemplateId or LaunchTemplateName"),
    ({"LaunchTemplate": None}, "ValidationError",
     "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy "
     "parameter."),
    ({"TargetGroupARNs": [f"{GROUPS}/none/1"]}, "ValidationError",
     "Provided Target Groups may not be valid. Please ensure they exist and try again."),
    ({"VPCZoneIdentifier": "subnet-9"}, "ValidationError", "The subnet ID 'subnet-9' does not exist"),
    ({"VPCZoneIdentifier": None}, "ValidationError", "At least one Availability Zone or VPC Subnet is required."),
    ({"AvailabilityZones": ["us-east-1c"]}, "ValidationError",
     "The availability zones of the specified subnets and the Auto Scaling group do not match"),
    ({"LaunchConfigurationName": "lc"}, "ValidationError",
     "Launch configuration name not found - Launch configuration lc not found"),
    ({"MaxInstanceLifetime": 86400}, "ValidationError",
     "The local cloud does not model MaxInstanceLifetime; leave it out."),
]


@pytest.mark.parametrize(("changes", "code", "message"), BAD_GROUPS)
def test_groups_that_make_no_sense_are_refused(
    world: World, changes: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(ApiError) as refusal:
        create(world, **changes)
    assert (refusal.value.code, refusal.value.message) == (code, message)
    assert world.service.state.groups == {}


MISTAKES = [
    ("UpdateAutoScalingGroup", {"AutoScalingGroupName": "none", "MinSize": 1},
     "AutoScalingGroup name not found - null"),
    ("SetDesiredCapacity", {"AutoScalingGroupName": "MGAS", "DesiredCapacity": 5},
     "New SetDesiredCapacity value 5 is above max value 3 for the AutoScalingGroup."),
    ("SetDesiredCapacity", {"AutoScalingGroupName": "MGAS", "DesiredCapacity": 1},
     "New SetDesiredCapacity value 1 is below min value 2 for the AutoScalingGroup."),
    ("TerminateInstanceInAutoScalingGroup", {"InstanceId": "i-1", "ShouldDecrementDesiredCapacity": False},
     "Instance Id not found - No managed instance found for instance ID: i-1"),
    ("TerminateInstanceInAutoScalingGroup",
     {"InstanceId": "i-00000000000000000", "ShouldDecrementDesiredCapacity": True},
     "Currently, desiredSize equals minSize (2). Terminating instance without replacement will violate group's min "
     "size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."),
    ("PutScalingPolicy", {"AutoScalingGroupName": "MGAS", "PolicyName": "p", "AdjustmentType": "ChangeInCapacity"},
     "Scaling increment must be specified for a SimpleScaling policy"),
    ("AttachLoadBalancerTargetGroups", {"AutoScalingGroupName": "MGAS", "TargetGroupARNs": ["arn:x"]},
     "Provided Target Groups may not be valid. Please ensure they exist and try again."),
    ("UpdateAutoScalingGroup", {"AutoScalingGroupName": "MGAS", "MinSize": 5},
     "Max bound, 3, must be greater than or equal to min bound, 5"),
    ("EnableMetricsCollection", {"AutoScalingGroupName": "MGAS", "Granularity": "1Second"},
     "Granularity 1Second is invalid; the only one is 1Minute."),
]


@pytest.mark.parametrize(("operation", "params", "message"), MISTAKES)
def test_mistakes_are_refused_in_awss_words(
    running: World, operation: str, params: dict[str, Any], message: str
) -> None:
    before = running.group()
    with pytest.raises(ApiError) as refusal:
        running(operation, **params)
    assert (refusal.value.code, refusal.value.message) == ("ValidationError", message)
    assert running.group() == before


def test_a_name_is_taken(running: World) -> None:
    with pytest.raises(ApiError) as refusal:
        create(running)
    assert refusal.value.code == "AlreadyExists"
    assert refusal.value.message == (
        "AutoScalingGroup by this name already exists - A group with the name MGAS already exists"
    )


def test_the_state_can_be_saved_whole_and_goes_on(running: World) -> None:
    track(running)
    kill_one(running)
    running.go(40)
    groups, watch = pickle.loads(pickle.dumps((running.service.state, running.cloudwatch.state)))
    running.cloudwatch = CloudWatch(running.now, ACCOUNT, REGION, publication_delay_s=0.0, state=watch)
    running.service = AutoScaling(
        running.compute, running.elbv2, running.cloudwatch, running.now, ACCOUNT, REGION,  # type: ignore[arg-type]
        random.Random(1), state=groups,
    )
    running.until(lambda: len(running.instances("InService")) == 2 and len(running.instances()) == 2)


def test_every_operation_is_one_that_aws_has() -> None:
    names = {xform_name(name) for name in MODEL.operation_names}
    for page in World().service.pages:
        public = {name for name in dir(page) if not name.startswith("_") and callable(getattr(page, name))}
        assert public <= names, public - names
