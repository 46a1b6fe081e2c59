"""Scheduled actions: other sizes at a moment, once or again and again.

What is due is carried out at the first tick after its time, as UpdateAutoScalingGroup would be; while ScheduledActions
is suspended it is skipped and not made up for. An action that does not recur is gone when it has run. Sizes that
contradict each other by then change nothing.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_capacity as capacity
from mglab.localcloud.api.autoscaling_parts import ScheduledAction
from mglab.localcloud.api.autoscaling_settings import check_sizes
from mglab.localcloud.api.autoscaling_state import Change, Cloud, Group, Params, find_group
from mglab.localcloud.api.cloudwatch_forms import invalid, moment, page, require
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import recurrence

MOST_ACTIONS = 125
"""Per group (AWS's page of quotas)."""


class SchedulePage:
    """Answers the operations on scheduled actions."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def put_scheduled_update_group_action(self, params: Params) -> Params:
        """Make or replace an action."""
        require(params, "AutoScalingGroupName", "ScheduledActionName")
        self._put(find_group(self.cloud, params["AutoScalingGroupName"]), params)
        return {}

    def batch_put_scheduled_update_group_action(self, params: Params) -> Params:
        """Make or replace several; what is wrong with one does not touch the others."""
        require(params, "AutoScalingGroupName", "ScheduledUpdateGroupActions")
        group, failed = find_group(self.cloud, params["AutoScalingGroupName"]), []
        for each in params["ScheduledUpdateGroupActions"]:
            require(each, "ScheduledActionName")
            try:
                self._put(group, each)
            except ApiError as error:
                failed.append(_failure(each["ScheduledActionName"], error))
        return {"FailedScheduledUpdateGroupActions": failed}

    def describe_scheduled_actions(self, params: Params) -> Params:
        """List actions, in the order in which they are due."""
        wanted, names = params.get("AutoScalingGroupName"), params.get("ScheduledActionNames")
        groups = [find_group(self.cloud, wanted)] if wanted else list(self.cloud.state.groups.values())
        pairs = [(group, each) for group in groups for each in group.scheduled.values()]
        found = [(group, each) for group, each in pairs if _wanted(each, names, params)]
        found.sort(key=lambda pair: (pair[1].start_at, pair[1].name))
        items, token = page(params, found, default=50, maximum=100)
        return {"ScheduledUpdateGroupActions": [_describe(*pair) for pair in items], "NextToken": token}

    def delete_scheduled_action(self, params: Params) -> Params:
        """Delete an action."""
        require(params, "AutoScalingGroupName", "ScheduledActionName")
        _delete(find_group(self.cloud, params["AutoScalingGroupName"]), params["ScheduledActionName"])
        return {}

    def batch_delete_scheduled_action(self, params: Params) -> Params:
        """Delete several actions."""
        require(params, "AutoScalingGroupName", "ScheduledActionNames")
        group, failed = find_group(self.cloud, params["AutoScalingGroupName"]), []
        for name in params["ScheduledActionNames"]:
            try:
                _delete(group, name)
            except ApiError as error:
                failed.append(_failure(name, error))
        return {"FailedScheduledActions": failed}

    def _put(self, group: Group, params: Params) -> None:
        name, now = params["ScheduledActionName"], self.cloud.now()
        known = group.scheduled.get(name)
        if known is None and len(group.scheduled) >= MOST_ACTIONS:
            raise ApiError("LimitExceeded", f"Only {MOST_ACTIONS} scheduled actions are allowed per AutoScalingGroup.")
        given = params.get("StartTime") or params.get("Time")
        start_at = given.timestamp() if given else None
        end_at = params["EndTime"].timestamp() if params.get("EndTime") else None
        _check(params, start_at, end_at, now)
        action = ScheduledAction(
            name, known.arn if known else self._arn(group, name), start_at or now, params.get("Recurrence"), end_at,
            params.get("TimeZone"), params.get("MinSize"), params.get("MaxSize"), params.get("DesiredCapacity"),
        )  # fmt: skip
        if start_at is None:
            action.start_at = _next(action, now) or now
        group.scheduled[name] = action

    def _arn(self, group: Group, name: str) -> str:
        cloud = self.cloud
        prefix = f"arn:aws:autoscaling:{cloud.region}:{cloud.account}:scheduledUpdateGroupAction:{cloud.new_uuid()}"
        return f"{prefix}:autoScalingGroupName/{group.name}:scheduledActionName/{name}"


def run_due(cloud: Cloud, group: Group, now: float) -> None:
    """Carry out what is due by now."""
    due = [action for action in group.scheduled.values() if action.start_at <= now]
    for action in sorted(due, key=lambda each: each.start_at):
        if "ScheduledActions" not in group.suspended:
            _run(cloud, group, action, now)
        following = _next(action, now) if action.recurrence else None
        if following is None or (action.end_at is not None and following > action.end_at):
            del group.scheduled[action.name]
        else:
            action.start_at = following


def _run(cloud: Cloud, group: Group, action: ScheduledAction, now: float) -> None:
    minimum = group.minimum if action.minimum is None else action.minimum
    maximum = group.maximum if action.maximum is None else action.maximum
    if minimum > maximum:
        return
    wanted = group.desired if action.desired is None else action.desired
    desired = max(minimum, min(maximum, wanted))
    group.minimum, group.maximum = minimum, maximum
    sentence = activities.scheduled(now, minimum, maximum, desired, group.desired)
    capacity.change(cloud, group, desired, Change(sentence))


def _check(params: Params, start_at: float | None, end_at: float | None, now: float) -> None:
    text, zone = params.get("Recurrence"), params.get("TimeZone")
    if text is None and start_at is None:
        raise invalid("Either StartTime or Recurrence is required.")
    if all(params.get(size) is None for size in ("MinSize", "MaxSize", "DesiredCapacity")):
        raise invalid("At least one of MinSize, MaxSize or DesiredCapacity is required.")
    minimum = params.get("MinSize", 0)
    check_sizes(minimum, params.get("MaxSize", max(minimum, params.get("DesiredCapacity", 0))),
                params.get("DesiredCapacity"))  # fmt: skip
    if start_at is not None and start_at <= now:
        raise invalid("Given start time is in the past")
    if end_at is not None and end_at <= (start_at or now):
        raise invalid("End time must be after start time.")
    try:
        if zone is not None:
            ZoneInfo(zone)
    except (OSError, ValueError, KeyError) as unknown:
        raise invalid(f"Invalid time zone {zone}.") from unknown
    try:
        if text is not None:
            recurrence.parsed(text)
    except ValueError as broken:
        raise invalid(f"Given recurrence string:{text} is invalid") from broken


def _next(action: ScheduledAction, after: float) -> float | None:
    return recurrence.next_after(recurrence.parsed(action.recurrence or ""), after, action.time_zone or "UTC")


def _delete(group: Group, name: str) -> None:
    if group.scheduled.pop(name, None) is None:
        raise invalid("Scheduled action name not found")


def _wanted(action: ScheduledAction, names: list[str] | None, params: Params) -> bool:
    if names:
        return action.name in names
    after, before = params.get("StartTime"), params.get("EndTime")
    started = after is None or action.start_at >= after.timestamp()
    return started and (before is None or action.start_at <= before.timestamp())


def _failure(name: str, error: ApiError) -> Params:
    return {"ScheduledActionName": name, "ErrorCode": error.code, "ErrorMessage": error.message}


def _describe(group: Group, action: ScheduledAction) -> Params:
    shown: Params = {
        "AutoScalingGroupName": group.name,
        "ScheduledActionName": action.name,
        "ScheduledActionARN": action.arn,
        "Time": moment(action.start_at),
        "StartTime": moment(action.start_at),
        "EndTime": None if action.end_at is None else moment(action.end_at),
        "Recurrence": action.recurrence,
        "TimeZone": action.time_zone,
        "MinSize": action.minimum,
        "MaxSize": action.maximum,
        "DesiredCapacity": action.desired,
    }
    return {name: value for name, value in shown.items() if value is not None}
