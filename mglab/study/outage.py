"""Step 85 and question 2, a first honest experiment: instances are terminated while a client keeps asking.

The client is a pulse through the balancer's name. Meanwhile the group, EC2 and the balancer are watched.
All of it is put on one clock: what the client felt above, what happened below, and how long each part took.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mglab.display import column
from mglab.session import Lab
from mglab.steps import balancing, scaling
from mglab.study.client import Sample
from mglab.study.kept import once
from mglab.study.load import pulse
from mglab.study.ready import make_ready
from mglab.study.timeline import Event, merge, seconds_between
from mglab.study.watch import Watch, short

HEALED_TIMEOUT_S = 2400.0
US = "us"
LET_GO = (": draining", ": unused", ": no longer")


@dataclass(frozen=True)
class Felt:
    """What became of the requests that were asked in one way."""

    outcome: str = field(metadata=column("Outcome"))
    requests: int = field(metadata=column("Requests", "number"))
    share: float = field(metadata=column("Share (%)", "number"))
    slowest_ms: float = field(metadata=column("Slowest (ms, wall)", "number"))


@dataclass(frozen=True)
class Duration:
    """How long one part took, in AWS seconds since the termination."""

    part: str = field(metadata=column("From the termination to"))
    seconds: float | None = field(metadata=column("AWS seconds", "number"))
    source: str = field(metadata=column("Seen in"))


@dataclass(frozen=True)
class Outage:
    """Everything one termination experiment saw."""

    terminated: tuple[str, ...]
    began: datetime
    samples: tuple[Sample, ...]
    events: tuple[Event, ...]

    @property
    def felt(self) -> list[Felt]:
        """Count outcomes: answers by responder, failures by kind."""
        outcomes = Counter(f"answered by {s.responder}" if s.answered else s.failure for s in self.samples)
        return [_felt(outcome, self.samples) for outcome, _ in outcomes.most_common()]

    @property
    def durations(self) -> list[Duration]:
        """Measure each part from the moment of termination."""
        return [
            self._until("EC2 calls the instance terminated", "EC2", ": terminated", self._mine),
            self._until("the group takes note", "group", ": Terminating", self._mine),
            self._until("the balancer stops sending to it", "balancer", LET_GO, self._mine),
            self._until("a replacement is launched", "group", ": Pending", self._other),
            self._until("the replacement is in service", "group", ": InService", self._other),
            self._until("the balancer begins to check it", "balancer", ": initial", self._other),
            self._until("the balancer calls it healthy", "balancer", ": healthy", self._other),
        ]  # fmt: skip

    def _mine(self, what: str) -> bool:
        return what.split(":")[0] in {short(one) for one in self.terminated}

    def _other(self, what: str) -> bool:
        return not self._mine(what)

    def _until(self, part: str, who: str, words: str | tuple[str, ...], about: Callable[[str], bool]) -> Duration:
        wanted = (words,) if isinstance(words, str) else words
        for event in self.events:
            if (
                event.at > self.began
                and event.lane == who
                and about(event.what)
                and any(w in event.what for w in wanted)
            ):
                return Duration(part, seconds_between(self.began, event.at), f"{who}: {event.what}")
        return Duration(part, None, "not seen")


def terminate_and_watch(lab: Lab, count: int, *, again: bool = False) -> Outage:
    """Terminate ``count`` instances under a client's pulse and watch until the group is whole; done once a run."""
    return once(lab, f"terminate-{count}", Outage, lambda: _terminate(lab, count), again=again)


def _terminate(lab: Lab, count: int) -> Outage:
    watch, wanted = Watch(lab), make_ready(lab).desired
    watch.look()
    before = [Event(event.at, event.lane, event.what) for event in watch.events]
    victims = tuple(member.instance_id for member in scaling.instances(lab)[:count])
    with pulse(lab, balancing.load_balancer(lab).dns_name) as asked:
        began = lab.clock.now()
        for instance_id in victims:
            scaling.terminate_instance(lab, instance_id)
        watch.until(lambda seen: _healed(seen, wanted, victims), what="the group heals", timeout_s=HEALED_TIMEOUT_S)
    scaling.file_members(lab)
    ours = [Event(began, US, f"{short(one)}: terminated by us") for one in victims]
    return Outage(victims, began, tuple(asked.samples), tuple(merge(before, ours, watch.events[len(before) :])))


def _healed(watch: Watch, wanted: int, victims: Sequence[str]) -> bool:
    """Say whether the lost instances are gone from the group and enough others are in service and healthy."""
    gone = {short(one) for one in victims}
    left = any(instance in gone for who, instance in watch.now if who in ("group", "balancer"))
    return (
        not left
        and watch.states("group").count("InService") == wanted
        and watch.states("balancer").count("healthy") >= wanted
    )


def _felt(outcome: str, samples: Sequence[Sample]) -> Felt:
    mine = [s for s in samples if (f"answered by {s.responder}" if s.answered else s.failure) == outcome]
    return Felt(outcome, len(mine), round(100 * len(mine) / len(samples), 1), max(s.total_ms for s in mine))
