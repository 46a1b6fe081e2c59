"""CloudWatch's points on disk: a log that is only added to, since it soon outweighs the rest of the world.

A busy lab publishes some hundred points a second at rate 60 and never changes one. So they are no part of the
snapshot: what is new is added to ``world/points`` as one frame (length, checksum, compressed pickle) some seconds
later at the latest. A frame that a kill cut short ends the log: its points are part of the gap that the cloud's
absence leaves in every graph. The log is written anew when the cloud comes back, and when it has grown much,
without what AWS would no longer answer.
"""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from mglab.localcloud import snapshot
from mglab.localcloud.api.cloudwatch_state import MetricKey
from mglab.localcloud.rules.statistics import Sample

NAME = "points"
OVERGROWN_BYTES = 64_000_000
"""Some ten hours of a busy lab; the log is written anew when it is this large, or twice what was left last time."""
_HEAD = struct.Struct(">II")

Point = tuple[MetricKey, Sample]


class PointLog:
    """The log of one cloud, open for adding."""

    def __init__(self, directory: Path) -> None:
        self._path = snapshot.folder(directory) / NAME
        self._most = OVERGROWN_BYTES

    @property
    def overgrown(self) -> bool:
        """Say whether it is time to write it anew."""
        return self._path.exists() and self._path.stat().st_size > self._most

    def begin(self, points: Iterable[Point]) -> None:
        """Write a log that holds these points alone; raises OSError."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        content = _first_line() + _frame(list(points))
        snapshot.replace(self._path, content)
        self._most = max(OVERGROWN_BYTES, 2 * len(content))

    def add(self, points: list[Point]) -> None:
        """Add what is new; raises OSError."""
        if points:
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), "ab") as out:
                out.write(_frame(points))


def read(directory: Path) -> Iterator[Point]:
    """Give the points of a log, as far as it is whole; none when there is no log of this version."""
    content = snapshot.read_own(snapshot.folder(directory) / NAME) or b""
    if not content.startswith(_first_line()):
        return
    place = len(_first_line())
    while place + _HEAD.size <= len(content):
        length, checksum = _HEAD.unpack_from(content, place)
        frame = content[place + _HEAD.size : place + _HEAD.size + length]
        if len(frame) < length or zlib.crc32(frame) != checksum:
            return
        yield from pickle.loads(zlib.decompress(frame))
        place += _HEAD.size + length


def _first_line() -> bytes:
    return snapshot.stamp().encode() + b"\n"


def _frame(points: list[Point]) -> bytes:
    content = zlib.compress(pickle.dumps(points, snapshot.PROTOCOL), 1)
    return _HEAD.pack(len(content), zlib.crc32(content)) + content
