"""Auto Scaling group: steps 58-77, the settings of step 86, and its history.

The group keeps as many instances as it desires, spread over its subnets' zones, and registers them with the
target group. With health type EC2 (step 69: no additional health checks) a member that fails its target
health checks stays; only one that EC2 calls not running is replaced (aws-facts 2.1). A member is InService
without waiting for its target to be healthy (aws-facts 2.2). Target tracking makes two alarms on average
CPU; the low one stays in alarm while the group idles at its minimum (aws-facts 2.6).

The API's own grace period would be 0; the console's 300 s are asked for, as the sheet's wizard does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mglab import waits
from mglab.config import RUN_TAG, Config
from mglab.display import column
from mglab.errors import UsageError, WaitTimedOut
from mglab.session import Lab
from mglab.steps import instances as ec2_instances
from mglab.steps.balancing import TargetGroup
from mglab.steps.ensure import Record, Records, demand, details, ensure, ensure_done, having, refuse_foreign
from mglab.steps.instances import Instance, described, summary
from mglab.steps.network import Subnet
from mglab.steps.templates import LATEST, LaunchTemplate

NOTEBOOK = "06_auto_scaling_group"
MADE_IN = "58-76"
IN_SERVICE_TIMEOUT_S = 900.0
DELETED_TIMEOUT_S = 900.0
LOOK_EVERY_S = 5.0
POLICY_METRIC = "ASGAverageCPUUtilization"


@dataclass(frozen=True)
class Group(Record):
    """An Auto Scaling group."""

    name: str = field(metadata=column("Name"))
    template: str = field(metadata=column("Launch template"))
    instances: int = field(metadata=column("Instances", "number"))
    status: str = field(metadata=column("Status", "status"))
    desired: int = field(metadata=column("Desired", "number"))
    minimum: int = field(metadata=column("Min", "number"))
    maximum: int = field(metadata=column("Max", "number"))
    zones: str = field(metadata=column("Availability Zones"))
    health_type: str = field(metadata=column("Health check type"))
    grace_period_s: int = field(metadata=column("Grace period (s)", "number"))
    group_metrics: bool = field(metadata=column("Group metrics"))
    arn: str = field(metadata=column("ARN", "arn"))


@dataclass(frozen=True)
class Member(Record):
    """An instance of the group, as the group and as EC2 see it."""

    name: str = field(metadata=column("Name"))
    instance_id: str = field(metadata=column("Instance ID", "id"))
    state: str = field(metadata=column("Instance state", "status"))
    lifecycle: str = field(metadata=column("Lifecycle", "status"))
    zone: str = field(metadata=column("Zone"))
    private_address: str = field(metadata=column("Private IPv4", "address"))
    public_address: str = field(metadata=column("Public IPv4", "address"))
    health: str = field(metadata=column("Group's verdict", "status"))
    template_version: str = field(metadata=column("Template version", "number"))


@dataclass(frozen=True)
class Policy(Record):
    """A target tracking policy and its alarms."""

    name: str = field(metadata=column("Policy"))
    kind: str = field(metadata=column("Type"))
    metric: str = field(metadata=column("Metric"))
    target: float = field(metadata=column("Target value", "number"))
    warmup_s: int = field(metadata=column("Warm-up (s)", "number"))
    scale_in: bool = field(metadata=column("Scale in"))
    alarms: str = field(metadata=column("Alarms"))


@dataclass(frozen=True)
class Activity(Record):
    """One entry of the group's activity history, with AWS's own words."""

    started: datetime = field(metadata=column("Start", "time"))
    ended: datetime | None = field(metadata=column("End", "time"))
    seconds: float | None = field(metadata=column("Took (s)", "number"))
    status: str = field(metadata=column("Status", "status"))
    description: str = field(metadata=column("Description"))
    cause: str = field(metadata=column("Cause"))
    progress: int = field(metadata=column("Progress (%)", "number"))
    activity_id: str = field(metadata=column("Activity"), repr=False)


# -- requests ----------------------------------------------------------------------------------------------


def group_request(
    config: Config, run: str, *, template_id: str, subnet_ids: list[str], target_group_arn: str
) -> dict[str, Any]:
    """Say what CreateAutoScalingGroup is asked (steps 60-72)."""
    return {
        "AutoScalingGroupName": config.group_name,
        "LaunchTemplate": {"LaunchTemplateId": template_id, "Version": LATEST},
        "VPCZoneIdentifier": ",".join(subnet_ids),
        "TargetGroupARNs": [target_group_arn],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": config.grace_period_s,
        "MinSize": config.minimum,
        "MaxSize": config.maximum,
        "DesiredCapacity": config.desired,
        "Tags": [
            _propagated("Name", config.group_instance_name, config.group_name),
            _propagated(RUN_TAG, run, config.group_name),
        ],
    }


def metrics_request(config: Config) -> dict[str, Any]:
    """Say what EnableMetricsCollection is asked: every group metric (step 70)."""
    return {"AutoScalingGroupName": config.group_name, "Granularity": "1Minute"}


def target_tracking_request(config: Config) -> dict[str, Any]:
    """Say what PutScalingPolicy is asked (step 73)."""
    return {
        "AutoScalingGroupName": config.group_name,
        "PolicyName": config.policy_name,
        "PolicyType": "TargetTrackingScaling",
        "EstimatedInstanceWarmup": config.warmup_s,
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": {"PredefinedMetricType": POLICY_METRIC},
            "TargetValue": config.target_cpu_percent,
            "DisableScaleIn": False,
        },
    }


def _propagated(key: str, value: str, group_name: str) -> dict[str, Any]:
    return {
        "Key": key,
        "Value": value,
        "PropagateAtLaunch": True,
        "ResourceId": group_name,
        "ResourceType": "auto-scaling-group",
    }


# -- buttons -----------------------------------------------------------------------------------------------


def create_group(lab: Lab, template: LaunchTemplate, subnets: Records[Subnet], target_group: TargetGroup) -> Group:
    """Create the group in both subnets, behind the target group (steps 58-76).

    One that is there already is brought in line: with a template or target group that was made anew, and other limits.
    """
    request = group_request(
        lab.config,
        lab.run,
        template_id=template.template_id,
        subnet_ids=[subnet.subnet_id for subnet in subnets],
        target_group_arn=target_group.arn,
    )
    _wait_while_deleted(lab)
    ensure(
        lab,
        step=MADE_IN,
        what="auto-scaling-group",
        key=lab.config.group_name,
        by_id=lambda known: _same_arn(_group(lab), known),
        by_tag=lambda: _group(lab),
        create=lambda: _created(lab, request),
        identify=lambda made: made.arn,
    )
    return _in_line(lab, request)


def enable_group_metrics(lab: Lab) -> Group:
    """Have the group's own metrics collected (step 70)."""
    ensure_done(
        lab,
        step="70",
        what="group-metrics",
        key=lab.config.group_name,
        is_done=lambda: group(lab).group_metrics,
        do=lambda: lab.autoscaling.enable_metrics_collection(**metrics_request(lab.config)),
    )
    return group(lab)


