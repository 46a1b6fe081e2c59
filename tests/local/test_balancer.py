"""The load balancer's nodes over real connections: who is chosen, what is counted, what a client meets."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mglab.localcloud.rules.flowhash import SixTuple
from mglab.localcloud.seam import Candidate, FlowReport, Node, NodeListener
from mglab.localcloud.wires.balancer import Balancer, cut_off, in_order, placed
from mglab.localcloud.wires.listener import Listener, saved_syn, sequence_of
from mglab.localcloud.wires.loop import Loop
from mglab.localcloud.wires.relay import Relay
from tests.local.wirekit import Echo, address, connect, eventually, flows_of, read_all

PORT = 21500
KEY = ("net/MGLB/50dc6c495c0c9188", "us-east-1a", "arn:mgtg")


class Cloud:
    """One node with one listener, and services to put behind it."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.balancer = Balancer()
        self.public = (address(), PORT)
        self.services = [Echo(f"i-{letter}", address(), PORT) for letter in "ab"]
        self.candidates = tuple(Candidate(one.name, *one.address) for one in self.services)

    def node(self, *candidates: Candidate, fail_open: bool = False, dropped_ports: tuple[int, ...] = ()) -> Node:
        listener = NodeListener(PORT, KEY[2], candidates, fail_open, b"key")
        return Node(KEY[0], KEY[1], self.public[0], "127.0.0.1", (listener,), dropped_ports)

    def apply(self, *nodes: Node) -> None:
        self.relay.apply(self.balancer.entrances(nodes))

    def report(self) -> FlowReport:
        (report,) = self.balancer.reports()
        return report

    def ask(self, source: str | None = None) -> str:
        with connect(self.public, source) as client:
            client.shutdown(socket.SHUT_WR)
            return read_all(client).decode().strip()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    loop = Loop("relay under test")
    loop.start()
    relay = Relay(loop, held_s=0.5)
    cloud = Cloud(relay)
    yield cloud
    for service in cloud.services:
        service.close()
    relay.stop()
    loop.stop()


@pytest.mark.fact("1.3/not-terminated")
def test_both_targets_serve_and_every_flow_is_counted(cloud: Cloud) -> None:
    cloud.apply(cloud.node(*cloud.candidates))
    answers = Counter(cloud.ask() for _ in range(60))
    assert set(answers) == {"i-a", "i-b"} and min(answers.values()) >= 10
    eventually(lambda: cloud.report().active_flows == 0)
    assert flows_of(cloud.report()) == FlowReport(KEY, new_flows=60, bytes_to_clients=60 * 4)


@pytest.mark.fact("0/six-inputs", "1.3/per-connection")
def test_the_same_source_port_may_go_elsewhere_next_time(cloud: Cloud) -> None:
    """The sixth input is the sequence number of the SYN: the five others are the same in every connection here."""
    cloud.apply(cloud.node(*cloud.candidates))
    source, answers = address(), set()
    for _ in range(40):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.settimeout(10)
            client.bind((source, 21999))
            client.connect(cloud.public)
            answers.add(client.recv(10))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert answers == {b"i-a\n", b"i-b\n"}


def test_a_sticky_listener_keeps_a_client_on_one_target(cloud: Cloud) -> None:
    node = cloud.node(*cloud.candidates)
    cloud.apply(replace(node, listeners=(replace(node.listeners[0], sticky=True),)))
    answers = [{cloud.ask(source) for _ in range(5)} for source in (address() for _ in range(20))]
    assert all(len(of_one_client) == 1 for of_one_client in answers)
    assert set().union(*answers) == {"i-a", "i-b"}


def test_refusals_are_counted_for_each_target_and_in_a_row(cloud: Cloud) -> None:
    """What passive health checks go by (aws-facts 1.5)."""
    gone = cloud.services[0]
    cloud.apply(cloud.node(cloud.candidates[0]))
    assert cloud.ask() == gone.name and cloud.balancer.refusals() == ()
    gone.close()
    for count in (1, 2, 3):
        with pytest.raises(ConnectionResetError):
            cloud.ask()
        (refused,) = cloud.balancer.refusals()
        assert (refused.key, refused.streak, refused.total) == ((KEY[2], "i-a", PORT, KEY[1]), count, count)
    cloud.services[0] = Echo("i-a", cloud.candidates[0].address, PORT)
    assert cloud.ask() == "i-a"
    (answered,) = cloud.balancer.refusals()
    assert (answered.streak, answered.total) == (0, 3)


def test_the_sequence_number_is_read_from_the_clients_syn() -> None:
    listener = Listener(address(), PORT)
    listener.brighten()
    sequences = []
    for _ in range(3):
        with connect(listener.address):
            accepted = listener.accept()
            assert accepted is not None
            sequences.append(sequence_of(saved_syn(accepted[0])))
            accepted[0].close()
    listener.close()
    assert None not in sequences and len(set(sequences)) == 3


def test_without_saved_headers_there_is_no_sequence_number() -> None:
    assert sequence_of(b"") is None
    assert sequence_of(bytes([0x60]) + bytes(59)) is None
    assert sequence_of(bytes([0x45]) + bytes(23) + (7).to_bytes(4, "big") + bytes(32)) == 7


