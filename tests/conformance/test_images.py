"""Images and their snapshots, as a client reads them (aws-facts 3.2, 3.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.compute_lab import PROJECT2, UNKNOWN, Ground, dry_run, ground_on, having, refused
from tests.local.cloud_under_test import Cloud, eventually

WAITER = {"Delay": 0.05, "MaxAttempts": 1200}
AMAZON = "137112412989"


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return ground_on(cloud)


@pytest.fixture(scope="module")
def server(ground: Ground) -> Iterator[dict[str, Any]]:
    """A running instance to make images of."""
    found = ground.running()
    yield found
    ground.end(found["InstanceId"])


@pytest.fixture(scope="module")
def image(ground: Ground, server: dict[str, Any]) -> dict[str, Any]:
    """An image of it, available, that no test changes for good."""
    made = ground.ec2.create_image(
        InstanceId=server["InstanceId"],
        Name="read-back",
        Description="made by a test",
        NoReboot=True,
        TagSpecifications=[
            {"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}]} for kind in ("image", "snapshot")
        ],
    )
    ground.ec2.get_waiter("image_available").wait(ImageIds=[made["ImageId"]], WaiterConfig=WAITER)
    return described(ground, made["ImageId"])


def described(ground: Ground, image_id: str) -> dict[str, Any]:
    (found,) = ground.ec2.describe_images(ImageIds=[image_id])["Images"]
    return dict(found)


def snapshot_of(image: dict[str, Any]) -> str:
    return str(image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])


def boots(ground: Ground, instance_id: str) -> int:
    """Say which boot an instance is at, by what it says on its console."""
    said = ground.ec2.get_console_output(InstanceId=instance_id, Latest=True)["Output"]
    return max(map(int, re.findall(r", boot (\d+)$", said, re.MULTILINE)), default=0)


@pytest.mark.fact("3.2/reboots", "3.2/states", "3.2/waiter", "3.2/snapshot")
def test_an_image_is_pending_then_available_with_its_snapshot(ground: Ground, server: dict[str, Any]) -> None:
    ec2, instance_id = ground.ec2, server["InstanceId"]
    before = eventually(lambda: boots(ground, instance_id), "its first boot")
    image_id = ec2.create_image(InstanceId=instance_id, Name="reboots")["ImageId"]
    assert ground.look(instance_id)["State"]["Name"] == "running", "its state says nothing of the reboot"
    seen: list[tuple[str, str]] = []

    def available() -> bool:
        shown = described(ground, image_id)
        (snapshot,) = ec2.describe_snapshots(SnapshotIds=[snapshot_of(shown)])["Snapshots"]
        pair = (shown["State"], snapshot["State"])
        seen.extend([pair] if pair not in seen else [])
        return pair == ("available", "completed")

    eventually(available, "an available image")
    assert set(seen) <= {("pending", "pending"), ("pending", "completed"), ("available", "completed")}
    snapshot_id = snapshot_of(described(ground, image_id))
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot_id], WaiterConfig=WAITER)
    eventually(lambda: boots(ground, instance_id) == before + 1, "it to be booted again")
    after = ground.look(instance_id)
    assert (after["PublicIpAddress"], after["LaunchTime"]) == (server["PublicIpAddress"], server["LaunchTime"])
    ec2.deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)


@pytest.mark.fact("3.2/defaults")
def test_every_member_of_an_image_is_there(ground: Ground, image: dict[str, Any], server: dict[str, Any]) -> None:
    plain = {
        "Architecture": "x86_64",
        "BootMode": "uefi-preferred",
        "Description": "made by a test",
        "EnaSupport": True,
        "Hypervisor": "xen",
        "ImageLocation": "000000000000/read-back",
        "ImageType": "machine",
        "ImdsSupport": "v2.0",
        "Name": "read-back",
        "OwnerId": "000000000000",
        "PlatformDetails": "Linux/UNIX",
        "Public": False,
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "SourceImageId": ground.image_id,
        "SourceImageRegion": "us-east-1",
        "SourceInstanceId": server["InstanceId"],
        "SriovNetSupport": "simple",
        "State": "available",
        "Tags": [{"Key": "of", "Value": "image"}],
        "UsageOperation": "RunInstances",
        "VirtualizationType": "hvm",
    }
    assert {name: image.get(name) for name in plain} == plain
    (device,) = image["BlockDeviceMappings"]
    assert device["DeviceName"] == "/dev/xvda"
    assert {k: v for k, v in device["Ebs"].items() if k != "SnapshotId"} == {
        "DeleteOnTermination": True,
        "VolumeSize": 8,
        "VolumeType": "gp3",
        "Iops": 3000,
        "Throughput": 125,
        "Encrypted": False,
    }
    (snapshot,) = ground.ec2.describe_snapshots(SnapshotIds=[snapshot_of(image)])["Snapshots"]
    plain = {
        "Description": f"Created by CreateImage({server['InstanceId']}) for {image['ImageId']}",
        "Encrypted": False,
        "OwnerId": "000000000000",
        "Progress": "100%",
        "State": "completed",
        "StorageTier": "standard",
        "Tags": [{"Key": "of", "Value": "snapshot"}],
        "VolumeId": server["BlockDeviceMappings"][0]["Ebs"]["VolumeId"],
        "VolumeSize": 8,
    }
    assert {name: snapshot.get(name) for name in plain} == plain


@pytest.mark.fact("3.2/attributes")
def test_attributes_of_an_image_are_read_and_changed(ground: Ground, image: dict[str, Any], aws: Aws) -> None:
    ec2, image_id = ground.ec2, image["ImageId"]
    permissions = ec2.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
    assert permissions["LaunchPermissions"] == []
    ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": [{"Group": "all"}]})
    assert described(ground, image_id)["Public"] is True
    ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Remove": [{"Group": "all"}]})
    assert described(ground, image_id)["Public"] is False
    ec2.modify_image_attribute(ImageId=image_id, Description={"Value": "changed"})
    said = aws("ec2", "describe-image-attribute", "--image-id", image_id, "--attribute", "description")
    assert said["Description"] == {"Value": "changed"}
    ec2.modify_image_attribute(ImageId=image_id, Description={"Value": "made by a test"})
    devices = ec2.describe_image_attribute(ImageId=image_id, Attribute="blockDeviceMapping")["BlockDeviceMappings"]
    assert devices == image["BlockDeviceMappings"]
    assert refused(ec2.modify_image_attribute, ImageId=image_id)[0] == "InvalidParameterCombination"


@pytest.mark.fact("3.2/names")
def test_a_name_is_well_formed_and_ones_own_only_once(ground: Ground, image: dict[str, Any], aws: Aws) -> None:
    ec2, instance_id = ground.ec2, image["SourceInstanceId"]
    code, message = refused(ec2.create_image, InstanceId=instance_id, Name="read-back")
    assert (code, message) == (
        "InvalidAMIName.Duplicate",
        f"AMI name read-back is already in use by AMI {image['ImageId']}",
    )
    for name in ("no!", "what?", "x" * 129):
        code, message = refused(ec2.create_image, InstanceId=instance_id, Name=name)
        assert code == "InvalidAMIName.Malformed"
        assert message.startswith("AMI names must be between 3 and 128 characters long")
    said = aws.refused("ec2", "create-image", "--instance-id", f"i-{UNKNOWN}", "--name", "of nothing")
    assert "(InvalidInstanceID.NotFound)" in said
    assert dry_run(ec2.create_image, InstanceId=instance_id, Name="only tried") == ("DryRunOperation", 412)
    smaller = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]
    asked = {"InstanceId": instance_id, "Name": "too small", "BlockDeviceMappings": smaller}
    assert refused(ec2.create_image, **asked)[0] == "InvalidBlockDeviceMapping"
    assert ec2.describe_images(Filters=having("name", "only tried"))["Images"] == []


@pytest.mark.fact("3.2/deregistered")
def test_an_image_that_an_instance_names_is_not_unknown(ground: Ground, server: dict[str, Any]) -> None:
    ec2 = ground.ec2
    image_id = ec2.create_image(InstanceId=server["InstanceId"], Name="named", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image_id], WaiterConfig=WAITER)
    made = ground.run(ImageId=image_id)
    ground.in_state(made["InstanceId"], "running")
    ec2.deregister_image(ImageId=image_id)
    assert ec2.describe_images(ImageIds=[image_id])["Images"] == [], "an instance still names it"
    ground.end(made["InstanceId"])
    assert refused(ec2.describe_images, ImageIds=[image_id])[0] == "InvalidAMIID.NotFound"


@pytest.mark.fact("3.2/reboots")
def test_no_reboot_leaves_the_instance_alone(ground: Ground, server: dict[str, Any], image: dict[str, Any]) -> None:
    before = eventually(lambda: boots(ground, server["InstanceId"]))
    image_id = ground.ec2.create_image(InstanceId=server["InstanceId"], Name="left alone", NoReboot=True)["ImageId"]
    ground.ec2.get_waiter("image_available").wait(ImageIds=[image_id], WaiterConfig=WAITER)
    assert boots(ground, server["InstanceId"]) == before
    ground.ec2.deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)


@pytest.mark.fact("3.2/snapshot-stays", "3.2/snapshot-in-use", "3.7/21")
def test_deregistering_keeps_the_snapshot(ground: Ground, server: dict[str, Any], aws: Aws) -> None:
    ec2 = ground.ec2
    image_id = ec2.create_image(InstanceId=server["InstanceId"], Name="to go", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image_id], WaiterConfig=WAITER)
    snapshot_id = snapshot_of(described(ground, image_id))
    said = aws.refused("ec2", "delete-snapshot", "--snapshot-id", snapshot_id)
    assert "(InvalidSnapshot.InUse)" in said
    assert said.endswith(f"The snapshot {snapshot_id} is currently in use by {image_id}")
    assert dry_run(ec2.deregister_image, ImageId=image_id) == ("DryRunOperation", 412)
    ec2.deregister_image(ImageId=image_id)
    unknown = ("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    assert refused(ec2.describe_images, ImageIds=[image_id]) == unknown
    assert ec2.describe_images(Filters=having("image-id", image_id))["Images"] == []
    assert refused(ec2.deregister_image, ImageId=image_id)[0] == "InvalidAMIID.Unavailable"
    (left,) = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert left["State"] == "completed"
    ec2.delete_snapshot(SnapshotId=snapshot_id)
    gone = refused(ec2.describe_snapshots, SnapshotIds=[snapshot_id])
    assert gone == ("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


@pytest.mark.fact("3.2/snapshot-stays")
def test_a_snapshot_may_go_with_its_image(ground: Ground, server: dict[str, Any]) -> None:
    ec2 = ground.ec2
    image_id = ec2.create_image(InstanceId=server["InstanceId"], Name="goes", NoReboot=True)["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image_id], WaiterConfig=WAITER)
    snapshot_id = snapshot_of(described(ground, image_id))
    answer = ec2.deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [{"SnapshotId": snapshot_id, "ReturnCode": "success"}]
    assert refused(ec2.describe_snapshots, SnapshotIds=[snapshot_id])[0] == "InvalidSnapshot.NotFound"


@pytest.mark.fact("3.2/lists")
def test_images_are_found_by_owner_and_by_filter(ground: Ground, image: dict[str, Any], aws: Aws) -> None:
    ec2 = ground.ec2
    mine = {it["Name"] for it in ec2.describe_images(Owners=["self"])["Images"]}
    assert mine == {PROJECT2, "read-back"}
    listed = aws("ec2", "describe-images", "--owners", "amazon", "--filters", "Name=name,Values=al2023-ami-2023.*")
    (amazons,) = listed["Images"]
    assert (amazons["OwnerId"], amazons["ImageOwnerAlias"], amazons["Public"]) == (AMAZON, "amazon", True)
    assert ec2.describe_images(Owners=[AMAZON])["Images"][0]["ImageId"] == amazons["ImageId"]
    finding = {
        "name": "read-*",
        "state": "available",
        "is-public": "false",
        "tag:of": "image",
        "source-instance-id": image["SourceInstanceId"],
        "block-device-mapping.snapshot-id": snapshot_of(image),
        "creation-date": f"{image['CreationDate'][:10]}*",
    }
    for name, value in finding.items():
        found = ec2.describe_images(Filters=having(name, value))["Images"]
        assert image["ImageId"] in [it["ImageId"] for it in found], name
        assert ec2.describe_images(Filters=having(name, "no-such-value"))["Images"] == [], name
    snapshots = ec2.describe_snapshots(OwnerIds=["self"], Filters=having("description", f"*{image['ImageId']}"))
    assert [it["SnapshotId"] for it in snapshots["Snapshots"]] == [snapshot_of(image)]
    unknown = ("InvalidParameterValue", "The filter 'colour' is invalid")
    assert refused(ec2.describe_images, Filters=having("colour", "red")) == unknown
    assert refused(ec2.describe_snapshots, Filters=having("colour", "red")) == unknown
    pages = list(ec2.get_paginator("describe_images").paginate(PaginationConfig={"PageSize": 1}))
    assert [len(page["Images"]) for page in pages] == [1] * len(ec2.describe_images()["Images"])
    assert refused(ec2.describe_images, ImageIds=[image["ImageId"]], MaxResults=5)[0] == "InvalidParameterCombination"
    assert refused(ec2.describe_snapshots, MaxResults=3)[0] == "InvalidParameterValue"


@pytest.mark.fact("3.7/21", "3.2/unknown-ids")
def test_unknown_malformed_and_foreign_images(ground: Ground) -> None:
    ec2, unknown = ground.ec2, f"ami-{UNKNOWN}"
    missing = ("InvalidAMIID.NotFound", f"The image id '[{unknown}]' does not exist")
    assert refused(ec2.describe_images, ImageIds=[unknown]) == missing
    assert refused(ec2.deregister_image, ImageId=unknown) == missing
    assert refused(ec2.describe_images, ImageIds=["mine"]) == (
        "InvalidAMIID.Malformed",
        'Invalid id: "mine" (expecting "ami-...")',
    )
    assert refused(ec2.describe_snapshots, SnapshotIds=["mine"])[0] == "InvalidSnapshotID.Malformed"
    assert refused(ec2.delete_snapshot, SnapshotId=f"snap-{UNKNOWN}")[0] == "InvalidSnapshot.NotFound"
    (amazons,) = ec2.describe_images(Owners=["amazon"])["Images"]
    code, message = refused(ec2.deregister_image, ImageId=amazons["ImageId"])
    assert (code, message) == ("AuthFailure", f"Not authorized for image:{amazons['ImageId']}")
