"""The topology as a picture, laid out from the text it has to hold: long names wrap, cards grow, nothing overlaps.

The plane is in inches, downwards. From the top: the internet, the gateway on the VPC's border, the balancer across the
zones, and in each zone its subnet with the balancer's node and the instances; the group is the frame around these.
Left of each zone's cards runs a rail along which connections go: a solid branch ends at a healthy target, a dashed one
at a target that is not healthy. States have a glyph beside their colour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.patches import FancyBboxPatch

from mglab.display import NOTHING, status
from mglab.steps.network import Subnet
from mglab.study import house
from mglab.study.house import BESIDE, COLOURS, QUIET, WIDTH
from mglab.study.topology import Machine, Node, Topology, forwarding, sizes

MARGIN, PAD, GAP = 0.05, 0.07, 0.11
GUTTER = 0.26
"""Left of a zone's cards, for the rail."""
SMALL, NORMAL, TITLE = BESIDE, 7.5, house.SHEET["figure.titlesize"]
"""Points. A name is a size larger than what is said of it; at 8 two zones would not fit beside each other."""
LEADING = 1.3
ROUNDING = 1.05
LINE = 0.9
DASHED = (0, (2, 2))
INK, SOFT, PAPER, TINT = "#1c2226", "#55606a", "#ffffff", "#eef3f6"


@dataclass(frozen=True)
class Words:
    """One line of a card before it is wrapped; a mood gives it its glyph's colour."""

    text: str
    size: float = SMALL
    bold: bool = False
    colour: str = INK


@dataclass(frozen=True)
class Frame:
    """A rectangle: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float


@house.drawn
def topology(there: Topology, *, title: str) -> Figure:
    """Draw what is there; the figure is as high as it needs to be."""
    figure = house.empty(1.0)
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    bottom = _write(ax, MARGIN, MARGIN, WIDTH - 2 * MARGIN, [Words(title, TITLE)]) + GAP
    bottom = _key(ax, there, _world(ax, there, bottom)) + MARGIN
    figure.set_size_inches(WIDTH, bottom)
    ax.set_xlim(0, WIDTH)
    ax.set_ylim(bottom, 0)
    return figure


def _key(ax: Axes, there: Topology, top: float) -> float:
    """Say what the rails mean, where there are any."""
    if not (there.nodes and any(it.health for it in there.machines)):
        return top
    words = "Branches from a node: solid to a healthy target, dashed to a target that is not healthy."
    return _write(ax, MARGIN, top + PAD, WIDTH - 2 * MARGIN, [Words(words, colour=SOFT)])


# -- from the internet inwards -----------------------------------------------------------------------------


def _world(ax: Axes, there: Topology, top: float) -> float:
    if there.vpc is None:
        return _write(ax, MARGIN, top, WIDTH - 2 * MARGIN, [Words("There is no VPC.", NORMAL, colour=SOFT)])
    if there.gateway is None:
        return _vpc(ax, there, top)
    attached = there.gateway.vpc_id == there.vpc.vpc_id
    middle, half = WIDTH / 2, 1.7
    internet = _card(ax, middle - 0.9, top, 1.8, [Words("The internet: clients", NORMAL, bold=True)], centred=True)
    lines = [
        Words(f"Internet gateway {there.gateway.name}", NORMAL, bold=True),
        Words(f"{there.gateway.gateway_id}  {_state(there.gateway.state)}"),
    ]
    gateway = _card(ax, middle - half, internet.bottom + 0.17, 2 * half, lines, fill=TINT, centred=True)
    _arrow(ax, (middle, internet.bottom), (middle, gateway.top))
    return _vpc(ax, there, gateway.bottom + 0.18, gateway.bottom if attached else None)


def _vpc(ax: Axes, there: Topology, top: float, gateway: float | None = None) -> float:
    """Draw the VPC with all that is in it; ``gateway`` is where an attached gateway's card ends."""
    assert there.vpc is not None
    left, right = MARGIN, WIDTH - MARGIN
    inner_left, inner_right = left + PAD + 0.05, right - PAD - 0.05
    header = [
        Words(f"VPC {there.vpc.name}", NORMAL, bold=True),
        Words(f"{there.vpc.vpc_id}  {there.vpc.cidr}"),
    ]
    y = _write(ax, inner_left, top + PAD, WIDTH / 2 - inner_left - 0.2, header) + GAP
    if gateway is not None:
        _arrow(ax, (WIDTH / 2, gateway), (WIDTH / 2, y))
    source = None if gateway is None else y
    if there.load_balancer:
        source = _card(ax, inner_left, y, inner_right - inner_left, _balancer_lines(there), fill=TINT).bottom
        y = source
    y = _zones(ax, there, Frame(inner_left, y + 0.16, inner_right, y), source) + GAP
    if there.target_group and not there.load_balancer:
        y = _card(ax, inner_left, y, inner_right - inner_left, [Words(forwarding(there))], fill=TINT).bottom + GAP
    if there.table:
        y = _card(ax, inner_left, y, inner_right - inner_left, _route_lines(there)).bottom + GAP
    _frame(ax, Frame(left, top, right, y), edge=COLOURS[0], width=1.4)
    return y


