"""What a local cloud that is gone has taken along: all that was in it, since none survives its supervisor.

So the teardown of a run whose cloud died has nothing to remove. What is left to do is to tell the ledger, in the
lab time that the cloud's clock would show by now.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mglab.clock import Clock, starting_now
from mglab.ledger import Entry, Ledger, local_place


def with_its_cloud(folder: Path, cloud: str, rate: float) -> list[Entry]:
    """File everything that the ledger still calls live in this cloud as removed; gives what that was."""
    path, place = folder / "ledger.jsonl", local_place(cloud)
    known = Ledger(path, Clock(), place)
    ledger = Ledger(path, going_on_after(known.entries(), rate), place)
    lost = known.live()
    for entry in lost:
        ledger.removed("99", entry.what, entry.key, entry.id, why="it went with its local cloud")
    return lost


def going_on_after(entries: list[Entry], rate: float) -> Clock:
    """Give the clock that dated the last line."""
    if not entries:
        return starting_now(rate)
    last = entries[-1]
    return Clock(rate, float(last.details["wall"]), datetime.fromisoformat(last.at).timestamp())
