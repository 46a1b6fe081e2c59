"""AWS/NetworkELB: what the load balancers did in the last lab minute, as CloudWatch datapoints.

Dimension sets and units are aws-facts 4.1; ``L`` is the balancer, ``Z`` the zone, ``T`` the target group. What
flows is counted by the data plane and turned into differences here. Each node reports HealthyHostCount over the
targets that it may choose from, so with cross-zone off the maximum over a group is its best zone's.

Bytes and packets are those of the clients' side, both ways, headers included; packets have the health checks'
among them, bytes have not. A node reports its own peaks, so a balancer's is its busiest node's. What a security
group drops never reaches the data plane, so SecurityGroupBlockedFlowCount has no data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace

from mglab.localcloud.api.elbv2_plane import members_of
from mglab.localcloud.api.elbv2_state import Datum, LoadBalancer, State, TargetGroup, groups_of
from mglab.localcloud.rules import peaks, routing
from mglab.localcloud.seam import FlowKey, FlowReport

NAMESPACE = "AWS/NetworkELB"
MINUTE_S = 60
LCU_NEW_FLOWS_PER_S, LCU_ACTIVE_FLOWS, LCU_BYTES_PER_HOUR = 800, 100_000, 1e9  # aws-facts 6: NLCU for TCP

ALWAYS: dict[str, Callable[[FlowReport], int]] = {
    "ActiveFlowCount": lambda flow: flow.active_flows,
    "NewFlowCount": lambda flow: flow.new_flows,
    "ProcessedBytes": lambda flow: flow.processed_bytes,
    "ProcessedPackets": lambda flow: flow.processed_packets + flow.health_check_packets,
    "TCP_Client_Reset_Count": lambda flow: flow.client_resets,
    "TCP_Target_Reset_Count": lambda flow: flow.target_resets,
    "TCP_ELB_Reset_Count": lambda flow: flow.balancer_resets,
    "RejectedFlowCount": lambda flow: flow.rejected_flows,
    "PortAllocationErrorCount": lambda flow: flow.port_allocation_errors,
}
NON_ZERO: dict[str, Callable[[FlowReport], int]] = {
    "ActiveFlowCount_TCP": ALWAYS["ActiveFlowCount"],
    "NewFlowCount_TCP": ALWAYS["NewFlowCount"],
    "ProcessedBytes_TCP": ALWAYS["ProcessedBytes"],
    "RejectedFlowCount_TCP": ALWAYS["RejectedFlowCount"],
    "UnhealthyRoutingFlowCount": lambda flow: flow.fail_open_flows,
}
IN_BYTES = ("ProcessedBytes", "ProcessedBytes_TCP", "PeakBytesPerSecond")
PER_TARGET_GROUP = ("ActiveFlowCount", "NewFlowCount", "ActiveFlowCount_TCP", "NewFlowCount_TCP")


def minute(state: State, now: float) -> list[Datum]:
    """Give the datapoints of the minute that ends now, and begin the next one."""
    passed = {key: _since(flow, state.flows_at_minute.get(key)) for key, flow in state.flows.items()}
    state.flows_at_minute = dict(state.flows)
    active = [balancer for balancer in state.load_balancers.values() if balancer.active(now)]
    return [datum for balancer in active for datum in _of_balancer(state, balancer, passed)]


def watch_peaks(state: State, now: float) -> None:
    """Look at every node's totals, for the peaks of ten seconds."""
    balancers = state.load_balancers.values()
    totals = {(balancer.dimension, zone): (0, 0) for balancer in balancers for zone in balancer.places}
    for (name, zone, _), flow in state.flows.items():
        if (name, zone) in totals:
            packets, bytes_ = totals[name, zone]
            mine = flow.processed_packets + flow.health_check_packets
            totals[name, zone] = (packets + mine, bytes_ + flow.processed_bytes)
    state.peaks = {node: peaks.seen(state.peaks.get(node), now, *total) for node, total in totals.items()}


def watch_health(state: State) -> None:
    """Note what every node would report of its targets: the last look within a minute is that minute's point."""
    state.health = {
        balancer.dimension: [*_health(state, balancer)] for balancer in state.load_balancers.values()
    }  # fmt: skip


def _health(state: State, balancer: LoadBalancer) -> Iterator[Datum]:
    for group in groups_of(state, balancer):
        yield from _host_counts(state, balancer, group)
    yield from _zonal_health(state, balancer)


def consumed_lcus(flow: FlowReport) -> float:
    """Give the capacity units of a minute: its busiest dimension counts."""
    return max(
        flow.new_flows / MINUTE_S / LCU_NEW_FLOWS_PER_S,
        flow.active_flows / LCU_ACTIVE_FLOWS,
        flow.processed_bytes * 60 / LCU_BYTES_PER_HOUR,
    )


