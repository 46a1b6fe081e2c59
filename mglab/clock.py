"""Lab time: the only clock that the workbook and the local cloud read.

On AWS a lab second is a second. On the local cloud a lab second is 1/rate of one: at rate 60 an AWS
minute passes in one wall second. One formula ties the two together:

    lab = lab_epoch + (wall - wall_epoch) * rate

Wall time is kept for what is never scaled: a client's connect, a real process starting.
(The idea of rate and two bases: an offset clock is a value, so two processes that hold the same three
numbers read the same time.)

A cloud's rate may be changed while it runs. Lab time then goes on from where it stands, faster or slower: a value is
followed by another one that agrees with it at that moment. Whoever keeps a ``LiveClock`` reads the value that holds
now; the cloud's own file carries it to other processes, and a wait that has begun ends when its lab time has come.
"""

from __future__ import annotations

import json
import time as _time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOOK_WALL_S = 0.25
"""How long a wait goes on before it looks whether the rate has changed."""


@dataclass(frozen=True)
class Clock:
    """Tells lab time and waits in it.

    ``rate`` is lab seconds per wall second; the two epochs are seconds since 1970 that name the same moment.
    """

    rate: float = 1.0
    wall_epoch: float = 0.0
    lab_epoch: float = 0.0
    wall: Callable[[], float] = field(default=_time.time, compare=False, repr=False)
    pause: Callable[[float], None] = field(default=_time.sleep, compare=False, repr=False)
    before: Clock | None = field(default=None, compare=False, repr=False)
    """What held before the epochs, when the rate was another one."""

    def time(self) -> float:
        """Give lab seconds since 1970."""
        return self.lab_time_of(self.wall())

    def now(self) -> datetime:
        """Give lab time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.time(), UTC)

    def sleep(self, lab_seconds: float) -> None:
        """Wait for so many lab seconds."""
        self.pause(max(0.0, self.wall_seconds(lab_seconds)))

    def wall_seconds(self, lab_seconds: float) -> float:
        """Say how long a stretch of lab time takes on the wall."""
        return lab_seconds / self.rate

    def wall_time_of(self, lab_time: float) -> float:
        """Say when on the wall a moment of lab time is (both in seconds since 1970)."""
        if self.before is not None and lab_time < self.lab_epoch:
            return self.before.wall_time_of(lab_time)
        return self.wall_epoch + (lab_time - self.lab_epoch) / self.rate

    def lab_time_of(self, wall_time: float) -> float:
        """Say when in lab time a moment on the wall is (both in seconds since 1970)."""
        if self.before is not None and wall_time < self.wall_epoch:
            return self.before.lab_time_of(wall_time)
        return self.lab_epoch + (wall_time - self.wall_epoch) * self.rate

    def wall_time(self) -> float:
        """Give wall seconds since 1970, for what is never scaled."""
        return self.wall()

    def at_rate(self, rate: float) -> Clock:
        """Make the clock that goes on from this moment at another rate."""
        now = self.wall()
        return Clock(rate, now, self.lab_time_of(now), self.wall, self.pause, before=self)


class LiveClock(Clock):
    """A clock whose rate may change while it is in use: ``current`` gives the value that holds now."""

    def __init__(self) -> None:  # it has none of the numbers itself
        pass

    def current(self) -> Clock:
        """Give the clock as it is now."""
        raise NotImplementedError

    rate = property(lambda self: self.current().rate)
    wall_epoch = property(lambda self: self.current().wall_epoch)
    lab_epoch = property(lambda self: self.current().lab_epoch)
    wall = property(lambda self: self.current().wall)
    pause = property(lambda self: self.current().pause)
    before = property(lambda self: self.current().before)

    def sleep(self, lab_seconds: float) -> None:
        """Wait for so many lab seconds, whatever becomes of the rate meanwhile."""
        until = self.time() + lab_seconds
        while (left_s := until - (clock := self.current()).time()) > 0:
            clock.pause(min(clock.wall_seconds(left_s), LOOK_WALL_S))

    def wall_seconds(self, lab_seconds: float) -> float:
        """Say how long a stretch of lab time takes on the wall at the present rate."""
        return self.current().wall_seconds(lab_seconds)

    def wall_time_of(self, lab_time: float) -> float:
        """Say when on the wall a moment of lab time is, if the rate stays as it is."""
        return self.current().wall_time_of(lab_time)

    def lab_time_of(self, wall_time: float) -> float:
        """Say when in lab time a moment on the wall is, if the rate stays as it is."""
        return self.current().lab_time_of(wall_time)

    def at_rate(self, rate: float) -> Clock:
        """Make the clock that goes on from this moment at another rate."""
        return self.current().at_rate(rate)


class AdjustableClock(LiveClock):
    """A clock whose owner may change its rate."""

    def __init__(self, first: Clock) -> None:
        super().__init__()
        self._value = first

    def current(self) -> Clock:
        """Give the clock as it was last set."""
        return self._value

    def set_rate(self, rate: float) -> None:
        """Go on at another rate from this moment."""
        self._value = self._value.at_rate(rate)


class FollowedClock(LiveClock):
    """The clock of a cloud as its own file tells it: read again whenever the file has been replaced.

    A file that is gone, or that cannot be read, changes nothing: its cloud is down and lab time goes on as it did.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._stamp = _stamp(path)
        self._value = told(json.loads(path.read_text("utf-8")))

    def current(self) -> Clock:
        """Give the clock as the file tells it now."""
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._value = told(json.loads(self._path.read_text("utf-8")))
                self._stamp = stamp
        except (OSError, ValueError, KeyError):
            pass
        return self._value


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def told(cloud: Mapping[str, Any]) -> Clock:
    """Read the clock out of what a cloud says of itself."""
    return Clock(rate=cloud["rate"], wall_epoch=cloud["wall_epoch"], lab_epoch=cloud["lab_epoch"])


def starting_now(rate: float) -> Clock:
    """Make a clock that agrees with the wall at this moment and runs at ``rate`` from here."""
    now = _time.time()
    return Clock(rate=rate, wall_epoch=now, lab_epoch=now)
