"""Where a cloud serves SSH: at 22, or at a port that stands for it where this user may not have that one."""

from __future__ import annotations

import socket

import pytest

from mglab.localcloud import addresses
from mglab.localcloud.addresses import HIGH_SSH_PORT, AddressPlan

PLAN = AddressPlan(62)
"""A slot that no cloud claims."""


def test_a_port_that_cannot_be_had_is_stood_in_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind((PLAN.public(0), 0))
        held.listen(1)
        monkeypatch.setattr(addresses, "SSH_PORT", held.getsockname()[1])
        assert addresses.ssh_port(PLAN) == HIGH_SSH_PORT
    assert addresses.ssh_port(PLAN) == addresses.SSH_PORT
