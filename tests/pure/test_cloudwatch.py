"""CloudWatch as a client sees it: points in, statistics and alarms out. Every answer fits botocore's model."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from mglab.localcloud.api.cloudwatch import CloudWatch
from mglab.localcloud.api.cloudwatch_state import Alarm
from mglab.localcloud.api.faults import ApiError

MODEL = botocore.session.get_session().get_service_model("cloudwatch")
NOON = datetime(2023, 9, 16, 12, 0, tzinfo=UTC)
ACCOUNT, REGION = "000000000000", "us-east-1"
PER_GROUP = {"LoadBalancer": "net/MGLB/50dc6c495c0c9188", "TargetGroup": "targetgroup/MGTG/bc50515f73c24771"}


class Time:
    """A clock that tests move by hand."""

    def __init__(self) -> None:
        self.at = NOON.timestamp()

    def __call__(self) -> float:
        return self.at


class Cloud:
    """A CloudWatch with a clock, and a record of whom it called."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.time = Time()
        self.service = CloudWatch(self.time, ACCOUNT, REGION, publication_delay_s=delay_s)
        self.calls: list[tuple[str, str, str]] = []
        self.service.on_alarm(self._called)

    def _called(self, alarm: Alarm, old: str, new: str, at: float) -> None:
        self.calls.append((alarm.name, old, new))

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call an operation; its answer must fit botocore's model."""
        name = xform_name(operation)
        handler = next(getattr(page, name) for page in self.service.pages if hasattr(page, name))
        answer = {key: value for key, value in handler(params).items() if value is not None}
        shape = MODEL.operation_model(operation).output_shape
        if shape is not None:
            report = ParamValidator().validate(answer, shape)
            assert not report.has_errors(), report.generate_report()
        else:
            assert answer == {}
        return answer

    def minutes(self, *values: float | None, metric: str = "CPUUtilization", namespace: str = "AWS/EC2") -> list[str]:
        """Let a minute pass per value, each published at the end of its minute; give the alarm's state after each."""
        states: list[str] = []
        for value in values:
            start = self.time.at
            self.time.at += 60
            if value is not None:
                self.service.record(namespace, metric, {"AutoScalingGroupName": "MGAS"}, value, "Percent", start)
            self.service.tick(self.time.at)
            states += [alarm.state for alarm in self.service.state.alarms.values()]
        return states


