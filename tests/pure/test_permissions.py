"""Blocks of addresses and what a security group may permit: read, checked, brought into AWS's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mglab.localcloud.rules import blocks
from mglab.localcloud.rules.permissions import Permission, Refused, asked, bundled, one, spelled

ANYWHERE = "0.0.0.0/0"
GROUP = "sg-0123456789abcdef0"


def pair(words: Mapping[str, Any]) -> str:
    return str(words["GroupId"])


@pytest.mark.parametrize(
    "text, block",
    [
        ("100.68.0.18/18", "100.68.0.0/18"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("1.2.3.4/32", "1.2.3.4/32"),
        ("1.2.3.4", None),
        ("1.2.3.4/33", None),
        ("1.2.3.4/255.255.0.0", None),
        ("::/0", None),
        ("", None),
    ],
)
def test_a_block_has_one_form(text: str, block: str | None) -> None:
    assert blocks.canonical(text) == block


def test_blocks_lie_within_and_overlap() -> None:
    vpc = ["192.168.0.0/23"]
    assert blocks.within("192.168.1.0/24", vpc) and not blocks.within("192.168.2.0/24", vpc)
    assert blocks.overlaps("192.168.0.0/16", vpc) and not blocks.overlaps("10.0.0.0/8", vpc)
    assert [blocks.has_network_size(f"10.0.0.0/{prefix}") for prefix in (15, 16, 28, 29)] == [False, True, True, False]
    assert blocks.canonical_v6("2001:db8::1/32") == "2001:db8::/32" and blocks.canonical_v6("2001:db8::1") is None


@pytest.mark.parametrize(
    "bundle, permission",
    [
        ({"IpProtocol": "6", "FromPort": 22, "ToPort": 22}, ("tcp", 22, 22)),
        ({"IpProtocol": "UDP", "FromPort": 0, "ToPort": 65535}, ("udp", 0, 65535)),
        ({"IpProtocol": "-1", "FromPort": 5, "ToPort": 5}, ("-1", None, None)),
        ({"IpProtocol": "icmp"}, ("icmp", -1, -1)),
        ({"IpProtocol": "50"}, ("50", None, None)),
    ],
)
def test_a_protocol_and_its_ports_have_one_form(bundle: dict[str, Any], permission: tuple[Any, ...]) -> None:
    found = asked({"IpPermissions": [{**bundle, "IpRanges": [{"CidrIp": ANYWHERE}]}]}, pair)
    assert found == [Permission(*permission, ANYWHERE)]


def test_a_request_spells_one_out_or_bundles_many() -> None:
    alone = {"GroupId": GROUP, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.1.2.3/16"}
    assert asked(alone, pair) == [Permission("tcp", 22, 22, "10.1.0.0/16")]
    many = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE, "Description": "all"}],
            "UserIdGroupPairs": [{"GroupId": GROUP}]}  # fmt: skip
    permissions = asked({"IpPermissions": [many]}, pair)
    assert [it.peer for it in permissions] == [ANYWHERE, GROUP]
    assert bundled(permissions, "owner") == [
        {
            "IpProtocol": "-1",
            "FromPort": None,
            "ToPort": None,
            "IpRanges": [{"CidrIp": ANYWHERE, "Description": "all"}],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
            "UserIdGroupPairs": [{"GroupId": GROUP, "UserId": "owner", "Description": None}],
        }
    ]


def test_a_description_does_not_make_another_permission() -> None:
    twice = [{"CidrIp": ANYWHERE, "Description": "a"}, {"CidrIp": ANYWHERE, "Description": "b"}]
    with pytest.raises(Refused, match="must not appear multiple times"):
        asked({"IpPermissions": [{"IpProtocol": "-1", "IpRanges": twice}]}, pair)


def test_a_request_names_something() -> None:
    with pytest.raises(Refused) as nothing:
        asked({"GroupId": GROUP}, pair)
    assert nothing.value.code == "MissingParameter"
    with pytest.raises(Refused) as prefix_list:
        asked({"IpPermissions": [{"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1"}]}]}, pair)
    assert prefix_list.value.code == "InvalidPrefixListID.NotFound"


def test_a_rule_has_one_peer() -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}
    assert one({**rule, "ReferencedGroupId": GROUP, "Description": ""}) == Permission("tcp", 1, 2, GROUP)
    for peers, code in (
        ({}, "MissingParameter"),
        ({"CidrIpv4": ANYWHERE, "CidrIpv6": "::/0"}, "InvalidParameterCombination"),
    ):
        with pytest.raises(Refused) as refused:
            one({**rule, **peers})
        assert refused.value.code == code


@pytest.mark.fact("3.7/17")
def test_a_permission_is_spelled_as_aws_does() -> None:
    assert spelled(Permission("tcp", 22, 22, ANYWHERE)) == "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW"
    assert spelled(Permission("-1", None, None, GROUP)) == f"peer: {GROUP}, ALL, ALLOW"
    assert spelled(Permission("icmp", 8, -1, ANYWHERE)) == "peer: 0.0.0.0/0, ICMP, type: 8, code: -1, ALLOW"
