"""One port of one public address: open to clients, or dark, so that they time out.

AWS drops what may not pass (a closed security group, a port without a listener); it never refuses it
(aws-facts 1.3). A loopback address without a listener refuses at once. To make a client really time out,
without root and without a firewall, the port is bound and its queue of finished handshakes kept full: with
``listen(0)`` the queue has room for one, and one connection of our own, the plug, takes it. The kernel then
drops every further SYN, and the client's connect retries until it gives up. ``listen(4096)`` on the same
socket opens the port again, and a client that still retries gets in, as on AWS.
"""

from __future__ import annotations

import socket
import struct

from mglab.localcloud.wires.flow import Address

ACCEPT_QUEUE = 4096
TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
"""Linux: keep the headers of a client's SYN, and read them from the accepted connection. Not in the socket module."""
_LONGEST_HEADERS = 120


class Listener:
    """A bound socket. ``brighten`` and ``darken`` may be called in any order, any number of times."""

    def __init__(self, address: str, port: int) -> None:
        self.address: Address = (address, port)
        self.dark: bool | None = None
        self._plug: socket.socket | None = None
        self.socket = socket.socket()
        try:
            self._prepare()
        except OSError:
            self.socket.close()
            raise

    def _prepare(self) -> None:
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it: a relayed line must not wait for the acknowledgement of the last.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _save_syn(self.socket)
        self.socket.bind(self.address)

    def brighten(self) -> None:
        """Let clients in, those too whose SYN is being retried."""
        self.socket.listen(ACCEPT_QUEUE)
        self.dark = False

    def darken(self) -> None:
        """Drop every new SYN from now on."""
        self.socket.listen(0)
        self.dark = True
        if self._plug is None:
            self._plug = socket.socket()
            self._plug.setblocking(False)
            self._plug.connect_ex(self.address)

    def accept(self) -> tuple[socket.socket, Address] | None:
        """Give the next client and its address; None for our own plug. Raises what accept raises."""
        client, address = self.socket.accept()
        if self._plug is not None and address == self._plug.getsockname():
            client.close()
            self._pull_plug()
            return None
        client.setblocking(False)
        return client, address

    def close(self) -> None:
        """Stop listening; clients that were not accepted yet are reset by the kernel."""
        self._pull_plug()
        self.socket.close()

    def _pull_plug(self) -> None:
        if self._plug is not None:
            self._plug.close()
            self._plug = None


def saved_syn(client: socket.socket) -> bytes:
    """Read, once, the headers of the SYN that opened an accepted connection; none where the kernel kept none."""
    try:
        return client.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, _LONGEST_HEADERS)
    except OSError:
        return b""


def sequence_of(headers: bytes) -> int | None:
    """Read the sequence number from the IPv4 and TCP headers of a packet."""
    start = (headers[0] & 0x0F) * 4 + 4 if headers else 0
    if not headers or headers[0] >> 4 != 4 or len(headers) < start + 4:
        return None
    number: int = struct.unpack_from("!I", headers, start)[0]
    return number


def _save_syn(listening: socket.socket) -> None:
    try:
        listening.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
    except OSError:
        return  # an old kernel: random bits will stand for the sequence number
