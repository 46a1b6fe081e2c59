"""Many requests: one after the other, side by side, a steady pulse in the background of an event, or a load.

A pulse is what users outside would feel while something happens inside: one asks at every beat, whatever
became of those before, so that an outage shows as many failures and not as one long silence. The pace is
in wall seconds, because a client's patience is not scaled; every answer and every failure is kept.
A load is there to be felt: many more requests, paced as exactly, of which only the counts are kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from mglab.session import Lab
from mglab.study.client import Sample, ask

PULSE_EVERY_LAB_S = 3.0
PULSE_EVERY_WALL_S = (0.05, 0.5)
"""The least and the most wall time between two beats: quick enough to see an event, slow enough to be no load."""
PULSE_TIMEOUT_S = 1.0
MOST_SAMPLES = 20_000
AT_ONCE = 16
"""Requests of a load that may be under way: enough at any pace while answers come, few when they do not."""
AT_ONCE_FAR = 128
"""The same over a real network, where each is under way for a few tenths of a second."""
MOST_BEHIND_S = 0.5
ANSWERED = "answered"


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


@dataclass
class Offered:
    """A steady load from outside: so many requests a wall second, each counted in the lab minute it was asked in."""

    lab: Lab
    host: str
    requests_per_s: float
    """May be changed while it runs."""
    due: float
    """When the last request that was taken up is to be asked (wall seconds since 1970)."""
    outcomes: Counter[tuple[datetime, str]] = field(default_factory=Counter)
    """(lab minute, what came of it): ANSWERED, or the failure in a word."""
    first_answers: dict[str, datetime] = field(default_factory=dict)
    """Who answered, by private address, and when for the first time."""
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Ask whenever it is a request's turn, until told to stop; many may do this at once."""
        while not self.stopping.wait(self._wait_s()):
            self._count(ask(self.lab, self.host))

    def _wait_s(self) -> float:
        """Take the next turn; give how long it is until then. What could not be asked in time is never asked."""
        with self._lock:
            now = self.lab.clock.wall_time()
            self.due = max(self.due + 1 / self.requests_per_s, now - MOST_BEHIND_S)
            return max(0.0, self.due - now)

    def _count(self, sample: Sample) -> None:
        with self._lock:
            self.outcomes[sample.at.replace(second=0, microsecond=0), sample.failure or ANSWERED] += 1
            if sample.responder:
                self.first_answers.setdefault(sample.responder, sample.at)


@contextmanager
def offered(lab: Lab, host: str, requests_per_s: float, *, at_once: int = AT_ONCE) -> Iterator[Offered]:
    """Offer a load to ``host`` for as long as the block lasts; at most ``at_once`` requests are under way."""
    running = Offered(lab, host, requests_per_s, due=lab.clock.wall_time())
    threads = [threading.Thread(target=running.run, name=f"load {n}", daemon=True) for n in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stopping.set()
        for thread in threads:
            thread.join()
