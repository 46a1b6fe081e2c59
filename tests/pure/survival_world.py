"""A whole control plane without a process or a socket: boto3's requests are handed to the door, the hand moves time.

``populated`` puts one of everything that the lab makes into it; ``everything`` reads all of it back, as a client sees
it; ``seen`` is a data plane that has done whatever was wanted of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from mglab.clock import Clock
from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api import app, moto_room
from mglab.localcloud.api.signature import Credentials, Verifier
from mglab.localcloud.controlplane import PROJECT2_IMAGE_ID, ControlPlane, create, tick
from mglab.localcloud.knobs import DEFAULTS
from mglab.localcloud.seam import Desired, FlowReport, MachineReport, Observed, ProbeReport, TrafficReport

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SERVICES = ("ec2", "elbv2", "autoscaling", "cloudwatch")
BEGAN = 1_790_000_000.0
SLOT = 64

Answers = dict[str, Any]


@dataclass
class Hand:
    """The wall's clock, moved by hand."""

    at: float = BEGAN

    def __call__(self) -> float:
        """Give wall seconds since 1970."""
        return self.at


@dataclass
class InProcess:
    """A control plane and its clients."""

    cloud: ControlPlane
    hand: Hand
    probed: int = 0
    clients: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        moto_room.install(self.cloud.ec2._world.backend)
        services = self.cloud.services(KEYS.access_key_id)
        self._door = app.application(services, self.cloud.lock, _trusting(), moto_room.answer)

    def __getattr__(self, name: str) -> Any:
        if name not in SERVICES:
            raise AttributeError(name)
        return self.clients.get(name) or self.clients.setdefault(name, self._client(name))

    def pass_time(self, seconds: float, step_s: float = 5.0) -> Desired:
        """Let lab time pass, a tick at a time, with a data plane that does what is wanted."""
        end, desired = self.hand.at + seconds, Desired()
        while self.hand.at < end:
            self.hand.at += step_s
            self.probed += 1
            desired = tick(self.cloud, seen(desired, self.hand.at, self.probed))
        return desired

    def _client(self, service: str) -> Any:
        settings = Config(retries={"total_max_attempts": 1})
        client = _session().client(service, endpoint_url="http://127.0.0.1:80", config=settings)  # type: ignore[call-overload]
        client.meta.events.register("before-send", lambda request, **_: self._answer(request))
        return client

    def _answer(self, request: Any) -> AWSResponse:
        body = request.body or b""
        told: dict[str, Any] = {}
        environ = _environ(request, body if isinstance(body, bytes) else body.encode())

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            told.update(status=int(status.split()[0]), headers=dict(headers))

        content = b"".join(self._door(environ, start_response))
        return _Response(request.url, told["status"], told["headers"], content)


@cache
def _session() -> boto3.Session:
    """One for all: it reads each service's model once."""
    return boto3.Session(KEYS.access_key_id, KEYS.secret_access_key, region_name=moto_room.REGION)


class _Response(AWSResponse):
    def __init__(self, url: str, status: int, headers: dict[str, str], content: bytes) -> None:
        super().__init__(url, status, headers, None)
        self._content = content


class _Trusting(Verifier):
    def check(self, request: Any) -> Any:
        return None


def _trusting() -> Verifier:
    return _Trusting(KEYS, moto_room.REGION, lambda: BEGAN)


