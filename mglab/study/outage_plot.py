"""The figure of a disturbance: what clients felt, what CloudWatch counted, what everybody said, on one clock.

Functions take records and give a matplotlib ``Figure``; nothing here measures anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator, StrMethodFormatter

from mglab.display import status
from mglab.study import house
from mglab.study.accounts import ACTIVITY, ALARM, BEGINS, doing, turn
from mglab.study.client import Sample
from mglab.study.counted import FLOWS, HOSTS, Counted
from mglab.study.disturbance import US, Disturbance
from mglab.study.house import COLOURS, DASHES, FAILED, MARKERS, NAMES, QUIET, TIGHT
from mglab.study.timeline import Event, lanes
from mglab.study.watch import GONE, OBSERVERS, short

SAYING = tuple(who for who in OBSERVERS if who != "checks")
"""Whose words have lanes: the checks' reason only explains the balancer's ``initial``."""
FELT_IN, COUNTED_IN, ROW_IN = 2.0, 0.62, 0.17
"""The clients' panel, one of CloudWatch's, one lane."""
EDGE = 0.006
"""How much of the time shown is left free at each side."""


@house.drawn
def outage(seen: Disturbance, *, title: str) -> Figure:
    """Draw what a client outside felt, what CloudWatch counted, and what everybody said of each instance.

    Coloured bars are states as our looks saw them; framed ones are activities, and the alarms' states, as the services'
    own histories date them. CloudWatch's lines are steps of a minute.
    """
    moments = [sample.at for sample in seen.samples] + [event.at for event in seen.events]
    start, end = min(moments), max(moments)
    rows = _rows(seen.events, start, end)
    figure, (felt, *counts, said) = _panels(len(rows), with_counts=bool(seen.counted))
    _draw_samples(felt, seen.samples)
    house.heading(figure, title)
    if counts:
        _draw_counts(counts, seen.counted)
    _draw_rows(said, rows, date2num(start), date2num(end))
    for act in (event for event in seen.events if event.lane == US):
        for ax in (felt, *counts, said):
            ax.axvline(date2num(act.at), color=FAILED, linewidth=0.8, linestyle="--")
    house.time_axis(said)
    edge = EDGE * (date2num(end) - date2num(start))  # the first mark and the last are whole
    said.set_xlim(date2num(start) - edge, date2num(end) + edge)
    if any(stay.is_own for row in rows.values() for stay in row):
        said.set_xlabel(f"{said.get_xlabel()}     framed bars: dated by the service's own history")
    return figure


def _panels(rows: int, *, with_counts: bool) -> tuple[Figure, list[Axes]]:
    lanes_in = 0.6 + ROW_IN * rows
    ratios = [FELT_IN, *([COUNTED_IN] * 2 if with_counts else []), lanes_in]
    return house.panels(len(ratios), sum(ratios), ratios=ratios)


def _draw_counts(panels: Sequence[Axes], lines: Sequence[Counted]) -> None:
    """Draw the zones' healthy hosts in one panel, the flows and what went wrong with them in the other."""
    hosts = [line for line in lines if line.label.startswith(HOSTS)]
    flows = [line for line in lines if line.label == FLOWS or any(value for _, value in line.points)]
    for ax, shown in zip(panels, (hosts, [line for line in flows if line not in hosts]), strict=True):
        for number, line in enumerate(shown):
            name = line.label.removeprefix(HOSTS).strip(" ()")
            house.steps(ax, line.points, colour=COLOURS[number % 7], dashes=DASHES[number % 4], label=name)
        highest = max((value for line in shown for _, value in line.points), default=0) or 1
        house.from_zero(ax, 1.7 * highest)  # the legend has room above the lines
        ax.yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10], integer=True))
        house.legend(ax, "upper left", fontsize=TIGHT, ncols=5, borderaxespad=0.1, columnspacing=1)
    panels[0].annotate(
        "counted by CloudWatch, a point a minute", (1, 1), xycoords="axes fraction", xytext=(-2, -2),
        textcoords="offset points", ha="right", va="top", fontsize=TIGHT, color=QUIET,
        path_effects=house.HALO,
    )  # fmt: skip
    panels[0].set_ylabel("healthy\nhosts", fontsize=NAMES)
    panels[1].set_ylabel("count\na minute", fontsize=NAMES)


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
    ax.set_ylabel("answer after (ms, wall)")
    if responders or failed:
        house.legend(ax, "lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=4, columnspacing=1.2)
