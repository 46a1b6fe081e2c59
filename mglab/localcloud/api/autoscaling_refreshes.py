"""Instance refreshes: a group's members are replaced, a few at a time.

``rules/refresh`` says who is next; this module looks whether the newcomers are warm, takes members out as an unhealthy
one is taken out, and lets the reconciler launch their replacements. A launch template asked for with the refresh is
launched from at once and becomes the group's when the refresh has succeeded; what is replaced before a refresh is
cancelled stays replaced; a rollback replaces it once more, by the template from before.

Left out: checkpoints, rollback by itself, alarms that stop it, bake time. Asking for one is refused.
"""

from __future__ import annotations

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_settings as settings
from mglab.localcloud.api.autoscaling_leaving import begin_to_leave
from mglab.localcloud.api.autoscaling_parts import Owed, Refresh
from mglab.localcloud.api.autoscaling_state import Cloud, Group, Member, Params, find_group
from mglab.localcloud.api.cloudwatch_forms import invalid, moment, one_of, page, refuse_members, require
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import refresh as rules
from mglab.localcloud.rules.autoscaler import ACTIVE, LEAVING, STARTING

MINIMUM_PERCENT = 90
"""MinHealthyPercentage when none is given (API reference of RefreshPreferences)."""
_BLOCKED = "Standby instances or instances protected from scale in are left, which this refresh must not replace."
_NEEDED = {"InstanceRefresh", "Launch", "Terminate"}
"""Processes without which a refresh stands still."""
_WARMING = "Waiting for instances to warm up before continuing."
_NOT_MODELLED = ("CheckpointPercentages", "CheckpointDelay", "AutoRollback", "AlarmSpecification", "BakeTime")


