"""The house every figure lives in: one style sheet, one palette, one way to make a figure, a legend, a bar.

The sheet, ``house.mplstyle``, is in force only while one of our figures is drawn or kept: a notebook's own figures
look as their author wants. matplotlib reads some settings when a thing is made (``drawn``) and others, such as a
grid's colour, when it is painted (``House``), so the sheet is laid around both. What a drawing function says about
looks is only what differs from the sheet, by the names below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec

from matplotlib import rc_context, rc_params_from_file
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.dates import MINUTELY, AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from mglab.display import status

SHEET = rc_params_from_file(Path(__file__).with_name("house.mplstyle"), use_default_template=False)
WIDTH = SHEET["figure.figsize"][0]
"""Every figure's width, in inches."""

# Okabe and Ito's palette: told apart by colour-blind readers; markers and dashes tell them apart in grey.
COLOURS = tuple(SHEET["axes.prop_cycle"].by_key()["color"])
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
TINTS = {"#0072B2": "#BBD6EA", "#E69F00": "#FBE6BF", "#005F47": "#B9D8CF", "#CC79A7": "#EBD3E1"}
"""A colour that fills -> its pale one. Neighbours differ in lightness too, for readers in grey."""
FAILED = "#B3261E"
QUIET = "#8A8A8A"
GRID = SHEET["grid.color"]
HATCHES = {"waiting": "////", "bad": "xxxx", "ended": "...."}
"""A state's mood -> its hatch, for readers in grey."""
HALO = [withStroke(linewidth=1.4, foreground="white", alpha=0.8)]
"""What lifts a word off a hatch or a line that it stands on."""
BELOW_ZERO = 0.06
"""How much of an axis lies below nought: a line of zeros is a line, not the frame."""

NAMES = 7.0
"""Points, where many rows or panels are named: as small as a legend."""
BESIDE = 6.5
"""Points, beside what is drawn, and along the axes of narrow panels: a size more and neighbours would meet."""
INSIDE = 6.0
"""Points, inside a bar or a circle, or where a name has two lines."""
TIGHT = 5.5
"""Points, inside a bar of half the usual height, and a legend within a panel of half an inch."""
LABEL_SHARE = 0.0135
"""How much of the whole width one letter takes, roughly: a word that would not fit is left out."""

P = ParamSpec("P")
Corner = Literal["upper left", "upper right", "lower right"]


class House(Figure):
    """A figure that is painted by the sheet, wherever it is shown or kept."""

    def draw(self, renderer: Any) -> None:
        """Paint."""
        with rc_context(SHEET):
            super().draw(renderer)

    def savefig(self, fname: Any, **how: Any) -> None:
        """Write to a file, or to something like one."""
        with rc_context(SHEET):
            super().savefig(fname, **how)


def drawn(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Lay the sheet around a function that makes a figure."""

    @wraps(draw)
    def by_the_sheet(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with rc_context(SHEET):
            return draw(*args, **kwargs)

    return by_the_sheet


def empty(height: float) -> Figure:
    """Give a figure of the house's width with nothing in it."""
    return House(figsize=(WIDTH, height))


def panels(rows: int, height: float, ratios: Sequence[float] | None = None) -> tuple[Figure, list[Axes]]:
    """Give a figure whose panels stand below each other on one axis."""
    figure = empty(height)
    return figure, list(figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0])


def heading(figure: Figure, title: str) -> None:
    """Write a figure's title where an axes would have its own."""
    figure.suptitle(title, x=0.01, ha="left")


def legend(ax: Axes, where: Corner, handles: Sequence[Any] = (), **how: Any) -> None:
    """Name what is drawn in a panel, or say that nothing is."""
    named = [*handles] or ax.get_legend_handles_labels()[0]
    if named:
        ax.legend(handles=named, loc=where, **how)
    else:
        no_data(ax)


def no_data(ax: Axes) -> None:
    """Say in an empty panel that it is not empty by mistake."""
    ax.annotate("no data points", (0.5, 0.5), xycoords="axes fraction", ha="center", color=QUIET, fontsize=NAMES)


def bar(
    ax: Axes, row: float, since: float, until: float, state: str, *, whole: float, height: float = 0.7,
    size: float = INSIDE,
) -> None:  # fmt: skip
    """Draw a state that lasted: its mood is colour and hatch, its word stands in it where it fits in ``whole``."""
    mood, text = status(state), state.removeprefix("Elb.")
    ax.barh(  # a hatch has the edge's colour, so the white edge is drawn by itself
        row, until - since, left=since, height=height, facecolor=to_rgba(mood.colour, 0.35),
        edgecolor=to_rgba(mood.colour, 0.6), hatch=HATCHES.get(mood.mood, ""), linewidth=0,
    )  # fmt: skip
    ax.barh(row, until - since, left=since, height=height, facecolor="none", edgecolor="white")
    if fits(text, until - since, whole):
        word(ax, since, row, text, size=size)


def fits(text: str, width: float, whole: float) -> bool:
    """Say whether a word has room in a width, of a whole that is as wide as the panel."""
    return width > LABEL_SHARE * whole * len(text)


def word(ax: Axes, at: float, row: float, text: str, *, size: float = INSIDE, before: bool = False) -> None:
    """Write a word in a row, after a place or ``before`` it."""
    ax.annotate(
        text, (at, row), xytext=(-2 if before else 2, 0), textcoords="offset points", va="center", fontsize=size,
        ha="right" if before else "left", path_effects=HALO,
    )  # fmt: skip


# -- an axis of time -------------------------------------------------------------------------------------------

Points = Sequence[tuple[datetime, float]]
MINUTE, BASIC = timedelta(minutes=1), timedelta(minutes=5)
"""How much time a datapoint covers, from its timestamp on: a group's or balancer's, and EC2's basic one."""


def time_axis(ax: Axes) -> None:
    """Write lab time along an axis, in steps that a reader would choose."""
    locator = AutoDateLocator(minticks=3, maxticks=8)
    locator.intervald[MINUTELY] = [1, 2, 5, 10, 15, 30]  # its own list leaves out 2: eight minutes had one tick
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set_xlabel("lab time (UTC)")


def steps(
    ax: Axes, points: Points, covers: timedelta = MINUTE, *, colour: str = COLOURS[0], dashes: str = "-",
    width: float = 1.2, label: str = "", fill: bool = False,
) -> None:  # fmt: skip
    """Draw each point as long as it stands for; where none was published there is no line."""
    for stretch in _stretches(points, covers):
        at = [date2num(moment) for moment, _ in stretch] + [date2num(stretch[-1][0] + covers)]
        values = [value for _, value in stretch] + [stretch[-1][1]]
        ax.plot(at, values, dashes, drawstyle="steps-post", color=colour, linewidth=width, label=label)
        if fill:
            ax.fill_between(at, values, step="post", color=colour, alpha=0.15, linewidth=0)
        label = ""
    from_zero(ax)


def from_zero(ax: Axes, highest: float | None = None) -> None:
    """Let an axis begin at nought, with as much below it as a line of zeros needs to be seen."""
    top = ax.get_ylim()[1] if highest is None else highest
    ax.set_ylim(-BELOW_ZERO * top, top)


def _stretches(points: Points, covers: timedelta) -> list[list[tuple[datetime, float]]]:
    """Divide points where more than two are missing (a clock that is fast for its host leaves one out at times)."""
    stretches: list[list[tuple[datetime, float]]] = []
    for point in points:
        if not stretches or point[0] - stretches[-1][-1][0] > 3 * covers:
            stretches.append([])
        stretches[-1].append(point)
    return stretches
