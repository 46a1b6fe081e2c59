"""The alarms half of CloudWatch: what an alarm is told, what it says, and what happened to it.

A new alarm is in INSUFFICIENT_DATA; putting one again keeps its state and replaces all else. SetAlarmState
lasts until the next evaluation (aws-facts 4.4). When an alarm changes its state, those who act on it are
told; who scales a group is told again each minute for as long as the alarm stays in ALARM (aws-facts 2.6).

Left out: composite alarms, alarms on metric math or anomaly bands, high-resolution alarms; SNS, EC2 and
Lambda actions are kept and shown but reach nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, moment, one_of, page, refuse_members, require
from mglab.localcloud.api.cloudwatch_state import (
    Alarm,
    CloudWatchState,
    HistoryItem,
    MetricKey,
    Params,
    dimension_list,
    requested_key,
)
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import alarms as rules
from mglab.localcloud.rules.alarms import Rule, State
from mglab.localcloud.rules.statistics import MINUTE_S, SIMPLE, is_statistic

STATES: tuple[State, ...] = ("INSUFFICIENT_DATA", "ALARM", "OK")
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
DAY_S = 86400
MOST_TAGS = 50
AUTO_SCALING_ACTION = "arn:aws:autoscaling:"

OnAlarm = Callable[[Alarm, State, State, float], None]
"""Called with (alarm, old state, new state, lab time) when an alarm's actions are due."""

_ACTION_MEMBERS: dict[State, str] = {
    "OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions",
}
_GIVEN_BACK = (
    "AlarmDescription", "Statistic", "ExtendedStatistic", "Unit", "DatapointsToAlarm", "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
)


