"""Which of the handout's steps a heading or an evidence names."""

from __future__ import annotations

import pytest

from mglab.folio import handout


def test_the_sheet_has_all_its_steps_in_order() -> None:
    assert len(handout.STEPS) == 7 + 88 + 3 + 1
    assert len(set(handout.STEPS)) == len(handout.STEPS)
    assert [step for step in handout.STEPS if step.isdigit()] == [str(number) for number in range(1, 89)]
    assert handout.STEPS.index("84") < handout.STEPS.index("Question 1") < handout.STEPS.index("85")


@pytest.mark.parametrize(
    ("heading", "steps", "words"),
    [
        ("45. Create a target group", ("45",), "Create a target group"),
        ("42–44. What a target group is", ("42", "43", "44"), "What a target group is"),
        ("Steps 58-60: Start the group", ("58", "59", "60"), "Start the group"),
        ("61, 62 and 63 · Name it", ("61", "62", "63"), "Name it"),
        ("Preliminary 4. Update run.sh", ("Preliminary 4",), "Update run.sh"),
        ("Preliminary 6-7 — Make the image", ("Preliminary 6", "Preliminary 7"), "Make the image"),
        ("Question 1: Is there any pattern?", ("Question 1",), "Is there any pattern?"),
        ("84 and Question 1. Ask it often", ("84", "Question 1"), "Ask it often"),
        ("Monitoring evaluation", ("Monitoring evaluation",), ""),
        ("87, 88 and monitoring evaluation: Compare", ("87", "88", "Monitoring evaluation"), "Compare"),
        ("2 instances answer", (), "2 instances answer"),
        ("99. Tear it down", (), "99. Tear it down"),
        ("2023. A year", (), "2023. A year"),
        ("What this shows", (), "What this shows"),
    ],
)
def test_headings_name_steps(heading: str, steps: tuple[str, ...], words: str) -> None:
    assert handout.split_heading(heading) == (steps, words)


@pytest.mark.parametrize(
    ("step", "steps", "shown"),
    [
        ("5", ("5",), "Step 5"),
        ("58-60", ("58", "59", "60"), "Steps 58–60"),
        ("78, 83", ("78", "83"), "Steps 78, 83"),
        ("Preliminary 4", ("Preliminary 4",), "Preliminary 4"),
        ("Question 2", ("Question 2",), "Question 2"),
        ("Teardown", (), "Teardown"),
        ("", (), ""),
    ],
)
def test_evidence_names_steps(step: str, steps: tuple[str, ...], shown: str) -> None:
    assert handout.steps_named(step) == steps
    assert handout.shown(step) == shown


def test_order_follows_the_sheet() -> None:
    assert sorted(["Question 1", "5", "Teardown", "Preliminary 2", "85"], key=handout.order) == [
        "Preliminary 2",
        "5",
        "Question 1",
        "85",
        "Teardown",
    ]
