"""Snapshots: what an image leaves of a volume. One comes with every image and outlives it.

It is ``pending`` while its image is made and ``completed`` when that is available. One that an image of the catalogue
still uses cannot be deleted (aws-facts 3.2). Snapshots of one's own, copies and archives are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mglab.localcloud.api.ec2_filters import Reader, page, select
from mglab.localcloud.api.ec2_state import ACCOUNT, Image, World, check_id, dry_run, missing, tag_list, when
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.wire_xml import iso8601


class Snapshots:
    """The console's page "Snapshots"."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe_snapshots(self, params: dict[str, Any]) -> dict[str, Any]:
        """List snapshots."""
        dry_run(params)
        world, ids = self._world, params.get("SnapshotIds", [])
        chosen: Iterable[Image] = [self._of(snapshot_id) for snapshot_id in ids] if ids else self._kept()
        owners = {ACCOUNT if owner == "self" else owner for owner in params.get("OwnerIds", [])}
        if owners:
            chosen = [image for image in chosen if image.owner_id in owners or image.owner_alias in owners]
        readers = {**_READERS, "progress": lambda i: (self._progress(i),)}
        found = select(chosen, params.get("Filters", []), readers, lambda i: world.tags(i.snapshot_id))
        shown, token = page(found, params, least=5, beside=("SnapshotIds", "snapshotIdsSet"))
        return {"Snapshots": [self._document(image) for image in shown], **token}

    def delete_snapshot(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a snapshot that no image uses any more."""
        image = self._of(params["SnapshotId"])
        if image.owner_id != ACCOUNT:
            message = "You do not have permission to access the specified resource."
            raise ApiError("UnauthorizedOperation", message, 403)
        if image.registered:
            message = f"The snapshot {image.snapshot_id} is currently in use by {image.image_id}"
            raise ApiError("InvalidSnapshot.InUse", message)
        dry_run(params)
        forget(self._world, image)
        return {}

    def _kept(self) -> list[Image]:
        return [image for image in self._world.images.values() if not image.deleted_snapshot]

    def _of(self, snapshot_id: str) -> Image:
        check_id(snapshot_id, "snap", "InvalidSnapshotID")
        for image in self._kept():
            if image.snapshot_id == snapshot_id:
                return image
        return missing("InvalidSnapshot", f"The snapshot '{snapshot_id}' does not exist.")

    def _document(self, image: Image) -> Mapping[str, Any]:
        return {
            "SnapshotId": image.snapshot_id,
            "Description": description(image),
            "VolumeId": image.source_volume_id,
            "VolumeSize": image.gigabytes,
            "State": state(image),
            "Progress": self._progress(image),
            "StartTime": when(image.created_at),
            "CompletionTime": when(image.ready_at) if image.state == "available" else None,
            "FullSnapshotSizeInBytes": image.gigabytes * 1024**3 if image.state == "available" else None,
            "OwnerId": image.owner_id,
            "OwnerAlias": image.owner_alias,
            "Encrypted": False,
            "StorageTier": "standard",
            "TransferType": "standard",
            "Tags": tag_list(self._world.tags(image.snapshot_id)) or None,
        }

    def _progress(self, image: Image) -> str:
        if image.state == "available":
            return "100%"
        whole = max(image.ready_at - image.created_at, 1.0)
        return f"{min(99, max(0, int(100 * (self._world.now() - image.created_at) / whole)))}%"


def forget(world: World, image: Image) -> None:
    """Delete an image's snapshot."""
    image.deleted_snapshot = True
    world.untag(image.snapshot_id)


def state(image: Image) -> str:
    """Say how far a snapshot is."""
    return {"available": "completed", "failed": "error"}.get(image.state, "pending")


def description(image: Image) -> str:
    """Say what CreateImage writes on a snapshot."""
    if image.source_instance_id is None:
        return image.description
    return f"Created by CreateImage({image.source_instance_id}) for {image.image_id}"


_READERS: dict[str, Reader] = {
    "snapshot-id": lambda i: (i.snapshot_id,),
    "volume-id": lambda i: (i.source_volume_id,),
    "volume-size": lambda i: (str(i.gigabytes),),
    "status": lambda i: (state(i),),
    "start-time": lambda i: (iso8601(when(i.created_at)),),
    "encrypted": lambda i: ("false",),
    "storage-tier": lambda i: ("standard",),
    "transfer-type": lambda i: ("standard",),
    "owner-id": lambda i: (i.owner_id,),
    "owner-alias": lambda i: (i.owner_alias,),
    "description": lambda i: (description(i),),
}
