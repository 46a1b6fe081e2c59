"""Notebook 10's own thinking: what was done, what each metric saw of it, and what CloudWatch is asked to draw."""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas
import pytest

from mglab.clock import Clock
from mglab.ledger import Entry, Ledger
from mglab.localcloud.rules.widget import parse
from mglab.steps import monitoring
from mglab.study import tabs_plot, views
from mglab.study.marks import Mark, marks
from mglab.study.views import NO_DATA, NOTHING, SAME_MINUTE, View, seen

START = datetime(2026, 11, 25, 23, 0, tzinfo=UTC)
ZONES = ["us-east-1a", "us-east-1b"]
HOSTS = monitoring.target_group_lines("net/MGLB/1", "targetgroup/MGTG/2", ZONES)
TRAFFIC = monitoring.load_balancer_lines("net/MGLB/1", ZONES)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def entry(at: float, kind: str, what: str, key: str = "", id: str = "", **details: Any) -> Entry:
    return Entry(minute(at).isoformat(), kind, "local/here", "85", what, key, id, details)


def experiment(at: float, phase: str, key: str = "terminate-1", did: str = "one instance terminated") -> Entry:
    return entry(at, "note", "experiment", key, phase=phase, did=did)


def told(*entries: Entry) -> list[tuple[int, str, str, float, float | None]]:
    """Give the marks, their times as minutes since the start."""
    def since(at: datetime | None) -> float | None:
        return None if at is None else (at - START).total_seconds() / 60

    found = marks(entries, START, minute(600))
    return [(it.number, it.name, it.did, since(it.began) or 0.0, since(it.ended)) for it in found]


# -- what was done --------------------------------------------------------------------------------------------


def test_an_experiment_has_a_begin_and_an_end() -> None:
    assert told(experiment(7, "begin"), experiment(12, "end")) == [
        (1, "terminate-1", "one instance terminated", 7, 12),
    ]  # fmt: skip


def test_one_that_was_cut_off_has_no_end_and_one_done_again_is_another_mark() -> None:
    assert told(experiment(1, "begin"), entry(2, "note", "experiment", "grow", phase="begin"),
                experiment(5, "end"), experiment(8, "begin"), experiment(9, "end")) == [
        (1, "terminate-1", "one instance terminated", 1, 5),
        (2, "grow", "grow", 2, None),
        (3, "terminate-1", "one instance terminated", 8, 9),
    ]  # fmt: skip


def test_an_end_without_a_begin_is_no_mark() -> None:
    assert told(experiment(5, "end")) == []


def test_what_was_done_inside_an_experiment_is_not_marked_twice() -> None:
    assert [one[1] for one in told(
        experiment(1, "begin"), entry(1.1, "removed", "instance", id="i-1"), experiment(3, "end"),
        entry(4, "removed", "instance", id="i-2"),
    )] == ["terminate-1", "instance terminated"]  # fmt: skip


def test_the_steps_own_lines_are_marked_too() -> None:
    assert told(
        entry(1, "made", "auto-scaling-group", "MGAS"),
        entry(3, "note", "security-group-rule", "sg-1 tcp 5001 0.0.0.0/0", revoked=True),
        entry(4.2, "note", "security-group-rule", "sg-1 tcp 5001 0.0.0.0/0", done=True),
        entry(6, "removed", "instance", id="i-1"),
        entry(6.5, "removed", "instance", id="i-2"),
        entry(9, "note", "auto-scaling-group", "MGAS", changes={"MinSize": 2, "DesiredCapacity": 2}),
        entry(9.1, "made", "instance", "x"),
        entry(9.2, "note", "image", "x"),
    ) == [
        (1, "group created", "group MGAS created", 1, None),
        (2, "rule removed", "rule tcp 5001 0.0.0.0/0 removed", 3, None),
        (3, "rule added", "rule tcp 5001 0.0.0.0/0 added", 4.2, None),
        (4, "2 × instance terminated", "i-1 terminated, i-2 terminated", 6, None),
        (5, "limits changed", "min size 2, desired capacity 2", 9, None),
    ]


def test_what_was_done_before_the_load_balancer_is_left_out() -> None:
    assert told(entry(-3, "removed", "instance", id="i-1"), experiment(-1, "begin")) == []


def test_a_teardown_is_no_experiment() -> None:
    gone = Entry(minute(9).isoformat(), "removed", "local/here", "99", "instance", "x", "i-1", {})
    assert told(gone) == []


# -- what a metric saw ----------------------------------------------------------------------------------------


def values(*row: float | None) -> dict[datetime, float]:
    return {minute(n): math.nan if value is None else value for n, value in enumerate(row)}


