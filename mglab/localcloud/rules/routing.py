"""Which targets a node may choose from, and which zones the balancer's name gives out.

One node stands in each enabled zone. With cross-zone load balancing off (the default) it knows only its own
zone's targets, with it on it knows all of them; the target group's attribute overrides the balancer's
(aws-facts 1.3). Two thresholds speak about the targets a node knows (aws-facts 1.4), default one healthy target:

* routing: below it the node *fails open*, it sends to every registered target it knows, unhealthy ones too.
  So a security group that shuts out the health checks still leaves a service that answers (aws-facts 0.1);
* DNS: below it in any target group, the zone's address leaves DNS (an empty zone counts as below). When no
  zone is left, all of them are given out: that is fail-open as a client sees it.

A draining target gets nothing new, nor does one that the nodes have not learnt of yet. A node without a
candidate answers nobody. Left out: zonal shift, client affinity (no client here lives in a zone).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """A registered target, as routing sees it."""

    target_id: str
    port: int
    zone: str
    state: str
    routable: bool = True
    """Could get traffic if need be: registered with the nodes, not draining, not unused."""

    @property
    def healthy(self) -> bool:
        return self.state == "healthy"


@dataclass(frozen=True)
class Minimum:
    """How many healthy targets are enough; None is ``off``. Missing either one is missing the minimum."""

    count: int | None = 1
    percentage: int | None = None

    def met(self, healthy: int, total: int) -> bool:
        """Say whether so many healthy targets of so many are enough."""
        if total == 0:
            return False
        enough = self.count is None or healthy >= self.count
        return enough and (self.percentage is None or healthy * 100 >= self.percentage * total)


@dataclass(frozen=True)
class GroupMembers:
    """A target group behind a balancer: who is in it and its rules."""

    members: tuple[Member, ...]
    cross_zone: bool = False
    routing_minimum: Minimum = Minimum()
    dns_minimum: Minimum = Minimum()


@dataclass(frozen=True)
class Choice:
    """The candidates of one node's flow hash."""

    members: tuple[Member, ...]
    fail_open: bool = False


def crosses_zones(group_setting: str, balancer_setting: str) -> bool:
    """Decide whether nodes reach over zones: the target group's attribute, else the balancer's."""
    setting = balancer_setting if group_setting == "use_load_balancer_configuration" else group_setting
    return setting == "true"


def known_to(group: GroupMembers, zone: str, enabled: Iterable[str]) -> tuple[Member, ...]:
    """Name the routable targets that the node in ``zone`` may send to."""
    zones = set(enabled) if group.cross_zone else {zone}
    return tuple(m for m in group.members if m.routable and m.zone in zones)


def choose(group: GroupMembers, zone: str, enabled: Iterable[str]) -> Choice:
    """Give the candidates of the node in ``zone``: healthy ones, or all it knows when too few are."""
    known = known_to(group, zone, enabled)
    healthy = tuple(m for m in known if m.healthy)
    if group.routing_minimum.met(len(healthy), len(known)):
        return Choice(healthy)
    return Choice(known, fail_open=True)


def zone_is_healthy(group: GroupMembers, zone: str, enabled: Iterable[str]) -> bool:
    """Say whether the group leaves the zone's address in DNS."""
    known = known_to(group, zone, enabled)
    return group.dns_minimum.met(sum(m.healthy for m in known), len(known))


def healthy_zones(groups: Sequence[GroupMembers], enabled: Sequence[str]) -> tuple[str, ...]:
    """Name the enabled zones that every target group finds healthy."""
    return tuple(z for z in enabled if all(zone_is_healthy(g, z, enabled) for g in groups))


def zones_in_dns(groups: Sequence[GroupMembers], enabled: Sequence[str]) -> tuple[str, ...]:
    """Name the zones that the balancer's name should give out: the healthy ones, or all when none is."""
    return healthy_zones(groups, enabled) or tuple(enabled)


def published(
    before: Mapping[str, float | None], wanted: Iterable[str], now: float, lag_s: float
) -> dict[str, float | None]:
    """Move DNS on: a zone comes at once and leaves ``lag_s`` after it should (zone -> when it leaves, or None)."""
    wanted = set(wanted)
    entries: dict[str, float | None] = dict.fromkeys(sorted(wanted))
    for zone, leaves_at in before.items():
        if zone not in wanted:
            leaves_at = now + lag_s if leaves_at is None else leaves_at
            if now < leaves_at:
                entries[zone] = leaves_at
    return entries
