"""The relay: every byte, every half-close and every reset passes; nothing is lost and nothing spins."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mglab.localcloud.wires.counts import FlowCounts
from mglab.localcloud.wires.flow import Destination
from mglab.localcloud.wires.listener import Listener
from mglab.localcloud.wires.loop import Loop
from mglab.localcloud.wires.relay import Entrance, Relay
from tests.local.wirekit import Echo, accept, address, connect, eventually, flows_of, free_port, listen, read_all, reset

FIVE_MB = os.urandom(5 * 1024 * 1024)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop("relay under test")
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture
def relay(loop: Loop) -> Iterator[Relay]:
    relay = Relay(loop, held_s=1.0)
    yield relay
    relay.stop()


class Passage:
    """An entrance, the service behind it, and the counts."""

    def __init__(self, relay: Relay, idle_timeout_s: float = 350.0) -> None:
        self.relay = relay
        self.counts = FlowCounts()
        self.service = listen(address())
        self.public = (address(), free_port("127.0.0.1"))
        target = Destination("i-a", self.service.getsockname(), self.counts)
        self.entrance = Entrance(*self.public, lambda client, peer: target, idle_timeout_s, self.counts)
        relay.apply([self.entrance])

    def both_ends(self) -> tuple[socket.socket, socket.socket]:
        client = connect(self.public)
        return client, accept(self.service)


@pytest.fixture
def passage(relay: Relay) -> Iterator[Passage]:
    passage = Passage(relay)
    yield passage
    passage.service.close()


def test_a_line_each_way(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client, server:
        client.sendall(b"2004\n")
        assert server.recv(100) == b"2004\n"
        server.sendall(b"Float On\n")
        assert client.recv(100) == b"Float On\n"
    eventually(lambda: passage.counts.active_flows == 0)
    assert flows_of(passage.counts) == FlowCounts(new_flows=1, bytes_to_targets=5, bytes_to_clients=9)


def test_the_server_may_speak_first(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client, server:
        server.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"


@pytest.mark.fact("1.3/client-ip")
def test_the_server_sees_the_clients_address(passage: Passage) -> None:
    source = address()
    with connect(passage.public, source):
        server, peer = passage.service.accept()
        server.close()
    assert peer[0] == source


def test_five_megabytes_each_way_at_once_arrive_unchanged(passage: Passage) -> None:
    client, server = passage.both_ends()
    backwards = FIVE_MB[::-1]
    got: dict[str, bytes] = {}

    def stream(name: str, connection: socket.socket, data: bytes) -> list[threading.Thread]:
        def send() -> None:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        def receive() -> None:
            got[name] = read_all(connection)

        return [threading.Thread(target=send), threading.Thread(target=receive)]

    threads = stream("client", client, FIVE_MB) + stream("server", server, backwards)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    server.close()
    assert hashlib.sha256(got["server"]).digest() == hashlib.sha256(FIVE_MB).digest()
    assert hashlib.sha256(got["client"]).digest() == hashlib.sha256(backwards).digest()
    eventually(lambda: passage.counts.active_flows == 0)
    size = len(FIVE_MB)
    assert flows_of(passage.counts) == FlowCounts(new_flows=1, bytes_to_targets=size, bytes_to_clients=size)


def test_a_slow_reader_holds_the_sender_back_and_costs_no_cpu(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client, server:
        client.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 256 * 1024 * 1024:
                sent += client.send(FIVE_MB)
        assert sent < 64 * 1024 * 1024
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.25
        client.shutdown(socket.SHUT_WR)
        assert len(read_all(server)) == sent
    eventually(lambda: passage.counts.active_flows == 0)
    assert passage.counts.bytes_to_targets == sent


def test_a_slow_reader_after_both_fins_costs_no_cpu(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client, server:
        server.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        client.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while True:
                sent += client.send(FIVE_MB)
        client.close()
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.25
        assert len(read_all(server)) == sent


def test_half_closed_the_answer_still_comes(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client, server:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert read_all(server) == b"question"
        assert passage.counts.active_flows == 1
        server.sendall(b"answer")
        server.close()
        assert read_all(client) == b"answer"
    eventually(lambda: passage.counts.active_flows == 0)
    assert passage.counts.target_resets == passage.counts.client_resets == 0


def test_a_targets_reset_reaches_the_client_after_what_it_said(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client:
        server.sendall(b"last words")
        reset(server)
        eventually(lambda: passage.counts.target_resets == 1)
        assert client.recv(100) == b"last words"
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    assert flows_of(passage.counts) == FlowCounts(new_flows=1, bytes_to_clients=10, target_resets=1)


def test_a_clients_reset_reaches_the_target(passage: Passage) -> None:
    client, server = passage.both_ends()
    with server:
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"
        reset(client)
        with pytest.raises(ConnectionResetError):
            server.recv(100)
    eventually(lambda: passage.counts.active_flows == 0)
    assert flows_of(passage.counts) == FlowCounts(new_flows=1, bytes_to_targets=5, client_resets=1)


def test_a_reset_after_a_half_close_is_a_reset(passage: Passage) -> None:
    client, server = passage.both_ends()
    with server:
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        reset(client)
        eventually(lambda: passage.counts.client_resets == 1)
        # With its FIN behind it, a connection that is reset tells its writer, not its reader.
        with pytest.raises(OSError):
            for _ in range(3):
                server.sendall(b"too late")


@pytest.mark.fact("1.3/target-closed")
def test_a_refusal_is_a_reset_by_the_target(passage: Passage) -> None:
    passage.service.close()
    with pytest.raises(ConnectionResetError), connect(passage.public) as client:
        client.recv(1)
    eventually(lambda: passage.counts.active_flows == 0)
    assert flows_of(passage.counts) == FlowCounts(new_flows=1, target_resets=1)


def test_a_connect_that_waits_holds_nobody_up(relay: Relay) -> None:
    """The target's queue is full, so its handshake does not complete; meanwhile another client is served."""
    full = listen(address(), backlog=0)
    fillers = [socket.socket() for _ in range(3)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
    with contextlib.closing(Passage(relay).service) as service:
        counts = FlowCounts()
        stuck = Destination("i-stuck", full.getsockname(), counts)
        good = Destination("i-good", service.getsockname(), counts)
        one, two = (address(), 21000), (address(), 21000)
        relay.apply([Entrance(*one, lambda client, peer: stuck), Entrance(*two, lambda client, peer: good)])
        with connect(one) as waiting, connect(two) as client, accept(service) as server:
            waiting.sendall(b"anyone?")
            client.sendall(b"hello")
            assert server.recv(10) == b"hello"
            assert counts.active_flows == 2
            reset(waiting)
            eventually(lambda: counts.client_resets == 1)
    for filler in fillers:
        filler.close()
    full.close()


@pytest.mark.fact("1.3/idle", "1.3/no-flow")
def test_an_idle_flow_is_forgotten_and_the_next_packet_reset(relay: Relay) -> None:
    passage = Passage(relay, idle_timeout_s=0.3)
    client, server = passage.both_ends()
    with client, server:
        client.sendall(b"hello")
        assert server.recv(10) == b"hello"
        eventually(lambda: passage.counts.active_flows == 0)
        assert passage.counts.balancer_resets == 0
        client.sendall(b"still there?")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert passage.counts.balancer_resets == 1
        server.sendall(b"and I?")
        with pytest.raises(ConnectionResetError):
            server.recv(1)
        assert passage.counts.balancer_resets == 2
    passage.service.close()


@pytest.mark.fact("1.3/idle")
def test_a_flow_that_speaks_is_not_idle(relay: Relay) -> None:
    passage = Passage(relay, idle_timeout_s=2.0)
    client, server = passage.both_ends()
    with client, server:
        for _ in range(25):
            client.sendall(b"x")
            assert server.recv(1) == b"x"
            time.sleep(0.1)
        assert passage.counts.active_flows == 1
    passage.service.close()


def test_a_flow_outlives_its_entrance(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client, server:
        passage.relay.apply([])
        with pytest.raises(ConnectionRefusedError):
            connect(passage.public)
        client.sendall(b"still served")
        assert server.recv(100) == b"still served"


def test_cut_resets_both_ends(passage: Passage) -> None:
    client, server = passage.both_ends()
    with client, server:
        passage.relay.cut([passage.public[0]])
        for end in (client, server):
            with pytest.raises(ConnectionResetError):
                end.recv(1)
    assert flows_of(passage.counts) == FlowCounts(new_flows=1, balancer_resets=1)


def test_a_client_without_destination_is_held_then_let_go(relay: Relay) -> None:
    counts, public = FlowCounts(), (address(), 21001)
    relay.apply([Entrance(*public, lambda client, peer: None, counts=counts)])
    with connect(public) as client:
        client.sendall(b"anyone?")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert counts.active_flows == 1
        client.settimeout(10)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert flows_of(counts) == FlowCounts(new_flows=1)


@pytest.mark.fact("1.3/return-path")
def test_a_target_that_does_not_answer_in_time_has_no_way_back(loop: Loop) -> None:
    """The flow is forgotten: what the client says after that is answered with an RST, which is the balancer's."""
    silent = Listener(address(), 21005)
    silent.darken()
    hasty, counts, public = Relay(loop, return_path_s=0.5), FlowCounts(), (address(), 21006)
    hasty.apply([Entrance(*public, lambda client, peer: Destination("i-a", silent.address, counts))])
    with connect(public) as client:
        eventually(lambda: counts.new_flows == 1)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert counts.active_flows == 1
        eventually(lambda: counts.active_flows == 0)
        client.settimeout(10)
        client.sendall(b"2004\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert counts.balancer_resets == 1 and counts.bytes_to_targets == 0
    hasty.stop()
    silent.close()


def test_a_held_client_that_gives_up_is_let_go(loop: Loop) -> None:
    patient = Relay(loop, held_s=60)
    counts, public = FlowCounts(), (address(), 21002)
    patient.apply([Entrance(*public, lambda client, peer: None, counts=counts)])
    with connect(public) as client:
        client.sendall(b"anyone?")
        eventually(lambda: counts.active_flows == 1)
    eventually(lambda: counts.active_flows == 0)
    patient.stop()


def test_a_dark_port_times_out_and_opens_again(relay: Relay) -> None:
    service = Echo("i-a", address())
    public = (address(), 21003)
    target = Destination("i-a", service.address, FlowCounts())
    open_, dark = Entrance(*public, lambda client, peer: target), Entrance(*public)
    for _ in range(2):
        relay.apply([dark])
        with pytest.raises(TimeoutError):
            connect(public, timeout_s=0.5)
        relay.apply([open_])
        with connect(public) as client:
            assert client.recv(10) == b"i-a\n"
    service.close()


def test_a_client_that_still_tries_gets_in_when_a_dark_port_opens(relay: Relay) -> None:
    service = Echo("i-a", address())
    public = (address(), 21004)
    target = Destination("i-a", service.address, FlowCounts())
    relay.apply([Entrance(*public)])
    with socket.socket() as client:
        client.setblocking(False)
        assert client.connect_ex(public) == errno.EINPROGRESS
        time.sleep(0.1)
        relay.apply([Entrance(*public, lambda client, peer: target)])
        client.settimeout(10)
        eventually(lambda: client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1)
        assert client.recv(10) == b"i-a\n"
    service.close()


def test_a_port_that_is_taken_is_a_trouble_until_it_is_free(relay: Relay) -> None:
    taken = listen(address())
    entrance = Entrance(*taken.getsockname())
    relay.apply([entrance])
    (line,) = relay.troubles()
    assert f"port {entrance.port} of {entrance.address} could not be bound" in line
    taken.close()
    relay.apply([entrance])
    assert relay.troubles() == ()


def test_without_descriptors_clients_wait_and_nothing_spins(passage: Passage) -> None:
    """Client and service live in this process as well: they are made before descriptors run out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = [socket.socket() for _ in range(4)]
    spare = [os.dup(0) for _ in range(24)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
    taken: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for client in clients:
            client.settimeout(10)
            client.connect(passage.public)
        eventually(lambda: "out of file descriptors: new connections wait" in passage.relay.troubles())
        before = time.process_time()
        time.sleep(0.6)
        assert time.process_time() - before < 0.2
        for fd in spare:
            os.close(fd)
        for client in clients:
            client.sendall(b"hello")
            with accept(passage.service) as server:
                assert server.recv(10) == b"hello"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)
        for client in clients:
            client.close()
    eventually(lambda: passage.counts.active_flows == 0)
    assert passage.counts.new_flows == 4
    eventually(lambda: passage.relay.troubles() == ())


def test_many_flows_at_once_are_all_counted(relay: Relay) -> None:
    service = Echo("i-a", address())
    counts, public = FlowCounts(), (address(), 21005)
    target = Destination("i-a", service.address, counts)
    relay.apply([Entrance(*public, lambda client, peer: target)])
    clients = [connect(public) for _ in range(150)]
    for number, client in enumerate(clients):
        client.sendall(b"x" * number)
        client.shutdown(socket.SHUT_WR)
    for number, client in enumerate(clients):
        assert read_all(client) == b"i-a\n" + b"x" * number
        client.close()
    eventually(lambda: counts.active_flows == 0)
    sent = sum(range(150))
    assert flows_of(counts) == FlowCounts(new_flows=150, bytes_to_targets=sent, bytes_to_clients=sent + 4 * 150)
    service.close()
