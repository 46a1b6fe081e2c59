"""Metric math, SEARCH and composite rules by the examples of AWS's own pages."""

from __future__ import annotations

import pytest

from mglab.localcloud.rules import alarmrule, search
from mglab.localcloud.rules.expression import ExpressionError, names, parse
from mglab.localcloud.rules.metricmath import World, evaluate
from mglab.localcloud.rules.search import Candidate
from mglab.localcloud.rules.series import TimeSeries


def series(name: str, *values: float | None) -> TimeSeries:
    points = {60.0 * n: float(value) for n, value in enumerate(values) if value is not None}
    return TimeSeries(points, 60, name, name)


def worth(expression: str, *metrics: TimeSeries, periods: int = 5) -> list[float | None]:
    """Give an expression's value in each period."""
    world = World({one.id: one for one in metrics}, {"e": expression}, 0, 60 * periods)
    found = evaluate(world, "e")
    assert isinstance(found, TimeSeries)
    return [found.points.get(60.0 * n) for n in range(periods)]


# The page's own tables: metric1 [30, 20, 0, 0], metric2 [20, -, 20, -].
COMPARED = [
    ("metric1 < metric2", [0, 0, 1, 0]),
    ("metric1 >= 30", [1, 0, 0, 0]),
    ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0]),
    ("metric1 > 15 && metric2 > 15", [1, 0, 0, 0]),
    ("metric1 == 0 || metric2 == 20", [1, 0, 1, 1]),
    ("metric1 != 20 OR metric1 <= 0", [1, 0, 1, 1]),
]


@pytest.mark.fact("4.4/metric-math")
@pytest.mark.parametrize(("expression", "values"), COMPARED)
def test_comparisons(expression: str, values: list[float]) -> None:
    one, other = series("metric1", 30, 20, 0, 0), series("metric2", 20, None, 20, None)
    assert worth(expression, one, other, periods=4) == values


# metric1 [1, 1, 0, 0, -], metric2 [30, -, 0, 0, 30], metric3 [0, 0, 20, -, 20].
CONDITIONS = [
    ("IF(metric1, metric2, metric3)", [30, 0, 20, None, None]),
    ("IF(metric1, 5, metric3)", [5, 5, 20, None, None]),
    ("IF(metric1, metric2, 5)", [30, 0, 5, 5, None]),
    ("IF(metric1, metric2)", [30, 0, None, None, None]),
    ("IF(1, metric2, metric3)", [30, None, 0, 0, 30]),
    ("IF(0, metric2)", [None] * 5),
    ("IF(1 > 2, metric2, 7)", [7] * 5),
]


@pytest.mark.fact("4.4/metric-math")
@pytest.mark.parametrize(("expression", "values"), CONDITIONS)
def test_conditions(expression: str, values: list[float | None]) -> None:
    metrics = (series("metric1", 1, 1, 0, 0), series("metric2", 30, None, 0, 0, 30),
               series("metric3", 0, 0, 20, None, 20))  # fmt: skip
    assert worth(expression, *metrics) == values


BOUND = [("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-2 ^ 2", -4), ("2 ^ 3 ^ 2", 512), ("2 ^ -1", 0.5), ("7 - 3 - 2", 2),
         ("8 / 4 / 2", 1), ("1 < 2 AND 0 OR 1", 1), ("1.5e1 - .5", 14.5), ("1 + 1 == 2", 1)]  # fmt: skip


@pytest.mark.parametrize(("expression", "value"), BOUND)
def test_what_binds_tighter(expression: str, value: float) -> None:
    assert worth(f"TIME_SERIES({expression})", periods=1) == [value]


def test_what_cannot_be_computed_is_dropped() -> None:
    m = series("m", -1, 0, 1)
    assert worth("1 / m", m, periods=3) == [-1, None, 1]
    assert worth("LOG(m)", m, periods=3) == [None, None, 0]
    assert worth("m ^ 0.5", m, periods=3) == [None, 0, 1]
    assert worth("m - AVG(m)", TimeSeries({}, 60, "m", "m"), periods=3) == [None] * 3
    assert worth("10 ^ 400 * m", m, periods=3) == [None] * 3


def test_the_calendar() -> None:
    at = 1_694_865_600.0  # Saturday 16 September 2023, 12:00 UTC
    m = TimeSeries({at: 1.0}, 60, "m", "m")
    told = {"MINUTE": 0, "HOUR": 12, "DAY": 6, "DATE": 16, "MONTH": 9, "YEAR": 2023, "EPOCH": at}
    for function, value in told.items():
        found = evaluate(World({"m": m}, {"e": f"{function}(m)"}, at, at + 60), "e")
        assert isinstance(found, TimeSeries) and found.points == {at: value}, function


