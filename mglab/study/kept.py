"""An experiment is done once: what it measured is kept with the run, and shown again from there.

Running a notebook twice must change nothing (no second instance dies because a cell was run again), and a
figure drawn from kept data is the same figure. ``again=True`` repeats the experiment and replaces the kept
result. Kept results belong to the place they were measured at: a rehearsal's are not shown for AWS. And they
belong to the VPC that stood then: a run that was torn down and is done again measures again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from mglab.errors import OutputsUnwritable
from mglab.session import Lab

Result = TypeVar("Result")


def once(lab: Lab, name: str, kind: type[Result], measure: Callable[[], Result], *, again: bool = False) -> Result:
    """Give the kept result of the experiment ``name``, else ``measure`` it now and keep it.

    ``kind`` is a dataclass of plain values, times and nested dataclasses.
    """
    path = lab.folder / "experiments" / f"{name}.json"
    result = None if again else _read(path, kind, lab)
    if result is None:
        result = measure()
        _keep(path, kind, result, {"place": lab.ledger.place, "vpc": _vpc(lab)})
        lab.ledger.note("experiment", name, kept=path.name)
    return result


def _read(path: Path, kind: type[Result], lab: Lab) -> Result | None:
    """Read a kept result; one of another place or VPC, or of an older shape, counts as none."""
    whole = _whole(path)
    is_ours = whole.get("place") == lab.ledger.place and _vpc(lab) in ("", whole.get("vpc"))
    return _result(whole, kind) if is_ours else None


def read(path: Path, kind: type[Result]) -> tuple[str, Result] | None:
    """Read where a result was kept and what it is; None when it is not there or not of this shape."""
    whole = _whole(path)
    result = _result(whole, kind)
    return (str(whole["place"]), result) if result is not None and "place" in whole else None


def _result(whole: dict[str, Any], kind: type[Result]) -> Result | None:
    try:
        return TypeAdapter(kind).validate_python(whole["result"], strict=False)
    except (KeyError, ValidationError):
        return None


def _whole(path: Path) -> dict[str, Any]:
    """Read what was kept with the place it was measured at; empty when there is nothing to read."""
    try:
        known = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _vpc(lab: Lab) -> str:
    """Name the VPC that stands, as far as the ledger knows."""
    return next((it.id for it in reversed(lab.ledger.live()) if it.what == "vpc"), "")


def _keep(path: Path, kind: type[Result], result: Result, where: dict[str, str]) -> None:
    whole = {**where, "result": TypeAdapter(kind).dump_python(result, mode="json")}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(whole, indent=1, ensure_ascii=False), "utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise OutputsUnwritable(
            f"the result of {path.stem} cannot be kept: {error.strerror}", hint="free some space, then run this again"
        ) from error
