"""The rules of security groups: authorized, revoked, changed, described; each has an id of its own.

What a request says is read by ``rules/permissions``; a request that names anything wrong changes nothing
(aws-facts 3.7 rows 17 and 18). moto keeps the rules with their group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from mglab.localcloud.api import ec2_ids, ec2_tags, moto_room
from mglab.localcloud.api.ec2_listing import Listing, listed
from mglab.localcloud.api.ec2_state import ACCOUNT, REGION, World, dry_run, tag_list
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import permissions
from mglab.localcloud.rules.permissions import Permission, Refused

MOST_RULES = 60
"""In each direction."""

GROUP_RULES = Listing(
    kind=ec2_ids.GROUP_RULE,
    ids="SecurityGroupRuleIds",
    answer="SecurityGroupRules",
    id="SecurityGroupRuleId",
    filters={"group-id": "GroupId", "security-group-rule-id": "SecurityGroupRuleId"},
)


class Naming(Protocol):
    """Finds the security group that a request names."""

    def __call__(self, params: dict[str, Any]) -> Any:
        """Give moto's group; raises ApiError."""


class GroupRules:
    """EC2's actions on the rules of security groups."""

    def __init__(self, world: World, named: Naming) -> None:
        self._world = world
        self._named = named

    def authorize_security_group_ingress(self, params: dict[str, Any]) -> dict[str, Any]:
        """Let in what is asked for."""
        return self._authorize(params, egress=False)

    def authorize_security_group_egress(self, params: dict[str, Any]) -> dict[str, Any]:
        """Let out what is asked for."""
        return self._authorize(params, egress=True)

    def revoke_security_group_ingress(self, params: dict[str, Any]) -> dict[str, Any]:
        """Let in no longer."""
        return self._revoke(params, egress=False)

    def revoke_security_group_egress(self, params: dict[str, Any]) -> dict[str, Any]:
        """Let out no longer."""
        return self._revoke(params, egress=True)

    def modify_security_group_rules(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change rules in place: they keep their ids and their kind of peer."""
        group = self._named(params)
        changed = [(self._rule(group, it["SecurityGroupRuleId"]), self._new(it)) for it in params["SecurityGroupRules"]]
        moving = {rule.id for rule, _ in changed}
        taken = {(it.is_egress, permission_of(it).key) for it in _rules(group) if it.id not in moving}
        for rule, permission in changed:
            _same_kind(rule, permission)
            if (rule.is_egress, permission.key) in taken:
                raise _exists(permission)
            taken.add((rule.is_egress, permission.key))
        dry_run(params)
        for rule, permission in changed:
            moto_room.set_rule(rule, permission)
        return {"Return": True}

    def update_security_group_rule_descriptions_ingress(self, params: dict[str, Any]) -> dict[str, Any]:
        """Describe inbound rules anew."""
        return self._update_descriptions(params, egress=False)

    def update_security_group_rule_descriptions_egress(self, params: dict[str, Any]) -> dict[str, Any]:
        """Describe outbound rules anew."""
        return self._update_descriptions(params, egress=True)

    def describe_security_group_rules(self, params: dict[str, Any]) -> dict[str, Any]:
        """List rules one by one; a filter's group id must look like one."""
        for value in (
            v for it in params.get("Filters", []) if it.get("Name") == "group-id" for v in it.get("Values", ())
        ):
            if not re.fullmatch(r"sg-[0-9a-f]+", value):
                raise ApiError("InvalidGroupId.Malformed", f"The security group ID '{value}' is malformed")
        return listed(GROUP_RULES, (self._document(rule) for rule in self._world.group_rules()), params)

    def _authorize(self, params: dict[str, Any], *, egress: bool) -> dict[str, Any]:
        group, asked = self._named(params), self._asked(params)
        tags = ec2_tags.asked(params, "security-group-rule")
        rules = _rules(group, egress)
        there = {permission_of(rule).key for rule in rules}
        for permission in asked:
            if permission.key in there:
                raise _exists(permission)
        if len(rules) + len(asked) > MOST_RULES:
            message = "The maximum number of rules per security group has been reached."
            raise ApiError("RulesPerSecurityGroupLimitExceeded", message)
        dry_run(params)
        made = [moto_room.make_rule(self._world.backend, group, it, egress=egress) for it in asked]
        for rule in made:
            self._world.tag(rule.id, tags)
        return {"Return": True, "SecurityGroupRules": [self._document(rule) for rule in made]}

    def _revoke(self, params: dict[str, Any], *, egress: bool) -> dict[str, Any]:
        group = self._named(params)
        meant = self._meant(group, params, egress)
        dry_run(params)
        gone = {rule.id for rule in meant}
        rules = _rules(group, egress)
        rules[:] = [rule for rule in rules if rule.id not in gone]
        for rule_id in gone:
            self._world.untag(rule_id)
        return {"Return": True, "UnknownIpPermissions": [], "RevokedSecurityGroupRules": [_revoked(it) for it in meant]}

    def _update_descriptions(self, params: dict[str, Any], *, egress: bool) -> dict[str, Any]:
        group = self._named(params)
        if params.get("SecurityGroupRuleDescriptions"):
            asked = params["SecurityGroupRuleDescriptions"]
            meant = [self._rule(group, it["SecurityGroupRuleId"], egress) for it in asked]
            with refusals():
                words = [permissions.described(it.get("Description")) for it in asked]
        else:
            meant = self._meant(group, params, egress)
            words = [permission.description for permission in self._asked(params)]
        dry_run(params)
        for rule, description in zip(meant, words, strict=True):
            moto_room.describe_rule(rule, description)
        return {"Return": True}

    def _meant(self, group: Any, params: dict[str, Any], egress: bool) -> list[Any]:
        """Find the rules that a request names by id or by what they permit."""
        if params.get("SecurityGroupRuleIds"):
            return [self._rule(group, rule_id, egress) for rule_id in params["SecurityGroupRuleIds"]]
        by_key = {permission_of(rule).key: rule for rule in _rules(group, egress)}
        asked = self._asked(params)
        if any(permission.key not in by_key for permission in asked):
            message = "The specified rule does not exist in this security group."
            raise ApiError("InvalidPermission.NotFound", message)
        return [by_key[permission.key] for permission in asked]

    def _rule(self, group: Any, rule_id: str, egress: bool | None = None) -> Any:
        found = next((rule for rule in _rules(group, egress) if rule.id == rule_id), None)
        return ec2_ids.known(ec2_ids.GROUP_RULE, rule_id, found)

    def _asked(self, params: dict[str, Any]) -> list[Permission]:
        with refusals():
            return permissions.asked(params, self._peer_group)

    def _new(self, update: Mapping[str, Any]) -> Permission:
        with refusals():
            permission = permissions.one(update.get("SecurityGroupRule", {}))
        if permission.peer.startswith("sg-"):
            self._world.group(permission.peer)
        return permission

    def _peer_group(self, pair: Mapping[str, Any]) -> str:
        return str(self._named(dict(pair)).id)

    def _document(self, rule: Any) -> dict[str, Any]:
        permission, peer = permission_of(rule), permission_of(rule).peer
        return {
            "CidrIpv4": peer if _kind(peer) == "CidrIpv4" else None,
            "CidrIpv6": peer if _kind(peer) == "CidrIpv6" else None,
            "Description": permission.description,
            "FromPort": -1 if permission.from_port is None else permission.from_port,
            "GroupId": rule.group_id,
            "GroupOwnerId": ACCOUNT,
            "IpProtocol": permission.protocol,
            "IsEgress": rule.is_egress,
            "ReferencedGroupInfo": {"GroupId": peer, "UserId": ACCOUNT} if _kind(peer) == "ReferencedGroupId" else None,
            "SecurityGroupRuleArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group-rule/{rule.id}",
            "SecurityGroupRuleId": rule.id,
            "Tags": tag_list(self._world.tags(rule.id)),
            "ToPort": -1 if permission.to_port is None else permission.to_port,
        }


def permission_of(rule: Any) -> Permission:
    """Read moto's rule as what it permits."""
    peer = rule.cidr_ipv4 or rule.cidr_ipv6 or rule.source_group.get("GroupId", "")
    words = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return Permission(rule.ip_protocol, rule.from_port, rule.to_port, peer, words)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what ``rules/permissions`` refuses into an answer."""
    try:
        yield
    except Refused as refused:
        raise ApiError(refused.code, refused.message) from refused


def _rules(group: Any, egress: bool | None = None) -> Any:
    if egress is None:
        return [*group.ingress_rules, *group.egress_rules]
    return group.egress_rules if egress else group.ingress_rules


def _kind(peer: str) -> str:
    return "ReferencedGroupId" if peer.startswith("sg-") else "CidrIpv6" if ":" in peer else "CidrIpv4"


def _same_kind(rule: Any, new: Permission) -> None:
    had, wanted = _kind(permission_of(rule).peer), _kind(new.peer)
    if had != wanted:
        message = f"You may not specify {wanted} for an existing {had} rule."
        raise ApiError("InvalidParameterValue", f"Invalid rule type for security group rule '{rule.id}'. {message}")


def _exists(permission: Permission) -> ApiError:
    message = f'the specified rule "{permissions.spelled(permission)}" already exists'
    return ApiError("InvalidPermission.Duplicate", message)


def _revoked(rule: Any) -> dict[str, Any]:
    permission = permission_of(rule)
    return {
        _kind(permission.peer): permission.peer,
        "Description": permission.description,
        "FromPort": -1 if permission.from_port is None else permission.from_port,
        "GroupId": rule.group_id,
        "IpProtocol": permission.protocol,
        "IsEgress": rule.is_egress,
        "SecurityGroupRuleId": rule.id,
        "ToPort": -1 if permission.to_port is None else permission.to_port,
    }
