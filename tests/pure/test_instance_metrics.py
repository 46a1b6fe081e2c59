"""AWS/EC2 but for CPUUtilization: which points there are, how often, under which dimensions (aws-facts 4.3)."""

from __future__ import annotations

import pytest

from mglab.localcloud.api.compute import InstanceView
from mglab.localcloud.instance_metrics import InstanceMetrics
from mglab.localcloud.processor import Datum
from mglab.localcloud.seam import MachineReport, Observed, TrafficReport


def instance(name: str = "i-a", *, detailed: bool = False, group: str = "", kind: str = "t2.micro") -> InstanceView:
    return InstanceView(
        instance_id=name, state="running", image_id="ami-1", instance_type=kind, vpc_id="vpc-1", subnet_id="subnet-1",
        zone="us-east-1a", private_address="192.168.0.5", loopback_address="127.64.0.1", public_address=None,
        security_group_ids=(), launched_at=0.0, serving=True, detailed_monitoring=detailed,
        tags={"aws:autoscaling:groupName": group} if group else {},
    )  # fmt: skip


def seen(*traffic: TrafficReport, on: bool = True) -> Observed:
    machines = tuple(MachineReport(it.instance_id, "on" if on else "off", 1, 0, 1) for it in traffic)
    return Observed(machines=machines, traffic=traffic)


def values(points: list[Datum], metric: str) -> dict[str, float]:
    mine = [(dimensions, value) for _, name, dimensions, value, _ in points if name == metric]
    return {"/".join(f"{name}={each}" for name, each in dimensions.items()): value for dimensions, value in mine}


QUIET, BUSY = TrafficReport("i-a", 10, 1000, 8, 900), TrafficReport("i-a", 110, 21000, 88, 50900)


@pytest.mark.fact("4.3/network", "4.3/status-checks", "4.3/resolution")
def test_basic_monitoring_has_traffic_every_five_minutes_and_status_checks_every_minute() -> None:
    metrics, views = InstanceMetrics(), [instance(group="MGAS")]
    for each in (QUIET, BUSY):
        points = metrics.minute(seen(each), views)
    assert {name for _, name, *_ in points} == {
        "StatusCheckFailed", "StatusCheckFailed_Instance", "StatusCheckFailed_System",
    }  # fmt: skip
    metrics.window(seen(QUIET), views, {})
    points = metrics.window(seen(BUSY), views, {})
    both = ("InstanceId=i-a", "AutoScalingGroupName=MGAS")
    assert values(points, "NetworkIn") == dict.fromkeys(both, 20000)
    assert values(points, "NetworkOut") == dict.fromkeys(both, 50000)
    assert values(points, "NetworkPacketsIn") == dict.fromkeys(both, 100)
    assert values(points, "NetworkPacketsOut") == dict.fromkeys(both, 80)
    assert {name: unit for _, name, _, _, unit in points} == {
        "NetworkIn": "Bytes", "NetworkOut": "Bytes", "NetworkPacketsIn": "Count", "NetworkPacketsOut": "Count",
    }  # fmt: skip


@pytest.mark.fact("4.3/aggregates", "4.3/resolution")
def test_detailed_monitoring_has_traffic_every_minute_and_two_more_dimensions() -> None:
    metrics, views = InstanceMetrics(), [instance(detailed=True)]
    metrics.minute(seen(QUIET), views)
    points = metrics.minute(seen(BUSY), views)
    assert values(points, "NetworkIn") == dict.fromkeys(
        ("InstanceId=i-a", "ImageId=ami-1", "InstanceType=t2.micro"), 20000
    )
    assert values(points, "NetworkPacketsIn") == {}  # with basic monitoring's five minutes only
    metrics.window(seen(QUIET), views, {})
    points = metrics.window(seen(BUSY), views, {})
    assert values(points, "NetworkIn") == {} and values(points, "NetworkPacketsIn")["ImageId=ami-1"] == 100


def test_an_instance_that_nobody_spoke_to_sent_nothing() -> None:
    metrics, views = InstanceMetrics(), [instance()]
    metrics.window(Observed(), views, {})
    assert values(metrics.window(Observed(), views, {}), "NetworkIn") == {"InstanceId=i-a": 0}


def test_a_first_and_partial_window_has_no_point() -> None:
    metrics = InstanceMetrics()
    assert metrics.window(seen(QUIET), [instance()], {}) == []


def test_a_check_fails_when_a_machine_that_ran_has_been_off_for_a_minute() -> None:
    metrics, views = InstanceMetrics(), [instance()]
    walk = []
    for on in (False, False, True, False, False, True):
        points = metrics.minute(seen(QUIET, on=on), views)
        walk.append(values(points, "StatusCheckFailed_Instance")["InstanceId=i-a"])
        assert values(points, "StatusCheckFailed") == values(points, "StatusCheckFailed_Instance")
        assert values(points, "StatusCheckFailed_System") == {"InstanceId=i-a": 0}
    assert walk == [0, 0, 0, 0, 1, 0]  # not while it boots for the first time


@pytest.mark.fact("4.3/credits")
def test_credits_are_used_and_earned_every_five_minutes() -> None:
    metrics, views = InstanceMetrics(), [instance()]
    metrics.window(Observed(), views, {})
    points = metrics.window(Observed(), views, {"i-a": 100.0})
    assert values(points, "CPUCreditUsage") == {"InstanceId=i-a": 5}
    assert values(points, "CPUCreditBalance") == {"InstanceId=i-a": pytest.approx(25.5)}
    points = metrics.window(Observed(), views, {"i-a": 0.0})
    assert values(points, "CPUCreditBalance") == {"InstanceId=i-a": pytest.approx(26)}


def test_only_burstable_types_have_credits() -> None:
    metrics, views = InstanceMetrics(), [instance(kind="m5.large")]
    metrics.window(Observed(), views, {})
    assert values(metrics.window(Observed(), views, {"i-a": 50.0}), "CPUCreditBalance") == {}


def test_a_stopped_instance_has_its_launch_credits_again() -> None:
    metrics, views = InstanceMetrics(), [instance()]
    metrics.window(Observed(), views, {"i-a": 100.0})
    metrics.window(Observed(), [], {})
    points = metrics.window(Observed(), views, {"i-a": 0.0})
    assert values(points, "CPUCreditBalance") == {"InstanceId=i-a": pytest.approx(30.5)}
