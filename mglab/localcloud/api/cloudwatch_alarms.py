"""The alarms half of CloudWatch: what an alarm is told, what it says, and when its actions are due.

A new alarm is in INSUFFICIENT_DATA; putting one again keeps its state and replaces all else. SetAlarmState
lasts until the next evaluation (aws-facts 4.4). When an alarm changes its state, those who act on it are
told; who scales a group is told again each minute for as long as the alarm stays in ALARM (aws-facts 2.6).
An alarm with a period of less than a minute looks every ten seconds, any other once a minute.

Left out: alarms on anomaly bands; SNS, EC2 and Lambda actions are kept and shown but reach nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from mglab.localcloud.api import cloudwatch_history as history
from mglab.localcloud.api.cloudwatch_alarm_settings import ACTION_MEMBERS, check_common, rule
from mglab.localcloud.api.cloudwatch_data import Reader
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, moment, one_of, page, require
from mglab.localcloud.api.cloudwatch_queries import world
from mglab.localcloud.api.cloudwatch_state import (
    Alarm,
    AnyAlarm,
    CompositeAlarm,
    MetricKey,
    Params,
    dimension_list,
    requested_key,
)
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules import alarmrule
from mglab.localcloud.rules import alarms as rules
from mglab.localcloud.rules.alarms import State
from mglab.localcloud.rules.expression import ExpressionError
from mglab.localcloud.rules.metricmath import evaluate
from mglab.localcloud.rules.series import TimeSeries
from mglab.localcloud.rules.statistics import MINUTE_S

STATES: tuple[State, ...] = ("INSUFFICIENT_DATA", "ALARM", "OK")
MOST_NAMES = 100
LONGEST_REASON, LONGEST_REASON_DATA = 1023, 4000
AUTO_SCALING_ACTION = "arn:aws:autoscaling:"

OnAlarm = Callable[[Alarm, State, State, float], None]
"""Called with (alarm, old state, new state, lab time) when an alarm's actions are due."""
NewestEnd = Callable[[Alarm], float]
"""Up to when an alarm's metric can be published by now."""

_GIVEN_BACK = (
    "AlarmDescription", "Statistic", "ExtendedStatistic", "Unit", "DatapointsToAlarm", "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
)


