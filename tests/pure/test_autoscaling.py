"""Auto Scaling as the lab uses it: a group of two in two zones, and what happens to it.

EC2 and load balancing are dictionaries here; time moves in steps of a lab second. Every answer is checked
against botocore's model.
"""

from __future__ import annotations

import json
import pickle
import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from mglab.localcloud.api.autoscaling import AutoScaling
from mglab.localcloud.api.cloudwatch import CloudWatch
from mglab.localcloud.api.compute import InstanceView, LaunchRequest, SubnetView
from mglab.localcloud.api.faults import ApiError

MODEL = botocore.session.get_session().get_service_model("autoscaling")
NOON = datetime(2023, 9, 16, 12, 0, tzinfo=UTC)
ACCOUNT, REGION = "000000000000", "us-east-1"
GROUPS = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup"
MGTG, OTHER = f"{GROUPS}/MGTG/bc50515f73c24771", f"{GROUPS}/other/0123456789abcdef"
SUBNETS = {"subnet-1": "us-east-1a", "subnet-2": "us-east-1b"}
PENDING_S, SHUTTING_DOWN_S = 15.0, 30.0


class FakeCompute:
    """EC2 whose instances run 15 s after their launch and are gone 30 s after their end began."""

    def __init__(self) -> None:
        self.views: dict[str, InstanceView] = {}
        self.ends: dict[str, float] = {}
        self.requests: list[LaunchRequest] = []
        self.refusal: ApiError | None = None
        self.version = 3

    def tick(self, now: float) -> None:
        for each in self.views.values():
            if each.state == "pending" and now >= each.launched_at + PENDING_S:
                self.put(each.instance_id, "running")
            if each.state == "shutting-down" and now >= self.ends[each.instance_id] + SHUTTING_DOWN_S:
                self.put(each.instance_id, "terminated")

    def put(self, instance_id: str, state: str) -> None:
        self.views[instance_id] = replace(self.views[instance_id], state=state)  # type: ignore[arg-type]

    def instance(self, instance_id: str) -> InstanceView | None:
        return self.views.get(instance_id)

    def subnet(self, subnet_id: str) -> SubnetView | None:
        if subnet_id not in SUBNETS:
            return None
        return SubnetView(subnet_id, "vpc-1", SUBNETS[subnet_id], "use1-az1", "192.168.0.0/24", 251)

    def check_template(self, template_id: str | None, name: str | None, version: str) -> tuple[str, str]:
        if name == "broken":
            raise ApiError("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist")
        return "lt-1", "MGLaunch"

    def template_version(self, template_id: str, version: str) -> tuple[int, str, str]:
        return self.version, "ami-1", "t2.micro"

    def launch(self, request: LaunchRequest, now: float) -> str:
        if self.refusal is not None:
            raise self.refusal
        instance_id = f"i-{len(self.views):017x}"
        self.requests.append(request)
        self.views[instance_id] = InstanceView(
            instance_id, "pending", "ami-1", "t2.micro", "vpc-1", request.subnet_id, SUBNETS[request.subnet_id],
            "192.168.0.9", "127.64.0.9", None, (), now, False, request.tags,
        )
        return instance_id

    def terminate(self, instance_id: str, now: float) -> None:
        if self.views[instance_id].state not in ("shutting-down", "terminated"):
            self.put(instance_id, "shutting-down")
            self.ends[instance_id] = now


class FakeElbv2:
    """Target groups as dictionaries of states; a dead instance's target vanishes, as on AWS."""

    def __init__(self, compute: FakeCompute) -> None:
        self.compute = compute
        self.groups: dict[str, dict[str, str]] = {MGTG: {}, OTHER: {}}
        self.log: list[tuple[str, str, str]] = []
        self.delay_s = 300.0

    def register(self, arn: str, instance_id: str, now: float) -> None:
        if self.compute.views[instance_id].state != "running":
            raise ApiError("InvalidTarget", "The following targets are not in a running state")
        self.groups[arn][instance_id] = "initial"
        self.log.append(("register", arn, instance_id))

    def deregister(self, arn: str, instance_id: str, now: float) -> None:
        self.log.append(("deregister", arn, instance_id))
        if instance_id in self.groups[arn]:
            self.groups[arn][instance_id] = "draining"

    def target_state(self, arn: str, instance_id: str) -> str | None:
        alive = self.compute.views[instance_id].state not in ("shutting-down", "terminated")
        return self.groups[arn].get(instance_id) if alive else None

    def target_group_exists(self, arn: str) -> bool:
        return arn in self.groups

    def deregistration_delay_s(self, arn: str) -> float:
        return self.delay_s


