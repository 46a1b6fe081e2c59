"""What GetMetricWidgetImage is asked to draw: the MetricWidget document, read and checked.

The document is JSON with a ``metrics`` array; a metric is ``[namespace, name, dimension, value, ..., options]``.
"." repeats the item above it, "..." all items of the metric above up to the ones that are given. What a metric
does not say for itself (``stat``, ``period``) it takes from the widget; AWS's defaults are in the constants
below (API reference, "Metric Widget Structure and Syntax"). ``[{"expression": "SUM(METRICS())", "id": "e1"}]`` is
metric math or a SEARCH over the others (``rules/metricmath``). Times are absolute or relative to now, ``-PT3H``.

Every mistake is found at once and told with the place where it stands, as CloudWatch tells those of a
dashboard's body. What the local cloud does not draw is refused by name, never ignored: gauges and tables, alarm
annotations, high-resolution periods, other accounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Literal

from mglab.localcloud.rules import labels
from mglab.localcloud.rules.document import InvalidDocument, Reader, decoded
from mglab.localcloud.rules.expression import ExpressionError
from mglab.localcloud.rules.expression import parse as parse_expression
from mglab.localcloud.rules.statistics import MINUTE_S, is_statistic
from mglab.localcloud.rules.widget_times import moment, offset, time_range

WIDTH, HEIGHT, LEAST_PIXELS, MOST_PIXELS = 600, 400, 1, 2000
PERIOD_S, STAT = 300, "Average"
MOST_METRICS = 100
MOST_BYTES = 100 * 1024
HIGH_RESOLUTION_S = (1, 5, 10, 30)

VIEWS = ("timeSeries", "singleValue", "bar", "pie")
THEMES = ("light", "dark")

Side = Literal["left", "right"]
View = Literal["timeSeries", "singleValue", "bar", "pie"]

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*\Z")

_WIDGET = (
    "metrics", "annotations", "end", "height", "legend", "liveData", "period", "region", "stacked", "start", "stat",
    "theme", "timezone", "title", "view", "width", "yAxis",
)  # fmt: skip
_OF_OTHER_VIEWS = ("setPeriodToTimeRange", "singleValueFullPrecision", "sparkline", "trend", "table", "labels")
"""The console writes these into every graph's source; a time series does not heed them."""
_OPTIONS = ("color", "expression", "label", "period", "stat", "visible", "yAxis", "id", "region")
_NO_OPTIONS = {"accountId": "The local cloud knows no account but its own"}
_NO_ANNOTATIONS = {"alarms": "The local cloud draws no alarm annotations; use a horizontal one"}


@dataclass(frozen=True)
class Line:
    """One metric of the graph, with nothing left open."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str
    period_s: int
    label: str
    colour: str | None
    axis: Side
    visible: bool
    region: str
    """Empty: the one that is asked."""
    id: str = ""
    expression: str = ""
    """Metric math or a SEARCH, instead of a metric."""
    place: str = field(default="", compare=False)
    """Where it stands in the document."""
    plain: str = field(default="", compare=False)
    """What it would be called without a label of its own."""


@dataclass(frozen=True)
class Axis:
    """One y axis; a bound that is None follows the data."""

    label: str = ""
    minimum: float | None = None
    maximum: float | None = None
    show_units: bool = True


@dataclass(frozen=True)
class Annotation:
    """A line across the graph, or a band between two. Values are the axis's, or lab epoch seconds."""

    value: float
    label: str = ""
    colour: str | None = None
    fill: str = "none"
    axis: Side = "left"
    until: float | None = None
    until_label: str = ""


@dataclass(frozen=True)
class Widget:
    """A graph to draw; ``start`` and ``end`` are lab epoch seconds, the size is in pixels."""

    title: str
    lines: tuple[Line, ...]
    start: float
    end: float
    offset_s: int
    """What its time zone is ahead of UTC."""
    width: int
    height: int
    stacked: bool
    legend: Literal["bottom", "right", "hidden"]
    left: Axis
    right: Axis
    horizontal: tuple[Annotation, ...] = ()
    vertical: tuple[Annotation, ...] = ()
    view: View = "timeSeries"
    dark: bool = False


def parse(document: str, now: float) -> Widget:
    """Read a MetricWidget; ``now`` is lab epoch seconds. Raises InvalidDocument with everything that is wrong."""
    read = Reader()
    widget = _widget(read, decoded(document, MOST_BYTES), now)
    if read.mistakes:
        raise InvalidDocument(read.mistakes)
    return widget


