"""Figures about speed: waterfalls, alone or several over each other, and the states of two runs over each other.

A filled bar was measured, a hatched one modelled; a pale one nobody waited for, and the last of those says what time
it had to spare. Whiskers show how far the end may lie from where it is drawn. Of several series, each has its place
in a row, its own shade and its letter at the end: colour never speaks alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mglab.study import house
from mglab.study.bands import MEASURED, Band, slack, whole_s
from mglab.study.compare import Walks
from mglab.study.house import BESIDE, FAILED, INSIDE, NAMES, TIGHT

Series = Mapping[str, Sequence[Band]]
"""What a waterfall shows -> its bands."""
FILLS, TINTS = tuple(house.TINTS), tuple(house.TINTS.values())
ROW, BAR = 0.26, 0.8
LEAST_SHOWN_MS = 100.0


@house.drawn
def waterfall(bands: Sequence[Band], *, title: str) -> Figure:
    """Draw where the time of one launch went, from the request to the first answer."""
    return waterfalls({title: {"": bands}})


@house.drawn
def waterfalls(charts: Mapping[str, Series], *, title: str = "") -> Figure:
    """Draw waterfalls below each other on one clock, each of one series or of several over each other."""
    heights = [_height(series) for series in charts.values()] or [1.0]
    figure, axes = house.panels(len(heights), 1.1 + sum(heights), ratios=heights)
    longest = max((whole_s(bands) for series in charts.values() for bands in series.values()), default=0.0) or 1.0
    for ax, (name, series) in zip(axes, charts.items(), strict=False):
        _draw(ax, series, longest)
        ax.set_title(name)
    axes[-1].set_xlabel("AWS seconds since the request")
    if title:
        house.heading(figure, title)
    _legend(figure)
    return figure


def _height(series: Series) -> float:
    return 0.5 + ROW * max(2, len(_names(series))) * (1 + 0.3 * (len(series) - 1))


def _names(series: Series) -> list[str]:
    """Name the bands of all series once, in the order of the longest one, those that only others have after it."""
    longest_first = sorted(series.values(), key=len, reverse=True)
    return list(dict.fromkeys(band.band for bands in longest_first for band in bands))


def _draw(ax: Axes, series: Series, longest: float) -> None:
    names = _names(series)
    height = BAR / max(1, len(series))
    for number, (label, bands) in enumerate(series.items()):
        last_idle, slack_s = slack(bands)
        for band in bands:
            row = names.index(band.band) - BAR / 2 + (number + 0.5) * height
            spare_s = slack_s if band is last_idle else 0.0
            _draw_band(
                ax, band, row, height, number=number, letter=_letter(label, series), longest=longest, slack_s=spare_s
            )  # fmt: skip
    ax.set_yticks(range(len(names)), [_row_name(name, series) for name in names], fontsize=NAMES)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, longest * 1.3)
    if len(series) > 1:
        shown = [Patch(facecolor=FILLS[n % 4], label=f"{_letter(name, series)}: {name}") for n, name in
                 enumerate(series)]  # fmt: skip
        house.legend(ax, "upper right", handles=shown)


def _row_name(name: str, series: Series) -> str:
    kinds = {band.kind for bands in series.values() for band in bands if band.band == name}
    return f"{name} ({', '.join(sorted(kinds))})"


def _letter(label: str, series: Series) -> str:
    return chr(ord("A") + list(series).index(label)) if len(series) > 1 else ""


def _draw_band(
    ax: Axes, band: Band, row: float, height: float, *, number: int, letter: str, longest: float, slack_s: float
) -> None:
    measured = band.kind == MEASURED
    ax.barh(
        row, max(band.seconds, 0.004 * longest), left=band.starts_s, height=height * 0.9,
        color=FILLS[number % 4] if measured else TINTS[number % 4], hatch="" if measured else "////",
        edgecolor=FILLS[number % 4], linewidth=0.7, alpha=1.0 if band.holds_up else 0.4,
    )  # fmt: skip
    if band.within_s > 0:
        _draw_whiskers(ax, band, row)
    words = ", ".join(word for word in (f"{band.seconds:.0f} s", _wall(band), _spare(slack_s)) if word)
    ax.annotate(
        f"{letter}  {words}".strip(), (band.ends_s + band.within_s, row), xytext=(4, 0), textcoords="offset points",
        va="center", fontsize=BESIDE, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip


def _draw_whiskers(ax: Axes, band: Band, row: float) -> None:
    """Draw how far the end may be off: black on white, to be seen on a dark bar too."""
    reach = [[min(band.within_s, band.ends_s)], [band.within_s]]
    for colour, width, order in (("white", 2.2, 3), ("black", 0.8, 4)):
        ax.errorbar(
            band.ends_s, row, xerr=reach, color=colour, elinewidth=width, capthick=width, capsize=2, fmt="none",
            zorder=order,
        )  # fmt: skip


def _wall(band: Band) -> str:
    """Say how long real work took where the lab's clock is not the wall's."""
    if band.wall_ms is None or band.wall_ms < LEAST_SHOWN_MS or abs(band.wall_ms - 1000 * band.seconds) < 100:
        return ""
    return f"by the wall {band.wall_ms / 1000:.1f} s"


def _spare(slack_s: float) -> str:
    return f"{slack_s:.0f} s to spare" if slack_s >= 1 else ""


def _legend(figure: Figure) -> None:
    shown = [
        Patch(facecolor=FILLS[0], edgecolor=FILLS[0], label="measured"),
        Patch(facecolor=TINTS[0], edgecolor=FILLS[0], hatch="////", label="modelled"),
        Patch(facecolor=FILLS[0], edgecolor=FILLS[0], alpha=0.4, label="pale: nobody waited for it"),
    ]
    figure.legend(handles=shown, loc="outside lower left", ncols=3)


@house.drawn
def timelines(first: Walks, second: Walks, names: Sequence[str], *, title: str) -> Figure:
    """Draw what was said in one experiment of two runs: for each subject the first run's bar above the second's."""
    lanes = list(dict.fromkeys([*first, *second]))
    figure, (ax,) = house.panels(1, 1.4 + 0.34 * max(2, len(lanes)))
    stays = [stay for walks in (first, second) for lane in walks.values() for stay in lane]
    whole = max((stay.ends_s for stay in stays), default=1.0) - min((stay.starts_s for stay in stays), default=0.0)
    for row, lane in enumerate(lanes):
        for offset, walks, letter in ((-0.2, first, "A"), (0.2, second, "B")):
            for stay in walks.get(lane, ()):
                house.bar(
                    ax, row + offset, stay.starts_s, stay.ends_s, stay.state, whole=whole, height=0.36, size=TIGHT
                )  # fmt: skip
            if lane in walks:
                where = (1.005, row + offset)
                ax.annotate(letter, where, xycoords=("axes fraction", "data"), va="center", fontsize=INSIDE)
    ax.set_yticks(range(len(lanes)), [f"{subject}, {who}" for who, subject in lanes], fontsize=NAMES)
    ax.set_ylim(max(1, len(lanes)) - 0.4, -0.6)
    ax.axvline(0, color=FAILED, linewidth=0.8, linestyle="--")
    ax.set_xlabel(f"AWS seconds since the act   (A: {names[0]}, B: {names[1]})")
    ax.set_title(title)
    return figure
