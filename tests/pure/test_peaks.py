"""Peaks are averages over what really passed: ten seconds, or more where the clock leaps (aws-facts 4.1)."""

from __future__ import annotations

import pytest

from mglab.localcloud.rules.peaks import Peak, next_minute, seen


def walk(*looks: tuple[float, int, int]) -> Peak:
    peak = None
    for at, packets, bytes_ in looks:
        peak = seen(peak, at, packets, bytes_)
    assert peak is not None
    return peak


def test_a_window_ends_after_ten_seconds_and_not_before() -> None:
    assert walk((0, 0, 0), (9, 900, 900)).packets_per_s == 0
    peak = walk((0, 0, 0), (9, 900, 900), (10, 1000, 2000))
    assert (peak.packets_per_s, peak.bytes_per_s) == (100, 200)


def test_the_highest_window_counts() -> None:
    assert walk((0, 0, 0), (10, 100, 0), (20, 900, 0), (30, 950, 0)).packets_per_s == 80


@pytest.mark.parametrize("leap", [15.0, 60.0, 600.0])
def test_a_leap_of_the_clock_is_divided_by_what_really_passed(leap: float) -> None:
    assert walk((0, 0, 0), (leap, 600, 60)).packets_per_s == pytest.approx(600 / leap)


def test_a_minute_begins_without_a_peak_and_with_the_open_window() -> None:
    peak = next_minute(walk((0, 0, 0), (10, 500, 0), (14, 540, 0)))
    assert peak.packets_per_s == 0
    assert seen(peak, 20, 600, 0).packets_per_s == 10


def test_totals_that_fall_begin_a_window() -> None:
    assert walk((0, 1000, 1000), (10, 20, 20), (20, 120, 20)).packets_per_s == 10
