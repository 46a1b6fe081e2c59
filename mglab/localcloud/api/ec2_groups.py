"""Security groups: made with no way in and every way out, named once in a VPC, kept while they are used.

(aws-facts 3.5, 3.7 rows 14, 16 and 18.) Their rules are in ``ec2_group_rules``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mglab.localcloud.api import ec2_ids, ec2_tags
from mglab.localcloud.api.ec2_group_rules import permission_of
from mglab.localcloud.api.ec2_listing import Listing, listed
from mglab.localcloud.api.ec2_state import ACCOUNT, REGION, World, dry_run, tag_list
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.permissions import TEXT, TEXT_WORDS, bundled

PERMISSION_FILTERS = {
    "cidr": "IpRanges.CidrIp",
    "from-port": "FromPort",
    "group-id": "UserIdGroupPairs.GroupId",
    "group-name": "UserIdGroupPairs.GroupName",
    "ipv6-cidr": "Ipv6Ranges.CidrIpv6",
    "prefix-list-id": "PrefixListIds.PrefixListId",
    "protocol": "IpProtocol",
    "to-port": "ToPort",
    "user-id": "UserIdGroupPairs.UserId",
}

GROUPS = Listing(
    kind=ec2_ids.GROUP,
    ids="GroupIds",
    answer="SecurityGroups",
    id="GroupId",
    filters={
        "description": "Description",
        "group-id": "GroupId",
        "group-name": "GroupName",
        "owner-id": "OwnerId",
        "vpc-id": "VpcId",
        **{f"ip-permission.{name}": f"IpPermissions.{path}" for name, path in PERMISSION_FILTERS.items()},
        **{f"egress.ip-permission.{name}": f"IpPermissionsEgress.{path}" for name, path in PERMISSION_FILTERS.items()},
    },
)


class Groups:
    """EC2's actions on security groups."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend

    def create_security_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a group that admits nobody and lets everything out (row 16)."""
        name = params["GroupName"]
        _check_name(name)
        _check_description(params["Description"])
        vpc_id = self._world.vpc(params["VpcId"]).id if params.get("VpcId") else self._default_vpc_id()
        tags = ec2_tags.asked(params, "security-group")
        if self._backend.get_security_group_from_name(name, vpc_id) is not None:
            message = f"The security group '{name}' already exists for VPC '{vpc_id}'"
            raise ApiError("InvalidGroup.Duplicate", message)
        dry_run(params)
        group = self._backend.create_security_group(name, params["Description"], vpc_id=vpc_id)
        self._world.tag(group.id, tags)
        return {"GroupId": group.id, "SecurityGroupArn": _arn(group.id), "Tags": tag_list(tags) or None}

    def delete_security_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a group that no interface has and no other group's rule names (row 14), never a default one."""
        group = self.named(params)
        if group.is_default:
            message = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
            raise ApiError("CannotDelete", message)
        used = any(group.id in interface.group_ids for interface in self._world.interfaces.values())
        if used or self._is_referenced(group):
            raise ApiError("DependencyViolation", f"resource {group.id} has a dependent object")
        dry_run(params)
        for rule in (*group.ingress_rules, *group.egress_rules):
            self._world.untag(rule.id)
        self._backend.delete_security_group(group_id=group.id)
        return {"Return": True, "GroupId": group.id}

    def describe_security_groups(self, params: dict[str, Any]) -> dict[str, Any]:
        """List groups; names are those of the default VPC."""
        groups = [group for groups in self._backend.groups.values() for group in groups.values()]
        names = params.get("GroupNames", [])
        if names:
            wanted = {self.named({"GroupName": name}).id for name in names} | set(params.get("GroupIds", []))
            groups = [group for group in groups if group.id in wanted]
        return listed(GROUPS, (self._document(group) for group in groups), params)

    def named(self, params: dict[str, Any]) -> Any:
        """Find the group that a request names by GroupId, or in the default VPC by GroupName (row 18)."""
        if params.get("GroupId"):
            return self._world.group(params["GroupId"])
        name = params.get("GroupName")
        if not name:
            raise ApiError("MissingParameter", "The request must contain the parameter groupName or groupId")
        vpc_id = next((vpc.id for vpc in self._backend.vpcs.values() if vpc.is_default), None)
        found = self._backend.get_security_group_from_name(name, vpc_id) if vpc_id else None
        if found is None:
            message = f"The security group '{name}' does not exist in default VPC '{vpc_id or 'none'}'"
            raise ApiError("InvalidGroup.NotFound", message)
        return found

    def _is_referenced(self, group: Any) -> bool:
        return any(
            rule.group_id != group.id and permission_of(rule).peer == group.id for rule in self._world.group_rules()
        )

    def _default_vpc_id(self) -> str:
        default = next((vpc.id for vpc in self._backend.vpcs.values() if vpc.is_default), None)
        if default is None:
            raise ApiError("VPCIdNotSpecified", "No default VPC for this user")
        return str(default)

    def _document(self, group: Any) -> dict[str, Any]:
        return {
            "Description": group.description,
            "GroupId": group.id,
            "GroupName": group.name,
            "IpPermissions": _permissions(group.ingress_rules),
            "IpPermissionsEgress": _permissions(group.egress_rules),
            "OwnerId": ACCOUNT,
            "SecurityGroupArn": _arn(group.id),
            "Tags": tag_list(self._world.tags(group.id)) or None,
            "VpcId": group.vpc_id,
        }


def _permissions(rules: Iterable[Any]) -> list[dict[str, Any]]:
    return bundled((permission_of(rule) for rule in rules), ACCOUNT)


def _arn(group_id: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{group_id}"


def _check_name(name: str) -> None:
    if name.startswith("sg-"):
        message = "Invalid security group name. Group names may not be in the format sg-*."
        raise ApiError("InvalidParameterValue", message)
    if name.lower() == "default":
        raise ApiError("InvalidParameterValue", f"Cannot use reserved security group name: {name}")
    if not name.strip() or not re.fullmatch(TEXT, name):
        raise ApiError("InvalidParameterValue", f"Invalid security group name. Valid names are {TEXT_WORDS}")


def _check_description(text: str) -> None:
    if not text:
        raise ApiError("MissingParameter", "The request must contain the parameter GroupDescription")
    if not text.isascii():
        message = f"Value ({text}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not"
        raise ApiError("InvalidParameterValue", f"{message} supported.")
    if not re.fullmatch(TEXT, text):
        message = f"Invalid security group description. Valid descriptions are {TEXT_WORDS}"
        raise ApiError("InvalidParameterValue", message)
