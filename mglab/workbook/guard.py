"""The guard: a child that owns a run's cloud and its teardown, and outlives the runner.

A teardown in the runner's ``finally`` is skipped by kill -9; one in a notebook is skipped by a failing cell. So
neither does it: the guard starts the run's cloud, then reads one word from a pipe. The runner says ``teardown``,
``close`` (the last notebook has torn everything down; stop the cloud) or ``keep``; when the runner vanishes, the
pipe ends without a word, and the guard waits for the orphaned kernel to be gone and tears down. One process does
it in every case, so it is done once, and dying in the middle of it leaves the guard to go on.

It has a session of its own (a terminal's Ctrl-C or hang-up is not for it) and writes only to a log file. What it
runs writes into a pipe, and the log is written as far as it can be: a full disk stops no teardown.

A local cloud that died, or is brought down here with something still in it, takes all of it along; the ledger
learns that from a second teardown.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mglab.errors import CloudUnavailable, OutputsUnwritable
from mglab.workbook import kernel, state

ORPHAN_PATIENCE_S = 10.0
LOG = "teardown.log"
TEARDOWN_OUTCOMES = {True: "complete", False: "incomplete"}


@dataclass(frozen=True)
class Duties:
    """The commands a guard carries out; an empty one is nothing to do."""

    up: Sequence[str]
    teardown: Sequence[str]
    down: Sequence[str]
    run_folder: str
    kernel_lock: str
    scratch: str
    """A folder that goes when the run is over."""
    teardown_limit_s: float = 1800.0


@dataclass(frozen=True)
class Started:
    """What came of starting the cloud."""

    code: int
    out: str
    errors: str


# -- the runner's side -------------------------------------------------------------------------------------


class Guard:
    """The runner's end of the pipe. The guard holds the run's lock, too: nobody starts the run again before its end."""

    def __init__(self, duties: Duties, run_lock: int) -> None:
        self._duties = duties
        self._process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, "-m", "mglab.workbook.guard", json.dumps(asdict(duties))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
            pass_fds=(run_lock,),
        )  # fmt: skip

    def started(self, is_stopping: Callable[[], bool]) -> Started | None:
        """Wait for the cloud; None when the run is to stop before it is there."""
        assert self._process.stdout is not None
        while not is_stopping():
            if select.select([self._process.stdout], [], [], 0.1)[0]:
                line = self._process.stdout.readline()
                return Started(**json.loads(line)) if line else Started(1, "", "the run's guard was killed")
        return None

    def finish(self, word: str, tick: Callable[[], None]) -> int:
        """Say the last word and wait until it is carried out; gives the teardown's exit code."""
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(word)
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # the guard was killed: its exit code says so
        while self._process.poll() is None:
            tick()
            select.select([], [], [], 0.2)
        if self._process.returncode < 0:
            return carry_out(word, self._duties)
        return self._process.returncode

    def last_line(self) -> str:
        """Give what the teardown said last."""
        lines = log_lines(Path(self._duties.run_folder))
        return lines[-1] if lines else ""


def log_lines(run_folder: Path) -> list[str]:
    """Read what the teardown said."""
    try:
        text = (run_folder / LOG).read_text("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()]


# -- the guard's own side ----------------------------------------------------------------------------------


def main() -> int:
    """Start the cloud, wait for the word or for the runner's end, and carry it out."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    duties, runner = Duties(**json.loads(sys.argv[1])), os.getppid()
    tell(start(duties))
    word = sys.stdin.read().strip()
    if not word:
        kernel.wait_gone(Path(duties.kernel_lock), ORPHAN_PATIENCE_S)
    code = carry_out(word or "teardown", duties)
    if os.getppid() != runner:
        tidy_up(duties, code)
    return code


def tidy_up(duties: Duties, code: int) -> None:
    """Do what a runner that was killed could not: write its last word and remove its private folder."""
    with contextlib.suppress(OutputsUnwritable):
        state.close(Path(duties.run_folder), "killed", teardown=TEARDOWN_OUTCOMES[code == 0])
    shutil.rmtree(duties.scratch, ignore_errors=True)


def start(duties: Duties) -> Started:
    """Start the run's cloud; on AWS there is nothing to start."""
    if not duties.up:
        return Started(0, "", "")
    done = subprocess.run(duties.up, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return Started(done.returncode, done.stdout, done.stderr)


def tell(started: Started) -> None:
    """Answer the runner, if it still listens."""
    try:
        print(json.dumps(asdict(started)), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor must the exit complain of it


def carry_out(word: str, duties: Duties) -> int:
    """Do what the word says; gives the teardown's exit code."""
    if word == "keep":
        return 0
    log, limit_s = Path(duties.run_folder) / LOG, duties.teardown_limit_s
    code = logged(duties.teardown, log, limit_s) if word == "teardown" else 0
    down = logged(duties.down, log, limit_s)
    if code == CloudUnavailable.exit_code and duties.down and down == 0:
        return logged(duties.teardown, log, limit_s)
    return code


def logged(command: Sequence[str], log: Path, limit_s: float) -> int:
    """Run one command with its output in the log; gives its exit code, 124 when it took too long."""
    if not command:
        return 0
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        alarm = threading.Timer(limit_s, stop)
        alarm.start()
        assert process.stdout is not None
        for line in process.stdout:
            append(log, line)
    alarm.cancel()
    if late.is_set():
        append(log, f"not finished after {limit_s:g} s: {' '.join(command)}\n".encode())
        return 124
    return process.returncode


def append(log: Path, line: bytes) -> None:
    """Put a line at the end of the log, if there is room for it."""
    with contextlib.suppress(OSError), log.open("ab") as file:
        file.write(line)


if __name__ == "__main__":
    sys.exit(main())
