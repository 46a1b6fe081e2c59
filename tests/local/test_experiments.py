"""Steps 83, 85 and 86 on the real local cloud: what clients feel when targets are lost, in every way there is.

One group behind one balancer serves all tests in turn; each leaves it whole. What AWS does in each case is
aws-facts 1.4 (DNS, fail-open), 1.7 (connections), 2.2-2.5 (the group).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mglab.errors import CheckFailed
from mglab.session import Lab
from mglab.steps import balancing, scaling, security
from mglab.study import growth, health_port, outage, silence, withdrawal
from mglab.study.disturbance import Disturbance
from mglab.study.timeline import Event
from mglab.study.watch import GONE, IN_DNS, short
from tests.local.cloud_under_test import lab_on, put_up_service, started

RATE = 120.0
LOST = {"timed out", "reset", "refused", "closed without an answer"}
"""How a request to a lost target ends (aws-facts 1.7)."""
NOTICED = "in response to an EC2 health check indicating it has been terminated or stopped."


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with started("experiments", RATE) as cloud, lab_on(cloud, "experiments") as lab:
        put_up_service(lab)
        yield lab


def said(seen: Disturbance, who: str) -> list[str]:
    return [event.what for event in seen.events if event.lane == who and event.at > seen.began]


def members(lab: Lab) -> set[str]:
    return {member.instance_id for member in scaling.instances(lab)}


def phases(lab: Lab, name: str) -> list[str]:
    notes = [entry for entry in lab.ledger.entries() if entry.what == "experiment" and entry.key == name]
    return [entry.details["phase"] for entry in notes if "phase" in entry.details]


def is_whole(lab: Lab) -> bool:
    healthy = [target.state for target in balancing.target_health(lab)] == ["healthy"] * 2
    return healthy and len({member.zone for member in scaling.instances(lab)}) == 2


def assert_dns_follows_health(seen: Disturbance) -> None:
    """With no healthy zone all stay in DNS; one leaves only when the other has a healthy target (aws-facts 1.4)."""
    before = {event.what for event in seen.events if event.lane == "DNS" and event.at <= seen.began}
    assert before == {f"us-east-1a: {IN_DNS}", f"us-east-1b: {IN_DNS}"}
    left = [event.at for event in seen.events if event.lane == "DNS" and event.what.endswith(GONE)]
    healthy = [e.at for e in seen.events if e.lane == "balancer" and e.what.endswith(": healthy") and e.at > seen.began]
    assert all(min(healthy) <= at for at in left)
    back = {zone: what for zone, _, what in (told.partition(": ") for told in said(seen, "DNS"))}
    assert set(back.values()) <= {IN_DNS}


@pytest.mark.fact("2.4/self-heal")
def test_all_terminated_clients_are_lost_until_everything_heals(lab: Lab) -> None:
    before = members(lab)
    seen = outage.terminate_and_watch(lab, 2)
    assert set(seen.disturbed) == before and before.isdisjoint(members(lab))
    assert {sample.failure for sample in seen.failed} <= LOST and len(seen.failed) >= 5
    assert not any(survival.outcome.startswith("answered") for survival in seen.survivals)
    assert_dns_follows_health(seen)
    last = [sample for sample in seen.samples if sample.at >= seen.ended]
    assert last and all(sample.answered for sample in last)
    assert is_whole(lab) and phases(lab, "terminate-2") == ["begin", "end"]


def test_all_terminated_the_group_says_in_aws_words_what_it_noticed(lab: Lab) -> None:
    causes = [activity.cause for activity in scaling.activities(lab)]
    assert sum(cause.endswith(NOTICED) for cause in causes) >= 2
    assert any("an instance was launched in response to an unhealthy instance" in cause for cause in causes)


def test_one_terminated_costs_only_those_who_came_by_its_zone(lab: Lab) -> None:
    seen = outage.terminate_and_watch(lab, 1)
    lost_doors = {sample.address for sample in seen.failed}
    assert len(lost_doors) == 1 and {sample.failure for sample in seen.failed} <= LOST
    assert sorted(survival.outcome.startswith("answered") for survival in seen.survivals) == [False, True]
    took = {one.part: one.seconds for one in outage.durations(seen)}
    assert None not in (took["its zone leaves DNS"], took["a zone is in DNS again"], took["the group takes note"])
    assert took["the group takes note"] <= took["a replacement is launched"] < took["the balancer calls it healthy"]
    assert is_whole(lab)


def test_three_are_terminated_after_the_sizes_were_raised_and_put_back(lab: Lab) -> None:
    sizes = (scaling.group(lab).minimum, scaling.group(lab).maximum, scaling.group(lab).desired)
    seen = outage.terminate_and_watch(lab, 3)
    assert len(seen.disturbed) == 3 and seen.failed
    assert (scaling.group(lab).minimum, scaling.group(lab).maximum, scaling.group(lab).desired) == sizes
    assert is_whole(lab)


def test_sizes_are_put_back_when_the_experiment_breaks_off(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off(*_: object) -> Disturbance:
        assert scaling.group(lab).minimum == 3
        raise CheckFailed("it broke off", hint="none")

    monkeypatch.setattr(outage, "disturb", breaks_off)
    with pytest.raises(CheckFailed, match="it broke off"):
        outage.terminate_and_watch(lab, 3, again=True)
    assert (scaling.group(lab).minimum, scaling.group(lab).desired) == (2, 2)
    growth.shrink(lab)


def test_a_target_taken_off_in_good_order_keeps_its_connections_and_its_instance(lab: Lab) -> None:
    before = members(lab)
    seen = withdrawal.deregister_and_watch(lab)
    (target,) = (short(one) for one in seen.disturbed)
    assert [survival.outcome.startswith("answered") for survival in seen.survivals] == [True, True]
    assert f"{target}: draining" in said(seen, "balancer") and f"{target}: {GONE}" in said(seen, "balancer")
    assert members(lab) == before and not [what for what in said(seen, "group") if what.startswith(target)]
    assert any(what.endswith(IN_DNS) for what in said(seen, "DNS"))
    assert is_whole(lab)


def test_a_stopped_service_is_healthy_to_all_but_its_clients_and_a_stopped_check_to_none_but_the_group(
    lab: Lab,
) -> None:
    before = members(lab)
    seen = silence.stop_service_and_watch(lab)
    stopped, unchecked, _ = silence.phases(seen)
    assert stopped.failed > 0 and stopped.balancer == "healthy"
    assert {sample.failure for sample in seen.failed} <= LOST
    assert unchecked.balancer == "healthy -> unhealthy"
    assert (stopped.group, unchecked.group) == ("InService", "InService") and members(lab) == before
    assert is_whole(lab)


def test_a_closed_health_port_costs_nobody_an_answer(lab: Lab) -> None:
    closed = health_port.close_health_port(lab)
    assert {(target.state, target.reason) for target in closed.targets} == {("unhealthy", "Target.FailedHealthChecks")}
    assert not closed.seen.failed
    admitted = {rule.ports for rule in security.rules(lab, security.security_group(lab))}
    assert str(lab.config.health_port) in admitted


def test_growing_costs_nobody_an_answer_and_its_stages_follow_each_other(lab: Lab) -> None:
    grown = growth.grow(lab)
    assert {one.outcome.split(" ")[0] for one in grown.felt} == {"answered"}
    waited_for = [band for band in grown.bands if band.holds_up]
    assert waited_for[-1].band == "first answer"
    assert all(one.ends_s <= next_.starts_s + 0.2 for one, next_ in zip(waited_for, waited_for[1:], strict=False))
    growth.shrink(lab)
    assert is_whole(lab)


def test_what_the_group_did_stands_on_the_clients_clock(lab: Lab) -> None:
    seen = outage.terminate_and_watch(lab, 1)  # kept: nothing dies a second time
    told = [event for event in seen.events if event.lane == "activity"]
    launches = [event for event in told if event.what.startswith("Launching a new EC2 instance")]
    assert launches and all(isinstance(event, Event) and seen.began <= event.at <= seen.ended for event in launches)
