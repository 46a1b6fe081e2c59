"""Counters equal what the clients counted themselves: 10,000 real requests, to the flow, the packet and the byte.

The clients do not ask the cloud what they did. They count their flows, and each asks its own kernel how many packets
its connection had and of what size (the balancer's side of it is another socket, counted by another program). Then
the metrics are read as anybody reads them, over the API, in both of CloudWatch's wire protocols.

Health checks are packets too. The second half therefore closes the health port: no check gets through, every
target fails, the balancer fails open (the sheet's own trap), and what is left is the clients' packets alone.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mglab.session import Lab
from mglab.steps import balancing, network, scaling, security
from tests.local.cloud_under_test import Cloud, ask, eventually, lab_on, put_up_service, started

RATE = 240.0
BY_ZONE = (6_000, 4_000)
CLIENTS = 4
BOUND_S = 30.0
CLOSED = 7
TIMESTAMPS, SACK, WINDOW_SCALE = 1, 2, 4
Dimensions = Mapping[str, str]


@dataclass(frozen=True)
class Counted:
    """What clients did, by their own account; bytes are of whole packets."""

    flows: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    bytes_in: int = 0

    def __add__(self, other: Counted) -> Counted:
        return Counted(*(mine + theirs for mine, theirs in zip(self.values, other.values, strict=True)))

    @property
    def values(self) -> tuple[int, ...]:
        return self.flows, self.packets_out, self.bytes_out, self.packets_in, self.bytes_in

    @property
    def packets(self) -> int:
        return self.packets_out + self.packets_in

    @property
    def bytes(self) -> int:
        return self.bytes_out + self.bytes_in


def request(where: tuple[str, int], said: bytes = b"2004\n", *, half_closed: bool = False) -> Counted:
    """Say a line, read the reply to its end, close, and count the connection."""
    with socket.create_connection(where, BOUND_S) as wire:
        wire.sendall(said)
        if half_closed:
            wire.shutdown(socket.SHUT_WR)
        reply = b"".join(iter(lambda: wire.recv(4096), b""))
        assert reply.startswith(b"In 2004 the number ") or said != b"2004\n", reply
        if not half_closed:
            wire.shutdown(socket.SHUT_WR)
        end = time.monotonic() + BOUND_S
        while wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != CLOSED:
            assert time.monotonic() < end, "the connection did not close"  # nothing comes after it has
        return carried(wire, len(said), len(reply))


def aborted(where: tuple[str, int]) -> Counted:
    """Connect and reset at once."""
    with socket.create_connection(where, BOUND_S) as wire:
        before = carried(wire, 0, 0, resets=True)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return before


def refused(where: tuple[str, int]) -> Counted:
    """Connect and be reset."""
    with socket.socket() as wire:
        wire.settimeout(BOUND_S)
        with pytest.raises(ConnectionResetError):
            wire.connect(where)
            wire.recv(1)
        return carried(wire, 0, 0)


def carried(wire: socket.socket, said: int, heard: int, *, resets: bool = False) -> Counted:
    """Ask our own kernel what a connection carried; ``resets``: and an RST that is about to be sent."""
    info = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)
    sent, received = struct.unpack_from("II", info, 136)
    sent += resets
    options = info[5]
    header = 40 + (12 if options & TIMESTAMPS else 0)
    first = 44 + (12 if options & TIMESTAMPS else 4 if options & SACK else 0) + (4 if options & WINDOW_SCALE else 0)
    return Counted(1, sent, first + (sent - 1) * header + said, received, first + (received - 1) * header + heard)


def requests(where: tuple[str, int], count: int) -> Counted:
    """Make so many requests with several clients at once."""

    def client(number: int) -> Counted:
        return sum((request(where) for _ in range(number)), Counted())

    share, rest = divmod(count, CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(client, [share + (number < rest) for number in range(CLIENTS)]), Counted())


# -- the cloud, and its metrics as anybody reads them -----------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """The whole lab, and where its balancer's nodes are."""

    cloud: Cloud
    lab: Lab
    began: datetime
    name: str
    group: str
    nodes: dict[str, tuple[str, int]]

    def dimensions(self, zone: str = "") -> dict[str, str]:
        return {"LoadBalancer": self.name} | ({"AvailabilityZone": zone} if zone else {})

    def total(self, metric: str, dimensions: Dimensions, since: datetime | None = None, **how: str) -> float:
        """Read a metric's sum from a moment on."""
        return sum(self.points(metric, dimensions, since or self.began, **how))

    def points(
        self, metric: str, dimensions: Dimensions, since: datetime, *, namespace: str = "AWS/NetworkELB",
        statistic: str = "Sum",
    ) -> list[float]:  # fmt: skip
        """Read a metric's points by GetMetricData in JSON and by GetMetricStatistics in the Query protocol."""
        until = self.lab.clock.now() + timedelta(minutes=1)
        stat = {
            "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": listed(dimensions)},
            "Period": 60, "Stat": statistic,
        }  # fmt: skip
        query: dict[str, Any] = {"Id": "m", "MetricStat": stat}
        answer = self.lab.cloudwatch.get_metric_data(
            MetricDataQueries=[query], StartTime=since, EndTime=until, ScanBy="TimestampAscending"
        )
        (result,) = answer["MetricDataResults"]
        assert result["StatusCode"] == "Complete"
        older = self.by_query(
            "GetMetricStatistics", Namespace=namespace, MetricName=metric, Period=60, StartTime=since.isoformat(),
            EndTime=until.isoformat(), **{"Statistics.member.1": statistic}, **numbered(dimensions),
        )  # fmt: skip
        found = [float(each.text or "") for each in older.iter() if each.tag.endswith(f"}}{statistic}")]
        if len(found) == len(result["Values"]):  # else a minute has been published between the two answers
            assert sorted(found) == sorted(result["Values"])
        return list(result["Values"])

    def by_query(self, action: str, **members: Any) -> ElementTree.Element:
        """Ask CloudWatch as clients of before 2025 do."""
        body = urlencode({"Action": action, "Version": "2010-08-01", **members})
        asked = AWSRequest("POST", self.cloud.state["endpoint"] + "/", data=body)
        asked.headers["Content-Type"] = "application/x-www-form-urlencoded"
        keys = Credentials(self.cloud.state["access_key_id"], self.cloud.state["secret_access_key"])
        SigV4Auth(keys, "monitoring", self.cloud.state["region"]).add_auth(asked)
        wire = urllib.request.Request(asked.url, body.encode(), dict(asked.headers.items()))
        with urllib.request.urlopen(wire, timeout=BOUND_S) as answer:
            return ElementTree.fromstring(answer.read())

    def by_instance(self, metric: str, since: datetime) -> float:
        """Add up an instance metric of the group's members."""
        members = [it.instance_id for it in scaling.instances(self.lab)]
        return sum(self.total(metric, {"InstanceId": it}, since, namespace="AWS/EC2") for it in members)


