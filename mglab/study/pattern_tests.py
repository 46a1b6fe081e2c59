"""Question 1, the tests: each question that the arms can answer, and one verdict on all of them together.

Every hypothesis says "nothing there": no turns, equal shares, no difference. So many tests would find something
by chance in every other experiment; Holm's method keeps the chance of *any* false alarm in the whole conclusion
well below one in twenty (``stats.FAMILY_LEVEL``). What could not be tested (nobody answered, only one could) is
said to be not measured.
Order is tested only where requests went one at a time: side by side, the order asked is not the order served.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mglab.display import column
from mglab.study import stats
from mglab.study.pattern import NAME, Arm, Pattern, address_by_responder, candidates
from mglab.study.stats import FAMILY_LEVEL, Test

BASE, LARGER = 2, 3
"""The lab's size, and the size at which one zone holds two instances."""


@dataclass(frozen=True)
class Verdict:
    """One hypothesis of the family, and whether the data speak against it."""

    key: str = field(repr=False)
    hypothesis: str = field(metadata=column("Hypothesis: nothing there"))
    test: str = field(metadata=column("Test"))
    counted: int = field(metadata=column("Answers", "number"))
    statistic: float | None = field(metadata=column("Statistic", "number"))
    p_value: float | None = field(metadata=column("p", "number"))
    adjusted: float | None = field(metadata=column("p, all tests together (Holm)", "number"))
    verdict: str = field(metadata=column("Verdict"))

    @property
    def measured(self) -> bool:
        """Say whether there was anything to test."""
        return self.p_value is not None

    @property
    def found(self) -> bool:
        """Say whether the data speak against "nothing there", all tests taken together."""
        return self.adjusted is not None and self.adjusted < FAMILY_LEVEL

    @property
    def numbers(self) -> str:
        """Give the numbers that the verdict rests on, in words."""
        if self.p_value is None or self.statistic is None or self.adjusted is None:
            return self.verdict
        statistic = f"{self.test} {self.statistic:.2f} on {self.counted} answers"
        return f"{statistic}, p = {self.p_value:.2g} (Holm {self.adjusted:.2g})"


def verdicts(seen: Pattern) -> dict[str, Verdict]:
    """Test every hypothesis on what was seen, and judge them all together."""
    asked = _hypotheses(seen)
    measured = [key for key, (_, test) in asked.items() if test.p_value is not None]
    adjusted = dict(zip(measured, stats.holm([asked[key][1].p_value or 0.0 for key in measured]), strict=True))
    return {key: _verdict(key, said, test, adjusted.get(key)) for key, (said, test) in asked.items()}


def family() -> tuple[str, ...]:
    """Name the hypotheses by key; the strictest test of the family is judged at the level divided by their number."""
    return tuple(_hypotheses(Pattern(0, ())))


def _verdict(key: str, hypothesis: str, test: Test, adjusted: float | None) -> Verdict:
    says = "does not hold" if adjusted is not None and adjusted < FAMILY_LEVEL else "nothing speaks against it"
    return Verdict(
        key=key,
        hypothesis=hypothesis,
        test=test.name,
        counted=test.counted,
        statistic=test.statistic,
        p_value=test.p_value,
        adjusted=adjusted,
        verdict=f"not measured: {test.not_measured}" if test.not_measured else says,
    )


