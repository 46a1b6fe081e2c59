"""Load balancers at work: targets on their walk, nodes, probes, names, metrics.

The tests play the data plane: they let the nodes' probes pass or fail and look at what should be done next.
"""

from __future__ import annotations

import pytest

from mglab.localcloud.rules.reach import IngressRule
from mglab.localcloud.seam import FlowReport, Observed
from tests.pure.elbv2_cloud import A, B, Cloud, balancer, group, lab, listen, serving, tcp, two_zones


@pytest.fixture
def cloud() -> Cloud:
    return two_zones()


# ---- targets


@pytest.mark.fact("1.5/bring-down", "1.5/first-healthy", "1.6/initial-checks")
def test_a_target_from_registration_to_gone(cloud: Cloud) -> None:
    """aws-facts 1.5-1.7: initial, healthy, unhealthy, draining 300 s, then only known by id as not registered."""
    _, arn = lab(cloud)
    cloud.wait(300)
    cloud.call("register_targets", TargetGroupArn=arn, Targets=[{"Id": "i-a"}])
    assert cloud.state_of(arn, Id="i-a") == ("initial", "Elb.RegistrationInProgress")
    cloud.wait(121)
    assert cloud.state_of(arn, Id="i-a") == ("initial", "Elb.InitialHealthChecking")
    cloud.probe(lambda target, zone: True)
    assert cloud.state_of(arn, Id="i-a") == ("healthy", None)
    cloud.probe(lambda target, zone: False)
    assert cloud.state_of(arn, Id="i-a") == ("healthy", None)
    cloud.probe(lambda target, zone: False)
    assert cloud.state_of(arn, Id="i-a") == ("unhealthy", "Target.FailedHealthChecks")
    cloud.call("deregister_targets", TargetGroupArn=arn, Targets=[{"Id": "i-a"}])
    assert cloud.state_of(arn, Id="i-a") == ("draining", "Target.DeregistrationInProgress")
    cloud.wait(299)
    assert cloud.listed(arn) == {"i-a": "draining"}
    cloud.wait(1)
    assert cloud.listed(arn) == {}
    assert cloud.state_of(arn, Id="i-a") == ("unused", "Target.NotRegistered")


@pytest.mark.fact("1.5/passive", "1.5/passive-failures")
def test_refused_clients_make_a_target_unhealthy_before_its_check_does(cloud: Cloud) -> None:
    """Between two checks; after that it takes as many passes as for any unhealthy target (aws-facts 1.5)."""
    _, arn = serving(cloud)
    cloud.call("modify_target_group", TargetGroupArn=arn, HealthCheckPort="traffic-port")
    cloud.refuse(arn, "i-a", A, 2)
    assert cloud.listed(arn) == {"i-a": "healthy", "i-b": "healthy"}
    cloud.refuse(arn, "i-a", A, 1)
    assert cloud.state_of(arn, Id="i-a") == ("unhealthy", "Target.FailedHealthChecks")
    cloud.probe(lambda target, zone: True, rounds=4)
    assert cloud.listed(arn) == {"i-a": "unhealthy", "i-b": "healthy"}
    cloud.probe(lambda target, zone: True)
    assert cloud.listed(arn) == {"i-a": "healthy", "i-b": "healthy"}


def test_refused_clients_count_for_nothing_with_stickiness_or_where_the_check_asks_another_port(cloud: Cloud) -> None:
    _, arn = serving(cloud)
    cloud.refuse(arn, "i-a", A, 50)
    assert cloud.listed(arn) == {"i-a": "healthy", "i-b": "healthy"}
    cloud.call("modify_target_group", TargetGroupArn=arn, HealthCheckPort="traffic-port")
    sticky = [{"Key": "stickiness.enabled", "Value": "true"}]
    cloud.call("modify_target_group_attributes", TargetGroupArn=arn, Attributes=sticky)
    cloud.refuse(arn, "i-a", A, 50)
    assert cloud.listed(arn) == {"i-a": "healthy", "i-b": "healthy"}


