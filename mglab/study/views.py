"""Steps 87-88: the two monitoring tabs as figures, as summaries, and set against each other.

A tab's metrics that have one unit share a panel. Empty is not zero: a metric that was never published has
no line, and the summary says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mglab.display import column
from mglab.session import Lab
from mglab.steps import monitoring
from mglab.study.timeline import Event

if TYPE_CHECKING:
    import pandas

    from mglab.study.plots import Series

SEES = {
    "Healthy hosts": ("the load balancer's nodes", "targets that pass the check", "whether clients are served"),
    "Unhealthy hosts": ("the load balancer's nodes", "targets that fail the check", "why they fail"),
    "Active flows": ("the load balancer's nodes", "connections open at a time", "which target they reach"),
    "New flows": ("the load balancer's nodes", "connections begun", "whether they were answered"),
    "Processed bytes": ("the load balancer's nodes", "bytes of clients, without checks", "who sent them"),
    "Consumed LCUs": ("billing", "what the traffic costs", "anything about health"),
    "Client resets": ("the load balancer's nodes", "clients that broke off", "why"),
    "Target resets": ("the load balancer's nodes", "targets that refused or broke off", "which target"),
    "Load balancer resets": ("the load balancer's nodes", "flows the balancer itself ended", "which client"),
}


@dataclass(frozen=True)
class Line:
    """One metric over the whole run."""

    metric: str = field(metadata=column("Metric"))
    points: int = field(metadata=column("Points", "number"))
    lowest: float | None = field(metadata=column("Lowest", "number"))
    highest: float | None = field(metadata=column("Highest", "number"))
    total: float | None = field(metadata=column("Total", "number"))


@dataclass(frozen=True)
class Contrast:
    """One metric, the view it stands in, and what it can and cannot see."""

    metric: str = field(metadata=column("Metric"))
    view: str = field(metadata=column("View"))
    emitted_by: str = field(metadata=column("Emitted by"))
    sees: str = field(metadata=column("Sees"))
    is_blind_to: str = field(metadata=column("Is blind to"))
    in_this_run: str = field(metadata=column("In this run"))


@dataclass(frozen=True)
class View:
    """One monitoring tab: a frame with a row a minute and a column a metric."""

    name: str
    frame: pandas.DataFrame

    @property
    def panels(self) -> Mapping[str, Series]:
        """Give one panel a metric; a metric split by zone shares its panel."""
        panels: dict[str, dict[str, list[tuple[datetime, float]]]] = {}
        for label in self.frame.columns:
            panel = panels.setdefault(_metric_of(label), {})
            if points := _points(self.frame[label]):
                panel[label] = points
        return panels

    @property
    def summary(self) -> list[Line]:
        """Summarise each metric over the whole run."""
        return [_line(label, [value for _, value in _points(self.frame[label])]) for label in self.frame.columns]


def target_group(lab: Lab, since: datetime) -> View:
    """Read the target group's monitoring tab (step 87)."""
    return View("Target group", monitoring.target_group_metrics(lab, since))


def load_balancer(lab: Lab, since: datetime) -> View:
    """Read the load balancer's monitoring tab (step 88)."""
    return View("Load balancer", monitoring.load_balancer_metrics(lab, since))


def contrast(*views: View) -> list[Contrast]:
    """Set the views' metrics side by side: who emits each, what it sees, and what it saw in this run."""
    return [
        Contrast(line.metric, view.name, *SEES[line.metric], _in_words(line))
        for view in views
        for line in view.summary
        if line.metric in SEES
    ]


def beginning(lab: Lab) -> datetime:
    """Give the moment the load balancer was made: nothing was measured before."""
    made = [e.at for e in lab.ledger.entries() if e.kind == "made" and e.what == "load-balancer"]
    return datetime.fromisoformat(made[0]) if made else lab.clock.now()


def experiments(lab: Lab) -> list[Event]:
    """Give the moments at which we did something to the group, from the ledger."""
    return list(_experiments(lab))


def _experiments(lab: Lab) -> Iterable[Event]:
    for entry in lab.ledger.entries():
        at = datetime.fromisoformat(entry.at)
        if at > beginning(lab):
            if entry.kind == "removed" and entry.what == "instance":
                yield Event(at, "us", "instance terminated")
            elif entry.kind == "note" and "changes" in entry.details:
                yield Event(at, "us", "group's size changed")


def _metric_of(label: str) -> str:
    return label.split(" (us-")[0]


def _points(series: pandas.Series) -> list[tuple[datetime, float]]:
    return [(at.to_pydatetime(), float(value)) for at, value in series.dropna().items()]  # type: ignore[attr-defined]


def _line(label: str, values: list[float]) -> Line:
    if not values:
        return Line(label, 0, None, None, None)
    return Line(label, len(values), min(values), max(values), round(sum(values), 3))


def _in_words(line: Line) -> str:
    if line.points == 0:
        return "no data points"
    return f"{line.points} points, {line.lowest:g} to {line.highest:g}"
