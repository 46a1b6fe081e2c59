"""What a run holds while it goes on: its folder's lock, the signals, a private folder, its environment.

Each is a context manager that puts back what it found. Signals only set a mark (``Stop``) that the run's loops
look at, so no exception can break into a teardown, and a second Ctrl-C changes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO

from mglab.errors import OutputsUnwritable, UsageError
from mglab.workbook import kernel, state

ROOM_BYTES = 200_000_000  # notebooks, figures and the instances' trees of a run come to about a tenth


class Stop:
    """Whether the run was told to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self) -> bool:
        return self.signal != 0

    def told(self, number: int, _frame: FrameType | None) -> None:
        """Note the first signal; a later one changes nothing."""
        again = self.signal != 0
        self.signal = self.signal or number
        words = "already tearing down; this ends by itself" if again else "stopping: tearing down first"
        os.write(2, f"\nmglab: {words}\n".encode())


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Make the run's folder and hold its lock; refuses a read-only place, a full disk and a run that is going on."""
    file = _opened_lock(folder)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = f"run {folder.name} is going on (process {state.read(folder).get('pid')})"
            raise UsageError(words, hint="wait for it, or give this run another name: --run NAME") from None
        yield


def _opened_lock(folder: Path) -> IO[str]:
    try:
        (folder / "notebooks").mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("w")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        words = f"cannot write {error.filename or folder}: {error.strerror}"
        raise OutputsUnwritable(words, hint=state.MAKE_ROOM) from None
    if free < ROOM_BYTES:
        file.close()
        words = f"only {free / 1e6:.0f} MB are free for {folder}, and a run wants {ROOM_BYTES / 1e6:.0f}"
        raise OutputsUnwritable(words, hint=state.MAKE_ROOM)
    return file


@contextlib.contextmanager
def signals() -> Iterator[Stop]:
    """Let Ctrl-C, SIGTERM and a lost terminal only set a mark; a ``nohup`` run goes on ignoring the last."""
    stop = Stop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop.told) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a private folder for kernel description, connection files and locks; it goes with the run."""
    folder = Path(tempfile.mkdtemp(prefix="mglab-run-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set variables for kernels and commands; what was set before comes back."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def kernel_settings(scratch: Path) -> dict[str, str]:
    """Describe our kernel in the private folder; gives the variables that make Jupyter use it and nothing else."""
    own_path = [str(kernel.describe(scratch / "jupyter")), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {
        kernel.LOCK: str(lock_of(scratch)),
        "JUPYTER_PATH": os.pathsep.join(own_path),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "IPYTHONDIR": str(scratch / "ipython"),  # no profile or start-up file of the user's
    }


def lock_of(scratch: Path) -> Path:
    """Name the file that the running kernel holds."""
    return scratch / "kernel.lock"
