"""What ``run.json`` says of a run, read leniently: a run that broke may have left half a record.

Nothing is invented: what the record does not say is empty here, and the cover says that it is not known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_FINE = frozenset({"completed", "complete", "ok", "passed", "succeeded", "success", "done"})


@dataclass(frozen=True)
class Told:
    """What became of one notebook."""

    name: str
    status: str = ""
    seconds: float | None = None
    error: str = ""

    @property
    def fine(self) -> bool:
        """Tell whether it ran to its end."""
        return self.status.lower() in _FINE


@dataclass(frozen=True)
class RunRecord:
    """What became of a run."""

    run: str = ""
    backend: str = ""
    author: str = ""
    edition: str = ""
    account: str = ""
    region: str = ""
    status: str = ""
    error: str = ""
    rate: float | None = None
    started: datetime | None = None
    finished: datetime | None = None
    notebooks: tuple[Told, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    knobs: tuple[tuple[str, str], ...] = ()
    software: tuple[tuple[str, str], ...] = ()
    found: bool = False

    @property
    def fine(self) -> bool:
        """Tell whether the run says it came to its end."""
        return self.status.lower() in _FINE

    def told(self, name: str) -> Told | None:
        """Find what became of a notebook by its name."""
        return next((one for one in self.notebooks if one.name == name), None)


def read(run_folder: Path) -> RunRecord:
    """Read ``run.json``; an absent or broken one gives an empty record that says it was not found."""
    try:
        data = json.loads((run_folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return RunRecord(run=run_folder.name)
    return from_json(data, run_folder.name) if isinstance(data, dict) else RunRecord(run=run_folder.name)


def from_json(data: Mapping[str, Any], name: str) -> RunRecord:
    """Make a record of what the file holds."""
    return RunRecord(
        run=_word(data.get("run")) or name,
        backend=_word(data.get("backend")),
        author=_word(data.get("author")),
        edition=_word(data.get("edition")),
        account=_word(data.get("account")),
        region=_word(data.get("region")),
        status=_word(data.get("status")),
        error=_word(data.get("error")),
        rate=_number(data.get("rate")),
        started=moment(data.get("started")),
        finished=moment(data.get("finished")),
        notebooks=_notebooks(data.get("notebooks")),
        parameters=_pairs(data.get("parameters")),
        knobs=_pairs(data.get("knobs")),
        software=_pairs(data.get("software")),
        found=True,
    )


def moment(value: Any) -> datetime | None:
    """Read a time given as ISO text or as seconds since 1970."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    try:
        read_time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return read_time.astimezone(UTC) if read_time.tzinfo else read_time.replace(tzinfo=UTC)


def _notebooks(value: Any) -> tuple[Told, ...]:
    if isinstance(value, Mapping):
        pairs = [(str(name), one) for name, one in value.items()]
    elif isinstance(value, list):
        pairs = [(_word(one.get("name")), one) for one in value if isinstance(one, Mapping)]
    else:
        pairs = []
    return tuple(_told(re.sub(r"\.ipynb$", "", name), one) for name, one in pairs if name)


def _told(name: str, value: Any) -> Told:
    if not isinstance(value, Mapping):
        return Told(name, _word(value))
    return Told(name, _word(value.get("status")), _number(value.get("seconds")), _word(value.get("error")))


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), _word(one)) for name, one in value.items()) if isinstance(value, Mapping) else ()


def _word(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
