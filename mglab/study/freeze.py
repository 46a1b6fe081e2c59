"""Why the Preliminary asks for a second server: one silent connection freezes a single-threaded one.

A server that takes one client at a time waits in ``recv`` for whoever connected first. A balancer's TCP
check connects and says nothing; so does anyone who leaves a telnet open. The demonstration runs on this
machine alone, on either backend: no cloud is needed to be stuck.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from mglab.display import column
from mglab.study.client import failure_of

PATIENCE_S = 1.5


@dataclass(frozen=True)
class Moment:
    """One question to the single-threaded server."""

    when: str = field(metadata=column("When asked"))
    outcome: str = field(metadata=column("What came back"))
    took_ms: float = field(metadata=column("Took (ms)", "number"))


def one_idle_connection() -> list[Moment]:
    """Ask a single-threaded server before, during and after one silent connection; give the three outcomes."""
    with _single_threaded_server() as address:
        before = _ask(address, "before")
        silent = socket.create_connection(address)
        during = _ask(address, "while another client is connected and silent")
        silent.close()
        after = _ask(address, "after that client has gone")
    return [before, during, after]


@contextmanager
def _single_threaded_server() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve_one_at_a_time, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve_one_at_a_time(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            try:
                if line := client.recv(1024):
                    client.sendall(b"you asked for " + line)
            except OSError:
                continue


def _ask(address: tuple[str, int], when: str) -> Moment:
    began = perf_counter()
    try:
        with socket.create_connection(address, PATIENCE_S) as link:
            link.sendall(b"1985\n")
            outcome = link.recv(1024).decode().strip() or "closed without an answer"
    except OSError as error:
        outcome = failure_of(error)
    return Moment(when, outcome, round((perf_counter() - began) * 1000, 1))
