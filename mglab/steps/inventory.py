"""What a run, or any run, has in the account: every kind of resource the lab makes, found by its tag.

The ledger is not asked: teardown must work when it is lost, and an orphan is just what no ledger tells of.
Only what carries ``mglab:run`` is ever listed. One kind has no tag of its own and goes by its owner's name:
the alarms that target tracking makes, which go with their group. (Listeners go with their load balancer,
route-table associations with their subnet: aws-facts 1.1, 3.5.)

``LISTINGS`` is in the order in which the kinds can be removed (aws-facts 3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mglab.config import RUN_TAG
from mglab.display import column
from mglab.session import Lab
from mglab.steps.ensure import Record, Records, having, tag

ARNS_A_CALL = 20  # DescribeTags of elbv2 takes no more


@dataclass(frozen=True)
class Found(Record):
    """A resource that carries a run's tag."""

    what: str = field(metadata=column("Resource"))
    name: str = field(metadata=column("Name"))
    resource_id: str = field(metadata=column("ID", "id"))
    state: str = field(metadata=column("State", "status"))
    run: str = field(metadata=column("Run"))


def everything(lab: Lab, run: str | None = None) -> Records[Found]:
    """List what carries the run's tag (any run's, if not told), in the order of removal."""
    return Records(found for what in LISTINGS for found in of_kind(lab, what, run))


def of_kind(lab: Lab, what: str, run: str | None = None) -> Records[Found]:
    """List one kind of resource that carries the run's tag (any run's, if not told)."""
    return Records(found for found in LISTINGS[what](lab) if found.run and run in (None, found.run))


def interfaces_of(lab: Lab, load_balancer_arn: str) -> list[str]:
    """Give the network interfaces that AWS made for a load balancer; they outlive it by minutes (aws-facts 1.1)."""
    described = having("description", f"ELB {load_balancer_arn.split(':loadbalancer/')[-1]}")
    answer = lab.ec2.describe_network_interfaces(Filters=described)
    return [it["NetworkInterfaceId"] for it in answer["NetworkInterfaces"]]


def _groups(lab: Lab) -> Iterator[Found]:
    for page in lab.autoscaling.get_paginator("describe_auto_scaling_groups").paginate():
        for it in page["AutoScalingGroups"]:
            name = it["AutoScalingGroupName"]
            yield Found("auto-scaling-group", name, name, it.get("Status", ""), tag(it.get("Tags"), RUN_TAG))


def _alarms(lab: Lab) -> Iterator[Found]:
    """List the target-tracking alarms of the run's group name, unless somebody else's group has that name."""
    name = lab.config.group_name
    owners = {it.run for it in _groups(lab) if it.name == name}
    if owners and owners != {lab.run}:
        return
    for page in lab.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"TargetTracking-{name}-"):
        for it in page["MetricAlarms"]:
            yield Found("alarm", it["AlarmName"], it["AlarmName"], it["StateValue"], lab.run)


def _load_balancers(lab: Lab) -> Iterator[Found]:
    pages = lab.elbv2.get_paginator("describe_load_balancers").paginate()
    found = {it["LoadBalancerArn"]: it for page in pages for it in page["LoadBalancers"]}
    runs = _runs_of(lab, list(found))
    for arn, it in found.items():
        yield Found("load-balancer", it["LoadBalancerName"], arn, it["State"]["Code"], runs.get(arn, ""))


def _target_groups(lab: Lab) -> Iterator[Found]:
    pages = lab.elbv2.get_paginator("describe_target_groups").paginate()
    found = {it["TargetGroupArn"]: it for page in pages for it in page["TargetGroups"]}
    runs = _runs_of(lab, list(found))
    for arn, it in found.items():
        yield Found("target-group", it["TargetGroupName"], arn, "", runs.get(arn, ""))


def _runs_of(lab: Lab, arns: Sequence[str]) -> dict[str, str]:
    """Map load balancers or target groups to the run in their tag."""
    runs = {}
    for start in range(0, len(arns), ARNS_A_CALL):
        answer = lab.elbv2.describe_tags(ResourceArns=list(arns[start : start + ARNS_A_CALL]))
        runs.update({it["ResourceArn"]: tag(it["Tags"], RUN_TAG) for it in answer["TagDescriptions"]})
    return runs


def _instances(lab: Lab) -> Iterator[Found]:
    for page in lab.ec2.get_paginator("describe_instances").paginate(Filters=having("tag-key", RUN_TAG)):
        for it in (it for reservation in page["Reservations"] for it in reservation["Instances"]):
            if it["State"]["Name"] != "terminated":
                yield _tagged("instance", it, "InstanceId", it["State"]["Name"])


def _key_pairs(lab: Lab) -> Iterator[Found]:
    for it in lab.ec2.describe_key_pairs(Filters=having("tag-key", RUN_TAG))["KeyPairs"]:
        yield Found("key-pair", it["KeyName"], it["KeyPairId"], "", tag(it.get("Tags"), RUN_TAG))


def _in_ec2(what: str, operation: str, members: str, id_field: str, state_field: str = "State") -> Any:
    """Make the listing of a kind that EC2 filters by tag key."""

    def listing(lab: Lab) -> Iterator[Found]:
        arguments: dict[str, Any] = {"Filters": having("tag-key", RUN_TAG)}
        if operation in ("describe_images", "describe_snapshots"):
            arguments["Owners" if operation == "describe_images" else "OwnerIds"] = ["self"]
        for it in getattr(lab.ec2, operation)(**arguments)[members]:
            yield _tagged(what, it, id_field, str(it.get(state_field, "")))

    return listing


def _tagged(what: str, answer: dict[str, Any], id_field: str, state: str) -> Found:
    pairs = answer.get("Tags")
    return Found(what, tag(pairs, "Name"), answer[id_field], state, tag(pairs, RUN_TAG))


LISTINGS: dict[str, Callable[[Lab], Iterator[Found]]] = {
    "auto-scaling-group": _groups,
    "alarm": _alarms,
    "load-balancer": _load_balancers,
    "target-group": _target_groups,
    "launch-template": _in_ec2("launch-template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    "instance": _instances,
    "volume": _in_ec2("volume", "describe_volumes", "Volumes", "VolumeId"),
    "security-group": _in_ec2("security-group", "describe_security_groups", "SecurityGroups", "GroupId"),
    "internet-gateway": _in_ec2(
        "internet-gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"
    ),
    "subnet": _in_ec2("subnet", "describe_subnets", "Subnets", "SubnetId"),
    "vpc": _in_ec2("vpc", "describe_vpcs", "Vpcs", "VpcId"),
    "image": _in_ec2("image", "describe_images", "Images", "ImageId"),
    "snapshot": _in_ec2("snapshot", "describe_snapshots", "Snapshots", "SnapshotId"),
    "key-pair": _key_pairs,
}
