"""Every figure of the workbook, in one style: readable in grey, colour never alone, units on every axis.

Functions take records and give a matplotlib ``Figure``; nothing here measures anything. The style is a file,
``house.mplstyle``, in force for every figure from the moment this module is imported; what a function says about looks
is only what differs from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from matplotlib import rc_file
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, StrMethodFormatter

from mglab.display import status
from mglab.study.client import Sample
from mglab.study.timeline import Event

if TYPE_CHECKING:
    from mglab.study.marks import Mark
    from mglab.study.surge import Surge, Told
    from mglab.study.views import Panel, View

rc_file(Path(__file__).with_name("house.mplstyle"), use_default_template=False)

# Okabe and Ito's palette: told apart by colour-blind readers; markers and dashes tell them apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
FAILED = "#B3261E"
QUIET = "#8A8A8A"
US = "us"
OBSERVERS = ("group", "EC2", "balancer", "DNS")
GONE = "no longer listed"
ALL_ZONES = "all zones"
HEAD_IN, FOOT_IN, PITCH_IN, GAP_IN = 0.86, 0.46, 0.74, 0.2
"""The monitoring figure: its head, its foot, a panel with the gap above it, and that gap."""
LABEL_SHARE = 0.0135
"""How much of the whole width one letter takes, roughly: a word that would not fit is left out."""


def _figure(rows: int, height: float, ratios: Sequence[float] | None = None) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(7.2, height))
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0])


def panels(rows: int, height: float, ratios: Sequence[float] | None = None) -> tuple[Figure, list[Axes]]:
    """Give an empty figure in this style, its rows on one axis, for figures that have a module of their own."""
    return _figure(rows, height, ratios)


def outage(samples: Sequence[Sample], events: Sequence[Event], *, title: str) -> Figure:
    """Draw what a client outside felt (above) against what each service said of each instance (below)."""
    lanes = _lanes(events)
    figure, (felt, said) = _figure(2, 2.8 + 0.24 * len(lanes), ratios=(2.2, 0.6 + 0.24 * len(lanes)))
    _draw_samples(felt, samples)
    felt.set_ylabel("answer after (ms, wall)")
    figure.suptitle(title, x=0.01, ha="left")
    _draw_states(said, lanes, end=max([s.at for s in samples] + [e.at for e in events]))
    for event in events:
        if event.lane == US:
            for ax in (felt, said):
                ax.axvline(date2num(event.at), color=FAILED, linewidth=0.8, linestyle="--")
    _time_axis(said)
    return figure


Lanes = Mapping[tuple[str, str], Sequence[tuple[datetime, str]]]
"""(instance, who says so) -> the states said, each with the moment it was first seen"""


def _lanes(events: Sequence[Event]) -> Lanes:
    lanes: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for event in events:
        if event.lane in OBSERVERS:
            instance, _, state = event.what.partition(": ")
            lanes.setdefault((instance, event.lane), []).append((event.at, state))
    return dict(sorted(lanes.items(), key=lambda lane: (lane[1][0][0], lane[0])))


def _draw_states(ax: Axes, lanes: Lanes, *, end: datetime) -> None:
    """Draw one bar a state: its colour is the state's mood, its word stands in it where it fits."""
    whole = max((date2num(end) - date2num(said[0][0]) for said in lanes.values()), default=1.0)
    for row, said in enumerate(lanes.values()):
        for (since, state), until in zip(said, [at for at, _ in said[1:]] + [end], strict=True):
            if state != GONE:
                _draw_bar(ax, row, date2num(since), date2num(until), state, whole)
    ax.set_yticks(range(len(lanes)), [f"{instance} {who}" for instance, who in lanes], fontsize=7)
    ax.invert_yaxis()


def _draw_bar(ax: Axes, row: int, since: float, until: float, state: str, whole: float) -> None:
    mood = status(state)
    hatch = {"waiting": "////", "bad": "xxxx"}.get(mood.mood, "")
    ax.barh(row, until - since, left=since, height=0.7, color=mood.colour, alpha=0.35, hatch=hatch, edgecolor="white")
    if until - since > LABEL_SHARE * whole * len(state):
        ax.annotate(state, (since, row), xytext=(2, 0), textcoords="offset points", va="center", fontsize=6)


