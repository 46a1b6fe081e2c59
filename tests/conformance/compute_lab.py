"""A small network to launch instances in, and how a test looks at what it launched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.cloud_under_test import Cloud, eventually

PROJECT2 = "MusicGuru Project 2"
UNKNOWN = "0123456789abcdef0"
"""What follows the prefix of an id that nothing has."""


@dataclass(frozen=True)
class Ground:
    """A VPC with a gateway, two subnets, a security group and a key pair; and the image that one owns."""

    ec2: Any
    vpc_id: str
    subnet_ids: tuple[str, str]
    group_id: str
    key_name: str
    image_id: str

    def run(self, **more: Any) -> dict[str, Any]:
        """Launch one instance with a public address; give the answer's instance."""
        nic = {
            "DeviceIndex": 0,
            "SubnetId": self.subnet_ids[0],
            "AssociatePublicIpAddress": True,
            "Groups": [self.group_id],
        }
        asked = {"ImageId": self.image_id, "InstanceType": "t2.micro", "NetworkInterfaces": [nic], **more}
        (made,) = self.ec2.run_instances(MinCount=1, MaxCount=1, **asked)["Instances"]
        return dict(made)

    def look(self, instance_id: str) -> dict[str, Any]:
        """Describe an instance."""
        (found,) = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return dict(found["Instances"][0])

    def in_state(self, instance_id: str, state: str) -> dict[str, Any]:
        """Wait for a state; describe the instance in it."""

        def arrived() -> dict[str, Any] | None:
            seen = self.look(instance_id)
            return seen if seen["State"]["Name"] == state else None

        found = eventually(arrived, f"{instance_id} to be {state}")
        assert found is not None
        return found

    def running(self, **more: Any) -> dict[str, Any]:
        """Launch one instance and wait until it runs and has its public address."""
        instance_id = self.run(**more)["InstanceId"]
        self.in_state(instance_id, "running")
        return dict(eventually(lambda: self.addressed(instance_id), "a public address"))

    def addressed(self, instance_id: str) -> dict[str, Any]:
        """Describe an instance that has its public address; else nothing."""
        seen = self.look(instance_id)
        return seen if "PublicIpAddress" in seen else {}

    def end(self, *instance_ids: str) -> None:
        """Terminate instances and wait until they are."""
        self.ec2.terminate_instances(InstanceIds=list(instance_ids))
        for instance_id in instance_ids:
            self.in_state(instance_id, "terminated")


def ground_on(cloud: Cloud) -> Ground:
    """Make the network."""
    ec2 = cloud.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="192.168.0.0/23")["Vpc"]["VpcId"]
    subnet_ids = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"192.168.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("ab")
    ]
    gateway_id = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"]
    table_id = tables[0]["RouteTableId"]
    ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway_id)
    group_id = ec2.create_security_group(GroupName="compute", Description="of this test", VpcId=vpc_id)["GroupId"]
    ec2.create_key_pair(KeyName="ground")
    (image,) = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [PROJECT2]}])["Images"]
    return Ground(ec2, vpc_id, (subnet_ids[0], subnet_ids[1]), group_id, "ground", image["ImageId"])


def refused(call: Any, **params: Any) -> tuple[str, str]:
    """Give code and message of a call that must be refused."""
    with pytest.raises(ClientError) as error:
        call(**params)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def dry_run(call: Any, **params: Any) -> tuple[str, int]:
    """Give code and HTTP status of a call that is only tried."""
    with pytest.raises(ClientError) as error:
        call(DryRun=True, **params)
    said = error.value.response
    return said["Error"]["Code"], said["ResponseMetadata"]["HTTPStatusCode"]


def having(name: str, *values: str) -> list[dict[str, Any]]:
    """Write one filter."""
    return [{"Name": name, "Values": list(values)}]
