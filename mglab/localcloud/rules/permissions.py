"""What a security group may permit: a request's words read, checked and brought into the form that AWS keeps.

One permission is a protocol, a range of ports (ICMP: type and code) and one peer: a block of addresses or a
security group. A request may bundle many (``IpPermissions``) or spell one out beside the group's id. Protocol -1
is everything, on all ports; tcp and udp want both ends of a range (aws-facts 3.7 row 17 for the words of a rule).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mglab.localcloud.rules.blocks import canonical, canonical_v6

ALL = "-1"
NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
WITH_PORTS, WITH_TYPES = ("tcp", "udp"), ("icmp", "icmpv6")
HIGHEST_PORT, HIGHEST_TYPE, HIGHEST_PROTOCOL = 65535, 255, 255
TEXT = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}"
"""What names and descriptions of groups and rules are made of."""
TEXT_WORDS = "strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"


class Refused(Exception):
    """What was asked cannot be permitted; AWS's code and words for it."""

    def __init__(self, message: str, code: str = "InvalidParameterValue") -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Permission:
    """One permission; ``peer`` is an IPv4 block, an IPv6 block or a security group's id."""

    protocol: str
    from_port: int | None
    to_port: int | None
    peer: str
    description: str | None = None

    @property
    def key(self) -> tuple[str, int | None, int | None, str]:
        """What makes two permissions the same: everything but the description."""
        return (self.protocol, self.from_port, self.to_port, self.peer)


GroupOf = Callable[[Mapping[str, Any]], str]
"""Give the id of the security group that a UserIdGroupPair names."""


def asked(params: Mapping[str, Any], group_of: GroupOf) -> list[Permission]:
    """Read the permissions of a request, bundled or spelled out; raises Refused."""
    bundles = params.get("IpPermissions") or [_spelled_out(params)]
    found = [permission for bundle in bundles for permission in _unbundled(bundle, group_of)]
    if len({permission.key for permission in found}) < len(found):
        raise Refused("The same permission must not appear multiple times")
    return found


