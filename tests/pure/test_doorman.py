"""The doorman: policies first, then chance, then what is not known yet."""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

import pytest

from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.api.doorman import Doorman
from mglab.localcloud.api.faults import ApiError
from mglab.localcloud.rules.academy import Session
from mglab.localcloud.rules.faults import Faults
from mglab.localcloud.settings import Settings

HERE = "us-east-1"
VPC = "vpc-0123456789abcdef0"


class Door:
    """A doorman, the conditions he minds, and a clock that is moved by hand."""

    def __init__(self, seed: str = "x", **faults: Any) -> None:
        self.at = 1000.0
        self.conditions = Conditions(Settings(faults=Faults(**faults)))
        self.doorman = Doorman(lambda: self.conditions, lambda: self.at, Random(seed), "123", HERE)

    def code(self, service: str = "ec2", operation: str = "DescribeVpcs", region: str = HERE, **params: Any) -> str:
        """Give the code of the refusal; empty when the request is let in."""
        try:
            self.doorman.admit(service, operation, params, region)
        except ApiError as refused:
            return refused.code
        return ""

    def makes_a_vpc(self) -> None:
        self.doorman.note("ec2", "CreateVpc", f"<vpcId>{VPC}</vpcId>".encode())


def test_by_default_everybody_is_let_in() -> None:
    door = Door()
    door.makes_a_vpc()
    assert {door.code(service, "Anything", VpcId=VPC) for service in ("ec2", "elbv2", "iam", "sts")} == {""}


def test_the_same_seed_refuses_the_same_requests() -> None:
    def course(seed: str) -> list[str]:
        door = Door(seed, throttling=0.5)
        return [door.code() for _ in range(40)]

    assert course("x") == course("x") != course("y")
    assert set(course("x")) == {"", "RequestLimitExceeded"}


def test_sts_is_never_throttled() -> None:
    door = Door(throttling=0.95)
    assert {door.code("sts", "GetCallerIdentity") for _ in range(50)} == {""}


def test_a_policy_speaks_before_chance() -> None:
    door = Door(throttling=0.95)
    door.conditions.session = Session(0.0, "ended")
    assert {door.code() for _ in range(20)} == {"UnauthorizedOperation"}
    assert {door.code("cloudwatch", "DescribeAlarms") for _ in range(20)} == {"AccessDenied"}


def test_what_was_made_is_unknown_for_a_while_where_it_is_named() -> None:
    door = Door(consistency_s=20)
    door.makes_a_vpc()
    assert door.code(VpcIds=[VPC]) == "InvalidVpcID.NotFound" == door.code(operation="CreateSubnet", VpcId=VPC)
    assert door.code(Filters=[{"Name": "vpc-id", "Values": [VPC]}]) == ""
    assert door.code("elbv2", "CreateTargetGroup", VpcId=VPC) == ""
    door.at += 20
    assert {door.code(VpcIds=[VPC]) for _ in range(20)} == {""}


def test_what_was_made_before_the_fault_is_known() -> None:
    door = Door()
    door.makes_a_vpc()
    door.conditions.change(Settings(faults=Faults(consistency_s=20)), door.at)
    assert {door.code(VpcIds=[VPC]) for _ in range(20)} == {""}


@pytest.mark.parametrize(("academy", "region", "code"), [
    (True, "eu-west-1", "UnauthorizedOperation"), (True, "us-west-2", "AuthFailure"), (True, HERE, ""),
])  # fmt: skip
def test_where_a_learner_lab_may_be_used(academy: bool, region: str, code: str) -> None:
    door = Door()
    door.conditions.settings = Settings(academy=academy)
    assert door.code(region=region) == code


def test_conditions_are_values_that_can_be_kept() -> None:
    conditions = Conditions()
    conditions.change(Settings(academy=True, faults=Faults(zone_outage=("us-east-1a",))), 5.0)
    conditions.change(Settings(academy=True, faults=Faults(zone_outage=("us-east-1a", "us-east-1b"))), 9.0)
    conditions.session = Session(77.0)
    kept: Conditions = pickle.loads(pickle.dumps(conditions))
    assert kept == conditions and kept.cut_off_since == {"us-east-1a": 5.0, "us-east-1b": 9.0}
    assert kept.told == {
        "academy": True, "zone_outage": ["us-east-1a", "us-east-1b"], "session": "running", "session_ends_at": 77.0,
    }  # fmt: skip
    kept.change(Settings(), 10.0)
    assert kept.told == {} and kept.session is None