class AlarmPage:
    """Answers the operations on alarms, and evaluates them."""

    def __init__(self, reader: Reader, arn_prefix: str) -> None:
        self.reader = reader
        self.state = reader.state
        self.now = reader.now
        self.arn_prefix = arn_prefix
        self.listeners: list[OnAlarm] = []

    def put_metric_alarm(self, params: Params) -> Params:
        """Create an alarm, or replace the settings of one."""
        require(params, "AlarmName", "EvaluationPeriods", "ComparisonOperator")
        check_common(params)
        if params["AlarmName"] in self.state.composites:
            raise invalid(f"{params['AlarmName']} is the name of a composite alarm.")
        alarm = self._alarm(params)
        known = self.state.alarms.get(alarm.name)
        if known is not None:
            alarm = replace(
                alarm, state=known.state, reason=known.reason, reason_data=known.reason_data,
                state_updated_at=known.state_updated_at, transitioned_at=known.transitioned_at, points=known.points,
            )
        self.state.alarms[alarm.name] = alarm
        if known is None:
            self.state.tags[alarm.arn] = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        history.configured(self.state, self.now(), alarm, "Update" if known else "Create")
        return {}

    def _alarm(self, params: Params) -> Alarm:
        now = self.now()
        return Alarm(
            name=params["AlarmName"],
            arn=self.arn_prefix + params["AlarmName"],
            key=None if params.get("Metrics") is not None else requested_key(params),
            metrics=tuple(params.get("Metrics") or ()),
            rule=rule(params, self.reader),
            settings={member: params[member] for member in _GIVEN_BACK if params.get(member) is not None},
            actions=actions_of(params),
            actions_enabled=params.get("ActionsEnabled", True),
            configured_at=now,
            state_updated_at=now,
            transitioned_at=now,
        )

    def describe_alarms(self, params: Params) -> Params:
        """List alarms, by name, prefix, state or action; composite ones only when their type is asked for."""
        one_of(params, "StateValue", STATES)
        names = params.get("AlarmNames") or []
        if len(names) > MOST_NAMES:
            raise constraint(names, "AlarmNames", f"Member must have length less than or equal to {MOST_NAMES}")
        if names and params.get("AlarmNamePrefix"):
            raise invalid("AlarmNames and AlarmNamePrefix cannot be specified together.")
        for position, kind in enumerate(params.get("AlarmTypes") or (), 1):
            one_of({f"AlarmTypes.{position}.member": kind}, f"AlarmTypes.{position}.member", history.ALARM_TYPES)
        if params.get("ChildrenOfAlarmName") or params.get("ParentsOfAlarmName"):
            return self._relatives(params)
        items, token = page(params, [one for one in self._all() if _described(one, params)], default=50, maximum=100)
        return _shown(items, [describe(one) for one in items]) | {"NextToken": token}

    def _relatives(self, params: Params) -> Params:
        """List the alarms that a composite one watches, or the composite ones that watch an alarm."""
        others = set(params) - {"ChildrenOfAlarmName", "ParentsOfAlarmName", "MaxRecords", "NextToken"}
        if others or {"ChildrenOfAlarmName", "ParentsOfAlarmName"} <= set(params):
            raise invalid("ChildrenOfAlarmName and ParentsOfAlarmName can only be specified alone.")
        name = params.get("ChildrenOfAlarmName") or params["ParentsOfAlarmName"]
        alarm = self.find(name)
        if alarm is None:
            raise ApiError("ResourceNotFound", "", 404)
        if "ChildrenOfAlarmName" in params:
            watched = self.watched(alarm) if isinstance(alarm, CompositeAlarm) else []
            found = [one for one in self._all() if one.name in watched]
            members = ["AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp"]
        else:
            found = [one for one in self.state.composites.values() if name in self.watched(one)]
            members = ["AlarmName", "AlarmArn"]
        items, token = page(params, found, default=50, maximum=100)
        rows = [{member: row[member] for member in members} for row in map(describe, items)]
        return _shown(items, rows) | {"NextToken": token}

    def _all(self) -> list[AnyAlarm]:
        every: Iterable[AnyAlarm] = (*self.state.composites.values(), *self.state.alarms.values())
        return sorted(every, key=lambda one: (history.kind_of(one), one.name))

    def find(self, name: str) -> AnyAlarm | None:
        """Find an alarm of any kind by name or ARN."""
        name = name.removeprefix(self.arn_prefix)
        return self.state.alarms.get(name) or self.state.composites.get(name)

    def watched(self, composite: CompositeAlarm) -> list[str]:
        """Name the alarms that a composite alarm's rule mentions."""
        return [name.removeprefix(self.arn_prefix) for name in alarmrule.alarms(alarmrule.parse(composite.text))]

    def describe_alarms_for_metric(self, params: Params) -> Params:
        """List the alarms on one metric."""
        require(params, "MetricName", "Namespace")
        key = requested_key(params)
        found = [alarm for _, alarm in sorted(self.state.alarms.items()) if _watches(alarm, key, params)]
        return {"MetricAlarms": [describe(alarm) for alarm in found]}

    def delete_alarms(self, params: Params) -> Params:
        """Delete alarms; one that is not there is no error, and the others go all the same."""
        require(params, "AlarmNames")
        names = params["AlarmNames"]
        if len(names) > MOST_NAMES:
            raise constraint(names, "AlarmNames", f"Member must have length less than or equal to {MOST_NAMES}")
        if sum(name in self.state.composites for name in names) > 1:
            raise invalid("Only one composite alarm can be deleted at a time.")
        for name in names:
            if any(name in self.watched(one) for one in self.state.composites.values() if one.name not in names):
                raise invalid(f"Cannot delete {name} as there are composite alarm(s) depending on it.")
        for name in names:
            alarm = self.state.composites.pop(name, None) or self.state.alarms.pop(name, None)
            if alarm is not None:
                self.state.tags.pop(alarm.arn, None)
                history.configured(self.state, self.now(), alarm, "Delete")
        return {}

    def set_alarm_state(self, params: Params) -> Params:
        """Put an alarm into a state by hand, until it is next evaluated."""
        require(params, "AlarmName", "StateValue", "StateReason")
        one_of(params, "StateValue", STATES)
        if len(params["StateReason"]) > LONGEST_REASON:
            most = f"Member must have length less than or equal to {LONGEST_REASON}"
            raise constraint(params["StateReason"], "StateReason", most)
        _check_reason_data(params.get("StateReasonData"))
        alarm = self.find(params["AlarmName"])
        if alarm is None:
            raise ApiError("ResourceNotFound", "", 404)
        self.enter(alarm, params["StateValue"], params["StateReason"], params.get("StateReasonData"), self.now())
        return {}

    def enable_alarm_actions(self, params: Params) -> Params:
        """Let alarms act."""
        return self._switch(params, on=True)

    def disable_alarm_actions(self, params: Params) -> Params:
        """Keep alarms from acting; they still change their state."""
        return self._switch(params, on=False)

    def _switch(self, params: Params, *, on: bool) -> Params:
        require(params, "AlarmNames")
        for alarm in map(self.find, params["AlarmNames"]):
            if alarm is not None and alarm.actions_enabled != on:
                alarm.actions_enabled = on
                alarm.configured_at = self.now()
                history.configured(self.state, self.now(), alarm, "Update")
        return {}

    def evaluate(self, now: float, newest_end: NewestEnd, *, high_resolution: bool = False) -> None:
        """Let every alarm (of a high resolution, or of none) look at its metric once."""
        for alarm in list(self.state.alarms.values()):
            if (alarm.rule.period_s < MINUTE_S) == high_resolution:
                self._look(alarm, now, newest_end(alarm))

    def _look(self, alarm: Alarm, now: float, newest_end: float) -> None:
        verdict = rules.evaluate(alarm.rule, self._window(alarm, now, newest_end))
        if verdict.points:
            alarm.points = verdict.points
        if verdict.state is not None and verdict.state != alarm.state:
            data = rules.reason_data(alarm.rule, verdict, now, newest_end)
            self.enter(alarm, verdict.state, verdict.reason, data, now)
        elif alarm.state == "ALARM" and _scales(alarm):
            self._act(alarm, alarm.state, now)

    def _window(self, alarm: Alarm, now: float, newest_end: float) -> rules.Window:
        if alarm.key is not None:
            return rules.window(self.state.series.get(alarm.key, []), alarm.rule, newest_end, now)
        start, end = rules.evaluation_range(alarm.rule, newest_end)
        name = next(query["Id"] for query in alarm.metrics if query.get("ReturnData", True))
        known = world(self.reader, alarm.metrics, start, end)
        try:
            found = known.metrics[name] if name in known.metrics else evaluate(known, name)
        except ExpressionError:
            found = ()
        points = found.points if isinstance(found, TimeSeries) else {}
        return rules.window_of(points, alarm.rule, newest_end)

    def enter(self, alarm: AnyAlarm, state: State, reason: str, data: str | None, now: float) -> None:
        """Bring an alarm into a state, note it, and let its actions run."""
        old, before = alarm.state, history.told(alarm)
        alarm.state, alarm.reason, alarm.reason_data = state, reason, data
        alarm.state_updated_at = now
        if old == state:
            return
        alarm.transitioned_at = now
        history.changed(self.state, now, alarm, before)
        if alarm.actions_enabled:
            for action in alarm.actions[state]:
                reached = bool(self.listeners) and action.startswith(AUTO_SCALING_ACTION)
                history.acted(self.state, now, alarm, action, reached=reached)
        if isinstance(alarm, Alarm):
            self._act(alarm, old, now)

    def _act(self, alarm: Alarm, old: State, now: float) -> None:
        if alarm.actions_enabled:
            for listener in self.listeners:
                listener(alarm, old, alarm.state, now)


