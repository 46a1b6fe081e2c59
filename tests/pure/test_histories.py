"""Holding two runs against each other: chance is taken out, blindness is forgiven, a difference is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mglab.study import histories
from mglab.study.histories import History, Stay

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def walk(*stays: tuple[str, float | None], blind_s: float = 5, late: bool = False) -> History:
    return History("terminate-1, EC2", tuple(Stay(*stay) for stay in stays), blind_s, late)


def events(*told: tuple[float, str, str]) -> list[tuple[datetime, str, str]]:
    return [(at(seconds), lane, what) for seconds, lane, what in told]


DYING = walk(("running", None), ("shutting-down", 30), ("terminated", None))


@pytest.mark.parametrize(
    "other",
    [
        DYING,
        walk(("running", None), ("shutting-down", 24), ("terminated", None)),
        walk(("running", None), ("stopping", 9), ("shutting-down", 30), ("terminated", None)),
    ],
    ids=["the same", "other lengths", "a state that nobody surely sees"],
)
def test_alike(other: History) -> None:
    assert histories.differences([DYING], [other]) == histories.differences([other], [DYING]) == []


@pytest.mark.parametrize(
    "other",
    [
        walk(("running", None), ("terminated", None)),
        walk(("running", None), ("stopping", 11), ("shutting-down", 30), ("terminated", None)),
        walk(("shutting-down", 30), ("running", 40), ("terminated", None)),
        walk(("running", None), ("shutting-down", 30)),
        walk(("running", None), ("shutting-down", 30), ("terminated", 4), ("pending", None)),
    ],
    ids=["a long state is missing", "a long one too many", "another order", "it never ended", "it went on"],
)
def test_unlike(other: History) -> None:
    assert len(histories.differences([DYING], [other])) == len(histories.differences([other], [DYING])) == 2


def target(*states: str, subject: str = "terminate-1, balancer") -> History:
    return History(subject, tuple(Stay(state, 60) for state in states[:-1]) + (Stay(states[-1], None),), 5)


GONE = "no longer listed"
NOTICED_FIRST = target("healthy", "draining", GONE)


@pytest.mark.parametrize("states", [("healthy", "unhealthy", "draining", GONE), ("healthy", "unhealthy", GONE)])
def test_who_notices_a_terminated_target_first_is_a_race(states: tuple[str, ...]) -> None:
    assert histories.differences([NOTICED_FIRST], [target(*states)]) == []


def test_no_race_excuses_a_newcomer_that_failed_or_a_target_that_did_not_drain() -> None:
    newcomers = [target("initial", "healthy")], [target("initial", "unhealthy", "healthy")]
    assert len(histories.differences(*newcomers)) == 2
    withdrawn = [target(*states, subject="deregister, balancer") for states in (("healthy", "draining", GONE),)]
    assert len(histories.differences(withdrawn, [target("healthy", GONE, subject="deregister, balancer")])) == 2


def test_each_needs_a_partner_of_its_own() -> None:
    bystander = walk(("running", None))
    assert histories.differences([DYING, bystander], [bystander, DYING]) == []
    assert histories.differences([DYING, bystander], [DYING]) == ["only here: terminate-1, EC2: running"]
    assert histories.differences([DYING], [DYING, DYING]) == [f"only there: {DYING}"]


def test_which_instance_it_was_and_who_was_first_is_chance() -> None:
    one = events((0, "EC2", "i-…aaaaa: running"), (0, "EC2", "i-…bbbbb: running"), (9, "EC2", "i-…aaaaa: gone"))
    two = events((0, "EC2", "i-…ccccc: running"), (0, "EC2", "i-…ddddd: running"), (9, "EC2", "i-…ddddd: gone"))
    there, here = (histories.of_events("terminate-1", told, 3) for told in (one, two))
    assert histories.differences(here, there) == []
    assert histories.differences(here, histories.of_events("terminate-1", one[:2], 3)) != []


def test_what_was_there_when_the_watching_began_has_no_length() -> None:
    told = events((0, "EC2", "a: running"), (5, "EC2", "b: pending"), (20, "EC2", "b: running"), (30, "EC2", "a: gone"))
    found = {history.stays for history in histories.of_events("it", told, 3)}
    assert found == {(Stay("running", None), Stay("gone", None)), (Stay("pending", 15), Stay("running", None))}


def wait(
    what: str, *states: tuple[float, str], blind_s: float = 3, started: float = 0, outcome: str = "done"
) -> dict[str, Any]:
    seen = [{"at": at(seconds).isoformat(), "state": state} for seconds, state in states]
    ended = states[-1][0]
    return {
        "kind": "wait", "what": what, "outcome": outcome, "transitions": seen, "coarsest_s": blind_s,
        "started": at(started).isoformat(), "at": at(ended).isoformat(), "seconds": ended - started,
    }  # fmt: skip


def of_ledger(*lines: dict[str, Any], run: str = "r") -> list[History]:
    return histories.of_run(run, lines, {})


def test_a_wait_tells_of_those_looks_at_which_all_were_in_one_state() -> None:
    seen = wait("instance a, b", (0, "2 pending"), (5, "1 pending, 1 running"), (9, "2 running"))
    assert [one.states for one in of_ledger(seen)] == [("pending", "running")]


def test_a_wait_that_began_later_is_the_same_wait() -> None:
    early = of_ledger(wait("load balancer MGLB", (0, "provisioning"), (150, "active")))
    assert histories.differences(early, of_ledger(wait("load balancer MGLB", (0, "active")))) == []
    assert histories.differences(early, of_ledger(wait("load balancer MGLB", (0, "failed")))) != []


@pytest.mark.parametrize(("lasted", "differences"), [(6, 0), (60, 1)])
def test_only_what_is_soon_there_needs_no_wait(lasted: float, differences: int) -> None:
    made = {"kind": "made", "what": "vpc", "at": at(0).isoformat()}
    seen = of_ledger(made, wait("vpc MusicGuruVPC", (1, "being made"), (lasted, "there")))
    assert len(histories.differences(seen, [])) == differences


def test_a_wait_once_more_is_a_difference() -> None:
    once = of_ledger(wait("load balancer MGLB", (0, "active")))
    assert len(histories.differences([*once, *once], once)) == 1


def test_runs_and_addresses_are_taken_out_of_what_was_waited_for() -> None:
    here = of_ledger(wait("image server-here", (0, "available")), wait("port 1 of 10.0.0.7", (0, "open")), run="here")
    there = of_ledger(wait("image server-it", (0, "available")), wait("port 1 of 10.0.0.9", (0, "open")), run="it")
    assert [one.subject for one in here] == ["wait for image server-…", "wait for port 1 of …"]
    assert histories.differences(here, there) == []


def test_a_wait_for_what_the_ledger_dates_has_a_length() -> None:
    made = {"kind": "made", "what": "load-balancer", "at": at(-20).isoformat()}
    found = of_ledger(made, wait("load balancer MGLB", (0, "provisioning"), (130, "active")))
    assert [(one.name, one.seconds) for one in histories.stages(found)] == [("load balancer: provisioning", 150)]


def blind(*lines: dict[str, Any]) -> float:
    return histories.blindness(lines, events((0, "EC2", "a: running"), (100, "EC2", "a: gone")))


def test_blindness_is_the_worst_look_or_the_longest_gap_between_waits() -> None:
    assert blind(wait("x", (50, "on"), blind_s=9), wait("y", (100, "on"), started=52)) == 9
    assert blind(wait("x", (50, "on")), wait("y", (100, "on"), started=70)) == 20
    assert blind(wait("x", (100, "on")), wait("y", (400, "on"), started=300, blind_s=99)) == 3


def responses(*told: tuple[float, str, str]) -> Sequence[histories.Stage]:
    return histories.responses(events(*told), 3)


def test_a_deed_is_answered_by_the_group() -> None:
    killed = responses((0, "us", "a: terminated by us"), (9, "group", "b: Pending"), (40, "group", "a: Terminating"))
    assert [(one.name, one.seconds) for one in killed] == [("us, terminated by us -> group: Terminating", 40)]
    raised = responses((0, "us", "minimum raised to 3"), (12, "group", "c: Pending"))
    assert [(one.name, one.seconds) for one in raised] == [("us, minimum raised to N -> group: Pending", 12)]
