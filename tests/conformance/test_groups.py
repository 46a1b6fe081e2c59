"""Groups as clients make, read, change and delete them (aws-facts 2.1, 2.5, 3.7 rows 41-50)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.config import Config

from tests.conformance.aws_cli import Aws
from tests.conformance.scaling_ground import IMAGE, ZONES, Ground, lay, refusal
from tests.local.cloud_under_test import Cloud, eventually

SUSPENDABLE = [
    "AZRebalance", "AddToLoadBalancer", "AlarmNotification", "HealthCheck", "InstanceRefresh", "Launch",
    "ReplaceUnhealthy", "ScheduledActions", "Terminate",
]  # fmt: skip


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return lay(cloud)


@pytest.mark.fact(
    "2.1/health-check-type", "2.1/grace-period", "2.1/cooldown", "2.1/desired-omitted", "2.1/termination-policies",
    "2.1/warm-up", "2.1/enabled-metrics", "2.1/described",
)  # fmt: skip
def test_a_group_is_read_back_with_awss_defaults(ground: Ground) -> None:
    ground.create("plain")
    group = ground.group("plain")
    arn = group.pop("AutoScalingGroupARN")
    assert re.fullmatch(
        r"arn:aws:autoscaling:us-east-1:\d{12}:autoScalingGroup:[0-9a-f-]{36}:autoScalingGroupName/plain", arn
    )
    role = group.pop("ServiceLinkedRoleARN")
    assert role.endswith(":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
    del group["CreatedTime"]
    assert group == {
        "AutoScalingGroupName": "plain",
        "LaunchTemplate": {"LaunchTemplateId": ground.template_id, "LaunchTemplateName": "conforming",
                           "Version": "$Latest"},
        "MinSize": 0, "MaxSize": 3, "DesiredCapacity": 0, "DefaultCooldown": 300, "AvailabilityZones": [*ZONES],
        "LoadBalancerNames": [], "TargetGroupARNs": [], "HealthCheckType": "EC2", "HealthCheckGracePeriod": 0,
        "Instances": [], "SuspendedProcesses": [], "VPCZoneIdentifier": ",".join(ground.subnets), "EnabledMetrics": [],
        "Tags": [], "TerminationPolicies": ["Default"], "NewInstancesProtectedFromScaleIn": False, "TrafficSources": [],
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
    }  # fmt: skip


def test_every_setting_is_read_back_as_it_was_given_and_changed(ground: Ground) -> None:
    given: dict[str, Any] = {
        "HealthCheckType": "ELB", "HealthCheckGracePeriod": 300, "DefaultCooldown": 60, "DefaultInstanceWarmup": 120,
        "TerminationPolicies": ["OldestInstance", "Default"], "NewInstancesProtectedFromScaleIn": True,
        "CapacityRebalance": True, "Context": "of a test",
    }
    ground.create("given", **given, LaunchTemplate={"LaunchTemplateName": "conforming", "Version": "1"})
    group = ground.group("given")
    assert {name: group[name] for name in given} == given and group["LaunchTemplate"]["Version"] == "1"
    changed: dict[str, Any] = {
        "HealthCheckType": "EC2", "HealthCheckGracePeriod": 0, "DefaultCooldown": 10,
        "TerminationPolicies": ["Default"], "NewInstancesProtectedFromScaleIn": False, "MinSize": 0, "MaxSize": 1,
        "VPCZoneIdentifier": ground.subnets[1],
    }  # fmt: skip
    ground.client.update_auto_scaling_group(
        AutoScalingGroupName="given", **changed, DefaultInstanceWarmup=-1,
        LaunchTemplate={"LaunchTemplateId": ground.template_id, "Version": "$Default"},
    )  # fmt: skip
    group = ground.group("given")
    assert {name: group[name] for name in changed} == changed and "DefaultInstanceWarmup" not in group
    assert group["AvailabilityZones"] == [ZONES[1]] and group["LaunchTemplate"]["Version"] == "$Default"
    ground.delete("given")


@pytest.mark.fact("2.1/desired-omitted")
def test_sizes_follow_each_other(ground: Ground) -> None:
    ground.create("sizes", MaxSize=5)
    ground.client.suspend_processes(AutoScalingGroupName="sizes", ScalingProcesses=["Launch"])

    def after(**words: int) -> tuple[int, int, int]:
        ground.client.update_auto_scaling_group(AutoScalingGroupName="sizes", **words)
        group = ground.group("sizes")
        return group["MinSize"], group["MaxSize"], group["DesiredCapacity"]

    assert after(MinSize=2) == (2, 5, 2), "a minimum above it raises the desired capacity"
    assert after(DesiredCapacity=4) == (2, 5, 4)
    assert after(MaxSize=3) == (2, 3, 3), "a maximum below it lowers it"
    assert after(MinSize=0) == (0, 3, 3)
    ground.client.set_desired_capacity(AutoScalingGroupName="sizes", DesiredCapacity=0, HonorCooldown=False)
    assert ground.group("sizes")["DesiredCapacity"] == 0
    ground.delete("sizes")


def _bad(ground: Ground) -> dict[str, tuple[dict[str, Any], str]]:
    missing, other = "ami-0123456789abcdef0", "lt-0123456789abcdef0"
    arn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/none/0123456789abcdef"
    fully = "You must use a valid fully-formed launch template."
    ec2 = ground.cloud.client("ec2")
    ec2.create_launch_template(LaunchTemplateName="imageless", LaunchTemplateData={"ImageId": missing})
    return {
        "3.7/41": ({"MinSize": 2, "DesiredCapacity": 4},
                   "Desired capacity:4 must be between the specified min size:2 and max size:3"),
        "3.7/42": ({"MinSize": 5}, "Max bound, 3, must be greater than or equal to min bound, 5"),
        "3.7/47": ({"LaunchTemplate": {"LaunchTemplateName": "imageless"}},
                   f"{fully} The image id '[{missing}]' does not exist"),
        "3.7/47 id": ({"LaunchTemplate": {"LaunchTemplateId": other}},
                      f"{fully} The specified launch template, with template ID {other}, does not exist."),
        "3.7/47 version": ({"LaunchTemplate": {"LaunchTemplateId": ground.template_id, "Version": "7"}},
                           f"{fully} Could not find the specified version 7 for the launch template with ID "
                           f"{ground.template_id}."),
        "3.7/48": ({"TargetGroupARNs": [arn]},
                   "Provided Target Groups may not be valid. Please ensure they exist and try again."),
        "3.7/50": ({"LaunchTemplate": {"Version": "1"}},
                   "Valid requests must contain either launchTemplateId or LaunchTemplateName"),
        "subnet": ({"VPCZoneIdentifier": "subnet-0123456789abcdef0"},
                   "The subnet ID 'subnet-0123456789abcdef0' does not exist"),
        "nowhere": ({"VPCZoneIdentifier": None}, "At least one Availability Zone or VPC Subnet is required."),
        "classic": ({"LoadBalancerNames": ["none"]},
                    "Provided Load Balancers may not be valid. Please ensure they exist and try again."),
    }  # fmt: skip


@pytest.mark.fact("3.7/41", "3.7/42", "3.7/47", "3.7/48", "3.7/50")
def test_groups_that_make_no_sense_are_refused_in_awss_words(ground: Ground) -> None:
    for what, (changes, message) in _bad(ground).items():
        assert refusal(ground.create, name="bad", **changes) == ("ValidationError", message), what
    found = ground.client.describe_auto_scaling_groups(AutoScalingGroupNames=["bad"])["AutoScalingGroups"]
    assert found == []


def test_requests_that_no_sdk_would_send_are_refused_not_stumbled_over(ground: Ground) -> None:
    """A client that checks nothing itself: what is missing inside of the parameters is missed by name."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    client = ground.cloud.client("autoscaling", config=config)
    ground.create("careless")
    group = {"AutoScalingGroupName": "careless"}
    null = "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
    assert refusal(client.create_auto_scaling_group, MinSize=0, MaxSize=0) == (
        "ValidationError", null.format("autoScalingGroupName")
    )
    tag = {"ResourceId": "careless", "ResourceType": "auto-scaling-group", "Value": "v"}
    assert refusal(client.create_or_update_tags, Tags=[tag]) == ("ValidationError", null.format("tags.1.member.key"))
    step = {"PolicyType": "StepScaling", "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0}]}  # fmt: skip
    assert refusal(client.put_scaling_policy, **group, PolicyName="p", **step) == (
        "ValidationError", null.format("stepAdjustments.1.member.scalingAdjustment")
    )
    for call, words in (
        (client.attach_traffic_sources, {**group, "TrafficSources": [{"Type": "elbv2"}]}),
        (client.put_lifecycle_hook, {**group, "LifecycleHookName": "h"}),
        (client.put_lifecycle_hook, {**group, "LifecycleHookName": "h", "LifecycleTransition": "autoscaling:NAP"}),
        (client.set_desired_capacity, {**group, "DesiredCapacity": -1}),
        (client.update_auto_scaling_group, {**group, "MaxSize": -1}),
        (client.create_auto_scaling_group, {"AutoScalingGroupName": "a:b", "MinSize": 0, "MaxSize": 0}),
        (client.describe_tags, {"Filters": [{"Values": ["x"]}]}),
    ):
        assert refusal(call, **words)[0] == "ValidationError", words
    ground.delete("careless")


def test_nothing_is_left_of_a_deleted_group(ground: Ground) -> None:
    client, name = ground.client, {"AutoScalingGroupName": "leaver"}
    tag = {"Key": "k", "Value": "v", "PropagateAtLaunch": False}
    ground.create("leaver", Tags=[tag])
    client.put_scaling_policy(
        **name, PolicyName="cpu", PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 50.0,
        },
    )  # fmt: skip
    client.put_scheduled_update_group_action(**name, ScheduledActionName="s", Recurrence="0 0 1 1 *", MinSize=0)
    client.put_notification_configuration(**name, TopicARN="arn:aws:sns:us-east-1:000000000000:t",
                                          NotificationTypes=["autoscaling:TEST_NOTIFICATION"])  # fmt: skip
    client.delete_auto_scaling_group(**name)
    assert ground.found("leaver") == []
    left = (
        client.describe_policies()["ScalingPolicies"], client.describe_tags()["Tags"],
        client.describe_scheduled_actions()["ScheduledUpdateGroupActions"],
        client.describe_notification_configurations()["NotificationConfigurations"],
    )  # fmt: skip
    assert not any("leaver" in str(each) for each in left)
    alarms = ground.cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-leaver-")["MetricAlarms"]
    assert alarms == []


