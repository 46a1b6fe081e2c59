"""Target tracking: the two alarms, scaling out on load and in again on idleness (aws-facts 2.6)."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from mglab.localcloud.knobs import turned
from tests.pure.autoscaling_cloud import (
    ACCOUNT,
    REGION,
    World,
    lab_group,
    track,
)


@pytest.fixture
def running() -> World:
    return lab_group()


def test_target_tracking_makes_two_alarms(running: World) -> None:
    made = track(running)
    assert re.fullmatch(
        rf"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:[0-9a-f-]{{36}}:autoScalingGroupName/MGAS:policyName/cpu",
        made["PolicyARN"],
    )
    high, low = made["Alarms"]
    assert re.fullmatch(r"TargetTracking-MGAS-AlarmHigh-[0-9a-f-]{36}", high["AlarmName"])
    assert re.fullmatch(r"TargetTracking-MGAS-AlarmLow-[0-9a-f-]{36}", low["AlarmName"])
    alarms = running.cloudwatch.alarms.describe_alarms({})["MetricAlarms"]
    shown = [
        (a["AlarmName"].split("-")[2], a["Threshold"], a["EvaluationPeriods"], a["ComparisonOperator"], a["Period"])
        for a in alarms
    ]
    assert shown == [
        ("AlarmHigh", 50.0, 3, "GreaterThanThreshold", 60), ("AlarmLow", 35.0, 15, "LessThanThreshold", 60),
    ]
    assert alarms[0]["AlarmDescription"] == (
        f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {made['PolicyARN']}."
    )
    (policy,) = running("DescribePolicies", AutoScalingGroupName="MGAS")["ScalingPolicies"]
    assert policy["Alarms"] == made["Alarms"] and policy["EstimatedInstanceWarmup"] == 300
    assert policy["TargetTrackingConfiguration"]["DisableScaleIn"] is False


def test_replacing_and_deleting_a_policy_replaces_and_deletes_its_alarms(running: World) -> None:
    first = track(running)
    second = track(running)
    assert first["PolicyARN"] == second["PolicyARN"] and first["Alarms"] != second["Alarms"]
    assert len(running.cloudwatch.state.alarms) == 2
    running("DeletePolicy", AutoScalingGroupName="MGAS", PolicyName="cpu")
    assert running.cloudwatch.state.alarms == {}


@pytest.mark.fact("2.3/alarm", "2.6/math", "2.6/low-for-good")
def test_load_scales_out_once_and_idleness_in_again(running: World) -> None:
    high = track(running)["Alarms"][0]["AlarmName"]
    running.go(300)  # both are warm now
    running.cpu = 70.0
    waited = running.until(lambda: running.group()["DesiredCapacity"] == 3)
    assert 120 <= waited <= 240
    running.until(lambda: len(running.instances("InService")) == 3)
    launch = running.activities()[0]
    assert re.match(
        rf"At \S+ a monitor alarm {high} in state ALARM triggered policy cpu "
        r"changing the desired capacity from 2 to 3\.  At \S+ an instance was started in response to a difference "
        r"between desired and actual capacity, increasing the capacity from 2 to 3\.$", launch["Cause"],
    )
    assert json.loads(launch["Details"])["InvokingAlarms"][0]["AlarmName"] == high
    running.go(600)
    assert running.group()["DesiredCapacity"] == 3  # at the maximum
    running.cpu = 1.0
    waited = running.until(lambda: running.group()["DesiredCapacity"] == 2)
    assert 14 * 60 <= waited <= 19 * 60
    running.go(400)
    assert len(running.instances()) == 2
    running.go(1200)
    (low,) = [a for a in running.cloudwatch.state.alarms.values() if "AlarmLow" in a.name]
    assert low.state == "ALARM" and running.group()["DesiredCapacity"] == 2  # in alarm for good: normal


def test_nothing_scales_while_everyone_is_warming_up(running: World) -> None:
    track(running)
    running.cpu = 90.0
    running.go(240)
    assert running.group()["DesiredCapacity"] == 2
    running.go(120)
    assert running.group()["DesiredCapacity"] == 3


@pytest.mark.fact("2.6/math")
def test_nobody_leaves_while_someone_warms_up(running: World) -> None:
    track(running)
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", DesiredCapacity=3)
    running.cpu = 1.0
    running.until(lambda: len(running.instances("InService")) == 3)
    running.go(1500)  # the low alarm has long fired, everyone is warm: one is taken out
    assert running.group()["DesiredCapacity"] == 2
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", DesiredCapacity=3)
    running.until(lambda: len(running.instances("InService")) == 3)
    running.go(290)
    assert running.group()["DesiredCapacity"] == 3, "the newcomer warms up for 300 s, the alarm may speak as it will"
    assert running.until(lambda: running.group()["DesiredCapacity"] == 2) <= 130


@pytest.mark.fact("2.1/warm-up")
def test_an_instance_counts_in_its_groups_average_once_it_is_warm(running: World) -> None:
    ids = {each["InstanceId"] for each in running.instances()}
    assert running.service.warming(running.at) == set(), "without a policy nobody warms up"
    track(running)
    assert running.service.warming(running.at) == ids
    running.go(300)
    assert running.service.warming(running.at) == set()
    assert running.service.warming(running.at - 200) == ids == running.service.warming(running.at, at_least_s=500)
    track(running, EstimatedInstanceWarmup=0)
    assert running.service.warming(running.at - 200) == set()


@pytest.mark.fact("2.6/asks-again")
def test_an_alarm_that_stays_in_alarm_asks_again_each_minute(running: World) -> None:
    """At its maximum a group cannot grow; when the maximum is raised, the alarm that is still on makes it grow."""
    track(running)
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MaxSize=2)
    running.cpu = 90.0
    running.go(900)
    (high,) = [a for a in running.cloudwatch.state.alarms.values() if "AlarmHigh" in a.name]
    assert high.state == "ALARM" and running.group()["DesiredCapacity"] == 2
    since = high.state_updated_at
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MaxSize=3)
    assert running.until(lambda: running.group()["DesiredCapacity"] == 3) <= 60
    assert high.state_updated_at == since, "it did not change its state for that"


@pytest.mark.fact("2.6/factor")
def test_the_low_alarms_factor_is_a_knob(running: World) -> None:
    running.service.cloud = replace(running.service.cloud, knobs=turned(["alarm_low_factor=0.9"]))
    for each in running.service.pages:
        each.cloud = running.service.cloud
    track(running)
    assert sorted(a.rule.threshold for a in running.cloudwatch.state.alarms.values()) == [45.0, 50.0]


def test_alarms_do_nothing_while_alarm_notification_is_suspended(running: World) -> None:
    track(running)
    running("SuspendProcesses", AutoScalingGroupName="MGAS", ScalingProcesses=["AlarmNotification"])
    running.cpu = 90.0
    running.go(900)
    assert running.group()["DesiredCapacity"] == 2


def test_a_deleted_group_takes_its_alarms_along(running: World) -> None:
    track(running)
    running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS", ForceDelete=True)
    assert running.cloudwatch.state.alarms == {}
