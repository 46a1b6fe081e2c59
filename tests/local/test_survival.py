"""What a cloud's end leaves of its world: after kill -9 of any of its processes, ``up`` brings all of it back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mglab.errors import CloudUnavailable
from mglab.localcloud import statefile
from mglab.localcloud.renumber import moved
from mglab.session import Lab
from tests.local.cloud_under_test import (
    COMMAND_BOUND_S,
    ROOT,
    Cloud,
    ask,
    eventually,
    family,
    lab_on,
    left_of,
    prepared,
    processes_of,
    put_up_service,
    started,
)
from tests.local.kill_moments import VICTIMS, kill, kill_at_moments

RATE = 120.0
FEW_KILLS = 6

USER_DATA = """\
#!/bin/sh
echo once >>/root/user-data-ran
echo precious >/root/precious
cat >/var/lib/cloud/scripts/per-boot/count <<'END'
#!/bin/sh
echo boot >>/root/boots
END
chmod +x /var/lib/cloud/scripts/per-boot/count
"""


# -- a service -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Service:
    """A cloud on which the whole lab has been made, one instance beside it that counts, and one that is stopped."""

    cloud: Cloud
    lab: Lab
    counting: str
    stopped: str


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with started("survive", RATE) as cloud, lab_on(cloud) as lab:
        put_up_service(lab)
        image = lab.ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
        asked = {"ImageId": image, "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}
        counting = lab.ec2.run_instances(**asked, UserData=USER_DATA)["Instances"][0]["InstanceId"]
        stopped = lab.ec2.run_instances(**asked)["Instances"][0]["InstanceId"]
        eventually(lambda: lines(cloud, counting, "user-data-ran"))
        eventually(lambda: state_of(lab, stopped) == "running")
        lab.ec2.stop_instances(InstanceIds=[stopped])
        eventually(lambda: state_of(lab, stopped) == "stopped")
        yield Service(cloud, lab, counting, stopped)


def lines(cloud: Cloud, instance_id: str, name: str) -> list[str]:
    """Read a file of root's in an instance; nothing while it is not there."""
    path = cloud.tree(instance_id) / "root" / name
    return path.read_text("utf-8").split() if path.exists() else []


def state_of(lab: Lab, instance_id: str) -> str:
    (found,) = lab.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"]
    return str(found["State"]["Name"])


def resources(lab: Lab) -> dict[str, Any]:
    """Read what must be the same after any end: ids, addresses, names, settings."""
    placed = [each for it in lab.ec2.describe_instances()["Reservations"] for each in it["Instances"]]
    kept = ("InstanceId", "ImageId", "PrivateIpAddress", "PublicIpAddress", "KeyName", "LaunchTime", "Tags")
    alive = [{name: each.get(name) for name in kept} for each in placed if each["State"]["Name"] != "terminated"]
    (group,) = lab.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return {
        "instances": alive,
        "vpcs": lab.ec2.describe_vpcs()["Vpcs"],
        "subnets": lab.ec2.describe_subnets()["Subnets"],
        "groups": lab.ec2.describe_security_groups()["SecurityGroups"],
        "keys": lab.ec2.describe_key_pairs()["KeyPairs"],
        "templates": lab.ec2.describe_launch_templates()["LaunchTemplates"],
        "images": lab.ec2.describe_images(Owners=["self"])["Images"],
        "interfaces": [it["NetworkInterfaceId"] for it in lab.ec2.describe_network_interfaces()["NetworkInterfaces"]],
        "balancers": lab.elbv2.describe_load_balancers()["LoadBalancers"],
        "members": sorted(each["InstanceId"] for each in group["Instances"]),
        "activities": [it["ActivityId"] for it in lab.autoscaling.describe_scaling_activities()["Activities"]],
        "names": sorted(lab.resolve(balancer_name(lab))),
    }


def balancer_name(lab: Lab) -> str:
    return str(lab.elbv2.describe_load_balancers()["LoadBalancers"][0]["DNSName"])


def answers(lab: Lab) -> bool:
    """Say whether the service answers at every address that the balancer's name gives out."""
    found = [ask(address, timeout_s=1.0) for address in lab.resolve(balancer_name(lab))]
    return len(found) == 2 and all(each.startswith("In 2004") for each in found)


