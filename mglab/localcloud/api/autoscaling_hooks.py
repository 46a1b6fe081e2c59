"""Lifecycle hooks: members wait at a transition until somebody completes their action (aws-facts 2.2).

A starting member waits when its instance runs and before it is registered anywhere; one on the way out when its
connections have drained and before it is terminated. Whoever waits too long gets the hook's default result; each
heartbeat begins that time anew, up to the global timeout. An abandoned launch ends the instance, any result
of the other transition lets it go on. Targets and roles are only given back: nobody is notified here.
"""

from __future__ import annotations

from mglab.localcloud.api.autoscaling_parts import LAUNCHING, TERMINATING, Hook, HookWait, Outcome
from mglab.localcloud.api.autoscaling_state import Cloud, Group, Member, Params, find_group
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, one_of, require
from mglab.localcloud.api.faults import ApiError

TRANSITIONS = (LAUNCHING, TERMINATING)
HEARTBEAT_S, SHORTEST_S, LONGEST_S = 3600, 30, 7200
LONGEST_WAIT_S = 172_800
"""Two days, or a hundred heartbeats, whichever is less (AWS's page on hooks)."""
MOST_HOOKS = 50
_GIVEN_BACK = ("NotificationTargetARN", "RoleARN", "NotificationMetadata")


class HookPage:
    """Answers the operations on lifecycle hooks and actions."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def put_lifecycle_hook(self, params: Params) -> Params:
        """Make a hook, or change what is given of one."""
        require(params, "AutoScalingGroupName", "LifecycleHookName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        put_hook(group, params)
        return {}

    def describe_lifecycle_hooks(self, params: Params) -> Params:
        """List a group's hooks."""
        require(params, "AutoScalingGroupName")
        group, names = find_group(self.cloud, params["AutoScalingGroupName"]), params.get("LifecycleHookNames")
        found = [hook for hook in group.hooks.values() if not names or hook.name in names]
        return {"LifecycleHooks": [_describe(group, hook) for hook in found]}

    def delete_lifecycle_hook(self, params: Params) -> Params:
        """Delete a hook; who waits at it goes on as if a launch were abandoned, a termination continued."""
        require(params, "AutoScalingGroupName", "LifecycleHookName")
        group, name = find_group(self.cloud, params["AutoScalingGroupName"]), params["LifecycleHookName"]
        if group.hooks.pop(name, None) is None:
            raise invalid(f"No Lifecycle Hook found for Auto Scaling group: {group.name} and hook name: {name}")
        for member in group.members.values():
            for wait in _open(member, name):
                wait.result = "ABANDON" if member.lifecycle == "Pending:Wait" else "CONTINUE"
        return {}

    def complete_lifecycle_action(self, params: Params) -> Params:
        """End a member's wait: go on with it, or abandon it."""
        require(params, "AutoScalingGroupName", "LifecycleHookName", "LifecycleActionResult")
        one_of(params, "LifecycleActionResult", ("CONTINUE", "ABANDON"))
        self._action(params).result = params["LifecycleActionResult"]
        return {}

    def record_lifecycle_action_heartbeat(self, params: Params) -> Params:
        """Begin the time to wait anew."""
        require(params, "AutoScalingGroupName", "LifecycleHookName")
        wait = self._action(params)
        hook = self.cloud.state.groups[params["AutoScalingGroupName"]].hooks[wait.hook_name]
        wait.deadline = min(self.cloud.now() + hook.heartbeat_s, wait.began_at + hook.global_s)
        return {}

    def describe_lifecycle_hook_types(self, params: Params) -> Params:
        """List the transitions that can have hooks."""
        return {"LifecycleHookTypes": list(TRANSITIONS)}

    def _action(self, params: Params) -> HookWait:
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        instance_id, token = params.get("InstanceId"), params.get("LifecycleActionToken")
        if instance_id is None and token is None:
            raise invalid("Either the instance ID or the lifecycle action token must be specified.")
        for member in group.members.values():
            for wait in _open(member, params["LifecycleHookName"]):
                if instance_id in (None, member.instance_id) and token in (None, wait.token):
                    return wait
        told = f"token {token}" if token else f"instance ID {instance_id}"
        raise invalid(f"No active Lifecycle Action found with {told}")