def test_a_target_registered_again_starts_from_the_beginning(cloud: Cloud) -> None:
    """The data plane's counters of the first registration do not make the second one healthy."""
    _, arn = serving(cloud)
    for operation in ("deregister_targets", "register_targets"):
        cloud.call(operation, TargetGroupArn=arn, Targets=[{"Id": "i-a"}])
    cloud.probe(lambda target, zone: True, rounds=2)
    assert cloud.state_of(arn, Id="i-a") == ("initial", "Elb.RegistrationInProgress")
    cloud.wait(120)
    assert cloud.state_of(arn, Id="i-a") == ("initial", "Elb.InitialHealthChecking")
    cloud.probe(lambda target, zone: True)
    assert cloud.state_of(arn, Id="i-a") == ("healthy", None)


def test_entry_shape(cloud: Cloud) -> None:
    """aws-facts 1.6: the override port is shown, the state's absent members are absent."""
    _, arn = serving(cloud)
    entry = cloud.call("describe_target_health", TargetGroupArn=arn)["TargetHealthDescriptions"][0]
    assert entry["Target"] == {"Id": "i-a", "Port": 5000}
    assert entry["HealthCheckPort"] == "5001"
    assert entry["TargetHealth"] == {"State": "healthy"}


def test_without_a_listener_a_target_is_not_in_use(cloud: Cloud) -> None:
    """aws-facts 1.6."""
    arn = group(cloud)
    cloud.call("register_targets", TargetGroupArn=arn, Targets=[{"Id": "i-a"}])
    assert cloud.state_of(arn, Id="i-a") == ("unused", "Target.NotInUse")
    assert cloud.elbv2.probes(float, float) == ()


def test_a_zone_that_is_not_enabled(cloud: Cloud) -> None:
    """aws-facts 1.6; SetSubnets enables it."""
    group_arn, balancer_arn = group(cloud), balancer(cloud, Subnets=["subnet-1"])["LoadBalancerArn"]
    listen(cloud, balancer_arn, group_arn)
    cloud.call("register_targets", TargetGroupArn=group_arn, Targets=[{"Id": "i-b"}])
    assert cloud.state_of(group_arn, Id="i-b") == ("unused", "Target.NotInUse")
    cloud.call("set_subnets", LoadBalancerArn=balancer_arn, Subnets=["subnet-1", "subnet-2"])
    cloud.wait(5)
    assert cloud.state_of(group_arn, Id="i-b") == ("initial", "Elb.RegistrationInProgress")


def test_a_stopped_instance(cloud: Cloud) -> None:
    """aws-facts 1.6: registered, then stopped."""
    _, arn = serving(cloud)
    cloud.compute.becomes("i-a", "stopped")
    cloud.wait(5)
    assert cloud.state_of(arn, Id="i-a") == ("unused", "Target.InvalidState")


def test_a_terminated_instance_vanishes_from_the_list(cloud: Cloud) -> None:
    """aws-facts 0.6: by id it is draining for ten minutes; for a group it drains 300 s (0.5)."""
    _, arn = serving(cloud)
    cloud.compute.becomes("i-a", "terminated")
    cloud.wait(5)
    assert cloud.listed(arn) == {"i-b": "healthy"}
    assert cloud.state_of(arn, Id="i-a") == ("draining", "Target.DeregistrationInProgress")
    assert cloud.elbv2.target_state(arn, "i-a") == "draining"
    cloud.wait(300)
    assert cloud.elbv2.target_state(arn, "i-a") is None
    assert cloud.state_of(arn, Id="i-a") == ("draining", "Target.DeregistrationInProgress")
    cloud.wait(300)
    assert cloud.state_of(arn, Id="i-a") == ("unused", "Target.NotRegistered")


def test_for_auto_scaling(cloud: Cloud) -> None:
    """aws-facts 2.2: a group registers an instance that is pending still."""
    balancer_arn, arn = lab(cloud)
    cloud.compute.add("i-new", state="pending")
    cloud.elbv2.register(arn, "i-new", cloud.time)
    assert cloud.elbv2.target_state(arn, "i-new") == "initial"
    assert cloud.elbv2.target_group_exists(arn) and not cloud.elbv2.target_group_exists(balancer_arn)
    assert cloud.elbv2.deregistration_delay_s(arn) == 300.0
    cloud.elbv2.deregister(arn, "i-new", cloud.time)
    assert cloud.elbv2.target_state(arn, "i-new") == "draining"
    assert [t.health.state for t in cloud.elbv2.transitions(arn, "i-new")] == ["initial", "draining"]