def query(stat: str = "Sum", metric: str = "NewFlowCount", name: str = "q1", **dimensions: str) -> dict[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    which = {"Namespace": "AWS/NetworkELB", "MetricName": metric, "Dimensions": pairs}
    return {"Id": name, "MetricStat": {"Metric": which, "Period": 60, "Stat": stat}}


def flows(cloud: Cloud, *values: float, **dimensions: str) -> None:
    for i, value in enumerate(values):
        at = NOON.timestamp() + 60 * i
        cloud.service.record("AWS/NetworkELB", "NewFlowCount", dimensions or PER_GROUP, value, "Count", at)
    cloud.time.at = NOON.timestamp() + 60 * len(values)


def ask(cloud: Cloud, *queries: dict[str, Any], start: datetime = NOON, **more: Any) -> list[dict[str, Any]]:
    answer = cloud("GetMetricData", MetricDataQueries=list(queries), StartTime=start,
                   EndTime=start + timedelta(hours=1), **more)
    return list(answer["MetricDataResults"])


def test_points_come_newest_first() -> None:
    cloud = Cloud()
    flows(cloud, 1.0, 2.0, 3.0)
    (result,) = ask(cloud, query(**PER_GROUP))
    assert result["Values"] == [3.0, 2.0, 1.0] and result["Label"] == "NewFlowCount"
    assert result["Timestamps"][0] == NOON + timedelta(minutes=2)
    (result,) = ask(cloud, query(**PER_GROUP), ScanBy="TimestampAscending")
    assert result["Values"] == [1.0, 2.0, 3.0]


def test_the_start_is_rounded_down_to_the_minute_and_the_end_is_excluded() -> None:
    cloud = Cloud()
    flows(cloud, 1.0, 2.0, 3.0)
    assert ask(cloud, query(**PER_GROUP), start=NOON + timedelta(seconds=59))[0]["Values"] == [3.0, 2.0, 1.0]
    answer = cloud("GetMetricData", MetricDataQueries=[query(**PER_GROUP)], StartTime=NOON,
                   EndTime=NOON + timedelta(minutes=2))
    assert answer["MetricDataResults"][0]["Values"] == [2.0, 1.0]


def test_an_unpublished_combination_of_dimensions_answers_nothing() -> None:
    """aws-facts 4.1: HealthyHostCount is never there for the load balancer alone."""
    cloud = Cloud()
    flows(cloud, 1.0)
    (result,) = ask(cloud, query(LoadBalancer=PER_GROUP["LoadBalancer"]))
    assert result["Values"] == [] and result["StatusCode"] == "Complete"


@pytest.mark.fact("4.4/publication-delay")
def test_points_are_published_late() -> None:
    cloud = Cloud(delay_s=90)
    flows(cloud, 1.0, 2.0, 3.0)  # it is 12:03 now
    assert ask(cloud, query(**PER_GROUP))[0]["Values"] == [1.0]
    cloud.time.at += 90
    assert ask(cloud, query(**PER_GROUP))[0]["Values"] == [3.0, 2.0, 1.0]


def test_points_come_in_pages() -> None:
    cloud = Cloud()
    flows(cloud, 1.0, 2.0, 3.0)
    span = {"StartTime": NOON, "EndTime": NOON + timedelta(hours=1), "MetricDataQueries": [query(**PER_GROUP)]}
    first = cloud("GetMetricData", MaxDatapoints=2, **span)
    second = cloud("GetMetricData", MaxDatapoints=2, NextToken=first["NextToken"], **span)
    assert [r["Values"] for r in (*first["MetricDataResults"], *second["MetricDataResults"])] == [[3.0, 2.0], [1.0]]
    assert "NextToken" not in second


def test_several_statistics_of_a_metric_are_told_apart_by_their_labels() -> None:
    cloud = Cloud()
    flows(cloud, 5.0)
    results = ask(cloud, query("Sum", name="q1", **PER_GROUP), query("p90", name="q2", **PER_GROUP))
    assert [result["Label"] for result in results] == ["NewFlowCount Sum", "NewFlowCount p90"]


def test_get_metric_statistics() -> None:
    cloud = Cloud()
    flows(cloud, 1.0, 3.0)
    answer = cloud(
        "GetMetricStatistics", Namespace="AWS/NetworkELB", MetricName="NewFlowCount", Period=120,
        Dimensions=[{"Name": k, "Value": v} for k, v in PER_GROUP.items()],
        StartTime=NOON, EndTime=NOON + timedelta(minutes=10), Statistics=["Sum", "Average"], ExtendedStatistics=["p50"],
    )
    assert answer["Datapoints"] == [
        {"Timestamp": NOON, "Sum": 4.0, "Average": 2.0, "Unit": "Count", "ExtendedStatistics": {"p50": 2.0}}
    ]


def test_users_put_metrics_of_their_own() -> None:
    cloud = Cloud()
    cloud("PutMetricData", Namespace="MusicGuru", MetricData=[
        {"MetricName": "Latency", "Value": 2.0},
        {"MetricName": "Latency", "Values": [4.0, 6.0], "Counts": [1.0, 2.0]},
        {"MetricName": "Latency", "StatisticValues": {"SampleCount": 2.0, "Sum": 4.0, "Minimum": 1.0, "Maximum": 3.0}},
    ])
    answer = cloud("GetMetricStatistics", Namespace="MusicGuru", MetricName="Latency", Period=60, StartTime=NOON,
                   EndTime=NOON + timedelta(minutes=1), Statistics=["SampleCount", "Sum", "Minimum", "Maximum"])
    (point,) = answer["Datapoints"]
    assert (point["SampleCount"], point["Sum"], point["Minimum"], point["Maximum"]) == (6.0, 22.0, 1.0, 6.0)


@pytest.mark.fact("4.4/list-metrics", "4.2/tabs")
def test_list_metrics_by_name_and_dimension() -> None:
    cloud = Cloud()
    flows(cloud, 1.0)
    flows(cloud, 1.0, LoadBalancer=PER_GROUP["LoadBalancer"])
    everything = cloud("ListMetrics", Namespace="AWS/NetworkELB")["Metrics"]
    with_group = cloud("ListMetrics", Dimensions=[{"Name": "TargetGroup"}])["Metrics"]
    assert len(everything) == 2 and len(with_group) == 1
    assert {d["Name"] for d in with_group[0]["Dimensions"]} == set(PER_GROUP)
    cloud.time.at += 15 * 86400
    assert cloud("ListMetrics")["Metrics"] == []


SPAN = {"StartTime": NOON, "EndTime": NOON + timedelta(hours=1)}
STATISTICS = {"Namespace": "N", "MetricName": "M", "Period": 60, "Statistics": ["Sum"]}
REFUSED = [
    ("GetMetricStatistics", {**STATISTICS, "StartTime": NOON, "EndTime": NOON},
     "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime."),
    ("GetMetricStatistics", {**STATISTICS, "StartTime": NOON, "EndTime": NOON + timedelta(minutes=86400)},
     "InvalidParameterCombination",
     "You have requested up to 86400 datapoints, which exceeds the limit of 1440. You may reduce the datapoints "
     "requested by increasing Period, or decreasing the time range."),
    ("GetMetricData", {**SPAN, "MetricDataQueries": [query(name=f"q{i}") for i in range(501)]},
     "ValidationError", "The collection MetricDataQueries must not have a size greater than 500."),
    ("GetMetricData", {**SPAN, "MetricDataQueries": [query(), query()]},
     "ValidationError", "The values for parameter id in MetricDataQueries are not unique."),
    ("GetMetricData", {**SPAN, "MetricDataQueries": [{"Id": "e1", "Expression": "ANOMALY_DETECTOR(m1)"}]},
     "ValidationError", "Error in expression 'e1': Function 'ANOMALY_DETECTOR' not found"),
    ("GetMetricData", {**SPAN, "MetricDataQueries": [query("Mode")]},
     "ValidationError", "The value Mode for parameter MetricDataQueries.member.1.MetricStat.Stat is not supported."),
    ("PutMetricData", {"Namespace": "AWS/EC2", "MetricData": [{"MetricName": "M", "Value": 1.0}]},
     "InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid."),
    ("SetAlarmState", {"AlarmName": "a", "StateValue": "INVALID", "StateReason": "test"}, "ValidationError",
     "1 validation error detected: Value 'INVALID' at 'stateValue' failed to satisfy constraint: Member must satisfy "
     "enum value set: [INSUFFICIENT_DATA, ALARM, OK]"),
    ("SetAlarmState", {"AlarmName": "a", "StateValue": "OK", "StateReason": "test"}, "ResourceNotFound", ""),
    ("DescribeAlarms", {"MaxRecords": 101}, "ValidationError",
     "1 validation error detected: Value '101' at 'maxRecords' failed to satisfy constraint: Member must have value "
     "less than or equal to 100"),
    ("DescribeAlarms", {"NextToken": "x"}, "InvalidNextToken", "The token 'x' is invalid."),
]


@pytest.mark.parametrize(("operation", "params", "code", "message"), REFUSED)
def test_mistakes_are_refused_in_awss_words(operation: str, params: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        Cloud()(operation, **params)
    assert (refusal.value.code, refusal.value.message) == (code, message)


POLICY = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:1:autoScalingGroupName/MGAS:policyName/cpu"


def put_alarm(cloud: Cloud, **changes: Any) -> None:
    settings = {
        "AlarmName": "high", "MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "Statistic": "Average",
        "Period": 60,
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "MGAS"}], "EvaluationPeriods": 3, "Threshold": 50.0,
        "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [POLICY],
    }
    cloud("PutMetricAlarm", **{**settings, **changes})


