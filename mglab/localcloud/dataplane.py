"""The data plane: what really carries bytes, probes targets and runs instances; it decides nothing.

On AWS an API that is slow or down stops no flow and no health check, because other machines do that work.
Here the data plane is a process of its own, for the same reason. It is told what should be in whole
snapshots (``seam.Desired``), makes it so, and answers with whole snapshots of what is (``seam.Observed``).

    python -m mglab.localcloud.dataplane --fd N --directory DIR --resolver SOCKET

Threads: this one receives snapshots and, some twenty times a second, lets the machines take a step; the
relay, the prober, the resolver and the SSH servers have one each; one more sends, so that a control plane that
is busy never keeps this one from receiving.

It lives exactly as long as the other end of its connection. End of file there, or SIGTERM, and it kills every
machine and exits. The death signal of its parent is a second belt; it also comes when the parent's *thread*
that started it ends, so that has to be one that lasts.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mglab.localcloud import statefile
from mglab.localcloud.seam import Desired, Front, ImageSpec, MachineReport, MachineSpec, Node, Observed
from mglab.localcloud.wires import fronts
from mglab.localcloud.wires.balancer import Balancer, cut_off
from mglab.localcloud.wires.counts import traffic_reports
from mglab.localcloud.wires.dns import Resolver
from mglab.localcloud.wires.flow import Address
from mglab.localcloud.wires.loop import Loop
from mglab.localcloud.wires.prober import Prober
from mglab.localcloud.wires.relay import Relay

if TYPE_CHECKING:
    from mglab.localcloud.wires.sshd import Host, Sshd  # loads asyncio, which a cloud without instances has no use for

TICK_S = 0.05
RETRY_S = 2.0
"""How often ports that could not be bound are tried again."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

log = logging.getLogger(__name__)


class Machines(Protocol):
    """The machine side, as the data plane drives it (``machines.fleet.Fleet``)."""

    def apply(self, machines: tuple[MachineSpec, ...], images: tuple[ImageSpec, ...]) -> None:
        """Make these the machines and images that should be."""

    def tick(self) -> None:
        """Take the next steps towards that."""

    def report(self) -> tuple[tuple[MachineReport, ...], tuple[str, ...], tuple[str, ...]]:
        """Give the machines, the complete images' ids, and troubles."""

    def root(self, instance_id: str) -> Path:
        """Say where an instance's file tree lies."""

    def start_session(self, instance_id: str, request: bytes, descriptors: Sequence[int]) -> None:
        """Start a program in an instance for somebody who logs in; raises OSError."""

    def close(self) -> None:
        """Kill every machine."""


@dataclass(frozen=True)
class Ports:
    """All that the relay's table is made from."""

    nodes: tuple[Node, ...] = ()
    fronts: tuple[Front, ...] = ()
    listening: frozenset[Address] = frozenset()


class Sender:
    """Sends the newest snapshot there is, in a thread of its own; older ones are skipped."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._newest: Observed | None = None
        self._sent: Observed | None = None
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def send(self, observed: Observed) -> None:
        """Send this when the other side can take it, unless it has it already."""
        with self._changed:
            if observed != self._newest:
                self._newest = observed
                self._changed.notify()

    def stop(self) -> None:
        """Send nothing more. A snapshot that nobody takes is not waited for."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._newest is not self._sent)
                if self._stopped:
                    return
                self._sent = self._newest
            try:
                self._connection.send(self._sent)
            except OSError:
                return  # the other side is gone: the receiving thread learns it by the end of file


