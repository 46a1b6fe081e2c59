"""A whole local cloud for a test: its own folder and name, its processes as /proc shows them, the lab on it.

``started`` gives a cloud that runs and makes sure that nothing of it is left afterwards, whatever the test did to
it. ``lab_on`` opens a session on it as a notebook would; ``put_up_network`` and ``put_up_service`` carry out the
sheet's steps with the lab's own functions.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

import mglab
from mglab.localcloud.machines.inside import proctree
from mglab.session import Lab
from mglab.steps import balancing, images, instances, network, scaling, security, templates

ROOT = Path(__file__).parents[2]
GENEROUS_S = 60.0
COMMAND_BOUND_S = 120.0
BYTECODE = tempfile.TemporaryDirectory(prefix="mg")
"""What Python has compiled for one cloud serves the next: half of a start is compiling, where it is not kept."""

Seen = TypeVar("Seen")
Process = tuple[int, int]
"""(pid, when it started): names a process for good."""


# -- a cloud ---------------------------------------------------------------------------------------------------


@dataclass
class Cloud:
    """A cloud in a state home of its own; ``rate`` is how fast its clock runs."""

    home: Path
    name: str
    rate: float
    options: Sequence[str] = ()
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """The cloud's own folder."""
        return self.home / "clouds" / self.name

    @property
    def log(self) -> str:
        """What the supervisor has said."""
        return (self.directory / "log" / "control.log").read_text("utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What its commands get: temporary files in its own home, so that what is left of them is seen."""
        told = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**told, "PYTHONPYCACHEPREFIX": BYTECODE.name, "TMPDIR": str(self.home / "t")}

    def words(self, verb: str) -> list[str]:
        """Give a command's words."""
        told = ("--directory", self.directory, "--name", self.name, "--rate", self.rate, *self.options)
        return [sys.executable, "-m", "mglab.localcloud", verb, *map(str, told)]

    def begin(self, verb: str, *words: str) -> subprocess.Popen[str]:
        """Start ``up``, ``down``, ``set`` or ``status`` and do not wait for it."""
        return subprocess.Popen(
            [*self.words(verb), *words], cwd=ROOT, env=self.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def call(self, verb: str) -> dict[str, Any] | None:
        """Carry out ``up``, ``down`` or ``status``; give what it printed."""
        return answer(self.begin(verb))

    def up(self) -> dict[str, Any]:
        """Start the cloud; give what it says of itself."""
        state = self.call("up")
        assert state is not None
        self.state = state
        return state

    def set(self, *words: str) -> dict[str, Any]:
        """Set the running cloud; give what it says of itself then (its keys may be others)."""
        state = answer(self.begin("set", *words))
        assert state is not None
        self.state = state
        return state

    def client(self, service: str, **settings: Any) -> Any:
        """Make an owner's client of one service."""
        known = {
            "endpoint_url": self.state["endpoint"],
            "region_name": self.state["region"],
            "aws_access_key_id": self.state["access_key_id"],
            "aws_secret_access_key": self.state["secret_access_key"],
            "aws_session_token": self.state.get("session_token"),
            "config": Config(retries={"total_max_attempts": 1}),
        }
        return boto3.client(service, **{**known, **settings})  # type: ignore[call-overload]

    @property
    def supervisor(self) -> int:
        """The supervisor's process id."""
        return int(self.state["pid"])

    @property
    def data_plane(self) -> int:
        """The data plane's process id."""
        below = [one.pid for one in proctree.below(self.supervisor)]
        return next(pid for pid in below if "mglab.localcloud.dataplane" in command_of(pid))

    def tree(self, instance_id: str) -> Path:
        """Say where an instance's files lie."""
        return self.directory / "instances" / instance_id

    def process_in(self, instance_id: str, program: str) -> int:
        """Find an instance's program by its command line."""
        wanted = str(self.tree(instance_id) / "home/ec2-user" / program)
        return eventually(lambda: next((pid for pid in family(self) if wanted in command_of(pid).split("\0")), 0))

    def lab_seconds(self, lab_seconds: float) -> None:
        """Let so much of the cloud's own time pass."""
        time.sleep(lab_seconds / self.rate)


def answer(command: subprocess.Popen[str]) -> dict[str, Any] | None:
    """Wait for a command and read what it printed."""
    out, errors = command.communicate(timeout=COMMAND_BOUND_S)
    assert command.returncode == 0, errors
    found = json.loads(out)
    assert found is None or isinstance(found, dict)
    return found


@contextlib.contextmanager
def prepared(name: str, rate: float, *options: str) -> Iterator[Cloud]:
    """Give a cloud that is not started yet; at the end nothing of it is left, or the test fails."""
    home = Path(tempfile.mkdtemp(prefix="mg"))
    (home / "t").mkdir()
    cloud = Cloud(home, name, rate, options)
    try:
        yield cloud
        cloud.call("down")
        eventually(lambda: not processes_of(home), what=lambda: f"these to end: {processes_of(home)}")
        assert list((home / "t").iterdir()) == []
        assert "Traceback" not in "".join(log.read_text("utf-8") for log in cloud.directory.glob("log/*"))
    finally:
        for pid in processes_of(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def started(name: str, rate: float, *options: str) -> Iterator[Cloud]:
    """Give a cloud that runs; at the end nothing of it is left, or the test fails."""
    with prepared(name, rate, *options) as cloud:
        cloud.up()
        yield cloud


# -- processes -------------------------------------------------------------------------------------------------


def processes_of(home: Path) -> dict[int, str]:
    """Find every living process that has to do with a folder: by command line, environment or working folder."""
    word = os.fsencode(home)
    return {pid: command_of(pid) for pid in living() if pid != os.getpid() and word in _mentioned(pid)}


def living() -> list[int]:
    """List the host's processes that have not ended."""
    return [one.pid for one in proctree.table().values() if one.alive]


def family(cloud: Cloud) -> dict[int, int]:
    """Give pid -> starting time of the supervisor and of everything below it, whatever its environment says."""
    processes = proctree.table()
    below = proctree.descendants(proctree.children_of(processes), cloud.supervisor)
    return {pid: processes[pid].started for pid in (cloud.supervisor, *below) if pid in processes}


def left_of(known: dict[int, int]) -> dict[int, str]:
    """Give those of a family that still live, with their command lines."""
    found = {pid: proctree.read(pid) for pid in known}
    return {pid: command_of(pid) for pid, one in found.items() if one and one.alive and one.started == known[pid]}


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep a process stopped, all its threads, for as long as the block lasts."""
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: _states_of_threads(pid) == {"T"})
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states_of_threads(pid: int) -> set[str]:
    texts = [thread.joinpath("stat").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    return {text.rpartition(")")[2].split()[0] for text in texts}


def command_of(pid: int) -> str:
    """Give a process's command line, its words divided by NUL."""
    return _proc(pid, "cmdline").decode("utf-8", "replace")


def _mentioned(pid: int) -> bytes:
    try:
        folder = os.fsencode(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        folder = b""
    return b"\0".join((_proc(pid, "cmdline"), _proc(pid, "environ"), folder))


def _proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


# -- patience --------------------------------------------------------------------------------------------------


def eventually(look: Callable[[], Seen], what: Callable[[], str] | str = "", bound_s: float = GENEROUS_S) -> Seen:
    """Look until there is something to see, and give it."""
    end = time.monotonic() + bound_s
    while not (seen := look()):
        assert time.monotonic() < end, f"waited in vain for {what() if callable(what) else what or look}"
        time.sleep(0.02)
    return seen


def ask(address: str, port: int = 5000, timeout_s: float = 5.0) -> str:
    """Ask a MusicGuru server once: its reply, or in a word what came instead."""
    try:
        with socket.create_connection((address, port), timeout_s) as wire:
            wire.sendall(b"2004\n")
            return wire.makefile().readline().strip() or "closed"
    except TimeoutError:
        return "timed out"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return error.strerror or "failed"


# -- the lab on it ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def lab_on(cloud: Cloud, run: str = "test", **parameters: Any) -> Iterator[Lab]:
    """Open a session on the cloud as a notebook does: by the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGLAB_STATE_HOME", str(cloud.home))
        patch.setenv("MGLAB_OUTPUTS", str(cloud.home / "outputs"))
        patch.setenv("MGLAB_CLOUD", cloud.name)
        yield mglab.connect(run=run, backend="local", **parameters)


@dataclass(frozen=True)
class Network:
    """What steps 1-24 leave."""

    vpc: network.Vpc
    subnets: Sequence[network.Subnet]
    gateway: network.Gateway
    table: network.RouteTable
    group: security.SecurityGroup


def put_up_network(lab: Lab, *ports: int) -> Network:
    """Carry out steps 1-24, with these ports open."""
    vpc = network.create_vpc(lab)
    subnets = network.create_subnets(lab, vpc)
    gateway = network.attach_internet_gateway(lab, network.create_internet_gateway(lab), vpc)
    table = network.main_route_table(lab, vpc)
    network.add_default_route(lab, table, gateway)
    network.associate_subnets(lab, table, subnets)
    group = security.create_security_group(lab, vpc)
    for port in ports:
        security.allow(lab, group, port)
    return Network(vpc, subnets, gateway, table, group)


def put_up_image(lab: Lab) -> images.Image:
    """Carry out the Preliminary: Project 2's image, with the health check."""
    told = images.health_check_user_data(lab)
    server = images.launch_server(lab, images.project2_image(lab), told)
    (server,) = instances.wait_running(lab, server)
    images.wait_console(lab, server, "starts with run.sh at the next boot")
    images.reboot(lab, server)
    images.wait_port(lab, server.public_address, lab.config.health_port)
    made = images.wait_image(lab, images.create_image(lab, server))
    instances.terminate(lab, server)
    return made


def put_up_service(lab: Lab) -> None:
    """Carry out the Preliminary and steps 1-77: two healthy targets, answering through the balancer."""
    made = put_up_image(lab)
    ground = put_up_network(lab, 22, lab.config.service_port, lab.config.health_port)
    security.create_key_pair(lab)
    template = templates.create_launch_template(lab, made, ground.group)
    target_group = balancing.create_target_group(lab, ground.vpc)
    balancer = balancing.create_load_balancer(lab, ground.subnets)
    balancing.create_listener(lab, balancer, target_group)
    scaling.create_group(lab, template, ground.subnets, target_group)
    scaling.enable_group_metrics(lab)
    scaling.wait_in_service(lab)
    balancing.wait_active(lab)
    balancing.wait_healthy(lab)