def _draw_samples(ax: Axes, samples: Sequence[Sample]) -> None:
    responders = sorted({s.responder for s in samples if s.responder})
    for number, responder in enumerate(responders):
        mine = [s for s in samples if s.responder == responder]
        ax.plot(
            [date2num(s.at) for s in mine], [s.total_ms for s in mine], MARKERS[number % 7],
            color=COLOURS[number % 7], label=responder,
        )  # fmt: skip
    failed = [s for s in samples if s.failure]
    if failed:
        ax.plot(
            [date2num(s.at) for s in failed],
            [s.total_ms for s in failed],
            "x",
            color=FAILED,
            markersize=5,
            label="no answer",
        )
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    if responders or failed:
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=4, columnspacing=1.2)


def monitoring(views: Sequence[View], marks: Sequence[Mark], *, title: str) -> Figure:
    """Draw the tabs side by side on one time axis, a panel a subject; what we did is numbered on every panel."""
    columns = [view.panels for view in views]
    rows = max(1, *(len(column) for column in columns))
    figure = Figure(figsize=(7.2, HEAD_IN + FOOT_IN + PITCH_IN * rows))
    figure.set_layout_engine("none")  # every axes has its place
    figure.suptitle(title, fontsize=9, x=0.01, y=1 - 0.06 / figure.get_figheight(), ha="left", va="top")
    for place, (view, column) in enumerate(zip(views, columns, strict=True)):
        has_room = len(column) < rows - 1
        pitch = min(2.0, (rows - 2) / len(column)) * PITCH_IN if has_room and column else PITCH_IN
        _draw_strip(_placed(figure, place, 0.3, HEAD_IN), marks, view.name)
        for row, panel in enumerate(column):
            ax = _placed(figure, place, HEAD_IN + pitch * row + GAP_IN, HEAD_IN + pitch * (row + 1))
            _draw_panel(ax, panel, marks)
            _time_axis(ax)
            if row < len(column) - 1:
                ax.set_xlabel("")
                ax.tick_params(labelbottom=False)
                ax.xaxis.offsetText.set_visible(False)
        if has_room:
            below = HEAD_IN + pitch * len(column) + FOOT_IN
            _draw_key(_placed(figure, place, below, HEAD_IN + PITCH_IN * rows), marks)
    _same_span(figure, columns, marks)
    for words in (part for ax in figure.axes for part in (ax.xaxis.label, ax.xaxis.get_offset_text())):
        words.set_fontsize(6.5)
    return figure


def _placed(figure: Figure, column: int, top_in: float, bottom_in: float) -> Axes:
    """Add axes in one of two columns, between two distances from the figure's top, in inches."""
    height, left = figure.get_figheight(), 0.42 + 3.6 * column
    return figure.add_axes((left / 7.2, 1 - bottom_in / height, 3.1 / 7.2, (bottom_in - top_in) / height))


def _draw_strip(ax: Axes, marks: Sequence[Mark], name: str) -> None:
    """Head a column: its name, and each mark's number above its line, higher where two would meet."""
    ax.set_title(name, fontsize=8.5, loc="left", fontweight="bold", y=0.8)
    ax.axis("off")
    ax.set_ylim(0, 4)
    whole = max((date2num(marks[-1].began) - date2num(marks[0].began)) if marks else 0, 1e-9)
    levels: list[float] = []
    for mark in marks:
        at = date2num(mark.began)
        level = next((n for n, end in enumerate(levels) if at - end > 0.05 * whole), len(levels)) % 3
        levels[level:] = [at, *levels[level + 1 :]]
        ax.annotate(
            str(mark.number), (at, level + 0.3), ha="center", va="center", fontsize=6, annotation_clip=False,
            bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": QUIET, "linewidth": 0.6},
        )  # fmt: skip


