"""Group metrics: which there are, when they are recorded, what they say (aws-facts 2.7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.aws_cli import Aws
from tests.conformance.scaling_ground import Ground, lay, refusal
from tests.local.cloud_under_test import Cloud, eventually

OF_A_GROUP = {
    "GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances",
    "GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances", "GroupInServiceCapacity",
    "GroupPendingCapacity", "GroupStandbyCapacity", "GroupTerminatingCapacity", "GroupTotalCapacity",
}  # fmt: skip
OF_A_WARM_POOL = {
    "WarmPoolMinSize", "WarmPoolDesiredCapacity", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity",
    "WarmPoolWarmedCapacity", "WarmPoolTotalCapacity", "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
}  # fmt: skip


@pytest.fixture(scope="module")
def ground(cloud: Cloud) -> Ground:
    return lay(cloud)


@pytest.mark.fact("2.1/enabled-metrics", "2.7/names")
def test_metrics_are_off_until_they_are_enabled_and_can_be_chosen(ground: Ground, aws: Aws) -> None:
    client, named = ground.client, {"AutoScalingGroupName": "counted"}
    ground.create("counted")
    assert ground.group("counted")["EnabledMetrics"] == []
    client.enable_metrics_collection(**named, Granularity="1Minute", Metrics=["GroupMinSize", "GroupMaxSize"])
    assert ground.group("counted")["EnabledMetrics"] == [
        {"Metric": "GroupMinSize", "Granularity": "1Minute"}, {"Metric": "GroupMaxSize", "Granularity": "1Minute"},
    ]  # fmt: skip
    client.disable_metrics_collection(**named, Metrics=["GroupMinSize"])
    assert [each["Metric"] for each in ground.group("counted")["EnabledMetrics"]] == ["GroupMaxSize"]
    aws("autoscaling", "enable-metrics-collection", "--auto-scaling-group-name", "counted", "--granularity", "1Minute")
    enabled = {each["Metric"] for each in ground.group("counted")["EnabledMetrics"]}
    assert enabled == OF_A_GROUP | OF_A_WARM_POOL
    client.disable_metrics_collection(**named)
    assert ground.group("counted")["EnabledMetrics"] == []
    kinds = client.describe_metric_collection_types()
    assert {each["Metric"] for each in kinds["Metrics"]} == OF_A_GROUP | OF_A_WARM_POOL
    assert kinds["Granularities"] == [{"Granularity": "1Minute"}]
    for words in ({"Granularity": "5Minute"}, {"Granularity": "1Minute", "Metrics": ["GroupMood"]}):
        assert refusal(client.enable_metrics_collection, **named, **words)[0] == "ValidationError"
    ground.delete("counted")


@pytest.mark.fact("2.7/names", "2.7/recorded", "2.7/unit")
def test_each_minute_says_what_the_group_wants_and_has(ground: Ground) -> None:
    cloudwatch = ground.cloud.client("cloudwatch")
    ground.create("watched", MinSize=1, MaxSize=4)
    ground.client.enable_metrics_collection(AutoScalingGroupName="watched", Granularity="1Minute")
    ground.in_service("watched", 1)
    dimensions = [{"Name": "AutoScalingGroupName", "Value": "watched"}]

    def points(name: str) -> list[dict[str, Any]]:
        now = datetime.now(UTC) + timedelta(days=30)
        members = cloudwatch.get_metric_statistics(
            Namespace="AWS/AutoScaling", MetricName=name, Dimensions=dimensions, Period=60,
            StartTime=ground.group("watched")["CreatedTime"] - timedelta(minutes=1),
            EndTime=min(now, ground.group("watched")["CreatedTime"] + timedelta(hours=23)),
            Statistics=["Average", "Maximum"],
        )["Datapoints"]  # fmt: skip
        return sorted(members, key=lambda each: each["Timestamp"])

    eventually(lambda: any(each["Maximum"] == 1.0 for each in points("GroupInServiceInstances")))
    wanted = {"GroupMinSize": 1.0, "GroupMaxSize": 4.0, "GroupDesiredCapacity": 1.0, "GroupStandbyInstances": 0.0}
    for name, value in wanted.items():
        shown = points(name)
        assert {each["Average"] for each in shown} == {value} and {each["Unit"] for each in shown} == {"None"}
        assert all(each["Timestamp"].second == 0 for each in shown)
    listed = cloudwatch.list_metrics(Namespace="AWS/AutoScaling", Dimensions=dimensions)["Metrics"]
    assert {each["MetricName"] for each in listed} == OF_A_GROUP, "no warm pool, no such points"
    ground.delete("watched")
