"""What clients and targets may do to each other through the relay, each with a packet capture of the clients' side.

Run as a program it moves into a network namespace of its own, plays every scene, and prints for each what was
captured and what the relay has counted, as JSON. ``test_packets`` compares.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mglab.localcloud.seam import Probe
from mglab.localcloud.wires.counts import FlowCounts, Traffic
from mglab.localcloud.wires.flow import Destination
from mglab.localcloud.wires.loop import Loop
from mglab.localcloud.wires.prober import Prober
from mglab.localcloud.wires.relay import Entrance, Relay
from tests.local.capture import Capture, Packet, enter_namespace, sent_again
from tests.local.wirekit import GENEROUS_S, accept, connect, eventually, listen, read_all, reset

BULK = b"x" * 5_000_000
SYSCTL = Path("/proc/sys/net/ipv4")
REST_S = 0.75
"""Longer than any timer of the relay's, the prober's and the kernel's that may be running."""
FORBIDDEN = "not allowed here"


class Stage:
    """A relay with one entrance and the service behind it."""

    def __init__(
        self, loop: Loop, number: int, *, idle_timeout_s: float = 350.0, held: bool = False, held_s: float = 60.0
    ) -> None:
        self.public = (f"127.0.1.{number}", 5000)
        self.left: tuple[socket.socket, ...] = ()
        self.relay = Relay(loop, held_s=held_s)
        self.counts, self.traffic = FlowCounts(), Traffic()
        self.service = listen(f"127.0.2.{number}")
        target = Destination("i-a", self.service.getsockname(), self.counts, self.traffic)
        entrance = Entrance(*self.public, lambda syn, peer: None if held else target, idle_timeout_s, self.counts)
        self.relay.apply([entrance])

    def ends(self) -> tuple[socket.socket, socket.socket]:
        client = connect(self.public)
        return client, accept(self.service)

    def close(self) -> None:
        for connection in self.left:
            connection.close()
        self.service.close()
        self.relay.stop()


def a_line_each_way(stage: Stage) -> None:
    client, server = stage.ends()
    client.sendall(b"2004\n")
    assert server.recv(100) == b"2004\n"
    server.sendall(b"Float On\n")
    assert client.recv(100) == b"Float On\n"
    client.close()
    assert server.recv(1) == b""
    server.close()


def the_server_closes_first(stage: Stage) -> None:
    client, server = stage.ends()
    server.sendall(b"Float On\n")
    server.close()
    assert read_all(client) == b"Float On\n"
    client.close()


def nothing_is_said(stage: Stage) -> None:
    client, server = stage.ends()
    client.close()
    assert server.recv(1) == b""
    server.close()


def a_half_closed_client_still_gets_its_answer(stage: Stage) -> None:
    client, server = stage.ends()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert read_all(server) == b"question"
    server.sendall(b"answer")
    server.close()
    assert read_all(client) == b"answer"
    client.close()


def a_client_resets_at_once(stage: Stage) -> None:
    client, server = stage.ends()
    reset(client)
    with contextlib.suppress(ConnectionResetError):
        server.recv(1)
    server.close()


def a_client_resets_after_it_has_spoken(stage: Stage) -> None:
    client, server = stage.ends()
    client.sendall(b"hello")
    assert server.recv(100) == b"hello"
    reset(client)
    with contextlib.suppress(ConnectionResetError):
        server.recv(1)
    server.close()


def a_half_closed_client_resets(stage: Stage) -> None:
    client, server = stage.ends()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    reset(client)
    eventually(lambda: stage.counts.client_resets == 1)
    server.close()


def a_client_is_gone_when_the_answer_comes(stage: Stage) -> None:
    client, server = stage.ends()
    client.close()
    assert server.recv(1) == b""
    server.sendall(b"too late")
    eventually(lambda: stage.counts.client_resets == 1)
    server.close()


def a_client_closes_without_reading(stage: Stage) -> None:
    client, server = stage.ends()
    server.sendall(b"never read")
    eventually(lambda: len(client.recv(100, socket.MSG_PEEK)) == 10)
    client.close()
    eventually(lambda: stage.counts.client_resets == 1)
    server.close()


def the_target_refuses(stage: Stage) -> None:
    stage.service.close()
    with socket.socket() as client, contextlib.suppress(ConnectionResetError):
        client.connect(stage.public)
        client.recv(1)