def actions_of(params: Params) -> dict[State, tuple[str, ...]]:
    """Read the actions of each state."""
    return {state: tuple(params.get(member) or ()) for state, member in ACTION_MEMBERS.items()}


def _check_reason_data(text: str | None) -> None:
    if text is None:
        return
    if len(text) > LONGEST_REASON_DATA:
        most = f"Member must have length less than or equal to {LONGEST_REASON_DATA}"
        raise constraint(text, "StateReasonData", most)
    try:
        json.loads(text)
    except ValueError:
        raise ApiError("InvalidFormat", "StateReasonData is not valid JSON") from None


def _scales(alarm: Alarm) -> bool:
    return any(action.startswith(AUTO_SCALING_ACTION) for action in alarm.actions["ALARM"])


def _described(alarm: AnyAlarm, params: Params) -> bool:
    if history.kind_of(alarm) not in (params.get("AlarmTypes") or ["MetricAlarm"]):
        return False
    if params.get("AlarmNames") and alarm.name not in params["AlarmNames"]:
        return False
    if not alarm.name.startswith(params.get("AlarmNamePrefix") or ""):
        return False
    prefix = params.get("ActionPrefix")
    if prefix and not any(action.startswith(prefix) for actions in alarm.actions.values() for action in actions):
        return False
    return params.get("StateValue") in (None, alarm.state)


