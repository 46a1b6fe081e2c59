"""Target group, load balancer and listener: steps 42-57, and the targets' health of step 83.

The target group says where traffic goes and how life is proved: TCP on the service port, checked by TCP on
the health port (an override). The network load balancer has one node a zone; it is ``provisioning`` for
minutes. The listener joins the two; a target group that no listener uses checks nothing and its targets
are ``unused`` (aws-facts 1.6). Names are unique in a region, and a name that is taken is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mglab import waits
from mglab.config import Config
from mglab.display import column
from mglab.errors import NotFound
from mglab.session import Lab
from mglab.steps.ensure import Record, Records, demand, details, ensure, having, only, refuse_foreign, tags
from mglab.steps.instances import Instance, described, summary
from mglab.steps.network import Subnet, Vpc

NOTEBOOK = "05_load_balancer"
ACTIVE_TIMEOUT_S = 900.0
HEALTHY_TIMEOUT_S = 1200.0
CROSS_ZONE = "load_balancing.cross_zone.enabled"
LOOK_EVERY_S = 10.0


@dataclass(frozen=True)
class TargetGroup(Record):
    """Where traffic goes, and how a target proves that it lives."""

    name: str = field(metadata=column("Name"))
    arn: str = field(metadata=column("ARN", "arn"))
    target_type: str = field(metadata=column("Target type"))
    protocol_port: str = field(metadata=column("Protocol : Port"))
    vpc_id: str = field(metadata=column("VPC", "id"))
    health_check: str = field(metadata=column("Health check"))
    interval_s: int = field(metadata=column("Interval (s)", "number"))
    timeout_s: int = field(metadata=column("Timeout (s)", "number"))
    healthy_threshold: int = field(metadata=column("Healthy after", "number"))
    unhealthy_threshold: int = field(metadata=column("Unhealthy after", "number"))
    load_balancers: str = field(metadata=column("Load balancer"))


@dataclass(frozen=True)
class LoadBalancer(Record):
    """A network load balancer."""

    name: str = field(metadata=column("Name"))
    state: str = field(metadata=column("State", "status"))
    dns_name: str = field(metadata=column("DNS name"))
    scheme: str = field(metadata=column("Scheme"))
    vpc_id: str = field(metadata=column("VPC", "id"))
    zones: str = field(metadata=column("Availability Zones"))
    arn: str = field(metadata=column("ARN", "arn"))


@dataclass(frozen=True)
class Listener(Record):
    """A port of the load balancer, and the target group it forwards to."""

    protocol_port: str = field(metadata=column("Listener"))
    forwards_to: str = field(metadata=column("Forward to", "arn"))
    arn: str = field(metadata=column("ARN", "arn"))


@dataclass(frozen=True)
class TargetHealth(Record):
    """A registered target as its load balancer sees it."""

    name: str = field(metadata=column("Name"))
    instance_id: str = field(metadata=column("Instance ID", "id"))
    port: int = field(metadata=column("Port", "number"))
    zone: str = field(metadata=column("Zone"))
    private_address: str = field(metadata=column("Private IPv4", "address"))
    public_address: str = field(metadata=column("Public IPv4", "address"))
    state: str = field(metadata=column("Health status", "status"))
    reason: str = field(metadata=column("Reason"))
    description: str = field(metadata=column("Description"))
    health_port: str = field(metadata=column("Health check port", "number"))


# -- requests ----------------------------------------------------------------------------------------------


def target_group_request(config: Config, run: str, vpc_id: str) -> dict[str, Any]:
    """Say what CreateTargetGroup is asked (steps 45-46); intervals and thresholds stay AWS's."""
    return {
        "Name": config.target_group_name,
        "TargetType": "instance",
        "Protocol": "TCP",
        "Port": config.service_port,
        "VpcId": vpc_id,
        "HealthCheckProtocol": "TCP",
        "HealthCheckPort": str(config.health_port),
        "Tags": tags(run, config.target_group_name),
    }


