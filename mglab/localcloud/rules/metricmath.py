"""Metric math: what an expression is worth, over the metrics of one request (CloudWatch's "Using metric math").

A value is a number, a time series or an array of series; in the end an expression must be series. ``World`` is what
a request knows: its metrics and its other expressions by id, its range, and who answers SEARCH. An expression may
use others, in any order, but not itself.

Left out, and refused by name: anomaly bands, insight rules, service quotas and the functions of other services.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mglab.localcloud.rules.expression import (
    Array,
    Binary,
    Call,
    ExpressionError,
    Name,
    Negative,
    Node,
    Number,
    Text,
    parse,
)
from mglab.localcloud.rules.series import (
    CALENDAR,
    SUMMARIES,
    TimeSeries,
    Value,
    across,
    calendar,
    combined,
    differences,
    filled,
    grid,
    made,
    mapped,
    running_sum,
    summary,
)

MINUTE_S = 60
MOST_PERIODS = 100_800
"""As many points as GetMetricData gives in one answer; a function that fills every period makes no more."""
NOT_MODELLED = (
    "ANOMALY_DETECTION_BAND", "INSIGHT_RULE_METRIC", "SERVICE_QUOTA", "DB_PERF_INSIGHTS", "LAMBDA", "CONFIDENCE_BAND",
)  # fmt: skip

Search = Callable[[str, str, int], Sequence[TimeSeries]]
"""(search query, statistic, period in seconds) -> the series found."""


def no_search(query: str, statistic: str, period_s: int) -> Sequence[TimeSeries]:
    """Refuse SEARCH, where a single series is wanted."""
    raise ExpressionError("SEARCH is not supported here")


@dataclass(frozen=True)
class World:
    """What an expression may speak of. ``start`` and ``end`` are lab epoch seconds."""

    metrics: Mapping[str, TimeSeries]
    expressions: Mapping[str, str]
    start: float
    end: float
    search: Search = no_search


def evaluate(world: World, name: str) -> TimeSeries | tuple[TimeSeries, ...]:
    """Give the series, or the array of them, that the expression with this id makes; raises ExpressionError."""
    try:
        value = _Evaluation(world).of_id(name)
    except RecursionError:
        raise ExpressionError("The expression is too long") from None
    if isinstance(value, float):
        raise ExpressionError("The expression must give a time series or an array of them, not a number")
    return value


@dataclass
class _Evaluation:
    """The values found so far, and the ids whose value is being found."""

    world: World
    known: dict[str, Value] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)

    def of_id(self, name: str) -> Value:
        if name in self.world.metrics:
            return self.world.metrics[name]
        if name not in self.world.expressions:
            raise ExpressionError(f"Undefined id '{name}'")
        if name in self.under_way:
            raise ExpressionError(f"The expressions {', '.join(self.under_way)} refer to each other in a circle")
        if name not in self.known:
            self.under_way.append(name)
            self.known[name] = self.of(parse(self.world.expressions[name]))
            self.under_way.pop()
        return self.known[name]

    def of(self, node: Node) -> Value:
        match node:
            case Number(value):
                return value
            case Name(name):
                if not name[0].islower():
                    raise ExpressionError(f"Unexpected '{name}'")
                return self.of_id(name)
            case Negative(inner):
                return combined("*", -1.0, self.of(inner))
            case Array(items):
                return tuple(series for item in items for series in _series(self.of(item), "[ ]"))
            case Binary(operator, left, right):
                try:
                    return combined(operator, self.of(left), self.of(right))
                except ValueError as wrong:
                    raise ExpressionError(str(wrong)) from None
            case Call(function, arguments):
                return self._call(function, arguments)
            case Text(value):
                raise ExpressionError(f"Unexpected '{value}'")

    def _call(self, function: str, arguments: tuple[Node, ...]) -> Value:
        if function in NOT_MODELLED:
            raise ExpressionError(f"The local cloud does not model the function '{function}'")
        if function not in _FUNCTIONS:
            raise ExpressionError(f"Function '{function}' not found")
        least, most, answer = _FUNCTIONS[function]
        if not least <= len(arguments) <= most:
            many = str(least) if least == most else f"{least} to {most}"
            raise ExpressionError(f"Function '{function}' takes {many} arguments, not {len(arguments)}")
        return answer(self, function, arguments)


Answer = Callable[[_Evaluation, str, tuple[Node, ...]], Value]


def _series(value: Value, function: str) -> tuple[TimeSeries, ...]:
    if isinstance(value, float):
        raise ExpressionError(f"{function} takes time series, not a number")
    return value if isinstance(value, tuple) else (value,)


def _array(value: Value, function: str) -> tuple[TimeSeries, ...]:
    if not isinstance(value, tuple):
        raise ExpressionError(f"{function} takes an array of time series")
    return value


def _single(value: Value, function: str) -> TimeSeries:
    if not isinstance(value, TimeSeries):
        raise ExpressionError(f"{function} takes one time series")
    return value


def _scalar(value: Value, function: str) -> float:
    if not isinstance(value, float):
        raise ExpressionError(f"{function} takes a number here, not a time series")
    return value


def _word(node: Node, function: str, allowed: Sequence[str]) -> str:
    if not isinstance(node, Name) or node.name not in allowed:
        raise ExpressionError(f"{function} takes one of {', '.join(allowed)} here")
    return node.name


def _text(node: Node, function: str) -> str:
    if not isinstance(node, Text):
        raise ExpressionError(f"{function} takes a string here")
    return node.value


# -- the functions ----------------------------------------------------------------------------------------------


def _of_each(change: Callable[[TimeSeries], TimeSeries]) -> Answer:
    """Make a function that changes one series, or each of an array."""

    def answer(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
        value = evaluation.of(arguments[0])
        changed = tuple(replace(change(one), label=one.label) for one in _series(value, function))
        return changed if isinstance(value, tuple) else changed[0]

    return answer


def _summed_up(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    value = evaluation.of(arguments[0])
    if isinstance(value, float):
        raise ExpressionError(f"{function} takes time series, not a number")
    return summary(function, value) if isinstance(value, TimeSeries) else across(function, value)


def _metrics(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    part = _text(arguments[0], function) if arguments else ""
    return tuple(one for name, one in evaluation.world.metrics.items() if part in name)


def _search(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    query, statistic = (_text(node, function) for node in arguments[:2])
    period_s = _scalar(evaluation.of(arguments[2]), function) if len(arguments) > 2 else 300.0
    return tuple(evaluation.world.search(query, statistic, int(period_s)))


def _period(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    series = _single(evaluation.of(arguments[0]), function)
    if not series.id:
        raise ExpressionError("PERIOD takes a metric, not the result of another expression")
    return float(series.period_s)


def _if(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    condition, yes = (evaluation.of(node) for node in arguments[:2])
    no = evaluation.of(arguments[2]) if len(arguments) > 2 else None
    if any(isinstance(value, tuple) for value in (condition, yes, no)):
        raise ExpressionError("IF takes numbers and single time series, no arrays")
    if not isinstance(condition, TimeSeries):
        chosen = yes if condition else no
        return _as_series(evaluation, TimeSeries({}, MINUTE_S) if chosen is None else chosen)
    points: dict[float, float] = {}
    for at, truth in condition.points.items():
        value = _at(yes, at, 0.0) if truth else _at(no, at, None)
        if value is not None:
            points[at] = value
    return made(condition, points)


def _at(value: Value | None, at: float, missing: float | None) -> float | None:
    return value.points.get(at, missing) if isinstance(value, TimeSeries) else value  # type: ignore[return-value]


def _as_series(evaluation: _Evaluation, value: Value) -> Value:
    if not isinstance(value, float):
        return value
    times = _times(evaluation.world, _finest(evaluation.world))
    return made(TimeSeries({}, _finest(evaluation.world)), dict.fromkeys(times, value))


def _time_series(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    return _as_series(evaluation, _scalar(evaluation.of(arguments[0]), function))


def _finest(world: World) -> int:
    return min((one.period_s for one in world.metrics.values()), default=MINUTE_S)


def _times(world: World, period_s: int) -> list[float]:
    if (world.end - world.start) / period_s > MOST_PERIODS:
        raise ExpressionError(f"The time range has more than {MOST_PERIODS} periods")
    return grid(world.start, world.end, period_s)


def _fill(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    value, how = evaluation.of(arguments[0]), arguments[1]
    word = how.name if isinstance(how, Name) and how.name in ("REPEAT", "LINEAR") else ""
    filler = word or evaluation.of(how)
    if isinstance(filler, tuple):
        raise ExpressionError("FILL takes a number, one time series, REPEAT or LINEAR as its filler")
    done = tuple(
        replace(filled(one, _times(evaluation.world, one.period_s), filler), label=one.label)
        for one in _series(value, function)
    )
    return done if isinstance(value, tuple) else done[0]


def _calendar(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    series = _single(evaluation.of(arguments[0]), function)
    return calendar(function, series, _times(evaluation.world, series.period_s))


def _end_of(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    array = _array(evaluation.of(arguments[0]), function)
    return array[0 if function == "FIRST" else -1] if array else TimeSeries({}, MINUTE_S)


def _metric_count(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    return float(len(_array(evaluation.of(arguments[0]), function)))


def _remove_empty(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    return tuple(one for one in _array(evaluation.of(arguments[0]), function) if one.points)


def _slice(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    array = _array(evaluation.of(arguments[0]), function)
    first, *last = (int(_scalar(evaluation.of(node), function)) for node in arguments[1:])
    if first < 0 or any(end < 0 for end in last):
        raise ExpressionError("SLICE takes numbers from 0")
    return array[first : last[0]] if last else array[first:]


def _sort(evaluation: _Evaluation, function: str, arguments: tuple[Node, ...]) -> Value:
    array = _array(evaluation.of(arguments[0]), function)
    by = _word(arguments[1], function, ("AVG", "MIN", "MAX", "SUM"))
    sign = -1 if _word(arguments[2], function, ("ASC", "DESC")) == "DESC" else 1
    there = sorted((one for one in array if one.points), key=lambda one: sign * summary(by, one))
    done = (*there, *(one for one in array if not one.points))
    return done[: int(_scalar(evaluation.of(arguments[3]), function))] if len(arguments) > 3 else done


def _logarithm(base: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: base(value) if value > 0 else math.nan


_MAPPED: Mapping[str, Callable[[float], float]] = {
    "ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor, "LOG": _logarithm(math.log), "LOG10": _logarithm(math.log10),
}  # fmt: skip
_STEPS: Mapping[str, Callable[[float, float], float]] = {
    "DIFF": lambda seconds, difference: difference,
    "DIFF_TIME": lambda seconds, difference: seconds,
    "RATE": lambda seconds, difference: difference / seconds,
}


def _mapping(change: Callable[[float], float]) -> Answer:
    return _of_each(lambda one: mapped(change, one))


def _stepping(tell: Callable[[float, float], float]) -> Answer:
    return _of_each(lambda one: differences(one, tell))


_FUNCTIONS: Mapping[str, tuple[int, int, Answer]] = {
    **{name: (1, 1, _mapping(change)) for name, change in _MAPPED.items()},
    **{name: (1, 1, _stepping(tell)) for name, tell in _STEPS.items()},
    **dict.fromkeys(SUMMARIES, (1, 1, _summed_up)),
    **dict.fromkeys(CALENDAR, (1, 1, _calendar)),
    "RUNNING_SUM": (1, 1, _of_each(running_sum)),
    "METRICS": (0, 1, _metrics),
    "SEARCH": (2, 3, _search),
    "PERIOD": (1, 1, _period),
    "IF": (2, 3, _if),
    "TIME_SERIES": (1, 1, _time_series),
    "FILL": (2, 2, _fill),
    "FIRST": (1, 1, _end_of),
    "LAST": (1, 1, _end_of),
    "METRIC_COUNT": (1, 1, _metric_count),
    "REMOVE_EMPTY": (1, 1, _remove_empty),
    "SLICE": (2, 3, _slice),
    "SORT": (3, 4, _sort),
}
"""Each function's least and greatest number of arguments, and what answers it."""