# ---- nodes, probes, names


@pytest.mark.fact("0/zone-decides", "1.3/own-zone")
def test_each_node_chooses_in_its_own_zone(cloud: Cloud) -> None:
    """aws-facts 0.2, 1.3; switched on for the target group, over the balancer's setting."""
    _, arn = serving(cloud)
    assert cloud.candidates(A) == {"i-a": "open"}
    assert cloud.candidates(B) == {"i-b": "open"}
    key = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
    cloud.call("modify_target_group_attributes", TargetGroupArn=arn, Attributes=[key])
    assert cloud.candidates(A) == {"i-a": "open", "i-b": "open"}


@pytest.mark.fact("1.5/each-node")
def test_every_node_probes_every_target(cloud: Cloud) -> None:
    """aws-facts 1.5: from its own address, on the override port, not before the registration is through."""
    _, arn = lab(cloud)
    cloud.call("register_targets", TargetGroupArn=arn, Targets=[{"Id": "i-a"}])
    first, second = cloud.elbv2.probes(lambda lab: lab / 60, lambda lab: lab / 60)
    assert {first.zone, second.zone} == {A, B}
    assert {first.source_address, second.source_address} == {"127.64.9.1", "127.64.9.2"}
    assert (first.address, first.port, first.target_port) == ("127.64.0.57", 5001, 5000)
    assert (first.interval_s, first.timeout_s) == (0.5, pytest.approx(1 / 6))
    assert first.starts_at * 60 >= 120  # provisioning takes longer than the registration


@pytest.mark.fact("0/fail-open")
def test_the_lab_s_own_mistake(cloud: Cloud) -> None:
    """aws-facts 0.1: the group does not admit the health port: all unhealthy, and the service answers."""
    cloud.compute.ingress["sg-1"] = (tcp(22), tcp(5000))
    _, arn = lab(cloud)
    cloud.call("register_targets", TargetGroupArn=arn, Targets=[{"Id": "i-a"}, {"Id": "i-b"}])
    cloud.wait(300)
    assert {probe.verdict for probe in cloud.elbv2.probes(float, float)} == {"dropped"}
    cloud.probe(lambda target, zone: True, rounds=2)
    assert cloud.listed(arn) == {"i-a": "unhealthy", "i-b": "unhealthy"}
    assert cloud.candidates(A) == {"i-a": "open"} and cloud.candidates(B) == {"i-b": "open"}
    assert all(listener.fail_open for node in cloud.elbv2.nodes(float) for listener in node.listeners)
    assert {len(addresses) for name, addresses in cloud.elbv2.names().items() if name.startswith("mglb-")} == {2}


def set_attributes(cloud: Cloud, arn: str, **values: str) -> None:
    """Change attributes of a target group; two underscores stand for a dot."""
    wanted = [{"Key": key.replace("__", "."), "Value": value} for key, value in values.items()]
    cloud.call("modify_target_group_attributes", TargetGroupArn=arn, Attributes=wanted)


def cut_off(cloud: Cloud) -> set[str]:
    return {key[0] for node in cloud.elbv2.nodes(float) for each in node.listeners for key in each.cut_off}


@pytest.mark.fact("1.7/unhealthy")
def test_an_unhealthy_target_loses_its_connections_unless_told_otherwise(cloud: Cloud) -> None:
    """aws-facts 1.7, 1.8: cross-zone, so that a healthy one is left and nobody fails open."""
    _, arn = serving(cloud)
    set_attributes(cloud, arn, load_balancing__cross_zone__enabled="true")
    cloud.probe(lambda target, zone: target == "i-b", rounds=2)
    assert cut_off(cloud) == {"i-a"}
    set_attributes(cloud, arn, target_health_state__unhealthy__connection_termination__enabled="false")
    assert cut_off(cloud) == set()
    set_attributes(cloud, arn, target_health_state__unhealthy__connection_termination__enabled="true")
    cloud.probe(lambda target, zone: False, rounds=2)
    assert (set(cloud.listed(arn).values()), cut_off(cloud)) == ({"unhealthy"}, set()), "who fails open keeps them"