def load_balancer_request(config: Config, run: str, subnet_ids: list[str]) -> dict[str, Any]:
    """Say what CreateLoadBalancer is asked (steps 51-54); without ``Type`` it would be an application one."""
    return {
        "Name": config.load_balancer_name,
        "Type": "network",
        "Scheme": "internet-facing",
        "IpAddressType": "ipv4",
        "Subnets": subnet_ids,
        "Tags": tags(run, config.load_balancer_name),
    }


def listener_request(config: Config, run: str, load_balancer_arn: str, target_group_arn: str) -> dict[str, Any]:
    """Say what CreateListener is asked (step 55)."""
    return {
        "LoadBalancerArn": load_balancer_arn,
        "Protocol": "TCP",
        "Port": config.service_port,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": target_group_arn}],
        "Tags": tags(run, f"{config.load_balancer_name}:{config.service_port}"),
    }


def cross_zone_attribute(on: bool) -> dict[str, str]:
    """Say which attribute ModifyLoadBalancerAttributes is asked to set; a target group's own would override it."""
    return {"Key": CROSS_ZONE, "Value": "true" if on else "false"}


# -- buttons -----------------------------------------------------------------------------------------------


def create_target_group(lab: Lab, vpc: Vpc) -> TargetGroup:
    """Create the target group: TCP to the service port, checked on the health port (steps 43-48)."""
    request = target_group_request(lab.config, lab.run, vpc.vpc_id)
    return ensure(
        lab,
        step="43-48",
        what="target-group",
        key=lab.config.target_group_name,
        by_id=lambda known: _only_arn(_target_group(lab), known),
        by_tag=lambda: _target_group(lab),
        create=lambda: _read_target_group(lab.elbv2.create_target_group(**request)["TargetGroups"][0]),
        identify=lambda made: made.arn,
    )


def create_load_balancer(lab: Lab, subnets: Records[Subnet]) -> LoadBalancer:
    """Create the network load balancer with a node in each subnet; it is provisioning at first (steps 49-57)."""
    request = load_balancer_request(lab.config, lab.run, [subnet.subnet_id for subnet in subnets])
    return ensure(
        lab,
        step="49-57",
        what="load-balancer",
        key=lab.config.load_balancer_name,
        by_id=lambda known: _only_arn(_load_balancer(lab), known),
        by_tag=lambda: _load_balancer(lab),
        create=lambda: _read_load_balancer(lab.elbv2.create_load_balancer(**request)["LoadBalancers"][0]),
        identify=lambda made: made.arn,
    )


def create_listener(lab: Lab, load_balancer: LoadBalancer, target_group: TargetGroup) -> Listener:
    """Forward the service port to the target group (step 55)."""
    request = listener_request(lab.config, lab.run, load_balancer.arn, target_group.arn)
    return ensure(
        lab,
        step="55",
        what="listener",
        key=f"{lab.config.load_balancer_name}:{lab.config.service_port}",
        by_id=lambda known: _only_arn(_listener(lab, load_balancer), known),
        by_tag=lambda: _listener(lab, load_balancer),
        create=lambda: _read_listener(lab.elbv2.create_listener(**request)["Listeners"][0]),
        identify=lambda made: made.arn,
    )


def wait_active(lab: Lab, *, timeout_s: float = ACTIVE_TIMEOUT_S) -> waits.Wait:
    """Wait until the load balancer has left ``provisioning`` (step 57 does not; a test of it must)."""
    return waits.until(
        lab,
        look=lambda: load_balancer(lab).state,
        is_done=lambda state: state == "active",
        is_failed=lambda state: state == "failed",
        what=f"load balancer {lab.config.load_balancer_name}",
        timeout_s=timeout_s,
        interval_s=LOOK_EVERY_S,
    )


def wait_healthy(lab: Lab, count: int | None = None, *, timeout_s: float = HEALTHY_TIMEOUT_S) -> waits.Wait:
    """Wait until so many targets are healthy; as many as the group desires, if not told."""
    wanted = lab.config.desired if count is None else count
    return waits.until(
        lab,
        look=lambda: _states(target_health(lab)),
        is_done=lambda states: states.count("healthy") >= wanted,
        what=f"targets of {lab.config.target_group_name} ({wanted} healthy)",
        timeout_s=timeout_s,
        interval_s=LOOK_EVERY_S,
    )


