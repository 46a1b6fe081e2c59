"""What capacity does a simple or a step scaling policy ask for?

A policy changes the capacity by a number, by a percentage, or to a number; a step policy first looks at how far the
metric is beyond its alarm's threshold. A percentage is rounded towards zero, but never to nothing: 0.4 of an
instance is one (AWS's page on simple and step scaling). Instances that warm up have been added already: a second
breach in the same step adds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
KINDS: tuple[Kind, ...] = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")


@dataclass(frozen=True)
class Step:
    """One step: what to do while the metric is this far beyond the threshold. None: without bound."""

    adjustment: int
    lower: float | None = None
    upper: float | None = None

    def holds(self, beyond: float) -> bool:
        """Say whether this step is the one; above the threshold its lower bound is in it, below it its upper one."""
        least, most = _or(self.lower, -math.inf), _or(self.upper, math.inf)
        return least <= beyond < most if beyond >= 0 else least < beyond <= most


@dataclass(frozen=True)
class Bounds:
    """A group's sizes, and how much of it is still warming up."""

    desired: int
    minimum: int
    maximum: int
    warming: int = 0


def adjusted(bounds: Bounds, kind: Kind, adjustment: int, magnitude: int | None = None) -> int:
    """Give the capacity asked for, within the group's bounds."""
    base = bounds.desired - (bounds.warming if adjustment > 0 and kind != "ExactCapacity" else 0)
    wanted = adjustment if kind == "ExactCapacity" else base + _change(base, kind, adjustment, magnitude)
    if kind != "ExactCapacity" and adjustment > 0:
        wanted = max(wanted, bounds.desired)
    return max(bounds.minimum, min(bounds.maximum, wanted))


def step_for(steps: Sequence[Step], beyond: float) -> Step | None:
    """Find the step for a metric that is so far beyond its threshold (negative: below it)."""
    return next((step for step in steps if step.holds(beyond)), None)


def flaw_of(steps: Sequence[Step]) -> str:
    """Say in AWS's words what is wrong with steps; nothing when they fit together."""
    for step in steps:
        if step.lower is None and step.upper is None:
            continue
        if _or(step.lower, -math.inf) >= _or(step.upper, math.inf):
            return "The lower bound of a StepAdjustment must be less than its upper bound."
    ordered = sorted(steps, key=lambda step: _or(step.lower, -math.inf))
    for step, after in zip(ordered, ordered[1:], strict=False):
        if _or(step.upper, math.inf) > _or(after.lower, -math.inf):
            return "StepAdjustment intervals can't overlap."
        if step.upper != after.lower:
            return "StepAdjustment intervals can't have gaps between them."
    if any(_or(step.upper, -1.0) > 0 for step in steps) and all(step.upper is not None for step in steps):
        return _UNBOUNDED.format(side="upper", sign="positive")
    if any(_or(step.lower, 1.0) < 0 for step in steps) and all(step.lower is not None for step in steps):
        return _UNBOUNDED.format(side="lower", sign="negative")
    return ""


_UNBOUNDED = (
    "There must be a StepAdjustment with an unspecified {side} bound (i.e., {side} bound is null) when one "
    "StepAdjustment has a {sign} {side} bound"
)


def _change(base: int, kind: Kind, adjustment: int, magnitude: int | None) -> int:
    if kind == "ChangeInCapacity":
        return adjustment
    exact = base * adjustment / 100
    rounded = math.trunc(exact) or (0 if exact == 0 else int(math.copysign(1, exact)))
    least = magnitude or 0
    return rounded if abs(rounded) >= least else int(math.copysign(least, adjustment))


def _or(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
