"""Benchmarks take turns, compare with the first, and say what failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mglab.bench import folio, rounds
from mglab.bench.rounds import Contestant, Taken
from mglab.errors import LabError


def saying(word: str, path: Path) -> Contestant:
    return Contestant(word, (sys.executable, "-c", f"open({str(path)!r}, 'a').write({word!r})"))


def test_each_round_begins_with_another_one(tmp_path: Path) -> None:
    order = tmp_path / "order"
    results = rounds.in_turns([saying("a", order), saying("b", order)], 3, tmp_path / "log")
    assert order.read_text() == "ab" + "ba" + "ab"
    assert [(one.name, one.rounds) for one in results] == [("a", 3), ("b", 3)]
    assert results[0].time_ratio == 1 and results[0].least_s <= results[0].median_s <= results[0].most_s


def test_ratios_are_of_medians_to_the_first() -> None:
    ours, theirs = [Taken(2.0, 100.0), Taken(1.0, 90.0), Taken(9.0, 300.0)], [Taken(6.0, 50.0)]
    result = rounds._result("theirs", theirs, ours)
    assert (result.time_ratio, result.memory_ratio) == (3.0, 0.5)


def test_one_that_fails_ends_the_benchmark_and_its_words_are_kept(tmp_path: Path) -> None:
    broken = Contestant("broken", (sys.executable, "-c", "print('why'); raise SystemExit(3)"))
    with pytest.raises(LabError, match="broken failed with code 3") as caught:
        rounds.in_turns([broken], 1, tmp_path / "log")
    assert "why" in (tmp_path / "log").read_text() and str(tmp_path / "log") in str(caught.value.hint)


def test_a_contestant_has_its_own_surroundings(tmp_path: Path) -> None:
    words = (sys.executable, "-c", "import os; raise SystemExit(os.environ['WORD'] != 'x')")
    assert rounds.in_turns([Contestant("x", words, {"WORD": "x"})], 1, tmp_path / "log")


def test_a_peer_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folio.importlib.util, "find_spec", lambda name: None)
    assert "pip install" in folio.missing()
    assert [one.name for one in folio.contestants(tmp_path, tmp_path)] == ["mglab pdf"]
