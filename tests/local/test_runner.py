"""Whole runs of small notebooks with a teardown that takes notes: it happens once and wholly, whatever happens.

On the backend "aws" a run starts no cloud of its own, and these notebooks call none: what is left is the runner.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
BOUND_S = 120.0
COUNTING = "from pathlib import Path\nPath('counted').write_text(str(count))"
HANGING = "import time\nopen('here', 'w').close()\ntime.sleep(600)"
DRIVER = """
import json, sys
from pathlib import Path
from mglab.errors import LabError
from mglab.workbook.runner import Options, run
told = json.loads(sys.argv[1])
try:
    places = {name: Path(told.pop(name)) for name in ("notebooks", "outputs")}
    sys.exit(run(Options(**{"backend": "aws", "run": "x", **places, **told})))
except LabError as error:
    sys.exit(f"{error.exit_code}: {error}")
"""
TEARDOWN = """
import sys, time
notes = open(sys.argv[1], "a")
print("begun", *sys.argv[2:], file=notes, flush=True)
print("removing")
time.sleep(0.5)
print("ended", file=notes)
sys.exit(int(open(sys.argv[1] + ".code").read() or 0))
"""


@dataclass(frozen=True)
class Workshop:
    """A folder of notebooks, one of outputs, and the teardown's notes."""

    folder: Path

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    @property
    def executed(self) -> Path:
        return self.outputs / "x" / "notebooks"

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.outputs / "x" / "run.json").read_text("utf-8")))

    @property
    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def notebook(self, name: str, source: str, parameters: str = "") -> None:
        cells = [nbformat.v4.new_code_cell(source)]
        if parameters:
            cells.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, self.folder / "notebooks" / f"{name}.ipynb")

    def start(self, **told: Any) -> subprocess.Popen[str]:
        teardown = [sys.executable, "-c", TEARDOWN, str(self.folder / "notes")]
        places = {"notebooks": str(self.folder / "notebooks"), "outputs": str(self.outputs), "teardown": teardown}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder / "tmp")}
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps({**places, **told})],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True,
            preexec_fn=heed_signals,
        )  # fmt: skip

    def run(self, **told: Any) -> tuple[int, str]:
        with self.start(**told) as process:
            said = process.communicate(timeout=BOUND_S)[0]
        return process.returncode, said


def heed_signals() -> None:
    """Undo what a test run under nohup or in a shell's background hands down: ignored signals."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    for name in ("notebooks", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.code").write_text("0")
    made = Workshop(tmp_path)
    yield made
    until(lambda: not processes_naming(str(tmp_path)))


def processes_naming(text: str) -> list[int]:
    """Find processes whose command line or environment names the test's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                known = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if text.encode() in known:
                found.append(int(entry.name))
    return found


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def statuses(state: Mapping[str, Any]) -> list[str]:
    return [one["status"] for one in state["notebooks"].values()]


def test_a_run_executes_in_order_with_its_parameters_and_tears_down(workshop: Workshop) -> None:
    workshop.notebook("00_count", COUNTING, "count = 1")
    workshop.notebook("01_where", "import sys, os\nprint(sys.executable, os.environ['MGLAB_RUN'])")
    code, said = workshop.run(parameters={"count": "7"})
    assert code == 0, said
    assert (workshop.executed / "counted").read_text() == "7"
    assert sys.executable in (workshop.executed / "01_where.ipynb").read_text("utf-8")
    assert workshop.notes == ["begun --run x --backend aws", "ended"]
    state = workshop.state
    assert (state["status"], state["teardown"], statuses(state)) == ("passed", "complete", ["passed", "passed"])
    assert (workshop.outputs / "x" / "Project3partA.pdf").read_bytes().startswith(b"%PDF")
    assert "PDF: " in said and "This took" in said and "Traceback" not in said
    assert list((workshop.folder / "tmp").glob("mglab-run-*")) == []


def test_a_passed_99_is_the_teardown(workshop: Workshop) -> None:
    workshop.notebook("99_teardown", "pass")
    assert workshop.run()[0] == 0
    assert workshop.notes == []


