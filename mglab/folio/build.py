"""``Project3partA.pdf`` from a run's folder: find its notebooks and record, compose, typeset, write.

Whatever state the run is in, a folio comes out: a notebook that is not there or cannot be read becomes a
chapter that says so. The time stamp is the run's own (or SOURCE_DATE_EPOCH), so that the same run gives the
same bytes.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mglab.errors import LabError
from mglab.folio import compose, files, record, typeset
from mglab.folio.compose import Source
from mglab.folio.record import RunRecord

log = logging.getLogger(__name__)

FOLIO_NAME = "Project3partA.pdf"


def build(run_folder: Path, *, out: Path | None = None) -> Path:
    """Build the folio of a whole run from ``outputs/<run>`` and give the PDF's path."""
    folder = Path(run_folder)
    if not folder.is_dir():
        raise LabError(f"there is no run at {folder}", hint="carry one out first: python3 -m mglab run")
    told = record.read(folder)
    pdf = folio_pdf(told, sources_of(folder, told), folder)
    return files.write(out or folder / FOLIO_NAME, pdf)


def folio_pdf(told: RunRecord, sources: Sequence[Source], run_folder: Path | None, *, whole: bool = True) -> bytes:
    """Compose and typeset the folio of some notebooks; warnings are in it and in the log."""
    moment = _moment(told, sources)
    folio = compose.compose(told, sources, run_folder, moment, whole=whole)
    pdf, warnings = typeset.pdf(folio.document, folio.assets, moment)
    for warning in (*folio.document["warnings"], *warnings):
        log.warning("%s", warning)
    return pdf


def sources_of(run_folder: Path, told: RunRecord) -> list[Source]:
    """Find a run's notebooks in order, with the ones its record names and the folder lacks."""
    folder = run_folder / "notebooks"
    found = {path.stem: path for path in folder.glob("*.ipynb") if not path.name.startswith(".")}
    names = sorted({*found, *(one.name for one in told.notebooks)})
    return [_source(name, found.get(name), told) for name in names]


def run_folder_of(notebook_folder: Path) -> Path | None:
    """Tell the run that a notebook lies in: ``outputs/<run>`` for ``outputs/<run>/notebooks``."""
    parent = notebook_folder.resolve().parent
    known = (parent / "run.json").is_file() or (parent / "evidence").is_dir() or (parent / "ledger.jsonl").is_file()
    return parent if notebook_folder.name == "notebooks" and known else None


def _source(name: str, path: Path | None, told: RunRecord) -> Source:
    if path is None:
        one = told.told(name)
        status = f" (the run's record says “{one.status}”{': ' + one.error if one.error else ''})" if one else ""
        return Source(name, problem=f"There is no executed notebook of this name in the run{status}.")
    try:
        return Source(name, notebook=_read_notebook(path), folder=path.parent)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return Source(name, folder=path.parent, problem=f"The notebook's file could not be read: {reason}")


def _read_notebook(path: Path) -> dict[str, Any]:
    """Read a notebook's JSON; nbformat would do, but takes three seconds to import."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not isinstance(notebook.get("cells"), list):
        raise ValueError("it is not a notebook of format 4")
    return notebook


def _moment(told: RunRecord, sources: Sequence[Source]) -> datetime:
    """Choose the folio's time stamp: stated, the run's end, its start, or its newest notebook."""
    stated = os.environ.get("SOURCE_DATE_EPOCH", "")
    if stated.isdigit():
        return compose.utc(int(stated))
    if known := told.finished or told.started:
        return compose.utc(known.timestamp())
    paths = [one.folder / f"{one.name}.ipynb" for one in sources if one.folder is not None]
    return compose.utc(max((path.stat().st_mtime for path in paths if path.is_file()), default=0))