def health(lab: Lab) -> list[str]:
    (group,) = lab.elbv2.describe_target_groups()["TargetGroups"]
    told = lab.elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    return [each["TargetHealth"]["State"] for each in told]


@pytest.mark.parametrize("victims", VICTIMS, ids="+".join)
def test_everything_is_there_again_and_an_open_session_goes_on(service: Service, victims: Sequence[str]) -> None:
    cloud, lab = service.cloud, service.lab
    eventually(lambda: health(lab) == ["healthy"] * 2, lambda: str(health(lab)))
    before, said, boots = resources(lab), dict(cloud.state), len(lines(cloud, service.counting, "boots"))
    slot = slot_of(cloud)
    kill(cloud, victims)
    with pytest.raises(CloudUnavailable, match="does not answer") as gone:
        lab.ec2.describe_vpcs()
    assert "python3 -m mglab cloud up --name survive" in gone.value.hint

    after = cloud.up()
    same = ("endpoint", "access_key_id", "secret_access_key", "rate", "wall_epoch", "lab_epoch", "resolver", "ssh_port")
    assert {name: after[name] for name in same} == {name: said[name] for name in same}
    assert "it came back with what was in it" in after["notes"][0] and "3 instances boot again" in after["notes"][0]
    now = slot_of(cloud)
    assert now == slot or "another cloud has its addresses" in after["notes"][1], "a neighbour may have taken them"
    before = moved(repr(before), slot, now)
    assert repr(resources(lab)) == before
    eventually(lambda: answers(lab), lambda: str(health(lab)))
    eventually(lambda: health(lab) == ["healthy"] * 2, lambda: str(health(lab)))
    eventually(lambda: len(lines(cloud, service.counting, "boots")) == boots + 1)
    assert lines(cloud, service.counting, "user-data-ran") == ["once"]
    assert lines(cloud, service.counting, "precious") == ["precious"]
    assert state_of(lab, service.stopped) == "stopped"
    assert repr(resources(lab)) == before, "nobody was replaced"


def test_metrics_have_a_gap_and_go_on(service: Service) -> None:
    cloud, lab = service.cloud, service.lab
    eventually(lambda: len(minutes_of(lab)) >= 3)
    before = minutes_of(lab)
    kill(cloud, ["supervisor"])
    cloud.up()
    back = lab.clock.time()
    eventually(lambda: [at for at in minutes_of(lab) if at > back])
    after = minutes_of(lab)
    assert after[: len(before) - 1] == before[:-1], "what had been seen for some seconds is there"
    assert max(later - sooner for sooner, later in zip(after, after[1:], strict=False)) > 60.0


def minutes_of(lab: Lab) -> list[float]:
    """Give when the balancer's points are, oldest first."""
    arn = lab.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    dimension = {"Name": "LoadBalancer", "Value": arn.split("loadbalancer/")[1]}
    now = lab.clock.now()
    found = lab.cloudwatch.get_metric_statistics(
        Namespace="AWS/NetworkELB", MetricName="ActiveFlowCount", Dimensions=[dimension], Period=60,
        StartTime=now.timestamp() - 86_000, EndTime=now.timestamp(), Statistics=["Average"],
    )  # fmt: skip
    return sorted(point["Timestamp"].timestamp() for point in found["Datapoints"])


# -- at any moment ---------------------------------------------------------------------------------------------


def test_what_was_answered_survives_a_kill_at_any_moment() -> None:
    """A few moments; tests/campaigns has twenty, at each of which anything may be half done."""
    kill_at_moments(kills=FEW_KILLS, seed=3)


# -- ends that are none, and the one that is ---------------------------------------------------------------------


def mark(cloud: Cloud, name: str) -> None:
    cloud.client("ec2").create_key_pair(KeyName=name)


def marks(cloud: Cloud) -> list[str]:
    return [each["KeyName"] for each in cloud.client("ec2").describe_key_pairs()["KeyPairs"]]


