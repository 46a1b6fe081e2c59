"""Instances' public ports: refused, relayed or silent, as the instance and its security groups have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mglab.localcloud.seam import Front
from mglab.localcloud.wires import fronts
from mglab.localcloud.wires.loop import Loop
from mglab.localcloud.wires.relay import Relay
from tests.local.wirekit import Echo, address, connect, listen

PORT = 21600


@pytest.fixture
def relay() -> Iterator[Relay]:
    loop = Loop("relay under test")
    loop.start()
    relay = Relay(loop)
    yield relay
    relay.stop()
    loop.stop()


@pytest.fixture
def front() -> Front:
    return Front("i-a", address(), PORT, "open", target_address=address())


def show(relay: Relay, *wanted: Front) -> None:
    relay.apply(fronts.entrances(wanted, fronts.listening_now(wanted), {}))


def ask(front: Front, timeout_s: float = 10) -> bytes:
    with connect((front.address, front.port), timeout_s=timeout_s) as client:
        return client.recv(100)


def test_a_front_comes_and_goes_with_the_instances_listener(relay: Relay, front: Front) -> None:
    show(relay, front)
    with pytest.raises(ConnectionRefusedError):
        ask(front)
    for _ in range(2):
        service = Echo("i-a", front.target_address, PORT)
        show(relay, front)
        assert ask(front) == b"i-a\n"
        service.close()
        show(relay, front)
        with pytest.raises(ConnectionRefusedError):
            ask(front)


def test_a_closed_security_group_is_silence_until_it_opens(relay: Relay, front: Front) -> None:
    service = Echo("i-a", front.target_address, PORT)
    show(relay, replace(front, verdict="dropped"))
    with pytest.raises(TimeoutError):
        ask(front, timeout_s=0.3)
    show(relay, front)
    assert ask(front) == b"i-a\n"
    service.close()


def test_a_silent_port_of_an_instance_that_does_not_listen_turns_to_refusal(relay: Relay, front: Front) -> None:
    show(relay, replace(front, verdict="dropped"))
    with pytest.raises(TimeoutError):
        ask(front, timeout_s=0.3)
    show(relay, front)
    with pytest.raises(ConnectionRefusedError):
        ask(front)


def test_two_instances_do_not_answer_for_each_other(relay: Relay, front: Front) -> None:
    other = Front("i-b", address(), PORT, "open", target_address=address())
    service = Echo("i-b", other.target_address, PORT)
    show(relay, front, other)
    assert ask(other) == b"i-b\n"
    with pytest.raises(ConnectionRefusedError):
        ask(front)
    service.close()


def test_listening_sockets_are_read_from_the_kernels_table() -> None:
    with listen(address()) as service, connect(service.getsockname()) as client:
        assert service.getsockname() in fronts.listening_sockets()
        assert client.getsockname() not in fronts.listening_sockets()
    assert service not in fronts.listening_sockets()