@pytest.mark.parametrize(
    ("row", "began", "end", "words"),
    [
        ((2, 2, 1, 1, 2), 1.5, 9, "2 → 1 → 2"),
        ((2, 2, 2, 2), 1.5, 9, NOTHING),
        ((0, 0, 5, 9, 0, 70), 1.5, 5, "0 → 9 → 0"),
        ((0, 30_371, 3), 1.5, 9, "0 → 30.4k → 3"),
        ((0, 1_500_000, 3), 1.5, 9, "0 → 1.5M → 3"),
        ((0, 0.000396, 0), 1.5, 9, "0 → 0.00040 → 0"),
        ((0, 0.0000212, 0), 1.5, 9, "0 → 0.000021 → 0"),
        ((None, 6, None), 1, 9, "– → 6 → –"),
        ((None, None, None), 1, 9, NO_DATA),
        ((2, None, None), 1, 9, NO_DATA),
        ((5, 5, 5, 5), 9, 20, NO_DATA),
        ((2, 2, 2), -1, 9, "– → 2 → 2"),
        ((2, 1, 0), 1.1, 1.5, SAME_MINUTE),
        # The minute that both events fall into belongs to the later one.
        ((2, 2, 1, 2), 1.2, 2.5, NOTHING),
        ((2, 2, 1, 2), 2.5, 9, "2 → 1 → 2"),
    ],
)
def test_a_metric_saw_what_its_points_say(row: Any, began: float, end: float, words: str) -> None:
    assert seen(values(*row), minute(began), minute(end)).words == words


def frame(lines: list[monitoring.Metric], **columns: list[float | None]) -> pandas.DataFrame:
    count = max((len(it) for it in columns.values()), default=0)
    known = {line.label: columns.get(line.name, [None] * count) for line in lines}
    minutes = pandas.DatetimeIndex([minute(n) for n in range(count)], name="time")
    return pandas.DataFrame(known, index=minutes, dtype=float)


DIED = Mark(1, "terminate-1", "one instance terminated", minute(2.5), minute(5))
GREW = Mark(2, "grow", "the minimum raised to 3", minute(6.5), None)
TARGETS = View("Target group", HOSTS, frame(HOSTS, HealthyHostCount=[2, 2, 1, 1, 2, 2, 2, 3, 3]))
BALANCER = View(
    "Load balancer", TRAFFIC,
    frame(TRAFFIC, NewFlowCount=[0, 0, 9, 8, 0, 0, 0, 0, 0], ProcessedBytes=[0, 0, 900, 800, 0, 0, 0, 0, 0],
          TCP_Target_Reset_Count=[0] * 9),
)  # fmt: skip


def test_the_table_has_a_row_a_metric_and_a_column_a_mark() -> None:
    rows = TARGETS.saw([DIED, GREW])
    assert rows[0] == {"metric": "Healthy hosts", "1: terminate-1": "2 → 1 → 2", "2: grow": "2 → 3 → 3"}
    assert len(rows) == 3
    unhealthy = "; ".join(line.label for line in HOSTS if line.name == "UnHealthyHostCount")
    assert TARGETS.silence == f"No data points at all: {unhealthy}."
    assert TARGETS.saw([])[0] == {"metric": "Healthy hosts"}


def test_the_contrast_covers_every_metric_of_both_tabs() -> None:
    assert {one.metric for one in views.contrast(TARGETS, BALANCER)} == set(views.SEES)


def test_each_metric_of_both_tabs_is_told_when_it_moved() -> None:
    told = {one.metric: one.in_this_run for one in views.moved([DIED, GREW], TARGETS, BALANCER)}
    assert set(told) == set(views.SEES)
    assert told["Healthy hosts"] == "moved at 1, 2"
    assert told["New flows"] == "moved at 1"
    assert told["Zonal health"] == NO_DATA
    assert told["Target resets"] == "never moved"
    assert told["Port allocation errors"] == NO_DATA


def test_what_the_best_zone_hides_is_seen_in_a_zone() -> None:
    columns = {line.label: [1.0] * 9 for line in HOSTS}
    columns["Healthy hosts (us-east-1a)"] = [1, 1, 1, 0, 0, 1, 1, 1, 1]
    minutes = pandas.DatetimeIndex([minute(n) for n in range(9)], name="time")
    view = View("Target group", HOSTS, pandas.DataFrame(columns, index=minutes))
    told = {one.metric: one.in_this_run for one in views.moved([DIED, GREW], view)}
    assert told == {"Healthy hosts": "in a zone at 1", "Unhealthy hosts": "never moved"}


