"""A cloud's own life: it comes up once, goes away whole however it ends, and is its owner's alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import struct
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from mglab.localcloud import link
from tests.local.cloud_under_test import (
    COMMAND_BOUND_S,
    Cloud,
    answer,
    command_of,
    eventually,
    family,
    left_of,
    living,
    prepared,
    processes_of,
    started,
)

RATE = 240.0

RUNAWAYS = """\
#!/bin/sh
nohup sleep 71001 >/dev/null 2>&1 &
setsid sleep 71002 &
(setsid nohup sleep 71003 &)
env -i /usr/bin/setsid sleep 71004 &
cat >/tmp/daemon.py <<'END'
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        for fd in range(3):
            os.close(fd)
        os.execve("/usr/bin/env", ["env", "-i", "sleep", "71005"], {})
END
python3 /tmp/daemon.py
"""
"""User-data whose programs all try to get away from the shell that started them."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with started("life", RATE) as cloud:
        yield cloud


@pytest.fixture
def busy(cloud: Cloud) -> Cloud:
    """A cloud with an instance that serves and has started every kind of runaway."""
    run_instance(cloud, RUNAWAYS)
    eventually(lambda: runaways(cloud) == {"71001", "71002", "71003", "71004", "71005"}, lambda: str(runaways(cloud)))
    return cloud


def run_instance(cloud: Cloud, user_data: str = "") -> str:
    """Start an instance of the Project 2 image in the default VPC; wait until its server runs."""
    ec2 = cloud.client("ec2")
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, InstanceType="t2.micro", MinCount=1, MaxCount=1, UserData=user_data)
    instance_id: str = made["Instances"][0]["InstanceId"]
    cloud.process_in(instance_id, "MusicGuruServer.py")
    return instance_id


def runaways(cloud: Cloud) -> set[str]:
    """Tell which of the runaways run below the supervisor."""
    commands = [command_of(pid).split("\0") for pid in family(cloud)]
    return {words[1] for words in commands if words[0] == "sleep" and words[1].startswith("7100")}


# -- up, status, down ------------------------------------------------------------------------------------------


def test_up_twice_is_the_same_cloud(cloud: Cloud) -> None:
    assert cloud.call("up") == cloud.state
    assert cloud.call("status") == cloud.state


def test_a_cloud_keeps_the_knobs_it_was_started_with() -> None:
    with prepared("knobs", RATE, "--knob", "boot_s=5", "--knob", "core_share=0.5") as cloud:
        state = cloud.up()
        assert state["knobs"] == {"boot_s": 5.0, "core_share": 0.5} == (cloud.call("status") or {})["knobs"]
        assert cloud.call("up") == state, "as asked: nothing to say"
        cloud.options = ("--knob", "boot_s=7")
        other = cloud.call("up") or {}
        assert other.pop("other_knobs") == "boot_s is 5, not 7, core_share is 0.5, not 0.08"
        assert other == state
        cloud.options = ("--knob", "boot=7")
        failing = cloud.begin("up")
        _, errors = failing.communicate(timeout=COMMAND_BOUND_S)
        assert failing.returncode == 2 and "did you mean 'boot_s'?" in errors and "Traceback" not in errors
        cloud.options = ()


def test_two_ups_at_once_are_the_same_cloud() -> None:
    with prepared("twins", RATE) as cloud:
        first, second = cloud.begin("up"), cloud.begin("up")
        state = answer(first)
        assert state is not None and answer(second) == state
        cloud.state = state
        supervisors = [pid for pid, command in processes_of(cloud.home).items() if "\0serve\0" in command]
        eventually(lambda: [pid for pid in supervisors if pid in living()] == [cloud.supervisor])


def test_down_leaves_nothing(busy: Cloud) -> None:
    known = family(busy)
    busy.call("down")
    assert left_of(known) == {} and processes_of(busy.home) == {}
    assert busy.call("status") is None
    assert busy.call("down") is None


