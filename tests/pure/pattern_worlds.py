"""Worlds whose truth is known: a client, a resolver and a balancer that are dice, counters and loaded dice.

None of them knows the product's flow hash. A world is asked by the same plan as the real system and gives back
the same record, so that what the study concludes can be held against what the world is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from random import Random

from mglab.study.client import Sample
from mglab.study.pattern import NAME, Arm, Node, Pattern, Planned, Replica, Setting, plans

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NODES = (Node("us-east-1a", "127.65.0.4"), Node("us-east-1b", "127.65.0.5"))
A = Replica("MG", "i-0a0a0a0a0a0a0a0a1", "us-east-1a", "192.168.0.57")
B = Replica("MG", "i-0b0b0b0b0b0b0b0b2", "us-east-1b", "192.168.1.93")
C = Replica("MG", "i-0c0c0c0c0c0c0c0c3", "us-east-1a", "192.168.0.140")
SETTINGS = (
    Setting(False, NODES, (A, B)),
    Setting(True, NODES, (A, B)),
    Setting(False, NODES, (A, C, B)),
    Setting(False, NODES, (A,)),
)
PORTS = range(40000, 42000)
"""Few enough that the same sample is not made again and again: a sample is a value."""
PREFERENCE = 0.7
"""How often a loaded die shows its first face."""


@dataclass
class World:
    """One world: how its resolver orders zones, how its node picks, and what is broken in it."""

    seed: int
    dns: str = "chance"
    """``chance``, ``turns``, ``one`` (the client keeps to one address) or ``loaded``."""
    pick: str = "chance"
    """``chance``, ``turns`` (each node for itself), ``all in turn`` (one counter), ``loaded``, ``port`` or ``load``."""
    always_crosses: bool = False
    never_crosses: bool = False
    silent: frozenset[str] = frozenset()
    """Those who are called healthy and never answer."""
    chance: Random = field(init=False)
    turns: Counter[str] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)

    def pattern(self, requests: int) -> Pattern:
        """Carry out the whole experiment here."""
        planned = [(setting, plan) for setting in SETTINGS for plan in plans(setting, requests)]
        return Pattern(requests, tuple(self._arm(setting, plan) for setting, plan in planned))

    def _arm(self, setting: Setting, plan: Planned) -> Arm:
        port = self.chance.choice(PORTS) if plan.fixed_port else 0
        samples = tuple(self._ask(setting, plan, port) for _ in range(plan.requests))
        return Arm(plan.through, plan.at_once, plan.fixed_port, setting, samples)

    def _ask(self, setting: Setting, plan: Planned, port: int) -> Sample:
        node = self._resolve(setting) if plan.through == NAME else _node(plan.through)
        source_port = port or self.chance.choice(PORTS)
        crosses = (setting.cross_zone or self.always_crosses) and not self.never_crosses
        within = [it.private_address for it in setting.replicas if crosses or it.zone == node.zone]
        if not within:
            return _failed(node, source_port, "timed out")
        chosen = within[self._pick(node, within, source_port, plan.at_once)]
        if chosen in self.silent:
            return _failed(node, source_port, "refused")
        return _answered(node, source_port, chosen)

    def _resolve(self, setting: Setting) -> Node:
        """Give the address that a client finds first; an empty zone is not in the answer (aws-facts 1.4)."""
        listed = [node for node in NODES if setting.cross_zone or self.always_crosses or setting.within(node.zone)]
        if self.dns == "one":
            return listed[0]
        if self.dns == "turns":
            self.turns["dns"] += 1
            return listed[self.turns["dns"] % len(listed)]
        if self.dns == "loaded" and self.chance.random() < 2 * PREFERENCE - 1:
            return listed[0]
        return self.chance.choice(listed)

    def _pick(self, node: Node, within: list[str], source_port: int, at_once: int) -> int:
        if self.pick in ("turns", "all in turn"):
            whose = node.address if self.pick == "turns" else "all"
            self.turns[whose] += 1
            return self.turns[whose] % len(within)
        if self.pick == "port":
            return Random(f"{self.seed} {node.address} {source_port}").randrange(len(within))
        loaded = self.pick == "loaded" or (self.pick == "load" and at_once > 1)
        if loaded and self.chance.random() < 2 * PREFERENCE - 1:
            return 0
        return self.chance.randrange(len(within))


def _node(zone: str) -> Node:
    return next(node for node in NODES if node.zone == zone)


@cache
def _answered(node: Node, source_port: int, responder: str) -> Sample:
    return Sample(START, node.address, source_port, 0.5, 1.0, 1.2, responder, "a reply", "")


@cache
def _failed(node: Node, source_port: int, failure: str) -> Sample:
    return Sample(START, node.address, source_port, None, None, 1.2, None, "", failure)
