"""Question 3's waterfall: the stretches between the request and the first answer, and which of them held things up.

A launch goes two ways at once. The instance boots and starts its service; the balancer learns of it and begins to
probe. The later of the two lets it become healthy, and only then do clients get answers. So a band is long without
mattering when the other way takes longer: ``holds_up`` marks those that the first answer really waited for. Their
lengths add up to the whole.

On AWS every band is measured. On the local cloud some stretches pass only because AWS is known to take them: those
are modelled and name their row of the facts. Real work (calls, processes, requests) is measured there too, but it
takes wall time: a second of it counts ``rate`` AWS seconds, so its wall time is given beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mglab.display import column
from mglab.study.moments import (
    ACCEPTED,
    ANSWERED,
    ASKED,
    AWAKE,
    HEALTHY,
    LAUNCHED,
    PROBED,
    REGISTERED,
    RUNNING,
    SERVING,
    STARTED,
    Moment,
    Moments,
)

MEASURED, MODELLED = "measured", "modelled"
DELAY, CHECK, START = "registration delay", "first check passes", "service starts"


@dataclass(frozen=True)
class Stretch:
    """What passes before ``ends``, and what it rests on where the cloud is the local one."""

    band: str
    ends: str
    local: str
    basis: str


COMMON = (
    Stretch("request", ACCEPTED, MEASURED, "a real call"),
    Stretch("decision", STARTED, MODELLED, "known of AWS: decision to launch"),
    Stretch("launch", LAUNCHED, MEASURED, "the group's own call"),
    Stretch("pending", RUNNING, MODELLED, "known of AWS: EC2 pending"),
)
ITSELF = (
    Stretch("boot", AWAKE, MODELLED, "known of AWS: boot"),
    Stretch(START, SERVING, MEASURED, "real processes start"),
)
BALANCER = (
    Stretch("registration", REGISTERED, MEASURED, "the group's own call"),
    Stretch(DELAY, PROBED, MODELLED, "known of AWS: before the first probe"),
)
CHECKED = Stretch(CHECK, HEALTHY, MODELLED, "known of AWS: rhythm and passes; the probes are real")
REACHED = Stretch("first answer", ANSWERED, MEASURED, "real requests; zone and flow hash choose")


@dataclass(frozen=True)
class Band:
    """One stretch of the way to the first answer."""

    band: str = field(metadata=column("Band"))
    seconds: float = field(metadata=column("AWS seconds", "number"))
    within_s: float = field(metadata=column("± (s)", "number"))
    kind: str = field(metadata=column("Kind"))
    basis: str = field(metadata=column("What it is"))
    wall_ms: float | None = field(metadata=column("Real work (ms, wall)", "number"))
    holds_up: bool = field(metadata=column("Waited for"))
    starts_s: float = field(metadata=column("From (AWS s)", "number"))
    source: str = field(metadata=column("Its end was seen in"))
    began: datetime = field(metadata=column("Began", "time"), repr=False)
    ended: datetime = field(metadata=column("Ended", "time"), repr=False)

    @property
    def ends_s(self) -> float:
        """Give where it ends, in AWS seconds since the request."""
        return self.starts_s + self.seconds


def cut(marks: Moments, backend: str, rate: float) -> tuple[Band, ...]:
    """Cut the time from the request where something was seen to happen; what was not seen joins its neighbour."""
    if ASKED not in marks:
        return ()
    cutter = _Cutter(marks, backend, rate)
    common, forked = cutter.way(COMMON, marks[ASKED])
    itself, served = cutter.way(ITSELF, forked)
    balancer, probed = cutter.way(BALANCER, forked)
    healthy = marks.get(HEALTHY)
    if healthy is not None and served.at > healthy.at:  # the health check answered before the service did
        checked, _ = cutter.way((CHECKED,), probed)
        reached, _ = cutter.way((REACHED,), served)
        return (*common, *itself, *_idle(balancer), *_idle(checked), *reached)
    last, _ = cutter.way((CHECKED, REACHED), max(served, probed, key=lambda mark: mark.at))
    if served.at > probed.at:
        return (*common, *itself, *_idle(balancer), *last)
    return (*common, *_idle(itself), *balancer, *last)


def along(stretches: Sequence[Stretch], marks: Moments, backend: str, rate: float) -> tuple[Band, ...]:
    """Cut a single way, such as an instance's that has no balancer before it."""
    bands, _ = _Cutter(marks, backend, rate).way(stretches, marks[ASKED])
    return tuple(bands)


def whole_s(bands: Sequence[Band]) -> float:
    """Give AWS seconds from the request to the end of the last band."""
    return max((band.ends_s for band in bands), default=0.0)


def named(bands: Sequence[Band], name: str) -> Band | None:
    """Find a band, alone or joined with its neighbour."""
    return next((band for band in bands if name in band.band.split(" + ")), None)


def slack(bands: Sequence[Band]) -> tuple[Band | None, float]:
    """Give the last band that nobody waited for, and how much later it could have ended, in AWS seconds."""
    last = max((band for band in bands if not band.holds_up), key=lambda band: band.ends_s, default=None)
    if last is None:
        return None, 0.0
    after = [band.starts_s for band in bands if band.holds_up and band.starts_s >= last.ends_s]
    return last, round(min(after) - last.ends_s, 1) if after else 0.0


def real_work(bands: Sequence[Band]) -> tuple[float, float]:
    """Add up the measured bands that were waited for: as AWS seconds, and as wall seconds."""
    real = [band for band in bands if band.wall_ms is not None and band.holds_up]
    return sum(band.seconds for band in real), sum(band.wall_ms or 0.0 for band in real) / 1000


@dataclass(frozen=True)
class _Cutter:
    marks: Moments
    backend: str
    rate: float

    def way(self, stretches: Sequence[Stretch], start: Moment) -> tuple[list[Band], Moment]:
        """Cut one way, from a mark on; give its bands and the last mark that was seen."""
        bands: list[Band] = []
        waiting: list[Stretch] = []
        for stretch in stretches:
            waiting.append(stretch)
            if (end := self.marks.get(stretch.ends)) is not None:
                bands.append(self._band(waiting, start, end))
                start, waiting = end, []
        return bands, start

    def _band(self, stretches: Sequence[Stretch], start: Moment, end: Moment) -> Band:
        on_aws = self.backend == "aws"
        modelled = not on_aws and any(one.local == MODELLED for one in stretches)
        seconds = max(0.0, _between(start, end))
        return Band(
            band=" + ".join(one.band for one in stretches),
            seconds=round(seconds, 1),
            within_s=round(start.within_s + end.within_s, 1),
            kind=MODELLED if modelled else MEASURED,
            basis="timed from outside" if on_aws else "; ".join(one.basis for one in stretches),
            wall_ms=None if modelled else round(1000 * seconds / self.rate, 1),
            holds_up=True,
            starts_s=round(_between(self.marks[ASKED], start), 1),
            source=end.source,
            began=start.at,
            ended=end.at,
        )


def _idle(bands: Sequence[Band]) -> list[Band]:
    """Moment bands as such that the first answer did not wait for."""
    return [replace(band, holds_up=False) for band in bands]


def _between(earlier: Moment, later: Moment) -> float:
    return (later.at - earlier.at).total_seconds()
