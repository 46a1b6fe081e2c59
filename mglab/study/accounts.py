"""What the services themselves say happened: the group's activity history and the alarms' history.

Both are written by AWS and dated by AWS, to the second: sharper than any look from outside, and in the
service's own words. They speak only of what they decided; what a client felt they never know.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from mglab.session import Lab
from mglab.steps import scaling
from mglab.study.timeline import Event

ACTIVITY, ALARM = "activity", "alarm"
MOST_ALARM_ITEMS = 500


def since(lab: Lab, began: datetime) -> list[Event]:
    """Give what the histories tell of the time since ``began``, activities and alarms, in order of time."""
    told = [*_activities(lab), *_alarms(lab, began)]
    return sorted((event for event in told if event.at >= began), key=lambda event: event.at)


def _activities(lab: Lab) -> Iterator[Event]:
    """Give each activity's begin and, when it has ended, its end."""
    for activity in scaling.activities(lab):
        yield Event(activity.started, ACTIVITY, f"{activity.description}: begins")
        if activity.ended:
            yield Event(activity.ended, ACTIVITY, f"{activity.description}: {activity.status}")


def _alarms(lab: Lab, began: datetime) -> Iterator[Event]:
    pages = lab.cloudwatch.get_paginator("describe_alarm_history").paginate(
        HistoryItemType="StateUpdate", StartDate=began, PaginationConfig={"MaxItems": MOST_ALARM_ITEMS}
    )
    prefix = f"TargetTracking-{lab.config.group_name}-"
    for page in pages:
        for item in page["AlarmHistoryItems"]:
            if item["AlarmName"].startswith(prefix):
                side = "AlarmHigh" if "-AlarmHigh-" in item["AlarmName"] else "AlarmLow"
                yield Event(item["Timestamp"].astimezone(UTC), ALARM, f"{side}: {item['HistorySummary']}")