def set_health_check(lab: Lab, *, interval_s: int, timeout_s: int, healthy_threshold: int) -> TargetGroup:
    """Change how targets are checked (aws-facts 1.5: allowed at any time, the time-out at most the interval)."""
    before = target_group(lab)
    changed = {
        "HealthCheckIntervalSeconds": interval_s,
        "HealthCheckTimeoutSeconds": timeout_s,
        "HealthyThresholdCount": healthy_threshold,
    }
    lab.elbv2.modify_target_group(TargetGroupArn=before.arn, **changed)
    after = target_group(lab)
    lab.ledger.note("86", "target-group", id=after.arn, key=after.name, changes=changed, **details(after))
    return after


def set_cross_zone(lab: Lab, on: bool) -> None:
    """Let every node send to the targets of all zones, or only to its own zone's, as by default (Question 1).

    The answer comes at once; the nodes may go on as before for more than a minute (aws-facts 1.5).
    """
    found = load_balancer(lab)
    lab.elbv2.modify_load_balancer_attributes(LoadBalancerArn=found.arn, Attributes=[cross_zone_attribute(on)])
    lab.ledger.note("Question 1", "load-balancer", key=found.name, id=found.arn, did=f"cross-zone {_on_or_off(on)}")


def deregister(lab: Lab, instance_id: str) -> None:
    """Take one target off in good order: no new connections, those that are open go on (step 85)."""
    _change_target(lab, instance_id, lab.elbv2.deregister_targets, "deregistered")


def register(lab: Lab, instance_id: str) -> None:
    """Register an instance with the target group by hand; its group does not do it a second time (step 85)."""
    _change_target(lab, instance_id, lab.elbv2.register_targets, "registered")


def _change_target(lab: Lab, instance_id: str, change: Callable[..., object], did: str) -> None:
    arn = target_group(lab).arn
    change(TargetGroupArn=arn, Targets=[{"Id": instance_id}])
    lab.ledger.note("85", "target", key=instance_id, id=arn, did=did)


# -- what is there -----------------------------------------------------------------------------------------


def target_group(lab: Lab) -> TargetGroup:
    """Find the run's target group."""
    return demand(_target_group(lab), f"target group {lab.config.target_group_name}", NOTEBOOK)


def load_balancer(lab: Lab) -> LoadBalancer:
    """Find the run's load balancer (steps 79-80)."""
    return demand(_load_balancer(lab), f"load balancer {lab.config.load_balancer_name}", NOTEBOOK)


def listener(lab: Lab) -> Listener:
    """Find the listener on the service port."""
    found = _listener(lab, load_balancer(lab))
    return demand(found, f"listener on port {lab.config.service_port}", NOTEBOOK)


def crosses_zones(lab: Lab) -> bool:
    """Say whether the load balancer's attribute lets its nodes send to the targets of all zones."""
    answer = lab.elbv2.describe_load_balancer_attributes(LoadBalancerArn=load_balancer(lab).arn)
    return cross_zone_attribute(True) in answer["Attributes"]


def target_health(lab: Lab) -> Records[TargetHealth]:
    """List the registered targets with their health and their instances' names and addresses (step 83)."""
    answer = lab.elbv2.describe_target_health(TargetGroupArn=target_group(lab).arn)["TargetHealthDescriptions"]
    ids = [it["Target"]["Id"] for it in answer]
    known = {it.instance_id: it for it in described(lab, having("instance-id", *ids))} if ids else {}
    found = (_read_health(it, known.get(it["Target"]["Id"])) for it in answer)
    return Records(sorted(found, key=lambda it: (it.zone, it.instance_id)))


# -- reading AWS's answers ---------------------------------------------------------------------------------


def _on_or_off(on: bool) -> str:
    return "on" if on else "off"


class _States(tuple[str, ...]):
    """Target states that read as a summary: ``1 initial, 1 healthy``."""

    __slots__ = ()

    def __str__(self) -> str:
        return summary(self) or "no targets"


