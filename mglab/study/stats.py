"""Shares and tests for the question who answers: pure functions over counts and over sequences.

* ``shares``: how often each answered, with Wilson's 95 % interval;
* ``fit``: chi-square, do counts fit expected shares (is one preferred?);
* ``independence``: chi-square, do the rows of a table have the same shares (does the address, the port, the
  load make a difference?);
* ``runs``: is the order more regular, or more clustered, than chance? Wald and Wolfowitz's test in Barton and
  David's form for any number of responders. A round robin has far more runs than chance, a sticky choice far fewer;
* ``holm``: many questions asked at once, and no more false alarms than one question would give.

Where few were counted the curves do not hold (Cochran: an expected count below five): the same statistic is
then compared with that of shuffled data. The shuffling begins at a fixed seed: the same data, the same p.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

# scipy.stats would be three seconds of import for these two tail probabilities.
from scipy.special import chdtrc, ndtr

from mglab.display import column

Z_95 = 1.959964
FAMILY_LEVEL = 0.02
"""How often a whole conclusion may contain a false alarm: a promise of one in twenty, with room for what the tests'
curves only approximate."""
LEAST_EXPECTED = 5.0
LEAST_ORDER = 30
"""Sequences shorter than this are compared with shuffled ones."""
SHUFFLES = 1999
SEED = 1


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
    """One statistical test; without a p-value it says why it was not measured."""

    __test__ = False

    name: str
    counted: int
    statistic: float | None = None
    p_value: float | None = None
    not_measured: str = ""


def shares(responders: Sequence[str]) -> list[Share]:
    """Count who answered; percentages with Wilson's interval, most frequent first."""
    total = len(responders)
    return [_share(responder, answers, total) for responder, answers in Counter(responders).most_common()]


def _share(responder: str, answers: int, total: int) -> Share:
    low, high = wilson(answers, total)
    return Share(responder, answers, percent(answers / total), percent(low), percent(high))


def wilson(successes: int, total: int) -> tuple[float, float]:
    """Give Wilson's 95 % interval of a proportion."""
    p, z2 = successes / total, Z_95**2
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z_95 * sqrt(p * (1 - p) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(0.0, centre - half), min(1.0, centre + half)


def fit(counts: Sequence[int], expected_shares: Sequence[float] = ()) -> Test:
    """Test whether counts fit the expected shares; equal ones, if none are given."""
    name, total = "chi-square of shares", sum(counts)
    if total == 0:
        return Test(name, 0, not_measured="there were no answers")
    if len(counts) < 2:
        return Test(name, total, not_measured="only one could answer")
    chances = np.array(expected_shares or [1.0] * len(counts), float)
    chances = chances / chances.sum()
    expected = total * chances
    statistic = float(((np.array(counts) - expected) ** 2 / expected).sum())
    if expected.min() >= LEAST_EXPECTED:
        return Test(name, total, statistic, float(chdtrc(len(counts) - 1, statistic)))
    drawn = np.random.default_rng(SEED).multinomial(total, chances, size=SHUFFLES)
    return Test(f"{name}, drawn", total, statistic, _p(((drawn - expected) ** 2 / expected).sum(axis=1), statistic))


def independence(rows: Sequence[Sequence[int]]) -> Test:
    """Test whether all rows of a table of counts have the same shares; empty rows and columns say nothing."""
    name, table = "chi-square of independence", _dense(rows)
    if min(table.shape) < 2:
        return Test(name, int(table.sum()), not_measured=_too_thin(table))
    expected = _expected(table)
    statistic = float(_chi_square(table, expected))
    if expected.min() >= LEAST_EXPECTED:
        freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        return Test(name, int(table.sum()), statistic, float(chdtrc(freedom, statistic)))
    by_chance = _p(_chi_square(_shuffled_tables(table), expected), statistic)
    return Test(f"{name}, shuffled", int(table.sum()), statistic, by_chance)


def runs(sequence: Sequence[str]) -> Test:
    """Test whether the order of answers is what chance gives; the statistic is z, above 0 when turns alternate."""
    name, count = "runs test z", len(sequence)
    codes = np.unique(np.array(sequence, dtype=str), return_inverse=True)[1]
    sizes = np.bincount(codes) if count else np.zeros(0, int)
    if len(sizes) < 2:
        return Test(name, count, not_measured="only one responder answered" if count else "there were no answers")
    mean, variance = _runs_by_chance(sizes)
    seen = _runs(codes)
    if variance <= 0:
        return Test(name, count, not_measured="too few answers")
    z = float((seen - mean) / sqrt(variance))
    if count >= LEAST_ORDER and sizes.min() >= LEAST_EXPECTED:
        return Test(name, count, z, float(2 * ndtr(-abs(z))))
    shuffled = np.random.default_rng(SEED).permuted(np.tile(codes, (SHUFFLES, 1)), axis=1)
    return Test(f"{name}, shuffled", count, z, _p(np.abs(_runs(shuffled) - mean), abs(seen - mean)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that comparing each with a level keeps the chance of any false alarm at that level."""
    adjusted, worst = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda it: p_values[it])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted


def percent(value: float) -> float:
    """Give a proportion in per cent, to a tenth."""
    return round(100 * value, 1)


def _dense(rows: Sequence[Sequence[int]]) -> np.ndarray[Any, Any]:
    table = np.array(rows, int).reshape(len(rows), len(rows[0]) if rows else 0)
    return table[:, table.any(axis=0)][table.any(axis=1)]


def _too_thin(table: np.ndarray[Any, Any]) -> str:
    if not table.size:
        return "there were no answers"
    return "only one responder answered" if table.shape[1] < 2 else "there was nothing to compare with"


def _expected(table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()


def _chi_square(tables: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> Any:
    return ((tables - expected) ** 2 / expected).sum(axis=(-2, -1))


def _shuffled_tables(table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give tables with the same margins, as chance would fill them."""
    row_of = np.repeat(np.arange(table.shape[0]), table.sum(axis=1))
    column_of = np.repeat(np.arange(table.shape[1]), table.sum(axis=0))
    columns = np.random.default_rng(SEED).permuted(np.tile(column_of, (SHUFFLES, 1)), axis=1)
    cells = row_of * table.shape[1] + columns + table.size * np.arange(SHUFFLES)[:, None]
    return np.bincount(cells.ravel(), minlength=table.size * SHUFFLES).reshape(SHUFFLES, *table.shape)


def _runs(codes: np.ndarray[Any, Any]) -> Any:
    return 1 + (codes[..., 1:] != codes[..., :-1]).sum(axis=-1)


def _runs_by_chance(sizes: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Give mean and variance of the number of runs when every order is equally likely (Barton and David 1957)."""
    n, squares, cubes = int(sizes.sum()), float((sizes**2).sum()), float((sizes**3).sum())
    if n < 2:
        return float(n), 0.0
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n**2 * (n - 1))
    return (n * (n + 1) - squares) / n, variance


def _p(by_chance: np.ndarray[Any, Any], seen: float) -> float:
    """Give the share of what chance gives that is at least as far out as what was seen, which counts too."""
    return float((1 + (by_chance >= seen - 1e-9).sum()) / (1 + len(by_chance)))
