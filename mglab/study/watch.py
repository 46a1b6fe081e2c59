"""Watching the group, EC2, the balancer and DNS at once, from outside, change by change.

Each look asks the services what they say of every instance, and the resolver which zones' addresses the
balancer's name has (aws-facts 1.4: a zone without a healthy target leaves the answer). What differs from the
last look is an event, dated by the look that saw it: no sharper than the pace of looking, and no duller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mglab import waits
from mglab.session import Lab
from mglab.steps import balancing, scaling
from mglab.study.timeline import Event

LOOK_EVERY_S = 3.0
OBSERVERS = ("group", "EC2", "balancer", "checks", "DNS")
"""Everyone who is asked; ``checks`` is the balancer's reason for calling a target ``initial``."""
GONE = "no longer listed"
IN_DNS = "in DNS"
LET_GO = ("unhealthy", "draining", "unused", GONE)
"""What the balancer says of a target that it sends nothing new to."""
Seen = Mapping[tuple[str, str], str]
"""(who says so, short instance id or zone) -> what it says"""


@dataclass(frozen=True)
class Look:
    """One look at everyone: when it began and ended, and what they said."""

    began: datetime
    ended: datetime
    seen: Seen


@dataclass
class Watch:
    """What has been seen so far; ``events`` grows with every look. With ``dns_name``, DNS is watched for ``doors``."""

    lab: Lab
    dns_name: str = ""
    doors: Sequence[str] = ()
    """The zones whose addresses may stand in the answer."""
    events: list[Event] = field(default_factory=list)
    now: Seen = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._zones = {
            address: zone for zone in self.doors for address in self.lab.resolve(f"{zone}.{self.dns_name}")
        }

    def look(self) -> str:
        """Ask everyone; note what changed; give a summary in words."""
        began = self.lab.clock.now()
        before, self.now = self.now, {**snapshot(self.lab), **self._in_dns()}
        at = self.lab.clock.now()
        self.looks.append(Look(began, at, self.now))
        for (who, subject), state in sorted(self.now.items()):
            if before.get((who, subject)) != state:
                self.events.append(Event(at, who, f"{subject}: {state}"))
        for who, subject in sorted(set(before) - set(self.now)):
            self.events.append(Event(at, who, f"{subject}: {GONE}"))
        return self.summary()

    def _in_dns(self) -> Seen:
        answer = self.lab.resolve(self.dns_name) if self.dns_name else []
        return {("DNS", self._zones.get(address, address)): IN_DNS for address in answer}

    def states(self, who: str) -> list[str]:
        """Give the states that one of those watched sees now."""
        return [state for (seer, _), state in self.now.items() if seer == who]

    def summary(self) -> str:
        """Say in words how many instances the group and the balancer see in which state."""
        parts = (f"{who}: {balancing.summary(self.states(who)) or 'none'}" for who in ("group", "balancer"))
        return "; ".join(parts)

    def until(self, is_done: Callable[[Watch], bool], *, what: str, timeout_s: float) -> waits.Wait:
        """Look until ``is_done``; raises WaitTimedOut after ``timeout_s`` lab seconds."""
        return waits.until(
            self.lab, self.look, lambda _: is_done(self), what=what, timeout_s=timeout_s, interval_s=LOOK_EVERY_S
        )


def settled(watch: Watch, wanted: int) -> bool:
    """Say whether just ``wanted`` members are there, and group, EC2 and balancer all find them well.

    EC2 is asked too: of one that was just terminated the others have not heard.
    """
    well = {"group": "InService", "EC2": "running", "balancer": "healthy"}
    return all(watch.states(who) == [state] * wanted for who, state in well.items())


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
