"""Where a run's time went: read from executed notebooks and the ledger, told from the run's record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mglab.workbook import times
from mglab.workbook.state import TORN_DOWN

BEGUN = "2026-01-01T00:00:00.500000"


def cell(ended: str, *tags: str, kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {"tags": [*tags], "papermill": {"end_time": ended}}}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"papermill": {"start_time": BEGUN}}, "cells": [*cells]}


def test_a_kernel_has_started_when_the_first_cell_after_the_parameters_has_ended() -> None:
    prose = cell("2026-01-01T00:00:01", kind="markdown")
    parameters = [cell("2026-01-01T00:00:02", tag) for tag in ("parameters", "injected-parameters")]
    imports, later = cell("2026-01-01T00:00:03"), cell("2026-01-01T00:00:09")
    assert times.kernel_seconds(notebook(prose, *parameters, imports, later)) == 2.5


def test_a_kernel_that_never_started_took_no_time() -> None:
    assert times.kernel_seconds({}) == times.kernel_seconds(notebook({"cell_type": "code", "metadata": {}})) == 0


def test_only_waits_of_this_notebook_count(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(json.dumps(notebook(cell("2026-01-01T00:00:02"))))
    ledger: list[dict[str, Any]] = [
        {"kind": "wait", "wall": 9, "seconds": 600, "wall_seconds": 10},
        {"kind": "wait", "wall": 12, "seconds": 60, "wall_seconds": 1.04},
        {"kind": "made", "wall": 13},
        {"kind": "wait", "wall": 14, "seconds": 30, "wall_seconds": 0.5},
    ]
    told = times.of_notebook(tmp_path / "x.ipynb", ledger, began=10)
    assert told == {"kernel_s": 1.5, "waiting_s": 1.5, "aws_waited_s": 90}


RECORD: dict[str, Any] = {
    "run": "x",
    "notebooks": {
        "00_a": {"status": "passed", "seconds": 10.0, "kernel_s": 2.0, "waiting_s": 5.0, "aws_waited_s": 300.0},
        "01_b": {"status": "failed", "seconds": 4.0, "kernel_s": 1.0, "waiting_s": 0.5, "aws_waited_s": 30.0},
        "02_c": {"status": TORN_DOWN, "seconds": 99.0, "kernel_s": 9.0, "waiting_s": 9.0, "aws_waited_s": 9.0},
        "03_d": {"status": "running"},
    },
    "pieces": [{"around": {"(folio)": 1.0}}, {"around": {"(folio)": 2.0, "(teardown)": 3.0}}],
}


def test_the_table_has_the_notebooks_what_was_around_them_and_the_sum() -> None:
    rows = {row.where: row for row in times.spent(RECORD)}
    assert list(rows) == ["00_a", "01_b", "(folio)", "(teardown)", "together"]
    assert (rows["00_a"].rest_s, rows["01_b"].rest_s, rows["(folio)"].wall_s) == (3.0, 2.5, 3.0)
    whole = rows["together"]
    assert (whole.wall_s, whole.kernel_s, whole.waiting_s, whole.rest_s) == (20.0, 3.0, 5.5, 11.5)
    assert whole.wall_s == whole.kernel_s + whole.waiting_s + whole.rest_s
    assert whole.aws_waited_s == 330.0


def test_the_sentence_says_it_in_short() -> None:
    said = times.in_short(RECORD)
    assert said.startswith("Where 20 s in 2 pieces went: kernels and imports 3 s, waiting 6 s (AWS time: 5 min 30 s)")
    assert said.endswith("python3 -m mglab status --run x")
    assert times.in_short({"notebooks": {}}) == ""
