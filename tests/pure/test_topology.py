"""The topology: read from what is there, drawn without overlaps whatever is there, said in words in full."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Bbox

from mglab.errors import CheckFailed
from mglab.steps import balancing, network, scaling
from mglab.study import topology, topology_plot
from mglab.study.topology import Machine, Node, Topology

LONG = "a-name-that-somebody-thought-would-be-helpful-and-that-fills-all-of-the-128-letters-which-a-tag-may-have"
ZONES = ("us-east-1a", "us-east-1b")


def subnet(number: int, name: str = "") -> network.Subnet:
    return network.Subnet(
        name or f"public {number + 1}", f"subnet-0912769b84cd9cab{number}", "available", "vpc-0e7154df9707d78be",
        f"192.168.{number}.0/24", ZONES[number], f"use1-az{2 + 2 * number}", 250,
    )  # fmt: skip


def machine(zone: int, number: int, name: str = "MG from MGAS", **told: str) -> Machine:
    usual = {"state": "running", "lifecycle": "InService", "health": "healthy"}
    identity = f"i-0{zone}{number:015x}"
    return Machine(
        name, identity, ZONES[zone], f"192.168.{zone}.{50 + number}", f"34.20{zone}.219.{number}", **(usual | told)
    )


VPC = Topology(
    vpc=network.Vpc("MusicGuruVPC", "vpc-0e7154df9707d78be", "available", "192.168.0.0/23"),
    subnets=(subnet(0), subnet(1)),
    gateway=network.Gateway("MusicGuruGateway", "igw-0c1b2a3d4e5f60718", "attached", "vpc-0e7154df9707d78be"),
    table=network.RouteTable("rtb-0a1b2c3d4e5f60718", "vpc-0e7154df9707d78be", True, 2),
    routes=(
        network.Route("192.168.0.0/23", "local", "active", False),
        network.Route("0.0.0.0/0", "igw-0c1b2a3d4e5f60718", "active", False),
    ),
    associated=("public 1", "public 2"),
)
BALANCED = replace(
    VPC,
    load_balancer=balancing.LoadBalancer(
        "MGLB", "active", "MGLB-fea3c292d7c800c3.elb.us-east-1.amazonaws.com", "internet-facing", "vpc-1", "", "arn"
    ),
    listener=balancing.Listener("TCP : 5000", "arn", "arn"),
    target_group=balancing.TargetGroup(
        "MGTG", "arn", "instance", "TCP : 5000", "vpc-1", "TCP : 5001", 30, 10, 5, 2, "MGLB"
    ),
    nodes=(Node(ZONES[0], "54.1.2.3", "192.168.0.9"), Node(ZONES[1], "54.1.2.4", "192.168.1.9")),
)
GROUP = scaling.Group("MGAS", "MGLaunch | $Latest", 2, "", 2, 2, 3, "us-east-1a, us-east-1b", "EC2", 300, True, "arn")
WHOLE = replace(BALANCED, group=GROUP, machines=(machine(0, 1), machine(1, 2)))


def grown(first: int, second: int) -> Topology:
    members = [machine(0, n) for n in range(first)] + [machine(1, n) for n in range(second)]
    return replace(WHOLE, machines=tuple(members))


LONG_NAMES = replace(
    WHOLE,
    vpc=replace(WHOLE.vpc, name=LONG),  # type: ignore[type-var]
    gateway=replace(WHOLE.gateway, name=LONG),  # type: ignore[type-var]
    subnets=(subnet(0, LONG), subnet(1, "ein Name mit Umlauten äöü $x$ und Leerzeichen, der kein Ende nimmt")),
    group=replace(GROUP, name=LONG),
    load_balancer=replace(BALANCED.load_balancer, name="a" * 32, dns_name=f"{'a' * 32}-fea3c292d7c800c3.elb.x.com"),  # type: ignore[type-var]
    machines=(machine(0, 1, LONG), machine(1, 2, "x" * 100, state="shutting-down", health="draining")),
)
STATES = {
    "nothing": Topology(),
    "the VPC alone": Topology(vpc=VPC.vpc),
    "a detached gateway": replace(VPC, gateway=replace(VPC.gateway, state="detached", vpc_id="")),  # type: ignore[type-var]
    "after step 18": VPC,
    "a target group alone": replace(VPC, target_group=BALANCED.target_group),
    "before the group": BALANCED,
    "a group without instances": replace(WHOLE, machines=()),
    "one zone empty": grown(1, 0),
    "the whole": WHOLE,
    "three and two": grown(3, 2),
    "six in each zone": grown(6, 6),
    "all unhealthy": replace(WHOLE, machines=(machine(0, 1, health="unhealthy"), machine(1, 2, health="unhealthy"))),
    "a newcomer and a leaver": replace(
        WHOLE,
        machines=(
            machine(0, 1, state="pending", lifecycle="Pending", health=""),
            replace(machine(0, 3, state="", lifecycle="", health="draining"), public_address="", private_address=""),
            machine(1, 2),
        ),
    ),
    "long names": LONG_NAMES,
    "a balancer that is gone": replace(WHOLE, load_balancer=None, listener=None, nodes=()),
}


@cache
def drawn(there: Topology) -> tuple[Any, list[Any], list[Bbox], list[Bbox]]:
    """Draw; give the figure, its texts, and where texts and filled cards lie, in pixels."""
    figure = topology_plot.topology(there, title="What stands where")
    figure.set_dpi(160)  # as it is kept
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (ax,) = figure.axes
    texts = [text for text in ax.texts if text.get_text().strip()]
    cards = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch) and patch.get_facecolor()[3] > 0]
    renderer = canvas.get_renderer()
    where = [text.get_window_extent(renderer) for text in texts]
    return figure, texts, where, [card.get_window_extent(renderer) for card in cards]


def overlap(one: Bbox, other: Bbox) -> bool:
    shared = Bbox.intersection(one, other)
    return shared is not None and shared.width > 1 and shared.height > 2


@pytest.mark.parametrize("state", STATES)
def test_nothing_overlaps_and_nothing_is_cut_off(state: str) -> None:
    figure, texts, where, cards = drawn(STATES[state])
    for one, other in combinations(range(len(texts)), 2):
        assert not overlap(where[one], where[other]), (texts[one].get_text(), texts[other].get_text())
    for one_card, other_card in combinations(cards, 2):
        assert not overlap(one_card, other_card)
    for text, box in zip(texts, where, strict=True):
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0 and box.y1 <= figure.bbox.height, text
        for card in cards:
            inside = card.x0 <= box.x0 and box.x1 <= card.x1 and card.y0 <= box.y0 and box.y1 <= card.y1
            assert inside or not overlap(box, card), f"{text.get_text()!r} crosses a card's edge"


def facts(there: Topology) -> list[str]:
    """Give every id, name, address and state that is there."""
    parts = [part for part in (there.vpc, there.gateway, there.load_balancer) if part]
    found = [part.name for part in parts]
    found += [it for subnet in there.subnets for it in (subnet.name, subnet.subnet_id, subnet.cidr, subnet.zone)]
    found += [node.public_address for node in there.nodes]
    for it in there.machines:
        found += [it.name, it.instance_id, it.private_address, it.public_address, it.state, it.lifecycle, it.health]
    found += [there.load_balancer.dns_name] if there.load_balancer else []
    return [fact for fact in found if fact]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("state", STATES)
def test_everything_that_is_there_stands_in_the_picture_and_in_its_words(state: str) -> None:
    there = STATES[state]
    shown = squeezed("".join(text.get_text() for text in drawn(there)[1]))
    said = squeezed(topology.in_words(there))
    for fact in facts(there):
        assert squeezed(fact) in shown and squeezed(fact) in said, fact


def test_a_branch_tells_a_healthy_target_from_one_that_is_not() -> None:
    def dashed(there: Topology) -> int:
        lines = drawn(there)[0].axes[0].lines
        return sum(line.get_linestyle() != "-" and len(set(line.get_ydata())) == 1 for line in lines)

    assert dashed(WHOLE) == 0
    assert dashed(STATES["all unhealthy"]) == 2
    assert dashed(STATES["a newcomer and a leaver"]) == 1


def test_what_is_not_there_yet_is_left_out_when_the_account_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> Any:
        raise CheckFailed("not yet", hint="later")

    monkeypatch.setattr(network, "vpc", lambda lab: VPC.vpc)
    monkeypatch.setattr(network, "main_route_table", lambda lab, vpc: VPC.table)
    monkeypatch.setattr(network, "routes", lambda lab, table: VPC.routes)
    monkeypatch.setattr(network, "associations", lambda lab, table: ())
    monkeypatch.setattr(scaling, "instances", lambda lab: ())
    for module, name in (
        (network, "subnets"), (network, "internet_gateway"), (balancing, "load_balancer"), (balancing, "target_group"),
        (balancing, "target_health"), (scaling, "group"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, absent)
    lab: Any = SimpleNamespace()
    there = topology.read(lab)
    expected = Topology(vpc=VPC.vpc, table=VPC.table, routes=VPC.routes)
    assert {it.name: getattr(there, it.name) for it in fields(there)} == {
        it.name: getattr(expected, it.name) for it in fields(expected)
    }
