"""A run's decisions: which notebooks, which parameters, what is written down, what is said."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import nbformat
import pytest

from mglab.errors import CloudUnavailable, LabError, OutputsUnwritable, UsageError
from mglab.workbook import closing, clouds, cost, plan, runs, state
from mglab.workbook.progress import StatusLine, short

NAMES = ("00_one", "01_two", "06_six", "99_teardown")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        notebook = nbformat.v4.new_notebook()
        cell = nbformat.v4.new_code_cell('run = ""\ncount = 1\nshare = 0.5\nslow = False\nnames = ["a"]')
        cell.metadata["tags"] = ["parameters"]
        notebook.cells = [cell] if name == "01_two" else [nbformat.v4.new_code_cell("pass")]
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    return tmp_path


@pytest.mark.parametrize(
    ("told", "chosen"),
    [
        ({}, NAMES),
        ({"first": "01"}, NAMES[1:]),
        ({"first": "1", "last": "6"}, NAMES[1:3]),
        ({"last": "01_two.ipynb"}, NAMES[:2]),
        ({"keep": True}, NAMES[:3]),
        ({"keep": True, "last": "99"}, NAMES),
        ({"keep": True, "first": "99"}, NAMES[3:]),
    ],
)
def test_which_notebooks_run(folder: Path, told: dict[str, object], chosen: tuple[str, ...]) -> None:
    assert tuple(path.stem for path in plan.notebooks(folder, **told)) == chosen  # type: ignore[arg-type]


def test_an_empty_folder_of_notebooks_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no numbered notebooks"):
        plan.notebooks(tmp_path)


def test_parameters_take_the_declared_type_and_go_where_they_are_declared(folder: Path) -> None:
    given = {"count": "3", "share": "1", "slow": "yes", "names": '["b", "c"]'}
    steps = plan.steps(plan.notebooks(folder), given)
    assert [step.parameters for step in steps if step.parameters] == [
        {"count": 3, "share": 1.0, "slow": True, "names": ["b", "c"]}
    ]


def test_what_the_run_was_begun_with_holds_unless_given_anew(folder: Path) -> None:
    before = {"count": "3", "share": "1", "elsewhere": "in a notebook that is not run now"}
    steps = plan.steps(plan.notebooks(folder), {"count": "4"}, before)
    assert [step.parameters for step in steps if step.parameters] == [{"count": 4, "share": 1.0}]


@pytest.mark.parametrize("given", [{"count": "x"}, {"slow": "perhaps"}, {"names": "b"}, {"cuont": "1"}, {"run": "x"}])
def test_a_parameter_that_cannot_be_is_refused(folder: Path, given: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        plan.steps(plan.notebooks(folder), given)


def test_the_record_is_whole_at_every_moment(tmp_path: Path) -> None:
    state.write(tmp_path, {"run": "x", "status": "running"})
    assert state.read(tmp_path)["run"] == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_record_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputsUnwritable, match="cannot write"):
        state.write(tmp_path / "absent", {})


def test_a_killed_runs_record_is_closed_and_a_finished_one_left_alone(tmp_path: Path) -> None:
    state.write(tmp_path, {"status": "running", "notebooks": {"a": {"status": "passed"}, "b": {"status": "running"}}})
    state.close(tmp_path, "killed")
    closed = state.read(tmp_path)
    assert closed["status"] == "killed"
    assert [one["status"] for one in closed["notebooks"].values()] == ["passed", "killed"]
    state.write(tmp_path, {"status": "passed"})
    state.close(tmp_path, "killed")
    assert state.read(tmp_path)["status"] == "passed"


def test_the_estimate_rests_on_the_last_passed_run_of_the_same_kind(tmp_path: Path) -> None:
    for name, rate, seconds, status in (("a", 60, 10, "passed"), ("b", 60, 20, "passed"), ("c", 1, 99, "passed"),
                                        ("d", 60, 1, "failed")):  # fmt: skip
        (tmp_path / name).mkdir()
        one = {"00_one": {"status": status, "seconds": seconds}}
        state.write(tmp_path / name, {"backend": "local", "rate": rate, "started": name, "notebooks": one})
    assert state.past_seconds(tmp_path.iterdir(), backend="local", rate=60) == {"00_one": 20}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_one_line_a_notebook() -> None:
    stream = io.StringIO()
    line = StatusLine(["00_one", "01_two"], {}, stream)
    for name, status in (("00_one", "passed"), ("01_two", "failed")):
        line.begin(name, 3)
        line.at_cell(2)
        line.tick()
        line.end(status)
    assert [text.split()[:4] for text in stream.getvalue().splitlines()] == [
        ["[", "1/2]", "✓", "00_one"], ["[", "2/2]", "✗", "01_two"],
    ]  # fmt: skip


def test_a_terminal_gets_an_estimate_when_all_is_known() -> None:
    stream = Terminal()
    line = StatusLine(["00_one", "01_two"], {"00_one": 30, "01_two": 90}, stream)
    line.begin("00_one", 3)
    assert "about 2:00 to go" in stream.getvalue()
    guess = Terminal()
    StatusLine(["00_one", "01_two"], {"00_one": 30}, guess).begin("00_one", 3)
    assert "to go" not in guess.getvalue()


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.4, "59 s"), (65, "1:05"), (3725, "1:02:05")])
def test_times_are_short(seconds: float, said: str) -> None:
    assert short(seconds) == said


def test_the_closing_lines_say_here_and_there(tmp_path: Path) -> None:
    made = {"kind": "made", "what": "load-balancer", "id": "a", "wall": 100.0, "at": "2026-01-01T00:00:00+00:00"}
    waited = {"kind": "wait", "seconds": 3000.0, "wall": 150.0, "at": "2026-01-01T00:50:00+00:00"}
    (tmp_path / "ledger.jsonl").write_text("\n".join(map(json.dumps, (made, waited))) + '\n{"torn')
    record = {"run": "x", "backend": "local", "pdf": "Project3partA.pdf", "teardown": "kept"}
    said = list(closing.lines(tmp_path, record, cost.Stretch(90, 190)))
    assert said[0] == f"PDF: {tmp_path / 'Project3partA.pdf'}"
    there = "on AWS it would have taken about 50 min 50 s and cost about US$ 0.03"
    assert said[1].startswith(f"This took 1 min 40 s; {there}")
    assert said[2] == "Kept as it is. Tear it down with: python3 -m mglab teardown --run x"


def test_a_run_without_a_ledger_says_only_what_it_knows(tmp_path: Path) -> None:
    assert list(closing.lines(tmp_path, {"run": "x", "backend": "local"}, cost.Stretch(0, 5))) == ["This took 5 s."]


def test_a_clouds_refusal_keeps_its_words_and_its_hint() -> None:
    with pytest.raises(CloudUnavailable) as raised:
        clouds.answer(4, "", "the local cloud did not start: port in use\n  next: read its log\n")
    assert (raised.value.message, raised.value.hint) == ("the local cloud did not start: port in use", "read its log")
    assert clouds.answer(0, "null", "") is None


def test_the_run_that_is_meant(tmp_path: Path) -> None:
    environ = {"MGLAB_OUTPUTS": str(tmp_path)}
    assert runs.meant("", environ).name == "default"
    for at, name in enumerate(("old", "new")):
        (tmp_path / name).mkdir()
        state.write(tmp_path / name, {})
        os.utime(tmp_path / name / "run.json", (at, at + 1))
    assert runs.meant("", environ).name == "new"
    assert runs.meant("old", environ).name == "old"
    assert runs.meant("", {**environ, "MGLAB_RUN": "old"}).name == "old"
    with pytest.raises(UsageError, match="there is no run 'odl'") as raised:
        runs.that_exists("odl", environ)
    assert raised.value.hint == "did you mean 'old'?"


def test_the_cloud_of_a_run(tmp_path: Path) -> None:
    assert runs.cloud_of(tmp_path, {}) == "default"
    state.write(tmp_path, {"cloud": "run-x"})
    assert runs.cloud_of(tmp_path, {}) == "run-x"
    assert runs.cloud_of(tmp_path, {"MGLAB_CLOUD": "mine"}) == "mine"