def test_a_new_alarm_is_unchecked() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    (alarm,) = cloud("DescribeAlarms")["MetricAlarms"]
    assert alarm["StateValue"] == "INSUFFICIENT_DATA"
    assert alarm["StateReason"] == "Unchecked: Initial alarm creation"
    assert alarm["AlarmArn"] == "arn:aws:cloudwatch:us-east-1:000000000000:alarm:high"
    assert "TreatMissingData" not in alarm and "DatapointsToAlarm" not in alarm


def test_three_breaching_minutes_alarm_and_a_calm_one_ends_it() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    assert cloud.minutes(90, 90, 90, 90, 10) == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "ALARM", "ALARM", "OK"]
    (alarm,) = cloud("DescribeAlarms", StateValue="OK")["MetricAlarms"]
    assert alarm["StateReason"] == (
        "Threshold Crossed: 1 datapoint [10.0 (16/09/23 12:04:00)] was not greater than the threshold (50.0)."
    )


def test_who_scales_is_called_each_minute_while_the_alarm_lasts() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    cloud.minutes(90, 90, 90, 90, 90, 10)
    assert cloud.calls == [
        ("high", "INSUFFICIENT_DATA", "ALARM"), ("high", "ALARM", "ALARM"), ("high", "ALARM", "ALARM"),
        ("high", "ALARM", "OK"),
    ]


