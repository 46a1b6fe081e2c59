"""Operations on members: terminate, detach, attach, protect, declare unhealthy.

A member that leaves is marked, and its activity written, at once; deregistering, draining and terminating
are the reconciler's. Wordings: aws-facts 2.3 and 3.7 rows 43, 49.

Left out: standby, lifecycle hooks.
"""

from __future__ import annotations

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_capacity as capacity
from mglab.localcloud.api import autoscaling_views as views
from mglab.localcloud.api.autoscaling_settings import check_desired
from mglab.localcloud.api.autoscaling_state import Activity, Cloud, Group, Member, Params, find_group, find_member
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, page, refuse_members, require
from mglab.localcloud.api.faults import ApiError

BROKEN_OFF = "Instance became unhealthy while waiting for instance to be in InService state."


class MemberPage:
    """Answers the operations on single members."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def describe_auto_scaling_instances(self, params: Params) -> Params:
        """List members, of every group."""
        ids = params.get("InstanceIds") or []
        pairs = [(group, member) for group in self.cloud.state.groups.values() for member in group.members.values()]
        found = [(group, member) for group, member in pairs if not ids or member.instance_id in ids]
        items, token = page(params, found, default=50, maximum=50)
        return {"AutoScalingInstances": [views.instance(*pair) for pair in items], "NextToken": token}

    def terminate_instance_in_auto_scaling_group(self, params: Params) -> Params:
        """Take a member out; it is replaced unless the capacity is decremented."""
        refuse_members(params, "InstanceIds")
        require(params, "InstanceId", "ShouldDecrementDesiredCapacity")
        group, member = find_member(self.cloud, params["InstanceId"])
        if member.lifecycle in ("Terminating", "Detaching"):
            raise ApiError("ScalingActivityInProgress", f"The instance {member.instance_id} is in {member.lifecycle}.")
        decrement = params["ShouldDecrementDesiredCapacity"]
        cause = activities.terminated_by_user(self.cloud.now(), member.instance_id, group.desired, decrement=decrement)
        _check_decrement(group, 1, decrement, "Terminating instance")
        activity = begin_to_leave(self.cloud, group, member, cause, self.cloud.now())
        self._make_room(group, 1, decrement)
        return {"Activity": activities.describe(activity)}

    def detach_instances(self, params: Params) -> Params:
        """Let members go on without the group."""
        require(params, "AutoScalingGroupName", "ShouldDecrementDesiredCapacity")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        decrement, now = params["ShouldDecrementDesiredCapacity"], self.cloud.now()
        members = [_in_service(group, instance_id) for instance_id in params.get("InstanceIds") or ()]
        _check_decrement(group, len(members), decrement, "Detaching instances")
        shown = []
        for taken, member in enumerate(members):
            before = group.desired - (taken if decrement else 0)
            cause = activities.detached_by_user(now, member.instance_id, before, decrement=decrement)
            shown.append(activities.describe(begin_to_leave(self.cloud, group, member, cause, now, detach=True)))
        self._make_room(group, len(members), decrement)
        return {"Activities": shown}

    def attach_instances(self, params: Params) -> Params:
        """Take running instances in and raise the desired capacity by their number."""
        require(params, "AutoScalingGroupName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        ids = params.get("InstanceIds") or []
        members = [self._attachable(group, instance_id) for instance_id in ids]
        check_desired(group.desired + len(members), group.minimum, group.maximum)
        for member in members:
            group.desired += 1
            group.members[member.instance_id] = member
            cause = activities.attached_by_user(self.cloud.now(), group.desired)
            description = f"Attaching an existing EC2 instance: {member.instance_id}"
            activity = activities.begin(self.cloud, group, description, cause, self.cloud.now(), zone=member.zone)
            member.activity_id = activity.activity_id
        return {}

    def set_instance_protection(self, params: Params) -> Params:
        """Shield members from scale-in, or end that."""
        require(params, "InstanceIds", "AutoScalingGroupName", "ProtectedFromScaleIn")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        members = [_in_service(group, instance_id) for instance_id in params["InstanceIds"]]
        for member in members:
            member.protected = params["ProtectedFromScaleIn"]
        return {}

    def set_instance_health(self, params: Params) -> Params:
        """Declare a member healthy or not; an unhealthy one is replaced."""
        require(params, "InstanceId", "HealthStatus")
        group, member = find_member(self.cloud, params["InstanceId"])
        status = params["HealthStatus"]
        if status not in ("Healthy", "Unhealthy"):
            raise constraint(status, "HealthStatus", "Member must satisfy enum value set: [Healthy, Unhealthy]")
        if status == "Healthy":
            member.failure = None
        elif not (params.get("ShouldRespectGracePeriod", True) and in_grace(group, member, self.cloud.now())):
            member.failure = "user"
        return {}

    def _make_room(self, group: Group, count: int, decrement: bool) -> None:
        """Lower the desired capacity, or have the gap filled after the usual pause."""
        if decrement:
            group.desired -= count
        else:
            capacity.pause(self.cloud, group)

    def _attachable(self, group: Group, instance_id: str) -> Member:
        view = self.cloud.compute.instance(instance_id)
        if view is None or view.state != "running":
            raise invalid(f"Invalid Instance ID(s): {instance_id} specified: it is not a running instance.")
        if any(instance_id in other.members for other in self.cloud.state.groups.values()):
            raise invalid(f"Instance {instance_id} is already part of an AutoScalingGroup.")
        if view.zone not in group.zones:
            raise invalid(f"Instance {instance_id} is not in an Availability Zone of the AutoScalingGroup.")
        return Member(instance_id, view.zone, view.instance_type, view.launched_at, None, protected=group.protect_new)


def begin_to_leave(
    cloud: Cloud, group: Group, member: Member, cause: str, now: float, *, alarm: Params | None = None,
    detach: bool = False,
) -> Activity:
    """Mark a member as leaving and write why."""
    verb = "Detaching" if detach else "Terminating"
    view = cloud.compute.instance(member.instance_id)
    activity = activities.begin(
        cloud, group, f"{verb} EC2 instance: {member.instance_id}", cause, now, zone=member.zone,
        subnet_id=view.subnet_id if view else None, alarm=alarm,
    )
    launching = activities.find(cloud.state, member.activity_id) if member.lifecycle == "Pending" else None
    if launching is not None:
        activities.finish(launching, now, failure=BROKEN_OFF)
    member.lifecycle = "Detaching" if detach else "Terminating"
    member.activity_id, member.drained_at = activity.activity_id, None
    return activity


def in_grace(group: Group, member: Member, now: float) -> bool:
    """Say whether a member's health check grace period is not over yet."""
    return member.in_service_at is None or now < member.in_service_at + group.grace_s


def _in_service(group: Group, instance_id: str) -> Member:
    member = group.members.get(instance_id)
    if member is None:
        raise invalid(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
    if member.lifecycle != "InService":
        raise invalid(f"The instance {instance_id} is not in InService. It is in {member.lifecycle}.")
    return member


def _check_decrement(group: Group, count: int, decrement: bool, doing: str) -> None:
    if decrement and group.desired - count < group.minimum:
        raise invalid(
            f"Currently, desiredSize equals minSize ({group.minimum}). {doing} without replacement will violate "
            "group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's "
            "min size."
        )
