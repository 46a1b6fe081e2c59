"""Everything that happened, from every source, on one clock.

The ledger says what we asked for, the group's activities what it decided, target health what the balancer
saw. Each keeps its own words; here they become events with a moment and a lane.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from mglab.display import column


@dataclass(frozen=True)
class Event:
    """Something that happened at a moment of lab time."""

    at: datetime = field(metadata=column("When", "time"))
    lane: str = field(metadata=column("Seen by"))
    what: str = field(metadata=column("What"))


def merge(*sources: list[Event]) -> list[Event]:
    """Put the events of several sources in order of time."""
    return sorted((event for source in sources for event in source), key=lambda event: event.at)


def lanes(events: Iterable[Event], who: Collection[str]) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
    """Sort what was said by (who said it, of whom): each state with the moment it was first seen."""
    found: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for event in events:
        if event.lane in who:
            subject, _, state = event.what.partition(": ")
            found.setdefault((event.lane, subject), []).append((event.at, state))
    return found


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Give AWS seconds from one moment to the other."""
    return round((later - earlier).total_seconds(), 1)
