"""HealthCheck.py as a real process: accepts and closes, in a tight loop."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "servers" / "HealthCheck.py"
BOUND_S = 30.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with subprocess.Popen([sys.executable, str(PROGRAM), "--port", "0"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline().split()[-1])
        process.terminate()


def test_a_connection_is_accepted_and_closed_at_once(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), BOUND_S) as probe:
        assert probe.recv(1) == b""


def test_it_goes_on_through_many_probes_and_broken_ones(port: int) -> None:
    for _ in range(200):
        probe = socket.create_connection(("127.0.0.1", port), BOUND_S)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        probe.close()
    with socket.create_connection(("127.0.0.1", port), BOUND_S) as probe:
        assert probe.recv(1) == b""


def test_a_port_in_use_is_one_clear_line(port: int) -> None:
    command = [sys.executable, str(PROGRAM), "--port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"HealthCheck: port {port}: ") and done.stderr.count("\n") == 1