class RefreshPage:
    """Answers the operations on instance refreshes."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def start_instance_refresh(self, params: Params) -> Params:
        """Begin to replace a group's members."""
        require(params, "AutoScalingGroupName")
        one_of(params, "Strategy", ("Rolling",))
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        if group.refresh is not None:
            raise ApiError(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
            )
        preferences = _preferences(group, params.get("Preferences") or {})
        configuration = params.get("DesiredConfiguration") or {}
        refuse_members(configuration, "MixedInstancesPolicy")
        wanted = configuration.get("LaunchTemplate")
        template = settings.template(self.cloud, wanted) if wanted else None
        matching = template or (group.template_id, group.template_name, group.template_version)
        spared = preferences["ScaleInProtectedInstances"] == "Ignore"
        members = [m for m in group.members.values() if m.lifecycle not in LEAVING and not (spared and m.protected)]
        if preferences["StandbyInstances"] == "Ignore":
            members = [m for m in members if m.lifecycle in ACTIVE]
        chosen = [m.instance_id for m in members if not (preferences["SkipMatching"] and self._matches(m, matching))]
        refresh = Refresh(
            self.cloud.new_uuid(), preferences, self.cloud.now(), chosen, len(chosen), configuration or None, template
        )
        group.refreshes.append(refresh)
        return {"InstanceRefreshId": refresh.refresh_id}

    def _matches(self, member: Member, template: tuple[str, str, str]) -> bool:
        number, _, _ = self.cloud.compute.template_version(template[0], template[2])
        return member.template is not None and member.template[0] == template[0] and member.template_version == number

    def cancel_instance_refresh(self, params: Params) -> Params:
        """Let a refresh end before its time; who is starting is waited for."""
        require(params, "AutoScalingGroupName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        refresh = group.refresh
        if refresh is None or refresh.status == "Cancelling":
            raise ApiError(
                "ActiveInstanceRefreshNotFound",
                f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
            )
        refresh.status, refresh.reason = "Cancelling", "Cancelled by user."
        return {"InstanceRefreshId": refresh.refresh_id}

    def rollback_instance_refresh(self, params: Params) -> Params:
        """Replace what a refresh has launched, by the template from before it."""
        require(params, "AutoScalingGroupName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        refresh = group.refresh
        if refresh is None or refresh.status not in ("Pending", "InProgress"):
            raise ApiError(
                "ActiveInstanceRefreshNotFound",
                f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
            )
        if refresh.template is None or "$" in group.template_version:
            raise ApiError(
                "IrreversibleInstanceRefresh",
                "The Instance Refresh cannot be rolled back: it has no desired configuration, or the group's launch "
                "template version is not a number.",
            )
        newcomers = [member for member in group.active if member.instance_id not in refresh.to_replace]
        refresh.to_replace = [member.instance_id for member in newcomers]
        refresh.total, refresh.percent, refresh.template = len(newcomers), 0, None
        refresh.status, refresh.reason = "RollbackInProgress", None
        return {"InstanceRefreshId": refresh.refresh_id}

    def describe_instance_refreshes(self, params: Params) -> Params:
        """List a group's refreshes, the latest first."""
        require(params, "AutoScalingGroupName")
        group, ids = find_group(self.cloud, params["AutoScalingGroupName"]), params.get("InstanceRefreshIds")
        found = [each for each in reversed(group.refreshes) if not ids or each.refresh_id in ids]
        items, token = page(params, found, default=50, maximum=100)
        return {"InstanceRefreshes": [_describe(group, each) for each in items], "NextToken": token}


def go_on(cloud: Cloud, group: Group, now: float) -> None:
    """Take a refresh one step further."""
    refresh = group.refresh
    if refresh is None or _NEEDED & set(group.suspended):
        return
    unsettled = _unsettled(group, refresh, now)
    left = min(refresh.total, len(_left(group, refresh)) + len(unsettled))
    refresh.percent = max(refresh.percent, rules.percentage(refresh.total, left))
    if refresh.status == "Cancelling":
        if not unsettled:
            _end(refresh, "Cancelled", now)
        return
    if refresh.status == "Pending":
        refresh.status = "InProgress"
    if unsettled:
        refresh.reason = f"{_WARMING} For example: {unsettled[0]} is warming up."
        return
    _move(cloud, group, refresh, now)


def _move(cloud: Cloud, group: Group, refresh: Refresh, now: float) -> None:
    left = _left(group, refresh)
    open_to_it = [member for member in left if not _barred(refresh, member)]
    if not left:
        _succeed(group, refresh, now)
        return
    if not open_to_it:
        _wait(refresh, now)
        return
    preferences = refresh.preferences
    ids = [member.instance_id for member in open_to_it]
    move = rules.next_move(
        rules.Roll(
            group.desired, ids, 0, preferences["MinHealthyPercentage"], preferences.get("MaxHealthyPercentage"),
            refresh.surge,
        )  # fmt: skip
    )
    refresh.reason = refresh.blocked_since = None
    group.replacements += [Owed(now, refresh=True) for _ in range(move.launch)]
    refresh.surge += move.launch
    _take_out(cloud, group, refresh, move.take_out, now)


def _take_out(cloud: Cloud, group: Group, refresh: Refresh, instance_ids: tuple[str, ...], now: float) -> None:
    for instance_id in instance_ids:
        member = group.members[instance_id]
        standby = member.lifecycle == "Standby"
        begin_to_leave(cloud, group, member, activities.refreshed(now, instance_id), now)
        if refresh.surge:
            refresh.surge -= 1
        elif not standby:
            group.replacements.append(Owed(now + cloud.knobs.replacement_s, refresh=True))


def _left(group: Group, refresh: Refresh) -> list[Member]:
    known = (group.members[each] for each in refresh.to_replace if each in group.members)
    return [member for member in known if member.lifecycle not in LEAVING]


def _barred(refresh: Refresh, member: Member) -> bool:
    """Say whether a member must not be replaced: it stands by or is protected, and the refresh shall wait."""
    if member.lifecycle in ("Standby", "EnteringStandby"):
        return bool(refresh.preferences["StandbyInstances"] == "Wait")
    return member.protected and bool(refresh.preferences["ScaleInProtectedInstances"] == "Wait")


def _unsettled(group: Group, refresh: Refresh, now: float) -> list[str]:
    """Name who must be warm before the next batch; a missing member counts, nameless."""
    newcomers = [member for member in group.active if member.instance_id not in refresh.to_replace]
    warmup_s = refresh.preferences["InstanceWarmup"]
    cold = [
        member.instance_id for member in newcomers
        if member.lifecycle != "InService" or member.in_service_at is None
        or (member.launched_at >= refresh.started_at and now < member.in_service_at + warmup_s)
    ]  # fmt: skip
    starting = [m.instance_id for m in group.active if m.instance_id in refresh.to_replace and m.lifecycle in STARTING]
    missing = group.wanted - len(group.active)
    return [*cold, *starting, *["an instance"] * max(0, missing)]


def _wait(refresh: Refresh, now: float) -> None:
    """Wait an hour for members that must not be replaced, then give up."""
    refresh.reason = _BLOCKED
    if refresh.blocked_since is None:
        refresh.blocked_since = now
    elif now >= refresh.blocked_since + rules.WAIT_S:
        _end(refresh, "RollbackFailed" if refresh.status == "RollbackInProgress" else "Failed", now)


def _succeed(group: Group, refresh: Refresh, now: float) -> None:
    if refresh.template is not None:
        group.template_id, group.template_name, group.template_version = refresh.template
    refresh.reason, refresh.percent = None, 100
    _end(refresh, "RollbackSuccessful" if refresh.status == "RollbackInProgress" else "Successful", now)


def _end(refresh: Refresh, status: rules.Status, now: float) -> None:
    refresh.status, refresh.ended_at, refresh.surge = status, now, 0


def _preferences(group: Group, given: Params) -> Params:
    """Read how to roll, with AWS's defaults."""
    refuse_members(given, *_NOT_MODELLED)
    one_of(given, "ScaleInProtectedInstances", ("Refresh", "Ignore", "Wait"))
    one_of(given, "StandbyInstances", ("Terminate", "Ignore", "Wait"))
    minimum, maximum = given.get("MinHealthyPercentage", MINIMUM_PERCENT), given.get("MaxHealthyPercentage")
    if not 0 <= minimum <= 100:
        raise invalid("MinHealthyPercentage must be between 0 and 100.")
    if maximum is not None and not (100 <= maximum <= 200 and maximum - minimum <= 100):
        raise invalid(
            "MaxHealthyPercentage must be between 100 and 200, and at most 100 greater than MinHealthyPercentage."
        )
    default_warmup_s = group.grace_s if group.warmup_s is None else group.warmup_s
    shown = {
        "MinHealthyPercentage": minimum,
        "InstanceWarmup": given.get("InstanceWarmup", default_warmup_s),
        "SkipMatching": given.get("SkipMatching", False),
        "AutoRollback": False,
        "ScaleInProtectedInstances": given.get("ScaleInProtectedInstances", "Wait"),
        "StandbyInstances": given.get("StandbyInstances", "Wait"),
    }
    return shown if maximum is None else shown | {"MaxHealthyPercentage": maximum}


def _describe(group: Group, refresh: Refresh) -> Params:
    going_on = refresh.status in rules.ACTIVE
    shown: Params = {
        "InstanceRefreshId": refresh.refresh_id,
        "AutoScalingGroupName": group.name,
        "Status": refresh.status,
        "StatusReason": refresh.reason,
        "StartTime": moment(refresh.started_at),
        "EndTime": None if refresh.ended_at is None else moment(refresh.ended_at),
        "PercentageComplete": refresh.percent,
        "InstancesToUpdate": len(_left(group, refresh)) if going_on else 0,
        "Preferences": refresh.preferences,
        "DesiredConfiguration": refresh.configuration,
        "Strategy": "Rolling",
    }
    return {name: value for name, value in shown.items() if value is not None}