def _environ(request: Any, body: bytes) -> dict[str, Any]:
    url = urlsplit(request.url)
    told = {name.lower(): value for name, value in request.headers.items()}
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value.decode() if isinstance(value, bytes) else str(value)
        for name, value in told.items()
    }
    return headers | {
        "REQUEST_METHOD": request.method, "PATH_INFO": url.path or "/", "QUERY_STRING": url.query,
        "SERVER_PORT": "80", "HTTP_HOST": "127.0.0.1:80", "CONTENT_TYPE": headers.get("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body),
    }  # fmt: skip


def begun(directory: Path) -> InProcess:
    """Give an empty account on a clock that is moved by hand; a lab second is a wall second."""
    hand = Hand()
    clock = Clock(rate=1.0, wall_epoch=BEGAN, lab_epoch=BEGAN, wall=hand)
    return InProcess(create(clock, AddressPlan(SLOT), directory, 7, DEFAULTS), hand)


def of(cloud: ControlPlane) -> InProcess:
    """Give the clients of a control plane that came back."""
    hand = cloud.clock.wall
    assert isinstance(hand, Hand)
    return InProcess(cloud, hand, probed=1000)


def seen(desired: Desired, at: float, count: int) -> Observed:
    """Give what a data plane sees that has done all that is wanted."""
    on = [spec for spec in desired.machines if spec.power == "on"]
    return Observed(
        machines=tuple(
            MachineReport(spec.instance_id, spec.power, spec.boots if spec in on else 0, count * 1_000_000, 3)
            for spec in desired.machines
        ),
        images=tuple(spec.image_id for spec in desired.images),
        probes=tuple(
            ProbeReport(probe.key, True, count, count, at=at) for probe in desired.probes if at >= probe.starts_at
        ),
        flows=tuple(
            FlowReport((node.load_balancer, node.zone, listener.target_group_arn), new_flows=count, active_flows=1)
            for node in desired.nodes
            for listener in node.listeners
        ),
        traffic=tuple(TrafficReport(spec.instance_id, count, count * 60, count, count * 90) for spec in on),
    )


def populated(world: InProcess) -> dict[str, str]:
    """Make one of everything, in every state that lasts; give the ids of some."""
    network = _network(world)
    made = {**network, **_instances(world, network)}
    _service(world, made)
    world.pass_time(900)
    late = world.ec2.run_instances(ImageId=PROJECT2_IMAGE_ID, InstanceType="t2.micro", MinCount=1, MaxCount=1)
    made["pending"] = late["Instances"][0]["InstanceId"]
    made["copying"] = world.ec2.create_image(InstanceId=made["stopped"], Name="copying")["ImageId"]
    return made


def _network(world: InProcess) -> dict[str, str]:
    ec2 = world.ec2
    vpc_id = ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    subnets = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"192.168.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for n, zone in enumerate("ab")
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    table = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet["Subnet"]["SubnetId"])
    group = ec2.create_security_group(GroupName="kept", Description="kept", VpcId=vpc_id)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 5001, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    ec2.create_key_pair(KeyName="kept")
    ec2.create_tags(Resources=[vpc_id, group], Tags=[{"Key": "mglab:run", "Value": "kept"}])
    first, second = (subnet["Subnet"]["SubnetId"] for subnet in subnets)
    return {"vpc": vpc_id, "first": first, "second": second, "group": group}


def _instances(world: InProcess, network: Mapping[str, str]) -> dict[str, str]:
    ec2 = world.ec2
    nic = {
        "DeviceIndex": 0, "SubnetId": network["first"], "Groups": [network["group"]], "AssociatePublicIpAddress": True
    }  # fmt: skip
    asked = {"ImageId": PROJECT2_IMAGE_ID, "InstanceType": "t2.micro", "MinCount": 3, "MaxCount": 3}
    made = ec2.run_instances(**asked, NetworkInterfaces=[nic], KeyName="kept", UserData="#!/bin/sh\n")["Instances"]
    running, stopped, gone = (each["InstanceId"] for each in made)
    world.pass_time(60)
    ec2.stop_instances(InstanceIds=[stopped])
    ec2.terminate_instances(InstanceIds=[gone])
    ec2.monitor_instances(InstanceIds=[running])
    image = ec2.create_image(InstanceId=running, Name="kept", NoReboot=True)["ImageId"]
    data = {"ImageId": PROJECT2_IMAGE_ID, "InstanceType": "t2.micro", "SecurityGroupIds": [network["group"]]}
    template = ec2.create_launch_template(LaunchTemplateName="kept", LaunchTemplateData=data)["LaunchTemplate"]
    ec2.create_launch_template_version(
        LaunchTemplateId=template["LaunchTemplateId"], LaunchTemplateData={**data, "KeyName": "kept"}
    )
    return {"running": running, "stopped": stopped, "image": image, "template": template["LaunchTemplateId"]}


