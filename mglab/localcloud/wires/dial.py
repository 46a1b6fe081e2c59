"""Outgoing connections that come from an address of our choosing.

A Network Load Balancer keeps the client's address (aws-facts 1.3), and its health checks come from the node's
own private address (aws-facts 1.5). Every 127.x.y.z is an address of this host, so a socket may simply be
bound to it. The client's port is not kept: the client's own socket has it.
"""

from __future__ import annotations

import socket

IP_BIND_ADDRESS_NO_PORT = 24
"""Linux: bind to an address only, and choose the port at connect, when the destination is known too.
Not in the socket module."""


def socket_from(source_address: str) -> socket.socket:
    """Make a non-blocking socket whose connections come from ``source_address``.

    Where that is not an address of this host they come from wherever the kernel likes. Raises OSError when
    there is no descriptor left for a socket.
    """
    connection = socket.socket()
    connection.setblocking(False)
    try:
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((source_address, 0))
    except OSError:
        return connection
    return connection