def _widget(read: Reader, document: Any, now: float) -> Widget:
    given = read.object(document, "", (*_WIDGET, *_OF_OTHER_VIEWS))
    legend = read.object(given.get("legend"), "/legend", ("position",))
    axes = read.object(given.get("yAxis"), "/yAxis", ("left", "right"))
    marks = read.object(given.get("annotations"), "/annotations", ("horizontal", "vertical"), _NO_ANNOTATIONS)
    start, end = time_range(read, given, now)
    read.truth(given, "liveData", "", False)
    return Widget(
        title=read.text(given, "title", ""),
        lines=_lines(read, given),
        start=start,
        end=end,
        offset_s=offset(read, given),
        width=_pixels(read, given, "width", WIDTH),
        height=_pixels(read, given, "height", HEIGHT),
        stacked=read.truth(given, "stacked", "", False),
        legend=read.one_of(legend, "position", "/legend", ("bottom", "right", "hidden")),  # type: ignore[arg-type]
        left=_axis(read, axes.get("left"), "/yAxis/left"),
        right=_axis(read, axes.get("right"), "/yAxis/right"),
        horizontal=_horizontal(read, marks.get("horizontal")),
        vertical=_vertical(read, marks.get("vertical"), now),
        view=read.one_of(given, "view", "", VIEWS),  # type: ignore[arg-type]
        dark=read.one_of(given, "theme", "", THEMES) == "dark",
    )


def _pixels(read: Reader, given: Mapping[str, Any], name: str, default: int) -> int:
    value = read.whole(given, name, "", default)
    if not LEAST_PIXELS <= value <= MOST_PIXELS:
        bound = f"<= {MOST_PIXELS}" if value > MOST_PIXELS else f">= {LEAST_PIXELS}"
        read.wrong(f"/{name}", f"Should be {bound}")
    return value


# -- metrics --------------------------------------------------------------------------------------------------


def _lines(read: Reader, given: Mapping[str, Any]) -> tuple[Line, ...]:
    if "metrics" not in given:
        read.wrong("", "Should have required property 'metrics'")
    rows = read.list(given.get("metrics"), "/metrics")
    if "metrics" in given and isinstance(given["metrics"], list) and not 1 <= len(rows) <= MOST_METRICS:
        read.wrong("/metrics", f"Should have 1 to {MOST_METRICS} items")
    stat, period_s = _stat(read, given, "", STAT), _period(read, given, "", PERIOD_S)
    region = read.text(given, "region", "")
    lines: list[Line] = []
    above: list[str] = []
    for number, row in enumerate(rows):
        path = f"/metrics/{number}"
        items, options = _split(read, row, path)
        if "expression" in options:
            lines.append(_expression(read, items, options, path, (stat, period_s, region)))
            continue
        spelt = _spelt_out(read, items, above, path)
        if len(spelt) >= 2 and len(spelt) % 2 == 0:
            lines.append(_line(read, spelt, options, path, stat, period_s, region))
            above = spelt
        elif isinstance(row, list):
            read.wrong(path, "Should have a namespace, a metric name, and pairs of dimension name and value")
    _refuse_same_ids(read, rows)
    return _labelled(lines)


def _split(read: Reader, row: Any, path: str) -> tuple[list[str], dict[str, Any]]:
    """Part a metric's names from its rendering options, which stand last."""
    items = list(read.list(row, path))
    last = items.pop() if items and isinstance(items[-1], dict) else None
    options = read.object(last, f"{path}/{len(items)}", _OPTIONS, _NO_OPTIONS)
    for place, item in enumerate(items):
        if not isinstance(item, str):
            read.wrong(f"{path}/{place}", "Should be string")
    return [str(item) for item in items], options


def _spelt_out(read: Reader, items: list[str], above: list[str], path: str) -> list[str]:
    """Put the items of the metric above in the place of "." and "..."."""
    if items and items[0] == "..." and above:
        given = items[1:]
        items = [*above[: max(0, len(above) - len(given))], *given]
    for place, (item, over) in enumerate(zip_longest(items, above[: len(items)])):
        if item in (".", "...") and over is None or item == "...":
            read.wrong(f"{path}/{place}", f"There is nothing above that {item} could repeat")
    return [above[place] if item == "." and place < len(above) else item for place, item in enumerate(items)]


def _line(
    read: Reader, spelt: list[str], options: dict[str, Any], path: str, stat: str, period_s: int, region: str
) -> Line:
    where = f"{path}/{len(spelt)}"
    pairs = zip(spelt[2::2], spelt[3::2], strict=True)
    line = _rendered(read, options, where, stat, period_s, region)
    return replace(line, namespace=spelt[0], name=spelt[1], dimensions=tuple(pairs))


def _expression(
    read: Reader, items: list[str], options: dict[str, Any], path: str, defaults: tuple[str, int, str]
) -> Line:
    """Read a line of metric math: its options alone, one of them the expression."""
    where = f"{path}/{len(items)}"
    if items:
        read.wrong(path, "An expression stands alone, without a metric's names")
    expression = read.text(options, "expression", where)
    try:
        parse_expression(expression)
    except ExpressionError as wrong:
        read.wrong(f"{where}/expression", str(wrong))
    return replace(_rendered(read, options, where, *defaults), expression=expression)


