"""Ids of EC2's things: what AWS says of one that cannot be an id of its kind, and of one that names nothing.

The codes are AWS's own, whose spelling follows no rule (``InvalidVpcID`` but ``InvalidGroupId``; a route table
has both): each stands here as its list of errors has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from mglab.localcloud.api.faults import ApiError

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Kind:
    """How EC2 speaks of one kind of thing by its id; ``words`` has a place for the id."""

    prefix: str
    malformed: str
    not_found: str
    words: str


VPC = Kind("vpc", "InvalidVpcID.Malformed", "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist")
SUBNET = Kind("subnet", "InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist")
GATEWAY = Kind(
    "igw",
    "InvalidInternetGatewayId.Malformed",
    "InvalidInternetGatewayID.NotFound",
    "The internetGateway ID '{}' does not exist",
)
ROUTE_TABLE = Kind(
    "rtb", "InvalidRouteTableId.Malformed", "InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist"
)
GROUP = Kind("sg", "InvalidGroupId.Malformed", "InvalidGroup.NotFound", "The security group '{}' does not exist")
GROUP_RULE = Kind(
    "sgr",
    "InvalidSecurityGroupRuleId.Malformed",
    "InvalidSecurityGroupRuleId.NotFound",
    "The security group rule ID '{}' does not exist",
)
ACL = Kind(
    "acl", "InvalidNetworkAclId.Malformed", "InvalidNetworkAclID.NotFound", "The networkAcl ID '{}' does not exist"
)
INTERFACE = Kind(
    "eni",
    "InvalidNetworkInterfaceId.Malformed",
    "InvalidNetworkInterfaceID.NotFound",
    "The networkInterface ID '{}' does not exist",
)
DHCP_OPTIONS = Kind(
    "dopt", "InvalidDhcpOptionsId.Malformed", "InvalidDhcpOptionID.NotFound", "The dhcpOption ID '{}' does not exist"
)
ALLOCATION = Kind(
    "eipalloc",
    "InvalidAllocationID.NotFound",  # AWS's list of errors has no malformed one
    "InvalidAllocationID.NotFound",
    "The allocation ID '{}' does not exist",
)


def well_formed(kind: Kind, resource_id: str) -> bool:
    """Say whether a text can be an id of the kind: 8 or 17 hex digits after its prefix (aws-facts 3.4)."""
    return re.fullmatch(rf"{kind.prefix}-[0-9a-f]{{8}}(?:[0-9a-f]{{9}})?", resource_id) is not None


def check(kind: Kind, resource_ids: Iterable[str]) -> None:
    """Refuse the first that cannot be an id of the kind; AWS does before it looks any of them up."""
    for resource_id in resource_ids:
        if not well_formed(kind, resource_id):
            raise ApiError(kind.malformed, f'Invalid id: "{resource_id}" (expecting "{kind.prefix}-...")')


def known(kind: Kind, resource_id: str, found: Thing | None) -> Thing:
    """Give what was found by an id; raises ApiError when it is malformed or nothing was."""
    check(kind, [resource_id])
    if found is None:
        raise ApiError(kind.not_found, kind.words.format(resource_id))
    return found