def test_a_failing_cell_stops_the_run_and_tears_down(workshop: Workshop) -> None:
    workshop.notebook("00_fail", "raise LookupError('no such thing')")
    workshop.notebook("01_never", "pass")
    code, said = workshop.run()
    assert code == 1
    assert "00_fail, cell 1: LookupError: no such thing" in said and "--from 00" in said
    assert workshop.notes == ["begun --run x --backend aws", "ended"]
    assert (workshop.state["status"], statuses(workshop.state)) == ("failed", ["failed"])
    assert "no such thing" in (workshop.executed / "00_fail.ipynb").read_text("utf-8")


def test_a_teardown_that_leaves_something_is_exit_code_3(workshop: Workshop) -> None:
    workshop.notebook("00_pass", "pass")
    (workshop.folder / "notes.code").write_text("3")
    code, said = workshop.run()
    assert code == 3 and "mglab teardown --run x --backend aws" in said
    assert workshop.state["teardown"] == "incomplete"


@pytest.mark.parametrize(
    ("signals", "code"),
    [((signal.SIGINT, signal.SIGINT), 130), ((signal.SIGTERM,), 143), ((signal.SIGHUP,), 129)],
    ids=["Ctrl-C twice", "SIGTERM", "SIGHUP"],
)
def test_a_signal_interrupts_the_cell_and_tears_down_once(
    workshop: Workshop, signals: tuple[signal.Signals, ...], code: int
) -> None:
    workshop.notebook("00_hang", HANGING)
    with workshop.start() as process:
        until((workshop.executed / "here").exists)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.3)  # as fast as an impatient hand
        said = process.communicate(timeout=BOUND_S)[0]
    assert process.returncode == code, said
    assert workshop.notes == ["begun --run x --backend aws", "ended"]
    assert (workshop.state["status"], statuses(workshop.state)) == ("interrupted", ["interrupted"])
    assert "KeyboardInterrupt" in (workshop.executed / "00_hang.ipynb").read_text("utf-8")


def test_a_killed_runner_is_torn_down_after_by_its_guard_once(workshop: Workshop) -> None:
    workshop.notebook("00_hang", HANGING)
    with workshop.start() as process:
        until((workshop.executed / "here").exists)
        process.kill()
        process.communicate(timeout=BOUND_S)
    until(lambda: workshop.notes[-1:] == ["ended"])
    until(lambda: workshop.state["status"] == "killed")
    until(lambda: not processes_naming(str(workshop.folder)))
    assert workshop.notes == ["begun --run x --backend aws", "ended"]
    assert list((workshop.folder / "tmp").glob("mglab-run-*")) == []


def test_a_runner_killed_while_it_tears_down_is_finished_by_its_guard(workshop: Workshop) -> None:
    workshop.notebook("00_pass", "pass")
    with workshop.start() as process:
        until(lambda: workshop.notes)
        process.kill()
        process.communicate(timeout=BOUND_S)
    until(lambda: workshop.notes[-1:] == ["ended"])
    until(lambda: not processes_naming(str(workshop.folder)))
    assert workshop.notes == ["begun --run x --backend aws", "ended"]


def test_keep_tears_nothing_down(workshop: Workshop) -> None:
    workshop.notebook("00_pass", "pass")
    workshop.notebook("99_teardown", "raise AssertionError('not with keep')")
    code, said = workshop.run(keep=True)
    assert code == 0, said
    assert workshop.notes == [] and workshop.state["teardown"] == "kept"
    assert "python3 -m mglab teardown --run x --backend aws" in said


def test_a_dead_kernel_is_one_clear_error(workshop: Workshop) -> None:
    workshop.notebook("00_die", "import os\nos.kill(os.getpid(), 9)")
    code, said = workshop.run()
    assert code == 1 and "its kernel died" in said and "Traceback" not in said
    assert workshop.notes == ["begun --run x --backend aws", "ended"]


def test_a_run_that_is_going_on_is_not_started_twice(workshop: Workshop) -> None:
    workshop.notebook("00_hang", HANGING)
    with workshop.start() as process:
        until((workshop.executed / "here").exists)
        code, said = workshop.run()
        assert "2: run x is going on" in said
        process.terminate()
        process.communicate(timeout=BOUND_S)
    assert workshop.notes == ["begun --run x --backend aws", "ended"]


def test_outputs_that_cannot_be_written_start_nothing(workshop: Workshop) -> None:
    workshop.notebook("00_pass", "pass")
    workshop.outputs.write_text("a file, not a folder")
    code, said = workshop.run()
    assert "1: cannot write" in said and "MGLAB_OUTPUTS" in said and "Traceback" not in said
    assert workshop.notes == []