def the_target_resets_after_its_last_words(stage: Stage) -> None:
    client, server = stage.ends()
    server.sendall(b"last words")
    reset(server)
    with contextlib.suppress(ConnectionResetError):
        read_all(client)
    client.close()


def five_megabytes_each_way_at_once(stage: Stage) -> None:
    client, server = stage.ends()

    def send(connection: socket.socket) -> None:
        connection.sendall(BULK)
        connection.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=send, args=(each,)) for each in (client, server)]
    threads += [threading.Thread(target=read_all, args=(each,)) for each in (client, server)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    server.close()


def a_slow_reader_is_still_served_when_both_have_closed(stage: Stage) -> None:
    client, server = stage.ends()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.sendall(BULK[: 1 << 20])
    server.close()
    eventually(lambda: stage.counts.active_flows == 0)
    assert len(read_all(client)) == 1 << 20
    client.close()


def a_living_flow(stage: Stage) -> None:
    """The client stays: what it did is counted while it does."""
    client, server = stage.ends()
    client.sendall(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"
    stage.left = (client, server)


def the_load_balancer_is_deleted(stage: Stage) -> None:
    client, server = stage.ends()
    client.sendall(b"hello")
    assert server.recv(100) == b"hello"
    stage.relay.cut([stage.public[0]])
    client.close()
    server.close()


def a_forgotten_client_speaks(stage: Stage) -> None:
    client, server = stage.ends()
    eventually(lambda: stage.counts.active_flows == 0)
    client.sendall(b"still there?")
    with contextlib.suppress(ConnectionResetError):
        client.recv(1)
    client.close()
    server.close()


def a_held_client_gives_up(stage: Stage) -> None:
    client = connect(stage.public)
    client.sendall(b"anyone?")
    client.close()


def a_held_client_is_let_go(stage: Stage) -> None:
    client = connect(stage.public)
    client.sendall(b"anyone?")
    with contextlib.suppress(ConnectionResetError):
        client.recv(1)
    client.close()


Scene = Callable[[Stage], None]
SCENES: dict[Scene, dict[str, Any]] = {
    a_line_each_way: {},
    the_server_closes_first: {},
    nothing_is_said: {},
    a_half_closed_client_still_gets_its_answer: {},
    a_client_resets_at_once: {},
    a_client_resets_after_it_has_spoken: {},
    a_half_closed_client_resets: {},
    a_client_is_gone_when_the_answer_comes: {},
    a_client_closes_without_reading: {},
    the_target_refuses: {},
    the_target_resets_after_its_last_words: {},
    five_megabytes_each_way_at_once: {},
    a_slow_reader_is_still_served_when_both_have_closed: {},
    a_living_flow: {},
    the_load_balancer_is_deleted: {},
    a_forgotten_client_speaks: {"idle_timeout_s": 0.2},
    a_held_client_gives_up: {"held": True},
    a_held_client_is_let_go: {"held": True, "held_s": 0.5},
}


WITHOUT_OPTIONS: dict[Scene, dict[str, Any]] = {
    scene: {} for scene in (a_line_each_way, a_client_is_gone_when_the_answer_comes, a_client_resets_at_once)
}


def play(scenes: dict[Scene, dict[str, Any]], loop: Loop, capture: Capture, first: int) -> dict[str, Any]:
    """Play scenes side by side; give what was captured and counted of each when all have come to rest."""
    stages = {scene: Stage(loop, first + number, **how) for number, (scene, how) in enumerate(scenes.items())}
    capture.taken()
    with ThreadPoolExecutor(len(stages)) as players:
        for played in [players.submit(scene, stage) for scene, stage in stages.items()]:
            played.result()
    seen = at_rest(capture, lambda: [stage.counts.processed_packets for stage in stages.values()])
    found = {
        scene.__name__: {"captured": summed(seen, stage.public), "counted": counted(stage)}
        for scene, stage in stages.items()
    }
    for stage in stages.values():
        stage.close()
    return found


def at_rest(capture: Capture, counts: Callable[[], Any]) -> list[Packet]:
    """Give the packets that were seen by the time that neither they nor the counts have changed for a while."""
    seen = capture.taken()
    before, since, end = (len(seen), counts()), time.monotonic(), time.monotonic() + GENEROUS_S
    while time.monotonic() - since < REST_S:
        assert time.monotonic() < end, "it did not come to rest"
        time.sleep(0.05)
        seen += capture.taken()
        if (now := (len(seen), counts())) != before:
            before, since = now, time.monotonic()
    return seen


def counted(stage: Stage) -> dict[str, int]:
    traffic, counts = stage.traffic, stage.counts
    if not traffic.packets_in:  # held: no instance has seen anything of it
        return {"packets": counts.processed_packets, "bytes": counts.processed_bytes}
    assert counts.processed_packets == traffic.packets_in + traffic.packets_out
    assert counts.processed_bytes == traffic.bytes_in + traffic.bytes_out
    ways = {"in": [traffic.packets_in, traffic.bytes_in], "out": [traffic.packets_out, traffic.bytes_out]}
    return {"packets": counts.processed_packets, "bytes": counts.processed_bytes, **ways}  # type: ignore[dict-item]


def summed(seen: list[Packet], where: tuple[str, int]) -> dict[str, Any]:
    """Add up what went to a place and came from it; but for what the kernel tells nobody (``packets``)."""
    to = [packet for packet in seen if packet.destination == where]
    back = [packet for packet in seen if packet.source == where]
    ways = [[sum(each.count for each in way), sum(each.length - each.sack for each in way)] for way in (to, back)]
    ways[0][1] -= sent_again(to)
    return {"packets": ways[0][0] + ways[1][0], "bytes": ways[0][1] + ways[1][1], "in": ways[0], "out": ways[1]}


def health_checks(loop: Loop, capture: Capture, *, open_: bool) -> dict[str, Any]:
    """Check a target until ten checks have been made, and compare in the same way."""
    service = listen("127.0.3.1")
    where = service.getsockname()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = service.accept()
                connection.recv(1)
                connection.close()

    if open_:
        threading.Thread(target=serve, daemon=True).start()
    else:
        service.close()
    prober = Prober(loop)
    capture.taken()
    prober.apply([Probe("tg", "i-a", 5000, "a", *where, "127.0.4.1", 0.02, 0.01, 0.0, load_balancer="net/x")])
    eventually(lambda: sum(report.total for report in prober.reports()) >= 10)
    prober.apply([])
    seen = at_rest(capture, lambda: dict(prober.packets))
    instance = prober.traffic["i-a"]
    prober.stop()
    ways = {"in": [instance.packets_in, instance.bytes_in], "out": [instance.packets_out, instance.bytes_out]}
    bytes_ = instance.bytes_in + instance.bytes_out
    counted = {"packets": prober.packets["net/x", "a", "tg"], "bytes": bytes_, **ways}
    return {"captured": summed(seen, where), "counted": counted}


def without_ports(loop: Loop) -> int:
    """Leave the relay one port to dial from while four clients come; give how often it had none."""
    before = (SYSCTL / "ip_local_port_range").read_text()
    stage = Stage(loop, 99)
    (SYSCTL / "ip_local_port_range").write_text("61000 61000")
    clients = [socket.socket() for _ in range(4)]
    for number, client in enumerate(clients):
        client.bind(("127.0.0.1", 40000 + number))
        with contextlib.suppress(ConnectionResetError):
            client.connect(stage.public)
    eventually(lambda: stage.counts.new_flows == len(clients))
    (SYSCTL / "ip_local_port_range").write_text(before)
    for client in clients:
        client.close()
    stage.close()
    return stage.counts.port_allocation_errors


def main() -> None:
    """Play everything and print it."""
    try:
        enter_namespace()
    except OSError as failure:
        sys.exit(f"{FORBIDDEN}: {failure}")
    capture, loop = Capture(), Loop("relay")
    loop.start()
    found = play(SCENES, loop, capture, 1)
    found["health_checks"] = health_checks(loop, capture, open_=True)
    found["refused_health_checks"] = health_checks(loop, capture, open_=False)
    found["port_allocation_errors"] = without_ports(loop)
    for number, option in enumerate(("tcp_timestamps", "tcp_sack", "tcp_window_scaling"), 1):
        (SYSCTL / option).write_text("0")
        others = play(WITHOUT_OPTIONS, loop, capture, 30 * number)
        found |= {f"{name} without {option} and before": what for name, what in others.items()}
    loop.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