def _balancer_lines(there: Topology) -> list[Words]:
    balancer = there.load_balancer
    assert balancer is not None
    name = Words(f"Network load balancer {balancer.name}  {_state(balancer.state)}", NORMAL, bold=True)
    return [name, Words(balancer.dns_name), *([Words(forwarding(there))] if there.target_group else [])]


def _route_lines(there: Topology) -> list[Words]:
    assert there.table is not None
    routes = "     ".join(f"{it.destination} → {it.target}" for it in there.routes)
    follow = f"explicitly associated: {', '.join(there.associated)}" if there.associated else "no explicit association"
    main = " (main)" if there.table.main else ""
    return [Words(f"Route table{main} {there.table.table_id}", bold=True), Words(routes), Words(follow, colour=SOFT)]


# -- the zones, side by side -------------------------------------------------------------------------------


def _zones(ax: Axes, there: Topology, room: Frame, source: float | None) -> float:
    """Draw the zones as columns of one height, the group's frame across them, and how connections come to them.

    ``source`` is where the balancer's card ends, or the gateway's arrow; None when nothing leads in.
    """
    if not there.subnets:
        return _write(ax, room.left, room.top, room.right - room.left, [Words("no subnets yet", colour=SOFT)])
    wide = (room.right - room.left - GAP * (len(there.subnets) - 1)) / len(there.subnets)
    columns = [(room.left + n * (wide + GAP), subnet) for n, subnet in enumerate(there.subnets)]
    y = max(_write(ax, x + GUTTER, room.top + PAD, wide - GUTTER - PAD, _zone_lines(it)) for x, it in columns) + PAD
    nodes = [_node(ax, there.node_in(subnet.zone), x, y, wide) for x, subnet in columns]
    if source is not None:
        _lead_in(ax, there, [x for x, _ in columns], wide, source, room.top, nodes)
    y = max([y, *(node.bottom + GAP for node in nodes if node)])
    if there.group or there.machines:
        y = _group(ax, there, columns, wide, y, [node.bottom if node else None for node in nodes]) + PAD
    for x, _ in columns:
        _frame(ax, Frame(x, room.top, x + wide, y), edge=QUIET, dashes="--")
    return y


def _zone_lines(subnet: Subnet) -> list[Words]:
    return [
        Words(f"Availability Zone {subnet.zone} ({subnet.zone_id})", bold=True),
        Words(f"Subnet {subnet.name}", NORMAL, bold=True),
        Words(f"{subnet.subnet_id}  {subnet.cidr}"),
    ]