def test_arrays_go_series_by_series() -> None:
    world = World({"a": series("a", 1, 2), "b": series("b", 30)}, {"e": "[a, b] / [b, a]", "f": "-METRICS()"}, 0, 120)
    for name, values in {"e": [{0: 1 / 30}, {0: 30, 60: 0}], "f": [{0: -1, 60: -2}, {0: -30}]}.items():
        found = evaluate(world, name)
        assert isinstance(found, tuple) and [one.points for one in found] == values, name


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "Unexpected end"), ("m m", "Unexpected 'm'"), ("(m, m)", "one expression"), ("AVG()", "takes 1 arguments"),
        ("SORT(m, AVG, DESC)", "SORT takes an array"), ("SORT([m], FOO, DESC)", "one of AVG, MIN, MAX, SUM"),
        ("PERIOD(m + 1)", "PERIOD takes a metric"), ("IF([m], 1, 0)", "no arrays"), ("'text'", "Unexpected 'text'"),
        ("DESC", "Unexpected 'DESC'"), ("[m, m] + [m]", "different lengths"), ("(" * 60 + "m" + ")" * 60, "deeply"),
        ("SEARCH('x', 'Sum', 60)", "SEARCH is not supported here"), ("ABS(3)", "not a number"), ("m" * 3000, "longer"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(expression: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        worth(expression, series("m", 1))


def test_what_would_take_too_long_is_refused() -> None:
    m = series("m", 1)
    assert worth("+".join(["m"] * 300), m, periods=1) == [300]
    with pytest.raises(ExpressionError, match="too long"):
        worth("+".join(["m"] * 1020), m, periods=1)
    with pytest.raises(ExpressionError, match="more than 100800 periods"):
        worth("FILL(m, 0)", m, periods=100_801)
    with pytest.raises(search.SearchError, match="deeply"):
        search.parse("(" * 60 + "a" + ")" * 60)


def test_an_expression_tells_whom_it_mentions() -> None:
    assert names(parse("IF(a > 1, SUM([b, a]), FILL(c, REPEAT))")) == ["a", "b", "c"]


# -- SEARCH -----------------------------------------------------------------------------------------------------

COUNT = Candidate("MyNamespace", "CustomCount1", {"Host": "Network-Errors-2"})
FOUND = [
    ("count", True), ("Count", True), ("COUNT", True), ("couNT", False), ("CustomCount", True), ("Count1", True),
    ("customcount", False), ("count1", False), ('"CustomCount1"', True), ('"customcount1"', False), ('"Custom"', False),
    ("network/errors", True), ("network+errors", True), ("Network_Errors", True), ('"Network-Errors-2"', True),
    ('"Network_Errors_2"', False), ('{MyNamespace}, "CustomCount1"', True), ("{MyNamespace,Host} count", True),
    ("{MyNamespace,Host,Zone} count", False), ("{Other} count", False), ("MetricName=count", True),
    ('MetricName="Network-Errors-2"', False), ("Host=errors", True), ("Host=count", False),
    ("NOT Namespace=My", False), ("NOT Namespace=AWS", True), ("nothing OR count", True), ("nothing AND count", False),
    ("count NOT nothing", True), ("(nothing OR count) errors", True), ("{MyNamespace}", True),
]  # fmt: skip


@pytest.mark.fact("4.4/search")
@pytest.mark.parametrize(("query", "found"), FOUND)
def test_what_a_search_finds(query: str, found: bool) -> None:
    assert search.parse(query)(COUNT) is found


@pytest.mark.parametrize(
    ("name", "pieces"),
    [("CustomCount1", ["Custom", "Count", "1"]), ("SDBFailure", ["SDB", "Failure"]),
     ("Project2-trial333", ["Project", "2", "trial", "333"]), ("Network-Errors_2", ["Network", "Errors", "2"])],
)  # fmt: skip
def test_tokens(name: str, pieces: list[str]) -> None:
    assert search.pieces(name) == pieces


@pytest.mark.parametrize("query", ["", "   ", "(a", "a)", "OR a", "a AND", "{}", "x" * 1025])
def test_a_search_that_cannot_be_read(query: str) -> None:
    with pytest.raises(search.SearchError):
        search.parse(query)


# -- composite rules --------------------------------------------------------------------------------------------

STATES = {"a": "ALARM", "b": "OK", "a b": "INSUFFICIENT_DATA"}
RULES = [
    ("ALARM(a)", True), ("ALARM(b)", False), ("NOT ALARM(b)", True), ("ALARM(a) AND OK(b)", True),
    ("ALARM(b) OR OK(a)", False), ('INSUFFICIENT_DATA("a b")', True), ("ALARM('a') AND (OK(a) OR OK(b))", True),
    ("TRUE", True), ("FALSE OR NOT FALSE", True), ("NOT (ALARM(a) AND OK(b))", False), ("( ALARM( a ) )", True),
]  # fmt: skip


@pytest.mark.fact("4.4/composite")
@pytest.mark.parametrize(("rule", "holds"), RULES)
def test_a_composite_rule(rule: str, holds: bool) -> None:
    assert alarmrule.holds(alarmrule.parse(rule), STATES.__getitem__) is holds


@pytest.mark.parametrize("rule", ["", "ALARM", "ALARM()", "ALARM(a", "AND", "ALARM(a) OK(b)", "alarm(a)", "AT_LEAST"])
def test_a_rule_that_cannot_be_read(rule: str) -> None:
    with pytest.raises(alarmrule.RuleError):
        alarmrule.parse(rule)
