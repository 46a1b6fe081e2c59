"""The stage of every experiment that disturbs the service: a client keeps asking, and everybody is watched.

Steps 85 and 86 do something to a running system and ask what happens. Each such experiment is the same play:

* before it, one connection is opened through each zone's address and left open;
* a pulse of clients asks through the balancer's name, from before the act until after all is well again;
* the group, EC2, the balancer and DNS are asked again and again what they say;
* what we do ourselves is filed in the ledger, and stands on the same clock; so does what the group's history and
  the alarms' history tell of it afterwards, dated by the services themselves;
* what CloudWatch counted in those minutes is read once it is published;
* at a moment that the experiment chooses, the connections held open ask their question: did they survive?

A request's times are wall milliseconds, moments are lab time (``client``, ``watch``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mglab.display import column
from mglab.session import Lab
from mglab.steps import balancing, network
from mglab.study import accounts, held
from mglab.study.client import Sample
from mglab.study.counted import Counted, counted, fell_at
from mglab.study.held import HeldOpen, Survival
from mglab.study.load import pulse
from mglab.study.timeline import Event, merge, seconds_between
from mglab.study.watch import Watch, short

US = "us"
MARGIN_S = 30.0
"""How long is watched before the first act and after all is well, so that a figure shows what it compares with."""
FEWER = "CloudWatch's first minute with fewer healthy hosts is over"


@dataclass(frozen=True)
class Felt:
    """What became of the requests that ended in one way, and when, in AWS seconds since the first act."""

    outcome: str = field(metadata=column("Outcome"))
    requests: int = field(metadata=column("Requests", "number"))
    share: float = field(metadata=column("Share (%)", "number"))
    slowest_ms: float = field(metadata=column("Slowest (ms, wall)", "number"))
    first_s: float = field(metadata=column("First (AWS s)", "number"))
    last_s: float = field(metadata=column("Last (AWS s)", "number"))


@dataclass(frozen=True)
class Seen:
    """The first moment at which somebody said something, in AWS seconds since the first act."""

    part: str = field(metadata=column("From the act to"))
    seconds: float | None = field(metadata=column("AWS seconds", "number"))
    source: str = field(metadata=column("Seen in"))


@dataclass(frozen=True)
class Disturbance:
    """Everything that one experiment saw: of the instances ``disturbed``, from before it ``began`` (the first act)
    until after it ``ended`` (all was well again)."""

    name: str
    did: str
    disturbed: tuple[str, ...]
    began: datetime
    ended: datetime
    samples: tuple[Sample, ...]
    events: tuple[Event, ...]
    survivals: tuple[Survival, ...]
    counted: tuple[Counted, ...] = ()
    """CloudWatch's points of that time."""

    @property
    def felt(self) -> list[Felt]:
        """Count outcomes: answers by responder, failures by kind."""
        return felt(self.samples, self.began)

    def newcomer_answers(self, part: str) -> Seen:
        """Say when somebody first answered who had not answered before; unknown if nobody had.

        Where a replacement was launched, nobody who answered before its launch is a newcomer: an instance may be asked
        for the first time just after the act.
        """
        launched = self.until("", "group", "Pending", but=[short(one) for one in self.disturbed]).seconds
        since = self.began + timedelta(seconds=launched or 0.0)
        known = {sample.responder for sample in self.samples if sample.answered and sample.at < since}
        for sample in self.samples:
            if known and sample.answered and sample.responder not in known:
                return Seen(part, seconds_between(self.began, sample.at), f"client: answered by {sample.responder}")
        return Seen(part, None, "not seen")

    def counted_fewer(self, part: str) -> Seen:
        """Say when CloudWatch's first minute with fewer healthy hosts in a zone was over."""
        at = fell_at(self.counted, self.began)
        if at is None:
            return Seen(part, None, "not seen")
        return Seen(part, seconds_between(self.began, at), "CloudWatch: HealthyHostCount")

    @property
    def during(self) -> tuple[Sample, ...]:
        """Give the requests that were asked from the first act until all was well again."""
        return tuple(sample for sample in self.samples if self.began <= sample.at <= self.ended)

    @property
    def failed(self) -> tuple[Sample, ...]:
        """Give those of them that nobody answered."""
        return tuple(sample for sample in self.during if sample.failure)

    def until(self, part: str, who: str, *states: str, of: Collection[str] = (), but: Collection[str] = ()) -> Seen:
        """Say when ``who`` first said one of ``states``, of one ``of`` these subjects (none: any) ``but`` those."""
        for event in self.events:
            subject, _, state = event.what.partition(": ")
            meant = (not of or subject in of) and subject not in but
            if event.at > self.began and event.lane == who and state in states and meant:
                return Seen(part, seconds_between(self.began, event.at), f"{who}: {event.what}")
        return Seen(part, None, "not seen")


