"""Counters equal what the clients counted themselves: 10,000 real requests, to the flow, the packet and the byte.

The clients do not ask the cloud what they did. They count their flows, and each asks its own kernel how many packets
its connection had and of what size (the balancer's side of it is another socket, counted by another program). Then
the metrics are read as anybody reads them, over the API, in both of CloudWatch's wire protocols.

Health checks are packets too. The second half therefore closes the health port: no check gets through, every
target fails, the balancer fails open (the sheet's own trap), and what is left is the clients' packets alone.
"""

from __future__ import annotations

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
from tests.local.cloud_under_test import Cloud, eventually, lab_on, put_up_service, started

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


def request(where: tuple[str, int]) -> Counted:
    """Ask for a song, read the reply to its end, close, and count the connection."""
    with socket.create_connection(where, BOUND_S) as wire:
        wire.sendall(b"2004\n")
        reply = b"".join(iter(lambda: wire.recv(4096), b""))
        assert reply.startswith(b"In 2004 the number "), reply
        wire.shutdown(socket.SHUT_WR)
        info, end = b"", time.monotonic() + BOUND_S
        while not info or info[0] != CLOSED:  # until our own FIN is acknowledged: nothing comes after that
            assert time.monotonic() < end, "the connection did not close"
            info = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)
    sent, received = struct.unpack_from("II", info, 136)
    options = info[5]
    header = 40 + (12 if options & TIMESTAMPS else 0)
    first = 44 + (12 if options & TIMESTAMPS else 4 if options & SACK else 0) + (4 if options & WINDOW_SCALE else 0)
    return Counted(1, sent, first + (sent - 1) * header + 5, received, first + (received - 1) * header + len(reply))


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
    published = lambda: site.total("ProcessedBytes", site.dimensions()) >= whole.bytes  # noqa: E731
    eventually(published, lambda: f"{site.total('ProcessedBytes', site.dimensions())} of {whole}")
    return found


# -- what flowed is counted ------------------------------------------------------------------------------------


def test_new_flows(site: Site, made: dict[str, Counted]) -> None:
    for metric in ("NewFlowCount", "NewFlowCount_TCP"):
        assert site.total(metric, site.dimensions()) == sum(BY_ZONE) == 10_000
        assert site.total(metric, {"TargetGroup": site.group}) == 10_000
        for zone, count in zip(made, BY_ZONE, strict=True):
            assert site.total(metric, site.dimensions(zone)) == count


def test_processed_bytes_to_the_byte(site: Site, made: dict[str, Counted]) -> None:
    for metric in ("ProcessedBytes", "ProcessedBytes_TCP"):
        assert site.total(metric, site.dimensions()) == sum(made.values(), Counted()).bytes
        for zone, counted in made.items():
            assert site.total(metric, site.dimensions(zone)) == counted.bytes


def test_processed_packets_are_the_clients_and_the_health_checks(site: Site, made: dict[str, Counted]) -> None:
    """Each check takes a handshake and two FINs with their acknowledgements, or with one of those saved."""
    checks = site.total("ProcessedPackets", site.dimensions()) - sum(made.values(), Counted()).packets
    assert checks >= 5 * len(site.nodes)


def test_nothing_else_happened(site: Site, made: dict[str, Counted]) -> None:
    for metric in ("TCP_Client_Reset_Count", "TCP_Target_Reset_Count", "TCP_ELB_Reset_Count", "RejectedFlowCount",
                   "PortAllocationErrorCount"):  # fmt: skip
        points = site.points(metric, site.dimensions(), site.began)
        assert points and not any(points), metric
    for metric in ("RejectedFlowCount_TCP", "UnhealthyRoutingFlowCount"):
        assert site.points(metric, site.dimensions(), site.began) == []


def test_peaks_are_no_lower_than_the_mean_and_no_higher_than_the_whole(site: Site, made: dict[str, Counted]) -> None:
    for zone, counted in made.items():
        per_minute = max(site.points("ProcessedBytes", site.dimensions(zone), site.began))
        peak = max(site.points("PeakBytesPerSecond", site.dimensions(zone), site.began, statistic="Maximum"))
        assert per_minute / 180 <= peak <= counted.bytes / 10


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
def open_failed(site: Site, made: dict[str, Counted]) -> datetime:
    """Close the health port until every target has failed; give a moment from which on no check was made.

    Minutes and five-minute windows begin at it. The first goes by before anything else is asked for: what a tick
    finds at a minute's end may be some seconds younger.
    """
    lab = site.lab
    scaling_group = lab.config.group_name
    lab.autoscaling.suspend_processes(AutoScalingGroupName=scaling_group, ScalingProcesses=["ReplaceUnhealthy"])
    security.revoke(lab, security.security_group(lab), lab.config.health_port)
    eventually(lambda: {it.state for it in balancing.target_health(lab)} == {"unhealthy"})
    now = lab.clock.now()
    began = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=10)
    eventually(lambda: lab.clock.now() >= began + timedelta(minutes=5))
    return began


def test_without_health_checks_every_packet_is_a_clients(site: Site, open_failed: datetime) -> None:
    """And what went to the targets and came from them is what AWS/EC2 says of the instances."""
    counted = sum((requests(node, 200) for node in site.nodes.values()), Counted())
    whole = site.dimensions()
    eventually(lambda: site.total("ProcessedBytes", whole, open_failed) >= counted.bytes)
    assert site.total("ProcessedBytes", whole, open_failed) == counted.bytes
    assert site.total("ProcessedPackets", whole, open_failed) == counted.packets
    assert site.total("UnhealthyRoutingFlowCount", whole, open_failed) == counted.flows
    eventually(lambda: site.by_instance("NetworkIn", open_failed) >= counted.bytes_out)
    assert site.by_instance("NetworkIn", open_failed) == counted.bytes_out
    assert site.by_instance("NetworkOut", open_failed) == counted.bytes_in
    assert site.by_instance("NetworkPacketsIn", open_failed) == counted.packets_out
    assert site.by_instance("NetworkPacketsOut", open_failed) == counted.packets_in
