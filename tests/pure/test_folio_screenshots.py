"""The student's own pictures stand beside their step's evidence, and none is left out in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mglab.folio import screenshots
from mglab.folio.blocks import Block, Gathered

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.mark.parametrize(
    ("name", "step", "words"),
    [
        ("45-target-group.png", "45", "target group"),
        ("5.png", "5", ""),
        ("step-5_two subnets.png", "5", "two subnets"),
        ("58-60-the-group.png", "58-60", "the group"),
        ("58-3-the-group.png", "58", "the group"),
        ("preliminary-4.png", "Preliminary 4", ""),
        ("P4-run-sh.png", "Preliminary 4", "run sh"),
        ("q1-pattern.jpg", "Question 1", "pattern"),
        ("Question 2 lost.png", "Question 2", "lost"),
        ("monitoring-evaluation-graphs.png", "Monitoring evaluation", "graphs"),
        ("89-no-such-step.png", "", "89 no such step"),
        ("q4.png", "", "q4"),
        ("5001-health.png", "", "5001 health"),
        ("target-group.png", "", "target group"),
    ],
)
def test_a_name_begins_with_the_step(name: str, step: str, words: str) -> None:
    found = screenshots.named(Path(name))
    assert (found.step, found.words) == (step, words)


def heading(text: str) -> Block:
    return {"t": "heading", "text": text}


def cell(step: str, kind: str = "evidence") -> Block:
    return {"t": "cell", "code": "", "out": [{"t": kind, "step": step}]}


def chapters() -> list[Block]:
    return [
        {"blocks": [heading("45. Target group"), cell("Step 45"), {"t": "para"}, cell("Step 45"), heading("46. Port")]},
        {"blocks": [heading("Steps 58-60 · The group"), {"t": "para"}, heading("Step 61 · Next"), cell("Steps 61–63")]},
    ]


def placed(folder: Path, *names: str, content: bytes = PNG) -> tuple[list[Block], Gathered]:
    (folder / "screenshots").mkdir()
    for name in names:
        (folder / "screenshots" / name).write_bytes(content + name.encode())
    told, gathered = chapters(), Gathered(run_folder=folder)
    screenshots.placed(told, gathered)
    return told, gathered


def images(blocks: list[Any]) -> list[tuple[int, str]]:
    return [(n, one["caption"]) for n, one in enumerate(blocks) if one["t"] == "image"]


def test_pictures_follow_the_last_thing_captured_for_their_step_in_order(tmp_path: Path) -> None:
    (first, second), gathered = placed(tmp_path, "45-b.png", "45-a.png", "62-x.png")
    assert images(first["blocks"]) == [
        (4, "Step 45, the author's own picture: a"), (5, "Step 45, the author's own picture: b"),
    ]  # fmt: skip
    assert images(second["blocks"]) == [(4, "Step 62, the author's own picture: x")]
    assert len(gathered.assets) == 3 and gathered.warnings == []


def test_without_evidence_a_picture_ends_the_section_that_speaks_of_its_step(tmp_path: Path) -> None:
    (_, second), _ = placed(tmp_path, "59.png")
    assert images(second["blocks"]) == [(2, "Step 59, the author's own picture")]


def test_what_cannot_be_placed_or_set_is_named(tmp_path: Path) -> None:
    told, gathered = placed(tmp_path, "70-x.png", "holiday.png")
    assert not [one for chapter in told for one in images(chapter["blocks"])]
    assert {one.split()[2] for one in gathered.warnings} == {"70-x.png", "holiday.png"}


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    _, gathered = placed(tmp_path, "45-notes.txt", content=b"words")
    assert "45-notes.txt is no picture" in gathered.warnings[0] and gathered.assets == {}


def test_a_run_without_pictures_is_left_alone(tmp_path: Path) -> None:
    told, gathered = chapters(), Gathered(run_folder=tmp_path)
    screenshots.placed(told, gathered)
    screenshots.placed(told, Gathered())
    assert told == chapters() and gathered.warnings == []
