"""An instance refresh: who is replaced next?

A refresh rolls through the members that were there when it began: a batch is taken out and replaced, or replaced first
and taken out afterwards, and nothing goes on before the newcomers have warmed up. How many at a time follows from
the shares of the desired capacity that must stay in service (MinHealthyPercentage) and may be there at most
(MaxHealthyPercentage); one is always allowed, or a small group could never be rolled (AWS's page on it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal[
    "Pending", "InProgress", "Successful", "Failed", "Cancelling", "Cancelled", "RollbackInProgress",
    "RollbackSuccessful", "RollbackFailed",
]  # fmt: skip
ACTIVE: tuple[Status, ...] = ("Pending", "InProgress", "Cancelling", "RollbackInProgress")
WAIT_S = 3600.0
"""How long a refresh waits for members that it must not replace (AWS's page: one hour)."""


@dataclass(frozen=True)
class Roll:
    """A refresh at one moment."""

    desired: int
    left: Sequence[str]
    """Who is still to be replaced, oldest first."""
    unsettled: int
    """How many starting, warming up or missing members the next batch has to wait for."""
    minimum_percent: int
    maximum_percent: int | None = None
    surge: int = 0
    """How many were launched beforehand."""


@dataclass(frozen=True)
class Move:
    """What to do now: launch so many beforehand, or take these out."""

    launch: int = 0
    take_out: tuple[str, ...] = ()


def next_move(roll: Roll) -> Move:
    """Say what a refresh does next; an empty move means that it waits, or is done."""
    if roll.unsettled or not roll.left:
        return Move()
    if roll.surge:
        return Move(take_out=tuple(roll.left[: roll.surge]))
    extra = _share(roll.desired, (roll.maximum_percent or 100) - 100)
    if extra:
        return Move(launch=min(extra, len(roll.left)))
    return Move(take_out=tuple(roll.left[: max(1, _share(roll.desired, 100 - roll.minimum_percent))]))


def percentage(total: int, left: int) -> int:
    """Give how much of a refresh is done, in per cent."""
    return 100 if total == 0 else (total - left) * 100 // total


def _share(desired: int, percent: int) -> int:
    """Give a share of the group; a share that there is at all is one instance at least."""
    return max(1, desired * percent // 100) if percent > 0 else 0
