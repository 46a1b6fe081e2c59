"""The resolver at its socket: names, translations, order, and who may ask."""

from __future__ import annotations

import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from mglab.localcloud.seam import PrivateAddress
from mglab.localcloud.wires.dns import Resolver
from mglab.localcloud.wires.loop import Loop
from tests.local.wirekit import read_all

NAME = "mglb-50dc6c495c0c9188.elb.us-east-1.amazonaws.com"
NAMES = {NAME: ("127.65.0.3", "127.65.0.4"), f"us-east-1a.{NAME}": ("127.65.0.3",)}


@pytest.fixture
def path() -> Iterator[Path]:
    """A short one: a Unix socket's may not be longer than 108 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "r"


@pytest.fixture
def resolver(path: Path) -> Iterator[Resolver]:
    loop = Loop("resolver under test")
    loop.start()
    resolver = Resolver(loop, path, Random(7))
    resolver.apply(NAMES, [PrivateAddress("vpc-1", "192.168.0.57", "127.64.0.12")])
    yield resolver
    resolver.stop()
    loop.stop()
    assert not path.exists()


def ask(path: Path, question: str) -> list[str]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(question.encode())
        return read_all(client).decode().splitlines()


@pytest.mark.usefixtures("resolver")
@pytest.mark.fact("1.4/order", "1.4/ttl")
def test_the_order_of_zones_is_drawn_anew_for_each_answer(path: Path) -> None:
    answers = [ask(path, f"A {NAME}\n") for _ in range(64)]
    assert all(sorted(answer) == ["127.65.0.3 60", "127.65.0.4 60"] for answer in answers)
    first = [answer[0] for answer in answers]
    assert 12 <= first.count("127.65.0.3 60") <= 52, "even odds give fewer or more once in ten million"
    assert any(a == b for a, b in zip(first, first[1:], strict=False)), "nobody takes turns"


@pytest.mark.usefixtures("resolver")
@pytest.mark.fact("1.1/zonal-name")
def test_names_are_compared_as_dns_does(path: Path) -> None:
    assert ask(path, f"A US-EAST-1A.{NAME}.\n") == ["127.65.0.3 60"]


@pytest.mark.usefixtures("resolver")
def test_private_addresses_are_translated_both_ways(path: Path) -> None:
    assert ask(path, "TO vpc-1 192.168.0.57\n") == ["127.64.0.12"]
    assert ask(path, "SEEN 127.64.0.12\n") == ["192.168.0.57"]


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize("question", ["A no.such.name", "TO vpc-2 192.168.0.57", "SEEN 127.0.0.1", "", "HELLO", "A"])
def test_what_is_not_known_has_no_lines(path: Path, question: str) -> None:
    assert ask(path, question + "\n") == []


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize("noise", ["x" * 5000, "\x00\xff\n"])
def test_noise_is_no_question(path: Path, noise: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(10)
        client.sendall(noise.encode())
        with suppress(ConnectionResetError):  # it need not have read all of the noise
            assert client.recv(100) == b""
    assert ask(path, "SEEN 127.64.0.12\n") == ["192.168.0.57"]


def test_names_change_at_once(resolver: Resolver, path: Path) -> None:
    resolver.apply({NAME: ("127.65.0.4",)}, [])
    assert ask(path, f"A {NAME}\n") == ["127.65.0.4 60"]
    resolver.apply({}, [])
    assert ask(path, f"A {NAME}\n") == []


@pytest.mark.usefixtures("resolver")
def test_a_slow_asker_keeps_nobody_waiting(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(10)
        slow.connect(str(path))
        slow.sendall(b"SEEN 127.64")
        assert ask(path, "SEEN 127.64.0.12\n") == ["192.168.0.57"]
        slow.sendall(b".0.12\n")
        assert read_all(slow) == b"192.168.0.57\n"


@pytest.mark.usefixtures("resolver")
def test_only_the_owner_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