class AlarmPage:
    """Answers the operations on alarms, and evaluates them."""

    def __init__(self, state: CloudWatchState, now: Callable[[], float], arn_prefix: str) -> None:
        self.state = state
        self.now = now
        self.arn_prefix = arn_prefix
        self.listeners: list[OnAlarm] = []

    def put_metric_alarm(self, params: Params) -> Params:
        """Create an alarm, or replace the settings of one."""
        require(params, "AlarmName", "EvaluationPeriods", "ComparisonOperator")
        refuse_members(
            params, "Metrics", "ThresholdMetricId", "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria",
            "EvaluationInterval",
        )
        require(params, "MetricName", "Namespace", "Period", "Threshold")
        alarm = self._alarm(params)
        known = self.state.alarms.get(alarm.name)
        if known is not None:
            alarm = replace(
                alarm, state=known.state, reason=known.reason, reason_data=known.reason_data,
                state_updated_at=known.state_updated_at, points=known.points,
            )
        self.state.alarms[alarm.name] = alarm
        if known is None:
            self.state.tags[alarm.arn] = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        did = "Update" if known else "Create"
        self._note(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {did.lower()}d', {"type": did})
        return {}

    def _alarm(self, params: Params) -> Alarm:
        now = self.now()
        return Alarm(
            name=params["AlarmName"],
            arn=self.arn_prefix + params["AlarmName"],
            key=requested_key(params),
            rule=_rule(params),
            settings={member: params[member] for member in _GIVEN_BACK if params.get(member) is not None},
            actions={state: tuple(params.get(member) or ()) for state, member in _ACTION_MEMBERS.items()},
            actions_enabled=params.get("ActionsEnabled", True),
            configured_at=now,
            state_updated_at=now,
        )

    def describe_alarms(self, params: Params) -> Params:
        """List alarms, by name, prefix, state or action."""
        one_of(params, "StateValue", STATES)
        refuse_members(params, "ChildrenOfAlarmName", "ParentsOfAlarmName")
        if params.get("AlarmNames") and params.get("AlarmNamePrefix"):
            raise invalid("AlarmNames and AlarmNamePrefix cannot be specified together.")
        found = [alarm for _, alarm in sorted(self.state.alarms.items()) if _described(alarm, params)]
        items, token = page(params, found, default=50, maximum=100)
        return {"CompositeAlarms": [], "MetricAlarms": [describe(alarm) for alarm in items], "NextToken": token}

    def describe_alarms_for_metric(self, params: Params) -> Params:
        """List the alarms on one metric."""
        require(params, "MetricName", "Namespace")
        key = requested_key(params)
        found = [alarm for _, alarm in sorted(self.state.alarms.items()) if _watches(alarm, key, params)]
        return {"MetricAlarms": [describe(alarm) for alarm in found]}

    def describe_alarm_history(self, params: Params) -> Params:
        """List what happened to alarms, newest first unless asked otherwise."""
        one_of(params, "HistoryItemType", ("ConfigurationUpdate", "StateUpdate", "Action"))
        one_of(params, "ScanBy", ("TimestampDescending", "TimestampAscending"))
        found = [item for item in self.state.history if _recalled(item, params)]
        if params.get("ScanBy") != "TimestampAscending":
            found.reverse()
        items, token = page(params, found, default=100, maximum=100)
        return {"AlarmHistoryItems": [_history_item(item) for item in items], "NextToken": token}

    def delete_alarms(self, params: Params) -> Params:
        """Delete alarms; one that is not there is no error."""
        require(params, "AlarmNames")
        for name in params["AlarmNames"]:
            alarm = self.state.alarms.pop(name, None)
            if alarm is not None:
                self.state.tags.pop(alarm.arn, None)
                self._note(alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', {"type": "Delete"})
        return {}

    def set_alarm_state(self, params: Params) -> Params:
        """Put an alarm into a state by hand, until it is next evaluated."""
        require(params, "AlarmName", "StateValue", "StateReason")
        one_of(params, "StateValue", STATES)
        alarm = self.state.alarms.get(params["AlarmName"])
        if alarm is None:
            raise ApiError("ResourceNotFound", "", 404)
        self._enter(alarm, params["StateValue"], params["StateReason"], params.get("StateReasonData"), self.now())
        return {}

    def enable_alarm_actions(self, params: Params) -> Params:
        """Let alarms act."""
        return self._switch(params, on=True)

    def disable_alarm_actions(self, params: Params) -> Params:
        """Keep alarms from acting; they still change their state."""
        return self._switch(params, on=False)

    def _switch(self, params: Params, *, on: bool) -> Params:
        require(params, "AlarmNames")
        for name in params["AlarmNames"]:
            if name in self.state.alarms:
                self.state.alarms[name].actions_enabled = on
        return {}

    def tag_resource(self, params: Params) -> Params:
        """Tag an alarm."""
        require(params, "ResourceARN", "Tags")
        tags = self._tags(params) | {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        if len(tags) > MOST_TAGS:
            raise ApiError("InvalidParameterValue", f"An alarm cannot have more than {MOST_TAGS} tags.")
        self.state.tags[params["ResourceARN"]] = tags
        return {}

    def untag_resource(self, params: Params) -> Params:
        """Take tags off an alarm."""
        require(params, "ResourceARN", "TagKeys")
        tags = self._tags(params)
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, params: Params) -> Params:
        """Give an alarm's tags."""
        require(params, "ResourceARN")
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tags(params).items()]}

    def _tags(self, params: Params) -> dict[str, str]:
        tags = self.state.tags.get(params["ResourceARN"])
        if tags is None:
            raise ApiError("ResourceNotFoundException", f"Unknown resource: {params['ResourceARN']}", 404)
        return tags

    def evaluate(self, now: float, newest_end: Callable[[MetricKey], float]) -> None:
        """Let every alarm look at its metric once; ``newest_end`` says up to when it can be published."""
        for alarm in list(self.state.alarms.values()):
            samples = self.state.series.get(alarm.key, [])
            verdict = rules.evaluate(alarm.rule, rules.window(samples, alarm.rule, newest_end(alarm.key), now))
            if verdict.points:
                alarm.points = verdict.points
            if verdict.state is not None and verdict.state != alarm.state:
                data = rules.reason_data(alarm.rule, verdict, now)
                self._enter(alarm, verdict.state, verdict.reason, data, now)
            elif alarm.state == "ALARM" and _scales(alarm):
                self._act(alarm, alarm.state, now)

    def _enter(self, alarm: Alarm, state: State, reason: str, data: str | None, now: float) -> None:
        old, before = alarm.state, _told(alarm)
        alarm.state, alarm.reason, alarm.reason_data = state, reason, data
        if old == state:
            return
        alarm.state_updated_at = now
        summary = f"Alarm updated from {old} to {state}"
        self._note(alarm, "StateUpdate", summary, {"oldState": before, "newState": _told(alarm)})
        if alarm.actions_enabled:
            for action in alarm.actions[state]:
                self._note_action(alarm, action)
        self._act(alarm, old, now)

    def _act(self, alarm: Alarm, old: State, now: float) -> None:
        if alarm.actions_enabled:
            for listener in self.listeners:
                listener(alarm, old, alarm.state, now)

    def _note_action(self, alarm: Alarm, action: str) -> None:
        if self.listeners and action.startswith(AUTO_SCALING_ACTION):
            self._note(alarm, "Action", f"Successfully executed action {action}", {"actionState": "Succeeded"})
        else:
            self._note(alarm, "Action", f"Failed to execute action {action}", {"actionState": "Failed"})

    def _note(self, alarm: Alarm, kind: str, summary: str, data: Params) -> None:
        text = json.dumps({"version": "1.0", **data}, separators=(",", ":"))
        self.state.history.append(HistoryItem(self.now(), alarm.name, kind, summary, text))


