"""Health checks: each node opens a TCP connection to each target, again and again, and closes it.

AWS checks every target from every node (aws-facts 1.5): a check passes when the handshake completes; a refusal
fails it at once; no answer fails it after the time-out. The run of equal outcomes is all that is kept; the
control plane compares it with the thresholds.

Each check has its own beat, which starts at its own moment. It is never in flight twice: a service with a
short accept queue would be hurt by its own health checks. When an answer takes longer than the interval, the
beats in between are skipped.

Checks are traffic too (aws-facts 4.1: ProcessedPackets has them, ProcessedBytes has not). A connection that has
been checked is half-closed and kept until its target has closed it as well, for a wall second at most, so that
its last packets are counted with the others.

Times here are wall seconds, already scaled by the control plane. A live service cannot be asked to answer in
scaled time, so a check that really waits on a socket waits for at least one wall second. Where the rules
already know that nobody will answer (``dropped``) no socket is opened and the check fails when its time-out
is over.
"""

from __future__ import annotations

import errno
import math
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from mglab.localcloud.seam import FlowKey, Probe, ProbeKey, ProbeReport
from mglab.localcloud.wires.counts import Traffic, TrafficBook
from mglab.localcloud.wires.dial import socket_from
from mglab.localcloud.wires.loop import OUT, Loop, Timer
from mglab.localcloud.wires.packets import CLOSE_WAIT, CLOSED, ESTABLISHED, by_connecting, told_of

LEAST_WAIT_S = 1.0
PARTED_S, LOOK_S = 1.0, 0.05
"""How long, and how often, a target is looked at that has not closed its end of a check yet."""
REFUSED, TIMED_OUT = "refused", "timed out"


@dataclass
class Beat:
    """One check's running state: when it is next, what is in flight, how it went."""

    probe: Probe
    due: float
    timer: Timer
    report: ProbeReport
    connection: socket.socket | None = None
    in_flight: bool = False
    deadline: Timer = field(default_factory=lambda: Timer(lambda: None))


