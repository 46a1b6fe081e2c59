"""The figure of scale under load: load, average CPU, alarms and the group's sizes on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mglab.study import house
from mglab.study.house import BASIC, COLOURS, DASHES, FAILED, NAMES

if TYPE_CHECKING:
    from mglab.study.surge import Surge, Told


@house.drawn
def surge(seen: Surge, *, title: str) -> Figure:
    """Draw load, average CPU with both thresholds, alarm states and the group's sizes on one axis of time."""
    figure, axes = house.panels(4, 5.4, ratios=(1.0, 1.5, 0.6, 1.0))
    load, cpu, alarms, sizes = axes
    house.steps(load, seen.told.new_flows, fill=True)
    load.set_ylabel("new flows\na minute")
    _draw_average(cpu, seen.told)
    _draw_alarms(alarms, seen)
    house.steps(sizes, seen.told.desired, colour=house.TINTS[COLOURS[0]], width=5, label="desired")
    house.steps(sizes, seen.told.in_service, label="in service")
    sizes.set_ylabel("instances")
    house.from_zero(sizes, max((n for _, n in (*seen.told.desired, *seen.told.in_service)), default=1) + 0.6)
    sizes.yaxis.set_major_locator(MaxNLocator(integer=True))
    house.legend(sizes, "lower right", ncols=3)
    _mark(axes, _surge_marks(seen))
    load.set_title(title, pad=22)
    house.time_axis(sizes)
    return figure


def _draw_average(ax: Axes, told: Told) -> None:
    house.steps(ax, told.cpu, BASIC, label="average CPU")
    for colour, dashes, alarm in zip(COLOURS[1:], DASHES[1:], told.alarms, strict=False):
        label = f"{alarm.side} {alarm.threshold:g} %"
        ax.axhline(alarm.threshold, color=colour, linestyle=dashes, label=label)
    house.from_zero(ax, 105)
    ax.set_ylabel("group's CPU (%)")
    house.legend(ax, "upper right", ncols=3)


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
                house.bar(ax, row, date2num(max(since, first)), date2num(until), state, whole=whole)
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
            textcoords="offset points", fontsize=NAMES, color=FAILED,
        )  # fmt: skip
