"""Waiting: it shows each change of state, dates it in lab time, and knows when to give up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mglab import waits
from mglab.clock import Clock
from mglab.errors import CheckFailed, WaitTimedOut
from mglab.ledger import Ledger


@dataclass
class Hands:
    """The hands of a wall clock that only move when somebody sleeps."""

    wall: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.wall += seconds


@dataclass(frozen=True)
class Bench:
    """As much of a session as a wait needs."""

    clock: Clock
    ledger: Ledger
    hands: Hands


def bench(folder: Path, rate: float = 1.0) -> Bench:
    hands = Hands()
    clock = Clock(rate=rate, wall_epoch=hands.wall, lab_epoch=hands.wall, wall=lambda: hands.wall, pause=hands.sleep)
    return Bench(clock, Ledger(folder / "ledger.jsonl", clock, "local/default"), hands)


def states(*given: str) -> Iterator[str]:
    yield from given
    while True:
        yield given[-1]


def wait_for_active(lab: Bench, seen: Iterable[str], *, timeout_s: float = 600) -> waits.Wait:
    looks = iter(seen)
    return waits.until(
        lab,
        look=lambda: next(looks),
        is_done=lambda state: state == "active",
        is_failed=lambda state: state == "failed",
        what="load balancer MGLB",
        timeout_s=timeout_s,
        interval_s=15,
    )


def test_each_change_is_dated_once(tmp_path: Path) -> None:
    lab = bench(tmp_path)
    wait = wait_for_active(lab, states("provisioning", "provisioning", "provisioning", "active"))
    assert [(it.state, it.after_s) for it in wait.transitions] == [("provisioning", 0), ("active", 45)]
    assert (wait.outcome, wait.seconds, wait.state) == ("done", 45, "active")


def test_lab_time_is_waited_not_wall_time(tmp_path: Path) -> None:
    lab = bench(tmp_path, rate=60)
    wait = wait_for_active(lab, states("provisioning", "active"))
    assert wait.seconds == pytest.approx(15, abs=0.01)
    assert lab.hands.slept == [pytest.approx(0.25)]


def test_a_fast_clock_does_not_hammer_the_api(tmp_path: Path) -> None:
    lab = bench(tmp_path, rate=6000)
    wait_for_active(lab, states("provisioning", "active"))
    assert lab.hands.slept == [pytest.approx(waits.LOOK_FLOOR_WALL_S)]


def test_done_at_the_first_look_sleeps_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab = bench(tmp_path)
    wait_for_active(lab, states("active"))
    assert lab.hands.slept == []
    assert capsys.readouterr().out == "✓ load balancer MGLB: active after 0 s\n"


def test_it_prints_changes_and_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wait_for_active(bench(tmp_path), states("provisioning", "provisioning", "active"))
    assert capsys.readouterr().out.splitlines() == [
        "load balancer MGLB: provisioning (+0 s)",
        "✓ load balancer MGLB: active after 30 s",
    ]


def test_giving_up_names_the_last_state(tmp_path: Path) -> None:
    lab = bench(tmp_path)
    with pytest.raises(WaitTimedOut, match=r"MGLB was still 'provisioning' after 10 min 00 s") as given_up:
        wait_for_active(lab, states("provisioning"))
    assert "again" in given_up.value.hint


def test_a_fast_clock_gives_the_machine_its_time(tmp_path: Path) -> None:
    lab = bench(tmp_path, rate=6000)
    begun = lab.hands.wall
    with pytest.raises(WaitTimedOut):
        wait_for_active(lab, states("provisioning"))
    assert lab.hands.wall - begun >= waits.PATIENCE_FLOOR_WALL_S


def test_a_state_with_no_way_on_fails_at_once(tmp_path: Path) -> None:
    lab = bench(tmp_path)
    with pytest.raises(CheckFailed, match="came to 'failed'"):
        wait_for_active(lab, states("provisioning", "failed"))
    assert len(lab.hands.slept) == 1


def test_every_wait_is_filed(tmp_path: Path) -> None:
    lab = bench(tmp_path)
    wait_for_active(lab, states("provisioning", "active"))
    with pytest.raises(WaitTimedOut):
        wait_for_active(lab, states("provisioning"), timeout_s=30)
    filed = [entry for entry in lab.ledger.entries() if entry.kind == "wait"]
    assert [entry.details["outcome"] for entry in filed] == ["done", "timed out"]
    assert [it["state"] for it in filed[0].details["transitions"]] == ["provisioning", "active"]


def test_interrupting_files_what_was_seen(tmp_path: Path) -> None:
    lab = bench(tmp_path)

    def interrupted() -> Iterator[str]:
        yield "provisioning"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_for_active(lab, interrupted())
    (filed,) = lab.ledger.entries()
    assert filed.details["outcome"] == "interrupted"
    assert filed.details["transitions"][0]["state"] == "provisioning"


def test_a_wait_reads_well(tmp_path: Path) -> None:
    wait = wait_for_active(bench(tmp_path), states("provisioning", "active"))
    assert str(wait) == "load balancer MGLB: done after 15 s: provisioning (+0 s) -> active (+15 s)"
    assert "<table>" in wait._repr_html_()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (150, "2 min 30 s"), (3_725, "1 h 02 min")]
)
def test_durations_are_said_as_a_person_would(seconds: float, words: str) -> None:
    assert waits.duration(seconds) == words


def test_a_wait_files_its_wall_seconds_and_how_blind_it_was(tmp_path: Path) -> None:
    lab = bench(tmp_path, rate=60.0)
    wait_for_active(lab, states("provisioning", "provisioning", "active"))
    (line,) = lab.ledger.entries()
    assert (line.details["seconds"], line.details["wall_seconds"]) == (30, 0.5)
    assert line.details["coarsest_s"] == 15


def test_a_slow_look_is_part_of_how_blind_a_wait_was(tmp_path: Path) -> None:
    lab = bench(tmp_path)

    def slow() -> str:
        lab.hands.sleep(4)
        return next(seen)

    seen = states("provisioning", "active")
    waits.until(lab, slow, lambda state: state == "active", what="it", timeout_s=600, interval_s=15)
    assert lab.ledger.entries()[0].details["coarsest_s"] == 4 + 15 + 4