def test_down_ends_a_cloud_that_is_still_starting() -> None:
    with prepared("early", RATE) as cloud:
        starting = cloud.begin("up")
        eventually(lambda: (cloud.directory / "lock").exists())
        eventually(lambda: any("\0serve\0" in command for command in processes_of(cloud.home).values()))
        cloud.call("down")
        starting.communicate(timeout=60)
        eventually(lambda: processes_of(cloud.home) == {}, lambda: str(processes_of(cloud.home)))
        assert cloud.call("status") is None


@pytest.mark.parametrize("who", ["data_plane", "supervisor"])
def test_down_ends_a_cloud_of_which_a_process_is_stopped(busy: Cloud, who: str) -> None:
    known = family(busy)
    os.kill(getattr(busy, who), signal.SIGSTOP)
    busy.call("down")
    eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))


# -- violent ends ----------------------------------------------------------------------------------------------


def test_nothing_outlives_a_killed_supervisor(busy: Cloud) -> None:
    known = family(busy)
    os.kill(busy.supervisor, signal.SIGKILL)
    eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))
    assert busy.call("status") is None


def test_nothing_outlives_a_killed_data_plane_and_the_log_says_why(busy: Cloud) -> None:
    known = family(busy)
    os.kill(busy.data_plane, signal.SIGKILL)
    eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))
    assert "the data plane ended with code -9" in busy.log
    assert busy.call("status") is None


def test_nothing_outlives_both_of_them_killed_at_once(busy: Cloud) -> None:
    known = family(busy)
    for pid in (busy.data_plane, busy.supervisor):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))
    sweep(busy.home / "t")


def sweep(folder: Path) -> None:
    """Take away the socket folder that nobody was left to remove."""
    for entry in folder.iterdir():
        for name in entry.iterdir():
            name.unlink()
        entry.rmdir()


def test_up_while_a_killed_cloud_is_still_ending_is_a_new_process_of_the_same_cloud(busy: Cloud) -> None:
    before, known = dict(busy.state), family(busy)
    os.kill(busy.supervisor, signal.SIGKILL)
    after = busy.up()
    assert left_of(known) == {}
    assert after["pid"] != before["pid"] and after["access_key_id"] == before["access_key_id"]
    (found,) = busy.client("ec2").describe_instances()["Reservations"]
    busy.process_in(found["Instances"][0]["InstanceId"], "MusicGuruServer.py")
    run_instance(busy)


def test_a_cloud_that_cannot_start_says_why() -> None:
    with prepared("halt", RATE, "--servers", "/nowhere") as cloud:
        failing = cloud.begin("up")
        _, errors = failing.communicate(timeout=COMMAND_BOUND_S)
        assert failing.returncode == 4
        assert "/nowhere has no MusicGuruServer.py" in errors and "Traceback" not in errors
        assert cloud.call("status") is None


def test_what_the_data_plane_cannot_do_is_in_the_log(shared: Cloud) -> None:
    instance_id = run_instance(shared)
    init = next(pid for pid in family(shared) if {"init", config_of(shared, instance_id)} <= words_of(pid))
    os.kill(init, signal.SIGKILL)
    eventually(lambda: f"trouble: {instance_id}: its init was killed (signal 9)" in shared.log)
    shared.client("ec2").terminate_instances(InstanceIds=[instance_id])
    eventually(lambda: f"no longer: {instance_id}" in shared.log)


def config_of(cloud: Cloud, instance_id: str) -> str:
    return str(cloud.directory / "running" / instance_id / "config.json")


def words_of(pid: int) -> set[str]:
    return set(command_of(pid).split("\0"))


def test_a_folder_that_cannot_be_made_is_one_line() -> None:
    with prepared("file", RATE) as cloud:
        cloud.directory.parent.write_text("a file where the clouds' folder should be")
        failing = cloud.begin("up")
        _, errors = failing.communicate(timeout=COMMAND_BOUND_S)
        cloud.directory.parent.unlink()
        assert failing.returncode == 4
        assert errors.startswith("the local cloud cannot write") and "Traceback" not in errors


def test_a_data_plane_that_dies_at_once_has_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").mkdir()
    monkeypatch.setattr("mglab.localcloud.link.sys.executable", shutil.which("false"))
    with socket.socket() as slot:
        data_plane = link.start(tmp_path, tmp_path / "resolver", slot.fileno())
        assert not data_plane.answered(COMMAND_BOUND_S)
        data_plane.stop()


