"""When an alarm changes its state, as AWS's tables say, and in AWS's words; statistics of samples."""

from __future__ import annotations

import json

import pytest

from mglab.localcloud.rules import alarms
from mglab.localcloud.rules.alarms import Point, Rule
from mglab.localcloud.rules.statistics import (
    Sample,
    between,
    buckets,
    cpu_utilization,
    is_statistic,
    rolled_up,
    single,
    statistic,
)

START = 1_694_865_600.0  # 16 September 2023, 12:00 UTC
RETAIN = None
WAITS = None


def rule(needed: int = 3, periods: int = 3, treat: str = "missing", **changes: object) -> Rule:
    settings = {
        "statistic": "Average", "period_s": 60, "comparison": "GreaterThanThreshold", "threshold": 50.0,
        "evaluation_periods": periods, "datapoints_to_alarm": needed, "m_of_n": needed != periods,
        "treat_missing": treat,
    }
    return Rule(**{**settings, **changes})  # type: ignore[arg-type]


def seen(pattern: str) -> list[Point | None]:
    """X is a breaching point, 0 one that is not, - a missing one; the newest is the last."""
    values = {"X": 90.0, "0": 10.0}
    return [
        Point(START + 60 * i, values[each]) if each in values else None for i, each in enumerate(pattern.split())
    ]


