"""When does an alarm change its state, and what does it say about it?

An alarm looks at N periods, but reads a few more (the evaluation range), so that late points do not matter.
With N real points in the range it judges the newest N; M breaching ones make ALARM. With fewer, missing
points are filled in as ``TreatMissingData`` says, as few as possible. Missing treated as missing has one
rule of its own, the premature alarm: breaching points alone, the oldest at least M periods old, make ALARM;
a breach that is fresher than that waits for its neighbours (aws-facts 2.6, last rows; 4.4).

This is how three one-minute periods alarm on five-minute data: the pattern ``- - X - -`` is enough.
The sentences of ``StateReason`` are AWS's, word for word, as recorded by others.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mglab.localcloud.rules.statistics import MINUTE_S, Sample, aligned, between, statistic

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

EXTRA_PERIODS = 2
"""The evaluation range is 5 periods for N = 3 (aws-facts 2.6); N + 2 for other N is our reading."""
LONGEST_SAMPLE_S = 300.0
"""Basic monitoring's points cover five minutes (aws-facts 4.3)."""
NAMED_SEPARATELY = 5
"""From this many datapoints on, only the newest five are named, in a sentence of their own."""

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
COMPARISONS = tuple(_COMPARISONS)
OF_BANDS = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")
"""Comparisons with an anomaly detector's band, which is not modelled."""
_TREATED_AS = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


@dataclass(frozen=True)
class Point:
    """A statistic of one period."""

    at: float
    value: float
    sample_count: float = 1.0


@dataclass(frozen=True)
class Rule:
    """What an alarm compares with what. ``m_of_n``: DatapointsToAlarm was given; an expression has no statistic."""

    statistic: str
    period_s: int
    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    m_of_n: bool = False
    treat_missing: str = "missing"
    unit: str | None = None
    least_samples: float = 0.0
    """With fewer in the points that are judged, a percentile says nothing (EvaluateLowSampleCountPercentile)."""


@dataclass(frozen=True)
class Verdict:
    """The state that the data asks for (None: keep the present one), why, and the points it rests on."""

    state: State | None
    reason: str
    points: tuple[Point, ...] = ()
    """Oldest first."""
    missing_ages: tuple[int, ...] = ()
    """Which missing points were filled in, in periods before the newest."""


Window = Sequence[Point | None]


