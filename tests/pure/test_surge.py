"""What a surge says of itself, and how its load is paced: from values made by hand, on a clock made by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mglab.clock import Clock
from mglab.errors import CheckFailed
from mglab.steps.monitoring import AlarmChange
from mglab.steps.scaling import Activity
from mglab.study import load, surge_plot
from mglab.study.client import Sample
from mglab.study.load import MOST_BEHIND_S, Offered
from mglab.study.surge import Minute, Surge, Told, TrackingAlarm
from mglab.workbook import checks

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HIGH, LOW = "TargetTracking-MGAS-AlarmHigh-1", "TargetTracking-MGAS-AlarmLow-2"


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def change(minutes: float, alarm: str, old: str, new: str) -> AlarmChange:
    return AlarmChange(at(minutes), alarm, old, new, "Threshold Crossed")


def each_minute(*counts: float) -> tuple[tuple[datetime, float], ...]:
    return tuple((at(minute), count) for minute, count in enumerate(counts))


def asked(minutes: float, responder: str = "192.168.0.5", failure: str = "") -> Sample:
    return Sample(at(minutes), "127.65.0.3", 40000, 0.5, 1.0, 1.2, None if failure else responder, "", failure)


TOLD = Told(
    cpu=((at(-5), 0.5), (at(0), 45.0), (at(5), 80.0), (at(10), 30.0), (at(15), 1.0)),
    new_flows=each_minute(*[200.0] * 12, *[5.0] * 30),
    desired=each_minute(*[2.0] * 10, *[3.0] * 20, *[2.0] * 10),
    in_service=each_minute(*[2.0] * 11, *[3.0] * 20, *[2.0] * 9),
    alarms=(
        TrackingAlarm("high", HIGH, 50.0, (change(9, HIGH, "OK", "ALARM"), change(14, HIGH, "ALARM", "OK")), "OK"),
        TrackingAlarm("low", LOW, 35.0, (change(-30, LOW, "INSUFFICIENT_DATA", "ALARM"), change(8, LOW, "ALARM", "OK"),
                                         change(30, LOW, "OK", "ALARM")), "ALARM"),
    ),
    activities=(
        Activity(at(9.2), at(9.5), 18.0, "Successful", "Launching a new EC2 instance: i-1", "At ...", 100, "a"),
        Activity(at(30.5), None, None, "InProgress", "Terminating EC2 instance: i-2", "At ...", 50, "b"),
    ),
)  # fmt: skip
SEEN = Surge(
    steps=((at(0), 200.0),), load_off=at(13), ended=at(36), newcomer="i-…00001", answered_at=at(12), is_back=True,
    minutes=(Minute(at(0), "answered", 190), Minute(at(0), "timed out", 10)),
    samples=(asked(1), asked(2, "192.168.1.5"), asked(3, failure="reset"), asked(20)), told=TOLD,
)  # fmt: skip
BORNE = replace(
    SEEN, steps=((at(0), 200.0), (at(7), 300.0)), load_off=at(40), ended=at(41), newcomer="", answered_at=None,
    told=replace(TOLD, cpu=((at(-5), 90.0), (at(5), 12.0)), alarms=(replace(TOLD.alarms[0], changes=()),),
                 activities=()),
)  # fmt: skip


def test_it_says_when_the_alarm_fired_who_came_and_when_all_was_over() -> None:
    assert (SEEN.fired_at, SEEN.calmed_at) == (at(9), at(30))
    assert SEEN.says == (
        "The high alarm fired 9 min 00 s after the load came on; i-…00001 answered 3 min 00 s later; "
        "the group was back at its old size 23 min 00 s after the load went off."
    )


def test_a_load_that_was_borne_is_said_to_have_been() -> None:
    assert BORNE.says == (
        "The high alarm did not fire in 40 min 00 s: 300 requests/s offered, and the average CPU reached 12 %."
    )
    unpublished = replace(BORNE, told=replace(BORNE.told, cpu=()))
    assert unpublished.says.endswith("and no average CPU was published.")


def test_the_story_is_told_in_order_with_the_alarms_names() -> None:
    told = [(event.lane, event.what) for event in SEEN.story]
    assert told == [
        ("us", "load on: 200 requests/s through the balancer"),
        ("CloudWatch", f"{LOW}: ALARM to OK"),
        ("CloudWatch", f"{HIGH}: OK to ALARM"),
        ("group", "Launching a new EC2 instance: i-1"),
        ("group", "Successful: Launching a new EC2 instance: i-1"),
        ("client", "i-…00001: first answer through the balancer"),
        ("us", "load off"),
        ("CloudWatch", f"{HIGH}: ALARM to OK"),
        ("CloudWatch", f"{LOW}: OK to ALARM"),
        ("group", "Terminating EC2 instance: i-2"),
    ]


def test_what_was_felt_counts_failures_as_failures() -> None:
    under, after, whole = SEEN.felt
    assert (under.requests, under.failed, under.responders) == (3, 1, 2)
    assert (after.requests, after.failed, after.median_ms) == (1, 0, 1.2)
    assert (whole.requests, whole.failed) == (200, 10)


@pytest.mark.parametrize(
    ("backend", "seen", "holds"),
    [("local", SEEN, True), ("local", BORNE, False), ("aws", BORNE, True), ("aws", replace(SEEN, is_back=False), False),
     ("aws", replace(SEEN, newcomer="", answered_at=None), False)],
)  # fmt: skip
def test_the_check_holds_when_it_grew_and_shrank_or_when_aws_bore_the_load(
    backend: str, seen: Surge, holds: bool
) -> None:
    lab: Any = SimpleNamespace(backend=backend)
    if holds:
        assert checks.scaled_under_load(lab, seen).says == seen.says
        return
    with pytest.raises(CheckFailed):
        checks.scaled_under_load(lab, seen)


@pytest.mark.parametrize("seen", [SEEN, BORNE, replace(SEEN, told=Told((), (), (), (), (), ()))])
def test_the_figure_has_four_panels_whatever_was_published(seen: Surge) -> None:
    figure = surge_plot.surge(seen, title="Scale under load")
    assert [ax.get_ylabel() for ax in figure.axes] == ["new flows\na minute", "group's CPU (%)", "", "instances"]
    words = {text.get_text() for ax in figure.axes for text in ax.texts}
    assert {"load on: 200/s", "load off"} <= words
    figure.canvas.draw()


# -- the load ------------------------------------------------------------------------------------------------


@dataclass
class Wall:
    """A wall clock that moves when told."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def offered(wall: Wall, pace: float) -> Offered:
    lab: Any = SimpleNamespace(clock=Clock(rate=60, wall=wall))
    return Offered(lab, "name", pace, due=wall.now)


