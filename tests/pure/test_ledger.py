"""The ledger: what was made is found again, whatever happened while it was written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mglab.clock import Clock
from mglab.errors import OutputsUnwritable
from mglab.ledger import WITHHELD, Ledger

NOON = 1_700_000_000.0


def ledger(folder: Path, place: str = "local/default") -> Ledger:
    return Ledger(folder / "run" / "ledger.jsonl", Clock(wall=lambda: NOON), place)


def test_what_was_made_is_found(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.intent("5-6", "subnet", "public 1")
    book.made("5-6", "subnet", "public 1", "subnet-1", cidr="192.168.0.0/24")
    assert book.find("subnet", "public 1") == "subnet-1"
    assert book.find("subnet", "public 2") is None
    assert [entry.details["cidr"] for entry in book.live()] == ["192.168.0.0/24"]


def test_an_intent_alone_is_nothing_made(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.intent("1-4", "vpc", "MusicGuruVPC")
    assert book.find("vpc", "MusicGuruVPC") is None


def test_the_last_one_made_counts_until_it_is_removed(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.made("P1", "instance", "MusicGuru", "i-1")
    book.made("P1", "instance", "MusicGuru", "i-2")
    assert book.find("instance", "MusicGuru") == "i-2"
    book.removed("99", "instance", "MusicGuru", "i-2")
    assert book.find("instance", "MusicGuru") == "i-1"
    book.removed("99", "instance", "", "i-1")
    assert book.live() == []


def test_a_line_carries_lab_time_and_wall_time(tmp_path: Path) -> None:
    clock = Clock(rate=60, wall_epoch=NOON - 10, lab_epoch=NOON - 10, wall=lambda: NOON)
    book = Ledger(tmp_path / "ledger.jsonl", clock, "local/default")
    book.note("86", "group", minimum=3)
    line = json.loads(book.path.read_text())
    assert line["wall"] == NOON
    assert line["at"] == clock.now().isoformat(timespec="milliseconds")
    assert (line["kind"], line["minimum"]) == ("note", 3)


def test_a_rehearsal_is_not_mixed_up_with_the_real_thing(tmp_path: Path) -> None:
    here, there = ledger(tmp_path, "local/default"), ledger(tmp_path, "aws/123456789012/us-east-1")
    here.made("1-4", "vpc", "MusicGuruVPC", "vpc-here")
    assert there.find("vpc", "MusicGuruVPC") is None
    there.made("1-4", "vpc", "MusicGuruVPC", "vpc-there")
    assert here.find("vpc", "MusicGuruVPC") == "vpc-here"


@pytest.mark.parametrize("tail", [b'{"at": "2026', b'{"kind": "made", "what": "vpc"', b"\xff\xfe", b"[]\n", b"\n\n"])
def test_a_torn_last_line_costs_only_itself(tmp_path: Path, tail: bytes) -> None:
    book = ledger(tmp_path)
    book.made("1-4", "vpc", "MusicGuruVPC", "vpc-1")
    with book.path.open("ab") as torn:
        torn.write(tail)
    assert book.find("vpc", "MusicGuruVPC") == "vpc-1"
    book.made("5-6", "subnet", "public 1", "subnet-1")
    assert book.find("subnet", "public 1") == "subnet-1"
    assert book.find("vpc", "MusicGuruVPC") == "vpc-1"


def test_two_writers_leave_whole_lines(tmp_path: Path) -> None:
    one, other = ledger(tmp_path), ledger(tmp_path)
    for number in range(20):
        (one if number % 2 else other).made("77", "instance", "MG", f"i-{number}")
    assert len(one.live()) == 20


def test_nothing_secret_is_written(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.made(
        "33", "key-pair", "MusicGuruKey", "key-1",
        KeyMaterial="sesame", nested={"SecretAccessKey": "sesame", "list": ["-----BEGIN RSA PRIVATE KEY-----sesame"]},
        session_token="sesame", UserData="sesame", fingerprint="12:34",
    )  # fmt: skip
    text = book.path.read_text()
    assert "sesame" not in text
    assert text.count(WITHHELD) == 5
    assert "12:34" in text


def test_a_ledger_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert ledger(tmp_path).entries() == []


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    with pytest.raises(OutputsUnwritable, match=r"ledger.jsonl"):
        ledger(tmp_path).note("0", "anything")


def test_a_full_disk_says_so_and_costs_no_earlier_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = ledger(tmp_path)
    book.made("1-4", "vpc", "MusicGuruVPC", "vpc-1")
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: real(descriptor, line[: len(line) // 2]))
    with pytest.raises(OutputsUnwritable, match="disk is full") as refusal:
        book.made("5-6", "subnet", "public 1", "subnet-1")
    assert "MGLAB_OUTPUTS" in refusal.value.hint
    monkeypatch.undo()
    book.made("5-6", "subnet", "public 1", "subnet-1")
    assert {entry.id for entry in book.live()} == {"vpc-1", "subnet-1"}
