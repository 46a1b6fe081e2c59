"""CPU credits: earned by the hour, used by the busy minute, launch credits first (EC2's burstable types)."""

from __future__ import annotations

import pytest

from mglab.localcloud.rules.credits import TYPES, Account, after, opened, used

MICRO = TYPES["t2.micro"]


def test_a_t2_micro_begins_with_thirty_and_earns_six_an_hour() -> None:
    account = opened(MICRO)
    assert account.balance == 30
    for _ in range(12):
        account = after(account, MICRO, 0.0, 5)
    assert account.balance == pytest.approx(36)


CASES = [("t2.micro", 100, 5), ("t2.micro", 10, 0.5), ("t3.micro", 50, 5)]


@pytest.mark.parametrize(("kind", "percent", "usage"), CASES)
def test_a_credit_is_a_busy_minute_of_one_vcpu(kind: str, percent: float, usage: float) -> None:
    assert used(TYPES[kind], percent, 5) == usage


def test_at_its_baseline_of_ten_percent_a_t2_micro_keeps_what_it_has() -> None:
    settled = Account(launch=0, earned=50)
    assert after(settled, MICRO, used(MICRO, 10, 60), 60).balance == pytest.approx(50)


def test_launch_credits_are_spent_first_and_do_not_count_towards_the_limit() -> None:
    full = Account(launch=30, earned=144)
    assert after(full, MICRO, 0, 60) == full
    spent = after(full, MICRO, 20, 60)
    assert spent == Account(launch=10, earned=144)
    assert after(spent, MICRO, 40, 60) == Account(launch=0, earned=120)


def test_a_balance_never_falls_below_nothing() -> None:
    assert after(Account(0, 1), MICRO, 5, 5).balance == 0


def test_t3_has_no_launch_credits() -> None:
    assert opened(TYPES["t3.micro"]).balance == 0
