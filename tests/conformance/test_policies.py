"""Scaling policies and their alarms as clients make, read, change and delete them (aws-facts 2.6)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.scaling_ground import Ground, lay, refusal
from tests.local.cloud_under_test import Cloud, eventually

CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}}
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return lay(cloud)


@pytest.fixture
def group(ground: Ground, request: pytest.FixtureRequest) -> Any:
    """A group without instances that launches none, whatever its capacity."""
    name = re.sub(r"\W", "-", request.node.name)[:60]
    ground.create(name, MaxSize=9)
    ground.client.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
    yield name
    ground.delete(name)


def alarms(ground: Ground, prefix: str) -> list[dict[str, Any]]:
    found = ground.cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
    return list(found)


def track(ground: Ground, group: str, **changes: Any) -> dict[str, Any]:
    tracked = {**CPU, "TargetValue": 50.0, **changes}
    made = ground.client.put_scaling_policy(
        AutoScalingGroupName=group, PolicyName="cpu", PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=tracked, EstimatedInstanceWarmup=300,
    )  # fmt: skip
    return dict(made)


def policy_of(ground: Ground, group: str) -> dict[str, Any]:
    (found,) = ground.client.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"]
    return dict(found)


@pytest.mark.fact("0/7", "2.6/alarms", "2.6/description", "2.6/high", "2.6/low")
def test_target_tracking_makes_two_alarms_with_awss_names_and_settings(ground: Ground, group: str) -> None:
    made = track(ground, group)
    arn = made["PolicyARN"]
    assert re.fullmatch(
        rf"arn:aws:autoscaling:us-east-1:\d{{12}}:scalingPolicy:{UUID}:autoScalingGroupName/{group}:policyName/cpu", arn
    )
    names = [each["AlarmName"] for each in made["Alarms"]]
    for name, side in zip(names, ("High", "Low"), strict=True):
        assert re.fullmatch(rf"TargetTracking-{group}-Alarm{side}-{UUID}", name)
    assert [each["AlarmARN"].rpartition(":alarm:")[2] for each in made["Alarms"]] == names
    assert all(each["AlarmARN"].startswith("arn:aws:cloudwatch:us-east-1:") for each in made["Alarms"])
    shown = {each["AlarmName"]: each for each in alarms(ground, f"TargetTracking-{group}-")}
    assert set(shown) == set(names)
    for name, periods, comparison, threshold in zip(
        names, (3, 15), ("GreaterThanThreshold", "LessThanThreshold"), (50.0, 35.0), strict=True
    ):
        alarm = shown[name]
        assert alarm["AlarmDescription"] == f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}."
        assert alarm["AlarmActions"] == [arn] and alarm["ActionsEnabled"] is True
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/EC2", "CPUUtilization", "Average")
        assert alarm["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": group}]
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, periods)
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == (comparison, threshold)
    assert policy_of(ground, group) == {
        "AutoScalingGroupName": group, "PolicyName": "cpu", "PolicyARN": arn, "PolicyType": "TargetTrackingScaling",
        "StepAdjustments": [], "Alarms": made["Alarms"], "Enabled": True, "EstimatedInstanceWarmup": 300,
        "TargetTrackingConfiguration": {**CPU, "TargetValue": 50.0, "DisableScaleIn": False},
    }  # fmt: skip


@pytest.mark.fact("0/7", "2.6/replaced", "2.5/delete")
def test_alarms_are_replaced_with_their_policy_and_go_with_it(ground: Ground, group: str) -> None:
    first = track(ground, group)
    second = track(ground, group, TargetValue=70.0, DisableScaleIn=True)
    assert second["PolicyARN"] == first["PolicyARN"]
    (high,) = alarms(ground, f"TargetTracking-{group}-")
    assert [each["AlarmName"] for each in second["Alarms"]] == [high["AlarmName"]]
    assert high["AlarmName"] not in [each["AlarmName"] for each in first["Alarms"]] and high["Threshold"] == 70.0
    third = track(ground, group, TargetValue=70.0)
    assert sorted(each["Threshold"] for each in alarms(ground, f"TargetTracking-{group}-")) == [49.0, 70.0]
    ground.client.delete_policy(AutoScalingGroupName=group, PolicyName=third["PolicyARN"])
    assert alarms(ground, f"TargetTracking-{group}-") == []
    assert ground.client.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"] == []


@pytest.mark.fact("2.5/delete")
def test_a_deleted_group_leaves_no_policy_and_no_alarm(ground: Ground) -> None:
    ground.create("gone")
    track(ground, "gone")
    assert len(alarms(ground, "TargetTracking-gone-")) == 2
    ground.delete("gone")
    assert alarms(ground, "TargetTracking-gone-") == []
    assert "gone" not in {each["AutoScalingGroupName"] for each in ground.client.describe_policies()["ScalingPolicies"]}


@pytest.mark.parametrize(
    ("tracked", "metric"),
    [
        ({"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageNetworkIn"}},
         ("AWS/EC2", "NetworkIn")),
        ({"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageNetworkOut"}},
         ("AWS/EC2", "NetworkOut")),
        ({"CustomizedMetricSpecification": {"Namespace": "Mine", "MetricName": "Queue", "Statistic": "Sum",
                                            "Dimensions": [{"Name": "of", "Value": "it"}]}}, ("Mine", "Queue")),
    ],
    ids=["in", "out", "mine"],
)  # fmt: skip
def test_other_metrics_can_be_tracked(ground: Ground, group: str, tracked: Any, metric: tuple[str, str]) -> None:
    ground.client.put_scaling_policy(AutoScalingGroupName=group, PolicyName="it", PolicyType="TargetTrackingScaling",
                                     TargetTrackingConfiguration={**tracked, "TargetValue": 10.0})  # fmt: skip
    shown = alarms(ground, f"TargetTracking-{group}-")
    assert {(each["Namespace"], each["MetricName"]) for each in shown} == {metric}
    assert policy_of(ground, group)["TargetTrackingConfiguration"] == {
        **tracked, "TargetValue": 10.0, "DisableScaleIn": False,
    }  # fmt: skip


def test_a_simple_policy_is_read_back_and_executed(ground: Ground, group: str, aws: Aws) -> None:
    client = ground.client
    given: dict[str, Any] = {"AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 2, "Cooldown": 60}
    made = client.put_scaling_policy(AutoScalingGroupName=group, PolicyName="two", **given)
    assert made["Alarms"] == []
    assert policy_of(ground, group) == {
        "AutoScalingGroupName": group, "PolicyName": "two", "PolicyARN": made["PolicyARN"],
        "PolicyType": "SimpleScaling", "StepAdjustments": [], "Alarms": [], "Enabled": True, **given,
    }  # fmt: skip
    aws("autoscaling", "execute-policy", "--auto-scaling-group-name", group, "--policy-name", "two")
    assert ground.group(group)["DesiredCapacity"] == 2
    assert refusal(client.execute_policy, AutoScalingGroupName=group, PolicyName="two", HonorCooldown=True)[0] == (
        "ScalingActivityInProgress"
    )


@pytest.mark.fact("2.3/alarm")
def test_a_users_alarm_drives_a_simple_policy(ground: Ground, group: str) -> None:
    client, cloudwatch = ground.client, ground.cloud.client("cloudwatch")
    arn = client.put_scaling_policy(AutoScalingGroupName=group, PolicyName="two", AdjustmentType="ExactCapacity",
                                    ScalingAdjustment=1)["PolicyARN"]  # fmt: skip
    name = f"busy-{group}"
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="Mine", MetricName="Queue", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn],
    )  # fmt: skip
    assert [each["AlarmName"] for each in policy_of(ground, group)["Alarms"]] == [name]
    client.resume_processes(AutoScalingGroupName=group)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    assert ground.group(group)["DesiredCapacity"] == 1
    launch = eventually(lambda: ground.activities(group))[0]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        rf"At {stamp} a monitor alarm {name} in state ALARM triggered policy two changing the desired capacity from 0 "
        rf"to 1\.  At {stamp} an instance was started in response to a difference between desired and actual capacity, "
        r"increasing the capacity from 0 to 1\.", launch["Cause"],
    )  # fmt: skip
    assert '"InvokingAlarms":[{"AlarmName":"' + name in launch["Details"]
    client.delete_policy(AutoScalingGroupName=group, PolicyName="two")
    assert alarms(ground, name)[0]["AlarmActions"] == [], "the user's alarm stays, without the action"
    cloudwatch.delete_alarms(AlarmNames=[name])


def test_a_step_policy_is_read_back_and_executed(ground: Ground, group: str) -> None:
    steps = [{"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
             {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3}]  # fmt: skip
    given: dict[str, Any] = {"PolicyType": "StepScaling", "AdjustmentType": "ChangeInCapacity",
                             "StepAdjustments": steps, "EstimatedInstanceWarmup": 30}  # fmt: skip
    client, named = ground.client, {"AutoScalingGroupName": group, "PolicyName": "steps"}
    made = client.put_scaling_policy(**named, **given)
    assert policy_of(ground, group) == {
        **named, **given, "PolicyARN": made["PolicyARN"], "Alarms": [], "Enabled": True,
        "MetricAggregationType": "Average",
    }  # fmt: skip
    client.execute_policy(**named, MetricValue=65.0, BreachThreshold=50.0)
    assert ground.group(group)["DesiredCapacity"] == 3
    assert refusal(client.execute_policy, **named)[0] == "ValidationError"


def test_policies_that_make_no_sense_are_refused(ground: Ground, group: str) -> None:
    def refused(**words: Any) -> str:
        code, message = refusal(ground.client.put_scaling_policy, AutoScalingGroupName=group, PolicyName="bad", **words)
        assert code == "ValidationError"
        return message

    assert refused(AdjustmentType="ChangeInCapacity") == (
        "Scaling increment must be specified for a SimpleScaling policy"
    )
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]
    assert refused(PolicyType="StepScaling", StepAdjustments=steps) == (
        "You must specify an AdjustmentType for policy type: StepScaling"
    )
    bounded = [{"MetricIntervalLowerBound": 1.0, "MetricIntervalUpperBound": 2.0, "ScalingAdjustment": 1}]
    assert refused(PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=bounded) == (
        "There must be a StepAdjustment with an unspecified upper bound (i.e., upper bound is null) when one "
        "StepAdjustment has a positive upper bound"
    )
    assert refused(PolicyType="TargetTrackingScaling", TargetTrackingConfiguration={"TargetValue": 5.0})
    assert refused(PolicyType="TargetTrackingScaling", TargetTrackingConfiguration={**CPU, "TargetValue": -1.0})
    assert ground.client.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"] == []
    assert refusal(ground.client.describe_policies, AutoScalingGroupName="none") == (
        "ValidationError", "Group none not found"
    )


@pytest.mark.fact("2.1/quotas")
def test_fifty_policies_are_the_most_and_come_in_pages(ground: Ground, group: str) -> None:
    client = ground.client
    simple: dict[str, Any] = {"AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1}
    for number in range(50):
        client.put_scaling_policy(AutoScalingGroupName=group, PolicyName=f"p{number:02}", **simple)
    code, _ = refusal(client.put_scaling_policy, AutoScalingGroupName=group, PolicyName="more", **simple)
    assert code == "LimitExceeded"
    first = client.describe_policies(AutoScalingGroupName=group, MaxRecords=30)
    rest = client.describe_policies(AutoScalingGroupName=group, MaxRecords=30, NextToken=first["NextToken"])
    names = [each["PolicyName"] for each in (*first["ScalingPolicies"], *rest["ScalingPolicies"])]
    assert names == [f"p{number:02}" for number in range(50)] and "NextToken" not in rest
    found = client.describe_policies(AutoScalingGroupName=group, PolicyNames=["p07"], PolicyTypes=["SimpleScaling"])
    assert [each["PolicyName"] for each in found["ScalingPolicies"]] == ["p07"]
    assert client.describe_policies(PolicyTypes=["StepScaling"], AutoScalingGroupName=group)["ScalingPolicies"] == []


def test_how_capacities_are_adjusted(ground: Ground) -> None:
    kinds = ground.client.describe_adjustment_types()["AdjustmentTypes"]
    known = ["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
    assert [each["AdjustmentType"] for each in kinds] == known
