"""The figures of time: an outage, the two monitoring tabs, scale under load. Colour is never alone, axes have units.

Functions take records and give a matplotlib ``Figure``; nothing here measures anything. The style is the house's
(``house``); what a function says about looks is only what differs from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter, MaxNLocator, StrMethodFormatter

from mglab.display import status
from mglab.study import house
from mglab.study.accounts import ACTIVITY, ALARM, BEGINS, doing, turn
from mglab.study.client import Sample
from mglab.study.disturbance import US
from mglab.study.house import BESIDE, COLOURS, DASHES, FAILED, INSIDE, MARKERS, NAMES, QUIET, TIGHT
from mglab.study.timeline import Event, lanes
from mglab.study.watch import GONE, OBSERVERS, short

if TYPE_CHECKING:
    from mglab.study.marks import Mark
    from mglab.study.surge import Surge, Told
    from mglab.study.views import Panel, View

SAYING = tuple(who for who in OBSERVERS if who != "checks")
"""Whose words have lanes: the checks' reason only explains the balancer's ``initial``."""
ALL_ZONES = "all zones"
ROW_IN = 0.2
"""One lane of an outage."""
HEAD_IN, FOOT_IN, PITCH_IN, GAP_IN = 0.86, 0.46, 0.74, 0.2
"""The monitoring figure: its head, its foot, a panel with the gap above it, and that gap."""


@house.drawn
def outage(samples: Sequence[Sample], events: Sequence[Event], *, title: str) -> Figure:
    """Draw what a client outside felt (above) against what everybody said of each instance, on one axis of time.

    Coloured bars are states as our looks saw them; framed ones are activities, and the alarms' states, as the services'
    own histories date them.
    """
    moments = [sample.at for sample in samples] + [event.at for event in events]
    start, end = min(moments), max(moments)
    rows = _rows(events, start, end)
    figure, (felt, said) = house.panels(2, 2.8 + ROW_IN * len(rows), ratios=(2.2, 0.6 + ROW_IN * len(rows)))
    _draw_samples(felt, samples)
    felt.set_ylabel("answer after (ms, wall)")
    house.heading(figure, title)
    _draw_rows(said, rows, date2num(start), date2num(end))
    for event in events:
        if event.lane == US:
            for ax in (felt, said):
                ax.axvline(date2num(event.at), color=FAILED, linewidth=0.8, linestyle="--")
    _time_axis(said)
    if any(stay.is_own for row in rows.values() for stay in row):
        said.set_xlabel(f"{said.get_xlabel()}     framed bars: dated by the service's own history")
    return figure


@dataclass(frozen=True)
class Stay:
    """A state, or something under way, for as long as it lasted; ``is_own``: dated by a service's own history."""

    since: datetime
    until: datetime
    word: str
    is_own: bool = False


Rows = Mapping[tuple[str, str], Sequence[Stay]]
"""(subject, who says so) -> what was said"""


def _rows(events: Sequence[Event], start: datetime, end: datetime) -> Rows:
    """Sort what was said into lanes: a subject's stand together, the first seen first; the alarms come last."""
    seen = {
        (subject, who): _stays(said, end)
        for (who, subject), said in lanes(events, SAYING).items()
    }  # fmt: skip
    done = _activities(events, start, end)
    known = {**seen, **done}
    first: dict[str, datetime] = {}
    for (subject, _), said in known.items():
        first[subject] = min([stay.since for stay in said] + [first.get(subject, end)])
    order = (*SAYING, ACTIVITY)
    ordered = sorted(known, key=lambda lane: (first[lane[0]], lane[0], order.index(lane[1])))
    return {**{lane: known[lane] for lane in ordered}, **_alarms(events, start, end)}


def _stays(said: Sequence[tuple[datetime, str]], end: datetime) -> list[Stay]:
    ends = [at for at, _ in said[1:]] + [end]
    return [Stay(since, until, word) for (since, word), until in zip(said, ends, strict=True) if word != GONE]


