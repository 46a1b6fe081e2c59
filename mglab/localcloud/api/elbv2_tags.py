"""Tags of load balancers, target groups and listeners, and the account's limits.

A request may name several resources of any kind; one that is not there refuses the whole request.
The limits are the quotas of network load balancers (aws-facts 1.1).
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.elbv2_forms import invalid, page, required
from mglab.localcloud.api.elbv2_state import (
    MOST_TAGS,
    State,
    listener,
    load_balancer,
    tags_of,
    target_group,
)
from mglab.localcloud.api.faults import ApiError

LIMITS = {
    "network-load-balancers": 50,
    "listeners-per-network-load-balancer": 50,
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
    arns = list(dict.fromkeys(required(params, "ResourceArns")))
    for arn in arns:
        _check_known(state, arn)
    return arns


def _check_known(state: State, arn: str) -> None:
    kind = arn.split(":", 5)[-1].split("/", 1)[0]
    if kind == "loadbalancer":
        load_balancer(state, arn)
    elif kind == "targetgroup":
        target_group(state, arn)
    elif kind == "listener":
        listener(state, arn)
    else:
        raise invalid(f"'{arn}' is not a valid load balancer, target group or listener ARN")