def test_a_cloud_left_alone_stops() -> None:
    with prepared("idle", RATE, "--idle-stop-s", "1") as cloud:
        cloud.up()
        known = family(cloud)
        eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))
        assert "nobody has asked this cloud for anything for 1 s: it stops" in cloud.log
        assert cloud.call("status") is None


def test_two_clouds_do_not_know_each_other(shared: Cloud) -> None:
    before = family(shared)
    with started("other", RATE) as other:
        run_instance(other)
        eventually(lambda: 5000 in {port for _, port in listening(other)})
        assert not listening(shared) & listening(other)
        mine, its = ({it["ReservationId"] for it in reservations(cloud)} for cloud in (shared, other))
        assert mine and its and not mine & its
    assert left_of(before).keys() == before.keys()


def reservations(cloud: Cloud) -> list[dict[str, Any]]:
    return list(cloud.client("ec2").describe_instances()["Reservations"])


# -- its owner's alone -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[Cloud]:
    with started("own", RATE) as cloud:
        run_instance(cloud)
        yield cloud


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_its_file_and_folder_are_private(shared: Cloud) -> None:
    assert mode(shared.directory / "cloud.json") == 0o600
    assert mode(shared.directory) == 0o700
    assert mode(Path(shared.state["resolver"]).parent) == 0o700


def test_requests_not_signed_by_its_owner_are_refused(shared: Cloud) -> None:
    strangers = {
        "unsigned": shared.client("ec2", config=Config(signature_version=UNSIGNED)),
        "another key": shared.client("ec2", aws_access_key_id="AKIAIOSFODNN7EXAMPLE"),
        "another secret": shared.client("ec2", aws_secret_access_key="wrong"),
    }
    for who, client in strangers.items():
        with pytest.raises(ClientError) as refused:
            client.describe_vpcs()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (401, 403), who
    assert shared.client("ec2").describe_vpcs()["Vpcs"]


@pytest.mark.parametrize("header", [{"Host": "evil.example:80"}, {"Origin": "http://evil.example"}])
def test_requests_for_another_host_or_from_a_web_page_are_refused(shared: Cloud, header: dict[str, str]) -> None:
    where = urlsplit(shared.state["endpoint"])
    connection = HTTPConnection(str(where.hostname), where.port, timeout=20)
    connection.request("POST", "/", body="Action=DescribeVpcs&Version=2016-11-15", headers=header)
    assert connection.getresponse().status == 403
    connection.close()


def test_the_port_beside_it_is_nobodys(shared: Cloud) -> None:
    endpoint = urlsplit(shared.state["endpoint"])
    mine = {port for _, port in listening(shared)}
    free = next(port for port in range(int(endpoint.port or 0) + 1, 65000) if port not in mine and is_free(port))
    elsewhere = shared.client("ec2", endpoint_url=f"http://127.0.0.1:{free}")
    with pytest.raises(Exception, match="Could not connect"):
        elsewhere.describe_vpcs()


def is_free(port: int) -> bool:
    with socket.socket() as wire:
        return wire.connect_ex(("127.0.0.1", port)) != 0


def test_nothing_of_it_listens_off_the_loopback(shared: Cloud) -> None:
    eventually(lambda: any(port == 5000 for _, port in listening(shared)), "the instance's server listens")
    found = listening(shared)
    assert ("127.0.0.1", urlsplit(shared.state["endpoint"]).port) in found
    assert [where for where, _ in found if not where.startswith("127.")] == []


def listening(cloud: Cloud) -> set[tuple[str, int]]:
    """Read the addresses at which any process of the cloud listens, IPv6 and UDP included."""
    inodes = {inode for pid in family(cloud) for inode in sockets_of(pid)}
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and (fields[3] == "0A" or table.startswith("udp")):
                found.add(parsed(fields[1]))
    return found


def sockets_of(pid: int) -> set[str]:
    """Give the inodes of a process's sockets; none of one that has just ended."""
    found: set[str] = set()
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def parsed(local: str) -> tuple[str, int]:
    address, port = local.split(":")
    raw = b"".join(struct.pack("<I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw), int(port, 16)
