"""Every figure of the workbook, in one style: readable in grey, colour never alone, units on every axis.

Functions take records and give a matplotlib ``Figure``; nothing here measures anything. The style is a file,
``house.mplstyle``, in force for every figure from the moment this module is imported; what a function says about looks
is only what differs from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from matplotlib import rc_file
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from mglab.display import status
from mglab.study.client import Sample
from mglab.study.timeline import Event

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
LABEL_SHARE = 0.0135
"""How much of the whole width one letter takes, roughly: a word that would not fit is left out."""


def _figure(rows: int, height: float, ratios: Sequence[float] | None = None) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(7.2, height))
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0])


def sequence(samples: Sequence[Sample], *, title: str) -> Figure:
    """Draw who answered, request by request: a regular pattern would be seen at once."""
    responders = sorted({s.responder for s in samples if s.responder})
    figure, (ax,) = _figure(1, 0.9 + 0.42 * max(2, len(responders)))
    for lane, responder in enumerate(responders):
        at = [n for n, s in enumerate(samples, 1) if s.responder == responder]
        ax.plot(at, [lane] * len(at), MARKERS[lane % 7], color=COLOURS[lane % 7], markersize=4)
    failed = [n for n, s in enumerate(samples, 1) if s.failure]
    if failed:
        ax.plot(failed, [-1] * len(failed), "x", color=FAILED, markersize=5)
    lanes = [(-1, "no answer")] if failed else []
    lanes += list(enumerate(responders))
    ax.set_yticks([at for at, _ in lanes], [name for _, name in lanes])
    ax.set_ylim((-1.6 if failed else -0.6), len(responders) - 0.4)
    ax.set_xlabel("request, in the order asked")
    ax.set_title(title)
    return figure


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
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=7)


def waterfall(bands: Sequence[tuple[str, float, str]], *, title: str) -> Figure:
    """Draw how long each stage took: (stage, AWS seconds, ``measured`` or ``modelled``), one after the other."""
    figure, (ax,) = _figure(1, 0.9 + 0.36 * len(bands))
    began = 0.0
    for row, (_, seconds, kind) in enumerate(bands):
        measured = kind == "measured"
        ax.barh(
            row, seconds, left=began, height=0.6, color=COLOURS[0] if measured else "#BBD6EA",
            hatch="" if measured else "///", edgecolor=COLOURS[0], linewidth=0.6,
        )  # fmt: skip
        ax.annotate(f" {seconds:.0f} s", (began + seconds, row), va="center", fontsize=7)
        began += seconds
    ax.set_yticks(range(len(bands)), [f"{stage} ({kind})" for stage, _, kind in bands])
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel("AWS seconds since the request")
    ax.set_title(title)
    return figure


Series = Mapping[str, Sequence[tuple[datetime, float]]]


def monitoring(panels: Mapping[str, Series], marks: Sequence[Event] = (), *, title: str) -> Figure:
    """Draw one panel a metric, one line a dimension, as the console's monitoring tab does; events are marked."""
    figure, axes = _figure(max(1, len(panels)), 0.6 + 1.25 * max(1, len(panels)))
    for ax, (metric, series) in zip(axes, panels.items(), strict=False):
        for number, (label, points) in enumerate(series.items()):
            ax.plot(
                [date2num(at) for at, _ in points], [value for _, value in points], DASHES[number % 4],
                color=COLOURS[number % 7], marker=MARKERS[number % 7], markersize=2.5, label=label,
            )  # fmt: skip
        for mark in marks:
            ax.axvline(date2num(mark.at), color=QUIET, linewidth=0.7, linestyle=":")
        ax.set_title(metric, fontsize="medium")
        ax.set_ylim(bottom=0)
        if series:
            ax.legend(fontsize=6, loc="upper left", ncols=3)
        else:
            ax.annotate("no data points", (0.5, 0.5), xycoords="axes fraction", ha="center", color=QUIET)
    figure.suptitle(title, x=0.01, ha="left")
    _time_axis(axes[-1])
    return figure


def _time_axis(ax: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set_xlabel("lab time (UTC)")
