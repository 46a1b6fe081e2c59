"""Steps 73 and 86, scale under load: real requests until the group grows by itself, none until it shrinks again.

Target tracking (step 73) promises to hold the average CPU at its target. Here a client outside offers a steady load
through the balancer's name and waits: until the high alarm has fired and one more instance has answered; then the load
goes off, until the low alarm has brought the group back. A second client, a light pulse, runs through all of it and
feels what a user would. Should the average of a whole five-minute window stay below the target, the load is raised by
half, up to ``MOST_REQUESTS_PER_S``: how much a server can bear is not ours to know. If the alarm does not fire in its
time either (a real t2.micro answers thousands of requests a second), the result says so and the load goes off.

What is shown is read from the API afterwards: CPU and flows, the group's sizes, the alarms' thresholds and history,
the group's activities. Our own clocks tell only what the API cannot: when the load was put on and taken off, and when
the newcomer first answered. Paces are requests a *wall* second; a lab minute at rate 60 is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from mglab import waits
from mglab.display import column
from mglab.errors import CheckFailed, WaitTimedOut
from mglab.session import Lab
from mglab.steps import balancing, monitoring, scaling
from mglab.study.client import Sample
from mglab.study.disturbance import filed
from mglab.study.load import ANSWERED, AT_ONCE, AT_ONCE_FAR, Offered, offered, pulse
from mglab.study.ready import staged
from mglab.study.timeline import Event, merge, seconds_between
from mglab.study.watch import Watch, settled, short

if TYPE_CHECKING:
    import pandas

REQUESTS_PER_S = 400.0
"""Twice what two instances of the local cloud bear at the target, on the host that their share was measured on."""
MOST_REQUESTS_PER_S = 1500.0
RAISED_BY = 1.5
LOOK_EVERY_S = 15.0
FIRED_TIMEOUT_S = 3000.0
ANSWERED_TIMEOUT_S = 1200.0
BACK_TIMEOUT_S = 3600.0
PUBLISHED_TIMEOUT_S = 900.0
BEFORE = timedelta(minutes=12)
"""How much quiet is shown before the load: two windows of five minutes."""
SIDES = {"AlarmHigh": "high", "AlarmLow": "low"}

Points = tuple[tuple[datetime, float], ...]


@dataclass(frozen=True)
class Minute:
    """What became of the load's requests in one lab minute."""

    at: datetime = field(metadata=column("Minute", "time"))
    outcome: str = field(metadata=column("Outcome"))
    requests: int = field(metadata=column("Requests", "number"))


@dataclass(frozen=True)
class TrackingAlarm:
    """One of the policy's two alarms, and the states it was in."""

    side: str
    name: str
    threshold: float
    changes: tuple[monitoring.AlarmChange, ...]
    state: str
    """The state after all of them."""


@dataclass(frozen=True)
class Feeling:
    """What became of one client's requests in one phase."""

    phase: str = field(metadata=column("Phase"))
    requests: int = field(metadata=column("Requests", "number"))
    failed: int = field(metadata=column("Not answered", "number"))
    median_ms: float | None = field(metadata=column("Median (ms, wall)", "number"))
    slowest_ms: float | None = field(metadata=column("Slowest (ms, wall)", "number"))
    responders: int | None = field(metadata=column("Responders", "number"))


@dataclass(frozen=True)
class Told:
    """What the API told afterwards of the time from before the load to the end."""

    cpu: Points
    new_flows: Points
    desired: Points
    in_service: Points
    alarms: tuple[TrackingAlarm, ...]
    activities: tuple[scaling.Activity, ...]
    """The group's, since the load began; oldest first."""


