"""The student's edition states measurements and leaves the insight: the committed cells, executed in both editions.

A few cells of each notebook are executed on results that were made by hand, and what they show is composed into the
folio's document with the notebook's own prose: what the reference says of those results, the student's never does.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from mglab import config
from mglab.clock import Clock
from mglab.folio import compose, evidence
from mglab.folio.answer import ANSWER_MIME, BESIDE_MIME
from mglab.folio.record import RunRecord
from tests.pure import test_answers, test_monitoring, test_speed, test_surge
from tests.pure.pattern_worlds import World

FOLDER = Path(__file__).parents[2] / "notebooks"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOST = {
    "one": test_answers.TERMINATED, "two": test_answers.ALL, "three": test_answers.ALL,
    "drained": test_answers.DRAINED, "silent": test_answers.SILENT, "closed": test_answers.CLOSED,
}  # fmt: skip
EXPERIMENTS = list(LOST.values())
GREW = test_speed.growth()
QUICKER = test_speed.growth(interval_s=10, healthy_threshold=2)
RESULTS: Mapping[str, Mapping[str, Any]] = {
    "06_auto_scaling_group": {"closed": SimpleNamespace(seen=test_answers.CLOSED)},
    "07_is_there_a_pattern": {"seen": World(1).pattern(240)},
    "08_terminate_instances": {**LOST, "experiments": EXPERIMENTS},
    "09_why_is_it_slow": {"seen": GREW, "quicker": QUICKER, "tried": test_speed.both(10, 30),
                          "seen_load": test_surge.SEEN},
    "10_monitoring": {"marks": [test_monitoring.DIED, test_monitoring.GREW], "target_view": test_monitoring.TARGETS,
                      "balancer_view": test_monitoring.BALANCER},
}  # fmt: skip
CELLS = {
    "06_auto_scaling_group": ["closed-felt", "beside-closed", "answer-closed"],
    "07_is_there_a_pattern": ["shares-table", "tests", "conclusion", "beside", "answer"],
    "08_terminate_instances": ["durations", "beside", "answer"],
    "09_why_is_it_slow": ["stages", "faster-changes", "faster-findings", "beside", "answer", "beside-load",
                          "answer-load"],
    "10_monitoring": ["target-group-numbers", "answer-87", "load-balancer-numbers", "answer-88", "moved", "contrast",
                      "together", "beside-evaluation", "answer-evaluation"],
}  # fmt: skip
INSIGHT = {
    "06_auto_scaling_group": ["a balancer without a healthy target in any zone sends to all of them"],
    "07_is_there_a_pattern": ["DNS picks the zone", "the order is what chance gives", "does not decide"],
    "08_terminate_instances": ["are two observers", "stops new connections to a target", "on which nobody listened"],
    "09_why_is_it_slow": ["The image saves", "No request has a parameter for it", "The way back is the longer one"],
    "10_monitoring": ["whether clients are served", "the load balancer's nodes", "only a client can measure that"],
}
IN_NO_PROSE = [
    *("fails open", "keeps its promise", "not cut off", "unhealthy to the balancer", "longer than the boot"),
    *(words for every in INSIGHT.values() for words in every),
]
"""What a notebook's prose said once, or might come to say, and what it would take from the student."""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Collect what cells display."""
    bundles: list[dict[str, Any]] = []
    monkeypatch.setattr(evidence, "_show", lambda bundle, metadata=None: bundles.append(bundle))
    yield bundles


def execute(name: str, edition: str, folder: Path, shown: list[dict[str, Any]]) -> nbformat.NotebookNode:
    """Give the notebook with its prose and the chosen cells, these executed."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    lab = SimpleNamespace(folder=folder, run="x", edition=edition, backend="local", account="998393112629",
                          region="us-east-1", clock=Clock(wall=NOON.timestamp))  # fmt: skip
    names = {**imports(notebook), **RESULTS[name], "lab": lab}
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "markdown" or cell.id in CELLS[name]]
    done = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown.clear()
            shown += displayed(cell.source, names)
            cell.outputs = [nbformat.v4.new_output("display_data", data=one) for one in shown]
            done.append(cell.id)
    assert done == CELLS[name]
    return notebook


def imports(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Execute the imports of the notebook, not what connects to a cloud."""
    (source,) = (cell.source for cell in notebook.cells if cell.id == "connect")
    names: dict[str, Any] = {}
    body = [one for one in ast.parse(source).body if isinstance(one, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(body, []), "connect", "exec"), names)
    return names


def displayed(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Execute a cell as a notebook does; give what its last value shows of itself."""
    body = ast.parse(source).body
    last = body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return [value._repr_mimebundle_()] if hasattr(value, "_repr_mimebundle_") else []


def words_of(notebook: nbformat.NotebookNode, name: str, folder: Path) -> str:
    """Give all that the notebook shows and all that the folio prints of it, blanks and marks of emphasis left out."""
    sources = [compose.Source(name, notebook)]
    document = compose.compose(RunRecord(run="x"), sources, folder, NOON, whole=False).document
    outputs = [output.data for cell in notebook.cells for output in cell.get("outputs", [])]
    return squeezed(json.dumps([document, outputs, prose(notebook)], ensure_ascii=False))


def prose(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def squeezed(text: str) -> str:
    return re.sub(r"[\s*_\u200b]|&#x27;|'", "", text)


def outputs(notebook: nbformat.NotebookNode, mime: str) -> Sequence[Any]:
    return [one.data[mime] for cell in notebook.cells for one in cell.get("outputs", []) if mime in one.data]


@pytest.mark.parametrize("name", CELLS)
def test_what_the_reference_says_the_students_edition_does_not(name: str, tmp_path: Path, shown: list[Any]) -> None:
    made = {edition: execute(name, edition, tmp_path / edition, shown) for edition in config.EDITIONS}
    said = {edition: words_of(made[edition], name, tmp_path / edition) for edition in config.EDITIONS}
    told = [line for one in outputs(made["reference"], ANSWER_MIME) for line in one["paragraphs"]]
    assert told
    for words in [*INSIGHT[name], *told]:
        assert squeezed(words) in said["reference"], words
        assert squeezed(words) not in said["student"], words


@pytest.mark.parametrize("name", CELLS)
def test_what_was_measured_is_shown_in_both(name: str, tmp_path: Path, shown: list[Any]) -> None:
    made = [execute(name, edition, tmp_path, shown) for edition in config.EDITIONS]
    tables = [outputs(one, evidence.EVIDENCE_MIME) for one in made]
    titles = [{table["title"]: table["rows"] for table in every} for every in tables]
    student, reference = (titles[config.EDITIONS.index(edition)] for edition in ("student", "reference"))
    assert student and student.items() <= reference.items()
    beside = [outputs(one, BESIDE_MIME) for one in made]
    assert beside[0] and beside[0] == beside[1]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_prose_gives_an_answer_away(path: Path) -> None:
    text = squeezed("\n".join(prose(nbformat.read(path, as_version=4)))).lower()
    assert [words for words in IN_NO_PROSE if squeezed(words).lower() in text] == []
