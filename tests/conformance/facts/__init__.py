"""The rows of AWS's behaviour that this lab rests on, and what the local cloud does about each.

A row has a key (section and a word, ``1.1/dns-name``), how sure one may be of it, and one sentence of our own. A
test that shows it says so: ``@pytest.mark.fact("1.1/dns-name")``, anywhere under tests/. What cannot be settled (I) may
be a knob; what is outside of this lab is left out with its reason. ``tests/conformance/table.py`` makes
docs/conformance.md of the rows and the tests that name them, and tests/pure/test_conformance_table.py
fails when a row is neither shown, knobbed nor left out, or a test names a row that there is not.
"""

from __future__ import annotations

from dataclasses import dataclass

CONFIDENCE = {
    "D": "documented by AWS",
    "R": "recorded from AWS by others",
    "O": "observed by others",
    "I": "inferred by us",
}


@dataclass(frozen=True)
class Fact:
    """One row. ``knob`` names the knob (mglab.localcloud.knobs) that turns it; ``left_out`` says why it is missing."""

    key: str
    confidence: str
    says: str
    knob: str = ""
    left_out: str = ""
