"""An ordinary SSH client gets into an instance, by its key alone, and is confined to it; on a real local cloud.

Two instances run the service and the health check. What is done to one must never be felt by the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from mglab.config import RUN_TAG, servers_folder
from mglab.errors import LoginRefused, ServiceUnreachable, UsageError, WaitTimedOut
from mglab.localcloud.machines.inside import proctree
from mglab.session import Lab
from mglab.steps import images, instances, security, shell, userdata
from mglab.steps.instances import Instance
from mglab.workbook import terminal
from tests.local.cloud_under_test import (
    Cloud,
    Network,
    ask,
    command_of,
    eventually,
    family,
    lab_on,
    left_of,
    put_up_network,
    started,
)

RATE = 240.0
OPENSSH = pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no OpenSSH client on this machine")


@dataclass(frozen=True)
class Site:
    """The cloud, the lab on it, its network, two instances of our key pair, and one without any."""

    cloud: Cloud
    lab: Lab
    ground: Network
    one: Instance
    two: Instance
    keyless: Instance

    def run(self, command: str, instance: Instance | None = None) -> shell.Finished:
        """Run a command, on the first instance unless told otherwise."""
        return shell.run(self.lab, instance or self.one, command)

    def said(self, command: str) -> str:
        """Give what a command says that has to go well."""
        done = self.run(command)
        assert (done.exit_status, done.err) == (0, "")
        return done.out.strip()

    @contextlib.asynccontextmanager
    async def login(self, user: str = shell.USER) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Log in as whoever asks."""
        async with asyncssh.connect(
            self.one.public_address, self.lab.ssh_port, username=user, known_hosts=None, config=None, agent_path=None,
            client_keys=[shell.private_key(self.lab)],
        ) as connection:  # fmt: skip
            yield connection


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with started("ssh", RATE) as cloud, lab_on(cloud, "ssh") as lab:
        ground = put_up_network(lab, security.SSH_PORT, lab.config.service_port, lab.config.health_port)
        security.create_key_pair(lab)
        made = (launched(lab, ground, "one"), launched(lab, ground, "two"), launched(lab, ground, "keyless", key=""))
        wanted = {it.name: it for it in instances.wait_running(lab, *made)}
        yield Site(cloud, lab, ground, *(serving(lab, wanted[name]) for name in ("one", "two", "keyless")))


def launched(lab: Lab, ground: Network, name: str, *, key: str | None = None) -> Instance:
    """Start an instance of the Project 2 image with the lab sheet's run.sh."""
    files = {
        f"{userdata.HOME}/{file}": (servers_folder() / file).read_text("utf-8") for file in ("HealthCheck.py", "run.sh")
    }
    interface = {
        "DeviceIndex": 0,
        "SubnetId": ground.subnets[0].subnet_id,
        "Groups": [ground.group.group_id],
        "AssociatePublicIpAddress": True,
    }
    tags = [{"Key": "Name", "Value": name}, {"Key": RUN_TAG, "Value": lab.run}]
    key_name = lab.config.key_name if key is None else key
    made = lab.ec2.run_instances(
        ImageId=images.project2_image(lab).image_id, InstanceType="t2.micro", MinCount=1, MaxCount=1,
        UserData=userdata.cloud_config(files, []), NetworkInterfaces=[interface],
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}], **({"KeyName": key_name} if key_name else {}),
    )  # fmt: skip
    return instances.read(made["Instances"][0])


def serving(lab: Lab, instance: Instance) -> Instance:
    for port in (lab.config.service_port, lab.config.health_port, lab.ssh_port):
        images.wait_port(lab, instance.public_address, port)
    return instance


def answers(instance: Instance) -> bool:
    """Say whether an instance's service answers its clients."""
    return ask(instance.public_address).endswith(f"({instance.private_address})")


# -- who gets in -----------------------------------------------------------------------------------------------


def test_the_key_pairs_private_half_lets_ec2_user_in(site: Site) -> None:
    host = f"ip-{site.one.private_address.replace('.', '-')}"
    assert site.said("whoami; hostname").split() == ["ec2-user", host]


def test_a_client_that_says_nothing_is_kept_waiting(site: Site) -> None:
    """What notebook 04 shows of port 22."""
    assert images.telnet(site.lab, site.one.public_address, site.lab.ssh_port).outcome == "kept open"


def test_another_key_is_refused(site: Site, tmp_path: Path) -> None:
    other = replace(site.lab, keys_folder=tmp_path)
    security.keep_private(
        security.private_key_file(other), asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    )
    with pytest.raises(LoginRefused, match="does not accept the key"):
        shell.run(other, site.one, "true")


