"""A run done in pieces: what fails is mended and the run goes on; what was cut off is found again and made good.

The runner's side with small notebooks (as in test_runner.py); the steps' side on one local cloud.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from mglab.ledger import Ledger
from mglab.session import Lab
from mglab.steps import balancing, images, instances, network, scaling, security, templates
from mglab.study import ready
from mglab.workbook import clouds, state
from tests.local.account_under_test import inventory
from tests.local.cloud_under_test import lab_on, started
from tests.local.test_runner import COUNTING, ROOT, Workshop, statuses, workshop
from tests.local.test_steps import steps_1_to_57, steps_58_to_77

__all__ = ["workshop"]

RATE = 240.0

# -- the runner ------------------------------------------------------------------------------------------------


def test_a_failed_notebook_is_mended_and_the_run_goes_on_from_it(workshop: Workshop) -> None:
    workshop.notebook("00_pass", "pass")
    workshop.notebook("01_fail", "1 / 0")
    workshop.notebook("02_count", COUNTING, "count = 1")
    code, said = workshop.run(keep=True, parameters={"count": "7"})
    assert code == 1 and "then go on: python3 -m mglab run --run x --backend aws --keep --from 01" in said
    begun = workshop.state
    assert (begun["status"], statuses(begun)) == ("failed", ["passed", "failed"])

    workshop.notebook("01_fail", "pass")
    code, said = workshop.run(keep=True, first="01")
    assert code == 0, said
    assert (workshop.executed / "counted").read_text() == "7"  # the run's parameters hold
    whole = workshop.state
    assert (whole["status"], statuses(whole)) == ("passed", ["passed", "passed", "passed"])
    assert (whole["started"], whole["notebooks"]["00_pass"]) == (begun["started"], begun["notebooks"]["00_pass"])
    assert [(one["from"], one["status"]) for one in whole["pieces"]] == [("", "failed"), ("01", "passed")]


def test_a_piece_that_passes_does_not_make_up_for_one_that_failed(workshop: Workshop) -> None:
    workshop.notebook("00_fail", "1 / 0")
    workshop.notebook("01_pass", "pass")
    workshop.run(keep=True)
    assert workshop.run(keep=True, first="01")[0] == 0
    assert (workshop.state["status"], statuses(workshop.state)) == ("incomplete", ["failed", "passed"])


def test_what_99_tears_down_is_not_called_kept(workshop: Workshop) -> None:
    workshop.notebook("00_pass", "pass")
    workshop.notebook("99_teardown", "pass")
    assert "Kept as it is" in workshop.run(keep=True)[1]
    code, said = workshop.run(keep=True, first="99")
    assert code == 0 and "Kept as it is" not in said
    assert workshop.state["teardown"] == "complete"


def test_a_run_that_was_torn_down_begins_anew(workshop: Workshop) -> None:
    workshop.notebook("00_pass", "pass")
    workshop.notebook("01_count", COUNTING, "count = 1")
    workshop.run(parameters={"count": "7"})
    workshop.run(keep=True, last="00")
    again = workshop.state
    assert (again["status"], statuses(again)) == ("incomplete", ["passed", state.TORN_DOWN])
    assert (again["parameters"], len(again["pieces"])) == ({}, 1)


def test_where_the_time_went_is_kept_for_every_notebook(workshop: Workshop) -> None:
    line = '{"kind": "wait", "wall": 4e9, "seconds": 60, "wall_seconds": 0.5}'
    workshop.notebook("00_wait", f"open('../ledger.jsonl', 'a').write('''{line}''' + chr(10))")
    workshop.run(keep=True)
    told = workshop.state["notebooks"]["00_wait"]
    assert (told["waiting_s"], told["aws_waited_s"]) == (0.5, 60)
    assert 0 < told["kernel_s"] <= told["seconds"]


@pytest.fixture
def own_cloud(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name the cloud that run x has to itself; it goes with the test."""
    monkeypatch.setenv("MGLAB_STATE_HOME", str(workshop.folder / "state"))
    yield "run-x"
    clouds.ask("down", "run-x")


def test_a_kept_cloud_that_is_gone_is_said_and_where_to_begin(workshop: Workshop, own_cloud: str) -> None:
    workshop.notebook("00_pass", "pass")
    workshop.notebook("01_needs", "raise LookupError('there is no balancer yet')")
    workshop.run(backend="local", keep=True, last="00")
    ledger = '{"kind": "made", "place": "local/run-x", "what": "vpc", "id": "vpc-1", "at": "2026-01-01T00:00:00+00:00"}'
    (workshop.outputs / "x" / "ledger.jsonl").write_text(ledger + "\n")
    clouds.ask("down", own_cloud)

    code, said = workshop.run(backend="local", keep=True, first="01")
    assert code == 1 and "the cloud that was kept is gone, and 1 resources with it" in said
    assert "nothing of the notebooks before 01 is there: begin with them: python3 -m mglab run --run x --keep" in said
    assert statuses(workshop.state) == [state.TORN_DOWN, "failed"]