class Prober:
    """Makes the checks that are asked for. ``loop`` must be started before the first ``apply``."""

    def __init__(self, loop: Loop, wall: Callable[[], float] = time.time) -> None:
        self._loop = loop
        self._wall = wall
        self._beats: dict[ProbeKey, Beat] = {}
        self._trouble = ""
        self._parting: set[socket.socket] = set()
        self.packets: dict[FlowKey, int] = {}
        """What the checks took, by load balancer, zone and target group; never falls."""
        self.traffic: TrafficBook = {}
        """What the checks exchanged with each instance."""

    def apply(self, probes: Iterable[Probe]) -> None:
        """Make these checks and no others; one that was absent begins anew, without a past."""
        wanted = {probe.key: probe for probe in probes}
        self._loop.call(lambda: self._apply(wanted))

    def stop(self) -> None:
        """Make no more checks."""
        self._loop.call(self._stop)

    def reports(self) -> tuple[ProbeReport, ...]:
        """Give the run of outcomes of every check that has had one."""
        return tuple(beat.report for beat in list(self._beats.values()) if beat.report.total)

    def troubles(self) -> tuple[str, ...]:
        """Say why checks could not be made, if the last one could not."""
        return (self._trouble,) if self._trouble else ()

    def _apply(self, wanted: dict[ProbeKey, Probe]) -> None:
        for key in [key for key in self._beats if key not in wanted]:
            self._forget(self._beats.pop(key))
        for key, probe in wanted.items():
            beat = self._beats.get(key)
            if beat is None:
                self._beats[key] = self._new(probe)
            elif beat.probe != probe:
                self._change(beat, probe)

    def _stop(self) -> None:
        self._apply({})
        for connection in self._parting:
            connection.close()
        self._parting.clear()

    def _new(self, probe: Probe) -> Beat:
        beat = Beat(probe, max(probe.starts_at, self._wall()), Timer(lambda: None), ProbeReport(probe.key, False, 0, 0))
        self._schedule(beat)
        return beat

    def _change(self, beat: Beat, probe: Probe) -> None:
        """Go on with other settings; the next check keeps its moment unless the new interval brings it nearer."""
        beat.probe = probe
        beat.due = max(probe.starts_at, min(beat.due, self._wall() + probe.interval_s))
        self._schedule(beat)

    def _forget(self, beat: Beat) -> None:
        beat.timer.cancel()
        self._land(beat)

    def _schedule(self, beat: Beat) -> None:
        beat.timer.cancel()
        beat.timer = self._loop.later(beat.due - self._wall(), partial(self._start, beat))

    def _start(self, beat: Beat) -> None:
        now = self._wall()
        beat.due = next_beat(beat.due, beat.probe.interval_s, now)
        self._schedule(beat)
        if beat.in_flight:
            return
        beat.in_flight = True
        if beat.probe.verdict == "dropped":
            self._await(beat, beat.probe.timeout_s)
        else:
            self._connect(beat)

    def _connect(self, beat: Beat) -> None:
        try:
            connection = socket_from(beat.probe.source_address)
        except OSError as failure:
            # No descriptor for it: that says nothing about the target.
            self._trouble = f"health checks could not be made ({failure.strerror})"
            beat.in_flight = False
            return
        self._trouble = ""
        beat.connection = connection
        code = connection.connect_ex((beat.probe.address, beat.probe.port))
        if code == errno.EINPROGRESS:
            self._loop.watch(connection.fileno(), OUT, partial(self._answered, beat))
            self._await(beat, max(beat.probe.timeout_s, LEAST_WAIT_S))
        else:
            self._conclude(beat, code)

    def _await(self, beat: Beat, patience_s: float) -> None:
        beat.deadline = self._loop.later(patience_s, partial(self._conclude, beat, errno.ETIMEDOUT))

    def _answered(self, beat: Beat, events: int) -> None:
        assert beat.connection is not None
        self._conclude(beat, beat.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _conclude(self, beat: Beat, code: int) -> None:
        self._land(beat)
        beat.report = after(beat.report, failure_of(code), self._wall())

    def _land(self, beat: Beat) -> None:
        """Take a check out of the air: no deadline, no socket."""
        beat.deadline.cancel()
        beat.in_flight = False
        if beat.connection is not None:
            self._loop.discard(beat.connection.fileno())
            self._part(beat.probe, beat.connection)
            beat.connection = None

    def _part(self, probe: Probe, connection: socket.socket) -> None:
        """Close a check's connection, and count it when the target has closed its end."""
        if told_of(connection)[0] not in (ESTABLISHED, CLOSE_WAIT):
            self._count(probe, connection)
            return
        with suppress(OSError):  # reset by its target this very moment
            connection.shutdown(socket.SHUT_WR)
        self._parting.add(connection)
        self._loop.later(LOOK_S, partial(self._look, probe, connection, self._loop.now + PARTED_S))

    def _look(self, probe: Probe, connection: socket.socket, until: float) -> None:
        if connection not in self._parting:
            return
        if told_of(connection)[0] != CLOSED and self._loop.now < until:
            self._loop.later(LOOK_S, partial(self._look, probe, connection, until))
            return
        self._parting.discard(connection)
        self._count(probe, connection)

    def _count(self, probe: Probe, connection: socket.socket) -> None:
        """Count what a check's connection carried, for the load balancer and for the instance, and close it."""
        packets_in, bytes_in, packets_out, bytes_out = by_connecting(told_of(connection))
        connection.close()
        whose = (probe.load_balancer, probe.zone, probe.target_group_arn)
        self.packets[whose] = self.packets.get(whose, 0) + packets_in + packets_out
        instance = self.traffic.setdefault(probe.target_id, Traffic())
        instance.add(packets_out, bytes_out, packets_in, bytes_in)


def next_beat(due: float, interval_s: float, now: float) -> float:
    """Give the first moment after ``now`` that is a whole number of intervals from ``due``."""
    return due + interval_s * max(1, math.floor((now - due) / interval_s) + 1)


def failure_of(code: int) -> str:
    """Say in the report's words how a connect ended; empty when it succeeded."""
    if code == 0:
        return ""
    return TIMED_OUT if code == errno.ETIMEDOUT else REFUSED


def after(report: ProbeReport, failure: str, at: float) -> ProbeReport:
    """Give the report after one more outcome."""
    passed = not failure
    streak = report.streak + 1 if report.total and report.passed == passed else 1
    return replace(report, passed=passed, streak=streak, total=report.total + 1, failure=failure, at=at)
