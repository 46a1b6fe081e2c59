"""A running cloud is set by its own control channel: by its owner alone, all of it or nothing."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mglab import cli
from mglab.localcloud import __main__ as program
from mglab.localcloud import control, daemon
from tests.local.cloud_under_test import COMMAND_BOUND_S, Cloud, prepared, started


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with started("set", 240.0) as cloud:
        yield cloud


def refused(cloud: Cloud, *words: str) -> str:
    command = cloud.begin("set", *words)
    _, errors = command.communicate(timeout=COMMAND_BOUND_S)
    assert command.returncode == 2 and "Traceback" not in errors
    return errors


def test_all_of_it_is_set_or_nothing(cloud: Cloud) -> None:
    before = cloud.call("status")
    assert "did you mean 'zone_outage'?" in refused(cloud, "throttling=0.5", "rate=10", "zone_outag=us-east-1a")
    assert "knob core_share cannot be turned while the cloud runs" in refused(cloud, "throttling=0.5", "core_share=1")
    assert "session_ends_s is a Learner Lab's" in refused(cloud, "rate=10", "session_ends_s=1")
    assert cloud.call("status") == before
    after = cloud.set("throttling=0.5", "rate=120", "image_s=7")
    assert (after["settings"], after["rate"], after["knobs"]) == ({"throttling": 0.5}, 120, {"image_s": 7})
    assert cloud.call("status") == after
    assert cloud.set("throttling=0", "image_s=180", "rate=240")["settings"] == {}


def test_the_command_line_sets_and_shows(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MGLAB_STATE_HOME", str(cloud.home))
    assert cli.main(["cloud", "set", "--name", "set", "throttling=0.1", "zone_outage=us-east-1f"]) == 0
    assert "throttling=0.1, zone_outage=us-east-1f\n" in capsys.readouterr().out
    assert cli.main(["cloud", "status", "--name", "set", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {"throttling": 0.1, "zone_outage": ["us-east-1f"]}
    assert cli.main(["cloud", "set", "--name", "set", "throtling=0"]) == 2
    assert "did you mean 'throttling'?" in capsys.readouterr().err
    assert cli.main(["cloud", "set", "--name", "set", "throttling=0", "zone_outage=none"]) == 0
    assert cli.main(["cloud", "set", "--name", "nowhere", "rate=60"]) == 4


def test_a_knob_is_turned_from_the_next_request_on(cloud: Cloud) -> None:
    assert state_of(cloud, balancer(cloud, "before")) == "provisioning"
    cloud.set("provisioning_s=0")
    assert state_of(cloud, balancer(cloud, "after")) == "active"
    assert cloud.set("provisioning_s=150")["knobs"] == {}


def balancer(cloud: Cloud, name: str) -> str:
    cloud.set("rate=1")
    subnet = cloud.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    made = cloud.client("elbv2").create_load_balancer(Name=name, Type="network", Subnets=[subnet])
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def state_of(cloud: Cloud, arn: str) -> str:
    found = cloud.client("elbv2").describe_load_balancers(LoadBalancerArns=[arn])
    return str(found["LoadBalancers"][0]["State"]["Code"])


def test_the_same_words_hold_from_the_start() -> None:
    with prepared("words", 240.0, "academy=on", "deny=ec2:CreateVpc", "boot_s=3") as cloud:
        state = cloud.up()
        assert state["settings"]["academy"] and state["settings"]["deny"] == ["ec2:CreateVpc"]
        assert state["knobs"] == {"boot_s": 3} and state["access_key_id"].startswith("ASIA")
        assert "voclabs" in cloud.client("sts").get_caller_identity()["Arn"]
        again = cloud.call("up") or {}
        assert "not_set" not in again and "other_knobs" not in again
        cloud.options = ("academy=off", "zone_outage=us-east-1a")
        assert (cloud.call("up") or {})["not_set"] == "academy=off zone_outage=us-east-1a"
        cloud.options = ()


def test_a_knob_among_the_words_is_turned_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served: list[daemon.Options] = []
    monkeypatch.setattr(daemon, "serve", served.append)
    monkeypatch.setattr(program, "_forget_the_users_aws", lambda: None)
    words = ["serve", "throttling=0.1", "publication_delay_s=0", "--directory", str(tmp_path), "--knob", "boot_s=5"]
    assert program.main(words) == 0
    assert served[0].knobs.changed == {"publication_delay_s": 0.0, "boot_s": 5.0}
    assert served[0].settings == ("throttling=0.1", "publication_delay_s=0")


def test_the_channel_is_its_owners_alone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Path(cloud.state["control"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    handled: list[Any] = []

    def handle(words: Sequence[str]) -> dict[str, Any]:
        handled.append(words)
        if words == ["break"]:
            raise RuntimeError("broken")
        return {"pid": 7}

    channel = control.Channel(tmp_path / "control", handle)
    try:
        assert control.ask(str(tmp_path / "control"), ["rate=1"]) == {"pid": 7}
        with pytest.raises(control.CloudUnavailable, match="could not be set"):
            control.ask(str(tmp_path / "control"), ["break"])
        monkeypatch.setattr(control, "_is_mine", lambda wire: False)
        with pytest.raises(control.CloudUnavailable, match="control channel does not answer"):
            control.ask(str(tmp_path / "control"), ["rate=2"])
    finally:
        channel.close()
    assert handled == [["rate=1"], ["break"]]


def test_the_kernel_says_whose_program_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert control._is_mine(ours)
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert not control._is_mine(ours)


@pytest.mark.parametrize("line", [b"rate=1\n", b"{}", b"\xff\n", b"[" + b"1," * 40000])
def test_what_is_no_list_of_words_is_refused(cloud: Cloud, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(20)
        wire.connect(cloud.state["control"])
        wire.sendall(line)
        wire.shutdown(socket.SHUT_WR)
        answer = json.loads(wire.makefile().readline())
    assert "state" not in answer or answer["state"]["settings"] == {}
    assert cloud.call("status") is not None
