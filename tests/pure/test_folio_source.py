"""What of a cell's code the folio shows."""

from __future__ import annotations

import pytest

from mglab.folio.source import shown, withheld

EVIDENCE = 'evidence(\n    lab,\n    "The VPC",\n    [vpc],\n    step="3",\n)'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"vpc = network.create_vpc(lab)\n{EVIDENCE}", "vpc = network.create_vpc(lab)"),
        (EVIDENCE, ""),
        ('commentary(lab, "Question 1")', ""),
        ('answer(lab, "Question 1", answers.question_1(found))', ""),
        ("# why\nrecord = evidence(lab)", "# why\nrecord = evidence(lab)"),
        ("a = 1\n\nfigure(lab, f)\nb = 2", "a = 1\n\nb = 2"),
        ("%matplotlib inline\nevidence(lab)", "%matplotlib inline\nevidence(lab)"),
        ("", ""),
    ],
)
def test_only_what_was_done_is_shown(source: str, expected: str) -> None:
    assert shown(source) == expected


def test_a_cell_that_was_made_for_an_insight_is_told_apart() -> None:
    assert withheld('findings = conclusion(seen)\ninsight(\n    lab,\n    "What it says",\n)')
    assert not withheld(EVIDENCE) and not withheld("insights = 3") and not withheld("if (")
