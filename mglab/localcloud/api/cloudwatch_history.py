"""What happened to alarms, as DescribeAlarmHistory tells it, in AWS's words and JSON documents.

The members of ``HistoryData`` are as recorded by others: a new alarm is told whole, in lower camel case; a change of
state with the old one and the new. What an action reported is inferred.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from mglab.localcloud.api.cloudwatch_forms import moment, one_of, page
from mglab.localcloud.api.cloudwatch_state import (
    Alarm,
    AnyAlarm,
    CloudWatchState,
    CompositeAlarm,
    HistoryItem,
    Params,
    dimension_list,
)

ITEM_TYPES = (
    "ConfigurationUpdate", "StateUpdate", "Action", "AlarmContributorStateUpdate", "AlarmContributorAction",
)  # fmt: skip
ALARM_TYPES = ("CompositeAlarm", "MetricAlarm", "LogAlarm")
_PAST = {"Create": "created", "Update": "updated", "Delete": "deleted"}


def kind_of(alarm: AnyAlarm) -> str:
    """Name an alarm's type."""
    return "CompositeAlarm" if isinstance(alarm, CompositeAlarm) else "MetricAlarm"


def note(state: CloudWatchState, now: float, alarm: AnyAlarm, kind: str, summary: str, data: Params) -> None:
    """Write one line of history."""
    text = json.dumps({"version": "1.0", **data}, separators=(",", ":"))
    state.history.append(HistoryItem(now, alarm.name, kind, summary, text, kind_of(alarm)))


def configured(state: CloudWatchState, now: float, alarm: AnyAlarm, did: str) -> None:
    """Note that an alarm was created, updated or deleted (``did``: Create, Update, Delete)."""
    past = _PAST[did]
    data = {"type": did, f"{past}Alarm": _whole(alarm)}
    note(state, now, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {past}', data)


def changed(state: CloudWatchState, now: float, alarm: AnyAlarm, before: Params) -> None:
    """Note that an alarm came from the state told in ``before`` to the one it is in."""
    summary = f"Alarm updated from {before['stateValue']} to {alarm.state}"
    note(state, now, alarm, "StateUpdate", summary, {"oldState": before, "newState": told(alarm)})


def acted(state: CloudWatchState, now: float, alarm: AnyAlarm, action: str, *, reached: bool) -> None:
    """Note that an action was executed, or could not be."""
    data = {
        "actionState": "Succeeded" if reached else "Failed",
        "stateUpdateTimestamp": int(alarm.state_updated_at * 1000),
        "notificationResource": action,
        **({} if reached else {"error": "The local cloud has nobody at this address"}),
    }
    verb = "Successfully executed" if reached else "Failed to execute"
    note(state, now, alarm, "Action", f"{verb} action {action}", data)


def told(alarm: AnyAlarm) -> Params:
    """Give a state as the history tells it: the reason in words, and its data when there are any."""
    said: Params = {"stateValue": alarm.state, "stateReason": alarm.reason}
    return said if alarm.reason_data is None else said | {"stateReasonData": json.loads(alarm.reason_data)}


class HistoryPage:
    """Answers the operation on what happened."""

    def __init__(self, state: CloudWatchState) -> None:
        self.state = state

    def describe_alarm_history(self, params: Params) -> Params:
        """List what happened to alarms, newest first unless asked otherwise."""
        one_of(params, "HistoryItemType", ITEM_TYPES)
        one_of(params, "ScanBy", ("TimestampDescending", "TimestampAscending"))
        found = [item for item in self.state.history if _recalled(item, params)]
        if params.get("ScanBy") != "TimestampAscending":
            found.reverse()
        items, token = page(params, found, default=100, maximum=100)
        return {"AlarmHistoryItems": [_member(item) for item in items], "NextToken": token}


def _recalled(item: HistoryItem, params: Params) -> bool:
    if item.alarm_type not in (params.get("AlarmTypes") or ["MetricAlarm"]):
        return False
    if params.get("AlarmName") not in (None, item.alarm_name):
        return False
    if params.get("HistoryItemType") not in (None, item.kind):
        return False
    after, before = params.get("StartDate"), params.get("EndDate")
    return (after is None or item.at >= after.timestamp()) and (before is None or item.at <= before.timestamp())


def _member(item: HistoryItem) -> Params:
    return {
        "AlarmName": item.alarm_name,
        "AlarmType": item.alarm_type,
        "Timestamp": moment(item.at),
        "HistoryItemType": item.kind,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def _whole(alarm: AnyAlarm) -> Params:
    """Give an alarm as its creation is told."""
    description = alarm.settings.get("AlarmDescription")
    return {
        "alarmName": alarm.name,
        **({"alarmDescription": description} if description is not None else {}),
        "alarmArn": alarm.arn,
        "alarmConfigurationUpdatedTimestamp": stamp(alarm.configured_at),
        **(_of_metric(alarm) if isinstance(alarm, Alarm) else {"alarmRule": getattr(alarm, "text", "")}),
        "stateValue": alarm.state,
        "stateUpdatedTimestamp": stamp(alarm.state_updated_at),
        "actionsEnabled": alarm.actions_enabled,
        "alarmActions": list(alarm.actions["ALARM"]),
        "insufficientDataActions": list(alarm.actions["INSUFFICIENT_DATA"]),
        "okactions": list(alarm.actions["OK"]),
    }


def _of_metric(alarm: Alarm) -> Params:
    watched: Params = {"metrics": [camel(query) for query in alarm.metrics]}
    if alarm.key is not None:
        extended = "ExtendedStatistic" in alarm.settings
        dimensions = dimension_list(alarm.key.dimensions)
        watched = {
            "namespace": alarm.key.namespace,
            "metricName": alarm.key.name,
            "extendedStatistic" if extended else "statistic": alarm.rule.statistic,
            "period": alarm.rule.period_s,
            **({"unit": alarm.rule.unit} if alarm.rule.unit else {}),
            "dimensions": [{"value": one["Value"], "name": one["Name"]} for one in dimensions],
        }
    given = {camel_name(member): alarm.settings[member] for member in _GIVEN if member in alarm.settings}
    return {
        **watched,
        "threshold": float(alarm.rule.threshold),
        "comparisonOperator": alarm.rule.comparison,
        "evaluationPeriods": alarm.rule.evaluation_periods,
        **given,
    }


_GIVEN = ("DatapointsToAlarm", "TreatMissingData", "EvaluateLowSampleCountPercentile")


def camel_name(name: str) -> str:
    """Begin a member's name with a small letter."""
    return name[:1].lower() + name[1:]


def camel(value: object) -> object:
    """Give a structure with its members' names in lower camel case."""
    if isinstance(value, dict):
        return {camel_name(name): camel(one) for name, one in value.items()}
    return [camel(one) for one in value] if isinstance(value, list) else value


def stamp(at: float) -> str:
    """Write a time as alarms' JSON documents do: 2022-11-02T15:55:30.959+0000."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(at % 1 * 1000):03d}+0000"
