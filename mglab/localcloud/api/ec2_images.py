"""Machine images: a file tree with a name. CreateImage copies an instance's tree, RunInstances copies it back.

CreateImage reboots by default: the instance's processes are taken down, its tree is copied, it boots again
while the image is still ``pending``; minutes later the image is ``available`` (aws-facts 3.2). An image is
never available before the data plane has reported its tree complete. Deregistering leaves the snapshot,
and with it the tree, until that is deleted too. Copying to other regions, sharing and deprecation are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_state import (
    ACCOUNT,
    Image,
    Instance,
    World,
    check_id,
    dry_run,
    missing,
    new_id,
    tag_list,
    tags_for,
    when,
)
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.wire_xml import iso8601
from mglab.localcloud.rules.lifecycle import SPREAD, hold, reboot

AMAZON = "137112412989"
NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")  # CreateImage's rule
AWAITED_S = 30.0  # our choice: after its boot time, within which an instance's tree is copied from its image
SEEDED_AT = 1_690_000_000.0  # July 2023: before the course that the lab is from


def seed_images(world: World, base_image_id: str, project2_image_id: str) -> None:
    """Put into an empty account what is there before the lab: Amazon's image and the one made in Project 2."""
    world.images[base_image_id] = Image(
        image_id=base_image_id,
        snapshot_id=new_id("snap"),
        name="al2023-ami-2023.1.20230719.0-kernel-6.1-x86_64",
        description="Amazon Linux 2023 AMI 2023.1.20230719.0 x86_64 HVM kernel-6.1",
        owner_id=AMAZON,
        owner_alias="amazon",
        created_at=SEEDED_AT,
        ready_at=SEEDED_AT,
    )
    world.images[project2_image_id] = Image(
        image_id=project2_image_id,
        snapshot_id=new_id("snap"),
        name="MusicGuru Project 2",
        description="The MusicGuru server as it was at the end of Project 2: run.sh, no health check",
        owner_id=ACCOUNT,
        created_at=SEEDED_AT + 86_400,
        ready_at=SEEDED_AT + 86_400,
    )
    world.tag(project2_image_id, {"Name": "MusicGuru Project 2"})


