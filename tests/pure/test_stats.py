"""Who answers: shares, tests and their power, on sequences whose truth is known and against scipy's own tests."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import scipy.stats

from mglab.study import power, stats
from mglab.study.stats import FAMILY_LEVEL, fit, holm, independence, runs, shares, wilson

A, B, C = "192.168.0.57", "192.168.1.93", "192.168.0.140"
STICKY = [A] * 30 + [B] * 30


def drawn(seed: int, count: int = 60) -> list[str]:
    chance = Random(seed)
    return [chance.choice((A, B)) for _ in range(count)]


def test_wilsons_interval_is_the_textbooks() -> None:
    """Wilson (1927): 10 of 20 gives 0.299 to 0.701."""
    assert wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0 and wilson(10, 10)[1] == pytest.approx(1.0)


def test_shares_are_counted_most_frequent_first() -> None:
    first, second = shares([A, B, B, B])
    assert (first.responder, first.answers, first.share) == (B, 3, 75.0)
    assert first.low < 75.0 < first.high and second.share == 25.0


@pytest.mark.parametrize("counts", [[60, 40], [33, 41, 26], [240, 0]])
def test_shares_are_tested_as_scipy_does(counts: list[int]) -> None:
    assert (fit(counts).statistic, fit(counts).p_value) == pytest.approx(tuple(scipy.stats.chisquare(counts)))


def test_shares_may_be_expected_unequal() -> None:
    theirs = scipy.stats.chisquare([70, 50, 120], [60, 60, 120])
    ours = fit([70, 50, 120], [1, 1, 2])
    assert (ours.statistic, ours.p_value) == pytest.approx(tuple(theirs))


def test_few_answers_are_compared_with_drawn_ones() -> None:
    """Nine of nine from one of two: the exact chance is 2 in 512, which the curve would make 2 in 741."""
    ours = fit([9, 0])
    assert ours.p_value == pytest.approx(2 / 512, abs=2e-3) and "drawn" in ours.name
    assert ours == fit([9, 0]), "the same data, the same p"


@pytest.mark.parametrize("rows", [[[60, 40], [45, 55]], [[30, 20, 50], [33, 25, 42], [28, 31, 41]]])
def test_tables_are_tested_as_scipy_does(rows: list[list[int]]) -> None:
    theirs = scipy.stats.chi2_contingency(rows, correction=False)
    assert (independence(rows).statistic, independence(rows).p_value) == pytest.approx(theirs[:2])


def test_small_tables_are_shuffled_and_agree_with_fisher() -> None:
    rows = [[7, 1], [2, 6]]
    ours = independence(rows)
    assert "shuffled" in ours.name
    assert ours.p_value == pytest.approx(scipy.stats.fisher_exact(rows).pvalue, abs=0.02)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "there were no answers"),
        ([[0, 0], [0, 0]], "there were no answers"),
        ([[5, 0], [7, 0]], "only one responder answered"),
        ([[5, 4], [0, 0]], "there was nothing to compare with"),
    ],
)
def test_a_table_that_says_nothing_is_not_measured(rows: list[list[int]], why: str) -> None:
    assert (independence(rows).p_value, independence(rows).not_measured) == (None, why)


@pytest.mark.parametrize(
    ("answers", "above_chance"),
    [([A, B] * 30, True), ([A, B, C] * 20, True), (STICKY, False), ([*STICKY, *[C] * 30], False)],
)
def test_turns_and_clusters_are_found_among_two_and_among_three(answers: list[str], above_chance: bool) -> None:
    test = runs(answers)
    assert test.p_value is not None and test.statistic is not None
    assert test.p_value < 1e-6 and (test.statistic > 0) is above_chance


@pytest.mark.parametrize(
    ("answers", "why"),
    [([A] * 60, "only one responder answered"), ([], "there were no answers"), ([A, B], "too few answers")],
)
def test_an_order_that_says_nothing_is_not_measured(answers: list[str], why: str) -> None:
    assert (runs(answers).p_value, runs(answers).not_measured) == (None, why)


def test_the_number_of_runs_by_chance_is_what_shuffling_gives() -> None:
    """Barton and David's mean and variance, held against a few thousand shuffled sequences of three responders."""
    codes = np.array([0] * 12 + [1] * 9 + [2] * 5)
    shuffled = np.random.default_rng(3).permuted(np.tile(codes, (20_000, 1)), axis=1)
    counted = stats._runs(shuffled)
    mean, variance = stats._runs_by_chance(np.bincount(codes))
    assert mean == pytest.approx(counted.mean(), rel=0.01) and variance == pytest.approx(counted.var(), rel=0.05)


def test_a_short_order_is_compared_with_shuffled_ones() -> None:
    """Four and four in strict turns: 2 of 70 orders have as many runs, and 2 as few."""
    ours = runs([A, B] * 4)
    assert "shuffled" in ours.name and ours.p_value == pytest.approx(4 / 70, abs=0.02)


@pytest.mark.parametrize("count", [20, 60, 240])
def test_chance_is_called_chance_as_often_as_promised(count: int) -> None:
    """At the 5 % level about ten in two hundred orders by chance stand out, and not twenty."""
    stand_out = sum((runs(drawn(seed, count)).p_value or 1.0) < 0.05 for seed in range(200))
    assert stand_out <= 20


def test_holms_adjustment_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


# -- power -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.6, 0.65])
def test_a_preference_is_found_as_often_as_said(share: float) -> None:
    level, found = FAMILY_LEVEL / 16, np.random.default_rng(5).binomial(240, share, 4000)
    really = np.mean([(fit([n, 240 - n]).p_value or 1) < level for n in found])
    assert really == pytest.approx(power.preferred(share, 240, level), abs=0.03)


def test_a_shift_is_found_as_often_as_said() -> None:
    level, chance = FAMILY_LEVEL / 16, np.random.default_rng(6)
    pairs = zip(chance.binomial(240, 0.5, 2000), chance.binomial(240, 0.65, 2000), strict=True)
    really = np.mean([(independence([[a, 240 - a], [b, 240 - b]]).p_value or 1) < level for a, b in pairs])
    assert really == pytest.approx(power.shifted(0.65, 240, level), abs=0.04)


def test_turns_are_found_as_often_as_said() -> None:
    """The next answer differs in 65 of 100 cases."""
    level, chance = FAMILY_LEVEL / 16, np.random.default_rng(7)
    orders = np.cumsum(chance.random((1500, 240)) < 0.65, axis=1) % 2
    really = np.mean([(runs([A if code else B for code in order]).p_value or 1) < level for order in orders])
    assert really == pytest.approx(power.taking_turns(0.65, 240, level), abs=0.04)


def test_the_notebooks_number_of_requests_has_power_and_says_how_much() -> None:
    rows = power.powers(240, 16)
    assert rows[0].found > 90 and rows[1].found > 90 and rows[2].smallest < 71
    assert all(few.found < many.found for few, many in zip(power.powers(120, 16), rows, strict=True))
    assert power.powers(3, 16)[0].smallest == 100.0
