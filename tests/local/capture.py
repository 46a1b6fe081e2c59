"""A packet capture of this network namespace's loopback, as the kernel hands it to anyone with the right to look.

Independent of what it is compared with: an AF_PACKET ring sees the packets themselves. A segment that the kernel
has not cut into packets yet (on a loopback it never does) is counted as the packets that it stands for, by the
size that goes with it. ``enter_namespace`` gives an ordinary user the right to look, at a network of its own.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP, IFF_LOOPBACK = 0x8914, 1, 8
SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_VNET_HDR = 263, 5, 6, 10, 15
TPACKET_V2, ETH_P_IP, PACKET_OUTGOING = 1, 0x0800, 4
NOTHING, SACK = 1, 5
"""Kinds of TCP options."""
HALF = 1 << 31
"""Half of the sequence numbers there are: what lies less than that ahead is later."""
FRAME, FRAMES, BLOCK = 256, 32768, 1 << 20
ADDRESS_AT = 32
"""Where a frame's sockaddr_ll is: behind struct tpacket2_hdr."""


def enter_namespace() -> None:
    """Move this process into a user and a network namespace of its own; raises OSError where that is forbidden."""
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no user and network namespace of one's own")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        request = struct.pack("16sH14x", b"lo", IFF_UP | IFF_LOOPBACK)
        fcntl.ioctl(anything, SIOCSIFFLAGS, request)


@dataclass(frozen=True)
class Packet:
    """An IPv4 packet with TCP in it, or several of the same kind."""

    source: tuple[str, int]
    destination: tuple[str, int]
    count: int
    length: int
    """Bytes, IP and TCP headers included, of all of them."""
    sequence: int
    payload: int
    sack: int
    """Bytes of the headers that are SACK blocks."""

    @property
    def connection(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return self.source, self.destination


class Capture:
    """Sees every packet from its making on."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        self._socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        ring = struct.pack("IIII", BLOCK, FRAMES * FRAME // BLOCK, FRAME, FRAMES)
        self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, ring)
        self._ring = mmap.mmap(self._socket.fileno(), FRAMES * FRAME)
        self._next = 0
        self._socket.bind(("lo", ETH_P_IP))

    def taken(self) -> list[Packet]:
        """Give what was seen since the last time; fails when the ring was too small for it."""
        packets = []
        while struct.unpack_from("I", self._ring, self._next * FRAME)[0] & 1:
            packets.extend(self._packet(self._next * FRAME))
            struct.pack_into("I", self._ring, self._next * FRAME, 0)
            self._next = (self._next + 1) % FRAMES
        _, dropped = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        assert dropped == 0, f"the capture missed {dropped} packets"
        return packets

    def _packet(self, frame: int) -> list[Packet]:
        mac, net = struct.unpack_from("HH", self._ring, frame + 12)
        if self._ring[frame + ADDRESS_AT + 10] == PACKET_OUTGOING:
            return []  # the loopback shows each packet as it goes and as it comes
        _, _, _, piece, _, _ = struct.unpack_from("<BBHHHH", self._ring, frame + mac - 10)
        ip = frame + net
        length = struct.unpack_from("!H", self._ring, ip + 2)[0]
        if self._ring[ip + 9] != socket.IPPROTO_TCP:
            return []
        tcp = ip + (self._ring[ip] & 15) * 4
        source_port, destination_port = struct.unpack_from("!HH", self._ring, tcp)
        headers = tcp - ip + (self._ring[tcp + 12] >> 4) * 4
        count = -(-(length - headers) // piece) if piece and length > headers else 1
        addresses = [socket.inet_ntoa(self._ring[ip + at : ip + at + 4]) for at in (12, 16)]
        whole = length + (count - 1) * headers
        return [
            Packet(
                (addresses[0], source_port), (addresses[1], destination_port), count, whole,
                sequence=struct.unpack_from("!I", self._ring, tcp + 4)[0],
                payload=length - headers,
                sack=sack_bytes(self._ring[tcp + 20 : ip + headers]),
            )
        ]  # fmt: skip


def sack_bytes(options: bytes) -> int:
    """Give how many bytes of a TCP header's options are SACK blocks, with their padding."""
    at = 0
    while at < len(options) and options[at] != 0:
        if options[at] == SACK:
            return 2 + options[at + 1]
        at += 1 if options[at] == NOTHING else options[at + 1]
    return 0


def sent_again(packets: list[Packet]) -> int:
    """Give how many bytes of payload were in an earlier packet already."""
    ends: dict[object, int] = {}
    again = 0
    for packet in packets:
        if packet.payload:
            begin = packet.sequence
            known = (ends.setdefault(packet.connection, begin) - begin + HALF) % (2 * HALF) - HALF
            again += min(max(known, 0), packet.payload)
            ends[packet.connection] = begin + max(known, packet.payload)
    return again
