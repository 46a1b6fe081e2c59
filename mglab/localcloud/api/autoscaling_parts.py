"""What hangs on a group and its members: lifecycle hooks, instance refreshes, scheduled actions, replacements.

Values only, as ``autoscaling_state`` is, which holds them. Times are lab epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mglab.localcloud.rules.refresh import Status

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
Outcome = Literal["CONTINUE", "ABANDON"]


@dataclass
class Hook:
    """A lifecycle hook: members wait at a transition until somebody completes their action."""

    name: str
    transition: str
    heartbeat_s: int
    global_s: int
    default_result: Outcome
    settings: dict[str, Any] = field(default_factory=dict)
    """Members of the request that are only given back: target, role, metadata."""


@dataclass
class HookWait:
    """A lifecycle action: one member's wait at one hook."""

    hook_name: str
    token: str
    began_at: float
    deadline: float
    result: Outcome | None = None
    timed_out: bool = False


@dataclass
class Owed:
    """A replacement that is still to be launched."""

    due_at: float
    refresh: bool = False
    """It follows from an instance refresh, not from a failure."""


@dataclass
class Refresh:
    """An instance refresh: what was asked, and how far it is."""

    refresh_id: str
    preferences: dict[str, Any]
    started_at: float
    to_replace: list[str]
    """Who was there when it began, and is to be replaced."""
    total: int
    configuration: dict[str, Any] | None = None
    """The launch template that was asked for, as it was written."""
    template: tuple[str, str, str] | None = None
    """(id, name, version as written) of it."""
    status: Status = "Pending"
    reason: str | None = None
    ended_at: float | None = None
    surge: int = 0
    """How many were launched before anybody was taken out for them."""
    percent: int = 0
    """How much is done: replaced and warmed up."""
    blocked_since: float | None = None
    """Since when only members are left that it must not replace."""


@dataclass
class ScheduledAction:
    """Other sizes at a moment, or at recurring ones."""

    name: str
    arn: str
    start_at: float
    """When it is due next."""
    recurrence: str | None = None
    end_at: float | None = None
    time_zone: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    desired: int | None = None