@pytest.mark.fact("1.6/unhealthy-draining", "1.7/unhealthy")
def test_unhealthy_draining_keeps_connections_for_the_interval(cloud: Cloud) -> None:
    _, arn = serving(cloud)
    set_attributes(
        cloud, arn, load_balancing__cross_zone__enabled="true",
        target_health_state__unhealthy__connection_termination__enabled="false",
        target_health_state__unhealthy__draining_interval_seconds="100",
    )  # fmt: skip
    cloud.probe(lambda target, zone: target == "i-b", rounds=2)
    assert cloud.state_of(arn, Id="i-a") == ("unhealthy.draining", None)
    assert cloud.elbv2.target_state(arn, "i-a") == "unhealthy"
    assert (cloud.candidates(A), cut_off(cloud)) == ({"i-b": "open"}, set())
    cloud.wait(100)
    assert cloud.state_of(arn, Id="i-a") == ("unhealthy", "Target.FailedHealthChecks")
    assert cut_off(cloud) == {"i-a"}


@pytest.mark.fact("1.7/deregister")
@pytest.mark.parametrize(("ends", "cut"), [("false", set()), ("true", {"i-a"})])
def test_the_deregistration_delay_ends_connections_only_when_told_so(cloud: Cloud, ends: str, cut: set[str]) -> None:
    _, arn = serving(cloud)
    set_attributes(cloud, arn, deregistration_delay__connection_termination__enabled=ends)
    cloud.call("deregister_targets", TargetGroupArn=arn, Targets=[{"Id": "i-a"}])
    cloud.wait(299)
    assert cut_off(cloud) == set()
    cloud.wait(1)
    assert cut_off(cloud) == cut
    cloud.call("register_targets", TargetGroupArn=arn, Targets=[{"Id": "i-a"}])
    assert cut_off(cloud) == set()


def test_a_sticky_target_group_is_told_to_the_nodes(cloud: Cloud) -> None:
    _, arn = serving(cloud)
    assert not any(listener.sticky for node in cloud.elbv2.nodes(float) for listener in node.listeners)
    set_attributes(cloud, arn, stickiness__enabled="true")
    assert all(listener.sticky for node in cloud.elbv2.nodes(float) for listener in node.listeners)


# aws-facts 1.3: (rules of the instance's group, client IP preserved, verdict of a flow, verdict of a probe)
SECURITY_GROUPS = [
    ((tcp(5000), tcp(5001)), "true", "open", "open"),
    ((tcp(5000), tcp(5001, "192.168.0.0/23")), "true", "open", "open"),
    ((tcp(5000, "192.168.0.0/23"), tcp(5001)), "true", "dropped", "open"),
    ((tcp(5000, "192.168.0.0/23"), tcp(5001)), "false", "open", "open"),
    ((tcp(5000),), "true", "open", "dropped"),
]


@pytest.mark.parametrize(("rules", "preserved", "flow", "probe"), SECURITY_GROUPS)
@pytest.mark.fact("1.3/client-ip-groups")
def test_a_flow_comes_from_the_client_and_a_probe_from_the_node(
    cloud: Cloud, rules: tuple[IngressRule, ...], preserved: str, flow: str, probe: str
) -> None:
    _, arn = serving(cloud)
    key = {"Key": "preserve_client_ip.enabled", "Value": preserved}
    cloud.call("modify_target_group_attributes", TargetGroupArn=arn, Attributes=[key])
    cloud.compute.ingress["sg-1"] = rules
    assert cloud.candidates(A) == {"i-a": flow}
    assert {each.verdict for each in cloud.elbv2.probes(float, float)} == {probe}


