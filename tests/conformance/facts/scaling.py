"""Auto Scaling (aws-facts 2; 0 rows 5, 7, 9; 3.7 rows 41-50; 8 row 4)."""

from __future__ import annotations

from tests.conformance.facts import Fact

TITLE = "Auto Scaling"
FACTS: tuple[Fact, ...] = (
    Fact(
        "0/5", "O",
        "The replacement of a terminated member starts a second or two after the group notices; the terminating "
        "activity waits for the whole deregistration delay, though the instance is long dead.",
    ),
    Fact("0/7", "O", "Target tracking's low alarm is at 70 % of the target in a small group, not at 90 %."),
    Fact(
        "0/9", "D",
        "A stopped member counts as failed and is terminated and replaced, also at the end of an Academy session.",
    ),
    Fact("2.1/health-check-type", "D", "A group checks EC2's health; target health is ignored until ELB is added."),
    Fact("2.1/grace-period", "D", "Without one given to the API the health check grace period is 0 s."),
    Fact("2.1/cooldown", "D", "The default cooldown is 300 s, and is for simple scaling only."),
    Fact("2.1/desired-omitted", "D", "A desired capacity that is left out is the minimum size."),
    Fact("2.1/termination-policies", "R", "A group's termination policies are Default alone, unless others are given."),
    Fact(
        "2.1/warm-up", "D",
        "There is no default warm-up; a policy has its own, else the group's, else the group's cooldown.",
    ),
    Fact("2.1/enabled-metrics", "R", "No group metric is on until enabled, by the minute; naming none means all."),
    Fact(
        "2.1/described", "R",
        "A group shows its ARN, its role, its subnets in one string and the template's version as it was written; a "
        "member shows the number.",
    ),
    Fact("2.1/status-while-deleting", "I", "A group has a Status only while it is deleted: Delete in progress."),
    Fact(
        "2.1/history", "D",
        "Activities are listed newest first, those under way before all; they are kept for six weeks, and of deleted "
        "groups on request.",
    ),
    Fact("2.1/quotas", "D", "At most 500 groups in a region, 50 policies and 50 target groups for each."),
    Fact("2.2/states", "D", "A new member is Pending, then InService; on its way out Terminating."),
    Fact("2.2/in-service-at-once", "I", "A member is InService without waiting for its target to be healthy."),
    Fact("2.2/register-first", "D", "A member is registered with the target groups before it is InService."),
    Fact("2.2/hooks", "D", "At a lifecycle hook a member waits in Pending:Wait or Terminating:Wait, then proceeds."),
    Fact("2.2/standby", "D", "A member may stand by: it is drained, runs on, counts no longer, and can come back."),
    Fact("2.2/detach", "D", "A detached member is drained and runs on without the group."),
    Fact("2.2/drain-first", "D", "Scale-in deregisters and drains a member before it terminates it."),
    Fact(
        "2.2/status-codes", "D",
        "An activity is PreInService, InProgress, waiting for a drain or a lifecycle action, Successful, Failed or "
        "Cancelled.",
    ),
    Fact("2.2/progress", "O", "An activity's progress is 50 while it waits and 100 when it is done."),
    Fact(
        "2.2/attachment-states", "D",
        "A target group is Adding, Added, InService from the first healthy target on, and Removing while it drains.",
    ),
    Fact(
        "2.2/elb-replacement", "D",
        "Target health replaces nobody before some target of the group has passed its checks.",
    ),
    Fact("2.3/create", "D", "The words of a launch after a group was made."),
    Fact("2.3/update", "D", "The words of a launch after an update of a group's sizes."),
    Fact("2.3/set-desired", "D", "The words of a launch after SetDesiredCapacity."),
    Fact("2.3/scale-in", "O", "The words of a scale-in, with each member that was selected."),
    Fact("2.3/alarm", "D", "The words of a change that an alarm asked for, and the alarm in the details."),
    Fact("2.3/outside", "D", "The words for a member that was terminated or stopped outside, and while it drains."),
    Fact("2.3/elb", "D", "The words for a member whose target was unhealthy."),
    Fact("2.3/set-health", "D", "The words for a member that a user declared unhealthy."),
    Fact("2.3/replacement", "O", "The words of the launch that replaces an unhealthy member."),
    Fact("2.3/terminate-in-group", "D", "The words for a member that a user terminated, with and without a decrement."),
    Fact("2.3/failed-launch", "D", "A failed launch carries its reason in the description and in the status message."),
    Fact("2.3/messages", "D", "The reasons: image, key, security or target group gone, image pending, too many vCPU."),
    Fact("2.3/details", "D", "An activity's details are JSON in a string: subnet and zone."),
    Fact(
        "2.4/decision", "O", "From a change of capacity to the launch it takes 2 to 31 s, usually 10 to 18.",
        knob="decision_s",
    ),
    Fact("2.4/launch", "O", "A launch takes from 5 to 32 s until the member is in service.", knob="pending_s"),
    Fact("2.4/replacement", "O", "A replacement is launched 1 to 2 s after the terminating activity began."),
    Fact("2.4/terminate-with-targets", "O", "Behind a target group a termination takes 300 s and a little more."),
    Fact("2.4/terminate-alone", "D", "Without targets a termination takes some tens of seconds (22 in the example)."),
    Fact(
        "2.4/detection", "I", "How long a group takes to notice that a member does not run is not documented.",
        knob="detection_s",
    ),
    Fact("2.4/self-heal", "O", "From a member's end to a healthy replacement users see some minutes."),
    Fact("2.5/placement", "D", "A launch goes to the zone with the fewest members, and elsewhere when it fails there."),
    Fact("2.5/rebalance", "D", "After zones changed or lost members, a group launches first and terminates then."),
    Fact("2.5/rebalance-margin", "I", "While it rebalances, a group may exceed its maximum by a tenth or by one."),
    Fact(
        "2.5/scale-in-order", "D",
        "Scale-in takes from the fullest zone; by default the oldest template, then who is closest to a billing hour.",
    ),
    Fact("2.5/not-running", "D", "What does not run is unhealthy at once, even in the grace period."),
    Fact("2.5/impaired", "D", "Failed status checks are borne for a few minutes before a member is replaced."),
    Fact("2.5/elb-a-tenth", "D", "Members with unhealthy targets are replaced a tenth at a time, at least one."),
    Fact("2.5/delete", "D", "Deleting by force terminates the members; policies and their alarms go with a group."),
    Fact("2.6/alarms", "D", "Target tracking makes two alarms, named after the group with a side and a UUID."),
    Fact("2.6/description", "O", "Their description says not to touch them, and names the policy, their one action."),
    Fact("2.6/high", "O", "The high alarm: average CPU above the target for three minutes."),
    Fact("2.6/low", "O", "The low alarm: below a share of the target for fifteen minutes."),
    Fact(
        "2.6/factor", "O", "That share is 0.7 in small groups today, and was 0.9; it may change with a group's size.",
        knob="alarm_low_factor",
    ),
    Fact("2.6/replaced", "I", "An update of a policy replaces its alarms."),
    Fact("2.6/asks-again", "O", "While an alarm stays in alarm its policy is asked again each minute."),
    Fact("2.6/math", "D", "Scaling out rounds up, scaling in is careful; nothing is taken out while members warm up."),
    Fact("2.6/low-for-good", "I", "In an idle group at its minimum the low alarm stays in alarm: that is normal."),
    Fact(
        "2.6/self-tuning", "O", "Highly responsive policies may tune their own periods since late 2024.",
        left_out="the lab is of 2023, and its workbook counts on fixed periods",
    ),
    Fact("2.7/names", "D", "The names of the group metrics, those of warm pools included, and their one granularity."),
    Fact("2.7/recorded", "D", "Each minute an enabled metric gets a point under the group's name."),
    Fact("2.7/unit", "I", "Their unit is None."),
    Fact("3.7/41", "O", "A desired capacity outside of the bounds is refused."),
    Fact("3.7/42", "O", "A minimum above the maximum is refused."),
    Fact("3.7/43", "O", "SetDesiredCapacity out of range is refused, with the bound that it breaks."),
    Fact("3.7/44", "O", "A group's name is taken, also while the group is still being deleted."),
    Fact("3.7/45", "D", "A group with members is not deleted without force."),
    Fact("3.7/46", "D", "A group whose last members are on their way out is not deleted yet."),
    Fact("3.7/47", "D", "A group with a template that cannot be launched is refused with EC2's reason."),
    Fact("3.7/48", "O", "A group with a target group that does not exist is refused."),
    Fact("3.7/49", "R", "An unknown group, and an instance of no group, are refused."),
    Fact("3.7/50", "R", "A launch template without an id and a name is refused."),
    Fact("8/rebalance-cause", "I", "The words of a launch that rebalances zones are not certain."),
)
