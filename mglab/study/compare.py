"""Two runs side by side: the same experiments, the same bands, and how far the model is from the measurement.

A run's kept experiments and its ledger are all that is needed; no cloud is asked. Waterfalls are compared band by
band. Of a disturbance and of a surge the durations are compared, and of a disturbance the sequences of states; of
question 1, which has no durations, the shares stand side by side. Ids differ from run to run, so instances and zones
are called by their part: what was disturbed, what came new, what stayed.

Two numbers agree when they differ by no more than the looks of both runs could have missed. Chance is not in that:
a delay that AWS draws anew each time differs between two runs on AWS too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mglab.display import column
from mglab.study import durations, hurry
from mglab.study.bands import Band, named, whole_s
from mglab.study.disturbance import Disturbance, Seen
from mglab.study.growth import Growth
from mglab.study.hurry import Trials
from mglab.study.pattern import Arm, Pattern
from mglab.study.provisioning import Provisioned
from mglab.study.surge import Surge
from mglab.study.timeline import lanes, seconds_between
from mglab.study.watch import GONE, LOOK_EVERY_S, OBSERVERS

LOOK_FLOOR_WALL_S = 0.1
SAME = "yes"
Kept = Growth | Disturbance | Trials | Surge | Pattern


@dataclass(frozen=True)
class Run:
    """What one run has measured: ``experiments`` by name; ``unread`` are those that are there and cannot be read,
    ``untimed`` those that can, in which there is nothing to compare."""

    name: str
    place: str
    rate: float
    experiments: Mapping[str, Kept]
    unread: Sequence[str] = ()
    untimed: Sequence[str] = ()
    provisioned: Sequence[Provisioned] = ()

    def told(self) -> dict[str, object]:
        """Give what it is, without its measurements."""
        return {"run": self.name, "place": self.place, "rate": self.rate, "experiments": sorted(self.experiments)}

    @property
    def look_s(self) -> float:
        """Say how far apart its looks were at least, in AWS seconds."""
        return max(LOOK_EVERY_S, LOOK_FLOOR_WALL_S * self.rate)


@dataclass(frozen=True)
class Difference:
    """One band or moment in both runs."""

    experiment: str = field(metadata=column("Experiment"))
    band: str = field(metadata=column("Band"))
    first_s: float | None = field(metadata=column("A (AWS s)", "number"))
    second_s: float | None = field(metadata=column("B (AWS s)", "number"))
    difference_s: float | None = field(metadata=column("B - A (s)", "number"))
    ratio: float | None = field(metadata=column("B / A", "number"))
    within_s: float = field(metadata=column("± of both (s)", "number"))
    agrees: str = field(metadata=column("Within ±"))
    kinds: str = field(metadata=column("Kind of A, of B"))


@dataclass(frozen=True)
class SameStates:
    """Whether everything that was said in one experiment was said in the same order in both runs."""

    experiment: str = field(metadata=column("Experiment"))
    who: str = field(metadata=column("Said by"))
    subject: str = field(metadata=column("Of"))
    equal: str = field(metadata=column("Same sequence"))
    first: str = field(metadata=column("A"))
    second: str = field(metadata=column("B"))


@dataclass(frozen=True)
class Shares:
    """Who answered how often in one arm of question 1, zone by zone, in both runs."""

    arm: str = field(metadata=column("Question 1: asked"))
    first: str = field(metadata=column("A: shares (%)"))
    second: str = field(metadata=column("B: shares (%)"))


@dataclass(frozen=True)
class Stay:
    """A state that lasted, in AWS seconds since the act."""

    state: str
    starts_s: float
    ends_s: float


Walks = Mapping[tuple[str, str], Sequence[Stay]]
"""(who says so, part that the subject plays) -> the states it went through"""


def differences(first: Run, second: Run) -> list[Difference]:
    """Compare how long things took to make, and every band and moment of the experiments that both runs have."""
    made = _provisioned(first.provisioned, second.provisioned)
    return [*made, *(row for name in shared(first, second) for row in _compared(name, first, second))]


def states(first: Run, second: Run) -> list[SameStates]:
    """Compare the sequences of states, experiment by experiment."""
    return [row for name in shared(first, second) for row in _same_states(name, first, second)]


def other_states(rows: Sequence[SameStates]) -> list[SameStates]:
    """Give the sequences that are not the same in both runs."""
    return [row for row in rows if row.equal != SAME]


def shares(first: Run, second: Run) -> list[Shares]:
    """Put the shares of question 1's arms side by side; none unless both runs have them."""
    one, other = first.experiments.get("pattern"), second.experiments.get("pattern")
    if not isinstance(one, Pattern) or not isinstance(other, Pattern):
        return []
    here, there = ({arm.title: _shared_out(arm) for arm in seen.arms} for seen in (one, other))
    return [Shares(arm, here.get(arm, "not asked"), there.get(arm, "not asked")) for arm in {**here, **there}]


