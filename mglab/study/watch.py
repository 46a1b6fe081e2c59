"""Watching the group, EC2 and the balancer at once, from outside, change by change.

Each look asks the three services what they say of every instance. What differs from the last look is an
event, dated by the look that saw it: no sharper than the pace of looking, and no duller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mglab import waits
from mglab.session import Lab
from mglab.steps import balancing, scaling
from mglab.study.timeline import Event

LOOK_EVERY_S = 3.0
Seen = Mapping[tuple[str, str], str]
"""(who says so, instance name and id) -> what it says"""


@dataclass
class Watch:
    """What has been seen so far; ``events`` grows with every look."""

    lab: Lab
    events: list[Event] = field(default_factory=list)
    now: Seen = field(default_factory=dict)

    def look(self) -> str:
        """Ask everyone; note what changed; give a summary in words."""
        before, self.now = self.now, snapshot(self.lab)
        at = self.lab.clock.now()
        for (who, instance), state in sorted(self.now.items()):
            if before.get((who, instance)) != state:
                self.events.append(Event(at, who, f"{instance}: {state}"))
        for who, instance in sorted(set(before) - set(self.now)):
            self.events.append(Event(at, who, f"{instance}: no longer listed"))
        return self.summary()

    def states(self, who: str) -> list[str]:
        """Give the states that one of the three sees now."""
        return [state for (seer, _), state in self.now.items() if seer == who]

    def summary(self) -> str:
        """Say in words how many instances each of the three sees in which state."""
        parts = (f"{who}: {balancing.summary(self.states(who))}" for who in ("group", "balancer"))
        return "; ".join(parts)

    def until(self, is_done: Callable[[Watch], bool], *, what: str, timeout_s: float) -> waits.Wait:
        """Look until ``is_done``; raises WaitTimedOut after ``timeout_s`` lab seconds."""
        return waits.until(
            self.lab, self.look, lambda _: is_done(self), what=what, timeout_s=timeout_s, interval_s=LOOK_EVERY_S
        )


def snapshot(lab: Lab) -> Seen:
    """Ask the group, EC2 and the balancer what they say of each instance."""
    seen: dict[tuple[str, str], str] = {}
    for member in scaling.instances(lab):
        seen["group", short(member.instance_id)] = member.lifecycle
        seen["EC2", short(member.instance_id)] = member.state
    for target in balancing.target_health(lab):
        seen["balancer", short(target.instance_id)] = target.state
        if target.state == "initial":
            seen["checks", short(target.instance_id)] = target.reason
    return seen


def short(instance_id: str) -> str:
    """Shorten an instance id so that a figure can hold it."""
    return f"i-…{instance_id[-5:]}"
