"""The whole sequence, once, as a stranger runs it: one command, an empty home, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from mglab.folio.answer import ANSWER_MIME, BESIDE_MIME, GENERATED
from mglab.folio.commentary import COMMENTARY_MIME
from mglab.study import answers, hurry, kept
from mglab.study.pattern_conclusion import conclusion
from mglab.workbook import completeness
from mglab.workbook.comparing import KINDS
from tests.pure.numbers_told import numbers

ROOT = Path(__file__).parents[2]
RUN_BOUND_S = 560
RESTS_ON = {
    "Step 83": {"83"},
    "Question 1": {"Question 1"},
    "Question 2": {"85", "Question 2"},
    "Question 3": {"86", "Question 3"},
    "Scale under load": {"86"},
    "Step 87": {"87"},
    "Step 88": {"88"},
    "Monitoring evaluation": {"87", "88", "Monitoring evaluation"},
}
"""Every model answer, and the steps whose evidence it is made from."""


@dataclass(frozen=True)
class Finished:
    """A run that has ended: what it printed and where it wrote."""

    code: int
    said: str
    folder: Path
    home: Path

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "run.json").read_text("utf-8")))

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "ledger.jsonl").read_text("utf-8").splitlines()]

    def evidence(self) -> dict[str, dict[str, Any]]:
        files = (self.folder / "evidence").glob("*.json")
        return {record["title"]: record for record in (json.loads(file.read_text("utf-8")) for file in files)}

    def shown(self, mime: str) -> list[dict[str, Any]]:
        """Give what the executed notebooks show in one form, in order."""
        files = sorted((self.folder / "notebooks").glob("*.ipynb"))
        notebooks = [json.loads(file.read_text("utf-8")) for file in files]
        outputs = [output for one in notebooks for cell in one["cells"] for output in cell.get("outputs", [])]
        return [output["data"][mime] for output in outputs if mime in output.get("data", {})]

    @cached_property
    def folio(self) -> str:
        """Give the words of the PDF, without white space."""
        with pypdfium2.PdfDocument(self.folder / "Project3partA.pdf") as pdf:
            return "".join(squeezed(page.get_textpage().get_text_bounded()) for page in pdf)

    def rows(self, title: str) -> list[dict[str, str]]:
        record = self.evidence()[title]
        keys = [column["key"] for column in record["columns"]]
        return [dict(zip(keys, row, strict=True)) for row in record["rows"]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    home = tmp_path_factory.mktemp("home")
    outputs = home / "outputs"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MGLAB_", "JUPYTER", "XDG_"))
    } | {"HOME": str(home), "MGLAB_OUTPUTS": str(outputs), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "mglab", "run", "--run", "whole"],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, timeout=RUN_BOUND_S, check=False,
    )  # fmt: skip
    yield Finished(done.returncode, done.stdout, outputs / "whole", home)


def test_it_succeeds(finished: Finished) -> None:
    assert finished.code == 0, finished.said
    assert {one["status"] for one in finished.state["notebooks"].values()} == {"passed"}


def test_it_says_what_it_took_here_and_would_have_cost_there(finished: Finished) -> None:
    assert "Project3partA.pdf" in finished.said
    assert "on AWS" in finished.said and "US$" in finished.said


def test_everything_made_was_removed(finished: Finished) -> None:
    made = {(line["what"], line["id"]) for line in finished.ledger() if line["kind"] == "made"}
    removed = {(line["what"], line["id"]) for line in finished.ledger() if line["kind"] == "removed"}
    assert made and made <= removed


def test_nothing_of_it_still_runs(finished: Finished) -> None:
    assert processes_mentioning(str(finished.home)) == []


def test_the_folio_shows_instances_by_name_and_address(finished: Finished) -> None:
    for row in finished.rows("The group's instances"):
        shown = [squeezed(row[name]) for name in ("instance_id", "private_address", "public_address")]
        assert [word for word in shown if word not in finished.folio] == []


def test_every_piece_of_evidence_is_in_the_folio(finished: Finished) -> None:
    missing = [title for title in finished.evidence() if squeezed(title) not in finished.folio]
    assert missing == []


def test_two_zones_answered_the_client(finished: Finished) -> None:
    rows = [row for row in finished.rows("Who answered how often") if row["arm"] == "2 instances, through the name"]
    assert len({row["zone"] for row in rows if row["answers"] != "0"}) == 2


def test_question_1_is_answered_with_its_mechanism(finished: Finished) -> None:
    said = {row["about"]: row["statement"] for row in finished.rows("What the numbers say")}
    assert said["Mechanism"].startswith("DNS picks the zone")
    assert not [about for about, statement in said.items() if statement.startswith("Not measured")]


def test_an_unadmitted_health_port_fails_every_check_and_the_service_answers_all_the_same(finished: Finished) -> None:
    assert {row["state"] for row in finished.rows("Target health with the health port closed")} == {"unhealthy"}
    felt = [row["outcome"] for row in finished.rows("What clients felt with the health port closed")]
    assert felt and all(outcome.startswith("answered") for outcome in felt)


def test_the_group_grew_under_load_and_shrank_after_it_and_each_activity_names_its_alarm(finished: Finished) -> None:
    story = [row["what"] for row in finished.rows("Scale under load, in order")]
    fired = next(n for n, what in enumerate(story) if "-AlarmHigh-" in what and what.endswith("OK to ALARM"))
    calmed = next(n for n, what in enumerate(story) if "-AlarmLow-" in what and what.endswith("OK to ALARM"))
    assert fired < story.index("load off") < calmed
    launch, end = finished.rows("The group's account of it")
    assert launch["description"].startswith("Launching") and "-AlarmHigh-" in launch["cause"]
    assert end["description"].startswith("Terminating") and "-AlarmLow-" in end["cause"]


def test_a_model_answer_tells_no_number_that_the_evidence_of_its_own_steps_does_not_show(finished: Finished) -> None:
    told = finished.shown(ANSWER_MIME)
    assert [one["about"] for one in told] == list(RESTS_ON)
    for one in told:
        there = tables_of(finished, RESTS_ON[one["about"]]) | beside_it(finished, one["about"])
        said = numbers(" ".join(one["paragraphs"]))
        assert one["paragraphs"] and said <= there, (one["about"], said - there)


def test_the_answers_are_made_again_word_for_word_from_what_was_kept(finished: Finished) -> None:
    """Nothing but the files in the run's folder is asked, and the teardown was long ago."""
    told = {one["about"]: one["paragraphs"] for one in finished.shown(ANSWER_MIME)}
    again = answered_from_files(finished.folder / "experiments")
    assert again and {about: told[about] for about in again} == again


