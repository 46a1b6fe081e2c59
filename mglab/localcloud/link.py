"""The control plane's end of the line to the data plane: one child process, snapshots both ways.

Sending has a thread of its own and keeps only the newest snapshot: a data plane that is stopped or busy
must never hold up an API answer. Receiving has one too; ``observed`` is the last snapshot that came.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from mglab.localcloud.seam import Desired, Observed

NOTHING_YET = Observed()


class DataPlane:
    """One running data plane; ``observed`` is what it last saw."""

    def __init__(self, process: subprocess.Popen[bytes], connection: Connection, log: Path) -> None:
        self.process = process
        self.log = log
        self.observed = NOTHING_YET
        self._connection = connection
        self._wanted: Desired | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._first = threading.Event()
        """The first snapshot has come, or the line has ended without one."""
        self._threads = [
            threading.Thread(target=self._send, name="to-data-plane", daemon=True),
            threading.Thread(target=self._receive, name="from-data-plane", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def want(self, desired: Desired) -> None:
        """Make ``desired`` the next snapshot to go out; one not yet sent is forgotten."""
        with self._changed:
            self._wanted = desired
            self._changed.notify()

    def answered(self, bound_s: float) -> bool:
        """Wait for the first snapshot; False when the data plane ends before it, or takes too long."""
        return self._first.wait(bound_s) and self.observed is not NOTHING_YET

    def alive(self) -> bool:
        """Say whether the data plane still runs."""
        return self.process.poll() is None

    def stop(self, grace_s: float = 1.0) -> None:
        """End the data plane and, with it, every machine; kill it when it does not answer in ``grace_s``."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.process.terminate()
        self.process.send_signal(signal.SIGCONT)  # one that is stopped would not see the other
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._wanted is not None)
                if self._closed:
                    return
                desired, self._wanted = self._wanted, None
            try:
                self._connection.send(desired)
            except OSError:
                return

    def _receive(self) -> None:
        while True:
            try:
                self.observed = self._connection.recv()
            except (EOFError, OSError):
                return
            finally:
                self._first.set()


def start(directory: Path, resolver: Path, slot: int) -> DataPlane:
    """Start the data plane for the cloud in ``directory``; its words go to the log there.

    It inherits ``slot``, the descriptor that claims the cloud's addresses: they are not free before it is gone.
    """
    log = directory / "log" / "data.log"
    ours, theirs = Pipe(duplex=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mglab.localcloud.dataplane",
                "--fd",
                str(theirs.fileno()),
                "--directory",
                str(directory),
                "--resolver",
                str(resolver),
            ],
            pass_fds=[theirs.fileno(), slot],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=_environment(),
        )
    theirs.close()
    return DataPlane(process, ours, log)


def _environment() -> dict[str, str]:
    """Give the child this package's folder first, whatever folder it was started from."""
    root = str(Path(__file__).resolve().parents[2])
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