def _states(health: Records[TargetHealth]) -> _States:
    return _States(it.state for it in health)


def _target_group(lab: Lab) -> TargetGroup | None:
    name = lab.config.target_group_name
    try:
        answer = lab.elbv2.describe_target_groups(Names=[name])["TargetGroups"][0]
    except NotFound:
        return None
    refuse_foreign(lab, "target group", name, _tags_of(lab, answer["TargetGroupArn"]), "target_group_name")
    return _read_target_group(answer)


def _load_balancer(lab: Lab) -> LoadBalancer | None:
    name = lab.config.load_balancer_name
    try:
        answer = lab.elbv2.describe_load_balancers(Names=[name])["LoadBalancers"][0]
    except NotFound:
        return None
    refuse_foreign(lab, "load balancer", name, _tags_of(lab, answer["LoadBalancerArn"]), "load_balancer_name")
    return _read_load_balancer(answer)


def _listener(lab: Lab, owner: LoadBalancer) -> Listener | None:
    found = lab.elbv2.describe_listeners(LoadBalancerArn=owner.arn)["Listeners"]
    return only(map(_read_listener, (it for it in found if it["Port"] == lab.config.service_port)))


def _tags_of(lab: Lab, arn: str) -> list[dict[str, Any]]:
    return list(lab.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def _only_arn(found: Any, known: str) -> Any:
    return found if found and found.arn == known else None


def _read_target_group(answer: dict[str, Any]) -> TargetGroup:
    return TargetGroup(
        name=answer["TargetGroupName"],
        arn=answer["TargetGroupArn"],
        target_type=answer.get("TargetType", ""),
        protocol_port=f"{answer['Protocol']} : {answer['Port']}",
        vpc_id=answer.get("VpcId", ""),
        health_check=f"{answer['HealthCheckProtocol']} : {answer['HealthCheckPort']}",
        interval_s=answer["HealthCheckIntervalSeconds"],
        timeout_s=answer["HealthCheckTimeoutSeconds"],
        healthy_threshold=answer["HealthyThresholdCount"],
        unhealthy_threshold=answer["UnhealthyThresholdCount"],
        load_balancers=", ".join(_name_in(arn) for arn in answer.get("LoadBalancerArns") or ()),
    )


def _name_in(load_balancer_arn: str) -> str:
    """Read the name in a load balancer's ARN: ``...:loadbalancer/net/MGLB/fea3c292d7c800c3``."""
    return load_balancer_arn.split("/")[-2] if load_balancer_arn.count("/") >= 2 else load_balancer_arn


def _read_load_balancer(answer: dict[str, Any]) -> LoadBalancer:
    placed = sorted(answer["AvailabilityZones"], key=lambda it: str(it["ZoneName"]))
    return LoadBalancer(
        name=answer["LoadBalancerName"],
        state=answer["State"]["Code"],
        dns_name=answer["DNSName"],
        scheme=answer["Scheme"],
        vpc_id=answer["VpcId"],
        zones=", ".join(f"{it['ZoneName']} ({it['SubnetId']})" for it in placed),
        arn=answer["LoadBalancerArn"],
    )


def _read_listener(answer: dict[str, Any]) -> Listener:
    action = (answer.get("DefaultActions") or [{}])[0]
    return Listener(
        protocol_port=f"{answer['Protocol']} : {answer['Port']}",
        forwards_to=action.get("TargetGroupArn", ""),
        arn=answer["ListenerArn"],
    )


def _read_health(answer: dict[str, Any], known: Instance | None) -> TargetHealth:
    health = answer["TargetHealth"]
    return TargetHealth(
        name=known.name if known else "",
        instance_id=answer["Target"]["Id"],
        port=answer["Target"].get("Port", 0),
        zone=known.zone if known else answer["Target"].get("AvailabilityZone", ""),
        private_address=known.private_address if known else "",
        public_address=known.public_address if known else "",
        state=health["State"],
        reason=health.get("Reason", ""),
        description=health.get("Description", ""),
        health_port=answer.get("HealthCheckPort", ""),
    )
