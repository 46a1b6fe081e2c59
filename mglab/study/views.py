"""Steps 87-88: the two monitoring tabs as figures, as what each metric saw of each event, and in contrast.

A tab's metrics that belong together share a panel, which says its statistic and unit. Empty is not zero: a
metric that was never published has no line, and the tables say "no data points".

What a metric saw of an event is read from its points alone. A point stands for its whole minute, so a minute
belongs to the last event that began before its end; an event's window reaches to the next one's, or to the end.
Before is the minute ahead of the window, after is its last minute, between them stands the value farthest from
the one before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mglab import waits
from mglab.display import column
from mglab.session import Lab
from mglab.steps import monitoring
from mglab.steps.monitoring import Metric
from mglab.study import marks as what_we_did
from mglab.study.marks import Mark

if TYPE_CHECKING:
    import pandas

MINUTE = timedelta(seconds=monitoring.PERIOD_S)
AFTERWARDS = timedelta(minutes=30)
"""How long after the last experiment is still looked at: scaling in again takes a quarter of an hour."""
NEVER = datetime.max.replace(tzinfo=UTC)
NO_DATA, NOTHING, SAME_MINUTE = "no data points", "nothing", "within the same minute"

NODES = "the load balancer's nodes"
SEES = {
    "Healthy hosts": (NODES, "targets that pass the check; the best zone's number", "whether clients are served"),
    "Unhealthy hosts": (NODES, "targets that fail the check; the best zone's number", "why they fail"),
    "Zonal health": (NODES, "whether a zone has a healthy target, and so stays in DNS", "how many it has"),
    "New flows": (NODES, "connections begun", "whether they were answered"),
    "Active flows": (NODES, "connections open at a time", "those that are over within the minute"),
    "Processed bytes": (NODES, "bytes of clients, without checks", "who sent them"),
    "Processed packets": (NODES, "packets, those of the checks too", "who sent them"),
    "Peak bytes a second": (NODES, "the busiest ten seconds of a minute", "which flow it was"),
    "Peak packets a second": (NODES, "the busiest ten seconds, checks too", "which flow it was"),
    "Consumed LCUs": ("billing", "what the traffic costs", "anything about health"),
    "Client resets": (NODES, "clients that broke off", "why"),
    "Target resets": (NODES, "targets that refused or broke off", "which target"),
    "Load balancer resets": (NODES, "flows the balancer itself ended", "which client"),
    "Rejected flows": (NODES, "connections that it could not take on", "what the client wanted"),
    "Fail-open flows": (NODES, "connections sent to targets that all fail the check", "whether they were answered"),
    "Port allocation errors": (NODES, "connections for which no source port was left", "clients that keep theirs"),
    "Blocked by security group, inbound": (
        "the balancer's security group", "clients that it turned away", "anything, where the balancer has none",
    ),
    "Blocked by security group, outbound": (
        "the balancer's security group", "targets that it may not reach", "anything, where the balancer has none",
    ),
}  # fmt: skip
PANELS = {
    "New flows": "Flows", "Active flows": "Flows",
    "Client resets": "Resets", "Target resets": "Resets", "Load balancer resets": "Resets",
    "Rejected flows": "Flows in trouble", "Fail-open flows": "Flows in trouble",
    "Port allocation errors": "Flows in trouble", "Blocked by security group, inbound": "Flows in trouble",
    "Blocked by security group, outbound": "Flows in trouble",
}  # fmt: skip
"""Metrics that share a panel; any other has its own, with its zones."""
IN_THE_PICTURE = (
    "New flows", "Active flows", "Client resets", "Target resets", "Load balancer resets", "Processed bytes",
)  # fmt: skip
"""Of the load balancer's metrics, those that one graph of CloudWatch's can hold and be read; of the target group's
it shows the zones, whose lines would hide those of all zones."""

Points = Sequence[tuple[datetime, float]]


class Span(NamedTuple):
    """The stretch of lab time that is looked at."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Panel:
    """One graph of a tab: its lines, and what its values are."""

    title: str
    statistic: str
    """Empty when its lines have different ones and say so themselves."""
    unit: str
    series: Mapping[str, Points]


@dataclass(frozen=True)
class Summary:
    """One metric over the whole run."""

    metric: str = field(metadata=column("Metric"))
    statistic: str = field(metadata=column("Statistic"))
    unit: str = field(metadata=column("Unit"))
    points: int = field(metadata=column("Points", "number"))
    lowest: float | None = field(metadata=column("Lowest", "number"))
    highest: float | None = field(metadata=column("Highest", "number"))
    total: float | None = field(metadata=column("Total", "number"))