@dataclass(frozen=True)
class Surge:
    """Everything one surge saw."""

    steps: tuple[tuple[datetime, float], ...]
    """When the load was put on or raised, and to how many requests a second."""
    load_off: datetime
    ended: datetime
    newcomer: str
    """Short name of the instance that came; empty when none did."""
    answered_at: datetime | None
    is_back: bool
    """The group was at its old size again when we stopped looking."""
    minutes: tuple[Minute, ...]
    samples: tuple[Sample, ...]
    told: Told

    @property
    def began(self) -> datetime:
        """Give when the load was put on."""
        return self.steps[0][0]

    @property
    def fired_at(self) -> datetime | None:
        """Give when the high alarm went to ALARM under the load."""
        return self._alarmed("high", self.began, self.load_off)

    @property
    def calmed_at(self) -> datetime | None:
        """Give when the low alarm went to ALARM after it."""
        return self._alarmed("low", self.load_off, self.ended)

    def _alarmed(self, side: str, since: datetime, until: datetime) -> datetime | None:
        found = (change for alarm in self.told.alarms if alarm.side == side for change in alarm.changes)
        return next((it.at for it in found if it.new == "ALARM" and since <= it.at <= until), None)

    @property
    def says(self) -> str:
        """Say in words how it went, from what was seen."""
        if self.fired_at is None:
            highest = max((value for at, value in self.told.cpu if self.began <= at), default=None)
            reached = "no average CPU was published" if highest is None else f"the average CPU reached {highest:.0f} %"
            pace = f"{self.steps[-1][1]:.0f} requests/s offered"
            return f"The high alarm did not fire in {self._after(self.began, self.load_off)}: {pace}, and {reached}."
        parts = [f"The high alarm fired {self._after(self.began, self.fired_at)} after the load came on"]
        if self.answered_at:
            parts.append(f"{self.newcomer} answered {self._after(self.fired_at, self.answered_at)} later")
        back = f"{self._after(self.load_off, self.ended)} after the load went off"
        parts.append(f"the group was {'back at its old size' if self.is_back else 'still not back'} {back}")
        return "; ".join(parts) + "."

    @staticmethod
    def _after(earlier: datetime, later: datetime) -> str:
        return waits.duration(seconds_between(earlier, later))

    @property
    def story(self) -> list[Event]:
        """Put what we did, what the alarms said and what the group did in order of time."""
        return merge(self._ours(), self._said(), self._done())

    def _ours(self) -> list[Event]:
        (began, pace), *raised = self.steps
        ours = [Event(began, "us", f"load on: {pace:.0f} requests/s through the balancer")]
        ours += [Event(at, "us", f"load raised to {pace:.0f} requests/s") for at, pace in raised]
        ours.append(Event(self.load_off, "us", "load off"))
        if self.answered_at:
            ours.append(Event(self.answered_at, "client", f"{self.newcomer}: first answer through the balancer"))
        return ours

    def _said(self) -> list[Event]:
        changes = [change for alarm in self.told.alarms for change in alarm.changes if change.at >= self.began]
        return [Event(it.at, "CloudWatch", f"{it.alarm}: {it.old} to {it.new}") for it in changes]

    def _done(self) -> list[Event]:
        begun = [Event(it.started, "group", it.description) for it in self.told.activities]
        ends = [(it.ended, f"{it.status}: {it.description}") for it in self.told.activities]
        return begun + [Event(at, "group", what) for at, what in ends if at]

    @property
    def felt(self) -> list[Feeling]:
        """Summarise what a user met under the load and after it, and what became of the load itself."""
        under = [it for it in self.samples if it.at < self.load_off]
        asked = sum(it.requests for it in self.minutes)
        failed = sum(it.requests for it in self.minutes if it.outcome != ANSWERED)
        return [
            _feeling("a user, under the load", under),
            _feeling("a user, after it", self.samples[len(under) :]),
            Feeling("the load itself", asked, failed, None, None, None),
        ]


def surge(lab: Lab, *, requests_per_s: float = REQUESTS_PER_S, again: bool = False) -> Surge:
    """Offer a load until the group has grown and none until it has shrunk; done once a run (steps 73, 86).

    Raises CheckFailed when no target tracking policy is there.
    """
    return staged(lab, "surge", Surge, lambda: _surge(lab, requests_per_s), again=again)


def _surge(lab: Lab, requests_per_s: float) -> Surge:
    host, size = balancing.load_balancer(lab).dns_name, scaling.group(lab).desired
    known = {member.instance_id for member in scaling.instances(lab)}
    high, did = _high(lab), f"a load of {requests_per_s:.0f} requests/s begins"
    with filed(lab, "86", "surge", did), _room_to_grow(lab), pulse(lab, host) as feeling:
        with offered(lab, host, requests_per_s, at_once=AT_ONCE if lab.backend == "local" else AT_ONCE_FAR) as load:
            steps = [(lab.clock.now(), requests_per_s)]
            newcomer = _grown(lab, load, steps, high, known)
        load_off = lab.clock.now()
        lab.ledger.note("86", "experiment", key="surge", phase="load-off", did="the load is taken off")
        watch = Watch(lab)
        is_back = _came(lambda: watch.until(
            lambda seen: settled(seen, size), what="the group shrinks", timeout_s=BACK_TIMEOUT_S
        ))  # fmt: skip
        ended = lab.clock.now()
    return Surge(
        steps=tuple(steps),
        load_off=load_off,
        ended=ended,
        newcomer=short(newcomer.instance_id) if newcomer else "",
        answered_at=load.first_answers.get(newcomer.private_address) if newcomer else None,
        is_back=is_back,
        minutes=tuple(Minute(at, what, count) for (at, what), count in sorted(load.outcomes.items())),
        samples=feeling.samples,
        told=_told(lab, steps[0][0], ended),
    )


@contextmanager
def _room_to_grow(lab: Lab) -> Iterator[None]:
    """Raise the maximum by one for as long as the block lasts, if the group is at it (step 86)."""
    before = scaling.group(lab)
    if before.maximum > before.desired:
        yield
        return
    with scaling.other_limits(lab, maximum=before.maximum + 1):
        yield


