"""What a group does at a tick: see how its members are, decide, carry it out.

The walk of a member (aws-facts 2.2): Pending until EC2 says running, then registered with the target groups
and only then InService, whether its target is healthy yet or not. On the way out: deregistered, drained for
the longest deregistration delay (the activity says so), terminated, gone when EC2 says so. A member that
EC2 no longer runs is noticed 15 to 60 s later; its replacement is launched a second after its terminating
activity began and does not wait for the drain (aws-facts 2.4).

A launch that fails becomes a Failed activity and is tried again, elsewhere and ever later.
"""

from __future__ import annotations

from collections.abc import Sequence

from mglab.localcloud.api import autoscaling_activities as activities
from mglab.localcloud.api.autoscaling_members import begin_to_leave, in_grace
from mglab.localcloud.api.autoscaling_state import Attachment, Cloud, Group, Member, Params
from mglab.localcloud.api.compute import LaunchRequest
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import autoscaler as rules
from mglab.localcloud.rules.autoscaler import NOT_RUNNING, Failure, Launch, Terminate

NO_TARGET_GROUP = "One or more target groups not found. Validating load balancer configuration failed."
DETECTION = (0.25, 1.0)
"""A failure is noticed after 15-60 s, uniform (aws-facts 2.4, last but one row; 7)."""
_CAPACITY_CODES = ("VcpuLimitExceeded", "InstanceLimitExceeded", "InsufficientInstanceCapacity")
"""Their messages are shown with the code before them (aws-facts 2.3, status messages)."""


def tick(cloud: Cloud, now: float) -> None:
    """Let every group take one step."""
    for group in list(cloud.state.groups.values()):
        _attachments(cloud, group, now)
        for member in list(group.members.values()):
            _step(cloud, group, member, now)
        _act(cloud, group, now)
        if group.deleting and not group.members:
            del cloud.state.groups[group.name]
    activities.forget(cloud.state, now)


