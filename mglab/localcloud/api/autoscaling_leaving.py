"""A member on its way out: marked, its activity written; what follows is the reconciler's.

Deregistering and draining come first (aws-facts 2.2), then the lifecycle hooks of termination, then the end of the
instance, unless it goes on without the group or stands by.
"""

from __future__ import annotations

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api.autoscaling_state import Activity, Cloud, Group, Member, Params
from mglab.localcloud.rules.autoscaler import STARTING, Lifecycle

BROKEN_OFF = "Instance became unhealthy while waiting for instance to be in InService state."
_WORDS: dict[Lifecycle, str] = {
    "Terminating": "Terminating EC2 instance",
    "Detaching": "Detaching EC2 instance",
    "EnteringStandby": "Moving EC2 instance to Standby",
}


def begin_to_leave(
    cloud: Cloud, group: Group, member: Member, cause: str, now: float, *, alarm: Params | None = None,
    way: Lifecycle = "Terminating",
) -> Activity:
    """Mark a member as leaving and write why."""
    activity = activities.begin(
        cloud, group, f"{_WORDS[way]}: {member.instance_id}", cause, now, zone=member.zone,
        subnet_id=subnet_of(cloud, member), alarm=alarm,
    )
    launching = activities.find(cloud.state, member.activity_id) if member.lifecycle in STARTING else None
    if launching is not None:
        activities.finish(launching, now, failure=BROKEN_OFF)
    member.lifecycle = way
    member.activity_id, member.drained_at, member.waits = activity.activity_id, None, []
    return activity


def subnet_of(cloud: Cloud, member: Member) -> str | None:
    """Give the subnet that a member is in, while EC2 lists it."""
    view = cloud.compute.instance(member.instance_id)
    return view.subnet_id if view else None


def in_grace(group: Group, member: Member, now: float) -> bool:
    """Say whether a member's health check grace period is not over yet."""
    return member.in_service_at is None or now < member.in_service_at + group.grace_s