def listed(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def numbered(dimensions: Dimensions) -> dict[str, str]:
    pairs = enumerate(dimensions.items(), 1)
    return {
        f"Dimensions.member.{number}.{part}": text
        for number, (name, value) in pairs
        for part, text in (("Name", name), ("Value", value))
    }


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with started("counters", RATE) as cloud, lab_on(cloud, "counters") as lab:
        began = lab.clock.now().replace(second=0, microsecond=0)
        put_up_service(lab)
        balancer, group = balancing.load_balancer(lab), balancing.target_group(lab)
        nodes = {
            it.zone: (lab.resolve(f"{it.zone}.{balancer.dns_name}")[0], lab.config.service_port)
            for it in network.subnets(lab)
        }
        name, group_name = balancer.arn.split(":loadbalancer/")[1], group.arn.split(":", 5)[5]
        yield Site(cloud, lab, began, name, group_name, nodes)


@pytest.fixture(scope="module")
def made(site: Site) -> dict[str, Counted]:
    """Make 10,000 requests; give what the clients counted in each zone, when it has been published."""
    found = {zone: requests(site.nodes[zone], count) for zone, count in zip(site.nodes, BY_ZONE, strict=True)}
    whole = sum(found.values(), Counted())
    eventually(lambda: site.total("ProcessedBytes", site.dimensions()) >= whole.bytes, lambda: f"all of {whole}")
    return found


# -- what flowed is counted ------------------------------------------------------------------------------------


@pytest.mark.fact("1.3/not-terminated", "4.1/new-flows")
def test_new_flows(site: Site, made: dict[str, Counted]) -> None:
    for metric in ("NewFlowCount", "NewFlowCount_TCP"):
        assert site.total(metric, site.dimensions()) == sum(BY_ZONE) == 10_000
        assert site.total(metric, {"TargetGroup": site.group}) == 10_000
        for zone, count in zip(made, BY_ZONE, strict=True):
            assert site.total(metric, site.dimensions(zone)) == count


@pytest.mark.fact("4.1/processed-bytes")
def test_processed_bytes_to_the_byte(site: Site, made: dict[str, Counted]) -> None:
    for zone, counted in {**made, "": sum(made.values(), Counted())}.items():
        flows, size = (site.total(it, site.dimensions(zone)) for it in ("NewFlowCount", "ProcessedBytes"))
        print(f"{zone or 'in all'}: published {flows:.0f} flows and {size:.0f} bytes, ", end="")
        print(f"the clients counted {counted.flows} and {counted.bytes}")
    for metric in ("ProcessedBytes", "ProcessedBytes_TCP"):
        assert site.total(metric, site.dimensions()) == sum(made.values(), Counted()).bytes
        for zone, counted in made.items():
            assert site.total(metric, site.dimensions(zone)) == counted.bytes


@pytest.mark.fact("4.1/processed-packets")
def test_processed_packets_are_the_clients_and_the_health_checks(site: Site, made: dict[str, Counted]) -> None:
    """Each check takes a handshake and two FINs with their acknowledgements, or with one of those saved."""
    checks = site.total("ProcessedPackets", site.dimensions()) - sum(made.values(), Counted()).packets
    assert checks >= 5 * len(site.nodes)


@pytest.mark.fact("4.1/resets", "4.1/port-allocation")
def test_nothing_else_happened(site: Site, made: dict[str, Counted]) -> None:
    for metric in ("TCP_Client_Reset_Count", "TCP_Target_Reset_Count", "TCP_ELB_Reset_Count", "RejectedFlowCount",
                   "PortAllocationErrorCount"):  # fmt: skip
        points = site.points(metric, site.dimensions(), site.began)
        assert points and not any(points), metric
    for metric in ("RejectedFlowCount_TCP", "UnhealthyRoutingFlowCount"):
        assert site.points(metric, site.dimensions(), site.began) == []


@pytest.mark.fact("4.1/peaks")
def test_peaks_are_no_lower_than_the_mean_and_no_higher_than_ten_seconds_allow(
    site: Site, made: dict[str, Counted]
) -> None:
    for zone, counted in made.items():
        peak = max(site.points("PeakBytesPerSecond", site.dimensions(zone), site.began, statistic="Maximum"))
        assert counted.bytes / (site.lab.clock.now() - site.began).total_seconds() <= peak <= counted.bytes / 10


@pytest.mark.fact("4.1/unpublished", "4.1/host-counts", "4.1/consumed-lcus")
@pytest.mark.parametrize(
    ("metric", "names"),
    [
        ("ProcessedBytes", ["TargetGroup"]),
        ("ProcessedPackets", ["LoadBalancer", "TargetGroup"]),
        ("NewFlowCount", ["AvailabilityZone"]),
        ("NewFlowCount", ["LoadBalancer", "TargetGroup"]),
        ("NewFlowCount", []),
        ("HealthyHostCount", ["LoadBalancer"]),
        ("HealthyHostCount", ["TargetGroup"]),
        ("ConsumedLCUs", ["AvailabilityZone", "LoadBalancer"]),
        ("PeakBytesPerSecond", ["TargetGroup"]),
    ],
)
def test_an_unpublished_combination_of_dimensions_answers_nothing(
    site: Site, made: dict[str, Counted], metric: str, names: list[str]
) -> None:
    known = {"LoadBalancer": site.name, "TargetGroup": site.group, "AvailabilityZone": next(iter(made))}
    asked = {name: known[name] for name in names}
    assert site.points(metric, asked, site.began) == []
    listed_sets = [
        {it["Name"] for it in found["Dimensions"]}
        for found in site.lab.cloudwatch.list_metrics(Namespace="AWS/NetworkELB", MetricName=metric)["Metrics"]
    ]
    assert listed_sets and set(names) not in listed_sets


# -- without health checks -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_failed(site: Site, made: dict[str, Counted]) -> Site:
    """Close the health port until every target has failed: from now on no check is a packet."""
    lab = site.lab
    lab.autoscaling.suspend_processes(AutoScalingGroupName=lab.config.group_name, ScalingProcesses=["ReplaceUnhealthy"])
    security.revoke(lab, security.security_group(lab), lab.config.health_port)
    eventually(lambda: {it.state for it in balancing.target_health(lab)} == {"unhealthy"})
    return site


def afresh(site: Site) -> datetime:
    """Give a moment at which a minute and a window of five begin, before which everything else was over.

    That window goes by too: what a tick finds at the end of a minute may be some seconds younger.
    """
    now = site.lab.clock.now()
    began = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=10)
    eventually(lambda: site.lab.clock.now() >= began + timedelta(minutes=5))
    return began