def _draw_panel(ax: Axes, panel: Panel, marks: Sequence[Mark]) -> None:
    """Draw one subject: lines told apart by colour, dash and marker, gaps left open, its statistic and unit said."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    ax.tick_params(labelsize=6.5)
    for number, (label, points) in enumerate(panel.series.items()):
        at, values = _with_gaps(points)
        if label == ALL_ZONES and len(panel.series) > 1:  # its zones' lines would hide it
            ax.plot(at, values, color=QUIET, linewidth=4, alpha=0.45, solid_capstyle="butt", label=label)
            continue
        ax.plot(
            at, values, DASHES[number % 4], color=COLOURS[number % 7], marker=MARKERS[number % 7], markersize=1.8,
            linewidth=0.9, label=label,
        )  # fmt: skip
    for mark in marks:
        if mark.ended:
            ax.axvspan(date2num(mark.began), date2num(mark.ended), color="#F1F1F1", zorder=0, linewidth=0)
        ax.axvline(date2num(mark.began), color=QUIET, linewidth=0.7, linestyle=":")
    said = " · ".join(part for part in (panel.title, panel.statistic, panel.unit) if part)
    ax.set_title(said, fontsize=7, loc="left", pad=2)
    highest = max((value for points in panel.series.values() for _, value in points), default=0) or 1
    several = len(panel.series) > 1
    ax.set_ylim(0, highest * (1.6 if several else 1.1))  # a legend has room above the lines
    ax.yaxis.set_major_locator(MaxNLocator(2 if several else 3, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"))
    if several:
        ax.legend(
            fontsize=5.5, loc="upper left", frameon=False, ncols=3, handlelength=1.8, borderaxespad=0.1,
            columnspacing=1,
        )  # fmt: skip
    if not panel.series:
        ax.annotate("no data points", (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=7, color=QUIET)


def _with_gaps(points: Sequence[tuple[datetime, float]]) -> tuple[list[float], list[float]]:
    """Give a line's places and values, broken where a minute has no point."""
    at: list[float] = []
    values: list[float] = []
    before: datetime | None = None
    for moment, value in points:
        if before is not None and moment - before > timedelta(minutes=1):
            at.append(date2num(before))
            values.append(math.nan)
        at.append(date2num(moment))
        values.append(value)
        before = moment
    return at, values


def _draw_key(ax: Axes, marks: Sequence[Mark]) -> None:
    """Write what each number stands for."""
    ax.axis("off")
    lines = [line for mark in marks for line in _key_lines(mark)]
    ax.annotate(
        "\n".join(lines), (0, 1), xycoords="axes fraction", xytext=(0, -8), textcoords="offset points", va="top",
        fontsize=6.5, linespacing=1.35, annotation_clip=False,
    )  # fmt: skip


def _key_lines(mark: Mark) -> list[str]:
    return wrap(f"{mark.number}  {mark.began:%H:%M} {mark.did}", 52, subsequent_indent="      ")


def _same_span(figure: Figure, panels: Sequence[Sequence[Panel]], marks: Sequence[Mark]) -> None:
    """Give every column the same ends: all points and all marks are inside."""
    moments = [at for column in panels for panel in column for points in panel.series.values() for at, _ in points]
    moments += [mark.began for mark in marks]
    if moments:
        for ax in figure.axes:
            ax.set_xlim(date2num(min(moments)), date2num(max(moments) + timedelta(minutes=1)))


