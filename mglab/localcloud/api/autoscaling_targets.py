"""A group's members in its target groups: registered, drained, and how far each target group is attached.

An attachment walks Adding, Added, InService, Removing (aws-facts 2.2). A member remembers where the group registered
it: a dead instance's target may be gone, its drain is waited out all the same (aws-facts 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence

from mglab.localcloud.api.autoscaling_state import Attachment, Cloud, Group, Member
from mglab.localcloud.api.faults import ApiError


def register(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    """Register a member with every target group of its group; raises ApiError as RegisterTargets would."""
    if "AddToLoadBalancer" in group.suspended:
        return
    for attachment in group.attachments:
        if attachment.state != "Removing":
            _register_with(cloud, member, attachment.arn, now)


def deregister(cloud: Cloud, member: Member, now: float) -> float:
    """Begin to drain a member everywhere; give how long that takes."""
    registered = [arn for arn in sorted(member.target_groups) if cloud.elbv2.target_group_exists(arn)]
    for arn in registered:
        cloud.elbv2.deregister(arn, member.instance_id, now)
    delays = [cloud.elbv2.deregistration_delay_s(arn) for arn in registered]
    return max(delays, default=0.0)


def follow(cloud: Cloud, group: Group, now: float) -> None:
    """Take every attachment of a group one step further."""
    for attachment in list(group.attachments):
        if attachment.state == "Removing":
            _detach(cloud, group, attachment, now)
        elif cloud.elbv2.target_group_exists(attachment.arn):
            _attach(cloud, group, attachment, now)


def _register_with(cloud: Cloud, member: Member, arn: str, now: float) -> None:
    cloud.elbv2.register(arn, member.instance_id, now)
    member.target_groups.add(arn)


def _attach(cloud: Cloud, group: Group, attachment: Attachment, now: float) -> None:
    """Register who is in service; note the first healthy target."""
    in_service = [member for member in group.members.values() if member.lifecycle == "InService"]
    if attachment.state == "Adding" and "AddToLoadBalancer" not in group.suspended:
        if _register_all(cloud, in_service, attachment.arn, now):
            attachment.state = "Added"
    elif attachment.state == "Added":
        states = (cloud.elbv2.target_state(attachment.arn, member.instance_id) for member in in_service)
        if "healthy" in states:
            attachment.state, group.targets_ever_healthy = "InService", True


def _register_all(cloud: Cloud, members: Sequence[Member], arn: str, now: float) -> bool:
    """Register running members; False when the target group will not have them (it stays Adding)."""
    for member in members:
        view = cloud.compute.instance(member.instance_id)
        if view is None or view.state != "running":
            continue
        try:
            _register_with(cloud, member, arn, now)
        except ApiError:
            return False
    return True


def _detach(cloud: Cloud, group: Group, attachment: Attachment, now: float) -> None:
    """Deregister everyone; the attachment is gone when the last has drained."""
    exists, states = cloud.elbv2.target_group_exists(attachment.arn), []
    for member in group.members.values():
        if exists and attachment.arn in member.target_groups:
            cloud.elbv2.deregister(attachment.arn, member.instance_id, now)
        member.target_groups.discard(attachment.arn)
        states.append(cloud.elbv2.target_state(attachment.arn, member.instance_id))
    if not exists or not any(states):
        group.attachments.remove(attachment)