@pytest.mark.fact("1.2/at-creation")
def test_a_balancer_s_own_security_groups(cloud: Cloud) -> None:
    """aws-facts 1.2: they must admit the client; the instance's group may name them as its source."""
    cloud.compute.ingress |= {"sg-lb": (tcp(5000),), "sg-1": (IngressRule("tcp", 5000, 5001, None, "sg-lb"),)}
    arn = balancer(cloud, SecurityGroups=["sg-lb"])["LoadBalancerArn"]
    group_arn = group(cloud)
    listen(cloud, arn, group_arn)
    cloud.call("register_targets", TargetGroupArn=group_arn, Targets=[{"Id": "i-a"}])
    cloud.wait(300)
    cloud.probe(lambda target, zone: True)
    assert cloud.candidates(A) == {"i-a": "open"}
    cloud.compute.ingress["sg-lb"] = ()
    assert all(node.listeners == () and 5000 in node.dropped_ports for node in cloud.elbv2.nodes(float))


def test_without_a_route_to_the_gateway_nobody_gets_to_the_node(cloud: Cloud) -> None:
    serving(cloud)
    cloud.compute.routes["subnet-1"] = ()
    in_a, in_b = cloud.elbv2.nodes(float)
    assert in_a.listeners == () and 5000 in in_a.dropped_ports
    assert [listener.port for listener in in_b.listeners] == [5000]


@pytest.mark.fact("1.7/terminated", "1.4/zone-leaves", "1.4/removal-lag")
def test_a_dead_instance_times_out_until_the_checks_notice(cloud: Cloud) -> None:
    """aws-facts 1.7: the hash may still pick it; then its zone leaves DNS after the lag (1.4, 7)."""
    serving(cloud)
    cloud.compute.becomes("i-a", "shutting-down")
    assert cloud.candidates(A) == {"i-a": "dropped"}
    cloud.probe(lambda target, zone: target == "i-b", rounds=2)
    (name,) = (name for name in cloud.elbv2.names() if name.startswith("mglb-"))
    cloud.wait(30)
    names = cloud.elbv2.names()
    assert names[name] == ("127.65.9.2",)
    assert names[f"{A}.{name}"] == ("127.65.9.1",)


def test_a_node_in_an_outage_is_out_of_dns_and_has_no_say(cloud: Cloud) -> None:
    balancer_arn, arn = serving(cloud)
    name = cloud.call("describe_load_balancers", LoadBalancerArns=[balancer_arn])["LoadBalancers"][0]["DNSName"].lower()
    both = cloud.elbv2.names()[name]
    assert len(both) == 2
    cloud.compute.cut(A)
    assert {probe.zone for probe in cloud.elbv2.probes(float, float)} == {B}
    assert {node.zone: len(node.listeners) for node in cloud.elbv2.nodes(float)} == {A: 0, B: 1}
    cloud.probe(lambda target, zone: True, rounds=2)
    assert cloud.listed(arn) == {"i-a": "unhealthy", "i-b": "healthy"}
    cloud.wait(31)
    assert cloud.elbv2.names()[name] == cloud.elbv2.names()[f"{B}.{name}"]
    cloud.compute.cut()
    cloud.probe(lambda target, zone: True, rounds=6)
    assert cloud.listed(arn) == {"i-a": "healthy", "i-b": "healthy"} and cloud.elbv2.names()[name] == both


def test_while_provisioning_a_node_drops_everything(cloud: Cloud) -> None:
    lab(cloud)
    (in_a, _) = cloud.elbv2.nodes(float)
    assert in_a.listeners == ()
    assert in_a.dropped_ports == (22, 5000, 5001)
    cloud.wait(240)
    (in_a, _) = cloud.elbv2.nodes(float)
    assert [listener.port for listener in in_a.listeners] == [5000]
    assert in_a.dropped_ports == (22, 5001)
    assert in_a.listeners[0].hash_key and cloud.elbv2.listener_ports() == (5000,)


