"""What a group does at a tick: see how its members are, decide, carry it out.

The walk of a member (aws-facts 2.2): Pending until EC2 says running, then through the launching hooks, then registered
with the target groups and only then InService, whether its target is healthy yet or not. On the way out: deregistered,
drained for the longest deregistration delay (the activity says so), through the terminating hooks, terminated, gone
when EC2 says so. A member that EC2 no longer runs is noticed 15 to 60 s later; its replacement is launched a second
after its terminating activity began and does not wait for the drain (aws-facts 2.4).
"""

from __future__ import annotations

from collections.abc import Sequence

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api import autoscaling_hooks as hooks
from mglab.localcloud.api import autoscaling_refreshes as refreshes
from mglab.localcloud.api import autoscaling_schedule as schedule
from mglab.localcloud.api import autoscaling_targets as targets
from mglab.localcloud.api.autoscaling_launching import count_failure, launch, status_message
from mglab.localcloud.api.autoscaling_leaving import begin_to_leave, in_grace
from mglab.localcloud.api.autoscaling_parts import LAUNCHING, TERMINATING, Owed
from mglab.localcloud.api.autoscaling_state import Cloud, Group, Member
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import autoscaler as rules
from mglab.localcloud.rules.autoscaler import (
    ACTIVE,
    IMPAIRED_PATIENCE_S,
    NOT_RUNNING,
    STARTING,
    Failure,
    Launch,
    Terminate,
)

DETECTION = (0.25, 1.0)
"""A failure is noticed after 15-60 s, uniform (aws-facts 2.4, last but one row; 7)."""
REBALANCE_PAUSED = "AZRebalance"
"""No zone is rebalanced during an instance refresh (AWS's page on it)."""
STANDING_BY = ("EnteringStandby", "Standby")
"""Is no capacity that a decision could take away; a group that is deleted takes it along all the same."""
ENDING = ("Terminating", "Terminating:Wait", "Terminating:Proceed")


def tick(cloud: Cloud, now: float) -> None:
    """Let every group take one step."""
    for group in list(cloud.state.groups.values()):
        targets.follow(cloud, group, now)
        schedule.run_due(cloud, group, now)
        for member in list(group.members.values()):
            _step(cloud, group, member, now)
        refreshes.go_on(cloud, group, now)
        _act(cloud, group, now)
        if group.deleting and not group.members:
            del cloud.state.groups[group.name]
    activities.forget(cloud.state, now)


