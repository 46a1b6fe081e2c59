"""Evidence: what came back from AWS, shown once in the notebook and filed for the folio.

A record carries what a screenshot of the console would: the title, the handout's step, the rows with
their IDs, names and addresses, when it was captured (in lab time and on the wall), by which API call, in
which account and region. It is displayed as ``application/vnd.mglab.evidence+json`` (the folio reads this),
HTML (the notebook) and plain text (everything else), and filed whole under ``outputs/<run>/evidence``. The
file keeps the account number; the folio masks it. A transcript holds what a terminal showed; a figure is
kept as SVG and PNG under ``outputs/<run>/figures``. Capturing the same thing again replaces its file.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mglab import display
from mglab.folio import files, handout

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mglab.clock import Clock

EVIDENCE_MIME = "application/vnd.mglab.evidence+json"
TRANSCRIPT_MIME = "application/vnd.mglab.transcript+json"
FIGURE_MIME = "application/vnd.mglab.figure+json"
EDGE_IN = 0.02
"""White around a kept figure, in inches: the page and the notebook have their own."""


class Lab(Protocol):
    """What of a lab is read here."""

    @property
    def folder(self) -> Path: ...
    @property
    def run(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True)
class Captured:
    """When, where and how something was captured."""

    title: str
    step: str
    label: str
    call: str
    note: str
    captured_at: str
    wall_at: str
    account: str
    region: str
    backend: str
    run: str

    def _ipython_display_(self) -> None:
        """Show nothing: the capture has been displayed already, and a cell's last value would show it twice."""


@dataclass(frozen=True)
class Evidence(Captured):
    """A table of what an API call returned."""

    columns: tuple[display.Column, ...]
    rows: tuple[tuple[str, ...], ...]
    path: Path | None = field(default=None, compare=False)

    @property
    def table(self) -> display.Table:
        """Give the rows as a table that renders itself."""
        return display.Table(self.columns, self.rows, self.title)

    def to_json(self) -> dict[str, Any]:
        """Give every field as plain values, as filed."""
        return {"kind": "table", **_plain(self), **self.table.to_json()}


@dataclass(frozen=True)
class Transcript(Captured):
    """What a terminal showed: telnet, ssh or the client."""

    text: str
    path: Path | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Give every field as plain values, as filed."""
        return {"kind": "transcript", **_plain(self), "text": self.text}


@dataclass(frozen=True)
class Picture(Captured):
    """A figure that was drawn from measurements, kept as files."""

    alt: str
    svg: Path | None = None
    png: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Give every field as plain values; the pictures by their names below the run's folder."""
        names = {"svg": _below_run(self.svg), "png": _below_run(self.png)}
        return {"kind": "figure", **_plain(self), "alt": self.alt, **names}


def evidence(lab: Lab, title: str, rows: Any, *, step: str | int, call: str, note: str = "") -> Evidence:
    """Show rows once and file them as evidence of a handout step.

    ``rows`` are records or mappings (see ``display.table``); ``step`` is the handout's ("5", "58-60",
    "Preliminary 4", "Question 1"); ``call`` names the API call that returned them.
    """
    table = display.table(rows, title)
    capture = _captured(lab, title, step, call, note)
    record = Evidence(**vars(capture), columns=table.columns, rows=table.rows)
    path = _file(lab, record, record.to_json())
    _show(
        {
            EVIDENCE_MIME: record.to_json(),
            "text/html": table._repr_html_() + _provenance_html(record),
            "text/plain": f"{table.text}\n{provenance(record)}",
        }
    )
    return dataclasses.replace(record, path=path)


def transcript(lab: Lab, title: str, text: str, *, step: str | int, call: str, note: str = "") -> Transcript:
    """Show what a terminal session printed, once, and file it as evidence of a handout step."""
    record = Transcript(**vars(_captured(lab, title, step, call, note)), text=text)
    path = _file(lab, record, record.to_json())
    _show(
        {
            TRANSCRIPT_MIME: record.to_json(),
            "text/html": f"<p><strong>{html.escape(title)}</strong></p><pre>{html.escape(text)}</pre>"
            + _provenance_html(record),
            "text/plain": f"{title}\n{text}\n{provenance(record)}",
        }
    )
    return dataclasses.replace(record, path=path)


def figure(
    lab: Lab, fig: Figure | bytes, title: str, *, step: str | int, alt: str, call: str = "", note: str = ""
) -> Picture:
    """Keep a matplotlib figure (or the bytes of a PNG) with the run and show it with its caption.

    ``alt`` says in words what the picture shows, for whoever cannot see it. The figure is closed, so that the
    notebook does not draw it a second time.
    """
    record = Picture(**vars(_captured(lab, title, step, call, note)), alt=alt)
    stem = lab.folder / "figures" / f"{files.slug(record.step)}-{files.slug(title)}"
    svg, png = (None, fig) if isinstance(fig, bytes) else _drawn(fig, record.label)
    record = dataclasses.replace(
        record,
        svg=files.write(stem.with_suffix(".svg"), svg) if svg else None,
        png=files.write(stem.with_suffix(".png"), png),
    )
    _show(
        {
            FIGURE_MIME: record.to_json(),
            "image/png": base64.b64encode(png).decode("ascii"),
            "text/plain": f"{title}: {alt}",
        },
        metadata={"image/png": {"alt": alt}},
    )
    return record


def provenance(record: Captured) -> str:
    """Say in one line when and how something was captured."""
    parts = (f"captured {record.captured_at}", record.call, f"account {display.mask_account(record.account)}")
    return " · ".join(part for part in (*parts, record.region, record.note) if part)


def _captured(lab: Lab, title: str, step: str | int, call: str, note: str) -> Captured:
    name = str(step).strip()
    return Captured(
        title=title,
        step=name,
        label=f"{files.slug(name)}-{files.slug(title)}",
        call=call,
        note=note,
        captured_at=display.iso(lab.clock.now()),
        wall_at=display.iso(datetime.fromtimestamp(lab.clock.wall_time(), UTC)),
        account=str(lab.account or ""),
        region=str(lab.region or ""),
        backend=str(lab.backend),
        run=str(lab.run),
    )


def _plain(record: Captured) -> dict[str, str]:
    return {one.name: getattr(record, one.name) for one in dataclasses.fields(Captured)}


def _file(lab: Lab, record: Captured, content: dict[str, Any]) -> Path:
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    return files.write(lab.folder / "evidence" / f"{record.label}.json", text.encode("utf-8", "replace"))


def _provenance_html(record: Captured) -> str:
    line = f"{handout.shown(record.step)} · {provenance(record)}"
    return f'<p style="font-size:85%;opacity:.75">{html.escape(line)}</p>'


def _below_run(path: Path | None) -> str:
    return f"figures/{path.name}" if path else ""


def _drawn(fig: Figure, salt: str) -> tuple[bytes, bytes]:
    """Draw a figure as SVG and PNG, the same bytes for the same figure."""
    import matplotlib

    svg, png = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        fig.savefig(svg, format="svg", bbox_inches="tight", pad_inches=EDGE_IN, metadata={"Date": None})
        fig.savefig(png, format="png", bbox_inches="tight", pad_inches=EDGE_IN, dpi=160, metadata={"Software": None})
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(fig)
    return svg.getvalue(), png.getvalue()


def _show(bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    """Display in a notebook; outside of one there is nobody to show it to."""
    from IPython.core.getipython import get_ipython

    if get_ipython() is None:
        return
    from IPython.display import display as show

    show(bundle, raw=True, metadata=metadata or {})
