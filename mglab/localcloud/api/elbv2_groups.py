"""Target groups: create, describe, modify, delete.

Here: targets are instances, protocol TCP, health checks by TCP connection (defaults and ranges: aws-facts 1.5;
refusals: aws-facts 3.7 rows 32, 34, 40). AWS also has groups of addresses, functions and load balancers, six
more protocols and HTTP health checks; asking for one is refused in words.
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api import elbv2_attributes as attributes
from mglab.localcloud.api.elbv2_forms import check_name, invalid, only_one_of, page, required
from mglab.localcloud.api.elbv2_state import (
    State,
    TargetGroup,
    balancer_of,
    check_arn,
    groups_of,
    load_balancer,
    tags_of,
    target_group,
)
from mglab.localcloud.api.faults import ApiError

MOST_TARGET_GROUPS = 3000  # aws-facts 1.1
INTERVAL_S, TIMEOUT_S, HEALTHY, UNHEALTHY = 30, 10, 5, 2  # aws-facts 1.5: defaults by API for TCP


def create_target_group(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Make a target group, or give the one of that name and those settings (steps 44-48)."""
    check_name("Target group", required(params, "Name"))
    wanted = _settings(state, params)
    if (twin := _named(state, params["Name"])) is not None:
        return _same_or_refused(state, twin, wanted)
    if len(state.target_groups) >= MOST_TARGET_GROUPS:
        raise ApiError("TooManyTargetGroups", "The maximum number of target groups has been reached")
    tags = tags_of(params.get("Tags", ()))
    made = TargetGroup(
        arn=state.arn(f"targetgroup/{params['Name']}/{state.new_id()}"),
        name=params["Name"],
        attributes=attributes.defaults(attributes.TARGET_GROUP),
        **wanted,
    )
    state.target_groups[made.arn], state.tags[made.arn] = made, tags
    return {"TargetGroups": [_described(state, made)]}


def describe_target_groups(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show target groups by load balancer, ARN or name, or all; one that is not there is refused."""
    only_one_of(
        params, Names="target group names", TargetGroupArns="target group ARNs", LoadBalancerArn="load balancer ARN"
    )
    shown, marker = page(params, _asked_for(state, params))
    return {"TargetGroups": [_described(state, group) for group in shown], **marker}


def modify_target_group(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Change a target group's health check; targets keep their state until checks say otherwise."""
    found = target_group(state, required(params, "TargetGroupArn"))
    for key, value in _health_check(params, found).items():
        setattr(found, key, value)
    return {"TargetGroups": [_described(state, found)]}


def delete_target_group(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Delete a target group that no listener uses; one that is not there is no error."""
    arn = required(params, "TargetGroupArn")
    check_arn(state, "target group", arn)
    found = state.target_groups.get(arn)
    if found is not None and balancer_of(state, found) is not None:
        raise ApiError("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
    state.target_groups.pop(arn, None)
    state.tags.pop(arn, None)
    return {}


def _asked_for(state: State, params: dict[str, Any]) -> list[TargetGroup]:
    """Find those of a load balancer, or those named, in the order of creation; without either all of them."""
    if params.get("LoadBalancerArn"):
        return groups_of(state, load_balancer(state, params["LoadBalancerArn"]))
    arns, names = params.get("TargetGroupArns", []), params.get("Names", [])
    for arn in arns:
        check_arn(state, "target group", arn)
    everyone = list(state.target_groups.values())
    if set(arns) - {group.arn for group in everyone} or set(names) - {group.name for group in everyone}:
        raise ApiError("TargetGroupNotFound", "One or more target groups not found")
    return [each for each in everyone if not (arns or names) or each.arn in arns or each.name in names]


def _settings(state: State, params: dict[str, Any]) -> dict[str, Any]:
    _only(params, "TargetType", "instance", "Target type")
    _only(params, "IpAddressType", "ipv4", "IP address type")
    if "Protocol" not in params:
        raise invalid("A protocol must be specified")
    _only(params, "Protocol", "TCP", "Target group protocol")
    if "Port" not in params:
        raise invalid("A port must be specified")
    if not params.get("VpcId"):
        raise invalid("A VPC ID must be specified")
    if not state.compute.vpc_exists(params["VpcId"]):
        raise invalid(f"The VPC ID '{params['VpcId']}' is not found")
    return {"port": params["Port"], "vpc_id": params["VpcId"], **_health_check(params, None)}


def _health_check(params: dict[str, Any], now: TargetGroup | None) -> dict[str, Any]:
    """Read the health check's settings; what is not given stays as it is, or is the default."""
    _only(params, "HealthCheckProtocol", "TCP", "Health check protocol")
    _only(params, "HealthCheckEnabled", True, "Health checks enabled")
    for key in ("HealthCheckPath", "Matcher"):
        if key in params:
            raise invalid(f"{key} cannot be specified for health checks with protocol 'TCP'")
    wanted = {
        "health_check_port": _port(params.get("HealthCheckPort", now.health_check_port if now else "traffic-port")),
        "interval_s": params.get("HealthCheckIntervalSeconds", now.interval_s if now else INTERVAL_S),
        "timeout_s": params.get("HealthCheckTimeoutSeconds", now.timeout_s if now else TIMEOUT_S),
        "healthy_threshold": params.get("HealthyThresholdCount", now.healthy_threshold if now else HEALTHY),
        "unhealthy_threshold": params.get("UnhealthyThresholdCount", now.unhealthy_threshold if now else UNHEALTHY),
    }
    if wanted["timeout_s"] > wanted["interval_s"]:
        raise invalid(
            f"Health check timeout '{wanted['timeout_s']}' must be smaller than or equal to "
            f"the interval '{wanted['interval_s']}'"
        )
    return wanted


def _only(params: dict[str, Any], key: str, here: Any, kind: str) -> None:
    if params.get(key, here) != here:
        raise invalid(f"{kind} '{params[key]}' is not available in the local cloud, only '{here}' is")


def _port(value: str) -> str:
    if value != "traffic-port" and not (value.isdecimal() and 1 <= int(value) <= 65535):
        raise invalid(f"Health check port '{value}' must be 'traffic-port' or a number between 1 and 65535")
    return value


def _named(state: State, name: str) -> TargetGroup | None:
    return next((group for group in state.target_groups.values() if group.name == name), None)


def _same_or_refused(state: State, twin: TargetGroup, wanted: dict[str, Any]) -> dict[str, Any]:
    if any(getattr(twin, key) != value for key, value in wanted.items()):
        raise ApiError(
            "DuplicateTargetGroupName",
            f"A target group with the same name '{twin.name}' exists, but with different settings",
        )
    return {"TargetGroups": [_described(state, twin)]}


def _described(state: State, group: TargetGroup) -> dict[str, Any]:
    balancer = balancer_of(state, group)
    return {
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": "TCP",
        "Port": group.port,
        "VpcId": group.vpc_id,
        "HealthCheckProtocol": "TCP",
        "HealthCheckPort": group.health_check_port,
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": group.interval_s,
        "HealthCheckTimeoutSeconds": group.timeout_s,
        "HealthyThresholdCount": group.healthy_threshold,
        "UnhealthyThresholdCount": group.unhealthy_threshold,
        "LoadBalancerArns": [balancer.arn] if balancer else [],
        "TargetType": "instance",
        "IpAddressType": "ipv4",
    }
