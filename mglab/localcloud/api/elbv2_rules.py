"""A listener's rules: a network load balancer's has the default one and no other.

The console and every tool that walks listeners read it (DescribeRules); it says what the listener's default action
says. It can be neither changed nor deleted by itself, and no rule can be put before it (rules by source address, for
balancers that speak IPv6 as well, are left out with IPv6).
"""

from __future__ import annotations

from typing import Any, NoReturn

from mglab.localcloud.api.elbv2_forms import invalid, only_one_of, page, required
from mglab.localcloud.api.elbv2_listeners import default_actions
from mglab.localcloud.api.elbv2_state import Listener, State, listener, rule
from mglab.localcloud.api.faults import ApiError


def describe_rules(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show the rules of a listener, or those with the given ARNs."""
    only_one_of(params, ListenerArn="listener ARN", RuleArns="rule ARNs")
    if params.get("RuleArns"):
        found = [rule(state, arn) for arn in dict.fromkeys(params["RuleArns"])]
    elif params.get("ListenerArn"):
        found = [listener(state, params["ListenerArn"])]
    else:
        raise invalid("You must specify either listener rule ARNs or a listener ARN")
    shown, marker = page(params, found)
    return {"Rules": [_described(each) for each in shown], **marker}


def create_rule(state: State, params: dict[str, Any]) -> NoReturn:
    """Refuse: a TCP listener decides by its default action alone."""
    listener(state, required(params, "ListenerArn"))
    raise ApiError("UnsupportedProtocol", "Rules are not supported for listeners with protocol 'TCP'")


def modify_rule(state: State, params: dict[str, Any]) -> NoReturn:
    """Refuse: the default rule changes with the listener."""
    arn = rule(state, required(params, "RuleArn")).rule_arn
    raise ApiError("OperationNotPermitted", f"Default rule '{arn}' cannot be modified")


def delete_rule(state: State, params: dict[str, Any]) -> NoReturn:
    """Refuse: the default rule goes with the listener."""
    arn = rule(state, required(params, "RuleArn")).rule_arn
    raise ApiError("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")


def describe_listener_certificates(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show that a TCP listener has no certificates."""
    listener(state, required(params, "ListenerArn"))
    return {"Certificates": []}


def _described(found: Listener) -> dict[str, Any]:
    return {
        "RuleArn": found.rule_arn,
        "Priority": "default",
        "Conditions": [],
        "Actions": default_actions(found),
        "IsDefault": True,
    }
