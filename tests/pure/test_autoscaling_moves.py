"""What is done to a group's members by hand, by hooks, by schedules and by an instance refresh."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from mglab.localcloud.api.faults import ApiError
from tests.pure.autoscaling_cloud import MGTG, NOON, World, create, lab_group, stamp

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def running() -> World:
    return lab_group()


def refused(world: World, operation: str, **params: Any) -> str:
    with pytest.raises(ApiError) as refusal:
        world(operation, **params)
    return f"{refusal.value.code}: {refusal.value.message}"


def states(world: World) -> list[str]:
    return sorted(each["LifecycleState"] for each in world.instances())


def ids(world: World) -> list[str]:
    return [each["InstanceId"] for each in world.instances()]


# -- standby


@pytest.mark.fact("2.2/standby")
def test_a_member_stands_by_drained_and_comes_back(running: World) -> None:
    (first, _) = ids(running)
    asked = {"AutoScalingGroupName": "MGAS", "InstanceIds": [first]}
    assert refused(running, "EnterStandby", **asked, ShouldDecrementDesiredCapacity=True) == (
        "ValidationError: AutoScalingGroup MGAS has min-size=2, max-size=3, and desired-size=2. To place into standby "
        "1 instance, please update the AutoScalingGroup sizes appropriately."
    )
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=1)
    (activity,) = running("EnterStandby", **asked, ShouldDecrementDesiredCapacity=True)["Activities"]
    at = stamp(activity["StartTime"])
    assert activity["Description"] == f"Moving EC2 instance to Standby: {first}"
    assert activity["Cause"] == (
        f"At {at} instance {first} was moved to standby in response to a user request, shrinking the capacity from 2 "
        "to 1."
    )
    assert (activity["StatusCode"], activity["Progress"]) == ("InProgress", 50)
    running.go(10)
    assert states(running) == ["EnteringStandby", "InService"] and running.elbv2.groups[MGTG][first] == "draining"
    running.go(300)
    assert states(running) == ["InService", "Standby"] and running.compute.views[first].state == "running"
    assert running.group()["DesiredCapacity"] == 1
    running("EnableMetricsCollection", AutoScalingGroupName="MGAS", Granularity="1Minute")
    counted = {metric: value for _, metric, _, value, _ in running.service.minute(running.at)}
    assert (counted["GroupStandbyInstances"], counted["GroupInServiceInstances"]) == (1.0, 1.0)
    assert (counted["GroupStandbyCapacity"], counted["GroupTotalInstances"]) == (1.0, 2.0)
    (activity,) = running("ExitStandby", **asked)["Activities"]
    assert activity["Description"] == f"Moving EC2 instance out of Standby: {first}"
    assert activity["Cause"].endswith(
        f"instance {first} was moved out of standby in response to a user request, increasing the capacity from 1 to 2."
    )
    assert (activity["StatusCode"], activity["Progress"]) == ("PreInService", 30)
    running.go(2)
    assert states(running) == ["InService", "InService"] and running.elbv2.groups[MGTG][first] == "initial"
    assert running.group()["DesiredCapacity"] == 2 and len(running.compute.views) == 2


@pytest.mark.fact("2.2/standby")
def test_without_decrement_the_one_that_stands_by_is_replaced(running: World) -> None:
    first = ids(running)[0]
    asked = {"AutoScalingGroupName": "MGAS", "InstanceIds": [first]}
    running("EnterStandby", **asked, ShouldDecrementDesiredCapacity=False)
    running.go(400)
    assert states(running) == ["InService", "InService", "Standby"] and running.group()["DesiredCapacity"] == 2
    assert refused(running, "EnterStandby", **asked, ShouldDecrementDesiredCapacity=False).endswith(
        f"The instance {first} is not in InService."
    )
    running("TerminateInstanceInAutoScalingGroup", InstanceId=first, ShouldDecrementDesiredCapacity=False)
    running.go(60)
    assert states(running) == ["InService", "InService"]


@pytest.mark.fact("2.5/delete")
def test_who_stands_by_keeps_a_group_from_being_deleted_and_goes_with_it_by_force(running: World) -> None:
    everyone = {"AutoScalingGroupName": "MGAS", "InstanceIds": ids(running)}
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=0)
    running("EnterStandby", **everyone, ShouldDecrementDesiredCapacity=True)
    running.go(310)
    assert states(running) == ["Standby", "Standby"]
    assert refused(running, "DeleteAutoScalingGroup", AutoScalingGroupName="MGAS").startswith("ResourceInUse: ")
    running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS", ForceDelete=True)
    running.until(lambda: not running("DescribeAutoScalingGroups")["AutoScalingGroups"], 100)
    assert {each.state for each in running.compute.views.values()} == {"terminated"}


# -- lifecycle hooks


def hook(world: World, transition: str, **changes: Any) -> None:
    world(
        "PutLifecycleHook",
        **{"AutoScalingGroupName": "MGAS", "LifecycleHookName": "wait", "LifecycleTransition": transition, **changes},
    )


def complete(world: World, instance_id: str, result: str) -> None:
    world("CompleteLifecycleAction", AutoScalingGroupName="MGAS", LifecycleHookName="wait", InstanceId=instance_id,
          LifecycleActionResult=result)  # fmt: skip


@pytest.mark.fact("2.2/hooks")
def test_a_launching_hook_holds_a_member_before_it_is_registered(running: World) -> None:
    hook(running, LAUNCHING)
    running("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=3)
    running.until(lambda: "Pending:Wait" in states(running), 60)
    newcomer = next(each["InstanceId"] for each in running.instances() if each["LifecycleState"] == "Pending:Wait")
    assert newcomer not in running.elbv2.groups[MGTG]
    assert running.activities()[0]["StatusCode"] == "MidLifecycleAction"
    running.go(200)
    assert "Pending:Wait" in states(running)
    complete(running, newcomer, "CONTINUE")
    running.go(1)
    assert "Pending:Proceed" in states(running)
    running.go(1)
    assert states(running) == ["InService"] * 3 and running.elbv2.groups[MGTG][newcomer] == "initial"
    with pytest.raises(ApiError, match=f"No active Lifecycle Action found with instance ID {newcomer}"):
        complete(running, newcomer, "CONTINUE")


@pytest.mark.fact("2.2/hooks")
def test_an_abandoned_launch_ends_the_instance_and_another_is_tried(running: World) -> None:
    hook(running, LAUNCHING, HeartbeatTimeout=30)
    running("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=3)
    running.until(lambda: any(each["StatusCode"] == "Cancelled" for each in running.activities()), 120)
    (cancelled,) = [each for each in running.activities() if each["StatusCode"] == "Cancelled"]
    assert re.fullmatch(
        "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token [0-9a-f-]{36} was abandoned: "
        "Heartbeat Timeout", cancelled["StatusMessage"],
    )  # fmt: skip
    assert len(ids(running)) == 2
    running("DeleteLifecycleHook", AutoScalingGroupName="MGAS", LifecycleHookName="wait")
    running.until(lambda: states(running) == ["InService"] * 3, 200)


@pytest.mark.fact("2.2/hooks")
def test_a_terminating_hook_holds_a_member_after_its_drain(running: World) -> None:
    hook(running, TERMINATING, HeartbeatTimeout=60, DefaultResult="CONTINUE")
    first = ids(running)[0]
    running("TerminateInstanceInAutoScalingGroup", InstanceId=first, ShouldDecrementDesiredCapacity=False)
    running.go(290)
    assert "Terminating" in states(running) and running.compute.views[first].state == "running"
    running.until(lambda: "Terminating:Wait" in states(running), 20)
    running.go(40)
    running("RecordLifecycleActionHeartbeat", AutoScalingGroupName="MGAS", LifecycleHookName="wait", InstanceId=first)
    running.go(40)
    assert "Terminating:Wait" in states(running) and running.compute.views[first].state == "running"
    running.until(lambda: "Terminating:Proceed" in states(running), 30)
    assert running.compute.views[first].state == "shutting-down"
    running.go(60)
    assert states(running) == ["InService", "InService"]


# -- scheduled actions


def test_a_scheduled_action_acts_once_or_again_and_again(running: World) -> None:
    at = NOON + timedelta(seconds=running.at - NOON.timestamp())
    running("PutScheduledUpdateGroupAction", AutoScalingGroupName="MGAS", ScheduledActionName="once",
            StartTime=at + timedelta(seconds=60), MinSize=1, MaxSize=5, DesiredCapacity=1)
    running("PutScheduledUpdateGroupAction", AutoScalingGroupName="MGAS", ScheduledActionName="daily",
            Recurrence="0 13 * * *", DesiredCapacity=3)
    shown = running("DescribeScheduledActions", AutoScalingGroupName="MGAS")["ScheduledUpdateGroupActions"]
    assert [each["ScheduledActionName"] for each in shown] == ["once", "daily"]
    assert shown[1]["StartTime"] == NOON + timedelta(hours=1)
    running.go(61)
    group = running.group()
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (1, 5, 1)
    running.go(30)
    due = stamp(at + timedelta(seconds=60))
    assert running.activities()[0]["Cause"].startswith(
        f"At {due} a scheduled action update of AutoScalingGroup constraints to min: 1, max: 5, desired: 1 changing "
        "the desired capacity from 2 to 1.  At "
    )
    running.go(3600)
    assert running.group()["DesiredCapacity"] == 3
    (left,) = running("DescribeScheduledActions", AutoScalingGroupName="MGAS")["ScheduledUpdateGroupActions"]
    assert left["StartTime"] == NOON + timedelta(hours=25)


def test_a_suspended_schedule_is_skipped(running: World) -> None:
    running("PutScheduledUpdateGroupAction", AutoScalingGroupName="MGAS", ScheduledActionName="once",
            StartTime=NOON + timedelta(seconds=120), DesiredCapacity=3)
    running("SuspendProcesses", AutoScalingGroupName="MGAS", ScalingProcesses=["ScheduledActions"])
    running.go(120)
    running("ResumeProcesses", AutoScalingGroupName="MGAS")
    running.go(10)
    assert running.group()["DesiredCapacity"] == 2
    assert running("DescribeScheduledActions")["ScheduledUpdateGroupActions"] == []


# -- instance refresh


def refresh(world: World) -> dict[str, Any]:
    (shown,) = world("DescribeInstanceRefreshes", AutoScalingGroupName="MGAS")["InstanceRefreshes"]
    return dict(shown)


def test_a_refresh_replaces_one_after_the_other(running: World) -> None:
    before = ids(running)
    running.compute.version = 4
    running("StartInstanceRefresh", AutoScalingGroupName="MGAS", Preferences={"InstanceWarmup": 60})
    assert (refresh(running)["Status"], refresh(running)["PercentageComplete"]) == ("Pending", 0)
    assert refused(running, "StartInstanceRefresh", AutoScalingGroupName="MGAS") == (
        "InstanceRefreshInProgress: An Instance Refresh is already in progress and blocks the execution of this "
        "Instance Refresh."
    )
    seen, fewest = [], 2
    while refresh(running)["Status"] != "Successful":
        seen.append(refresh(running)["PercentageComplete"])
        running.go(1)
        fewest = min(fewest, len([each for each in running.instances() if each["LifecycleState"] == "InService"]))
        assert running.at < NOON.timestamp() + 2000
    assert list(dict.fromkeys(seen)) == [0, 50] and fewest == 1
    assert refresh(running)["PercentageComplete"] == 100 and "EndTime" in refresh(running)
    running.go(400)
    assert not set(ids(running)) & set(before) and states(running) == ["InService", "InService"]
    assert {each["LaunchTemplate"]["Version"] for each in running.instances()} == {"4"}
    causes = [each["Cause"] for each in running.activities()]
    assert sum(each.endswith("an instance was launched in response to an instance refresh.") for each in causes) == 2
    assert any(
        re.search(r"was taken out of service in response to an instance refresh\.  At \S+ instance i-\S+ was selected "
                  r"for termination\.$", each) for each in causes
    )  # fmt: skip


def test_with_a_higher_maximum_the_replacement_comes_first(running: World) -> None:
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "InstanceWarmup": 30}
    running("StartInstanceRefresh", AutoScalingGroupName="MGAS", Preferences=preferences)
    fewest, most = 2, 2
    while refresh(running)["Status"] != "Successful":
        running.go(1)
        serving = len(running.instances("InService"))
        fewest, most = min(fewest, serving), max(most, serving)
        assert running.at < NOON.timestamp() + 2000
    assert (fewest, most) == (2, 3)
    assert len(running.instances("InService")) == 2


def test_a_cancelled_refresh_waits_for_who_is_starting(running: World) -> None:
    before = ids(running)
    running("StartInstanceRefresh", AutoScalingGroupName="MGAS", Preferences={"InstanceWarmup": 60})
    running.go(5)
    assert refresh(running)["StatusReason"].startswith("Waiting for instances to warm up before continuing.")
    running("CancelInstanceRefresh", AutoScalingGroupName="MGAS")
    assert refresh(running)["Status"] == "Cancelling"
    running.until(lambda: refresh(running)["Status"] == "Cancelled", 200)
    assert len(set(ids(running)) & {*before}) >= 1 and refresh(running)["PercentageComplete"] == 50
    assert refused(running, "CancelInstanceRefresh", AutoScalingGroupName="MGAS").startswith(
        "ActiveInstanceRefreshNotFound: "
    )


def test_matching_and_protected_members_are_spared(running: World) -> None:
    before = ids(running)
    running("StartInstanceRefresh", AutoScalingGroupName="MGAS", Preferences={"SkipMatching": True})
    running.go(2)
    assert refresh(running)["Status"] == "Successful" and ids(running) == before
    running("SetInstanceProtection", AutoScalingGroupName="MGAS", InstanceIds=before, ProtectedFromScaleIn=True)
    running("StartInstanceRefresh", AutoScalingGroupName="MGAS")
    running.go(3500)
    latest = running("DescribeInstanceRefreshes", AutoScalingGroupName="MGAS")["InstanceRefreshes"][0]
    assert latest["Status"] == "InProgress" and ids(running) == before
    running.go(200)
    latest = running("DescribeInstanceRefreshes", AutoScalingGroupName="MGAS")["InstanceRefreshes"][0]
    assert latest["Status"] == "Failed"


def test_a_refresh_may_bring_another_template(running: World) -> None:
    wanted = {"LaunchTemplate": {"LaunchTemplateName": "MGLaunch", "Version": "3"}}
    running("StartInstanceRefresh", AutoScalingGroupName="MGAS", DesiredConfiguration=wanted,
            Preferences={"InstanceWarmup": 0})
    assert running.group()["LaunchTemplate"]["Version"] == "$Latest"
    running.until(lambda: refresh(running)["Status"] == "Successful", 400)
    assert running.group()["LaunchTemplate"]["Version"] == "3"


def test_a_refresh_is_rolled_back(running: World) -> None:
    by_number = {"LaunchTemplateName": "MGLaunch", "Version": "2"}
    assert refused(running, "RollbackInstanceRefresh", AutoScalingGroupName="MGAS").startswith(
        "ActiveInstanceRefreshNotFound: "
    )
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", LaunchTemplate=by_number)
    wanted = {"LaunchTemplate": {"LaunchTemplateName": "MGLaunch", "Version": "3"}}
    before = ids(running)
    running("StartInstanceRefresh", AutoScalingGroupName="MGAS", DesiredConfiguration=wanted,
            Preferences={"InstanceWarmup": 60})
    running.until(lambda: refresh(running)["PercentageComplete"] == 50, 300)
    running("RollbackInstanceRefresh", AutoScalingGroupName="MGAS")
    assert (refresh(running)["Status"], refresh(running)["PercentageComplete"]) == ("RollbackInProgress", 0)
    newcomers = set(ids(running)) - set(before)
    running.until(lambda: refresh(running)["Status"] == "RollbackSuccessful", 900)
    serving = {each["InstanceId"] for each in running.instances("InService")}
    assert len(serving) == 2 and not serving & newcomers
    assert running.group()["LaunchTemplate"]["Version"] == "2"


# -- simple and step policies


def policy(world: World, **settings: Any) -> str:
    name = {"AutoScalingGroupName": "MGAS", "PolicyName": "by-hand"}
    return str(world("PutScalingPolicy", **{**name, **settings})["PolicyARN"])


@pytest.mark.fact("2.1/cooldown")
def test_a_simple_policy_is_executed_and_cools_down(world: World) -> None:
    create(world, MaxSize=9).go(60)
    policy(world, AdjustmentType="ChangeInCapacity", ScalingAdjustment=1, Cooldown=120)
    execute = {"AutoScalingGroupName": "MGAS", "PolicyName": "by-hand"}
    world("ExecutePolicy", **execute)
    at = stamp(NOON + timedelta(seconds=world.at - NOON.timestamp()))
    assert world.group()["DesiredCapacity"] == 3
    assert refused(world, "ExecutePolicy", **execute, HonorCooldown=True).startswith("ScalingActivityInProgress: ")
    world.go(60)
    assert world.activities()[0]["Cause"].startswith(
        f"At {at} a user request executed policy by-hand changing the desired capacity from 2 to 3.  At "
    )
    assert refused(world, "SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=4, HonorCooldown=True)
    world.go(120)
    world("ExecutePolicy", **execute, HonorCooldown=True)
    assert world.group()["DesiredCapacity"] == 4


def test_a_users_alarm_drives_a_simple_policy(world: World) -> None:
    create(world, MaxSize=9).go(60)
    arn = policy(world, AdjustmentType="ExactCapacity", ScalingAdjustment=5)
    world.cloudwatch.alarms.put_metric_alarm(
        {"AlarmName": "busy", "Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60,
         "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [arn]}
    )  # fmt: skip
    (shown,) = world("DescribePolicies", AutoScalingGroupName="MGAS")["ScalingPolicies"]
    assert [each["AlarmName"] for each in shown["Alarms"]] == ["busy"]
    world.cloudwatch.alarms.set_alarm_state({"AlarmName": "busy", "StateValue": "ALARM", "StateReason": "by hand"})
    assert world.group()["DesiredCapacity"] == 5
    world.go(60)
    assert "a monitor alarm busy in state ALARM triggered policy by-hand changing" in world.activities()[0]["Cause"]
    world("DeletePolicy", AutoScalingGroupName="MGAS", PolicyName="by-hand")
    (alarm,) = world.cloudwatch.alarms.describe_alarms({})["MetricAlarms"]
    assert alarm["AlarmName"] == "busy" and alarm["AlarmActions"] == []


def test_a_step_policy_takes_the_step_that_the_metric_is_in(world: World) -> None:
    create(world, MaxSize=9).go(60)
    steps = [{"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
             {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3}]
    policy(world, PolicyType="StepScaling", AdjustmentType="ChangeInCapacity", StepAdjustments=steps,
           EstimatedInstanceWarmup=0)
    execute = {"AutoScalingGroupName": "MGAS", "PolicyName": "by-hand", "BreachThreshold": 50.0}
    world("ExecutePolicy", **execute, MetricValue=40.0)
    assert world.group()["DesiredCapacity"] == 2
    world("ExecutePolicy", **execute, MetricValue=65.0)
    assert world.group()["DesiredCapacity"] == 5
