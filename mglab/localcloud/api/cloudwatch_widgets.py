"""GetMetricWidgetImage: a graph of metrics as a PNG, of the very points that GetMetricData answers.

The document is read in ``rules/widget``; here each of its metrics gets its points and each of its expressions is
worked out, under the cloud's lock, and ``cloudwatch_picture`` draws them outside of it. A metric without data, or of
another region, has no line and is no error, as on AWS; an expression may have several. Periods begin at whole
multiples of themselves.

AWS documents no errors of this operation; a document with mistakes gets ValidationError and the list that
PutDashboard gives (inferred). Left out, and refused by name: what ``rules/widget`` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from mglab.localcloud.api import cloudwatch_picture
from mglab.localcloud.api.cloudwatch_data import Reader, Stat
from mglab.localcloud.api.cloudwatch_forms import invalid, one_of
from mglab.localcloud.api.cloudwatch_state import Params, metric_key
from mglab.localcloud.api.deferred import Deferred, Plain
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import labels
from mglab.localcloud.rules.document import InvalidDocument, Mistake
from mglab.localcloud.rules.expression import ExpressionError
from mglab.localcloud.rules.graph import Series
from mglab.localcloud.rules.metricmath import World, evaluate
from mglab.localcloud.rules.series import TimeSeries
from mglab.localcloud.rules.statistics import aligned
from mglab.localcloud.rules.widget import Line, Widget, parse

OUTPUT_FORMATS = ("png", "image/png")
MOST_POINTS = 100_800
"""As many as GetMetricData gives; a graph of more would keep the cloud busy for nothing."""


class WidgetPage:
    """Answers the operation on pictures."""

    def __init__(self, reader: Reader, now: Callable[[], float], region: str) -> None:
        self.reader = reader
        self.now = now
        self.region = region

    def get_metric_widget_image(self, params: Params) -> Deferred:
        """Read a graph's data now, and draw it when the lock is free again."""
        one_of(params, "OutputFormat", OUTPUT_FORMATS)
        try:
            widget = parse(params["MetricWidget"], self.now())
        except InvalidDocument as error:
            raise refusal(error) from None
        _refuse_too_many_points(widget)
        series = self._series(widget)
        if params.get("OutputFormat") == "image/png":
            return Deferred(lambda: Plain("image/png", cloudwatch_picture.draw(widget, series)))
        return Deferred(lambda: {"MetricWidgetImage": cloudwatch_picture.draw(widget, series)})

    def _series(self, widget: Widget) -> list[Series]:
        """Give each line of the graph with its points, an expression's one or several."""
        known = self._world(widget)
        found: list[Series] = []
        for place, line in enumerate(widget.lines):
            if line.expression:
                found += self._of_expression(line, _name(line, place), known)
            else:
                found.append(self._drawn(line, known.metrics[_name(line, place)], line.plain))
        return found

    def _world(self, widget: Widget) -> World:
        metrics = {
            _name(line, place): replace(self._of_metric(line, widget), id=_name(line, place), label=line.label)
            for place, line in enumerate(widget.lines)
            if not line.expression
        }
        expressions = {
            _name(line, place): line.expression for place, line in enumerate(widget.lines) if line.expression
        }
        coarsest = max((line.period_s for line in widget.lines), default=60)
        start = aligned(widget.start, coarsest)

        def search(query: str, name: str, period_s: int) -> list[TimeSeries]:
            return self.reader.search(query, name, period_s, aligned(widget.start, period_s), widget.end)

        return World(metrics, expressions, start, widget.end, search)

    def _of_metric(self, line: Line, widget: Widget) -> TimeSeries:
        if line.region not in ("", self.region):
            return TimeSeries({}, line.period_s)
        key = metric_key(line.namespace, line.name, dict(line.dimensions))
        stat = Stat(key, line.stat, line.period_s)
        return self.reader.series(stat, aligned(widget.start, line.period_s), widget.end)

    def _of_expression(self, line: Line, name: str, known: World) -> list[Series]:
        try:
            found = evaluate(known, name)
        except ExpressionError as wrong:
            raise refusal(InvalidDocument([Mistake(f"{line.place}/expression", str(wrong))])) from None
        if isinstance(found, TimeSeries):
            return [self._drawn(line, found, line.plain)]
        before = "" if line.label == line.plain else line.label
        return [
            self._drawn(replace(line, colour=None, label=_joined(before, one.label)), one, one.label) for one in found
        ]

    def _drawn(self, line: Line, found: TimeSeries, plain: str) -> Series:
        label = labels.dynamic(line.label, plain, found, self.now())
        return Series(replace(line, label=label, period_s=found.period_s), tuple(found.points.items()), found.unit)


def _name(line: Line, place: int) -> str:
    """Name a line for expressions: its id, or a word that no expression can write."""
    return line.id or f"#{place}"


def _joined(before: str, label: str) -> str:
    return before if "${" in before else f"{before} {label}".strip()


def refusal(error: InvalidDocument) -> ApiError:
    """Tell every mistake with its place in the document."""
    told = [{"dataPath": one.path, "message": one.message} for one in error.mistakes]
    count = "1 validation error" if len(told) == 1 else f"{len(told)} validation errors"
    verb = "is" if len(told) == 1 else "are"
    return invalid(f"The metric widget is invalid, there {verb} {count}: {json.dumps(told, ensure_ascii=False)}")


def _refuse_too_many_points(widget: Widget) -> None:
    asked = sum(int((widget.end - widget.start) // line.period_s) for line in widget.lines)
    if asked > MOST_POINTS:
        raise invalid(
            f"The metric widget asks for up to {asked} datapoints, which exceeds the limit of {MOST_POINTS}. "
            "You may reduce them by increasing period, or decreasing the time range."
        )
