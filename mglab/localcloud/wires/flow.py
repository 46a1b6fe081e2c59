"""One flow: a client's connection, a connection to its target, and the bytes on their way between the two.

A Network Load Balancer does not end the client's TCP; packets pass through it. We stand in with two
connections and pass on everything that a program at either end could notice:

* bytes, in order and no faster than the far side takes them (nothing more is read from a side while
  something read from it is still waiting to be passed on);
* a half-close: a FIN of one side becomes a FIN to the other, and the opposite direction goes on;
* a reset: an RST of one side becomes an RST to the other, after what came before it;
* a target's refusal: an RST to the client (whose handshake the host's kernel completed long before).

The first 256 KiB of a direction go by recv and send, quickest for a line of text; the rest by splice, so
that a long stream never enters Python.

A flow that carries nothing for the idle time-out (350 s, aws-facts 1.3) is forgotten without a word; a side
that speaks after that is answered with an RST. Left out: TCP keep-alives do not refresh a flow, because the
host's kernel answers them before we see them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from mglab.localcloud.wires.counts import FlowCounts, Refusals, Traffic
from mglab.localcloud.wires.loop import ERR, HUP, IN, OUT, Loop
from mglab.localcloud.wires.packets import Meter, is_established, reset

COPIED_FIRST = 256 * 1024
CHUNK = 64 * 1024
PIPE_SIZE = 256 * 1024
SPLICE_FLAGS = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE
NO_PORT_LEFT = {errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAGAIN}
"""What connect says when every port from which the target could be reached is taken."""
NOBODYS_RESET = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH} | NO_PORT_LEFT
"""Failures that no side caused by an RST: the balancer gives up."""

Address = tuple[str, int]
Cause = Literal["client", "target", "balancer"]


@dataclass(frozen=True)
class Destination:
    """Where a flow goes, and on whose account."""

    target_id: str
    address: Address
    counts: FlowCounts
    traffic: Traffic = field(default_factory=Traffic)
    """The instance's own account."""
    refusals: Refusals = field(default_factory=Refusals)
    """Of this target, through this node."""


