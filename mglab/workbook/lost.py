"""What a local cloud that is gone has taken along: all that was in it, when nothing of it is kept (``cloud down``).

So the teardown of a run whose cloud died has nothing to remove, and a run that is gone on with after that starts
from nothing. What is left to do is to tell the ledger.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mglab.clock import Clock, starting_now
from mglab.ledger import Entry, Ledger, local_place


def with_its_cloud(folder: Path, cloud: str, clock: Clock) -> list[Entry]:
    """File everything that the ledger still calls live in this cloud as removed; gives what that was."""
    ledger = Ledger(folder / "ledger.jsonl", clock, local_place(cloud))
    lost = ledger.live()
    for entry in lost:
        ledger.removed("99", entry.what, entry.key, entry.id, why="it went with its local cloud")
    return lost


def clock_of(folder: Path, cloud: str, rate: float) -> Clock:
    """Give the clock of a cloud that is gone: the one that dated the ledger's last line."""
    entries = Ledger(folder / "ledger.jsonl", Clock(), local_place(cloud)).entries()
    if not entries:
        return starting_now(rate)
    last = entries[-1]
    return Clock(rate, float(last.details["wall"]), datetime.fromisoformat(last.at).timestamp())
