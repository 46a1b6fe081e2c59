"""Where a run's time went: per notebook, and around the notebooks.

A notebook's wall seconds are its kernel's start with the imports (until its first cell of code after the
parameters has ended: papermill dates every cell), what it waited (each wait is in the ledger with its AWS and
its wall seconds), and the rest: API calls, real requests to the service, figures. Only the waiting gets
shorter when the clock runs faster.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mglab.display import column
from mglab.waits import duration
from mglab.workbook.state import TORN_DOWN

WHOLE = "together"


@dataclass(frozen=True)
class Spent:
    """The wall seconds of one notebook, or of one thing around them, and the AWS seconds that it waited."""

    where: str = field(metadata=column("Notebook"))
    wall_s: float = field(metadata=column("Wall (s)", "number"))
    kernel_s: float = field(metadata=column("Kernel, imports (s)", "number"))
    waiting_s: float = field(metadata=column("Waiting (s)", "number"))
    rest_s: float = field(metadata=column("Rest (s)", "number"))
    aws_waited_s: float = field(metadata=column("AWS seconds waited", "number"))


# -- measuring, when a notebook has ended ------------------------------------------------------------------


def of_notebook(executed: Path, ledger: Iterable[Mapping[str, Any]], began: float) -> dict[str, float]:
    """Measure an executed notebook that ``began`` at that wall time; gives what the run's record keeps of it."""
    waits = [one for one in ledger if one.get("kind") == "wait" and float(one.get("wall", 0)) >= began]
    return {
        "kernel_s": round(kernel_seconds(_read(executed)), 1),
        "waiting_s": round(sum(float(one.get("wall_seconds", 0)) for one in waits), 1),
        "aws_waited_s": round(sum(float(one.get("seconds", 0)) for one in waits), 1),
    }


def kernel_seconds(notebook: Mapping[str, Any]) -> float:
    """Tell from an executed notebook how long its kernel took to start and to import; 0 when it did not get there."""
    begun = _papermill(notebook).get("start_time")
    ready = next((_papermill(cell).get("end_time") for cell in _code(notebook) if not _is_parameters(cell)), None)
    if not begun or not ready:
        return 0.0
    return (datetime.fromisoformat(ready) - datetime.fromisoformat(begun)).total_seconds()


def _read(executed: Path) -> Mapping[str, Any]:
    try:
        known = json.loads(executed.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _code(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cell for cell in notebook.get("cells", ()) if cell.get("cell_type") == "code"]


def _is_parameters(cell: Mapping[str, Any]) -> bool:
    return any("parameters" in tag for tag in cell.get("metadata", {}).get("tags", ()))  # papermill's own as well


def _papermill(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(part.get("metadata", {}).get("papermill") or {})


# -- telling, from the run's record ------------------------------------------------------------------------


def spent(record: Mapping[str, Any]) -> list[Spent]:
    """Tell where a run's time went: its notebooks, what was around them, and all of it together."""
    rows = [_spent(name, one) for name, one in record.get("notebooks", {}).items() if _counts(one)]
    rows += [Spent(name, float(wall_s), 0.0, 0.0, float(wall_s), 0.0) for name, wall_s in _around(record)]
    return [*rows, together(rows)] if rows else []


def _counts(told: Mapping[str, Any]) -> bool:
    return "seconds" in told and told.get("status") != TORN_DOWN


def _around(record: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Add up what was around the notebooks, over the pieces that a run was done in."""
    found: dict[str, float] = {}
    for piece in record.get("pieces", ()):
        for name, wall_s in piece.get("around", {}).items():
            found[name] = round(found.get(name, 0.0) + float(wall_s), 1)
    return list(found.items())


def _spent(name: str, told: Mapping[str, Any]) -> Spent:
    wall_s, kernel_s, waiting_s = (float(told.get(key, 0)) for key in ("seconds", "kernel_s", "waiting_s"))
    rest_s = round(max(wall_s - kernel_s - waiting_s, 0.0), 1)
    return Spent(name, wall_s, kernel_s, waiting_s, rest_s, float(told.get("aws_waited_s", 0)))


def together(rows: Sequence[Spent]) -> Spent:
    """Add rows up."""
    sums = {
        name: round(sum(getattr(row, name) for row in rows), 1)
        for name in ("wall_s", "kernel_s", "waiting_s", "rest_s", "aws_waited_s")
    }
    return Spent(WHOLE, **sums)


def in_short(record: Mapping[str, Any]) -> str:
    """Say in a sentence where the time went; empty when nothing was measured."""
    rows = spent(record)
    if not rows:
        return ""
    whole, pieces = rows[-1], len(record.get("pieces", ()))
    of = f" in {pieces} pieces" if pieces > 1 else ""
    return (
        f"Where {duration(whole.wall_s)}{of} went: kernels and imports {whole.kernel_s:.0f} s, waiting "
        f"{whole.waiting_s:.0f} s (AWS time: {duration(whole.aws_waited_s)}), the rest {whole.rest_s:.0f} s; "
        f"by notebook: python3 -m mglab status --run {record.get('run', '')}"
    )
