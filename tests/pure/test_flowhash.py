"""The flow hash: fair over many flows, fixed for one, and moved by each of its six inputs (aws-facts 1.3)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from mglab.localcloud.rules.flowhash import SixTuple, choose, place

KEY = b"a listener's own secret"
FLOW = SixTuple("127.0.0.1", 40000, "127.201.0.1", 5000, sequence=0x12345678)
CHI_SQUARE_999 = {1: 10.83, 2: 13.82, 4: 18.47, 9: 27.88}
"""degrees of freedom -> what a fair choice exceeds once in a thousand times"""


def flows_of_one_client(count: int, seed: int) -> list[SixTuple]:
    dice = random.Random(seed)
    return [replace(FLOW, source_port=32768 + n % 28000, sequence=dice.getrandbits(32)) for n in range(count)]


def chi_square(seen: Counter[int], places: int) -> float:
    expected = seen.total() / places
    return sum((seen[n] - expected) ** 2 / expected for n in range(places))


@pytest.mark.parametrize("places", [2, 3, 5, 10])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shares_are_even_over_many_flows(places: int, seed: int) -> None:
    seen = Counter(place(flow, KEY, places) for flow in flows_of_one_client(4000, seed))
    assert chi_square(seen, places) < CHI_SQUARE_999[places - 1]


def test_shares_are_even_when_only_the_sequence_number_changes() -> None:
    seen = Counter(place(replace(FLOW, sequence=n), KEY, 2) for n in range(4000))
    assert chi_square(seen, 2) < CHI_SQUARE_999[1]


@pytest.mark.fact("1.3/uneven")
def test_it_does_not_take_turns() -> None:
    places = [place(flow, KEY, 2) for flow in flows_of_one_client(400, seed=4)]
    repeats = sum(one == other for one, other in zip(places, places[1:], strict=False))
    assert 150 < repeats < 250


def test_the_same_flow_keeps_its_target() -> None:
    assert {choose(["i-b", "i-a", "i-c"], FLOW, KEY) for _ in range(20)} == {choose(["i-b", "i-a", "i-c"], FLOW, KEY)}


def test_the_order_of_registration_makes_no_difference() -> None:
    for flow in flows_of_one_client(50, seed=5):
        assert choose(["i-a", "i-b", "i-c"], flow, KEY) == choose(["i-c", "i-a", "i-b"], flow, KEY)


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": 17},
        {"source_address": "127.0.0.2"},
        {"source_port": 40001},
        {"destination_address": "127.201.0.2"},
        {"destination_port": 5001},
        {"sequence": 0x12345679},
    ],
)
@pytest.mark.fact("0/six-inputs")
def test_each_input_counts(other: dict[str, object]) -> None:
    many = 2**32
    assert place(replace(FLOW, **other), KEY, many) != place(FLOW, KEY, many)  # type: ignore[arg-type]


def test_each_listener_has_its_own_hash() -> None:
    flows = flows_of_one_client(200, seed=6)
    assert [place(flow, KEY, 2) for flow in flows] != [place(flow, b"another", 2) for flow in flows]


def test_nobody_to_choose() -> None:
    assert choose([], FLOW, KEY) is None
