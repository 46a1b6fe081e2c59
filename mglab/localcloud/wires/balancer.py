"""The load balancer's nodes: which ports they open, and which target each new connection gets.

One node for each zone, with an address of its own (aws-facts 1.1). The control plane has already decided who
may be chosen behind a listener (healthy targets of the node's zone, or all of them when none is healthy: fail
open, aws-facts 1.4) and whether each would answer at all. Here each new connection is placed by the flow hash
over its six values, the sixth taken from the client's SYN, and counted for its target group.

What a client meets, as on AWS (aws-facts 1.3):
* a port that only was promised, without a listener: its connect times out;
* a listener with nobody behind it who would answer (an empty group fails open, to nobody): the same;
* a target among others that would not answer: its connection stays silent (see ``relay`` for why it is not
  the connect that times out), as for an instance whose hash leads back to itself (hairpin, aws-facts 1.3);
* a target whose port is closed: an RST, and ``target_resets`` counts it.

Left out: connections to a port that was never promised are refused by the host's kernel.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from mglab.localcloud.rules import flowhash
from mglab.localcloud.seam import Candidate, FlowKey, FlowReport, Node, NodeListener, ProbeKey, RefusalReport
from mglab.localcloud.wires.counts import FlowCounts, Refusals, Traffic, TrafficBook
from mglab.localcloud.wires.flow import Address, Destination
from mglab.localcloud.wires.listener import sequence_of
from mglab.localcloud.wires.relay import Entrance

RandomBits = Callable[[int], int]


class Balancer:
    """Describes the nodes' ports for the relay, and keeps the counts of what flowed through them."""

    def __init__(self, random_bits: RandomBits = secrets.randbits) -> None:
        self._random_bits = random_bits
        self._counts: dict[FlowKey, FlowCounts] = {}
        self._refusals: dict[ProbeKey, Refusals] = {}
        self.traffic: TrafficBook = {}
        """What the instances exchanged with clients, through this balancer and through their own public ports."""

    def entrances(self, nodes: Iterable[Node]) -> tuple[Entrance, ...]:
        """Give every port that these nodes open or keep dark."""
        return tuple(entrance for node in nodes for entrance in self._entrances_of(node))

    def reports(self, health_check_packets: Mapping[FlowKey, int] = MappingProxyType({})) -> tuple[FlowReport, ...]:
        """Give the counts of every listener that there ever was, with what its health checks took."""
        return tuple(counts.report(key, health_check_packets.get(key, 0)) for key, counts in self._counts.items())

    def refusals(self) -> tuple[RefusalReport, ...]:
        """Give how often each target has refused a node's clients, in a row and in all, if it ever did."""
        known = list(self._refusals.items())
        return tuple(RefusalReport(key, one.streak, one.total) for key, one in known if one.total)

    def _entrances_of(self, node: Node) -> Iterable[Entrance]:
        listening = {listener.port for listener in node.listeners}
        for listener in node.listeners:
            yield self._entrance(node, listener)
        for port in node.dropped_ports:
            if port not in listening:
                yield Entrance(node.address, port)

    def _entrance(self, node: Node, listener: NodeListener) -> Entrance:
        key = (node.load_balancer, node.zone, listener.target_group_arn)
        counts = self._counts.setdefault(key, FlowCounts())
        if not any(candidate.verdict == "open" for candidate in listener.candidates):
            return Entrance(node.address, listener.port)
        for candidate in listener.candidates:
            self.traffic.setdefault(candidate.target_id, Traffic())
        choose = partial(self._choose, node, in_order(listener), counts)
        return Entrance(node.address, listener.port, choose, listener.idle_timeout_s, counts)

    def _choose(
        self, node: Node, listener: NodeListener, counts: FlowCounts, syn: bytes, address: Address
    ) -> Destination | None:
        sequence = sequence_of(syn)
        if sequence is None:
            sequence = self._random_bits(32)
        flow = flowhash.SixTuple(address[0], address[1], node.address, listener.port, sequence)
        candidate = placed(listener, flow.of_client() if listener.sticky else flow)
        counts.fail_open_flows += listener.fail_open
        if candidate.verdict == "dropped" or candidate.address == address[0]:
            return None
        to, traffic = (candidate.address, candidate.port), self.traffic[candidate.target_id]
        key = (listener.target_group_arn, candidate.target_id, candidate.port, node.zone)
        return Destination(candidate.target_id, to, counts, traffic, self._refusals.setdefault(key, Refusals()))


def cut_off(nodes: Iterable[Node]) -> dict[Address, frozenset[tuple[str, int]]]:
    """Give, for each public port, the targets (id, port) whose flows are to be reset at their next packet."""
    return {
        (node.address, listener.port): frozenset(listener.cut_off)
        for node in nodes
        for listener in node.listeners
        if listener.cut_off
    }


def in_order(listener: NodeListener) -> NodeListener:
    """Give the listener with its candidates in the order that the flow hash counts in."""
    ordered = sorted(listener.candidates, key=lambda candidate: (candidate.target_id, candidate.port))
    return replace(listener, candidates=tuple(ordered))


def placed(listener: NodeListener, flow: flowhash.SixTuple) -> Candidate:
    """Choose the candidate of a flow; the candidates are in order and not none."""
    return listener.candidates[flowhash.place(flow, listener.hash_key, len(listener.candidates))]
