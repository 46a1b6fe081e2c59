"""How long AWS took to make what the lab asked for: read from the ledger, no cloud is asked.

A resource is in the ledger when its request was answered; a wait there says when it was first seen ready. Where the
wait saw it ready at its first look, it had been so for an unknown while, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mglab.ledger import Entry
from mglab.study.timeline import seconds_between

READY = (
    ("first server until it runs", "instance", "instance ", "running"),
    ("image until it is available", "image", "image ", "available"),
    ("load balancer until it is active", "load-balancer", "load balancer ", "active"),
)
"""What is said of it, its name in the ledger, how its wait begins, and the word for ready."""


@dataclass(frozen=True)
class Provisioned:
    """One resource, from the answer to its request until it was seen ready."""

    what: str
    seconds: float
    within_s: float


def provisioned(entries: Sequence[Entry], look_s: float) -> list[Provisioned]:
    """Read how long the first of each kind took; ``look_s`` is how far apart a wait looks, in AWS seconds."""
    found = []
    for words, what, begins, ready in READY:
        made = next((it for it in entries if (it.kind, it.what) == ("made", what)), None)
        seen = _seen_ready(entries, begins, ready, datetime.fromisoformat(made.at)) if made else None
        if made and seen:
            late = seen - timedelta(seconds=look_s / 2)
            found.append(Provisioned(words, seconds_between(datetime.fromisoformat(made.at), late), look_s / 2))
    return found


def _seen_ready(entries: Sequence[Entry], begins: str, ready: str, since: datetime) -> datetime | None:
    for entry in entries:
        if entry.kind != "wait" or not entry.what.startswith(begins) or datetime.fromisoformat(entry.at) < since:
            continue
        changes = entry.details.get("transitions", [])
        if len(changes) > 1 and changes[-1]["state"].endswith(ready):
            return datetime.fromisoformat(changes[-1]["at"])
        return None
    return None