class Side:
    """One side of a flow: its connection, and what was read from it and not yet passed on."""

    __slots__ = (
        "connected", "connection", "copied", "fd", "fin_sent", "finished", "hung_up", "in_pipe", "mask", "other",
        "pipe", "role", "splices", "unsent", "watched",
    )  # fmt: skip
    other: Side

    def __init__(self, role: Literal["client", "target"], connection: socket.socket, connected: bool) -> None:
        self.role = role
        self.connection = connection
        self.fd = connection.fileno()
        self.connected = connected
        self.unsent = b""
        self.copied = 0
        self.splices = True
        self.pipe: tuple[int, int] | None = None
        self.in_pipe = 0
        self.finished = False
        """Its FIN has been read."""
        self.fin_sent = False
        """The other side's FIN has been passed on to it."""
        self.hung_up = False
        """It told of its end while nothing could be read; told again and again if it stayed watched."""
        self.watched = False
        self.mask = 0

    @property
    def holds(self) -> bool:
        """Whether something read from this side waits to be passed on."""
        return bool(self.unsent) or self.in_pipe > 0

    def wants(self) -> int:
        """Say what there is to wait for on this side."""
        if not self.connected:
            return OUT
        other = self.other
        reads = other.connected and not (self.finished or self.unsent or self.in_pipe)
        return (IN if reads else 0) | (OUT if other.unsent or other.in_pipe else 0)

    def read(self) -> int:
        """Read what has come, into memory or into the pipe; 0 is a FIN."""
        if self.copied < COPIED_FIRST or not self._has_pipe():
            self.unsent = self.connection.recv(CHUNK)
            self.copied += len(self.unsent)
            return len(self.unsent)
        assert self.pipe is not None
        self.in_pipe = os.splice(self.fd, self.pipe[1], PIPE_SIZE, flags=SPLICE_FLAGS)
        return self.in_pipe

    def write(self, source: Side) -> int:
        """Pass on as much of what was read from ``source`` as this side takes at once."""
        if source.unsent:
            sent = self.connection.send(source.unsent)
            source.unsent = source.unsent[sent:]
            return sent
        assert source.pipe is not None
        sent = os.splice(source.pipe[0], self.fd, source.in_pipe, flags=SPLICE_FLAGS)
        source.in_pipe -= sent
        return sent

    def close_pipe(self) -> None:
        """Give back the pipe, with what is left in it."""
        if self.pipe is not None:
            os.close(self.pipe[0])
            os.close(self.pipe[1])
            self.pipe = None

    def _has_pipe(self) -> bool:
        if self.pipe is None and self.splices:
            try:
                self.pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                self.splices = False  # no descriptor to spare: this direction is copied to its end
            else:
                with suppress(OSError):  # a user may have only so many large pipes
                    fcntl.fcntl(self.pipe[1], fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        return self.pipe is not None


class Flow:
    """Relays between a client and its target until both are done, one resets, or the flow is forgotten."""

    __slots__ = ("_ended", "_loop", "client", "counts", "destination", "forgotten", "idle_timeout_s", "last_passed",
                 "meter", "over", "settled", "target", "via")  # fmt: skip

    def __init__(
        self,
        loop: Loop,
        client: socket.socket,
        target: socket.socket,
        *,
        destination: Destination,
        idle_timeout_s: float,
        via: Address,
        syn: int = 0,
        ended: Callable[[Flow], None],
    ) -> None:
        self._loop = loop
        self._ended = ended
        self.destination = destination
        self.counts = destination.counts
        self.idle_timeout_s = idle_timeout_s
        self.via = via
        self.last_passed = loop.now
        self.forgotten = False
        self.over = False
        self.meter = Meter(client, destination.counts, destination.traffic, syn)
        """Counts the packets of the client's side: on AWS the target's side has the very same."""
        self.settled = True
        """False when it is over but the client's last acknowledgement has not come: its meter is still open."""
        self.client = Side("client", client, connected=True)
        self.target = Side("target", target, connected=False)
        self.client.other, self.target.other = self.target, self.client

    def dial(self) -> None:
        """Count the flow and send the target its SYN."""
        self.counts.new_flows += 1
        self.counts.active_flows += 1
        self.target.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self.target.connection.connect_ex(self.destination.address)
        # On the loopback the handshake is mostly over by now: that saves a turn of the loop.
        self.target.connected = code == 0 or is_established(self.target.connection)
        self._judge(code)
        if code in (0, errno.EINPROGRESS):
            self._watch(self.client)
            self._watch(self.target)
        else:
            self.counts.port_allocation_errors += code in NO_PORT_LEFT
            self._broken(self.target, code)

    def _judge(self, code: int) -> None:
        """Note what became of the handshake with the target, if it is over."""
        if code == errno.ECONNREFUSED:
            self.destination.refusals.refused()
        elif self.target.connected:
            self.destination.refusals.answered()

    def is_unanswered(self, now: float, after_s: float) -> bool:
        """Whether the target has not answered the SYN for so long that there is no way back to the client."""
        return not (self.forgotten or self.target.connected) and now - self.last_passed >= after_s

    def count_packets(self) -> None:
        """Count what the client's side has carried since the last time."""
        if self.client.fd >= 0:
            self.meter.read(fin_read=self.client.finished)

    def is_idle(self, now: float) -> bool:
        """Whether nothing has passed for the idle time-out; bytes that wait for a slow reader are not idle."""
        waits = self.client.holds or self.target.holds or not self.target.connected
        return not self.forgotten and not waits and now - self.last_passed >= self.idle_timeout_s

    def forget(self) -> None:
        """Drop the flow's entry: the next packet of either side is answered with an RST.

        A side that has sent its FIN has no next packet; it is reset now, so that nothing is kept for ever.
        """
        if self.forgotten:
            return
        self.forgotten = True
        self.counts.active_flows -= 1
        for side in (self.client, self.target):
            if side.finished or not side.connected:
                self._abandon(side, answered=False)
            else:
                self._rewatch(side, IN)

    def cut(self, cause: Cause = "balancer") -> None:
        """End the flow at once with an RST to both sides, counted against whoever caused it."""
        if self.over:
            return
        if not self.forgotten:
            self._count_reset(cause)
            self.counts.active_flows -= 1
        for side in (self.client, self.target):
            self._release(side, by_reset=True)
        self._finish()

    def _ready(self, side: Side, events: int) -> None:
        if self.forgotten:
            self._abandon(side, answered=not events & ERR)
            return
        if not side.connected:
            self._complete_handshake(side)
        elif events & OUT and side.other.holds:
            self._pass_on(side.other)
        if not self.over and events & (IN | ERR | HUP):
            self._take(side, events)
        if not self.over and (side.finished or side.other.finished):
            self._pass_fins()
        if not self.over:
            self._watch(side)
            self._watch(side.other)

    def _complete_handshake(self, side: Side) -> None:
        failure = side.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            self._judge(failure)
            self._broken(side, failure)
            return
        side.connected = True
        self._judge(0)
        self.last_passed = self._loop.now

    def _take(self, side: Side, events: int) -> None:
        """Read from a side and pass it on at once; look for its reset when there is no room to read."""
        if not side.wants() & IN:
            self._look_for_reset(side, events)
            return
        try:
            side.finished = side.read() == 0
        except BlockingIOError:
            return
        except OSError as failure:
            self._broken(side, failure.errno)
            return
        self.last_passed = self._loop.now
        self._pass_on(side)

    def _look_for_reset(self, side: Side, events: int) -> None:
        if not events & (ERR | HUP):
            return
        failure = side.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            self._broken(side, failure)
        side.hung_up = True

    def _pass_on(self, side: Side) -> None:
        """Move what was read from a side to the other."""
        try:
            while side.holds:
                self._count_bytes(side.other, side.other.write(side))
        except BlockingIOError:
            pass
        except OSError as failure:
            self._broken(side.other, failure.errno)
        else:
            self.last_passed = self._loop.now

    def _pass_fins(self) -> None:
        for side in (self.client, self.target):
            if side.finished and not side.holds and not side.other.fin_sent:
                try:
                    side.other.connection.shutdown(socket.SHUT_WR)
                except OSError as failure:
                    self._broken(side.other, failure.errno)
                    return
                side.other.fin_sent = True
        if self.client.fin_sent and self.target.fin_sent:
            self._close()

    def _broken(self, side: Side, code: int | None) -> None:
        """End the flow because a side failed; what it had sent before still reaches the other."""
        self._drain(side)
        self.cut("balancer" if code in NOBODYS_RESET else side.role)

    def _drain(self, side: Side) -> None:
        """Pass on, as far as the other side takes it at once, what a reset side had sent before its reset."""
        if not (side.connected and side.other.connected) or side.finished:
            return
        try:
            while side.holds or side.read():
                self._count_bytes(side.other, side.other.write(side))
        except OSError:
            return  # read to the end, or the other side is full or gone: the reset says the rest

    def _close(self) -> None:
        self.counts.active_flows -= 1
        for side in (self.client, self.target):
            self._release(side, by_reset=False)
        self._finish()

    def _abandon(self, side: Side, *, answered: bool) -> None:
        """Let go of one side of a forgotten flow; count the RST when it answers a packet."""
        if answered:
            self.counts.balancer_resets += 1
        self._release(side, by_reset=True)
        if side.other.fd < 0:
            self._finish()

    def _release(self, side: Side, *, by_reset: bool) -> None:
        if side.fd < 0:
            return
        if side.watched:
            self._loop.unwatch(side.fd)
        side.watched = False
        side.fd = -1
        side.close_pipe()
        if side.role == "client":
            self.settled = self.meter.close(fin_read=side.finished, by_reset=by_reset)
        elif by_reset:
            reset(side.connection)
        else:
            side.connection.close()

    def _finish(self) -> None:
        self.over = True
        self._ended(self)

    def _count_bytes(self, receiver: Side, count: int) -> None:
        if receiver.role == "target":
            self.counts.bytes_to_targets += count
        else:
            self.counts.bytes_to_clients += count

    def _count_reset(self, cause: Cause) -> None:
        if cause == "client":
            self.counts.client_resets += 1
        elif cause == "target":
            self.counts.target_resets += 1
        else:
            self.counts.balancer_resets += 1

    def _watch(self, side: Side) -> None:
        mask = side.wants()
        if mask == side.mask and side.watched and not side.hung_up:
            return
        if not mask and side.hung_up:
            if side.watched:
                self._loop.unwatch(side.fd)
                side.watched = False
            return
        self._rewatch(side, mask)

    def _rewatch(self, side: Side, mask: int) -> None:
        if side.watched:
            self._loop.rewatch(side.fd, mask)
        else:
            self._loop.watch(side.fd, mask, partial(self._ready, side))
            side.watched = True
        side.mask = mask
