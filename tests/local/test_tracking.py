"""Target tracking on real load: requests burn CPU, the alarm speaks, the group grows; none come, and it shrinks.

The whole lab is on one cloud, and the load is the workbook's own experiment. All that is asserted was told by the
API; nothing here counts on how long anything takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from mglab import waits
from mglab.errors import CheckFailed
from mglab.session import Lab
from mglab.steps import balancing, monitoring, network, scaling, templates
from mglab.study import surge, surge_plot
from mglab.study.surge import Surge
from mglab.workbook import checks
from tests.local.cloud_under_test import lab_on, put_up_service, started

RATE = 240.0
A_LAB_MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with started("tracking", RATE) as cloud, lab_on(cloud, "tracking") as lab:
        put_up_service(lab)
        yield lab


@pytest.fixture(scope="module")
def seen(lab: Lab) -> Surge:
    """One surge, with the policy of step 73 in place."""
    scaling.put_target_tracking(lab)
    return surge.surge(lab)


def alarm_named(lab: Lab, side: str) -> str:
    (name,) = [it.name for it in monitoring.alarms(lab) if f"-Alarm{side}-" in it.name]
    return name


def activity(seen: Surge, words: str) -> scaling.Activity:
    (found,) = [it for it in seen.told.activities if it.description.startswith(words)]
    return found


def test_without_a_policy_there_is_nothing_to_surge_against(lab: Lab) -> None:
    with pytest.raises(CheckFailed, match="no target tracking policy"):
        surge.surge(lab)


def test_the_high_alarm_fires_and_a_third_instance_answers_users(seen: Surge) -> None:
    assert seen.fired_at is not None and seen.answered_at is not None, seen.says
    assert seen.began < seen.fired_at < seen.answered_at < seen.load_off
    assert max(percent for at, percent in seen.told.cpu if at < seen.load_off) > 50.0
    assert {it.responders for it in seen.felt if it.phase.startswith("a user")} <= {2, 3}


def test_the_launch_says_which_alarm_asked_for_it(lab: Lab, seen: Surge) -> None:
    launch = activity(seen, "Launching a new EC2 instance: i-")
    high = re.escape(alarm_named(lab, "High"))
    assert re.fullmatch(
        rf"At \S+Z a monitor alarm {high} in state ALARM triggered policy {lab.config.policy_name} changing the "
        r"desired capacity from 2 to 3\.  At \S+Z an instance was started in response to a difference between desired "
        r"and actual capacity, increasing the capacity from 2 to 3\.", launch.cause,
    )
    assert seen.fired_at is not None and launch.started >= seen.fired_at.replace(microsecond=0)
    (told,) = [it for it in described(lab) if it["ActivityId"] == launch.activity_id]
    (invoking,) = json.loads(told["Details"])["InvokingAlarms"]
    assert invoking["AlarmName"] == alarm_named(lab, "High") and invoking["NewStateValue"] == "ALARM"


def described(lab: Lab) -> list[dict[str, str]]:
    answer = lab.autoscaling.describe_scaling_activities(AutoScalingGroupName=lab.config.group_name)
    return list(answer["Activities"])


def test_load_off_the_low_alarm_takes_one_instance_out(lab: Lab, seen: Surge) -> None:
    assert seen.is_back and seen.calmed_at is not None, seen.says
    end, low = activity(seen, "Terminating EC2 instance: i-"), re.escape(alarm_named(lab, "Low"))
    assert re.match(
        rf"At \S+Z a monitor alarm {low} in state ALARM triggered policy {lab.config.policy_name} changing the desired "
        r"capacity from 3 to 2\.  At \S+Z an instance was taken out of service in response to a difference between "
        r"desired and actual capacity, shrinking the capacity from 3 to 2\.  At \S+Z instance i-", end.cause,
    )
    assert end.started >= seen.calmed_at.replace(microsecond=0) and end.status == "Successful"
    assert len(scaling.instances(lab)) == 2 and scaling.group(lab).desired == 2


def test_the_alarms_history_tells_it(seen: Surge) -> None:
    high, low = seen.told.alarms
    assert (high.side, high.threshold, low.side, low.threshold) == ("high", 50.0, "low", 35.0)
    (fired,) = [it for it in high.changes if it.at == seen.fired_at]
    assert re.match(r"Threshold Crossed: .* greater than the threshold \(50\.0\)", fired.reason)
    (calmed,) = [it for it in low.changes if it.at == seen.calmed_at]
    assert re.match(r"Threshold Crossed: .* less than the threshold \(35\.0\)", calmed.reason)
    for alarm in seen.told.alarms:
        assert [it.old for it in alarm.changes[1:]] == [it.new for it in alarm.changes[:-1]]


def test_metrics_tell_it_too(lab: Lab, seen: Surge) -> None:
    sizes = [int(count) for at, count in seen.told.in_service if at >= seen.began - A_LAB_MINUTE]
    assert (sizes[0], max(sizes), sizes[-1]) == (2, 3, 2)
    load = sum(it.requests for it in seen.minutes)
    flows = sum(count for at, count in seen.told.new_flows if at >= seen.began - A_LAB_MINUTE)
    assert load <= flows <= load + len(seen.samples)
    assert seen.minutes and {it.outcome for it in seen.minutes} <= {"answered", "reset"}
    tab = monitoring.read(lab, monitoring.load_balancer_tab(lab), seen.began - A_LAB_MINUTE)
    counted = tab[["Target resets", "Load balancer resets"]].sum().sum()
    failed = sum(it.requests for it in seen.minutes if it.outcome != "answered")
    assert failed <= counted, "a newcomer's health check may listen before its service; who was reset was counted"


def test_it_is_filed_kept_checked_and_drawn(lab: Lab, seen: Surge) -> None:
    notes = [entry for entry in lab.ledger.entries() if entry.what == "experiment" and entry.key == "surge"]
    assert [(entry.step, entry.details["phase"]) for entry in notes] == [
        ("86", "begin"), ("86", "load-off"), ("86", "end"),
    ]  # fmt: skip
    assert surge.surge(lab) == seen, "done once a run, and kept to the letter"
    assert checks.scaled_under_load(lab, seen).says == seen.says
    assert len(surge_plot.surge(seen, title="x").axes) == 4


def test_a_load_that_is_easily_borne_is_said_to_be_and_taken_off(
    lab: Lab, seen: Surge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surge, "FIRED_TIMEOUT_S", 900.0)
    monkeypatch.setattr(waits, "PATIENCE_FLOOR_WALL_S", 1.0)
    full = replace(lab, config=replace(lab.config, maximum=2))
    made_of = (templates.describe(lab), network.subnets(lab), balancing.target_group(lab))
    scaling.create_group(full, *made_of)
    easy = surge.surge(full, requests_per_s=2.0, again=True)
    assert easy.fired_at is None and not easy.newcomer and easy.told.activities == ()
    assert [pace for _, pace in easy.steps[:2]] == [2.0, 3.0], "a window below the target raises the load by half"
    assert re.match(r"The high alarm did not fire in \d.*: \d+ requests/s offered, and the average CPU", easy.says)
    assert easy.is_back and scaling.group(lab).maximum == 2, "the maximum was raised to leave room, and put back"
    scaling.create_group(lab, *made_of)
    with pytest.raises(CheckFailed, match="did not fire"):
        checks.scaled_under_load(lab, easy)
