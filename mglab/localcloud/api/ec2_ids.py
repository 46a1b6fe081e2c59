"""Ids of EC2's things: what AWS says of one that cannot be an id of its kind, and of one that names nothing.

The codes are AWS's own, whose spelling follows no rule (``InvalidVpcID`` but ``InvalidGroupId``; a route table
has both): each stands here as its list of errors has it. A VPC or subnet by any name that is none "does not
exist", whatever it looks like (recorded: ``The vpc ID 'InvalidVpcId' does not exist``); only where a gateway is
attached to it a VPC's id must look like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from mglab.localcloud.api.faults import ApiError

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Kind:
    """How EC2 speaks of one kind of thing by its id; ``words`` has a place for the id.

    ``malformed`` is empty where AWS takes any text for an id.
    """

    prefix: str
    malformed: str
    not_found: str
    words: str


VPC = Kind("vpc", "", "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist")
ATTACHED_VPC = replace(VPC, malformed="InvalidVpcId.Malformed")
SUBNET = Kind("subnet", "", "InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist")
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
ALLOCATION = Kind("eipalloc", "", "InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist")


def check(kind: Kind, resource_ids: Iterable[str]) -> None:
    """Refuse the first that cannot be an id of the kind; AWS does before it looks any of them up."""
    for resource_id in resource_ids:
        if kind.malformed and not re.fullmatch(rf"{kind.prefix}-[0-9a-f]+", resource_id):
            hint = "" if resource_id.startswith(f"{kind.prefix}-") else f' (expecting "{kind.prefix}-...")'
            raise ApiError(kind.malformed, f'Invalid id: "{resource_id}"{hint}')


def known(kind: Kind, resource_id: str, found: Thing | None) -> Thing:
    """Give what was found by an id; raises ApiError when it is malformed or nothing was."""
    check(kind, [resource_id])
    if found is None:
        raise ApiError(kind.not_found, kind.words.format(resource_id))
    return found
