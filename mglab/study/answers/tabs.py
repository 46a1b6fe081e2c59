"""Steps 87 and 88 and the monitoring evaluation, model answers: what each tab saw, and what only both together say.

A tab's summary has one line a metric. Put on one clock, the two tabs answer a question that neither answers alone:
what flowed while so many hosts were healthy?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mglab.display import column, text_of
from mglab.study.answers.words import Measured, listed, paragraph, written

if TYPE_CHECKING:
    from mglab.study.views import View

HEALTHY, UNHEALTHY = "Healthy hosts", "Unhealthy hosts"
FLOWS, ACTIVE, BYTES, FAIL_OPEN = "New flows", "Active flows", "Processed bytes", "Fail-open flows"
NO_POINTS = "no data points"
RESETS = {
    "Client resets": "clients broke connections off",
    "Target resets": "targets refused or broke off, as a host does on a port where nobody listens",
    "Load balancer resets": "the balancer itself ended flows, as it does with those of a target that it gives up",
}


class Line(Protocol):
    """One metric over the whole run."""

    @property
    def metric(self) -> str: ...
    @property
    def points(self) -> int: ...
    @property
    def lowest(self) -> float | None: ...
    @property
    def highest(self) -> float | None: ...
    @property
    def total(self) -> float | None: ...


@dataclass(frozen=True)
class Together:
    """What the load balancer's tab counted in the minutes in which the target group's had so many healthy hosts."""

    healthy: int = field(metadata=column("Healthy hosts", "number"))
    minutes: int = field(metadata=column("Minutes", "number"))
    flows: float = field(metadata=column("New flows", "number"))
    resets: float = field(metadata=column("Resets", "number"))
    resets_in_100: float | None = field(metadata=column("Resets per 100 new flows", "number"))


def together(target_group: View, load_balancer: View) -> list[Together]:
    """Put both tabs on one clock: sum the traffic by how many hosts were healthy in all zones, fewest first."""
    hosts = target_group.frame
    zones = [name for name in hosts.columns if name.startswith(f"{HEALTHY} (")] or [HEALTHY]
    if not {*zones} <= {*hosts.columns} or FLOWS not in load_balancer.frame:
        return []
    healthy = hosts[zones].dropna(how="all").sum(axis="columns")
    traffic = load_balancer.frame.reindex(healthy.index).fillna(0.0)
    counts = sorted({round(value) for value in healthy})
    return [_together(count, traffic[[round(it) == count for it in healthy]]) for count in counts]


def _together(healthy: int, traffic: object) -> Together:
    import pandas

    assert isinstance(traffic, pandas.DataFrame)
    flows = float(traffic[FLOWS].sum())
    resets = float(traffic[[name for name in RESETS if name in traffic]].sum().sum())
    return Together(healthy, len(traffic), flows, resets, round(100 * resets / flows, 1) if flows else None)


def step_87(lines: Sequence[Line]) -> list[str]:
    """Say what the target group's tab saw."""
    by_name = {it.metric: it for it in lines}
    return written([_hosts(by_name), _zones(lines), _unhealthy(by_name), _documented_87()])


def _hosts(by_name: dict[str, Line]) -> str:
    line = by_name.get(HEALTHY)
    if line is None or not line.points:
        return paragraph("Healthy hosts have no data points in this run: nothing was published, which is not zero")
    ran = f"Healthy hosts ran between {_number(line.lowest)} and {_number(line.highest)} over {line.points} points"
    if line.lowest == line.highest:
        return paragraph(ran, "the tab saw no target lost")
    gone = "at its lowest there was no healthy target at all" if line.lowest == 0 else None
    return paragraph(ran, "every fall is a loss that the balancer noticed, every rise a target it came to trust", gone)


def _zones(lines: Sequence[Line]) -> str:
    whole = next((it for it in lines if it.metric == HEALTHY), None)
    zones = [it for it in lines if it.metric.startswith(f"{HEALTHY} (") and it.points]
    if not zones:
        return ""
    told = [f"{_zone(it)} {_number(it.lowest)} to {_number(it.highest)}" for it in zones]
    empty = [_zone(it) for it in zones if it.lowest == 0]
    return paragraph(
        f"By zone: {listed(told)}",
        "Without a healthy target at some time, which takes a zone's address out of DNS while another zone has one: "
        f"{listed(empty)}"
        if empty
        else None,
        "The line for the whole is the largest count that any node reports, not the sum over the zones: AWS documents "
        "the maximum as the statistic to read, and leaves open whether a node counts other zones' targets"
        if whole and whole.points and (whole.highest or 0) < sum(it.highest or 0 for it in zones)
        else None,
    )


def _zone(line: Line) -> str:
    return line.metric.partition("(")[2].rstrip(")")


def _unhealthy(by_name: dict[str, Line]) -> str:
    healthy, line = by_name.get(HEALTHY), by_name.get(UNHEALTHY)
    if line is None or not line.points or healthy is None or not healthy.points:
        return paragraph("Unhealthy hosts have no data points in this run")
    fell = (healthy.highest or 0) - (healthy.lowest or 0)
    if not line.highest:
        rest = "what left the count of healthy hosts was deregistered, not judged" if fell else None
        return paragraph(f"Unhealthy hosts stayed at {_number(line.highest)} over {line.points} points", rest)
    return paragraph(
        f"Unhealthy hosts reached {_number(line.highest)}",
        "That is fewer than healthy hosts lost: a target that is deregistered leaves one count without entering the "
        "other"
        if line.highest < fell
        else None,
    )


