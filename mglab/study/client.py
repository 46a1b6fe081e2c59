"""One request to the service, every phase timed, and who answered (lab steps 40 and 81-84).

The reply ends in the responder's private address in parentheses: that is how a client on the internet can
tell which replica it got. Times are wall milliseconds: they are real work, never scaled by the lab's clock.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter

from mglab.display import column
from mglab.errors import ServiceUnreachable
from mglab.session import Lab

TIMEOUT_S = 3.0
QUICK_WALL_S = 0.25
"""The shortest that a look by asking waits for an answer; it comes in milliseconds or not at all."""
YEAR = 2004
"""A year the service knows; which one does not matter to who answers."""
CLIENT = Path(__file__).resolve().parents[2] / "servers" / "MusicGuruClient.py"
CLIENT_BOUND_S = 60.0
WHERE_TO_LOOK = (
    "look at the server's console log (images.console(lab, instance)), at the security group and, behind a "
    "balancer, at the targets' health; then run this cell again"
)
RESPONDER = re.compile(r"\((\d+\.\d+\.\d+\.\d+)\)\s*$")


@dataclass(frozen=True)
class Sample:
    """What one request met. ``failure`` is empty when an answer came."""

    at: datetime = field(metadata=column("Asked at", "time"))
    address: str = field(metadata=column("Connected to", "address"))
    source_port: int = field(metadata=column("From port", "number"))
    connect_ms: float | None = field(metadata=column("Connect (ms)", "number"))
    first_byte_ms: float | None = field(metadata=column("First byte (ms)", "number"))
    total_ms: float = field(metadata=column("Total (ms)", "number"))
    responder: str | None = field(metadata=column("Answered by", "address"))
    reply: str = field(metadata=column("Reply"))
    failure: str = field(metadata=column("Failure"))

    @property
    def answered(self) -> bool:
        """Say whether the service answered."""
        return not self.failure


@dataclass
class _Phases:
    """Milliseconds since a request began, phase by phase."""

    began: float
    connect_ms: float | None = None
    first_byte_ms: float | None = None

    def elapsed_ms(self) -> float:
        return round((perf_counter() - self.began) * 1000, 3)


def ask(
    lab: Lab,
    host: str,
    *,
    port: int | None = None,
    year: int = YEAR,
    source_port: int = 0,
    timeout_s: float = TIMEOUT_S,
) -> Sample:
    """Ask once for ``year`` and say how it went; a failure is a result, not an exception.

    ``host`` is a name or an address; a name is resolved afresh and its first address is used, as the lab's
    client does. ``source_port`` 0 lets the system choose; a port given can be used again at once, because the
    server is left to close first: whoever does waits out the pair of addresses and ports (TIME_WAIT).
    """
    at, phases = lab.clock.now(), _Phases(perf_counter())
    addresses = lab.resolve(host)
    if not addresses:
        return _failed(at, host, 0, phases, "no such name")
    address, bound_port = addresses[0], 0
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
        link.settimeout(timeout_s)
        try:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            link.bind(("", source_port))
            link.connect((address, port or lab.config.service_port))
            bound_port, phases.connect_ms = link.getsockname()[1], phases.elapsed_ms()
            reply = _converse(link, year, phases)
        except OSError as error:
            return _failed(at, address, bound_port, phases, failure_of(error))
        if not reply:
            return _failed(at, address, bound_port, phases, "closed without an answer")
        sample = _answered(at, address, bound_port, phases, reply)
        if source_port:
            _let_it_close(link)
    return sample


def free_port() -> int:
    """Give a source port that nobody uses at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
        link.bind(("", 0))
        return int(link.getsockname()[1])


def answers(lab: Lab, host: str) -> Sample:
    """Ask once as a look that others wait for: three lab seconds long, though never less than a quarter wall second."""
    return ask(lab, host, timeout_s=max(QUICK_WALL_S, lab.clock.wall_seconds(TIMEOUT_S)))


def failure_of(error: OSError) -> str:
    """Name a socket error in a word that a table can group by."""
    for kind, word in (
        (TimeoutError, "timed out"),
        (ConnectionRefusedError, "refused"),
        (ConnectionResetError, "reset"),
        (BrokenPipeError, "reset"),
    ):
        if isinstance(error, kind):
            return word
    return error.strerror or type(error).__name__


def responder_of(reply: str) -> str | None:
    """Read who answered from the end of a reply."""
    found = RESPONDER.search(reply)
    return found[1] if found else None


def _converse(link: socket.socket, year: int, phases: _Phases) -> str:
    link.sendall(f"{year}\n".encode())
    received = b""
    while not received.endswith(b"\n"):
        chunk = link.recv(4096)
        if not chunk:
            break
        phases.first_byte_ms = phases.first_byte_ms or phases.elapsed_ms()
        received += chunk
    return received.decode("utf-8", "replace").strip()


def _let_it_close(link: socket.socket) -> None:
    """Read to the server's FIN, so that the server closes first; one that never does is not waited for for ever."""
    with contextlib.suppress(OSError):
        while link.recv(4096):
            continue


def _answered(at: datetime, address: str, source_port: int, phases: _Phases, reply: str) -> Sample:
    return Sample(
        at=at,
        address=address,
        source_port=source_port,
        connect_ms=phases.connect_ms,
        first_byte_ms=phases.first_byte_ms,
        total_ms=phases.elapsed_ms(),
        responder=responder_of(reply),
        reply=reply,
        failure="",
    )


def _failed(at: datetime, address: str, source_port: int, phases: _Phases, failure: str) -> Sample:
    return Sample(
        at=at,
        address=address,
        source_port=source_port,
        connect_ms=phases.connect_ms,
        first_byte_ms=phases.first_byte_ms,
        total_ms=phases.elapsed_ms(),
        responder=None,
        reply="",
        failure=failure,
    )


def run_client(lab: Lab, host: str, *, port: int | None = None, year: int = 0) -> str:
    """Run MusicGuruClient.py itself, unmodified, and give its transcript, command line first (lab step 81).

    Raises ServiceUnreachable when it ends without an answer.
    """
    words = [CLIENT.name, host, str(port or lab.config.service_port), str(year)]
    try:
        done = subprocess.run(
            [sys.executable, str(CLIENT), *words[1:]],
            env=dict(os.environ) | dict(lab.client_environment),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CLIENT_BOUND_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServiceUnreachable(f"{CLIENT.name} did not end in {CLIENT_BOUND_S:g} s", hint=WHERE_TO_LOOK) from None
    transcript = f"$ python3 {' '.join(words)}\n{done.stdout}{done.stderr}".rstrip()
    if done.returncode:
        raise ServiceUnreachable(
            f"the client got no answer from {host}:\n{transcript}",
            hint=WHERE_TO_LOOK,
        )
    return transcript
