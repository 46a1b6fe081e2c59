"""The appendix says what the run's own files say: resources, software, and the command that repeats it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mglab.folio import appendix
from mglab.folio.blocks import Gathered
from mglab.folio.record import RunRecord, from_json
from mglab.grammar import read
from mglab.ledger import Entry, entries_in

MADE = {
    "at": "2026-11-26T02:16:26.100+00:00", "kind": "made", "place": "local/a", "step": "49-57", "what": "load-balancer",
    "key": "MGLB", "id": "arn:1", "record": {"dns_name": "MGLB-1.elb", "public_address": True},
}  # fmt: skip
GONE = {**MADE, "at": "2026-11-26T06:18:33.000+00:00", "kind": "removed"}
RECORD = RunRecord(run="mine", backend="local", rate=60.0, edition="student", found=True)


def entries(folder: Path, *lines: dict[str, Any]) -> list[Entry]:
    """Read these lines as a run's ledger has them."""
    path = folder / "ledger.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return [*entries_in(path)]


def test_a_resource_is_listed_once_with_its_addresses_and_its_end(tmp_path: Path) -> None:
    elsewhere = {**GONE, "place": "aws/1/us-east-1"}
    intent = {"kind": "intent", "what": "load-balancer"}
    (listed,) = appendix.resources(entries(tmp_path, intent, MADE, MADE, elsewhere))
    assert (listed.what, listed.name, listed.id) == ("load balancer", "MGLB", "arn:1")
    assert (listed.addresses, listed.made, listed.removed) == ("MGLB-1.elb", "11-26 02:16", "")
    assert appendix.resources(entries(tmp_path, MADE, GONE))[0].removed == "11-26 06:18"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (RECORD, "python3 -m mglab run --run mine-again --backend local --edition student"),
        (replace(RECORD, rate=20.0), "... --backend local --rate 20 --edition student"),
        (replace(RECORD, backend="aws", rate=1.0), "... --backend aws --edition student"),
        (replace(RECORD, parameters=(("requests", "90"), ("vpc_cidr", "a b"))), "... -p requests=90 -p 'vpc_cidr=a b'"),
        (replace(RECORD, knobs=(("publication_delay_s", "0.0"),)), "... --knob publication_delay_s=0.0"),
        (RunRecord(run="mine"), ""),
    ],
)
def test_the_command_carries_out_such_a_run_again(record: RunRecord, told: str) -> None:
    command = appendix.command(record)
    assert command.endswith(told.removeprefix("..."))


def test_the_command_is_one_that_the_command_line_takes() -> None:
    record = replace(RECORD, rate=20.0, knobs=(("publication_delay_s", "0.0"),), parameters=(("requests", "90"),))
    options = read(appendix.command(record).split()[3:])
    assert (options.run, options.rate, options.edition) == ("mine-again", 20.0, "student")


def test_a_chapter_of_a_runs_files(tmp_path: Path) -> None:
    lines = [json.dumps(MADE), "torn {", json.dumps(GONE), '"a string"']
    (tmp_path / "ledger.jsonl").write_text("\n".join(lines))
    record = from_json({"backend": "local", "software": {"Python": "3.11.2"}}, "mine")
    chapter = appendix.chapter(record, Gathered(run_folder=tmp_path))
    assert chapter is not None
    headings = [one["text"] for one in chapter["blocks"] if one["t"] == "heading"]
    assert headings == ["What was made", "Software", "The command"]


def test_files_that_say_nothing_make_no_appendix(tmp_path: Path) -> None:
    assert appendix.chapter(RunRecord(), Gathered(run_folder=tmp_path)) is None
    assert appendix.chapter(RunRecord(), Gathered()) is None
