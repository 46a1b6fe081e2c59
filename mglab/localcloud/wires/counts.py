"""What passed through the balancer, counted where it passes.

One ``FlowCounts`` for each load balancer, zone and target group. The relay's thread adds to it; anyone may
read: each number is one Python integer, so a reader sees it whole, if not at the same instant as its
neighbours. From these the control plane derives NewFlowCount, ActiveFlowCount, ProcessedBytes, the reset
counts and RejectedFlowCount (aws-facts, table of NLB metrics). Counted are

* a flow when its target has been chosen, as AWS makes its table entry at the SYN;
* a byte when the kernel has taken it for the other side: payload only, headers are not seen here;
* a reset on the side that caused it: client, target, or the balancer (a forgotten or cut-off flow);
* a rejected flow when the data plane had no means left to carry it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from mglab.localcloud.seam import FlowKey, FlowReport


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

    def report(self, key: FlowKey) -> FlowReport:
        """Give the totals as they stand."""
        return FlowReport(key, **asdict(self))
