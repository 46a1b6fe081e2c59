"""Which durations an experiment has, by its name: an outage, a withdrawal, a silence and a surge go different ways.

Each is given as the other studies give theirs: a part in words, the AWS seconds it took, None where it was not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from mglab.study import outage, silence, withdrawal
from mglab.study.disturbance import US, Disturbance, Seen
from mglab.study.surge import Surge
from mglab.study.timeline import seconds_between


def of_disturbance(seen: Disturbance) -> list[Seen]:
    """Give a disturbance's parts; none for one of a name that is not known."""
    known: dict[str, Callable[[Disturbance], list[Seen]]] = {
        "deregister": withdrawal.durations,
        "stop-service": _of_silence,
        "closed-health-port": _of_closed_port,
    }
    if seen.name.startswith("terminate-"):
        return outage.durations(seen)
    return known[seen.name](seen) if seen.name in known else []


def of_surge(seen: Surge) -> list[Seen]:
    """Give the way up, from the load to the newcomer's answer, and the way back, from its end to the old size."""
    back = seen.ended if seen.is_back else None
    return [
        _between("load on to the high alarm", seen.began, seen.fired_at, "the alarm's history"),
        _between("high alarm to the newcomer's first answer", seen.fired_at, seen.answered_at, "client"),
        _between("load off to the low alarm", seen.load_off, seen.calmed_at, "the alarm's history"),
        _between("low alarm to the group at its old size", seen.calmed_at, back, "group and balancer"),
    ]


def _of_silence(seen: Disturbance) -> list[Seen]:
    """Give how long each phase lasted, and the only verdict there is: the balancer's, once its check is silent."""
    phases = [Seen(f"{it.phase}, until what came next", it.seconds, "our acts") for it in silence.phases(seen)]
    silent, verdict = _first(seen, US, "health check stopped"), _first(seen, "balancer", "unhealthy")
    return [*phases, _between("health check stopped to the verdict unhealthy", silent, verdict, "balancer")]


def _of_closed_port(seen: Disturbance) -> list[Seen]:
    """Give how soon the closed port was held against a target, and how soon all was well once it was open again."""
    acts = [event.at for event in seen.events if event.lane == US]
    opened = acts[-1] if len(acts) > 1 else None
    return [
        seen.until("port closed to the first target unhealthy", "balancer", "unhealthy"),
        _between("port opened to every target healthy", opened, seen.ended, "balancer"),
    ]


def _first(seen: Disturbance, who: str, state: str) -> datetime | None:
    """Say when ``who`` first said ``state`` of anything from the first act on."""
    told = (event for event in seen.events if event.lane == who and event.at >= seen.began)
    return next((event.at for event in told if event.what.partition(": ")[2] == state), None)


def _between(part: str, earlier: datetime | None, later: datetime | None, source: str) -> Seen:
    if earlier is None or later is None:
        return Seen(part, None, "not seen")
    return Seen(part, seconds_between(earlier, later), source)
