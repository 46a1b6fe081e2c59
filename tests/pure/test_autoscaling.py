"""Auto Scaling as the lab uses it: a group of two in two zones, and what happens to it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mglab.localcloud.api.faults import ApiError
from tests.pure.autoscaling_cloud import (
    ACCOUNT,
    MGTG,
    NOON,
    PENDING_S,
    REGION,
    SHUTTING_DOWN_S,
    World,
    create,
    kill_one,
    lab_group,
    stamp,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def running() -> World:
    return lab_group()


@pytest.mark.fact("2.1/described")
def test_a_new_group_shows_all_its_keys_and_no_instance_yet(world: World) -> None:
    group = create(world).group()
    assert re.fullmatch(
        rf"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:[0-9a-f-]{{36}}:autoScalingGroupName/MGAS",
        group.pop("AutoScalingGroupARN"),
    )
    assert group == {
        "AutoScalingGroupName": "MGAS",
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "MGLaunch", "Version": "$Latest"},
        "MinSize": 2, "MaxSize": 3, "DesiredCapacity": 2, "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-1a", "us-east-1b"], "LoadBalancerNames": [], "TargetGroupARNs": [MGTG],
        "HealthCheckType": "EC2", "HealthCheckGracePeriod": 0, "Instances": [], "CreatedTime": NOON,
        "SuspendedProcesses": [], "VPCZoneIdentifier": "subnet-1,subnet-2", "EnabledMetrics": [],
        "Tags": [
            {"ResourceId": "MGAS", "ResourceType": "auto-scaling-group", "Key": "Name", "Value": "MG replica",
             "PropagateAtLaunch": True},
            {"ResourceId": "MGAS", "ResourceType": "auto-scaling-group", "Key": "Owner", "Value": "me",
             "PropagateAtLaunch": False},
        ],
        "TerminationPolicies": ["Default"], "NewInstancesProtectedFromScaleIn": False,
        "ServiceLinkedRoleARN": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/"
                                "AWSServiceRoleForAutoScaling",
        "TrafficSources": [{"Identifier": MGTG, "Type": "elbv2"}],
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
    }


@pytest.mark.fact("2.2/states", "2.4/decision", "2.4/launch", "2.5/placement")
def test_two_instances_start_in_two_zones_a_few_seconds_later(world: World) -> None:
    create(world)
    waited = world.until(lambda: len(world.instances("Pending")) == 2)
    assert 2 <= waited <= 31
    assert {each["AvailabilityZone"] for each in world.instances()} == {"us-east-1a", "us-east-1b"}
    assert world.until(lambda: len(world.instances("InService")) == 2) == PENDING_S
    (first, second) = world.instances()
    assert first["LaunchTemplate"]["Version"] == "3" and second["HealthStatus"] == "Healthy"
    shown = world("DescribeAutoScalingInstances", InstanceIds=[first["InstanceId"]])["AutoScalingInstances"]
    assert shown == [first | {"AutoScalingGroupName": "MGAS", "HealthStatus": "HEALTHY"}]


@pytest.mark.fact("2.2/register-first", "2.2/in-service-at-once")
def test_members_are_registered_before_they_are_in_service_and_not_while_pending(world: World) -> None:
    create(world)
    world.until(lambda: len(world.instances("Pending")) == 2)
    assert world.elbv2.log == []
    world.until(lambda: len(world.instances("InService")) == 2)
    assert {(what, arn) for what, arn, _ in world.elbv2.log} == {("register", MGTG)} and len(world.elbv2.log) == 2


def test_instances_carry_propagated_tags_and_awss_own(running: World) -> None:
    assert running.compute.requests[0].tags == {
        "Name": "MG replica", "aws:autoscaling:groupName": "MGAS", "aws:ec2launchtemplate:id": "lt-1",
        "aws:ec2launchtemplate:version": "3",
    }


def test_launches_are_told_in_awss_words(world: World) -> None:
    create(world)
    world.until(lambda: len(world.instances()) == 2)
    started = stamp(datetime.fromtimestamp(world.at, UTC))
    for activity in world.activities():
        assert activity["StatusCode"] == "PreInService" and "EndTime" not in activity
    world.go(20)
    for activity in world.activities():
        assert activity["Cause"] == (
            "At 2023-09-16T12:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 "
            f"to 2.  At {started} an instance was started in response to a difference between desired and actual "
            "capacity, increasing the capacity from 0 to 2."
        )
        assert re.fullmatch(r"Launching a new EC2 instance: i-[0-9a-f]{17}", activity["Description"])
        assert (activity["StatusCode"], activity["Progress"]) == ("Successful", 100)
        assert set(json.loads(activity["Details"])) == {"Subnet ID", "Availability Zone"}
        assert activity["EndTime"] - activity["StartTime"] == timedelta(seconds=PENDING_S)


@pytest.mark.fact("0/5", "2.3/outside", "2.3/replacement", "2.4/detection", "2.4/replacement")
def test_a_member_terminated_outside_is_noticed_and_replaced_in_its_zone(running: World) -> None:
    victim = kill_one(running)
    noticed = running.until(lambda: bool(running.instances("Terminating")))
    assert 15 <= noticed <= 61
    (leaving,) = running.instances("Terminating")
    assert leaving["InstanceId"] == victim["InstanceId"] and leaving["HealthStatus"] == "Unhealthy"
    ending = running.activities()[0]
    at = stamp(ending["StartTime"])
    assert ending["Description"] == (
        f"Terminating EC2 instance: {victim['InstanceId']} - Waiting For ELB Connection Draining."
    )
    assert ending["Cause"] == (
        f"At {at} an instance was taken out of service in response to an EC2 health check indicating it has been "
        "terminated or stopped."
    )
    assert (ending["StatusCode"], ending["Progress"]) == ("WaitingForELBConnectionDraining", 50)

    running.go(1)
    starting = running.activities()[0]
    assert starting["StartTime"] - ending["StartTime"] == timedelta(seconds=1)
    assert starting["Cause"] == (
        f"At {stamp(starting['StartTime'])} an instance was launched in response to an unhealthy instance needing to "
        "be replaced."
    )
    (new,) = running.instances("Pending")
    assert new["AvailabilityZone"] == victim["AvailabilityZone"]
    running.go(PENDING_S)
    assert ("register", MGTG, new["InstanceId"]) in running.elbv2.log


@pytest.mark.fact("0/5", "2.2/progress", "2.4/terminate-with-targets")
def test_the_terminating_activity_lasts_as_long_as_the_drain_though_the_instance_is_dead(running: World) -> None:
    kill_one(running)
    running.until(lambda: bool(running.instances("Terminating")))
    running.until(lambda: not running.instances("Terminating"))
    ended = next(each for each in running.activities() if each["Description"].startswith("Terminating"))
    assert ended["EndTime"] - ended["StartTime"] == timedelta(seconds=300)
    assert (ended["StatusCode"], ended["Progress"]) == ("Successful", 100)
    assert ended["Description"] == "Terminating EC2 instance: i-00000000000000000"
    assert len(running.instances("InService")) == 2


@pytest.mark.fact("2.4/terminate-alone", "2.3/terminate-in-group")
def test_without_a_target_group_only_ec2_is_waited_for(world: World) -> None:
    create(world, TargetGroupARNs=None).go(60)
    victim = world.instances()[0]["InstanceId"]
    activity = world("TerminateInstanceInAutoScalingGroup", InstanceId=victim,
                     ShouldDecrementDesiredCapacity=False)["Activity"]
    assert activity["Cause"] == (
        f"At 2023-09-16T12:01:00Z instance {victim} was taken out of service in response to a user request."
    )
    took = world.until(lambda: victim not in [each["InstanceId"] for each in world.instances()])
    assert SHUTTING_DOWN_S <= took <= SHUTTING_DOWN_S + 2
    world.until(lambda: len(world.instances("InService")) == 2)
    assert "increasing the capacity from 1 to 2." in world.activities()[0]["Cause"]


@pytest.mark.fact("0/9")
def test_a_stopped_member_is_terminated_and_replaced(running: World) -> None:
    """aws-facts 0.9: what happens at the end of an Academy session."""
    stopped = running.instances()[0]["InstanceId"]
    running.compute.put(stopped, "stopped")
    running.until(lambda: running.compute.views[stopped].state == "shutting-down")
    running.until(lambda: len(running.instances("InService")) == 2)


def test_a_raised_minimum_starts_a_third_instance(running: World) -> None:
    at = running.at
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=3)
    assert running.group()["DesiredCapacity"] == 3
    running.until(lambda: len(running.instances()) == 3)
    newest = running.activities()[0]
    assert newest["Cause"] == (
        f"At {stamp(datetime.fromtimestamp(at, UTC))} a user request update of AutoScalingGroup constraints to min: 3, "
        "max: 3, desired: 3 changing the desired capacity from 2 to 3.  At "
        f"{stamp(newest['StartTime'])} an instance was started in response to a difference between desired and actual "
        "capacity, increasing the capacity from 2 to 3."
    )


@pytest.mark.fact("2.2/drain-first", "2.3/scale-in")
def test_scale_in_drains_first_and_terminates_afterwards(running: World) -> None:
    at = running.at
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=1, DesiredCapacity=1)
    running.until(lambda: bool(running.instances("Terminating")))
    (victim,) = running.instances("Terminating")
    ending = running.activities()[0]
    started = stamp(ending["StartTime"])
    assert ending["Cause"] == (
        f"At {stamp(datetime.fromtimestamp(at, UTC))} a user request update of AutoScalingGroup constraints to min: 1, "
        f"max: 3, desired: 1 changing the desired capacity from 2 to 1.  At {started} an instance was taken out of "
        "service in response to a difference between desired and actual capacity, shrinking the capacity from 2 to 1.  "
        f"At {started} instance {victim['InstanceId']} was selected for termination."
    )
    assert running.compute.views[victim["InstanceId"]].state == "running"
    assert running.elbv2.groups[MGTG][victim["InstanceId"]] == "draining"
    running.go(299)
    assert running.compute.views[victim["InstanceId"]].state == "running"
    running.go(2)
    assert running.compute.views[victim["InstanceId"]].state == "shutting-down"


def test_set_desired_capacity(running: World) -> None:
    running("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=3)
    running.until(lambda: len(running.instances()) == 3)
    assert "a user request explicitly set group desired capacity changing the desired capacity from 2 to 3.  At " in (
        running.activities()[0]["Cause"]
    )


def test_decrementing_termination_is_not_replaced(running: World) -> None:
    running("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=3)
    running.go(60)
    victim = running.instances()[0]["InstanceId"]
    activity = running("TerminateInstanceInAutoScalingGroup", InstanceId=victim,
                       ShouldDecrementDesiredCapacity=True)["Activity"]
    assert activity["Cause"].endswith("in response to a user request, shrinking the capacity from 3 to 2.")
    running.go(400)
    assert (running.group()["DesiredCapacity"], len(running.instances())) == (2, 2)


@pytest.mark.fact("2.1/health-check-type", "2.3/elb")
def test_target_health_is_ignored_by_default_and_heeded_with_elb(running: World) -> None:
    sick = running.instances()[0]["InstanceId"]
    running.elbv2.groups[MGTG][sick] = "unhealthy"
    running.go(120)
    assert len(running.instances("InService")) == 2
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", HealthCheckType="ELB", HealthCheckGracePeriod=300)
    running.until(lambda: bool(running.instances("Terminating")))
    assert running.at >= NOON.timestamp() + 300
    cause = next(a["Cause"] for a in running.activities() if a["Description"].startswith("Terminating"))
    assert cause.endswith("an instance was taken out of service in response to an ELB system health check failure.")


def test_a_member_declared_unhealthy_is_replaced(running: World) -> None:
    sick = running.instances()[0]["InstanceId"]
    running("SetInstanceHealth", InstanceId=sick, HealthStatus="Unhealthy")
    running.go(1)
    assert running.activities()[0]["Cause"].endswith("was taken out of service in response to a user health-check.")


@pytest.mark.fact("2.3/failed-launch", "2.5/placement")
def test_a_refused_launch_is_a_failed_activity_and_is_tried_again(world: World) -> None:
    world.compute.refusal = ApiError("InvalidAMIID.NotFound", "The AMI ID ami-1 does not exist")
    create(world, MinSize=1).go(40)
    failed = world.activities()
    message = "The AMI ID ami-1 does not exist. Launching EC2 instance failed."
    assert failed[0]["Description"] == f"Launching a new EC2 instance.  Status Reason: {message}"
    assert (failed[0]["StatusCode"], failed[0]["StatusMessage"]) == ("Failed", message)
    assert world.instances() == []
    world.go(40)
    assert len(world.activities()) == len(failed) + 1
    assert len({json.loads(each["Details"])["Availability Zone"] for each in world.activities()}) == 2
    world.compute.refusal = None
    world.until(lambda: len(world.instances("InService")) == 1)
    assert "changing the desired capacity from 0 to 1.  At " in world.activities()[0]["Cause"]


@pytest.mark.fact("2.3/messages")
def test_too_many_vcpus_is_told_as_on_aws(world: World) -> None:
    world.compute.refusal = ApiError("VcpuLimitExceeded", "You have requested more vCPU capacity than your limit of 8.")
    create(world).go(40)
    assert world.activities()[0]["StatusMessage"] == (
        "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your "
        "limit of 8. Launching EC2 instance failed."
    )


def test_a_target_group_that_is_gone_fails_the_launch(world: World) -> None:
    create(world)
    del world.elbv2.groups[MGTG]
    world.go(40)
    assert world.activities()[0]["StatusMessage"] == (
        "One or more target groups not found. Validating load balancer configuration failed. "
        "Launching EC2 instance failed."
    )


def test_zones_are_rebalanced_launch_first(world: World) -> None:
    create(world, VPCZoneIdentifier="subnet-1", TargetGroupARNs=None).go(60)
    world("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", VPCZoneIdentifier="subnet-1,subnet-2")
    world.go(1)
    assert len(world.instances()) == 3
    assert "were launched to balance instances in zones us-east-1b with other zones" in world.activities()[0]["Cause"]
    world.go(120)
    assert sorted(each["AvailabilityZone"] for each in world.instances()) == ["us-east-1a", "us-east-1b"]


def test_suspended_processes_do_nothing_until_they_are_resumed(running: World) -> None:
    running("SuspendProcesses", AutoScalingGroupName="MGAS", ScalingProcesses=["Launch", "HealthCheck"])
    suspended = running.group()["SuspendedProcesses"]
    since = stamp(datetime.fromtimestamp(running.at, UTC))
    assert suspended[0] == {"ProcessName": "Launch", "SuspensionReason": f"User suspended at {since}"}
    kill_one(running)
    running.go(120)
    assert running.instances("Terminating") == []
    running("ResumeProcesses", AutoScalingGroupName="MGAS")
    running.until(lambda: len(running.instances("InService")) == 2 and bool(running.instances("Terminating")))


@pytest.mark.fact("2.1/status-while-deleting", "2.1/history", "2.5/delete", "3.7/44", "3.7/45")
def test_delete_wants_force_while_there_are_members(running: World) -> None:
    with pytest.raises(ApiError, match="ResourceInUse"):
        running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS")
    running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS", ForceDelete=True)
    assert running.group()["Status"] == "Delete in progress"
    with pytest.raises(ApiError, match="already exists and is pending delete"):
        create(running)
    running.until(lambda: not running("DescribeAutoScalingGroups")["AutoScalingGroups"])
    assert {each.state for each in running.compute.views.values()} == {"terminated"}
    assert running.activities() == []
    kept = running.activities(IncludeDeletedGroups=True)
    assert kept[0]["AutoScalingGroupState"] == "Deleted" and len(kept) == 4
    assert "shrinking the capacity from 2 to 0." in kept[0]["Cause"]
    create(running)


@pytest.mark.fact("3.7/46")
def test_an_emptied_group_is_deleted_at_once(running: World) -> None:
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=0, MaxSize=0)
    running.until(lambda: len(running.instances("Terminating")) == 2)
    with pytest.raises(ApiError, match="ScalingActivityInProgress"):
        running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS")
    running.until(lambda: not running.instances())
    running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS")
    assert running("DescribeAutoScalingGroups")["AutoScalingGroups"] == []


@pytest.mark.fact("fault/impaired-group", "fault/impaired-cause")
def test_a_member_whose_status_checks_fail_is_replaced_after_some_minutes(running: World) -> None:
    (victim, _) = running.instances("InService")
    view = running.compute.views[victim["InstanceId"]]
    running.compute.views[victim["InstanceId"]] = replace(view, impaired_since=running.at)
    running.go(170)
    assert not running.instances("Terminating"), "they may mend themselves"
    running.until(lambda: bool(running.instances("Terminating")))
    ending = next(it for it in running.activities() if it["Description"].startswith("Terminating"))
    assert ending["Cause"] == (
        f"At {stamp(ending['StartTime'])} an instance was taken out of service in response to an EC2 instance status "
        "checks failure."
    )


def test_status_checks_that_mend_themselves_in_time_cost_no_member(running: World) -> None:
    (victim, _) = running.instances("InService")
    view = running.compute.views[victim["InstanceId"]]
    running.compute.views[victim["InstanceId"]] = replace(view, impaired_since=running.at)
    running.go(150)
    running.compute.views[victim["InstanceId"]] = view
    running.go(300)
    assert len(running.instances("InService")) == 2 and not running.instances("Terminating")