def test_requests_are_spread_evenly_and_the_pace_may_change() -> None:
    load = offered(Wall(), 10.0)
    assert [round(load._wait_s(), 6) for _ in range(3)] == [0.1, 0.2, 0.3]
    load.requests_per_s = 100.0
    assert round(load._wait_s(), 6) == 0.31


def test_what_could_not_be_asked_in_time_is_not_made_up_for() -> None:
    wall = Wall()
    load = offered(wall, 10.0)
    wall.now += 60.0
    late = 0
    while load._wait_s() == 0.0:
        late += 1
    assert late == int(MOST_BEHIND_S * 10) + 1, "half a second's worth, not a minute's"


def test_outcomes_are_counted_in_the_lab_minute_that_they_were_asked_in(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [asked(0.1), asked(0.9, "192.168.1.5"), asked(1.0), asked(1.5, failure="timed out"), asked(1.6)]
    running = offered(Wall(), 1000.0)

    def answer(lab: object, host: str) -> Sample:
        if len(answers) == 1:
            running.stopping.set()
        return answers.pop(0)

    monkeypatch.setattr(load, "ask", answer)
    running.run()
    assert dict(running.outcomes) == {(at(0), "answered"): 2, (at(1), "answered"): 2, (at(1), "timed out"): 1}
    assert running.first_answers == {"192.168.0.5": at(0.1), "192.168.1.5": at(0.9)}
