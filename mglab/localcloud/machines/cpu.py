"""CPU time of an instance's whole process tree, in nanoseconds.

A lab minute may be one wall second, so the 10 ms ticks of /proc/<pid>/stat are too coarse for the living:
each one's own CPU clock is read instead. What has died counts where the kernel put it: with the parent that
waited for it (in ticks, but exact in sum), or with the instance's init, which notes it in nanoseconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mglab.localcloud.machines.inside.proctree import Process

_CPUCLOCK_SCHED = 2  # the kernel's ABI: clock id of a process = (~pid << 3) | CPUCLOCK_SCHED


@dataclass(frozen=True)
class Usage:
    """What a tree has used since its boot, and how many processes it has now (init aside)."""

    cpu_ns: int = 0
    processes: int = 0


def measure(below: list[Process], reaped_ns: int) -> Usage:
    """Add up what is below an init: the living, what they have waited for, and what init has reaped."""
    used = sum(clock_ns(process.pid) + process.reaped_ns for process in below)
    return Usage(used + reaped_ns, sum(process.alive for process in below))


def clock_ns(pid: int) -> int:
    """Read a process's CPU clock, all its threads; 0 when it has gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return 0


@dataclass
class Counter:
    """A sum over boots that never falls, though a process may die between two readings."""

    before_ns: int = 0
    this_boot_ns: int = 0

    @property
    def total_ns(self) -> int:
        return self.before_ns + self.this_boot_ns

    def see(self, cpu_ns: int) -> None:
        """Take in a reading of the boot that runs."""
        self.this_boot_ns = max(self.this_boot_ns, cpu_ns)

    def boot(self) -> None:
        """Begin a new boot, whose readings start from nothing."""
        self.before_ns, self.this_boot_ns = self.total_ns, 0