def test_a_summary_adds_up_only_what_can_be_added() -> None:
    told = {one.metric: one for one in (*TARGETS.summary, *BALANCER.summary)}
    assert (told["New flows"].statistic, told["New flows"].total) == ("Sum", 17)
    assert (told["Healthy hosts"].statistic, told["Healthy hosts"].total) == ("Maximum", None)
    assert (told["Processed bytes"].unit, told["Fail-open flows"].points) == ("Bytes", 0)


def test_a_panel_says_its_statistic_and_unit_or_its_lines_do() -> None:
    panels = {panel.title: panel for panel in (*TARGETS.panels, *BALANCER.panels)}
    assert (panels["Healthy hosts"].statistic, panels["Healthy hosts"].unit) == ("Maximum", "Count")
    assert list(panels["Healthy hosts"].series) == ["all zones", *ZONES]
    assert (panels["Flows"].statistic, list(panels["Flows"].series)) == ("", ["New flows (Sum)"])
    assert (panels["Processed bytes"].unit, panels["Zonal health"].statistic) == ("Bytes", "Minimum")
    assert panels["Unhealthy hosts"].series == {}


NOTHING_YET = View("Target group", HOSTS, frame(HOSTS))


@pytest.mark.parametrize(
    ("columns", "did"),
    [([NOTHING_YET, NOTHING_YET], []), ([NOTHING_YET, BALANCER], [DIED]), ([TARGETS, BALANCER], [DIED, GREW] * 6)],
    ids=["nothing", "little", "much"],
)
def test_the_figure_draws_from_little_and_from_nothing(columns: list[View], did: list[Mark]) -> None:
    figure = tabs_plot.monitoring(columns, did, title="t")
    figure.canvas.draw()
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert all(str(one.number) in words for one in did)


# -- CloudWatch's own picture ---------------------------------------------------------------------------------


def asked(lines: list[monitoring.Metric]) -> dict[str, Any]:
    return monitoring.widget(
        lines, START, minute(30), title="Load balancer", region="us-east-1", marks=[(minute(2.5), "1")]
    )


def test_87_a_widget_names_each_line_with_its_own_statistic() -> None:
    what = asked(HOSTS[:1])
    assert what["metrics"] == [
        ["AWS/NetworkELB", "HealthyHostCount", "LoadBalancer", "net/MGLB/1", "TargetGroup", "targetgroup/MGTG/2",
         {"label": "Healthy hosts · Maximum", "stat": "Maximum", "yAxis": "left"}],
    ]  # fmt: skip
    assert (what["start"], what["end"], what["period"]) == (
        "2026-11-25T23:00:00.000Z", "2026-11-25T23:30:00.000Z", 60,
    )  # fmt: skip
    assert [(it["value"], it["label"]) for it in what["annotations"]["vertical"]] == [("2026-11-25T23:02:30.000Z", "1")]


def test_88_bytes_have_an_axis_of_their_own() -> None:
    in_one = [line for line in TRAFFIC if line.label in views.IN_THE_PICTURE]
    assert {it[1]: it[-1]["yAxis"] for it in asked(in_one)["metrics"]} == {
        "NewFlowCount": "left", "ActiveFlowCount": "left", "ProcessedBytes": "right", "TCP_Client_Reset_Count": "left",
        "TCP_Target_Reset_Count": "left", "TCP_ELB_Reset_Count": "left",
    }  # fmt: skip
    assert asked(in_one)["yAxis"] == {"left": {"min": 0, "label": "Count"}, "right": {"min": 0, "label": "Bytes"}}


@pytest.mark.parametrize("lines", [HOSTS, TRAFFIC], ids=["target group", "load balancer"])
def test_what_is_asked_is_a_document_that_cloudwatch_takes(lines: list[monitoring.Metric]) -> None:
    read = parse(json.dumps(asked(lines)), minute(60).timestamp())
    assert [(it.name, it.dimensions, it.stat) for it in read.lines] == [
        (line.name, line.dimensions, line.statistic) for line in lines
    ]


def test_what_an_earlier_run_of_this_name_did_is_not_marked(tmp_path: Path) -> None:
    """Its cloud's clock ran ahead: its lines are dated among this run's, and stand before them."""
    clock = Clock(wall=partial(next, itertools.count(START.timestamp())))
    here = SimpleNamespace(ledger=Ledger(tmp_path / "ledger.jsonl", clock, "local/x"), clock=clock)
    for key in ("before", "now"):
        here.ledger.made("49-57", "load-balancer", "MGLB", f"arn:{key}")
        here.ledger.note("85", "experiment", key=key, phase="begin", did=key)
        here.ledger.note("85", "experiment", key=key, phase="end", did=key)
    assert [mark.name for mark in views.marks(here)] == ["now"]  # type: ignore[arg-type]