def put_hook(group: Group, params: Params) -> None:
    """Make a hook from a request or from a part of CreateAutoScalingGroup."""
    require(params, "LifecycleHookName")
    name, known = params["LifecycleHookName"], group.hooks.get(params["LifecycleHookName"])
    transition = params.get("LifecycleTransition") or (known.transition if known else None)
    if transition not in TRANSITIONS:
        if transition is None:
            raise invalid("LifecycleTransition is a required parameter when creating a lifecycle hook.")
        raise constraint(transition, "LifecycleTransition", f"Member must satisfy enum value set: {list(TRANSITIONS)}")
    one_of(params, "DefaultResult", ("CONTINUE", "ABANDON"))
    heartbeat_s = params.get("HeartbeatTimeout") or (known.heartbeat_s if known else HEARTBEAT_S)
    if not SHORTEST_S <= heartbeat_s <= LONGEST_S:
        raise invalid(f"HeartbeatTimeout must be between {SHORTEST_S} and {LONGEST_S} seconds.")
    if known is None and len(group.hooks) >= MOST_HOOKS:
        raise ApiError("LimitExceeded", f"Only {MOST_HOOKS} lifecycle hooks are allowed for an AutoScalingGroup.")
    given = {member: params[member] for member in _GIVEN_BACK if params.get(member)}
    result = params.get("DefaultResult") or (known.default_result if known else "ABANDON")
    settings = (known.settings if known else {}) | given
    longest_s = min(LONGEST_WAIT_S, 100 * heartbeat_s)
    group.hooks[name] = Hook(name, transition, heartbeat_s, longest_s, result, settings)


def begin_to_wait(cloud: Cloud, group: Group, member: Member, transition: str, now: float) -> bool:
    """Let a member wait at the hooks of a transition; say whether there is any."""
    hooks = [hook for hook in group.hooks.values() if hook.transition == transition]
    member.waits = [HookWait(hook.name, cloud.new_uuid(), now, now + hook.heartbeat_s) for hook in hooks]
    return bool(hooks)


def outcome(group: Group, member: Member, now: float) -> HookWait | None:
    """Give the action that ends a member's wait: the first abandoned one, else the last when all are completed."""
    for wait in member.waits:
        if wait.result is None and now >= wait.deadline:
            hook = group.hooks.get(wait.hook_name)
            wait.result, wait.timed_out = (hook.default_result if hook else "ABANDON"), True
    abandoned = [wait for wait in member.waits if wait.result == "ABANDON"]
    if abandoned:
        return abandoned[0]
    return member.waits[-1] if all(wait.result for wait in member.waits) else None


def told(wait: HookWait) -> str:
    """Say how a launch came to be abandoned (AWS's page on hooks that fail)."""
    how = "was abandoned: Heartbeat Timeout" if wait.timed_out else "was completed with ABANDON Result"
    action = f"Lifecycle Action with token {wait.token} {how}"
    return f"Instance failed to complete user's Lifecycle Action: {action}"


def _open(member: Member, hook_name: str) -> list[HookWait]:
    waiting = member.lifecycle in ("Pending:Wait", "Terminating:Wait")
    return [each for each in member.waits if waiting and each.hook_name == hook_name and each.result is None]


def _describe(group: Group, hook: Hook) -> Params:
    result: Outcome = hook.default_result
    return {
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": group.name,
        "LifecycleTransition": hook.transition,
        "HeartbeatTimeout": hook.heartbeat_s,
        "GlobalTimeout": hook.global_s,
        "DefaultResult": result,
        **hook.settings,
    }