def test_launch_configurations_are_a_thing_of_the_past(ground: Ground) -> None:
    assert refusal(ground.client.create_launch_configuration, LaunchConfigurationName="old", ImageId=IMAGE) == (
        "UnsupportedOperation",
        "The Launch Configuration creation operation is not available in your account. Use launch templates to create "
        "configuration templates for your Auto Scaling groups.",
    )
    code, message = refusal(ground.create, name="bad", LaunchTemplate=None, LaunchConfigurationName="old")
    assert (code, message) == (
        "ValidationError", "Launch configuration name not found - Launch configuration old not found"
    )


def test_subnets_of_two_vpcs_make_no_group(ground: Ground) -> None:
    ec2 = ground.cloud.client("ec2")
    default = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]["SubnetId"]
    code, _ = refusal(ground.create, name="bad", VPCZoneIdentifier=f"{ground.subnets[0]},{default}")
    assert code == "ValidationError"


def test_zones_alone_mean_their_default_subnets(ground: Ground) -> None:
    ground.create("zones", VPCZoneIdentifier=None, AvailabilityZones=["us-east-1b", "us-east-1a"])
    group = ground.group("zones")
    assert (group["AvailabilityZones"], group["VPCZoneIdentifier"]) == ([*ZONES], "")
    code, message = refusal(ground.create, name="bad", VPCZoneIdentifier=None, AvailabilityZones=["us-east-1z"])
    assert code == "ValidationError" and "us-east-1z" in message
    ground.delete("zones")


