"""Many requests: one after the other, side by side, or a steady pulse in the background of an event.

A pulse is what users outside would feel while something happens inside: one asks at every beat, whatever
became of those before, so that an outage shows as many failures and not as one long silence. The pace is
in wall seconds, because a client's patience is not scaled; every answer and every failure is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from mglab.session import Lab
from mglab.study.client import Sample, ask

PULSE_EVERY_LAB_S = 3.0
PULSE_EVERY_WALL_S = (0.05, 0.5)
"""The least and the most wall time between two beats: quick enough to see an event, slow enough to be no load."""
PULSE_TIMEOUT_S = 1.0
MOST_SAMPLES = 20_000


def many(lab: Lab, host: str, count: int, *, concurrency: int = 1, source_port: int = 0) -> list[Sample]:
    """Ask ``count`` times, ``concurrency`` at once; samples in the order they were asked.

    One ``source_port`` for all of them wants them one after the other: a pair of ends holds one connection.
    """
    if concurrency == 1:
        return [ask(lab, host, source_port=source_port) for _ in range(count)]
    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(lambda _: ask(lab, host), range(count)))


@dataclass
class Pulse:
    """A steady probe from outside; it asks ``host`` at every beat until it is stopped."""

    lab: Lab
    host: str
    interval_s: float
    asked: list[Sample] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Give what has come back so far, in the order asked."""
        return tuple(sorted(self.asked, key=lambda sample: sample.at))

    def run(self) -> None:
        """Ask at every beat until told to stop, or until there are more samples than anyone would look at."""
        waiting = int(PULSE_TIMEOUT_S / self.interval_s) + 2
        with ThreadPoolExecutor(waiting, "pulse") as pool:
            for _ in range(MOST_SAMPLES):
                if self.stopping.wait(self.interval_s):
                    return
                pool.submit(self._ask)

    def _ask(self) -> None:
        self.asked.append(ask(self.lab, self.host, timeout_s=PULSE_TIMEOUT_S))


def beat_s(rate: float) -> float:
    """Give the wall seconds between two beats at a clock's rate."""
    least, most = PULSE_EVERY_WALL_S
    return min(most, max(least, PULSE_EVERY_LAB_S / rate))


@contextmanager
def pulse(lab: Lab, host: str) -> Iterator[Pulse]:
    """Keep asking ``host`` in the background for as long as the block lasts; all answers are in when it ends."""
    running = Pulse(lab, host, beat_s(lab.clock.rate))
    thread = threading.Thread(target=running.run, name="pulse", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stopping.set()
        thread.join()
