"""What an account finds in its region: zones, attributes, the set of DHCP options and the network ACLs.

None of it can be changed here: every VPC has the account's one set of DHCP options and the ACL that it was born
with, which allows everything (aws-facts 3.5), so that ``rules/reach`` need not ask it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mglab.localcloud.api import ec2_ids
from mglab.localcloud.api.ec2_addresses import MOST_ADDRESSES
from mglab.localcloud.api.ec2_listing import Listing, filtered, listed
from mglab.localcloud.api.ec2_state import ACCOUNT, MOST_GROUPS, REGION, World, dry_run, tag_list
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.api.moto_room import ZONE_IDS

ZONE_FILTERS = {
    "group-long-name": "GroupLongName",
    "group-name": "GroupName",
    "message": "Messages.Message",
    "opt-in-status": "OptInStatus",
    "parent-zone-id": "ParentZoneId",
    "parent-zone-name": "ParentZoneName",
    "region-name": "RegionName",
    "state": "State",
    "zone-id": "ZoneId",
    "zone-name": "ZoneName",
    "zone-type": "ZoneType",
}

DHCP_OPTIONS = Listing(
    kind=ec2_ids.DHCP_OPTIONS,
    ids="DhcpOptionsIds",
    answer="DhcpOptions",
    id="DhcpOptionsId",
    filters={
        "dhcp-options-id": "DhcpOptionsId",
        "key": "DhcpConfigurations.Key",
        "owner-id": "OwnerId",
        "value": "DhcpConfigurations.Values.Value",
    },
)

ACLS = Listing(
    kind=ec2_ids.ACL,
    ids="NetworkAclIds",
    answer="NetworkAcls",
    id="NetworkAclId",
    filters={
        "association.association-id": "Associations.NetworkAclAssociationId",
        "association.network-acl-id": "Associations.NetworkAclId",
        "association.subnet-id": "Associations.SubnetId",
        "default": "IsDefault",
        "entry.cidr": "Entries.CidrBlock",
        "entry.egress": "Entries.Egress",
        "entry.icmp.code": "Entries.IcmpTypeCode.Code",
        "entry.icmp.type": "Entries.IcmpTypeCode.Type",
        "entry.ipv6-cidr": "Entries.Ipv6CidrBlock",
        "entry.port-range.from": "Entries.PortRange.From",
        "entry.port-range.to": "Entries.PortRange.To",
        "entry.protocol": "Entries.Protocol",
        "entry.rule-action": "Entries.RuleAction",
        "entry.rule-number": "Entries.RuleNumber",
        "network-acl-id": "NetworkAclId",
        "owner-id": "OwnerId",
        "vpc-id": "VpcId",
    },
)


class Account:
    """EC2's actions that read an account and its region."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe_availability_zones(self, params: dict[str, Any]) -> dict[str, Any]:
        """List the region's zones, or those that are named."""
        for asked, known in (("ZoneNames", list(ZONE_IDS)), ("ZoneIds", list(ZONE_IDS.values()))):
            unknown = [name for name in params.get(asked, []) if name not in known]
            if unknown:
                raise ApiError("InvalidParameterValue", f"Invalid availability zone: [{unknown[0]}]")
        names, ids = params.get("ZoneNames", []), params.get("ZoneIds", [])
        every = [_zone(name, zone_id) for name, zone_id in ZONE_IDS.items()]
        named = [it for it in every if (it["ZoneName"] in names or not names) and (it["ZoneId"] in ids or not ids)]
        found = filtered(ZONE_FILTERS, named, params)
        dry_run(params)
        return {"AvailabilityZones": found}

    def describe_account_attributes(self, params: dict[str, Any]) -> dict[str, Any]:
        """Read the account's attributes."""
        default = next((vpc.id for vpc in self._world.backend.vpcs.values() if vpc.is_default), "none")
        values = {
            "supported-platforms": "VPC",
            "vpc-max-security-groups-per-interface": str(MOST_GROUPS),
            "max-elastic-ips": str(MOST_ADDRESSES),
            "max-instances": "20",
            "vpc-max-elastic-ips": str(MOST_ADDRESSES),
            "default-vpc": default,
        }
        asked = params.get("AttributeNames") or list(values)
        for name in asked:
            if name not in values:
                raise ApiError("InvalidParameterValue", f"Value ({name}) for parameter attributeName is invalid.")
        dry_run(params)
        return {
            "AccountAttributes": [
                {"AttributeName": name, "AttributeValues": [{"AttributeValue": values[name]}]} for name in asked
            ]
        }

    def describe_dhcp_options(self, params: dict[str, Any]) -> dict[str, Any]:
        """List the account's one set of DHCP options."""
        options_id = self._world.dhcp_options_id
        document = {
            "DhcpConfigurations": [
                {"Key": "domain-name", "Values": [{"Value": "ec2.internal"}]},
                {"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]},
            ],
            "DhcpOptionsId": options_id,
            "OwnerId": ACCOUNT,
            "Tags": tag_list(self._world.tags(options_id)),
        }
        return listed(DHCP_OPTIONS, [document], params)

    def describe_network_acls(self, params: dict[str, Any]) -> dict[str, Any]:
        """List the VPCs' network ACLs."""
        return listed(ACLS, self._acls(), params)

    def _acls(self) -> Iterator[dict[str, Any]]:
        for acl in self._world.backend.network_acls.values():
            yield {
                "Associations": [
                    {"NetworkAclAssociationId": it.id, "NetworkAclId": acl.id, "SubnetId": it.subnet_id}
                    for it in acl.associations
                ],
                "Entries": [
                    {
                        "CidrBlock": entry.cidr_block,
                        "Egress": entry.egress,
                        "Protocol": entry.protocol,
                        "RuleAction": entry.rule_action,
                        "RuleNumber": entry.rule_number,
                    }
                    for entry in acl.network_acl_entries
                ],
                "IsDefault": acl.default,
                "NetworkAclId": acl.id,
                "OwnerId": ACCOUNT,
                "Tags": tag_list(self._world.tags(acl.id)),
                "VpcId": acl.vpc_id,
            }


def _zone(name: str, zone_id: str) -> dict[str, Any]:
    return {
        "GroupName": "us-east-1-zg-1",
        "GroupLongName": "US East (N. Virginia) 1",
        "Messages": [],
        "NetworkBorderGroup": REGION,
        "OptInStatus": "opt-in-not-required",
        "RegionName": REGION,
        "State": "available",
        "ZoneId": zone_id,
        "ZoneName": name,
        "ZoneType": "availability-zone",
    }
