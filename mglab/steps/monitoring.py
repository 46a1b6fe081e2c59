"""Monitoring, steps 87-88: the two tabs that look at one system from two sides, and the alarms.

The target group's tab counts hosts: HealthyHostCount and UnHealthyHostCount exist only with the target
group among the dimensions, split by zone or not. The load balancer's tab counts traffic: flows, bytes,
packets, resets, capacity units; it never knows which target served (aws-facts 4.1). Every node reports, and
minimum and maximum are taken over nodes: hence Maximum of healthy and Minimum of unhealthy hosts.

A dimension combination that was never published gives nothing, which is not zero: such columns are empty.
Points are a minute apart and come one to three minutes late (aws-facts 4.4). The console's graphs can be had
as pictures too: GetMetricWidgetImage draws what a ``widget`` describes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mglab import waits
from mglab.display import column
from mglab.session import Lab
from mglab.steps.balancing import load_balancer, target_group
from mglab.steps.ensure import Record, Records
from mglab.steps.network import subnets

if TYPE_CHECKING:
    import pandas

PERIOD_S = 60
PATIENCE_S, LOOK_BACK = 600, timedelta(minutes=5)
WIDGET_WIDTH = 900
MARK = "#687078"
NAMESPACE = "AWS/NetworkELB"

HOSTS = (("HealthyHostCount", "Healthy hosts", "Maximum"), ("UnHealthyHostCount", "Unhealthy hosts", "Minimum"))
TRAFFIC = (
    ("NewFlowCount", "New flows", "Sum"),
    ("ActiveFlowCount", "Active flows", "Average"),
    ("ProcessedBytes", "Processed bytes", "Sum"),
    ("ProcessedPackets", "Processed packets", "Sum"),
    ("PeakBytesPerSecond", "Peak bytes a second", "Maximum"),
    ("PeakPacketsPerSecond", "Peak packets a second", "Maximum"),
    ("ConsumedLCUs", "Consumed LCUs", "Sum"),
    ("TCP_Client_Reset_Count", "Client resets", "Sum"),
    ("TCP_Target_Reset_Count", "Target resets", "Sum"),
    ("TCP_ELB_Reset_Count", "Load balancer resets", "Sum"),
    ("RejectedFlowCount", "Rejected flows", "Sum"),
    ("UnhealthyRoutingFlowCount", "Fail-open flows", "Sum"),
    ("PortAllocationErrorCount", "Port allocation errors", "Sum"),
    ("SecurityGroupBlockedFlowCount_Inbound_TCP", "Blocked by security group, inbound", "Sum"),
    ("SecurityGroupBlockedFlowCount_Outbound_TCP", "Blocked by security group, outbound", "Sum"),
)
ZONE_HEALTH = ("ZonalHealthStatus", "Zonal health", "Minimum")
BYTES = ("ProcessedBytes", "PeakBytesPerSecond")
"""These are in bytes, all others are counts (aws-facts 4.1)."""
GROUP = (
    ("GroupDesiredCapacity", "Desired", "Average"),
    ("GroupInServiceInstances", "In service", "Average"),
    ("GroupPendingInstances", "Pending", "Average"),
    ("GroupTerminatingInstances", "Terminating", "Average"),
    ("GroupTotalInstances", "Total", "Average"),
)


@dataclass(frozen=True)
class Metric:
    """One line of a graph: a metric, its dimensions, and the statistic it is read by."""

    label: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    unit: str = "Count"


@dataclass(frozen=True)
class Alarm(Record):
    """A CloudWatch alarm."""

    name: str = field(metadata=column("Alarm"))
    state: str = field(metadata=column("State"))
    condition: str = field(metadata=column("Condition"))
    changed: datetime = field(metadata=column("Since", "time"))
    reason: str = field(metadata=column("Reason"))
    threshold: float = field(metadata=column("Threshold", "number"), repr=False)


@dataclass(frozen=True)
class AlarmChange(Record):
    """One change of an alarm's state, as its history tells it."""

    at: datetime = field(metadata=column("When", "time"))
    alarm: str = field(metadata=column("Alarm"))
    old: str = field(metadata=column("From", "status"))
    new: str = field(metadata=column("To", "status"))
    reason: str = field(metadata=column("Reason"))


def target_group_tab(lab: Lab) -> list[Metric]:
    """List what the target group's Monitoring tab shows: hosts by health, in all and by zone (step 87)."""
    balancer, group = dimension_of(load_balancer(lab).arn), dimension_of(target_group(lab).arn)
    return target_group_lines(balancer, group, [subnet.zone for subnet in subnets(lab)])


