"""Target tracking: a policy, its two alarms, and what it does when one of them speaks.

PutScalingPolicy makes the alarms that AWS makes, with AWS's names and settings (aws-facts 2.6): High over
three minutes at the target, Low over fifteen at 70 % of it. While an alarm is in ALARM CloudWatch calls once
a minute; the arithmetic is ``rules/autoscaler``. That the low alarm of an idle group at its minimum stays in
ALARM for good is normal.

Left out: simple, step and predictive scaling, math of metrics, requests per target (there is no ALB).
"""

from __future__ import annotations

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_capacity as capacity
from mglab.localcloud.api.autoscaling_state import Change, Cloud, Group, Member, Params, Policy, find_group
from mglab.localcloud.api.cloudwatch_forms import invalid, page, refuse_members, require
from mglab.localcloud.api.cloudwatch_state import Alarm
from mglab.localcloud.rules.autoscaler import Load, scale_in, scale_out

HIGH_PERIODS, LOW_PERIODS = 3, 15
"""Minutes that the alarms look at (aws-facts 2.6)."""
MOST_POLICIES = 50
"""Per group (aws-facts 2.1, quotas)."""
_PREDEFINED = {
    "ASGAverageCPUUtilization": "CPUUtilization",
    "ASGAverageNetworkIn": "NetworkIn",
    "ASGAverageNetworkOut": "NetworkOut",
}


class PolicyPage:
    """Answers the operations on scaling policies."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def put_scaling_policy(self, params: Params) -> Params:
        """Make or replace a target tracking policy and its alarms (lab step 73)."""
        require(params, "AutoScalingGroupName", "PolicyName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        configuration = _configuration(params)
        name = params["PolicyName"]
        known = group.policies.get(name)
        if known is None and len(group.policies) >= MOST_POLICIES:
            raise invalid(f"Only {MOST_POLICIES} policies are allowed for an AutoScalingGroup.")
        policy = Policy(
            name=name,
            arn=known.arn if known else self._arn(group, name),
            configuration=configuration,
            warmup_s=params.get("EstimatedInstanceWarmup"),
            enabled=params.get("Enabled", True),
        )
        drop_policies(self.cloud, group, [name] if known else [])
        self._put_alarms(group, policy)
        group.policies[name] = policy
        return {"PolicyARN": policy.arn, "Alarms": _alarms(policy)}

    def _arn(self, group: Group, name: str) -> str:
        cloud = self.cloud
        prefix = f"arn:aws:autoscaling:{cloud.region}:{cloud.account}:scalingPolicy:{cloud.new_uuid()}"
        return f"{prefix}:autoScalingGroupName/{group.name}:policyName/{name}"

    def _put_alarms(self, group: Group, policy: Policy) -> None:
        target = float(policy.configuration["TargetValue"])
        policy.high_alarm = self._put_alarm(group, policy, "High", target)
        if not policy.configuration["DisableScaleIn"]:
            threshold = round(target * self.cloud.knobs.alarm_low_factor, 9)
            policy.low_alarm = self._put_alarm(group, policy, "Low", threshold)

    def _put_alarm(self, group: Group, policy: Policy, side: str, threshold: float) -> tuple[str, str]:
        name = f"TargetTracking-{group.name}-Alarm{side}-{self.cloud.new_uuid()}"
        alarms = self.cloud.cloudwatch.alarms
        alarms.put_metric_alarm(
            {
                "AlarmName": name,
                "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
                "AlarmActions": [policy.arn],
                **_metric(group, policy.configuration),
                "Period": 60,
                "EvaluationPeriods": HIGH_PERIODS if side == "High" else LOW_PERIODS,
                "ComparisonOperator": "GreaterThanThreshold" if side == "High" else "LessThanThreshold",
                "Threshold": threshold,
            }
        )
        return name, alarms.arn_prefix + name

    def describe_policies(self, params: Params) -> Params:
        """List policies, by group, name or ARN, and type."""
        names, types = params.get("PolicyNames"), params.get("PolicyTypes")
        of_group = params.get("AutoScalingGroupName")
        groups = [group for _, group in sorted(self.cloud.state.groups.items())]
        groups = [group for group in groups if of_group in (None, group.name, group.arn)]
        found = [(g, p) for g in groups for p in g.policies.values() if not names or {p.name, p.arn} & set(names)]
        shown = [_describe(group, policy) for group, policy in found if not types or "TargetTrackingScaling" in types]
        items, token = page(params, shown, default=50, maximum=100)
        return {"ScalingPolicies": items, "NextToken": token}

    def delete_policy(self, params: Params) -> Params:
        """Delete a policy and its alarms."""
        require(params, "PolicyName")
        wanted, name = params["PolicyName"], params.get("AutoScalingGroupName")
        groups = [find_group(self.cloud, name)] if name else list(self.cloud.state.groups.values())
        for group in groups:
            drop_policies(self.cloud, group, [p.name for p in group.policies.values() if wanted in (p.name, p.arn)])
        return {}


def drop_policies(cloud: Cloud, group: Group, names: list[str]) -> None:
    """Delete policies and the alarms that are theirs."""
    for name in names:
        policy = group.policies.pop(name)
        alarms = [alarm for alarm, _ in _pairs(policy)]
        cloud.cloudwatch.alarms.delete_alarms({"AlarmNames": alarms})


def on_alarm(cloud: Cloud, alarm: Alarm, at: float) -> None:
    """Let the policy behind an alarm in ALARM change its group's capacity."""
    for group in cloud.state.groups.values():
        for policy in group.policies.values():
            listening = policy.enabled and not group.deleting and "AlarmNotification" not in group.suspended
            if policy.arn in alarm.actions["ALARM"] and listening and alarm.points:
                _scale(cloud, group, policy, alarm, at)


