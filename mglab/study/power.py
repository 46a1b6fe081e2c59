"""How much a given number of requests can tell, said before the experiment: effect sizes and their probabilities.

A test that finds nothing has shown little unless it would have found something. For each kind of pattern the
table gives the probability that it is found (the noncentral chi-square distribution), and the smallest effect
that is found nine times in ten, at the strictest level that Holm's method can ask of one test in the family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from scipy.special import chdtri, chndtr

from mglab.display import column
from mglab.study.stats import FAMILY_LEVEL, percent

EFFECT = 0.65
"""The effect that is spoken of: in 65 of 100 cases instead of 50."""
WANTED = 0.9


@dataclass(frozen=True)
class Power:
    """What one kind of test would find."""

    pattern: str = field(metadata=column("If this were so"))
    requests: str = field(metadata=column("Requests"))
    effect: float = field(metadata=column("Effect (%, chance is 50)", "number"))
    found: float = field(metadata=column("Found with probability (%)", "number"))
    smallest: float = field(metadata=column("Found 9 times in 10 from (%)", "number"))


def powers(requests: int, tests: int) -> list[Power]:
    """Say what so many requests an arm find, when so many tests are judged together."""
    level = FAMILY_LEVEL / tests
    return [
        _power("one of two targets is preferred", requests, level, preferred),
        _power("the other target comes next more often than not", requests, level, taking_turns),
        _power("another port, or more load, shifts the shares", requests, level, shifted),
    ]


def preferred(share: float, requests: int, level: float) -> float:
    """Give the probability that one arm finds a ``share`` that should be a half."""
    return _exceeds(requests * (2 * share - 1) ** 2, level)


def taking_turns(change: float, requests: int, level: float) -> float:
    """Give the probability that one arm finds that the next answer differs with probability ``change``, not a half."""
    return _exceeds((requests - 1) * (2 * change - 1) ** 2, level)


def shifted(share: float, requests: int, level: float) -> float:
    """Give the probability that two arms are told apart, one with a half and one with ``share``."""
    middle = (share + 0.5) / 2
    return _exceeds(2 * requests * (share - middle) ** 2 / (middle * (1 - middle)), level)


def _power(pattern: str, requests: int, level: float, probability: Callable[[float, int, float], float]) -> Power:
    return Power(
        pattern=pattern,
        requests=str(requests),
        effect=percent(EFFECT),
        found=percent(probability(EFFECT, requests, level)),
        smallest=percent(_smallest(lambda effect: probability(effect, requests, level))),
    )


def _exceeds(noncentrality: float, level: float) -> float:
    """Give the chance that a chi-square of one degree of freedom passes its limit, being so far from its centre."""
    return 1.0 - float(chndtr(float(chdtri(1, level)), 1, noncentrality))


def _smallest(probability: Callable[[float], float]) -> float:
    """Give the least effect, to a tenth of a per cent, that is found as often as wanted; at most always."""
    return next((tenths / 1000 for tenths in range(500, 1000) if probability(tenths / 1000) >= WANTED), 1.0)