@dataclass
class Scene:
    """An experiment while it goes on: what it may do, and how it waits."""

    lab: Lab
    watch: Watch
    connections: Sequence[HeldOpen]
    acts: list[Event] = field(default_factory=list)
    notes: list[Event] = field(default_factory=list)
    survivals: list[Survival] = field(default_factory=list)

    def act(self, what: str, do: Callable[[], object]) -> None:
        """Do something, dated by the moment before it."""
        self.acts.append(Event(self.lab.clock.now(), US, what))
        do()

    def note(self, who: str, what: str) -> None:
        """Add something that was seen now, outside the watch."""
        self.notes.append(Event(self.lab.clock.now(), who, what))

    def until(self, is_done: Callable[[Watch], bool], *, what: str, timeout_s: float) -> None:
        """Watch until ``is_done``; raises WaitTimedOut after ``timeout_s`` lab seconds."""
        self.watch.until(is_done, what=what, timeout_s=timeout_s)

    def keep_watching(self, lab_seconds: float, *, what: str) -> None:
        """Watch for a stretch of lab time in which nothing has to change."""
        end = self.lab.clock.time() + lab_seconds
        self.watch.until(lambda _: self.lab.clock.time() >= end, what=what, timeout_s=2 * lab_seconds)

    def ask_held(self) -> None:
        """Let the connections that were opened before the first act ask their question now."""
        self.survivals = [connection.ask() for connection in self.connections]


Play = Callable[[Scene], None]


def disturb(lab: Lab, name: str, did: str, disturbed: Sequence[str], play: Play, *, step: str = "85") -> Disturbance:
    """Stage ``play`` under a pulse and watch it; give everything that was seen.

    ``did`` says in words what is done to ``disturbed`` (instance ids); begin and end are filed in the ledger.
    """
    dns_name = balancing.load_balancer(lab).dns_name
    watch = Watch(lab, doors=[subnet.zone for subnet in network.subnets(lab)], dns_name=dns_name)
    watch.look()
    with ExitStack() as stack:
        connections = [stack.enter_context(held.opened(lab, *door)) for door in _doors(lab, watch.doors, dns_name)]
        asked = stack.enter_context(pulse(lab, dns_name))
        stack.enter_context(filed(lab, step, name, did))
        scene = Scene(lab, watch, connections)
        scene.keep_watching(MARGIN_S, what=f"all is well before: {did}")
        play(scene)
        well_at = lab.clock.now()
        scene.keep_watching(MARGIN_S, what=f"all is well after: {did}")
    began, over_at = scene.acts[0].at, lab.clock.now()
    return Disturbance(
        name=name,
        did=did,
        disturbed=tuple(disturbed),
        began=began,
        ended=well_at,
        samples=asked.samples,
        events=tuple(merge(watch.events, scene.acts, scene.notes, accounts.since(lab, began))),
        survivals=tuple(scene.survivals),
        counted=counted(lab, began - timedelta(seconds=MARGIN_S), over_at),
    )


def outcome_of(sample: Sample) -> str:
    """Say in words how a request ended."""
    return sample.failure or f"answered by {sample.responder}"


@contextmanager
def filed(lab: Lab, step: str, name: str, did: str) -> Iterator[None]:
    """File an experiment's begin and end in the ledger, so that it can be found again on any axis of time.

    One that broke off is not ended: what it may have left is made good before the next (``ready``).
    """
    lab.ledger.note(step, "experiment", key=name, phase="begin", did=did)
    try:
        yield
    except BaseException:
        lab.ledger.note(step, "experiment", key=name, phase="broken off", did=did)
        raise
    lab.ledger.note(step, "experiment", key=name, phase="end", did=did)


def _doors(lab: Lab, zones: Sequence[str], dns_name: str) -> list[tuple[str, str]]:
    """Give each zone with its node's address, where the zone's own name resolves."""
    return [(zone, addresses[0]) for zone in zones if (addresses := lab.resolve(f"{zone}.{dns_name}"))]


def felt(samples: Sequence[Sample], began: datetime) -> list[Felt]:
    """Count what became of requests: answers by responder, failures by kind, the most frequent first."""
    outcomes: dict[str, list[Sample]] = {}
    for sample in samples:
        outcomes.setdefault(outcome_of(sample), []).append(sample)
    found = [_felt(outcome, mine, len(samples), began) for outcome, mine in outcomes.items()]
    return sorted(found, key=lambda one: -one.requests)


def _felt(outcome: str, mine: Sequence[Sample], of_all: int, began: datetime) -> Felt:
    return Felt(
        outcome=outcome,
        requests=len(mine),
        share=round(100 * len(mine) / of_all, 1),
        slowest_ms=max(sample.total_ms for sample in mine),
        first_s=seconds_between(began, mine[0].at),
        last_s=seconds_between(began, mine[-1].at),
    )