def _scale(cloud: Cloud, group: Group, policy: Policy, alarm: Alarm, at: float) -> None:
    load = _load(group, policy, alarm.points[-1].value, at)
    desired = scale_out(load) if alarm.name == policy.high_alarm[0] else scale_in(load)
    sentence = activities.alarmed(at, alarm.name, policy.name, group.desired, desired)
    capacity.change(cloud, group, desired, Change(sentence, _invoking(alarm, at)))


def _load(group: Group, policy: Policy, metric: float, at: float) -> Load:
    """Tell the members whose metric counts from those still warming up."""
    warmed = sum(_is_warm(member, _warmup_s(group, policy), at) for member in group.active)
    return Load(
        metric=metric,
        target=float(policy.configuration["TargetValue"]),
        warmed=warmed,
        warming=len(group.active) - warmed,
        desired=group.desired,
        minimum=group.minimum,
        maximum=group.maximum,
    )


def warming(cloud: Cloud, at: float, at_least_s: float) -> set[str]:
    """Name the instances that were still warming up: their group's averages leave them out (aws-facts 2.1, 2.6)."""
    return {
        member.instance_id
        for group in cloud.state.groups.values()
        for policy in group.policies.values()
        for member in group.members.values()
        if not _is_warm(member, max(at_least_s, _warmup_s(group, policy)), at)
    }


def _warmup_s(group: Group, policy: Policy) -> float:
    """Give the policy's own warm-up, else the group's, else its cooldown (aws-facts 2.1, DefaultInstanceWarmup)."""
    return next((each for each in (policy.warmup_s, group.warmup_s) if each is not None), group.cooldown_s)


def _is_warm(member: Member, warmup_s: float, at: float) -> bool:
    since = member.in_service_at
    return member.lifecycle != "Pending" and since is not None and at >= since + warmup_s


def _invoking(alarm: Alarm, at: float) -> Params:
    """Give the alarm as an activity's Details name it."""
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": int(at * 1000),
    }


def _configuration(params: Params) -> Params:
    """Read what is tracked; refuse the kinds of policy that are not modelled."""
    kind = params.get("PolicyType") or "SimpleScaling"
    if kind != "TargetTrackingScaling":
        raise invalid(f"The local cloud has no {kind} policies; use TargetTrackingScaling.")
    refuse_members(params, "AdjustmentType", "ScalingAdjustment", "StepAdjustments", "PredictiveScalingConfiguration")
    require(params, "TargetTrackingConfiguration")
    given: Params = params["TargetTrackingConfiguration"]
    require(given, "TargetValue")
    if given["TargetValue"] <= 0:
        raise invalid("TargetValue must be greater than 0.")
    predefined, customized = given.get("PredefinedMetricSpecification"), given.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise invalid("Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be given.")
    if predefined is not None and predefined["PredefinedMetricType"] not in _PREDEFINED:
        known = ", ".join(_PREDEFINED)
        raise invalid(f"The local cloud does not track {predefined['PredefinedMetricType']}; use one of {known}.")
    if customized is not None:
        refuse_members(customized, "Metrics", "Period")
        require(customized, "MetricName", "Namespace", "Statistic")
    return {**given, "DisableScaleIn": given.get("DisableScaleIn", False)}


def _metric(group: Group, configuration: Params) -> Params:
    """Say which metric the alarms watch."""
    customized = configuration.get("CustomizedMetricSpecification")
    if customized is not None:
        members = ("MetricName", "Namespace", "Statistic", "Dimensions", "Unit")
        return {member: customized[member] for member in members if customized.get(member) is not None}
    return {
        "Namespace": "AWS/EC2",
        "MetricName": _PREDEFINED[configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]],
        "Statistic": "Average",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group.name}],
    }


def _pairs(policy: Policy) -> list[tuple[str, str]]:
    return [policy.high_alarm, *([policy.low_alarm] if policy.low_alarm else [])]


def _alarms(policy: Policy) -> list[Params]:
    return [{"AlarmName": name, "AlarmARN": arn} for name, arn in _pairs(policy)]


def _describe(group: Group, policy: Policy) -> Params:
    shown: Params = {
        "AutoScalingGroupName": group.name,
        "PolicyName": policy.name,
        "PolicyARN": policy.arn,
        "PolicyType": "TargetTrackingScaling",
        "StepAdjustments": [],
        "Alarms": _alarms(policy),
        "TargetTrackingConfiguration": policy.configuration,
        "Enabled": policy.enabled,
    }
    return shown if policy.warmup_s is None else shown | {"EstimatedInstanceWarmup": policy.warmup_s}