def _activities(events: Sequence[Event], start: datetime, end: datetime) -> dict[tuple[str, str], list[Stay]]:
    """Give what the group did to each instance, from begin to end; what is cut off at a side reaches that side."""
    begun: dict[tuple[str, str], datetime] = {}
    rows: dict[tuple[str, str], list[Stay]] = {}
    for event in events:
        act = doing(event.what) if event.lane == ACTIVITY else None
        if act is None:
            continue
        subject = short(act.instance_id) if act.instance_id else "group"
        if act.outcome == BEGINS:
            begun[subject, act.verb] = event.at
        else:
            word = act.verb if act.outcome == "Successful" else f"{act.verb}: {act.outcome}"
            stay = Stay(begun.pop((subject, act.verb), start), event.at, word, is_own=True)
            rows.setdefault((subject, ACTIVITY), []).append(stay)
    for (subject, verb), at in begun.items():
        rows.setdefault((subject, ACTIVITY), []).append(Stay(at, end, verb, is_own=True))
    return rows


def _alarms(events: Sequence[Event], start: datetime, end: datetime) -> dict[tuple[str, str], list[Stay]]:
    """Give the states of each alarm that changed; the one it came from began before the picture does."""
    turns = [(event.at, it) for event in events if event.lane == ALARM and (it := turn(event.what))]
    said: dict[str, list[tuple[datetime, str]]] = {}
    for at, it in turns:
        said.setdefault(it.side, [(start, it.old)]).append((at, it.new))
    return {
        (side, ALARM): [Stay(stay.since, stay.until, stay.word, is_own=True) for stay in _stays(told, end)]
        for side, told in sorted(said.items())
    }  # fmt: skip


def _draw_rows(ax: Axes, rows: Rows, start: float, end: float) -> None:
    for number, said in enumerate(rows.values()):
        for stay in said:
            since, until = date2num(stay.since), date2num(stay.until)
            if stay.is_own:
                _draw_own(ax, number, since, until, stay.word, start, end)
            else:
                house.bar(ax, number, since, until, stay.word, whole=end - start)
    ax.set_yticks(range(len(rows)), [f"{subject} {who}" for subject, who in rows], fontsize=NAMES)
    ax.set_ylim(max(1, len(rows)) - 0.4, -0.6)


def _draw_own(ax: Axes, row: int, since: float, until: float, word: str, start: float, end: float) -> None:
    """Draw a framed bar, its word inside, else after it, else before it: wherever there is room."""
    is_bad = status(word.rpartition(": ")[2]).mood == "bad"  # an alarm in ALARM, an activity that failed
    fill = house.GRID if is_bad else "white"
    ax.barh(row, until - since, left=since, height=0.62, color=fill, edgecolor="black", linewidth=0.7)
    whole = end - start
    if house.fits(word, until - since, whole):
        house.word(ax, since, row, word)
    elif house.fits(word, end - until, whole):
        house.word(ax, until, row, word)
    else:
        house.word(ax, since, row, word, before=True)


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
        at = [date2num(s.at) for s in failed]
        ax.plot(at, [s.total_ms for s in failed], "x", color=FAILED, markersize=5, label="no answer")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    ax.yaxis.set_minor_formatter(LogFormatter())  # 2 and 5 where there is less than a decade, and no powers of ten
    if responders or failed:
        house.legend(ax, "lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=4, columnspacing=1.2)


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
    ax.set_ylim(0, highest * (1.6 if several else 1.1))  # a legend has room above the lines
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
    ax.set_xlabel("lab time (UTC)")


@house.drawn
def surge(seen: Surge, *, title: str) -> Figure:
    """Draw load, average CPU with both thresholds, alarm states and the group's sizes on one axis of time."""
    figure, axes = house.panels(4, 6.2, ratios=(1.0, 1.5, 0.6, 1.0))
    load, cpu, alarms, sizes = axes
    _draw_steps(load, seen.told.new_flows, MINUTE, fill=True)
    load.set_ylabel("new flows\na minute")
    _draw_average(cpu, seen.told)
    _draw_alarms(alarms, seen)
    _draw_steps(sizes, seen.told.desired, MINUTE, colour=house.TINTS[COLOURS[0]], width=5, label="desired")
    _draw_steps(sizes, seen.told.in_service, MINUTE, label="in service")
    sizes.set_ylabel("instances")
    sizes.set_ylim(0, max((n for _, n in (*seen.told.desired, *seen.told.in_service)), default=1) + 0.6)
    sizes.yaxis.set_major_locator(MaxNLocator(integer=True))
    house.legend(sizes, "lower right", ncols=3)
    _mark(axes, _surge_marks(seen))
    load.set_title(title, pad=22)
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
        ax.axhline(alarm.threshold, color=colour, linestyle=dashes, label=label)
    ax.set_ylim(0, 105)
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