def agreed(site: Site, counted: Counted, since: datetime) -> None:
    """Hold what was published against what clients counted, when it is all there."""
    whole = site.dimensions()
    eventually(lambda: site.total("ProcessedBytes", whole, since) >= counted.bytes, lambda: f"{counted}")
    assert site.total("ProcessedBytes", whole, since) == counted.bytes
    assert site.total("ProcessedPackets", whole, since) == counted.packets
    assert site.total("NewFlowCount", whole, since) == counted.flows
    assert site.total("UnhealthyRoutingFlowCount", whole, since) == counted.flows


@pytest.mark.fact("4.3/network", "4.1/fail-open")
def test_without_health_checks_every_packet_is_a_clients(open_failed: Site) -> None:
    """And what went to the targets and came from them is what AWS/EC2 says of the instances."""
    site, since = open_failed, afresh(open_failed)
    counted = sum((requests(node, 200) for node in site.nodes.values()), Counted())
    agreed(site, counted, since)
    eventually(lambda: site.by_instance("NetworkIn", since) >= counted.bytes_out)
    assert site.by_instance("NetworkIn", since) == counted.bytes_out
    assert site.by_instance("NetworkOut", since) == counted.bytes_in
    assert site.by_instance("NetworkPacketsIn", since) == counted.packets_out
    assert site.by_instance("NetworkPacketsOut", since) == counted.packets_in