def test_tearing_down_a_kept_run_ends_it(workshop: Workshop, own_cloud: str) -> None:
    workshop.notebook("00_pass", "pass")
    workshop.run(backend="local", keep=True)
    assert workshop.state["teardown"] == "kept"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MGLAB_OUTPUTS": str(workshop.outputs)}
    subprocess.run([sys.executable, "-m", "mglab", "teardown", "--run", "x"], env=environment, cwd=ROOT, check=True)
    assert workshop.state["teardown"] == "complete"
    assert clouds.ask("status", own_cloud) is None


# -- the steps and the experiments -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One run on one cloud: each test goes on with what the one before left."""
    with started("resume", RATE) as cloud, lab_on(cloud, "resume") as lab:
        yield lab


def the_whole_lab(lab: Lab) -> None:
    """Carry out notebooks 01 to 06, each cell in its order."""
    server = images.launch_server(lab, images.project2_image(lab), images.health_check_user_data(lab))
    (server,) = instances.wait_running(lab, server)
    images.wait_console(lab, server)
    images.reboot(lab, server)
    images.wait_port(lab, server.public_address, lab.config.health_port)
    steps_1_to_57(lab, images.wait_image(lab, images.create_image(lab, server)))
    steps_58_to_77(lab)


class Crash(BaseException):
    """As when the kernel is killed: nothing catches it."""


def test_a_crash_after_the_making_of_each_kind_makes_nothing_twice(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed: Counter[str] = Counter()
    made = Ledger.made

    def made_or_crash(ledger: Ledger, step: str, what: str, key: str, id: str, **details: Any) -> None:
        crashed[what, key] += 1
        if crashed[what, key] == 1:
            raise Crash
        made(ledger, step, what, key, id, **details)

    monkeypatch.setattr(Ledger, "made", made_or_crash)
    for _ in range(40):
        try:
            the_whole_lab(lab)
            break
        except Crash:
            continue
    kinds = Counter(what for what, *_ in inventory(lab))
    assert kinds.pop("volume") == kinds["instance"]
    assert kinds == {
        "auto-scaling-group": 1, "alarm": 2, "load-balancer": 1, "target-group": 1, "launch-template": 1,
        "instance": 3, "security-group": 2, "internet-gateway": 1, "subnet": 2, "vpc": 1, "image": 1, "snapshot": 1,
        "key-pair": 1,
    }  # fmt: skip
    assert set(crashed.values()) - {1} and {what for what, _ in crashed} >= kinds.keys() - {"alarm", "snapshot"}


def test_what_a_killed_experiment_left_is_made_good(lab: Lab) -> None:
    balancing.wait_active(lab)
    as_made = scaling.group(lab)
    scaling.set_limits(lab, minimum=3)
    group = security.security_group(lab)
    lab.ledger.note("83", "experiment", key=ready.CLOSED_HEALTH_PORT, phase="begin")
    for phase in ("begin", "end"):  # another one may have been carried out since, in another notebook
        lab.ledger.note("Question 1", "experiment", key="pattern", phase=phase)
    security.revoke(lab, group, lab.config.health_port)
    scaling.terminate_instance(lab, scaling.instances(lab)[0].instance_id)

    found = ready.make_ready(lab)
    assert (found.minimum, found.maximum, found.desired) == (as_made.minimum, as_made.maximum, as_made.desired)
    assert [it.ports for it in security.rules(lab, group)] == ["22", "5000", "5001"]
    assert [it.lifecycle for it in scaling.instances(lab)] == ["InService", "InService"]
    assert [it.state for it in balancing.target_health(lab)] == ["healthy", "healthy"]


def test_a_health_port_that_the_sheet_leaves_closed_stays_closed(lab: Lab) -> None:
    group = security.security_group(lab)
    security.revoke(lab, group, lab.config.health_port)
    ready.make_good(lab)
    assert [it.ports for it in security.rules(lab, group)] == ["22", "5000"]
    security.allow(lab, group, lab.config.health_port)


def test_a_group_follows_what_was_made_anew(lab: Lab) -> None:
    lab.ec2.delete_launch_template(LaunchTemplateName=lab.config.launch_template_name)
    lab.elbv2.delete_load_balancer(LoadBalancerArn=balancing.load_balancer(lab).arn)
    lab.elbv2.delete_target_group(TargetGroupArn=balancing.target_group(lab).arn)
    the_whole_lab(lab)
    scaling.terminate_instance(lab, scaling.instances(lab)[0].instance_id)
    ready.make_ready(lab)
    (answer,) = lab.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert answer["LaunchTemplate"]["LaunchTemplateId"] == templates.describe(lab).template_id
    assert answer["TargetGroupARNs"] == [balancing.target_group(lab).arn]


def test_other_limits_reach_the_group_that_is_there(lab: Lab) -> None:
    vpc_of_group = (templates.describe(lab), network.subnets(lab), balancing.target_group(lab))
    scaling.set_limits(lab, maximum=5)
    assert scaling.create_group(lab, *vpc_of_group).maximum == lab.config.maximum
    assert scaling.limits_as_made(lab)["maximum"] == lab.config.maximum


def test_a_group_that_is_being_deleted_is_waited_for_and_made_anew(lab: Lab) -> None:
    before = scaling.group(lab).arn
    lab.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=lab.config.group_name, ForceDelete=True)
    steps_58_to_77(lab)
    assert scaling.group(lab).arn != before