def load_balancer_tab(lab: Lab) -> list[Metric]:
    """List what the load balancer's Monitoring tab shows: flows, bytes, packets, resets, zones (step 88)."""
    return load_balancer_lines(dimension_of(load_balancer(lab).arn), [subnet.zone for subnet in subnets(lab)])


def group_metrics(lab: Lab, since: datetime, until: datetime | None = None) -> pandas.DataFrame:
    """Read the group's own metrics and its average CPU."""
    return read(lab, group_lines(lab.config.group_name), since, until)


def alarms(lab: Lab) -> Records[Alarm]:
    """List the alarms that the group's target tracking made."""
    pages = lab.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"TargetTracking-{lab.config.group_name}-"
    )
    return Records(_read_alarm(it) for page in pages for it in page["MetricAlarms"])


def side_of(alarm: str) -> str:
    """Say which of the policy's two alarms a name is (aws-facts 2.6): ``AlarmHigh`` grows, ``AlarmLow`` shrinks."""
    return "AlarmHigh" if "-AlarmHigh-" in alarm else "AlarmLow"


def alarm_history(lab: Lab, since: datetime | None = None) -> Records[AlarmChange]:
    """List every change of state of those alarms (those after ``since``), oldest first."""
    reader = lab.cloudwatch.get_paginator("describe_alarm_history")
    limits = {"StartDate": since} if since else {}
    asked = [reader.paginate(AlarmName=it.name, HistoryItemType="StateUpdate", **limits) for it in alarms(lab)]
    found = (_read_change(it) for pages in asked for page in pages for it in page["AlarmHistoryItems"])
    return Records(sorted(found, key=lambda change: change.at))


# -- which lines a tab has ------------------------------------------------------------------------------------


def dimension_of(arn: str) -> str:
    """Give an ARN's dimension value: ``net/MGLB/fea3...`` or ``targetgroup/MGTG/bc50...``."""
    return arn.split(":loadbalancer/")[-1] if ":loadbalancer/" in arn else arn.rsplit(":", 1)[-1]


def target_group_lines(balancer: str, group: str, zones: Sequence[str]) -> list[Metric]:
    """List the target group's lines: each count in all, then by zone."""
    both = (("LoadBalancer", balancer), ("TargetGroup", group))
    return [
        Metric(f"{label} ({zone})" if zone else label, NAMESPACE, name, _in_zone(zone) + both, statistic)
        for name, label, statistic in HOSTS
        for zone in ("", *zones)
    ]


def load_balancer_lines(balancer: str, zones: Sequence[str]) -> list[Metric]:
    """List the load balancer's lines; a zone's health is read zone by zone."""
    only = (("LoadBalancer", balancer),)
    name, label, statistic = ZONE_HEALTH
    return [
        *(Metric(words, NAMESPACE, it, only, how, _unit(it)) for it, words, how in TRAFFIC),
        *(Metric(f"{label} ({zone})", NAMESPACE, name, _in_zone(zone) + only, statistic) for zone in zones),
    ]


def group_lines(group_name: str) -> list[Metric]:
    """List the group's lines."""
    only = (("AutoScalingGroupName", group_name),)
    counts = [Metric(label, "AWS/AutoScaling", name, only, statistic) for name, label, statistic in GROUP]
    return [*counts, Metric("CPU (%)", "AWS/EC2", "CPUUtilization", only, "Average", "Percent")]


def _in_zone(zone: str) -> tuple[tuple[str, str], ...]:
    return (("AvailabilityZone", zone),) if zone else ()


def _unit(name: str) -> str:
    return "Bytes" if name in BYTES else "Count"


def metric_query(number: int, line: Metric) -> dict[str, Any]:
    """Say what GetMetricData is asked for one line."""
    metric = {
        "Namespace": line.namespace,
        "MetricName": line.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in line.dimensions],
    }
    return {
        "Id": f"m{number}",
        "Label": line.label,
        "MetricStat": {"Metric": metric, "Period": PERIOD_S, "Stat": line.statistic},
    }


# -- CloudWatch's own picture ----------------------------------------------------------------------------------


def widget(
    lines: Sequence[Metric],
    since: datetime,
    until: datetime,
    *,
    title: str,
    region: str,
    marks: Sequence[tuple[datetime, str]] = (),
    height: int = 400,
) -> dict[str, Any]:
    """Say what GetMetricWidgetImage is to draw: the lines, bytes on an axis of their own, and moments with words."""
    units = list(dict.fromkeys(line.unit for line in lines))
    return {
        "title": title,
        "view": "timeSeries",
        "stacked": False,
        "region": region,
        "width": WIDGET_WIDTH,
        "height": height,
        "period": PERIOD_S,
        "start": _iso(since),
        "end": _iso(until),
        "timezone": "+0000",
        "metrics": [_widget_line(line, units) for line in lines],
        "yAxis": {side: {"min": 0, "label": unit} for side, unit in zip(("left", "right"), units, strict=False)},
        "annotations": {"vertical": [{"value": _iso(at), "label": words, "color": MARK} for at, words in marks]},
    }