@pytest.mark.fact("4.1/resets")
def test_clients_that_reset_half_close_or_say_nothing(open_failed: Site) -> None:
    site, since = open_failed, afresh(open_failed)
    node = next(iter(site.nodes.values()))
    counted = sum((aborted(node) for _ in range(7)), Counted())
    counted += sum((request(node, half_closed=True) for _ in range(6)), Counted())
    counted += sum((request(node, b"", half_closed=True) for _ in range(5)), Counted())
    agreed(site, counted, since)
    assert site.total("TCP_Client_Reset_Count", site.dimensions(), since) == 7
    assert site.total("TCP_Target_Reset_Count", site.dimensions(), since) == 0


def test_targets_that_refuse(open_failed: Site) -> None:
    """The last: it stops the service on every instance."""
    site = open_failed
    for it in scaling.instances(site.lab):
        os.kill(site.cloud.process_in(it.instance_id, "MusicGuruServer.py"), signal.SIGKILL)
    eventually(lambda: not any(ask(*node).startswith("In ") for node in site.nodes.values()))
    since = afresh(site)
    counted = sum((refused(node) for node in site.nodes.values() for _ in range(8)), Counted())
    agreed(site, counted, since)
    assert site.total("TCP_Target_Reset_Count", site.dimensions(), since) == 16
    assert site.total("TCP_Client_Reset_Count", site.dimensions(), since) == 0
