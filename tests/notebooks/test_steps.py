"""Every step of the sheet is a heading of a notebook, and under it stands evidence or a check."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
import pytest

from mglab.folio import handout

FOLDER = Path(__file__).parents[2] / "notebooks"
SHEET = [
    *(f"Preliminary {number}" for number in range(1, 8)),
    *(str(number) for number in range(1, 89)),
    "Question 1",
    "Question 2",
    "Question 3",
    "Monitoring evaluation",
]


def sections() -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Give, heading by heading, the steps it names and the tags of the cells beneath it.

    Headings that follow one another without a code cell in between share what comes beneath.
    """
    for path in sorted(FOLDER.glob("*.ipynb")):
        waiting: list[str] = []
        steps: tuple[str, ...] = ()
        tags: set[str] = set()
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                named = steps_in(cell.source)
                if named and tags:
                    yield steps, tags
                    waiting, tags = [], set()
                waiting += named
                steps = tuple(waiting)
            else:
                tags |= set(cell.metadata.get("tags", []))
        yield steps, tags


def steps_in(source: str) -> list[str]:
    headings = (line.lstrip("# ") for line in source.splitlines() if line.startswith("##"))
    return [step for heading in headings for step in handout.steps_in_heading(heading)]


@cache
def covered() -> set[str]:
    return {step for steps, tags in sections() if tags & {"evidence", "check"} for step in steps}


@pytest.mark.parametrize("step", SHEET)
def test_step_has_a_heading_with_evidence_or_a_check(step: str) -> None:
    assert step in covered()
