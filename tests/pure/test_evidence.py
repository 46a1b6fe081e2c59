"""Evidence is shown once and filed whole; commentary is the student's own file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mglab.clock import Clock
from mglab.errors import OutputsUnwritable
from mglab.folio import commentary as words
from mglab.folio import evidence as capture
from mglab.folio import files


@dataclass(frozen=True)
class Lab:
    folder: Path
    clock: Clock
    run: str = "demo"
    backend: str = "local"
    account: str = "998393112629"
    region: str = "us-east-1"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    clock = Clock(rate=60, wall_epoch=1000.0, lab_epoch=1694837052.0, wall=lambda: 1001.0)
    return Lab(tmp_path / "outputs" / "demo", clock)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    bundles: list[dict[str, Any]] = []
    monkeypatch.setattr(capture, "_show", lambda bundle, metadata=None: bundles.append(bundle))
    return bundles


ROWS = [{"name": "public 1", "subnet_id": "subnet-0912769b84cd9cab8"}]


def test_evidence_is_shown_once_and_filed_with_everything_a_screenshot_would_show(
    lab: Lab, shown: list[dict[str, Any]]
) -> None:
    record = capture.evidence(lab, "The two public subnets", ROWS, step=5, call="ec2 DescribeSubnets")
    assert record.path == lab.folder / "evidence" / "5-the-two-public-subnets.json"
    filed = json.loads(record.path.read_text())
    assert filed == {
        "kind": "table",
        "title": "The two public subnets",
        "step": "5",
        "label": "5-the-two-public-subnets",
        "call": "ec2 DescribeSubnets",
        "note": "",
        "captured_at": "2023-09-16T04:05:12Z",  # one wall second at rate 60 after 04:04:12
        "wall_at": "1970-01-01T00:16:41Z",
        "account": "998393112629",
        "region": "us-east-1",
        "backend": "local",
        "run": "demo",
        "columns": [
            {"key": "name", "label": "Name", "kind": "text"},
            {"key": "subnet_id", "label": "Subnet ID", "kind": "id"},
        ],
        "rows": [["public 1", "subnet-0912769b84cd9cab8"]],
    }
    assert len(shown) == 1
    assert shown[0][capture.EVIDENCE_MIME] == filed
    assert "9983****2629" in shown[0]["text/plain"]
    assert "998393112629" not in shown[0]["text/html"]
    assert record._ipython_display_() is None


def test_capturing_the_same_again_replaces_the_file(lab: Lab, shown: list[dict[str, Any]]) -> None:
    for _ in range(2):
        capture.evidence(lab, "The VPC", ROWS, step="2", call="ec2 DescribeVpcs")
    assert [path.name for path in (lab.folder / "evidence").iterdir()] == ["2-the-vpc.json"]


def test_titles_in_any_script_have_files_of_their_own(lab: Lab, shown: list[dict[str, Any]]) -> None:
    for title in ("夜に駆ける", "孤勇者", "../../etc/passwd", "x" * 300):
        capture.evidence(lab, title, ROWS, step="Question 1", call="")
    names = sorted(path.name for path in (lab.folder / "evidence").iterdir())
    assert len(names) == 4
    assert all(name.startswith("question-1-") and len(name) < 100 for name in names)


def test_a_transcript_keeps_the_terminal_as_it_was(lab: Lab, shown: list[dict[str, Any]]) -> None:
    text = "~$ telnet 127.3.0.7 5001\nConnected.\nConnection closed by foreign host.\n"
    record = capture.transcript(lab, "It answers", text, step="Preliminary 5", call="telnet 127.3.0.7 5001")
    assert record.path is not None
    filed = json.loads(record.path.read_text())
    assert (filed["kind"], filed["text"], filed["step"]) == ("transcript", text, "Preliminary 5")
    assert shown[0][capture.TRANSCRIPT_MIME] == filed


def test_a_picture_of_cloudwatch_is_kept_as_it_came(lab: Lab, shown: list[dict[str, Any]]) -> None:
    png = b"\x89PNG\r\n\x1a\nrest"
    record = capture.figure(
        lab, png, "HealthyHostCount", step=87, alt="Two hosts, then one", call="GetMetricWidgetImage"
    )
    assert record.png is not None and record.png.read_bytes() == png
    assert record.svg is None
    assert shown[0][capture.FIGURE_MIME]["png"] == "figures/87-healthyhostcount.png"
    assert shown[0][capture.FIGURE_MIME]["alt"] == "Two hosts, then one"


def test_a_folder_that_cannot_be_written_is_said_plainly(lab: Lab, shown: list[dict[str, Any]]) -> None:
    lab.folder.parent.mkdir(parents=True)
    lab.folder.write_text("a file where the run's folder should be")
    with pytest.raises(OutputsUnwritable, match="could not write"):
        capture.evidence(lab, "The VPC", ROWS, step="2", call="")
    assert shown == []


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    files.write(tmp_path / "a" / "b.txt", b"one")
    files.write(tmp_path / "a" / "b.txt", b"two")
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "a").iterdir()] == [("b.txt", b"two")]


def test_commentary_says_where_it_is_missing_and_shows_it_once_written(lab: Lab) -> None:
    missing = words.commentary(lab, "Preliminary 5")
    assert not missing.written
    bundle = missing._repr_mimebundle_()
    assert "Not yet written" in bundle["text/plain"]
    path = lab.folder / "commentary" / "preliminary-5.md"
    assert str(path) in bundle["text/plain"]
    path.write_text("It hangs up, so it lives.")
    assert words.commentary(lab, "Preliminary 5").written
    assert "It hangs up" in words.commentary(lab, "Preliminary 5")._repr_mimebundle_()["text/markdown"]


def test_a_prediction_has_its_own_file(lab: Lab) -> None:
    assert words.prediction(lab, "Question 1").file == "commentary/prediction-question-1.md"
    assert (lab.folder / "commentary" / "prediction-question-1.md").read_text() == ""
