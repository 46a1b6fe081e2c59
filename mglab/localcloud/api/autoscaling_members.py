"""Operations on members: terminate, detach, attach, stand by, protect, declare unhealthy.

A member that leaves is marked, and its activity written, at once; deregistering, draining and terminating
are the reconciler's. Wordings: aws-facts 2.3 and 3.7 rows 43, 49; those of standby were recorded by others.
"""

from __future__ import annotations

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_capacity as capacity
from mglab.localcloud.api import autoscaling_views as views
from mglab.localcloud.api.autoscaling_leaving import begin_to_leave, in_grace, subnet_of
from mglab.localcloud.api.autoscaling_state import Cloud, Group, Member, Params, find_group, find_member
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, page, refuse_members, require
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.autoscaler import LEAVING


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
        if member.lifecycle in LEAVING:
            raise ApiError("ScalingActivityInProgress", f"The instance {member.instance_id} is in {member.lifecycle}.")
        decrement = params["ShouldDecrementDesiredCapacity"]
        if member.lifecycle in ("Standby", "EnteringStandby"):
            decrement = False  # its capacity was given up, or replaced, when it was moved
        cause = activities.terminated_by_user(self.cloud.now(), member.instance_id, group.desired, decrement=decrement)
        _check_decrement(group, decrement)
        activity = begin_to_leave(self.cloud, group, member, cause, self.cloud.now())
        self._make_room(group, 1, decrement)
        return {"Activity": activities.describe(activity)}

    def detach_instances(self, params: Params) -> Params:
        """Let members go on without the group."""
        require(params, "AutoScalingGroupName", "ShouldDecrementDesiredCapacity")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        decrement, now = params["ShouldDecrementDesiredCapacity"], self.cloud.now()
        members = [_movable(group, each, "InService", "Standby") for each in params.get("InstanceIds") or ()]
        counted = [member for member in members if member.lifecycle == "InService"] if decrement else []
        _check_sizes(group, -len(counted), f"To detach {_count(len(members), 'instance')}")
        shown = []
        for member in members:
            lowers = member in counted
            cause = activities.detached_by_user(now, member.instance_id, group.desired, decrement=lowers)
            activity = begin_to_leave(self.cloud, group, member, cause, now, way="Detaching")
            shown.append(activities.describe(activity))
            group.desired -= lowers
        if not decrement:
            capacity.pause(self.cloud, group)
        return {"Activities": shown}

    def enter_standby(self, params: Params) -> Params:
        """Take members out of service for a while; they are replaced unless the capacity is decremented."""
        require(params, "AutoScalingGroupName", "ShouldDecrementDesiredCapacity")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        decrement, now = params["ShouldDecrementDesiredCapacity"], self.cloud.now()
        members = [_movable(group, each, "InService") for each in params.get("InstanceIds") or ()]
        doing = f"To place into standby {_count(len(members), 'instance')}"
        _check_sizes(group, -len(members) if decrement else 0, doing)
        shown = []
        for member in members:
            cause = activities.to_standby(now, member.instance_id, group.desired, decrement=decrement)
            activity = begin_to_leave(self.cloud, group, member, cause, now, way="EnteringStandby")
            shown.append(activities.describe(activity))
            group.desired -= decrement
        if not decrement:
            capacity.pause(self.cloud, group)
        return {"Activities": shown}

    def exit_standby(self, params: Params) -> Params:
        """Put members back into service; the desired capacity rises by their number."""
        require(params, "AutoScalingGroupName")
        group, now = find_group(self.cloud, params["AutoScalingGroupName"]), self.cloud.now()
        members = [_movable(group, each, "Standby") for each in params.get("InstanceIds") or ()]
        _check_sizes(group, len(members), f"To move {_count(len(members), 'more instance')} out of standby")
        shown = []
        for member in members:
            cause = activities.out_of_standby(now, member.instance_id, group.desired)
            activity = activities.begin(
                self.cloud, group, f"Moving EC2 instance out of Standby: {member.instance_id}", cause, now,
                zone=member.zone, subnet_id=subnet_of(self.cloud, member), status="PreInService",
            )  # fmt: skip
            member.lifecycle, member.activity_id = "Pending", activity.activity_id
            group.desired += 1
            shown.append(activities.describe(activity))
        return {"Activities": shown}

    def attach_instances(self, params: Params) -> Params:
        """Take running instances in and raise the desired capacity by their number."""
        require(params, "AutoScalingGroupName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        ids = params.get("InstanceIds") or []
        members = [self._attachable(group, instance_id) for instance_id in ids]
        _check_sizes(group, len(members), f"To attach {_count(len(members), 'more instance')}")
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
        states = ("InService", "EnteringStandby", "Standby")
        members = [_movable(group, instance_id, *states) for instance_id in params["InstanceIds"]]
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
            name = next(other.name for other in self.cloud.state.groups.values() if instance_id in other.members)
            raise invalid(f"The Instance: {instance_id} is already part of AutoScalingGroup:{name}")
        if view.zone not in group.zones:
            raise invalid(f"Instance {instance_id} is not in an Availability Zone of the AutoScalingGroup.")
        return Member(instance_id, view.zone, view.instance_type, view.launched_at, None)


def _movable(group: Group, instance_id: str, *states: str) -> Member:
    """Find a member in one of these states; refuse in AWS's words."""
    member = group.members.get(instance_id)
    if member is None:
        raise invalid(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
    if member.lifecycle not in states:
        raise invalid(f"The instance {instance_id} is not in {' or '.join(states)}.")
    return member


def _check_decrement(group: Group, decrement: bool) -> None:
    if decrement and group.desired - 1 < group.minimum:
        raise invalid(
            f"Currently, desiredSize equals minSize ({group.minimum}). Terminating instance without replacement will "
            "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
            "group's min size."
        )


def _check_sizes(group: Group, change: int, doing: str) -> None:
    """Refuse to leave the group's bounds."""
    if change and not group.minimum <= group.desired + change <= group.maximum:
        sizes = f"min-size={group.minimum}, max-size={group.maximum}, and desired-size={group.desired}"
        advice = "please update the AutoScalingGroup sizes appropriately"
        raise invalid(f"AutoScalingGroup {group.name} has {sizes}. {doing}, {advice}.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
