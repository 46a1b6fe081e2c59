"""The metrics half of CloudWatch: PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics.

Rules of aws-facts 4.4: a query gives the points of [StartTime, EndTime), the start rounded down to the
minute, newest first unless asked otherwise; a metric or combination of dimensions that nobody published
gives no points and no error. Limits and wordings: aws-facts 3.7 rows 55 and 56.

Left out: metric math and SEARCH (refused), high-resolution periods, extended statistics but percentiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from mglab.localcloud.api.cloudwatch_forms import invalid, moment, one_of, page, refuse_members, require
from mglab.localcloud.api.cloudwatch_state import CloudWatchState, MetricKey, Params, requested_key
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.statistics import (
    MINUTE_S,
    SIMPLE,
    Sample,
    aligned,
    between,
    buckets,
    is_statistic,
    single,
    statistic,
)

MOST_QUERIES = 500
MOST_STATISTICS_POINTS = 1440
MOST_DATA_POINTS = 100_800
MOST_PUT_DATA = 1000
LISTED_S = 14 * 86400.0
"""ListMetrics drops a metric that was silent for two weeks (aws-facts 4.4)."""
RECENT_S = 3 * 3600.0
FUTURE_S, PAST_S = 2 * 3600.0, 14 * 86400.0
"""How far from now PutMetricData takes a timestamp (API reference)."""
_QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]*\Z")


class MetricPage:
    """Answers the operations that write and read metrics."""

    def __init__(self, state: CloudWatchState, now: Callable[[], float]) -> None:
        self.state = state
        self.now = now

    def put_metric_data(self, params: Params) -> Params:
        """Store points of the user's own metrics."""
        require(params, "Namespace")
        refuse_members(params, "EntityMetricData")
        if params["Namespace"].startswith("AWS/"):
            raise ApiError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
        data = params.get("MetricData", [])
        if not data:
            raise ApiError("MissingParameter", "The parameter MetricData is required.")
        if len(data) > MOST_PUT_DATA:
            raise invalid(f"The collection MetricData must not have a size greater than {MOST_PUT_DATA}.")
        samples = [(requested_key({**datum, "Namespace": params["Namespace"]}), self._samples(datum)) for datum in data]
        for key, values in samples:
            self.state.add(key, values)
        return {}

    def _samples(self, datum: Params) -> list[Sample]:
        now = self.now()
        at = datum["Timestamp"].timestamp() if datum.get("Timestamp") else now
        if not now - PAST_S <= at <= now + FUTURE_S:
            raise ApiError(
                "InvalidParameterValue",
                "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks and no "
                "more than two hours in the future.",
            )
        return _values(datum, aligned(at), datum.get("Unit", "None"), now)

    def list_metrics(self, params: Params) -> Params:
        """List metrics that were published lately."""
        since = self.now() - (RECENT_S if params.get("RecentlyActive") else LISTED_S)
        live = [k for k, samples in self.state.series.items() if _last_visible(samples, self.now()) >= since]
        found = sorted(key for key in live if _listed(key, params))
        items, token = page(params, found, default=500, maximum=500)
        return {"Metrics": [key.as_member() for key in items], "NextToken": token}

    def get_metric_statistics(self, params: Params) -> Params:
        """Give the statistics of one metric, in no promised order (here: oldest first)."""
        require(params, "Namespace", "MetricName", "StartTime", "EndTime", "Period")
        names = _requested_statistics(params)
        start, end = _range(params, "InvalidParameterValue")
        _check_period(params["Period"], "InvalidParameterValue", "Period")
        _check_amount(start, end, params["Period"])
        points = self.points(requested_key(params), start, end, params["Period"], names, params.get("Unit"))
        return {"Label": params["MetricName"], "Datapoints": [_datapoint(*point) for point in points]}

    def get_metric_data(self, params: Params) -> Params:
        """Give the points of up to 500 metrics in one answer."""
        require(params, "MetricDataQueries", "StartTime", "EndTime")
        one_of(params, "ScanBy", ("TimestampDescending", "TimestampAscending"))
        queries = params["MetricDataQueries"]
        _check_queries(queries)
        start, end = _range(params, "ValidationError")
        shown = [query for query in queries if query.get("ReturnData", True)]
        if not shown:
            raise invalid("At least one of the MetricDataQueries must have ReturnData set to true.")
        results = [self._result(query, label, start, end) for query, label in zip(shown, _labels(shown), strict=True)]
        if params.get("ScanBy") != "TimestampAscending":
            for result in results:
                result["Timestamps"].reverse()
                result["Values"].reverse()
        return _paged(results, params)

    def _result(self, query: Params, label: str, start: float, end: float) -> Params:
        stat = query["MetricStat"]
        name, period_s = stat["Stat"], stat["Period"]
        points = self.points(requested_key(stat["Metric"]), start, end, period_s, [name], stat.get("Unit"))
        rows = [(moment(at), values[name]) for at, values, _ in points]
        return {
            "Id": query["Id"],
            "Label": label,
            "Timestamps": [at for at, _ in rows],
            "Values": [value for _, value in rows],
            "StatusCode": "Complete",
        }

    def points(
        self, key: MetricKey, start: float, end: float, period_s: int, names: list[str], unit: str | None = None
    ) -> Iterator[tuple[float, dict[str, float], str]]:
        """Give (time, statistics, unit) of every period that has all of the statistics, oldest first."""
        first = aligned(start)
        seen = between(self.state.series.get(key, []), first, end, self.now(), unit)
        for bucket in buckets(seen, first, period_s):
            values = {name: statistic(bucket.samples, name) for name in names}
            there = {name: value for name, value in values.items() if value is not None}
            if there:
                yield bucket.at, there, bucket.samples[0].unit