def test_without_the_private_half_nothing_is_tried(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the private key .*MusicGuruKey.pem is not here"):
        shell.run(replace(site.lab, keys_folder=tmp_path), site.one, "true")


def test_nobody_gets_into_an_instance_that_was_launched_without_a_key(site: Site) -> None:
    with pytest.raises(LoginRefused):
        site.run("true", site.keyless)


def test_root_is_told_who_to_log_in_as(site: Site) -> None:
    async def first_line() -> str:
        async with site.login("root") as connection, connection.create_process("cat /etc/ssh/*") as process:
            return (await process.stdout.readline()).strip()

    assert asyncio.run(first_line()) == 'Please login as the user "ec2-user" rather than the user "root".'


def test_a_key_that_somebody_inside_adds_lets_in_too(site: Site, tmp_path: Path) -> None:
    own = asyncssh.generate_private_key("ssh-ed25519")
    line = own.export_public_key().decode().strip()
    site.said(f"echo '{line}' >> ~/.ssh/authorized_keys")
    theirs = replace(site.lab, keys_folder=tmp_path)
    security.keep_private(security.private_key_file(theirs), own.export_private_key().decode())
    assert shell.run(theirs, site.one, "whoami").out == "ec2-user\n"


def test_an_imported_key_pair_lets_in(site: Site, tmp_path: Path) -> None:
    own = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    site.lab.ec2.import_key_pair(KeyName="imported", PublicKeyMaterial=own.export_public_key())
    theirs = replace(site.lab, keys_folder=tmp_path)
    security.keep_private(security.private_key_file(theirs), own.export_private_key().decode())
    (instance,) = instances.wait_running(site.lab, launched(site.lab, site.ground, "imported", key="imported"))
    site.lab.ec2.delete_key_pair(KeyName="imported")
    images.wait_port(site.lab, instance.public_address, site.lab.ssh_port)
    assert shell.run(theirs, instance, "whoami").out == "ec2-user\n"
    instances.terminate(site.lab, instance)


def test_a_security_group_without_port_22_keeps_silent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "CONNECT_TIMEOUT_WALL_S", 1.0)
    security.revoke(site.lab, site.ground.group, security.SSH_PORT)
    try:
        eventually(lambda: not accepts(site.lab, site.one))
        with pytest.raises(ServiceUnreachable, match="does not answer"):
            site.run("true")
    finally:
        security.allow(site.lab, site.ground.group, security.SSH_PORT)
        images.wait_port(site.lab, site.one.public_address, site.lab.ssh_port)


def accepts(lab: Lab, instance: Instance) -> bool:
    return images.telnet(lab, instance.public_address, lab.ssh_port, timeout_wall_s=1.0).is_open


def test_a_host_key_that_changed_is_refused_until_its_line_is_taken_out(site: Site) -> None:
    site.said("true")
    file = shell.known_hosts_file(site.lab)
    pinned, other = file.read_text(), asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    file.write_text(f"{site.one.instance_id} {other}")
    try:
        with pytest.raises(LoginRefused, match="another host key than before"):
            site.run("true")
        file.write_text("")
        site.said("true")
        assert set(file.read_text().splitlines()) <= set(pinned.splitlines())
    finally:
        file.write_text(pinned)


# -- what one can do inside ------------------------------------------------------------------------------------


def test_a_commands_streams_and_exit_status_come_back(site: Site) -> None:
    done = site.run("echo out; echo err >&2; exit 7")
    assert (done.exit_status, done.out, done.err) == (7, "out\n", "err\n")
    assert site.run("kill -KILL $$").exit_status == -signal.SIGKILL
    assert site.run("no-such-command").exit_status == 127
    long = site.said("seq 200000")
    assert len(long.splitlines()) == 200_000


def test_a_command_that_takes_too_long_is_given_up(site: Site) -> None:
    with pytest.raises(WaitTimedOut, match="`sleep 70001` had not ended"):
        shell.run(site.lab, site.one, "sleep 70001", timeout_s=0.5)
    site.run("pkill -f 'sleep 7000[1]'")


def test_paths_are_the_instances_and_sudo_is_roots(site: Site) -> None:
    assert site.said("head -1 /etc/os-release") == 'NAME="Amazon Linux"'
    assert site.said("sudo whoami") == "root"
    site.said("sudo sh -c 'echo x > /root/mark'")
    assert (site.cloud.tree(site.one.instance_id) / "root/mark").read_text() == "x\n"


def test_a_shell_has_a_terminal_of_its_own(site: Site) -> None:
    async def typed(text: str) -> tuple[str, int | None]:
        async with site.login() as connection:
            process = await connection.create_process(term_type="vt100", term_size=(101, 37))
            process.stdin.write(text)
            out = await process.stdout.read()
            await process.wait_closed()
            return out.replace("\r", ""), process.exit_status

    out, status = asyncio.run(typed("stty size; tty; echo $TERM $USER\nexit 4\n"))
    host = f"ip-{site.one.private_address.replace('.', '-')}"
    assert f"[ec2-user@{host} ~]$" in out
    assert "37 101\n/dev/pts/" in out and "\nvt100 ec2-user\n" in out
    assert status == 4


