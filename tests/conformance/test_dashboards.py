"""Dashboards as the console and an infrastructure tool keep them, and what of CloudWatch there is none of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.points import lab_now, refusal
from tests.local.cloud_under_test import Cloud

CPU = ["AWS/EC2", "CPUUtilization", "InstanceId", "i-12345678"]
WIDGET = {
    "type": "metric", "x": 0, "y": 0, "width": 6, "height": 6,
    "properties": {"metrics": [CPU], "region": "us-east-1", "view": "timeSeries", "stacked": False},
}  # fmt: skip
BODY = json.dumps({"widgets": [WIDGET]})


@pytest.mark.fact("4.4/dashboards", "4.4/terraform-cycle")
def test_create_read_change_read_destroy(cloud: Cloud, aws: Aws) -> None:
    client, before = cloud.client("cloudwatch"), lab_now(cloud)
    assert client.put_dashboard(DashboardName="lab-1", DashboardBody=BODY)["DashboardValidationMessages"] == []
    found = client.get_dashboard(DashboardName="lab-1")
    assert (found["DashboardArn"], found["DashboardBody"], found["DashboardName"]) == (
        "arn:aws:cloudwatch::000000000000:dashboard/lab-1", BODY, "lab-1",
    )  # fmt: skip
    (entry,) = client.list_dashboards(DashboardNamePrefix="lab-")["DashboardEntries"]
    assert (entry["DashboardArn"], entry["DashboardName"], entry["Size"]) == (
        found["DashboardArn"], "lab-1", len(BODY),
    )  # fmt: skip
    assert entry["LastModified"] >= before.replace(microsecond=0)
    assert client.list_dashboards(DashboardNamePrefix="no-")["DashboardEntries"] == []
    changed = BODY.replace("i-12345678", "i-87654321")
    client.put_dashboard(DashboardName="lab-1", DashboardBody=changed)
    assert aws("cloudwatch", "get-dashboard", "--dashboard-name", "lab-1")["DashboardBody"] == changed
    unknown = ("ResourceNotFound", "Dashboard lab-2 does not exist", 404)
    assert refusal(cloud, "delete_dashboards", DashboardNames=["lab-1", "lab-2"]) == unknown
    client.delete_dashboards(DashboardNames=["lab-1"])
    assert refusal(cloud, "get_dashboard", DashboardName="lab-2") == unknown
    assert client.list_dashboards()["DashboardEntries"] == []


def told(*mistakes: tuple[str, str]) -> str:
    rows = [{"dataPath": path, "message": message} for path, message in mistakes]
    return f"The dashboard body is invalid, there are {len(rows)} validation errors:\n{json.dumps(rows, indent=2)}"


METRICS = (
    'Field "metrics" has to be an array of array of strings, with an optional metricRenderer object as last element'
)
BAD_BODIES: list[tuple[Any, str]] = [
    ("{", "The field DashboardBody must be a valid JSON object"),
    ({}, told(("", "Should have required property 'widgets'"))),
    ({"widgets": [{"type": "metric"}]}, told(("/widgets/0", "Should have required property 'properties'"))),
    ({"widgets": [{**WIDGET, "width": 25}]}, told(("/widgets/0/width", "Should be <= 24"))),
    ({"widgets": [{**WIDGET, "properties": {"metrics": ["AWS/EC2"]}}]},
     told(("/widgets/0/properties/metrics/0", "Should be array"), ("/widgets/0/properties/metrics/0", METRICS))),
    ({"widgets": [{**WIDGET, "properties": {"metrics": [["AWS/EC2", "CPUUtilization", {"a": 1}, "i-1"]]}}]},
     told(("/widgets/0/properties/metrics/0/2", 'Invalid metric field type, only "String" type is allowed'))),
]  # fmt: skip


@pytest.mark.fact("4.4/dashboard-refusals")
@pytest.mark.parametrize(("body", "message"), BAD_BODIES)
def test_a_body_with_mistakes_is_refused_with_every_place(cloud: Cloud, body: Any, message: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert refusal(cloud, "put_dashboard", DashboardName="bad", DashboardBody=text) == (
        "InvalidParameterInput", message, 400,
    )  # fmt: skip


@pytest.mark.fact("4.4/dashboard-refusals")
def test_a_name_has_letters_digits_dashes_and_underscores(cloud: Cloud) -> None:
    code, message, _ = refusal(cloud, "put_dashboard", DashboardName="my board", DashboardBody=BODY)
    assert (code, message) == (
        "InvalidParameterInput",
        "The value my board for field DashboardName contains invalid characters. It can only contain alphanumerics, "
        "dash (-) and underscore (_).",
    )


def test_what_there_is_none_of_has_empty_lists_and_is_refused_by_name(cloud: Cloud) -> None:
    client = cloud.client("cloudwatch")
    assert client.describe_anomaly_detectors()["AnomalyDetectors"] == []
    assert client.describe_insight_rules()["InsightRules"] == []
    assert client.list_metric_streams()["Entries"] == []
    metric = {"Namespace": "N", "MetricName": "M", "Stat": "Sum"}
    _, message, _ = refusal(cloud, "put_anomaly_detector", SingleMetricAnomalyDetector=metric)
    assert message == "The local cloud does not model anomaly detection."