def _told(alarm: Alarm) -> Params:
    """Give a state as the history tells it: the reason in words, and its data when there are any."""
    told: Params = {"stateValue": alarm.state, "stateReason": alarm.reason}
    return told if alarm.reason_data is None else told | {"stateReasonData": json.loads(alarm.reason_data)}


def _rule(params: Params) -> Rule:
    """Read what is compared with what; refuse what AWS refuses."""
    one_of(params, "ComparisonOperator", rules.COMPARISONS)
    one_of(params, "TreatMissingData", TREATMENTS)
    name = _statistic(params)
    period_s, periods = params["Period"], params["EvaluationPeriods"]
    needed = params.get("DatapointsToAlarm")
    if period_s < MINUTE_S or period_s % MINUTE_S:
        raise invalid("Period must be a multiple of 60; the local cloud has no high-resolution metrics.")
    if periods < 1:
        raise constraint(periods, "EvaluationPeriods", "Member must have value greater than or equal to 1")
    if period_s * periods > DAY_S:
        raise invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
    if needed is not None and not 1 <= needed <= periods:
        raise invalid("DatapointsToAlarm must be at least 1 and not greater than EvaluationPeriods.")
    return Rule(
        statistic=name, period_s=period_s, comparison=params["ComparisonOperator"], threshold=params["Threshold"],
        evaluation_periods=periods, datapoints_to_alarm=needed or periods, m_of_n=needed is not None,
        treat_missing=params.get("TreatMissingData", "missing"), unit=params.get("Unit"),
    )


def _statistic(params: Params) -> str:
    simple, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if (simple is None) == (extended is None):
        raise invalid("Exactly one of Statistic and ExtendedStatistic must be specified.")
    one_of(params, "Statistic", SIMPLE)
    if extended is not None and (extended in SIMPLE or not is_statistic(extended)):
        raise invalid(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    return str(simple or extended)


def _scales(alarm: Alarm) -> bool:
    return any(action.startswith(AUTO_SCALING_ACTION) for action in alarm.actions["ALARM"])


def _described(alarm: Alarm, params: Params) -> bool:
    if "MetricAlarm" not in (params.get("AlarmTypes") or ["MetricAlarm"]):
        return False
    if params.get("AlarmNames") and alarm.name not in params["AlarmNames"]:
        return False
    if not alarm.name.startswith(params.get("AlarmNamePrefix") or ""):
        return False
    prefix = params.get("ActionPrefix")
    if prefix and not any(action.startswith(prefix) for action in alarm.actions["ALARM"]):
        return False
    return params.get("StateValue") in (None, alarm.state)


def _watches(alarm: Alarm, key: MetricKey, params: Params) -> bool:
    statistic = params.get("Statistic") or params.get("ExtendedStatistic")
    return (
        alarm.key == key
        and statistic in (None, alarm.rule.statistic)
        and params.get("Period") in (None, alarm.rule.period_s)
        and params.get("Unit") in (None, alarm.rule.unit)
    )


def _recalled(item: HistoryItem, params: Params) -> bool:
    if params.get("AlarmName") not in (None, item.alarm_name):
        return False
    if params.get("HistoryItemType") not in (None, item.kind):
        return False
    after, before = params.get("StartDate"), params.get("EndDate")
    return (after is None or item.at >= after.timestamp()) and (before is None or item.at <= before.timestamp())


def _history_item(item: HistoryItem) -> Params:
    return {
        "AlarmName": item.alarm_name,
        "AlarmType": "MetricAlarm",
        "Timestamp": moment(item.at),
        "HistoryItemType": item.kind,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def describe(alarm: Alarm) -> Params:
    """Give an alarm as DescribeAlarms shows it."""
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.configured_at),
        "ActionsEnabled": alarm.actions_enabled,
        **{member: list(alarm.actions[state]) for state, member in _ACTION_MEMBERS.items()},
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        **({"StateReasonData": alarm.reason_data} if alarm.reason_data else {}),
        "StateUpdatedTimestamp": moment(alarm.state_updated_at),
        "StateTransitionedTimestamp": moment(alarm.state_updated_at),
        "MetricName": alarm.key.name,
        "Namespace": alarm.key.namespace,
        "Dimensions": dimension_list(alarm.key.dimensions),
        "Period": alarm.rule.period_s,
        "EvaluationPeriods": alarm.rule.evaluation_periods,
        "Threshold": float(alarm.rule.threshold),
        "ComparisonOperator": alarm.rule.comparison,
        **alarm.settings,
    }