def test_sftp_and_scp_move_files_and_see_nothing_but_the_instance(site: Site, tmp_path: Path) -> None:
    tree = site.cloud.tree(site.one.instance_id)
    secret = tmp_path / "secret"
    secret.write_text("the host's")
    (tree / "home/ec2-user/way-out").symlink_to(secret)
    (tmp_path / "local").write_bytes(bytes(range(256)) * 1000)

    async def moved() -> tuple[list[str], str, str]:
        async with site.login() as connection:
            await asyncssh.scp(str(tmp_path / "local"), (connection, "by-scp"))
            await asyncssh.scp((connection, "/home/ec2-user/by-scp"), str(tmp_path / "back"))
            async with connection.start_sftp_client() as sftp:
                await sftp.put(tmp_path / "local", "/opt/by-sftp")
                await sftp.get("/opt/by-sftp", tmp_path / "again")
                with pytest.raises(asyncssh.SFTPError):
                    await sftp.get("way-out", tmp_path / "stolen")
                names = [str(name) for name in await sftp.listdir("/")]
                return names, str(await sftp.realpath(".")), str(await sftp.realpath("/../../etc"))

    names, here, climbed = asyncio.run(moved())
    assert {"home", "etc", "opt"} <= set(names) and "proc" not in names
    assert (here, climbed) == ("/home/ec2-user", "/etc")
    sent = (tmp_path / "local").read_bytes()
    assert {(tmp_path / name).read_bytes() for name in ("back", "again")} == {sent}
    assert (tree / "home/ec2-user/by-scp").read_bytes() == (tree / "opt/by-sftp").read_bytes() == sent


# -- one instance's processes are no business of another's ------------------------------------------------------


def test_ps_shows_the_instances_own_processes(site: Site) -> None:
    host = [line.split()[-1] for line in site.said("ps -ef").splitlines() if ".py" in line]
    assert sorted(host) == ["/home/ec2-user/HealthCheck.py", "/home/ec2-user/MusicGuruServer.py"]
    assert site.said("ps aux | grep -c '[p]ython3 /home'") == "2"
    pid = site.cloud.process_in(site.one.instance_id, "MusicGuruServer.py")
    assert site.said(f"ps -o pid=,args= -p {pid}").split() == [str(pid), "python3", "/home/ec2-user/MusicGuruServer.py"]


def test_kill_reaches_the_instances_own_processes_only(site: Site) -> None:
    theirs = site.cloud.process_in(site.two.instance_id, "HealthCheck.py")
    for kill in ("kill", "sudo kill -9", "sh -c 'kill $0'", "/bin/kill -TERM"):
        done = site.run(f"{kill} {theirs}")
        assert (done.exit_status, done.err) == (1, f"kill: ({theirs}) - No such process\n")
    assert proctree.read(theirs)
    assert site.said("sleep 600 & kill $!; wait $!; echo $?") == str(128 + signal.SIGTERM)
    assert site.said("sleep 600 & kill %1; wait $!; echo $?") == str(128 + signal.SIGTERM)


def start_again(site: Site, instance: Instance) -> None:
    images.reboot(site.lab, instance, again=True)
    images.wait_port(site.lab, instance.public_address, 5001)
    eventually(lambda: answers(instance))


def test_pkill_in_one_instance_leaves_the_others_server_alone(site: Site) -> None:
    stopped = shell.stop_service(site.lab, site.one.instance_id)
    assert stopped == shell.Stopped(site.one.instance_id, "MusicGuruServer.py", 5000, was_running=True)
    assert ask(site.one.public_address) == "refused"
    assert images.telnet(site.lab, site.one.public_address, 5001).is_open, "only the service was stopped"
    assert answers(site.two)
    assert not shell.stop_service(site.lab, site.one.instance_id).was_running
    start_again(site, site.one)
    filed = [it for it in site.lab.ledger.entries() if (it.kind, it.step, it.what) == ("note", "85", "service")]
    assert [it.details["state"] for it in filed] == ["stopped", "stopped"]
    assert {it.key for it in filed} == {site.one.instance_id}


def test_the_health_check_alone_can_be_stopped(site: Site) -> None:
    assert shell.stop_health_check(site.lab, site.two.instance_id).was_running
    assert images.telnet(site.lab, site.two.public_address, 5001).outcome == "refused"
    assert answers(site.one) and answers(site.two)
    start_again(site, site.two)


