"""Simple and step scaling: which step, and which capacity comes of it."""

from __future__ import annotations

import pytest

from mglab.localcloud.rules.adjustment import Bounds, Kind, Step, adjusted, flaw_of, step_for

GROUP = Bounds(desired=10, minimum=0, maximum=100)
STEPS = (Step(0, 0, 10), Step(10, 10, 20), Step(30, 20, None), Step(-10, None, 0))


@pytest.mark.parametrize(
    ("kind", "adjustment", "magnitude", "capacity"),
    [
        ("ChangeInCapacity", 3, None, 13),
        ("ChangeInCapacity", -30, None, 0),
        ("ExactCapacity", 7, None, 7),
        ("ExactCapacity", 700, None, 100),
        ("PercentChangeInCapacity", 25, None, 12),  # 2.5 goes down to 2
        ("PercentChangeInCapacity", 4, None, 11),  # 0.4 is one
        ("PercentChangeInCapacity", -4, None, 9),  # -0.4 is minus one
        ("PercentChangeInCapacity", -66, None, 4),  # -6.6 goes towards zero
        ("PercentChangeInCapacity", 10, 5, 15),
    ],
)
def test_an_adjustment_gives_a_capacity(kind: Kind, adjustment: int, magnitude: int | None, capacity: int) -> None:
    assert adjusted(GROUP, kind, adjustment, magnitude) == capacity


def test_what_warms_up_has_been_added_already() -> None:
    warming = Bounds(desired=11, minimum=0, maximum=100, warming=1)
    assert adjusted(warming, "ChangeInCapacity", 1) == 11
    assert adjusted(warming, "ChangeInCapacity", 3) == 13


@pytest.mark.parametrize(
    ("beyond", "adjustment"), [(0, 0), (9.9, 0), (10, 10), (20, 30), (500, 30), (-0.1, -10), (-50, -10)]
)
def test_the_step_is_the_one_that_the_metric_is_in(beyond: float, adjustment: int) -> None:
    step = step_for(STEPS, beyond)
    assert step is not None and step.adjustment == adjustment


def test_below_the_threshold_a_steps_upper_bound_is_in_it() -> None:
    steps = (Step(-1, -10, 0), Step(-2, None, -10))
    assert [found.adjustment for each in (-5, -10, -11) if (found := step_for(steps, each))] == [-1, -2, -2]
    assert step_for(steps, 1) is None


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ((Step(1, 0, 10), Step(2, 5, None)), "overlap"),
        ((Step(1, 0, 10), Step(2, 20, None)), "gaps"),
        ((Step(1, 10, 10),), "less than"),
        ((Step(1, 0, 10),), "unspecified upper bound"),
        ((Step(-1, -10, 0),), "unspecified lower bound"),
        (STEPS, ""),
        ((Step(1),), ""),
    ],
)
def test_steps_fit_together_or_are_refused(steps: tuple[Step, ...], word: str) -> None:
    flaw = flaw_of(steps)
    assert word in flaw and bool(word) == bool(flaw)
