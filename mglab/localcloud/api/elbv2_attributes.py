"""Attributes of load balancers, target groups and listeners: what there is, its default, what it may be.

The lists are those of a network load balancer with TCP target groups of type instance (aws-facts 1.1, 1.8).
An attribute whose other values would need something that this cloud does not do is shown with its default,
and a change of it is refused in words: nothing is accepted and then ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mglab.localcloud.api.elbv2_forms import invalid, required
from mglab.localcloud.api.elbv2_state import State, listener, load_balancer, target_group
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.routing import Minimum

Allowed = Callable[[str], bool]
Rule = tuple[str, Allowed | None]
"""Default, and what else it may be; None: this cloud has only the default."""

CROSS_ZONE = "load_balancing.cross_zone.enabled"
DELETION_PROTECTION = "deletion_protection.enabled"
DEREGISTRATION_DELAY = "deregistration_delay.timeout_seconds"
PRESERVE_CLIENT_IP = "preserve_client_ip.enabled"
IDLE_TIMEOUT = "tcp.idle_timeout.seconds"
ROUTING_MINIMUM = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
DNS_MINIMUM = "target_group_health.dns_failover.minimum_healthy_targets"


def one_of(*values: str) -> Allowed:
    """Allow one of some words."""
    return lambda value: value in values


def number(lowest: int, highest: int, *words: str) -> Allowed:
    """Allow a whole number in a range, or one of some words."""
    return lambda value: value in words or (value.isdecimal() and lowest <= int(value) <= highest)


BOOLEAN = one_of("true", "false")
MOST_TARGETS = 1000

LOAD_BALANCER: Mapping[str, Rule] = {
    "access_logs.s3.enabled": ("false", None),
    "access_logs.s3.bucket": ("", None),
    "access_logs.s3.prefix": ("", None),
    DELETION_PROTECTION: ("false", BOOLEAN),
    CROSS_ZONE: ("false", BOOLEAN),
    "ipv6.deny_all_igw_traffic": ("false", None),
    "dns_record.client_routing_policy": ("any_availability_zone", None),
    "zonal_shift.config.enabled": ("false", None),
    "secondary_ips.auto_assigned.per_subnet": ("0", None),
}

TARGET_GROUP: Mapping[str, Rule] = {
    DEREGISTRATION_DELAY: ("300", number(0, 3600)),
    "deregistration_delay.connection_termination.enabled": ("false", None),
    "stickiness.enabled": ("false", None),
    "stickiness.type": ("source_ip", None),
    PRESERVE_CLIENT_IP: ("true", BOOLEAN),
    "proxy_protocol_v2.enabled": ("false", None),
    CROSS_ZONE: ("use_load_balancer_configuration", one_of("true", "false", "use_load_balancer_configuration")),
    f"{DNS_MINIMUM}.count": ("1", number(1, MOST_TARGETS, "off")),
    f"{DNS_MINIMUM}.percentage": ("off", number(1, 100, "off")),
    f"{ROUTING_MINIMUM}.count": ("1", number(1, MOST_TARGETS)),
    f"{ROUTING_MINIMUM}.percentage": ("off", number(1, 100, "off")),
    "target_health_state.unhealthy.connection_termination.enabled": ("true", None),
    "target_health_state.unhealthy.draining_interval_seconds": ("0", None),
}

LISTENER: Mapping[str, Rule] = {IDLE_TIMEOUT: ("350", number(60, 6000))}


def defaults(table: Mapping[str, Rule]) -> dict[str, str]:
    """Give a new resource's attributes."""
    return {key: default for key, (default, _) in table.items()}


def of_load_balancer(scheme: str) -> dict[str, str]:
    """Give a new load balancer's attributes: internal ones shut the gateway out for IPv6 (aws-facts 1.1)."""
    return defaults(LOAD_BALANCER) | {"ipv6.deny_all_igw_traffic": str(scheme == "internal").lower()}


def minimum(attributes: Mapping[str, str], key: str) -> Minimum:
    """Read one pair of thresholds of target_group_health."""
    return Minimum(_or_off(attributes[f"{key}.count"]), _or_off(attributes[f"{key}.percentage"]))


def describe_load_balancer_attributes(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show a load balancer's attributes."""
    return _shown(load_balancer(state, required(params, "LoadBalancerArn")).attributes)


def modify_load_balancer_attributes(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Change some of a load balancer's attributes."""
    found = load_balancer(state, required(params, "LoadBalancerArn"))
    found.attributes.update(_wanted("Load balancer", LOAD_BALANCER, required(params, "Attributes")))
    return _shown(found.attributes)


def describe_target_group_attributes(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show a target group's attributes."""
    return _shown(target_group(state, required(params, "TargetGroupArn")).attributes)


def modify_target_group_attributes(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Change some of a target group's attributes."""
    found = target_group(state, required(params, "TargetGroupArn"))
    found.attributes.update(_wanted("Target group", TARGET_GROUP, required(params, "Attributes")))
    return _shown(found.attributes)


def describe_listener_attributes(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show a listener's attributes."""
    return _shown(listener(state, required(params, "ListenerArn")).attributes)


def modify_listener_attributes(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Change some of a listener's attributes."""
    found = listener(state, required(params, "ListenerArn"))
    found.attributes.update(_wanted("Listener", LISTENER, required(params, "Attributes")))
    return _shown(found.attributes)


def _wanted(kind: str, table: Mapping[str, Rule], items: list[dict[str, str]]) -> dict[str, str]:
    """Check all of a request before any of it takes effect."""
    wanted = {}
    for item in items:
        key, value = item["Key"], item.get("Value", "")
        if key not in table:
            raise invalid(f"{kind} attribute key '{key}' is not recognized")
        _check_value(kind, key, value, table[key])
        wanted[key] = value
    return wanted


def _check_value(kind: str, key: str, value: str, rule: Rule) -> None:
    default, allowed = rule
    if allowed is None and value != default:
        raise ApiError(
            "InvalidConfigurationRequest",
            f"{kind} attribute '{key}' cannot be set to '{value}': the local cloud does not do this, "
            f"it keeps the default '{default}'",
        )
    if allowed is not None and not allowed(value):
        raise invalid(f"{kind} attribute value '{value}' for attribute key '{key}' is not valid")


def _or_off(value: str) -> int | None:
    return None if value == "off" else int(value)


def _shown(attributes: Mapping[str, str]) -> dict[str, Any]:
    return {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}