@pytest.mark.fact("1.3/per-connection", "1.7/deregister", "1.7/deregister-stops")
def test_a_flow_stays_on_its_target_when_the_target_is_deregistered(cloud: Cloud) -> None:
    one, other = cloud.candidates
    cloud.apply(cloud.node(one))
    with connect(cloud.public) as client:
        assert client.recv(10) == b"i-a\n"
        cloud.apply(cloud.node(other))
        assert {cloud.ask() for _ in range(5)} == {"i-b"}
        client.sendall(b"still here")
        assert client.recv(100) == b"still here"
        assert cloud.report().active_flows == 1


@pytest.mark.fact("1.7/unhealthy")
def test_a_target_that_turns_unhealthy_loses_its_flows_at_the_next_packet(cloud: Cloud) -> None:
    node = cloud.node(cloud.candidates[0])
    cloud.apply(node)
    with connect(cloud.public) as client:
        assert client.recv(10) == b"i-a\n"
        turned = replace(node.listeners[0], candidates=cloud.candidates[1:], cut_off=(("i-a", PORT),))
        doomed = cut_off([replace(node, listeners=(turned,))])
        cloud.relay.forget(doomed)
        assert cloud.report().active_flows == cloud.report().balancer_resets == 0
        client.sendall(b"still there?")
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    assert cloud.report().balancer_resets == 1


def test_a_flow_survives_the_deletion_of_its_listener(cloud: Cloud) -> None:
    node = cloud.node(*cloud.candidates)
    cloud.apply(node)
    with connect(cloud.public) as client:
        client.recv(10)
        cloud.apply(replace(node, listeners=(), dropped_ports=(PORT,)))
        with pytest.raises(TimeoutError):
            connect(cloud.public, timeout_s=0.3)
        client.sendall(b"still here")
        assert client.recv(100) == b"still here"


@pytest.mark.fact("1.3/target-silent")
def test_a_target_that_would_not_answer_holds_its_share_of_clients(cloud: Cloud) -> None:
    one, other = cloud.candidates
    cloud.apply(cloud.node(one, replace(other, verdict="dropped")))
    outcomes: Counter[str] = Counter()
    for _ in range(30):
        with connect(cloud.public, timeout_s=0.1) as client:
            try:
                outcomes[client.recv(10).decode()] += 1
            except TimeoutError:
                outcomes["silence"] += 1
    assert set(outcomes) == {"i-a\n", "silence"}
    eventually(lambda: cloud.report().active_flows == 0)
    assert cloud.report().new_flows == 30


@pytest.mark.fact("1.3/target-silent")
def test_when_nobody_would_answer_the_connect_itself_times_out(cloud: Cloud) -> None:
    dropped = [replace(candidate, verdict="dropped") for candidate in cloud.candidates]
    for candidates in ((), dropped):
        cloud.apply(cloud.node(*candidates))
        with pytest.raises(TimeoutError):
            connect(cloud.public, timeout_s=0.3)
    cloud.apply(cloud.node(*cloud.candidates))
    assert cloud.ask() in {"i-a", "i-b"}


@pytest.mark.fact("1.3/no-listener")
def test_a_promised_port_without_listener_times_out(cloud: Cloud) -> None:
    cloud.apply(cloud.node(*cloud.candidates, dropped_ports=(PORT, PORT + 1)))
    with pytest.raises(TimeoutError):
        connect((cloud.public[0], PORT + 1), timeout_s=0.3)
    assert cloud.ask() in {"i-a", "i-b"}


def test_fail_open_flows_are_counted(cloud: Cloud) -> None:
    cloud.apply(cloud.node(*cloud.candidates, fail_open=True))
    for _ in range(3):
        cloud.ask()
    assert cloud.report().fail_open_flows == 3


@pytest.mark.fact("1.3/hairpin")
def test_an_instance_that_is_led_back_to_itself_gets_no_answer(cloud: Cloud) -> None:
    one, other = cloud.candidates
    cloud.apply(cloud.node(one, other))
    outcomes = set()
    for _ in range(30):
        with connect(cloud.public, source=one.address, timeout_s=0.1) as client:
            try:
                outcomes.add(client.recv(10))
            except TimeoutError:
                outcomes.add(b"silence")
    assert outcomes == {b"i-b\n", b"silence"}


@pytest.mark.fact("1.3/target-closed")
def test_a_closed_port_of_a_target_resets_its_clients(cloud: Cloud) -> None:
    cloud.apply(cloud.node(Candidate("i-c", address(), PORT)))
    with pytest.raises(ConnectionResetError):
        cloud.ask()
    eventually(lambda: cloud.report().active_flows == 0)
    assert flows_of(cloud.report()) == FlowReport(KEY, new_flows=1, target_resets=1)


def test_the_order_of_candidates_makes_no_difference() -> None:
    three = tuple(Candidate(f"i-{letter}", "127.0.0.1", 5000) for letter in "abc")
    one = in_order(NodeListener(5000, "arn", three, hash_key=b"k"))
    other = in_order(NodeListener(5000, "arn", three[::-1], hash_key=b"k"))
    for sequence in range(20):
        flow = SixTuple("127.0.0.1", 40000, "127.0.0.2", 5000, sequence)
        assert placed(one, flow) == placed(other, flow)
