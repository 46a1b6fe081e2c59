"""PutMetricData: points of the user's own metrics, taken in as AWS takes them.

A datum is one value, several with their counts, or a statistic set; its time is at most two weeks past and two hours
ahead, and falls to its minute unless its storage resolution is a second. The ``AWS/`` namespaces are closed
(aws-facts 4.4). A request is taken whole or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, one_of, refuse_members, require
from mglab.localcloud.api.cloudwatch_state import CloudWatchState, Params, requested_key
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.statistics import MINUTE_S, Sample, aligned, single

MOST_DATA, MOST_VALUES, MOST_DIMENSIONS = 1000, 150, 30
FUTURE_S, PAST_S = 2 * 3600.0, 14 * 86400.0
"""How far from now a timestamp may be (API reference)."""
GREATEST = 2.0**360
"""Values lie between -2^360 and 2^360 (API reference)."""
UNITS = (
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
    "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
    "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
    "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
)  # fmt: skip


class PutPage:
    """Answers the operation that writes metrics."""

    def __init__(self, state: CloudWatchState, now: Callable[[], float]) -> None:
        self.state = state
        self.now = now

    def put_metric_data(self, params: Params) -> Params:
        """Store points of the user's own metrics."""
        require(params, "Namespace")
        refuse_members(params, "EntityMetricData")
        _check_namespace(params["Namespace"])
        data = params.get("MetricData", [])
        if not data:
            raise ApiError("MissingParameter", "The parameter MetricData is required.")
        if len(data) > MOST_DATA:
            raise invalid(f"The collection MetricData must not have a size greater than {MOST_DATA}.")
        taken = [self._taken(datum, f"MetricData.member.{position}") for position, datum in enumerate(data, 1)]
        for datum, samples in zip(data, taken, strict=True):
            self.state.add(requested_key({**datum, "Namespace": params["Namespace"]}), samples)
        return {}

    def _taken(self, datum: Params, where: str) -> list[Sample]:
        require(datum, "MetricName")
        one_of(datum, "Unit", UNITS)
        _check_dimensions(datum, where)
        resolution = datum.get("StorageResolution", MINUTE_S)
        if resolution not in (1, MINUTE_S):
            raise _wrong(f"The value {resolution} for parameter {where}.StorageResolution must be 1 or 60.")
        at = aligned(self._time(datum, where), resolution)
        return _samples(datum, where, at, datum.get("Unit", "None"), self.now(), resolution)

    def _time(self, datum: Params, where: str) -> float:
        now = self.now()
        at = datum["Timestamp"].timestamp() if datum.get("Timestamp") else now
        if at < now - PAST_S:
            raise _wrong(f"The parameter {where}.Timestamp must specify a time within the past two weeks.")
        if at > now + FUTURE_S:
            raise _wrong(f"The parameter {where}.Timestamp must specify a time no more than two hours in the future.")
        return float(at)


def _wrong(message: str) -> ApiError:
    return ApiError("InvalidParameterValue", message)


def _check_namespace(namespace: str) -> None:
    if namespace.startswith("AWS/"):
        raise _wrong("The value AWS/ for parameter Namespace is invalid.")
    if namespace.startswith(":"):
        raise constraint(namespace, "Namespace", "Member must satisfy regular expression pattern: [^:].*")
    if not 1 <= len(namespace) <= 255:
        raise constraint(namespace, "Namespace", "Member must have length between 1 and 255, inclusive")


def _check_dimensions(datum: Params, where: str) -> None:
    dimensions = datum.get("Dimensions") or []
    if len(dimensions) > MOST_DIMENSIONS:
        raise _wrong(f"The collection {where}.Dimensions must not have a size greater than {MOST_DIMENSIONS}.")
    for position, dimension in enumerate(dimensions, 1):
        for member in ("Name", "Value"):
            if not dimension.get(member):
                raise ApiError("MissingParameter", f"The parameter {where}.Dimensions.member.{position}.{member} "
                               "is required.")  # fmt: skip


def _samples(datum: Params, where: str, at: float, unit: str, now: float, covers_s: float) -> list[Sample]:
    given = [member for member in ("Value", "Values", "StatisticValues") if datum.get(member) is not None]
    if len(given) != 1:
        raise ApiError(
            "InvalidParameterCombination",
            f"The parameters {where}.Value, {where}.Values and {where}.StatisticValues are mutually exclusive and one "
            "of them is required.",
        )
    if "Value" in given:
        return [single(at, _finite(datum["Value"], f"{where}.Value"), unit, now, covers_s)]
    if "StatisticValues" in given:
        return [_summed(datum["StatisticValues"], where, at, unit, now, covers_s)]
    counts = _counts(datum, where)
    values = [_finite(value, f"{where}.Values") for value in datum["Values"]]
    return [Sample(at, n, n * v, v, v, unit, now, covers_s) for v, n in zip(values, counts, strict=True)]


def _counts(datum: Params, where: str) -> Sequence[float]:
    if len(datum["Values"]) > MOST_VALUES:
        raise _wrong(f"The collection {where}.Values must not have a size greater than {MOST_VALUES}.")
    counts: Sequence[float] = datum.get("Counts") or [1.0] * len(datum["Values"])
    if len(counts) != len(datum["Values"]):
        raise _wrong(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    if any(count <= 0 for count in counts):
        raise _wrong(f"The values for parameter {where}.Counts must be greater than 0.")
    return counts


def _summed(given: Params, where: str, at: float, unit: str, now: float, covers_s: float) -> Sample:
    require(given, "SampleCount", "Sum", "Minimum", "Maximum")
    numbers = [
        _finite(given[member], f"{where}.StatisticValues.{member}")
        for member in ("SampleCount", "Sum", "Minimum", "Maximum")
    ]
    if numbers[2] > numbers[3]:
        raise _wrong(
            f"The parameter {where}.StatisticValues.Maximum must be greater than or equal to "
            f"{where}.StatisticValues.Minimum."
        )
    if numbers[0] <= 0:
        raise _wrong(f"The parameter {where}.StatisticValues.SampleCount must be greater than 0.")
    return Sample(at, numbers[0], numbers[1], numbers[2], numbers[3], unit, now, covers_s)


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value) or abs(value) > GREATEST:
        raise _wrong(f"The value {value} for parameter {where} is invalid.")
    return float(value)
