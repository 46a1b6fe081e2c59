"""Alarms as a client and an infrastructure tool see them: settings, states, reasons, history (aws-facts 2.6, 4.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.points import lab_now, minutes, publish, refusal, stat
from tests.local.cloud_under_test import Cloud, eventually

N = "Lab/Alarms"
TOPIC = "arn:aws:sns:us-east-1:000000000000:me"
SETTINGS: dict[str, Any] = {
    "MetricName": "Load", "Namespace": N, "Statistic": "Average", "Period": 60, "EvaluationPeriods": 3,
    "Threshold": 50.0, "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


def put(cloud: Cloud, name: str, **changes: Any) -> None:
    cloud.client("cloudwatch").put_metric_alarm(AlarmName=name, **{**SETTINGS, **changes})


def shown(cloud: Cloud, name: str, kind: str = "MetricAlarm") -> dict[str, Any]:
    answer = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=[kind])
    (alarm,) = answer[f"{kind}s"]
    return dict(alarm)


def in_state(cloud: Cloud, name: str, state: str, kind: str = "MetricAlarm") -> dict[str, Any]:
    """Wait until the alarm is in the state; give it."""
    return eventually(lambda: (one := shown(cloud, name, kind))["StateValue"] == state and one, f"{name} {state}")


def history(cloud: Cloud, name: str, **params: Any) -> list[dict[str, Any]]:
    answer = cloud.client("cloudwatch").describe_alarm_history(AlarmName=name, **params)
    return list(answer["AlarmHistoryItems"])


def keep(cloud: Cloud, metric: str, *values: float | None) -> datetime:
    """Publish values of the last minutes, the newest of the minute before this one; give when they begin."""
    began = lab_now(cloud).replace(second=0, microsecond=0) - timedelta(minutes=len(values))
    publish(cloud, N, metric, minutes(began, *values))
    return began


# -- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.fact("4.4/new-alarm", "4.4/alarm-defaults")
def test_a_new_alarm_has_what_it_was_given_and_aws_s_defaults(cloud: Cloud) -> None:
    """Recorded: what was not asked for is not there, lists of actions are empty."""
    put(cloud, "plain", MetricName="Never")
    alarm = shown(cloud, "plain")
    told = alarm.pop("AlarmConfigurationUpdatedTimestamp")
    assert {alarm.pop("StateUpdatedTimestamp"), alarm.pop("StateTransitionedTimestamp")} == {told}
    assert alarm == {
        "AlarmName": "plain", "AlarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:plain",
        "ActionsEnabled": True, "OKActions": [], "AlarmActions": [], "InsufficientDataActions": [],
        "StateValue": "INSUFFICIENT_DATA", "StateReason": "Unchecked: Initial alarm creation",
        "MetricName": "Never", "Namespace": N, "Statistic": "Average", "Dimensions": [], "Period": 60,
        "EvaluationPeriods": 3, "Threshold": 50.0, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip


@pytest.mark.fact("4.4/terraform-cycle")
def test_create_read_change_read_destroy(cloud: Cloud) -> None:
    """Each field read equals the field asked; nothing is left."""
    client = cloud.client("cloudwatch")
    asked = {
        "AlarmName": "cycle", "AlarmDescription": "of a tool", "ActionsEnabled": False, "OKActions": [TOPIC],
        "AlarmActions": [TOPIC], "InsufficientDataActions": [TOPIC], "MetricName": "Never", "Namespace": N,
        "ExtendedStatistic": "p99.9", "Dimensions": [{"Name": "Host", "Value": "h"}], "Period": 300, "Unit": "Count",
        "EvaluationPeriods": 5, "DatapointsToAlarm": 4, "Threshold": 1.5,
        "ComparisonOperator": "LessThanOrEqualToThreshold", "TreatMissingData": "ignore",
        "EvaluateLowSampleCountPercentile": "ignore",
    }  # fmt: skip
    client.put_metric_alarm(**asked, Tags=[{"Key": "who", "Value": "tool"}])
    alarm = shown(cloud, "cycle")
    assert {member: alarm[member] for member in asked} == asked
    arn = alarm["AlarmArn"]
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "who", "Value": "tool"}]
    changed = {**SETTINGS, "AlarmName": "cycle", "Threshold": 2.0, "TreatMissingData": "breaching"}
    client.put_metric_alarm(**changed)
    alarm = shown(cloud, "cycle")
    assert {member: alarm[member] for member in changed} == changed
    assert not {"AlarmDescription", "ExtendedStatistic", "Unit", "DatapointsToAlarm"} & set(alarm)
    client.tag_resource(ResourceARN=arn, Tags=[{"Key": "term", "Value": "2"}])
    client.untag_resource(ResourceARN=arn, TagKeys=["who"])
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "term", "Value": "2"}]
    client.delete_alarms(AlarmNames=["cycle"])
    client.delete_alarms(AlarmNames=["cycle"])
    assert client.describe_alarms(AlarmNames=["cycle"])["MetricAlarms"] == []
    assert refusal(cloud, "list_tags_for_resource", ResourceARN=arn)[0] == "ResourceNotFoundException"


BAD_SETTINGS = [
    ({"DatapointsToAlarm": 4}, "DatapointsToAlarm must be less than or equal to EvaluationPeriods"),
    ({"Period": 90}, "Period must be 10, 20, 30 or a multiple of 60"),
    ({"Period": 600, "EvaluationPeriods": 200}, "Metrics cannot be checked across more than a day (EvaluationPeriods * "
     "Period must be <= 86400)."),
    ({"Statistic": "Mean"}, "1 validation error detected: Value 'Mean' at 'statistic' failed to satisfy constraint: "
     "Member must satisfy enum value set: [SampleCount, Average, Sum, Minimum, Maximum]"),
    ({"AlarmActions": ["me"]}, "Invalid arn syntax: me"),
    ({"TreatMissingData": "perhaps"}, "1 validation error detected: Value 'perhaps' at 'treatMissingData' failed to "
     "satisfy constraint: Member must satisfy enum value set: [breaching, notBreaching, ignore, missing]"),
]  # fmt: skip


@pytest.mark.fact("4.4/alarm-refusals")
@pytest.mark.parametrize(("changes", "message"), BAD_SETTINGS)
def test_settings_that_make_no_sense_are_refused(cloud: Cloud, changes: dict[str, Any], message: str) -> None:
    refused = refusal(cloud, "put_metric_alarm", AlarmName="bad", **{**SETTINGS, **changes})
    assert refused == ("ValidationError", message, 400)


# -- metric math ------------------------------------------------------------------------------------------------

RATIO = [
    {"Id": "e1", "Expression": "errors / all * 100", "Label": "share", "ReturnData": True},
    {"Id": "errors", "MetricStat": stat(N, "Errors"), "ReturnData": False},
    {"Id": "all", "MetricStat": stat(N, "All"), "ReturnData": False},
]
OF_ONE = ("MetricName", "Namespace", "Statistic", "Period")


@pytest.mark.fact("4.4/math-alarms")
def test_an_alarm_on_metric_math(cloud: Cloud) -> None:
    client = cloud.client("cloudwatch")
    shared = {member: value for member, value in SETTINGS.items() if member not in OF_ONE}
    client.put_metric_alarm(AlarmName="ratio", **{**shared, "EvaluationPeriods": 1, "Metrics": RATIO})
    alarm = shown(cloud, "ratio")
    assert alarm["Metrics"] == RATIO and not set(OF_ONE) & set(alarm)
    keep(cloud, "All", 100, 100, 100)
    keep(cloud, "Errors", 90, 90, 90)
    alarm = in_state(cloud, "ratio", "ALARM")
    assert re.fullmatch(
        r"Threshold Crossed: 1 datapoint \[90\.0 \(../../.. ..:..:..\)\] was greater than the threshold \(50\.0\)\.",
        alarm["StateReason"],
    )
    assert "statistic" not in json.loads(alarm["StateReasonData"])
    for_metric = client.describe_alarms_for_metric(MetricName="Errors", Namespace=N)["MetricAlarms"]
    assert [one["AlarmName"] for one in for_metric] == ["ratio"]


MANY = "Metrics expression that return multi time series are only allowed for MetricsInsights expression with an ORDER "
WRONG_METRICS = [
    ([{**RATIO[0], "ReturnData": False}, *RATIO[1:]], "Exactly one element of the metrics list should return data."),
    ([RATIO[0], {**RATIO[1], "ReturnData": True}, RATIO[2]],
     "Exactly one element of the metrics list should return data."),
    ([{**RATIO[0], "Expression": "METRICS() * 2"}, *RATIO[1:]], f"{MANY}BY clause"),
    ([{**RATIO[0], "Expression": "FOO(all)"}, *RATIO[1:]], "Error in expression 'e1': Function 'FOO' not found"),
    ([{**RATIO[0], "Expression": "SEARCH('{Lab/Alarms} x', 'Sum', 60)"}, *RATIO[1:]],
     "SEARCH is not supported on Metric Alarms: SEARCH('{Lab/Alarms} x', 'Sum', 60)"),
]  # fmt: skip


@pytest.mark.fact("4.4/alarm-refusals")
@pytest.mark.parametrize(("metrics", "message"), WRONG_METRICS)
def test_metric_math_that_is_no_single_series_is_refused(
    cloud: Cloud, metrics: list[dict[str, Any]], message: str
) -> None:
    shared = {member: value for member, value in SETTINGS.items() if member not in OF_ONE}
    refused = refusal(cloud, "put_metric_alarm", AlarmName="bad", Metrics=metrics, **shared)
    assert refused == ("ValidationError", message, 400)


# -- states -----------------------------------------------------------------------------------------------------

REASON_OF_THREE = (
    r"Threshold Crossed: 3 datapoints \[90\.0 \({0}\), 80\.0 \({0}\), 70\.0 \({0}\)\] were greater than the threshold "
    r"\(50\.0\)\."
).replace("{0}", r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d")


@pytest.mark.fact("4.4/reason", "4.4/reason-date", "4.4/reason-data", "4.4/history", "4.4/action-history")
def test_a_crossed_threshold_is_told_in_words_in_data_and_in_the_history(cloud: Cloud) -> None:
    began = keep(cloud, "Crossed", 70, 80, 90)
    put(cloud, "crossed", MetricName="Crossed", AlarmActions=[TOPIC])
    alarm = in_state(cloud, "crossed", "ALARM")
    assert re.fullmatch(REASON_OF_THREE, alarm["StateReason"])
    newest = began + timedelta(minutes=2)
    assert newest.strftime("[90.0 (%d/%m/%y %H:%M:%S)") in alarm["StateReason"]
    data = json.loads(alarm["StateReasonData"])
    stamps = [(began + timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%S.000+0000") for n in range(3)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", data.pop("queryDate"))
    assert data == {
        "version": "1.0", "startDate": stamps[0], "statistic": "Average", "period": 60,
        "recentDatapoints": [70.0, 80.0, 90.0], "threshold": 50.0,
        "evaluatedDatapoints": [
            {"timestamp": stamp, "sampleCount": 1.0, "value": value}
            for stamp, value in zip(reversed(stamps), (90.0, 80.0, 70.0), strict=True)
        ],
    }  # fmt: skip
    created, changed, acted = history(cloud, "crossed", ScanBy="TimestampAscending")[:3]
    assert created["HistorySummary"] == 'Alarm "crossed" created'
    told = json.loads(created["HistoryData"])
    assert (told["version"], told["type"]) == ("1.0", "Create")
    assert list(told["createdAlarm"]) == [
        "alarmName", "alarmArn", "alarmConfigurationUpdatedTimestamp", "namespace", "metricName", "statistic",
        "period", "dimensions", "threshold", "comparisonOperator", "evaluationPeriods", "stateValue",
        "stateUpdatedTimestamp", "actionsEnabled", "alarmActions", "insufficientDataActions", "okactions",
    ]  # fmt: skip
    assert changed["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    told = json.loads(changed["HistoryData"])
    assert told["oldState"] == {"stateValue": "INSUFFICIENT_DATA", "stateReason": "Unchecked: Initial alarm creation"}
    assert told["newState"]["stateReason"] == alarm["StateReason"]
    assert told["newState"]["stateReasonData"] == json.loads(alarm["StateReasonData"])
    assert (acted["HistoryItemType"], acted["HistorySummary"]) == ("Action", f"Failed to execute action {TOPIC}")


@pytest.mark.fact("4.4/missing-treated", "2.6/missing-data")
def test_missing_data_is_treated_four_ways(cloud: Cloud) -> None:
    """Of a metric that nobody publishes, after each alarm was set to OK by hand."""
    client = cloud.client("cloudwatch")
    for treatment in ("missing", "ignore", "breaching", "notBreaching"):
        put(cloud, f"t-{treatment}", MetricName="Silent", TreatMissingData=treatment, EvaluationPeriods=2, Unit="Count")
        client.set_alarm_state(AlarmName=f"t-{treatment}", StateValue="OK", StateReason="by hand")
    alarm = in_state(cloud, "t-missing", "INSUFFICIENT_DATA")
    assert alarm["StateReason"] == "Insufficient Data: 2 datapoints were unknown."
    alarm = in_state(cloud, "t-breaching", "ALARM")
    assert alarm["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
        "[Breaching]."
    )
    data = json.loads(alarm["StateReasonData"])
    assert (data["unit"], data["recentDatapoints"], "startDate" in data) == ("Count", [], False)
    assert [sorted(point) for point in data["evaluatedDatapoints"]] == [["timestamp"], ["timestamp"]]
    assert shown(cloud, "t-ignore")["StateReason"] == "by hand"
    assert shown(cloud, "t-notBreaching")["StateValue"] == "OK"
    client.set_alarm_state(AlarmName="t-notBreaching", StateValue="ALARM", StateReason="by hand")
    alarm = in_state(cloud, "t-notBreaching", "OK")
    assert alarm["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
        "[NonBreaching]."
    )


@pytest.mark.fact("2.6/premature-alarm", "2.6/evaluation-range")
def test_one_breaching_point_among_missing_ones_alarms_when_it_is_old_enough(cloud: Cloud) -> None:
    """3 of 3, missing treated as missing: ``- - - - X`` waits, ``- - X - -`` alarms, and out of range it is unknown."""
    client = cloud.client("cloudwatch")
    put(cloud, "early", MetricName="Once")
    at = keep(cloud, "Once", 90)
    client.set_alarm_state(AlarmName="early", StateValue="OK", StateReason="by hand")
    first, second = eventually(
        lambda: (found := history(cloud, "early", HistoryItemType="StateUpdate", ScanBy="TimestampAscending")[1:])
        and len(found) >= 2 and found
    )[:2]  # fmt: skip
    assert first["HistorySummary"] == "Alarm updated from OK to ALARM"
    assert second["HistorySummary"] == "Alarm updated from ALARM to INSUFFICIENT_DATA"
    age = (first["Timestamp"] - at).total_seconds()
    assert age >= 3 * 60
    assert second["Timestamp"] > first["Timestamp"]
    told = json.loads(first["HistoryData"])["newState"]
    assert told["stateReason"].startswith("Threshold Crossed: 1 datapoint [90.0 (")


@pytest.mark.fact("4.4/m-of-n")
def test_two_of_three(cloud: Cloud) -> None:
    keep(cloud, "Two", 90, 10, 90)
    put(cloud, "two", MetricName="Two", DatapointsToAlarm=2)
    reason = in_state(cloud, "two", "ALARM")["StateReason"]
    assert reason.startswith("Threshold Crossed: 2 out of the last 3 datapoints [90.0 (")
    assert reason.endswith("(minimum 2 datapoints for OK -> ALARM transition).")


def test_an_alarm_of_ten_seconds_looks_every_ten_seconds(cloud: Cloud) -> None:
    put(cloud, "fine", MetricName="Fine", Period=10, EvaluationPeriods=1)
    at = lab_now(cloud)
    publish(cloud, N, "Fine", {at + timedelta(seconds=n): 90.0 for n in range(0, 300, 5)}, StorageResolution=1)
    alarm = in_state(cloud, "fine", "ALARM")
    assert alarm["Period"] == 10
    assert (alarm["StateUpdatedTimestamp"] - at).total_seconds() < 300


@pytest.mark.fact("3.7/54", "4.4/set-alarm-state")
def test_a_state_set_by_hand(cloud: Cloud, aws: Aws) -> None:
    asked = {"StateReason": "a drill", "StateValue": "OK"}
    assert refusal(cloud, "set_alarm_state", AlarmName="nobody", **asked) == ("ResourceNotFound", "", 404)
    put(cloud, "drill", MetricName="Drill", TreatMissingData="ignore", OKActions=[TOPIC])
    refused = aws.refused("cloudwatch", "set-alarm-state", "--alarm-name", "drill", "--state-value", "INVALID",
                          "--state-reason", "a drill")  # fmt: skip
    assert refused.endswith(
        "An error occurred (ValidationError) when calling the SetAlarmState operation: 1 validation error detected: "
        "Value 'INVALID' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: "
        "[INSUFFICIENT_DATA, ALARM, OK]"
    )
    client = cloud.client("cloudwatch")
    client.set_alarm_state(AlarmName="drill", **asked, StateReasonData='{"why":"test"}')
    alarm = shown(cloud, "drill")
    assert (alarm["StateValue"], alarm["StateReason"], alarm["StateReasonData"]) == (
        "OK", "a drill", '{"why":"test"}',
    )  # fmt: skip
    assert refusal(cloud, "set_alarm_state", AlarmName="drill", **asked, StateReasonData="{")[0] == "InvalidFormat"


def test_disabled_actions_do_not_run(cloud: Cloud) -> None:
    client = cloud.client("cloudwatch")
    put(cloud, "mute", MetricName="Mute", TreatMissingData="ignore", AlarmActions=[TOPIC])
    client.disable_alarm_actions(AlarmNames=["mute", "nobody"])
    client.set_alarm_state(AlarmName="mute", StateValue="ALARM", StateReason="quietly")
    assert shown(cloud, "mute")["ActionsEnabled"] is False
    assert history(cloud, "mute", HistoryItemType="Action") == []
    client.set_alarm_state(AlarmName="mute", StateValue="OK", StateReason="again")
    client.enable_alarm_actions(AlarmNames=["mute"])
    client.set_alarm_state(AlarmName="mute", StateValue="ALARM", StateReason="loudly")
    assert shown(cloud, "mute")["ActionsEnabled"] is True
    assert len(history(cloud, "mute", HistoryItemType="Action")) == 1


# -- lists ------------------------------------------------------------------------------------------------------


def test_alarms_are_found_by_name_prefix_state_and_action_in_pages(cloud: Cloud) -> None:
    client = cloud.client("cloudwatch")
    for n in range(3):
        put(cloud, f"list-{n}", MetricName="Listed", AlarmActions=[TOPIC] if n else [], TreatMissingData="ignore")
    client.set_alarm_state(AlarmName="list-1", StateValue="ALARM", StateReason="for the list")

    def names(**params: Any) -> list[str]:
        found = client.describe_alarms(AlarmNamePrefix="list-", **params)
        return [one["AlarmName"] for one in found["MetricAlarms"]]

    assert names() == ["list-0", "list-1", "list-2"]
    assert names(StateValue="ALARM") == ["list-1"]
    assert names(ActionPrefix="arn:aws:sns") == ["list-1", "list-2"]
    pages = list(client.get_paginator("describe_alarms").paginate(AlarmNamePrefix="list-",
                                                                  PaginationConfig={"PageSize": 2}))  # fmt: skip
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 1]
    assert refusal(cloud, "describe_alarms", AlarmNames=["a"], AlarmNamePrefix="b")[0] == "ValidationError"
    assert refusal(cloud, "describe_alarms", NextToken="x")[0] == "InvalidNextToken"
    assert refusal(cloud, "describe_alarms", MaxRecords=101)[1].endswith(
        "Member must have value less than or equal to 100"
    )
    for_metric = client.describe_alarms_for_metric(MetricName="Listed", Namespace=N, Statistic="Average", Period=60)
    assert len(for_metric["MetricAlarms"]) == 3


def test_history_is_filtered_by_type_and_time_and_comes_in_pages(cloud: Cloud) -> None:
    client = cloud.client("cloudwatch")
    put(cloud, "past", MetricName="Past", TreatMissingData="ignore")
    for state in ("OK", "ALARM", "OK"):
        client.set_alarm_state(AlarmName="past", StateValue=state, StateReason="past")
    client.delete_alarms(AlarmNames=["past"])
    summaries = [one["HistorySummary"] for one in history(cloud, "past")]
    assert summaries == [
        'Alarm "past" deleted', "Alarm updated from ALARM to OK", "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK", 'Alarm "past" created',
    ]  # fmt: skip
    assert len(history(cloud, "past", HistoryItemType="StateUpdate")) == 3
    assert history(cloud, "past", EndDate=datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert len(history(cloud, "past", StartDate=datetime(2020, 1, 1, tzinfo=UTC))) == 5
    pages = client.get_paginator("describe_alarm_history").paginate(AlarmName="past", PaginationConfig={"PageSize": 2})
    assert [len(page["AlarmHistoryItems"]) for page in pages] == [2, 2, 1]
    assert history(cloud, "past")[0]["AlarmType"] == "MetricAlarm"


# -- composite alarms -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def children(cloud: Cloud) -> Iterator[tuple[str, str]]:
    for name in ("child-a", "child b"):
        put(cloud, name, MetricName="Child", TreatMissingData="ignore")
        cloud.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="OK", StateReason="to begin with")
    yield "child-a", "child b"


@pytest.mark.fact("4.4/composite")
def test_a_composite_alarm_follows_others(cloud: Cloud, children: tuple[str, str]) -> None:
    client = cloud.client("cloudwatch")
    rule = 'ALARM(child-a) AND NOT (ALARM("child b") OR INSUFFICIENT_DATA("child b"))'
    client.put_composite_alarm(AlarmName="whole", AlarmRule=rule, AlarmActions=[TOPIC], AlarmDescription="both")
    alarm = in_state(cloud, "whole", "OK", "CompositeAlarm")
    assert (alarm["AlarmRule"], alarm["AlarmDescription"], alarm["AlarmActions"], alarm["ActionsEnabled"]) == (
        rule, "both", [TOPIC], True,
    )  # fmt: skip
    client.set_alarm_state(AlarmName="child-a", StateValue="ALARM", StateReason="a drill")
    alarm = in_state(cloud, "whole", "ALARM", "CompositeAlarm")
    child = shown(cloud, "child-a")
    since = child["StateTransitionedTimestamp"]
    assert alarm["StateReason"] == (
        f"{child['AlarmArn']} transitioned to ALARM at {since:%A %d %B, %Y %H:%M:%S} UTC"
    )
    (triggering,) = json.loads(alarm["StateReasonData"])["triggeringAlarms"]
    assert (triggering["arn"], triggering["state"]["value"]) == (child["AlarmArn"], "ALARM")
    assert client.describe_alarms(AlarmNames=["whole"])["CompositeAlarms"] == []  # its type must be asked for
    kids = client.describe_alarms(ChildrenOfAlarmName="whole")["MetricAlarms"]
    assert [one["AlarmName"] for one in kids] == ["child b", "child-a"]
    parents = client.describe_alarms(ParentsOfAlarmName="child-a")["CompositeAlarms"]
    assert [one["AlarmName"] for one in parents] == ["whole"]
    assert refusal(cloud, "delete_alarms", AlarmNames=["child-a"]) == (
        "ValidationError", "Cannot delete child-a as there are composite alarm(s) depending on it.", 400,
    )  # fmt: skip
    told = history(cloud, "whole", AlarmTypes=["CompositeAlarm"], ScanBy="TimestampAscending")
    assert [one["HistorySummary"] for one in told][:2] == [
        'Alarm "whole" created', "Alarm updated from INSUFFICIENT_DATA to OK",
    ]  # fmt: skip
    client.delete_alarms(AlarmNames=["whole"])


BAD_RULES = [
    ("ALARM(gone) OR ALARM(child-a)",
     "Could not save the composite alarm as alarms [gone] in the alarm rule do not exist"),
    ("()", "Error in AlarmRule [Unsupported token ')' at char 1, must be: '(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, "
     "OK, or INSUFFICIENT_DATA]"),
    (" ALARM(child-a)", "AlarmRule must not contain leading or trailing whitespace or be null"),
]  # fmt: skip


@pytest.mark.fact("4.4/composite-refusals")
@pytest.mark.parametrize(("rule", "message"), BAD_RULES)
def test_a_rule_that_cannot_be_read_is_refused(
    cloud: Cloud, children: tuple[str, str], rule: str, message: str
) -> None:
    refused = refusal(cloud, "put_composite_alarm", AlarmName="bad", AlarmRule=rule)
    assert refused == ("ValidationError", message, 400)
