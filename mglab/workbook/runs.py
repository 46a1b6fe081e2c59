"""Which run a command means, where it lies, and which cloud it is on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mglab.config import DEFAULT_CLOUD, EDITIONS, nearest, outputs_folder, run_name
from mglab.errors import UsageError
from mglab.workbook import state

SIGNS = ("run.json", "ledger.jsonl")


def existing(outputs: Path) -> list[Path]:
    """List the folders of runs, the one that was worked on last at the end."""
    found = {folder: _touched(folder) for folder in outputs.glob("*") if folder.is_dir()}
    return sorted((folder for folder, touched in found.items() if touched), key=lambda folder: found[folder])


def _touched(folder: Path) -> float:
    return max((path.stat().st_mtime for name in SIGNS if (path := folder / name).exists()), default=0.0)


def meant(run: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of the run that was named, else MGLAB_RUN's, else the newest one."""
    outputs = outputs_folder(environ)
    known = existing(outputs)
    if run or environ.get("MGLAB_RUN") or not known:
        return outputs / run_name(run, environ)
    return known[-1]


def that_exists(run: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Give the run's folder like ``meant``; refuses one that is not there with the nearest that is."""
    folder = meant(run, environ)
    if not folder.is_dir():
        names = [path.name for path in existing(outputs_folder(environ))]
        hint = nearest(folder.name, names, "run") if names else "carry one out first: python3 -m mglab run"
        raise UsageError(f"there is no run {folder.name!r}", hint=hint)
    return folder


def backend_of(folder: Path, backend: str) -> str:
    """Give the backend that was named, else the run's own."""
    return backend or str(state.read(folder).get("backend") or "") or "local"


def cloud_of(folder: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Name the local cloud that a run is on: told by MGLAB_CLOUD, a headless run's own, or the shared one."""
    return str(environ.get("MGLAB_CLOUD") or state.read(folder).get("cloud") or DEFAULT_CLOUD)


def edition_of(folder: Path) -> str:
    """Give the run's own edition; the student's when it does not say."""
    return str(state.read(folder).get("edition") or EDITIONS[0])


def settings(folder: Path, backend: str, **more: Any) -> dict[str, str]:
    """Give the variables that make a session, a kernel or a command speak of this run."""
    known = {"MGLAB_RUN": folder.name, "MGLAB_BACKEND": backend, "MGLAB_CLOUD": cloud_of(folder)}
    known["MGLAB_EDITION"] = edition_of(folder)
    return {**known, "MGLAB_OUTPUTS": str(folder.parent.absolute()), **more}