class Images:
    """EC2's actions on images and snapshots."""

    def __init__(self, world: World) -> None:
        self._world = world

    # requests

    def create_image(self, params: dict[str, Any]) -> dict[str, Any]:
        """Begin to make an image of an instance."""
        world = self._world
        instance = world.instance(params["InstanceId"])
        self._check_name(params["Name"])
        if instance.life.state not in ("running", "stopped"):
            message = f"Instance '{instance.instance_id}' is not in state 'running' or 'stopped'."
            raise ApiError("IncorrectState", message)
        dry_run(params)
        image = self._begin(instance, params)
        world.images[image.image_id] = image
        world.tag(image.image_id, tags_for("image", params.get("TagSpecifications", [])))
        world.tag(image.snapshot_id, tags_for("snapshot", params.get("TagSpecifications", [])))
        if instance.life.state == "running" and not image.no_reboot:
            instance.life = hold(instance.life)
            instance.held_by.add(image.image_id)
        return {"ImageId": image.image_id}

    def deregister_image(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take an image out of the catalogue; its snapshot stays unless it is to go with it."""
        image = self._world.image(params["ImageId"])
        self._check_owner(image)
        dry_run(params)
        image.registered = False
        self._world.untag(image.image_id)
        if params.get("DeleteAssociatedSnapshots"):
            image.deleted_snapshot = True
        return {"Return": True}

    def describe_images(self, params: dict[str, Any]) -> dict[str, Any]:
        """List images: one's own, Amazon's, or by id."""
        world = self._world
        if params.get("ImageIds"):
            images: Iterable[Image] = [world.image(image_id) for image_id in params["ImageIds"]]
        else:
            images = [image for image in world.images.values() if image.registered]
        owners = {ACCOUNT if owner == "self" else owner for owner in params.get("Owners", [])}
        if owners:
            images = [image for image in images if image.owner_id in owners or image.owner_alias in owners]
        found = select(images, params.get("Filters", []), _READERS, lambda image: world.tags(image.image_id))
        shown, token = page(found, params)
        return {"Images": [self._document(image) for image in shown], **token}

    def describe_snapshots(self, params: dict[str, Any]) -> dict[str, Any]:
        """List snapshots."""
        world = self._world
        if params.get("SnapshotIds"):
            images = [self._of_snapshot(snapshot_id) for snapshot_id in params["SnapshotIds"]]
        else:
            images = [image for image in world.images.values() if not image.deleted_snapshot]
        owners = {ACCOUNT if owner == "self" else owner for owner in params.get("OwnerIds", [])}
        if owners:
            images = [image for image in images if image.owner_id in owners or image.owner_alias in owners]
        found = select(images, params.get("Filters", []), _SNAPSHOT_READERS, lambda i: world.tags(i.snapshot_id))
        shown, token = page(found, params)
        return {"Snapshots": [self._snapshot_document(image) for image in shown], **token}

    def delete_snapshot(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a snapshot that no image uses any more."""
        image = self._of_snapshot(params["SnapshotId"])
        self._check_owner(image)
        if image.registered:
            message = f"The snapshot {image.snapshot_id} is currently in use by {image.image_id}"
            raise ApiError("InvalidSnapshot.InUse", message)
        dry_run(params)
        image.deleted_snapshot = True
        self._world.untag(image.snapshot_id)
        return {}

    # time

    def advance(self, now: float) -> None:
        """Boot instances whose tree has been copied, and make finished images available."""
        for image in self._world.images.values():
            if image.state == "pending":
                self._advance_one(image, now)

    def note_copied(self, image_ids: Iterable[str]) -> None:
        """Remember which images' trees are complete."""
        complete = set(image_ids)
        for image in self._world.images.values():
            image.copied = image.copied or image.image_id in complete

    def kept(self) -> tuple[Image, ...]:
        """Give the images whose trees must stay: in the catalogue, in a snapshot, or about to be booted from."""
        now = self._world.now()
        awaited = {
            i.image_id for i in self._world.instances.values() if i.life.boots == 1 and i.life.up_at + AWAITED_S > now
        }
        images = self._world.images.values()
        return tuple(i for i in images if i.registered or not i.deleted_snapshot or i.image_id in awaited)

    def _advance_one(self, image: Image, now: float) -> None:
        source = self._world.instances.get(image.source_instance_id or "")
        if not image.copied:
            if source is None or source.life.state == "terminated":
                image.state = "failed"
            return
        if source is not None and now >= image.off_until:
            self._release(source, image, now)
        if now >= image.ready_at:
            image.state = "available"

    def _release(self, instance: Instance, image: Image, now: float) -> None:
        if image.image_id in instance.held_by:
            instance.held_by.discard(image.image_id)
            if not instance.held_by and instance.life.state == "running":
                instance.life = reboot(instance.life, now)

    # parts

    def _begin(self, instance: Instance, params: Mapping[str, Any]) -> Image:
        world, now = self._world, self._world.now()
        return Image(
            image_id=new_id("ami"),
            snapshot_id=new_id("snap"),
            name=params["Name"],
            description=params.get("Description", ""),
            owner_id=ACCOUNT,
            created_at=now,
            ready_at=now + world.knobs.image_s * world.random.uniform(1 - SPREAD, 1 + SPREAD),
            state="pending",
            source_instance_id=instance.instance_id,
            source_volume_id=instance.volume_id,
            source_image_id=instance.image_id,
            no_reboot=params.get("NoReboot", False),
            copied=False,
            off_until=now + world.knobs.image_off_s,
        )

    def _check_name(self, name: str) -> None:
        if not NAME.fullmatch(name):
            message = (
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, "
                "'(', ')', '.', '-', '/' and '_'"
            )
            raise ApiError("InvalidAMIName.Malformed", message)
        for image in self._world.images.values():
            if image.registered and image.owner_id == ACCOUNT and image.name == name:
                message = f"AMI name {name} is already in use by AMI {image.image_id}"
                raise ApiError("InvalidAMIName.Duplicate", message)

    def _check_owner(self, image: Image) -> None:
        if image.owner_id != ACCOUNT:
            raise ApiError("AuthFailure", f"Not authorized for image:{image.image_id}", 403)

    def _of_snapshot(self, snapshot_id: str) -> Image:
        check_id(snapshot_id, "snap", "InvalidSnapshotID")
        for image in self._world.images.values():
            if image.snapshot_id == snapshot_id and not image.deleted_snapshot:
                return image
        return missing("InvalidSnapshot", f"The snapshot '{snapshot_id}' does not exist.")

    def _document(self, image: Image) -> dict[str, Any]:
        document: dict[str, Any] = {
            "ImageId": image.image_id,
            "Name": image.name,
            "Description": image.description or None,
            "ImageLocation": f"{image.owner_alias or image.owner_id}/{image.name}",
            "ImageOwnerAlias": image.owner_alias,
            "OwnerId": image.owner_id,
            "State": image.state,
            "CreationDate": iso8601(when(image.created_at)),
            "Public": image.owner_id == AMAZON,
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
            "SourceInstanceId": image.source_instance_id,
            "SourceImageId": image.source_image_id,
            "BlockDeviceMappings": [self._device(image)],
            "Tags": tag_list(self._world.tags(image.image_id)) or None,
        }
        if image.state == "failed":
            document["StateReason"] = {"Code": "Client.Failed", "Message": "The source instance is gone."}
        return document

    def _device(self, image: Image) -> dict[str, Any]:
        disk = {
            "DeleteOnTermination": True,
            "SnapshotId": image.snapshot_id,
            "VolumeSize": image.gigabytes,
            "VolumeType": "gp3",
            "Encrypted": False,
        }
        return {"DeviceName": image.root_device, "Ebs": disk}

    def _snapshot_document(self, image: Image) -> dict[str, Any]:
        source = f"Created by CreateImage({image.source_instance_id}) for {image.image_id}"
        return {
            "SnapshotId": image.snapshot_id,
            "Description": source if image.source_instance_id else image.description,
            "VolumeId": image.source_volume_id,
            "VolumeSize": image.gigabytes,
            "State": {"available": "completed", "failed": "error"}.get(image.state, "pending"),
            "Progress": "100%" if image.state == "available" else f"{self._progress(image)}%",
            "StartTime": when(image.created_at),
            "OwnerId": image.owner_id,
            "OwnerAlias": image.owner_alias,
            "Encrypted": False,
            "StorageTier": "standard",
            "Tags": tag_list(self._world.tags(image.snapshot_id)) or None,
        }

    def _progress(self, image: Image) -> int:
        whole = max(image.ready_at - image.created_at, 1.0)
        return min(99, max(0, int(100 * (self._world.now() - image.created_at) / whole)))


_READERS: dict[str, Reader] = {
    "image-id": lambda i: (i.image_id,),
    "name": lambda i: (i.name,),
    "description": lambda i: (i.description,),
    "state": lambda i: (i.state,),
    "owner-id": lambda i: (i.owner_id,),
    "owner-alias": lambda i: (i.owner_alias,),
    "architecture": lambda i: ("x86_64",),
    "image-type": lambda i: ("machine",),
    "is-public": lambda i: ("true" if i.owner_id == AMAZON else "false",),
    "root-device-type": lambda i: ("ebs",),
    "root-device-name": lambda i: (i.root_device,),
    "virtualization-type": lambda i: ("hvm",),
    "platform-details": lambda i: ("Linux/UNIX",),
    "source-instance-id": lambda i: (i.source_instance_id,),
    "block-device-mapping.snapshot-id": lambda i: (i.snapshot_id,),
}
_SNAPSHOT_READERS: dict[str, Reader] = {
    "snapshot-id": lambda i: (i.snapshot_id,),
    "volume-id": lambda i: (i.source_volume_id,),
    "status": lambda i: ({"available": "completed", "failed": "error"}.get(i.state, "pending"),),
    "owner-id": lambda i: (i.owner_id,),
    "owner-alias": lambda i: (i.owner_alias,),
    "description": lambda i: (f"Created by CreateImage({i.source_instance_id}) for {i.image_id}", i.description),
}