def test_who_is_only_told_is_told_once() -> None:
    cloud = Cloud()
    put_alarm(cloud, AlarmActions=["arn:aws:sns:us-east-1:000000000000:me"])
    cloud.minutes(90, 90, 90, 90, 90)
    assert cloud.calls == [("high", "INSUFFICIENT_DATA", "ALARM")]


def test_disabled_actions_call_nobody() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    cloud("DisableAlarmActions", AlarmNames=["high"])
    assert cloud.minutes(90, 90, 90)[-1] == "ALARM" and cloud.calls == []
    cloud("EnableAlarmActions", AlarmNames=["high"])
    cloud.minutes(90)
    assert cloud.calls == [("high", "ALARM", "ALARM")]


def test_a_late_metric_alarms_as_late_as_it_is_published() -> None:
    cloud = Cloud(delay_s=120)
    put_alarm(cloud, EvaluationPeriods=1)
    assert cloud.minutes(90, None, None, None)[:3] == ["INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "ALARM"]


@pytest.mark.fact("2.6/basic-data")
def test_five_minute_points_alarm_without_flickering() -> None:
    """aws-facts 2.6: basic monitoring, one-minute alarm."""
    cloud = Cloud(delay_s=90)
    put_alarm(cloud)
    states = []
    for minute in range(1, 31):
        cloud.time.at += 60
        if minute % 5 == 0:
            at = cloud.time.at - 300
            group = {"AutoScalingGroupName": "MGAS"}
            cloud.service.record("AWS/EC2", "CPUUtilization", group, 90.0, "Percent", at, covers_s=300)
        cloud.service.tick(cloud.time.at)
        states.append(cloud.service.state.alarms["high"].state)
    assert states == ["INSUFFICIENT_DATA"] * 8 + ["ALARM"] * 22
    assert cloud.calls[0] == ("high", "INSUFFICIENT_DATA", "ALARM") and len(cloud.calls) == 22


@pytest.mark.fact("4.4/set-alarm-state")
def test_a_state_set_by_hand_lasts_until_the_next_evaluation() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    cloud.minutes(10, 10, 10)
    cloud("SetAlarmState", AlarmName="high", StateValue="ALARM", StateReason="a drill")
    (alarm,) = cloud("DescribeAlarms")["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", "a drill")
    assert cloud.minutes(10) == ["OK"]


def test_putting_an_alarm_again_keeps_its_state() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    cloud.minutes(90, 90, 90)
    put_alarm(cloud, Threshold=95.0)
    (alarm,) = cloud("DescribeAlarmsForMetric", MetricName="CPUUtilization", Namespace="AWS/EC2",
                     Dimensions=[{"Name": "AutoScalingGroupName", "Value": "MGAS"}])["MetricAlarms"]
    assert (alarm["StateValue"], alarm["Threshold"]) == ("ALARM", 95.0)


def test_history_tells_what_happened_newest_first() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    cloud.minutes(90, 90, 90)
    cloud("DeleteAlarms", AlarmNames=["high", "unknown"])
    items = cloud("DescribeAlarmHistory", AlarmName="high")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [
        'Alarm "high" deleted', f"Successfully executed action {POLICY}",
        "Alarm updated from INSUFFICIENT_DATA to ALARM", 'Alarm "high" created',
    ]
    told = json.loads(items[2]["HistoryData"])
    assert told["oldState"] == {"stateValue": "INSUFFICIENT_DATA", "stateReason": "Unchecked: Initial alarm creation"}
    assert told["newState"]["stateValue"] == "ALARM" and "greater than the threshold" in told["newState"]["stateReason"]
    assert told["newState"]["stateReasonData"]["recentDatapoints"] == [90.0, 90.0, 90.0]


def test_alarms_are_found_by_prefix_in_pages_and_carry_tags() -> None:
    cloud = Cloud()
    for name in ("x-1", "x-2", "y"):
        put_alarm(cloud, AlarmName=name, Tags=[{"Key": "who", "Value": "me"}])
    first = cloud("DescribeAlarms", AlarmNamePrefix="x", MaxRecords=1)
    second = cloud("DescribeAlarms", AlarmNamePrefix="x", MaxRecords=1, NextToken=first["NextToken"])
    assert [a["AlarmName"] for a in (*first["MetricAlarms"], *second["MetricAlarms"])] == ["x-1", "x-2"]
    arn = first["MetricAlarms"][0]["AlarmArn"]
    cloud("TagResource", ResourceARN=arn, Tags=[{"Key": "term", "Value": "2"}])
    cloud("UntagResource", ResourceARN=arn, TagKeys=["who"])
    assert cloud("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "term", "Value": "2"}]


BAD_ALARMS = [
    ({"EvaluationPeriods": 2000}, "Metrics cannot be checked across more than a day"),
    ({"DatapointsToAlarm": 4}, "DatapointsToAlarm must be less than or equal to EvaluationPeriods"),
    ({"Statistic": None}, "Exactly one of Statistic and ExtendedStatistic"),
    ({"Period": 15}, "Period must be 10, 20, 30 or a multiple of 60"),
    ({"Threshold": None}, "1 validation error detected: Value null at 'threshold'"),
    ({"Metrics": [{"Id": "m1"}]}, "MetricName, Namespace, Dimensions, Period, Statistic cannot be specified"),
    ({"TreatMissingData": "perhaps"}, "1 validation error detected: Value 'perhaps' at 'treatMissingData'"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_ALARMS)
def test_alarms_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        put_alarm(Cloud(), **changes)
    assert refusal.value.message.startswith(message)


def test_old_samples_and_history_are_forgotten() -> None:
    cloud = Cloud()
    put_alarm(cloud)
    cloud.minutes(10)
    cloud.time.at += 456 * 86400
    cloud.service.state.forget(cloud.time.at)
    assert cloud.service.state.series == {} and cloud.service.state.history == []


@pytest.mark.fact("4.4/retention")
@pytest.mark.parametrize(("days", "periods"), [(14, (60, 300, 3600)), (16, (300, 3600)), (64, (3600,)), (456, ())])
def test_what_grows_old_is_kept_in_coarser_periods(days: int, periods: tuple[int, ...]) -> None:
    cloud = Cloud()
    flows(cloud, 1.0, 3.0)
    cloud.time.at += days * 86400
    cloud.service.state.forget(cloud.time.at)
    for period in (60, 300, 3600):
        (result,) = ask(cloud, {**query(**PER_GROUP), "MetricStat": {**query(**PER_GROUP)["MetricStat"],
                                                                     "Period": period}})
        assert sum(result["Values"]) == (4.0 if period in periods else 0), period


@pytest.mark.fact("4.4/start-rounded")
@pytest.mark.parametrize(("days", "rounded"), [(0, 59), (14, 59), (16, 55), (64, 0)])
def test_the_start_is_rounded_down_by_its_age(days: int, rounded: int) -> None:
    """A start of 12:59:30: to the minute, to five minutes, to the hour."""
    cloud = Cloud()
    for minute in range(60):
        flow_at = NOON.timestamp() + 60 * minute
        cloud.service.record("AWS/NetworkELB", "NewFlowCount", PER_GROUP, 1.0, "Count", flow_at)
    cloud.time.at = NOON.timestamp() + 3600 + days * 86400
    cloud.service.state.forget(cloud.time.at)
    stat = {**query(**PER_GROUP)["MetricStat"], "Period": 3600}
    (result,) = ask(cloud, {"Id": "q1", "MetricStat": stat}, start=NOON + timedelta(minutes=59, seconds=30))
    assert result["Timestamps"] == [NOON + timedelta(minutes=rounded)]


def test_a_percentile_of_few_samples_may_be_passed_over() -> None:
    """p90 wants a hundred samples, unless the alarm is told to evaluate it all the same."""
    cloud = Cloud()
    for name, how in (("patient", "ignore"), ("hasty", "evaluate")):
        put_alarm(cloud, AlarmName=name, Statistic=None, ExtendedStatistic="p90", EvaluationPeriods=1, AlarmActions=[],
                  EvaluateLowSampleCountPercentile=how)
    cloud.time.at += 60
    group = {"AutoScalingGroupName": "MGAS"}
    for _ in range(99):
        cloud.service.record("AWS/EC2", "CPUUtilization", group, 90.0, "Percent", cloud.time.at - 60)
    cloud.service.tick(cloud.time.at)
    states = {name: alarm.state for name, alarm in cloud.service.state.alarms.items()}
    assert states == {"patient": "INSUFFICIENT_DATA", "hasty": "ALARM"}
    cloud.service.record("AWS/EC2", "CPUUtilization", group, 90.0, "Percent", cloud.time.at - 60)
    cloud.time.at += 60
    cloud.service.tick(cloud.time.at)
    assert cloud.service.state.alarms["patient"].state == "ALARM"
