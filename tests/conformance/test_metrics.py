"""Datapoints as a client publishes and reads them: periods, limits, statistics, labels, metric math (aws-facts 4.4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.points import data, lab_now, minutes, publish, refusal, some_time_ago, stat
from tests.local.cloud_under_test import Cloud, eventually

N = "Lab/Numbers"


@pytest.fixture(scope="module")
def began(cloud: Cloud) -> datetime:
    """Give the full minute in which the metrics ``M`` (1, 2, 3, -, 5) and ``Other`` (10, -, 30) begin."""
    at = some_time_ago(cloud)
    publish(cloud, N, "M", minutes(at, 1, 2, 3, None, 5))
    publish(cloud, N, "Other", minutes(at, 10, None, 30))
    return at


def m(**more: Any) -> dict[str, Any]:
    return {"Id": "m1", "MetricStat": stat(N, "M", **more)}


# -- GetMetricData ----------------------------------------------------------------------------------------------


@pytest.mark.fact("4.4/newest-first")
def test_newest_first_unless_asked_otherwise(cloud: Cloud, began: datetime) -> None:
    (result,) = data(cloud, began, m())
    assert result["Values"] == [5, 3, 2, 1] and result["Timestamps"][0] == began + timedelta(minutes=4)
    assert data(cloud, began, m(), ScanBy="TimestampDescending")[0]["Values"] == [5, 3, 2, 1]
    assert data(cloud, began, m(), ScanBy="TimestampAscending")[0]["Values"] == [1, 2, 3, 5]


@pytest.mark.fact("4.4/start-inclusive", "4.4/start-rounded")
def test_the_start_is_included_the_end_is_not_and_seconds_of_the_start_do_not_count(
    cloud: Cloud, began: datetime
) -> None:
    assert data(cloud, began, m(), span_min=2)[0]["Values"] == [2, 1]
    assert data(cloud, began + timedelta(seconds=59), m(), span_min=2)[0]["Values"] == [3, 2, 1]


@pytest.mark.fact("4.4/periods")
def test_periods_begin_at_the_start_and_are_multiples_of_a_minute(cloud: Cloud, began: datetime) -> None:
    first = began - timedelta(minutes=1)
    (result,) = data(cloud, first, m(period=120), ScanBy="TimestampAscending")
    assert result["Values"] == [1, 5, 5]
    assert result["Timestamps"] == [first + timedelta(minutes=n) for n in (0, 2, 4)]
    code, message, _ = refusal(cloud, "get_metric_data", MetricDataQueries=[m(period=90)], StartTime=began,
                               EndTime=began + timedelta(hours=1))  # fmt: skip
    assert code == "ValidationError" and "must be a multiple of 60" in message


@pytest.mark.fact("4.4/no-data")
def test_what_nobody_published_has_no_values_and_is_complete(cloud: Cloud, began: datetime) -> None:
    unknown = {"Id": "q1", "MetricStat": stat("Lab/Nothing", "Never")}
    dimensions = {"Namespace": N, "MetricName": "M", "Dimensions": [{"Name": "Host", "Value": "h"}]}
    other = {"Id": "q2", "MetricStat": {**stat(N, "M"), "Metric": dimensions}}
    for result in data(cloud, began, unknown, other):
        assert (result["Values"], result["Timestamps"], result["StatusCode"]) == ([], [], "Complete")


@pytest.mark.fact("4.4/query-limit")
def test_no_more_than_500_queries(cloud: Cloud, began: datetime) -> None:
    queries = [{"Id": f"q{n}", "MetricStat": stat(N, "M")} for n in range(501)]
    assert len(data(cloud, began, *queries[:500])) == 500
    code, message, status = refusal(cloud, "get_metric_data", MetricDataQueries=queries, StartTime=began,
                                    EndTime=began + timedelta(hours=1))  # fmt: skip
    assert (code, message, status) == (
        "ValidationError", "The collection MetricDataQueries must not have a size greater than 500.", 400,
    )  # fmt: skip


@pytest.mark.fact("4.4/point-limit")
def test_an_answer_has_a_greatest_number_of_points_and_goes_on_in_pages(cloud: Cloud, began: datetime) -> None:
    client, pages = cloud.client("cloudwatch"), []
    asked = {"StartTime": began, "EndTime": began + timedelta(hours=1), "MaxDatapoints": 3}
    for page in client.get_paginator("get_metric_data").paginate(MetricDataQueries=[m()], **asked):
        (result,) = page["MetricDataResults"]
        pages.append((result["Values"], result["StatusCode"]))
    assert pages == [([5, 3, 2], "PartialData"), ([1], "Complete")]
    many = [{"Id": f"e{n}", "Expression": "TIME_SERIES(1)"} for n in range(11)]
    answer = client.get_metric_data(MetricDataQueries=many, StartTime=began - timedelta(days=7), EndTime=began)
    assert sum(len(one["Values"]) for one in answer["MetricDataResults"]) == 100_800 and answer["NextToken"]


@pytest.mark.fact("4.4/labels")
def test_a_label_tells_what_the_queries_differ_in(cloud: Cloud, began: datetime) -> None:
    def labels(*stats: dict[str, Any]) -> list[str]:
        results = data(cloud, began, *({"Id": f"q{n}", "MetricStat": one} for n, one in enumerate(stats)))
        return [result["Label"] for result in results]

    assert labels(stat(N, "M")) == ["M"]
    assert labels(stat(N, "M"), stat(N, "Other")) == ["M", "Other"]
    assert labels(stat(N, "M", "Sum"), stat(N, "M", "Average")) == ["M Sum", "M Average"]
    assert labels(stat(N, "M", period=60), stat(N, "M", period=300)) == ["M 60", "M 300"]
    assert labels(stat(N, "M", "Sum"), stat(N, "M", "Minimum", 300)) == ["M Sum 60", "M Minimum 300"]


@pytest.mark.fact("4.4/dynamic-labels")
def test_a_label_may_name_what_the_line_has(cloud: Cloud, began: datetime) -> None:
    label = "${LABEL}: ${MIN} to ${MAX}, last ${LAST}, ${PROP('MetricName')} ${PROP('Stat')} ${PROP('Period')}"
    (result,) = data(cloud, began, {**m(), "Label": label})
    assert result["Label"] == "M: 1 to 5, last 5, M Sum 60"
    (result,) = data(cloud, began, {**m(), "Label": "own"})
    assert result["Label"] == "own"


@pytest.mark.fact("4.4/units-apart")
def test_units_are_kept_apart(cloud: Cloud) -> None:
    """Recorded: GetMetricStatistics gives a row per unit; GetMetricData the first unit, and says so."""
    at = some_time_ago(cloud)
    publish(cloud, "Lab/Units", "U", {at: 60_000}, Unit="Milliseconds")
    publish(cloud, "Lab/Units", "U", {at: 60}, Unit="Seconds")
    client = cloud.client("cloudwatch")
    asked = {"Namespace": "Lab/Units", "MetricName": "U", "StartTime": at, "EndTime": at + timedelta(minutes=5),
             "Period": 60}  # fmt: skip
    rows = client.get_metric_statistics(**asked, Statistics=["Average"])["Datapoints"]
    assert {(row["Unit"], row["Average"]) for row in rows} == {("Milliseconds", 60_000), ("Seconds", 60)}
    (row,) = client.get_metric_statistics(**asked, Statistics=["Average"], Unit="Seconds")["Datapoints"]
    assert row["Average"] == 60
    (result,) = data(cloud, at, {"Id": "m1", "MetricStat": stat("Lab/Units", "U")})
    assert result["Values"] == [60_000]
    assert result["Messages"] == [
        {"Code": "MultipleUnits", "Value": "Multiple units returned: '[Milliseconds, Seconds]'"}
    ]


def test_only_what_returns_data_is_returned(cloud: Cloud, began: datetime) -> None:
    hidden = {**m(), "ReturnData": False}
    (result,) = data(cloud, began, hidden, {"Id": "e1", "Expression": "m1 * 2"})
    assert (result["Id"], result["Label"], result["Values"]) == ("e1", "e1", [10, 6, 4, 2])
    assert refusal(cloud, "get_metric_data", MetricDataQueries=[hidden], StartTime=began,
                   EndTime=began + timedelta(hours=1))[0] == "ValidationError"  # fmt: skip


# -- metric math and SEARCH -------------------------------------------------------------------------------------

MATH = [
    ("m1 + m2", [11, 2, 33, 5]),
    ("m2 / m1", [10, 0, 10, 0]),
    ("m1 / m2", [0.1, 0.1]),
    ("SUM(METRICS())", [11, 2, 33, 5]),
    ("AVG([m1, m2])", [5.5, 1, 16.5, 2.5]),
    ("MAX(METRICS())", [10, 2, 30, 5]),
    ("SUM(METRICS(\"m2\"))", [10, 30]),
    ("m1 - MIN(m1)", [0, 1, 2, 4]),
    ("(m1 - AVG(m1)) ^ 2 + 0 * STDDEV(m1)", [3.0625, 0.5625, 0.0625, 5.0625]),
    ("RATE(m1) * 60", [1, 1, 1]),
    ("DIFF(m1)", [1, 1, 2]),
    ("DIFF_TIME(m1)", [60, 60, 120]),
    ("RUNNING_SUM(m1)", [1, 3, 6, 11]),
    ("m1 / PERIOD(m1) * 60", [1, 2, 3, 5]),
    ("FILL(m1, REPEAT)", [1, 2, 3, 3, 5, 5, 5]),
    ("FILL(m1, LINEAR)", [1, 2, 3, 4, 5]),
    ("FILL(m2, 0)", [10, 0, 30, 0, 0, 0, 0]),
    ("IF(m1 > 2, m1, -1)", [-1, -1, 3, 5]),
    ("IF(m1 >= 2 AND m2 > 5, 1, 0)", [0, 0, 1, 0]),
    ("ABS(-m1)", [1, 2, 3, 5]),
    ("CEIL(m1 / 2)", [1, 1, 2, 3]),
    ("FLOOR(m1 / 2)", [0, 1, 1, 2]),
    ("TIME_SERIES(MAX(m1))", [5, 5, 5, 5, 5, 5, 5]),
    ("FIRST(SORT(METRICS(), AVG, DESC))", [10, 30]),
    ("LAST(SLICE(METRICS(), 0, 1))", [1, 2, 3, 5]),
    ("m1 * METRIC_COUNT(METRICS()) - DATAPOINT_COUNT(m1)", [-2, 0, 2, 6]),
    ("e2 + 1", [3, 5, 7, 11]),
]


@pytest.mark.fact("4.4/metric-math")
@pytest.mark.parametrize(("expression", "values"), MATH)
def test_metric_math(cloud: Cloud, began: datetime, expression: str, values: list[float]) -> None:
    serving = [{**m(), "ReturnData": False}, {"Id": "m2", "MetricStat": stat(N, "Other"), "ReturnData": False},
               {"Id": "e2", "Expression": "m1 * 2", "ReturnData": False}]  # fmt: skip
    (result,) = data(cloud, began, *serving, {"Id": "e1", "Expression": expression}, span_min=7,
                     ScanBy="TimestampAscending")  # fmt: skip
    assert result["Values"] == pytest.approx(values)
    assert (result["Id"], result["Label"], result["StatusCode"]) == ("e1", "e1", "Complete")


@pytest.mark.fact("4.4/metric-math")
def test_an_array_of_series_has_a_result_each(cloud: Cloud, began: datetime) -> None:
    other = {"Id": "m2", "MetricStat": stat(N, "Other"), "ReturnData": False}
    results = data(cloud, began, {**m(), "ReturnData": False}, other,
                   {"Id": "e1", "Expression": "METRICS() * 10", "Label": "tenfold"})  # fmt: skip
    assert [(one["Id"], one["Label"], one["Values"]) for one in results] == [
        ("e1", "tenfold M", [50, 30, 20, 10]), ("e1", "tenfold Other", [300, 100]),
    ]  # fmt: skip


WRONG_MATH = [
    ("FOO(m1)", "Error in expression 'e1': Function 'FOO' not found"),
    ("m1 +", "Error in expression 'e1': Unexpected end of the expression"),
    ("m1 $ 2", "Error in expression 'e1': Unexpected character '$' at position 3"),
    ("m9", "Error in expression 'e1': Undefined id 'm9'"),
    ("e1 + 1", "Error in expression 'e1': The expressions e1 refer to each other in a circle"),
    ("AVG(m1)", "Error in expression 'e1': The expression must give a time series or an array of them, not a number"),
    ("ANOMALY_DETECTION_BAND(m1)",
     "Error in expression 'e1': The local cloud does not model the function 'ANOMALY_DETECTION_BAND'"),
    ('SELECT AVG(M) FROM "Lab"', "Error in expression 'e1': The local cloud does not model Metrics Insights queries"),
]  # fmt: skip


@pytest.mark.fact("4.4/metric-math-errors")
@pytest.mark.parametrize(("expression", "message"), WRONG_MATH)
def test_a_wrong_expression_is_named_with_its_id(
    cloud: Cloud, began: datetime, expression: str, message: str
) -> None:
    asked = [m(), {"Id": "e1", "Expression": expression}]
    refused = refusal(cloud, "get_metric_data", MetricDataQueries=asked, StartTime=began,
                      EndTime=began + timedelta(hours=1))  # fmt: skip
    assert refused == ("ValidationError", message, 400)


@pytest.mark.fact("4.4/search")
def test_search_finds_metrics_by_schema_and_terms(cloud: Cloud, began: datetime) -> None:
    at = some_time_ago(cloud)
    for host in ("web-1", "web-2", "db-1"):
        publish(cloud, "Lab/Hosts", "DiskReads", {at: 7}, Dimensions=[{"Name": "Host", "Value": host}])
    publish(cloud, "Lab/Hosts", "DiskReads", {at: 100})

    def found(terms: str) -> dict[str, list[float]]:
        expression = f"SEARCH('{terms}', 'Sum', 60)"
        return {one["Label"]: one["Values"] for one in data(cloud, at, {"Id": "e1", "Expression": expression})}

    assert found('{Lab/Hosts,Host} MetricName="DiskReads"') == {"web-1": [7], "web-2": [7], "db-1": [7]}
    assert set(found("{Lab/Hosts,Host} web")) == {"web-1", "web-2"}
    assert set(found("{Lab/Hosts,Host} NOT web")) == {"DiskReads"}
    assert set(found('{Lab/Hosts,Host} Host="web-1" OR db')) == {"web-1", "db-1"}
    assert found("{Lab/Hosts,Host} nothing") == {}
    (whole,) = data(cloud, at, {"Id": "e1", "Expression": "SUM(SEARCH('{Lab/Hosts,Host} reads', 'Sum', 60))"})
    assert whole["Values"] == [21]


# -- statistics -------------------------------------------------------------------------------------------------

ONE_TO_TEN = [
    ("SampleCount", 10), ("Sum", 55), ("Average", 5.5), ("Minimum", 1), ("Maximum", 10), ("p0", 1), ("p50", 5.5),
    ("p100", 10), ("tm90", 5), ("TM(10%:90%)", 5.5), ("TM(2:5)", 4), ("tc90", 9), ("TC(2:5)", 3), ("ts90", 45),
    ("TS(80%:)", 19), ("PR(:3)", 30), ("PR(3:7)", 40), ("IQM", 5.5), ("WM(2:5)", 4.1),
]  # fmt: skip


@pytest.mark.fact("4.4/extended-statistics")
def test_statistics_of_ten_values(cloud: Cloud) -> None:
    at = some_time_ago(cloud)
    client = cloud.client("cloudwatch")
    values = [float(n) for n in range(1, 11)]
    client.put_metric_data(Namespace="Lab/Ten", MetricData=[{"MetricName": "T", "Timestamp": at, "Values": values}])
    queries = [{"Id": f"q{n}", "MetricStat": stat("Lab/Ten", "T", name)} for n, (name, _) in enumerate(ONE_TO_TEN)]
    for (name, value), result in zip(ONE_TO_TEN, data(cloud, at, *queries), strict=True):
        assert result["Values"] == [pytest.approx(value)], name


def test_a_statistic_set_of_several_values_has_no_percentile(cloud: Cloud) -> None:
    at, client = some_time_ago(cloud), cloud.client("cloudwatch")
    summed = {"SampleCount": 3, "Sum": 9, "Minimum": 1, "Maximum": 5}
    client.put_metric_data(
        Namespace="Lab/Sets", MetricData=[{"MetricName": "S", "Timestamp": at, "StatisticValues": summed}]
    )
    asked = [{"Id": f"q{n}", "MetricStat": stat("Lab/Sets", "S", name)} for n, name in enumerate(("Average", "p50"))]
    assert [one["Values"] for one in data(cloud, at, *asked)] == [[3], []]


def test_values_and_counts(cloud: Cloud) -> None:
    """Recorded: values [1, 10] with counts [2, 4] are six samples, 42 in all."""
    at, client = some_time_ago(cloud), cloud.client("cloudwatch")
    datum = {"MetricName": "test-metric", "Timestamp": at, "Unit": "Count", "Values": [1.0, 10.0], "Counts": [2.0, 4.0]}
    client.put_metric_data(Namespace="Lab/Counts", MetricData=[datum])
    (row,) = client.get_metric_statistics(
        Namespace="Lab/Counts", MetricName="test-metric", Period=60, StartTime=at, EndTime=at + timedelta(minutes=1),
        Statistics=["SampleCount", "Sum", "Maximum"],
    )["Datapoints"]  # fmt: skip
    assert row == {"Timestamp": at, "SampleCount": 6, "Sum": 42, "Maximum": 10, "Unit": "Count"}


def test_a_storage_resolution_of_a_second(cloud: Cloud) -> None:
    at = some_time_ago(cloud, minutes=2)
    points = {at + timedelta(seconds=second): 1.0 for second in (0, 3, 11, 59)}
    publish(cloud, "Lab/Fine", "F", points, StorageResolution=1)
    asked = {"Id": "q1", "MetricStat": stat("Lab/Fine", "F", period=10)}
    assert data(cloud, at, asked, span_min=1, ScanBy="TimestampAscending")[0]["Values"] == [2, 1, 1]
    assert data(cloud, at, {"Id": "q1", "MetricStat": stat("Lab/Fine", "F")}, span_min=1)[0]["Values"] == [4]


@pytest.mark.fact("3.7/55", "3.7/56")
def test_the_range_of_get_metric_statistics(cloud: Cloud, began: datetime) -> None:
    asked: dict[str, Any] = {"Namespace": N, "MetricName": "M", "Period": 60, "Statistics": ["Sum"]}
    assert refusal(cloud, "get_metric_statistics", **asked, StartTime=began, EndTime=began) == (
        "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.", 400,
    )  # fmt: skip
    assert refusal(cloud, "get_metric_statistics", **asked, StartTime=began - timedelta(minutes=86400),
                   EndTime=began) == (
        "InvalidParameterCombination",
        "You have requested up to 86400 datapoints, which exceeds the limit of 1440. You may reduce the datapoints "
        "requested by increasing Period, or decreasing the time range.", 400,
    )  # fmt: skip
    rows = cloud.client("cloudwatch").get_metric_statistics(
        **asked, StartTime=began, EndTime=began + timedelta(minutes=1440)
    )
    assert rows["Label"] == "M" and sorted(row["Sum"] for row in rows["Datapoints"]) == [1, 2, 3, 5]


# -- PutMetricData ----------------------------------------------------------------------------------------------


@pytest.mark.fact("4.4/aws-closed")
def test_the_namespaces_of_aws_are_closed(cloud: Cloud) -> None:
    datum = [{"MetricName": "CPUUtilization", "Value": 1.0}]
    assert refusal(cloud, "put_metric_data", Namespace="AWS/EC2", MetricData=datum) == (
        "InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.", 400,
    )  # fmt: skip


WHERE = "MetricData.member.1"
BAD_DATA = [
    ({}, "InvalidParameterCombination", f"The parameters {WHERE}.Value, {WHERE}.Values and {WHERE}.StatisticValues "
     "are mutually exclusive and one of them is required."),
    ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue",
     f"The parameters {WHERE}.Values and {WHERE}.Counts must be of the same size."),
    ({"Value": 1.0, "StorageResolution": 30}, "InvalidParameterValue",
     f"The value 30 for parameter {WHERE}.StorageResolution must be 1 or 60."),
    ({"Value": 2.0**361}, "InvalidParameterValue", f"for parameter {WHERE}.Value is invalid."),
    ({"Value": 1.0, "Unit": "Furlongs"}, "ValidationError", "Value 'Furlongs' at 'unit' failed to satisfy constraint"),
]  # fmt: skip


@pytest.mark.parametrize(("datum", "code", "message"), BAD_DATA)
def test_a_datum_that_makes_no_sense_is_refused(cloud: Cloud, datum: dict[str, Any], code: str, message: str) -> None:
    refused = refusal(cloud, "put_metric_data", Namespace="Lab/Bad", MetricData=[{"MetricName": "B", **datum}])
    assert refused[0] == code and message in refused[1]


@pytest.mark.fact("4.4/timestamps")
def test_a_point_is_of_the_last_two_weeks_or_the_next_two_hours(cloud: Cloud) -> None:
    now = lab_now(cloud)
    for at in (now - timedelta(days=13, hours=23), now + timedelta(hours=1, minutes=30)):
        publish(cloud, "Lab/Times", "T", {at: 1.0})
    for at, words in ((now - timedelta(days=14, hours=1), "within the past two weeks."),
                      (now + timedelta(hours=6), "no more than two hours in the future.")):  # fmt: skip
        datum = [{"MetricName": "T", "Value": 1.0, "Timestamp": at}]
        code, message, _ = refusal(cloud, "put_metric_data", Namespace="Lab/Times", MetricData=datum)
        assert code == "InvalidParameterValue"
        assert message == f"The parameter MetricData.member.1.Timestamp must specify a time {words}"


# -- ListMetrics ------------------------------------------------------------------------------------------------


@pytest.mark.fact("4.4/list-metrics")
def test_metrics_are_listed_by_namespace_name_and_dimension_in_pages(cloud: Cloud, aws: Aws) -> None:
    at, client = lab_now(cloud), cloud.client("cloudwatch")
    for n in range(3):
        publish(cloud, "Lab/Listed", f"L{n}", {at: 1.0}, Dimensions=[{"Name": "Host", "Value": f"h{n}"}])
    publish(cloud, "Lab/Listed", "Old", {at - timedelta(hours=5): 1.0})

    def names(**params: Any) -> list[str]:
        pages = client.get_paginator("list_metrics").paginate(Namespace="Lab/Listed", **params)
        return [one["MetricName"] for page in pages for one in page["Metrics"]]

    assert names() == ["L0", "L1", "L2", "Old"]
    assert names(MetricName="L1") == ["L1"]
    assert names(Dimensions=[{"Name": "Host"}]) == ["L0", "L1", "L2"]
    assert names(Dimensions=[{"Name": "Host", "Value": "h2"}]) == ["L2"]
    assert names(RecentlyActive="PT3H") == ["L0", "L1", "L2"]
    assert refusal(cloud, "list_metrics", NextToken="x")[0] == "InvalidNextToken"
    listed = aws("cloudwatch", "list-metrics", "--namespace", "Lab/Listed", "--metric-name", "L2")
    assert listed["Metrics"] == [
        {"Namespace": "Lab/Listed", "MetricName": "L2", "Dimensions": [{"Name": "Host", "Value": "h2"}]}
    ]


# -- AWS's own metrics of an instance ---------------------------------------------------------------------------


@pytest.mark.fact("4.3/cpu", "4.3/covers", "4.3/resolution", "4.3/status-checks", "4.4/publication-delay")
def test_a_five_minute_point_covers_the_five_minutes_after_its_timestamp(cloud: Cloud) -> None:
    """An instance's first window is one that it ran through, and is seen when it is over and published."""
    ec2, client = cloud.client("ec2"), cloud.client("cloudwatch")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    (made,) = ec2.run_instances(ImageId=image, InstanceType="t2.micro", MinCount=1, MaxCount=1)["Instances"]
    name = {"Name": "InstanceId", "Value": made["InstanceId"]}

    def points(metric: str, statistic: str = "Average") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get_metric_statistics(
            Namespace="AWS/EC2", MetricName=metric, Dimensions=[name], Statistics=[statistic], Period=60,
            StartTime=made["LaunchTime"], EndTime=made["LaunchTime"] + timedelta(hours=20),
        )["Datapoints"]  # fmt: skip
        return found

    first, *_ = eventually(lambda: points("CPUUtilization"))
    seen_at = lab_now(cloud)
    assert first["Unit"] == "Percent" and 0 <= first["Average"] <= 100
    assert first["Timestamp"].minute % 5 == 0 and first["Timestamp"].second == 0
    assert first["Timestamp"] >= made["LaunchTime"]
    assert seen_at - first["Timestamp"] >= timedelta(minutes=5)
    checks = points("StatusCheckFailed", "Maximum")
    assert any(one["Timestamp"].minute % 5 for one in checks) and {one["Maximum"] for one in checks} == {0}
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