def _lead_in(
    ax: Axes, there: Topology, lefts: Sequence[float], wide: float, source: float, top: float,
    nodes: Sequence[Frame | None],
) -> None:  # fmt: skip
    """Draw arrows from the balancer to its nodes; without a balancer, from the gateway into every subnet."""
    if there.load_balancer:
        for left, node in zip(lefts, nodes, strict=True):
            if node:
                _arrow(ax, (left + GUTTER / 2, source), (left + GUTTER / 2, node.top))
        return
    middles = [left + wide / 2 for left in lefts]
    ax.plot([middles[0], middles[-1]], [source, source], color=INK, linewidth=LINE, solid_capstyle="projecting")
    for middle in middles:
        _arrow(ax, (middle, source), (middle, top))


def _node(ax: Axes, node: Node | None, x: float, top: float, wide: float) -> Frame | None:
    if node is None:
        return None
    lines = [
        Words("Load balancer node", bold=True),
        Words(f"public {node.public_address or NOTHING}  private {node.private_address or NOTHING}"),
    ]
    return _card(ax, x + PAD, top, wide - 2 * PAD, lines, fill=TINT, indent=GUTTER - 2 * PAD)


def _group(
    ax: Axes, there: Topology, columns: Sequence[tuple[float, Subnet]], wide: float, top: float,
    nodes: Sequence[float | None],
) -> float:  # fmt: skip
    """Draw the instances of every zone, with the group's frame around them."""
    left, right = columns[0][0] + PAD / 2, columns[-1][0] + wide - PAD / 2
    y = top
    if there.group:
        heads = [[Words(f"Auto Scaling group {there.group.name}", bold=True)], [Words(sizes(there.group))]]
        places = [columns[0][0], columns[-1][0]] if len(columns) > 1 else [columns[0][0]]
        shown = heads if len(places) > 1 else [heads[0] + heads[1]]
        room = wide - GUTTER - PAD
        ends = [_write(ax, x + GUTTER, top + PAD, room, words) for x, words in zip(places, shown, strict=True)]
        y = max(ends) + GAP
    bottoms = [
        _machines(ax, there.machines_in(subnet.zone), x, y, wide, node)
        for (x, subnet), node in zip(columns, nodes, strict=True)
    ]
    bottom = max(bottoms) + PAD
    if there.group:
        _frame(ax, Frame(left, top, right, bottom), edge=COLOURS[1], dashes=(0, (5, 2, 1, 2)), width=1.1)
    return bottom


def _machines(ax: Axes, machines: Sequence[Machine], x: float, top: float, wide: float, node: float | None) -> float:
    """Draw one zone's instances, each on the rail that comes from the zone's node."""
    if not machines:
        return _write(ax, x + GUTTER, top, wide - GUTTER - PAD, [Words("no instance in this zone", colour=SOFT)])
    y, ends = top, {True: node, False: node}
    for machine in machines:
        card = _card(ax, x + GUTTER, y, wide - GUTTER - 2 * PAD, _machine_lines(machine))
        if machine.health and node is not None:
            middle, healthy = (card.top + card.bottom) / 2, machine.health == "healthy"
            _branch(ax, x + GUTTER / 2, x + GUTTER, middle, healthy=healthy)
            ends[healthy] = middle
        y = card.bottom + GAP
    if node is not None:
        _rail(ax, x + GUTTER / 2, node, ends[True] or node, ends[False] or node)
    return y - GAP


def _rail(ax: Axes, x: float, node: float, healthy: float, other: float) -> None:
    """Draw the rail: solid down to the last healthy target, dashed from there to the last other one."""
    if healthy > node:
        ax.plot([x, x], [node, healthy], color=INK, linewidth=LINE, solid_capstyle="butt")
    if other > healthy:
        ax.plot([x, x], [healthy, other], color=QUIET, linewidth=LINE, linestyle=DASHED)


