"""The student's own words: kept in files of the run, shown in the notebook, set apart in the folio.

A section's commentary lives in ``outputs/<run>/commentary/<section>.md`` and a question's prediction in
``prediction-<question>.md`` beside it: Markdown, written in any editor. Where nothing is written yet the
notebook and the folio say so, with the path. The folio reads the file again when it is built, so a text
written after the run is in it.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mglab.folio import files

COMMENTARY_MIME = "application/vnd.mglab.commentary+json"


class Run(Protocol):
    """What of a lab is read here."""

    @property
    def folder(self) -> Path: ...


@dataclass(frozen=True)
class Commentary:
    """What the student wrote about a section, or predicted before a question's experiment."""

    kind: str
    about: str
    text: str
    file: str
    shown_path: str

    @property
    def written(self) -> bool:
        """Tell whether there is anything but white space."""
        return bool(self.text.strip())

    def to_json(self) -> dict[str, Any]:
        """Give every field as plain values, for the folio."""
        return {
            "kind": self.kind,
            "about": self.about,
            "text": self.text,
            "file": self.file,
            "written": self.written,
        }

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        title = f"{self.kind.capitalize()}: {self.about}"
        if self.written:
            words = self.text
            return {COMMENTARY_MIME: self.to_json(), "text/markdown": f"**{title}**\n\n{words}", "text/plain": words}
        missing = f"Not yet written. Write it in {self.shown_path} and run this cell again."
        markup = (
            '<div style="border:1px dashed #D55E00;padding:.5em 1em">'
            f"<strong>✎ {html.escape(title)}</strong><br>{html.escape(missing)}</div>"
        )
        return {COMMENTARY_MIME: self.to_json(), "text/html": markup, "text/plain": f"{title}\n{missing}"}


def commentary(lab: Run, section: str | int) -> Commentary:
    """Show the student's text about a section, or that it is not written yet and where it goes."""
    return _read(lab.folder, "commentary", str(section), f"{files.slug(str(section))}.md")


def prediction(lab: Run, question: str | int) -> Commentary:
    """Show what the student expects a question's experiment to show, or where to write it first."""
    name = str(question)
    return _read(lab.folder, "prediction", name, f"prediction-{files.slug(name)}.md")


def _read(folder: Path, kind: str, about: str, name: str) -> Commentary:
    """Read the text, leaving an empty file as the place to write when there is none."""
    path = folder / "commentary" / name
    if not path.is_file():
        files.write(path, b"")
    text = path.read_text(encoding="utf-8", errors="replace")
    return Commentary(kind=kind, about=about, text=text, file=f"commentary/{name}", shown_path=str(path))
