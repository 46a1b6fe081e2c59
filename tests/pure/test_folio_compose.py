"""The folio as a document: honest about what is there and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mglab.folio import build, compose, record
from mglab.folio.compose import Source
from mglab.folio.evidence import EVIDENCE_MIME
from mglab.folio.record import RunRecord

NOON = datetime(2023, 9, 16, 12, tzinfo=UTC)
ACCOUNT = "998393112629"


def captured(step: str, title: str = "T") -> dict[str, Any]:
    data = {
        "title": title,
        "step": step,
        "account": ACCOUNT,
        "region": "us-east-1",
        "backend": "local",
        "run": "demo",
        "columns": [{"key": "arn", "label": "ARN", "kind": "arn"}],
        "rows": [[f"arn:aws:x:us-east-1:{ACCOUNT}:y/1"]],
    }
    output = {"output_type": "display_data", "data": {EVIDENCE_MIME: data}, "metadata": {}}
    return {"cell_type": "code", "source": "e()", "metadata": {}, "outputs": [output], "execution_count": 1}


def prose(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def document(*sources: Source, told: RunRecord | None = None, whole: bool = True) -> dict[str, Any]:
    return compose.compose(told or RunRecord(run="demo"), sources, None, NOON, whole=whole).document


VPC = Source("02_vpc", {"cells": [prose("# A VPC"), prose("## 1-4. Make it"), prose("## 5. Subnets"), captured("5")]})


def rows_of(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step: row for section in made["map"] for row in section["steps"] for step in row["steps"]}


def test_every_step_of_the_handout_is_on_the_map() -> None:
    rows = rows_of(document(VPC))
    assert list(rows) == list(compose.handout.STEPS)
    assert rows["3"]["title"] == "Make it"
    assert rows["5"]["title"] == "Subnets" and len(rows["5"]["captures"]) == 1
    assert rows["6"]["to"] is None and rows["6"]["short"] == "6–18"


def test_steps_that_one_place_deals_with_are_one_row_of_the_map() -> None:
    section = next(one for one in document(VPC)["map"] if "1" in one["steps"][0]["steps"])
    rows = [(row["short"], row["title"]) for row in section["steps"]]
    assert rows == [("1–4", "Make it"), ("5", "Subnets"), ("6–18", "")]


def test_steps_without_a_place_are_named_as_ranges() -> None:
    absent = document(VPC)["absent"]
    assert absent.startswith("Preliminary 1, ")
    assert absent.endswith("Monitoring evaluation, 6–88")
    assert document(Source("x", {"cells": []}))["absent"] == "every step of the handout"


def test_accounts_are_masked_wherever_they_stand() -> None:
    text = json.dumps(document(VPC))
    assert ACCOUNT not in text
    assert "arn:aws:x:us-east-1:9983****2629:y/1" in text


def test_the_cover_says_where_it_was_done() -> None:
    told = record.from_json({"backend": "local", "rate": 60, "status": "completed"}, "demo")
    facts = dict(document(VPC, told=told)["facts"])
    assert facts["Where"] == "rehearsed on the embedded local cloud, its clock at rate 60; no AWS account was used"
    assert facts["Account"] == "9983****2629"
    assert facts["Evidence"] == "1 table"
    aws = record.from_json({"backend": "aws"}, "demo")
    assert dict(document(VPC, told=aws)["facts"])["Where"] == "an AWS account"


def test_a_failed_run_says_so_on_the_cover_and_at_the_place(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "02_vpc.ipynb").write_text(json.dumps({"nbformat": 4, "cells": VPC.notebook["cells"]}))
    (tmp_path / "notebooks" / "03_security_group.ipynb").write_text("{ half of a noteb")
    ran = {
        "02_vpc": {"status": "failed", "error": "CheckFailed: no gateway"},
        "04_launch_template": {"status": "pending"},
    }
    (tmp_path / "run.json").write_text(json.dumps({"run": "demo", "status": "failed", "notebooks": ran}))
    told = record.read(tmp_path)
    sources = build.sources_of(tmp_path, told)
    made = document(*sources, told=told)
    assert [chapter["name"] for chapter in made["chapters"]] == ["02_vpc", "03_security_group", "04_launch_template"]
    assert not made["standing"]["fine"]
    assert "failed" in made["standing"]["text"]
    assert [problem.split(":")[0] for problem in made["problems"]] == [chapter["name"] for chapter in made["chapters"]]
    assert "CheckFailed: no gateway" in made["chapters"][0]["problem"]
    assert "could not be read" in made["chapters"][1]["problem"]
    assert "“pending”" in made["chapters"][2]["problem"]


def test_a_complete_run_says_so() -> None:
    told = record.from_json(
        {"status": "completed", "notebooks": {"02_vpc": {"status": "completed", "seconds": 4}}}, "d"
    )
    made = document(VPC, told=told)
    said = "A part of the sequence: the notebook carried out so far ran to the end."
    assert made["standing"] == {"fine": True, "text": said}
    assert made["chapters"][0]["ran"] == "ran in 4.0 s"


def test_a_run_without_a_record_or_notebooks_claims_nothing(tmp_path: Path) -> None:
    told = record.read(tmp_path)
    assert not told.found
    made = document(*build.sources_of(tmp_path, told), told=told)
    assert made["problems"] == ["There is no executed notebook in this run."]
    facts = dict(made["facts"])
    assert facts["Where"] == facts["Account"] == facts["Carried out"] == "not recorded"


def test_one_notebook_alone_is_not_held_to_the_whole_sheet() -> None:
    made = document(VPC, whole=False)
    assert made["map"] == [] and made["absent"] == ""
    assert made["standing"]["text"] == "Part of the sequence only: 02_vpc."


def test_heading_levels_leave_none_out() -> None:
    made = document(Source("x", {"cells": [prose("# T\n\n#### deep\n\n# Again\n\n### three")]}))
    assert [one["level"] for one in made["chapters"][0]["blocks"]] == [2, 2, 3]
    assert made["chapters"][0]["title"] == "T"


def test_links_lead_to_the_web_or_to_a_place_of_the_folio() -> None:
    words = "[a](02_vpc.ipynb#5.-Subnets) [b](https://aws.amazon.com) [c](nowhere.ipynb) [d](file:///etc/passwd)"
    made = document(VPC, Source("03_sg", {"cells": [prose(words)]}))
    links = [one for one in made["chapters"][1]["blocks"][0]["c"] if one["t"] == "link"]
    heading = next(one for one in made["chapters"][0]["blocks"] if one.get("text") == "5. Subnets")
    assert [{key: one[key] for key in ("to", "href") if key in one} for one in links[:3]] == [
        {"to": heading["id"]},
        {"href": "https://aws.amazon.com"},
        {},
    ]
    assert all("href" not in one for one in links[3:])


def test_the_time_stamp_is_the_runs_own(monkeypatch: Any) -> None:
    told = record.from_json({"finished": "2023-09-16T16:21:40+12:00", "started": 0}, "demo")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert build._moment(told, []) == datetime(2023, 9, 16, 4, 21, 40, tzinfo=UTC)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert build._moment(told, []) == datetime.fromtimestamp(1700000000, UTC)


def test_a_half_written_record_is_read_for_what_it_says() -> None:
    told = record.from_json(
        {"notebooks": {"02_vpc.ipynb": "running", "x": None}, "rate": "fast", "finished": "soon"}, "d"
    )
    assert [(one.name, one.status, one.fine) for one in told.notebooks] == [
        ("02_vpc", "running", False),
        ("x", "", False),
    ]
    assert told.rate is None and told.finished is None and told.run == "d"