def test_down_ends_a_world_and_nothing_else_does() -> None:
    with prepared("ends", RATE) as cloud:
        first = cloud.up()
        assert first["notes"] == []
        mark(cloud, "one")
        known = family(cloud)
        os.kill(cloud.supervisor, signal.SIGTERM)  # as when the machine is shut down
        eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))
        assert cloud.call("status") is None
        assert cloud.up()["access_key_id"] == first["access_key_id"] and marks(cloud) == ["one"]
        assert (cloud.call("up") or {})["notes"] == [], "one that runs has not just come back"

        cloud.options = ("--keep",)
        cloud.call("down")
        cloud.options = ()
        cloud.up()
        assert marks(cloud) == ["one"]

        cloud.options = ("--fresh",)
        fresh = cloud.up()
        cloud.options = ()
        assert fresh["access_key_id"] != first["access_key_id"] and marks(cloud) == []
        mark(cloud, "two")
        cloud.call("down")
        assert not (cloud.directory / "world").exists()
        cloud.up()
        assert marks(cloud) == []
        kill(cloud, ["supervisor"])
        assert (cloud.directory / "world").exists()
        cloud.call("down")
        assert not (cloud.directory / "world").exists(), "nor does that of a cloud that was killed outlive it"


def test_a_cloud_that_was_left_alone_comes_back() -> None:
    with prepared("alone", RATE, "--idle-stop-s", "3") as cloud:
        cloud.up()
        mark(cloud, "one")
        known = family(cloud)
        eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))
        cloud.up()
        assert marks(cloud) == ["one"]


def test_a_kill_while_it_comes_back_loses_nothing() -> None:
    with started("twice", RATE) as cloud:
        mark(cloud, "one")
        slot = slot_of(cloud)
        kill(cloud, ["supervisor"])
        coming = cloud.begin("up")
        eventually(lambda: of_command(cloud, "mglab.localcloud.dataplane"))
        for pid in of_command(cloud, "serve"):
            os.kill(pid, signal.SIGKILL)
        cloud.up()
        coming.communicate(timeout=COMMAND_BOUND_S)
        assert marks(cloud) == ["one"]
        assert slot_of(cloud) == slot or "another cloud has its addresses" in cloud.state["notes"][1]
        eventually(lambda: len(of_command(cloud, "mglab.localcloud.dataplane")) == 1)


def of_command(cloud: Cloud, word: str) -> list[int]:
    """Find a cloud's processes by a word of their command line."""
    return [pid for pid, command in processes_of(cloud.home).items() if word in command.split("\0")]


def test_a_world_keeps_its_rate_and_its_knobs() -> None:
    with prepared("rate", RATE, "--knob", "boot_s=5") as cloud:
        first = cloud.up()
        kill(cloud, ["supervisor"])
        cloud.rate, cloud.options = 60.0, ("--knob", "boot_s=7")
        again = cloud.up()
        assert (again["rate"], again["knobs"], again["wall_epoch"]) == (RATE, {"boot_s": 5.0}, first["wall_epoch"])
        assert again["other_knobs"] == "boot_s is 5, not 7"
        cloud.options = ()


def test_what_was_set_while_it_ran_comes_back() -> None:
    with started("set", RATE) as cloud:
        said = cloud.set("academy=on", "rate=60", "boot_s=7", "throttling=0.1")
        cloud.state = said
        kill(cloud, ["supervisor"])
        after = cloud.up()
        same = (
            "endpoint", "access_key_id", "secret_access_key", "session_token", "rate", "wall_epoch", "lab_epoch",
            "knobs", "settings",
        )  # fmt: skip
        assert {name: after[name] for name in same} == {name: said[name] for name in same}
        assert after["rate"] == 60.0 and after["session_token"] and after["settings"]["session"] == "running"
        again = cloud.set("throttling=0")
        assert again["pid"] == after["pid"] and "throttling" not in again["settings"]


# -- what is found on the way back -------------------------------------------------------------------------------


