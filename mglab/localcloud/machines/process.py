"""The process driver: an instance is an ordinary process tree with a loopback address of its own.

Works on any Linux, without root or namespaces. Each instance has an init (``inside/init.py``) in a session of
its own; what it starts cannot get away from it. The driver holds the writing end of one life pipe: when this
process goes, however it goes, every init sees the end of the pipe and ends its tree. When an init itself is
killed, its orphans become children of this process (a subreaper) and are found by the token in their
environment, or because they were seen below that init before.

What it confines: sockets and host names of Python programs (``shim/``), absolute paths of shell scripts and
of ``write_files``. What it does not: files that Python programs open by absolute path, and programs in other
languages. It is a model of instances for one's own code, not a sandbox for somebody else's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mglab.errors import LabError
from mglab.localcloud.machines import running
from mglab.localcloud.machines.cpu import Counter, Usage, measure
from mglab.localcloud.machines.inside import proctree
from mglab.localcloud.seam import MachineSpec

END_TIMEOUT_S = 1.5
"""How long an init may take to end its tree before it is ended itself."""
_POLL_S = 0.005


@dataclass
class _Machine:
    """A running init and what has been seen below it."""

    init: subprocess.Popen[bytes]
    control: socket.socket
    """Takes requests to start something for somebody who logs in."""
    seen: dict[int, int] = field(default_factory=dict)
    """pid -> when it started: names a process for good."""


class ProcessDriver:
    """Boots, measures and ends instances. Any thread may call it; one call per instance at a time."""

    def __init__(self, directory: Path, resolver: Path) -> None:
        self.cloud = running.Cloud(directory, resolver)
        self._machines: dict[str, _Machine] = {}
        self._counters: dict[str, Counter] = {}
        self._lock = threading.Lock()
        self._closed = False
        proctree.become_subreaper()
        self._life_reading, self._life_writing = os.pipe()
        self._end_bearers(f"{self.cloud.token}-*")
        running.clear(self.cloud)

    def boot(self, spec: MachineSpec) -> None:
        """Start an instance's init; it carries out the boot sequence by itself."""
        try:
            config = running.prepare(spec, self.cloud)
            with self._lock:
                self._launch(config, spec)
        except OSError as error:
            raise LabError(f"{spec.instance_id} could not be booted: {error.strerror}: {error.filename}") from error

    def halt(self, instance_id: str) -> None:
        """End an instance's whole tree, or what an init that has ended left of it; returns when nothing is left."""
        machine = self._machines.get(instance_id)
        if machine is None:
            return
        self._measured(instance_id, machine)
        self._ask(machine)
        self._await([machine])
        self._finish(instance_id, machine)

    def destroy(self, instance_id: str) -> None:
        """End an instance for good and forget what it has used."""
        self.halt(instance_id)
        running.remove(instance_id, self.cloud)
        with self._lock:
            self._counters.pop(instance_id, None)

    def exit_status(self, instance_id: str) -> int | None:
        """Give the exit status of an init that has ended by itself (halt it then); None while it lives."""
        machine = self._machines.get(instance_id)
        return machine.init.poll() if machine else None

    def start_session(self, instance_id: str, request: bytes, descriptors: Sequence[int]) -> None:
        """Have an instance's init start a program for somebody who logs in (``inside/sessions.py``).

        The descriptors are copied; the caller closes its own. Raises OSError when the instance cannot be asked.
        """
        machine = self._machines.get(instance_id)
        if machine is None:
            raise OSError(errno.ESRCH, f"{instance_id} is not running")
        socket.send_fds(machine.control, [request], descriptors)

    def measure(self) -> dict[str, Usage]:
        """Read what every running instance has used since its first boot."""
        return {i: self._measured(i, machine) for i, machine in list(self._machines.items())}

    def used_ns(self, instance_id: str) -> int:
        """Give the CPU time that an instance had used when it was last measured."""
        counter = self._counters.get(instance_id)
        return counter.total_ns if counter else 0

    def is_running(self, instance_id: str) -> bool:
        """Say whether an instance's init has been started and not been seen to end."""
        return instance_id in self._machines

    def close(self) -> None:
        """End everything, and let nothing start any more; the life pipe goes last."""
        with self._lock:
            self._closed = True
            machines = dict(self._machines)
        for machine in machines.values():
            self._ask(machine)
        self._await(list(machines.values()))
        for instance_id, machine in machines.items():
            self._finish(instance_id, machine)
        for end in (self._life_writing, self._life_reading):
            os.close(end)

    def _launch(self, config: Path, spec: MachineSpec) -> None:
        if self._closed:
            raise LabError(f"{spec.instance_id} is not booted: the cloud is stopping")
        self._machines[spec.instance_id] = self._start(config, spec)
        self._counters.setdefault(spec.instance_id, Counter()).boot()

    def _start(self, config: Path, spec: MachineSpec) -> _Machine:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        passed = (self._life_reading, theirs.fileno())
        with theirs:
            init = subprocess.Popen(
                [running.interpreter(), "-S", "-E", str(running.INSIDE), "init", str(config), *map(str, passed)],
                env=running.environment(spec, self.cloud),
                cwd=self.cloud.tree(spec.instance_id),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=passed,
                start_new_session=True,
            )
        return _Machine(init, ours)

    def _ask(self, machine: _Machine) -> None:
        with contextlib.suppress(ProcessLookupError):
            machine.init.send_signal(signal.SIGTERM)
            # one that somebody has stopped would never see the other signal
            machine.init.send_signal(signal.SIGCONT)

    def _await(self, machines: list[_Machine]) -> None:
        """Wait until the inits have ended; kill those that do not."""
        until = time.monotonic() + END_TIMEOUT_S
        while time.monotonic() < until and any(machine.init.poll() is None for machine in machines):
            time.sleep(_POLL_S)
        for machine in machines:
            if machine.init.poll() is None:
                machine.init.kill()
                machine.init.wait()

    def _finish(self, instance_id: str, machine: _Machine) -> None:
        """End what an init has left behind: nothing, unless it was killed."""
        self._end_bearers(self.cloud.token_of(instance_id), machine.seen)
        machine.control.close()
        with self._lock:
            self._machines.pop(instance_id, None)

    def _end_bearers(self, token: str, seen: dict[int, int] | None = None) -> None:
        """End the processes that bear the token, those seen before, and all below them."""
        ended: set[int] = set()

        def find() -> set[int]:
            processes = proctree.table()
            roots = {pid for pid, started in (seen or {}).items() if _same(processes.get(pid), started)}
            roots |= set(proctree.bearing(token)) - {os.getpid()}
            children = proctree.children_of(processes)
            found = roots.union(*(proctree.descendants(children, root) for root in roots))
            ended.update(found)
            return found

        proctree.end(find, lambda: _reap(ended))
        _reap(ended)

    def _measured(self, instance_id: str, machine: _Machine) -> Usage:
        if machine.init.poll() is not None:  # its pid may be somebody else's by now
            return Usage(self.used_ns(instance_id))
        below = proctree.below(machine.init.pid)
        usage = measure(below, running.reaped_ns(instance_id, self.cloud))
        machine.seen = {process.pid: process.started for process in below} or machine.seen
        with self._lock:
            counter = self._counters.setdefault(instance_id, Counter())
            counter.see(usage.cpu_ns)
            return Usage(counter.total_ns, usage.processes)


def _same(process: proctree.Process | None, started: int) -> bool:
    return process is not None and process.started == started


def _reap(pids: Iterable[int]) -> None:
    """Reap orphans that have become children of this process; others are their parents' to reap."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
