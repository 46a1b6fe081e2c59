"""One thread that waits for sockets and moments, and calls whoever asked to hear of them.

The relay, the prober and the resolver each run one of these. It is level-triggered epoll with a heap of
timers and nothing else: no tasks, no futures. What is watched is called back as ``ready(events)`` in the
loop's own thread, so whatever a loop's callbacks own needs no lock. Other threads get in by ``call``, which
hands a function over under a lock, wakes the loop through a pipe, and waits for the answer.

A callback handles the errors that sockets may raise. What escapes from one is a fault of the program: the
thread ends and ``check`` raises it in the thread that owns the loop. Nothing is swallowed.
"""

from __future__ import annotations

import heapq
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

IN, OUT = select.EPOLLIN, select.EPOLLOUT
ERR, HUP, RDHUP = select.EPOLLERR, select.EPOLLHUP, select.EPOLLRDHUP

Ready = Callable[[int], None]
T = TypeVar("T")


class Timer:
    """A moment to come; ``cancel`` makes it pass unnoticed."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        """Forget what was to be done."""
        self.act = None


class Loop:
    """Calls back when sockets are ready or moments have come. All methods but ``start``, ``call``, ``check`` and
    ``stop`` belong to the loop's own thread."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._fresh: set[int] = set()
        self._timers: list[tuple[float, int, Timer]] = []
        self._timer_number = 0
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guard, name=name, daemon=True)
        self.now = clock()
        """The moment at which the events in hand were collected."""

    def start(self) -> None:
        """Start the thread."""
        self._running = True
        self.watch(self._wake_read, IN, self._woken)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close what is the loop's own; what is watched is left to its owner."""
        if self._thread.is_alive():
            self.call(self._end)
            self._thread.join()
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)
        self._epoll.close()

    def call(self, act: Callable[[], T]) -> T:
        """Run ``act`` in the loop's thread and give what it returns; called from any other thread."""
        future: Future[T] = Future()
        with self._lock:
            self.check()
            self._calls.append((act, future))
            self._wake()
        return future.result()

    def check(self) -> None:
        """Raise what the loop's thread died of, if it did."""
        if self._failure is not None:
            raise RuntimeError(f"the {self._thread.name} thread died") from self._failure

    def watch(self, fd: int, events: int, ready: Ready) -> None:
        """Call ``ready(events)`` whenever the descriptor is ready; errors and hang-ups are always told."""
        self._epoll.register(fd, events)
        self._ready[fd] = ready
        # The number may be that of a socket closed a moment ago, whose last events are still in hand.
        self._fresh.add(fd)

    def rewatch(self, fd: int, events: int) -> None:
        """Change what a watched descriptor is watched for."""
        self._epoll.modify(fd, events)

    def unwatch(self, fd: int) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        self._epoll.unregister(fd)
        del self._ready[fd]

    def discard(self, fd: int) -> None:
        """Stop watching, if it is watched."""
        if fd in self._ready:
            self.unwatch(fd)

    def later(self, delay_s: float, act: Callable[[], None]) -> Timer:
        """Do ``act`` once, ``delay_s`` from now."""
        timer = Timer(act)
        self._timer_number += 1
        heapq.heappush(self._timers, (self._clock() + delay_s, self._timer_number, timer))
        return timer

    def _guard(self) -> None:
        try:
            self._run()
        except BaseException as failure:
            self._failure = failure
        finally:
            self._refuse_calls()

    def _run(self) -> None:
        while self._running:
            events = self._epoll.poll(self._patience_s())
            self.now = self._clock()
            self._fresh.clear()
            for fd, event in events:
                ready = self._ready.get(fd)
                if ready is not None and fd not in self._fresh:
                    ready(event)
            self._run_timers()

    def _patience_s(self) -> float | None:
        while self._timers and self._timers[0][2].act is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - self._clock()) if self._timers else None

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= self.now:
            act = heapq.heappop(self._timers)[2].act
            if act is not None:
                act()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full of wake-ups already
            os.write(self._wake_write, b"!")

    def _woken(self, events: int) -> None:
        os.read(self._wake_read, 4096)
        while True:
            with self._lock:
                if not self._calls:
                    return
                act, future = self._calls.popleft()
            _answer(act, future)

    def _end(self) -> None:
        self._running = False

    def _refuse_calls(self) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = RuntimeError("it was stopped")
            waiting = list(self._calls)
            self._calls.clear()
        for _, future in waiting:
            future.set_exception(RuntimeError(f"the {self._thread.name} thread has ended"))


def _answer(act: Callable[[], Any], future: Future[Any]) -> None:
    """Run a handed-over function; what it raises is its caller's to handle."""
    try:
        result = act()
    except BaseException as failure:
        future.set_exception(failure)
    else:
        future.set_result(result)
