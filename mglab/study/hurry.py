"""Question 3, turned round: what would make it faster? Two things that an owner can change, each tried.

* The image. One instance starts from the image that has the server in it, one from plain Amazon Linux whose user-data
  brings the server. Twice each, all at the same moment; how much their modelled waits scatter is then seen too.
* The health check. The interval goes from 30 s to 10 s and the healthy threshold to its least, 2; the group grows
  again and the bands are set beside those of step 86.

Whatever happens, the check's settings, the group's sizes and the trial instances are put back; what a kernel that died
could not put back, the next experiment puts back first. What cannot be changed is said too: there is no
setting for the time a balancer takes to learn of a new target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from statistics import mean

from mglab import waits
from mglab.display import column
from mglab.session import Lab
from mglab.steps import network, scaling, trials
from mglab.steps.instances import Instance, described, having
from mglab.study import growth, moments
from mglab.study.bands import CHECK, DELAY, MODELLED, START, Band, Stretch, along, named, real_work, slack, whole_s
from mglab.study.disturbance import filed
from mglab.study.growth import Growth
from mglab.study.kept import once
from mglab.study.load import Pulse, pulse
from mglab.study.moments import Moment
from mglab.study.ready import staged
from mglab.study.rhythm import INTERVAL_S, checked_more_often
from mglab.study.watch import LOOK_EVERY_S, Look, short

SERVING_TIMEOUT_S = 1200.0
IMAGE, CHECKS = "image instead of user-data", f"checks every {INTERVAL_S} s"

ALONE = (
    Stretch("request", moments.LAUNCHED, "measured", "a real call"),
    Stretch("pending", moments.RUNNING, MODELLED, "aws-facts 7: EC2 pending"),
    Stretch("boot", moments.AWAKE, MODELLED, "aws-facts 7: boot"),
    Stretch(START, moments.SERVING, "measured", "real work: user-data if any, then processes start"),
)


@dataclass(frozen=True)
class Trial:
    """One instance started outside the group, from the request to its first answer at its own address."""

    way: str
    instance: str
    moments: tuple[Moment, ...]
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Trials:
    """Both ways of bringing the server, tried side by side."""

    trials: tuple[Trial, ...]

    def of(self, way: str) -> list[Trial]:
        """Give the trials of one way."""
        return [trial for trial in self.trials if trial.way == way]

    @property
    def rows(self) -> dict[str, Sequence[Band]]:
        """Give each trial's bands under a name of its own."""
        return {f"{trial.way} ({trial.instance})": trial.bands for trial in self.trials}


@dataclass(frozen=True)
class Change:
    """One band before and after something was changed."""

    tried: str = field(metadata=column("Tried"))
    band: str = field(metadata=column("Band"))
    before_s: float = field(metadata=column("Before (AWS s)", "number"))
    after_s: float = field(metadata=column("After (AWS s)", "number"))
    difference_s: float = field(metadata=column("Difference (s)", "number"))
    within_s: float = field(metadata=column("± (s)", "number"))
    kind: str = field(metadata=column("Kind"))
    reading: str = field(metadata=column("Reading"))


@dataclass(frozen=True)
class Finding:
    """What one attempt came to."""

    attempt: str = field(metadata=column("Attempt"))
    statement: str = field(metadata=column("What the measurements say"))


# -- the image ----------------------------------------------------------------------------------------------


def image_or_user_data(lab: Lab, *, again: bool = False) -> Trials:
    """Start the server from the image and from user-data, outside the group, and time both; done once a run."""
    return once(lab, "faster-image", Trials, lambda: _tried(lab), again=again)


def _tried(lab: Lab) -> Trials:
    trials.end(lab)
    with filed(lab, "86", "faster-image", "instances started outside the group, from the image and by user-data"):
        try:
            recipes = [trials.recipe(lab, way) for way in trials.WAYS]
            subnets = network.subnets(lab)
            started = [_started(lab, recipe, subnet) for recipe in recipes for subnet in subnets[: trials.TIMES]]
            return Trials(tuple(_timed(lab, started)))
        finally:
            trials.end(lab)


def _started(lab: Lab, recipe: trials.Recipe, subnet: network.Subnet) -> tuple[str, Instance, Moment]:
    before = lab.clock.now()
    made = trials.launch(lab, recipe, subnet)
    return recipe.way, made, Moment(moments.ASKED, before, before, "our own clock")


