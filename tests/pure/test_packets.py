"""From what the kernel tells of a connection to what was on the wire: pairs recorded with a packet capture.

``tests/local/test_packets`` captures anew, where the machine allows it; these few hold everywhere.
"""

from __future__ import annotations

import pytest

from mglab.localcloud.wires.packets import FULL_SYN, Passed, Told, by_accepted, by_connecting, syn_bytes

ALL_OPTIONS = 7
CASES: dict[str, tuple[Told, bool, bool, Passed]] = {
    # state, options, acknowledged, received, segments out, in, sent, again; FIN read; we reset
    "a handshake alone": ((1, ALL_OPTIONS, 0, 0, 0, 2, 0, 0), False, False, (2, 112, 1, 60)),
    "a line each way": ((1, ALL_OPTIONS, 9, 5, 2, 4, 9, 0), False, False, (4, 221, 3, 173)),
    "its end, the client first": ((7, ALL_OPTIONS, 10, 6, 3, 6, 9, 0), True, False, (6, 325, 4, 225)),
    "its FIN is there and not read": ((8, ALL_OPTIONS, 9, 6, 2, 5, 9, 0), False, False, (5, 273, 3, 173)),
    "the client resets": ((7, ALL_OPTIONS, 0, 0, 0, 3, 0, 0), False, False, (3, 164, 1, 60)),
    "we reset": ((1, ALL_OPTIONS, 0, 0, 0, 2, 0, 0), False, True, (2, 112, 2, 112)),
    "data for a client that is gone": ((7, ALL_OPTIONS, 0, 1, 1, 4, 5, 0), True, False, (4, 204, 2, 117)),
    "a half-closed client resets": ((7, ALL_OPTIONS, 0, 1, 0, 4, 0, 0), True, False, (4, 216, 1, 60)),
    "without timestamps": ((1, 6, 0, 5, 1, 3, 0, 0), False, False, (3, 137, 2, 92)),
}


@pytest.mark.parametrize(("told", "fin_read", "resets", "passed"), CASES.values(), ids=CASES.keys())
def test_an_accepted_connection(told: Told, fin_read: bool, resets: bool, passed: Passed) -> None:
    assert by_accepted(told, syn_bytes(told[1]), fin_read=fin_read, resets=resets) == passed
    assert by_accepted(told, 0, fin_read=fin_read, resets=resets) == passed  # where the kernel kept no SYN


def test_a_syn_with_an_option_that_was_not_agreed_on_counts_as_long_as_it_was() -> None:
    told = CASES["a handshake alone"][0]
    assert by_accepted(told, 72, fin_read=False, resets=False)[1] == 112 + 12


def test_a_health_check_that_passes_and_one_that_is_refused() -> None:
    assert by_connecting((7, ALL_OPTIONS, 1, 1, 4, 2, 0, 0)) == (2, 112, 4, 216)
    assert by_connecting((7, 0, 0, 0, 1, 1, 0, 0)) == (1, 40, 1, FULL_SYN)
    assert by_connecting((2, 0, 0, 0, 2, 0, 0, 0)) == (0, 0, 2, 2 * FULL_SYN)  # nobody answers
