"""What a run went through, without what is random in it, so that two runs can be held against each other.

A history is one resource's walk through its states, as one observer saw it: ``terminate-1, group: InService,
Terminating, no longer listed``. Names, ids, addresses and zones are taken out: which instance dies and who is
first among equals is chance. What remains is the same for every run of the lab, at whatever rate.

Who looks now and then dates a change by the look that saw it, and may miss a state altogether. How blind a
run was at its worst is in its ledger (``coarsest_s`` of each wait, and the gaps between waits). So a state that
one run has and the other has not is forgiven if it lasted no longer than both were blind; anything else, and
any other order, is a difference. Where two of the model's timers race, as the group's notice of a terminated
member does with the balancer's checks, which comes first is chance too (``RACES``). So is which zone leaves DNS,
and whether one does when both lose their targets: DNS is not compared.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

_CHANCE = re.compile(r"\b(i-[0-9a-f…]+|\d+\.\d+\.\d+\.\d+)(?!\w)")
_UNIFORM = re.compile(r"(?:\d+ )?([A-Za-z][A-Za-z ()-]*)")
LANES_OF_STATES = ("group", "EC2", "balancer", "checks", "activity")
"""Lanes that hold states that last; what was done and felt are moments."""
HISTORY_BLIND_S = 1.0
"""The group's own history is dated by the group, not by a look."""


@dataclass(frozen=True)
class Stay:
    """A state, and for how many AWS seconds it was seen; None for one whose beginning or end was not seen."""

    state: str
    seconds: float | None


@dataclass(frozen=True)
class History:
    """One resource's states in order, and the longest that nobody looked meanwhile."""

    subject: str
    stays: tuple[Stay, ...]
    blind_s: float
    begins_late: bool = False
    """Whether it was under way when the watching began, as with a wait: states before that are not in it."""

    @property
    def states(self) -> tuple[str, ...]:
        """Give the states in order."""
        return tuple(stay.state for stay in self.stays)

    def __str__(self) -> str:
        return f"{self.subject}: {' -> '.join(self.states) or 'nothing'}"


@dataclass(frozen=True)
class Stage:
    """How long something took, by its name: a state's stay, or the way from a deed to what followed."""

    name: str
    seconds: float
    blind_s: float


@dataclass(frozen=True)
class Race:
    """States that may or may not be seen from one state to another, by chance."""

    subject: str
    """A regular expression."""
    first: str
    between: frozenset[str]
    last: str


RACES = (
    # The group notices after 15 to 60 s and deregisters; two checks fail within 30 to 60; EC2 is done after 30, and
    # a target whose instance has ended is no longer listed (aws-facts 2.4, 1.5, 1.6).
    Race(r"terminate-\d+, balancer", "healthy", frozenset({"unhealthy", "draining"}), "no longer listed"),
    # The first check after the registration is a moment or a whole interval away (aws-facts 1.5).
    Race(".*, checks", "Elb.RegistrationInProgress", frozenset({"Elb.InitialHealthChecking"}), "no longer listed"),
)


# -- reading what a run leaves -------------------------------------------------------------------------------


def of_run(run: str, ledger: Sequence[Mapping[str, Any]], kept: Mapping[str, Mapping[str, Any]]) -> list[History]:
    """Reduce a run to its histories: from its ledger's lines and its kept experiments, by name."""
    waits = [line for line in ledger if line.get("kind") == "wait"]
    found = [_of_wait(line, run, ledger) for line in waits if line.get("outcome") == "done"]
    for name, experiment in sorted(kept.items()):
        events = events_of(experiment)
        found += of_events(name, events, blindness(waits, events))
    return [history for history in found if history.stays]


def events_of(experiment: Mapping[str, Any]) -> list[tuple[datetime, str, str]]:
    """Read an experiment's events, wherever in its result they stand: moment, lane and words."""
    found = []
    for name, value in experiment.items():
        if isinstance(value, Mapping):
            found += events_of(value)
        elif name == "events":
            found += [(datetime.fromisoformat(one["at"]), one["lane"], one["what"]) for one in value]
    return found


