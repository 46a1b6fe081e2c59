"""What a run would have taken and cost on AWS: pure sums over ledger lines (aws-facts 6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mglab.workbook.cost import PRICES, Estimate, Stretch, Waited, estimate, modelled_seconds

HOUR = 3600.0
T0 = 1_700_000_000.0


def line(kind: str, wall: float, rate: float = 1.0, **more: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(T0 + (wall - T0) * rate, UTC).isoformat()
    return {"kind": kind, "wall": wall, "at": at, **more}


def made(what: str, key: str, at_s: float, **more: Any) -> dict[str, Any]:
    return line("made", T0 + at_s, what=what, id=key, **more)


def removed(what: str, key: str, at_s: float) -> dict[str, Any]:
    return line("removed", T0 + at_s, what=what, id=key)


@pytest.mark.parametrize(
    ("waits", "seconds"),
    [
        ([], 100),
        ([Waited(10, 20, 600)], 90 + 600),
        ([Waited(10, 20, 600), Waited(30, 31, 60)], 89 + 660),
        ([Waited(-10, 10, 1200)], 90 + 600),
        ([Waited(90, 110, 1200)], 90 + 600),
        ([Waited(200, 210, 600)], 100),
        ([Waited(10, 20, 600), Waited(15, 25, 600)], 85 + 600 + 300),
        ([Waited(10, 20, 600), Waited(12, 14, 120)], 90 + 600),
    ],
)
def test_waits_count_in_lab_time_and_the_rest_as_it_was(waits: list[Waited], seconds: float) -> None:
    assert modelled_seconds(Stretch(0, 100), waits) == pytest.approx(seconds)


def an_hour_of_the_lab() -> Estimate:
    entries = [
        made("load-balancer", "arn", 0),
        made("instance", "i-1", 0, instance_type="t2.micro"),
        made("instance", "i-2", 0, instance_type="t2.micro"),
        made("vpc", "vpc-1", 0),
        *(removed("instance", key, HOUR) for key in ("i-1", "i-2")),
        removed("load-balancer", "arn", HOUR),
    ]
    return estimate(entries, Stretch(T0, T0 + HOUR))


@pytest.mark.fact("3.1/billing")
def test_an_hour_of_two_instances_and_a_balancer_costs_what_the_facts_say() -> None:
    known = an_hour_of_the_lab()
    assert known.aws_seconds == HOUR
    assert known.dollars == pytest.approx(2 * 0.0116 + 0.0225 + 4 * 0.005, abs=1e-4)
    assert {charge.what: charge.count for charge in known.charges} == {
        "network load balancer": 1, "instances": 2, "public IPv4 addresses": 4,
    }  # fmt: skip


def test_a_started_hour_of_the_balancer_is_a_full_one() -> None:
    short = estimate([made("load-balancer", "a", 0), removed("load-balancer", "a", 60)], Stretch(T0, T0 + 60))
    assert short.charges[0].dollars == pytest.approx(PRICES.load_balancer_hour, abs=1e-4)


@pytest.mark.fact("3.1/billing")
def test_an_instance_is_charged_for_a_minute_at_least() -> None:
    short = estimate([made("instance", "i", 0), removed("instance", "i", 1)], Stretch(T0, T0 + 60))
    assert short.charges[0].dollars == pytest.approx(0.0116 / 60)


def test_what_was_not_removed_is_charged_to_the_runs_end() -> None:
    known = estimate([made("instance", "i", 0)], Stretch(T0, T0 + HOUR))
    assert known.charges[0].aws_seconds == HOUR


def test_a_wait_on_a_fast_clock_is_charged_as_on_aws() -> None:
    entries = [
        line("made", T0, 60, what="instance", id="i"),
        line("wait", T0 + 10, 60, what="boot", seconds=600.0),
        line("removed", T0 + 20, 60, what="instance", id="i"),
    ]
    known = estimate(entries, Stretch(T0, T0 + 20))
    assert known.aws_seconds == pytest.approx(600 + 10)
    assert known.charges[0].aws_seconds == pytest.approx(600 + 10)


def test_nothing_made_costs_nothing() -> None:
    assert estimate([], Stretch(T0, T0 + 5)) == Estimate(5, ())


def test_an_unknown_instance_type_has_no_price_of_its_own() -> None:
    assert PRICES.instance_hour("t2.micro") == 0.0116
    assert PRICES.instance_hour("m5.24xlarge") is None