# AWS's own tables: pattern, then the state for missing, ignore, breaching, notBreaching.
THREE_OF_THREE = [
    ("0 - X - X", "OK", "OK", "OK", "OK"),
    ("0 - - - -", "OK", "OK", "OK", "OK"),
    ("- - - - -", "INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
    ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("- - X - -", "ALARM", RETAIN, "ALARM", "OK"),
    ("- - - - X", WAITS, RETAIN, "ALARM", "OK"),
    ("- - - X -", WAITS, RETAIN, "ALARM", "OK"),
]
TWO_OF_THREE = [
    ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 - X - -", "OK", "OK", "ALARM", "OK"),
    ("- - - - 0", "OK", "OK", "ALARM", "OK"),
    ("- - - X -", "ALARM", RETAIN, "ALARM", "OK"),
]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
TABLES = [
    (needed, pattern, treat, state)
    for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for pattern, *states in table
    for treat, state in zip(TREATMENTS, states, strict=True)
]


@pytest.mark.fact("2.6/missing-data", "2.6/premature-alarm", "2.6/evaluation-range")
@pytest.mark.parametrize(("needed", "pattern", "treat", "state"), TABLES)
def test_missing_data_is_treated_as_awss_tables_say(needed: int, pattern: str, treat: str, state: str | None) -> None:
    assert alarms.evaluate(rule(needed, treat=treat), seen(pattern)).state == state


def stamped(values: list[float]) -> list[Point | None]:
    return [Point(START + 60 * i, value) for i, value in enumerate(values)]


REASONS = [
    (
        rule(1, 1, threshold=21.0), [21.5], "ALARM",
        "Threshold Crossed: 1 datapoint [21.5 (16/09/23 12:00:00)] was greater than the threshold (21.0).",
    ),
    (
        rule(1, 1), [10.0], "OK",
        "Threshold Crossed: 1 datapoint [10.0 (16/09/23 12:00:00)] was not greater than the threshold (50.0).",
    ),
    (
        rule(), [70.0, 80.0, 90.0], "ALARM",
        "Threshold Crossed: 3 datapoints [90.0 (16/09/23 12:02:00), 80.0 (16/09/23 12:01:00), "
        "70.0 (16/09/23 12:00:00)] were greater than the threshold (50.0).",
    ),
    (
        rule(5, 5, threshold=10.0), [27.5] * 5, "ALARM",
        "Threshold Crossed: 5 datapoints were greater than the threshold (10.0). The most recent datapoints which "
        "crossed the threshold: [27.5 (16/09/23 12:04:00), 27.5 (16/09/23 12:03:00), 27.5 (16/09/23 12:02:00), "
        "27.5 (16/09/23 12:01:00), 27.5 (16/09/23 12:00:00)].",
    ),
    (
        rule(1, 1, m_of_n=True), [99.0], "ALARM",
        "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (16/09/23 12:00:00)] was greater than the threshold "
        "(50.0) (minimum 1 datapoint for OK -> ALARM transition).",
    ),
    (
        rule(3, 5, threshold=0.0), [0.0, 0.0, 0.0, 1.0, 1.0], "OK",
        "Threshold Crossed: 3 out of the last 5 datapoints [0.0 (16/09/23 12:02:00), 0.0 (16/09/23 12:01:00), "
        "0.0 (16/09/23 12:00:00)] were not greater than the threshold (0.0) (minimum 3 datapoints for ALARM -> OK "
        "transition).",
    ),
    (rule(1, 1), [], "INSUFFICIENT_DATA", "Insufficient Data: 1 datapoint was unknown."),
    (rule(), [], "INSUFFICIENT_DATA", "Insufficient Data: 3 datapoints were unknown."),
    (
        rule(treat="notBreaching"), [], "OK",
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as "
        "[NonBreaching].",
    ),
    (
        rule(treat="breaching"), [90.0], "ALARM",
        "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as "
        "[Breaching].",
    ),
]


@pytest.mark.fact("4.4/reason", "4.4/reason-many", "4.4/m-of-n")
@pytest.mark.parametrize(("asked", "values", "state", "reason"), REASONS)
def test_reasons_are_awss_own_words(asked: Rule, values: list[float], state: str, reason: str) -> None:
    verdict = alarms.evaluate(asked, stamped(values))
    assert (verdict.state, verdict.reason) == (state, reason)


def test_reason_data_is_for_programs() -> None:
    asked = rule(1, 1)
    data = json.loads(alarms.reason_data(asked, alarms.evaluate(asked, stamped([90.0])), START + 90, START + 60))
    assert data["recentDatapoints"] == [90.0] and data["threshold"] == 50.0 and data["period"] == 60
    assert data["queryDate"] == "2023-09-16T12:01:30.000+0000"
    assert data["evaluatedDatapoints"][0]["timestamp"] == "2023-09-16T12:00:00.000+0000"


@pytest.mark.fact("2.6/evaluation-range")
def test_the_evaluation_range_reaches_back_two_periods_more_and_no_further() -> None:
    samples = [single(START + 60 * i, float(i), "Percent", START) for i in range(10)]
    window = alarms.window(samples, rule(), START + 600, START + 600)
    assert [point.value for point in window if point] == [5.0, 6.0, 7.0, 8.0, 9.0]


@pytest.mark.fact("2.6/basic-data")
def test_three_minutes_of_five_minute_data_alarm_on_one_point() -> None:
    """aws-facts 2.6: basic monitoring does not make it wait fifteen minutes."""
    end = START + 300
    samples = [single(START, 90.0, "Percent", end, covers_s=300.0)]
    states = [
        alarms.evaluate(rule(), alarms.window(samples, rule(), end + 60 * age, end + 60 * age)).state
        for age in range(6)
    ]
    assert states == [None, None, "ALARM", "ALARM", "ALARM", "INSUFFICIENT_DATA"]


SAMPLES = [single(START + i, value, "None", START) for i, value in enumerate([0.0, 2.0, 4.0, 3.5, 7.0, 100.0])]
STATISTICS = [
    ("SampleCount", 6.0), ("Sum", 116.5), ("Average", 116.5 / 6), ("Minimum", 0.0), ("Maximum", 100.0),
    ("p0", 0.0), ("p50", 3.75), ("p100", 100.0), ("p90", 53.5),
]


@pytest.mark.parametrize(("name", "value"), STATISTICS)
def test_statistics_of_samples(name: str, value: float) -> None:
    assert statistic(SAMPLES, name) == pytest.approx(value)


def test_nothing_has_no_statistic_and_a_summed_sample_no_percentile() -> None:
    summed = Sample(START, 3.0, 9.0, 1.0, 5.0, "None", START)
    assert statistic([], "Sum") is None
    assert statistic([summed], "p50") is None and statistic([summed], "Average") == 3.0


def test_only_statistics_are_statistics() -> None:
    assert all(is_statistic(name) for name in ("Average", "p99", "p99.9", "p5", "tm90", "IQM", "PR(:3)"))
    assert not any(is_statistic(name) for name in ("Mean", "p101", "px", "TM90", "PR(1%:2%)", "TM(5:)x"))


def test_periods_begin_at_the_start_and_empty_ones_are_left_out() -> None:
    samples = [single(START + at, 1.0, "None", START) for at in (0, 60, 120, 600)]
    assert [(b.at - START, len(b.samples)) for b in buckets(samples, START - 60, 120)] == [(-60, 1), (60, 2), (540, 1)]


def test_what_is_not_published_yet_is_not_seen() -> None:
    samples = [single(START, 1.0, "None", START + 150), single(START + 60, 2.0, "None", START + 210)]
    assert [s.total for s in between(samples, START, START + 300, now=START + 200)] == [1.0]


DAYS = 86_400.0


def test_samples_are_rolled_up_when_they_come_of_age_and_only_then() -> None:
    now = START + 100 * DAYS
    ages = {
        "new": 0.0, "fine": 4 * 3600.0, "minute": 14 * DAYS, "five": 20 * DAYS, "hour": 70 * DAYS, "gone": 456 * DAYS,
    }  # fmt: skip
    samples = [
        single(at, 1.0, "Count", at, covers_s)
        for word, age in sorted(ages.items(), key=lambda one: -one[1])
        for at, covers_s in [((now - age) // 3600 * 3600 + 60 * n, 1.0 if word == "fine" else 60.0) for n in range(10)]
    ]
    kept = rolled_up(samples, now)
    assert sum(sample.total for sample in kept) == 50
    assert [(sample.covers_s, sample.sample_count) for sample in kept] == [
        (3600, 10), *[(300, 5)] * 2, *[(60, 1)] * 30,
    ]  # fmt: skip
    assert rolled_up(kept, now) == kept
    assert rolled_up(kept, now + 400 * DAYS)[-1].covers_s == 3600


CPU = [
    # previous ns, current ns, wall seconds, share of a core, percent
    (0, 500_000_000, 1.0, 1.0, 50.0),
    (0, 500_000_000, 1.0, 0.5, 100.0),
    (0, 5_000_000_000, 1.0, 1.0, 100.0),
    (100, 100, 5.0, 1.0, 0.0),
    (200, 100, 5.0, 1.0, 0.0),
    (0, 100, 0.0, 1.0, 0.0),
]


@pytest.mark.parametrize(("previous", "current", "wall", "share", "percent"), CPU)
def test_cpu_utilization(previous: int, current: int, wall: float, share: float, percent: float) -> None:
    assert cpu_utilization(previous, current, wall, share) == percent
