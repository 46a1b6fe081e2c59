"""GetMetricData's queries: metrics, metric math and SEARCH, checked, read, computed and labelled.

The same queries stand in the ``Metrics`` of an alarm; ``checked`` and ``world`` serve both. A query is a metric
(MetricStat) or an expression over the others; those with ReturnData false only serve. An expression that makes
several series has as many results, all with its id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mglab.localcloud.api.cloudwatch_data import Reader, requested_stat
from mglab.localcloud.api.cloudwatch_forms import invalid, require
from mglab.localcloud.api.cloudwatch_state import Params
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import labels
from mglab.localcloud.rules.expression import ExpressionError, parse
from mglab.localcloud.rules.metricmath import Search, World, evaluate, no_search
from mglab.localcloud.rules.series import TimeSeries
from mglab.localcloud.rules.statistics import HIGH_RESOLUTION_S, MINUTE_S, is_statistic

MOST_QUERIES = 500
_QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]*\Z")


@dataclass(frozen=True)
class Line:
    """One result: the query's id, its label, its points oldest first, and what AWS has to say about it."""

    id: str
    label: str
    series: TimeSeries
    messages: tuple[tuple[str, str], ...] = ()


def checked(queries: Sequence[Params], where: str = "MetricDataQueries") -> None:
    """Refuse queries that AWS refuses."""
    if len(queries) > MOST_QUERIES:
        raise invalid(f"The collection {where} must not have a size greater than {MOST_QUERIES}.")
    for position, query in enumerate(queries, 1):
        _check_query(query, f"{where}.member.{position}")
    if len({query["Id"] for query in queries}) != len(queries):
        raise invalid(f"The values for parameter id in {where} are not unique.")


def check_period(period_s: int, code: str, where: str) -> None:
    """Refuse a period that is neither one of a high resolution nor a multiple of a minute."""
    if period_s not in HIGH_RESOLUTION_S and (period_s < MINUTE_S or period_s % MINUTE_S):
        raise ApiError(code, f"The parameter {where} must be a multiple of {MINUTE_S}.")


def _check_query(query: Params, where: str) -> None:
    require(query, "Id")
    if not _QUERY_ID.match(query["Id"]):
        raise invalid(
            f"The value {query['Id']} for parameter {where}.Id is not matching the expected pattern "
            "^[a-z][a-zA-Z0-9_]*$."
        )
    expression, stat = query.get("Expression"), query.get("MetricStat")
    if not expression and not stat:
        raise invalid(f"The parameter {where} must have either MetricStat or Expression.")
    if expression and stat:
        raise invalid(f"The parameters {where}.MetricStat and {where}.Expression are mutually exclusive.")
    if expression:
        _check_expression(query["Id"], expression)
    else:
        _check_stat(stat or {}, where)


def _check_stat(stat: Params, where: str) -> None:
    require(stat, "Metric", "Period", "Stat")
    require(stat["Metric"], "Namespace", "MetricName")
    check_period(stat["Period"], "ValidationError", f"{where}.MetricStat.Period")
    if not is_statistic(stat["Stat"]):
        raise invalid(f"The value {stat['Stat']} for parameter {where}.MetricStat.Stat is not supported.")


def _check_expression(name: str, expression: str) -> None:
    if expression.lstrip().upper().startswith("SELECT"):
        raise invalid(f"Error in expression '{name}': The local cloud does not model Metrics Insights queries")
    try:
        parse(expression)
    except ExpressionError as wrong:
        raise refused(name, wrong) from None


def refused(name: str, wrong: ExpressionError) -> ApiError:
    """Make the refusal of an expression."""
    return invalid(f"Error in expression '{name}': {wrong}")


def world(reader: Reader, queries: Sequence[Params], start: float, end: float, search: Search = no_search) -> World:
    """Read the metrics of the queries, each as a time series under its label."""
    metrics = {}
    shown = [query for query in queries if query.get("MetricStat")]
    for query, plain in zip(shown, _plain_labels(shown), strict=True):
        series = reader.series(requested_stat(query["MetricStat"]), start, end)
        label = labels.dynamic(query.get("Label") or plain, plain, series, reader.now())
        metrics[query["Id"]] = replace(series, id=query["Id"], label=label)
    expressions = {query["Id"]: query["Expression"] for query in queries if query.get("Expression")}
    return World(metrics, expressions, start, end, search)


def _plain_labels(queries: Sequence[Params]) -> list[str]:
    stats = [query["MetricStat"] for query in queries]
    shown = [(q["MetricStat"]["Stat"], q["MetricStat"]["Period"]) for q in queries if q.get("ReturnData", True)]
    return [labels.default(stat["Metric"]["MetricName"], stat["Stat"], stat["Period"], shown) for stat in stats]


def lines(reader: Reader, queries: Sequence[Params], start: float, end: float, zone: str = "+0000") -> list[Line]:
    """Answer the queries that return data, in their order."""

    def search(query: str, name: str, period_s: int) -> list[TimeSeries]:
        return reader.search(query, name, period_s, start, end)

    known = world(reader, queries, start, end, search)
    found: list[Line] = []
    for query in queries:
        if query.get("ReturnData", True):
            if query.get("Expression"):
                found += _of_expression(reader, query, known, zone)
            else:
                found.append(_of_metric(reader, query, known, start, end))
    return found


def _of_metric(reader: Reader, query: Params, known: World, start: float, end: float) -> Line:
    stat = requested_stat(query["MetricStat"])
    units = reader.units(stat, start, end) if stat.unit is None else []
    told = (("MultipleUnits", f"Multiple units returned: '[{', '.join(units)}]'"),) if len(units) > 1 else ()
    series = known.metrics[query["Id"]]
    return Line(query["Id"], series.label, series, told)


def _of_expression(reader: Reader, query: Params, known: World, zone: str) -> list[Line]:
    try:
        found = evaluate(known, query["Id"])
    except ExpressionError as wrong:
        raise refused(query["Id"], wrong) from None
    if isinstance(found, TimeSeries):
        return [Line(query["Id"], _label(reader, query, found, query["Id"], zone), found)]
    return [Line(query["Id"], _label(reader, query, one, one.label, zone, of_many=True), one) for one in found]


def _label(
    reader: Reader, query: Params, series: TimeSeries, plain: str, zone: str, *, of_many: bool = False
) -> str:
    """Name a result; one of several series is called by the expression's label and its own."""
    given = query.get("Label")
    if given is None:
        return plain
    filled = labels.dynamic(given, plain, series, reader.now(), zone)
    return f"{filled} {plain}".strip() if of_many and "${" not in given else filled
