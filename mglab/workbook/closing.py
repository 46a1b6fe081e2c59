"""A run's last lines: where the folio is, what the run took here, and what AWS would have taken and charged."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mglab.waits import duration
from mglab.workbook import cost, times


def lines(folder: Path, record: Mapping[str, Any], took: cost.Stretch) -> Iterator[str]:
    """Give the closing lines of a run, from its record and its ledger."""
    if record.get("pdf"):
        yield f"PDF: {folder / record['pdf']}"
    yield _what_it_took(folder, took, is_aws=record["backend"] == "aws")
    if told := times.in_short(record):
        yield told
    if record.get("teardown") == "kept":
        backend = "" if record["backend"] == "local" else f" --backend {record['backend']}"
        yield f"Kept as it is. Tear it down with: python3 -m mglab teardown --run {record['run']}{backend}"


def _what_it_took(folder: Path, took: cost.Stretch, *, is_aws: bool) -> str:
    here = f"This took {duration(took.end - took.start)}"
    entries = [entry for entry in ledger(folder) if float(entry.get("wall", 0)) >= took.start]
    if not entries:
        return f"{here}."
    known, of = cost.estimate(entries, took), f"{cost.PRICES.region}, prices of {cost.PRICES.as_of}"
    if is_aws:
        return f"{here} and cost about US$ {known.dollars:.2f} ({of})."
    there = f"on AWS it would have taken about {duration(known.aws_seconds)} and cost about US$ {known.dollars:.2f}"
    return f"{here}; {there} ({of})."


def ledger(folder: Path) -> list[dict[str, Any]]:
    """Read the ledger's whole lines."""
    try:
        text = (folder / "ledger.jsonl").read_bytes()
    except FileNotFoundError:
        return []
    known = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # a torn line may even end inside a letter
            known.append(json.loads(line))
    return [one for one in known if isinstance(one, dict)]
