"""``mglab lab``: JupyterLab on working copies of the notebooks.

The copies lie in outputs/<run>/notebooks, so the sources stay clean and the folio has one place to read; a copy
that is there is never overwritten. JupyterLab listens on the loopback only, uses this Python's kernel, and asks
nobody for news; the user's own settings stay theirs.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from mglab.errors import OutputsUnwritable
from mglab.workbook import kernel, runs, state

PRIVATE = ".jupyter"
NO_NEWS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
}


def working_copies(sources: Path, folder: Path) -> list[Path]:
    """Copy the notebooks that are not there yet; gives the new ones."""
    target = folder / "notebooks"
    try:
        target.mkdir(parents=True, exist_ok=True)
        new = [path for path in sorted(sources.glob("*.ipynb")) if not (target / path.name).exists()]
        return [_whole_copy(path, target / path.name) for path in new]
    except OSError as error:
        raise OutputsUnwritable(f"cannot write {target}: {error.strerror}", hint=state.MAKE_ROOM) from None


def _whole_copy(source: Path, target: Path) -> Path:
    """Copy a file, or leave none: half a notebook would pass for one that is there."""
    new = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(source, new)
        return new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def open_lab(folder: Path, backend: str, arguments: Sequence[str]) -> None:
    """Become JupyterLab on the run's notebooks; does not return."""
    private = folder / PRIVATE
    environment = {
        **os.environ,
        **runs.settings(folder, backend),
        "JUPYTER_PATH": _first(kernel.describe(private), "JUPYTER_PATH"),
        "JUPYTER_CONFIG_PATH": _first(_overrides(private / "config"), "JUPYTER_CONFIG_PATH"),
    }
    environment.pop("MGLAB_HEADLESS", None)
    if os.path.expanduser("~") == "~":
        environment["HOME"] = str(private)  # a user without a home, for whom JupyterLab would not start
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.default_url=/lab/tree/notebooks/00_preflight.ipynb", *arguments]
    if os.geteuid() == 0:
        command.append("--allow-root")
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)


def _overrides(folder: Path) -> Path:
    """Write JupyterLab's default settings of ours; gives what belongs on JUPYTER_CONFIG_PATH."""
    place = folder / "labconfig"
    place.mkdir(parents=True, exist_ok=True)
    (place / "default_setting_overrides.json").write_text(json.dumps(NO_NEWS, indent=1), "utf-8")
    return folder


def _first(folder: Path, variable: str) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])
