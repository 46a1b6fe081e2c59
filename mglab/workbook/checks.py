"""After a step: is what it should have left really there? (the cells tagged ``check``)

A check asks the account afresh; it never trusts what a step returned. One that holds shows a line; one that
does not raises CheckFailed with what was found and what to do, and the run stops there.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mglab.errors import CheckFailed
from mglab.session import Lab
from mglab.steps import balancing, images, network, scaling, security, teardown, templates
from mglab.steps.instances import Instance
from mglab.study.client import Sample, ask

if TYPE_CHECKING:
    from mglab.study.launches import TemplateTest
    from mglab.study.replies import Replies
    from mglab.study.surge import Surge
    from mglab.study.views import View

ENOUGH_ANSWERED = 0.95
"""Share of requests that must be answered before a question about who answers makes sense."""


@dataclass(frozen=True)
class Check:
    """Something that was looked at and is as it should be."""

    step: str
    says: str

    def __repr__(self) -> str:
        return f"✓ {self.step}: {self.says}"

    def _repr_html_(self) -> str:
        step, says = html.escape(self.step), html.escape(self.says)
        return f'<p><span style="color:#009E73">✓</span> <strong>{step}</strong> {says}</p>'


def expect(holds: bool, step: str, says: str, found: object, hint: str) -> Check:
    """Give a Check when ``holds``.

    Raises CheckFailed that says what was found instead and what to do.
    """
    if not holds:
        raise CheckFailed(f"{step}: expected that {says}; found {found}", hint=hint)
    return Check(step, says)


def both_ports_answer(lab: Lab, server: Instance) -> Check:
    """Check that after the reboot the service answers and the health port accepts (Preliminary 5)."""
    reply = ask(lab, server.public_address, year=1985)
    health = images.telnet(lab, server.public_address, lab.config.health_port)
    return expect(
        reply.answered and health.is_open, "Preliminary 5", "the service answers and the health port accepts",
        f"{reply.failure or 'an answer'}; health port {health.outcome}",
        "read the console output above: what did run.sh say?",
    )  # fmt: skip


def image_available(lab: Lab) -> Check:
    """Check that the new image can be launched from (Preliminary 7)."""
    found = images.image(lab)
    return expect(
        found.state == "available", "Preliminary 7", f"{found.name} is available", found.state, "wait and run it again"
    )


def subnets_in_different_zones(lab: Lab) -> Check:
    """Check that the two subnets lie in two zones (step 6)."""
    found = network.subnets(lab)
    zones = {subnet.zone for subnet in found}
    return expect(
        len(found) == len(zones) == 2, "Step 6", "two subnets lie in two zones", sorted(zones),
        "delete the subnets and create them again in different zones",
    )  # fmt: skip


def vpc_reaches_the_internet(lab: Lab) -> Check:
    """Check the default route and both explicit associations, read back from the account (step 18)."""
    vpc = network.vpc(lab)
    table = lab.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc.vpc_id]}])["RouteTables"][0]
    routed = any(
        route.get("DestinationCidrBlock") == "0.0.0.0/0" and str(route.get("GatewayId", "")).startswith("igw-")
        for route in table["Routes"]
    )
    explicit = {one["SubnetId"] for one in table["Associations"] if "SubnetId" in one}
    wanted = {subnet.subnet_id for subnet in network.subnets(lab)}
    return expect(
        routed and wanted <= explicit, "Step 18", "both subnets follow the table whose default route is the gateway",
        f"default route {routed}, associated {sorted(explicit)}", "run steps 14 to 17 again",
    )  # fmt: skip


def group_admits(lab: Lab, *ports: int) -> Check:
    """Check that the security group admits the ports from anywhere (step 23)."""
    group = security.security_group(lab)
    admitted = {rule.ports for rule in security.rules(lab, group)}
    wanted = {str(port) for port in ports}
    return expect(
        wanted <= admitted, "Step 23", f"TCP {', '.join(sorted(wanted))} are admitted", sorted(admitted),
        "run the cell with the rules again",
    )  # fmt: skip


def template_is_complete(lab: Lab) -> Check:
    """Check what the template's newest version holds (steps 30-35)."""
    template = templates.describe(lab)
    versions = lab.ec2.describe_launch_template_versions(LaunchTemplateId=template.template_id, Versions=["$Latest"])[
        "LaunchTemplateVersions"
    ]
    data = versions[0]["LaunchTemplateData"]
    card = (data.get("NetworkInterfaces") or [{}])[0]
    missing = [
        name
        for name, there in (
            ("image", data.get("ImageId")),
            ("instance type", data.get("InstanceType")),
            ("key pair", data.get("KeyName")),
            ("public address", card.get("AssociatePublicIpAddress")),
            ("security group", card.get("Groups")),
            ("delete on termination", card.get("DeleteOnTermination")),
        )
        if not there
    ]
    return expect(not missing, "Step 36", "the template has all that a launch needs", f"missing {missing}", "see 30-35")


