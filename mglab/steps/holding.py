"""What holds on to a piece of the network that AWS will not delete yet: the "dependent object", by name.

AWS says only that something still uses the resource (aws-facts 3.6). Nearly always it is a network interface:
an instance's, or one that a load balancer left behind. A VPC is also held by whatever else lies in it, a gateway
by the public addresses that are mapped through it. Only looks; whose a holder is, the account's tags say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mglab.session import Lab
from mglab.steps.ensure import having, tag
from mglab.steps.inventory import Found

INTERFACE_FILTERS = {"vpc": "vpc-id", "subnet": "subnet-id", "security-group": "group-id"}


def holders(lab: Lab, found: Found) -> list[str]:
    """Name what uses a VPC, subnet, gateway or security group; of other kinds nothing is known."""
    if found.what == "internet-gateway":
        return list(_mapped_through(lab, found.resource_id))
    if found.what not in INTERFACE_FILTERS:
        return []
    interfaces = _interfaces(lab, having(INTERFACE_FILTERS[found.what], found.resource_id))
    inside = _inside(lab, found.resource_id) if found.what == "vpc" else ()
    return [*map(_interface, interfaces), *inside]


def _interfaces(lab: Lab, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pages = lab.ec2.get_paginator("describe_network_interfaces").paginate(Filters=filters)
    return [it for page in pages for it in page["NetworkInterfaces"]]


def _interface(answer: dict[str, Any]) -> str:
    """Call an interface by its instance, else by what AWS noted of its purpose."""
    interface_id, owner = answer["NetworkInterfaceId"], answer.get("Attachment", {}).get("InstanceId")
    if owner:
        return f"instance {owner} ({interface_id})"
    purpose = answer.get("Description")
    return f"network interface {interface_id}" + (f" ({purpose})" if purpose else "")


def _mapped_through(lab: Lab, gateway_id: str) -> Iterator[str]:
    """Name the interfaces with public addresses in the VPCs that a gateway is attached to."""
    answer = lab.ec2.describe_internet_gateways(Filters=having("internet-gateway-id", gateway_id))
    for link in (it for gateway in answer["InternetGateways"] for it in gateway.get("Attachments") or ()):
        for interface in _interfaces(lab, having("vpc-id", link["VpcId"])):
            if interface.get("Association"):
                yield _interface(interface)


def _inside(lab: Lab, vpc_id: str) -> Iterator[str]:
    """Name what lies in a VPC beside its interfaces and what came with it: subnets, groups, gateways."""
    for it in lab.ec2.describe_subnets(Filters=having("vpc-id", vpc_id))["Subnets"]:
        yield _named("subnet", it, it["SubnetId"])
    for it in lab.ec2.describe_security_groups(Filters=having("vpc-id", vpc_id))["SecurityGroups"]:
        if it["GroupName"] != "default":
            yield f"security group {it['GroupName']} {it['GroupId']}"
    for it in lab.ec2.describe_internet_gateways(Filters=having("attachment.vpc-id", vpc_id))["InternetGateways"]:
        yield _named("internet gateway", it, it["InternetGatewayId"])


def _named(what: str, answer: dict[str, Any], resource_id: str) -> str:
    name = tag(answer.get("Tags"), "Name")
    return f"{what} {name} {resource_id}" if name else f"{what} {resource_id}"