def _widget_line(line: Metric, units: Sequence[str]) -> list[Any]:
    names = [name for pair in line.dimensions for name in pair]
    side = "left" if line.unit == units[0] else "right"
    return [
        line.namespace, line.name, *names,
        {"label": f"{line.label} · {line.statistic}", "stat": line.statistic, "yAxis": side},
    ]  # fmt: skip


def picture(lab: Lab, what: dict[str, Any]) -> bytes:
    """Have CloudWatch draw a widget, as its console would, and give the PNG."""
    answer = lab.cloudwatch.get_metric_widget_image(MetricWidget=json.dumps(what), OutputFormat="png")
    return bytes(answer["MetricWidgetImage"])


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# -- reading them -------------------------------------------------------------------------------------------


def read(lab: Lab, lines: Sequence[Metric], since: datetime, until: datetime | None = None) -> pandas.DataFrame:
    """Read lines into a frame: one row a minute of lab time, one column a line, empty where nothing was published."""
    import pandas

    points = _points(lab, [metric_query(*numbered) for numbered in enumerate(lines)], since, until or lab.clock.now())
    columns = {
        line.label: pandas.Series(points.get(f"m{number}", {}), dtype="float64") for number, line in enumerate(lines)
    }
    frame = pandas.DataFrame(columns)
    frame.index = pandas.DatetimeIndex(pandas.to_datetime(frame.index, utc=True), name="time")
    return frame.sort_index()


def points(frame: pandas.DataFrame, label: str) -> tuple[tuple[datetime, float], ...]:
    """Give the points of one line, by its label, out of what was read; oldest first."""
    known = frame[label].dropna().items()
    return tuple((at.to_pydatetime(), float(value)) for at, value in known)  # type: ignore[attr-defined]


def wait_published(lab: Lab, line: Metric, moment: datetime) -> waits.Wait:
    """Wait until a line has the minute before ``moment``: points come one to three minutes late (aws-facts 4.4).

    Gives up after some minutes and says so: a metric without data is never published.
    """
    newest, give_up = moment - timedelta(seconds=PERIOD_S), lab.clock.now() + timedelta(seconds=PATIENCE_S)

    def look() -> str:
        points = _points(lab, [metric_query(0, line)], newest - LOOK_BACK, lab.clock.now()).get("m0", {})
        if any(at > newest - timedelta(seconds=PERIOD_S) for at in points):
            return "published"
        return "given up" if lab.clock.now() > give_up else "not yet published"

    return waits.until(
        lab, look, lambda it: it != "not yet published", what=f"{line.name} of the last minute asked for",
        timeout_s=2 * PATIENCE_S, interval_s=15,
    )  # fmt: skip


def _points(
    lab: Lab, queries: list[dict[str, Any]], since: datetime, until: datetime
) -> dict[str, dict[datetime, float]]:
    """Ask for all lines at once: each query's id with its points."""
    pages = lab.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=since, EndTime=until, ScanBy="TimestampAscending"
    )
    found: dict[str, dict[datetime, float]] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            series = zip(result["Timestamps"], result["Values"], strict=True)
            found.setdefault(result["Id"], {}).update(series)
    return found


def _read_alarm(answer: dict[str, Any]) -> Alarm:
    signs = {"GreaterThanThreshold": ">", "LessThanThreshold": "<"}
    sign = signs.get(answer["ComparisonOperator"], answer["ComparisonOperator"])
    minutes = answer["EvaluationPeriods"] * answer["Period"] // 60
    return Alarm(
        name=answer["AlarmName"],
        state=answer["StateValue"],
        condition=f"{answer['MetricName']} {sign} {answer['Threshold']:g} for {minutes} min",
        changed=answer["StateUpdatedTimestamp"],
        reason=answer.get("StateReason", ""),
        threshold=answer["Threshold"],
    )


def _read_change(answer: dict[str, Any]) -> AlarmChange:
    told = json.loads(answer["HistoryData"])
    return AlarmChange(
        at=answer["Timestamp"].astimezone(UTC),
        alarm=answer["AlarmName"],
        old=told["oldState"]["stateValue"],
        new=told["newState"]["stateValue"],
        reason=told["newState"].get("stateReason", ""),
    )
