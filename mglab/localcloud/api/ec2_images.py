"""Machine images: a file tree with a name. CreateImage copies an instance's tree, RunInstances copies it back.

CreateImage reboots by default: the instance's processes are taken down, its tree is copied, it boots again
while the image is still ``pending``; minutes later the image is ``available`` (aws-facts 3.2). An image is
never available before the data plane has reported its tree complete. Deregistering leaves the snapshot,
and with it the tree, until that is deleted too. Copying to other regions, sharing and deprecation are left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mglab.localcloud.api import ec2_snapshots, ec2_volumes
from mglab.localcloud.api.ec2_filters import page, select
from mglab.localcloud.api.ec2_image_documents import AMAZON, READERS, attribute_members, image_document
from mglab.localcloud.api.ec2_state import ACCOUNT, Image, Instance, World, check_id, dry_run, missing, new_id, tags_for
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.lifecycle import SPREAD, hold, reboot

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
    """EC2's actions on images."""

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
        image = self._begin(instance, params)
        disk = ec2_volumes.wanted_disk(image, params.get("BlockDeviceMappings", []))
        image.gigabytes, image.volume_type = disk.gigabytes, disk.volume_type
        image_tags = tags_for("image", params.get("TagSpecifications", []))
        snapshot_tags = tags_for("snapshot", params.get("TagSpecifications", []))
        dry_run(params)
        world.images[image.image_id] = image
        world.tag(image.image_id, image_tags)
        world.tag(image.snapshot_id, snapshot_tags)
        if instance.life.state == "running" and not image.no_reboot:
            instance.life = hold(instance.life)
            instance.held_by.add(image.image_id)
        return {"ImageId": image.image_id}

    def deregister_image(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take an image out of the catalogue; its snapshot stays unless it is to go with it (aws-facts 3.2)."""
        gone = self._world.images.get(params["ImageId"])
        if gone is not None and not gone.registered:
            raise ApiError("InvalidAMIID.Unavailable", f"The image ID '{gone.image_id}' is no longer available")
        image = self._world.image(params["ImageId"])
        self._check_owner(image)
        dry_run(params)
        image.registered = False
        self._world.untag(image.image_id)
        if not params.get("DeleteAssociatedSnapshots"):
            return {"Return": True}
        ec2_snapshots.forget(self._world, image)
        deleted = {"SnapshotId": image.snapshot_id, "ReturnCode": "success"}
        return {"Return": True, "DeleteSnapshotResults": [deleted]}

    def describe_images(self, params: dict[str, Any]) -> dict[str, Any]:
        """List images: one's own, Amazon's, or by id."""
        dry_run(params)
        world = self._world
        if params.get("ImageIds"):
            images: Iterable[Image] = [each for each in map(self._shown, params["ImageIds"]) if each is not None]
        else:
            images = [image for image in world.images.values() if image.registered]
        owners = {ACCOUNT if owner == "self" else owner for owner in params.get("Owners", [])}
        if owners:
            images = [image for image in images if image.owner_id in owners or image.owner_alias in owners]
        found = select(images, params.get("Filters", []), READERS, lambda image: world.tags(image.image_id))
        shown, token = page(found, params, beside=("ImageIds", "imageIdsSet"))
        return {"Images": [image_document(world, image) for image in shown], **token}

    def describe_image_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Read one attribute of an image."""
        image = self._world.image(params["ImageId"])
        self._check_owner(image)
        members = attribute_members(image)
        name = params["Attribute"]
        if name not in members:
            raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
        dry_run(params)
        member, value = members[name]
        return {"ImageId": image.image_id, member: value}

    def modify_image_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change an image's description, or who may launch it."""
        image = self._world.image(params["ImageId"])
        self._check_owner(image)
        if not {"Description", "LaunchPermission", "ImdsSupport"} & set(params):
            raise ApiError("InvalidParameterCombination", "No attributes specified.")
        dry_run(params)
        if "Description" in params:
            image.description = params["Description"].get("Value", "")
        if "ImdsSupport" in params:
            image.metadata_service = params["ImdsSupport"].get("Value")
        permission = params.get("LaunchPermission", {})
        kept = [each for each in image.launch_permissions if each not in permission.get("Remove", [])]
        image.launch_permissions = kept + [each for each in permission.get("Add", []) if each not in kept]
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

    def host_restarted(self, lost: Collection[str]) -> None:
        """Fail the images whose trees are gone: there is nothing left to start an instance from."""
        for image in self._world.images.values():
            if image.copied and image.image_id in lost:
                image.state = "failed"

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
        volume, source = world.volumes[instance.volume_id], world.images.get(instance.image_id)
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
            gigabytes=volume.gigabytes,
            volume_type=volume.volume_type,
            metadata_service=source.metadata_service if source else None,
            copied=False,
            off_until=now + world.knobs.image_off_s,
        )

    def _shown(self, image_id: str) -> Image | None:
        """Find an image by id; one deregistered is not shown, and unknown when no instance names it any more."""
        image = self._world.images.get(check_id(image_id, "ami", "InvalidAMIID"))
        if image is not None and image.registered:
            return image
        alive = (i for i in self._world.instances.values() if i.life.state != "terminated")
        if image is not None and any(i.image_id == image_id for i in alive):
            return None
        return missing("InvalidAMIID", f"The image id '[{image_id}]' does not exist")

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