def window(samples: Sequence[Sample], rule: Rule, newest_end: float, now: float) -> list[Point | None]:
    """Read an alarm's evaluation range: one place per period, oldest first, None where nothing is.

    A sample of five minutes takes the place of its last one: it cannot be there sooner, and it stays in the range
    until the next one comes.
    """
    start, end = evaluation_range(rule, newest_end)
    length = rule.evaluation_periods + EXTRA_PERIODS
    places: list[list[Sample]] = [[] for _ in range(length)]
    for sample in between(samples, start - LONGEST_SAMPLE_S, end, now, rule.unit):
        place = int((sample.last_minute - start) // rule.period_s)
        if 0 <= place < length:
            places[place].append(sample)
    return [_point(place, rule.statistic) for place in places]


def evaluation_range(rule: Rule, newest_end: float) -> tuple[float, float]:
    """Give the start and the end of what an alarm reads; it slides by the minute, however long the period."""
    end = aligned(newest_end, min(rule.period_s, MINUTE_S))
    return end - (rule.evaluation_periods + EXTRA_PERIODS) * rule.period_s, end


def window_of(points: Mapping[float, float], rule: Rule, newest_end: float) -> list[Point | None]:
    """Read an evaluation range off a time series that metric math made."""
    start, _ = evaluation_range(rule, newest_end)
    places: list[Point | None] = [None] * (rule.evaluation_periods + EXTRA_PERIODS)
    for at, value in points.items():
        place = int((at - start) // rule.period_s)
        if 0 <= place < len(places):
            places[place] = Point(at, value)
    return places


def _point(samples: Sequence[Sample], name: str) -> Point | None:
    value = statistic(samples, name)
    if value is None:
        return None
    return Point(min(s.at for s in samples), value, sum(s.sample_count for s in samples))


def evaluate(rule: Rule, seen: Window) -> Verdict:
    """Decide an alarm's state from its evaluation range."""
    real = [point for point in seen if point is not None]
    if real and sum(point.sample_count for point in real[-rule.evaluation_periods :]) < rule.least_samples:
        return Verdict(None, "")
    if len(real) >= rule.evaluation_periods:
        return _judged(rule, real[-rule.evaluation_periods :])
    if rule.treat_missing in _TREATED_AS:
        return _filled(rule, seen, real)
    if not real and rule.treat_missing == "ignore":
        return Verdict(None, "")
    if not real:
        unknown = rule.evaluation_periods
        return Verdict("INSUFFICIENT_DATA", _unknown(unknown), (), _newest_missing(seen, unknown))
    return _sparse(rule, seen, real)


def breaches(rule: Rule, value: float) -> bool:
    """Say whether a value is on the wrong side of the threshold."""
    return _COMPARISONS[rule.comparison][0](value, rule.threshold)


def _judged(rule: Rule, points: Sequence[Point]) -> Verdict:
    breaching = [point for point in points if breaches(rule, point.value)]
    if len(breaching) >= rule.datapoints_to_alarm:
        return Verdict("ALARM", _crossed(rule, breaching, "ALARM"), tuple(points))
    calm = [point for point in points if not breaches(rule, point.value)]
    return Verdict("OK", _crossed(rule, calm, "OK"), tuple(points))


def _filled(rule: Rule, seen: Window, real: Sequence[Point]) -> Verdict:
    missing = rule.evaluation_periods - len(real)
    breaching = sum(breaches(rule, point.value) for point in real)
    breaching += missing if rule.treat_missing == "breaching" else 0
    state: State = "ALARM" if breaching >= rule.datapoints_to_alarm else "OK"
    return Verdict(state, _treated(rule, len(real), missing), tuple(real), _newest_missing(seen, missing))


def _newest_missing(seen: Window, count: int) -> tuple[int, ...]:
    return tuple([age for age, point in enumerate(reversed(seen)) if point is None][:count])


def _sparse(rule: Rule, seen: Window, real: Sequence[Point]) -> Verdict:
    """Decide with fewer real points than periods, missing ones standing for nothing."""
    breaching = sum(breaches(rule, point.value) for point in real)
    if breaching >= rule.datapoints_to_alarm or breaching < len(real):
        return _judged(rule, real)
    oldest_age = len(seen) - next(i for i, point in enumerate(seen) if point is not None)
    if rule.treat_missing == "missing" and oldest_age >= rule.datapoints_to_alarm:
        return Verdict("ALARM", _crossed(rule, real, "ALARM"), tuple(real))
    return Verdict(None, "")


def _crossed(rule: Rule, points: Sequence[Point], state: State) -> str:
    """Say which points crossed the threshold, or did not, newest first."""
    how = "" if state == "ALARM" else "not "
    newest = ", ".join(f"{p.value} ({_stamp(p.at)})" for p in list(reversed(points))[:NAMED_SEPARATELY])
    verdict = f"{how}{_COMPARISONS[rule.comparison][1]} the threshold ({float(rule.threshold)})"
    one = len(points) == 1
    count = "1 datapoint" if one else f"{len(points)} datapoints"
    if rule.m_of_n:
        count = f"{len(points)} out of the last {rule.evaluation_periods} datapoints"
    be = "was" if one else "were"
    tail = _needed(rule, state) if rule.m_of_n else ""
    if len(points) < NAMED_SEPARATELY:
        return f"Threshold Crossed: {count} [{newest}] {be} {verdict}{tail}."
    return (
        f"Threshold Crossed: {count} {be} {verdict}. "
        f"The most recent datapoints which crossed the threshold: [{newest}]{tail}."
    )


def _needed(rule: Rule, state: State) -> str:
    m, n = rule.datapoints_to_alarm, rule.evaluation_periods
    least, change = (m, "OK -> ALARM") if state == "ALARM" else (n - m + 1, "ALARM -> OK")
    return f" (minimum {least} datapoint{'' if least == 1 else 's'} for {change} transition)"


def _treated(rule: Rule, received: int, missing: int) -> str:
    periods = "1 period" if rule.evaluation_periods == 1 else f"{rule.evaluation_periods} periods"
    return (
        f"Threshold Crossed: {_were(received, 'datapoint')} received for {periods} "
        f"and {_were(missing, 'missing datapoint')} treated as [{_TREATED_AS[rule.treat_missing]}]."
    )


def _unknown(periods: int) -> str:
    return f"Insufficient Data: {_were(periods, 'datapoint')} unknown."


def _were(count: int, noun: str) -> str:
    return f"1 {noun} was" if count == 1 else f"{count or 'no'} {noun}s were"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d/%m/%y %H:%M:%S")


def reason_data(rule: Rule, verdict: Verdict, now: float, newest_end: float) -> str:
    """Give ``StateReasonData``: the same facts for programs, as a JSON string; members and order are recorded."""
    data: dict[str, object] = {"version": "1.0", "queryDate": _iso(now)}
    if verdict.points:
        data["startDate"] = _iso(verdict.points[0].at)
    data |= {"unit": rule.unit} if rule.unit else {}
    data |= {"statistic": rule.statistic} if rule.statistic else {}
    data["period"] = rule.period_s
    data["recentDatapoints"] = [point.value for point in verdict.points]
    data["threshold"] = float(rule.threshold)
    data["evaluatedDatapoints"] = _evaluated(rule, verdict, newest_end)
    return json.dumps(data, separators=(",", ":"))


def _evaluated(rule: Rule, verdict: Verdict, newest_end: float) -> list[dict[str, object]]:
    """Give the points that were judged, newest first; one that was missing has its time alone."""
    counted = bool(rule.statistic)
    told: dict[float, dict[str, object]] = {
        point.at: {**({"sampleCount": point.sample_count} if counted else {}), "value": point.value}
        for point in verdict.points
    }
    _, end = evaluation_range(rule, newest_end)
    told |= {end - (age + 1) * rule.period_s: {} for age in verdict.missing_ages}
    return [{"timestamp": _iso(at), **told[at]} for at in sorted(told, reverse=True)]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(at % 1 * 1000):03d}+0000"
