"""The relay: every public port of the cloud, and every flow that came in by one of them, in one thread.

A port is described by an ``Entrance``. The balancer's entrances choose a target by the flow hash, an
instance's public ports have one fixed target, a dark entrance lets nobody in; the relay does not know which
is which. ``apply`` takes all entrances that should be there and makes it so: it may be called at any time
from any thread, and when it returns the ports listen (or are dark, or are gone).

Flows are not in that table. A flow stays with the target that it was given until it ends, whatever becomes
of the entrance (aws-facts 1.3, 1.7: a target that is deregistered keeps its connections). Only two calls end it
early: ``cut``, for a load balancer that is deleted, and ``forget``, for a target that turned unhealthy.

When an entrance has no destination for a client (the chosen target would never answer), the client is held:
nothing is sent and nothing is read. On AWS its SYN would be dropped and its connect time out; here the
host's kernel has already completed the handshake, so the client sees a connection that stays silent. It is
let go when the client gives up, or reset after 75 wall seconds. An entrance of which it is known that nobody
behind it answers should be dark instead: then the connect itself times out.

A sweep, ten times a second, forgets idle flows and counts the packets of living ones. A flow that is over while
its client has not acknowledged everything is settled by the same sweep, when that has come.

Out of descriptors, the relay leaves new clients in the kernel's queue and looks again a little later.
"""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from mglab.localcloud.wires.counts import FlowCounts
from mglab.localcloud.wires.dial import socket_from
from mglab.localcloud.wires.flow import Address, Destination, Flow
from mglab.localcloud.wires.listener import Listener, saved_syn
from mglab.localcloud.wires.loop import ERR, IN, RDHUP, Loop, Timer
from mglab.localcloud.wires.packets import Meter

ACCEPTED_AT_ONCE = 64
HELD_S = 75.0
"""About as long as a client's kernel would have gone on sending SYNs."""
RETURN_PATH_S = 30.0
"""How long a target may take to answer a SYN; after that the flow is forgotten (aws-facts 1.3)."""
SHORTAGE_PAUSE_S = 0.2
SWEEP_S = 0.1
"""Six lab seconds at rate 60: less than the ten over which peaks are taken."""
SETTLED_S = 75.0
"""How long a client's last acknowledgement is waited for, which a slow reader may owe us for long."""
SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


Choose = Callable[[bytes, Address], Destination | None]
"""(the headers of the client's SYN, its address) -> where it goes; None: hold it, unanswered."""


@dataclass(frozen=True)
class Entrance:
    """One public port. Without ``choose`` it is dark: bound, and every client times out."""

    address: str
    port: int
    choose: Choose | None = None
    idle_timeout_s: float = 350.0
    counts: FlowCounts = field(default_factory=FlowCounts)
    """On whose account clients are held or rejected."""


@dataclass(frozen=True)
class Held:
    """A client whose packets nobody answers."""

    meter: Meter
    counts: FlowCounts
    timer: Timer


