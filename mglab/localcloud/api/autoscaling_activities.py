"""The activity history: what the group did, when, and in AWS's own words why.

The strings are those of aws-facts 2.3, to the letter: two spaces between the sentences of a Cause, times to
the second. Activities are listed newest first, those in progress before all others, and are kept for six
weeks, longer than their group (aws-facts 2.1).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from mglab.localcloud.api.autoscaling_state import Activity, AutoScalingState, Change, Cloud, Group, Params
from mglab.localcloud.api.cloudwatch_forms import moment, page, refuse_members

KEPT_S = 42 * 86400.0
DRAINING = " - Waiting For ELB Connection Draining."
WAITING_FOR_DRAIN = "WaitingForELBConnectionDraining"


def begin(
    cloud: Cloud, group: Group, description: str, cause: str, now: float, *, zone: str, subnet_id: str | None = None,
    alarm: Params | None = None, status: str = "InProgress",
) -> Activity:
    """Write a new activity into the history."""
    activity = Activity(
        activity_id=cloud.new_uuid(), group_name=group.name, group_arn=group.arn, description=description, cause=cause,
        started_at=now, details=_details(zone, subnet_id, alarm), status=status, progress=50,
    )
    cloud.state.activities.append(activity)
    return activity


def _details(zone: str, subnet_id: str | None, alarm: Params | None) -> str:
    details: Params = {"Subnet ID": subnet_id} if subnet_id else {}
    details["Availability Zone"] = zone
    if alarm is not None:
        details["InvokingAlarms"] = [alarm]
    return json.dumps(details, separators=(",", ":"))


def find(state: AutoScalingState, activity_id: str | None) -> Activity | None:
    """Find an activity that is still remembered."""
    return next((a for a in reversed(state.activities) if a.activity_id == activity_id), None)


def finish(activity: Activity, now: float, *, failure: str | None = None) -> None:
    """End an activity: done, or failed with a message."""
    activity.description = activity.description.removesuffix(DRAINING)
    activity.status = "Failed" if failure else "Successful"
    activity.status_message = failure
    activity.progress = 100
    activity.ended_at = now


def show_draining(activity: Activity, draining: bool) -> None:
    """Say that connections are being drained, or no longer."""
    activity.description = activity.description.removesuffix(DRAINING) + (DRAINING if draining else "")
    activity.status = WAITING_FOR_DRAIN if draining else "InProgress"


def forget(state: AutoScalingState, now: float) -> None:
    """Drop what is older than six weeks."""
    if state.activities and state.activities[0].started_at < now - KEPT_S:
        state.activities = [a for a in state.activities if a.started_at >= now - KEPT_S]


def stamp(at: float) -> str:
    """Write a time as Causes do."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def joined(*sentences: str) -> str:
    """Put the sentences of a Cause together."""
    return "  ".join(sentences)


def created(at: float, desired: int) -> str:
    """Say that a new group asks for its first capacity."""
    return f"At {stamp(at)} a user request created an AutoScalingGroup {_changing(0, desired)}"


def updated(at: float, minimum: int, maximum: int, desired: int, before: int) -> str:
    """Say that an update changed the capacity."""
    constraints = f"min: {minimum}, max: {maximum}, desired: {desired}"
    request = f"a user request update of AutoScalingGroup constraints to {constraints}"
    return f"At {stamp(at)} {request} {_changing(before, desired)}"


def set_explicitly(at: float, before: int, desired: int) -> str:
    """Say that SetDesiredCapacity changed the capacity."""
    return f"At {stamp(at)} a user request explicitly set group desired capacity {_changing(before, desired)}"


def force_deleted(at: float, before: int) -> str:
    """Say that the group was deleted with its members (wording: our recollection, no row)."""
    return f"At {stamp(at)} a user request force deleted AutoScalingGroup {_changing(before, 0)}"


def alarmed(at: float, alarm: str, policy: str, before: int, desired: int) -> str:
    """Say that a policy's alarm changed the capacity."""
    triggered = f"a monitor alarm {alarm} in state ALARM triggered policy {policy}"
    return f"At {stamp(at)} {triggered} {_changing(before, desired)}"


def _changing(before: int, after: int) -> str:
    return f"changing the desired capacity from {before} to {after}."