def of_events(name: str, events: Sequence[tuple[datetime, str, str]], blind_s: float) -> list[History]:
    """Make a history of every resource in every lane that watches states."""
    walks: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
    for at, lane, what in events:
        resource, _, state = what.rpartition(": ")
        if lane in LANES_OF_STATES:
            walks[lane, resource].append((at, state))
    return [
        History(
            f"{name}, {_named(lane, resource)}",
            _stays(walk, begun=walk[0][0] > events[0][0]),
            HISTORY_BLIND_S if lane == "activity" else blind_s,
        )
        for (lane, resource), walk in walks.items()
    ]


def _named(lane: str, resource: str) -> str:
    """Name a walk: an activity by its kind (``Launching a new EC2 instance``), a state by who saw it."""
    return resource.partition(":")[0] if lane == "activity" else lane


def blindness(waits: Sequence[Mapping[str, Any]], events: Sequence[tuple[datetime, str, str]]) -> float:
    """Say how long at most nobody looked while the events went on, in AWS seconds."""
    if not events:
        return 0.0
    first, last = events[0][0], events[-1][0]
    spans = sorted((*_span(line), float(line.get("coarsest_s", 0))) for line in waits)
    during = [span for span in spans if span[1] >= first and span[0] <= last]
    gaps = [(after[0] - before[1]).total_seconds() for before, after in zip(during, during[1:], strict=False)]
    return max([0.0, *gaps, *(span[2] for span in during)])


