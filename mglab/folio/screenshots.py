"""The student's own pictures: ``outputs/<run>/screenshots/<step>-<words>.png``, each beside its step's evidence.

A picture's name begins with the step it shows: ``45-target-group.png``, ``58-60-the-group.png``,
``preliminary-4.png``, ``question-1-pattern.png``, ``monitoring-evaluation-graphs.png``. It stands after the last
thing that was captured for that step, or, where nothing was, at the end of the section that speaks of it. One
whose step the folio does not have is named among the typesetter's remarks: nothing that a student took is left
out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mglab.folio import handout, pictures
from mglab.folio.blocks import Block, Gathered

FOLDER = "screenshots"
MOST_BYTES = 20_000_000
_NAME = re.compile(
    r"(?:(?P<evaluation>monitoring[-_ ]evaluation)"
    r"|(?P<word>preliminary|question|step|p|q)?[-_ ]?(?P<first>\d{1,2})(?:[-_](?P<last>\d{1,2}))?)(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_WORDS = {"p": "Preliminary", "preliminary": "Preliminary", "q": "Question", "question": "Question"}


@dataclass(frozen=True)
class Screenshot:
    """One picture of the student's: its file, the step it is of, and what its name says."""

    path: Path
    step: str
    """As the sheet names it: ``45``, ``58-60``, ``Preliminary 4``; empty when the name begins with none."""
    words: str


def of_run(run_folder: Path | None) -> list[Screenshot]:
    """List a run's pictures, in the sheet's order."""
    folder = run_folder / FOLDER if run_folder else None
    if folder is None or not folder.is_dir():
        return []
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    return sorted(map(named, files), key=lambda one: (handout.order(one.step), one.path.name))


def named(path: Path) -> Screenshot:
    """Read off a file's name which step it is of."""
    found = _NAME.match(path.stem)
    step = _step(found) if found else ""
    rest = path.stem[found.end() :] if found and step else path.stem
    return Screenshot(path, step, re.sub(r"[-_\s]+", " ", rest).strip())


def placed(chapters: Sequence[Block], gathered: Gathered) -> None:
    """Put every picture of the run into its chapter."""
    for shot in reversed(of_run(gathered.run_folder)):  # each goes to the same place before those that follow it
        block = _block(shot, gathered)
        place = _place(chapters, handout.steps_named(shot.step)) if shot.step else None
        if block and place:
            blocks, after = place
            blocks.insert(after + 1, block)
        elif block:
            gathered.warn(f"The picture {shot.path.name} begins with no step that this folio has; it is not shown.")


def _step(found: re.Match[str]) -> str:
    if found["evaluation"]:
        return "Monitoring evaluation"
    word, first, last = (found["word"] or "").lower(), found["first"], found["last"]
    step = f"{_WORDS[word]} {int(first)}" if word in _WORDS else str(int(first))
    several = f"{step}-{int(last)}" if last and int(last) > int(first) else step
    return next((one for one in (several, step) if handout.steps_named(one)), "")


def _block(shot: Screenshot, gathered: Gathered) -> Block | None:
    name = None
    if shot.path.stat().st_size <= MOST_BYTES:
        name = pictures.keep(gathered.assets, shot.path.read_bytes())
    if name is None:
        gathered.warn(f"{shot.path.name} is no picture that can be set (PNG, JPEG, GIF, WebP or SVG up to 20 MB).")
        return None
    caption = ": ".join(part for part in (f"{handout.shown(shot.step)}, the author's own picture", shot.words) if part)
    return {"t": "image", "src": name, "alt": caption, "caption": caption}


def _place(chapters: Sequence[Block], steps: Sequence[str]) -> tuple[list[Block], int] | None:
    """Find the block after which a picture of these steps belongs."""
    captures = [
        (chapter["blocks"], index)
        for chapter in chapters
        for index, block in enumerate(chapter["blocks"])
        if any(set(handout.steps_named(one.get("step", ""))) & {*steps} for one in _captures(block))
    ]
    if captures:
        return captures[-1]
    sections = [
        (chapter["blocks"], _end_of_section(chapter["blocks"], index))
        for chapter in chapters
        for index, block in enumerate(chapter["blocks"])
        if block["t"] == "heading" and set(handout.steps_in_heading(block["text"])) & {*steps}
    ]
    return sections[0] if sections else None


def _captures(block: Block) -> Iterator[dict[str, Any]]:
    yield from (one for one in block.get("out", ()) if one["t"] in ("evidence", "transcript", "figure"))



def _end_of_section(blocks: Sequence[Block], heading: int) -> int:
    later = (index for index in range(heading + 1, len(blocks)) if blocks[index]["t"] == "heading")
    return next(later, len(blocks)) - 1