def _timed(lab: Lab, started: Sequence[tuple[str, Instance, Moment]]) -> Iterator[Trial]:
    """Look at all of them, and ask each at its own address, until every one has answered."""
    looks: list[Look] = []
    pulses: dict[str, Pulse] = {}
    ids = [one.instance_id for _, one, _ in started]
    with ExitStack() as stack:

        def look() -> str:
            began = lab.clock.now()
            found = described(lab, having("instance-id", *ids))
            looks.append(Look(began, lab.clock.now(), {("EC2", short(one.instance_id)): one.state for one in found}))
            for one in found:
                if one.public_address and one.instance_id not in pulses:
                    pulses[one.instance_id] = stack.enter_context(pulse(lab, one.public_address))
            return f"{sum(_answers(pulses, one) for one in ids)} of {len(ids)} serve"

        waits.until(
            lab, look, lambda state: state == f"{len(ids)} of {len(ids)} serve",
            what="trial instances", timeout_s=SERVING_TIMEOUT_S, interval_s=LOOK_EVERY_S,
        )  # fmt: skip
    for way, one, asked in started:
        yield _trial(lab, way, one, [asked, *_seen(lab, one, looks, pulses[one.instance_id])])


def _answers(pulses: Mapping[str, Pulse], instance_id: str) -> bool:
    return instance_id in pulses and any(sample.answered for sample in pulses[instance_id].samples)


def _seen(lab: Lab, one: Instance, looks: Sequence[Look], asking: Pulse) -> list[Moment]:
    launched = moments.stamped(moments.LAUNCHED, one.launched_at, "EC2's LaunchTime")
    return [
        launched,
        *moments.of_looks(looks, short(one.instance_id)),
        *moments.of_asking(asking.samples, lab.clock.rate),
    ]


def _trial(lab: Lab, way: str, one: Instance, found: Sequence[Moment]) -> Trial:
    known = moments.in_order(found)
    return Trial(
        way, short(one.instance_id), tuple(known.values()), along(ALONE, known, lab.backend, lab.clock.rate)
    )  # fmt: skip


# -- the health check ---------------------------------------------------------------------------------------


def check_more_often(lab: Lab, *, again: bool = False) -> Growth:
    """Grow once more while targets are checked every 10 s, and put everything back; done once a run."""
    return staged(lab, "faster-checks", Growth, lambda: _grown(lab), again=again)


def _grown(lab: Lab) -> Growth:
    try:
        with checked_more_often(lab):
            return growth.measure(lab, "faster-checks")
    finally:
        scaling.put_limits_back(lab)


# -- what came of it ----------------------------------------------------------------------------------------


def changes(baseline: Growth, quicker: Growth, tried: Trials) -> list[Change]:
    """Set each band before a change beside the same band after it."""
    image, bare = tried.of(trials.FROM_IMAGE), tried.of(trials.FROM_USER_DATA)
    return [
        *(_change(IMAGE, START, _mean(bare, name), _mean(image, name)) for name in _common(bare, image)),
        *(
            _change(CHECKS, CHECK, band, after)
            for band in baseline.bands
            if (after := named(quicker.bands, band.band)) is not None
        ),
        _whole(baseline.bands, quicker.bands),
    ]


def findings(baseline: Growth, quicker: Growth, tried: Trials) -> list[Finding]:
    """Say what the two attempts came to, what nobody can change, and what the clock's rate does to all of it."""
    found = [
        Finding("Pre-baked image", _of_image(baseline, tried)),
        Finding(f"Health check every {INTERVAL_S} s", _of_checks(baseline, quicker)),
        Finding("What no setting changes", _of_delay(baseline, quicker)),
    ]
    lab_s, wall_s = real_work(baseline.bands)
    return [*found, Finding("Real work on a fast clock", _of_rate(lab_s, wall_s))] if lab_s > 1.5 * wall_s else found


def _of_image(baseline: Growth, tried: Trials) -> str:
    image, bare = (_start(tried.of(way)) for way in trials.WAYS)
    if image is None or bare is None:
        return "Not measured: the moment at which the system was awake was not seen."
    difference, within = bare.seconds - image.seconds, bare.within_s + image.within_s
    said = (
        f"From awake to the first answer: {_with_wall(image)} from the image, {_with_wall(bare)} by user-data"
        f" (± {within:.1f} s together)."
    )
    saved = replace(bare, seconds=difference, wall_ms=(bare.wall_ms or 0.0) - (image.wall_ms or 0.0))
    said += f" The image saves {_with_wall(saved)}." if difference > within else " No difference that one could see."
    held = named(baseline.bands, START)
    if held is not None and not held.holds_up:
        said += f" In step 86 the service was ready {slack(baseline.bands)[1]:.1f} s too early: nobody waited for it."
    return said


def _with_wall(band: Band) -> str:
    wall_s = (band.wall_ms or 0.0) / 1000
    return f"{band.seconds:.1f} s" + (f" ({wall_s:.2f} s of real work)" if band.seconds > 1.5 * wall_s > 0 else "")


def _of_rate(lab_s: float, wall_s: float) -> str:
    return (
        f"Of step 86, {lab_s:.1f} AWS s are real work that took {wall_s:.2f} s by the wall: this clock counts it "
        f"{lab_s / wall_s:.0f}-fold, and more on a busy machine. On AWS it weighs as much as it takes."
    )


