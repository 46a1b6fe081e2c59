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
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import IO

from mglab.errors import OutputsUnwritable, UsageError
from mglab.workbook import kernel, state

LOCK = ".lock"
LEAST_BYTES = 1_000_000
ROOM_BYTES = 200_000_000  # notebooks, figures and the instances' trees of a run come to about a tenth


class Stop:
    """Whether the run was told to stop, and by which signal."""

    def __init__(self, first_words: str) -> None:
        self.signal = 0
        self._first_words = first_words

    def __call__(self) -> bool:
        return self.signal != 0

    def told(self, number: int, _frame: FrameType | None) -> None:
        """Note the first signal; a later one changes nothing."""
        again = self.signal != 0
        self.signal = self.signal or number
        words = "already stopping; this ends by itself" if again else self._first_words
        with contextlib.suppress(OSError):  # a terminal that was closed cannot be told
            os.write(2, f"\nmglab: {words}\n".encode())


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[int]:
    """Make the run's folder, hold its lock and give its descriptor, which the guard of the run holds as well.

    Refuses a read-only place, a full disk, and a run that is going on or is still being torn down.
    """
    file = _opened_lock(folder)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait for it, or give this run another name: --run NAME"
            raise UsageError(f"run {folder.name} {_what_goes_on(folder)}", hint=hint) from None
        yield file.fileno()


def refuse_to_disturb(folder: Path) -> None:
    """Refuse to tear down what a run is still working on, unless it is that run itself that asks."""
    if kernel.LOCK not in os.environ and is_going_on(folder):
        hint = "wait for it, or stop it (Ctrl-C there): it tears down by itself"
        raise UsageError(f"run {folder.name} {_what_goes_on(folder)}", hint=hint)


def is_going_on(folder: Path) -> bool:
    """Say whether a run of this folder goes on, or its guard is still at work."""
    try:
        with (folder / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _what_goes_on(folder: Path) -> str:
    pid = int(state.read(folder).get("pid") or 0)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "was killed and is still being torn down"
    except PermissionError:
        pass  # somebody else's, but there
    return f"is going on (process {pid})"


def _opened_lock(folder: Path) -> IO[str]:
    try:
        (folder / "notebooks").mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        words = f"cannot write {error.filename or folder}: {error.strerror}"
        raise OutputsUnwritable(words, hint=state.MAKE_ROOM) from None
    if free < ROOM_BYTES:
        file.close()
        words = f"only {free / 1e6:.0f} MB are free for {folder}, and a run wants {ROOM_BYTES / 1e6:.0f}"
        raise OutputsUnwritable(words, hint=state.MAKE_ROOM)
    return file


def full_disks(folders: Iterable[Path]) -> list[str]:
    """Advise to free space for each folder that has none: then that, not what failed for it, is the cause."""
    free = {folder: shutil.disk_usage(folder).free for folder in folders if folder.exists()}
    return [f"the disk of {folder} is full: free some space" for folder, room in free.items() if room < LEAST_BYTES]


@contextlib.contextmanager
def signals(first_words: str) -> Iterator[Stop]:
    """Let Ctrl-C, SIGTERM and a lost terminal only set a mark; a ``nohup`` run goes on ignoring the last."""
    stop = Stop(first_words)
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
        **{f"JUPYTER_{name}_DIR": str(scratch / name.lower()) for name in ("RUNTIME", "DATA", "CONFIG")},
        "IPYTHONDIR": str(scratch / "ipython"),  # no profile or start-up file of the user's
    }


def lock_of(scratch: Path) -> Path:
    """Name the file that the running kernel holds."""
    return scratch / "kernel.lock"
