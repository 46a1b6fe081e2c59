"""Operations on scaling policies: put, describe, execute, delete.

A target tracking policy brings its own alarms (``autoscaling_tracking``), which are replaced and deleted with it; a
simple or step policy is named in the actions of a user's alarm, which stays when the policy goes. What policies do is
``autoscaling_scaling``.

Left out: predictive scaling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_scaling as scaling
from mglab.localcloud.api import autoscaling_tracking as tracking
from mglab.localcloud.api.autoscaling_state import Change, Cloud, Group, Params, Policy, find_group
from mglab.localcloud.api.cloudwatch_forms import invalid, one_of, page, refuse_members, require
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.adjustment import KINDS, Kind, flaw_of

MOST_POLICIES = 50
"""Per group (aws-facts 2.1, quotas)."""
_OF_ADJUSTMENTS = ("AdjustmentType", "MinAdjustmentMagnitude")
_MEMBERS: dict[str, tuple[str, ...]] = {
    "SimpleScaling": (*_OF_ADJUSTMENTS, "ScalingAdjustment", "Cooldown"),
    "StepScaling": (*_OF_ADJUSTMENTS, "StepAdjustments", "MetricAggregationType", "EstimatedInstanceWarmup"),
    "TargetTrackingScaling": ("TargetTrackingConfiguration", "EstimatedInstanceWarmup"),
}
"""What each kind of policy may be told; telling it anything else is refused."""
POLICY_TYPES = (*_MEMBERS, "PredictiveScaling")


class PolicyPage:
    """Answers the operations on scaling policies."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def put_scaling_policy(self, params: Params) -> Params:
        """Make or replace a policy, and the alarms of target tracking (lab step 73)."""
        require(params, "AutoScalingGroupName", "PolicyName")
        group, name = self._group(params["AutoScalingGroupName"]), params["PolicyName"]
        kind: Any = params.get("PolicyType") or "SimpleScaling"
        settings = _settings(kind, params)
        known = group.policies.get(name)
        if known is None and len(group.policies) >= MOST_POLICIES:
            raise ApiError("LimitExceeded", f"Only {MOST_POLICIES} policies are allowed for an AutoScalingGroup.")
        arn = known.arn if known else self._arn(group, name)
        policy = Policy(name, arn, kind, settings, params.get("Enabled", True))
        drop_policies(self.cloud, group, [name] if known else [], replaced=True)
        if kind == "TargetTrackingScaling":
            tracking.put_alarms(self.cloud, group, policy)
        group.policies[name] = policy
        return {"PolicyARN": policy.arn, "Alarms": _alarms(self.cloud, policy)}

    def _group(self, name: str) -> Group:
        return find_group(self.cloud, name, f"Group {name} not found")

    def _arn(self, group: Group, name: str) -> str:
        cloud = self.cloud
        prefix = f"arn:aws:autoscaling:{cloud.region}:{cloud.account}:scalingPolicy:{cloud.new_uuid()}"
        return f"{prefix}:autoScalingGroupName/{group.name}:policyName/{name}"

    def describe_policies(self, params: Params) -> Params:
        """List policies, by group, name or ARN, and type."""
        names, types, wanted = params.get("PolicyNames"), params.get("PolicyTypes"), params.get("AutoScalingGroupName")
        for kind in types or ():
            if kind not in POLICY_TYPES:
                raise invalid(f"Invalid policy type {kind}; the types are {', '.join(POLICY_TYPES)}.")
        groups = [group for _, group in sorted(self.cloud.state.groups.items())]
        groups = [self._group(wanted)] if wanted else groups
        found = [(g, p) for g in groups for p in g.policies.values() if not names or {p.name, p.arn} & set(names)]
        shown = [_describe(self.cloud, group, each) for group, each in found if not types or each.kind in types]
        items, token = page(params, shown, default=50, maximum=100)
        return {"ScalingPolicies": items, "NextToken": token}

    def execute_policy(self, params: Params) -> Params:
        """Carry out a simple or step policy now, as its alarm would have it done."""
        require(params, "PolicyName")
        group, policy = self._found(params)
        now, honor = self.cloud.now(), params.get("HonorCooldown", False)
        if policy.kind == "TargetTrackingScaling":
            raise invalid("Cannot execute a policy of type TargetTrackingScaling.")
        beyond = 0.0
        if policy.kind == "StepScaling":
            if params.get("MetricValue") is None or params.get("BreachThreshold") is None:
                raise invalid("MetricValue and BreachThreshold are required to execute a policy of type StepScaling.")
            if honor:
                raise invalid("HonorCooldown cannot be specified for a policy of type StepScaling.")
            beyond = params["MetricValue"] - params["BreachThreshold"]
        if honor and scaling.is_cooling(group, now):
            raise ApiError("ScalingActivityInProgress", "A scaling activity or its cooldown is in progress.")
        desired = scaling.adjusted_by(group, policy, beyond, now)
        sentence = activities.executed(now, policy.name, group.desired, desired)
        scaling.change(self.cloud, group, policy, desired, Change(sentence))
        return {}

    def _found(self, params: Params) -> tuple[Group, Policy]:
        wanted, name = params["PolicyName"], params.get("AutoScalingGroupName")
        groups = [self._group(name)] if name else list(self.cloud.state.groups.values())
        for group in groups:
            for policy in group.policies.values():
                if wanted == policy.arn or (name is not None and wanted == policy.name):
                    return group, policy
        raise invalid(f"Scaling policy {wanted} not found")

    def delete_policy(self, params: Params) -> Params:
        """Delete a policy and its alarms."""
        require(params, "PolicyName")
        wanted, name = params["PolicyName"], params.get("AutoScalingGroupName")
        groups = [self._group(name)] if name else list(self.cloud.state.groups.values())
        for group in groups:
            drop_policies(self.cloud, group, [p.name for p in group.policies.values() if wanted in (p.name, p.arn)])
        return {}

    def describe_adjustment_types(self, params: Params) -> Params:
        """List the ways in which simple and step policies change a capacity."""
        return {"AdjustmentTypes": [{"AdjustmentType": kind} for kind in KINDS]}


