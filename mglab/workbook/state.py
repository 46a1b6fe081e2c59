"""``run.json``: what a run is doing and what became of it, written whole at every change.

One owner, the runner; when that is killed, its guard writes the last word. Readers (the folio, ``status``, the
next run's estimate) see a whole file or the one before it. Times are ISO 8601; ``started`` and ``finished`` are
wall time, ``*_lab`` the lab's. Statuses: running, passed, incomplete (the last piece passed, a notebook before it
did not), failed, interrupted, killed. Standard library only, because the guard reads it too.

A run with ``--keep`` may be done in pieces. Each piece has its place in ``pieces``; the notebooks, the parameters
and the start belong to the run as a whole. Once all is torn down, the next run of that name begins anew: what
notebooks of before made is no longer there, and so they are called ``torn down`` until they have run again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mglab.errors import OutputsUnwritable

FILE = "run.json"
TORN_DOWN = "torn down"
INCOMPLETE = "incomplete"
MAKE_ROOM = "free space or make the folder writable, or name another: MGLAB_OUTPUTS=FOLDER"


def read(folder: Path) -> dict[str, Any]:
    """Read a run's record; empty when there is none that can be read."""
    try:
        known = json.loads((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def write(folder: Path, state: dict[str, Any]) -> None:
    """Put the record in place at once."""
    new = folder / f".{FILE}.new"
    try:
        new.write_text(json.dumps(state, indent=1, ensure_ascii=False) + "\n", "utf-8")
        os.replace(new, folder / FILE)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise OutputsUnwritable(f"cannot write {folder / FILE}: {error.strerror}", hint=MAKE_ROOM) from None


def now() -> str:
    """Give wall time as ISO text."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def close(folder: Path, status: str, **more: str) -> None:
    """Give a record that still says "running" its last word, and what else is to be said."""
    state = read(folder)
    if state.get("status") != "running":
        return
    for one in state.get("notebooks", {}).values():
        if one.get("status") == "running":
            one["status"] = status
    write(folder, {**state, "status": status, "finished": now(), **more})


def note_teardown(folder: Path) -> None:
    """Note in the record of a run that was kept that it is torn down now."""
    known = read(folder)
    if known.get("teardown"):
        write(folder, {**known, "teardown": "complete"})


def goes_on(known: Mapping[str, Any], backend: str) -> bool:
    """Say whether a run of this record can be gone on with: it was on that backend, and is not torn down."""
    return bool(known.get("notebooks")) and known.get("backend") == backend and known.get("teardown") != "complete"


def torn_down(notebooks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Say of notebooks that what they made is gone."""
    return {name: {**told, "status": TORN_DOWN} for name, told in notebooks.items()}


def past_seconds(folders: Iterable[Path], *, backend: str, rate: float) -> dict[str, float]:
    """Say how long each notebook took when it last passed on the same backend at the same rate."""
    records = [read(folder) for folder in folders]
    alike = [one for one in records if one.get("backend") == backend and one.get("rate") == rate]
    seconds = {}
    for one in sorted(alike, key=lambda record: str(record.get("started", ""))):
        for name, told in one.get("notebooks", {}).items():
            if told.get("status") == "passed" and told.get("seconds"):
                seconds[name] = float(told["seconds"])
    return seconds
