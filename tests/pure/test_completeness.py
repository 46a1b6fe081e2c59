"""What a submission still lacks is counted from the run's own files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from mglab.folio import handout
from mglab.workbook import completeness

TITLES = [section.title for section in handout.SECTIONS]


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    return SimpleNamespace(folder=tmp_path)


def filed(lab: Any, *steps: str) -> None:
    """File pieces of evidence under these steps."""
    folder = lab.folder / "evidence"
    folder.mkdir(exist_ok=True)
    for step in steps:
        number = len(list(folder.iterdir()))
        (folder / f"{number}.json").write_text(json.dumps({"kind": "table", "step": step}), "utf-8")


def pieces(lab: Any) -> dict[str, int]:
    return {it.section: it.pieces for it in completeness.by_section(lab) if it.pieces}


def test_before_the_first_notebook_every_section_is_missing(lab: Any) -> None:
    found = completeness.by_section(lab)
    assert [it.section for it in found] == TITLES
    assert {(it.pieces, it.status) for it in found} == {(0, "missing")}


def test_a_section_says_which_steps_are_its() -> None:
    found = completeness.by_section(SimpleNamespace(folder=Path("/nowhere")))  # type: ignore[arg-type]
    assert [it.steps for it in found] == [
        "Preliminary 1 to Preliminary 7", "1 to 18", "19 to 24", "25 to 41", "42 to 57", "58 to 77",
        "78 to Question 1", "85 to Question 3", "87 to Monitoring evaluation",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "section"),
    [
        ("Preliminary 4", TITLES[0]),
        ("1", TITLES[1]),
        ("18", TITLES[1]),
        ("19", TITLES[2]),
        ("39", TITLES[3]),
        ("53", TITLES[4]),
        ("76", TITLES[5]),
        ("Question 1", TITLES[6]),
        ("86", TITLES[7]),
        ("Monitoring evaluation", TITLES[8]),
    ],
)
def test_a_piece_counts_for_its_steps_section(lab: Any, step: str, section: str) -> None:
    filed(lab, step)
    assert pieces(lab) == {section: 1}


def test_a_piece_that_names_several_steps_counts_once_for_the_first(lab: Any) -> None:
    filed(lab, "17-20", "78, 83")
    assert pieces(lab) == {TITLES[1]: 1, TITLES[6]: 1}


def test_what_no_step_of_the_sheet_asked_for_does_not_count(lab: Any) -> None:
    filed(lab, "Teardown", "", "Preflight", "99")
    assert pieces(lab) == {}


def test_one_piece_makes_a_section_found(lab: Any) -> None:
    filed(lab, "3", "5", "8")
    found = {it.section: it for it in completeness.by_section(lab)}
    assert (found[TITLES[1]].pieces, found[TITLES[1]].status) == (3, "found")
    assert found[TITLES[2]].status == "missing"


def test_a_whole_folio_lacks_nothing(lab: Any) -> None:
    filed(lab, *handout.STEPS)
    found = completeness.by_section(lab)
    assert {it.status for it in found} == {"found"}
    assert [it.pieces for it in found] == [len(section.steps) for section in handout.SECTIONS]


def test_commentaries_begin_unwritten_and_say_where_to_write_them(lab: Any) -> None:
    found = completeness.commentaries(lab)
    assert [it.about for it in found] == list(completeness.COMMENTED)
    assert {(it.words, it.status) for it in found} == {(0, "not yet written")}
    assert [it.file for it in found][:1] == ["commentary/step-83.md"]
    assert found[-1].file == "commentary/monitoring-evaluation.md"


def test_the_list_is_what_the_notebooks_ask_for_in_their_order() -> None:
    folder = Path(__file__).parents[2] / "notebooks"
    sources = [cell.source for path in sorted(folder.glob("*.ipynb")) for cell in nbformat.read(path, 4).cells]
    asked = [re.fullmatch(r'commentary\(lab, "(.+)"\)', source) for source in sources]
    assert [found[1] for found in asked if found] == list(completeness.COMMENTED)


@pytest.mark.parametrize(("text", "words"), [("It alternates.\n\nMostly.", 3), ("", 0), (" \n\t\n", 0)])
def test_a_commentary_is_as_long_as_its_words(lab: Any, text: str, words: int) -> None:
    file = lab.folder / completeness.commentaries(lab)[0].file
    file.parent.mkdir()
    file.write_text(text, "utf-8")
    written = completeness.commentaries(lab)[0]
    assert (written.words, written.status) == (words, "found" if words else "not yet written")


def test_a_commentary_that_is_no_utf8_still_counts(lab: Any) -> None:
    file = lab.folder / completeness.commentaries(lab)[0].file
    file.parent.mkdir()
    file.write_bytes("Zuf\u00e4llig verteilt".encode("latin-1"))
    assert completeness.commentaries(lab)[0].words == 2


def test_steps_without_a_piece_or_picture_of_their_own_are_listed(lab: Any) -> None:
    filed(lab, "1-3", "5", "17")
    (lab.folder / "screenshots").mkdir()
    (lab.folder / "screenshots" / "7-gateway.png").write_bytes(b"")
    found = next(it for it in completeness.by_section(lab) if it.section == TITLES[1])
    assert (found.pieces, found.pictures, found.lacking) == (3, 1, "4, 6, 8–16, 18")
