"""When faults strike, and in which words."""

from __future__ import annotations

from random import Random

import pytest

from mglab.localcloud.rules import faults
from mglab.localcloud.rules.faults import Faults


def share(struck: list[bool]) -> float:
    return sum(struck) / len(struck)


def test_throttling_strikes_its_share_of_the_requests() -> None:
    chance = Random(1)
    struck = [faults.is_throttled(Faults(throttling=0.3), chance) for _ in range(5000)]
    assert share(struck) == pytest.approx(0.3, abs=0.03)
    assert not any(faults.is_throttled(Faults(), chance) for _ in range(100))


def test_the_same_seed_strikes_the_same_requests() -> None:
    first, second = ([faults.is_throttled(Faults(throttling=0.5), chance) for _ in range(50)] for chance in
                     (Random("x"), Random("x")))  # fmt: skip
    assert first == second


def test_a_new_resource_is_unknown_to_ever_fewer_calls() -> None:
    chance = Random(1)

    def unknown(age_s: float) -> float:
        return share([faults.is_unknown(age_s, 10, chance) for _ in range(2000)])

    assert unknown(0) > 0.99 and unknown(5) == pytest.approx(0.5, abs=0.05) and unknown(10) == unknown(60) == 0
    assert not faults.is_unknown(0, 0, chance)


@pytest.mark.parametrize(
    ("resource_id", "code", "message"),
    [
        ("igw-1", "InvalidInternetGatewayID.NotFound", "The internetGateway ID 'igw-1' does not exist"),
        ("lt-1", "InvalidLaunchTemplateId.NotFound",
         "The specified launch template, with template ID lt-1, does not exist."),
        ("ami-1", "InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist"),
    ],
)  # fmt: skip
def test_each_kind_is_unknown_in_its_own_words(resource_id: str, code: str, message: str) -> None:
    refusal = faults.unknown(resource_id)
    assert (refusal.code, refusal.message, refusal.status) == (code, message, 400)


def test_what_can_be_made_can_be_unknown() -> None:
    assert all(faults.unknown(f"{prefix}-1").code.endswith(".NotFound") for prefix in faults.MADE_BY.values())


def test_a_request_names_what_is_in_its_parameters_but_for_its_filters() -> None:
    params = {"VpcId": "vpc-1", "Tags": [{"Key": "a"}], "Deep": {"Ids": ["i-1", 5]}, "Filters": [{"Values": ["sg-1"]}]}
    assert list(faults.named_in(params)) == ["vpc-1", "a", "i-1"]


def test_when_every_zone_is_closed_no_other_is_named() -> None:
    zones = ["us-east-1a", "us-east-1b"]
    assert "You can currently get" not in faults.without_capacity("t2.micro", zones[0], zones, zones).message
    assert "choosing us-east-1b." in faults.without_capacity("t2.micro", zones[0], zones, zones[:1]).message


def test_an_outage_closes_a_zone_as_a_lack_of_capacity_does() -> None:
    assert Faults(capacity=("a",), zone_outage=("b",)).closed_zones == {"a", "b"}
