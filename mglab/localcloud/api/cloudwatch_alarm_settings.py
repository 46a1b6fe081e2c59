"""PutMetricAlarm's request, read: what is compared with what, and what AWS refuses.

Sentences in AWS's words are as recorded by others (``Exactly one element of the metrics list should return data.``,
``DatapointsToAlarm must be less than or equal to EvaluationPeriods``); those of mistakes that nobody recorded are
ours. Alarms on anomaly bands, on Metrics Insights and on PromQL are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mglab.localcloud.api.cloudwatch_data import Reader
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, one_of, refuse_members, require
from mglab.localcloud.api.cloudwatch_put import UNITS
from mglab.localcloud.api.cloudwatch_queries import checked, refused, world
from mglab.localcloud.api.cloudwatch_state import Params
from mglab.localcloud.rules import alarms as rules
from mglab.localcloud.rules import extended
from mglab.localcloud.rules.alarms import Rule, State
from mglab.localcloud.rules.expression import Call, ExpressionError, parse, walk
from mglab.localcloud.rules.metricmath import evaluate
from mglab.localcloud.rules.series import TimeSeries
from mglab.localcloud.rules.statistics import MINUTE_S, SIMPLE, is_statistic

TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
HIGH_RESOLUTION_S = (10, 20, 30)
DAY_S, WEEK_S, HOUR_S = 86_400, 604_800, 3600
MOST_ACTIONS, MOST_METRICS = 5, 10
LONGEST_NAME, LONGEST_DESCRIPTION = 255, 1024
ACTION_MEMBERS: dict[State, str] = {
    "OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions",
}
OF_ONE_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
MANY_SERIES = (
    "Metrics expression that return multi time series are only allowed for MetricsInsights expression with an ORDER "
    "BY clause"
)
_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[^:]*:[^:]*:.+\Z", re.DOTALL)


def check_common(params: Params) -> None:
    """Refuse what no alarm of any kind may have."""
    name = params["AlarmName"]
    if not 1 <= len(name) <= LONGEST_NAME:
        bound = "greater than or equal to 1" if not name else f"less than or equal to {LONGEST_NAME}"
        raise constraint(name, "AlarmName", f"Member must have length {bound}")
    description = params.get("AlarmDescription") or ""
    if len(description) > LONGEST_DESCRIPTION:
        most = f"Member must have length less than or equal to {LONGEST_DESCRIPTION}"
        raise constraint(description, "AlarmDescription", most)
    for member in ACTION_MEMBERS.values():
        _check_actions(params.get(member) or (), member)


def _check_actions(actions: Sequence[str], member: str) -> None:
    if len(actions) > MOST_ACTIONS:
        most = f"Member must have length less than or equal to {MOST_ACTIONS}"
        raise constraint(f"[{', '.join(actions)}]", member, most)
    for action in actions:
        if not _ARN.match(action):
            raise invalid(f"Invalid arn syntax: {action}")


def rule(params: Params, reader: Reader) -> Rule:
    """Read what an alarm compares with what; refuse what AWS refuses."""
    one_of(params, "ComparisonOperator", (*rules.COMPARISONS, *rules.OF_BANDS))
    one_of(params, "TreatMissingData", TREATMENTS)
    one_of(params, "Unit", UNITS)
    one_of(params, "EvaluateLowSampleCountPercentile", ("evaluate", "ignore"))
    if params["ComparisonOperator"] in rules.OF_BANDS:
        raise invalid("The local cloud does not model anomaly detection; use a comparison with a threshold.")
    refuse_members(
        params, "ThresholdMetricId", "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria",
        "EvaluationInterval", "ActionConfiguration",
    )  # fmt: skip
    on_math = params.get("Metrics") is not None
    name, period_s = _of_metrics(params, reader) if on_math else _of_metric(params)
    require(params, "Threshold")
    periods, needed = params["EvaluationPeriods"], params.get("DatapointsToAlarm")
    _check_periods(period_s, periods, needed)
    return Rule(
        statistic=name, period_s=period_s, comparison=params["ComparisonOperator"], threshold=params["Threshold"],
        evaluation_periods=periods, datapoints_to_alarm=needed or periods, m_of_n=needed is not None,
        treat_missing=params.get("TreatMissingData", "missing"), unit=params.get("Unit"),
        least_samples=_least_samples(params),
    )  # fmt: skip


def _of_metric(params: Params) -> tuple[str, int]:
    require(params, "MetricName", "Namespace", "Period")
    simple, extended_name = params.get("Statistic"), params.get("ExtendedStatistic")
    if (simple is None) == (extended_name is None):
        raise invalid("Exactly one of Statistic and ExtendedStatistic must be specified.")
    one_of(params, "Statistic", SIMPLE)
    if extended_name is not None and (extended_name in SIMPLE or not is_statistic(extended_name)):
        raise invalid(f"The value {extended_name} for parameter ExtendedStatistic is not supported.")
    return str(simple or extended_name), params["Period"]


def _of_metrics(params: Params, reader: Reader) -> tuple[str, int]:
    """Check the queries of an alarm on metric math; give its period."""
    queries = params["Metrics"]
    both = [member for member in OF_ONE_METRIC if params.get(member)]
    if both:
        raise invalid(f"{', '.join(both)} cannot be specified together with Metrics.")
    checked(queries, "Metrics")
    returning = [query for query in queries if query.get("ReturnData", True)]
    if len(returning) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")
    stats = [query["MetricStat"] for query in queries if query.get("MetricStat")]
    if len(stats) > MOST_METRICS:
        raise invalid(f"An alarm's expression can be based on at most {MOST_METRICS} metrics.")
    periods = {stat["Period"] for stat in stats} | {query["Period"] for query in queries if query.get("Period")}
    if len(periods) != 1:
        raise invalid("Period must be the same for all metrics of the metrics list.")
    _check_single(queries, returning[0], reader)
    return "", periods.pop()


def _check_single(queries: Sequence[Params], returning: Params, reader: Reader) -> None:
    """Refuse an expression that cannot be worth one time series; it is tried on no data."""
    if not returning.get("Expression"):
        return
    searching = [query for query in queries if query.get("Expression") and _searches(query["Expression"])]
    if searching:
        raise invalid(f"SEARCH is not supported on Metric Alarms: {searching[0]['Expression']}")
    try:
        found = evaluate(world(reader, queries, 0, 0), returning["Id"])
    except ExpressionError as wrong:
        raise refused(returning["Id"], wrong) from None
    if not isinstance(found, TimeSeries):
        raise invalid(MANY_SERIES)


def _searches(expression: str) -> bool:
    return any(isinstance(node, Call) and node.function == "SEARCH" for node in walk(parse(expression)))


def _check_periods(period_s: int, periods: int, needed: int | None) -> None:
    if period_s not in HIGH_RESOLUTION_S and (period_s < MINUTE_S or period_s % MINUTE_S):
        raise invalid("Period must be 10, 20, 30 or a multiple of 60")
    if periods < 1:
        raise constraint(periods, "EvaluationPeriods", "Member must have value greater than or equal to 1")
    if needed is not None and needed < 1:
        raise constraint(needed, "DatapointsToAlarm", "Member must have value greater than or equal to 1")
    if needed is not None and needed > periods:
        raise invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if period_s < HOUR_S and period_s * periods > DAY_S:
        raise invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
    if period_s * periods > WEEK_S:
        raise invalid(
            "Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800)."
        )


def _least_samples(params: Params) -> float:
    """Say below how many samples a percentile is not judged, when the alarm asks for that (API reference)."""
    wanted = extended.read(params.get("ExtendedStatistic") or "")
    if params.get("EvaluateLowSampleCountPercentile") != "ignore" or wanted is None or wanted.kind != "P":
        return 0.0
    percent = wanted.high or 0.0
    rarer = min(percent, 100 - percent)
    return 1000 / rarer if rarer > 0 else 0.0
