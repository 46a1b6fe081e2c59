"""Step 86 and question 3, a first honest experiment: raise the minimum, and see where the time goes.

From the request to the first answer the new instance passes through stages that three services can be
asked about. Their lengths are what the watch saw, in AWS seconds. Where the local cloud waits only because
AWS is known to wait, the stage is called modelled and names its row of the facts it rests on; on AWS every
stage is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mglab.display import column
from mglab.session import Lab
from mglab.steps import balancing, scaling
from mglab.study.client import Sample, answers
from mglab.study.disturbance import US, Felt, Scene, disturb, felt
from mglab.study.ready import make_ready, staged
from mglab.study.timeline import Event, seconds_between
from mglab.study.watch import Watch, short

GROWN_TIMEOUT_S = 1800.0
LARGER = 3
"""The minimum that step 86 raises to; the sheet's maximum (step 72)."""
RAISED = f"minimum raised to {LARGER}"
CLIENT, DIRECT, BALANCED = "client", "answers at its own address", "answers through the balancer"

MODELLED = {
    "decide and launch": "modelled (aws-facts 2.4: decision to launch)",
    "pending": "modelled (aws-facts 7: EC2 pending)",
    "boot until the service answers": "modelled (aws-facts 7: boot)",
    "register and pass the first check": "modelled (aws-facts 1.5: registration delay)",
    "first answer through the balancer": "measured",
}


@dataclass(frozen=True)
class Stage:
    """One stretch between the request and the first answer."""

    stage: str = field(metadata=column("Stage"))
    seconds: float = field(metadata=column("AWS seconds", "number"))
    kind: str = field(metadata=column("Measured or modelled"))
    began: datetime = field(metadata=column("From", "time"))
    ended: datetime = field(metadata=column("To", "time"))


@dataclass(frozen=True)
class Growth:
    """Everything one raise of the minimum saw."""

    newcomer: str
    events: tuple[Event, ...]
    stages: tuple[Stage, ...]
    samples: tuple[Sample, ...]
    """The pulse that ran through it."""

    @property
    def felt(self) -> list[Felt]:
        """Count what the clients met meanwhile: growing should cost nobody anything."""
        return felt(self.samples, self.events[0].at)

    @property
    def bands(self) -> list[tuple[str, float, str]]:
        """Give the stages as a waterfall draws them."""
        return [(stage.stage, stage.seconds, stage.kind.split(" ")[0]) for stage in self.stages]


def grow(lab: Lab, *, again: bool = False) -> Growth:
    """Raise the minimum to three and follow the newcomer to its first answer; done once a run (step 86)."""
    return staged(lab, "grow", Growth, lambda: _grow(lab), again=again)


def shrink(lab: Lab) -> scaling.Group:
    """Put the sizes back and wait until the surplus instance has drained and gone."""
    return make_ready(lab)


def _grow(lab: Lab) -> Growth:
    known = {short(member.instance_id) for member in scaling.instances(lab)}

    def play(scene: Scene) -> None:
        scene.act(RAISED, lambda: scaling.set_limits(lab, minimum=LARGER))
        scene.until(lambda seen: bool(_new(seen, known)), what="a new instance", timeout_s=GROWN_TIMEOUT_S)
        _follow(scene, _new(scene.watch, known))

    seen = disturb(lab, "grow", RAISED, [], play, step="86")
    scaling.file_members(lab)
    newcomer = next(event.what.partition(": ")[0] for event in seen.events if event.lane == CLIENT)
    events = tuple(event for event in seen.events if event.at >= seen.began)
    return Growth(newcomer, events, _stages(lab, events, newcomer), seen.samples)


def _follow(scene: Scene, newcomer: str) -> None:
    """Watch the newcomer until it answers at its own address, is healthy, and answers through the balancer."""
    lab = scene.lab
    scene.until(lambda _: _answers_directly(lab, newcomer), what=f"{newcomer} serves", timeout_s=GROWN_TIMEOUT_S)
    scene.note(CLIENT, f"{newcomer}: {DIRECT}")
    scene.until(
        lambda seen: seen.now.get(("balancer", newcomer)) == "healthy", what=f"{newcomer} is healthy",
        timeout_s=GROWN_TIMEOUT_S,
    )  # fmt: skip
    address, dns_name = _member(lab, newcomer).private_address, balancing.load_balancer(lab).dns_name
    scene.until(
        lambda _: answers(lab, dns_name).responder == address, what=f"{newcomer} answers", timeout_s=GROWN_TIMEOUT_S
    )
    scene.note(CLIENT, f"{newcomer}: {BALANCED}")


def _new(watch: Watch, known: set[str]) -> str:
    return next((instance for who, instance in sorted(watch.now) if who == "group" and instance not in known), "")


def _member(lab: Lab, newcomer: str) -> scaling.Member:
    return next(member for member in scaling.instances(lab) if short(member.instance_id) == newcomer)


def _answers_directly(lab: Lab, newcomer: str) -> bool:
    address = _member(lab, newcomer).public_address
    return bool(address) and answers(lab, address).answered


def _stages(lab: Lab, events: Sequence[Event], newcomer: str) -> tuple[Stage, ...]:
    """Cut the time from the request to the first answer where something was seen to change."""
    marks = [
        ("decide and launch", _seen(events, "group", newcomer, "Pending")),
        ("pending", _seen(events, "EC2", newcomer, "running")),
        ("boot until the service answers", _seen(events, CLIENT, newcomer, DIRECT)),
        ("register and pass the first check", _seen(events, "balancer", newcomer, "healthy")),
        ("first answer through the balancer", _seen(events, CLIENT, newcomer, BALANCED)),
    ]
    stages, began = [], next(event.at for event in events if event.lane == US)
    for stage, ended in marks:
        if ended is not None and ended > began:
            kind = MODELLED[stage] if lab.backend == "local" else "measured"
            stages.append(Stage(stage, seconds_between(began, ended), kind, began, ended))
            began = ended
    return tuple(stages)


def _seen(events: Sequence[Event], who: str, newcomer: str, state: str) -> datetime | None:
    return next((e.at for e in events if e.lane == who and e.what == f"{newcomer}: {state}"), None)
