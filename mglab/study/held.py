"""A connection that is opened before an event and asks its question after it: did the flow survive?

A balanced connection stays with its target for life (aws-facts 1.3). Taken off in good order, the target
still answers it; with an instance that is gone, the connection is gone too (aws-facts 1.7). Who asks anew
never feels that difference, so it is measured with connections that were there before.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from mglab.display import column
from mglab.session import Lab
from mglab.study.client import YEAR, failure_of

PATIENCE_S = 2.0


@dataclass(frozen=True)
class Survival:
    """What became of one connection that was open when the event came."""

    zone: str = field(metadata=column("Opened through"))
    address: str = field(metadata=column("Address", "address"))
    open_lab_s: float = field(metadata=column("Open for (AWS s)", "number"))
    outcome: str = field(metadata=column("Asked then"))
    took_ms: float = field(metadata=column("Took (ms, wall)", "number"))


@dataclass(frozen=True)
class HeldOpen:
    """An open connection that has not asked yet; ``failure`` when it could not even be opened."""

    lab: Lab
    zone: str
    address: str
    link: socket.socket
    opened_at: float
    """Lab seconds since 1970."""
    failure: str = ""

    def ask(self) -> Survival:
        """Ask the question now, and give what came of it."""
        began, open_lab_s = perf_counter(), self.lab.clock.time() - self.opened_at
        outcome = self.failure or self._asked()
        took_ms = round((perf_counter() - began) * 1000, 1)
        return Survival(self.zone, self.address, round(open_lab_s, 1), outcome, took_ms)

    def _asked(self) -> str:
        try:
            self.link.sendall(f"{YEAR}\n".encode())
            reply = self.link.recv(4096).decode("utf-8", "replace").strip()
        except OSError as error:
            return failure_of(error)
        return f"answered: {reply}" if reply else "closed without an answer"


@contextmanager
def opened(lab: Lab, zone: str, address: str) -> Iterator[HeldOpen]:
    """Hold a connection to the service port of ``address`` open for as long as the block lasts."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
        link.settimeout(PATIENCE_S)
        failure = ""
        try:
            link.connect((address, lab.config.service_port))
        except OSError as error:
            failure = failure_of(error)
        yield HeldOpen(lab, zone, address, link, lab.clock.time(), failure)