def put_target_tracking(lab: Lab) -> Policy:
    """Track the target CPU with the group's size (step 73)."""
    ensure_done(
        lab,
        step="73",
        what="scaling-policy",
        key=lab.config.policy_name,
        is_done=lambda: _tracks(_policy(lab), lab.config),
        do=lambda: lab.autoscaling.put_scaling_policy(**target_tracking_request(lab.config)),
    )
    return demand(_policy(lab), f"policy {lab.config.policy_name}", NOTEBOOK)


def set_limits(
    lab: Lab, *, minimum: int | None = None, maximum: int | None = None, desired: int | None = None
) -> Group:
    """Change the group's sizes; what is not given stays (step 86)."""
    asked = {"MinSize": minimum, "MaxSize": maximum, "DesiredCapacity": desired}
    changes = {name: value for name, value in asked.items() if value is not None}
    if not changes:
        raise UsageError("set_limits changes nothing", hint="give minimum=, maximum= or desired=")
    before = group(lab)
    lab.autoscaling.update_auto_scaling_group(AutoScalingGroupName=before.name, **changes)
    after = group(lab)
    lab.ledger.note("86", "auto-scaling-group", id=after.arn, key=after.name, changes=changes, **details(after))
    return after


def limits_as_made(lab: Lab) -> dict[str, int]:
    """Give the sizes that notebook 06 gave the group, as ``set_limits`` takes them; the settings' if none are filed."""
    made = (it for it in reversed(lab.ledger.entries()) if (it.what, it.step) == ("auto-scaling-group", MADE_IN))
    filed = next((it.details["record"] for it in made if "record" in it.details), vars(lab.config))
    return {name: int(filed[name]) for name in ("minimum", "maximum", "desired")}


def put_limits_back(lab: Lab) -> Group:
    """Give the group the sizes it was made with, if an experiment left it others."""
    wanted, found = limits_as_made(lab), group(lab)
    if all(getattr(found, name) == size for name, size in wanted.items()):
        return found
    return set_limits(lab, **wanted)


@contextmanager
def other_limits(lab: Lab, *, minimum: int | None = None, maximum: int | None = None) -> Iterator[None]:
    """Let the group have other limits for as long as the block lasts, then those it was made with."""
    set_limits(lab, minimum=minimum, maximum=maximum)
    try:
        yield
    finally:
        put_limits_back(lab)


