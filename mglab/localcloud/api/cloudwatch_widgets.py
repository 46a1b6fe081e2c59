"""GetMetricWidgetImage: a graph of metrics as a PNG, of the very points that GetMetricData answers.

The document is read in ``rules/widget``; here each of its metrics gets its points, under the cloud's lock, and
``cloudwatch_picture`` draws them outside of it. A metric without data, or of another region, has no line and is
no error, as on AWS. Periods begin at whole multiples of themselves.

AWS documents no errors of this operation; a document with mistakes gets ValidationError and the list that
PutDashboard gives (inferred). Left out, and refused by name: what ``rules/widget`` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from mglab.localcloud.api import cloudwatch_picture
from mglab.localcloud.api.cloudwatch_data import Reader, Stat
from mglab.localcloud.api.cloudwatch_forms import invalid, one_of
from mglab.localcloud.api.cloudwatch_state import Params, metric_key
from mglab.localcloud.api.deferred import Deferred, Plain
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.document import InvalidDocument
from mglab.localcloud.rules.graph import Series
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
        series = [self._series(line, widget) for line in widget.lines]
        if params.get("OutputFormat") == "image/png":
            return Deferred(lambda: Plain("image/png", cloudwatch_picture.draw(widget, series)))
        return Deferred(lambda: {"MetricWidgetImage": cloudwatch_picture.draw(widget, series)})

    def _series(self, line: Line, widget: Widget) -> Series:
        if line.region not in ("", self.region) or not line.visible:
            return Series(line, ())
        key = metric_key(line.namespace, line.name, dict(line.dimensions))
        start = aligned(widget.start, line.period_s)
        found = self.reader.series(Stat(key, line.stat, line.period_s), start, widget.end)
        return Series(line, tuple(found.points.items()), found.unit)


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
