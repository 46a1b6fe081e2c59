"""Target tracking's own two alarms, and what they watch.

PutScalingPolicy makes the alarms that AWS makes, with AWS's names and settings (aws-facts 2.6): High over
three minutes at the target, Low over fifteen at 70 % of it. That the low alarm of an idle group at its minimum stays in
ALARM for good is normal.

Left out: math of metrics, requests per target (there is no ALB).
"""

from __future__ import annotations

from mglab.localcloud.api.autoscaling_state import Cloud, Group, Params, Policy
from mglab.localcloud.api.cloudwatch_forms import invalid, one_of, refuse_members, require

HIGH_PERIODS, LOW_PERIODS = 3, 15
"""Minutes that the alarms look at (aws-facts 2.6)."""
KNOWN = ("ASGAverageCPUUtilization", "ASGAverageNetworkIn", "ASGAverageNetworkOut", "ALBRequestCountPerTarget")
_PREDEFINED = {
    "ASGAverageCPUUtilization": "CPUUtilization",
    "ASGAverageNetworkIn": "NetworkIn",
    "ASGAverageNetworkOut": "NetworkOut",
}


def configuration(params: Params) -> Params:
    """Read what is tracked, with AWS's defaults."""
    require(params, "TargetTrackingConfiguration")
    given: Params = params["TargetTrackingConfiguration"]
    require(given, "TargetValue")
    if given["TargetValue"] <= 0:
        raise invalid("TargetValue must be greater than 0.")
    predefined, customized = given.get("PredefinedMetricSpecification"), given.get("CustomizedMetricSpecification")
    if (predefined is None) == (customized is None):
        raise invalid("Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be given.")
    if predefined is not None:
        require(predefined, "PredefinedMetricType")
        one_of(predefined, "PredefinedMetricType", KNOWN)
        if predefined["PredefinedMetricType"] not in _PREDEFINED:
            raise invalid(f"The local cloud does not track {predefined['PredefinedMetricType']}: there is no ALB.")
    if customized is not None:
        refuse_members(customized, "Metrics", "Period")
        require(customized, "MetricName", "Namespace", "Statistic")
        one_of(customized, "Statistic", ("Average", "Minimum", "Maximum", "SampleCount", "Sum"))
    return {**given, "DisableScaleIn": given.get("DisableScaleIn", False)}


def put_alarms(cloud: Cloud, group: Group, policy: Policy) -> None:
    """Make a policy's alarms; without scale-in there is no low one."""
    tracked = policy.settings["TargetTrackingConfiguration"]
    target = float(tracked["TargetValue"])
    policy.high_alarm = _put_alarm(cloud, group, policy, "High", target)
    if not tracked["DisableScaleIn"]:
        policy.low_alarm = _put_alarm(cloud, group, policy, "Low", round(target * cloud.knobs.alarm_low_factor, 9))


def _put_alarm(cloud: Cloud, group: Group, policy: Policy, side: str, threshold: float) -> tuple[str, str]:
    name = f"TargetTracking-{group.name}-Alarm{side}-{cloud.new_uuid()}"
    alarms = cloud.cloudwatch.alarms
    alarms.put_metric_alarm(
        {
            "AlarmName": name,
            "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
            "AlarmActions": [policy.arn],
            **_metric(group, policy.settings["TargetTrackingConfiguration"]),
            "Period": 60,
            "EvaluationPeriods": HIGH_PERIODS if side == "High" else LOW_PERIODS,
            "ComparisonOperator": "GreaterThanThreshold" if side == "High" else "LessThanThreshold",
            "Threshold": threshold,
        }
    )
    return name, alarms.arn_prefix + name


def _metric(group: Group, tracked: Params) -> Params:
    """Say which metric the alarms watch."""
    customized = tracked.get("CustomizedMetricSpecification")
    if customized is not None:
        members = ("MetricName", "Namespace", "Statistic", "Dimensions", "Unit")
        return {member: customized[member] for member in members if customized.get(member) is not None}
    return {
        "Namespace": "AWS/EC2",
        "MetricName": _PREDEFINED[tracked["PredefinedMetricSpecification"]["PredefinedMetricType"]],
        "Statistic": "Average",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group.name}],
    }