def one(request: Mapping[str, Any]) -> Permission:
    """Read a SecurityGroupRuleRequest, which has exactly one peer; raises Refused."""
    peers = [request[name] for name in ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId") if name in request]
    choice = "cidrIp, cidrIpv6, prefixListId, or referencedGroupId"
    if len(peers) > 1:
        raise Refused(f"Only one of {choice} can be specified", "InvalidParameterCombination")
    if not peers:
        raise Refused(f"The request must contain exactly one of: {choice}", "MissingParameter")
    protocol, first, last = _range(request)
    return Permission(protocol, first, last, _peer(peers[0]), described(request.get("Description")))


def described(text: str | None) -> str | None:
    """Hold a rule's description to AWS's letters and length; an empty one is none."""
    if text and not re.fullmatch(TEXT, text):
        raise Refused(f"Invalid rule description. Valid descriptions are {TEXT_WORDS}")
    return text or None


def spelled(permission: Permission) -> str:
    """Spell a permission as AWS does in its refusals (aws-facts 3.7 row 17)."""
    if permission.protocol == ALL:
        return f"peer: {permission.peer}, ALL, ALLOW"
    name = permission.protocol.upper()
    if permission.protocol in WITH_TYPES:
        ports = f"type: {permission.from_port}, code: {permission.to_port}"
    else:
        ports = f"from port: {permission.from_port}, to port: {permission.to_port}"
    return f"peer: {permission.peer}, {name}, {ports}, ALLOW"


def bundled(permissions: Iterable[Permission], owner_id: str) -> list[dict[str, Any]]:
    """Bundle permissions by protocol and ports, as DescribeSecurityGroups shows them."""
    bundles: dict[tuple[str, int | None, int | None], dict[str, Any]] = {}
    for it in permissions:
        bundle = bundles.setdefault((it.protocol, it.from_port, it.to_port), _bundle(it))
        bundle[_member(it.peer)].append(_range_of(it, owner_id))
    return list(bundles.values())


def _bundle(permission: Permission) -> dict[str, Any]:
    ports = {"FromPort": permission.from_port, "ToPort": permission.to_port}
    empty: dict[str, Any] = {name: [] for name in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")}
    return {"IpProtocol": permission.protocol, **ports, **empty}


def _member(peer: str) -> str:
    return "UserIdGroupPairs" if peer.startswith("sg-") else "Ipv6Ranges" if ":" in peer else "IpRanges"


def _range_of(permission: Permission, owner_id: str) -> dict[str, Any]:
    member = _member(permission.peer)
    if member == "UserIdGroupPairs":
        return {"GroupId": permission.peer, "UserId": owner_id, "Description": permission.description}
    return {"CidrIp" if member == "IpRanges" else "CidrIpv6": permission.peer, "Description": permission.description}


def _spelled_out(params: Mapping[str, Any]) -> dict[str, Any]:
    ranges = [{"CidrIp": params["CidrIp"]}] if "CidrIp" in params else []
    source = params.get("SourceSecurityGroupName")
    pairs = [{"GroupName": source}] if source else []
    if not ranges and not pairs:
        raise Refused("Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.", "MissingParameter")
    return {**params, "IpRanges": ranges, "UserIdGroupPairs": pairs}


def _unbundled(bundle: Mapping[str, Any], group_of: GroupOf) -> Iterator[Permission]:
    protocol, first, last = _range(bundle)
    peers: list[tuple[str, Mapping[str, Any]]] = [
        *((_peer(it.get("CidrIp", "")), it) for it in bundle.get("IpRanges", [])),
        *((_peer(it.get("CidrIpv6", "")), it) for it in bundle.get("Ipv6Ranges", [])),
        *((_peer(it.get("PrefixListId", "")), it) for it in bundle.get("PrefixListIds", [])),
        *((group_of(it), it) for it in bundle.get("UserIdGroupPairs", [])),
    ]
    for peer, its_words in peers:
        yield Permission(protocol, first, last, peer, described(its_words.get("Description")))


def _range(request: Mapping[str, Any]) -> tuple[str, int | None, int | None]:
    protocol = _protocol(request.get("IpProtocol"))
    first, last = request.get("FromPort"), request.get("ToPort")
    if protocol in WITH_PORTS:
        return protocol, *_ports(first, last)
    if protocol in WITH_TYPES:
        return protocol, _type(first, "type"), _type(last, "code")
    return protocol, None, None


def _protocol(given: Any) -> str:
    if given is None:
        message = "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."
        raise Refused(message)
    name = NAMES.get(str(given).lower(), str(given).lower())
    numbered = name.isdigit() and int(name) <= HIGHEST_PROTOCOL
    if name not in (ALL, *WITH_PORTS, *WITH_TYPES) and not numbered:
        raise Refused(f"Invalid value '{given}' for IP protocol. Unknown protocol.")
    return name


def _ports(first: int | None, last: int | None) -> tuple[int, int]:
    if first is None or last is None:
        raise Refused("Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
    for end, port in (("from", first), ("to", last)):
        if not 0 <= port <= HIGHEST_PORT:
            raise Refused(f"TCP/UDP ({end}) port ({port}) out of range")
    if first > last:
        raise Refused(f"Invalid TCP/UDP port range ({first}:{last})")
    return first, last


def _type(number: int | None, what: str) -> int:
    if number is None:
        return -1
    if not -1 <= number <= HIGHEST_TYPE:
        raise Refused(f"ICMP {what} ({number}) out of range")
    return number


def _peer(text: str) -> str:
    if text.startswith("sg-"):
        return text
    if text.startswith("pl-"):
        raise Refused(f"The prefix list ID '{text}' does not exist", "InvalidPrefixListID.NotFound")
    block = canonical_v6(text) if ":" in text else canonical(text)
    if block is None:
        raise Refused(f"CIDR block {text} is malformed")
    return block
