"""Load balancers: create, describe, delete, their subnets and security groups.

Only network load balancers are here. One node per subnet, one subnet per zone; an internet-facing one needs an
internet gateway in the VPC (aws-facts 1.1, 3.7 rows 29-32, 36). Security groups can be given when it is made
and not added later (aws-facts 1.2); its interfaces have them too. Deleting one that is not there succeeds; the
interfaces of one that was stay for minutes.
Left out: Elastic IP addresses and private addresses of one's choice, IPv6, Outposts, capacity reservations.
"""

from __future__ import annotations

import re
from typing import Any

from mglab.localcloud.api import elbv2_attributes as attributes
from mglab.localcloud.api.compute import SubnetView
from mglab.localcloud.api.elbv2_forms import check_name, invalid, only_one_of, page, required
from mglab.localcloud.api.elbv2_state import (
    CANONICAL_HOSTED_ZONE_ID,
    LoadBalancer,
    Place,
    State,
    check_arn,
    listeners_of,
    load_balancer,
    moment,
    tags_of,
)
from mglab.localcloud.api.faults import ApiError

MOST_LOAD_BALANCERS = 50  # aws-facts 1.1
FREE_ADDRESSES = 8  # aws-facts 1.1
SUBNET_ID = re.compile(r"subnet-[0-9a-f]{1,17}")
PRIVATE_LINK_RULES = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
PROVISIONING = (0.8, 1.0, 1.6)  # aws-facts 7: 120-240 s, usually 150


