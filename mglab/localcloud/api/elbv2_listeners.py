"""Listeners: a TCP port of a load balancer and the one target group behind it.

A network load balancer's listener has one default action, forward, to one target group (aws-facts 1.1 quotas).
Making the same one again gives it back; another one on its port is refused (aws-facts 3.7 rows 33, 39). AWS's
listeners also speak TLS, UDP and QUIC; those are refused in words.
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api import elbv2_attributes as attributes
from mglab.localcloud.api.elbv2_forms import invalid, only_one_of, page, required
from mglab.localcloud.api.elbv2_state import (
    Listener,
    LoadBalancer,
    State,
    TargetGroup,
    balancer_of,
    listener,
    listeners_of,
    load_balancer,
    tags_of,
    target_group,
)
from mglab.localcloud.api.faults import ApiError

NLB_PROTOCOLS = ("TCP", "TLS", "UDP", "TCP_UDP")
MOST_LISTENERS = 50  # aws-facts 1.1


def create_listener(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Open a port of a load balancer to a target group (step 55)."""
    balancer = load_balancer(state, required(params, "LoadBalancerArn"))
    port = _port(params)
    _check_protocol(required(params, "Protocol"))
    group = _forwarded_to(state, required(params, "DefaultActions"))
    if (twin := _on_port(state, balancer, port)) is not None:
        return _same_or_refused(twin, group)
    _check_usable(state, group, balancer)
    if len(listeners_of(state, balancer)) >= MOST_LISTENERS:
        raise ApiError("TooManyListeners", f"Load balancer '{balancer.arn}' has reached its maximum of listeners")
    tags = tags_of(params.get("Tags", ()))
    made = Listener(
        arn=state.arn(f"listener/{balancer.dimension}/{state.new_id()}"),
        load_balancer_arn=balancer.arn,
        port=port,
        target_group_arn=group.arn,
        attributes=attributes.defaults(attributes.LISTENER),
        rule_id=state.new_id(),
    )
    state.listeners[made.arn], state.tags[made.arn], state.tags[made.rule_arn] = made, tags, {}
    return {"Listeners": [_described(made)]}


def describe_listeners(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Show a load balancer's listeners, or those with the given ARNs."""
    only_one_of(params, LoadBalancerArn="load balancer ARN", ListenerArns="listener ARNs")
    arns = params.get("ListenerArns")
    if not arns and not params.get("LoadBalancerArn"):
        raise invalid("You must specify either listener ARNs or a load balancer ARN")
    if arns:
        found = [listener(state, arn) for arn in dict.fromkeys(arns)]
    else:
        found = listeners_of(state, load_balancer(state, params["LoadBalancerArn"]))
    shown, marker = page(params, found)
    return {"Listeners": [_described(each) for each in shown], **marker}


def modify_listener(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Change a listener's port or target group."""
    found = listener(state, required(params, "ListenerArn"))
    balancer = load_balancer(state, found.load_balancer_arn)
    _check_protocol(params.get("Protocol", "TCP"))
    port = _port(params) if "Port" in params else found.port
    twin = _on_port(state, balancer, port)
    if twin is not None and twin is not found:
        raise _taken(balancer.arn)
    if params.get("DefaultActions"):
        group = _forwarded_to(state, params["DefaultActions"])
        _check_usable(state, group, balancer)
        found.target_group_arn = group.arn
    found.port = port
    return {"Listeners": [_described(found)]}


def delete_listener(state: State, params: dict[str, Any]) -> dict[str, Any]:
    """Close a port; the target group stays, unused."""
    found = listener(state, required(params, "ListenerArn"))
    del state.listeners[found.arn]
    for arn in (found.arn, found.rule_arn):
        state.tags.pop(arn, None)
    return {}


def _port(params: dict[str, Any]) -> int:
    if "Port" not in params:
        raise invalid("A listener port must be specified")
    return int(params["Port"])


def _check_protocol(protocol: str) -> None:
    if protocol not in NLB_PROTOCOLS:
        raise invalid(f"Listener protocol '{protocol}' must be one of '{', '.join(NLB_PROTOCOLS)}'")
    if protocol != "TCP":
        raise ApiError("UnsupportedProtocol", f"Protocol {protocol} is not available in the local cloud, only TCP is")


def _forwarded_to(state: State, actions: list[dict[str, Any]]) -> TargetGroup:
    """Find the one target group of the one forward action."""
    if len(actions) != 1:
        raise invalid("Exactly one default action must be specified")
    action = actions[0]
    if action["Type"] != "forward":
        raise ApiError(
            "InvalidLoadBalancerAction",
            f"The action type '{action['Type']}' is not valid with network load balancer",
        )
    arns = {entry["TargetGroupArn"] for entry in action.get("ForwardConfig", {}).get("TargetGroups", ())}
    arns |= {action["TargetGroupArn"]} if action.get("TargetGroupArn") else set()
    if len(arns) != 1:
        raise invalid("A forward action of a network load balancer must have exactly one target group")
    (arn,) = arns
    return target_group(state, arn)


def _check_usable(state: State, group: TargetGroup, balancer: LoadBalancer) -> None:
    user = balancer_of(state, group)
    if user is not None and user is not balancer:
        raise ApiError(
            "TargetGroupAssociationLimit",
            f"The following target groups cannot be associated with more than one load balancer: '{group.arn}'",
        )
    if group.vpc_id != balancer.vpc_id:
        raise ApiError(
            "InvalidConfigurationRequest",
            f"Target group '{group.arn}' is in a different VPC than load balancer '{balancer.arn}'",
        )


def _on_port(state: State, balancer: LoadBalancer, port: int) -> Listener | None:
    return next((each for each in listeners_of(state, balancer) if each.port == port), None)


def _same_or_refused(twin: Listener, group: TargetGroup) -> dict[str, Any]:
    if twin.target_group_arn != group.arn:
        raise _taken(twin.load_balancer_arn)
    return {"Listeners": [_described(twin)]}


def _taken(balancer_arn: str) -> ApiError:
    return ApiError(
        "DuplicateListener", f"A listener already exists on this port for this load balancer '{balancer_arn}'"
    )


def default_actions(found: Listener) -> list[dict[str, Any]]:
    """Describe what a listener does with a connection: it forwards to its one target group."""
    return [
        {
            "Type": "forward",
            "TargetGroupArn": found.target_group_arn,
            "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": found.target_group_arn}]},
        }
    ]


def _described(found: Listener) -> dict[str, Any]:
    return {
        "ListenerArn": found.arn,
        "LoadBalancerArn": found.load_balancer_arn,
        "Port": found.port,
        "Protocol": "TCP",
        "DefaultActions": default_actions(found),
    }
