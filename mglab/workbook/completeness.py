"""What a submission has and what it still lacks, read from the run's own files (notebook 11, ``mglab check``)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mglab.display import column
from mglab.folio import handout
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
    status: str = field(metadata=column("Status", "status"))


@dataclass(frozen=True)
class Written:
    """Whether one commentary is written yet."""

    about: str = field(metadata=column("About"))
    words: int = field(metadata=column("Words", "number"))
    status: str = field(metadata=column("Status", "status"))
    file: str = field(metadata=column("File"))


def by_section(lab: Lab) -> list[Coverage]:
    """Count the pieces of evidence for each section of the handout."""
    counted = _counted(lab.folder / "evidence")
    return [_coverage(section, counted) for section in handout.SECTIONS]


def commentaries(lab: Lab) -> list[Written]:
    """List the commentaries that the folio has room for, and how long each is."""
    return [_written(lab.folder, about) for about in COMMENTED]


def _coverage(section: handout.Section, counted: Counter[str]) -> Coverage:
    pieces = sum(counted[step] for step in section.steps)
    steps = section.steps[0] if len(section.steps) == 1 else f"{section.steps[0]} to {section.steps[-1]}"
    return Coverage(section.title, steps, pieces, "found" if pieces else "missing")


def _counted(folder: Path) -> Counter[str]:
    steps = [_step_of(path) for path in sorted(folder.glob("*.json"))]
    return Counter(handout.steps_named(step)[0] for step in steps if handout.steps_named(step))


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
