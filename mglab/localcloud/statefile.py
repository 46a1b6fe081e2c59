"""The cloud's own file, ``cloud.json``: all that a client may know of it, and the lock that says it lives.

The file is written when the cloud serves and removed when it stops. A supervisor that was killed leaves the
file behind but not the lock: ``alive`` asks the lock, so a reused process id fools nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from mglab.errors import CloudUnavailable


def file_of(directory: Path) -> Path:
    """Name the cloud's file."""
    return directory / "cloud.json"


def read(directory: Path) -> dict[str, Any] | None:
    """Give what the cloud says of itself, or None when it does not run."""
    try:
        state = json.loads(file_of(directory).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return state if alive(directory) else None


def write(directory: Path, state: dict[str, Any]) -> None:
    """Put the cloud's file in place at once, readable by its owner alone (mkstemp makes it 0600)."""
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".cloud-")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(state, out, indent=1)
    Path(temporary).replace(file_of(directory))


def remove(directory: Path) -> None:
    """Take the cloud's file away."""
    file_of(directory).unlink(missing_ok=True)


def hold(directory: Path) -> int:
    """Take the cloud's lock and give its descriptor; it is held until this process ends.

    Raises CloudUnavailable when another supervisor holds it.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CloudUnavailable(
            f"a cloud already runs in {directory}", hint="use it, or stop it first: mglab cloud down"
        ) from None
    return descriptor


def alive(directory: Path) -> bool:
    """Say whether a supervisor holds the cloud's lock."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