def _of_checks(baseline: Growth, quicker: Growth) -> str:
    before, after = named(baseline.bands, CHECK), named(quicker.bands, CHECK)
    if before is None or after is None:
        return "Not measured: the first probe was not seen."
    within = before.within_s + after.within_s
    whole = whole_s(quicker.bands) - whole_s(baseline.bands)
    return (
        f"{_readiness(baseline.bands)} with checks {baseline.checks}. {_readiness(quicker.bands)} with checks "
        f"{quicker.checks}. Until it was healthy: {before.seconds:.1f} s, then {after.seconds:.1f} s (± {within:.1f} s "
        f"together). The whole way changed by {whole:+.1f} s, of which {_delays(baseline, quicker)}. By the settings "
        f"alone, a target that has failed comes back after {baseline.comes_back_s} s, now {quicker.comes_back_s} s."
    )


def _readiness(bands: Sequence[Band]) -> str:
    """Say whether the first probe met a service that was ready."""
    served, probed = named(bands, START), named(bands, DELAY)
    if served is None or probed is None:
        return "Whether the first probe met a ready service was not seen"
    early = probed.ends_s - served.ends_s
    met = f"{early:.1f} s before" if early >= 0 else f"only {-early:.1f} s after"
    return f"The service was ready {met} the first probe"


def _delays(baseline: Growth, quicker: Growth) -> str:
    before, after = named(baseline.bands, DELAY), named(quicker.bands, DELAY)
    if before is None or after is None:
        return "the registration delay's part was not seen"
    return f"{after.seconds - before.seconds:+.1f} s is the registration delay, which nothing here touches"


def _of_delay(baseline: Growth, quicker: Growth) -> str:
    delay, whole = named(baseline.bands, DELAY), whole_s(baseline.bands)
    if delay is None or not whole:
        return "Not measured: the registration was not seen."
    other = named(quicker.bands, DELAY)
    again = f" (and {other.seconds:.1f} s the second time)" if other else ""
    late = "" if delay.holds_up else " In step 86 the service was later still, and it was that which held things up."
    return (
        f"The registration delay took {delay.seconds:.1f} s{again}, {100 * delay.seconds / whole:.0f} % of the whole "
        "way. No request has a parameter for it; only an instance that is registered before it is needed avoids it."
        f"{late}"
    )


def _change(tried: str, touches: str, before: Band, after: Band) -> Change:
    difference, within = after.seconds - before.seconds, before.within_s + after.within_s
    kind = before.kind if before.kind == after.kind else f"{before.kind}, {after.kind}"
    reading = _reading(difference, within, touched=touches in before.band.split(" + "))
    return Change(
        tried, before.band, before.seconds, after.seconds, round(difference, 1), round(within, 1), kind, reading
    )


def _reading(difference: float, within: float, *, touched: bool) -> str:
    """Read a difference: in a band that the change cannot touch, it shows how much two tries differ by chance."""
    if abs(difference) <= within:
        return "no change that the looks can tell"
    if not touched:
        return "chance: this was not changed"
    return "slower" if difference > 0 else "faster"


def _whole(before: Sequence[Band], after: Sequence[Band]) -> Change:
    first, last = whole_s(before), whole_s(after)
    within = before[-1].within_s + after[-1].within_s if before and after else 0.0
    kinds = sorted({band.kind for band in (*before, *after)})
    return Change(
        CHECKS, "the whole way", round(first, 1), round(last, 1), round(last - first, 1), round(within, 1),
        ", ".join(kinds), "the sum of the above that was waited for",
    )  # fmt: skip


def _common(one: Sequence[Trial], other: Sequence[Trial]) -> list[str]:
    """Name the bands that every trial has, in their order."""
    everywhere = [{band.band for band in trial.bands} for trial in (*one, *other)]
    return [band.band for band in (one[0].bands if one else ()) if all(band.band in names for names in everywhere)]


def _mean(of: Sequence[Trial], name: str) -> Band:
    """Give one band for all trials of a way: its mean, as uncertain as the looks and the scatter make it."""
    found = [band for trial in of for band in trial.bands if band.band == name]
    seconds = [band.seconds for band in found]
    scatter = (max(seconds) - min(seconds)) / 2
    within = max(scatter, mean(band.within_s for band in found))
    walls = [band.wall_ms for band in found if band.wall_ms is not None]
    wall_ms = round(mean(walls), 1) if walls else None
    return replace(found[0], seconds=round(mean(seconds), 1), within_s=round(within, 1), wall_ms=wall_ms)


def averaged(of: Sequence[Trial]) -> list[Band]:
    """Give the bands of a way, each the mean of its trials; bands that only some have are left out."""
    return [_mean(of, name) for name in _common(of, of)]


def _start(of: Sequence[Trial]) -> Band | None:
    return _mean(of, START) if of and all(any(band.band == START for band in one.bands) for one in of) else None