def _values(datum: Params, at: float, unit: str, now: float) -> list[Sample]:
    given = [member for member in ("Value", "Values", "StatisticValues") if datum.get(member) is not None]
    if len(given) != 1:
        raise ApiError(
            "InvalidParameterCombination",
            "The parameters MetricData.member.1.Value, MetricData.member.1.Values and "
            "MetricData.member.1.StatisticValues are mutually exclusive and one of them is required.",
        )
    if "Value" in given:
        return [single(at, float(datum["Value"]), unit, now)]
    if "StatisticValues" in given:
        s = datum["StatisticValues"]
        return [Sample(at, s["SampleCount"], s["Sum"], s["Minimum"], s["Maximum"], unit, now)]
    counts = datum.get("Counts") or [1.0] * len(datum["Values"])
    if len(counts) != len(datum["Values"]):
        raise ApiError(
            "InvalidParameterValue", "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must "
            "be of the same size.",
        )
    return [Sample(at, n, n * v, v, v, unit, now) for v, n in zip(datum["Values"], counts, strict=True)]


def _last_visible(samples: list[Sample], now: float) -> float:
    return next((sample.at for sample in reversed(samples) if sample.visible_at <= now), float("-inf"))


def _listed(key: MetricKey, params: Params) -> bool:
    if params.get("Namespace") not in (None, key.namespace) or params.get("MetricName") not in (None, key.name):
        return False
    have = dict(key.dimensions)
    return all(
        item["Name"] in have and item.get("Value") in (None, have[item["Name"]])
        for item in params.get("Dimensions", ())
    )


def _requested_statistics(params: Params) -> list[str]:
    simple, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
    if not simple and not extended:
        raise ApiError("MissingParameter", "The parameter Statistics or ExtendedStatistics is required.")
    for position, name in enumerate(simple, 1):
        if name not in SIMPLE:
            raise ApiError("InvalidParameterValue", f"The parameter Statistics.member.{position} must be a statistic.")
    for name in extended:
        if name in SIMPLE or not is_statistic(name):
            message = f"The value {name} for parameter ExtendedStatistics is not supported."
            raise ApiError("InvalidParameterValue", message)
    return [*simple, *extended]


def _range(params: Params, code: str) -> tuple[float, float]:
    """Read the time range; the wording is aws-facts 3.7 row 55."""
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if start >= end:
        raise ApiError(code, "The parameter StartTime must be less than the parameter EndTime.")
    return start, end