def answered_from_files(folder: Path) -> dict[str, list[str]]:
    """Answer every question that experiments answer, from their files alone."""
    found = {stem: kept.read(folder / f"{stem}.json", kind) for stem, kind in KINDS.items()}
    had: dict[str, Any] = {stem: whole[1] for stem, whole in found.items() if whole}
    closed = had["closed-health-port"].seen
    lost = [had[f"terminate-{count}"] for count in (1, 2, 3)]
    faster = hurry.findings(had["grow"], had["faster-checks"], had["faster-image"])
    return {
        "Step 83": answers.step_83(closed, backend="local"),
        "Question 1": answers.question_1(conclusion(had["pattern"], "local"), backend="local"),
        "Question 2": answers.question_2(
            lost, drained=had["deregister"], silent=had["stop-service"], closed=closed, backend="local"
        ),
        "Question 3": answers.question_3(had["grow"], faster, backend="local"),
        "Scale under load": answers.under_load(had["surge"], backend="local"),
    }


def tables_of(finished: Finished, steps: set[str]) -> set[str]:
    """Give every number that the tables of these steps show."""
    tables = [record for record in finished.evidence().values() if record["step"] in steps]
    return {number for one in tables for row in one.get("rows", []) for number in numbers(" ".join(row))}


def beside_it(finished: Finished, about: str) -> set[str]:
    """Give every number that stands beside the prediction about the same."""
    rows = [it for one in finished.shown(BESIDE_MIME) if one["prediction"]["about"] == about for it in one["measured"]]
    return {number for row in rows for number in numbers(f"{row['what']} {row['value']}")}


def test_every_prediction_has_its_measurement_beside_it(finished: Finished) -> None:
    shown = finished.shown(COMMENTARY_MIME)
    predicted = [one["about"] for one in shown if one["kind"] == "prediction"]
    assert predicted and predicted == [one["prediction"]["about"] for one in finished.shown(BESIDE_MIME)]
    assert all(one["measured"] for one in finished.shown(BESIDE_MIME))
    assert [one["about"] for one in shown if one["kind"] == "commentary"] == list(completeness.COMMENTED)


def test_the_reference_folio_holds_what_the_students_edition_leaves_to_the_student(finished: Finished) -> None:
    for words in ("DNS picks the zone", "Pre-baked image", "whether clients are served", "sends to all of them"):
        assert squeezed(words) in finished.folio, words


def test_the_folio_marks_the_model_answers_as_generated(finished: Finished) -> None:
    assert finished.folio.count(squeezed(GENERATED)) == len(finished.shown(ANSWER_MIME))
    assert finished.state["edition"] == "reference"


def squeezed(text: str) -> str:
    """Leave out white space, hyphens and quotation marks: setting a line adds, takes and curls them."""
    return re.sub(r"[\s\x00-\x1f\u00ad\ufffe‘’“”'\"-]", "", text)


def processes_mentioning(word: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if word.encode() in text:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return found
