"""A cloud of fakes round a real Auto Scaling and CloudWatch, for tests of what groups do.

EC2 and load balancing are dictionaries here; time moves in steps of a lab second. What is asked and answered
is checked against botocore's model.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import botocore.session
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

    def default_subnet(self, zone: str) -> SubnetView | None:
        return next((self.subnet(each) for each, of in SUBNETS.items() if of == zone), None)

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


def lab_group() -> World:
    """The group of the lab with both members in service and healthy targets."""
    world = create(World()).go(60)
    assert len(world.instances("InService")) == 2
    world.elbv2.groups[MGTG] = {each["InstanceId"]: "healthy" for each in world.instances()}
    return world.go(1)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def kill_one(world: World) -> dict[str, Any]:
    victim = world.instances()[0]
    world.compute.terminate(victim["InstanceId"], world.at)
    return victim


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
