"""The metrics half of CloudWatch: GetMetricData, GetMetricStatistics, ListMetrics.

Rules of aws-facts 4.4: a query gives the points of [StartTime, EndTime), the start rounded down by its age, newest
first unless asked otherwise; a metric or combination of dimensions that nobody published gives no points and no
error. Limits and wordings: aws-facts 3.7 rows 55 and 56. What is published is taken in by ``cloudwatch_put``.
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.cloudwatch_data import LISTED_S, Reader, Stat
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, moment, one_of, page, require
from mglab.localcloud.api.cloudwatch_queries import Line, check_period, checked, lines
from mglab.localcloud.api.cloudwatch_state import MetricKey, Params, requested_key
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.statistics import SIMPLE, aligned, is_statistic

MOST_STATISTICS_POINTS = 1440
MOST_DATA_POINTS = 100_800
RECENT_S = 3 * 3600.0
MOST_DIMENSION_FILTERS = 10


class MetricPage:
    """Answers the operations that read metrics."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def list_metrics(self, params: Params) -> Params:
        """List metrics that were published lately."""
        one_of(params, "RecentlyActive", ("PT3H",))
        filters = params.get("Dimensions") or []
        if len(filters) > MOST_DIMENSION_FILTERS:
            most = f"Member must have length less than or equal to {MOST_DIMENSION_FILTERS}"
            raise constraint(filters, "Dimensions", most)
        live = self.reader.live(RECENT_S if params.get("RecentlyActive") else LISTED_S)
        items, token = page(params, [key for key in live if _listed(key, params)], default=500, maximum=500)
        return {"Metrics": [key.as_member() for key in items], "NextToken": token}

    def get_metric_statistics(self, params: Params) -> Params:
        """Give the statistics of one metric, a row per period and unit, in no promised order (here: oldest first)."""
        require(params, "Namespace", "MetricName", "StartTime", "EndTime", "Period")
        names = _requested_statistics(params)
        start, end = _range(params, "InvalidParameterValue")
        check_period(params["Period"], "InvalidParameterValue", "Period")
        _check_amount(aligned(start), end, params["Period"])
        stat = Stat(requested_key(params), names[0], params["Period"], params.get("Unit"))
        points = self.reader.points(stat, start, end, names)
        return {"Label": params["MetricName"], "Datapoints": [_datapoint(*point) for point in points]}

    def get_metric_data(self, params: Params) -> Params:
        """Give the points of up to 500 metrics and expressions in one answer."""
        require(params, "MetricDataQueries", "StartTime", "EndTime")
        one_of(params, "ScanBy", ("TimestampDescending", "TimestampAscending"))
        queries = params["MetricDataQueries"]
        checked(queries)
        start, end = _range(params, "ValidationError")
        if not any(query.get("ReturnData", True) for query in queries):
            raise invalid("At least one of the MetricDataQueries must have ReturnData set to true.")
        zone = (params.get("LabelOptions") or {}).get("Timezone", "+0000")
        results = [_result(line) for line in lines(self.reader, queries, start, end, zone)]
        if params.get("ScanBy") != "TimestampAscending":
            for result in results:
                result["Timestamps"].reverse()
                result["Values"].reverse()
        return _paged(results, params)


def _result(line: Line) -> Params:
    told = {"Messages": [{"Code": code, "Value": value} for code, value in line.messages]} if line.messages else {}
    return {
        "Id": line.id,
        "Label": line.label,
        "Timestamps": [moment(at) for at in line.series.points],
        "Values": line.series.values,
        "StatusCode": "Complete",
        **told,
    }


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


def _check_amount(start: float, end: float, period_s: int) -> None:
    """Refuse more than 1,440 points (aws-facts 3.7 row 56)."""
    asked = int((end - start) // period_s)
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


def _paged(results: list[Params], params: Params) -> Params:
    """Cut the answer off at the greatest number of points, and say where to go on."""
    most = params.get("MaxDatapoints")
    if most is not None and most < 1:
        raise constraint(most, "MaxDatapoints", "Member must have value greater than or equal to 1")
    skip = int(params["NextToken"]) if str(params.get("NextToken") or "").isdecimal() else 0
    if params.get("NextToken") and not skip:
        raise ApiError("InvalidNextToken", f"The token '{params['NextToken']}' is invalid.")
    most = min(most or MOST_DATA_POINTS, MOST_DATA_POINTS)
    left, position, more = most, 0, False
    for result in results:
        length = len(result["Values"])
        first = min(max(0, skip - position), length)
        last = min(length, first + left)
        position, left, more = position + length, left - (last - first), more or last < length
        _slice(result, first, last, partial=last < length)
    token: dict[str, Any] = {"NextToken": str(skip + most)} if more else {}
    return {"MetricDataResults": results, "Messages": []} | token


def _slice(result: Params, first: int, last: int, *, partial: bool) -> None:
    result["Timestamps"] = result["Timestamps"][first:last]
    result["Values"] = result["Values"][first:last]
    if partial:
        result["StatusCode"] = "PartialData"