def _check_period(period_s: int, code: str, where: str) -> None:
    if period_s < MINUTE_S or period_s % MINUTE_S:
        raise ApiError(code, f"The parameter {where} must be a multiple of {MINUTE_S}.")


def _check_amount(start: float, end: float, period_s: int) -> None:
    """Refuse more than 1,440 points (aws-facts 3.7 row 56)."""
    asked = int((end - aligned(start)) // period_s)
    if asked > MOST_STATISTICS_POINTS:
        raise ApiError(
            "InvalidParameterCombination",
            f"You have requested up to {asked} datapoints, which exceeds the limit of {MOST_STATISTICS_POINTS}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )


def _datapoint(at: float, values: dict[str, float], unit: str) -> Params:
    extended = {name: value for name, value in values.items() if name not in SIMPLE}
    simple = {name: value for name, value in values.items() if name in SIMPLE}
    return {"Timestamp": moment(at), **simple, "Unit": unit} | ({"ExtendedStatistics": extended} if extended else {})


def _check_queries(queries: list[Params]) -> None:
    if len(queries) > MOST_QUERIES:
        raise invalid(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    for position, query in enumerate(queries, 1):
        _check_query(query, f"MetricDataQueries.member.{position}")
    if len({query["Id"] for query in queries}) != len(queries):
        raise invalid("The values for parameter id in MetricDataQueries are not unique.")


def _check_query(query: Params, where: str) -> None:
    require(query, "Id")
    if not _QUERY_ID.match(query["Id"]):
        raise invalid(
            f"The value {query['Id']} for parameter {where}.Id is not matching the expected pattern "
            "^[a-z][a-zA-Z0-9_]*$."
        )
    if query.get("Expression"):
        raise invalid(f"The local cloud answers no metric math and no SEARCH ({where}.Expression); use MetricStat.")
    if not query.get("MetricStat"):
        raise invalid(f"The parameter {where} must have either MetricStat or Expression.")
    stat = query["MetricStat"]
    require(stat, "Metric", "Period", "Stat")
    require(stat["Metric"], "Namespace", "MetricName")
    _check_period(stat["Period"], "ValidationError", f"{where}.MetricStat.Period")
    if not is_statistic(stat["Stat"]):
        raise invalid(f"The value {stat['Stat']} for parameter {where}.MetricStat.Stat is not supported.")


def _labels(queries: list[Params]) -> list[str]:
    """Label each result as CloudWatch does: by what tells it from the others (aws-facts 4.4)."""
    stats = {query["MetricStat"]["Stat"] for query in queries}
    return [query.get("Label") or _label(query["MetricStat"], len(queries) > 1 and len(stats) > 1) for query in queries]


def _label(stat: Params, with_statistic: bool) -> str:
    name: str = stat["Metric"]["MetricName"]
    return f"{name} {stat['Stat']}" if with_statistic else name


def _paged(results: list[Params], params: Params) -> Params:
    """Cut the answer off at the greatest number of points, and say where to go on."""
    most = params.get("MaxDatapoints") or MOST_DATA_POINTS
    skip = int(params["NextToken"]) if str(params.get("NextToken") or "").isdecimal() else 0
    if params.get("NextToken") and not skip:
        raise ApiError("InvalidNextToken", f"The token '{params['NextToken']}' is invalid.")
    left, position, more = min(most, MOST_DATA_POINTS), 0, False
    for result in results:
        length = len(result["Values"])
        first = min(max(0, skip - position), length)
        last = min(length, first + left)
        position, left, more = position + length, left - (last - first), more or last < length
        _slice(result, first, last, partial=last < length)
    token: dict[str, Any] = {"NextToken": str(skip + min(most, MOST_DATA_POINTS))} if more else {}
    return {"MetricDataResults": results, "Messages": []} | token


def _slice(result: Params, first: int, last: int, *, partial: bool) -> None:
    result["Timestamps"] = result["Timestamps"][first:last]
    result["Values"] = result["Values"][first:last]
    if partial:
        result["StatusCode"] = "PartialData"
