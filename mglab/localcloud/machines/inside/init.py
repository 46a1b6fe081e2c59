"""The first process of an instance: starts the boot sequence, reaps, and ends everything when told.

It leads a session of its own and is the parent of every orphan below it (a subreaper), so nothing that is
started in the instance gets away from it by setsid, nohup or forking twice. It ends its whole tree when

* the life pipe ends: the data plane that holds the other end is gone, however it went;
* SIGTERM: the instance is stopped (SIGTERM to all, a short grace, then the end);
* SIGUSR2: somebody inside said ``poweroff``. SIGUSR1, ``reboot``: the same, and the boot sequence again.

Over the control socket the data plane's SSH server asks it to start programs for those who log in (``sessions.py``).

CPU time of what it has reaped lies in a small shared file, in nanoseconds, for the driver to read.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import select
import signal
import struct
import sys

from mglab.localcloud.machines.inside import boot, proctree
from mglab.localcloud.machines.inside.paths import inside

GRACE_S = 0.3
REAPED = struct.Struct("=q")


def main(arguments: list[str]) -> int:
    """Be the init of ``[init, config, life pipe, control socket]`` until the instance ends."""
    _, config, life, control = arguments
    with open(config, encoding="utf-8") as file:
        values = json.load(file)
    init = _Init(int(life), int(control), values)
    return init.live()


class _Init:
    """The life pipe, the signals that came, what has been reaped, and who waits for an exit status."""

    def __init__(self, life: int, control: int, values: dict[str, object]) -> None:
        self.life = life
        self.control = control
        self.awaited: dict[int, int] = {}
        """process id of a session's program -> the descriptor that its exit status goes to"""
        self.values = values
        self.boot = boot.read(values)
        self.wake = _signals()
        for descriptor in (life, control):
            os.set_inheritable(descriptor, False)
        proctree.become_subreaper()
        self.reaped_file = _shared(str(values["reaped_file"]))
        _console(self.boot.place.root)
        _note_pid(str(values["init_pid_file"]))

    def live(self) -> int:
        """Boot, then reap until told to end; boot again after a reboot."""
        self._start()
        while True:
            ready, _, _ = select.select([self.wake, self.life, self.control], [], [])
            if self.life in ready:
                return self._end(0.0)
            if self.control in ready:
                self._admit()
            if self.wake not in ready:
                continue
            told = set(os.read(self.wake, 512))
            self._reap()
            if told & {signal.SIGTERM, signal.SIGUSR2}:
                return self._end(GRACE_S)
            if signal.SIGUSR1 in told:
                self._end(GRACE_S)
                boot.say("reboot: Restarting system")
                self._start()

    def _start(self) -> None:
        if os.fork() == 0:
            code = 1
            try:
                _forget_signals()
                os.chdir(self.boot.place.root)
                boot.run(self.boot)
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)

    def _admit(self) -> None:
        """Start what the SSH server asks for; its end of the socket closes with the life pipe, never before."""
        from mglab.localcloud.machines.inside import sessions  # most instances are never logged into

        with sessions.socket.socket(fileno=os.dup(self.control)) as control:
            asked = sessions.receive(control)
        if asked is not None:
            session, descriptors = asked
            self.awaited[sessions.start(session, descriptors, self.values, _forget_signals)] = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)

    def _end(self, grace_s: float) -> int:
        if grace_s:
            proctree.ask_to_end(self._tree, self._reap, grace_s)
        return 0 if proctree.end(self._tree, self._reap) else 1

    def _tree(self) -> list[int]:
        return proctree.descendants(proctree.children_of(proctree.table()), os.getpid())

    def _reap(self) -> None:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._tell(*ended)
        except ChildProcessError:
            pass
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        REAPED.pack_into(self.reaped_file, 0, round((used.ru_utime + used.ru_stime) * 1e9))

    def _tell(self, pid: int, status: int) -> None:
        """Tell who waits for a session's end how it ended."""
        descriptor = self.awaited.pop(pid, None)
        if descriptor is None:
            return
        try:
            os.write(descriptor, b"%d" % os.waitstatus_to_exitcode(status))
        except BrokenPipeError:
            pass  # the client has gone
        finally:
            os.close(descriptor)


def _signals() -> int:
    """Turn signals into bytes on a pipe; give its reading end."""
    wake, told = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return wake


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _shared(path: str) -> mmap.mmap:
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), REAPED.size)


def _note_pid(path: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(str(os.getpid()))


def _console(root: str) -> None:
    """Make the console file standard output and error of everything; nothing is ever typed in."""
    path = inside(root, boot.CONSOLE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    log = inside(root, os.path.dirname(boot.OUTPUT_LOG)) + "/" + os.path.basename(boot.OUTPUT_LOG)
    if not os.path.lexists(log):
        os.symlink(os.path.basename(boot.CONSOLE), log)
    console = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((nothing, 0), (console, 1), (console, 2)):
        os.dup2(source, target)
    sys.stdout.flush()