def lacking(first: Run, second: Run) -> list[str]:
    """Say which experiments cannot be compared, and why."""
    said = [f"{name} of run {run.name} cannot be read: measure it again" for run in (first, second) for name in
            run.unread]  # fmt: skip
    for one, other in ((first, second), (second, first)):
        missing = sorted(set(one.experiments) - set(other.experiments) - set(other.unread))
        said += [f"{name} is in run {one.name} alone" for name in missing]
    untimed = sorted({*first.untimed, *second.untimed})
    return said + [f"{name} has no durations: there is nothing to compare" for name in untimed]


def shared(first: Run, second: Run) -> list[str]:
    """Name the experiments that both runs have, those of question 3 first."""
    both = [name for name, one in first.experiments.items() if type(second.experiments.get(name)) is type(one)]
    return sorted(both, key=lambda name: (name != "grow", not name.startswith("faster"), name))


# -- bands and moments --------------------------------------------------------------------------------------


def _compared(name: str, first: Run, second: Run) -> list[Difference]:
    one, other = first.experiments[name], second.experiments[name]
    if isinstance(one, Growth) and isinstance(other, Growth):
        whole = _row(name, "the whole way", _whole(one.bands), _whole(other.bands))
        return [*_bands(name, one.bands, other.bands), whole]
    if isinstance(one, Trials) and isinstance(other, Trials):
        return [row for way in hurry.trials.WAYS for row in _ways(name, way, one, other)]
    if isinstance(one, Disturbance) and isinstance(other, Disturbance):
        return _parts_of(name, durations.of_disturbance(one), durations.of_disturbance(other), first, second)
    if isinstance(one, Surge) and isinstance(other, Surge):
        return _parts_of(name, durations.of_surge(one), durations.of_surge(other), first, second)
    return []


@dataclass(frozen=True)
class _Length:
    seconds: float
    within_s: float
    kind: str


def _length(band: Band | None) -> _Length | None:
    return _Length(band.seconds, band.within_s, band.kind) if band else None


def _whole(bands: Sequence[Band]) -> _Length | None:
    kinds = " + ".join(sorted({band.kind for band in bands if band.holds_up}))
    return _Length(round(whole_s(bands), 1), bands[-1].within_s, kinds) if bands else None


def _bands(name: str, one: Sequence[Band], other: Sequence[Band]) -> list[Difference]:
    names = dict.fromkeys(band.band for band in (*one, *other))
    return [_row(name, band, _length(_exactly(one, band)), _length(_exactly(other, band))) for band in names]


def _exactly(bands: Sequence[Band], name: str) -> Band | None:
    return next((band for band in bands if band.band == name), None)


def _ways(name: str, way: str, one: Trials, other: Trials) -> list[Difference]:
    first, second = hurry.averaged(one.of(way)), hurry.averaged(other.of(way))
    return [
        _row(name, f"{way}: {band}", _length(named(first, band)), _length(named(second, band)))
        for band in dict.fromkeys(it.band for it in (*first, *second))
    ]


def _parts_of(name: str, one: Sequence[Seen], other: Sequence[Seen], first: Run, second: Run) -> list[Difference]:
    """Compare how long each part took; what neither run saw is left out."""
    here, there = (
        {it.part: _Length(it.seconds, run.look_s, "seen") for it in parts if it.seconds is not None}
        for parts, run in ((one, first), (other, second))
    )
    parts = dict.fromkeys(it.part for it in (*one, *other))
    return [_row(name, it, here.get(it), there.get(it)) for it in parts if it in here or it in there]


def _provisioned(one: Sequence[Provisioned], other: Sequence[Provisioned]) -> list[Difference]:
    here, there = ({it.what: _Length(it.seconds, it.within_s, "seen") for it in made} for made in (one, other))
    return [_row("making", what, here[what], there[what]) for what in here if what in there]


