"""The ground that a group of a test stands on: a VPC with two subnets, a launch template, and short words for both.

A group that is to have no instances is made with sizes of zero, or with its launches suspended: what is said of it does
not need real machines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.cloud_under_test import Cloud, eventually

IMAGE = "ami-0a2023c1d2e3f4051"
ZONES = ("us-east-1a", "us-east-1b")


@dataclass(frozen=True)
class Ground:
    """What every group of a file shares, and the client that makes groups."""

    cloud: Cloud
    client: Any
    vpc_id: str
    subnets: tuple[str, str]
    template_id: str
    template_name: str

    def create(self, name: str, **changes: Any) -> None:
        """Make a group; without more words it has no instances."""
        settings: dict[str, Any] = {
            "AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 3, "VPCZoneIdentifier": ",".join(self.subnets),
            "LaunchTemplate": {"LaunchTemplateId": self.template_id, "Version": "$Latest"},
        }  # fmt: skip
        settings |= changes
        self.client.create_auto_scaling_group(**{key: value for key, value in settings.items() if value is not None})

    def group(self, name: str) -> dict[str, Any]:
        """Give a group as it is described."""
        (found,) = self.found(name)
        return dict(found)

    def members(self, name: str, state: str = "InService") -> list[dict[str, Any]]:
        """Give a group's members in a state."""
        return [each for each in self.group(name)["Instances"] if each["LifecycleState"] == state]

    def activities(self, name: str, **words: Any) -> list[dict[str, Any]]:
        """Give a group's history, the latest first."""
        return list(self.client.describe_scaling_activities(AutoScalingGroupName=name, **words)["Activities"])

    def in_service(self, name: str, count: int) -> list[str]:
        """Wait until so many members are in service and none is on its way; give their ids."""
        group = eventually(lambda: _settled(self.group(name), count), f"{count} members of {name}")
        return sorted(each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] == "InService")

    def delete(self, name: str) -> None:
        """Delete a group with all that it has, and wait until it is gone."""
        self.client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        eventually(lambda: not self.found(name), f"the end of {name}")

    def found(self, name: str) -> list[dict[str, Any]]:
        """Give the group of that name, if there is one."""
        return list(self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])


def lay(cloud: Cloud) -> Ground:
    """Make the ground in a cloud."""
    ec2 = cloud.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"192.168.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(ZONES)
    ]
    made = ec2.create_launch_template(
        LaunchTemplateName="conforming", LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t2.micro"}
    )["LaunchTemplate"]
    client = cloud.client("autoscaling")
    return Ground(cloud, client, vpc_id, (subnets[0], subnets[1]), made["LaunchTemplateId"], made["LaunchTemplateName"])


def refusal(call: Callable[..., Any], **words: Any) -> tuple[str, str]:
    """Give code and message of a call that must be refused."""
    with pytest.raises(ClientError) as refused:
        call(**words)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def _settled(group: dict[str, Any], count: int) -> dict[str, Any] | None:
    states = [each["LifecycleState"] for each in group["Instances"]]
    return group if states.count("InService") == count and not any(it.startswith("Pending") for it in states) else None