@dataclass(frozen=True)
class Moved:
    """One metric, the view it stands in, and the events at which it moved."""

    metric: str = field(metadata=column("Metric"))
    view: str = field(metadata=column("View"))
    in_this_run: str = field(metadata=column("In this run"))


@dataclass(frozen=True)
class Contrast:
    """One metric, the view it stands in, and what it can and cannot see."""

    metric: str = field(metadata=column("Metric"))
    view: str = field(metadata=column("View"))
    emitted_by: str = field(metadata=column("Emitted by"))
    sees: str = field(metadata=column("Sees"))
    is_blind_to: str = field(metadata=column("Is blind to"))


@dataclass(frozen=True)
class Seen:
    """What one metric saw of one event: values are None where there was no point."""

    before: float | None
    extreme: float | None
    after: float | None
    words: str

    @property
    def moved(self) -> bool:
        """Say whether the event changed anything."""
        return self.extreme is not None and self.words != NOTHING


@dataclass(frozen=True)
class View:
    """One monitoring tab: its lines, and a frame with a row a minute and a column a line."""

    name: str
    lines: Sequence[Metric]
    frame: pandas.DataFrame

    @property
    def panels(self) -> list[Panel]:
        """Put the lines that belong together into one panel each."""
        together: dict[str, list[Metric]] = {}
        for line in self.lines:
            together.setdefault(PANELS.get(metric_of(line.label), metric_of(line.label)), []).append(line)
        return [self._panel(title, lines) for title, lines in together.items()]

    def _panel(self, title: str, lines: Sequence[Metric]) -> Panel:
        statistics = {line.statistic for line in lines}
        series = {
            _name_in_panel(line, title, with_statistic=len(statistics) > 1): points
            for line in lines
            if (points := self.points(line))
        }
        return Panel(title, statistics.pop() if len(statistics) == 1 else "", lines[0].unit, series)

    def points(self, line: Metric) -> Points:
        """Give a line's points, oldest first."""
        return monitoring.points(self.frame, line.label)

    @property
    def summary(self) -> list[Summary]:
        """Summarise each line over the whole run."""
        return [_summary(line, [value for _, value in self.points(line)]) for line in self.lines]

    def saw(self, marks: Sequence[Mark]) -> list[dict[str, str]]:
        """Say of each line that has points what it saw of each event: before → extreme → after."""
        headings = [f"{mark.number}: {mark.name}" for mark in marks]
        return [
            {"metric": line.label}
            | dict(zip(headings, [one.words for one in self.seen(line, marks)], strict=True))
            for line in self.lines
            if self.points(line)
        ]

    @property
    def silence(self) -> str:
        """Name the lines that have no points at all; empty when every line has some."""
        silent = [line.label for line in self.lines if not self.points(line)]
        return f"No data points at all: {'; '.join(silent)}." if silent else ""

    def seen(self, line: Metric, marks: Sequence[Mark]) -> list[Seen]:
        """Read what one line saw of each event."""
        column = self.frame[line.label].items()
        values = {at.to_pydatetime(): float(value) for at, value in column}  # type: ignore[attr-defined]
        ends = [*(mark.began for mark in marks[1:]), NEVER]
        return [seen(values, mark.began, end) for mark, end in zip(marks, ends, strict=False)]


# -- the two tabs ---------------------------------------------------------------------------------------------


def marks(lab: Lab) -> list[Mark]:
    """Give what we did since the load balancer was made, numbered, from the ledger."""
    entries = lab.ledger.entries()
    made = max((n for n, it in enumerate(entries) if (it.kind, it.what) == ("made", "load-balancer")), default=0)
    # by place in the ledger, not by date: an earlier run of this name had a clock of its own, ahead of this one's
    return what_we_did.marks(entries[made:], beginning(lab), lab.clock.now())


def beginning(lab: Lab) -> datetime:
    """Give the moment the load balancer was made: nothing was measured before."""
    made = [e.at for e in lab.ledger.entries() if e.kind == "made" and e.what == "load-balancer"]
    return datetime.fromisoformat(made[-1]) if made else lab.clock.now()


def span(lab: Lab, marks: Sequence[Mark]) -> Span:
    """Give the stretch from the load balancer's making to half an hour after the last experiment, or to now."""
    last = max((mark.ended or mark.began for mark in marks), default=lab.clock.now())
    return Span(beginning(lab), min(lab.clock.now(), last + AFTERWARDS))


def wait_published(lab: Lab, until: datetime) -> waits.Wait:
    """Wait until the points before that moment are published."""
    return monitoring.wait_published(lab, monitoring.target_group_tab(lab)[0], until)


def target_group(lab: Lab, over: Span) -> View:
    """Read the target group's monitoring tab (step 87)."""
    lines = monitoring.target_group_tab(lab)
    return View("Target group", lines, monitoring.read(lab, lines, *over))