def started(at: float, before: int, after: int) -> str:
    """Say that instances are launched to reach the desired capacity."""
    why = "in response to a difference between desired and actual capacity"
    return f"At {stamp(at)} an instance was started {why}, increasing the capacity from {before} to {after}."


def taken_out(at: float, before: int, after: int, instance_ids: Sequence[str]) -> str:
    """Say that members are terminated to reach the desired capacity, and which."""
    what = "an instance was taken out of service in response to a difference between desired and actual capacity"
    chosen = (f"At {stamp(at)} instance {each} was selected for termination." for each in instance_ids)
    return joined(f"At {stamp(at)} {what}, shrinking the capacity from {before} to {after}.", *chosen)


def unhealthy(at: float, failure: str) -> str:
    """Say that a member was found unhealthy, and by whom."""
    why = {
        "ec2": "an EC2 health check indicating it has been terminated or stopped",
        "elb": "an ELB system health check failure",
        "user": "a user health-check",
        "status": "an EC2 instance status checks failure",
    }[failure]
    return f"At {stamp(at)} an instance was taken out of service in response to {why}."


def replacing(at: float) -> str:
    """Say that an unhealthy member is replaced."""
    return f"At {stamp(at)} an instance was launched in response to an unhealthy instance needing to be replaced."


def balancing(at: float, zone: str) -> str:
    """Say that zones are brought back into balance (aws-facts 8.4: the likely wording)."""
    more = "resulting in more than desired number of instances in the group"
    return f"At {stamp(at)} instances were launched to balance instances in zones {zone} with other zones {more}."


def terminated_by_user(at: float, instance_id: str, before: int, *, decrement: bool) -> str:
    """Say that TerminateInstanceInAutoScalingGroup took a member out."""
    return _by_user(at, f"instance {instance_id} was taken out of service", before, decrement)


def detached_by_user(at: float, instance_id: str, before: int, *, decrement: bool) -> str:
    """Say that DetachInstances took a member out."""
    return _by_user(at, f"instance {instance_id} was detached", before, decrement)


def attached_by_user(at: float, after: int) -> str:
    """Say that AttachInstances brought a member in."""
    return f"At {stamp(at)} an instance was added in response to user request. Keeping the capacity at the new {after}."


def _by_user(at: float, what: str, before: int, decrement: bool) -> str:
    tail = f", shrinking the capacity from {before} to {before - 1}" if decrement else ""
    return f"At {stamp(at)} {what} in response to a user request{tail}."


def invoking_alarm(changes: Sequence[Change]) -> Params | None:
    """Give the alarm behind the last change, if an alarm asked for it."""
    return changes[-1].alarm if changes else None


class ActivityPage:
    """Answers DescribeScalingActivities."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def describe_scaling_activities(self, params: Params) -> Params:
        """List what groups did; of deleted groups too with IncludeDeletedGroups."""
        refuse_members(params, "Filters")
        newest_first = reversed(self.cloud.state.activities)
        living = {group.arn for group in self.cloud.state.groups.values()}
        shown = [activity for activity in newest_first if _wanted(activity, params, living)]
        shown.sort(key=lambda activity: (activity.ended_at is None, activity.started_at), reverse=True)
        items, token = page(params, shown, default=100, maximum=100)
        return {"Activities": [describe(each, lives=each.group_arn in living) for each in items], "NextToken": token}


def _wanted(activity: Activity, params: Params, living: Collection[str]) -> bool:
    if params.get("AutoScalingGroupName") not in (None, activity.group_name, activity.group_arn):
        return False
    if params.get("ActivityIds") and activity.activity_id not in params["ActivityIds"]:
        return False
    return bool(params.get("IncludeDeletedGroups")) or activity.group_arn in living


def describe(activity: Activity, *, lives: bool = True) -> Params:
    """Give an activity as AWS shows it."""
    shown: Params = {
        "ActivityId": activity.activity_id,
        "AutoScalingGroupName": activity.group_name,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": moment(activity.started_at),
        "StatusCode": activity.status,
        "Progress": activity.progress,
        "Details": activity.details,
        "AutoScalingGroupARN": activity.group_arn,
    }
    if activity.ended_at is not None:
        shown["EndTime"] = moment(activity.ended_at)
    if activity.status_message is not None:
        shown["StatusMessage"] = activity.status_message
    return shown if lives else shown | {"AutoScalingGroupState": "Deleted"}
