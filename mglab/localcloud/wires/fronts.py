"""The public side of instances: what a client meets at a port of an instance's public address.

AWS translates a public address one to one into the instance's private one; nothing listens in between. So a
client must meet what the instance itself would show it, and for each front that is one of three things:

* the security groups or the routes say no: a dark port, the client times out;
* they say yes and the instance listens: a port that relays to it;
* they say yes and nobody listens there: no port at all, so that the host's kernel refuses as the instance's
  would.

Who listens is read from the kernel's own table, once each tick: nothing is dialled to find out, so a service
never sees a connection that no client made. Only a socket bound to the instance's very address counts; one
bound to every address belongs to the host.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from mglab.localcloud.seam import Front
from mglab.localcloud.wires.counts import FlowCounts, Traffic, TrafficBook
from mglab.localcloud.wires.flow import Address, Destination
from mglab.localcloud.wires.relay import Choose, Entrance

SOCKETS = Path("/proc/net/tcp")
_LISTEN = b"0A"
_LOCAL, _STATE = 1, 3


def entrances(fronts: Iterable[Front], listening: frozenset[Address], traffic: TrafficBook) -> tuple[Entrance, ...]:
    """Give the ports that these fronts open or keep dark while so many services listen; they count in ``traffic``."""
    return tuple(
        Entrance(front.address, front.port, _always(front, traffic) if front.verdict == "open" else None)
        for front in fronts
        if front.verdict == "dropped" or (front.target_address, front.port) in listening
    )


def listening_now(fronts: Iterable[Front], sockets: Path = SOCKETS) -> frozenset[Address]:
    """Read which of the open fronts' services listen at this moment."""
    wanted = {(front.target_address, front.port) for front in fronts if front.verdict == "open"}
    return listening_sockets(sockets) & wanted if wanted else frozenset()


def listening_sockets(sockets: Path = SOCKETS) -> frozenset[Address]:
    """Read the address and port of every listening IPv4 socket of this host."""
    found = set()
    with sockets.open("rb") as table:
        next(table)
        for line in table:
            fields = line.split(None, 4)
            if fields[_STATE] != _LISTEN:
                break  # the kernel lists listening sockets first; the rest may be many thousands
            found.add(_parsed(fields[_LOCAL]))
    return frozenset(found)


def _parsed(local: bytes) -> Address:
    address, port = local.split(b":")
    return socket.inet_ntoa(int(address, 16).to_bytes(4, "little")), int(port, 16)


def _always(front: Front, book: TrafficBook) -> Choose:
    traffic = book.setdefault(front.instance_id, Traffic())
    destination = Destination(front.instance_id, (front.target_address, front.port), FlowCounts(), traffic)
    return lambda syn, address: destination
