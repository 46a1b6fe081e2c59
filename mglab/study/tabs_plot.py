"""The figure of the two monitoring tabs: a panel a subject, side by side on one axis of time, our acts numbered.

Colour is never alone: dashes and markers tell lines apart in grey. A minute without a point leaves a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mglab.study import house
from mglab.study.house import BESIDE, COLOURS, DASHES, INSIDE, MARKERS, NAMES, QUIET, TIGHT

if TYPE_CHECKING:
    from mglab.study.marks import Mark
    from mglab.study.views import Panel, View

ALL_ZONES = "all zones"
HEAD_IN, FOOT_IN, PITCH_IN, GAP_IN = 0.86, 0.46, 0.74, 0.2
"""The monitoring figure: its head, its foot, a panel with the gap above it, and that gap."""


@house.drawn
def monitoring(views: Sequence[View], marks: Sequence[Mark], *, title: str) -> Figure:
    """Draw the tabs side by side on one time axis, a panel a subject; what we did is numbered on every panel."""
    columns = [view.panels for view in views]
    rows = max(1, *(len(column) for column in columns))
    figure = house.empty(HEAD_IN + FOOT_IN + PITCH_IN * rows)
    figure.set_layout_engine("none")  # every axes has its place
    figure.suptitle(title, x=0.01, y=1 - 0.06 / figure.get_figheight(), ha="left", va="top")
    for place, (view, column) in enumerate(zip(views, columns, strict=True)):
        has_room = len(column) < rows - 1
        pitch = min(2.0, (rows - 2) / len(column)) * PITCH_IN if has_room and column else PITCH_IN
        _draw_strip(_placed(figure, place, 0.3, HEAD_IN), marks, view.name)
        for row, panel in enumerate(column):
            ax = _placed(figure, place, HEAD_IN + pitch * row + GAP_IN, HEAD_IN + pitch * (row + 1))
            _draw_panel(ax, panel, marks)
            house.time_axis(ax)
            if row < len(column) - 1:
                ax.set_xlabel("")
                ax.tick_params(labelbottom=False)
                ax.xaxis.offsetText.set_visible(False)
        if has_room:
            below = HEAD_IN + pitch * len(column) + FOOT_IN
            _draw_key(_placed(figure, place, below, HEAD_IN + PITCH_IN * rows), marks)
    _same_span(figure, columns, marks)
    for words in (part for ax in figure.axes for part in (ax.xaxis.label, ax.xaxis.get_offset_text())):
        words.set_fontsize(BESIDE)
    return figure


def _placed(figure: Figure, column: int, top_in: float, bottom_in: float) -> Axes:
    """Add axes in one of two columns, between two distances from the figure's top, in inches."""
    wide, height, left = house.WIDTH, figure.get_figheight(), 0.42 + 3.6 * column
    return figure.add_axes((left / wide, 1 - bottom_in / height, 3.1 / wide, (bottom_in - top_in) / height))


def _draw_strip(ax: Axes, marks: Sequence[Mark], name: str) -> None:
    """Head a column: its name, and each mark's number above its line, higher where two would meet."""
    ax.set_title(name, fontweight="bold", y=0.8)
    ax.axis("off")
    ax.set_ylim(0, 4)
    whole = max((date2num(marks[-1].began) - date2num(marks[0].began)) if marks else 0, 1e-9)
    levels: list[float] = []
    for mark in marks:
        at = date2num(mark.began)
        level = next((n for n, end in enumerate(levels) if at - end > 0.05 * whole), len(levels)) % 3
        levels[level:] = [at, *levels[level + 1 :]]
        ax.annotate(
            str(mark.number), (at, level + 0.3), ha="center", va="center", fontsize=INSIDE, annotation_clip=False,
            bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": QUIET, "linewidth": 0.6},
        )  # fmt: skip


def _draw_panel(ax: Axes, panel: Panel, marks: Sequence[Mark]) -> None:
    """Draw one subject: lines told apart by colour, dash and marker, gaps left open, its statistic and unit said."""
    ax.grid(axis="y")
    ax.tick_params(labelsize=BESIDE)
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
    ax.set_title(said, fontsize=NAMES, pad=2)
    highest = max((value for points in panel.series.values() for _, value in points), default=0) or 1
    several = len(panel.series) > 1
    house.from_zero(ax, highest * (1.6 if several else 1.1))  # a legend has room above the lines
    ax.yaxis.set_major_locator(MaxNLocator(2 if several else 3, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"))
    if several:
        house.legend(
            ax, "upper left", fontsize=TIGHT, ncols=3, handlelength=1.8, borderaxespad=0.1, columnspacing=1
        )  # fmt: skip
    if not panel.series:
        house.no_data(ax)


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
        fontsize=BESIDE, linespacing=1.35, annotation_clip=False,
    )  # fmt: skip


def _key_lines(mark: Mark) -> list[str]:
    return wrap(f"{mark.number}  {mark.began:%H:%M} {mark.did}", 58, subsequent_indent="      ")


def _same_span(figure: Figure, panels: Sequence[Sequence[Panel]], marks: Sequence[Mark]) -> None:
    """Give every column the same ends: all points and all marks are inside."""
    moments = [at for column in panels for panel in column for points in panel.series.values() for at, _ in points]
    moments += [mark.began for mark in marks]
    if moments:
        for ax in figure.axes:
            ax.set_xlim(date2num(min(moments)), date2num(max(moments) + timedelta(minutes=1)))
