"""The data plane as a whole: snapshots in, snapshots out, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from mglab.localcloud.dataplane import DataPlane
from mglab.localcloud.seam import (
    Candidate,
    Desired,
    Front,
    ImageSpec,
    MachineReport,
    MachineSpec,
    Node,
    NodeListener,
    Observed,
    Probe,
)
from mglab.localcloud.wires.fronts import listening_sockets
from tests.local.wirekit import Echo, address, connect, eventually

ROOT = Path(__file__).parents[2]
PORT = 21800
MACHINE = MachineSpec(
    "i-a", "ami-1", "on", 1, "vpc-1", "192.168.0.57", "127.64.0.12", "ip-192-168-0-57", ssh_port=PORT + 22
)


class FakeMachines:
    """Reports that every machine is as it should be."""

    def __init__(self) -> None:
        self.machines: tuple[MachineSpec, ...] = ()
        self.closed = False

    def apply(self, machines: tuple[MachineSpec, ...], images: tuple[ImageSpec, ...]) -> None:
        self.machines = machines

    def tick(self) -> None:
        assert not self.closed

    def report(self) -> tuple[tuple[MachineReport, ...], tuple[str, ...], tuple[str, ...]]:
        return tuple(MachineReport(m.instance_id, m.power, m.boots, 0, 1) for m in self.machines), ("ami-1",), ()

    def root(self, instance_id: str) -> Path:
        return Path("/nowhere") / instance_id

    def start_session(self, instance_id: str, request: bytes, descriptors: Sequence[int]) -> None:
        raise AssertionError("nobody logs in here")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a Unix socket's may not be longer than 108 bytes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


class Control:
    """The control plane's end: says what should be, keeps the last of what is."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.observed = Observed()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self.observed = self.connection.recv()
        except (EOFError, OSError):
            return


class Running:
    """A data plane in a thread of this process, with a control plane's end to it."""

    def __init__(self, folder: Path) -> None:
        ours, theirs = Pipe()
        self.control = Control(ours)
        self.machines = FakeMachines()
        self.plane = DataPlane(theirs, self.machines, folder / "r")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.plane.start()
        while self.plane.tick():
            pass
        self.plane.stop()


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    running = Running(folder)
    yield running
    running.plane.end()
    running.thread.join(20)
    assert not running.thread.is_alive() and running.machines.closed
    running.control.connection.close()


def desired_for(service: Echo) -> Desired:
    listener = NodeListener(PORT, "arn:mgtg", (Candidate("i-a", *service.address),))
    probe = Probe("arn:mgtg", "i-a", PORT, "us-east-1a", *service.address, "127.0.0.1", 0.1, 0.1, 0.0)
    return Desired(
        machines=(MACHINE,),
        nodes=(Node("net/MGLB/1", "us-east-1a", address(), "127.0.0.1", (listener,)),),
        fronts=(Front("i-a", address(), PORT, "open", service.address[0]),),
        probes=(probe,),
        names={"mglb": ("127.65.0.3",)},
    )


def test_a_snapshot_comes_alive_and_is_reported(running: Running) -> None:
    service = Echo("i-a", address(), PORT)
    desired = desired_for(service)
    running.control.connection.send(desired)
    eventually(lambda: running.control.observed.probes and running.control.observed.probes[0].passed)
    assert running.control.observed.machines == (MachineReport("i-a", "on", 1, 0, 1),)
    for public in (desired.nodes[0].address, desired.fronts[0].address):
        with connect((public, PORT)) as client:
            assert client.recv(10) == b"i-a\n"
    eventually(lambda: running.control.observed.flows[0].new_flows == 1)
    assert running.control.observed.troubles == ()
    service.close()


def test_only_the_last_snapshot_counts(running: Running) -> None:
    service = Echo("i-a", address(), PORT)
    for _ in range(50):
        running.control.connection.send(desired_for(service))
    last = desired_for(service)
    running.control.connection.send(last)
    eventually(lambda: (last.nodes[0].address, PORT) in listening_sockets())
    with connect((last.nodes[0].address, PORT)) as client:
        assert client.recv(10) == b"i-a\n"
    service.close()


@pytest.mark.fact("1.7/deleted")
def test_a_deleted_load_balancer_cuts_its_flows(running: Running) -> None:
    service = Echo("i-a", address(), PORT)
    desired = desired_for(service)
    running.control.connection.send(desired)
    eventually(lambda: running.control.observed.flows)
    with connect((desired.nodes[0].address, PORT)) as client:
        assert client.recv(10) == b"i-a\n"
        running.control.connection.send(Desired())
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    with pytest.raises(ConnectionRefusedError):
        connect((desired.nodes[0].address, PORT))
    service.close()