def _hypotheses(seen: Pattern) -> dict[str, tuple[str, Test]]:
    """Give each hypothesis by its key: in words, and its test."""
    named = seen.select(instances=BASE, through=NAME)
    base = seen.select(instances=BASE)
    loads = seen.select(instances=BASE, through=NAME, at_once=None)
    named_larger = seen.select(instances=LARGER, through=NAME)
    within, within_loads, one_port = shared(seen), shared(seen, at_once=None), shared(seen, fixed_port=True)
    across = [arm for arm in seen.select(instances=BASE, cross_zone=True) if arm.through != NAME]
    return {
        "order": ("By name, nobody takes turns", stats.runs(_answers(named))),
        "even": ("By name, both instances answer equally often", _evenness(named)),
        "dns-order": ("By name, the zones' addresses come in no order", stats.runs(_addresses(named))),
        "dns-even": ("By name, the zones' addresses are used equally often", _address_evenness(named)),
        "load": ("By name, it does not matter how many ask at once", _by_arm(loads)),
        "address": ("It does not matter which zone's address is used", _by_address(base)),
        "larger-even": ("By name, three instances answer equally often", _evenness(named_larger)),
        "larger-fit": ("By name, the instances of a zone share what its address was given", _zone_shares(named_larger)),
        "within-even": ("Through one address, the zone's two instances answer equally often", _evenness(within)),
        "within-order": ("Through one address, nobody takes turns", stats.runs(_answers(within))),
        "within-load": ("Through one address, it does not matter how many ask at once", _by_arm(within_loads)),
        "port": ("Through one address, a fixed source port changes no shares", _by_arm([*within, *one_port])),
        "port-order": ("From one source port, nobody takes turns", stats.runs(_answers(one_port))),
        "cross-address": ("With cross-zone on, it does not matter which address is used", _by_address(across)),
        "cross-even": ("With cross-zone on, both instances answer equally often", _evenness(across)),
        "cross-order": (
            "With cross-zone on, through one address, nobody takes turns",
            stats.runs(_answers(across[:1])),
        ),
    }


def shared(seen: Pattern, *, at_once: int | None = 1, fixed_port: bool = False) -> list[Arm]:
    """Give the arms through the first zone that held two instances, where the node has something to choose."""
    arms = seen.select(instances=LARGER, at_once=None, fixed_port=fixed_port)
    zones = [arm.through for arm in arms if arm.through != NAME and len(arm.setting.within(arm.through)) > 1]
    return [arm for arm in arms if zones and arm.through == zones[0] and at_once in (None, arm.at_once)]


def _answers(arms: Iterable[Arm]) -> list[str]:
    return [responder for arm in arms for responder in arm.responders]


def _addresses(arms: Iterable[Arm]) -> list[str]:
    return [sample.address for arm in arms for sample in arm.samples]


def _evenness(arms: Sequence[Arm]) -> Test:
    """Test equal shares among all who might have answered."""
    return stats.fit(_counts(_answers(arms), sorted({who for arm in arms for who in candidates(arm)})))


def _address_evenness(arms: Sequence[Arm]) -> Test:
    given = sorted({node.address for arm in arms for node in arm.setting.nodes})
    return stats.fit(_counts(_addresses(arms), given))


def _by_arm(arms: Sequence[Arm]) -> Test:
    """Test whether all arms have the same shares."""
    everyone = sorted({*_answers(arms)})
    return stats.independence([_counts(arm.responders, everyone) for arm in arms])


def _by_address(arms: Sequence[Arm]) -> Test:
    """Test whether the shares are the same behind each address."""
    behind, everyone = address_by_responder(arms), sorted({*_answers(arms)})
    return stats.independence([[counts[who] for who in everyone] for counts in behind.values()])


def _zone_shares(arms: Sequence[Arm]) -> Test:
    """Test whether each zone's answers by name spread evenly over its instances, whatever DNS gave each zone.

    Where the zone decides, the zones' totals fit by themselves: the test then errs on the safe side.
    """
    expected: Counter[str] = Counter()
    for arm in arms:
        answered = Counter(arm.setting.zones.get(sample.address, "") for sample in arm.samples if sample.answered)
        for zone, answers in answered.items():
            mates = arm.setting.within(zone)
            expected.update({mate: answers / len(mates) for mate in mates})
    used = sorted(who for who, share in expected.items() if share)
    return stats.fit(_counts(_answers(arms), used), [expected[who] for who in used])


def _counts(answers: Sequence[str], everyone: Sequence[str]) -> list[int]:
    counted = Counter(answers)
    return [counted[who] for who in everyone]
