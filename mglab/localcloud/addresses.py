"""Which loopback addresses a cloud uses, and how it claims them for itself alone.

The whole of 127.0.0.0/8 answers on Linux without root. Each cloud takes two /16s of it, one for what
stands for private addresses (where services really listen) and one for public ones. The claim is an
abstract socket: atomic, seen by every user of the host, gone with the process that holds it.
"""

from __future__ import annotations

import socket
import time
import zlib
from dataclasses import dataclass

from mglab.errors import CloudUnavailable
from mglab.localcloud.rules.reach import SSH_PORT

FIRST_SLOT, LAST_SLOT = 64, 250
HIGH_SSH_PORT = 10022
"""Stands for port 22 where this user may not have it."""
HOSTS_PER_BLOCK = 250
_LOOK_S = 0.02


@dataclass(frozen=True)
class AddressPlan:
    """Two /16s of the loopback: ``slot`` for private addresses, ``slot + 1`` for public ones."""

    slot: int

    def private_loopback(self, number: int) -> str:
        """Give the loopback address that stands for the ``number``-th private address."""
        return _address(self.slot, number)

    def public(self, number: int) -> str:
        """Give the ``number``-th public address."""
        return _address(self.slot + 1, number)


def _address(second: int, number: int) -> str:
    block, host = divmod(number, HOSTS_PER_BLOCK)
    if block > 255:
        raise CloudUnavailable(
            "this cloud has used up its loopback addresses", hint="start it again: mglab cloud down, mglab cloud up"
        )
    return f"127.{second}.{block}.{host + 1}"


def preferred(word: str) -> int:
    """Give the slot that a cloud of this name asks for first: its own, so that another seldom takes it meanwhile."""
    return FIRST_SLOT + 2 * (zlib.crc32(word.encode()) % len(range(FIRST_SLOT, LAST_SLOT, 2)))


def claim(first: int = FIRST_SLOT, patience_s: float = 0.0) -> tuple[AddressPlan, socket.socket]:
    """Claim this slot, or the next free one; hold the socket for as long as the addresses are in use.

    ``patience_s`` is how long the first may still be held by a data plane that is just ending.
    """
    deadline = time.monotonic() + patience_s
    while (held := _held(first)) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    if held is not None:
        return AddressPlan(first), held
    slots = range(FIRST_SLOT, LAST_SLOT, 2)
    for slot in (*(each for each in slots if each >= first), *(each for each in slots if each < first)):
        if (held := _held(slot)) is not None:
            return AddressPlan(slot), held
    raise CloudUnavailable("every loopback slot of this host is taken", hint="stop a cloud: mglab cloud down NAME")


def _held(slot: int) -> socket.socket | None:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0mglab-slot-{slot}")
    except OSError:
        held.close()
        return None
    return held


def ssh_port(plan: AddressPlan) -> int:
    """Say at which port of its addresses a cloud can serve SSH: 22, or a high one that stands for it.

    An ordinary user may not bind 22, and nobody may where the host's own SSH server has every address.
    """
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((plan.public(0), SSH_PORT))
            attempt.listen(1)
        except OSError:
            return HIGH_SSH_PORT
    return SSH_PORT
