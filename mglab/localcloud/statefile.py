"""The cloud's own file, ``cloud.json``: all that a client may know of it, and the lock that says it lives.

The supervisor holds the lock from before it makes anything until it has ended. It writes the file when the cloud
serves and removes it when it stops; one that was killed leaves the file behind but not the lock. Readers ask the
kernel who holds the lock without ever taking it, so they are in nobody's way, and believe only a file that the
holder wrote: neither a reused process id nor the file of an earlier life fools them.

The lock is a POSIX record lock, since the kernel can name the holder of such a one. It is lost when its process
closes *any* descriptor of the file: a supervisor never asks who holds its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

from mglab.errors import CloudUnavailable

PATIENCE_S = 10.0
"""How long an earlier life of the cloud may take to end before its folder counts as taken."""
DATA_LOCK = "data.lock"
_LOOK_S = 0.02
_ABSENT = (FileNotFoundError, NotADirectoryError)
_FLOCK = "hhqqi"
"""struct flock of fcntl(2): type, whence, start, length, process id."""


def file_of(directory: Path) -> Path:
    """Name the cloud's file."""
    return directory / "cloud.json"


def read(directory: Path) -> dict[str, Any] | None:
    """Give what the cloud says of itself, or None when it does not serve."""
    try:
        state: dict[str, Any] = json.loads(file_of(directory).read_text("utf-8"))
    except (*_ABSENT, json.JSONDecodeError):
        return None
    except OSError as error:
        raise CloudUnavailable(
            f"{file_of(directory)} cannot be read: {error.strerror}",
            hint="it is somebody else's: name a folder of your own, MGLAB_STATE_HOME=FOLDER",
        ) from None
    return state if state["pid"] == holder(directory) else None


def write(directory: Path, state: dict[str, Any]) -> None:
    """Put the cloud's file in place at once, readable by its owner alone (mkstemp makes it 0600)."""
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".cloud-")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(state, out, indent=1)
    Path(temporary).replace(file_of(directory))


def remove(directory: Path) -> None:
    """Take the cloud's file away."""
    with contextlib.suppress(*_ABSENT):
        file_of(directory).unlink()


def hold(directory: Path, patience_s: float = PATIENCE_S) -> int:
    """Take the cloud's lock and give its descriptor; it is held until this process ends.

    An earlier life that is just ending is waited for. Raises CloudUnavailable when another supervisor serves.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_s
    while not _taken(descriptor):
        if read(directory) or time.monotonic() > deadline:
            os.close(descriptor)
            raise CloudUnavailable(
                f"a cloud already runs in {directory}", hint="use it, or stop it first: mglab cloud down"
            )
        time.sleep(_LOOK_S)
    remove(directory)  # of an earlier life that was killed
    return descriptor


def hold_data(directory: Path, patience_s: float = PATIENCE_S) -> None:
    """Take the data plane's own lock, until this process ends; one of an earlier life that is ending is waited for."""
    descriptor = os.open(directory / DATA_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_s
    while not _taken(descriptor):
        if time.monotonic() > deadline:
            raise CloudUnavailable(f"another data plane works in {directory}", hint="stop the cloud: mglab cloud down")
        time.sleep(_LOOK_S)


def await_data_plane(directory: Path, patience_s: float = PATIENCE_S) -> None:
    """Wait until an earlier life's data plane has ended, which has the file trees till then; kill one that hangs."""
    deadline = time.monotonic() + patience_s
    while pid := holder(directory, DATA_LOCK):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_S)


def holder(directory: Path, lock: str = "lock") -> int:
    """Give the process id of the supervisor that holds the cloud's lock, 0 when there is none."""
    with contextlib.suppress(*_ABSENT):
        descriptor = os.open(directory / lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, *_, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
        finally:
            os.close(descriptor)
        return 0 if kind == fcntl.F_UNLCK else int(pid)
    return 0


def _taken(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