def _time_axis(ax: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.xaxis.get_offset_text().set_fontsize(8)
    ax.set_xlabel("lab time (UTC)", fontsize=8)


def surge(seen: Surge, *, title: str) -> Figure:
    """Draw load, average CPU with both thresholds, alarm states and the group's sizes on one axis of time."""
    figure, axes = _figure(4, 6.2, ratios=(1.0, 1.5, 0.6, 1.0))
    load, cpu, alarms, sizes = axes
    _draw_steps(load, seen.told.new_flows, MINUTE, fill=True)
    load.set_ylabel("new flows\na minute", fontsize=8)
    _draw_average(cpu, seen.told)
    _draw_alarms(alarms, seen)
    _draw_steps(sizes, seen.told.desired, MINUTE, colour="#BBD6EA", width=5, label="desired")
    _draw_steps(sizes, seen.told.in_service, MINUTE, label="in service")
    sizes.set_ylabel("instances", fontsize=8)
    sizes.set_ylim(0, max((n for _, n in (*seen.told.desired, *seen.told.in_service)), default=1) + 0.6)
    sizes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(sizes, "lower right")
    _mark(axes, _surge_marks(seen))
    load.set_title(title, fontsize=9, loc="left", pad=22)
    _time_axis(sizes)
    return figure


MINUTE, BASIC = timedelta(minutes=1), timedelta(minutes=5)
"""How much time a datapoint covers, from its timestamp on: a group's or balancer's, and EC2's basic one."""


def _draw_steps(
    ax: Axes, points: Sequence[tuple[datetime, float]], covers: timedelta, *, colour: str = COLOURS[0],
    width: float = 1.2, label: str = "", fill: bool = False,
) -> None:  # fmt: skip
    """Draw each point as long as it stands for; where none was published there is no line."""
    for stretch in _stretches(points, covers):
        at = [date2num(moment) for moment, _ in stretch] + [date2num(stretch[-1][0] + covers)]
        values = [value for _, value in stretch] + [stretch[-1][1]]
        ax.plot(at, values, drawstyle="steps-post", color=colour, linewidth=width, label=label)
        if fill:
            ax.fill_between(at, values, step="post", color=colour, alpha=0.15, linewidth=0)
        label = ""
    ax.set_ylim(bottom=0)


def _stretches(
    points: Sequence[tuple[datetime, float]], covers: timedelta
) -> list[list[tuple[datetime, float]]]:
    """Divide points where more than two are missing (a clock that is fast for its host leaves one out at times)."""
    stretches: list[list[tuple[datetime, float]]] = []
    for point in points:
        if not stretches or point[0] - stretches[-1][-1][0] > 3 * covers:
            stretches.append([])
        stretches[-1].append(point)
    return stretches


def _draw_average(ax: Axes, told: Told) -> None:
    _draw_steps(ax, told.cpu, BASIC, label="average CPU")
    for colour, dashes, alarm in zip(COLOURS[1:], DASHES[1:], told.alarms, strict=False):
        label = f"{alarm.side} {alarm.threshold:g} %"
        ax.axhline(alarm.threshold, color=colour, linestyle=dashes, linewidth=1, label=label)
    ax.set_ylim(0, 105)
    ax.set_ylabel("group's CPU (%)", fontsize=8)
    _legend(ax, "upper right")


def _legend(ax: Axes, where: Literal["upper right", "lower right"]) -> None:
    """Name the lines, or say that there is none."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=7, loc=where, frameon=False, ncols=3)
    else:
        ax.annotate("no data points", (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=8, color=QUIET)


def _draw_alarms(ax: Axes, seen: Surge) -> None:
    """Draw each alarm's states from the first moment that is shown to the last."""
    shown = [at for series in (seen.told.new_flows, seen.told.cpu, seen.told.in_service) for at, _ in series]
    first, last = min([*shown, seen.began]), max([*shown, seen.ended])
    for row, alarm in enumerate(seen.told.alarms):
        before = alarm.changes[0].old if alarm.changes else alarm.state
        said = [(first, before), *((change.at, change.new) for change in alarm.changes)]
        for (since, state), until in zip(said, [at for at, _ in said[1:]] + [last], strict=True):
            if until > first:
                whole = date2num(last) - date2num(first)
                _draw_bar(ax, row, date2num(max(since, first)), date2num(until), state, whole)
    ax.set_yticks(range(len(seen.told.alarms)), [f"{alarm.side} alarm" for alarm in seen.told.alarms])
    ax.invert_yaxis()


def _surge_marks(seen: Surge) -> list[tuple[datetime, str]]:
    (on, pace), *raised = seen.steps
    marks = [(on, f"load on: {pace:.0f}/s")] + [(at, f"{pace:.0f}/s") for at, pace in raised]
    if seen.answered_at:
        marks.append((seen.answered_at, f"{seen.newcomer} answers"))
    return [*marks, (seen.load_off, "load off")]


def _mark(axes: Sequence[Axes], marks: Sequence[tuple[datetime, str]]) -> None:
    """Draw a line through all panels at each moment; its words stand above the first, in two rows in turn."""
    for number, (at, words) in enumerate(marks):
        for ax in axes:
            ax.axvline(date2num(at), color=FAILED, linewidth=0.8, linestyle="--")
        axes[0].annotate(
            words, (date2num(at), 1), xycoords=("data", "axes fraction"), xytext=(0, 2 + 9 * (number % 2)),
            textcoords="offset points", fontsize=7, color=FAILED,
        )  # fmt: skip
