"""Is there any pattern in who answers? (Question 1)

Pure functions over a sequence of responders:

* ``shares``: how often each answered, with Wilson's 95 % interval;
* ``evenness``: chi-square against equal shares (is one preferred?);
* ``alternation``: Wald and Wolfowitz's runs test (is the order more regular, or more clustered, than chance?
  A round robin alternates: far more runs than chance gives; a sticky choice gives far fewer).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, sqrt

# scipy.stats would be three seconds of import for these two tail probabilities.
from scipy.special import chdtrc, ndtr

from mglab.display import column

Z_95 = 1.959964
SIGNIFICANT = 0.01


@dataclass(frozen=True)
class Share:
    """How often one responder answered."""

    responder: str = field(metadata=column("Answered by", "address"))
    answers: int = field(metadata=column("Answers", "number"))
    share: float = field(metadata=column("Share (%)", "number"))
    low: float = field(metadata=column("95 % from", "number"))
    high: float = field(metadata=column("to", "number"))


@dataclass(frozen=True)
class Test:
    """One statistical test and what it says, in words."""

    __test__ = False

    name: str = field(metadata=column("Test"))
    statistic: float | None = field(metadata=column("Statistic", "number"))
    p_value: float | None = field(metadata=column("p", "number"))
    says: str = field(metadata=column("Says"))


def shares(responders: Sequence[str]) -> list[Share]:
    """Count who answered; percentages with Wilson's interval, most frequent first."""
    total = len(responders)
    return [_share(responder, answers, total) for responder, answers in Counter(responders).most_common()]


def _share(responder: str, answers: int, total: int) -> Share:
    low, high = wilson(answers, total)
    return Share(responder, answers, _percent(answers / total), _percent(low), _percent(high))


def wilson(successes: int, total: int) -> tuple[float, float]:
    """Give Wilson's 95 % interval of a proportion."""
    p, z2 = successes / total, Z_95**2
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z_95 * sqrt(p * (1 - p) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(0.0, centre - half), min(1.0, centre + half)


def evenness(responders: Sequence[str], expected: Sequence[str]) -> Test:
    """Test whether the ``expected`` responders answered equally often (chi-square)."""
    counts = Counter(responders)
    observed = [counts[name] for name in expected]
    if len(observed) < 2:
        return Test("Equal shares (chi-square)", None, None, "not measured: there was only one possible responder")
    expected_each = sum(observed) / len(observed)
    statistic = sum((count - expected_each) ** 2 for count in observed) / expected_each
    p = float(chdtrc(len(observed) - 1, statistic))
    says = "shares differ from equal" if p < SIGNIFICANT else "no evidence against equal shares"
    return Test("Equal shares (chi-square)", round(statistic, 2), _p(p), says)


def alternation(responders: Sequence[str]) -> Test:
    """Test whether the order of answers is what chance gives (runs test on 'same responder as the most frequent')."""
    name = "Order (runs test)"
    first = Counter(responders).most_common(1)[0][0] if responders else ""
    flags = [responder == first for responder in responders]
    ones, zeros = sum(flags), len(flags) - sum(flags)
    if not ones or not zeros:
        return Test(name, None, None, "not measured: only one responder answered")
    runs = 1 + sum(a != b for a, b in zip(flags, flags[1:], strict=False))
    mean = 1 + 2 * ones * zeros / len(flags)
    variance = (mean - 1) * (mean - 2) / (len(flags) - 1)
    if variance <= 0:
        return Test(name, None, None, "not measured: too few answers")
    z = (runs - mean) / sqrt(variance)
    p = float(2 * ndtr(-abs(z)))
    return Test(name, round(z, 2), _p(p), _order_says(z, p))


def _order_says(z: float, p: float) -> str:
    if p >= SIGNIFICANT:
        return "the order is what chance gives"
    return "turns alternate more than chance gives" if z > 0 else "answers cluster more than chance gives"


@dataclass(frozen=True)
class ZoneAnswer:
    """Who answered through one zone's address."""

    door: str = field(metadata=column("Asked through"))
    asked: int = field(metadata=column("Asked", "number"))
    answered: int = field(metadata=column("Answered", "number"))
    responders: str = field(metadata=column("Answered by"))


def by_door(doors: Mapping[str, Sequence[str | None]]) -> list[ZoneAnswer]:
    """Table who answered behind each address that was asked (None: no answer)."""
    return [
        ZoneAnswer(
            door,
            len(responders),
            sum(r is not None for r in responders),
            ", ".join(f"{name} ({count})" for name, count in Counter(filter(None, responders)).most_common())
            or "nobody",
        )
        for door, responders in doors.items()
    ]


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in Counter(names).most_common())


def _percent(value: float) -> float:
    return round(100 * value, 1)


def _p(value: float) -> float | None:
    return None if isnan(value) else float(f"{value:.3g}")