def _step(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    if member.lifecycle == "Pending":
        _start(cloud, group, member, now)
    if member.lifecycle in ("Pending", "InService"):
        _look_after(cloud, group, member, now)
    else:
        _leave(cloud, group, member, now)


def _start(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    """Put a member into service as soon as EC2 runs it, registered first."""
    view = cloud.compute.instance(member.instance_id)
    if view is None or view.state != "running":
        return
    try:
        _register(cloud, group, member, now)
    except ApiError as error:
        _give_up(cloud, group, member, error, now)
        return
    member.lifecycle, member.in_service_at = "InService", now
    activity = activities.find(cloud.state, member.activity_id)
    if activity is not None:
        activities.finish(activity, now)


def _register(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    if "AddToLoadBalancer" in group.suspended:
        return
    for attachment in group.attachments:
        if attachment.state != "Removing":
            _register_with(cloud, member, attachment.arn, now)


def _register_with(cloud: Cloud, member: Member, arn: str, now: float) -> None:
    cloud.elbv2.register(arn, member.instance_id, now)
    member.target_groups.add(arn)


def _give_up(cloud: Cloud, group: Group, member: Member, error: ApiError, now: float) -> None:
    """End a launch whose instance could not be registered."""
    activity = activities.find(cloud.state, member.activity_id)
    if activity is not None:
        activities.finish(activity, now, failure=_status_message(error))
    _deregister(cloud, member, now)
    cloud.compute.terminate(member.instance_id, now)
    del group.members[member.instance_id]
    _count_failure(group, member.zone, now)


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
    if view.impaired_since is not None and now >= view.impaired_since + rules.IMPAIRED_S:
        return "status"
    if "ELB" not in group.health_check_type or in_grace(group, member, now):
        return None
    states = [cloud.elbv2.target_state(each.arn, member.instance_id) for each in group.attachments]
    return "elb" if "unhealthy" in states else None


def _leave(cloud: Cloud, group: Group, member: Member, now: float) -> None:
    """Take one more step out: deregister, drain, terminate, be gone.

    A group deleted by force does not wait for the drain (API reference of ForceDelete).
    """
    if member.drained_at is None:
        member.drained_at = now + _deregister(cloud, member, now)
    activity = activities.find(cloud.state, member.activity_id)
    draining = now < member.drained_at and not group.deleting
    if activity is not None:
        activities.show_draining(activity, draining)
    if draining or (member.lifecycle == "Terminating" and not _terminated(cloud, member, now)):
        return
    if activity is not None:
        activities.finish(activity, now)
    del group.members[member.instance_id]


def _deregister(cloud: Cloud, member: Member, now: float) -> float:
    """Begin to drain a member everywhere; give how long that takes (also a dead one's: aws-facts 0.5)."""
    registered = [arn for arn in sorted(member.target_groups) if cloud.elbv2.target_group_exists(arn)]
    for arn in registered:
        cloud.elbv2.deregister(arn, member.instance_id, now)
    delays = [cloud.elbv2.deregistration_delay_s(arn) for arn in registered]
    return max(delays, default=0.0)


def _terminated(cloud: Cloud, member: Member, now: float) -> bool:
    view = cloud.compute.instance(member.instance_id)
    if view is not None and view.state not in ("shutting-down", "terminated"):
        cloud.compute.terminate(member.instance_id, now)
        view = cloud.compute.instance(member.instance_id)
    return view is None or view.state == "terminated"


def _act(cloud: Cloud, group: Group, now: float) -> None:
    """Decide and carry out; forget requests for a capacity that is reached."""
    owed = max(0, group.desired - len(group.active))
    del group.replacements[owed:]
    decisions = rules.decide(_situation(group, now), now, cloud.random)
    _terminate(cloud, group, [each for each in decisions if isinstance(each, Terminate)], now)
    _launch(cloud, group, [each for each in decisions if isinstance(each, Launch)], now)
    reached = len(group.active) + len(group.replacements) == group.desired
    if reached and now >= group.capacity_due_at:
        group.changes.clear()


def _situation(group: Group, now: float) -> rules.Situation:
    return rules.Situation(
        desired=group.desired,
        subnets=group.subnets,
        members=tuple(_member(group, member) for member in group.members.values()),
        suspended=frozenset() if group.deleting else frozenset(group.suspended),
        termination_policies=group.termination_policies,
        capacity_changed=bool(group.changes),
        capacity_due=now >= group.capacity_due_at,
        replacements_owed=len(group.replacements),
        replacements_due=sum(due_at <= now for due_at in group.replacements),
        launch_allowed=now >= group.retry_at,
        failed_zones=group.failed_zones if now < group.zone_failed_at + rules.FAILED_ZONE_S else frozenset(),
        targets_ever_healthy=group.targets_ever_healthy,
    )


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
            group.replacements.append(now + cloud.knobs.replacement_s)
        else:
            begin_to_leave(cloud, group, member, surplus, now, alarm=activities.invoking_alarm(group.changes))
        _leave(cloud, group, member, now)


def _launch(cloud: Cloud, group: Group, decisions: Sequence[Launch], now: float) -> None:
    before = len(group.active) + len(group.replacements)
    started = activities.started(now, before, before + len(decisions))
    sentences = [change.sentence for change in group.changes]
    for decision in decisions:
        zone = decision.subnet.zone
        causes = {
            "difference": activities.joined(*sentences, started),
            "replacement": activities.replacing(now),
            "rebalance": activities.balancing(now, zone),
        }
        alarm = activities.invoking_alarm(group.changes) if decision.reason == "difference" else None
        launched = _launch_one(cloud, group, decision, causes[decision.reason], alarm, now)
        if launched and decision.reason == "replacement":
            group.replacements.pop(0)


def _launch_one(
    cloud: Cloud, group: Group, decision: Launch, cause: str, alarm: Params | None, now: float
) -> bool:
    """Start one instance; a refusal is written into the history and makes the next try wait."""
    subnet = decision.subnet
    activity = activities.begin(
        cloud, group, "Launching a new EC2 instance", cause, now, zone=subnet.zone, subnet_id=subnet.subnet_id,
        alarm=alarm, status="PreInService",
    )
    try:
        member = _started(cloud, group, subnet, now)
    except ApiError as error:
        message = _status_message(error)
        activity.description = f"Launching a new EC2 instance.  Status Reason: {message}"
        activities.finish(activity, now, failure=message)
        _count_failure(group, subnet.zone, now)
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
    version, _, instance_type = cloud.compute.template_version(group.template_id, group.template_version)
    tags = {key: tag.value for key, tag in group.tags.items() if tag.propagate} | {
        "aws:autoscaling:groupName": group.name,
        "aws:ec2launchtemplate:id": group.template_id,
        "aws:ec2launchtemplate:version": str(version),
    }
    request = LaunchRequest(group.template_id, str(version), subnet.subnet_id, tags)
    instance_id = cloud.compute.launch(request, now)
    return Member(instance_id, subnet.zone, instance_type, now, version, protected=group.protect_new)


def _status_message(error: ApiError) -> str:
    """Word a failed launch (aws-facts 2.3, "failed launch")."""
    said = error.message if error.message.endswith(".") else f"{error.message}."
    if error.code in _CAPACITY_CODES:
        said = f"Could not launch On-Demand Instances. {error.code} - {said}"
    return f"{said} Launching EC2 instance failed."


def _count_failure(group: Group, zone: str, now: float) -> None:
    group.failures += 1
    group.zone_failed_at = now
    group.retry_at = now + rules.retry_after(group.failures)
    group.failed_zones |= {zone}
    if group.failed_zones >= set(group.zones):
        group.failed_zones = frozenset()


def _attachments(cloud: Cloud, group: Group, now: float) -> None:
    for attachment in list(group.attachments):
        if attachment.state == "Removing":
            _detach(cloud, group, attachment, now)
        elif cloud.elbv2.target_group_exists(attachment.arn):
            _attach(cloud, group, attachment, now)


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
