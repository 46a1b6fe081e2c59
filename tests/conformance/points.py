"""Points of the tests' own metrics: published at moments of the cloud's own time, and asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from mglab.clock import Clock
from tests.local.cloud_under_test import Cloud

Refusal = tuple[str, str, int]
"""(code, message, HTTP status)"""


def lab_now(cloud: Cloud) -> datetime:
    """Read the cloud's clock."""
    state = cloud.state
    return Clock(rate=state["rate"], wall_epoch=state["wall_epoch"], lab_epoch=state["lab_epoch"]).now()


def some_time_ago(cloud: Cloud, minutes: int = 60) -> datetime:
    """Give a full minute of the cloud's past."""
    return lab_now(cloud).replace(second=0, microsecond=0) - timedelta(minutes=minutes)


def publish(cloud: Cloud, namespace: str, name: str, points: Mapping[datetime, float], **more: Any) -> None:
    """Put points of one metric; ``more`` goes into each datum."""
    data = [{"MetricName": name, "Timestamp": at, "Value": value, **more} for at, value in points.items()]
    cloud.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def minutes(began: datetime, *values: float | None) -> dict[datetime, float]:
    """Give a value a minute from a moment on; None leaves a minute out."""
    return {began + timedelta(minutes=n): value for n, value in enumerate(values) if value is not None}


def stat(namespace: str, name: str, statistic: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    """Give a query's MetricStat."""
    return {"Metric": {"Namespace": namespace, "MetricName": name}, "Period": period, "Stat": statistic, **more}


def data(
    cloud: Cloud, began: datetime, *queries: Mapping[str, Any], span_min: int = 60, **more: Any
) -> Sequence[dict[str, Any]]:
    """Ask GetMetricData for the hour from a moment on; give its results."""
    answer = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries), StartTime=began, EndTime=began + timedelta(minutes=span_min), **more
    )
    found: list[dict[str, Any]] = answer["MetricDataResults"]
    return found


def refusal(cloud: Cloud, operation: str, service: str = "cloudwatch", **params: Any) -> Refusal:
    """Call what must be refused; give how."""
    client = cloud.client(service)
    try:
        answer = getattr(client, operation)(**params)
    except ClientError as refused:
        error, metadata = refused.response["Error"], refused.response["ResponseMetadata"]
        return error["Code"], error.get("Message", ""), metadata["HTTPStatusCode"]
    raise AssertionError(f"{operation} was not refused: {answer}")