def test_a_front_follows_its_service_without_a_new_snapshot(running: Running) -> None:
    service = Echo("i-a", address(), PORT)
    front = desired_for(service).fronts[0]
    running.control.connection.send(Desired(fronts=(front,)))

    def served() -> bool:
        try:
            with connect((front.address, PORT)) as client:
                return client.recv(10) == b"i-a\n"
        except OSError:
            return False

    eventually(served)
    service.close()
    eventually(lambda: not served())
    service = Echo("i-a", front.target_address, PORT)
    eventually(served)
    service.close()


def test_a_port_that_is_taken_is_a_trouble_until_it_is_free(running: Running) -> None:
    service = Echo("i-a", address(), PORT)
    desired = desired_for(service)
    in_the_way = Echo("someone else", desired.nodes[0].address, PORT)
    running.control.connection.send(desired)
    eventually(lambda: running.control.observed.troubles)
    assert f"port {PORT} of {in_the_way.address[0]} could not be bound" in running.control.observed.troubles[0]
    in_the_way.close()
    eventually(lambda: not running.control.observed.troubles)
    service.close()


def test_the_other_sides_end_is_its_own(folder: Path) -> None:
    running = Running(folder)
    eventually(lambda: running.control.observed.images)
    # shutdown, not close: the thread that listens keeps the descriptor open
    with socket.socket(fileno=os.dup(running.control.connection.fileno())) as ours:
        ours.shutdown(socket.SHUT_RDWR)
    running.thread.join(20)
    assert not running.thread.is_alive() and running.machines.closed
    assert not (folder / "r").exists()


def test_a_control_plane_that_does_not_listen_blocks_nothing(folder: Path) -> None:
    """Neither side ever waits with a full pipe in front of it for the other to read."""
    ours, theirs = Pipe()
    plane = DataPlane(theirs, FakeMachines(), folder / "r")

    def run() -> None:
        plane.start()
        while plane.tick():
            pass
        plane.stop()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    machines = tuple(
        MachineSpec(f"i-{n:017}", "ami-1", "on", 1, "vpc-1", "192.168.0.57", "127.64.0.12", "x" * 500)
        for n in range(500)
    )
    for boots in range(20):
        ours.send(Desired(machines=(*machines, MachineSpec("i-last", "ami-1", "on", boots, "v", "p", "l", "h"))))
        time.sleep(0.02)
    while ours.recv().machines[-1:] != (MachineReport("i-last", "on", 19, 0, 1),):
        pass
    ours.close()
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Connection]]:
    """The real entry, as the supervisor starts it, with fake machines."""
    ours, theirs = socket.socketpair()
    code = (
        "import sys; sys.modules['mglab.localcloud.machines.fleet'] = fleet = type(sys)('fleet')\n"
        "from tests.local.test_dataplane import FakeMachines\n"
        "fleet.Fleet = lambda directory, resolver: FakeMachines()\n"
        "from mglab.localcloud.dataplane import main; sys.exit(main())"
    )
    arguments = ["--fd", str(theirs.fileno()), "--directory", str(folder), "--resolver", str(folder / "r")]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], pass_fds=[theirs.fileno()], cwd=ROOT)
    theirs.close()
    connection = Connection(ours.detach())
    yield process, connection
    connection.close()
    assert process.wait(20) == 0
    assert "data plane ends" in (folder / "log" / "data.log").read_text()
    assert not (folder / "r").exists()


def test_as_a_process_it_ends_with_its_connection(process: tuple[subprocess.Popen[bytes], Connection]) -> None:
    _, connection = process
    connection.send(Desired(machines=(MACHINE,)))
    while not connection.recv().machines:
        pass


def test_as_a_process_it_ends_at_sigterm_and_ignores_ctrl_c(
    process: tuple[subprocess.Popen[bytes], Connection],
) -> None:
    child, connection = process
    connection.recv()
    child.send_signal(signal.SIGINT)
    connection.send(Desired(machines=(MACHINE,)))
    while not connection.recv().machines:
        pass
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == 0


def test_as_a_process_it_rests_when_there_is_nothing_to_do(
    process: tuple[subprocess.Popen[bytes], Connection],
) -> None:
    child, connection = process
    connection.recv()

    def cpu_s() -> float:
        fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu_s()
    time.sleep(2)
    assert cpu_s() - before <= 0.1
