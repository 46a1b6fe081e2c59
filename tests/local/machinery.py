"""What the tests of instances share: a tiny image, a resolver, and ways to wait and look."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mglab.localcloud.machines import catalogue
from mglab.localcloud.machines.images import build
from mglab.localcloud.machines.inside import proctree
from mglab.localcloud.seam import MachineReport, MachineSpec

ECHO = """\
import socket
server = socket.socket()
server.bind(("", 5000))
server.listen(16)
while True:
    client, caller = server.accept()
    with client:
        line = client.makefile().readline().strip()
        client.sendall(f"{line} from {client.getsockname()[0]} ({socket.gethostname()}) to {caller[0]}\\n".encode())
"""
RUN = '#!/bin/sh\ncd "$(dirname "$0")"\npython3 echo.py &\n'
START = "#!/bin/sh\nexec sudo -u ec2-user /home/ec2-user/run.sh\n"

_blocks = itertools.count(os.getpid() % 200)


def spec(number: int, block: int, **changes: object) -> MachineSpec:
    """Give instance number N of a test's own block of loopback addresses."""
    made = MachineSpec(
        instance_id=f"i-{number:017x}",
        image_id="ami-echo",
        power="on",
        boots=1,
        vpc_id="vpc-1",
        private_address=f"192.168.0.{number}",
        loopback_address=f"127.190.{block}.{number}",
        host_name=f"ip-192-168-0-{number}",
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def next_block() -> int:
    """Give a third octet that no other test of this process uses."""
    return next(_blocks) % 256


def echo_image(directory: Path, image_id: str = "ami-echo") -> Path:
    """Make an image whose instances answer on port 5000."""

    def fill(root: Path) -> None:
        catalogue.amazon_linux(root)
        home = root / "home/ec2-user"
        (home / "echo.py").write_text(ECHO)
        script(home / "run.sh", RUN)
        script(root / "var/lib/cloud/scripts/per-boot/start", START)

    image = directory / "images" / image_id
    image.parent.mkdir(parents=True, exist_ok=True)
    build(image, fill)
    return image


def script(path: Path, text: str) -> None:
    """Write an executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def until(condition: Callable[[], object], what: str, bound_s: float = 30.0) -> None:
    """Wait until a condition holds; fail in words when it never does."""
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def ask(address: str, line: str = "hello", port: int = 5000) -> str:
    """Send a line to a service and give its answer; nothing when nobody listens."""
    try:
        with socket.create_connection((address, port), timeout=5) as client:
            client.sendall(f"{line}\n".encode())
            return client.makefile().readline().strip()
    except OSError:
        return ""


def left_of(token: str) -> list[int]:
    """Find processes of an instance (or, with ``*``, of a cloud) that still live."""
    return [p.pid for p in map(proctree.read, proctree.bearing(token)) if p and p.alive]


def console(directory: Path, instance_id: str) -> str:
    """Read what an instance has written to its console."""
    path = directory / "instances" / instance_id / "var/log/console.log"
    return path.read_text(errors="replace") if path.exists() else ""


def by_id(reports: tuple[MachineReport, ...], instance_id: str) -> MachineReport:
    """Pick one instance's report."""
    return next(report for report in reports if report.instance_id == instance_id)


class Answers(socketserver.StreamRequestHandler):
    """Answers a question from the table of the server it belongs to."""

    def handle(self) -> None:
        question = self.rfile.readline().decode().strip()
        self.server.asked.append(question)  # type: ignore[attr-defined]
        for line in self.server.table.get(question, ()):  # type: ignore[attr-defined]
            self.wfile.write(f"{line}\n".encode())


class Resolver(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A resolver that knows what a test tells it."""

    daemon_threads = True

    def __init__(self, path: Path, table: dict[str, list[str]]) -> None:
        self.table = table
        self.asked: list[str] = []
        super().__init__(str(path), Answers)


@contextlib.contextmanager
def resolver(path: Path, table: dict[str, list[str]]) -> Iterator[Resolver]:
    """Run a resolver while a test needs it."""
    server = Resolver(path, table)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
