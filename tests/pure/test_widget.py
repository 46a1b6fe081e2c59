"""The MetricWidget document: what is read from it, what is refused and how, and how the graph is laid out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mglab.localcloud.rules.document import InvalidDocument
from mglab.localcloud.rules.graph import Series, axis_words, number, scale, stacked, time_ticks, unbroken
from mglab.localcloud.rules.widget import Axis, Line, Widget, parse

NOW = datetime(2026, 11, 25, 22, 30, 40, tzinfo=UTC).timestamp()
LB = "net/MGLB/50dc6c495c0c9188"
FLOWS = ["AWS/NetworkELB", "NewFlowCount", "LoadBalancer", LB]


def read(*metrics: Any, **rest: Any) -> Widget:
    return parse(json.dumps({"metrics": list(metrics or [FLOWS]), **rest}), NOW)


def mistakes(document: Any) -> dict[str, str]:
    """Give what is wrong by where."""
    with pytest.raises(InvalidDocument) as refused:
        parse(document if isinstance(document, str) else json.dumps(document), NOW)
    return {one.path: one.message for one in refused.value.mistakes}


# -- what is read ---------------------------------------------------------------------------------------------


def test_a_metric_alone_gets_awss_defaults() -> None:
    widget = read()
    assert (widget.width, widget.height, widget.legend, widget.stacked, widget.title) == (600, 400, "bottom", False, "")
    assert (widget.start, widget.end, widget.offset_s) == (NOW - 3 * 3600, NOW, 0)
    assert widget.lines == (
        Line("AWS/NetworkELB", "NewFlowCount", (("LoadBalancer", LB),), "Average", 300, "NewFlowCount", None, "left",
             True, ""),
    )  # fmt: skip


def test_a_metrics_own_options_win_over_the_widgets() -> None:
    own = {"stat": "p90", "period": 120, "label": "flows", "color": "#1F77b4", "yAxis": "right", "visible": False}
    (one, other) = read([*FLOWS, own], FLOWS, stat="Sum", period=60, region="us-east-1").lines
    assert (one.stat, one.period_s, one.label, one.colour, one.axis, one.visible) == (
        "p90", 120, "flows", "#1F77b4", "right", False,
    )  # fmt: skip
    assert (other.stat, other.period_s, other.axis, other.visible) == ("Sum", 60, "left", True)
    assert {one.region, other.region} == {"us-east-1"}


def test_metric_math_is_a_line_of_its_own() -> None:
    widget = read([*FLOWS, {"id": "m1"}], [{"expression": "m1 * 2", "id": "e1"}], [{"expression": "METRICS()"}],
                  view="bar", theme="dark")  # fmt: skip
    assert [(one.id, one.expression, one.label) for one in widget.lines] == [
        ("m1", "", "NewFlowCount"), ("e1", "m1 * 2", "e1"), ("", "METRICS()", "METRICS()"),
    ]  # fmt: skip
    assert (widget.view, widget.dark) == ("bar", True)


def test_dots_repeat_what_stands_above() -> None:
    above = ["AWS/NetworkELB", "HealthyHostCount", "TargetGroup", "t", "LoadBalancer", "l"]
    lines = read(above, [".", "UnHealthyHostCount", ".", ".", ".", "."], ["...", "m"], ["...", ".", {"stat": "Sum"}])
    assert [(line.name, line.dimensions) for line in lines.lines] == [
        ("HealthyHostCount", (("TargetGroup", "t"), ("LoadBalancer", "l"))),
        ("UnHealthyHostCount", (("TargetGroup", "t"), ("LoadBalancer", "l"))),
        ("UnHealthyHostCount", (("TargetGroup", "t"), ("LoadBalancer", "m"))),
        ("UnHealthyHostCount", (("TargetGroup", "t"), ("LoadBalancer", "m"))),
    ]
    assert lines.lines[-1].stat == "Sum"


@pytest.mark.parametrize(
    ("metrics", "labels"),
    [
        ([FLOWS], ["NewFlowCount"]),
        ([FLOWS, [".", "ProcessedBytes", ".", "."]], ["NewFlowCount", "ProcessedBytes"]),
        ([FLOWS, ["...", "net/B/2"]], [LB, "net/B/2"]),
        ([FLOWS, [*FLOWS, {"stat": "Sum"}]], ["Average", "Sum"]),
        ([FLOWS, FLOWS], ["NewFlowCount", "NewFlowCount"]),
        ([["N", "A"], ["N", "A", "D", "d"]], ["A", "d"]),
        ([["N", "A"], ["N", "A", "D", "d", {"stat": "Sum"}]], ["Average", "d Sum"]),
    ],
)
def test_lines_without_a_label_are_named_by_what_tells_them_apart(metrics: Any, labels: list[str]) -> None:
    assert [line.label for line in read(*metrics).lines] == labels


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("-PT3H", NOW - 10_800),
        ("-PT1H30M5S", NOW - 5405),
        ("-P1DT2H", NOW - 93_600),
        ("-P2W", NOW - 1_209_600),
        ("PT5M", NOW - 300),
        ("2026-11-25T22:00:00.000Z", NOW - 1840),
        ("2026-11-25T23:00:00+01:00", NOW - 1840),
    ],
)
def test_times_are_absolute_or_relative_to_now(text: str, moment: float) -> None:
    assert read(start=text).start == moment


def test_p0d_is_now() -> None:
    assert read(end="P0D").end == NOW


@pytest.mark.parametrize(("zone", "offset_s"), [("+0000", 0), ("+0130", 5400), ("-0500", -18_000)])
def test_the_time_zone_is_hours_and_minutes(zone: str, offset_s: int) -> None:
    assert read(timezone=zone).offset_s == offset_s


def test_axes_and_annotations() -> None:
    widget = read(
        yAxis={"left": {"min": 0, "max": 2.5, "label": "hosts", "showUnits": False}},
        legend={"position": "right"},
        annotations={
            "horizontal": [{"value": 2, "label": "limit", "fill": "above", "yAxis": "right"},
                           {"value": 1, "visible": False},
                           [{"value": 1, "label": "from"}, {"value": 3, "label": "to", "color": "#fff"}]],
            "vertical": [{"value": "2026-11-25T22:00:00Z", "label": "1"}],
        },
    )  # fmt: skip
    assert widget.left == Axis("hosts", 0.0, 2.5, False) and widget.right == Axis()
    limit, band = widget.horizontal
    assert (limit.value, limit.label, limit.fill, limit.axis) == (2.0, "limit", "above", "right")
    assert (band.value, band.until, band.label, band.until_label, band.fill, band.colour) == (
        1.0, 3.0, "from", "to", "between", "#fff",
    )  # fmt: skip
    assert [(one.value, one.label) for one in widget.vertical] == [(NOW - 1840, "1")]


def test_what_the_console_writes_for_other_views_does_no_harm() -> None:
    assert read(view="timeSeries", setPeriodToTimeRange=True, sparkline=True, trend=True, liveData=True, title=None)


# -- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", ["", "{", "[}", "{'metrics': []}", '{"metrics": NaN}', "[" * 20_000])
def test_what_is_no_json_is_refused(document: str) -> None:
    assert mistakes(document) == {"": "Should be a JSON document"}


@pytest.mark.parametrize(
    ("rest", "path", "message"),
    [
        ({"metrics": []}, "/metrics", "Should have 1 to 100 items"),
        ({"metrics": [FLOWS] * 101}, "/metrics", "Should have 1 to 100 items"),
        ({"metrics": None}, "", "Should have required property 'metrics'"),
        ({"metrics": {}}, "/metrics", "Should be array"),
        ({"metrics": ["AWS/EC2"]}, "/metrics/0", "Should be array"),
        ({"metrics": [["AWS/EC2"]]}, "/metrics/0", "namespace, a metric name"),
        ({"metrics": [["AWS/EC2", "CPU", "InstanceId"]]}, "/metrics/0", "pairs of dimension name and value"),
        ({"metrics": [["AWS/EC2", 7]]}, "/metrics/0/1", "Should be string"),
        ({"metrics": [["...", "i-1"]]}, "/metrics/0/0", "nothing above"),
        ({"metrics": [[".", "CPU"]]}, "/metrics/0/0", "nothing above"),
        ({"metrics": [FLOWS, ["AWS/EC2", "...", "a", "b"]]}, "/metrics/1/1", "nothing above"),
        ({"metrics": [[*FLOWS, {"expression": "SUM(METRICS())"}]]}, "/metrics/0", "An expression stands alone"),
        ({"metrics": [[{"expression": "m1 *", "id": "e1"}]]}, "/metrics/0/0/expression", "Unexpected end"),
        ({"metrics": [[*FLOWS, {"accountId": "1"}]]}, "/metrics/0/4/accountId", "no account but its own"),
        ({"metrics": [[*FLOWS, {"colour": "#fff"}]]}, "/metrics/0/4", "additional property 'colour'"),
        ({"metrics": [[*FLOWS, {"color": "red"}]]}, "/metrics/0/4/color", "hex colour"),
        ({"metrics": [[*FLOWS, {"yAxis": "top"}]]}, "/metrics/0/4/yAxis", "allowed values: left, right"),
        ({"metrics": [[*FLOWS, {"stat": "Mean"}]]}, "/metrics/0/4/stat", "Mean is not supported"),
        ({"metrics": [[*FLOWS, {"id": "M1"}]]}, "/metrics/0/4/id", "^[a-z]"),
        ({"metrics": [[*FLOWS, {"id": "m"}], [*FLOWS, {"id": "m"}]]}, "/metrics/1/4/id", "taken"),
        ({"widht": 600}, "", "additional property 'widht'"),
        ({"width": 0}, "/width", "Should be >= 1"),
        ({"height": 2001}, "/height", "Should be <= 2000"),
        ({"height": "400"}, "/height", "Should be integer"),
        ({"width": True}, "/width", "Should be integer"),
        ({"period": 90}, "/period", "multiple of 60"),
        ({"period": 0}, "/period", "multiple of 60"),
        ({"period": 10}, "/period", "no high-resolution"),
        ({"view": "gauge"}, "/view", "allowed values: timeSeries, singleValue, bar, pie"),
        ({"theme": "blue"}, "/theme", "allowed values: light, dark"),
        ({"stacked": "yes"}, "/stacked", "Should be boolean"),
        ({"title": 7}, "/title", "Should be string"),
        ({"timezone": "CET"}, "/timezone", "such as +0130"),
        ({"start": "yesterday"}, "/start", "Should be a time"),
        ({"start": "-P"}, "/start", "Should be a time"),
        ({"start": "-PT"}, "/start", "Should be a time"),
        ({"start": "-P99999999D"}, "/start", "Should be a time"),
        ({"end": "+P9000000D"}, "/end", "Should be a time"),
        ({"start": "0001-01-01T00:00:00Z"}, "/start", "Should be a time"),
        ({"start": "-PT1H", "end": "-PT2H"}, "/start", "before end"),
        ({"legend": {"position": "top"}}, "/legend/position", "bottom, right, hidden"),
        ({"yAxis": {"left": {"min": 2, "max": 1}}}, "/yAxis/left", "less than its max"),
        ({"yAxis": {"left": {"min": "0"}}}, "/yAxis/left/min", "Should be number"),
        ({"yAxis": {"left": {"min": 1e300}}}, "/yAxis/left/min", "Should be number"),
        ({"annotations": {"alarms": ["arn"]}}, "/annotations/alarms", "no alarm annotations"),
        ({"annotations": {"horizontal": [{"label": "x"}]}}, "/annotations/horizontal/0", "property 'value'"),
        ({"annotations": {"horizontal": [[{"value": 1}]]}}, "/annotations/horizontal/0", "two ends of a band"),
        ({"annotations": {"horizontal": [{"value": 1, "fill": "before"}]}}, "/annotations/horizontal/0/fill", "above"),
        ({"annotations": {"vertical": [{"value": 5}]}}, "/annotations/vertical/0/value", "Should be a time"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(rest: dict[str, Any], path: str, message: str) -> None:
    found = mistakes({"metrics": [FLOWS], **rest})
    assert list(found) == [path], found
    assert message in found[path]


def test_all_mistakes_are_told_at_once() -> None:
    assert set(mistakes({"metrics": [["N"]], "width": 0, "start": "?"})) == {"/metrics/0", "/width", "/start"}


def test_a_document_has_a_greatest_size() -> None:
    assert mistakes({"metrics": [FLOWS], "title": "x" * 102_400}) == {"": "Should NOT be larger than 100 KB"}


# -- the layout -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "axis", "ends", "ticks"),
    [
        ((), Axis(), (0, 1), (0, 0.25, 0.5, 0.75, 1)),
        ((0, 2), Axis(), (0, 2), (0, 0.5, 1, 1.5, 2)),
        ((3, 3), Axis(), (0, 3), (0, 1, 2, 3)),
        ((0, 0), Axis(), (0, 1), (0, 0.25, 0.5, 0.75, 1)),
        ((95, 100), Axis(), (94, 100), (94, 96, 98, 100)),
        ((-5, 5), Axis(), (-5, 5), (-5, -2.5, 0, 2.5, 5)),
        ((0, 130_000), Axis(), (0, 150_000), (0, 50_000, 100_000, 150_000)),
        ((0, 50), Axis(minimum=0, maximum=100), (0, 100), (0, 25, 50, 75, 100)),
        ((5, 50), Axis(maximum=3), (2, 3), (2, 2.25, 2.5, 2.75, 3)),
        ((-5,), Axis(minimum=3), (3, 4), (3, 3.25, 3.5, 3.75, 4)),
    ],
)
def test_an_axis_has_round_numbers(values: tuple[float, ...], axis: Axis, ends: Any, ticks: Any) -> None:
    found = scale(values, axis)
    assert (found.low, found.high) == ends
    assert found.ticks == ticks


@pytest.mark.parametrize(
    "values",
    [
        (1e308, -1e308), (0, 5e-324), (1e16, 1e16 + 2), (0.1 + 0.2, 0.3), (-1, -1), (1e22, 1e22), (-1e-30, 1e-30),
        (3.7e-15, 3.7e-15),
    ],
)  # fmt: skip
@pytest.mark.parametrize("axis", [Axis(), Axis(minimum=5), Axis(maximum=-1e20), Axis(minimum=1e20)])
def test_an_axis_has_two_ends_whatever_the_values(values: tuple[float, float], axis: Axis) -> None:
    found = scale(values, axis)
    assert found.low < found.high and len(found.ticks) <= 9
    assert all(found.low <= tick <= found.high for tick in found.ticks)
    assert axis.minimum in (None, found.low) and axis.maximum in (None, found.high)


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (0.25, "0.25"), (150, "150"), (1200, "1.2k"), (3e6, "3M"), (-2500, "-2.5k")]
)
def test_numbers_are_short(value: float, words: str) -> None:
    assert number(value) == words


def test_the_time_axis_has_round_hours_of_the_time_zone() -> None:
    start = datetime(2026, 11, 25, 22, 10, tzinfo=UTC).timestamp()
    assert [word for _, word in time_ticks(start, start + 7200, 0, 500)] == ["22:30", "23:00", "23:30", "00:00"]
    assert [word for _, word in time_ticks(start, start + 7200, 900, 300)] == ["22:30", "23:00", "23:30", "00:00"]
    assert [word for _, word in time_ticks(start, start + 86_400, 0, 300)] == ["11/26", "06:00", "12:00", "18:00"]
    assert [word for _, word in time_ticks(start, start + 5 * 86_400, 0, 500)][:2] == ["11/26", "11/27"]
    assert len(time_ticks(start, start + 400 * 86_400, 0, 500)) <= 8


def test_a_line_breaks_where_a_period_has_no_point() -> None:
    points = [(0.0, 1.0), (60.0, 1.0), (180.0, 1.0), (300.0, 2.0), (360.0, 2.0)]
    assert [[at for at, _ in piece] for piece in unbroken(points, 60)] == [[0, 60], [180], [300, 360]]
    assert [len(piece) for piece in unbroken(points, 120)] == [5]


def test_stacked_lines_stand_on_each_other() -> None:
    line = read().lines[0]
    lower, upper = stacked([Series(line, ((0, 1), (60, 2))), Series(line, ((0, 5), (120, 7)))])
    assert lower.points == ((0, 1), (60, 2)) and upper.points == ((0, 6), (120, 7))


def test_an_axis_is_named_by_its_unit() -> None:
    assert axis_words(Axis(), ["Count", "Count"]) == "Count"
    assert axis_words(Axis(), ["Count", "Bytes"]) == "Various units"
    assert axis_words(Axis(), ["None"]) == "No unit"
    assert axis_words(Axis(label="flows"), ["Count"]) == "flows"
    assert axis_words(Axis(show_units=False), ["Count"]) == axis_words(Axis(), []) == ""