def load_balancer(lab: Lab, over: Span) -> View:
    """Read the load balancer's monitoring tab (step 88)."""
    lines = monitoring.load_balancer_tab(lab)
    return View("Load balancer", lines, monitoring.read(lab, lines, *over))


def cloudwatch_picture(lab: Lab, view: View, over: Span, marks: Sequence[Mark]) -> bytes:
    """Have CloudWatch draw a view itself, the experiments marked by their numbers; give the PNG."""
    in_one = [line for line in view.lines if line.label in IN_THE_PICTURE or _in_a_zone_of_the_group(line)]
    numbered = [(mark.began, str(mark.number)) for mark in marks]
    return monitoring.picture(
        lab, monitoring.widget(in_one, *over, title=view.name, region=lab.region, marks=numbered)
    )  # fmt: skip


def moved(marks: Sequence[Mark], *views: View) -> list[Moved]:
    """Say of each of the views' metrics at which events it moved."""
    return [Moved(metric, view.name, _in_words(view, metric, marks)) for view, metric in _metrics(views)]


def contrast(*views: View) -> list[Contrast]:
    """Set the views' metrics side by side: who emits each, what it sees and what it cannot see."""
    return [Contrast(metric, view.name, *SEES[metric]) for view, metric in _metrics(views)]


def _metrics(views: Sequence[View]) -> list[tuple[View, str]]:
    return [(view, metric) for view in views for metric in dict.fromkeys(metric_of(line.label) for line in view.lines)]


# -- what a metric saw ----------------------------------------------------------------------------------------


def seen(values: Mapping[datetime, float], began: datetime, end: datetime) -> Seen:
    """Compare the minute before an event with those until the next; NaN is a minute without a point."""
    earlier = [at for at in values if at + MINUTE <= began]
    window = [at for at in values if began < at + MINUTE <= end]
    before = _value(values, max(earlier, default=None))
    if end - began < MINUTE and not window:
        return Seen(before, None, None, SAME_MINUTE)
    known = [values[at] for at in sorted(window) if not math.isnan(values[at])]
    if not known:
        return Seen(before, None, None, NO_DATA)
    extreme = max(known, key=lambda value: abs(value - (known[0] if before is None else before)))
    after = _value(values, max(window))
    words = NOTHING if before == extreme == after else " → ".join(_number(it) for it in (before, extreme, after))
    return Seen(before, extreme, after, words)


def metric_of(label: str) -> str:
    """Name a line's metric without its zone."""
    return label.split(" (us-")[0]


def _value(values: Mapping[datetime, float], at: datetime | None) -> float | None:
    value = math.nan if at is None else values[at]
    return None if math.isnan(value) else value


def _number(value: float | None) -> str:
    """Write a value in few letters: 2, 0.000021, 30.4k, 1.2M; a minute without a point is a dash."""
    if value is None:
        return "–"
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    if 0 < abs(value) < 1:
        return f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"
    return f"{value:.4g}"


def _name_in_panel(line: Metric, title: str, *, with_statistic: bool) -> str:
    """Name a line beside its panel's title: by its zone, or by its metric."""
    name = line.label if metric_of(line.label) != title else line.label.removeprefix(title).strip(" ()") or "all zones"
    return f"{name} ({line.statistic})" if with_statistic else name


def _summary(line: Metric, values: list[float]) -> Summary:
    if not values:
        return Summary(line.label, line.statistic, line.unit, 0, None, None, None)
    total = round(sum(values), 3) if line.statistic == "Sum" else None
    return Summary(line.label, line.statistic, line.unit, len(values), min(values), max(values), total)


def _in_words(view: View, metric: str, marks: Sequence[Mark]) -> str:
    """Say at which marks a metric moved, and at which only one of its zones did."""
    lines = [line for line in view.lines if metric_of(line.label) == metric]
    if not any(view.points(line) for line in lines):
        return NO_DATA
    whole = _moved(view, [line for line in lines if line.label == metric], marks)
    zones = [number for number in _moved(view, lines, marks) if number not in whole]
    parts = [f"moved at {', '.join(whole)}"] if whole else []
    parts += [f"{'in' if not parts else 'only in'} a zone at {', '.join(zones)}"] if zones else []
    return "; ".join(parts) or "never moved"


def _moved(view: View, lines: Sequence[Metric], marks: Sequence[Mark]) -> list[str]:
    moved = [[one.moved for one in view.seen(line, marks)] for line in lines]
    return [str(mark.number) for place, mark in enumerate(marks) if any(row[place] for row in moved)]


def _in_a_zone_of_the_group(line: Metric) -> bool:
    names = [name for name, _ in line.dimensions]
    return "AvailabilityZone" in names and "TargetGroup" in names
