"""The network as time and ``reach`` see it: what is not available yet, and rules, routes and gateways as they are."""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.ec2_state import World
from mglab.localcloud.api.moto_room import is_main
from mglab.localcloud.rules.reach import IngressRule, Network, Route

NETWORK_S = 2.0  # our choice: AWS shows a new VPC or subnet as pending for a moment


class Networks:
    """The network's passage through time, and what it admits now."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend
        self._ready_at: dict[str, float] = {}

    # time

    def advance(self, now: float) -> None:
        """Make new VPCs and subnets available when their moment has passed."""
        for thing in list(self._backend.pending):
            if now >= self._ready_at.setdefault(thing.id, now + NETWORK_S):
                thing.state = "available"
                self._backend.pending.remove(thing)
                del self._ready_at[thing.id]

    # the network as rules/reach reads it

    def network(self) -> Network:
        """Give rules, routes and gateways as they are now."""
        backend = self._backend
        groups = [group for groups in backend.groups.values() for group in groups.values()]
        subnets = [subnet for subnets in backend.subnets.values() for subnet in subnets.values()]
        gateways: list[Any] = [g for g in backend.internet_gateways.values() if g.vpc is not None]
        return Network(
            ingress={group.id: tuple(_ingress(rule) for rule in group.ingress_rules) for group in groups},
            routes={subnet.id: _routes(self._table_of(subnet)) for subnet in subnets},
            attached_gateways={gateway.vpc.id: gateway.id for gateway in gateways},
            cut_off_zones=frozenset(self._world.conditions.cut_off_since),
        )

    def _table_of(self, subnet: Any) -> Any:
        tables = [table for table in self._backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
        for table in tables:
            if any(a.get("SubnetId") == subnet.id for a in table.associations):
                return table
        return next((table for table in tables if is_main(table)), None)


def _routes(table: Any) -> tuple[Route, ...]:
    if table is None:
        return ()
    return tuple(
        Route(route.destination_cidr_block, None if route.state == "blackhole" else route.gateway_id)
        for route in table.routes
        if route.destination_cidr_block
    )


def _ingress(rule: Any) -> IngressRule:
    port = -1 if rule.from_port is None else rule.from_port
    last = -1 if rule.to_port is None else rule.to_port
    return IngressRule(rule.ip_protocol, port, last, rule.cidr_ipv4, rule.source_group.get("GroupId"))
