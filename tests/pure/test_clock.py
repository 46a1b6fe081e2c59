"""Lab time: one formula, and a rate that may change without a jump."""

from __future__ import annotations

import json
from pathlib import Path

from mglab.clock import AdjustableClock, Clock, FollowedClock

NOON = 1694865600.0


class Hands:
    """A wall clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.wall = NOON
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.wall += seconds

    def clock(self, rate: float) -> Clock:
        return Clock(rate, NOON, NOON, wall=lambda: self.wall, pause=self.sleep)


def test_another_rate_goes_on_from_where_lab_time_stands() -> None:
    hands = Hands()
    clock = AdjustableClock(hands.clock(60))
    hands.wall += 10
    assert clock.time() == NOON + 600
    clock.set_rate(2)
    assert clock.time() == NOON + 600 and clock.rate == 2
    hands.wall += 10
    assert clock.time() == NOON + 620
    assert clock.wall_seconds(10) == 5


def test_what_was_before_the_change_is_dated_at_the_rate_of_its_time() -> None:
    hands = Hands()
    clock = AdjustableClock(hands.clock(60))
    for rate in (10, 1):
        hands.wall += 10
        clock.set_rate(rate)
    hands.wall += 10
    assert [clock.lab_time_of(NOON + wall) - NOON for wall in (5, 15, 25)] == [300, 650, 705]
    assert [clock.wall_time_of(NOON + lab) - NOON for lab in (300, 650, 705)] == [5, 15, 25]


def test_a_wait_that_has_begun_ends_when_its_lab_time_has_come() -> None:
    hands = Hands()
    clock = AdjustableClock(hands.clock(1))
    real_sleep = hands.sleep

    def sleep(seconds: float) -> None:
        real_sleep(seconds)
        if len(hands.slept) == 4:
            clock.set_rate(100)

    clock = AdjustableClock(Clock(1, NOON, NOON, wall=lambda: hands.wall, pause=sleep))
    clock.sleep(101)
    assert clock.time() == NOON + 101
    assert hands.wall - NOON == 2, "a second at rate 1, a second at rate 100"


def test_a_wait_of_nothing_is_none() -> None:
    hands = Hands()
    AdjustableClock(hands.clock(60)).sleep(-1)
    assert hands.slept == []


def told(path: Path, rate: float, lab_epoch: float) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"rate": rate, "wall_epoch": NOON, "lab_epoch": lab_epoch}))
    fresh.replace(path)


def test_a_clock_is_followed_through_its_file(tmp_path: Path) -> None:
    path = tmp_path / "cloud.json"
    told(path, 60, NOON)
    clock = FollowedClock(path)
    assert (clock.rate, clock.lab_time_of(NOON + 1)) == (60, NOON + 60)
    told(path, 5, NOON + 7)
    assert (clock.rate, clock.lab_epoch, clock.lab_time_of(NOON + 1)) == (5, NOON + 7, NOON + 12)


def test_a_file_that_is_gone_or_broken_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cloud.json"
    told(path, 60, NOON)
    clock = FollowedClock(path)
    path.write_text("{}")
    assert clock.rate == 60
    path.unlink()
    assert clock.rate == 60
    told(path, 3, NOON)
    assert clock.rate == 3
