"""Scheduled actions and lifecycle hooks, as clients make, read, change and delete them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.scaling_ground import Ground, lay, refusal
from tests.local.cloud_under_test import Cloud, eventually

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return lay(cloud)


def lab_now(ground: Ground, name: str) -> datetime:
    """Give the cloud's own time, by what it writes down."""
    ground.client.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["InstanceRefresh"])
    (reason,) = [
        each["SuspensionReason"] for each in ground.group(name)["SuspendedProcesses"]
        if each["ProcessName"] == "InstanceRefresh"
    ]  # fmt: skip
    ground.client.resume_processes(AutoScalingGroupName=name, ScalingProcesses=["InstanceRefresh"])
    return datetime.strptime(reason.split()[-1], "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)


def test_a_scheduled_action_is_read_back_and_acts(ground: Ground, aws: Aws) -> None:
    client = ground.client
    ground.create("timed", MaxSize=9)
    client.suspend_processes(AutoScalingGroupName="timed", ScalingProcesses=["Launch"])
    due = lab_now(ground, "timed") + timedelta(minutes=20)
    client.put_scheduled_update_group_action(
        AutoScalingGroupName="timed", ScheduledActionName="once", StartTime=due, MinSize=1, MaxSize=5, DesiredCapacity=2
    )
    client.put_scheduled_update_group_action(
        AutoScalingGroupName="timed", ScheduledActionName="yearly", Recurrence="30 0 1 1 *", DesiredCapacity=4,
        TimeZone="Europe/Berlin",
    )  # fmt: skip
    once, yearly = client.describe_scheduled_actions(AutoScalingGroupName="timed")["ScheduledUpdateGroupActions"]
    arn = once.pop("ScheduledActionARN")
    assert ":scheduledUpdateGroupAction:" in arn and arn.endswith(
        ":autoScalingGroupName/timed:scheduledActionName/once"
    )
    assert once == {
        "AutoScalingGroupName": "timed", "ScheduledActionName": "once", "StartTime": due, "Time": due, "MinSize": 1,
        "MaxSize": 5, "DesiredCapacity": 2,
    }  # fmt: skip
    assert (yearly["Recurrence"], yearly["TimeZone"], yearly["DesiredCapacity"]) == (
        "30 0 1 1 *", "Europe/Berlin", 4,
    )  # fmt: skip
    assert (yearly["StartTime"].month, yearly["StartTime"].day, yearly["StartTime"].hour) == (12, 31, 23)
    assert not {"MinSize", "MaxSize", "EndTime"} & set(yearly)
    shown = aws("autoscaling", "describe-scheduled-actions", "--scheduled-action-names", "yearly")
    told = [each["ScheduledActionARN"] for each in shown["ScheduledUpdateGroupActions"]]
    assert told == [yearly["ScheduledActionARN"]]
    eventually(lambda: ground.group("timed")["DesiredCapacity"] == 2)
    group = ground.group("timed")
    assert (group["MinSize"], group["MaxSize"]) == (1, 5)
    (left,) = client.describe_scheduled_actions(AutoScalingGroupName="timed")["ScheduledUpdateGroupActions"]
    assert left["ScheduledActionName"] == "yearly", "what does not recur is gone when it has run"
    client.delete_scheduled_action(AutoScalingGroupName="timed", ScheduledActionName="yearly")
    assert refusal(client.delete_scheduled_action, AutoScalingGroupName="timed", ScheduledActionName="yearly") == (
        "ValidationError", "Scheduled action name not found"
    )
    ground.delete("timed")


def test_schedules_that_make_no_sense_are_refused(ground: Ground) -> None:
    ground.create("odd")
    put = ground.client.put_scheduled_update_group_action
    named: dict[str, Any] = {"AutoScalingGroupName": "odd", "ScheduledActionName": "bad"}
    assert refusal(put, **named, Recurrence="every day", MinSize=1) == (
        "ValidationError", "Given recurrence string:every day is invalid"
    )
    for words in (
        {"MinSize": 1},
        {"StartTime": datetime(2001, 1, 1, tzinfo=UTC), "MinSize": 1},
        {"Recurrence": "0 0 * * *"},
        {"Recurrence": "0 0 * * *", "MinSize": 3, "MaxSize": 2},
        {"Recurrence": "0 0 * * *", "MinSize": 1, "TimeZone": "Moon/Base"},
    ):
        assert refusal(put, **named, **words)[0] == "ValidationError", words
    answer = ground.client.batch_put_scheduled_update_group_action(
        AutoScalingGroupName="odd",
        ScheduledUpdateGroupActions=[
            {"ScheduledActionName": "good", "Recurrence": "0 0 * * *", "MinSize": 0},
            {"ScheduledActionName": "bad", "Recurrence": "never", "MinSize": 0},
        ],
    )
    assert [each["ScheduledActionName"] for each in answer["FailedScheduledUpdateGroupActions"]] == ["bad"]
    both = ["good", "bad"]
    answer = ground.client.batch_delete_scheduled_action(AutoScalingGroupName="odd", ScheduledActionNames=both)
    assert [each["ScheduledActionName"] for each in answer["FailedScheduledActions"]] == ["bad"]
    ground.delete("odd")


@pytest.mark.fact("2.2/hooks")
def test_a_hook_is_read_back_and_holds_a_member(ground: Ground) -> None:
    client, named = ground.client, {"AutoScalingGroupName": "hooked"}
    ground.create(
        "hooked", MaxSize=1,
        LifecycleHookSpecificationList=[{"LifecycleHookName": "in", "LifecycleTransition": LAUNCHING}],
    )  # fmt: skip
    client.put_lifecycle_hook(**named, LifecycleHookName="out", LifecycleTransition=TERMINATING, HeartbeatTimeout=7200,
                              DefaultResult="CONTINUE", NotificationMetadata="m")  # fmt: skip
    assert client.describe_lifecycle_hooks(**named)["LifecycleHooks"] == [
        {**named, "LifecycleHookName": "in", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 3600,
         "GlobalTimeout": 172800, "DefaultResult": "ABANDON"},
        {**named, "LifecycleHookName": "out", "LifecycleTransition": TERMINATING, "HeartbeatTimeout": 7200,
         "GlobalTimeout": 172800, "DefaultResult": "CONTINUE", "NotificationMetadata": "m"},
    ]  # fmt: skip
    client.set_desired_capacity(**named, DesiredCapacity=1)
    (waiting,) = eventually(lambda: ground.members("hooked", "Pending:Wait"))
    instance = {"InstanceId": waiting["InstanceId"]}
    assert ground.activities("hooked")[0]["StatusCode"] == "MidLifecycleAction"
    client.record_lifecycle_action_heartbeat(**named, LifecycleHookName="in", **instance)
    client.complete_lifecycle_action(**named, LifecycleHookName="in", LifecycleActionResult="CONTINUE", **instance)
    ground.in_service("hooked", 1)
    done = {**named, "LifecycleHookName": "in", "LifecycleActionResult": "CONTINUE", **instance}
    assert refusal(client.complete_lifecycle_action, **done) == (
        "ValidationError", f"No active Lifecycle Action found with instance ID {waiting['InstanceId']}"
    )
    client.set_desired_capacity(**named, DesiredCapacity=0)
    eventually(lambda: ground.members("hooked", "Terminating:Wait"))
    client.delete_lifecycle_hook(**named, LifecycleHookName="out")
    eventually(lambda: not ground.group("hooked")["Instances"])
    _, message = refusal(client.delete_lifecycle_hook, **named, LifecycleHookName="out")
    assert message.startswith("No Lifecycle Hook found")
    ground.delete("hooked")