@pytest.mark.fact("3.7/43", "3.7/44", "3.7/49")
def test_groups_that_are_there_or_not(ground: Ground, aws: Aws) -> None:
    ground.create("there", MinSize=2, MaxSize=3)
    ground.client.suspend_processes(AutoScalingGroupName="there")
    assert refusal(ground.create, name="there") == (
        "AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name there already exists"
    )
    assert refusal(ground.client.set_desired_capacity, AutoScalingGroupName="there", DesiredCapacity=5) == (
        "ValidationError", "New SetDesiredCapacity value 5 is above max value 3 for the AutoScalingGroup."
    )
    assert refusal(ground.client.set_desired_capacity, AutoScalingGroupName="there", DesiredCapacity=1) == (
        "ValidationError", "New SetDesiredCapacity value 1 is below min value 2 for the AutoScalingGroup."
    )
    assert refusal(ground.client.update_auto_scaling_group, AutoScalingGroupName="none", MinSize=1) == (
        "ValidationError", "AutoScalingGroup name not found - null"
    )
    assert refusal(
        ground.client.terminate_instance_in_auto_scaling_group, InstanceId="i-0123456789abcdef0",
        ShouldDecrementDesiredCapacity=False,
    ) == ("ValidationError", "Instance Id not found - No managed instance found for instance ID: i-0123456789abcdef0")
    update = ("autoscaling", "update-auto-scaling-group", "--auto-scaling-group-name")
    said = aws.refused(*update, "none", "--min-size", "1")
    assert said.endswith(
        "An error occurred (ValidationError) when calling the UpdateAutoScalingGroup operation: AutoScalingGroup name "
        "not found - null"
    )
    assert ground.client.describe_auto_scaling_groups(AutoScalingGroupNames=["none"])["AutoScalingGroups"] == []
    ground.delete("there")