def drop_policies(cloud: Cloud, group: Group, names: Sequence[str], *, replaced: bool = False) -> None:
    """Delete policies and the alarms that are theirs; a user's alarms only lose the action."""
    for name in names:
        policy = group.policies.pop(name)
        cloud.cloudwatch.alarms.delete_alarms({"AlarmNames": [alarm for alarm, _ in _pairs(policy)]})
        for alarm in [] if replaced else cloud.cloudwatch.state.alarms.values():
            alarm.actions = {
                state: tuple(each for each in actions if each != policy.arn) for state, actions in alarm.actions.items()
            }


def _settings(kind: str, params: Params) -> Params:
    """Read what a policy is told, with AWS's defaults."""
    if kind not in _MEMBERS:
        raise invalid(f"The local cloud has no policies of type {kind}; use one of {', '.join(_MEMBERS)}.")
    others = {member for members in _MEMBERS.values() for member in members} - set(_MEMBERS[kind])
    for member in sorted(others):
        if params.get(member) not in (None, []):
            raise invalid(f"{member} is not supported for policy type: {kind}")
    refuse_members(params, "PredictiveScalingConfiguration", "MinAdjustmentStep")
    settings = {member: params[member] for member in _MEMBERS[kind] if params.get(member) is not None}
    if kind == "TargetTrackingScaling":
        return settings | {"TargetTrackingConfiguration": tracking.configuration(params)}
    _check_adjustment(kind, params)
    return settings if kind == "SimpleScaling" else _with_steps(settings, params)


def _check_adjustment(kind: str, params: Params) -> None:
    if params.get("AdjustmentType") is None:
        raise invalid(f"You must specify an AdjustmentType for policy type: {kind}")
    one_of(params, "AdjustmentType", get_args(Kind))
    if kind == "SimpleScaling" and params.get("ScalingAdjustment") is None:
        raise invalid("Scaling increment must be specified for a SimpleScaling policy")
    if params.get("MinAdjustmentMagnitude") is not None and params["AdjustmentType"] != "PercentChangeInCapacity":
        raise invalid("MinAdjustmentMagnitude is only supported with AdjustmentType PercentChangeInCapacity.")


def _with_steps(settings: Params, params: Params) -> Params:
    if not params.get("StepAdjustments"):
        raise invalid("At least one StepAdjustment must be specified for a StepScaling policy")
    one_of(params, "MetricAggregationType", ("Minimum", "Maximum", "Average"))
    for each in params["StepAdjustments"]:
        require(each, "ScalingAdjustment")
    flaw = flaw_of(scaling.steps(settings))
    if flaw:
        raise invalid(flaw)
    return {"MetricAggregationType": "Average", **settings}


def _pairs(policy: Policy) -> list[tuple[str, str]]:
    return [pair for pair in (policy.high_alarm, policy.low_alarm) if pair is not None]


def _alarms(cloud: Cloud, policy: Policy) -> list[Params]:
    """Give the alarms behind a policy: its own, or those of users that name it."""
    pairs = _pairs(policy)
    if policy.kind != "TargetTrackingScaling":
        known = sorted(cloud.cloudwatch.state.alarms.values(), key=lambda alarm: alarm.name)
        pairs = [(alarm.name, alarm.arn) for alarm in known if any(policy.arn in it for it in alarm.actions.values())]
    return [{"AlarmName": name, "AlarmARN": arn} for name, arn in pairs]


def _describe(cloud: Cloud, group: Group, policy: Policy) -> Params:
    return {
        "AutoScalingGroupName": group.name,
        "PolicyName": policy.name,
        "PolicyARN": policy.arn,
        "PolicyType": policy.kind,
        "StepAdjustments": [],
        "Alarms": _alarms(cloud, policy),
        "Enabled": policy.enabled,
        **policy.settings,
    }