def _row(name: str, band: str, one: _Length | None, other: _Length | None) -> Difference:
    both = one is not None and other is not None
    difference = round(other.seconds - one.seconds, 1) if one and other else None
    within = round(sum(it.within_s for it in (one, other) if it), 1)
    return Difference(
        experiment=name,
        band=band,
        first_s=one.seconds if one else None,
        second_s=other.seconds if other else None,
        difference_s=difference,
        ratio=round(other.seconds / one.seconds, 2) if one and other and one.seconds else None,
        within_s=within,
        agrees=("yes" if abs(difference or 0.0) <= within else "no") if both else "not in both",
        kinds=", ".join(it.kind if it else "not seen" for it in (one, other)),
    )


def _shared_out(arm: Arm) -> str:
    """Write an arm's shares zone by zone, the larger first: ids and addresses differ from run to run."""
    total = len(arm.responders)
    if not total:
        return "nobody answered"
    within: dict[str, list[str]] = {}
    for address, answers in Counter(arm.responders).most_common():
        zone = arm.setting.zones.get(address, "unknown zone")
        within.setdefault(zone, []).append(f"{100 * answers / total:.0f}")
    return ", ".join(f"{zone} {' + '.join(found)}" for zone, found in sorted(within.items()))


# -- sequences of states ------------------------------------------------------------------------------------


def walks(experiment: Growth | Disturbance) -> Walks:
    """Give the states that every subject went through, by the part that it plays."""
    began = _began(experiment)
    end = max(it.at for seen in (experiment.events, experiment.samples) for it in seen)
    parts = _parts(experiment, began)
    found: dict[tuple[str, str], list[Stay]] = {}
    for (who, subject), said in lanes(experiment.events, OBSERVERS).items():
        until = [at for at, _ in said[1:]] + [end]
        found[who, parts.get(subject, subject)] = [
            Stay(state, seconds_between(began, since), seconds_between(began, ended))
            for (since, state), ended in zip(said, until, strict=True)
            if state != GONE
        ]
    return dict(sorted(found.items(), key=lambda lane: (lane[0][1], OBSERVERS.index(lane[0][0]))))


def _same_states(name: str, first: Run, second: Run) -> list[SameStates]:
    one, other = first.experiments[name], second.experiments[name]
    if not isinstance(one, Growth | Disturbance) or not isinstance(other, Growth | Disturbance):
        return []
    here, there = _sequences(one), _sequences(other)
    rows = []
    for lane in dict.fromkeys([*here, *there]):
        mine, theirs = here.get(lane, ()), there.get(lane, ())
        rows.append(SameStates(name, *lane, _sameness(mine, theirs), _arrows(mine), _arrows(theirs)))
    return rows


def _sameness(mine: Sequence[str], theirs: Sequence[str]) -> str:
    """Say whether two sequences are one; states that one run's looks may have passed over are named."""
    if mine == theirs:
        return SAME
    shorter, longer = sorted((mine, theirs), key=len)
    rest, passed_over = iter(longer), []
    for wanted in shorter:
        for state in rest:
            if state == wanted:
                break
            passed_over.append(state)
        else:
            return "no"
    return f"all but {', '.join([*passed_over, *rest])}" if shorter else "no"


def _arrows(states: Sequence[str]) -> str:
    return " → ".join(states) or "nothing"


def _sequences(experiment: Growth | Disturbance) -> dict[tuple[str, str], tuple[str, ...]]:
    parts = _parts(experiment, _began(experiment))
    return {
        (who, parts.get(subject, subject)): tuple(state for _, state in said)
        for (who, subject), said in sorted(lanes(experiment.events, OBSERVERS).items())
    }


def _began(experiment: Growth | Disturbance) -> datetime:
    return experiment.events[0].at if isinstance(experiment, Growth) else experiment.began


def _parts(experiment: Growth | Disturbance, began: datetime) -> dict[str, str]:
    """Call instances and zones by their part; several of one part are numbered in the order they were seen in."""
    lost = () if isinstance(experiment, Growth) else experiment.disturbed
    first_seen: dict[str, datetime] = {}
    left = set()
    for event in experiment.events:
        subject, _, state = event.what.partition(": ")
        if event.lane in OBSERVERS:
            first_seen.setdefault(subject, event.at)
        if (event.lane, state) == ("DNS", GONE):
            left.add(subject)

    def part(subject: str, at: datetime) -> str:
        if not subject.startswith("i-"):
            return "zone that left" if subject in left else "zone that stayed"
        if any(one.endswith(subject[-5:]) for one in lost):
            return "disturbed"
        return "new" if at > began else "other"

    counted: dict[str, int] = {}
    parts = {}
    for subject, at in sorted(first_seen.items(), key=lambda one: (one[1], one[0])):
        name = part(subject, at)
        counted[name] = counted.get(name, 0) + 1
        parts[subject] = f"{name} {counted[name]}"
    return parts
