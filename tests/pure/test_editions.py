"""Two editions: the reference shows model answers, the student's holds none in any form; both show measurements."""

from __future__ import annotations

import html
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mglab import config
from mglab.errors import UsageError
from mglab.folio import blocks, compose
from mglab.folio.answer import ANSWER_MIME, BESIDE_MIME, GENERATED, answer, beside
from mglab.folio.blocks import Gathered, Place
from mglab.folio.record import from_json
from mglab.study.answers import Measured
from mglab.workbook import runner, runs, state

WORDS = "The zone decides: <b>120</b> of 120."
MEASURED = [Measured("requests that failed", "9 of 129")]


def lab(folder: Path, edition: str) -> Any:
    return SimpleNamespace(folder=folder, edition=edition)


@pytest.mark.parametrize(
    ("told", "environ", "edition"),
    [
        ("", {}, "student"),
        ("", {"MGLAB_HEADLESS": "1"}, "reference"),
        ("", {"MGLAB_HEADLESS": "1", "MGLAB_EDITION": "student"}, "student"),
        ("reference", {"MGLAB_EDITION": "student"}, "reference"),
    ],
)
def test_the_edition_of_a_session(told: str, environ: dict[str, str], edition: str) -> None:
    assert config.edition(told, environ) == edition


def test_an_edition_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no edition 'studnet'"):
        config.edition("", {"MGLAB_EDITION": "studnet"})


@pytest.mark.parametrize(("before", "told", "edition"), [("", "", "reference"), ("student", "", "student"),
                                                         ("student", "reference", "reference")])  # fmt: skip
def test_a_headless_run_is_the_reference_unless_a_student_began_it(before: str, told: str, edition: str) -> None:
    for begin in (runner._record, runner._new_record):
        assert begin(runner.Options(edition=told), "x", {"edition": before})["edition"] == edition


def test_what_a_run_is_reaches_its_sessions(tmp_path: Path) -> None:
    assert runs.settings(tmp_path, "local")["MGLAB_EDITION"] == "student"
    state.write(tmp_path, {"edition": "reference"})
    assert runs.settings(tmp_path, "local")["MGLAB_EDITION"] == "reference"


def test_the_reference_shows_the_answer_and_whose_it_is(tmp_path: Path) -> None:
    shown = answer(lab(tmp_path, "reference"), "Question 1", [WORDS])._repr_mimebundle_()
    assert html.escape(GENERATED) in shown["text/html"] and GENERATED in shown["text/plain"]
    assert "&lt;b&gt;120" in shown["text/html"]
    (block,) = blocks._bundle(shown, {}, Place("07"), Gathered())
    assert (block["t"], block["label"], block["paragraphs"]) == ("answer", GENERATED, [WORDS])
    assert block["title"] == "Model answer · Question 1"


def test_the_students_edition_holds_no_answer_in_any_form(tmp_path: Path) -> None:
    shown = answer(lab(tmp_path, "student"), "Question 1", [WORDS])._repr_mimebundle_()
    assert "120" not in json.dumps(shown) and "zone decides" not in json.dumps(shown)
    assert "yours to write" in shown["text/html"]
    (block,) = blocks._bundle(shown, {}, Place("07"), Gathered())
    assert block["paragraphs"] == [] and "yours to write" in block["label"]


@pytest.mark.parametrize("edition", config.EDITIONS)
def test_prediction_and_measurement_stand_side_by_side_in_both(tmp_path: Path, edition: str) -> None:
    shown = beside(lab(tmp_path, edition), "Question 2", measured=MEASURED)._repr_mimebundle_()
    assert "9 of 129" in shown["text/html"] and "Nothing was predicted" in shown["text/html"]
    gathered = Gathered(run_folder=tmp_path)
    (block,) = blocks._bundle(shown, {}, Place("08"), gathered)
    assert not block["written"] and block["measured"] == [{"what": "requests that failed", "value": "9 of 129"}]
    assert gathered.unwritten == []  # the prediction's own cell says so already
    (tmp_path / "commentary" / "prediction-question-2.md").write_text("It *fails*.", "utf-8")
    (later,) = blocks._bundle(shown, {}, Place("08"), gathered)
    assert later["written"] and later["title"] == "Prediction · Question 2"
    assert json.dumps(shown[BESIDE_MIME])


@pytest.mark.parametrize(
    ("told", "words"), [("student", "the insight is the author's"), ("reference", "with model answers")]
)
def test_the_cover_says_which_edition_it_is(told: str, words: str) -> None:
    moment = compose.utc(0)
    facts = dict(compose.compose(from_json({"edition": told}, "x"), [], None, moment).document["facts"])
    assert words in facts["Edition"]


def test_a_record_of_before_editions_says_nothing_of_them() -> None:
    assert "Edition" not in dict(compose.compose(from_json({}, "x"), [], None, compose.utc(0)).document["facts"])


def test_an_answer_is_shown_as_json_for_the_folio(tmp_path: Path) -> None:
    shown = answer(lab(tmp_path, "reference"), "Step 87", [WORDS])._repr_mimebundle_()
    assert shown[ANSWER_MIME] == {"about": "Step 87", "label": GENERATED, "paragraphs": [WORDS]}
