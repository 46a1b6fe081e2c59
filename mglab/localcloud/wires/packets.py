"""How many packets a connection has carried, and how long they were: read from the kernel, never estimated.

A load balancer's ProcessedBytes has TCP/IP headers in it (aws-facts 4.1); a relay sees payload alone. But the
kernel counts each connection's segments and tells them by TCP_INFO, without privilege. Compared with a capture of
the same connection (tests/local/test_packets.py), those counters and the wire differ by exactly this:

* an accepted connection's counters have the client's SYN, but not the SYN-ACK that answered it;
* a connecting one's have both;
* an RST that we send by closing is sent after the last reading can be made;
* what comes after our close is nobody's: so a connection whose last FIN is not acknowledged yet is kept until
  it is, and read once more (``state`` becomes CLOSED);
* a FIN counts as one byte received or acknowledged, as sequence numbers do, but is none on the wire.

Every segment has 40 bytes of IPv4 and TCP headers and, where both sides agreed on timestamps, 12 more; SYN and
SYN-ACK have the options that they agreed on, each in its fixed size. One packet is shorter: the RST with which a
host answers data for a socket that is gone has no options. That is the one which ends a connection whose peer had
sent its FIN while data of ours is not acknowledged.

Left out, for the kernel tells nobody: SACK blocks, and payload that came to us a second time. On a loopback, where
nothing is lost or overtaken, both happen only when a long stream meets a full buffer.
"""

from __future__ import annotations

import socket
import struct

from mglab.localcloud.wires.counts import FlowCounts, Traffic

ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSED, CLOSE_WAIT, LAST_ACK, CLOSING = 1, 4, 5, 6, 7, 8, 9, 11
"""The kernel's numbers of a connection's states."""
RESETTABLE = frozenset((ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT))
"""States in which an abortive close sends an RST."""
FIN_RECEIVED = frozenset((TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING))

HEADERS, MSS_OPTION, TIMESTAMPS_OPTION, SACK_OPTION, WINDOW_OPTION = 40, 4, 12, 4, 4
"""Bytes: IPv4 and TCP without options, then each option with its padding (SACK goes into that of the timestamps)."""
TIMESTAMPS, SACK, WINDOW_SCALE = 1, 2, 4
"""Bits of TCP_INFO's options: what both sides agreed on."""
FULL_SYN = HEADERS + MSS_OPTION + TIMESTAMPS_OPTION + WINDOW_OPTION

_TOLD = struct.Struct("=B4xB114xQQII56xQQ")
"""struct tcp_info of linux/tcp.h, as far as it is read here; its last two fields came with Linux 4.19 (before
that, what we sent counts without its payload)."""
LINGER_NOT = struct.pack("ii", 1, 0)

# Plain tuples: these are made for every flow, and a relay has a microsecond for each.
Told = tuple[int, int, int, int, int, int, int, int]
"""(state, options, bytes acknowledged, bytes received, segments out, segments in, bytes sent, bytes sent again)"""
Passed = tuple[int, int, int, int]
"""(packets in, bytes in, packets out, bytes out); the bytes are those of whole IP packets."""
NOTHING: Passed = (0, 0, 0, 0)


def told_of(connection: socket.socket) -> Told:
    """Ask the kernel what a connection has carried and what state it is in."""
    raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TOLD.size)
    told: Told = _TOLD.unpack(raw.ljust(_TOLD.size, b"\0"))
    return told


def is_established(connection: socket.socket) -> bool:
    """Whether a connection's handshake is complete and neither end has closed it."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED


def reset(connection: socket.socket) -> None:
    """Close with an RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    connection.close()


def syn_bytes(options: int) -> int:
    """Give the length of a SYN or SYN-ACK that has these options and a segment size."""
    aligned = TIMESTAMPS_OPTION if options & TIMESTAMPS else SACK_OPTION if options & SACK else 0
    return HEADERS + MSS_OPTION + aligned + (WINDOW_OPTION if options & WINDOW_SCALE else 0)


AGREED = TIMESTAMPS | SACK | WINDOW_SCALE
SIZES = tuple(
    (HEADERS + (TIMESTAMPS_OPTION if options & TIMESTAMPS else 0), syn_bytes(options)) for options in range(AGREED + 1)
)
"""By what was agreed on: the length of a segment without payload, and of a SYN-ACK."""


def by_accepted(told: Told, syn: int, *, fin_read: bool, resets: bool) -> Passed:
    """Say what an accepted connection has carried.

    ``syn`` is the length of the client's SYN (0: not known), ``fin_read`` whether its FIN has been read, ``resets``
    whether the connection is about to be closed with an RST.
    """
    state, options, acknowledged, received, segments_out, segments_in, sent, again = told
    segment, agreed = SIZES[options & AGREED]
    bytes_in = (syn or agreed) + (segments_in - 1) * segment + received
    if fin_read or state in FIN_RECEIVED:
        bytes_in -= 1
        if state == CLOSED and sent - again > acknowledged:  # nobody was there any more to take it
            bytes_in -= segment - HEADERS
    segments_out += resets
    return segments_in, bytes_in, 1 + segments_out, agreed + segments_out * segment + sent


def by_connecting(told: Told) -> Passed:
    """Say what a connection of our own has carried."""
    state, options, _, received, segments_out, segments_in, sent, _ = told
    if not options:  # nobody answered, or with a refusal
        return segments_in, segments_in * HEADERS, segments_out, segments_out * FULL_SYN
    segment, agreed = SIZES[options & AGREED]
    fin = state in FIN_RECEIVED or (state == CLOSED and received > 0)
    bytes_in = agreed + (segments_in - 1) * segment + received - fin
    return segments_in, bytes_in, segments_out, FULL_SYN + (segments_out - 1) * segment + sent


class Meter:
    """Adds what an accepted connection carries to two accounts, as often as it is read.

    ``counts`` is the load balancer's account, ``traffic`` that of the instance behind it (None: nobody's).
    """

    __slots__ = ("_counts", "_passed", "_syn", "_traffic", "connection", "moving")

    def __init__(self, connection: socket.socket, counts: FlowCounts, traffic: Traffic | None, syn: int) -> None:
        self.connection = connection
        self.moving = True
        """Whether the last reading had anything new."""
        self._counts = counts
        self._traffic = traffic
        self._syn = syn
        self._passed = NOTHING

    def read(self, *, fin_read: bool) -> None:
        """Add what is new."""
        self._add(by_accepted(told_of(self.connection), self._syn, fin_read=fin_read, resets=False))

    def close(self, *, fin_read: bool, by_reset: bool) -> bool:
        """Close the connection and count it to its end; False when that has to be tried again later."""
        told = told_of(self.connection)
        state = told[0]
        self._add(by_accepted(told, self._syn, fin_read=fin_read, resets=by_reset and state in RESETTABLE))
        if by_reset:
            reset(self.connection)
        elif state != CLOSED:
            return False
        else:
            self.connection.close()
        return True

    def _add(self, passed: Passed) -> None:
        before, self._passed = self._passed, passed
        self.moving = passed != before
        if self.moving:
            packets_in, bytes_in = passed[0] - before[0], passed[1] - before[1]
            packets_out, bytes_out = passed[2] - before[2], passed[3] - before[3]
            self._counts.processed_packets += packets_in + packets_out
            self._counts.processed_bytes += bytes_in + bytes_out
            if self._traffic is not None:
                self._traffic.add(packets_in, bytes_in, packets_out, bytes_out)
