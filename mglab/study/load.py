"""Many requests: one after the other, side by side, a steady pulse in the background of an event, or a load.

A pulse is what a user outside would feel while something happens inside: it keeps asking at a fixed pace
(wall seconds, because a client's patience is not scaled) until it is stopped, and keeps every answer.
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

PULSE_INTERVAL_S = 0.05
PULSE_TIMEOUT_S = 1.0
MOST_SAMPLES = 20_000
AT_ONCE = 16
"""Requests of a load that may be under way: enough at any pace while answers come, few when they do not."""
MOST_BEHIND_S = 0.5
ANSWERED = "answered"


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