def _watches(alarm: Alarm, key: MetricKey, params: Params) -> bool:
    statistic = params.get("Statistic") or params.get("ExtendedStatistic")
    return (
        (alarm.key == key or any(requested_key(metric) == key for metric in _metrics_of(alarm.metrics)))
        and statistic in (None, alarm.rule.statistic)
        and params.get("Period") in (None, alarm.rule.period_s)
        and params.get("Unit") in (None, alarm.rule.unit)
    )


def _metrics_of(queries: Sequence[Params]) -> list[Params]:
    return [query["MetricStat"]["Metric"] for query in queries if query.get("MetricStat")]


def _shown(alarms: Sequence[AnyAlarm], rows: Sequence[Params]) -> Params:
    pairs = list(zip(alarms, rows, strict=True))
    return {
        "CompositeAlarms": [row for alarm, row in pairs if isinstance(alarm, CompositeAlarm)],
        "MetricAlarms": [row for alarm, row in pairs if isinstance(alarm, Alarm)],
    }


def describe(alarm: AnyAlarm) -> Params:
    """Give an alarm as DescribeAlarms shows it."""
    own = _of_metric(alarm) if isinstance(alarm, Alarm) else {"AlarmRule": getattr(alarm, "text", "")}
    return {
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.configured_at),
        "ActionsEnabled": alarm.actions_enabled,
        **{member: list(alarm.actions[state]) for state, member in ACTION_MEMBERS.items()},
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        **({"StateReasonData": alarm.reason_data} if alarm.reason_data else {}),
        "StateUpdatedTimestamp": moment(alarm.state_updated_at),
        "StateTransitionedTimestamp": moment(alarm.transitioned_at),
        **own,
        **alarm.settings,
    }


def _of_metric(alarm: Alarm) -> Params:
    watched: Params = {"Dimensions": [], "Metrics": [_query(query) for query in alarm.metrics]}
    if alarm.key is not None:
        watched = {
            "MetricName": alarm.key.name,
            "Namespace": alarm.key.namespace,
            "Dimensions": dimension_list(alarm.key.dimensions),
            "Period": alarm.rule.period_s,
        }
    return {
        **watched,
        "EvaluationPeriods": alarm.rule.evaluation_periods,
        "Threshold": float(alarm.rule.threshold),
        "ComparisonOperator": alarm.rule.comparison,
    }


def _query(query: Params) -> Params:
    """Give a query back with the default that AWS adds."""
    return {**query, "ReturnData": query.get("ReturnData", True)}
