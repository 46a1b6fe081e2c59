"""What a group decides: where it launches, whom it takes out, how far target tracking goes."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from mglab.localcloud.rules import autoscaler
from mglab.localcloud.rules.autoscaler import Failure, Launch, Load, Member, Situation, Subnet, Terminate

A, B = Subnet("subnet-a", "us-east-1a"), Subnet("subnet-b", "us-east-1b")
HOUR = 3600.0


def members(zones: str, **changes: Any) -> tuple[Member, ...]:
    """One member per letter, in that zone: ``aab`` is two in us-east-1a and one in us-east-1b."""
    return tuple(Member(f"i-{i}", f"us-east-1{zone}", **changes) for i, zone in enumerate(zones))


def situation(desired: int, zones: str, **changes: Any) -> Situation:
    return replace(Situation(desired, (A, B), members(zones)), **changes)


def decided(asked: Situation, now: float = 0.0, seed: int = 1) -> list[str]:
    """Say the decisions in short: ``+a difference`` is a launch in us-east-1a, ``-i-0 difference`` a termination."""
    decisions = autoscaler.decide(asked, now, random.Random(seed))
    return [
        f"+{each.subnet.zone[-1]} {each.reason}" if isinstance(each, Launch) else f"-{each.instance_id} {each.reason}"
        for each in decisions
    ]


HISTORIES = [
    ("two in two zones: one each", situation(2, ""), [["+a difference", "+b difference"]]),
    ("nothing to do", situation(2, "ab"), [[]]),
    ("the third goes anywhere", situation(3, "ab"), [["+a difference"], ["+b difference"]]),
    ("the fourth goes where fewest are", situation(4, "aab"), [["+b difference"]]),
    ("not before its time", situation(4, "aab", capacity_due=False), [[]]),
    ("not while Launch is suspended", situation(4, "aab", suspended=frozenset({"Launch"})), [[]]),
    ("not while a failure is waited out", situation(4, "aab", launch_allowed=False), [[]]),
    ("elsewhere after a failure", situation(4, "aab", failed_zones=frozenset({"us-east-1b"})), [["+a difference"]]),
    ("scale-in from the fullest zone", situation(2, "abb", capacity_changed=True),
     [["-i-1 difference"], ["-i-2 difference"]]),
    ("scale-in keeps the balance", situation(0, "ab", capacity_changed=True),
     [["-i-0 difference", "-i-1 difference"], ["-i-1 difference", "-i-0 difference"]]),
    ("Terminate is suspended", situation(1, "ab", capacity_changed=True, suspended=frozenset({"Terminate"})), [[]]),
    ("zones out of balance: launch first", situation(2, "aa"), [["+b rebalance"]]),
    ("then take one out of the fullest", situation(2, "aab"), [["-i-0 rebalance"], ["-i-1 rebalance"]]),
    ("not while AZRebalance is suspended", situation(2, "aa", suspended=frozenset({"AZRebalance"})), [[]]),
    ("a zone that was taken away", situation(2, "ac"), [["+b rebalance"]]),
    ("and its member goes", situation(2, "acb"), [["-i-1 rebalance"]]),
    ("a replacement that is due", situation(2, "a", replacements_owed=1, replacements_due=1), [["+b replacement"]]),
    ("one that is owed is no difference", situation(2, "a", replacements_owed=1), [[]]),
]


@pytest.mark.parametrize(("asked", "allowed"), [row[1:] for row in HISTORIES], ids=[row[0] for row in HISTORIES])
def test_histories(asked: Situation, allowed: list[list[str]]) -> None:
    outcomes = {tuple(sorted(decided(asked, seed=seed))) for seed in range(20)}
    assert outcomes == {tuple(sorted(each)) for each in allowed}


def failing(*failures: Failure | None, **changes: Any) -> Situation:
    group = situation(len(failures), "ab" * 5, **changes)
    return replace(
        group, members=tuple(replace(m, failure=f) for m, f in zip(group.members, failures, strict=False))
    )


def test_unhealthy_members_are_taken_out_all_at_once() -> None:
    assert decided(failing("ec2", "user", None)) == ["-i-0 unhealthy", "-i-1 unhealthy"]


def test_target_failures_are_replaced_one_at_a_time_in_a_small_group() -> None:
    assert decided(failing("elb", "elb", None)) == ["-i-0 unhealthy"]
    assert decided(replace(failing("elb", "elb", None, replacements_owed=1), desired=4)) == []


def test_nobody_is_replaced_while_no_target_was_ever_healthy() -> None:
    assert decided(failing("elb", "elb", targets_ever_healthy=False)) == []


def test_a_rebalance_waits_until_the_new_member_is_in_service() -> None:
    group = situation(2, "aab")
    pending = (*group.members[:2], replace(group.members[2], lifecycle="Pending"))
    assert decided(replace(group, members=pending)) == []


def victim(*candidates: Member, policies: tuple[str, ...] = ("Default",), now: float = 10 * HOUR) -> str | None:
    chosen = autoscaler.choose_victim(candidates, policies, {"us-east-1a", "us-east-1b"}, now, random.Random(1))
    return chosen.instance_id if chosen else None


def test_default_policy_takes_the_oldest_template_then_the_next_billing_hour() -> None:
    old = Member("i-old", "us-east-1a", template_version=1, launched_at=9 * HOUR)
    new = Member("i-new", "us-east-1a", template_version=2, launched_at=0.0)
    nearly = Member("i-nearly", "us-east-1a", template_version=1, launched_at=9 * HOUR + 60)
    assert victim(old, new) == "i-old"
    assert victim(replace(old, launched_at=9 * HOUR + 1800), nearly) == "i-nearly"


@pytest.mark.parametrize(("policy", "taken"), [("OldestInstance", "i-first"), ("NewestInstance", "i-last")])
def test_other_policies(policy: str, taken: str) -> None:
    first, last = Member("i-first", "us-east-1a", launched_at=1.0), Member("i-last", "us-east-1a", launched_at=2.0)
    assert victim(first, last, policies=(policy,)) == taken


def test_protected_members_stay() -> None:
    shielded = Member("i-1", "us-east-1a", protected=True)
    assert victim(shielded) is None
    assert victim(shielded, Member("i-2", "us-east-1b")) == "i-2"


def load(
    metric: float, warmed: int = 2, warming: int = 0, desired: int = 2, maximum: int = 10, minimum: int = 1
) -> Load:
    return Load(metric, 50.0, warmed, warming, desired, minimum, maximum)


OUT = [
    ("just above: one more", load(51.0), 3),
    ("twice the target: twice as many", load(100.0), 4),
    ("rounded up", load(60.0, warmed=5, desired=5), 6),
    ("not above the maximum", load(100.0, maximum=3), 3),
    ("what is warming up counts as added", load(75.0, warmed=2, warming=1, desired=3), 3),
    ("a worse breach still adds", load(100.0, warmed=2, warming=1, desired=3), 4),
    ("nobody is warm yet", load(100.0, warmed=0, warming=2), 2),
]


@pytest.mark.parametrize(("asked", "desired"), [row[1:] for row in OUT], ids=[row[0] for row in OUT])
def test_scale_out(asked: Load, desired: int) -> None:
    assert autoscaler.scale_out(asked) == desired


IN = [
    ("idle: one less at a time", load(1.0, warmed=4, desired=4), 3),
    ("not below the minimum", load(1.0, minimum=2), 2),
    ("rounded down", load(45.0, warmed=4, desired=4), 4),
    ("not while one is warming up", load(1.0, warmed=3, warming=1, desired=4), 4),
    ("a tenth of a large group", load(0.0, warmed=40, desired=40), 36),
]


@pytest.mark.parametrize(("asked", "desired"), [row[1:] for row in IN], ids=[row[0] for row in IN])
def test_scale_in(asked: Load, desired: int) -> None:
    assert autoscaler.scale_in(asked) == desired


def test_failed_launches_are_tried_again_ever_later() -> None:
    assert [autoscaler.retry_after(n) for n in (1, 2, 3, 10)] == [30.0, 60.0, 120.0, 600.0]


def test_decisions_are_values() -> None:
    assert Launch(A, "difference") == Launch(A, "difference") and Terminate("i-1", "unhealthy").reason == "unhealthy"