def _machine_lines(machine: Machine) -> list[Words]:
    verdicts = [("EC2", machine.state), ("group", machine.lifecycle), ("target", machine.health or "not registered")]
    said = "   ".join(f"{who} {_state(word)}" for who, word in verdicts if word)
    return [
        Words(f"{machine.name or 'without a name'}", NORMAL, bold=True),
        Words(machine.instance_id),
        Words(f"private {machine.private_address or NOTHING}   public {machine.public_address or NOTHING}"),
        Words(said, colour=status(machine.health or machine.state).colour if machine.health == "unhealthy" else INK),
    ]


def _state(word: str) -> str:
    return f"{status(word).glyph} {word}"


# -- cards, lines and letters ------------------------------------------------------------------------------


def _card(
    ax: Axes, left: float, top: float, wide: float, lines: Sequence[Words], *, fill: str = PAPER, centred: bool = False,
    indent: float = 0.0,
) -> Frame:  # fmt: skip
    """Draw lines in a box that is as high as they need."""
    bottom = _write(ax, left + PAD + indent, top + PAD, wide - 2 * PAD - indent, lines, centred=centred) + PAD
    frame = Frame(left, top, left + wide, bottom)
    _frame(ax, frame, edge=INK, width=0.7, fill=fill)
    return frame


def _frame(ax: Axes, frame: Frame, *, edge: str, width: float = 0.8, dashes: object = "-", fill: str = "none") -> None:
    size = (frame.right - frame.left, frame.bottom - frame.top)
    ax.add_patch(
        FancyBboxPatch(
            (frame.left, frame.top), *size, boxstyle="round,pad=0,rounding_size=0.05", facecolor=fill, edgecolor=edge,
            linewidth=width, linestyle=dashes, zorder=1 if fill == "none" else 2,
        )
    )  # fmt: skip


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": LINE, "shrinkA": 0, "shrinkB": 0},
        zorder=3,
    )  # fmt: skip


def _branch(ax: Axes, rail: float, card: float, y: float, *, healthy: bool) -> None:
    if healthy:
        _arrow(ax, (rail, y), (card, y))
    else:
        ax.plot([rail, card], [y, y], color=QUIET, linewidth=LINE, linestyle=DASHED)


def _write(ax: Axes, left: float, top: float, wide: float, lines: Sequence[Words], *, centred: bool = False) -> float:
    """Write lines from ``top`` downwards, wrapped to ``wide``; give where the last one ends."""
    y = top
    for words in lines:
        for piece in _wrapped(words.text, words.size, words.bold, wide):
            ax.text(
                left + wide / 2 if centred else left, y, piece, fontsize=words.size, color=words.colour, va="top",
                ha="center" if centred else "left", weight="bold" if words.bold else "normal", parse_math=False,
                zorder=4,
            )  # fmt: skip
            y += words.size * LEADING / 72
    return y


def _wrapped(text: str, size: float, bold: bool, wide: float) -> list[str]:
    """Break a text where it may break (spaces, and after the punctuation of names), or anywhere if it must."""
    lines, line = [], ""
    for piece in _pieces(text, size, bold, wide):
        if line and _width(f"{line}{piece}".rstrip(), size, bold) > wide:
            lines.append(line.strip())
            line = ""
        line += piece
    return [*lines, line.strip()] if line.strip() or not lines else lines


def _pieces(text: str, size: float, bold: bool, wide: float) -> list[str]:
    pieces = re.findall(r"[^\s/._-]*[/._-]?\s*", text)
    return [part for piece in pieces for part in ([piece] if _width(piece, size, bold) <= wide else list(piece))]


@cache
def _width(text: str, size: float, bold: bool) -> float:
    """Give how wide a text is, in inches, with a little room for a screen's rounding of letters."""
    font = _font(bold)
    font.set_size(size, 72)
    font.set_text(text.rstrip())
    return float(ROUNDING * font.get_width_height()[0] / 64 / 72)


@cache
def _font(bold: bool) -> FT2Font:
    return get_font(findfont(FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")))
