"""When each thing happened to one new instance: moments between bounds, each with the place it was read from.

Nobody writes down everything. A service's own timestamp is best, true to the second it is given in: the group's
activity tells when it took the request and when it started the instance (its Cause), EC2 when it launched it. What
has no timestamp (running, registered, probed, healthy) happened after the last look that did not see it and before
the end of the first that did. The service itself is asked again and again at the instance's own address: silence
means that nothing runs there, a refusal that the system runs and the service does not, an answer is an answer.

Bounds that contradict the order of things are drawn in: an instance cannot answer before it runs. Left out: the
console log, which AWS posts minutes late, and CloudTrail, which many lab accounts may not read. On AWS this machine's
clock is taken to be right; it dates the request and the looks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mglab.steps.scaling import Activity
from mglab.study.client import Sample
from mglab.study.watch import Look

ASKED, ACCEPTED, STARTED, LAUNCHED, RUNNING = "asked", "accepted", "started", "launched", "running"
AWAKE, SERVING = "awake", "serving"
REGISTERED, PROBED, HEALTHY, ANSWERED = "registered", "probed", "healthy", "answered"
ORDERS = (
    (ASKED, ACCEPTED, STARTED, LAUNCHED, RUNNING, AWAKE, SERVING, ANSWERED),
    (ASKED, ACCEPTED, STARTED, LAUNCHED, RUNNING, REGISTERED, PROBED, HEALTHY, ANSWERED),
)
"""What comes before what: the instance's own way, and its way into the balancer's favour."""

_WHOLE = timedelta(seconds=1)
_TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
_REQUESTED = re.compile(rf"At {_TIME} a user request")
_STARTED = re.compile(rf"At {_TIME} an instance was started")


@dataclass(frozen=True)
class Moment:
    """A moment that lies between two, and where it was read."""

    name: str
    since: datetime
    until: datetime
    source: str

    @property
    def at(self) -> datetime:
        """Give the middle: the best single guess."""
        return self.since + (self.until - self.since) / 2

    @property
    def within_s(self) -> float:
        """Say how far the truth may lie from the middle, in AWS seconds."""
        return (self.until - self.since).total_seconds() / 2


def stamped(name: str, at: datetime, source: str) -> Moment:
    """Read a timestamp: one of whole seconds has lost its fraction."""
    whole = at.microsecond == 0
    return Moment(name, at, at + _WHOLE if whole else at, f"{source}, to the second" if whole else source)


def of_activity(activity: Activity) -> list[Moment]:
    """Read when the group took the request and when it started the instance (aws-facts 2.3)."""
    found = ((ACCEPTED, _REQUESTED), (STARTED, _STARTED))
    told = ((name, match[1]) for name, pattern in found if (match := pattern.search(activity.cause)))
    marks = [stamped(name, _parsed(text), "the activity's Cause") for name, text in told]
    return [_no_later(mark, activity.started, "StartTime") if mark.name == STARTED else mark for mark in marks]


def ended_by(marks: Iterable[Moment], activity: Activity) -> list[Moment]:
    """Draw in what the end of the launching activity bounds: by then it runs and is registered (aws-facts 2.2)."""
    ended = activity.ended
    if ended is None:
        return list(marks)
    return [_no_later(mark, ended, "EndTime") if mark.name in (RUNNING, REGISTERED) else mark for mark in marks]


def _no_later(mark: Moment, at: datetime, source: str) -> Moment:
    """Draw a mark in by a timestamp that came after it, if that says more than is known."""
    latest = at if at.microsecond else at + _WHOLE
    return replace(mark, until=latest, source=f"{mark.source}; {source}") if mark.since < latest < mark.until else mark


def of_looks(looks: Sequence[Look], instance: str) -> list[Moment]:
    """Read what had no timestamp from the looks at the services; ``instance`` is the short id."""

    def saw(who: str, *states: str) -> Callable[[Look], bool]:
        return lambda look: look.seen.get((who, instance)) in states

    def listed(look: Look) -> bool:
        return ("balancer", instance) in look.seen

    def probed(look: Look) -> bool:
        waiting = look.seen.get(("checks", instance)) == "Elb.RegistrationInProgress"
        return listed(look) and not waiting and not saw("balancer", "unused")(look)

    wanted = (
        (RUNNING, saw("EC2", "running"), "EC2's state"),
        (REGISTERED, listed, "target health"),
        (PROBED, probed, "target health's reason"),
        (HEALTHY, saw("balancer", "healthy"), "target health"),
    )
    found = (first_seen(name, looks, is_so, source) for name, is_so, source in wanted)
    return [mark for mark in found if mark is not None]


def first_seen(name: str, looks: Sequence[Look], is_so: Callable[[Look], bool], source: str) -> Moment | None:
    """Bound a change by the look before it and the look that saw it; None when no look did."""
    for number, look in enumerate(looks):
        if is_so(look):
            return Moment(name, looks[number - 1].began if number else look.began, look.ended, f"{source}, looked at")
    return None


def of_asking(samples: Sequence[Sample], rate: float) -> list[Moment]:
    """Read the requests to the instance's own address: silence, then refusals, then answers.

    An address may refuse for a moment before anything stands behind it, so only the last silence counts.
    """
    answers = [one for one in samples if one.answered]
    if not answers:
        return []
    answered = min(_ended(one, rate) for one in answers)
    silent = [one for one in samples if one.failure == "timed out" and one.at < answered]
    last = max((one.at for one in silent), default=None)
    spoken = [one for one in samples if one.failure != "timed out" and (last is None or one.at > last)]
    refused = [one for one in spoken if not one.answered]
    return [
        *_turned(AWAKE, silent, spoken, rate, "its own address: silence ended"),
        *_turned(SERVING, refused or silent, answers, rate, "its own address: first answer"),
    ]


def of_answer(samples: Sequence[Sample], address: str, rate: float) -> list[Moment]:
    """Read the first answer of the instance through the balancer, and the last request before that went elsewhere."""
    mine = [one for one in samples if one.responder == address]
    others = [one for one in samples if one.responder != address]
    return _turned(ANSWERED, others, mine, rate, "clients through the balancer")


def _turned(name: str, before: Sequence[Sample], after: Sequence[Sample], rate: float, source: str) -> list[Moment]:
    """Bound the moment at which requests began to end otherwise; without one that ended as before, nothing is known."""
    if not after:
        return []
    until = min(_ended(one, rate) for one in after)
    earlier = [one.at for one in before if one.at < until]
    return [Moment(name, max(earlier), until, source)] if earlier else []


def _ended(sample: Sample, rate: float) -> datetime:
    return sample.at + timedelta(milliseconds=sample.total_ms * rate)


def in_order(marks: Iterable[Moment]) -> dict[str, Moment]:
    """Draw the bounds in so that everything happens in its order."""
    known = {mark.name: mark for mark in marks}
    for order in ORDERS:
        _not_before(known, [name for name in order if name in known])
        _not_after(known, [name for name in reversed(order) if name in known])
    return known


def _not_before(known: dict[str, Moment], order: Sequence[str]) -> None:
    for earlier, later in zip(order, order[1:], strict=False):
        since = max(known[later].since, known[earlier].since)
        known[later] = replace(known[later], since=since, until=max(known[later].until, since))


def _not_after(known: dict[str, Moment], order: Sequence[str]) -> None:
    for later, earlier in zip(order, order[1:], strict=False):
        until = min(known[earlier].until, known[later].until)
        known[earlier] = replace(known[earlier], until=until, since=min(known[earlier].since, until))


def _parsed(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


Moments = Mapping[str, Moment]
