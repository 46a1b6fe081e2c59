"""Operations on groups: create, describe, update, resize, suspend, delete.

They record what is wanted and nothing more; ``autoscaling_reconcile`` acts on it at the next ticks. A change
of capacity waits a few seconds before anything is launched (aws-facts 2.4), and its sentence is kept for the
causes of what follows.
"""

from __future__ import annotations

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_capacity as capacity
from mglab.localcloud.api import autoscaling_settings as settings
from mglab.localcloud.api import autoscaling_views as views
from mglab.localcloud.api.autoscaling_hooks import put_hook
from mglab.localcloud.api.autoscaling_policies import drop_policies
from mglab.localcloud.api.autoscaling_scaling import is_cooling
from mglab.localcloud.api.autoscaling_state import PROCESSES, Change, Cloud, Group, Params, find_group
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, page, refuse_members, require
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.autoscaler import LEAVING, TERMINATION_POLICIES

MOST_GROUPS = 500
"""Groups per region (aws-facts 2.1, quotas)."""
MOST_LAUNCH_CONFIGURATIONS = 200
LONGEST_NAME = 255


class GroupPage:
    """Answers the operations on groups as wholes."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def create_auto_scaling_group(self, params: Params) -> Params:
        """Make a group that wants its desired capacity (lab steps 58-76)."""
        require(params, "AutoScalingGroupName", "MinSize", "MaxSize")
        self._check_name(params["AutoScalingGroupName"])
        settings.check_modelled(params)
        desired = params.get("DesiredCapacity")
        settings.check_sizes(params["MinSize"], params["MaxSize"], desired)
        group = self._new(params)
        for hook in params.get("LifecycleHookSpecificationList") or ():
            put_hook(group, hook)
        self.cloud.state.groups[group.name] = group
        wanted = group.minimum if desired is None else desired
        capacity.change(self.cloud, group, wanted, Change(activities.created(self.cloud.now(), wanted)))
        return {}

    def _new(self, params: Params) -> Group:
        cloud, name = self.cloud, params["AutoScalingGroupName"]
        template_id, template_name, version = settings.template(cloud, params.get("LaunchTemplate"))
        return Group(
            name=name,
            arn=f"arn:aws:autoscaling:{cloud.region}:{cloud.account}:autoScalingGroup:{cloud.new_uuid()}"
            f":autoScalingGroupName/{name}",
            created_at=cloud.now(),
            template_id=template_id,
            template_name=template_name,
            template_version=version,
            minimum=params["MinSize"],
            maximum=params["MaxSize"],
            desired=0,
            subnets=settings.subnets(cloud, params),
            health_check_type=settings.health_check_type(params),
            grace_s=params.get("HealthCheckGracePeriod", 0),
            cooldown_s=params.get("DefaultCooldown", 300),
            warmup_s=_warmup(params),
            termination_policies=settings.termination_policies(params),
            protect_new=params.get("NewInstancesProtectedFromScaleIn", False),
            tags=settings.tags(params.get("Tags") or []),
            attachments=settings.attachments(cloud, params),
            by_zones=settings.by_zones(params),
            kept=settings.kept(params),
        )

    def _check_name(self, name: str) -> None:
        """Refuse a name that is taken (aws-facts 3.7 row 44), or none."""
        if not 1 <= len(name) <= LONGEST_NAME or ":" in name:
            demand = f"Member must have length between 1 and {LONGEST_NAME} and contain no colon"
            raise constraint(name, "AutoScalingGroupName", demand)
        taken = self.cloud.state.groups.get(name)
        if taken is not None:
            why = (
                "AutoScalingGroup by this name already exists and is pending delete"
                if taken.deleting
                else "AutoScalingGroup by this name already exists - "
                f"A group with the name {name} already exists"
            )
            raise ApiError("AlreadyExists", why)
        if len(self.cloud.state.groups) >= MOST_GROUPS:
            raise ApiError("LimitExceeded", f"Only {MOST_GROUPS} AutoScalingGroups are allowed.")

    def describe_auto_scaling_groups(self, params: Params) -> Params:
        """List groups, by name or tag."""
        _check_filters(params)
        names = params.get("AutoScalingGroupNames") or []
        groups = [group for _, group in sorted(self.cloud.state.groups.items())]
        found = [g for g in groups if (not names or {g.name, g.arn} & set(names)) and _tagged(g, params)]
        items, token = page(params, found, default=50, maximum=100)
        instances = params.get("IncludeInstances", True)
        return {
            "AutoScalingGroups": [views.group(group, self.cloud.account, instances=instances) for group in items],
            "NextToken": token,
        }

    def update_auto_scaling_group(self, params: Params) -> Params:
        """Change a group's settings; a changed size is reached at the next ticks (lab step 86)."""
        require(params, "AutoScalingGroupName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        settings.check_modelled(params)
        refuse_members(params, "TargetGroupARNs", "TrafficSources")
        minimum = params.get("MinSize", group.minimum)
        maximum = params.get("MaxSize", group.maximum)
        settings.check_sizes(minimum, maximum, params.get("DesiredCapacity"))
        self._replace_settings(group, params)
        desired = params.get("DesiredCapacity", max(minimum, min(maximum, group.desired)))
        group.minimum, group.maximum = minimum, maximum
        sentence = activities.updated(self.cloud.now(), minimum, maximum, desired, group.desired)
        capacity.change(self.cloud, group, desired, Change(sentence))
        return {}

    def _replace_settings(self, group: Group, params: Params) -> None:
        """Read everything first, so that a refusal changes nothing."""
        cloud = self.cloud
        template = (group.template_id, group.template_name, group.template_version)
        if params.get("LaunchTemplate"):
            template = settings.template(cloud, params["LaunchTemplate"])
        moved = params.get("VPCZoneIdentifier") or params.get("AvailabilityZones")
        subnets = settings.subnets(cloud, params) if moved else group.subnets
        check = settings.health_check_type(params, group.health_check_type)
        policies = settings.termination_policies(params, group.termination_policies)
        group.by_zones = settings.by_zones(params) if moved else group.by_zones
        group.template_id, group.template_name, group.template_version = template
        group.subnets, group.health_check_type, group.termination_policies = subnets, check, policies
        group.grace_s = params.get("HealthCheckGracePeriod", group.grace_s)
        group.cooldown_s = params.get("DefaultCooldown", group.cooldown_s)
        group.protect_new = params.get("NewInstancesProtectedFromScaleIn", group.protect_new)
        group.kept |= settings.kept(params)
        if "DefaultInstanceWarmup" in params:
            group.warmup_s = _warmup(params)

    def set_desired_capacity(self, params: Params) -> Params:
        """Ask for another capacity within the group's bounds."""
        require(params, "AutoScalingGroupName", "DesiredCapacity")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        desired = params["DesiredCapacity"]
        settings.check_desired(desired, group.minimum, group.maximum)
        if params.get("HonorCooldown", False) and is_cooling(group, self.cloud.now()):
            raise ApiError("ScalingActivityInProgress", "A scaling activity or its cooldown is in progress.")
        sentence = activities.set_explicitly(self.cloud.now(), group.desired, desired)
        capacity.change(self.cloud, group, desired, Change(sentence))
        return {}

    def delete_auto_scaling_group(self, params: Params) -> Params:
        """Delete a group that is empty; with ForceDelete together with its members."""
        require(params, "AutoScalingGroupName")
        cloud, force = self.cloud, params.get("ForceDelete", False)
        group = cloud.state.groups.get(params["AutoScalingGroupName"])
        if group is None or not group.deleting:
            group = find_group(cloud, params["AutoScalingGroupName"])
        if not force:
            _check_empty(group)
        if not group.deleting:
            self._begin_to_delete(group)
        if not group.members:
            del cloud.state.groups[group.name]
        return {}

    def _begin_to_delete(self, group: Group) -> None:
        drop_policies(self.cloud, group, list(group.policies))
        group.deleting = True
        group.changes = [Change(activities.force_deleted(self.cloud.now(), group.desired))]
        group.replacements.clear()
        group.refreshes.clear()
        group.scheduled.clear()
        group.minimum = group.maximum = group.desired = 0
        group.capacity_due_at = self.cloud.now()

    def suspend_processes(self, params: Params) -> Params:
        """Stop some of what a group does by itself; all of it when none is named."""
        require(params, "AutoScalingGroupName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        reason = f"User suspended at {activities.stamp(self.cloud.now())}"
        for process in _processes(params):
            group.suspended.setdefault(process, reason)
        return {}

    def resume_processes(self, params: Params) -> Params:
        """Let a group do again what was suspended."""
        require(params, "AutoScalingGroupName")
        group = find_group(self.cloud, params["AutoScalingGroupName"])
        for process in _processes(params):
            group.suspended.pop(process, None)
        return {}

    def describe_scaling_process_types(self, params: Params) -> Params:
        """List what can be suspended."""
        return {"Processes": [{"ProcessName": name} for name in sorted(PROCESSES)]}

    def describe_termination_policy_types(self, params: Params) -> Params:
        """List the ways to choose whom scale-in takes."""
        return {"TerminationPolicyTypes": list(TERMINATION_POLICIES)}

    def describe_account_limits(self, params: Params) -> Params:
        """Give the quotas and how much of them is used."""
        return {
            "MaxNumberOfAutoScalingGroups": MOST_GROUPS,
            "MaxNumberOfLaunchConfigurations": MOST_LAUNCH_CONFIGURATIONS,
            "NumberOfAutoScalingGroups": len(self.cloud.state.groups),
            "NumberOfLaunchConfigurations": 0,
        }


def _check_empty(group: Group) -> None:
    """Refuse to delete a group that is not empty (aws-facts 3.7 rows 45, 46)."""
    if any(member.lifecycle not in LEAVING for member in group.members.values()):
        raise ApiError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
            "still in the group.",
        )
    if group.members:
        raise ApiError(
            "ScalingActivityInProgress",
            "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
        )


def _warmup(params: Params) -> int | None:
    """Read the default warm-up; -1 takes it away."""
    given = params.get("DefaultInstanceWarmup")
    return None if given in (None, -1) else given


def _processes(params: Params) -> list[str]:
    given = params.get("ScalingProcesses") or list(PROCESSES)
    for process in given:
        if process not in PROCESSES:
            raise invalid(f"Unknown process type '{process}'. Valid types: {', '.join(sorted(PROCESSES))}.")
    return list(given)


def _check_filters(params: Params) -> None:
    for name in (each.get("Name") or "" for each in params.get("Filters") or ()):
        if name not in ("tag-key", "tag-value") and not name.startswith("tag:"):
            raise invalid(f"Invalid filter name {name}; use tag-key, tag-value or tag:<key>.")


def _tagged(group: Group, params: Params) -> bool:
    return all(_matches(group, each["Name"], each.get("Values") or []) for each in params.get("Filters") or ())


def _matches(group: Group, name: str, values: list[str]) -> bool:
    if name == "tag-key":
        return any(key in values for key in group.tags)
    if name == "tag-value":
        return any(tag.value in values for tag in group.tags.values())
    tag = group.tags.get(name.removeprefix("tag:"))
    return tag is not None and tag.value in values
