"""The folio as one document: cover, map of the handout's steps, chapters, and what is missing.

Everything here is decided from the run's record and its executed notebooks; nothing is typeset. A notebook
that is missing, failed or was never run has its chapter all the same, and the cover says so: a folio of half
a run is honest about the other half. Account numbers are masked wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mglab import display
from mglab.folio import appendix, blocks, handout, screenshots, typeset
from mglab.folio.blocks import Block, Gathered, Mark
from mglab.folio.record import RunRecord

TITLE = "Making it scale"
COURSE = "NWEN 243 · 2023 T2"
PROJECT = "Project 3 · Part A"
FORMAT = 1
LONGEST_MAP_TITLE = 60
EDITIONS = {
    "student": "student: the tables and figures are measured, the insight is the author's",
    "reference": "reference: with model answers, generated from this run's measurements and marked as such",
}


@dataclass(frozen=True)
class Source:
    """One notebook of the sequence: executed, or the reason why there is none."""

    name: str
    notebook: Any = None
    folder: Path | None = None
    problem: str = ""


@dataclass(frozen=True)
class Folio:
    """A document ready to be set, with its pictures."""

    document: dict[str, Any]
    assets: dict[str, bytes]


def compose(
    record: RunRecord, sources: Sequence[Source], run_folder: Path | None, moment: datetime, *, whole: bool = True
) -> Folio:
    """Make one document of a run's record and its notebooks; ``whole`` holds it to all of the handout's steps."""
    gathered = Gathered(run_folder=run_folder)
    chapters = [_chapter(one, record, gathered) for one in sources]
    screenshots.placed(chapters, gathered)
    last = appendix.chapter(record, gathered) if whole else None
    for chapter in chapters:
        _resolve_links(chapter["blocks"], gathered)
    sections = _map(gathered.marks)
    problems, absent = _problems(record, sources, chapters), _absent(sections) if whole else ""
    document = {
        "format": FORMAT,
        "title": TITLE,
        "course": COURSE,
        "project": PROJECT,
        "author": record.author,
        "run": record.run,
        "backend": record.backend or _only(gathered, "backend"),
        "generated": display.iso(moment),
        "facts": _facts(record, gathered, moment),
        "problems": problems,
        "standing": _standing(record, chapters, problems, absent) if whole else _standing_alone(chapters, problems),
        "chapters": [*chapters, *([last] if last else [])],
        "map": sections if whole else [],
        "absent": absent,
        "unwritten": gathered.unwritten,
        "warnings": gathered.warnings,
    }
    return Folio(_masked(document, _accounts(record, gathered)), gathered.assets)


def _chapter(source: Source, record: RunRecord, gathered: Gathered) -> Block:
    told = record.told(source.name)
    if source.notebook is None:
        content: list[Block] = []
    else:
        content = blocks.of_notebook(source.notebook, source.name, source.folder, gathered)
    title = next((one for one in content if one["t"] == "heading" and one["level"] == 1), None)
    content = _levelled([one for one in content if one is not title])
    problem = source.problem
    if not problem and told is not None and not told.fine:
        problem = f"{_named_status(told.status)}{': ' + told.error if told.error else ''}"
    return {
        "name": source.name,
        "id": title["id"] if title else gathered.next_label("heading"),
        "title": title["text"] if title else _pretty(source.name),
        "ran": f"ran in {told.seconds:.1f} s" if told and told.fine and told.seconds is not None else "",
        "problem": problem,
        "blocks": content,
    }


def _named_status(status: str) -> str:
    words = {
        "failed": "This notebook failed",
        "running": "This notebook was cut off while it ran",
        "pending": "This notebook was never started",
        "skipped": "This notebook was left out of the run",
        "": "What became of this notebook is not recorded",
    }
    return words.get(status.lower(), f"This notebook was left “{status}”")


def _levelled(content: list[Block]) -> list[Block]:
    """Put every heading below the chapter's, without leaving a level out (PDF/UA asks for it)."""
    deepest = 1
    done = []
    for one in content:
        if one["t"] == "heading":
            deepest = min(max(2, one["level"]), deepest + 1, 4)
            one = {**one, "level": deepest}
        done.append(one)
    return done


