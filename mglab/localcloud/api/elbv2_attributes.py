"""Attributes of load balancers, target groups and listeners: what there is, its default, what it may be.

The lists are those of a network load balancer with TCP target groups of type instance (aws-facts 1.1, 1.8).
An attribute whose other values would need something that this cloud does not do is shown with its default,
and a change of it is refused in words: nothing is accepted and then ignored. (zonal_shift.config.enabled may be
switched on: by itself it changes nothing on AWS either.) An access log needs a bucket that lets it in; there is no
S3 here, so AWS's refusal of an unusable bucket is the true answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mglab.localcloud.api.elbv2_forms import invalid, required
from mglab.localcloud.api.elbv2_state import State, listener, load_balancer, target_group
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.routing import Minimum


@dataclass(frozen=True)
class Allowed:
    """What an attribute may be, and the words that AWS has for it."""

    words: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = -1
    anything: bool = False

    def __contains__(self, value: str) -> bool:
        return self.anything or value in self.words or (value.isdecimal() and self.lowest <= int(value) <= self.highest)

    def refused(self, key: str, value: str) -> str:
        """Say what is wrong with a value."""
        if self.highest < 0:
            return f"'{key}' value '{value}' must be one of [{', '.join(self.words)}]"
        also = f" or one of [{', '.join(self.words)}]" if self.words else ""
        return f"'{key}' value '{value}' must be between '{self.lowest}-{self.highest}' inclusive{also}"


Rule = tuple[str, Allowed | None]
"""Default, and what else it may be; None: this cloud has only the default."""

CROSS_ZONE = "load_balancing.cross_zone.enabled"
DELETION_PROTECTION = "deletion_protection.enabled"
DEREGISTRATION_DELAY = "deregistration_delay.timeout_seconds"
PRESERVE_CLIENT_IP = "preserve_client_ip.enabled"
IDLE_TIMEOUT = "tcp.idle_timeout.seconds"
ENDS_WITH_DELAY = "deregistration_delay.connection_termination.enabled"
STICKY = "stickiness.enabled"
STICKINESS_TYPE = "stickiness.type"
UNHEALTHY_ENDS = "target_health_state.unhealthy.connection_termination.enabled"
UNHEALTHY_DRAINING = "target_health_state.unhealthy.draining_interval_seconds"
ACCESS_LOGS = "access_logs.s3.enabled"
LOG_BUCKET = "access_logs.s3.bucket"
ROUTING_MINIMUM = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
DNS_MINIMUM = "target_group_health.dns_failover.minimum_healthy_targets"


def number(lowest: int, highest: int, *words: str) -> Allowed:
    """Allow a whole number in a range, or one of some words."""
    return Allowed(words, lowest, highest)


BOOLEAN = Allowed(("true", "false"))
ANYTHING = Allowed(anything=True)
MOST_TARGETS = 1000

LOAD_BALANCER: Mapping[str, Rule] = {
    ACCESS_LOGS: ("false", BOOLEAN),
    LOG_BUCKET: ("", ANYTHING),
    "access_logs.s3.prefix": ("", ANYTHING),
    DELETION_PROTECTION: ("false", BOOLEAN),
    CROSS_ZONE: ("false", BOOLEAN),
    "ipv6.deny_all_igw_traffic": ("false", None),
    "dns_record.client_routing_policy": ("any_availability_zone", None),
    "zonal_shift.config.enabled": ("false", BOOLEAN),
    "secondary_ips.auto_assigned.per_subnet": ("0", None),
}

TARGET_GROUP: Mapping[str, Rule] = {
    DEREGISTRATION_DELAY: ("300", number(0, 3600)),
    ENDS_WITH_DELAY: ("false", BOOLEAN),
    STICKY: ("false", BOOLEAN),
    STICKINESS_TYPE: ("source_ip", Allowed(("source_ip",))),
    PRESERVE_CLIENT_IP: ("true", BOOLEAN),
    "proxy_protocol_v2.enabled": ("false", None),
    CROSS_ZONE: ("use_load_balancer_configuration", Allowed(("true", "false", "use_load_balancer_configuration"))),
    f"{DNS_MINIMUM}.count": ("1", number(1, MOST_TARGETS, "off")),
    f"{DNS_MINIMUM}.percentage": ("off", number(1, 100, "off")),
    f"{ROUTING_MINIMUM}.count": ("1", number(1, MOST_TARGETS)),
    f"{ROUTING_MINIMUM}.percentage": ("off", number(1, 100, "off")),
    UNHEALTHY_ENDS: ("true", BOOLEAN),
    UNHEALTHY_DRAINING: ("0", number(0, 360_000)),
}

OF_APPLICATION_BALANCERS = frozenset(
    """
    idle_timeout.timeout_seconds client_keep_alive.seconds waf.fail_open.enabled routing.http2.enabled
    connection_logs.s3.enabled connection_logs.s3.bucket connection_logs.s3.prefix
    routing.http.desync_mitigation_mode routing.http.drop_invalid_header_fields.enabled
    routing.http.preserve_host_header.enabled routing.http.x_amzn_tls_version_and_cipher_suite.enabled
    routing.http.xff_client_port.enabled routing.http.xff_header_processing.mode
    """.split()  # noqa: SIM905
)

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
    wanted = _wanted("Load balancer", LOAD_BALANCER, required(params, "Attributes"))
    _check_logs(found.attributes | wanted)
    found.attributes.update(wanted)
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
        if kind == "Load balancer" and key in OF_APPLICATION_BALANCERS:
            message = f"Load balancer attribute key '{key}' is not supported on load balancers with type 'network'"
            raise ApiError("InvalidConfigurationRequest", message)
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
    if key == STICKINESS_TYPE and value != default:
        message = f"Stickiness type '{value}' is not supported for target groups with the TCP protocol"
        raise ApiError("InvalidConfigurationRequest", message)
    if allowed is not None and value not in allowed:
        raise invalid(allowed.refused(key, value))


def _check_logs(attributes: Mapping[str, str]) -> None:
    if attributes[ACCESS_LOGS] == "true":
        message = f"Access Denied for bucket: {attributes[LOG_BUCKET]}. Please check S3bucket permission"
        raise ApiError("InvalidConfigurationRequest", message)


def _or_off(value: str) -> int | None:
    return None if value == "off" else int(value)


def _shown(attributes: Mapping[str, str]) -> dict[str, Any]:
    return {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}
