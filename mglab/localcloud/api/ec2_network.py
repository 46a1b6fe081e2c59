"""The network as time and ``reach`` see it: what is not available yet, and the rules, routes and gateways as they are.

Also key pairs, which moto keeps: what AWS says when one is not there (aws-facts 3.7 row 22).
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.ec2_state import World, dry_run, missing
from mglab.localcloud.api.moto_room import is_main
from mglab.localcloud.rules.reach import IngressRule, Network, Route

NETWORK_S = 2.0  # our choice: AWS shows a new VPC or subnet as pending for a moment


class Networks:
    """Checks before moto's key pair actions; the network's passage through time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._backend = world.backend
        self._ready_at: dict[str, float] = {}

    def describe_key_pairs(self, params: dict[str, Any]) -> None:
        """Refuse unknown names (row 22)."""
        for name in params.get("KeyNames", []):
            if name not in self._backend.key_pairs:
                missing("InvalidKeyPair", f"The key pair '{name}' does not exist")

    def delete_key_pair(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a key by name or id; one that is not there is no error."""
        dry_run(params)
        wanted = (params.get("KeyName"), params.get("KeyPairId"))
        for key in list(self._backend.key_pairs.values()):
            if key.key_name == wanted[0] or key.id == wanted[1]:
                self._backend.delete_key_pair(key.key_name)
                return {"Return": True, "KeyPairId": key.id}
        return {"Return": True}

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
