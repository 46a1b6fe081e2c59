"""Question 1's figures: who answered in which order, how often, and through which address.

A replica keeps its lane, its colour and its marker through all panels, so that one glance along a lane compares
arms; shape and place tell replicas apart in grey.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mglab.study import house
from mglab.study.house import COLOURS, FAILED, INSIDE, MARKERS, NAMES, QUIET
from mglab.study.pattern import NAME, Arm, Pattern, Replica, address_by_responder, candidates, situation
from mglab.study.pattern_tests import BASE, LARGER
from mglab.study.stats import wilson
from mglab.study.watch import short

FIRST = 60
"""How many requests of each arm the sequence shows: as many as can be told apart in half a page's width."""


@house.drawn
def sequences(seen: Pattern, *, title: str) -> Figure:
    """Draw who answered, request by request, a block an arm: taking turns would be seen at once."""
    rows, pitch = -(-len(seen.arms) // 2) or 1, len(seen.replicas) + 2.6
    figure = house.empty(0.7 + 0.145 * pitch * rows)
    columns = figure.subplots(1, 2, sharex=True, sharey=True)
    for column, arms in zip(columns, (seen.arms[:rows], seen.arms[rows:]), strict=True):
        column.tick_params(left=False, labelsize=NAMES)
        for row, arm in enumerate(arms):
            _draw_sequence(column, pitch * row, arm, seen.replicas)
    lanes = [*(_place(replica) for replica in seen.replicas), "no answer"]
    ticks = [(pitch * row + lane + 1, words) for row in range(rows) for lane, words in enumerate(lanes)]
    columns[0].set_yticks([y for y, _ in ticks], [words for _, words in ticks], fontsize=INSIDE)
    columns[0].set_ylim(pitch * rows - 0.6, -0.6)
    figure.supxlabel(f"request, in the order asked (the first {FIRST} of each arm)")
    house.heading(figure, title)
    return figure


@house.drawn
def shares(seen: Pattern, *, title: str) -> Figure:
    """Draw each replica's share of the answers, arm by arm, with Wilson's 95 % interval and what equal would be."""
    arms = [arm for arm in seen.arms if arm.responders]
    figure = house.empty(1.2 + 0.28 * max(1, len(arms)))
    ax = figure.subplots()
    ax.tick_params(labelsize=NAMES)
    for row, arm in enumerate(arms):
        _draw_shares(ax, row, arm, seen.replicas)
    for number, replica in enumerate(seen.replicas):
        ax.plot([], [], MARKERS[number % 7], color=COLOURS[number % 7], markersize=4, label=_who(replica))
    ax.plot([], [], "|", color=QUIET, markersize=9, label="equal shares of those in reach")
    ax.set_yticks(range(len(arms)), [arm.title for arm in arms])
    ax.set_ylim(len(arms) - 0.4, -0.6)
    ax.set_xlim(-2, 102)
    ax.set_xlabel("share of the answers (%), with 95 % interval")
    figure.legend(loc="outside lower center", ncols=2)
    house.heading(figure, title)
    return figure


@house.drawn
def heat(seen: Pattern, *, title: str) -> Figure:
    """Draw how many answers came through each address from each replica, a panel a situation."""
    panels = [(name, arms) for name, arms in _situations(seen) if arms]
    figure = house.empty(2.5)
    widths = [arms[0].setting.instances for _, arms in panels] or [1]
    axes = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for ax, (name, arms) in zip(axes, panels, strict=False):
        _draw_heat(ax, name, arms)
        ax.set_ylabel("through the address of zone" if ax is axes[0] else "", fontsize=NAMES)
        ax.tick_params(labelleft=ax is axes[0])
    house.heading(figure, title)
    return figure


def _draw_sequence(ax: Axes, top: float, arm: Arm, lanes: Sequence[Replica]) -> None:
    """Draw one arm below ``top``: a lane for each instance, its line only where the instance was there."""
    shown = list(enumerate(arm.samples[:FIRST], 1))
    for lane, replica in enumerate(lanes, 1):
        at = [number for number, sample in shown if sample.responder == replica.private_address]
        if replica in arm.setting.replicas:
            ax.hlines(top + lane, 0, FIRST + 1, color=house.GRID, linewidth=0.6, zorder=1)
        marker, colour = MARKERS[(lane - 1) % 7], COLOURS[(lane - 1) % 7]
        ax.plot(at, [top + lane] * len(at), marker, color=colour, markersize=2.6)
    failed = [number for number, sample in shown if sample.failure]
    ax.plot(failed, [top + len(lanes) + 1] * len(failed), "x", color=FAILED, markersize=3.5)
    ax.annotate(arm.title, (0, top), fontsize=NAMES, va="center", annotation_clip=False)


def _draw_shares(ax: Axes, row: int, arm: Arm, everyone: Sequence[Replica]) -> None:
    total = len(arm.responders)
    reach = candidates(arm)
    ax.plot(100 / len(reach), row, "|", color=QUIET, markersize=15, zorder=1)
    for number, replica in enumerate(everyone):
        answers = arm.responders.count(replica.private_address)
        if replica.private_address not in reach:
            continue
        low, high = wilson(answers, total)
        y = row + 0.22 * (number - (len(everyone) - 1) / 2)
        ax.plot([100 * low, 100 * high], [y, y], color=COLOURS[number % 7], linewidth=1.2)
        ax.plot(100 * answers / total, y, MARKERS[number % 7], color=COLOURS[number % 7], markersize=3.6)


def _situations(seen: Pattern) -> list[tuple[str, list[Arm]]]:
    """Give the arms that asked through zones' addresses, by situation."""
    situations = ((BASE, False), (LARGER, False), (BASE, True))
    chosen = [seen.select(instances=count, cross_zone=crosses) for count, crosses in situations]
    return [(situation(arms[0].setting), [arm for arm in arms if arm.through != NAME]) for arms in chosen if arms]


def _draw_heat(ax: Axes, name: str, arms: Sequence[Arm]) -> None:
    setting, behind = arms[0].setting, address_by_responder(arms)
    columns = sorted(setting.replicas, key=lambda it: (it.zone, it.private_address))
    counts = [[behind[address][it.private_address] for it in columns] for address in behind]
    asked = [sum(sample.address == address for arm in arms for sample in arm.samples) for address in behind]
    filled = [[count / max(1, whole) for count in row] for row, whole in zip(counts, asked, strict=True)]
    ax.grid(False)  # a line through a number would look like another number
    ax.imshow(filled, cmap="Greys", vmin=0, vmax=1.15, aspect="auto")
    for y, row in enumerate(counts):
        for x, count in enumerate(row):
            dark = filled[y][x] > 0.6
            ax.annotate(str(count), (x, y), ha="center", va="center", color="white" if dark else "black")
    ax.set_xticks(range(len(columns)), [f"{it.private_address}\n{it.zone}" for it in columns], fontsize=INSIDE)
    ax.set_yticks(range(len(behind)), [f"{setting.zones[it]}\n{it}" for it in behind], fontsize=INSIDE)
    ax.set_xlabel("answered by, in zone", fontsize=NAMES)
    ax.set_title(f"{name}\n(answers)", fontsize=NAMES)


def _place(replica: Replica) -> str:
    return f"{replica.private_address} {replica.zone[-2:]}"


def _who(replica: Replica) -> str:
    return f"{replica.name} {short(replica.instance_id)}, {replica.zone}, {replica.private_address}"