def test_a_deleted_balancer_leaves_its_interfaces_for_two_minutes(cloud: Cloud) -> None:
    """aws-facts 1.1: listeners and name go at once, deleting again succeeds, targets are not touched."""
    balancer_arn, group_arn = serving(cloud)
    for _ in range(2):
        cloud.call("delete_load_balancer", LoadBalancerArn=balancer_arn)
    assert (cloud.elbv2.nodes(float), cloud.elbv2.names()) == ((), {})
    assert len(cloud.compute.interfaces) == 2
    cloud.wait(115)
    assert len(cloud.compute.interfaces) == 2
    cloud.wait(5)
    assert cloud.compute.interfaces == {}
    assert cloud.state_of(group_arn, Id="i-a") == ("unused", "Target.NotInUse")
    cloud.call("delete_target_group", TargetGroupArn=group_arn)


# ---- CloudWatch


def points(cloud: Cloud) -> dict[tuple[str, tuple[str, ...]], list[float]]:
    """Give one minute's values by metric and names of its dimensions."""
    found: dict[tuple[str, tuple[str, ...]], list[float]] = {}
    for namespace, metric, dimensions, value, _unit in cloud.elbv2.minute(cloud.time):
        assert namespace == "AWS/NetworkELB"
        found.setdefault((metric, tuple(sorted(dimensions))), []).append(value)
    return found


@pytest.mark.fact(
    "4.1/active-flows", "4.1/new-flows", "4.1/processed-bytes", "4.1/processed-packets", "4.1/peaks",
    "4.1/consumed-lcus", "4.1/resets", "4.1/host-counts", "4.1/fail-open", "4.1/fail-open-dimensions",
    "4.1/zonal-health", "4.1/rejected-flows", "4.1/port-allocation", "4.1/own-zone", "4.1/nodes", "4.1/newer",
)  # fmt: skip
def test_metrics_have_exactly_the_documented_dimensions(cloud: Cloud) -> None:
    """aws-facts 4.1: L, ZL, T, LT, ZLT; HealthyHostCount never for the balancer alone."""
    balancer_arn, group_arn = serving(cloud)
    name = balancer_arn.split("loadbalancer/")[1]
    flow = FlowReport(
        (name, A, group_arn), 60, 2, 500, 1000, 1, 2, 3, 4, 5, port_allocation_errors=6, processed_packets=100,
        processed_bytes=7000, health_check_packets=20,
    )  # fmt: skip
    cloud.elbv2.observe(Observed(flows=(flow,)), float)
    found = points(cloud)
    L, ZL, T = ("LoadBalancer",), ("AvailabilityZone", "LoadBalancer"), ("TargetGroup",)
    LT, ZLT = ("LoadBalancer", "TargetGroup"), ("AvailabilityZone", "LoadBalancer", "TargetGroup")
    for metric, dimension_sets in {
        "ActiveFlowCount": [L, ZL, T], "NewFlowCount": [L, ZL, T], "NewFlowCount_TCP": [L, ZL, T],
        "ProcessedBytes": [L, ZL], "ConsumedLCUs": [L], "HealthyHostCount": [LT, ZLT], "UnHealthyHostCount": [LT, ZLT],
        "TCP_Client_Reset_Count": [L, ZL], "TCP_Target_Reset_Count": [L, ZL], "TCP_ELB_Reset_Count": [L, ZL],
        "ActiveFlowCount_TCP": [L, ZL, T], "ProcessedBytes_TCP": [L, ZL], "ProcessedPackets": [L, ZL],
        "PeakPacketsPerSecond": [L, ZL], "PeakBytesPerSecond": [L, ZL], "PortAllocationErrorCount": [L, ZL],
        "ConsumedLCUs_TCP": [L], "RejectedFlowCount_TCP": [L, ZL],
        "RejectedFlowCount": [L, ZL], "UnhealthyRoutingFlowCount": [L, ZL], "ZonalHealthStatus": [L, ZL],
    }.items():  # fmt: skip
        assert sorted(dims for each, dims in found if each == metric) == sorted(dimension_sets), metric
    assert found["ProcessedBytes", L] == found["ProcessedBytes_TCP", L] == [7000.0]  # with headers, without checks
    assert found["ProcessedPackets", L] == [120.0]  # with health checks
    assert found["PortAllocationErrorCount", ZL] == [6.0, 0.0]
    assert found["NewFlowCount", ZL] == [60.0, 0.0]
    assert found["HealthyHostCount", LT] == [1.0, 1.0]  # each node counts its own zone
    assert found["ConsumedLCUs", L] == [pytest.approx(60 / 60 / 800)]