def terminate_instance(lab: Lab, instance_id: str) -> Instance:
    """Terminate one member by EC2, as step 85 does in the console: the group is not told."""
    _require_member(lab, instance_id)
    chosen = described(lab, having("instance-id", instance_id))
    return ec2_instances.terminate(lab, *chosen)[0]


def reboot_instance(lab: Lab, instance_id: str) -> None:
    """Reboot one member by EC2: its address stays, and ``run.sh`` starts its servers again (step 85)."""
    _require_member(lab, instance_id)
    lab.ec2.reboot_instances(InstanceIds=[instance_id])
    lab.ledger.note("85", "instance", key=instance_id, did="rebooted")


def _require_member(lab: Lab, instance_id: str) -> None:
    members = [member.instance_id for member in instances(lab)]
    if instance_id not in members:
        raise UsageError(
            f"instance {instance_id} is not in group {lab.config.group_name}",
            hint="choose one of: " + (", ".join(members) or "(it has none)"),
        )


# -- what is there -----------------------------------------------------------------------------------------


def group(lab: Lab) -> Group:
    """Find the run's group."""
    return demand(_group(lab), f"Auto Scaling group {lab.config.group_name}", NOTEBOOK)


def instances(lab: Lab) -> Records[Member]:
    """List the group's instances with names and addresses (steps 77-78)."""
    answer = _answer(lab)
    members = answer["Instances"] if answer else []
    ids = [it["InstanceId"] for it in members]
    known = {it.instance_id: it for it in described(lab, having("instance-id", *ids))} if ids else {}
    found = (_read_member(it, known.get(it["InstanceId"])) for it in members)
    return Records(sorted(found, key=lambda it: (it.zone, it.instance_id)))


def activities(lab: Lab) -> Records[Activity]:
    """List the group's activity history, newest first, deleted group included."""
    pages = lab.autoscaling.get_paginator("describe_scaling_activities").paginate(
        AutoScalingGroupName=lab.config.group_name, IncludeDeletedGroups=True
    )
    return Records(_read_activity(it) for page in pages for it in page["Activities"])


def wait_in_service(lab: Lab, count: int | None = None, *, timeout_s: float = IN_SERVICE_TIMEOUT_S) -> waits.Wait:
    """Wait until just so many members are InService (the desired number, if not told); files them in the ledger."""
    wanted = group(lab).desired if count is None else count
    try:
        wait = waits.until(
            lab,
            look=lambda: summary(it.lifecycle for it in instances(lab)) or "no instances",
            is_done=lambda state: f"{wanted} InService" in state.split(", "),
            what=f"group {lab.config.group_name} ({wanted} in service)",
            timeout_s=timeout_s,
            interval_s=LOOK_EVERY_S,
        )
    except WaitTimedOut as late:
        raise WaitTimedOut(late.message, hint=_last_failure(lab) or late.hint) from None
    file_members(lab)
    return wait


def _last_failure(lab: Lab) -> str:
    """Say in AWS's words why the group's newest activity failed; empty when it did not."""
    newest = next(iter(activities(lab)), None)
    if newest is None or newest.status != "Failed":
        return ""
    return f"mend what its last activity says: {newest.description}; then run the cell again to wait on"


def file_members(lab: Lab) -> None:
    """File each member once as made by the group, with its addresses: after whatever made the group launch one."""
    filed = {entry.id for entry in lab.ledger.live() if entry.what == "instance"}
    for member in instances(lab):
        if member.instance_id not in filed:
            lab.ledger.made(
                "77", "instance", member.name, member.instance_id, by=lab.config.group_name, **details(member)
            )


# -- reading AWS's answers ---------------------------------------------------------------------------------


def _created(lab: Lab, request: dict[str, Any]) -> Group:
    lab.autoscaling.create_auto_scaling_group(**request)
    return group(lab)


def _wait_while_deleted(lab: Lab) -> None:
    """Wait for the end of a group of this name that is being deleted: until then the name is taken (aws-facts 3.7)."""

    def state() -> str:
        found = _group(lab)
        return found.status if found and found.status.startswith("Delete") else "gone"

    if state() == "gone":
        return
    waits.until(
        lab,
        look=state,
        is_done=lambda seen: seen == "gone",
        what=f"the deletion of group {lab.config.group_name}",
        timeout_s=DELETED_TIMEOUT_S,
        interval_s=LOOK_EVERY_S,
    )


