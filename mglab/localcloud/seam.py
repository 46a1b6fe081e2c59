"""What passes between the control plane and the data plane, and nothing else.

Two processes, as on AWS: an API answer being serialised never stalls a flow or a probe. The control plane
sends whole snapshots of what should be (``Desired``); the data plane answers with whole snapshots of what
is (``Observed``). Either side may miss any number of snapshots but the last. They travel pickled over one
``multiprocessing.connection.Connection``, a socket pair that no other process can reach; its end of file
means that the other side is gone.

All addresses in here are loopback addresses that this host can really connect to, unless the name says
``private``. All times are wall seconds unless the name says otherwise: the control plane owns the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Power = Literal["on", "off"]
Verdict = Literal["open", "dropped"]


@dataclass(frozen=True)
class MachineSpec:
    """An instance that should exist. Absent from the snapshot: terminated, its tree is deleted."""

    instance_id: str
    image_id: str
    """The image whose tree it is copied from before its first boot."""
    power: Power
    boots: int
    """How often it should have been booted by now; a higher number than the last means: boot again."""
    vpc_id: str
    private_address: str
    """What its programs see and report, e.g. 192.168.0.57."""
    loopback_address: str
    """Where its services really listen, e.g. 127.64.0.12."""
    host_name: str
    """E.g. ip-192-168-0-57."""
    user_data: bytes = b""
    """Raw (possibly gzip) user-data, already base64-decoded."""
    public_key: str = ""
    """The public half of its key pair, in OpenSSH's form; empty: launched without one, nobody gets in."""
    ssh_port: int = 22
    """Where its SSH server listens at the loopback address: 22, or what stands for it on this host."""


@dataclass(frozen=True)
class ImageSpec:
    """An image that should exist. Absent: deregistered and its snapshot deleted, the tree is deleted."""

    image_id: str
    source_instance_id: str | None = None
    """Copy this instance's tree, once, when it is off (or at once with ``no_reboot``); None: seeded."""
    no_reboot: bool = False


@dataclass(frozen=True)
class Candidate:
    """A target that a listener's flow hash may choose."""

    target_id: str
    address: str
    port: int
    verdict: Verdict = "open"
    """``dropped``: the SYN would never be answered (security group, dead instance): the client times out."""


@dataclass(frozen=True)
class NodeListener:
    """One port of one node, and who may be chosen behind it (the control plane has applied the rules)."""

    port: int
    target_group_arn: str
    candidates: tuple[Candidate, ...] = ()
    fail_open: bool = False
    hash_key: bytes = b""
    idle_timeout_s: float = 350.0
    cut_off: tuple[tuple[str, int], ...] = ()
    """(target id, port) of targets whose flows are reset at their next packet: those that turned unhealthy,
    unless fail-open (aws-facts 1.7), and those whose group ends connections with the deregistration delay."""
    sticky: bool = False
    """A client's address alone decides: its connections all go to one target (stickiness.type source_ip)."""


@dataclass(frozen=True)
class Node:
    """A load balancer's presence in one zone."""

    load_balancer: str
    """The dimension value, e.g. net/MGLB/50dc6c495c0c9188."""
    zone: str
    address: str
    """The public loopback address that DNS gives out."""
    loopback_address: str
    """The loopback address that stands for its private one: the source of its probes."""
    listeners: tuple[NodeListener, ...] = ()
    dropped_ports: tuple[int, ...] = ()
    """Ports promised to time out: 22 and the ports of security groups, without a listener here."""


@dataclass(frozen=True)
class Front:
    """One port of one instance's public address."""

    instance_id: str
    address: str
    port: int
    verdict: Verdict
    """``open``: relayed when the instance listens there, else refused. ``dropped``: a client times out."""
    target_address: str


@dataclass(frozen=True)
class Probe:
    """A health check that one node makes of one target."""

    target_group_arn: str
    target_id: str
    target_port: int
    """The registered port (part of a target's identity), not the one probed."""
    zone: str
    """The zone of the node that probes."""
    address: str
    port: int
    """The health check port that is connected to."""
    source_address: str
    interval_s: float
    timeout_s: float
    starts_at: float
    """Wall epoch seconds before which nothing is probed."""
    verdict: Verdict = "open"
    load_balancer: str = ""
    """The dimension value of the node's load balancer: whose packets they are."""

    @property
    def key(self) -> ProbeKey:
        return (self.target_group_arn, self.target_id, self.target_port, self.zone)


ProbeKey = tuple[str, str, int, str]


@dataclass(frozen=True)
class PrivateAddress:
    """Which loopback address stands for a private one, so that programs inside can be spoken to."""

    vpc_id: str
    private_address: str
    loopback_address: str


@dataclass(frozen=True)
class Desired:
    """All that the data plane should be doing now."""

    machines: tuple[MachineSpec, ...] = ()
    images: tuple[ImageSpec, ...] = ()
    nodes: tuple[Node, ...] = ()
    fronts: tuple[Front, ...] = ()
    probes: tuple[Probe, ...] = ()
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """DNS: lower-case name -> public loopback addresses. An unknown name does not resolve."""
    private_addresses: tuple[PrivateAddress, ...] = ()


@dataclass(frozen=True)
class MachineReport:
    """What an instance's processes are doing."""

    instance_id: str
    power: Power
    """``on`` from the moment its init runs."""
    boots: int
    cpu_ns: int
    """CPU time of its whole process tree since its first boot, finished children included; never falls."""
    processes: int
    powered_off: bool = False
    """Somebody inside said ``poweroff``: its processes have ended by themselves, as they were told."""


@dataclass(frozen=True)
class ProbeReport:
    """The run of outcomes that a probe is in: the control plane applies the thresholds."""

    key: ProbeKey
    passed: bool
    """The last outcome."""
    streak: int
    """How many outcomes in a row were like the last."""
    total: int
    failure: str = ""
    """``refused`` or ``timed out`` when the last one failed."""
    at: float = 0.0
    """Wall epoch seconds of the last outcome."""


@dataclass(frozen=True)
class RefusalReport:
    """How real connections to one target fared that one node passed on: what passive health checks go by."""

    key: ProbeKey
    streak: int
    """How many in a row the target has refused, up to the last one."""
    total: int
    """How many it has refused since the data plane began; never falls."""


FlowKey = tuple[str, str, str]
"""(load balancer dimension value, zone of the node, target group ARN)"""


@dataclass(frozen=True)
class FlowReport:
    """What flowed through one node's listeners to one target group, since the data plane began. Never falls,
    but for ``active_flows``."""

    key: FlowKey
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
    """On the clients' side, both ways; ``processed_bytes`` is their length, TCP/IP headers included."""
    processed_bytes: int = 0
    health_check_packets: int = 0


@dataclass(frozen=True)
class TrafficReport:
    """What instances have exchanged with clients and health checks, since the data plane began; never falls."""

    instance_id: str
    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0


@dataclass(frozen=True)
class Observed:
    """All that the data plane sees now."""

    machines: tuple[MachineReport, ...] = ()
    images: tuple[str, ...] = ()
    """Images whose tree is complete on disk."""
    probes: tuple[ProbeReport, ...] = ()
    refusals: tuple[RefusalReport, ...] = ()
    """Of targets that have refused somebody."""
    flows: tuple[FlowReport, ...] = ()
    traffic: tuple[TrafficReport, ...] = ()
    troubles: tuple[str, ...] = ()
    """What the data plane could not do, in words (an address that could not be bound, a full disk)."""
