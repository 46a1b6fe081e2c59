"""What a class table says of submissions, and what gives a changed PDF away."""

from __future__ import annotations

from typing import Any

import pytest

from mglab.folio import marking
from mglab.folio.marking import Step, Submission


def submission(file: str, evidence: dict[str, int], words: dict[str, int] | None = None, *ids: str) -> Submission:
    per_step = {
        step: Step(evidence.get(step, 0), 0, (words or {}).get(step, 0), "") for step in marking.handout.STEPS
    }  # fmt: skip
    return Submission(
        file, "A", "local", "student", "", 0, 0, 0, 0, 1, "agree", "none", per_step, frozenset(ids)
    )  # fmt: skip


SAME_ID = "i-0123456789abcdef0"
ADA = submission("ada.pdf", {"3": 1, "5": 2, "Question 1": 1}, {"Question 1": 120}, SAME_ID, "vpc-11111111")
BOB = submission("bob.pdf", {"3": 1}, {"Question 1": 30}, SAME_ID)
EVE = submission("eve.pdf", {"5": 1})


def test_clicks_that_one_table_shows_stand_in_one_row() -> None:
    rows = {row.step: row for row in marking.by_step([ADA, BOB, EVE])}
    assert (rows["Step 1 to 3"].having, rows["Step 1 to 3"].lacking) == (2, "eve.pdf")
    assert (rows["Step 4 to 5"].having, rows["Step 4 to 5"].lacking) == (2, "bob.pdf")
    assert (rows["Step 6 to 18"].having, rows["Step 6 to 18"].lacking) == (0, "nobody has")
    assert rows["Step 78 to Question 1"].words == "0, 30, 120"


def test_two_submissions_with_the_same_resources_are_named() -> None:
    (shared,) = marking.shared([ADA, BOB, EVE])
    assert (shared.one, shared.other, shared.ids) == ("ada.pdf", "bob.pdf", 1)


def document(*cells: str) -> dict[str, Any]:
    rows = [[{"s": cell}] for cell in cells]
    table = {"t": "evidence", "step": "Step 5", "layout": {"parts": [{"head": [{"label": "ID"}], "rows": rows}]}}
    return {"chapters": [{"blocks": [{"t": "cell", "code": "subnets(lab)", "out": [table]}]}]}


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("ID\nsubnet-0a1\n192.168.0.0/24 subnets(lab)", "agree (2 cells)"),
        ("ID\nsubnet\x020a1\n192.168.0.0/24", "agree (2 cells)"),
        ("ID\nsubnet-0a1\n192.168.9.0/24", "1 of 2 table cells are not on the pages; 1 words on the pages are not the"),
        ("ID\nsubnet-0a1\n192.168.0.0/24 brilliant", "1 words on the pages are not the document's: brilliant"),
        ("ID subnet-0a1192.168.0.0/24", "agree (2 cells)"),
        ("", "2 of 2 table cells are not on the pages"),
    ],
)
def test_the_document_and_the_pages_are_held_against_each_other(page: str, said: str) -> None:
    told = document("subnet-0a1", "192.168.0.0/24")
    assert marking._agreement(told, list(marking._blocks(told)), [page]).startswith(said)


def test_the_template_s_own_words_are_nobodys() -> None:
    told = document("x")
    page = "x Not yet written. Its place is in the run’s folder. Table captured Where each step of the handout is"
    assert marking._agreement(told, list(marking._blocks(told)), [page]) == "agree (1 cells)"