def _of_balancer(state: State, balancer: LoadBalancer, passed: dict[FlowKey, FlowReport]) -> Iterator[Datum]:
    name = balancer.dimension
    mine = {key: flow for key, flow in passed.items() if key[0] == name}
    whole = _sum(name, mine.values())
    yield from _flow_data(whole, {"LoadBalancer": name}, ALWAYS, NON_ZERO)
    yield from _capacity_units(whole, name)
    for zone in balancer.places:
        in_zone = _sum(name, (flow for key, flow in mine.items() if key[1] == zone))
        yield from _flow_data(in_zone, {"AvailabilityZone": zone, "LoadBalancer": name}, ALWAYS, NON_ZERO)
    for group in groups_of(state, balancer):
        to_group = _sum(name, (flow for key, flow in mine.items() if key[2] == group.arn))
        yield from _flow_data(to_group, {"TargetGroup": group.dimension}, *_per_target_group())
    yield from state.health.get(name, ())
    yield from _peaks(state, balancer)


def _flow_data(
    flow: FlowReport,
    dimensions: dict[str, str],
    always: dict[str, Callable[[FlowReport], int]],
    non_zero: dict[str, Callable[[FlowReport], int]],
) -> Iterator[Datum]:
    for metric, count in always.items():
        yield _datum(metric, dimensions, count(flow))
    for metric, count in non_zero.items():
        if count(flow):
            yield _datum(metric, dimensions, count(flow))


def _capacity_units(flow: FlowReport, name: str) -> Iterator[Datum]:
    units = consumed_lcus(flow)
    yield _datum("ConsumedLCUs", {"LoadBalancer": name}, units)
    if units:
        yield _datum("ConsumedLCUs_TCP", {"LoadBalancer": name}, units)


def _host_counts(state: State, balancer: LoadBalancer, group: TargetGroup) -> Iterator[Datum]:
    """Let each node report the targets that it knows, for the group and for the group in its zone."""
    members = members_of(state, group, balancer)
    if not members.members:
        return
    both = {"LoadBalancer": balancer.dimension, "TargetGroup": group.dimension}
    for zone in balancer.places:
        known = routing.known_to(members, zone, balancer.places)
        states = [member.state for member in known]
        for dimensions in (both, {"AvailabilityZone": zone, **both}):
            yield _datum("HealthyHostCount", dimensions, states.count("healthy"))
            yield _datum("UnHealthyHostCount", dimensions, sum(each.startswith("unhealthy") for each in states))


def _peaks(state: State, balancer: LoadBalancer) -> Iterator[Datum]:
    """Let each node report how high its traffic rose, and begin its next minute."""
    for zone in balancer.places:
        peak = state.peaks.get((balancer.dimension, zone))
        if peak is None:
            continue
        state.peaks[balancer.dimension, zone] = peaks.next_minute(peak)
        for dimensions in ({}, {"AvailabilityZone": zone}):
            whose = {**dimensions, "LoadBalancer": balancer.dimension}
            yield _datum("PeakPacketsPerSecond", whose, peak.packets_per_s)
            yield _datum("PeakBytesPerSecond", whose, peak.bytes_per_s)


def _zonal_health(state: State, balancer: LoadBalancer) -> Iterator[Datum]:
    groups = [members_of(state, group, balancer) for group in groups_of(state, balancer)]
    healthy = routing.healthy_zones(groups, tuple(balancer.places))
    for zone in balancer.places if groups else ():
        for dimensions in ({}, {"AvailabilityZone": zone}):
            yield _datum("ZonalHealthStatus", {**dimensions, "LoadBalancer": balancer.dimension}, zone in healthy)


def _datum(metric: str, dimensions: dict[str, str], value: float) -> Datum:
    unit = "Bytes" if metric in IN_BYTES else "Count"
    return NAMESPACE, metric, dimensions, float(value), unit


def _per_target_group() -> tuple[dict[str, Callable[[FlowReport], int]], dict[str, Callable[[FlowReport], int]]]:
    return (
        {metric: count for metric, count in ALWAYS.items() if metric in PER_TARGET_GROUP},
        {metric: count for metric, count in NON_ZERO.items() if metric in PER_TARGET_GROUP},
    )


def _counters() -> list[str]:
    return [each.name for each in fields(FlowReport) if each.name != "key"]


def _since(now: FlowReport, before: FlowReport | None) -> FlowReport:
    """Give what was added since ``before``; counters that fell belong to a new data plane and count whole."""
    if before is None or now.new_flows < before.new_flows:
        return now
    added = {name: getattr(now, name) - getattr(before, name) for name in _counters() if name != "active_flows"}
    return replace(now, **added)


def _sum(name: str, flows: Iterable[FlowReport]) -> FlowReport:
    flows = list(flows)
    return FlowReport(key=(name, "", ""), **{each: sum(getattr(f, each) for f in flows) for each in _counters()})
