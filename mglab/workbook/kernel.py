"""The notebooks' kernel is this interpreter, and whoever needs to know can tell when it has ended.

The notebooks ask for "python3". A user's own kernel of that name may be another Python without our packages, so
a folder with a kernel description of ours comes first on Jupyter's path. What it starts is this file: it holds a
lock for as long as the kernel lives and writes its process id into it, and then becomes an ordinary ipykernel.
So the runner can interrupt a cell, and the guard of a killed runner can wait for the orphaned kernel (which
notices within about a second) before it tears down what that kernel may still be making.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

LOCK = "MGLAB_KERNEL_LOCK"  # environment: the file that a kernel of this run locks
METADATA = {"debugger": True, "supported_encryption": ["curve"]}  # as ipykernel says of itself


def describe(folder: Path) -> Path:
    """Write the kernel description below ``folder`` and give what belongs on JUPYTER_PATH."""
    place = folder / "kernels" / "python3"
    place.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, str(Path(__file__).resolve()), "-f", "{connection_file}"]
    known = {"argv": words, "display_name": "Python 3 (mglab)", "language": "python", "metadata": METADATA}
    (place / "kernel.json").write_text(json.dumps(known, indent=1), "utf-8")
    return folder


def running(lock: Path) -> int | None:
    """Give the process id of the kernel that holds the lock, 0 while that is not written yet; None without one."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(descriptor, 20, 0) or b"0")
    finally:
        os.close(descriptor)
    return None


def interrupt(lock: Path, number: int = signal.SIGINT) -> None:
    """Send a signal to the running kernel, if there is one; a killed kernel takes its group along."""
    pid = running(lock)
    if not pid:
        return
    try:
        if number == signal.SIGKILL and os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself just now


def wait_gone(lock: Path, patience_s: float) -> bool:
    """Wait until no kernel holds the lock, and kill one that stays; says whether it is gone."""
    killing_at = time.monotonic() + patience_s
    while running(lock) is not None:
        if time.monotonic() > killing_at:
            interrupt(lock, signal.SIGKILL)
        if time.monotonic() > killing_at + patience_s:
            return False
        time.sleep(0.05)
    return True


def hold(lock: str) -> None:
    """Lock the file and write our process id into it, until this process ends; our own noise goes beside it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    noise = os.open(noise_of(Path(lock)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(noise, 1)
    os.dup2(noise, 2)


def noise_of(lock: Path) -> Path:
    """Name the file with what kernels say that belongs in no notebook."""
    return lock.with_suffix(".log")


def last_words(lock: Path) -> str:
    """Give the last line that a kernel said beside the notebook: of one that did not start, why."""
    try:
        lines = noise_of(lock).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def main() -> None:
    """Be the kernel. Started as a file: the package's folder replaces this one's on the path."""
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    if lock := os.environ.get(LOCK):
        hold(lock)
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()


if __name__ == "__main__":
    main()
