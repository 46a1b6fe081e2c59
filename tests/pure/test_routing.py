"""Who a node may choose, and what the name gives out."""

from __future__ import annotations

import pytest

from mglab.localcloud.rules.routing import (
    Choice,
    GroupMembers,
    Member,
    Minimum,
    choose,
    crosses_zones,
    published,
    zones_in_dns,
)

A, B = "us-east-1a", "us-east-1b"
ZONES = (A, B)


def members(text: str) -> tuple[Member, ...]:
    """Read ``a1:healthy b1:draining``: zone letter and number, state."""
    pairs = [word.split(":") for word in text.split()]
    routable = {"healthy", "unhealthy", "initial"}
    return tuple(Member(name, 5000, f"us-east-1{name[0]}", state, state in routable) for name, state in pairs)


def chosen(choice: Choice) -> str:
    return " ".join(m.target_id for m in choice.members) + (" (fail open)" if choice.fail_open else "")


# (what, targets, cross-zone, candidates of a, candidates of b, zones in DNS)
SCENES = [
    ("aws-facts 0.2: own zone only", "a1:healthy b1:healthy", False, "a1", "b1", "ab"),
    ("aws-facts 1.3: cross-zone on", "a1:healthy b1:healthy", True, "a1 b1", "a1 b1", "ab"),
    ("aws-facts 1.3: healthy ones of the zone", "a1:healthy a2:unhealthy b1:healthy", False, "a1", "b1", "ab"),
    ("aws-facts 1.4: a zone without a healthy target leaves DNS", "a1:healthy b1:unhealthy", False, "a1",
     "b1 (fail open)", "a"),
    ("aws-facts 1.4: an empty zone leaves DNS, its node has nobody", "a1:healthy a2:healthy", False, "a1 a2",
     " (fail open)", "a"),
    ("aws-facts 1.4: cross-zone on, a zone without targets stays", "a1:healthy a2:unhealthy", True, "a1", "a1", "ab"),
    ("aws-facts 0.1, 1.4: all unhealthy, all zones stay and fail open", "a1:unhealthy b1:unhealthy", False,
     "a1 (fail open)", "b1 (fail open)", "ab"),
    ("aws-facts 1.4: all unhealthy with cross-zone on", "a1:unhealthy b1:unhealthy", True, "a1 b1 (fail open)",
     "a1 b1 (fail open)", "ab"),
    ("aws-facts 1.4: an empty target group fails open", "", False, " (fail open)", " (fail open)", "ab"),
    ("aws-facts 1.7: draining gets nothing new", "a1:draining a2:healthy b1:healthy", False, "a2", "b1", "ab"),
    ("aws-facts 1.7: draining gets nothing even when failing open", "a1:draining a2:unhealthy b1:draining", False,
     "a2 (fail open)", " (fail open)", "ab"),
    ("aws-facts 1.6: unused gets nothing", "a1:unused b1:healthy", False, " (fail open)", "b1", "b"),
]  # fmt: skip


@pytest.mark.parametrize("scene", SCENES, ids=[scene[0] for scene in SCENES])
@pytest.mark.fact(
    "1.3/own-zone",
    "1.3/cross-zone",
    "1.4/zone-leaves",
    "1.4/all-unhealthy",
    "1.4/empty-group",
    "1.7/deregister-stops",
)
def test_scene(scene: tuple[str, str, bool, str, str, str]) -> None:
    _, targets, cross_zone, of_a, of_b, in_dns = scene
    group = GroupMembers(members(targets), cross_zone=cross_zone)
    assert chosen(choose(group, A, ZONES)) == of_a
    assert chosen(choose(group, B, ZONES)) == of_b
    assert "".join(zone[-1] for zone in zones_in_dns([group], ZONES)) == in_dns


# aws-facts 1.4 thresholds: (count, percentage, healthy, total, enough)
MINIMA = [
    (1, None, 1, 10, True),
    (1, None, 0, 10, False),
    (3, None, 2, 10, False),
    (None, 50, 4, 10, False),
    (None, 50, 5, 10, True),
    (1, 50, 4, 10, False),
    (6, 50, 5, 10, False),
    (1, None, 0, 0, False),
]


@pytest.mark.parametrize(("count", "percentage", "healthy", "total", "enough"), MINIMA)
@pytest.mark.fact("1.4/thresholds")
def test_minimum(count: int | None, percentage: int | None, healthy: int, total: int, enough: bool) -> None:
    assert Minimum(count, percentage).met(healthy, total) is enough


@pytest.mark.fact("1.4/thresholds")
def test_half_of_a_zone_must_be_healthy() -> None:
    """aws-facts 1.4: below its threshold a node sends to all targets of its zone, and its address leaves DNS."""
    half = Minimum(1, 50)
    group = GroupMembers(
        members("a1:healthy b1:healthy b2:unhealthy b3:unhealthy"), routing_minimum=half, dns_minimum=half
    )
    assert chosen(choose(group, A, ZONES)) == "a1"
    assert chosen(choose(group, B, ZONES)) == "b1 b2 b3 (fail open)"
    assert zones_in_dns([group], ZONES) == (A,)


def test_a_zone_must_be_healthy_for_every_target_group() -> None:
    """aws-facts 1.4."""
    here, there = GroupMembers(members("a1:healthy b1:healthy")), GroupMembers(members("a2:healthy b2:unhealthy"))
    assert zones_in_dns([here, there], ZONES) == (A,)


def test_without_a_listener_every_zone_is_in_dns() -> None:
    assert zones_in_dns([], ZONES) == ZONES


# aws-facts 1.3: the target group's setting overrides the balancer's
@pytest.mark.parametrize(
    ("group", "balancer", "crosses"),
    [
        ("use_load_balancer_configuration", "false", False),
        ("use_load_balancer_configuration", "true", True),
        ("true", "false", True),
        ("false", "true", False),
    ],
)
@pytest.mark.fact("1.3/cross-zone")
def test_cross_zone_setting(group: str, balancer: str, crosses: bool) -> None:
    assert crosses_zones(group, balancer) is crosses


def test_dns_lets_a_zone_in_at_once_and_out_after_the_lag() -> None:
    """aws-facts 7: zone removal lag <= 30 s. (moment, zones wanted, zones given out)"""
    history = [(0, "ab", "ab"), (10, "a", "ab"), (39, "a", "ab"), (40, "a", "a"), (41, "ab", "ab"), (50, "b", "ab"),
               (60, "ab", "ab"), (85, "b", "ab"), (114, "b", "ab"), (115, "b", "b")]  # fmt: skip
    entries: dict[str, float | None] = {}
    for now, wanted, given in history:
        entries = published(entries, wanted, float(now), 30.0)
        assert "".join(sorted(entries)) == given, now