def create_load_balancer(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Make a network load balancer (provisioning), or give the one of that name and those settings (step 53)."""
    _check_kind(params)
    _check_name(required(params, "Name"))
    scheme = params.get("Scheme", "internet-facing")
    subnets = _subnets(state, params)
    groups = _security_groups(state, params.get("SecurityGroups", ()), subnets[0].vpc_id)
    if (twin := _named(state, params["Name"])) is not None:
        return _same_or_refused(state, twin, scheme, subnets, groups)
    tags = tags_of(params.get("Tags", ()))
    _check_room(state, scheme, subnets)
    made = _new(state, params["Name"], scheme, subnets, groups)
    state.load_balancers[made.arn], state.tags[made.arn] = made, tags
    _stand_in(state, made, subnets)
    return {"LoadBalancers": [_described(state, made)]}


def describe_load_balancers(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show load balancers by ARN, by name or all; one that is not there is refused."""
    only_one_of(params, Names="load balancer names", LoadBalancerArns="load balancer ARNs")
    shown, marker = page(params, _asked_for(state, params))
    return {"LoadBalancers": [_described(state, balancer) for balancer in shown], **marker}


def delete_load_balancer(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Delete a load balancer and its listeners; one that is not there is no error."""
    arn = required(params, "LoadBalancerArn")
    check_arn(state, "load balancer", arn)
    if (found := state.load_balancers.get(arn)) is None:
        return {}
    if found.attributes[attributes.DELETION_PROTECTION] == "true":
        raise ApiError(
            "OperationNotPermitted",
            f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
        )
    for place in found.places.values():
        _let_go(state, place)
    gone = listeners_of(state, found)
    for listener in gone:
        del state.listeners[listener.arn]
    del state.load_balancers[arn]
    for each in (arn, *(own for listener in gone for own in (listener.arn, listener.rule_arn))):
        state.tags.pop(each, None)
    return {}


def set_subnets(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Replace a load balancer's subnets: a node comes or goes in each zone that changes."""
    found = load_balancer(state, required(params, "LoadBalancerArn"))
    _check_ipv4(params)
    subnets = _subnets(state, params)
    if subnets[0].vpc_id != found.vpc_id:
        raise ApiError("InvalidSubnet", f"The subnet ID '{subnets[0].subnet_id}' is not in the VPC '{found.vpc_id}'")
    new = [each for each in subnets if each.subnet_id not in _subnet_ids(found)]
    _check_room(state, found.scheme, new)
    for place in list(found.places.values()):
        if place.subnet_id not in {each.subnet_id for each in subnets}:
            _let_go(state, found.places.pop(place.zone))
    _stand_in(state, found, new)
    return {"AvailabilityZones": _zones(found), "IpAddressType": "ipv4"}


def set_security_groups(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Replace a load balancer's security groups; one made without any never gets some (aws-facts 1.2)."""
    found = load_balancer(state, required(params, "LoadBalancerArn"))
    if not found.security_group_ids:
        raise ApiError(
            "InvalidConfigurationRequest",
            "You cannot set security groups on a Network Load Balancer which was created without any security groups.",
        )
    found.security_group_ids = _security_groups(state, required(params, "SecurityGroups"), found.vpc_id)
    found.private_link_rules = params.get(PRIVATE_LINK_RULES, found.private_link_rules)
    for place in found.places.values():
        state.compute.set_node_groups(place.interface.interface_id, found.security_group_ids)
    return {"SecurityGroupIds": list(found.security_group_ids), PRIVATE_LINK_RULES: found.private_link_rules}


def set_ip_address_type(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Accept the one address type that there is here."""
    load_balancer(state, required(params, "LoadBalancerArn"))
    _check_ipv4(params)
    return {"IpAddressType": "ipv4"}


def describe_capacity_reservation(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show that no capacity is reserved: nothing reserves any here."""
    load_balancer(state, required(params, "LoadBalancerArn"))
    return {"CapacityReservationState": []}


def delete_left_interfaces(state: State, now: float) -> None:
    """Delete the interfaces of places that have been no more for long enough."""
    for interface_id, due in list(state.lingering.items()):
        if now >= due:
            state.compute.delete_node_interface(interface_id)
            del state.lingering[interface_id]


def _asked_for(state: State, params: dict[str, Any]) -> list[LoadBalancer]:
    """Find those named, one way or the other, in the order of creation; without names all of them."""
    arns, names = params.get("LoadBalancerArns", []), params.get("Names", [])
    for arn in arns:
        check_arn(state, "load balancer", arn)
    everyone = list(state.load_balancers.values())
    if set(arns) - {balancer.arn for balancer in everyone}:
        raise ApiError("LoadBalancerNotFound", "One or more load balancers not found")
    if missing := [name for name in names if name not in {balancer.name for balancer in everyone}]:
        raise ApiError("LoadBalancerNotFound", f"Load balancers '[{', '.join(missing)}]' not found")
    return [each for each in everyone if not (arns or names) or each.arn in arns or each.name in names]


def _check_kind(params: dict[str, Any]) -> None:
    kind = params.get("Type", "application")
    if kind != "network":
        raise invalid(
            f"Load balancer type '{kind}' is not available in the local cloud, only 'network' is: pass Type='network' "
            "(AWS takes 'application' when none is given)"
        )
    _check_ipv4(params)


def _check_ipv4(params: dict[str, Any]) -> None:
    if params.get("IpAddressType", "ipv4") != "ipv4":
        raise invalid(
            f"IP address type '{params['IpAddressType']}' is not available in the local cloud, only 'ipv4' is"
        )


def _check_name(name: str) -> None:
    check_name("Load balancer", name)
    if name.startswith("internal-"):
        raise invalid(f"Load balancer name '{name}' cannot begin with 'internal-'")


def _subnets(state: State, params: dict[str, Any]) -> list[SubnetView]:
    found = [_subnet(state, subnet_id) for subnet_id in _subnet_ids_asked(params)]
    if len({subnet.zone for subnet in found}) < len(found):
        raise ApiError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len({subnet.vpc_id for subnet in found}) > 1:
        raise ApiError("InvalidConfigurationRequest", "All subnets of a load balancer must belong to the same VPC")
    return found


def _subnet_ids_asked(params: dict[str, Any]) -> list[str]:
    mappings = params.get("SubnetMappings", [])
    if bool(mappings) == bool(params.get("Subnets")):
        raise invalid("You must specify either subnets or subnet mappings, and not both")
    for mapping in mappings:
        _check_mapping(mapping)
    return list(dict.fromkeys(params.get("Subnets") or [mapping["SubnetId"] for mapping in mappings]))


def _check_mapping(mapping: dict[str, Any]) -> None:
    """Refuse addresses of one's own choice: this cloud allocates no Elastic IP addresses, so none is there."""
    if "AllocationId" in mapping:
        raise ApiError("AllocationIdNotFound", f"The allocation IDs '{mapping['AllocationId']}' do not exist")
    if further := sorted(set(mapping) - {"SubnetId"}):
        raise invalid(f"{further[0]} in a subnet mapping is not available in the local cloud")


def _subnet(state: State, subnet_id: str) -> SubnetView:
    if not SUBNET_ID.fullmatch(subnet_id):
        raise ApiError("InvalidSubnet", f"The subnet ID '{subnet_id}' is not valid")
    if (found := state.compute.subnet(subnet_id)) is None:
        raise ApiError("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist")
    return found


def _check_room(state: State, scheme: str, subnets: list[SubnetView]) -> None:
    for subnet in subnets:
        if scheme == "internet-facing" and not state.compute.has_gateway(subnet.vpc_id):
            raise ApiError("InvalidSubnet", f"VPC {subnet.vpc_id} has no internet gateway")
        if subnet.free_addresses < FREE_ADDRESSES:
            raise ApiError(
                "InvalidSubnet",
                f"Not enough IP space available in {subnet.subnet_id}. "
                f"ELB requires at least {FREE_ADDRESSES} free IP addresses in each subnet.",
            )


def _security_groups(state: State, group_ids: Any, vpc_id: str) -> tuple[str, ...]:
    for group_id in group_ids:
        if (home := state.compute.vpc_of_security_group(group_id)) is None:
            raise ApiError("InvalidSecurityGroup", f"The security group '{group_id}' does not exist")
        if home != vpc_id:
            raise ApiError("InvalidConfigurationRequest", "One or more security groups are invalid")
    return tuple(dict.fromkeys(group_ids))


def _named(state: State, name: str) -> LoadBalancer | None:
    return next((balancer for balancer in state.load_balancers.values() if balancer.name == name), None)


def _same_or_refused(
    state: State, twin: LoadBalancer, scheme: str, subnets: list[SubnetView], groups: tuple[str, ...]
) -> dict[str, Any]:
    same = (scheme, {each.subnet_id for each in subnets}, set(groups))
    if same != (twin.scheme, _subnet_ids(twin), set(twin.security_group_ids)):
        raise ApiError(
            "DuplicateLoadBalancerName",
            f"A load balancer with the same name '{twin.name}' exists, but with different settings",
        )
    return {"LoadBalancers": [_described(state, twin)]}


def _new(state: State, name: str, scheme: str, subnets: list[SubnetView], groups: tuple[str, ...]) -> LoadBalancer:
    if len(state.load_balancers) >= MOST_LOAD_BALANCERS:
        raise ApiError("TooManyLoadBalancers", "The maximum number of load balancers has been reached")
    now, unique = state.now(), state.new_id()
    shortest, usual, longest = (share * state.knobs.provisioning_s for share in PROVISIONING)
    return LoadBalancer(
        arn=state.arn(f"loadbalancer/net/{name}/{unique}"),
        name=name,
        dns_name=f"{name}-{unique}.elb.{state.region}.amazonaws.com",
        scheme=scheme,
        vpc_id=subnets[0].vpc_id,
        security_group_ids=groups,
        created_at=now,
        active_at=now + state.random.triangular(shortest, longest, usual),
        hash_key=state.secret(16),
        attributes=attributes.of_load_balancer(scheme),
    )


def _stand_in(state: State, balancer: LoadBalancer, subnets: list[SubnetView]) -> None:
    """Give the balancer a node's interface in each subnet."""
    public = balancer.scheme == "internet-facing"
    for subnet in subnets:
        interface = state.compute.create_node_interface(
            f"ELB {balancer.dimension}", subnet.subnet_id, public=public, group_ids=balancer.security_group_ids
        )
        balancer.places[subnet.zone] = Place(subnet.zone, subnet.subnet_id, interface)


def _let_go(state: State, place: Place) -> None:
    state.lingering[place.interface.interface_id] = state.now() + state.knobs.interface_linger_s


def _subnet_ids(balancer: LoadBalancer) -> set[str]:
    return {place.subnet_id for place in balancer.places.values()}


def _described(state: State, balancer: LoadBalancer) -> dict[str, Any]:
    return {
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        "CanonicalHostedZoneId": CANONICAL_HOSTED_ZONE_ID,
        "CreatedTime": moment(balancer.created_at),
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": balancer.vpc_id,
        "State": {"Code": "active" if balancer.active(state.now()) else "provisioning"},
        "Type": "network",
        "AvailabilityZones": _zones(balancer),
        **_groups(balancer),
        "IpAddressType": "ipv4",
    }


def _groups(balancer: LoadBalancer) -> dict[str, Any]:
    """Describe the security groups; a balancer that was made without any has no such members (aws-facts 1.1)."""
    if not balancer.security_group_ids:
        return {}
    return {"SecurityGroups": list(balancer.security_group_ids), PRIVATE_LINK_RULES: balancer.private_link_rules}


def _zones(balancer: LoadBalancer) -> list[dict[str, Any]]:
    return [
        {"ZoneName": place.zone, "SubnetId": place.subnet_id, "LoadBalancerAddresses": []}
        for place in balancer.places.values()
    ]