def test_an_instance_of_another_run_is_not_touched(site: Site) -> None:
    with pytest.raises(UsageError, match="has no instance i-0123456789abcdef0"):
        shell.stop_service(site.lab, "i-0123456789abcdef0")


# -- sessions end with their instance ---------------------------------------------------------------------------


def test_a_reboot_keeps_the_host_key(site: Site) -> None:
    site.said("true")
    shell.run(site.lab, site.one, "touch before")
    images.reboot(site.lab, site.one, again=True)
    eventually(lambda: not accepts(site.lab, site.one))
    images.wait_port(site.lab, site.one.public_address, site.lab.ssh_port)
    assert site.said("ls before") == "before"


def test_a_session_dies_with_its_instance(site: Site) -> None:
    (victim,) = instances.wait_running(site.lab, launched(site.lab, site.ground, "victim"))
    images.wait_port(site.lab, victim.public_address, site.lab.ssh_port)
    site.run("setsid nohup sleep 70002 >/dev/null 2>&1 & env -i setsid sleep 70003 >/dev/null 2>&1 &", victim)

    async def stay() -> None:
        async with shell.opened(site.lab, victim) as connection:
            process = await connection.create_process("sleep 70004", term_type="vt100")
            eventually(lambda: len(sleepers(site.cloud)) == 3)
            instances.terminate(site.lab, victim)
            await process.wait_closed()

    shell.from_a_cell(stay())
    eventually(lambda: not sleepers(site.cloud), lambda: str(sleepers(site.cloud)))


def sleepers(cloud: Cloud) -> dict[int, str]:
    found = {pid: command_of(pid) for pid in family(cloud)}
    return {pid: text for pid, text in found.items() if text.startswith(("sleep\x007000", "/usr/bin/sleep\x007000"))}


def test_nothing_outlives_a_killed_supervisor_though_somebody_is_logged_in() -> None:
    with started("ssh-end", RATE) as cloud, lab_on(cloud, "end") as lab:
        ground = put_up_network(lab, security.SSH_PORT)
        security.create_key_pair(lab)
        (instance,) = instances.wait_running(lab, launched(lab, ground, "only"))
        images.wait_port(lab, instance.public_address, lab.ssh_port)

        async def stay() -> dict[int, int]:
            async with shell.opened(lab, instance) as connection:
                process = await connection.create_process("sleep 70005 & exec sleep 70006", term_type="vt100")
                eventually(lambda: len(sleepers(cloud)) == 2)
                known = family(cloud)
                os.kill(cloud.supervisor, signal.SIGKILL)
                await process.wait_closed()
                return known

        known = shell.from_a_cell(stay())
        eventually(lambda: left_of(known) == {}, lambda: str(left_of(known)))
        for left in (cloud.home / "t").iterdir():
            shutil.rmtree(left)  # a killed supervisor cannot


# -- from a terminal ---------------------------------------------------------------------------------------------


def mglab_ssh(site: Site, *words: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    main = "import sys; from mglab.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", main, "ssh", "--run", "ssh", *words]
    return subprocess.run(command, capture_output=True, timeout=60, **more)


def test_the_command_line_passes_streams_and_exit_code(site: Site) -> None:
    done = mglab_ssh(site, "one", "cat; echo err >&2; exit 5", input=b"\x00in\n")
    assert (done.returncode, done.stdout, done.stderr) == (5, b"\x00in\n", b"err\n")
    done = mglab_ssh(site, site.two.instance_id, "hostname", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, b"")
    done = mglab_ssh(site, "two", input=b"whoami\nexit 3\n")
    assert (done.returncode, done.stdout) == (3, b"ec2-user\n")


def test_the_command_line_names_what_is_wrong(site: Site) -> None:
    done = mglab_ssh(site, "onne", "true")
    assert done.returncode == 2
    assert b"there is no running instance 'onne'; did you mean 'one'?" in done.stderr


@OPENSSH
def test_the_systems_own_client_gets_in_and_moves_files(site: Site, tmp_path: Path) -> None:
    program, *options, address = terminal.ssh_command(site.lab, site.one)
    (tmp_path / "there").write_text("and back")
    copying = [word if word != "-p" else "-P" for word in options]
    for protocol in ("-s", "-O"):
        there = ["scp", protocol, *copying, str(tmp_path / "there"), f"{address}:/tmp/by{protocol}"]
        back = ["scp", protocol, *copying, f"{address}:/tmp/by{protocol}", str(tmp_path / f"back{protocol}")]
        for command in (there, back):
            copied = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert (copied.returncode, copied.stderr) == (0, "")
        assert (tmp_path / f"back{protocol}").read_text() == "and back"
    done = subprocess.run(
        [program, "-tt", *options, address], input="tty\nexit 6\n", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 6 and "/dev/pts/" in done.stdout