class Relay:
    """Owns the public ports and the flows. ``loop`` must be started before the first ``apply``."""

    def __init__(self, loop: Loop, *, held_s: float = HELD_S, return_path_s: float = RETURN_PATH_S) -> None:
        self._loop = loop
        self._held_s = held_s
        self._return_path_s = return_path_s
        self._entrances: dict[Address, Entrance] = {}
        self._listeners: dict[Address, Listener] = {}
        self._watched: set[Address] = set()
        self._unbound: dict[Address, str] = {}
        self._flows: set[Flow] = set()
        self._settling: list[tuple[Meter, float]] = []
        """Connections that are closed but for the last acknowledgement, and until when it is waited for."""
        self._held: dict[int, Held] = {}
        self._sweeper: Timer | None = None
        self._pause: Timer | None = None

    def apply(self, entrances: Iterable[Entrance]) -> None:
        """Make these, and no others, the public ports."""
        wanted = {(entrance.address, entrance.port): entrance for entrance in entrances}
        self._loop.call(lambda: self._apply(wanted))

    def cut(self, addresses: Collection[str]) -> None:
        """Reset every flow that came in by one of these addresses, and let go of who is held there."""
        self._loop.call(lambda: self._cut(lambda address: address in addresses))

    def forget(self, doomed: Mapping[Address, Collection[tuple[str, int]]]) -> None:
        """Forget every flow from a public port to one of its doomed targets (id, port): the next packet is reset."""
        if doomed:
            self._loop.call(lambda: self._forget(doomed))

    def stop(self) -> None:
        """Close every port and reset every flow."""
        self._loop.call(self._stop)

    def troubles(self) -> tuple[str, ...]:
        """Say which ports could not be bound, and whether descriptors have run out."""
        grouped: dict[tuple[int, str], list[str]] = {}
        for (address, port), why in sorted(self._unbound.copy().items()):
            grouped.setdefault((port, why), []).append(address)
        short = ("out of file descriptors: new connections wait",) if self._pause is not None else ()
        return tuple(_unbound_line(port, why, where) for (port, why), where in grouped.items()) + short

    def _apply(self, wanted: dict[Address, Entrance]) -> None:
        self._entrances = wanted
        for address in [known for known in self._listeners if known not in wanted]:
            self._close(address)
        self._unbound = {}
        for address, entrance in wanted.items():
            listener = self._listeners.get(address) or self._bind(address)
            if listener is not None:
                self._light(listener, dark=entrance.choose is None)

    def _bind(self, address: Address) -> Listener | None:
        try:
            listener = Listener(*address)
        except OSError as failure:
            self._unbound[address] = failure.strerror or str(failure)
            return None
        self._listeners[address] = listener
        return listener

    def _light(self, listener: Listener, *, dark: bool) -> None:
        """Open a port or make it dark, if it is not so already."""
        if listener.dark == dark:
            return
        if dark and listener.dark is not None:
            self._accept_some(listener, IN)  # who came before is not kept in the queue that shall be full
        try:
            listener.darken() if dark else listener.brighten()
        except OSError as failure:
            # Two sockets may be bound to a port with SO_REUSEADDR; only one may listen.
            self._unbound[listener.address] = failure.strerror or str(failure)
            self._close(listener.address)
            return
        self._watch_listeners()

    def _close(self, address: Address) -> None:
        listener = self._listeners.pop(address)
        if address in self._watched:
            self._watched.discard(address)
            self._loop.unwatch(listener.socket.fileno())
        listener.close()

    def _watch_listeners(self) -> None:
        """Watch exactly those ports at which clients may be accepted now."""
        for address, listener in self._listeners.items():
            watched, accepts = address in self._watched, listener.dark is False and self._pause is None
            if accepts and not watched:
                self._watched.add(address)
                self._loop.watch(listener.socket.fileno(), IN, partial(self._accept_some, listener))
            elif watched and not accepts:
                self._watched.discard(address)
                self._loop.unwatch(listener.socket.fileno())

    def _accept_some(self, listener: Listener, events: int) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted = listener.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as failure:
                if failure.errno not in SHORTAGES:
                    raise
                self._rest()
                return
            if accepted is not None:
                self._admit(self._entrances[listener.address], *accepted)
            if self._pause is not None:
                return

    def _admit(self, entrance: Entrance, client: socket.socket, address: Address) -> None:
        syn = saved_syn(client)
        destination = entrance.choose(syn, address) if entrance.choose else None
        if destination is None:
            self._hold(client, entrance.counts, len(syn))
        else:
            self._relay(entrance, client, address, destination, len(syn))

    def _relay(
        self, entrance: Entrance, client: socket.socket, address: Address, destination: Destination, syn: int
    ) -> None:
        try:
            target = socket_from(address[0])
        except OSError:
            destination.counts.rejected_flows += 1
            Meter(client, destination.counts, None, syn).close(fin_read=False, by_reset=True)
            self._rest()
            return
        flow = Flow(
            self._loop, client, target, destination=destination, idle_timeout_s=entrance.idle_timeout_s,
            via=(entrance.address, entrance.port), syn=syn, ended=self._ended,
        )  # fmt: skip
        self._flows.add(flow)
        flow.dial()
        self._keep_sweeping()

    def _ended(self, flow: Flow) -> None:
        self._flows.discard(flow)
        if not flow.settled:
            self._settling.append((flow.meter, self._loop.now + SETTLED_S))

    def _keep_sweeping(self) -> None:
        if self._sweeper is None and (self._flows or self._settling or self._held):
            self._sweeper = self._loop.later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        now = self._loop.now
        for flow in [flow for flow in self._flows if flow.is_idle(now) or flow.is_unanswered(now, self._return_path_s)]:
            flow.forget()
        for flow in self._flows:
            if flow.meter.moving or now - flow.last_passed < 2 * SWEEP_S:
                flow.count_packets()
        for held in self._held.values():
            held.meter.read(fin_read=False)
        self._settle(now)
        self._sweeper = None
        self._keep_sweeping()

    def _settle(self, now: float) -> None:
        """Close what has had its last acknowledgement, or waited for it long enough."""
        waiting = [one for one in self._settling if not one[0].close(fin_read=True, by_reset=False)]
        for meter, until in waiting:
            if now >= until:
                meter.connection.close()
        self._settling = [(meter, until) for meter, until in waiting if now < until]

    def _hold(self, client: socket.socket, counts: FlowCounts, syn: int) -> None:
        counts.new_flows += 1
        counts.active_flows += 1
        fd = client.fileno()
        timer = self._loop.later(self._held_s, partial(self._let_go, fd))
        self._held[fd] = Held(Meter(client, counts, None, syn), counts, timer)
        self._loop.watch(fd, RDHUP, partial(self._given_up, fd))
        self._keep_sweeping()

    def _given_up(self, fd: int, events: int) -> None:
        if events & (RDHUP | ERR):
            self._let_go(fd)

    def _let_go(self, fd: int) -> None:
        held = self._held.pop(fd)
        held.timer.cancel()
        held.counts.active_flows -= 1
        self._loop.unwatch(fd)
        held.meter.close(fin_read=False, by_reset=True)

    def _rest(self) -> None:
        """Leave clients in the kernel's queue for a moment: there is no descriptor left to accept them with."""
        if self._pause is None:
            self._pause = self._loop.later(SHORTAGE_PAUSE_S, self._resume)
            self._watch_listeners()

    def _resume(self) -> None:
        self._pause = None
        self._watch_listeners()

    def _cut(self, applies: Callable[[str], bool]) -> None:
        for flow in [flow for flow in self._flows if applies(flow.via[0])]:
            flow.cut()
        for fd in [fd for fd, held in self._held.items() if applies(held.meter.connection.getsockname()[0])]:
            self._let_go(fd)

    def _forget(self, doomed: Mapping[Address, Collection[tuple[str, int]]]) -> None:
        for flow in list(self._flows):
            if (flow.destination.target_id, flow.destination.address[1]) in doomed.get(flow.via, ()):
                flow.forget()

    def _stop(self) -> None:
        self._apply({})
        self._cut(lambda address: True)
        self._settle(math.inf)


def _unbound_line(port: int, why: str, addresses: list[str]) -> str:
    others = f" and {len(addresses) - 1} more addresses" if len(addresses) > 1 else ""
    return f"port {port} of {addresses[0]}{others} could not be bound ({why}): clients are refused there"