def _came(wait: Callable[[], object]) -> bool:
    """Wait; say whether it came in its time. A surge that is not answered is a result, not a failure."""
    try:
        wait()
    except WaitTimedOut:
        return False
    return True


# -- under the load ------------------------------------------------------------------------------------------


def _grown(
    lab: Lab, load: Offered, steps: list[tuple[datetime, float]], high: monitoring.Alarm, known: set[str]
) -> scaling.Member | None:
    """Wait for the alarm, then for a newcomer's first answer; give the newcomer."""

    def look() -> str:
        _press(lab, load, steps, high.threshold)
        return _high(lab).state

    def wait(look: Callable[[], str], is_done: Callable[[str], bool], what: str, timeout_s: float) -> bool:
        return _came(lambda: waits.until(
            lab, look, is_done, what=what, timeout_s=timeout_s, interval_s=LOOK_EVERY_S
        ))  # fmt: skip

    if not wait(look, lambda state: state == "ALARM", "the high alarm", FIRED_TIMEOUT_S):
        return None
    if not wait(
        lambda: f"{len(scaling.instances(lab))} instances, {len(load.first_answers)} of them have answered",
        lambda _: _answering(lab, load, known) is not None, "one more instance answers", ANSWERED_TIMEOUT_S,
    ):  # fmt: skip
        return None
    scaling.file_members(lab)
    return _answering(lab, load, known)


def _press(lab: Lab, load: Offered, steps: list[tuple[datetime, float]], threshold: float) -> None:
    """Raise the load when a whole window at the present pace was not enough."""
    at, pace = steps[-1]
    whole = [value for began, value in _cpu(lab, at) if began >= at]
    if whole and whole[-1] <= threshold and pace < MOST_REQUESTS_PER_S:
        load.requests_per_s = min(MOST_REQUESTS_PER_S, pace * RAISED_BY)
        steps.append((lab.clock.now(), load.requests_per_s))


def _high(lab: Lab) -> monitoring.Alarm:
    found = [alarm for alarm in monitoring.alarms(lab) if SIDES[monitoring.side_of(alarm.name)] == "high"]
    if not found:
        words = f"group {lab.config.group_name} has no target tracking policy, so nothing would scale"
        raise CheckFailed(words, hint=f"run step 73 of notebook {scaling.NOTEBOOK} first")
    return found[0]


def _answering(lab: Lab, load: Offered, known: set[str]) -> scaling.Member | None:
    members = (member for member in scaling.instances(lab) if member.instance_id not in known)
    return next((member for member in members if member.private_address in load.first_answers), None)


# -- what the API tells of it --------------------------------------------------------------------------------


def _told(lab: Lab, began: datetime, ended: datetime) -> Told:
    """Wait until the end is published too, and read all that is shown from the API."""
    since = began - BEFORE
    _came(lambda: waits.until(
        lab, lambda: _last(monitoring.group_metrics(lab, since), "In service"),
        lambda last: last is not None and last >= ended - timedelta(minutes=1),
        what="datapoints up to the end", timeout_s=PUBLISHED_TIMEOUT_S, interval_s=LOOK_EVERY_S,
    ))  # fmt: skip
    group = monitoring.group_metrics(lab, since)
    balancer = monitoring.read(lab, monitoring.load_balancer_tab(lab), since)
    done = [activity for activity in scaling.activities(lab) if activity.started >= began]
    return Told(
        cpu=monitoring.points(group, "CPU (%)"),
        new_flows=monitoring.points(balancer, "New flows"),
        desired=monitoring.points(group, "Desired"),
        in_service=monitoring.points(group, "In service"),
        alarms=_alarms(lab),
        activities=tuple(sorted(done, key=lambda activity: activity.started)),
    )


def _alarms(lab: Lab) -> tuple[TrackingAlarm, ...]:
    history = monitoring.alarm_history(lab)
    return tuple(
        TrackingAlarm(
            SIDES[monitoring.side_of(it.name)], it.name, it.threshold,
            tuple(one for one in history if one.alarm == it.name), it.state,
        )
        for it in monitoring.alarms(lab)
    )  # fmt: skip


def _cpu(lab: Lab, since: datetime) -> Points:
    lines = [line for line in monitoring.group_lines(lab.config.group_name) if line.name == "CPUUtilization"]
    return monitoring.points(monitoring.read(lab, lines, since), lines[0].label)


def _last(frame: pandas.DataFrame, label: str) -> datetime | None:
    return max((at for at, _ in monitoring.points(frame, label)), default=None)


def _feeling(phase: str, samples: Sequence[Sample]) -> Feeling:
    times = [it.total_ms for it in samples if it.answered]
    failed, who = len(samples) - len(times), {it.responder for it in samples if it.responder}
    middle = round(median(times), 1) if times else None
    return Feeling(phase, len(samples), failed, middle, max(times, default=None), len(who))
