"""Keeps the world on disk, in a thread of its own.

Two promises. What a client was answered is kept: a request that changes something is answered only when the
snapshot with its change is in place (some milliseconds; requests that come together share one). What the cloud does
by itself (an instance turns running, a group launches one) is kept ``SOON_S`` later at the latest, what passes by
unseen (alarms' reasons, credits) and CloudWatch's points ``LATE_S`` later.

The world is pickled under the cloud's lock, a millisecond or two; compressing and writing need no lock. A snapshot
that would be like the last is not written: a cloud in which nothing happens leaves the disk alone. A disk that
cannot be written holds nobody up: it is said once in the log, and the cloud serves on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mglab.localcloud import snapshot
from mglab.localcloud.controlplane import ControlPlane
from mglab.localcloud.pointlog import Point, PointLog
from mglab.localcloud.snapshot import Identity

log = logging.getLogger("mglab.localcloud")

SOON_S = 0.25
LATE_S = 2.0
LONGEST_WAIT_S = 10.0
"""How long an answer waits for a disk that hangs."""
READS = ("Describe", "Get", "List")
UNKEPT = ("PutMetricData",)
"""Answered at once: points are kept a little later."""


class Keeper:
    """``start``, then ``keep`` for each operation and ``note`` for each change of the cloud's own; ``stop``."""

    def __init__(self, cloud: ControlPlane, directory: Path) -> None:
        self._cloud = cloud
        self._directory = directory
        self._points = PointLog(directory)
        self._turn = threading.Condition()
        self._asked = self._kept = 0
        """How many operations asked to be kept, and how many of them are."""
        self._noted = self._stopped = False
        self._last: tuple[Identity, bytes] | None = None
        self._last_at = 0.0
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self, identity: Callable[[], Identity]) -> None:
        """Keep the world as it is now, and every change from now on; ``identity`` says what clients hold of it."""
        self._identity = identity
        with self._cloud.lock:
            points = self._cloud.cloudwatch.state.points()
        self._tried(lambda: self._points.begin(points))
        self._save()
        self._thread.start()

    def keep(self, operation: str) -> None:
        """Return when what this operation has changed is on disk; at once for one that only reads."""
        if operation.startswith(READS) or operation in UNKEPT:
            return
        with self._turn:
            self._asked += 1
            mine = self._asked
            self._turn.notify_all()
            if not self._turn.wait_for(lambda: self._kept >= mine or self._stopped, LONGEST_WAIT_S):
                log.warning("%s was answered before it was kept: the disk is slow", operation)

    def note(self) -> None:
        """Say that the cloud has changed by itself."""
        with self._turn:
            self._noted = True

    def stop(self) -> None:
        """Keep the world as it is now, for the last time."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        self._thread.join()
        self._save()

    def _run(self) -> None:
        while self._due():
            self._save()

    def _due(self) -> bool:
        """Wait until it is time to save; False when there is no more to be saved."""
        with self._turn:
            while not self._stopped:
                if self._asked > self._kept:
                    return True
                since = time.monotonic() - self._last_at
                if since >= LATE_S or (self._noted and since >= SOON_S):
                    return True
                self._turn.wait(SOON_S)
            return False

    def _save(self) -> None:
        with self._turn:
            asked, self._noted = self._asked, False
        self._tried(self._write)
        with self._turn:
            self._kept, self._last_at = asked, time.monotonic()
            self._turn.notify_all()

    def _write(self) -> None:
        identity, packed, points, anew = self._picture()
        if (identity, packed) != self._last:
            snapshot.write(self._directory, identity, packed)
            self._last = (identity, packed)
        if anew:
            self._points.begin(points)
        else:
            self._points.add(points)

    def _picture(self) -> tuple[Identity, bytes, list[Point], bool]:
        """Take down, under the lock, the world and the points that are new (or all of them)."""
        overgrown = self._points.overgrown
        with self._cloud.lock:
            packed, state = snapshot.pack(self._cloud), self._cloud.cloudwatch.state
            fresh, state.unsaved = state.unsaved, []
            return self._identity(), packed, state.points() if overgrown else fresh, overgrown

    def _tried(self, act: Callable[[], None]) -> None:
        """Write; say in the log, once, what keeps us from it."""
        trouble = ""
        try:
            act()
        except (OSError, snapshot.Unkeepable) as error:
            trouble = str(error)
            if trouble != self._trouble:
                log.error("trouble: what happens now will not come back after the cloud's end: %s", trouble)
                self._explain(error)
        if self._trouble and not trouble:
            log.info("no longer: the world is kept again")
        self._trouble = trouble

    def _explain(self, error: Exception) -> None:
        if isinstance(error, snapshot.Unkeepable):
            with self._cloud.lock:
                log.error("at fault is %s", snapshot.culprit(self._cloud))