def test_instances_are_gone(lab: Lab, tested: TemplateTest) -> Check:
    """Check that the two test instances were terminated (step 41)."""
    ids = [instance.instance_id for instance in tested.instances]
    states = _states(lab, ids)
    holds = all(state in ("shutting-down", "terminated") for state in states.values())
    return expect(holds, "Step 41", "both test instances are gone", states, "terminate them, or run the cell again")


def balancer_spans_both_zones(lab: Lab) -> Check:
    """Check that the load balancer has a node in each zone (steps 54-57)."""
    load_balancer = balancing.load_balancer(lab)
    zones = {subnet.zone for subnet in network.subnets(lab)}
    found = lab.elbv2.describe_load_balancers(LoadBalancerArns=[load_balancer.arn])["LoadBalancers"][0]
    enabled = {zone["ZoneName"] for zone in found["AvailabilityZones"]}
    return expect(
        enabled == zones, "Step 57", f"the balancer is in {', '.join(sorted(zones))}", sorted(enabled),
        "delete the load balancer and create it with both subnets",
    )  # fmt: skip


def group_metrics_enabled(lab: Lab) -> Check:
    """Check that the group's own metrics are collected (step 70)."""
    metrics = _described_group(lab)["EnabledMetrics"]
    return expect(bool(metrics), "Step 70", f"{len(metrics)} group metrics are collected", metrics, "run it again")


def all_targets_healthy(lab: Lab) -> Check:
    """Check that every registered target is healthy (step 83)."""
    targets = balancing.target_health(lab)
    states = [target.state for target in targets]
    return expect(
        bool(states) and set(states) == {"healthy"}, "Step 83", f"all {len(states)} targets are healthy", states,
        "does the security group admit the health port? is the health check running?",
    )  # fmt: skip


def two_responders(answers: Replies) -> Check:
    """Check that more than one replica answered (step 84)."""
    who = sorted(answers.responders)
    return expect(len(who) > 1, "Step 84", f"{', '.join(who)} answered", who, "are both targets healthy? ask again")


def enough_answers(samples: Sequence[Sample]) -> Check:
    """Check that nearly every request was answered, or a question about who answered has no meaning."""
    answered = sum(sample.answered for sample in samples)
    return expect(
        answered >= ENOUGH_ANSWERED * len(samples), "Question 1", f"{answered} of {len(samples)} were answered",
        answered, "look at the targets' health",
    )  # fmt: skip


def group_is_whole(lab: Lab) -> Check:
    """Check that the group has its desired number of instances in service, in as many zones as it can."""
    group = _described_group(lab)
    serving = [one for one in group["Instances"] if one["LifecycleState"] == "InService"]
    zones = {one["AvailabilityZone"] for one in serving}
    wanted = group["DesiredCapacity"]
    return expect(
        len(serving) == wanted and len(zones) == min(wanted, len(group["AvailabilityZones"])), "The group",
        f"{wanted} instances are in service in {len(zones)} zones", f"{len(serving)} in {sorted(zones)}",
        "read the group's activities: the last one says what it waits for",
    )  # fmt: skip


def scaled_under_load(lab: Lab, seen: Surge) -> Check:
    """Check that the alarm fired, the group grew, and shrank again (steps 73 and 86).

    On AWS a load that a real server bears easily fires no alarm: that is a finding, and the check only says so.
    """
    grew = seen.fired_at is not None and bool(seen.newcomer)
    fits = grew or (lab.backend == "aws" and seen.fired_at is None)
    return expect(
        fits and seen.is_back, "Step 86", seen.says if fits else "the group grew under load and shrank after it",
        seen.says, "read the group's activities and the alarms' reasons; then run the surge again with again=True",
    )  # fmt: skip


def both_views_have_data(*views: View) -> Check:
    """Check that each monitoring view has data points (steps 87 and 88)."""
    empty = [view.name for view in views if not any(panel.series for panel in view.panels)]
    return expect(not empty, "Step 88", "both views have data", f"nothing in {empty}", "points come minutes late: wait")


def nothing_left(lab: Lab) -> Check:
    """Look once more for everything of the run; raises TeardownIncomplete that names what is left."""
    teardown.require_nothing_left(lab)
    return Check("Teardown", "nothing that carries this run's tag is left")


def _states(lab: Lab, instance_ids: Sequence[str]) -> dict[str, str]:
    wanted = [{"Name": "instance-id", "Values": list(instance_ids)}]
    reservations = lab.ec2.describe_instances(Filters=wanted)["Reservations"]
    return {one["InstanceId"]: one["State"]["Name"] for found in reservations for one in found["Instances"]}


def _described_group(lab: Lab) -> dict[str, Any]:
    group = scaling.group(lab)
    found = lab.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group.name])
    return dict(found["AutoScalingGroups"][0])
