"""What the services themselves say happened: the group's activity history and the alarms' history.

Both are written by AWS and dated by AWS, to the second: sharper than any look from outside, and in the
service's own words. They speak only of what they decided; what a client felt they never know. Here they become
events, and events are read back: ``doing`` and ``turn`` know the words that ``since`` wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from mglab.session import Lab
from mglab.steps import monitoring, scaling
from mglab.study.timeline import Event

ACTIVITY, ALARM = "activity", "alarm"
BEGINS = "begins"
_DOING = re.compile(r"(?P<verb>\w+)(?P<rest>.*?)(?:: (?P<instance>i-[0-9a-f]+))?: (?P<outcome>\w+)", re.DOTALL)
_TURN = re.compile(r"(?P<side>\w+): Alarm updated from (?P<old>\w+) to (?P<new>\w+)")
VERBS = {"Launching": "launch", "Terminating": "terminate"}


@dataclass(frozen=True)
class Doing:
    """The begin or the end of an activity: what is done, to which instance (may be empty), how it ended."""

    verb: str
    instance_id: str
    outcome: str


@dataclass(frozen=True)
class Turn:
    """One change of an alarm's state."""

    side: str
    old: str
    new: str


def since(lab: Lab, began: datetime) -> list[Event]:
    """Give what the histories tell of the time since ``began``, activities and alarms, in order of time."""
    told = [*_activities(lab), *_alarms(lab, began)]
    return sorted((event for event in told if event.at >= began), key=lambda event: event.at)


def doing(what: str) -> Doing | None:
    """Read an activity's event; None for words of another kind."""
    read = _DOING.fullmatch(what)
    return read and Doing(VERBS.get(read["verb"], read["verb"].lower()), read["instance"] or "", read["outcome"])


def turn(what: str) -> Turn | None:
    """Read an alarm's event; None for words of another kind."""
    read = _TURN.fullmatch(what)
    return read and Turn(read["side"], read["old"], read["new"])


def _activities(lab: Lab) -> Iterator[Event]:
    """Give each activity's begin and, when it has ended, its end."""
    for activity in scaling.activities(lab):
        yield Event(activity.started, ACTIVITY, f"{activity.description}: {BEGINS}")
        if activity.ended:
            yield Event(activity.ended, ACTIVITY, f"{activity.description}: {activity.status}")


def _alarms(lab: Lab, began: datetime) -> Iterator[Event]:
    for it in monitoring.alarm_history(lab, began):
        yield Event(it.at, ALARM, f"{monitoring.side_of(it.alarm)}: Alarm updated from {it.old} to {it.new}")