def _pretty(name: str) -> str:
    return re.sub(r"^\d+[_-]?", "", name).replace("_", " ").replace("-", " ").strip().capitalize() or name


def _resolve_links(value: Any, gathered: Gathered) -> None:
    """Let a link lead to the web or to a place of the folio; any other is left as plain words."""
    if isinstance(value, list):
        for one in value:
            _resolve_links(one, gathered)
    elif isinstance(value, dict):
        if value.get("t") == "link":
            value.update(_target(value.pop("href", ""), value.pop("from", ""), gathered))
        for one in list(value.values()):
            _resolve_links(one, gathered)


def _target(href: str, name: str, gathered: Gathered) -> dict[str, str]:
    try:
        parts = urlsplit(href)
    except ValueError:
        return {}
    if parts.scheme in ("http", "https", "mailto"):
        return {"href": href}
    notebook = Path(unquote(parts.path)).stem if parts.path else name
    place = gathered.anchors.get(blocks.anchor(notebook, unquote(parts.fragment)))
    place = place or gathered.anchors.get(blocks.anchor(notebook, ""))
    return {"to": place} if place and not parts.scheme else {}


def _map(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    return [
        {"title": section.title, "steps": _joined([_map_row(step, marks) for step in section.steps])}
        for section in handout.SECTIONS
    ]


def _map_row(step: str, marks: Sequence[Mark]) -> dict[str, Any]:
    """Find where a step is dealt with: the heading that names the fewest steps beside it, else a capture."""
    about = [mark for mark in marks if step in mark.steps]
    headings = sorted((mark for mark in about if mark.kind == "heading"), key=lambda mark: len(mark.steps))
    captures = [mark for mark in about if mark.kind != "heading"]
    best = next(iter([*headings, *captures]), None)
    return {
        "steps": [step],
        "short": _short(step),
        "title": _cut(best.title, LONGEST_MAP_TITLE) if best else "",
        "to": best.label if best else None,
        "captures": [mark.label for mark in captures],
    }


def _joined(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join neighbouring steps that one place deals with, or that the folio does not have, into one row."""
    joined: list[dict[str, Any]] = []
    for row in rows:
        last = joined[-1] if joined else None
        if last is None or last["to"] != row["to"]:
            joined.append(row)
        else:
            steps = [*last["steps"], *row["steps"]]
            captures = list(dict.fromkeys([*last["captures"], *row["captures"]]))
            short = f"{_short(steps[0])}–{_short(steps[-1])}"
            joined[-1] = {**last, "steps": steps, "short": short, "captures": captures}
    return joined


def _short(step: str) -> str:
    """Write a step's name for a narrow column."""
    return re.sub(r"^(P|Q)\w+ (?=\d)", r"\1", step).replace("Monitoring evaluation", "Ev.")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"


def _absent(sections: Sequence[dict[str, Any]]) -> str:
    """Name the steps that the folio does not deal with, runs of numbers as ranges."""
    gone = {step for section in sections for row in section["steps"] if row["to"] is None for step in row["steps"]}
    if len(gone) == len(handout.STEPS):
        return "every step of the handout"
    return handout.spans(gone)


def _problems(record: RunRecord, sources: Sequence[Source], chapters: Sequence[Block]) -> list[str]:
    """List what went wrong, for the cover."""
    found = [f"{one['name']}: {one['problem']}" for one in chapters if one["problem"]]
    if not sources:
        found.append("There is no executed notebook in this run.")
    if record.error and not any(record.error in one for one in found):
        found.append(record.error)
    return [re.sub(r"\s+", " ", one)[:300] for one in found]


def _standing(record: RunRecord, chapters: Sequence[Block], problems: Sequence[str], absent: str) -> dict[str, Any]:
    """Say in one sentence whether the run came to its end."""
    count = len(chapters)
    if problems or (record.found and not record.fine):
        ended = f"The run's record says “{record.status}”. " if record.status and not record.fine else ""
        return {"fine": False, "text": f"Incomplete. {ended}This folio shows what there is and names what is missing."}
    if not record.found:
        return {"fine": True, "text": "Made from executed notebooks; there is no record of a whole run beside them."}
    ran = "the notebook" if count == 1 else f"all {count} notebooks"
    if absent:
        return {"fine": True, "text": f"A part of the sequence: {ran} carried out so far ran to the end."}
    return {"fine": True, "text": f"Complete: {ran} ran to the end."}


def _standing_alone(chapters: Sequence[Block], problems: Sequence[str]) -> dict[str, Any]:
    names = ", ".join(one["name"] for one in chapters)
    return {"fine": not problems, "text": f"Part of the sequence only: {names}."}


def _facts(record: RunRecord, gathered: Gathered, moment: datetime) -> list[list[str]]:
    backend = record.backend or _only(gathered, "backend")
    accounts = sorted({display.mask_account(one) for one in _accounts(record, gathered)})
    region = record.region or _only(gathered, "region")
    facts = [
        ["Author", record.author or "not stated"],
        ["Run", record.run or _only(gathered, "run") or "not recorded"],
        ["Carried out", _when(record)],
        ["Where", _backend_in_words(backend, record.rate)],
        ["Account", ", ".join(accounts) or "not recorded"],
        ["Region", region or "not recorded"],
        *([["Edition", EDITIONS[record.edition]]] if record.edition in EDITIONS else []),
    ]
    counts = {kind: sum(mark.kind == kind for mark in gathered.marks) for kind in ("evidence", "transcript", "figure")}
    words = (("evidence", "table"), ("transcript", "transcript"), ("figure", "figure"))
    told = ", ".join(f"{counts[kind]} {word}{'' if counts[kind] == 1 else 's'}" for kind, word in words if counts[kind])
    return [*facts, ["Evidence", told or "none was captured"]]


def _backend_in_words(backend: str, rate: float | None) -> str:
    if backend == "local":
        clock = f", its clock at rate {display.text_of(rate)}" if rate else ""
        return f"rehearsed on the embedded local cloud{clock}; no AWS account was used"
    return {"aws": "an AWS account", "": "not recorded"}.get(backend, backend)


def _when(record: RunRecord) -> str:
    start, end = record.started, record.finished
    if start and end:
        until = f"–{end:%H:%M}" if start.date() == end.date() else f" – {end.day} {end:%B %Y, %H:%M}"
        return f"{start.day} {start:%B %Y, %H:%M}{until} UTC"
    if start:
        return f"begun {start.day} {start:%B %Y, %H:%M} UTC; not recorded as finished"
    return f"{end.day} {end:%B %Y, %H:%M} UTC" if end else "not recorded"


def _only(gathered: Gathered, key: str) -> str:
    return ", ".join(sorted({one[key] for one in gathered.captures if one[key]}))


def _accounts(record: RunRecord, gathered: Gathered) -> set[str]:
    found = {record.account, *(one["account"] for one in gathered.captures)}
    return {one for one in found if re.fullmatch(r"\d{12}", one)}


def _masked(document: dict[str, Any], accounts: set[str]) -> dict[str, Any]:
    """Mask the account numbers in every text."""
    if not accounts:
        return document
    pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(sorted(accounts))})(?![0-9A-Za-z])")
    masked = typeset.strings(document, lambda text: pattern.sub(lambda found: display.mask_account(found[0]), text))
    return dict(masked)


def utc(seconds: float) -> datetime:
    """Give a moment without fractions, as a PDF's time stamp wants it."""
    return datetime.fromtimestamp(int(seconds), UTC)
