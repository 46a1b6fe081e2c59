"""Volumes: every instance has one, its root device; one that is to outlive its instance is then available.

A volume here is what EC2 says of it: the bytes are the instance's tree. What a launch asks of the root device is laid
over what the image says of it; the volume goes with the instance unless DeleteOnTermination is off. Volumes of one's
own, and further devices of an instance, are left out and refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_state import (
    ACCOUNT,
    REGION,
    Image,
    Volume,
    World,
    check_id,
    dry_run,
    missing,
    tag_list,
    to_the_second,
    when,
)
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.wire_xml import iso8601

GP3_IOPS, GP3_THROUGHPUT = 3000, 125
GP2_IOPS_EACH, GP2_IOPS_LEAST, GP2_IOPS_MOST = 3, 100, 16_000
TYPES = ("gp2", "gp3", "io1", "io2", "st1", "sc1", "standard")


@dataclass(frozen=True)
class Disk:
    """The root device that a launch asks for."""

    gigabytes: int
    volume_type: str
    iops: int | None
    throughput: int | None
    delete_on_termination: bool = True
    encrypted: bool = False


class Volumes:
    """The console's page "Volumes"."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe_volumes(self, params: dict[str, Any]) -> dict[str, Any]:
        """List volumes."""
        dry_run(params)
        world = self._world
        ids = params.get("VolumeIds", [])
        chosen = [self._volume(volume_id) for volume_id in ids] if ids else list(world.volumes.values())
        found = select(chosen, params.get("Filters", []), _READERS, lambda volume: world.tags(volume.volume_id))
        shown, token = page(found, params, least=5, beside=("VolumeIds", "volumeIdsSet"))
        return {"Volumes": [volume_document(world, volume) for volume in shown], **token}

    def describe_volume_status(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say how volumes are: here they are all well."""
        dry_run(params)
        ids = params.get("VolumeIds", [])
        chosen = [self._volume(volume_id) for volume_id in ids] if ids else list(self._world.volumes.values())
        readers: dict[str, Reader] = {
            "availability-zone": lambda v: (v.zone,),
            "volume-status.status": lambda v: ("ok",),
        }
        found = select(chosen, params.get("Filters", []), readers, lambda v: self._world.tags(v.volume_id))
        shown, token = page(found, params, least=5, beside=("VolumeIds", "volumeIdsSet"))
        return {"VolumeStatuses": [_status_document(volume) for volume in shown], **token}

    def delete_volume(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a volume that an instance has left behind."""
        volume = self._volume(params["VolumeId"])
        if volume.instance_id is not None:
            message = f"Volume {volume.volume_id} is currently attached to {volume.instance_id}"
            raise ApiError("VolumeInUse", message)
        dry_run(params)
        drop(self._world, volume)
        return {}

    def _volume(self, volume_id: str) -> Volume:
        found = self._world.volumes.get(check_id(volume_id, "vol", "InvalidVolumeID"))
        return found or missing("InvalidVolume", f"The volume '{volume_id}' does not exist.")


def wanted_disk(image: Image, mappings: Iterable[Mapping[str, Any]]) -> Disk:
    """Lay what a request says of the root device over what the image says; raises ApiError."""
    asked: Mapping[str, Any] = {}
    for mapping in mappings:
        if mapping.get("DeviceName") != image.root_device:
            message = f"The local cloud gives an instance one volume, its root device {image.root_device}."
            raise ApiError("UnsupportedOperation", message)
        asked = mapping.get("Ebs", {})
    gigabytes, kind = asked.get("VolumeSize", image.gigabytes), asked.get("VolumeType", image.volume_type)
    _check(image, gigabytes, kind)
    return Disk(
        gigabytes=gigabytes,
        volume_type=kind,
        iops=asked.get("Iops") or usual_iops(kind, gigabytes),
        throughput=asked.get("Throughput") or (GP3_THROUGHPUT if kind == "gp3" else None),
        delete_on_termination=asked.get("DeleteOnTermination", True),
        encrypted=asked.get("Encrypted", False),
    )


def usual_iops(volume_type: str, gigabytes: int) -> int | None:
    """Give the operations per second that a type has when none are asked for."""
    if volume_type == "gp3":
        return GP3_IOPS
    if volume_type == "gp2":
        return min(max(GP2_IOPS_LEAST, GP2_IOPS_EACH * gigabytes), GP2_IOPS_MOST)
    return None


def _check(image: Image, gigabytes: int, kind: str) -> None:
    if kind not in TYPES:
        raise ApiError("InvalidParameterValue", f"Value ({kind}) for parameter volumeType is invalid.")
    if gigabytes < image.gigabytes:
        message = (
            f"Volume of size {gigabytes}GB is smaller than snapshot '{image.snapshot_id}', "
            f"expect size >= {image.gigabytes}GB"
        )
        raise ApiError("InvalidBlockDeviceMapping", message)


def drop(world: World, volume: Volume) -> None:
    """Forget a volume, with its tags."""
    world.volumes.pop(volume.volume_id, None)
    world.untag(volume.volume_id)


def part(world: World, volume: Volume) -> None:
    """End a volume's time with its instance: it goes too, or stays and is available."""
    if volume.delete_on_termination:
        drop(world, volume)
    else:
        volume.instance_id = None


def volume_document(world: World, volume: Volume) -> dict[str, Any]:
    """Describe a volume."""
    return {
        "VolumeId": volume.volume_id,
        "Size": volume.gigabytes,
        "SnapshotId": volume.snapshot_id,
        "AvailabilityZone": volume.zone,
        "State": "in-use" if volume.instance_id else "available",
        "CreateTime": when(volume.created_at),
        "Encrypted": volume.encrypted,
        "VolumeType": volume.volume_type,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "MultiAttachEnabled": False,
        "Operator": {"Managed": False},
        "OwnerId": ACCOUNT,
        "VolumeArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{volume.volume_id}",
        "Tags": tag_list(world.tags(volume.volume_id)) or None,
        "Attachments": [_attachment(volume)] if volume.instance_id else [],
    }


def _status_document(volume: Volume) -> dict[str, Any]:
    details = [{"Name": "io-enabled", "Status": "passed"}, {"Name": "io-performance", "Status": "not-applicable"}]
    return {
        "VolumeId": volume.volume_id,
        "AvailabilityZone": volume.zone,
        "VolumeStatus": {"Status": "ok", "Details": details},
        "Actions": [],
        "Events": [],
    }


def _attachment(volume: Volume) -> dict[str, Any]:
    return {
        "AttachTime": to_the_second(volume.created_at),
        "Device": volume.device,
        "InstanceId": volume.instance_id,
        "State": "attached",
        "VolumeId": volume.volume_id,
        "DeleteOnTermination": volume.delete_on_termination,
    }


_READERS: dict[str, Reader] = {
    "volume-id": lambda v: (v.volume_id,),
    "size": lambda v: (str(v.gigabytes),),
    "snapshot-id": lambda v: (v.snapshot_id,),
    "status": lambda v: ("in-use" if v.instance_id else "available",),
    "volume-type": lambda v: (v.volume_type,),
    "availability-zone": lambda v: (v.zone,),
    "create-time": lambda v: (iso8601(when(v.created_at)),),
    "encrypted": lambda v: ("true" if v.encrypted else "false",),
    "multi-attach-enabled": lambda v: ("false",),
    "operator.managed": lambda v: ("false",),
    "attachment.instance-id": lambda v: (v.instance_id,),
    "attachment.device": lambda v: (v.device,) if v.instance_id else (),
    "attachment.status": lambda v: ("attached",) if v.instance_id else (),
    "attachment.attach-time": lambda v: (iso8601(to_the_second(v.created_at)),) if v.instance_id else (),
    "attachment.delete-on-termination": lambda v: (str(v.delete_on_termination).lower(),) if v.instance_id else (),
}