def _documented_87() -> str:
    return paragraph(
        "AWS documents that these counts come from the balancer's nodes, one verdict a target, and that they exist "
        "only with the target group as a dimension: this tab knows about targets and nothing about traffic"
    )


def step_88(lines: Sequence[Line]) -> list[str]:
    """Say what the load balancer's tab saw."""
    by_name = {it.metric: it for it in lines}
    return written([_traffic(by_name), _resets(by_name), _fail_open(by_name), _documented_88()])


def _traffic(by_name: dict[str, Line]) -> str:
    flows, active, size = (by_name.get(name) for name in (FLOWS, ACTIVE, BYTES))
    if flows is None or not flows.points:
        return paragraph("New flows have no data points in this run: nothing was published, which is not zero")
    return paragraph(
        f"{_number(flows.total)} new flows were counted in {flows.points} points, "
        f"up to {_number(flows.highest)} in one",
        f"active flows reached {_number(active.highest)}" if active and active.points else None,
        f"{_number(size.total)} bytes were processed" if size and size.points else None,
    )


def _resets(by_name: dict[str, Line]) -> str:
    there = [(name, line) for name in RESETS if (line := by_name.get(name)) and line.points]
    some = [f"{name.lower()} {_number(line.total)}: {RESETS[name]}" for name, line in there if line.total]
    none = [name.lower() for name, line in there if not line.total]
    if not there:
        return paragraph("Resets have no data points in this run")
    return paragraph("; ".join(some), f"There were no {' and no '.join(none)}" if none else None)


def _fail_open(by_name: dict[str, Line]) -> str:
    line = by_name.get(FAIL_OPEN)
    if line is None or not line.total:
        return ""
    return paragraph(
        f"{_number(line.total)} flows were sent to unhealthy targets because no target was healthy: "
        "the balancer fails open"
    )


def _documented_88() -> str:
    return paragraph(
        "AWS documents that these are counted where connections pass, at the nodes, for the balancer as a whole: the "
        "tab does not know which target served, and a connection on which nobody answers is a new flow like any other"
    )


def measured_tabs(
    target_group: Sequence[Line], load_balancer: Sequence[Line], minutes: Sequence[Together]
) -> list[Measured]:
    """List what each tab showed of the experiments, and what flowed with how many healthy hosts."""
    hosts = [Measured(it.metric, _range(it)) for it in target_group if it.metric in (HEALTHY, UNHEALTHY)]
    totals = [Measured(it.metric, _sum(it)) for it in load_balancer if it.metric in (FLOWS, *RESETS)]
    flowed = [
        Measured(f"New flows with {it.healthy} healthy hosts", f"{_number(it.flows)} in {it.minutes} min")
        for it in minutes
    ]
    return [*hosts, *totals, *flowed]


def _range(line: Line) -> str:
    return f"{_number(line.lowest)} to {_number(line.highest)}" if line.points else NO_POINTS


def _sum(line: Line) -> str:
    return f"{_number(line.total)} in all" if line.points else NO_POINTS


def evaluation(target_group: Sequence[Line], load_balancer: Sequence[Line], minutes: Sequence[Together]) -> list[str]:
    """Compare and contrast the two tabs, from their summaries and from what they say together."""
    return written([_contrast(minutes), _went_on(minutes), _blind(), _empty(target_group, load_balancer)])


def _contrast(minutes: Sequence[Together]) -> str:
    if not minutes:
        return paragraph("The tabs share no minute in this run, so they could not be put on one clock")
    told = [
        f"{it.healthy} healthy: {_number(it.flows)} new flows in {it.minutes} min and "
        f"{_number(it.resets)} resets"
        + (f" ({_number(it.resets_in_100)} in a hundred flows)" if it.resets_in_100 is not None else "")
        for it in minutes
    ]
    return paragraph(
        f"One tab counts hosts, the other connections; on one clock, over all zones, they read: {'; '.join(told)}"
    )


def _went_on(minutes: Sequence[Together]) -> str:
    if len(minutes) < 2:
        return ""
    fewest, most = minutes[0], minutes[-1]
    if not fewest.flows:
        return paragraph(
            f"With {fewest.healthy} healthy hosts no new flow was counted: "
            "in this run the traffic ended with the targets"
        )
    more_resets = (fewest.resets_in_100 or 0) > (most.resets_in_100 or 0)
    return paragraph(
        f"Flows went on being counted with {fewest.healthy} healthy hosts: a new flow is a connection begun, not an "
        "answer given, so this graph alone would not show the outage",
        "Resets were denser among these flows than with the most hosts healthy: that is the load balancer's tab's "
        "own sign"
        if more_resets
        else "Resets were no denser among these flows either, so only the hosts' graph shows it",
    )


def _blind() -> str:
    return paragraph(
        "That is the architecture: the nodes probe each target and keep a verdict a target, which belongs to the "
        "target group; the nodes pass connections and count them as they pass, which belongs to the load balancer",
        "AWS documents no metric for a TCP request that nobody answered, in either tab: only a client can measure "
        "that, as the experiments of Question 2 do, and an alarm worth having needs both tabs",
    )


def _empty(*tabs: Sequence[Line]) -> str:
    empty = [it.metric for tab in tabs for it in tab if not it.points]
    return paragraph(f"Without any data points: {listed(empty)}; empty is not zero") if empty else ""


def _number(value: float | None) -> str:
    return text_of(value)