def _in_line(lab: Lab, request: dict[str, Any]) -> Group:
    """Change what is not as requested of a group that is there: template, subnets, limits, target group."""
    answer, settings = _answer(lab) or {}, ("VPCZoneIdentifier", "MinSize", "MaxSize")
    changes = {name: request[name] for name in settings if not _has(answer, request, name)}
    if answer.get("LaunchTemplate", {}).get("LaunchTemplateId") != request["LaunchTemplate"]["LaunchTemplateId"]:
        changes["LaunchTemplate"] = request["LaunchTemplate"]
    name, wanted, attached = lab.config.group_name, request["TargetGroupARNs"], answer.get("TargetGroupARNs", [])
    if changes:
        lab.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **changes)
    if attached != wanted:
        _attach_instead(lab, attached, wanted)
    found = group(lab)
    if changes or attached != wanted:
        told = {it: value["LaunchTemplateId"] if isinstance(value, dict) else value for it, value in changes.items()}
        lab.ledger.note(MADE_IN, "auto-scaling-group", id=found.arn, key=found.name, changes=told, **details(found))
    return found


def _attach_instead(lab: Lab, attached: list[str], wanted: list[str]) -> None:
    """Put a group behind other target groups: while it names one that is gone, it launches nothing (aws-facts 2.3)."""
    stale, missing = (sorted(set(a) - set(b)) for a, b in ((attached, wanted), (wanted, attached)))
    name = lab.config.group_name
    if stale:
        lab.autoscaling.detach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=stale)
    if missing:
        lab.autoscaling.attach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=missing)


def _has(answer: dict[str, Any], request: dict[str, Any], name: str) -> bool:
    """Say whether a group has a setting as requested; its subnets may be told in another order."""
    if name == "VPCZoneIdentifier":
        return set(answer.get(name, "").split(",")) == set(request[name].split(","))
    return bool(answer.get(name) == request[name])


def _answer(lab: Lab) -> dict[str, Any] | None:
    name = lab.config.group_name
    found = lab.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not found:
        return None
    refuse_foreign(lab, "Auto Scaling group", name, found[0].get("Tags"), "group_name")
    return dict(found[0])


def _group(lab: Lab) -> Group | None:
    answer = _answer(lab)
    return _read_group(answer) if answer else None


def _same_arn(found: Group | None, known: str) -> Group | None:
    return found if found and found.arn == known else None


def _policy(lab: Lab) -> Policy | None:
    answer = lab.autoscaling.describe_policies(
        AutoScalingGroupName=lab.config.group_name, PolicyNames=[lab.config.policy_name]
    )["ScalingPolicies"]
    return _read_policy(answer[0]) if answer else None


def _tracks(found: Policy | None, config: Config) -> bool:
    wanted = (POLICY_METRIC, config.target_cpu_percent, config.warmup_s)
    return found is not None and (found.metric, found.target, found.warmup_s) == wanted


def _read_group(answer: dict[str, Any]) -> Group:
    template = answer.get("LaunchTemplate", {})
    present = len(answer["Instances"])
    updating = "Updating capacity..." if present != answer["DesiredCapacity"] else ""
    return Group(
        name=answer["AutoScalingGroupName"],
        template=f"{template.get('LaunchTemplateName', '')} | {template.get('Version', '')}",
        instances=present,
        status=answer.get("Status") or updating,
        desired=answer["DesiredCapacity"],
        minimum=answer["MinSize"],
        maximum=answer["MaxSize"],
        zones=", ".join(sorted(answer["AvailabilityZones"])),
        health_type=answer["HealthCheckType"],
        grace_period_s=answer.get("HealthCheckGracePeriod", 0),
        group_metrics=bool(answer.get("EnabledMetrics")),
        arn=answer["AutoScalingGroupARN"],
    )


def _read_member(answer: dict[str, Any], known: Instance | None) -> Member:
    return Member(
        name=known.name if known else "",
        instance_id=answer["InstanceId"],
        state=known.state if known else "",
        lifecycle=answer["LifecycleState"],
        zone=answer["AvailabilityZone"],
        private_address=known.private_address if known else "",
        public_address=known.public_address if known else "",
        health=answer["HealthStatus"],
        template_version=str(answer.get("LaunchTemplate", {}).get("Version", "")),
    )


def _read_policy(answer: dict[str, Any]) -> Policy:
    tracking = answer.get("TargetTrackingConfiguration", {})
    return Policy(
        name=answer["PolicyName"],
        kind=answer["PolicyType"],
        metric=tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", ""),
        target=tracking.get("TargetValue", 0.0),
        warmup_s=answer.get("EstimatedInstanceWarmup", 0),
        scale_in=not tracking.get("DisableScaleIn", False),
        alarms=", ".join(it["AlarmName"] for it in answer.get("Alarms") or ()),
    )


def _read_activity(answer: dict[str, Any]) -> Activity:
    started, ended = answer["StartTime"], answer.get("EndTime")
    return Activity(
        started=started.astimezone(UTC),
        ended=ended.astimezone(UTC) if ended else None,
        seconds=round((ended - started).total_seconds(), 1) if ended else None,
        status=answer["StatusCode"],
        description=answer.get("Description", ""),
        cause=answer["Cause"],
        progress=answer.get("Progress", 0),
        activity_id=answer["ActivityId"],
    )
