"""Many requests: one after the other, side by side, or a steady pulse in the background of an event.

A pulse is what a user outside would feel while something happens inside: it keeps asking at a fixed pace
(wall seconds, because a client's patience is not scaled) until it is stopped, and keeps every answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from mglab.session import Lab
from mglab.study.client import Sample, ask

PULSE_INTERVAL_S = 0.05
PULSE_TIMEOUT_S = 1.0
MOST_SAMPLES = 20_000


def many(lab: Lab, host: str, count: int, *, concurrency: int = 1) -> list[Sample]:
    """Ask ``count`` times, ``concurrency`` at once; samples in the order they were asked."""
    if concurrency == 1:
        return [ask(lab, host) for _ in range(count)]
    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(lambda _: ask(lab, host), range(count)))


@dataclass
class Pulse:
    """A steady probe from outside; ``samples`` grows while it runs."""

    lab: Lab
    host: str
    interval_s: float
    samples: list[Sample] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask until told to stop, or until the samples are too many to be looked at."""
        while not self.stopping.wait(self.interval_s) and len(self.samples) < MOST_SAMPLES:
            self.samples.append(ask(self.lab, self.host, timeout_s=PULSE_TIMEOUT_S))


@contextmanager
def pulse(lab: Lab, host: str, *, interval_s: float = PULSE_INTERVAL_S) -> Iterator[Pulse]:
    """Keep asking ``host`` in the background for as long as the block lasts."""
    running = Pulse(lab, host, interval_s)
    thread = threading.Thread(target=running.run, name="pulse", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stopping.set()
        thread.join()
