"""Model answers, and predictions set beside what was measured.

A *reference* run shows, before each commentary, a model answer: sentences that were generated from this run's own
measurements, and labelled so that nobody takes them for the student's. In a *student's* run the same cell holds no
answer at all, in no form: it says that the answer is the student's to write. Tables that say what the measurements
mean (*insight*) are shown and filed in the reference run only. What was measured beside what was predicted is shown
in both: it is measurement alone.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mglab.folio.commentary import Commentary, prediction
from mglab.folio.evidence import Evidence, Lab, evidence

ANSWER_MIME = "application/vnd.mglab.answer+json"
BESIDE_MIME = "application/vnd.mglab.beside+json"
GENERATED = "Model answer, generated from this run's measurements"
INSIGHT = "what the measurements mean, as the reference edition reads them"
YOURS = "The answer is yours to write, in the commentary below: this edition states measurements only."


class Run(Protocol):
    """What of a lab is read here."""

    @property
    def folder(self) -> Path: ...
    @property
    def edition(self) -> str: ...


class EditedLab(Run, Lab, Protocol):
    """A lab that files evidence, and knows its edition."""


@dataclass(frozen=True)
class Answer:
    """Sentences about one question; none in the student's edition."""

    about: str
    paragraphs: tuple[str, ...]

    @property
    def label(self) -> str:
        """Say whose words these are, or that they are still to be written."""
        return GENERATED if self.paragraphs else YOURS

    def to_json(self) -> dict[str, Any]:
        """Give every field as plain values, for the folio."""
        return {"about": self.about, "label": self.label, "paragraphs": list(self.paragraphs)}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        paragraphs = "".join(f"<p>{html.escape(one)}</p>" for one in self.paragraphs)
        line = "1.6px dotted" if self.paragraphs else "1px solid"
        markup = (
            f'<div style="border-left:{line} #6B6B6B;padding:.2em 1em">'
            f"<p><em>{html.escape(f'{self.about}: {self.label}' if self.paragraphs else self.label)}</em></p>"
            f"{paragraphs}</div>"
        )
        text = "\n\n".join([self.label, *self.paragraphs])
        return {ANSWER_MIME: self.to_json(), "text/html": markup, "text/plain": text}


class Measurement(Protocol):
    """One thing that was measured, in words, with its unit."""

    @property
    def what(self) -> str: ...
    @property
    def value(self) -> str: ...


@dataclass(frozen=True)
class Beside:
    """A prediction, and what was measured, next to each other."""

    prediction: Commentary
    measured: tuple[Measurement, ...]

    def to_json(self) -> dict[str, Any]:
        """Give every field as plain values, for the folio."""
        measured = [{"what": one.what, "value": one.value} for one in self.measured]
        return {"prediction": self.prediction.to_json(), "measured": measured}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        missing = f"Nothing was predicted. Write it in {self.prediction.shown_path} before the experiment."
        predicted = self.prediction.text.strip() or missing
        rows = "".join(
            f"<tr><td>{html.escape(one.what)}</td><td><strong>{html.escape(one.value)}</strong></td></tr>"
            for one in self.measured
        )
        markup = (
            '<table style="width:100%;table-layout:fixed"><thead><tr>'
            f'<th style="text-align:left">Predicted: {html.escape(self.prediction.about)}</th>'
            '<th style="text-align:left">Measured in this run</th></tr></thead><tbody><tr style="vertical-align:top">'
            f'<td style="text-align:left;white-space:pre-wrap">{html.escape(predicted)}</td>'
            f'<td style="text-align:left"><table>{rows}</table></td></tr></tbody></table>'
        )
        lines = [f"{one.what}: {one.value}" for one in self.measured]
        text = "\n".join(["Predicted:", predicted, "", "Measured in this run:", *lines])
        return {BESIDE_MIME: self.to_json(), "text/html": markup, "text/plain": text}


def answer(lab: Run, about: str, paragraphs: Sequence[str]) -> Answer:
    """Show a model answer in the reference edition; in the student's, say that the answer is theirs to write."""
    return Answer(about, tuple(paragraphs) if lab.edition == "reference" else ())


def beside(lab: Run, question: str, *, measured: Sequence[Measurement]) -> Beside:
    """Show what was predicted before a question's experiment beside what it measured."""
    return Beside(prediction(lab, question), tuple(measured))


def insight(lab: EditedLab, title: str, rows: Any, *, step: str | int, call: str) -> Evidence | None:
    """Show and file a table that says what measurements mean, in the reference edition; in the student's, nothing.

    The arguments are those of ``evidence``.
    """
    if lab.edition != "reference":
        return None
    return evidence(lab, title, rows, step=step, call=call, note=INSIGHT)
