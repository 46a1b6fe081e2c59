"""Composite alarms: alarms on other alarms' states (CloudWatch's "Create a composite alarm").

A composite alarm is in ALARM while its rule holds, else in OK. It starts in INSUFFICIENT_DATA and is evaluated at once
and whenever an alarm that it watches has changed its state; ``StateReason`` names that one. Alarms of a rule must be
there when it is put. Left out, and refused by name: an actions suppressor.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from mglab.localcloud.api import cloudwatch_history as history
from mglab.localcloud.api.cloudwatch_alarm_settings import check_common
from mglab.localcloud.api.cloudwatch_alarms import AlarmPage, actions_of
from mglab.localcloud.api.cloudwatch_forms import constraint, invalid, refuse_members, require
from mglab.localcloud.api.cloudwatch_state import AnyAlarm, CompositeAlarm, Params
from mglab.localcloud.rules import alarmrule
from mglab.localcloud.rules.alarms import State

MOST_CHILDREN = 100


class CompositePage:
    """Answers the operation on composite alarms, and evaluates them."""

    def __init__(self, alarms: AlarmPage) -> None:
        self.alarms = alarms
        self.state = alarms.state
        self.now = alarms.now

    def put_composite_alarm(self, params: Params) -> Params:
        """Create a composite alarm, or replace the settings of one."""
        require(params, "AlarmName", "AlarmRule")
        check_common(params)
        refuse_members(params, "ActionsSuppressor", "ActionConfiguration")
        self._check_rule(params["AlarmName"], params["AlarmRule"])
        alarm = self._alarm(params)
        known = self.state.composites.get(alarm.name)
        if known is not None:
            alarm = replace(
                alarm, state=known.state, reason=known.reason, reason_data=known.reason_data, why="updated",
                state_updated_at=known.state_updated_at, transitioned_at=known.transitioned_at,
            )  # fmt: skip
        self.state.composites[alarm.name] = alarm
        if known is None:
            self.state.tags[alarm.arn] = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        history.configured(self.state, self.now(), alarm, "Update" if known else "Create")
        return {}

    def _check_rule(self, name: str, text: str) -> None:
        if len(text) > alarmrule.MOST_CHARACTERS:
            most = f"Member must have length less than or equal to {alarmrule.MOST_CHARACTERS}"
            raise constraint(text, "AlarmRule", most)
        try:
            children = alarmrule.alarms(alarmrule.parse(text))
        except alarmrule.RuleError as wrong:
            raise invalid(str(wrong)) from None
        if name in self.state.alarms:
            raise invalid(f"{name} is the name of a metric alarm.")
        if len(children) > MOST_CHILDREN:
            raise invalid(f"The alarm rule can refer to at most {MOST_CHILDREN} alarms.")
        unknown = [child for child in children if self.alarms.find(child) is None]
        if unknown:
            told = ", ".join(unknown)
            raise invalid(f"Could not save the composite alarm as alarms [{told}] in the alarm rule do not exist")

    def _alarm(self, params: Params) -> CompositeAlarm:
        now = self.now()
        described = {"AlarmDescription": params["AlarmDescription"]} if "AlarmDescription" in params else {}
        return CompositeAlarm(
            name=params["AlarmName"],
            arn=self.alarms.arn_prefix + params["AlarmName"],
            text=params["AlarmRule"],
            settings=described,
            actions=actions_of(params),
            actions_enabled=params.get("ActionsEnabled", True),
            configured_at=now,
            state_updated_at=now,
            transitioned_at=now,
        )

    def evaluate(self, now: float) -> None:
        """Let every composite alarm look at the others, until nothing changes (or they go in a circle)."""
        for _ in range(len(self.state.composites)):
            changed = [self._look(alarm, now) for alarm in list(self.state.composites.values())]
            if not any(changed):
                return

    def _look(self, alarm: CompositeAlarm, now: float) -> bool:
        why, alarm.why = alarm.why, ""
        holds = alarmrule.holds(alarmrule.parse(alarm.text), self._state_of)
        state: State = "ALARM" if holds else "OK"
        if state == alarm.state:
            return False
        children = [one for one in map(self.alarms.find, self.alarms.watched(alarm)) if one is not None]
        latest = max(children, key=lambda one: one.transitioned_at, default=None)
        reason = f"{alarm.arn} was {why or 'updated'} and its alarm rule evaluates to {state}"
        if latest is not None and not why:
            reason = f"{latest.arn} transitioned to {latest.state} at {_spelt(latest.transitioned_at)}"
        told = children if why else [latest] if latest is not None else []
        self.alarms.enter(alarm, state, reason, _reason_data(told), now)
        return True

    def _state_of(self, name: str) -> str:
        found = self.alarms.find(name)
        return found.state if found is not None else ""


def _reason_data(triggering: list[AnyAlarm]) -> str:
    rows = [
        {"arn": one.arn, "state": {"value": one.state, "timestamp": history.stamp(one.transitioned_at)}}
        for one in triggering
    ]
    return json.dumps({"triggeringAlarms": rows}, separators=(",", ":"))


def _spelt(at: float) -> str:
    """Write a moment as a composite alarm's reason does: Sunday 30 October, 2022 20:47:35 UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%A} {moment.day:02d} {moment:%B, %Y %H:%M:%S} UTC"
