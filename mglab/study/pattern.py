"""Question 1, a first honest experiment: who answers, asked by name and through each zone's address.

With cross-zone balancing off (an NLB's default) two choices decide who answers. DNS chooses the zone: the
name stands for one address a zone, in an order that changes. The flow hash chooses among the healthy
targets of that zone; with one target a zone there is nothing left for it to choose (aws-facts 0.2, 1.3).
So by name the answers look random, and through one zone's address they never change. The conclusion below
is derived from what was counted, and says so when the counts say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mglab.display import column
from mglab.session import Lab
from mglab.steps import balancing, network
from mglab.study.client import Sample
from mglab.study.load import many
from mglab.study.stats import SIGNIFICANT, Test, alternation, evenness


@dataclass(frozen=True)
class Answers:
    """Many requests to one place."""

    host: str
    samples: tuple[Sample, ...]

    @property
    def responders(self) -> list[str]:
        """Give who answered, in order, leaving out requests that nobody answered."""
        return [sample.responder for sample in self.samples if sample.responder]

    @property
    def tests(self) -> list[Test]:
        """Test evenness and order."""
        return [evenness(self.responders, sorted(set(self.responders))), alternation(self.responders)]


@dataclass(frozen=True)
class ByZone:
    """Who answered behind each zone's own address: the door's label -> responders (None: no answer)."""

    doors: Mapping[str, Sequence[str | None]]

    @property
    def everyone(self) -> set[str]:
        """Give everyone who answered anywhere."""
        return {who for answers in self.doors.values() for who in answers if who}


@dataclass(frozen=True)
class Finding:
    """One statement, and the numbers it rests on."""

    statement: str = field(metadata=column("Statement"))
    because: str = field(metadata=column("Because"))


def who_answers(lab: Lab, host: str, count: int) -> Answers:
    """Ask ``host`` so many times, one after the other; a name is resolved afresh each time."""
    return Answers(host, tuple(many(lab, host, count)))


def who_answers_by_zone(lab: Lab, count: int) -> ByZone:
    """Ask each zone's node so many times, by its own address."""
    dns_name = balancing.load_balancer(lab).dns_name
    doors: dict[str, Sequence[str | None]] = {}
    for subnet in network.subnets(lab):
        for address in lab.resolve(f"{subnet.zone}.{dns_name}"):
            doors[f"{subnet.zone} ({address})"] = [sample.responder for sample in many(lab, address, count)]
    return ByZone(doors)


def conclusion(by_name: Answers, by_zone: ByZone) -> list[Finding]:
    """Say what the two experiments show, each statement with its numbers."""
    return [_order(by_name), _evenness(by_name), _zones(by_zone), _mechanism(by_name, by_zone)]


def _order(by_name: Answers) -> Finding:
    test = alternation(by_name.responders)
    if test.p_value is None:
        return Finding("Whether turns are taken was not measured.", test.says)
    if test.p_value >= SIGNIFICANT:
        return Finding("Asked by name, nobody takes turns: the order is what chance gives.", _numbers(test))
    return Finding(f"Asked by name there is an order: {test.says}.", _numbers(test))


def _evenness(by_name: Answers) -> Finding:
    test = evenness(by_name.responders, sorted(set(by_name.responders)))
    if test.p_value is None:
        return Finding("Whether the load is even was not measured.", test.says)
    even = "even, as far as this many requests can tell" if test.p_value >= SIGNIFICANT else "not even"
    return Finding(f"Asked by name, the load is {even}.", _numbers(test))


def _zones(by_zone: ByZone) -> Finding:
    single = [door for door, answers in by_zone.doors.items() if len({who for who in answers if who}) == 1]
    counts = f"{len(single)} of {len(by_zone.doors)} zone addresses had one responder only"
    if by_zone.doors and len(single) == len(by_zone.doors):
        return Finding("Through one zone's address the responder never changes.", counts)
    return Finding("Through one zone's address the responder does change.", counts)


def _mechanism(by_name: Answers, by_zone: ByZone) -> Finding:
    fixed = by_zone.doors and all(len({who for who in answers if who}) == 1 for answers in by_zone.doors.values())
    if fixed and len(by_zone.everyone) == len(by_zone.doors) > 1:
        agreed = _zone_explains(by_name, by_zone)
        return Finding(
            "The zone decides: whichever address DNS put first fixes who answers.",
            f"{agreed} of {len(by_name.responders)} answers by name came from the zone whose address was used",
        )
    return Finding(
        "The zone alone does not decide: within a zone the flow hash chooses too.",
        f"{len(by_zone.everyone)} responders behind {len(by_zone.doors)} addresses",
    )


def _zone_explains(by_name: Answers, by_zone: ByZone) -> int:
    """Count the answers by name that came from whoever answers behind the address that was used."""
    behind = {
        door.split("(")[1].rstrip(")"): next((who for who in answers if who), None)
        for door, answers in by_zone.doors.items()
    }
    return sum(
        sample.responder is not None and behind.get(sample.address) == sample.responder for sample in by_name.samples
    )


def _numbers(test: Test) -> str:
    return f"{test.name}: statistic {test.statistic}, p = {test.p_value}"
