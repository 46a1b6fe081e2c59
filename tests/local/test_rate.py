"""The clock's rate is changed under a lab that waits: lab time goes on without a jump, and the wait follows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mglab import waits
from mglab.errors import CloudUnavailable, Denied, WaitTimedOut
from mglab.session import Lab
from mglab.steps import balancing, images, scaling, security, templates
from tests.local.cloud_under_test import GENEROUS_S, Cloud, eventually, lab_on, put_up_network, started

SLOW, FAST = 2.0, 1200.0


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with started("rate", SLOW) as cloud:
        yield cloud


@pytest.fixture
def lab(cloud: Cloud) -> Iterator[Lab]:
    with lab_on(cloud) as lab:
        yield lab


def test_a_waiting_lab_follows_the_clouds_clock(cloud: Cloud, lab: Lab) -> None:
    made: dict[str, Any] = lab.ec2.create_image(InstanceId=launched(lab), Name="while we wait")
    ended: dict[str, Any] = {}

    def wait_in_vain_at_first() -> None:
        ended["image"] = waits.until(
            lab, lambda: state_of_image(lab, made["ImageId"]), lambda state: state == "available",
            what="image", timeout_s=3600, interval_s=5,
        )  # fmt: skip
        lab.clock.sleep(2400)
        ended["slept"] = True

    waiting = threading.Thread(target=wait_in_vain_at_first)
    waiting.start()
    eventually(lambda: state_of_image(lab, made["ImageId"]) == "pending")
    before, at = lab.clock.time(), time.time()
    state = cloud.set(f"rate={FAST:g}")
    after, took_s = lab.clock.time(), time.time() - at
    assert lab.clock.rate == FAST == state["rate"]
    assert before < after <= before + took_s * FAST, "no faster than the faster rate, and never back"
    assert state["lab_epoch"] <= before + took_s * SLOW + 1, "up to the change lab time went at the slower rate"
    waiting.join(GENEROUS_S)
    assert ended["slept"] and ended["image"].outcome == "done"
    assert 100 < ended["image"].seconds < 3600, "in lab seconds, over both rates"


def test_an_instance_is_dated_by_the_clock_as_it_was_set(cloud: Cloud, lab: Lab) -> None:
    stood = lab.clock.time()
    for rate in (600.0, 10.0, 60.0):
        cloud.set(f"rate={rate:g}")
        early = lab.clock.now()
        made = lab.ec2.describe_instances(InstanceIds=[launched(lab)])["Reservations"][0]["Instances"][0]
        late = lab.clock.now()
        assert early.timestamp() - 1 <= made["LaunchTime"].timestamp() <= late.timestamp() + 1
        assert early.timestamp() >= stood
        stood = late.timestamp()


def test_the_lab_goes_on_through_throttling_and_eventual_consistency(cloud: Cloud, lab: Lab) -> None:
    cloud.set("rate=300", "throttling=0.4", "consistency_s=20")
    ground = put_up_network(lab, 22, 5000)
    assert len(ground.subnets) == 2 and ground.group.group_id
    cloud.set("throttling=0", "consistency_s=0")


def test_an_ended_session_is_one_clear_message(cloud: Cloud, lab: Lab) -> None:
    cloud.set("academy=on")
    with pytest.raises(Denied, match="Request has expired") as refused:
        lab.ec2.describe_vpcs()
    assert "mglab cloud set academy=on" in refused.value.hint
    with lab_on(cloud) as again:
        assert again.ec2.describe_vpcs()["Vpcs"]
        cloud.set("session_ends_s=0")
        eventually(lambda: is_denied(again))
    with pytest.raises(CloudUnavailable, match="explicit deny") as ended, lab_on(cloud):
        pass
    assert ended.value.exit_code == 4 and "mglab cloud set academy=on" in ended.value.hint


def test_a_group_that_finds_no_capacity_is_one_clear_message(cloud: Cloud, lab: Lab) -> None:
    cloud.set("rate=600", "capacity=us-east-1a,us-east-1b", "deny=ec2:CreateVpc", "decision_s=1")
    with pytest.raises(Denied, match="CreateVpc: You are not authorized to perform this operation"):
        put_up_network(lab)
    cloud.set("deny=none")
    ground = put_up_network(lab, 5000)
    security.create_key_pair(lab)
    template = templates.create_launch_template(lab, images.project2_image(lab), ground.group)
    target_group = balancing.create_target_group(lab, ground.vpc)
    scaling.create_group(lab, template, ground.subnets, target_group)
    with pytest.raises(WaitTimedOut) as late:
        scaling.wait_in_service(lab, timeout_s=60)
    assert "We currently do not have sufficient t2.micro capacity" in late.value.hint
    cloud.set("capacity=none")
    assert scaling.wait_in_service(lab).outcome == "done"


def is_denied(lab: Lab) -> bool:
    try:
        lab.ec2.describe_vpcs()
    except Denied as refused:
        return refused.code == "UnauthorizedOperation"
    return False


def launched(lab: Lab) -> str:
    image = lab.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = lab.ec2.run_instances(ImageId=image, InstanceType="t2.micro", MinCount=1, MaxCount=1)
    instance_id = str(made["Instances"][0]["InstanceId"])
    eventually(lambda: state_of(lab, instance_id) == "running")
    return instance_id


def state_of(lab: Lab, instance_id: str) -> str:
    found = lab.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    return str(found[0]["Instances"][0]["State"]["Name"])


def state_of_image(lab: Lab, image_id: str) -> str:
    return str(lab.ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"])
