"""How EC2 describes images, their attributes, and what the filters of DescribeImages read."""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.ec2_filters import Reader
from mglab.localcloud.api.ec2_state import REGION, Image, World, tag_list, when
from mglab.localcloud.api.ec2_volumes import GP3_THROUGHPUT, usual_iops
from mglab.localcloud.api.wire_xml import iso8601

AMAZON = "137112412989"
DEPRECATED_AFTER_S = 2 * 365 * 86_400.0  # Amazon deprecates its public images after about two years


def image_document(world: World, image: Image) -> dict[str, Any]:
    """Describe an image."""
    document: dict[str, Any] = {
        "ImageId": image.image_id,
        "Name": image.name,
        "Description": image.description or None,
        "ImageLocation": f"{image.owner_alias or image.owner_id}/{image.name}",
        "ImageOwnerAlias": image.owner_alias,
        "OwnerId": image.owner_id,
        "State": image.state,
        "CreationDate": iso8601(when(image.created_at)),
        "Public": is_public(image),
        "Architecture": "x86_64",
        "ImageType": "machine",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "EnaSupport": True,
        "Hypervisor": "xen",
        "RootDeviceName": image.root_device,
        "RootDeviceType": "ebs",
        "SriovNetSupport": "simple",
        "VirtualizationType": "hvm",
        "BootMode": "uefi-preferred",
        "ImdsSupport": image.metadata_service,
        "DeprecationTime": iso8601(when(image.created_at + DEPRECATED_AFTER_S)) if image.owner_id == AMAZON else None,
        "DeregistrationProtection": "disabled",
        "SourceInstanceId": image.source_instance_id,
        "SourceImageId": image.source_image_id,
        "SourceImageRegion": REGION if image.source_image_id else None,
        "BlockDeviceMappings": [device(image)],
        "Tags": tag_list(world.tags(image.image_id)) or None,
    }
    if image.state == "failed":
        document["StateReason"] = {"Code": "Client.Failed", "Message": "The source instance is gone."}
    return document


def device(image: Image) -> dict[str, Any]:
    """Describe an image's root device."""
    disk = {
        "DeleteOnTermination": True,
        "SnapshotId": image.snapshot_id,
        "VolumeSize": image.gigabytes,
        "VolumeType": image.volume_type,
        "Iops": usual_iops(image.volume_type, image.gigabytes) if image.volume_type == "gp3" else None,
        "Throughput": GP3_THROUGHPUT if image.volume_type == "gp3" else None,
        "Encrypted": False,
    }
    return {"DeviceName": image.root_device, "Ebs": disk}


def attribute_members(image: Image) -> dict[str, tuple[str, Any]]:
    """Map what a request calls an attribute to the member that carries it, and its value."""
    return {
        "description": ("Description", {"Value": image.description} if image.description else {}),
        "kernel": ("KernelId", {}),
        "ramdisk": ("RamdiskId", {}),
        "launchPermission": ("LaunchPermissions", list(image.launch_permissions)),
        "productCodes": ("ProductCodes", []),
        "blockDeviceMapping": ("BlockDeviceMappings", [device(image)]),
        "sriovNetSupport": ("SriovNetSupport", {"Value": "simple"}),
        "bootMode": ("BootMode", {"Value": "uefi-preferred"}),
        "tpmSupport": ("TpmSupport", {}),
        "lastLaunchedTime": ("LastLaunchedTime", {}),
        "imdsSupport": ("ImdsSupport", {"Value": image.metadata_service} if image.metadata_service else {}),
        "deregistrationProtection": ("DeregistrationProtection", {"Value": "disabled"}),
    }


def is_public(image: Image) -> bool:
    """Say whether anybody may launch it."""
    return image.owner_id == AMAZON or {"Group": "all"} in image.launch_permissions


READERS: dict[str, Reader] = {
    "image-id": lambda i: (i.image_id,),
    "name": lambda i: (i.name,),
    "description": lambda i: (i.description,),
    "state": lambda i: (i.state,),
    "owner-id": lambda i: (i.owner_id,),
    "owner-alias": lambda i: (i.owner_alias,),
    "architecture": lambda i: ("x86_64",),
    "boot-mode": lambda i: ("uefi-preferred",),
    "creation-date": lambda i: (iso8601(when(i.created_at)),),
    "ena-support": lambda i: ("true",),
    "hypervisor": lambda i: ("xen",),
    "image-type": lambda i: ("machine",),
    "is-public": lambda i: ("true" if is_public(i) else "false",),
    "kernel-id": lambda i: (),
    "manifest-location": lambda i: (f"{i.owner_alias or i.owner_id}/{i.name}",),
    "platform": lambda i: (),
    "platform-details": lambda i: ("Linux/UNIX",),
    "product-code": lambda i: (),
    "ramdisk-id": lambda i: (),
    "root-device-type": lambda i: ("ebs",),
    "root-device-name": lambda i: (i.root_device,),
    "source-image-id": lambda i: (i.source_image_id,),
    "source-image-region": lambda i: (REGION,) if i.source_image_id else (),
    "source-instance-id": lambda i: (i.source_instance_id,),
    "sriov-net-support": lambda i: ("simple",),
    "state-reason-code": lambda i: ("Client.Failed",) if i.state == "failed" else (),
    "usage-operation": lambda i: ("RunInstances",),
    "virtualization-type": lambda i: ("hvm",),
    "block-device-mapping.snapshot-id": lambda i: (i.snapshot_id,),
    "block-device-mapping.device-name": lambda i: (i.root_device,),
    "block-device-mapping.volume-size": lambda i: (str(i.gigabytes),),
    "block-device-mapping.volume-type": lambda i: (i.volume_type,),
    "block-device-mapping.encrypted": lambda i: ("false",),
    "block-device-mapping.delete-on-termination": lambda i: ("true",),
}
