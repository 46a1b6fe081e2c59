"""Processes as /proc shows them: who descends from whom, who belongs to an instance, what they have used.

Ending a tree is two loops, each bounded: stop everything until nothing new appears (what is stopped cannot
fork), then kill until nothing is left. A process that has wiped its environment is still a descendant; one
whose init was killed has lost its ancestors but still carries the instance's token in its environment.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

TOKEN_VARIABLE = "MGLAB_INSTANCE"
NS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_ROUNDS, _PAUSE_S = 100, 0.002
_PR_SET_CHILD_SUBREAPER = 36


class Process(NamedTuple):
    """One row of /proc/<pid>/stat."""

    pid: int
    parent: int
    state: str
    started: int
    """In ticks since the host's boot: with the pid, it names a process for good."""
    reaped_ns: int
    """CPU time of the children that it has waited for."""

    @property
    def alive(self) -> bool:
        return self.state not in "ZX"


Table = dict[int, Process]


def table() -> Table:
    """Read every process of the host."""
    found = (read(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process}


def read(pid: int) -> Process | None:
    """Read one process; None when it has gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    ticks = int(fields[13]) + int(fields[14])
    return Process(pid, int(fields[1]), fields[0].decode(), int(fields[19]), ticks * NS_PER_TICK)


def children_of(processes: Table) -> dict[int, list[int]]:
    """Give each parent's children."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    return children


def descendants(children: dict[int, list[int]], ancestor: int) -> list[int]:
    """Give everything below a process, nearest first."""
    found = list(children.get(ancestor, ()))
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def below(ancestor: int) -> list[Process]:
    """Read everything below a process by the kernel's own lists of children, else from the whole table.

    The lists cost a tenth of a look at every process of the host, and may miss one that is just starting or
    ending: right for measuring several times a second, not for ending.
    """
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        processes = table()
        return [processes[pid] for pid in descendants(children_of(processes), ancestor)]
    found = _listed_children(ancestor)
    for pid in found:
        found.extend(_listed_children(pid))
    return [process for process in map(read, found) if process]


def _listed_children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                children.extend(map(int, file.read().split()))
    except OSError:
        return children  # it ends while it is looked at
    return children


def bearing(token: str) -> list[int]:
    """Find the processes whose environment carries an instance's token; a trailing ``*`` finds all of a cloud."""
    wanted = f"\0{TOKEN_VARIABLE}={token}".encode()
    wanted = wanted[:-1] if token.endswith("*") else wanted + b"\0"
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and wanted in _environment(name)]


def _environment(pid: str) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return b"\0" + file.read() + b"\0"
    except OSError:
        return b""


def end(find: Callable[[], Iterable[int]], reap: Callable[[], None]) -> bool:
    """Stop, then kill, all that ``find`` finds until it finds nothing alive; say whether that was reached."""
    _repeat(signal.SIGSTOP, lambda: [p for p in map(read, find()) if p and p.alive and p.state not in "Tt"], reap)
    return _repeat(signal.SIGKILL, lambda: [p for p in map(read, find()) if p and p.alive], reap)


def ask_to_end(find: Callable[[], Iterable[int]], reap: Callable[[], None], grace_s: float) -> None:
    """Send SIGTERM once and wait for at most the grace, as a shutdown does."""
    send(find(), signal.SIGTERM)
    until = time.monotonic() + grace_s
    while time.monotonic() < until and any(p.alive for p in map(read, find()) if p):
        reap()
        time.sleep(_PAUSE_S)


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each; one that has gone is no error."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _repeat(number: int, find: Callable[[], list[Process]], reap: Callable[[], None]) -> bool:
    for _ in range(_ROUNDS):
        left = find()
        if not left:
            return True
        send([process.pid for process in left], number)
        reap()
        time.sleep(_PAUSE_S)
    return False


def become_subreaper() -> None:
    """Make this process the parent of every orphan below it (Linux)."""
    import ctypes  # the init alone needs it, and every stand-in would load it

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
