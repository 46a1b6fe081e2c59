"""Who answers: shares, evenness and order, on sequences whose truth is known."""

from __future__ import annotations

from random import Random

import pytest

from mglab.study.stats import alternation, by_door, evenness, shares, wilson

A, B = "192.168.0.57", "192.168.1.93"
TURNS = [A, B] * 30
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


def test_chi_square_is_the_textbooks() -> None:
    """60 and 40 of 100: chi-square 4, p 0.0455 with one degree of freedom."""
    test = evenness([A] * 60 + [B] * 40, [A, B])
    assert test.statistic == 4.0 and test.p_value == pytest.approx(0.0455, abs=5e-4)


def test_a_responder_that_never_answers_makes_shares_uneven() -> None:
    assert evenness([A] * 60, [A, B]).says == "shares differ from equal"


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (TURNS, "turns alternate more than chance gives"),
        (STICKY, "answers cluster more than chance gives"),
        ([A] * 60, "not measured: only one responder answered"),
        ([], "not measured: only one responder answered"),
        ([A, B], "not measured: too few answers"),
    ],
)
def test_the_order_of_answers(answers: list[str], says: str) -> None:
    assert alternation(answers).says == says


def test_chance_is_called_chance_nearly_always() -> None:
    """At the 1 % level two hundred true worlds give a false alarm in a few at most."""
    alarms = sum(alternation(drawn(seed)).says != "the order is what chance gives" for seed in range(200))
    assert alarms <= 10


def test_doors_say_who_answers_behind_them() -> None:
    (door,) = by_door({"us-east-1a (127.65.0.4)": [A, A, None]})
    assert (door.asked, door.answered, door.responders) == (3, 2, f"{A} (2)")
