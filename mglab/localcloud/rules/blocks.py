"""Blocks of IPv4 addresses, as VPCs, subnets, routes and security group rules write them.

AWS keeps a block in its canonical form: 100.68.0.18/18 becomes 100.68.0.0/18. The prefix of a VPC or a subnet
lies between /16 and /28 (aws-facts 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

WIDEST_PREFIX, NARROWEST_PREFIX = 16, 28  # aws-facts 3.5


def canonical(text: str) -> str | None:
    """Give an IPv4 block without its host bits; None when it is no block in CIDR notation."""
    if not re.fullmatch(r"[0-9.]+/[0-9]{1,2}", text):
        return None
    try:
        return str(IPv4Network(text, strict=False))
    except ValueError:
        return None


def canonical_v6(text: str) -> str | None:
    """Give an IPv6 block without its host bits; None when it is none."""
    if "/" not in text:
        return None
    try:
        return str(IPv6Network(text, strict=False))
    except ValueError:
        return None


def has_network_size(block: str) -> bool:
    """Say whether a VPC or a subnet may have this block's size."""
    return WIDEST_PREFIX <= IPv4Network(block).prefixlen <= NARROWEST_PREFIX


def within(block: str, outer: Iterable[str]) -> bool:
    """Say whether a block lies within one of the others."""
    return any(IPv4Network(block).subnet_of(IPv4Network(other)) for other in outer)


def overlaps(block: str, others: Iterable[str]) -> bool:
    """Say whether a block shares an address with one of the others."""
    return any(IPv4Network(block).overlaps(IPv4Network(other)) for other in others)
