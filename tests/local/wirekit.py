"""What the tests of the wires share: addresses of this test run, small servers and clients, patience."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from mglab.localcloud.seam import FlowReport
from mglab.localcloud.wires.counts import FlowCounts

GENEROUS_S = 20.0
_numbers = itertools.count(1)


def address() -> str:
    """Give a loopback address that no other test of this run uses."""
    block, host = divmod(next(_numbers), 250)
    return f"127.{200 + os.getpid() % 50}.{(os.getpid() // 50 + block) % 250}.{host + 1}"


def free_port(where: str) -> int:
    """Give a port below the ephemeral ones that is free at an address of our own."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((where, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def eventually(condition: Callable[[], object], patience_s: float = GENEROUS_S) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def listen(where: str, port: int = 0, backlog: int = 512) -> socket.socket:
    """Open a service's socket."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((where, port))
    listening.listen(backlog)
    listening.settimeout(GENEROUS_S)
    return listening


def connect(to: tuple[str, int], source: str | None = None, timeout_s: float = GENEROUS_S) -> socket.socket:
    """Open a client's connection."""
    return socket.create_connection(to, timeout_s, source_address=(source, 0) if source else None)


def accept(listening: socket.socket) -> socket.socket:
    """Take a service's next connection."""
    connection, _ = listening.accept()
    connection.settimeout(GENEROUS_S)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Read to the FIN."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def reset(connection: socket.socket) -> None:
    """Close with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


Counted = TypeVar("Counted", FlowCounts, FlowReport)


def flows_of(counts: Counted) -> Counted:
    """Give the counts but for packets, which ``test_packets`` holds against a capture."""
    return replace(counts, processed_packets=0, processed_bytes=0)


class Echo:
    """A service that says its name at once, then gives back what it gets until the FIN."""

    def __init__(self, name: str, where: str, port: int = 0) -> None:
        self.name = name
        self.listening = listen(where, port)
        self.address: tuple[str, int] = self.listening.getsockname()
        self.peers: list[tuple[str, int]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening; connections go on."""
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, peer = self.listening.accept()
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        connection.settimeout(GENEROUS_S)
        with connection:
            try:
                connection.sendall(self.name.encode() + b"\n")
                while part := connection.recv(1 << 16):
                    connection.sendall(part)
            except OSError:
                return
