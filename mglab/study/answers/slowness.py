"""Question 3, a model answer: where the time goes between raising the minimum and the first answer.

Stages are told apart by their names' words, so that finer ones fit in as they come; a stage that no rule is known for
is still measured, and nothing is said about its cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mglab.display import text_of
from mglab.study.answers.words import Measured, durations_rest_on, listed, paragraph, seconds, written
from mglab.study.growth import Growth


@dataclass(frozen=True)
class Cause:
    """Why a stage takes time as AWS documents it, and what would shorten it."""

    stems: tuple[str, ...]
    why: str
    shorter: str


class Attempt(Protocol):
    """Something that was tried, and what it came to."""

    @property
    def attempt(self) -> str: ...
    @property
    def statement(self) -> str: ...


@dataclass(frozen=True)
class Part:
    """One stretch of the way that the first answer waited for."""

    name: str
    seconds: float
    kind: str
    """``measured`` or ``modelled``."""


def parts(growth: Growth) -> list[Part]:
    """Give the way from the request to the first answer, stretch by stretch: here alone a growth's shape is known."""
    return [Part(it.band, it.seconds, it.kind.split(" ")[0]) for it in growth.bands if it.holds_up]


VERDICT = Cause(
    ("regist", "check", "probe", "health"),
    "a new target is sent nothing until its registration is complete and its first health checks have passed, "
    "one interval apart, however long its server has been up",
    "a shorter interval between health checks, for the part that is checks; nothing that a user can set, for the "
    "part that is registration",
)
REACHING, BOOTING, PENDING, DECIDING = (
    Cause(
        ("first answer", "client", "through the balancer"),
        "once it is healthy a target has its full share at once, but which request is the first to reach it is up to "
        "the zone that the client chose and to the flow hash, and a zone that had no healthy target has to come into "
        "DNS first",
        "nothing in the group: it is the clients' and DNS's part",
    ),
    Cause(
        ("boot", "service"),
        "an instance starts its operating system and runs its user data before its servers listen",
        "an image in which everything is installed already, so that first boot has little left to do",
    ),
    Cause(
        ("pending",),
        "an instance is prepared in the state “pending” before it is called running and begins to boot",
        "instances that wait ready-made: a warm pool",
    ),
    Cause(
        ("deci", "launch", "request"),
        "a change of its sizes is acted on by the group itself, which then asks EC2 to launch: the call that asks for "
        "it does not wait for that",
        "asking for the capacity before it is needed: scheduled or predictive scaling",
    ),
)
CAUSES = (REACHING, VERDICT, BOOTING, PENDING, DECIDING)
"""The first whose stem stands in a stage's name is its cause."""


def measured_3(growth: Growth) -> list[Measured]:
    """List the whole, each kind's part, the longest stage and what clients felt, to stand beside the prediction."""
    stages = parts(growth)
    if not stages:
        return []
    longest = max(stages, key=lambda it: it.seconds)
    kinds = [Measured(f"of it {kind}", seconds(_total(stages, kind))) for kind in _kinds(stages)]
    return [
        Measured("from the request to the first answer", seconds(_total(stages))),
        *kinds,
        Measured(f"the longest stage: {longest.name}", seconds(longest.seconds)),
        Measured("its share of the whole", f"{text_of(_share(longest, stages))} %"),
        Measured("requests that failed meanwhile", "{} of {}".format(*_failed_of(growth))),
    ]


def question_3(growth: Growth, tried: Sequence[Attempt] = (), *, backend: str) -> list[str]:
    """Answer "why is it so slow?" from the stages of one growth, and from what was ``tried`` to make it faster."""
    stages = parts(growth)
    if not stages:
        return ["Why it is slow was not measured: no stage between the request and the first answer was seen."]
    ordered = sorted(stages, key=lambda it: -it.seconds)
    return written(
        [
            *(_whole(ordered), *map(_why, ordered[:2]), _shorter(ordered[0])),
            *(paragraph(f"Tried: {one.attempt[0].lower()}{one.attempt[1:]}", one.statement) for one in tried),
            *(_clients(growth), _kinds_told(stages, backend)),
        ]
    )


def _whole(ordered: Sequence[Part]) -> str:
    longest = ordered[0]
    return paragraph(
        f"From the request to the newcomer's first answer through the balancer {seconds(_total(ordered))} passed",
        f"the stages, the longest first: {listed([f'{it.name} {seconds(it.seconds)}' for it in ordered])}",
        f"The longest alone is {text_of(_share(longest, ordered))} % of the whole, so it is not one slow machine: the "
        "time is mostly one party waiting for another's verdict"
        if _waits(longest)
        else f"The longest alone is {text_of(_share(longest, ordered))} % of the whole",
    )


def _waits(stage: Part) -> bool:
    """Say whether a stage is waiting for the balancer's verdict rather than a machine at work."""
    return _cause(stage.name) is VERDICT


def _why(stage: Part) -> str:
    cause = _cause(stage.name)
    return paragraph(f"Why “{stage.name}” takes time: AWS documents that {cause.why}") if cause else ""


def _shorter(longest: Part) -> str:
    cause = _cause(longest.name)
    return paragraph(f"What would shorten the longest stage: {cause.shorter}") if cause else ""


def _cause(stage: str) -> Cause | None:
    return next((cause for cause in CAUSES if any(stem in stage.lower() for stem in cause.stems)), None)


def _clients(growth: Growth) -> str:
    failed, asked = _failed_of(growth)
    if not asked:
        return paragraph("What clients felt meanwhile was not measured")
    if failed:
        return paragraph(f"{failed} of {asked} requests failed meanwhile: growing was not free in this run")
    return paragraph(
        f"None of the {asked} requests that ran through it failed: slow as it is, growing cost the clients nothing, "
        "because the newcomer is sent nothing before it is healthy"
    )


def _failed_of(growth: Growth) -> tuple[int, int]:
    return sum(bool(it.failure) for it in growth.samples), len(growth.samples)


def _kinds_told(stages: Sequence[Part], backend: str) -> str:
    told = listed([f"{seconds(_total(stages, kind))} {kind}" for kind in _kinds(stages)])
    if "modelled" not in _kinds(stages):
        return paragraph(f"All of it is measured ({told})", durations_rest_on(backend))
    return paragraph(
        f"Of the whole, {told}: a modelled stage is one in which the local cloud waits because AWS is known to wait; "
        "which stage is the longest therefore follows from the model here, and has to be measured on AWS"
    )


def _kinds(stages: Sequence[Part]) -> list[str]:
    return list(dict.fromkeys(it.kind for it in stages))


def _total(stages: Sequence[Part], kind: str = "") -> float:
    return round(sum(it.seconds for it in stages if kind in ("", it.kind)), 1)


def _share(stage: Part, stages: Sequence[Part]) -> float:
    whole = _total(stages)
    return round(100 * stage.seconds / whole, 1) if whole else 0.0
