"""VPCs: what comes into being with one, what it shows, and what keeps it from going (aws-facts 3.5, 3.7).

moto holds them; here is what AWS says about them. A new VPC has a main route table, a default security group and
a default network ACL, is pending for a moment, and gives no public DNS names until that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mglab.localcloud.api import ec2_ids, ec2_tags
from mglab.localcloud.api.ec2_listing import Listing, listed
from mglab.localcloud.api.ec2_state import ACCOUNT, World, dry_run, tag_list
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import is_main
from mglab.localcloud.rules import blocks

MOST_VPCS = 5  # aws-facts 3.5: quotas
ATTRIBUTES = {
    "enableDnsSupport": "enable_dns_support",
    "enableDnsHostnames": "enable_dns_hostnames",
    "enableNetworkAddressUsageMetrics": "enable_network_address_usage_metrics",
}
"""What AWS calls an attribute of a VPC -> what moto does."""

VPCS = Listing(
    kind=ec2_ids.VPC,
    ids="VpcIds",
    answer="Vpcs",
    id="VpcId",
    filters={
        "cidr": "CidrBlock",
        "cidr-block": "CidrBlock",
        "cidrBlock": "CidrBlock",
        "cidr-block-association.association-id": "CidrBlockAssociationSet.AssociationId",
        "cidr-block-association.cidr-block": "CidrBlockAssociationSet.CidrBlock",
        "cidr-block-association.state": "CidrBlockAssociationSet.CidrBlockState.State",
        "dhcp-options-id": "DhcpOptionsId",
        "dhcpOptionsId": "DhcpOptionsId",
        "ipv6-cidr-block-association.association-id": "Ipv6CidrBlockAssociationSet.AssociationId",
        "ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
        "ipv6-cidr-block-association.ipv6-pool": "Ipv6CidrBlockAssociationSet.Ipv6Pool",
        "ipv6-cidr-block-association.state": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State",
        "is-default": "IsDefault",
        "isDefault": "IsDefault",
        "owner-id": "OwnerId",
        "state": "State",
        "vpc-id": "VpcId",
    },
)


class Vpcs:
    """EC2's actions on VPCs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend

    def create_vpc(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a VPC, pending (rows 1 and 2)."""
        if params.get("AmazonProvidedIpv6CidrBlock") or "Ipv6CidrBlock" in params:
            raise ApiError("UnsupportedOperation", "The local cloud has no IPv6 addresses.")
        if "CidrBlock" not in params:
            raise ApiError("MissingParameter", "The request must contain the parameter cidrBlock")
        block = block_asked(params["CidrBlock"])
        if not blocks.has_network_size(block):
            raise ApiError("InvalidVpc.Range", f"The CIDR '{params['CidrBlock']}' is invalid.")
        tenancy = params.get("InstanceTenancy", "default")
        if tenancy not in ("default", "dedicated"):
            message = f"Value ({tenancy}) for parameter instanceTenancy is invalid."
            raise ApiError("InvalidParameterValue", message)
        tags = ec2_tags.asked(params, "vpc")
        if len(self._backend.vpcs) >= MOST_VPCS:
            raise ApiError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
        dry_run(params)
        vpc = self._backend.create_vpc(block, instance_tenancy=tenancy)
        self._world.tag(vpc.id, tags)
        return {"Vpc": {**self._document(vpc), "Ipv6CidrBlockAssociationSet": []}}

    def delete_vpc(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a VPC in which nothing is left that somebody made (row 13)."""
        vpc_id = self._world.vpc(params["VpcId"]).id
        if any(self._contents(vpc_id)):
            raise ApiError("DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        dry_run(params)
        self._backend.delete_vpc(vpc_id)
        return {}

    def describe_vpcs(self, params: dict[str, Any]) -> dict[str, Any]:
        """List VPCs."""
        return listed(VPCS, (self._document(vpc) for vpc in self._backend.vpcs.values()), params)

    def describe_vpc_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Read one attribute."""
        vpc, name = self._world.vpc(params["VpcId"]), params["Attribute"]
        if name not in ATTRIBUTES:
            raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
        dry_run(params)
        return {"VpcId": vpc.id, _member(name): {"Value": getattr(vpc, ATTRIBUTES[name])}}

    def modify_vpc_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change one attribute; DNS host names need DNS support."""
        vpc, members = self._world.vpc(params["VpcId"]), {_member(name): name for name in ATTRIBUTES}
        member = one_attribute(params, members)
        value = bool(params[member].get("Value"))
        if member == "EnableDnsHostnames" and value and not vpc.enable_dns_support:
            message = "DNS hostnames cannot be enabled while DNS support is disabled."
            raise ApiError("InvalidParameterCombination", message)
        setattr(vpc, ATTRIBUTES[members[member]], value)
        return {}

    def _contents(self, vpc_id: str) -> Iterable[bool]:
        yield any(subnet.vpc_id == vpc_id for subnets in self._backend.subnets.values() for subnet in subnets.values())
        yield any(interface.vpc_id == vpc_id for interface in self._world.interfaces.values())
        yield self._world.gateway_of(vpc_id) is not None
        yield any(not group.is_default for group in self._backend.groups.get(vpc_id, {}).values())
        yield any(t.vpc_id == vpc_id and not is_main(t) for t in self._backend.route_tables.values())

    def _document(self, vpc: Any) -> dict[str, Any]:
        association = next(iter(vpc.cidr_block_association_set))
        return {
            "CidrBlock": vpc.cidr_block,
            "CidrBlockAssociationSet": [
                {
                    "AssociationId": association["association_id"],
                    "CidrBlock": vpc.cidr_block,
                    "CidrBlockState": {"State": "associated"},
                }
            ],
            "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
            "DhcpOptionsId": self._world.dhcp_options_id,
            "InstanceTenancy": vpc.instance_tenancy,
            "IsDefault": vpc.is_default,
            "OwnerId": ACCOUNT,
            "State": vpc.state,
            "Tags": tag_list(self._world.tags(vpc.id)) or None,
            "VpcId": vpc.id,
        }


def _member(attribute: str) -> str:
    """Name the member of a request or answer that holds an attribute."""
    return attribute[0].upper() + attribute[1:]


def block_asked(text: str, parameter: str = "cidrBlock") -> str:
    """Give a block in its canonical form; raises ApiError when it is none (row 2)."""
    block = blocks.canonical(text)
    if block is None:
        message = f"Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
        raise ApiError("InvalidParameterValue", message)
    return block


def one_attribute(params: dict[str, Any], names: Iterable[str]) -> str:
    """Name the one attribute that a Modify call changes; raises ApiError when it is none or several."""
    given = [name for name in names if name in params]
    if not given:
        raise ApiError("InvalidParameterCombination", "No attributes specified.")
    if len(given) > 1:
        several = ", ".join(name[0].lower() + name[1:] for name in given)
        message = f"Fields for multiple attribute types specified: {several}"
        raise ApiError("InvalidParameterCombination", message)
    return given[0]