@pytest.mark.fact(
    "4.1/active-flows", "4.1/new-flows", "4.1/rejected-flows", "4.1/fail-open", "4.1/security-group-blocked",
)  # fmt: skip
def test_metrics_reported_when_they_are_not_zero_are_absent_otherwise(cloud: Cloud) -> None:
    serving(cloud)
    found = {metric for metric, _ in points(cloud)}
    assert found == {
        "ActiveFlowCount", "NewFlowCount", "ProcessedBytes", "ProcessedPackets", "PeakPacketsPerSecond",
        "PeakBytesPerSecond", "ConsumedLCUs", "TCP_Client_Reset_Count", "TCP_Target_Reset_Count",
        "TCP_ELB_Reset_Count", "RejectedFlowCount", "PortAllocationErrorCount", "HealthyHostCount",
        "UnHealthyHostCount", "ZonalHealthStatus",
    }  # fmt: skip


def test_what_is_asked_after_a_minutes_last_look_is_the_next_minutes(cloud: Cloud) -> None:
    """A target deregistered between the last look and the minute's points was healthy in that minute."""
    _, group_arn = serving(cloud)
    key = "HealthyHostCount", ("LoadBalancer", "TargetGroup")
    cloud.call("deregister_targets", TargetGroupArn=group_arn, Targets=[{"Id": "i-a"}])
    assert points(cloud)[key] == [1.0, 1.0]
    cloud.elbv2.tick(cloud.time)
    assert sorted(points(cloud)[key]) == [0.0, 1.0]


@pytest.mark.fact("4.1/units")
def test_units(cloud: Cloud) -> None:
    serving(cloud)
    units = {metric: unit for _, metric, _, _, unit in cloud.elbv2.minute(cloud.time)}
    assert {metric for metric, unit in units.items() if unit == "Bytes"} == {"ProcessedBytes", "PeakBytesPerSecond"}
    assert set(units.values()) == {"Bytes", "Count"}


@pytest.mark.fact("4.1/peaks", "4.1/nodes")
def test_each_node_reports_the_peak_of_its_own_ten_seconds(cloud: Cloud) -> None:
    balancer_arn, group_arn = serving(cloud)
    key = (balancer_arn.split("loadbalancer/")[1], A, group_arn)
    points(cloud)
    began = cloud.time
    for second, packets, bytes_ in [(0, 0, 0), (3, 100, 0), (10, 300, 5000), (20, 400, 5000), (35, 400, 5000)]:
        cloud.time = began + second
        flow = FlowReport(key, processed_packets=packets, processed_bytes=bytes_)
        cloud.elbv2.observe(Observed(flows=(flow,)), float)
    found = points(cloud)
    L, ZL = ("LoadBalancer",), ("AvailabilityZone", "LoadBalancer")
    assert found["PeakPacketsPerSecond", L] == found["PeakPacketsPerSecond", ZL] == [30.0, 0.0]
    assert found["PeakBytesPerSecond", ZL] == [500.0, 0.0]
    assert points(cloud)["PeakPacketsPerSecond", L] == [0.0, 0.0]


def test_counters_become_differences(cloud: Cloud) -> None:
    balancer_arn, group_arn = serving(cloud)
    key = (balancer_arn.split("loadbalancer/")[1], A, group_arn)
    L = ("LoadBalancer",)
    for total, added in [(10, 10.0), (25, 15.0), (25, 0.0), (3, 3.0)]:  # the last: a new data plane
        cloud.elbv2.observe(Observed(flows=(FlowReport(key, new_flows=total, active_flows=2),)), float)
        found = points(cloud)
        assert found["NewFlowCount", L] == [added]
        assert found["ActiveFlowCount", L] == [2.0]


def test_nothing_is_published_while_provisioning(cloud: Cloud) -> None:
    lab(cloud)
    assert points(cloud) == {}
