"""A group's launches: the instance, its activity, and what becomes of a refusal.

A launch that fails becomes a Failed activity with EC2's message in AWS's frame (aws-facts 2.3), and is tried again,
elsewhere and ever later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api.autoscaling_state import Cloud, Group, Member, Params
from mglab.localcloud.api.compute import LaunchRequest
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import autoscaler as rules
from mglab.localcloud.rules.autoscaler import Launch

NO_TARGET_GROUP = "One or more target groups not found. Validating load balancer configuration failed."
_CAPACITY_CODES = ("VcpuLimitExceeded", "InstanceLimitExceeded", "InsufficientInstanceCapacity")
"""Their messages are shown with the code before them (aws-facts 2.3, status messages)."""
_ZONAL_CODES = ("InsufficientInstanceCapacity",)
"""Say that a zone has nothing left: the others are tried at once (aws-facts 2.5)."""
_IMAGE = re.compile(r"ami-\w+")


def launch(cloud: Cloud, group: Group, decisions: Sequence[Launch], now: float) -> None:
    """Carry out the launches that were decided."""
    before = len(group.active) + len(group.replacements)
    started = activities.started(now, before, before + len(decisions))
    sentences = [change.sentence for change in group.changes]
    for decision in decisions:
        zone = decision.subnet.zone
        refreshing = bool(group.replacements) and group.replacements[0].refresh
        causes = {
            "difference": activities.joined(*sentences, started),
            "replacement": activities.refreshing(now) if refreshing else activities.replacing(now),
            "rebalance": activities.balancing(now, zone),
        }
        alarm = activities.invoking_alarm(group.changes) if decision.reason == "difference" else None
        launched = _launch_one(cloud, group, decision, causes[decision.reason], alarm, now)
        if launched and decision.reason == "replacement":
            group.replacements.pop(0)


def _launch_one(cloud: Cloud, group: Group, decision: Launch, cause: str, alarm: Params | None, now: float) -> bool:
    """Start one instance; a refusal is written into the history and makes the next try wait."""
    subnet = decision.subnet
    activity = activities.begin(
        cloud, group, "Launching a new EC2 instance", cause, now, zone=subnet.zone, subnet_id=subnet.subnet_id,
        alarm=alarm, status="PreInService",
    )
    try:
        member = _started(cloud, group, subnet, now)
    except ApiError as error:
        message = status_message(error)
        activity.description = f"Launching a new EC2 instance.  Status Reason: {message}"
        activities.finish(activity, now, failure=message)
        _count(group, decision, error, now)
        return False
    activity.description = f"Launching a new EC2 instance: {member.instance_id}"
    member.activity_id = activity.activity_id
    group.members[member.instance_id] = member
    group.failures, group.failed_zones = 0, frozenset()
    return True


def _started(cloud: Cloud, group: Group, subnet: rules.Subnet, now: float) -> Member:
    wanted = [each.arn for each in group.attachments if each.state != "Removing"]
    if not all(cloud.elbv2.target_group_exists(arn) for arn in wanted):
        raise ApiError("ValidationError", NO_TARGET_GROUP)
    template_id, name, written = group.template
    version, _, instance_type = cloud.compute.template_version(template_id, written)
    tags = {key: tag.value for key, tag in group.tags.items() if tag.propagate} | {
        "aws:autoscaling:groupName": group.name,
        "aws:ec2launchtemplate:id": template_id,
        "aws:ec2launchtemplate:version": str(version),
    }
    request = LaunchRequest(template_id, str(version), subnet.subnet_id, tags)
    instance_id = cloud.compute.launch(request, now)
    return Member(
        instance_id, subnet.zone, instance_type, now, version, protected=group.protect_new, template=(template_id, name)
    )


def status_message(error: ApiError) -> str:
    """Word a failed launch (aws-facts 2.3, "failed launch")."""
    said = _in_a_groups_words(error)
    said = said if said.endswith(".") else f"{said}."
    if error.code in _CAPACITY_CODES:
        said = f"Could not launch On-Demand Instances. {error.code} - {said}"
    return f"{said} Launching EC2 instance failed."


def _in_a_groups_words(error: ApiError) -> str:
    """Give EC2's message; of an image, the history has words of its own."""
    image = _IMAGE.search(error.message)
    if error.code == "InvalidAMIID.NotFound" and image:
        return f"The AMI ID {image.group()} does not exist"
    if error.code == "InvalidAMIID.Unavailable":
        return error.message.removeprefix("The ")
    return error.message


def _count(group: Group, decision: Launch, error: ApiError, now: float) -> None:
    """Count a refusal; a rebalance has no other zone to go to, and is only tried again later."""
    if decision.reason == "rebalance":
        _wait_longer(group, now)
    else:
        count_failure(group, decision.subnet.zone, now, elsewhere=error.code in _ZONAL_CODES)


def count_failure(group: Group, zone: str, now: float, *, elsewhere: bool = False) -> None:
    """Wait before the next launch, and try another zone first; at once when only this zone is to blame."""
    group.failed_zones |= {zone}
    everywhere = group.failed_zones >= set(group.zones)
    if everywhere:
        group.failed_zones = frozenset()
    if everywhere or not elsewhere:
        _wait_longer(group, now)


def _wait_longer(group: Group, now: float) -> None:
    group.failures += 1
    group.retry_at = now + rules.retry_after(group.failures)
