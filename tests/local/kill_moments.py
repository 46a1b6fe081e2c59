"""A cloud that is killed at random moments while things are made in it: what had been answered must be there again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError

from tests.local.cloud_under_test import Cloud, eventually, family, left_of, started

RATE = 120.0
VICTIMS = (("supervisor",), ("data_plane",), ("supervisor", "data_plane"))
KINDS = {"group", "tag", "key", "target group", "alarm", "instance"}


def kill_at_moments(*, kills: int, seed: int) -> None:
    """Kill a cloud so many times while it is used; after each ``up`` all that was answered must be there.

    So late as a call's answer may be, its snapshot is on the disk before it: no moment is left out.
    """
    chance = random.Random(seed)
    with started("moments", RATE) as cloud:
        makings: list[Making] = []
        made: set[str] = set()
        for number in range(kills):
            making = Making(cloud, f"m{number}")
            makings.append(making)
            maker = threading.Thread(target=making.run)
            maker.start()
            time.sleep(chance.uniform(0.0, 1.5))
            kill(cloud, chance.choice(VICTIMS))
            maker.join()
            cloud.up()
            assert [it.missing() for it in makings] == [{}] * len(makings), f"after kill {number}"
            made |= making.answered.keys()
            if gone := making.answered.pop("instance", []):
                cloud.client("ec2").terminate_instances(InstanceIds=gone)
        assert made == KINDS
        assert not list(cloud.directory.glob("world.aside")), "no snapshot was ever found broken"


def kill(cloud: Cloud, victims: Sequence[str]) -> None:
    """Kill some of a cloud's processes, and wait until none of its processes is left."""
    known, pids = family(cloud), [getattr(cloud, who) for who in victims]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))


@dataclass
class Making:
    """Makes one thing after the other until the cloud is gone, and notes each that was answered."""

    cloud: Cloud
    word: str
    answered: dict[str, list[str]] = field(default_factory=dict)

    def run(self) -> None:
        """Make things; the first that is not answered is the last."""
        with contextlib.suppress(BotoCoreError):
            for number in range(1000):
                self._make(f"{self.word}-{number}")

    def _make(self, name: str) -> None:
        ec2, elbv2, cloudwatch = (self.cloud.client(it) for it in ("ec2", "elbv2", "cloudwatch"))
        group_id = ec2.create_security_group(GroupName=name, Description=name)["GroupId"]
        self._note("group", group_id)
        ec2.create_tags(Resources=[group_id], Tags=[{"Key": "Name", "Value": name}])
        self._note("tag", group_id)
        ec2.create_key_pair(KeyName=name)
        self._note("key", name)
        vpc_id = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        made = elbv2.create_target_group(Name=name, Protocol="TCP", Port=5000, VpcId=vpc_id, TargetType="instance")
        self._note("target group", made["TargetGroups"][0]["TargetGroupArn"])
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="N", MetricName="M", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        self._note("alarm", name)
        if name.endswith("-0"):
            image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
            run = ec2.run_instances(ImageId=image, InstanceType="t2.micro", MinCount=1, MaxCount=1)
            self._note("instance", run["Instances"][0]["InstanceId"])

    def _note(self, kind: str, name: str) -> None:
        self.answered.setdefault(kind, []).append(name)

    def missing(self) -> dict[str, set[str]]:
        """Give what was answered and is not there."""
        ec2 = self.cloud.client("ec2")
        there = {
            "group": {it["GroupId"] for it in ec2.describe_security_groups()["SecurityGroups"]},
            "tag": {it["ResourceId"] for it in ec2.describe_tags()["Tags"]},
            "key": {it["KeyName"] for it in ec2.describe_key_pairs()["KeyPairs"]},
            "target group": {it["TargetGroupArn"] for it in pages(self.cloud, "elbv2", "describe_target_groups")},
            "alarm": {it["AlarmName"] for it in pages(self.cloud, "cloudwatch", "describe_alarms")},
            "instance": set(instances_of(self.cloud)),
        }
        lost = {kind: set(names) - there[kind] for kind, names in self.answered.items()}
        return {kind: names for kind, names in lost.items() if names}


def pages(cloud: Cloud, service: str, operation: str) -> list[dict[str, Any]]:
    key = {"describe_target_groups": "TargetGroups", "describe_alarms": "MetricAlarms"}[operation]
    return [each for page in cloud.client(service).get_paginator(operation).paginate() for each in page[key]]


def instances_of(cloud: Cloud) -> dict[str, str]:
    """Give the instances that EC2 lists, with their states."""
    found = [each for it in cloud.client("ec2").describe_instances()["Reservations"] for each in it["Instances"]]
    return {each["InstanceId"]: each["State"]["Name"] for each in found}