def test_unknown_groups_have_the_words_of_the_operation(ground: Ground) -> None:
    policy = {"AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1}
    assert refusal(ground.client.put_scaling_policy, AutoScalingGroupName="none", PolicyName="p", **policy) == (
        "ValidationError", "Group none not found"
    )
    tag = {"ResourceId": "none", "ResourceType": "auto-scaling-group", "Key": "k", "Value": "v"}
    assert refusal(ground.client.create_or_update_tags, Tags=[tag]) == (
        "ValidationError", "AutoScalingGroup not found - AutoScaling Group none not found"
    )


@pytest.mark.fact("2.5/delete", "3.7/45", "3.7/46")
def test_a_group_with_members_is_deleted_by_force_or_when_it_is_empty(ground: Ground) -> None:
    client, ec2 = ground.client, ground.cloud.client("ec2")
    ground.create("full", MinSize=1, MaxSize=1)
    (first,) = ground.in_service("full", 1)
    assert refusal(client.delete_auto_scaling_group, AutoScalingGroupName="full") == (
        "ResourceInUse",
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in "
        "the group.",
    )
    held = {"AutoScalingGroupName": "full", "LifecycleHookName": "held"}
    client.put_lifecycle_hook(**held, LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=7200)
    client.update_auto_scaling_group(AutoScalingGroupName="full", MinSize=0, MaxSize=0)
    eventually(lambda: ground.members("full", "Terminating:Wait"))
    assert refusal(client.delete_auto_scaling_group, AutoScalingGroupName="full") == (
        "ScalingActivityInProgress",
        "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
    )
    client.delete_lifecycle_hook(**held)
    eventually(lambda: not ground.group("full")["Instances"])
    client.update_auto_scaling_group(AutoScalingGroupName="full", MinSize=1, MaxSize=1)
    (second,) = ground.in_service("full", 1)
    client.delete_auto_scaling_group(AutoScalingGroupName="full", ForceDelete=True)
    assert {each["Status"] for each in ground.found("full")} <= {"Delete in progress"}
    eventually(lambda: not ground.found("full"))
    for each in (first, second):
        (shown,) = ec2.describe_instances(InstanceIds=[each])["Reservations"][0]["Instances"]
        assert shown["State"]["Name"] == "terminated"


def test_processes_are_suspended_and_resumed(ground: Ground) -> None:
    client = ground.client
    ground.create("held")
    client.suspend_processes(AutoScalingGroupName="held")
    shown = ground.group("held")["SuspendedProcesses"]
    assert sorted(each["ProcessName"] for each in shown) == SUSPENDABLE
    since = re.compile(r"User suspended at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    assert all(since.fullmatch(each["SuspensionReason"]) for each in shown)
    client.resume_processes(AutoScalingGroupName="held", ScalingProcesses=["Launch", "Terminate"])
    assert "Launch" not in {each["ProcessName"] for each in ground.group("held")["SuspendedProcesses"]}
    kinds = client.describe_scaling_process_types()["Processes"]
    assert [each["ProcessName"] for each in kinds] == SUSPENDABLE
    code, _ = refusal(client.suspend_processes, AutoScalingGroupName="held", ScalingProcesses=["Nap"])
    assert code == "ValidationError"
    ground.delete("held")


def test_groups_are_filtered_by_tags_and_come_in_pages(ground: Ground) -> None:
    client = ground.client
    tag = {"ResourceType": "auto-scaling-group", "Key": "team", "PropagateAtLaunch": True}
    for name, value in (("tagged-1", "red"), ("tagged-2", "blue")):
        ground.create(name, Tags=[{**tag, "Value": value}])

    def names(**words: Any) -> list[str]:
        found = client.describe_auto_scaling_groups(**words)["AutoScalingGroups"]
        return [each["AutoScalingGroupName"] for each in found]

    assert names(Filters=[{"Name": "tag:team", "Values": ["red"]}]) == ["tagged-1"]
    assert names(Filters=[{"Name": "tag-key", "Values": ["team"]}]) == ["tagged-1", "tagged-2"]
    assert names(Filters=[{"Name": "tag-value", "Values": ["blue"]}]) == ["tagged-2"]
    assert names(AutoScalingGroupNames=["tagged-2", "none"]) == ["tagged-2"]
    pages = client.get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 1})
    sizes = [len(page["AutoScalingGroups"]) for page in pages]
    assert len(sizes) >= 2 and set(sizes) == {1}
    assert refusal(client.describe_auto_scaling_groups, MaxRecords=101)[0] == "ValidationError"
    assert refusal(client.describe_auto_scaling_groups, NextToken="torn")[0] == "InvalidNextToken"
    nose = [{"Name": "nose", "Values": ["x"]}]
    assert refusal(client.describe_auto_scaling_groups, Filters=nose)[0] == "ValidationError"

    client.create_or_update_tags(Tags=[{**tag, "ResourceId": "tagged-1", "Value": "green", "PropagateAtLaunch": False}])
    filters = [{"Name": "key", "Values": ["team"]}, {"Name": "auto-scaling-group", "Values": ["tagged-1"]}]
    assert client.describe_tags(Filters=filters)["Tags"] == [
        {"ResourceId": "tagged-1", "ResourceType": "auto-scaling-group", "Key": "team", "Value": "green",
         "PropagateAtLaunch": False}
    ]  # fmt: skip
    client.delete_tags(Tags=[{"ResourceId": "tagged-1", "ResourceType": "auto-scaling-group", "Key": "team"}])
    assert client.describe_tags(Filters=filters)["Tags"] == [] and ground.group("tagged-1")["Tags"] == []
    for name in ("tagged-1", "tagged-2"):
        ground.delete(name)


