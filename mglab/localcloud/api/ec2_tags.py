"""Tags: what may be tagged with what, by CreateTags or while it is made, and the tags listed.

A thing has at most 50; keys have 1 to 128 characters, values up to 256; keys that begin with ``aws:`` are AWS's
own. Who makes a thing may tag that kind of thing alone in the same request. moto keeps the tags of everything,
ours and its own (``World.tags``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mglab.localcloud.api import ec2_ids
from mglab.localcloud.api.ec2_ids import Kind
from mglab.localcloud.api.ec2_listing import filtered, paged
from mglab.localcloud.api.ec2_state import World, dry_run
from mglab.localcloud.api.faults import ApiError

MOST_TAGS = 50
LONGEST_KEY, LONGEST_VALUE = 128, 256
RESERVED = "Tag keys starting with 'aws:' are reserved for internal use"

TYPES = {
    "ami": "image",
    "acl": "network-acl",
    "dopt": "dhcp-options",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "lt": "launch-template",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
"""An id's prefix -> what TagSpecifications and DescribeTags call the kind."""

_OF_THE_NETWORK = (ec2_ids.VPC, ec2_ids.SUBNET, ec2_ids.GATEWAY, ec2_ids.ROUTE_TABLE, ec2_ids.GROUP, ec2_ids.GROUP_RULE)
_KINDS = {
    **{kind.prefix: kind for kind in (*_OF_THE_NETWORK, ec2_ids.ACL, ec2_ids.INTERFACE)},
    **{kind.prefix: kind for kind in (ec2_ids.DHCP_OPTIONS, ec2_ids.ALLOCATION)},
    "i": Kind("i", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    "ami": Kind("ami", "InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    "snap": Kind(
        "snap", "InvalidSnapshotID.Malformed", "InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."
    ),
    "vol": Kind("vol", "InvalidVolumeID.Malformed", "InvalidVolume.NotFound", "The volume '{}' does not exist."),
    "lt": Kind(
        "lt",
        "InvalidLaunchTemplateId.Malformed",
        "InvalidLaunchTemplateId.NotFound",
        "The specified launch template, with template ID {}, does not exist.",
    ),
    "key": Kind("key", "InvalidKeyPair.NotFound", "InvalidKeyPair.NotFound", "The key pair '{}' does not exist"),
}

_FILTERS = {"key": "Key", "value": "Value", "resource-id": "ResourceId", "resource-type": "ResourceType"}


class Tags:
    """EC2's actions on tags."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        """Put tags on things; a key that is there gets the new value."""
        tags = _checked(params["Tags"], "Value ( {} ) for parameter key is invalid. " + RESERVED)
        self._must_exist(params["Resources"])
        for resource_id in params["Resources"]:
            _check_number({**self._world.tags(resource_id), **tags})
        dry_run(params)
        for resource_id in params["Resources"]:
            self._world.tag(resource_id, tags)
        return {}

    def delete_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take tags off things: by key, by key and value, or (none named) all of them."""
        self._must_exist(params["Resources"])
        dry_run(params)
        for resource_id in params["Resources"]:
            had, asked = self._world.tags(resource_id), params.get("Tags")
            kept = {} if asked is None else {key: value for key, value in had.items() if not _meant(key, value, asked)}
            reserved = {key: value for key, value in had.items() if key.startswith("aws:")}
            self._world.untag(resource_id)
            self._world.tag(resource_id, {**kept, **reserved})
        return {}

    def describe_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        """List tags, one entry for each."""
        found = filtered(_FILTERS, list(self._entries()), _with_plain_filters(params))
        dry_run(params)
        shown, token = paged(found, params)
        return {"Tags": list(shown), **token}

    def _entries(self) -> Iterator[dict[str, Any]]:
        for resource_id, tags in sorted(self._world.backend.tags.items()):
            kind = TYPES.get(resource_id.rpartition("-")[0])
            if kind:
                for key, value in sorted(tags.items()):
                    yield {"Key": key, "ResourceId": resource_id, "ResourceType": kind, "Value": value}

    def _must_exist(self, resource_ids: Iterable[str]) -> None:
        for resource_id in resource_ids:
            kind = _KINDS.get(resource_id.rpartition("-")[0])
            if kind is None:
                raise ApiError("InvalidID", f"The ID '{resource_id}' is not valid")
            ec2_ids.known(kind, resource_id, resource_id if exists(self._world, resource_id) else None)


def asked(params: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Give the tags that a request wants on the one thing that it makes; raises ApiError."""
    tags: list[Mapping[str, str]] = []
    for specification in params.get("TagSpecifications", []):
        named = specification.get("ResourceType")
        if named is None:
            raise ApiError("InvalidParameterValue", "Tag specification resource type must have a value")
        if named != kind:
            message = f"'{named}' is not a valid taggable resource type for this operation."
            raise ApiError("InvalidParameterValue", message)
        if not specification.get("Tags"):
            raise ApiError("InvalidParameterValue", "Tag specification must have at least one tag")
        tags += specification["Tags"]
    found = _checked(tags, RESERVED)
    _check_number(found)
    return found


def exists(world: World, resource_id: str) -> bool:
    """Say whether there is something with this id, moto's or ours."""
    backend = world.backend
    theirs: dict[str, Callable[[], Any]] = {
        "vpc": lambda: backend.vpcs,
        "subnet": lambda: [name for subnets in backend.subnets.values() for name in subnets],
        "igw": lambda: backend.internet_gateways,
        "rtb": lambda: backend.route_tables,
        "sg": lambda: [name for groups in backend.groups.values() for name in groups],
        "sgr": lambda: [rule.id for rule in world.group_rules()],
        "acl": lambda: backend.network_acls,
        "key": lambda: [key.id for key in backend.key_pairs.values()],
        "dopt": lambda: [world.dhcp_options_id],
        "eipalloc": lambda: world.elastic,
    }
    found = theirs.get(resource_id.rpartition("-")[0])
    return resource_id in found() if found else world.holds(resource_id)


def _checked(tags: Sequence[Mapping[str, str]], reserved: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not key:
            raise ApiError("InvalidParameterValue", "Tag key cannot be null or empty.")
        if key.lower().startswith("aws:"):
            raise ApiError("InvalidParameterValue", reserved.format(key))
        if len(key) > LONGEST_KEY:
            message = f"Tag key exceeds the maximum length of {LONGEST_KEY} characters"
            raise ApiError("InvalidParameterValue", message)
        if len(value) > LONGEST_VALUE:
            message = f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
            raise ApiError("InvalidParameterValue", message)
        if key in found:
            raise ApiError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        found[key] = value
    return found


def _check_number(tags: Mapping[str, str]) -> None:
    if sum(not key.startswith("aws:") for key in tags) > MOST_TAGS:
        raise ApiError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")


def _meant(key: str, value: str, asked_away: Sequence[Mapping[str, str]]) -> bool:
    return any(tag.get("Key") == key and tag.get("Value", value) == value for tag in asked_away)


def _with_plain_filters(params: Mapping[str, Any]) -> dict[str, Any]:
    """Read ``tag:<key>`` as what it is here: a key and its values."""
    filters: list[dict[str, Any]] = []
    for it in params.get("Filters", []):
        if it.get("Name", "").startswith("tag:"):
            filters += [{"Name": "key", "Values": [it["Name"][4:]]}, {"Name": "value", "Values": it.get("Values", [])}]
        else:
            filters.append(it)
    return {**params, "Filters": filters}
