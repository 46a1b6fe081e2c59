"""How a group keeps its zones in balance and its members sound, and whom scale-in takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mglab.localcloud.api.compute import LaunchRequest
from mglab.localcloud.api.faults import ApiError
from tests.pure.autoscaling_cloud import MGTG, World, create, lab_group

A, B = "us-east-1a", "us-east-1b"


@pytest.fixture
def world() -> World:
    return World()


def zones(world: World) -> list[str]:
    return sorted(each["AvailabilityZone"] for each in world.instances("InService"))


@pytest.mark.fact("2.5/rebalance", "2.5/rebalance-margin", "8/rebalance-cause")
def test_a_full_group_exceeds_its_maximum_while_it_moves_to_another_zone(world: World) -> None:
    create(world, MinSize=2, MaxSize=2, VPCZoneIdentifier="subnet-1", TargetGroupARNs=None).go(60)
    assert zones(world) == [A, A]
    world("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", VPCZoneIdentifier="subnet-1,subnet-2")
    most, fewest = 2, 2
    for _ in range(120):
        world.go(1)
        serving, starting = len(world.instances("InService")), len(world.instances("Pending"))
        fewest, most = min(fewest, serving), max(most, serving + starting)
    assert (fewest, most) == (2, 3) and zones(world) == [A, B]
    assert world.group()["DesiredCapacity"] == 2 and world.group()["MaxSize"] == 2
    causes = [each["Cause"] for each in world.activities()]
    assert any(
        f"instances were launched to balance instances in zones {B} with other zones resulting in more than desired "
        "number of instances in the group." in each for each in causes
    )  # fmt: skip


@pytest.mark.fact("2.5/rebalance")
def test_a_zone_that_lost_its_members_to_detaching_is_refilled(world: World) -> None:
    create(world, MinSize=4, MaxSize=4, TargetGroupARNs=None).go(60)
    assert zones(world) == [A, A, B, B]
    leavers = [each["InstanceId"] for each in world.instances() if each["AvailabilityZone"] == B]
    world("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=2)
    world("DetachInstances", AutoScalingGroupName="MGAS", InstanceIds=leavers, ShouldDecrementDesiredCapacity=True)
    world.go(150)
    assert zones(world) == [A, B] and world.group()["DesiredCapacity"] == 2


@pytest.mark.fact("2.5/rebalance")
def test_a_zone_that_is_taken_away_is_left_only_when_the_other_serves(world: World) -> None:
    create(world, TargetGroupARNs=None).go(60)
    world("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", VPCZoneIdentifier="subnet-2")
    fewest = 2
    for _ in range(150):
        world.go(1)
        fewest = min(fewest, len(world.instances("InService")))
    assert fewest == 2 and zones(world) == [B, B]


def test_nothing_is_rebalanced_while_that_is_suspended(world: World) -> None:
    create(world, VPCZoneIdentifier="subnet-1", TargetGroupARNs=None).go(60)
    world("SuspendProcesses", AutoScalingGroupName="MGAS", ScalingProcesses=["AZRebalance"])
    world("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", VPCZoneIdentifier="subnet-1,subnet-2")
    world.go(120)
    assert zones(world) == [A, A]


@pytest.mark.fact("2.5/impaired")
def test_failed_status_checks_are_borne_for_a_few_minutes(world: World) -> None:
    create(world, TargetGroupARNs=None).go(60)
    sick = world.instances()[0]["InstanceId"]
    world.compute.views[sick] = replace(world.compute.views[sick], impaired_since=world.at)
    world.go(120)
    assert len(world.instances("InService")) == 2
    took = 120 + world.until(lambda: bool(world.instances("Terminating")))
    assert 180 <= took <= 300
    assert world.activities()[0]["Cause"].endswith(
        "an instance was taken out of service in response to an EC2 instance status checks failure."
    )


@pytest.mark.fact("2.5/not-running", "0/9")
@pytest.mark.parametrize("state", ["stopping", "stopped", "shutting-down", "terminated"])
def test_what_does_not_run_is_replaced_even_in_its_grace_period(world: World, state: str) -> None:
    create(world, HealthCheckGracePeriod=3000).go(60)
    gone = world.instances()[0]["InstanceId"]
    world.compute.put(gone, state)
    world.compute.ends[gone] = world.at
    assert 15 <= world.until(lambda: bool(world.instances("Terminating")), 100) <= 61
    (leaving,) = world.instances("Terminating")
    assert (leaving["InstanceId"], leaving["HealthStatus"]) == (gone, "Unhealthy")
    world.until(lambda: world.compute.views[gone].state in ("shutting-down", "terminated"), 400)
    world.until(lambda: len(world.instances("InService")) == 2, 100)


@pytest.mark.fact("2.5/elb-a-tenth", "2.2/elb-replacement")
def test_sick_targets_are_replaced_one_at_a_time_and_only_once_one_was_healthy() -> None:
    world = create(World(), HealthCheckType="ELB").go(60)
    world.elbv2.groups[MGTG] = {each["InstanceId"]: "unhealthy" for each in world.instances()}
    world.go(600)
    assert len(world.instances("InService")) == 2, "no target was ever healthy: nobody is replaced"
    ever = lab_group()
    ever("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", HealthCheckType="ELB")
    ever.elbv2.groups[MGTG] = {each["InstanceId"]: "unhealthy" for each in ever.instances()}
    ever.until(lambda: bool(ever.instances("Terminating")), 100)
    assert len(ever.instances("Terminating")) == 1 and len(ever.instances("InService")) == 1
    ever.go(14)
    assert len(ever.instances("InService")) == 1, "the next one waits until the first is replaced"


@pytest.mark.fact("2.5/scale-in-order")
def test_scale_in_takes_from_the_fullest_zone_first(world: World) -> None:
    create(world, MinSize=3, MaxSize=3, TargetGroupARNs=None).go(60)
    held = zones(world)
    fullest = max(held, key=held.count)
    world("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=2, DesiredCapacity=2)
    world.until(lambda: bool(world.instances("Terminating")))
    assert [each["AvailabilityZone"] for each in world.instances("Terminating")] == [fullest]


@pytest.mark.fact("2.5/scale-in-order")
@pytest.mark.parametrize(("policy", "oldest_goes"), [("OldestInstance", True), ("NewestInstance", False)])
def test_a_termination_policy_says_who_goes(world: World, policy: str, oldest_goes: bool) -> None:
    create(world, MinSize=1, TargetGroupARNs=None, TerminationPolicies=[policy], VPCZoneIdentifier="subnet-1").go(60)
    (oldest,) = [each["InstanceId"] for each in world.instances()]
    world("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=2)
    world.go(60)
    world("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=1)
    world.until(lambda: bool(world.instances("Terminating")))
    assert (world.instances("Terminating")[0]["InstanceId"] == oldest) is oldest_goes


@pytest.mark.fact("2.5/scale-in-order")
def test_the_default_policy_takes_the_oldest_template_first(world: World) -> None:
    create(world, MinSize=1, TargetGroupARNs=None, VPCZoneIdentifier="subnet-1").go(60)
    (oldest,) = [each["InstanceId"] for each in world.instances()]
    world.compute.version = 4
    world("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=3)
    world.go(60)
    world("SetDesiredCapacity", AutoScalingGroupName="MGAS", DesiredCapacity=2)
    world.until(lambda: bool(world.instances("Terminating")))
    assert [each["InstanceId"] for each in world.instances("Terminating")] == [oldest]


def test_a_group_may_be_made_of_zones_alone(world: World) -> None:
    create(world, VPCZoneIdentifier=None, AvailabilityZones=[B, A], TargetGroupARNs=None).go(60)
    members = world("DescribeAutoScalingInstances")["AutoScalingInstances"]
    assert sorted(each["AvailabilityZone"] for each in members) == [A, B]


@pytest.mark.fact("2.3/messages")
@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        ("InvalidAMIID.NotFound", "The image id '[ami-0b2d]' does not exist", "The AMI ID ami-0b2d does not exist."),
        ("InvalidAMIID.Unavailable", "The AMI ami-0b2d is pending, and cannot be run",
         "AMI ami-0b2d is pending, and cannot be run."),
        ("InvalidKeyPair.NotFound", "The key pair 'lost' does not exist", "The key pair 'lost' does not exist."),
    ],
)  # fmt: skip
def test_a_failed_launch_is_told_in_a_groups_words(world: World, code: str, said: str, told: str) -> None:
    world.compute.refusal = ApiError(code, said)
    create(world, MinSize=1, MaxSize=1).go(40)
    assert world.activities()[0]["StatusMessage"] == f"{told} Launching EC2 instance failed."


@pytest.mark.fact("2.1/history")
def test_the_history_is_kept_for_six_weeks(world: World) -> None:
    create(world, TargetGroupARNs=None).go(60)
    world.at += 41 * 86400
    assert len(world.go(2).activities()) == 2
    world.at += 2 * 86400
    assert world.go(2).activities() == []


@pytest.mark.fact("2.1/quotas")
def test_fifty_target_groups_are_the_most(world: World) -> None:
    arns = [f"{MGTG}{number}" for number in range(51)]
    world.elbv2.groups |= {arn: {} for arn in arns}
    with pytest.raises(ApiError, match="50 target groups"):
        create(world, TargetGroupARNs=arns)
    create(world, TargetGroupARNs=arns[:50])
    with pytest.raises(ApiError, match="50 target groups"):
        world("AttachLoadBalancerTargetGroups", AutoScalingGroupName="MGAS", TargetGroupARNs=arns[50:])


def test_pauses_between_failed_launches_grow_and_a_success_ends_them(world: World) -> None:
    world.compute.refusal = ApiError("VcpuLimitExceeded", "There are no more.")
    create(world, MinSize=1, MaxSize=1).go(900)
    starts = sorted(each["StartTime"].timestamp() for each in world.activities())
    pauses = [round(after - before) for before, after in zip(starts, starts[1:], strict=False)]
    assert pauses[:4] == [30, 60, 120, 240]
    world.compute.refusal = None
    world.until(lambda: len(world.instances("InService")) == 1)


@pytest.mark.fact("2.5/placement")
def test_a_zone_without_capacity_is_left_for_the_other_at_once(world: World) -> None:
    launch = world.compute.launch

    def only_in_b(request: LaunchRequest, now: float) -> str:
        if request.subnet_id == "subnet-1":
            raise ApiError("InsufficientInstanceCapacity", "We currently do not have sufficient t2.micro capacity.")
        return launch(request, now)

    world.compute.launch = only_in_b  # type: ignore[method-assign]
    create(world, TargetGroupARNs=None).go(60)
    assert zones(world) == [B, B]
    failed = [each for each in world.activities() if each["StatusCode"] == "Failed"]
    assert failed and failed[0]["StatusMessage"] == (
        "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
        "t2.micro capacity. Launching EC2 instance failed."
    )
    world.compute.launch = launch  # type: ignore[method-assign]
    world.until(lambda: zones(world) == [A, B], 1500)


@pytest.mark.parametrize(
    "process", ["Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy", "AddToLoadBalancer", "InstanceRefresh"]
)
def test_a_suspended_process_has_no_effect_until_it_is_resumed(process: str) -> None:
    world = lab_group()
    group = {"AutoScalingGroupName": "MGAS"}
    world("SuspendProcesses", **group, ScalingProcesses=[process])
    before = sorted(each["InstanceId"] for each in world.instances("InService"))
    if process in ("HealthCheck", "ReplaceUnhealthy"):
        world.compute.put(before[0], "stopped")
    elif process == "InstanceRefresh":
        world("StartInstanceRefresh", **group, Preferences={"InstanceWarmup": 0})
    elif process == "Terminate":
        world("UpdateAutoScalingGroup", **group, MinSize=1, DesiredCapacity=1)
    else:
        world("SetDesiredCapacity", **group, DesiredCapacity=3)
    world.go(200)
    now = sorted(each["InstanceId"] for each in world.instances("InService"))
    if process == "AddToLoadBalancer":
        assert len(now) == 3 and len(world.elbv2.groups[MGTG]) == 2
        return
    assert now == before and len(world.instances()) == 2
    unhealthy = [each for each in world.instances() if each["HealthStatus"] == "Unhealthy"]
    assert len(unhealthy) == (process == "ReplaceUnhealthy")
    world("ResumeProcesses", **group)
    world.until(lambda: sorted(each["InstanceId"] for each in world.instances("InService")) != before, 100)