class DataPlane:
    """``start``, ``tick`` until it says False, ``stop``."""

    def __init__(
        self,
        connection: Connection,
        machines: Machines,
        resolver: Path,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._machines = machines
        self._resolver_path = resolver
        self._monotonic = monotonic
        self._loops = {name: Loop(name) for name in ("relay", "prober", "resolver")}
        self._relay = Relay(self._loops["relay"])
        self._prober = Prober(self._loops["prober"])
        self._balancer = Balancer()
        self._sshd: Sshd | None = None
        self._sender = Sender(connection)
        self._desired = Desired()
        self._ports = Ports()
        self._ports_at = 0.0
        self._ending = False

    def start(self) -> None:
        """Start the threads and answer names."""
        for loop in self._loops.values():
            loop.start()
        self._resolver = Resolver(self._loops["resolver"], self._resolver_path)
        self._sender.start()

    def tick(self) -> bool:
        """Take in the last snapshot, take a step, send what changed; False when it is time to stop."""
        if not self._receive():
            return False
        for loop in self._loops.values():
            loop.check()
        self._machines.tick()
        self._open_ports()
        observed = self._observe()
        self._serve_ssh(observed.machines)
        self._sender.send(observed)
        return not self._ending

    def end(self) -> None:
        """Make the next tick the last; may be called from a signal handler."""
        self._ending = True

    def stop(self) -> None:
        """Kill every machine, close every port, end the threads."""
        if self._sshd is not None:
            self._sshd.stop()
        self._machines.close()
        self._resolver.stop()
        self._prober.stop()
        self._relay.stop()
        for loop in self._loops.values():
            loop.stop()
        self._sender.stop()
        self._connection.close()

    def _receive(self) -> bool:
        """Wait up to a tick for snapshots and apply the last of them."""
        newest: Desired | None = None
        try:
            patience_s = TICK_S
            while self._connection.poll(patience_s):
                newest, patience_s = self._connection.recv(), 0.0
        except (EOFError, ConnectionResetError):
            return False
        if newest is not None:
            self._apply(newest)
        return True

    def _apply(self, desired: Desired) -> None:
        self._desired = desired
        self._machines.apply(desired.machines, desired.images)
        self._prober.apply(desired.probes)
        self._resolver.apply(desired.names, desired.private_addresses)

    def _serve_ssh(self, machines: tuple[MachineReport, ...]) -> None:
        """Give every instance that is on its SSH server; the first of a cloud loads and starts them."""
        specs = {spec.instance_id: spec for spec in self._desired.machines}
        on = {one.instance_id: one.boots for one in machines if one.power == "on" and one.instance_id in specs}
        if self._sshd is None:
            if not on:
                return
            from mglab.localcloud.wires.sshd import Sshd

            self._sshd = Sshd(self._machines.start_session)
        self._sshd.apply(self._host(specs[instance_id], boots) for instance_id, boots in on.items())

    def _host(self, spec: MachineSpec, boots: int) -> Host:
        from mglab.localcloud.wires.sshd import Host

        root = self._machines.root(spec.instance_id)
        return Host(spec.instance_id, boots, spec.loopback_address, spec.ssh_port, spec.private_address, root)

    def _open_ports(self) -> None:
        """Give the relay its table when it has changed, or when ports are still to be bound."""
        desired = self._desired
        ports = Ports(desired.nodes, desired.fronts, fronts.listening_now(desired.fronts))
        overdue = self._relay.troubles() and self._monotonic() - self._ports_at >= RETRY_S
        if ports == self._ports and not overdue:
            return
        public = fronts.entrances(ports.fronts, ports.listening, self._balancer.traffic)
        self._relay.apply((*self._balancer.entrances(ports.nodes), *public))
        deleted = {node.address for node in self._ports.nodes} - {node.address for node in ports.nodes}
        if deleted:
            self._relay.cut(deleted)
        self._relay.forget(cut_off(ports.nodes))
        self._ports, self._ports_at = ports, self._monotonic()

    def _observe(self) -> Observed:
        machines, images, troubles = self._machines.report()
        return Observed(
            machines=machines,
            images=images,
            probes=self._prober.reports(),
            refusals=self._balancer.refusals(),
            flows=self._balancer.reports(self._prober.packets),
            traffic=traffic_reports(self._balancer.traffic, self._prober.traffic),
            troubles=(*troubles, *self._relay.troubles(), *self._prober.troubles(), *self._ssh_troubles()),
        )


    def _ssh_troubles(self) -> tuple[str, ...]:
        return self._sshd.troubles() if self._sshd is not None else ()


def run(plane: DataPlane) -> None:
    """Tick until the other side is gone or SIGTERM comes; leave nothing behind, whatever happens."""
    signal.signal(signal.SIGTERM, lambda number, frame: plane.end())
    # Ctrl-C in a terminal reaches us too, but it is the supervisor's to act on. Ignoring it instead would be
    # inherited by the programs inside instances.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    plane.start()
    try:
        while plane.tick():
            pass
    finally:
        plane.stop()


def set_belts() -> None:
    """Adopt what instances orphan, be told when the parent dies, and use all descriptors that we may."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def orphaned(descriptor: int) -> bool:
    """Say whether the other end of a connection is gone."""
    with socket.socket(fileno=os.dup(descriptor)) as wire:
        try:
            return wire.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def log_to(directory: Path) -> None:
    """Write the log beside the control plane's."""
    folder = directory / "log"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(filename=folder / "data.log", level=logging.INFO, format=form)


def main(arguments: list[str] | None = None) -> int:
    """Run the data plane as the supervisor's child."""
    from mglab.localcloud.machines.fleet import Fleet

    options = _parser().parse_args(arguments)
    os.set_inheritable(options.fd, False)
    statefile.hold_data(options.directory)
    set_belts()
    log_to(options.directory)
    if orphaned(options.fd):
        return 0  # killed while we started: the next life has the file trees, and they are not to be touched
    log.info("data plane of %s starts, process %d", options.directory, os.getpid())
    try:
        run(DataPlane(Connection(options.fd), Fleet(options.directory, options.resolver), options.resolver))
    except Exception:
        log.exception("the data plane failed")
        return 1
    finally:
        _clear(options.resolver.parent)
    log.info("data plane ends")
    return 0


def _clear(sockets: Path) -> None:
    """Remove the cloud's sockets and their folder: a supervisor that was killed could not."""
    with contextlib.suppress(OSError):
        for left in sockets.iterdir():
            left.unlink()
        sockets.rmdir()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mglab.localcloud.dataplane", description=__doc__.splitlines()[0])
    parser.add_argument("--fd", type=int, required=True, help="the connection to the control plane")
    parser.add_argument("--directory", type=Path, required=True, help="the cloud's folder")
    parser.add_argument("--resolver", type=Path, required=True, help="the Unix socket at which names are answered")
    return parser


if __name__ == "__main__":
    sys.exit(main())
