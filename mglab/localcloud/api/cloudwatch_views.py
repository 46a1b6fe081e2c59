"""Pictures without a time axis: numbers, bars, a pie, each of the lines' newest values.

What CloudWatch's console shows for ``singleValue``, ``bar`` and ``pie``, as far as it can be seen; AWS documents none
of it. A line without data is ``--`` among the numbers, and takes no room among bars and in a pie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mglab.localcloud.rules.graph import Series, number

LEAST_PX, MOST_PX = 12, 48
"""How small and how tall a single value is written."""
GAP = 10


class Area(NamedTuple):
    """Where to draw, in pixels from the top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return max(1.0, self.right - self.left)

    @property
    def height(self) -> float:
        return max(1.0, self.bottom - self.top)


class Sheet(Protocol):
    """What a picture that is being drawn lends to its view."""

    series: list[Series]
    colours: list[str]
    figure: Any

    def write(self, x: float, y: float, words: str, size: float, colour: str, *, ha: str = "left") -> None:
        """Write words at a point."""

    def cut(self, words: str, most_px: float, size: float) -> str:
        """Shorten words to a width."""

    def up(self, y: float) -> float:
        """Give a height from the foot of the picture."""


def numbers(sheet: Sheet, area: Area, ink: str, soft: str) -> None:
    """Write each line's newest value large, with its label below."""
    columns = max(1, len(sheet.series))
    width = area.width / columns
    size = max(LEAST_PX, min(MOST_PX, width / 5, area.height / 2.5))
    middle = (area.top + area.bottom) / 2
    for place, one in enumerate(sheet.series):
        x = area.left + width * (place + 0.5)
        told = "--" if one.latest is None else number(one.latest)
        sheet.write(x, middle - size / 2, sheet.cut(told, width - GAP, size), size, ink, ha="center")
        sheet.write(x, middle + size / 2 + GAP, sheet.cut(one.line.label, width - GAP, 11), 11, soft, ha="center")


def bars(sheet: Sheet, area: Area, ink: str, soft: str) -> None:
    """Draw an upright bar for each line, from a common foot, with its value at its end."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    values, colours = _there(sheet)
    low, high = min([0.0, *values]), max([0.0, *values])
    scale = (area.height - 40) / ((high - low) or 1.0)
    foot = area.bottom - 20 + low * scale
    width = area.width / max(1, len(values))
    for place, (value, colour) in enumerate(zip(values, colours, strict=True)):
        left, tall = area.left + width * (place + 0.2), abs(value) * scale
        top = foot - tall if value >= 0 else foot
        sheet.figure.add_artist(
            Rectangle((left, sheet.up(top + tall)), width * 0.6, tall, color=colour, transform=None)
        )
        beyond = foot - tall - 10 if value >= 0 else foot + tall + 10
        sheet.write(left + width * 0.3, beyond, sheet.cut(number(value), width, 11), 11, ink, ha="center")
    sheet.figure.add_artist(
        Line2D((area.left, area.right), (sheet.up(foot),) * 2, color=soft, linewidth=1, transform=None)
    )


def pie(sheet: Sheet, area: Area, ink: str, soft: str) -> None:
    """Draw the lines' shares of their sum, clockwise from the top; what is not above zero has none."""
    from matplotlib.patches import Wedge

    shares = [(value, colour) for value, colour in zip(*_there(sheet), strict=True) if value > 0]
    whole = math.fsum(value for value, _ in shares)
    centre = ((area.left + area.right) / 2, sheet.up((area.top + area.bottom) / 2))
    radius, begin = max(1.0, min(area.width, area.height) / 2 - GAP), 90.0
    for value, colour in shares:
        end = begin - 360 * value / whole
        sheet.figure.add_artist(Wedge(centre, radius, end, begin, color=colour, linewidth=0, transform=None))
        angle = math.radians((begin + end) / 2)
        if begin - end >= 20:
            x, up = centre[0] + radius * 0.6 * math.cos(angle), centre[1] + radius * 0.6 * math.sin(angle)
            sheet.write(x, sheet.up(up), f"{100 * value / whole:.3g}%", 11, "white", ha="center")
        begin = end
    if not shares:
        sheet.write(centre[0], sheet.up(centre[1]), "--", LEAST_PX, ink, ha="center")


def _there(sheet: Sheet) -> tuple[Sequence[float], Sequence[str]]:
    """Give the newest values that there are, and their lines' colours."""
    rows = [(one.latest, colour) for one, colour in zip(sheet.series, sheet.colours, strict=True)]
    there = [(value, colour) for value, colour in rows if value is not None]
    return [value for value, _ in there], [colour for _, colour in there]


Draw = Callable[[Sheet, Area, str, str], None]
VIEWS: Mapping[str, Draw] = {"singleValue": numbers, "bar": bars, "pie": pie}
