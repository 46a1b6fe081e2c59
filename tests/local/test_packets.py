"""Packets and bytes of the clients' side are those that a packet capture sees, whatever clients and targets do.

The scenes are played by ``packet_scenarios`` in a network namespace of its own, so no right is needed that an
ordinary user has not got. Where a machine forbids such namespaces there is nothing to compare with and these tests
say so; ``test_counters`` holds the same counts against the clients' own kernel counters everywhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.local import packet_scenarios as scenarios

ROOT = Path(__file__).parents[2]
BOUND_S = 120.0

Found = dict[str, Any]


@pytest.fixture(scope="module")
def found() -> Found:
    """Play everything once."""
    played = subprocess.run(
        [sys.executable, "-m", "tests.local.packet_scenarios"],
        cwd=ROOT, text=True, capture_output=True, timeout=BOUND_S,
    )  # fmt: skip
    if played.stderr.startswith(scenarios.FORBIDDEN):
        pytest.skip(f"no capture on this machine: {played.stderr.strip()}")
    assert played.returncode == 0, played.stderr
    answer: Found = json.loads(played.stdout)
    return answer


@pytest.mark.parametrize("scene", [scene.__name__ for scene in scenarios.SCENES])
def test_each_packet_and_byte_is_counted_once(found: Found, scene: str) -> None:
    assert found[scene]["counted"].items() <= found[scene]["captured"].items()
    assert found[scene]["captured"]["packets"] >= 4


@pytest.mark.parametrize("option", ["tcp_timestamps", "tcp_sack", "tcp_window_scaling"])
@pytest.mark.parametrize("scene", [scene.__name__ for scene in scenarios.WITHOUT_OPTIONS])
def test_headers_have_the_options_that_both_sides_agreed_on(found: Found, scene: str, option: str) -> None:
    one = found[f"{scene} without {option} and before"]
    assert one["counted"].items() <= one["captured"].items()
    assert one["captured"]["bytes"] < found[scene]["captured"]["bytes"]


@pytest.mark.parametrize("checks", ["health_checks", "refused_health_checks"])
def test_health_checks_are_counted_to_their_last_packet(found: Found, checks: str) -> None:
    assert found[checks]["counted"] == found[checks]["captured"]
    assert found[checks]["counted"]["packets"] >= 20


def test_a_port_that_could_not_be_had_is_counted(found: Found) -> None:
    """Four clients at once and one port to dial their target from: three go without."""
    assert found["port_allocation_errors"] == 3
