"""Groups, members and tags as AWS shows them (aws-facts 2.1, row "group describe keys").

A group shows its launch template's version as it was written (``$Latest``), each member the number that it
was launched from.
"""

from __future__ import annotations

from mglab.localcloud.api.autoscaling_state import Group, Member, Params
from mglab.localcloud.api.cloudwatch_forms import moment

GRANULARITY = "1Minute"


def group(found: Group, account: str, *, instances: bool = True) -> Params:
    """Give a group as DescribeAutoScalingGroups shows it."""
    arns = [attachment.arn for attachment in found.attachments if attachment.state != "Removing"]
    role = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    shown: Params = {
        "AutoScalingGroupName": found.name,
        "AutoScalingGroupARN": found.arn,
        "LaunchTemplate": _template(found, found.template_version),
        "MinSize": found.minimum,
        "MaxSize": found.maximum,
        "DesiredCapacity": found.desired,
        "DefaultCooldown": found.cooldown_s,
        "AvailabilityZones": found.zones,
        "LoadBalancerNames": [],
        "TargetGroupARNs": arns,
        "HealthCheckType": found.health_check_type,
        "HealthCheckGracePeriod": found.grace_s,
        "Instances": [_instance(found, member) for member in found.members.values()] if instances else [],
        "CreatedTime": moment(found.created_at),
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": reason} for name, reason in found.suspended.items()
        ],
        "VPCZoneIdentifier": "" if found.by_zones else ",".join(subnet.subnet_id for subnet in found.subnets),
        "EnabledMetrics": [{"Metric": name, "Granularity": GRANULARITY} for name in found.enabled_metrics],
        "Tags": tags(found),
        "TerminationPolicies": list(found.termination_policies),
        "NewInstancesProtectedFromScaleIn": found.protect_new,
        "ServiceLinkedRoleARN": f"arn:aws:iam::{account}:{role}",
        "TrafficSources": [{"Identifier": arn, "Type": "elbv2"} for arn in arns],
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
        **found.kept,
    }
    if found.warmup_s is not None:
        shown["DefaultInstanceWarmup"] = found.warmup_s
    if found.deleting:
        shown["Status"] = "Delete in progress"
    return shown


def instance(found: Group, member: Member) -> Params:
    """Give a member as DescribeAutoScalingInstances shows it: health in capitals, unlike a group's own list."""
    shown = _instance(found, member)
    return shown | {"AutoScalingGroupName": found.name, "HealthStatus": shown["HealthStatus"].upper()}


def tags(found: Group) -> list[Params]:
    """Give a group's tags."""
    return [
        {
            "ResourceId": found.name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": tag.value,
            "PropagateAtLaunch": tag.propagate,
        }
        for key, tag in sorted(found.tags.items())
    ]


def _instance(found: Group, member: Member) -> Params:
    shown: Params = {
        "InstanceId": member.instance_id,
        "InstanceType": member.instance_type,
        "AvailabilityZone": member.zone,
        "LifecycleState": member.lifecycle,
        "HealthStatus": "Healthy" if member.failure is None else "Unhealthy",
        "ProtectedFromScaleIn": member.protected,
    }
    if member.template_version is not None:
        shown["LaunchTemplate"] = _template(found, str(member.template_version), member.template)
    return shown


def _template(found: Group, version: str, launched_from: tuple[str, str] | None = None) -> Params:
    template_id, name = launched_from or (found.template_id, found.template_name)
    return {"LaunchTemplateId": template_id, "LaunchTemplateName": name, "Version": version}