@pytest.mark.fact("2.1/quotas")
def test_what_an_account_may_have(ground: Ground, aws: Aws) -> None:
    limits = aws("autoscaling", "describe-account-limits")
    assert limits["MaxNumberOfAutoScalingGroups"] == 500 and limits["MaxNumberOfLaunchConfigurations"] == 200
    client = ground.client
    assert set(client.describe_termination_policy_types()["TerminationPolicyTypes"]) == {
        "AllocationStrategy", "ClosestToNextInstanceHour", "Default", "NewestInstance", "OldestInstance",
        "OldestLaunchConfiguration", "OldestLaunchTemplate",
    }  # fmt: skip
    assert client.describe_lifecycle_hook_types()["LifecycleHookTypes"] == [
        "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING",
    ]  # fmt: skip
    assert client.describe_launch_configurations()["LaunchConfigurations"] == []


def test_notifications_are_kept_and_given_back(ground: Ground) -> None:
    client, topic = ground.client, "arn:aws:sns:us-east-1:000000000000:mail"
    ground.create("loud")
    kinds = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"]
    client.put_notification_configuration(AutoScalingGroupName="loud", TopicARN=topic, NotificationTypes=kinds)
    shown = client.describe_notification_configurations(AutoScalingGroupNames=["loud"])["NotificationConfigurations"]
    assert [(each["TopicARN"], each["NotificationType"]) for each in shown] == [(topic, kind) for kind in kinds]
    assert kinds[0] in client.describe_auto_scaling_notification_types()["AutoScalingNotificationTypes"]
    client.delete_notification_configuration(AutoScalingGroupName="loud", TopicARN=topic)
    found = client.describe_notification_configurations(AutoScalingGroupNames=["loud"])["NotificationConfigurations"]
    assert found == []
    assert client.describe_load_balancers(AutoScalingGroupName="loud")["LoadBalancers"] == []
    assert client.describe_warm_pool(AutoScalingGroupName="loud")["Instances"] == []
    ground.delete("loud")
