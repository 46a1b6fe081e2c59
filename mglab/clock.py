"""Lab time: the only clock that the workbook and the local cloud read.

On AWS a lab second is a second. On the local cloud a lab second is 1/rate of one: at rate 60 an AWS
minute passes in one wall second. One formula ties the two together:

    lab = lab_epoch + (wall - wall_epoch) * rate

Wall time is kept for what is never scaled: a client's connect, a real process starting.
(The idea of rate and two bases: an offset clock is a value, so two processes that hold the same three
numbers read the same time.)
"""

from __future__ import annotations

import time as _time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime


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
        return self.wall_epoch + (lab_time - self.lab_epoch) / self.rate

    def lab_time_of(self, wall_time: float) -> float:
        """Say when in lab time a moment on the wall is (both in seconds since 1970)."""
        return self.lab_epoch + (wall_time - self.wall_epoch) * self.rate

    def wall_time(self) -> float:
        """Give wall seconds since 1970, for what is never scaled."""
        return self.wall()


def starting_now(rate: float) -> Clock:
    """Make a clock that agrees with the wall at this moment and runs at ``rate`` from here."""
    now = _time.time()
    return Clock(rate=rate, wall_epoch=now, lab_epoch=now)
