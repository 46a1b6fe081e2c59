"""The notebooks as they are committed: no outputs, stable ids, known tags, short cells, no plumbing."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SEQUENCE = [
    "00_preflight",
    "01_server_and_image",
    "02_vpc",
    "03_security_group",
    "04_launch_template",
    "05_load_balancer",
    "06_auto_scaling_group",
    "07_is_there_a_pattern",
    "08_terminate_instances",
    "09_why_is_it_slow",
    "10_monitoring",
    "11_folio",
    "99_teardown",
]
TAGS = {"parameters", "evidence", "check", "commentary", "hide-input"}
MOST_LINES = 10
PLUMBING = {"boto3", "botocore", "matplotlib", "socket", "subprocess", "time", "threading"}


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_the_sequence_is_complete() -> None:
    assert [path.stem for path in NOTEBOOKS] == SEQUENCE


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
class TestNotebook:
    def test_is_a_valid_notebook(self, path: Path) -> None:
        notebook = read(path)
        nbformat.validate(notebook)
        assert notebook.metadata.kernelspec.name == "python3"

    def test_has_no_outputs(self, path: Path) -> None:
        for cell in code_cells(path):
            assert cell.outputs == [] and cell.execution_count is None, cell.id

    def test_has_ids_that_say_what_the_cell_is(self, path: Path) -> None:
        ids = [cell.id for cell in read(path).cells]
        assert len(ids) == len(set(ids))
        assert not [name for name in ids if re.fullmatch(r"[0-9a-f]{8,}(-[0-9a-f]{4}){0,4}", name)]

    def test_has_known_tags_only(self, path: Path) -> None:
        for cell in read(path).cells:
            assert set(cell.metadata.get("tags", [])) <= TAGS, cell.id

    def test_has_one_parameters_cell_that_names_run_and_backend(self, path: Path) -> None:
        tagged = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1
        names = {node.targets[0].id for node in ast.parse(tagged[0].source).body}  # type: ignore[attr-defined]
        assert {"run", "backend"} <= names

    def test_has_short_cells_without_plumbing(self, path: Path) -> None:
        for cell in code_cells(path):
            tree = ast.parse(cell.source)
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert len(lines) <= MOST_LINES, f"{cell.id} wants a name in mglab"
            loops = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While | ast.FunctionDef)]
            assert not loops, f"{cell.id} holds a loop or a function"
            assert not PLUMBING & imported(tree), f"{cell.id} imports plumbing"


FILING = {"evidence", "transcript", "figure", "insight"}


def titles() -> list[str]:
    """Give the title of every piece of evidence that the notebooks file, in order."""
    cells = [ast.parse(cell.source) for path in NOTEBOOKS for cell in code_cells(path)]
    calls = [node for tree in cells for node in ast.walk(tree) if isinstance(node, ast.Call)]
    filing = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id in FILING]
    return [ast.literal_eval(next(it for it in one.args[1:] if isinstance(it, ast.Constant))) for one in filing]


def test_no_two_pieces_of_evidence_have_the_same_title() -> None:
    """The folio's list of figures and tables and its references go by title."""
    counted = Counter(titles())
    assert len(counted) > 50
    assert [title for title, count in counted.items() if count > 1] == []


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names
