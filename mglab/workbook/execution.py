"""Run one notebook by papermill's API, in a thread, so that a signal can stop it in good order.

Papermill's own handling of signals would leave the runner without handlers after the first notebook and call an
interrupted notebook completed; both only happen in the main thread, so it does not run there. The main thread
ticks (the status line) and looks whether the run is to stop: then the running cell is interrupted as by
JupyterLab's stop button, and a kernel that does not heed it is killed. What ran so far is kept either way.
"""

from __future__ import annotations

import errno
import json
import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mglab.errors import LabError, NotebookFailed, OutputsUnwritable
from mglab.workbook import kernel
from mglab.workbook.plan import Step
from mglab.workbook.state import MAKE_ROOM

KERNEL = "python3"
KERNEL_START_S = 120
INSTALL_A_KERNEL = "install ipykernel into this Python, or remove .venv to have it set up again"
HEED_S = 5.0  # how long a cell may take to notice that it was interrupted
TICK_S = 0.25


@dataclass(frozen=True)
class Outcome:
    """What became of a notebook: passed, failed or interrupted, and why."""

    status: str
    error: LabError | None = None


def cell_count(step: Step) -> int:
    """Say how many cells the executed notebook will have."""
    cells = json.loads(step.source.read_text("utf-8"))["cells"]
    return len(cells) + bool(step.parameters)


def execute(
    step: Step,
    target: Path,
    *,
    lock: Path,
    cell_limit_s: int,
    is_stopping: Callable[[], bool],
    at_cell: Callable[[int], None],
    tick: Callable[[], None],
) -> Outcome:
    """Run the notebook to its end, its first failing cell, or until the run is to stop."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            _papermill(step, target, lock, cell_limit_s, at_cell)
        except BaseException as error:  # noqa: B036 - a thread's error is judged by the thread that waits for it
            raised.append(error)

    thread = threading.Thread(target=work, name=step.name, daemon=True)
    thread.start()
    stopped_at = 0.0
    while thread.is_alive():
        thread.join(TICK_S)
        tick()
        if is_stopping():
            stopped_at = _stop(lock, stopped_at)
    if stopped_at:
        return Outcome("interrupted")
    return _outcome(raised[0], step, target, lock) if raised else Outcome("passed")


def _stop(lock: Path, stopped_at: float) -> float:
    """Interrupt the kernel once it is there, and kill it when it does not heed; gives when it was first told."""
    if stopped_at and time.monotonic() - stopped_at > HEED_S:
        kernel.interrupt(lock, signal.SIGKILL)
    elif not stopped_at and kernel.running(lock):
        kernel.interrupt(lock)
        return time.monotonic()
    return stopped_at


def _papermill(step: Step, target: Path, lock: Path, cell_limit_s: int, at_cell: Callable[[int], None]) -> None:
    import papermill
    from traitlets.config import Config

    for name in ("papermill", "traitlets"):  # what they would say at length, we say in one error
        logging.getLogger(name).setLevel(logging.CRITICAL)

    def on_cell_start(cell_index: int, **_: Any) -> None:
        at_cell(cell_index + 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries in between; a notebook's own warnings are its output
        papermill.execute_notebook(
            str(step.source), str(target), parameters=dict(step.parameters), kernel_name=KERNEL, language="python",
            progress_bar=False, cwd=str(target.parent), start_timeout=KERNEL_START_S, execution_timeout=cell_limit_s,
            on_cell_start=on_cell_start, coalesce_streams=True,
            # Kernel and runner talk over the loopback, which no one else can listen to without being root. The file
            # with their key lies in the private folder, so it goes even when the runner is killed.
            config=Config(
                {"KernelManager": {"transport_encryption": "auto", "connection_file": str(lock.with_suffix(".json"))}}
            ),
        )  # fmt: skip


def _outcome(raised: BaseException, step: Step, target: Path, lock: Path) -> Outcome:
    """Say in one error what stopped the notebook."""
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    look = f"look at {target}"
    if isinstance(raised, PapermillExecutionError):
        said, _, advice = str(raised.evalue).partition("\n  next: ")  # our own errors bring their hint along
        words = f"{step.name}, cell {raised.cell_index + 1}: {raised.ename}: {said or 'the notebook says more'}"
        return Outcome("failed", NotebookFailed(words, hint=f"{advice}; {look}" if advice else look))
    if isinstance(raised, CellTimeoutError):
        return Outcome("failed", NotebookFailed(f"{step.name}: a cell took too long", hint=look))
    if isinstance(raised, DeadKernelError):
        return Outcome("failed", NotebookFailed(f"{step.name}: its kernel died (out of memory?)", hint=look))
    if isinstance(raised, NoSuchKernel | ModuleNotFoundError):
        return Outcome("failed", LabError(f"no Jupyter kernel: {raised}", hint=INSTALL_A_KERNEL))
    if isinstance(raised, RuntimeError) and str(raised).startswith("Kernel "):  # jupyter_client has no kind for it
        words, died = kernel.last_words(lock) or str(raised), "died" in str(raised)
        hint = INSTALL_A_KERNEL if died else "see whether this machine is fit: python3 -m mglab doctor"
        return Outcome("failed", LabError(f"{step.name}: its kernel did not start: {words}", hint=hint))
    if isinstance(raised, OSError):
        full = raised.errno == errno.ENOSPC
        words = "the disk is full" if full else f"{raised.strerror or raised}"
        return Outcome("failed", OutputsUnwritable(f"{step.name}: cannot write {target}: {words}", hint=MAKE_ROOM))
    raise raised
