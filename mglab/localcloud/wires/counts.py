"""What passed through the balancer, counted where it passes.

One ``FlowCounts`` for each load balancer, zone and target group. The relay's thread adds to it; anyone may
read: each number is one Python integer, so a reader sees it whole, if not at the same instant as its
neighbours. From these the control plane derives NewFlowCount, ActiveFlowCount, ProcessedBytes and
ProcessedPackets, the reset counts, RejectedFlowCount and PortAllocationErrorCount (aws-facts 4.1). Counted are

* a flow when its target has been chosen, as AWS makes its table entry at the SYN;
* a payload byte when the kernel has taken it for the other side;
* a packet, and its bytes with all headers, on the client's side of a flow (``packets`` says how);
* a reset on the side that caused it: client, target, or the balancer (a forgotten or cut-off flow);
* a rejected flow when the data plane had no means left to carry it;
* a port allocation error when no port was left from which to reach the target.

``Traffic`` is the same for an instance: what went to it and came from it, through whatever door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mglab.localcloud.seam import FlowKey, FlowReport, TrafficReport


@dataclass
class FlowCounts:
    """The running totals of one FlowReport; only ``active_flows`` ever falls."""

    new_flows: int = 0
    active_flows: int = 0
    bytes_to_targets: int = 0
    bytes_to_clients: int = 0
    client_resets: int = 0
    target_resets: int = 0
    balancer_resets: int = 0
    rejected_flows: int = 0
    fail_open_flows: int = 0
    port_allocation_errors: int = 0
    processed_packets: int = 0
    processed_bytes: int = 0

    def report(self, key: FlowKey, health_check_packets: int = 0) -> FlowReport:
        """Give the totals as they stand."""
        return FlowReport(key, **asdict(self), health_check_packets=health_check_packets)


@dataclass
class Traffic:
    """The running totals of one instance, as its own network interface would count them."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0

    def add(self, packets_in: int, bytes_in: int, packets_out: int, bytes_out: int) -> None:
        """Add what has passed."""
        self.packets_in += packets_in
        self.bytes_in += bytes_in
        self.packets_out += packets_out
        self.bytes_out += bytes_out


@dataclass
class Refusals:
    """How the connections fared that one node passed on to one target; the relay's thread counts."""

    streak: int = 0
    total: int = 0

    def answered(self) -> None:
        """Note a handshake that was completed."""
        self.streak = 0

    def refused(self) -> None:
        """Note an RST instead of a handshake."""
        self.streak += 1
        self.total += 1


TrafficBook = dict[str, Traffic]
"""By instance. Each thread that carries something keeps a book of its own, so that none has to wait."""


def traffic_reports(*books: Mapping[str, Traffic]) -> tuple[TrafficReport, ...]:
    """Add up what the books say of each instance."""
    whole: TrafficBook = {}
    for book in books:
        for instance_id, traffic in list(book.items()):
            whole.setdefault(instance_id, Traffic()).add(**asdict(traffic))
    return tuple(TrafficReport(instance_id, **asdict(traffic)) for instance_id, traffic in whole.items())
