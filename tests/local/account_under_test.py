"""An AWS account as its own lists show it, and what somebody else may have in it: seen and made with plain calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mglab.session import Lab
from mglab.steps import images, instances, scaling, teardown
from mglab.steps.ensure import having
from tests.local.cloud_under_test import eventually

LISTS = {
    "ec2": {
        "describe_vpcs": "Vpcs",
        "describe_subnets": "Subnets",
        "describe_internet_gateways": "InternetGateways",
        "describe_route_tables": "RouteTables",
        "describe_network_acls": "NetworkAcls",
        "describe_security_groups": "SecurityGroups",
        "describe_security_group_rules": "SecurityGroupRules",
        "describe_network_interfaces": "NetworkInterfaces",
        "describe_launch_templates": "LaunchTemplates",
        "describe_key_pairs": "KeyPairs",
        "describe_volumes": "Volumes",
        "describe_images": "Images",
        "describe_snapshots": "Snapshots",
    },
    "elbv2": {"describe_load_balancers": "LoadBalancers", "describe_target_groups": "TargetGroups"},
    "autoscaling": {"describe_auto_scaling_groups": "AutoScalingGroups", "describe_policies": "ScalingPolicies"},
    "cloudwatch": {"describe_alarms": "MetricAlarms"},
}


def account(lab: Lab) -> dict[str, list[str]]:
    """List all that the account holds, word for word; an instance that has ended is listed for an hour yet."""
    found = {
        operation: written(getattr(getattr(lab, service), operation)()[members])
        for service, operations in LISTS.items()
        for operation, members in operations.items()
    }
    alive = lab.ec2.describe_instances(Filters=having("instance-state-name", *instances.LISTED))["Reservations"]
    tags = [it for it in lab.ec2.describe_tags()["Tags"] if it["ResourceType"] != "instance"]
    return {**found, "describe_instances": written(alive), "describe_tags": written(tags)}


def how_many(lab: Lab) -> dict[str, int]:
    """Count what the account lists, kind by kind."""
    return {operation: len(answers) for operation, answers in account(lab).items()}


def inventory(lab: Lab) -> list[tuple[str, str, str]]:
    """List the run's resources without their states, which time changes."""
    return [(it.what, it.name, it.resource_id) for it in teardown.inventory(lab)]


def written(answers: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(it, sort_keys=True, default=str) for it in answers)


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> str:
    """Say what an account lists that it did not, and the other way round."""
    return "\n".join(
        f"{operation} {sign} {answer}"
        for operation in before
        for sign, one, other in (("+", after, before), ("-", before, after))
        for answer in one[operation]
        if answer not in other[operation]
    )


# -- what is somebody else's -----------------------------------------------------------------------------------


@contextmanager
def their_instance(lab: Lab, **request: Any) -> Iterator[instances.Instance]:
    """An instance that no run has made, in the default VPC if not told otherwise."""
    wanted = {"ImageId": images.project2_image(lab).image_id, "InstanceType": "t2.micro", **request}
    made = instances.read(lab.ec2.run_instances(MinCount=1, MaxCount=1, **wanted)["Instances"][0])
    eventually(lambda: state_of(lab, made.instance_id) == "running")
    try:
        yield made
    finally:
        lab.ec2.terminate_instances(InstanceIds=[made.instance_id])
        eventually(lambda: state_of(lab, made.instance_id) == "terminated")


def state_of(lab: Lab, instance_id: str) -> str:
    """Say an instance's state."""
    found = instances.instance(lab, instance_id)
    return found.state if found else "gone"


@contextmanager
def their_key_pair(lab: Lab) -> Iterator[None]:
    """A key pair of the lab's name."""
    lab.ec2.create_key_pair(KeyName=lab.config.key_name)
    try:
        yield
    finally:
        lab.ec2.delete_key_pair(KeyName=lab.config.key_name)


@contextmanager
def their_template(lab: Lab, name: str = "") -> Iterator[None]:
    """A launch template, of the lab's name if not told another."""
    told = name or lab.config.launch_template_name
    data = {"ImageId": images.project2_image(lab).image_id, "InstanceType": "t2.micro"}
    lab.ec2.create_launch_template(LaunchTemplateName=told, LaunchTemplateData=data)
    try:
        yield
    finally:
        lab.ec2.delete_launch_template(LaunchTemplateName=told)


@contextmanager
def their_target_group(lab: Lab) -> Iterator[None]:
    """A target group of the lab's name in the default VPC."""
    vpc_id, _ = images.default_subnet(lab)
    request = {"Name": lab.config.target_group_name, "Protocol": "TCP", "Port": 5000, "VpcId": vpc_id}
    arn = lab.elbv2.create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"]
    try:
        yield
    finally:
        lab.elbv2.delete_target_group(TargetGroupArn=arn)


@contextmanager
def their_load_balancer(lab: Lab) -> Iterator[None]:
    """An active load balancer of the lab's name in the default VPC."""
    _, subnet_id = images.default_subnet(lab)
    request = {"Name": lab.config.load_balancer_name, "Type": "network", "Subnets": [subnet_id]}
    arn = lab.elbv2.create_load_balancer(**request)["LoadBalancers"][0]["LoadBalancerArn"]
    eventually(lambda: lab.elbv2.describe_load_balancers()["LoadBalancers"][0]["State"]["Code"] == "active")
    try:
        yield
    finally:
        lab.elbv2.delete_load_balancer(LoadBalancerArn=arn)


@contextmanager
def their_group(lab: Lab) -> Iterator[None]:
    """An Auto Scaling group of our name that tracks a target, so that its alarms have our alarms' names too."""
    _, subnet_id = images.default_subnet(lab)
    with their_template(lab, "theirs"):
        lab.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=lab.config.group_name, MinSize=0, MaxSize=0, VPCZoneIdentifier=subnet_id,
            LaunchTemplate={"LaunchTemplateName": "theirs", "Version": "$Latest"},
        )  # fmt: skip
        lab.autoscaling.put_scaling_policy(**scaling.target_tracking_request(lab.config))
        try:
            yield
        finally:
            lab.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=lab.config.group_name, ForceDelete=True)
            eventually(lambda: not lab.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"])


THEIRS: dict[str, Callable[[Lab], AbstractContextManager[None]]] = {
    "key_name": their_key_pair,
    "launch_template_name": their_template,
    "target_group_name": their_target_group,
    "load_balancer_name": their_load_balancer,
    "group_name": their_group,
}
"""Parameter with a name that must be unique in a region -> what has it already."""
