"""Which target gets a new flow: the hash that a Network Load Balancer applies to each TCP connection.

AWS hashes six values (aws-facts 1.3): protocol, source address and port, destination address and port, and
the TCP sequence number of the client's SYN. A connection stays on its target for life; the next connection
of the same client, even from the same port, has another sequence number and may well go elsewhere. There is
no turn-taking: over few connections the shares are as uneven as dice, and so they are here.

We model the hash as BLAKE2b keyed with a secret of the listener, so that no client can aim at a target. The
key, and so every placement, is stable for the listener's life. The candidates are put in order of their ids
before one is taken: the order in which targets were registered makes no difference.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from socket import inet_aton

TCP = 6
_PACKED = struct.Struct("!B4sH4sHI")
_DIGEST_BYTES = 8


@dataclass(frozen=True)
class SixTuple:
    """All that tells one flow from another."""

    source_address: str
    source_port: int
    destination_address: str
    destination_port: int
    sequence: int
    """The sequence number of the client's SYN, 32 bits."""
    protocol: int = TCP

    def of_client(self) -> SixTuple:
        """Give the flow as a sticky target group sees it: everything but the client's address is the same for all."""
        return SixTuple(self.source_address, 0, "0.0.0.0", 0, 0, self.protocol)

    def packed(self) -> bytes:
        """Give the six values as bytes of one fixed length."""
        return _PACKED.pack(
            self.protocol,
            inet_aton(self.source_address),
            self.source_port,
            inet_aton(self.destination_address),
            self.destination_port,
            self.sequence,
        )


def place(flow: SixTuple, hash_key: bytes, places: int) -> int:
    """Give the flow one of ``places`` places, counted from 0."""
    digest = blake2b(flow.packed(), digest_size=_DIGEST_BYTES, key=hash_key).digest()
    return int.from_bytes(digest, "big") % places


def choose(target_ids: Sequence[str], flow: SixTuple, hash_key: bytes) -> str | None:
    """Choose the target of a new flow; None when there is nobody to choose."""
    if not target_ids:
        return None
    return sorted(target_ids)[place(flow, hash_key, len(target_ids))]
