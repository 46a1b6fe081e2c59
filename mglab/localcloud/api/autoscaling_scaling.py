"""What a policy does when an alarm speaks, or when somebody executes it.

While an alarm is in ALARM CloudWatch calls once a minute; the arithmetic is ``rules/autoscaler`` (target tracking) and
``rules/adjustment`` (simple and step scaling). Simple scaling waits for the last activity and then for the cooldown;
the two others count members that warm up as added already, and take nobody out meanwhile.
"""

from __future__ import annotations

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_capacity as capacity
from mglab.localcloud.api.autoscaling_state import Change, Cloud, Group, Member, Params, Policy
from mglab.localcloud.api.cloudwatch_state import Alarm
from mglab.localcloud.rules.adjustment import Bounds, Step, adjusted, step_for
from mglab.localcloud.rules.autoscaler import STARTING, Load, scale_in, scale_out


def on_alarm(cloud: Cloud, alarm: Alarm, at: float) -> None:
    """Let the policy behind an alarm in ALARM change its group's capacity."""
    for group in cloud.state.groups.values():
        for policy in group.policies.values():
            listening = policy.enabled and not group.deleting and "AlarmNotification" not in group.suspended
            heard = alarm.points or policy.kind == "SimpleScaling"  # the others need a metric; SetAlarmState has none
            if policy.arn in alarm.actions["ALARM"] and listening and heard:
                _scale(cloud, group, policy, alarm, at)


def _scale(cloud: Cloud, group: Group, policy: Policy, alarm: Alarm, at: float) -> None:
    metric = alarm.points[-1].value if alarm.points else alarm.rule.threshold
    if policy.kind == "TargetTrackingScaling":
        load = _load(group, policy, metric, at)
        high = policy.high_alarm is not None and alarm.name == policy.high_alarm[0]
        desired = scale_out(load) if high else scale_in(load)
    elif policy.kind == "SimpleScaling" and is_cooling(group, at):
        return
    else:
        desired = adjusted_by(group, policy, metric - alarm.rule.threshold, at)
    sentence = activities.alarmed(at, alarm.name, policy.name, group.desired, desired)
    change(cloud, group, policy, desired, Change(sentence, _invoking(alarm, at)))


def change(cloud: Cloud, group: Group, policy: Policy, desired: int, wish: Change) -> None:
    """Ask for what a policy wants; after a simple one the group cools down."""
    if desired != group.desired and policy.kind == "SimpleScaling":
        group.cooling_s = float(policy.settings.get("Cooldown", group.cooldown_s))
    capacity.change(cloud, group, desired, wish)


def is_cooling(group: Group, at: float) -> bool:
    """Say whether the last scaling is not over, or not long enough."""
    busy = bool(group.changes) or any(member.lifecycle in STARTING for member in group.members.values())
    return busy or at < group.cooled_at


def adjusted_by(group: Group, policy: Policy, beyond: float, at: float) -> int:
    """Give the capacity that a simple or step policy asks for; ``beyond``: the metric above its threshold."""
    adjustment, warming = policy.settings.get("ScalingAdjustment", 0), 0
    if policy.kind == "StepScaling":
        step = step_for(steps(policy.settings), beyond)
        if step is None:
            return group.desired
        adjustment, warming = step.adjustment, _load(group, policy, 0.0, at).warming
        if warming and adjustment < 0:
            return group.desired
    bounds = Bounds(group.desired, group.minimum, group.maximum, warming)
    kind, magnitude = policy.settings["AdjustmentType"], policy.settings.get("MinAdjustmentMagnitude")
    return adjusted(bounds, kind, adjustment, magnitude)


def steps(settings: Params) -> tuple[Step, ...]:
    """Read a policy's steps."""
    return tuple(
        Step(each["ScalingAdjustment"], each.get("MetricIntervalLowerBound"), each.get("MetricIntervalUpperBound"))
        for each in settings.get("StepAdjustments", ())
    )


def warming(cloud: Cloud, at: float, at_least_s: float) -> set[str]:
    """Name the instances that were still warming up: their group's averages leave them out (aws-facts 2.1, 2.6)."""
    return {
        member.instance_id
        for group in cloud.state.groups.values()
        for policy in group.policies.values()
        if policy.kind != "SimpleScaling"
        for member in group.members.values()
        if not _is_warm(member, max(at_least_s, _warmup_s(group, policy)), at)
    }


def _load(group: Group, policy: Policy, metric: float, at: float) -> Load:
    """Tell the members whose metric counts from those still warming up."""
    warmed = sum(_is_warm(member, _warmup_s(group, policy), at) for member in group.active)
    tracked = policy.settings.get("TargetTrackingConfiguration", {})
    return Load(
        metric=metric,
        target=float(tracked.get("TargetValue", 1.0)),
        warmed=warmed,
        warming=len(group.active) - warmed,
        desired=group.desired,
        minimum=group.minimum,
        maximum=group.maximum,
    )


def _warmup_s(group: Group, policy: Policy) -> float:
    """Give the policy's own warm-up, else the group's, else its cooldown (aws-facts 2.1, DefaultInstanceWarmup)."""
    return next((each for each in (policy.warmup_s, group.warmup_s) if each is not None), group.cooldown_s)


def _is_warm(member: Member, warmup_s: float, at: float) -> bool:
    since = member.in_service_at
    return member.lifecycle not in STARTING and since is not None and at >= since + warmup_s


def _invoking(alarm: Alarm, at: float) -> Params:
    """Give the alarm as an activity's Details name it."""
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": int(at * 1000),
    }