def broken(content: bytes) -> bytes:
    return content[:-3] + bytes([content[-3] ^ 255]) + content[-2:]


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (broken, "its bytes are not those that were written"),
        (lambda content: content.replace(b"moto-", b"moto-0", 1), "another version"),
    ],
    ids=["a flipped bit", "another version's"],
)
def test_a_world_that_cannot_be_read_is_put_aside_and_said(spoil: Callable[[bytes], bytes], word: str) -> None:
    with started("spoilt", RATE) as cloud:
        mark(cloud, "one")
        kill(cloud, ["supervisor"])
        path = cloud.directory / "world" / "snapshot"
        path.write_bytes(spoil(path.read_bytes()))
        (note,) = cloud.up()["notes"]
        assert word in note and "this cloud is empty" in note
        assert f"WARNING mglab.localcloud: {note}" in cloud.log
        assert (cloud.directory / "world.aside" / "snapshot").exists()
        assert marks(cloud) == []


def test_trees_that_are_gone_and_trees_that_are_nobodys(service: Service) -> None:
    cloud, lab = service.cloud, service.lab
    kill(cloud, ["supervisor"])
    cloud.tree(service.counting).rename(cloud.home / "gone")
    stray = cloud.directory / "instances" / "i-0123456789abcdef0"
    half = cloud.directory / "images" / ".unfinished-ami-0"
    stray.mkdir()
    half.mkdir()
    unknown = cloud.directory / "images" / "ami-0123456789abcdef0"
    unknown.mkdir()
    cloud.up()
    (found,) = lab.ec2.describe_instances(InstanceIds=[service.counting])["Reservations"][0]["Instances"]
    assert found["State"]["Name"] in ("shutting-down", "terminated")
    assert found["StateReason"]["Code"] == "Server.InternalError"
    eventually(lambda: not any(place.exists() for place in (stray, half, unknown)))
    eventually(lambda: answers(lab), lambda: str(health(lab)))


def test_a_data_plane_of_an_earlier_life_that_hangs_is_ended(tmp_path: Path) -> None:
    holding = (
        "import sys, time; from pathlib import Path; from mglab.localcloud import statefile\n"
        "statefile.hold_data(Path(sys.argv[1])); print('held', flush=True); time.sleep(1000)"
    )
    words = [sys.executable, "-c", holding, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as hanging:
        assert hanging.stdout is not None and hanging.stdout.readline() == "held\n"
        with pytest.raises(CloudUnavailable, match="another data plane works"):
            statefile.hold_data(tmp_path, patience_s=0.0)
        statefile.await_data_plane(tmp_path, patience_s=0.1)
        assert hanging.wait() == -signal.SIGKILL
    statefile.hold_data(tmp_path)


@contextlib.contextmanager
def taken(cloud: Cloud) -> Iterator[None]:
    """Take the port and the addresses of a cloud that does not run, as another program and another cloud would."""
    endpoint, resolver = urlsplit(cloud.state["endpoint"]), Path(cloud.state["resolver"])
    with socket.socket() as port, socket.socket(socket.AF_UNIX) as slot:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what its clients left is still waiting there
        port.bind(("127.0.0.1", int(endpoint.port or 0)))
        port.listen(1)
        slot.bind(f"\0mglab-slot-{slot_of(cloud)}")
        assert not resolver.exists()
        yield


def slot_of(cloud: Cloud) -> int:
    """Read which addresses a cloud had, from its snapshot's first line."""
    with (cloud.directory / "world" / "snapshot").open("rb") as file:
        return int(json.loads(file.readline())["identity"]["slot"])


def test_addresses_and_a_port_that_were_taken_meanwhile_are_said(service: Service) -> None:
    cloud, lab = service.cloud, service.lab
    before, known = sorted(lab.resolve(balancer_name(lab))), resources(lab)
    kill(cloud, ["supervisor"])
    with taken(cloud):
        after = cloud.up()
        assert "another cloud has its addresses 127." in after["notes"][1]
        assert "open sessions have to connect anew" in after["notes"][2]
        with lab_on(cloud) as again:
            others = sorted(again.resolve(balancer_name(again)))
            assert len(others) == 2 and not set(others) & set(before)
            assert [it["LoadBalancerArn"] for it in resources(again)["balancers"]] == [
                it["LoadBalancerArn"] for it in known["balancers"]
            ]
            eventually(lambda: answers(again), lambda: str(health(again)))