def _rendered(
    read: Reader, options: dict[str, Any], where: str, stat: str, period_s: int, region: str
) -> Line:
    """Read how a line is drawn."""
    return Line(
        namespace="",
        name="",
        dimensions=(),
        stat=_stat(read, options, where, stat),
        period_s=_period(read, options, where, period_s),
        label=read.text(options, "label", where),
        colour=read.colour(options, where),
        axis=read.one_of(options, "yAxis", where, ("left", "right")),  # type: ignore[arg-type]
        visible=read.truth(options, "visible", where, True),
        region=read.text(options, "region", where, region),
        id=read.text(options, "id", where),
        place=where,
    )


def _stat(read: Reader, given: Mapping[str, Any], path: str, default: str) -> str:
    value = read.text(given, "stat", path, default)
    if "stat" in given and not is_statistic(value):
        read.wrong(f"{path}/stat", f"The statistic {value} is not supported")
    return value


def _period(read: Reader, given: Mapping[str, Any], path: str, default: int) -> int:
    value = read.whole(given, "period", path, default)
    if "period" not in given:
        return default
    if value in HIGH_RESOLUTION_S:
        read.wrong(f"{path}/period", "The local cloud has no high-resolution metrics")
    elif value <= 0 or value % MINUTE_S:
        read.wrong(f"{path}/period", f"Should be a multiple of {MINUTE_S}")
    return value


def _refuse_same_ids(read: Reader, rows: Sequence[Any]) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        options = row[-1] if isinstance(row, list) and row and isinstance(row[-1], dict) else {}
        name = options.get("id")
        if name is None:
            continue
        path = f"/metrics/{number}/{len(row) - 1}/id"
        if not isinstance(name, str) or not _ID.match(name):
            read.wrong(path, "Should match pattern ^[a-z][a-zA-Z0-9_]*$")
        elif name in seen:
            read.wrong(path, f"The id {name} is taken by another metric")
        seen.add(str(name))


def _labelled(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Name each line by what tells it from the others, a line alone by its metric, an expression by its id."""
    of_metrics = [line for line in lines if not line.expression]
    most = max((len(line.dimensions) for line in of_metrics), default=0)
    words = iter(labels.facets([(one.namespace, one.name, *_values(one, most), one.stat) for one in of_metrics]))
    plain = [(line.id or line.expression) if line.expression else next(words) for line in lines]
    return tuple(replace(line, plain=word, label=line.label or word) for line, word in zip(lines, plain, strict=True))


def _values(line: Line, count: int) -> list[str]:
    values = [value for _, value in line.dimensions]
    return values + [""] * (count - len(values))


# -- axes and annotations -------------------------------------------------------------------------------------


def _axis(read: Reader, value: Any, path: str) -> Axis:
    given = read.object(value, path, ("label", "min", "max", "showUnits"))
    least, most = read.number(given, "min", path), read.number(given, "max", path)
    if least is not None and most is not None and least >= most:
        read.wrong(path, "Should have a min that is less than its max")
    return Axis(read.text(given, "label", path), least, most, read.truth(given, "showUnits", path, True))


def _horizontal(read: Reader, value: Any) -> tuple[Annotation, ...]:
    return tuple(_annotations(read, value, "/annotations/horizontal", ("none", "above", "below", "between"), None))


def _vertical(read: Reader, value: Any, now: float) -> tuple[Annotation, ...]:
    return tuple(_annotations(read, value, "/annotations/vertical", ("none", "before", "after", "between"), now))


def _annotations(read: Reader, value: Any, path: str, fills: Sequence[str], now: float | None) -> Iterator[Annotation]:
    """Read annotations; ``now`` says that their values are times. Two in a list of their own are a band."""
    for number, item in enumerate(read.list(value, path)):
        where = f"{path}/{number}"
        ends = item if isinstance(item, list) else [item]
        if isinstance(item, list) and len(item) != 2:
            read.wrong(where, "Should have the two ends of a band")
            continue
        read_ends = [_annotation(read, one, where, fills, now) for one in ends]
        shown = [one for one in read_ends if one is not None]
        if len(shown) == len(ends):
            yield shown[0] if len(shown) == 1 else _band(*shown)


def _annotation(read: Reader, value: Any, path: str, fills: Sequence[str], now: float | None) -> Annotation | None:
    """Read one; None when it is not to be shown or cannot be."""
    known = ("color", "fill", "label", "value", "visible", *(("yAxis",) if now is None else ()))
    given = read.object(value, path, known)
    if "value" not in given:
        read.wrong(path, "Should have required property 'value'")
        return None
    at = read.number(given, "value", path) if now is None else moment(read, given["value"], f"{path}/value", now)
    if not read.truth(given, "visible", path, True) or at is None:
        return None
    return Annotation(
        value=at,
        label=read.text(given, "label", path),
        colour=read.colour(given, path),
        fill=read.one_of(given, "fill", path, fills),
        axis=read.one_of(given, "yAxis", path, ("left", "right")),  # type: ignore[arg-type]
    )


def _band(one: Annotation, other: Annotation) -> Annotation:
    return Annotation(
        value=one.value, label=one.label, colour=one.colour or other.colour, fill="between", axis=one.axis,
        until=other.value, until_label=other.label,
    )  # fmt: skip
