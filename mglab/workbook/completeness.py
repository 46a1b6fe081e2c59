"""What a submission has and what it still lacks, read from the run's own files (notebook 11, ``mglab check``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mglab.display import column
from mglab.folio import handout, screenshots
from mglab.session import Lab

COMMENTED = (
    "Step 83",
    "Question 1",
    "Question 2",
    "Question 3",
    "Scale under load",
    "Step 87",
    "Step 88",
    "Monitoring evaluation",
)


@dataclass(frozen=True)
class Coverage:
    """How much evidence one section of the sheet has."""

    section: str = field(metadata=column("Section"))
    steps: str = field(metadata=column("Steps"))
    pieces: int = field(metadata=column("Pieces of evidence", "number"))
    pictures: int = field(metadata=column("Own pictures", "number"))
    lacking: str = field(metadata=column("Steps without a piece or picture of their own"))
    status: str = field(metadata=column("Status", "status"))


@dataclass(frozen=True)
class Written:
    """Whether one commentary is written yet."""

    about: str = field(metadata=column("About"))
    words: int = field(metadata=column("Words", "number"))
    status: str = field(metadata=column("Status", "status"))
    file: str = field(metadata=column("File"))


def by_section(lab: Lab) -> list[Coverage]:
    """Count the pieces of evidence and the author's pictures for each section of the handout.

    A step without one of its own is not a fault: several clicks are shown by one table.
    """
    shown = [handout.steps_named(_step_of(path)) for path in sorted((lab.folder / "evidence").glob("*.json"))]
    taken = [handout.steps_named(shot.step) for shot in screenshots.of_run(lab.folder)]
    return [_coverage(section, shown, taken) for section in handout.SECTIONS]


def commentaries(lab: Lab) -> list[Written]:
    """List the commentaries that the folio has room for, and how long each is."""
    return [_written(lab.folder, about) for about in COMMENTED]


Named = Sequence[Sequence[str]]
"""The steps that each of several things names; it counts for the section of the first."""


def _coverage(section: handout.Section, shown: Named, taken: Named) -> Coverage:
    pieces, pictures = (sum(names[0] in section.steps for names in things if names) for things in (shown, taken))
    there = {step for names in (*shown, *taken) for step in names}
    lacking = handout.spans([step for step in section.steps if step not in there])
    steps = section.steps[0] if len(section.steps) == 1 else f"{section.steps[0]} to {section.steps[-1]}"
    return Coverage(section.title, steps, pieces, pictures, lacking, "found" if pieces else "missing")


def _step_of(path: Path) -> str:
    """Read which step a piece of evidence belongs to; none when it was torn by a full disk."""
    try:
        return str(json.loads(path.read_bytes())["step"])
    except (ValueError, KeyError, TypeError):
        return ""


def _written(folder: Path, about: str) -> Written:
    file = Path("commentary") / f"{about.lower().replace(' ', '-')}.md"
    path = folder / file
    words = len(path.read_text("utf-8", "replace").split()) if path.is_file() else 0
    return Written(about, words, "found" if words else "not yet written", str(file))
