"""The cloud's resolver: names of load balancers, and which loopback address stands for which private one.

On AWS, Route 53 answers for a load balancer's name with one address for each zone that is fit to serve, for
60 seconds (aws-facts 1.4), in an order that is drawn anew for each answer: taking strict turns would make
clients look like a round robin, which nobody promises (aws-facts 8.7 leaves the policy open). No host's resolver
would ask us, so those who want to know come by a Unix socket: the programs inside instances (through their
shim) and the lab side. One line is asked, the answer's lines follow, and the connection is closed:

    A mglb-50dc6c495c0c9188.elb.us-east-1.amazonaws.com    ->  127.65.0.3 60
                                                               127.65.0.4 60
    TO vpc-0a1b 192.168.0.57                               ->  127.64.0.12
    SEEN 127.64.0.12                                       ->  192.168.0.57

No line means: no such name or address. The socket is its owner's alone.
Left out: time to live of a negative answer, and any other record type.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from mglab.localcloud.seam import PrivateAddress
from mglab.localcloud.wires.loop import IN, Loop, Timer

TTL_S = 60
"""In AWS seconds, as a resolver would say it (aws-facts 1.4)."""
LONGEST_QUESTION = 1024
PATIENCE_S = 10.0
BACKLOG = 256
SHORTAGE_PAUSE_S = 0.2


@dataclass(frozen=True)
class Zone:
    """All that the resolver knows."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    loopback_of: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(VPC, private address) -> loopback address"""
    private_of: Mapping[str, str] = field(default_factory=dict)
    """loopback address -> private address"""


def zone(names: Mapping[str, tuple[str, ...]], private_addresses: Iterable[PrivateAddress]) -> Zone:
    """Put what the control plane knows in the order that questions are asked in."""
    known = tuple(private_addresses)
    return Zone(
        names={_plain(name): addresses for name, addresses in names.items()},
        loopback_of={(one.vpc_id, one.private_address): one.loopback_address for one in known},
        private_of={one.loopback_address: one.private_address for one in known},
    )


def answer(question: str, known: Zone, chance: Random) -> tuple[str, ...]:
    """Give the lines that answer one question; ``chance`` draws the order of addresses."""
    match question.split():
        case ["A", name]:
            addresses = known.names.get(_plain(name), ())
            return tuple(f"{address} {TTL_S}" for address in chance.sample(addresses, len(addresses)))
        case ["TO", vpc_id, private_address]:
            return _found(known.loopback_of.get((vpc_id, private_address)))
        case ["SEEN", loopback_address]:
            return _found(known.private_of.get(loopback_address))
        case _:
            return ()


class Resolver:
    """Answers at a Unix socket. ``loop`` must be started before."""

    def __init__(self, loop: Loop, path: Path, chance: Random | None = None) -> None:
        self._loop = loop
        self._path = path
        self._zone = Zone()
        self._chance = chance or Random()
        self._listening = _listen(path)
        loop.call(self._listen_on)

    def apply(self, names: Mapping[str, tuple[str, ...]], private_addresses: Iterable[PrivateAddress]) -> None:
        """Answer from these names and addresses from now on."""
        self._zone = zone(names, private_addresses)

    def stop(self) -> None:
        """Answer no more, and remove the socket."""
        self._loop.call(lambda: self._loop.discard(self._listening.fileno()))
        self._listening.close()
        self._path.unlink(missing_ok=True)

    def _listen_on(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.watch(self._listening.fileno(), IN, self._accept)

    def _accept(self, events: int) -> None:
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            # No descriptor left: those who ask wait in the kernel's queue for a moment.
            self._loop.unwatch(self._listening.fileno())
            self._loop.later(SHORTAGE_PAUSE_S, self._listen_on)
            return
        client.setblocking(False)
        patience = self._loop.later(PATIENCE_S, partial(self._close, client))
        self._loop.watch(client.fileno(), IN, partial(self._read, client, bytearray(), patience))

    def _read(self, client: socket.socket, question: bytearray, patience: Timer, events: int) -> None:
        try:
            part = client.recv(LONGEST_QUESTION)
        except OSError:
            part = b""
        question += part
        if part and b"\n" not in question and len(question) <= LONGEST_QUESTION:
            return
        patience.cancel()
        if b"\n" in question:
            self._reply(client, question.partition(b"\n")[0].decode("ascii", "replace"))
        self._close(client)

    def _reply(self, client: socket.socket, question: str) -> None:
        lines = answer(question, self._zone, self._chance)
        try:
            client.send("".join(f"{line}\n" for line in lines).encode())
        except OSError:
            return  # who asked did not wait for the answer

    def _close(self, client: socket.socket) -> None:
        self._loop.unwatch(client.fileno())
        client.close()


def _listen(path: Path) -> socket.socket:
    """Bind the socket for its owner alone, before anyone can connect to it."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.setblocking(False)
    listening.bind(str(path))
    os.chmod(path, 0o600)
    listening.listen(BACKLOG)
    return listening


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _found(address: str | None) -> tuple[str, ...]:
    return () if address is None else (address,)
