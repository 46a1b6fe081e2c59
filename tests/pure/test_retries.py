"""What AWS refuses only for a moment is asked again; what it means is not."""

from __future__ import annotations

import pytest

from mglab.clock import Clock
from mglab.retries import MOST_TRIES, NEW_S, Patience

VPC = "vpc-0123456789abcdef0"
UNKNOWN = ("InvalidVpcID.NotFound", f"The vpc ID '{VPC}' does not exist")


class Session:
    """A session's patience on a clock of rate 10 whose wall is moved by hand."""

    def __init__(self) -> None:
        self.wall = 1000.0
        self.patience = Patience(Clock(10.0, 0.0, 0.0, wall=lambda: self.wall))

    def wait(self, lab_seconds: float) -> None:
        self.wall += lab_seconds / 10


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "Throttling"])
def test_too_many_requests_are_waited_out_ever_longer(session: Session, code: str) -> None:
    pauses = [session.patience.pause_s(code, "Rate exceeded", tries) for tries in range(1, MOST_TRIES)]
    assert all(pause is not None and 0.1 <= pause <= 2.0 for pause in pauses), "one to twenty lab seconds"
    assert (pauses[0] or 0) < (pauses[-1] or 0)
    assert session.patience.pause_s(code, "Rate exceeded", MOST_TRIES) is None


def test_what_was_made_just_now_is_looked_for_again(session: Session) -> None:
    session.patience.note("CreateVpc", {"Vpc": {"VpcId": VPC}}, {})
    assert session.patience.pause_s(*UNKNOWN, tries=1) == 0.2
    session.wait(NEW_S - 1)
    assert session.patience.pause_s(*UNKNOWN, tries=30) == 0.2
    session.wait(2)
    assert session.patience.pause_s(*UNKNOWN, tries=1) is None


def test_what_is_not_there_is_not_there(session: Session) -> None:
    assert session.patience.pause_s(*UNKNOWN, tries=1) is None
    session.patience.note("DescribeVpcs", {"Vpcs": [{"VpcId": VPC}]}, {})
    assert session.patience.pause_s(*UNKNOWN, tries=1) is None


def test_what_was_removed_again_is_not_looked_for(session: Session) -> None:
    session.patience.note("CreateVpc", {"Vpc": {"VpcId": VPC}}, {})
    session.patience.note("DeleteVpc", {}, {"VpcId": VPC})
    assert session.patience.pause_s(*UNKNOWN, tries=1) is None


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "UnauthorizedOperation", "DependencyViolation"])
def test_another_refusal_is_told_at_once(session: Session, code: str) -> None:
    session.patience.note("CreateVpc", {"Vpc": {"VpcId": VPC}}, {})
    assert session.patience.pause_s(code, f"about {VPC}", 1) is None
