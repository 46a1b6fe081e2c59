"""The picture of a graph, as CloudWatch's console shows it: the half of GetMetricWidgetImage that draws.

The title stands top left; above the axis, its unit; a few pale horizontal grid lines; the time below as HH:MM;
the legend as coloured squares. A line breaks where a period has no point, and a point between two such gaps is
a dot. All is laid out in pixels: AWS's pictures have exactly the size that was asked for. matplotlib draws,
without pyplot and with settings of its own, so that the same data give the same bytes whatever the user's
configuration; it is imported at the first picture, since most clouds never draw one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock
from typing import Any, NamedTuple

from mglab.localcloud.api.cloudwatch_views import VIEWS, Area
from mglab.localcloud.rules.graph import Scale, Series, axis_words, number, scale, stacked, time_ticks, unbroken
from mglab.localcloud.rules.widget import Annotation, Side, Widget

COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
    "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5", "#c49c94", "#f7b6d2", "#c7c7c7", "#dbdb8d", "#9edae5",
)  # fmt: skip
TITLE_PX, TEXT_PX = 15, 11
PADDING, ROW, SQUARE, GAP = 10, 18, 10, 6
ABOVE, BELOW = 20, 22
"""Room for the unit above the plot and the time below it."""
LEVEL_EVERY_PX = 24
LEAST_WIDTH, LEAST_HEIGHT = 160, 150
"""A smaller picture has the lines alone: words would cover them."""
_DRAWING = Lock()


class Theme(NamedTuple):
    """The colours of what is not a line."""

    ground: str
    ink: str
    soft: str
    grid: str
    axis: str


LIGHT = Theme("white", "#16191f", "#687078", "#e9ebed", "#aab7b8")
DARK = Theme("#1d2733", "#e9ebed", "#b6bec9", "#414d5c", "#687078")
_STYLE = {
    "font.family": "DejaVu Sans", "text.parse_math": False, "path.simplify": False, "lines.antialiased": True,
}  # fmt: skip


def draw(widget: Widget, series: Sequence[Series]) -> bytes:
    """Draw the graph and give it as a PNG; the same arguments give the same bytes. Takes hundreds of ms."""
    with _DRAWING:  # matplotlib's settings and font caches belong to the whole process
        from matplotlib import style

        with style.context(["default", _STYLE]):
            return _Sheet(widget, [one for one in series if one.line.visible]).drawn()


@dataclass
class _Sheet:
    """One picture being drawn: from the top and the bottom inwards, and then the plot."""

    widget: Widget
    series: list[Series]
    figure: Any = field(init=False)
    renderer: Any = field(init=False)
    theme: Theme = field(init=False)

    def __post_init__(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        # 72 dots an inch: a point is a pixel. The fraction keeps a width like 57 from being rounded down.
        size = ((self.widget.width + 0.001) / 72, (self.widget.height + 0.001) / 72)
        self.theme = DARK if self.widget.dark else LIGHT
        self.figure = Figure(figsize=size, dpi=72, facecolor=self.theme.ground)
        self.renderer = FigureCanvasAgg(self.figure).get_renderer()
        self.colours = [one.line.colour or COLOURS[n % len(COLOURS)] for n, one in enumerate(self.series)]

    def drawn(self) -> bytes:
        plain = self.widget.width < LEAST_WIDTH or self.widget.height < LEAST_HEIGHT
        box = Area(0, 0, self.widget.width, self.widget.height) if plain else self._surroundings()
        view = VIEWS.get(self.widget.view)
        if view is None:
            self._plot(box, plain)
        else:
            view(self, box, self.theme.ink, self.theme.soft)
        out = BytesIO()
        self.figure.savefig(out, format="png", dpi=72, metadata={"Software": None})
        return out.getvalue()

    # -- what stands around the plot

    def _surroundings(self) -> Area:
        """Write the title and the legend; give what they leave."""
        top, bottom, right = float(PADDING), float(self.widget.height - PADDING), float(self.widget.width - PADDING)
        if self.widget.title:
            title = self.cut(self.widget.title, right - PADDING, TITLE_PX)
            self.write(PADDING, top + TITLE_PX / 2, title, TITLE_PX, self.theme.ink)
            top += TITLE_PX + 11
        if self.widget.view == "singleValue":
            return Area(PADDING, top, right, bottom)
        if self.widget.legend == "bottom":
            bottom = self._legend_below(bottom)
        elif self.widget.legend == "right":
            right = self._legend_beside(top, bottom, right)
        return Area(PADDING, top, right, bottom)

    def _entries(self, most_px: float) -> list[tuple[str, str, float]]:
        """Give each legend entry's colour, words and width."""
        words = [self.cut(one.line.label, most_px - SQUARE - GAP, TEXT_PX) for one in self.series]
        return [
            (colour, word, SQUARE + GAP + self._width(word, TEXT_PX))
            for colour, word in zip(self.colours, words, strict=True)
        ]

    def _legend_below(self, bottom: float) -> float:
        whole = self.widget.width - 2 * PADDING
        rows: list[list[tuple[float, str, str]]] = [[]]
        x = 0.0
        for colour, word, width in self._entries(whole):
            if rows[-1] and x + width > whole:
                rows.append([])
                x = 0.0
            rows[-1].append((x, colour, word))
            x += width + 2 * PADDING
        most = max(1, int(self.widget.height / 3 // ROW))
        if len(rows) > most:
            shown = [one for one in rows[most - 1] if one[0] + SQUARE + GAP + self._width(one[2], TEXT_PX) < whole - 40]
            hidden = sum(len(row) for row in rows[most - 1 :]) - len(shown)
            right, middle = self.widget.width - PADDING, bottom - ROW / 2
            self.write(right, middle, f"+{hidden}", TEXT_PX, self.theme.soft, ha="right")
            rows = [*rows[: most - 1], shown]
        top = bottom - ROW * len(rows)
        for place, row in enumerate(rows):
            for x, colour, word in row:
                self._entry(PADDING + x, top + ROW * place, colour, word)
        return top - GAP

    def _legend_beside(self, top: float, bottom: float, right: float) -> float:
        entries = self._entries(self.widget.width * 0.4)
        most = max(1, int((bottom - top) // ROW))
        left = right - max((width for _, _, width in entries), default=0.0)
        for row, (colour, word, _) in enumerate(entries[:most]):
            self._entry(left, top + ROW * row, colour, word)
        return left - 2 * PADDING

    def _entry(self, x: float, y: float, colour: str, word: str) -> None:
        from matplotlib.patches import Rectangle

        down = self.widget.height - (y + ROW / 2 + SQUARE / 2)
        self.figure.add_artist(Rectangle((x, down), SQUARE, SQUARE, color=colour, transform=None))
        self.write(x + SQUARE + GAP, y + ROW / 2, word, TEXT_PX, self.theme.ink)

    # -- the plot

    def _plot(self, outer: Area, plain: bool) -> None:
        """Draw the axes, the lines of each side and the annotations."""
        used = {one.line.axis for one in self.series}
        sides: tuple[Side, ...] = ("left", "right") if "right" in used else ("left",)
        most = int((outer.height - ABOVE - BELOW) // LEVEL_EVERY_PX)
        scales = {side: self._scale(side, max(1, min(4, most))) for side in sides}
        box = outer if plain else self._inner(outer, scales)
        axes = {}
        for side in sides:
            axes[side] = self._axes(box, scales[side], first=side == "left", plain=plain)
            self._lines(axes[side], side)
        self._annotations(axes, box, plain)
        if plain:
            return
        for side in sides:
            self._numbers(box, scales[side], side)
            units = [one.unit for one in self._on(side) if one.points]
            words = axis_words(getattr(self.widget, side), units)
            x, ha = (box.left, "left") if side == "left" else (box.right, "right")
            self.write(x, box.top - 12, self.cut(words, box.width / 2, TEXT_PX), TEXT_PX, self.theme.soft, ha=ha)
        for at, word in time_ticks(self.widget.start, self.widget.end, self.widget.offset_s, box.width):
            self._time(box, at, word)

    def _on(self, side: Side) -> list[Series]:
        mine = [one for one in self.series if one.line.axis == side]
        return stacked(mine) if self.widget.stacked else mine

    def _scale(self, side: Side, most: int) -> Scale:
        marks = [mark for mark in self.widget.horizontal if mark.axis == side]
        values = [value for one in self._on(side) for _, value in one.points]
        values += [value for mark in marks for value in (mark.value, mark.until) if value is not None]
        if self.widget.stacked:
            values.append(0.0)
        return scale(values, getattr(self.widget, side), most)

    def _inner(self, outer: Area, scales: dict[Side, Scale]) -> Area:
        """Leave room for the numbers beside the plot, the unit above it and the time below it."""
        room = {side: max(self._width(number(t), TEXT_PX) for t in one.ticks or (0.0,)) for side, one in scales.items()}
        right = outer.right - (room["right"] + 8 if "right" in room else 8)
        return Area(outer.left + room["left"] + 8, outer.top + ABOVE, right, outer.bottom - BELOW)

    def _axes(self, box: Area, shown: Scale, *, first: bool, plain: bool) -> Any:
        width, height = self.widget.width, self.widget.height
        place = (box.left / width, 1 - box.bottom / height, box.width / width, box.height / height)
        ax = self.figure.add_axes(place, frameon=False, xticks=[], yticks=[], label="first" if first else "second")
        ax.set_xlim(self.widget.start, self.widget.end)
        ax.set_ylim(shown.low, shown.high)
        if first and not plain:
            for tick in shown.ticks:
                ax.axhline(tick, color=self.theme.grid, linewidth=1, zorder=0, clip_on=False)
            ax.axhline(shown.low, color=self.theme.axis, linewidth=1, zorder=1, clip_on=False)
        return ax

    def _lines(self, ax: Any, side: Side) -> None:
        colours = [c for one, c in zip(self.series, self.colours, strict=True) if one.line.axis == side]
        shown = list(zip(self._on(side), colours, strict=True))
        for one, colour in reversed(shown) if self.widget.stacked else shown:
            for piece in unbroken(one.points, one.line.period_s):
                at, values = [p[0] for p in piece], [p[1] for p in piece]
                if self.widget.stacked:
                    ax.fill_between(at, values, 0, color=colour, linewidth=0, zorder=2)
                style = "o" if len(piece) == 1 else "-"
                (drawn,) = ax.plot(at, values, style, color=colour, linewidth=1.75, markersize=4, zorder=3)
                drawn.set_clip_box(ax.bbox.padded(2))  # a line along the edge keeps its whole width

    def _numbers(self, box: Area, shown: Scale, side: Side) -> None:
        for tick in shown.ticks:
            y = box.bottom - (tick - shown.low) / (shown.high - shown.low) * box.height
            x, ha = (box.left - 6, "right") if side == "left" else (box.right + 6, "left")
            self.write(x, y, number(tick), TEXT_PX, self.theme.soft, ha=ha)

    def _time(self, box: Area, at: float, word: str) -> None:
        from matplotlib.lines import Line2D

        x = box.left + (at - self.widget.start) / (self.widget.end - self.widget.start) * box.width
        foot = self.widget.height - box.bottom
        self.figure.add_artist(Line2D((x, x), (foot, foot - 4), color=self.theme.axis, linewidth=1, transform=None))
        half = self._width(word, TEXT_PX) / 2
        x = min(max(x, half + 1), self.widget.width - half - 1)
        self.write(x, box.bottom + 13, word, TEXT_PX, self.theme.soft, ha="center")

    # -- annotations

    def _annotations(self, axes: dict[Side, Any], box: Area, plain: bool) -> None:
        used = len(self.series)
        for n, mark in enumerate(self.widget.horizontal):
            if mark.axis in axes:
                self._level(axes[mark.axis], box, mark, COLOURS[(used + n) % len(COLOURS)], plain)
        used += len(self.widget.horizontal)
        drawn = [(m, COLOURS[(used + n) % len(COLOURS)]) for n, m in enumerate(self.widget.vertical)]
        for mark, colour in drawn:
            self._moment(axes["left"], mark, colour)
        if not plain:
            self._name_moments(box, drawn)

    def _level(self, ax: Any, box: Area, mark: Annotation, automatic: str, plain: bool) -> None:
        """Draw a horizontal annotation: a line or two, the shade, the words at its right end."""
        colour = mark.colour or automatic
        low, high = ax.get_ylim()
        shade = {"above": (mark.value, high), "below": (low, mark.value), "between": (mark.value, mark.until)}
        if mark.fill in shade and shade[mark.fill][1] is not None:
            ax.axhspan(*shade[mark.fill], color=colour, alpha=0.15, linewidth=0, zorder=1)
        for value, label in ((mark.value, mark.label), (mark.until, mark.until_label)):
            if value is not None and low <= value <= high:
                ax.axhline(value, color=colour, linewidth=1.5, zorder=4)
                if label and not plain:
                    words = self.cut(label, box.width / 2, TEXT_PX)
                    y = box.bottom - (value - low) / (high - low) * box.height
                    self.write(box.right - 3, y - 9, words, TEXT_PX, colour, ha="right", over=True)

    def _moment(self, ax: Any, mark: Annotation, automatic: str) -> None:
        colour = mark.colour or automatic
        start, end = self.widget.start, self.widget.end
        shade = {"after": (mark.value, end), "before": (start, mark.value), "between": (mark.value, mark.until)}
        if mark.fill in shade and shade[mark.fill][1] is not None:
            ax.axvspan(*shade[mark.fill], color=colour, alpha=0.15, linewidth=0, zorder=1)
        for at in (mark.value, mark.until):
            if at is not None and start <= at <= end:
                ax.axvline(at, color=colour, linewidth=1.25, zorder=4)

    def _name_moments(self, box: Area, drawn: Sequence[tuple[Annotation, str]]) -> None:
        """Write what the vertical annotations mark at their tops, a row lower where two would meet."""
        ends: list[float] = []
        for mark, automatic in sorted(drawn, key=lambda one: one[0].value):
            for at, label in ((mark.value, mark.label), (mark.until, mark.until_label)):
                if at is None or not label or not self.widget.start <= at <= self.widget.end:
                    continue
                words = self.cut(label, box.width / 2, TEXT_PX)
                x = box.left + (at - self.widget.start) / (self.widget.end - self.widget.start) * box.width
                width = self._width(words, TEXT_PX) + 8
                ha = "left" if x + width < box.right or x - width < box.left else "right"
                begins, finishes = (x, x + width) if ha == "left" else (x - width, x)
                row = next((n for n, end in enumerate(ends) if end <= begins), len(ends))
                ends[row:] = [finishes, *ends[row + 1 :]]
                y = box.top + 7 + 13 * row
                if y < box.bottom - 7:
                    aside = x + (4 if ha == "left" else -4)
                    self.write(aside, y, words, TEXT_PX, mark.colour or automatic, ha=ha, over=True)

    # -- words

    def write(
        self, x: float, y: float, words: str, size: float, colour: str, *, ha: str = "left", over: bool = False
    ) -> None:
        """Write words beside a point, at its height; ``over`` the plot they have a ground of their own."""
        if words:
            ground = {"facecolor": self.theme.ground, "alpha": 0.8, "linewidth": 0, "pad": 1} if over else None
            self.figure.text(
                x, self.widget.height - y, _printable(words), fontsize=size, color=colour, ha=ha, va="center_baseline",
                transform=None, bbox=ground,
            )  # fmt: skip

    def up(self, y: float) -> float:
        """Give a height from the foot of the picture, which matplotlib counts from."""
        return self.widget.height - y

    def _width(self, words: str, size: float) -> float:
        from matplotlib.font_manager import FontProperties

        font = FontProperties(family="DejaVu Sans", size=size)
        width: float = self.renderer.get_text_width_height_descent(_printable(words), font, ismath=False)[0]
        return width

    def cut(self, words: str, most_px: float, size: float) -> str:
        """Shorten words to a width, with an ellipsis; one line only."""
        words = " ".join(words[: self.widget.width].split())  # no letter is narrower than a pixel
        if self._width(words, size) <= most_px:
            return words
        fits = bisect_right(range(1, len(words)), most_px, key=lambda n: self._width(words[:n] + "…", size))
        return words[:fits].rstrip() + "…" if fits else ""


def _printable(words: str) -> str:
    """Put a box in the place of what no font can draw: control characters, halves of surrogate pairs."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in words)