class World:
    """A cloud of fakes round a real Auto Scaling and CloudWatch."""

    def __init__(self, seed: int = 7) -> None:
        self.at = NOON.timestamp()
        self.compute = FakeCompute()
        self.elbv2 = FakeElbv2(self.compute)
        self.cloudwatch = CloudWatch(self.now, ACCOUNT, REGION, publication_delay_s=0.0)
        self.service = AutoScaling(
            self.compute, self.elbv2, self.cloudwatch, self.now, ACCOUNT, REGION,  # type: ignore[arg-type]
            random.Random(seed),
        )
        self.cpu: float | None = None

    def now(self) -> float:
        return self.at

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call an operation; what is asked and answered must fit botocore's model."""
        name, model = xform_name(operation), MODEL.operation_model(operation)
        if model.input_shape is not None:
            _fits(params, model.input_shape)
        handler = next(getattr(page, name) for page in self.service.pages if hasattr(page, name))
        answer = {key: value for key, value in handler(params).items() if value is not None}
        if model.output_shape is None:
            assert answer == {}
        else:
            _fits(answer, model.output_shape)
        return answer

    def go(self, seconds: float) -> World:
        """Let so many lab seconds pass."""
        for _ in range(int(seconds)):
            self.at += 1
            self.compute.tick(self.at)
            self.service.tick(self.at)
            if self.at % 60 == 0:
                self._minute()
        return self

    def _minute(self) -> None:
        for datum in self.service.minute(self.at):
            self.cloudwatch.record(*datum, self.at - 60)
        if self.cpu is not None:
            dimensions = {"AutoScalingGroupName": "MGAS"}
            self.cloudwatch.record("AWS/EC2", "CPUUtilization", dimensions, self.cpu, "Percent", self.at - 60)
        self.cloudwatch.tick(self.at)

    def until(self, done: Callable[[], bool], bound_s: int = 2000) -> float:
        """Let time pass until something is so; give how long it took."""
        start = self.at
        while not done():
            assert self.at < start + bound_s, "it never came"
            self.go(1)
        return self.at - start

    def group(self, name: str = "MGAS") -> dict[str, Any]:
        (found,) = self("DescribeAutoScalingGroups", AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return dict(found)

    def instances(self, state: str | None = None) -> list[dict[str, Any]]:
        return [each for each in self.group()["Instances"] if state in (None, each["LifecycleState"])]

    def activities(self, **params: Any) -> list[dict[str, Any]]:
        return list(self("DescribeScalingActivities", AutoScalingGroupName="MGAS", **params)["Activities"])


def _fits(members: dict[str, Any], shape: Any) -> None:
    report = ParamValidator().validate(members, shape)
    assert not report.has_errors(), report.generate_report()


def create(world: World, **changes: Any) -> World:
    """Steps 58-76: a group of two, at most three, in two subnets, behind a target group."""
    settings = {
        "AutoScalingGroupName": "MGAS", "MinSize": 2, "MaxSize": 3, "VPCZoneIdentifier": "subnet-1,subnet-2",
        "LaunchTemplate": {"LaunchTemplateName": "MGLaunch", "Version": "$Latest"}, "TargetGroupARNs": [MGTG],
        "Tags": [{"Key": "Name", "Value": "MG replica", "PropagateAtLaunch": True},
              {"Key": "Owner", "Value": "me", "PropagateAtLaunch": False}],
    }
    world("CreateAutoScalingGroup", **{k: v for k, v in {**settings, **changes}.items() if v is not None})
    return world


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def running(world: World) -> World:
    """The group of the lab with both members in service and healthy targets."""
    create(world).go(60)
    assert len(world.instances("InService")) == 2
    world.elbv2.groups[MGTG] = {each["InstanceId"]: "healthy" for each in world.instances()}
    return world.go(1)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


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
    }


def test_two_instances_start_in_two_zones_a_few_seconds_later(world: World) -> None:
    create(world)
    waited = world.until(lambda: len(world.instances("Pending")) == 2)
    assert 2 <= waited <= 31
    assert {each["AvailabilityZone"] for each in world.instances()} == {"us-east-1a", "us-east-1b"}
    assert world.until(lambda: len(world.instances("InService")) == 2) == PENDING_S
    (first, second) = world.instances()
    assert first["LaunchTemplate"]["Version"] == "3" and second["HealthStatus"] == "Healthy"
    shown = world("DescribeAutoScalingInstances", InstanceIds=[first["InstanceId"]])["AutoScalingInstances"]
    assert shown == [first | {"AutoScalingGroupName": "MGAS"}]


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


def kill_one(world: World) -> dict[str, Any]:
    victim = world.instances()[0]
    world.compute.terminate(victim["InstanceId"], world.at)
    return victim


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


def test_the_terminating_activity_lasts_as_long_as_the_drain_though_the_instance_is_dead(running: World) -> None:
    kill_one(running)
    running.until(lambda: bool(running.instances("Terminating")))
    running.until(lambda: not running.instances("Terminating"))
    ended = next(each for each in running.activities() if each["Description"].startswith("Terminating"))
    assert ended["EndTime"] - ended["StartTime"] == timedelta(seconds=300)
    assert (ended["StatusCode"], ended["Progress"]) == ("Successful", 100)
    assert ended["Description"] == "Terminating EC2 instance: i-00000000000000000"
    assert len(running.instances("InService")) == 2


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


def test_an_emptied_group_is_deleted_at_once(running: World) -> None:
    running("UpdateAutoScalingGroup", AutoScalingGroupName="MGAS", MinSize=0, MaxSize=0)
    running.until(lambda: len(running.instances("Terminating")) == 2)
    with pytest.raises(ApiError, match="ScalingActivityInProgress"):
        running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS")
    running.until(lambda: not running.instances())
    running("DeleteAutoScalingGroup", AutoScalingGroupName="MGAS")
    assert running("DescribeAutoScalingGroups")["AutoScalingGroups"] == []


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
    assert len(running.group()["EnabledMetrics"]) == 12


def track(world: World, **changes: Any) -> dict[str, Any]:
    """Step 73: average CPU at 50 %, warm-up 300 s."""
    settings = {
        "AutoScalingGroupName": "MGAS", "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
        "EstimatedInstanceWarmup": 300,
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 50.0,
        },
    }
    return world("PutScalingPolicy", **{**settings, **changes})


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
     "The local cloud has no SimpleScaling policies; use TargetTrackingScaling."),
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