def _span(line: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(line["started"]), datetime.fromisoformat(line["at"])


def _of_wait(line: Mapping[str, Any], run: str, ledger: Sequence[Mapping[str, Any]]) -> History:
    """Make a history of a wait, of the looks at which all that was waited for were in one state."""
    walk = [(datetime.fromisoformat(one["at"]), _uniform(one["state"])) for one in line["transitions"]]
    known = [(at, state) for at, state in walk if state]
    made_at = _made_at(line, ledger)
    if made_at is not None and len(known) > 1:
        known[0] = (made_at, known[0][1])
    stays = _stays(known, begun=made_at is not None)
    blind_s = float(line.get("coarsest_s", 0))
    return History(f"wait for {_without_chance(line['what'], run)}", stays, blind_s, begins_late=True)


def _without_chance(what: str, run: str) -> str:
    """Take the run's name, ids and addresses out of what was waited for."""
    return _CHANCE.sub("…", re.sub(rf"(?<![\w-]){re.escape(run)}\b|(?<=-){re.escape(run)}\b", "…", what))


def _uniform(state: str) -> str:
    """Give the state that all share (``2 pending`` is pending), none when they differ."""
    whole = _UNIFORM.fullmatch(state)
    return whole[1] if whole else ""


def _made_at(line: Mapping[str, Any], ledger: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Say when what is waited for was made, if the ledger tells."""
    kinds = [one for one in ledger if one.get("kind") == "made" and one["at"] <= line["at"]]
    named = (one for one in reversed(kinds) if line["what"].startswith(one["what"].replace("-", " ") + " "))
    made = next(named, None)
    return datetime.fromisoformat(made["at"]) if made else None


def _stays(walk: Sequence[tuple[datetime, str]], *, begun: bool) -> tuple[Stay, ...]:
    """Turn dated states into stays; the first one's beginning was only seen if ``begun``."""
    changes = [one for number, one in enumerate(walk) if number == 0 or walk[number - 1][1] != one[1]]
    stays = []
    for number, (at, state) in enumerate(changes):
        is_seen_whole = number + 1 < len(changes) and (number > 0 or begun)
        stays.append(Stay(state, (changes[number + 1][0] - at).total_seconds() if is_seen_whole else None))
    return tuple(stays)


# -- holding two against each other ----------------------------------------------------------------------------


def differences(ours: Iterable[History], theirs: Iterable[History]) -> list[str]:
    """Say in words where two runs did not go through the same states in the same order."""
    left, right = _by_subject(ours), _by_subject(theirs)
    return [
        words
        for subject in sorted(left.keys() | right.keys())
        for words in _unlike(left.get(subject, []), right.get(subject, []))
    ]


def _by_subject(histories: Iterable[History]) -> dict[str, list[History]]:
    found: dict[str, list[History]] = defaultdict(list)
    for history in histories:
        found[history.subject].append(history)
    return found


def _unlike(ours: Sequence[History], theirs: Sequence[History]) -> Iterator[str]:
    """Pair the histories of one subject, alike with alike, and name those that are left."""
    unpaired = list(theirs)
    for one in ours:
        partner = next((other for other in unpaired if is_alike(one, other)), None)
        if partner is not None:
            unpaired.remove(partner)
        elif theirs or not _was_over_at_once(one):
            yield f"only here: {one}"
    for other in unpaired:
        if ours or not _was_over_at_once(other):
            yield f"only there: {other}"


def _was_over_at_once(wait: History) -> bool:
    """Say whether the other run may have had nothing to wait for: what it would have waited for is too short."""
    before = wait.stays[:-1]
    is_short = all(stay.seconds is not None and stay.seconds <= 2 * wait.blind_s for stay in before)
    return wait.begins_late and bool(before) and is_short


def without_races(history: History) -> History:
    """Leave out the states that are there or not by chance."""
    stays = history.stays
    for race in RACES:
        if re.fullmatch(race.subject, history.subject):
            stays = tuple(stay for number, stay in enumerate(stays) if not _is_raced(history.states, number, race))
    return replace(history, stays=stays)


def _is_raced(states: Sequence[str], number: int, race: Race) -> bool:
    """Say whether a state stands in a race's stretch: after its first, before its last, only racers in between."""
    if states[number] not in race.between:
        return False
    before = next((state for state in reversed(states[:number]) if state not in race.between), "")
    after = next((state for state in states[number:] if state not in race.between), "")
    return (before, after) == (race.first, race.last)


def is_alike(one: History, other: History) -> bool:
    """Say whether two histories are the same but for chance and for states too short to be surely seen."""
    one, other, blind_s = without_races(one), without_races(other), one.blind_s + other.blind_s
    matcher = SequenceMatcher(None, one.states, other.states, autojunk=False)
    for word, i, j, k, m in matcher.get_opcodes():
        if word == "equal":
            continue
        late = one.begins_late and i == 0 and k == 0 and word in ("delete", "insert")
        lone = (*one.stays[i:j], *other.stays[k:m])
        if not late and not all(stay.seconds is not None and stay.seconds <= blind_s for stay in lone):
            return False
    return True


# -- how long it took ------------------------------------------------------------------------------------------


def stages(histories: Iterable[History]) -> list[Stage]:
    """Give every stay that was seen from its beginning to its end, named by observer and state."""
    return [
        Stage(f"{_observer(history)}: {stay.state}", stay.seconds, history.blind_s)
        for history in histories
        for stay in history.stays
        if stay.seconds is not None
    ]


def _observer(history: History) -> str:
    if history.subject.startswith("wait for "):
        return " ".join(word for word in history.subject.split(" ")[2:] if word.islower() and word.isalpha())
    return history.subject.rpartition(", ")[2]


def responses(events: Sequence[tuple[datetime, str, str]], blind_s: float) -> list[Stage]:
    """Give the time from each deed of ours to the group's first change that names the same instance, or any new one."""
    found = []
    for at, lane, what in events:
        if lane == "us":
            resource, _, deed = what.rpartition(": ")
            after = (
                (when, words)
                for when, seer, words in events
                if seer == "group" and when > at and words.startswith(resource)
            )
            when, words = next(after, (None, ""))
            if when is not None:
                name = f"us, {re.sub(r'[0-9]+', 'N', deed)} -> group: {words.rpartition(': ')[2]}"
                found.append(Stage(name, (when - at).total_seconds(), blind_s))
    return found
