"""Tags of load balancers, target groups, listeners and rules, and the account's limits.

A request may name several resources of any kind; one that is not there refuses the whole request.
The limits are the quotas of network load balancers (aws-facts 1.1).
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.elbv2_forms import invalid, only_one_of, page, required
from mglab.localcloud.api.elbv2_state import (
    MOST_TAGS,
    State,
    listener,
    load_balancer,
    rule,
    tags_of,
    target_group,
)
from mglab.localcloud.api.faults import ApiError

LIMITS = {
    "network-load-balancers": 50,
    "listeners-per-network-load-balancer": 50,
    "targets-per-network-load-balancer": 3000,
    "certificates-per-network-load-balancer": 25,
    "network-load-balancer-enis-per-vpc": 1200,
    "target-groups-per-action-on-network-load-balancer": 1,
    "targets-per-availability-zone-per-network-load-balancer": 500,
    "target-groups": 3000,
    "targets-per-target-group": 1000,
}


def add_tags(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Set tags on resources; a key that is there gets the new value."""
    new = tags_of(required(params, "Tags"))
    for arn in _known(state, params):
        if len(state.tags[arn] | new) > MOST_TAGS:
            raise ApiError("TooManyTags", f"'{arn}' cannot have more than {MOST_TAGS} tags")
        state.tags[arn].update(new)
    return {}


def remove_tags(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Take tags off resources; a key that is not there is no error."""
    for arn in _known(state, params):
        for key in required(params, "TagKeys"):
            state.tags[arn].pop(key, None)
    return {}


def describe_tags(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show the tags of resources."""
    return {
        "TagDescriptions": [
            {"ResourceArn": arn, "Tags": [{"Key": key, "Value": value} for key, value in state.tags[arn].items()]}
            for arn in _known(state, params)
        ]
    }


def describe_account_limits(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show the quotas."""
    shown, marker = page(params, [{"Name": name, "Max": str(most)} for name, most in LIMITS.items()])
    return {"Limits": shown, **marker}


def _known(state: State, params: dict[str, Any]) -> list[str]:
    only_one_of(params, ResourceArns="resources")
    arns = list(dict.fromkeys(required(params, "ResourceArns")))
    for arn in arns:
        _check_known(state, arn)
    return arns


def _check_known(state: State, arn: str) -> None:
    kind = arn.removeprefix(state.arn("")).split("/", 1)[0]
    find = {"loadbalancer": load_balancer, "targetgroup": target_group, "listener": listener, "listener-rule": rule}
    if kind not in find:
        raise invalid(f"'{arn}' must be in ARN format")
    find[kind](state, arn)