def _step(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    if group.deleting and member.lifecycle in STANDING_BY:
        begin_to_leave(cloud, group, member, group.changes[-1].sentence, now)
    if member.lifecycle in STARTING:
        _start(cloud, group, member, now)
    if member.lifecycle in ACTIVE:
        _look_after(cloud, group, member, now)
    elif member.lifecycle == "Standby":
        _look_after_standby(cloud, group, member)
    else:
        _leave(cloud, group, member, now)


def _start(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    """Put a member into service as soon as EC2 runs it and no hook holds it, registered first."""
    view = cloud.compute.instance(member.instance_id)
    if view is None or view.state != "running":
        return
    if member.lifecycle == "Pending" and hooks.begin_to_wait(cloud, group, member, LAUNCHING, now):
        _wait_at_hooks(cloud, member, "Pending:Wait")
        return
    if member.lifecycle == "Pending:Wait":
        _end_launching_wait(cloud, group, member, now)
        return
    _enter_service(cloud, group, member, now)


def _wait_at_hooks(cloud: Cloud, member: Member, lifecycle: rules.Lifecycle) -> None:
    member.lifecycle = lifecycle
    activity = activities.find(cloud.state, member.activity_id)
    if activity is not None:
        activities.show_waiting(activity, True, "")


def _end_launching_wait(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    done = hooks.outcome(group, member, now)
    if done is None:
        return
    if done.result == "ABANDON":
        _give_up(cloud, group, member, hooks.told(done), now, status="Cancelled")
        return
    member.lifecycle = "Pending:Proceed"
    activity = activities.find(cloud.state, member.activity_id)
    if activity is not None:
        activities.show_waiting(activity, False, "PreInService")


def _enter_service(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    try:
        targets.register(cloud, group, member, now)
    except ApiError as error:
        _give_up(cloud, group, member, status_message(error), now)
        return
    member.lifecycle, member.in_service_at = "InService", now
    activity = activities.find(cloud.state, member.activity_id)
    if activity is not None:
        activities.finish(activity, now)


def _give_up(cloud: Cloud, group: Group, member: Member, message: str, now: float, status: str = "Failed") -> None:
    """End a launch whose instance could not be registered, or was abandoned."""
    activity = activities.find(cloud.state, member.activity_id)
    if activity is not None:
        activity.description = f"{activity.description}.  Status Reason: {message}"
        activities.finish(activity, now, failure=message, status=status)
    targets.deregister(cloud, member, now)
    cloud.compute.terminate(member.instance_id, now)
    del group.members[member.instance_id]
    count_failure(group, member.zone, now)


def _look_after(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    """Notice, some time after it began, that a member does not run or its target is unhealthy."""
    found = None if "HealthCheck" in group.suspended else _trouble(cloud, group, member, now)
    if found is None:
        member.notice_at = None
    elif member.notice_at is None:
        member.notice_at = now + cloud.knobs.detection_s * cloud.random.uniform(*DETECTION)
    elif now >= member.notice_at and member.failure is None:
        member.failure = found


def _trouble(cloud: Cloud, group: Group, member: Member, now: float) -> Failure | None:
    view = cloud.compute.instance(member.instance_id)
    if view is None or view.state in NOT_RUNNING:
        return "ec2"
    if view.impaired_since is not None and now >= view.impaired_since + IMPAIRED_PATIENCE_S:
        return None if in_grace(group, member, now) else "impaired"
    if "ELB" not in group.health_check_type or in_grace(group, member, now):
        return None
    states = [cloud.elbv2.target_state(each.arn, member.instance_id) for each in group.attachments]
    return "elb" if "unhealthy" in states else None


def _look_after_standby(cloud: Cloud, group: Group, member: Member) -> None:
    """Let go of a member that ended while it stood by: nobody checks its health, and nobody replaces it."""
    view = cloud.compute.instance(member.instance_id)
    if view is None or view.state == "terminated":
        del group.members[member.instance_id]


def _leave(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    """Take one more step out: deregister, drain, terminate, be gone.

    A group deleted by force does not wait for the drain (API reference of ForceDelete).
    """
    if member.drained_at is None:
        member.drained_at = now + targets.deregister(cloud, member, now)
    activity = activities.find(cloud.state, member.activity_id)
    draining = now < member.drained_at and not group.deleting
    held = not draining and _held(cloud, group, member, now)
    if activity is not None and not held:
        activities.show_draining(activity, draining)
    if draining or held or (member.lifecycle in ENDING and not _terminated(cloud, member, now)):
        return
    if activity is not None:
        activities.finish(activity, now)
    if member.lifecycle == "EnteringStandby":
        member.lifecycle, member.in_service_at = "Standby", None
        member.target_groups.clear()
    else:
        del group.members[member.instance_id]


def _held(cloud: Cloud, group: Group, member: Member, now: float) -> bool:
    """Say whether a hook still holds a member that is to be terminated; begin that wait when it is time."""
    if group.deleting:
        return False
    if member.lifecycle == "Terminating" and hooks.begin_to_wait(cloud, group, member, TERMINATING, now):
        _wait_at_hooks(cloud, member, "Terminating:Wait")
    if member.lifecycle == "Terminating:Wait" and hooks.outcome(group, member, now):
        member.lifecycle = "Terminating:Proceed"
    return member.lifecycle == "Terminating:Wait"


def _terminated(cloud: Cloud, member: Member, now: float) -> bool:
    view = cloud.compute.instance(member.instance_id)
    if view is not None and view.state not in ("shutting-down", "terminated"):
        cloud.compute.terminate(member.instance_id, now)
        view = cloud.compute.instance(member.instance_id)
    return view is None or view.state == "terminated"


def _act(cloud: Cloud, group: Group, now: float) -> None:
    """Decide and carry out; forget requests for a capacity that is reached."""
    owed = max(0, group.wanted - len(group.active))
    del group.replacements[owed:]
    decisions = rules.decide(_situation(group, now), now, cloud.random)
    _terminate(cloud, group, [each for each in decisions if isinstance(each, Terminate)], now)
    launch(cloud, group, [each for each in decisions if isinstance(each, Launch)], now)
    reached = len(group.active) + len(group.replacements) == group.wanted
    if reached and now >= group.capacity_due_at:
        group.changes.clear()
        _begin_to_cool(group, now)


def _begin_to_cool(group: Group, now: float) -> None:
    """Begin the cooldown of a simple policy when all that it asked for is in service."""
    if group.cooling_s is not None and all(member.lifecycle not in STARTING for member in group.members.values()):
        group.cooled_at, group.cooling_s = now + group.cooling_s, None


def _situation(group: Group, now: float) -> rules.Situation:
    return rules.Situation(
        desired=group.desired,
        subnets=group.subnets,
        members=tuple(_member(group, member) for member in group.members.values()),
        surge=group.wanted - group.desired,
        suspended=_suspended(group),
        termination_policies=group.termination_policies,
        capacity_changed=bool(group.changes),
        capacity_due=now >= group.capacity_due_at,
        replacements_owed=len(group.replacements),
        replacements_due=sum(owed.due_at <= now for owed in group.replacements),
        launch_allowed=now >= group.retry_at,
        failed_zones=group.failed_zones,
        targets_ever_healthy=group.targets_ever_healthy,
    )


def _suspended(group: Group) -> frozenset[str]:
    if group.deleting:
        return frozenset()
    return frozenset(group.suspended) | ({REBALANCE_PAUSED} if group.refresh else set())


def _member(group: Group, member: Member) -> rules.Member:
    return rules.Member(
        member.instance_id,
        member.zone,
        member.lifecycle,
        member.failure,
        member.launched_at,
        member.template_version or 0,
        member.protected and not group.deleting,
    )


def _terminate(cloud: Cloud, group: Group, decisions: Sequence[Terminate], now: float) -> None:
    chosen = [each.instance_id for each in decisions if each.reason != "unhealthy"]
    before = len(group.active) + len(group.replacements)
    sentences = [change.sentence for change in group.changes]
    surplus = activities.joined(*sentences, activities.taken_out(now, before, before - len(chosen), chosen))
    for decision in decisions:
        member = group.members[decision.instance_id]
        if decision.reason == "unhealthy":
            begin_to_leave(cloud, group, member, activities.unhealthy(now, member.failure or "ec2"), now)
            group.replacements.append(Owed(now + cloud.knobs.replacement_s))
        else:
            begin_to_leave(cloud, group, member, surplus, now, alarm=activities.invoking_alarm(group.changes))
        _leave(cloud, group, member, now)
