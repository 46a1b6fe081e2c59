"""The SSH servers of the running instances: who listens where, and for how long.

Each instance that is on has one at its own loopback address, port 22 or what stands for it on this host; the
public address, with its security groups, is a front before it like that of any other port. One thread with an
asyncio loop serves all of them. What SSH itself needs (asyncssh, a third of a second to load) is loaded when
the first client comes (``sshlogin.py``).

``apply`` says which instances have a server. One that is off, gone or booted again loses its listener and all
its connections; what was started over them is its init's to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

BACKLOG = 16
SHORTAGE_PAUSE_S = 0.2
RETRY_S = 2.0
"""How often a port that could not be bound is tried again."""

StartSession = Callable[[str, bytes, Sequence[int]], None]
"""(instance id, request, descriptors): have the instance's init start a program; raises OSError."""
T = TypeVar("T")


@dataclass(frozen=True)
class Host:
    """One boot of one instance, as its SSH server knows it."""

    instance_id: str
    boots: int
    address: str
    """The loopback address where it listens."""
    port: int
    private_address: str
    root: Path
    """Its file tree: host key, authorized keys, and all that sftp may see."""


@dataclass
class _Server:
    """A listener and the connections that came in by it."""

    listening: socket.socket
    accepting: asyncio.Task[None] | None = None
    connections: set[asyncio.Task[None]] = field(default_factory=set)


class Sshd:
    """Owns the listeners and the thread. ``apply`` may be called from any one thread."""

    def __init__(self, start_session: StartSession) -> None:
        self._start_session = start_session
        self._hosts: frozenset[Host] = frozenset()
        self._servers: dict[Host, _Server] = {}
        self._unbound: dict[Host, str] = {}
        self._applied_at = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sshd", daemon=True)
        self._thread.start()

    def apply(self, hosts: Iterable[Host]) -> None:
        """Make these, and no others, the instances that have a server."""
        wanted = frozenset(hosts)
        overdue = self._unbound and time.monotonic() - self._applied_at >= RETRY_S
        if wanted != self._hosts or overdue:
            self._hosts, self._applied_at = wanted, time.monotonic()
            self._call(self._apply(wanted))

    def troubles(self) -> tuple[str, ...]:
        """Say which servers could not listen."""
        unbound = sorted((host.instance_id, host.port, why) for host, why in self._unbound.items())
        return tuple(f"{instance_id}: no SSH server at port {port}: {why}" for instance_id, port, why in unbound)

    def stop(self) -> None:
        """Close every listener and connection, and end the thread."""
        self._call(self._apply(frozenset()))
        self._call(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _apply(self, wanted: frozenset[Host]) -> None:
        for host in self._servers.keys() - wanted:
            await _close(self._servers.pop(host))
        self._unbound = {}
        for host in wanted - self._servers.keys():
            try:
                server = _Server(_listening(host))
            except OSError as failure:
                self._unbound[host] = failure.strerror or str(failure)
                continue
            self._servers[host] = server
            server.accepting = self._loop.create_task(self._accept(host, server))

    async def _finish(self) -> None:
        """End what still waits for programs whose connections are closed already."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    async def _accept(self, host: Host, server: _Server) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(server.listening)
            except OSError:  # no descriptor left, or the client has gone already
                await asyncio.sleep(SHORTAGE_PAUSE_S)
                continue
            task = self._loop.create_task(self._serve(host, connection))
            server.connections.add(task)
            task.add_done_callback(server.connections.discard)

    async def _serve(self, host: Host, connection: socket.socket) -> None:
        try:  # loading takes the first client a while, and must not hold up this loop
            serve = await self._loop.run_in_executor(None, _loaded)
        except BaseException:
            connection.close()
            raise
        await serve(host, connection, self._start_session)


def _loaded() -> Callable[[Host, socket.socket, StartSession], Coroutine[Any, Any, None]]:
    from mglab.localcloud.wires import sshlogin

    return sshlogin.serve


def _listening(host: Host) -> socket.socket:
    listening = socket.socket()
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host.address, host.port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


async def _close(server: _Server) -> None:
    """End a server with all its connections; returns when nothing of it is left."""
    tasks = [*server.connections, *([server.accepting] if server.accepting else [])]
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    server.listening.close()
