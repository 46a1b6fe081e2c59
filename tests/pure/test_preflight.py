"""What stands in the way is found before anything is made: the questions, their answers, and what stops a run."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from mglab.config import Config, configured
from mglab.errors import CheckFailed, CloudUnavailable, Denied, LabError
from mglab.workbook import preflight
from mglab.workbook.preflight import Finding

PORTS = "Are the service's ports free here?"
LAB: Any = SimpleNamespace(backend="local")


def found(question: str = "Is it so?", *, blocks: bool, **more: str) -> Finding:
    known = {"found": "no", "status": "failed" if blocks else "warning", "next": "mend it", **more}
    return Finding(question, known["found"], known["status"], known["next"], blocks=blocks)


# -- what stops a run --------------------------------------------------------------------------------------


def test_nothing_stops_when_nothing_blocks() -> None:
    preflight.require([])
    preflight.require([found(blocks=False), Finding("Is it?", "yes", "ok", "")])


def test_everything_that_blocks_is_named_with_what_to_do() -> None:
    with pytest.raises(CheckFailed) as refusal:
        preflight.require(
            [
                found("Is there room?", blocks=True, found="none", next="make room"),
                found("Is it tidy?", blocks=False, found="hardly", next="tidy up"),
                found("Is it up?", blocks=True, found="no", next="start it"),
            ]
        )
    assert refusal.value.message == "Is there room? none; Is it up? no"
    assert refusal.value.hint == "make room; start it"


# -- one question ------------------------------------------------------------------------------------------


def test_an_answer_with_nothing_to_do_is_ok() -> None:
    assert preflight._asked("Is it so?", lambda _: ("yes", ""), LAB) == Finding("Is it so?", "yes", "ok", "")


def test_an_answer_with_something_to_do_warns_and_does_not_block() -> None:
    asked = preflight._asked("Is it tidy?", lambda _: ("hardly", "tidy up"), LAB)
    assert asked == Finding("Is it tidy?", "hardly", "warning", "tidy up", blocks=False)


@pytest.mark.parametrize(
    ("error", "to_do"),
    [
        (CheckFailed("there is none", hint="make one"), "make one"),
        (CloudUnavailable("nobody answers", hint="start it"), "start it"),
        (Denied("you may not", code="AccessDenied", operation="DescribeVpcs"), "mend this first"),
    ],
)
def test_a_question_that_cannot_be_answered_blocks(error: LabError, to_do: str) -> None:
    asked = preflight._asked("Is it so?", raising(error), LAB)
    assert asked == Finding("Is it so?", error.message, "failed", to_do, blocks=True)


def raising(error: Exception) -> Callable[[Any], tuple[str, str]]:
    def ask(_: Any) -> tuple[str, str]:
        raise error

    return ask


def test_a_mistake_of_ours_is_not_a_finding() -> None:
    with pytest.raises(ZeroDivisionError):
        preflight._asked("Is it so?", raising(ZeroDivisionError()), LAB)


def test_every_question_is_asked_whatever_the_others_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = (
        ("First?", raising(CheckFailed("no", hint="do"))),
        ("Second?", lambda _: ("yes", "")),
        ("Third?", lambda _: ("partly", "look")),
    )
    monkeypatch.setattr(preflight, "QUESTIONS", questions)
    asked = preflight.findings(LAB)
    assert [(it.question, it.status, it.blocks) for it in asked] == [
        ("First?", "failed", True), ("Second?", "ok", False), ("Third?", "warning", False),
    ]  # fmt: skip
    with pytest.raises(CheckFailed, match="First[?] no"):
        preflight.require(asked)


# -- the ports ---------------------------------------------------------------------------------------------


def with_ports(service_port: int, health_port: int, backend: str = "local") -> Any:
    config = configured(Config(), {"service_port": service_port, "health_port": health_port})
    return SimpleNamespace(backend=backend, config=config)


@contextmanager
def bound(address: str) -> Iterator[int]:
    """Listen on a free port of an address; give the port."""
    with socket.socket() as listener:
        listener.bind((address, 0))
        listener.listen()
        yield listener.getsockname()[1]


def asked_for_ports(lab: Any) -> Finding:
    return preflight._asked(PORTS, dict(preflight.QUESTIONS)[PORTS], lab)


def test_a_program_on_one_loopback_address_is_in_nobodys_way() -> None:
    with bound("127.0.0.1") as service, bound("127.0.0.1") as health:
        asked = asked_for_ports(with_ports(service, health))
    assert asked == Finding(PORTS, f"yes, {service} and {health}", "ok", "")


@pytest.mark.parametrize("taken_port", ["service", "health"])
def test_a_program_on_all_addresses_blocks_and_its_port_is_named(taken_port: str) -> None:
    with bound("0.0.0.0") as taken, bound("127.0.0.1") as free:
        asked = asked_for_ports(with_ports(*((taken, free) if taken_port == "service" else (free, taken))))
    assert (asked.status, asked.blocks) == ("failed", True)
    assert asked.found == f"no: TCP {taken} is taken on all addresses of this machine"
    assert f"ss -ltnp 'sport = :{taken}'" in asked.next
    with pytest.raises(CheckFailed, match=f"TCP {taken}"):
        preflight.require([asked])


def test_a_port_is_free_again_when_the_program_has_ended() -> None:
    with bound("0.0.0.0") as service, bound("127.0.0.1") as health:
        pass
    assert asked_for_ports(with_ports(service, health)).status == "ok"


def test_on_aws_this_machines_ports_do_not_matter() -> None:
    with bound("0.0.0.0") as service, bound("0.0.0.0") as health:
        asked = asked_for_ports(with_ports(service, health, backend="aws"))
    assert (asked.status, asked.blocks) == ("ok", False)
    assert "not asked" in asked.found


# -- the account -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "status"), [(1, "ok"), (4, "ok"), (5, "warning"), (6, "warning")])
def test_the_usual_limit_of_vpcs_is_a_warning(count: int, status: str) -> None:
    ec2 = SimpleNamespace(describe_vpcs=lambda: {"Vpcs": [{}] * count})
    asked = preflight._asked("Room?", preflight._room_for_a_vpc, SimpleNamespace(ec2=ec2))  # type: ignore[arg-type]
    assert (asked.status, asked.blocks) == (status, False)
    assert asked.found.startswith(str(count))


@pytest.mark.parametrize(("zones", "blocks"), [(("a", "b"), False), (("a",), True), ((), True)])
def test_a_type_that_two_zones_do_not_offer_blocks(zones: tuple[str, ...], blocks: bool) -> None:
    offers = {"InstanceTypeOfferings": [{"Location": f"us-east-1{zone}"} for zone in zones]}
    ec2 = SimpleNamespace(describe_instance_type_offerings=lambda **_: offers)
    lab: Any = SimpleNamespace(ec2=ec2, config=Config())
    asked = preflight._asked("Offered?", preflight._offers_the_type, lab)
    assert asked.blocks == blocks
    assert asked.next == ("choose another instance_type" if blocks else "")


@pytest.mark.parametrize(("running", "status"), [((), "ok"), ((1, 1), "ok"), ((1, 2), "warning")])
def test_instances_that_already_run_leave_less_room(running: tuple[int, ...], status: str) -> None:
    pages: list[Any] = [{"Reservations": [{"Instances": [{}] * count}]} for count in running]
    paginator = SimpleNamespace(paginate=lambda **_: pages)
    lab: Any = SimpleNamespace(ec2=SimpleNamespace(get_paginator=lambda _: paginator), config=Config())
    asked = preflight._asked("Room?", preflight._room_for_instances, lab)
    assert (asked.status, asked.blocks) == (status, False)
    assert asked.found.startswith(f"{sum(running)} running")


def test_the_plan_prices_what_the_run_would_make() -> None:
    lab: Any = SimpleNamespace(config=configured(Config(), {"minimum": 1, "maximum": 4, "desired": 1}))
    planned = {it.what: it for it in preflight.plan(lab)}
    assert planned["Network load balancer"].per_hour
    assert planned["t2.micro instances"].how_many == "1 to 4; at times 8 with those that test and try"
    assert planned["VPC, subnets, gateway, routes, groups, template, alarms"].per_hour == 0
