"""An EC2 that is a dictionary, and a cloud with nothing but load balancing on it, for the tests of elbv2.

Every answer is checked against botocore's model, so a member that AWS does not have cannot slip in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

from mglab.localcloud.api import wire_constraints
from mglab.localcloud.api.compute import InstanceView, LaunchRequest, NodeInterface, SubnetView
from mglab.localcloud.api.elbv2 import Elbv2
from mglab.localcloud.rules.reach import IngressRule, Network, Route
from mglab.localcloud.seam import Observed, ProbeReport, RefusalReport

VPC, OTHER_VPC = "vpc-1", "vpc-2"
A, B = "us-east-1a", "us-east-1b"
MODEL = botocore.session.get_session().get_service_model("elbv2")
OPERATIONS = {xform_name(name): name for name in MODEL.operation_names}
ANYONE = "0.0.0.0/0"


def tcp(port: int, cidr: str = ANYONE) -> IngressRule:
    return IngressRule("tcp", port, port, cidr)


@dataclass
class DictCompute:
    """EC2 in a dictionary: two subnets in two zones of one VPC, instances as the tests put them."""

    subnets: dict[str, SubnetView] = field(default_factory=dict)
    found: dict[str, InstanceView] = field(default_factory=dict)
    interfaces: dict[str, str] = field(default_factory=dict)
    ingress: dict[str, tuple[IngressRule, ...]] = field(default_factory=dict)
    routes: dict[str, tuple[Route, ...]] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=lambda: {VPC: "igw-1"})
    made: int = 0
    cut_off: frozenset[str] = frozenset()

    def add_subnet(self, subnet_id: str, zone: str, vpc_id: str = VPC, free: int = 251) -> None:
        self.subnets[subnet_id] = SubnetView(subnet_id, vpc_id, zone, zone, "192.168.0.0/24", free)
        self.routes[subnet_id] = (Route(ANYONE, "igw-1"),)

    def add(self, instance_id: str, zone: str = A, state: Any = "running", vpc_id: str = VPC) -> None:
        number = len(self.found) + 57
        subnet_id = "subnet-1" if zone == A else "subnet-2"
        self.found[instance_id] = InstanceView(
            instance_id, state, "ami-1", "t2.micro", vpc_id, subnet_id, zone, f"192.168.0.{number}",
            f"127.64.0.{number}", f"127.65.0.{number}", ("sg-1",), 0.0, state == "running",
        )  # fmt: skip

    def cut(self, *zones: str) -> None:
        """Begin (or end, without zones) an outage."""
        self.cut_off = frozenset(zones)
        for key, found in self.found.items():
            up = found.state == "running" and found.zone not in zones
            self.found[key] = replace(found, serving=up)

    def becomes(self, instance_id: str, state: Any) -> None:
        self.found[instance_id] = replace(self.found[instance_id], state=state, serving=state == "running")

    def instance(self, instance_id: str) -> InstanceView | None:
        return self.found.get(instance_id)

    def instances(self) -> tuple[InstanceView, ...]:
        return tuple(self.found.values())

    def subnet(self, subnet_id: str) -> SubnetView | None:
        return self.subnets.get(subnet_id)

    def has_gateway(self, vpc_id: str) -> bool:
        return vpc_id in self.gateways

    def vpc_exists(self, vpc_id: str) -> bool:
        return vpc_id in (VPC, OTHER_VPC)

    def vpc_of_security_group(self, group_id: str) -> str | None:
        return VPC if group_id in self.ingress else None

    def set_node_groups(self, interface_id: str, group_ids: tuple[str, ...]) -> None:
        assert interface_id in self.interfaces

    def create_node_interface(
        self, description: str, subnet_id: str, *, public: bool, group_ids: tuple[str, ...] = ()
    ) -> NodeInterface:
        self.made += 1
        interface_id = f"eni-{self.made}"
        self.interfaces[interface_id] = description
        address = f"127.65.9.{self.made}" if public else None
        return NodeInterface(interface_id, f"192.168.0.{self.made + 9}", f"127.64.9.{self.made}", address)

    def delete_node_interface(self, interface_id: str) -> None:
        self.interfaces.pop(interface_id, None)

    def network(self) -> Network:
        return Network(self.ingress, self.routes, self.gateways, self.cut_off)

    def check_template(self, template_id: str | None, name: str | None, version: str) -> tuple[str, str]:
        raise NotImplementedError

    def template_version(self, template_id: str, version: str) -> tuple[int, str, str]:
        raise NotImplementedError

    def launch(self, request: LaunchRequest, now: float) -> str:
        raise NotImplementedError

    def terminate(self, instance_id: str, now: float) -> None:
        raise NotImplementedError


@dataclass
class Cloud:
    """A clock, an EC2 and the service; ``call`` speaks AWS and checks both ways against the model."""

    compute: DictCompute
    time: float = 0.0
    counters: dict[tuple[str, str, int, str], tuple[bool, int, int]] = field(default_factory=dict)
    refusals: dict[tuple[str, str, int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = iter(range(1, 10_000))
        self.elbv2 = Elbv2(
            self.compute,
            lambda: self.time,
            "000000000000",
            "us-east-1",
            Random(1),
            secret=lambda size: next(numbers).to_bytes(size, "big"),
        )

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        model = MODEL.operation_model(OPERATIONS[operation])
        wire_constraints.check(model.input_shape, params)
        answer = getattr(self.elbv2, operation)(params)
        report = ParamValidator().validate(answer, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        return answer

    def wait(self, seconds: float) -> None:
        """Let lab time pass in steps as the daemon would."""
        end = self.time + seconds
        while self.time < end:
            self.time = min(self.time + 5, end)
            self.elbv2.tick(self.time)

    def probe(self, outcomes: Callable[[str, str], bool], rounds: int = 1) -> None:
        """Let every node check every target so many times; ``outcomes(instance id, zone of the node)``."""
        for _ in range(rounds):
            for probe in self.elbv2.probes(float, float):
                if probe.starts_at <= self.time:
                    passed = outcomes(probe.target_id, probe.zone) and probe.verdict == "open"
                    before, streak, total = self.counters.get(probe.key, (passed, 0, 0))
                    self.counters[probe.key] = (passed, streak + 1 if before == passed else 1, total + 1)
            self._tell()
            self.wait(30)

    def refuse(self, arn: str, target_id: str, zone: str, connections: int) -> None:
        """Let a target refuse so many connections in a row that the node of a zone passes on to it."""
        key = arn, target_id, 5000, zone
        self.refusals[key] = self.refusals.get(key, 0) + connections
        self._tell()
        self._tell()

    def _tell(self) -> None:
        reports = tuple(
            ProbeReport(key, passed, streak, total, at=self.time)
            for key, (passed, streak, total) in self.counters.items()
        )
        refusals = tuple(RefusalReport(key, total, total) for key, total in self.refusals.items())
        self.elbv2.observe(Observed(probes=reports, refusals=refusals), float)
        self.elbv2.tick(self.time)

    def state_of(self, arn: str, **target: Any) -> tuple[str, str | None]:
        """Ask for one target's state and reason."""
        (found,) = self.call("describe_target_health", TargetGroupArn=arn, Targets=[target])["TargetHealthDescriptions"]
        return found["TargetHealth"]["State"], found["TargetHealth"].get("Reason")

    def listed(self, arn: str) -> dict[str, str]:
        found = self.call("describe_target_health", TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {entry["Target"]["Id"]: entry["TargetHealth"]["State"] for entry in found}

    def candidates(self, zone: str) -> dict[str, str]:
        """Give who the node of a zone may choose on port 5000, and whether it would be reached."""
        (node,) = (node for node in self.elbv2.nodes(float) if node.zone == zone)
        return {c.target_id: c.verdict for each in node.listeners if each.port == 5000 for c in each.candidates}


def two_zones() -> Cloud:
    """Give a VPC with two subnets and one running instance in each."""
    compute = DictCompute(ingress={"sg-1": (tcp(22), tcp(5000), tcp(5001))})
    compute.add_subnet("subnet-1", A)
    compute.add_subnet("subnet-2", B)
    compute.add("i-a", A)
    compute.add("i-b", B)
    return Cloud(compute)


def balancer(cloud: Cloud, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"Name": "MGLB", "Type": "network", "Subnets": ["subnet-1", "subnet-2"]}
    return cloud.call("create_load_balancer", **asked | more)["LoadBalancers"][0]


def group(cloud: Cloud, **more: Any) -> str:
    asked = {"Name": "MGTG", "Protocol": "TCP", "Port": 5000, "VpcId": VPC, "HealthCheckPort": "5001"}
    return cloud.call("create_target_group", **asked | more)["TargetGroups"][0]["TargetGroupArn"]


def listen(cloud: Cloud, balancer_arn: str, group_arn: str, **more: Any) -> dict[str, Any]:
    action = {"Type": "forward", "TargetGroupArn": group_arn}
    asked = {"LoadBalancerArn": balancer_arn, "Protocol": "TCP", "Port": 5000, "DefaultActions": [action]}
    return cloud.call("create_listener", **asked | more)["Listeners"][0]


def lab(cloud: Cloud) -> tuple[str, str]:
    """Build steps 42-57: target group, balancer, listener. Give both ARNs."""
    group_arn = group(cloud)
    balancer_arn = balancer(cloud)["LoadBalancerArn"]
    listen(cloud, balancer_arn, group_arn)
    return balancer_arn, group_arn


def serving(cloud: Cloud) -> tuple[str, str]:
    """Build the lab with two healthy targets, one a zone."""
    balancer_arn, group_arn = lab(cloud)
    cloud.call("register_targets", TargetGroupArn=group_arn, Targets=[{"Id": "i-a"}, {"Id": "i-b"}])
    cloud.wait(300)
    cloud.probe(lambda target, zone: True)
    assert cloud.listed(group_arn) == {"i-a": "healthy", "i-b": "healthy"}
    return balancer_arn, group_arn