def _service(world: InProcess, made: dict[str, str]) -> None:
    elbv2, autoscaling, cloudwatch = world.elbv2, world.autoscaling, world.cloudwatch
    zones = [made["first"], made["second"]]
    balancer = elbv2.create_load_balancer(Name="kept", Type="network", Subnets=zones)["LoadBalancers"][0]
    group = elbv2.create_target_group(
        Name="kept", Protocol="TCP", Port=5000, VpcId=made["vpc"], TargetType="instance", HealthCheckPort="5001"
    )["TargetGroups"][0]["TargetGroupArn"]
    action = {"Type": "forward", "TargetGroupArn": group}
    elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="TCP", Port=5000, DefaultActions=[action]
    )
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": made["running"]}])
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="kept", LaunchTemplate={"LaunchTemplateId": made["template"], "Version": "$Latest"},
        MinSize=2, MaxSize=4, VPCZoneIdentifier=",".join(zones), TargetGroupARNs=[group], HealthCheckType="ELB",
        HealthCheckGracePeriod=60, Tags=[{"Key": "Name", "Value": "kept", "PropagateAtLaunch": True}],
    )  # fmt: skip
    autoscaling.enable_metrics_collection(AutoScalingGroupName="kept", Granularity="1Minute")
    tracked = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 50}
    autoscaling.put_scaling_policy(
        AutoScalingGroupName="kept", PolicyName="kept", PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=tracked,
    )  # fmt: skip
    cloudwatch.put_metric_data(Namespace="Kept", MetricData=[{"MetricName": "points", "Value": 4.0}])
    cloudwatch.put_metric_alarm(
        AlarmName="kept", Namespace="Kept", MetricName="points", Statistic="Maximum", Period=60, EvaluationPeriods=1,
        Threshold=3.0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    made.update(balancer=balancer["LoadBalancerArn"], targets=group, name=balancer["DNSName"])


def everything(world: InProcess) -> Answers:
    """Read all that a client can see of the account."""
    return dict(_answers(world))


def _answers(world: InProcess) -> Iterator[tuple[str, Any]]:
    for kind in (
        "vpcs", "subnets", "internet_gateways", "route_tables", "security_groups", "security_group_rules",
        "key_pairs", "network_acls", "network_interfaces", "instances", "volumes", "launch_templates", "tags",
    ):  # fmt: skip
        yield kind, _plain(getattr(world.ec2, f"describe_{kind}")())
    yield "images", _plain(world.ec2.describe_images(Owners=["self", "amazon"]))
    yield "snapshots", _plain(world.ec2.describe_snapshots(OwnerIds=["self"]))
    yield "statuses", _plain(world.ec2.describe_instance_status(IncludeAllInstances=True))
    yield "versions", _plain(world.ec2.describe_launch_template_versions(LaunchTemplateName="kept"))
    yield from _of_balancing(world.elbv2)
    for kind in ("auto_scaling_groups", "auto_scaling_instances", "scaling_activities", "policies"):
        yield kind, _plain(getattr(world.autoscaling, f"describe_{kind}")())
    yield "alarms", _plain(world.cloudwatch.describe_alarms())
    yield "alarm history", _plain(world.cloudwatch.describe_alarm_history())


def _of_balancing(elbv2: Any) -> Iterator[tuple[str, Any]]:
    for balancer in elbv2.describe_load_balancers()["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        yield "balancer", balancer
        yield "attributes", _plain(elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn))
        yield "listeners", _plain(elbv2.describe_listeners(LoadBalancerArn=arn))
        yield "balancer's tags", _plain(elbv2.describe_tags(ResourceArns=[arn]))
    for group in elbv2.describe_target_groups()["TargetGroups"]:
        arn = group["TargetGroupArn"]
        yield "target group", group
        yield "its attributes", _plain(elbv2.describe_target_group_attributes(TargetGroupArn=arn))
        yield "targets", _plain(elbv2.describe_target_health(TargetGroupArn=arn))


def _plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("ResponseMetadata", "NextToken")}
