"""Whole processes timed in turns, so that what the machine does meanwhile falls on everybody alike.

A round runs every contestant once, each round beginning with another one. What is told is the minimum, the median and
the maximum of each, and the ratio of the medians to the first contestant's: never a time alone, for machines differ.
Memory is the sum of what a process and all its descendants hold (resident set size), looked at while it runs: its peak
is that of the looks.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from mglab.display import column
from mglab.errors import LabError

LOOK_EVERY_S = 0.05
MOST_ROUNDS = 50
BOUND_S = 900.0


@dataclass(frozen=True)
class Contestant:
    """One command, and what it needs around it."""

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """What one process took."""

    wall_s: float
    peak_mb: float


@dataclass(frozen=True)
class Result:
    """One contestant over all rounds."""

    name: str = field(metadata=column("What"))
    rounds: int = field(metadata=column("Rounds", "number"))
    least_s: float = field(metadata=column("Least (s)", "number"))
    median_s: float = field(metadata=column("Median (s)", "number"))
    most_s: float = field(metadata=column("Most (s)", "number"))
    time_ratio: float = field(metadata=column("Time, ratio", "number"))
    median_mb: float = field(metadata=column("Peak memory, median (MB)", "number"))
    memory_ratio: float = field(metadata=column("Memory, ratio", "number"))


def in_turns(contestants: Sequence[Contestant], rounds: int, log: Path) -> list[Result]:
    """Run every contestant ``rounds`` times; raises LabError for one that fails (its words are in ``log``)."""
    taken: dict[str, list[Taken]] = {one.name: [] for one in contestants}
    for number in range(min(rounds, MOST_ROUNDS)):
        first = number % len(contestants)
        for one in (*contestants[first:], *contestants[:first]):
            taken[one.name].append(_run(one, log))
    base = taken[contestants[0].name]
    return [_result(name, mine, base) for name, mine in taken.items()]


def machine() -> dict[str, Any]:
    """Say what was measured on."""
    import psutil

    return {
        "processors": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _run(one: Contestant, log: Path) -> Taken:
    began = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(
            one.words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **one.environment}
        )
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _held_mb(process.pid))
            if time.monotonic() - began > BOUND_S:
                process.kill()
                process.wait()
                raise LabError(f"{one.name} took more than {BOUND_S:.0f} s", hint=f"its words are in {log}")
            time.sleep(LOOK_EVERY_S)
    if process.returncode:
        raise LabError(f"{one.name} failed with code {process.returncode}", hint=f"its words are in {log}")
    return Taken(time.monotonic() - began, peak)


def _held_mb(pid: int) -> float:
    import psutil

    try:
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
    except psutil.Error:
        return 0.0
    return sum(_resident(one) for one in family) / 2**20


def _resident(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it has ended between two looks


def _result(name: str, mine: Sequence[Taken], base: Sequence[Taken]) -> Result:
    seconds, megabytes = [one.wall_s for one in mine], [one.peak_mb for one in mine]
    return Result(
        name=name,
        rounds=len(mine),
        least_s=round(min(seconds), 2),
        median_s=round(median(seconds), 2),
        most_s=round(max(seconds), 2),
        time_ratio=round(median(seconds) / median(one.wall_s for one in base), 3),
        median_mb=round(median(megabytes)),
        memory_ratio=round(median(megabytes) / median(one.peak_mb for one in base), 3),
    )
