"""Subnets: blocks of their VPC's addresses, each in one zone (aws-facts 3.5, 3.7 rows 3-5 and 12).

Five addresses of each are AWS's; the rest are counted as interfaces take them. A subnet that somebody makes gives
its instances no public addresses unless told to. Its route-table association goes with it.
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api import ec2_ids, ec2_tags
from mglab.localcloud.api.ec2_listing import Listing, listed
from mglab.localcloud.api.ec2_state import ACCOUNT, REGION, World, dry_run, tag_list
from mglab.localcloud.api.ec2_vpcs import block_asked, one_attribute
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import ZONE_IDS
from mglab.localcloud.rules import blocks

MOST_SUBNETS = 200
"""aws-facts 3.5: quotas, of one VPC."""
FIXED: dict[str, Any] = {
    "AssignIpv6AddressOnCreation": False,
    "EnableDns64": False,
    "EnableResourceNameDnsAAAARecordOnLaunch": False,
    "MapCustomerOwnedIpOnLaunch": False,
    "PrivateDnsHostnameTypeOnLaunch": "ip-name",
}

SUBNETS = Listing(
    kind=ec2_ids.SUBNET,
    ids="SubnetIds",
    answer="Subnets",
    id="SubnetId",
    filters={
        "availability-zone": "AvailabilityZone",
        "availabilityZone": "AvailabilityZone",
        "availability-zone-id": "AvailabilityZoneId",
        "availabilityZoneId": "AvailabilityZoneId",
        "available-ip-address-count": "AvailableIpAddressCount",
        "cidr": "CidrBlock",
        "cidr-block": "CidrBlock",
        "cidrBlock": "CidrBlock",
        "customer-owned-ipv4-pool": "CustomerOwnedIpv4Pool",
        "default-for-az": "DefaultForAz",
        "defaultForAz": "DefaultForAz",
        "enable-dns64": "EnableDns64",
        "enable-lni-at-device-index": "EnableLniAtDeviceIndex",
        "ipv6-cidr-block-association.association-id": "Ipv6CidrBlockAssociationSet.AssociationId",
        "ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
        "ipv6-cidr-block-association.state": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State",
        "ipv6-native": "Ipv6Native",
        "map-customer-owned-ip-on-launch": "MapCustomerOwnedIpOnLaunch",
        "map-public-ip-on-launch": "MapPublicIpOnLaunch",
        "outpost-arn": "OutpostArn",
        "owner-id": "OwnerId",
        "private-dns-name-options-on-launch.hostname-type": "PrivateDnsNameOptionsOnLaunch.HostnameType",
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record": (
            "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord"
        ),
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": (
            "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsAAAARecord"
        ),
        "state": "State",
        "subnet-arn": "SubnetArn",
        "subnet-id": "SubnetId",
        "vpc-id": "VpcId",
    },
)


class Subnets:
    """EC2's actions on subnets."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend

    def create_subnet(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a subnet, pending."""
        vpc = self._world.vpc(params["VpcId"])
        if "CidrBlock" not in params:
            raise ApiError("MissingParameter", "The request must contain the parameter cidrBlock")
        zone, tags = _zone(params), ec2_tags.asked(params, "subnet")
        block = self._free_block(vpc, params["CidrBlock"])
        dry_run(params)
        subnet = self._backend.create_subnet(vpc.id, block, availability_zone=zone)
        self._world.tag(subnet.id, tags)
        return {"Subnet": self._document(subnet)}

    def delete_subnet(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a subnet with no interface in it (row 12), and its route-table association."""
        subnet = self._world.subnet(params["SubnetId"])
        if any(interface.subnet_id == subnet.id for interface in self._world.interfaces.values()):
            message = f"The subnet '{subnet.id}' has dependencies and cannot be deleted."
            raise ApiError("DependencyViolation", message)
        dry_run(params)
        for table in self._backend.route_tables.values():
            for association in table.associations:
                if association.get("SubnetId") == subnet.id:
                    self._backend.disassociate_route_table(association["RouteTableAssociationId"])
        self._backend.delete_subnet(subnet.id)
        return {}

    def describe_subnets(self, params: dict[str, Any]) -> dict[str, Any]:
        """List subnets."""
        every = (subnet for subnets in self._backend.subnets.values() for subnet in subnets.values())
        return listed(SUBNETS, (self._document(subnet) for subnet in every), params)

    def modify_subnet_attribute(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change one attribute."""
        subnet = self._world.subnet(params["SubnetId"])
        name = one_attribute(params, [it for it in params if it not in ("SubnetId", "DryRun")])
        value = params[name]["Value"] if isinstance(params[name], dict) else params[name]
        if name == "MapPublicIpOnLaunch":
            subnet.map_public_ip_on_launch = value
        elif name == "EnableResourceNameDnsARecordOnLaunch":
            subnet.private_dns_name_options_on_launch["EnableResourceNameDnsARecord"] = value
        elif name not in FIXED or FIXED[name] != value:
            raise ApiError("UnsupportedOperation", f"The local cloud keeps a subnet's {name} as it is.")
        return {}

    def _free_block(self, vpc: Any, text: str) -> str:
        block = block_asked(text)
        others = [it.cidr_block for them in self._backend.subnets.values() for it in them.values() if _in(it, vpc)]
        if not blocks.has_network_size(block) or not blocks.within(block, [vpc.cidr_block]):
            raise ApiError("InvalidSubnet.Range", f"The CIDR '{text}' is invalid.")
        if blocks.overlaps(block, others):
            raise ApiError("InvalidSubnet.Conflict", f"The CIDR '{text}' conflicts with another subnet")
        if len(others) >= MOST_SUBNETS:
            raise ApiError("SubnetLimitExceeded", "The maximum number of subnets has been reached.")
        return block

    def _document(self, subnet: Any) -> dict[str, Any]:
        return {
            "AssignIpv6AddressOnCreation": False,
            "AvailabilityZone": subnet.availability_zone,
            "AvailabilityZoneId": ZONE_IDS[subnet.availability_zone],
            "AvailableIpAddressCount": self._world.count_free_addresses(subnet),
            "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
            "CidrBlock": subnet.cidr_block,
            "DefaultForAz": subnet.default_for_az,
            "EnableDns64": False,
            "Ipv6CidrBlockAssociationSet": [],
            "Ipv6Native": False,
            "MapCustomerOwnedIpOnLaunch": False,
            "MapPublicIpOnLaunch": subnet.map_public_ip_on_launch,
            "OwnerId": ACCOUNT,
            "PrivateDnsNameOptionsOnLaunch": dict(subnet.private_dns_name_options_on_launch),
            "State": subnet.state,
            "SubnetArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:subnet/{subnet.id}",
            "SubnetId": subnet.id,
            "Tags": tag_list(self._world.tags(subnet.id)) or None,
            "VpcId": subnet.vpc_id,
        }


def _in(subnet: Any, vpc: Any) -> bool:
    return bool(subnet.vpc_id == vpc.id)


def _zone(params: dict[str, Any]) -> str:
    """Choose the zone: the one that is asked for by name or id (row 5), else the first."""
    for parameter, choices in (("availabilityZone", list(ZONE_IDS)), ("availabilityZoneId", list(ZONE_IDS.values()))):
        asked = params.get(parameter[0].upper() + parameter[1:])
        if asked in choices:
            return list(ZONE_IDS)[choices.index(asked)]
        if asked is not None:
            raise ApiError(
                "InvalidParameterValue",
                f"Value ({asked}) for parameter {parameter} is invalid. Subnets can currently only be created in the "
                f"following availability zones: {', '.join(choices)}.",
            )
    return next(iter(ZONE_IDS))
